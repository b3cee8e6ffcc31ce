"""The tutorials in `docs/` do what they say: every block is run, in order, and what it prints is compared.

```python title="PATH"   is written to PATH
```console               commands after `$ `, run by the shell, with their output under them
```pycon                 is run as a doctest; names live on through the tutorial

In expected output `...` stands for anything.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.folder.provenance import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md") if path.name != "README.md")
BLOCK = re.compile(r'^```(?P<language>[^\s`]*)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.M | re.S)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
TUTORIALS = sorted(re.findall(r"^- \[.*\]\((.+\.md)\)", (DOCS / "README.md").read_text().split("Reference:")[0], re.M))
"""What the index lists before its reference pages."""


@dataclass(frozen=True)
class Block:
    """A fenced block and the line it begins on."""

    language: str
    title: str | None
    text: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown text."""
    for match in BLOCK.finditer(text):
        yield Block(match["language"], match["title"], match["text"], text.count("\n", 0, match.start("text")) + 1)


def run_console(block: Block, folder: Path) -> None:
    """Run the commands of a block and compare what they print."""
    tools = folder / ".tools"
    tools.mkdir(exist_ok=True)
    if not (tools / "python").exists():
        (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (tools / "python").chmod(0o755)
    settings = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", block.text, flags=re.M)
    assert commands, f"line {block.line}: nothing to run"
    for command, expected in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=settings, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"line {block.line}: {command}\n{done.stdout}"
        same = doctest.OutputChecker().check_output(expected, done.stdout, OPTIONS)
        assert same, f"line {block.line}: {command}\nprinted\n{done.stdout}\ninstead of\n{expected}"


def run_python(block: Block, names: dict[str, object], tutorial: str) -> None:
    """Run a block as a doctest, in the names that earlier blocks left."""
    test = doctest.DocTestParser().get_doctest(block.text, {}, tutorial, str(DOCS / tutorial), block.line - 1)
    test.globs = names
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append, clear_globs=False)
    assert result.attempted, f"line {block.line}: nothing to run"
    assert not result.failed, "".join(said)


def run(text: str, tutorial: str, folder: Path) -> None:
    """Run a tutorial in a folder."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(text):
        if block.language == "python" and block.title:
            path = folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.language == "console":
            run_console(block, folder)
        elif block.language == "pycon":
            run_python(block, names, tutorial)
        else:
            raise AssertionError(f"line {block.line}: a block that no test runs ({block.language or 'no language'})")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


RUN = [name for name in PAGES if list(blocks((DOCS / name).read_text()))]
"""Pages with something to run: the tutorials, and reference pages that hold whole files."""
MARKS = {"reproduce-a-paper-table.md": [pytest.mark.realdata]}


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", [pytest.param(name, marks=MARKS.get(name, [])) for name in RUN])
def test_tutorial(tutorial: str, here: Path) -> None:
    run((DOCS / tutorial).read_text(), tutorial, here)


def test_the_index_is_whole() -> None:
    linked = re.findall(r"\]\(([^)/]+\.md)\)", (DOCS / "README.md").read_text())
    assert sorted(linked) == PAGES
    assert len(TUTORIALS) == 4
    assert set(TUTORIALS) <= set(RUN)


PAGES_TO_CHECK = [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]


@pytest.mark.parametrize("page", PAGES_TO_CHECK, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 900


@pytest.mark.parametrize("tutorial", TUTORIALS)
def test_tutorials_are_short(tutorial: str) -> None:
    assert len((DOCS / tutorial).read_text().splitlines()) < 100


@pytest.mark.parametrize("page", PAGES)
def test_fences_are_closed(page: str) -> None:
    text = (DOCS / page).read_text()
    assert len(list(blocks(text))) * 2 == text.count("\n```"), "a fence that is not closed"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```pycon\n>>> 1 + 1\n3\n```\n", "Expected"),
        ("```console\n$ echo a b\na c\n```\n", "instead of"),
        ("```console\n$ false\n```\n", "line 2"),
        ("```python\nprint()\n```\n", "no test runs"),
        ("```\ntext\n```\n", "no language"),
        ("```pycon\nx = 1\n```\n", "nothing to run"),
        ("```console\nls\n```\n", "nothing to run"),
    ],
)
def test_a_rotten_tutorial_is_found(text: str, message: str, here: Path) -> None:
    with pytest.raises(AssertionError, match=message):
        run(text, "rotten.md", here)


def test_a_sound_tutorial_passes(here: Path) -> None:
    parts = [
        '```python title="a/b.py"\nx = 2\n```\n',
        "```console\n$ python a/b.py\n$ echo one \\\n  two\none ...\n```\n",
        "```pycon\n>>> from pathlib import Path\n>>> y = 3\n```\n",
        "```pycon\n>>> Path('a/b.py').exists(), y\n(True, 3)\n```\n",
    ]
    run("\n".join(parts), "sound.md", here)
