"""The figures of the literature chapter, drawn from the published tables: nothing overlaps, nothing leaves its box."""

from __future__ import annotations

from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.base.tables import load_table
from analysis.literature.records import KIND_NAMES
from analysis.maturity.framework import PIPELINE_NAMES, check_framework
from analysis.maturity.model import build_model, stage_headings
from analysis.plots.matrix import draw_dot_matrix

PAGE_HEIGHT_IN = 8.9
"""Height of the text block on A4 less a caption of three lines."""


def _activities():
    rows = check_framework(load_table("literature/activities.csv"))
    return (
        rows.rename(columns={"activity": "key", "name": "label", "pipeline": "group"}),
        load_table("literature/activity_studies.csv").rename(columns={"activity": "row", "study": "column"}),
        PIPELINE_NAMES,
    )


def _preconditions():
    rows = load_table("literature/preconditions.csv")
    links = load_table("literature/precondition_studies.csv")
    model = build_model(load_table("literature/maturity_stages.csv"), rows, links)
    return (
        rows.rename(columns={"precondition": "key", "name": "label", "stage": "group"}),
        links.rename(columns={"precondition": "row", "study": "column"}),
        stage_headings(model),
    )


@pytest.mark.parametrize("tables", [_activities, _preconditions])
def test_matrices_are_legible_on_one_page(tables):
    rows, links, row_groups = tables()
    columns = load_table("literature/studies.csv").rename(columns={"study": "key", "kind": "group"})
    figure = draw_dot_matrix(rows, columns, links, row_groups=row_groups, column_groups=KIND_NAMES)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    renderer = canvas.get_renderer()
    texts = [*axes.get_yticklabels(), *axes.get_xticklabels(), *axes.texts]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    assert [(a[0], b[0]) for a, b in combinations(boxes, 2) if a[1].overlaps(b[1])] == []
    assert min(text.get_fontsize() for text in texts) >= 7
    assert min(box.x0 for _, box in boxes) >= 0
    assert figure.get_size_inches()[1] <= PAGE_HEIGHT_IN
