"""The arithmetic of convolutions: single precision, or bfloat16 products with single-precision weights."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]

INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
"""Of x86 and of ARM, as PyTorch names them."""
EMULATED = "bfloat16 is emulated on this CPU: no faster than float32, the result is the same"
"""To be said beside the seconds of a row."""


def computing(precision: Precision, device: str) -> AbstractContextManager[object]:
    """Return the context in which networks compute: that of their weights, or with convolutions in bfloat16.

    Args:
        device: its kind, such as "cpu".
    """
    return torch.autocast(device, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def remarks_on(precision: Precision) -> tuple[str, ...]:
    """Return what must be said beside the numbers of a row that computes on this machine's CPU."""
    return (EMULATED,) if precision == "bfloat16" and not has_bfloat16() else ()


def has_bfloat16() -> bool:
    """True if the CPU multiplies in bfloat16, or if PyTorch is too old to say."""
    asked = getattr(torch.cpu, "get_capabilities", None)
    return asked is None or any(asked().get(name) for name in INSTRUCTIONS)
