"""Records survive kills, damage and full disks."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.records import COLUMNS, TIMINGS, Record, RecordFile, frame, write_atomically
from datasets.errors import SuiteError


def record(image: str = "a", method: str = "tv", **values: object) -> Record:
    return Record(task="denoise", dataset="photos", image=image, method=method, **values)  # type: ignore[arg-type]


def test_the_promised_columns_are_there() -> None:
    promised = {"task", "dataset", "image", "method", "sigma", "psnr", "ssim", "lpips", "auc", "psnr_hole", "phi_mean"}
    assert promised | {"seconds", "error"} <= set(COLUMNS)
    assert set(TIMINGS) <= set(COLUMNS)


def test_floats_read_back_to_the_last_bit(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "records.csv").load()
    values = [math.pi, 1 / 3, 1e-300, float(np.float32(0.1)), math.inf]
    file.append(record(image=str(i), psnr=v) for i, v in enumerate(values))
    again = RecordFile(file.path).load()
    assert [r.psnr for r in again.records.values()] == values
    assert again.records == file.records


def test_not_measured_is_an_empty_cell_and_not_zero(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "records.csv").load()
    file.append([record(psnr=30.0, ssim=float("nan"))])
    line = file.path.read_text().splitlines()[1].split(",")
    assert line[COLUMNS.index("ssim")] == ""
    assert line[COLUMNS.index("lpips")] == ""
    read = RecordFile(file.path).load().records["a", "tv"]
    assert read.ssim is None
    assert frame([read]).ssim.isna().all()


@pytest.mark.parametrize("message", ["two\nlines", 'a "quoted", comma', "über, 😀\r\n\t x"])
def test_an_error_message_is_one_line(tmp_path: Path, message: str) -> None:
    file = RecordFile(tmp_path / "records.csv").load()
    file.append([record(error=message), record(image="b")])
    again = RecordFile(file.path).load()
    assert again.records["a", "tv"].error == " ".join(message.split())
    assert len(again.records) == 2


def test_every_torn_end_heals(tmp_path: Path) -> None:
    """Cut the file at every byte of its last line: what was whole is read, and appending goes on cleanly."""
    path = tmp_path / "records.csv"
    file = RecordFile(path).load()
    file.append([record(image=i, psnr=30.25) for i in "abc"])
    data = path.read_bytes()
    last = data[:-1].rfind(b"\n") + 1
    for cut in range(last, len(data)):
        path.write_bytes(data[:cut])
        torn = RecordFile(path).load()
        assert set(torn.records) == {("a", "tv"), ("b", "tv")}
        torn.append([record(image="c", psnr=30.25)])
        assert path.read_bytes() == data


def test_a_torn_header_heals(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_text(",".join(COLUMNS)[:20])
    file = RecordFile(path).load()
    file.append([record()])
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert len(RecordFile(path).load().records) == 1


@pytest.mark.parametrize(
    "damage", ["rubbish", "denoise,photos,a", "\x00\x01", ",".join(["x"] * len(COLUMNS)), ",".join([""] * len(COLUMNS))]
)
def test_a_damaged_line_is_named_with_the_way_out(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "records.csv"
    file = RecordFile(path).load()
    file.append([record(image=i) for i in "ab"])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1], damage, lines[2]]) + "\n")
    before = path.read_bytes()
    with pytest.raises(SuiteError, match=r"line 3 is damaged.*delete that line.*--fresh") as caught:
        RecordFile(path).load()
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_foreign_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_text("a,b,c\n1,2,3\n")
    with pytest.raises(SuiteError, match="other columns"):
        RecordFile(path).load()


def test_a_second_attempt_replaces_an_error(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "records.csv").load()
    file.append([record(error="boom")])
    assert not file.finished(("a", "tv"))
    file.append([record(psnr=31.0)])
    again = RecordFile(file.path).load()
    assert again.finished(("a", "tv"))
    again.rewrite({})
    assert len(again.path.read_text().splitlines()) == 2


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RecordFile(tmp_path / "records.csv").load()
    file.append([record(psnr=30.0)])
    write = os.write
    written = []

    def full(descriptor: int, data: bytes) -> int:
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(write(descriptor, bytes(data)[:10]))
        return written[0]

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(SuiteError, match=r"No space left.*Nothing that was finished is lost"):
        file.append([record(image="b", psnr=31.0)])
    monkeypatch.undo()
    again = RecordFile(file.path).load()
    assert set(again.records) == {("a", "tv")}
    again.append([record(image="b", psnr=31.0)])
    assert len(RecordFile(file.path).load().records) == 2


def test_atomic_write_keeps_the_old_file_on_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "summary.md"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(SuiteError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["summary.md"]
