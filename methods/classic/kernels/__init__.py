"""Loops over pixels that numba compiles, one file per method; each has a twin on tensors, which also runs on a GPU.

A kernel file calls no kernel of another file: numba keeps the compiled code beside the source and looks at the age of
that one file alone. A method imports its kernels where it calls them: numba takes half a second to load.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor

F = TypeVar("F", bound=Callable[..., Any])

WITHOUT = "computed on tensors, several times slower: there is no numba (pip install numba)"
"""What a row says of itself where nothing can be compiled."""


@cache
def installed() -> bool:
    """Return whether there is numba; it may have no release yet for the newest Python or for a rare processor."""
    return importlib.util.find_spec("numba") is not None


def available(*tensors: Tensor) -> bool:
    """Return whether the kernels can take tensors: numba is there, they are on the CPU, and no gradient is wanted."""
    return installed() and not any(
        t.device.type != "cpu" or (t.requires_grad and torch.is_grad_enabled()) for t in tensors
    )


def compiled(function: F, *, freedom: bool | set[str] = True) -> F:
    """Compile a function of arrays and numbers at its first call, for one thread.

    The compiled code is kept on disk, or in memory alone where no folder can be written to.

    Args:
        freedom: True, sums may be taken in any order and products contracted, and values must be finite; False, every
            number is rounded as it is written; or the names of LLVM's fast-math flags.
    """
    import numba

    options: dict[str, Any] = {"fastmath": freedom, "nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the folder of the source nor one of the user can be written to
        return numba.njit(**options)(function)
