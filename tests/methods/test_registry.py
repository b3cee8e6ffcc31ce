"""A new method is one new file: it is listed, run and held to the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datasets.cli import guarded
from datasets.errors import SuiteError
from methods.__main__ import main
from methods.registry import any_setting, get_method

ROOT = Path(__file__).parents[2]
BOX = '''
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import avg_pool2d, pad

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level


@dataclass(frozen=True)
class Box(Method):
    """The 3×3 box filter: φ = 8/9 and g the mean of the eight neighbours, mirrored at the borders; φ = 0 at σ = 0."""

    name: ClassVar[str] = "box-of-nine"
    summary: ClassVar[str] = "mean of 3×3 pixels"
    citation: ClassVar[str] = "made for a test, no source"
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        neighbours = (9 * avg_pool2d(pad(y, (1, 1, 1, 1), mode="reflect"), 3, 1) - y) / 8
        phi = torch.where(noise_level(observation) > 0, 8 / 9, 0.0).to(y)[:, None, None, None]
        return Restoration.fused(y, neighbours, phi.expand_as(y))
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one new method in it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "box.py").write_text(BOX)
    monkeypatch.setenv("RESTORATION_PLUGINS", str(folder))
    return folder


def _python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed(added: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert "box-of-nine" in capsys.readouterr().out
    assert main(["list", "--task", "colorize"]) == 0
    assert "box-of-nine" not in capsys.readouterr().out


def test_it_is_held_to_the_contract(added: Path) -> None:
    said = _python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/methods/test_contract.py", "-k", "box-of-nine"
    )
    assert int(said.split(" passed")[0].split()[-1]) >= 15


def test_it_is_gone_without_its_folder() -> None:
    with pytest.raises(SuiteError, match=r"unknown method 'box-of-nine'.*Valid:.*bm3d"):
        get_method("box-of-nine")


def test_a_folder_of_broken_methods_is_listed_line_by_line(added: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is wrong with a plug-in is said beside its name, and the others are there."""
    for name, before, after in (
        ("silent", "    decoupled: ClassVar[bool] = True\n", ""),
        ("homeless", "    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)\n", ""),
        ("single", "= (DENOISING,)", "= DENOISING"),
        ("mute", '= "mean of 3×3 pixels"', "= 9"),
        ("clumsy", "    def restore", "    def supports(self, task):\n        return 1 / 0\n\n    def restore"),
        ("needy", "    def restore", "    must: int = 1 / 1\n    more: float\n\n    def restore"),
    ):
        assert before in BOX
        (added / f"{name}.py").write_text(BOX.replace(before, after).replace("box-of-nine", name))
    (added / "marked.py").write_text(BOX.replace("box-of-nine", "marked").replace("mean of 3×3", "[bold]:b:[/nothing]"))
    assert main(["list"]) == 0
    said = capsys.readouterr()
    lines = {line.split()[0]: line for line in said.out.splitlines() if line.strip()}
    assert "lacks decoupled: add decoupled = True if it tells its φ" in lines["silent"]
    assert "lacks problems" in lines["homeless"]
    assert "problems holds something else than problems: write problems = (DENOISING,)" in lines["single"]
    assert "summary is not of type str: write summary = " in lines["mute"]
    assert "ZeroDivisionError" in lines["clumsy"]
    assert "[bold]:b:[/nothing]" in lines["marked"]
    assert "nlm" in lines
    assert "needy.py is left out: TypeError" in said.err, "it cannot even be imported"
    assert main(["show", "clumsy"]) == 0
    assert "ZeroDivisionError" in capsys.readouterr().out
    for name in ("silent", "homeless", "single", "mute"):
        with pytest.raises(SuiteError, match=rf"method '{name}' \(.*{name}\.py\)"):
            get_method(name)


def test_show_tells_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "nlm[patch=5]"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for part in (
        "non-local means", "CVPR 2005", "tasks denoise", "φ known", "devices cpu", "side of the search window",
        "default 13 (a whole number, odd, 1 to 255)", "patch 5, default none",
    ):  # fmt: skip
        assert part in said, part
    assert main(["show", "mgan"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "must be given (bedroom, church, conference)" in said
    assert "mgan-church mgan[generator=church]" in said
    assert main(["show", "unet-blind-250"]) == 0
    assert "trained_on lsun-bedroom, default all" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["show", "nlmm"], "unknown method 'nlmm'. Did you mean nlm"),
        (["show", "nlm[serach=5]"], "unknown parameter of method 'nlm' 'serach'. Did you mean search"),
        (["show", "nlm[patch=4]"], "patch must be a whole number or none, odd, 1 to 63, not '4'"),
        (["show", "nlm[patch=5"], "the bracket is not closed"),
        (["list", "--task", "denoize"], "unknown task 'denoize'. Did you mean denoise"),
    ],
)
def test_mistakes_are_one_line(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: main(argv)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_help_and_a_mistyped_name_do_not_wait_for_torch() -> None:
    program = (
        "import sys\nfrom datasets.cli import guarded\nfrom methods.__main__ import main\n"
        "assert guarded(lambda: main(['show', 'nlmm'])) == 2\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy', 'rich.table'} & set(sys.modules)"
    )
    _python("-c", program)


def test_any_setting_is_one_that_can_be_made() -> None:
    assert any_setting("nlm") == get_method("nlm")
    assert any_setting("mgan") == get_method("mgan[generator=bedroom]") == get_method("mgan-bedroom")
    with pytest.raises(SuiteError, match="needs a value for generator"):
        get_method("mgan")
