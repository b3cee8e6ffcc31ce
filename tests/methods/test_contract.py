"""What every registered method promises, on every task it is made for."""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING
from functools import cache, lru_cache

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.catalog import METHODS, TASKS
from datasets.observation import Observation
from datasets.operators import Luma
from datasets.spec import parameters
from datasets.task import COLORIZATION, INPAINTING, Key, Problem, Task
from methods.base import Method
from methods.registry import get_method
from tests.datasets.halving import Halve

SIZES = [(33, 47), (40, 32)]
LARGEST_END = 300
LONG = ("bm3d", "bm3d-deblur", "pnp", "pnp-admm", "red")
"""Rows that take a second even for small images: tried on `USUAL`, and on every other task in the slow tests."""
PACKAGE = ("bm3d", "bm3d-deblur")
"""Those of `LONG` that call a package, channel by channel."""
USUAL = ("deblur", "denoise")
PAIRED = ("real-noise",)
"""Tasks whose noise is a pair of photographs: of any other image they make blind denoising without noise."""
TRIED: list[Task] = [
    TASKS.build(text) for name in TASKS.index() if name not in PAIRED for text in (name, *TASKS.get(name).examples)
]
"""Every task at its defaults and at the other settings that it gives as examples, those of plug-ins included."""


@cache
def rows(variants: bool = True) -> list[str]:
    """The name of every row: methods that need no parameter and, if asked for, the named variants."""
    whole = [n for n in METHODS.index() if all(p.default is not MISSING for p in parameters(METHODS.get(n)).values())]
    return sorted({*whole, *(METHODS.variants() if variants else ())})


built = cache(get_method)
"""For the lists of tests alone: the tests themselves build a method anew."""


@cache
def usual() -> list[Task]:
    return [TASKS.build(text) for text in USUAL]


def _pairs(tasks: list[Task], variants: bool = False) -> list[pytest.param]:
    """Every method with every task that it is made for; skipped, with the reason, where it cannot run or is slow.

    Variants are the same code with other weights or another setting: they are tried in some of the tests.
    """
    found = []
    for name in rows(variants):
        method = built(name)
        for task in (task for task in tasks if task.problem in method.problems):
            reason = method.supports(task) or method.on_request
            marks = [pytest.mark.skip(reason=reason)] if reason else []
            if name in LONG and task not in usual():
                marks.append(pytest.mark.slow)
            found.append(pytest.param(name, task, id=f"{name}-{task.label.replace(' ', '-')}", marks=marks))
    return found


PAIRS, ALL_PAIRS = _pairs(TRIED), _pairs(TRIED, variants=True)


def of(problem: Problem) -> list[pytest.param]:
    """The pairs whose task is of a kind."""
    return [pair for pair in PAIRS if pair.values[1].problem == problem]


@cache
def photograph(size: tuple[int, int], channels: int, place: int = 0) -> Tensor:
    """A crop of a natural photograph (C,H,W) in [0,1]."""
    h, w = size
    top, left = [(90, 190), (5, 120)][place]
    crop = torch.from_numpy(data.astronaut()[top : top + h, left : left + w].astype(np.float32) / 255).permute(2, 0, 1)
    return crop if channels == 3 else Luma().forward(crop[None])[0]


def observe(task: Task, size: tuple[int, int], channels: int, place: int = 0) -> Observation:
    return task.degrade(photograph(size, channels, place), Key(0, "contract", f"{size}-{channels}-{place}"))


def channels_of(task: Task) -> list[int]:
    return [3] if task.needs_colour else [1, 3]


def largest(name: str, task: Task) -> int:
    """Channels of the checks that one number of them will do for: 3, of which a package takes three times as long.

    In the slow tests it is tried in colour.
    """
    return 1 if name in PACKAGE and task in usual() else 3


def given(method: Method, observation: Observation) -> Observation:
    return observation if method.oracle else observation.without_truth()


