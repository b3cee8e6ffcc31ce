"""The paper's φ-network, against an evaluation written out and against what was released."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bigprior.phi.paper_backbone import LAYERS, PREFIX, PaperBackbone, load_released, restore_released
from bigprior.phi.released import RELEASE, RELEASED_TEST, inversion
from datasets import fetch
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.task import Key, get_task


def random_state(channels: int) -> dict[str, Tensor]:
    """A state dict in the released layout, batch statistics included."""
    generator = torch.Generator().manual_seed(channels)
    state = {}
    for key, value in PaperBackbone(channels).state_dict().items():
        if key.endswith("num_batches_tracked"):
            state[PREFIX + key] = torch.tensor(7)
        else:
            drawn = torch.randn(value.shape, generator=generator) * (0.1 if value.ndim == 4 else 0.3)
            state[PREFIX + key] = drawn.abs() + 0.5 if key.endswith("running_var") else drawn
    return state


@pytest.fixture(params=[1, 3])
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "net_24.pth"
    torch.save(random_state(request.param), path)
    return path


def written_out(state: dict[str, Tensor], y: Tensor) -> Tensor:
    """φ = z − D(z) in float64, batch normalisation by its stored statistics."""
    p = {key.removeprefix(PREFIX + "dncnn."): value.double() for key, value in state.items()}
    z = y.double() - 0.5
    x = F.conv2d(z, p["0.weight"], padding=1).clamp(min=0)
    for layer in range(LAYERS - 2):
        i = 2 + 3 * layer
        x = F.conv2d(x, p[f"{i}.weight"], padding=1)
        mean, var = (p[f"{i + 1}.running_{name}"].view(1, -1, 1, 1) for name in ("mean", "var"))
        weight, bias = (p[f"{i + 1}.{name}"].view(1, -1, 1, 1) for name in ("weight", "bias"))
        x = ((x - mean) / (var + 1e-5).sqrt() * weight + bias).clamp(min=0)
    return z - F.conv2d(x, p["47.weight"], padding=1)


def test_equals_the_formula_written_out(checkpoint: Path) -> None:
    network = load_released(checkpoint)
    y = torch.rand(2, network.channels, 33, 21, generator=torch.Generator().manual_seed(0))
    expected = written_out(torch.load(checkpoint), y)
    phi = network(y)
    assert phi.shape == (2, 3, 33, 21)
    assert expected.max() > 1, "not bounded"
    torch.testing.assert_close(phi.double(), expected, rtol=1e-4, atol=1e-4)


def test_an_image_does_not_depend_on_its_batch(checkpoint: Path) -> None:
    network = load_released(checkpoint)
    y = torch.rand(3, network.channels, 20, 24, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network(y)[1:2], network(y[1:2]), rtol=0, atol=1e-5)
    assert not any(p.requires_grad for p in network.parameters())


def test_the_fusion_is_the_papers(checkpoint: Path) -> None:
    network = load_released(checkpoint)
    generator = torch.Generator().manual_seed(2)
    y, g = torch.rand(1, network.channels, 16, 18, generator=generator), torch.rand(1, 3, 16, 18, generator=generator)
    result = restore_released(network, y, g)
    phi = network(y)
    torch.testing.assert_close(result.image, y + phi * (g - y), rtol=0, atol=1e-5)
    torch.testing.assert_close(result.recompose(), result.image)


def test_layouts_that_are_not_the_papers(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    state = random_state(3)
    moved = {key.replace("dncnn.2.weight", "conv.2.weight"): value for key, value in state.items()}
    torch.save(moved, path)
    with pytest.raises(SuiteError, match=r"first: 'conv\.2\.weight'.*first: 'dncnn\.2\.weight'"):
        load_released(path)
    torch.save(state | {PREFIX + "dncnn.47.weight": torch.zeros(1, 64, 3, 3)}, path)
    with pytest.raises(SuiteError, match=r"\.47\.weight' has the shape \(1, 64, 3, 3\), expected \(3, 64, 3, 3\)"):
        load_released(path)


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"is not there.*github\.com/majedelhelou"):
        load_released(tmp_path / "none.pth")
    path = tmp_path / "net.pth"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(SuiteError, match="is no state dict"):
        load_released(path)
    torch.save([torch.zeros(1)], path)
    with pytest.raises(SuiteError, match="holds more than tensors"):
        load_released(path)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "net.pth", tmp_path / "mark"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(mark),)  # type: ignore[return-value]

    path.write_bytes(pickle.dumps(Bomb(), protocol=2))
    with pytest.raises(SuiteError, match="nothing was executed"):
        load_released(path)
    assert not mark.exists()


def test_a_y_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 1 channels, y has 3"):
        PaperBackbone(1)(torch.zeros(1, 3, 16, 16))


def released_array(name: str) -> np.ndarray:
    return np.load(fetch.local_path(f"{RELEASE}/net_data/col_bedroom_1/{name}.npy"))


def errors(numbers: range) -> tuple[list[float], list[float]]:
    """MSE of unclamped floats and mean φ of bedroom test images, as the authors' test script computes them."""
    network = load_released(fetch.local_path(f"{RELEASE}/net_data/col_bedroom_1/net_24.pth"))
    entries = get_dataset("lsun-bedroom").entries("test")
    mse, phi = [], []
    for number in numbers:
        clean = entries[number - RELEASED_TEST.start].load()
        y = get_task("colorize").degrade(clean, Key(0, "", "")).y
        with torch.no_grad():
            result = restore_released(network, y, inversion(number))
        mse.append(float((result.image - clean).square().mean()))
        assert result.phi is not None
        phi.append(float(result.phi.mean()))
    return mse, phi


@pytest.mark.realdata
def test_released_checkpoints_load_unchanged() -> None:
    for experiment, channels in (
        ("col_bedroom", 1),
        ("col_church", 1),
        ("denblind_bedroom", 3),
        ("inpcrop_bedroom", 3),
    ):
        network = load_released(fetch.local_path(f"{RELEASE}/net_data/{experiment}_1/net_24.pth"))
        assert network.channels == channels
        assert not network.training


@pytest.mark.realdata
def test_released_errors_are_reproduced() -> None:
    mse, phi = errors(RELEASED_TEST[:3])
    np.testing.assert_allclose(mse, released_array("MSE")[:3], rtol=0, atol=1e-6)
    np.testing.assert_allclose(phi, released_array("Mphi")[:3], rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.realdata
def test_released_means_are_reproduced() -> None:
    mse, phi = errors(RELEASED_TEST)
    np.testing.assert_allclose(mse, released_array("MSE"), rtol=0, atol=1e-6)
    assert np.mean(-10 * np.log10(mse)) == pytest.approx(23.0839, abs=5e-5)
    assert np.mean(phi) == pytest.approx(0.45786, abs=5e-6)
