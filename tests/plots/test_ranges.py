"""Ranges on steps: bars span what they say, marks stand below them, faults are listed."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.plots import theme
from analysis.plots.ranges import draw_step_ranges

RANGES = pd.DataFrame(
    [("a", "s", 0, 1), ("a", "t", 1, 2), ("b", "s", 0, 2), ("b", "t", 2, 2)],
    columns=["row", "series", "lowest", "highest"],
)
MARKS = pd.DataFrame({"row": ["a"], "lowest": [1], "highest": [2]})
WORDS = {
    "series": {"s": "strict", "t": "loose"},
    "rows": {"a": "First", "b": "Second"},
    "steps": {0: "none", 1: "one", 2: "two\nlines"},
}


def test_bars_span_their_steps_and_no_further():
    figure = draw_step_ranges(RANGES, **WORDS)
    (axes,) = figure.axes
    bars = [patch for patch in axes.patches if patch.get_zorder() == 2]
    assert [(round(bar.get_x() + 0.5), round(bar.get_x() + bar.get_width() - 0.5)) for bar in bars] == [
        (0, 1), (1, 2), (0, 2), (2, 2),
    ]  # fmt: skip
    for bar, (row, *_) in zip(bars, RANGES.itertuples(index=False), strict=True):
        middle = bar.get_y() + bar.get_height() / 2
        assert round(middle) == list(WORDS["rows"]).index(row)
    assert not any(a.get_window_extent().overlaps(b.get_window_extent()) for i, a in enumerate(bars) for b in bars[:i])


def test_series_differ_without_colour():
    figure = draw_step_ranges(RANGES, **WORDS)
    solid, hatched = [patch for patch in figure.axes[0].patches if patch.get_zorder() == 2][:2]
    assert theme.lightness(solid.get_facecolor()[:3]) < 0.8 < theme.lightness(hatched.get_facecolor()[:3])
    assert hatched.get_hatch() and not solid.get_hatch()


def test_marks_stand_below_the_bars_of_their_row_and_are_named():
    figure = draw_step_ranges(RANGES, **WORDS, marks=MARKS, mark_label="published")
    (axes,) = figure.axes
    (line,) = axes.lines
    assert list(line.get_xdata()) == [1, 2]
    own = [patch for patch in axes.patches if patch.get_zorder() == 2][:2]
    assert max(bar.get_y() + bar.get_height() for bar in own) < line.get_ydata()[0] < 0.5
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["strict", "loose", "published"]


@pytest.mark.parametrize(
    ("ranges", "changes", "message"),
    [
        (RANGES.head(3), {}, "b, t: 0 ranges"),
        (pd.concat([RANGES, RANGES.head(1)]), {}, "a, s: 2 ranges"),
        (RANGES.assign(lowest=3), {}, "ranges, a: from 3 to 1"),
        (RANGES.assign(highest=7), {}, "from 0 to 7"),
        (RANGES, {"marks": MARKS.assign(row="z")}, "unknown row 'z'"),
        (RANGES, {"marks": MARKS.assign(lowest=5)}, "marks, a: from 5 to 2"),
        (RANGES, {"steps": {0: "none", 2: "two"}}, "number them without a gap"),
        (RANGES, {"steps": WORDS["steps"] | {0: "no " * 60}}, "does not fit a step"),
        (RANGES, {"series": {}}, "series: there is none"),
    ],
)
def test_what_cannot_be_drawn_is_refused(ranges, changes, message):
    with pytest.raises(InputError, match=message):
        draw_step_ranges(ranges, **WORDS | changes)
