"""Look at the images of a set before a run or an export begins."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from datasets.dataset import Dataset, Entry
from datasets.errors import SuiteError
from datasets.task import Task


def images_of(
    task: Task,
    dataset: Dataset,
    split: str,
    limit: int | None = None,
    strict: bool = False,
    known: Mapping[str, str] | None = None,
) -> tuple[list[Entry], dict[str, tuple[int, ...]], dict[str, str], dict[str, str]]:
    """Return the images that can be used, their shapes, hashes of their files, and for each of the others the reason.

    Args:
        limit: only the first so many; None: all.
        strict: leave none out.
        known: name → hash of images that were read for this task before. One that is unchanged is not read again, and
            its shape is not returned.

    Raises:
        SuiteError: an image cannot be used, and it is to be strict; or none can.
    """
    if task.needs_colour and not dataset.colour:
        raise SuiteError(f"the images of {dataset.label} are grayscale: {task.name} needs colour images.")
    missing = dataset.available(split)
    if missing is not None:
        print(f"note: {missing}", file=sys.stderr)
    entries = dataset.entries(split)[:limit]
    shapes: dict[str, tuple[int, ...]] = {}
    hashes: dict[str, str] = {}
    unread: dict[str, str] = {}
    known = known or {}
    for entry in entries:
        try:
            if entry.name in known and entry.sha256() == known[entry.name]:
                hashes[entry.name] = known[entry.name]
                continue
            image = entry.load()
            if task.needs_colour and image.shape[0] != 3:
                raise SuiteError(
                    f"image '{entry.name}' of {dataset.label} is grayscale: {task.name} needs colour images."
                )
            shapes[entry.name], hashes[entry.name] = tuple(image.shape), entry.sha256()
        except SuiteError as error:
            if strict:
                raise
            unread[entry.name] = str(error)
    if not hashes:
        raise SuiteError(next(iter(unread.values()), f"{dataset.label} holds no image."))
    return [entry for entry in entries if entry.name in hashes], shapes, hashes, unread
