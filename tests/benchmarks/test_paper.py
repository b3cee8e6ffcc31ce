"""The paper's tables again: every cell has its origins, the checks can fail, and the inputs stay as they are."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.folder.facts import Counts, Facts, RowFacts
from benchmarks.folder.records import Record
from benchmarks.folder.run_folder import RunFolder
from benchmarks.paper import cells, runs, tables
from benchmarks.paper.__main__ import parser
from benchmarks.paper.analyses import correlations, phi_against_sigma, write_analyses
from benchmarks.paper.cells import EXCEEDS, FAILS, GOOD, OURS, PUBLISHED, RERUN, UNAVAILABLE, Check
from benchmarks.paper.command import carry_out, gather, verify
from benchmarks.paper.experiments import EXPERIMENTS, OWN_DATA, TABLES, Experiment, of_cell, published
from benchmarks.paper.networks import ROWS
from benchmarks.paper.places import COMMITTED, Places, places_of
from benchmarks.paper.released import KEPT
from benchmarks.paper.reproduction import REPRODUCED
from benchmarks.paper.runs import SEEDS, Runs, make_draws, make_main
from benchmarks.plan import Request
from benchmarks.regenerate import arguments_of
from benchmarks.rows import Row
from benchmarks.scores.protocol import get_protocol
from benchmarks.session import requests
from benchmarks.setting import Setting
from benchmarks.tables.correlation import pearson, pearson_interval
from datasets.errors import SuiteError
from datasets.spec import parse_list
from datasets.task import get_task

IMAGES = [f"i{number:02}" for number in range(50)]
COLORIZE = EXPERIMENTS[0]
DENOISE = next(e for e in EXPERIMENTS if e.table == "IV")


def gauss(seed: int, mean: float, deviation: float = 1.0) -> np.ndarray:
    return mean + deviation * np.random.RandomState(seed).standard_normal(50)


def write_run(
    folder: Path, values: dict[str, dict[str, np.ndarray]], seed: int = 0, fingerprint: str | None = None
) -> None:
    """A stored run: method → metric → 50 values; by today's code, or by that of a fingerprint."""
    folder.mkdir(parents=True, exist_ok=True)
    run, protocol = RunFolder(folder), get_protocol("paper")
    sigmas = np.random.RandomState(seed).randint(5, 51, size=50)
    scores = [name for name in ("psnr", "auc", "ssim", "lpips") if any(name in metrics for metrics in values.values())]
    file = run.record_file(("sigma", *scores))
    for method, metrics in values.items():
        for n, image in enumerate(IMAGES):
            mine = {"sigma": float(sigmas[n])} | {m: float(metrics[m][n]) for m in scores if m in metrics}
            phi = float(metrics["phi_mean"][n]) if "phi_mean" in metrics else None
            file.append([Record("denoise", "set", image, method, mine, phi_mean=phi)])
    task = get_task("denoise", sigma="5:50")
    rows = {method: Row.parse(method) for method in values}
    marks = {method: fingerprint or row.facts(task, ()).fingerprint for method, row in rows.items()}
    facts = Facts(
        Setting(task, "set", "test", seed, protocol, "cpu"),
        protocol.measures(scores),
        {method: RowFacts(method, marks[method], oracle=row.oracle) for method, row in rows.items()},
        dict.fromkeys(IMAGES, "hash"),
        Counts(50, 50 * len(values)),
        status="finished",
        commit="abc",
        hardware={"processor": "a processor", "cores": 2},
        began="now",
    )
    run.write_facts(facts)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Committed runs are looked for in an empty place, and nothing was released."""
    monkeypatch.setattr("benchmarks.paper.places.committed", lambda folder: tmp_path / "results" / folder)
    monkeypatch.setattr("benchmarks.paper.released._released", lambda *_: None)
    places = Places(tmp_path / "inputs", tmp_path / "out")
    places.inputs.mkdir()
    places.out.mkdir()
    return places


def main_folder(places: Places, experiment: Experiment = DENOISE) -> Path:
    """Where the main run of an experiment is looked for first."""
    return places.main(experiment)[0]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What would be run."""
    made: list[Request] = []
    monkeypatch.setattr(runs, "run", made.append)
    return made


