"""Files that `torch.save` wrote, from strangers: looked through before PyTorch reads them, and nothing is executed."""

from __future__ import annotations

import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import torch

from bigprior.weight_files import GET_AGAIN, Refusal, reading, shown, size_of

TABLE = 2 << 20
"""Bytes that the pickle in a file may have: it says what the tensors are called, and their numbers lie beside it."""
NAMES = re.compile(
    r"collections OrderedDict|torch (Float|Double|Half|BFloat16|Long|Int|Short|Char|Byte|Bool)Storage"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter)"
)
"""What plain tensors by name need. PyTorch admits more, as `bytearray`, which takes as much memory as it is told to."""
OTHER_NAMES = ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4")
"""Operations that also fetch something by its name; `torch.save` writes none of them."""
ZIP = b"PK\x03\x04"
LEGACY_PICKLES = 5
"""A file from before PyTorch 1.6 is this many pickles, the fourth of them the object, and then the numbers."""
STATE_DICT = "state dict of PyTorch"


def load_pickled(file: str | Path, absent: str = "", what: str = STATE_DICT, remedy: str = GET_AGAIN) -> object:
    """Return what `torch.save` wrote: plain data and tensors, on the CPU. They may be views of the file: copy them.

    Args:
        absent: what to do if there is no such file.
        what: it should be, for the message of an error.
        remedy: a sentence that says what to do if it is not.

    Raises:
        SuiteError: there is none; it is damaged; it is compressed or declares more than it holds; or it asks for
            anything but plain tensors. Then nothing in it has been executed, and little memory was taken.
    """
    size = size_of(file, absent)
    with reading(file, what, remedy):
        with open(file, "rb") as stream:
            archive = stream.read(len(ZIP)) == ZIP
            stream.seek(0)
            for table in _tables(stream, size) if archive else [stream] * LEGACY_PICKLES:
                _look_through(table)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats: a file that cannot be read is said to be one
            # Mapped, a storage ends where the file ends, whatever is declared.
            return torch.load(file, map_location="cpu", weights_only=True, mmap=archive)


def _tables(stream: IO[bytes], size: int) -> Iterator[IO[bytes]]:
    """Yield the pickles of an archive whose entries are as long as they are said to be."""
    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise Refusal("it is compressed, and PyTorch compresses nothing")
        declared = sum(entry.file_size for entry in entries)
        if declared > size:
            raise Refusal(f"it declares {declared} bytes and has {size}")
        for entry in entries:
            if entry.filename.endswith(".pkl"):
                with archive.open(entry) as table:
                    yield table


def _look_through(table: IO[bytes]) -> None:
    begin = table.tell()
    for operation, argument, _ in pickletools.genops(table):
        if operation.name in OTHER_NAMES or (operation.name == "GLOBAL" and not NAMES.fullmatch(str(argument))):
            asked = shown(str(argument).replace(" ", "."))
            raise Refusal(f"it asks for {asked}, which plain tensors do not need (nothing was executed)")
        if table.tell() - begin > TABLE:
            raise Refusal(f"its table of contents has over {TABLE} bytes")
