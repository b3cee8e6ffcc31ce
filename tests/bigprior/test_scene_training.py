"""Training of the scene prior: crops, noise levels, the loss, kills, and the sheet of draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from bigprior import train as command_line
from bigprior.priors.scene.flow import flow
from bigprior.priors.scene.network import CHANGES, SceneUNet
from bigprior.priors.scene.photographs import SHARES, Photographs, centre, random_crop, read_photographs
from bigprior.priors.scene.samples import recognised, standardized, with_mirrored
from bigprior.priors.scene.training import LEVEL_DEVIATION, LEVEL_MEAN, Denoising, Example, noise_levels
from bigprior.training import WEIGHTS, Recipe, step_random, train
from datasets.errors import SuiteError

RECIPE = Recipe(steps=6, batch=3, size=16, rate=0.01, warm_up=2, ema=0.9, validate=3, save=0)


def blobs(count: int, seed: int, height: int = 20, width: int = 28) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    small = torch.randint(0, 256, (count, 3, height // 4, width // 4), generator=generator, dtype=torch.uint8)
    return list(small.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3))


def photographs() -> list[Photographs]:
    return [
        Photographs("a", 1, 0.75, blobs(6, 0), blobs(2, 1)),
        Photographs("b", 3, 0.25, blobs(4, 2, 24, 16), blobs(2, 3)),
    ]


@dataclass(frozen=True)
class Killed(Denoising):
    """It is killed in the batch of a step, if it is told so."""

    at: int | None = field(default=None, kw_only=True)
    drawn: list[int] = field(default_factory=list, kw_only=True)

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Example:
        self.drawn.append(1)
        if len(self.drawn) == self.at:
            raise KeyboardInterrupt
        return super().batch(random, recipe)


def problem(at: int | None = None) -> Killed:
    return Killed(photographs(), (8, 16), (1, 1), (False, True), 16, side=16, at=at)


def quiet(_: str) -> None:
    pass


def test_resumed_equals_undisturbed(tmp_path: Path) -> None:
    train(problem(), RECIPE, tmp_path / "whole", say=quiet)
    for at in (3, 3):
        with pytest.raises(KeyboardInterrupt):
            train(problem(at), RECIPE, tmp_path / "killed", resume=True, say=quiet)
    train(problem(), RECIPE, tmp_path / "killed", resume=True, say=quiet)
    whole, resumed = (load_file(tmp_path / each / WEIGHTS) for each in ("whole", "killed"))
    for name, weight in whole.items():
        assert torch.equal(weight, resumed[name]), name
    assert bool(whole["tail.weight"].any()), "it has learned"


def test_the_loss_of_a_network_that_answers_nothing_is_the_variance_of_its_target() -> None:
    """1 for images of standard deviation σ_data, at every noise level."""
    learned = problem()
    network = learned.network().eval()
    generator = torch.Generator().manual_seed(0)
    clean = 0.5 * torch.randn(4, 3, 64, 64, generator=generator)
    noise = torch.randn(clean.shape, generator=generator)
    for level in (0.05, 0.5, 20.0):
        example = Example(
            clean, torch.zeros(4, dtype=torch.int64), torch.zeros(4, CHANGES), torch.full((4,), level), noise, 0
        )
        assert learned.loss(network, example, 0.0).item() == pytest.approx(1, rel=0.05)


def test_dropout_depends_on_the_batch_alone_and_leaves_the_global_state() -> None:
    learned = problem()
    torch.manual_seed(0)
    network = learned.network().train()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    batch = learned.batch(step_random(0, 0), RECIPE)
    before = torch.get_rng_state()
    first = learned.loss(network, batch, 0.0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert torch.equal(first, learned.loss(network, batch, 0.0))
    assert not torch.equal(first, learned.loss(network.eval(), batch, 0.0)), "there is dropout"


def test_batches_have_the_shares_of_the_sets_and_some_classes_untold() -> None:
    batch = problem().batch(np.random.default_rng(0), Recipe(steps=1, batch=1200, size=8))
    assert batch.clean.shape == (1200, 3, 8, 8)
    assert float(batch.clean.abs().max()) <= 1
    for label, share in ((0, 0.15), (1, 0.85 * 0.75), (3, 0.85 * 0.25)):
        assert float((batch.label == label).float().mean()) == pytest.approx(share, abs=0.04)


def test_noise_levels_are_log_normal_but_for_some() -> None:
    levels = np.log(noise_levels(np.random.default_rng(0), 4000))
    normal = (levels - LEVEL_MEAN) / LEVEL_DEVIATION
    assert np.median(normal) == pytest.approx(0, abs=0.1)
    assert np.mean(np.abs(normal) < 1) == pytest.approx(0.92 * 0.683 + 0.08 * 2.4 / 8.29, abs=0.02)
    assert levels.min() > np.log(0.001)
    assert np.log(20) < levels.max() <= np.log(80)


def test_crops_that_were_not_changed_are_parts_of_the_photograph() -> None:
    image = blobs(1, 7, 32, 32)[0]
    seen = 0
    for seed in range(60):
        crop, changes = random_crop(image, 16, np.random.default_rng(seed))
        assert crop.shape == (3, 16, 16)
        assert float(changes.abs().max()) <= 1
        if not changes.any():  # the whole, unshaken: mirrored or not
            expected = centre(image, 16)
            assert torch.allclose(crop, expected) or torch.allclose(crop, expected.flip(-1), atol=1e-6)
            seen += 1
    assert 0 < seen < 30


def test_the_flow_of_a_gaussian_is_linear() -> None:
    """x(0) = m + z s σ_max/√(s² + σ_max²) for N(m, s²): the flow keeps quantiles."""
    mean, spread = 0.3, 0.4

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        noise = sigma[:, None, None, None].square()
        return (spread**2 * x + noise * mean) / (spread**2 + noise)

    z = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = mean + spread * (z - mean / 80)
    for steps, tolerance in ((18, 0.1), (60, 0.01)):
        torch.testing.assert_close(flow(denoise, z, steps), expected, rtol=0, atol=tolerance)


def test_neighbours_vote() -> None:
    known = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0], [1, 0.1], [1, 0.2], [0, 1], [0.1, 1], [0.2, 1]]), dim=1
    )
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    assert recognised(known[:3], known, labels, 0) == 1
    assert recognised(known[:3], known, labels, 1) == 0


def test_features_are_compared_in_deviations_of_the_known_ones() -> None:
    known = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 7) + 3
    scaled = standardized(known, known)
    torch.testing.assert_close(scaled.norm(dim=1), torch.ones(50))
    torch.testing.assert_close(standardized(10 * known - 5, 10 * known - 5), scaled)


def test_mirrored_vectors_are_those_of_mirrored_images() -> None:
    maps = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(with_mirrored(maps.flatten(1))[2:], maps.flip(-1).flatten(1))


def test_sets_are_known_or_the_error_is_one_line() -> None:
    assert sum(share for _, share in SHARES.values()) == pytest.approx(1)
    with pytest.raises(SuiteError, match="Did you mean lsun-church") as caught:
        read_photographs(["lsun-curch"])
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.realdata
def test_the_command_trains_and_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["scene", "--set", "lsun-church", "--steps", "2", "--batch", "1", "--size", "16", "--out", str(tmp_path)]
    assert command_line.main(words) == 0
    assert "weights:" in capsys.readouterr().out
    card = (tmp_path / "card.md").read_text()
    assert "SceneUNet, 11,3" in card
    assert "python -m bigprior.train scene --set lsun-church --steps 2" in card
    assert load_file(tmp_path / WEIGHTS).keys() == SceneUNet().state_dict().keys()
    with pytest.raises(SuiteError, match="--resume"):
        command_line.main(words)
