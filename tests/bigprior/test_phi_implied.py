"""The φ-network that says what a denoiser relies on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from bigprior.fusion import fuse
from bigprior.phi.implied import ImpliedPhi, blind, without_own
from bigprior.phi.network import PhiConfig
from bigprior.train import main
from bigprior.training import Recipe, train
from datasets.errors import SuiteError
from datasets.observation import Observation
from tests.photographs import PHOTOGRAPHS

CONFIG = PhiConfig("denoise", (8, 8))


def box(observation: Observation) -> Tensor:
    """The mean of 3×3 pixels: linear, with 1/9 on the diagonal of its matrix everywhere but at the borders."""
    return avg_pool2d(observation.y, 3, stride=1, padding=1)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_restoration_is_fused_whatever_phi_is() -> None:
    y, restored = noise(2, 3, 9, 8), noise(2, 3, 9, 8, seed=1)
    phi = torch.rand(2, 1, 9, 8, generator=torch.Generator().manual_seed(2)).clamp_min(0.02)
    torch.testing.assert_close(fuse(y, without_own(y, restored, phi), phi), restored, rtol=0, atol=1e-5)


def test_of_a_linear_filter_what_is_left_does_not_depend_on_the_pixel() -> None:
    y = noise(1, 1, 9, 8).double()
    phi = torch.full_like(y, 8 / 9)
    before = without_own(y, box(blind(y)), phi)
    y[..., 4, 4] += 1
    after = without_own(y, box(blind(y)), phi)
    assert float((after - before)[..., 4, 4].abs()) < 1e-12
    assert float((after - before)[..., 4, 5]) == pytest.approx(1 / 8), "a neighbour is one of eight"


def test_one_look_is_right_on_average() -> None:
    problem = ImpliedPhi(CONFIG, PHOTOGRAPHS, box)
    sigma = torch.full((8,), 0.1)
    signs = torch.sign(noise(8, 3, 64, 64, seed=3))
    target = problem.probe(noise(8, 3, 64, 64), sigma, sigma, signs).target
    # Eight neighbours of random sign, three channels, 8·64·64 pixels.
    tolerance = 4 * (8 / 81 / (3 * 8 * 64 * 64)) ** 0.5
    assert float(target.mean()) == pytest.approx(8 / 9, abs=tolerance)


def test_it_learns_the_diagonal(tmp_path: Path) -> None:
    problem = ImpliedPhi(CONFIG, PHOTOGRAPHS, box)
    recipe = Recipe(steps=250, batch=4, size=32, warm_up=5, ema=0.95, validate=250)
    network = train(problem, recipe, tmp_path, say=lambda _: None)
    scores = problem.validate(network)
    for level in (15, 25, 50):
        assert scores[f"φ at {level}"] == pytest.approx(8 / 9, abs=0.06), "it began at 1/2"


def test_only_for_denoising(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="--task denoise"):
        main(["phi", "--task", "colorize", "--loss", "implied", "--set", "lsun-bedroom", "--prior", "a:b",
              "--out", str(tmp_path)])  # fmt: skip