def options(*words: str) -> Namespace:
    return parser().parse_args(["--stored", *words])


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def provenance() -> dict[str, object]:
    machine = {"processor": "a processor", "cores": 2}
    return {"command": "python -m benchmarks.paper", "commit": "abc", "hardware": machine, "runs": {}}


# --- experiments and cells -------------------------------------------------------------------------------------------


def test_the_experiments_are_the_papers() -> None:
    assert len(EXPERIMENTS) == 11
    assert [sum(e.table == t for e in EXPERIMENTS) for t in TABLES] == [2, 3, 3, 3]
    for e in EXPERIMENTS:
        (request,) = requests(arguments_of(e.run))
        assert request.dataset.label == e.dataset
        assert request.protocol == "paper"
        assert request.seed == 0
        assert e.task.startswith(request.task.name)
        assert (request.task.parameters.get("sigma") == "5:50") == (e.table == "IV")


def test_every_published_cell_is_about_an_experiment_or_other_images() -> None:
    for table in TABLES:
        for row in published(table).to_dict("records"):
            found = of_cell(row["task"], row["dataset"])
            assert len(found) == (0 if row["dataset"].endswith(OWN_DATA) else 3 if table == "II" else 1)
            assert all(e.table == table for e in found)


def test_checks_can_fail() -> None:
    both, least, most = Check(-0.1, 0.1), Check(0, np.inf), Check(-np.inf, 0)
    assert [both.holds(1.0 + d, 1.0) for d in (-0.11, -0.1, 0.1, 0.11)] == [False, True, True, False]
    assert [least.holds(1.0 + d, 1.0) for d in (-0.01, 0, 5)] == [False, True, True]
    assert [most.holds(1.0 + d, 1.0) for d in (-5, 0, 0.01)] == [True, True, False]
    assert str(both) == "±0.1"
    assert str(least).startswith("at least")
    assert str(most).startswith("at most")


def test_without_any_source_every_cell_is_published_alone(elsewhere: Places) -> None:
    sources = gather(elsewhere)
    for table in TABLES:
        paper = cells.paper_cells(sources, table)
        assert len(paper[paper.origin == PUBLISHED]) == len(published(table))
        others = paper[paper.origin != PUBLISHED]
        assert set(others.verdict) == {UNAVAILABLE}
        assert (others.note != "").all(), "a reason for each"
        assert cells.suite_cells(sources, table).empty
        text = tables.to_markdown(table, paper, pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), provenance())
        assert "No run of these experiments is stored" in text
    assert cells.anchors(sources) == []


def test_our_rows_stand_beside_the_published_with_paired_differences(elsewhere: Places) -> None:
    ours, noise = gauss(0, 28.0, 3.0), gauss(1, 0.0, 0.1)
    values = {
        "bigprior": {"psnr": ours, "ssim": gauss(2, 0.8, 0.01), "lpips": gauss(3, 0.05, 0.001)},
        "bigprior-prior": {"psnr": ours - 6},
        "bm3d": {"psnr": ours + 1 + noise},
        "bm3d[sigma=true]": {"psnr": ours + 2},
    }
    write_run(main_folder(elsewhere), values)
    sources = gather(elsewhere)
    paper, suite = cells.paper_cells(sources, "IV"), cells.suite_cells(sources, "IV")
    mine = paper[(paper.dataset == DENOISE.dataset) & (paper.origin == OURS)].set_index(["method", "metric"])
    assert mine.loc[("bigprior", "psnr"), "value"] == pytest.approx(ours.mean())
    assert mine.loc[("bigprior", "psnr"), "verdict"] == EXCEEDS
    assert mine.loc[("bigprior", "lpips"), "verdict"] == EXCEEDS, "lower is better"
    assert mine.loc[("mgan-prior", "psnr"), "verdict"] == FAILS, "22 dB published"
    assert mine.loc[("mgan-prior", "ssim"), "verdict"] == UNAVAILABLE
    bm3d = suite[(suite.row == "bm3d") & (suite.metric == "psnr")].iloc[0]
    assert bm3d.bigprior_difference == pytest.approx(1 + noise.mean())
    assert bm3d.bigprior_low < bm3d.bigprior_difference < bm3d.bigprior_high
    assert bm3d.bigprior_high - bm3d.bigprior_low < 0.1, "paired: images vary by 3 dB, differences by 0.1"
    assert bm3d.high - bm3d.low > 1
    assert set(suite.row[suite.oracle]) == {"bm3d[sigma=true]"}
    text = tables.to_markdown("IV", paper, suite, pd.DataFrame(), pd.DataFrame(), provenance())
    assert "bm3d[sigma=true] (oracle)" in text
    assert "bm3d (oracle)" not in text
    assert f"| bigprior | our priors | {ours.mean():.2f} |" in text
    assert tables.REPLAY in text
    latex = tables.to_latex("IV", paper, suite)
    body = latex.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 3 + 2 + 4, "published, our priors, suite"
    assert {line.count("&") for line in lines} == {10}, "row, origin and three metrics of three sets"
    assert verify([paper], sources) == 1, "a cell fails"


