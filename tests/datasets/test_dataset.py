"""The named sets and folders of images."""

from __future__ import annotations

import pickle
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datasets import fetch
from datasets.__main__ import named_sets
from datasets.dataset import Dataset, RegisteredSet, get_dataset
from datasets.errors import SuiteError
from datasets.operators import Luma
from datasets.sets.folder import Folder

SIZES = {
    "photos": {"test": 5},
    "set12": {"test": 12},
    "bsd68": {"test": 68},
    "cbsd68": {"test": 68},
    "kodak24": {"test": 24},
    "mcmaster": {"test": 18},
    "set5": {"test": 5},
    "set14": {"test": 14},
    "classic5": {"test": 5},
    "live1": {"test": 29},
    "bsd100": {"test": 100},
    "urban100": {"test": 100},
    "polyu": {"test": 100},
    "cc": {"test": 15},
    "houses": {"train": 2140},
    "imagenet-samples": {"train": 1000},
    "cbsd432": {"train": 432},
    "lsun-bedroom": {"train": 250, "test": 50},
    "lsun-church": {"train": 250, "test": 50},
    "lsun-conference": {"train": 250, "test": 50},
}
PHOTOS = {
    "astronaut": "f12c4ee1d753e7b9049303ec527a1442e318c2823fb0a65daee1e25536775977",
    "cat": "6a2896583e6a3b346f6633a1fadb193e69205c0c7e02d9077f3edad486b40269",
    "coffee": "c2b1e9839dd7837dd60339f58cea9288f820977bbbd9cf43df0ed3399ceab448",
    "motorcycle": "8543cc17a56b65896e8fb11c40e17e037d235c76c9daf004577abef10679ec76",
    "rocket": "da2013eef3421ff3aac0c6ac4ccfd4d07864a090e5bb68fa3575e86ca778e429",
}
"""SHA-256 of the 8-bit pixels of each photograph, row by row, RGB."""


@pytest.mark.parametrize("name", SIZES)
def test_splits_and_names(name: str) -> None:
    dataset = get_dataset(name)
    assert {split: len(dataset.entries(split)) for split in dataset.splits} == SIZES[name]
    names = [entry.name for split in dataset.splits for entry in dataset.entries(split)]
    assert len(set(names)) == len(names)
    assert names == sorted(names)
    assert dataset.label == name
    assert "\n" not in dataset.title + dataset.citation + dataset.source
    entry = dataset.entries(dataset.splits[0])[0]
    assert pickle.loads(pickle.dumps(entry)) == entry


def test_there_are_no_other_sets() -> None:
    assert {dataset.label for dataset in named_sets()} == set(SIZES)


@pytest.mark.parametrize("name", ["set12", "cbsd432", "photos"])
def test_unknown_split(name: str) -> None:
    with pytest.raises(SuiteError, match=r"unknown split of dataset '.*' 'valid'.*Valid: (test|train)"):
        get_dataset(name).entries("valid")


def test_lsun_split_is_by_file_name() -> None:
    """Files sorted by name, 0–249 train, 250–299 test."""
    folder = "majedelhelou-BIGPrior/data/lsun/data/church/"
    ordered = sorted(path.removeprefix(folder) for path in fetch.registry() if path.startswith(folder))
    dataset = get_dataset("lsun-church")
    assert [f"{entry.name}.png" for entry in dataset.entries("train")] == ordered[:250]
    assert [f"{entry.name}.png" for entry in dataset.entries("test")] == ordered[250:]


def declared() -> list[tuple[str, str, str]]:
    """Every declaration as (test set, training set, its split)."""
    rows = []
    for dataset in named_sets():
        for relative in dataset.disjoint_from:
            other, _, split = relative.partition(":")
            rows.append((dataset.label, other, split))
    return rows


def test_every_test_set_with_a_training_relative_declares_it() -> None:
    pairs = declared()
    for name in ("bsd68", "cbsd68"):
        assert (name, "cbsd432", "train") in pairs
    for name in ("lsun-bedroom", "lsun-church", "lsun-conference"):
        assert (name, name, "train") in pairs


