"""A new dataset or task is one new file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datasets.dataset import Dataset, datasets, get_dataset
from datasets.errors import SuiteError
from datasets.plugins import discover

PLUGIN = """
from datasets.dataset import Dataset

class Mine(Dataset):
    name = "{name}"
    title, citation, source, colour = "t", "c", "s", True
    def entries(self, split="test"):
        return []

class Base(Dataset):
    name = "never-listed-because-abstract"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RESTORATION_PLUGINS", str(tmp_path))
    datasets.cache_clear()
    yield tmp_path
    datasets.cache_clear()


def test_a_file_in_a_plugin_folder_is_found(folder: Path) -> None:
    (folder / "mine.py").write_text(PLUGIN.format(name="mine"))
    (folder / "_support.py").write_text("raise RuntimeError('support code is not looked into')")
    assert type(get_dataset("mine")).__name__ == "Mine"
    assert "never-listed-because-abstract" not in datasets()
    assert "set12" in datasets()


def test_a_name_taken_twice_is_an_error(folder: Path) -> None:
    (folder / "mine.py").write_text(PLUGIN.format(name="set12"))
    with pytest.raises(SuiteError, match=r"'set12' is claimed by both datasets\.sets\.set12 and"):
        datasets()


def test_a_plugin_that_cannot_be_imported_is_an_error(folder: Path) -> None:
    (folder / "broken.py").write_text("import nothing_of_that_name")
    with pytest.raises(SuiteError, match=r"broken\.py cannot be imported: ModuleNotFoundError"):
        datasets()


def test_a_plugin_folder_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESTORATION_PLUGINS", str(tmp_path / "nowhere"))
    with pytest.raises(SuiteError, match="not a folder"):
        discover("datasets.sets", Dataset)  # type: ignore[type-abstract]
