"""What happens in a worker process: load, degrade, restore, time, score.

A worker is a pure function of its job and item. It keeps the last image it degraded and the reference features of its
metrics, because the rows of one image come one after another; that changes no number.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.processes import THREADS
from benchmarks.records import Record
from benchmarks.reliance.measure import Measurement, measure
from benchmarks.rows import Row
from benchmarks.scoring import Prepared, Scorer
from benchmarks.store import Store
from bigprior.fusion import Restoration
from datasets.dataset import get_dataset
from datasets.observation import Observation
from datasets.task import Key, Task, get_task
from methods.base import Method

WARM_UP_SIDE = 32


@dataclass(frozen=True)
class Job:
    """What all items of a run have in common. Plain values: it travels to other processes."""

    task: str
    parameters: tuple[tuple[str, object], ...]
    dataset: str
    split: str
    seed: int
    protocol: str
    metrics: tuple[str, ...]
    device: str
    out: Path
    save_images: bool = False
    reliance: bool = False
    preview: frozenset[str] = frozenset()
    """Images of which PNGs are kept to look at."""


@dataclass(frozen=True)
class Item:
    """A unit of work: one row on one batch of images of one size."""

    row: Row
    images: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What an item gave: its records, and where the time went."""

    item: Item
    records: tuple[Record, ...]
    restore_seconds: float
    score_seconds: float
    """Metrics, and the measurement of reliance."""
    total_seconds: float


def limit_threads() -> None:
    """Make this process compute on one thread."""
    import cv2

    torch.set_num_threads(THREADS)
    cv2.setNumThreads(THREADS)


@lru_cache(maxsize=1)
def _task(job: Job) -> Task:
    return get_task(job.task, **dict(job.parameters))


@lru_cache(maxsize=1)
def _entries(job: Job) -> dict[str, Any]:
    return {entry.name: entry for entry in get_dataset(job.dataset).entries(job.split)}


@lru_cache(maxsize=1)
def _scorer(job: Job) -> Scorer:
    return Scorer(job.protocol, job.metrics, job.device)


@lru_cache(maxsize=1)
def _observations(job: Job, images: tuple[str, ...]) -> list[Observation]:
    """The degraded images of a batch, kept for the next row: rows of the same images come one after another."""
    name = get_dataset(job.dataset).name
    return [_task(job).degrade(_entries(job)[image].load(), Key(job.seed, name, image)) for image in images]


@lru_cache(maxsize=1)
def _prepared(job: Job, images: tuple[str, ...]) -> list[Prepared]:
    """The metrics' share of the references, computed once for all rows of the same images."""
    truths = [(o.truth.clean, o.mask) for o in _observations(job, images) if o.truth is not None]
    return [_scorer(job).prepare(clean, mask) for clean, mask in truths]


@cache
def _method(row: Row, job: Job) -> Method:
    """Build the method and warm it up on a small image, so that no first-call cost is timed."""
    method = row.build()
    if not method.warm_up:
        return method
    side = WARM_UP_SIDE
    ramp = torch.linspace(0, 1, side).expand(side, side)
    clean = torch.stack([ramp, ramp.T, 1 - ramp])
    observation = _task(job).degrade(clean, Key(0, "warm-up", "warm-up"))
    with contextlib.suppress(Exception):  # if it fails on real images too, that is recorded there
        method.restore(_view(observation, row, method, job))
    return method


def _view(observation: Observation, row: Row, method: Method, job: Job) -> Observation:
    """The observation as the row may see it, where it computes."""
    if row.true_sigma or method.oracle:
        observation = observation.with_true_sigma()
    if not method.oracle:
        observation = observation.without_truth()
    kind = job.device.split(":")[0]
    return observation.to(job.device if kind in method.devices else "cpu")


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


