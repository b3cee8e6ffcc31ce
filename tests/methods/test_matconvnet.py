"""MATLAB files that are not what they say: links in a circle, arrays without end, other types, NaN."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from datasets.errors import SuiteError
from methods.supervised._matconvnet import read_matconvnet
from tests.methods.test_published_networks import write_matconvnet


def layers() -> list[tuple[str, tuple[np.ndarray, np.ndarray] | None]]:
    return [("concat", None), ("conv", (np.ones((3, 3, 2, 4), np.float32), np.ones(4, np.float32)))]


def to_itself(matlab: h5py.File) -> None:
    del matlab["net/layers"]
    matlab["net/layers"] = h5py.SoftLink("/net/layers")


def to_another_file(matlab: h5py.File) -> None:
    os.mkfifo(f"{matlab.filename}.pipe")  # whoever opens it waits for ever
    del matlab["net/layers"]
    matlab["net/layers"] = h5py.ExternalLink(f"{matlab.filename}.pipe", "layers")


def huge(matlab: h5py.File) -> None:
    del matlab["#refs#/layer1/weights"]
    kernel = matlab.create_dataset("huge", (1 << 20, 1 << 20), np.float32, chunks=(8, 8))
    matlab["#refs#/layer1/weights"] = np.array([kernel.ref, kernel.ref], dtype=h5py.ref_dtype)


def one_huge_chunk(matlab: h5py.File) -> None:
    kernel = matlab.create_dataset("huge", (9, 9), np.float32, chunks=(1 << 14, 1 << 14), maxshape=(None, None))
    del matlab["#refs#/layer1/weights"]
    matlab["#refs#/layer1/weights"] = np.array([kernel.ref, kernel.ref], dtype=h5py.ref_dtype)


def many_layers(matlab: h5py.File) -> None:
    del matlab["net/layers"]
    matlab.create_dataset("net/layers", (1 << 40,), h5py.ref_dtype, chunks=(8,))


def text(matlab: h5py.File) -> None:
    del matlab["#refs#/layer1/type"]
    matlab["#refs#/layer1/type"] = "conv"


def elsewhere(matlab: h5py.File) -> None:
    del matlab["#refs#/layer1/type"]
    matlab.create_dataset("#refs#/layer1/type", (4,), np.uint8, external=[("/dev/zero", 0, 4)])


def not_finite(matlab: h5py.File) -> None:
    matlab["#refs#/layer1/bias"][0, 1] = np.nan


CASES = [
    (to_itself, "'layers' is not there, or is a link"),
    (to_another_file, "'layers' is not there, or is a link"),
    (huge, "an array is of 1099511627776 elements"),
    (one_huge_chunk, "an array is of 268435456 elements"),
    (many_layers, "1000 in this file itself are possible"),
    (text, "TypeError"),
    (elsewhere, "in this file itself"),
    (not_finite, "'conv2.bias' holds NaN or infinity"),
]


@pytest.mark.parametrize(("spoil", "why"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_other_contents_are_one_line(tmp_path: Path, spoil: Callable[[h5py.File], None], why: str) -> None:
    file = tmp_path / "net.mat"
    write_matconvnet(file, layers())
    assert len(read_matconvnet(file)) == 3
    with h5py.File(file, "r+") as matlab:
        spoil(matlab)
    with pytest.raises(SuiteError, match=why) as caught:
        read_matconvnet(file)
    assert str(file) in str(caught.value)
    assert str(caught.value).isprintable()
