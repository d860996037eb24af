"""Exact bootstrap quantiles against enumerated resamples, closed forms, Monte Carlo and simulated coverage."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.stats.quantiles import (
    bootstrap_ranks,
    bootstrap_share,
    compute_quantile,
    needed_n,
    quantile_probability,
)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_distribution_of_an_order_statistic_is_that_of_all_resamples(n):
    for rank in range(1, n + 1):
        values = [sorted(draw)[rank - 1] for draw in product(range(1, n + 1), repeat=n)]
        for upto in range(1, n + 1):
            counted = sum(value <= upto for value in values) / n**n
            assert bootstrap_share(n, rank, upto) == pytest.approx(counted)


def test_closed_form_of_the_smallest_of_a_resample():
    # The smallest of n draws is x₍₁₎ unless all n miss it: 1 − (1 − 1/n)^n
    assert bootstrap_share(10, 1, 1) == pytest.approx(1 - 0.9**10)


def test_ranks_by_hand():
    # n = 7, the median is the 4th. P(X*₍₄₎ ≤ x₍₁₎) = P(Bin(7, 1/7) ≥ 4) = (35·6³ + 21·6² + 7·6 + 1)/7⁷ = 8359/823543 =
    # 0.0102, below 0.025; up to x₍₂₎ it is (35·2⁴·5³ + 21·2⁵·5² + 7·2⁶·5 + 2⁷)/7⁷ = 89168/823543 = 0.108. From above
    # likewise.
    assert bootstrap_share(7, 4, 1) == pytest.approx(8359 / 823543)
    assert bootstrap_share(7, 4, 2) == pytest.approx(89168 / 823543)
    assert bootstrap_ranks(7, 0.5) == (2, 6)
    estimate = compute_quantile([9, 1, 4, 6, 2, 30, 5])
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (5, 2, 9, 7)


def test_value_is_the_usual_quantile():
    values = [3.0, 1.0, 10.0, 4.5]
    for quantile in (0.1, 0.25, 0.5, 0.9):
        assert compute_quantile(values, quantile).value == pytest.approx(np.quantile(values, quantile))


def test_too_few_values_have_no_bounds():
    # The range of 5 values holds the median with 1 − 2·0.5⁵ = 0.9375 < 0.95, that of 6 with 0.96875.
    assert compute_quantile([1, 2, 3, 4, 5]).low is None
    assert "it takes 6 values" in compute_quantile([1, 2, 3, 4, 5]).method
    assert compute_quantile([1, 2, 3, 4, 5, 6]).low is not None
    assert needed_n(0.9) == 29  # 1 − 0.9²⁸ − 0.1²⁸ = 0.9477, 1 − 0.9²⁹ = 0.9529


def test_monte_carlo_bootstrap_agrees():
    rng = np.random.default_rng(7)
    sample = np.sort(rng.lognormal(size=41))
    medians = np.median(sample[rng.integers(0, 41, size=(20_000, 41))], axis=1)
    low, high = bootstrap_ranks(41, 0.5)
    for rank, share in ((low, 0.025), (high, 0.975)):
        assert np.mean(medians <= sample[rank - 1]) == pytest.approx(bootstrap_share(41, 21, rank), abs=0.005)
        assert bootstrap_share(41, 21, rank) >= share > bootstrap_share(41, 21, rank - 1)


def test_large_samples_follow_the_normal_approximation():
    # Ranks n/2 ± 1.96·√n/2
    low, high = bootstrap_ranks(1_000_000, 0.5)
    assert (low, high) == (pytest.approx(500_000 - 980, abs=2), pytest.approx(500_000 + 980, abs=2))


def test_coverage_of_the_median():
    rng = np.random.default_rng(3)
    for n in (15, 60):
        low, high = bootstrap_ranks(n, 0.5)
        samples = np.sort(rng.exponential(size=(4000, n)), axis=1)
        held = (samples[:, low - 1] <= np.log(2)) & (np.log(2) <= samples[:, high - 1])
        assert 0.93 <= held.mean() <= 0.985


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_bounds_enclose_the_value_and_are_values(values, quantile):
    estimate = compute_quantile(values, quantile)
    if estimate.low is not None:
        assert estimate.low <= estimate.value * (1 + 1e-12) and estimate.value <= estimate.high * (1 + 1e-12)
        assert {estimate.low, estimate.high} <= set(values)


def test_probability_of_a_median():
    # One value, and it is below c: Beta(1, 1) gives F(c) ≥ ½ with ½, Beta(2, 0) always; half way is 0.75.
    assert quantile_probability(1, 1) == 0.75
    assert quantile_probability(0, 1) == 0.25
    # Beta(10, 1) beyond ½ is 1 − 2⁻¹⁰
    assert quantile_probability(10, 10) == pytest.approx((1 - 2**-10 + 1) / 2)
    assert quantile_probability(30, 100, 0.3) == pytest.approx(0.5, abs=0.02)
    shares = [quantile_probability(count, 20) for count in range(21)]
    assert shares == sorted(shares)
    with pytest.raises(InputError):
        quantile_probability(3, 2)


@pytest.mark.parametrize("arguments", [([], 0.5), ([1, float("nan")], 0.5), ([1], 0.0), ([1], 0.5, 1.0)])
def test_what_has_no_quantile_is_refused(arguments):
    with pytest.raises(InputError):
        compute_quantile(*arguments)
