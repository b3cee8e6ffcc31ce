"""The registry: names without imports, variants, plug-in folders and what is wrong with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datasets.catalog import METHODS, SETS, TASKS, Kind
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.spec import Spec, parse

ROOT = Path(__file__).parents[2]
SET = """
from datasets.dataset import Dataset

class Mine(Dataset):
    name = "{name}"
    title, citation, source, colour = "{title}", "c", "s", True
    variants = {{"{name}-again": "{name}"}}
    def entries(self, split="test"):
        return []

class Base(Dataset):
    name = "never-listed-because-abstract"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESTORATION_PLUGINS", str(tmp_path))
    return tmp_path


def write(folder: Path, file: str = "mine.py", name: str = "mine", title: str = "t") -> None:
    (folder / file).write_text(SET.format(name=name, title=title))


def test_names_are_known_without_importing_anything_heavy() -> None:
    program = (
        "import sys\n"
        "from datasets.catalog import METHODS, SETS, TASKS\n"
        "assert 'nlm' in METHODS.names() and 'denoise' in TASKS.names() and 'lsun-church' in SETS.names()\n"
        "METHODS.parse_list('nlm[patch=5],wide=tv')\n"
        "assert not {'torch', 'numpy', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, env={"PATH": ""})


@pytest.mark.parametrize("kind", [METHODS, TASKS, SETS], ids=lambda kind: str(kind.word))
def test_every_name_is_a_class_or_a_variant_that_can_be_built(kind: Kind[Any]) -> None:
    assert kind.names() == sorted({*kind.index(), *kind.variants()})
    for name, found in kind.index().items():
        cls = kind.get(name)
        assert cls.name == name
        assert cls.__module__ == found.module
        assert tuple(cls.variants.items()) == found.variants
    for name, spec in kind.variants().items():
        made = kind.build(name)
        assert made == kind.build(Spec(spec.name, spec.given))
        assert kind.label(parse(name), made) == name


def test_a_variant_is_a_spec_under_another_name() -> None:
    assert METHODS.resolve(parse("unet-blind-250")) == parse("unet-blind-250=unet-blind[trained_on=lsun-bedroom]")
    assert METHODS.resolve(parse("mine=unet-blind-250")).alias == "mine"
    more = METHODS.resolve(parse("unet-blind-250[precision=float32]"))
    assert str(more) == "unet-blind[trained_on=lsun-bedroom,precision=float32]"
    assert METHODS.label(parse("nlm[search=13]"), METHODS.build("nlm[search=13]")) == "nlm"


def test_unknown_names_have_near_ones() -> None:
    with pytest.raises(
        SuiteError, match=r"unknown method 'nlmm'\. Did you mean nlm.*\? Valid: .*bigprior, .*wavelet, .*\."
    ):
        METHODS.parse_list("tv,nlmm")
    with pytest.raises(SuiteError, match="unknown task"):
        TASKS.get("denoize")


def test_a_file_in_a_plugin_folder_is_found(folder: Path) -> None:
    write(folder)
    (folder / "_support.py").write_text("raise RuntimeError('support code is not looked into')")
    assert type(get_dataset("mine")).__name__ == "Mine"
    assert type(get_dataset("mine-again")).__name__ == "Mine"
    assert "never-listed-because-abstract" not in SETS.names()
    assert "set12" in SETS.names()


def test_a_changed_file_is_loaded_again_and_a_removed_one_is_gone(folder: Path) -> None:
    write(folder)
    assert get_dataset("mine").title == "t"
    write(folder, title="another")
    assert get_dataset("mine").title == "another"
    (folder / "mine.py").unlink()
    assert "mine" not in SETS.names()


def test_a_name_taken_twice_is_an_error(folder: Path) -> None:
    write(folder, name="set12")
    with pytest.raises(SuiteError, match=r"'set12' is claimed by both datasets\.sets\.set12 and .*mine\.py"):
        SETS.names()
    write(folder, name="mine")
    write(folder, file="other.py", name="mine")
    with pytest.raises(SuiteError, match="'mine' is claimed by both"):
        SETS.names()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("x = 1\ndef broken(:\n    pass", "SyntaxError, line 2"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_named_and_the_others_go_on(
    folder: Path, source: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.py").write_text(source)
    write(folder)
    assert "mine" in SETS.names()
    assert "nlm" in METHODS.names()
    lines = [line for line in capsys.readouterr().err.splitlines() if "broken.py" in line]
    assert len(lines) == 1, "said once"
    assert lines[0].startswith("warning: plug-in ")
    assert said in lines[0]


def test_a_plugin_folder_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESTORATION_PLUGINS", str(tmp_path / "nowhere"))
    with pytest.raises(SuiteError, match="not a folder"):
        SETS.names()
