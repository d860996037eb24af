from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch

from analysis.base.errors import InputError
from analysis.plots import theme
from analysis.plots.flow import draw_flow

BOXES = pd.DataFrame(
    [
        ("top", 0.5, 0, 1.9, "Found", True),
        ("left", 0, 1, 0.9, "Kept\nn = 6", True),
        ("right", 1, 1, 0.9, "Lost\nnot published", False),
    ],
    columns=["box", "lane", "level", "width", "text", "known"],
)
ARROWS = pd.DataFrame({"start": ["top", "left"], "end": ["left", "right"]})


def test_known_boxes_are_solid_and_unknown_ones_dashed():
    (axes,) = draw_flow(BOXES, ARROWS).axes
    styles = [patch.get_linestyle() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert [style == "-" or style == "solid" for style in styles] == [True, True, False]


def test_every_text_lies_inside_its_box():
    figure = draw_flow(BOXES, ARROWS)
    assert figure.get_size_inches()[0] == theme.TEXT_WIDTH_IN
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    renderer = canvas.get_renderer()
    boxes = [patch.get_window_extent(renderer) for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    texts = [text.get_window_extent(renderer) for text in axes.texts if text.get_text()]
    assert len(texts) == len(boxes) == 3
    for text, box in zip(texts, boxes, strict=True):
        assert box.x0 <= text.x0 and text.x1 <= box.x1
        assert box.y0 <= text.y0 and text.y1 <= box.y1


@pytest.mark.parametrize(
    ("boxes", "arrows", "message"),
    [
        (BOXES, pd.DataFrame({"start": ["top"], "end": ["nowhere"]}), "unknown box 'nowhere'"),
        (BOXES, pd.DataFrame({"start": ["left"], "end": ["top"]}), "runs upwards"),
        (BOXES, pd.DataFrame({"start": ["top"], "end": ["top"]}), "leads nowhere"),
        (BOXES.head(0), ARROWS, "no boxes"),
        (pd.concat([BOXES, BOXES.head(1)]), ARROWS, "'top' occurs twice"),
        (BOXES.assign(text="word " * 400), ARROWS, "lines, 24 fit"),
        (BOXES.assign(role="title"), ARROWS, "unknown role 'title'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(boxes, arrows, message):
    with pytest.raises(InputError, match=message):
        draw_flow(boxes, arrows)


def test_a_box_is_as_high_as_its_text_and_pushes_the_next_level_down():
    boxes = BOXES.assign(text=["Found\n" + "\n".join("abcdefgh"), "Kept", "Lost"])
    (axes,) = draw_flow(boxes, ARROWS).axes
    top, left, right = (patch for patch in axes.patches if isinstance(patch, FancyBboxPatch))
    assert top.get_height() > 4 * left.get_height() == pytest.approx(4 * right.get_height())
    assert left.get_y() > top.get_y() + top.get_height()


def test_headings_and_bands():
    boxes = BOXES.assign(role=["heading", "box", "box"])
    bands = pd.DataFrame({"label": ["A rather long phase"], "first": [1], "last": [1]})
    (axes,) = draw_flow(boxes, ARROWS, bands).axes
    texts = {text.get_text(): text for text in axes.texts}
    assert texts["Found"].get_color() == theme.PALETTE["white"]
    assert texts["A rather long phase"].get_rotation() == 90
    with pytest.raises(InputError, match="'A rather long phase' spans levels 1 to 4"):
        draw_flow(boxes, ARROWS, bands.assign(last=4))
    with pytest.raises(InputError, match="spans levels 1 to 0"):
        draw_flow(boxes, ARROWS, bands.assign(last=0))
