"""Polychoric correlation: R's polycor and lavaan, closed forms, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.polychoric import bivariate_normal_cdf, fit_polychoric

FOUR = [[13, 6, 2, 0], [5, 20, 11, 3], [1, 7, 18, 9], [0, 2, 8, 15]]
THREE = [[12, 6, 0], [4, 14, 9], [0, 5, 10]]
JOB = [[1, 3, 10, 6], [2, 3, 10, 7], [1, 6, 14, 12], [0, 1, 9, 11]]
# 20,001 respondents of a bivariate normal with ρ = 0.5, cut at −1, 0.2, 1.1 and −0.5, 0.6, counts rounded.
LARGE = [[1950, 1023, 201], [3005, 3816, 1592], [1022, 2584, 2095], [194, 921, 1598]]


@pytest.mark.parametrize(
    ("table", "rho", "statistic", "df"),
    [  # R polycor 0.8.1: polychor(table, ML = FALSE, std.err = TRUE): rho, chisq, df
        (FOUR, 0.755381898, 2.70704, 8),
        (THREE, 0.776568556, 2.60934, 3),
        (JOB, 0.215358302, 3.50786, 8),
        ([[10, 5], [4, 11]], 0.589843193, 0.0, 0),
    ],
)
def test_two_step_equals_polycor(table, rho, statistic, df):
    result = fit_polychoric(table, method="two-step", zero_cells="keep")
    assert result.estimate.value == pytest.approx(rho, abs=1e-5)
    assert (result.fit.statistic, result.fit.df) == pytest.approx((statistic, df), abs=5e-5)
    assert result.estimate.function == "analysis.stats.polychoric.fit_polychoric"


@pytest.mark.parametrize(
    ("table", "rho", "error", "thresholds"),
    [  # R polycor 0.8.1: polychor(table, ML = TRUE, std.err = TRUE, control = list(reltol = 1e-15, maxit = 2000))
        (FOUR, 0.7562480388, 0.0501361555, (-0.93528, 0.01613, 0.80992, -1.00382, -0.10969, 0.75451)),
        (THREE, 0.774423614, 0.07903766498, (-0.52334, 0.68417, -0.62508, 0.49463)),
    ],
)
def test_full_equals_polycor(table, rho, error, thresholds):
    result = fit_polychoric(table, method="full", zero_cells="keep")
    assert result.estimate.value == pytest.approx(rho, abs=2e-6)
    assert result.standard_error == pytest.approx(error, abs=5e-6)
    assert (*result.row_thresholds, *result.column_thresholds) == pytest.approx(thresholds, abs=5e-5)


def test_full_is_no_worse_than_polycor_where_its_search_stops_early():
    # R polycor 0.8.1 ends at 0.2157466 with G² = 3.504664, at reltol = 1e-15 and 2,000 steps; the maximum has a smaller
    # G².
    result = fit_polychoric(JOB, method="full", zero_cells="keep")
    assert result.estimate.value == pytest.approx(0.2157, abs=2e-4)
    assert 3.5046 < result.fit.statistic < 3.504664
    assert result.standard_error == pytest.approx(0.1158119, abs=2e-5)


def test_two_step_standard_error_equals_lavaan():
    # R lavaan 0.6-14: lavCor(…, ordered, se = "standard"): 0.500054033, s.e. 0.00661321104. lavaan weights cells by
    # their observed shares; in a table that follows the model both ways meet.
    result = fit_polychoric(LARGE, method="two-step", zero_cells="keep")
    assert result.estimate.value == pytest.approx(0.500054033, abs=1e-6)
    assert result.standard_error == pytest.approx(0.00661321104, rel=5e-4)
    assert result.fit.p_value > 0.99


def test_median_cut_has_a_closed_form():
    # Sheppard (1899): with both cut at the median, P(both low) = 1/4 + asin(ρ)/(2π). Where a maximum lies can be told
    # from values of a function to about the root of the machine's precision.
    for method in ("two-step", "full"):
        result = fit_polychoric([[30, 12], [12, 30]], method=method, zero_cells="keep")
        assert result.estimate.value == pytest.approx(np.sin(2 * np.pi * (30 / 84 - 0.25)), abs=1e-7)


def test_standard_error_is_the_inverse_information_in_2_by_2():
    # Two parameters are spent on the margins and one on ρ, so that both methods fit exactly and must agree.
    two, full = (fit_polychoric([[10, 5], [4, 11]], method=m, zero_cells="keep") for m in ("two-step", "full"))
    assert two.standard_error == pytest.approx(full.standard_error, rel=1e-6)
    assert full.standard_error == pytest.approx(0.212413938, abs=2e-5)  # R polycor 0.8.1, ML = TRUE
    assert (full.fit.statistic, full.fit.p_value) == (0.0, 1.0)


@pytest.mark.parametrize("rho", [-0.95, 0.0, 0.3, 0.9, 0.99])
def test_bivariate_normal_equals_scipy(rho):
    limits = np.array([-2.0, -0.5, 0.0, 0.7, 2.5])
    expected = [[stats.multivariate_normal.cdf([a, b], cov=[[1, rho], [rho, 1]]) for b in limits] for a in limits]
    assert bivariate_normal_cdf(limits, limits, rho) == pytest.approx(np.array(expected), abs=1e-9)


@given(st.lists(st.lists(st.integers(1, 12), min_size=3, max_size=3), min_size=2, max_size=4))
@settings(max_examples=25, deadline=None)
def test_turning_and_reversing(table):
    for method in ("two-step", "full"):
        plain, turned, reversed_ = (
            fit_polychoric(t, method=method, zero_cells="keep") for t in (table, np.transpose(table), table[::-1])
        )
        assert turned.estimate.value == pytest.approx(plain.estimate.value, abs=1e-6)
        assert reversed_.estimate.value == pytest.approx(-plain.estimate.value, abs=1e-6)
        assert turned.standard_error == pytest.approx(plain.standard_error, rel=1e-4)
        assert plain.estimate.low <= plain.estimate.value <= plain.estimate.high
        assert plain.row_thresholds == tuple(sorted(plain.row_thresholds))


def test_empty_cells_and_lines():
    edge = fit_polychoric([[10, 0], [5, 15]], method="two-step", zero_cells="keep")
    assert edge.standard_error is None and edge.estimate.low is None and "at the edge" in edge.estimate.method
    assert edge.estimate.value == pytest.approx(1, abs=1e-3)
    added = fit_polychoric([[10, 0], [5, 15]], method="full", zero_cells="add-half")
    by_hand = fit_polychoric([[20, 1], [10, 30]], method="full", zero_cells="keep")
    assert added.estimate.value == pytest.approx(by_hand.estimate.value, abs=1e-7)
    assert added.standard_error == pytest.approx(np.sqrt(2) * by_hand.standard_error, rel=1e-5)
    assert added.estimate.n == 30 and "½ added to each empty cell" in added.estimate.method
    padded = fit_polychoric([[12, 0, 6, 0], [4, 0, 14, 9], [0, 0, 5, 10]], method="full", zero_cells="keep")
    plain = fit_polychoric(THREE, method="full", zero_cells="keep")
    assert padded.estimate.value == pytest.approx(plain.estimate.value)
    assert "1 empty columns left out" in padded.estimate.method


def test_interval_covers_at_84():
    # Five-point answers behind which lies ρ = 0.5 at n = 84; 800 samples for two-step (standard error of the coverage
    # 0.8 points), 200 for full (1.5 points).
    rng, rho, cuts = np.random.default_rng(30), 0.5, [-1.2, -0.3, 0.5, 1.3]
    x = rng.normal(size=(800, 84))
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=x.shape)
    codes = 5 * np.digitize(x, cuts) + np.digitize(y, cuts)
    tables = [np.bincount(row, minlength=25).reshape(5, 5) for row in codes]
    two = [fit_polychoric(table, method="two-step", zero_cells="keep") for table in tables]
    assert 0.93 <= np.mean([r.estimate.low <= rho <= r.estimate.high for r in two]) <= 0.97
    # The standard error is the spread of the estimates.
    values = np.array([r.estimate.value for r in two])
    assert np.mean([r.standard_error for r in two]) == pytest.approx(values.std(), rel=0.06)
    full = [fit_polychoric(table, method="full", zero_cells="keep").estimate for table in tables[:200]]
    assert 0.92 <= np.mean([e.low <= rho <= e.high for e in full]) <= 0.98


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        ([[3, 4]], {"method": "full", "zero_cells": "keep"}, "1 rows with a count"),
        ([[3, 4], [0, 0.5]], {"method": "full", "zero_cells": "keep"}, "row 2, column 2"),
        ([[3, 4], [2, 5]], {"method": "ml", "zero_cells": "drop"}, r"got 'ml'(.*\n)*.*got 'drop'"),
    ],
)
def test_refusals_name_the_cause(table, options, words):
    with pytest.raises(InputError, match=words):
        fit_polychoric(table, **options)
