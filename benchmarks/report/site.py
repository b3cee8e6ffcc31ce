"""A site: static pages of many runs, each with its downloads; relative links, and nothing from elsewhere.

index.html                          the tasks, the best of every setting, the methods
tasks/TASK.html                     the matrix over sets and levels, for every metric
settings/SETTING/index.html         the table of a run, its files, its report
settings/SETTING/images/IMAGE.html  an image as every method restores it, where pictures were kept
methods/METHOD.html                 what a method is, and all its results
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.folder.run_folder import FACTS, RECORDS, RunFolder
from benchmarks.report.entries import Entry, overview, read_entries
from benchmarks.report.matrix import Matrix, matrices
from benchmarks.report.names import slugs
from benchmarks.report.notices import notices_of
from benchmarks.report.page import build, finding, provenance, read_static, render, summary_files, to_bytes
from benchmarks.report.pictures import CLEAN, DEGRADED, PHI, PRIOR, RESTORED, Shown, coloured
from benchmarks.report.site_methods import Described, describe, method_of, results
from benchmarks.tables.column import published_table, table_of
from datasets.errors import SuiteError
from datasets.files import write_atomically

STYLES = ("base.css", "tables.css", "site.css")
SCRIPTS = ("dom.js", "theme.js", "sorting.js")
REPORT_SHARE = 2e6
"""Bytes that the report of one run may take on a site."""
KINDS = {CLEAN: "clean", DEGRADED: "degraded", RESTORED: "restored by", PRIOR: "prior of", PHI: "φ of"}


@dataclass(frozen=True)
class Addresses:
    """Where pages lie: the name of a method or a task → what its file is called."""

    methods: dict[str, str]
    tasks: dict[str, str]


def write_site(runs: Sequence[RunFolder], out: Path, left_out: int, limit: float) -> tuple[int, int]:
    """Write a site into a folder that is not there or is empty.

    Args:
        left_out: how many folders could not be read; the start page says so.
        limit: bytes that the pictures of all images may take.

    Returns:
        the number of pages, and of bytes.

    Raises:
        SuiteError: the folder has something in it or cannot be written.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise SuiteError(f"{out} is no folder: give another to --site.")
    if out.is_dir() and any(out.iterdir()):
        raise SuiteError(f"{out} is not empty: remove it, or give another folder to --site.")
    pages = size = 0
    for name, content in site_files(read_entries(runs), left_out, limit):
        try:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SuiteError(f"{out} cannot be written ({error.strerror}): give another folder to --site.") from error
        write_atomically(out / name, content)
        pages += name.endswith(".html")
        size += len(content)
    return pages, size


def site_files(entries: Sequence[Entry], left_out: int, limit: float) -> Iterator[tuple[str, bytes]]:
    """Make every file of a site: its path in the site, and its content."""
    methods = describe(entries)
    addresses = Addresses(slugs(methods), slugs(entry.task for entry in entries))
    groups = {task: [entry for entry in entries if entry.task == task] for task in addresses.tasks}
    common = {"style": read_static(STYLES), "script": read_static(SCRIPTS), "tasks": addresses.tasks}

    def page(template: str, depth: int, facts: dict[str, Any]) -> bytes:
        return to_bytes(render(f"site_{template}.html.j2", common | {"root": "../" * depth} | facts))

    yield "index.html", page("start", 0, _start(groups, methods, addresses, left_out))
    for task, group in groups.items():
        facts, files = _task(group, addresses)
        yield f"tasks/{addresses.tasks[task]}.html", page("task", 1, facts)
        yield from ((f"tasks/{name}", to_bytes(text)) for name, text in files.items())
    for described in methods.values():
        yield f"methods/{addresses.methods[described.name]}.html", page("method", 1, _method(described))
    budget = limit
    for entry in entries:
        folder = f"settings/{entry.slug}"
        kept = _affordable(entry, budget)
        budget -= sum(_bytes_of(shown) for shown in kept)
        files = summary_files(entry.summary, pairs=True) | {"report.html": _report(entry)}
        copied = {name: path.read_bytes() for name in (RECORDS, FACTS) if (path := entry.run.path / name).is_file()}
        downloads = [*copied, *(name for name in files if name != "report.html")]
        yield f"{folder}/index.html", page("setting", 2, _setting(entry, addresses, downloads, kept))
        yield from ((f"{folder}/{name}", to_bytes(text)) for name, text in files.items())
        yield from ((f"{folder}/{name}", content) for name, content in copied.items())
        for before, shown, after in zip([None, *kept], kept, [*kept[1:], None], strict=False):
            facts, pictures = _image(entry, shown, before, after)
            yield f"{folder}/images/{entry.pages[shown.image]}.html", page("image", 3, facts)
            yield from ((f"{folder}/images/{name}", content) for name, content in pictures.items())


def _links(entries: Sequence[Entry], root: str) -> dict[str, str]:
    return {entry.name: f"{root}settings/{entry.slug}/index.html" for entry in entries}


