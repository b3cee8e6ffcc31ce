"""From cells to CSV, Markdown and LaTeX. Everything is a pure function of cells and their provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.paper.cells import FAILS, ORIGINS, PUBLISHED, REPRODUCED, UNAVAILABLE, VERDICTS, Anchor
from benchmarks.paper.experiments import EXPERIMENTS, OWN_DATA
from benchmarks.paper.networks import ROWS
from benchmarks.paper.runs import SEEDS
from benchmarks.scores.protocol import get_protocol
from benchmarks.tables import escape
from benchmarks.tables.column import fixed, head_of, interval
from benchmarks.tables.render import markdown_table

TITLES = {
    "I": "Table I: colorization",
    "II": "Table II: inpainting, centre hole",
    "III": "Table III: inpainting, random masks",
    "IV": "Table IV: blind denoising, σ 5–50",
}
REPLAY = (
    "The paper drew its noise levels, noise and random masks without a seed and did not release them, so its degraded "
    "images cannot be replayed. Ours are seeded; rows of the two sides share the 50 test images, not the pixels that "
    "were degraded."
)
NETWORK_DIGITS = {
    "auc": 2, "psnr": 2, "lpips": 4, "psnr_float": 4, "phi_mean": 5, "phi_mean_u8": 3, "phi_outside": 4,
}  # fmt: skip
"""Columns of the table of φ-networks, and their digits."""
PARTS = ("difference", "low", "high")
"""Endings of the columns of a paired difference."""
SAME = "This degradation is not random: the paper's rows and ours are of the same degraded images."


def columns_of(cells: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (dataset, metric) of the columns, in the published order; own-data columns last."""
    return list(dict.fromkeys(zip(cells.dataset, cells.metric, strict=True)))


def _head(dataset: str, metric: str) -> str:
    return f"{dataset.removeprefix('lsun-')} {head_of(get_protocol('paper').measure(metric))}"


def _cell(line: Mapping[Any, Any] | None, ends: bool) -> str:
    if line is None:
        return ""
    digits = get_protocol("paper").measure(line["metric"]).decimals
    said = interval(line.get("low", np.nan), line.get("high", np.nan), digits) if ends else ""
    return f"{fixed(line['value'], digits)} {said}".rstrip()


def _difference(line: Mapping[Any, Any] | None, name: str) -> str:
    """A paired difference and its interval, where there is one."""
    mean, low, high = (np.nan if line is None else line.get(f"{name}_{part}", np.nan) for part in PARTS)
    return f"{fixed(mean, 2, signed=True)} {interval(low, high, 2, signed=True)}".strip()


def _grid(cells: pd.DataFrame, columns: Sequence[tuple[str, str]], ends: bool) -> list[list[str]]:
    """One printed line per (row, origin) that has a value."""
    there = cells[cells.value.notna()]
    grid = []
    for (row, origin), mine in there.groupby(["row", "origin"], sort=False):
        found = {(line["dataset"], line["metric"]): line for line in mine.to_dict("records")}
        name = f"{row} (oracle)" if "oracle" in mine and mine.oracle.any() else str(row)
        grid.append([name, str(origin), *(_cell(found.get(column), ends) for column in columns)])
    return grid


