"""The network: boxes never overlap, lines keep clear of them where they can, and it reads without colour."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyBboxPatch

from analysis.base.errors import InputError
from analysis.plots import theme
from analysis.plots.network import _crossings, _hidden_lines, draw_network, place_boxes, push_apart

NODES = pd.DataFrame(
    {
        "key": list("abcdef"),
        "label": ["Alpha", "A label that is long enough to break", "Gamma", "Delta", "Lone pair", "The other of it"],
        "size": [5.0, 40, 12, 9, 3, 3],
    }
)
EDGES = pd.DataFrame(
    {
        "first": ["a", "a", "b", "c", "e"],
        "second": ["b", "c", "c", "d", "f"],
        "weight": [2.0, 9, 4, 3, 2],
        "firm": [True, True, False, True, False],
    }
)
LABELS = {
    "weight_label": "together",
    "firm_label": "above chance",
    "loose_label": "may be chance",
    "size_label": "in all",
}


def draw(nodes=NODES, edges=EDGES, seed=1):
    return draw_network(nodes, edges, seed=seed, **LABELS)


def boxes_of(figure):
    (axes,) = figure.axes
    return [patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]


def test_every_node_and_edge_is_drawn():
    (axes,) = draw().axes
    assert [text.get_text().replace("\n", " ") for text in axes.texts] == NODES["label"].tolist()
    assert len(axes.lines) == len(EDGES)
    assert [line.get_linestyle() for line in axes.lines] == ["-", "-", "--", "-", "--"]
    widths = [line.get_linewidth() for line in axes.lines]
    assert np.argsort(widths, kind="stable").tolist() == np.argsort(EDGES["weight"], kind="stable").tolist()


def test_firm_lines_are_darker_and_boxes_light_enough_for_their_words():
    (axes,) = draw().axes
    tones = {firm: theme.lightness(line.get_color()) for line, firm in zip(axes.lines, EDGES["firm"], strict=True)}
    assert tones[False] - tones[True] > 0.15
    fills = [theme.lightness(to_rgb(patch.get_facecolor())) for patch in axes.patches]
    assert min(fills) > 0.6
    assert np.argsort(fills)[0] == NODES["size"].argmax()  # the largest is the darkest


def test_words_lie_inside_their_boxes_and_boxes_on_the_page():
    figure = draw()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    (axes,) = figure.axes
    boxes = boxes_of(figure)
    for text, box in zip(axes.texts, boxes, strict=True):
        words = text.get_window_extent(renderer)
        assert box.x0 <= words.x0 and words.x1 <= box.x1 and box.y0 <= words.y0 and words.y1 <= box.y1
    legend = figure.legends[0].get_window_extent(renderer)
    for box in [*boxes, legend]:
        assert figure.bbox.x0 - 0.5 <= box.x0 and box.x1 <= figure.bbox.x1 + 0.5
        assert figure.bbox.y0 - 0.5 <= box.y0 and box.y1 <= figure.bbox.y1 + 0.5
    assert not any(one.overlaps(other) for one, other in combinations([*boxes, legend], 2))


def test_the_same_seed_gives_the_same_layout():
    first, second = ([tuple(box.extents) for box in boxes_of(draw())] for _ in range(2))
    assert first == second


@given(
    st.integers(2, 7).flatmap(
        lambda n: st.tuples(
            st.lists(st.tuples(st.floats(20, 90), st.floats(12, 40)), min_size=n, max_size=n),
            st.lists(
                st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] < pair[1]),
                min_size=1,
                max_size=8,
                unique=True,
            ),
        )
    )
)
@settings(max_examples=6, deadline=None)
def test_boxes_never_overlap_and_stay_within_the_width(network):
    sizes, ends = np.array(network[0]), np.array(network[1])
    centres, height = place_boxes(sizes, ends, np.ones(len(ends)), 430.0, 1)
    low, high = centres - sizes / 2, centres + sizes / 2
    assert (low >= -1e-6).all() and (high[:, 0] <= 430 + 1e-6).all() and (high[:, 1] <= height + 1e-6).all()
    for i, j in combinations(range(len(sizes)), 2):
        assert ((low[i] >= high[j] - 1e-6) | (low[j] >= high[i] - 1e-6)).any()


def test_a_small_ring_has_no_crossing_and_no_hidden_line():
    sizes = np.full((6, 2), [60.0, 20.0])
    ends = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [0, 5]])
    centres, _ = place_boxes(sizes, ends, np.ones(6), 430.0, 1)
    assert _crossings(centres, ends) == 0 and _hidden_lines(centres, sizes, ends) == 0


def test_crossings_and_hidden_lines_by_hand():
    corners = np.array([[0.0, 0], [100, 100], [0, 100], [100, 0], [50, 50]])
    diagonals = np.array([[0, 1], [2, 3]])
    assert _crossings(corners, diagonals) == 1
    assert _crossings(corners, np.array([[0, 1], [0, 3], [2, 1]])) == 0  # lines that share a box do not cross
    assert _hidden_lines(corners, np.full((5, 2), 10.0), diagonals) == 2  # both run behind the box in the middle
    corners[4] = [500, 500]
    assert _hidden_lines(corners, np.full((5, 2), 10.0), diagonals) == 0


def test_boxes_are_pushed_apart_or_given_up():
    sizes, gaps = np.full((2, 2), 10.0), np.full((2, 2), 4.0)
    placed = push_apart(np.array([[20.0, 20], [21, 20]]), sizes, np.array([60.0, 40]), gaps)
    assert (np.abs(placed[0] - placed[1]) >= 14 - 1e-6).any()
    assert push_apart(np.array([[5.0, 5], [6, 5]]), sizes, np.array([12.0, 12]), gaps) is None
    assert push_apart(np.array([[5.0, 5], [6, 5]]), sizes, np.array([8.0, 8]), gaps) is None


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        (NODES.head(0), EDGES.head(0), "(?s)nodes.*there is none.*edges"),
        (pd.concat([NODES, NODES.head(1)]), EDGES, "'a' comes twice"),
        (NODES, EDGES.assign(second="z"), "unknown node 'z'"),
        (NODES, EDGES.assign(second=EDGES["first"]), "with itself"),
        (NODES, pd.concat([EDGES, EDGES.head(1)]), "comes twice"),
        (NODES, EDGES.assign(weight=0), "a weight of 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(nodes, edges, message):
    with pytest.raises(InputError, match=message):
        draw(nodes, edges)


def test_more_boxes_than_a_page_holds_are_refused():
    keys = [f"n{n}" for n in range(90)]
    nodes = pd.DataFrame({"key": keys, "label": [f"A name of some length {n}" for n in range(90)], "size": 1.0})
    edges = pd.DataFrame({"first": keys[::2], "second": keys[1::2], "weight": 1.0, "firm": True})
    with pytest.raises(InputError, match="draw fewer"):
        draw(nodes, edges)
