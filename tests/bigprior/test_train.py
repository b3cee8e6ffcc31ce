"""The command line of the training, which is read before anything heavy is loaded."""

from __future__ import annotations

from bigprior import train
from bigprior.phi.loss import LOSSES
from bigprior.phi.network import PhiConfig
from datasets import training_images


def test_what_the_command_line_says_is_so() -> None:
    assert tuple(sorted(LOSSES)) == train.LOSSES
    assert PhiConfig.widths == train.WIDTHS
    assert training_images.HELD_OUT == train.HELD_OUT
