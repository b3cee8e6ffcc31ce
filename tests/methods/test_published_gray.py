"""Published chains: DnCNN, FDnCNN and FFDNet for gray images, DnCNN and ADNet for colour, the bias-free networks."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d

from datasets import fetch
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.task import Key, get_task
from methods.registry import get_method
from methods.supervised import _adnet, _dncnn, bf_cnn, bf_dncnn, fdncnn_gray, ffdnet_gray
from methods.supervised._bias_free import DEPTH, bias_free
from methods.supervised._gray_mapped import GrayNoiseMapped
from methods.supervised._matconvnet import read_matconvnet
from methods.supervised._matconvnet_gray import read_gray_matconvnet
from methods.supervised._untold import OneLevel, Untold
from methods.supervised.adnet_color_15 import ADNetColor15
from methods.supervised.adnet_color_25 import ADNetColor25
from methods.supervised.adnet_color_50 import ADNetColor50
from methods.supervised.adnet_gray_25 import ADNetGray25
from methods.supervised.bf_cnn import BFCNN
from methods.supervised.bf_dncnn import BFDnCNN, read_checkpoint
from methods.supervised.dncnn_blind_color import DnCNNBlindColor
from methods.supervised.dncnn_blind_gray import DnCNNBlindGray
from methods.supervised.dncnn_color_25 import DnCNNColor25
from methods.supervised.dncnn_gray_15 import DnCNNGray15
from methods.supervised.dncnn_gray_50 import DnCNNGray50
from methods.supervised.fdncnn_gray import FDnCNNGray
from methods.supervised.ffdnet_gray import FFDNetGray
from tests.methods.denoising import observe, photograph
from tests.methods.test_published_networks import (
    random_parameters,
    reference_convolution,
    score,
    write_like,
    write_matconvnet,
)

CPU = torch.device("cpu")
LEVELS = [DnCNNGray15(), DnCNNGray50(), DnCNNColor25(), ADNetGray25(), ADNetColor15(), ADNetColor25(), ADNetColor50()]
BLIND = [DnCNNBlindGray(), DnCNNBlindColor(), BFCNN(), BFDnCNN()]
MAPPED = [FDnCNNGray(), FFDNetGray()]
ALL = [*LEVELS, *BLIND, *MAPPED]


def named(methods: list) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("method", methods, ids=lambda method: method.name)


def here(method: Untold | GrayNoiseMapped) -> Untold | GrayNoiseMapped:
    """Skip where the mirror lacks the file: two of the networks are only registered."""
    if fetch.locate(method.file) is None:
        pytest.skip(f"{method.file} is not on this machine")
    return method


def tensors(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Random parameters; variances and deviations are positive, counters are whole."""
    made = {name: torch.from_numpy(np.asarray(value)) for name, value in random_parameters(shapes).items()}
    for name in made:
        if "running_var" in name or "running_sd" in name:
            made[name] = made[name].abs() + 0.5
        if "num_batches" in name:
            made[name] = torch.tensor(7)
    return made


# The files


def test_an_output_of_one_channel_has_its_axis_back(tmp_path: Path) -> None:
    """MATLAB's (3,3,5,1) is (3,3,5); the network read from such a file is the one that SciPy applies."""
    random = np.random.RandomState(0)
    first, second = random.standard_normal((3, 3, 1, 5)), random.standard_normal((3, 3, 5))
    biases = random.standard_normal(5), random.standard_normal(1)
    write_matconvnet(
        tmp_path / "net.mat", [("conv", (first, biases[0])), ("relu", None), ("conv", (second, biases[1]))]
    )
    with pytest.raises(SuiteError, match="no network of MatConvNet"):
        read_matconvnet(tmp_path / "net.mat")
    found = read_gray_matconvnet(tmp_path / "net.mat")
    assert {name: tuple(x.shape) for name, x in found.items()} == {
        "conv1.weight": (5, 1, 3, 3),
        "conv1.bias": (5,),
        "relu2": (0,),
        "conv3.weight": (1, 5, 3, 3),
        "conv3.bias": (1,),
    }
    image = random.standard_normal((1, 7, 10))
    hidden = np.maximum(reference_convolution(image, first, biases[0]), 0)
    expected = reference_convolution(hidden, second[..., None], biases[1])
    h = conv2d(torch.from_numpy(image)[None], found["conv1.weight"], found["conv1.bias"], padding=1).relu()
    result = conv2d(h, found["conv3.weight"], found["conv3.bias"], padding=1)
    torch.testing.assert_close(result[0], torch.from_numpy(expected))


