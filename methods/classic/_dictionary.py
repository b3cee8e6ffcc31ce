"""Sparse codes over a dictionary (orthogonal matching pursuit), and a dictionary that is learned (K-SVD)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from methods.classic.kernels import available

CHUNK = 1024
"""Patches coded at a time: small enough for the cache."""
DEPENDENT = 1e-3
"""An atom whose part orthogonal to the chosen ones is shorter than this adds nothing."""
ALIKE = 0.99
"""Two atoms whose inner product is larger than this are one atom."""
Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


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
    """Orthogonal matching pursuit.

    Every patch takes the atom with the largest |⟨r, d⟩| and is projected onto all its atoms, until ‖r‖² ≤ target or it
    has `most` atoms.

    Args:
        patches: x (P,n).
        dictionary: D (K,n), rows of unit norm.
        target: of ‖r‖².
        most: atoms a patch may take at most.
        coefficients: return them too.
    """
    by = code_compiled if available(patches, dictionary) else code_in_step
    return by(patches, dictionary, target, most, coefficients)


def code_compiled(patches: Tensor, dictionary: Tensor, target: float, most: int, coefficients: bool = False) -> Codes:
    """Carry out `code`, patch by patch."""
    from methods.classic.kernels.ksvd import pursue

    residual = patches.clone()
    gram = dictionary @ dictionary.T
    entries: list[tuple[Tensor, Tensor, Tensor]] = []
    for index in torch.nonzero(patches.square().sum(dim=1) > target)[:, 0].split(CHUNK):
        x = patches[index]
        left = torch.empty_like(x)
        atoms, values = torch.empty(len(x), most, dtype=torch.int64), torch.empty(len(x), most)
        counts = torch.empty(len(x), dtype=torch.int64)
        pursue(
            x.numpy(), (x @ dictionary.T).numpy(), gram.numpy(), dictionary.numpy(), target, most, DEPENDENT,
            left.numpy(), atoms.numpy(), values.numpy(), counts.numpy(),
        )  # fmt: skip
        residual[index] = left
        if coefficients:
            taken = torch.arange(most) < counts[:, None]
            entries.append((index.repeat_interleave(counts), atoms[taken], values[taken]))
    return _codes(residual, entries)


def code_in_step(patches: Tensor, dictionary: Tensor, target: float, most: int, coefficients: bool = False) -> Codes:
    """Carry out `code`, many patches in step.

    The span of the atoms is kept as an orthonormal basis (modified Gram–Schmidt), so the projection takes one more
    component off the residual, and the coefficients come from a triangular system at the end.
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
    return _codes(residual, entries)


def _codes(residual: Tensor, entries: list[tuple[Tensor, Tensor, Tensor]]) -> Codes:
    if not entries:
        none = torch.zeros(0, dtype=torch.long)
        return Codes(residual, none, none, residual.new_zeros(0))
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
    badness = codes.residual.square().sum(dim=1)
    improve = improve_compiled if available(patches, dictionary) else improve_by_atom
    improve(rows, values, bounds, dictionary.numpy(), codes.residual.numpy())
    used = torch.from_numpy(bounds[1:] > bounds[:-1])
    overlaps = (dictionary @ dictionary.T).abs() * used  # an atom that is going anyway is nobody's twin
    twins = overlaps.tril(diagonal=-1).amax(dim=1) > ALIKE
    poor = torch.nonzero(twins | ~used)[:, 0]
    worst = patches[torch.argsort(badness, descending=True, stable=True)[: len(poor)]]
    dictionary[poor[: len(worst)]] = worst / worst.norm(dim=1, keepdim=True)


def improve_compiled(rows: Indices, values: Floats, bounds: Indices, atoms: Floats, residual: Floats) -> None:
    """Carry out the pass of `update` over the atoms, entry by entry."""
    from methods.classic.kernels.ksvd import improve

    improve(rows, values, bounds, atoms, residual)


def improve_by_atom(rows: Indices, values: Floats, bounds: Indices, atoms: Floats, residual: Floats) -> None:
    """Carry out the pass of `update` over the atoms, all entries of an atom at once.

    Args:
        rows, values: of the entries of γ, sorted by atom: which patch, how much.
        bounds: (K+1), the entries of atom k are from bounds[k] on.
        atoms: (K,n), changed in place.
        residual: (P,n), changed in place.
    """
    for k in range(len(atoms)):
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
