"""BIGPrior: a learned fusion of the data with a prior, which is a parameter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from torch import Tensor

from bigprior.fusion import Restoration
from bigprior.precision import Precision, remarks_on
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem, Task
from methods.base import Method
from methods.fusion._experts import COLOURS, Experts, parts_of
from methods.fusion._parts import Choice, Holes, Prior, Scenes
from methods.fusion._published import PublishedMgan
from methods.fusion._scene import BOTH, SCENE

__all__ = ["COLOURS", "Bigprior", "BigpriorRow", "alone", "belief", "exact_mean", "fidelity"]

PRIORS: dict[str, Prior] = {"experts": Experts(), "scene": SCENE, "both": BOTH, "mgan": PublishedMgan()}
"""The priors by their name in a spec."""


def fidelity(observation: Observation) -> Tensor:
    """Return f(y) (N,C,H,W)."""
    return parts_of(observation).fidelity(observation)


def belief(observation: Observation, precision: Precision = "bfloat16") -> Tensor:
    """Return the shipped priors' estimate of x (N,C,H,W), given y; the φ-networks learn from it.

    The experts for holes and colours know more of them than the compact prior does: see the row `compact-prior`.
    """
    return parts_of(observation).belief(observation, precision)


def exact_mean(observation: Observation) -> Tensor:
    """Return E[x | y] with convolutions in single precision: the φ-network of denoising learns its derivative."""
    return belief(observation, "float32")


def alone(observation: Observation, f: Tensor, g: Tensor) -> Restoration:
    """Return the fusion of f and g with φ = 1, but 0 where the data are exact: observed pixels, and σ known to be 0."""
    return Restoration.fused(f, g, parts_of(observation).free(observation))


class BigpriorRow(Method):
    """Problems, devices and weights of the rows of BIGPrior.

    Attributes:
        precision: of the prior's convolutions.
    """

    problems: ClassVar[tuple[Problem, ...]] = (DENOISING, INPAINTING, COLORIZATION)
    """Those of one generative network."""
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    batch_size: ClassVar[int] = 4
    precision: Precision

    def remarks(self) -> tuple[str, ...]:
        return remarks_on(self.precision)


@dataclass(frozen=True)
class Bigprior(BigpriorRow):
    """x̂ = (1 − φ) ⊙ f(y) + φ ⊙ g with a learned φ in [0,1], one per pixel, of the network of the operator.

    - denoising: f = y, and g the prior's estimate of a pixel from all other pixels: with D = E[x | y] and
      φ_i = 1 − ∂D_i/∂y_i as the φ-network tells it, g = (D − (1 − φ) y)/φ (`bigprior.phi.implied`). So x̂ = D, and φ is
      the share of it that is not the pixel's own datum: declared and implied reliance are the same, up to the error of
      the network. Blind: both networks are told an estimate of σ. φ is at least 0.02; 0 for an image without noise.
    - inpainting: f = the harmonic extension of y (`harmonic`), g = the fill of a prior for holes alone, whose network
      is that of the row `gated-cnn`; φ = 0 at observed pixels.
    - colorization: f = the luma with its usual chroma (`chroma-given-luma-row`), g = the median chroma given the luma
      image, of a prior for colours alone, whose network is that of the row `chroma-cnn`.
    - JPEG: f = y, g = what the network of the row `unet-artefacts` makes of it.
    - super-resolution after the bicubic reduction: f = the corrected interpolation of the row `back-projection`, g =
      the result of `unet-artefacts`, which is trained for images without noise, corrected in the same way.
    - periodic blur: f = the row `wiener-deconvolution`, g = the row `pnp`.

    The estimate of one generative prior in all of these tasks is the row `compact-prior`.

    φ is learned on training splits (`bigprior/weights/phi-*.md`): for colours in closed form, on the error of x̂ itself,
    from what members of g say of images that they have not seen (`bigprior.phi.least_squares`,
    `methods.fusion.unseen`); elsewhere but in denoising by a network, on the error of x̂ over that of the better of f
    and g. No term asks for a small φ.

    That is `prior=experts`. Others, for denoising, holes and colours:

    - `scene`: g = the row `posterior`, the mean of draws of one generative prior, for colours their median; f as above;
      φ linear in what f, g and the variance over draws look like (`bigprior.phi.with_spread`). The draws are in the
      restoration. In denoising g has seen y, so declared φ is more than implied.
    - `both`: the expert and the scene prior, x̂ = (1 − φ₁ − φ₂) f + φ₁ g₁ + φ₂ g₂ (`bigprior.phi.simplex`); the
      restoration has φ = φ₁ + φ₂ and g the mean of g₁ and g₂ with these weights.
    - `mgan`: as published. f = y, g = the row `mgan`, φ of the released networks, three channels and not bounded.

    Args:
        precision: of the prior's convolutions.
        prior: which.
        draws: of the scene prior; for `scene` and `both` alone.
        generator: the scenes that the GAN and the released φ-network were trained on; for `mgan` alone.
        holes: which of the released φ-networks for holes is meant; for `mgan` alone.

    Raises:
        ValueError: a parameter of another prior is given.
        ValueError: (from `restore`) an operator that the prior does not know.

    Source: M. El Helou and S. Süsstrunk, "BIGPrior: Towards Decoupling Learned Prior Hallucination and Data Fidelity in
    Image Restoration", IEEE TIP 2022. Deviations, but with `prior=mgan`: another prior; a bounded φ; another f where
    the paper's is empty; in denoising by experts a g without the pixel, and a φ that is fitted to the derivative and
    not to the image.
    """

    name: ClassVar[str] = "bigprior"
    problems: ClassVar[tuple[Problem, ...]] = Experts.problems
    summary: ClassVar[str] = "learned fusion of the data with our priors: the compact one, and an expert for each task"
    citation: ClassVar[str] = "M. El Helou, S. Süsstrunk, BIGPrior, IEEE TIP 2022; prior and φ of this suite"

    precision: Precision = "float32"
    prior: Literal["experts", "scene", "both", "mgan"] = "experts"
    draws: Annotated[int, Within(2, 64)] = 8
    generator: Scenes = "bedroom"
    holes: Holes = "center"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("draws", "generator", "holes"):
            owners = [prior for prior, it in PRIORS.items() if name in it.reads]
            if self.prior not in owners and getattr(self, name) != getattr(Bigprior, name):
                belongs = " and ".join(f"prior={owner}" for owner in owners)
                raise ValueError(f"{name} belongs to {belongs}, and the prior is {self.prior}: leave it out.")

    @property
    def on_request(self) -> str | None:  # type: ignore[override]
        """Of a prior that is slow on a CPU, the reason."""
        return PRIORS[self.prior].on_request

    @property
    def choice(self) -> Choice:
        """The parameters, without the name of the prior."""
        return Choice(self.precision, self.draws, self.generator, self.holes)

    def supports(self, task: Task) -> str | None:
        reason, prior = super().supports(task), PRIORS[self.prior]
        if reason is None and task.problem not in prior.problems:
            reason = f"prior={self.prior} is made for {', '.join(map(str, prior.problems))}, not for {task.problem}"
        return reason or prior.missing(self.choice)

    def weights(self) -> tuple[Path, ...]:
        return PRIORS[self.prior].weights(self.choice)

    def restore(self, observation: Observation) -> Restoration:
        return PRIORS[self.prior].restore(observation, self.choice)
