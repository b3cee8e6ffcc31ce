"""Linear problems y = A x + n on the grid of the scene prior, with all that a sampler asks of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.operators import LUMA

Gain = Callable[..., Tensor]
"""From a map of the components, and maps (N,1,1,1) of numbers of the images, to a weight of each component."""
Linear = Callable[[Tensor], Tensor]


class LinearProblem(ABC):
    """y = A x + σ n, A linear, x (N,3,H,W) on the [-1,1] scale, n ~ N(0, I). One image does not act on another.

    The right singular vectors of A are the components of x. The component with the singular value s is observed in A⁺y
    with the noise τ = σ/s; τ = ∞ where s = 0, whatever σ is.

    Attributes:
        y: (N,…), on the [-1,1] scale: noise of s/255 on [0,1] has σ = 2s/255.
        sigma: (N,), 0 where y is exact.
    """

    y: Tensor
    sigma: Tensor

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(N,3,H,W), of x."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return A x."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """Return Aᵀ y."""

    @abstractmethod
    def prox(self, z: Tensor, rho: Tensor) -> Tensor:
        """Return argmin_x ‖A x − y‖² + ρ‖x − z‖² = z + (AᵀA + ρI)⁻¹Aᵀ(y − A z); its limit where ρ = 0.

        Args:
            rho: (N,), at least 0.
        """

    @abstractmethod
    def filtered(self, x: Tensor, gain: Gain, *values: Tensor) -> Tensor:
        """Return x with every component multiplied by gain(τ, *values), τ in [0,∞].

        Args:
            values: numbers of the images, (N,) each; the gain gets them as maps.

        Raises:
            ValueError: the components of A are not known.
        """

    @abstractmethod
    def largest_noise(self) -> Tensor:
        """Return the largest τ of any component (N,); ∞ if A has a null space, or if it is not known."""

    def project(self, z: Tensor) -> Tensor:
        """Return A⁺y + (I − A⁺A) z, the nearest image to z that explains y exactly."""
        return self.prox(z, torch.zeros_like(self.sigma))


class SpectralProblem(LinearProblem):
    """A problem whose components are known: everything in closed form."""

    def prox(self, z: Tensor, rho: Tensor) -> Tensor:
        """See `LinearProblem.prox`: s²/(s² + ρ) of the way to A⁺y in every component."""
        ratio = torch.where(rho > 0, rho, 0)  # a −0 would turn the limit round

        def share(s: Tensor) -> Tensor:
            return torch.where(s > 0, s.square() / (s.square() + _maps(ratio)), 0)

        return z + self.of_singular(self.pseudo_inverse() - z, share)

    def pseudo_inverse(self) -> Tensor:
        """Return A⁺y."""
        return self.of_singular(self.adjoint(self.y), lambda s: torch.where(s > 0, s.square().reciprocal(), 0))

    def filtered(self, x: Tensor, gain: Gain, *values: Tensor) -> Tensor:
        """See `LinearProblem.filtered`."""
        given = [_maps(value) for value in values]
        return self.of_singular(x, lambda s: gain(torch.where(s > 0, _maps(self.sigma) / s, torch.inf), *given))

    def largest_noise(self) -> Tensor:
        """See `LinearProblem.largest_noise`."""
        smallest = self.smallest_singular()
        return torch.where(smallest > 0, self.sigma / smallest, torch.inf)

    @abstractmethod
    def of_singular(self, x: Tensor, gain: Gain) -> Tensor:
        """Return x with every component multiplied by the gain at its singular value s, a map that broadcasts."""

    @abstractmethod
    def smallest_singular(self) -> Tensor:
        """Return the smallest s of each image (N,), 0 if A has a null space."""


@dataclass(frozen=True)
class Noisy(SpectralProblem):
    """A = I: every pixel is seen with white noise."""

    y: Tensor
    sigma: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,3,H,W), of x."""
        return tuple(self.y.shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """Return y."""
        return y

    def of_singular(self, x: Tensor, gain: Gain) -> Tensor:
        """All components have s = 1."""
        return x * gain(x.new_ones(1, 1, 1, 1))

    def smallest_singular(self) -> Tensor:
        """1."""
        return torch.ones_like(self.sigma)


@dataclass(frozen=True)
class KnownPixels(SpectralProblem):
    """A = diag(w): a pixel is seen with the noise σ/w, and not at all where w = 0.

    Attributes:
        y: (N,3,H,W), weight times value.
        weight: (N,1 or 3,H,W), at least 0.
    """

    y: Tensor
    sigma: Tensor
    weight: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,3,H,W), of x."""
        return tuple(self.y.shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return w x."""
        return self.weight * x

    def adjoint(self, y: Tensor) -> Tensor:
        """Return w y."""
        return self.weight * y

    def of_singular(self, x: Tensor, gain: Gain) -> Tensor:
        """The components are the pixels, s = w."""
        return x * gain(self.weight)

    def smallest_singular(self) -> Tensor:
        """The smallest weight."""
        return self.weight.flatten(1).amin(dim=1)


