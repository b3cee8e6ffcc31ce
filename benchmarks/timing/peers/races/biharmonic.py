"""Biharmonic inpainting."""

from __future__ import annotations

from benchmarks.timing.peers.race import Array, Case, Peer, Race, Work
from benchmarks.timing.peers.restoring import CENTRE, PSNR_HOLE, row


def scikit_image(case: Case) -> Work:
    """scikit-image in double precision, as it asks for."""
    from skimage.restoration import inpaint_biharmonic

    pixels, hole = case.pixels.astype(float), case.observation.mask[0, 0].numpy() == 0
    axis = -1 if pixels.ndim == 3 else None

    def work() -> Array:
        restored: Array = inpaint_biharmonic(pixels, hole, channel_axis=axis)
        return restored

    return work


RACES = (
    Race(
        name="biharmonic",
        title="biharmonic",
        group="inpainting",
        task=CENTRE,
        start=row("biharmonic"),
        peers=(
            Peer(
                "scikit-image inpaint_biharmonic", "scikit-image", "skimage", scikit_image, "double precision, defaults"
            ),
        ),
        quality=PSNR_HOLE,
    ),
)