def _start(
    groups: dict[str, list[Entry]], methods: dict[str, Described], addresses: Addresses, left_out: int
) -> dict[str, Any]:
    return {
        "groups": [
            {"task": task, "about": _about(group), "table": overview(group), "links": _links(group, "")}
            for task, group in groups.items()
        ],
        "methods": [(described, addresses.methods[name]) for name, described in methods.items()],
        "left_out": left_out,
    }


def _about(group: Sequence[Entry]) -> str:
    return group[0].facts.setting.task.summary


def _task(group: Sequence[Entry], addresses: Addresses) -> tuple[dict[str, Any], dict[str, str]]:
    """What the page of a task says, and the files beside it."""
    parts: list[dict[str, Any]] = []
    files: dict[str, str] = {}
    by_protocol = itertools.groupby(sorted(group, key=_protocol), key=_protocol)
    for protocol, runs in ((name, list(some)) for name, some in by_protocol):
        made: list[Matrix] = []
        reason = ""
        try:
            made = matrices([(entry.facts, entry.summary) for entry in runs])
        except SuiteError as error:
            reason = f"No matrix: {error}"
        prefix = f"{addresses.tasks[group[0].task]}-{protocol}"
        names = slugs(f"{prefix}-{matrix.metric.name}" for matrix in made)
        tables = []
        for matrix in made:
            own = {f"{names[f'{prefix}-{matrix.metric.name}']}.{end}": text for end, text in matrix.texts.items()}
            files |= own
            tables.append({"matrix": matrix, "files": list(own)})
        parts.append({"protocol": protocol, "tables": tables, "reason": reason})
    facts = {
        "title": group[0].task,
        "about": _about(group),
        "table": overview(group),
        "links": _links(group, "../"),
        "parts": parts,
        "rows": {
            row: _method_link(entry, row, addresses, "../") for entry in group for row in entry.summary.table.method
        },
    }
    return facts, files


def _protocol(entry: Entry) -> str:
    return entry.facts.setting.protocol.name


def _method_link(entry: Entry, row: str, addresses: Addresses, root: str) -> str:
    return f"{root}methods/{addresses.methods[method_of(entry, row)]}.html"


def _method(described: Described) -> dict[str, Any]:
    entries = [entry for entry, _ in described.rows]
    return {"method": described, "table": results(described), "links": _links(entries, "../")}


def _setting(entry: Entry, addresses: Addresses, downloads: Sequence[str], kept: Sequence[Shown]) -> dict[str, Any]:
    setting, facts = entry.facts.setting, entry.facts
    there = len(entry.pages)
    fits = f"Pictures of {len(kept)} of {there} images fit into the site; for more, give --max-mb."
    return {
        "entry": entry,
        "about": (
            f"{len(entry.summary.table)} methods",
            f"{facts.counts.images} images",
            f"{setting.split} split",
            f"seed {setting.seed}",
            f"protocol {setting.protocol.name}",
        ),
        "finding": finding(entry.summary),
        "table": table_of(entry.summary),
        "published": published_table(entry.summary),
        "notices": notices_of([entry.merged], [entry.shown], [entry.damaged]),
        "too_many": fits if len(kept) < there else "",
        "downloads": downloads,
        "task_page": addresses.tasks[entry.task],
        "rows": {row: _method_link(entry, row, addresses, "../../") for row in entry.summary.table.method},
        "images": [(shown, entry.pages[shown.image]) for shown in kept],
        "origin": provenance(entry.run),
    }


def _report(entry: Entry) -> str:
    made = entry.facts.ended or entry.facts.began
    return build([entry.merged], [], REPORT_SHARE, [entry.summary], f"of the run of {made}")


def _bytes_of(shown: Shown) -> int:
    return sum(path.stat().st_size for path in shown.paths.values())


def _affordable(entry: Entry, room: float) -> list[Shown]:
    """The images of a run whose pictures fit, the first first."""
    kept = []
    for shown in entry.shown:
        room -= _bytes_of(shown)
        if room < 0:
            break
        if shown.paths:
            kept.append(shown)
    return kept


def _image(
    entry: Entry, shown: Shown, before: Shown | None, after: Shown | None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What the page of an image says, and its pictures: file → content."""
    name = entry.pages[shown.image]
    metrics = entry.summary.metrics
    records = entry.merged.records[entry.merged.records.image == shown.image].set_index("method")
    pictures, figures = {}, []
    for place, (key, path) in enumerate(shown.paths.items()):
        file = f"{name}-{place}.png"
        pictures[file] = coloured(path) if key.startswith(PHI) else path.read_bytes()
        kind, _, row = key.partition(":")
        what = f"{KINDS[f'{kind}:']} {row}" if row else KINDS[kind]
        score = ""
        if key.startswith(RESTORED) and metrics and row in records.index:
            first = metrics[0]
            value = float(records[first.name][row])
            score = f"{first.title} {value:.{first.decimals}f} {first.unit}".rstrip() if value == value else ""
        figures.append({"file": file, "what": what, "score": score})
    facts = {
        "entry": entry,
        "shown": shown,
        "figures": figures,
        "before": before and entry.pages[before.image],
        "after": after and entry.pages[after.image],
    }
    return facts, pictures
