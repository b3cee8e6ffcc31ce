"""What all readers of weights share: the size of a file, words that can be shown, errors of one line."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasets.errors import SuiteError

LARGEST = 1 << 30
"""Bytes that a file of weights may have. The largest that the suite reads, torchvision's VGG-16, has half of it."""
LONGEST = 120
GET_AGAIN = "Get it again."


class Refusal(Exception):
    """What is wrong with the content of a file, in words, without a full stop."""


def shown(text: object) -> str:
    """Return text from a file as it can be printed: no control characters, one line, LONGEST characters at most."""
    line = "".join(letter if letter.isprintable() else "·" for letter in str(text)[: LONGEST + 1])
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def size_of(file: str | Path, absent: str = "") -> int:
    """Return the size of a file of weights in bytes.

    Args:
        absent: what to do if there is no such file.

    Raises:
        SuiteError: there is none, it is a folder or a device, or it is larger than LARGEST.
    """
    try:
        found = Path(file).stat()
    except FileNotFoundError:
        raise SuiteError(f"{file} is not there{absent and ': '}{absent}.") from None
    except (OSError, ValueError) as error:
        raise SuiteError(f"{file} cannot be read ({shown(getattr(error, 'strerror', error))}).") from error
    if not stat.S_ISREG(found.st_mode):
        raise SuiteError(f"{file} is not a file: give the file of the weights.")
    if found.st_size > LARGEST:
        raise SuiteError(f"{file} has {found.st_size} bytes, and no file of weights has over {LARGEST}.")
    return found.st_size


@contextmanager
def reading(file: str | Path, what: str, remedy: str = GET_AGAIN) -> Iterator[None]:
    """Turn whatever is raised inside into a `SuiteError`: the file, what is wrong with it, and the way out.

    The text of another library's error is not passed on: it can have many lines and control characters, quote the
    file, or advise to read it unsafely.

    Args:
        what: the file should be.
        remedy: a sentence.
    """
    try:
        yield
    except SuiteError:
        raise
    except Refusal as error:
        raise SuiteError(f"{file} is no usable {what}: {error}. {remedy}") from error
    except Exception as error:
        raise SuiteError(f"{file} is no {what} ({type(error).__name__}). {remedy}") from error
