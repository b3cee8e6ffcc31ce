"""The compact prior: its conditional means, the flow that draws from it, and what it is given of an observation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bigprior.denoiser import denoise, denoise_both_ways
from bigprior.denoiser import untrained as untrained_denoiser
from bigprior.networks import BiasFreeUNet
from bigprior.priors.compact.means import GRAY, Knowledge, estimate, untrained
from bigprior.priors.compact.prior import CompactPrior, known_of, load_prior
from bigprior.priors.compact.training import Conditions, warm
from bigprior.smooth_fill import smooth_fill
from bigprior.training import Recipe, step_random, train
from datasets.errors import SuiteError
from datasets.noise import Gaussian, NoNoise
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking
from datasets.task import Key, get_task
from methods.supervised._trained import FOLDER, read
from tests.photographs import PHOTOGRAPHS

SPREAD = 0.2


def random_network(seed: int = 0) -> BiasFreeUNet:
    torch.manual_seed(seed)
    return untrained().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def silent() -> BiasFreeUNet:
    """A network that adds nothing."""
    network = random_network()
    network.tail.weight.zero_()
    return network


def image(n: int = 2, h: int = 33, w: int = 40, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, h, w, generator=torch.Generator().manual_seed(seed))


def everywhere(value: float, like: Tensor) -> Tensor:
    return torch.full_like(like[:, :1], value)


def test_without_a_network_y_is_shrunk_towards_gray(silent: BiasFreeUNet) -> None:
    y = image()
    for sigma in (0.0, 0.1, 1.0, 20.0):
        skip = 1 / (1 + sigma**2)
        found = estimate(silent, Knowledge(y, everywhere(sigma, y), everywhere(1, y)))
        torch.testing.assert_close(found, skip * y + (1 - skip) * 0.5, rtol=0, atol=1e-6)
    untold = estimate(silent, Knowledge(y, everywhere(0.1, y), everywhere(0, y)))
    torch.testing.assert_close(untold, y)


def test_without_a_network_holes_are_smooth_and_colours_gray(silent: BiasFreeUNet) -> None:
    y = image()
    mask = torch.ones_like(y[:, :1])
    mask[..., 10:20, 5:25] = 0
    sigma = torch.where(mask > 0, 0, torch.inf)
    found = estimate(silent, Knowledge(torch.where(mask > 0, y, torch.nan).nan_to_num(7), sigma, torch.ones_like(mask)))
    torch.testing.assert_close(found, smooth_fill(y * mask, mask))
    luma = Luma().forward(y)
    unknown = everywhere(torch.inf, y)
    found = estimate(silent, Knowledge(y, unknown, everywhere(1, y), luma))
    torch.testing.assert_close(found, luma.expand_as(y), rtol=0, atol=1e-6)


def test_what_is_not_known_is_not_read() -> None:
    network, y = random_network(), image()
    sigma = everywhere(0.1, y)
    sigma[..., 5:9, 5:9] = torch.inf
    other = torch.where(torch.isinf(sigma), 3.0, y)
    told = everywhere(1, y)
    torch.testing.assert_close(
        estimate(network, Knowledge(y, sigma, told)), estimate(network, Knowledge(other, sigma, told))
    )
    blind = [Knowledge(y, everywhere(s, y), everywhere(0, y)) for s in (0.05, 0.2)]
    torch.testing.assert_close(estimate(network, blind[0]), estimate(network, blind[1]))


def test_a_known_luma_is_kept() -> None:
    y = image()
    luma = Luma().forward(y)
    found = estimate(random_network(), Knowledge(y, everywhere(torch.inf, y), everywhere(1, y), luma))
    torch.testing.assert_close(Luma().forward(found), luma, rtol=0, atol=1e-5)
    assert float((found - luma).abs().max()) > 1e-3, "and there are colours"


def test_an_image_does_not_depend_on_its_batch() -> None:
    """One of the two has a hole, which must not change what the other is taken for."""
    network, y = random_network(), image()
    sigma = everywhere(0.1, y)
    sigma[0, :, 8:20, 8:20] = torch.inf
    whole = estimate(network, Knowledge(y, sigma, everywhere(1, y)))
    for k in range(2):
        alone = estimate(network, Knowledge(y[k : k + 1], sigma[k : k + 1], everywhere(1, y[k : k + 1])))
        torch.testing.assert_close(whole[k : k + 1], alone, rtol=0, atol=1e-5)


def observation(task: str, n: int = 1, **parameters: str) -> Observation:
    clean = image(n, 32, 36)
    return get_task(task, **parameters).degrade(clean[0], Key(0, "test", "a")).without_truth()


@pytest.mark.parametrize("task", ["inpaint-center", "inpaint-random", "colorize"])
def test_what_was_observed_is_kept(task: str) -> None:
    seen = observation(task)
    g = CompactPrior(random_network()).invert(seen).image
    torch.testing.assert_close(seen.operator.forward(g), seen.y, rtol=0, atol=1e-5)


@dataclass(frozen=True)
class IndependentPixels(CompactPrior):
    """Independent pixels N(½, SPREAD²): the conditional means are known, and with them everything else."""

    def _mean(self, known: Knowledge, strongest: float = torch.inf) -> Tensor:
        share = SPREAD**2 / (SPREAD**2 + known.sigma.square())
        return torch.where(torch.isinf(known.sigma), 0.5, share * known.y + (1 - share) * 0.5)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_flow_maps_white_noise_to_the_prior() -> None:
    """For a Gaussian the flow is x = μ + s z up to the discretisation, and `encode` is its inverse."""
    prior = IndependentPixels(random_network(), steps=400)
    z = 0.5 * noise(2, 3, 8, 8).clamp(-4, 4)
    x = prior.decode((z,))
    torch.testing.assert_close(x, 0.5 + SPREAD * z, rtol=0, atol=0.02)
    (back,) = prior.encode(x)
    torch.testing.assert_close(back, z, rtol=0, atol=0.1)


def test_the_flow_given_noisy_pixels_draws_from_the_posterior() -> None:
    sigma = 0.1
    prior = IndependentPixels(random_network(), steps=200)
    y = 0.5 + 0.2 * noise(1, 3, 48, 48)
    seen = Observation(y, Identity(), Gaussian(torch.tensor([sigma], dtype=torch.float64)))
    draws = torch.cat([prior.sample(seen, (noise(1, 3, 48, 48, seed=k),)) for k in range(40)])
    share = SPREAD**2 / (SPREAD**2 + sigma**2)
    mean, deviation = share * y[0] + (1 - share) * 0.5, SPREAD * sigma / np.hypot(SPREAD, sigma)
    error = (draws.mean(dim=0) - mean) / (deviation / 40**0.5)
    assert float(error.square().mean()) == pytest.approx(1, abs=0.15)
    assert float(draws.var(dim=0).mean().sqrt()) == pytest.approx(deviation, rel=0.05)
    spread = IndependentPixels(random_network(), steps=200, samples=30).invert(seen).spread
    assert spread is not None
    assert spread.shape == (1, 1, 48, 48)
    assert float(spread.square().mean().sqrt()) == pytest.approx(deviation, rel=0.05)


def test_samples_agree_with_exact_data_and_vary_elsewhere() -> None:
    prior = IndependentPixels(random_network(), steps=20)
    for seen in (observation("inpaint-center"), observation("colorize")):
        one, other = (prior.sample(seen, (noise(1, 3, 32, 36, seed=k).float(),)) for k in range(2))
        assert not torch.allclose(one, other, atol=1e-3)
        if isinstance(seen.operator, Masking):
            assert torch.equal(one * seen.mask, seen.y)


def noisy(y: Tensor, sigma: float | None) -> Observation:
    level = None if sigma is None else torch.full((len(y),), sigma)
    return Observation(y, Identity(), level if level is None else Gaussian(level))


def test_the_expert_is_asked_about_noise_of_one_level() -> None:
    network, expert, y = random_network(), read(FOLDER / "unet.safetensors", untrained_denoiser), image(1, 40, 48)
    prior = CompactPrior(network, expert)
    for sigma in (0.1, 0.5, None):
        with torch.inference_mode():
            wanted = denoise_both_ways(expert, y, torch.tensor([sigma or 0.0]))
        torch.testing.assert_close(prior.invert(noisy(y, sigma)).image, wanted)
    hidden = Observation(y, Masking(torch.zeros_like(y[:, :1])), NoNoise())
    torch.testing.assert_close(prior.invert(hidden).image, CompactPrior(network).invert(hidden).image)


def test_in_a_flow_the_expert_has_the_last_steps() -> None:
    """Two steps, at σ = 20 and at 0.01: the second is the expert's, and it is told its σ."""
    network, expert = random_network(), read(FOLDER / "unet.safetensors", untrained_denoiser)
    z = noise(1, 3, 40, 48).float()
    alone, helped = (CompactPrior(network, e, steps=2).decode((z,)) for e in (None, expert))
    assert not torch.allclose(alone, helped, atol=1e-4)
    start = estimate(network, Knowledge(torch.full_like(z, GRAY), everywhere(torch.inf, z), everywhere(1, z)))
    x = start + CompactPrior.STRONGEST * z
    guess = estimate(network, Knowledge(x, everywhere(CompactPrior.STRONGEST, x), everywhere(1, x)))
    x = guess + CompactPrior.WEAKEST / CompactPrior.STRONGEST * (x - guess)
    with torch.inference_mode():
        last = denoise_both_ways(expert, x, torch.tensor([CompactPrior.WEAKEST]))
    torch.testing.assert_close(helped, last.clamp(0, 1), rtol=0, atol=1e-4)


