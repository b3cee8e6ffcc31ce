"""Blurred images on the grid of x, for methods that undo a blur: one form for every border, and its quadratic steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from bigprior.domains import Fourier
from bigprior.fusion import Restoration
from datasets.blur import SEEN, CroppedBlur, PeriodicBlur, conjugate_gradients, filtered
from datasets.observation import Observation
from datasets.operators import Operator, by_operator
from methods.classic.tikhonov import squared_gradient

STEPS, SMALL = 100, 1e-6
"""Steps of conjugate gradients for a cropped blur, and the relative residual at which they end."""


@dataclass(frozen=True)
class Blurred:
    """y = M K x + noise on the grid of x: K a periodic blur, M 1 where y was seen and 0 in the border that was not.

    A cropped blur is of this form: a pixel whose window lies within x is the same on the torus. So a step of a method
    with the completed observation w = y + (1 − M) K x, x its last image, is a step with a periodic blur, and
    ‖K x' − w‖² lies above ‖M K x' − y‖² and touches it at x' = x. A periodic blur has M = 1 and w = y.

    Attributes:
        y: (N,C,H,W), 0 where M is.
        seen: M (1,1,H,W).
        gain: k̂ (N,1,H,W//2 + 1) on the frequencies of `rfft2`, 0 where |k̂| ≤ 10⁻³: there the data say nothing.
    """

    y: Tensor
    seen: Tensor
    gain: Tensor

    def blur(self, x: Tensor) -> Tensor:
        """Return K x."""
        return filtered(x, self.gain)

    def completed(self, x: Tensor) -> Tensor:
        """Return w = y + (1 − M) K x."""
        return self.y + (1 - self.seen) * self.blur(x)

    def start(self) -> Tensor:
        """Return y, its last rows and columns repeated into the border."""
        rows, columns = (int(self.seen.amax(dim).sum()) for dim in (-1, -2))
        h, w = self.y.shape[-2:]
        a, b = (h - rows) // 2, (w - columns) // 2
        return pad(self.y[..., a : a + rows, b : b + columns], (b, b, a, a), mode="replicate")

    def gradient_penalty(self) -> Tensor:
        """Return |D|² (H,W//2 + 1), the eigenvalues of ∇ᵀ∇ on the frequencies of `rfft2`."""
        return squared_gradient(self.y)[:, : self.y.shape[-1] // 2 + 1]

    def solved(self, penalty: Tensor, prior: Tensor, start: Tensor) -> Tensor:
        """Return argmin_x ‖M K x − y‖² + Σ_ω q |F(x − g)|².

        By conjugate gradients on the normal equations, preconditioned by those with M = 1: as fast as the border is
        small, and one step without a border.

        Args:
            penalty: q ≥ 0, real, broadcastable to (N,1,H,W//2 + 1).
            prior: g (N,C,H,W).
            start: the first x (N,C,H,W).
        """
        both = (self.gain.abs().square() + penalty).clamp(min=torch.finfo(penalty.dtype).tiny)
        root = both.sqrt()
        # In u = P^½ x, P = |k̂|² + q.
        through, kept, size = self.gain / root, penalty / both, self.y.shape[-2:]

        def normal(u: Tensor) -> Tensor:
            coefficients = torch.fft.rfft2(u)
            seen = self.seen * torch.fft.irfft2(through * coefficients, s=size)
            image: Tensor = torch.fft.irfft2(through.conj() * torch.fft.rfft2(seen) + kept * coefficients, s=size)
            return image

        right = filtered(self.y, through.conj()) + filtered(prior, penalty / root)
        u = conjugate_gradients(normal, right, STEPS, SMALL, start=filtered(start, root))
        return filtered(u, 1 / root)

    def fused(self, observed: Tensor, prior: Tensor, penalty: Tensor) -> Restoration:
        """Return argmin_x ‖K x − w‖² + Σ_ω q |F x − g|² as the fusion that it is in the Fourier domain.

        f = w/k̂ and φ = q/(|k̂|² + q); where k̂ = 0, f = 0 and φ = 1.

        Args:
            observed: w (N,C,H,W).
            prior: g, unitary Fourier coefficients, broadcastable to (N,C,H,W).
            penalty: q ≥ 0, real, broadcastable to (N,1,H,W), on all frequencies.
        """
        domain = Fourier()
        gain = on_all_frequencies(self.gain, self.y)
        power = gain.abs().square()
        # The transform there and back left something where k̂ is 0, far under what it is elsewhere.
        known = power > SEEN**2 / 2
        least = torch.where(known, power, 1)
        f = torch.where(known, gain.conj() / least, 0) * domain.analysis(observed)
        return Restoration.fused(f, prior, torch.where(known, penalty / (least + penalty), 1), domain)


def on_all_frequencies(half: Tensor, like: Tensor) -> Tensor:
    """Return (N,1,H,W) of a transform (N,1,H,W//2 + 1) on the frequencies of `rfft2` of images like x."""
    whole: Tensor = torch.fft.fft2(torch.fft.irfft2(half, s=like.shape[-2:]))
    return whole


def _periodic(observation: Observation) -> Blurred:
    y = observation.y
    return Blurred(y, y.new_ones(1, 1, *y.shape[-2:]), _gain(observation, y))


def _cropped(observation: Observation) -> Blurred:
    y = observation.y
    h, w = observation.operator.image_shape(y.shape)[-2:]
    a, b = (h - y.shape[-2]) // 2, (w - y.shape[-1]) // 2
    whole, seen = (pad(image, (b, b, a, a)) for image in (y, y.new_ones(1, 1, *y.shape[-2:])))
    return Blurred(whole, seen, _gain(observation, whole))


def _gain(observation: Observation, like: Tensor) -> Tensor:
    gain: Tensor = observation.operator.transfer(like)  # type: ignore[attr-defined]
    return torch.where(gain.abs() > SEEN, gain, 0)


BORDERS: dict[type[Operator], Callable[[Observation], Blurred]] = {PeriodicBlur: _periodic, CroppedBlur: _cropped}
"""Operator → its observation on the grid of x."""


def blurred(observation: Observation, who: str) -> Blurred:
    """Return an observation on the grid of x.

    Args:
        who: the row that asks, for the message.

    Raises:
        ValueError: its operator is no blur of `BORDERS`.
    """
    return by_operator(BORDERS, observation.operator, who)(observation)


def differences(x: Tensor) -> Tensor:
    """Return ∇x (N,C,2,H,W): the differences to the pixel below and to the right, periodic."""
    return torch.stack([x.roll(-1, dim) - x for dim in (-2, -1)], dim=2)


def gathered(v: Tensor) -> Tensor:
    """Return ∇ᵀ v (N,C,H,W) of v (N,C,2,H,W)."""
    down, right = v.unbind(dim=2)
    return down.roll(1, -2) - down + right.roll(1, -1) - right


def towards_gradient(blurred: Blurred, observed: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return argmin_x ‖K x − w‖² + μ‖∇x − v‖²: w observed (N,C,H,W), v target (N,C,2,H,W), μ weight (N,1,1,1)."""
    both = blurred.gain.abs().square() + weight * blurred.gradient_penalty()
    right = blurred.gain.conj() * torch.fft.rfft2(observed) + weight * torch.fft.rfft2(gathered(target))
    image: Tensor = torch.fft.irfft2(right / both.clamp(min=torch.finfo(both.dtype).tiny), s=observed.shape[-2:])
    return image


def fused_gradient(blurred: Blurred, observed: Tensor, target: Tensor, weight: Tensor) -> Restoration:
    """Return the image of `towards_gradient` as the fusion that it is in the Fourier domain.

    φ = μ|D|²/(|k̂|² + μ|D|²) and g = ∇⁺v, the image of mean 0 whose gradient is nearest to v.
    """
    penalty = squared_gradient(observed)
    flat = penalty == 0
    g = Fourier().analysis(gathered(target)) / torch.where(flat, 1, penalty)
    return blurred.fused(observed, torch.where(flat, 0, g), weight * penalty)
