"""A smaller image, and what it was before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from datasets.blur import DECIMATION
from datasets.errors import SuiteError
from datasets.kernels import checked, gaussian
from datasets.noise import Gaussian
from datasets.observation import Observation, Truth
from datasets.operators import Operator
from datasets.resize import BICUBIC_REDUCTION
from datasets.spec import Within, check_ranges
from datasets.task import Key, Problem, Task


@dataclass(frozen=True)
class SuperResolve(Task):
    """y = A x + σ n, A a reduction of both sides to 1/s; A and σ are known.

    As in the literature x is the image cropped on the right and below to multiples of s, y is not rounded, and PSNR
    and SSIM are those of luma (MATLAB's, 16 to 235) without s pixels at each border.

    Args:
        scale: s, 2 to 4.
        kernel: `bicubic`, MATLAB's `imresize` with antialiasing; `gaussian`, a periodic blur of standard deviation
            `width`, then every s-th pixel, the first one included.
        width: in pixels of x; for `gaussian` alone.
        sigma: σ on the 0–255 scale.

    Raises:
        SuiteError: `width` is given for another kernel; the image is smaller than s, or than the kernel.
    """

    name: ClassVar[str] = "super-resolve"
    summary: ClassVar[str] = "an image two to four times as large"
    level: ClassVar[str] = "scale"
    level_title: ClassVar[str] = "scale"
    examples: ClassVar[tuple[str, ...]] = ("super-resolve[kernel=gaussian,scale=3]", "super-resolve[sigma=5,scale=4]")

    scale: Annotated[int, Within(2, 4)] = 2
    kernel: Literal["bicubic", "gaussian"] = "bicubic"
    width: Annotated[float, Within(0.1, 8)] = 1.6
    sigma: Annotated[float, Within(0, 255)] = 0.0

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.kernel != "gaussian" and self.width != SuperResolve.width:
            raise SuiteError(f"width belongs to kernel=gaussian, and the kernel is {self.kernel}: leave it out.")

    @property
    def parameters(self) -> dict[str, object]:
        """The scale, the kernel with what shapes it, and σ."""
        shape = {"width": self.width} if self.kernel == "gaussian" else {}
        return {"scale": self.scale, "kernel": self.kernel, **shape, "sigma": self.sigma}

    @property
    def problem(self) -> Problem:  # type: ignore[override]
        """The reduction that `kernel` says, with Gaussian noise."""
        return {"bicubic": BICUBIC_REDUCTION, "gaussian": DECIMATION}[self.kernel]

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """Luma without the border, the field's convention; and LPIPS of the whole."""
        view = f"[channel=y,crop={self.scale}]"
        return f"psnr_y=psnr{view}", f"ssim_y=ssim{view}", "lpips"

    def operator(self, x: Tensor) -> Operator:
        """Return A for images like x."""
        if self.kernel == "bicubic":
            return self.problem.operator(self.scale)  # type: ignore[call-arg]
        kernel = torch.from_numpy(checked(gaussian(self.width), *x.shape[-2:])).to(x)
        return self.problem.operator(kernel[None, None], self.scale)  # type: ignore[call-arg]

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        h, w = (side - side % self.scale for side in clean.shape[-2:])
        if not h or not w:
            raise SuiteError(
                f"image '{key.image}' is {clean.shape[-2]}x{clean.shape[-1]} pixels: too small to be reduced by "
                f"{self.scale}."
            )
        x = clean[None, :, :h, :w].contiguous()
        try:
            operator = self.operator(x)
        except SuiteError as error:
            raise SuiteError(f"image '{key.image}': {error}") from None
        noise = Gaussian(torch.tensor([self.sigma / 255], dtype=x.dtype))
        y = noise.sample(operator.forward(x), self.random(key))
        return Observation(y, operator, noise, Truth(x, noise))

    def level_of(self, truth: Truth) -> float:
        return float(self.scale)
