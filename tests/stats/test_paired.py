"""Paired comparison: published worked examples, closed forms, honesty at small n, coverage by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.paired import (
    _signed_rank_bound,
    bootstrap_mean_interval,
    hodges_lehmann_paired,
    holm,
    needed_pairs,
    sign_flip_test,
)

# Hollander & Wolfe (1973), table 3.1: Hamilton depression factor IV of nine patients before and after
# a tranquilliser; the paired example on the help page of R's wilcox.test.
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]

# Darwin's maize in eighths of an inch, crossed minus self-fertilised: Fisher (1935), The design of experiments, §17.
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]

numbers = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=12)


def test_shift_equals_the_published_example():
    # R: wilcox.test(x, y, paired = TRUE, conf.int = TRUE): (pseudo)median 0.46, 95 percent interval 0.010 0.786.
    estimate = hodges_lehmann_paired(BEFORE, AFTER, 0.95)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.46, 0.010, 0.786))
    assert estimate.n == 9 and estimate.function == "analysis.stats.paired.hodges_lehmann_paired"


@pytest.mark.parametrize(("n", "rank"), [(6, 1), (9, 6), (10, 9), (15, 26), (20, 53), (25, 90), (50, 435)])
def test_signed_rank_bound_equals_r(n, rank):
    # R: qsignrank(0.025, n)
    assert _signed_rank_bound(n, 0.95)[0] == rank


def test_exact_and_approximate_bound_meet_where_one_takes_over():
    exact, approximate = _signed_rank_bound(200, 0.95), _signed_rank_bound(201, 0.95)
    assert (exact[1], approximate[1]) == ("exact", "normal-approximation")
    centre = [n * (n + 1) / 4 for n in (200, 201)]
    assert exact[0] / centre[0] == pytest.approx(approximate[0] / centre[1], abs=0.002)


@pytest.mark.parametrize("n", range(1, 6))
def test_fewer_pairs_than_needed_give_no_interval(n):
    estimate = hodges_lehmann_paired(BEFORE[:n], AFTER[:n], 0.95)
    assert estimate.low is None and estimate.high is None and estimate.confidence is None
    assert f"takes 6 pairs, there are {n}" in estimate.method
    mean = bootstrap_mean_interval(BEFORE[:n], 0.95, method="percentile", rng=np.random.default_rng(1))
    assert mean.low is None and f"there are {n}" in mean.method


def test_needed_pairs_are_what_the_range_can_cover():
    for confidence in (0.5, 0.75, 0.8, 0.9, 0.95, 0.96875, 0.99):
        n = needed_pairs(confidence)
        assert 1 - 2.0 ** (1 - n) >= confidence - 1e-12
        assert n == 2 or 1 - 2.0 ** (2 - n) < confidence


@given(numbers, st.floats(-10, 10).map(lambda value: round(value, 3)))
@settings(max_examples=60, deadline=None)
def test_shift_moves_with_the_data_and_turns_with_the_order(x, shift):
    zeros = [0.0] * len(x)
    plain = hodges_lehmann_paired(x, zeros)
    moved = hodges_lehmann_paired([value + shift for value in x], zeros)
    turned = hodges_lehmann_paired(zeros, x)
    assert moved.value == pytest.approx(plain.value + shift, abs=1e-9)
    assert turned.value == pytest.approx(-plain.value, abs=1e-9)
    if plain.low is not None:
        assert plain.low <= plain.value <= plain.high
        assert (turned.low, turned.high) == pytest.approx((-plain.high, -plain.low), abs=1e-9)


def test_shift_covers_as_stated():
    # Exact coverage at n = 8 is 1 − 2·P(T ≤ 3) = 1 − 2·5/256 = 0.9609.
    rng = np.random.default_rng(7)
    samples = rng.normal(size=(2000, 8))
    estimates = [hodges_lehmann_paired(sample, np.zeros(8)) for sample in samples]
    covered = sum(estimate.low <= 0 <= estimate.high for estimate in estimates)
    assert stats.binomtest(covered, 2000, 1 - 10 / 256).pvalue > 0.001


def test_sign_flips_equal_fishers_count():
    # Fisher (1935), §21: 863 of 32,768 arrangements total 314 or more, 1,726 in both directions: 5.267 %.
    result = sign_flip_test(MAIZE, "two-sided")
    assert result.p_value == 1726 / 32768
    assert result.statistic == pytest.approx(314 / 15)
    assert sign_flip_test(MAIZE, "greater").p_value == 863 / 32768
    assert result.smallest_p == 2 / 32768


def test_two_pairs_can_never_reject():
    assert sign_flip_test([5.0, 7.0], "two-sided").p_value == 0.5
    assert sign_flip_test([5.0, 7.0], "two-sided").smallest_p == 0.5


def test_no_difference_at_all_is_no_evidence():
    assert sign_flip_test([0.0, 0.0, 0.0], "two-sided").p_value == 1.0
    assert sign_flip_test([0.0, 0.0, 0.0], "less").p_value == 1.0


@given(numbers)
@settings(max_examples=60, deadline=None)
def test_sign_flips_are_symmetric(values):
    mirrored = [-value for value in values]
    assert sign_flip_test(values, "greater").p_value == sign_flip_test(mirrored, "less").p_value
    assert sign_flip_test(values, "two-sided").p_value == sign_flip_test(mirrored, "two-sided").p_value


def test_random_flips_agree_with_the_normal_limit_and_are_never_zero():
    rng = np.random.default_rng(3)
    values = rng.normal(0.25, 1, size=60)
    result = sign_flip_test(values, "two-sided", rng=rng, flips=20_000)
    normal = 2 * stats.norm.sf(abs(values.sum()) / np.sqrt(np.sum(values**2)))
    assert result.p_value == pytest.approx(normal, abs=0.012)
    certain = sign_flip_test(np.ones(40), "greater", rng=rng, flips=999)
    assert certain.p_value == certain.smallest_p == 1 / 1000


def test_same_generator_state_gives_the_same_result():
    values = np.random.default_rng(5).normal(size=30)
    first, second = (sign_flip_test(values, "less", rng=np.random.default_rng(2), flips=500) for _ in range(2))
    assert first == second


def test_percentile_bootstrap_meets_the_full_enumeration():
    # All 6⁶ resamples of six values, each equally likely: the limit of the percentile bootstrap.
    values = np.array([0.0, 1.0, 2.0, 4.0, 7.0, 11.0])
    means = np.mean(list(itertools.product(values, repeat=6)), axis=1)
    estimate = bootstrap_mean_interval(
        values, 0.9, method="percentile", rng=np.random.default_rng(11), resamples=40_000
    )
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(means, [0.05, 0.95])), abs=0.09)
    assert estimate.value == pytest.approx(25 / 6)


def test_bca_agrees_with_scipy():
    values = np.random.default_rng(4).exponential(size=25)
    own = bootstrap_mean_interval(values, 0.95, method="bca", rng=np.random.default_rng(1), resamples=40_000)
    other = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=40_000, rng=np.random.default_rng(2)
    ).confidence_interval
    assert (own.low, own.high) == pytest.approx((other.low, other.high), abs=0.02)
    plain = bootstrap_mean_interval(values, 0.95, method="percentile", rng=np.random.default_rng(1))
    assert own.low > plain.low  # BCa follows the long tail to the right


def test_equal_values_give_a_point_that_says_so():
    estimate = bootstrap_mean_interval([2.0] * 8, method="bca", rng=np.random.default_rng(1))
    assert (estimate.low, estimate.value, estimate.high) == (2.0, 2.0, 2.0)
    assert "all values are equal" in estimate.method


def test_holm_equals_r():
    # R: p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm") = 0.04 0.06 0.06 0.06; order kept, never above 1.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_lies_between_plain_and_bonferroni(p_values):
    for plain, adjusted in zip(p_values, holm(p_values), strict=True):
        assert plain - 1e-12 <= adjusted <= min(1.0, len(p_values) * plain) + 1e-12


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: hodges_lehmann_paired([1, 2], [1]), "2 and 1 values"),
        (lambda: hodges_lehmann_paired([], []), "shape"),
        (lambda: hodges_lehmann_paired([1, float("nan")], [1, 2]), "x, place 2"),
        (lambda: hodges_lehmann_paired([1], [2], 1.0), "confidence"),
        (lambda: sign_flip_test([1.0], "bigger"), "bigger"),
        (lambda: sign_flip_test([1.0] * 17, "less"), "no generator"),
        (lambda: bootstrap_mean_interval([1.0], method="t", rng=np.random.default_rng()), "'t'"),
        (lambda: holm([0.1, 1.2, -0.1]), "1.2, -0.1"),
        (lambda: holm([]), "shape"),
    ],
)
def test_bad_input_is_refused_by_name(call, named):
    with pytest.raises(InputError, match=named):
        call()