def test_other_readings_are_those_of_the_reader_for_colour(tmp_path: Path) -> None:
    write_like(tmp_path / "net.mat", _dncnn.layout(3, 5))
    one, other = read_gray_matconvnet(tmp_path / "net.mat"), read_matconvnet(tmp_path / "net.mat")
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_dncnn_predicts_the_noise(tmp_path: Path) -> None:
    """y − chain(y), 17 or 20 convolutions at 1, 3, 5, …, against convolutions written out."""
    write_like(tmp_path / "net.mat", _dncnn.layout(1, 17))
    network = _dncnn.dncnn(tmp_path / "net.mat", 1, 17, torch.float64, CPU)
    found = read_gray_matconvnet(tmp_path / "net.mat")
    y = torch.rand(1, 1, 9, 14, dtype=torch.float64)
    h = y
    for k in range(17):
        h = conv2d(h, found[f"conv{2 * k + 1}.weight"].double(), found[f"conv{2 * k + 1}.bias"].double(), padding=1)
        h = h.relu() if k < 16 else h
    torch.testing.assert_close(network(y), y - h)


@pytest.mark.parametrize(
    ("shapes", "wrong", "load"),
    [
        (_dncnn.layout(1, 17), _dncnn.layout(1, 20), lambda file: _dncnn.dncnn(file, 1, 17, torch.float32, CPU)),
        (_dncnn.layout(3, 20), _dncnn.layout(1, 20), lambda file: _dncnn.dncnn(file, 3, 20, torch.float32, CPU)),
        (fdncnn_gray.SHAPES, _dncnn.layout(1, 20), lambda file: fdncnn_gray._network(file, torch.float32, CPU)),
        (ffdnet_gray.SHAPES, fdncnn_gray.SHAPES, lambda file: ffdnet_gray._chain(file, torch.float32, CPU)),
    ],
    ids=["gray", "colour", "fdncnn", "ffdnet"],
)
def test_another_matlab_layout_is_one_line(
    shapes: dict[str, tuple[int, ...]],
    wrong: dict[str, tuple[int, ...]],
    load: Callable[[Path], object],
    tmp_path: Path,
) -> None:
    write_like(tmp_path / "right.mat", shapes)
    load(tmp_path / "right.mat")
    write_like(tmp_path / "wrong.mat", wrong)
    with pytest.raises(SuiteError, match=r"wrong\.mat is not a (gray|colour) (F?DnCNN|FFDNet) of \d+ layers") as caught:
        load(tmp_path / "wrong.mat")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shapes", "load"),
    [
        (_adnet.layout(1), lambda file: _adnet.adnet(file, 1, torch.float32, CPU)),
        (_adnet.layout(3), lambda file: _adnet.adnet(file, 3, torch.float32, CPU)),
        (bf_cnn.SHAPES, lambda file: bf_cnn._chain(file, torch.float32, CPU)),
    ],
    ids=["adnet-gray", "adnet-colour", "bf-cnn"],
)
def test_another_state_dict_is_one_line(
    shapes: dict[str, tuple[int, ...]], load: Callable[[Path], object], tmp_path: Path
) -> None:
    right = tensors(shapes)
    torch.save(right, tmp_path / "right.pth")
    load(tmp_path / "right.pth")
    torch.save(dict(list(right.items())[:-1]), tmp_path / "less.pth")
    with pytest.raises(SuiteError, match=r"less\.pth is not a.* 1 are missing") as caught:
        load(tmp_path / "less.pth")
    assert "\n" not in str(caught.value)


