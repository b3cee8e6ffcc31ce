"""PSNR of one pair of images."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.timing.peers.race import Case, Peer, Race, Work, to_array
from benchmarks.timing.peers.scoring import NOISY, error, pair, scored

TOLERANCE = 1e-4


def exact(case: Case) -> float:
    """PSNR in double precision."""
    reference, image = pair(case)
    return -10 * math.log10(float((reference.double() - image.double()).square().mean()))


def torchmetrics(case: Case) -> Work:
    """torchmetrics' function."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    reference, image = pair(case)
    return lambda: peak_signal_noise_ratio(image, reference, data_range=1.0)


def piq(case: Case) -> Work:
    """piq's function."""
    import piq

    reference, image = pair(case)
    return lambda: piq.psnr(image, reference, data_range=1.0)


def scikit_image(case: Case) -> Work:
    """scikit-image's function on bytes, as most scripts call it."""
    from skimage.metrics import peak_signal_noise_ratio

    reference, image = ((to_array(one) * 255).round().astype(np.uint8) for one in pair(case))
    return lambda: float(peak_signal_noise_ratio(reference, image))


RACES = (
    Race(
        name="psnr",
        title="PSNR",
        group="metrics",
        task=NOISY,
        start=scored("psnr"),
        peers=(
            Peer("torchmetrics", "torchmetrics", "torchmetrics", torchmetrics, "functional, float32"),
            Peer("piq", "piq", "piq", piq, "functional, float32"),
            Peer("scikit-image", "scikit-image", "skimage", scikit_image, "8 bit"),
        ),
        quality=error("dB", TOLERANCE, exact),
    ),
)
