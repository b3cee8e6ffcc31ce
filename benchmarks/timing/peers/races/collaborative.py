"""Collaborative filtering against the package of BM3D's authors."""

from __future__ import annotations

import numpy as np

from benchmarks.timing.peers.race import Array, Case, Peer, Race, Work
from benchmarks.timing.peers.restoring import DENOISE, PSNR, row
from datasets.observation import Observation


def bm3d_package(observation: Observation) -> Work:
    """Return the call of the `bm3d` package on an observation of one image: profile "np", both stages, one thread."""
    import bm3d

    assert observation.sigma is not None
    sigma = float(observation.sigma)
    profile = bm3d.BM3DProfile()
    profile.num_threads = 1
    pixels = np.ascontiguousarray(observation.y[0].permute(1, 2, 0).double().numpy())

    def work() -> Array:
        restored: Array
        if pixels.shape[2] == 3:
            restored = bm3d.bm3d_rgb(pixels, sigma, profile)
        else:
            restored = bm3d.bm3d(pixels[..., 0], sigma, profile)
        return restored

    return work


def package(case: Case) -> Work:
    """The package on a case."""
    return bm3d_package(case.observation)


RACES = (
    Race(
        name="collaborative-wiener",
        title="collaborative-wiener",
        group="denoising",
        task=DENOISE,
        start=row("collaborative-wiener"),
        peers=(Peer("bm3d", "bm3d", "bm3d", package, "profile np, both stages, double precision"),),
        quality=PSNR,
        not_raced=(
            ("bm3d-triton", "computes on a GPU alone"),
            ("bm3d-cupy", "computes on a GPU alone"),
            ("vapoursynth-bm3dcpu", "comes with VapourSynth, which the extra does not install"),
        ),
    ),
)
