"""Tiles: the result of the whole image, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from benchmarks.folder.provenance import ROOT
from bigprior.tiles import tiled, windows

MULTIPLE = 4
COARSE_RADIUS = 1 + 2 + 4 + 2 + 1
"""Of `UNet`: each 3×3 kernel reaches 1, 2 or 4 pixels, by its resolution."""


class UNet(nn.Module):
    """Two halvings and two doublings with skips, random weights, no symmetry."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.middle, self.coarse = (
            nn.Conv2d(2, 4, 3, 1, 1),
            nn.Conv2d(4, 4, 3, 1, 1),
            nn.Conv2d(4, 4, 3, 1, 1),
        )
        self.up_middle, self.up_fine = nn.Conv2d(8, 4, 3, 1, 1), nn.Conv2d(8, 3, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        def up(h: Tensor) -> Tensor:
            return h.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

        fine = torch.tanh(self.fine(x))
        middle = torch.tanh(self.middle(fine[:, :, ::2, 1::2]))
        coarse = torch.tanh(self.coarse(middle[:, :, 1::2, ::2]))
        middle = torch.tanh(self.up_middle(torch.cat([middle, up(coarse)], dim=1)))
        return self.up_fine(torch.cat([fine, up(middle)], dim=1))


def plain(layers: int = 4) -> nn.Sequential:
    """A chain of 3×3 convolutions: a receptive field of radius `layers`."""
    channels = [2, *[4] * (layers - 1), 3]
    steps = [[nn.Conv2d(a, b, 3, 1, 1), nn.Tanh()] for a, b in pairwise(channels)]
    return nn.Sequential(*[step for pair in steps for step in pair])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def random_image(*shape: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64)


class Recorder:
    """Remembers what it was given."""

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        self.network, self.shapes = network, list[tuple[int, ...]]()

    def __call__(self, x: Tensor) -> Tensor:
        self.shapes.append(tuple(x.shape))
        return self.network(x)


@torch.no_grad()
@pytest.mark.parametrize("size", [(67, 45), (33, 90), (24, 25), (200, 7), (5, 5)], ids=str)
def test_tiles_give_the_result_of_the_whole(size: tuple[int, int]) -> None:
    network, x = plain().double(), random_image(2, 2, *size)
    torch.testing.assert_close(tiled(network, x, tile=24, overlap=4), network(x), rtol=0, atol=1e-13)


@torch.no_grad()
def test_overlap_is_needed() -> None:
    """With one pixel less than the radius the seams show: the equality above is not for lack of power."""
    network, x = plain().double(), random_image(1, 2, 67, 45)
    assert not torch.allclose(tiled(network, x, tile=24, overlap=3), network(x), rtol=0, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("size", [(61, 83), (64, 32), (103, 18), (16, 16), (9, 3), (1, 1)], ids=str)
def test_coarse_grids_agree(size: tuple[int, int]) -> None:
    """The tiles of a network with halvings begin on the grid of the whole, and odd sizes are continued by the edge."""
    network, x = UNet().double(), random_image(2, 2, *size)
    below, beside = -size[0] % MULTIPLE, -size[1] % MULTIPLE
    continued = torch.cat([x, x[:, :, -1:].expand(-1, -1, below, -1)], dim=2)
    continued = torch.cat([continued, continued[..., -1:].expand(-1, -1, -1, beside)], dim=3)
    whole = network(continued)[:, :, : size[0], : size[1]]
    result = tiled(network, x, tile=42, overlap=COARSE_RADIUS, multiple=MULTIPLE)
    torch.testing.assert_close(result, whole, rtol=0, atol=1e-13)


@torch.no_grad()
def test_coarse_grids_need_their_overlap() -> None:
    network, x = UNet().double(), random_image(1, 2, 64, 96)
    assert not torch.allclose(tiled(network, x, tile=42, overlap=4, multiple=MULTIPLE), network(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("multiple", [1, 4])
def test_number_and_size_of_tiles(multiple: int) -> None:
    """As few tiles as the overlap allows, none larger than asked, all of a size that the network takes."""
    recorder = Recorder(nn.Identity())
    x = random_image(3, 2, 100, 41)
    torch.testing.assert_close(tiled(recorder, x, tile=40, overlap=8, multiple=multiple), x, rtol=0, atol=0)
    # 40 − 2 · 8 = 24 pixels of a tile are kept: ⌈100/24⌉ = 5 rows of ⌈41/24⌉ = 2 tiles, for each of three images.
    assert len(recorder.shapes) == 3 * 5 * 2
    for images, _, *sides in recorder.shapes:
        assert images == 1
        assert max(sides) <= 40
        assert all(side % multiple == 0 for side in sides)
    # The parts are nearly equal: nothing is computed twice but the overlaps.
    assert sum(h * w for _, _, h, w in recorder.shapes) <= 3 * (100 + 4 + 5 * 16) * (41 + 4 + 2 * 16)


@torch.no_grad()
def test_several_images_are_cut_alike() -> None:
    """An image, a map that is one number and a map of one channel, against one image of all their channels."""
    network = plain().double()
    image, level = random_image(2, 1, 67, 45), torch.tensor([0.3, 0.7], dtype=torch.float64).view(2, 1, 1, 1)
    told = level.expand_as(image)

    def joined(image: Tensor, told: Tensor) -> Tensor:
        return network(torch.cat([image, told], dim=1))

    whole = network(torch.cat([image, told], dim=1))
    torch.testing.assert_close(tiled(joined, image, told, tile=24, overlap=4), whole, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("multiple", "blend"), [(1, 0), (1, 8), (8, 0), (8, 16), (8, 20)])
@pytest.mark.parametrize("length", [97, 160, 1001])
def test_windows_cover_an_axis(length: int, multiple: int, blend: int) -> None:
    """Every pixel is kept by one window, or two where they are blended; the overlap is seen on both inner sides."""
    found = windows(length, 96, 16, blend=blend, multiple=multiple)
    assert (found[0].start, found[-1].stop, found[0].low) == (0, length, 0)
    shared = blend // 2 // multiple * 2 * multiple
    for before, after in pairwise(found):
        assert before.stop - after.start == shared
        assert before.high - before.stop >= 16
        assert after.start - after.low >= 16
    for window in found:
        assert window.high - window.low <= 96
        assert (window.low % multiple, window.high % multiple) == (0, 0)
        assert window.kept == slice(window.start - window.low, window.stop - window.low)


def test_small_images_are_untouched() -> None:
    recorder = Recorder(nn.Identity())
    tiled(recorder, random_image(3, 2, 40, 17), tile=40, overlap=8)
    assert recorder.shapes == [(3, 2, 40, 17)]


def test_a_tile_must_be_larger_than_its_overlap() -> None:
    with pytest.raises(ValueError, match="nothing is left of a tile of 16"):
        tiled(nn.Identity(), random_image(1, 1, 100, 100), tile=16, overlap=8)


MEASURE = """
import resource, sys
import torch
from methods.supervised._chain import Chain, chain_shapes
from bigprior.tiles import tiled

torch.set_num_threads(1)
shapes = chain_shapes("abc", (4, 64, 64, 3))
weights = {name: torch.zeros(shape) for name, shape in shapes.items()}
chain = Chain.of(weights, shapes, torch.float32, torch.device("cpu"))
y = torch.rand(1, 3, 4000, 6000)
with torch.no_grad():
    out = tiled(chain, torch.cat([y, torch.ones_like(y[:, :1])], dim=1), overlap=17)
assert out.shape == y.shape
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak / 2**30 if sys.platform == "darwin" else peak / 2**20)
"""


@pytest.mark.slow
def test_memory_of_24_megapixels() -> None:
    """Under 3 GiB, image and interpreter included. Three layers of 64 channels hold as much at a time as seventeen."""
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", MEASURE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 3
