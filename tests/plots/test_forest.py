"""Forest plots: effects where the numbers are, nothing overlapping, open and full dots apart without colour."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.markers import CARETLEFT, CARETRIGHT

from analysis.base.errors import InputError
from analysis.plots.forest import draw_forest


def rows(sizes=(3, 2), label="mlops / manual", text="0.82 (0.47–1.43)", n=10) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "group": f"Metric {group}",
                "label": f"{label} {place}",
                "value": 0.5 + 0.3 * place,
                "low": 0.25 + 0.2 * place,
                "high": 1.1 + 0.5 * place,
                "text": text,
                "n": n,
            }
            for group, size in enumerate(sizes)
            for place in range(size)
        ]
    )


def dots(axes):
    return [line for line in axes.lines if line.get_marker() == "o"]


def whiskers(axes):
    return [
        tuple(line.get_xdata()) for line in axes.lines if line.get_linewidth() == 1.6 and len(line.get_xdata()) == 2
    ]


def test_dots_and_whiskers_stand_where_the_numbers_are():
    table = rows()
    axes = draw_forest(table, axis_title="Ratio", log=True).axes[0]
    assert [dot.get_xdata()[0] for dot in dots(axes)] == list(table["value"])
    assert whiskers(axes) == list(zip(table["low"], table["high"], strict=True))
    heights = [dot.get_ydata()[0] for dot in dots(axes)]
    assert heights == sorted(heights) and axes.yaxis_inverted()
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert low < table["low"].min() and high > table["high"].max()


def test_headings_come_before_their_rows_in_bold():
    axes = draw_forest(rows(), axis_title="Ratio").axes[0]
    labels = {tick.get_text(): place for tick, place in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert labels["Metric 0"] < dots(axes)[0].get_ydata()[0] < labels["Metric 1"] < dots(axes)[3].get_ydata()[0]
    assert sum(tick.get_fontweight() == "bold" for tick in axes.get_yticklabels()) == 2


@pytest.mark.parametrize(("options", "place"), [({"log": True}, 1), ({}, 0), ({"reference": 0.4}, 0.4)])
def test_the_line_of_no_effect_is_in_sight(options, place):
    axes = draw_forest(rows((1,)), axis_title="Effect", **options).axes[0]
    assert axes.lines[0].get_xdata() == [place, place]
    low, high = axes.get_xlim()
    assert low < place < high


def test_columns_of_text_and_n():
    axes = draw_forest(rows(n=1234), axis_title="Ratio", text_title="ratio (95%)", n_title="pairs").axes[0]
    printed = [text.get_text() for text in axes.texts]
    assert printed.count("0.82 (0.47–1.43)") == 5 and printed.count("1,234") == 5
    assert printed[-2:] == ["ratio (95%)", "pairs"]


def test_rows_without_interval_or_value():
    table = rows((3,))
    table.loc[1, ["low", "high"]] = np.nan
    table.loc[2, ["value", "low", "high"]] = np.nan
    axes = draw_forest(table.assign(text=["a", "b", "none"]), axis_title="Ratio", log=True).axes[0]
    assert len(dots(axes)) == 2 and len(whiskers(axes)) == 1
    assert "none" in [text.get_text() for text in axes.texts]


def test_what_leaves_the_axis_ends_in_an_arrow():
    axes = draw_forest(rows((3,)), axis_title="Ratio", log=True, limits=(0.4, 1.0)).axes[0]
    arrows = [
        (line.get_marker(), line.get_xdata()[0]) for line in axes.lines if line.get_marker() in (CARETLEFT, CARETRIGHT)
    ]
    assert arrows == [(CARETLEFT, 0.4), (CARETRIGHT, 1.0), (CARETRIGHT, 1.0), (CARETRIGHT, 1.0)]
    assert [dot.get_xdata()[0] for dot in dots(axes)] == [0.5, 0.8]  # 1.1 lies outside
    assert all(0.4 <= end <= 1.0 for pair in whiskers(axes) for end in pair)


def test_weaker_standing_shows_without_colour():
    figure = draw_forest(rows((2,)).assign(hollow=[True, False]), axis_title="Ratio", meanings=("tested", "described"))
    open_dot, full_dot = dots(figure.axes[0])
    assert open_dot.get_markerfacecolor() == "white" and full_dot.get_markerfacecolor() != "white"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["tested", "described"]


@pytest.mark.parametrize(
    ("table", "options"),
    [
        (rows((1,)), {}),
        (rows((3, 3, 3)), {"log": True, "text_title": "ratio (95% interval)", "n_title": "pairs"}),
        (rows((2, 2), label="an arm with a rather long name against another arm with a long name too"), {"log": True}),
        (rows((1, 1, 1, 1), text="12,345.67 (1,234.56–23,456.78)", n=1_234_567), {"meanings": ("tested", "described")}),
        (rows((2,)).assign(low=[1e-4, 0.01], high=[1e4, 5000.0]), {"log": True}),
        (rows((2,)).assign(value=0.983, low=0.981, high=0.985), {"log": True, "reference": 0.984}),
    ],
)
def test_no_two_texts_overlap_and_none_leaves_the_page(table, options):
    figure = draw_forest(table, axis_title="Ratio of the first arm to the second (95% interval)", **options)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    texts = [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label]
    texts += [text for legend in figure.legends for text in legend.get_texts()]
    boxes = [text.get_window_extent() for text in texts if text.get_text().strip()]
    for first, second in combinations(boxes, 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        down = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert not (across > 1 and down > 1)
    assert min(box.x0 for box in boxes) >= -1 and max(box.x1 for box in boxes) <= figure.bbox.x1 + 1
    assert min(box.y0 for box in boxes) >= -1 and max(box.y1 for box in boxes) <= figure.bbox.y1 + 1
    assert axes.get_window_extent().width > 0.25 * figure.bbox.width
    ticks = [tick.get_text() for tick in axes.get_xticklabels() if tick.get_text()]
    assert len(ticks) >= 2 and len(set(ticks)) == len(ticks)


def test_wrong_tables_are_refused_with_every_fault():
    table = pd.concat([rows((1, 1)), rows((1,))], ignore_index=True)
    table.loc[1, "high"] = np.nan
    table.loc[2, ["value", "low"]] = [9.0, -1.0]
    with pytest.raises(InputError) as error:
        draw_forest(table, axis_title="Ratio", log=True)
    assert [problem.what.split(" 9")[0] for problem in error.value.problems] == [
        "its rows do not stand together",
        "one bound without the other",
        "value",
        "not above zero",
    ]
    with pytest.raises(InputError, match="nothing to draw"):
        draw_forest(rows().head(0), axis_title="Ratio")
    with pytest.raises(InputError, match="limits"):
        draw_forest(rows(), axis_title="Ratio", log=True, limits=(0, 2))
