"""Models of deepinv as rows, against what deepinv itself computes on the same tensors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.task import Task, get_task
from methods.adapters.deepinv import DeepInv, physics_of
from methods.registry import get_method
from tests.datasets.halving import Halve
from tests.methods.test_contract import observe

deepinv = pytest.importorskip("deepinv")

DENOISE = get_task("denoise", sigma="25")
TASKS = [DENOISE, get_task("inpaint-random"), get_task("colorize")]
SIZE = (40, 48)
SMALL = "nc=4:4:4:4,nb=1"


def drunet(channels: int, file: Path) -> nn.Module:
    """A small random DRUNet, saved."""
    torch.manual_seed(0)
    made: nn.Module = deepinv.models.DRUNet(channels, channels, nc=(4, 4, 4, 4), nb=1, pretrained=None)
    torch.save(made.state_dict(), file)
    return made.eval()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_denoiser_gives_what_it_gives_in_deepinv(channels: int, tmp_path: Path) -> None:
    model = drunet(channels, tmp_path / "net.pth")
    args = f"in_channels={channels},out_channels={channels},{SMALL}"
    row = get_method(f'deepinv[model=DRUNet,file="{tmp_path / "net.pth"}",args="{args}"]')
    assert row.supports(DENOISE) is None
    assert row.uses_sigma
    images = [observe(DENOISE, SIZE, channels, place) for place in (0, 1)]
    y = torch.cat([each.y for each in images])
    with torch.no_grad():
        expected = model(y, 25 / 255)
    torch.testing.assert_close(row.restore(Observation.cat(images)).image, expected, rtol=0, atol=1e-5)
    for place, each in enumerate(images):
        torch.testing.assert_close(row.restore(each).image[0], expected[place], rtol=0, atol=1e-5)


def test_a_model_without_weights_needs_no_file() -> None:
    row, observation = get_method("deepinv[model=MedianFilter,args=kernel_size=3]"), observe(DENOISE, SIZE, 3)
    assert row.supports(DENOISE) is None
    expected = deepinv.models.MedianFilter(3)(observation.y)
    torch.testing.assert_close(row.restore(observation).image, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_physics_is_our_operator(task: Task) -> None:
    observation = observe(task, SIZE, 3)
    physics = physics_of(observation.without_truth())
    x = torch.rand(observation.fidelity.shape)
    torch.testing.assert_close(physics.A(x), observation.operator.forward(x), rtol=0, atol=1e-6)
    y = torch.rand(observation.y.shape)
    torch.testing.assert_close(physics.A_adjoint(y), observation.operator.adjoint(y), rtol=0, atol=1e-6)
    if task is DENOISE:
        assert float(physics.noise_model.sigma) == pytest.approx(25 / 255)
    else:
        assert torch.equal(physics(x), physics.A(x)), "no noise"


class Adjoint(deepinv.models.Reconstructor):  # type: ignore[misc]
    """Two steps towards the data."""

    def forward(self, y: Tensor, physics: Any, **_: Any) -> Tensor:
        x = physics.A_adjoint(y)
        return x - 0.5 * physics.A_adjoint(physics.A(x) - y)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_reconstructor_gets_y_and_the_physics(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepinv.models, "Adjoint", Adjoint, raising=False)
    row = get_method("deepinv[model=Adjoint]")
    assert row.supports(task) is None
    observations = [observe(task, SIZE, 3, place) for place in (0, 1)]
    images = row.restore(Observation.cat(observations).without_truth()).image
    for image, observation in zip(images, observations, strict=True):
        expected = Adjoint()(observation.y, physics_of(observation.without_truth()))
        torch.testing.assert_close(image[None], expected, rtol=0, atol=1e-6)
    assert "not handed to deepinv" in str(row.supports(Halve()))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("deepinv[model=DRUnet]", "unknown model of deepinv 'DRUnet'. Did you mean DRUNet"),
        ("deepinv[model=DRUNet]", "no weights: give file=, or download=true"),
        ("deepinv[model=DRUNet,file=nowhere.pth]", "nowhere.pth is not there"),
        ("deepinv[model=MedianFilter,args=size=3]", "unexpected keyword argument 'size'"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_downloaded(spec: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", None)
    monkeypatch.setattr("torch.hub.download_url_to_file", None)
    reason = get_method(spec).supports(DENOISE)
    assert reason is not None
    assert said in reason
    assert reason.isprintable()


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    drunet(3, tmp_path / "net.pth")
    reason = DeepInv(model="DRUNet", file=tmp_path / "net.pth", args=f"in_channels=1,out_channels=1,{SMALL}")
    assert "'m_head.weight' has the shape (4, 4, 3, 3), expected (4, 2, 3, 3)" in str(reason.supports(DENOISE))


def test_without_deepinv_the_row_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deepinv", None)
    row = DeepInv(model="MedianFilter")
    assert "pip install 'restoration-benchmarks[deepinv]'" in str(row.supports(DENOISE))
    assert row.remarks() == (row.supports(DENOISE),)
    with pytest.raises(SuiteError, match="pip install"):
        row.restore(observe(DENOISE, SIZE, 3))
