"""Holes to train on."""

from __future__ import annotations

import numpy as np

from bigprior.holes import random_hole


def test_holes_have_all_three_shapes_and_are_seeded() -> None:
    random = np.random.default_rng(0)
    holes = [random_hole(random, 160) for _ in range(60)]
    areas = [int((mask == 0).sum()) for mask in holes]
    assert min(areas) > 0
    assert sum(area == 64 * 64 for area in areas) > 20, "squares"
    assert np.array_equal(random_hole(np.random.default_rng(5), 160), random_hole(np.random.default_rng(5), 160))
