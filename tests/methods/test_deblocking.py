"""Deblocking: the cells of a JPEG, projections on them, and the rows' identities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from torch import Tensor

from datasets.compression import Jpeg
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.noise import NoNoise
from datasets.observation import Observation
from datasets.operators import LUMA
from datasets.task import Key, get_task
from methods.classic._cells import LumaBlocks, block_dct, block_idct, half_cells, whole_blocks, within_cells
from methods.classic._gradient import gradient
from methods.classic.cell_projection import CellProjection
from methods.classic.observed import Observed
from methods.classic.shifted_jpeg import ShiftedJpeg
from methods.classic.tv_deblocking import TVDeblocking
from methods.registry import get_method
from tests.methods.denoising import photograph, psnr

SIZES = [(16, 24), (33, 47), (5, 8)]


def observe(x: Tensor, quality: int = 10) -> Observation:
    operator = Jpeg(quality)
    return Observation(operator.forward(x), operator, NoNoise())


def luma(x: Tensor) -> Tensor:
    return x if x.shape[1] == 1 else (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def test_blocks_are_scipys() -> None:
    x = torch.from_numpy(np.random.RandomState(0).rand(2, 1, 16, 24))
    theirs = dctn(x.numpy().reshape(2, 1, 2, 8, 3, 8), axes=(3, 5), norm="ortho").reshape(x.shape)
    np.testing.assert_allclose(block_dct(x), theirs, rtol=0, atol=1e-12)
    torch.testing.assert_close(block_idct(block_dct(x)), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_domain(size: tuple[int, int], channels: int) -> None:
    """Synthesis undoes analysis, and the first coordinates are the DCT of luma, continued by its last pixels."""
    x = photograph(*size, channels)
    domain = LumaBlocks(size)
    c = domain.analysis(x)
    torch.testing.assert_close(domain.synthesis(c), x, rtol=0, atol=1e-12)
    torch.testing.assert_close(c[:, :1], block_dct(whole_blocks(luma(x))), rtol=0, atol=1e-12)
    assert c.shape[-2:] == tuple(-(-side // 8) * 8 for side in size)


@pytest.mark.parametrize("quality", [5, 10, 30, 75])
def test_the_original_lies_in_the_cells(quality: int) -> None:
    """Of a gray image of whole blocks that is not clipped, but for the rounding of y to 8 bit.

    That is at most 4 levels in a coefficient, and hardly ever more than 1½.
    """
    x = 0.2 + 0.6 * photograph(64, 96, 1)
    x = (x * 255).round() / 255
    o = observe(x, quality)
    away = (block_dct(x) - block_dct(o.y)).abs() - half_cells(Jpeg(quality), o.y)
    assert away.max() < 4 / 255
    assert (away > 1.5 / 255).double().mean() < 0.01
    assert half_cells(Jpeg(quality), o.y)[0, 0, 8, 17] == Jpeg(quality).tables()[0][0, 1] / 510


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_nearest_point_in_the_cells(share: float, channels: int) -> None:
    """The fusion with φ = min(1, h/|g − f|) clips the coefficients of g; chroma is mixed by its own φ."""
    o = observe(photograph(24, 40, channels), 20)
    domain = LumaBlocks((24, 40))
    g = domain.analysis(photograph(24, 40, channels).flip(-1))
    f = domain.analysis(o.y)
    half = share * half_cells(Jpeg(20), f)
    restoration = within_cells(o, g, share, chroma=0.3)
    found = domain.analysis(restoration.image)
    clipped = torch.minimum(torch.maximum(g[:, :1], f[:, :1] - half), f[:, :1] + half)
    torch.testing.assert_close(found[:, :1], clipped, rtol=0, atol=1e-12)
    torch.testing.assert_close(found[:, 1:], 0.7 * f[:, 1:] + 0.3 * g[:, 1:], rtol=0, atol=1e-12)
    assert restoration.phi is not None
    assert restoration.phi.min() >= 0
    assert restoration.phi.max() <= 1
    if share == 0:
        torch.testing.assert_close(luma(restoration.image), luma(o.y), rtol=0, atol=1e-12)


def variation(x: Tensor) -> Tensor:
    return gradient(luma(x)).square().sum(dim=(1, 2)).sqrt().sum()


def test_total_variation_is_least_in_the_cells() -> None:
    o = observe(photograph(24, 32, 1))
    x = TVDeblocking(share=1, iterations=1500).restore(o).image
    f, half = block_dct(o.y), half_cells(Jpeg(10), o.y)
    inside = block_dct(x)
    assert ((inside - f).abs() <= half + 1e-9).all()
    least = variation(x)
    random = torch.Generator().manual_seed(0)
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(10):
            moved = block_dct(x + size * torch.randn(x.shape, generator=random, dtype=x.dtype))
            other = block_idct(torch.minimum(torch.maximum(moved, f - half), f + half))
            assert variation(other) > least * (1 - 1e-5)
    assert least < 0.7 * variation(o.y)
    assert variation(TVDeblocking(share=1).restore(o).image) < 1.05 * least


def test_total_variation_leaves_chroma_and_follows_the_cells() -> None:
    o = observe(photograph(33, 47))
    restoration = TVDeblocking().restore(o)
    domain = LumaBlocks((33, 47))
    torch.testing.assert_close(
        domain.analysis(restoration.image)[:, 1:], domain.analysis(o.y)[:, 1:], rtol=0, atol=1e-12
    )
    assert torch.equal(TVDeblocking(share=0).restore(o).image.float(), o.y.float())


@pytest.mark.parametrize("channels", [1, 3])
def test_shifted_jpeg_is_the_mean_over_all_grids(channels: int) -> None:
    x = photograph(21, 30, channels).float()
    o = observe(x, 20)
    images = [o.y[0].numpy()]
    for down in range(8):
        for across in range(8):
            if down or across:
                moved = np.pad(o.y[0].numpy(), ((0, 0), (down, 0), (across, 0)), mode="edge")
                again = Jpeg(20).forward(torch.from_numpy(moved)[None])[0].numpy()
                images.append(again[:, down:, across:])
    restoration = ShiftedJpeg().restore(o)
    np.testing.assert_allclose(restoration.image[0], np.mean(images, axis=0), rtol=0, atol=1e-6)
    assert restoration.phi is not None
    assert (restoration.phi == 63 / 64).all()


def test_compression_of_what_was_compressed_changes_little() -> None:
    """Why y stands for its own compression in `shifted-jpeg`; at another place of the grid it is another image."""
    o = observe(0.2 + 0.6 * photograph(64, 64, 1))
    again = Jpeg(10).forward(o.y)
    elsewhere = Jpeg(10).forward(o.y[..., 3:, 3:])
    assert (again - o.y).abs().max() <= 1.01 / 255
    assert (elsewhere - o.y[..., 3:, 3:]).abs().max() > 10 / 255


def test_sigma_follows_the_table() -> None:
    """At quality 50 the table is the standard's, whose nine lowest entries are these."""
    mean = (16 + 11 + 10 + 12 + 12 + 14 + 14 + 13 + 16) / 9
    assert CellProjection(scale_gray=0.69).level(Jpeg(50), 1) * 255 == pytest.approx((0.69 * mean**1.3) ** 0.5)
    levels = [CellProjection().level(Jpeg(quality), 3) for quality in (5, 10, 20, 50, 90)]
    assert levels == sorted(levels, reverse=True)


