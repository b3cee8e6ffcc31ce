"""Find a registered file on this machine, or download it: mirror, cache, network, in this order, always by its hash.

Environment:
    RESTORATION_MIRROR: a folder laid out as `<owner>-<repository>/<path in that repository>`. Only read, never written.
    RESTORATION_CACHE: where downloads are kept; by default the operating system's cache folder.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Literal

import pooch

from datasets.errors import SuiteError
from datasets.files import expanded

MIRROR = "RESTORATION_MIRROR"
CACHE = "RESTORATION_CACHE"
TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next piece of a file."""

_WORTH_A_BAR = 1_000_000  # bytes


@dataclass(frozen=True)
class Remote:
    """One file of the registry: its path in the mirror layout, SHA-256, size in bytes and public address."""

    path: str
    sha256: str
    bytes: int
    url: str


@cache
def registry() -> dict[str, Remote]:
    """Every known file by its path, sorted."""
    with open(Path(__file__).with_name("registry.csv"), newline="", encoding="utf-8") as table:
        return {r["path"]: Remote(r["path"], r["sha256"], int(r["bytes"]), r["url"]) for r in csv.DictReader(table)}


def remote(path: str) -> Remote:
    """Return the registry's row for a path.

    Raises:
        SuiteError: there is none.
    """
    if path not in registry():
        near = difflib.get_close_matches(path, registry(), n=2)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise SuiteError(f"no file '{path}' in datasets/registry.csv.{hint}")
    return registry()[path]


def mirror_folder() -> Path | None:
    """Return the mirror, or None if there is none.

    Raises:
        SuiteError: the variable names something that is not a folder.
    """
    value = os.environ.get(MIRROR)
    if not value:
        return None
    folder = expanded(value)
    if not folder.is_dir():
        raise SuiteError(f"{MIRROR} names '{value}', which is not a folder: correct it or unset it.")
    return folder


def cache_folder() -> Path:
    """Return the folder of downloads, which need not exist yet; without a home folder it is among temporary files.

    Raises:
        SuiteError: the variable names the home folder of a user that there is not.
    """
    value = os.environ.get(CACHE)
    if value:
        return expanded(value)
    try:
        return Path(pooch.os_cache("restoration-benchmarks"))
    except RuntimeError:  # no HOME, and no entry in the system's list of users
        return Path(tempfile.gettempdir(), f"restoration-benchmarks-{os.getuid()}")


def locate(path: str) -> tuple[Literal["mirror", "cache"], Path] | None:
    """Return where a registered file is on this machine, or None. The mirror is first. Nothing is verified."""
    mirror = mirror_folder()
    if mirror is not None and (mirror / path).is_file():
        return "mirror", mirror / path
    cached = cache_folder() / path
    return ("cache", cached) if cached.is_file() else None


def damage(file: Path, expected: Remote) -> str | None:
    """Return what is wrong with a local copy, or None. Sizes are always compared, hashes once per process."""
    try:
        stat = file.stat()
        if stat.st_size != expected.bytes:
            return f"has {stat.st_size} bytes instead of {expected.bytes}"
        if cached_sha256(file) != expected.sha256:
            return "has the right size but a wrong SHA-256"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def cached_sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes; a file that has not changed is read once per process."""
    stat = file.stat()
    return _sha256(file, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256(file: Path, size: int, mtime_ns: int) -> str:
    # Size and time are part of the cache's key: a file that changes is hashed again.
    return file_sha256(file)


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal digits."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def local_path(path: str, name: str | None = None, repair: bool = False) -> Path:
    """Return a registered file on this machine, hash verified; download it into the cache if it is nowhere.

    Args:
        path: as in the registry, `<owner>-<repository>/<path in that repository>`.
        name: what `python -m datasets fetch` is to be told in error messages; the file's folder if None.
        repair: download again, over it, a file of the cache that is damaged.

    Raises:
        SuiteError: the path is not registered; the copy here is damaged; or it cannot be downloaded or kept.
    """
    expected = remote(path)
    found = locate(path)
    command = f"python -m datasets fetch {name or path.rpartition('/')[0]}"
    if found is not None:
        where, file = found
        wrong = damage(file, expected)
        if wrong is None:
            return file
        if where == "mirror":
            raise SuiteError(f"{file} in the mirror {wrong}: copy it there again, or unset {MIRROR}.")
        if not repair:
            raise SuiteError(f"{file} in the cache {wrong}: `{command}` fetches it again.")
    return _download(expected, command)


def _download(expected: Remote, command: str) -> Path:
    import requests  # slow to import, and needed only here

    folder = cache_folder()
    target = folder / expected.path
    pooch.get_logger().setLevel("WARNING")
    bar = expected.bytes > _WORTH_A_BAR and sys.stderr.isatty()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Pooch writes beside the target under a temporary name, compares the hash and then renames: an interrupted
        # or wrong download leaves nothing behind.
        pooch.retrieve(
            url=expected.url,
            known_hash=f"sha256:{expected.sha256}",
            fname=expected.path,
            path=folder,
            downloader=lambda url, file, _: download(url, file, expected.bytes, bar),
        )
    except TooMuch as error:
        raise SuiteError(
            f"{expected.url} sent over {expected.bytes} bytes, which {expected.path} does not have (nothing was kept): "
            f"try `{command}` again, or set {MIRROR} to a folder that holds it."
        ) from error
    except requests.exceptions.RequestException as error:
        raise SuiteError(
            f"{expected.path} is not on this machine and cannot be downloaded ({cause_of(error)}): run `{command}` "
            f"where there is a network, or set {MIRROR} to a folder that holds it."
        ) from error
    except ValueError as error:
        raise SuiteError(
            f"{expected.url} sent something that is not {expected.path} (wrong SHA-256; nothing was kept): "
            f"try `{command}` again, or set {MIRROR} to a folder that holds it."
        ) from error
    except OSError as error:
        raise SuiteError(
            f"{target} cannot be written ({error.strerror}): make room or set {CACHE} to a writable folder."
        ) from error
    return target


class TooMuch(Exception):
    """A server sends more than it should."""


def download(url: str, file: str | Path, most: int, bar: bool = False) -> None:
    """Write what a server sends into a file.

    Args:
        most: bytes; no more are written, however long the server goes on.
        bar: show the progress.

    Raises:
        TooMuch: it sends more.
        OSError: it cannot be reached or says no, or the file cannot be written.
    """
    with open(file, "wb") as stream:
        pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT)(url, _Limited(stream, most), None)


class _Limited:
    """A stream that takes so many bytes and no more."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self.stream, self.left = stream, most

    def write(self, data: bytes) -> None:
        self.left -= len(data)
        if self.left < 0:
            raise TooMuch
        self.stream.write(data)

    def flush(self) -> None:
        self.stream.flush()


def cause_of(error: Exception) -> str:
    """Return the kind of a network error, and the server's answer if there was one: the full text has many lines."""
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"HTTP {response.status_code}"
