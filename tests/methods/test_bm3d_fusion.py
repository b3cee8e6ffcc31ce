from __future__ import annotations

import pytest
import torch

from methods.classic.bm3d_fusion import BM3DFusion
from methods.classic.collaborative import CollaborativeWiener
from tests.methods.denoising import observe, photograph


@pytest.mark.parametrize("channels", [1, 3])
def test_constant_weight(channels: int) -> None:
    observation = observe(photograph(33, 47, channels), 25)
    restoration = BM3DFusion(phi=0.8).restore(observation)
    y, filtered = observation.y, CollaborativeWiener().restore(observation).image
    assert torch.allclose(restoration.image, 0.2 * y + 0.8 * filtered, atol=1e-14)
    assert restoration.phi_mean() == pytest.approx(0.8)


def test_all_prior_is_bm3d() -> None:
    observation = observe(photograph(16, 16, 1), 25)
    restoration = BM3DFusion(phi=1.0).restore(observation)
    assert torch.equal(restoration.image, CollaborativeWiener().restore(observation).image)


def test_no_noise_is_all_data() -> None:
    observation = observe(photograph(16, 16), 0)
    restoration = BM3DFusion().restore(observation)
    assert torch.equal(restoration.image, observation.y)
    assert restoration.phi_mean() == 0


@pytest.mark.parametrize("phi", [-0.1, 1.1, float("nan")])
def test_weight_out_of_range(phi: float) -> None:
    with pytest.raises(ValueError, match="phi must be a number, 0 to 1"):
        BM3DFusion(phi=phi)
