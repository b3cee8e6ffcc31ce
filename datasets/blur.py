"""Blur by a known kernel: periodic, seen without its border, or seen at every s-th pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from datasets.noise import Gaussian
from datasets.operators import Operator, Shape
from datasets.task import Problem

SEEN = 1e-3
"""The least |k̂|, of a kernel that sums to 1, that the lift of a blur divides by: what is weaker stays 0."""
STEPS, SMALL = 100, 1e-5
"""Steps of conjugate gradients, and the relative residual at which they end."""

B = TypeVar("B", bound="Blur")


@dataclass(frozen=True)
class Blur(Operator):
    """What blurs have in common: k ∗ x, the convolution of every channel with one kernel per image.

    Attributes:
        kernel: k (N,1,a,b), a and b odd; its middle pixel is the origin.
    """

    kernel: Tensor

    def transfer(self, like: Tensor) -> Tensor:
        """Return k̂ (N,1,H,W//2 + 1), what the periodic blur does to every frequency of `rfft2` of images like x."""
        h, w = like.shape[-2:]
        a, b = self.kernel.shape[-2:]
        if a > h or b > w:
            raise ValueError(f"the kernel is {a}x{b} pixels, the image {h}x{w}: the kernel must fit into the image")
        whole = pad(self.kernel.to(like), (0, w - b, 0, h - a))
        gain: Tensor = torch.fft.rfft2(whole.roll((-(a // 2), -(b // 2)), dims=(-2, -1)))
        return gain

    def to(self: B, device: torch.device | str, dtype: torch.dtype) -> B:
        return replace(self, kernel=self.kernel.to(device=device, dtype=dtype))

    def select(self: B, index: int) -> B:
        return replace(self, kernel=self.kernel[index : index + 1])

    @classmethod
    def cat(cls, operators: Sequence[Operator]) -> Operator:
        blurs = [operator for operator in operators if isinstance(operator, cls)]
        return replace(blurs[0], kernel=torch.cat([blur.kernel for blur in blurs]))


def filtered(x: Tensor, gain: Tensor) -> Tensor:
    """Return x (N,C,H,W) with every frequency of `rfft2` multiplied by `gain`, broadcastable to (N,C,H,W//2 + 1)."""
    image: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * gain, s=x.shape[-2:])
    return image


@dataclass(frozen=True)
class PeriodicBlur(Blur):
    """A x = k ∗ x on the torus: what leaves on one side comes in on the other. y is as large as x.

    A = F⁻¹ diag(k̂) F. The lift divides by k̂ where |k̂| > 10⁻³ and is 0 at the other frequencies, which the data
    hardly know.
    """

    title: ClassVar[str] = "periodic blur"

    def forward(self, x: Tensor) -> Tensor:
        return filtered(x, self.transfer(x))

    def adjoint(self, y: Tensor) -> Tensor:
        return filtered(y, self.transfer(y).conj())

    def lift(self, y: Tensor) -> Tensor:
        gain = self.transfer(y)
        power = gain.abs().square()
        return filtered(y, torch.where(power > SEEN**2, gain.conj() / power.clamp(min=SEEN**2), 0))


@dataclass(frozen=True)
class CroppedBlur(Blur):
    """A x = the pixels of k ∗ x whose window lies within x: y (N,C,H − a + 1,W − b + 1). Nothing is assumed outside.

    The lift is the x of least norm with ‖A x − y‖ least, approached by conjugate gradients on AᵀA x = Aᵀy from 0: at
    most 100 steps, or a relative residual of 10⁻⁵.
    """

    title: ClassVar[str] = "blur seen without its border"

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.kernel.shape[-2:]
        blurred = filtered(x, self.transfer(x))
        return blurred[..., a // 2 : x.shape[-2] - a // 2, b // 2 : x.shape[-1] - b // 2]

    def adjoint(self, y: Tensor) -> Tensor:
        a, b = self.kernel.shape[-2:]
        whole = pad(y, (b // 2, b // 2, a // 2, a // 2))
        return filtered(whole, self.transfer(whole).conj())

    def lift(self, y: Tensor) -> Tensor:
        return conjugate_gradients(lambda x: self.adjoint(self.forward(x)), self.adjoint(y), STEPS, SMALL)

    def image_shape(self, observed: Shape) -> Shape:
        a, b = self.kernel.shape[-2:]
        return (*observed[:2], observed[2] + a - 1, observed[3] + b - 1)


@dataclass(frozen=True)
class BlurDecimation(Blur):
    """A x = the pixels (0,0), (0,s), … of k ∗ x on the torus: y (N,C,H/s,W/s).

    A Aᵀ is a periodic filter on the small grid: at each of its frequencies the mean of |k̂|² over the s² frequencies of
    x that fold onto it. So the lift, the x of least norm with A x = y, is Aᵀ(A Aᵀ)⁻¹ y exactly; frequencies at which
    that mean is under 10⁻⁶ stay 0.

    Attributes:
        scale: s.
    """

    title: ClassVar[str] = "blur and decimation"

    scale: int = 2

    def forward(self, x: Tensor) -> Tensor:
        whole_steps(x, self.scale)
        return filtered(x, self.transfer(x))[..., :: self.scale, :: self.scale]

    def adjoint(self, y: Tensor) -> Tensor:
        x = y.new_zeros(self.image_shape(y.shape))
        x[..., :: self.scale, :: self.scale] = y
        return filtered(x, self.transfer(x).conj())

    def lift(self, y: Tensor) -> Tensor:
        power = self.folded(y)
        return self.adjoint(filtered(y, torch.where(power > SEEN**2, 1 / power.clamp(min=SEEN**2), 0)))

    def folded(self, y: Tensor) -> Tensor:
        """Return the eigenvalues of A Aᵀ (N,1,H/s,W/(2s) + 1) on the frequencies of `rfft2` of images like y."""
        s, (h, w) = self.scale, y.shape[-2:]
        # The correlation of k with itself, on the torus of x and then at every s-th pixel: its transform is that mean.
        spread = y.new_zeros(len(self.kernel), 1, s * h, s * w)
        power = self.transfer(spread).abs().square()
        correlation = torch.fft.irfft2(power, s=spread.shape[-2:])
        folded: Tensor = torch.fft.rfft2(correlation[..., ::s, ::s]).real
        return folded

    def image_shape(self, observed: Shape) -> Shape:
        return (*observed[:2], self.scale * observed[2], self.scale * observed[3])


def whole_steps(x: Tensor, scale: int) -> None:
    """Raise ValueError if a side of x is no multiple of the scale."""
    h, w = x.shape[-2:]
    if h % scale or w % scale:
        raise ValueError(f"scale {scale} does not divide an image of {h}x{w} pixels: crop it to a multiple first")


def conjugate_gradients(
    normal: Callable[[Tensor], Tensor], right: Tensor, steps: int, small: float, start: Tensor | None = None
) -> Tensor:
    """Solve M z = r for a symmetric positive semi-definite M, each image of the batch for itself.

    Args:
        normal: M, from (N,…) to (N,…).
        right: r (N,…).
        steps: at most so many.
        small: an image is done when ‖r − M z‖ ≤ small ‖r‖; its z then stays as it is.
        start: the first z; zeros if it is not given.
    """
    z = torch.zeros_like(right) if start is None else start.clone()
    residual = right.clone() if start is None else right - normal(z)
    direction, squared = residual.clone(), _dot(residual, residual)
    enough = small**2 * _dot(right, right)
    for _ in range(steps):
        going = squared > enough
        if not going.any():
            break
        moved = normal(direction)
        along = _dot(direction, moved)
        step = torch.where(going & (along > 0), squared / along.clamp(min=torch.finfo(along.dtype).tiny), 0)
        z += step.to(z) * direction
        residual -= step.to(z) * moved
        before, squared = squared, torch.where(going, _dot(residual, residual), squared)
        turn = torch.where(going, squared / before.clamp(min=torch.finfo(before.dtype).tiny), 0)
        direction = residual + turn.to(z) * direction
    return z


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return ⟨a, b⟩ of every image, in double precision and broadcastable to it."""
    return (a.double() * b.double()).flatten(1).sum(dim=1).view(-1, *[1] * (a.ndim - 1))


PERIODIC_DEBLURRING = Problem(PeriodicBlur, Gaussian)
CROPPED_DEBLURRING = Problem(CroppedBlur, Gaussian)
DECIMATION = Problem(BlurDecimation, Gaussian)
