"""LPIPS of one pair of images, AlexNet, version 0.1."""

from __future__ import annotations

import contextlib
import io
import warnings
from functools import cache

import torch
from torch import Tensor

from benchmarks.timing.peers.race import Case, Peer, Race, Work, square
from benchmarks.timing.peers.scoring import NOISY, error, metric, pair, scored
from bigprior import imagenet_features

TOLERANCE = 1e-5


@cache
def network(dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    """The package's network, with the features that the suite has of AlexNet."""
    import lpips

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.random.fork_rng():
        warnings.simplefilter("ignore", UserWarning)  # it calls torchvision in a way of old
        found: torch.nn.Module = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    features = imagenet_features.ensure_features("alexnet")
    trunk = found.get_submodule("net")
    trunk.load_state_dict({key: features[f"features.{key.split('.', 1)[1]}"] for key in trunk.state_dict()})
    return found.to(dtype).eval()


def package(case: Case) -> Work:
    """The package, on its scale of −1 to 1."""
    theirs, (reference, image) = network(), pair(case)
    given = 2 * reference - 1, 2 * image - 1
    return lambda: float(theirs(*given))


def exact(case: Case) -> float:
    """LPIPS of the package in double precision."""
    given: list[Tensor] = [2 * one.double() - 1 for one in pair(case)]
    return float(network(torch.float64)(*given))


RACES = (
    Race(
        name="lpips",
        title="LPIPS",
        group="metrics",
        task=NOISY,
        start=scored("lpips"),
        peers=(Peer("lpips", "lpips", "lpips", package, "float32, the same weights", (3,)),),
        quality=error("LPIPS", TOLERANCE, exact),
        missing=lambda: metric("lpips").unavailable(),
        sizes=square(planes=(3,)),
    ),
)
