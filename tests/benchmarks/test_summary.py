"""Tables are functions of records, and say what they leave out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.records import Record, frame
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
