"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import uuid
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
    # Machines may share a disk: the name is of one writer alone, and the host says whose a leftover is.
    temporary = path.parent / f".{_host()}-{uuid.uuid4().hex}{PARTIAL}"
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StorageError(f"cannot write {path}: {error.strerror}. {KEPT}") from error


def sweep(folder: Path) -> None:
    """Remove what a killed `write_atomically` left below a folder; call it where nobody else can be writing."""
    for leftover in folder.rglob(f".*{PARTIAL}"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40]