# The networks


@pytest.mark.parametrize("channels", [1, 3])
def test_adnet_is_what_its_paper_draws(channels: int) -> None:
    """Batch normalisation as PyTorch has it, dilation 2 at 2, 5, 9, 12, and the attention, in double precision."""
    found = tensors(_adnet.layout(channels))
    network = _adnet.built(found, torch.float64, CPU)
    y = torch.rand(2, channels, 11, 6, dtype=torch.float64)
    p = {name.removeprefix("module."): value.double() for name, value in found.items()}
    h = y
    for k in range(1, 16):
        reach = 2 if k in (2, 5, 9, 12) else 1
        h = conv2d(h, p[f"conv1_{k}.0.weight"], padding=reach, dilation=reach)
        mean, variance, weight, bias = (
            p[f"conv1_{k}.1.{n}"] for n in ("running_mean", "running_var", "weight", "bias")
        )
        h = batch_norm(h, mean, variance, weight, bias).relu()
    n = conv2d(h, p["conv1_16.weight"], padding=1)
    attention = conv2d(torch.cat([y, n], 1).tanh(), p["conv3.weight"], p["conv3.bias"])
    torch.testing.assert_close(network(y), y - attention * n)


def test_bias_free_networks_are_homogeneous() -> None:
    shapes = [(64, 1, 3, 3), *[(64, 64, 3, 3)] * (DEPTH - 2), (1, 64, 3, 3)]
    random = torch.Generator().manual_seed(0)
    kernels = [torch.randn(shape, generator=random) / 12 for shape in shapes]
    gains = [torch.rand(64, generator=random) + 0.5 for _ in shapes[1:-1]]
    chain = bias_free(kernels, gains, torch.float64, CPU)
    y = torch.rand(1, 1, 9, 12, dtype=torch.float64)
    torch.testing.assert_close(chain(3 * y), 3 * chain(y))
    h = conv2d(y, kernels[0].double(), padding=1).relu()
    for kernel, gain in zip(kernels[1:-1], gains, strict=True):
        h = (conv2d(h, kernel.double(), padding=1) * gain.double().view(-1, 1, 1)).relu()
    torch.testing.assert_close(chain(y), conv2d(h, kernels[-1].double(), padding=1))


def write_bias_free(file: Path, state: object) -> None:
    torch.save({"model": [state], "args": Namespace(bias=False)}, file, _use_new_zipfile_serialization=False)


def test_bf_dncnn_is_read_from_its_authors_checkpoint(tmp_path: Path) -> None:
    """Old format, an `argparse.Namespace` beside the tensors, ε outside the root; mean and bias are not used."""
    state = tensors(bf_dncnn.SHAPES)
    write_bias_free(tmp_path / "net.pt", state)
    assert all(torch.equal(value, state[name]) for name, value in read_checkpoint(tmp_path / "net.pt").items())
    chain = bf_dncnn._chain(tmp_path / "net.pt", torch.float64, CPU)
    y = torch.rand(1, 1, 8, 11, dtype=torch.float64)
    h = conv2d(y, state["first_layer.weight"].double(), padding=1).relu()
    for k in range(18):
        h = conv2d(h, state[f"hidden_layer_list.{k}.weight"].double(), padding=1)
        gain = state[f"bn_layer_list.{k}.weight"].double()
        deviation = state[f"bn_layer_list.{k}.running_var"].double().sqrt() + 1e-5
        h = (h * (gain / deviation).view(-1, 1, 1)).relu()
    torch.testing.assert_close(chain(y), conv2d(h, state["last_layer.weight"].double(), padding=1))
    assert Namespace not in torch.serialization.get_safe_globals(), "admitted for this file alone"


