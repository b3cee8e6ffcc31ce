"""Risk against coverage: how fast the error falls when what a predictor warns of is given up first.

The risk at coverage c is the mean squared error of the share c of places with the lowest values of the predictor, over
the risk of all (`benchmarks.reliance.coverage.risk`, where equal values share their mean error).

    AURC        area under that curve, 1 for a random predictor
    AUSE        the same area less that of the oracle, which gives up the largest errors first; 0 for a perfect order
    reversed    AUSE of the same predictor, the lowest values given up first
    random      AUSE of a random order: what is under it warns, what is over it misleads

Sources: Y. Geifman, G. Uziel and R. El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers", ICLR
2019 (AURC); E. Ilg et al., "Uncertainty Estimates and Multi-Hypotheses Networks for Optical Flow", ECCV 2018 (AUSE).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.reliance.coverage import ause, risk
from benchmarks.reliance.data import Floats


class Areas(NamedTuple):
    """Areas of one image; NaN where it has no error."""

    aurc: float
    ause: float
    reversed: float
    random: float


def areas(predictor: Floats, error: Floats) -> Areas:
    """Return the areas of a predictor (P,) of squared errors (P,)."""
    own, random = ause(predictor, error)
    if np.isnan(own):
        return Areas(own, own, own, own)
    return Areas(float(risk(predictor, error).mean()), own, ause(-predictor, error)[0], random)
