"""PSNR-B: its definition, written out, and what is published of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.scores.metrics.psnr import PSNR
from benchmarks.scores.metrics.psnr_b import PSNRB, blocking
from datasets.dataset import get_dataset
from datasets.task import Key, get_task

PUBLISHED = {10: 25.21, 20: 27.50, 30: 28.94, 40: 29.92}
"""JPEG on classic5, J. Jiang, K. Zhang and R. Timofte, Towards Flexible Blind JPEG Artifacts Removal, ICCV 2021."""


def picture(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).randint(0, 256, shape)).float() / 255


def naive(image: Tensor) -> float:
    """BEF of one image (C,H,W), pair by pair."""
    pixels = (image * 255).round().double().numpy()
    at: list[float] = []
    other: list[float] = []
    for channel in pixels:
        for lines in (channel, channel.T):
            for line in lines:
                for place in range(len(line) - 1):
                    (at if place % 8 == 7 else other).append((line[place] - line[place + 1]) ** 2)
    excess = float(np.mean(at) - np.mean(other))
    return max(0.0, math.log2(8) / math.log2(min(pixels.shape[1:])) * excess)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 33, 47), (1, 9, 40), (3, 24, 17)])
def test_the_factor_is_that_of_the_definition(shape: tuple[int, ...]) -> None:
    blocks = picture(0, 2, shape[0], 8, 8).repeat_interleave(8, dim=-1).repeat_interleave(8, dim=-2)
    images = (blocks[..., : shape[1], : shape[2]] + 0.02 * picture(1, 2, *shape)).clamp(0, 1)
    images = (images * 255).round() / 255
    found = blocking((images * 255).round())
    assert found.min() > 0
    assert found.tolist() == pytest.approx([naive(image) for image in images], rel=1e-12)


def test_it_is_psnr_where_no_border_of_a_block_stands_out() -> None:
    clean, noisy = picture(0, 1, 1, 40, 48), picture(3, 1, 1, 40, 48)
    noisy[..., 8:] = noisy[..., 7:8].expand_as(noisy[..., 8:])  # no step across the other borders of columns
    noisy[..., 8:, :] = noisy[..., 7:8, :].expand_as(noisy[..., 8:, :])
    mask = torch.ones(1, 1, 40, 48)
    assert blocking(noisy * 255) == 0
    for metric in (PSNR(), PSNRB()):
        assert metric.score(metric.prepare(clean, mask), clean).item() == math.inf
    psnr, b = (metric.score(metric.prepare(clean, mask), noisy).item() for metric in (PSNR(), PSNRB()))
    assert b == pytest.approx(psnr, abs=1e-9)


def test_an_image_without_a_border_of_blocks_has_none() -> None:
    small = picture(0, 2, 1, 8, 40)
    assert PSNRB().score(PSNRB().prepare(small, torch.ones(2, 1, 8, 40)), small).isnan().all()


@pytest.mark.realdata
@pytest.mark.parametrize("quality", PUBLISHED)
def test_jpeg_on_classic5_is_as_published(quality: int) -> None:
    task, scores = get_task("jpeg", quality=quality), []
    for entry in get_dataset("classic5").entries():
        o = task.degrade(entry.load(), Key(0, "classic5", entry.name))
        assert o.truth is not None
        scores.append(PSNRB().score(PSNRB().prepare(o.truth.clean, o.mask), o.y).item())
    assert np.mean(scores) == pytest.approx(PUBLISHED[quality], abs=0.006)
