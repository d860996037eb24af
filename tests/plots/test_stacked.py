from __future__ import annotations

import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.plots.stacked import draw_stacked_counts

COUNTS = pd.DataFrame({"label": ["A", "B"], "firm": [2, 0], "loose": [1, 4]})
CLASSES = {"firm": "Firm", "loose": "Loose"}


def test_segments_are_as_long_as_their_counts_and_say_so():
    (axes,) = draw_stacked_counts(COUNTS, CLASSES).axes
    assert [patch.get_width() for patch in axes.patches] == [2, 0, 1, 4]
    assert [patch.get_x() for patch in axes.patches] == [0, 0, 2, 0]
    assert sorted(text.get_text() for text in axes.texts) == ["1", "2", "4"]  # nothing is written for nought


def test_a_break_moves_the_rows_below_it():
    (axes,) = draw_stacked_counts(COUNTS, CLASSES, breaks=(1,)).axes
    first, second = axes.get_yticks()
    assert second - first > 1


@pytest.mark.parametrize(
    ("counts", "classes", "message"),
    [
        (COUNTS.assign(firm=[-1, 0]), CLASSES, "a count from 0"),
        (COUNTS.assign(firm=[None, 0]), CLASSES, "a count from 0"),
        (COUNTS.assign(firm=[2.5, 0]), CLASSES, "a count from 0"),
        (COUNTS, {}, "no class"),
        (COUNTS.head(0), CLASSES, "no rows"),
        (COUNTS, dict.fromkeys("abcdef", "x"), "can be told apart"),
    ],
)
def test_impossible_counts_are_refused(counts, classes, message):
    with pytest.raises(InputError, match=message):
        draw_stacked_counts(counts.assign(**{key: 1 for key in classes if key not in counts}), classes)


def test_bars_of_nothing_are_drawn_without_a_number():
    figure = draw_stacked_counts(COUNTS.assign(**dict.fromkeys(CLASSES, 0)), CLASSES)
    assert [text.get_text() for text in figure.axes[0].texts] == []
    assert figure.axes[0].get_xlim()[1] > 0
