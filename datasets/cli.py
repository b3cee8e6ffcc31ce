"""What all command lines of the suite share: one-line errors and tables that read well in a terminal."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable

from rich.console import Console

from datasets.errors import SuiteError

FAILED, INTERRUPTED, CLOSED = 2, 130, 141
REMEDIES = {
    errno.EMFILE: "allow more open files, for instance by `ulimit -n 1024`",
    errno.ENFILE: "close other programs: this machine has too many open files",
    errno.ENOSPC: "make room on the disk, among the temporary files and in /dev/shm",
    errno.EAGAIN: "allow more processes (`ulimit -u`), or give fewer --jobs",
    errno.ENOMEM: "give fewer --jobs, or smaller images",
}
"""What to do about errors of the operating system."""


def guarded(main: Callable[[], int]) -> int:
    """Run a command line and return its exit status.

    A `SuiteError`, an error of the operating system, or a package that cannot be loaded is one line on stderr and 2;
    Ctrl-C is 130; a reader that goes away, as in `| head -1`, is 141 without a word. What a terminal cannot show is
    written with its code. Where a standard stream is closed, what is written there is lost.
    """
    _reopen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = main()
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        remedy = f": {REMEDIES[error.errno]}" if error.errno in REMEDIES else ""
        print(f"error: {where}{error.strerror or error}{remedy}.", file=sys.stderr)
        return FAILED
    except ImportError as error:
        said = " ".join(str(error).split())
        print(f"error: a package cannot be loaded ({said}): install it, or allow more memory.", file=sys.stderr)
        return FAILED
    except MemoryError:
        print("error: the memory is full: give fewer --jobs, or smaller images.", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("stopped: finished results are kept; run the same command to resume.", file=sys.stderr)
        return INTERRUPTED


def _reopen() -> None:
    """Put the null device in the place of closed standard streams, before another file gets their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)
        setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115 - stays open


def console() -> Console:
    """A console that does not fold wide tables when its output is a file or a pipe, and reads no `:b:` as a picture."""
    plain = Console(emoji=False)
    return plain if plain.is_terminal else Console(width=200, emoji=False)
