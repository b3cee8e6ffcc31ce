"""Photographs in pairs: what is read from where, and that the task draws nothing and knows no law."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.rows import available, select
from datasets import fetch
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.pairs import PairedImage, names, pair_of
from datasets.real_noise import UnknownNoise
from datasets.sets.polyu import PolyU
from datasets.task import DENOISING, Key, get_task
from methods.noise import estimate_sigma
from methods.registry import get_method

TASK = get_task("real-noise")


def levels(seed: int, size: tuple[int, int] = (20, 24)) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (*size, 3)).astype(np.uint8)


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, np.ndarray]:
    """A mirror of the 15 CC pairs with pictures of noise, the registry's hashes theirs; returns path → pixels."""
    monkeypatch.setenv("RESTORATION_MIRROR", str(tmp_path))
    monkeypatch.setenv("RESTORATION_CACHE", str(tmp_path / "cache"))
    rows, pixels = dict(fetch.registry()), {}
    for seed, path in enumerate(path for path in rows if "MCWNNM" in path):
        pixels[path] = levels(seed)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[path]).save(tmp_path / path)
        rows[path] = fetch.Remote(path, fetch.file_sha256(tmp_path / path), (tmp_path / path).stat().st_size, "")
    monkeypatch.setattr(fetch, "registry", lambda: rows)
    return pixels


def pairs(spec: str) -> list[PairedImage]:
    dataset = get_dataset(spec)
    entries = [entry for entry in dataset.entries() if isinstance(entry, PairedImage)]
    assert len(entries) == len(dataset.entries())
    return entries


def test_every_pair_is_of_one_scene() -> None:
    for spec, count in (("polyu", 100), ("cc", 15), ("polyu[pairs=20]", 20)):
        found = pairs(spec)
        assert len(found) == count
        assert [entry.name for entry in found] == sorted(entry.name for entry in found)
        for entry in found:
            assert entry.path.replace("_mean.", "_real.") == entry.noisy
            assert entry.dataset == spec


def test_the_first_pairs_are_a_set_of_their_own() -> None:
    """Its label means it again, so that a run that is read from its folder finds its images."""
    assert [entry.name for entry in pairs("polyu[pairs=20]")] == [entry.name for entry in pairs("polyu")][:20]
    assert get_dataset(PolyU(20).label) == PolyU(20)
    assert (PolyU().label, PolyU(20).label) == ("polyu", "polyu[pairs=20]")
    assert (PolyU().folder_name, PolyU(20).folder_name) == ("polyu", "polyu-20")
    for wrong in ("polyu[pairs=0]", "polyu[pairs=101]"):
        with pytest.raises(SuiteError, match="pairs must be a whole number, 1 to 100"):
            get_dataset(wrong)


def test_y_is_the_noisy_photograph_and_x_the_mean(mirror: dict[str, np.ndarray]) -> None:
    for entry in pairs("cc"):
        o = TASK.degrade(entry.load(), Key(0, "cc", entry.name))
        assert o.truth is not None
        for image, path in ((o.truth.clean, entry.path), (o.y, entry.noisy)):
            assert np.array_equal((image[0] * 255).round().byte().permute(1, 2, 0).numpy(), mirror[path])


def test_no_seed_matters_and_double_stays_double(mirror: dict[str, np.ndarray]) -> None:
    entry = pairs("cc")[3]
    key = Key(0, "cc", entry.name)
    first = TASK.degrade(entry.load(), key)
    assert torch.equal(first.y, TASK.degrade(entry.load(), replace(key, seed=7)).y)
    assert TASK.degrade(entry.load().double(), key).y.dtype == torch.float64


def test_the_law_of_the_noise_is_known_to_nobody(mirror: dict[str, np.ndarray]) -> None:
    entry = pairs("cc")[0]
    o = TASK.degrade(entry.load(), Key(0, "cc", entry.name))
    assert TASK.problem == DENOISING
    assert o.noise is None
    assert o.sigma is None
    assert o.truth is not None
    assert o.truth.sigma is None
    assert o.told().sigma is None, "not even an oracle is told a σ that nobody knows"
    assert TASK.level_of(o.truth) is None
    for asked in (lambda: UnknownNoise().variance(o.y), lambda: UnknownNoise().sample(o.y, np.random.RandomState(0))):
        with pytest.raises(ValueError, match="unknown law"):
            asked()


