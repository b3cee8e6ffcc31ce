"""The untrained network: its architecture, its descent, and when it stops."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bigprior.priors.base import NonFiniteInversion
from bigprior.priors.deep_image_prior import DENOISING, INPAINTING, DeepImagePrior, Settings, SkipNetwork
from datasets.noise import Gaussian, NoNoise
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking

NARROW = Settings(channels=(8, 8), skips=(2, 0), inputs=4, iterations=60)
HOLES = replace(NARROW, skips=(0, 0), upsampling="nearest", inputs=0, jitter=0.03, average=None)
PRIOR = DeepImagePrior(NARROW, HOLES)


def images(count: int, height: int = 16, width: int = 16, channels: int = 3) -> Tensor:
    coarse = torch.rand(count, channels, 3, 3, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def denoising(y: Tensor, sigma: float = 0.0) -> Observation:
    return Observation(y, Identity(), Gaussian(torch.full((len(y),), sigma, dtype=y.dtype)))


def inpainting(x: Tensor) -> Observation:
    mask = torch.ones_like(x[:, :1])
    mask[:, :, 4:7, 5:9] = 0
    return Observation(x * mask, Masking(mask), NoNoise())


def colorization(x: Tensor) -> Observation:
    y = Luma().forward(x)
    return Observation(y, Luma(), NoNoise())


def test_the_network_is_the_published_one() -> None:
    """The authors' notebook for denoising prints 2217831 parameters."""
    network = SkipNetwork(DENOISING, 3)
    assert sum(parameter.numel() for parameter in network.parameters()) == 2217831
    assert (DENOISING.iterations, DENOISING.rate, DENOISING.jitter) == (1800, 0.01, 1 / 30)
    assert (INPAINTING.iterations, INPAINTING.skips, INPAINTING.upsampling) == (5000, (0,) * 5, "nearest")
    assert DENOISING.multiple == INPAINTING.multiple == 32


@pytest.mark.parametrize("observe", [denoising, inpainting, colorization])
def test_an_image_does_not_feel_its_batch(observe) -> None:  # type: ignore[no-untyped-def]
    observation = observe(images(2))
    prior = replace(PRIOR, iterations=4)
    together = prior.invert(observation)
    assert together.losses.shape == (4, 2)
    for index in (0, 1):
        alone = prior.invert(observation.select(index))
        assert torch.equal(together.image[index], alone.image[0])
        assert torch.equal(together.losses[:, index], alone.losses[:, 0])


def test_it_fits_and_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    seen: list[int] = []
    for observe in (denoising, inpainting):
        found = PRIOR.invert(observe(images(1)), lambda done, most, losses: seen.append(done))
        assert found.losses[-1] < 0.3 * found.losses[0]
        assert found.iterations.tolist() == [60]
    assert seen == 2 * list(range(1, 61))
    assert torch.equal(torch.get_rng_state(), state)


def test_it_denoises() -> None:
    """Stopped by the rule it is nearer to the clean image than the noisy one; fitted on, it comes nearer to that."""
    x = images(1, 32, 32)
    y = x + 0.15 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    prior = replace(PRIOR, iterations=400)
    found = prior.invert(denoising(y, 0.15))
    assert 0 < int(found.iterations) < 400
    assert float((found.image - x).square().mean()) < 0.5 * 0.15**2
    assert found.losses[-1, 0] <= 0.15**2 < found.losses[-2, 0]


def test_without_noise_or_with_tau_0_it_does_not_stop_early() -> None:
    y = images(1)
    assert int(replace(PRIOR, iterations=5).invert(denoising(y)).iterations) == 5
    assert int(replace(PRIOR, iterations=5, tau=0.0).invert(denoising(y, 9.0)).iterations) == 5
    stopped = replace(PRIOR, iterations=5).invert(denoising(y, 9.0))
    assert int(stopped.iterations) == 0
    assert stopped.image.shape == y.shape


def test_a_batch_of_different_lengths_has_nan_after_the_end() -> None:
    observation = replace(denoising(images(2)), noise=Gaussian(torch.tensor([9.0, 0.0])))
    found = replace(PRIOR, iterations=3).invert(observation)
    assert found.iterations.tolist() == [0, 3]
    assert torch.isnan(found.losses).tolist() == [[False, False], [True, False], [True, False]]


@pytest.mark.parametrize("size", [(16, 16), (9, 13), (21, 8)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_any_colour_any_precision(size: tuple[int, int], channels: int) -> None:
    x = images(1, *size, channels=channels)
    prior = replace(PRIOR, iterations=2)
    for observe in (denoising, inpainting) if channels == 1 else (denoising, inpainting, colorization):
        found = prior.invert(observe(x))
        assert found.image.shape == x.shape
        assert not found.image.requires_grad
        double = prior.invert(observe(x.double())).image
        assert double.dtype == torch.float64
        torch.testing.assert_close(double.float(), found.image)


def test_latents_decode_to_the_last_output() -> None:
    """Where g is the last output and not a mean, decoding gives g."""
    x = images(2)
    found = replace(PRIOR, iterations=3).invert(inpainting(x))
    torch.testing.assert_close(PRIOR.decode(found.latents), found.image, rtol=0, atol=1e-5)
    gray = replace(PRIOR, iterations=3).invert(inpainting(x[:, :1]))
    torch.testing.assert_close(PRIOR.decode(gray.latents), gray.image.expand(-1, 3, -1, -1), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="other settings"):
        DeepImagePrior().decode(found.latents)


def test_the_mean_of_the_outputs_is_exponential() -> None:
    """g with the weight w is (1−w) Σ w^(t−i) x_i + w^t x_0, x_i the outputs that w = 0 gives one by one."""
    outputs = []
    for steps in (1, 2, 3):
        last = DeepImagePrior(replace(NARROW, average=0.0), iterations=steps).invert(denoising(images(1)))
        outputs.append(last.image)
    expected = 0.36 * outputs[0] + 0.24 * outputs[1] + 0.4 * outputs[2]
    found = DeepImagePrior(replace(NARROW, average=0.6), iterations=3).invert(denoising(images(1)))
    torch.testing.assert_close(found.image, expected)


def test_an_observation_that_is_not_finite_is_an_error_that_names_it() -> None:
    y = images(3)
    y[2, 0, 5, 5] = torch.inf
    with pytest.raises(NonFiniteInversion, match="image 2 ") as error:
        replace(PRIOR, iterations=2).invert(denoising(y))
    assert error.value.images == (2,)
