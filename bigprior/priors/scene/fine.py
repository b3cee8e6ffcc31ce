"""The fine network: what a photograph has beyond its coarse image, given that and the observation."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from bigprior.frozen import frozen
from bigprior.networks import BiasFreeUNet
from bigprior.priors.compact.means import CHANNELS, GRAY, Knowledge, with_luma
from bigprior.tiles import WIDE, tiled

WEIGHTS = Path(__file__).parents[2] / "weights" / "scene-fine.safetensors"
WHAT, REMEDY = "the fine network of the scene prior", "train it with `python -m bigprior.train fine`"
BLOCKS = (2, 2, 2, 2)


def untrained() -> BiasFreeUNet:
    """Return the network with random weights: (z, level, luma, whether luma is known, coarse) in, a correction out."""
    return BiasFreeUNet(9, 3, CHANNELS, BLOCKS)


def load_fine(
    file: Path = WEIGHTS, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> BiasFreeUNet:
    """Return the network, frozen and channels_last; it is read once per process.

    Raises:
        SuiteError: the file is not there or is of another network (the first missing and unexpected key are named).
    """
    return frozen(untrained, file, WHAT, REMEDY, torch.device(device), dtype)


def refine(network: BiasFreeUNet, known: Knowledge, coarse: Tensor) -> Tensor:
    """Return a photograph (N,3,H,W) in [0,1], not clipped, given what is known of it and its coarse image.

    With c = 1/√(1 + σ²) per pixel (1 where σ is not told, 0 where σ = ∞) and m the coarse image,

        x̂ = c² y + (1 − c²) m − F(c y + (1 − c) m, c σ, luma, m − ½).

    It is `bigprior.priors.compact.means.estimate` with m instead of a guess without knowledge, and with m as one input
    more; a known luma is given to m first, and to x̂ at the end. So a pixel that is known exactly is returned up to the
    correction F (whoever wants it exactly sets it), and F has nothing to do where m is the image already.

    Args:
        coarse: m (N,3,H,W), the coarse image enlarged to the size of the photograph.
    """

    def part(y: Tensor, sigma: Tensor, told: Tensor, luma: Tensor, coarse: Tensor) -> Tensor:
        return _corrected(network, Knowledge(y, sigma, told, luma if known.luma is not None else None), coarse)

    luma = torch.zeros_like(known.sigma) if known.luma is None else known.luma
    given = (known.y, known.sigma, known.told, luma, coarse)
    return tiled(part, *given, tile=WIDE, overlap=network.radius, multiple=network.multiple)


def _corrected(network: BiasFreeUNet, known: Knowledge, coarse: Tensor) -> Tensor:
    """The photograph; sides that the network takes."""
    luma = known.luma
    guess = coarse if luma is None else with_luma(coarse, luma)
    observed = torch.isfinite(known.sigma)
    finite = torch.where(observed, known.sigma, 0)
    c = torch.where(observed, (1 + finite.square() * known.told).rsqrt(), 0)
    level = torch.where(observed, c * finite * known.told, 1)
    y = torch.where(observed, known.y, guess)
    given = torch.zeros_like(level) if luma is None else luma
    flag = torch.full_like(level, float(luma is not None))
    x = torch.cat([c * y + (1 - c) * guess, level, given, flag, guess - GRAY], dim=1)
    correction = network(x.contiguous(memory_format=torch.channels_last)).to(y.dtype)
    skip = c.square()
    image = skip * y + (1 - skip) * guess - correction
    return image if luma is None else with_luma(image, luma)
