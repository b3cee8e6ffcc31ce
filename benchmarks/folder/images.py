"""Look at the images of a set before a run or an export begins."""

from __future__ import annotations

import sys

from datasets.dataset import Dataset, Entry
from datasets.errors import SuiteError
from datasets.task import Task


def images_of(
    task: Task, dataset: Dataset, split: str, limit: int | None = None, strict: bool = False
) -> tuple[list[Entry], dict[str, tuple[int, ...]], dict[str, str], dict[str, str]]:
    """Return the images that can be used, their shapes, hashes of their files, and for each of the others the reason.

    Args:
        limit: only the first so many; None: all.
        strict: leave none out.

    Raises:
        SuiteError: an image cannot be used, and it is to be strict; or none can.
    """
    if task.needs_colour and not dataset.colour:
        raise SuiteError(f"the images of {dataset.label} are grayscale: {task.name} needs colour images.")
    missing = dataset.available(split)
    if missing is not None:
        print(f"note: {missing}", file=sys.stderr)
    entries = dataset.entries(split)[:limit]
    shapes, hashes, unread = {}, {}, {}
    for entry in entries:
        try:
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
    if not shapes:
        raise SuiteError(next(iter(unread.values()), f"{dataset.label} holds no image."))
    return [entry for entry in entries if entry.name in shapes], shapes, hashes, unread
