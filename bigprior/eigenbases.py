"""Domains in which AᵀA is diagonal, for operators A that neither pixels nor frequencies alone make so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.domains import Domain
from datasets.operators import LUMA


class LumaAxis(Domain):
    """The colour of a pixel in an orthonormal basis whose first axis is that of luma: coordinates (N,3,H,W).

    With w the weights of Rec. 601 luma, AᵀA = w wᵀ has the eigenvalue ‖w‖² on w/‖w‖ and 0 across it.
    """

    name: ClassVar[str] = "luma axis"

    def analysis(self, image: Tensor) -> Tensor:
        return self._turned(image)

    def synthesis(self, coefficients: Tensor) -> Tensor:
        return self._turned(coefficients)

    def pixel_map(self, phi: Tensor) -> Tensor:
        return phi.mean(dim=1, keepdim=True)

    def _turned(self, image: Tensor) -> Tensor:
        """Mirror every colour so that w/‖w‖ and (1,0,0) change places: the mirroring is its own inverse."""
        axis = image.new_tensor(LUMA)
        across = axis / axis.norm() - image.new_tensor([1.0, 0.0, 0.0])
        across = across / across.norm()
        return image - 2 * torch.einsum("c,nchw,d->ndhw", across, image, across)


@dataclass(frozen=True, eq=False)
class Separable(Domain):
    """c = Vᵀ x W, each channel: the eigenvectors of RᵀR and of CᵀC for A x = R x Cᵀ. Coordinates (N,C,H,W).

    Args:
        rows: V (H,H), orthogonal.
        columns: W (W,W), orthogonal.
    """

    name: ClassVar[str] = "separable"

    rows: Tensor
    columns: Tensor

    def analysis(self, image: Tensor) -> Tensor:
        return self.rows.mT @ image @ self.columns

    def synthesis(self, coefficients: Tensor) -> Tensor:
        return self.rows @ coefficients @ self.columns.mT


@dataclass(frozen=True, eq=False)
class Folded(Domain):
    """Fourier coefficients, those that decimation adds up turned so that their sum is one coordinate.

    The s² frequencies of x that fold onto one frequency of the small image make a vector; AᵀA, A a blur by k and then
    every s-th pixel, is k̄ kᵀ/s² on it, k the s² values of k̂. Its one eigenvector, k̄/|k|, is turned onto the first
    axis by a Householder reflection. Coordinates (N,C,s²,H/s,W/s) complex, unitary; the first of the s² is what A sees.

    Args:
        gain: k̂ (N,1,H,W), on all frequencies.
        scale: s.
    """

    name: ClassVar[str] = "folded frequencies"

    gain: Tensor
    scale: int

    def analysis(self, image: Tensor) -> Tensor:
        return self._turned(self._grouped(torch.fft.fft2(image, norm="ortho")))

    def synthesis(self, coefficients: Tensor) -> Tensor:
        n, c, _, h, w = coefficients.shape
        s = self.scale
        alike = self._turned(coefficients).view(n, c, s, s, h, w).permute(0, 1, 2, 4, 3, 5)
        image: Tensor = torch.fft.ifft2(alike.reshape(n, c, s * h, s * w), norm="ortho").real
        return image.contiguous()

    @cached_property
    def power(self) -> Tensor:
        """The eigenvalue |k|²/s² of every frequency of the small image (N,1,1,H/s,W/s)."""
        return self._grouped(self.gain).abs().square().mean(dim=2, keepdim=True)

    def _grouped(self, coefficients: Tensor) -> Tensor:
        """Return (N,C,s²,H/s,W/s) of (N,C,H,W): the frequencies that fold onto one another side by side."""
        n, c, h, w = coefficients.shape
        s = self.scale
        alike = coefficients.view(n, c, s, h // s, s, w // s)
        return alike.permute(0, 1, 2, 4, 3, 5).reshape(n, c, s * s, h // s, w // s)

    def _turned(self, grouped: Tensor) -> Tensor:
        return grouped - 2 * self._across * (self._across.conj() * grouped).sum(dim=2, keepdim=True)

    @cached_property
    def _across(self) -> Tensor:
        """The unit vector of the reflection: q + e^{iθ} e₁, q = k̄/|k| and θ the phase of its first entry."""
        q = self._grouped(self.gain).conj()
        norm = q.abs().square().sum(dim=2, keepdim=True).sqrt()
        first = torch.zeros_like(q)
        first[:, :, 0] = 1
        q = torch.where(norm > 0, q / torch.where(norm > 0, norm, 1), first)  # seen by A or not, a unit vector
        phase = torch.where(q[:, :, :1].abs() > 0, torch.sgn(q[:, :, :1]), 1)
        across = q + phase * first
        return across / across.abs().square().sum(dim=2, keepdim=True).sqrt()
