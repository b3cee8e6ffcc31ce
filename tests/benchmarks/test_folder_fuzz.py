"""Damaged folders: whatever happens to records.csv and run.json, a reader says it in a line or reads what is there."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from benchmarks.folder.records import RecordFile
from benchmarks.folder.run_folder import FACTS, RECORDS, RunFolder
from benchmarks.run import main as run
from benchmarks.tables.__main__ import main as table
from datasets.errors import SuiteError

WORDS = [
    b"nan", b"inf", b"-1e400", b'"', b"\n", b"\r", b",", b"\x00", b"\xff", b"{}", b"[[", b"null", b"'", b"=", b"1e999",
    b"../../x", "\u202e".encode(), b'"rows": 0', b"9" * 400,
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    rows = "noisy,a=local-wiener,bilateral"
    assert run(["--task", "denoise", "--methods", rows, "--limit", "3", "--jobs", "1", "--out", str(out)]) == 0
    return out


def mutated(data: bytes, generator: random.Random) -> bytes:
    """Change bytes, cut, double or move lines, or put in words that readers stumble over."""
    for _ in range(generator.randint(1, 3)):
        place = generator.randrange(len(data)) if data else 0
        lines = data.split(b"\n")
        kind = generator.randrange(6)
        if kind == 0:
            data = data[:place] + bytes([generator.randrange(256)]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place]
        elif kind == 2:
            data = data[:place] + generator.choice(WORDS) + data[place:]
        elif kind == 3:
            lines.insert(generator.randrange(len(lines)), generator.choice(lines))
            data = b"\n".join(lines)
        elif kind == 4:
            generator.shuffle(lines)
            data = b"\n".join(lines)
        else:
            data = data[:place] + generator.choice(WORDS) + data[place + generator.randint(1, 40) :]
    return data


def test_mutated_records_are_refused_or_read_the_same_twice(whole: Path, tmp_path: Path) -> None:
    data, file = (whole / RECORDS).read_bytes(), tmp_path / RECORDS
    refused, said = 0, []
    for seed in range(1500):
        file.write_bytes(mutated(data, random.Random(seed)))
        try:
            read = RecordFile(file).load()
        except SuiteError as error:
            refused += 1
            said.append(str(error))
            continue
        read.rewrite({})
        again = RecordFile(file).load()
        assert list(again.records) == list(read.records), seed
        assert all(str(a) == str(b) for a, b in zip(again.records.values(), read.records.values(), strict=True)), seed
    assert 300 < refused < 1400, "mutations of both kinds"
    assert not any("\n" in one for one in said)


def test_mutated_facts_are_refused_or_read(whole: Path, tmp_path: Path) -> None:
    data, file = (whole / FACTS).read_bytes(), tmp_path / FACTS
    said = []
    for seed in range(1500):
        file.write_bytes(mutated(data, random.Random(seed)))
        try:
            RunFolder(tmp_path).facts  # noqa: B018
        except SuiteError as error:
            said.append(str(error))
    assert 300 < len(said) < 1500
    assert not any("\n" in one for one in said)


@pytest.mark.slow
def test_tables_of_mutated_folders(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, said = 0, []
    for seed in range(150):
        folder = tmp_path / str(seed)
        shutil.copytree(whole, folder)
        generator = random.Random(seed)
        for name in (RECORDS,) if seed % 2 else (FACTS,):
            (folder / name).write_bytes(mutated((folder / name).read_bytes(), generator))
        try:
            made += table([str(folder)]) == 0
            assert "\x1b" not in capsys.readouterr().out, seed
        except SuiteError as error:
            said.append(str(error))
    assert not any("\n" in one for one in said)
    assert made > 10, "some are still tables"
