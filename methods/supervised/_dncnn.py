"""DnCNN as its authors published it for MatConvNet."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from bigprior.checkpoints import check_shapes
from bigprior.tiles import Network
from methods.supervised._chain import Chain, chain_shapes
from methods.supervised._matconvnet_gray import read_gray_matconvnet

SPECIFIC, BLIND = 17, 20
"""Layers of the gray networks for one level; of the blind ones, and of all for colour images."""


def convolutions(channels: int, depth: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the convolutions: 1, 3, 5, … of a network whose even positions are rectifiers."""
    return chain_shapes([f"conv{2 * k + 1}" for k in range(depth)], (channels, *[64] * (depth - 1), channels))


def layout(channels: int, depth: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all that the file of a network has."""
    return convolutions(channels, depth) | {f"relu{2 * k}": (0,) for k in range(1, depth)}


def dncnn(file: Path, channels: int, depth: int, dtype: torch.dtype, device: torch.device) -> Network:
    """Return y ↦ y − chain(y): the convolutions, of 64 channels, predict the noise (batch normalisation folded in).

    Raises:
        SuiteError: the file holds another network.
    """
    chain = _chain(file, channels, depth, dtype, device)

    def network(y: Tensor) -> Tensor:
        return y - chain(y)

    return network


@cache
def _chain(file: Path, channels: int, depth: int, dtype: torch.dtype, device: torch.device) -> Chain:
    kind = {1: "gray", 3: "colour"}[channels]
    parameters = read_gray_matconvnet(file)
    check_shapes(file, f"a {kind} DnCNN of {depth} layers", parameters, layout(channels, depth))
    return Chain.of(parameters, convolutions(channels, depth), dtype, device)
