"""The scene prior: its network, its preconditioning, and its denoiser with the weights that are shipped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from bigprior.checkpoints import shapes_of
from bigprior.priors.scene.network import CHANGES, CLASSES, ScaledNorm, SceneUNet, input_scale, output_scales
from bigprior.priors.scene.prior import WEIGHTS, ScenePrior, load_scene
from bigprior.priors.scene.released import NAMES, read_parts, renamed
from datasets.errors import SuiteError


def tiny(seed: int = 0) -> SceneUNet:
    """A small network none of whose weights is 0."""
    torch.manual_seed(seed)
    network = SceneUNet((8, 16), (1, 1), (False, True), embedding=16)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    return network.eval().requires_grad_(False)


def pattern(h: int, w: int) -> Tensor:
    i = torch.arange(3 * h * w, dtype=torch.float64).view(1, 3, h, w)
    return ((i * 0.37).sin() + (i * i * 0.0011).cos()).float() / 2


@pytest.mark.parametrize(
    ("sigma", "label", "sides", "expected"),
    [
        (0.1, "any", (64, 64), (0.00652, 0.18627, 0.25266, 0.06424, -0.14483)),
        (1.0, "church", (64, 64), (0.00529, 0.02291, -0.01386, 0.01352, -0.04511)),
        (10.0, "photos", (64, 64), (0.1535, 0.05079, 0.14473, 0.15225, 0.05475)),
        (0.5, "houses", (48, 72), (0.00795, 0.02229, -0.04666, -0.00403, -0.03716)),
    ],
)
def test_equal_to_the_script_that_trained_it(
    sigma: float, label: str, sides: tuple[int, int], expected: tuple[float, ...]
) -> None:
    d = load_scene().denoise(pattern(*sides) * max(sigma, 0.5), sigma, label)[0]
    found = [d.mean(), d.std(), d[0, 0, 0], d[1, 20, 30], d[2, -1, -1]]
    torch.testing.assert_close(torch.stack(found), torch.tensor(expected), rtol=0, atol=2e-5)


def test_an_image_is_denoised_alone_as_in_a_batch() -> None:
    prior = ScenePrior(tiny())
    x = torch.randn(3, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    sigma, label = torch.tensor([0.1, 1.0, 30.0]), torch.tensor([0, 2, 5])
    whole = prior.denoise(x, sigma, label)
    for k in range(3):
        alone = prior.denoise(x[k : k + 1], float(sigma[k]), CLASSES[int(label[k])])
        torch.testing.assert_close(alone[0], whole[k])


def test_labels_of_images_are_repeated_over_draws() -> None:
    prior = ScenePrior(tiny())
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = prior.denoiser(torch.tensor([1, 3]))(x, torch.ones(4))
    torch.testing.assert_close(found, prior.denoise(x, 1.0, torch.tensor([1, 3, 1, 3])))
    assert not torch.allclose(found, prior.denoise(x, 1.0))


def test_double_precision_and_bfloat16_are_near() -> None:
    prior = load_scene()
    x = pattern(32, 32)
    exact = load_scene(dtype=torch.float64).denoise(x.double(), 0.4, "bedroom")
    assert exact.dtype == torch.float64
    torch.testing.assert_close(prior.denoise(x, 0.4, "bedroom").double(), exact, rtol=0, atol=1e-5)
    rough = load_scene(precision="bfloat16").denoise(x, 0.4, "bedroom")
    assert rough.dtype == torch.float32
    assert 0 < float((rough - exact).square().mean().sqrt()) < 5e-3


def test_an_untrained_network_leaves_what_the_preconditioning_keeps() -> None:
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([0.5, 3.0])
    found = ScenePrior(SceneUNet((8, 16), (1, 1), (False, True), embedding=16).eval()).denoise(x, sigma)
    torch.testing.assert_close(found, x * (0.25 / (0.25 + sigma.square()))[:, None, None, None])


def test_the_preconditioning_keeps_unit_variance() -> None:
    """Of the network's input, and of its target if D is to be x₀: Karras et al. 2022, appendix B.6."""
    sigma = torch.tensor([0.01, 0.5, 2.0, 80.0], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    x0 = 0.5 * torch.randn(4, 1, 400, 400, generator=generator, dtype=torch.float64)
    x = x0 + sigma[:, None, None, None] * torch.randn(x0.shape, generator=generator, dtype=torch.float64)
    skip, out = output_scales(sigma)
    for each in (input_scale(sigma) * x, (x0 - skip * x) / out):
        torch.testing.assert_close(each.var(dim=(1, 2, 3)), torch.ones_like(sigma), rtol=0.02, atol=0)


def test_the_norm_is_group_norm_scaled_and_shifted() -> None:
    norm = ScaledNorm(24).double()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = 2 * torch.randn(2, 24, 3, 5, dtype=torch.float64) + 1
    embedding = torch.randn(2, 48, dtype=torch.float64)
    scale, shift = (each[..., None, None] for each in embedding.chunk(2, dim=1))
    plain = F.group_norm(x, norm.groups, norm.weight, norm.bias, 1e-5)
    torch.testing.assert_close(norm(x), F.silu(plain))
    torch.testing.assert_close(norm(x, embedding), F.silu(plain * (1 + scale) + shift))


def test_every_weight_and_input_matters() -> None:
    network = tiny().requires_grad_(True)
    x = torch.randn(2, 3, 8, 8)
    given = torch.tensor([0.1, 0.5]), torch.tensor([1, 2]), torch.rand(2, CHANGES)
    network(x, *given).square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert bool(weight.grad.any()), name


def test_the_derivative_reaches_the_image() -> None:
    prior = ScenePrior(tiny().double())
    x = torch.randn(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: prior.denoise(z, 0.7, "houses"), x)


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    prior = ScenePrior(tiny())
    with pytest.raises(SuiteError, match=r"unknown class of scenes 'churches'\. Did you mean church "):
        prior.denoise(torch.zeros(1, 3, 8, 8), 1.0, "churches")
    for shape in ((1, 1, 8, 8), (1, 3, 9, 8), (3, 8, 8)):
        with pytest.raises(ValueError, match=r"multiples of 2, not") as caught:
            prior.denoise(torch.zeros(shape), 1.0)
        assert "\n" not in str(caught.value)
    with pytest.raises(SuiteError, match=r"bigprior\.train scene") as missing:
        load_scene(file=tmp_path / "none.safetensors")
    save_file({"head.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(SuiteError, match="is not the network of the scene prior") as other:
        load_scene(file=tmp_path / "other.safetensors")
    for error in (missing, other):
        assert "\n" not in str(error.value)


def script_names(network: SceneUNet) -> dict[str, Tensor]:
    """The weights of a network under the script's names, made from the table of names backwards."""
    backwards = [
        (text, pattern.strip("^$").replace("\\", "")) for pattern, text in sorted(NAMES, key=lambda pair: -len(pair[1]))
    ]
    found = {}
    for name, tensor in network.state_dict().items():
        key = name
        for ours, theirs in backwards:
            start = not ours.startswith(".")
            key = theirs + key[len(ours) :] if start and key.startswith(ours) else key
            key = key if start else key.replace(ours, theirs)
        found[key] = tensor
    return found


def test_parts_of_a_checkpoint_are_put_together(tmp_path: Path) -> None:
    network = SceneUNet()
    parts = list(script_names(network).items())
    assert {"inp.weight", "cls", "down.2.1.attn.qkv.weight", "mid.n2.bias", "skip.3.0.weight"} <= dict(parts).keys()
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for file, part in zip(files, (parts[:90], parts[90:]), strict=True):
        save_file({name: tensor.half().contiguous() for name, tensor in part}, file)
    found = read_parts(files)
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == shapes_of(network)
    for name, tensor in network.state_dict().items():
        assert torch.equal(found[name], tensor.half()), name
    with pytest.raises(SuiteError, match="is not the network of the scene prior"):
        read_parts(files[:1])
    assert renamed({"us.0.weight": torch.zeros(1)}).keys() == {"enlarge.0.weight"}


def test_the_file_has_half_precision() -> None:
    assert WEIGHTS.stat().st_size < 2 * 11.4e6
