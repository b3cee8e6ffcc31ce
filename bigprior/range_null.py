"""What of an image its data could have told, and what they could not: the range–null split of a linear operator.

    x̂ = A⁺A x̂ + (I − A⁺A) x̂

A⁺ is the pseudo-inverse of the operator A of a task. P = A⁺A is the orthogonal projection on the range of Aᵀ, the part
of image space that y = A x sees; I − P projects on the null space of A, of which y says nothing: A (I − P) x = 0 for
every x. Whatever a restoration has there is its prior's invention, right or wrong. The parts are orthogonal, so their
energies add up: ‖x̂‖² = ‖P x̂‖² + ‖(I − P) x̂‖². The split knows nothing of noise: in denoising A = I, and the null part
is 0, though most of an image may be prior (φ).

    Identity           P = I
    Masking m          P = [m ≠ 0]
    Luma w             P = w wᵀ/‖w‖², on the colour of every pixel
    PeriodicBlur k     P = F⁻¹ [|k̂| > ε] F
    BlurDecimation     P = Aᵀ (A Aᵀ)⁺ A, where A Aᵀ is a periodic filter on the small grid
    BicubicReduction   P = R⁺R x (C⁺C)ᵀ
    any other          P x = A⁺(A x) by conjugate gradients from 0, which stay in the range of Aᵀ

`LEAST` is the ε under which a frequency of a kernel that sums to 1 counts as lost: rounding. A larger one, such as
`datasets.blur.SEEN`, moves what noise would drown to the null part; then A (I − P) x is small and not 0.

Sources: R. Penrose, "A generalized inverse for matrices", Proc. Cambridge Philosophical Society 51(3), 1955; J.
Schwab, S. Antholzer and M. Haltmeier, "Deep null space learning for inverse problems", Inverse Problems 35(2), 2019
(the split in restoration).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.blur import BlurDecimation, PeriodicBlur, conjugate_gradients, filtered
from datasets.operators import LUMA, Identity, Luma, Masking, Operator
from datasets.resize import BicubicReduction

LEAST = 1e-6
STEPS, SMALL = 400, 1e-10
"""Steps of conjugate gradients, and the relative residual at which they end."""


@dataclass(frozen=True)
class Split:
    """The two parts of an image.

    Attributes:
        seen: P x (N,C,H,W).
        null: (I − P) x (N,C,H,W).
    """

    seen: Tensor
    null: Tensor

    def share(self) -> Tensor:
        """Return ‖(I − P) x‖²/‖x‖² (N,) in [0,1], 0 for an image that is 0."""
        seen, null = (part.double().square().flatten(1).sum(1) for part in (self.seen, self.null))
        return null / (seen + null).clamp_min(torch.finfo(torch.float64).tiny)

    def map(self) -> Tensor:
        """Return the root mean square over channels of the null part (N,1,H,W)."""
        return self.null.square().mean(dim=1, keepdim=True).sqrt()


def split(operator: Operator, x: Tensor, least: float = LEAST) -> Split:
    """Return both parts of images x (N,C,H,W) in their dtype; computed in double precision.

    Raises:
        ValueError: the operator is not linear.
    """
    seen = _exact(operator, x, lambda exact, image: _inverse(exact).seen(exact, image, least))
    return Split(seen, x - seen)


def pseudo_inverse(operator: Operator, y: Tensor, least: float = LEAST) -> Tensor:
    """Return A⁺ y (N,C,H,W), the x of least norm with ‖A x − y‖ least; `Operator.lift` need not be it (`Luma`).

    Raises:
        ValueError: the operator is not linear.
    """
    return _exact(operator, y, lambda exact, data: _inverse(exact).solve(exact, data, least))


def _exact(operator: Operator, tensor: Tensor, act: Callable[[Operator, Tensor], Tensor]) -> Tensor:
    if not operator.linear:
        raise ValueError(f"{operator.title} is not linear: it has no range and no null space")
    return act(operator.to(tensor.device, torch.float64), tensor.double()).to(tensor)


@dataclass(frozen=True)
class Inverse:
    """A⁺ and P = A⁺A of a class of operators.

    Attributes:
        solve: operator, y, least → A⁺ y.
        seen: operator, x, least → P x.
    """

    solve: Callable[..., Tensor]
    seen: Callable[..., Tensor]


def _masking_inverse(operator: Masking, y: Tensor, least: float) -> Tensor:
    seen = operator.mask != 0
    return torch.where(seen, y / torch.where(seen, operator.mask, 1), 0)


def _colour(like: Tensor) -> Tensor:
    """w/‖w‖ (1,3,1,1)."""
    w = like.new_tensor(LUMA).view(1, 3, 1, 1)
    return w / w.square().sum().sqrt()


def _luma_inverse(operator: Luma, y: Tensor, least: float) -> Tensor:
    return _colour(y) * y / sum(weight**2 for weight in LUMA) ** 0.5


def _luma_seen(operator: Luma, x: Tensor, least: float) -> Tensor:
    unit = _colour(x)
    return unit * (unit * x).sum(dim=1, keepdim=True)


def _reciprocal(power: Tensor, least: float) -> Tensor:
    """1/p where p > ε², else 0."""
    kept = power > least**2
    return torch.where(kept, 1 / torch.where(kept, power, 1), 0)


def _blur_inverse(operator: PeriodicBlur, y: Tensor, least: float) -> Tensor:
    gain = operator.transfer(y)
    return filtered(y, gain.conj() * _reciprocal(gain.abs().square(), least))


def _blur_seen(operator: PeriodicBlur, x: Tensor, least: float) -> Tensor:
    return filtered(x, (operator.transfer(x).abs() > least).to(x))


def _decimation_inverse(operator: BlurDecimation, y: Tensor, least: float) -> Tensor:
    return operator.adjoint(filtered(y, _reciprocal(operator.folded(y), least)))


def _by_gradients(operator: Operator, y: Tensor, least: float) -> Tensor:
    """A⁺ y = lim of conjugate gradients on AᵀA x = Aᵀ y; small singular values come last, so few steps leave them."""
    return conjugate_gradients(lambda x: operator.adjoint(operator.forward(x)), operator.adjoint(y), STEPS, SMALL)


def _there_and_back(solve: Callable[..., Tensor]) -> Inverse:
    return Inverse(solve, lambda operator, x, least: solve(operator, operator.forward(x), least))


INVERSES: dict[type[Operator], Inverse] = {
    Identity: Inverse(lambda operator, y, least: y, lambda operator, x, least: x),
    Masking: Inverse(_masking_inverse, lambda operator, x, least: x * (operator.mask != 0)),
    Luma: Inverse(_luma_inverse, _luma_seen),
    PeriodicBlur: Inverse(_blur_inverse, _blur_seen),
    BlurDecimation: _there_and_back(_decimation_inverse),
    BicubicReduction: _there_and_back(lambda operator, y, least: operator.lift(y)),
}  # fmt: skip
"""Operator → its pseudo-inverse in closed form."""
ITERATED = _there_and_back(_by_gradients)
"""Of every other linear operator."""


def _inverse(operator: Operator) -> Inverse:
    return INVERSES.get(type(operator), ITERATED)
