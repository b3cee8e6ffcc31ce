"""The bilateral filter."""

from __future__ import annotations

import math

from benchmarks.timing.peers.race import Array, Case, Peer, Race, Work
from benchmarks.timing.peers.restoring import DENOISE, PSNR, row
from methods.classic.bilateral import REACH, Bilateral

SCIKIT_IMAGE = {1: 0.57, 3: 0.14}
"""Share of our scale of colour by the number of planes: the best of a grid on training photographs at σ 25. Its table
of distances in place is shifted, so that it blurs more than the scales say."""


def opencv(case: Case) -> Work:
    """OpenCV with the row's scales and window."""
    import cv2

    pixels, planes = case.pixels, case.observation.y.shape[1]
    spatial, colour = Bilateral().scales(case.sigma, planes)
    side = 2 * math.floor(REACH * spatial) + 1

    def work() -> Array:
        return cv2.bilateralFilter(pixels, side, colour, spatial)

    return work


def scikit_image(case: Case) -> Work:
    """scikit-image with the row's scale in place and window."""
    from skimage.restoration import denoise_bilateral

    pixels, planes = case.pixels, case.observation.y.shape[1]
    spatial, colour = Bilateral().scales(case.sigma, planes)
    side = 2 * math.floor(REACH * spatial) + 1
    colour *= SCIKIT_IMAGE[planes]
    axis = -1 if planes == 3 else None

    def work() -> Array:
        restored: Array = denoise_bilateral(pixels, side, colour, spatial, mode="symmetric", channel_axis=axis)
        return restored

    return work


RACES = (
    Race(
        name="bilateral",
        title="bilateral",
        group="denoising",
        task=DENOISE,
        start=row("bilateral"),
        peers=(
            Peer(
                "OpenCV bilateralFilter", "opencv-python-headless", "cv2", opencv,
                "float32, our scales and distance of colours, a disc of our radius rounded down to an integer",
            ),
            Peer(
                "scikit-image denoise_bilateral", "scikit-image", "skimage", scikit_image,
                "float32, our scale in place and window; its scale of colour chosen on training photographs",
            ),
        ),
        quality=PSNR,
    ),
)  # fmt: skip
