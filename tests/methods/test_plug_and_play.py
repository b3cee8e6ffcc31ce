"""Plug and play: data steps against dense solves, domains, fixed points of linear denoisers, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from bigprior.domains import Domain
from bigprior.eigenbases import Folded, LumaAxis, Separable
from bigprior.fusion import fuse
from datasets.blur import BlurDecimation, CroppedBlur, PeriodicBlur
from datasets.catalog import METHODS
from datasets.errors import SuiteError
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Luma, Masking, Operator
from datasets.resize import BicubicReduction
from datasets.task import Key, get_task
from methods.base import Method
from methods.classic.tikhonov import Tikhonov
from methods.classic.tikhonov_deconvolution import TikhonovDeconvolution
from methods.fusion._data_step import STEPS, data_step, moved
from methods.fusion.fista_tv import LIPSCHITZ, FistaTV, descent
from methods.fusion.pnp import PnP
from methods.fusion.pnp_admm import PnPADMM
from methods.fusion.red import RED
from methods.registry import get_method
from tests.datasets.halving import Halve
from tests.methods.denoising import photograph, psnr

KERNEL = torch.tensor([[0.0, 0.2, 0.0], [0.1, 0.6, 0.0], [0.0, 0.1, 0.0]], dtype=torch.float64)[None, None]
"""Not symmetric, and |k̂| ≥ 0.2."""
H, W = 12, 6
ROWS = ["pnp[iterations=2]", "pnp-admm[iterations=2]", "red[iterations=2]", "fista-tv[iterations=3]"]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape))


def holes() -> Tensor:
    mask = torch.ones(2, 1, H, W, dtype=torch.float64)
    mask[0, :, 3:7, 2:4] = 0
    mask[1, :, 6:, 4:] = 0
    return mask


OPERATORS: dict[str, Operator] = {
    "masking": Masking(holes()),
    "luma": Luma(),
    "periodic": PeriodicBlur(torch.cat([KERNEL, KERNEL.flip(-1)])),
    "cropped": CroppedBlur(torch.cat([KERNEL, KERNEL.mT])),
    "decimation-2": BlurDecimation(torch.cat([KERNEL, KERNEL.mT]), 2),
    "decimation-3": BlurDecimation(torch.cat([KERNEL, KERNEL.mT]), 3),
    "bicubic-2": BicubicReduction(2),
    "bicubic-3": BicubicReduction(3),
}


def image(operator: Operator, seed: int = 0) -> Tensor:
    """A random batch of two, colour where the operator needs it."""
    return random(2, 3 if isinstance(operator, Luma) else 1, H, W, seed=seed)


def observe(operator: Operator, *sigma: float) -> Observation:
    """A random image of any of the operators, a batch of two."""
    y = operator.forward(image(operator, seed=1))
    y = y + torch.tensor(sigma, dtype=y.dtype).view(-1, 1, 1, 1) * random(*y.shape, seed=2)
    return Observation(y, operator, Gaussian(torch.tensor(sigma, dtype=y.dtype)))


def dense(operator: Operator) -> Tensor:
    """A as a matrix, for one image of the batch."""
    shape = image(operator).shape[1:]
    units = torch.eye(shape.numel(), dtype=torch.float64).view(-1, *shape)
    return torch.stack([operator.forward(unit[None])[0].flatten() for unit in units], dim=1)


def test_every_step_is_tried() -> None:
    assert set(STEPS) == {type(operator) for operator in OPERATORS.values()}


@pytest.mark.parametrize("name", OPERATORS)
def test_data_step_solves_the_normal_equations(name: str) -> None:
    operator = OPERATORS[name]
    observation, z = observe(operator, 0.1, 0.1), image(operator)
    rho = torch.tensor([0.03, 0.7], dtype=torch.float64).view(2, 1, 1, 1)
    step = data_step(observation, "test")
    for n in (0, 1):
        a = dense(operator.select(n))
        right = a.T @ observation.y[n].flatten() + rho[n, 0, 0, 0] * z[n].flatten()
        expected = torch.linalg.solve(a.T @ a + rho[n, 0, 0, 0] * torch.eye(a.shape[1], dtype=a.dtype), right)
        for found in (step(z, rho), step.fused(z, rho).image):
            torch.testing.assert_close(found[n].flatten(), expected, rtol=0, atol=1e-4 if name == "cropped" else 1e-11)


@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "cropped"])
def test_parts_are_those_of_the_eigenspace(name: str) -> None:
    """φ = ρ/(s² + ρ) with the eigenvalues of the dense AᵀA, f = A⁺y, and the basis is orthonormal."""
    operator = OPERATORS[name]
    observation, z = observe(operator, 0.1, 0.1), image(operator)
    rho = 0.3
    fused = data_step(observation, "test").fused(z, torch.full((2, 1, 1, 1), rho, dtype=torch.float64))
    assert fused.phi is not None
    assert fused.fidelity is not None
    assert fused.prior is not None
    assert fused.domain is not None
    for n in (0, 1):
        a = dense(operator.select(n))
        values = torch.linalg.eigvalsh(a.T @ a).clamp(min=0)
        values = torch.where(values > 1e-6, values, 0)
        phi = fused.phi.expand(torch.broadcast_shapes(fused.phi.shape, fused.prior.shape))[n]
        torch.testing.assert_close(phi.flatten().sort().values, (rho / (values + rho)).sort().values)
        lifted = fused.domain.synthesis(fused.fidelity)[n].flatten()
        torch.testing.assert_close(lifted, torch.linalg.pinv(a, rtol=1e-6) @ observation.y[n].flatten())
    energy = fused.prior.abs().square().flatten(1).sum(dim=1)
    torch.testing.assert_close(energy, z.square().flatten(1).sum(dim=1))


@pytest.mark.parametrize("name", OPERATORS)
def test_without_noise_the_data_are_met(name: str) -> None:
    """ρ = 0: A x = y, x = z where A sees nothing, and a second projection changes nothing."""
    operator = OPERATORS[name]
    observation, z = observe(operator, 0.0, 0.0), image(operator)
    step = data_step(observation, "test")
    rho = torch.zeros(2, 1, 1, 1, dtype=torch.float64)
    fused = step.fused(z, rho)
    near = 1e-3 if name == "cropped" else 1e-11
    torch.testing.assert_close(operator.forward(fused.image), observation.y, rtol=0, atol=near)
    torch.testing.assert_close(step.fused(fused.image, rho).image, fused.image, rtol=0, atol=near)
    assert fused.phi is not None
    if name != "cropped":
        assert set(fused.phi.unique().tolist()) <= {0.0, 1.0}
        lost = z - operator.lift(operator.forward(z)) if name != "luma" else None
        if lost is not None:
            torch.testing.assert_close(fused.image - operator.lift(observation.y), lost, rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", [(12, 18), (30, 6)])
@pytest.mark.parametrize("channels", [1, 3])
def test_domains_are_orthonormal(size: tuple[int, int], channels: int) -> None:
    h, w = size
    gain = torch.fft.fft2(random(2, 1, h, w))
    gain[..., 0, 0] = 0  # a first entry without a phase
    gain[0, 0, :: h // 3, :: w // 3] = 0  # and a group that A does not see
    turn = [torch.linalg.qr(random(n, n))[0] for n in size]
    domains: list[Domain] = [Folded(gain, 3), Separable(*turn)]
    for domain in domains + ([LumaAxis()] if channels == 3 else []):
        x = random(2, channels, h, w)
        c = domain.analysis(x)
        torch.testing.assert_close(domain.synthesis(c), x)
        assert float(c.abs().square().sum()) == pytest.approx(float(x.square().sum()))
        assert domain.mean(torch.full_like(c.abs(), 0.25)).tolist() == [0.25, 0.25]
    luma = LumaAxis().analysis(random(1, 3, h, w))[:, 0]
    torch.testing.assert_close(luma * (0.299**2 + 0.587**2 + 0.114**2) ** 0.5, Luma().forward(random(1, 3, h, w))[:, 0])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_start_of_decimation_is_in_place(scale: int) -> None:
    """Of every s-th pixel of a smooth image: the start is near the image, and not s/2 pixels beside it."""
    rows, columns = torch.meshgrid(*[torch.arange(48, dtype=torch.float64) * 2 * torch.pi / 48] * 2, indexing="ij")
    x = (rows.sin() + (columns + 1).cos())[None, None]
    one = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    operator = BlurDecimation(one, scale)
    start = data_step(Observation(operator.forward(x), operator, Gaussian(torch.zeros(1))), "test").start
    inner = (..., slice(12, 36), slice(12, 36))  # `resize` reflects at the border, the image goes on
    assert float((start - x)[inner].abs().max()) < 0.02
    torch.testing.assert_close(moved(x, 5), x.roll((5, 5), (-2, -1)))


def blurry(sigma: float, size: tuple[int, int] = (24, 30)) -> Observation:
    y = PeriodicBlur(KERNEL).forward(photograph(*size, channels=1))
    return Observation(
        y + sigma * random(*y.shape, seed=2), PeriodicBlur(KERNEL), Gaussian(torch.tensor([sigma]).double())
    )


@pytest.mark.parametrize("row", ["pnp", "pnp-admm"])
def test_a_linear_denoiser_leads_to_the_closed_form(row: str) -> None:
    """D = (I + τ∇ᵀ∇)⁻¹ is the proximal map of τ/2‖∇x‖²: fixed points minimise ‖A x − y‖² + ρτ‖∇x‖² (ADMM), and with
    splitting the least of ‖A x − y‖² + ρ‖x − v‖² + ρτ‖∇v‖²."""
    sigma, rho = 8 / 255, 0.4
    settings = f"iterations=100,first=8,floor=8,weight={rho},closing=1,denoiser=tikhonov"
    found = get_method(f"{row}[{settings}]").restore(blurry(sigma)).image
    tau = float(Tikhonov().weight(torch.tensor(sigma, dtype=torch.float64)))
    gradient = torch.fft.fftfreq(24).double()[:, None] * torch.pi, torch.fft.fftfreq(30).double() * torch.pi
    squared = 4 * gradient[0].sin() ** 2 + 4 * gradient[1].sin() ** 2
    prior = tau * squared if row == "pnp-admm" else tau * squared / (1 + tau * squared)
    gain = torch.fft.fft2(PeriodicBlur(KERNEL).forward(torch.eye(1, 24 * 30).double().view(1, 1, 24, 30)))
    expected = gain.conj() * torch.fft.fft2(blurry(sigma).y) / (gain.abs() ** 2 + rho * prior)
    torch.testing.assert_close(found, torch.fft.ifft2(expected).real, rtol=0, atol=1e-6)


def test_a_fixed_point_of_red_is_one() -> None:
    """Aᵀ(A x − y) + ρ(x − D(x)) = 0 for a nonlinear denoiser."""
    observation = blurry(5 / 255)
    row = RED("tv[tolerance=1e-7]", iterations=45, level=8, weight=0.3)
    x = row.restore(observation).image
    operator = observation.operator
    rho = 0.3 * (5 / 2.55) ** 2
    pull = rho * (x - row.denoised(x, torch.tensor([8 / 255]).double()))
    torch.testing.assert_close(operator.adjoint(operator.forward(x) - observation.y) + pull, 0 * x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("operator", ["periodic", "bicubic-2", "masking"])
def test_fista_ends_at_the_minimum(operator: str) -> None:
    """A step of the prior alone, g = x − λ/L ∇TV(x), is the g of the fusion; the objective is no more than around x̂."""
    observation = observe(OPERATORS[operator], 0.1, 0.1)
    row = FistaTV(iterations=600, sweeps=400)
    lam = row.strength(torch.tensor([0.1, 0.1], dtype=torch.float64))[:, None, None, None]
    restoration = row.restore(observation)

    def objective(x: Tensor) -> Tensor:
        down, right = torch.diff(x, dim=-2, append=x[..., -1:, :]), torch.diff(x, dim=-1, append=x[..., -1:])
        smooth = (0.05 * lam[:, 0] / LIPSCHITZ) ** 2
        variation = ((down**2 + right**2).sum(dim=1) + smooth).sqrt()
        return 0.5 * (observation.operator.forward(x) - observation.y).square().sum() + (lam[:, 0] * variation).sum()

    x = restoration.image.requires_grad_()
    (slope,) = torch.autograd.grad(objective(x), x)
    assert float(slope.abs().max()) < 0.02 * float(lam.max())
    x = x.detach()
    assert restoration.prior is not None
    assert restoration.domain is not None
    step = restoration.domain.synthesis(restoration.prior) - x
    torch.testing.assert_close(step, -descent(observation, x), rtol=0, atol=1e-9)


def test_levels() -> None:
    """49 to σ in equal ratios, ρ = λσ²/σ_k², and the floors."""
    observation = observe(OPERATORS["periodic"], 2.55 / 255, 60 / 255)
    levels, rho, end = PnP(weight=0.23, closing=3).schedule(observation)
    assert levels.shape == (8, 2)
    np.testing.assert_allclose(levels[[0, -1]].numpy() * 255, [[49.0, 60.0], [2.55, 60.0]])
    np.testing.assert_allclose((levels[1:, 0] / levels[:-1, 0]).numpy(), (2.55 / 49) ** (1 / 7))
    np.testing.assert_allclose(rho.flatten(1).numpy(), 0.23 * (np.array([2.55, 60]) / 255 / levels.numpy()) ** 2)
    np.testing.assert_allclose(end.flatten().numpy(), 3 * 0.23)
    levels, rho, end = PnP(floor=2, weight=0.23).schedule(replace(observation, noise=Gaussian(torch.zeros(2).double())))
    np.testing.assert_allclose(levels[-1].numpy() * 255, 2)
    np.testing.assert_allclose(rho[-1].flatten().numpy(), 0.23 * (0.255 / 2) ** 2)
    assert end.tolist() == [[[[0.0]]], [[[0.0]]]]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("task", ["super-resolve", "super-resolve[kernel=gaussian]", "deblur[sigma=0]"])
def test_noise_free_results_keep_the_data(row: str, task: str) -> None:
    clean = photograph(36, 44)[0].float()
    observation = get_task(task).degrade(clean, Key(0, "test", ""))
    restoration = get_method(row).restore(observation.without_truth())
    torch.testing.assert_close(observation.operator.forward(restoration.image), observation.y, rtol=0, atol=2e-4)
    torch.testing.assert_close(restoration.recompose(), restoration.image)
    assert restoration.phi is not None
    assert set(restoration.phi.unique().tolist()) == {0.0, 1.0}


def test_better_than_no_denoiser() -> None:
    clean = photograph(64, 64)[0].float()
    observation = get_task("deblur[kernel=motion,length=7]").degrade(clean, Key(0, "test", ""))
    known = psnr(TikhonovDeconvolution().restore(observation).image, clean)
    for row in ("pnp", "pnp-admm", "red"):
        assert psnr(get_method(row).restore(observation).image, clean) > known + 1, row


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("pnp[denoiser=unet-sgima]", "unknown method 'unet-sgima'. Did you mean unet-sigma"),
        ("pnp[denoiser=nlm[patch=4]]", "patch must be a whole number or none, odd"),
        ("pnp[denoiser=unet-blind]", "denoiser 'unet-blind' is not told σ: take one that is told σ"),
        ("red[denoiser=fourier-wiener-oracle]", "denoiser 'fourier-wiener-oracle' looks at the clean image"),
        ("pnp-admm[denoiser=harmonic]", "denoiser 'harmonic' is no denoiser"),
        ("pnp[denoiser=pnp]", "denoiser 'pnp' is no denoiser"),
        ('pnp[denoiser="tv,nlm"]', "give one, written name or name[key=value,key=value]"),
        ("pnp[iterations=0]", "iterations must be a whole number, 1 to 1000"),
    ],
)
def test_what_is_no_denoiser(row: str, said: str) -> None:
    with pytest.raises(SuiteError) as caught:
        METHODS.build(row)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_denoiser_that_cannot_run_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.fetch.locate", lambda path: None)
    reason = get_method("pnp[denoiser=ffdnet-color]").supports(get_task("deblur"))
    assert reason is not None
    assert reason.startswith("its denoiser 'ffdnet-color' cannot run: its weights")


def test_the_denoiser_counts_as_the_rows_own() -> None:
    names = ["tv", "tv[scale_gray=1]", "nlm", "unet-sigma"]
    assert len({PnP(name).inside for name in names}) == 4
    assert PnP("unet-sigma").weights() == get_method("unet-sigma").weights()
    assert PnP("unet-sigma").devices == ("cpu", "cuda")
    assert PnP("nlm").devices == get_method("nlm").devices
    assert METHODS.label(METHODS.parse_list("pnp[denoiser=nlm[patch=5]]")[0], PnP("nlm[patch=5]")) == (
        "pnp[denoiser=nlm[patch=5]]"
    )


@pytest.mark.parametrize("cls", [PnP, PnPADMM, RED, FistaTV])
def test_denoising_is_left_to_the_denoiser(cls: type[Method]) -> None:
    assert cls().supports(get_task("denoise")) is not None
    with pytest.raises(ValueError, match=f"{cls.name} does not know the operator Halving"):
        cls().restore(Halve().degrade(photograph(20, 24)[0].float(), Key(0, "test", "")).without_truth())


def test_fuse_of_complex_parts() -> None:
    """The parts of a Fourier fusion multiply as they should: φ real, f and g complex."""
    f, g, phi = torch.tensor([1 + 2j]), torch.tensor([3 - 1j]), torch.tensor([0.25])
    torch.testing.assert_close(fuse(f, g, phi), torch.tensor([1.5 + 1.25j]))
