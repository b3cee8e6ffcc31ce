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
from benchmarks.report.merge import Merged
from benchmarks.report.pictures import CLEAN, PHI, RESTORED, Shown, embed, find_pictures, telling
from benchmarks.tables.column import published_table, table_of
from benchmarks.tables.summary import BEST, TIED, Summary, summarise
from datasets.spec import canonical

HERE = Path(__file__).parent
STYLES = ("base.css", "tables.css", "charts.css", "explorer.css")
SCRIPTS = (
    "dom.js", "theme.js", "state.js", "tables.js", "axes.js", "pareto.js", "distribution.js", "level.js",
    "pixels.js", "stage.js", "order.js", "explorer.js", "main.js",
)  # fmt: skip
SPARE = 50_000
"""Bytes kept free for what is only known when the pictures have been chosen."""


def build(settings: Sequence[Merged], missing: Sequence[str], limit: float) -> str:
    """Return the report as HTML.

    Args:
        settings: the runs, merged.
        missing: sentences about what was left out already.
        limit: bytes that the file may take; pictures are chosen to fit.

    Raises:
        SuiteError: what was kept for a metric of sets cannot be read.
    """
    summaries = [summarise(merged.records, merged.facts, merged.features) for merged in settings]
    shown, notices = [], list(missing)
    for merged, summary in zip(settings, summaries, strict=True):
        pictures, damaged = find_pictures(merged, list(summary.table.method))
        shown.append(pictures)
        notices += _notices(merged, pictures, damaged, len(settings) > 1)
    data = {"settings": [setting_data(*parts) for parts in zip(settings, summaries, shown, strict=True)]}
    facts: dict[str, Any] = {
        "title": _title(settings),
        "data": data | {"colours": {name: colours(name) for name in ("viridis", "magma")}},
        "settings": [_section(*parts) for parts in zip(settings, summaries, strict=True)],
        "runs": [_provenance(run) for merged in settings for run in merged.runs],
        "level": settings[0].facts.setting.task.level_title or settings[0].facts.setting.task.level,
        "measured": any(picture.maps for pictures in shown for picture in pictures),
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "style": _read(STYLES),
        "script": _read(SCRIPTS),
    }
    bare = render(facts | {"notices": notices, "pictures": {}, "quality": None})
    chosen, quality = embed(_order(settings, summaries, shown), limit - len(to_bytes(bare)) - SPARE)
    there = sum(bool(picture.paths) for pictures in shown for picture in pictures)
    if len(chosen) < there:
        notices.append(
            f"The pictures of {len(chosen)} of {there} images fit into {limit / 1e6:.0f} MB: the most disputed, the "
            "worst and the best. For more, give --max-mb."
        )
    places = {id(p): f"pixels-{s}-{i}" for s, pictures in enumerate(shown) for i, p in enumerate(pictures)}
    elements = {places[key]: uris for key, uris in chosen.items()}
    return render(facts | {"notices": notices, "pictures": elements, "quality": quality})


def to_bytes(page: str) -> bytes:
    """Encode a page. Half a surrogate pair, which JSON can hold and UTF-8 cannot, becomes a question mark."""
    return page.encode(errors="replace")


def render(facts: dict[str, Any]) -> str:
    """Fill the template."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["json"] = script_json
    return environment.get_template("report.html.j2").render(facts)


def script_json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def _read(names: Sequence[str]) -> Markup:
    return Markup("\n".join((HERE / "static" / name).read_text("utf-8") for name in names))


def _title(settings: Sequence[Merged]) -> str:
    facts = settings[0].facts
    sets = ", ".join(dict.fromkeys(merged.facts.setting.dataset for merged in settings))
    return f"{facts.name if len(settings) == 1 else facts.setting.task.name} on {sets}"


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
        "finding": _finding(summary),
        "notes": summary.notes,
    }


def _finding(summary: Summary) -> dict[str, Any] | None:
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


def _notices(merged: Merged, pictures: Sequence[Shown], damaged: Sequence[str], several: bool) -> list[str]:
    """What is missing in a setting, and how to get it."""
    notices = []
    for run in merged.runs:
        asked, done = run.facts.counts.asked, len(run.finished)
        if done < asked:
            notices.append(f"{run.name} has {done} of {asked} results; the same command makes the rest.")
    if merged.uneven:
        notices.append(f"{', '.join(merged.uneven)}: measured with different code or files in different runs.")
    seen = {p.image: p.paths for p in pictures if CLEAN in p.paths}
    if len(seen) < len(pictures):
        notices.append(
            f"Pictures were kept of {len(seen) or 'none'} of the {len(pictures)} images; run again with --save-images "
            "to look at all of them."
        )
    finished = merged.records[merged.records.error == ""]
    pairs = zip(finished.method, finished.image, strict=True)
    absent = dict.fromkeys(m for m, image in pairs if RESTORED + m not in seen.get(image, {RESTORED + m}))
    if absent:
        notices.append(f"Some pictures of {', '.join(absent)} were not kept; run again with --save-images.")
    if seen and not any(key.startswith(PHI) for paths in seen.values() for key in paths):
        notices.append("No map of φ was kept: no method of this run has one per pixel, or its pictures are missing.")
    if damaged:
        notices.append(f"{len(damaged)} picture(s) are damaged and left out, for instance {damaged[0]}.")
    machines = {json.dumps(run.facts.hardware, sort_keys=True) for run in merged.runs}
    if len(machines) > 1:
        notices.append("The seconds were measured on different machines and do not compare.")
    return [f"{merged.label}: {notice}" for notice in notices] if several else notices


def _order(settings: Sequence[Merged], summaries: Sequence[Summary], shown: Sequence[Sequence[Shown]]) -> list[Shown]:
    """The images that have pictures, the most telling first, the settings in turn."""
    queues = []
    for merged, summary, pictures in zip(settings, summaries, shown, strict=True):
        scores: dict[str, float] = {}
        for first in summary.metrics[:1]:
            means = merged.records.groupby("image")[first.name].mean() * (1 if first.higher_is_better else -1)
            scores = {str(image): float(value) for image, value in means.items() if np.isfinite(value)}
        queues.append(telling([picture for picture in pictures if picture.paths], scores))
    turns = itertools.chain.from_iterable(itertools.zip_longest(*queues))
    return [picture for picture in turns if picture is not None]


def _provenance(run: RunFolder) -> dict[str, Any]:
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
