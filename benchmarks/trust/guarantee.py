"""Masks calibrated on validation images, and how they keep their promise on test images of the same set and others.

coverage    1 − the mean loss over test images: the share of pixels that are given up or right; 1 − α or more is
            promised, over 1 − α by no more than 2/(n + 1) wanted
se          standard error of that mean over the test images, the mask held fixed
kept        the share of pixels that the mask keeps, and `pure` the share of those that are right
bare        the coverage without a mask, all pixels kept
images      the share of test images with no more than a share δ of pixels kept and wrong, of the other guarantee
resampled   the coverage when validation and test images are mixed and parted at random, mean of RESPLITS: then they
            are exchangeable by construction
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.reliance.data import Floats
from benchmarks.trust.conformal import at, grid, image_threshold, losses, risk_thresholds
from benchmarks.trust.maps import Maps

RESPLITS = 200
ALL = "all sets"


@dataclass(frozen=True)
class Curves:
    """Losses and kept shares of the images of one set, on one grid of thresholds.

    Attributes:
        loss, kept: (n,T).
    """

    loss: Floats
    kept: Floats

    @staticmethod
    def cat(parts: Sequence[Curves]) -> Curves:
        """Return the images of several sets together."""
        return Curves(np.concatenate([part.loss for part in parts]), np.concatenate([part.kept for part in parts]))


def curves(images: Sequence[Maps], name: str, thresholds: Floats, epsilon: float) -> Curves:
    """Return the curves of images with predictor `name`; ε on the 0–255 scale."""
    pairs = [losses(predictor, error > epsilon**2, thresholds) for predictor, error in (m.places(name) for m in images)]
    return Curves(np.stack([loss for loss, _ in pairs]), np.stack([kept for _, kept in pairs]))


def with_all(sets: Mapping[str, Curves]) -> dict[str, Curves]:
    """Return the sets and, where there are several, all of them as one."""
    return dict(sets) | ({ALL: Curves.cat(list(sets.values()))} if len(sets) > 1 else {})


def masks(
    calibration: Mapping[str, Sequence[Maps]],
    test: Mapping[str, Sequence[Maps]],
    name: str,
    epsilon: float,
    alpha: float,
    share: float,
    shifted: Mapping[str, Mapping[str, Sequence[Maps]]] | None = None,
) -> pd.DataFrame:
    """Calibrate on each set and on all, test each mask on each; a line for every pair.

    Args:
        calibration, test: set → images; sets of one name are parts of the same distribution.
        name: of the predictor.
        epsilon: ε on the 0–255 scale.
        alpha: α.
        share: δ of the guarantee `images`.
        shifted: name of another degradation → set → test images under it; nothing is calibrated on them.

    Raises:
        SuiteError: α is not in (0,1).
    """
    thresholds = grid([maps.predictors[name][maps.region] for images in calibration.values() for maps in images])
    fits = with_all({label: curves(images, name, thresholds, epsilon) for label, images in calibration.items()})
    tests = with_all({label: curves(images, name, thresholds, epsilon) for label, images in test.items()})
    for shift, sets in (shifted or {}).items():
        found = with_all({label: curves(images, name, thresholds, epsilon) for label, images in sets.items()})
        tests |= {f"{label}, {shift}": values for label, values in found.items()}
    lines = []
    for fitted, fit in fits.items():
        other = image_threshold(fit.loss, alpha, share)
        for tested, held in tests.items():
            chosen = risk_thresholds(fit.loss, held.kept, alpha)
            loss, kept = at(held.loss, chosen), at(held.kept, chosen)
            lines.append(
                {
                    "calibrated": fitted,
                    "tested": tested,
                    "n": len(fit.loss),
                    "images_tested": len(loss),
                    "coverage": 1 - loss.mean(),
                    "se": loss.std(ddof=1) / np.sqrt(len(loss)) if len(loss) > 1 else np.nan,
                    "kept": kept.mean(),
                    "pure": 1 - loss.sum() / kept.sum() if kept.sum() > 0 else np.nan,
                    "bare": 1 - held.loss[:, -1].mean(),
                    "images": float((at(held.loss, other) <= share).mean()),
                    "images_kept": at(held.kept, other).mean(),
                    "resampled": resampled(fit, held, alpha) if fitted == tested else np.nan,
                }
            )
    return pd.DataFrame(lines)


def resampled(calibration: Curves, test: Curves, alpha: float, times: int = RESPLITS) -> float:
    """Return the mean coverage of `risk` over random partings of all images into as many for either."""
    every, n = Curves.cat([calibration, test]), len(calibration.loss)
    random = np.random.RandomState(0)
    found = []
    for _ in range(times):
        order = random.permutation(len(every.loss))
        index = risk_thresholds(every.loss[order[:n]], every.kept[order[n:]], alpha)
        found.append(1 - at(every.loss[order[n:]], index).mean())
    return float(np.mean(found))
