"""The accumulation figure shows its table, on one page, and reads without colour."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.base.errors import InputError
from analysis.base.estimates import Estimate
from analysis.literature.saturation import build_incidence, compute_saturation, compute_unseen
from analysis.literature.theme_display import build_accumulation_curve
from analysis.plots import theme
from analysis.plots.accumulation import draw_accumulation
from tests.literature.small_coding import counted_coding

CURVE = pd.DataFrame(
    {
        "samples": [1, 2, 3],
        "seen": [4.0, 6, 7],
        "seen_low": [2.0, 5, 7],
        "seen_high": [6.0, 7, 7],
        "new": [4.0, 2, 1],
        "new_low": [2.0, 1, 0],
        "new_high": [6.0, 3, 2],
    }
)
LABELS = {"x_label": "Interviews", "seen_label": "Codes", "new_label": "New codes", "band_label": "95% of orders"}


def draw(curve=CURVE, total=None, **options):
    return draw_accumulation(curve, total=total, total_label="Chao2", **LABELS, **options)


def test_both_lines_are_the_table():
    left, right = draw().axes
    assert left.lines[0].get_ydata().tolist() == CURVE["seen"].tolist()
    assert right.lines[0].get_ydata().tolist() == CURVE["new"].tolist()
    (band,) = left.collections
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].min() == 2 and corners[:, 1].max() == 7
    whiskers = [segment[:, 1].tolist() for segment in right.collections[0].get_segments()]
    assert whiskers == CURVE[["new_low", "new_high"]].to_numpy().tolist()
    assert left.get_ylim()[0] == right.get_ylim()[0] == 0


def test_the_total_stands_beyond_the_last_sample_with_its_interval():
    left, _ = draw(total=Estimate(9.0, 7.5, 14.0)).axes
    level, whisker, dot = left.lines[1:]
    assert set(level.get_ydata()) == {9} and dot.get_ydata().tolist() == [9]
    assert sorted(whisker.get_ydata()) == [7.5, 14] and whisker.get_xdata()[0] > 3
    assert left.get_ylim()[1] >= 14
    bare, _ = draw(total=Estimate(7.0)).axes
    assert len(bare.lines) == 3  # no interval, no whisker


def test_line_band_and_total_differ_in_lightness():
    left, _ = draw(total=Estimate(9.0, 7.5, 14.0)).axes
    tones = [theme.lightness(left.lines[0].get_color()), theme.lightness(left.lines[1].get_color()),
             theme.lightness(theme.PALETTE["tertiary"])]  # fmt: skip
    assert min(abs(a - b) for i, a in enumerate(tones) for b in tones[:i]) > 0.15


def test_a_mean_outside_the_band_is_drawn():
    # One order in fifty brings something new: the mean is above nil, the middle 95% are not.
    rare = CURVE.assign(new=[4, 2, 0.02], new_low=0.0, new_high=[6.0, 3, 0])
    assert draw(rare).axes[1].lines[0].get_ydata()[-1] == 0.02


def test_the_stored_interviews_lie_on_the_page():
    incidence = build_incidence(counted_coding(), documents=["talele2024"])
    curve = compute_saturation(incidence, rng=np.random.default_rng(1), orders=200)
    figure = draw(build_accumulation_curve(curve), total=compute_unseen(incidence).chao2)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    assert figure.get_size_inches()[0] == theme.TEXT_WIDTH_IN
    assert figure.axes[0].lines[0].get_ydata()[-1] == incidence.any().sum()
    left, right = (axes.get_tightbbox(renderer) for axes in figure.axes)
    legend = figure.legends[0].get_window_extent(renderer)
    assert not left.overlaps(right) and not legend.overlaps(left) and not legend.overlaps(right)
    for box in (left, right, legend):
        assert figure.bbox.x0 - 1 <= box.x0 and box.x1 <= figure.bbox.x1 + 1
        assert figure.bbox.y0 - 1 <= box.y0 and box.y1 <= figure.bbox.y1 + 1
    for axes in figure.axes:
        assert all(float(tick).is_integer() for tick in axes.get_xticks())


@pytest.mark.parametrize(
    ("curve", "total", "message"),
    [
        (CURVE.drop(columns="new"), None, "no column 'new'"),
        (CURVE.head(0), None, "no rows"),
        (CURVE.iloc[::-1], None, "do not rise"),
        (CURVE.assign(samples=1), None, "do not rise"),
        (CURVE.assign(seen_low=9.0), None, "upside down"),
        (CURVE, Estimate(6.5), "6.5 is below what was seen"),
    ],
)
def test_what_cannot_be_drawn_is_refused(curve, total, message):
    with pytest.raises(InputError, match=message):
        draw(curve, total)
