"""Strips: every value is drawn, missing ones are counted, and bad rows are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.plots.strips import draw_strips

GROUPS = {"a": "first", "b": "second"}


def rows(**more) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "panel": ["One"] * 5 + ["Two"] * 4,
            "group": ["a", "a", "a", "b", "b", "a", "a", "b", "b"],
            "value": [1.0, 2.0, 9.0, 3.0, np.nan, 0.1, 0.2, 0.3, 0.4],
        }
    )
    return frame.assign(**more)


def test_every_known_value_is_a_ring_and_the_median_a_diamond():
    figure = draw_strips(rows(), GROUPS, unit_name="run")
    one = figure.axes[0]
    rings = [line for line in one.lines if line.get_marker() == "o"]
    assert sorted(np.concatenate([line.get_xdata() for line in rings])) == [1.0, 2.0, 3.0, 9.0]
    medians = [float(line.get_xdata()[0]) for line in one.lines if line.get_marker() == "D"]
    assert medians == [2.0, 3.0]


def test_missing_values_are_counted_beside_their_line():
    figure = draw_strips(rows(), GROUPS, unit_name="run")
    assert [text.get_text() for text in figure.axes[0].texts] == ["1 of 2 none"]
    assert [text.get_text() for text in figure.axes[1].texts] == []


def test_equal_values_do_not_hide_each_other():
    same = pd.DataFrame({"panel": "One", "group": "a", "value": [4.0, 4.0, 4.0]})
    (rings,) = [
        line for line in draw_strips(same, {"a": "first"}, unit_name="run").axes[0].lines if line.get_marker() == "o"
    ]
    assert len(set(rings.get_ydata())) == 3


def test_shares_are_printed_as_percentages():
    figure = draw_strips(rows(), GROUPS, unit_name="run", shares=("Two",))
    figure.draw_without_rendering()
    assert all(label.get_text().endswith("%") for label in figure.axes[1].get_xticklabels())


@pytest.mark.parametrize(
    ("frame", "options", "named"),
    [
        (rows().drop(columns="group"), {}, "no column 'group'"),
        (rows().iloc[:0], {}, "none"),
        (rows(group="c"), {}, "unknown group 'c'"),
        (rows(value=0.0), {"logarithmic": ("One",)}, "above zero"),
    ],
)
def test_bad_rows_are_refused(frame, options, named):
    with pytest.raises(InputError, match=named):
        draw_strips(frame, GROUPS, unit_name="run", **options)
