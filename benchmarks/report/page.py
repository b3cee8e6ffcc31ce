"""Everything as one HTML file: what the page says is decided here, how it looks in templates/ and static/.

The file refers to nothing outside itself; its content security policy forbids the browser to ask for anything.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.folder.run_folder import RunFolder
from benchmarks.report.data import colours, setting_data
from benchmarks.report.matrix import Matrix, matrices
from benchmarks.report.merge import Merged
from benchmarks.report.names import slugs
from benchmarks.report.notices import notices_of
from benchmarks.report.pictures import Shown, embed, find_pictures, telling
from benchmarks.tables.column import published_table, table_of
from benchmarks.tables.escape import comma_separated
from benchmarks.tables.render import to_latex, to_markdown
from benchmarks.tables.summary import BEST, TIED, Summary, summarise
from datasets.errors import SuiteError
from datasets.spec import canonical

HERE = Path(__file__).parent
STYLES = ("base.css", "tables.css", "charts.css", "explorer.css")
SCRIPTS = (
    "dom.js", "theme.js", "sorting.js", "state.js", "tables.js", "axes.js", "labels.js", "pareto.js",
    "distribution.js", "level.js", "pixels.js", "stage.js", "order.js", "explorer.js", "export.js", "main.js",
    "link.js",
)  # fmt: skip
SPARE = 50_000
"""Bytes kept free for what is only known when the pictures have been chosen."""


def build(
    settings: Sequence[Merged],
    missing: Sequence[str],
    limit: float,
    summaries: Sequence[Summary] = (),
    made: str = "",
) -> str:
    """Return the report as HTML.

    Args:
        settings: the runs, merged.
        missing: sentences about what was left out already.
        limit: bytes that the file may take; pictures are chosen to fit.
        summaries: of the settings, where they have been made already.
        made: when the report was made; now if "".

    Raises:
        SuiteError: what was kept for a metric of sets cannot be read.
    """
    summaries = summaries or [summarise(merged.records, merged.facts, merged.features) for merged in settings]
    scores = [scores_of(merged, summary) for merged, summary in zip(settings, summaries, strict=True)]
    found = [find_pictures(m, list(s.table.method), of) for m, s, of in zip(settings, summaries, scores, strict=True)]
    shown = [pictures for pictures, _ in found]
    notices = [*missing, *notices_of(settings, shown, [damaged for _, damaged in found])]
    beside, no_matrix = _beside(settings, summaries)
    files = {f"matrix-{matrix.metric.name}.{end}": text for matrix in beside for end, text in matrix.texts.items()}
    prefixes = slugs(merged.label for merged in settings)
    sections = []
    for parts in zip(settings, summaries, strict=True):
        own = summary_files(parts[1], "" if len(settings) == 1 else f"{prefixes[parts[0].label]}-")
        files |= own
        sections.append(_section(*parts) | {"files": list(own)})
    data: dict[str, Any] = {
        "settings": [setting_data(*parts) for parts in zip(settings, summaries, shown, strict=True)],
        "colours": colours(),
        "files": files,
    }
    facts: dict[str, Any] = {
        "title": _title(settings),
        "data": data,
        "settings": sections,
        "matrices": [
            {
                "metric": m.metric,
                "table": m.table,
                "caption": m.caption,
                "files": [f"matrix-{m.metric.name}.{end}" for end in m.texts],
            }
            for m in beside
        ],
        "no_matrix": no_matrix,
        "runs": [provenance(run) for merged in settings for run in merged.runs],
        "level": settings[0].facts.setting.task.level_title or settings[0].facts.setting.task.level,
        "measured": any(picture.maps for pictures in shown for picture in pictures),
        "made": made or f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "style": read_static(STYLES),
        "script": read_static(SCRIPTS),
    }
    bare = render("report.html.j2", facts | {"notices": notices, "pictures": {}, "quality": None})
    chosen, quality = embed(_order(shown, scores), limit - len(to_bytes(bare)) - SPARE)
    there = sum(bool(picture.paths) for pictures in shown for picture in pictures)
    if len(chosen) < there:
        notices.append(
            f"The pictures of {len(chosen)} of {there} images fit into {limit / 1e6:.0f} MB: the most disputed, the "
            "worst and the best. For more, give --max-mb."
        )
    places = {id(p): f"pixels-{s}-{i}" for s, pictures in enumerate(shown) for i, p in enumerate(pictures)}
    elements = {places[key]: uris for key, uris in chosen.items()}
    return render("report.html.j2", facts | {"notices": notices, "pictures": elements, "quality": quality})


def to_bytes(page: str) -> bytes:
    """Encode a page. Half a surrogate pair, which JSON can hold and UTF-8 cannot, becomes a question mark."""
    return page.encode(errors="replace")


def render(template: str, facts: dict[str, Any]) -> str:
    """Fill a template."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["json"] = script_json
    return environment.get_template(template).render(facts)


