"""Bring a file that grows to the disk without waiting for the disk after every line."""

from __future__ import annotations

import os
import threading
from pathlib import Path

DELAY = 1.0
"""Seconds after which what was written is handed from the operating system to the disk."""


class Syncing:
    """Syncs a file `DELAY` seconds after the first write since the last sync, in a thread of its own.

    What is written stays if the process is killed, whoever syncs. A power cut, or a crash of the operating system,
    takes what was written in the last `DELAY` seconds and while the disk was syncing, and no more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._waiting: threading.Timer | None = None
        self._failure: OSError | None = None
        self._used = False

    def written(self) -> None:
        """Say that something was written; call it after every write.

        Raises:
            OSError: an earlier sync failed.
        """
        with self._lock:
            self._used = True
            failure, self._failure = self._failure, None
            if failure is None and self._waiting is None:
                self._waiting = threading.Timer(DELAY, self._late)
                self._waiting.daemon = True
                self._waiting.start()
        if failure is not None:
            raise failure

    def now(self) -> None:
        """Return when everything that was written is on the disk; a file that was not written to is left alone.

        Raises:
            OSError: it cannot be brought there, or an earlier sync failed.
        """
        with self._lock:
            failure, self._failure = self._failure, None
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        if failure is not None:
            raise failure
        if self._used:
            _sync(self.path)

    def _late(self) -> None:
        with self._lock:
            self._waiting = None  # what is written from now on is the next sync's
        try:
            _sync(self.path)
        except OSError as error:
            with self._lock:
                self._failure = error


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except FileNotFoundError:  # nothing was written, or somebody took it away
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
