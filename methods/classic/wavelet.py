"""BayesShrink wavelet shrinkage with cycle spinning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
import pywt
import torch
from torch import Tensor

from bigprior.domains import Domain
from bigprior.fusion import DeferredRestoration, Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level
from methods.classic._colour import change, opponent_matrix
from methods.classic.kernels import WITHOUT, available, installed

AXES = (-2, -1)
MODE = "symmetric"


@dataclass(frozen=True)
class Wavelets(Domain):
    """Decimated orthogonal wavelet transforms of shifted copies of an image, in the opponent colour space.

    Coordinates are (N,S²,C,K): shift, opponent channel, and the subbands of one 2-D transform one after the other,
    coarsest (the approximation) first. The image is continued by reflection where shifts or filters leave it, and
    the synthesis is the mean of the S² inverse transforms, each shifted back. `synthesis(analysis(x)) == x`.

    Args:
        channels, height, width: of the image.
        wavelet: a PyWavelets name of an orthogonal wavelet.
        levels: of the transform.
        shifts: S, the number of starts of the transform along each axis.
        spacing: of the starts, in pixels.
    """

    name: ClassVar[str] = "wavelet"

    channels: int
    height: int
    width: int
    wavelet: str
    levels: int
    shifts: int
    spacing: int

    @cached_property
    def subbands(self) -> list[tuple[int, int]]:
        """The heights and widths of the subbands: the approximation, then three details per level."""
        length = pywt.Wavelet(self.wavelet).dec_len
        size = (self.height + self.starts[-1], self.width + self.starts[-1])
        sizes = []
        for _ in range(self.levels):
            size = (pywt.dwt_coeff_len(size[0], length, MODE), pywt.dwt_coeff_len(size[1], length, MODE))
            sizes.append(size)
        return [sizes[-1]] + [size for size in reversed(sizes) for _ in range(3)]

    def split(self, coefficients: Tensor) -> list[Tensor]:
        """Return the subbands (N,S²,C,K_b), as views, in the order of `subbands`."""
        return list(coefficients.split([h * w for h, w in self.subbands], dim=-1))

    def analysis(self, image: Tensor) -> Tensor:
        """Return the coordinates of an image (N,C,H,W)."""
        return self.analysis_at(image, self.shifted)

    def analysis_at(self, image: Tensor, shifts: Sequence[tuple[int, int]]) -> Tensor:
        """Return the coordinates (N,len(shifts),C,K) of an image for some of the shifts, in pixels."""
        array = change(image, opponent_matrix(image.shape[1]).to(image)).cpu().numpy()
        shifted = []
        last = self.starts[-1]
        for a, b in shifts:
            margins = ((0, 0), (0, 0), (a, last - a), (b, last - b))
            shifted.append(np.pad(array, margins, mode="symmetric"))
        approximation, *details = pywt.wavedec2(np.stack(shifted, axis=1), self.wavelet, MODE, self.levels, AXES)
        bands = [approximation, *(band for level in details for band in level)]
        flat = np.concatenate([band.reshape(*band.shape[:3], -1) for band in bands], axis=-1)
        return torch.from_numpy(flat).to(image)

    def synthesis(self, coefficients: Tensor) -> Tensor:
        image = self._inverse(coefficients, pywt.Wavelet(self.wavelet))
        return change(image, opponent_matrix(image.shape[1]).to(image).T)

    def pixel_map(self, phi: Tensor) -> Tensor:
        """Return the mean of φ over the coefficients that make up a pixel, weighted by their squared synthesis weights.

        The squares of the synthesis filters carry φ to the pixels: independent coefficients of variance φ_k would
        give pixels of this variance (intermediate approximations taken as independent, which is exact for one level).
        Dividing by the same map of φ = 1 makes it a mean. The rows of the colour transform have norm 1, so the mean
        over RGB is the mean over opponent channels.
        """
        lowpass, highpass = (np.square(f) for f in pywt.Wavelet(self.wavelet).filter_bank[2:])
        squared = pywt.Wavelet("squared", filter_bank=(lowpass, highpass, lowpass, highpass))
        both = [self._inverse(x, squared).mean(dim=1, keepdim=True) for x in (phi, torch.ones_like(phi))]
        return both[0] / both[1]

    @property
    def shifted(self) -> list[tuple[int, int]]:
        """The starts along both axes, in the order of the coordinates."""
        return [(a, b) for a in self.starts for b in self.starts]

    @property
    def starts(self) -> range:
        """Where the transform starts along an axis, in pixels."""
        return range(0, self.shifts * self.spacing, self.spacing)

    def _inverse(self, coefficients: Tensor, wavelet: Any) -> Tensor:
        bands = [
            band.reshape(*band.shape[:3], *size).cpu().numpy()
            for band, size in zip(self.split(coefficients), self.subbands, strict=True)
        ]
        details = [tuple(bands[i : i + 3]) for i in range(1, len(bands), 3)]
        images = pywt.waverec2([bands[0], *details], wavelet, MODE, AXES)
        total = sum(images[:, i, :, a : a + self.height, b : b + self.width] for i, (a, b) in enumerate(self.shifted))
        return torch.from_numpy(total / self.shifts**2).to(coefficients)


@dataclass(frozen=True)
class WaveletShrinkage(Method):
    """Soft thresholding: φ = 1 − shrink(c)/c = min(T/|c|, 1), g = 0, f the wavelet coefficients c of y.

    T = σ²/σ_x per subband, channel and shift, with σ_x² = max(mean(c²) − σ², 0); a subband without signal (σ_x = 0)
    is set to 0. Approximation coefficients are kept, φ = 0. Where c = 0, φ = 1 if T > 0; T = 0 (σ = 0) gives φ = 0
    everywhere. The transform is taken at `shifts`² positions and the results are averaged (cycle spinning); colour is
    treated channel by channel in the orthonormal opponent space, where white noise stays white.

    Args:
        wavelet: a PyWavelets name of an orthogonal wavelet.
        levels: at most; fewer on small images (`pywt.dwt_max_level` of the shorter side, at least 1).
        shifts, spacing: along each axis the transform starts at pixels 0, spacing, …, (shifts − 1)·spacing. With an
            odd spacing, four starts are distinct modulo 4, 8 and 16: they move the grids of the coarse levels too.

    Sources: S. G. Chang, B. Yu and M. Vetterli, "Adaptive Wavelet Thresholding for Image Denoising and Compression",
    IEEE Transactions on Image Processing 9(9), 2000; R. R. Coifman and D. L. Donoho, "Translation-Invariant
    De-Noising", Wavelets and Statistics, 1995. Deviation: images are continued by reflection, not periodically, so
    that no seam is spun in.

    Raises:
        ValueError: there is no such orthogonal wavelet.
    """

    name: ClassVar[str] = "wavelet"
    summary: ClassVar[str] = "BayesShrink wavelet soft thresholding, cycle-spun"
    citation: ClassVar[str] = (
        "S. G. Chang, B. Yu and M. Vetterli, Adaptive Wavelet Thresholding for Image Denoising and Compression, "
        "IEEE Trans. Image Processing, 2000"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    wavelet: str = "sym4"
    levels: Annotated[int, Within(1, 12)] = 5
    shifts: Annotated[int, Within(1, 16)] = 4
    spacing: Annotated[int, Within(1, 64)] = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.wavelet not in pywt.wavelist(kind="discrete") or not pywt.Wavelet(self.wavelet).orthogonal:
            raise ValueError(f"wavelet '{self.wavelet}' is no orthogonal wavelet of PyWavelets, such as sym4 or db2")

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        largest = pywt.dwt_max_level(min(y.shape[-2:]), pywt.Wavelet(self.wavelet).dec_len)
        levels = min(self.levels, max(1, largest))
        domain = Wavelets(y.shape[1], y.shape[2], y.shape[3], self.wavelet, levels, self.shifts, self.spacing)
        variance = noise_level(observation).square()
        if available(y):
            return Shrunk(_compiled(y, variance, domain), domain, y, variance)
        coefficients = domain.analysis(y)
        phi = band_reliance(domain, coefficients, variance)
        return Restoration.fused(coefficients, coefficients.new_zeros(1, 1, 1, 1), phi, domain)

    def remarks(self) -> tuple[str, ...]:
        return () if installed() else (WITHOUT,)


def _compiled(y: Tensor, variance: Tensor, domain: Wavelets) -> Tensor:
    from methods.classic.kernels.wavelet import denoised

    matrix = opponent_matrix(y.shape[1]).to(y)
    planes = change(y, matrix).reshape(-1, *y.shape[-2:]).contiguous().numpy()
    out = denoised(
        planes, variance.double().repeat_interleave(y.shape[1]).numpy(), pywt.Wavelet(domain.wavelet).filter_bank,
        domain.levels, np.array(domain.starts),
    )  # fmt: skip
    return change(torch.from_numpy(out).reshape(y.shape), matrix.T)


class Shrunk(DeferredRestoration):
    """A restoration of y (N,C,H,W) with noise of variance σ² (N); f and φ are S² times as large as the image."""

    def __init__(self, image: Tensor, domain: Wavelets, y: Tensor, variance: Tensor) -> None:
        def phi() -> Tensor:
            return band_reliance(domain, self.fidelity, variance)

        super().__init__(image, lambda: domain.analysis(y), y.new_zeros(1, 1, 1, 1), phi, domain)
        vars(self).update(_y=y, _variance=variance)

    def phi_mean(self) -> Tensor:
        """Return the mean reliance (N,), shift by shift: each has as many coefficients."""
        domain, y, variance = (vars(self)[name] for name in ("domain", "_y", "_variance"))
        means = [
            domain.mean(band_reliance(domain, domain.analysis_at(y, [shift]), variance)) for shift in domain.shifted
        ]
        return torch.stack(means).mean(dim=0)


def band_reliance(domain: Wavelets, coefficients: Tensor, variance: Tensor) -> Tensor:
    """Return φ (N,S²,C,K) of coefficients with noise of variance σ² (N): 0 for the approximation."""
    phi = torch.zeros_like(coefficients)
    for band, out in list(zip(domain.split(coefficients), domain.split(phi), strict=True))[1:]:
        out.copy_(bayes_shrink_reliance(band, variance[:, None, None, None]))
    return phi


def bayes_shrink_reliance(band: Tensor, variance: Tensor) -> Tensor:
    """Return φ = min(T/|c|, 1), T = σ²/√max(mean(c²) − σ², 0), the mean over the last axis; φ = 0 where σ = 0.

    Args:
        band: c, noisy coefficients of one subband.
        variance: σ², broadcastable to c.
    """
    signal = (band.square().mean(dim=-1, keepdim=True) - variance).clamp(min=0).sqrt()
    # T/|c| ≥ 1 without a division: σ² ≥ σ_x |c|. This holds for σ_x = 0 and for c = 0 too.
    scale = signal * band.abs()
    kept = scale > variance
    return torch.where(kept, variance / torch.where(kept, scale, 1), torch.where(variance > 0, 1.0, 0.0).to(band))
