"""The fast fill against the exact harmonic one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from bigprior.smooth_fill import smooth_fill
from methods.classic.harmonic import Harmonic


def photograph(height: int, width: int) -> Tensor:
    return torch.from_numpy(data.astronaut()[:height, 100 : 100 + width].astype(np.float32) / 255).permute(2, 0, 1)[
        None
    ]


@pytest.mark.parametrize("size", [(96, 96), (61, 87), (33, 128)])
def test_close_to_harmonic_and_untouched_elsewhere(size: tuple[int, int]) -> None:
    image = photograph(*size)
    mask = torch.ones(1, 1, *size)
    mask[..., 8:30, 20:60] = 0
    mask[..., 25:33, 50:80] = 0
    filled = smooth_fill(image * mask, mask)
    seen = mask.bool().expand_as(image)
    assert torch.equal(filled[seen], image[seen])
    hole = mask[0, 0].numpy() == 0
    exact = Harmonic().fill(image[0].permute(1, 2, 0).double().numpy() * (1 - hole)[..., None], hole)
    difference = filled[0].permute(1, 2, 0).numpy()[hole] - exact[hole]
    spread = image[0].permute(1, 2, 0).numpy()[hole].std()
    assert np.sqrt((difference**2).mean()) < 0.15 * spread


def test_a_constant_stays_constant_and_the_hole_is_not_read() -> None:
    mask = (torch.rand(2, 1, 45, 52, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    image = torch.full((2, 3, 45, 52), 0.3)
    torch.testing.assert_close(smooth_fill(image, mask), image)
    spoiled = torch.where(mask > 0, image, 9.0)
    torch.testing.assert_close(smooth_fill(spoiled, mask), image)


def test_nothing_observed_is_gray_and_batches_do_not_mix() -> None:
    image = photograph(40, 40).expand(2, -1, -1, -1)
    mask = torch.zeros(2, 1, 40, 40)
    mask[1, :, :, :10] = 1
    both = smooth_fill(image, mask)
    torch.testing.assert_close(both[0], torch.full((3, 40, 40), 0.5))
    torch.testing.assert_close(both[1:], smooth_fill(image[1:], mask[1:]))


def test_the_channels_of_a_large_image_are_filled_one_by_one_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    image = torch.rand(2, 3, 37, 50, generator=torch.Generator().manual_seed(1))
    mask = (torch.rand(2, 1, 37, 50, generator=torch.Generator().manual_seed(2)) > 0.6).float()
    whole = smooth_fill(image, mask)
    monkeypatch.setattr("bigprior.smooth_fill.LARGE", 1)
    assert torch.equal(smooth_fill(image, mask), whole)
