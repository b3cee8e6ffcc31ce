"""What every generative prior offers, and what an inversion gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator

Progress = Callable[[int, int, Tensor], None]
"""Called after each iteration with the number of iterations done, the most there can be, and the losses (N,)."""


class NonFiniteInversion(ArithmeticError):
    """The loss of an image is no number any more: its inversion was stopped.

    Attributes:
        images: positions in the batch of the images it happened to.
        iteration: the iteration it happened in, from 0.
    """

    def __init__(self, images: Sequence[int], iteration: int) -> None:
        self.images, self.iteration = tuple(images), iteration
        named = ", ".join(map(str, self.images))
        super().__init__(f"the loss of image {named} of the batch is not finite in iteration {iteration}")


class UnsupportedSize(ValueError):
    """The prior cannot make images of this size; the text says which it takes."""


@dataclass(frozen=True)
class Inversion:
    """A prior's estimate, given an observation.

    Attributes:
        image: g (N,C,H,W) in [0,1], on the device and in the dtype of the observation, C that of its fidelity image.
        losses: (iterations, N) the loss before each step; NaN after an image was stopped.
        iterations: (N,) int64, how many steps each image took.
        latents: batch first; `decode(latents)` is g before it is cropped and made gray.
        spread: (N,1,H,W) posterior standard deviation per pixel, of a prior that has one.
    """

    image: Tensor
    losses: Tensor
    iterations: Tensor
    latents: tuple[Tensor, ...]
    spread: Tensor | None = None


class GenerativePrior(ABC):
    """A map from latents to images, and its inverse through the operator of an observation.

    Deterministic: random numbers come from generators seeded inside, never from the global state. The result for an
    image is the same whatever batch it is in, to the rounding of the batched arithmetic.
    """

    @abstractmethod
    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        """Return the images (N,3,H,W) in [0,1] of a batch of latents."""

    @abstractmethod
    def invert(self, observation: Observation, progress: Progress | None = None) -> Inversion:
        """Return g and the latents that explain y = A x + noise.

        Raises:
            NonFiniteInversion: the loss of an image is not finite.
            UnsupportedSize: the prior does not make images of this size.
        """


def colour_of(observation: Observation) -> int:
    """The number of channels of the image space: 3 in colorization too, where y has one."""
    return observation.fidelity.shape[1]


def measure(observation: Observation, image: Tensor) -> Tensor:
    """Return A x for RGB images x (N,3,H,W) of a prior. Where the image space is gray, A acts on their luma."""
    return observation.operator.forward(as_image_space(observation, image))


def as_image_space(observation: Observation, image: Tensor) -> Tensor:
    """Return RGB images in the observation's image space: themselves, or their luma if it is gray."""
    return image if image.shape[1] == colour_of(observation) else Luma().forward(image)


def discrepancy_met(observation: Observation, measured: Tensor, tau: float) -> Tensor:
    """Morozov's rule, per image (N,) bool: the mean of (A g − y)² over observed pixels is at most τσ².

    A prior that explains the data better than this explains the noise. Never met where σ is unknown or 0.
    """
    if observation.sigma is None:
        return torch.zeros(len(observation), dtype=torch.bool, device=measured.device)
    weight = observation.mask.expand_as(measured)
    residual = ((measured - observation.y).square() * weight).flatten(1).sum(1) / weight.flatten(1).sum(1)
    return (observation.sigma > 0) & (residual <= tau * observation.sigma.square())


@dataclass(frozen=True)
class Frame:
    """An observation enlarged by reflection to a size that a prior takes, and the way back."""

    observation: Observation
    top: int
    left: int
    height: int
    width: int

    def crop(self, image: Tensor) -> Tensor:
        """Cut the original window (...,H,W) out of an image of the enlarged size."""
        return image[..., self.top : self.top + self.height, self.left : self.left + self.width]


Reflected = Callable[[Tensor], Tensor]

ENLARGED: dict[type[Operator], Callable[[Observation, Reflected], Operator]] = {
    Identity: lambda observation, reflected: observation.operator,
    Masking: lambda observation, reflected: Masking(reflected(observation.mask)),
    Luma: lambda observation, reflected: observation.operator,
}
"""Operator → the same on an image that was enlarged by a map of images."""


def enlarge(observation: Observation, height: int, width: int) -> Frame:
    """Enlarge an observation to height×width by reflection about its borders, centred; it must not be larger.

    Raises:
        ValueError: its operator cannot be carried over to another size (`ENLARGED`).
    """
    h, w = observation.y.shape[-2:]
    if (h, w) == (height, width):
        return Frame(observation, 0, 0, h, w)
    top, left = (height - h) // 2, (width - w) // 2
    # numpy reflects again where the margin is wider than the image; torch refuses.
    rows = torch.from_numpy(np.pad(np.arange(h), (top, height - h - top), mode="reflect")).to(observation.y.device)
    columns = torch.from_numpy(np.pad(np.arange(w), (left, width - w - left), mode="reflect")).to(observation.y.device)

    def reflected(image: Tensor) -> Tensor:
        return image[..., rows, :][..., columns]

    operator = by_operator(ENLARGED, observation.operator, "enlarging by reflection")(observation, reflected)
    return Frame(Observation(reflected(observation.y), operator, observation.noise), top, left, h, w)
