"""Intraclass correlations against Shrout and Fleiss, closed forms, and simulated coverage at 84 targets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.stats.icc import FORMS, compute_icc

RATINGS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])

# Values: Shrout and Fleiss (1979), table 4 (0.17, 0.29, 0.71, 0.44, 0.62, 0.91). Bounds, F and df: documentation of
# R's psych::ICC (same data), which computes McGraw and Wong's intervals; upper bounds are printed there to two digits.
PUBLISHED = [
    ("1,1", 0.17, -0.133, 0.72, 1.8, 5, 18),
    ("2,1", 0.29, 0.019, 0.76, 11.0, 5, 15),
    ("3,1", 0.71, 0.342, 0.95, 11.0, 5, 15),
    ("1,k", 0.44, -0.884, 0.91, 1.8, 5, 18),
    ("2,k", 0.62, 0.071, 0.93, 11.0, 5, 15),
    ("3,k", 0.91, 0.676, 0.99, 11.0, 5, 15),
]


@pytest.mark.parametrize(("form", "value", "low", "high", "statistic", "df", "error_df"), PUBLISHED)
def test_shrout_and_fleiss(form, value, low, high, statistic, df, error_df):
    found = compute_icc(RATINGS, form=form)
    assert round(found.estimate.value, 2) == value
    assert (round(found.estimate.low, 3), round(found.estimate.high, 2)) == (low, high)
    assert (round(found.statistic, 1), found.df, found.error_df) == (statistic, df, error_df)
    assert (found.estimate.n, found.raters) == (6, 4)


def test_four_digits_from_the_mean_squares():
    # Shrout and Fleiss, table 3: mean squares 11.24 (targets), 6.26 (within), 32.49 (judges), 1.02 (residual); with
    # all digits, from sums of squares 56.2083, 112.75, 97.4583 and 15.2917.
    bms, wms, jms, ems = 56.208333 / 5, 112.75 / 18, 97.458333 / 3, 15.291667 / 15
    expected = {
        "1,1": (bms - wms) / (bms + 3 * wms),
        "2,1": (bms - ems) / (bms + 3 * ems + 4 * (jms - ems) / 6),
        "3,1": (bms - ems) / (bms + 3 * ems),
        "1,k": (bms - wms) / bms,
        "2,k": (bms - ems) / (bms + (jms - ems) / 6),
        "3,k": (bms - ems) / bms,
    }
    for form, value in expected.items():
        assert compute_icc(RATINGS, form=form).estimate.value == pytest.approx(value, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_what_should_not_matter_does_not(seed):
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=(8, 3)) + rng.normal(size=(8, 1))
    for form in FORMS:
        one = compute_icc(ratings, form=form).estimate
        other = compute_icc(10 - 3 * ratings[::-1, ::-1], form=form).estimate
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-9)
        assert one.low <= one.value <= one.high
    moved = ratings + np.array([0, 5, -5])  # judges with levels of their own: consistency stays, agreement goes
    assert compute_icc(moved, form="3,1").estimate.value == pytest.approx(
        compute_icc(ratings, form="3,1").estimate.value
    )
    before, after = (abs(compute_icc(some, form="2,1").estimate.value) for some in (ratings, moved))
    assert after < before


@pytest.mark.parametrize("form", ["1,1", "2,1", "3,1"])
def test_intervals_cover_at_84_targets(form):
    rng, hits, studies = np.random.default_rng(84), 0, 1200
    between, judges, error = 1.0, 0.02, 1.0
    truth = between / (between + error + (judges if form == "2,1" else 0))
    for _ in range(studies):
        ratings = rng.normal(size=(84, 1)) * np.sqrt(between) + rng.normal(size=(84, 4)) * np.sqrt(error)
        if form == "2,1":
            ratings += rng.normal(size=(1, 4)) * np.sqrt(judges)
        estimate = compute_icc(ratings, form=form).estimate
        hits += estimate.low <= truth <= estimate.high
    assert 0.93 < hits / studies < 0.97  # simulation error 0.6 points


def test_missing_ratings():
    holed = pd.DataFrame(RATINGS, dtype=float)
    holed.iloc[2, 1] = np.nan
    with pytest.raises(InputError, match="1 of 6 targets"):
        compute_icc(holed, form="2,1")
    assert (
        compute_icc(holed, form="2,1", missing="listwise").estimate
        == compute_icc(np.delete(RATINGS, 2, axis=0), form="2,1").estimate
    )


def test_no_error_no_interval():
    found = compute_icc([[1, 1], [2, 2], [4, 4]], form="2,1")
    assert found.estimate.value == 1
    assert found.estimate.low is None
    assert "no interval" in found.estimate.method
    shifted = compute_icc([[1, 3], [2, 4], [4, 6]], form="3,1")
    assert (shifted.estimate.value, shifted.statistic) == (1, float("inf"))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: compute_icc(RATINGS, form="4,1"),
        lambda: compute_icc(RATINGS, 95, form="2,1"),
        lambda: compute_icc(RATINGS, form="2,1", missing="pairwise"),
        lambda: compute_icc(RATINGS[:1], form="2,1"),
        lambda: compute_icc(RATINGS[:, :1], form="2,1"),
        lambda: compute_icc(np.full((4, 3), 2), form="2,1"),
        lambda: compute_icc(pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}), form="2,1"),
    ],
)
def test_wrong_input_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()
