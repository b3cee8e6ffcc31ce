"""PGGAN against its definition, and the loading of its weights."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import Tensor

from bigprior.priors import pggan
from bigprior.priors.pggan import PGGAN, Layout
from datasets.errors import SuiteError
from datasets.fetch import CACHE
from tests.bigprior.generators import SMALL, official_state

TINY = Layout(resolution=16, code=5, base=64, most=6)


def definition(state: dict[str, Tensor], z: np.ndarray, layout: Layout, blocks: int) -> np.ndarray:
    """G(z) of one code, −1..1, layer by layer as the paper writes it, in float64 and without torch."""

    def normalised(x: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x**2).mean(axis=0) + 1e-8)

    def convolved(x: np.ndarray, weight: np.ndarray, gain: float) -> np.ndarray:
        scale = gain / math.sqrt(weight[0].size)
        return np.stack([sum(correlate2d(a, k * scale, "same") for a, k in zip(x, w, strict=True)) for w in weight])

    def layer(x: np.ndarray, number: int) -> np.ndarray:
        weight = state[f"layer{number}.conv.weight"].double().numpy()
        bias = state[f"layer{number}.wscale.bias"].double().numpy()[:, None, None]
        x = normalised(x)
        if number == 0:
            # A 4×4 kernel over one pixel with a margin of 3: the kernel turned around.
            scale = math.sqrt(2 / weight[0].size)
            x = np.einsum("oihw,i->ohw", weight[:, :, ::-1, ::-1] * scale, x[:, 0, 0])
        else:
            if number % 2 == 0:
                x = x.repeat(2, axis=1).repeat(2, axis=2)
            x = convolved(x, weight, math.sqrt(2))
        x = x + bias
        return np.where(x > 0, x, 0.2 * x)

    x = z[:, None, None]
    for number in range(2 * blocks):
        x = layer(x, number)
    image = convolved(normalised(x), state[f"output{blocks - 1}.conv.weight"].double().numpy(), 1.0)
    image = image + state[f"output{blocks - 1}.wscale.bias"].double().numpy()[:, None, None]
    left = len(layout.sides) - blocks
    return image.repeat(2**left, axis=1).repeat(2**left, axis=2)


@pytest.mark.parametrize("lod", [0, 1], ids=["full", "one level of detail less"])
def test_the_forward_pass_is_the_definition(lod: int) -> None:
    state = official_state(TINY) | {"lod": torch.tensor(float(lod))}
    z = torch.randn(3, TINY.code, generator=torch.Generator().manual_seed(1))
    images = PGGAN(state, TINY)(z)
    assert images.shape == (3, 3, 16, 16)
    for image, code in zip(images, z.double().numpy(), strict=True):
        expected = (definition(state, code, TINY, len(TINY.sides) - lod) + 1) / 2
        np.testing.assert_allclose(image.numpy(), expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_double_precision_is_the_definition_to_its_precision() -> None:
    state = official_state(TINY)
    z = torch.randn(1, TINY.code, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    image = PGGAN(state, TINY, dtype=torch.float64)(z)[0]
    expected = (definition(state, z[0].numpy(), TINY, len(TINY.sides)) + 1) / 2
    np.testing.assert_allclose(image.numpy(), expected, rtol=0, atol=1e-12)


def test_features_and_image_make_up_the_generator_at_every_layer() -> None:
    generator = PGGAN(official_state(), SMALL)
    z = torch.randn(2, SMALL.code, generator=torch.Generator().manual_seed(3))
    whole = generator(z)
    for layer in range(1, generator.layers + 1):
        features = generator.features(z, layer)
        assert features.shape[1:] == generator.shape(layer)
        torch.testing.assert_close(generator.image(features, layer), whole, rtol=0, atol=1e-6)


def test_the_gradient_of_pixel_norm_is_that_of_its_definition() -> None:
    x = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pggan._pixel_norm, (x,))


def test_bfloat16_is_near() -> None:
    state = official_state()
    z = torch.randn(2, SMALL.code, generator=torch.Generator().manual_seed(5))
    exact, rough = PGGAN(state, SMALL)(z), PGGAN(state, SMALL, dtype=torch.bfloat16)(z)
    assert rough.dtype == torch.float32
    assert 0 < float((exact - rough).abs().mean()) < 0.01


def test_the_official_layout() -> None:
    """Channels and keys of the published generators of 256 and 1024."""
    shapes = Layout(256).shapes()
    assert len(shapes) == 1 + 2 * 14 + 2 * 7
    assert shapes["lod"] == ()
    assert shapes["layer0.conv.weight"] == (512, 512, 4, 4)
    assert shapes["layer7.conv.weight"] == (512, 512, 3, 3)
    assert shapes["layer8.conv.weight"] == (256, 512, 3, 3)
    assert shapes["layer13.wscale.bias"] == (64,)
    assert shapes["output6.conv.weight"] == (3, 64, 1, 1)
    large = Layout(1024).shapes()
    assert large["layer17.conv.weight"] == (16, 16, 3, 3)
    assert large["output8.wscale.bias"] == (3,)
    # The paper's Table 2: 23.1 million parameters, of which its own generator of 1024 has.
    assert sum(math.prod(shape) for key, shape in large.items() if "output" not in key) == pytest.approx(
        23.1e6, rel=2e-3
    )


def test_unknown_resolutions_are_refused() -> None:
    with pytest.raises(ValueError, match="resolution 100"):
        Layout(100)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(pggan.FOLDER, str(tmp_path))
    return tmp_path


def test_a_checkpoint_is_loaded_from_the_folder(folder: Path) -> None:
    state = official_state()
    torch.save(state, pggan.checkpoint("bedroom256"))
    assert pggan.checkpoint("bedroom256") == folder / "pggan_bedroom256_generator.pth"
    assert pggan.missing("bedroom256") is None
    z = torch.randn(1, SMALL.code, generator=torch.Generator().manual_seed(6))
    assert torch.equal(pggan.load("bedroom256", SMALL)(z), PGGAN(state, SMALL)(z))


def test_a_missing_checkpoint_says_where_to_get_it_and_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(pggan.FOLDER, raising=False)
    monkeypatch.setenv(CACHE, str(tmp_path))
    with pytest.raises(SuiteError) as error:
        pggan.load("church256")
    for part in (
        "pggan_church256_generator.pth",
        "github.com/genforce/mganprior",
        pggan.FOLDER,
    ):
        assert part in str(error.value)
    assert pggan.missing("church256") in str(error.value)


def test_a_wrong_layout_names_the_first_missing_and_the_first_unexpected_key(folder: Path) -> None:
    newer = {key.replace(".conv.weight", ".weight").replace(".wscale.bias", ".bias"): tensor
             for key, tensor in official_state().items()}  # fmt: skip
    torch.save(newer, pggan.checkpoint("bedroom256"))
    with pytest.raises(SuiteError, match=r"first: 'layer0\.weight'.*first: 'layer0\.conv\.weight'"):
        pggan.load("bedroom256", SMALL)


def test_a_wrong_shape_is_named(folder: Path) -> None:
    torch.save(official_state(Layout(32, 16, 256, 8)), pggan.checkpoint("bedroom256"))
    with pytest.raises(SuiteError, match=r"'layer0\.conv\.weight' has the shape \(8, 16, 4, 4\), expected \(16, 16"):
        pggan.load("bedroom256", SMALL)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_a_damaged_file_is_refused(folder: Path, content: bytes) -> None:
    pggan.checkpoint("bedroom256").write_bytes(content)
    with pytest.raises(SuiteError, match="is no state dict"):
        pggan.load("bedroom256", SMALL)


def test_a_file_that_holds_something_else_is_refused(folder: Path) -> None:
    torch.save([1, 2], pggan.checkpoint("bedroom256"))
    with pytest.raises(SuiteError, match="holds more than tensors"):
        pggan.load("bedroom256", SMALL)
