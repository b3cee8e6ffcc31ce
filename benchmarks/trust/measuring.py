"""Measure rows on the images of a set, and keep the maps: what is there is not measured again.

    DIR/<version>/<task>/<set>-<split>[-crop]/<row>-<fingerprint>/<image>.npz

The images of calibration are the last HELD_OUT of a training split, which no network of the suite is fitted to and none
of the test splits has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.executors.clock import limit_threads
from benchmarks.rows import Row
from benchmarks.trust.maps import Maps, measured
from bigprior.draws import Sampled
from datasets.dataset import Dataset, Entry, get_dataset
from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.task import Key, Task, get_task
from datasets.training_images import HELD_OUT

REDRAWN, INDEXED = 6, 4
"""New measurements of an image for the Hallucination Index of a noisy task, and of how many images of a set."""
VERSION = 1
"""Of what is measured: another one, and everything is measured again."""
DIGITS, LONGEST = 8, 120
"""Of a fingerprint in the name of a folder, and letters of a name."""
VALIDATION, TEST = "validation", "test"


@dataclass(frozen=True)
class Part:
    """Some images of one set.

    Attributes:
        dataset: spec of the set.
        kind: VALIDATION or TEST.
        count: as many images at most.
        crop: side of the central square that is measured, in pixels; the whole image if None.
    """

    dataset: str
    kind: str
    count: int
    crop: int | None = None

    def source(self) -> tuple[Dataset, str]:
        """Return the set and the split that the images are from.

        Raises:
            SuiteError: validation images are asked for, and no training split belongs to the set.
        """
        dataset = get_dataset(self.dataset)
        if self.kind == TEST:
            return dataset, "test"
        if not dataset.disjoint_from:
            raise SuiteError(
                f"dataset '{dataset.label}' has no training split, so no validation images to calibrate on: give one "
                "that has, such as lsun-bedroom or cbsd68."
            )
        name, _, split = dataset.disjoint_from[0].partition(":")
        return get_dataset(name), split

    def entries(self) -> list[Entry]:
        """Return the images: the first of the test split, or the last of the training split."""
        dataset, split = self.source()
        found = dataset.entries(split)
        return (found if self.kind == TEST else found[-HELD_OUT:])[: self.count]

    def folder(self) -> str:
        """Name of the folder of its maps."""
        dataset, split = self.source()
        return f"{dataset.folder_name}-{split}" + (f"-{self.crop}" if self.crop else "")


@dataclass(frozen=True)
class Job:
    """One image, and the rows that it has no maps of.

    Attributes:
        task: its spec.
        number: of the image in `Part.entries`.
        rows: specs.
        files: of the maps, one per row.
    """

    task: str
    part: Part
    number: int
    rows: tuple[str, ...]
    files: tuple[Path, ...]


def folder_of(maps: Path, task: Task, part: Part, row: Row, keep: bool = False) -> Path:
    """Return the folder of the maps of a row on a part; the code of row and task is part of its name.

    Args:
        keep: if there is none of today's code, take the latest of any.
    """
    name, place = _plain(row.label), maps / f"v{VERSION}" / _plain(task.label) / part.folder()
    own = place / f"{name}-{row.facts(task, ()).fingerprint[:DIGITS]}"
    if own.is_dir() or not keep:
        return own
    others = [path for path in place.glob(f"{name}-{'[0-9a-f]' * DIGITS}") if path.is_dir()]
    return max(others, key=lambda path: path.stat().st_mtime, default=own)


def _plain(name: str) -> str:
    """A name as that of a file."""
    return re.sub(r"[^\w.,=+-]+", "-", name).strip("-")[:LONGEST]


def _file(folder: Path, image: str) -> Path:
    return folder / f"{_plain(image)}.npz"


def missing(maps: Path, task: str, parts: Sequence[Part], rows: Sequence[Row], keep: bool = False) -> list[Job]:
    """Return what is still to be measured, an image each."""
    jobs = []
    made = get_task(task)
    for part in parts:
        folders = {row.spec: folder_of(maps, made, part, row, keep) for row in rows}
        for number, entry in enumerate(part.entries()):
            files = {spec: _file(folder, entry.name) for spec, folder in folders.items()}
            lost = {spec: path for spec, path in files.items() if not path.is_file()}
            if lost:
                jobs.append(Job(task, part, number, tuple(lost), tuple(lost.values())))
    return jobs


def measure_all(jobs: Sequence[Job], workers: int) -> Iterator[int]:
    """Measure; yield how many images are done."""
    if workers == 1:
        for done, job in enumerate(jobs, 1):
            measure(job)
            yield done
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=limit_threads) as pool:
        for done, future in enumerate(as_completed([pool.submit(measure, job) for job in jobs]), 1):
            future.result()
            yield done


def measure(job: Job) -> None:
    """Measure the rows of one image and write their maps."""
    task, entry = get_task(job.task), job.part.entries()[job.number]
    dataset, _ = job.part.source()
    key = Key(0, dataset.label, entry.name)
    clean = central(entry.load(), job.part.crop)
    observation = task.degrade(clean, key)
    if observation.truth is None:
        raise ValueError("a task gives the truth with its observations")
    noisy = observation.truth.sigma is not None and bool((observation.truth.sigma > 0).all())
    indexed = noisy and job.part.kind == TEST and job.number < INDEXED
    with torch.no_grad():
        for spec, path in zip(job.rows, job.files, strict=True):
            row = Row.parse(spec)

            def again(row: Row = row) -> Tensor:
                return torch.cat([_draw(row, task.degrade(clean, replace(key, seed=n))) for n in range(1, REDRAWN + 1)])

            measured(
                row.method.restore, row.view(observation, "cpu"), observation.truth, again if indexed else None
            ).save(path)


def _draw(row: Row, observation: Observation) -> Tensor:
    """One draw (1,1,C,H,W) of the restoration of a new measurement."""
    restoration = row.method.restore(row.view(observation, "cpu"))
    return restoration.draws[:1] if isinstance(restoration, Sampled) else restoration.image[None]


def central(image: Tensor, side: int | None) -> Tensor:
    """Return the central square (C,S,S) of an image (C,H,W), less where that is smaller; the image itself if None."""
    if side is None:
        return image
    top, left = (max(0, (full - side) // 2) for full in image.shape[-2:])
    return image[:, top : top + side, left : left + side].contiguous()


def maps_of(maps: Path, task: Task, part: Part, row: Row, keep: bool = False) -> list[Maps]:
    """Return the maps of a row on the images of a part that have them and a region, in order."""
    folder = folder_of(maps, task, part, row, keep)
    found = (Maps.load(_file(folder, entry.name)) for entry in part.entries())
    return [each for each in found if each is not None and each.region.any()]
