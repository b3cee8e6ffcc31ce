"""Tables are functions of records, and say what they leave out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.records import Record, frame
from benchmarks.statistics import bootstrap_interval, holm
from benchmarks.summary import BEST, TIED, Summary, summarise, to_latex, to_markdown, to_terminal

RUN: dict[str, Any] = {
    "task": "denoise",
    "label": "denoise sigma=25",
    "parameters": {"sigma": "25"},
    "dataset": "set12",
    "split": "test",
    "seed": 0,
    "protocol": "standard",
    "metrics": ["psnr", "ssim"],
}


def table(scores: dict[str, list[float | None]], **run: object) -> Summary:
    """Summarise PSNRs given per method; None is a failure."""
    records = [
        Record("denoise", "set12", f"im{n}", method, 25.0, psnr, None if psnr is None else psnr / 50, seconds=0.1,
               error="" if psnr is not None else "ValueError: boom")
        for method, values in scores.items()
        for n, psnr in enumerate(values)
    ]  # fmt: skip
    images = max(map(len, scores.values()))
    return summarise(frame(records), RUN | {"counts": {"images": images}} | run)


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
    summary = table({"best": BASE, "close": close, "fourier-wiener-oracle": [v + 1 for v in BASE]})
    best, row, oracle = (line(summary, name) for name in ("best", "close", "fourier-wiener-oracle"))
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
    records = [
        Record("denoise", "set12", f"im{n}", name, 25.0, lpips=0.1 + n / 100 + extra, seconds=0.1)
        for n in range(12)
        for name, extra in (("a", 0.0), ("b", 0.05))
    ]
    summary = summarise(frame(records), RUN | {"metrics": ["lpips"], "counts": {"images": 12}})
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
    assert any("1 nearly exact" in note and "im11" in note for note in summary.notes)


def test_an_exact_image_is_infinite_and_named() -> None:
    summary = table({"a": [*BASE[:-1], float("inf")], "b": BASE})
    assert np.isfinite(summary.table.psnr).all()
    assert any("im11" in note for note in summary.notes)


def test_all_images_exact_still_gives_a_table() -> None:
    summary = table({"a": [float("inf")] * 3, "b": [70.0, 71.0, 72.0]})
    assert line(summary, "b").psnr == pytest.approx(71)
    assert to_markdown(summary)


def test_the_oracle_is_never_best() -> None:
    summary = table({"fourier-wiener-oracle": [v + 9 for v in BASE], "noisy": BASE})
    assert line(summary, "fourier-wiener-oracle").psnr_mark == ""
    assert line(summary, "noisy").psnr_mark == BEST
    assert "fourier-wiener-oracle (oracle)" in to_markdown(summary)


def test_published_stands_in_its_own_column() -> None:
    summary = table({"bm3d": BASE, "noisy": BASE})
    assert line(summary, "bm3d").published_psnr == 29.97
    assert np.isnan(line(summary, "noisy").published_psnr)
    assert "published PSNR" in to_markdown(summary)
    assert any(note.startswith("Published PSNR: ") and len(note) > 30 for note in summary.notes), "with its source"
    elsewhere = table({"bm3d": BASE}, dataset="photos")
    assert "published" not in to_markdown(elsewhere)


def test_colour_bm3d_is_compared_with_cbm3d() -> None:
    assert line(table({"bm3d": BASE}, dataset="cbsd68"), "bm3d").published_psnr == 30.71


def test_an_unmeasured_metric_has_no_column() -> None:
    records = frame([Record("denoise", "photos", "a", "noisy", 25.0, 20.0)])
    text = to_markdown(summarise(records, RUN | {"counts": {"images": 1}}))
    assert "PSNR" in text
    assert "SSIM dB" not in text
    assert "| SSIM" not in text
    assert "nan" not in text


def test_latex_has_no_character_it_cannot_set() -> None:
    text = to_latex(table({"a_b": BASE, "c": BASE}))
    assert r"a\_b" in text
    assert text.count(r"\begin") == text.count(r"\end")
    assert not set(text) & set("↑↓φσ–×")


def test_terminal_table_has_every_row() -> None:
    assert to_terminal(table({"a": BASE, "b": BASE})).row_count == 2