class _PeakMemory:
    """Peak memory above the start, MiB: of the CUDA allocator, or the resident set where Linux can reset its peak."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.cuda = device.startswith("cuda")
        if self.cuda:
            torch.cuda.reset_peak_memory_stats(device)
            self.start = torch.cuda.memory_allocated(device) / 2**20
        else:
            try:
                Path("/proc/self/clear_refs").write_text("5")
                self.start = self._status("VmRSS")
            except OSError:
                self.start = float("nan")

    @staticmethod
    def _status(name: str) -> float:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return float(line.split()[1]) / 1024
        raise OSError(name)

    def read(self) -> float | None:
        """The peak so far, or None where it cannot be measured."""
        if self.cuda:
            return torch.cuda.max_memory_allocated(self.device) / 2**20 - self.start
        try:
            return max(0.0, self._status("VmHWM") - self.start) if self.start == self.start else None
        except OSError:
            return None


def _check(restoration: Restoration, observation: Observation) -> None:
    clean_shape = observation.fidelity.shape
    if restoration.image.shape != clean_shape:
        raise ValueError(f"returned shape {tuple(restoration.image.shape)} instead of {tuple(clean_shape)}")
    if not torch.isfinite(restoration.image).all():
        raise ValueError("returned pixels that are not finite")


def _number(values: Tensor | None, index: int) -> float | None:
    return None if values is None else float(values[index])


def work(job: Job, item: Item) -> Outcome:
    """Run one item. An exception of the method is a record with its error, never a lost run."""
    began = time.perf_counter()
    limit_threads()
    # Not inference mode: a method that optimises (an inversion) may enable gradients in it.
    with torch.no_grad():
        outcome = _attempt(job, item)
    return replace(outcome, total_seconds=time.perf_counter() - began)


def _attempt(job: Job, item: Item) -> Outcome:
    observations = _observations(job, item.images)
    blank = [
        Record(
            task=job.task,
            dataset=get_dataset(job.dataset).name,
            image=image,
            method=item.row.label,
            sigma=_sigma(job, observation),
        )
        for image, observation in zip(item.images, observations, strict=True)
    ]
    began = time.perf_counter()
    try:
        method = _method(item.row, job)
        given = _view(Observation.cat(observations), item.row, method, job)
        _synchronise(job.device)
        memory = _PeakMemory(job.device)
        began = time.perf_counter()
        restoration = method.restore(given)
        _synchronise(job.device)
        seconds = time.perf_counter() - began
        peak = memory.read()
        _check(restoration, given)
        began = time.perf_counter()
        measured = _reliance(job, given, method, restoration, observations)
    except Exception as error:
        spent = time.perf_counter() - began
        if len(item.images) > 1:
            # The images of a batch must not fall with one of them.
            single = [_attempt(job, Item(item.row, (image,))) for image in item.images]
            return Outcome(
                item,
                tuple(record for outcome in single for record in outcome.records),
                spent + sum(outcome.restore_seconds for outcome in single),
                sum(outcome.score_seconds for outcome in single),
                0.0,
            )
        message = f"{type(error).__name__}: {error}"
        return Outcome(item, (replace(blank[0], error=message),), spent, 0.0, 0.0)

    phi_mean, phi_outside = restoration.phi_mean(), _outside(restoration)
    records = []
    for index, (record, prepared) in enumerate(zip(blank, _prepared(job, item.images), strict=True)):
        image = restoration.image[index : index + 1]
        scores = {name: float(value) for name, value in _scorer(job).score(prepared, image).items()}
        records.append(
            replace(
                record,
                **scores,  # type: ignore[arg-type]
                phi_mean=_number(phi_mean, index),
                phi_outside=_number(phi_outside, index),
                seconds=seconds / len(item.images),
                peak_mb=peak,
                phi_implied=measured[index].implied if measured else None,
                phi_implied_se=measured[index].standard_error if measured else None,
                sure=measured[index].sure if measured else None,
            )
        )
    score_seconds = time.perf_counter() - began
    _save(job, item, observations, restoration, measured)
    return Outcome(item, tuple(records), seconds, score_seconds, 0.0)


def _sigma(job: Job, observation: Observation) -> float | None:
    if job.task != "denoise" or observation.truth is None:
        return None
    return round(float(observation.truth.sigma) * 255, 4)


def _outside(restoration: Restoration) -> Tensor | None:
    if restoration.phi is None:
        return None
    phi = restoration.phi
    return ((phi < 0) | (phi > 1)).flatten(1).double().mean(dim=1)


def _reliance(
    job: Job, given: Observation, method: Method, restoration: Restoration, observations: Sequence[Observation]
) -> list[Measurement]:
    """Measure the implied reliance of a batch, if the run asks for it."""
    truth = Observation.cat(observations).truth
    return measure(method.restore, given, restoration, truth) if job.reliance and truth is not None else []


def _save(
    job: Job,
    item: Item,
    observations: Sequence[Observation],
    restoration: Restoration,
    measured: Sequence[Measurement],
) -> None:
    store = Store(job.out)
    for index, image in enumerate(item.images):
        if job.save_images:
            store.save(item.row.label, image, observations[index], restoration, index)
        if measured:
            store.save_reliance(item.row.label, image, measured[index].arrays)
        if image in job.preview:
            store.preview(item.row.label, image, observations[index], restoration, index)


def prepare_process(settings: dict[str, str]) -> None:
    """Run once in a new worker process: the parent's settings, no Ctrl-C of its own, and no life after the parent's.

    Args:
        settings: environment variables as the parent has them.
    """
    os.environ.update(settings)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    """End this process when its parent's end closes the sentinel (a killed parent cannot end its workers)."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
