"""Tables are functions of records, and say what they leave out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console
from scipy import stats

from benchmarks.folder.facts import Counts, Facts, RowFacts
from benchmarks.folder.pictures import CLEAN
from benchmarks.folder.records import Record, frame
from benchmarks.folder.run_folder import RunFolder
from benchmarks.scores.measure import Measure
from benchmarks.scores.protocol import get_protocol
from benchmarks.setting import Setting
from benchmarks.tables import published
from benchmarks.tables.column import fixed, interval, table_of
from benchmarks.tables.escape import comma_separated
from benchmarks.tables.figures import draw_all, folded, level
from benchmarks.tables.outputs import write_reports
from benchmarks.tables.render import to_latex, to_markdown
from benchmarks.tables.statistics import bootstrap_interval, holm
from benchmarks.tables.summary import BEST, TIED, Summary, summarise
from benchmarks.tables.terminal import fitted, legend, to_rich
from datasets.catalog import PLUGIN_FOLDERS, SETS
from datasets.errors import SuiteError
from datasets.files import StorageError
from datasets.task import get_task

INF, NAN = float("inf"), float("nan")
ORACLE = "fourier-wiener-oracle"
PLUG_IN = """
from dataclasses import dataclass
from benchmarks.scores.metric import NoReferenceMetric, SetMetric

@dataclass(frozen=True)
class Glow(NoReferenceMetric):
    name, title, higher_is_better, decimals, limits = "glow", "glow", True, 2, (0.0, 1.0)
    signature = "glow|float"
    def score(self, prepared, image):
        return image.flatten(1).mean(1).double()

@dataclass(frozen=True)
class Drift(SetMetric):
    name, title, higher_is_better, decimals, limits = "drift", "drift", False, 2, (0.0, 1.0)
    signature = "drift|mean"
    def features(self, image):
        return image.flatten(1).mean(1, keepdim=True).double()
    def score_set(self, restored, clean):
        return float((restored.mean(0) - clean.mean(0)).abs().sum())
