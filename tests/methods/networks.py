"""Small networks and the files of them that students have, for the tests of the adapters."""

from __future__ import annotations

import inspect
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

LAYERS = 8
"""The least number of convolutions that spandrel takes for a DnCNN."""


class TinyDnCNN(nn.Module):
    """x − network(x): convolutions of 3×3 with rectifiers between them, named as DnCNN's are."""

    def __init__(self, depth: int = LAYERS, width: int = 4, channels: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(depth):
            inward, outward = channels if number == 0 else width, channels if number == depth - 1 else width
            layers += [nn.Conv2d(inward, outward, 3, padding=1), nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return x - self.model(x)


CODE = f"from torch import Tensor, nn\n\nLAYERS = {LAYERS}\n\n\n{inspect.getsource(TinyDnCNN)}"
"""A student's file with the class."""


def smoother(channels: int = 1, width: int = 4) -> nn.Module:
    """A `TinyDnCNN` that smooths: the noise is what is left of the image without its local mean."""
    network = TinyDnCNN(width=width, channels=channels)
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d)]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in convolutions:
            each.weight.copy_(0.01 * torch.randn(each.weight.shape, generator=generator))
            each.bias.copy_(0.01 * torch.randn(each.bias.shape, generator=generator))
            for c in range(channels):
                each.weight[c, c, 1, 1] = 1.0
        for c in range(channels):  # y goes through the rectifiers unchanged, and its high frequencies come out
            convolutions[-1].weight[c, c] = -torch.ones(3, 3) / 9
            convolutions[-1].weight[c, c, 1, 1] += 1.0
    return network.eval()


def save_onnx(network: nn.Module, file: Path, opset: int = 17, sides: tuple[int | str, int | str] = ("h", "w")) -> None:
    """Write a `TinyDnCNN` as an ONNX graph."""
    nodes, weights, last = [], [], "x"
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d)]
    for number, each in enumerate(convolutions):
        assert each.bias is not None
        names = f"w{number}", f"b{number}"
        weights += [
            numpy_helper.from_array(value.detach().numpy(), name)
            for value, name in zip((each.weight, each.bias), names, strict=True)
        ]
        nodes.append(helper.make_node("Conv", [last, *names], [f"c{number}"], pads=[1, 1, 1, 1]))
        last = f"c{number}"
        if number < len(convolutions) - 1:
            nodes.append(helper.make_node("Relu", [last], [f"r{number}"]))
            last = f"r{number}"
    nodes.append(helper.make_node("Sub", ["x", last], ["out"]))
    channels = convolutions[0].in_channels
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, *sides]) for name in ("x", "out")]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], weights)
    file.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8).SerializeToString()
    )
    assert onnx.load(file)


class WithSigma(nn.Module):
    """x + k (mean − x), k = min(1, 12 σ), σ told in one of the ways that there are; the weight is the mean's."""

    def __init__(self, way: str, channels: int = 1, scale: float = 1.0) -> None:
        super().__init__()
        self.way, self.channels, self.scale = way, channels, scale
        self.mean = nn.Conv2d(channels, channels, 3, padding=1, bias=False, groups=channels)
        nn.init.constant_(self.mean.weight, 1 / 9)

    def forward(self, x: Tensor, *told: Tensor) -> Tensor:
        if self.way == "channel":
            x, sigma = x[:, :-1], x[:, -1:]
        elif self.way == "map":
            (sigma,) = told
            if sigma.shape != (len(x), 1, *x.shape[2:]):
                raise ValueError("no map")
        else:
            (sigma,) = told
            if sigma.shape != (len(x),):
                raise ValueError("no number")
            sigma = sigma[:, None, None, None]
        return x + (12 * sigma / self.scale).clamp(max=1) * (self.mean(x) - x)
