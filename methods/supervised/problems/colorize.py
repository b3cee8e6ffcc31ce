"""Colour from luma."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from bigprior.cielab import UNIT, ab_distance, chroma_plane
from bigprior.networks import GatedUNet
from bigprior.training import Problem, Recipe
from datasets.operators import Luma
from datasets.training_images import TrainingImages
from methods.supervised._chroma import MEMBERS, ChromaEnsemble, colorize, untrained
from methods.supervised.problems.guide import FEATURES, GRID, Seen

EXPOSURE = (0.75, 1.25)
"""Range of the factor by which a crop is made darker or brighter: 250 images a set are few."""
THRESHOLDS = 150


class Guided(nn.Module):
    """The colorization networks, and what tells features of VGG16 from their coarsest levels while they are trained."""

    def __init__(self) -> None:
        super().__init__()
        self.ensemble = untrained()
        self.guides = nn.ModuleList(nn.Conv2d(member.coarsest, FEATURES, 1) for member in self.ensemble.each())


class Coloured(NamedTuple):
    """Clean crops (N,3,S,S), the numbers (N,) of their images in their sets, and the features to be told.

    The features are directions (N,FEATURES,S/16,S/16), or None if the network is not guided.
    """

    clean: Tensor
    number: Tensor
    features: Tensor | None


@dataclass(frozen=True)
class Colorization(Problem[Guided, Coloured]):
    """The mean over pixels of √(‖Δab‖² + 1)/10, and w times one minus the cosine between features of VGG16 and F's.

    ‖Δab‖ is the distance in the CIE ab plane after clipping to the RGB cube. AuC is 100 (1 − E min(⌈‖Δab‖⌉, 150)/150),
    so the first term is AuC but for rounding. Its minimiser is the geometric median of the plausible colours of a
    pixel, which is less gray than their mean and grayer than any of them.

    Both are means over the members of the ensemble and the crops that they may see (`ChromaEnsemble`).

    The second term makes a network tell from luma alone what VGG16 sees in the colour image: what objects there are. It
    is there because networks memorise colours long before they learn objects.

    Args:
        guide: w. With 0 the features are not asked for.
    """

    images: TrainingImages
    guide: float = 2.0
    selection: ClassVar[str] = "AuC"

    def network(self) -> Guided:
        return Guided()

    def kept(self, network: Guided) -> ChromaEnsemble:
        return network.ensemble

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Coloured:
        crops = self.images.upright_on_a_grid(random, recipe.batch, recipe.size, GRID)
        exposure = torch.from_numpy(random.uniform(*EXPOSURE, (recipe.batch, 1, 1, 1)).astype(np.float32))
        clean = (torch.stack([crop.image for crop in crops]) * exposure).clamp_(0, 1)
        number = torch.tensor([crop.number for crop in crops])
        if not self.guide:
            return Coloured(clean, number, None)
        return Coloured(clean, number, torch.stack([self._seen.of(crop, recipe.size) for crop in crops]))

    def loss(self, network: Guided, batch: Coloured, progress: float) -> Tensor:
        losses = []
        for k, (member, guide) in enumerate(zip(network.ensemble.each(), network.guides, strict=True)):
            seen = batch.number % MEMBERS != k
            if bool(seen.any()):
                features = None if batch.features is None else batch.features[seen]
                losses.append(self._loss_of(member, guide, batch.clean[seen], features))
        return torch.stack(losses).mean()

    def _loss_of(self, member: GatedUNet, guide: nn.Module, clean: Tensor, features: Tensor | None) -> Tensor:
        coarsest: list[Tensor] = []
        hook = member.middle.register_forward_hook(lambda _module, _inputs, output: coarsest.append(output))
        restored = colorize(member, Luma().forward(clean))
        hook.remove()
        with torch.autocast(clean.device.type, enabled=False):
            distance = ab_distance(restored, clean).mean() / UNIT
        if features is None:
            return distance
        told = guide(coarsest[0])
        with torch.autocast(clean.device.type, enabled=False):
            return distance + self.guide * (1 - cosine_similarity(told.float(), features, dim=1).mean())

    @cached_property
    def _seen(self) -> Seen:
        return Seen(self.images)

    @torch.no_grad()
    def validate(self, network: Guided) -> dict[str, float]:
        """AuC in %, PSNR in dB (the median over images) and colourfulness, that of the truth beside it."""
        clean = torch.stack([image for images in self.images.validation() for image in images])
        restored = torch.cat([colorize(network.ensemble, Luma().forward(x)) for x in clean.split(8)])
        restored = (restored.clamp(0, 1) * 255).round() / 255
        distance = (chroma_plane(restored) - chroma_plane(clean)).square().sum(dim=1).sqrt()
        psnr = -10 * (restored - clean).square().mean(dim=(1, 2, 3)).clamp_min(1e-8).log10()
        return {
            "AuC": 100 * (1 - float(distance.ceil().clamp_max(THRESHOLDS).mean()) / THRESHOLDS),
            "PSNR": float(psnr.median()),
            "colourfulness": float(colourfulness(restored).mean()),
            "colourfulness of the truth": float(colourfulness(clean).mean()),
        }


def colourfulness(image: Tensor) -> Tensor:
    """Return the colourfulness M⁽³⁾ (N,) of sRGB images (N,3,H,W) in [0,1], on the scale of bytes.

    D. Hasler and S. Süsstrunk, "Measuring Colourfulness in Natural Images", Human Vision and Electronic Imaging 2003.
    """
    r, g, b = (255 * image).flatten(2).unbind(dim=1)
    opponents = torch.stack([r - g, (r + g) / 2 - b])
    return opponents.std(dim=2).norm(dim=0) + 0.3 * opponents.mean(dim=2).norm(dim=0)
