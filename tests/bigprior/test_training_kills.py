"""Trainings that are killed again and again."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bigprior.training import CHECKPOINT, WEIGHTS, Recipe, train
from tests.bigprior.test_training import Smoothing, quiet

RECIPE = Recipe(steps=400, batch=2, size=8, rate=0.02, warm_up=3, ema=0.9, validate=80, save=0)
KILLS = 30


def carry_out(out: Path) -> None:
    train(Smoothing(), RECIPE, out, resume=True, say=quiet)


@pytest.mark.slow
def test_thirty_kills_at_random_moments_change_no_weight(tmp_path: Path) -> None:
    """Each kill is SIGKILL, amid steps, checkpoints, logs and curves; then one run to the end."""
    carry_out(tmp_path / "whole")
    generator, fork = random.Random(0), multiprocessing.get_context("fork")
    killed, amid, number = 0, 0, 0
    folder = tmp_path / "killed0"
    while killed < KILLS:
        process = fork.Process(target=carry_out, args=(folder,))
        process.start()
        time.sleep(generator.uniform(0.02, 0.5))
        finished = not process.is_alive()
        os.kill(process.pid, signal.SIGKILL) if not finished else None
        process.join()
        if finished:  # begin another: a kill must fall into work
            number += 1
            folder = tmp_path / f"killed{number}"
            continue
        killed += 1
        amid += (folder / CHECKPOINT).exists()
    assert amid > KILLS // 3, "most kills fall after a checkpoint"
    for path in sorted(tmp_path.glob("killed*")):
        carry_out(path)
        whole, resumed = load_file(tmp_path / "whole" / WEIGHTS), load_file(path / WEIGHTS)
        for name in whole:
            assert torch.equal(whole[name], resumed[name]), (path, name)
        assert (tmp_path / "whole" / "log.csv").read_text("utf-8").count("\n") == (path / "log.csv").read_text(
            "utf-8"
        ).count("\n")
    print(f"{killed} kills, {amid} after a checkpoint, in {number + 1} trainings")
