"""A network made by the user's own Python code, as a row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from methods.adapters.factory import build, imported, sources
from methods.adapters.files import of_module
from methods.adapters.own_network import Opened, OwnNetwork


@dataclass(frozen=True, kw_only=True)
class Python(OwnNetwork):
    """A network that a class or function of a Python file or module makes; the code is executed.

    The code counts for the fingerprint: the file, and what it imports of the modules beside it or in its package.

    Args:
        target: FILE.py:NAME or module:NAME, what makes a `torch.nn.Module`.
        file: weights of the network, safetensors or what `torch.save` wrote; none if the code brings them.
        args: of the class or function, such as "depth=17,width=64"; several numbers are written 32:64.
    """

    name: ClassVar[str] = "python"
    summary: ClassVar[str] = "your own network, made by a class or function of your Python code"
    citation: ClassVar[str] = "no source: the network is the user's"

    target: str
    file: Path | None = None
    args: str = ""

    def weights(self) -> tuple[Path, ...]:
        files = () if self.file is None else (self.file.expanduser(),)
        return tuple(each for each in (*sources(self.target), *files) if each.is_file())

    def opened(self) -> Opened:
        with imported(self.target) as factory:
            network = build(self.target, factory, self.args, self.file)
        return of_module(network, f"{self.target}({self.args})")
