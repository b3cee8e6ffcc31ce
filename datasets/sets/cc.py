"""Real noise: the crops that the literature tests on, noisy and as the mean of many."""

from __future__ import annotations

from typing import ClassVar

from datasets.pairs import PairedSet


class CC(PairedSet):
    """Fifteen pairs of 512×512 crops by three cameras; the mean photograph is the mean of some 500 shots."""

    name: ClassVar[str] = "cc"
    title: ClassVar[str] = "15 pairs of a noisy and a mean photograph, 512x512"
    citation: ClassVar[str] = (
        "S. Nam et al., A Holistic Approach to Cross-Channel Image Noise Modeling and its Application to Image "
        "Denoising, CVPR, 2016; non-commercial use"
    )
    source: ClassVar[str] = "github.com/csjunxu/MCWNNM-ICCV2017"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "csjunxu-MCWNNM-ICCV2017/Real_ccnoise_denoised_part"
