"""K-SVD: the pursuit, the dictionary update and the fusion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity
from methods.classic import _dictionary, ksvd
from methods.classic._dictionary import code, code_compiled, code_in_step, dct_dictionary, update
from methods.classic.kernels import installed
from methods.classic.ksvd import KSVD

OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])


def clean(channels: int, height: int, width: int) -> Tensor:
    crop = data.astronaut()[90 : 90 + height, 190 : 190 + width, :channels]
    return torch.from_numpy(crop.astype(np.float32) / 255).permute(2, 0, 1)[None]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def noisy(channels: int, height: int, width: int, sigma: float) -> Tensor:
    return clean(channels, height, width) + sigma * noise(1, channels, height, width)


def observe(y: Tensor, *sigma: float) -> Observation:
    return Observation(y, Identity(), Gaussian(torch.tensor(sigma, dtype=y.dtype)))


def unit_rows(count: int, length: int) -> Tensor:
    rows = noise(count, length, seed=1)
    return rows / rows.norm(dim=1, keepdim=True)


def pursue(x: np.ndarray, dictionary: np.ndarray, target: float, most: int) -> tuple[np.ndarray, dict[int, float]]:
    """Orthogonal matching pursuit of one patch by least squares: the definition."""
    residual = x
    support: list[int] = []
    coefficients = np.zeros(0)
    while residual @ residual > target and len(support) < most:
        support.append(int(np.abs(dictionary @ residual).argmax()))
        coefficients = np.linalg.lstsq(dictionary[support].T, x, rcond=None)[0]
        residual = x - coefficients @ dictionary[support]
    return residual, dict(zip(support, coefficients.tolist(), strict=True))


def dense(count: int, atoms: int, patch: Tensor, atom: Tensor, value: Tensor) -> Tensor:
    return torch.zeros(count, atoms).index_put((patch, atom), value)


@pytest.mark.parametrize(("target", "most"), [(2.0, 8), (0.5, 16), (1e-9, 5)])
def test_pursuit_equals_the_definition(target: float, most: int) -> None:
    dictionary = unit_rows(40, 16)
    patches = noise(300, 16) * torch.linspace(0.1, 1.5, 300)[:, None]
    codes = code(patches, dictionary, target, most, coefficients=True)
    values = dense(300, 40, codes.patch, codes.atom, codes.value)
    for i, patch in enumerate(patches.double().numpy()):
        residual, expected = pursue(patch, dictionary.double().numpy(), target, most)
        np.testing.assert_allclose(codes.residual[i].numpy(), residual, atol=1e-4)
        row = np.zeros(40)
        row[list(expected)] = list(expected.values())
        np.testing.assert_allclose(values[i].numpy(), row, atol=2e-3)
    torch.testing.assert_close(codes.residual, patches - values @ dictionary, rtol=0, atol=1e-5)
    torch.testing.assert_close(code(patches, dictionary, target, most).residual, codes.residual, rtol=0, atol=0)


def test_pursuit_over_an_orthonormal_basis_keeps_the_largest() -> None:
    basis = torch.linalg.qr(noise(16, 16))[0]
    patches = noise(50, 16)
    codes = code(patches, basis, 0.0, 5, coefficients=True)
    exact = patches @ basis.T
    smallest_kept = exact.abs().topk(5, dim=1).values[:, -1:]
    expected = torch.where(exact.abs() >= smallest_kept, exact, 0)
    torch.testing.assert_close(dense(50, 16, codes.patch, codes.atom, codes.value), expected, rtol=0, atol=1e-5)


def test_dependent_atoms_do_no_harm() -> None:
    """Patches outside the span of the dictionary: the target cannot be met, the residual is the projection's."""
    dictionary = torch.cat([torch.eye(8)[:3], torch.eye(8)[:3]])
    patches = noise(20, 8)
    codes = code(patches, dictionary, 1e-12, 6, coefficients=True)
    expected = patches.clone()
    expected[:, :3] = 0
    torch.testing.assert_close(codes.residual, expected, rtol=0, atol=1e-5)
    values = dense(20, 6, codes.patch, codes.atom, codes.value)
    torch.testing.assert_close(values @ dictionary, patches - expected, rtol=0, atol=1e-5)
    assert len(codes.value) == 60, "three atoms each, no atom twice"


