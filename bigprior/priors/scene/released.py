"""Weights of the scene prior from the script that trained them first: its names, and those of the house."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from bigprior.checkpoints import check_shapes, read_safetensors, shapes_of
from bigprior.priors.scene.network import SceneUNet
from bigprior.priors.scene.prior import WHAT

NAMES = (
    (r"^inp\.", "head."),
    (r"^e1\.", "steering.first."),
    (r"^e2\.", "steering.second."),
    (r"^cls$", "steering.classes"),
    (r"^aug\.", "steering.changes."),
    (r"^down\.", "encoder."),
    (r"^ds\.", "reduce."),
    (r"^mid\.", "middle."),
    (r"^skip\.", "skips."),
    (r"^up\.", "decoder."),
    (r"^us\.", "enlarge."),
    (r"^on\.", "norm."),
    (r"^out\.", "tail."),
    (r"\.n1\.", ".first_norm."),
    (r"\.c1\.", ".first."),
    (r"\.mod\.", ".steer."),
    (r"\.n2\.", ".second_norm."),
    (r"\.c2\.", ".second."),
    (r"\.attn\.gn\.", ".attention.norm."),
    (r"\.attn\.qkv\.", ".attention.project."),
    (r"\.attn\.proj\.", ".attention.merge."),
)
"""Patterns in the names of the script, and what stands for them in `SceneUNet`."""


def renamed(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of the script under the names of `SceneUNet`."""

    def name(text: str) -> str:
        for pattern, replacement in NAMES:
            text = re.sub(pattern, replacement, text)
        return text

    return {name(key): tensor for key, tensor in found.items()}


def read_parts(files: Sequence[Path]) -> dict[str, Tensor]:
    """Return the weights in the parts of a checkpoint of the script, in half precision, under the names of the house.

    Raises:
        SuiteError: a file is not there or no safetensors file, or together they are not the weights of `SceneUNet`.
    """
    found = {name: tensor for file in files for name, tensor in read_safetensors(file).items()}
    weights = renamed(found)
    with torch.device("meta"):
        expected = shapes_of(SceneUNet())
    check_shapes(" + ".join(str(file) for file in files), WHAT, weights, expected)
    return {name: tensor.half().contiguous() for name, tensor in weights.items()}
