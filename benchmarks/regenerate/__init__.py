"""The committed results: what there is in `results/`, and how it is made, as `results/runs.toml` says."""

from __future__ import annotations

import argparse
import shlex
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.run import parser
from datasets.errors import SuiteError, unknown

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "results"
LIST = RESULTS / "runs.toml"
FACTS = "run.json"


@dataclass(frozen=True)
class Committed:
    """What `results/runs.toml` holds.

    Attributes:
        runs: folder → arguments of `python -m benchmarks run`.
        studies: folder → the commands that make it.
        readme: the folder of the README's table, and its rows there.
        warnings: study of trust → row → the predictors that docs/how-far-to-trust.md shows.
        scene_prior: column → rows of the scene prior's study in docs/notebook/priors.md, the first that is there.
    """

    runs: dict[str, list[str]]
    studies: dict[str, list[str]]
    readme: tuple[str, tuple[str, ...]]
    warnings: dict[str, dict[str, list[str]]]
    scene_prior: dict[str, list[str]]


@cache
def listed() -> Committed:
    try:
        values = tomllib.loads(LIST.read_text("utf-8"))
    except FileNotFoundError:
        raise SuiteError(f"{LIST} is not there: committed results are made in a clone of the repository.") from None
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{LIST} is no TOML: {error}.") from error
    try:
        groups: dict[str, str] = {}
        for name, text in values["methods"].items():
            groups[name] = text.format_map(groups)
        runs = {folder: shlex.split(text.format_map(groups)) for folder, text in values["runs"].items()}
        studies = {folder: [text.format_map(groups) for text in texts] for folder, texts in values["studies"].items()}
        readme = values["readme"]["folder"], tuple(values["readme"]["rows"])
        return Committed(runs, studies, readme, values["warnings"], values["scene-prior"])
    except KeyError as error:
        raise SuiteError(f"{LIST} has no entry {error}.") from error


def runs() -> dict[str, list[str]]:
    """Return every committed run: folder in `results/` → arguments of `python -m benchmarks run`.

    Raises:
        SuiteError: `results/runs.toml` is not there, or lacks something.
    """
    return listed().runs


def committed(folder: str) -> Path:
    """Return where a committed folder is."""
    return RESULTS / folder


def arguments_of(folder: str) -> argparse.Namespace:
    """Return the arguments of a committed run, its folder and the CPU included.

    Raises:
        SuiteError: there is no such run.
    """
    if folder not in runs():
        raise unknown("committed run", folder, runs())
    return parser().parse_args([*runs()[folder], "--device", "cpu", "--out", f"results/{folder}"])


def folders() -> list[str]:
    """Return every folder in `results/` that holds a committed run, those of studies included."""
    found = (path.parent.relative_to(RESULTS) for path in RESULTS.rglob(FACTS))
    return sorted(path.as_posix() for path in found if path.parts[0] != "runs" and "previous-" not in str(path))


def there() -> list[str]:
    """Return the committed runs that have been made, in the order of the list."""
    return [folder for folder in runs() if (committed(folder) / FACTS).exists()]
