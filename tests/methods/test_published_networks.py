"""Published denoisers: their files, their rules, their published figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import Tensor

from benchmarks.rows import available, select
from benchmarks.tables.published import published_psnr
from bigprior.checkpoints import check_shapes, read_state_dict
from bigprior.precision import EMULATED, computing
from bigprior.tiles import TILE
from datasets import fetch
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.task import Key, get_task
from methods.classic.bm3d_package import bm3d_package
from methods.registry import get_method
from methods.supervised import dncnn_gray, fdncnn_color, ffdnet_color
from methods.supervised._chain import Chain, chain_shapes
from methods.supervised._matconvnet import read_matconvnet
from methods.supervised._published import NoiseMapped, Published
from methods.supervised.dncnn_gray import DnCNNGray
from methods.supervised.fdncnn_color import FDnCNNColor
from methods.supervised.ffdnet_color import FFDNetColor, from_sub_images, to_sub_images
from tests.methods.denoising import observe, photograph, psnr

ALL = [DnCNNGray(), FDnCNNColor(), FFDNetColor()]
MAPPED = [FDnCNNColor(), FFDNetColor()]
DENOISE = get_task("denoise", sigma="25")
names = pytest.mark.parametrize("method", ALL, ids=lambda method: method.name)
mapped = pytest.mark.parametrize("method", MAPPED, ids=lambda method: method.name)


def score(image: Tensor, clean: Tensor) -> float:
    """PSNR of one image as the standard protocol has it: clipped, of 8 bit."""
    return psnr(*((x.clamp(0, 1) * 255).round() / 255 for x in (image, clean)))


# The files


def random_parameters(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    random = np.random.RandomState(0)
    return {name: random.standard_normal(shape).astype(np.float32) / 8 for name, shape in shapes.items()}


def write_matconvnet(file: Path, layers: Iterable[tuple[str, tuple[np.ndarray, np.ndarray] | None]]) -> None:
    """Write layers as MATLAB does: an array (a,b,…) of MATLAB is (…,b,a) in HDF5; kernels are (H,W,in,out) there."""
    with h5py.File(file, "w") as matlab:
        cells = []
        for number, (kind, parameters) in enumerate(layers):
            layer = matlab.create_group(f"#refs#/layer{number}")
            layer["type"] = np.array([[ord(letter)] for letter in kind], dtype=np.uint16)
            if parameters is None:
                layer["weights"] = np.zeros(2, dtype=np.uint64)  # an empty cell
            else:
                kernel, bias = parameters
                layer["kernel"], layer["bias"] = kernel.T, bias[None]
                layer["weights"] = np.array([[layer["kernel"].ref], [layer["bias"].ref]], dtype=h5py.ref_dtype)
            cells.append(layer.ref)
        matlab["net/layers"] = np.array(cells, dtype=h5py.ref_dtype)[:, None]


def write_like(file: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Write a MatConvNet file of the layout that `shapes` tells, with random parameters."""
    random = random_parameters(shapes)
    layers: dict[int, tuple[str, tuple[np.ndarray, np.ndarray] | None]] = {}
    for name in shapes:
        layer, _, part = name.partition(".")
        kind = layer.rstrip("0123456789")
        if part != "bias":
            pair = (random[name].transpose(2, 3, 1, 0), random[f"{layer}.bias"]) if part else None
            layers[int(layer[len(kind) :])] = (kind, pair)
    write_matconvnet(file, [layers[position] for position in sorted(layers)])


