"""Training that can be killed, the optimiser, and what the networks promise before they are trained."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bigprior.muon import Muon, orthogonalized
from bigprior.networks import BiasFreeUNet, GatedUNet
from bigprior.training import CHECKPOINT, CURVE, LOG, WEIGHTS, Problem, Recipe, moved, rate_at, step_random, train
from datasets.errors import SuiteError

RECIPE = Recipe(steps=12, batch=2, size=8, rate=0.02, warm_up=3, ema=0.9, validate=4, save=0)


class Smoothing(Problem[nn.Module, Tensor]):
    """A problem of two small convolutions: to learn a 3×3 mean. It can be told to be killed in the batch of a step."""

    selection: ClassVar[str] = "score"

    def __init__(self, killed_at: int | None = None, spoiled_at: int | None = None) -> None:
        self.killed_at, self.spoiled_at, self.drawn = killed_at, spoiled_at, 0

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 20, 3, padding=1), nn.Conv2d(20, 1, 3, padding=1))

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Tensor:
        self.drawn += 1
        if self.drawn == self.killed_at:
            raise KeyboardInterrupt
        return torch.from_numpy(random.standard_normal((recipe.batch, 1, recipe.size, recipe.size), dtype=np.float32))

    def loss(self, network: nn.Module, batch: Tensor, progress: float) -> Tensor:
        wanted = nn.functional.avg_pool2d(batch, 3, stride=1, padding=1)
        error = (network(batch).float() - wanted).square().mean()
        return error * torch.nan if self.drawn == self.spoiled_at else error

    def validate(self, network: nn.Module) -> dict[str, float]:
        return {"score": -self.loss(network, self.batch_of_validation(), 1).item()}

    @staticmethod
    def batch_of_validation() -> Tensor:
        return torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def quiet(_: str) -> None:
    pass


def test_resumed_equals_undisturbed(tmp_path: Path) -> None:
    train(Smoothing(), RECIPE, tmp_path / "whole", say=quiet)
    for killed_at in (6, 3):  # twice: in the middle of an interval of validation, and once more after it
        with pytest.raises(KeyboardInterrupt):
            train(Smoothing(killed_at), RECIPE, tmp_path / "killed", resume=True, say=quiet)
    train(Smoothing(), RECIPE, tmp_path / "killed", resume=True, say=quiet)
    whole, resumed = (load_file(tmp_path / each / WEIGHTS) for each in ("whole", "killed"))
    assert whole.keys() == resumed.keys()
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name
    logs = [pd.read_csv(tmp_path / each / LOG).drop(columns="seconds") for each in ("whole", "killed")]
    pd.testing.assert_frame_equal(*logs)
    assert list(logs[0]["step"]) == [4, 8, 12]
    assert (tmp_path / "killed" / CURVE).stat().st_size > 1000


def test_learns_and_stops_at_the_last_step(tmp_path: Path) -> None:
    recipe = Recipe(steps=150, batch=4, size=16, validate=150, warm_up=5, ema=0.9)
    said: list[str] = []
    network = train(Smoothing(), recipe, tmp_path, say=said.append)
    untrained = Smoothing().validate(Smoothing().network())["score"]
    assert Smoothing().validate(network)["score"] > untrained / 20, "a twentieth of the error at most"
    assert len(said) == 1
    assert said[0].startswith("step 150/150")


def test_begins_with_the_weights_of_an_earlier_training(tmp_path: Path) -> None:
    train(Smoothing(), Recipe(steps=150, batch=4, size=16, validate=150, warm_up=5, ema=0.9), tmp_path / "a", say=quiet)
    earlier = tmp_path / "a" / WEIGHTS
    still = Recipe(steps=1, batch=2, size=8, rate=0.0)
    network = train(Smoothing(), still, tmp_path / "b", say=quiet, start=earlier)
    for name, tensor in load_file(earlier).items():
        torch.testing.assert_close(network.state_dict()[name].half(), tensor, rtol=0, atol=1e-6)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"0.weight": torch.zeros(20, 3, 3, 3)}, foreign)
    for file in (foreign, tmp_path / "nowhere.safetensors"):
        with pytest.raises(SuiteError, match=file.name):
            train(Smoothing(), still, tmp_path / "c", say=quiet, start=file)


class Parts(NamedTuple):
    image: Tensor
    corner: np.ndarray
    rest: object


@dataclass(frozen=True)
class Whole:
    inner: Parts
    sigma: Tensor


def test_moves_every_tensor_of_a_batch() -> None:
    batch = Whole(Parts(torch.ones(2), np.arange(3), None), torch.zeros(1))
    there = moved(batch, "meta")
    assert there.inner.image.device.type == there.sigma.device.type == "meta"
    assert there.inner.corner is batch.inner.corner
    assert there.inner.rest is None
    assert torch.equal(moved(batch.sigma, "cpu"), batch.sigma)


def test_refuses_to_overwrite_and_to_mix(tmp_path: Path) -> None:
    train(Smoothing(), RECIPE, tmp_path, say=quiet)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(SuiteError, match="--resume"):
        train(Smoothing(), RECIPE, tmp_path, say=quiet)
    with pytest.raises(SuiteError, match=r"was made with rate 0\.02, not 0\.5; .*give the same options"):
        train(Smoothing(), Recipe(steps=12, batch=2, size=8, rate=0.5), tmp_path, resume=True, say=quiet)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


class Wider(Smoothing):
    def network(self) -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 24, 3, padding=1), nn.Conv2d(24, 1, 3, padding=1))


def change(state: dict[str, Any], name: str) -> dict[str, Any]:
    """Spoil a part of a checkpoint."""
    first = next(iter(state["optimizer"]["state"].values()))
    spoiled = {
        "weights": lambda: state["network"]["0.weight"].fill_(torch.nan),
        "momentum": lambda: first.update(momentum=torch.zeros(3)),
        "other optimizer": lambda: state["optimizer"].update(param_groups=[{"lr": 0.1, "params": [0, 1, 2, 3]}]),
        "step": lambda: state.update(step="four"),
        "log": lambda: state.update(log=[{"step": 4}]),
        "no recipe": lambda: state.pop("recipe"),
    }
    spoiled[name]()
    return state


SPOILED = ["empty", "cut", "garbage", "a list", "weights", "momentum", "other optimizer", "step", "log", "no recipe"]


@pytest.mark.parametrize("how", SPOILED)
def test_a_damaged_checkpoint_is_one_line_and_left_alone(tmp_path: Path, how: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Smoothing(killed_at=6), RECIPE, tmp_path, say=quiet)
    file = tmp_path / CHECKPOINT
    whole = file.read_bytes()
    contents = {"empty": b"", "cut": whole[: len(whole) // 2], "garbage": bytes(range(256)) * 9}
    if how in contents:
        file.write_bytes(contents[how])
    else:
        torch.save([1, 2] if how == "a list" else change(torch.load(file, weights_only=True), how), file)
    before = file.read_bytes()
    with pytest.raises(SuiteError, match=r"checkpoint\.pt is no .*choose another --out\.$") as caught:
        train(Smoothing(), RECIPE, tmp_path, resume=True, say=quiet)
    assert str(caught.value).isprintable(), "one line"
    assert file.read_bytes() == before


def test_a_checkpoint_of_another_network_names_the_difference(tmp_path: Path) -> None:
    train(Smoothing(), RECIPE, tmp_path, say=quiet)
    with pytest.raises(
        SuiteError, match=r"'0\.weight' has the shape \(20, 1, 3, 3\), expected \(24, .*another --out\."
    ):
        train(Wider(), RECIPE, tmp_path, resume=True, say=quiet)


def test_the_curve_is_replaced_and_never_written_over(tmp_path: Path) -> None:
    (tmp_path / CURVE).write_bytes(b"whole")
    os.link(tmp_path / CURVE, tmp_path / "the old file")
    train(Smoothing(), RECIPE, tmp_path, say=quiet)
    assert (tmp_path / CURVE).read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "the old file").read_bytes() == b"whole"


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="nan at step 6"):
        train(Smoothing(spoiled_at=7), RECIPE, tmp_path, say=quiet)
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 6
    assert not (tmp_path / WEIGHTS).exists()


def test_batches_depend_on_seed_and_step_alone() -> None:
    draws = {(seed, step): step_random(seed, step).random() for seed in (0, 1) for step in (0, 1, 2)}
    assert len(set(draws.values())) == 6
    assert step_random(1, 2).random() == draws[1, 2]


def test_rate_rises_and_falls_linearly() -> None:
    recipe = Recipe(steps=100, batch=1, size=8, rate=1.0, warm_up=10)
    rates = [rate_at(recipe, step) for step in range(100)]
    assert rates[4] == pytest.approx(0.5 * 0.96)
    assert rates[50] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.01)


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (32, 32)])
def test_orthogonalized_keeps_the_singular_vectors(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalized(matrix)
    inner = u.T @ found @ v.T
    values = inner.diagonal()
    assert values.min() > 0.5
    assert values.max() < 1.3
    assert (inner - torch.diag(values)).abs().max() < 0.1, "bfloat16"


def test_vectors_and_narrow_kernels_take_adam_steps() -> None:
    torch.manual_seed(0)
    ours, theirs = ([nn.Parameter(t.clone()) for t in (torch.ones(30), torch.ones(3, 40, 3, 3))] for _ in range(2))
    muon, adam = Muon(ours), torch.optim.Adam(theirs, lr=0.01, betas=(0.9, 0.99), eps=1e-10)
    for _ in range(5):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        muon.step(0.1)
        adam.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_kernels_move_by_the_rate_in_the_spectral_norm() -> None:
    kernel = nn.Parameter(torch.zeros(64, 32, 3, 3))
    muon = Muon([kernel])
    kernel.grad = torch.randn(kernel.shape, generator=torch.Generator().manual_seed(0)) * 1e-4
    muon.step(0.5)
    norm = float(torch.linalg.matrix_norm(kernel.detach().flatten(1), ord=2))
    assert 0.5 * 0.6 < norm < 0.5 * 1.3, "whatever the size of the gradient"


def randomized(network: nn.Module) -> nn.Module:
    """The network with every weight drawn again, so that nothing is close to 0 by its initialisation."""
    torch.manual_seed(0)
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(torch.randn_like(p) / max(p[0].numel(), 1) ** 0.5)
    return network.double().eval()


def test_bias_free_network_is_homogeneous() -> None:
    network = randomized(BiasFreeUNet(4, 3, (8, 12, 16), (1, 2, 1)))
    x = torch.rand(2, 4, 24, 32, dtype=torch.float64)
    out = network(x)
    assert out.shape == (2, 3, 24, 32)
    torch.testing.assert_close(network(3.7 * x), 3.7 * out)
    assert out.std() > 0.01


@pytest.mark.parametrize(
    "network",
    [BiasFreeUNet(1, 1, (4, 6, 8), (1, 2, 1)), BiasFreeUNet(1, 1, (4, 6, 8, 8), (2, 2, 2, 2)),
     GatedUNet(1, 1, (4, 6, 8), (1, 2))],
    ids=["unet", "deep unet", "gated"],
)  # fmt: skip
def test_radius_bounds_what_a_pixel_depends_on(network: nn.Module) -> None:
    randomized(network)
    radius, multiple = int(network.radius), int(network.multiple)
    length = -(-(2 * radius + 8 * multiple) // multiple) * multiple
    x = torch.rand(1, 1, multiple, length, dtype=torch.float64, requires_grad=True)
    out = network(x)
    middle = out.shape[-1] // 2
    reached = 0
    for place in range(middle, middle + multiple * out.shape[-1] // length):
        (gradient,) = torch.autograd.grad(out[0, 0, 0, place], x, retain_graph=True)
        touched = gradient[0, 0].abs().amax(dim=0).nonzero().flatten()
        here = place * length // out.shape[-1]
        reached = max(reached, int((touched - here).abs().max()))
    assert radius / 2 < reached <= radius


def test_an_untrained_gated_network_adds_nothing() -> None:
    x = torch.rand(1, 4, 32, 48)
    assert torch.equal(GatedUNet(4, 12)(x), torch.zeros(1, 12, 16, 24))
