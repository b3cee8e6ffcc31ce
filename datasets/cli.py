"""What all command lines of the suite share: one-line errors and tables that read well in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console

from datasets.errors import SuiteError

INTERRUPTED = 130


def guarded(main: Callable[[], int | None]) -> None:
    """Run a command line: a `SuiteError` or a failed write is one line on stderr and exit status 2, Ctrl-C is 130."""
    try:
        sys.exit(main() or 0)
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.exit(0)


def console() -> Console:
    """A console that does not fold wide tables when its output is a file or a pipe."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=200)
