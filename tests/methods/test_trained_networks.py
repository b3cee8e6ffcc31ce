"""Our supervised networks: what holds for any weights, that they learn, and what a wrong file is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage import color, data
from torch import Tensor, nn

from bigprior import denoiser
from bigprior.cielab import chroma_plane
from bigprior.training import Problem, Recipe, train
from datasets.errors import SuiteError
from datasets.noise import Gaussian, NoNoise
from datasets.observation import Observation
from datasets.operators import Luma, Masking
from datasets.task import Key, get_task
from datasets.training_images import TrainingImages
from methods.noise import estimate_sigma
from methods.registry import get_method
from methods.supervised import _chroma, _gated, _trained
from methods.supervised.problems.colorize import Colorization, colourfulness
from methods.supervised.problems.denoise import Denoising
from methods.supervised.problems.inpaint import Inpainting
from tests.photographs import PHOTOGRAPHS


def randomized(network: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(torch.randn_like(p) / max(p[0].numel(), 1) ** 0.5)
    return network.eval()


def photograph(height: int, width: int) -> Tensor:
    return torch.from_numpy(data.astronaut()[:height, :width].astype(np.float32) / 255).permute(2, 0, 1)[None]


@pytest.mark.parametrize("kind", ["denoise", "both ways", "inpaint", "colorize"])
def test_tiles_give_the_result_of_the_whole(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = photograph(20, 272 if kind in ("denoise", "both ways") else 512).double()
    mask = torch.ones_like(image[:, :1])
    mask[..., 5:15, 100:200] = 0

    def result() -> Tensor:
        with torch.no_grad():
            if kind == "denoise":
                return denoiser.denoise(randomized(denoiser.untrained()).double(), image, torch.full((1,), 0.1))
            if kind == "both ways":
                network = randomized(denoiser.untrained()).double()
                return denoiser.denoise_both_ways(network, image, torch.full((1,), 0.1))
            if kind == "inpaint":
                return _gated.inpaint(randomized(_gated.untrained()).double(), image * mask, mask)
            return _chroma.colorize(randomized(_chroma.untrained()).double(), Luma().forward(image))

    whole = result()
    module = {"denoise": denoiser, "both ways": denoiser, "inpaint": _gated, "colorize": _chroma}[kind]
    seen = []
    original = module.tiled

    def small(network, *images, **options):  # type: ignore[no-untyped-def]
        def counted(*pieces: Tensor) -> Tensor:
            seen.append(pieces[0].shape)
            return network(*pieces)

        return original(counted, *images, **options | {"tile": 2 * options["overlap"] + 40})

    monkeypatch.setattr(module, "tiled", small)
    tiles = result()
    assert len(seen) > 1
    torch.testing.assert_close(tiles, whole, rtol=0, atol=1e-9)


def test_denoiser_scales_with_image_and_noise() -> None:
    network = randomized(denoiser.untrained())
    y, sigma = photograph(32, 40), torch.tensor([0.1])
    for told in (sigma, torch.zeros(1)):
        torch.testing.assert_close(
            denoiser.denoise(network, 0.4 * y, 0.4 * told), 0.4 * denoiser.denoise(network, y, told), rtol=0, atol=1e-4
        )


def test_inpainting_starts_from_the_fill_and_keeps_what_was_observed() -> None:
    image = photograph(64, 48)
    mask = torch.ones(1, 1, 64, 48)
    mask[..., 10:40, 10:30] = 0
    filled = _gated.inpaint(randomized(_gated.untrained()), image * mask, mask)
    seen = mask.bool().expand_as(image)
    assert torch.equal(filled[seen], image[seen])
    untrained = _gated.inpaint(_gated.untrained(), image * mask, mask)
    torch.testing.assert_close(untrained, _gated.smooth_fill(image * mask, mask))


def test_colorization_keeps_the_luma_and_starts_at_gray() -> None:
    luma = Luma().forward(photograph(33, 47))
    image = _chroma.colorize(randomized(_chroma.untrained()), luma)
    torch.testing.assert_close(Luma().forward(image), luma, rtol=0, atol=1e-5)
    assert (image - luma).abs().max() > 0.01
    torch.testing.assert_close(_chroma.colorize(_chroma.untrained(), luma), luma.expand(-1, 3, -1, -1))


def test_chroma_plane_is_that_of_scikit_image() -> None:
    image = photograph(40, 50)
    expected = color.rgb2lab(image[0].permute(1, 2, 0).double().numpy())[..., 1:]
    np.testing.assert_allclose(chroma_plane(image.double())[0].permute(1, 2, 0).numpy(), expected, atol=1e-4)


def test_chroma_plane_has_a_finite_gradient_everywhere() -> None:
    dark = torch.tensor([0.0, 0.001, 0.04, 0.05, 1.0]).view(1, 1, 1, 5).expand(1, 3, 1, 5).clone().requires_grad_()
    chroma_plane(dark).square().sum().backward()
    assert torch.isfinite(dark.grad).all()  # type: ignore[arg-type]


def test_colourfulness_of_gray_and_of_red() -> None:
    gray = photograph(20, 20).mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    assert float(colourfulness(gray)) == pytest.approx(0, abs=1e-4)
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    assert float(colourfulness(red)) == pytest.approx(0.3 * np.hypot(255, 127.5), rel=1e-5)


def test_the_perceptual_window_holds_the_middle_of_the_hole() -> None:
    random = np.random.default_rng(0)
    batch = Inpainting(PHOTOGRAPHS).batch(random, Recipe(steps=1, batch=12, size=160))
    for mask, (top, left) in zip(batch.mask[:, 0], batch.corner, strict=True):
        assert 0 <= top <= 64
        assert 0 <= left <= 64
        assert (mask[top : top + 96, left : left + 96] == 0).any()


Kind = Callable[[TrainingImages], Problem]
LEARNING: list[tuple[Kind, str, Recipe, float]] = [
    (Denoising, "blind PSNR 25", Recipe(steps=45, batch=4, size=32, warm_up=5, ema=0.9, validate=45), 2.0),
    (partial(Colorization, guide=0), "AuC", Recipe(steps=20, batch=2, size=64, warm_up=5, ema=0.9, validate=20), 0.5),
]


@pytest.mark.parametrize(("kind", "score", "recipe", "gain"), LEARNING, ids=["denoise", "colorize"])
def test_a_short_run_learns(kind: Kind, score: str, recipe: Recipe, gain: float, tmp_path: Path) -> None:
    problem = kind(PHOTOGRAPHS)
    torch.manual_seed(0)
    before = problem.validate(problem.network().eval())[score]
    after = problem.validate(train(problem, recipe, tmp_path, say=lambda _: None))[score]
    assert after > before + gain


def test_a_short_run_learns_to_inpaint(tmp_path: Path) -> None:
    problem = Inpainting(PHOTOGRAPHS, perceptual=0)
    before = problem.validate(problem.network().eval())["hole PSNR"]
    recipe = Recipe(steps=20, batch=2, size=128, warm_up=5, ema=0.9, validate=20)
    after = problem.validate(train(problem, recipe, tmp_path, say=lambda _: None))["hole PSNR"]
    assert after > before + 0.1, "better than the fill it starts from"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_precision_hardly_matters(precision: str, channels: int) -> None:
    image = photograph(96, 96)[0]
    task = get_task("denoise", sigma="25")
    observation = task.degrade(image if channels == 3 else Luma().forward(image[None])[0], Key(0, "", ""))
    assert observation.truth is not None
    method = type(get_method("unet-blind"))(precision=precision)  # type: ignore[call-arg]
    restored = method.restore(observation.without_truth()).image
    psnr = -10 * float((restored - observation.truth.clean).square().mean().log10())
    exact = get_method("unet-blind").restore(observation.without_truth()).image
    reference = -10 * float((exact - observation.truth.clean).square().mean().log10())
    assert psnr == pytest.approx(reference, abs=0.02)


def test_the_blind_row_tells_the_network_its_own_estimate() -> None:
    observation = get_task("denoise", sigma="25").degrade(photograph(128, 128)[0], Key(0, "", ""))
    assert observation.truth is not None
    clean, given = observation.truth.clean, observation.without_truth()
    blind = get_method("unet-blind")
    restored = blind.restore(given).image
    estimated = given.told(Gaussian(estimate_sigma(given.y)))
    assert torch.equal(restored, get_method("unet-sigma").restore(estimated).image)
    lied_to = given.told(Gaussian(torch.full((1,), 50 / 255)))
    assert torch.equal(restored, blind.restore(lied_to).image)
    told = get_method("unet-sigma").restore(given).image
    errors = [float((image - clean).square().mean()) for image in (restored, told)]
    assert 10 * abs(np.log10(errors[0] / errors[1])) < 0.05


def test_a_foreign_file_is_named_with_what_was_expected(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"head.weight": torch.zeros(8, 4, 3, 3)}, file)
    with pytest.raises(SuiteError, match=r"not the network that `bigprior.denoiser` describes.*missing"):
        _trained.read(file, denoiser.untrained)
    state = denoiser.untrained().state_dict()
    save_file(state | {"head.weight": torch.zeros(32, 1, 3, 3)}, file)
    with pytest.raises(SuiteError, match=r"'head.weight' has the shape \(32, 1, 3, 3\), expected \(32, 4, 3, 3\)"):
        _trained.read(file, denoiser.untrained)
    file.write_bytes(b"nothing")
    with pytest.raises(SuiteError, match="safetensors"):
        _trained.read(file, denoiser.untrained)


SHIPPED = {
    "unet": (8_000_000, denoiser.untrained),
    "unet-250-bedroom": (8_000_000, denoiser.untrained),
    "artefacts": (8_000_000, denoiser.untrained),
    "gated-cnn": (6_000_000, _gated.untrained),
    "gated-cnn-250-bedroom": (6_000_000, _gated.untrained),
    "gated-gan": (6_000_000, _gated.untrained),
    "chroma-cnn": (6_000_000, _chroma.untrained),
    "chroma-cnn-250-bedroom": (6_000_000, _chroma.untrained),
}


@pytest.mark.parametrize("stem", SHIPPED)
def test_shipped_weights_are_small_halves_with_a_card_and_a_log(stem: str) -> None:
    size, untrained = SHIPPED[stem]
    file = _trained.FOLDER / f"{stem}.safetensors"
    assert file.stat().st_size <= size
    assert {tensor.dtype for tensor in load_file(file).values()} == {torch.float16}
    _trained.read(file, untrained)
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    for part in ("python -m methods.supervised.train", "Validation", "seconds", "lsun-bedroom"):
        assert part in card
    assert file.with_suffix(".csv").stat().st_size > 100


def test_every_trained_method_has_its_file() -> None:
    stems = {
        m.stem
        for m in map(
            get_method,
            (
                "unet-blind",
                "unet-sigma",
                "unet-blind-250",
                "unet-artefacts",
                "gated-cnn",
                "gated-cnn-250",
                "gated-gan",
                "chroma-cnn",
                "chroma-cnn-250",
            ),
        )
        if isinstance(m, _trained.Trained)
    }
    assert stems == set(SHIPPED)
    assert {file.stem for file in _trained.FOLDER.glob("*.safetensors")} == set(SHIPPED)


def test_the_ensemble_is_the_mean_of_its_members_and_of_mirror_images() -> None:
    ensemble = _trained.read(_trained.FOLDER / "chroma-cnn.safetensors", _chroma.untrained)
    x = Luma().forward(photograph(48, 64))
    with torch.inference_mode():
        together = _chroma.colorize(ensemble, x)
        torch.testing.assert_close(_chroma.colorize(ensemble, x.flip(-1)), together.flip(-1), rtol=0, atol=1e-5)
        alone = [_chroma.colorize(ensemble.held_from(k), x) for k in range(_chroma.MEMBERS)]
        torch.testing.assert_close(torch.stack(alone).mean(dim=0), together, rtol=0, atol=1e-5)
        torch.testing.assert_close(_chroma.colorize(ensemble.held_from(_chroma.MEMBERS), x), alone[0])
        both = [_chroma.colorize(ensemble.each()[1], x), _chroma.colorize(ensemble.each()[1], x.flip(-1)).flip(-1)]
    torch.testing.assert_close((both[0] + both[1]) / 2, alone[1], rtol=0, atol=1e-5)
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)


def test_a_gray_image_is_inpainted_gray() -> None:
    gray = Luma().forward(photograph(48, 64))
    mask = torch.ones_like(gray)
    mask[..., 16:32, 16:32] = 0
    observation = Observation(gray * mask, Masking(mask), NoNoise())
    assert get_method("gated-cnn").restore(observation).image.shape == gray.shape


LARGE = """
import resource, torch
from bigprior import denoiser
from bigprior.networks import BiasFreeUNet, GatedUNet
from bigprior.tiles import WIDE
from methods.supervised import _chroma, _gated
torch.set_num_threads(1)
with torch.no_grad():
    side = WIDE
    y, mask = torch.rand(1, 3, side, side), torch.ones(1, 1, side, side)
    denoiser.denoise(denoiser.untrained(), y, torch.zeros(1))
    _gated.inpaint(_gated.untrained(), y, mask)
    _chroma.colorize(_chroma.untrained(), y[:, :1])
    del y, mask
    # 24 megapixels, through networks that are fast but no smaller than a tile of the real ones.
    narrow = BiasFreeUNet(4, 3, (2, 2), (1, 1))
    y, mask = torch.rand(1, 3, 4000, 6000), torch.ones(1, 1, 4000, 6000)
    mask[..., 1000:2000, 2000:3000] = 0
    denoiser.denoise(narrow, y, torch.zeros(1))
    _gated.inpaint(GatedUNet(4, 12, (2, 2), (1,)), y, mask)
    luma = y[:, :1].clone()
    del y, mask
    _chroma.colorize(GatedUNet(2, 2, (2, 2), (1,)), luma)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_24_megapixels_take_less_than_3_gib() -> None:
    found = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True)
    assert int(found.stdout) / 2**20 < 3


