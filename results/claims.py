"""What README.md and docs/ say of named rows, checked against the committed records: `python results/claims.py`.

Prints one line per claim with its closest comparison; the exit status is 1 if one does not hold. Every claim is about
rows that it names, so a new row, however good, breaks none. A claim is a function that yields comparisons.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from statistics import mean

import pandas as pd

from benchmarks.folder.run_folder import RunFolder
from benchmarks.regenerate import RESULTS, committed
from benchmarks.tables.published import published_psnr
from datasets.cli import guarded
from datasets.errors import SuiteError

LSUN = ("lsun-bedroom", "lsun-church", "lsun-conference")
BLIND = tuple(f"denoise/{s}-sigma5-50" for s in LSUN)
CENTER, RANDOM = tuple(f"inpaint-center/{s}" for s in LSUN), tuple(f"inpaint-random/{s}" for s in LSUN)
COLOUR = ("colorize/lsun-bedroom", "colorize/lsun-church")
CHROMA_TABLES = tuple(
    f"chroma-given-luma{kind}{of}" for kind in ("", "-row") for of in ("", "-bedroom", "-church", "-conference")
)
FILLS = (
    "bigprior", "bigprior-prior", "biharmonic", "compact-prior", "exemplar", "gated-cnn", "gated-cnn-250", "harmonic",
    "navier-stokes", "ring-mean", "telea", "tv-inpaint",
)  # fmt: skip
FIDELITY = {"denoise": "noisy", "inpaint-center": "harmonic", "inpaint-random": "harmonic",
            "colorize": "chroma-given-luma-row"}  # fmt: skip
"""The row that is f(y) of `bigprior`, by task."""
PRINTED = {"colorize": "colorize/{}", "inpaint-random": "inpaint-random/{}", "denoise-5-50": "denoise/{}-sigma5-50"}
"""A task as the published file calls it, and our run of it."""
DRAWS = tuple(range(1, 5))
"""Seeds of the other draws of noise and masks; seed 0 is the main run."""


@dataclass(frozen=True)
class Comparison:
    """That `left` is over `right`: what they are, and the two numbers."""

    what: str
    left: float
    right: float

    @property
    def margin(self) -> float:
        """By how much it holds; negative or NaN if it does not."""
        return self.left - self.right


Claim = Callable[[], Iterator[Comparison]]
CLAIMS: dict[str, Claim] = {}
"""What is said → the comparisons that it rests on."""


def claim(said: str) -> Callable[[Claim], Claim]:
    """Add a claim to the list."""

    def add(function: Claim) -> Claim:
        CLAIMS[said] = function
        return function

    return add


@cache
def _scores(folder: str) -> pd.DataFrame:
    return RunFolder(committed(folder)).finished


def values(folder: str, row: str, metric: str = "psnr") -> pd.Series:
    """Return the committed scores of a row, one per image.

    Raises:
        SuiteError: there are none.
    """
    table = _scores(folder)
    mine = table[metric][table.method == row] if metric in table else pd.Series(dtype=float)
    if mine.empty:
        raise SuiteError(f"results/{folder} has no {metric} of the row {row}.")
    return mine


def score(folder: str, row: str, metric: str = "psnr") -> float:
    """Return the mean over all images."""
    return float(values(folder, row, metric).mean())


def over(folder: str, better: str, worse: str, metric: str = "psnr", by: float = 0.0) -> Comparison:
    """Return that one row is over another, by at least so much."""
    what = f"{folder}: {better} over {worse}{f' {by:+}' if by else ''}"
    return Comparison(what, score(folder, better, metric), score(folder, worse, metric) + by)


def near(what: str, value: float, wanted: float, within: float) -> Comparison:
    """Return that a value is what was said, within a tolerance."""
    return Comparison(f"{what}: {value:.4g}, said {wanted:.4g}; tolerance over difference", within, abs(value - wanted))


def _published(folder: str) -> dict[str, float]:
    setting = RunFolder(committed(folder)).facts.setting
    found = published_psnr(setting.task.name, setting.dataset, str(setting.task.parameters["sigma"]))
    return {row: figure[0] for row, figure in found.items()}


def _as_published(row: str, folders: tuple[str, ...], within: float) -> Iterator[Comparison]:
    for folder in folders:
        yield near(f"{row} on {folder}", score(folder, row), _published(folder)[row], within)


@cache
def _printed() -> dict[tuple[str, str], float]:
    """What the paper prints of its fusion: (our run of it, metric) → value; of centre holes it prints a mean alone."""
    table = pd.read_csv(RESULTS / "published" / "bigprior_tables.csv")
    mine = table[(table.method == "bigprior") & table.dataset.isin(LSUN) & table.metric.isin(["psnr", "auc"])]
    cells = zip(mine.task, mine.dataset, mine.metric, mine.value, strict=True)
    return {(PRINTED[task].format(dataset), metric): float(value) for task, dataset, metric, value in cells}


@claim("BM3D has its published PSNR, within 0.15 dB")
def _() -> Iterator[Comparison]:
    folders = ("set12-sigma15", "set12-sigma25", "bsd68-sigma25", "cbsd68-sigma25")
    return _as_published("bm3d", tuple(f"denoise/{name}" for name in folders), 0.15)


@claim("the published networks have their published PSNR, within 0.05 dB")
def _() -> Iterator[Comparison]:
    yield from _as_published("dncnn-gray-25", ("denoise/set12-sigma25",), 0.05)
    yield from _as_published("ffdnet-color", tuple(f"denoise/cbsd68-sigma{s}" for s in (15, 25, 50)), 0.05)


@claim("collaborative-wiener is at most 0.05 dB under the package bm3d")
def _() -> Iterator[Comparison]:
    for name in ("set12-sigma15", "set12-sigma25", "set12-sigma50", "bsd68-sigma25", "cbsd68-sigma25"):
        yield over(f"denoise/{name}", "collaborative-wiener", "bm3d", by=-0.05)


@claim("unet-blind is over the published BM3D on CBSD68")
def _() -> Iterator[Comparison]:
    for sigma in (15, 25, 50):
        folder = f"denoise/cbsd68-sigma{sigma}"
        yield Comparison(f"{folder}: unet-blind over bm3d", score(folder, "unet-blind"), _published(folder)["bm3d"])


@claim("bigprior, told σ, and unet-blind, which estimates it, are over FFDNet on CBSD68")
def _() -> Iterator[Comparison]:
    for sigma in (15, 25, 50):
        for row in ("bigprior", "unet-blind"):
            yield over(f"denoise/cbsd68-sigma{sigma}", row, "ffdnet-color")


@claim("on the photographs at σ 25 bigprior reaches 32.04 dB and compact-prior 31.28 dB")
def _() -> Iterator[Comparison]:
    for row, said in (("bigprior", 32.04), ("compact-prior", 31.28)):
        yield near(row, score("denoise/photos-sigma25", row), said, 0.005)


@claim("in blind denoising our networks are 0.4 dB or more over BM3D that is told σ")
def _() -> Iterator[Comparison]:
    for folder in BLIND:
        for row in ("unet-blind", "bigprior"):
            yield over(folder, row, "bm3d[sigma=true]", by=0.4)


@claim("bigprior is over Telea's and the harmonic fill in holes")
def _() -> Iterator[Comparison]:
    for folder in (*CENTER, *RANDOM):
        for row in ("telea", "harmonic"):
            yield over(folder, "bigprior", row)


@claim("bigprior is over what the paper prints of its BIGPrior in all eleven experiments")
def _() -> Iterator[Comparison]:
    for (folder, metric), told in _printed().items():
        yield Comparison(f"{folder}: {metric} over the paper's", score(folder, "bigprior", metric), told)
    table = pd.read_csv(RESULTS / "published" / "bigprior_tables.csv")
    told = table[(table.method == "bigprior") & (table.dataset == "lsun-mean-of-3")].set_index("metric").value
    for metric in ("psnr", "ssim"):
        ours = mean(score(folder, "bigprior", metric) for folder in CENTER)
        yield Comparison(f"{metric} of centre holes over the paper's, mean of three sets", ours, float(told[metric]))


@claim("bigprior is at most 0.05 dB under the better of its f and g in each experiment")
def _() -> Iterator[Comparison]:
    for folder in (*COLOUR, *CENTER, *RANDOM, *BLIND):
        for part in (FIDELITY[folder.partition("/")[0]], "bigprior-prior"):
            yield over(folder, "bigprior", part, by=-0.05)


@claim("so it is in each of the five draws of noise and masks")
def _() -> Iterator[Comparison]:
    for main in (*RANDOM, *BLIND):
        others = ("noisy", "nlm") if main in BLIND else ("harmonic", "telea", "ring-mean")
        for folder in (main, *(f"paper/draws/{main}-seed{seed}" for seed in DRAWS)):
            fused = score(folder, "bigprior")
            yield Comparison(f"{folder}: bigprior over the paper's", fused, _printed()[main, "psnr"])
            yield over(folder, "bigprior", "bigprior-prior", by=-0.05)
            for row in others:
                yield over(folder, "bigprior", row)


@claim("gated-cnn is over DeepFill v2's PSNR and SSIM, and over Telea's fill, on centre holes and random ones")
def _() -> Iterator[Comparison]:
    table = pd.read_csv(RESULTS / "published" / "bigprior_tables.csv")
    deepfill = table[table.method == "deepfill-v2"].set_index("metric").value
    for metric in ("psnr", "ssim"):
        ours = mean(score(folder, "gated-cnn", metric) for folder in CENTER)
        yield Comparison(f"{metric} over deepfill-v2, mean of three sets", ours, float(deepfill[metric]))
    for metric, sign in (("psnr", 1), ("lpips", -1)):
        ours, telea = (mean(score(folder, row, metric) for folder in CENTER) for row in ("gated-cnn", "telea"))
        yield Comparison(f"{metric} better than telea's, mean of three sets", sign * ours, sign * telea)
    for folder in RANDOM:
        yield over(folder, "gated-cnn", "telea")


@claim("gated-gan, trained against a critic, has the lowest LPIPS on centre holes, and a lower PSNR than gated-cnn")
def _() -> Iterator[Comparison]:
    for folder in CENTER:
        yield over(folder, "gated-cnn", "gated-gan")
        for row in FILLS:
            yield over(folder, row, "gated-gan", "lpips", by=0.002)


@claim("classic rows are what they should be on the paper's images: Telea's fill, and a lookup table of colours")
def _() -> Iterator[Comparison]:
    telea = score("inpaint-center/lsun-bedroom", "telea")
    yield Comparison("telea on centre holes of bedrooms, 27.5 dB or more", telea, 27.5)
    table = score("colorize/lsun-bedroom", "chroma-given-luma-bedroom", "auc")
    yield Comparison("chroma-given-luma-bedroom on bedrooms, AuC 90 or more", table, 90.0)


@claim("on churches chroma-cnn has an AuC over 91%, and a higher median PSNR than gray and every lookup table")
def _() -> Iterator[Comparison]:
    folder = "colorize/lsun-church"
    yield Comparison("AuC of chroma-cnn over 91", score(folder, "chroma-cnn", "auc"), 91.0)
    ours = float(values(folder, "chroma-cnn").median())
    for row in (*CHROMA_TABLES, "gray", "constant-chroma"):
        yield Comparison(f"median of chroma-cnn over {row}", ours, float(values(folder, row).median()))


@claim("on bedrooms chroma-cnn-250, trained on bedrooms alone, is over gray and every lookup table")
def _() -> Iterator[Comparison]:
    for row in (*CHROMA_TABLES, "gray", "constant-chroma"):
        yield over("colorize/lsun-bedroom", "chroma-cnn-250", row, "auc")


@claim("on bedrooms and conference rooms a lookup table of the category beats every network that is not told it")
def _() -> Iterator[Comparison]:
    for category in ("bedroom", "conference"):
        networks = ("chroma-cnn", "bigprior", "bigprior-prior", "compact-prior")
        for row in networks if category == "bedroom" else (*networks, "chroma-cnn-250"):
            yield over(f"colorize/lsun-{category}", f"chroma-given-luma-row-{category}", row, "auc")


@claim("φ of colours works on its own kind of scene: dB under the better of f and g, by where it was learned")
def _() -> Iterator[Comparison]:
    table = pd.read_csv(RESULTS / "paper" / "analyses" / "phi-shift-colorize.csv")
    gain = table.set_index(["trained_on", "tested_on"]).gain
    said = (("bedroom", "church", -2.48), ("church", "church", -0.15), ("church", "bedroom", -0.36),
            ("bedroom", "bedroom", -0.14))  # fmt: skip
    for trained, tested, value in said:
        yield near(f"{trained} on {tested}", float(gain[f"lsun-{trained}", f"lsun-{tested}"]), value, 0.005)


@claim("in denoising a high φ does not warn of errors: its rank correlation with them is negative")
def _() -> Iterator[Comparison]:
    table = pd.read_csv(RESULTS / "reliance" / "photos" / "calibration.csv")
    declared = table[table.kind == "declared"].drop_duplicates("method").set_index("method").spearman
    for row in ("local-wiener", "nlm", "tv", "wavelet", "bilateral", "collaborative-wiener", "bigprior"):
        yield Comparison(f"0 over ρ of {row}", 0.0, float(declared[row]))


def comparisons(said: str) -> list[Comparison]:
    """Return what a claim rests on.

    Raises:
        SuiteError: a row or a figure that it names is not there.
    """
    try:
        return list(CLAIMS[said]())
    except KeyError as error:
        raise SuiteError(f"claim '{said}': there is no figure of {error}.") from error


def main() -> int:
    """Check every claim and return 1 if one does not hold, else 0."""
    failed = 0
    for said in CLAIMS:
        found = comparisons(said)
        broken = [one for one in found if not one.margin >= 0]
        failed += bool(broken or not found)
        for one in broken or sorted(found, key=lambda one: one.margin)[:1]:
            figures = f"{one.what} ({one.left:.4g}, {one.right:.4g})"
            print(f"{'FAILS' if broken else 'holds'}  {said}. {'' if broken else 'Closest: '}{figures}")
        if not found:
            print(f"FAILS  {said}. Nothing to compare.")
    print(f"{len(CLAIMS) - failed} of {len(CLAIMS)} claims hold.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(guarded(main))
