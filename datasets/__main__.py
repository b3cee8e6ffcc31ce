"""The command line of the datasets: `python -m datasets list | fetch NAME | verify [NAME]`.

A mistyped name is answered before anything heavy is imported.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import MISSING
from typing import TYPE_CHECKING

from datasets import fetch
from datasets.catalog import SETS
from datasets.cli import guarded
from datasets.errors import SuiteError, unknown
from datasets.spec import parameters, parse

if TYPE_CHECKING:
    from datasets.dataset import Dataset, Entry

MODELS, KERNELS = "models", "kernels"
"""On the command line: the registry's files of trained weights, with their configurations, and of blur kernels."""
MODEL_ENDINGS = (".mat", ".pt", ".pth", "/config.json")
KERNEL_FOLDER = "cszn-KAIR/kernels/"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 if `verify` finds fault, 2 on an error."""
    parser = argparse.ArgumentParser(
        prog="python -m datasets",
        description="The clean images of the suite: which sets there are, getting them, checking them.",
        epilog=f"{fetch.MIRROR} names a folder that already holds the files (only read). "
        f"{fetch.CACHE} says where downloads are kept (now {fetch.cache_folder()}).",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the named sets and where their images are now")
    get = commands.add_parser("fetch", help="download what is not here yet, and again what is damaged")
    get.add_argument(
        "name",
        metavar="NAME",
        help=f"a set, '{MODELS}' (published weights), '{KERNELS}' (blur kernels), a file or folder of "
        "datasets/registry.csv, or 'all'",
    )
    get.add_argument("--split", help="only this split of the set")
    check = commands.add_parser(
        "verify",
        help="hash every image that is here and compare",
        description="Hash every image that is here and compare. Exit status 1 if a file is damaged, if a set that is "
        "partly here lacks one, or if a set named on the command line is not all here.",
    )
    check.add_argument(
        "name", metavar="NAME", nargs="?", help="a set or a folder of images; every known file if left out"
    )
    options = parser.parse_args(arguments)
    if options.command == "list":
        return _list()
    if options.command == "fetch":
        return _fetch(options.name, options.split)
    return _verify(options.name)


def named_sets() -> list[Dataset]:
    """Return every set that has a name of its own: by its defaults, or its variants if a parameter must be given."""
    sets = []
    for name, found in SETS.index().items():
        more = any(each.default is MISSING for each in parameters(SETS.get(name)).values())
        sets += [SETS.build(each) for each in ([variant for variant, _ in found.variants] if more else [name])]
    return sorted(sets, key=lambda dataset: dataset.label)


def _list() -> int:
    from rich.markup import escape
    from rich.table import Table

    from datasets.cli import console

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("name", no_wrap=True)
    for title in ("images", "colour", "where", "what", "source"):
        table.add_column(title, overflow="fold")
    for dataset in named_sets():
        images = {split: dataset.entries(split) for split in dataset.splits}
        places = Counter(entry.where() or "not here" for entries in images.values() for entry in entries)
        table.add_row(
            escape(dataset.label),
            ", ".join(f"{split} {len(entries)}" for split, entries in images.items()),
            "colour" if dataset.colour else "gray",
            next(iter(places)) if len(places) == 1 else ", ".join(f"{place} {n}" for place, n in places.items()),
            escape(dataset.title),
            escape(dataset.source),
        )
    console().print(table)
    print("Get one with `python -m datasets fetch NAME`. Any folder of images is a set too: give its path.")
    return 0


def _select(name: str, split: str | None) -> list[str]:
    """Return the registry's paths that a name on the command line means."""
    if parse(name, "dataset").name in SETS.names():
        from datasets.dataset import RegisteredSet

        dataset = SETS.build(name)
        if split is not None:
            dataset.check_split(split)
        if not isinstance(dataset, RegisteredSet):
            return []
        return [path for each in dataset.splits if split in (None, each) for path in dataset.paths(each)]
    if split is not None:
        raise SuiteError(f"--split goes with the name of a set, and '{name}' is none.")
    known = list(fetch.registry())
    kernels = [path for path in known if path.startswith(KERNEL_FOLDER)]
    models = [path for path in known if path.endswith(MODEL_ENDINGS) and path not in kernels]
    prefix = name.rstrip("/")
    named = {MODELS: models, KERNELS: kernels, "all": known}
    paths = named.get(name) or [path for path in known if path == prefix or path.startswith(f"{prefix}/")]
    if not paths:
        raise unknown("dataset", name, [*SETS.names(), MODELS, KERNELS, "all"])
    return paths


def _fetch(name: str, split: str | None) -> int:
    from tqdm import tqdm

    paths = _select(name, split)
    if not paths:
        print(f"{name} needs no download: its images come with an installed package.")
        return 0
    total = sum(fetch.remote(path).bytes for path in paths)
    places: Counter[str] = Counter()
    with tqdm(total=total, desc=name, unit="B", unit_scale=True, disable=None) as bar:
        for path in paths:
            found = fetch.locate(path)
            fetch.local_path(path, name, repair=True)
            places["downloaded" if found is None else f"in the {found[0]}"] += 1
            bar.update(fetch.remote(path).bytes)
    summary = ", ".join(f"{n} {place}" for place, n in places.items())
    print(f"{name}: {len(paths)} files, all verified ({summary}).")
    return 0


def _everything() -> dict[str, list[Entry]]:
    """Return every set's images, and the registry's other files under a name of their own."""
    from datasets.dataset import RegisteredImage, RegisteredSet

    sets = named_sets()
    groups = {dataset.label: _images(dataset) for dataset in sets}
    registered = [dataset for dataset in sets if isinstance(dataset, RegisteredSet)]
    in_sets = {path for dataset in registered for split in dataset.splits for path in dataset.paths(split)}
    others: list[Entry] = [RegisteredImage(path, path, "all") for path in fetch.registry() if path not in in_sets]
    return {**groups, "other files": others}


def _images(dataset: Dataset) -> list[Entry]:
    return [entry for split in dataset.splits for entry in dataset.entries(split)]


def _verify(name: str | None) -> int:
    from tqdm import tqdm

    one = None if name is None else SETS.build(SETS.of_place(name))
    groups = _everything() if one is None else {str(name): _images(one)}
    faults = 0
    for label, entries in groups.items():
        here = [entry for entry in entries if entry.where() is not None]
        damaged = 0
        for entry in tqdm(here, desc=label, leave=False, disable=None):
            try:
                entry.check()
            except SuiteError as error:
                damaged += 1
                print(f"damaged: {error}")
        missing = len(entries) - len(here)
        print(f"{label}: {len(entries)} files, {len(here) - damaged} verified, {damaged} damaged, {missing} missing")
        # A set that nobody fetched is no fault, unless it was asked for by name.
        faults += damaged + (missing if here or name is not None else 0)
    if one is not None and one.left_out:
        print(f"left out: {one.left_out}")
    if faults:
        print(f"{faults} at fault: `python -m datasets fetch {name or 'NAME'}` gets what is missing or damaged.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(guarded(main))
