"""Implied reliance where y is not on the grid of x, and of an operator that is not linear."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bigprior.fusion import Restoration
from bigprior.implied import implied_reliance
from datasets.noise import NoNoise
from datasets.observation import Observation
from datasets.operators import Operator, Shape
from datasets.task import Key, get_task
from methods.registry import get_method
from tests.methods.test_contract import photograph


def observed(task: str, size: tuple[int, int] = (40, 48), channels: int = 3) -> Observation:
    return get_task(task).degrade(photograph(size, channels), Key(0, "grids", "")).without_truth()


def lifted(share: float) -> Callable[[Observation], Restoration]:
    return lambda observation: Restoration(share * observation.fidelity)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("scale", "kernel"), [(2, "bicubic"), (4, "bicubic"), (2, "gaussian")])
def test_of_a_reduced_image_one_coordinate_in_s_squared_is_data(scale: int, kernel: str, channels: int) -> None:
    """A A⁺y = y where A has full rank: the range of Aᵀ is data, and the rest of x, 1 − 1/s² of it, is not."""
    observation = observed(f"super-resolve[scale={scale},kernel={kernel}]", channels=channels).to(dtype=torch.float64)
    found = implied_reliance(lifted(1), observation)
    torch.testing.assert_close(found.mean, torch.full_like(found.mean, 1 - scale**-2), rtol=0, atol=1e-4)
    half = implied_reliance(lifted(0.5), observation)
    torch.testing.assert_close(half.mean, torch.full_like(half.mean, 1 - 0.5 * scale**-2), rtol=0, atol=1e-4)
    assert found.map.shape == (1, 1, 40, 48)
    if kernel == "bicubic":
        torch.testing.assert_close(found.map, torch.full_like(found.map, 1 - scale**-2), rtol=0, atol=1e-3)


def test_the_declared_reliance_of_a_projection_is_the_implied_one() -> None:
    """φ is 0 on the range of Aᵀ and 1 on the null space, whatever g takes from y on the null space."""
    observation = observed("super-resolve").to(dtype=torch.float64)
    base = get_method("back-projection").restore(observation)
    found = implied_reliance(get_method("back-projection").restore, observation, base=base)
    declared = base.phi_mean()
    assert declared is not None
    assert found.frozen is not None
    torch.testing.assert_close(found.mean, declared, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.frozen.mean, declared, rtol=0, atol=1e-4)


def test_the_wiener_filter_of_a_blur_implies_its_mean_phi() -> None:
    """A x̂ = (1 − φ) y + A g in the Fourier domain, and the trace of a filter is the mean of its gains."""
    observation = observed("deblur").to(dtype=torch.float64)
    restore = get_method("wiener-deconvolution").restore
    base = restore(observation)
    declared = base.phi_mean()
    assert declared is not None
    found = implied_reliance(restore, observation, probes=32, base=base)
    assert float(found.mean) == pytest.approx(float(declared), abs=4 * float(found.standard_error) + 1e-3)


def test_nothing_is_known_of_a_border_that_was_not_seen() -> None:
    observation = observed("deblur[border=cropped,sigma=0]").to(dtype=torch.float64)
    found = implied_reliance(lifted(1), observation)
    _, _, h, w = observation.y.shape
    margin = (40 - h) // 2
    assert margin > 0
    assert float((found.map[..., :margin, :] - 1).abs().max()) == 0
    assert found.map.shape == (1, 1, 40, 48)
    kept = float(1 - found.mean) * 40 * 48 / (h * w)
    assert 0.05 < kept < 1, "of the numbers that were seen, a part decides"


def test_what_a_jpeg_decoded_to_is_the_data() -> None:
    observation = observed("jpeg")
    kept = implied_reliance(lambda o: Restoration(o.y), observation)
    torch.testing.assert_close(kept.mean, torch.zeros(1), rtol=0, atol=1e-5)
    half = implied_reliance(lambda o: Restoration.fused(o.y, o.y.new_full((), 0.3), torch.tensor(0.5)), observation)
    assert half.frozen is not None
    for mean in (half.mean, half.frozen.mean):
        torch.testing.assert_close(mean, torch.full((1,), 0.5), rtol=0, atol=1e-5)


class Squared(Operator):
    """y = every second pixel, squared."""

    title = "every second pixel squared"
    linear = False

    def forward(self, x: Tensor) -> Tensor:
        return x[..., ::2, ::2].square()

    def adjoint(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def lift(self, y: Tensor) -> Tensor:
        return y.sqrt().repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)

    def image_shape(self, observed: Shape) -> Shape:
        return (*observed[:2], 2 * observed[2], 2 * observed[3])


def test_of_another_operator_that_is_not_linear_it_is_not_defined() -> None:
    observation = Observation(torch.rand(1, 3, 8, 8), Squared(), NoNoise())
    with pytest.raises(ValueError, match="every second pixel squared is not linear, and y is not on the grid of x"):
        implied_reliance(lifted(1), observation)
