"""Is a variance over draws as large as the squared error is?

If x̂ is the mean of K draws of p(x | y) and x one more, E (x̂ − x)² = (1 + 1/K) v, v their variance. So

    ratio       mean squared error over (1 + 1/K) × mean variance: 1 if it is calibrated, over 1 if it is overconfident
    within k s  the share of numbers with |x̂ − x| ≤ k s, s = √((1 + 1/K) v): 68.3, 95.4 and 99.7% of a normal posterior
                whose variance is known; of K draws it is that of Student's t with K − 1 degrees of freedom

ratio is given for ten bins of equal count of the variance too, over the pixels of all images.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from benchmarks.reliance.data import Floats

WIDTHS = (1, 2, 3)
"""The k of ±k s."""
BINS = 10


def inflation(draws: int) -> float:
    """Return 1 + 1/K, that by which a mean of K draws errs more than the mean of the posterior."""
    return 1 + 1 / draws


def bins(variance: Floats, error: Floats, draws: int) -> pd.DataFrame:
    """Return a line per bin: expected and measured root mean square error, their squared ratio, and the count.

    Args:
        variance, error: v and (x̂ − x)² per pixel (P,), on one scale.
        draws: K.
    """
    places = np.minimum((rankdata(variance) - 0.5) * BINS / len(variance), BINS - 1).astype(int)
    table = pd.DataFrame({"bin": places, "variance": inflation(draws) * variance, "error": error})
    grouped = table.groupby("bin").agg(
        expected=("variance", "mean"), measured=("error", "mean"), pixels=("error", "size")
    )
    ratio = grouped.measured / grouped.expected.where(grouped.expected > 0)
    return grouped.assign(ratio=ratio, expected=np.sqrt(grouped.expected), measured=np.sqrt(grouped.measured))


def ratio(variance: Floats, error: Floats, draws: int) -> float:
    """Return mean squared error over (1 + 1/K) × mean variance; NaN where nothing varies."""
    expected = inflation(draws) * float(variance.mean())
    return float(error.mean()) / expected if expected > 0 else float("nan")
