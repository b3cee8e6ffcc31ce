"""The fusion and its domains."""

from __future__ import annotations

import pytest
import torch

from bigprior.domains import Fourier, LumaChroma
from bigprior.fusion import Restoration, fuse
from datasets.operators import Luma


def test_limits_are_exact() -> None:
    f, g = torch.rand(2, 3, 5, 7), torch.rand(2, 3, 5, 7)
    assert torch.equal(fuse(f, g, torch.zeros(())), f)
    assert torch.equal(fuse(f, g, torch.ones(())), g)


def test_fusion_is_affine_in_phi() -> None:
    f, g, a, b = torch.rand(4, 2, 3, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(fuse(f, g, 0.3 * a + 0.7 * b), 0.3 * fuse(f, g, a) + 0.7 * fuse(f, g, b))


def test_fourier_is_unitary() -> None:
    x = torch.randn(2, 3, 7, 10, dtype=torch.float64)
    c = Fourier().analysis(x)
    torch.testing.assert_close(Fourier().synthesis(c), x)
    torch.testing.assert_close(c.abs().square().sum(), x.square().sum())


def test_luma_chroma_round_trip_and_luma() -> None:
    x = torch.rand(2, 3, 7, 10, dtype=torch.float64)
    c = LumaChroma().analysis(x)
    torch.testing.assert_close(LumaChroma().synthesis(c), x)
    torch.testing.assert_close(c[:, :1], Luma().forward(x))
    c[:, 1:] = torch.randn_like(c[:, 1:])
    torch.testing.assert_close(Luma().forward(LumaChroma().synthesis(c)), c[:, :1])


def test_gray_has_no_chroma() -> None:
    gray = torch.rand(1, 1, 6, 6, dtype=torch.float64).expand(1, 3, 6, 6)
    torch.testing.assert_close(LumaChroma().analysis(gray)[:, 1:], torch.zeros(1, 2, 6, 6, dtype=torch.float64))


def test_phi_mean_counts_broadcast_coordinates() -> None:
    f = torch.rand(2, 3, 4, 4)
    phi = torch.tensor([0.0, 1.0, 1.0]).view(1, 3, 1, 1)
    restoration = Restoration.fused(f, torch.zeros_like(f), phi, LumaChroma())
    torch.testing.assert_close(restoration.phi_mean(), torch.full((2,), 2 / 3))


def test_phi_map_of_a_pixel_fusion_is_the_channel_mean() -> None:
    f, phi = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(Restoration.fused(f, f, phi).phi_map(), phi.mean(1, keepdim=True))


def test_a_closed_restoration_says_so() -> None:
    restoration = Restoration(torch.rand(1, 3, 4, 4))
    assert not restoration.decoupled
    assert restoration.phi_mean() is None
    assert restoration.phi_map() is None
    with pytest.raises(ValueError, match="does not say"):
        restoration.recompose()
