"""The prior of an untrained network.

D. Ulyanov, A. Vedaldi, V. Lempitsky, "Deep Image Prior", CVPR 2018; settings from the paper's appendix and the
authors' notebooks (github.com/DmitryUlyanov/deep-image-prior).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from bigprior.priors.base import (
    GenerativePrior,
    Inversion,
    NonFiniteInversion,
    Progress,
    discrepancy_met,
    enlarge,
)
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator

AMPLITUDE = 0.1
"""The input noise is uniform in 0..this."""


@dataclass(frozen=True)
class Settings:
    """How one task is done.

    Attributes:
        channels: of the scales, from fine to coarse, on the way down and up.
        skips: channels of the skip connections; 0 for none.
        upsampling: between the scales.
        inputs: channels of the input noise; 0 takes the two coordinates of the pixels instead.
        jitter: standard deviation of the noise that is added to the input anew in each iteration.
        rate: Adam's step.
        iterations: the most steps.
        average: weight of the past in the running mean of the outputs that is g; None: g is the last output.
    """

    channels: tuple[int, ...] = (128,) * 5
    skips: tuple[int, ...] = (4,) * 5
    upsampling: Literal["bilinear", "nearest"] = "bilinear"
    inputs: int = 32
    jitter: float = 1 / 30
    rate: float = 0.01
    iterations: int = 1800
    average: float | None = 0.99

    @property
    def multiple(self) -> int:
        """Sides must be multiples of this."""
        return 1 << len(self.channels)


DENOISING = Settings()
INPAINTING = Settings(
    skips=(0,) * 5, upsampling="nearest", inputs=0, jitter=0.03, iterations=5000, average=None
)  # the notebook's setting for one large hole


class SkipNetwork(nn.Module):
    """The encoder-decoder of the paper: 3×3 convolutions with reflection, batch normalisation, LeakyReLU(0.2).

    Per scale: a strided and a plain convolution down; up, the coarser scale doubled and joined with a 1×1 skip,
    normalised, a 3×3 and a 1×1 convolution. A 1×1 convolution and a sigmoid at the end.
    """

    def __init__(self, settings: Settings, outputs: int) -> None:
        super().__init__()
        self.upsampling = settings.upsampling
        down, up, skip, joined = [], [], [], []
        before = settings.inputs or 2
        scales = len(settings.channels)
        for scale, (channels, narrow) in enumerate(zip(settings.channels, settings.skips, strict=True)):
            coarser = settings.channels[min(scale + 1, scales - 1)]
            down.append(nn.Sequential(*_unit(before, channels, 3, stride=2), *_unit(channels, channels, 3)))
            skip.append(nn.Sequential(*_unit(before, narrow, 1)) if narrow else nn.Identity())
            joined.append(_normalisation(narrow + coarser))
            up.append(nn.Sequential(*_unit(narrow + coarser, channels, 3), *_unit(channels, channels, 1)))
            before = channels
        self.has_skip = [bool(narrow) for narrow in settings.skips]
        self.down, self.skip = nn.ModuleList(down), nn.ModuleList(skip)
        self.joined, self.up = nn.ModuleList(joined), nn.ModuleList(up)
        self.last = nn.Conv2d(settings.channels[0], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map the input (1,I,H,W) to the image (1,C,H,W) in 0..1."""
        return torch.sigmoid(self.last(self._scale(0, x)))

    def _scale(self, scale: int, x: Tensor) -> Tensor:
        deeper = self.down[scale](x)
        if scale + 1 < len(self.down):
            deeper = self._scale(scale + 1, deeper)
        deeper = F.interpolate(deeper, scale_factor=2.0, mode=self.upsampling)
        if self.has_skip[scale]:
            deeper = torch.cat([self.skip[scale](x), deeper], dim=1)
        return self.up[scale](self.joined[scale](deeper))


def _normalisation(channels: int) -> nn.Module:
    # The network is never evaluated on anything but its one image: no running statistics.
    return nn.BatchNorm2d(channels, track_running_stats=False)


def _unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    pad = kernel // 2
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, pad, padding_mode="reflect" if pad else "zeros")
    return [convolution, _normalisation(outputs), nn.LeakyReLU(0.2, inplace=True)]


