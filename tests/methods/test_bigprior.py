"""BIGPrior with the shipped prior and φ-networks: what φ and g mean, and that the fusion pays."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from bigprior.fusion import Restoration
from bigprior.phi.implied import LEAST
from datasets.observation import Observation
from datasets.operators import Luma
from datasets.task import Key, get_task
from methods.fusion.bigprior import Bigprior, exact_mean, fidelity
from methods.fusion.bigprior_prior import BigpriorPrior
from methods.supervised.chroma_cnn import ChromaCnn
from tests.methods.test_contract import observe, photograph

SIZE = (96, 104)
TASKS = ["denoise", "inpaint-center", "inpaint-random", "colorize"]


def fused(observation: Observation) -> tuple[Restoration, Tensor, Tensor, Tensor]:
    restoration = Bigprior().restore(observation)
    assert restoration.fidelity is not None
    assert restoration.prior is not None
    assert restoration.phi is not None
    return restoration, restoration.fidelity, restoration.prior, restoration.phi


def psnr(image: Tensor, clean: Tensor) -> float:
    return float(-10 * (image.clamp(0, 1) - clean).square().mean().log10())


@pytest.mark.parametrize("task", TASKS)
def test_the_fusion_is_not_worse_than_its_parts(task: str) -> None:
    found = []
    for place, seed in product(range(2), range(3)):
        observation = get_task(task).degrade(photograph(SIZE, 3, place), Key(seed, "fusion", str(place)))
        assert observation.truth is not None
        restoration, f, g, phi = fused(observation.without_truth())
        found.append([psnr(image, observation.truth.clean) for image in (restoration.image, f, g)])
        assert 0 <= float(phi.min()) <= float(phi.max()) <= 1
    ours, of_f, of_g = np.mean(found, axis=0)
    # An astronaut has other colours than the rooms and churches that φ was learned from: there it is in between. What
    # it gains on those is tested from the committed records.
    assert ours > (min(of_f, of_g) if task == "colorize" else max(of_f, of_g) - 0.2)


def test_denoising_gives_the_mean_of_the_prior_whatever_phi_is() -> None:
    observation = observe(get_task("denoise", sigma="25"), SIZE, 3).without_truth()
    restoration, *_ = fused(observation)
    torch.testing.assert_close(restoration.image, exact_mean(observation), rtol=0, atol=1e-5)


def derivative(observation: Observation, signs: Tensor) -> tuple[Tensor, Tensor]:
    """Return b ⊙ (J b) of x̂ and of g for signs b: its mean is that of the diagonal of J."""
    step = 0.002
    above, below = (Bigprior().restore(replace(observation, y=observation.y + s * step * signs)) for s in (1, -1))
    assert above.prior is not None
    assert below.prior is not None
    x, g = (above.image - below.image, above.prior - below.prior)
    return signs * x / (2 * step), signs * g / (2 * step)


@pytest.mark.parametrize(("sigma", "off"), [(10, 0.1), (25, 0.05), (50, 0.05)])
def test_declared_reliance_is_implied_reliance(sigma: int, off: float) -> None:
    """φ is 1 − ∂x̂_i/∂y_i on average, to what the network has learned, and g moves less with its own pixel than x̂."""
    observation = observe(get_task("denoise", sigma=str(sigma)), SIZE, 3).without_truth()
    _, _, _, phi = fused(observation)
    moves_x, moves_g = [], []
    for k in range(4):
        signs = torch.randint(2, observation.y.shape, generator=torch.Generator().manual_seed(k)) * 2.0 - 1
        x, g = derivative(observation, signs)
        moves_x.append(x.mean())
        moves_g.append(g.mean())
    implied = 1 - float(torch.stack(moves_x).mean())
    assert float(phi.mean()) == pytest.approx(implied, abs=off)
    assert implied < 0.99
    assert abs(float(torch.stack(moves_g).mean())) < 1 - implied


def test_more_noise_more_prior() -> None:
    means = [
        float(fused(observe(get_task("denoise", sigma=str(sigma)), SIZE, 3).without_truth())[3].mean())
        for sigma in (2, 10, 25, 50)
    ]
    assert means == sorted(means)
    assert means[0] < 0.75
    assert means[-1] > 0.8


def test_without_noise_the_data_are_kept() -> None:
    observation = observe(get_task("denoise", sigma="0"), SIZE, 3).without_truth()
    restoration, _, _, phi = fused(observation)
    assert torch.equal(restoration.image, observation.y)
    assert float(phi.max()) == 0
    blind = fused(observe(get_task("denoise", sigma="5:50"), SIZE, 3).without_truth())[3]
    assert float(blind.min()) >= LEAST


@pytest.mark.parametrize("task", ["inpaint-center", "inpaint-random"])
def test_observed_pixels_are_data(task: str) -> None:
    observation = observe(get_task(task), SIZE, 3).without_truth()
    for method in (Bigprior(), BigpriorPrior()):
        restoration = method.restore(observation)
        assert restoration.phi is not None
        assert float((restoration.phi * observation.mask).max()) == 0
        assert torch.equal(restoration.image * observation.mask, observation.y)


def test_colours_keep_the_luma_and_come_from_the_stated_prior() -> None:
    observation = observe(get_task("colorize"), SIZE, 3).without_truth()
    restoration, f, g, _ = fused(observation)
    torch.testing.assert_close(Luma().forward(restoration.image), observation.y, rtol=0, atol=1e-4)
    assert torch.equal(f, fidelity(observation))
    torch.testing.assert_close(g, ChromaCnn().restore(observation).image)
    torch.testing.assert_close(BigpriorPrior().restore(observation).image, g)