@pytest.mark.parametrize("sigma", [65, 100])
def test_the_expert_goes_on(sigma: int) -> None:
    """Beyond the noise that it was trained for the expert is better than the network of means."""
    clean = PHOTOGRAPHS.validation()[0][0][None].float()
    y = clean + sigma / 255 * noise(*clean.shape).float()
    network, expert = load_prior(), read(FOLDER / "unet.safetensors", untrained_denoiser)
    errors = [
        (CompactPrior(network, e).invert(noisy(y, sigma / 255)).image - clean).square().mean() for e in (expert, None)
    ]
    assert float(-10 * torch.log10(errors[0] / errors[1])) > 0.5


def test_what_an_observation_tells() -> None:
    noisy = known_of(observation("denoise", sigma="25"))
    assert noisy.told.min() == 1
    assert noisy.sigma.unique().tolist() == pytest.approx([25 / 255])
    assert known_of(observation("denoise", sigma="5:50")).told.max() == 0
    hole = observation("inpaint-center")
    assert torch.equal(torch.isfinite(known_of(hole).sigma).float(), hole.mask)
    colour = known_of(observation("colorize"))
    assert colour.luma is not None
    assert torch.isinf(colour.sigma).all()


def test_it_begins_as_the_denoiser() -> None:
    """Weights of the denoiser, extended by inputs that are not read, restore as it does where σ is not told."""
    file = FOLDER / "unet.safetensors"
    network = warm(untrained(), file).eval()
    y = image(1, 40, 48)
    with torch.inference_mode():
        wanted = denoise(read(file, untrained_denoiser), y, torch.zeros(1))
        found = estimate(network, Knowledge(y, everywhere(0.1, y), everywhere(0, y)))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    with pytest.raises(SuiteError, match="denoiser"):
        warm(untrained(), FOLDER / "gated-cnn.safetensors")


