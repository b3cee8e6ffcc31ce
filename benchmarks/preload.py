"""What the server of the workers imports, so that its children need not. Not cached: settings may still change."""

from __future__ import annotations

import benchmarks.worker  # noqa: F401
from datasets.plugins import package_modules

for package in ("datasets.sets", "datasets.tasks", "methods", "benchmarks.metrics"):
    package_modules(package)
