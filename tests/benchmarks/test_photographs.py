"""Photographs without an original: files keep what belongs to them, tiles make no difference, comparisons no scores."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from PIL import Image, ImageCms
from skimage import data

from benchmarks.folder.provenance import ROOT
from benchmarks.photographs import compare, restore, tiles
from benchmarks.photographs.comparison import NUMBERS
from benchmarks.photographs.files import read_photograph
from benchmarks.photographs.observe import photograph_sigma
from benchmarks.photographs.tiles import NOISE, WHOLE, blended, weights
from benchmarks.photographs.whiteness import whiteness
from bigprior.tiles import windows
from datasets.errors import SuiteError
from datasets.noise import Gaussian, NoNoise
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking
from methods.registry import get_method
from tests.benchmarks.test_main import answer

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SIGMA = 20


def noisy(height: int = 61, width: int = 83, top: int = 20, left: int = 160) -> np.ndarray:
    """A part of a photograph (H,W,3) uint8 with noise, of odd sides."""
    clean = data.astronaut()[top : top + height, left : left + width].astype(float)
    return (clean + np.random.default_rng(0).normal(0, SIGMA, clean.shape)).round().clip(0, 255).astype(np.uint8)


def exif(orientation: int = 1) -> bytes:
    block = Image.Exif()
    block[271], block[274] = "Maker", orientation
    return block.tobytes()


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def run(source: Path, out: Path, *more: str, method: str = "local-wiener") -> int:
    return restore.main([str(source), str(out), "--method", method, "--device", "cpu", *more])


def told(pixels: np.ndarray, sigma: float = SIGMA) -> Observation:
    y = torch.from_numpy(np.atleast_3d(pixels).astype(np.float32) / np.iinfo(pixels.dtype).max).permute(2, 0, 1)[None]
    return Observation(y, Identity(), Gaussian(torch.tensor([sigma / 255])))


def direct(observation: Observation, full: int = 255, method: str = "local-wiener") -> np.ndarray:
    """What a method makes of the whole image, rounded."""
    image = get_method(method).restore(observation).image[0]
    return (image.clamp(0, 1) * full).round().permute(1, 2, 0).numpy().squeeze()


def stored(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_photograph_is_restored_as_by_the_method(tmp_path: Path) -> None:
    pixels = noisy()
    source = saved(tmp_path / "in.png", pixels)
    assert run(source, tmp_path / "out.png", "--sigma", str(SIGMA), method="nlm[search=7]") == 0
    assert (stored(tmp_path / "out.png") == direct(told(pixels), method="nlm[search=7]")).all()
    assert (stored(source) == pixels).all()


def test_sigma_is_estimated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = saved(tmp_path / "in.png", noisy(200, 201))
    run(source, tmp_path / "out.png")
    said = capsys.readouterr().out
    assert float(said.split("σ ")[1].split(" (estimated)")[0]) == pytest.approx(SIGMA, rel=0.12)


@pytest.mark.parametrize("subsampling", [0, 2])
def test_sigma_of_a_jpeg_is_not_missed(subsampling: int) -> None:
    buffer = io.BytesIO()
    Image.fromarray(noisy(160, 161)).save(buffer, "JPEG", quality=95, subsampling=subsampling)
    y = told(np.asarray(Image.open(buffer))).y
    assert 9 < photograph_sigma(y) * 255 < 22  # behind subsampled chroma the noise of a channel is weaker


def test_sigma_of_a_large_photograph_is_that_of_its_parts() -> None:
    large = told(noisy(120, 120)).y[:, :1].tile(1, 1, 1, 40)
    small = told(noisy(120, 120)).y[:, :1].tile(1, 1, 1, 5)
    assert photograph_sigma(large) == pytest.approx(photograph_sigma(small), rel=0.05)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_orientation_exif_and_profile_are_kept(orientation: int, tmp_path: Path) -> None:
    """The method sees the photograph upright; the file keeps its order of pixels and its tag."""
    pixels = noisy()
    source = saved(tmp_path / "in.png", pixels, exif=exif(orientation), icc_profile=ICC)
    run(source, tmp_path / "out.png", "--sigma", str(SIGMA))
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["exif"] == exif(orientation)
        assert image.info["icc_profile"] == ICC
    assert np.abs(stored(tmp_path / "out.png") - direct(told(pixels))).max() <= 1
    upright = read_photograph(source).pixels
    assert upright.shape[1:] == ((83, 61) if orientation > 4 else (61, 83))


@pytest.mark.parametrize("ending", ["jpg", "webp", "png"])
def test_formats_keep_exif_and_profile(ending: str, tmp_path: Path) -> None:
    source = saved(tmp_path / "in.jpg", noisy(), exif=exif(6), icc_profile=ICC, quality=97)
    run(source, tmp_path / f"out.{ending}", "--sigma", "10")
    with Image.open(tmp_path / f"out.{ending}") as image:
        assert image.info["exif"].removeprefix(b"Exif\0\0") == exif(6).removeprefix(b"Exif\0\0")
        assert image.info["icc_profile"] == ICC
        error = np.abs(np.asarray(image.convert("RGB")) - direct(told(stored(source), 10)))
    assert error.mean() < (3 if ending == "jpg" else 1e-3)


def test_alpha_is_copied_and_colours_are_not_composited(tmp_path: Path) -> None:
    pixels, alpha = noisy(), np.arange(61 * 83, dtype=np.uint8).reshape(61, 83)
    run(saved(tmp_path / "in.png", np.dstack([pixels, alpha])), tmp_path / "out.png", "--sigma", str(SIGMA))
    out = stored(tmp_path / "out.png")
    assert (out[..., 3] == alpha).all()
    assert (out[..., :3] == direct(told(pixels))).all()


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_stay(ending: str, channels: int, tmp_path: Path) -> None:
    deep = noisy().astype(np.uint16) * 257 + np.arange(83, dtype=np.uint16)[:, None] % 7
    pixels = deep[..., 0] if channels == 1 else deep
    given = np.dstack([deep, deep[..., :1]]) if channels == 4 else pixels
    source = tmp_path / f"in.{ending}"
    if ending == "png":
        cv2.imwrite(str(source), given if channels == 1 else given[..., [2, 1, 0, 3][:channels]])
    else:
        more = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
        tifffile.imwrite(source, given, photometric="minisblack" if channels == 1 else "rgb", iccprofile=ICC, **more)
    run(source, tmp_path / f"out.{ending}", "--sigma", str(SIGMA))
    if ending == "png":
        out = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
        out = out if channels == 1 else out[..., [2, 1, 0, 3][:channels]]
    else:
        with tifffile.TiffFile(tmp_path / "out.tif") as file:
            out = file.asarray()
            assert file.pages[0].iccprofile == ICC
    assert out.dtype == np.uint16
    if channels == 4:
        assert (out[..., 3] == given[..., 3]).all()
        out = out[..., :3]
    assert np.abs(out.astype(float) - direct(told(pixels), 65535)).max() <= 1


def test_a_deep_png_keeps_its_profile_and_gamma(tmp_path: Path) -> None:
    source = tmp_path / "in.tif"
    tifffile.imwrite(source, noisy().astype(np.uint16) * 257, photometric="rgb", iccprofile=ICC)
    run(source, tmp_path / "a.png", "--sigma", "9")
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["icc_profile"] == ICC
    gamma = saved(tmp_path / "g.png", noisy(), dpi=(300, 300))
    run(gamma, tmp_path / "b.png", "--sigma", "9")
    assert round(Image.open(tmp_path / "b.png").info["dpi"][0]) == 300


def test_gray_stored_as_rgb_is_gray_and_stays_rgb(tmp_path: Path) -> None:
    gray = noisy()[..., 0]
    run(saved(tmp_path / "in.png", np.dstack([gray] * 3)), tmp_path / "out.png", "--sigma", str(SIGMA))
    assert (stored(tmp_path / "out.png") == direct(told(gray))[..., None]).all()


@pytest.mark.parametrize(
    ("out", "what"),
    [("o.jpg", "transparency"), ("o.bmp", "transparency"), ("o.gif", "no picture"), ("o", "no picture")],
)
def test_what_cannot_be_kept_is_refused(out: str, what: str, tmp_path: Path) -> None:
    source = saved(tmp_path / "in.png", np.dstack([noisy(), noisy()[..., 0]]))
    with pytest.raises(SuiteError, match=what):
        run(source, tmp_path / out)
    assert not (tmp_path / out).exists()


def test_depth_is_not_cut(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", noisy().astype(np.uint16) * 257, photometric="rgb")
    with pytest.raises(SuiteError, match="16 bits per colour"):
        run(tmp_path / "in.tif", tmp_path / "out.jpg")


def test_holes_are_white_and_the_rest_is_untouched(tmp_path: Path) -> None:
    pixels, hole = noisy(), np.zeros((61, 83), np.uint8)
    hole[20:30, 40:55] = 255
    source, mask = saved(tmp_path / "in.png", pixels), saved(tmp_path / "m.png", hole)
    run(source, tmp_path / "out.png", "--mask", str(mask), method="harmonic")
    out = stored(tmp_path / "out.png")
    known = torch.from_numpy(hole == 0).float()[None, None]
    y = told(pixels).y * known
    expected = direct(Observation(y, Masking(known), NoNoise()), method="harmonic")
    assert (out[hole == 0] == pixels[hole == 0]).all()
    assert (out == expected).all()


def test_colour_is_added_to_a_gray_photograph(tmp_path: Path) -> None:
    gray = noisy()[..., 0]
    run(saved(tmp_path / "in.png", gray), tmp_path / "out.png", "--task", "colorize", method="constant-chroma")
    expected = direct(Observation(told(gray).y, Luma(), NoNoise()), method="constant-chroma")
    assert (stored(tmp_path / "out.png") == expected).all()
    assert expected.shape == (61, 83, 3)


def test_phi_is_written_as_data_and_explained(tmp_path: Path) -> None:
    pixels = noisy()
    source = saved(tmp_path / "in.png", pixels)
    run(source, tmp_path / "out.png", "--sigma", "20", "--phi", str(tmp_path / "p.png"),
        "--explain", str(tmp_path / "e.png"))  # fmt: skip
    phi = get_method("local-wiener").restore(told(pixels)).phi_map()
    assert phi is not None
    assert (stored(tmp_path / "p.png") == (phi[0, 0] * 255).round().numpy()).all()
    assert stored(tmp_path / "e.png").std() > 20


def test_a_folder_with_a_broken_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        saved(folder / name, noisy())
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:900])
    (folder / "notes.txt").write_text("not a photograph")
    assert run(folder, tmp_path / "out", "--sigma", "20") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.jpg"]
    said = capsys.readouterr().err
    assert "broken.png" in said
    assert "2 of 3 photographs restored, 1 left out" in said


MISTAKES = [
    (["in.png", "o.png", "--method", "nml"], "Did you mean nlm"),
    (["in.png", "o.png", "--method", "telea"], "not for the identity"),
    (["in.png", "o.png", "--method", "fourier-wiener-oracle"], "nobody knows"),
    (["in.png", "o.png", "--method", "nlm", "--task", "denoize"], "Did you mean denoise"),
    (["in.png", "o.png", "--method", "nlm", "--sigma", "-3"], "--sigma"),
    (["in.png", "o.png", "--method", "bm3d", "--phi", "p.png"], "does not tell its φ"),
    (["in.png", "o.png", "--method", "fourier-wiener", "--phi", "p.png", "--sigma", "9"], "elsewhere than in pixels"),
    (["in.png", "in.png", "--method", "nlm", "--force"], "overwrite what is read"),
    (["in.png", "there.png", "--method", "nlm"], "--force"),
    (["in.png", "o.png", "--method", "nlm", "--phi", "o.png"], "written twice"),
    (["in.png", "no/o.png", "--method", "nlm"], "does not exist"),
    (["missing.png", "o.png", "--method", "nlm"], "missing.png"),
    (["flat.png", "o.png", "--method", "nlm"], "no noise can be found"),
    (["in.png", "o.png", "--method", "telea", "--task", "inpaint-center"], "needs a mask"),
    (["in.png", "o.png", "--method", "telea", "--mask", "small.png"], "same size"),
    (["in.png", "o.png", "--method", "telea", "--mask", "black.png"], "black everywhere"),
    (["in.png", "o.png", "--method", "telea", "--mask", "black.png", "--sigma", "5"], "--sigma belongs to denoising"),
    (["in.png", "o.png", "--method", "gray", "--task", "colorize"], "is in colour"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_mistakes_are_one_line(words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved(Path("in.png"), noisy())
    saved(Path("there.png"), noisy())
    saved(Path("flat.png"), np.full((40, 40, 3), 90, np.uint8))
    saved(Path("black.png"), np.zeros((61, 83), np.uint8))
    saved(Path("small.png"), np.full((20, 20), 255, np.uint8))
    with pytest.raises(SuiteError, match=message) as caught:
        restore.main([*words, "--device", "cpu"])
    assert "\n" not in str(caught.value)
    assert not Path("o.png").exists()


def test_a_mistyped_method_is_answered_at_once() -> None:
    done, seconds = answer("benchmarks", "restore", "a.png", "b.png", "--method", "nml")
    assert done.returncode == 2
    assert seconds < 0.5


# Tiles.


@pytest.mark.parametrize("length", [513, 1000, 1117, 6000])
def test_weights_of_tiles_are_one_in_sum(length: int) -> None:
    found = windows(length, NOISE.side, NOISE.context, blend=NOISE.blend)
    total = torch.zeros(length)
    for window in found:
        assert 0 <= window.low <= window.start < window.stop <= window.high <= length
        assert window.high - window.low <= NOISE.side
        total[window.start : window.stop] += weights(window, NOISE.blend, length)
    assert torch.allclose(total, torch.ones(length), atol=1e-6)


@pytest.mark.parametrize("method", ["local-wiener", "nlm[search=5,patch=3]"])
def test_tiles_make_no_difference_to_a_local_method(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WHOLE", 0)
    monkeypatch.setattr(tiles, "NOISE", replace(NOISE, side=96, context=12, blend=8))
    observation, calls = told(noisy(151, 203)), []
    whole = get_method(method).restore(observation).image
    parts = blended(lambda part: get_method(method).restore(part).image, observation, lambda: calls.append(1))
    assert len(calls) == 12
    assert (whole - parts).abs().max() < 1e-5


def test_a_whole_hole_in_a_tile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WHOLE", 0)
    monkeypatch.setattr(tiles, "HOLES", replace(NOISE, side=32, context=4, blend=4))
    mask = torch.zeros(1, 1, 80, 80)
    mask[..., 0] = 1
    observation = Observation(torch.zeros(1, 1, 80, 80), Masking(mask), NoNoise())
    with pytest.raises(SuiteError, match="32 pixels"):
        blended(lambda part: part.y, observation)


MEASURE = """
import resource, sys
from benchmarks.photographs.restore import main