def test_conditions_of_every_kind() -> None:
    """Whatever is drawn, what is given of an image is that image where it is exact, and the loss is finite."""
    problem, network, kinds = Conditions(PHOTOGRAPHS), random_network(), set()
    recipe = Recipe(steps=1, batch=2, size=32)
    for step in range(12):
        batch = problem.batch(step_random(0, step), recipe)
        exact = (batch.known.sigma == 0).expand_as(batch.clean)
        assert torch.equal(batch.known.y[exact], batch.clean[exact])
        assert float(batch.weight.flatten(1).sum(1).min()) > 0
        kinds.add((batch.clean.shape, batch.known.luma is None, bool(torch.isinf(batch.known.sigma).any())))
        if step < 4:
            assert torch.isfinite(problem.loss(network, batch, 0))
    assert len(kinds) >= 5
    again = problem.batch(step_random(0, 11), recipe)
    assert torch.equal(again.known.y, batch.known.y)


def test_a_short_training_learns(tmp_path: Path) -> None:
    problem = Conditions(PHOTOGRAPHS)
    torch.manual_seed(0)
    before = problem.validate(problem.network().eval())
    recipe = Recipe(steps=20, batch=2, size=32, warm_up=5, ema=0.8, validate=20)
    after = problem.validate(train(problem, recipe, tmp_path, say=lambda _: None))
    assert after["PSNR"] > before["PSNR"] + 0.5


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="not there"):
        load_prior(tmp_path / "nothing.safetensors")
    with pytest.raises(SuiteError, match="is not the network of the compact prior"):
        load_prior(FOLDER / "gated-cnn.safetensors")