def test_a_method_runs_at_the_level_that_it_estimates(mirror: dict[str, np.ndarray]) -> None:
    entry = pairs("cc")[0]
    o = TASK.degrade(entry.load(), Key(0, "cc", entry.name)).without_truth()
    row = select(TASK, f"tikhonov[sigma={float(estimate_sigma(o.y)) * 255!r}]")[0][0]
    torch.testing.assert_close(
        get_method("tikhonov").restore(o).image, row.method.restore(row.view(o, "cpu")).image, rtol=0, atol=1e-6
    )


def test_every_denoiser_runs_and_none_with_a_true_sigma() -> None:
    labels = {row.label for row in available(TASK)[0]}
    blind = {row.label for row in available(get_task("denoise", sigma="5:50"))[0] if row.sigma is None}
    assert labels == blind
    assert {"bm3d", "nlm", "tikhonov", "noisy"} <= labels


def test_a_set_without_pairs_is_refused_in_one_line(tmp_path: Path) -> None:
    assert names() == ["cc", "polyu"]
    clean = torch.rand(3, 20, 24)
    Image.fromarray(levels(0)).save(tmp_path / "a.png")
    for dataset in ("set12", "photos", "lsun-church", "polyu[pairs=20]", get_dataset(str(tmp_path)).label):
        with pytest.raises(SuiteError, match=r"^[^\n]+\.$") as error:
            TASK.degrade(clean, Key(0, dataset, "astronaut"))
        wanted = "unknown pair of polyu" if dataset.startswith("polyu") else "has no pairs of a noisy and a mean"
        assert wanted in str(error.value)


def test_an_image_of_no_set_is_its_own_photograph() -> None:
    """What the runner warms up on, and the contract suite."""
    clean = torch.rand(3, 20, 24)
    assert pair_of("warm-up", "warm-up") is None
    o = TASK.degrade(clean, Key(0, "warm-up", "warm-up"))
    assert torch.equal(o.y[0], clean)
    assert o.y.data_ptr() != clean.data_ptr()


def test_a_pair_of_two_sizes_is_refused(
    mirror: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entry = pairs("cc")[0]
    Image.fromarray(levels(0, (20, 25))).save(tmp_path / entry.noisy)
    size, digest = (tmp_path / entry.noisy).stat().st_size, fetch.file_sha256(tmp_path / entry.noisy)
    rows = dict(fetch.registry()) | {entry.noisy: fetch.Remote(entry.noisy, digest, size, "")}
    monkeypatch.setattr(fetch, "registry", lambda: rows)
    with pytest.raises(SuiteError, match="has two sizes, 3x20x25 and 3x20x24"):
        TASK.degrade(entry.load(), Key(0, "cc", entry.name))


def test_a_pair_is_here_if_both_photographs_are(mirror: dict[str, np.ndarray], tmp_path: Path) -> None:
    entry = pairs("cc")[0]
    assert entry.where() == "mirror"
    entry.check()
    before = entry.sha256()
    assert before not in {fetch.remote(entry.path).sha256, fetch.remote(entry.noisy).sha256}
    (tmp_path / entry.noisy).unlink()
    assert entry.where() is None
    assert get_dataset("cc").available() is not None
    with pytest.raises(SuiteError, match=r"_real\.png is not on this machine"):
        entry.check()


@pytest.mark.realdata
def test_the_pairs_that_are_at_hand() -> None:
    """One camera's noise: of a few levels, and far from white, so that the estimate for white noise finds little."""
    dataset = get_dataset("polyu[pairs=20]")
    assert dataset.available() is None
    for entry in dataset.entries()[::7]:
        o = TASK.degrade(entry.load(), Key(0, dataset.label, entry.name))
        assert o.truth is not None
        assert o.y.shape == (1, 3, 512, 512)
        noise = o.y - o.truth.clean
        rms = float(noise.square().mean().sqrt())
        assert 2 < 255 * rms < 7
        assert float((noise[..., 1:] * noise[..., :-1]).mean()) > 0.5 * rms**2
        assert float(estimate_sigma(o.y)) < 0.15 * rms
