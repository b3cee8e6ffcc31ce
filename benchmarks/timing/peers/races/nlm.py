"""Non-local means."""

from __future__ import annotations

import numpy as np

from benchmarks.timing.peers.race import Array, Case, Peer, Race, Work
from benchmarks.timing.peers.restoring import DENOISE, PSNR, row
from methods.classic.nlm import NonLocalMeans

SCIKIT_IMAGE_PATCH, SCIKIT_IMAGE_STRENGTH = 5, 0.6
OPENCV_PATCH, OPENCV_STRENGTH = 3, {1: 1.12, 3: 1.0}
"""Side of the patches and h/σ, by the number of planes: the best of a grid on training photographs at σ 25."""


def scikit_image(case: Case) -> Work:
    """scikit-image's fast mode over the row's search window."""
    from skimage.restoration import denoise_nl_means

    pixels, sigma = case.pixels, case.sigma
    axis = -1 if pixels.ndim == 3 else None
    reach = NonLocalMeans().search // 2

    def work() -> Array:
        restored: Array = denoise_nl_means(
            pixels, patch_size=SCIKIT_IMAGE_PATCH, patch_distance=reach, h=SCIKIT_IMAGE_STRENGTH * sigma, sigma=sigma,
            channel_axis=axis,
        )  # fmt: skip
        return restored

    return work


def opencv(case: Case) -> Work:
    """OpenCV over the row's search window. The image is rounded to 8 bit beforehand."""
    import cv2

    pixels = (case.pixels.clip(0, 1) * 255).round().astype(np.uint8)
    strength = OPENCV_STRENGTH[case.observation.y.shape[1]] * case.sigma * 255
    search = NonLocalMeans().search

    def work() -> Array:
        return cv2.fastNlMeansDenoising(pixels, None, strength, OPENCV_PATCH, search) / 255

    return work


RACES = (
    Race(
        name="nlm",
        title="nlm",
        group="denoising",
        task=DENOISE,
        start=row("nlm"),
        peers=(
            Peer(
                "scikit-image denoise_nl_means", "scikit-image", "skimage", scikit_image,
                "fast mode, float32, our search window, patches of 5×5, h = 0.6 σ",
            ),
            Peer(
                "OpenCV fastNlMeansDenoising", "opencv-python-headless", "cv2", opencv,
                "8 bit, our search window, patches of 3×3, h = 1.12 σ (gray) or σ",
            ),
        ),
        quality=PSNR,
    ),
)  # fmt: skip
