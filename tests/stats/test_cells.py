"""Integrals over cells add up to the whole, whatever the cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.stats.cells import choose_width, integrate_cells


def test_a_line_is_integrated_exactly():
    # 3 + 2·(t − 1) from 1 to 4: 3·3 + 3² = 18; cells of 2: [1, 2] → 3 + 1 = 4, [2, 4] → 18 − 4 = 14
    cells = integrate_cells(np.array([1.0]), np.array([4.0]), np.array([3.0]), 2.0, length=5, width=2)
    assert cells == pytest.approx([4, 14, 0])


def test_what_lies_outside_is_cut_and_overlaps_count_twice():
    cells = integrate_cells(np.array([-5.0, 0.0]), np.array([1.0, 9.0]), np.ones(2), length=4, width=2)
    assert cells == pytest.approx([3, 2])


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 20), st.floats(-3, 3)), max_size=6),
    st.sampled_from([1.0, 6.0, 7.3, 100.0]),
)
@settings(max_examples=40, deadline=None)
def test_the_sum_does_not_depend_on_the_cells(stretches, width):
    starts = np.array([start for start, _, _ in stretches])
    ends = np.array([min(start + span, 60.0) for start, span, _ in stretches])
    values = np.array([value for _, _, value in stretches])
    total = integrate_cells(starts, ends, values, length=60.0, width=width).sum()
    assert total == pytest.approx(float((values * (ends - starts)).sum()), abs=1e-8)


def test_no_stretch_is_nothing():
    assert integrate_cells(np.empty(0), np.empty(0), np.empty(0), length=3, width=1).tolist() == [0, 0, 0]


def test_cells_are_few_enough():
    assert [choose_width(days * 24) for days in (1, 100, 400, 10_000)] == [1, 6, 24, 672]
