"""Masks with a guarantee: a threshold on a predictor, from images whose errors are known, that holds on the next image.

A mask gives up the pixels whose predictor is over t and keeps the others. A pixel is wrong if its error is over ε. Of
one image with P pixels the loss is

    L(t) = #{kept and wrong}/P in [0,1],

which does not fall as t rises. From n images of calibration two thresholds are chosen:

    risk    t̂ = max {t : (Σ_i L_i(t) + K(t))/(n + 1) ≤ α}, K(t) the share of the next image that is kept. If the n
            images and the next are exchangeable, E L(t̂) ≤ α: of the pixels of the next image, at most a share α is
            kept and wrong, on average over images and calibrations; and E L(t̂) ≥ α − 2/(n + 1), where L has no jumps.
            (Conformal risk control.)
    images  t̂ = the k-th smallest of T_i = max {t : L_i(t) ≤ δ}, k = ⌊α (n + 1)⌋. Then P(L(t̂) ≤ δ) ≥ 1 − α: in at
            least a share 1 − α of images no more than a share δ of the pixels is kept and wrong; and
            P ≤ 1 − α + 1/(n + 1) where no two T_i are equal. (Split conformal prediction.) Where k = 0 nothing can
            be kept.

Both are marginal: on average over the images of calibration and the next, not for every image, every pixel or every
draw of the calibration. Both hold for any predictor; a better one keeps more. Neither holds under shift.

Conformal risk control has 1, the largest loss, where K(t) stands. But no more can be wrong than is kept, and that is
known before the truth is: with t* = max {t : Σ_{n+1} L_i(t) ≤ α (n + 1)}, which does not depend on the order of the
n + 1 images, E L(t*) ≤ α by exchangeability, and K ≥ L_{n+1} gives t̂ ≤ t*. As K ≤ 1, t̂ is no smaller than theirs, so
the lower bound stands too.

The maximum is taken over a grid of thresholds. That makes t̂ smaller, so both upper bounds stand.

Sources: A. N. Angelopoulos, S. Bates, A. Fisch, L. Lei and T. Schuster, "Conformal Risk Control", ICLR 2024
(arXiv:2208.02814); V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World", Springer, 2005.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.reliance.data import Floats
from datasets.errors import SuiteError

POINTS = 1000
"""Thresholds of a grid, at quantiles of the predictor."""
ROUNDING = 1e-12
NOTHING = -1
"""Index of the mask that keeps nothing."""


def check_level(alpha: float) -> None:
    """Raise SuiteError if α is not a share between 0 and 1."""
    if not 0 < alpha < 1:
        raise SuiteError(f"α = {alpha:g} is out of range: give a share between 0 and 1, such as 0.1.")


def grid(predictors: Sequence[Floats], points: int = POINTS) -> Floats:
    """Return thresholds in ascending order: quantiles of the values of all images, and ∞, which keeps everything."""
    values = np.sort(np.concatenate([np.asarray(each) for each in predictors]))
    places = np.linspace(0, len(values) - 1, min(points, len(values))).round().astype(int)
    return np.append(np.unique(values[places]), np.inf)


def losses(predictor: Floats, wrong: NDArray[np.bool_], thresholds: Floats) -> tuple[Floats, Floats]:
    """Return L(t) and the share that is kept (T,), for pixels (P,) and thresholds (T,)."""
    order = np.argsort(predictor, kind="stable")
    kept = np.searchsorted(predictor[order], thresholds, side="right")
    count = np.concatenate([[0], np.cumsum(wrong[order])])
    return count[kept] / len(predictor), kept / len(predictor)


def risk_thresholds(calibration: Floats, kept: Floats, alpha: float) -> NDArray[np.int_]:
    """Return for each next image (m,) the index of its t̂ of the guarantee `risk`, or NOTHING.

    Args:
        calibration: L_i(t) (n,T).
        kept: K(t) of the next images (m,T).
        alpha: α.

    Raises:
        SuiteError: α is not in (0,1), or there are no images of calibration.
    """
    n = _count(calibration, alpha)
    within = (calibration.sum(axis=0) + kept) / (n + 1) <= alpha + ROUNDING
    return np.asarray(within.sum(axis=1)) - 1


def image_threshold(calibration: Floats, alpha: float, share: float) -> int:
    """Return the index of t̂ of the guarantee `images` with δ = `share`, or NOTHING; see `risk_thresholds`."""
    n = _count(calibration, alpha)
    rank = int(np.floor(alpha * (n + 1) + ROUNDING))
    return NOTHING if rank < 1 else int(np.sort((calibration <= share).sum(axis=1))[rank - 1]) - 1


def at(curves: Floats, index: int | NDArray[np.int_]) -> Floats:
    """Return the values (n,) of curves (n,T), each at its threshold or all at one; 0 where nothing is kept."""
    places = np.broadcast_to(index, len(curves))
    return np.where(places == NOTHING, 0.0, curves[np.arange(len(curves)), places])


def _count(calibration: Floats, alpha: float) -> int:
    check_level(alpha)
    if len(calibration) < 1:
        raise SuiteError("there are no images of calibration: give a set that has a training split.")
    return len(calibration)
