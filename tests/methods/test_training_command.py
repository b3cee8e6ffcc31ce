"""The command line of the supervised training, which is read before anything heavy is loaded."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from bigprior.training import Recipe
from datasets.errors import SuiteError
from datasets.training_images import TRAINING_SETS
from methods.classic import fit_chroma
from methods.supervised import train
from methods.supervised.jobs import JOBS, carry_out


def test_what_the_command_line_says_is_so() -> None:
    assert tuple(JOBS) == train.TASKS
    assert train.SETS[: len(TRAINING_SETS)] == TRAINING_SETS
    recipe = JOBS["denoise"].recipe
    assert {field.name: type(getattr(recipe, field.name)) for field in fields(Recipe)} == train.RECIPE


def test_batches_that_no_device_can_draw_are_refused(tmp_path: Path) -> None:
    words = ["inpaint", "--batches", "device", "--out", str(tmp_path / "run")]
    with pytest.raises(SuiteError, match=r"inpaint draws its batches on the host alone \(on a device: denoise\)"):
        carry_out(train._parser().parse_args(words), words)
    assert not (tmp_path / "run").exists()


def test_tables_go_nowhere_but_into_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="is no folder"):
        fit_chroma.main(["--out", str(tmp_path / "none")])
