"""What a row says of its own error, per pixel, before anyone has seen the clean image.

    phi         the declared φ
    implied     the implied reliance (`bigprior.implied`), where the data are noisy
    data        1 − implied: the share of a pixel that follows its own datum, and so its noise
    difference  |f − g|, root mean square over channels, on the 0–255 scale
    variance    variance over draws of the posterior, mean over channels, on the 0–255 scale squared
    sure        the local term of Stein's estimate of the squared error, on the same scale: the mean over a square of
                (y − x̂)² + σ² (1 − 2φ), φ the implied reliance

A larger value says: trust this pixel less. In a noise-free task the implied reliance is known without a probe (1 where
nothing was observed, the share of lost coordinates elsewhere) and so tells no pixel from another: it is not measured.
Nor is that of a row that draws: it has its variance, and a probe costs as much as all of its draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import avg_pool2d

from bigprior.domains import LumaChroma, Pixel
from bigprior.draws import Sampled
from bigprior.fusion import Restoration
from bigprior.implied import WINDOW
from datasets.observation import Observation

LEVELS = 255


@dataclass(frozen=True)
class Answer:
    """What a row gave for one observation.

    Attributes:
        given: the observation (N images), as the row saw it.
        restoration: its restoration.
        implied: the implied reliance (N,1,H,W), or None if it was not measured.
        sigma: the true σ (N,) on the [0,1] scale, 0 without noise; None if the noise has no one level.
    """

    given: Observation
    restoration: Restoration
    implied: Tensor | None = None
    sigma: Tensor | None = None


def phi(answer: Answer) -> Tensor | None:
    """Return the declared φ (N,1,H,W), or None where it is not told or has no place in the image."""
    found = answer.restoration.phi_map()
    return None if found is None else found.expand_as(answer.given.mask)


def implied(answer: Answer) -> Tensor | None:
    """Return the implied reliance (N,1,H,W), or None."""
    return answer.implied


def data(answer: Answer) -> Tensor | None:
    """Return 1 − the implied reliance (N,1,H,W), or None."""
    return None if answer.implied is None else 1 - answer.implied


def difference(answer: Answer) -> Tensor | None:
    """Return |f − g| (N,1,H,W) on the 0–255 scale, or None where they are no images."""
    restoration = answer.restoration
    if not restoration.decoupled or not isinstance(restoration.domain, Pixel | LumaChroma):
        return None
    f, g = (
        restoration.domain.synthesis(part.expand_as(restoration.image))
        for part in (restoration.fidelity, restoration.prior)
        if part is not None
    )
    return LEVELS * (f - g).square().mean(dim=1, keepdim=True).sqrt()


def variance(answer: Answer) -> Tensor | None:
    """Return the variance over draws (N,1,H,W) on the 0–255 scale squared, or None of a row that draws nothing."""
    found = answer.restoration.variance() if isinstance(answer.restoration, Sampled) else None
    return None if found is None else LEVELS**2 * found


def sure(answer: Answer) -> Tensor | None:
    """Return the local term of SURE (N,1,H,W) on the 0–255 scale squared, or None; it may be negative."""
    if answer.implied is None or answer.sigma is None or answer.given.y.shape != answer.restoration.image.shape:
        return None
    residual = (answer.given.y - answer.restoration.image).square().mean(dim=1, keepdim=True)
    near = avg_pool2d(residual, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)
    noise = answer.sigma.to(near).square().view(-1, 1, 1, 1)
    return LEVELS**2 * (near + noise * (1 - 2 * answer.implied))


PREDICTORS: dict[str, Callable[[Answer], Tensor | None]] = {
    "phi": phi,
    "implied": implied,
    "data": data,
    "difference": difference,
    "variance": variance,
    "sure": sure,
}
"""Name → the map that it makes of an answer, or None where a row has none."""