def script_json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def read_static(names: Sequence[str]) -> Markup:
    """Return files of static/, one after the other."""
    return Markup("\n".join((HERE / "static" / name).read_text("utf-8") for name in names))


def _title(settings: Sequence[Merged]) -> str:
    facts = settings[0].facts
    sets = ", ".join(dict.fromkeys(merged.facts.setting.dataset for merged in settings))
    return f"{facts.name if len(settings) == 1 else facts.setting.task.name} on {sets}"


def _beside(settings: Sequence[Merged], summaries: Sequence[Summary]) -> tuple[list[Matrix], str]:
    """The matrices of several settings, or none and why."""
    if len(settings) == 1:
        return [], ""
    try:
        return matrices([(merged.facts, summary) for merged, summary in zip(settings, summaries, strict=True)]), ""
    except SuiteError as error:
        return [], f"No matrix: {error}"


def summary_files(summary: Summary, prefix: str = "", pairs: bool = False) -> dict[str, str]:
    """Return name of a file → content: the summary as a run's folder has it, each name after the prefix."""
    compared = {f"{prefix}pairs.csv": comma_separated(summary.pairs, "%.6g")} if pairs else {}
    return compared | {
        f"{prefix}summary.csv": comma_separated(summary.table),
        f"{prefix}summary.md": to_markdown(summary),
        f"{prefix}summary.tex": to_latex(summary),
    }


def _section(merged: Merged, summary: Summary) -> dict[str, Any]:
    """What the template says about a setting."""
    setting = merged.facts.setting
    return {
        "label": merged.label,
        "facts": (
            f"{len(summary.table)} methods",
            f"{merged.facts.counts.images} images",
            f"{setting.split} split",
            f"seed {setting.seed}",
            f"protocol {setting.protocol.name}",
        ),
        "summary": table_of(summary),
        "published": published_table(summary),
        "finding": finding(summary),
        "notes": summary.notes,
    }


def finding(summary: Summary) -> dict[str, Any] | None:
    """The best row by the first metric and those that are not significantly worse, or None."""
    if not summary.metrics:
        return None
    first = summary.metrics[0]
    marks = summary.table[f"{first.name}_mark"]
    best = summary.table[marks == BEST]
    if best.empty:
        return None
    row = best.iloc[0]
    return {
        "method": row.method,
        "score": f"{row[first.name]:.{first.decimals}f} {first.unit}".rstrip(),
        "metric": first.title,
        "tied": list(summary.table.method[marks == TIED]),
    }


def scores_of(merged: Merged, summary: Summary) -> dict[str, float]:
    """Return image → mean of the first metric over the methods, with the sign at which higher is better."""
    scores: dict[str, float] = {}
    for first in summary.metrics[:1]:
        means = merged.records.groupby("image")[first.name].mean() * (1 if first.higher_is_better else -1)
        scores = {str(image): float(value) for image, value in means.items() if np.isfinite(value)}
    return scores


def _order(shown: Sequence[Sequence[Shown]], scores: Sequence[dict[str, float]]) -> list[Shown]:
    """The images that have pictures, the most telling first, the settings in turn."""
    queues = [
        telling([picture for picture in pictures if picture.paths], own)
        for pictures, own in zip(shown, scores, strict=True)
    ]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*queues))
    return [picture for picture in turns if picture is not None]


def provenance(run: RunFolder) -> dict[str, Any]:
    """How a run was made, without paths of the machine it was made on."""
    facts, setting = run.facts, run.facts.setting
    arguments = (
        f"--task {canonical(setting.task.name, setting.task)} --dataset {setting.dataset} --split {setting.split} "
        f"--seed {setting.seed} --protocol {setting.protocol.name}"
    )
    named = {label: row.spec for label, row in facts.rows.items() if row.spec != label}
    return {
        "name": run.name,
        "facts": {
            "Run": arguments,
            "Made": f"{facts.began}, commit {facts.commit}",
            "Machine": ", ".join(f"{key} {value}" for key, value in facts.hardware.items() if value),
            "Versions": ", ".join(f"{name} {version}" for name, version in facts.versions.items()),
            "Threads": f"{facts.threads} per worker, {facts.jobs} workers",
        }
        | ({"Rows": ", ".join(f"{label} is {spec}" for label, spec in named.items())} if named else {}),
        "not_run": facts.not_run,
        "not_measured": facts.not_measured,
        "weights": facts.weights,
    }
