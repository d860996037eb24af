from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.base.errors import InputError
from analysis.plots import theme
from analysis.plots.matrix import draw_dot_matrix

ROWS = pd.DataFrame({"key": ["a", "b", "c"], "label": ["Alpha", "Beta", "Gamma"], "group": ["one", "two", "two"]})
COLUMNS = pd.DataFrame({"key": ["x", "y"], "label": ["First", "Second"], "group": ["firm", "loose"]})
LINKS = pd.DataFrame({"row": ["a", "b", "b"], "column": ["x", "x", "y"]})
GROUPS = {"row_groups": {"one": "Group one", "two": "Group two"}, "column_groups": {"firm": "Firm", "loose": "Loose"}}


def _texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_one_mark_a_link_by_column_group():
    figure = draw_dot_matrix(ROWS, COLUMNS, LINKS, **GROUPS)
    (axes,) = figure.axes
    marks = {c.get_label(): len(c.get_offsets()) for c in axes.collections if not c.get_label().startswith("_")}
    assert marks == {"Firm": 2, "Loose": 1}
    assert figure.get_size_inches()[0] == theme.TEXT_WIDTH_IN


def test_totals_and_headings_are_written():
    (axes,) = draw_dot_matrix(ROWS, COLUMNS, LINKS, **GROUPS).axes
    texts = _texts(axes)
    assert {"Group one", "Group two"} <= set(texts)
    numbers = [text for text in texts if text.isdigit()]
    assert sorted(numbers) == ["0", "1", "1", "2", "2"]  # rows 1, 2, 0; columns 2, 1


def test_rows_follow_the_order_of_the_groups():
    (axes,) = draw_dot_matrix(ROWS.iloc[::-1], COLUMNS, LINKS, **GROUPS).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Alpha", "Gamma", "Beta"]
    assert list(axes.get_yticks()) == [1, 3, 4]


def test_nothing_overlaps_on_paper():
    figure = draw_dot_matrix(ROWS, COLUMNS, LINKS, **GROUPS)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    renderer = canvas.get_renderer()
    boxes = [label.get_window_extent(renderer) for label in axes.get_yticklabels()]
    boxes += [text.get_window_extent(renderer) for text in axes.texts]
    clashes = [(i, j) for i, one in enumerate(boxes) for j, other in enumerate(boxes[:i]) if one.overlaps(other)]
    assert clashes == []


@pytest.mark.parametrize(
    ("rows", "links", "message"),
    [
        (ROWS, pd.DataFrame({"row": ["d"], "column": ["x"]}), "unknown row 'd'"),
        (ROWS, pd.DataFrame({"row": ["a"], "column": ["z"]}), "unknown column 'z'"),
        (ROWS, pd.concat([LINKS, LINKS.head(1)]), "linked twice"),
        (ROWS.assign(group="three"), LINKS, "unknown group 'three'"),
        (pd.concat([ROWS, ROWS.head(1)]), LINKS, "'a' occurs twice"),
        (ROWS.head(0), LINKS.head(0), "no entries"),
    ],
)
def test_what_does_not_fit_is_refused(rows, links, message):
    with pytest.raises(InputError, match=message):
        draw_dot_matrix(rows, COLUMNS, links, **GROUPS)