assert main([*sys.argv[1:], "--method", "local-wiener", "--device", "cpu"]) == 0
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak / 2**30 if sys.platform == "darwin" else peak / 2**20)
"""


@pytest.mark.slow
def test_memory_of_24_megapixels(tmp_path: Path) -> None:
    """Under 3 GiB, interpreter and the estimate of σ included."""
    pytest.importorskip("resource")
    pixels = np.random.default_rng(0).integers(100, 140, (4000, 6000, 3), dtype=np.uint8)
    source = saved(tmp_path / "in.png", pixels, compress_level=1)
    assert pixels[..., 0].size > WHOLE
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(source), str(tmp_path / "out.png")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(done.stdout.split()[-1]) < 3


# Comparison.


def test_whiteness_of_noise_and_of_structure() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 3, 200, 150, generator=generator)
    white = whiteness(noise)
    assert white.expected == pytest.approx(1 / math.sqrt(90_000))
    assert white.correlation == pytest.approx(white.expected, rel=0.6)
    assert abs(white.across) < 4 * white.expected
    photograph = told(data.astronaut()[:200, :150].copy()).y
    assert whiteness(noise * 0.05 + photograph).correlation > 50 * white.expected


def test_whiteness_of_a_known_filter() -> None:
    """n(u,v) + n(u,v+1) has ρ(0,1) = 1/2 and no other."""
    noise = torch.randn(1, 1, 400, 401, generator=torch.Generator().manual_seed(1))
    found = whiteness(noise[..., 1:] + noise[..., :-1])
    assert found.across == pytest.approx(0.5, abs=0.02)
    assert found.down == pytest.approx(0, abs=0.02)
    assert found.correlation == pytest.approx(0.5 / math.sqrt(12), abs=0.01)
    assert math.isnan(whiteness(torch.ones(1, 1, 20, 20)).correlation)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A comparison of two photographs, one of them broken, by four methods."""
    folder, out = tmp_path_factory.mktemp("photographs"), tmp_path_factory.mktemp("compared") / "out"
    saved(folder / "a.png", noisy(96, 97))
    (folder / "broken.png").write_bytes(b"nothing")
    words = [str(folder), "--methods", "nlm[search=7],noisy,local-wiener,fourier-wiener", "--sigma", str(SIGMA)]
    return out, compare.main([*words, "--probes", "2", "--device", "cpu", "--out", str(out)])


