"""Impulses: rank filters against naive ones, and filling as an exact fusion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from datasets.counts import SaltAndPepper
from datasets.errors import SuiteError
from datasets.noise import NoNoise
from datasets.observation import Observation
from datasets.operators import Identity, Masking
from methods.classic.adaptive_median import AdaptiveMedian
from methods.classic.harmonic import Harmonic
from methods.classic.impulse_filling import ImpulseFilling
from methods.classic.median import Median
from methods.registry import get_method
from tests.methods.denoising import photograph, psnr


def observe(x: Tensor, share: float, seed: int = 0) -> Observation:
    noise = SaltAndPepper(x.new_full((len(x),), share))
    return Observation(noise.sample(x, np.random.RandomState(seed)), Identity(), noise)


def inner(height: int, width: int, channels: int = 3) -> Tensor:
    """A photograph without black and white."""
    return 0.1 + 0.8 * photograph(height, width, channels)


def window(image: np.ndarray, i: int, j: int, side: int) -> np.ndarray:
    r = side // 2
    return np.pad(image, r, mode="reflect")[i : i + side, j : j + side]


@pytest.mark.parametrize("side", [1, 3, 7])
def test_median_of_every_window(side: int) -> None:
    o = observe(inner(12, 17), 0.3)
    restoration = Median(side=side).restore(o)
    for image, found in zip(o.y[0].numpy(), restoration.image[0].numpy(), strict=True):
        for i, j in np.ndindex(image.shape):
            assert found[i, j] == np.median(window(image, i, j, side))
    assert restoration.phi is not None
    assert (restoration.phi == 1).all()


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_adaptive_median_pixel_by_pixel(share: float) -> None:
    """Hwang and Haddad's two levels, in loops."""
    o = observe(inner(14, 19, 1), share)
    image = o.y[0, 0].numpy()
    restoration = AdaptiveMedian(largest=7).restore(o)
    assert restoration.phi is not None
    for i, j in np.ndindex(image.shape):
        for side in (3, 5, 7):
            near = window(image, i, j, side)
            low, middle, high = near.min(), np.median(near), near.max()
            if low < middle < high:
                expected = image[i, j] if low < image[i, j] < high else middle
                break
        else:
            expected = middle
        assert restoration.image[0, 0, i, j] == expected
        if expected != image[i, j]:
            assert restoration.phi[0, 0, i, j] == 1


def test_adaptive_median_keeps_good_pixels_bit_for_bit() -> None:
    o = observe(inner(33, 47), 0.2)
    restoration = AdaptiveMedian().restore(o)
    assert restoration.phi is not None
    assert set(restoration.phi.unique().tolist()) == {0.0, 1.0}
    kept = restoration.phi == 0
    assert torch.equal(restoration.image[kept], o.y[kept])
    assert not ((o.y[kept] == 0) | (o.y[kept] == 1)).any()
    assert not ((restoration.image == 0) | (restoration.image == 1)).any()


@pytest.mark.parametrize("filler", ["biharmonic", "harmonic"])
def test_filling_is_a_fusion_with_reliance_0_and_1(filler: str) -> None:
    o = observe(inner(33, 47), 0.3)
    restoration = ImpulseFilling(filler=filler).restore(o)
    lost = (o.y == 0) | (o.y == 1)
    assert restoration.phi is not None
    assert torch.equal(restoration.phi, lost.to(o.y.dtype))
    assert torch.equal(restoration.image[~lost], o.y[~lost])
    assert lost.double().mean() == pytest.approx(0.3, abs=0.03)


def test_channels_are_filled_apart() -> None:
    """The harmonic fill of each channel in its own hole, as a gray image."""
    o = observe(inner(20, 26), 0.5)
    found = ImpulseFilling(filler="harmonic").restore(o).image
    for c in range(3):
        gray = o.y[:, c : c + 1]
        mask = ((gray > 0) & (gray < 1)).to(gray.dtype)
        alone = Harmonic().restore(Observation(gray * mask, Masking(mask), NoNoise())).image
        torch.testing.assert_close(found[:, c : c + 1], alone, rtol=0, atol=1e-12)


def test_nothing_lost_is_nothing_filled() -> None:
    o = observe(inner(16, 16), 0.0)
    restoration = ImpulseFilling().restore(o)
    assert torch.equal(restoration.image, o.y)
    assert restoration.phi_mean() == 0


def test_everything_lost_and_wrong_fillers_are_one_line() -> None:
    with pytest.raises(ValueError, match="nothing to fill it from"):
        ImpulseFilling().restore(observe(inner(8, 8, 1), 1.0))
    for filler, message in (("nlm", "not made for holes"), ("harmonics", "Did you mean harmonic")):
        with pytest.raises(SuiteError, match=message) as error:
            get_method(f"impulse-filling[filler={filler}]")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_order_of_the_rows(share: float) -> None:
    x = photograph(96, 96).float()
    o = observe(x, share)
    median, adaptive, filled = (
        psnr(method.restore(o).image, x) for method in (Median(), AdaptiveMedian(), ImpulseFilling())
    )
    assert filled > adaptive + 1
    assert adaptive > median + 1
    assert median > psnr(o.y, x) + 5
