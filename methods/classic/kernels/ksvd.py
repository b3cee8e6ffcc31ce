"""Orthogonal matching pursuit on inner products alone, and the pass of K-SVD over the atoms."""

from __future__ import annotations

import numpy as np

from methods.classic.kernels import compiled


@compiled
def pursue(patches, inner, gram, dictionary, target, most, dependent, residual, atoms, values, counts):
    """Code patches one by one.

    With q_k the direction that atom k adds to the span of those before it, D q_k follows from the Gram matrix and from
    the earlier D q_j, and so do the overlaps ⟨q_j, d⟩, which are its entries. No step looks at the patch itself.

    Args:
        patches: x (P,n), of which no ‖x‖² is at the target yet.
        inner: D x (P,K); overwritten.
        gram: D Dᵀ (K,K).
        dictionary: D (K,n), rows of unit norm.
        target: of ‖r‖².
        most: atoms a patch may take.
        dependent: an atom whose part orthogonal to the chosen ones is shorter than this is not taken.
        residual: (P,n), written: x − γ D.
        atoms, values, counts: (P,most), (P,most), (P), written: the chosen atoms, their γ, how many there are.
    """
    number, size = patches.shape
    total = len(dictionary)
    along = np.empty((most, total), np.float32)  # D q_k
    triangle = np.empty((most, most), np.float64)
    parts = np.empty(most, np.float64)
    for i in range(number):
        left = 0.0
        for p in range(size):
            left += np.float64(patches[i, p]) * np.float64(patches[i, p])
        count = 0
        for k in range(most):
            largest = np.float32(0)
            for j in range(total):
                largest = max(largest, abs(inner[i, j]))
            atom = 0
            while atom < total - 1 and abs(inner[i, atom]) < largest:
                atom += 1
            squares = np.float64(gram[atom, atom])
            for j in range(k):
                triangle[j, k] = along[j, atom]
                squares -= triangle[j, k] * triangle[j, k]
            if squares < dependent * dependent:
                break
            length = np.sqrt(squares)
            triangle[k, k] = length
            parts[k] = inner[i, atom] / length
            atoms[i, k] = atom
            count = k + 1
            left -= parts[k] * parts[k]
            if left <= target or count == most:
                break
            scale = np.float32(1 / length)
            for m in range(total):
                along[k, m] = scale * gram[atom, m]
            for j in range(k):
                overlap = scale * np.float32(triangle[j, k])
                for m in range(total):
                    along[k, m] -= overlap * along[j, m]
            part = np.float32(parts[k])
            for m in range(total):
                inner[i, m] -= part * along[k, m]
        counts[i] = count
        for k in range(count - 1, -1, -1):
            value = parts[k]
            for j in range(k + 1, count):
                value -= triangle[k, j] * values[i, j]
            values[i, k] = value / triangle[k, k]
        for p in range(size):
            residual[i, p] = patches[i, p]
        for k in range(count):
            value = values[i, k]
            atom = atoms[i, k]
            for p in range(size):
                residual[i, p] -= value * dictionary[atom, p]


@compiled
def improve(rows, values, bounds, dictionary, residual):
    """Set every atom to one power step towards the best rank-one fit of what the others leave over, and its γ to match.

    Args:
        rows, values: of the entries of γ, sorted by atom: which patch, how much.
        bounds: (K+1), the entries of atom k are from bounds[k] on.
        dictionary: (K,n), changed in place.
        residual: (P,n), changed in place.
    """
    size = dictionary.shape[1]
    direction = np.empty(size, np.float32)
    for k in range(len(dictionary)):
        direction[:] = 0
        for entry in range(bounds[k], bounds[k + 1]):
            row, value = rows[entry], values[entry]
            for p in range(size):
                direction[p] += value * (residual[row, p] + value * dictionary[k, p])
        squares = np.float32(0)
        for p in range(size):
            squares += direction[p] * direction[p]
        if squares == 0:
            continue
        scale = 1 / np.sqrt(squares)
        for p in range(size):
            direction[p] *= scale
        for entry in range(bounds[k], bounds[k + 1]):
            row, value = rows[entry], values[entry]
            part = np.float32(0)
            for p in range(size):
                residual[row, p] += value * dictionary[k, p]
                part += residual[row, p] * direction[p]
            for p in range(size):
                residual[row, p] -= part * direction[p]
        for p in range(size):
            dictionary[k, p] = direction[p]
