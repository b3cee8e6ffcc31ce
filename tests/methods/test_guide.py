"""The guide of the colorization network: features of a crop are those of its place in the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from bigprior.training import Recipe, step_random
from methods.supervised._chroma import MEMBERS
from methods.supervised.problems import guide
from methods.supervised.problems.colorize import Colorization
from methods.supervised.problems.guide import FEATURES, GRID, Seen
from tests.photographs import PHOTOGRAPHS


def layers(image: Tensor) -> list[Tensor]:
    """In place of VGG16's: the mean colour of 8×8 pixels, squared, in the first three of the features."""
    mean = avg_pool2d(image.float(), 8)
    rest = torch.zeros(1, FEATURES - 3, *mean.shape[-2:])
    return [torch.cat([mean.square(), rest], dim=1)]


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide, "vgg16_layers", lambda *_: layers)


def test_features_are_those_of_the_crop() -> None:
    seen = Seen(PHOTOGRAPHS)
    crops = PHOTOGRAPHS.upright_on_a_grid(np.random.default_rng(0), 12, 96, GRID)
    assert {crop.mirrored for crop in crops} == {True, False}
    mean = torch.stack([image.float() / 255 for image in PHOTOGRAPHS.fit[0]])[:1].mean(dim=(0, 2, 3))
    for crop in crops:
        assert crop.top % GRID == crop.left % GRID == 0
        found = seen.of(crop, 96)
        assert found.shape == (FEATURES, 96 // GRID, 96 // GRID)
        expected = avg_pool2d(crop.image[None], GRID)[0] - mean.view(3, 1, 1)
        torch.testing.assert_close(found[:3], expected, rtol=0, atol=2e-3)


def test_a_network_that_tells_the_features_has_less_to_learn() -> None:
    problem = Colorization(PHOTOGRAPHS, guide=2.0)
    torch.manual_seed(0)
    network = problem.network()
    batch = problem.batch(step_random(0, 0), Recipe(steps=1, batch=2, size=96))
    assert batch.features is not None
    loss = problem.loss(network, batch, 0.0)
    alone = problem.loss(network, batch._replace(features=None), 0.0)
    assert 0 <= (loss - alone).item() <= 4  # w (1 − cosine)
    loss.backward()
    for part in [*network.guides, *(member.middle for member in network.ensemble.each())]:
        assert float(sum(p.grad.abs().sum() for p in part.parameters() if p.grad is not None)) > 0


def test_a_member_never_learns_from_its_share_of_the_images() -> None:
    problem = Colorization(PHOTOGRAPHS, guide=0.0)
    torch.manual_seed(0)
    network = problem.network()
    batch = problem.batch(step_random(0, 0), Recipe(steps=1, batch=4, size=96))
    for number in range(MEMBERS):
        network.zero_grad()
        problem.loss(network, batch._replace(number=torch.full((4,), number + MEMBERS)), 0.0).backward()
        learned = [any(p.grad is not None for p in member.parameters()) for member in network.ensemble.each()]
        assert learned == [k != number for k in range(MEMBERS)]


def test_the_guide_is_not_shipped() -> None:
    network = Colorization(PHOTOGRAPHS).network()
    kept = Colorization(PHOTOGRAPHS).kept(network)
    assert set(kept.state_dict()) == {
        n.removeprefix("ensemble.") for n in network.state_dict() if n.startswith("ensemble.")
    }
