"""The suite's command: `python -m benchmarks VERB …`, installed as `restoration-benchmarks VERB …`.

A verb's module is imported when it is asked for, so that this list costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from datasets.cli import guarded
from datasets.errors import unknown

VERBS = {
    "run": ("benchmarks.run", "compare methods on a task and a set of images"),
    "export": ("benchmarks.exchange.export", "write the observations to files, to be restored elsewhere"),
    "score": ("benchmarks.exchange.score", "score results made elsewhere, or kept restorations under another protocol"),
    "table": ("benchmarks.tables.__main__", "print the table of runs in the terminal, as Markdown, LaTeX or CSV"),
    "report": ("benchmarks.report.__main__", "one HTML file about one run or several, or a site of all"),
    "restore": ("benchmarks.photographs.restore", "restore a photograph, or a folder of them"),
    "compare": ("benchmarks.photographs.compare", "compare methods on photographs that have no clean original"),
    "reliance": ("benchmarks.reliance.__main__", "analyses of φ and of the measured reliance"),
    "trust": ("benchmarks.trust.__main__", "what warns of error, masks with a guarantee, and what is invented"),
    "paper": ("benchmarks.paper.__main__", "the BIGPrior paper's tables, each cell with its origin"),
    "regenerate": ("benchmarks.regenerate.__main__", "make the committed results and their tables again"),
    "stamp": ("benchmarks.regenerate.__main__", "mark committed results as today's, after measuring a sample"),
    "time": ("benchmarks.timing.__main__", "seconds of every method, compared with the committed ones"),
    "methods": ("methods.__main__", "list methods, show one with its parameters"),
    "datasets": ("datasets.__main__", "list, fetch and verify images and weights"),
}
"""Verb → the module whose `main` carries it out, and what it does."""
EXTRA = {"stamp": ["--stamp"]}
"""Arguments that a verb gives to its module first."""


def usage() -> str:
    """Return the list of verbs."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:{width}}  {what}" for verb, (_, what) in VERBS.items()]
    return "\n".join(["usage: python -m benchmarks VERB …", "", *lines, "", "VERB --help says more."])


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0
    verb, *rest = words
    if verb not in VERBS:
        raise unknown("verb", verb, VERBS)
    status: int = importlib.import_module(VERBS[verb][0]).main([*EXTRA.get(verb, []), *rest])
    return status


def script() -> int:
    """Entry point of the installed console script."""
    return guarded(main)


if __name__ == "__main__":
    sys.exit(script())