def reference_convolution(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Zero-padded correlation of an image (C,H,W) with a kernel in MATLAB's layout (H,W,in,out)."""
    return np.stack(
        [
            bias[k] + sum(correlate2d(image[c], kernel[:, :, c, k], mode="same") for c in range(len(image)))
            for k in range(kernel.shape[3])
        ]
    )


def test_matconvnet_file_is_the_network_that_matlab_applies(tmp_path: Path) -> None:
    """Two layers read from a file, against SciPy applied to the arrays as MATLAB holds them."""
    random = np.random.RandomState(0)
    first, second = random.standard_normal((3, 3, 2, 5)), random.standard_normal((3, 3, 5, 3))
    biases = random.standard_normal(5), random.standard_normal(3)
    layers = [("concat", None), ("conv", (first, biases[0])), ("relu", None), ("conv", (second, biases[1]))]
    write_matconvnet(tmp_path / "net.mat", layers)
    parameters = read_matconvnet(tmp_path / "net.mat")
    assert list(parameters) == ["concat1", "conv2.weight", "conv2.bias", "relu3", "conv4.weight", "conv4.bias"]

    image = random.standard_normal((2, 9, 14))
    chain = Chain.of(parameters, chain_shapes(["conv2", "conv4"], (2, 5, 3)), torch.float64, torch.device("cpu"))
    expected = reference_convolution(np.maximum(reference_convolution(image, first, biases[0]), 0), second, biases[1])
    torch.testing.assert_close(chain(torch.from_numpy(image)[None])[0], torch.from_numpy(expected))


def test_state_dict_is_read_by_name(tmp_path: Path) -> None:
    written = {name: torch.from_numpy(value) for name, value in random_parameters(dncnn_gray.SHAPES).items()}
    torch.save(dict(reversed(written.items())), tmp_path / "net.pth")
    read = read_state_dict(tmp_path / "net.pth")
    check_shapes(tmp_path / "net.pth", "a DnCNN", read, dncnn_gray.SHAPES)
    chain = Chain.of(read, dncnn_gray.SHAPES, torch.float64, torch.device("cpu"))
    assert len(chain.layers) == dncnn_gray.DEPTH
    for number, (weight, bias) in enumerate(chain.layers):
        assert torch.equal(weight, written[f"model.{2 * number}.weight"].double())
        assert torch.equal(bias, written[f"model.{2 * number}.bias"].double())


@pytest.mark.parametrize(
    ("module", "wrong"), [(fdncnn_color, "conv2.weight"), (ffdnet_color, "conv3.weight")], ids=["fdncnn", "ffdnet"]
)
def test_wrong_channels_of_a_matlab_file_are_named(module: object, wrong: str, tmp_path: Path) -> None:
    """The gray sister of a colour network has other channels at its ends."""
    shapes: dict[str, tuple[int, ...]] = module.SHAPES  # type: ignore[attr-defined]
    out, inward, *sides = shapes[wrong]
    write_like(tmp_path / "gray.mat", {**shapes, wrong: (out, inward - 2, *sides)})
    with pytest.raises(SuiteError) as caught:
        check_shapes(tmp_path / "gray.mat", "a colour network", read_matconvnet(tmp_path / "gray.mat"), shapes)
    for part in ("gray.mat", "is not a colour network", wrong, str((out, inward - 2, 3, 3)), str((out, inward, 3, 3))):
        assert part in str(caught.value)
    write_like(tmp_path / "right.mat", shapes)
    check_shapes(tmp_path / "right.mat", "a colour network", read_matconvnet(tmp_path / "right.mat"), shapes)


def test_foreign_layout_is_named(tmp_path: Path) -> None:
    write_like(tmp_path / "other.mat", fdncnn_color.SHAPES)
    with pytest.raises(SuiteError) as caught:
        check_shapes(tmp_path, "a colour FFDNet", read_matconvnet(tmp_path / "other.mat"), ffdnet_color.SHAPES)
    assert "'conv3.weight' (96, 13, 3, 3)" in str(caught.value), "the first missing"
    assert "'concat1' (0,)" in str(caught.value), "the first unexpected"


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no network")
    with pytest.raises(SuiteError, match=r"no network of MatConvNet"):
        read_matconvnet(tmp_path / "text")
    with h5py.File(tmp_path / "images.mat", "w") as other:
        other["net"] = np.zeros((3, 3))
    with pytest.raises(SuiteError, match=r"no network of MatConvNet"):
        read_matconvnet(tmp_path / "images.mat")


def test_sub_images_go_down_the_columns() -> None:
    x = torch.rand(2, 3, 6, 8)
    sub = to_sub_images(x)
    assert sub.shape == (2, 12, 3, 4)
    for c in range(3):
        for j in (0, 1):
            for i in (0, 1):
                assert torch.equal(sub[:, 4 * c + 2 * j + i], x[:, c, i::2, j::2])
    assert torch.equal(from_sub_images(sub), x)


# When they run


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(fetch.MIRROR, raising=False)
    monkeypatch.setenv(fetch.CACHE, str(tmp_path / "cache"))


@names
def test_absent_weights_are_a_reason_and_not_an_error(method: Published, nothing_here: None) -> None:
    rows, reasons = available(DENOISE)
    assert "bm3d" in {row.label for row in rows}
    assert method.name not in {row.label for row in rows}
    for part in (method.file, "python -m datasets fetch models", fetch.MIRROR):
        assert part in reasons[method.name]
    with pytest.raises(SuiteError, match="python -m datasets fetch models"):
        select(DENOISE, method.name)
    assert method.weights() == ()


@pytest.fixture
def something_here(nothing_here: None) -> None:
    """Files where the weights should be: enough to be listed, nothing is read."""
    for method in ALL:
        file = fetch.cache_folder() / method.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")


def test_noise_levels_and_rows(something_here: None) -> None:
    rows, reasons = available(DENOISE)
    assert {method.name for method in ALL} <= {row.label for row in rows}
    for sigma in ("0", "15", "25.5", "50", "5:50", "25:25"):
        _, reasons = available(get_task("denoise", sigma=sigma))
        assert "25 alone" in reasons["dncnn-gray-25"]
    rows, _ = available(get_task("denoise", sigma="5:50"))
    assert {"ffdnet-color", "ffdnet-color[sigma=true]", "fdncnn-color[sigma=true]"} <= {row.label for row in rows}
    reason = "made for the identity with white Gaussian noise, not for luma alone with no noise"
    assert get_method("ffdnet-color").supports(get_task("colorize")) == reason
    for method in ALL:
        assert method.weights() == (fetch.cache_folder() / method.file,)


# What they do with the published weights


@cache
def noisy(channels: int) -> Observation:
    return observe(photograph(80, 79, channels, top=0, left=150).float(), 25)


@cache
def bm3d_score(channels: int) -> float:
    observation = noisy(channels)
    assert observation.truth is not None
    return score(bm3d_package(observation.y, noise_of(observation)), observation.truth.clean)


@pytest.mark.realdata
@pytest.mark.parametrize("channels", [1, 3])
@names
def test_better_than_bm3d(method: Published, channels: int) -> None:
    """The published networks are on average half a decibel over BM3D; with another order of the sub-images or another
    scale of the noise map they are under it. On images of the other kind too they remove three quarters of the noise.
    """
    observation = noisy(channels)
    assert observation.truth is not None
    restored = score(method.restore(observation.without_truth()).image, observation.truth.clean)
    if (channels == 1) == isinstance(method, DnCNNGray):
        assert restored > bm3d_score(channels)
    assert restored > score(observation.y, observation.truth.clean) + 10 * np.log10(4)


def noise_of(observation: Observation) -> Tensor:
    assert observation.sigma is not None
    return observation.sigma


@pytest.mark.realdata
def test_gray_network_takes_the_channels_apart() -> None:
    observation = observe(photograph(40, 33).float(), 25)
    together = DnCNNGray().restore(observation).image
    for c in range(3):
        alone = replace(observation, y=observation.y[:, c : c + 1])
        torch.testing.assert_close(together[:, c : c + 1], DnCNNGray().restore(alone).image, rtol=0, atol=1e-5)


@pytest.mark.realdata
@mapped
def test_gray_images_of_a_colour_network(method: NoiseMapped) -> None:
    """A gray image is the colour image of three equal channels and √3 σ, averaged."""
    gray = observe(photograph(40, 33, 1).float(), 20)
    colour = replace(gray, y=gray.y.expand(-1, 3, -1, -1), noise=Gaussian(noise_of(gray) * 3**0.5), truth=None)
    expected = method.restore(colour).image.mean(dim=1, keepdim=True)
    torch.testing.assert_close(method.restore(gray).image, expected, rtol=0, atol=1e-6)
    plainly = method.restore(replace(colour, noise=gray.noise)).image.mean(dim=1, keepdim=True)
    assert gray.truth is not None
    assert score(expected, gray.truth.clean) > score(plainly, gray.truth.clean) + 3, "σ itself would be a poor choice"


@pytest.mark.realdata
@mapped
def test_more_noise_than_it_was_trained_for(method: NoiseMapped) -> None:
    """At σ = 150 the result is twice that of half the image with σ = 75."""
    loud = observe(photograph(40, 33).float(), 150)
    half = replace(loud, y=loud.y / 2, noise=Gaussian(noise_of(loud) / 2))
    torch.testing.assert_close(method.restore(loud).image, 2 * method.restore(half).image, rtol=0, atol=1e-5)
    assert loud.truth is not None
    told_75 = method.restore(replace(loud, noise=half.noise)).image
    assert score(method.restore(loud).image, loud.truth.clean) > score(told_75, loud.truth.clean) + 3


@pytest.mark.realdata
@mapped
def test_levels_of_a_batch(method: NoiseMapped) -> None:
    """Each image has its own σ; one without noise comes back untouched."""
    clean = photograph(24, 31).float()
    observations = [observe(clean, sigma) for sigma in (0, 10, 60, 90)]
    together = method.restore(Observation.cat(observations)).image
    assert torch.equal(together[:1], clean)
    for number, alone in enumerate(observations):
        torch.testing.assert_close(together[number : number + 1], method.restore(alone).image, rtol=0, atol=2e-5)


@pytest.mark.realdata
@names
def test_tiles_do_not_show(method: Published) -> None:
    """An image of two tiles with a seam at 270, against a part of it that is one tile."""
    channels = 1 if isinstance(method, DnCNNGray) else 3
    wide = observe(photograph(15, 300, channels).repeat(1, 1, 1, 2)[..., :541], 25)
    assert wide.y.shape[-1] > TILE
    part = replace(wide, y=wide.y[..., :400], truth=None)
    image, expected = method.restore(wide).image, method.restore(part).image
    torch.testing.assert_close(image[..., :370], expected[..., :370], rtol=0, atol=1e-12)


def test_bfloat16_ends_in_single_precision() -> None:
    """Inner convolutions are rough; what the last one gives is not rounded to eight bits."""
    shapes = chain_shapes("abc", (2, 8, 8, 3))
    weights = {name: torch.from_numpy(value) for name, value in random_parameters(shapes).items()}
    chain = Chain.of(weights, shapes, torch.float32, torch.device("cpu"))
    x = torch.rand(1, 2, 9, 14, generator=torch.Generator().manual_seed(0))
    exact = chain(x)
    with computing("bfloat16", "cpu"):
        rough = chain(x)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, rough.bfloat16().float())
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, rtol=0, atol=0.02)
    assert torch.equal(chain(x), exact)