def test_every_verdict_is_counted_apart(elsewhere: Places) -> None:
    write_run(main_folder(elsewhere), {"bigprior": {"psnr": gauss(0, 40.0)}, "bigprior-prior": {"psnr": gauss(1, 10.0)},
                                       "mgan-bedroom": {"psnr": gauss(2, 22.7)}})  # fmt: skip
    paper = cells.paper_cells(gather(elsewhere), "IV")
    lines = {line.split()[1]: int(line.split()[0]) for line in tables.tally(paper, [])}
    others = {"recomputed": 0, "reproduced": 0, "re-run": 1, EXCEEDS: 1, FAILS: 1}
    assert lines == others | {UNAVAILABLE: int((paper.verdict == UNAVAILABLE).sum())}
    good, bad = (cells.Anchor("a number", value, 1.0, 0.1) for value in (1.05, 1.2))
    assert "1 of 2" in tables.tally(paper, [good, bad])[-1]


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_row_that_misses_an_image_is_not_shown(elsewhere: Places) -> None:
    folder = main_folder(elsewhere)
    write_run(folder, {"bigprior": {"psnr": gauss(0, 28)}, "nlm": {"psnr": gauss(1, 27)}})
    lines = (folder / "records.csv").read_text().splitlines(keepends=True)
    (folder / "records.csv").write_text("".join(lines[:-1]))
    found = Runs(DENOISE, elsewhere)
    assert found.methods() == ["bigprior"]
    assert found.values("nlm", "psnr") is None


def test_values_are_in_the_order_of_the_set(elsewhere: Places) -> None:
    folder, values = main_folder(elsewhere), gauss(0, 28)
    write_run(folder, {"bigprior": {"psnr": values}})
    head, *lines = (folder / "records.csv").read_text().splitlines()
    (folder / "records.csv").write_text("\n".join([head, *reversed(lines)]) + "\n")
    found = Runs(DENOISE, elsewhere).values("bigprior", "psnr")
    assert found is not None
    np.testing.assert_array_equal(found.to_numpy(), values)
    assert list(found.index) == IMAGES


def test_rows_of_a_gpu_run_stand_beside_those_of_the_cpu(elsewhere: Places) -> None:
    write_run(main_folder(elsewhere), {"nlm": {"psnr": gauss(0, 27)}})
    write_run(elsewhere.new_main(DENOISE, "cuda:0"), {"mgan-bedroom": {"psnr": gauss(1, 22.7)}})
    sources = gather(elsewhere)
    paper = cells.paper_cells(sources, "IV")
    line = paper[(paper.row == "mgan-{set}") & (paper.metric == "psnr") & (paper.dataset == DENOISE.dataset)].iloc[0]
    assert line.verdict == GOOD[RERUN]
    assert set(sources.runs[DENOISE].methods()) == {"nlm", "mgan-bedroom"}


