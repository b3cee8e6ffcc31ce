"""What a method is given: a degraded batch, the operator that made it, and what is known of the noise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601 luma weights of R, G, B: the paper's grayscale."""


class Operator(ABC):
    """A linear degradation A: image space (N,C,H,W) to observation space (N,C',H,W)."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return A x."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """Return Aᵀ y, so that ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for all x, y."""

    @abstractmethod
    def lift(self, y: Tensor) -> Tensor:
        """Return the data-fidelity image f(y): the observation in image space, with A f(y) = y on the range of A."""

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Operator:
        """Return the operator with its tensors on `device` and in `dtype`."""
        return self

    def select(self, index: int) -> Operator:
        """Return the operator of image `index` of the batch alone."""
        return self

    @classmethod
    def cat(cls, operators: Sequence[Operator]) -> Operator:
        """Return the operator of the concatenated batch."""
        return operators[0]


class Identity(Operator):
    """A = I (denoising)."""

    def forward(self, x: Tensor) -> Tensor:
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        return y

    def lift(self, y: Tensor) -> Tensor:
        return y


@dataclass(frozen=True)
class Masking(Operator):
    """A = diag(m), m of shape (N,1,H,W), 1 where observed and 0 in the hole (inpainting)."""

    mask: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask

    def adjoint(self, y: Tensor) -> Tensor:
        return y * self.mask

    def lift(self, y: Tensor) -> Tensor:
        return y * self.mask

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Masking:
        return Masking(self.mask.to(device=device, dtype=dtype))

    def select(self, index: int) -> Masking:
        return Masking(self.mask[index : index + 1])

    @classmethod
    def cat(cls, operators: Sequence[Operator]) -> Masking:
        return cls(torch.cat([operator.mask for operator in operators if isinstance(operator, Masking)]))


class Luma(Operator):
    """A: RGB (N,3,H,W) to Rec. 601 luma (N,1,H,W) (colorization). The lift is the neutral gray image R = G = B = y."""

    def forward(self, x: Tensor) -> Tensor:
        r, g, b = x.unbind(dim=1)
        return (LUMA[0] * r + LUMA[1] * g + LUMA[2] * b).unsqueeze(1)

    def adjoint(self, y: Tensor) -> Tensor:
        return torch.cat([weight * y for weight in LUMA], dim=1)

    def lift(self, y: Tensor) -> Tensor:
        return y.expand(-1, 3, -1, -1).contiguous()


@dataclass(frozen=True)
class Truth:
    """What no honest method may see: the clean batch (N,C,H,W) in [0,1] and the true σ (N,) on [0,1]."""

    clean: Tensor
    sigma: Tensor


@dataclass(frozen=True)
class Observation:
    """A degraded batch y = A x + noise.

    Attributes:
        y: (N,C,H,W) float, C 1 or 3. Denoising is not clipped to [0,1].
        operator: the linear A.
        mask: (N,1,H,W), 1 where a pixel was observed, 0 in a hole; all ones outside inpainting.
        sigma: (N,) standard deviation of the noise on the [0,1] scale; zeros if noise-free; None if unknown (blind).
        truth: filled by `Task.degrade`; the runner removes it before any method that is not an oracle sees it.
    """

    y: Tensor
    operator: Operator
    mask: Tensor
    sigma: Tensor | None
    truth: Truth | None = None

    def __post_init__(self) -> None:
        if self.y.ndim != 4 or self.y.shape[1] not in (1, 3):
            raise ValueError(f"y must be (N,1|3,H,W), got {tuple(self.y.shape)}")
        n, _, h, w = self.y.shape
        if tuple(self.mask.shape) != (n, 1, h, w):
            raise ValueError(f"mask must be {(n, 1, h, w)}, got {tuple(self.mask.shape)}")
        if self.sigma is not None and tuple(self.sigma.shape) != (n,):
            raise ValueError(f"sigma must be ({n},), got {tuple(self.sigma.shape)}")

    def __len__(self) -> int:
        return self.y.shape[0]

    @property
    def fidelity(self) -> Tensor:
        """f(y), the data-fidelity image (N,C,H,W)."""
        return self.operator.lift(self.y)

    def without_truth(self) -> Observation:
        """The observation as an honest method sees it."""
        return replace(self, truth=None)

    def with_true_sigma(self) -> Observation:
        """The observation with σ told (the `@true-sigma` rows of blind denoising)."""
        if self.truth is None:
            raise ValueError("the truth has been removed from this observation")
        return replace(self, sigma=self.truth.sigma)

    def to(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Observation:
        """The observation on `device` in `dtype`."""

        def move(t: Tensor) -> Tensor:
            return t.to(device=device, dtype=dtype)

        return Observation(
            y=move(self.y),
            operator=self.operator.to(device, dtype),
            mask=move(self.mask),
            sigma=None if self.sigma is None else move(self.sigma),
            truth=None if self.truth is None else Truth(move(self.truth.clean), move(self.truth.sigma)),
        )

    def select(self, index: int) -> Observation:
        """Image `index` of the batch, as a batch of one."""
        s = slice(index, index + 1)
        return Observation(
            y=self.y[s],
            operator=self.operator.select(index),
            mask=self.mask[s],
            sigma=None if self.sigma is None else self.sigma[s],
            truth=None if self.truth is None else Truth(self.truth.clean[s], self.truth.sigma[s]),
        )

    @staticmethod
    def cat(observations: Sequence[Observation]) -> Observation:
        """Concatenate observations of one task and one size into a batch."""
        first = observations[0]
        sigmas = [o.sigma for o in observations if o.sigma is not None]
        truths = [o.truth for o in observations if o.truth is not None]
        return Observation(
            y=torch.cat([o.y for o in observations]),
            operator=type(first.operator).cat([o.operator for o in observations]),
            mask=torch.cat([o.mask for o in observations]),
            sigma=torch.cat(sigmas) if len(sigmas) == len(observations) else None,
            truth=Truth(torch.cat([t.clean for t in truths]), torch.cat([t.sigma for t in truths]))
            if len(truths) == len(observations)
            else None,
        )
