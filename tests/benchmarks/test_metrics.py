"""Each metric against its definition, an independent implementation, and a pinned value."""

from __future__ import annotations

import importlib
import math
import sys
import warnings
from collections.abc import Iterator
from functools import cache, partial

import lpips
import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from benchmarks.metrics import metrics
from benchmarks.metrics.auc import area_under_curve
from benchmarks.metrics.lpips import network
from benchmarks.protocol import get_protocol, protocols
from benchmarks.scoring import Scorer, quantise
from bigprior import imagenet_features
from datasets.errors import SuiteError
from datasets.plugins import PLUGIN_FOLDERS

SIZES = [(1, 33, 47), (3, 33, 47), (3, 64, 40), (1, 31, 31)]
PERFECT = {
    "psnr": math.inf,
    "psnr_hole": math.inf,
    "ssim": 1.0,
    "ssim_hole": 1.0,
    "lpips": 0.0,
    "auc": 100.0,
    "chroma_error": 0.0,
}


def picture(channels: int, height: int, width: int) -> Tensor:
    """A smooth picture with an edge, by formula: no random state, the same on every machine."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    waves = [torch.sin(5 * x + 3 * c * y) * torch.cos(4 * y - c) for c in range(channels)]
    return (0.5 + 0.4 * torch.stack(waves) + 0.1 * (x > 0.6))[None]


def damaged(clean: Tensor, strength: float = 0.08) -> Tensor:
    """The picture with noise-like texture and a cast, in part outside [0,1]."""
    index = torch.arange(clean.numel(), dtype=torch.float64).reshape(clean.shape)
    texture = (torch.frac(torch.sin(index * 12.9898) * 43758.5453) * strength).float()
    cast = torch.linspace(-0.5, 1, clean.shape[1]).reshape(-1, 1, 1) * strength
    return clean * 1.02 + texture + cast


def hole(height: int, width: int) -> Tensor:
    mask = torch.ones(1, 1, height, width)
    mask[..., height // 4 : height // 2, width // 3 : width - 7] = 0
    return mask


def u8(image: Tensor) -> np.ndarray:
    """(1,C,H,W) to scikit-image's (H,W,C) of bytes."""
    return (image[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def score(name: str, clean: Tensor, image: Tensor, mask: Tensor | None = None, protocol: str = "standard") -> float:
    scorer = Scorer(protocol, [name])
    mask = torch.ones_like(clean[:, :1]) if mask is None else mask
    return scorer.score(scorer.prepare(clean, mask), image)[name].item()


@cache
def package(version: str) -> lpips.LPIPS:
    """LPIPS of the `lpips` package with an AlexNet of random weights, the same for both versions: no download."""
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore", UserWarning)  # it calls torchvision in a way of old
        torch.manual_seed(7)
        return lpips.LPIPS(net="alex", version=version, pnet_rand=True, verbose=False)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Our LPIPS with the same random weights."""
    features = {f"features.{key.split('.', 1)[1]}": value for key, value in package("0.1").net.state_dict().items()}
    monkeypatch.setattr(imagenet_features, "ensure_features", lambda name: features)
    network.cache_clear()
    yield
    network.cache_clear()


# What holds for every metric.


def test_signatures_tell_apart_what_differs() -> None:
    signatures = {p: {name: get_protocol(p).metric(name).signature for name in metrics()} for p in protocols()}
    for ours in signatures.values():
        assert len(set(ours.values())) == len(ours)
    differing = {name for name in metrics() if signatures["standard"][name] != signatures["paper"][name]}
    assert differing == {"ssim", "ssim_hole", "lpips"}
    assert signatures["standard"]["psnr"] == "psnr|rgb|u8|crop0"
    assert signatures["standard"]["ssim"] == "ssim|rgb|gauss11-valid|u8"
    assert signatures["standard"]["lpips"] == "lpips|alex|v0.1"


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("protocol", ["standard", "paper"])
def test_equal_images_reach_the_best_value(protocol: str) -> None:
    clean = picture(3, 40, 37)
    for name, best in PERFECT.items():
        value = score(name, clean, clean, hole(40, 37), protocol)
        assert value == pytest.approx(best, abs=1e-12), name
        metric = get_protocol(protocol).metric(name)
        assert best == metric.limits[1 if metric.higher_is_better else 0]


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("name", sorted(PERFECT))
def test_more_damage_scores_worse_and_within_the_limits(name: str) -> None:
    clean, mask = picture(3, 48, 45), hole(48, 45)
    little, much = (score(name, clean, damaged(clean, strength), mask) for strength in (0.05, 0.3))
    metric = get_protocol("standard").metric(name)
    assert (little > much) == metric.higher_is_better
    assert metric.limits[0] <= min(little, much) <= max(little, much) <= metric.limits[1]


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("protocol", ["standard", "paper"])
def test_a_value_is_the_same_bits_whatever_else_is_scored(protocol: str) -> None:
    clean = torch.cat([picture(3, 45, 52), picture(3, 45, 52).flip(-1), damaged(picture(3, 45, 52), 0.5)])
    image, mask = damaged(clean, 0.2), hole(45, 52).repeat(3, 1, 1, 1)
    everything = Scorer(protocol, sorted(PERFECT))
    prepared = everything.prepare(clean, mask)
    everything.score(prepared, damaged(clean, 0.4))
    together = everything.score(prepared, image)
    for name in PERFECT:
        alone = [score(name, clean[i : i + 1], image[i : i + 1], mask[i : i + 1], protocol) for i in range(3)]
        assert together[name].tolist() == alone, name
        assert len(set(alone)) == 3, name


@pytest.mark.usefixtures("untrained")
def test_a_value_is_the_same_bits_on_two_threads() -> None:
    clean, mask = picture(3, 120, 130), hole(120, 130)  # large enough for torch to share the work
    before = torch.get_num_threads()
    values = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            values.append([score(name, clean, damaged(clean), mask) for name in sorted(PERFECT)])
    finally:
        torch.set_num_threads(before)
    assert values[0] == values[1]


@pytest.mark.usefixtures("untrained")
def test_only_the_8_bit_images_count() -> None:
    clean = picture(3, 40, 41)
    image = damaged(clean)
    for name in PERFECT:
        expected = score(name, quantise(clean), quantise(image), hole(40, 41))
        assert score(name, clean, image, hole(40, 41)) == expected, name
        assert score(name, clean.double(), quantise(image).double() + 0.4 / 255, hole(40, 41)) == expected, name


def test_quantise_clips_and_rounds() -> None:
    given = torch.tensor([-0.2, 0.0, 0.49 / 255, 0.51 / 255, 254.6 / 255, 1.0, 1.7, math.inf, math.nan])
    expected = torch.tensor([0, 0, 0, 1, 255, 255, 255, 255, math.nan]) / 255
    torch.testing.assert_close(quantise(given), expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.usefixtures("untrained")
def test_a_nan_image_has_no_value() -> None:
    clean = picture(3, 40, 41)
    image = clean.clone()
    image[0, 1, 12, 20] = math.nan  # in the hole
    for name in PERFECT:
        assert math.isnan(score(name, clean, image, hole(40, 41))), name


def test_shapes_must_agree() -> None:
    scorer = Scorer("standard", ["psnr"])
    prepared = scorer.prepare(picture(3, 20, 20), torch.ones(1, 1, 20, 20))
    with pytest.raises(ValueError, match=r"\(1, 1, 20, 20\).*\(1, 3, 20, 20\)"):
        scorer.score(prepared, picture(1, 20, 20))


def test_unknown_names_are_answered_with_the_valid_ones() -> None:
    with pytest.raises(SuiteError, match=r"protocol 'papr'.*Did you mean paper.*standard"):
        Scorer("papr", ["psnr"])
    with pytest.raises(SuiteError, match=r"metric 'snr'.*Did you mean psnr"):
        Scorer("paper", ["snr"])
    with pytest.raises(SuiteError, match=r"SSIM window 'gauss'.*gaussian"):
        metrics()["ssim"](window="gauss")  # type: ignore[call-arg]
    with pytest.raises(SuiteError, match=r"LPIPS version '1'.*0\.1"):
        metrics()["lpips"](version="1")  # type: ignore[call-arg]


def test_a_new_metric_is_a_new_file(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "largest_error.py").write_text(
        "from dataclasses import dataclass\n"
        "from benchmarks.metrics.base import Metric\n"
        "@dataclass(frozen=True)\n"
        "class Largest(Metric):\n"
        "    name, title, higher_is_better, decimals, limits = 'largest', 'max error', False, 0, (0.0, 255.0)\n"
        "    signature = 'largest|rgb|u8'\n"
        "    def prepare(self, reference, mask):\n"
        "        return reference\n"
        "    def score(self, prepared, image):\n"
        "        return (image - prepared).abs().flatten(1).amax(1).double() * 255\n"
    )
    monkeypatch.setenv(PLUGIN_FOLDERS, str(tmp_path))
    metrics.cache_clear()
    try:
        clean = torch.full((1, 1, 16, 16), 0.5)
        assert score("largest", clean, clean + 10 / 255) == pytest.approx(10, abs=1e-4)
    finally:
        metrics.cache_clear()
        for module in [name for name in sys.modules if name.startswith("_plugin_largest_error")]:
            del sys.modules[module]


# PSNR.


@pytest.mark.parametrize(("channels", "height", "width"), SIZES)
def test_psnr_is_scikit_images(channels: int, height: int, width: int) -> None:
    clean = picture(channels, height, width)
    image = damaged(clean)
    expected = peak_signal_noise_ratio(u8(clean), u8(image), data_range=255)
    assert score("psnr", clean, image) == pytest.approx(expected, abs=1e-10)


def test_psnr_of_one_level_everywhere() -> None:
    clean = torch.full((1, 3, 16, 16), 100 / 255)
    assert score("psnr", clean, clean + 1 / 255) == pytest.approx(20 * math.log10(255), abs=1e-12)


def test_psnr_hole_sees_the_hole_only() -> None:
    clean, mask = picture(3, 33, 47), hole(33, 47)
    image = damaged(clean)
    inside = (mask[0, 0] == 0).numpy()
    expected = peak_signal_noise_ratio(u8(clean)[inside], u8(image)[inside], data_range=255)
    assert score("psnr_hole", clean, image, mask) == pytest.approx(expected, abs=1e-10)
    assert score("psnr_hole", clean, torch.where(mask == 0, image, 0.3), mask) == pytest.approx(expected, abs=1e-10)
    assert math.isnan(score("psnr_hole", clean, image, torch.ones_like(mask)))


# SSIM.

skimage_ssim = {
    "standard": partial(
        structural_similarity, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    ),
    "paper": partial(structural_similarity, data_range=255),
}


@pytest.mark.parametrize("protocol", ["standard", "paper"])
@pytest.mark.parametrize(("channels", "height", "width"), [*SIZES, (3, 16, 11)])
def test_ssim_is_scikit_images(protocol: str, channels: int, height: int, width: int) -> None:
    clean = picture(channels, height, width)
    image = damaged(clean)
    expected = skimage_ssim[protocol](u8(clean), u8(image), channel_axis=-1)
    assert score("ssim", clean, image, protocol=protocol) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("protocol", ["standard", "paper"])
def test_ssim_of_flat_saturated_regions(protocol: str) -> None:
    clean = torch.ones(1, 1, 40, 40)
    clean[..., 20:, :] = 254 / 255
    image = clean - 1 / 255 * (torch.arange(40) % 7 == 0)
    expected = skimage_ssim[protocol](u8(clean), u8(image), channel_axis=-1)
    assert score("ssim", clean, image, protocol=protocol) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("protocol", "side"), [("standard", 11), ("paper", 7)])
def test_ssim_needs_one_whole_window(protocol: str, side: int) -> None:
    clean = picture(3, 20, side)
    assert 0 < score("ssim", clean, damaged(clean), protocol=protocol) < 1
    small = clean[..., 1:]
    for name in ("ssim", "ssim_hole"):
        assert math.isnan(score(name, small, small, torch.zeros_like(small[:, :1]), protocol=protocol))


@pytest.mark.parametrize(("protocol", "radius"), [("standard", 5), ("paper", 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_hole_is_the_mean_of_the_map_in_the_hole(protocol: str, radius: int, channels: int) -> None:
    clean, mask = picture(channels, 33, 47), hole(33, 47)
    mask[..., 30:, 4:9] = 0  # partly without a whole window
    image = damaged(clean)
    _, similarity = skimage_ssim[protocol](u8(clean), u8(image), channel_axis=-1, full=True)
    inside = mask[0, 0].numpy() == 0
    inside[:radius] = inside[-radius:] = inside[:, :radius] = inside[:, -radius:] = False
    expected = similarity[inside].mean()
    assert score("ssim_hole", clean, image, mask, protocol) == pytest.approx(expected, abs=1e-10)


def test_ssim_hole_has_no_value_without_a_whole_window_in_the_hole() -> None:
    clean, mask = picture(3, 33, 47), torch.ones(1, 1, 33, 47)
    assert math.isnan(score("ssim_hole", clean, clean, mask))
    mask[..., :5, :] = 0
    assert math.isnan(score("ssim_hole", clean, clean, mask))
    assert score("ssim_hole", clean, clean, mask, "paper") == pytest.approx(1, abs=1e-12)


# Chroma.


def ab_distance(clean: Tensor, image: Tensor) -> np.ndarray:
    return np.linalg.norm((rgb2lab(u8(clean)) - rgb2lab(u8(image)))[..., 1:], axis=-1)


def area_by_definition(distance: np.ndarray) -> float:
    return 100 * float(np.mean([np.mean(distance <= t) for t in range(150)]))


@pytest.mark.parametrize(("height", "width"), [(33, 47), (64, 40)])
def test_chroma_metrics_are_scikit_images_lab(height: int, width: int) -> None:
    clean = picture(3, height, width)
    image = damaged(clean, 0.6)
    distance = ab_distance(clean, image)
    assert distance.max() > 60
    assert score("chroma_error", clean, image) == pytest.approx(distance.mean(), abs=1e-9)
    assert score("auc", clean, image) == pytest.approx(area_by_definition(distance), abs=1e-9)


def test_area_is_its_definition_at_and_around_the_thresholds() -> None:
    whole = np.arange(0.0, 200.0)
    distance = np.concatenate([whole, np.nextafter(whole, np.inf), np.nextafter(whole[1:], 0), [1e-300, 1e9, np.inf]])
    single = 100 * (distance[:, None] <= np.arange(150)).mean(axis=1)
    np.testing.assert_allclose(area_under_curve(torch.from_numpy(distance)[:, None, None]), single, rtol=0, atol=1e-9)
    whole_image = area_under_curve(torch.from_numpy(distance)[None, None]).item()
    assert whole_image == pytest.approx(area_by_definition(distance), abs=1e-9)


def test_area_of_a_constant_distance() -> None:
    # A distance of 37.5 is under the thresholds 38 to 149: 112 of 150.
    assert area_under_curve(torch.full((2, 4, 4), 37.5).double()).tolist() == pytest.approx([100 * 112 / 150] * 2)


def test_lightness_alone_is_no_chroma_error() -> None:
    grays = torch.linspace(0, 1, 32).expand(1, 3, 32, 32)
    assert score("chroma_error", grays, torch.full_like(grays, 0.5)) < 0.01
    assert score("auc", grays, grays.flip(-1)) > 99


def test_gray_images_have_no_chroma() -> None:
    clean = picture(1, 33, 47)
    for name in ("auc", "chroma_error"):
        assert math.isnan(score(name, clean, clean))


# LPIPS.


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(("protocol", "version"), [("standard", "0.1"), ("paper", "0.0")])
@pytest.mark.parametrize(("channels", "height", "width"), SIZES)
def test_lpips_is_the_packages(protocol: str, version: str, channels: int, height: int, width: int) -> None:
    clean = picture(channels, height, width)
    image = damaged(clean, 0.4)
    with torch.inference_mode():
        pair = (quantise(x).repeat(1, 3 // channels, 1, 1) for x in (clean, image))
        expected = package(version)(*pair, normalize=True).item()
    assert expected > 1e-3
    assert score("lpips", clean, image, protocol=protocol) == pytest.approx(expected, rel=2e-5)


@pytest.mark.usefixtures("untrained")
def test_lpips_has_no_value_where_the_package_fails() -> None:
    clean = picture(3, 60, 30)
    with pytest.raises(RuntimeError):
        package("0.1")(clean, clean)
    assert math.isnan(score("lpips", clean, damaged(clean)))


def test_lpips_without_weights_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise SuiteError(f"no {name} features; run: python -m bigprior.imagenet_features fetch")

    monkeypatch.setattr(imagenet_features, "ensure_features", nothing)
    network.cache_clear()
    metric = get_protocol("standard").metric("lpips")
    assert "python -m bigprior.imagenet_features fetch" in (metric.unavailable() or "")
    with pytest.raises(SuiteError, match="no alexnet features"):
        Scorer("standard", ["psnr", "lpips"]).prepare(picture(3, 40, 40), torch.ones(1, 1, 40, 40))


def test_lpips_does_not_import_the_package() -> None:
    source = importlib.import_module("benchmarks.metrics.lpips")
    assert not hasattr(source, "lpips")


# One pinned value per metric, of this file's picture: conventions cannot drift unseen.


@pytest.mark.parametrize(
    ("protocol", "name", "expected"),
    [
        ("standard", "psnr", 15.355233),
        ("standard", "psnr_hole", 15.225581),
        ("standard", "ssim", 0.26188181),
        ("paper", "ssim", 0.33646171),
        ("standard", "ssim_hole", 0.26572715),
        ("paper", "ssim_hole", 0.34839437),
        ("standard", "auc", 80.981647),
        ("standard", "chroma_error", 28.021998),
    ],
)
def test_pinned(protocol: str, name: str, expected: float) -> None:
    clean = picture(3, 48, 56)
    assert score(name, clean, damaged(clean, 0.2), hole(48, 56), protocol) == pytest.approx(expected, rel=1e-6)
