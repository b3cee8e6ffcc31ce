"""Total variation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from benchmarks.timing.peers.race import Array, Case, Peer, Quality, Race, Result, Work, square, to_tensor
from benchmarks.timing.peers.restoring import DENOISE, PSNR, row
from methods.classic.tv import TotalVariation

ENERGY_TOLERANCE = 1e-4
"""Share of the objective that two minimisers may differ by and be equal."""
MOST_ITERATIONS = 4000
OPENCV_LAMBDA = 1.4
"""Weight of the fidelity: the best of a grid on training photographs at σ 25."""


def strength(case: Case) -> float:
    """Return our λ for one channel."""
    return float(TotalVariation().strength(torch.tensor(case.sigma), 1))


def energy(case: Case, image: Tensor) -> float:
    """Return ½‖x − y‖² + λ Σ_i |∇x|_i of a gray image (1,1,H,W), without a smoothed root, per pixel."""
    further = pad(image, (0, 1, 0, 1), mode="replicate")
    down, right = further[..., 1:, :-1] - image, further[..., :-1, 1:] - image
    variation = (down.square() + right.square()).sqrt().mean()
    return float(0.5 * (image - case.observation.y).square().mean() + strength(case) * variation)


def relative_energy(case: Case, result: Result) -> float:
    """Return the objective as a share of that of y."""
    return energy(case, to_tensor(result)) / energy(case, case.observation.y.double())


def until_equal(minimise: Callable[[Case, int], Work]) -> Callable[[Case], Work]:
    """Return the start of a minimiser with as many iterations as it needs for our objective, to a twentieth of them."""

    def start(case: Case) -> Work:
        wanted = relative_energy(case, row("tv")(case)()) * (1 + ENERGY_TOLERANCE / 2)

        def enough(iterations: int) -> bool:
            return relative_energy(case, minimise(case, iterations)()) <= wanted

        most = 16
        while most < MOST_ITERATIONS and not enough(most):
            most *= 2
        least = most // 2
        while most - least > max(1, most // 20):
            middle = (least + most) // 2
            least, most = (least, middle) if enough(middle) else (middle, most)
        return minimise(case, most)

    return start


def chambolle(case: Case, iterations: int, stop: float = 0.0) -> Work:
    """scikit-image's Chambolle with our λ, channel by channel."""
    from skimage.restoration import denoise_tv_chambolle

    pixels, weight = case.pixels, strength(case)
    axis = -1 if pixels.ndim == 3 else None

    def work() -> Array:
        restored: Array = denoise_tv_chambolle(
            pixels, weight=weight, eps=stop, max_num_iter=iterations, channel_axis=axis
        )
        return restored

    return work


def primal_dual(case: Case, iterations: int, stop: float = 0.0) -> Work:
    """deepinv's primal-dual minimiser with our λ, channel by channel."""
    from deepinv.models import TVDenoiser

    y, weight = case.observation.y, strength(case)

    def work() -> Tensor:
        # A new one for each call: it would start from what it found last.
        model: Any = TVDenoiser(n_it_max=iterations, crit=stop)
        restored: Tensor = model(y, weight)
        return restored

    return work


def opencv(case: Case) -> Work:
    """OpenCV's TV with a fidelity in L1, in 8 bit, channel by channel."""
    import cv2

    planes = [(plane.clip(0, 1) * 255).round().astype(np.uint8) for plane in case.observation.y[0].numpy()]

    def work() -> Array:
        restored = [np.empty_like(plane) for plane in planes]
        for plane, out in zip(planes, restored, strict=True):
            cv2.denoise_TVL1([plane], out, OPENCV_LAMBDA)
        return np.stack(restored, axis=-1) / 255

    return work


SCIKIT_IMAGE = ("scikit-image denoise_tv_chambolle", "scikit-image", "skimage")
DEEPINV = ("deepinv TVDenoiser", "deepinv", "deepinv")
RACES = (
    Race(
        name="tv-objective",
        title="tv, equal objective",
        group="denoising",
        task=DENOISE,
        start=row("tv"),
        peers=(
            Peer(*SCIKIT_IMAGE, until_equal(chambolle), "as many iterations as reach our objective, at our λ", (1,)),
            Peer(*DEEPINV, until_equal(primal_dual), "as many iterations as reach our objective, at our λ", (1,)),
        ),
        quality=Quality("of the objective of y", False, ENERGY_TOLERANCE, relative_energy),
        sizes=square(planes=(1,)),
    ),
    Race(
        name="tv",
        title="tv",
        group="denoising",
        task=DENOISE,
        start=row("tv"),
        peers=(
            Peer(
                *SCIKIT_IMAGE, lambda case: chambolle(case, 200, 2e-4),
                "its own stopping rule, channel by channel, our λ for gray",
            ),
            Peer(
                *DEEPINV, lambda case: primal_dual(case, 1000, 1e-5),
                "its own stopping rule, channel by channel, our λ for gray",
            ),
            Peer(
                "OpenCV denoise_TVL1", "opencv-python-headless", "cv2", opencv,
                "8 bit, channel by channel, its 30 iterations; its fidelity is |x − y|",
            ),
        ),
        quality=PSNR,
    ),
)  # fmt: skip
