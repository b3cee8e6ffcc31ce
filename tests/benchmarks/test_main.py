"""The suite's command: its verbs, and how quickly it answers a question."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import VERBS, usage
from benchmarks.folder.provenance import ROOT
from datasets.fingerprint import PACKAGES

QUICK = 0.5
"""Seconds of CPU for an answer that needs no computing."""
HELP = 0.3
"""Seconds of CPU for --help."""
HEAVY = {"torch", "numba", "matplotlib", "pandas", "scipy", "skimage", "seaborn"}
"""Packages that take long to load."""
SLOW_TO_HELP = ("bigprior.imagenet_features",)
"""Its file is part of what LPIPS is: taken apart, every score would have to be measured again."""


def answer(*words: str, cwd: Path = ROOT) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a command and return what it said, and the seconds of CPU that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", *words], cwd=cwd, capture_output=True, text=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_verbs_are_listed() -> None:
    done, _ = answer("benchmarks")
    assert done.returncode == 0
    for verb in VERBS:
        assert f"  {verb} " in done.stdout
    assert done.stdout.strip() == usage()


def test_a_mistyped_verb_has_near_names() -> None:
    done, _ = answer("benchmarks", "reprot")
    assert done.returncode == 2
    assert "unknown verb 'reprot'. Did you mean report" in done.stderr


def commands() -> list[list[str]]:
    """The words before --help: of every module that can be called, of every verb, and of what has verbs of its own."""
    found = []
    for package in sorted(PACKAGES):
        for file in sorted((ROOT / package).rglob("*.py")):
            if '\nif __name__ == "__main__":' in file.read_text("utf-8"):
                found.append([".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")])
    inner = {
        "benchmarks": VERBS,
        "benchmarks.timing": ("compare", "table"),
        "methods": ("list", "show"),
        "datasets": ("list", "fetch", "verify"),
        "bigprior.train": ("phi", "prior"),
    }
    found += [[module, verb] for module, verbs in inner.items() for verb in verbs]
    return [words for words in found if words[0] not in SLOW_TO_HELP]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    program = (
        "import runpy, sys\n"
        "module, *rest = sys.argv[1:]\n"
        "sys.argv = [module, *rest, '--help']\n"
        "try:\n"
        "    runpy.run_module(module, run_name='__main__', alter_sys=True)\n"
        "finally:\n"
        f"    print('heavy:', *({HEAVY!r} & sys.modules.keys()))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["heavy:"]


@pytest.mark.slow  # of the CPU of a machine that does nothing else
@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_help_is_quick(words: list[str]) -> None:
    assert min(answer(*words, "--help")[1] for _ in range(3)) < HELP


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["benchmarks.run", "--task", "denoize"], "denoise"),
        (["benchmarks.run", "--task", "denoise", "--methods", "nlmm"], "nlm"),
        (["benchmarks.run", "--task", "denoise", "--dataset", "fotos"], "photos"),
        (["benchmarks.run", "--task", "denoise", "--metrics", "psnrr"], "psnr"),
        (["benchmarks.run", "--task", "denoise[sigma=25"], "bracket is not closed"),
        (["methods", "show", "nlmm"], "nlm"),
        (["datasets", "fetch", "set21"], "set12"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_mistyped_name_is_answered_quickly(words: list[str], near: str) -> None:
    done, seconds = answer(*words)
    assert done.returncode == 2
    assert near in done.stderr
    assert done.stderr.count("\n") == 1
    assert seconds < QUICK


def test_another_package_called_datasets_is_said(tmp_path: Path) -> None:
    """Somebody else's `datasets` in front of ours: one line with the remedy, before anything else fails."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "benchmarks", "run", "--help"], cwd=tmp_path, capture_output=True, text=True,
        env=environment,
    )  # fmt: skip
    assert done.returncode == 1
    assert "environment of its own" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m methods list | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert not done.stderr


@pytest.mark.parametrize(
    ("encoding", "command", "said"),
    [("ascii", ["methods", "list"], b"bilateral"), ("latin-1", ["benchmarks", "restore", "--help"], b"--sigma")],
    ids=["ascii", "latin-1"],
)
def test_a_terminal_that_cannot_show_greek(encoding: str, command: list[str], said: bytes) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


@pytest.mark.parametrize("closed", ["1>&-", "2>&-"])
def test_a_closed_stream_loses_what_is_written_there_and_no_more(closed: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m benchmarks.run --help {closed}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_a_run_with_all_streams_closed_keeps_its_results(tmp_path: Path) -> None:
    run = f"{sys.executable} -m benchmarks.run --task denoise --methods noisy --limit 1 --jobs 1 --out {tmp_path}"
    assert subprocess.run(["bash", "-c", f"{run} 0<&- 1>&- 2>&-"], cwd=ROOT).returncode == 0
    assert len((tmp_path / "records.csv").read_text("utf-8").splitlines()) == 2


@pytest.mark.parametrize(("limit", "way_out"), [("-n 12", "open files"), ("-v 2000000", "allow more memory")])
def test_a_limit_of_the_system_is_one_line(limit: str, way_out: str, tmp_path: Path) -> None:
    run = f"{sys.executable} -m benchmarks.run --task denoise --methods noisy --limit 1 --out {tmp_path}"
    done = subprocess.run(["bash", "-c", f"ulimit {limit}; {run}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert way_out in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_locale_without_greek_reads_and_writes_the_same_files(tmp_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    commands = (
        ["benchmarks.run", "--task", "denoise", "--methods", "noisy", "--limit", "1", "--jobs", "1"],
        ["benchmarks", "table"],
        ["benchmarks", "report"],
    )
    for command in commands:
        last = ["--out", str(tmp_path)] if command[0].endswith("run") else [str(tmp_path)]
        done = subprocess.run(
            [sys.executable, "-m", *command, *last], cwd=ROOT, capture_output=True, env=os.environ | plain
        )
        assert done.returncode == 0, done.stderr
    assert "φ" in (tmp_path / "report.html").read_text("utf-8")
