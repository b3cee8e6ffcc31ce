from __future__ import annotations

import pytest
import torch

from methods.classic.bm3d_fusion import BM3DFusion
from methods.classic.bm3d_package import BM3DPackage
from tests.methods.denoising import observe, photograph


@pytest.mark.parametrize("channels", [1, 3])
def test_constant_weight(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("methods.classic.bm3d_fusion.bm3d_package", lambda y, sigma: y.flip(3) * sigma)
    observation = observe(photograph(33, 47, channels), 25)
    restoration = BM3DFusion(phi=0.8).restore(observation)
    y = observation.y
    assert torch.allclose(restoration.image, 0.2 * y + 0.8 * y.flip(3) * 25 / 255, atol=1e-14)
    assert restoration.phi_mean() == pytest.approx(0.8)


def test_all_prior_is_bm3d() -> None:
    observation = observe(photograph(16, 16, 1), 25)
    restoration = BM3DFusion(phi=1.0).restore(observation)
    assert torch.equal(restoration.image, BM3DPackage().restore(observation).image)


def test_no_noise_is_all_data() -> None:
    observation = observe(photograph(16, 16), 0)
    restoration = BM3DFusion().restore(observation)
    assert torch.equal(restoration.image, observation.y)
    assert restoration.phi_mean() == 0


@pytest.mark.parametrize("phi", [-0.1, 1.1, float("nan")])
def test_weight_out_of_range(phi: float) -> None:
    with pytest.raises(ValueError, match="phi must be a number, 0 to 1"):
        BM3DFusion(phi=phi)
