"""Batches that a device draws, and a schedule by seconds."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from bigprior import schedule
from bigprior.model_card import CARD, machine, write_card
from bigprior.on_device import OnDevice, OnHost
from bigprior.schedule import within
from bigprior.training import WEIGHTS, Recipe, step_random, train
from datasets.errors import SuiteError
from datasets.training_images import TrainingImages
from methods.supervised.problems.denoise import GRAY_SHARE, SIGMA_MAX, TOLD_SHARE, Denoising
from tests.bigprior.test_training import RECIPE, Smoothing, quiet


class Numbered(TrainingImages):
    """Images of other sizes in two sets, every byte a random one."""

    @cached_property
    def fit(self) -> list[list[Tensor]]:
        random = torch.Generator().manual_seed(0)
        sizes = [[(19, 32), (40, 17)], [(16, 16), (21, 23), (33, 18)]]
        return [[torch.randint(256, (3, *s), generator=random, dtype=torch.uint8) for s in part] for part in sizes]


IMAGES = Numbered(())


@pytest.mark.parametrize("size", [1, 7, 16])
def test_crops_are_those_of_the_host(size: int) -> None:
    host, device = np.random.default_rng(3), np.random.default_rng(3)
    wanted = OnHost(IMAGES).crops(host, 200, size)
    assert torch.equal(OnDevice(IMAGES, "cpu").crops(device, 200, size), wanted)
    assert host.random() == device.random(), "they draw the same numbers"


def test_noise_is_normal_and_of_its_generator_alone() -> None:
    source, shape = OnDevice(IMAGES, "cpu"), (4, 3, 64, 64)
    noise = source.normal(np.random.default_rng(1), shape)
    torch.manual_seed(5)
    assert torch.equal(source.normal(np.random.default_rng(1), shape), noise)
    assert not torch.equal(source.normal(np.random.default_rng(2), shape), noise)
    n = noise.numel()
    assert abs(float(noise.mean())) < 5 / n**0.5
    assert abs(float(noise.square().mean()) - 1) < 5 * (2 / n) ** 0.5
    assert abs(float(noise.pow(4).mean()) - 3) < 5 * (96 / n) ** 0.5


def test_batches_have_one_law_wherever_they_are_drawn() -> None:
    """The same crops, of which the same share is gray or told; noise of the told level."""
    recipe = Recipe(steps=1, batch=400, size=16)
    host, device = (Denoising(IMAGES, where).batch(step_random(0, 7), recipe) for where in (None, "cpu"))
    for batch in (host, device):
        gray = (batch.clean[:, 0] == batch.clean[:, 2]).flatten(1).all(1)
        assert abs(float(gray.float().mean()) - GRAY_SHARE) < 4 * (GRAY_SHARE / 400) ** 0.5
        told = batch.told > 0
        assert abs(float(told.float().mean()) - TOLD_SHARE) < 4 * 0.5 / 400**0.5
        noise = (batch.noisy - batch.clean)[told].flatten(1) / batch.told[told, None]
        assert float(noise.square().mean()) == pytest.approx(1, abs=0.02)
        assert float(batch.told.max()) <= SIGMA_MAX
        added = (batch.noisy - batch.clean)[gray]
        torch.testing.assert_close(added[:, 0], added[:, 2])


def test_the_host_draws_what_it_always_drew() -> None:
    batch = Denoising(IMAGES).batch(step_random(2, 3), Recipe(steps=1, batch=3, size=8))
    random = step_random(2, 3)
    clean = IMAGES.crops(random, 3, 8)
    noise = torch.from_numpy(random.standard_normal(clean.shape, dtype=np.float32))
    gray = random.random(3) < GRAY_SHARE
    sigma = torch.from_numpy(random.uniform(0, SIGMA_MAX, 3).astype(np.float32))
    assert not gray.any(), "another seed, please"
    assert torch.equal(batch.clean, clean)
    assert torch.equal(batch.noisy, clean + sigma.view(-1, 1, 1, 1) * noise)


class Cropped(Smoothing):
    """Learns to smooth crops that a device draws."""

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Tensor:
        super().batch(random, recipe)
        source = OnDevice(IMAGES, "cpu")
        crops = source.crops(random, recipe.batch, recipe.size)[:, :1]
        return crops + 0.1 * source.normal(random, crops.shape)


def test_resumed_equals_undisturbed(tmp_path: Path) -> None:
    train(Cropped(), RECIPE, tmp_path / "whole", say=quiet)
    with pytest.raises(KeyboardInterrupt):
        train(Cropped(killed_at=7), RECIPE, tmp_path / "killed", say=quiet)
    train(Cropped(), RECIPE, tmp_path / "killed", resume=True, say=quiet)
    whole, resumed = (load_file(tmp_path / each / WEIGHTS) for each in ("whole", "killed"))
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name


def test_steps_that_fit_into_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "seconds_of_a_step", lambda *_: 0.25)
    given: Any = (Smoothing(), replace(RECIPE, warm_up=200), tmp_path)
    assert within(10, *given) == replace(RECIPE, steps=40, warm_up=8)
    assert within(0.1, *given).steps == 1
    with pytest.raises(SuiteError, match="--seconds"):
        within(0, *given)
    recipe = within(3, *given)
    with pytest.raises(KeyboardInterrupt):
        train(Smoothing(killed_at=9), recipe, tmp_path, say=quiet)
    monkeypatch.setattr(schedule, "seconds_of_a_step", lambda *_: 1.0)  # another machine, or a busy one
    assert within(3, *given, resume=True) == recipe
    assert within(3, *given).steps == 3


def test_the_card_says_what_ran_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(Smoothing(), RECIPE, tmp_path, say=quiet)
    write_card(tmp_path, Smoothing(), RECIPE, ["cbsd432"], "train")
    assert f"seconds on {machine('cpu')}, torch {torch.__version__}.\n" in (tmp_path / CARD).read_text()
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"a card called {device}")
    write_card(tmp_path, Smoothing(), RECIPE, ["cbsd432"], "train", device="cuda:1", batches="the device")
    card = (tmp_path / CARD).read_text()
    assert f"seconds on a card called cuda:1, torch {torch.__version__}; batches drawn by the device, validated" in card


def test_a_step_takes_time_and_leaves_nothing() -> None:
    problem = Smoothing()
    assert 0 < schedule.seconds_of_a_step(problem, RECIPE, "cpu") < 1
    assert problem.drawn == schedule.TIMED
