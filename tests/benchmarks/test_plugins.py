"""One folder of a user's, with a task, a method and metrics in it: they arrive everywhere, and no list names them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.folder.run_folder import RunFolder
from benchmarks.report.__main__ import main as report
from benchmarks.run import check_names, parser
from benchmarks.session import requests, run
from datasets.cli import guarded
from datasets.errors import SuiteError
from methods.__main__ import main as list_methods
from tests.benchmarks.conftest import Runner
from tests.benchmarks.report_runs import METRICS

TASK = '''
from dataclasses import dataclass
from typing import ClassVar

from torch.nn.functional import avg_pool2d, interpolate

from datasets.noise import Noise, NoNoise
from datasets.observation import Observation, Truth
from datasets.operators import Operator
from datasets.task import Problem, Task


@dataclass(frozen=True)
class Halving(Operator):
    """A: the mean of every 2×2 pixels; y has half the height and width of x."""

    title: ClassVar[str] = "half the size"

    def forward(self, x):
        return avg_pool2d(x, 2)

    def adjoint(self, y):
        return interpolate(y, scale_factor=2) / 4

    def lift(self, y):
        return interpolate(y, scale_factor=2)

    def image_shape(self, observed):
        n, c, h, w = observed
        return n, c, 2 * h, 2 * w


@dataclass(frozen=True)
class PoissonNoise(Noise):
    """y = Poisson(peak z) / peak."""

    title: ClassVar[str] = "Poisson noise"

    peak: float

    def sample(self, z, random):
        counts = random.poisson((self.peak * z.clamp(min=0)).numpy())
        return z.new_tensor(counts / self.peak)

    def variance(self, z):
        return z / self.peak


@dataclass(frozen=True)
class Doubling(Task):
    """Every 2×2 pixels are one, with Poisson noise.

    Args:
        peak: photons of a white pixel.
    """

    name: ClassVar[str] = "doubling"
    summary: ClassVar[str] = "twice the size from few photons"
    problem: ClassVar[Problem] = Problem(Halving, PoissonNoise)
    metrics: ClassVar[tuple[str, ...]] = ("glow", "psnr")
    level: ClassVar[str] = "photons"
    level_title: ClassVar[str] = "photons of a white pixel"
    examples: ClassVar[tuple[str, ...]] = ("doubling[peak=40]",)

    peak: float = 100.0

    def degrade(self, clean, key):
        h, w = (side // 2 * 2 for side in clean.shape[-2:])
        x = clean[None, :, :h, :w]
        noise = PoissonNoise(self.peak)
        return Observation(noise.sample(Halving().forward(x), self.random(key)), Halving(), noise, Truth(x, noise))

    def level_of(self, truth):
        return truth.noise.peak
'''

METHOD = '''
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch.nn.functional import interpolate

from bigprior.fusion import Restoration
from datasets.catalog import TASKS
from datasets.spec import Within
from methods.base import Method


@dataclass(frozen=True)
class Stretch(Method):
    """x̂ = y, stretched.

    Args:
        shade: what the result is multiplied by.
    """

    name: ClassVar[str] = "stretch"
    summary: ClassVar[str] = "stretches [/b] | & { the image"
    citation: ClassVar[str] = "made for a test, no source"
    problems: ClassVar = (TASKS.get("doubling").problem,)
    decoupled: ClassVar[bool] = False

    shade: Annotated[float, Within(0, 1)] = 1.0

    def restore(self, observation):
        return self.shade * interpolate(observation.y, scale_factor=2, mode="bilinear")
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a task, a method, metrics, and a file that nobody can read."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, text in {"a_task": TASK, "method": METHOD, "metrics": METRICS, "broken": "def ("}.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.setenv("RESTORATION_PLUGINS", str(folder))
    return folder


def go(*argv: str) -> int:
    """Run the benchmark in this process, on threads, with its figures."""
    arguments = parser().parse_args([*argv, "--jobs", "1"])
    check_names(arguments)
    return max(run(request, make_executor=ThreadPoolExecutor) for request in requests(arguments))


def test_they_arrive_in_list_run_table_figures_and_report(
    added: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list_methods(["list"])
    said = capsys.readouterr()
    assert "stretch" in said.out
    assert "broken.py is left out: SyntaxError, line 1" in said.err
    list_methods(["show", "stretch"])
    assert "shade" in capsys.readouterr().out

    out = tmp_path / "out"
    status = go(
        "--task", "doubling[peak=40]", "--dataset", str(folder), "--out", str(out),
        "--methods", "stretch,dark=stretch[shade=0.5]", "--metrics", "glow,psnr,drift",
    )  # fmt: skip
    assert status == 0
    printed = capsys.readouterr().out
    records = pd.read_csv(out / "records.csv")
    assert set(records.method) == {"stretch", "dark"}
    assert records.photons.eq(40).all()
    assert records.glow.between(0, 1).all()
    assert records.psnr.between(5, 40).all()

    summary = pd.read_csv(out / "summary.csv").set_index("method")
    assert summary.glow["stretch"] > summary.glow["dark"]
    assert summary.drift["stretch"] < summary.drift["dark"]
    for name in ("summary.md", "summary.tex"):
        assert "Glow" in (out / name).read_text()
        assert "Drift" in (out / name).read_text()
    assert "Glow" in printed
    assert "drift|mean" in printed
    assert (out / "figures" / "quality.png").stat().st_size > 1000
    assert RunFolder(out).facts.rows["dark"].spec == "stretch[shade=0.5]"

    page = tmp_path / "report.html"
    assert report([str(out), "--out", str(page)]) == 0
    html = page.read_text()
    assert "glow|mean" in html
    assert "Drift" in html
    assert '"glow"' in html


def test_nothing_else_pretends_to_solve_the_new_task(
    added: Path, folder: Path, run_here: Runner, tmp_path: Path
) -> None:
    with pytest.raises(SuiteError, match="half the size with Poisson noise"):
        run_here("--methods", "bm3d", task="doubling")
    assert run_here(task="doubling") == 0
    assert set(pd.read_csv(tmp_path / "run" / "records.csv").method) == {"stretch"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("decoupled: ClassVar[bool] = False", ""), "lacks decoupled"),
        (("return self.shade * ", "return 255 * 0 + 1j * "), "complex"),
        (("return self.shade * ", "raise SystemExit('bye') if 1 else "), "SystemExit: bye"),
    ],
)
def test_a_wrong_plug_in_is_one_line(
    added: Path, run_here: Runner, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str], said: str
) -> None:
    file = added / "method.py"
    file.write_text(file.read_text().replace(*wrong))
    status = guarded(lambda: run_here("--methods", "stretch", task="doubling"))
    assert status in (1, 2)
    printed = capsys.readouterr()
    assert said in printed.out + printed.err
    assert "Traceback" not in printed.err
