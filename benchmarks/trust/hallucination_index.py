"""The Hallucination Index: how far the distribution of restorations is from one that invents nothing.

M. Tivnan et al., "Hallucination Index: An Image Quality Metric for Generative Reconstruction Models", MICCAI 2024
(arXiv:2407.12780) compute the Hellinger distance from the distribution of reconstructed images, of repeated
measurements and draws, to a reference without hallucination: the truth with the white noise of a forward diffusion.
Both are told by mean and covariance.

This is the definition of the paper's abstract; the body was not at hand. What it leaves open is chosen here:

- the covariance is diagonal (K draws of an image tell no more), so the affinity of the two Gaussians is a product over
  numbers. A product over 10⁵ of them is 0 whatever is compared, so the index is that of one number: with
  BC_i = √(2 s_i τ/(s_i² + τ²)) exp(−(m_i − x_i)²/(4 (s_i² + τ²))), H = √(1 − exp(mean_i ln BC_i)).
- the noise of the reference, τ², is the mean variance of the draws: the truth made as noisy as the draws are.
- images have 8 bits: rounding, (1/255)²/12, is part of every variance. So a method that draws nothing has an index too.

0: draws scatter about the truth as white noise would. 1: they never come near it.
"""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = (1 / 255) ** 2 / 12


def hallucination_index(draws: Tensor, clean: Tensor, region: Tensor | None = None) -> Tensor:
    """Return the index (N,) in [0,1].

    Args:
        draws: (K,N,C,H,W), K ≥ 1 restorations of each image.
        clean: x (N,C,H,W).
        region: (N,1,H,W), 1 at pixels that count; all of them if it is not given.

    Raises:
        ValueError: shapes that do not fit, or a region without pixels.
    """
    if draws.ndim != 5 or draws.shape[1:] != clean.shape or not len(draws):
        raise ValueError(f"draws must be (K,{', '.join(map(str, clean.shape))}), got {tuple(draws.shape)}")
    drawn, truth = draws.double(), clean.double()
    weight = torch.ones_like(truth) if region is None else region.double().expand_as(truth)
    count = weight.flatten(1).sum(1)
    if not bool((count > 0).all()):
        raise ValueError("the region of an image has no pixels")
    mean = drawn.mean(dim=0)
    variance = drawn.var(dim=0, unbiased=True) if len(drawn) > 1 else torch.zeros_like(mean)
    variance = variance + ROUNDING
    reference = ((variance * weight).flatten(1).sum(1) / count).view(-1, 1, 1, 1)
    both = variance + reference
    log = 0.5 * (2 * (variance * reference).sqrt() / both).log() - (mean - truth).square() / (4 * both)
    affinity = ((log * weight).flatten(1).sum(1) / count).exp()
    return (1 - affinity).clamp(0, 1).sqrt()
