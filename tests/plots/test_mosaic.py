"""Mosaic: tiles as large as their counts, every count in sight, shades by residual, no texts overlap."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from analysis.base.errors import InputError
from analysis.plots.mosaic import SHADES, draw_mosaic, shade_of
from analysis.plots.theme import TEXT_WIDTH_IN, lightness
from analysis.stats.residuals import compute_residuals


def table_of(rows) -> pd.DataFrame:
    width = len(rows[0])
    return pd.DataFrame(
        rows, index=[f"group {i}" for i in range(len(rows))], columns=[f"answer {i}" for i in range(width)]
    )


# Hair and eye colour of 592 people (R's HairEyeColor, both sexes), the usual example of mosaic plots.
HAIR = pd.DataFrame(
    [[68, 119, 26, 7], [20, 84, 17, 94], [15, 54, 14, 10], [5, 29, 14, 16]],
    index=["Brown eyes", "Blue eyes", "Hazel eyes", "Green eyes"],
    columns=["Black hair", "Brown hair", "Red hair", "Blond hair"],
)


def tiles(figure) -> list[Rectangle]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


def counts_shown(figure) -> list[str]:
    return [text.get_text().split("\n")[0] for text in figure.axes[0].texts if text.get_gid() == "count"]


def overlaps(figure) -> list[tuple[str, str]]:
    """Pairs of texts whose boxes share more than a point in both directions, and texts beyond the page."""
    figure.draw_without_rendering()
    legend = figure.legends[0]
    texts = [*figure.axes[0].texts, *legend.get_texts(), legend.get_title()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    page = figure.bbox
    found = [
        (a, b)
        for (a, first), (b, second) in combinations(boxes, 2)
        if min(first.x1, second.x1) - max(first.x0, second.x0) > 1
        and min(first.y1, second.y1) - max(first.y0, second.y0) > 1
    ]
    found += [(a, "page") for a, box in boxes if box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1]
    return found + [(a, "page") for a, box in boxes if box.y0 < page.y0 - 1 or box.y1 > page.y1 + 1]


def test_areas_are_counts():
    figure = draw_mosaic(HAIR)
    areas = np.array([tile.get_width() * tile.get_height() for tile in tiles(figure)])
    assert areas / areas.sum() == pytest.approx(HAIR.to_numpy().ravel() / HAIR.to_numpy().sum())


def test_shades_of_the_usual_example():
    """Blond hair is far commoner with blue eyes than independence would have it, and far rarer with brown eyes.

    Largest and smallest residual as in the legend of the mosaic of these data in R's package vcd (vignette strucplot).
    """
    residuals = compute_residuals(HAIR, kind="pearson")
    assert residuals.max() == residuals[1, 3] == pytest.approx(7.05, abs=5e-3)
    assert residuals.min() == residuals[0, 3] == pytest.approx(-5.85, abs=5e-3)
    colours = [to_hex(tile.get_facecolor()) for tile in tiles(draw_mosaic(HAIR))]
    assert colours == [shade_of(residual).colour for residual in residuals.ravel()]
    assert colours[7] == SHADES[0].colour
    assert colours[3] == SHADES[-1].colour


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=3), min_size=2, max_size=4).filter(
        lambda t: all(map(sum, t))
    )
)
def test_every_count_is_in_sight_and_nothing_overlaps(rows):
    figure = draw_mosaic(table_of(rows))
    assert sorted(counts_shown(figure)) == sorted(str(count) for row in rows for count in row)
    assert overlaps(figure) == []


@pytest.mark.parametrize(
    "table",
    [
        HAIR,
        table_of([[1, 1, 1, 1, 1000], [1000, 1, 1, 1, 1]]),
        table_of([[0, 0, 3], [0, 0, 0], [2, 1, 0]]),
        table_of([[12_000, 9_000], [1, 2]]),
        table_of(np.random.default_rng(1).multinomial(40, [0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.3], size=6).tolist()),
        pd.DataFrame(
            [[0, 1, 3, 20, 6], [2, 4, 10, 27, 13], [1, 0, 2, 0, 1]],
            index=["Uses MLOps where they work", "Does not use MLOps yet", "Prefers not to answer this question"],
            columns=["Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree"],
        ),
    ],
)
def test_no_two_texts_overlap(table):
    figure = draw_mosaic(table)
    assert overlaps(figure) == []
    shown = [text.get_text().replace("\n", " ") for text in figure.axes[0].texts]
    assert all(any(str(name) in words for words in shown) for name in (*table.index, *table.columns))
    assert all(any(f"n = {n:,}" in words for words in shown) for n in table.sum(axis=1))


def test_an_answer_that_nobody_gave_keeps_its_name_and_zero():
    figure = draw_mosaic(table_of([[5, 0, 7], [6, 0, 2]]))
    assert counts_shown(figure).count("0") == 2
    assert "answer 1" in [text.get_text() for text in figure.axes[0].texts]


def test_greyscale_tells_every_shade_apart():
    for first, second in combinations(SHADES, 2):
        assert abs(lightness(first.colour) - lightness(second.colour)) > 0.08 or first.hatch != second.hatch
    assert [bool(shade.hatch) for shade in SHADES] == [False, False, False, True, True]
    figure = draw_mosaic(HAIR)
    assert len(figure.legends[0].get_texts()) == len(SHADES)
    for tile, text in zip(tiles(figure), figure.axes[0].texts, strict=False):
        if text.get_gid() == "count" and not tile.get_hatch() and tile.contains_point(text.get_position()):
            assert abs(lightness(to_hex(tile.get_facecolor())) - lightness(to_hex(text.get_color()))) > 0.45


def test_bounds_of_shades_belong_to_the_milder_side():
    labels = [shade_of(residual).label.split(" (")[0] for residual in (4.1, 4.0, 2.0, 0.0, -2.0, -4.0, -4.1)]
    assert labels == [
        "far more than expected",
        "more",
        "about as many",
        "about as many",
        "about as many",
        "fewer",
        "far fewer",
    ]


def test_width_is_the_text_block():
    assert draw_mosaic(HAIR).get_figwidth() == TEXT_WIDTH_IN


@pytest.mark.parametrize(
    "table",
    [
        table_of([[1, 2]]),
        table_of([[1], [2]]),
        table_of([[1, -2], [3, 4]]),
        table_of([[0, 0], [0, 0]]),
        table_of([[1, 2], [3, 4]]).set_axis(["twice", "twice"]),
        table_of([[1, 2]] * 30),
    ],
)
def test_wrong_tables_are_refused(table):
    with pytest.raises(InputError):
        draw_mosaic(table)