def _markdown(head: Sequence[str], grid: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table whose first columns are text."""
    lines = [[escape.markdown(cell) for cell in line] for line in grid]
    return markdown_table([escape.markdown(name) for name in head], lines, [n < left for n in range(len(head))])


def to_markdown(
    table: str,
    paper: pd.DataFrame,
    suite: pd.DataFrame,
    draws: pd.DataFrame,
    networks: pd.DataFrame,
    provenance: Mapping[str, Any],
) -> str:
    """The table in Markdown, with the origin of every number; `networks` is the reproduction, of Table I alone."""
    columns = columns_of(paper)
    heads = [_head(*column) for column in columns]
    random = any(e.random for e in EXPERIMENTS if e.table == table)
    parts = [f"# {TITLES[table]}", REPLAY if random else SAME]
    parts.append("## The paper's rows")
    parts.append(_markdown(["row", "origin", *heads], _grid(paper, columns, ends=False), left=2))
    used = [origin for origin in ORIGINS if origin in set(paper.origin[paper.value.notna()])]
    parts.append("\n".join(f"- **{origin}**: {ORIGINS[origin]}." for origin in used))
    parts.append(_missing(paper))
    if not networks.empty:
        parts += _networks(networks)
    parts.append("## All rows of this suite")
    if suite.empty:
        parts.append("No run of these experiments is stored: `python -m benchmarks.paper` makes them.")
    else:
        ours = columns_of(suite)
        first = suite.metric.iloc[0]
        order = suite[suite.metric == first].groupby("row").value.mean().sort_values(ascending=False).index
        sorted_suite = suite.set_index("row").loc[[r for r in order if r in set(suite.row)]].reset_index()
        grid = [[line[0], *line[2:]] for line in _grid(sorted_suite, ours, ends=True)]
        parts.append(_markdown(["row", *(_head(*column) for column in ours)], grid))
        parts.append(
            "Mean over all 50 test images of a set, as the paper's, [95% bootstrap interval]; nearly exact images (a "
            "gray photograph in colorization) are not left out here. (oracle): an oracle row, told the true σ or the "
            "clean image."
        )
        parts += _differences(sorted_suite)
    if not draws.empty:
        parts += _spread(draws)
    parts.append("## Where the numbers come from")
    parts.append(_provenance(table, provenance))
    return "\n\n".join(part for part in parts if part) + "\n"


def _networks(networks: pd.DataFrame) -> list[str]:
    """The φ-networks on the released inversions of the bedrooms."""
    heads = ["row", "AuC % ↑", "PSNR dB ↑", "LPIPS ↓", "float PSNR dB", "φ mean", "φ mean, 8 bit", "φ outside [0,1]",
             "AuC − released", "PSNR − released"]  # fmt: skip
    grid = []
    for line in networks.to_dict("records"):
        cells = [fixed(line[name], digits) for name, digits in NETWORK_DIGITS.items()]
        grid.append([line["row"], *cells, _difference(line, "auc"), _difference(line, "psnr")])
    listed = "\n".join(f"- **{row}**: {what}." for row, what in ROWS.items() if row in set(networks.row))
    return [
        "## φ-networks on the released inversions, 50 bedrooms",
        _markdown(heads, grid),
        "float PSNR: of unclamped floats, as in the released arrays. 8 bit: φ clipped and rounded before its mean, as "
        "in the authors' notebook. Differences: paired, mean [95% bootstrap interval].",
        listed,
    ]


def _missing(paper: pd.DataFrame) -> str:
    """Why cells of an origin are not there, each reason once."""
    gone = paper[(paper.verdict == UNAVAILABLE) & (paper.note != "")]
    lines = []
    for reason, mine in gone.groupby("note", sort=False):
        origins = ", ".join(dict.fromkeys(mine.origin))
        rows = ", ".join(dict.fromkeys(mine.method))
        lines.append(f"- {origins} of {rows}: {reason}.")
    return "Not there:\n\n" + "\n".join(lines) if lines else ""


def _differences(suite: pd.DataFrame) -> list[str]:
    """Paired differences of the headline metric."""
    parts = []
    titles = {
        "released": "Differences to the paper's BIGPrior, image by image (its released arrays)",
        "bigprior": "Differences to `bigprior` on the same degraded pixels",
    }
    for name, title in titles.items():
        column = f"{name}_difference"
        if column not in suite or suite[column].isna().all():
            continue
        there = suite[suite[column].notna()]
        columns = columns_of(there)
        grid = []
        for row, mine in there.groupby("row", sort=False):
            found = {(line["dataset"], line["metric"]): line for line in mine.to_dict("records")}
            grid.append([str(row), *(_difference(found.get(c), name) for c in columns)])
        parts.append(f"## {title}")
        parts.append(_markdown(["row", *(_head(*c).rsplit(" ", 1)[0] for c in columns)], grid))
    if parts:
        parts.append("Mean of the paired differences [95% bootstrap interval over the images].")
    return parts


def _spread(draws: pd.DataFrame) -> list[str]:
    grid = []
    for row, mine in draws.groupby("row", sort=False):
        found = {line["dataset"]: line for line in mine.to_dict("records")}
        cells = []
        for dataset in dict.fromkeys(draws.dataset):
            line = found.get(dataset)
            text = ""
            if line is not None:
                mean, deviation, least, most = (
                    fixed(line[name], 2) for name in ("value", "deviation", "least", "most")
                )
                text = f"{mean} ± {deviation} ({least}–{most})"
                text += "" if line["draws"] == len(SEEDS) else f", {line['draws']} draws"
            cells.append(text)
        grid.append([str(row), *cells])
    heads = [_head(d, draws.metric.iloc[0]) for d in dict.fromkeys(draws.dataset)]
    return [
        f"## Spread over the draws of noise and masks, seeds {SEEDS[0]}–{SEEDS[-1]}",
        _markdown(["row", *heads], grid),
        "Mean of the draws' means ± their standard deviation (least–most).",
    ]


def _provenance(table: str, provenance: Mapping[str, Any]) -> str:
    machine = provenance["hardware"]
    signatures: dict[str, None] = {}
    lines = [
        f"- Tabulated at commit {provenance['commit']} by `{provenance['command']}` on {machine['cores']} cores "
        f"({machine['processor']}), from stored records."
    ]
    for e in (e for e in EXPERIMENTS if e.table == table):
        for run in provenance["runs"].get(e.run, []):
            where = run["hardware"].get("gpu") or f"{run['hardware']['cores']} cores ({run['hardware']['processor']})"
            lines.append(f"- `{e.run}`: commit {run['commit']}, {where}.")
            signatures |= dict.fromkeys(run["signatures"])
    return "\n".join([*lines, f"- Metrics, protocol `paper`: {', '.join(signatures)}."])


def to_latex(table: str, paper: pd.DataFrame, suite: pd.DataFrame) -> str:
    """The table in LaTeX (booktabs): the paper's rows by origin, then the suite's; intervals are in the CSV."""
    columns = [c for c in columns_of(paper) if not c[0].endswith(OWN_DATA)]
    body = _grid(paper[~paper.dataset.str.endswith(OWN_DATA)], columns, ends=False)
    if not suite.empty:
        body += [[], *_grid(suite, columns, ends=False)]
    heads = ["row", "origin", *(_head(*c) for c in columns)]
    lines = [r"% requires \usepackage{booktabs}", r"\begin{table*}", r"\centering", r"\small"]
    lines += [rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}", r"\toprule"]
    lines += [" & ".join(escape.latex(h) for h in heads) + r" \\", r"\midrule"]
    lines += [" & ".join(escape.latex(c) for c in line) + r" \\" if line else r"\midrule" for line in body]
    random = any(e.random for e in EXPERIMENTS if e.table == table)
    caption = escape.latex(f"{TITLES[table]}. {REPLAY if random else SAME}")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", rf"\caption{{{caption}}}", r"\end{table*}"]) + "\n"


def tally(paper: pd.DataFrame, anchors: Sequence[Anchor]) -> list[str]:
    """One line per verdict: how many cells have it, the word, and what it means; then the numbers of `anchors`."""
    counts = {verdict: int((paper.verdict == verdict).sum()) for verdict in VERDICTS}
    width = max(len(str(count)) for count in counts.values())
    lines = [f"{counts[verdict]:{width}} {verdict:11}  {what}" for verdict, what in VERDICTS.items()]
    if anchors:
        good = sum(anchor.verdict != FAILS for anchor in anchors)
        lines.append(f"Of the numbers that the reproduction must give, {good} of {len(anchors)} are as they must be.")
    return lines


def verification(paper: pd.DataFrame, anchors: Sequence[Anchor]) -> list[str]:
    """One line per published cell: the verdict of each origin with its tolerance.

    Then the numbers that the reproduction must give, and the reasons for what is unavailable, each once.
    """
    lines = []
    for key, mine in paper.groupby(["table", "dataset", "method", "metric"], sort=False):
        there, gone, value = [], [], float("nan")
        for line in mine.to_dict("records"):
            if line["origin"] == PUBLISHED:
                value = line["value"]
            elif line["verdict"] == UNAVAILABLE:
                gone.append(line["origin"])
            else:
                there.append(f"{line['origin']} {line['value']:.4f} {line['verdict']} ({line['tolerance']})")
        told = [*there, *([f"{', '.join(gone)} {UNAVAILABLE}"] if gone else [])]
        lines.append(f"{' '.join(map(str, key))}: published {value:g}; " + "; ".join(told))
    for anchor in anchors:
        found = f"{anchor.value:.6g} {anchor.verdict} (expected {anchor.expected:g} ±{anchor.tolerance:g})"
        lines.append(f"I lsun-bedroom {REPRODUCED}, {anchor.what}: {found}")
    return [*lines, *filter(None, _missing(paper).splitlines())]
