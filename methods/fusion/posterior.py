"""Draws of the scene prior's posterior, and their mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from bigprior.domains import Pixel
from bigprior.draws import Sampled
from bigprior.fusion import fuse
from bigprior.precision import Precision, remarks_on
from bigprior.priors.scene.fine import WEIGHTS as FINE
from bigprior.priors.scene.fine import load_fine
from bigprior.priors.scene.posterior import ScenePosterior, centre, freedom
from bigprior.priors.scene.prior import WEIGHTS, load_scene
from bigprior.priors.scene.samplers import get_sampler
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem
from methods.base import Method, noise_level


@dataclass(frozen=True)
class Posterior(Method):
    """x̂ = (1 − φ) ⊙ f(y) + φ ⊙ g with g the mean of K draws of p(x | y) of a generative prior, in every task.

    A draw has a coarse image of 64 pixels that a diffusion model drew, given what y says of it, and what a network adds
    to that, given y (`bigprior.priors.scene.posterior`). f is y lifted; φ = 1 wherever the data are not exact, and 0 at
    observed pixels of an image with holes and in an image known to have no noise. In colorization g is the median
    chroma of the draws with the luma y. The draws and their variance per pixel are in the restoration.

    In denoising g has seen y, so the declared φ = 1 is more than the implied reliance.

    Args:
        sampler: of the coarse image.
        draws: K; 1 gives a single draw, which looks like a photograph.
        steps: evaluations of the diffusion model per draw.
        precision: of the networks' convolutions.

    Source: B. Kawar et al., "Denoising Diffusion Restoration Models", NeurIPS 2022, and T. Karras et al., "Elucidating
    the Design Space of Diffusion-Based Generative Models", NeurIPS 2022, for samplers and prior; J. Ho et al.,
    "Cascaded Diffusion Models for High Fidelity Image Generation", JMLR 2022, for a coarse image first. Deviation: what
    is fine is not drawn.
    """

    name: ClassVar[str] = "posterior"
    summary: ClassVar[str] = "the mean of draws from the posterior of a diffusion prior of scenes, in every task"
    citation: ClassVar[str] = "this suite, after B. Kawar et al., NeurIPS 2022, and T. Karras et al., NeurIPS 2022"
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING, INPAINTING, COLORIZATION)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    on_request: ClassVar[str | None] = "draws take some 20 s per 256×256 image on one core"

    sampler: Literal["bridge", "ddnm", "dps", "diffpir"] = "bridge"
    draws: Annotated[int, Within(1, 64)] = 8
    steps: Annotated[int, Within(2, 1000)] = 16
    precision: Precision = "float32"

    def remarks(self) -> tuple[str, ...]:
        return remarks_on(self.precision)

    def weights(self) -> tuple[Path, ...]:
        return (WEIGHTS, FINE)

    def restore(self, observation: Observation) -> Sampled:
        y = observation.y
        prior = load_scene(y.device, y.dtype, self.precision)
        fine = load_fine(device=y.device, dtype=y.dtype)
        sampler = get_sampler(self.sampler, self.steps)
        posterior = ScenePosterior(prior, fine, sampler, self.draws, self.precision)
        draws = posterior.draws(observation, noise_level(observation))
        f, g, phi = observation.fidelity, centre(observation, draws), freedom(observation)
        return Sampled(fuse(f, g, phi), f, g, phi, Pixel(), draws)
