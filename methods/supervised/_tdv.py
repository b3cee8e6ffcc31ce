"""Total deep variation: a regulariser that is the sum of what a U-shaped network gives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from bigprior.checkpoints import check_shapes
from bigprior.fusion import Restoration
from bigprior.precision import computing
from datasets.observation import Observation
from methods.base import noise_level
from methods.supervised._nested import read_nested
from methods.supervised._published import Published

SIGMA = 25
"""The noise level of the training, on the 0–255 scale."""
STEPS = 10
BLOCKS, SCALES, FEATURES = 3, 3, 32
BINOMIAL = (1, 4, 6, 4, 1)


def tdv_shapes(channels: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the file of a network."""
    square = (FEATURES, FEATURES, 3, 3)
    shapes: dict[str, tuple[int, ...]] = {"T": (), "lmbda": ()}
    for name, shape in _kernels(channels):
        shapes |= {f"R.{name}.weight": shape, f"R.{name}.mask": (1, 1, *shape[2:])}
        if "conv_up" in name or "conv_down" in name:
            assert shape == square
            shapes[f"R.{name}.blur"] = (1, 1, 5, 5)
    return shapes


def _kernels(channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    square = (FEATURES, FEATURES, 3, 3)
    yield "K1", (FEATURES, channels, 3, 3)
    for block in range(BLOCKS):
        for scale in range(SCALES):
            for number in range(2 if scale < SCALES - 1 else 1):
                yield f"mb.{block}.mb.{scale}.{number}.conv1", square
                yield f"mb.{block}.mb.{scale}.{number}.conv2", square
        for scale in range(SCALES - 1):
            yield f"mb.{block}.conv_down.{scale}", square
            yield f"mb.{block}.conv_up.{scale}", square
    yield "KN", (1, FEATURES, 1, 1)


@dataclass(frozen=True, eq=False)
class Mirrored:
    """A x: correlation with a kernel, of every `stride`-th pixel; the image is mirrored at its borders (ba|abc|cb).

    The adjoint is exact, borders included.
    """

    kernel: Tensor
    stride: int = 1

    @property
    def radius(self) -> int:
        return self.kernel.shape[-1] // 2

    def __call__(self, x: Tensor) -> Tensor:
        for axis in (2, 3):
            before, after = _ends(x.shape[axis], self.radius, x.device)
            x = torch.cat([x.index_select(axis, before), x, x.index_select(axis, after)], dim=axis)
        return conv2d(x, self.kernel, stride=self.stride)

    def adjoint(self, h: Tensor, size: tuple[int, int]) -> Tensor:
        """Return Aᵀ h, of the size of x."""
        more = [n - ((k - 1) * self.stride + 1) for n, k in zip(size, h.shape[2:], strict=True)]
        x = conv_transpose2d(h, self.kernel, stride=self.stride, output_padding=more)
        for axis, n in ((2, size[0]), (3, size[1])):
            before, after = _ends(n, self.radius, x.device)
            inner = x.narrow(axis, self.radius, n).clone()
            inner.index_add_(axis, before, x.narrow(axis, 0, self.radius))
            x = inner.index_add_(axis, after, x.narrow(axis, n + self.radius, self.radius))
        return x


def _ends(length: int, radius: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return which pixels stand before and after an axis that is mirrored, however short it is."""
    place = torch.cat([torch.arange(-radius, 0), torch.arange(length, length + radius)]) % (2 * length)
    place = torch.minimum(place, 2 * length - 1 - place).to(device)
    return place[:radius], place[radius:]


def size_of(x: Tensor) -> tuple[int, int]:
    """Return (H, W)."""
    return x.shape[2], x.shape[3]


@dataclass(frozen=True, eq=False)
class Micro:
    """h ↦ h + B ρ(A h), ρ(t) = ½ log(1 + t²)."""

    inner: Mirrored
    outer: Mirrored

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the result, and ρ′(A h) = t/(1 + t²)."""
        t = self.inner(h)
        d = 1 + t.square()
        return h + self.outer(d.log() / 2), t / d

    def backward(self, g: Tensor, slope: Tensor) -> Tensor:
        """Return the gradient with respect to h, given that with respect to the result."""
        return g + self.inner.adjoint(self.outer.adjoint(g, size_of(g)) * slope, size_of(g))


@dataclass(frozen=True, eq=False)
class Macro:
    """A U of three scales: down with a block at each, and up again with another at each; the scales of the U before
    come in from the side.
    """

    first: tuple[Micro, ...]
    """On the way down; the last is the only one of the coarsest scale."""
    second: tuple[Micro, ...]
    down: tuple[Mirrored, ...]
    up: tuple[Mirrored, ...]
    """Their adjoints are applied."""

    def forward(self, h: list[Tensor | None], slopes: list[Tensor]) -> list[Tensor]:
        """Return the features of the three scales, given them (None: not yet there); note the slopes of each block."""
        below: Tensor | None = None
        out: list[Tensor] = []
        for scale, micro in enumerate(self.first):
            parts = [each for each in (h[scale], below) if each is not None]
            each, slope = micro.forward(sum(parts[1:], parts[0]))
            slopes.append(slope)
            out.append(each)
            if scale < len(self.down):
                below = self.down[scale](each)
        for scale in reversed(range(len(self.up))):
            out[scale], slope = self.second[scale].forward(
                out[scale] + self.up[scale].adjoint(out[scale + 1], size_of(out[scale]))
            )
            slopes.append(slope)
        return out

    def backward(self, g: list[Tensor | None], slopes: list[Tensor]) -> list[Tensor]:
        """Return the gradients with respect to what came in; takes its slopes from the end of the list."""
        out: list[Tensor] = []
        above: Tensor | None = None
        for scale in range(len(self.up)):
            parts = [each for each in (g[scale], above) if each is not None]
            out.append(self.second[scale].backward(sum(parts[1:], parts[0]), slopes.pop()))
            above = self.up[scale](out[scale])
        parts = [each for each in (g[-1], above) if each is not None]
        out.append(self.first[-1].backward(sum(parts[1:], parts[0]), slopes.pop()))
        for scale in reversed(range(len(self.down))):
            into = out[scale] + self.down[scale].adjoint(out[scale + 1], size_of(out[scale]))
            out[scale] = self.first[scale].backward(into, slopes.pop())
        return out


@dataclass(frozen=True, eq=False)
class DeepVariation:
    """R(x) = Σ_i (w · U_3 U_2 U_1 K x)_i / 32 with three U-shaped networks of 32 channels, and its gradient."""

    entry: Mirrored
    blocks: tuple[Macro, ...]
    weights: Tensor
    """w/32 (1,32,1,1)."""

    def energy(self, x: Tensor) -> Tensor:
        """Return R(x) (N,)."""
        return (self._features(x, [])[0] * self.weights).flatten(1).sum(dim=1)

    def gradient(self, x: Tensor) -> Tensor:
        """Return ∇R(x)."""
        slopes: list[Tensor] = []
        features = self._features(x, slopes)
        g: list[Tensor | None] = [self.weights.expand_as(features[0]), *(None for _ in features[1:])]
        for block in reversed(self.blocks):
            g = [*block.backward(g, slopes)]
        assert g[0] is not None
        return self.entry.adjoint(g[0], size_of(x))

    def _features(self, x: Tensor, slopes: list[Tensor]) -> list[Tensor]:
        h: list[Tensor | None] = [self.entry(x), *(None for _ in range(SCALES - 1))]
        for block in self.blocks:
            h = [*block.forward(h, slopes)]
        return [each for each in h if each is not None]


def variation_of(found: Mapping[str, Tensor], dtype: torch.dtype, device: torch.device) -> DeepVariation:
    """Return the regulariser of the parameters that `tdv_shapes` lists."""
    line = torch.tensor(BINOMIAL, dtype=torch.float64)
    blur = (torch.outer(line, line) / line.sum() ** 2)[None, None]

    def kernel(name: str) -> Tensor:
        return found[f"R.{name}.weight"].double()

    def plain(name: str) -> Mirrored:
        return Mirrored(kernel(name).to(device, dtype))

    def blurred(name: str) -> Mirrored:
        w = kernel(name)
        wide = conv2d(w.flatten(0, 1)[:, None], blur, padding=4).view(*w.shape[:2], 7, 7)
        return Mirrored(wide.to(device, dtype), stride=2)

    def micro(name: str) -> Micro:
        return Micro(plain(f"{name}.conv1"), plain(f"{name}.conv2"))

    blocks = []
    for block in (f"mb.{b}" for b in range(BLOCKS)):
        blocks.append(
            Macro(
                tuple(micro(f"{block}.mb.{scale}.0") for scale in range(SCALES)),
                tuple(micro(f"{block}.mb.{scale}.1") for scale in range(SCALES - 1)),
                tuple(blurred(f"{block}.conv_down.{scale}") for scale in range(SCALES - 1)),
                tuple(blurred(f"{block}.conv_up.{scale}") for scale in range(SCALES - 1)),
            )
        )
    return DeepVariation(plain("K1"), tuple(blocks), (kernel("KN") / FEATURES).to(device, dtype))


@dataclass(frozen=True)
class TotalDeepVariation(Published):
    """Ten steps x ← (x − τ ∇R(x) + λ y)/(1 + λ) from x = y, on s y with s = 25/σ; x̂ is the last x, divided by s.

    The steps go down ½ (λ/τ) ‖x − y‖² + R(x): one along ∇R, then the proximal map of the rest. τ and λ were learned
    with R (`DeepVariation`) for ten steps at σ = 25, so x̂ is where the descent is stopped, and not its minimiser. At
    another level the image is scaled to 25. σ is the observation's, or in blind denoising estimated from y; where it is
    0 the image is y.

    Reliance: the last step is a fusion in the pixel domain, exactly,

        x̂ = (1 − φ) y + φ g,    φ = 1/(1 + λ),    g = (x − τ ∇R(x))/s,

    as the last data step of plug and play is. φ is one number for all images, and g has seen y nine times: the declared
    reliance is an upper bound, and the implied one, 1 − ∂x̂/∂y, says how much of y is in g.

    Source: E. Kobler, A. Effland, K. Kunisch and T. Pock, "Total Deep Variation for Linear Inverse Problems", CVPR
    2020; weights of github.com/VLOGroup/tdv (three blocks, three scales, ten steps).
    """

    channels: ClassVar[int]
    """1 for gray images, 3 for colour images."""

    citation: ClassVar[str] = "E. Kobler et al., Total deep variation for linear inverse problems, CVPR 2020"
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    on_request: ClassVar[str | None] = "takes up to a minute per 256×256 image on a CPU"

    @abstractmethod
    def seen(self, y: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images (n,channels,H,W) that the network is given, and σ (n,1,1,1) of each."""

    @abstractmethod
    def given_back(self, images: Tensor, y: Tensor) -> Tensor:
        """Return images like y, given results for what `seen` returned."""

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        level = noise_level(observation).to(y)[:, None, None, None]
        tau, weight, variation = _variation(self.weights_here(), self.channels, y.dtype, y.device)
        images, told = self.seen(y, level)
        scale = torch.where(told > 0, SIGMA / 255 / told, 1)
        start = scale * images
        with computing(self.precision, y.device.type):
            g = torch.cat([_stopped(variation, each[None], tau, weight) for each in start])
        g = torch.where(level > 0, self.given_back(g / scale, y), y)
        phi = torch.where(level > 0, 1 / (1 + weight), 0.0).to(y)
        return Restoration.fused(fidelity=y, prior=g, phi=phi.expand_as(y[:, :1]).contiguous())


def _stopped(variation: DeepVariation, y: Tensor, tau: float, weight: float) -> Tensor:
    """Return x − τ ∇R(x) of the last step. One image at a time: its features are some dozens of maps of its size."""
    x = y
    for _ in range(STEPS - 1):
        x = (x - tau * variation.gradient(x) + weight * y) / (1 + weight)
    return x - tau * variation.gradient(x)


@cache
def _variation(
    file: Path, channels: int, dtype: torch.dtype, device: torch.device
) -> tuple[float, float, DeepVariation]:
    """Return τ, λ (of a step) and R."""
    found = read_nested(file, "model")
    check_shapes(file, f"a total deep variation for {channels}-channel images", found, tdv_shapes(channels))
    return float(found["T"]) / STEPS, float(found["lmbda"]) / STEPS, variation_of(found, dtype, device)
