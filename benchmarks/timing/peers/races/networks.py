"""Published networks against plain modules with the same weights, in float32."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from benchmarks.timing.peers.race import Case, Peer, Quality, Race, Size, Work, square
from benchmarks.timing.peers.restoring import DENOISE, psnr, row, row_missing
from bigprior.checkpoints import read_state_dict
from methods.supervised import dncnn_gray, fdncnn_color, ffdnet_color
from methods.supervised._matconvnet import read_matconvnet

SAME = Quality("dB", True, 0.005, psnr)
"""The networks are the same: only rounding may tell them apart."""
ROUGH = "[precision=bfloat16]"


def plain(parameters: Iterable[Tensor]) -> nn.Sequential:
    """Return 3×3 convolutions with a rectifier between each two, from their kernels and biases in turn."""
    values = list(parameters)
    modules: list[nn.Module] = []
    for weight, bias in zip(values[::2], values[1::2], strict=True):
        layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
        layer.load_state_dict({"weight": weight, "bias": bias})
        modules += [layer, nn.ReLU(inplace=True)]
    return nn.Sequential(*modules[:-1]).eval()


def dncnn_parameters() -> list[Tensor]:
    """Return DnCNN's kernels and biases."""
    return list(read_state_dict(dncnn_gray.DnCNNGray().weights_here()).values())


def plain_dncnn(case: Case) -> Work:
    """DnCNN as a sequence of modules."""
    network, y = plain(dncnn_parameters()), case.observation.y
    return lambda: y - network(y)


def deepinv_dncnn(case: Case) -> Work:
    """deepinv's DnCNN, which adds its output to the image."""
    from deepinv.models import DnCNN

    values, y = dncnn_parameters(), case.observation.y
    values[-2:] = [-value for value in values[-2:]]
    network = DnCNN(1, 1, depth=dncnn_gray.DEPTH, pretrained=None)
    network.load_state_dict(dict(zip(network.state_dict(), values, strict=True)))
    network.eval()
    return lambda: network(y)


def ffdnet_parameters() -> list[Tensor]:
    """Return FFDNet's kernels and biases."""
    read = read_matconvnet(ffdnet_color.FFDNetColor().weights_here())
    return [read[name] for name in ffdnet_color.CONVOLUTIONS]


def plain_ffdnet(case: Case) -> Work:
    """FFDNet as a sequence of modules between two rearrangements."""
    network, y, sigma = plain(ffdnet_parameters()), case.observation.y, case.sigma

    def work() -> Tensor:
        # The weights count the pixels of a block down its columns.
        blocks = pixel_unshuffle(y.mT, 2).mT
        level = torch.full_like(blocks[:, :1], sigma)
        return pixel_shuffle(network(torch.cat([blocks, level], dim=1)).mT, 2).mT

    return work


def deepinv_ffdnet(case: Case) -> Work:
    """deepinv's FFDNet, which rearranges the map of σ too: four times the same input, of which one has weights."""
    from deepinv.models import FFDNet

    values, y, sigma = ffdnet_parameters(), case.observation.y, case.sigma
    across = torch.tensor([4 * c + k for c in range(3) for k in (0, 2, 1, 3)])
    first = torch.zeros(values[0].shape[0], 16, 3, 3)
    first[:, across], first[:, 12] = values[0][:, :12], values[0][:, 12]
    last = values[-2].clone(), values[-1].clone()
    last[0][across], last[1][across] = values[-2], values[-1]
    network = FFDNet(ffdnet_color.DEPTH, 96, 3, pretrained=None)
    network.load_state_dict(dict(zip(network.state_dict(), [first, *values[1:-2], *last], strict=True)))
    network.eval()
    return lambda: network(y, sigma)


def plain_fdncnn(case: Case) -> Work:
    """FDnCNN as a sequence of modules."""
    read = read_matconvnet(fdncnn_color.FDnCNNColor().weights_here())
    network = plain([read[name] for name in fdncnn_color.CONVOLUTIONS])
    y, sigma = case.observation.y, case.sigma
    return lambda: network(torch.cat([y, torch.full_like(y[:, :1], sigma)], dim=1))


PLAIN = ("torch.nn.Sequential", "torch", "torch")
DNCNN = (
    Peer(*PLAIN, plain_dncnn, "the same convolutions, memory as by default", (1,)),
    Peer("deepinv DnCNN", "deepinv", "deepinv", deepinv_dncnn, "the same weights", (1,)),
)
FFDNET = (
    Peer(*PLAIN, plain_ffdnet, "the same convolutions, memory as by default", (3,)),
    Peer("deepinv FFDNet", "deepinv", "deepinv", deepinv_ffdnet, "the same weights", (3,)),
)
FDNCNN = (Peer(*PLAIN, plain_fdncnn, "the same convolutions, memory as by default", (3,)),)


def race(spec: str, peers: tuple[Peer, ...], sizes: tuple[Size, ...]) -> Race:
    """Return the race of a row of a network."""
    return Race(
        spec,
        spec.replace(ROUGH, ", bfloat16"),
        "networks",
        DENOISE,
        row(spec),
        peers,
        SAME,
        row_missing(spec, DENOISE),
        sizes,
    )


RACES = (
    race("dncnn-gray-25", DNCNN, square(planes=(1,))),
    race(f"dncnn-gray-25{ROUGH}", DNCNN[:1], square(planes=(1,))),
    race("ffdnet-color", FFDNET, square(planes=(3,))),
    race(f"ffdnet-color{ROUGH}", FFDNET[:1], square(planes=(3,))),
    race("fdncnn-color", FDNCNN, square((256,), planes=(3,))),
    race(f"fdncnn-color{ROUGH}", FDNCNN, square((256,), planes=(3,))),
)
