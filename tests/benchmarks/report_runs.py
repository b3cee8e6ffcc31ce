"""Folders of runs with known answers, written without restoring anything."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.folder.facts import Counts, Facts, RowFacts
from benchmarks.folder.pictures import file_name, to_png
from benchmarks.folder.records import Record
from benchmarks.folder.run_folder import RunFolder
from benchmarks.scores.protocol import get_protocol
from benchmarks.setting import Setting
from datasets.task import get_task

IMAGES = ("bridge", "cat", "house", "lake", "rocket")
NOISE = {"noisy": 0.1, "bm3d": 0.02, "unet-blind": 0.018, "nlm": 0.03}
"""Standard deviation of the error of each method."""
DISPUTED = "lake"
"""The image on which bm3d and unet-blind differ most: there unet-blind is far off."""


OWN = "worst,glow,drift"
"""What a user writes after --metrics to have the metrics of `METRICS`."""
METRICS = '''
from dataclasses import dataclass
from typing import ClassVar

import torch

from benchmarks.scores.metric import Metric, NoReferenceMetric, SetMetric


@dataclass(frozen=True)
class Worst(Metric):
    """The largest error of a pixel."""

    name: ClassVar[str] = "worst"
    title: ClassVar[str] = "Worst pixel"
    higher_is_better: ClassVar[bool] = False
    decimals: ClassVar[int] = 3
    limits: ClassVar[tuple[float, float]] = (0.0, 1.0)
    signature: ClassVar[str] = "worst|max-abs"

    def prepare(self, reference, mask):
        return reference

    def score(self, prepared, image):
        return (image - prepared).double().abs().flatten(1).amax(dim=1)


@dataclass(frozen=True)
class Glow(NoReferenceMetric):
    """The mean of the image."""

    name: ClassVar[str] = "glow"
    title: ClassVar[str] = "Glow"
    higher_is_better: ClassVar[bool] = True
    decimals: ClassVar[int] = 3
    limits: ClassVar[tuple[float, float]] = (0.0, 1.0)
    signature: ClassVar[str] = "glow|mean"

    def score(self, prepared, image):
        return image.double().flatten(1).mean(dim=1)


@dataclass(frozen=True)
class Drift(SetMetric):
    """Distance of the means of two sets."""

    name: ClassVar[str] = "drift"
    title: ClassVar[str] = "Drift"
    higher_is_better: ClassVar[bool] = False
    decimals: ClassVar[int] = 4
    limits: ClassVar[tuple[float, float]] = (0.0, 2.0)
    signature: ClassVar[str] = "drift|mean"

    def features(self, image):
        return image.double().mean(dim=(2, 3))

    def score_set(self, restored, clean):
        return float(torch.linalg.vector_norm(restored.mean(dim=0) - clean.mean(dim=0)))
'''


def run_facts(
    rows: Mapping[str, str],
    images: Iterable[str],
    digest: str = "sha",
    task: str = "denoise[sigma=25]",
    dataset: str = "photos",
    protocol: str = "standard",
    metrics: str = "psnr,ssim",
    **changes: Any,
) -> Facts:
    """What run.json holds.

    Args:
        rows: label → spec.
        digest: what the hashes of the images begin with.
        changes: fields that differ.
    """
    images = tuple(images)
    scored = get_protocol(protocol)
    facts = Facts(
        setting=Setting(get_task(task), dataset, "test", 0, scored, "cpu"),
        measures=scored.measures(metrics),
        rows={label: RowFacts(spec, "0") for label, spec in rows.items()},
        images={image: f"{digest}-{image}" for image in images},
        counts=Counts(len(images), len(images) * len(rows)),
        status="finished",
        not_measured={"lpips": "left out of this test"},
        commit="0" * 40,
        versions={"python": "3.11"},
        hardware={"processor": "test", "cores": 2},
        began="2026-01-01T00:00:00+00:00",
    )
    return replace(facts, **changes)


def pixels(method: str, image: str, side: tuple[int, int]) -> torch.Tensor:
    """Clean pixels of an image ("clean"), or as a method restores them."""
    height, width = side
    seed = sum(map(ord, image))
    ramp = torch.linspace(0.2, 0.8, width).expand(3, height, width)
    clean = ramp + 0.1 * torch.sin(torch.arange(height) * (0.1 + seed % 7 / 20))[None, :, None]
    if method == "clean":
        return clean
    std = 0.08 if (method, image) == ("unet-blind", DISPUTED) else NOISE.get(method, 0.05)
    generator = np.random.default_rng([seed, *map(ord, method)])
    return clean + std * torch.from_numpy(generator.standard_normal(clean.shape)).float()


def record(method: str, image: str, side: tuple[int, int], **changes: Any) -> Record:
    """The record of a method on an image; its PSNR is that of its pixels.

    Args:
        changes: fields that differ; what is no field is a level or a score.
    """
    mse = float((pixels(method, image, side) - pixels("clean", image, side)).square().mean())
    fields = {name: changes.pop(name) for name in list(changes) if name in Record.__dataclass_fields__}
    made = Record(
        task="denoise",
        dataset="photos",
        image=image,
        method=method,
        values={"sigma": 25.0, "psnr": -10 * math.log10(mse), "ssim": 1 - 2 * math.sqrt(mse), **changes},
        phi_mean={"noisy": 0.0, "nlm": 0.5}.get(method),
        seconds=0.01 * (1 + len(method)),
        peak_mb=10.0,
    )
    return replace(made, **fields)


def write_metrics(folder: Path) -> Path:
    """Write a folder of plug-ins: metrics with a reference, without one, and of a set."""
    folder.mkdir()
    (folder / "metrics.py").write_text(METRICS)
    return folder


FAILED = {"psnr": None, "ssim": None, "seconds": None}
"""What the record of a failure lacks."""


def write_run(
    path: Path,
    methods: Iterable[str] | Mapping[str, str] = NOISE.keys(),
    images: Iterable[str] = IMAGES,
    pictures: str | None = "images",
    side: tuple[int, int] = (40, 48),
    changes: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    **facts: Any,
) -> Path:
    """Write a run's folder.

    Args:
        methods: labels, or label → spec.
        pictures: subfolder of the PNGs; None for none. nlm has a map of φ that goes from 0 at the left to 1 at the
            right, and a prior.
        changes: (method, image) → what differs in its record.
        facts: what differs in run.json, see `run_facts`.
    """
    rows = dict(methods) if isinstance(methods, Mapping) else {label: label for label in methods}
    images = tuple(images)
    path.mkdir(parents=True)
    folder = RunFolder(path)
    folder.write_facts(run_facts(rows, images, **facts))
    change = changes or {}
    lines = [record(m, i, side, **change.get((m, i), {})) for i in images for m in rows]
    folder.record_file(tuple(dict.fromkeys(name for line in lines for name in line.values))).append(lines)
    for image in images if pictures else ():
        place = path / str(pictures) / image
        place.mkdir(parents=True)
        (place / "clean.png").write_bytes(to_png(pixels("clean", image, side)))
        (place / "degraded.png").write_bytes(to_png(pixels("noisy", image, side)))
        for label in rows:
            (place / f"{file_name(label)}.png").write_bytes(to_png(pixels(label, image, side)))
        if "nlm" in rows:
            (place / "nlm.phi.png").write_bytes(to_png(torch.linspace(0, 1, side[1]).expand(1, *side)))
            (place / "nlm.prior.png").write_bytes(to_png(pixels("nlm", image, side).flip(-1)))
    return path
