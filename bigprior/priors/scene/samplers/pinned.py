"""A step of the noise process whose observed components are pinned to the data at levels of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from bigprior.priors.scene.problem import LinearProblem

TRAVELLED = (0.2, 20.0)
"""Noise levels, on the [-1,1] scale, at which a sampler that goes back does so: at others nothing is decided."""


def decisive(strong: Tensor, weak: Tensor) -> Tensor:
    """Return of which images (N,) the step from `strong` to `weak` lies in `TRAVELLED`, and is not the last."""
    low, high = TRAVELLED
    return (low <= strong) & (strong <= high) & (weak > 0)


def travelled(problem: LinearProblem, strong: Tensor, weak: Tensor) -> Tensor:
    """Return of which images (N,) a decisive step is worth a repetition: some data still pin x at its beginning.

    Data that have acted (τ ≥ t) would be taken away again by noise.
    """
    pins = problem.filtered(torch.ones(problem.shape).to(problem.y), lambda tau, t: (tau < t).to(t), strong)
    return decisive(strong, weak) & (pins.abs().flatten(1).amax(dim=1) > 0)


def returned(x: Tensor, strong: Tensor, weak: Tensor, noise: Tensor) -> Tensor:
    """Return a state at `weak` with the noise that brings it back to `strong`; `noise` is white."""
    return x + _gap(strong, weak).sqrt()[:, None, None, None] * noise


def begun(problem: LinearProblem, level: Tensor, noise: Tensor) -> Tensor:
    """Return the state at the first level (N,): A⁺y and what its own noise lacks of it; noise where τ is over it."""
    known = problem.filtered(problem.project(torch.zeros_like(noise)), lambda tau, t: (tau <= t).to(t), level)
    return known + problem.filtered(noise, lambda tau, t: torch.where(tau <= t, _gap(t, tau).sqrt(), t), level)


def stepped(problem: LinearProblem, x: Tensor, guess: Tensor, strong: Tensor, weak: Tensor, noise: Tensor) -> Tensor:
    """Return the state at the level u = `weak`, given that at t = `strong` (N,).

    The process is x_t = x₀ + t n, and A⁺y is one state of it: that at t = τ of each component. A step is a Brownian
    bridge (in the variance t²) to a pin p whose own level is v:

        x_u = k x_t + (1 − k) p + √((u² − v²)(1 − k)) ε,   k = (u² − v²)/(t² − v²).

    As long as t > τ, a component is pinned at p = A⁺y, v = τ. Below, it has had all that y says and is pinned as
    unobserved ones are: at p = the guess, v = 0. A step across τ is one of each. So a known component (τ = 0) ends at
    its value, and if A = I the states have the law of the reverse process from y on.

    Args:
        guess: of x₀.
        noise: ε, white.

    Source: B. Kawar et al., "Denoising Diffusion Restoration Models", NeurIPS 2022 (components with levels of their
    own). Deviation: a bridge in place of an interpolation with two parameters.
    """
    data = problem.project(guess)
    parts = ((_kept, x), (_to_data, data), (_to_guess, guess), (_fresh, noise))
    moved = [problem.filtered(part, gain, strong, weak) for gain, part in parts]
    return moved[0] + moved[1] + moved[2] + moved[3]


def _gap(strong: Tensor, weak: Tensor) -> Tensor:
    """strong² − weak², at least 0."""
    return (strong.square() - weak.square()).clamp_min(0)


def _kept(tau: Tensor, t: Tensor, u: Tensor) -> Tensor:
    """Weight of x_t."""
    pinned = torch.where(tau <= u, _gap(u, tau) / _gap(t, tau), 0)
    return torch.where(tau < t, pinned, (u / t).square())


def _to_data(tau: Tensor, t: Tensor, u: Tensor) -> Tensor:
    """Weight of A⁺y."""
    pinned = torch.where(tau <= u, 1 - _kept(tau, t, u), (u / tau).square())
    return torch.where(tau < t, pinned, 0)


def _to_guess(tau: Tensor, t: Tensor, u: Tensor) -> Tensor:
    """Weight of the guess."""
    return torch.where((tau < t) & (tau <= u), 0, 1 - _kept(tau, t, u) - _to_data(tau, t, u))


def _fresh(tau: Tensor, t: Tensor, u: Tensor) -> Tensor:
    """Weight of ε."""
    along = (_gap(u, tau) * (1 - _kept(tau, t, u))).sqrt()
    across = u * (1 - _to_data(tau, t, u)).sqrt()
    return torch.where(tau < t, torch.where(tau <= u, along, across), u * (1 - (u / t).square()).clamp_min(0).sqrt())