def test_bf_dncnn_admits_nothing_else(tmp_path: Path) -> None:
    write_bias_free(tmp_path / "path.pt", {"first_layer.weight": Path("x")})
    torch.save({"net": [tensors(bf_dncnn.SHAPES)]}, tmp_path / "other.pt")
    for name in ("path.pt", "other.pt"):
        with pytest.raises(SuiteError, match=rf"{name} is no checkpoint of bias_free_denoising") as caught:
            read_checkpoint(tmp_path / name)
        assert "\n" not in str(caught.value)
    less = tensors(bf_dncnn.SHAPES)
    del less["last_layer.weight"]
    write_bias_free(tmp_path / "less.pt", less)
    with pytest.raises(SuiteError, match="is not a gray BF-DnCNN"):
        bf_dncnn._chain(tmp_path / "less.pt", torch.float32, CPU)


def test_ffdnet_shifts_by_two(tmp_path: Path) -> None:
    """Half the resolution: a shift by two pixels shifts the result, a shift by one does not."""
    write_like(tmp_path / "net.mat", ffdnet_gray.SHAPES)
    method = FFDNetGray()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FFDNetGray, "weights_here", lambda self: tmp_path / "net.mat")
        wide = observe(torch.rand(1, 1, 70, 150, dtype=torch.float64), 25)
        image = method.restore(wide).image
        for shift, same in ((2, True), (1, False)):
            part = replace(wide, y=wide.y[..., shift : shift + 140], truth=None)
            inside = method.restore(part).image[..., 40:90], image[..., 40 + shift : 90 + shift]
            assert torch.allclose(*inside, rtol=0, atol=1e-9) == same


def test_gray_maps_of_a_batch_of_colour(tmp_path: Path) -> None:
    """Each channel is restored at the σ of its image; over 75 the image is scaled; without noise it is returned."""
    write_like(tmp_path / "net.mat", fdncnn_gray.SHAPES)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FDnCNNGray, "weights_here", lambda self: tmp_path / "net.mat")
        method, clean = FDnCNNGray(), torch.rand(1, 3, 9, 13, dtype=torch.float64)
        several = [observe(clean, sigma) for sigma in (0, 20, 150)]
        together = method.restore(Observation.cat(several)).image
        assert torch.equal(together[:1], clean)
        for number, alone in enumerate(several):
            for c in range(3):
                one = replace(alone, y=alone.y[:, c : c + 1], truth=None)
                torch.testing.assert_close(together[number, c], method.restore(one).image[0, 0])
        loud = several[2]
        half = replace(loud, y=loud.y / 2, noise=Gaussian(torch.full((1,), 75 / 255, dtype=torch.float64)))
        torch.testing.assert_close(together[2:], 2 * method.restore(half).image)


# When they run


