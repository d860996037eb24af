"""Rainclouds: the density stays on its scale, every value and n is in sight, nothing is invented for few values."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from scipy.stats import gaussian_kde

from analysis.base.errors import InputError
from analysis.plots.density import choose_bandwidth, compute_density, draw_density
from analysis.plots.theme import PALETTE, TEXT_WIDTH_IN, lightness


def scores(groups: dict[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(group, value) for group, values in groups.items() for value in values], columns=["group", "value"]
    )


def medians(values: pd.DataFrame, width: float = 0.3) -> pd.DataFrame:
    found = values.groupby("group", sort=False)["value"].median()
    return pd.DataFrame(
        {
            "group": found.index,
            "value": found.values,
            "low": found.values - width,
            "high": found.values + width,
            "text": "3.50 (3.20–3.80)",
        }
    )


def drawn(groups: dict[str, list[float]], **options):
    values = scores(groups)
    return draw_density(values, medians(values), limits=(1, 5), axis_title="Score", **options)


NORMAL = np.clip(np.round(np.random.default_rng(7).normal(3.6, 0.8, 84), 1), 1, 5).tolist()


@given(st.lists(st.floats(1, 5), min_size=2, max_size=40), st.floats(0.1, 2.0))
def test_the_cloud_ends_with_the_scale_and_has_area_one(values, bandwidth):
    grid = np.linspace(1, 5, 2001)
    found = compute_density(np.array(values), grid, (1, 5), bandwidth)
    assert np.all(found >= 0)
    # Images of the second order are left out: beyond 4 bandwidths they hold nothing, below that next to nothing.
    assert np.trapezoid(found, grid) == pytest.approx(1, abs=2e-2 if bandwidth > 1 else 1e-3)


def test_far_from_the_ends_it_is_scipys():
    """scipy.stats.gaussian_kde, with the same bandwidth, on a scale whose ends are out of reach."""
    values = np.array([2.8, 3.0, 3.1, 3.4, 3.3])
    grid = np.linspace(1, 5, 101)
    reference = gaussian_kde(values, bw_method=0.1 / values.std(ddof=1))(grid)
    assert compute_density(values, grid, (1, 5), 0.1) == pytest.approx(reference, abs=1e-9)


def test_bandwidth_is_silvermans():
    """Silverman (1986), eq. 3.31, by hand: once the variance (55/6) is less, once the quartiles are."""
    assert choose_bandwidth(np.arange(1, 11)) == pytest.approx(0.9 * (55 / 6) ** 0.5 * 10**-0.2)
    assert choose_bandwidth(np.array([1, 2, 2, 3, 3, 4, 4, 100])) == pytest.approx(0.9 * 2 / 1.34 * 8**-0.2)
    assert choose_bandwidth(np.array([3, 3, 3, 3, 3, 5.0])) > 0


def test_every_value_is_drawn_once_with_n():
    figure = drawn({"one": NORMAL, "two": [2.0, 2.0, 2.0, 4.0, 4.5, 3.0], "three": [1.0, 5.0]})
    rings = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    assert [len(line.get_xdata()) for line in rings] == [84, 6, 2]
    for line in rings:
        points = {(round(x, 6), round(y, 6)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}
        assert len(points) == len(line.get_xdata())  # none hides another
    assert [label.get_text().split("\n")[-1] for label in figure.axes[0].get_yticklabels()] == [
        "n = 84",
        "n = 6",
        "n = 2",
    ]


@pytest.mark.parametrize(("values", "clouds"), [([3.0] * 30, 0), ([1, 2, 3, 4], 0), ([1, 2, 3, 4, 5], 1), (NORMAL, 1)])
def test_few_or_equal_values_get_no_invented_cloud(values, clouds):
    assert len(drawn({"one": [float(value) for value in values]}).axes[0].collections) == clouds


def test_missing_values_are_not_counted():
    figure = drawn({"one": [*NORMAL, float("nan")]})
    assert figure.axes[0].get_yticklabels()[0].get_text() == "one\nn = 84"


def test_equal_areas_whatever_n():
    figure = drawn({"many": NORMAL, "few": NORMAL[:10]})
    areas = []
    for cloud in figure.axes[0].collections:
        corners = cloud.get_paths()[0].vertices
        x, y = corners[:, 0], corners[:, 1]
        areas.append(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)
    assert areas[0] == pytest.approx(areas[1], rel=0.02)


def test_medians_without_an_interval_are_dots_alone():
    values = scores({"one": [1.0, 2.0, 3.0]})
    centres = medians(values).assign(low=float("nan"), high=float("nan"))
    figure = draw_density(values, centres, limits=(1, 5), axis_title="Score")
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [3, 1]


def overlaps(figure) -> list[tuple[str, str]]:
    figure.draw_without_rendering()
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    ticks = zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
    texts = [label for label, place in ticks if low <= place <= high]
    texts += [*axes.texts, *axes.get_yticklabels(), axes.xaxis.label, *figure.legends[0].get_texts()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    page = figure.bbox
    return [
        (a, b)
        for (a, first), (b, second) in combinations(boxes, 2)
        if min(first.x1, second.x1) - max(first.x0, second.x0) > 1
        and min(first.y1, second.y1) - max(first.y0, second.y0) > 1
    ] + [(a, "page") for a, box in boxes if box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1]


@pytest.mark.parametrize(
    "groups",
    [
        {"Under five years": NORMAL[:42], "Five to ten years": NORMAL[42:78], "Over ten years": NORMAL[78:]},
        {"A name of a group that is long enough to be folded more than once on a narrow page": NORMAL, "b": NORMAL[:7]},
        {f"group {place}": NORMAL[place : place + 12] for place in range(7)},
        {"one": [1.0, 5.0]},
    ],
)
def test_no_two_texts_overlap(groups):
    figure = drawn(groups)
    assert overlaps(figure) == []
    assert figure.get_figwidth() == TEXT_WIDTH_IN


def test_greyscale_tells_median_from_cloud():
    cloud = drawn({"one": NORMAL}).axes[0].collections[0]
    assert abs(lightness(to_hex(cloud.get_facecolor()[0])) - lightness(PALETTE["primary"])) > 0.3


def test_wrong_tables_are_refused_with_every_fault():
    values = scores({"a": [1.0, 6.0], "b": [2.0]})
    centres = pd.DataFrame(
        [("a", 3.0, 3.5, 4.0, ""), ("c", 1.0, 0.5, float("nan"), "")], columns=["group", "value", "low", "high", "text"]
    )
    with pytest.raises(InputError) as error:
        draw_density(values, centres, limits=(1, 5), axis_title="Score", bandwidth=0)
    assert [problem.where for problem in error.value.problems] == ["bandwidth", "b", "c", "a", "a", "c"]
    with pytest.raises(InputError, match="nothing to draw"):
        draw_density(values.head(0), centres.head(0), limits=(1, 5), axis_title="Score")
    with pytest.raises(InputError, match="two rising"):
        draw_density(scores({"a": [1.0]}), medians(scores({"a": [1.0]})), limits=(5, 1), axis_title="Score")
