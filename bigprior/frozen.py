"""Networks that are only asked: with the weights of a file, frozen, and read once per process."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from bigprior.checkpoints import filled, read_safetensors

N = TypeVar("N", bound=nn.Module)


@cache
def frozen(
    untrained: Callable[[], N], file: Path, what: str, remedy: str, device: torch.device, dtype: torch.dtype
) -> N:
    """Return a network with the weights of a safetensors file, channels_last and in evaluation mode.

    Args:
        untrained: makes it with random weights.
        what: it is, and how to get the file (`remedy`), for messages.

    Raises:
        SuiteError: the file is not there or is of another network (the first missing and unexpected key are named).
    """
    with torch.inference_mode(mode=False):  # weights made in inference mode could not be differentiated through
        network = filled(untrained, file, what, read_safetensors(file, remedy))
        return network.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