def test_the_spread_is_over_the_means_of_the_draws(elsewhere: Places) -> None:
    """Some of them stored, the others made beside them."""
    means = [28.0, 28.2, 27.9, 28.1, 28.3]
    write_run(main_folder(elsewhere), {"nlm": {"psnr": np.full(50, means[0])}})
    for seed in SEEDS[1:]:
        write_run(elsewhere.draws(DENOISE, seed)[seed % 2], {"nlm": {"psnr": np.full(50, means[seed])}}, seed)
    sources = gather(elsewhere)
    draws = cells.draw_cells(sources, "IV")
    line = draws.iloc[0]
    assert line.draws == 5
    assert line.value == pytest.approx(28.1)
    assert line.deviation == pytest.approx(np.std(means, ddof=1))
    assert (line.least, line.most) == pytest.approx((27.9, 28.3))
    paper = cells.paper_cells(sources, "IV")
    text = tables.to_markdown("IV", paper, pd.DataFrame(), draws, pd.DataFrame(), provenance())
    assert "28.10 ± 0.16 (27.90–28.30)" in text


def test_what_is_stored_is_not_run_again(elsewhere: Places, ran: list[Request]) -> None:
    folder = main_folder(elsewhere, COLORIZE)
    write_run(folder, {"gray": {"auc": gauss(0, 88)}})
    make_main(elsewhere, COLORIZE, "gray")
    assert ran == []
    make_main(elsewhere, COLORIZE, "gray,constant-chroma")
    assert ran[0].methods == "constant-chroma", "what is missing, and no more"
    text = (folder / "records.csv").read_text().splitlines(keepends=True)
    text[1] = text[1].rstrip("\n") + "it failed\n"
    (folder / "records.csv").write_text("".join(text))
    make_main(elsewhere, COLORIZE, "gray")
    assert ran[-1].methods == "gray", "an error is tried again"


def test_what_other_code_has_measured_is_run_again(elsewhere: Places, ran: list[Request]) -> None:
    """Draws of one law never stand beside those of another."""
    for seed in SEEDS[1:]:
        fingerprint = "of other code" if seed == SEEDS[2] else None
        rows = ("noisy", "nlm", "bigprior", "bigprior-prior")
        told = [f"{row}[sigma=true]" for row in rows[1:]]
        values = {row: {"psnr": gauss(seed, 28)} for row in (*rows, *told)}
        write_run(elsewhere.draws(DENOISE, seed)[-1], values, seed, fingerprint)
    make_draws(elsewhere, DENOISE)
    assert [request.seed for request in ran] == [SEEDS[2]]


def test_names_of_sets_are_filled_in_and_aliases_stay(elsewhere: Places, ran: list[Request]) -> None:
    make_main(elsewhere, COLORIZE, "chroma-given-luma-row-{set},mine=constant-chroma")
    rows = [Row.parse(spec) for spec in parse_list(ran[0].methods, "methods")]
    assert [(row.label, row.method.name) for row in rows] == [
        ("chroma-given-luma-row-bedroom", "chroma-given-luma-row"),
        ("mine", "constant-chroma"),
    ]


def test_runs_are_made_beside_the_inputs_unless_they_are_to_be_committed(elsewhere: Places, ran: list[Request]) -> None:
    for places in (elsewhere, Places(elsewhere.inputs, elsewhere.inputs)):
        make_main(places, DENOISE, "noisy")
        make_draws(places, DENOISE)
    beside, committed = [request.out for request in ran[:5]], [request.out for request in ran[5:]]
    assert all(out.is_relative_to(elsewhere.out) for out in beside)
    assert committed[0] == main_folder(elsewhere)
    assert all(out.is_relative_to(elsewhere.inputs / "draws") for out in committed[1:])
    assert [request.seed for request in ran] == [*SEEDS, *SEEDS]
    assert {request.protocol for request in ran} == {"paper"}
    assert {request.device for request in ran} == {"cpu"}


# --- where is read and where is written ------------------------------------------------------------------------------