"""


def images_of(dataset: str, count: int) -> list[str]:
    """Names of the first images of a set."""
    return [entry.name for entry in SETS.build(dataset).entries("test")][:count]


def facts_of(
    rows: Mapping[str, str],
    images: Iterable[str],
    dataset: str = "set12",
    task: str = "denoise[sigma=25]",
    metrics: str = "psnr,ssim",
    split: str = "test",
    measures: tuple[Measure, ...] | None = None,
) -> Facts:
    """What run.json says of a run.

    Args:
        rows: label → spec.
    """
    images, scored = tuple(images), get_protocol("standard")
    return Facts(
        setting=Setting(get_task(task), dataset, split, 0, scored, "cpu"),
        measures=scored.measures(metrics) if measures is None else measures,
        rows={label: RowFacts(spec, "0", oracle=label == ORACLE) for label, spec in rows.items()},
        images=dict.fromkeys(images, "sha"),
        counts=Counts(len(images), len(images) * len(rows)),
    )


def table(
    scores: Mapping[str, Sequence[float | None]],
    images: Sequence[str] | None = None,
    specs: Mapping[str, str] | None = None,
    **changes: Any,
) -> Summary:
    """Summarise PSNRs given per method, SSIMs in proportion to them; None is a failure.

    Args:
        images: their names; those of set12 if None.
        specs: of rows that are not what they are called.
        changes: of the facts.
    """
    names = images_of("set12", max(map(len, scores.values()))) if images is None else images
    records = [
        Record("denoise", "set12", image, method,
               {"sigma": 25.0, "psnr": psnr, "ssim": None if psnr is None else min(psnr, 99) / 100}, seconds=0.1,
               error="" if psnr is not None else "ValueError: boom")
        for method, values in scores.items()
        for image, psnr in zip(names, values, strict=True)
    ]  # fmt: skip
    rows = {method: method for method in scores} | dict(specs or {})
    return summarise(frame(records, ["sigma", "psnr", "ssim"]), facts_of(rows, names, **changes))


def line(summary: Summary, method: str) -> pd.Series:
    return summary.table.set_index("method").loc[method]


BASE = list(30 + np.random.RandomState(0).normal(size=12))


def test_sorted_by_the_mean_with_best_and_ties_marked() -> None:
    noise = np.random.RandomState(1).normal(size=12)
    close = [value - 0.01 + n for value, n in zip(BASE, noise - noise.mean(), strict=True)]
    summary = table({"worse": [value - 1 for value in BASE], "best": BASE, "close": close})
    assert list(summary.table.method) == ["best", "close", "worse"]
    assert list(summary.table.psnr_mark) == [BEST, TIED, ""]
    assert line(summary, "worse").psnr == pytest.approx(np.mean(BASE) - 1)
    assert line(summary, "worse").psnr_low < np.mean(BASE) - 1 < line(summary, "worse").psnr_high


def test_the_best_is_compared_with_every_row() -> None:
    random = np.random.RandomState(2)
    close = [value - 0.2 + n for value, n in zip(BASE, 0.05 * random.normal(size=12), strict=True)]
    summary = table({"best": BASE, "close": close, ORACLE: [v + 1 for v in BASE]})
    best, row, oracle = (line(summary, name) for name in ("best", "close", ORACLE))
    difference = np.array(close) - np.array(BASE)
    assert row.psnr_delta == pytest.approx(difference.mean())
    assert (row.psnr_delta_low, row.psnr_delta_high) == pytest.approx(bootstrap_interval(difference), abs=2e-3)
    assert row.psnr_wins == 0
    assert row.psnr_p == pytest.approx(2 / 2**12), "one pair of competitors: nothing to correct"
    assert row.psnr_mark == ""
    assert np.isnan(best.psnr_delta)
    assert (oracle.psnr_delta, oracle.psnr_wins) == (pytest.approx(1), 1)
    assert np.isnan(oracle.psnr_p), "an oracle is compared, but not in the family of the competitors"
    text = to_markdown(summary)
    assert f"{row.psnr_delta:+.2f} [{row.psnr_delta_low:+.2f}, {row.psnr_delta_high:+.2f}]" in text
    assert "Holm's correction over the one pair of competitors" in text
    assert "Assumed: the images are independent" in text


def test_every_pair_is_in_the_table_of_pairs() -> None:
    random = np.random.RandomState(3)
    scores = {name: list(np.array(BASE) - k / 10 + 0.1 * random.normal(size=12)) for k, name in enumerate("abcd")}
    pairs = table(scores).pairs
    assert len(pairs) == 2 * 6, "metrics × pairs"
    psnr = pairs[pairs.metric == "psnr"].set_index(["row", "other"])
    for (a, b), pair in psnr.iterrows():
        difference = np.array(scores[a]) - np.array(scores[b])
        assert pair.p == pytest.approx(stats.wilcoxon(difference).pvalue)
        assert pair.difference == pytest.approx(difference.mean())
        assert pair.wins == pytest.approx((difference > 0).mean())
    assert psnr.p_holm.to_numpy() == pytest.approx(holm(psnr.p.to_numpy()))


def test_lower_is_better_turns_wins_and_marks_round_but_not_differences() -> None:
    images = images_of("set12", 12)
    records = [
        Record("denoise", "set12", image, name, {"lpips": 0.1 + n / 100 + extra}, seconds=0.1)
        for n, image in enumerate(images)
        for name, extra in (("a", 0.0), ("b", 0.05))
    ]
    summary = summarise(frame(records, ["lpips"]), facts_of({"a": "a", "b": "b"}, images, metrics="lpips"))
    assert list(summary.table.method) == ["a", "b"]
    assert line(summary, "b").lpips_delta == pytest.approx(0.05)
    assert line(summary, "b").lpips_wins == 0
    assert line(summary, "b").lpips_mark == ""


def test_a_row_that_loses_by_one_outlier_is_not_worse() -> None:
    """Better on every image but one, where it fails: the test favours it, the mean does not."""
    better = [v + 0.5 + n / 1000 for n, v in enumerate(BASE)]
    summary = table({"best": BASE, "outlier": [*better[:-1], BASE[-1] - 20]})
    assert line(summary, "best").psnr_mark == BEST
    assert line(summary, "outlier").psnr_mark == TIED
    assert line(summary, "outlier").psnr_wins == pytest.approx(11 / 12)


def test_too_few_images_for_the_test_are_said_and_nothing_is_marked() -> None:
    summary = table({"a": BASE[:4], "b": [v - 1 for v in BASE[:4]]})
    assert list(summary.table.psnr_mark) == [BEST, ""]
    assert any("4 images are too few to tell a pair apart" in note for note in summary.notes)
    assert any("less often than it says" in note for note in summary.notes)


def test_missing_images_are_counted_and_not_compared() -> None:
    summary = table({"whole": BASE, "partial": [99 if v == max(BASE) else None for v in BASE]})
    row = line(summary, "partial")
    assert (row.images, row.asked, row.errors) == (1, 12, 11)
    assert row.psnr_mark == ""
    assert line(summary, "whole").psnr_mark == BEST
    text = to_markdown(summary)
    assert "1/12" in text
    assert "11 restoration(s) failed" in text
    assert "boom" in text


def test_a_nearly_exact_image_neither_breaks_nor_decides() -> None:
    """One image where `gray` scores 79 dB: left out of every row's mean, counted, named; medians keep it."""
    gray, other = [*BASE[:-1], 79.0], [v + 1 for v in BASE]
    summary = table({"gray": gray, "other": other})
    assert list(summary.table.method) == ["other", "gray"]
    assert line(summary, "gray").psnr == pytest.approx(np.mean(BASE[:-1]))
    assert line(summary, "other").psnr == pytest.approx(np.mean(other[:-1]))
    assert line(summary, "gray").psnr_median == pytest.approx(np.median(gray))
    assert line(summary, "gray").psnr_all == pytest.approx(np.mean(gray))
    assert any("1 nearly exact" in note and "12" in note for note in summary.notes)


