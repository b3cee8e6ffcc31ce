"""The BIGPrior paper's φ-network, which takes its released checkpoints unchanged.

Source: M. El Helou and S. Süsstrunk, "BIGPrior: Towards Decoupling Learned Prior Hallucination and Data Fidelity in
Image Restoration", IEEE Transactions on Image Processing, 2022; the backbone is that of K. Zhang et al., "Beyond a
Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising", IEEE TIP 26(7), 2017.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from bigprior.checkpoints import filled, read_state_dict
from bigprior.fusion import Restoration

SHIFT = 0.5
"""The released networks were trained on images in [−½, ½]."""
PREFIX = "module.backbone."
"""Of the keys of a released checkpoint: a network inside a model inside `DataParallel`."""
LAYERS, FEATURES = 17, 64


class PaperBackbone(nn.Module):
    """φ = z − D(z), z = y − ½, with D a DnCNN of 17 layers: convolution, ReLU; 15 times convolution, batch
    normalisation, ReLU; convolution. All convolutions are 3×3, without biases, padded with zeros.

    A one-channel z (colorization) is broadcast over the three channels of D. φ (N,3,H,W) is not bounded: it was
    trained without a sigmoid, and some of it lies outside [0,1].

    Args:
        channels: of y, 1 for colorization and 3 otherwise.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(channels, FEATURES), nn.ReLU(inplace=True)]
        for _ in range(LAYERS - 2):
            layers += [_convolution(FEATURES, FEATURES), nn.BatchNorm2d(FEATURES), nn.ReLU(inplace=True)]
        layers.append(_convolution(FEATURES, 3))
        self.dncnn = nn.Sequential(*layers)

    @property
    def channels(self) -> int:
        """Channels of the observation that the network takes."""
        first = self.dncnn[0]
        assert isinstance(first, nn.Conv2d)
        return first.in_channels

    def forward(self, y: Tensor) -> Tensor:
        """Return φ (N,3,H,W), unbounded, for observations y (N,1|3,H,W) on the [0,1] scale.

        Raises:
            ValueError: y has other channels than the network was made for.
        """
        if y.shape[1] != self.channels:
            raise ValueError(f"this φ-network takes {self.channels} channels, y has {y.shape[1]}")
        z = y - SHIFT
        return z - self.dncnn(z)


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def load_released(path: str | Path) -> PaperBackbone:
    """Return the network of a released checkpoint (`net_24.pth`), in evaluation mode and frozen, on the CPU.

    The keys are `module.backbone.dncnn.<i>.*`; they may lack `module.backbone.`. Only tensors are unpickled.

    Raises:
        SuiteError: there is no such file, it is not a state dict, or its layout is another one (the first missing and
            the first unexpected key are named).
    """
    state = read_state_dict(
        path,
        "the released ones are net_data/<experiment>_1/net_24.pth of github.com/majedelhelou/BIGPrior",
    )
    state = {key.removeprefix(PREFIX): value for key, value in state.items()}
    first = state.get("dncnn.0.weight")
    channels = 1 if first is not None and first.ndim == 4 and first.shape[1] == 1 else 3
    return filled(lambda: PaperBackbone(channels), path, "a φ-network of the paper", state)


def restore_released(network: PaperBackbone, y: Tensor, prior: Tensor) -> Restoration:
    """Fuse as the paper did: x̂ = (1 − φ) y + φ g with the unbounded three-channel φ of y; nothing is clipped.

    Args:
        network: of `load_released`.
        y: observations (N,1|3,H,W); a one-channel y stands for the gray image R = G = B = y.
        prior: g, the released inversions (N,3,H,W).
    """
    phi = network(y)
    return Restoration.fused(y.expand_as(phi), prior, phi)
