"""Goodness of fit: R's chisq.test and effectsize, exact multinomial by brute force, Monte-Carlo, coverage."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.goodness import compute_cohens_w, goodness_of_fit_test
from analysis.stats.strength import noncentrality_bounds

# The example of R's chisq.test help page with probabilities given.
X, SHARES = [89, 37, 30, 28, 2], [0.40, 0.20, 0.20, 0.15, 0.05]


def brute_force(counts, shares):
    n = sum(counts)
    seen = stats.multinomial.pmf(counts, n, shares)
    all_ = [stats.multinomial.pmf(o, n, shares) for o in product(range(n + 1), repeat=len(counts)) if sum(o) == n]
    return seen, sum(p for p in all_ if p <= seen * (1 + 1e-7))


def test_chi_square_equals_r():
    # R 4.2.2: chisq.test(x, p = p, rescale.p = TRUE): X-squared = 9.9901434, df = 4, p = 0.040594043
    outcome = goodness_of_fit_test(X, SHARES, method="chi-square")
    assert (outcome.statistic, outcome.df, outcome.p_value) == pytest.approx((9.9901434, 4, 0.040594043))
    # R effectsize 0.8.3: cohens_w(x, p = p, alternative = "two.sided") = 0.23 [0.00, 0.35]
    assert [round(v, 2) for v in (outcome.effect.value, outcome.effect.low, outcome.effect.high)] == [0.23, 0.0, 0.35]
    assert outcome.effect.function == "analysis.stats.goodness.compute_cohens_w"


def test_mendels_peas():
    # Mendel (1866), second-generation peas 315, 101, 108, 32 against 9:3:3:1; X² = 0.470 (Pearson 1900 and every
    # textbook).
    outcome = goodness_of_fit_test([315, 101, 108, 32], [9 / 16, 3 / 16, 3 / 16, 1 / 16], method="chi-square")
    assert outcome.statistic == pytest.approx(0.4700, abs=5e-5)
    assert outcome.p_value == pytest.approx(0.9254, abs=5e-5)


def test_exact_equals_enumeration_in_r():
    # R 4.2.2: all outcomes by expand.grid and dmultinom; probability seen, and sum of those no larger.
    outcome = goodness_of_fit_test([7, 2, 1, 5], method="exact")
    assert (outcome.statistic, outcome.p_value) == pytest.approx((0.0010068342, 0.1215930879))
    outcome = goodness_of_fit_test([3, 6, 11], [0.2, 0.5, 0.3], method="exact")
    assert (outcome.statistic, outcome.p_value) == pytest.approx((0.0031241291, 0.0600114334))


@given(st.lists(st.integers(0, 4), min_size=2, max_size=3).filter(any))
@settings(max_examples=25, deadline=None)
def test_exact_equals_brute_force(counts):
    shares = np.arange(1, len(counts) + 1) / np.arange(1, len(counts) + 1).sum()
    outcome = goodness_of_fit_test(counts, shares, method="exact")
    assert (outcome.statistic, outcome.p_value) == pytest.approx(brute_force(counts, shares))


def test_exact_with_two_answers_is_the_binomial_test():
    outcome = goodness_of_fit_test([3, 11], [0.4, 0.6], method="exact")
    assert outcome.p_value == pytest.approx(stats.binomtest(3, 14, 0.4).pvalue)


def test_monte_carlo_meets_the_exact_distribution_and_is_never_zero():
    counts, shares = [6, 14, 10], [1 / 3] * 3
    outcome = goodness_of_fit_test(counts, shares, method="monte-carlo", rng=np.random.default_rng(1), draws=19999)
    exact = sum(
        stats.multinomial.pmf(o, 30, shares)
        for o in product(range(31), repeat=3)
        if sum(o) == 30 and sum((v - 10) ** 2 for v in o) >= 32
    )
    assert outcome.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 19999))
    far = goodness_of_fit_test([84, 0], method="monte-carlo", rng=np.random.default_rng(1), draws=99)
    assert far.p_value == 0.01


def test_five_answers_of_84_are_within_reach_of_the_exact_test():
    outcome = goodness_of_fit_test([0, 5, 13, 47, 19], method="exact")
    assert 0 < outcome.p_value < 1e-12
    with pytest.raises(InputError, match=r"possible outcomes.*\n.*monte-carlo"):
        goodness_of_fit_test([20, 20, 20, 20, 20, 20], method="exact")


@given(st.lists(st.integers(0, 40), min_size=2, max_size=6).filter(any), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_of_answers_changes_nothing(counts, random):
    shuffled = list(counts)
    random.shuffle(shuffled)
    first, second = (goodness_of_fit_test(c, method="chi-square") for c in (counts, shuffled))
    assert (first.statistic, first.p_value) == pytest.approx((second.statistic, second.p_value))
    assert first.effect.low <= first.effect.value + 1e-12


def test_impossible_answers_are_left_out_when_nobody_gave_them():
    plain = goodness_of_fit_test([5, 9], [0.5, 0.5], method="chi-square")
    padded = goodness_of_fit_test([5, 0, 9], [0.5, 0.0, 0.5], method="chi-square")
    assert (padded.statistic, padded.df) == (plain.statistic, plain.df)
    assert "1 answers with share 0 left out" in padded.method
    with pytest.raises(InputError, match="1 given an answer whose share is 0"):
        goodness_of_fit_test([5, 1, 9], [0.5, 0.0, 0.5], method="chi-square")


@pytest.mark.parametrize(
    ("counts", "shares", "options", "words"),
    [
        ([3.5, 2], None, {"method": "chi-square"}, "not weighted"),
        ([3, -1, -2], None, {"method": "chi-square"}, "place 3"),
        ([0, 0], None, {"method": "chi-square"}, "nobody is counted"),
        ([4], None, {"method": "chi-square"}, "1 possible answers"),
        ([4, 5], [0.5, 0.4], {"method": "exact"}, "sum to 0.9"),
        ([4, 5], [1.5, -0.5], {"method": "exact"}, "place 2"),
        ([4, 5], [1.0], {"method": "exact"}, "1 for 2 counts"),
        ([4, 5], None, {"method": "monte-carlo"}, "no generator"),
        ([4, 5], None, {"method": "fisher"}, "one of: chi-square, exact, monte-carlo"),
        ([[4, 5]], None, {"method": "exact"}, "sequence of counts"),
    ],
)
def test_refusals_name_the_cause(counts, shares, options, words):
    with pytest.raises(InputError, match=words):
        goodness_of_fit_test(counts, shares, **options)


def test_interval_of_w_covers_at_84():
    # Four answers at n = 84, 2,000 samples: the standard error of the coverage is 0.5 points.
    rng, shares = np.random.default_rng(20), np.array([0.40, 0.25, 0.20, 0.15])
    truth = np.sqrt(((shares - 0.25) ** 2 / 0.25).sum())
    estimates = [compute_cohens_w(counts) for counts in rng.multinomial(84, shares, size=2000)]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in estimates]) <= 0.97


def test_noncentrality_bounds_are_the_quantiles_they_invert():
    low, high = noncentrality_bounds(14.2, 3, 0.9)
    assert stats.ncx2.cdf(14.2, 3, low) == pytest.approx(0.95)
    assert stats.ncx2.cdf(14.2, 3, high) == pytest.approx(0.05)
    assert noncentrality_bounds(0.5, 3, 0.9)[0] == 0.0
