"""The scene prior: a denoiser of 64-pixel photographs at every noise level, told a class or none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from bigprior.frozen import frozen
from bigprior.precision import Precision, computing
from bigprior.priors.scene.network import CHANGES, CLASSES, SceneUNet, precondition
from bigprior.priors.scene.samplers.base import Denoiser
from datasets.errors import unknown

WEIGHTS = Path(__file__).parents[2] / "weights" / "scene-prior.safetensors"
SIDE = 64
"""Of the images that the prior was trained on."""
WHAT = "the network of the scene prior"
ABSENT = "train it with `python -m bigprior.train scene`"


def load_scene(
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    precision: Precision = "float32",
    file: Path = WEIGHTS,
) -> ScenePrior:
    """Return the prior; its weights are read once per process.

    Args:
        dtype: of the weights, and of images in and out.
        precision: "bfloat16" computes the products of the network in bfloat16.

    Raises:
        SuiteError: the file is not there or is of another network (the first missing and unexpected key are named).
    """
    return ScenePrior(frozen(SceneUNet, file, WHAT, ABSENT, torch.device(device), dtype), precision)


def class_number(name: str) -> int:
    """Return the label of a class.

    Raises:
        SuiteError: there is none of this name.
    """
    if name not in CLASSES:
        raise unknown("class of scenes", name, CLASSES)
    return CLASSES.index(name)


@dataclass(frozen=True)
class ScenePrior:
    """p(x) of photographs of scenes, known by its denoiser D(x; σ) = E[x₀ | x₀ + σ n = x], n ~ N(0, I).

    Images are on the [-1,1] scale: noise of s/255 on [0,1] is σ = 2s/255 here. The gradient of the log density of noisy
    images is (D(x; σ) − x)/σ² (Miyasawa 1961), so D is all that a sampler needs (`samplers`).

    The result for an image is the same whatever batch it is in, to the rounding of the batched arithmetic.

    Args:
        network: from `load_scene`, or one being trained.
        precision: of the products of the network.
    """

    network: SceneUNet
    precision: Precision = "float32"

    def denoise(self, x: Tensor, sigma: float | Tensor, label: str | Tensor = CLASSES[0]) -> Tensor:
        """Return D(x; σ), not clipped; it can be differentiated.

        Args:
            x: (N,3,H,W), H and W multiples of 8.
            sigma: one for all, or (N,); over 0.
            label: one of CLASSES for all, or numbers in it, (N,) int64; fewer numbers are for as many images, again
                and again.

        Raises:
            SuiteError: the class is not known.
            ValueError: the images have another shape.
        """
        multiple = self.network.multiple
        if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] % multiple or x.shape[3] % multiple:
            sides = f"(N,3,H,W) with H and W multiples of {multiple}"
            raise ValueError(f"the scene prior takes images {sides}, not {tuple(x.shape)}")
        count = len(x)
        levels = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).expand(count)
        numbers = torch.tensor([class_number(label)]) if isinstance(label, str) else label
        labels = numbers.to(x.device).repeat(count // len(numbers))
        with computing(self.precision, x.device.type):
            return precondition(self.network, x, levels, labels, x.new_zeros(count, CHANGES))

    def denoiser(self, label: str | Tensor = CLASSES[0]) -> Denoiser:
        """Return D as a sampler asks for it: (x, σ) → D(x; σ), of a class or of the classes of N images (N,)."""
        return partial(self.denoise, label=label)
