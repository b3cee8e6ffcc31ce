"""φ learned on one set and used on another."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.paper import shift, transfer
from bigprior.phi.loss import better_error
from bigprior.phi.train import Pair
from bigprior.training import Recipe
from datasets.errors import SuiteError


def pairs(task: Any, sets: list[str], *_: Any, **__: Any) -> tuple[list[Pair], list[Pair]]:
    """In set a, f is the truth and g is noisy; in set b it is the other way round, and the images are dark."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for _k in range(6):
        clean = torch.rand(1, 3, 64, 64, generator=generator) * (1.0 if sets[0] == "a" else 0.2)
        noisy = clean + 0.1 * torch.randn(clean.shape, generator=generator)
        f, g = (clean, noisy) if sets[0] == "a" else (noisy, clean)
        found.append(Pair(clean, f, g, torch.zeros(1, 1, 64, 64), torch.zeros(1), better_error(clean, f, g) + 1e-3))
    return found[:4], found[4:]


RECIPE = Recipe(steps=40, batch=4, size=16, rate=0.01, ema=0.8, warm_up=4, validate=40)


@pytest.mark.parametrize(("task", "little", "much"), [("colorize", 0.1, 0.9), ("inpaint-random", 0.3, 0.7)])
def test_phi_is_tested_on_every_set(task: str, little: float, much: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "read_pairs", pairs)
    monkeypatch.setitem(transfer.TASKS, "inpaint-random", (transfer.holes, partial(transfer.network, recipe=RECIPE)))
    table = transfer.matrix(task, ("a", "b")).set_index(["trained_on", "tested_on"])
    assert table.phi_mean[(transfer.HALF, "a")] == pytest.approx(0.5)
    assert table.phi_mean[("a", "a")] < little, "it trusts the data, which are right"
    assert table.phi_mean[("b", "b")] > much
    assert table.gain[("a", "a")] > table.gain[("b", "a")] + 3, "what was learned on another set does harm"
    assert transfer.draw(table.reset_index()).startswith(b"\x89PNG")


def test_the_study_is_written_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transfer, "read_pairs", pairs)
    monkeypatch.setattr(transfer, "SETS", ("a", "b"))
    assert shift.main(["--out", str(tmp_path / "out")]) == 0
    assert "trained_on" in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "out" / "analyses").iterdir()}
    assert written == {"phi-shift-colorize.csv", "phi-shift-colorize.png"}
    assert set(shift.TASKS) == set(transfer.TASKS)
    with pytest.raises(SuiteError, match="unknown task 'denoise'"):
        shift.main(["--task", "denoise"])
