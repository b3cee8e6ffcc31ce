"""Blur by a known kernel, with noise."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from datasets.blur import CROPPED_DEBLURRING, PERIODIC_DEBLURRING
from datasets.errors import SuiteError
from datasets.kernels import LEVINS, Kernel, checked, gaussian, levin, motion
from datasets.noise import Gaussian
from datasets.observation import Observation, Truth
from datasets.spec import Within, check_ranges
from datasets.task import Key, Problem, Task

SHAPES = {"gaussian": ("width",), "motion": ("length", "angle"), "levin": ("number",)}
"""The parameters that shape a kernel, by its name."""


@dataclass(frozen=True)
class Deblur(Task):
    """y = k ∗ x + σ n, n ~ N(0, I), not clipped; the kernel k and σ are known.

    Args:
        kernel: `gaussian` (of `width`), `motion` (of `length` and `angle`), or `levin`, one of eight recorded camera
            shakes (`number`).
        sigma: σ on the 0–255 scale.
        border: `periodic`, y is as large as x and wraps around; `cropped`, y has only the pixels whose window lies
            within x, and x̂ is as large as x all the same.
        width: standard deviation of the Gaussian in pixels.
        length: of the motion in pixels.
        angle: of the motion in degrees, counter-clockwise from the right.
        number: of the camera shake, 1 to 8.

    Raises:
        SuiteError: a parameter of another kernel is given; the kernel is larger than the image; or Levin's kernels are
            not here and cannot be fetched.
    """

    name: ClassVar[str] = "deblur"
    summary: ClassVar[str] = "blur by a known kernel, with noise"
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips")
    level: ClassVar[str] = "sigma"
    level_title: ClassVar[str] = "noise standard deviation σ, 0–255 scale"
    examples: ClassVar[tuple[str, ...]] = ("deblur[border=cropped]", "deblur[kernel=motion]")

    kernel: Literal["gaussian", "motion", "levin"] = "gaussian"
    sigma: Annotated[float, Within(0, 255)] = 2.55
    border: Literal["periodic", "cropped"] = "periodic"
    width: Annotated[float, Within(0.1, 16)] = 1.6
    length: Annotated[float, Within(1, 100)] = 15.0
    angle: Annotated[float, Within(0, 180)] = 30.0
    number: Annotated[int, Within(1, LEVINS)] = 1

    def __post_init__(self) -> None:
        check_ranges(self)
        for field in fields(self):
            owner = next((kernel for kernel, names in SHAPES.items() if field.name in names), self.kernel)
            if owner != self.kernel and getattr(self, field.name) != field.default:
                raise SuiteError(
                    f"{field.name} belongs to kernel={owner}, and the kernel is {self.kernel}: leave it out."
                )

    @property
    def parameters(self) -> dict[str, object]:
        """The kernel with what shapes it, σ and the border."""
        named = ("kernel", *SHAPES[self.kernel], "sigma", "border")
        return {name: getattr(self, name) for name in named}

    @property
    def problem(self) -> Problem:  # type: ignore[override]
        """The blur that `border` says, with Gaussian noise."""
        return {"periodic": PERIODIC_DEBLURRING, "cropped": CROPPED_DEBLURRING}[self.border]

    def point_spread(self) -> Kernel:
        """Return k (a,b)."""
        made = {
            "gaussian": lambda: gaussian(self.width),
            "motion": lambda: motion(self.length, self.angle),
            "levin": lambda: levin(self.number),
        }
        return made[self.kernel]()

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        x = clean.unsqueeze(0)
        try:
            kernel = checked(self.point_spread(), *x.shape[-2:])
        except SuiteError as error:
            raise SuiteError(f"image '{key.image}': {error}") from None
        operator = self.problem.operator(torch.from_numpy(kernel).to(x)[None, None])  # type: ignore[call-arg]
        noise = Gaussian(torch.tensor([self.sigma / 255], dtype=x.dtype))
        y = noise.sample(operator.forward(x), self.random(key))
        return Observation(y, operator, noise, Truth(x, noise))

    def level_of(self, truth: Truth) -> float:
        return self.sigma
