"""Files that are whole or not there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from datasets.errors import SuiteError

KEPT = "Nothing that was finished is lost: make room or choose another --out, then run the same command again."


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by new content so that a reader, a kill or a full disk never leaves half of it.

    Raises:
        SuiteError: it cannot be written; the old file is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SuiteError(f"cannot write {path}: {error.strerror}. {KEPT}") from error
