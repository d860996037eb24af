"""Timelines and curves: everything stands where and when it was, and no label covers another."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from analysis.base.errors import InputError
from analysis.plots import theme
from analysis.plots.timeline import _BAR_STYLES, draw_curves, draw_timeline, mean_of_steps

BARS = pd.DataFrame(
    [("a", 1.0, 3.0, "quality"), ("b", 2.0, 14.0, "errors")], columns=["lane", "start", "end", "reason"]
)
MARKS = pd.DataFrame([("a", 1.5, "seen"), ("a", 3.0, "ended"), ("b", 0.0, "done")], columns=["lane", "time", "kind"])
WORLD = pd.DataFrame({"time": [4.0, 4.5, 13.9], "label": ["sudden drift", "new product", "gradual drift"]})
WORDS = {
    "lanes": {"a": "manual", "b": "mlops"},
    "reasons": {"quality": "quality", "errors": "errors"},
    "kinds": {"seen": "noticed", "ended": "restored", "done": "deployment"},
    "end": 14.0,
}
CURVES = pd.DataFrame(
    [("a", 1, 0.0, 0.8), ("a", 1, 2.0, 0.4), ("a", 2, 0.0, 0.6), ("b", 1, 0.0, 0.5)],
    columns=["panel", "series", "time", "value"],
)


def test_bars_and_marks_stand_in_their_lanes_at_their_times():
    (axes,) = draw_timeline(BARS, MARKS, WORLD, **WORDS).axes
    bars = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_height() == pytest.approx(0.34)]
    assert [(b.get_x(), b.get_x() + b.get_width(), round(b.get_y() + 0.17)) for b in bars] == [(1, 3, 0), (2, 14, 1)]
    marks = {line.get_label(): line for line in axes.lines if line.get_label() in ("_seen", "_ended", "_done")}
    assert {name: list(line.get_xdata()) for name, line in marks.items()} == {
        "_seen": [1.5],
        "_ended": [3],
        "_done": [0],
    }
    assert [round(marks[name].get_ydata()[0]) for name in ("_seen", "_done")] == [0, 1]
    assert axes.yaxis_inverted()


def test_changes_of_the_world_cross_all_lanes():
    (axes,) = draw_timeline(BARS, MARKS, WORLD, **WORDS).axes
    dashed = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_xdata()[0] in (4.0, 4.5, 13.9)]
    assert len(dashed) == 3
    assert all(line.get_ydata()[1] == 1.5 and line.get_ydata()[0] < -0.5 for line in dashed)


@pytest.mark.parametrize("times", [[4.0, 4.5, 13.9], [0.0, 0.0, 0.0], [13.9, 13.95, 14.0], [1.0, 7.0, 12.0]])
def test_no_label_covers_another_or_leaves_the_page(times):
    figure = draw_timeline(BARS, MARKS, WORLD.assign(time=times), **WORDS)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    texts = [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels(), *figure.legends[0].get_texts()]
    boxes = [text.get_window_extent() for text in texts]
    for first, second in combinations(boxes, 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        down = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert not (across > 1 and down > 1)
    assert min(box.x0 for box in boxes) >= -1 and max(box.x1 for box in boxes) <= figure.bbox.x1 + 1


def test_reasons_differ_without_colour():
    looks = [(round(theme.lightness(style["facecolor"]), 1), style.get("hatch")) for style in _BAR_STYLES]
    assert len(set(looks)) == len(looks)


def test_a_lane_without_anything_is_drawn_too():
    (axes,) = draw_timeline(BARS.head(0), MARKS.head(0), WORLD.head(0), **WORDS).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["manual", "mlops"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bars": BARS.assign(lane="c")}, "unknown 'c'"),
        ({"bars": BARS.assign(end=0.5)}, "does not lie between"),
        ({"marks": MARKS.assign(time=15.0)}, "does not lie between"),
        ({"marks": MARKS.assign(time=np.nan)}, "does not lie between"),
        ({"world": WORLD.assign(time=-1.0)}, "does not lie between"),
        ({"lanes": {}}, "no lane"),
        ({"reasons": dict.fromkeys("abcde", "")}, "at most 4"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, message):
    given = {"bars": BARS, "marks": MARKS, "world": WORLD} | WORDS | change
    with pytest.raises(InputError, match=message):
        draw_timeline(**given)


def test_mean_of_steps_is_taken_at_every_step():
    times, mean = mean_of_steps(CURVES[CURVES["panel"] == "a"], 5.0)
    assert list(times) == [0, 2, 5]
    assert mean == pytest.approx([0.7, 0.5, 0.5])


def test_the_mean_begins_where_all_series_have():
    late = CURVES[CURVES["panel"] == "a"].assign(time=[0.0, 2.0, 1.0])
    times, mean = mean_of_steps(late, 5.0)
    assert list(times) == [1, 2, 5] and mean == pytest.approx([0.7, 0.5, 0.5])


def test_curves_show_every_series_and_the_mean_where_there_are_several():
    figure = draw_curves(CURVES, panels={"a": "A", "b": "B"}, end=5.0, axis_title="mAP50", target=0.6, target_label="t")
    first, second = figure.axes
    assert [len(axes.lines) for axes in (first, second)] == [4, 2]  # series, mean, target; series, target
    assert list(first.lines[0].get_xdata()) == [0, 2, 5] and list(first.lines[0].get_ydata()) == [0.8, 0.4, 0.4]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["A", "B"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one seed", "mean of the seeds", "t"]


def test_curves_with_gaps_are_refused():
    with pytest.raises(InputError, match="'c' has no series"):
        draw_curves(CURVES, panels={"c": "C"}, end=5.0, axis_title="")
    with pytest.raises(InputError, match="missing"):
        draw_curves(CURVES.assign(value=np.nan), panels={"a": "A"}, end=5.0, axis_title="")
