"""What `--reliance` adds to a run: per image the implied reliance and SURE, and maps to analyse.

Maps are means over blocks of BLOCK×BLOCK pixels in half precision, some ten kilobytes each. Errors are squared, on the
0–255 scale, averaged over channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from bigprior.domains import LumaChroma, Pixel
from bigprior.fusion import Restoration
from bigprior.implied import PROBES, default_step, implied_reliance, sure
from datasets.observation import Observation, Truth
from datasets.operators import Identity

BLOCK = 4
LARGEST = 65504.0
"""Of half precision."""


@dataclass(frozen=True)
class Measurement:
    """What was measured of one image.

    Attributes:
        implied, standard_error: mean implied reliance and its standard error over the probes.
        sure: Stein's estimate of the mean squared error, on the [0,1] scale squared; None outside denoising.
        arrays: maps (H/4,W/4) and numbers by name. Always: `implied`; `error`, of x̂; `observed`, the share of pixels
            that were; `mse`, the mean squared error of x̂, not clipped, on the [0,1] scale squared. Where φ is known:
            `frozen`, the reliance with φ and g held fixed, and `frozen_mean`; `declared`, if φ has a place in the
            image. Where f and g are images too, `parts` (3,·,·): ‖f − x‖², ⟨f − x, g − x⟩ and ‖g − x‖².
    """

    implied: float
    standard_error: float
    sure: float | None
    arrays: dict[str, Tensor]


def measure(
    restore: Callable[[Observation], Restoration],
    given: Observation,
    base: Restoration,
    truth: Truth,
    probes: int = PROBES,
) -> list[Measurement]:
    """Measure a restored batch, by restoring it `probes` times more.

    Args:
        restore: the method.
        given: the batch as the method sees it.
        base: `restore(given)`.
        truth: of the batch, on the CPU: the step, SURE and the errors are those of the true σ and image.
    """
    implied = implied_reliance(restore, given, probes=probes, step=default_step(truth.sigma, len(given)), base=base)
    image, clean = base.image.cpu().double(), truth.clean.double()
    estimate = None
    if isinstance(given.operator, Identity) and truth.sigma is not None:
        estimate = sure(given.y.cpu(), image, truth.sigma, implied.mean.cpu())
    maps = {
        "implied": implied.map,
        "error": _errors(image - clean, image - clean),
        "observed": given.mask,
    }
    if implied.frozen is not None:
        maps["frozen"] = implied.frozen.map
        declared = base.phi_map()
        if declared is not None:
            maps["declared"] = declared.expand_as(given.mask)
        parts = _parts(base, clean)
        if parts is not None:
            maps["parts"] = parts
    measured = []
    for n in range(len(given)):
        arrays = {name: _blocks(values[n : n + 1]) for name, values in maps.items()}
        arrays["mse"] = (image[n] - clean[n]).square().mean()
        if implied.frozen is not None:
            arrays["frozen_mean"] = implied.frozen.mean[n]
        measured.append(
            Measurement(
                float(implied.mean[n]),
                float(implied.standard_error[n]),
                None if estimate is None else float(estimate[n]),
                arrays,
            )
        )
    return measured


def _errors(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩ per pixel, (N,1,H,W), averaged over channels, on the 0–255 scale squared."""
    return (a * b).mean(dim=1, keepdim=True) * 255**2


def _parts(restoration: Restoration, clean: Tensor) -> Tensor | None:
    """What the error of any φ follows from, (N,3,H,W): (1−φ)²‖f−x‖² + 2φ(1−φ)⟨f−x, g−x⟩ + φ²‖g−x‖²."""
    if not isinstance(restoration.domain, Pixel | LumaChroma):
        return None
    assert restoration.fidelity is not None
    assert restoration.prior is not None
    f, g = (
        restoration.domain.synthesis(part.expand_as(restoration.fidelity)).cpu().double() - clean
        for part in (restoration.fidelity, restoration.prior)
    )
    return torch.cat([_errors(f, f), _errors(f, g), _errors(g, g)], dim=1)


def _blocks(values: Tensor) -> Tensor:
    """Average a map (1,·,H,W) over blocks, those at the border over what there is of them."""
    means = avg_pool2d(values.double(), BLOCK, ceil_mode=True, count_include_pad=False)[0]
    return means.clamp(-LARGEST, LARGEST).half().squeeze(0)
