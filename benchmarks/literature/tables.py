"""Which published tables there are, and which task, set and metric of the suite a cell of each means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TOLERANCE = {"psnr": 0.05, "psnr_b": 0.05, "ssim": 0.002}
"""How far from the print a value may lie, by metric: noise is drawn anew, and codes round in different places."""


@dataclass(frozen=True)
class Table:
    """A table of the literature: a file of `results/published/`, one line for each method, set, level and source.

    Attributes:
        file: its columns are `method`, `testset`, those of `level`, one for each metric, and `source`.
        level: columns that say how strong the degradation is.
        task: spec of the suite's task; `{column}` stands for what a line has there.
        metrics: column → spec of the suite's metric.
        sets: published name of a set → ours, where they differ.
    """

    name: str
    title: str
    file: str
    level: tuple[str, ...]
    task: str
    metrics: Mapping[str, str]
    sets: Mapping[str, str] = field(default_factory=dict)


LUMA_PSNR, LUMA_SSIM = "psnr[channel=y,crop={scale}]", "ssim[channel=y,crop={scale}]"

TABLES = {
    table.name: table
    for table in (
        Table("denoising", "Gaussian denoising", "denoisers.csv", ("sigma",), "denoise[sigma={sigma}]",
              {"psnr": "psnr"}),
        Table("sr", "super-resolution, bicubic reduction", "super_resolution.csv", ("scale",),
              "super-resolve[scale={scale}]", {"psnr": LUMA_PSNR, "ssim": LUMA_SSIM}),
        Table("deblur", "deblurring, periodic borders", "deblur.csv", ("kernel", "width", "sigma"),
              "deblur[kernel={kernel},width={width},sigma={sigma}]", {"psnr": "psnr"}),
        Table("jpeg", "JPEG artefacts, luma", "jpeg.csv", ("quality",), "jpeg[quality={quality}]",
              {"psnr": "psnr", "ssim": "ssim", "psnr_b": "psnr_b"}, {"live1": "live1-luma"}),
    )
}  # fmt: skip
