"""Intervals against published values, closed forms, properties, and simulated coverage at the survey's size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.intervals import (
    DIFFERENCE_METHODS,
    JOINT_METHODS,
    SHARE_METHODS,
    compute_joint_share,
    compute_margin,
    compute_median_position,
    compute_needed_n,
    compute_share,
    compute_share_difference,
    median_ranks,
    position_of_rank,
)

# Newcombe RG (1998), Statistics in Medicine 17, 857–872, Table I: method 3 (Wilson) and method 5 (Clopper–Pearson).
NEWCOMBE = [
    (81, 263, "wilson", 0.2553, 0.3662),
    (15, 148, "wilson", 0.0624, 0.1605),
    (0, 20, "wilson", 0.0000, 0.1611),
    (1, 29, "wilson", 0.0061, 0.1718),
    (81, 263, "clopper-pearson", 0.2527, 0.3676),
    (15, 148, "clopper-pearson", 0.0578, 0.1617),
    (0, 20, "clopper-pearson", 0.0000, 0.1684),
    (1, 29, "clopper-pearson", 0.0009, 0.1776),
]

# Sison CP, Glaz J (1995), JASA 90, 366–369, first example. Goodman's bounds are printed in the paper to three
# decimals; Sison–Glaz to five come from R's MultinomialCI (both are also among statsmodels' reference values).
SEVEN = [56, 72, 73, 59, 62, 87, 58]
GOODMAN = [
    (0.085, 0.166),
    (0.115, 0.204),
    (0.116, 0.207),
    (0.091, 0.173),
    (0.096, 0.181),
    (0.143, 0.239),
    (0.089, 0.171),
]
SISON_GLAZ = [
    (0.07923, 0.16434),
    (0.11349, 0.19860),
    (0.11563, 0.20074),
    (0.08565, 0.17076),
    (0.09208, 0.17718),
    (0.14561, 0.23072),
    (0.08351, 0.16862),
]

small_n = st.integers(1, 200)


@st.composite
def counted(draw):
    n = draw(small_n)
    return draw(st.integers(0, n)), n


@pytest.mark.parametrize(("count", "n", "method", "low", "high"), NEWCOMBE)
def test_single_share_matches_newcombe(count, n, method, low, high):
    estimate = compute_share(count, n, method=method)
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)
    assert estimate.value == count / n
    assert (estimate.n, estimate.confidence, estimate.unit) == (n, 0.95, "share")
    assert estimate.function == "analysis.stats.intervals.compute_share"


def test_wilson_of_two_in_twenty():
    # 2 failed deployments of 20: 2.8–30.1 %, by hand from (2np + z² ± z√(z² + 4np(1−p)))/(2(n + z²)), p = 0.1.
    z = stats.norm.ppf(0.975)
    root = z * np.sqrt(z**2 + 4 * 20 * 0.1 * 0.9)
    expected = [(2 * 2 + z**2 + sign * root) / (2 * (20 + z**2)) for sign in (-1, 1)]
    estimate = compute_share(2, 20, method="wilson")
    assert [estimate.low, estimate.high] == pytest.approx(expected)
    assert estimate.interval_text() == "2.8–30.1%"


@pytest.mark.parametrize("method", SHARE_METHODS)
@given(counted(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_single_share_properties(method, case, confidence):
    count, n = case
    estimate = compute_share(count, n, confidence, method=method)
    other = compute_share(n - count, n, confidence, method=method)
    wider = compute_share(count, n, (1 + confidence) / 2, method=method)
    assert 0 <= estimate.low <= estimate.value + 1e-12
    assert estimate.value - 1e-12 <= estimate.high <= 1
    assert other.low == pytest.approx(1 - estimate.high, abs=1e-9)  # asking for the complement mirrors the interval
    assert wider.low <= estimate.low + 1e-12
    assert wider.high >= estimate.high - 1e-12


@given(counted())
def test_clopper_pearson_inverts_the_binomial_test(case):
    count, n = case
    estimate = compute_share(count, n, method="clopper-pearson")
    if count > 0:
        assert stats.binom.sf(count - 1, n, estimate.low) == pytest.approx(0.025, abs=1e-6)
    if count < n:
        assert stats.binom.cdf(count, n, estimate.high) == pytest.approx(0.025, abs=1e-6)


@pytest.mark.parametrize(
    ("method", "mean_low", "mean_high", "least"),
    [("wilson", 0.945, 0.96, 0.90), ("clopper-pearson", 0.955, 0.98, 0.95)],
)
def test_exact_coverage_at_84_respondents(method, mean_low, mean_high, least):
    """Coverage summed over all counts of 84, for shares from 5 to 95 %: no simulation error in this one."""
    n = 84
    intervals = [compute_share(count, n, method=method) for count in range(n + 1)]
    coverage = [
        sum(stats.binom.pmf(k, n, p) for k, i in enumerate(intervals) if i.low <= p <= i.high)
        for p in np.linspace(0.05, 0.95, 181)
    ]
    assert mean_low < np.mean(coverage) < mean_high
    assert min(coverage) > least


@pytest.mark.parametrize(("method", "expected", "digits"), [("goodman", GOODMAN, 3), ("sison-glaz", SISON_GLAZ, 4)])
def test_joint_shares_match_published_examples(method, expected, digits):
    for which, (low, high) in enumerate(expected):
        estimate = compute_joint_share(SEVEN, which, method=method)
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.51 * 10**-digits)
        assert estimate.value == SEVEN[which] / sum(SEVEN)


@pytest.mark.parametrize("method", JOINT_METHODS)
@settings(max_examples=25, deadline=None)  # Sison–Glaz searches, and is slow for one answer alone
@given(st.lists(st.integers(0, 60), min_size=2, max_size=6).filter(any))
def test_joint_shares_contain_the_estimate(method, counts):
    for which in range(len(counts)):
        estimate = compute_joint_share(counts, which, method=method)
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


@given(st.lists(st.integers(0, 60), min_size=2, max_size=6).filter(any))
def test_goodman_contains_wilson_and_is_wilson_at_a_stricter_level(counts):
    n, k = sum(counts), len(counts)
    for which, count in enumerate(counts):
        joint = compute_joint_share(counts, which, method="goodman")
        single = compute_share(count, n, method="wilson")
        strict = compute_share(count, n, 1 - 0.05 / k, method="wilson")  # Goodman (1965): Wilson at level 1 − α/k
        assert joint.low <= single.low + 1e-12
        assert joint.high >= single.high - 1e-12
        assert (joint.low, joint.high) == pytest.approx((strict.low, strict.high), abs=1e-9)


def test_joint_coverage_at_84_respondents():
    """All five intervals of Q6-like answers hold at once in about 95 % of 2,000 simulated surveys."""
    truth = np.array([0.03, 0.07, 0.15, 0.52, 0.23])
    samples = np.random.default_rng(20230130).multinomial(84, truth, size=2000)
    z2 = stats.chi2.ppf(1 - 0.05 / 5, 1)
    spread = np.sqrt(z2 * (z2 + 4 * samples * (84 - samples) / 84))
    low, high = ((z2 + 2 * samples + sign * spread) / (2 * (84 + z2)) for sign in (-1, 1))
    for which in range(5):
        estimate = compute_joint_share(samples[0].tolist(), which, method="goodman")
        assert (estimate.low, estimate.high) == pytest.approx((low[0, which], high[0, which]), abs=1e-9)
    assert 0.94 < ((low <= truth) & (truth <= high)).all(axis=1).mean() < 0.985


# Cavo et al. (2012), complete response before and after therapy, discordant 6 and 16 of 161: reference values of the
# R package contingencytables (Fagerland, Lydersen, Laake: Statistical Analysis of Contingency Tables, ch. 8).
@pytest.mark.parametrize(("method", "low", "high"), [("wald", -0.1184, -0.0058), ("bonett-price", -0.1195, -0.0032)])
def test_difference_matches_the_textbook(method, low, high):
    estimate = compute_share_difference(6, 16, 161, method=method)
    assert round(estimate.value, 4) == -0.0621
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)


@pytest.mark.parametrize("method", DIFFERENCE_METHODS)
@given(st.integers(0, 80), st.integers(0, 80), st.integers(0, 80))
def test_difference_changes_sign_with_the_order(method, first, second, neither):
    n = first + second + neither
    if n == 0:
        return
    estimate = compute_share_difference(first, second, n, method=method)
    mirrored = compute_share_difference(second, first, n, method=method)
    assert estimate.low == pytest.approx(-mirrored.high)
    assert -1 <= estimate.low <= estimate.high <= 1
    assert estimate.value == pytest.approx(-mirrored.value)


def test_difference_covers_at_84_respondents():
    rng = np.random.default_rng(84)
    truth = np.array([0.80, 0.06, 0.14])
    hits = {"wald": 0, "bonett-price": 0}
    for above, below, _ in rng.multinomial(84, truth, size=1500):
        for method in hits:
            estimate = compute_share_difference(int(above), int(below), 84, method=method)
            hits[method] += estimate.low <= 0.74 <= estimate.high
    assert 0.935 < hits["bonett-price"] / 1500 < 0.975
    assert hits["bonett-price"] >= hits["wald"]  # the adjustment is there to cover better


def test_median_ranks_are_the_tightest_that_cover():
    for n in (6, 7, 20, 84, 85):
        low, middle, upper, high = median_ranks(n)
        coverage = stats.binom.cdf(high - 1, n, 0.5) - stats.binom.cdf(low - 1, n, 0.5)
        tighter = stats.binom.cdf(high - 2, n, 0.5) - stats.binom.cdf(low, n, 0.5)
        assert coverage >= 0.95 > tighter
        assert low + high == n + 1 == middle + upper


def test_median_position_by_hand():
    # Ten respondents: 3, 3, 4; the 5th and 6th smallest both gave the second answer.
    assert compute_median_position([3, 3, 4]).value == 2
    # Two middle respondents on either side of a gap.
    assert compute_median_position([5, 0, 5]).value == 2
    assert compute_median_position([5, 5]).value == 1.5


@given(st.lists(st.integers(0, 30), min_size=2, max_size=7).filter(any))
def test_median_position_is_that_of_the_written_out_answers(counts):
    answers = np.repeat(np.arange(1, len(counts) + 1), counts)
    estimate = compute_median_position(counts)
    assert estimate.value == np.median(answers)
    assert 1 <= estimate.low <= estimate.value <= estimate.high <= len(counts)


def test_margin_and_needed_n_invert_each_other():
    assert compute_needed_n(5) == 381  # z²/(4·0.05²) − z² = 384.15 − 3.84 = 380.3
    for margin in (2.5, 5.0, 10.0):
        n = compute_needed_n(margin)
        assert compute_margin(n, method="wilson").value <= margin < compute_margin(n - 1, method="wilson").value
    assert compute_margin(84, method="wilson").text() == "10.5 percentage points"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: compute_share(5, 4, method="wilson"),
        lambda: compute_share(-1, 4, method="wilson"),
        lambda: compute_share(0, 0, method="wilson"),
        lambda: compute_share(float("nan"), 4, method="wilson"),
        lambda: compute_share(1, float("nan"), method="wilson"),
        lambda: compute_share(1.5, 4, method="wilson"),
        lambda: compute_median_position([float("nan"), 2]),
        lambda: compute_share(1, 4, 95, method="wilson"),
        lambda: compute_share(1, 4, method="normal"),
        lambda: compute_joint_share([1, 2], 2, method="goodman"),
        lambda: compute_joint_share([0, 0], 0, method="goodman"),
        lambda: compute_share_difference(3, 3, 5, method="wald"),
        lambda: compute_median_position([0, 0]),
        lambda: position_of_rank([1, 2], 4),
        lambda: compute_needed_n(0),
    ],
)
def test_wrong_input_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()


def test_every_violation_is_named():
    with pytest.raises(InputError) as error:
        compute_share(1, 4, 95, method="normal")
    assert [problem.where for problem in error.value.problems] == ["method", "confidence"]
