from __future__ import annotations

import pytest
import torch

from bigprior.domains import Fourier
from methods.classic.fourier_wiener_oracle import FourierWienerOracle
from tests.methods.denoising import observe, photograph


def test_reliance_is_least_in_expected_error() -> None:
    """E|(1 − φ)(X + N) + φM − X|² = φ²|X − M|² + (1 − φ)²σ² for every coefficient, least at the method's φ."""
    sigma = 25 / 255
    clean = photograph(33, 47)
    phi = FourierWienerOracle().restore(observe(clean, 25)).phi
    assert phi is not None
    signal = Fourier().analysis(clean - clean.mean(dim=(2, 3), keepdim=True)).abs().square()

    def risk(p: torch.Tensor) -> torch.Tensor:
        return p.square() * signal + (1 - p).square() * sigma**2

    for step in (-1e-3, 1e-3):
        assert (risk(phi) <= risk(phi + step)).all()


def test_recovers_the_mean_exactly() -> None:
    clean = photograph(33, 47)
    image = FourierWienerOracle().restore(observe(clean, 50)).image
    assert torch.allclose(image.mean(dim=(2, 3)), clean.mean(dim=(2, 3)), atol=1e-12)


def test_without_the_truth() -> None:
    with pytest.raises(ValueError, match="clean image"):
        FourierWienerOracle().restore(observe(photograph(16, 16), 25).without_truth())