@dataclass(frozen=True)
class KnownLuma(SpectralProblem):
    """A: the Rec. 601 luma of every pixel. On the [-1,1] scale, a luma l in [0,1] is y = 2l − 1.

    Attributes:
        y: (N,1,H,W).
    """

    y: Tensor
    sigma: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,3,H,W), of x."""
        return (len(self.y), 3, *self.y.shape[2:])

    def forward(self, x: Tensor) -> Tensor:
        """Return the luma (N,1,H,W)."""
        return (x * self._weights(x)).sum(dim=1, keepdim=True)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return wᵀ y (N,3,H,W)."""
        return y * self._weights(y)

    def of_singular(self, x: Tensor, gain: Gain) -> Tensor:
        """Of each pixel, the component along w has s = ‖w‖, the others s = 0."""
        w = self._weights(x)
        along = w * (self.forward(x) / w.square().sum())
        return gain(w.norm().view(1, 1, 1, 1)) * along + gain(w.new_zeros(1, 1, 1, 1)) * (x - along)

    def smallest_singular(self) -> Tensor:
        """0: chroma is not seen."""
        return torch.zeros_like(self.sigma)

    @staticmethod
    def _weights(like: Tensor) -> Tensor:
        return like.new_tensor(LUMA).view(1, 3, 1, 1)


