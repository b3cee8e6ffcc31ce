"""Training images: never a test image, never a validation image in a batch, and the same crops for the same seed."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pytest
import torch
from torch import Tensor

from datasets.__main__ import named_sets
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.training_images import HELD_OUT, TrainingImages, turned
from methods.supervised.train import SETS


class Numbered(TrainingImages):
    """Images whose pixels are all different within an image, and tell which image it is."""

    @cached_property
    def fit(self) -> list[list[Tensor]]:
        image = torch.arange(40 * 50).view(1, 40, 50) % 251
        return [
            [torch.cat([image, image, torch.full_like(image, 10 * s + i)]).byte() for i in range(3)] for s in (0, 1)
        ]


def test_training_sets_are_all_that_have_a_training_split() -> None:
    assert set(SETS) == {dataset.label for dataset in named_sets() if "train" in dataset.splits}


@pytest.mark.parametrize("name", SETS)
def test_no_test_image_trains(name: str) -> None:
    training = {entry.sha256() for entry in get_dataset(name).entries("train")}
    for other in named_sets():
        if "test" in other.splits:
            assert not training & {entry.sha256() for entry in other.entries("test")}, other.label


def test_unknown_sets_and_splits_are_refused() -> None:
    with pytest.raises(SuiteError, match="lsun-bedroom"):
        TrainingImages(("lsun-bedrom",))
    with pytest.raises(SuiteError, match="split"):
        TrainingImages(("set12",))


@pytest.mark.realdata
def test_validation_is_held_out() -> None:
    images = TrainingImages(("lsun-church",))
    fit, held = images.fit[0], images.validation()[0]
    assert (len(fit), len(held)) == (250 - HELD_OUT, HELD_OUT)
    last = get_dataset("lsun-church").entries("train")[-1].load()
    torch.testing.assert_close(held[-1], last)
    assert not any(torch.equal(image.float() / 255, last) for image in fit)


def test_crops_are_windows_of_the_images_and_seeded() -> None:
    images = Numbered(())
    first = images.upright(np.random.default_rng(3), 64, 16)
    assert first.shape == (64, 3, 16, 16)
    assert torch.equal(first, images.upright(np.random.default_rng(3), 64, 16))
    assert not torch.equal(first, images.upright(np.random.default_rng(4), 64, 16))
    whole = images.fit[0][0][0]
    for crop in (first[:, 0] * 255).round().byte():
        windows = whole.unfold(0, 16, 1).unfold(1, 16, 1)
        found = (windows == crop).all(-1).all(-1).any() or (windows == crop.flip(-1)).all(-1).all(-1).any()
        assert found, "only mirrored"
    sources = (first[:, 2, 0, 0] * 255).round().unique().tolist()
    assert sources == [0, 1, 2, 10, 11, 12], "every set and image occurs"


def test_turned_reaches_the_eight_symmetries_alone() -> None:
    square = torch.arange(9.0).view(1, 3, 3)
    random = np.random.default_rng(0)
    found = {tuple(turned(square, random).flatten().tolist()) for _ in range(200)}
    expected = {
        tuple(torch.rot90(each, k, (1, 2)).flatten().tolist()) for k in range(4) for each in (square, square.flip(2))
    }
    assert found == expected
