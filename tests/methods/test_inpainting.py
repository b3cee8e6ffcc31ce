"""Inpainting: the fusion around a fill, and each fill against an independent reference."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage, sparse
from scipy.optimize import minimize
from skimage import data
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from datasets.dataset import get_dataset
from datasets.noise import NoNoise
from datasets.observation import Observation
from datasets.operators import Masking
from datasets.task import Key
from datasets.tasks.inpaint_center import InpaintCenter
from methods.classic import _multigrid, exemplar
from methods.classic._inpainting import Bools, Floats, Inpainting, laplacian_rows
from methods.classic._opencv import inpaint_channels
from methods.classic.biharmonic import Biharmonic
from methods.classic.exemplar import Exemplar, enlarged, halved, search, targets, vote
from methods.classic.harmonic import Harmonic
from methods.classic.navier_stokes import NavierStokes
from methods.classic.ring_mean import RingMean
from methods.classic.telea import Telea
from methods.classic.tv_inpaint import TVInpaint, touched_differences

FILLS = [RingMean(), Harmonic(), Biharmonic(), TVInpaint(), Telea(), NavierStokes(), Exemplar()]
each_fill = pytest.mark.parametrize("method", FILLS, ids=lambda method: method.name)


def photograph(h: int, w: int, channels: int = 3) -> Floats:
    return data.astronaut()[20 : 20 + h, 200 : 200 + w, :channels] / 255


def holes(h: int, w: int) -> dict[str, Bools]:
    """Holes of several shapes (H,W)."""
    inside, border, corner, ring, scattered = (np.zeros((h, w), dtype=bool) for _ in range(5))
    inside[h // 4 : h // 2, w // 3 : w // 2] = True
    border[:, w // 3 : w // 2] = True
    corner[: h // 2, : w // 2] = True
    corner[-3:, -4:] = True
    ring[2:-2, 2:-2] = True
    ring[h // 2, w // 2] = False
    scattered[np.random.RandomState(0).rand(h, w) < 0.5] = True
    one_left = np.ones((h, w), dtype=bool)
    one_left[h // 3, 1] = False
    return {
        "inside": inside,
        "border": border,
        "corner": corner,
        "ring": ring,
        "scattered": scattered,
        "one-left": one_left,
    }


def observe(images: Floats, hole: Bools, dtype: torch.dtype = torch.float32) -> Observation:
    """The observation of one image (H,W,C) or a batch (N,H,W,C) through one hole (H,W) or (N,H,W)."""
    x = torch.from_numpy(np.atleast_3d(images)).to(dtype)
    x = (x[None] if x.ndim == 3 else x).permute(0, 3, 1, 2)
    mask = torch.from_numpy(~hole).to(dtype).reshape(-1, 1, *hole.shape[-2:])
    return Observation(x * mask, Masking(mask), NoNoise())


def decibel(error: Floats | Tensor) -> float:
    return float(-10 * np.log10((np.asarray(error) ** 2).mean()))


@each_fill
@pytest.mark.parametrize("kind", holes(16, 16))
def test_observed_pixels_are_untouched_and_the_rest_is_prior(method: Inpainting, kind: str) -> None:
    for (h, w), channels, dtype in (((33, 47), 3, torch.float32), ((16, 16), 1, torch.float64)):
        observation = observe(photograph(h, w, channels), holes(h, w)[kind], dtype)
        restoration = method.restore(observation)
        assert restoration.phi is not None
        assert restoration.prior is not None
        assert torch.equal(restoration.phi, 1 - observation.mask)
        assert torch.equal(restoration.image * observation.mask, observation.y)
        hole = (observation.mask == 0).expand_as(restoration.image)
        assert torch.equal(restoration.image[hole], restoration.prior[hole])
        assert restoration.image.dtype == dtype
        assert torch.isfinite(restoration.image).all()


@each_fill
def test_a_constant_image_stays_constant(method: Inpainting) -> None:
    colour = np.array([0.25, 0.5, 0.8])
    for hole in holes(24, 31).values():
        image = method.restore(observe(np.tile(colour, (24, 31, 1)), hole, torch.float64)).image
        # OpenCV's fast marching adds a few gray levels of its own, and its channels are float32.
        tolerance = {"telea": 4 / 255, "navier-stokes": 1e-4}.get(method.name, 1e-6)
        assert np.abs(image.numpy() - colour[:, None, None]).max() < tolerance


@each_fill
def test_values_in_the_hole_are_never_read(method: Inpainting) -> None:
    clean = observe(photograph(20, 24), holes(20, 24)["corner"])
    dirty = Observation(clean.y + 7 * (1 - clean.mask), clean.operator, clean.noise)
    assert torch.equal(method.restore(dirty).image, method.restore(clean).image)


@each_fill
def test_batch_equals_one_by_one(method: Inpainting) -> None:
    image = photograph(20, 24)
    kinds = holes(20, 24)
    observation = observe(
        np.stack([image, image[::-1], image]), np.stack([kinds["inside"], kinds["ring"], kinds["inside"] & False])
    )
    together = method.restore(observation).image
    for i in range(3):
        assert torch.equal(together[i : i + 1], method.restore(observation.select(i)).image)
    assert torch.equal(together[2], observation.y[2]), "nothing to fill"


@each_fill
def test_no_observed_pixel(method: Inpainting) -> None:
    nothing = observe(np.stack([photograph(16, 16)] * 2), np.stack([holes(16, 16)["ring"], np.ones((16, 16), bool)]))
    with pytest.raises(ValueError, match="image 1 of the batch has no observed pixel"):
        method.restore(nothing)


def differences(height: int, width: int) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return (D_rows, D_columns), the forward differences of an image in row-major order, each (HW, HW).

    The row of a pixel that has no neighbour below (to the right) is zero: the Neumann condition at the image border.
    """

    def forward(n: int) -> sparse.csr_array:
        d = sparse.diags_array([-np.ones(n), np.ones(n - 1)], offsets=[0, 1], format="lil")
        d[n - 1, n - 1] = 0
        return sparse.csr_array(d)

    eye = sparse.eye_array
    return (
        sparse.csr_array(sparse.kron(forward(height), eye(width))),
        sparse.csr_array(sparse.kron(eye(height), forward(width))),
    )


