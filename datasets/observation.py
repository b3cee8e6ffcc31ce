"""What a method is given: a degraded batch, the operator that made it, and what is known of the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from datasets.noise import Noise
from datasets.operators import Operator


@dataclass(frozen=True)
class Truth:
    """What no honest method may see: the clean batch x (N,C,H,W) in [0,1], and the law of the noise."""

    clean: Tensor
    noise: Noise

    @property
    def sigma(self) -> Tensor | None:
        """σ (N,) on the [0,1] scale, or None if the noise has no one level."""
        return self.noise.sigma(self.clean)


@dataclass(frozen=True)
class Observation:
    """A degraded batch y = A x + noise.

    Attributes:
        y: (N,C,H,W) float, C 1 or 3, on the grid of the operator's observations. Noise is not clipped.
        operator: A.
        noise: the law of the noise; None if it is hidden (blind).
        truth: filled by `Task.degrade`; removed before any method that is not an oracle sees it.

    Raises:
        ValueError: y is not a batch of images, or σ is not one number per image.
    """

    y: Tensor
    operator: Operator
    noise: Noise | None
    truth: Truth | None = None

    def __post_init__(self) -> None:
        if self.y.ndim != 4 or self.y.shape[1] not in (1, 3):
            raise ValueError(f"y must be (N,1|3,H,W), got {tuple(self.y.shape)}")
        sigma, n = self.sigma, len(self.y)
        if sigma is not None and tuple(sigma.shape) != (n,):
            raise ValueError(f"sigma must be ({n},), got {tuple(sigma.shape)}")
        seen, wanted = self.mask.shape, self.operator.image_shape(self.y.shape)
        if tuple(seen) != (n, 1, *wanted[2:]):
            raise ValueError(f"the mask must be {(n, 1, *wanted[2:])}, got {tuple(seen)}")

    def __len__(self) -> int:
        return self.y.shape[0]

    @cached_property
    def mask(self) -> Tensor:
        """On the grid of x (N,1,H,W): 1 where a pixel was observed, 0 in a hole; ones where there are no holes."""
        return self.operator.observed(self.y)

    @property
    def sigma(self) -> Tensor | None:
        """σ (N,) on the [0,1] scale, zeros without noise; None if it is hidden, or if the noise has no one level."""
        return None if self.noise is None else self.noise.sigma(self.y)

    @property
    def fidelity(self) -> Tensor:
        """f(y), the data-fidelity image (N,C,H,W)."""
        return self.operator.lift(self.y)

    def without_truth(self) -> Observation:
        """The observation as an honest method sees it."""
        return replace(self, truth=None)

    def told(self, noise: Noise | None = None) -> Observation:
        """The observation with the law of the noise told: the one given, or the true one.

        Raises:
            ValueError: the true one is asked for, and the truth has been removed.
        """
        if noise is None and self.truth is None:
            raise ValueError("the truth has been removed from this observation")
        return replace(self, noise=noise or self.truth.noise)  # type: ignore[union-attr]

    def to(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Observation:
        """The observation on `device` in `dtype`."""
        truth = self.truth
        return Observation(
            y=self.y.to(device=device, dtype=dtype),
            operator=self.operator.to(device, dtype),
            noise=None if self.noise is None else self.noise.to(device, dtype),
            truth=None if truth is None else Truth(truth.clean.to(device, dtype), truth.noise.to(device, dtype)),
        )

    def select(self, index: int) -> Observation:
        """Image `index` of the batch, as a batch of one."""
        s, truth = slice(index, index + 1), self.truth
        return Observation(
            y=self.y[s],
            operator=self.operator.select(index),
            noise=None if self.noise is None else self.noise.select(index),
            truth=None if truth is None else Truth(truth.clean[s], truth.noise.select(index)),
        )

    @staticmethod
    def cat(observations: Sequence[Observation]) -> Observation:
        """Concatenate observations of one task and one size into a batch."""
        first = observations[0]
        noises = [o.noise for o in observations if o.noise is not None]
        truths = [o.truth for o in observations if o.truth is not None]
        whole = len(truths) == len(observations)
        laws = [t.noise for t in truths]
        return Observation(
            y=torch.cat([o.y for o in observations]),
            operator=type(first.operator).cat([o.operator for o in observations]),
            noise=type(noises[0]).cat(noises) if len(noises) == len(observations) else None,
            truth=Truth(torch.cat([t.clean for t in truths]), type(laws[0]).cat(laws)) if whole else None,
        )
