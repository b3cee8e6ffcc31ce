"""The networks that we train, with the weights that are shipped beside the code."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from bigprior.checkpoints import filled, read_safetensors
from bigprior.precision import Precision, computing, remarks_on
from methods.base import Method

FOLDER = Path(__file__).with_name("weights")
TrainedOn = Literal["all", "lsun-bedroom"]
"""All the training sets of a network's card, or the 250 training images of one set, as the paper's rivals had."""

N = TypeVar("N", bound=nn.Module)


def read(file: Path, untrained: Callable[[], N]) -> N:
    """Return a network with the weights of a safetensors file in half precision, in evaluation mode.

    Raises:
        SuiteError: the file cannot be read, or is not of this network; then it says what was found and expected.
    """
    return filled(untrained, file, f"the network that `{untrained.__module__}` describes", read_safetensors(file))


@cache
def _load(file: Path, untrained: Callable[[], N], device: torch.device, dtype: torch.dtype) -> N:
    network = read(file, untrained).to(device=device, dtype=dtype)
    return network.to(memory_format=torch.channels_last)


class Trained(Method, Generic[N]):
    """A method of ours whose weights are `weights/<stem>.safetensors`, with the model card `<stem>.md` beside them."""

    decoupled: ClassVar[bool] = False
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    batch_size: ClassVar[int] = 4
    precision: Precision

    @property
    @abstractmethod
    def stem(self) -> str:
        """Name of the weights and of their card."""

    def remarks(self) -> tuple[str, ...]:
        return remarks_on(self.precision)

    def weights(self) -> tuple[Path, ...]:
        return (FOLDER / f"{self.stem}.safetensors",)

    def loaded(self, untrained: Callable[[], N], like: Tensor) -> N:
        """The network on the device and in the dtype of a tensor; read once per process."""
        return _load(self.weights()[0], untrained, like.device, like.dtype)

    def computing(self, like: Tensor) -> AbstractContextManager[object]:
        """The context of the network's arithmetic: that of the weights, or bfloat16 convolutions."""
        return computing(self.precision, like.device.type)
