from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import pytest

from analysis.plots import theme


def test_figures_are_as_wide_as_the_text_and_keep_letters_as_outlines():
    figure, axes = theme.new_figure(2.0, ncols=2)
    assert figure.get_size_inches().tolist() == [theme.TEXT_WIDTH_IN, 2.0]
    assert len(axes) == 2
    assert mpl.rcParams["svg.fonttype"] == "path"


def test_applying_twice_changes_nothing():
    theme.apply()
    first = dict(mpl.rcParams)
    theme.apply()
    assert dict(mpl.rcParams) == first


def test_series_differ_in_grey():
    for one, other in pairwise(sorted(theme.lightness(colour) for colour in theme.SERIES)):
        assert other - one > 0.15


def test_diverging_sides_darken_outwards():
    left_end, left, middle, right, right_end = (theme.lightness(colour) for colour in theme.DIVERGING)
    assert left_end < left < middle > right > right_end
    assert min(abs(a - b) for a, b in pairwise((left_end, left, middle, right, right_end))) > 0.15


def test_lightness_of_middle_grey():
    assert theme.lightness("#777777") == pytest.approx(0.50, abs=0.01)  # CIE L* of #777777 is 50.03
