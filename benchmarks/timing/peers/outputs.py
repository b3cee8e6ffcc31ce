"""The files of a folder of races: lines, facts (machine, versions, commit, what was not run), table and figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.folder import provenance
from benchmarks.tables.render import markdown_table
from benchmarks.timing.peers.clock import SEVERAL
from benchmarks.timing.peers.found import every_race
from benchmarks.timing.peers.race import Size
from benchmarks.timing.peers.runner import Line, Raced
from datasets.errors import SuiteError
from datasets.files import write_atomically

CSV, JSON, MARKDOWN = "peers.csv", "peers.json", "peers.md"
DIGITS = "%.6g"


@dataclass(frozen=True)
class Facts:
    """Where the numbers come from.

    Attributes:
        not_run: race, peer and the reason.
    """

    commit: str
    hardware: dict[str, Any]
    versions: dict[str, str]
    not_run: list[list[str]] = field(default_factory=list)

    @staticmethod
    def here() -> Facts:
        """This machine and this code."""
        return Facts(provenance.commit(), provenance.hardware("cpu"), provenance.versions())

    @property
    def machine(self) -> tuple[object, ...]:
        """What must be equal for seconds to stand in one table."""
        return self.commit, self.hardware.get("processor"), self.versions


def read(out: Path) -> tuple[pd.DataFrame, Facts]:
    """Return the lines and the facts of a folder.

    Raises:
        SuiteError: it has none, or they cannot be read.
    """
    remedy = f"measure with python -m benchmarks time peers --out {out}"
    try:
        facts = Facts(**json.loads((out / JSON).read_text("utf-8")))
        table = pd.read_csv(out / CSV, keep_default_na=False)
    except FileNotFoundError as error:
        raise SuiteError(f"{error.filename} is not there: {remedy}.") from None
    except (ValueError, TypeError) as error:
        raise SuiteError(f"{out} holds no races that can be read ({type(error).__name__}): {remedy}.") from error
    missing = [name for name in Line.__dataclass_fields__ if name not in table]
    if missing:
        raise SuiteError(f"{out / CSV} has no column {missing[0]}: {remedy}.")
    return table, facts


def check_same(out: Path, facts: Facts) -> None:
    """Check before work that what a folder holds of other races may stand beside new lines.

    Raises:
        SuiteError: it was measured on another machine, with other versions, or at another commit.
    """
    if not (out / JSON).exists():
        return
    _, there = read(out)
    if there.machine != facts.machine:
        raise SuiteError(
            f"{out} holds races of another machine, commit or version, whose seconds cannot stand beside new ones: "
            "leave out --only, or choose another --out."
        )


def collected(raced: Raced, facts: Facts, beside: Path | None = None) -> tuple[pd.DataFrame, Facts]:
    """Return the lines of races and their facts.

    Args:
        beside: a folder whose lines of other races are kept.
    """
    table = pd.DataFrame([asdict(line) for line in raced.lines], columns=list(Line.__dataclass_fields__))
    not_run = [list(entry) for entry in raced.not_run]
    if beside is not None and (beside / JSON).exists():
        before, there = read(beside)
        kept = before[~before.race.isin(raced.races)]
        table = (
            pd.concat([kept, table], ignore_index=True) if len(kept) and len(table) else kept if len(kept) else table
        )
        not_run += [entry for entry in there.not_run if entry[0] not in raced.races]
    order = {name: number for number, name in enumerate(every_race())}
    table = table.sort_values("race", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    not_run.sort(key=lambda entry: order.get(entry[0], len(order)))
    return table, replace(facts, not_run=not_run)


def save(table: pd.DataFrame, facts: Facts, out: Path) -> None:
    """Write lines and facts.

    Raises:
        SuiteError: they cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / CSV, table.to_csv(index=False, float_format=DIGITS).encode())
    write_atomically(out / JSON, (json.dumps(asdict(facts), indent=1, ensure_ascii=False) + "\n").encode())


def write(out: Path) -> list[Path]:
    """Write table and figure from the lines and the facts that are there; return all paths.

    Raises:
        SuiteError: as `read`; or they cannot be written.
    """
    from benchmarks.timing.peers.figure import PNG, SVG, draw

    table, facts = read(out)
    files = {MARKDOWN: to_markdown(table, facts).encode()}
    if len(table):
        files |= {SVG: draw(table, "svg"), PNG: draw(table, "png")}
    for name, content in files.items():
        write_atomically(out / name, content)
    return [out / name for name in (CSV, JSON, *files)]


HEADS = (
    "row", "peer", "image", "ours s", "peer s", "peer/ours", "of a round", "ours", "peer", "unit", "peer is", "rounds",
    "compiled s",
)  # fmt: skip
WORDS = (0, 1, 2, 9, 10)
"""Columns that hold words."""
LEGEND = (
    "Seconds of the processor per call, the median over rounds in which both sides are called in turn in one process "
    "on one thread. **peer/ours** over 1: ours is ahead; then the least and the largest ratio of a round. Then the "
    "quality of either result, and whether the peer's is better, equal or worse. Our rows are called by `restore` and "
    "return φ, f and g with the image where they have them; a peer's change of layout is not in its seconds. "
    "**compiled**: seconds that our kernels took to compile at their first call; they are in no other number."
)


def to_markdown(table: pd.DataFrame, facts: Facts) -> str:
    """Return one table of all races, what each peer is called with, and what was not run."""
    cells = [_cells(line) for line in table.to_dict("records")]
    made = markdown_table(HEADS, cells, [number in WORDS for number in range(len(HEADS))])
    lines = ["# Rows and metrics against other code", "", LEGEND, "", made]
    lines += ["", "## How the peers are called", ""]
    raced = set(zip(table.race, table.peer, strict=True))
    for race in every_race().values():
        lines += [
            f"- {race.title}, {peer.name}: {peer.note}." for peer in race.peers if (race.name, peer.name) in raced
        ]
    several = table[table.threads > SEVERAL]
    if facts.not_run:
        lines += ["", "## Not run", ""]
        lines += [f"- {' against '.join(filter(None, entry[:2]))}: {entry[2]}" for entry in facts.not_run]
    if len(several):
        lines += ["", "## Not on one thread", ""]
        lines += [
            f"- {line.row} against {line.peer}: {line.threads:.1f} times the seconds of the calling thread"
            for line in several.itertuples()
        ]
    versions = sorted({*table.version, *(f"{name} {facts.versions[name]}" for name in ("python", "torch", "numpy"))})
    lines += ["", f"Measured at commit {facts.commit[:10]} on {facts.hardware['processor']}: {', '.join(versions)}."]
    return "\n".join(lines) + "\n"


def _cells(line: dict[Any, Any]) -> Sequence[str]:
    size = Size(line["height"], line["width"], line["planes"])
    return (
        line["row"], line["peer"], str(size), _three(line["ours_seconds"]), _three(line["peer_seconds"]),
        f"**{_three(line['ratio'])}**" if line["ratio"] >= 1 else _three(line["ratio"]),
        f"{_three(line['ratio_least'])}–{_three(line['ratio_most'])}", _quality(line["ours_quality"]),
        _quality(line["peer_quality"]), line["unit"], line["peer_is"], str(line["rounds"]),
        f"{line['compiled_seconds']:.1f}" if line["compiled_seconds"] else "",
    )  # fmt: skip


def _three(value: float) -> str:
    """Three digits without an exponent: 0.00123, 1.23, 123."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _quality(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.5f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.0e}"
