"""What a φ-network is trained to minimise."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from bigprior.cielab import UNIT, ab_distance

PAPER_WEIGHT = 1e-5
"""The paper's w, from the released arguments of all its experiments."""
FLOOR = 1e-6
"""Least mean squared error that the relative loss divides by: f or g is exact (60 dB)."""

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(x̂, x, φ, e) → scalar; e (N,) is the error of the better part, see `better_error`."""


def image_mse(image: Tensor, clean: Tensor) -> Tensor:
    """Return the mean squared error per image (N,)."""
    return (image - clean).square().flatten(1).mean(dim=1)


def better_error(clean: Tensor, fidelity: Tensor, prior: Tensor) -> Tensor:
    """Return min(MSE(f), MSE(g)) per image (N,)."""
    return image_mse(fidelity, clean).minimum(image_mse(prior, clean))


def paper_loss(image: Tensor, clean: Tensor, phi: Tensor, better: Tensor) -> Tensor:
    """Return mean ‖x̂ − x‖² + w |mean φ|, means over the whole batch, w = 1e-5.

    Source: the BIGPrior paper (El Helou and Süsstrunk, IEEE TIP, 2022), w as in its released arguments.
    """
    return (image - clean).square().mean() + PAPER_WEIGHT * phi.mean().abs()


def relative_loss(image: Tensor, clean: Tensor, phi: Tensor, better: Tensor) -> Tensor:
    """Return the mean over images of MSE(x̂) / e, e = min(MSE(f), MSE(g)); over whole images, under 1 is a gain.

    It gives an easy image (little noise, a small hole) the same say as a hard one; the plain error is decided by the
    hard ones alone and drives φ to 1. For a crop, e is that of the image it was cut from: a crop that f or g happens to
    have right would outweigh all others.
    """
    return (image_mse(image, clean) / better.clamp(min=FLOOR)).mean()


def gain_loss(image: Tensor, clean: Tensor, phi: Tensor, better: Tensor) -> Tensor:
    """Return the mean over images of 10 log₁₀(MSE(x̂) / e): minus the gain over the better part, in dB.

    For whole images; images on which f and g both fail weigh no more than others.
    """
    ratio = image_mse(image, clean).clamp(min=FLOOR) / better.clamp(min=FLOOR)
    return 10 * ratio.log10().mean()


def ab_loss(image: Tensor, clean: Tensor, phi: Tensor, better: Tensor) -> Tensor:
    """Return the mean distance to the truth in CIELAB's ab plane, over 10: AuC but for rounding. For colour images."""
    return ab_distance(image, clean).mean() / UNIT


LOSSES: dict[str, Loss] = {"paper": paper_loss, "relative": relative_loss, "gain": gain_loss, "ab": ab_loss}
"""By their name on the command line."""
