"""What is measured of one row on one image, and where it is kept."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from benchmarks.reliance.data import Floats
from benchmarks.scores.reliance import BLOCK, LARGEST
from benchmarks.trust.hallucination_index import hallucination_index
from benchmarks.trust.invention import invention
from benchmarks.trust.predictors import LEVELS, PREDICTORS, Answer
from benchmarks.trust.spread import WIDTHS, inflation
from bigprior.draws import Sampled
from bigprior.fusion import Restoration
from bigprior.implied import default_step, implied_reliance
from datasets.files import write_atomically
from datasets.observation import Observation, Truth

PROBES = 4
"""Of the implied reliance. Its map is a mean over 49 pixels."""


@dataclass(frozen=True)
class Maps:
    """One row on one image.

    Attributes:
        error: (H,W), root mean square over channels of x̂ − x, on the 0–255 scale, x̂ not clipped.
        region: (H,W) bool, the pixels that the data do not give exactly: a hole, or all of them.
        predictors: name → (H,W); see `benchmarks.trust.predictors`.
        within: (3,H,W), the share of channels with |x̂ − x| ≤ k s for k = 1, 2, 3, of a row that draws; else empty.
        numbers: name → number: `draws` K, `phi`, and what `measured` adds.
    """

    error: Floats
    region: NDArray[np.bool_]
    predictors: dict[str, Floats]
    within: Floats
    numbers: dict[str, float]

    def places(self, name: str) -> tuple[Floats, Floats]:
        """Return predictor and squared error of the pixels of the region (P,)."""
        return self.predictors[name][self.region], self.error[self.region] ** 2

    def blocks(self, name: str) -> tuple[Floats, Floats]:
        """Return the same (B,) as means over blocks of BLOCK×BLOCK pixels, of what of them is in the region."""
        share = _means(self.region.astype(float))
        there = share > 0
        values = (_means(self.predictors[name] * self.region), _means(self.error**2 * self.region))
        predictor, error = (value[there] / share[there] for value in values)
        return predictor, error

    def save(self, path: Path) -> None:
        """Write the maps in half precision, compressed."""
        arrays: dict[str, NDArray[Any]] = {
            "error": half(self.error),
            "region": self.region,
            "within": half(self.within),
        }
        arrays |= {f"predictor-{name}": half(values) for name, values in self.predictors.items()}
        arrays |= {f"number-{name}": np.array(value) for name, value in self.numbers.items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())

    @staticmethod
    def load(path: Path) -> Maps | None:
        """Read them again; None if they are not there or damaged."""
        try:
            with np.load(path) as file:
                found: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        named = {
            kind: {name.removeprefix(f"{kind}-"): value for name, value in found.items() if name.startswith(f"{kind}-")}
            for kind in ("predictor", "number")
        }
        return Maps(
            found["error"].astype(float),
            found["region"],
            {name: value.astype(float) for name, value in named["predictor"].items()},
            found["within"].astype(float),
            {name: float(value) for name, value in named["number"].items()},
        )


def half(values: Floats) -> NDArray[np.float16]:
    """Return values in half precision, as far as it reaches."""
    return np.clip(values, -LARGEST, LARGEST).astype(np.float16)


def _means(values: Floats) -> Floats:
    blocks = avg_pool2d(torch.from_numpy(values)[None, None], BLOCK, ceil_mode=True, count_include_pad=False)
    return np.asarray(blocks[0, 0].numpy())


def region_of(observation: Observation, sigma: Tensor | None) -> Tensor:
    """Return 1 at pixels that the data do not give exactly (N,1,H,W): holes if the rest has no noise, else all."""
    mask = observation.mask
    exact = sigma is not None and bool((sigma == 0).all()) and bool((mask == 0).any())
    return 1 - mask if exact else torch.ones_like(mask)


def measured(
    restore: Callable[[Observation], Restoration],
    given: Observation,
    truth: Truth,
    again: Callable[[], Tensor] | None = None,
) -> Maps:
    """Restore one image and measure what `Maps` has.

    numbers: `mse`, on the [0,1] scale squared; for linear operators `null_share`, `truth_share`, `measured_rms` and
    `null_rms` (0–255 scale), see `benchmarks.trust.invention`; `index`, the Hallucination Index over the region, where
    its draws are known.

    Args:
        restore: the row.
        given: the observation as the row sees it.
        truth: of the image.
        again: gives restorations (K,1,C,H,W) of new measurements, for the index. Without noise every measurement is
            the same: then the index is of the draws of the restoration or, of a row that draws nothing, of its image.
    """
    restoration = restore(given)
    image, clean, sigma = restoration.image, truth.clean.to(restoration.image), truth.sigma
    noisy = sigma is not None and bool((sigma > 0).all())
    implied = None
    if noisy and not isinstance(restoration, Sampled):
        implied = implied_reliance(
            restore, given, probes=PROBES, step=default_step(sigma, len(given)), base=restoration
        ).map
    answer = Answer(given, restoration, implied, sigma)
    found = {name: predictor(answer) for name, predictor in PREDICTORS.items()}
    region = region_of(given, sigma)
    phi = restoration.phi_mean()
    numbers = {"mse": float((image - clean).square().mean()), "phi": float("nan") if phi is None else float(phi[0])}
    within = np.zeros((0, *image.shape[-2:]))
    draws = restoration.draws if isinstance(restoration, Sampled) else image[None]
    variance = found["variance"]
    if variance is not None:
        numbers["draws"] = float(len(draws))
        deviation = (inflation(len(draws)) * variance).sqrt() / LEVELS
        within = torch.stack([((image - clean).abs() <= k * deviation).double().mean(dim=1)[0] for k in WIDTHS]).numpy()
    if given.operator.linear:
        parts = invention(given, image, clean)
        numbers |= {"null_share": float(parts.share), "truth_share": float(parts.truth_share)}
        numbers |= {"measured_rms": _rms(parts.measured_map), "null_rms": _rms(parts.null_map)}
    if again is not None or not noisy:
        numbers["index"] = float(hallucination_index(draws if again is None else again(), clean, region))
    return Maps(
        LEVELS * (image - clean).square().mean(dim=1)[0].sqrt().double().numpy(),
        region[0, 0].numpy() > 0,
        {name: value[0, 0].double().numpy() for name, value in found.items() if value is not None},
        within,
        numbers,
    )


def _rms(values: Tensor) -> float:
    return LEVELS * float(values.double().square().mean().sqrt())
