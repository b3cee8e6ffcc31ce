"""The fit of anchored regression, as `python -m methods.classic.fit_anchored` carries it out.

For each scale: anchors are the centres of a k-means of patch directions up to sign, weighted by the energy of the
patches; then, for every anchor, the least squares map from its patches to what bicubic enlargement lacks, with a ridge.
Patches of all training images enter, through sums of products alone; nothing of a single image is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from datasets.operators import LUMA
from datasets.resize import resize
from datasets.training_images import HELD_OUT, TrainingImages
from methods.classic._anchored import SIDE, centred_patches, detail, directions, nearest_anchor
from methods.classic.anchored_regression import TABLE, symmetric_detail

SET = "cbsd432"
SCALES = (2, 3, 4)
ANCHORS = 384
SAMPLES = 400
"""Patches of an image that the k-means sees."""
PATCHES = 9600
"""Patches of an image that the maps are fitted to: about all that there are at ×4."""
ROUNDS = 25
"""Of the k-means."""
RIDGE = 1e-3
"""Added to the diagonal of the mean of p pᵀ, times its mean."""


def luma(image: Tensor) -> Tensor:
    """Return the luma (1,1,H,W) in [0,1] of a colour image (3,H,W), in [0,1] or in bytes."""
    rgb = image if image.is_floating_point() else image.float() / 255
    return (rgb * rgb.new_tensor(LUMA).view(3, 1, 1)).sum(dim=0)[None, None]


def pair(image: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """Return the patches (P,49) of the reduced luma, and what its enlargement lacks in their middles (P,s²)."""
    x = luma(image)
    h, w = (side // scale for side in x.shape[-2:])
    x = x[..., : h * scale, : w * scale]
    y = resize(x, h, w)
    lacks = (x - resize(y, *x.shape[-2:])).view(h, scale, w, scale).permute(0, 2, 1, 3)
    return centred_patches(y)[0, 0], lacks.reshape(h * w, scale**2)


def find_anchors(images: Iterable[Tensor], scale: int) -> Tensor:
    """Return the anchors (K,49), of unit length."""
    random = torch.Generator().manual_seed(0)
    drawn = []
    for image in images:
        patches, _ = pair(image, scale)
        energy = patches.square().sum(dim=1)
        # Edges matter more than the flat: patches are drawn by their length.
        drawn.append(patches[torch.multinomial(energy.sqrt() + 1e-6, SAMPLES, generator=random)])
    points = directions(torch.cat(drawn))
    anchors = points[torch.randperm(len(points), generator=random)[:ANCHORS]]
    for _ in range(ROUNDS):
        likeness = points @ anchors.mT
        chosen = likeness.abs().argmax(dim=1)
        sign = likeness.gather(1, chosen[:, None]).sign()
        total = torch.zeros_like(anchors).index_add_(0, chosen, sign * points)
        length = total.norm(dim=1, keepdim=True)
        anchors = torch.where(length > 0, total / length.clamp(min=1e-12), anchors)
    return anchors


def fit(images: Iterable[Tensor], scale: int, anchors: Tensor) -> Tensor:
    """Return the maps (K,49,s²)."""
    size = SIDE * SIDE
    gram = torch.zeros(len(anchors), size, size, dtype=torch.float64)
    cross = torch.zeros(len(anchors), size, scale**2, dtype=torch.float64)
    random = torch.Generator().manual_seed(1)
    for image in images:
        patches, lacks = pair(image, scale)
        drawn = torch.randperm(len(patches), generator=random)[:PATCHES]
        patches, lacks = patches[drawn], lacks[drawn]
        chosen = nearest_anchor(patches, anchors)
        order = chosen.argsort(stable=True)
        ends = chosen.bincount(minlength=len(anchors)).cumsum(dim=0).tolist()
        patches, lacks = patches[order], lacks[order]
        for k, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            own = patches[begin:end]
            gram[k] += own.mT @ own
            cross[k] += own.mT @ lacks[begin:end]
    power = gram.diagonal(dim1=1, dim2=2).mean(dim=1).clamp(min=1e-9)[:, None, None]
    maps: Tensor = torch.linalg.solve(gram + RIDGE * power * torch.eye(size, dtype=torch.float64), cross)
    return maps.float()


def decibel(error: Tensor, border: int) -> float:
    """Return the PSNR of an error (1,1,H,W) without its border."""
    return float(-10 * error[..., border:-border, border:-border].square().mean().log10())


def validated(images: Iterable[Tensor], scale: int, anchors: Tensor, maps: Tensor) -> list[float]:
    """Return the mean PSNR of bicubic, of one pass and of the mean over 8 symmetries, luma, before back-projection."""
    found = []
    for image in images:
        x = luma(image)
        h, w = (side // scale for side in x.shape[-2:])
        x = x[..., : h * scale, : w * scale]
        y = resize(x, h, w)
        missing = resize(y, *x.shape[-2:]) - x
        once, often = detail(y, y, anchors, maps), symmetric_detail(y, anchors, maps)
        found.append([decibel(missing, scale), decibel(missing + once, scale), decibel(missing + often, scale)])
    return torch.tensor(found, dtype=torch.float64).mean(dim=0).tolist()


CARD = """# Anchored regression

Fitted by `python -m methods.classic.fit_anchored`, which has the method and its constants.

- Data: the training images of `cbsd432` but for the last {held}, luma, reduced by MATLAB's bicubic `imresize`; disjoint
  from BSD68, Set5, Set14 and all other test sets.
- Content: for each of the scales 2, 3 and 4 `anchors-s` ({anchors}, 49) and `maps-s` ({anchors}, 49, s²), float16:
  the maps take a 7×7 patch, less its mean, to what the bicubic enlargement lacks in the s×s pixels of its middle.
  Statistics over training patches; nothing of a single image is kept.
- Licence: the photographs are for non-commercial research (Berkeley); the numbers are this project's.
- Use: the row `anchored-regression`. Known weaknesses: fitted without noise, which it amplifies; one kind of reduction.
- Validation, mean PSNR in dB of luma (0 to 1, borders of s pixels left out) over the {held} images that were held out,
  before back-projection:

| scale | bicubic | one pass | 8 symmetries | seconds to fit, of one core |
| --- | ---: | ---: | ---: | ---: |
"""


def write_table(folder: Path) -> None:
    """Fit all scales, and write the table and its card.

    Raises:
        SuiteError: the training images are not there.
    """
    training = TrainingImages((SET,))
    images = training.fit[0]
    held_out = training.validation()[0]
    table: dict[str, Tensor] = {}
    card = CARD.format(held=HELD_OUT, anchors=ANCHORS)
    for scale in SCALES:
        began = time.process_time()
        anchors = find_anchors(images, scale).half()
        maps = fit(images, scale, anchors.float()).half()
        table |= {f"anchors-{scale}": anchors.contiguous(), f"maps-{scale}": maps.contiguous()}
        seconds = time.process_time() - began
        scores = validated(held_out, scale, anchors.float(), maps.float())
        line = f"| {scale} | {' | '.join(f'{score:.2f}' for score in scores)} | {seconds:.0f} |\n"
        print(line, end="", flush=True)
        card += line
    save_file(table, folder / TABLE.name)
    (folder / TABLE.with_suffix(".md").name).write_text(card, "utf-8")
