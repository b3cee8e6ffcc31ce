"""Networks of the user's own as rows: how their conventions are found, and how images are handed over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, pad

from datasets.errors import SuiteError
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.task import get_task
from methods.adapters.files import of_module
from methods.adapters.own_network import Opened, OwnNetwork
from tests.methods.denoising import observe, photograph, psnr
from tests.methods.networks import WithSigma
from tests.methods.test_contract import observe as degrade

DENOISE = get_task("denoise", sigma="25")


@dataclass(frozen=True, kw_only=True)
class Row(OwnNetwork):
    """A row of a network in memory."""

    network: Any

    def opened(self) -> Opened:
        return of_module(self.network, "the network")


class Mean(nn.Module):
    """The local mean, with the peculiarities of networks: a range, a residual, a multiple of the sides."""

    def __init__(
        self, white: float = 1.0, residual: bool = False, multiple: int = 1, channels: int | None = None
    ) -> None:
        super().__init__()
        self.white, self.residual, self.multiple, self.channels = white, residual, multiple, channels

    def forward(self, x: Tensor) -> Tensor:
        if self.channels not in (None, x.shape[1]):
            raise ValueError("other channels")
        if any(side % self.multiple for side in x.shape[2:]):
            raise ValueError("other sides")
        mean = avg_pool2d(pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        mean = mean.clamp(0.1 * self.white, 0.9 * self.white)
        return x - mean if self.residual else mean


def noisy(channels: int = 1, sides: tuple[int, int] = (40, 33), sigma: float = 25) -> Observation:
    return observe(photograph(*sides, channels).float(), sigma)


def expected(y: Tensor) -> Tensor:
    return Mean()(y)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("white", [1, 255])
def test_range_and_residual_are_found(white: int, residual: bool) -> None:
    row, observation = Row(network=Mean(white, residual)), noisy()
    found = row.convention
    assert (found.range, found.residual, found.level, found.multiple) == (white, residual, "none", 1)
    torch.testing.assert_close(row.restore(observation).image, expected(observation.y), rtol=0, atol=1e-6)


class Strict(Mean):
    def forward(self, x: Tensor) -> Tensor:
        if x.max() > 2:
            raise ValueError("too bright")
        return super().forward(x)


def test_a_network_that_looks_at_the_range_is_used_in_the_one_it_takes() -> None:
    assert Row(network=Strict()).convention.range == 1
    assert "-inf dB" in str(Row(network=Strict(), range="255").supports(DENOISE))


def test_what_the_user_says_is_done_and_not_guessed() -> None:
    said = Row(network=Mean(255), range="1", residual=False)
    assert said.supports(DENOISE) is None
    assert said.convention.range == 1
    y = noisy().y
    torch.testing.assert_close(said.restore(noisy()).image, Mean(255)(y), rtol=0, atol=1e-6)
    (remark,) = said.remarks()
    assert "; range=1, residual=false as given or by default; " in remark
    assert "; channels=1 or 3, level=none, multiple=1 found by trying it; " in remark


def test_a_wrong_range_is_a_reason() -> None:
    reason = Row(network=Mean(255), range="1").supports(DENOISE)
    assert reason is not None
    assert "another range or another task" in reason
    assert "\n" not in reason


@pytest.mark.parametrize("multiple", [1, 2, 8])
def test_multiples_are_found_and_sides_filled_up(multiple: int) -> None:
    row, observation = Row(network=Mean(multiple=multiple)), noisy()
    assert row.convention.multiple == multiple
    torch.testing.assert_close(row.restore(observation).image, expected(observation.y), rtol=0, atol=1e-6)
    wrong = replace(row, multiple=3).supports(DENOISE)
    assert (wrong is None) == (multiple == 1)


@pytest.mark.parametrize("way", ["channel", "map", "number"])
@pytest.mark.parametrize("white", [1, 255])
def test_sigma_is_told(way: str, white: int) -> None:
    row = Row(network=WithSigma(way, scale=white), range=str(white), channels="1")  # type: ignore[arg-type]
    assert row.uses_sigma
    assert row.convention.level == way
    for sigma in (0, 10, 25):
        observation = noisy(sigma=sigma)
        y = observation.y
        mean = WithSigma(way).mean(y).detach()
        torch.testing.assert_close(
            row.restore(observation).image, y + min(1, 12 * sigma / 255) * (mean - y), rtol=0, atol=1e-5
        )
    assert not Row(network=Mean()).uses_sigma


def test_every_image_of_a_batch_has_its_own_sigma() -> None:
    row = Row(network=WithSigma("number", channels=3))
    observations = [noisy(3, sigma=sigma) for sigma in (5, 15, 40)]
    together = row.restore(Observation.cat(observations)).image
    for number, alone in enumerate(observations):
        assert torch.equal(together[number : number + 1], row.restore(alone).image)


def test_a_gray_image_of_a_colour_network_is_averaged() -> None:
    """Equal channels of noise have three times the variance along the gray axis."""
    row, gray = Row(network=WithSigma("number", channels=3)), noisy(1, sigma=10)
    assert row.convention.channels == (3,)
    assert gray.sigma is not None
    louder = replace(gray, y=gray.y.expand(-1, 3, -1, -1), noise=Gaussian(3**0.5 * gray.sigma), truth=None)
    image = row.restore(gray).image
    assert image.shape == gray.y.shape
    torch.testing.assert_close(image, row.restore(louder).image.mean(1, keepdim=True), rtol=0, atol=1e-6)


def test_a_colour_image_of_a_gray_network_goes_channel_by_channel() -> None:
    row, colour = Row(network=Mean(channels=1)), noisy(3)
    assert row.convention.channels == (1,)
    torch.testing.assert_close(row.restore(colour).image, expected(colour.y), rtol=0, atol=1e-6)
    assert Row(network=Mean()).convention.channels == (1, 3)


@pytest.mark.parametrize("name", ["inpaint-center", "inpaint-random", "colorize"])
def test_any_task_gives_an_image(name: str) -> None:
    """The network is given f(y), which lies on the image's grid and has its channels."""
    observation = degrade(get_task(name), (33, 47), 3).without_truth()
    row = Row(network=Mean())
    assert row.supports(get_task(name)) is None
    torch.testing.assert_close(row.restore(observation).image, expected(observation.fidelity), rtol=0, atol=1e-6)


