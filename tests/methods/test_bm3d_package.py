from __future__ import annotations

import bm3d
import numpy as np
import pytest
import torch

from methods.classic import bm3d_package
from methods.classic.bm3d_package import BM3DPackage, Scaling
from tests.methods.denoising import observe, photograph


def test_gray_is_the_package() -> None:
    observation = observe(photograph(33, 47, 1), 25)
    expected = bm3d.bm3d(observation.y[0, 0].numpy(), 25 / 255)  # its threads reorder sums of floats: 1e-4
    assert np.allclose(BM3DPackage().restore(observation).image[0, 0].numpy(), expected, atol=1e-4)


def test_colour_is_the_package() -> None:
    observation = observe(photograph(33, 47), 25)
    image = BM3DPackage().restore(observation).image
    expected = bm3d.bm3d_rgb(observation.y[0].permute(1, 2, 0).numpy(), 25 / 255)
    assert np.allclose(image[0].permute(1, 2, 0).numpy(), expected, atol=1e-4)


def test_same_bits_again() -> None:
    observation = observe(photograph(40, 48, 1), 25)
    assert torch.equal(BM3DPackage().restore(observation).image, BM3DPackage().restore(observation).image)


def test_no_noise_is_the_image_itself() -> None:
    observation = observe(photograph(16, 16), 0)
    assert torch.equal(BM3DPackage().restore(observation).image, observation.y)


def test_colours_of_tiles_are_scaled_as_those_of_the_whole() -> None:
    image = photograph(23, 31)[0]
    pixels = image.permute(1, 2, 0).numpy()
    colours, high, low, scale, _ = bm3d.rgb_to(pixels, "opp")
    scaling = Scaling.of(image)
    np.testing.assert_allclose(scaling.low, low, rtol=0, atol=1e-12)
    np.testing.assert_allclose(scaling.high, high, rtol=0, atol=1e-12)
    np.testing.assert_allclose(scaling.there(pixels[5:9, 7:11]), colours[5:9, 7:11], rtol=0, atol=1e-12)
    np.testing.assert_allclose(scaling.back(colours), pixels, rtol=0, atol=1e-12)
    np.testing.assert_allclose(scaling.sigma(0.1).ravel(), 0.1 * np.sqrt(scale), rtol=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(50, 337), (331, 40), (301, 303)], ids=str)
def test_tiles_cover_the_image(channels: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a package that changes nothing, nothing is changed; its tiles begin at its period."""
    seen = []
    monkeypatch.setattr(bm3d_package, "WHOLE", 0)
    monkeypatch.setattr(bm3d_package, "SIDE", 297)
    monkeypatch.setattr(bm3d, "bm3d", lambda pixels, *_: seen.append(pixels.shape) or pixels)
    y = torch.rand(1, channels, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    image = bm3d_package.bm3d_package(y, torch.tensor([0.1]))
    torch.testing.assert_close(image, y, rtol=0, atol=1e-12)
    assert len(seen) > 1
    assert max(max(shape[:2]) for shape in seen) <= 297


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_are_near_the_whole(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The period of the package's grid is what makes them so: tiles that begin elsewhere are farther away."""
    observation = observe(photograph(45, 330, channels), 25)
    whole = BM3DPackage().restore(observation).image
    monkeypatch.setattr(bm3d_package, "WHOLE", 0)
    monkeypatch.setattr(bm3d_package, "SIDE", 297)
    apart = float((BM3DPackage().restore(observation).image - whole).abs().mean())
    monkeypatch.setattr(bm3d_package, "PERIOD", 1)
    assert apart < 4e-4
    assert float((BM3DPackage().restore(observation).image - whole).abs().mean()) > 2 * apart
