"""Figures of a run, drawn with seaborn from records and preview images.

figures/quality.png       each method's scores on every image, and their mean with its 95% interval
figures/time.png          quality against seconds per image, with the Pareto front
figures/level.png         quality against the level of the task, such as σ (runs in which it varies)
figures/pairs.png         how often each method beats each other, and which differences are significant
figures/images-NAME.png   an image restored by every method, with φ where it is known
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from adjustText import adjust_text
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import imread

from benchmarks.folder.facts import Facts
from benchmarks.folder.pictures import CLEAN, file_name
from benchmarks.folder.run_folder import RunFolder
from benchmarks.scores.measure import Measure
from benchmarks.tables.colours import PHI_COLOURS
from benchmarks.tables.column import fixed
from benchmarks.tables.escape import mathtext
from benchmarks.tables.pairs import both_ways, undecided
from benchmarks.tables.statistics import LEVEL
from benchmarks.tables.summary import Summary
from datasets.files import StorageError, write_atomically

FOLDER = "figures"
DPI = 160
COLUMNS = 6
ABREAST = 34
"""Letters of a title over one picture, before it meets that of the next."""
MOST_IMAGES = 2
"""A figure of all restorations is drawn of the first images only: each takes seconds."""
MOST_PAIRED = 40
"""Rows. A matrix of more pairs is not readable."""
INK, MEAN = "0.25", "#c03a2b"


def draw_all(folder: RunFolder, records: pd.DataFrame, summary: Summary, facts: Facts) -> list[Path]:
    """Draw every figure the records allow and return their paths.

    Raises:
        SuiteError: a figure cannot be written.
    """
    sns.set_theme(style="whitegrid", context="paper", rc={"axes.titlelocation": "left", "figure.dpi": DPI})
    done = records[records.error == ""]
    every = (*summary.metrics, *summary.set_metrics)
    metrics = [metric for metric in every if np.isfinite(summary.table[metric.name]).any()]
    if not metrics:
        return []
    out, task = folder.path, facts.setting.task
    figures = {"quality": quality(done, summary, metrics), "time": time(summary, metrics[0])}
    if task.level in done and done[task.level].nunique() > 1 and not metrics[0].of_set:
        figures["level"] = level(done, summary, metrics[0], task.level, task.level_title or task.level)
    if 2 <= summary.pairs[summary.pairs.metric == metrics[0].name].row.nunique() + 1 <= MOST_PAIRED:
        figures["pairs"] = pairs(summary, metrics[0])
    for shown in sorted(folder.pictures.previews.glob("*/"))[:MOST_IMAGES]:
        if (shown / f"{CLEAN}.png").exists() and not metrics[0].of_set:
            figures[f"images-{shown.name}"] = images(shown, done, summary, metrics[0])
    drawn = _folder(out / FOLDER)
    return [_write(drawn / f"{file_name(name)}.png", figure) for name, figure in figures.items()]


def _folder(path: Path) -> Path:
    if path.is_symlink():
        raise StorageError(f"{path} is a link and is not written through: remove it.")
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}.") from error
    return path


def _write(path: Path, figure: Figure) -> Path:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 4})
    plt.close(figure)
    write_atomically(path, buffer.getvalue())
    return path


def _label(metric: Measure) -> str:
    unit = f" [{metric.unit}]" if metric.unit else ""
    return f"{mathtext(metric.title)}{mathtext(unit)} ({'higher' if metric.higher_is_better else 'lower'} is better)"


def quality(done: pd.DataFrame, summary: Summary, metrics: list[Measure]) -> Figure:
    """One panel per metric: a dot per image, the mean and its interval per method, in the order of the table.

    A metric of sets has one value per method.
    """
    order = list(summary.table.method)
    height = 0.9 + 0.27 * len(order)
    figure, axes = plt.subplots(1, len(metrics), figsize=(1.6 + 3.0 * len(metrics), height), sharey=True, squeeze=False)
    for axis, metric in zip(axes[0], metrics, strict=True):
        scores = summary.table if metric.of_set else done
        finite = scores[np.isfinite(scores[metric.name])]
        sns.stripplot(finite, x=metric.name, y="method", order=order, color=INK, alpha=0.35, size=3, ax=axis)
        for place, row in enumerate(summary.table.to_dict("records")):
            if not metric.of_set:
                ends = [row[f"{metric.name}_low"], row[f"{metric.name}_high"]]
                axis.plot(ends, [place, place], color=MEAN, lw=2.2, solid_capstyle="butt", zorder=4)
            if np.isfinite(row[metric.name]):
                axis.plot(row[metric.name], place, "D", color=MEAN, ms=4.5, zorder=5)
        axis.set(xlabel=_label(metric), ylabel="")
    axes[0, 0].set_yticks(range(len(order)), labels=[mathtext(name) for name in order])
    figure.suptitle(
        f"{mathtext(summary.title)}: images (dots), mean and 95% bootstrap interval", x=0.01, ha="left", fontsize=9
    )
    figure.tight_layout()
    return figure


def _pareto(table: pd.DataFrame, metric: Measure) -> pd.DataFrame:
    """Honest rows that no row beats in both time and quality, by time."""
    front, best = [], -math.inf
    honest = table[~table.oracle]
    for row in honest.sort_values("seconds").to_dict("records"):
        value = row[metric.name] if metric.higher_is_better else -row[metric.name]
        if value > best:
            front.append(row)
            best = value
    return pd.DataFrame(front)


def time(summary: Summary, metric: Measure) -> Figure:
    """Mean quality against seconds per image on a logarithmic axis."""
    table = summary.table[np.isfinite(summary.table[metric.name]) & np.isfinite(summary.table.seconds)]
    rows = table.to_dict("records")
    figure, axis = plt.subplots(figsize=(6.4, 4.4))
    front = _pareto(table, metric)
    if len(front):
        axis.step(front.seconds, front[metric.name], where="post", color=MEAN, lw=1, alpha=0.6, label="Pareto front")
    known, hidden = table[table.phi_mean.notna()], table[table.phi_mean.isna()]
    if len(known):
        sns.scatterplot(known, x="seconds", y=metric.name, hue="phi_mean", palette=PHI_COLOURS, hue_norm=(0, 1), s=42,
                        edgecolor=INK, legend=False, ax=axis)  # fmt: skip
    axis.scatter(hidden.seconds, hidden[metric.name], s=42, color="white", edgecolor=INK, label="φ hidden")
    axis.set_xscale("log")
    axis.margins(x=0.12, y=0.08)
    axis.set(xlabel="seconds per image, one thread", ylabel=_label(metric), title=mathtext(summary.title))
    colours = plt.cm.ScalarMappable(norm=Normalize(0, 1), cmap=PHI_COLOURS)
    figure.colorbar(colours, ax=axis, label="mean φ, the share of prior", pad=0.02)
    axis.legend(loc="lower right", frameon=True)
    figure.tight_layout()
    names = [
        axis.text(row["seconds"], row[metric.name], mathtext(row["method"]), fontsize=6.5, color=INK) for row in rows
    ]
    dots = list(table.seconds), list(table[metric.name])
    adjust_text(names, *dots, ax=axis, expand=(1.25, 1.7), arrowprops={"arrowstyle": "-", "color": "0.6", "lw": 0.5})
    return figure


def level(done: pd.DataFrame, summary: Summary, metric: Measure, column: str, title: str) -> Figure:
    """Quality against the level of the task: a dot per image, a trend per honest method, the best seven and the worst.

    Args:
        column: of the level in the records.
        title: what the axis says.
    """
    order = list(summary.table.method[~summary.table.oracle])
    shown = order if len(order) <= 8 else [*order[:7], order[-1]]
    figure, axis = plt.subplots(figsize=(6.4, 4.4))
    dots = []
    for colour, method in zip(sns.color_palette("husl", len(shown)), shown, strict=True):
        mine = done[(done.method == method) & np.isfinite(done[metric.name])]
        fit = 2 if mine[column].nunique() > 4 else 1
        sns.regplot(mine, x=column, y=metric.name, order=fit, ci=None, color=colour, ax=axis, truncate=True,
                    scatter_kws={"s": 9, "alpha": 0.5}, line_kws={"lw": 1.5})  # fmt: skip
        dots.append(axis.collections[-1])
    axis.set(xlabel=mathtext(title), ylabel=_label(metric), title=mathtext(summary.title))
    # Given one by one: matplotlib leaves labels that begin with an underscore out of a legend.
    axis.legend(dots, [mathtext(method) for method in shown], frameon=True, fontsize=7)
    figure.tight_layout()
    return figure


def pairs(summary: Summary, metric: Measure) -> Figure:
    """Share of the images on which the row's method beats the column's; bold where the difference is significant."""
    sides = both_ways(summary.pairs).loc[metric.name]
    order = [method for method in summary.table.method if method in sides.index]
    wins = sides.wins.unstack().reindex(index=order, columns=order) * 100
    significant = sides.p_holm.unstack().reindex(index=order, columns=order) <= 1 - LEVEL
    side = 1.9 + 0.36 * len(order)
    figure, axis = plt.subplots(figsize=(side + 0.8, side))
    names = [mathtext(name) for name in order]
    sns.heatmap(wins, xticklabels=names, yticklabels=names, vmin=0, vmax=100, cmap="vlag", annot=True, fmt=".0f",
                annot_kws={"fontsize": 6.5}, square=True, linewidths=0.5, ax=axis,
                cbar_kws={"label": "wins of the row, % of images", "shrink": 0.6})  # fmt: skip
    drawn = wins.notna().to_numpy()
    for text, bold in zip(axis.texts, significant.to_numpy()[drawn], strict=True):
        if bold:
            text.set_fontweight("bold")
        else:
            text.set_alpha(0.75)
    too_few = undecided(summary.pairs, metric.name)
    said = f"none can be significant: {too_few}" if too_few else "bold: significant (Wilcoxon, Holm over all pairs, 5%)"
    axis.set(xlabel="", ylabel="")
    axis.set_title(f"{mathtext(summary.title)}: {mathtext(metric.title)}\n{said}", fontsize=8)
    axis.grid(False)
    axis.tick_params(labelsize=7, length=0)
    figure.tight_layout()
    return figure


def folded(label: str) -> str:
    """Return the label of a row in lines of ABREAST letters, broken after its brackets and commas where it can be."""
    lines = [""]
    for part in re.split(r"(?<=[\[,])", label):
        if lines[-1] and len(lines[-1] + part) > ABREAST:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def images(folder: Path, done: pd.DataFrame, summary: Summary, metric: Measure) -> Figure:
    """Clean, degraded and every restoration of one image, best first, each with its φ map where it has one."""
    scores = done[done.image == folder.name].set_index("method")[metric.name]
    scores = scores[~scores.index.duplicated(keep="last")]
    panels = [("clean", "clean"), ("degraded", "degraded")]
    restored = []
    for row in summary.table.method:
        if row in scores.index and (folder / f"{file_name(row)}.png").exists():
            score = f"{fixed(scores[row], metric.decimals)} {metric.unit}".strip()
            panels.append((file_name(row), f"{folded(mathtext(row))}\n{mathtext(score)}"))
            restored.append(file_name(row))
    rows = math.ceil(len(panels) / COLUMNS)
    figure = plt.figure(figsize=(1.6 * COLUMNS, 3.75 * rows))
    grid = figure.add_gridspec(rows, COLUMNS, left=0.01, right=0.92, bottom=0.01, top=0.95, wspace=0.03, hspace=0.17)
    for place, (name, title) in enumerate(panels):
        # A panel is a picture and right under it its φ map.
        above, below = grid[divmod(place, COLUMNS)].subgridspec(2, 1, hspace=0.02).subplots(squeeze=False)[:, 0]
        above.imshow(imread(folder / f"{name}.png"), cmap="gray", vmin=0, vmax=1)
        above.set_title(title, fontsize=7, loc="center", pad=2)
        phi = folder / f"{name}.phi.png"
        if phi.exists():
            below.imshow(imread(phi), cmap=PHI_COLOURS, vmin=0, vmax=1)
        elif name in restored:
            below.text(0.5, 0.5, "no φ per pixel", ha="center", va="center", fontsize=6.5, color="0.5")
        for axis in (above, below):
            axis.set_axis_off()
    colours = plt.cm.ScalarMappable(norm=Normalize(0, 1), cmap=PHI_COLOURS)
    figure.colorbar(colours, cax=figure.add_axes((0.932, 0.3, 0.012, 0.4)), label="φ: 0 data, 1 prior")
    return figure
