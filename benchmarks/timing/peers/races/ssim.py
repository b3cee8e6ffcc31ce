"""SSIM of one pair of images, Gaussian window."""

from __future__ import annotations

from typing import Any

from benchmarks.timing.peers.race import Case, Peer, Race, Work, to_array
from benchmarks.timing.peers.scoring import NOISY, error, pair, scored

TOLERANCE = 1e-5
WINDOW: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}


def exact(case: Case) -> float:
    """SSIM in double precision."""
    return float(_scikit_image(case, "float64")())


def _scikit_image(case: Case, dtype: str) -> Work:
    from skimage.metrics import structural_similarity

    reference, image = (to_array(one).astype(dtype) for one in pair(case))
    axis = -1 if reference.ndim == 3 else None
    return lambda: float(structural_similarity(reference, image, channel_axis=axis, **WINDOW))


def scikit_image(case: Case) -> Work:
    """scikit-image's function with the settings of Wang et al."""
    return _scikit_image(case, "float32")


def torchmetrics(case: Case) -> Work:
    """torchmetrics' function, whose defaults are those settings."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    reference, image = pair(case)

    def work() -> float:
        value: Any = structural_similarity_index_measure(image, reference, data_range=1.0)
        return float(value)

    return work


def piq(case: Case) -> Work:
    """piq's function with those settings: it would halve images from 384 pixels on."""
    import piq

    reference, image = pair(case)
    return lambda: float(piq.ssim(image, reference, data_range=1.0, downsample=False))


RACES = (
    Race(
        name="ssim",
        title="SSIM",
        group="metrics",
        task=NOISY,
        start=scored("ssim"),
        peers=(
            Peer("torchmetrics", "torchmetrics", "torchmetrics", torchmetrics, "functional, float32"),
            Peer("piq", "piq", "piq", piq, "functional, float32, without its halving of large images"),
            Peer("scikit-image", "scikit-image", "skimage", scikit_image, "float32"),
        ),
        quality=error("SSIM", TOLERANCE, exact),
    ),
)
