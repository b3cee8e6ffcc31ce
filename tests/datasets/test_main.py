"""`python -m datasets`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from datasets import fetch
from datasets.__main__ import main, named_sets
from datasets.cli import guarded


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No mirror, an empty cache."""
    monkeypatch.delenv("RESTORATION_MIRROR", raising=False)
    monkeypatch.setenv("RESTORATION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def partly_here(nothing_here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry whose set12 files all hold the same byte; all but the last are in the cache."""
    from datasets.dataset import RegisteredSet, get_dataset

    set12 = get_dataset("set12")
    assert isinstance(set12, RegisteredSet)
    paths = set12.paths("test")
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of the byte "x"
    rows = {path: fetch.Remote(path, digest, 1, "http://127.0.0.1:1/nowhere") for path in paths}
    monkeypatch.setattr(fetch, "registry", lambda: rows)
    for path in paths[:-1]:
        (nothing_here / path).parent.mkdir(parents=True, exist_ok=True)
        (nothing_here / path).write_bytes(b"x")
    return nothing_here / paths[0]


def test_list_names_every_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    names = [dataset.label for dataset in named_sets()]
    assert {"set12", "photos", "lsun-bedroom", "lsun-church", "lsun-conference"} <= set(names)
    for name in names:
        row = next(line for line in out.splitlines() if line.startswith(f"{name} "))
        assert ("embedded" if name == "photos" else "not here") in row
    assert "train 250, test 50" in out


def test_list_counts_what_is_here(partly_here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("set12 "))
    assert "cache 11" in row
    assert "not here 1" in row


def error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert guarded(lambda: main(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_bad_names_and_splits(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean set14 or set12" in error(["fetch", "set21"], capsys)
    assert "Valid: train" in error(["fetch", "cbsd432", "--split", "test"], capsys)
    assert "--split" in error(["fetch", "all", "--split", "test"], capsys)
    assert "unknown dataset" in error(["verify", "set21"], capsys)
    assert "needs a value for scene (bedroom, church, conference)" in error(["fetch", "lsun"], capsys)
    assert "Did you mean church" in error(["fetch", "lsun[scene=chruch]"], capsys)


def test_fetch_without_network_tells_the_way_out(partly_here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = error(["fetch", "set12"], capsys)
    assert "python -m datasets fetch set12" in message
    assert "RESTORATION_MIRROR" in message


def test_fetch_photos_needs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "photos"]) == 0
    assert "no download" in capsys.readouterr().out


def test_fetch_models_means_every_file_of_weights(
    nothing_here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = [path for path in fetch.registry() if Path(path).suffix in (".pt", ".pth", ".mat", ".json")]
    weights = [path for path in ends if "/kernels/" not in path]
    assert sum(path.endswith(".pt") for path in weights) == 2
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of the byte "x"
    rows = {path: fetch.Remote(path, digest, 1, "http://127.0.0.1:1/nowhere") for path in fetch.registry()}
    monkeypatch.setattr(fetch, "registry", lambda: rows)
    assert "python -m datasets fetch models" in error(["fetch", "models"], capsys)
    for path in weights:
        (nothing_here / path).parent.mkdir(parents=True, exist_ok=True)
        (nothing_here / path).write_bytes(b"x")
    assert main(["fetch", "models"]) == 0
    assert f"models: {len(weights)} files, all verified ({len(weights)} in the cache)" in capsys.readouterr().out


def test_fetch_kernels_means_the_files_of_blur_kernels_alone(
    nothing_here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of the byte "x"
    rows = {path: fetch.Remote(path, digest, 1, "http://127.0.0.1:1/nowhere") for path in fetch.registry()}
    monkeypatch.setattr(fetch, "registry", lambda: rows)
    for name in ("Levin09.mat", "kernels_12.mat"):
        (nothing_here / "cszn-KAIR/kernels" / name).parent.mkdir(parents=True, exist_ok=True)
        (nothing_here / "cszn-KAIR/kernels" / name).write_bytes(b"x")
    assert main(["fetch", "kernels"]) == 0
    assert "kernels: 2 files, all verified (2 in the cache)" in capsys.readouterr().out
    assert "Did you mean kernels" in error(["fetch", "kernel"], capsys)


def test_both_photographs_of_a_pair_are_fetched_and_verified(
    nothing_here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of the byte "x"
    rows = {path: fetch.Remote(path, digest, 1, "http://127.0.0.1:1/nowhere") for path in fetch.registry()}
    monkeypatch.setattr(fetch, "registry", lambda: rows)
    paths = [path for path in rows if "MCWNNM" in path]
    for path in paths:
        (nothing_here / path).parent.mkdir(parents=True, exist_ok=True)
        (nothing_here / path).write_bytes(b"x")
    assert main(["fetch", "cc"]) == 0
    assert "cc: 30 files, all verified (30 in the cache)" in capsys.readouterr().out
    assert main(["verify", "cc"]) == 0
    assert "cc: 15 files, 15 verified" in capsys.readouterr().out
    noisy = next(nothing_here / path for path in paths if path.endswith("_real.png"))
    noisy.write_bytes(b"y")
    assert main(["verify", "cc"]) == 1
    assert f"damaged: {noisy}" in capsys.readouterr().out
    noisy.unlink()
    assert main(["verify", "cc"]) == 1
    assert "cc: 15 files, 14 verified, 0 damaged, 1 missing" in capsys.readouterr().out


def test_verify_tells_missing_and_damaged(partly_here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "set12"]) == 1
    assert "set12: 12 files, 11 verified, 0 damaged, 1 missing" in capsys.readouterr().out
    partly_here.write_bytes(b"y")
    assert main(["verify"]) == 1
    out = capsys.readouterr().out
    assert "set12: 12 files, 10 verified, 1 damaged, 1 missing" in out
    assert f"damaged: {partly_here}" in out
    assert "photos: 5 files, 5 verified, 0 damaged, 0 missing" in out


def test_verify_of_all_does_not_blame_what_nobody_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 0
    assert "kodak24: 24 files, 0 verified, 0 damaged, 24 missing" in capsys.readouterr().out
    assert main(["verify", "kodak24"]) == 1


def test_verify_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("L", (20, 20)).save(folder / "a.png")
    assert main(["verify", str(folder)]) == 0
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:50])
    assert main(["verify", str(folder)]) == 1
    assert "b.png" in capsys.readouterr().out


@pytest.mark.realdata
def test_fetch_and_verify_from_a_mirror(
    monkeypatch: pytest.MonkeyPatch, nothing_here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()  # the mirror of the environment, read to make a small one
    sources = {path: fetch.local_path(path) for path in fetch.registry() if "/Set12/" in path or "/imgs/ex_" in path}
    for path, source in sources.items():
        (tmp_path / "mirror" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / "mirror" / path)
    monkeypatch.setenv("RESTORATION_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("RESTORATION_CACHE", str(nothing_here))
    assert main(["fetch", "set12"]) == 0
    assert main(["fetch", "richzhang-PerceptualSimilarity/imgs"]) == 0
    out = capsys.readouterr().out
    assert "set12: 12 files, all verified (12 in the mirror)" in out
    assert "imgs: 3 files, all verified (3 in the mirror)" in out
    assert main(["verify", "set12"]) == 0
    assert not nothing_here.exists()


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    out = capsys.readouterr().out
    for word in ("list", "fetch", "verify", "RESTORATION_MIRROR", "RESTORATION_CACHE"):
        assert word in out


def test_as_a_program() -> None:
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-m", "datasets", "fetch", "x"], cwd=root, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("error: unknown dataset 'x'")
    assert run.stderr.count("\n") == 1
