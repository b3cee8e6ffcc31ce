"""BayesShrink with cycle spinning."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pywt

from benchmarks.timing.peers.race import Array, Case, Peer, Race, Work
from benchmarks.timing.peers.restoring import DENOISE, PSNR, row
from methods.classic.wavelet import WaveletShrinkage


def scikit_image(wavelet: str, levels: int | None, last: int, spacing: int) -> Callable[[Case], Work]:
    """Return the start of scikit-image at the shifts 0, spacing, … last along each axis; levels None: its default."""

    def start(case: Case) -> Work:
        from skimage.restoration import cycle_spin, denoise_wavelet

        pixels = case.pixels
        colour = pixels.ndim == 3
        axis = -1 if colour else None
        most = pywt.dwt_max_level(min(pixels.shape[:2]), pywt.Wavelet(wavelet).dec_len)
        given = {
            "wavelet": wavelet, "wavelet_levels": None if levels is None else min(levels, max(1, most)),
            "sigma": case.sigma, "convert2ycbcr": colour, "channel_axis": axis,
        }  # fmt: skip
        # Renamed in scikit-image 0.26.
        workers = "workers" if "workers" in inspect.signature(cycle_spin).parameters else "num_workers"

        def work() -> Array:
            restored: Array = cycle_spin(
                pixels, denoise_wavelet, max_shifts=last, shift_steps=spacing, func_kw=given, channel_axis=axis,
                **{workers: 1},
            )  # fmt: skip
            return restored

        return work

    return start


OURS = WaveletShrinkage()
RACES = (
    Race(
        name="wavelet",
        title="wavelet",
        group="denoising",
        task=DENOISE,
        start=row("wavelet"),
        peers=(
            Peer(
                "scikit-image cycle_spin, same", "scikit-image", "skimage",
                scikit_image(OURS.wavelet, OURS.levels, (OURS.shifts - 1) * OURS.spacing, OURS.spacing),
                "denoise_wavelet with our wavelet and levels at our 16 shifts, in YCbCr, float32",
            ),
            Peer(
                "scikit-image cycle_spin, db2", "scikit-image", "skimage", scikit_image("db2", None, 3, 1),
                "denoise_wavelet with db2 and its own levels at 16 shifts of 0 to 3 pixels, in YCbCr, float32",
            ),
        ),
        quality=PSNR,
    ),
)  # fmt: skip
