"""The small runs of the runner's tests serve here too."""

from tests.benchmarks.conftest import folder, run_here

__all__ = ["folder", "run_here"]
