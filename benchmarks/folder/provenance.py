"""Where a number comes from: versions, commit, hardware."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import torch

from datasets.errors import SuiteError

ROOT = Path(__file__).resolve().parent.parent.parent
"""Of a clone; of an installed suite, the folder of packages."""
DISTRIBUTION = "restoration-benchmarks"
PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-image",
    "pandas",
    "lpips",
    "bm3d",
    "opencv-python-headless",
    "PyWavelets",
    "seaborn",
)


def resolve_device(name: str) -> str:
    """Turn `auto` into `cuda` where there is one, else `cpu`, and check any other name.

    Raises:
        SuiteError: no such kind of device, or none on this machine.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise SuiteError(f"unknown device '{name}'. Valid: auto, cpu, cuda, cuda:N.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SuiteError(f"device '{name}' is not on this machine ({torch.cuda.device_count()} CUDA devices found).")
    return name


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def commit() -> str:
    """The git commit of the suite, with `-dirty` if tracked files differ from it; outside a clone its version.

    What a run writes itself does not count: `results/` and the README, whose block of results follows from them.
    """
    if not (ROOT / ".git").exists():
        return f"version {_version(DISTRIBUTION)}"  # not the commit of a clone that the suite was installed inside
    changed = ["status", "--porcelain", "--untracked-files=no", "--", ".", ":!results", ":!README.md"]
    try:
        head, differs = (
            subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=20, check=True)
            for words in (["rev-parse", "HEAD"], changed)
        )
    except (OSError, subprocess.SubprocessError):
        return f"version {_version(DISTRIBUTION)}"
    return head.stdout.strip() + ("-dirty" if differs.stdout.strip() else "")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def hardware(device: str) -> dict[str, object]:
    """Processor, cores and, on CUDA, the card."""
    facts: dict[str, object] = {"processor": _processor(), "cores": cores(), "system": platform.system()}
    if device.startswith("cuda"):
        facts["gpu"] = torch.cuda.get_device_name(device)
    return facts