@pytest.mark.slow
@pytest.mark.realdata
def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "methods.supervised.train",
        "denoise",
        "--steps",
        "40",
        "--batch",
        "2",
        "--size",
        "32",
        "--save",
        "0",
        "--validate",
        "20",
        "--threads",
        "1",
        "--sets",
        "lsun-church",
        "--out",
    ]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    running = subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.readline()  # step 20 has been validated
    running.kill()
    running.wait()
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    subprocess.run([*command, str(tmp_path / "killed"), "--resume"], check=True, capture_output=True)
    whole, resumed = (load_file(tmp_path / each / "weights.safetensors") for each in ("whole", "killed"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_unknown_training_task_lists_the_right_ones() -> None:
    from methods.supervised.train import main

    with pytest.raises(SuiteError, match="colorize"):
        main(["colourise", "--out", "nowhere"])
    with pytest.raises(SuiteError, match="lsun-bedroom"):
        main(["denoise", "--sets", "lsun-bathroom", "--out", "nowhere"])


def test_the_denoiser_does_not_know_left_from_up() -> None:
    network = randomized(denoiser.untrained())
    y, told = photograph(40, 56), torch.full((1,), 0.1)
    ways = denoiser.denoise_both_ways(network, y, told)
    torch.testing.assert_close(denoiser.denoise_both_ways(network, y.mT, told).mT, ways, rtol=0, atol=1e-5)
    assert float((ways - denoiser.denoise(network, y, told)).abs().max()) > 1e-3
