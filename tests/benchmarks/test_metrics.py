"""Each metric against its definition, an independent implementation, and a pinned value."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from benchmarks.scores.measure import check_columns
from benchmarks.scores.metrics._view import luma
from benchmarks.scores.metrics.auc import area_under_curve
from benchmarks.scores.metrics.lpips import network
from benchmarks.scores.protocol import get_protocol, protocols
from benchmarks.scores.scorer import Scorer, quantise
from bigprior import imagenet_features
from datasets.catalog import METRICS, PLUGIN_FOLDERS
from datasets.errors import SuiteError
from methods.classic.kernels import available

if TYPE_CHECKING:
    from lpips import LPIPS

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


def scorer_of(protocol: str, *names: str) -> Scorer:
    return Scorer(get_protocol(protocol).measures(names))


def score(spec: str, clean: Tensor, image: Tensor, mask: Tensor | None = None, protocol: str = "standard") -> float:
    scorer = scorer_of(protocol, spec)
    mask = torch.ones_like(clean[:, :1]) if mask is None else mask
    [value] = scorer.score(scorer.prepare(clean, mask), image).values()
    return value.item()


@cache
def package(version: str) -> LPIPS:
    """LPIPS of the `lpips` package with an AlexNet of random weights, the same for both versions: no download."""
    import lpips  # takes seconds to load

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
    names = METRICS.names()
    signatures = {p: {name: get_protocol(p).measure(name).signature for name in names} for p in protocols()}
    for ours in signatures.values():
        assert len(set(ours.values())) == len(ours)
    differing = {name for name in names if signatures["standard"][name] != signatures["paper"][name]}
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
        metric = get_protocol(protocol).measure(name)
        assert best == metric.limits[1 if metric.higher_is_better else 0]


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("name", sorted(PERFECT))
def test_more_damage_scores_worse_and_within_the_limits(name: str) -> None:
    clean, mask = picture(3, 48, 45), hole(48, 45)
    little, much = (score(name, clean, damaged(clean, strength), mask) for strength in (0.05, 0.3))
    metric = get_protocol("standard").measure(name)
    assert (little > much) == metric.higher_is_better
    assert metric.limits[0] <= min(little, much) <= max(little, much) <= metric.limits[1]


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("protocol", ["standard", "paper"])
def test_a_value_is_the_same_bits_whatever_else_is_scored(protocol: str) -> None:
    clean = torch.cat([picture(3, 45, 52), picture(3, 45, 52).flip(-1), damaged(picture(3, 45, 52), 0.5)])
    image, mask = damaged(clean, 0.2), hole(45, 52).repeat(3, 1, 1, 1)
    everything = scorer_of(protocol, *sorted(PERFECT))
    prepared = everything.prepare(clean, mask)
    everything.score(prepared, damaged(clean, 0.4))
    together = everything.score(prepared, image)
    for name in PERFECT:
        alone = [score(name, clean[i : i + 1], image[i : i + 1], mask[i : i + 1], protocol) for i in range(3)]
        assert together[name].tolist() == alone, name
        assert len(set(alone)) == 3, name


@pytest.mark.usefixtures("untrained")
def test_a_value_hardly_depends_on_the_number_of_threads() -> None:
    """Workers compute on one thread, always. On two, sums are the same bits; LPIPS alone has convolutions in it, whose
    order of adding is the library's choice."""
    clean, mask = picture(3, 120, 130), hole(120, 130)  # large enough for torch to share the work
    before = torch.get_num_threads()
    values = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            values.append([score(name, clean, damaged(clean), mask) for name in sorted(PERFECT)])
    finally:
        torch.set_num_threads(before)
    for name, one, two in zip(sorted(PERFECT), *values, strict=True):
        assert one == (pytest.approx(two, rel=1e-5) if name == "lpips" else two), name


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
    scorer = scorer_of("standard", "psnr")
    prepared = scorer.prepare(picture(3, 20, 20), torch.ones(1, 1, 20, 20))
    with pytest.raises(ValueError, match=r"\(1, 1, 20, 20\).*\(1, 3, 20, 20\)"):
        scorer.score(prepared, picture(1, 20, 20))


