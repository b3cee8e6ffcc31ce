"""Races → lines of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from benchmarks.executors.progress import Live
from benchmarks.timing.peers.clock import SEVERAL, in_turn, warm
from benchmarks.timing.peers.race import Peer, Race, Size, make_case


@dataclass(frozen=True)
class Line:
    """A peer against ours on an image of one size.

    Attributes:
        ours_seconds, peer_seconds: of the processor, per call, the median over the rounds.
        ratio: peer_seconds/ours_seconds; over 1, ours is ahead.
        ratio_least, ratio_most: of a round.
        peer_is: better, equal or worse by the quality.
        unit: of the qualities.
        compiled_seconds: that our kernels took to compile at the first call, 0 if there are none.
        threads: seconds of all threads in those of the calling one; 1 is one thread.
        version: of the peer.
    """

    race: str
    row: str
    peer: str
    height: int
    width: int
    planes: int
    ours_seconds: float
    peer_seconds: float
    ratio: float
    ratio_least: float
    ratio_most: float
    ours_quality: float
    peer_quality: float
    peer_is: str
    unit: str
    rounds: int
    compiled_seconds: float
    threads: float
    version: str


@dataclass(frozen=True)
class Raced:
    """What races gave.

    Attributes:
        races: those that were to be raced, by name.
        not_run: race, peer (empty: the whole race) and the reason.
    """

    races: tuple[str, ...]
    lines: tuple[Line, ...]
    not_run: tuple[tuple[str, str, str], ...]


def run(races: Sequence[Race], rounds: int, sizes: Sequence[Size] | None = None) -> Iterator[Raced]:
    """Carry out races, show how far it is, and yield what there is after every race, so that it can be kept.

    Args:
        rounds: at most of each pair.
        sizes: in place of those of each race; only numbers of planes that the race has are run.
    """
    absent = [found for race in races for found in _not_run(race)]
    for name, peer, reason in absent:
        print(f"not run: {' against '.join(filter(None, (name, peer)))}: {reason}", flush=True)
    out = {(name, peer) for name, peer, _ in absent}
    plan = [
        (race, size, peers)
        for race in races
        if (race.name, "") not in out
        for size in _sizes(race, sizes)
        if (peers := [p for p in race.peers if (race.name, p.name) not in out and size.planes in p.planes])
    ]
    lines: list[Line] = []
    done = tuple(race.name for race in races)
    total = sum(len(peers) for _, _, peers in plan)
    with torch.inference_mode(), Live(max(total, 1), "raced") as live:
        for race, size, peers in plan:
            for line in _lines(race, size, peers, rounds):
                lines.append(line)
                live.count(1, f"{race.title} against {line.peer}, {size}: {line.ratio:.2f}")
            yield Raced(done, tuple(lines), tuple(absent))
    for line in lines:
        if line.threads > SEVERAL:
            print(f"not on one thread: {line.row} against {line.peer} ({line.threads:.1f} times the caller's seconds)")
    if not plan:
        yield Raced(done, (), tuple(absent))


def _not_run(race: Race) -> Iterator[tuple[str, str, str]]:
    reason = race.missing()
    if reason is not None:
        yield race.name, "", reason
        return
    for peer in race.peers:
        missing = peer.missing()
        if missing is not None:
            yield race.name, peer.name, missing
    for name, why in race.not_raced:
        yield race.name, name, why


def _sizes(race: Race, given: Sequence[Size] | None) -> Sequence[Size]:
    if given is None:
        return race.sizes
    planes = {size.planes for size in race.sizes}
    return [size for size in given if size.planes in planes]


def _lines(race: Race, size: Size, peers: Sequence[Peer], rounds: int) -> Iterator[Line]:
    case = make_case(race.task, size)
    ours = warm(race.start(case))
    ours_quality = race.quality.of(case, ours.result)
    for peer in peers:
        theirs = warm(peer.start(case))
        turns = in_turn(ours, theirs, rounds)
        quality = race.quality.of(case, theirs.result)
        yield Line(
            race.name, race.title, peer.name, size.height, size.width, size.planes, *turns.medians, turns.ratio,
            *turns.spread, ours_quality, quality, race.quality.verdict(ours_quality, quality), race.quality.unit,
            turns.rounds, ours.compiled, turns.threads, peer.version(),
        )  # fmt: skip
