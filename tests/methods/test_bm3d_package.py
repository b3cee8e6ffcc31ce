from __future__ import annotations

import os
from pathlib import Path

import bm3d
import numpy as np
import pytest
import torch
from PIL import Image

from methods.classic.bm3d_package import BM3DPackage
from tests.methods.denoising import observe, photograph, psnr


def test_gray_is_the_package() -> None:
    observation = observe(photograph(33, 47, 1), 25)
    expected = bm3d.bm3d(observation.y[0, 0].numpy(), 25 / 255)  # its threads reorder sums of floats: 1e-4
    assert np.allclose(BM3DPackage().restore(observation).image[0, 0].numpy(), expected, atol=1e-4)


def test_colour_is_the_package() -> None:
    observation = observe(photograph(33, 47), 25)
    image = BM3DPackage().restore(observation).image
    expected = bm3d.bm3d_rgb(observation.y[0].permute(1, 2, 0).numpy(), 25 / 255)
    assert np.allclose(image[0].permute(1, 2, 0).numpy(), expected, atol=1e-4)


def test_same_bits_again() -> None:
    observation = observe(photograph(40, 48, 1), 25)
    assert torch.equal(BM3DPackage().restore(observation).image, BM3DPackage().restore(observation).image)


def test_no_noise_is_the_image_itself() -> None:
    observation = observe(photograph(16, 16), 0)
    assert torch.equal(BM3DPackage().restore(observation).image, observation.y)


@pytest.mark.realdata
@pytest.mark.slow
def test_published_psnr() -> None:
    """Set12 at σ 25: 29.97 dB."""
    folder = Path(os.environ["RESTORATION_MIRROR"]) / "cszn-DnCNN/testsets/Set12"
    scores = []
    for path in sorted(folder.glob("*.png")):
        clean = torch.from_numpy(np.array(Image.open(path).convert("L")) / 255)[None, None]
        restored = BM3DPackage().restore(observe(clean, 25)).image
        scores.append(psnr((restored.clamp(0, 1) * 255).round() / 255, clean))
    assert len(scores) == 12
    assert np.mean(scores) == pytest.approx(29.97, abs=0.15)