def test_a_comparison_says_what_can_be_said(compared: tuple[Path, int]) -> None:
    out, status = compared
    assert status == 1
    table = pd.read_csv(out / "compare.csv").set_index("method")
    assert list(table.columns) == ["photograph", *NUMBERS, "failure"]
    assert table.removed["noisy"] == 0
    assert table.error["noisy"] == pytest.approx(SIGMA, rel=1e-3)  # the error of doing nothing is the noise
    assert table.phi_implied["noisy"] == pytest.approx(0, abs=1e-3)
    y = told(noisy(96, 97)).y
    for method, phi in (("nlm[search=7]", True), ("fourier-wiener", False)):
        image = get_method(method).restore(told(noisy(96, 97))).image
        assert table.removed[method] == pytest.approx(float((y - image).std(correction=0)) * 255, rel=1e-4)
        error = (image.permute(0, 2, 3, 1).numpy()[0] * 255 - data.astronaut()[20:116, 160:257]).ravel()
        assert table.error[method] == pytest.approx(math.sqrt(np.mean(error**2)), rel=0.15)
        assert (out / "results" / "a.png" / f"{method}.png").exists()
        assert (out / "phi" / "a.png" / f"{method}.png").exists() is phi
    agreement = pd.read_csv(out / "agreement.csv").set_index("method")
    written = [stored(out / "results" / "a.png" / f"{m}.png").astype(float) for m in ("noisy", "local-wiener")]
    apart = math.sqrt(np.mean((written[0] - written[1]) ** 2))
    assert agreement.loc["noisy", "local-wiener"] == agreement.loc["local-wiener", "noisy"]
    assert agreement.loc["noisy", "local-wiener"] == pytest.approx(apart, abs=1e-3)


