"""What a site is made of: its runs, each with its summary, its pictures and the address of its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.folder.facts import Facts
from benchmarks.folder.run_folder import RunFolder
from benchmarks.report.merge import Merged, merge
from benchmarks.report.names import slugs
from benchmarks.report.pictures import Shown, find_pictures
from benchmarks.tables.column import Cell, Column, Table, fixed, head_of
from benchmarks.tables.pairs import undecided
from benchmarks.tables.summary import BEST, TIED, Summary, summarise


@dataclass(frozen=True)
class Entry:
    """A run of a site.

    Attributes:
        name: what it is called on all pages; no two are alike.
        slug: the folder of its page in `settings/`.
        pages: image → file of its page, of the images that have pictures.
    """

    name: str
    slug: str
    run: RunFolder
    merged: Merged
    summary: Summary
    shown: tuple[Shown, ...]
    damaged: tuple[str, ...]
    pages: dict[str, str]

    @property
    def facts(self) -> Facts:
        """How the run came about."""
        return self.merged.facts

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.facts.setting.task.name

    @property
    def level(self) -> tuple[str, list[tuple[bool, float, str]]]:
        """What it sorts by among the runs of a task: the set, then the parameters, numbers by their value."""
        values = map(str, self.facts.setting.task.parameters.values())
        return self.facts.setting.dataset, [_sortable(value) for value in values]


def _sortable(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text


def read_entries(runs: Sequence[RunFolder]) -> list[Entry]:
    """Return the runs as entries, by task, set and level.

    Raises:
        SuiteError: what was kept for a metric of sets cannot be read.
    """
    settings = [run.facts.setting for run in runs]
    plain = [f"{run.facts.name} on {setting.dataset}" for run, setting in zip(runs, settings, strict=True)]
    whole = [
        name if plain.count(name) == 1 else f"{name} ({setting.split}), seed {setting.seed}, {setting.protocol.name}"
        for name, setting in zip(plain, settings, strict=True)
    ]
    names = [name if whole.count(name) == 1 else f"{name}, run {place}" for place, name in enumerate(whole, 1)]
    addresses = slugs(names)
    made = [_entry(run, name, addresses[name]) for run, name in zip(runs, names, strict=True)]
    return sorted(made, key=lambda entry: (entry.task, entry.level, entry.name))


def _entry(run: RunFolder, name: str, slug: str) -> Entry:
    merged = merge([run])[0]
    summary = summarise(merged.records, merged.facts, merged.features)
    shown, damaged = find_pictures(merged, list(summary.table.method))
    pages = slugs(picture.image for picture in shown if picture.paths)
    return Entry(name, slug, run, merged, summary, tuple(shown), tuple(damaged), pages)


def overview(entries: Sequence[Entry]) -> Table:
    """Return a table with a line per run: what is best in it, and what is not significantly worse."""
    lines = [_line(entry) for entry in entries]
    heads = (
        ("setting", "setting", False),
        ("best", "best", False),
        ("score", "score", True),
        ("tied", "not significantly worse", False),
        ("images", "images", True),
        ("rows", "methods", True),
        ("protocol", "protocol", False),
    )
    columns = [
        Column(key, head, tuple(line[place] for line in lines), numeric=numeric, descending=numeric)
        for place, (key, head, numeric) in enumerate(heads)
    ]
    return Table(tuple(columns), tuple(entry.name for entry in entries), ("setting",) * len(entries))


def _line(entry: Entry) -> list[Cell]:
    first, table = entry.summary.first, entry.summary.table
    marks = table.get(f"{first.name}_mark")
    best = [] if marks is None else list(table.method[marks == BEST])
    tied = [] if marks is None else list(table.method[marks == TIED])
    mean = float(table[first.name][table.method == best[0]].iloc[0]) if best else None
    few = None if first.of_set else undecided(entry.summary.pairs, first.name)
    rest = ", ".join(tied) or (f"cannot be told: {few}" if few else "none" if best else "–")
    score = Cell() if mean is None else Cell(fixed(mean, first.decimals), head_of(first), value=mean)
    counts = entry.facts.counts.images, len(table)
    return [
        Cell(entry.name, value=entry.name),
        _text(", ".join(best)),
        score,
        _text(rest),
        *(Cell(str(count), value=count) for count in counts),
        _text(entry.facts.setting.protocol.name),
    ]


def _text(text: str) -> Cell:
    return Cell(text, value=text)