def test_an_exact_image_is_infinite_and_named() -> None:
    summary = table({"a": [*BASE[:-1], float("inf")], "b": BASE})
    assert np.isfinite(summary.table.psnr).all()
    assert any("nearly exact" in note and note.endswith("keep them: 12.") for note in summary.notes)


def test_all_images_exact_leaves_none_out_and_ranks_an_exact_restoration_first() -> None:
    """By the mean, infinite values included; by how many there are; then by the others."""
    summary = table(
        {"good": [70.0, 71.0, 72.0], "once": [INF, 64.0, 65.0], "exact": [INF] * 3, "twice": [INF, INF, 20.0],
         "poor": [20.0, 30.0, 61.0], "again": [INF, 64.0, 66.0]}
    )  # fmt: skip
    assert list(summary.table.method) == ["exact", "twice", "again", "once", "good", "poor"]
    assert list(summary.table.psnr_mark) == [BEST, *[""] * 5]
    assert list(summary.table.psnr) == pytest.approx([INF] * 4 + [71, 37])
    assert summary.table.psnr_low.isna().tolist() == [True] * 4 + [False] * 2
    assert summary.table.psnr_delta.isna().all(), "nothing is compared with infinity"
    [note] = [note for note in summary.notes if "nearly exact" in note]
    assert note.startswith("Every image is nearly exact, over 60 dB for some row, and none is left out: an exact")
    text = to_markdown(summary)
    assert r"| exact | **∞**\* |" in text
    assert "nan" not in text
    assert "inf" not in text.replace("infinite", "")
    assert r"$\infty$" in to_latex(summary)