@named(ALL)
def test_absent_weights_are_a_reason(method: Untold, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(fetch.MIRROR, raising=False)
    monkeypatch.setenv(fetch.CACHE, str(tmp_path))
    task = get_task("denoise", sigma=str(getattr(method, "level", 25)))
    reason = method.supports(task)
    assert reason is not None
    assert method.file in reason
    assert method.weights() == ()
    assert get_method(method.name) == method


@named(LEVELS)
def test_one_level(method: OneLevel) -> None:
    for sigma in {"0", "15", "25", "25.5", "50", "5:50"} - {str(method.level)}:
        assert method.supports(get_task("denoise", sigma=sigma)) == (
            f"trained for σ {method.level} alone and cannot be told another"
        )
    assert method.name.endswith(f"-{method.level}")
    assert f"σ {method.level}" in method.summary


@named(BLIND)
def test_blind_rows_read_no_sigma(method: Untold) -> None:
    assert not method.uses_sigma


# With the published weights


@cache
def noisy(channels: int, sigma: int) -> Observation:
    return observe(photograph(45, 38, channels).float(), sigma)


@pytest.mark.realdata
@named(BLIND)
def test_what_is_told_does_not_matter(method: Untold) -> None:
    here(method)
    told = noisy(3, 25)
    hidden = replace(told, noise=None, truth=None)
    assert torch.equal(method.restore(told).image, method.restore(hidden).image)
    clean = replace(told, noise=Gaussian(torch.zeros(1)), truth=None)
    assert torch.equal(method.restore(clean).image, clean.y)


@pytest.mark.realdata
@named([DnCNNColor25(), ADNetColor25(), DnCNNBlindColor(), BFCNN()])
def test_gray_image_of_a_colour_network(method: Untold) -> None:
    """With its mirror images it loses three quarters of the noise; as three equal channels not even half."""
    gray = observe(photograph(64, 64, 1).float(), 25)
    assert gray.truth is not None
    clean, network = gray.truth.clean, method.network(torch.float32, CPU)
    equal = network(gray.y.expand(-1, 3, -1, -1)).mean(dim=1, keepdim=True)
    before = score(gray.y, clean)
    assert score(equal, clean) < before + 10 * np.log10(3)
    assert score(method.restore(gray).image, clean) > before + 10 * np.log10(4)


@pytest.mark.realdata
def test_colour_adnet_reads_blue_first() -> None:
    colour = noisy(3, 25)
    image = ADNetColor25().restore(colour).image
    network = _adnet.adnet(ADNetColor25().weights_here(), 3, torch.float32, CPU)
    torch.testing.assert_close(image.flip(1), network(colour.y.flip(1)))
    assert not torch.allclose(image, network(colour.y), rtol=0, atol=1e-3)


@cache
def restored_score(name: str, dataset: str, number: int, sigma: str, whole: bool) -> float:
    """PSNR of an image of a set, or of a square of it, with the noise of the suite."""
    entry = get_dataset(dataset).entries()[number]
    clean = entry.load()
    clean = clean if whole else clean[:, 60:220, 80:240]
    observation = get_task("denoise", sigma=sigma).degrade(clean, Key(0, dataset, entry.name))
    assert observation.truth is not None
    with torch.no_grad():
        return score(get_method(name).restore(observation.without_truth()).image, observation.truth.clean)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("method", "sigma", "published"),
    [
        (DnCNNGray15(), "15", (32.61, 34.97)),
        (DnCNNGray50(), "50", (27.03, 30.00)),
        (DnCNNBlindGray(), "25", (29.94, 33.05)),
        (FFDNetGray(), "25", (30.10, 33.28)),
        (ADNetGray25(), "25", (30.34, 33.41)),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_cameraman_and_house(method: Untold | GrayNoiseMapped, sigma: str, published: tuple[float, float]) -> None:
    """The first two images of Set12 in Table 6 of ADNet's paper (DnCNN-B: Table III of its own), to a draw of noise."""
    name = here(method).name
    found = [restored_score(name, "set12", number, sigma, whole=True) for number in (0, 1)]
    assert np.mean(found) == pytest.approx(np.mean(published), abs=0.1)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("method", "sigma", "over"),
    [
        (ADNetColor15(), "15", 33.99 - 33.87),
        (ADNetColor25(), "25", 31.31 - 31.21),
        (ADNetColor50(), "50", 28.04 - 27.96),
        (DnCNNBlindColor(), "25", 31.23 - 31.21),
        (DnCNNColor25(), "25", 31.31 - 31.21),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_colour_beside_ffdnet(method: Untold, sigma: str, over: float) -> None:
    """On squares of three images of CBSD68 a row is over FFDNet by what the tables say of the whole set, to 0.1 dB."""
    gains = [
        restored_score(method.name, "cbsd68", number, sigma, whole=False)
        - restored_score("ffdnet-color", "cbsd68", number, sigma, whole=False)
        for number in range(3)
    ]
    assert np.mean(gains) == pytest.approx(over, abs=0.1)


@pytest.mark.realdata
def test_fdncnn_beside_ffdnet() -> None:
    """On BSD68 its table has 29.22 dB at σ = 25, 0.03 over FFDNet's."""
    rows = ("fdncnn-gray", "ffdnet-gray")
    one, other = ([restored_score(row, "set12", n, "25", whole=True) for n in (0, 1)] for row in rows)
    assert np.mean(one) - np.mean(other) == pytest.approx(0.03, abs=0.1)
