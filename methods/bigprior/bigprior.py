"""BIGPrior with the compact prior and the shipped φ-networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from datasets.observation import Observation
from methods.bigprior._compact import Compact, parts
from methods.supervised._trained import Precision


@dataclass(frozen=True)
class Bigprior(Compact):
    """x̂ = (1 − φ) ⊙ f(y) + φ ⊙ g with a learned φ in [0,1], one per pixel, of the φ-network of the task.

    - denoising: f = y, and g what the prior believes of a pixel without its own datum: with D = E[x | y] and
      φ_i = 1 − ∂D_i/∂y_i as the φ-network tells it, g = (D − (1 − φ) y)/φ (`bigprior.phi.implied`). So x̂ = D, and φ is
      the share of it that is not the pixel's own datum: declared and implied reliance are the same, up to the error of
      the network. Fusing y with a g that has seen y would leave φ without a meaning, since D alone is the best x̂.
      Blind: D is not told σ, the φ-network an estimate. φ is at least 0.02; 0 for an image without noise.
    - inpainting: f = the harmonic extension of y (`harmonic`), g = the fill of a prior for holes alone, whose network
      is that of the row `gated-cnn`; φ = 0 at observed pixels.
    - colorization: f = the luma with its usual chroma (`chroma-given-luma-row`), g = the median chroma given the luma
      image, of a prior for colours alone, whose network is that of the row `chroma-cnn`.

    What one generative prior believes in all of these tasks is the row `compact-prior`.

    φ is learned on the training splits of LSUN (`bigprior/weights/phi-compact-*.md`): in holes by a network, on the
    error of x̂ over that of the better of f and g; for colours in closed form, on the error of x̂ itself, from what
    members of g say of images that they have not seen (`bigprior.phi.least_squares`, `methods.bigprior._unseen`).
    No term asks for a small φ.

    Attributes:
        precision: of the prior's convolutions.

    Source: M. El Helou and S. Süsstrunk, "BIGPrior: Towards Decoupling Learned Prior Hallucination and Data Fidelity in
    Image Restoration", IEEE TIP 2022. Deviations: another prior; a bounded φ-network; another f where the paper's is
    empty; in denoising a g without the pixel, and a φ that is fitted to the derivative and not to the image.
    """

    name: ClassVar[str] = "bigprior"
    summary: ClassVar[str] = "learned fusion of the data with our priors: the compact one, and an expert for each task"
    citation: ClassVar[str] = "M. El Helou, S. Süsstrunk, BIGPrior, IEEE TIP 2022; prior and φ of this suite"

    precision: Precision = "float32"

    def restore(self, observation: Observation) -> Restoration:
        return parts(observation, self.precision)
