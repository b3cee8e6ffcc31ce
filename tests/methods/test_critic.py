"""Adversarial inpainting: what the network and the critic learn from each other, and from holes alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from bigprior.priors import critic as critics
from bigprior.priors.critic import CHANNELS, Critic
from bigprior.training import Recipe, step_random
from methods.supervised.problems import inpaint_gan
from methods.supervised.problems.inpaint import WINDOW, Holed, windows
from methods.supervised.problems.inpaint_gan import AdversarialInpainting, Rivals
from tests.photographs import PHOTOGRAPHS


def layers(image: Tensor) -> list[Tensor]:
    """In place of VGG16's: the colours of 1, 2, 4 and 8 pixels, repeated."""
    return [avg_pool2d(image.float(), 2**k).repeat(1, c // 3 + 1, 1, 1)[:, :c] + 0.1 for k, c in enumerate(CHANNELS)]


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(critics, "vgg16_layers", lambda *_: layers)


def game(adversarial: float) -> tuple[AdversarialInpainting, Rivals, Holed]:
    problem = AdversarialInpainting(PHOTOGRAPHS, perceptual=0.0, adversarial=adversarial)
    torch.manual_seed(0)
    network = problem.network()
    torch.nn.init.normal_(network.unet.tail.weight, std=0.01)  # an untrained one adds nothing to the smooth fill
    return problem, network, problem.batch(step_random(0, 0), Recipe(steps=1, batch=2, size=112))


def gradients(network: torch.nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


def test_each_rival_learns_from_its_own_loss_alone() -> None:
    found = {}
    for adversarial in (0.0, 1.0, 2.0):
        problem, network, batch = game(adversarial)
        problem.loss(network, batch, 0.0).backward()
        found[adversarial] = gradients(network.unet), gradients(network.critic)
    torch.testing.assert_close(found[1.0][1], found[0.0][1])  # the critic does not learn from the network's share
    torch.testing.assert_close(found[2.0][0] - found[0.0][0], 2 * (found[1.0][0] - found[0.0][0]), rtol=1e-3, atol=1e-5)
    assert float((found[1.0][0] - found[0.0][0]).norm()) > 1e-4


def test_an_undecided_critic_loses_two() -> None:
    """relu(1 − 0) + relu(1 + 0), and the network has nothing from it."""
    problem, network, batch = game(1.0)
    for head in network.critic.layers:
        for p in head[-1].parameters():
            torch.nn.init.zeros_(p)
    pixels = AdversarialInpainting(PHOTOGRAPHS, perceptual=0.0, adversarial=0.0)
    torch.testing.assert_close(problem.loss(network, batch, 0.0), pixels.loss(network, batch, 0.0))
    restored = inpaint_gan.inpaint(network.unet, batch.clean, batch.mask)
    error = torch.log(inpaint_gan.hole_error(restored, batch.clean, batch.mask) + inpaint_gan.FLOOR).mean()
    torch.testing.assert_close(problem.loss(network, batch, 0.0), error + 2)


def test_what_was_observed_counts_for_nothing() -> None:
    hole = torch.zeros(1, 1, 32, 32)
    hole[..., 8:24, 8:24] = 1
    score = torch.where(avg_pool2d(hole, 4) > 0, 3.0, 100.0)
    assert float(critics.mean_at([score, torch.where(hole > 0, 1.0, -50.0)], hole)) == pytest.approx(2.0)


def test_a_critic_learns_to_tell_noise_from_photographs() -> None:
    torch.manual_seed(0)
    critic = Critic()
    optimizer = torch.optim.Adam(critic.parameters(), 2e-3)
    corner = np.zeros((2, 2), dtype=np.int64)

    def scores(noise: float) -> Tensor:
        clean = PHOTOGRAPHS.upright(np.random.default_rng(0), 2, WINDOW)
        image = windows(clean + noise * torch.randn(clean.shape), corner)
        units = [torch.nn.functional.normalize(f - 0.6, dim=1) for f in layers(image)]
        return torch.stack([s.mean() for s in critic(units)]).mean()

    for _ in range(12):
        loss = torch.relu(1 - scores(0.0)) + torch.relu(1 + scores(0.2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        assert float(scores(0.0)) > float(scores(0.2)) + 0.5


def test_the_critic_is_not_shipped() -> None:
    problem, network, _ = game(1.0)
    assert not any("critic" in name for name in problem.kept(network).state_dict())
