"""Labels along a line never touch, stay on it, and move as little as they must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.plots.labels import spread_labels, text_height, text_width


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.5, 8)), min_size=1, max_size=10), st.floats(0, 2))
def test_labels_never_touch_and_stay_on_the_line(labels, gap):
    labels = sorted(labels)
    centres, sizes = (np.array(column) for column in zip(*labels, strict=True))
    places = spread_labels(centres, sizes, 0, 100, gap)
    assert np.all(np.diff(places) >= (sizes[:-1] + sizes[1:]) / 2 + gap - 1e-9)
    assert places[0] - sizes[0] / 2 >= -1e-9
    assert places[-1] + sizes[-1] / 2 <= 100 + 1e-9


def test_labels_that_fit_stay_where_they_are():
    assert spread_labels([10, 30, 60], [5, 5, 5], 0, 100).tolist() == [10, 30, 60]
    assert spread_labels([], [], 0, 100).tolist() == []


def test_two_on_one_place_part_evenly():
    assert spread_labels([50, 50], [10, 10], 0, 100, gap=2) == pytest.approx([44, 56])


def test_what_cannot_fit_is_refused():
    with pytest.raises(InputError, match="shorten them"):
        spread_labels([10, 20], [60, 60], 0, 100)
    with pytest.raises(InputError, match="do not rise"):
        spread_labels([20, 10], [5, 5], 0, 100)


def test_measures_follow_the_text():
    assert text_width("two words") > text_width("two") > 0
    assert text_width("same", 10) == pytest.approx(2 * text_width("same", 5), rel=0.02)
    assert text_height("a\nb") == 2 * text_height("a")
