"""Draws from the posterior of the scene prior: closed forms with a Gaussian prior, and what the row promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bigprior.draws import Sampled
from bigprior.priors.scene.coarse import FILLED, distance
from bigprior.priors.scene.fine import untrained
from bigprior.priors.scene.posterior import ScenePosterior, centre, freedom, median_chroma, seed_of
from bigprior.priors.scene.prior import ScenePrior
from bigprior.priors.scene.samplers import get_sampler
from bigprior.smooth_fill import smooth_fill
from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.operators import Luma
from datasets.task import Key, get_task
from methods.fusion.posterior import Posterior
from methods.registry import get_method
from tests.methods.test_contract import photograph

TASKS = ["denoise[sigma=25]", "denoise[sigma=5:50]", "inpaint-center", "inpaint-random", "colorize"]
QUICK = Posterior(draws=2, steps=2)


def observe(task: str, size: tuple[int, int] = (17, 30), channels: int = 3, place: int = 0) -> Observation:
    return get_task(task).degrade(photograph(size, channels, place), Key(0, "posterior", str(place))).without_truth()


class GaussianPrior(ScenePrior):
    """Independent pixels N(0.2, 0.3²) on the [-1,1] scale."""

    MEAN, DEVIATION = 0.2, 0.3

    def denoise(self, x: Tensor, sigma: float | Tensor, label: str | Tensor = "any") -> Tensor:
        level = torch.as_tensor(sigma, dtype=x.dtype).expand(len(x)).view(-1, 1, 1, 1).square()
        return (self.DEVIATION**2 * x + level * self.MEAN) / (self.DEVIATION**2 + level)


def gaussian(count: int, steps: int = 30) -> ScenePosterior:
    """The posterior of Gaussian pixels, with a fine network that adds nothing."""
    fine = untrained().eval().requires_grad_(False)
    fine.tail.weight.zero_()
    return ScenePosterior(GaussianPrior(fine), fine, get_sampler("bridge", steps), count)  # type: ignore[arg-type]


def test_draws_in_a_hole_have_the_mean_and_the_deviation_of_the_posterior() -> None:
    """Of N(μ, s²) and a fill m with the noise τ: mean (μ/s² + m/τ²)/(1/s² + 1/τ²), variance 1/(1/s² + 1/τ²)."""
    observation = observe("inpaint-center", (40, 48))
    draws = gaussian(8).draws(observation)
    inside = freedom(observation).expand_as(draws[0]) > 0
    hole = draws[:, inside]
    fill = 2 * smooth_fill(observation.y, observation.mask)[inside] - 1
    noise = FILLED * distance(observation.mask).expand_as(draws[0])[inside]
    own, given = GaussianPrior.DEVIATION**-2, noise**-2
    mean = (own * GaussianPrior.MEAN + given * fill) / (own + given)
    assert float(hole.mean()) == pytest.approx(float((1 + mean).mean() / 2), abs=0.01)
    assert float(hole.std(dim=0).mean()) == pytest.approx(float(((own + given) ** -0.5).mean()) / 2, rel=0.1)
    seen = observation.mask.expand_as(draws[0]) > 0
    assert (draws[:, seen] == observation.y[seen]).all()


def test_draws_of_colours_have_the_chroma_of_the_prior_and_the_luma_of_y() -> None:
    """Of x ~ N(μ, s² I) given wᵀx: red keeps the variance s²(1 − w_r²/‖w‖²)."""
    observation = observe("colorize", (24, 32))
    draws = gaussian(8, 60).draws(observation)
    torch.testing.assert_close(Luma().forward(draws[3]), observation.y, rtol=0, atol=1e-5)
    share = 1 - 0.299**2 / (0.299**2 + 0.587**2 + 0.114**2)
    assert float(draws[:, :, 0].std(dim=0).mean()) == pytest.approx(0.15 * share**0.5, rel=0.1)


def test_draws_are_reproducible_and_hang_on_y_alone() -> None:
    posterior, observation = gaussian(2), observe("inpaint-center")
    draws = posterior.draws(observation)
    torch.manual_seed(5)
    assert torch.equal(draws, posterior.draws(observation))
    assert not torch.equal(draws[0], draws[1])
    other = replace(observation, y=observation.y.flip(-1))
    assert seed_of(other) != seed_of(observation)
    assert seed_of(observation.to(dtype=torch.float64)) == seed_of(observation)


def test_invert_tells_the_spread_and_decode_makes_photographs() -> None:
    posterior, observation = gaussian(3), observe("inpaint-center")
    inversion, draws = posterior.invert(observation), posterior.draws(observation)
    torch.testing.assert_close(inversion.image, draws.mean(dim=0))
    assert inversion.spread is not None
    torch.testing.assert_close(inversion.spread.square(), draws.var(dim=0).mean(dim=1, keepdim=True))
    assert float(inversion.losses.max()) == 0
    coarse = torch.full((2, 3, 6, 9), 0.4)
    torch.testing.assert_close(posterior.decode((coarse,)), torch.full((2, 3, 24, 36), 0.4))


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_the_median_of_colours_keeps_the_luma(count: int) -> None:
    random = torch.Generator().manual_seed(0)
    luma = torch.rand(2, 1, 5, 7, generator=random)
    raw = torch.rand(count, 2, 3, 5, 7, generator=random)
    draws = raw + luma - torch.stack([Luma().forward(x) for x in raw])
    found = median_chroma(draws)
    torch.testing.assert_close(Luma().forward(found), luma)
    ordered = (draws[:, :, 2] - luma[:, 0]).sort(dim=0).values
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    torch.testing.assert_close(found[:, 2] - luma[:, 0], middle)


@pytest.mark.parametrize("task", TASKS)
def test_the_row_keeps_the_contract(task: str) -> None:
    """What `test_contract` asks; there the row is left out, because draws take long."""
    for channels in (1, 3) if task == "denoise[sigma=25]" else (3,):
        first, second = (observe(task, (17, 30), channels, place) for place in (0, 1))
        one = QUICK.restore(first)
        assert isinstance(one, Sampled)
        assert one.draws.shape == (2, *first.fidelity.shape)
        torch.testing.assert_close(one.image, one.recompose())
        torch.testing.assert_close(one.prior, centre(first, one.draws))
        assert torch.isfinite(one.image).all()
        together = QUICK.restore(Observation.cat([first, second]))
        torch.testing.assert_close(together.image[:1], one.image, rtol=0, atol=2e-5)
        torch.testing.assert_close(together.draws[:, :1], one.draws, rtol=0, atol=2e-5)
        seen = (freedom(first) == 0).expand_as(one.image)
        assert torch.equal(one.image[seen], first.fidelity[seen])
        if task == "colorize":
            torch.testing.assert_close(Luma().forward(one.image), first.y, rtol=0, atol=1e-5)


@pytest.mark.parametrize("task", ["denoise[sigma=25]", "colorize"])
def test_double_precision_gives_the_same_image(task: str) -> None:
    observation = observe(task)
    exact = QUICK.restore(observation.to(dtype=torch.float64)).image
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact.float(), QUICK.restore(observation).image, rtol=0, atol=2e-3)


def test_without_noise_y_is_returned() -> None:
    observation = observe("denoise[sigma=0]")
    restored = QUICK.restore(observation)
    assert torch.equal(restored.image, observation.y)
    assert restored.phi is not None
    assert (restored.phi == 0).all()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("posterior[draws=0]", "draws"),
        ("posterior[steps=1]", "steps"),
        ("posterior[sampler=brige]", "bridge"),
    ],
)
def test_wrong_parameters_are_one_line(spec: str, said: str) -> None:
    with pytest.raises((SuiteError, ValueError), match=said) as caught:
        get_method(spec)
    assert "\n" not in str(caught.value)
