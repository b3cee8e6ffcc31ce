"""Records survive kills, damage and full disks."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.folder.records import TIMINGS, Record, RecordFile, columns
from datasets.errors import SuiteError
from datasets.files import write_atomically

OPEN = ("sigma", "psnr", "ssim", "mine[key=1,other=2]")
COLUMNS = columns(OPEN)


def record(image: str = "a", method: str = "tv", error: str = "", **values: float) -> Record:
    return Record("denoise", "photos", image, method, values, error=error)


def header() -> str:
    return ",".join(f'"{name}"' if "," in name else name for name in COLUMNS)


def opened(path: Path, *names: str) -> RecordFile:
    return RecordFile(path, names or OPEN).load()


def test_the_promised_columns_are_there() -> None:
    promised = {"task", "dataset", "image", "method", "sigma", "psnr", "ssim", "mine[key=1,other=2]", "phi_mean"}
    assert promised | {"seconds", "error"} <= set(COLUMNS)
    assert set(TIMINGS) <= set(COLUMNS)


def test_floats_read_back_to_the_last_bit(tmp_path: Path) -> None:
    file = opened(tmp_path / "records.csv")
    values = [math.pi, 1 / 3, 1e-300, float(np.float32(0.1)), math.inf]
    file.append(record(image=str(i), psnr=v) for i, v in enumerate(values))
    again = opened(file.path)
    assert [r.values["psnr"] for r in again.records.values()] == values
    assert {k: r.values["psnr"] for k, r in again.records.items()} == {
        k: r.values["psnr"] for k, r in file.records.items()
    }


def test_not_measured_is_an_empty_cell_and_not_defined_is_nan(tmp_path: Path) -> None:
    file = opened(tmp_path / "records.csv")
    file.append([record(psnr=30.0, ssim=float("nan"))])
    line = file.path.read_text().splitlines()[1].split(",")
    assert line[COLUMNS.index("ssim")] == "nan"
    assert line[COLUMNS.index("mine[key=1,other=2]")] == ""
    read = opened(file.path)
    assert math.isnan(read.records["a", "tv"].values["ssim"] or 0)
    assert read.records["a", "tv"].values["mine[key=1,other=2]"] is None
    assert read.frame().ssim.isna().all()
    assert read.finished(("a", "tv"), ["psnr", "ssim"]), "measured, though not defined"
    assert not read.finished(("a", "tv"), ["psnr", "mine[key=1,other=2]"])


def test_a_column_is_added_and_what_was_there_stays(tmp_path: Path) -> None:
    file = opened(tmp_path / "records.csv", "psnr")
    file.append([record(psnr=30.0), record("b", psnr=31.0)])
    wider = opened(file.path, "psnr", "mine")
    assert not wider.finished(("a", "tv"), ["psnr", "mine"])
    news = wider.news(record(psnr=99.0, mine=1.0))
    assert news is not None
    assert dict(news.values) == {"psnr": 30.0, "mine": 1.0}, "a score stays as it was first measured"
    wider.append([news])
    again = opened(file.path)
    assert again.records["a", "tv"].values["mine"] == 1.0
    assert again.records["b", "tv"].values["psnr"] == 31.0
    assert again.open == ("psnr", "mine", "sigma", "ssim", "mine[key=1,other=2]")


@pytest.mark.parametrize(
    "name", ["a b", " a", "a\u202fb", "a\u00a0b", 'a",b', "é\u2028", "\x85", "=a()", "-a", "'a", "''=a"]
)
def test_names_survive_to_the_last_character(tmp_path: Path, name: str) -> None:
    file = opened(tmp_path / "records.csv")
    file.append([record(name, "nlm[search=15,own=0.3]"), record("plain")])
    assert set(opened(file.path).records) == {(name, "nlm[search=15,own=0.3]"), ("plain", "tv")}


def test_a_spreadsheet_computes_nothing_of_the_records(tmp_path: Path) -> None:
    file = opened(tmp_path / "records.csv")
    file.append([record("=cmd()", "@row", error="-boom", psnr=-1.0)])
    cells = pd.read_csv(file.path, dtype=str).iloc[0]
    assert (cells["image"], cells["method"], cells["error"]) == ("'=cmd()", "'@row", "'-boom")
    assert cells["psnr"] == "-1.0", "a number stays a number"


def test_a_failure_does_not_replace_a_result(tmp_path: Path) -> None:
    file = opened(tmp_path / "records.csv")
    file.append([record(psnr=30.0)])
    assert file.news(record(error="boom")) is None


def test_a_stale_line_is_left_by_no_run(tmp_path: Path) -> None:
    """A run killed between its last append and the final rewrite: the next one puts the file in order."""
    file = opened(tmp_path / "records.csv")
    file.append([record("b", error="boom")])
    file.append([record("a", psnr=1.0)])
    file.append([record("b", psnr=2.0)])
    again = opened(file.path)
    order = {("a", "tv"): 0, ("b", "tv"): 1}
    assert not again.in_order(order)
    again.rewrite(order)
    assert again.in_order(order)
    assert opened(file.path).in_order(order)
    assert len(file.path.read_text().splitlines()) == 3


@pytest.mark.parametrize("message", ["two\nlines", 'a "quoted", comma', "über, 😀\r\n\t x"])
def test_an_error_message_is_one_line(tmp_path: Path, message: str) -> None:
    file = opened(tmp_path / "records.csv")
    file.append([record(error=message), record(image="b")])
    again = opened(file.path)
    assert again.records["a", "tv"].error == " ".join(message.split())
    assert len(again.records) == 2


def test_every_torn_end_heals(tmp_path: Path) -> None:
    """Cut the file at every byte of its last line: what was whole is read, and appending goes on cleanly."""
    path = tmp_path / "records.csv"
    file = opened(path)
    file.append([record(image=i, psnr=30.25) for i in "abc"])
    data = path.read_bytes()
    last = data[:-1].rfind(b"\n") + 1
    for cut in range(last, len(data)):
        path.write_bytes(data[:cut])
        torn = opened(path)
        assert set(torn.records) == {("a", "tv"), ("b", "tv")}
        torn.append([record(image="c", psnr=30.25)])
        assert path.read_bytes() == data


def test_a_torn_header_heals(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_text(header()[:20])
    file = opened(path)
    file.append([record()])
    assert path.read_text().splitlines()[0] == header()
    assert len(opened(path).records) == 1


@pytest.mark.parametrize(
    "damage", ["rubbish", "denoise,photos,a", "\x00\x01", ",".join(["x"] * len(COLUMNS)), ",".join([""] * len(COLUMNS))]
)
def test_a_damaged_line_is_named_with_the_way_out(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "records.csv"
    file = opened(path)
    file.append([record(image=i) for i in "ab"])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1], damage, lines[2]]) + "\n")
    before = path.read_bytes()
    with pytest.raises(SuiteError, match=r"line 3 is damaged.*delete that line.*--fresh") as caught:
        opened(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_foreign_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_text("a,b,c\n1,2,3\n")
    with pytest.raises(SuiteError, match="other columns"):
        opened(path)


def test_a_second_attempt_replaces_an_error(tmp_path: Path) -> None:
    file = opened(tmp_path / "records.csv")
    file.append([record(error="boom")])
    assert not file.finished(("a", "tv"))
    file.append([record(psnr=31.0)])
    again = opened(file.path)
    assert again.finished(("a", "tv"))
    again.rewrite({})
    assert len(again.path.read_text().splitlines()) == 2


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = opened(tmp_path / "records.csv")
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
    again = opened(file.path)
    assert set(again.records) == {("a", "tv")}
    again.append([record(image="b", psnr=31.0)])
    assert len(opened(file.path).records) == 2


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
