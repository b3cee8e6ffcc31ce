"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from functools import cache
from pathlib import Path

from datasets.errors import SuiteError


class StorageError(SuiteError):
    """Something cannot be written: a run stops, and what was finished is kept."""


KEPT = "Nothing that was finished is lost: make room or choose another --out, then run the same command again."
PARTIAL = ".partial"
"""Ending of a file that is being written."""


def expanded(path: str | Path) -> Path:
    """Return a path with `~` and `~user` replaced by the home folder that it means.

    Raises:
        SuiteError: the system knows no such home, as for a user without an entry in its list of users.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise SuiteError(f"'{path}': this system does not know that home folder: write the path in full.") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by new content so that a reader, a kill or a full disk never leaves half of it.

    Raises:
        StorageError: it cannot be written; the old file is untouched.
    """
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=PARTIAL, dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as stream:
            os.chmod(name, 0o666 & ~_umask())
            stream.write(data)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror}. {KEPT}") from error


def sweep(folder: Path) -> None:
    """Remove what a killed `write_atomically` left below a folder; call it where nobody else can be writing."""
    for leftover in folder.rglob(f".*{PARTIAL}"):
        with contextlib.suppress(OSError):
            leftover.unlink()


@cache
def _umask() -> int:
    mask = os.umask(0)  # there is no way to read it but to set it
    os.umask(mask)
    return mask
