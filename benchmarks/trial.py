"""The one pipeline: load → degrade → restore → clock → score → record.

A trial is a pure function of its bench and its row. The last images that were degraded and the metrics' share of their
references are kept, because the rows of one image come one after another; that changes no number.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.executors.clock import clocked, limit_threads
from benchmarks.folder.pictures import CLEAN, Pictures
from benchmarks.folder.records import Record
from benchmarks.rows import Row
from benchmarks.scores.measure import Measure
from benchmarks.scores.reliance import Measurement, measure
from benchmarks.scores.scorer import Prepared, Scorer
from bigprior.fusion import Restoration
from datasets.dataset import Entry
from datasets.files import StorageError
from datasets.observation import Observation
from datasets.task import Key, Task

WARM_UP_SIDE = 32
FAR = 4
"""Times the range of the observation: a restoration that goes beyond looks like one on another scale."""


@dataclass(frozen=True)
class Bench:
    """What all trials of a run have in common.

    Attributes:
        dataset: label of the data set, as in records and random keys.
        out: folder of the run, for pictures; None keeps none.
        reliance: measure the implied reliance too.
    """

    task: Task
    dataset: str
    seed: int
    measures: tuple[Measure, ...]
    device: str = "cpu"
    out: Path | None = None
    save_images: bool = False
    reliance: bool = False


@dataclass(frozen=True)
class Trial:
    """A unit of work: one row on one batch of images of one size.

    Attributes:
        previews: names of the images of which PNGs are kept to look at.
    """

    row: Row
    entries: tuple[Entry, ...]
    previews: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the images."""
        return tuple(entry.name for entry in self.entries)