def test_projection_of_a_denoisers_image() -> None:
    """With no room in the cells luma is y's; with all of it, what the denoiser made, clipped."""
    o = observe(photograph(40, 48, 1).float())
    tight = CellProjection(denoiser="local-wiener", share=0).restore(o).image
    torch.testing.assert_close(tight, o.y, rtol=0, atol=1e-6)
    free = CellProjection(denoiser="local-wiener").restore(o)
    assert free.prior is not None
    outside = (free.prior - block_dct(o.y)).abs() > half_cells(Jpeg(10), o.y)
    torch.testing.assert_close(block_dct(free.image)[~outside], free.prior[~outside], rtol=0, atol=1e-5)


@pytest.mark.parametrize("denoiser", ["tv-inpaint", "bm4d", "fourier-wiener-oracle", "noisy"])
def test_a_wrong_denoiser_is_one_line(denoiser: str) -> None:
    with pytest.raises(SuiteError, match="denoiser") as error:
        get_method(f"cell-projection[denoiser={denoiser}]")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_row_is_better_than_the_jpeg(channels: int) -> None:
    x = photograph(96, 96, channels, top=300, left=150).float()
    o = observe(x)
    floor = psnr(o.y, x)
    assert psnr(Observed().restore(o).image, x) == floor
    for method, gain in ((ShiftedJpeg(), 0.2), (TVDeblocking(), 0.05), (CellProjection(), 0.3)):
        assert psnr(method.restore(o).image, x) > floor + gain, method.name


PUBLISHED = {10: 27.82, 20: 30.12, 30: 31.48, 40: 32.43}
"""Quality: mean PSNR in dB of JPEG itself on classic5, as C. Dong, Y. Deng, C. C. Loy and X. Tang, "Compression
Artifacts Reduction by a Deep Convolutional Network", ICCV 2015, and all papers after it print it."""


@pytest.mark.realdata
def test_published_figures_of_jpeg() -> None:
    images = [(entry.name, entry.load()) for entry in get_dataset("classic5").entries()]
    for quality, published in PUBLISHED.items():
        task = get_task("jpeg", quality=quality)
        found = [psnr(Observed().restore(task.degrade(x, Key(0, "classic5", n))).image[0], x) for n, x in images]
        assert np.mean(found) == pytest.approx(published, abs=0.05)