def test_differences_are_forward_and_neumann() -> None:
    x = np.random.RandomState(1).rand(5, 7)
    rows, columns = (d @ x.ravel() for d in differences(5, 7))
    np.testing.assert_allclose(rows.reshape(5, 7), np.diff(x, axis=0, append=x[-1:]))
    np.testing.assert_allclose(columns.reshape(5, 7), np.diff(x, axis=1, append=x[:, -1:]))


@pytest.mark.parametrize("width", [1, 3])
def test_ring_mean_by_brute_force(width: int) -> None:
    image = photograph(21, 30)
    hole = np.zeros((21, 30), dtype=bool)
    hole[0:5, 2:9] = hole[8:14, 12:20] = hole[14:16, 20:23] = True  # the last two meet at a corner only
    parts = [(slice(0, 5), slice(2, 9)), (slice(8, 14), slice(12, 20)), (slice(14, 16), slice(20, 23))]
    filled = RingMean(width).fill(image * ~hole[..., None], hole)
    for rows, columns in parts:
        ring = [
            image[i, j]
            for i in range(max(rows.start - width, 0), min(rows.stop + width, 21))
            for j in range(max(columns.start - width, 0), min(columns.stop + width, 30))
            if not hole[i, j]
        ]
        inside = filled[rows, columns].reshape(-1, 3)
        np.testing.assert_allclose(inside, np.tile(np.mean(ring, axis=0), (len(inside), 1)), atol=1e-12)


def test_ring_mean_refuses_no_ring() -> None:
    with pytest.raises(ValueError, match="width must be a whole number, 1 to 1000, not 0"):
        RingMean(0)


def dense_laplacian(h: int, w: int) -> Floats:
    """Minus the graph Laplacian of the h×w grid, by loops."""
    matrix = np.zeros((h * w, h * w))
    for i in range(h):
        for j in range(w):
            for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                if 0 <= a < h and 0 <= b < w:
                    matrix[i * w + j, i * w + j] += 1
                    matrix[i * w + j, a * w + b] -= 1
    return matrix


