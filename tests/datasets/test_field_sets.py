"""What is special about the sets of super-resolution and deblocking: mixed, converted, and seen in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.folder.images import images_of
from benchmarks.scores.metrics._view import luma as scored_luma
from datasets import fetch
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.sets.live1 import Live1, luma
from datasets.task import get_task
from tests.datasets.test_dataset import thumbnails


def test_the_luma_that_is_compressed_is_the_luma_that_is_scored() -> None:
    levels = torch.from_numpy(np.random.RandomState(0).randint(0, 256, (3, 64, 48))).float()
    mine = luma(levels / 255)
    assert mine.dtype == torch.float32
    assert torch.equal((mine * 255).round(), scored_luma(levels[None])[0])
    ends = luma(torch.stack([torch.zeros(3), torch.ones(3)], dim=1)[..., None])
    assert (ends.flatten() * 255).round().tolist() == [16, 235]


def test_live1_is_there_in_colour_and_as_luma(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESTORATION_MIRROR", str(tmp_path))
    path = Live1().paths("test")[0]
    (tmp_path / path).parent.mkdir(parents=True)
    Image.fromarray(np.random.RandomState(1).randint(0, 256, (20, 24, 3)).astype(np.uint8)).save(tmp_path / path)
    size, digest = (tmp_path / path).stat().st_size, fetch.file_sha256(tmp_path / path)
    rows = dict(fetch.registry()) | {path: fetch.Remote(path, digest, size, "")}
    monkeypatch.setattr(fetch, "registry", lambda: rows)
    colour, gray = (get_dataset(name) for name in ("live1", "live1-luma"))
    assert (colour.colour, gray.colour) == (True, False)
    assert gray == get_dataset(gray.label) == Live1(luma=True)
    assert [entry.name for entry in colour.entries()] == [entry.name for entry in gray.entries()]
    image = colour.entries()[0].load()
    assert torch.equal(gray.entries()[0].load(), luma(image))


def test_an_address_with_a_space_is_written_with_its_code() -> None:
    path = get_dataset("houses").entries("train")[0].path  # type: ignore[attr-defined]
    assert "/Houses Dataset/" in path
    assert fetch.remote(path).url.rpartition("/")[0].endswith("/Houses%20Dataset")


@pytest.mark.realdata
def test_a_task_that_needs_colour_leaves_the_gray_image_of_set14_out() -> None:
    set14 = get_dataset("set14")
    assert [entry.name for entry in set14.entries() if len(entry.load()) == 1] == ["bridge"]
    entries, shapes, _, unread = images_of(get_task("colorize"), set14, "test")
    assert (len(entries), list(unread)) == (13, ["bridge"])
    assert {shape[0] for shape in shapes.values()} == {3}
    assert len(images_of(get_task("denoise"), set14, "test")[0]) == 14
    with pytest.raises(SuiteError, match="'bridge' of set14 is grayscale"):
        images_of(get_task("colorize"), set14, "test", strict=True)


@pytest.mark.realdata
def test_one_image_of_set5_is_among_the_training_images() -> None:
    """A reduced copy of Berkeley's 302003, found by the correlation of 16×16 lumas; no other image is."""
    train = get_dataset("cbsd432")
    seen = thumbnails(train, "train")
    for name, expected in (("set5", {"woman": "302003"}), ("set14", {}), ("classic5", {})):
        best, where = (thumbnails(get_dataset(name), "test") @ seen.T / 256).max(dim=1)
        images = zip(get_dataset(name).entries(), best.tolist(), where.tolist(), strict=True)
        found = {entry.name: train.entries("train")[at].name for entry, near, at in images if near > 0.98}
        assert found == expected
    assert "cbsd432:train" not in get_dataset("set5").disjoint_from
