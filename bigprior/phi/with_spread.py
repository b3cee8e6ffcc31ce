"""φ that sees how far draws spread: linear in what f, the priors and their variances look like, by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from bigprior.checkpoints import filled, read_safetensors
from bigprior.phi.loss import FLOOR
from bigprior.phi.simplex import on_the_simplex

WINDOW, WIDE = 9, 33
"""Sides of the squares in which errors are averaged, and in which the depth of a hole is told."""
LEAST = 1e-5
"""Added to mean squares, on the [0,1] scale squared: about a level of 8 bit."""
OF_EACH = 4
"""Features of a prior."""
SIGMA_SCALE = 4.0


@dataclass(frozen=True)
class Evidence:
    """What is known where priors and data are to be weighed.

    Attributes:
        fidelity: f (N,C,H,W).
        priors: g (K,N,C,H,W).
        variance: over the draws of each prior (K,N,1,H,W), 0 of one that does not draw.
        draws: of each prior, whose mean g is (K,); 1 of one that does not draw.
        free: (N,1,H,W), 1 where the data leave room for a prior and 0 where they are exact.
        sigma: (N,) on the [0,1] scale.
    """

    fidelity: Tensor
    priors: Tensor
    variance: Tensor
    draws: Tensor
    free: Tensor
    sigma: Tensor


@dataclass(frozen=True)
class Example:
    """Evidence of single images, and the truth x (1,C,H,W)."""

    clean: Tensor
    evidence: Evidence


class SpreadPhi(nn.Module):
    """φ = the point of {φ ≥ 0, Σ_k φ_k ≤ 1} nearest to B z + b, at every pixel that is free; 0 at others.

    z are the features of `describe`. One of them is v/K over |g − f|², v the variance over K draws: their mean is wrong
    by v/K by chance alone, and 1 − (v/K)/|g − f|² is how far James and Stein would go from f to it. What v says of the
    rest of the error is learned.

    Args:
        priors: K.
    """

    mean: Tensor
    deviation: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, priors: int) -> None:
        super().__init__()
        count = features(priors)
        for name, shape in (("mean", (count,)), ("deviation", (count,)), ("weight", (priors, count))):
            self.register_buffer(name, torch.ones(shape))
        self.register_buffer("bias", torch.zeros(priors))

    def forward(self, evidence: Evidence) -> Tensor:
        """Return φ (K,N,1,H,W), in the dtype of f."""
        z = (describe(evidence) - self.mean.view(-1, 1, 1)) / self.deviation.view(-1, 1, 1)
        scores = torch.einsum("kf,nfhw->knhw", self.weight, z) + self.bias.view(-1, 1, 1, 1)
        phi = on_the_simplex(scores).unsqueeze(2)
        return phi.to(evidence.fidelity.dtype) * evidence.free


def features(priors: int) -> int:
    """Return the length of z for so many priors."""
    return OF_EACH * priors + priors * (priors - 1) // 2 + 2


def describe(evidence: Evidence) -> Tensor:
    """Return z (N,`features`,H,W), in single precision.

    Of each prior, from means over the free pixels of a square: |g − f|, the standard deviation √v, and the shares
    (v/K)/(|g − f|² + v/K) and v/(|g − f|² + v). Of each pair of priors the cosine between g_k − f and g_l − f. Last σ,
    and the free share of a wide square.
    """
    free = evidence.free.float()
    apart = (evidence.priors - evidence.fidelity).float()
    maps = []
    for difference, variance, draws in zip(apart, evidence.variance.float(), evidence.draws.tolist(), strict=True):
        distance = _local(difference.square().mean(dim=1, keepdim=True), free)
        spread = _local(variance, free)
        chance = spread / draws
        maps += [
            (distance + LEAST).sqrt(),
            (spread + LEAST).sqrt(),
            chance / (distance + chance + LEAST),
            spread / (distance + spread + LEAST),
        ]
    for k in range(len(apart)):
        for other in apart[:k]:
            product, mine, yours = (
                _local((a * b).mean(dim=1, keepdim=True), free)
                for a, b in ((apart[k], other), (apart[k], apart[k]), (other, other))
            )
            maps.append(product / ((mine + LEAST) * (yours + LEAST)).sqrt())
    level = (SIGMA_SCALE * evidence.sigma.float()).view(-1, 1, 1, 1).expand_as(free)
    return torch.cat([*maps, level, _pooled(free, WIDE)], dim=1)


def _pooled(values: Tensor, side: int) -> Tensor:
    return avg_pool2d(values, side, stride=1, padding=side // 2, count_include_pad=False)


def _local(values: Tensor, free: Tensor) -> Tensor:
    """Return the mean over the free pixels of a square, 0 where there are none."""
    return _pooled(values * free, WINDOW) / _pooled(free, WINDOW).clamp_min(1e-6)


def solve(examples: Sequence[Example], ridge: float) -> SpreadPhi:
    """Return the minimiser of the mean over images of ‖x − f − Σ_k φ_k (g_k − f)‖²/e + ridge ‖B‖², but for the bounds.

    e is the squared error of the best of f and the g_k: an easy image counts as much as a hard one. Features are
    standardised over the free pixels of all images. Both terms are relative to the mean of ‖g_k − f‖²/e over k.
    """
    priors = len(examples[0].evidence.priors)
    count = features(priors)
    total, square, pixels = torch.zeros(count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64), 0
    described = [_of_free(example.evidence) for example in examples]
    for z in described:
        total, square = total + z.double().sum(dim=0), square + z.double().square().sum(dim=0)
        pixels += len(z)
    mean = total / pixels
    deviation = (square / pixels - mean.square()).clamp_min(0).sqrt().clamp_min(1e-3)
    side = priors * (count + 1)
    normal, right = torch.zeros(side, side, dtype=torch.float64), torch.zeros(side, dtype=torch.float64)
    for example, z in zip(examples, described, strict=True):
        evidence, where = example.evidence, _where(example.evidence)
        z = torch.cat([(z - mean) / deviation, torch.ones(len(z), 1, dtype=torch.float64)], dim=1)
        missing = (example.clean - evidence.fidelity)[0].double().flatten(1)[:, where]
        apart = (evidence.priors - evidence.fidelity)[:, 0].double().flatten(2)[:, :, where]
        errors = [missing.square().mean(), *(missing - apart).square().mean(dim=(1, 2))]
        weight = 1 / (missing.numel() * max(float(min(errors)), FLOOR))
        for k in range(priors):
            rows = slice(k * (count + 1), (k + 1) * (count + 1))
            right[rows] += weight * (z.T @ (apart[k] * missing).sum(dim=0))
            for other in range(priors):
                columns = slice(other * (count + 1), (other + 1) * (count + 1))
                energy = weight * (apart[k] * apart[other]).sum(dim=0)
                normal[rows, columns] += (z * energy[:, None]).T @ z
    scale = normal.diagonal()[count :: count + 1].mean()
    penalty = torch.full((count + 1,), ridge, dtype=torch.float64)
    penalty[-1] = 1e-9  # of the bias
    found = torch.linalg.solve(normal / scale + penalty.repeat(priors).diag(), right / scale).view(priors, count + 1)
    phi = SpreadPhi(priors)
    state = {"mean": mean, "deviation": deviation, "weight": found[:, :-1], "bias": found[:, -1]}
    phi.load_state_dict({name: value.float() for name, value in state.items()})
    return phi


def _where(evidence: Evidence) -> Tensor:
    return evidence.free[0, 0].flatten() > 0


def _of_free(evidence: Evidence) -> Tensor:
    """Return z (pixels,features) of the free pixels of one image."""
    return describe(evidence)[0].flatten(1)[:, _where(evidence)].T


def to_bytes(phi: SpreadPhi) -> bytes:
    """Return it as a safetensors file."""
    return save({name: tensor.cpu().contiguous() for name, tensor in phi.state_dict().items()})


def load_spread(path: str | Path, priors: int) -> SpreadPhi:
    """Return what `to_bytes` wrote, on the CPU.

    Raises:
        SuiteError: there is no such file, or it is of another number of priors, or something else.
    """
    state = read_safetensors(path, "fit it with `python -m methods.fusion.fit_scene_phi`")
    return filled(lambda: SpreadPhi(priors), path, f"a linear φ of {priors} priors with spread", state)
