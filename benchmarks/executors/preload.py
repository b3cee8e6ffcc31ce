"""What the server of the workers imports, so that its children need not. Plug-ins are not: they may still change."""

from __future__ import annotations

import importlib

import benchmarks.trial  # noqa: F401
from datasets.catalog import METHODS, METRICS, SETS, TASKS

for kind in (SETS, TASKS, METHODS, METRICS):
    for module in kind.modules():
        importlib.import_module(module)
