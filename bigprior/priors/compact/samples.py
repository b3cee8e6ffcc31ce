"""A sheet of images that the compact prior draws."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from bigprior.priors.compact.prior import CompactPrior
from datasets.noise import NoNoise
from datasets.observation import Observation
from datasets.operators import Luma, Masking
from datasets.training_images import TrainingImages

SAMPLES = "compact-prior-samples.png"
SIDE = 128
COUNT = 8
LEGEND = (
    f"Rows, each image {SIDE}×{SIDE} pixels: eight draws from the prior, from seeds 0 to 7 and not chosen; eight",
    "held-out training images at half size; the same images with a hole of half the side; what the prior draws into",
    "the hole; its mean; their luma; the colours that it draws; its mean.",
)


def draw_samples(prior: CompactPrior, images: TrainingImages, file: Path) -> None:
    """Draw the sheet: samples of p(x), and of p(x | y) of images with a hole and of luma images."""
    from PIL import Image

    z = torch.stack([torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(k)) for k in range(COUNT)])
    sets = [x for x in images.validation() if x[0].shape[-1] >= 2 * SIDE and x[0].shape[-2] >= 2 * SIDE]
    chosen = [sets[k % len(sets)][k // len(sets)] for k in range(COUNT)]
    clean = torch.stack([avg_pool2d(x[:, : 2 * SIDE, : 2 * SIDE], 2) for x in chosen])
    mask = torch.ones_like(clean[:, :1])
    mask[..., SIDE // 4 : 3 * SIDE // 4, SIDE // 4 : 3 * SIDE // 4] = 0
    hole = Observation(clean * mask, Masking(mask), NoNoise())
    luma = Observation(Luma().forward(clean), Luma(), NoNoise())
    rows = [prior.decode((z,)), clean]
    for observation in (hole, luma):
        mean = prior.invert(observation).image
        rows += [observation.fidelity, prior.sample(observation, (z,)), mean]
    sheet = torch.cat([torch.cat(list(row.clamp(0, 1)), dim=2) for row in rows], dim=1)
    Image.fromarray(as_bytes(sheet).permute(1, 2, 0).numpy()).save(file)


def as_bytes(image: Tensor) -> Tensor:
    return (image * 255).round().to(torch.uint8)
