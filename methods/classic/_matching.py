"""For reference patches of an image, the patches nearest to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from methods.classic._patches import CPU_CHUNK, GPU_CHUNK, PATCH
from methods.classic.kernels import available

ALL_SHIFTS = 32
"""Times the chunk of one group that the distances of several references, to all candidates, may take."""


def reference_grid(extent: int, step: int) -> Tensor:
    """Return the places of reference patches, 0, step, 2·step … and extent − 1, int64."""
    places = torch.arange(0, extent, step)
    return places if int(places[-1]) == extent - 1 else torch.cat([places, torch.tensor([extent - 1])])


def reach(window: int) -> tuple[int, int]:
    """Return how far candidates lie before and after a reference, in a search window of that side."""
    return window // 2, window - 1 - window // 2


def fewest_candidates(places: tuple[int, int], window: int) -> int:
    """Return the candidates of the reference that has the fewest, in a corner of an image with so many patches."""
    return math.prod(min(extent, reach(window)[1] + 1) for extent in places)


def match_patches(channel: Tensor, step: int, window: int, k: int) -> Tensor:
    """Return the k nearest patches of each reference patch in Euclidean distance, nearest first.

    Args:
        channel: (H,W).
        step: distance of the reference patches.
        window: side of the square around a reference in which it is compared with all patches of the image.
        k: how many, at most `fewest_candidates`; the reference is the first.

    Returns:
        (k,G) int32, numbers of patches, row by row.
    """
    rows, columns = (reference_grid(side - PATCH + 1, step) for side in channel.shape)
    if available(channel):
        from methods.classic.kernels.block_matching import nearest_patches

        pixels = channel.detach().contiguous().numpy()
        return torch.from_numpy(nearest_patches(pixels, rows.numpy(), columns.numpy(), reach(window), k)).T
    return _match_on_tensors(channel, rows.to(channel.device), columns.to(channel.device), window, k)


def _match_on_tensors(channel: Tensor, rows: Tensor, columns: Tensor, window: int, k: int) -> Tensor:
    before, after = reach(window)
    width = channel.shape[1]
    places = width - PATCH + 1
    # A candidate outside is infinitely far.
    padded = pad(channel, (before, after, before, after), value=math.inf)
    numbers = ALL_SHIFTS * CPU_CHUNK if channel.device.type == "cpu" else GPU_CHUNK
    found = []
    for part in rows.split(max(1, numbers // (window**2 * len(columns)))):
        top, bottom = int(part[0]), int(part[-1]) + PATCH
        band = channel[top:bottom, None]
        distances = channel.new_empty(len(part), len(columns), window, window)
        for dy in range(window):
            shifted = padded[top + dy : bottom + dy].unfold(1, width, 1)
            squares = _eights(_eights((shifted - band).square_(), 0)[part - top], 2)
            distances[:, :, dy] = squares[..., columns].transpose(1, 2)
        distances[:, :, before, before] = -math.inf  # the reference itself
        nearest = distances.flatten(2).topk(k, dim=2, largest=False).indices
        own = part[:, None] * places + columns
        shift = (nearest // window - before) * places + nearest % window - before
        found.append((own[..., None] + shift).flatten(0, 1))
    return torch.cat(found).T.int()


def _eights(values: Tensor, dim: int) -> Tensor:
    """Return the sums of PATCH = 8 neighbours along a dimension."""
    for apart in (1, 2, 4):
        n = values.shape[dim] - apart
        values = values.narrow(dim, 0, n) + values.narrow(dim, apart, n)
    return values