@pytest.mark.parametrize(("name", "other", "split"), declared())
def test_test_and_training_files_are_disjoint(name: str, other: str, split: str) -> None:
    test = {entry.sha256() for entry in get_dataset(name).entries("test")}
    train = {entry.sha256() for entry in get_dataset(other).entries(split)}
    assert not test & train
    assert len(test) == len(get_dataset(name).entries("test"))  # nor is an image in it twice


def thumbnails(dataset: Dataset, split: str) -> torch.Tensor:
    """Luma of every image, upright or not, on 16×16, standardised: (N,256)."""
    rows = []
    for entry in dataset.entries(split):
        image = entry.load()[None]
        luma = Luma().forward(image) if image.shape[1] == 3 else image
        small = torch.nn.functional.adaptive_avg_pool2d(luma, 16).flatten()
        rows.append((small - small.mean()) / small.std(correction=0))
    return torch.stack(rows)


@pytest.mark.realdata
def test_berkeley_test_images_are_not_among_the_training_images() -> None:
    """By content, since gray and colour files never share a hash: correlations of 16×16 lumas."""
    train, gray, colour = (
        thumbnails(get_dataset(name), split)
        for name, split in (("cbsd432", "train"), ("bsd68", "test"), ("cbsd68", "test"))
    )
    assert (gray @ train.T / 256).max() < 0.99
    assert (colour @ train.T / 256).max() < 0.99
    # The measure does recognise an image: each of BSD68 is found in CBSD68.
    best, where = (gray @ colour.T / 256).max(dim=1)
    assert best.min() > 0.99
    assert len(set(where.tolist())) == 68


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "split", "shapes"),
    [
        ("set12", "test", {(1, 256, 256), (1, 512, 512)}),
        ("bsd68", "test", {(1, 321, 481), (1, 481, 321)}),
        ("cbsd68", "test", {(3, 321, 481), (3, 481, 321)}),
        ("set5", "test", {(3, 512, 512), (3, 288, 288), (3, 256, 256), (3, 280, 280), (3, 344, 228)}),
        ("classic5", "test", {(1, 512, 512)}),
        ("polyu[pairs=20]", "test", {(3, 512, 512)}),
        ("lsun-church", "test", {(3, 256, 256)}),
    ],
)
def test_real_images(name: str, split: str, shapes: set[tuple[int, ...]]) -> None:
    dataset = get_dataset(name)
    assert dataset.available(split) is None
    assert {tuple(entry.load().shape) for entry in dataset.entries(split)} == shapes
    assert {entry.where() for entry in dataset.entries(split)} == {"mirror"}
    assert dataset.colour == (next(iter(shapes))[0] == 3)


def test_available_tells_the_reason_and_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RESTORATION_MIRROR", raising=False)
    monkeypatch.setenv("RESTORATION_CACHE", str(tmp_path))
    assert get_dataset("photos").available("test") is None
    reason = get_dataset("lsun-church").available("test")
    assert reason is not None
    assert "50 of the 50 images" in reason
    assert "python -m datasets fetch lsun-church --split test" in reason
    assert "RESTORATION_MIRROR" in reason
    set12 = get_dataset("set12")
    assert isinstance(set12, RegisteredSet)
    for path in set12.paths("test")[1:]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert "1 of the 12 images" in (set12.available("test") or "")


def test_photos_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(fetch, "local_path", refuse)
    for entry in get_dataset("photos").entries("test"):
        image = entry.load()
        assert image.shape == (3, 256, 256)
        assert image.dtype == torch.float32
        assert image.min() >= 0
        assert image.max() <= 1
        assert torch.equal(image * 255, (image * 255).round())
        assert image.std() > 0.1
        assert entry.where() == "embedded"


def test_photos_are_the_pinned_pixels() -> None:
    assert {entry.name: entry.sha256() for entry in get_dataset("photos").entries("test")} == PHOTOS