@dataclass(frozen=True)
class Convolved(SpectralProblem):
    """A: periodic convolution with a kernel, the same in all channels.

    Attributes:
        y: (N,3,H,W).
        transfer: (N or 1,1,H,W/2+1) complex, the kernel's discrete Fourier transform as `torch.fft.rfft2` gives it.
    """

    y: Tensor
    sigma: Tensor
    transfer: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,3,H,W), of x."""
        return tuple(self.y.shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of x with the kernel."""
        return self._in_fourier(x, self.transfer)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the correlation of y with the kernel."""
        return self._in_fourier(y, self.transfer.conj())

    def of_singular(self, x: Tensor, gain: Gain) -> Tensor:
        """The components are the Fourier coefficients, s = |transfer|."""
        return self._in_fourier(x, gain(self._singular()))

    def smallest_singular(self) -> Tensor:
        """The smallest |transfer|."""
        return self._singular().flatten(1).amin(dim=1).expand_as(self.sigma)

    def _singular(self) -> Tensor:
        """|transfer|, what rounding has left of a zero taken for one."""
        size = self.transfer.abs()
        rounding = 8 * torch.finfo(size.dtype).eps * size.flatten(1).amax(dim=1)[:, None, None, None]
        return torch.where(size > rounding, size, 0)

    @staticmethod
    def _in_fourier(x: Tensor, factor: Tensor) -> Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(x) * factor, s=x.shape[-2:])


@dataclass(frozen=True)
class AnyLinear(LinearProblem):
    """Any linear A, given by itself and its adjoint: systems are solved by conjugate gradients from 0.

    From 0 they stay in the range of Aᵀ, so that ρ = 0 gives A⁺. The components of A are not known.

    Attributes:
        y: (N,…).
        grid: (N,3,H,W), the shape of x.
        operator, transposed: A and Aᵀ; one image must not act on another.
        iterations: at most.
        tolerance: of ‖residual‖/‖right side‖, per image.
    """

    y: Tensor
    sigma: Tensor
    grid: tuple[int, ...]
    operator: Linear
    transposed: Linear
    iterations: int = 100
    tolerance: float = 1e-6

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,3,H,W), of x."""
        return self.grid

    def forward(self, x: Tensor) -> Tensor:
        """Return A x."""
        return self.operator(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return Aᵀ y."""
        return self.transposed(y)

    def prox(self, z: Tensor, rho: Tensor) -> Tensor:
        """See `LinearProblem.prox`."""
        weight = _maps(rho)
        right = self.adjoint(self.y - self.forward(z))
        d, residual, direction = torch.zeros_like(z), right, right
        energy = _energy(residual)
        enough = energy * self.tolerance**2
        for _ in range(self.iterations):
            open_ = energy > enough
            if not bool(open_.any()):
                break
            image = self.adjoint(self.forward(direction)) + weight * direction
            curvature = (direction * image).flatten(1).sum(dim=1)
            # An image that is done takes no further step, so that it ends as it would alone.
            step = _maps(torch.where(open_ & (curvature > 0), energy / curvature, 0))
            d, residual = d + step * direction, residual - step * image
            left = _energy(residual)
            direction = residual + _maps(torch.where(open_, left / energy, 0)) * direction
            energy = torch.where(open_, left, energy)
        return z + d

    def filtered(self, x: Tensor, gain: Gain, *values: Tensor) -> Tensor:
        """Not known.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "this sampler needs the singular vectors of the operator, which conjugate gradients do not know: "
            "diffpir and dps do without them"
        )

    def largest_noise(self) -> Tensor:
        """∞: not known."""
        return torch.full_like(self.sigma, torch.inf)


@dataclass(frozen=True)
class Repeated(LinearProblem):
    """The images of a problem several times: image n of the k-th time has the number kN + n."""

    problem: LinearProblem
    times: int

    @property
    def y(self) -> Tensor:  # type: ignore[override]
        """(KN,…)."""
        return torch.cat([self.problem.y] * self.times)

    @property
    def sigma(self) -> Tensor:  # type: ignore[override]
        """(KN,)."""
        return self.problem.sigma.repeat(self.times)

    @property
    def shape(self) -> tuple[int, ...]:
        """(KN,3,H,W), of x."""
        return (self.times * self.problem.shape[0], *self.problem.shape[1:])

    def forward(self, x: Tensor) -> Tensor:
        """Return A x."""
        return self._each(self.problem.forward, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return Aᵀ y."""
        return self._each(self.problem.adjoint, y)

    def prox(self, z: Tensor, rho: Tensor) -> Tensor:
        """See `LinearProblem.prox`."""
        return self._each(self.problem.prox, z, rho)

    def filtered(self, x: Tensor, gain: Gain, *values: Tensor) -> Tensor:
        """See `LinearProblem.filtered`."""
        return self._each(lambda part, *own: self.problem.filtered(part, gain, *own), x, *values)

    def largest_noise(self) -> Tensor:
        """See `LinearProblem.largest_noise`."""
        return self.problem.largest_noise().repeat(self.times)

    def _each(self, function: Callable[..., Tensor], *given: Tensor) -> Tensor:
        return torch.cat([function(*parts) for parts in zip(*(x.chunk(self.times) for x in given), strict=True)])


def _maps(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _energy(x: Tensor) -> Tensor:
    return x.square().flatten(1).sum(dim=1)