def test_update_lowers_the_error_of_the_same_supports() -> None:
    patches, dictionary = noise(400, 16), unit_rows(24, 16)
    codes = code(patches, dictionary, 0.0, 3, coefficients=True)
    before = float(codes.residual.square().sum())
    update(patches, dictionary, codes)
    after = float(codes.residual.square().sum())
    torch.testing.assert_close(dictionary.norm(dim=1), torch.ones(24))
    assert after < 0.97 * before
    best = 0.0
    support = dense(400, 24, codes.patch, codes.atom, torch.ones_like(codes.value)).bool()
    for patch, chosen in zip(patches.double(), support, strict=True):
        atoms = dictionary[chosen].double()
        fit = torch.linalg.lstsq(atoms.T, patch[:, None]).solution
        best += float((patch - (atoms.T @ fit)[:, 0]).square().sum())
    assert best <= after, "the residual is one that these supports can reach"


def test_a_planted_dictionary_is_found() -> None:
    planted = torch.linalg.qr(noise(16, 16))[0][:8]
    amounts = torch.from_numpy(np.random.RandomState(2).uniform(1, 2, 800).astype(np.float32))
    patches = amounts[:, None] * planted.repeat(100, 1)
    start = planted + 0.15 * noise(8, 16)
    dictionary = start / start.norm(dim=1, keepdim=True)
    assert float((dictionary * planted).sum(dim=1).min()) < 0.95
    for _ in range(5):
        update(patches, dictionary, code(patches, dictionary, 1e-8, 1, coefficients=True))
    torch.testing.assert_close((dictionary * planted).sum(dim=1).abs(), torch.ones(8), rtol=0, atol=1e-4)