def test_rows_that_are_exact_everywhere_share_the_first_place() -> None:
    summary = table({"good": [70.0, 71.0], "one": [INF, INF], "two": [INF, INF], ORACLE: [INF, INF]})
    assert dict(zip(summary.table.method, summary.table.psnr_mark, strict=True)) == {
        "one": BEST, "two": BEST, ORACLE: "", "good": "",
    }  # fmt: skip


def test_infinite_values_of_other_images_are_counted_in_a_note() -> None:
    """Where no metric says what is nearly exact, and where images are left out by another metric."""
    cropped = "psnr=psnr[crop=4],ssim"
    summary = table({"a": [INF, *(v + 9 for v in BASE[1:])], "b": BASE}, metrics=cropped)
    assert line(summary, "a").psnr == pytest.approx(np.mean(BASE[1:]) + 9)
    assert line(summary, "a").psnr_images == 11
    assert line(summary, "a").psnr_mark == ""
    assert line(summary, "b").psnr_mark == BEST
    [note] = [note for note in summary.notes if "infinite" in note]
    assert note.startswith("PSNR is infinite for 1 restoration(s), which are in no mean of it")
    assert not any("infinite" in note for note in table({"a": [INF, *BASE[1:]], "b": BASE}).notes)


def test_what_is_nearly_exact_is_the_metrics_to_say() -> None:
    """It does not hang on a column called psnr, and is said of the defaults alone: luma is nearly kept more often."""
    images = images_of("set12", 3)
    records = [
        Record("denoise", "set12", image, "a", {"y": value})
        for image, value in zip(images, (30, 31, 70), strict=True)
    ]  # fmt: skip
    summary = summarise(frame(records, ["y"]), facts_of({"a": "a"}, images, metrics="y=psnr"))
    assert line(summary, "a").y == pytest.approx(30.5)
    assert any("over 60 dB of y for some row" in note for note in summary.notes)
    luma = summarise(frame(records, ["y"]), facts_of({"a": "a"}, images, metrics="y=psnr[channel=y]"))
    assert line(luma, "a").y == pytest.approx(np.mean([30, 31, 70]))
    assert not any("exact" in note for note in luma.notes)
    ssim = summarise(frame([Record("denoise", "s", image, "a", {"ssim": 1.0}) for image in images], ["ssim"]),
                     facts_of({"a": "a"}, images, metrics="ssim"))  # fmt: skip
    assert line(ssim, "a").ssim == 1
    assert not any("exact" in note for note in ssim.notes)


def test_one_image_has_no_interval_and_no_nan() -> None:
    summary = table({"a": [30.0], "b": [29.0]})
    for text in (to_markdown(summary), to_latex(summary), printed(summary)):
        assert "nan" not in text
        assert "30.00" in text
        assert "-1.00" in text
    assert "[" not in to_markdown(summary).partition("\n\nMetrics")[0].replace("[95%", "")
    assert "One image has no interval." in summary.notes


@pytest.mark.parametrize(("count", "said"), [(2, "47 to 50%"), (5, "87 to 92%"), (9, "90 to 95%"), (10, None)])
def test_few_images_are_told_how_often_an_interval_holds(count: int, said: str | None) -> None:
    notes = [note for note in table({"a": BASE[:count]}).notes if "less often than it says" in note]
    assert len(notes) == (said is not None)
    assert all(f"With only {count} images" in note and said in note for note in notes if said)


def test_images_that_are_left_out_do_not_count_towards_an_interval() -> None:
    assert any("With only 9 images" in note for note in table({"a": [*BASE[:9], 70.0]}).notes)


def test_the_oracle_is_never_best() -> None:
    summary = table({ORACLE: [v + 9 for v in BASE], "noisy": BASE})
    assert line(summary, ORACLE).psnr_mark == ""
    assert line(summary, "noisy").psnr_mark == BEST
    assert f"{ORACLE} (oracle)" in to_markdown(summary)


