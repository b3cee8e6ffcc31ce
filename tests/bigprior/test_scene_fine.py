"""The fine network of the scene prior: what it does without its correction, where it begins, what it learns from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bigprior.networks import BiasFreeUNet
from bigprior.priors.compact.means import GRAY, Knowledge, estimate
from bigprior.priors.compact.prior import WEIGHTS as COMPACT
from bigprior.priors.compact.prior import load_prior
from bigprior.priors.critic import Critic, hinge, mean_at
from bigprior.priors.scene.fine import load_fine, refine, untrained
from bigprior.priors.scene.fine_training import FACTOR, Pair, Refinement, drawn_again
from bigprior.priors.scene.prior import ScenePrior
from bigprior.training import Recipe, step_random
from datasets.errors import SuiteError
from datasets.operators import Luma
from datasets.training_images import TrainingImages


def image(h: int = 33, w: int = 40, n: int = 2, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, h, w, generator=torch.Generator().manual_seed(seed))


def level(like: Tensor, value: float) -> Tensor:
    return torch.full_like(like[:, :1], value)


@pytest.fixture(scope="module")
def silent() -> BiasFreeUNet:
    """A network that adds nothing."""
    network = untrained().eval().requires_grad_(False)
    network.tail.weight.zero_()
    return network


def test_without_a_correction_it_is_the_coarse_image_where_nothing_is_known(silent: BiasFreeUNet) -> None:
    y, coarse = image(), image(seed=1)
    for sigma in (0.0, 0.1, 3.0):
        skip = 1 / (1 + sigma**2)
        found = refine(silent, Knowledge(y, level(y, sigma), level(y, 1)), coarse)
        torch.testing.assert_close(found, skip * y + (1 - skip) * coarse, rtol=0, atol=1e-6)
    mask = (image(seed=2)[:, :1] > 0.5).float()
    holes = Knowledge(y, torch.where(mask > 0, 0, torch.inf), level(y, 1))
    torch.testing.assert_close(refine(silent, holes, coarse), torch.where(mask > 0, y, coarse))


def test_a_known_luma_is_kept_with_the_colours_of_the_coarse_image(silent: BiasFreeUNet) -> None:
    coarse, luma = image(seed=1), image(seed=2)[:, :1]
    found = refine(silent, Knowledge(coarse, level(luma, torch.inf), level(luma, 1), luma), coarse)
    torch.testing.assert_close(Luma().forward(found), luma, rtol=0, atol=1e-6)
    torch.testing.assert_close(found - luma, coarse - Luma().forward(coarse), rtol=0, atol=1e-6)


def test_it_begins_as_the_compact_prior_that_is_told_a_coarse_image() -> None:
    """With a gray coarse image, which says nothing, the results are those of the compact prior."""
    network, compact = Pair(COMPACT).fine.eval().requires_grad_(False), load_prior()
    y = image(24, 32)
    gray = torch.full_like(y, GRAY)
    luma = Luma().forward(y)
    everything = [
        Knowledge(y, level(y, 0.1), level(y, 1)),
        Knowledge(y, level(y, 0.1), level(y, 0)),
        Knowledge(y, level(y, torch.inf), level(y, 1), luma),
    ]
    with torch.inference_mode():
        for known in everything:
            torch.testing.assert_close(refine(network, known, gray), estimate(compact, known), rtol=0, atol=1e-5)


def test_weights_of_another_network_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"is not there: train it with"):
        load_fine(tmp_path / "none.safetensors")
    with pytest.raises(SuiteError, match=r"is not the fine network of the scene prior: 'head.weight' has the shape"):
        load_fine(COMPACT)


class Photographs(TrainingImages):
    """Random images instead of files."""

    def _load(self, held_out: bool) -> list[list[Tensor]]:
        pixels = np.random.default_rng(held_out).integers(256, size=(2, 3, 3, 192, 200))
        return [[torch.from_numpy(x.astype(np.uint8)) for x in images] for images in pixels]


@pytest.fixture(scope="module")
def problem() -> Refinement:
    images = Photographs(())
    coarse = [[torch.nn.functional.avg_pool2d(x.float() / 255, FACTOR) for x in images] for images in images.fit]
    bank = {(s, k): x[None] + 1 for s, row in enumerate(coarse) for k, x in enumerate(row)}
    return Refinement(images, images, bank, start=None)


def test_a_batch_is_a_function_of_its_seed(problem: Refinement) -> None:
    recipe = Recipe(steps=1, batch=2, size=128)
    first, again, other = (problem.batch(step_random(0, step), recipe) for step in (3, 3, 4))
    assert torch.equal(first.clean, again.clean)
    assert torch.equal(first.coarse, again.coarse)
    assert first.clean.shape != other.clean.shape or not torch.equal(first.clean, other.clean)


def test_coarse_images_that_were_drawn_again_are_those_of_the_crop(problem: Refinement) -> None:
    """The bank has the true coarse images and 1 more: so do holes, and cells that are known have the truth."""
    random, seen = np.random.default_rng(0), 0
    for _ in range(6):
        batch = problem._hole(random, Recipe(steps=1, batch=2, size=128))
        cells = batch.coarse[..., FACTOR // 2 :: FACTOR, FACTOR // 2 :: FACTOR]
        hole = torch.nn.functional.max_pool2d(batch.weight, 5 * FACTOR, FACTOR, 2 * FACTOR) > 0
        inside = -torch.nn.functional.max_pool2d(-batch.weight, 5 * FACTOR, FACTOR, 2 * FACTOR) > 0
        truth = torch.nn.functional.interpolate(
            torch.nn.functional.avg_pool2d(batch.clean, FACTOR), scale_factor=FACTOR, mode="bicubic"
        )[..., FACTOR // 2 :: FACTOR, FACTOR // 2 :: FACTOR]
        far = ~hole[..., : cells.shape[2], : cells.shape[3]].expand_as(cells)
        torch.testing.assert_close(cells[far], truth[far], rtol=0, atol=1e-4)
        for k in range(2):
            deep = inside[k : k + 1, ..., : cells.shape[2], : cells.shape[3]].expand_as(cells[k : k + 1])
            more = (cells[k : k + 1] - truth[k : k + 1])[deep]
            seen += int(more.numel() > 0 and bool((more - 1).abs().max() < 1e-3))
    assert seen >= 2


class Certain(ScenePrior):
    """A prior of one image: 0.25 everywhere on the [0,1] scale."""

    def denoise(self, x: Tensor, sigma: float | Tensor, label: str | Tensor = "any") -> Tensor:
        return torch.full_like(x, -0.5)


def test_images_that_are_drawn_again_are_the_priors(silent: BiasFreeUNet) -> None:
    images = Photographs(())
    bank = drawn_again(Certain(silent), images)  # type: ignore[arg-type]
    assert set(bank) == {(s, k) for s, row in enumerate(images.fit) for k in range(len(row))}
    for drawn in bank.values():
        assert drawn.dtype == torch.float16
        torch.testing.assert_close(drawn.float(), torch.full((1, 3, 48, 50), 0.25), rtol=0, atol=1e-3)


def test_before_features_join_in_the_fine_network_learns_alone(problem: Refinement) -> None:
    torch.manual_seed(0)
    network = problem.network()
    batch = problem._hole(np.random.default_rng(1), Recipe(steps=1, batch=1, size=96))
    problem.loss(network, batch, 0.0).backward()
    assert all(p.grad is not None for p in network.fine.parameters())
    assert all(p.grad is None for p in network.critic.parameters())
    assert problem.kept(network) is network.fine


def test_the_hinge_is_least_for_scores_beyond_one() -> None:
    where = torch.zeros(1, 1, 8, 8)
    where[..., 2:6, 2:6] = 1
    right = [torch.where(where > 0, 1.5, -9.0), torch.full((1, 1, 4, 4), 1.5)]
    wrong = [-score for score in right]
    assert float(hinge(right, wrong, where)) == 0
    assert float(hinge(wrong, right, where)) == pytest.approx(5)
    assert float(mean_at(right, where)) == pytest.approx(1.5)
    features = [torch.rand(2, c, 8 // 2**k, 8 // 2**k) for k, c in enumerate((64, 128, 256, 512))]
    assert [tuple(s.shape) for s in Critic()(features)] == [(2, 1, 8 // 2**k, 8 // 2**k) for k in range(4)]
