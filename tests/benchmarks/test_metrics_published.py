"""Metrics against published values, on the published images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.io import imread
from torch import Tensor

from benchmarks.scores.protocol import get_protocol
from tests.benchmarks.test_metrics import damaged, picture, score, scorer_of

pytestmark = pytest.mark.realdata


def needs_weights(protocol: str) -> None:
    reason = get_protocol(protocol).measure("lpips").metric.unavailable()
    if reason:
        pytest.skip(reason)


def read(*path: str) -> Tensor:
    pixels = imread(Path(os.environ["RESTORATION_MIRROR"], *path))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize(
    ("protocol", "image", "published"),
    [
        ("standard", "ex_p0", 0.722),
        ("standard", "ex_p1", 0.138),
        ("paper", "ex_p0", 0.4056),
        ("paper", "ex_p1", 0.0839),
    ],
)
def test_lpips_of_its_example_images(protocol: str, image: str, published: float) -> None:
    needs_weights(protocol)
    scorer = scorer_of(protocol, "lpips")
    examples = "richzhang-PerceptualSimilarity", "imgs"
    reference = read(*examples, "ex_ref.png")
    prepared = scorer.prepare(reference, torch.ones_like(reference[:, :1]))
    value = scorer.score(prepared, read(*examples, f"{image}.png"))["lpips"].item()
    assert value == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize(("protocol", "expected"), [("standard", 0.569609), ("paper", 0.329697)])
def test_lpips_is_pinned(protocol: str, expected: float) -> None:
    needs_weights(protocol)
    clean = picture(3, 48, 56)
    assert score("lpips", clean, damaged(clean, 0.2), protocol=protocol) == pytest.approx(expected, rel=1e-4)


def test_released_inversions_score_as_released() -> None:
    """The generative inversions of the paper's bedroom test images, for colorization: 88.52 % and 22.29 dB."""
    mirror = Path(os.environ["RESTORATION_MIRROR"], "majedelhelou-BIGPrior")
    names = sorted(path.name for path in (mirror / "data/lsun/data/bedroom").glob("*.png"))
    scorer = scorer_of("paper", "auc", "psnr")
    auc, psnr = [], []
    for number in range(250, 300):
        reference = read(str(mirror), "data/lsun/data/bedroom", names[number])
        prepared = scorer.prepare(reference, torch.ones_like(reference[:, :1]))
        values = scorer.score(prepared, read(str(mirror), "inter_data/col_bedroom/mGANoutput", f"{number}.png"))
        auc.append(values["auc"].item())
        psnr.append(values["psnr"].item())
    assert np.mean(auc) == pytest.approx(88.52, abs=0.005)
    assert np.mean(psnr) == pytest.approx(22.29, abs=0.005)
    released = mirror / "net_data/col_bedroom_1"
    # The inversions are 8-bit images, so float and 8-bit scoring agree image by image.
    np.testing.assert_allclose(auc, np.load(released / "AUC_GAN.npy").ravel(), atol=1e-4)
    np.testing.assert_allclose(psnr, -10 * np.log10(np.load(released / "MSE_GAN.npy").ravel()), atol=1e-5)
