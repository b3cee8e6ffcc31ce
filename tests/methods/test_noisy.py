from __future__ import annotations

import torch

from methods.classic.noisy import Noisy
from tests.methods.denoising import observe, photograph


def test_all_data() -> None:
    observation = observe(photograph(33, 47), 25)
    restoration = Noisy().restore(observation)
    assert torch.equal(restoration.image, observation.y)
    assert restoration.phi_mean() == 0
