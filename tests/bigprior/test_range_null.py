"""The range–null split: projections, their closed forms, and conjugate gradients where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from bigprior.range_null import INVERSES, ITERATED, LEAST, pseudo_inverse, split
from datasets.blur import SEEN, BlurDecimation, CroppedBlur, PeriodicBlur
from datasets.compression import Jpeg
from datasets.operators import LUMA, Identity, Luma, Masking, Operator
from datasets.resize import BicubicReduction


def images(height: int = 12, width: int = 20, channels: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.from_numpy(np.random.RandomState(0).rand(2, channels, height, width)).to(dtype)


def box(length: int) -> Tensor:
    """A horizontal box, whose transform is 0 at every multiple of W/length on a line of W pixels."""
    return torch.full((2, 1, 1, length), 1 / length, dtype=torch.float64)


def random_kernel() -> Tensor:
    kernel = torch.from_numpy(np.random.RandomState(1).rand(2, 1, 3, 5))
    return kernel / kernel.sum(dim=(-2, -1), keepdim=True)


HOLES = (torch.arange(2 * 12 * 20).view(2, 1, 12, 20) % 3 > 0).double()
OPERATORS: dict[str, Operator] = {
    "identity": Identity(),
    "holes": Masking(HOLES),
    "weights": Masking(HOLES * 0.3),
    "luma": Luma(),
    "blur without a zero": PeriodicBlur(random_kernel()),
    "blur with zeros": PeriodicBlur(box(5)),
    "decimation": BlurDecimation(random_kernel(), 2),
    "decimation with zeros": BlurDecimation(box(5), 4),
    "bicubic": BicubicReduction(4),
    "cropped": CroppedBlur(random_kernel()),
}
WHOLE = {"identity", "blur without a zero"}
"""Operators that lose nothing."""


@pytest.fixture(params=OPERATORS, ids=list(OPERATORS))
def named(request: pytest.FixtureRequest) -> tuple[str, Operator]:
    return request.param, OPERATORS[request.param]


def test_the_parts_add_up_and_the_data_see_nothing_of_the_null_part(named: tuple[str, Operator]) -> None:
    name, operator = named
    x = images()
    parts = split(operator, x)
    torch.testing.assert_close(parts.seen + parts.null, x, rtol=0, atol=1e-14)
    assert float(operator.forward(parts.null).abs().max()) < 1e-8
    torch.testing.assert_close(operator.forward(parts.seen), operator.forward(x), rtol=0, atol=1e-8)
    assert (float(parts.null.abs().max()) < 1e-8) == (name in WHOLE)


def test_both_are_orthogonal_projections(named: tuple[str, Operator]) -> None:
    _, operator = named
    x, z = images(), images().flip(-1) ** 2
    seen, null = split(operator, x).seen, split(operator, x).null
    torch.testing.assert_close(split(operator, seen).seen, seen, rtol=0, atol=1e-7)  # idempotent
    torch.testing.assert_close(split(operator, null).null, null, rtol=0, atol=1e-7)
    left, right = (seen * z).sum(), (x * split(operator, z).seen).sum()  # symmetric
    assert float(left) == pytest.approx(float(right), rel=1e-7)
    energy = seen.square().flatten(1).sum(1) + null.square().flatten(1).sum(1)
    torch.testing.assert_close(energy, x.square().flatten(1).sum(1), rtol=1e-7, atol=0)
    torch.testing.assert_close(
        split(operator, x).share(), null.square().flatten(1).sum(1) / energy, rtol=1e-7, atol=1e-12
    )


def test_the_pseudo_inverse_meets_penrose(named: tuple[str, Operator]) -> None:
    _, operator = named
    y = operator.forward(images())
    back = pseudo_inverse(operator, y)
    torch.testing.assert_close(operator.forward(back), y, rtol=0, atol=1e-7)  # A A⁺ A = A
    again = pseudo_inverse(operator, operator.forward(back))
    torch.testing.assert_close(again, back, rtol=0, atol=1e-6)  # A⁺ A A⁺ = A⁺
    torch.testing.assert_close(split(operator, images()).seen, back, rtol=0, atol=1e-6)  # P = A⁺A


@pytest.mark.parametrize("name", ["holes", "luma", "blur with zeros", "decimation with zeros", "bicubic"])
def test_conjugate_gradients_find_the_closed_forms(name: str) -> None:
    operator, x = OPERATORS[name], images()
    found = ITERATED.seen(operator, x, LEAST)
    torch.testing.assert_close(found, split(operator, x).seen, rtol=0, atol=1e-6)


def test_closed_forms() -> None:
    x = images()
    assert torch.equal(split(Identity(), x).seen, x)
    assert torch.equal(split(Masking(HOLES), x).null, x * (1 - HOLES))
    w = torch.tensor(LUMA, dtype=torch.float64)
    matrix = torch.outer(w, w) / w.dot(w)
    torch.testing.assert_close(split(Luma(), x).seen, torch.einsum("ij,njhw->nihw", matrix, x))


def test_a_gray_image_is_partly_null_under_luma() -> None:
    """Equal channels are not along w: of their energy 1 − (Σw)²/(3‖w‖²) is in the null space."""
    gray = images(channels=1).expand(-1, 3, -1, -1)
    expected = 1 - sum(LUMA) ** 2 / (3 * sum(weight**2 for weight in LUMA))
    torch.testing.assert_close(split(Luma(), gray).share(), torch.full((2,), expected, dtype=torch.float64))
    assert expected == pytest.approx(0.2542, abs=1e-4)


def test_a_box_loses_the_frequencies_that_it_fits_into() -> None:
    operator = PeriodicBlur(box(5))
    place = torch.arange(20, dtype=torch.float64)
    lost, kept = (torch.cos(2 * torch.pi * f * place / 20).expand(2, 3, 12, 20) for f in (4, 3))
    assert float(split(operator, lost).share().min()) == pytest.approx(1)
    assert float(split(operator, kept).share().max()) == pytest.approx(0, abs=1e-12)


def test_what_noise_would_drown_can_be_called_null() -> None:
    kernel = torch.zeros(2, 1, 1, 5, dtype=torch.float64)
    kernel[..., 1:4] = torch.tensor([0.25, 0.4998, 0.25])  # 0.0002 or so at the highest frequency
    x = images()
    exact, drowned = (split(PeriodicBlur(kernel), x, least) for least in (LEAST, SEEN))
    assert float(exact.share().max()) < 1e-12
    assert float(drowned.share().min()) > 1e-6
    assert float(PeriodicBlur(kernel).forward(drowned.null).abs().max()) < SEEN


@dataclass(frozen=True)
class Mean(Operator):
    """y, the mean of the channels: a plug-in's operator, without a closed form here."""

    title: ClassVar[str] = "the mean of channels"

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1, keepdim=True)

    def adjoint(self, y: Tensor) -> Tensor:
        return y.expand(-1, 3, -1, -1) / 3

    def lift(self, y: Tensor) -> Tensor:
        return y.expand(-1, 3, -1, -1)


def test_an_operator_of_others() -> None:
    x = images()
    assert Mean not in INVERSES
    torch.testing.assert_close(split(Mean(), x).seen, x.mean(dim=1, keepdim=True).expand_as(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["holes", "luma", "blur with zeros", "decimation", "bicubic"])
def test_single_precision_and_gray_images(name: str) -> None:
    operator = OPERATORS[name].to("cpu", torch.float32)
    x = images(dtype=torch.float32) if name == "luma" else images(channels=1, dtype=torch.float32)
    parts = split(operator, x)
    assert parts.seen.dtype == torch.float32
    assert parts.map().shape == (2, 1, 12, 20)
    assert float(operator.forward(parts.null).abs().max()) < 1e-6


def test_what_is_not_linear_has_no_null_space() -> None:
    for call in (split, pseudo_inverse):
        with pytest.raises(ValueError, match=r"^JPEG compression is not linear: it has no range and no null space$"):
            call(Jpeg(10), images())
