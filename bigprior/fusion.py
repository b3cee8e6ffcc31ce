"""The fusion x̂ = (1 − φ) ⊙ f(y) + φ ⊙ g and the object that carries it.

Source: M. El Helou and S. Süsstrunk, "BIGPrior: Towards Decoupling Learned Prior Hallucination and Data Fidelity in
Image Restoration", IEEE Transactions on Image Processing, 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from bigprior.domains import Domain, Pixel


def fuse(fidelity: Tensor, prior: Tensor, phi: Tensor) -> Tensor:
    """Return (1 − φ) ⊙ f + φ ⊙ g.

    Args:
        fidelity: f, any shape; real or complex.
        prior: g, broadcastable to f.
        phi: φ, real, broadcastable to f; 0 trusts the data, 1 trusts the prior.
    """
    # Not f + φ(g − f): at φ = 1 this form returns g to the last bit. In place: large images are hundreds of megabytes.
    return ((1 - phi) * fidelity).add_(phi * prior)


@dataclass(frozen=True)
class Restoration:
    """A restored batch and, where the method is decoupled, what it was fused from.

    Attributes:
        image: x̂ (N,C,H,W), not clipped.
        fidelity, prior, phi: f, g and φ in the coordinates of `domain`, batch first and broadcastable to one
            another; None for a method that hides the formula.
        domain: where the fusion happens; `image == domain.synthesis(fuse(fidelity, prior, phi))` to 1e-5.
    """

    image: Tensor
    fidelity: Tensor | None = None
    prior: Tensor | None = None
    phi: Tensor | None = None
    domain: Domain | None = None

    @staticmethod
    def fused(fidelity: Tensor, prior: Tensor, phi: Tensor, domain: Domain | None = None) -> Restoration:
        """Fuse, and keep the parts. The domain is the pixel domain unless another is given."""
        domain = domain or Pixel()
        return Restoration(domain.synthesis(fuse(fidelity, prior, phi)), fidelity, prior, phi, domain)

    @property
    def decoupled(self) -> bool:
        """True if φ, f, g and the domain are known."""
        return None not in (self.domain, self.fidelity, self.prior, self.phi)

    def recompose(self) -> Tensor:
        """Return the image again, from φ, f and g alone.

        Raises:
            ValueError: the method is not decoupled.
        """
        if self.domain is None or self.fidelity is None or self.prior is None or self.phi is None:
            raise ValueError("this restoration does not say which part is data and which is prior")
        return self.domain.synthesis(fuse(self.fidelity, self.prior, self.phi))

    def phi_mean(self) -> Tensor | None:
        """Return the mean reliance on the prior per image (N,), or None."""
        if self.domain is None or self.phi is None or self.fidelity is None:
            return None
        full = self.phi.expand(np.broadcast_shapes(self.phi.shape, self.fidelity.shape))
        return self.domain.mean(full)

    def phi_map(self) -> Tensor | None:
        """Return φ per pixel (N,1,H,W), or None where there is none."""
        return None if self.domain is None or self.phi is None else self.domain.pixel_map(self.phi)


class DeferredRestoration(Restoration):
    """A decoupled restoration whose f and φ are made when they are first asked for, then kept.

    For domains with many more coordinates than pixels: whoever wants the image alone does not pay for them.

    Args:
        image, prior, domain: as of `Restoration`.
        fidelity, phi: functions without arguments that return f, and φ in the shape of f.
    """

    def __init__(
        self,
        image: Tensor,
        fidelity: Callable[[], Tensor],
        prior: Tensor,
        phi: Callable[[], Tensor],
        domain: Domain,
    ) -> None:
        parts = {"image": image, "prior": prior, "domain": domain, "_fidelity": fidelity, "_phi": phi}
        self.__dict__.update(parts)

    @cached_property
    def fidelity(self) -> Tensor:
        made: Tensor = self.__dict__["_fidelity"]()
        return made

    @cached_property
    def phi(self) -> Tensor:
        made: Tensor = self.__dict__["_phi"]()
        return made

    @property
    def decoupled(self) -> bool:
        return True

    def phi_mean(self) -> Tensor | None:
        """Return the mean reliance on the prior per image (N,); f is not made for it."""
        return None if self.domain is None else self.domain.mean(self.phi)
