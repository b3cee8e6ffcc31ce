"""Several priors on the simplex, and φ that sees how far draws spread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bigprior.fusion import fuse
from bigprior.phi.simplex import as_one, fuse_many, on_the_simplex
from bigprior.phi.with_spread import Evidence, Example, SpreadPhi, describe, features, load_spread, solve, to_bytes
from datasets.errors import SuiteError


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


F, G, SCORES = drawn(2, 3, 7, 9), drawn(4, 2, 3, 7, 9, seed=1), drawn(4, 2, 1, 7, 9, seed=2)


def test_one_prior_is_the_fusion_of_bigprior() -> None:
    phi = torch.rand(1, 2, 1, 7, 9, dtype=torch.float64)
    assert torch.equal(fuse_many(F, G[:1], phi), fuse(F, G[0], phi[0]))
    one = as_one(F, G[:1], phi)
    assert one.phi is not None
    assert torch.equal(one.phi, phi[0])
    torch.testing.assert_close(one.image, fuse(F, G[0], phi[0]))
    torch.testing.assert_close(on_the_simplex(SCORES[:1]), SCORES[:1].clamp(0, 1))


def test_many_priors_are_one_with_the_sum_of_their_shares() -> None:
    phi = on_the_simplex(SCORES)
    assert bool((phi.sum(dim=0) > 0).any())
    assert bool((phi.sum(dim=0) == 0).any()), "f alone somewhere"
    one = as_one(F, G, phi)
    torch.testing.assert_close(one.image, fuse_many(F, G, phi))
    torch.testing.assert_close(one.recompose(), one.image)
    assert one.phi is not None
    assert one.prior is not None
    assert float(one.phi.max()) <= 1
    torch.testing.assert_close(one.phi, phi.sum(dim=0))
    low, high = G.amin(dim=0), G.amax(dim=0)
    assert bool(((one.prior >= low - 1e-12) & (one.prior <= high + 1e-12)).all()), "g is between the priors"


def test_without_shares_the_data_remain() -> None:
    nothing = torch.zeros_like(SCORES)
    assert torch.equal(fuse_many(F, G, nothing), F)
    one = as_one(F, G, nothing)
    assert torch.equal(one.image, F)
    assert one.prior is not None
    assert bool(torch.isfinite(one.prior).all())


@pytest.mark.parametrize("scale", [0.1, 1, 10])
def test_the_point_of_the_simplex_is_the_nearest(scale: float) -> None:
    """z − φ makes no acute angle with any direction into the simplex: its corners are 0 and the unit vectors."""
    z = scale * SCORES
    phi = on_the_simplex(z)
    assert float(phi.min()) >= 0
    assert float(phi.sum(dim=0).max()) <= 1 + 1e-12
    inner = ((z - phi) * phi).sum(dim=0)
    for corner in (torch.zeros_like(z), *(torch.zeros_like(z).index_fill(0, torch.tensor([k]), 1.0) for k in range(4))):
        assert float((((z - phi) * corner).sum(dim=0) - inner).max()) <= 1e-9
    torch.testing.assert_close(on_the_simplex(phi), phi)


def evidence(k: int, variance: float, seed: int = 0, hole: bool = False) -> tuple[Tensor, Evidence]:
    """x, and evidence: f is wrong by 0.1, the mean of two draws with the variance, and a second prior by 0.05."""
    x = 0.5 + 0.1 * drawn(1, 3, 40, 44, seed=seed)
    f = x + 0.1 * drawn(*x.shape, seed=seed + 100)
    mean = x + (variance / 2) ** 0.5 * drawn(*x.shape, seed=seed + 200)
    other = x + 0.05 * drawn(*x.shape, seed=seed + 300)
    free = torch.ones(1, 1, 40, 44, dtype=torch.float64)
    if hole:
        free[..., :20] = 0
    spread = torch.stack([torch.full_like(free, variance), torch.zeros_like(free)])[:k]
    draws = torch.tensor([2, 1])[:k]
    return x, Evidence(f, torch.stack([mean, other])[:k], spread, draws, free, torch.zeros(1, dtype=torch.float64))


def learned(k: int) -> SpreadPhi:
    examples = []
    for seed, variance in enumerate(np.linspace(0.002, 0.06, 12)):
        x, given = evidence(k, float(variance), seed)
        examples.append(Example(x, given))
    return solve(examples, 1e-4)


@pytest.mark.parametrize("variance", [0.004, 0.02, 0.05])
def test_the_more_draws_spread_the_less_they_are_trusted(variance: float) -> None:
    """With independent errors the best share of g is e_f²/(e_f² + e_g²), e_f² = 0.01 and e_g² = v/2."""
    _, given = evidence(1, variance, seed=50)
    phi = learned(1)(given)
    assert phi.shape == (1, 1, 1, 40, 44)
    assert float(phi.mean()) == pytest.approx(0.01 / (0.01 + variance / 2), abs=0.05)


def test_of_two_priors_each_has_its_share() -> None:
    """With independent errors the shares of the best mixture are as the inverse squared errors."""
    x, given = evidence(2, 0.02, seed=51)
    phi = learned(2)(given)
    inverse = np.array([1 / 0.01, 1 / 0.01, 1 / 0.0025])
    wanted = inverse[1:] / inverse.sum()
    np.testing.assert_allclose(phi.mean(dim=(1, 2, 3, 4)).numpy(), wanted, atol=0.06)
    error = (fuse_many(given.fidelity, given.priors, phi) - x).square().mean()
    assert float(error) < 0.0022
    one = learned(1)(replace(given, priors=given.priors[:1], variance=given.variance[:1], draws=given.draws[:1]))
    assert float(error) < float((fuse_many(given.fidelity, given.priors[:1], one) - x).square().mean())


def test_observed_pixels_stay_data_and_do_not_speak_for_the_hole() -> None:
    phi = learned(1)
    _, given = evidence(1, 0.02, seed=52, hole=True)
    inside = phi(given)
    assert float(inside[..., :20].abs().max()) == 0
    assert float(inside[..., 20:].min()) > 0
    priors = given.priors.clone()
    priors[..., :20] += 5.0
    assert torch.equal(phi(replace(given, priors=priors)), inside)
    nothing = replace(given, free=torch.zeros_like(given.free))
    assert float(phi(nothing).abs().max()) == 0
    assert describe(nothing).isfinite().all()


def test_a_batch_is_one_by_one_and_the_file_keeps_it(tmp_path: Path) -> None:
    phi = learned(2)
    (_, a), (_, b) = evidence(2, 0.004, seed=53), evidence(2, 0.05, seed=54)
    both = Evidence(
        torch.cat([a.fidelity, b.fidelity]),
        torch.cat([a.priors, b.priors], dim=1),
        torch.cat([a.variance, b.variance], dim=1),
        a.draws,
        torch.cat([a.free, b.free]),
        torch.cat([a.sigma, b.sigma]),
    )
    together = phi(both)
    for n, one in enumerate((a, b)):
        torch.testing.assert_close(together[:, n : n + 1], phi(one), rtol=0, atol=1e-6)
    file = tmp_path / "phi.safetensors"
    file.write_bytes(to_bytes(phi))
    assert torch.equal(load_spread(file, 2)(both), together)
    with pytest.raises(SuiteError, match=r"phi\.safetensors"):
        load_spread(file, 1)
    assert describe(a).shape[1] == features(2) == 11
