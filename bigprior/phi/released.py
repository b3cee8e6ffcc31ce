"""The paper's released generative inversions, which stand for a prior where its generator is unavailable.

They exist for colorization of the bedroom set alone: chroma of a PGGAN inversion (20 codes), luma of the ground truth.
"""

from __future__ import annotations

from torch import Tensor

from datasets import fetch
from datasets.images import read_image

RELEASE = "majedelhelou-BIGPrior"
FOLDER = f"{RELEASE}/inter_data/col_bedroom/mGANoutput"
TASK, SET = "colorize", "lsun-bedroom"
RELEASED_TRAIN, RELEASED_TEST = range(250), range(250, 300)
"""Numbers of the images, which are sorted by file name."""


def inversion(number: int) -> Tensor:
    """Return g (1,3,256,256) of bedroom image `number` (0–299), in [0,1].

    Raises:
        SuiteError: it is not on this machine and cannot be downloaded.
    """
    return read_image(fetch.local_path(f"{FOLDER}/{number}.png"))[None]
