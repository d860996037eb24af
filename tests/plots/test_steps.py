"""Step curves: what is drawn is what was given, and groups can be told apart."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.plots.steps import draw_steps
from analysis.plots.theme import lightness

CURVES = pd.DataFrame(
    {
        "panel": ["P"] * 3 + ["Q"] * 2,
        "group": ["a", "a", "b", "a", "c"],
        "x": [0.0, 2.0, 1.0, 0.0, 5.0],
        "y": [1.0, 0.5, 0.8, 1.0, 0.25],
    }
)
NAMES = {"a": "first", "b": "second", "c": "third"}


def draw(**more):
    return draw_steps(CURVES, NAMES, x_label="h", y_label="share", **more)


def test_curves_hold_their_points():
    first, second = draw().axes[:2]
    assert [line.get_xydata().tolist() for line in first.lines] == [[[0, 1], [2, 0.5]], [[1, 0.8]]]
    assert [line.get_label() for line in second.lines] == ["first", "third"]


def test_a_group_looks_the_same_in_every_panel_and_unlike_the_others():
    first, second = draw().axes[:2]
    assert first.lines[0].get_color() == second.lines[0].get_color()
    drawn = [*first.lines, second.lines[1]]
    looks = {(line.get_color(), str(line._dash_pattern)) for line in drawn}
    assert len(looks) == 3
    assert len({str(line._dash_pattern) for line in drawn}) == 3  # without colours, too


def test_panels_with_groups_of_their_own_begin_their_styles_anew():
    first, second = draw(own_groups=True).axes[:2]
    assert first.lines[1].get_color() == second.lines[1].get_color()
    assert [text.get_text() for text in second.get_legend().get_texts()] == ["first", "third"]


def test_marks_stand_where_they_were_put():
    marks = pd.DataFrame({"panel": ["P"], "group": ["a"], "x": [1.5], "y": [1.0]})
    figure = draw(marks=marks, mark_name="open")
    strokes = [line for line in figure.axes[0].lines if line.get_marker() == "|" and len(line.get_xdata())]
    assert [line.get_xydata().tolist() for line in strokes] == [[[1.5, 1.0]]]
    assert figure.axes[0].lines[0].get_color() == strokes[0].get_color()
    assert "open" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_dark_enough_to_be_read():
    assert all(lightness(line.get_color()) < 0.65 for axes in draw().axes for line in axes.lines)


@pytest.mark.parametrize(
    ("curves", "names", "named"),
    [
        (CURVES.drop(columns="y"), NAMES, "no column 'y'"),
        (CURVES.iloc[:0], NAMES, "no rows"),
        (CURVES, {"a": "first"}, "unknown group 'b'"),
        (CURVES.assign(y=1.5), NAMES, "share from 0 to 1"),
        (CURVES, NAMES | {"d": "4", "e": "5"}, "at most 4"),
    ],
)
def test_bad_curves_are_refused(curves, names, named):
    with pytest.raises(InputError, match=named):
        draw_steps(curves, names, x_label="h", y_label="share")
