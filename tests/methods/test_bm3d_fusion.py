from __future__ import annotations

import pytest
import torch

from methods.classic.bm3d_fusion import BM3DFusion
from methods.classic.bm3d_package import BM3DPackage
from tests.methods.denoising import observe, photograph


@pytest.mark.parametrize("channels", [1, 3])
def test_constant_weight(channels: int) -> None:
    observation = observe(photograph(33, 47, channels), 25)
    prior = BM3DPackage().restore(observation).image
    restoration = BM3DFusion(phi=0.8).restore(observation)
    assert torch.allclose(restoration.image, 0.2 * observation.y + 0.8 * prior, atol=1e-12)
    assert float(restoration.phi_mean()) == pytest.approx(0.8)
    assert torch.equal(BM3DFusion(phi=1.0).restore(observation).image, prior)


def test_no_noise_is_all_data() -> None:
    observation = observe(photograph(16, 16), 0)
    restoration = BM3DFusion().restore(observation)
    assert torch.equal(restoration.image, observation.y)
    assert restoration.phi_mean() == 0


@pytest.mark.parametrize("phi", [-0.1, 1.1, float("nan")])
def test_weight_out_of_range(phi: float) -> None:
    with pytest.raises(ValueError, match=r"\[0,1\]"):
        BM3DFusion(phi=phi)
