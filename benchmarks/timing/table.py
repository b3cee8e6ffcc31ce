"""A table and a figure of timings."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.tables.render import markdown_table
from benchmarks.timing.compare import Timings
from datasets.files import write_atomically

RESTORE = "restore"
NAMED = ("python", "torch", "numpy", "scipy")
"""Packages whose versions the table says."""


def frame(timings: Timings) -> pd.DataFrame:
    """One line per case: kind, subject, what, side, device, seconds, relative (to the reference), rounds, peak_mb."""
    lines = [
        {name: case.info.get(name) for name in ("kind", "subject", "what", "side", "device")}
        | {"seconds": case.seconds, "relative": case.relative, "rounds": case.rounds}
        | {"peak_mb": case.info.get("peak_mb", float("nan"))}
        for case in timings.cases.values()
    ]
    return pd.DataFrame(lines).sort_values(["kind", "subject", "device", "side", "seconds"], ignore_index=True)


def _cell(seconds: float) -> str:
    return "" if pd.isna(seconds) else f"{seconds:.3g}" if seconds < 100 else f"{seconds:.0f}"


def to_markdown(timings: Timings) -> str:
    """A table per kind, task and device: seconds by size, quickest first."""
    table = frame(timings)
    cards = sorted({case.info["card"] for case in timings.cases.values() if "card" in case.info})
    lines = ["# Timings", "", f"Seconds of the quickest round on {', '.join([timings.processor, *cards])}, one thread."]
    versions = ", ".join(f"{name} {timings.versions[name]}" for name in NAMED if name in timings.versions)
    lines += [f"Commit {timings.commit[:7]}{versions and f'; {versions}'}."]
    for names, part in table.groupby(["kind", "subject", "device"], sort=True):
        kind, subject, device = map(str, names)
        seconds = part.pivot_table(index="what", columns="side", values="seconds")
        relative = part.pivot_table(index="what", columns="side", values="relative")
        peak = part.groupby("what").peak_mb.max()
        sides = list(seconds.columns)
        heads = [kind, *(f"{side}×{side}" if side else "seconds" for side in sides), "in units of the reference"]
        rows = []
        for what in map(str, seconds.sort_values(sides[0]).index):
            row = [what, *(_cell(seconds[side][what]) for side in sides), _cell(relative[sides[0]][what])]
            rows.append(row + ([f"{peak[what]:.0f}"] if device == "cuda" else []))
        heads += ["peak MiB"] if device == "cuda" else []
        flush = [True, *[False] * (len(heads) - 1)]
        lines += ["", f"## {' '.join(filter(None, (kind, subject, device)))}", "", markdown_table(heads, rows, flush)]
    units = "The reference is a fixed mix of convolution, FFT, matrix product and elementwise work, timed around each "
    lines += ["", f"{units}round on the same device; the last column is the median ratio at the first size."]
    return "\n".join(lines) + "\n"


def draw(timings: Timings) -> bytes:
    """A panel per task and device: seconds of `restore` per method, a colour per size. A PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns
    from matplotlib.ticker import NullFormatter

    sns.set_theme(style="whitegrid", context="paper", rc={"axes.titlelocation": "left"})
    table = frame(timings)
    restore = table[table.kind == RESTORE] if (table.kind == RESTORE).any() else table
    panels = list(restore.groupby(["subject", "device"], sort=True))
    most = max(part.what.nunique() for _, part in panels)
    figure, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels), 0.9 + 0.21 * most), squeeze=False)
    for axis, ((subject, device), part) in zip(axes[0], panels, strict=True):
        order = part.groupby("what").seconds.min().sort_values().index
        size = part.side.map(lambda side: f"{side}×{side}")
        sns.stripplot(part.assign(size=size), x="seconds", y="what", hue="size", order=order, jitter=False, size=5,
                      palette="crest", log_scale=True, ax=axis)  # fmt: skip
        axis.set(xlabel="seconds", ylabel="", title=f"{subject or RESTORE} on {device}")
        axis.yaxis.grid(True)
        low, high = part.seconds.min(), part.seconds.max()
        axis.set_xlim(10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high)))  # whole decades: labels have room
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.legend(title=None, fontsize=6.5)
        axis.tick_params(axis="y", labelsize=7)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    plt.close(figure)
    return buffer.getvalue()


def write(timings: Timings, out: Path) -> list[Path]:
    """Write timing.csv, timing.md and timing.png and return their paths.

    Raises:
        SuiteError: they cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = {
        "timing.csv": frame(timings).to_csv(index=False, float_format="%.4g").encode(),
        "timing.md": to_markdown(timings).encode(),
        "timing.png": draw(timings),
    }
    for name, content in files.items():
        write_atomically(out / name, content)
    return [out / name for name in files]
