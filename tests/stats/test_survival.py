"""Kaplan–Meier against the textbook's leukaemia trial, hand-worked cases, statsmodels and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight

from analysis.base.errors import InputError
from analysis.stats.quantiles import quantile_probability
from analysis.stats.survival import (
    compute_kaplan_meier,
    compute_restricted_mean,
    compute_survival_quantile,
    survival_probability,
)

# Freireich et al. (1963), Blood 21, 699–716: weeks of remission under 6-mercaptopurine (12 still in remission) and
# placebo; as printed by Kleinbaum & Klein (2012) Survival analysis, 3rd ed., table 1.1.
SIX_MP = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
OPEN = [False] * 9 + [True] * 12
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
CLOSED = [False] * 21


def test_curve_of_the_leukaemia_trial():
    # Kleinbaum & Klein, section 2.II, and R's survfit(Surv(time, status) ~ 1) with std.err
    frame = compute_kaplan_meier(SIX_MP, OPEN)
    assert frame["time"].tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert frame["at_risk"].tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert frame["survival"].tolist() == pytest.approx(
        [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], abs=5e-5
    )
    assert frame["se"].tolist() == pytest.approx([0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346], abs=5e-5)


def test_medians_of_the_leukaemia_trial():
    # 23 weeks with log-log interval from 13 on, with no upper bound; placebo 8 weeks, 4 to 11. By hand for the upper
    # bound of placebo: at 8 weeks S = 0.3810, se = 0.1060, half = 1.96·0.1060/(0.3810·|ln 0.3810|) = 0.565, and the
    # curve's bounds 0.3810^exp(±0.565) are 0.183 and 0.578, the upper one still above ½; at 11 weeks it is 0.482.
    treated = compute_survival_quantile(SIX_MP, OPEN)
    assert (treated.value, treated.low, treated.high) == (23, 13, None)
    placebo = compute_survival_quantile(PLACEBO, CLOSED)
    assert (placebo.value, placebo.low, placebo.high) == (8, 4, 11)
    at_eight = compute_kaplan_meier(PLACEBO, CLOSED).set_index("time").loc[8]
    assert (at_eight["low"], at_eight["high"]) == (pytest.approx(0.183, abs=5e-4), pytest.approx(0.578, abs=5e-4))


def test_restricted_means_of_the_leukaemia_trial():
    # Area by hand: 6·1 + 1·0.8571 + 3·0.8067 + 3·0.7529 + 3·0.6902 + 6·0.6275 + 1·0.5378 + 12·0.4482 = 23.287
    assert compute_restricted_mean(SIX_MP, OPEN).value == pytest.approx(23.287, abs=5e-4)
    # Without censoring it is the plain mean, 182/21, with the plain t interval; t(20) = 2.086.
    placebo = compute_restricted_mean(PLACEBO, CLOSED)
    assert placebo.value == pytest.approx(182 / 21)
    assert placebo.high - placebo.value == pytest.approx(2.085963 * np.std(PLACEBO, ddof=1) / np.sqrt(21), rel=1e-6)
    assert compute_restricted_mean(PLACEBO, CLOSED, horizon=10).value == pytest.approx(np.minimum(PLACEBO, 10).mean())


def test_an_open_incident_counts_as_lasting_at_least_so_long():
    # 6 h and over; 572 h and counting: S = ½ from 6 to 572, mean 6 + 566/2 = 289. Dropping the open one would say 6.
    assert compute_restricted_mean([6, 572], [False, True]).value == 289
    # At 6 the curve is exactly ½ and never below it: the median is anywhere from 6 on, 6 at least.
    assert compute_survival_quantile([6, 572], [False, True]).value == 6
    assert compute_survival_quantile([6, 572, 600], [False, True, True]) is None


def test_nothing_seen_to_end():
    assert compute_survival_quantile([3, 4], [True, True]) is None
    assert compute_kaplan_meier([3, 4], [True, True]).empty
    assert compute_restricted_mean([3, 4], [True, True]).value == 4
    assert compute_restricted_mean([3, 4], [True, True]).low is None


def test_few_durations_set_no_lower_bound():
    # The smallest of five lies above the median with 0.5⁵ = 3.1 %, that of six with 1.6 %, below 2.5 %.
    assert compute_survival_quantile([1, 2, 3, 4, 5], [False] * 5).low is None
    assert compute_survival_quantile([1, 2, 3, 4, 5, 6], [False] * 6).low == 1


def test_middle_of_the_stretch_at_one_half():
    assert compute_survival_quantile([1, 2, 3, 10], [False] * 4).value == 2.5


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40))
def test_curve_is_that_of_statsmodels_and_falls(cases):
    time, censored = zip(*cases, strict=True)
    frame = compute_kaplan_meier(time, censored)
    if not all(censored):
        other = SurvfuncRight(np.array(time, float), 1 - np.array(censored, int))
        assert frame["survival"].tolist() == pytest.approx(other.surv_prob.tolist())
    assert frame["survival"].is_monotonic_decreasing
    assert ((frame["low"] <= frame["survival"] + 1e-12) | frame["low"].isna()).all()
    assert 0 <= compute_restricted_mean(time, censored).value <= max(time)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.1, 50), min_size=1, max_size=40), st.floats(0.1, 60))
def test_without_censoring_the_median_is_the_samples_and_so_is_its_distribution(values, upto):
    closed = [False] * len(values)
    assert compute_survival_quantile(values, closed).value == pytest.approx(np.median(values))
    count = sum(value <= upto for value in values)
    assert survival_probability(values, closed, upto) == pytest.approx(
        quantile_probability(count, len(values)), abs=1e-6
    )


def test_censoring_moves_the_distribution_of_the_median_up():
    times = [1, 2, 3, 4, 5, 6]
    ended = survival_probability(times, [False] * 6, 4.5)
    one_open = survival_probability(times, [False, False, True, False, False, False], 4.5)
    assert one_open < ended


def test_coverage_with_censoring():
    rng = np.random.default_rng(11)
    held_median = held_mean = 0
    runs, n, horizon = 300, 40, 4.0
    for _ in range(runs):
        true, limit = rng.exponential(1, n), rng.uniform(0, horizon, n)
        time, censored = np.minimum(true, limit), true > limit
        median = compute_survival_quantile(time, censored)
        held_median += (
            median is not None and median.low <= np.log(2) and (median.high is None or np.log(2) <= median.high)
        )
        mean = compute_restricted_mean(time, censored, horizon=1.5)
        held_mean += mean.low <= 1 - np.exp(-1.5) <= mean.high
    assert 0.91 <= held_median / runs <= 0.99
    assert 0.91 <= held_mean / runs <= 0.99


@pytest.mark.parametrize("arguments", [([], []), ([1], [True, False]), ([-1], [False]), ([np.inf], [False])])
def test_what_is_no_duration_is_refused(arguments):
    with pytest.raises(InputError):
        compute_kaplan_meier(*arguments)
