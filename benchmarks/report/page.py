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

from benchmarks.report.columns import published_table, summary_table
from benchmarks.report.data import colours, setting_data
from benchmarks.report.pictures import CLEAN, PHI, RESTORED, Shown, embed, find_pictures, telling
from benchmarks.report.settings import Setting
from benchmarks.report.sources import Source
from benchmarks.summary import BEST, TIED, Summary, summarise

HERE = Path(__file__).parent
STYLES = ("base.css", "tables.css", "charts.css", "explorer.css")
SCRIPTS = (
    "dom.js", "theme.js", "state.js", "tables.js", "axes.js", "pareto.js", "distribution.js", "sigma.js",
    "pixels.js", "stage.js", "order.js", "explorer.js", "main.js",
)  # fmt: skip
SPARE = 50_000
"""Bytes kept free for what is only known when the pictures have been chosen."""


def build(settings: Sequence[Setting], missing: Sequence[str], limit: float) -> str:
    """Return the report as HTML.

    Args:
        settings: the runs, merged.
        missing: sentences about what was left out already.
        limit: bytes that the file may take; pictures are chosen to fit.
    """
    summaries = [summarise(setting.records, setting.run) for setting in settings]
    shown, notices = [], list(missing)
    for setting, summary in zip(settings, summaries, strict=True):
        pictures, damaged = find_pictures(setting, list(summary.table.method))
        shown.append(pictures)
        notices += _notices(setting, pictures, damaged, len(settings) > 1)
    data = {"settings": [setting_data(*parts) for parts in zip(settings, summaries, shown, strict=True)]}
    facts: dict[str, Any] = {
        "title": _title(settings),
        "data": data | {"colours": {name: colours(name) for name in ("viridis", "magma")}},
        "settings": [_section(*parts) for parts in zip(settings, summaries, strict=True)],
        "runs": [_provenance(source) for setting in settings for source in setting.sources],
        "measured": any(picture.maps for pictures in shown for picture in pictures),
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "style": _read(STYLES),
        "script": _read(SCRIPTS),
    }
    bare = render(facts | {"notices": notices, "pictures": {}, "quality": None})
    chosen, quality = embed(_order(settings, summaries, shown), limit - len(bare.encode()) - SPARE)
    there = sum(bool(picture.paths) for pictures in shown for picture in pictures)
    if len(chosen) < there:
        notices.append(
            f"The pictures of {len(chosen)} of {there} images fit into {limit / 1e6:.0f} MB: the most disputed, the "
            "worst and the best. For more, give --max-mb."
        )
    places = {id(p): f"pixels-{s}-{i}" for s, pictures in enumerate(shown) for i, p in enumerate(pictures)}
    elements = {places[key]: uris for key, uris in chosen.items()}
    return render(facts | {"notices": notices, "pictures": elements, "quality": quality})


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
    return Markup("\n".join((HERE / "static" / name).read_text() for name in names))


def _title(settings: Sequence[Setting]) -> str:
    run = settings[0].run
    sets = ", ".join(dict.fromkeys(setting.run["dataset"] for setting in settings))
    return f"{run['label'] if len(settings) == 1 else run['task']} on {sets}"


def _section(setting: Setting, summary: Summary) -> dict[str, Any]:
    """What the template says about a setting."""
    return {
        "label": setting.label,
        "facts": (
            f"{len(summary.table)} methods",
            f"{setting.run['counts']['images']} images",
            f"{setting.run['split']} split",
            f"seed {setting.run['seed']}",
            f"protocol {setting.run['protocol']}",
        ),
        "summary": summary_table(summary, setting.records),
        "published": published_table(summary, setting.run),
        "finding": _finding(summary),
        "notes": summary.notes,
    }


def _finding(summary: Summary) -> dict[str, Any] | None:
    """The best row by the first metric and those that are not significantly worse, or None."""
    metric = summary.metrics[0]
    marks = summary.table[f"{metric.name}_mark"]
    best = summary.table[marks == BEST]
    if best.empty:
        return None
    row = best.iloc[0]
    return {
        "method": row.method,
        "score": f"{row[metric.name]:.{metric.decimals}f} {metric.unit}".rstrip(),
        "metric": metric.title,
        "tied": list(summary.table.method[marks == TIED]),
    }


def _notices(setting: Setting, pictures: Sequence[Shown], damaged: Sequence[str], several: bool) -> list[str]:
    """What is missing in a setting, and how to get it."""
    notices = []
    for source in setting.sources:
        counts = source.run["counts"]
        done = int((source.records.error == "").sum())
        if done < counts["asked"]:
            notices.append(f"{source.name} has {done} of {counts['asked']} results; the same command makes the rest.")
    seen = {p.image: p.paths for p in pictures if CLEAN in p.paths}
    if len(seen) < len(pictures):
        notices.append(
            f"Pictures were kept of {len(seen) or 'none'} of the {len(pictures)} images; run again with --save-images "
            "to look at all of them."
        )
    finished = setting.records[setting.records.error == ""]
    pairs = zip(finished.method, finished.image, strict=True)
    absent = dict.fromkeys(m for m, image in pairs if RESTORED + m not in seen.get(image, {RESTORED + m}))
    if absent:
        notices.append(f"Some pictures of {', '.join(absent)} were not kept; run again with --save-images.")
    if seen and not any(key.startswith(PHI) for paths in seen.values() for key in paths):
        notices.append("No map of φ was kept: no method of this run has one per pixel, or its pictures are missing.")
    if damaged:
        notices.append(f"{len(damaged)} picture(s) cannot be read, for instance {damaged[0]}.")
    machines = {json.dumps(source.run["hardware"], sort_keys=True) for source in setting.sources}
    if len(machines) > 1:
        notices.append("The seconds were measured on different machines and do not compare.")
    return [f"{setting.label}: {notice}" for notice in notices] if several else notices


def _order(settings: Sequence[Setting], summaries: Sequence[Summary], shown: Sequence[Sequence[Shown]]) -> list[Shown]:
    """The images that have pictures, the most telling first, the settings in turn."""
    queues = []
    for setting, summary, pictures in zip(settings, summaries, shown, strict=True):
        metric = summary.metrics[0]
        means = setting.records.groupby("image")[metric.name].mean() * (1 if metric.higher_is_better else -1)
        scores = {str(image): float(value) for image, value in means.items() if np.isfinite(value)}
        queues.append(telling([picture for picture in pictures if picture.paths], scores))
    turns = itertools.chain.from_iterable(itertools.zip_longest(*queues))
    return [picture for picture in turns if picture is not None]


def _provenance(source: Source) -> dict[str, Any]:
    """How a run was made, without paths of the machine it was made on."""
    run = source.run
    machine = run["hardware"]
    arguments = [f"--task {run['task']}", f"--dataset {run['dataset']}", f"--protocol {run['protocol']}"]
    return {
        "name": source.name,
        "facts": {
            "Run": " ".join(arguments) + f" --split {run['split']} --seed {run['seed']}",
            "Made": f"{run['began']}, commit {run['commit']}",
            "Machine": ", ".join(f"{key} {value}" for key, value in machine.items() if value),
            "Versions": ", ".join(f"{name} {version}" for name, version in run["versions"].items()),
            "Threads": f"{run['threads']} per worker, {run['jobs']} workers",
        },
        "not_run": run["not_run"],
        "not_measured": run["not_measured"],
        "weights": run["weights"],
    }