@pytest.mark.parametrize(
    ("protocol", "spec", "said"),
    [
        ("papr", "psnr", r"protocol 'papr'.*Did you mean paper.*standard"),
        ("paper", "snr", r"metric 'snr'.*Did you mean psnr"),
        ("paper", "ssim[window=gauss]", r"window .*'gauss'.*Did you mean gaussian"),
        ("paper", "lpips[version=1]", r"version .*'1'.*0\.1"),
        ("paper", "psnr[chanel=y]", r"parameter of metric 'psnr' 'chanel'.*Did you mean channel"),
        ("paper", "psnr[channel=luma]", r"channel .*'luma'.*rgb, y"),
        ("paper", "psnr[crop=-1]", r"crop must be a whole number, 0 to 128"),
        ("paper", "psnr[crop=129]", r"crop must be a whole number, 0 to 128"),
        ("paper", "psnr[crop=1.5]", r"crop must be a whole number"),
        ("paper", "psnr[crop=4", r"bracket is not closed"),
        ("paper", "psnr,psnr", r"same label 'psnr'"),
        ("standard", "ssim,ssim[window=gaussian]", r"same label 'ssim'"),
        ("paper", "a=psnr,a=ssim", r"alias 'a' is used twice"),
    ],
)
def test_what_is_wrong_with_a_spec_is_one_line_with_the_way_out(protocol: str, spec: str, said: str) -> None:
    with pytest.raises(SuiteError, match=said) as caught:
        get_protocol(protocol).measures(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [["seconds"], ["method"], ["psnr", "psnr_low"], ["q_delta", "q"]])
def test_a_metric_takes_no_column_of_anything_else(names: list[str]) -> None:
    with pytest.raises(SuiteError, match="which there is already"):
        check_columns(names)
    with pytest.raises(SuiteError, match="a column 'seconds', which there is already"):
        get_protocol("standard").measures("psnr,seconds=ssim")
    with pytest.raises(SuiteError, match="'sigma'"):
        check_columns(["psnr", "sigma"], ["sigma"])
    check_columns(["psnr", "ssim", "psnr[channel=y]", "psnr_hole"], ["sigma"])


def test_a_list_has_the_protocols_parameters_unless_it_gives_others() -> None:
    measures = get_protocol("paper").measures("ssim,wang=ssim[window=gaussian],psnr[crop=4,channel=y],psnr[crop=0]")
    assert [(measure.name, measure.title, measure.signature) for measure in measures] == [
        ("ssim", "SSIM", "ssim|rgb|uniform7-sample|u8"),
        ("wang", "wang", "ssim|rgb|gauss11-valid|u8"),
        ("psnr[channel=y,crop=4]", "PSNR[channel=y,crop=4]", "psnr|y601|u8|crop4"),
        ("psnr", "PSNR", "psnr|rgb|u8|crop0"),
    ]
    assert get_protocol("standard").measures("ssim[window=uniform]")[0].name == "ssim[window=uniform]"
    for measure in measures:
        assert get_protocol("paper").measure(measure.spec) == measure


PLUG_IN = """
from dataclasses import dataclass
from typing import ClassVar
import torch
from benchmarks.scores.metric import Metric, NoReferenceMetric, SetMetric


@dataclass(frozen=True)
class Largest(Metric):
    name: ClassVar[str] = 'largest'
    title, higher_is_better, decimals, limits = 'max error', False, 0, (0.0, 255.0)
    signature = 'largest|rgb|u8'

    def prepare(self, reference, mask):
        return reference

    def score(self, prepared, image):
        return (image - prepared).abs().flatten(1).amax(1).double() * 255


@dataclass(frozen=True)
class Glow(NoReferenceMetric):
    name: ClassVar[str] = 'glow'
    title, higher_is_better, decimals, limits = 'glow', True, 2, (0.0, 1.0)
    signature = 'glow|float'
    quantised: ClassVar[bool] = False

    def score(self, prepared, image):
        return image.flatten(1).mean(dim=1).double()


@dataclass(frozen=True)
class Drift(SetMetric):
    name: ClassVar[str] = 'drift'
    title, higher_is_better, decimals, limits = 'drift', False, 2, (0.0, 1.0)
    signature = 'drift|mean'

    def features(self, image):
        return image.double().mean(dim=(2, 3))

    def score_set(self, restored, clean):
        return float((restored.mean(0) - clean.mean(0)).norm())
"""


