"""How much of a restoration is prior, measured from outside: the implied reliance of any method, and SURE.

A black box x̂(y) says nothing of φ, but it answers. Move one observed number y_i a little: if x̂ follows, that number
was data; if x̂ stays, it was prior. With A the linear operator of the task,

    φ_i = 1 − ∂(A x̂)_i/∂y_i    for every number i that was observed,        φ = 1 where nothing was observed.

In denoising A = I, and the mean of φ is 1 − div x̂(y)/N. In inpainting only observed pixels are moved; a hole has no y,
so φ = 1 there whatever fills it. In colorization the observed number of a pixel is its luma, one of three coordinates
(Y, B−Y, R−Y): the reliance of a pixel is (φ_Y + 2)/3. An image that was reduced has fewer numbers than pixels: of every
s×s coordinates one was observed. Of an operator that is not linear, such as JPEG, y is an image itself, and A x̂ is
replaced by x̂. A fusion x̂ = (1 − φ) f(y) + φ g with φ and g held fixed implies
exactly its φ; what φ and g themselves take from y is the difference between declared and implied reliance.

Sources: S. Ramani, T. Blu and M. Unser, "Monte-Carlo SURE: A Black-Box Optimization of Regularization Parameters for
General Denoising Algorithms", IEEE TIP 17(9), 2008 (random probes of a black box, one-sided differences); C. M. Stein,
"Estimation of the Mean of a Multivariate Normal Distribution", Annals of Statistics 9(6), 1981; J. M. Tang and Y. Saad,
"A Probing Method for Computing the Diagonal of a Matrix Inverse", Numerical Linear Algebra with Applications 19(3),
2012 (probes that are non-zero on pixels far from one another).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from bigprior.domains import Fourier, LumaChroma, Pixel
from bigprior.fusion import Restoration
from datasets.observation import Observation

PROBES = 8
STEP = 0.1
"""Of σ. Smaller steps see decisions (which block is matched, which coefficient is kept) as rare large jumps: at 0.05
the standard error of K-SVD, BM3D and collaborative filtering doubles. Larger ones are biased: SURE of the Fourier
Wiener filter is 0.4, 0.9 and 6% too high at 0.05, 0.1 and 0.3. At 0.1, SURE of every denoiser on `photos` at σ 25 is
within 1.1% of the true error."""
NOISE_FREE_STEP = 1 / 255
"""Where σ is 0: one step of an 8-bit image."""
WINDOW = 7
"""Side of the square over which maps are averaged, in pixels."""


@dataclass(frozen=True)
class Reliance:
    """Reliance on the prior, measured.

    Attributes:
        map: (N,1,H,W), averaged over channels and over the observed pixels of a WINDOW×WINDOW square, with the share
            of coordinates that were not observed at 1. Not confined to [0,1]: a method may amplify y (φ < 0) or
            answer against it (φ > 1).
        mean: (N,), over all coordinates of the image.
        standard_error: (N,) of the mean, from the spread between probes; NaN with a single probe. It is a little too
            large, since the probes see different pixels.
    """

    map: Tensor
    mean: Tensor
    standard_error: Tensor


@dataclass(frozen=True)
class ImpliedReliance(Reliance):
    """The implied reliance of a restoration.

    Attributes:
        frozen: the same with φ and g held fixed at y while f alone follows, from the same probes; None if the
            restoration hides them. It is the declared φ in the coordinates of the data: in pixels and in Fourier
            coordinates its mean is the mean of φ, and in pixels its map is φ, locally averaged. A redundant domain
            (shifted wavelets, overlapping patches) has no such identity: the mean over its coordinates weighs pixels
            in its own way, and differs by up to 0.02. `frozen.map − map` is what φ and g take from y.
    """

    frozen: Reliance | None = None


def implied_reliance(
    restore: Callable[[Observation], Restoration],
    observation: Observation,
    *,
    probes: int = PROBES,
    step: Tensor | None = None,
    seed: int = 0,
    base: Restoration | None = None,
) -> ImpliedReliance:
    """Measure how much of a restoration is prior, by restoring `probes` times from slightly moved observations.

    Probe k is b_k = ±1 at random on every `probes`-th observed number, on a lattice, and 0 elsewhere; together the
    probes move each number once. ∂(A x̂)_i/∂y_i is estimated by b_i (A x̂(y + εb) − A x̂(y))_i/ε. The signs are
    independent, so that neighbours enter with mean 0, and on a lattice the nearest, which matter most, do not enter.
    The cost is one restoration per probe.

    The signs of an image come from its pixels and the seed: they are the same in whatever batch it is.

    Args:
        restore: the method; called with batches like `observation`.
        observation: N images.
        probes: number of probes, ≥ 1.
        step: ε (N,) on the [0,1] scale; STEP·σ if None, and NOISE_FREE_STEP where σ is 0 or not told.
        seed: of the signs, ≥ 0.
        base: `restore(observation)`, if it is known already.

    Raises:
        ValueError: probes or a step are out of range, or a restoration from a moved observation is not finite; or the
            operator is not linear and y is not on the grid of x.
    """
    if probes < 1:
        raise ValueError(f"probes must be 1 or more, got {probes}")
    y, n = observation.y, len(observation)
    epsilon = default_step(observation.sigma, n).to(y) if step is None else step.to(y)
    if epsilon.shape != (n,) or not bool((epsilon > 0).all()):
        raise ValueError(f"step must be ({n},) and positive, got {epsilon.tolist()}")
    epsilon = epsilon[:, None, None, None]
    base = restore(observation) if base is None else base
    measured_by = _measurement(observation)
    signs = random_signs(y, seed) * _seen(observation)
    colours = lattice(probes, *y.shape[1:]).to(y.device)
    implied, frozen = torch.zeros_like(y), torch.zeros_like(y) if base.decoupled else None
    for probe in range(probes):
        b = signs * (colours == probe)
        restoration = restore(replace(observation, y=y + epsilon * b))
        change = measured_by(restoration.image - base.image)
        if not bool(torch.isfinite(change).all()):
            raise ValueError("a restoration from a slightly moved observation is not finite")
        implied += b * change / epsilon
        if frozen is not None:
            held = _frozen_change(base, restoration, observation.operator.lift(epsilon * b))
            frozen += b * measured_by(held) / epsilon
    measured = _reliance(implied, observation, colours, probes)
    return ImpliedReliance(
        measured.map,
        measured.mean,
        measured.standard_error,
        None if frozen is None else _reliance(frozen, observation, colours, probes),
    )


def default_step(sigma: Tensor | None, n: int) -> Tensor:
    """Return ε (N,) for noise levels σ (N,): STEP·σ, and NOISE_FREE_STEP where σ is 0 or None."""
    if sigma is None:
        return torch.full((n,), NOISE_FREE_STEP)
    return torch.where(sigma > 0, STEP * sigma, NOISE_FREE_STEP)


def sure(y: Tensor, image: Tensor, sigma: Tensor, reliance: Tensor) -> Tensor:
    """Return Stein's unbiased estimate of the mean squared error per image (N,), without the clean image.

    SURE = ‖y − x̂‖²/N − σ² + 2σ² div x̂(y)/N with div x̂(y)/N = 1 − φ. Of the error of x̂ as it is, not clipped, on the
    squared [0,1] scale; for white Gaussian noise. It may be negative: its own scatter is about σ²√(2/N), whatever the
    error is.

    Args:
        y, image: y and x̂ (N,C,H,W).
        sigma: the true σ (N,).
        reliance: φ (N,), the mean of the implied reliance.
    """
    residual = (y.double() - image.double()).square().flatten(1).mean(1)
    return residual + sigma.double().square() * (1 - 2 * reliance.double())


def random_signs(y: Tensor, seed: int) -> Tensor:
    """Return ±1 in the shape and dtype of y (N,C,H,W), independent and equally likely, given the image and the seed."""
    signs = []
    for image in y:
        digest = hashlib.sha256(f"{seed}:".encode() + image.detach().cpu().float().contiguous().numpy().tobytes())
        words = np.frombuffer(digest.digest(), dtype=np.uint32).tolist()
        random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(words)))
        signs.append(torch.from_numpy(random.randint(0, 2, size=tuple(image.shape)) * 2 - 1))
    return torch.stack(signs).to(y)


@cache
def slopes(n: int, channels: int) -> tuple[int, int]:
    """Return (s,t) so that numbers of one colour (s·row + column + t·channel) mod n are as far apart as can be.

    First within a channel, then between channels.
    """
    reach = range(-n, n + 1)

    def nearest(s: int, shift: int) -> int:
        return min((r * r + c * c for r in reach for c in reach if (s * r + c + shift) % n == 0 and (r or c or shift)),
                   default=0)  # fmt: skip

    s = max(range(n), key=lambda s: nearest(s, 0))
    between = [min((nearest(s, d * t) if d * t % n else 0 for d in range(1, channels)), default=0) for t in range(n)]
    return s, max(range(n), key=between.__getitem__)


def lattice(n: int, channels: int, height: int, width: int) -> Tensor:
    """Return a colour 0..n−1 for every number (C,H,W), n shifted copies of one lattice; each probe moves one colour."""
    s, t = slopes(n, channels)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    return (s * rows + columns + t * torch.arange(channels)[:, None, None]) % n


def _frozen_change(base: Restoration, moved: Restoration, change: Tensor) -> Tensor:
    """What x̂ changes by when f follows and φ and g stay: T((1 − φ) ⊙ Δf), T the synthesis of the domain.

    Args:
        base, moved: restorations before and after y was moved.
        change: of y, lifted to image space.
    """
    assert base.domain is not None
    assert base.phi is not None
    assert base.fidelity is not None
    if isinstance(base.domain, Pixel | LumaChroma | Fourier):
        assert moved.fidelity is not None
        delta = moved.fidelity - base.fidelity
    else:
        # The coordinates of these domains (which patches form a group) depend on y, so the two f are not of one kind;
        # their f is the transform of y.
        delta = base.domain.analysis(change)
    return base.domain.synthesis((1 - base.phi) * delta)


def _measurement(observation: Observation) -> Callable[[Tensor], Tensor]:
    """Return what a small change of x̂ changes of what was observed: A, or nothing is done to it if A is not linear."""
    operator, shape = observation.operator, observation.y.shape
    if operator.linear:
        return operator.forward
    if tuple(operator.image_shape(shape)) != tuple(shape):
        raise ValueError(f"{operator.title} is not linear, and y is not on the grid of x: reliance is not defined")
    return lambda change: change


def _seen(observation: Observation) -> Tensor:
    """Return, on the grid of y (N,1,h,w), 1 for an observed number and 0 in a hole."""
    mask, y = observation.mask, observation.y
    return mask if mask.shape[-2:] == y.shape[-2:] else torch.ones_like(y[:, :1])


def _placed(local: Tensor, height: int, width: int) -> Tensor:
    """Return a map on the grid of y on that of x: every number over its pixels, or 1 in a border that was not seen."""
    h, w = local.shape[-2:]
    if height % h == 0 and width % w == 0:
        return local.repeat_interleave(height // h, dim=-2).repeat_interleave(width // w, dim=-1)
    top, left = (height - h) // 2, (width - w) // 2
    return pad(local, (left, width - w - left, top, height - h - top), value=1.0)


def _reliance(response: Tensor, observation: Observation, colours: Tensor, probes: int) -> Reliance:
    """From ∂(A x̂)_i/∂y_i, 0 where y_i was not observed, to reliance."""
    mask = _seen(observation)
    observed = mask.expand_as(response)
    whole = observation.operator.image_shape(observation.y.shape)
    # Of the coordinates of x, so many are observed: all of them, in colorization one of three, and so on.
    share = math.prod(response.shape[1:]) / math.prod(whole[1:])
    near = avg_pool2d(mask, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)
    answers = avg_pool2d(
        response.mean(dim=1, keepdim=True), WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False
    )
    local = 1 - share * mask * answers / torch.where(mask > 0, near, 1)
    weight = share * float(1 / math.prod(response.shape[1:]))
    total = response.double().flatten(1).sum(1)
    parts = []
    for probe in range(probes):
        mine = colours == probe
        count = (observed * mine).double().flatten(1).sum(1)
        parts.append((response * mine).double().flatten(1).sum(1) / count.clamp(min=1))
    spread = torch.stack(parts).std(dim=0) if probes > 1 else torch.full_like(total, math.nan)
    scale = weight * observed.double().flatten(1).sum(1)
    error = scale * spread / math.sqrt(probes)
    return Reliance(_placed(local, whole[-2], whole[-1]), (1 - weight * total).to(local.dtype), error.to(local.dtype))
