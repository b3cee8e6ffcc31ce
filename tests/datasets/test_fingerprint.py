"""The fingerprint changes with what a thing computes, and with nothing else."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.catalog import METHODS, TASKS
from datasets.fingerprint import fingerprint, modules_of

ROOT = Path(__file__).parents[2]
PLUGIN = '''
"""What it is."""
from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from datasets.task import DENOISING
from methods.base import Method

WEIGHTS = "weights.bin"


@dataclass(frozen=True)
class Mine(Method):
    """Of mine."""

    name: ClassVar[str] = "mine"
    summary: ClassVar[str] = "mine"
    citation: ClassVar[str] = "no source"
    problems = (DENOISING,)
    decoupled: ClassVar[bool] = False

    file: str = ""

    def restore(self, observation):
        # as it is
        return Restoration(observation.y)
'''
INVENTED = {
    "__init__": "",
    "thing": """
from dataclasses import dataclass
from invented.near import value

@dataclass(frozen=True)
class Thing:
    size: int = 1
""",
    "near": "value = 1\n\ndef far():\n    from invented import far\n    return far\n",
    "far": 'value = 1  # one\ntext = """a\n# b\n\nc"""\n',
    "never": "value = 1\n",
}


def test_parameters_and_classes_differ() -> None:
    assert fingerprint(METHODS.build("nlm")) == fingerprint(METHODS.build("nlm[search=13]"))
    prints = [fingerprint(METHODS.build(text)) for text in ("nlm", "nlm[patch=5]", "nlm[own=0.5]", "tv", "tikhonov")]
    prints += [fingerprint(TASKS.build(text)) for text in ("denoise", "denoise[sigma=50]", "colorize")]
    assert len(set(prints)) == len(prints)
    assert {len(text) for text in prints} == {16}


def test_variants_differ_by_their_weights() -> None:
    names = ["unet-blind", "unet-blind-250", "chroma-given-luma", "chroma-given-luma-church"]
    assert len({fingerprint(METHODS.build(name)) for name in names}) == len(names)


def test_everything_that_is_imported_counts() -> None:
    files = {file.name for file in modules_of("methods.fusion.bigprior")}
    assert {"bigprior.py", "fusion.py", "harmonic.py", "_inpainting.py", "prior.py", "means.py", "tiles.py"} <= files
    assert "nlm.py" not in files


@pytest.fixture
def invented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with a thing, a module that it imports, and one that this imports inside a function."""
    # As a plug-in's: every test has files of its own, and nothing is remembered of those of another.
    folder = tmp_path / "invented"
    folder.mkdir()
    for name, source in INVENTED.items():
        (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    yield folder
    forget()


def forget() -> None:
    from datasets import fingerprint as module

    for name in [name for name in sys.modules if name.startswith("invented")]:
        del sys.modules[name]
    for cached in (module._file, module._folders):
        cached.cache_clear()


def changed(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    moved = file.stat().st_mtime_ns + 1_000_000  # a clock may be coarse
    os.utime(file, ns=(moved, moved))


def test_a_change_two_imports_away_is_seen(invented: Path) -> None:
    thing = importlib.import_module("invented.thing").Thing()
    first = fingerprint(thing)
    assert {file.name for file in modules_of("invented.thing")} == {"__init__.py", "thing.py", "near.py", "far.py"}
    changed(invented / "never.py", "1", "2")
    assert fingerprint(thing) == first
    changed(invented / "far.py", "value = 1", "value = 2")
    second = fingerprint(thing)
    assert second != first
    changed(invented / "far.py", "# b\n", "# B\n")  # inside a string
    assert fingerprint(thing) != second
    assert fingerprint(replace(thing, size=2)) != fingerprint(thing)


def test_words_do_not_count(invented: Path) -> None:
    thing = importlib.import_module("invented.thing").Thing()
    first = fingerprint(thing)
    changed(invented / "far.py", "value = 1", '"""New words.\n\n# here too\n"""\n\n# and here\nvalue = 1')
    changed(invented / "far.py", "# one", "# uno, not 'one'")
    changed(invented / "near.py", "def far():\n", 'def far():  # new\n    """New words."""\n')
    changed(invented / "thing.py", "    size: int = 1\n", '    """A thing."""\n\n    size: int = 1\n    """Of it."""\n')
    assert fingerprint(thing) == first
    changed(invented / "near.py", "value = 1", "value = 1 or '#'  # new")
    second = fingerprint(thing)
    assert second != first, "a string is no comment"
    changed(invented / "near.py", "'#'", "'# '")
    assert fingerprint(thing) != second
    first = fingerprint(thing)
    changed(invented / "near.py", '"""New words."""\n', '"""New words."""; extra = 1\n')
    assert fingerprint(thing) != first, "code behind a docstring counts"


def test_a_file_that_moves_keeps_its_fingerprint(invented: Path) -> None:
    first = fingerprint(importlib.import_module("invented.thing").Thing())
    (invented / "moved.py").write_text((invented / "thing.py").read_text())
    assert fingerprint(importlib.import_module("invented.moved").Thing()) == first


def test_what_only_the_type_checker_imports_does_not_count(invented: Path) -> None:
    importlib.import_module("invented.thing")
    before = modules_of("invented.thing")
    with (invented / "far.py").open("a") as file:
        file.write("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from invented.never import value as v\n")
    assert modules_of("invented.thing") == before
    with (invented / "far.py").open("a") as file:
        file.write("else:\n    import invented.never\n")
    assert modules_of("invented.thing") == {*before, invented / "never.py"}


def test_a_plugins_weights_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTORATION_PLUGINS", str(tmp_path))
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "weights.bin").write_bytes(b"one")
    (tmp_path / "other.pth").write_bytes(b"one")
    first = fingerprint(METHODS.build("mine"))
    given = fingerprint(METHODS.build(f"mine[file={tmp_path / 'other.pth'}]"))
    assert given != first
    (tmp_path / "weights.bin").write_bytes(b"other")
    assert fingerprint(METHODS.build("mine")) != first
    (tmp_path / "weights.bin").write_bytes(b"one")
    assert fingerprint(METHODS.build("mine")) == first
    (tmp_path / "other.pth").write_bytes(b"second")
    assert fingerprint(METHODS.build(f"mine[file={tmp_path / 'other.pth'}]")) != given
    changed(tmp_path / "mine.py", "Of mine.", "Of nobody else.")
    assert fingerprint(METHODS.build("mine")) == first
    changed(tmp_path / "mine.py", "observation.y)", "observation.y + 0)")
    assert fingerprint(METHODS.build("mine")) != first


def test_another_process_gives_the_same() -> None:
    program = "from datasets.catalog import METHODS\nfrom datasets.fingerprint import fingerprint\n"
    program += "print(fingerprint(METHODS.build('nlm[patch=5]')))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [fingerprint(METHODS.build("nlm[patch=5]"))]


def test_fingerprints_are_quick() -> None:
    """All rows of the suite, in a fresh process, after the imports."""
    program = """
import time
from datasets.catalog import METHODS
from datasets.fingerprint import fingerprint
rows = [METHODS.build(name) for name in ("bigprior", "nlm", "chroma-cnn", "gated-cnn", "unet-sigma", "ksvd")]
began = time.process_time()
for row in rows:
    fingerprint(row)
print(time.process_time() - began)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.5, "about 0.2 s on a quiet machine"