def batches(row: Row, entries: Iterable[Entry], shapes: Mapping[str, tuple[int, ...]]) -> list[tuple[Entry, ...]]:
    """Cut images into the batches that a row restores at once: of one shape each, in the order of the images.

    Always cut the whole list: what is in a batch may change the last digits of a network's result.

    Args:
        shapes: of every image, by name.
    """
    by_shape: dict[tuple[int, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        by_shape[shapes[entry.name]].append(entry)
    size = row.method.batch_size
    return [tuple(same[start : start + size]) for same in by_shape.values() for start in range(0, len(same), size)]


@dataclass(frozen=True)
class Outcome:
    """What a trial gave: its records, and where the time went.

    Attributes:
        score_seconds: of the metrics, and of the measurement of reliance.
        doubt: what looks wrong with the restorations, though they were scored, or "".
    """

    row: str
    images: tuple[str, ...]
    records: tuple[Record, ...]
    restore_seconds: float = 0.0
    score_seconds: float = 0.0
    total_seconds: float = 0.0
    doubt: str = ""


def run_trial(bench: Bench, trial: Trial) -> Outcome:
    """Carry out one trial. Whatever goes wrong in it is a record with its error, never a lost run.

    Raises:
        StorageError: pictures cannot be written.
    """
    began = time.perf_counter()
    limit_threads()
    # Not inference mode: a method that optimises (an inversion) may enable gradients in it.
    with torch.no_grad():
        outcome = _guarded(bench, trial)
    return replace(outcome, total_seconds=time.perf_counter() - began)


def _guarded(bench: Bench, trial: Trial) -> Outcome:
    began = time.perf_counter()
    try:
        return _attempt(bench, trial)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:
        spent = time.perf_counter() - began
        if len(trial.entries) == 1:
            return failed(bench, trial, describe(error), spent)
    # The images of a batch must not fall with one of them.
    single = [_guarded(bench, replace(trial, entries=(entry,))) for entry in trial.entries]
    return Outcome(
        trial.row.label,
        trial.images,
        tuple(record for outcome in single for record in outcome.records),
        spent + sum(outcome.restore_seconds for outcome in single),
        sum(outcome.score_seconds for outcome in single),
    )


def failed(bench: Bench, trial: Trial, message: str, seconds: float = 0.0) -> Outcome:
    """Return the outcome of a trial that gave nothing."""
    records = []
    for entry in trial.entries:
        record = Record(bench.task.name, bench.dataset, entry.name, trial.row.label, error=message)
        with contextlib.suppress(Exception):  # an image that cannot be read has no level
            record = replace(record, values=_level(bench, _degraded(bench, (entry,))[0]))
        records.append(record)
    return Outcome(trial.row.label, trial.images, tuple(records), seconds)


def describe(error: BaseException) -> str:
    """Return an exception in words on one line, without control characters; one whose own words fail by its type."""
    try:
        said = f"{type(error).__name__}: {error}"
    except Exception:
        said = f"{type(error).__name__}, which cannot say what is wrong"
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())


@lru_cache(maxsize=1)
def _scorer(measures: tuple[Measure, ...], device: str) -> Scorer:
    return Scorer(measures, device)


@lru_cache(maxsize=1)
def _degraded(bench: Bench, entries: tuple[Entry, ...]) -> list[Observation]:
    return [bench.task.degrade(e.load(), Key(bench.seed, bench.dataset, e.name)) for e in entries]


@lru_cache(maxsize=1)
def _prepared(bench: Bench, entries: tuple[Entry, ...]) -> list[Prepared]:
    truths = [(o.truth.clean, o.mask) for o in _degraded(bench, entries) if o.truth is not None]
    return [_scorer(bench.measures, bench.device).prepare(clean, mask) for clean, mask in truths]


_WARM: set[tuple[str, str, str]] = set()
"""Rows that have restored something in this process, by label, task and device."""


def _warm_up(row: Row, task: Task, device: str) -> None:
    """Restore a small image first, so that no first-call cost is timed."""
    key = row.label, task.label, device
    if key in _WARM or not row.method.warm_up:
        return
    _WARM.add(key)
    ramp = torch.linspace(0, 1, WARM_UP_SIDE).expand(WARM_UP_SIDE, WARM_UP_SIDE)
    observation = task.degrade(torch.stack([ramp, ramp.T, 1 - ramp]), Key(0, "warm-up", "warm-up"))
    with contextlib.suppress(Exception, SystemExit):  # if it fails on real images too, that is recorded there
        row.method.restore(row.view(observation, device))


def _attempt(bench: Bench, trial: Trial) -> Outcome:
    observations = _degraded(bench, trial.entries)
    began = time.perf_counter()
    prepared = _prepared(bench, trial.entries)
    preparing = time.perf_counter() - began
    _warm_up(trial.row, bench.task, bench.device)
    given = trial.row.view(Observation.cat(observations), bench.device)
    result, seconds, peak = clocked(trial.row.method.restore, given, bench.device)
    restoration = _checked(result, given)
    began = time.perf_counter()
    elsewhere = trial.row.method.elsewhere
    measured = [] if elsewhere else _reliance(bench, trial, given, restoration)
    scores = [
        _scorer(bench.measures, bench.device).score(share, restoration.image[n : n + 1])
        for n, share in enumerate(prepared)
    ]
    phi_mean, outside = restoration.phi_mean(), _outside(restoration)
    records = [
        Record(
            bench.task.name,
            bench.dataset,
            image,
            trial.row.label,
            {**_level(bench, observations[n]), **{name: float(value) for name, value in scores[n].items()}},
            phi_mean=None if phi_mean is None else float(phi_mean[n]),
            phi_outside=None if outside is None else float(outside[n]),
            phi_implied=measured[n].implied if measured else None,
            phi_implied_se=measured[n].standard_error if measured else None,
            sure=measured[n].sure if measured else None,
            seconds=None if elsewhere else seconds / len(trial.entries),
            peak_mb=None if elsewhere else peak,
        )
        for n, image in enumerate(trial.images)
    ]
    score_seconds = preparing + time.perf_counter() - began
    if bench.out is not None:
        _keep(bench, trial, Pictures(bench.out), restoration, measured)
    doubt = _doubt(restoration.image, given.y)
    return Outcome(trial.row.label, trial.images, tuple(records), seconds, score_seconds, doubt=doubt)


def _checked(result: Restoration | Tensor, given: Observation) -> Restoration:
    """Return what a method gave if it is an image; a plain tensor is one."""
    restoration = Restoration(result) if isinstance(result, Tensor) else result
    if not isinstance(restoration, Restoration) or not isinstance(restoration.image, Tensor):
        raise TypeError(f"returned {type(result).__name__} instead of a Restoration or an image")
    image, wanted = restoration.image, given.operator.image_shape(given.y.shape)
    if tuple(image.shape) != tuple(wanted):
        raise ValueError(f"returned shape {tuple(image.shape)} instead of {tuple(wanted)}")
    if not image.is_floating_point():
        raise TypeError(f"returned {image.dtype} instead of real floating-point pixels in [0,1]")
    if not torch.isfinite(image).all():
        raise ValueError("returned pixels that are not finite")
    return restoration


def _doubt(image: Tensor, y: Tensor) -> str:
    """Say if the range of an image is far beyond that of what was observed: most likely it is on another scale."""
    largest, usual = float(image.abs().max()), max(1.0, float(y.abs().max()))
    return f"its values reach {largest:.3g}, but images are in [0,1] here" if largest > FAR * usual else ""


def _level(bench: Bench, observation: Observation) -> dict[str, float | None]:
    task = bench.task
    return {task.level: task.level_of(observation.truth)} if task.level and observation.truth is not None else {}


def _outside(restoration: Restoration) -> Tensor | None:
    if restoration.phi is None:
        return None
    phi = restoration.phi
    return ((phi < 0) | (phi > 1)).flatten(1).double().mean(dim=1)


def _reliance(bench: Bench, trial: Trial, given: Observation, restoration: Restoration) -> list[Measurement]:
    """Measure the implied reliance of a batch, if the run asks for it."""
    if not bench.reliance:
        return []
    truth = Observation.cat(_degraded(bench, trial.entries)).truth
    if truth is None:
        return []
    return measure(lambda o: _checked(trial.row.method.restore(o), o), given, restoration, truth)


def _keep(
    bench: Bench, trial: Trial, pictures: Pictures, restoration: Restoration, measured: Sequence[Measurement]
) -> None:
    """Keep what a run keeps of a restored batch, beside its records."""
    label, scorer = trial.row.label, _scorer(bench.measures, bench.device)
    features = scorer.features(restoration.image)
    for n, (image, observation) in enumerate(zip(trial.images, _degraded(bench, trial.entries), strict=True)):
        if bench.save_images:
            pictures.save(label, image, observation, restoration, n)
        if measured:
            pictures.save_reliance(label, image, measured[n].arrays)
        if image in trial.previews:
            pictures.preview(label, image, observation, restoration, n)
        if features:
            pictures.save_features(label, image, {name: values[n] for name, values in features.items()})
            if observation.truth is not None and not set(features) <= set(pictures.features(CLEAN, image)):
                clean = scorer.features(observation.truth.clean)
                pictures.save_features(CLEAN, image, {name: values[0] for name, values in clean.items()})
