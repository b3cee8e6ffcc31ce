"""φ for colours: linear in what f and g look like, fitted to the error of x̂ in closed form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from bigprior.checkpoints import filled, read_safetensors
from bigprior.domains import LumaChroma
from bigprior.phi.train import Pair

CELL = 8
"""φ is decided on cells of CELL×CELL pixels and interpolated bilinearly."""
BANDS = 8
"""Of rows, in which the whole image is described."""
FEATURES = 9 * BANDS + 13


class LinearPhi(nn.Module):
    """φ_c = min(max(b + w · (z_c − m)/s, 0), 1), for every cell c of the image.

    z_c describes the whole image (means over bands of rows of luma, its square, its horizontal slope, g's chroma with
    and without its sign, and the distance of the chromas of f and g) and the cell (luma, row, chromas). A few hundred
    images say which scenes g knows better than f, and little more: networks with a φ for every pixel learn them by
    heart, and are worse on others.
    """

    mean: Tensor
    deviation: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("mean", "deviation", "weight"):
            self.register_buffer(name, torch.ones(FEATURES))
        self.register_buffer("bias", torch.zeros(()))

    def forward(self, fidelity: Tensor, prior: Tensor, mask: Tensor, sigma: Tensor) -> Tensor:
        """Return φ (N,1,H,W) in [0,1] of f and g (N,3,H,W). The mask and σ of other φ-networks are not read."""
        height, width = fidelity.shape[-2:]
        z = (describe(fidelity, prior) - self.mean.view(-1, 1, 1)) / self.deviation.view(-1, 1, 1)
        phi = (torch.einsum("f,nfhw->nhw", self.weight, z) + self.bias).clamp(0, 1).unsqueeze(1)
        phi = F.interpolate(phi, scale_factor=CELL, mode="bilinear", align_corners=False)
        return phi[..., :height, :width].to(fidelity.dtype)


def describe(fidelity: Tensor, prior: Tensor) -> Tensor:
    """Return z (N,FEATURES,⌈H/CELL⌉,⌈W/CELL⌉) of f and g (N,3,H,W) of one luma, in single precision."""
    f, g = (LumaChroma().analysis(_whole(image).float()) for image in (fidelity, prior))
    luma, usual, believed = f[:, :1], f[:, 1:], g[:, 1:]
    slope = F.pad((luma[..., 1:] - luma[..., :-1]).abs(), (0, 1))
    distance = (believed - usual).abs()
    image = torch.cat([luma, slope, luma.square(), believed, believed.abs(), distance], dim=1)
    y, u, b, d = (F.avg_pool2d(x, CELL) for x in (luma, usual, believed, distance))
    n, _, h, w = y.shape
    row = torch.linspace(-1, 1, h, device=y.device).view(1, 1, h, 1).expand(n, 1, h, w)
    cell = torch.cat([y, y.square(), row, row.square(), y * row, d, b, b.abs(), u], dim=1)
    whole = F.adaptive_avg_pool2d(image, (BANDS, 1)).flatten(1)
    return torch.cat([whole[..., None, None].expand(-1, -1, h, w), cell], dim=1)


def solve(pairs: Sequence[Pair], ridge: float) -> LinearPhi:
    """Return the minimiser of Σ_cells ‖x − f − φ (g − f)‖² / Σ_cells ‖g − f‖² + ridge ‖w‖², but for the bounds of φ.

    The first term is the paper's loss without its w, for a φ that is one value in a cell. Features are standardised
    with their means and deviations over all cells.
    """
    phi = LinearPhi()
    count, total, square = 0, torch.zeros(FEATURES, dtype=torch.float64), torch.zeros(FEATURES, dtype=torch.float64)
    for z, _, _ in _cells(pairs):
        count, total, square = count + len(z), total + z.sum(dim=0), square + z.square().sum(dim=0)
    mean = total / count
    deviation = (square / count - mean.square()).clamp_min(0).sqrt().clamp_min(1e-6)
    normal = torch.zeros(FEATURES + 1, FEATURES + 1, dtype=torch.float64)
    right = torch.zeros(FEATURES + 1, dtype=torch.float64)
    for z, product, energy in _cells(pairs):
        row = torch.cat([(z - mean) / deviation, torch.ones(len(z), 1, dtype=z.dtype)], dim=1)
        normal += (row * energy[:, None]).T @ row
        right += row.T @ product
    scale = normal[-1, -1].clone()
    penalty = torch.full((FEATURES + 1,), ridge, dtype=torch.float64)
    penalty[-1] = 0  # of the bias
    found = torch.linalg.solve(normal / scale + penalty.diag(), right / scale)
    state = {"mean": mean, "deviation": deviation, "weight": found[:-1], "bias": found[-1]}
    phi.load_state_dict({name: value.float() for name, value in state.items()})
    return phi


def _cells(pairs: Sequence[Pair]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield per pair the features (cells,FEATURES), Σ (x − f)(g − f) and Σ (g − f)² of its cells, float64."""
    for pair in pairs:
        x, f, g = (_whole(image).double() for image in (pair.clean, pair.fidelity, pair.prior))
        product = F.avg_pool2d(((x - f) * (g - f)).sum(dim=1, keepdim=True), CELL).flatten()
        energy = F.avg_pool2d((g - f).square().sum(dim=1, keepdim=True), CELL).flatten()
        yield describe(pair.fidelity, pair.prior)[0].flatten(1).T.double(), product, energy


def _whole(image: Tensor) -> Tensor:
    """Repeat the last row and column up to whole cells."""
    height, width = image.shape[-2:]
    return F.pad(image, (0, -width % CELL, 0, -height % CELL), mode="replicate")


def to_bytes(phi: LinearPhi) -> bytes:
    """Return it as a safetensors file."""
    return save({name: tensor.cpu().contiguous() for name, tensor in phi.state_dict().items()})


def load_linear(path: str | Path) -> LinearPhi:
    """Return what `to_bytes` wrote, on the CPU.

    Raises:
        SuiteError: there is no such file, or it holds something else (the first missing and unexpected key are named).
    """
    state = read_safetensors(path, "fit it with `python -m bigprior.train phi`")
    return filled(LinearPhi, path, "a linear φ", state)