def test_a_comparison_names_no_score(compared: tuple[Path, int]) -> None:
    out, _ = compared
    for path in (out / "compare.html", out / "compare.csv", out / "agreement.csv"):
        text = path.read_text("utf-8").lower()
        assert not any(score in text for score in ("psnr", "ssim", "lpips"))
    page = (out / "compare.html").read_text("utf-8")
    assert "broken.png" in page
    assert 'src="removed/a.png/nlm%5Bsearch%3D7%5D.png"' in page.replace("%255B", "%5B").replace("%255D", "%5D")


FAILING = '''
from methods.classic.noisy import Noisy


class Failing(Noisy):
    """Fails."""

    name = "failing"
    summary = "fails"
    citation = "none"

    def restore(self, observation):
        raise RuntimeError("out of order")
'''


def test_a_failing_method_is_a_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "failing.py").write_text(FAILING)
    monkeypatch.setenv("RESTORATION_PLUGINS", str(folder))
    source, out = saved(tmp_path / "in.png", noisy()), tmp_path / "out"
    assert compare.main([str(source), "--methods", "failing,noisy", "--sigma", "20", "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert "failing failed on 1 of 1" in said.err
    table = [line for line in said.out.splitlines() if line[:1] in "┏┃┡│└"]
    assert len(table) == 6
    assert max(map(len, table)) == 80
    assert "out of order" in (out / "compare.html").read_text("utf-8")


def test_large_photographs_are_compared_on_their_centre(tmp_path: Path) -> None:
    source = saved(tmp_path / "in.png", np.tile(noisy(128, 128), (9, 9, 1)), compress_level=1)
    compare.main([str(source), "--methods", "noisy", "--sigma", "20", "--probes", "1", "--out", str(tmp_path / "out")])
    assert stored(tmp_path / "out" / "results" / "in.png" / "noisy.png").shape == (512, 512, 3)
    assert "--whole" in (tmp_path / "out" / "compare.html").read_text("utf-8")
    with pytest.raises(SuiteError, match="--force"):
        compare.main([str(source), "--methods", "noisy", "--out", str(tmp_path / "out")])
