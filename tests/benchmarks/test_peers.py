"""Races with other people's code: every race runs, the clock counts what it says, files follow from the lines."""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.timing.__main__ import main
from benchmarks.timing.peers import outputs
from benchmarks.timing.peers.clock import Compiling, Turns, compiling, in_turn, warm
from benchmarks.timing.peers.figure import PNG, SVG, draw
from benchmarks.timing.peers.found import chosen, every_race
from benchmarks.timing.peers.race import GROUPS, Case, Peer, Quality, Race, Result, Size, Work, make_case, to_array
from benchmarks.timing.peers.race import to_tensor as tensor
from benchmarks.timing.peers.races.tv import energy, until_equal
from benchmarks.timing.peers.restoring import psnr, psnr_hole
from benchmarks.timing.peers.runner import Line, Raced
from benchmarks.timing.peers.runner import run as each
from datasets.errors import SuiteError
from methods.classic.kernels import installed

SMALL = (Size(32, 48, 1), Size(32, 48, 3))
SLOW = ("bm3d", "deepinv", "lpips")
"""Packages that take seconds to import, or on the smallest image."""
FACTS = outputs.Facts("abc", {"processor": "Some Processor"}, {"python": "3", "torch": "2", "numpy": "2"})
PLANES = [(race.name, planes) for race in every_race().values() for planes in (1, 3)]


def line(race: str = "tv", peer: str = "scikit-image", ratio: float = 2.0, **given: object) -> Line:
    """A line of a table."""
    values = {
        "race": race, "row": every_race()[race].title if race in every_race() else race, "peer": peer, "height": 256,
        "width": 256, "planes": 1, "ours_seconds": 0.01, "peer_seconds": 0.01 * ratio, "ratio": ratio,
        "ratio_least": ratio * 0.9, "ratio_most": ratio * 1.1, "ours_quality": 29.0, "peer_quality": 28.0,
        "peer_is": "worse", "unit": "dB", "rounds": 7, "compiled_seconds": 0.0, "threads": 1.0, "version": "some 1.0",
    }  # fmt: skip
    return Line(**(values | given))  # type: ignore[arg-type]


def invented(peers: tuple[Peer, ...], start: Work, **given: object) -> Race:
    """A race of a constant image."""
    quality = Quality("dB", True, 0.05, psnr)
    return Race("invented", "invented", "denoising", "denoise[sigma=25]", lambda case: start, peers, quality,
                sizes=SMALL[:1], **given)  # type: ignore[arg-type] # fmt: skip


def run(races: list[Race], rounds: int, sizes: Sequence[Size] | None = None) -> Raced:
    """All that the races give."""
    return list(each(races, rounds, sizes))[-1]


def write(raced: Raced, out: Path) -> list[Path]:
    """All files."""
    outputs.save(*outputs.collected(raced, FACTS), out)
    return outputs.write(out)


def constant() -> Result:
    return torch.full((1, 1, 32, 48), 0.5)


# The races


@pytest.mark.parametrize(("name", "planes"), PLANES)
def test_every_race_runs_on_a_tiny_image(name: str, planes: int) -> None:
    """With the peers that are installed and quick to import, each result finite and no worse than sensible."""
    race = every_race()[name]
    if race.missing() is not None:
        pytest.skip(str(race.missing()))
    peers = tuple(peer for peer in race.peers if peer.missing() is None and peer.package not in SLOW)
    check(replace(race, peers=peers), planes)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "planes"), PLANES)
def test_every_race_with_packages_that_are_slow(name: str, planes: int) -> None:
    race = every_race()[name]
    if race.missing() is not None:
        pytest.skip(str(race.missing()))
    peers = tuple(peer for peer in race.peers if peer.missing() is None and peer.package in SLOW)
    if not peers:
        pytest.skip("it has none")
    check(replace(race, peers=peers), planes)


