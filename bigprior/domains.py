"""The coordinates in which a fusion happens. Each domain maps its coordinates to the image, linearly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from datasets.operators import LUMA


class Domain(ABC):
    """A linear synthesis from coordinates c (batch first) to the image (N,C,H,W)."""

    name: ClassVar[str]

    @abstractmethod
    def analysis(self, image: Tensor) -> Tensor:
        """Return the coordinates of an image (N,C,H,W), so that synthesis(analysis(x)) = x."""

    @abstractmethod
    def synthesis(self, coefficients: Tensor) -> Tensor:
        """Return the image (N,C,H,W) that the coordinates stand for."""

    def mean(self, phi: Tensor) -> Tensor:
        """Return the mean reliance per image (N,), unless a domain says otherwise the plain mean of its coordinates."""
        return phi.flatten(1).mean(dim=1)

    def pixel_map(self, phi: Tensor) -> Tensor | None:
        """Return φ per pixel (N,1,H,W), or None where the coordinates have no place in the image (Fourier)."""
        return None


class Pixel(Domain):
    """The image itself; φ is (N,1,H,W) or (N,C,H,W)."""

    name: ClassVar[str] = "pixel"

    def analysis(self, image: Tensor) -> Tensor:
        return image

    def synthesis(self, coefficients: Tensor) -> Tensor:
        return coefficients

    def pixel_map(self, phi: Tensor) -> Tensor:
        return phi.mean(dim=1, keepdim=True)


class Fourier(Domain):
    """The unitary 2-D discrete Fourier transform, all H×W frequencies; coordinates (N,C,H,W) complex, φ real."""

    name: ClassVar[str] = "fourier"

    def analysis(self, image: Tensor) -> Tensor:
        """Return the coordinates of an image."""
        coefficients: Tensor = torch.fft.fft2(image, norm="ortho")
        return coefficients

    def synthesis(self, coefficients: Tensor) -> Tensor:
        # Plane by plane: all at once take three times the memory of the image, and the real part would keep it.
        planes = [torch.fft.ifft2(plane, norm="ortho").real.clone() for plane in coefficients.flatten(0, -3)]
        return torch.stack(planes).view(coefficients.shape)


class LumaChroma(Domain):
    """Rec. 601 luma and two colour differences: (Y, B−Y, R−Y), coordinates (N,3,H,W). Invertible, not orthogonal."""

    name: ClassVar[str] = "luma/chroma"

    def analysis(self, image: Tensor) -> Tensor:
        """Return (Y, B−Y, R−Y) of an RGB image."""
        r, g, b = image.unbind(dim=1)
        y = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b
        return torch.stack([y, b - y, r - y], dim=1)

    def synthesis(self, coefficients: Tensor) -> Tensor:
        y, blue, red = coefficients.unbind(dim=1)
        # Y = Σ w X and Σ w = 1, so G − Y is minus the weighted sum of the other two differences.
        green = -(LUMA[0] * red + LUMA[2] * blue) / LUMA[1]
        return torch.stack([y + red, y + green, y + blue], dim=1)

    def pixel_map(self, phi: Tensor) -> Tensor:
        return phi.mean(dim=1, keepdim=True)
