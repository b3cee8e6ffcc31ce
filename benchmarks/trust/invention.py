"""What is invented: the parts of a restoration that its data could not have told, and how wrong they are.

With P = A⁺A of the operator of the task (`bigprior.range_null`):

    null share      ‖(I − P) x̂‖²/‖x̂‖², that of the energy of the restoration which no datum can have told
    truth's share   the same of the clean image: what there was to invent
    measured map    P x̂ − A⁺ y, what a restoration changed of what was measured
    null map        (I − P) (x̂ − x), what it invented wrongly; 0 where it has no null part
    index           the Hallucination Index (`hallucination_index`)

Measured and null map are the hallucination maps of S. Bhadra, V. A. Kelkar, F. J. Brooks and M. A. Anastasio, "On
Hallucinations in Tomographic Image Reconstruction", IEEE Transactions on Medical Imaging 40(11), 2021, as their code
computes them (github.com/comp-imaging-sci/hallucinations-tomo-recon, `compute_maps/compute_raw_maps.py`). All are
defined for linear operators alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bigprior.range_null import pseudo_inverse, split
from datasets.observation import Observation


@dataclass(frozen=True)
class Invention:
    """What is invented in a batch of restorations.

    Attributes:
        share, truth_share: of the energy of x̂ and of x (N,) that is in the null space.
        null_part: root mean square over channels of (I − P) x̂ (N,1,H,W).
        measured_map, null_map: the hallucination maps, root mean squares over channels (N,1,H,W).
    """

    share: Tensor
    truth_share: Tensor
    null_part: Tensor
    measured_map: Tensor
    null_map: Tensor


def invention(observation: Observation, image: Tensor, clean: Tensor) -> Invention:
    """Split restorations x̂ (N,C,H,W) of an observation, given the clean images.

    Raises:
        ValueError: the operator is not linear.
    """
    operator = observation.operator
    restored, truth = split(operator, image), split(operator, clean)
    measured = restored.seen - pseudo_inverse(operator, observation.y)
    wrong = (restored.null - truth.null) * (restored.null != 0)
    return Invention(restored.share(), truth.share(), restored.map(), _root(measured), _root(wrong))


def _root(values: Tensor) -> Tensor:
    return values.square().mean(dim=1, keepdim=True).sqrt()
