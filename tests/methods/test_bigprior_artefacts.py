"""BIGPrior on JPEG, reduced and blurred images: what f, g and φ are, and that the fusion pays."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datasets.observation import Observation
from datasets.resize import BicubicReduction
from datasets.task import Key, Task, get_task
from methods.base import Method
from methods.classic.back_projection import BackProjection
from methods.classic.observed import Observed
from methods.classic.wiener_deconvolution import WienerDeconvolution
from methods.fusion.bigprior import Bigprior, belief, fidelity
from methods.fusion.bigprior_prior import BigpriorPrior
from methods.fusion.compact_prior import CompactPriorRow
from methods.fusion.pnp import PnP
from methods.supervised.unet_artefacts import UNetArtefacts
from tests.methods.test_contract import photograph

SIZE = (96, 108)
PARTS: list[tuple[str, Method, Method]] = [
    ("jpeg", Observed(), UNetArtefacts(precision="float32")),
    ("super-resolve[scale=3]", BackProjection(), UNetArtefacts(precision="float32")),
    ("deblur", WienerDeconvolution(), PnP(denoiser="unet-sigma[precision=float32]")),
]
"""Task, and the rows whose results are f and g; after a reduction g is corrected until it explains y."""


def observed(task: str, place: int = 0) -> Observation:
    return get_task(task).degrade(photograph(SIZE, 3, place), Key(0, "artefacts", str(place)))


def psnr(image: Tensor, clean: Tensor) -> float:
    return float(-10 * (image.clamp(0, 1) - clean).square().mean().log10())


@pytest.mark.parametrize(("task", "data", "prior"), PARTS, ids=lambda value: value if isinstance(value, str) else "")
def test_the_parts_are_the_rows_that_are_named(task: str, data: Method, prior: Method) -> None:
    whole = observed(task)
    seen = whole.without_truth()
    restoration = Bigprior().restore(seen)
    assert restoration.fidelity is not None
    assert restoration.prior is not None
    assert restoration.phi is not None
    assert restoration.phi.shape == (1, 1, *SIZE)
    f, g = data.restore(seen).image, prior.restore(seen).image
    if isinstance(seen.operator, BicubicReduction):
        g = g + seen.operator.lift(seen.y - seen.operator.forward(g))
        torch.testing.assert_close(seen.operator.forward(restoration.image), seen.y, rtol=0, atol=5e-3)
    torch.testing.assert_close(restoration.fidelity, f, rtol=0, atol=1e-5)
    torch.testing.assert_close(restoration.prior, g, rtol=0, atol=2e-5)
    torch.testing.assert_close(fidelity(seen), f, rtol=0, atol=1e-5)
    torch.testing.assert_close(belief(seen, "float32"), g, rtol=0, atol=2e-5)
    alone = BigpriorPrior().restore(seen)
    assert alone.phi is not None
    assert float(alone.phi.min()) == 1
    torch.testing.assert_close(alone.image, g, rtol=0, atol=2e-5)
    assert whole.truth is not None
    ours, of_f, of_g = (psnr(image, whole.truth.clean) for image in (restoration.image, f, g))
    assert ours > max(of_f, of_g) - 0.15, "what it gains is tested from the committed records"
    assert of_g > of_f


@pytest.mark.parametrize("task", ["jpeg[quality=20]", "super-resolve", "deblur[kernel=motion]"])
def test_a_setting_between_those_that_phi_learned_from(task: str) -> None:
    restoration = Bigprior("bfloat16").restore(observed(task, place=1).without_truth())
    assert restoration.phi is not None
    assert 0 < float(restoration.phi.min()) <= float(restoration.phi.max()) < 1
    assert float(restoration.phi.mean()) > 0.5


def test_the_compact_prior_does_not_know_these_tasks() -> None:
    for name in ("jpeg", "super-resolve", "deblur"):
        task: Task = get_task(name)
        assert Bigprior().supports(task) is None
        assert CompactPriorRow().supports(task) is not None
    for name in ("deblur[border=cropped]", "super-resolve[kernel=gaussian]"):
        assert Bigprior().supports(get_task(name)) is not None