def dense_least_squares(operator: Floats, image: Floats, hole: Bools) -> Floats:
    """argmin ‖operator x‖² over the pixels of the hole, dense."""
    flat, unknown = image.reshape(hole.size, -1).copy(), hole.ravel()
    right = -operator[:, ~unknown] @ flat[~unknown]
    flat[unknown] = np.linalg.lstsq(operator[:, unknown], right, rcond=None)[0]
    return flat.reshape(image.shape)


@pytest.mark.parametrize("kind", holes(13, 17))
def test_harmonic_minimises_the_gradient(kind: str) -> None:
    image, hole = photograph(13, 17), holes(13, 17)[kind]
    np.testing.assert_allclose(laplacian_rows(np.ones((13, 17), bool)).toarray(), dense_laplacian(13, 17))
    gradient = np.vstack([d.toarray() for d in differences(13, 17)])
    filled = Harmonic().fill(image * ~hole[..., None], hole)
    np.testing.assert_allclose(filled, dense_least_squares(gradient, image, hole), atol=1e-9)


def test_harmonic_mean_value_and_ramp() -> None:
    image, hole = photograph(33, 47), holes(33, 47)["corner"]
    x = np.pad(Harmonic().fill(image * ~hole[..., None], hole), ((1, 1), (1, 1), (0, 0)), mode="edge")
    # Edge padding repeats the pixel itself: the mean of four is then the mean of those within, if it is x itself.
    mean = (x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]) / 4
    np.testing.assert_allclose(mean[hole], x[1:-1, 1:-1][hole], atol=1e-10)

    i, j = np.mgrid[:20, :30]
    ramp, inside = (0.01 * i + 0.02 * j)[..., None], holes(20, 30)["inside"]
    for method in (Harmonic(), Biharmonic()):
        np.testing.assert_allclose(method.fill(ramp * ~inside[..., None], inside), ramp, atol=1e-8)


@pytest.mark.parametrize("kind", ["inside", "border", "corner", "scattered"])
def test_biharmonic_minimises_the_laplacian(kind: str) -> None:
    image, hole = photograph(13, 17), holes(13, 17)[kind]
    reference = dense_least_squares(dense_laplacian(13, 17), image, hole)
    observed = image[~hole]
    reference[hole] = reference[hole].clip(observed.min(axis=0), observed.max(axis=0))
    filled = Biharmonic().restore(observe(image, hole, torch.float64)).image[0].permute(1, 2, 0)
    np.testing.assert_allclose(filled, reference, atol=1e-7)


@pytest.mark.parametrize("kind", holes(41, 33))
def test_biharmonic_equals_scikit_image(kind: str) -> None:
    image, hole = photograph(41, 33), holes(41, 33)[kind]
    ours = Biharmonic().restore(observe(image, hole, torch.float64)).image[0].permute(1, 2, 0)
    np.testing.assert_allclose(ours, inpaint_biharmonic(image * ~hole[..., None], hole, channel_axis=-1), atol=1e-6)


