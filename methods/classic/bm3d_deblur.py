"""BM3D for deblurring, its authors' implementation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import ClassVar

import bm3d
import bm4d  # type: ignore[import-untyped]
import numpy as np
import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.blur import PERIODIC_DEBLURRING
from datasets.observation import Observation
from datasets.task import Problem
from methods.base import Method, noise_level
from methods.classic._blurred import blurred
from methods.classic._colour import change, opponent_matrix

if not hasattr(np, "trapz"):
    # For coloured noise the package calls what NumPy 2.4 has under another name only. Nobody else sees this one.
    numpy_with_trapz = ModuleType("numpy")
    numpy_with_trapz.trapz = np.trapezoid  # type: ignore[attr-defined]
    numpy_with_trapz.__getattr__ = partial(getattr, np)  # type: ignore[method-assign]
    bm4d.np = numpy_with_trapz


@dataclass(frozen=True)
class BM3DDeblur(Method):
    """`bm3d.bm3d_deblurring` of the `bm3d` package, profile "np", on one CPU thread.

    The regularised inverse of y, its coloured noise removed by BM3D's first stage; then the Wiener inverse with that
    image as pilot, its noise removed by the second. Colour images are handed over channel by channel of an orthonormal
    opponent space, in which the noise stays white and of the same σ; three channels at once fail in the package. It
    does not say how much of the result is prior: the restoration is not decoupled. Where σ is 0 it would divide by it,
    and x̂ = A⁺y, the inverse filter.

    Source: K. Dabov, A. Foi, V. Katkovnik and K. Egiazarian, "Image Restoration by Sparse 3D Transform-Domain
    Collaborative Filtering", SPIE Electronic Imaging 2008; the package implements Y. Mäkinen, L. Azzari and A. Foi,
    "Collaborative Filtering of Correlated Noise", IEEE TIP 2020.
    """

    name: ClassVar[str] = "bm3d-deblur"
    summary: ClassVar[str] = "BM3D of a regularised inverse, the authors' package"
    citation: ClassVar[str] = (
        "K. Dabov et al., Image restoration by sparse 3D transform-domain collaborative filtering, SPIE 2008"
    )
    problems: ClassVar[tuple[Problem, ...]] = (PERIODIC_DEBLURRING,)
    decoupled: ClassVar[bool] = False
    uses_sigma: ClassVar[bool] = True
    warm_up: ClassVar[bool] = False

    def restore(self, observation: Observation) -> Restoration:
        blurred(observation, self.name)
        kernels: Tensor = observation.operator.kernel  # type: ignore[attr-defined]
        levels = noise_level(observation).tolist()
        images = [
            _one(y, kernel[0], sigma) if sigma else lifted
            for y, kernel, sigma, lifted in zip(observation.y, kernels, levels, observation.fidelity, strict=True)
        ]
        return Restoration(torch.stack(images))


def _one(y: Tensor, kernel: Tensor, sigma: float) -> Tensor:
    """Restore one image (C,H,W)."""
    matrix = opponent_matrix(len(y)).to(y)
    channels = change(y[None], matrix)[0].cpu().double().numpy()
    point_spread = kernel.cpu().double().numpy()
    profile = bm3d.BM3DProfile()
    profile.num_threads = 1  # with more, the last bits of its sums change from run to run
    found = [bm3d.bm3d_deblurring(channel[..., None], sigma, point_spread, profile) for channel in channels]
    image = torch.from_numpy(np.stack(found).reshape(channels.shape)).to(y)
    return change(image[None], matrix.T)[0]