def test_atoms_without_users_become_the_worst_patches() -> None:
    patches = torch.diag(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    dictionary = torch.eye(4)[[0, 0, 0]]
    update(patches, dictionary, code(patches, dictionary, 1e-6, 1, coefficients=True))
    assert {int(row.argmax()) for row in dictionary} == {0, 2, 3}


def test_dct_dictionary() -> None:
    dictionary = dct_dictionary(8, 256)
    assert dictionary.shape == (256, 64)
    torch.testing.assert_close(dictionary.norm(dim=1), torch.ones(256))
    torch.testing.assert_close(dictionary[0], torch.full((64,), 0.125))
    torch.testing.assert_close(dictionary[1:].sum(dim=1), torch.zeros(255), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="square"):
        dct_dictionary(8, 200)
    with pytest.raises(ValueError, match="square"):
        KSVD(atoms=200)


@pytest.mark.parametrize("channels", [1, 3])
def test_fusion_is_the_papers_average(channels: int) -> None:
    """x̂ = (λ y + Σ patch estimates)/(λ + n) over a fixed dictionary, patch by patch."""
    sigma, size = 0.1, (17, 21)
    y = noisy(channels, *size, sigma)
    restoration = KSVD(iterations=0).restore(observe(y, sigma))
    opponent = np.ones((1, 1)) if channels == 1 else OPPONENT
    planes = np.einsum("oc,chw->ohw", opponent, y[0].double().numpy())
    dictionary = dct_dictionary(8, 256).double().numpy()
    total, cover = np.zeros_like(planes), np.zeros(size)
    for i in range(size[0] - 7):
        for j in range(size[1] - 7):
            cover[i : i + 8, j : j + 8] += 1
            for plane, out in zip(planes, total, strict=True):
                patch = plane[i : i + 8, j : j + 8]
                centred = (patch - patch.mean()).ravel()
                residual, _ = pursue(centred, dictionary, (1.15 * sigma) ** 2 * 64, 32)
                out[i : i + 8, j : j + 8] += patch - residual.reshape(8, 8)
    weight = 30 / 255 / sigma
    expected = np.einsum("oc,ohw->chw", opponent, (weight * planes + total) / (weight + cover))
    np.testing.assert_allclose(restoration.image[0].numpy(), expected, atol=1e-4)
    assert restoration.phi is not None
    np.testing.assert_allclose(restoration.phi[0, 0].numpy(), cover / (weight + cover), atol=1e-6)


def test_reliance_counts_the_patches() -> None:
    restoration = KSVD(iterations=0).restore(observe(noisy(1, 33, 47, 0.1), 0.1))

    def along(length: int) -> Tensor:
        i = torch.arange(length)
        return torch.minimum(torch.minimum(i, length - 1 - i) + 1, torch.tensor(8))

    cover = torch.outer(along(33), along(47))
    assert restoration.phi is not None
    torch.testing.assert_close(restoration.phi[0, 0], cover / (30 / 25.5 + cover))


def test_patches_that_are_all_noise_give_their_means() -> None:
    y = 0.5 + 0.05 * noise(1, 1, 24, 20)
    restoration = KSVD(gain=3).restore(observe(y, 0.05))
    means = torch.nn.functional.avg_pool2d(y, 8, stride=1)
    ones = torch.ones(1, 1, 8, 8)
    spread = torch.nn.functional.conv_transpose2d(means, ones)
    spread /= torch.nn.functional.conv_transpose2d(torch.ones_like(means), ones)
    assert restoration.prior is not None
    torch.testing.assert_close(restoration.prior, spread, rtol=0, atol=1e-5)


def test_learning_helps() -> None:
    """On stripes at an angle that no DCT atom has, the learned dictionary is far better."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    x = (0.5 + 0.3 * torch.sign(torch.sin(0.9 * rows + 0.55 * columns)))[None, None]
    y = x + 0.15 * noise(1, 1, 64, 64)

    def error(method: KSVD) -> float:
        return float((method.restore(observe(y, 0.15)).image - x).square().mean())

    assert error(KSVD()) < 0.7 * error(KSVD(iterations=0))


def test_levels_of_noise_do_not_mix_in_a_batch() -> None:
    y = torch.cat([noisy(3, 24, 24, 0.1)] * 2)
    restoration = KSVD().restore(observe(y, 0.0, 0.1))
    torch.testing.assert_close(restoration.image[0], y[0], rtol=0, atol=0)
    assert restoration.phi is not None
    assert float(restoration.phi[0].max()) == 0
    alone = KSVD().restore(observe(y[1:], 0.1)).image[0]
    torch.testing.assert_close(restoration.image[1], alone, rtol=0, atol=1e-6)


compiles = pytest.mark.skipif(not installed(), reason="there is no numba")


@compiles
@pytest.mark.parametrize(("target", "most"), [(30.0, 8), (2.0, 8), (0.5, 16), (1e-9, 5)])
def test_both_pursuits_take_the_same_atoms(target: float, most: int) -> None:
    dictionary = unit_rows(41, 17)
    patches = noise(1500, 17) * torch.linspace(0.1, 1.5, 1500)[:, None]
    left, right = (by(patches, dictionary, target, most, True) for by in (code_compiled, code_in_step))
    torch.testing.assert_close(left.residual, right.residual, rtol=0, atol=1e-5)
    values = [dense(1500, 41, codes.patch, codes.atom, codes.value) for codes in (left, right)]
    torch.testing.assert_close(values[0] != 0, values[1] != 0)
    torch.testing.assert_close(*values, rtol=0, atol=1e-4)


@compiles
def test_both_updates_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    patches, learned = noise(400, 17), []
    for by in (_dictionary.improve_compiled, _dictionary.improve_by_atom):
        monkeypatch.setattr(_dictionary, "improve_compiled", by)
        dictionary = torch.cat([unit_rows(24, 17), unit_rows(1, 17)])  # and a twin
        codes = code(patches, dictionary, 4.0, 3, coefficients=True)
        update(patches, dictionary, codes)
        learned.append((dictionary, codes.residual))
    for left, right in zip(*learned, strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-5)


@compiles
@pytest.mark.parametrize("size", [(40, 53), (9, 64), (8, 8), (5, 3)])
def test_with_and_without_kernels(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a fixed dictionary nothing differs but patches that are on the verge; over a learned one these add up."""
    y = torch.cat([noisy(3, *size, 0.1), noisy(3, *size, 0.04)])
    fixed, learned = KSVD(iterations=0), KSVD(atoms=64, iterations=3)
    left = [method.restore(observe(y, 0.1, 0.04)).image for method in (fixed, learned)]
    monkeypatch.setattr(_dictionary, "available", lambda *tensors: False)
    right = [method.restore(observe(y, 0.1, 0.04)).image for method in (fixed, learned)]
    assert float(((left[0] - right[0]).abs() > 1e-5).float().mean()) < 0.02
    truth = clean(3, *size)
    errors = [[float((image - truth).square().mean()) for image in images[1]] for images in (left, right)]
    np.testing.assert_allclose(*errors, rtol=0.01)


@pytest.mark.parametrize("size", [(40, 53), (9, 64), (8, 8), (5, 3)])
def test_bands_of_patches_make_no_difference(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One row of patches at a time, learning from all of them, against all at once."""
    observation, method = observe(noisy(3, *size, 0.1), 0.1), KSVD(atoms=64, iterations=2, training=200)
    whole = method.restore(observation)
    monkeypatch.setattr(ksvd, "BAND", 1)
    torch.testing.assert_close(method.restore(observation).image, whole.image, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("length", "side"), [(20, 8), (9, 8), (8, 8), (13, 1)])
def test_patches_over_a_pixel_are_counted(length: int, side: int) -> None:
    counts = [sum(start <= place < start + side for start in range(length - side + 1)) for place in range(length)]
    assert ksvd.patches_over(length, side).tolist() == counts
