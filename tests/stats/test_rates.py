"""Rates and their ratio against published values, closed forms and simulated coverage."""

from __future__ import annotations

from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.rates import compute_dispersion, compute_rate, compute_rate_ratio

# Pearson & Hartley (1966) Biometrika tables for statisticians I, table 40 (after Garwood 1936), 95 % limits as printed.
GARWOOD = [(0, 0.0, 3.69), (1, 0.0253, 5.57), (5, 1.62, 11.67), (10, 4.80, 18.39), (20, 12.22, 30.89)]


@pytest.mark.parametrize(("count", "low", "high"), GARWOOD)
def test_garwood_limits(count, low, high):
    estimate = compute_rate(count, 1)
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=6e-3), pytest.approx(high, abs=6e-3))


def test_none_at_all_is_zero_with_a_closed_upper_bound():
    # P(no event) = exp(−λt) = 0.025, so λ = −ln 0.025 / t: in 4 weeks at most 0.92 a week
    estimate = compute_rate(0, 4)
    assert (estimate.value, estimate.low) == (0, 0)
    assert estimate.high == pytest.approx(-log(0.025) / 4)


def test_ratio_against_r():
    # R 4.x, example(poisson.test): poisson.test(c(11, 6+8+7), c(800, 1083+1050+878))
    # rate ratio 1.971488, 95 percent confidence interval 0.8584264 4.2772659
    ratio = compute_rate_ratio(11, 800, 21, 3011)
    assert ratio.value == pytest.approx(1.971488, rel=1e-6)
    assert (ratio.low, ratio.high) == (pytest.approx(0.8584264, rel=1e-6), pytest.approx(4.2772659, rel=1e-6))


def test_ratio_without_events_on_one_side():
    above = compute_rate_ratio(5, 1, 0, 1)
    assert (above.value, above.high) == (inf, None)
    # Five of five on one side: the share is at least 0.025^(1/5), the ratio that over its complement.
    share = 0.025 ** (1 / 5)
    assert above.low == pytest.approx(share / (1 - share))
    assert compute_rate_ratio(0, 1, 5, 1).low == 0
    with pytest.raises(InputError, match="ratio"):
        compute_rate_ratio(0, 1, 0, 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 500), st.floats(0.1, 100), st.floats(0.5, 0.999))
def test_limits_leave_half_the_rest_on_either_side(count, exposure, confidence):
    estimate = compute_rate(count, exposure, confidence)
    tail = (1 - confidence) / 2
    assert stats.poisson.cdf(count, estimate.high * exposure) == pytest.approx(tail, rel=1e-6)
    if count:
        assert stats.poisson.sf(count - 1, estimate.low * exposure) == pytest.approx(tail, rel=1e-6)


def test_coverage_is_never_below_the_level():
    # Exact, not simulated: P(interval holds λ) summed over the counts that can come.
    for rate in (0.3, 2.5, 7.0):
        counts = range(60)
        held = [compute_rate(k, 1).low <= rate <= compute_rate(k, 1).high for k in counts]
        assert sum(stats.poisson.pmf(k, rate) for k, ok in zip(counts, held, strict=True) if ok) >= 0.95 - 1e-9


def test_dispersion():
    # Counts 0, 4: mean 2, variance 8, index 4; chi² = (4 + 4)/2 = 4 on 1 degree of freedom, p = 0.0455
    found = compute_dispersion([0, 4])
    assert (found.index, found.n) == (4, 2)
    assert found.p_value == pytest.approx(0.0455, abs=1e-4)
    assert compute_dispersion([4, 8], [1, 2]).index == 0  # twice the time, twice the events
    assert compute_dispersion([0, 0]) is None
    assert compute_dispersion([3]) is None
    rng = np.random.default_rng(1)
    assert compute_dispersion(rng.poisson(5, 400)).p_value > 0.05
    assert compute_dispersion(rng.negative_binomial(2, 2 / 7, 400)).index == pytest.approx(1 + 5 / 2, rel=0.2)


@pytest.mark.parametrize("arguments", [(-1, 1), (1.5, 1), (1, 0), (1, inf), (1, 1, 1.0)])
def test_what_is_no_count_or_time_is_refused(arguments):
    with pytest.raises(InputError):
        compute_rate(*arguments)


def test_a_poisson_process_without_event_is_that_improbable():
    assert exp(-compute_rate(0, 2, 0.9).high * 2) == pytest.approx(0.05)