def check(race: Race, planes: int) -> None:
    """Race, and look at the lines."""
    size = SMALL[0] if planes == 1 else SMALL[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = run([race], 1, [size]).lines
    wanted = {peer.name for peer in race.peers if planes in peer.planes}
    assert {one.peer for one in lines} == (wanted if planes in {size.planes for size in race.sizes} else set())
    case = make_case(race.task, size)
    for one in lines:
        assert one.ours_seconds > 0
        assert one.peer_seconds > 0
        assert one.ratio == pytest.approx(one.peer_seconds / one.ours_seconds)
        assert math.isfinite(one.ours_quality)
        assert math.isfinite(one.peer_quality)
        if race.group in ("denoising", "networks") and one.unit == "dB" and "TVL1" not in one.peer:
            # An L1 fidelity is not made for this noise: on so small an image it loses more than it gains.
            assert one.ours_quality > psnr(case, case.observation.y) + 0.5
            assert one.peer_quality > psnr(case, case.observation.y) - 1
        if race.group == "networks":
            assert one.peer_quality == pytest.approx(one.ours_quality, abs=0.02)
        if race.group == "inpainting":
            assert min(one.ours_quality, one.peer_quality) > psnr_hole(case, case.observation.y)
            assert one.peer_quality == pytest.approx(one.ours_quality, abs=0.5)
        if race.group == "metrics":
            assert one.ours_quality < 1e-5
            assert one.peer_quality < 0.05


def test_races_are_found_by_group_and_have_names_of_their_own() -> None:
    every = every_race()
    assert [race.name for race in every.values()] == list(every)
    groups = [GROUPS.index(race.group) for race in every.values()]
    assert groups == sorted(groups)
    assert {"tv", "bilateral", "nlm", "wavelet", "collaborative-wiener", "biharmonic", "psnr", "ssim"} <= set(every)
    assert [race.name for race in chosen(["psnr", "tv"])] == ["tv", "psnr"]
    assert len(chosen([])) == len(every)


def test_a_wrong_name_gives_near_names(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"unknown race 'bilatteral'\. Did you mean bilateral\?"):
        main(["peers", "--only", "tv,bilatteral", "--out", str(tmp_path)])
    with pytest.raises(SuiteError, match="--rounds 0 is out of range"):
        main(["peers", "--rounds", "0", "--out", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_a_peer_that_is_missing_is_one_line_and_the_others_race(capsys: pytest.CaptureFixture[str]) -> None:
    there = Peer("there", "torch", "torch", lambda case: constant, "as ours")
    away = Peer("away", "no-such", "no_such_module", lambda case: constant, "never")
    raced = run([invented((away, there), constant, not_raced=(("gpu", "computes on a GPU alone"),))], 1)
    assert [one.peer for one in raced.lines] == ["there"]
    out = capsys.readouterr().out
    remedy = "no no-such: pip install 'restoration-benchmarks[peers]'"
    assert f"not run: invented against away: {remedy}\n" in out
    assert "not run: invented against gpu: computes on a GPU alone\n" in out
    assert raced.not_run == (("invented", "away", remedy), ("invented", "gpu", "computes on a GPU alone"))


def test_a_row_that_is_missing_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    there = Peer("there", "torch", "torch", lambda case: constant, "as ours")
    raced = run([invented((there,), constant, missing=lambda: "its weights are not here")], 1)
    assert not raced.lines
    assert capsys.readouterr().out == "not run: invented: its weights are not here\n"


def test_a_peer_of_one_kind_of_image_races_there_alone() -> None:
    gray = Peer("gray", "torch", "torch", lambda case: lambda: case.observation.y, "as ours", (1,))
    assert [one.planes for one in run([invented((gray,), constant)], 1, SMALL).lines] == [1]


def test_images_go_there_and_back() -> None:
    for planes in (1, 3):
        image = torch.rand(1, planes, 5, 7)
        array = to_array(image)
        assert array.shape == ((5, 7) if planes == 1 else (5, 7, 3))
        assert array.flags.c_contiguous
        assert torch.equal(tensor(array), image.double())
        assert torch.equal(tensor(image), image.double())


def test_the_case_hides_the_truth_and_is_the_same_each_time() -> None:
    one, two = (make_case("denoise[sigma=25]", SMALL[1]) for _ in range(2))
    assert one.observation.truth is None
    assert torch.equal(one.observation.y, two.observation.y)
    assert one.sigma == pytest.approx(25 / 255)
    assert one.pixels.shape == (32, 48, 3)


def test_the_quality_in_the_hole_leaves_out_the_rest() -> None:
    case = make_case("inpaint-center", SMALL[1])
    filled = torch.where(case.observation.mask == 0, case.clean + 0.1 * (1 - 2 * case.clean.round()), case.clean + 9)
    assert psnr_hole(case, filled) == pytest.approx(20, abs=1e-4)
    assert psnr(case, case.clean) == math.inf
    assert psnr(case, np.asarray(to_array(case.clean)) * 0 + 2) < 20


@pytest.mark.parametrize(
    ("higher", "said"), [(True, ["worse", "equal", "better"]), (False, ["better", "equal", "worse"])]
)
def test_a_peer_is_better_equal_or_worse(higher: bool, said: list[str]) -> None:
    quality = Quality("", higher, 0.1, psnr)
    assert [quality.verdict(1.0, theirs) for theirs in (0.8, 1.05, 1.2)] == said


def test_a_minimiser_is_given_the_iterations_that_it_needs() -> None:
    """An invented one goes from y to our result step by step: it takes all but the last few."""
    case = make_case("denoise[sigma=25]", SMALL[0])
    ours = every_race()["tv"].start(case)()
    asked: list[int] = []

    def minimise(given: Case, iterations: int) -> Work:
        asked.append(iterations)
        share = min(iterations / 100, 1.0)
        return lambda: (1 - share) * given.observation.y + share * tensor(ours)

    until_equal(minimise)(case)
    assert 80 <= asked[-1] <= 128
    assert energy(case, tensor(ours)) < energy(case, case.observation.y.double())


# The clock


def busy(seconds: float) -> float:
    """Compute for so long in this thread."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
    return seconds


def test_sides_are_called_in_turn_and_the_ratio_is_theirs_to_ours() -> None:
    called: list[str] = []

    def side(name: str, seconds: float) -> Work:
        def work() -> float:
            called.append(name)
            return busy(seconds)

        return work

    ours, theirs = warm(side("a", 0.03)), warm(side("b", 0.09))
    called.clear()
    turns = in_turn(ours, theirs, 3)
    assert "".join(called) == "ababab"
    assert turns.rounds == 3
    assert turns.ratio == pytest.approx(3, rel=0.2)
    assert turns.threads == pytest.approx(1, abs=0.05)
    assert ours.result == 0.03


def test_sleep_and_short_calls() -> None:
    """Waiting takes no seconds of the processor; a short call is made many times in a round."""
    called: list[int] = []
    turns = in_turn(warm(lambda: time.sleep(0.001)), warm(lambda: called.append(1)), 1)
    assert turns.medians[0] < 0.0005
    assert len(called) > 100


def test_another_thread_at_work_is_seen() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:

        def both() -> float:
            other = pool.submit(busy, 0.03)
            busy(0.03)
            return other.result()

        assert in_turn(warm(both), warm(lambda: busy(0.02)), 1).threads > 1.5


def test_medians_and_spread() -> None:
    turns = Turns((1.0, 2.0, 4.0), (3.0, 4.0, 4.0), 1.0)
    assert turns.medians == (2.0, 4.0)
    assert turns.ratio == 2
    assert turns.spread == (1.0, 3.0)


def test_a_kernel_inside_another_is_compiled_in_its_time() -> None:
    counted = Compiling()
    counted.on_start()
    counted.on_start()
    counted.on_end()
    assert counted.seconds == 0
    counted.on_end()
    assert counted.seconds > 0


@pytest.mark.skipif(not installed(), reason="there is no numba")
def test_the_seconds_of_a_compiler_are_counted_apart() -> None:
    import numba

    square: Any = numba.njit(lambda x: x * x)

    first, second = warm(lambda: square(2.0)), warm(lambda: square(3.0))
    assert first.compiled > 0
    assert first.estimate < first.compiled
    assert second.compiled == 0
    with compiling() as nothing:
        square(4.0)
    assert nothing.seconds == 0


# The files


def test_table_and_figure_follow_from_the_lines(tmp_path: Path) -> None:
    lines = (
        line(), line(planes=3, ratio=0.25, peer_is="better", height=512, width=512, compiled_seconds=1.25),
        line("psnr", "piq", 1.5, peer_is="equal", unit="dB off", ours_quality=0.0, peer_quality=2e-6, threads=2.0),
    )  # fmt: skip
    raced = Raced(("tv", "psnr"), lines, (("psnr", "torchmetrics", "no torchmetrics: pip install it"),))
    paths = write(raced, tmp_path / "out")
    assert [path.name for path in paths] == ["peers.csv", "peers.json", "peers.md", SVG, PNG]
    text = (tmp_path / "out" / "peers.md").read_text()
    assert "| tv | scikit-image | 256×256 gray | 0.0100 | 0.0200 | **2.00** | 1.80–2.20 | 29.00 | 28.00 | dB |" in text
    assert "| 512×512 colour | 0.0100 | 0.00250 | 0.250 | 0.225–0.275 | 29.00 | 28.00 | dB | better | 7 | 1.2 |" in text
    assert "| 0.00000 | 2e-06 | dB off | equal |" in text
    assert "- psnr against torchmetrics: no torchmetrics: pip install it" in text
    assert "- PSNR against piq: 2.0 times the seconds" in text
    assert "- PSNR, piq: functional, float32." in text
    assert "Some Processor" in text
    assert (tmp_path / "out" / PNG).read_bytes().startswith(b"\x89PNG")
    assert "scikit-image" in (tmp_path / "out" / SVG).read_text()
    before = {path: path.read_bytes() for path in paths if path.name != PNG}
    (tmp_path / "out" / "peers.md").write_text("old")
    assert main(["peers", "--tables", "--out", str(tmp_path / "out")]) == 0
    assert {path: path.read_bytes() for path in before} == before


def test_lines_of_other_races_stay_if_the_machine_is_the_same(tmp_path: Path) -> None:
    first = Raced(("psnr", "tv"), (line(), line("psnr", "piq")), (("psnr", "away", "gone"), ("tv", "away", "gone")))
    write(first, tmp_path)
    again = Raced(("tv",), (line(ratio=5.0),), ())
    table, facts = outputs.collected(again, FACTS, beside=tmp_path)
    assert list(table.race) == ["tv", "psnr"]
    assert list(table.ratio) == [5, 2]
    assert facts.not_run == [["psnr", "away", "gone"]]
    outputs.check_same(tmp_path, FACTS)
    outputs.check_same(tmp_path / "none", FACTS)
    for other in (replace(FACTS, commit="d"), replace(FACTS, versions={}), replace(FACTS, hardware={"processor": "x"})):
        with pytest.raises(SuiteError, match="another machine, commit or version"):
            outputs.check_same(tmp_path, other)


def test_a_folder_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"peers\.json is not there: measure with"):
        main(["peers", "--tables", "--out", str(tmp_path)])
    (tmp_path / outputs.JSON).write_text("[]")
    with pytest.raises(SuiteError, match="holds no races that can be read"):
        outputs.read(tmp_path)
    (tmp_path / outputs.JSON).write_text(json.dumps(asdict(FACTS)))
    (tmp_path / outputs.CSV).write_text("race,row\n")
    with pytest.raises(SuiteError, match="has no column peer"):
        outputs.read(tmp_path)


def test_a_table_without_lines_has_no_figure(tmp_path: Path) -> None:
    empty = Raced(("tv",), (), (("tv", "", "not here"),))
    paths = write(empty, tmp_path)
    assert [path.name for path in paths] == ["peers.csv", "peers.json", "peers.md"]
    assert "- tv: not here" in (tmp_path / "peers.md").read_text()


def test_the_figure_has_every_peer_and_is_the_same_each_time() -> None:
    table = pd.DataFrame([asdict(line(peer=name, planes=planes)) for name in ("one", "two") for planes in (1, 3)])
    drawn = draw(table, "svg")
    assert drawn == draw(table, "svg")
    assert all(f">{word}<" in drawn.decode() for word in ("one", "two", "tv", "gray", "colour"))


def test_the_command_races_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: its settings are put back."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_CACHE_DIR"):
        monkeypatch.setenv(name, "1")
    psnr_race = replace(every_race()["psnr"], sizes=SMALL)
    monkeypatch.setattr("benchmarks.timing.peers.found.every_race", lambda: {"psnr": psnr_race})
    assert main(["peers", "--only", "psnr", "--rounds", "1", "--out", str(tmp_path)]) == 0
    table, facts = outputs.read(tmp_path)
    assert set(table.row) == {"PSNR"}
    assert facts.hardware["processor"]
