"""Symbol matrix: every class its own mark, readable without colour, nothing outside its cell."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.plots import theme
from analysis.plots.symbols import draw_symbol_matrix

CLASSES = {
    "yes": "there",
    "part": "in part",
    "plan": "planned",
    "no": "lacking",
    "was": "earlier",
    "silent": "not said",
}
ROWS = pd.DataFrame([("a", "First", "g"), ("b", "Second", "g"), ("c", "Third", "h")], columns=["key", "label", "group"])
CELLS = pd.DataFrame(
    [
        ("a", "x", "yes", "+2"),
        ("a", "y", "silent", ""),
        ("b", "x", "part", "+1 \N{MINUS SIGN}1"),
        ("b", "y", "plan", ""),
        ("c", "x", "silent", ""),
        ("c", "y", "no", ""),
    ],
    columns=["row", "column", "status", "text"],
)
WORDS = {"rows": ROWS, "row_groups": {"g": "Group", "h": "Other"}, "columns": {"x": "X\none", "y": "Y"}}


def test_marks_stand_where_their_rows_and_columns_are():
    figure = draw_symbol_matrix(CELLS, CLASSES, **WORDS)
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["Group", "Other", "First", "Second", "Third"]
    places = dict(zip(labels, axes.get_yticks(), strict=True))
    assert places["Group"] < places["First"] < places["Second"] < places["Other"] < places["Third"]
    drawn = {(round(float(line.get_xdata()[0])), float(line.get_ydata()[0])): line for line in axes.lines}
    assert len(drawn) == 6
    assert drawn[(0, places["First"])].get_fillstyle() == "full"
    assert drawn[(0, places["Second"])].get_fillstyle() == "left"
    assert drawn[(1, places["Second"])].get_fillstyle() == "none"
    assert drawn[(1, places["Third"])].get_marker() == "x"
    assert drawn[(1, places["First"])].get_marker() == "_"


def test_legend_names_what_occurs_and_the_mark_does_not_depend_on_it():
    figure = draw_symbol_matrix(CELLS, CLASSES, **WORDS, note="+ good")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["there", "in part", "planned", "lacking", "not said"]
    assert legend.get_title().get_text() == "+ good"
    silent = draw_symbol_matrix(CELLS.assign(status="silent"), CLASSES, **WORDS)
    assert {line.get_marker() for line in silent.axes[0].lines} == {"_"}


def test_shades_go_from_dark_to_white_with_what_is_there():
    rows = pd.DataFrame({"key": list(CLASSES), "label": list(CLASSES), "group": "g"})
    cells = pd.DataFrame({"row": list(CLASSES), "column": "x", "status": list(CLASSES), "text": ""})
    figure = draw_symbol_matrix(cells, CLASSES, rows=rows, row_groups={"g": "G"}, columns={"x": "X"})
    shades = [theme.lightness(patch.get_facecolor()[:3]) for patch in figure.axes[0].patches]
    assert shades[0] < shades[1] < shades[2] < shades[-1] == 1.0
    marks = {(str(line.get_marker()), line.get_fillstyle()) for line in figure.axes[0].lines}
    assert len(marks) == len(CLASSES)


def test_texts_stay_inside_their_cells_and_off_the_marks():
    figure = draw_symbol_matrix(CELLS, CLASSES, **WORDS)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    cells = [patch.get_window_extent() for patch in axes.patches]
    assert len(axes.texts) == 2
    for text in axes.texts:
        box = text.get_window_extent()
        assert sum(cell.x0 <= box.x0 and box.x1 <= cell.x1 and cell.y0 - 1 <= box.y0 and box.y1 <= cell.y1 + 1
                   for cell in cells) == 1  # fmt: skip
        assert not any(line.get_window_extent().overlaps(box) for line in axes.lines)


@pytest.mark.parametrize(
    ("cells", "words", "message"),
    [
        (CELLS.head(5), WORDS, "'c', 'y' is not given"),
        (pd.concat([CELLS, CELLS.head(1)]), WORDS, "'a', 'x' comes twice"),
        (CELLS.assign(status="maybe"), WORDS, "unknown class 'maybe'"),
        (CELLS.assign(row="z"), WORDS, "unknown row 'z'"),
        (CELLS.assign(text="a whole sentence " * 5), WORDS, "does not fit its cell"),
        (CELLS, WORDS | {"columns": {"x": "X" * 90, "y": "Y"}}, "does not fit a column"),
        (CELLS, WORDS | {"row_groups": {"g": "Group"}}, "unknown group 'h'"),
        (CELLS, WORDS | {"rows": pd.concat([ROWS, ROWS.head(1)])}, "'a' occurs twice"),
    ],
)
def test_what_cannot_be_drawn_is_refused(cells, words, message):
    with pytest.raises(InputError, match=message):
        draw_symbol_matrix(cells, CLASSES, **words)


def test_too_many_classes_are_refused():
    with pytest.raises(InputError, match="at most 6 can be told apart"):
        draw_symbol_matrix(CELLS, CLASSES | {"more": "one more"}, **WORDS)
