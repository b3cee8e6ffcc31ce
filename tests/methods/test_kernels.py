"""What all rows with compiled twins have in common."""

from __future__ import annotations

import sys

import pytest
import torch

from methods.base import Method
from methods.classic.bilateral import Bilateral
from methods.classic.collaborative import CollaborativeWiener
from methods.classic.kernels import WITHOUT, installed
from methods.classic.ksvd import KSVD
from methods.classic.nlm import NonLocalMeans
from methods.classic.tv import TotalVariation
from methods.classic.wavelet import WaveletShrinkage
from tests.methods.denoising import observe, on_tensors, photograph, psnr

ROWS = (Bilateral, CollaborativeWiener, KSVD, NonLocalMeans, TotalVariation, WaveletShrinkage)


@pytest.mark.parametrize("row", ROWS)
def test_without_numba_a_row_says_so(row: type[Method], monkeypatch: pytest.MonkeyPatch) -> None:
    assert row().remarks() == (() if installed() else (WITHOUT,))
    for there in (True, False):
        monkeypatch.setattr(sys.modules[row.__module__], "installed", lambda there=there: there)
        assert row().remarks() == (() if there else (WITHOUT,))


@pytest.mark.parametrize("row", [Bilateral, NonLocalMeans])
def test_scores_are_those_of_the_computation_on_tensors(row: type[Method], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    clean = photograph(96, 96)
    observation = observe(clean, 25).to(dtype=torch.float32)
    expected = psnr(on_tensors(row(), observation, monkeypatch).image, clean)
    assert psnr(row().restore(observation).image, clean) == pytest.approx(expected, abs=1e-4)
