"""The fit of φ for the scene prior, and pairs of tasks that crop their images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from bigprior.phi.train import lifted, read_pairs
from bigprior.phi.with_spread import load_spread
from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.task import get_task
from methods.fusion.fit_scene_phi import main
from tests.bigprior.test_phi_train import Drawn, Toy

LINE = ["--set", "toy", "--images", "5", "--held-out", "2", "--threads", "1"]


def drawn(observation: Observation, draws: int, precision: str) -> tuple[Tensor, Tensor]:
    """Draws about neutral gray."""
    noise = torch.randn(draws, *observation.fidelity.shape, generator=torch.Generator().manual_seed(0))
    found = torch.where(observation.mask > 0, observation.fidelity, 0.5 + 0.1 * noise)
    return found.mean(dim=0), found


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve training images of 32×32 pixels; whoever asks for the test images fails the test."""
    monkeypatch.setattr("methods.fusion._fit_scene.get_dataset", lambda name: Toy())
    monkeypatch.setattr("bigprior.phi.train.get_dataset", lambda name: Toy())
    monkeypatch.setattr("methods.fusion._fit_scene.scene_draws", drawn)


@pytest.mark.usefixtures("toy")
def test_weights_and_card_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["--task", "inpaint-freeform", *LINE, "--name", "phi-toy", "--out", str(tmp_path)]
    assert main(line) == 0
    first = (tmp_path / "phi-toy.safetensors").read_bytes()
    assert load_spread(tmp_path / "phi-toy.safetensors", 1).weight.shape == (1, 6)
    card = (tmp_path / "phi-toy.md").read_text()
    assert "3 pairs to fit, 2 to validate; no test image was read" in card
    assert str(tmp_path) not in card
    capsys.readouterr()
    assert main(line) == 0
    assert (tmp_path / "phi-toy.safetensors").read_bytes() == first, "from what was kept of the priors"


@pytest.mark.parametrize(
    ("task", "more", "message"),
    [
        ("jpeg", [], "give noise, or holes, or colours"),
        ("colorize,denoise", [], "give noise, or holes, or colours"),
        ("colorize", ["--held-out", "5"], "some must be left to fit"),
        ("colorize", ["--images", "21"], "--images is at most 20"),
    ],
)
def test_what_cannot_be_fitted_is_said(task: str, more: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=message):
        main(["--task", task, *LINE, *more, "--name", "phi", "--out", str(tmp_path)])


@pytest.mark.usefixtures("toy")
def test_pairs_have_the_image_that_the_task_cropped() -> None:
    fit, held_out = read_pairs(get_task("super-resolve", scale=3), ["toy"], lifted, held_out=4)
    assert (len(fit), len(held_out)) == (8, 4)
    for number, pair in enumerate(fit):
        assert torch.equal(pair.clean[0], Drawn(f"{number:03}").load()[:, :30, :30])
        assert pair.fidelity.shape == pair.clean.shape
        assert pair.mask.shape == (1, 1, 30, 30)
        torch.testing.assert_close(pair.fidelity, pair.prior)
