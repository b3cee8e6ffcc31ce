"""Sparse patches over a dictionary learned from the noisy image (K-SVD)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import fold, pad, unfold

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level
from methods.classic._colour import change, opponent_matrix

CHUNK = 1024
"""Patches coded at a time: small enough for the cache."""
DEPENDENT = 1e-3
"""An atom whose part orthogonal to the chosen ones is shorter than this adds nothing."""
ALIKE = 0.99
"""Two atoms whose inner product is larger than this are one atom."""


@dataclass(frozen=True)
class KSVD(Method):
    """x̂_i = (λ y_i + Σ of the patch estimates at i)/(λ + n_i): φ_i = n_i/(λ + n_i), g their mean, f = y.

    n_i is the number of patches that cover pixel i. Every patch, less its mean, is coded by orthogonal matching
    pursuit with as few atoms as bring the residual to ‖r‖² ≤ (gain·σ)² n, n pixels a patch. The dictionary starts as
    the overcomplete DCT and is learned from the patches of the noisy image itself: `iterations` times, code them,
    then set each atom and its coefficients to (one power step towards) the best rank-one fit of what the other atoms
    leave over. Colour is coded channel by channel in the orthonormal opponent space, luma over the learned
    dictionary, chroma over the DCT; the fusion commutes with that transform. σ = 0 gives φ = 0.

    Args:
        patch: side of the square patches, in pixels (less on images that are smaller).
        atoms: K, the square of an integer.
        iterations: of K-SVD; 0 leaves the DCT.
        training: at most so many patches are learned from, drawn with a fixed seed from those that need an atom.
        gain: C of the error target.
        weight: λσ, λ = weight/σ with both on the [0,1] scale: the paper's 30/σ on the 255 scale.
        coarse: on the [0,1] scale; below this σ the number of training patches shrinks in proportion to σ, since
            each then takes more atoms and the learned dictionary gains less on the DCT.

    Sources: M. Elad and M. Aharon, "Image Denoising Via Sparse and Redundant Representations Over Learned
    Dictionaries", IEEE Transactions on Image Processing 15(12), 2006; the power step in place of a full SVD:
    R. Rubinstein, M. Zibulevsky and M. Elad, "Efficient Implementation of the K-SVD Algorithm using Batch Orthogonal
    Matching Pursuit", Technion CS-2008-08. Patch size, K, gain and λ are the papers'. Deviations: patches that the
    mean alone explains are not learned from; colour is decorrelated, not coded jointly (Mairal, Elad and Sapiro 2008).

    Raises:
        ValueError: `atoms` is not the square of an integer.
    """

    name: ClassVar[str] = "ksvd"
    summary: ClassVar[str] = "sparse patches over a dictionary learned from the noisy image (K-SVD)"
    citation: ClassVar[str] = (
        "M. Elad and M. Aharon, Image Denoising Via Sparse and Redundant Representations Over Learned Dictionaries, "
        "IEEE Trans. Image Processing, 2006"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    patch: Annotated[int, Within(2, 32)] = 8
    atoms: Annotated[int, Within(1, 4096)] = 256
    iterations: Annotated[int, Within(0, 1000)] = 15
    training: Annotated[int, Within(0)] = 10000
    gain: Annotated[float, Within(0, 100)] = 1.15
    weight: Annotated[float, Within(0.0001, 100)] = 30 / 255
    coarse: Annotated[float, Within(0.0001, 1)] = 20 / 255

    def __post_init__(self) -> None:
        super().__post_init__()
        dct_dictionary(1, self.atoms)  # says at once what is wrong with their number

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        size = y.shape[-2:]
        side = min(self.patch, *size)
        sigma = noise_level(observation)
        cover = fold(y.new_ones(1, side * side, (size[0] - side + 1) * (size[1] - side + 1)), size, side)
        # n/(λ + n) with λ = weight/σ, in a form that is right at σ = 0.
        scaled = cover * sigma[:, None, None, None]
        phi = scaled / (self.weight + scaled)
        matrix = opponent_matrix(y.shape[1]).to(y)
        # Thresholds decide which atoms are chosen: in one precision, every dtype makes the same choices.
        channels = change(y, matrix).float()
        totals = torch.stack([
            torch.stack([self._patch_sum(channel, float(s), side, learn=i == 0) for i, channel in enumerate(image)])
            for image, s in zip(channels, sigma, strict=True)
        ])  # fmt: skip
        prior = change(totals.to(y.dtype), matrix.T) / cover
        return Restoration.fused(y, prior, phi)

    def _patch_sum(self, channel: Tensor, sigma: float, side: int, learn: bool) -> Tensor:
        """Return Σ of the patch estimates (H,W) of one channel (H,W), over the DCT or a dictionary learned from it."""
        patches = unfold(channel[None, None], side)[0].T.contiguous()
        if sigma > 0:
            centred = patches - patches.mean(dim=1, keepdim=True)
            target = (self.gain * sigma * side) ** 2
            dictionary = dct_dictionary(side, self.atoms)
            if learn:
                dictionary = self._learn(centred, dictionary, target, sigma)
            patches -= code(centred, dictionary, target, limit(side)).residual
        return fold(patches.T[None], channel.shape, side)[0, 0]

    def _learn(self, patches: Tensor, dictionary: Tensor, target: float, sigma: float) -> Tensor:
        needy = torch.nonzero(patches.square().sum(dim=1) > target)[:, 0]
        order = torch.randperm(len(needy), generator=torch.Generator().manual_seed(0))
        count = int(self.training * min(1.0, sigma / self.coarse))
        samples = patches[needy[order[:count]]]
        if len(samples) == 0:
            return dictionary
        dictionary = dictionary.clone()
        for _ in range(self.iterations):
            update(samples, dictionary, code(samples, dictionary, target, limit(math.isqrt(samples.shape[1])), True))
        return dictionary


def limit(side: int) -> int:
    """Return the largest number of atoms a patch may take: half its pixels."""
    return side * side // 2


def dct_dictionary(side: int, atoms: int) -> Tensor:
    """Return the overcomplete separable DCT (K,n), n = side², rows of unit norm, all but the first of mean 0.

    Raises:
        ValueError: `atoms` is not a square.
    """
    along = math.isqrt(atoms)
    if along * along != atoms:
        raise ValueError(f"the number of atoms must be a square, got {atoms}")
    phase = torch.outer(torch.arange(along), torch.arange(side)).double() * (math.pi / along)
    basis = torch.cos(phase)
    basis[1:] -= basis[1:].mean(dim=1, keepdim=True)
    basis /= basis.norm(dim=1, keepdim=True)
    return torch.kron(basis, basis).float()


class Codes(NamedTuple):
    """Sparse codes of P patches.

    Attributes:
        residual: x − γ D (P,n).
        patch, atom, value: the entries of γ, unordered; empty unless asked for.
    """

    residual: Tensor
    patch: Tensor
    atom: Tensor
    value: Tensor


def code(patches: Tensor, dictionary: Tensor, target: float, most: int, coefficients: bool = False) -> Codes:
    """Orthogonal matching pursuit, many patches in step.

    Every patch takes the atom with the largest |⟨r, d⟩| and is projected onto all its atoms, until ‖r‖² ≤ target or it
    has `most` atoms. The span of the atoms is kept as an orthonormal basis (modified Gram–Schmidt), so the projection
    takes one more component off the residual, and the coefficients come from a triangular system at the end.

    Args:
        patches: x (P,n).
        dictionary: D (K,n), rows of unit norm.
        target: of ‖r‖².
        most: atoms a patch may take at most.
        coefficients: return them too.
    """
    residual = patches.clone()
    across = dictionary.T.contiguous()
    entries: list[tuple[Tensor, Tensor, Tensor]] = []
    for index in torch.nonzero(patches.square().sum(dim=1) > target)[:, 0].split(CHUNK):
        r = patches[index]
        live = torch.ones(len(index), dtype=torch.bool)
        basis: list[Tensor] = []  # orthonormal directions, (A,n) each
        triangle: list[Tensor] = []  # columns of the triangular factor, (A,k+1) each
        chosen: list[Tensor] = []
        parts: list[Tensor] = []  # ⟨x, direction⟩
        for k in range(most):
            # NumPy's argmax is several times as fast as torch's.
            atom = torch.from_numpy((r @ across).abs_().numpy().argmax(axis=1))
            q = dictionary.index_select(0, atom)
            column = []
            for direction in basis:
                overlap = (q * direction).sum(dim=1, keepdim=True)
                q.addcmul_(overlap, direction, value=-1)
                column.append(overlap)
            length = q.norm(dim=1, keepdim=True)
            useful = length >= DEPENDENT
            q /= length.clamp_(min=DEPENDENT)
            # A dependent atom and a patch that is done take nothing off: the coefficient is 0.
            part = (q * r).sum(dim=1, keepdim=True) * (useful & live[:, None])
            r.addcmul_(part, q, value=-1)
            basis.append(q)
            if coefficients:
                triangle.append(torch.cat([*column, length], dim=1))
                chosen.append(atom)
                parts.append(part)

            over = (r.square().sum(dim=1) <= target) | ~useful[:, 0]
            if k + 1 == most:
                over.fill_(True)
            done = over & live
            if coefficients and done.any():
                factor = torch.stack([pad(c[done], (0, k - i)) for i, c in enumerate(triangle)], dim=2)
                value = torch.linalg.solve_triangular(factor, torch.stack([p[done] for p in parts], dim=1), upper=True)
                atoms = torch.stack([c[done] for c in chosen], dim=1)
                taken = torch.ones_like(atoms, dtype=torch.bool)
                taken[:, -1:] = useful[done]
                entries.append((index[done, None].expand_as(atoms)[taken], atoms[taken], value[..., 0][taken]))
            live &= ~over
            count = int(live.sum())
            if count < 0.75 * len(live):  # patches that are done ride along until it pays to drop them
                residual[index[~live]] = r[~live]
                if count == 0:
                    break
                keep = torch.nonzero(live)[:, 0]
                index, r, live = index[keep], r[keep], live[keep]
                basis, triangle, chosen, parts = ([t[keep] for t in ts] for ts in (basis, triangle, chosen, parts))
    if not entries:
        none = torch.zeros(0, dtype=torch.long)
        return Codes(residual, none, none, patches.new_zeros(0))
    return Codes(residual, *(torch.cat(column) for column in zip(*entries, strict=True)))


def update(patches: Tensor, dictionary: Tensor, codes: Codes) -> None:
    """Improve the dictionary in place: one pass of approximate K-SVD over the atoms.

    With E what the other atoms leave over of the patches that use atom d, and γ its coefficients: d ← Eᵀγ/‖Eᵀγ‖,
    γ ← E d. ‖residual‖ never grows. Atoms that nobody uses or that equal another become the worst coded patches.

    Args:
        patches: (P,n), centred.
        dictionary: (K,n), changed in place.
        codes: of the patches over the dictionary, with coefficients; the residual is changed in place.
    """
    size = len(dictionary)
    order = torch.argsort(codes.atom, stable=True)
    rows, values = codes.patch[order].numpy(), codes.value[order].numpy()
    bounds = np.searchsorted(codes.atom[order].numpy(), np.arange(size + 1))
    atoms, residual = dictionary.numpy(), codes.residual.numpy()
    badness = codes.residual.square().sum(dim=1)
    for k in range(size):
        entries = slice(bounds[k], bounds[k + 1])
        users, gamma = rows[entries], values[entries]
        error = residual[users] + gamma[:, None] * atoms[k]
        direction = gamma @ error
        length = np.linalg.norm(direction)
        if length == 0:
            continue
        atoms[k] = direction / length
        error -= (error @ atoms[k])[:, None] * atoms[k]
        residual[users] = error
    used = torch.from_numpy(bounds[1:] > bounds[:-1])
    overlaps = (dictionary @ dictionary.T).abs() * used  # an atom that is going anyway is nobody's twin
    twins = overlaps.tril(diagonal=-1).amax(dim=1) > ALIKE
    poor = torch.nonzero(twins | ~used)[:, 0]
    worst = patches[torch.argsort(badness, descending=True, stable=True)[: len(poor)]]
    dictionary[poor[: len(worst)]] = worst / worst.norm(dim=1, keepdim=True)
