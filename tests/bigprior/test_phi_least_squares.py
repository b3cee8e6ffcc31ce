"""φ in closed form: it finds what it should, is the minimiser, and says of every size a share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bigprior.domains import LumaChroma
from bigprior.phi.least_squares import CELL, FEATURES, LinearPhi, describe, load_linear, solve, to_bytes
from bigprior.phi.train import Pair
from datasets.errors import SuiteError


def coloured(luma: Tensor, seed: int) -> Tensor:
    chroma = 0.1 * torch.randn(1, 2, *luma.shape[-2:], generator=torch.Generator().manual_seed(seed))
    return LumaChroma().synthesis(torch.cat([luma, chroma], dim=1))


def pair(share: float, seed: int, side: int = 48) -> Pair:
    """x is f + share (g − f), but for noise."""
    luma = 0.3 + 0.4 * torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(seed))
    f, g = coloured(luma, 2 * seed + 1), coloured(luma, 2 * seed + 2)
    x = f + share * (g - f)
    return Pair(x, f, g, torch.ones_like(luma), torch.zeros(1), torch.ones(1))


def bright(example: Pair, lift: float) -> Pair:
    return replace(example, clean=example.clean + lift, fidelity=example.fidelity + lift, prior=example.prior + lift)


def error(phi: LinearPhi, pairs: list[Pair]) -> float:
    """The mean of ‖x − f − φ (g − f)‖² over that of ‖g − f‖², with one φ in a cell and without its bounds."""
    above = below = 0.0
    for p in pairs:
        z = (describe(p.fidelity, p.prior) - phi.mean.view(-1, 1, 1)) / phi.deviation.view(-1, 1, 1)
        share = (torch.einsum("f,nfhw->nhw", phi.weight, z) + phi.bias).unsqueeze(1)
        share = share.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)
        d = p.prior - p.fidelity
        above += float((p.clean - p.fidelity - share * d).square().sum())
        below += float(d.square().sum())
    return above / below


def test_a_constant_share_is_found() -> None:
    pairs = [pair(0.7, seed) for seed in range(4)]
    phi = solve(pairs, ridge=1.0)
    for p in pairs:
        found = phi(p.fidelity, p.prior, p.mask, p.sigma)
        torch.testing.assert_close(found, torch.full_like(found, 0.7), rtol=0, atol=1e-3)


def test_it_learns_which_scenes_the_prior_knows() -> None:
    """The prior is right about bright images, the usual colours about dark ones."""
    pairs = [bright(pair(share, seed + 10 * k), 0.2 * k) for seed in range(6) for k, share in enumerate((0.0, 1.0))]
    phi = solve(pairs[:-2], ridge=0.01)
    dark, light = (float(phi(p.fidelity, p.prior, p.mask, p.sigma).mean()) for p in pairs[-2:])
    assert dark < 0.15
    assert light > 0.85


@pytest.mark.parametrize("ridge", [0.01, 1.0])
def test_it_is_the_minimiser(ridge: float) -> None:
    """Of error + ridge ‖w‖², which is convex: a step in any direction makes it larger."""
    pairs = [bright(pair(share, seed), share / 3) for seed, share in enumerate((0.2, 0.9, 0.4, 0.6))]
    phi = solve(pairs, ridge)
    least = error(phi, pairs) + ridge * float(phi.weight.square().sum())
    generator = torch.Generator().manual_seed(0)
    for _ in range(6):
        moved = LinearPhi()
        moved.load_state_dict(phi.state_dict())
        moved.weight += 0.05 * torch.randn(FEATURES, generator=generator)
        moved.bias += 0.05 * torch.randn((), generator=generator)
        assert error(moved, pairs) + ridge * float(moved.weight.square().sum()) > least


@pytest.mark.parametrize(("height", "width"), [(48, 48), (41, 67), (7, 5)])
def test_any_size_gets_a_share_that_no_other_image_changes(height: int, width: int) -> None:
    phi = solve([pair(0.5, seed) for seed in range(2)], ridge=0.1)
    phi.bias += 0.6
    luma = torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(0))
    f, g = coloured(luma[:1], 1), coloured(luma[1:], 2)
    both = phi(torch.cat([f, g]), torch.cat([g, f]), torch.ones_like(luma), torch.zeros(2))
    assert both.shape == (2, 1, height, width)
    assert 0 <= float(both.min()) <= float(both.max()) <= 1
    torch.testing.assert_close(phi(f, g, luma[:1], torch.zeros(1)), both[:1])


def test_a_file_gives_it_back_and_others_are_refused(tmp_path: Path) -> None:
    phi, file = solve([pair(0.3, 0)], ridge=1.0), tmp_path / "phi.safetensors"
    with pytest.raises(SuiteError, match="is not there"):
        load_linear(file)
    file.write_bytes(to_bytes(phi))
    for name, tensor in load_linear(file).state_dict().items():
        assert torch.equal(tensor, phi.state_dict()[name])
    file.write_bytes(b"nothing")
    with pytest.raises(SuiteError, match="safetensors"):
        load_linear(file)