def test_published_stands_in_its_own_column() -> None:
    summary = table({"bm3d": BASE, "noisy": BASE})
    assert line(summary, "bm3d").published_psnr == 29.97
    assert np.isnan(line(summary, "noisy").published_psnr)
    assert "published PSNR" in to_markdown(summary)
    assert any(note.startswith("Published PSNR: ") and len(note) > 30 for note in summary.notes), "with its source"
    assert list(summary.published) == ["bm3d"]


@pytest.mark.parametrize(
    ("scores", "changes"),
    [
        ({"bm3d": BASE}, {"dataset": "photos"}),
        ({"bm3d": BASE[:11]}, {}),
        ({"bm3d": [*BASE[:11], None], "noisy": BASE}, {}),
        ({"bm3d": BASE}, {"images": [f"im{n}" for n in range(12)]}),
        ({"bm3d": BASE}, {"metrics": "psnr=psnr[crop=4],ssim"}),
        ({"bm3d": BASE}, {"metrics": "psnr=psnr[channel=y],ssim"}),
        ({"bm3d": BASE}, {"task": "denoise[sigma=5:50]"}),
        ({"bm3d": BASE}, {"task": "denoise[sigma=24]"}),
        ({"bm3d": BASE}, {"specs": {"bm3d": "nlm"}}),
        ({"bm3d": BASE}, {"split": "train"}),
    ],
)
def test_published_only_of_the_same_set_count_metric_and_row(scores: Any, changes: dict[str, Any]) -> None:
    """Another set, some of its images, other images, luma, cropped, another σ, another row under the name."""
    summary = table(scores, **changes)
    assert "published" not in to_markdown(summary).lower()
    assert summary.published == {}


def test_published_under_the_name_that_the_run_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    summary = table({"dncnn-gray-25": BASE})
    assert line(summary, "dncnn-gray-25").published_psnr == 30.44
    monkeypatch.setattr(published, "ROOT", Path("/nowhere"))
    monkeypatch.setattr(published, "__file__", "/nowhere/benchmarks/tables/published.py")
    assert published.published_folder() is None
    assert table({"bm3d": BASE}).published == {}, "an installed suite without the files goes on"


def test_colour_bm3d_is_compared_with_cbm3d() -> None:
    assert published.published_psnr("denoise", "cbsd68", "25")["bm3d"][0] == 30.71


def test_an_unmeasured_metric_has_no_column() -> None:
    records = frame([Record("denoise", "photos", "a", "noisy", {"psnr": 20.0})], ["psnr"])
    text = to_markdown(summarise(records, facts_of({"noisy": "noisy"}, ["a"], dataset="photos")))
    assert "PSNR" in text
    assert "SSIM dB" not in text
    assert "| SSIM" not in text
    assert "nan" not in text


def test_nothing_to_tabulate_is_an_error() -> None:
    with pytest.raises(SuiteError, match="no records"):
        summarise(frame([], ["psnr"]), facts_of({"a": "a"}, ["x"]))
    with pytest.raises(SuiteError, match="no metric"):
        summarise(frame([Record("denoise", "s", "x", "a")], []), facts_of({"a": "a"}, ["x"], measures=()))


def printed(summary: Summary, width: int = 400) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(to_rich(summary.title, fitted(summary, console)[0]))
    return console.export_text()


HOSTILE = "[/b] a|b {c}$x_1$ <img src=x> \\ & % # ~ ^ ](y) `z` *w* \x1b[31m\u202e\nend"


def hostile() -> Summary:
    """Everything that others name: the row, the images, the metric, what failed."""
    images = [f"{HOSTILE} {n}" for n in range(3)]
    records = [Record("denoise", "s", image, HOSTILE, {"psnr": 70.0 if n else 30.0}) for n, image in enumerate(images)]
    records.append(Record("denoise", "s", images[0], "other", error=f"ValueError: {HOSTILE}"))
    facts = facts_of({HOSTILE: "noisy", "other": "noisy"}, images, dataset=HOSTILE, metrics="psnr")
    measures = tuple(measure.__class__(HOSTILE, measure.spec, measure.metric) for measure in facts.measures)
    return summarise(frame(records, ["psnr"]).rename(columns={"psnr": HOSTILE}),
                     facts.__class__(**{**vars(facts), "measures": measures}))  # fmt: skip


