"""What the rows for counts are told of the noise."""

from __future__ import annotations

from datasets.counts import PoissonGaussian
from datasets.observation import Observation


def law(observation: Observation) -> PoissonGaussian:
    """Return the law of the noise of an observation.

    Raises:
        ValueError: it is hidden, or not Poisson–Gaussian.
    """
    noise = observation.noise
    if not isinstance(noise, PoissonGaussian):
        raise ValueError(f"made for {PoissonGaussian.title}, and must be told its gain and σ")
    return noise
