"""The inversions of a GAN: what they recover, when they stop, and that no image feels another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bigprior.priors.base import (
    GenerativePrior,
    NonFiniteInversion,
    UnsupportedSize,
    discrepancy_met,
    enlarge,
    measure,
)
from bigprior.priors.descent import descend
from bigprior.priors.feature_map import FeatureMap
from bigprior.priors.gan_inversion import DataTerm, GanInversion
from bigprior.priors.multi_code import MultiCode, published
from bigprior.priors.pggan import PGGAN, Layout
from datasets.noise import Gaussian, NoNoise
from datasets.observation import Observation
from datasets.operators import LUMA, Identity, Luma, Masking
from tests.bigprior.generators import SMALL, official_state

SIDE = SMALL.resolution


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def generator(dtype: torch.dtype = torch.float32) -> PGGAN:
    return PGGAN(official_state(), SMALL, dtype=dtype)


def denoising(y: Tensor, sigma: float = 0.0) -> Observation:
    return Observation(y, Identity(), Gaussian(torch.full((len(y),), sigma, dtype=y.dtype)))


def inpainting(x: Tensor) -> Observation:
    mask = torch.ones_like(x[:, :1])
    mask[:, :, 3:9, 4:12] = 0
    return Observation(x * mask, Masking(mask), NoNoise())


def colorization(x: Tensor) -> Observation:
    y = Luma().forward(x)
    return Observation(y, Luma(), NoNoise())


OBSERVE = {"denoise": denoising, "inpaint": inpainting, "colorize": colorization}


def decibels(image: Tensor, reference: Tensor) -> Tensor:
    return -10 * (image - reference).square().flatten(1).mean(1).log10()


def images(count: int, height: int = SIDE, width: int = SIDE, channels: int = 3) -> Tensor:
    """Smooth images that no code makes exactly."""
    coarse = torch.rand(count, channels, 4, 4, generator=torch.Generator().manual_seed(9))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def priors(**settings: object) -> list[GanInversion]:
    return [
        MultiCode(generator(), codes=3, layer=4, **settings),  # type: ignore[arg-type]
        MultiCode(generator(), codes=1, layer=2, **settings),  # type: ignore[arg-type]
        FeatureMap(generator(), layer=3, **settings),  # type: ignore[arg-type]
    ]


KINDS = range(3)


def test_an_image_made_from_known_codes_is_recovered() -> None:
    made = MultiCode(generator(), codes=4, layer=4)
    known = [random(2, 4, SMALL.code), 0.25 + 0.1 * random(2, 4, 16, seed=1)]
    x = made.decode(known)
    prior = MultiCode(generator(), codes=30, layer=4, iterations=200, rate=0.1, optimiser="adam", seed=5)
    found = prior.invert(denoising(x))
    before = decibels(prior.decode(prior.start(2)), x)
    assert before.max() < 25
    assert decibels(found.image, x).min() >= 30
    torch.testing.assert_close(prior.decode(found.latents), found.image)


@pytest.mark.slow
def test_the_published_descent_recovers_an_image_too() -> None:
    """Steepest descent with step 1 and 30 codes at layer 4, as published, in a third of the published iterations."""
    x = MultiCode(generator(), codes=4, layer=4).decode([random(1, 4, SMALL.code), torch.full((1, 4, 16), 0.25)])
    prior = replace(MultiCode(generator()), iterations=1000)
    assert (prior.codes, prior.layer, prior.optimiser, prior.rate) == (30, 4, "sgd", 1.0)
    assert float(decibels(prior.invert(denoising(x)).image, x)) >= 30


@pytest.mark.slow
def test_an_image_of_the_256_generator_is_recovered() -> None:
    """By Adam and not by the published steepest descent, which takes more than an hour on a CPU."""
    layout = Layout(256)
    large = PGGAN(official_state(layout), layout)
    x = MultiCode(large, codes=4).decode([random(1, 4, 512), 0.25 + 0.1 * random(1, 4, 512, seed=1)])
    prior = MultiCode(large, iterations=120, rate=0.05, optimiser="adam", seed=5)
    assert float(decibels(prior.invert(denoising(x)).image, x)) >= 30


def test_the_defaults_are_the_published_settings() -> None:
    prior = MultiCode(generator())
    assert (prior.codes, prior.layer, prior.iterations, prior.rate) == (30, 4, 3000, 1.0)
    assert (prior.optimiser, prior.perceptual_weight) == ("sgd", 0.1)
    assert published(colorization(images(1))) == (20, 6)
    assert published(inpainting(images(1))) == published(denoising(images(1))) == (30, 4)


def test_composition_is_the_published_formula() -> None:
    """G₂(1/K Σ_k α_k ⊙ G₁(z_k)), and its gradients, against a loop over the codes; in float64."""
    exact = generator(torch.float64)
    prior = MultiCode(exact, codes=5, layer=4)
    latents = [random(2, 5, SMALL.code, dtype=torch.float64), random(2, 5, 16, seed=1, dtype=torch.float64)]
    target = random(2, 3, SIDE, SIDE, seed=2, dtype=torch.float64)
    gradients, pictures = [], []
    for way in ("batch", "loop"):
        z, alpha = (latent.clone().requires_grad_() for latent in latents)
        if way == "batch":
            image = prior.render([z, alpha])
        else:
            maps = [exact.features(z[:, k], 4) * alpha[:, k, :, None, None] for k in range(5)]
            image = exact.image(torch.stack(maps).sum(0) / 5, 4)
        gradients.append(torch.autograd.grad((image - target).square().sum(), [z, alpha]))
        pictures.append(image.detach())
    torch.testing.assert_close(pictures[0], pictures[1], rtol=1e-10, atol=1e-12)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


def test_one_code_is_plain_inversion() -> None:
    """The composing layer does not matter, and z is the only latent."""
    results = []
    for layer in (1, 5):
        prior = MultiCode(generator(), codes=1, layer=layer, iterations=3, rate=0.1)
        found = prior.invert(denoising(images(1)))
        assert [latent.shape for latent in found.latents] == [(1, 1, SMALL.code)]
        results.append(found.latents[0])
    torch.testing.assert_close(results[0], results[1])


def test_feature_maps_are_refined_after_the_code() -> None:
    made = MultiCode(generator(), codes=4, layer=4)
    x = made.decode([random(1, 4, SMALL.code), torch.full((1, 4, 16), 0.25)])
    found = FeatureMap(generator(), iterations=40, layer=3).invert(denoising(x))
    assert found.losses.shape == (80, 1)
    assert found.iterations.tolist() == [80]
    assert found.losses[-1, 0] < 0.5 * found.losses[39, 0]
    assert [tuple(latent.shape[1:]) for latent in found.latents] == [(16,), *(SMALL_SHAPES[i] for i in range(3))]


SMALL_SHAPES = [(16, 4, 4), (16, 4, 4), (16, 8, 8)]


@pytest.mark.parametrize("task", OBSERVE)
@pytest.mark.parametrize("kind", KINDS)
def test_the_result_is_the_same_whatever_the_batch(kind: int, task: str) -> None:
    """In double precision, where the rounding of batched arithmetic is far below any interaction."""
    prior = replace(priors(iterations=6, rate=0.1)[kind], generator=generator(torch.float64))
    observation = OBSERVE[task](images(3)).to(dtype=torch.float64)
    together = prior.invert(observation)
    for index in (0, 2):
        alone = prior.invert(observation.select(index))
        torch.testing.assert_close(together.image[index], alone.image[0], rtol=0, atol=1e-8)
        torch.testing.assert_close(together.losses[:, index], alone.losses[:, 0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("task", OBSERVE)
@pytest.mark.parametrize("kind", KINDS)
def test_the_trace_falls_and_random_numbers_are_its_own(kind: int, task: str) -> None:
    prior = priors(iterations=25, rate=0.05, optimiser="adam")[kind]
    observation = OBSERVE[task](images(1))
    torch.manual_seed(0)
    state = torch.get_rng_state()
    seen: list[int] = []
    found = prior.invert(observation, lambda done, most, losses: seen.append(done))
    assert torch.equal(torch.get_rng_state(), state)
    assert found.losses[-1] < 0.9 * found.losses[0]
    assert seen == list(range(1, len(found.losses) + 1))
    assert not found.image.requires_grad
    assert 0 <= found.image.min() <= found.image.max() <= 1


def test_every_image_of_a_batch_starts_from_the_same_codes() -> None:
    for prior in priors(seed=3):
        for latent in prior.start(3):
            assert torch.equal(latent[0], latent[2])
    first, second = (MultiCode(generator(), seed=seed).start(1)[0] for seed in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("task", OBSERVE)
def test_the_inversion_sees_through_the_operator_alone(task: str) -> None:
    """What the operator takes away does not change the result."""
    x = images(1)
    if task == "inpaint":
        other = torch.where(inpainting(x).mask.bool(), x, 1 - x)
    elif task == "colorize":
        shift = torch.tensor([LUMA[1], -LUMA[0], 0.0]).view(3, 1, 1)
        other = x + 0.2 * shift
    else:
        other = x
    results = [
        MultiCode(generator(), codes=2, iterations=4, rate=0.1).invert(OBSERVE[task](v)).image for v in (x, other)
    ]
    torch.testing.assert_close(*results, rtol=0, atol=1e-5)


def test_the_data_term_is_the_released_one() -> None:
    """Mean over all pixels of the scale −1..1, masked; features of what is seen with mid-gray holes, times w/1000."""
    x, guess = images(2), images(2).flip(0) * 0.9
    features = lambda image: image.cumsum(-1)  # noqa: E731
    signed = [2 * v - 1 for v in (x, guess)]
    for task, observe in OBSERVE.items():
        observation = observe(x)
        a, b = [observation.operator.forward(v) for v in signed]
        a, b = ((v.expand(-1, 3, -1, -1)) for v in (a, b))
        expected = (a - b).square().mean((1, 2, 3))
        expected += 0.1 * 0.001 * (features((a + 1) / 2) - features((b + 1) / 2)).abs().mean((1, 2, 3))
        torch.testing.assert_close(DataTerm(observation, features, 0.1)(guess), expected, msg=task)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(16, 16), (21, 32), (9, 13)], ids=str)
def test_smaller_images_are_enlarged_and_cropped_back(size: tuple[int, int], channels: int) -> None:
    x = images(2, *size, channels=channels)
    for observe in (denoising, inpainting) if channels == 1 else (denoising, inpainting, colorization):
        found = MultiCode(generator(), codes=2, iterations=2).invert(observe(x))
        assert found.image.shape == x.shape
        assert torch.isfinite(found.image).all()


def test_larger_images_are_refused_with_the_sizes_it_takes() -> None:
    for prior in priors():
        with pytest.raises(UnsupportedSize, match=r"40×32.*up to 32×32"):
            prior.invert(denoising(images(1, 40, 32)))


def test_enlarging_reflects_and_cropping_undoes_it() -> None:
    x = images(2, 5, 9)
    frame = enlarge(inpainting(images(2, 12, 14)), 40, 14)
    torch.testing.assert_close(frame.observation.operator.forward(torch.ones_like(frame.observation.y)),
                               frame.observation.mask.expand(-1, 3, -1, -1))  # fmt: skip
    frame = enlarge(denoising(x), 9, 12)
    torch.testing.assert_close(frame.observation.y, torch.nn.functional.pad(x, (1, 2, 2, 2), mode="reflect"))
    for side in (9, 31):  # a margin wider than the image too
        frame = enlarge(denoising(x), side, side)
        assert frame.observation.y.shape == (2, 3, side, side)
        assert torch.equal(frame.crop(frame.observation.y), x)


def test_double_precision_in_and_out() -> None:
    x = images(1)
    prior = MultiCode(generator(), codes=2, iterations=4)
    single = prior.invert(denoising(x)).image
    double = prior.invert(denoising(x.double())).image
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single)


def test_morozovs_rule() -> None:
    """σ per image, over observed pixels, τσ² included; never without noise or where σ is unknown."""
    y = torch.zeros(4, 3, 4, 4)
    mask = torch.ones(4, 1, 4, 4)
    mask[:, :, 0] = 0
    observation = Observation(y, Masking(mask), Gaussian(torch.tensor([0.1, 0.09, 0.0, 0.3])))
    measured = torch.full_like(y, 0.1) * mask
    assert discrepancy_met(observation, measured, 1.0001).tolist() == [True, False, False, True]
    assert discrepancy_met(observation, measured, 1.3).tolist() == [True, True, False, True]
    assert not discrepancy_met(observation, measured, 0.0).any()
    assert not discrepancy_met(replace(observation, noise=None), measured, 9.0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_rule_stops_each_image_for_itself(kind: int) -> None:
    """Of two noise levels one is met on the way: that image keeps its state, the other goes on to the end."""
    prior = priors(iterations=40, rate=0.05, optimiser="adam")[kind]
    x = images(2)
    trace = prior.invert(denoising(x)).losses
    # The loss is 4 times the mean residual; halfway between its first and last values the rule is met on the way.
    level = math.sqrt(float(trace[0, 0] + trace[39, 0]) / 2 / 4)
    observation = replace(denoising(x), noise=Gaussian(torch.tensor([level, 1e-4])))
    found = prior.invert(observation)
    steps, last = found.iterations.tolist()
    assert 0 < steps < last == len(found.losses)
    residual = (measure(observation, found.image) - x).square().mean((1, 2, 3))
    assert residual[0] <= level**2 * 1.05
    assert residual[0] > 0.5 * level**2
    alone = prior.invert(observation.select(0))
    assert alone.iterations.tolist() == [steps]
    torch.testing.assert_close(alone.image[0], found.image[0], rtol=0, atol=2e-5)
    torch.testing.assert_close(prior.decode(found.latents), found.image, rtol=0, atol=1e-6)


def quadratic(latents: Sequence[Tensor], image: Tensor) -> Tensor:
    return image.flatten(1).square().sum(1)


def test_a_loss_that_is_not_finite_names_its_image() -> None:
    def explode(latents: Sequence[Tensor], image: Tensor) -> Tensor:
        return quadratic(latents, image) / torch.where(image[:, 0, 0, 0] < 0.3, 0.0, 1.0)

    start = [torch.ones(3, 1, 1, 1) * torch.tensor([1.0, 4.0, 2.0]).view(3, 1, 1, 1)]

    def run() -> None:
        descend(start, lambda latents: latents[0], explode, lambda image: torch.zeros(3, dtype=torch.bool),
                lambda tensors: torch.optim.SGD(tensors, lr=0.25), 9)  # fmt: skip

    with pytest.raises(NonFiniteInversion, match="image 0 of the batch is not finite in iteration 2") as error:
        run()
    assert error.value.images == (0,)


def test_an_observation_that_is_not_finite_is_an_error_that_names_it() -> None:
    y = images(3)
    y[1, 0, 5, 5] = torch.nan
    for prior in priors():
        with pytest.raises(NonFiniteInversion, match="image 1 ") as error:
            prior.invert(denoising(y))
        assert error.value.images == (1,)
        assert error.value.iteration == 0


def test_what_has_stopped_is_not_an_error_later() -> None:
    """An image that has met the rule keeps its value while another runs on, even where its own loss explodes."""
    start = [torch.tensor([1.0, 1.0]).view(2, 1, 1, 1)]
    calls = 0

    def loss(latents: Sequence[Tensor], image: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return quadratic(latents, image) / torch.tensor([1.0 if calls < 3 else 0.0, 1.0])

    rule = lambda image: torch.tensor([True, False]) & (image.flatten() < 0.6)  # noqa: E731
    found = descend(start, lambda latents: latents[0], loss, rule, lambda t: torch.optim.SGD(t, lr=0.25), 5)
    torch.testing.assert_close(found.image.flatten(), torch.tensor([0.5, 0.5**5]))
    assert found.iterations.tolist() == [1, 5]
    assert torch.isnan(found.losses[:, 0]).tolist() == [False, False, True, True, True]


def test_layers_and_codes_that_do_not_exist_are_refused() -> None:
    for layer in (0, 9):
        with pytest.raises(ValueError, match=f"layer {layer}: the generator has layers 1 to 8"):
            MultiCode(generator(), layer=layer)
        with pytest.raises(ValueError, match=f"layer {layer}: the generator has layers 1 to 8"):
            FeatureMap(generator(), layer=layer)
    with pytest.raises(ValueError, match="0 codes"):
        MultiCode(generator(), codes=0)


def test_they_are_generative_priors() -> None:
    for prior in priors():
        assert isinstance(prior, GenerativePrior)
        decoded = prior.decode(prior.start(2))
        assert decoded.shape == (2, 3, SIDE, SIDE)
        assert 0 <= decoded.min() <= decoded.max() <= 1