def test_a_table_elsewhere_has_all_that_is_stored_and_changes_no_input(
    elsewhere: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the inputs hold: the reproduction, the released arrays, draws and GPU runs."""
    monkeypatch.chdir(tmp_path)
    write_run(main_folder(elsewhere), {"nlm": {"psnr": gauss(0, 27)}})
    write_run(elsewhere.inputs / "cuda" / DENOISE.run, {"mgan-bedroom": {"psnr": gauss(1, 22.7)}})
    for seed in SEEDS[1:]:
        write_run(elsewhere.draws(DENOISE, seed)[0], {"nlm": {"psnr": gauss(seed, 27)}}, seed)
    for name in (REPRODUCED, KEPT):
        (elsewhere.inputs / name).write_bytes((COMMITTED / name).read_bytes())
    before = snapshot(tmp_path)
    assert carry_out(options("--inputs", str(elsewhere.inputs), "--verify"), ["--stored"]) == 0
    after = snapshot(tmp_path)
    assert {name: after[name] for name in before} == before
    assert {Path(name).parent for name in after.keys() - before.keys()} == {Path("results/runs/paper")}
    out = tmp_path / "results" / "runs" / "paper"
    assert (out / KEPT).read_bytes() == before[f"inputs/{KEPT}"], "to the last bit"
    assert set(pd.read_csv(out / "table-I.csv").verdict.dropna()) == {"recomputed", "reproduced", UNAVAILABLE}
    assert len(pd.read_csv(out / "table-I-networks.csv")) == len(ROWS)
    assert pd.read_csv(out / "table-IV-draws.csv").draws.tolist() == [5]
    assert set(pd.read_csv(out / "table-IV-suite.csv").row) == {"nlm", "mgan-bedroom"}


def test_inputs_are_written_to_only_if_that_is_asked_for(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    with pytest.raises(SuiteError, match="is not there"):
        places_of(options("--inputs", str(inputs)))
    inputs.mkdir()
    with pytest.raises(SuiteError, match="--write-committed to replace them"):
        places_of(options("--inputs", str(inputs), "--out", str(inputs / ".." / "inputs")))
    assert places_of(options("--inputs", str(inputs), "--write-committed")).in_place
    assert not places_of(options("--inputs", str(inputs), "--out", str(tmp_path / "out"))).in_place
    with pytest.raises(SystemExit):
        options("--out", "here", "--write-committed")


# --- analyses -------------------------------------------------------------------------------------------------------


def test_pearson_is_scipys() -> None:
    x, y = gauss(0, 0), gauss(1, 0) + 0.5 * gauss(0, 0)
    expected = stats.pearsonr(x, y)
    assert pearson(x, y) == pytest.approx(expected.statistic)
    low, high = pearson_interval(x, y)
    reference = expected.confidence_interval(0.95)
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=0.06)
    assert np.isnan(pearson(x, np.ones(50)))
    assert np.isnan(pearson_interval(x[:2], y[:2])).all()


def test_phi_against_sigma_is_of_honest_rows_that_say_their_phi(elsewhere: Places) -> None:
    phi = gauss(0, 0.5, 0.1)
    rows = {
        "nlm": {"psnr": gauss(1, 28), "phi_mean": phi},
        "nlm[sigma=true]": {"psnr": gauss(1, 28), "phi_mean": phi},
        "bm3d": {"psnr": gauss(2, 29)},
        "tv": {"psnr": gauss(3, 27), "phi_mean": np.full(50, 0.5)},
    }
    write_run(main_folder(elsewhere), rows)
    sources = gather(elsewhere)
    table = phi_against_sigma(sources)
    assert set(table.row) == {"nlm"}
    found = correlations(table, "sigma", "phi-sigma")
    assert found.r.iloc[0] == pytest.approx(np.corrcoef(table.sigma, phi)[0, 1])
    paths = write_analyses(elsewhere.out, sources)
    assert {path.name for path in paths} == {"phi-sigma.csv", "phi-sigma.png", "correlations.csv"}
    assert all(path.stat().st_size > 100 for path in paths)