@lru_cache(maxsize=16)  # the checks of a pair follow each other, as tests/conftest.py sorts them
def restored(name: str, task: Task, size: tuple[int, int], channels: int, place: int = 0) -> Restoration:
    method = get_method(name)
    return method.restore(given(method, observe(task, size, channels, place)))


@pytest.mark.parametrize("name", rows())
def test_describes_itself(name: str) -> None:
    method = get_method(name)
    assert dataclasses.is_dataclass(method)
    assert method == get_method(name), "two instances with the same parameters are equal"
    assert method.summary
    assert not method.summary.endswith(".")
    assert any(character.isdigit() for character in method.citation) or "no source" in method.citation, "has a year"
    for task in TRIED:
        reason = method.supports(task)
        assert (reason is None) or (isinstance(reason, str) and reason)
        if task.problem not in method.problems:
            assert reason
    for parameter in parameters(type(method)).values():
        assert parameter.said, f"{parameter.name} has no line under Args:"


@pytest.mark.parametrize("name", rows(variants=False))
def test_a_task_that_it_does_not_know_is_a_reason(name: str) -> None:
    reason = get_method(name).supports(Halve())
    assert reason is not None
    assert "not for half the size with Poisson noise" in reason


@pytest.mark.parametrize("name", rows(variants=False))
def test_an_operator_that_it_does_not_know_is_never_taken_for_another(name: str) -> None:
    """Fusions that do different things for different operators refuse what is in none of their tables."""
    method = get_method(name)
    if len(method.problems) > 1:
        with pytest.raises(ValueError, match="does not know the operator Halving"):
            method.restore(Halve().degrade(photograph(SIZES[0], 3), Key(0, "contract", "")).without_truth())


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("name", "task"), ALL_PAIRS)
def test_image_is_whole(name: str, task: Task, size: tuple[int, int]) -> None:
    for channels in channels_of(task):
        observation = observe(task, size, channels)
        image = restored(name, task, size, channels).image
        assert image.shape == observation.fidelity.shape
        assert image.dtype == observation.y.dtype
        assert torch.isfinite(image).all()


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_fusion_recomposes(name: str, task: Task) -> None:
    for channels in channels_of(task):
        restoration = restored(name, task, SIZES[0], channels)
        assert restoration.decoupled == get_method(name).decoupled
        if not restoration.decoupled:
            assert restoration.phi_mean() is None
            continue
        torch.testing.assert_close(restoration.recompose(), restoration.image, rtol=0, atol=1e-5)
        assert restoration.phi is not None
        assert restoration.phi.min() >= -1e-6
        assert restoration.phi.max() <= 1 + 1e-6
        mean = restoration.phi_mean()
        assert mean is not None
        assert mean.shape == (1,)
        assert 0 <= float(mean) <= 1
        pixel = restoration.phi_map()
        if pixel is not None:
            assert pixel.shape == (1, 1, *restoration.image.shape[-2:])
            assert torch.isfinite(pixel).all()


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_only_the_observation_matters(name: str, task: Task) -> None:
    """Neither the image before it, nor the global generators, nor the truth; and the observation is left as it was."""
    method = get_method(name)
    channels = largest(name, task)
    observation = observe(task, SIZES[0], channels)
    before = observation.y.clone()
    image = restored(name, task, SIZES[0], channels).image
    restored(name, task, SIZES[1], channels)  # something else in between
    torch.random.manual_seed(1)
    np.random.seed(1)
    again = method.restore(observation).image
    assert torch.equal(observation.y, before), "the observation was changed"
    assert torch.equal(image, again), "the result depends on what came before, on chance or on the truth"


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_batch_equals_one_by_one(name: str, task: Task) -> None:
    method, channels = get_method(name), largest(name, task)
    batch = Observation.cat([observe(task, SIZES[0], channels, place) for place in (0, 1)])
    together = method.restore(given(method, batch))
    for place in (0, 1):
        alone = restored(name, task, SIZES[0], channels, place)
        torch.testing.assert_close(together.image[place], alone.image[0], rtol=0, atol=2e-5)
        if alone.decoupled:
            means = together.phi_mean(), alone.phi_mean()
            assert means[0] is not None
            assert means[1] is not None
            assert float(means[0][place]) == pytest.approx(float(means[1][0]), abs=1e-4)