def test_names_of_others_break_nothing() -> None:
    summary = hostile()
    texts = {"terminal": printed(summary), "markdown": to_markdown(summary), "latex": to_latex(summary)}
    for kind, text in texts.items():
        assert not set(text) & set("\x1b\u202e"), kind
    assert all("\n" not in note and "\x1b" not in note for note in summary.notes)
    assert "[/b] a|b {c}$x_1$ <img src=x>" in texts["terminal"], "rich reads no markup in it"
    lines = texts["markdown"].splitlines()
    bars = [line.replace("\\\\", "").replace("\\|", "").count("|") for line in lines if line.startswith("|")]
    assert len(set(bars)) == 1, "every line has the same cells"
    assert "<img" not in texts["markdown"].replace("\\<img", "")
    assert "](y)" not in texts["markdown"].replace("]\\(y)", "")
    body = texts["latex"].partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    assert r"\{c\}\$x\_1\$ \textless{}img src=x\textgreater{} \textbackslash{} \& \% \# \textasciitilde{}" in body
    assert r"a\textbar{}b" in body
    assert body.strip().startswith("{}[/b]"), "a bracket after a line end would be read as its argument"


def test_a_spreadsheet_computes_nothing_of_a_table() -> None:
    table = pd.DataFrame({"method": ["=cmd()", "@a", "-b", "nlm"], "psnr": [-1.5, 2.0, 3.0, 4.0]})
    lines = comma_separated(table).splitlines()
    assert lines == ["method,psnr", "'=cmd(),-1.5", "'@a,2.0", "'-b,3.0", "nlm,4.0"]


def test_latex_has_no_character_it_cannot_set() -> None:
    text = to_latex(table({"a_b": BASE, "c": BASE}))
    assert r"a\_b" in text
    assert text.count(r"\begin") == text.count(r"\end")
    assert not set(text) & set("↑↓φσ–×∞−")


@cache
def three_rows() -> Summary:
    return table({"a": BASE, "fourier-wiener-oracle": [b - 0.1 for b in BASE], "c": [b - 1 for b in BASE]})


@pytest.mark.parametrize("width", [60, 80, 100, 140, 200])
def test_the_terminal_table_fits_its_width_and_keeps_every_row(width: int) -> None:
    summary = three_rows()
    console = Console(width=width, file=open("/dev/null", "w"))  # noqa: SIM115
    made, left_out = fitted(summary, console)
    lines = printed(summary, width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines), "nothing is cut"
    assert all(any(row in line for line in lines) for row in summary.table.method)
    keys = [column.key for column in made.columns]
    assert {"method", "psnr", "seconds"} <= set(keys), "what is never left out"
    assert all(head in legend(summary, left_out) for head in left_out)
    if left_out:
        assert left_out[0] == "intervals", "intervals are the first to go"
    if width == 200:
        assert not left_out


