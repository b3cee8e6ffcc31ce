"""Folders of runs with known answers, written without restoring anything."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.plan import write_facts
from benchmarks.protocol import get_protocol
from benchmarks.records import VERSION, Record, RecordFile
from benchmarks.store import to_png

IMAGES = ("bridge", "cat", "house", "lake", "rocket")
NOISE = {"noisy": 0.1, "bm3d": 0.02, "unet-blind": 0.018, "nlm": 0.03}
"""Standard deviation of the error of each method."""
DISPUTED = "lake"
"""The image on which bm3d and unet-blind differ most: there unet-blind is far off."""


def run_facts(methods: Iterable[str], images: Iterable[str], digest: str, **changes: Any) -> dict[str, Any]:
    """What run.json holds."""
    methods, images = tuple(methods), tuple(images)
    protocol = get_protocol(changes.get("protocol", "standard"))
    metrics = ["psnr", "ssim"]
    facts = {
        "version": VERSION,
        "task": "denoise",
        "parameters": {"sigma": "25"},
        "dataset": "photos",
        "split": "test",
        "seed": 0,
        "protocol": "standard",
        "device": "cpu",
        "label": "denoise sigma=25",
        "status": "finished",
        "metrics": metrics,
        "signatures": {name: protocol.metric(name).signature for name in metrics},
        "not_measured": {"lpips": "left out of this test"},
        "not_run": {},
        "rows": dict.fromkeys(methods, "0"),
        "threads": 1,
        "jobs": 2,
        "commit": "0" * 40,
        "versions": {"python": "3.11"},
        "hardware": {"processor": "test", "cores": 2},
        "images": {image: f"{digest}-{image}" for image in images},
        "weights": {},
        "counts": {"images": len(images), "asked": len(images) * len(methods)},
        "began": "2026-01-01T00:00:00+00:00",
    }
    return facts | changes


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
    """The record of a method on an image; its PSNR is that of its pixels."""
    mse = float((pixels(method, image, side) - pixels("clean", image, side)).square().mean())
    made = Record(
        task="denoise",
        dataset="photos",
        image=image,
        method=method,
        sigma=25.0,
        psnr=-10 * math.log10(mse),
        ssim=1 - 2 * math.sqrt(mse),
        phi_mean={"noisy": 0.0, "nlm": 0.5}.get(method),
        seconds=0.01 * (1 + len(method)),
        peak_mb=10.0,
    )
    return replace(made, **changes)


def write_run(
    folder: Path,
    methods: Iterable[str] = NOISE,
    images: Iterable[str] = IMAGES,
    pictures: str | None = "images",
    side: tuple[int, int] = (40, 48),
    changes: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    digest: str = "sha",
    **facts: Any,
) -> Path:
    """Write a run's folder.

    Args:
        pictures: subfolder of the PNGs; None for none. nlm has a map of φ that goes from 0 at the left to 1 at the
            right, and a prior.
        changes: (method, image) → fields of its record that differ.
        digest: what the hashes of the images begin with.
        facts: what differs in run.json.
    """
    methods, images = tuple(methods), tuple(images)
    folder.mkdir(parents=True)
    write_facts(folder, run_facts(methods, images, digest, **facts))
    change = changes or {}
    lines = [record(m, i, side, **change.get((m, i), {})) for i in images for m in methods]
    RecordFile(folder / "records.csv").append(lines)
    for image in images if pictures else ():
        place = folder / str(pictures) / image
        place.mkdir(parents=True)
        (place / "clean.png").write_bytes(to_png(pixels("clean", image, side)))
        (place / "degraded.png").write_bytes(to_png(pixels("noisy", image, side)))
        for method in methods:
            (place / f"{method}.png").write_bytes(to_png(pixels(method, image, side)))
        if "nlm" in methods:
            (place / "nlm.phi.png").write_bytes(to_png(torch.linspace(0, 1, side[1]).expand(1, *side)))
            (place / "nlm.prior.png").write_bytes(to_png(pixels("nlm", image, side).flip(-1)))
    return folder
