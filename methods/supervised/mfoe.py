"""MFoE: a field of experts of several filters each, its authors' weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import linear

from bigprior.checkpoints import check_shapes
from bigprior.fusion import Restoration
from bigprior.precision import computing
from datasets.observation import Observation
from datasets.spec import Within
from methods.base import noise_level
from methods.supervised._descent import minimised
from methods.supervised._filters import Filters, filter_shapes
from methods.supervised._nested import read_nested
from methods.supervised._published import Published

SIGMA_MAX = 51
"""The highest noise level of the training, on the 0–255 scale."""
TOGETHER, EXPERTS = 4, 15
"""Filters of an expert, and how many experts there are."""
BELOW_ONE = 0.999
SHAPES: dict[str, tuple[int, ...]] = {
    "lamb": (),
    "Q_param": (EXPERTS, TOGETHER, TOGETHER),
    "taus": (1, 1, EXPERTS, 1, 1),
    **filter_shapes((1, 4, 8, TOGETHER * EXPERTS), (3, 5, 5)),
    "mu.0.weight": (EXPERTS, 1),
    "mu.0.bias": (EXPERTS,),
    "mu.2.weight": (EXPERTS, EXPERTS),
    "mu.2.bias": (EXPERTS,),
    "mu.4.weight": (EXPERTS, EXPERTS),
    "mu.4.bias": (EXPERTS,),
}


@dataclass(frozen=True, eq=False)
class Experts:
    """R(x) = Σ_k a_k² Σ_i ψ_k(u_{k,i} / a_k) at one noise level, u_{k,i} the responses of the 4 filters of expert k.

    ψ_k(v) = λ (M(v) − n_k² τ_k M(Q_k v / (n_k² τ_k))), M the Moreau envelope of the largest absolute value, n_k the
    norm of Q_k: ∇M(v) is the projection of v onto the unit ball of the 1-norm. So ∇ψ_k has slopes of at most λ.
    """

    filters: Filters
    strength: float
    """λ."""
    mixing: Tensor
    """Q_k (15,4,4)."""
    tau: Tensor
    """n_k² τ_k (15,1,1)."""
    scales: Tensor
    """a_k (15,1,1)."""

    def responses(self, x: Tensor) -> Tensor:
        """Return the responses u/a (N,4,15,H,W)."""
        return self.filters(x).unflatten(1, (TOGETHER, EXPERTS)) / self.scales

    def mixed(self, v: Tensor) -> Tensor:
        """Return Q_k v / (n_k² τ_k)."""
        return torch.einsum("klg,ngkhw->nlkhw", self.mixing, v) / self.tau

    def gradient(self, x: Tensor) -> Tensor:
        """Return ∇R(x), images (N,1,H,W)."""
        v = self.responses(x)
        concave = torch.einsum("klg,nlkhw->ngkhw", self.mixing, projected(self.mixed(v)))
        return self.filters.adjoint(((projected(v) - concave) * (self.strength * self.scales)).flatten(1, 2))

    def energy(self, x: Tensor) -> Tensor:
        """Return R(x) (N,)."""
        v = self.responses(x)
        psi = self.strength * (envelope(v) - self.tau * envelope(self.mixed(v)))
        return (psi * self.scales.square()).flatten(1).sum(dim=1)


def projected(v: Tensor) -> Tensor:
    """Return the points nearest to v (N,4,…) in the ball Σ|p| ≤ 1 over the second axis.

    p = sign(v) max(|v| − θ, 0), θ = max(0, max_j (s_j − 1)/j), s_j the sum of the j largest |v|.

    Source: J. Duchi, S. Shalev-Shwartz, Y. Singer and T. Chandra, "Efficient Projections onto the l1-Ball for Learning
    in High Dimensions", ICML 2008.
    """
    size = v.abs()
    largest = list(size.unbind(dim=1))
    # A network of comparisons on whole maps: `sort` along an axis of four is slower.
    for first in (0, 1) * (len(largest) // 2):
        for k in range(first, len(largest) - 1, 2):
            a, b = largest[k], largest[k + 1]
            largest[k], largest[k + 1] = torch.maximum(a, b), torch.minimum(a, b)
    total = -torch.ones_like(largest[0])
    theta = torch.zeros_like(total)
    for j, each in enumerate(largest, start=1):
        total = total + each
        theta = torch.maximum(theta, total / j)
    return v.sign() * (size - theta[:, None]).clamp_(min=0)


def envelope(v: Tensor) -> Tensor:
    """Return M(v) = min_p max|v − p| + ½‖p‖² over the second axis, attained at the projection."""
    p = projected(v)
    return (v - p).abs().amax(dim=1) + p.square().sum(dim=1) / 2


@dataclass(frozen=True)
class MFoE(Published):
    """x̂ = argmin_x ½‖x − y‖² + R_σ(x) for gray images: a field of 15 experts, each of four filters 11×11, learned.

    `Experts` has R_σ. One network for σ up to 51 on the 0–255 scale. σ is the observation's, or in blind denoising
    estimated from y; where it is 0 the image is y, and an image with more noise is made darker until the noise is 51.
    The channels of a colour image are taken one by one. Found by accelerated gradient descent with the step 1/(1 + λ).

    No φ: at the minimiser y − x̂ = ∇R(x̂), but the filters of an expert answer together, so that there is no weight
    of a response with which ∇R(x̂) = Wᵀ D W x̂, D ≥ 0 diagonal, would hold (compare `RidgeRegularised`).

    Args:
        tolerance: the descent ends once a step changes x by less than this share of its norm; the authors' is 1e-4.

    Source: S. Ducotterd and M. Unser, "Multivariate Fields of Experts", arXiv 2025; weights `MFoE_groupsize_4` of
    github.com/StanislasDucotterd/MFoE. Deviation: the momentum starts again where it points uphill, the authors' where
    the energy rises.
    """

    name: ClassVar[str] = "mfoe"
    summary: ClassVar[str] = "multivariate fields of experts, published weights for σ 0–51 (over it: image scaled)"
    citation: ClassVar[str] = "S. Ducotterd and M. Unser, Multivariate fields of experts, arXiv 2025"
    file: ClassVar[str] = "StanislasDucotterd-MFoE/trained_models/MFoE_groupsize_4/checkpoints/checkpoint_5000.pth"
    uses_sigma: ClassVar[bool] = True
    on_request: ClassVar[str | None] = "takes up to a minute per 256×256 image on a CPU"

    tolerance: Annotated[float, Within(1e-8, 1e-2)] = 1e-4

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        levels = (noise_level(observation) * 255).repeat_interleave(y.shape[1]).tolist()
        with computing(self.precision, y.device.type):
            planes = [
                self._plane(plane[None, None], level) for plane, level in zip(y.flatten(0, 1), levels, strict=True)
            ]
        return Restoration(torch.cat(planes).view_as(y))

    def _plane(self, y: Tensor, sigma: float) -> Tensor:
        """Return x̂ of a gray image (1,1,H,W)."""
        if sigma <= 0:
            return y
        scale = min(1.0, SIGMA_MAX / sigma)
        file = self.weights_here()
        experts = experts_of(_found(file), _filters(file, y.dtype, y.device), scale * sigma / 255)
        seen = scale * y
        step = 1 / (1 + experts.strength)
        return minimised(lambda z: z - seen + experts.gradient(z), seen, step, self.tolerance) / scale


def experts_of(found: Mapping[str, Tensor], filters: Filters, sigma: float) -> Experts:
    """Return the regulariser of a checkpoint at σ on the [0,1] scale."""
    mixing = found["Q_param"].double()
    mixing = mixing / mixing.abs().sum(dim=2, keepdim=True).clamp(min=1)
    norms = torch.linalg.matrix_norm(mixing, ord=2).view(-1, 1, 1)
    tau = found["taus"].double().relu().exp().view(-1, 1, 1)
    h = torch.full((1,), 20 * sigma - 2, dtype=torch.float64)
    for k in (0, 2, 4):
        h = linear(h.relu() if k else h, found[f"mu.{k}.weight"].double(), found[f"mu.{k}.bias"].double())
    scales = (0.05 * h + sigma).relu() * 0.01 + 1e-9
    like = filters.kernels[0]
    return Experts(
        filters,
        float(found["lamb"].double().exp()),
        (BELOW_ONE * mixing).to(like),
        (norms.square() * tau).to(like),
        scales.view(-1, 1, 1).to(like),
    )


@cache
def _found(file: Path) -> dict[str, Tensor]:
    found = read_nested(file, "state_dict")
    check_shapes(file, f"a field of {EXPERTS} experts of {TOGETHER} filters", found, SHAPES)
    return found


@cache
def _filters(file: Path, dtype: torch.dtype, device: torch.device) -> Filters:
    return Filters.of(_found(file), dtype, device)
