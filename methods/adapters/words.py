"""What is said of files and networks that do not work: one line, whatever a library wrote."""

from __future__ import annotations

import importlib
from types import ModuleType

from datasets.errors import SuiteError

LONGEST = 160


def one_line(error: BaseException, line: int = 0) -> str:
    """Return the kind of an error and one line of what it says, shortened, without control characters.

    Args:
        line: which of its lines that are not empty.
    """
    lines = [each for each in str(error).splitlines() if each.strip()] or [""]
    said = "".join(letter if letter.isprintable() else " " for letter in lines[line])
    text = " ".join(said.split()).rstrip(".")
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def required(module: str, extra: str, what: str) -> ModuleType:
    """Import a package that only some rows need.

    Args:
        extra: of this suite, that installs it.
        what: needs it, for the message.

    Raises:
        SuiteError: it is not installed, or it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        way = f"pip install 'restoration-benchmarks[{extra}]'"
        raise SuiteError(f"{what} needs the package {module}, which is not here ({one_line(error)}): {way}.") from error
