"""What pyproject.toml cannot say: the published figures lie in results/published and belong into the wheel."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithFigures(build_py):
    """Copy results/published to benchmarks/published of what is built."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if not self.editable_mode:
            source = Path(__file__).parent / "results" / "published"
            shutil.copytree(source, Path(self.build_lib) / "benchmarks" / "published", dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithFigures})