def test_photos_are_the_centre_square() -> None:
    """A 512×512 source is only halved, so its means on 16×16 blocks stay; a wide one loses its sides."""
    import skimage

    images = {entry.name: entry.load() for entry in get_dataset("photos").entries("test")}
    folder = Path(skimage.__file__).parent / "data"
    for name, file in (("astronaut", "astronaut.png"), ("coffee", "coffee.png"), ("rocket", "rocket.jpg")):
        source = np.asarray(Image.open(folder / file)) / 255
        side = min(source.shape[:2])
        top, left = (source.shape[0] - side) // 2, (source.shape[1] - side) // 2
        square = torch.from_numpy(source[top : top + side, left : left + side]).permute(2, 0, 1)
        pool = torch.nn.AdaptiveAvgPool2d(16)
        difference = (pool(square) - pool(images[name].double())).abs()
        assert difference.mean() < 0.005


def test_a_changed_scikit_image_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "file_sha256", lambda file: "0" * 64)
    with pytest.raises(SuiteError, match=r"chelsea\.png is not the expected file .*pip install"):
        get_dataset("photos").entries("test")[1].load()


def test_a_scikit_image_without_the_file_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "skimage").mkdir()
    (tmp_path / "skimage" / "__init__.py").touch()
    monkeypatch.delitem(__import__("sys").modules, "skimage", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SuiteError, match=r"has no data/astronaut\.png here"):
        get_dataset("photos").entries("test")[0].load()


def save(path: Path, value: int = 128, mode: str = "L") -> None:
    Image.new(mode, (24, 20), value if mode == "L" else (value, 0, 0)).save(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "my pictures"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.png", "a.JPG", "c.tif"):
        save(folder / name)
    save(folder / "deeper" / "d.png")
    save(folder / ".hidden.png")
    (folder / "notes.txt").write_text("text")
    np.save(folder / "e.npy", np.full((20, 24, 3), 0.25))
    return folder


def test_folder_takes_every_image_sorted(pictures: Path) -> None:
    dataset = get_dataset(str(pictures))
    assert dataset.label == "folder:my pictures"
    assert dataset.splits == ("test",)
    assert [entry.name for entry in dataset.entries("test")] == ["a", "b", "c", "e"]
    assert [tuple(entry.load().shape) for entry in dataset.entries("test")] == [(1, 20, 24)] * 3 + [(3, 20, 24)]
    assert dataset.available("test") is None
    assert dataset.colour
    with pytest.raises(SuiteError, match="Valid: test"):
        dataset.entries("train")


def test_folder_hash_follows_the_content(pictures: Path) -> None:
    entry = get_dataset(str(pictures)).entries("test")[1]
    before = entry.sha256()
    assert before == get_dataset(str(pictures)).entries("test")[1].sha256()
    save(pictures / "b.png", 129)
    assert entry.sha256() != before


def test_folder_name_does_not_depend_on_where_it_lies(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [get_dataset(str(pictures)).label, get_dataset(f"{pictures}/").label]
    monkeypatch.chdir(pictures)
    names += [get_dataset(".").label, get_dataset("../my pictures").label]
    moved = tmp_path / "elsewhere" / "my pictures"
    moved.parent.mkdir()
    pictures.rename(moved)
    names.append(get_dataset(str(moved)).label)
    assert set(names) == {"folder:my pictures"}


def test_images_that_share_a_stem_keep_their_ending(pictures: Path) -> None:
    save(pictures / "b.bmp")
    save(pictures / "b.png.tif")
    names = [entry.name for entry in get_dataset(str(pictures)).entries("test")]
    assert names == ["a", "b.bmp", "b.png", "b.png.tif", "c", "e"]


def test_gray_folder_is_gray(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    assert not Folder(tmp_path).colour
    save(tmp_path / "b.png", mode="RGB")
    assert Folder(tmp_path).colour


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(SuiteError, match=r"holds no image: put files ending in .*\.png"):
        get_dataset(str(tmp_path))


def test_unknown_dataset_lists_near_and_valid_names_and_folders(tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as caught:
        get_dataset("set21")
    for part in ("unknown dataset 'set21'", "Did you mean set14 or set12", "kodak24", "lsun-church", "existing folder"):
        assert part in str(caught.value)
    save(tmp_path / "a.png")
    with pytest.raises(SuiteError, match="is a file: give the folder"):
        get_dataset(str(tmp_path / "a.png"))