def test_nothing_of_the_observation_is_changed() -> None:
    class InPlace(Mean):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.clone()) + x.mul_(0)

    observation = noisy(sides=(40, 70))
    before = observation.y.clone()
    row = Row(network=InPlace(), tile=32, overlap=8)
    torch.testing.assert_close(row.restore(observation).image, expected(before), rtol=0, atol=1e-6)
    assert torch.equal(observation.y, before)


def test_double_precision_is_given_back() -> None:
    observation = noisy().to(dtype=torch.float64)
    image = Row(network=Mean()).restore(observation).image
    assert image.dtype == torch.float64
    torch.testing.assert_close(image, expected(observation.y), rtol=0, atol=1e-6)


class Enlarging(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return interpolate(x, scale_factor=2.0)


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 0 * 0


class Wordy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("first \x1b[31mline\nsecond line")


class Named(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"image": x}


@pytest.mark.parametrize(
    ("network", "settings", "said"),
    [
        (Enlarging(), {}, "(1, 1, 128, 128) and not (1, 1, 64, 64)"),
        (Nothing(), {}, "not finite"),
        (Wordy(), {}, "RuntimeError: first [31mline"),
        (Named(), {}, "no tensor but dict"),
        (Mean(channels=1), {"channels": "3"}, "other channels"),
        (Mean(), {"level": "channel"}, "(1, 2, 64, 64) and not (1, 1, 64, 64)"),
        (WithSigma("number"), {"level": "none"}, "not enough values"),
        (Mean(multiple=128), {}, "other sides"),
        (Mean(), {"tile": 64, "overlap": 32}, "nothing is left of a tile"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_what_cannot_work_is_a_reason_of_one_line(network: nn.Module, settings: dict[str, Any], said: str) -> None:
    row = Row(network=network, **settings)
    reason = row.supports(DENOISE)
    assert reason is not None
    assert said.replace("[31m", "") in reason.replace("[31m", "")
    assert reason.isprintable()
    assert row.remarks() == (reason,)
    with pytest.raises(SuiteError):
        row.restore(noisy())


def test_several_outputs_give_the_first() -> None:
    class Two(Mean):
        def forward(self, x: Tensor) -> Any:
            return super().forward(x), x

    assert psnr(Row(network=Two()).restore(noisy()).image, expected(noisy().y)) > 100
