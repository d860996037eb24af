"""Shaded matrices and boxed pictures: what is in a cell, and that it can be read there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from analysis.base.errors import InputError
from analysis.plots.grids import BoxedImage, draw_boxed_images, draw_share_matrix

CELLS = pd.DataFrame(
    [
        ("bug", "manual", 0.0, "0 of 2"),
        ("bug", "mlops", 1.0, "2 of 2\ngate"),
        ("crash", "manual", np.nan, "0 of 0"),
        ("crash", "mlops", 0.5, "1 of 2"),
    ],
    columns=["row", "column", "share", "text"],
)
WORDS = {"rows": {"bug": "Bug", "crash": "Crash"}, "columns": {"manual": "Manual", "mlops": "MLOps"}}
IMAGE = BoxedImage(
    np.zeros((32, 32, 3), np.uint8),
    np.array([[4.0, 4, 12, 12]]),
    np.array([[5.0, 5, 12, 12]]),
    np.zeros((0, 4)),
    "1 of 1",
)


def test_larger_shares_are_darker_and_missing_ones_empty():
    (axes,) = draw_share_matrix(CELLS, **WORDS, bar_label="Stopped").axes
    grey = [patch.get_facecolor()[0] for patch in axes.patches if isinstance(patch, Rectangle)]
    assert grey[0] == grey[2] == 1.0 and grey[1] < grey[3] < 1.0
    assert [text.get_text() for text in axes.texts] == ["0 of 2", "2 of 2\ngate", "1 of 2"]
    assert axes.texts[1].get_color() == "white"


def test_texts_stay_inside_their_cells():
    figure = draw_share_matrix(CELLS, **WORDS, bar_label="Stopped")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    places = [0, 1, 3]
    for text, place in zip(axes.texts, places, strict=True):
        box, cell = text.get_window_extent(), axes.patches[place].get_window_extent()
        assert cell.x0 <= box.x0 and box.x1 <= cell.x1 and cell.y0 <= box.y0 + 1 and box.y1 <= cell.y1 + 1


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (CELLS.head(3), "'crash', 'mlops' is not given"),
        (CELLS.assign(row="other"), "unknown row"),
        (pd.concat([CELLS, CELLS.head(1)]), "comes twice"),
        (CELLS.assign(share=1.2), "a share of 1.2"),
    ],
)
def test_wrong_cells_are_refused(cells, message):
    with pytest.raises(InputError, match=message):
        draw_share_matrix(cells, **WORDS, bar_label="Stopped")


def test_boxes_are_drawn_on_their_pictures():
    figure = draw_boxed_images([("First", [IMAGE, IMAGE]), ("Second", [IMAGE])])
    assert len(figure.axes) == 4
    corners = [patch.get_xy() for patch in figure.axes[0].patches]
    assert corners == [(3.5, 3.5), (4.5, 4.5)]
    assert figure.axes[0].texts[-1].get_text() == "First"
    assert not figure.axes[3].images and not figure.axes[3].axison


def test_no_picture_is_refused():
    with pytest.raises(InputError):
        draw_boxed_images([("First", [])])


def test_long_headings_do_not_push_pictures_apart():
    figure = draw_boxed_images([("A heading that is much wider than one of four pictures is", [IMAGE] * 4)])
    figure.draw_without_rendering()
    left = [axes.get_window_extent().x0 for axes in figure.axes]
    assert np.ptp(np.diff(left)) < 2