@dataclass(frozen=True)
class DeepImagePrior(GenerativePrior):
    """g = f_θ(z), θ from the descent on mean (A f_θ(z + jitter) − y)² over θ alone, from random θ and fixed random z.

    One image after the other, every one from the same start. Stops by Morozov's rule where σ is known and positive,
    mean (A g − y)² ≤ τσ² for the current output; the published number of iterations is the most there are.

    Sizes are enlarged by reflection to a multiple of 2^scales, at least twice that, and cropped back.

    Deviations: the rule, which the paper does without (τ = 0 turns it off); no falling back to earlier weights when
    the loss jumps; for colorization, which the paper does not have, the settings of denoising. σ of the jitter is
    1/30 at all noise levels.

    Latents: the input z (N,I,H,W), then the weights of the network, each (N,...), H×W the enlarged size. They decode to
    the last output, which is g only where g is no mean of outputs.

    Args:
        denoising, inpainting: settings; colorization has those of denoising.
        iterations: the most steps; the settings' own if None.
        tau: τ.
        seed: of θ, z and the jitter.
    """

    denoising: Settings = DENOISING
    inpainting: Settings = INPAINTING
    iterations: int | None = None
    tau: float = 1.0
    seed: int = 0

    def settings(self, observation: Observation) -> Settings:
        """Return the settings for an observation.

        Raises:
            ValueError: there are none for its operator.
        """
        table: dict[type[Operator], Settings] = {
            Identity: self.denoising,
            Masking: self.inpainting,
            Luma: self.denoising,
        }
        return by_operator(table, observation.operator, "the deep image prior")

    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        return torch.cat([self._decode_one([latent[i] for latent in latents]) for i in range(len(latents[0]))])

    def _decode_one(self, latents: Sequence[Tensor]) -> Tensor:
        z, *weights = latents
        matching = [s for s in (self.denoising, self.inpainting) if (s.inputs or 2) == len(z)]
        for settings in matching:
            network = self._network(settings, len(weights[-1]))
            names = [name for name, _ in network.named_parameters()]
            if [p.shape for p in network.parameters()] == [w.shape for w in weights]:
                with torch.no_grad():
                    image: Tensor = functional_call(network, dict(zip(names, weights, strict=True)), z[None])
                return image.expand(-1, 3, -1, -1)
        raise ValueError("these latents are of a network with other settings")

    def _network(self, settings: Settings, outputs: int) -> SkipNetwork:
        # Forking keeps the global random state as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return SkipNetwork(settings, outputs)

    def invert(self, observation: Observation, progress: Progress | None = None) -> Inversion:
        settings = self.settings(observation)
        most = settings.iterations if self.iterations is None else self.iterations
        single = [self._invert_one(observation, index, settings, most, progress) for index in range(len(observation))]
        longest = max(len(one.losses) for one in single)
        losses = [F.pad(one.losses, (0, 0, 0, longest - len(one.losses)), value=torch.nan) for one in single]
        return Inversion(
            torch.cat([one.image for one in single]),
            torch.cat(losses, dim=1),
            torch.cat([one.iterations for one in single]),
            tuple(torch.cat(parts) for parts in zip(*(one.latents for one in single), strict=True)),
        )

    def _invert_one(
        self, batch: Observation, index: int, settings: Settings, most: int, progress: Progress | None
    ) -> Inversion:
        alone = batch.select(index)
        device = alone.y.device
        sides = (max(2, -(-side // settings.multiple)) * settings.multiple for side in alone.y.shape[-2:])
        frame = enlarge(alone.to(device, torch.float32), *sides)
        given = frame.observation
        random = torch.Generator(device).manual_seed(self.seed)
        z = self._input(settings, given, random)
        network = self._network(settings, given.fidelity.shape[1]).to(device)
        network = network.to(memory_format=torch.channels_last)
        stepper = torch.optim.Adam(network.parameters(), lr=settings.rate)
        mean: Tensor | None = None
        trace: list[Tensor] = []
        used = most
        with torch.enable_grad():
            for iteration in range(most):
                stepper.zero_grad(set_to_none=True)
                jitter = torch.empty_like(z).normal_(generator=random)
                image = network((z + settings.jitter * jitter).contiguous(memory_format=torch.channels_last))
                measured = given.operator.forward(image)
                loss = (measured - given.y).square().mean()
                if not torch.isfinite(loss):
                    raise NonFiniteInversion([index], iteration)
                trace.append(loss.detach())
                mean = _average(mean, image.detach(), settings.average)
                if progress is not None:
                    progress(iteration + 1, most, loss.detach().reshape(1))
                if discrepancy_met(given, measured.detach(), self.tau):
                    used = iteration
                    break
                loss.backward()
                stepper.step()
        if mean is None or (settings.average is None and used == most):
            with torch.no_grad():
                mean = network(z)
        weights = [parameter.detach()[None].contiguous() for parameter in network.parameters()]
        return Inversion(
            frame.crop(mean).to(alone.y.dtype).contiguous(),
            torch.stack(trace)[:, None] if trace else mean.new_zeros(0, 1),
            torch.tensor([used], device=device),
            (z, *weights),
        )

    @staticmethod
    def _input(settings: Settings, given: Observation, random: torch.Generator) -> Tensor:
        h, w = given.y.shape[-2:]
        device = given.y.device
        if settings.inputs:
            return AMPLITUDE * torch.rand(1, settings.inputs, h, w, generator=random, device=device)
        rows, columns = torch.linspace(0, 1, h, device=device), torch.linspace(0, 1, w, device=device)
        return torch.stack([columns.expand(h, w), rows[:, None].expand(h, w)])[None]


def _average(mean: Tensor | None, image: Tensor, weight: float | None) -> Tensor:
    return image if mean is None or weight is None else mean * weight + image * (1 - weight)
