"""A sheet of what the scene prior draws, with the nearest training photographs, and whether draws are recognised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, normalize

from bigprior.priors.perceptual import vgg16_layers
from bigprior.priors.scene.flow import flow
from bigprior.priors.scene.network import CLASSES
from bigprior.priors.scene.photographs import Photographs, centre
from bigprior.priors.scene.prior import SIDE, ScenePrior
from bigprior.priors.scene.samplers.base import generator

SHEET = "scene-prior-samples.png"
COLUMNS = 8
RECOGNISED = ("bedroom", "church", "conference")
"""Classes whose draws are compared with held-out photographs."""
PER_CLASS = 20
NEIGHBOURS = 5
LAYERS = 4
"""Of VGG16, the last of which (relu4_3) is compared."""
STEADY = 1e-3
"""Share of the mean deviation that is added to the deviation of each feature."""
ENLARGED = 2
"""Factor by which images are enlarged before VGG16 sees them."""
COARSE = 4
"""Pixels are compared in means over COARSE×COARSE."""
TOGETHER = 8
"""Images that the network denoises at once."""


@dataclass(frozen=True)
class Figures:
    """What was measured of draws.

    Attributes:
        recognised: share of the draws of `RECOGNISED` whose nearest held-out photographs are mostly of their class.
        real: the same share of training photographs of these classes, as many: what k-NN can do.
        per_class: of the draws.
        nearest: mean distance of a draw to the nearest training photograph, over that of held-out photographs.
    """

    recognised: float
    real: float
    per_class: dict[str, float]
    nearest: float


def draw(prior: ScenePrior, label: str, count: int, steps: int) -> Tensor:
    """Return draws of a class (count,3,SIDE,SIDE) on the [-1,1] scale, from seeds 0, 1, …, in 256 levels."""
    number = CLASSES.index(label)
    z = torch.stack([torch.randn(3, SIDE, SIDE, generator=generator(seed, number)) for seed in range(count)])
    parts = [flow(prior.denoiser(label), part, steps) for part in z.split(TOGETHER)]
    return as_levels(torch.cat(parts)).float() / 127.5 - 1


def as_levels(images: Tensor) -> Tensor:
    """Return images on the [-1,1] scale as uint8."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def measure(draws: dict[str, Tensor], photographs: Sequence[Photographs]) -> Figures:
    """Recognise draws by k-NN among held-out photographs, and find how near training photographs are.

    Raises:
        SuiteError: the features of VGG16 are unavailable.
    """
    held_out, own = _by_class(photographs, held_out=True), _by_class(photographs, held_out=False)
    known = torch.cat([features(held_out[name]) for name in RECOGNISED])
    labels = torch.cat([torch.full((len(held_out[name]),), k) for k, name in enumerate(RECOGNISED)])

    def rate(images: Tensor, label: int) -> float:
        return recognised(standardized(features(images), known), standardized(known, known), labels, label)

    rates = {name: rate(draws[name], k) for k, name in enumerate(RECOGNISED)}
    real = [rate(own[name][:PER_CLASS], k) for k, name in enumerate(RECOGNISED)]
    training = coarse(torch.cat(list(own.values())))
    distances = [
        torch.cdist(coarse(torch.cat(list(images.values()))), with_mirrored(training)).amin(dim=1).mean()
        for images in (draws, held_out)
    ]
    return Figures(sum(rates.values()) / len(rates), sum(real) / len(real), rates, float(distances[0] / distances[1]))


def sheet(draws: dict[str, Tensor], photographs: Sequence[Photographs], file: Path) -> None:
    """Write a PNG of pairs of rows: draws of a class, and below each the nearest training photograph.

    `COLUMNS` draws of every class, in the order of CLASSES. Photographs are mirrored or not, and compared by the mean
    square over COARSE×COARSE means.
    """
    from PIL import Image

    training = torch.cat(list(_by_class(photographs, held_out=False).values()))
    training = torch.cat([training, training.flip(-1)])
    rows = []
    for name in CLASSES:
        row = draws[name][:COLUMNS]
        nearest = torch.cdist(coarse(row), coarse(training)).argmin(dim=1)
        rows += [torch.cat(list(images), dim=2) for images in (row, training[nearest])]
    pixels = as_levels(torch.cat(rows, dim=1))
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, optimize=True)


@torch.no_grad()
def features(images: Tensor) -> Tensor:
    """Return features (N,512) of images on the [-1,1] scale: the means over pixels of relu4_3 of VGG16."""
    large = interpolate((images + 1) / 2, scale_factor=ENLARGED, mode="bicubic", antialias=True).clamp(0, 1)
    layers = vgg16_layers(images.device, torch.float32, LAYERS)
    return torch.cat([layers(part)[-1].mean(dim=(2, 3)) for part in large.split(TOGETHER)])


def standardized(found: Tensor, known: Tensor) -> Tensor:
    """Return features of unit length, after each was given mean 0 and deviation 1 over the known images."""
    deviation = known.std(dim=0)
    return normalize((found - known.mean(dim=0)) / (deviation + STEADY * deviation.mean()), dim=1)


def recognised(found: Tensor, known: Tensor, labels: Tensor, label: int) -> float:
    """Return the share of images with this label among whose nearest known ones, by cosine, it is the most frequent.

    Of labels that are equally frequent, that of the nearest image counts.
    """
    nearest = labels[(found @ known.T).topk(NEIGHBOURS, dim=1).indices]
    votes = torch.stack([(nearest == k).sum(dim=1) for k in range(int(labels.max()) + 1)], dim=1).float()
    votes.scatter_add_(1, nearest[:, :1], torch.full_like(votes[:, :1], 0.5))
    return int((votes.argmax(dim=1) == label).sum()) / len(found)


def coarse(images: Tensor) -> Tensor:
    """Return the means over COARSE×COARSE pixels as vectors (N,…)."""
    return avg_pool2d(images, COARSE).flatten(1)


def with_mirrored(vectors: Tensor) -> Tensor:
    """Return vectors of `coarse` and those of the mirrored images."""
    maps = vectors.unflatten(1, (3, SIDE // COARSE, SIDE // COARSE))
    return torch.cat([vectors, maps.flip(-1).flatten(1)])


def _by_class(photographs: Sequence[Photographs], held_out: bool) -> dict[str, Tensor]:
    """The centres of the photographs, by class."""
    found: dict[str, list[Tensor]] = {}
    for each in photographs:
        images = each.held_out if held_out else each.fit
        found.setdefault(CLASSES[each.label], []).extend(centre(image, SIDE) for image in images)
    return {name: torch.stack(images) for name, images in found.items()}
