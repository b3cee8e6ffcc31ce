"""One row on one photograph: tile by tile, checked, and with the parts of the fusion where they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.photographs.tiles import blended
from benchmarks.rows import Row
from benchmarks.trial import describe
from bigprior.fusion import Restoration
from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.task import Task


@dataclass(frozen=True)
class Parts:
    """A restoration as images, on the CPU; what was not asked for, or is hidden, is None.

    Attributes:
        image: x̂ (1,C,H,W), not clipped.
        phi: (1,1,H,W); None also where φ has no place in the image (Fourier).
        prior: g (1,C,H,W), in image space: what φ = 1 everywhere would give.
        phi_mean: mean reliance; in tiles, the mean of theirs, weighted by their pixels.
    """

    image: Tensor
    phi: Tensor | None = None
    prior: Tensor | None = None
    phi_mean: float | None = None


def honest_row(spec: str, task: Task) -> Row:
    """Make the row of a spec that is to restore photographs.

    Raises:
        SuiteError: there is no such method, it does not solve the problem, or it looks at the clean image.
    """
    row = Row.parse(spec)
    if row.oracle:
        raise SuiteError(f"method '{row.label}' is told the truth, and of a photograph nobody knows it: name another.")
    if task.problem not in row.method.problems:
        raise SuiteError(f"method '{row.label}' cannot restore this: {row.supports(task) or 'another problem'}.")
    return row


def restored(
    row: Row,
    observation: Observation,
    device: str = "cpu",
    *,
    phi: bool = False,
    prior: bool = False,
    done: Callable[[], object] = lambda: None,
) -> Parts:
    """Restore an observation of one image.

    Args:
        phi, prior: return them too, if the method tells them.
        done: called after each tile.

    Raises:
        SuiteError: the method fails, or returns no image.
    """
    phi, prior = (wanted and row.method.decoupled for wanted in (phi, prior))
    holes = bool((observation.mask == 0).any())
    means: list[tuple[float, int]] = []
    widths: dict[str, int] = {}

    def stacked(part: Observation) -> Tensor:
        restoration = _call(row, part, device) if not holes or bool((part.mask == 0).any()) else _untouched(part)
        mean = restoration.phi_mean()
        if mean is not None and row.method.decoupled:
            means.append((float(mean), part.mask.numel()))
        planes = {"image": restoration.image}
        found = restoration.phi_map() if phi else None
        if found is not None:
            planes["phi"] = found.expand_as(part.mask)
        if prior and restoration.decoupled:
            planes["prior"] = _prior(restoration)
        widths.update({name: plane.shape[1] for name, plane in planes.items()})
        return torch.cat([plane.cpu() for plane in planes.values()], dim=1)

    with torch.no_grad():
        split = blended(stacked, observation, done).split(list(widths.values()), dim=1)
    parts = dict(zip(widths, split, strict=True))
    total = sum(pixels for _, pixels in means)
    phi_mean = sum(mean * pixels for mean, pixels in means) / total if means else None
    return Parts(parts["image"], parts.get("phi"), parts.get("prior"), phi_mean)


def _untouched(part: Observation) -> Restoration:
    """A tile without a hole: all data."""
    return Restoration.fused(part.fidelity, part.fidelity, torch.zeros_like(part.mask))


def _call(row: Row, part: Observation, device: str) -> Restoration:
    wanted = tuple(part.operator.image_shape(part.y.shape))
    try:
        result = row.method.restore(row.view(part, device))
        restoration = Restoration(result) if isinstance(result, Tensor) else result
        if tuple(restoration.image.shape) != wanted or not bool(torch.isfinite(restoration.image).all()):
            raise ValueError(f"returned no finite image of shape {wanted}")
        return restoration
    except SuiteError:
        raise
    except (Exception, SystemExit) as error:  # methods are others' code
        raise SuiteError(f"method '{row.label}' failed ({describe(error)}): name another.") from error


def _prior(restoration: Restoration) -> Tensor:
    assert restoration.domain is not None
    assert restoration.prior is not None
    assert restoration.fidelity is not None
    return restoration.domain.synthesis(restoration.prior.expand_as(restoration.fidelity))
