"""Inpainting in the order of the distance from the border of the hole: Telea and Navier–Stokes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.timing.peers.race import Array, Case, Peer, Race, Work
from benchmarks.timing.peers.restoring import CENTRE, PSNR_HOLE, row
from methods.classic.navier_stokes import NavierStokes
from methods.classic.telea import Telea


def in_float(algorithm: str, radius: float, scale: float) -> Callable[[Case], Work]:
    """Return the start of OpenCV, channel by channel in float32 on the scale 0 to `scale`."""

    def start(case: Case) -> Work:
        import cv2

        planes, flag = (case.observation.y[0] * scale).numpy(), getattr(cv2, algorithm)
        hole = (case.observation.mask[0, 0] == 0).numpy().astype(np.uint8)

        def work() -> Array:
            return np.stack([cv2.inpaint(plane, hole, radius, flag) for plane in planes], axis=-1) / scale

        return work

    return start


def in_bytes(algorithm: str, radius: float) -> Callable[[Case], Work]:
    """Return the start of OpenCV on all channels at once, which it does in 8 bit alone."""

    def start(case: Case) -> Work:
        import cv2

        pixels, flag = (case.pixels * 255).round().astype(np.uint8), getattr(cv2, algorithm)
        hole = (case.observation.mask[0, 0] == 0).numpy().astype(np.uint8)

        def work() -> Array:
            return cv2.inpaint(pixels, hole, radius, flag) / 255

        return work

    return start


def race(name: str, algorithm: str, radius: float, scale: float) -> Race:
    """Return the race of one of OpenCV's algorithms at the row's radius."""
    return Race(
        name=name,
        title=name,
        group="inpainting",
        task=CENTRE,
        start=row(name),
        peers=(
            Peer(
                "OpenCV inpaint, float32", "opencv-python-headless", "cv2", in_float(algorithm, radius, scale),
                f"{algorithm}, channel by channel, our radius and scale",
            ),
            Peer(
                "OpenCV inpaint, 8 bit", "opencv-python-headless", "cv2", in_bytes(algorithm, radius),
                f"{algorithm}, all channels at once, our radius",
            ),
        ),
        quality=PSNR_HOLE,
    )  # fmt: skip


RACES = (
    race("telea", "INPAINT_TELEA", Telea().radius, 255),
    race("navier-stokes", "INPAINT_NS", NavierStokes().radius, 1),
)