def test_a_new_metric_is_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(PLUG_IN)
    monkeypatch.setenv(PLUGIN_FOLDERS, str(tmp_path))
    clean = torch.full((2, 1, 16, 16), 0.5)
    scorer = scorer_of("standard", "largest,psnr,glow,drift")
    values = scorer.score(
        scorer.prepare(clean, torch.ones_like(clean)), clean * torch.tensor([1.0, 3.0])[:, None, None, None]
    )
    assert list(values) == ["largest", "psnr", "glow"], "a metric of sets has no value per image"
    assert values["largest"].tolist() == pytest.approx([0, 127], abs=1e-4)  # 0.5 is level 128, 1.5 is clipped
    assert values["glow"].tolist() == pytest.approx([0.5, 1.5]), "it asked for what was not clipped"
    features = scorer.features(clean)
    assert list(features) == ["drift"]
    assert features["drift"].shape == (2, 1)
    assert features["drift"].tolist() == pytest.approx(np.full((2, 1), 128 / 255)), "it is given 8-bit images"


# PSNR, and SSIM of the same views.

skimage_ssim = {
    "standard": partial(
        structural_similarity, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    ),
    "paper": partial(structural_similarity, data_range=255),
}


@pytest.mark.parametrize(("channels", "height", "width"), SIZES)
def test_psnr_is_scikit_images(channels: int, height: int, width: int) -> None:
    clean = picture(channels, height, width)
    image = damaged(clean)
    expected = peak_signal_noise_ratio(u8(clean), u8(image), data_range=255)
    assert score("psnr", clean, image) == pytest.approx(expected, abs=1e-10)


def test_psnr_of_one_level_everywhere() -> None:
    clean = torch.full((1, 3, 16, 16), 100 / 255)
    assert score("psnr", clean, clean + 1 / 255) == pytest.approx(20 * math.log10(255), abs=1e-12)


def matlab_luma(rgb: np.ndarray) -> np.ndarray:
    """(H,W,3) bytes to (H,W) bytes, by MATLAB's documentation of rgb2ycbcr and uint8."""
    y = 16 + rgb.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255
    return np.floor(y + 0.5).astype(np.uint8)


def cut(image: np.ndarray, crop: int) -> np.ndarray:
    return image[crop : image.shape[0] - crop, crop : image.shape[1] - crop]


@pytest.mark.parametrize("crop", [0, 1, 4])
@pytest.mark.parametrize("channel", ["rgb", "y"])
@pytest.mark.parametrize("channels", [1, 3])
def test_psnr_and_ssim_of_luma_and_without_the_border(channels: int, channel: str, crop: int) -> None:
    clean = picture(channels, 45, 52)
    image = damaged(clean)
    view = matlab_luma if channel == "y" and channels == 3 else np.squeeze
    a, b = (cut(view(u8(x)), crop) for x in (clean, image))
    parameters = f"[channel={channel},crop={crop}]"
    expected = peak_signal_noise_ratio(a, b, data_range=255)
    assert score(f"psnr{parameters}", clean, image) == pytest.approx(expected, abs=1e-10)
    axis = -1 if a.ndim == 3 else None
    for protocol, similarity in skimage_ssim.items():
        expected = similarity(a, b, channel_axis=axis)
        assert score(f"ssim{parameters}", clean, image, protocol=protocol) == pytest.approx(expected, abs=1e-10)


def test_luma_of_known_colours() -> None:
    """White, black, and the primaries, as MATLAB prints them."""
    colours = torch.tensor([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]).float()
    assert luma(colours.T[None, :, None]).flatten().tolist() == [235, 16, 81, 145, 41]
    gray = torch.arange(5.0).reshape(1, 1, 1, 5)
    assert luma(gray) is gray, "a gray image is luma already"
    assert torch.isnan(luma(torch.tensor([math.nan, 0, 0]).reshape(1, 3, 1, 1))).all()


