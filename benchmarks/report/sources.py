"""Read the folders that a report is asked for; what cannot be read is said, not hidden."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.folder.pictures import Pictures, image_folder
from benchmarks.folder.run_folder import FACTS, RECORDS, RunFolder
from datasets.errors import SuiteError


def read_source(path: Path) -> RunFolder:
    """Read a run: its facts and its records.

    Raises:
        SuiteError: the folder, its run.json or its records are not there, damaged or of another version, or a name of
            an image is no name of a file.
    """
    if not path.is_dir():
        raise SuiteError(f"{path} is not a folder.")
    run = RunFolder(path)
    if not run.exists():
        raise SuiteError(f"{path} holds no run: {_remedy(path)}")
    run.facts  # noqa: B018 - read here, so that what is wrong is this folder's
    if run.records.empty:
        raise SuiteError(f"{path} holds no records: its run stopped before the first; run the same command again.")
    for image in dict.fromkeys((*run.records.image, *run.facts.images)):
        try:
            image_folder(path, image)
        except SuiteError as error:
            raise SuiteError(f"{path}: {error}") from error
    return run


def pictures_of(run: RunFolder) -> Pictures:
    """Return the pictures of a run: scores of another protocol lie in a subfolder of the run that has the images."""
    home = RunFolder(run.path.resolve().parent)
    return home.pictures if run.facts.rescored_from and home.exists() else run.pictures


def _remedy(folder: Path) -> str:
    runs = sorted(path.parent for path in folder.glob(f"*/{FACTS}"))
    if runs:
        more = f" (there are {len(runs)})" if len(runs) > 1 else ""
        return f"give the folder of a run, such as {runs[0]}{more}."
    if (folder / RECORDS).exists():
        return "there are records, but no run.json that says what they are records of."
    return "it has no run.json and no records.csv; make one with `python -m benchmarks.run --out`."


def read_sources(folders: Sequence[Path]) -> tuple[list[RunFolder], list[str]]:
    """Read what can be read of the folders.

    Returns:
        the runs, each folder once, and a sentence for every folder that had to be left out.

    Raises:
        SuiteError: none can be read; the message names every reason.
    """
    runs, missing = [], []
    for folder in {folder.resolve(): folder for folder in folders}.values():
        try:
            runs.append(read_source(folder))
        except SuiteError as error:
            missing.append(f"Left out: {error}")
    if not runs:
        raise SuiteError(" ".join(reason.removeprefix("Left out: ") for reason in missing))
    return runs, missing