@pytest.mark.parametrize(("name", "task"), [pair for pair in PAIRS if built(pair.values[0]).oracle])
def test_an_oracle_asks_for_the_truth(name: str, task: Task) -> None:
    with pytest.raises(ValueError, match="oracle"):
        get_method(name).restore(observe(task, SIZES[0], 3).without_truth())


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_double_precision(name: str, task: Task) -> None:
    method, channels = get_method(name), largest(name, task)
    observation = observe(task, SIZES[0], channels).to(dtype=torch.float64)
    restoration = method.restore(given(method, observation))
    assert restoration.image.dtype == torch.float64
    # Not bit-exact: patch matching and shrinkage decide by thresholds. But no precision is a different method.
    difference = restoration.image.float() - restored(name, task, SIZES[0], channels).image
    assert float(difference.square().mean().sqrt()) < 2e-3


@pytest.mark.parametrize(("name", "task"), of(INPAINTING))
def test_inpainting_keeps_what_was_observed(name: str, task: Task) -> None:
    for channels in channels_of(task):
        observation = observe(task, SIZES[0], channels)
        restoration = restored(name, task, SIZES[0], channels)
        seen = observation.mask.bool().expand_as(observation.y)
        if get_method(name).decoupled:
            assert torch.equal(restoration.image[seen], observation.y[seen])
        hole = restoration.image[~seen]
        assert hole.min() > -0.5
        assert hole.max() < 1.5


@pytest.mark.parametrize(("name", "task"), of(COLORIZATION))
def test_colorization_keeps_the_luma(name: str, task: Task) -> None:
    if get_method(name).decoupled:
        observation = observe(task, SIZES[0], 3)
        luma = Luma().forward(restored(name, task, SIZES[0], 3).image)
        torch.testing.assert_close(luma, observation.y, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "task"), [pair for pair in _pairs([TASKS.build("denoise[sigma=25]")]) if pair.values[0] != "noisy"]
)
def test_denoisers_denoise(name: str, task: Task) -> None:
    """At σ = 25 every denoiser takes away at least a third of the error's energy of a natural photograph."""
    method = get_method(name)
    observation = observe(task, (64, 64), 3)
    assert observation.truth is not None
    image = method.restore(given(method, observation)).image
    noise = (observation.y - observation.truth.clean).square().mean()
    left = (image - observation.truth.clean).square().mean()
    assert float(left / noise) < 2 / 3


@pytest.mark.parametrize(("name", "task"), _pairs([TASKS.build("denoise[sigma=0]")]))
def test_without_noise_nothing_is_restored(name: str, task: Task) -> None:
    method = get_method(name)
    observation = observe(task, SIZES[0], 3)
    image = method.restore(given(method, observation)).image
    torch.testing.assert_close(image, observation.y, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in rows(variants=False) if built(name).on_request is None])
def test_the_ends_of_a_range_can_be_used(name: str) -> None:
    """The least value of every parameter, and the largest where it is no matter of time, give a finite image."""
    method = get_method(name)
    task = next(task for task in TRIED if task.problem in method.problems)
    if method.supports(task) is not None or name in PACKAGE:
        pytest.skip("its weights are not here, or the package takes seconds a call")
    observation = given(method, observe(task, (20, 24), 3))
    for parameter in parameters(type(method)).values():
        ends = [] if parameter.within is None else [parameter.within.low, parameter.within.high]
        for end in (end for end in ends if abs(end) <= LARGEST_END):
            default = parameter.default
            number = int(end) if isinstance(default, int | None) else end
            value = tuple(end for _ in default) if isinstance(default, tuple) else number
            try:
                made = dataclasses.replace(method, **{parameter.name: value})
            except ValueError:
                continue  # two parameters that must fit together: this one cannot go so far alone
            assert torch.isfinite(made.restore(observation).image).all(), f"{parameter.name}={value}"
