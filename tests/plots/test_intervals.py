"""Dots and whiskers: every estimate is drawn where it belongs, in order, without overlapping text."""

from __future__ import annotations

from itertools import combinations

import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.plots.intervals import draw_intervals


def rows(sizes=(3, 2), text="42 of 84: 50.0% (39.5–60.5%)") -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "group": f"Group {group}",
                "label": f"label {place} of a moderate length",
                "value": 0.1 + 0.1 * place,
                "low": 0.05 + 0.1 * place,
                "high": 0.3 + 0.1 * place,
                "text": text,
            }
            for group, size in enumerate(sizes)
            for place in range(size)
        ]
    )


def test_whiskers_and_dots_stand_where_the_numbers_are():
    table = rows()
    axes = draw_intervals(table, axis_title="Share").axes[0]
    whiskers, dots = axes.lines[0::2], axes.lines[1::2]
    assert [tuple(line.get_xdata()) for line in whiskers] == list(zip(table["low"], table["high"], strict=True))
    assert [dot.get_xdata()[0] for dot in dots] == list(table["value"])
    heights = [dot.get_ydata()[0] for dot in dots]
    assert heights == sorted(heights)
    assert axes.yaxis_inverted()


def test_headings_come_before_their_rows():
    axes = draw_intervals(rows(), axis_title="Share").axes[0]
    labels = {tick.get_text(): place for tick, place in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert labels["Group 0"] < axes.lines[1].get_ydata()[0] < labels["Group 1"]
    assert sum(tick.get_fontweight() == "bold" for tick in axes.get_yticklabels()) == 2


def test_hollow_dots_and_reference():
    axes = draw_intervals(rows((2,)).assign(hollow=[True, False]), axis_title="Share", reference=0.5).axes[0]
    assert [dot.get_markerfacecolor() for dot in axes.lines[1:4:2]] == ["white", axes.lines[3].get_markeredgecolor()]
    assert axes.lines[-1].get_xdata() == [0.5, 0.5]


@pytest.mark.parametrize("sizes", [(1,), (3, 2), (5, 5, 5), (1, 1, 1, 1)])
def test_no_two_texts_overlap_and_none_leaves_the_page(sizes):
    figure = draw_intervals(rows(sizes), axis_title="Share of respondents, 95% interval")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    texts = [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for first, second in combinations(boxes, 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        down = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert not (across > 1 and down > 1)
    assert min(box.x0 for box in boxes) >= -1
    assert max(box.x1 for box in boxes) <= figure.bbox.x1 + 1


def test_axis_of_other_quantities():
    axes = draw_intervals(rows((2,)), axis_title="Hours", share=False, limits=(0, 2)).axes[0]
    assert axes.get_xlim() == (0, 2)


def test_wrong_tables_are_refused_with_every_fault():
    table = pd.concat([rows((1, 1)), rows((1,))], ignore_index=True)
    table.loc[1, "value"] = 0.9
    with pytest.raises(InputError) as error:
        draw_intervals(table, axis_title="Share")
    assert [problem.where.split(",")[0] for problem in error.value.problems] == ["Group 0", "Group 1"]
    with pytest.raises(InputError, match="outside nan to 1"):
        draw_intervals(rows((1,)).assign(low=float("nan"), high=1.0), axis_title="Share")
    with pytest.raises(InputError):
        draw_intervals(rows().iloc[:0], axis_title="Share")
