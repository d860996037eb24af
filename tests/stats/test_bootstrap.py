"""Bootstrap intervals against Efron and Tibshirani's example, scipy, properties, and coverage at the survey's size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.bootstrap import (
    METHODS,
    acceleration,
    bootstrap_counts,
    bootstrap_rows,
    compute_likert_summary,
    counts_mean,
    counts_median,
    counts_share,
)

# Efron and Tibshirani (1993), table 14.1: the spatial test, first value of each of 26 children. Table 14.2 and page 186
# give for its variance (divisor n) 171.5, acceleration 0.061, and 90 % intervals from 2,000 resamples: percentile
# (100.8, 233.9), BCa (115.8, 259.6).
SPATIAL = np.array(
    [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41], dtype=float
)
SCORES = np.arange(1.0, 6.0)
likert = st.lists(st.integers(0, 30), min_size=2, max_size=7).filter(lambda counts: sum(counts) >= 6)


def variances(block: np.ndarray) -> np.ndarray:
    return block.var(axis=1)


def test_acceleration_of_the_spatial_data():
    without_one = np.array([np.delete(SPATIAL, place).var() for place in range(26)])
    assert round(SPATIAL.var(), 1) == 171.5
    assert round(acceleration(without_one, np.ones(26)), 3) == 0.061


@pytest.mark.parametrize(("method", "low", "high"), [("percentile", 100.8, 233.9), ("bca", 115.8, 259.6)])
def test_intervals_of_the_spatial_data(method, low, high):
    rng = np.random.default_rng(14)
    options = {"method": method, "rng": rng, "resamples": 40000, "vectorised": True}
    estimate = bootstrap_rows(SPATIAL, variances, 0.90, **options)
    # The book's bounds have the simulation error of 2,000 resamples: about 3 at these quantiles.
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=4)
    assert (estimate.n, estimate.confidence) == (26, 0.90)
    assert estimate.function == "analysis.stats.bootstrap.bootstrap_rows"


@pytest.mark.parametrize("method", METHODS)
def test_intervals_agree_with_scipy(method):
    ours = bootstrap_rows(
        SPATIAL, variances, method=method, rng=np.random.default_rng(3), resamples=40000, vectorised=True
    )
    name = "BCa" if method == "bca" else "percentile"
    theirs = stats.bootstrap(
        (SPATIAL,), np.var, method=name, n_resamples=40000, rng=np.random.default_rng(4), vectorized=True
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.02)


def test_counts_and_rows_give_the_same_interval():
    counts = [3, 5, 13, 44, 19]
    answers = np.repeat(SCORES, counts)
    options = {"method": "bca", "resamples": 20000}
    by_count = bootstrap_counts(counts, lambda some: counts_mean(some, SCORES), rng=np.random.default_rng(1), **options)
    by_row = bootstrap_rows(
        answers, lambda block: block.mean(axis=1), rng=np.random.default_rng(2), vectorised=True, **options
    )
    plain = bootstrap_rows(answers, np.mean, rng=np.random.default_rng(2), **options)
    assert by_count.value == pytest.approx(answers.mean())
    assert (by_count.low, by_count.high) == pytest.approx((by_row.low, by_row.high), abs=0.013)  # steps of 1/84
    assert (plain.low, plain.high) == (by_row.low, by_row.high)


def test_rows_stay_together():
    rows = np.column_stack([SPATIAL, 2 * SPATIAL])
    rng = np.random.default_rng(5)
    estimate = bootstrap_rows(rows, lambda some: np.corrcoef(some.T)[0, 1], method="percentile", rng=rng, resamples=200)
    assert (estimate.low, estimate.high) == pytest.approx((1, 1))


@given(likert)
def test_count_statistics_are_those_of_the_written_out_answers(counts):
    scores = np.arange(1.0, len(counts) + 1)
    answers, row = np.repeat(scores, counts), np.array([counts])
    assert counts_median(row, scores)[0] == np.median(answers)
    assert counts_mean(row, scores)[0] == pytest.approx(answers.mean())
    assert counts_share(row, slice(-1, None))[0] == pytest.approx(np.mean(answers == scores[-1]))


@settings(max_examples=30, deadline=None)
@given(likert, st.sampled_from(sorted(METHODS)))
def test_summary_mirrors_with_the_scale(counts, method):
    def summary(some):
        return compute_likert_summary(some, box=1, method=method, rng=np.random.default_rng(6), resamples=300)

    one, other = summary(counts), summary(counts[::-1])
    k = len(counts)
    assert one.median.value == pytest.approx(k + 1 - other.median.value)
    assert one.mean.value == pytest.approx(k + 1 - other.mean.value)
    assert one.top.value == other.bottom.value
    for estimate in (one.mean, one.median, one.top, one.bottom):
        if estimate.low is not None:
            assert estimate.low <= estimate.high
            assert 0 <= estimate.low <= k


def test_summary_with_other_scores():
    options = {"method": "bca", "resamples": 999}
    counts = [2, 8, 20, 40, 14]
    plain = compute_likert_summary(counts, rng=np.random.default_rng(7), **options)
    moved = compute_likert_summary(counts, rng=np.random.default_rng(7), scores=[0, 10, 20, 30, 40], **options)
    assert moved.mean.value == pytest.approx(10 * (plain.mean.value - 1))
    assert moved.mean.low == pytest.approx(10 * (plain.mean.low - 1))
    assert moved.median.value == 10 * (plain.median.value - 1)
    assert plain.top.unit == "share"
    assert plain.top.function == "analysis.stats.bootstrap.compute_likert_summary"


def test_everybody_alike_and_too_few():
    alike = compute_likert_summary([0, 0, 84], method="bca", rng=np.random.default_rng(8), resamples=99)
    assert (alike.top.low, alike.top.value, alike.top.high) == (1, 1, 1)
    few = compute_likert_summary([1, 2, 2], method="bca", rng=np.random.default_rng(8))
    assert few.mean.low is None
    assert "it takes 6 observations, there are 5" in few.mean.method


def test_undefined_resamples_are_counted():
    def ratio(some):
        with np.errstate(divide="ignore"):
            return np.where(some[:, 1] > 0, some[:, 0] / np.maximum(some[:, 1], 1), np.nan)

    rng = np.random.default_rng(9)
    rarely = bootstrap_counts([80, 4], ratio, method="percentile", rng=rng, resamples=4000)
    often = bootstrap_counts([83, 1], ratio, method="percentile", rng=rng, resamples=4000)
    assert "undefined ones left out" in rarely.method
    assert rarely.low < 20 < rarely.high
    assert often.low is None
    assert "undefined in" in often.method


def test_bca_without_a_defined_correction_has_no_bounds():
    def above_sample(some):  # larger in every resample than in the sample itself
        return 1.0 + (some.max(axis=1) > 1)

    estimate = bootstrap_counts(np.ones(30, dtype=int), above_sample, method="bca", rng=np.random.default_rng(1))
    assert estimate.value == 1
    assert estimate.low is None
    assert "BCa is undefined" in estimate.method


@pytest.mark.parametrize("method", METHODS)
def test_share_covers_at_84_respondents(method):
    """Coverage summed over all counts of 84 for shares from 15 to 85 %; only the intervals are simulated."""
    n, rng = 84, np.random.default_rng(84)
    intervals = [
        bootstrap_counts([n - k, k], lambda some: some[:, 1] / n, method=method, rng=rng, resamples=1999)
        for k in range(n + 1)
    ]
    low, high = np.array([i.low for i in intervals]), np.array([i.high for i in intervals])
    coverage = [
        stats.binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum() for p in np.linspace(0.15, 0.85, 141)
    ]
    assert 0.93 < np.mean(coverage) < 0.97


def test_median_covers_at_84_respondents():
    """For values without ties the bounds are order statistics, whose coverage of the median is binomial, exactly."""
    n, ranks = 84, np.arange(1.0, 85.0)
    for method in METHODS:
        estimate = bootstrap_counts(
            np.ones(n, dtype=int),
            lambda some: counts_median(some, ranks),
            method=method,
            rng=np.random.default_rng(42),
            resamples=20000,
        )
        low, high = int(np.ceil(estimate.low)), int(np.floor(estimate.high))  # inwards: no better than stated
        assert 0.93 < stats.binom.cdf(high - 1, n, 0.5) - stats.binom.cdf(low - 1, n, 0.5) < 0.97


def test_likert_mean_covers_at_84_respondents():
    truth, rng = np.array([0.03, 0.07, 0.15, 0.52, 0.23]), np.random.default_rng(2023)
    mean, hits, surveys = truth @ SCORES, 0, 1200
    for counts in rng.multinomial(84, truth, size=surveys):
        estimate = bootstrap_counts(
            counts, lambda some: counts_mean(some, SCORES), method="bca", rng=rng, resamples=999
        )
        hits += estimate.low <= mean <= estimate.high
    assert 0.93 < hits / surveys < 0.97  # simulation error 0.6 points


@pytest.mark.parametrize(
    "wrong",
    [
        lambda rng: bootstrap_counts([1, 2], counts_mean, method="normal", rng=rng),
        lambda rng: bootstrap_counts([1, -2], lambda c: c[:, 0], method="bca", rng=rng),
        lambda rng: bootstrap_counts([1.5, 2], lambda c: c[:, 0], method="bca", rng=rng),
        lambda rng: bootstrap_counts([0, 0], lambda c: c[:, 0], method="bca", rng=rng),
        lambda rng: bootstrap_counts([[1, 2]], lambda c: c[:, 0], method="bca", rng=rng),
        lambda rng: bootstrap_counts([9, 9], lambda c: c[:, 0] * np.nan, method="bca", rng=rng),
        lambda rng: bootstrap_rows([], np.mean, method="bca", rng=rng),
        lambda rng: bootstrap_rows([1.0, np.nan] * 5, np.mean, method="bca", rng=rng),
        lambda rng: bootstrap_rows([1.0] * 9, np.mean, 95, method="bca", rng=rng),
        lambda rng: bootstrap_rows([1.0] * 9, np.mean, method="bca", rng=rng, resamples=0),
        lambda rng: compute_likert_summary([1, 2, 9], box=3, method="bca", rng=rng),
        lambda rng: compute_likert_summary([1, 2, 9], scores=[1, 1, 2], method="bca", rng=rng),
    ],
)
def test_wrong_input_is_refused(wrong):
    with pytest.raises(InputError):
        wrong(np.random.default_rng(0))


def test_every_violation_is_named():
    with pytest.raises(InputError) as error:
        bootstrap_counts([9, 9], lambda c: c[:, 0], 95, method="t", rng=np.random.default_rng(0), resamples=0)
    assert [problem.where for problem in error.value.problems] == ["method", "confidence", "resamples"]
