"""Figures of a log: what they show is what the tables say, nothing overlaps, greys can be told apart."""

from __future__ import annotations

from datetime import date
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.kpi.activity import compute_activity, compute_activity_trend
from analysis.kpi.definition_pictures import draw_levels, draw_multiverse
from analysis.kpi.dora import compute_dora
from analysis.kpi.levels import compute_levels
from analysis.kpi.multiverse import compute_multiverse
from analysis.kpi.pictures import (
    describe_quantiles,
    describe_trend,
    draw_activity,
    draw_lead_times,
    draw_recoveries,
    duration_limits,
    set_duration_axis,
)
from analysis.kpi.rules import DORA_2025, LEAD, RECOVERY
from analysis.kpi.samples import collect_samples
from analysis.plots.theme import lightness, new_figure
from tests.kpi.worked import log_of, row, ten_rows


@pytest.fixture(scope="module")
def samples():
    return collect_samples(log_of(*ten_rows()), DORA_2025)


def words_overlap(figure, axes) -> list[tuple[str, str]]:
    figure.draw_without_rendering()
    texts = [label for label in axes.get_xticklabels() if label.get_text()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    return [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.overlaps(other)]


def inside(figure) -> bool:
    """Whether all text lies on the figure."""
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    box = figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    return box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1


def test_lead_times_rise_to_one_through_the_quantiles(samples):
    hours = samples.durations[LEAD]["hours"].to_numpy()
    figure = draw_lead_times({LEAD: hours}, compute_dora(samples))
    curve = figure.axes[0].lines[0]
    assert curve.get_ydata()[-1] == 1 and np.all(np.diff(curve.get_ydata()) >= 0)
    dots = [line.get_xydata()[0].tolist() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [24.0, 0.5] in dots
    assert inside(figure)


@pytest.mark.parametrize(
    ("slope", "low", "high", "words"),
    [
        (0.0, 0.0, 0.0, "trend: 0 a week, each month (0 to 0)"),
        (-0.0044, -0.0063, -0.0018, "trend: -0.0044 a week, each month (-0.0063 to -0.0018)"),
        (0.25, np.nan, np.nan, "trend: +0.25 a week, each month (no interval from 4)"),
    ],
)
def test_trends_are_told_with_the_digits_that_they_need(slope, low, high, words):
    assert (
        describe_trend(pd.Series({"slope": slope, "low": low, "high": high, "unit": "1/week a month", "n": 4})) == words
    )


def test_ten_thousand_changes_are_drawn_as_a_few_hundred_points():
    hours = np.random.default_rng(1).lognormal(3, 2, 10_000)
    table = pd.DataFrame({"metric": [LEAD], "value": [20.0], "low": [18.0], "high": [22.0], "unit": ["h"]})
    curve = draw_lead_times({LEAD: hours}, table).axes[0].lines[0]
    assert len(curve.get_xdata()) < 500
    middle = np.searchsorted(curve.get_ydata(), 0.5)
    assert curve.get_xdata()[middle] == pytest.approx(np.median(hours), rel=0.02)


def test_lead_times_that_are_none_are_refused():
    with pytest.raises(InputError, match="there is none"):
        draw_lead_times({LEAD: []}, pd.DataFrame())
    with pytest.raises(InputError, match="below 0"):
        draw_lead_times({LEAD: [1.0, -2.0]}, pd.DataFrame())


@pytest.mark.parametrize(
    ("low", "high"), [(0.02, 0.3), (0.5, 6), (2, 60), (10, 130), (24, 400), (0.0167, 9000), (300, 2000), (5000, 90_000)]
)
@pytest.mark.parametrize("width", [1.7, 4.3, 6.1])
def test_ticks_of_durations_do_not_overlap(low, high, width):
    figure, axes = new_figure(1.5, width_in=width)
    set_duration_axis(axes, low, high, 0.8 * width)
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert ticks and words_overlap(figure, axes) == []


def test_limits_hold_a_single_value_and_zero():
    low, high = duration_limits(np.array([3.0]))
    assert low < 3 < high and high / low >= 9.9
    low, high = duration_limits(np.array([0.0, 0.0]))
    assert 0 < low < high


def test_open_recoveries_are_ticks_on_the_curve():
    """2, 4 h, one open at 3 h, one at 50 h: 3/4 left at 3 h; 3/4 · 1/2 from 4 h on."""
    table = pl.DataFrame({"hours": [2.0, 3.0, 4.0, 50.0], "censored": [False, True, False, True]})
    figure = draw_recoveries(table)
    (ticks,) = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
    assert ticks.get_xydata().tolist() == [[3.0, 0.75], [50.0, 0.375]]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["95% interval", "still open"]
    assert inside(figure)


def test_all_open_and_one_alone_are_drawn():
    still = draw_recoveries(pl.DataFrame({"hours": [5.0, 9.0], "censored": [True, True]}))
    steps = next(line for line in still.axes[0].lines if line.get_linewidth() == 1.7)
    assert set(steps.get_ydata()) == {1.0}
    alone = draw_recoveries(pl.DataFrame({"hours": [5.0], "censored": [False]}))
    assert alone.axes[0].get_legend() is None  # no interval, so no band


def test_no_recovery_is_no_picture():
    with pytest.raises(InputError, match="say so in words"):
        draw_recoveries(pl.DataFrame({"hours": [], "censored": []}))


def test_activity_bars_are_the_rates(samples):
    activity = compute_activity(samples, "week")
    figure = draw_activity(activity, compute_activity_trend(activity), intervention=date(2026, 1, 14))
    upper, lower = figure.axes
    assert [patch.get_height() for patch in upper.patches] == [3, 0, 0, 0]
    assert [patch.get_height() for patch in lower.patches] == [1, 0, 0, 0]
    assert upper.get_ylim()[1] >= activity["high"].max()
    assert any(len(set(line.get_xdata())) == 1 for line in upper.lines)  # the day of the change
    assert inside(figure)


def test_activity_shows_a_first_week_that_was_cut(samples):
    """Six days with nine deployments, then a whole quiet week: the bar must not be cut off."""
    rows = [row("service.deployed", 24 + number, f"d{number}", change=f"c{number}") for number in range(9)]
    activity = compute_activity(collect_samples(log_of(*rows, weeks=2), DORA_2025), "week")
    assert draw_activity(activity, pd.DataFrame()).axes[0].get_ylim()[1] > 9


def test_levels_fill_their_bars(samples):
    levels = compute_levels(samples, load_table("kpi/dora_levels.csv"))
    figure = draw_levels(levels)
    widths = {}
    for patch in figure.axes[0].patches:
        widths[round(patch.get_y(), 2)] = widths.get(round(patch.get_y(), 2), 0) + patch.get_width()
    assert list(widths.values()) == pytest.approx([1] * 4)
    assert inside(figure)


def test_levels_can_be_told_apart_in_grey(samples):
    legend = draw_levels(compute_levels(samples, load_table("kpi/dora_levels.csv"))).legends[0]
    greys = [lightness(handle.get_facecolor()) for handle in legend.get_patches()[:4]]
    assert min(abs(a - b) for a, b in combinations(greys, 2)) > 0.12
    assert legend.get_patches()[4].get_hatch()


def test_a_metric_without_levels_says_why():
    log = log_of(row("change.committed", 0, "c1"), row("service.deployed", 5, "d1", change="c1"))
    figure = draw_levels(compute_levels(log, load_table("kpi/dora_levels.csv")))
    assert "nothing to recover from" in [text.get_text() for text in figure.axes[0].texts]


def test_multiverse_has_a_dot_or_words_for_every_set():
    figure = draw_multiverse(compute_multiverse(log_of(*ten_rows())))
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    for axes in figure.axes:
        dots = sum(line.get_marker() == "o" for line in axes.lines)
        words = sum(text.get_text() in ("no value", "not defined") for text in axes.texts)
        assert dots + words == len(names)
        assert words_overlap(figure, axes) == []
    assert inside(figure)


def test_what_counts_otherwise_is_hollow():
    figure = draw_multiverse(compute_multiverse(log_of(*ten_rows())))
    faces = [line.get_markerfacecolor() for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert faces.count("white") == 3  # Four Keys twice, DevLake: days with a deployment


def test_captions_name_median_and_interval(samples):
    assert describe_quantiles(compute_dora(samples), LEAD).startswith("median 24.0 h (no interval), 90% within")
    assert describe_quantiles(compute_dora(samples).iloc[:0], RECOVERY) == ""