def test_numbers_are_written_once() -> None:
    assert [fixed(value, 2) for value in (1.005, -2, NAN, INF, -INF)] == ["1.00", "-2.00", "", "∞", "-∞"]
    assert fixed(0.5, 1, signed=True) == "+0.5"
    assert interval(1, 2, 1) == "[1.0, 2.0]"
    assert interval(NAN, NAN, 1, signed=True) == ""
    summary = table({"best": BASE, "close": [v - 0.5 for v in BASE]})
    cells = {column.key: column.cells[1] for column in table_of(summary).columns}
    assert cells["psnr"].text == f"{line(summary, 'close').psnr:.2f}"
    assert cells["psnr"].value == line(summary, "close").psnr
    assert cells["psnr_delta"].whole.startswith("-0.50 [-0.50, -0.50]")
    small = {kind: {c.key: c.cells[1].small for c in table_of(summary, kind).columns} for kind in ("first", "none")}
    assert small["first"]["psnr"]
    assert not small["first"]["ssim"]
    assert not small["first"]["psnr_delta"]
    assert not any(small["none"].values())


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[RunFolder, pd.DataFrame, Facts]:
    """A run under a plug-in's metrics of images and of sets: dull is twice as far from the reference as fair."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "mine.py").write_text(PLUG_IN)
    monkeypatch.setenv(PLUGIN_FOLDERS, str(folder))
    run = RunFolder(tmp_path / "run")
    images = [f"im{n}" for n in range(4)]
    facts = facts_of({"dull": "noisy", "fair": "noisy"}, images, dataset="photos", metrics="glow,drift,psnr")
    offsets = {"dull": 0.2, "fair": 0.1}
    records = [
        Record("denoise", "photos", image, row, {"sigma": 25.0 + n, "glow": 0.1 * n + offset, "psnr": 30 - offset},
               seconds=offset)
        for n, image in enumerate(images)
        for row, offset in offsets.items()
    ]  # fmt: skip
    for n, image in enumerate(images):
        for row, offset in {**offsets, CLEAN: 0.0}.items():
            run.pictures.save_features(row, image, {"drift": torch.tensor([0.1 * n + offset])})
    file = run.record_file(("sigma", "glow", "psnr"))
    file.append(records)
    run.write_facts(facts)
    return run, file.frame(), facts


def test_a_metric_of_a_plug_in_arrives_everywhere(mine: tuple[RunFolder, pd.DataFrame, Facts]) -> None:
    run, records, facts = mine
    summary = summarise(records, facts, run.pictures.features)
    assert [measure.name for measure in summary.metrics] == ["glow", "psnr"]
    assert [measure.name for measure in summary.set_metrics] == ["drift"]
    assert list(summary.table.method) == ["dull", "fair"], "more glow is better, and it comes first"
    assert line(summary, "dull").drift == pytest.approx(0.2)
    assert line(summary, "fair").drift == pytest.approx(0.1)
    assert set(summary.pairs.metric) == {"glow", "psnr"}, "a metric of sets is in no test"
    for text in (to_markdown(summary), to_latex(summary), printed(summary)):
        assert "drift" in text
        assert "glow" in text
        assert "0.20" in text
    assert any("glow|float" in note and "drift|mean" in note for note in summary.notes)
    assert any(note.startswith("drift: one value for all images of a row") for note in summary.notes)
    drawn = {path.name for path in draw_all(run, records, summary, facts)}
    assert {"quality.png", "time.png", "level.png", "pairs.png"} <= drawn


def test_the_outputs_of_a_run_are_what_is_shown(mine: tuple[RunFolder, pd.DataFrame, Facts]) -> None:
    run, records, facts = mine
    summary = write_reports(run, records, facts)
    assert (run.path / "summary.md").read_text() == to_markdown(summary)
    assert (run.path / "summary.tex").read_text() == to_latex(summary)
    read = pd.read_csv(run.path / "summary.csv").set_index("method")
    assert read.drift["dull"] == pytest.approx(0.2)
    stamp = (run.path / ".figures").read_text()
    (run.path / "figures" / "quality.png").unlink()
    write_reports(run, records, facts)
    assert not (run.path / "figures" / "quality.png").exists(), "nothing has changed: nothing is drawn"
    run.pictures.save_features("dull", "im0", {"drift": torch.tensor([0.9])})
    write_reports(run, records, facts)
    assert (run.path / "figures" / "quality.png").exists()
    assert (run.path / ".figures").read_text() != stamp


def test_a_metric_of_sets_alone_sorts_the_table(mine: tuple[RunFolder, pd.DataFrame, Facts]) -> None:
    run, records, facts = mine
    only = tuple(measure for measure in facts.measures if measure.of_set)
    facts = facts.__class__(**{**vars(facts), "measures": only})
    summary = summarise(records.drop(columns=["glow", "psnr"]), facts, run.pictures.features)
    assert list(summary.table.method) == ["fair", "dull"]
    assert summary.first.name == "drift"
    assert "| fair | 0.10 |" in to_markdown(summary)
    assert {path.name for path in draw_all(run, records, summary, facts)} == {"quality.png", "time.png"}


def test_what_a_metric_of_sets_lacks_or_raises_is_no_value(
    mine: tuple[RunFolder, pd.DataFrame, Facts], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, records, facts = mine
    assert "drift" not in to_markdown(summarise(records, facts)).partition("Metrics:")[0]
    (run.pictures.feature_folder / "im2" / "fair.npz").unlink()
    summary = summarise(records, facts, run.pictures.features)
    assert np.isnan(line(summary, "fair").drift), "one image is missing"
    assert line(summary, "dull").drift == pytest.approx(0.2)
    [measure] = summary.set_metrics

    def fails(*_: object) -> float:
        raise ZeroDivisionError("no [b]variance\x1b")

    monkeypatch.setattr(type(measure.metric), "score_set", fails)
    summary = summarise(records, facts, run.pictures.features)
    assert any("drift of dull has no value: ZeroDivisionError: no [b]variance" in note for note in summary.notes)


def test_labels_are_no_formulas_in_figures(tmp_path: Path) -> None:
    """What stands between two dollar signs, a formula that cannot be read, and what a legend would leave out."""
    rows, images = ["costs $5 and $6", "$x_{$", "_own", "two\nlines"], [f"im{n}" for n in range(6)]
    random = np.random.RandomState(0)
    records = [
        Record("denoise", "photos", image, row, {"sigma": 10.0 * n, "psnr": 30 + random.normal()}, phi_mean=phi,
               seconds=0.1 * (k + 1))
        for n, image in enumerate(images)
        for k, (row, phi) in enumerate(zip(rows, (0.5, None, 0.9, None), strict=True))
    ]  # fmt: skip
    facts = facts_of(dict.fromkeys(rows, "noisy"), images, dataset="a$b$", metrics="psnr")
    data = frame(records, ["sigma", "psnr"])
    summary = summarise(data, facts)
    figure = level(data, summary, summary.metrics[0], "sigma", "σ")
    legend = figure.axes[0].get_legend()
    assert legend is not None
    shown = [text.get_text() for text in legend.get_texts()]
    assert sorted(shown) == sorted([r"costs \$5 and \$6", r"\$x_{\$", "_own", "two lines"])
    paths = draw_all(RunFolder(tmp_path), data, summary, facts)
    assert {path.name for path in paths} == {"quality.png", "time.png", "level.png", "pairs.png"}


@pytest.mark.parametrize("what", ["file", "link"])
def test_what_stands_in_the_way_of_figures_is_told_in_one_line(what: str, tmp_path: Path) -> None:
    run, elsewhere = RunFolder(tmp_path / "run"), tmp_path / "elsewhere"
    run.path.mkdir()
    elsewhere.mkdir()
    images = images_of("set12", 12)
    records = [Record("denoise", "set12", image, "a", {"psnr": v}) for image, v in zip(images, BASE, strict=True)]
    figures = run.path / "figures"
    figures.write_text("mine") if what == "file" else figures.symlink_to(elsewhere)
    with pytest.raises(StorageError, match=r"figures(: File exists| is a link)"):
        write_reports(run, frame(records, ["psnr"]), facts_of({"a": "a"}, images, metrics="psnr"))
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    ("label", "lines"),
    [
        ("nlm", ["nlm"]),
        ("bigprior[prior=both]", ["bigprior[prior=both]"]),
        ("bigprior[precision=bfloat16,prior=scene]", ["bigprior[precision=bfloat16,", "prior=scene]"]),
        ("a" * 60, ["a" * 60]),
    ],
)
def test_long_labels_are_folded_over_pictures(label: str, lines: list[str]) -> None:
    assert folded(label).split("\n") == lines
