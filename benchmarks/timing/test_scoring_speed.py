"""Scoring against one call of scikit-image and `lpips` per pair, in turn in the same process.

OMP_NUM_THREADS=1 pytest benchmarks/timing/test_scoring_speed.py
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator

import lpips
import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from benchmarks.scores.metrics.auc import area_under_curve
from benchmarks.scores.metrics.lpips import network
from benchmarks.scores.protocol import get_protocol
from benchmarks.scores.scorer import Scorer, quantise
from bigprior import imagenet_features

METHODS = 8
SIDE = 256
ROUNDS = 7
SCORING_FACTOR = 1.8
AREA_FACTOR = 20
AREA_CALLS = 20
"""Calls per round: one takes about as long as the clock and the allocator are unsteady."""


@pytest.fixture(params=[1, 2], ids=["1-thread", "2-threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Threads of torch, restored afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Iterator[lpips.LPIPS]:
    """LPIPS of the package, untrained, and ours with the same features: training takes no part in the time."""
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore", UserWarning)  # it calls torchvision in a way of old
        torch.manual_seed(7)
        trunk = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    features = {f"features.{key.split('.', 1)[1]}": value for key, value in trunk.net.state_dict().items()}
    monkeypatch.setattr(imagenet_features, "ensure_features", lambda name: features)
    network.cache_clear()
    yield trunk
    network.cache_clear()


def compare(
    benchmark: BenchmarkFixture, ours: Callable[[], object], baseline: Callable[[], object], calls: int = 1
) -> float:
    """Time both in turn and return how many times as fast ours is, by the medians; `ours` may make several calls."""
    times = []

    def time_baseline() -> None:
        began = time.perf_counter()
        baseline()
        times.append(time.perf_counter() - began)

    benchmark.pedantic(ours, setup=time_baseline, rounds=ROUNDS, warmup_rounds=1)
    if benchmark.stats is None:
        pytest.skip("timing is switched off")
    median = statistics.median(times[-ROUNDS:])
    factor = median / (benchmark.stats.stats.median / calls)
    benchmark.extra_info["baseline_seconds"] = median
    benchmark.extra_info["times_as_fast"] = factor
    print(f"{factor:.2f} times as fast")
    return factor


@pytest.mark.usefixtures("threads")
def test_psnr_ssim_lpips_of_one_image_and_several_methods(benchmark: BenchmarkFixture, theirs: lpips.LPIPS) -> None:
    generator = torch.Generator().manual_seed(1)
    clean = torch.nn.functional.interpolate(
        torch.rand(1, 3, 32, 32, generator=generator), size=(SIDE, SIDE), mode="bicubic"
    ).clamp(0, 1)
    images = [clean + 0.02 * (k + 1) * torch.randn(clean.shape, generator=generator) for k in range(METHODS)]
    scorer = Scorer(get_protocol("standard").measures("psnr,ssim,lpips"))

    def ours() -> list[dict[str, Tensor]]:
        prepared = scorer.prepare(clean, torch.ones_like(clean[:, :1]))
        return [scorer.score(prepared, image) for image in images]

    @torch.inference_mode()
    def per_pair() -> list[dict[str, float]]:
        return [pair(clean, image) for image in images]

    def pair(reference: Tensor, image: Tensor) -> dict[str, float]:
        x, y = quantise(reference), quantise(image)
        a, b = ((t[0] * 255).round().byte().permute(1, 2, 0).numpy() for t in (x, y))
        return {
            "psnr": peak_signal_noise_ratio(a, b, data_range=255),
            "ssim": structural_similarity(
                a, b, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
            ),
            "lpips": theirs(x, y, normalize=True).item(),
        }

    for mine, reference in zip(ours(), per_pair(), strict=True):
        assert {name: value.item() for name, value in mine.items()} == pytest.approx(reference, rel=1e-5)
    assert compare(benchmark, ours, per_pair) >= SCORING_FACTOR


def test_area_under_curve(benchmark: BenchmarkFixture) -> None:
    distance = np.random.RandomState(0).gamma(2, 10, size=(SIDE, SIDE))
    distance[::5] = distance[::5].round()  # ties with the thresholds
    tensor = torch.from_numpy(distance)[None]

    def loop() -> float:
        return 100 * float(np.mean([np.mean(distance <= t) for t in range(150)]))

    def calls() -> None:
        for _ in range(AREA_CALLS):
            area_under_curve(tensor)

    assert area_under_curve(tensor).item() == pytest.approx(loop(), abs=1e-9)
    assert compare(benchmark, calls, loop, AREA_CALLS) >= AREA_FACTOR
