"""Whether what a method removed looks like white noise: the correlation of neighbours in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

REACH = 2
"""Neighbours at most so many pixels away along each axis: 12 lags, one of each opposite pair."""


@dataclass(frozen=True)
class Whiteness:
    """Correlations of a residual r with itself, moved; NaN where r is constant.

    Attributes:
        across, down: ρ of the next pixel to the right, and of the next below: above 0 in removed structure, below 0
            where a filter took away more than the noise of single pixels.
        correlation: root mean square of ρ over all lags within REACH.
        expected: what `correlation` is near to if r is white noise.
    """

    across: float
    down: float
    correlation: float
    expected: float


def whiteness(residual: Tensor) -> Whiteness:
    """Measure the whiteness of r = y − x̂ (1,C,H,W).

        ρ(i,j) = mean of r̄(u,v) r̄(u+i,v+j) / mean of r̄²,        r̄ = r − its mean in the channel
        correlation = √(Σ ρ(i,j)² / L)  over the L = 12 lags

    The means are over all pixels that have the neighbour, and over channels. For white noise each ρ has mean 0 and
    standard deviation 1/√N, N = C H W, so that `expected` = 1/√N. The mean of a residual that is signal gives a
    constant, whatever the size.

    Source: G. E. P. Box and D. A. Pierce, "Distribution of Residual Autocorrelations in Autoregressive-Integrated
    Moving Average Time Series Models", JASA 65, 1970 (N L correlation² is their statistic); for residuals of image
    restoration M. S. C. Almeida and M. A. T. Figueiredo, "Parameter Estimation for Blind and Non-Blind Deblurring
    Using Residual Whiteness Measures", IEEE TIP 22(7), 2013.
    """
    r = residual.double()
    r = r - r.mean(dim=(2, 3), keepdim=True)
    power = float(r.square().mean())
    if power <= torch.finfo(residual.dtype).eps ** 2:
        return Whiteness(math.nan, math.nan, math.nan, 1 / math.sqrt(r.numel()))
    lags = [(i, j) for i in range(REACH + 1) for j in range(-REACH, REACH + 1) if i > 0 or j > 0]
    found = {lag: _product(r, *lag) / power for lag in lags}
    square = sum(value**2 for value in found.values()) / len(found)
    return Whiteness(found[0, 1], found[1, 0], math.sqrt(square), 1 / math.sqrt(r.numel()))


def _product(r: Tensor, down: int, across: int) -> float:
    height, width = r.shape[-2:]
    left, right = max(-across, 0), max(across, 0)
    here = r[..., : height - down, left : width - right]
    there = r[..., down:, right : width - left]
    return float((here * there).mean())
