"""Paired differences: rings, diamonds and whiskers stand where the numbers are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.plots.paired import draw_paired_differences

ROWS = pd.DataFrame(
    [
        ("Time", "x − y", -2.0, -3.0, -1.0, (-3.0, -2.0, -1.0), "h"),
        ("Time", "x − z", 1.0, np.nan, np.nan, (1.0,), "h"),
        ("Share", "x − y", np.nan, np.nan, np.nan, (), "points"),
    ],
    columns=["panel", "label", "value", "low", "high", "differences", "unit"],
)


def test_every_pair_its_centre_and_interval_are_drawn():
    figure = draw_paired_differences(ROWS, interval_label="95% interval")
    time, share = figure.axes
    rings = [line for line in time.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in rings] == [[-3, -2, -1], [1]]
    assert [line.get_xdata()[0] for line in time.lines if line.get_marker() == "D"] == [-2, 1]
    whiskers = [list(line.get_xdata()) for line in time.lines if line.get_linewidth() == 1.6]
    assert whiskers == [[-3, -1]]
    assert [text.get_text() for text in share.texts] == ["none"]
    assert time.get_xlabel() == "h"


def test_zero_is_always_in_sight():
    axes = draw_paired_differences(ROWS.head(1), interval_label="i").axes[0]
    low, high = axes.get_xlim()
    assert low < 0 < high


def test_without_intervals_the_legend_names_none():
    figure = draw_paired_differences(ROWS.tail(2), interval_label="95% interval")
    assert "95% interval" not in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS.head(0), "nothing to draw"),
        (ROWS.iloc[[0, 2, 1]], "do not stand together"),
        (ROWS.assign(unit=["h", "d", "h"]), "several units"),
        (ROWS.assign(value=9.0), "outside"),
    ],
)
def test_wrong_tables_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        draw_paired_differences(rows, interval_label="i")