@pytest.mark.parametrize("able", [True, False])
def test_a_cpu_without_bfloat16_is_remarked(able: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": able, "avx2": True}, raising=False)
    for name in ("ffdnet-color", "unet-blind", "bigprior"):
        assert get_method(f"{name}[precision=float32]").remarks() == ()
        assert get_method(f"{name}[precision=bfloat16]").remarks() == (() if able else (EMULATED,))


def test_an_unknown_precision_is_one_line() -> None:
    with pytest.raises(SuiteError, match="float32"):
        get_method("ffdnet-color[precision=half]")


@pytest.mark.realdata
@names
def test_bfloat16_hardly_matters(method: Published) -> None:
    observation = observe(photograph(96, 80, 1 if isinstance(method, DnCNNGray) else 3).float(), 25)
    assert observation.truth is not None
    clean = observation.truth.clean
    exact = score(method.restore(observation).image, clean)
    rough = score(replace(method, precision="bfloat16").restore(observation).image, clean)
    assert rough == pytest.approx(exact, abs=0.05)
    assert rough != exact


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("method", "dataset", "sigma"),
    [
        (DnCNNGray(), "set12", "25"),
        (DnCNNGray(), "bsd68", "25"),
        *[(FFDNetColor(), "cbsd68", sigma) for sigma in ("15", "25", "50")],
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_published_means(method: Published, dataset: str, sigma: str) -> None:
    """The mean PSNR of the set in the suite's standard protocol is the published one, to 0.05 dB."""
    task = get_task("denoise", sigma=sigma)
    found = []
    with torch.no_grad():
        for entry in get_dataset(dataset).entries():
            observation = task.degrade(entry.load(), Key(0, dataset, entry.name))
            assert observation.truth is not None
            found.append(score(method.restore(observation.without_truth()).image, observation.truth.clean))
    mean, _ = published_psnr("denoise", dataset, sigma)[method.name]
    assert np.mean(found) == pytest.approx(mean, abs=0.05)
