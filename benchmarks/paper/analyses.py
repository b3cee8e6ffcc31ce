"""The paper's analyses of φ: its mean against the noise level and against the quality of the prior, with Pearson's r.

    analyses/phi-prior-released.{csv,png}   mean φ against the prior's PSNR per image, from the released arrays
    analyses/phi-prior.{csv,png}            the same of our rows
    analyses/phi-sigma.{csv,png}            mean φ against σ in blind denoising, of every row that says its φ
    analyses/correlations.csv               r, its 95% bootstrap interval and the number of images of every panel

The released arrays hold no noise levels, so that φ against σ can be drawn of our rows alone.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

from benchmarks.paper.cells import COUNTERPARTS, OURS, Sources
from benchmarks.paper.experiments import BIGPRIOR, EXPERIMENTS, MGAN
from benchmarks.paper.released import FIRST, PHI
from benchmarks.tables.correlation import pearson, pearson_interval
from datasets.files import write_atomically

FOLDER = "analyses"
DPI = 160


def released_phi_against_prior(sources: Sources) -> pd.DataFrame:
    """Return task, dataset, number, prior_psnr and phi_mean of every released image; empty without the release."""
    parts = []
    for e in EXPERIMENTS:
        phi, prior = sources.release.array(e, PHI), sources.release.scores(e, MGAN, "psnr")
        if phi is not None and prior is not None:
            part = pd.DataFrame({"number": range(FIRST, FIRST + len(phi)), "prior_psnr": prior, "phi_mean": phi})
            parts.append(part.assign(task=e.task, dataset=e.dataset, row=BIGPRIOR))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def phi_against_prior(sources: Sources) -> pd.DataFrame:
    """The same of our rows: task, dataset, image, prior_psnr, phi_mean; empty until both rows have been run."""
    fused, prior = COUNTERPARTS[BIGPRIOR][OURS], COUNTERPARTS[MGAN][OURS]
    parts = []
    for e, runs in sources.runs.items():
        phi, quality = runs.values(fused, "phi_mean"), runs.values(prior, "psnr")
        if phi is not None and quality is not None:
            part = pd.DataFrame({"image": phi.index, "prior_psnr": quality.to_numpy(), "phi_mean": phi.to_numpy()})
            parts.append(part.assign(task=e.task, dataset=e.dataset, row=fused))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def phi_against_sigma(sources: Sources) -> pd.DataFrame:
    """Return dataset, image, row, sigma and phi_mean of every honest row of blind denoising that says its φ."""
    parts = []
    for e, runs in sources.runs.items():
        if e.table == "IV" and runs.facts:
            told = runs.scores[runs.scores.phi_mean.notna() & ~runs.scores.method.map(runs.is_oracle)]
            level = runs.facts[0].setting.task.level
            told = told[["image", "method", level, "phi_mean"]].rename(columns={level: "sigma"})
            parts.append(told.assign(task=e.task, dataset=e.dataset))
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True).rename(columns={"method": "row"})
    varying = table.groupby("row").phi_mean.transform("nunique") > 1
    return table[varying].reset_index(drop=True)


def correlations(table: pd.DataFrame, x: str, what: str) -> pd.DataFrame:
    """Return r of φ's mean with column x per row, task and set, and over the sets of a task together."""
    lines = []
    for (row, task), mine in table.groupby(["row", "task"], sort=False):
        parts = [(str(dataset), part) for dataset, part in mine.groupby("dataset", sort=False)]
        for dataset, part in [*parts, *([("all sets", mine)] if len(parts) > 1 else [])]:
            a, b = part[x].to_numpy(dtype=float), part.phi_mean.to_numpy(dtype=float)
            low, high = pearson_interval(a, b)
            lines.append({"analysis": what, "row": row, "task": task, "dataset": dataset, "r": pearson(a, b),
                          "low": low, "high": high, "images": len(a)})  # fmt: skip
    return pd.DataFrame(lines)


def _draw(path: Path, table: pd.DataFrame, found: pd.DataFrame, x: str, label: str, panel: str) -> None:
    """One panel per value of `panel`: dots and a fitted line per set, r in the legend."""
    sns.set_theme(style="whitegrid", context="paper", rc={"axes.titlelocation": "left", "figure.dpi": DPI})
    panels = list(dict.fromkeys(table[panel]))
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.4 * columns, 3.0 * rows), squeeze=False, sharey=True)
    colours = dict(zip(sorted(set(table.dataset)), sns.color_palette("deep"), strict=False))
    for axis, name in zip(axes.flat, panels, strict=False):
        mine = table[table[panel] == name]
        for dataset, part in mine.groupby("dataset"):
            r = found[(found[panel] == name) & (found.dataset == dataset)].r.iloc[0]
            sns.regplot(part, x=x, y="phi_mean", ci=None, color=colours[str(dataset)], ax=axis, truncate=True,
                        label=f"{str(dataset).removeprefix('lsun-')}, r = {r:+.2f}",
                        scatter_kws={"s": 9, "alpha": 0.6}, line_kws={"lw": 1.5})  # fmt: skip
        axis.set(title=str(name), xlabel=label, ylabel="mean φ")
        axis.legend(fontsize=7, frameon=True)
    for axis in list(axes.flat)[len(panels) :]:
        axis.set_axis_off()
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 4})
    plt.close(figure)
    write_atomically(path, buffer.getvalue())


def write_analyses(out: Path, sources: Sources) -> list[Path]:
    """Write the CSVs and figures of every analysis that there is data for, and return their paths."""
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    quality = "PSNR of the prior alone [dB]"
    analyses = [
        ("phi-prior-released", released_phi_against_prior(sources), "prior_psnr", quality, "task"),
        ("phi-prior", phi_against_prior(sources), "prior_psnr", quality, "task"),
        ("phi-sigma", phi_against_sigma(sources), "sigma", "σ, 0–255 scale", "row"),
    ]
    paths, found = [], []
    for name, table, x, label, panel in analyses:
        if table.empty:
            continue
        found.append(correlations(table, x, name))
        write_atomically(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g").encode())
        _draw(folder / f"{name}.png", table, found[-1], x, label, panel)
        paths += [folder / f"{name}.csv", folder / f"{name}.png"]
    if found:
        text = pd.concat(found, ignore_index=True).to_csv(index=False, float_format="%.4f")
        write_atomically(folder / "correlations.csv", text.encode())
        paths.append(folder / "correlations.csv")
    return paths
