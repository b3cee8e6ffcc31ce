"""A network in a file, as a row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from methods.adapters.files import files_of, open_file
from methods.adapters.own_network import Opened, OwnNetwork


@dataclass(frozen=True, kw_only=True)
class Checkpoint(OwnNetwork):
    """A network from a file: weights of an architecture that spandrel recognises, TorchScript, or ONNX.

    Weights are a safetensors file or what `torch.save` wrote, also beside the state of a training; nothing in such a
    file is executed. A TorchScript file (`torch.jit.save`) is a program and is executed: use files that you trust. ONNX
    Runtime computes on the CPU, on one thread.

    Args:
        file: of the network.

    Source: spandrel, github.com/chaiNNer-org/spandrel; ONNX Runtime, onnxruntime.ai.
    """

    name: ClassVar[str] = "checkpoint"
    summary: ClassVar[str] = "your own network: weights that spandrel recognises, TorchScript or ONNX"
    citation: ClassVar[str] = "no source: the network is the user's"

    file: Path

    def weights(self) -> tuple[Path, ...]:
        return files_of(self.file.expanduser())

    def opened(self) -> Opened:
        return open_file(self.file.expanduser())