def test_luma_and_crop_are_in_the_signature() -> None:
    signature = {spec: get_protocol("standard").measure(spec).signature for spec in (
        "psnr", "psnr[channel=y]", "psnr[channel=y,crop=4]", "ssim", "ssim[channel=y]", "ssim[crop=2]",
    )}  # fmt: skip
    assert list(signature.values()) == [
        "psnr|rgb|u8|crop0", "psnr|y601|u8|crop0", "psnr|y601|u8|crop4",
        "ssim|rgb|gauss11-valid|u8", "ssim|y601|gauss11-valid|u8", "ssim|rgb|gauss11-valid|u8|crop2",
    ]  # fmt: skip


@pytest.mark.parametrize("crop", [10, 15, 128])
def test_nothing_is_left_after_cropping(crop: int) -> None:
    clean = picture(3, 20, 30)
    for name in ("psnr", "ssim"):
        assert math.isnan(score(f"{name}[crop={crop}]", clean, damaged(clean)))


def test_psnr_hole_sees_the_hole_only() -> None:
    clean, mask = picture(3, 33, 47), hole(33, 47)
    image = damaged(clean)
    inside = (mask[0, 0] == 0).numpy()
    expected = peak_signal_noise_ratio(u8(clean)[inside], u8(image)[inside], data_range=255)
    assert score("psnr_hole", clean, image, mask) == pytest.approx(expected, abs=1e-10)
    assert score("psnr_hole", clean, torch.where(mask == 0, image, 0.3), mask) == pytest.approx(expected, abs=1e-10)
    assert math.isnan(score("psnr_hole", clean, image, torch.ones_like(mask)))


# SSIM.


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
    metric = get_protocol("standard").measure("lpips").metric
    assert "python -m bigprior.imagenet_features fetch" in (metric.unavailable() or "")
    with pytest.raises(SuiteError, match="no alexnet features"):
        scorer_of("standard", "psnr", "lpips").prepare(picture(3, 40, 40), torch.ones(1, 1, 40, 40))


def test_lpips_does_not_import_the_package() -> None:
    source = importlib.import_module("benchmarks.scores.metrics.lpips")
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


@pytest.mark.parametrize(
    "spec",
    [
        *("psnr", "psnr[crop=3]", "psnr[channel=y]", "psnr_hole", "ssim", "ssim[crop=3]", "ssim[window=uniform]"),
        *("ssim[channel=y]", "ssim_hole"),
    ],
)
@pytest.mark.parametrize("size", [(40, 33), (17, 21)])
def test_compiled_metrics_are_those_of_the_tensors(
    spec: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    random = torch.Generator().manual_seed(0)
    for channels, dtype in ((3, torch.float32), (1, torch.float64)):
        clean = torch.rand(2, channels, *size, generator=random)
        image, mask = clean + 0.1 * torch.randn(clean.shape, generator=random), torch.ones(2, 1, *size)
        mask[..., 6:8, 6:11] = 0
        values = []
        for there in (True, False):
            for module in ("psnr", "ssim"):
                found = available if there else lambda *_: False
                monkeypatch.setattr(f"benchmarks.scores.metrics.{module}.available", found)
            scorer = Scorer([get_protocol("standard").measure(spec)], dtype=dtype)
            (value,) = scorer.score(scorer.prepare(clean, mask), image).values()
            values.append(value)
        assert torch.isfinite(values[0]).all()
        torch.testing.assert_close(*values, rtol=1e-13, atol=0)
        if spec.startswith("psnr"):
            assert torch.equal(*values), "sums of whole numbers are exact"


@pytest.mark.parametrize("spec", ["psnr", "ssim"])
def test_compiled_metrics_pass_on_what_is_no_number(spec: str) -> None:
    scorer = Scorer([get_protocol("standard").measure(spec)])
    image = torch.rand(1, 3, 20, 20)
    prepared = scorer.prepare(image, torch.ones(1, 1, 20, 20))
    image[0, 1, 3, 4] = torch.nan
    assert torch.isnan(scorer.score(prepared, image)[spec]).all()
