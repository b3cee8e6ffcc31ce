"""Our φ-network and its losses."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from bigprior.fusion import fuse
from bigprior.phi import network as module
from bigprior.phi.loss import PAPER_WEIGHT, better_error, gain_loss, image_mse, paper_loss, relative_loss
from bigprior.phi.network import LOGIT_LIMIT, PhiConfig, PhiNetwork, load_phi, to_bytes
from bigprior.tiles import tiled
from datasets.errors import SuiteError

CONFIGS = [
    PhiConfig("denoise"),
    PhiConfig("colorize", (16, 24, 32), scale=4),
    PhiConfig("inpaint-center", hole_only=True),
]


def inputs(size: tuple[int, int] = (33, 47), count: int = 2, channels: int = 3, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    f, g = (torch.rand(count, channels, *size, generator=generator) for _ in range(2))
    mask = (torch.rand(count, 1, *size, generator=generator) < 0.7).float()
    return [f, g, mask, 0.2 * torch.rand(count, generator=generator)]


def trained(config: PhiConfig, gain: float = 0.3) -> PhiNetwork:
    """A network with random weights everywhere, as training would leave it."""
    torch.manual_seed(5)
    network = PhiNetwork(config)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(
                gain * torch.randn_like(p) / max(1, p[0].numel()) ** 0.5 if p.ndim > 1 else 0.1 * torch.randn_like(p)
            )
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_an_untrained_network_says_half(config: PhiConfig) -> None:
    f, g, mask, sigma = inputs()
    phi = PhiNetwork(config)(f, g, mask, sigma)
    expected = 0.5 * (1 - mask) if config.hole_only else torch.full_like(mask, 0.5)
    assert torch.equal(phi, expected)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("size", [(33, 47), (16, 16), (70, 16)], ids=str)
def test_phi_is_bounded_whatever_the_weights_are(config: PhiConfig, size: tuple[int, int]) -> None:
    phi = trained(config, gain=30.0)(*inputs(size))
    assert phi.shape == (2, 1, *size)
    limit = torch.sigmoid(torch.tensor(LOGIT_LIMIT))
    assert phi.max() <= limit
    assert phi.max() > 0.9, "the bounds are reached"
    if not config.hole_only:
        assert phi.min() >= 1 - limit


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_tiles_give_the_result_of_the_whole(config: PhiConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    network = trained(config).double()
    multiple = network.multiple
    far = -(-network.radius // multiple) * multiple
    given = [x.double() for x in inputs((9, 2 * far + 4 * multiple + 5))]
    whole, calls = network(*given), list[int]()

    def small(part: Callable[..., Tensor], *images: Tensor, **options: int) -> Tensor:
        def counted(*pieces: Tensor) -> Tensor:
            calls.append(1)
            return part(*pieces)

        return tiled(counted, *images, **options | {"tile": 2 * far + multiple})

    monkeypatch.setattr(module, "tiled", small)
    torch.testing.assert_close(network(*given), whole, rtol=0, atol=1e-12)
    assert len(calls) > 2


def test_observed_pixels_are_left_alone_where_only_holes_are_filled() -> None:
    f, g, mask, sigma = inputs()
    phi = trained(CONFIGS[2])(f, g, mask, sigma)
    assert torch.equal(fuse(f, g, phi)[mask.expand_as(f) == 1], f[mask.expand_as(f) == 1])
    assert (phi[mask == 0] > 0).all()


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_batch_equals_one_by_one(config: PhiConfig) -> None:
    network, batch = trained(config), inputs(count=3)
    together = network(*batch)
    for n in range(3):
        torch.testing.assert_close(together[n : n + 1], network(*(x[n : n + 1] for x in batch)), rtol=0, atol=1e-6)


def test_precision_of_the_input_is_kept_and_gray_is_taken() -> None:
    network, batch = trained(CONFIGS[0]), inputs(channels=1)
    phi = network(*batch)
    double = network(*(x.double() for x in batch))
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), phi, rtol=0, atol=1e-6)
    colour = [batch[0].expand(-1, 3, -1, -1), batch[1].expand(-1, 3, -1, -1), *batch[2:]]
    assert torch.equal(network(*colour), phi)


def test_every_input_counts() -> None:
    network, batch = trained(CONFIGS[0]), inputs(count=1)
    for place, changed in enumerate(inputs(count=1, seed=1)):
        other = [changed if place == i else x for i, x in enumerate(batch)]
        assert (network(*other) - network(*batch)).abs().max() > 1e-3


def test_a_network_survives_its_file(tmp_path: Path) -> None:
    network = trained(CONFIGS[1])
    path = tmp_path / "phi.safetensors"
    path.write_bytes(to_bytes(network))
    again = load_phi(path)
    assert again.config == network.config
    torch.testing.assert_close(again(*inputs()), network(*inputs()), rtol=0, atol=5e-3)
    assert not any(p.requires_grad for p in again.parameters())
    assert to_bytes(again) == path.read_bytes(), "half precision loses nothing a second time"


def test_the_largest_default_is_under_a_megabyte() -> None:
    assert len(to_bytes(PhiNetwork(CONFIGS[0]))) < 1_000_000


def test_files_that_are_no_phi_network(tmp_path: Path) -> None:
    path = tmp_path / "phi.safetensors"
    with pytest.raises(SuiteError, match=r"is not there: train it with `python -m bigprior\.train phi`"):
        load_phi(path)
    path.write_bytes(b"nothing")
    with pytest.raises(SuiteError, match="is no safetensors file"):
        load_phi(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(SuiteError, match="is no φ-network"):
        load_phi(path)
    state = PhiNetwork(CONFIGS[1]).state_dict()
    state["elsewhere"] = state.pop("enter.weight")
    metadata = {"config": '{"task": "colorize", "widths": [16, 24, 32], "scale": 4, "hole_only": false}'}
    save_file(state, path, metadata=metadata)
    with pytest.raises(SuiteError, match=r"first: 'elsewhere'.*first: 'enter\.weight'"):
        load_phi(path)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ('{"task": "a", "widths": [16000, 16000]}', "widths of a φ-network are 1 to 6 numbers, each 1 to 1024"),
        ('{"task": "a", "widths": [' + "8," * 99_999 + "8]}", "widths of a φ-network"),
        ('{"task": "a", "widths": [8], "scale": 100000}', "scale of a φ-network is 1 to 64"),
        ('{"task": "a", "widths": [8.0]}', "TypeError"),
        ('{"task": "a", "widths": [8], "depth\\u001b[31m": 1}', "TypeError"),
        ("[" * 100_000, "RecursionError"),
        # In its ranges, but not in the file: 1.8 GB are not made for it.
        ('{"task": "a", "widths": [1024, 1024, 1024, 1024, 1024, 1024]}', "are missing"),
    ],
)
def test_a_configuration_costs_nothing_before_it_is_known_to_be_right(tmp_path: Path, config: str, why: str) -> None:
    path = tmp_path / "phi.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata={"config": config})
    began = time.process_time()
    with pytest.raises(SuiteError, match=why) as caught:
        load_phi(path)
    assert time.process_time() - began < 1
    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable(), "one line"


def test_losses_are_their_formulas() -> None:
    f, g, _, _ = inputs()
    clean, image = inputs(seed=2)[:2]
    phi = inputs(seed=3)[2]
    mse = ((image - clean) ** 2).reshape(2, -1).mean(1)
    torch.testing.assert_close(image_mse(image, clean), mse)
    better = torch.stack([((f - clean) ** 2).reshape(2, -1).mean(1), ((g - clean) ** 2).reshape(2, -1).mean(1)]).min(0)[
        0
    ]
    torch.testing.assert_close(better_error(clean, f, g), better)
    expected = ((image - clean) ** 2).mean() + PAPER_WEIGHT * phi.mean()
    torch.testing.assert_close(paper_loss(image, clean, phi, better), expected)
    torch.testing.assert_close(paper_loss(clean, clean, -phi, better), PAPER_WEIGHT * phi.mean())
    torch.testing.assert_close(relative_loss(image, clean, phi, better), (mse / better).mean())
    torch.testing.assert_close(gain_loss(image, clean, phi, better), (10 * (mse / better).log10()).mean())


@pytest.mark.parametrize(("loss", "even"), [(relative_loss, 1.0), (gain_loss, 0.0)])
def test_relative_losses_know_the_better_part_and_no_unit(loss: object, even: float) -> None:
    assert callable(loss)
    clean, noise = inputs(seed=4)[:2]
    f, g = clean + 0.1 * noise, clean - 0.3 * noise
    better = better_error(clean, f, g)
    phi = torch.zeros_like(clean[:, :1])
    assert float(loss(f, clean, phi, better)) == pytest.approx(even, abs=1e-5)
    assert float(loss(g, clean, phi, better)) > even + 0.5
    # 3/4 f + 1/4 g is exact.
    assert float(loss(fuse(f, g, phi + 0.2), clean, phi, better)) < even - 0.5
    small = better_error(0.1 * clean, 0.1 * f, 0.1 * g)
    assert float(loss(0.1 * g, 0.1 * clean, phi, small)) == pytest.approx(float(loss(g, clean, phi, better)), rel=1e-4)


def test_an_exact_part_does_not_divide_by_zero() -> None:
    clean, other = inputs()[:2]
    better = better_error(clean, clean, other)
    for loss in (relative_loss, gain_loss):
        assert torch.isfinite(loss(other, clean, other[:, :1], better))
