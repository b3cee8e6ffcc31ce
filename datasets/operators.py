"""What turns an image x into an observation y, before noise: forward, adjoint, lift, and the grids of both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601 luma weights of R, G, B: the paper's grayscale."""

Shape = tuple[int, ...]
V = TypeVar("V")


class Operator(ABC):
    """A degradation A from image space, x (N,C,H,W), to observation space, y (N,C',H',W').

    The two grids may differ in channels and in size. A method says which operators it knows; one that it does not know
    is a reason in its `supports`.
    """

    title: ClassVar[str]
    """What it does to an image, in a few words: for messages."""
    linear: ClassVar[bool] = True
    """False if A is not linear; then `adjoint` is that of its derivative, or raises NotImplementedError."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return A x."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """Return Aᵀ y, so that ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for all x, y."""

    @abstractmethod
    def lift(self, y: Tensor) -> Tensor:
        """Return the data-fidelity image f(y): the observation in image space, with A f(y) = y on the range of A."""

    def image_shape(self, observed: Shape) -> Shape:
        """Return the shape of x, given that of y: the same, unless an operator says otherwise."""
        return tuple(observed)

    def observed(self, y: Tensor) -> Tensor:
        """Return, on the grid of x, 1 where a pixel was observed and 0 in a hole (N,1,H,W)."""
        n, _, h, w = self.image_shape(y.shape)
        return y.new_ones(n, 1, h, w)

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

    title: ClassVar[str] = "the identity"

    def forward(self, x: Tensor) -> Tensor:
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        return y

    def lift(self, y: Tensor) -> Tensor:
        return y


@dataclass(frozen=True)
class Masking(Operator):
    """A = diag(m), m of shape (N,1,H,W), 1 where observed and 0 in the hole (inpainting)."""

    title: ClassVar[str] = "holes"

    mask: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask

    def adjoint(self, y: Tensor) -> Tensor:
        return y * self.mask

    def lift(self, y: Tensor) -> Tensor:
        return y * self.mask

    def observed(self, y: Tensor) -> Tensor:
        return self.mask

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Masking:
        return Masking(self.mask.to(device=device, dtype=dtype))

    def select(self, index: int) -> Masking:
        return Masking(self.mask[index : index + 1])

    @classmethod
    def cat(cls, operators: Sequence[Operator]) -> Masking:
        return cls(torch.cat([operator.mask for operator in operators if isinstance(operator, Masking)]))


class Luma(Operator):
    """A: RGB (N,3,H,W) to Rec. 601 luma (N,1,H,W) (colorization). The lift is the neutral gray image R = G = B = y."""

    title: ClassVar[str] = "luma alone"

    def forward(self, x: Tensor) -> Tensor:
        r, g, b = x.unbind(dim=1)
        return (LUMA[0] * r + LUMA[1] * g + LUMA[2] * b).unsqueeze(1)

    def adjoint(self, y: Tensor) -> Tensor:
        return torch.cat([weight * y for weight in LUMA], dim=1)

    def lift(self, y: Tensor) -> Tensor:
        return y.expand(-1, 3, -1, -1).contiguous()

    def image_shape(self, observed: Shape) -> Shape:
        return (observed[0], 3, *observed[2:])


def by_operator(table: Mapping[type[Operator], V], operator: Operator, who: str) -> V:
    """Return what a table says of an operator; it must be in the table itself, not a relative of one.

    Args:
        who: whose table it is, for the message.

    Raises:
        ValueError: the operator is not in the table.
    """
    found = table.get(type(operator))
    if found is None:
        known = ", ".join(each.__name__ for each in table)
        raise ValueError(f"{who} does not know the operator {type(operator).__name__}: it knows {known}")
    return found
