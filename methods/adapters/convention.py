"""How a network of unknown convention is used: what it is told, in which range, and what it gives back.

What the user does not say is found by trying the network on small images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from bigprior.tiles import TILE, Network
from datasets.errors import SuiteError
from datasets.spec import Within
from methods.adapters.words import one_line

Call = Callable[..., Tensor]
"""A network: an image (1,C,H,W), and perhaps σ, to an image (1,C',H',W')."""
Level = Literal["none", "number", "channel", "map"]

SIDE = 64
SIGMA = 25 / 255
"""The noise of the test image."""
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
NUMBERS: tuple[tuple[int, ...], ...] = ((1,), (1, 1, 1, 1), (1, 1), ())
"""Shapes in which networks expect one σ."""
CLEARLY = 0.25
"""White is taken for 255 if that leaves at most this share of the squared error."""
WORST = 4.0
"""A reading whose squared error is over so many times that of the noisy image is not believed."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user says of a network; "auto" is found by trying it.

    Args:
        range: white of the images that the network reads and writes, 1 or 255; σ is given on the same scale.
        channels: of an image, without a map of σ. A gray image is given to a colour network as three equal channels,
            told √3 σ, and the result is averaged; a colour image is given to a gray network channel by channel.
        residual: true if the network's output is the noise, to be subtracted from the image.
        level: how the network is told σ: none, not at all; number, as a second input; channel, by a constant map that
            is one channel more of the image; map, by such a map as a second input.
        multiple: what the sides of an image must be multiples of; others are continued by their last column and row.
        tile: largest side that the network is given; larger images are cut into overlapping tiles.
        overlap: of tiles, in pixels; the result is that of the whole image if the network sees no farther.
    """

    range: Literal["auto", "1", "255"] = "auto"
    channels: Literal["auto", "1", "3"] = "auto"
    residual: bool | Literal["auto"] = "auto"
    level: Literal["auto"] | Level = "auto"
    multiple: Annotated[int, Within(1, 256)] | Literal["auto"] = "auto"
    tile: Annotated[int, Within(16)] = TILE
    overlap: Annotated[int, Within(0)] = 64


@dataclass(frozen=True)
class Convention:
    """What is known of a network.

    Attributes:
        channels: of the images that it takes; both 1 and 3 if it takes any.
        number: shape of σ, if it is told a number.
        noisy, restored: PSNR in dB of the test image, a smooth ramp with noise of σ 25, before and after.
    """

    channels: tuple[int, ...]
    level: Level
    number: tuple[int, ...]
    range: int
    residual: bool
    multiple: int
    noisy: float
    restored: float


def handed(call: Call, level: Level, number: tuple[int, ...]) -> Network:
    """Return the network as a function of one image (1,C+1,H,W) whose last channel is the map of σ."""

    def network(x: Tensor) -> Tensor:
        image, sigma = x[:, :-1], x[:, -1:]
        told = {"none": (image,), "channel": (x,), "map": (image, sigma)}
        given = told[level] if level in told else (image, sigma[:, 0, 0, 0].reshape(number))
        return call(*(each.clone(memory_format=torch.contiguous_format) for each in given))

    return network


def restored(network: Network, x: Tensor, range_: int, residual: bool) -> Tensor:
    """Return x̂ (1,C,H,W) for an image and its map of σ (1,C+1,H,W), both on the [0,1] scale."""
    output = network(x * range_) / range_
    return x[:, :-1] - output if residual else output


def find(call: Call, asked: Asked, what: str) -> Convention:
    """Return how a network is used: what is asked for, and the rest by trying it.

    Args:
        what: the network, for messages.

    Raises:
        SuiteError: it takes no image in the way that is asked for or in any way, gives no image of the same size, or
            no reading of its output is near the image and the user has not said both range and residual.
    """
    channels, level, number = _inputs(call, asked, what)
    network = handed(call, level, number)
    multiple = _multiple(network, channels[-1], asked, what)
    best, reached, noisy = _reading(network, channels[-1], asked)
    if reached > WORST * noisy and "auto" in (asked.range, asked.residual):
        raise SuiteError(
            f"{what}: of a ramp with noise ({_decibels(noisy):.1f} dB) it makes nothing near it (at best "
            f"{_decibels(reached):.1f} dB, read as range={best[0]},residual={str(best[1]).lower()}): it may be made "
            "for another range or another task; to use it as it is, give both range= and residual=."
        )
    return Convention(channels, level, number, *best, multiple, _decibels(noisy), _decibels(reached))


def _inputs(call: Call, asked: Asked, what: str) -> tuple[tuple[int, ...], Level, tuple[int, ...]]:
    """The channels, the way of telling σ, and the shape of a number."""
    wanted = (1, 3) if asked.channels == "auto" else (int(asked.channels),)
    refused: dict[int, str] = {}
    for level, number in _ways(asked):
        network = handed(call, level, number)
        reasons = {count: _refused(network, count, SIDE, SIDE) for count in wanted}
        fit = tuple(count for count, reason in reasons.items() if reason is None)
        if fit:
            return fit, level, number
        refused = refused or {count: reason for count, reason in reasons.items() if reason is not None}
    said = "; ".join(f"with {count} channel{'s'[: count - 1]}: {reason}" for count, reason in refused.items())
    raise SuiteError(f"{what} gives no image of the same size for one of {SIDE}×{SIDE} pixels ({said}).")


def _ways(asked: Asked) -> Iterator[tuple[Level, tuple[int, ...]]]:
    levels: tuple[Level, ...] = ("none", "channel", "number", "map")
    for level in levels:
        if asked.level in ("auto", level):
            yield from ((level, shape) for shape in (NUMBERS if level == "number" else ((),)))


def _multiple(network: Network, channels: int, asked: Asked, what: str) -> int:
    """The least multiple with which two sizes work, of sides that are no multiples of twice as much."""
    reason: str | None = None
    for multiple in MULTIPLES if asked.multiple == "auto" else (asked.multiple,):
        odd = max(1, SIDE // multiple - 1) | 1
        sides = multiple * odd, multiple * (odd + 2)
        reason = _refused(network, channels, *sides) or _refused(network, channels, *sides[::-1])
        if reason is None:
            return multiple
    tried = f"up to {MULTIPLES[-1]}" if asked.multiple == "auto" else f"of {asked.multiple}"
    raise SuiteError(f"{what} takes no images whose sides are multiples {tried} ({reason}): give another multiple=.")


def _refused(network: Network, channels: int, height: int, width: int) -> str | None:
    """Return why the network gives no image of this size, or None if it does."""
    x = torch.full((1, channels + 1, height, width), 0.5)
    try:
        y = network(x)
    except Exception as error:  # a network of the user's, with whatever faults
        return one_line(error)
    if tuple(y.shape) != (1, channels, height, width):
        return f"the output is {tuple(y.shape)} and not {(1, channels, height, width)}"
    return None if bool(torch.isfinite(y).all()) else "the output is not finite"


def _reading(network: Network, channels: int, asked: Asked) -> tuple[tuple[int, bool], float, float]:
    """The range and the residual that leave the least error, that squared error, and that of the noisy image."""
    line = torch.linspace(0.2, 0.8, SIDE)
    ramps = torch.stack([line.expand(SIDE, SIDE), line.flip(0)[:, None].expand(SIDE, SIDE), line.expand(SIDE, SIDE).T])
    clean = ramps[None, :channels]
    drawn = np.random.RandomState(0).standard_normal((1, channels, SIDE, SIDE)).astype(np.float32)
    y = clean + SIGMA * torch.from_numpy(drawn)
    x = torch.cat([y, torch.full((1, 1, SIDE, SIDE), SIGMA)], dim=1)
    ranges = (1, 255) if asked.range == "auto" else (int(asked.range),)
    residuals = (False, True) if asked.residual == "auto" else (asked.residual,)
    errors = {
        (range_, residual): _error(network, x, clean, range_, residual) for range_ in ranges for residual in residuals
    }
    first = min((pair for pair in errors if pair[0] == ranges[0]), key=lambda pair: errors[pair])
    best = min(errors, key=lambda pair: errors[pair])
    best = best if errors[best] < CLEARLY * errors[first] else first
    return best, errors[best], float((y - clean).square().mean())


def _error(network: Network, x: Tensor, clean: Tensor, range_: int, residual: bool) -> float:
    """The squared error of a reading; infinite if it is not finite, or if the network takes no such numbers."""
    try:
        error = float((restored(network, x, range_, residual) - clean).square().mean())
    except Exception:  # a network of the user's may look at the range itself
        return math.inf
    return error if math.isfinite(error) else math.inf


def _decibels(error: float) -> float:
    return float(-10 * np.log10(max(error, 1e-20)))