@pytest.mark.parametrize(
    "method", [Harmonic(), Biharmonic(), Telea(2), NavierStokes(2)], ids=lambda method: method.name
)
def test_what_is_far_from_the_hole_does_not_matter(method: Inpainting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part around the hole gives the same fill as the whole image."""
    seen = []
    for kind in ("inside", "corner", "scattered"):
        image, hole = photograph(50, 61), holes(50, 61)[kind]
        near = method.restore(observe(image, hole)).image
        with monkeypatch.context() as patch:
            patch.setattr(type(method), "reach", property(lambda _: None))
            torch.testing.assert_close(near, method.restore(observe(image, hole)).image, rtol=0, atol=1e-6)
            patch.setattr(type(method), "fill", lambda _, part, hole: seen.append(hole.shape) or part)
            method.restore(observe(image, hole))
        with monkeypatch.context() as patch:
            patch.setattr(type(method), "fill", lambda _, part, hole: seen.append(hole.shape) or part)
            method.restore(observe(image, hole))
    assert seen[0] == (50, 61)
    assert seen[1][0] < 50
    assert seen[1][1] < 61


def test_laplacian_rows_are_those_of_the_laplacian() -> None:
    for hole in holes(13, 17).values():
        assert abs(laplacian_rows(hole) - dense_laplacian(13, 17)[hole.ravel()]).max() == 0


@pytest.mark.parametrize("kind", ["inside", "border", "corner", "scattered"])
@pytest.mark.parametrize("channels", [1, 3])
def test_compiled_telea_is_opencv(kind: str, channels: int) -> None:
    pytest.importorskip("numba")
    for size, radius in (((61, 75), 12), ((33, 18), 3.4), ((9, 7), 1)):
        image, hole = photograph(*size, channels) * 255, holes(*size)[kind]
        image = image * ~hole[..., None]
        opencv = inpaint_channels(image, hole, radius, cv2.INPAINT_TELEA)
        difference = (Telea(radius).fill(image / 255, hole) * 255 - opencv)[hole]
        assert np.sqrt((difference**2).mean()) < 0.02


def test_telea_without_numba_or_on_two_rows_is_opencv_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    image, hole = photograph(20, 24), holes(20, 24)["inside"]

    def check(rows: slice) -> None:
        part, gap = (image * ~hole[..., None])[rows], hole[rows]
        assert gap.any()
        assert np.array_equal(Telea().fill(part, gap), inpaint_channels(part * 255, gap, 12, cv2.INPAINT_TELEA) / 255)

    check(slice(8, 10))
    assert not Telea().remarks()
    monkeypatch.setattr("methods.classic.telea.installed", lambda: False)
    check(slice(None))
    assert Telea().remarks()


def total_variation(x: Tensor, epsilon: float) -> Tensor:
    rows = torch.diff(x, dim=0, append=x[-1:])
    columns = torch.diff(x, dim=1, append=x[:, -1:])
    return ((rows**2 + columns**2).sum(dim=2) + epsilon**2).sqrt().sum()


def tv_gradient(x: Floats, epsilon: float) -> tuple[float, Floats]:
    variable = torch.from_numpy(x).requires_grad_()
    value = total_variation(variable, epsilon)
    (gradient,) = torch.autograd.grad(value, variable)
    return value.item(), gradient.numpy()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["inside", "corner", "scattered"])
def test_tv_against_brute_force(kind: str, channels: int) -> None:
    image, hole, epsilon = photograph(15, 18, channels), holes(15, 18)[kind], 0.03
    method = TVInpaint(epsilon=epsilon, tolerance=1e-9, iterations=2000)
    filled = method.fill(image * ~hole[..., None], hole)
    value, gradient = tv_gradient(filled, epsilon)
    assert np.abs(gradient[hole]).max() < 1e-5, "stationary in the hole"

    def energy(v: Floats) -> tuple[float, Floats]:
        x = image.copy()
        x[hole] = v.reshape(-1, channels)
        value, gradient = tv_gradient(x, epsilon)
        return value, gradient[hole].ravel()

    best = minimize(energy, np.full(image[hole].size, 0.5), jac=True, method="L-BFGS-B",
                    options={"maxiter": 5000, "maxfun": 10000, "ftol": 1e-15, "gtol": 1e-8, "maxcor": 30})  # fmt: skip
    assert value <= best.fun + 1e-8
    np.testing.assert_allclose(filled[hole].ravel(), best.x, atol=1e-4)


def test_tv_default_is_converged_and_keeps_an_edge() -> None:
    image, hole = photograph(33, 47), holes(33, 47)["inside"]
    exact = TVInpaint(tolerance=1e-9, iterations=2000).fill(image * ~hole[..., None], hole)
    assert np.abs(TVInpaint().fill(image * ~hole[..., None], hole) - exact).max() < 0.02

    step = np.zeros((20, 20, 1))
    step[:, 10:] = 1
    gap = np.zeros((20, 20), dtype=bool)
    gap[8:11, 4:16] = True
    sharp = np.abs(TVInpaint(epsilon=1e-3).fill(step * ~gap[..., None], gap) - step).max()
    blurred = np.abs(Harmonic().fill(step * ~gap[..., None], gap) - step).max()
    assert sharp < 0.05 < 0.2 < blurred


@pytest.mark.parametrize(("method", "algorithm"), [(Telea(), cv2.INPAINT_TELEA), (NavierStokes(), cv2.INPAINT_NS)])
def test_opencv_in_8_bit_is_close(method: Telea | NavierStokes, algorithm: int) -> None:
    image, hole = photograph(60, 71), holes(60, 71)["inside"]
    byte = cv2.inpaint((image * 255).round().astype(np.uint8), hole.astype(np.uint8), method.radius, algorithm) / 255
    ours = method.fill(image * ~hole[..., None], hole)
    difference = decibel((ours - byte)[hole])
    other = decibel((Harmonic().fill(image * ~hole[..., None], hole) - byte)[hole])
    assert difference > 30
    assert difference > other + 3, "another method's fill would not pass"


@pytest.mark.parametrize("radius", [0, 0.5, 101])
def test_opencv_radius_out_of_range(radius: float) -> None:
    for method in (Telea, NavierStokes):
        with pytest.raises(ValueError, match="radius must be a number, 1 to 100"):
            method(radius)


@pytest.mark.parametrize("channels", [1, 3])
def test_exemplar_continues_a_periodic_texture(channels: int) -> None:
    i, j = np.mgrid[:96, :80]
    tile = np.random.RandomState(2).rand(8, 8, channels)
    texture, hole = tile[i % 8, j % 8], np.zeros((96, 80), dtype=bool)
    hole[40:56, 30:46] = True
    filled = Exemplar().fill(texture * ~hole[..., None], hole)
    assert np.abs(filled - texture).max() < 1e-3
    assert np.abs(Harmonic().fill(texture * ~hole[..., None], hole) - texture).max() > 0.3


@pytest.mark.parametrize("name", holes(37, 51))
@pytest.mark.parametrize("method", [Harmonic(), TVInpaint()], ids=lambda method: method.name)
def test_large_holes_are_filled_as_small_ones(method: Inpainting, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By conjugate gradients on several grids, or by a factorisation."""
    hole = holes(37, 51)[name]
    image = np.random.RandomState(8).rand(37, 51, 3) * ~hole[..., None]
    exact = method.fill(image, hole)
    monkeypatch.setattr(_multigrid, "DIRECT", 0)
    monkeypatch.setattr(_multigrid, "COARSEST", 10)
    np.testing.assert_allclose(method.fill(image, hole), exact, rtol=0, atol=1e-6)


def test_few_iterations_fill_a_large_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number hardly grows with the hole, as it does without the coarser grids (over a hundred here)."""
    monkeypatch.setattr(_multigrid, "DIRECT", 0)
    monkeypatch.setattr(_multigrid, "MOST", 25)
    hole = np.zeros((130, 190), dtype=bool)
    hole[5:-5, 5:-5] = True
    image = np.random.RandomState(9).rand(130, 190, 1) * ~hole[..., None]
    filled = Harmonic().fill(image, hole)
    monkeypatch.setattr(_multigrid, "COARSEST", 10**6)
    assert np.abs(filled - Harmonic().fill(image, hole)).max() < 1e-8


def test_an_iteration_that_does_not_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_multigrid, "DIRECT", 0)
    monkeypatch.setattr(_multigrid, "COARSEST", 10)
    monkeypatch.setattr(_multigrid, "MOST", 1)
    hole = holes(37, 51)["ring"]
    with pytest.raises(ArithmeticError, match="does not converge in 1 iterations"):
        Harmonic().fill(np.random.RandomState(9).rand(37, 51, 1) * ~hole[..., None], hole)


@pytest.mark.parametrize("name", holes(13, 17))
def test_tv_terms_are_those_that_the_hole_touches(name: str) -> None:
    hole = holes(13, 17)[name]
    near = ndimage.binary_dilation(hole, np.ones((3, 3), dtype=bool))
    every = [d.toarray() for d in differences(13, 17)]
    touched = (abs(every[0]) + abs(every[1]))[:, hole.ravel()].sum(axis=1) > 0
    for found, whole in zip(touched_differences(hole, near), every, strict=True):
        assert not whole[touched][:, ~near.ravel()].any(), "no pixel is forgotten"
        np.testing.assert_array_equal(found.toarray(), whole[touched][:, near.ravel()])


def test_exemplar_search_is_exhaustive() -> None:
    random = np.random.RandomState(3)
    query, database = (random.rand(n, 5).astype(np.float32) for n in (300, 700))
    squared = ((query[:, None].astype(float) - database[None]) ** 2).sum(axis=2)
    for databases in ([database], [database[:1], database[1:333], database[333:]]):
        nearest, distance = search(query, databases)
        assert np.array_equal(nearest, squared.argmin(axis=1))
        np.testing.assert_allclose(distance, squared.min(axis=1), rtol=1e-5)


def test_exemplar_search_takes_the_first_among_equals() -> None:
    query = np.zeros((2, 3), dtype=np.float32)
    database = np.ones((4, 3), dtype=np.float32)
    assert search(query, [database[:2], database[2:]])[0].tolist() == [0, 0]


@pytest.mark.parametrize("name", ["inside", "corner"])
def test_exemplar_in_blocks_of_patches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patches described a few at a time make the image that all at once make."""
    image, hole = np.random.RandomState(6).rand(31, 43, 3), holes(31, 43)[name]
    whole = Exemplar().fill(image * ~hole[..., None], hole)
    monkeypatch.setattr(exemplar, "BLOCK", 100)
    np.testing.assert_allclose(Exemplar().fill(image * ~hole[..., None], hole), whole, atol=1e-6)


def test_exemplar_vote_by_brute_force() -> None:
    random = np.random.RandomState(4)
    x, hole, patch = random.rand(12, 11, 3), holes(12, 11)["inside"], 3
    target = targets(hole, patch, 2)
    chosen, distance = random.rand(len(target), patch * patch * 3).astype(np.float32), random.rand(len(target))
    weight = np.exp(-distance / (2 * np.percentile(distance, 75)))
    result = vote(x, hole, chosen, distance, target, patch)
    assert np.array_equal(result[~hole], x[~hole])
    for i, j in np.argwhere(hole):
        over = [t for t, (a, b) in enumerate(target) if 0 <= i - a < patch and 0 <= j - b < patch]
        said = [chosen[t].reshape(patch, patch, 3)[i - target[t][0], j - target[t][1]] for t in over]
        np.testing.assert_allclose(result[i, j], np.average(said, axis=0, weights=weight[over]), rtol=1e-6)


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_exemplar_patches_cover_every_hole(stride: int) -> None:
    for hole in holes(17, 22).values():
        covered = np.zeros_like(hole)
        for a, b in targets(hole, 5, stride):
            covered[a : a + 5, b : b + 5] = True
        assert covered[hole].all()


def test_exemplar_pyramid_keeps_a_ramp_in_place() -> None:
    i, j = np.mgrid[:17, :22]
    ramp, hole = (0.02 * i + 0.03 * j)[..., None], holes(17, 22)["inside"]
    coarse, coarse_hole = halved(ramp, hole)
    assert coarse.shape == (9, 11, 1)
    assert coarse_hole.repeat(2, axis=0).repeat(2, axis=1)[:17, :22][hole].all()
    coarse = halved(ramp, hole & False)[0]
    np.testing.assert_allclose(enlarged(coarse, (17, 22))[1:-2, 1:-1], ramp[1:-2, 1:-1], atol=1e-12)


def test_exemplar_refuses_bad_parameters() -> None:
    with pytest.raises(ValueError, match="odd"):
        Exemplar(patch=4)
    with pytest.raises(ValueError, match="stride"):
        Exemplar(patch=5, stride=6)


@pytest.mark.realdata
def test_telea_on_the_bedroom_test_images() -> None:
    scores = []
    for entry in get_dataset("lsun-bedroom").entries("test"):
        clean = entry.load()
        image = Telea().restore(InpaintCenter().degrade(clean, Key(0, "lsun-bedroom", entry.name))).image[0]
        scores.append(decibel((image.clamp(0, 1) * 255).round() / 255 - clean))
    assert len(scores) == 50
    assert np.mean(scores) >= 27.5
