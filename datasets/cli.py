"""What all command lines of the suite share: one-line errors and tables that read well in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console

from datasets.errors import SuiteError

FAILED, INTERRUPTED = 2, 130


def guarded(main: Callable[[], int]) -> int:
    """Run a command line and return its exit status: a `SuiteError` is one line on stderr and 2, Ctrl-C is 130."""
    try:
        return main()
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("stopped: what was finished is kept; the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED


def console() -> Console:
    """A console that does not fold wide tables when its output is a file or a pipe."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=200)
