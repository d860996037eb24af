"""The heat map shows the table: counts and shades, and everything lies on the page."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from analysis.base.errors import InputError
from analysis.literature.cooccurrence import build_heat_cells, compute_cooccurrence
from analysis.plots import theme
from analysis.plots.heat import draw_heat_map
from tests.literature.small_coding import counted_coding

CELLS = pd.DataFrame(
    [("a", "x", 0.0, ""), ("a", "y", 0.25, "1"), ("b", "x", 0.5, "12"), ("b", "y", np.nan, "")],
    columns=["row", "column", "value", "text"],
)
ROWS, COLUMNS = {"a": "Alpha", "b": "Beta"}, {"x": "First\n(n = 4)", "y": "Second\n(n = 24)"}


def draw(cells=CELLS, rows=ROWS, columns=COLUMNS, **options):
    return draw_heat_map(cells, rows=rows, columns=columns, bar_label="Share", **options)


def boxes_of(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    (axes,) = figure.axes
    labels = [*axes.get_xticklabels(), *axes.get_yticklabels()]
    return [label.get_window_extent(renderer) for label in labels], axes, renderer


def shades(axes) -> dict:
    return {
        (round(patch.get_x() + 0.5), round(patch.get_y() + 0.5)): theme.lightness(patch.get_facecolor()[:3])
        for patch in axes.patches
        if isinstance(patch, Rectangle)
    }


@pytest.fixture(scope="module")
def themes():
    pairs = compute_cooccurrence(counted_coding(), level=1, rng=np.random.default_rng(1), resamples=9)
    cells, rows, columns = build_heat_cells(pairs)
    return cells, columns | rows, draw(cells, rows, columns, share=False, digits=2)


def test_cells_hold_their_texts_and_darken_with_the_value():
    (axes,) = draw().axes
    assert [text.get_text() for text in axes.texts] == ["", "1", "12"]
    found = shades(axes)
    assert set(found) == {(0, 0), (1, 0), (0, 1)}  # a missing value is a stroke, not a shade
    assert found[0, 0] > found[1, 0] > found[0, 1]
    assert found[0, 0] - found[1, 0] > 0.15 and found[1, 0] - found[0, 1] > 0.15  # told apart without colour
    assert len(axes.lines) == 1


def test_words_are_legible_on_their_shade():
    (axes,) = draw().axes
    found = shades(axes)
    for text in axes.texts:
        x, y = text.get_position()
        assert abs(theme.lightness(text.get_color()) - found[x, y]) > 0.45


def test_columns_stand_upright_only_where_they_must():
    (axes,) = draw().axes
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {0}
    many = {f"c{n}": f"A rather long name {n}" for n in range(12)}
    cells = pd.DataFrame([("a", key, 0.5, "1") for key in many], columns=["row", "column", "value", "text"])
    (axes,) = draw(cells, {"a": "Alpha"}, many).axes
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {90}


def test_numbers_in_the_figure_are_those_of_the_stored_table(themes):
    cells, names, figure = themes
    (axes,) = figure.axes
    keys = list(names)
    # Rows begin with the second name: the first would hold the diagonal alone.
    drawn = {(keys[round(t.get_position()[1]) + 1], keys[round(t.get_position()[0])]): t.get_text() for t in axes.texts}
    assert drawn == dict(zip(zip(cells["row"], cells["column"], strict=True), cells["text"], strict=True))
    assert sum(int(text or 0) for text in drawn.values()) == sum(int(text or 0) for text in cells["text"]) > 500


def test_nothing_overlaps_or_leaves_the_page(themes):
    figure = themes[2]
    width, height = figure.get_size_inches()
    assert width == theme.TEXT_WIDTH_IN and height <= 8.9
    boxes, axes, renderer = boxes_of(figure)
    clashes = [(i, j) for i, one in enumerate(boxes) for j, other in enumerate(boxes[:i]) if one.overlaps(other)]
    assert clashes == []
    page = figure.bbox
    legend = figure.legends[0].get_window_extent(renderer)
    for box in [*boxes, legend]:
        assert page.x0 - 0.5 <= box.x0 and box.x1 <= page.x1 + 0.5
        assert page.y0 - 0.5 <= box.y0 and box.y1 <= page.y1 + 0.5
    cell = axes.transData.transform([[0, 0], [1, 1]])
    for text in axes.texts:
        if text.get_text():
            assert text.get_window_extent(renderer).width < abs(cell[1, 0] - cell[0, 0])


def test_legend_spans_from_nothing_to_the_largest_value():
    texts = [text.get_text() for text in draw().legends[0].get_texts()]
    assert texts == ["0%", "25%", "50%"]
    plain = draw(CELLS.assign(value=[0, 1, 4, 2]), share=False, digits=1)
    assert [text.get_text() for text in plain.legends[0].get_texts()] == ["0.0", "2.0", "4.0"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": CELLS.assign(row="c")}, "unknown row 'c'"),
        ({"cells": CELLS.assign(column="z")}, "unknown column 'z'"),
        ({"cells": pd.concat([CELLS, CELLS.head(1)])}, "'a', 'x' comes twice"),
        ({"cells": CELLS.assign(value=-1.0)}, "a value of -1"),
        ({"cells": CELLS.assign(text="a very long text that no cell can hold " * 3)}, "does not fit a cell"),
        ({"cells": CELLS.head(0)}, "cells.*there is none"),
        ({"rows": ROWS | {f"r{n}": f"Row {n}" for n in range(60)}}, "inches high"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        draw(**change)
