"""Exemplar-based inpainting: the hole is rebuilt from patches of the same image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage

from datasets.spec import Within
from methods.classic._inpainting import Bools, Floats, Inpainting, laplacian_rows, solve_in_hole

CHUNK = 256
"""Target patches compared with a block of source patches at once."""
BLOCK = 2**18
"""Source patches held at once, which bounds the memory: as many as an image of 512×512 has."""
Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Exemplar(Inpainting):
    """Patch voting over scales: the fill x and the source patches s(p) lower Σ_p ‖x_p − y_s(p)‖² in turn.

    On a pyramid of factor 2, coarsest first, from the harmonic fill, for all patches p that meet the hole:

    1. search: s(p) = the fully observed patch nearest to x_p (exhaustive, in the leading principal components of the
       source patches);
    2. vote: every pixel of the hole becomes the mean of what the patches over it say, weighted by
       exp(−d_p² / 2τ²), τ² the 75th percentile of the squared distances d_p².

    The pyramid ends where no pixel of the hole is farther than half a patch from an observed one, or before no source
    patch is left. The fill of a level, enlarged bilinearly, starts the next. Where no patch of the given size was
    observed at all, the size shrinks until there is one.

    Deviations from the sources: images and not videos; exhaustive search in a few principal components in place of
    approximate nearest neighbours; no texture features; on the finest level only every `stride`-th patch votes.

    Args:
        patch: side of a patch in pixels.
        components: principal components of a patch that are compared.
        iterations: searches and votes on each level but the finest.
        finest: the same on the finest level.
        stride: step between the patches of the finest level, at most `patch`, so that every pixel gets a vote.

    Sources: Y. Wexler, E. Shechtman and M. Irani, "Space-Time Completion of Video", IEEE TPAMI 29(3), 2007;
    A. Newson, A. Almansa, M. Fradet, Y. Gousseau and P. Pérez, "Video Inpainting of Complex Scenes", SIAM Journal on
    Imaging Sciences 7(4), 2014.
    """

    name: ClassVar[str] = "exemplar"
    summary: ClassVar[str] = "multi-scale exemplar-based inpainting by patch voting"
    citation: ClassVar[str] = (
        "Y. Wexler, E. Shechtman, M. Irani, Space-Time Completion of Video, IEEE TPAMI, 2007; "
        "A. Newson et al., Video Inpainting of Complex Scenes, SIAM J. Imaging Sci., 2014"
    )

    patch: Annotated[int, Within(1, 63, odd=True)] = 7
    components: Annotated[int, Within(1, 1000)] = 12
    iterations: Annotated[int, Within(0, 1000)] = 10
    finest: Annotated[int, Within(0, 1000)] = 6
    stride: Annotated[int, Within(1, 63)] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stride > self.patch:
            raise ValueError(f"stride must be from 1 to the patch size {self.patch}, got {self.stride}")

    def fill(self, image: Floats, hole: Bools) -> Floats:
        patch = self.patch
        while not sources(hole, patch).any():
            patch -= 2
        levels = [(image, hole)]
        while ndimage.distance_transform_cdt(hole).max() > patch // 2:
            image, hole = halved(image, hole)
            if not sources(hole, patch).any():
                break
            levels.append((image, hole))

        image, hole = levels.pop()
        x = solve_in_hole(laplacian_rows(hole), image, hole)
        x = self.complete(x, hole, patch, finest=not levels)
        while levels:
            image, hole = levels.pop()
            coarse, x = x, image.copy()
            x[hole] = enlarged(coarse, hole.shape)[hole]
            x = self.complete(x, hole, patch, finest=not levels)
        return x

    def complete(self, x: Floats, hole: Bools, patch: int, finest: bool) -> Floats:
        """Alternate search and vote on one level, from the fill that x (H,W,C) holds."""
        stride, iterations = (min(self.stride, patch), self.finest) if finest else (1, self.iterations)
        pixels, source, target = x.astype(np.float32), np.argwhere(sources(hole, patch)), targets(hole, patch, stride)
        blocks = [source[i : i + BLOCK] for i in range(0, len(source), BLOCK)]
        mean, axes = principal(pixels, blocks, patch, self.components)

        def described(x: Floats | Singles, corners: NDArray[np.intp]) -> Singles:
            coordinates: Singles = np.matmul(patches(x, corners, patch) - mean, axes)
            return coordinates

        only = [described(pixels, blocks[0])] if len(blocks) == 1 else None
        previous = None
        for _ in range(iterations):
            databases = only or (described(pixels, block) for block in blocks)
            nearest, distance = search(described(x, target), databases)
            if previous is not None and np.array_equal(nearest, previous):
                break
            previous = nearest
            x = vote(x, hole, patches(pixels, source[nearest], patch), distance, target, patch)
        return x


def sources(hole: Bools, patch: int) -> Bools:
    """Return where (top left corners) a patch fits into the image without touching the hole."""
    if min(hole.shape) < patch:
        return np.zeros((0, 0), dtype=bool)
    return np.logical_not(sliding_window_view(hole, (patch, patch)).any(axis=(-2, -1)))


def targets(hole: Bools, patch: int, stride: int) -> NDArray[np.intp]:
    """Return the top left corners (T,2) of the patches that touch the hole, on a grid of step `stride`.

    The last row and column of corners belong to the grid, so that every pixel is in a patch of it.
    """
    touching = ~sources(hole, patch)
    on_grid = np.zeros_like(touching)
    rows, columns = (np.append(np.arange(0, n - 1, stride), n - 1) for n in touching.shape)
    on_grid[np.ix_(rows, columns)] = True
    return np.argwhere(touching & on_grid)


def principal(
    pixels: Singles, blocks: Sequence[NDArray[np.intp]], patch: int, components: int
) -> tuple[Singles, Singles]:
    """Return the mean (n,) and the principal components (n,components), the first one last, of the patches at corners.

    Args:
        pixels: (H,W,C).
        blocks: the corners, so many at a time.
    """
    count = sum(map(len, blocks))
    total = sum(len(block) * patches(pixels, block, patch).mean(axis=0).astype(np.float64) for block in blocks)
    mean = (total / count).astype(np.float32)
    centred = (patches(pixels, block, patch) - mean for block in blocks)
    # eigh sorts its eigenvalues upwards: the principal components are the last eigenvectors.
    axes = np.linalg.eigh(sum(part.T @ part for part in centred))[1].astype(np.float32, copy=False)
    return mean, axes[:, -components:]


def patches(x: Floats | Singles, corners: NDArray[np.intp], patch: int) -> Singles:
    """Return the patches (T, patch·patch·C) at the given corners of an image (H,W,C)."""
    windows = sliding_window_view(x.astype(np.float32, copy=False), (patch, patch), axis=(0, 1))
    return windows[corners[:, 0], corners[:, 1]].transpose(0, 2, 3, 1).reshape(len(corners), -1)


def search(query: Singles, databases: Iterable[Singles]) -> tuple[NDArray[np.intp], Floats]:
    """Return the nearest row (T,) of the databases to each query, the first among equals, and its squared distance.

    Args:
        query: (T,n).
        databases: each (S,n); their rows are numbered on from one to the next.
    """
    found, least, closest = np.zeros(len(query), dtype=np.intp), np.full(len(query), np.inf), np.empty_like(query)
    rows = np.column_stack([query, np.ones((len(query), 1), dtype=query.dtype)])
    start = 0
    for database in databases:
        # ‖q − d‖² − ‖q‖² = ⟨(q, 1), (−2d, ‖d‖²)⟩: one product, and no pass over it but the search for the minimum.
        lifted = np.ascontiguousarray(np.column_stack([-2 * database, (database**2).sum(axis=1)]).T)
        for i in range(0, len(rows), CHUNK):
            product = rows[i : i + CHUNK] @ lifted
            place = product.argmin(axis=1)
            value = product[np.arange(len(place)), place]
            nearer = value < least[i : i + CHUNK]
            which = i + np.flatnonzero(nearer)
            found[which], least[which], closest[which] = start + place[nearer], value[nearer], database[place[nearer]]
        start += len(database)
    return found, ((query - closest).astype(np.float64) ** 2).sum(axis=1)


def vote(
    x: Floats, hole: Bools, chosen: NDArray[np.float32], distance: Floats, target: NDArray[np.intp], patch: int
) -> Floats:
    """Return x with every pixel of the hole replaced by the weighted mean of the chosen patches (T, patch·patch·C)."""
    scale = np.percentile(distance, 75)
    # All patches equally good (a flat image): equal weights. The floor keeps a pixel with poor votes only from 0/0.
    weight = np.exp(-distance / (2 * scale)).clip(min=1e-12) if scale > 0 else np.ones_like(distance)
    votes = chosen.reshape(len(chosen), patch, patch, -1) * weight[:, None, None, None]
    rows, columns = target.T
    voted = np.zeros_like(hole)
    for i, j in np.ndindex(patch, patch):
        voted[rows + i, columns + j] = True
    number = np.cumsum(voted, dtype=np.int32).reshape(hole.shape) - 1
    total = np.zeros((int(voted.sum()), x.shape[-1] + 1))
    for i, j in np.ndindex(patch, patch):
        here = number[rows + i, columns + j]
        total[here, :-1] += votes[:, i, j]
        total[here, -1] += weight
    inside = total[number[hole]]
    filled = x.copy()
    filled[hole] = inside[:, :-1] / inside[:, -1:]
    return filled


def halved(image: Floats, hole: Bools) -> tuple[Floats, Bools]:
    """Return the image at half size, means of 2×2 blocks; a block that touches the hole is in the hole, and 0."""
    even = [(0, n % 2) for n in hole.shape]
    hole = np.pad(hole, even, mode="edge")
    image = np.pad(image, [*even, (0, 0)], mode="edge")
    h, w = hole.shape
    coarse = np.logical_or.reduce(hole.reshape(h // 2, 2, w // 2, 2), axis=(1, 3))
    mean = image.reshape(h // 2, 2, w // 2, 2, -1).mean(axis=(1, 3))
    return np.where(coarse[..., None], 0, mean), coarse


def enlarged(image: Floats, shape: tuple[int, ...]) -> Floats:
    """Return the image at double size, bilinearly, cut to (H,W); pixel centres of `halved` stay where they were."""
    doubled = ndimage.zoom(image, (2, 2, 1), order=1, mode="nearest", grid_mode=True)
    return doubled[: shape[0], : shape[1]]
