"""Equivalence tests against R's TOSTER, scipy, inversion of their intervals, and simulated levels at n = 84."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from analysis.base.errors import InputError
from analysis.stats.equivalence import (
    tost_correlation,
    tost_means,
    tost_medians,
    tost_paired_means,
    tost_paired_medians,
)
from analysis.stats.equivalence_shares import tost_paired_shares, tost_shares

# Student's sleep data (Cushny and Peebles 1905), R's data set sleep: extra hours of ten patients with either drug.
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
HALF_HOUR = {"low": -0.5, "high": 0.5}


# TOSTER (R), vignette "IntroTOSTt": t_TOST(extra ~ group, eqb = .5): lower −1.272, upper −2.450, df 17.776, p 0.8901,
# 90 % interval −3.0533815 to −0.1066185; paired: −2.777, −5.348, df 9, p 0.989.
def test_means_match_toster():
    result = tost_means(DRUG_1, DRUG_2, **HALF_HOUR, method="welch")
    assert (round(result.statistic_low, 3), round(result.statistic_high, 3)) == (-1.272, -2.450)
    assert (round(result.df, 3), round(result.p_value, 4)) == (17.776, 0.8901)
    assert (result.estimate.low, result.estimate.high) == pytest.approx((-3.0533815, -0.1066185), abs=5e-8)
    assert (result.estimate.confidence, result.equivalent) == (0.9, False)
    paired = tost_paired_means(DRUG_1, DRUG_2, **HALF_HOUR)
    assert (round(paired.statistic_low, 3), round(paired.statistic_high, 3)) == (-2.777, -5.348)
    assert (paired.df, round(paired.p_value, 3)) == (9, 0.989)
    assert paired.estimate.function == "analysis.stats.equivalence.tost_paired_means"


def sample(n: int, mean: float, sd: float) -> np.ndarray:
    """Values with exactly this mean and standard deviation."""
    raw = stats.norm.ppf((np.arange(n) + 0.5) / n)
    return mean + sd * (raw - raw.mean()) / raw.std(ddof=1)


# TOSTER, tests of known results: TOSTtwo.raw(5.25, 5.22, sd .95 and .83, n 95 and 89, ±0.384): t 3.153015, −2.696056,
# p 0.0009458745, 0.003838994, df 181.1344, 90 % interval −0.1870843 to 0.2470843.
def test_two_groups_match_toster():
    result = tost_means(sample(95, 5.25, 0.95), sample(89, 5.22, 0.83), low=-0.384, high=0.384, method="welch")
    assert (result.statistic_low, result.statistic_high) == pytest.approx((3.153015, -2.696056), abs=5e-7)
    assert (result.p_low, result.p_high) == pytest.approx((0.0009458745, 0.003838994), rel=1e-6)
    assert result.df == pytest.approx(181.1344, abs=5e-5)
    assert (result.estimate.low, result.estimate.high) == pytest.approx((-0.1870843, 0.2470843), abs=5e-8)
    assert result.equivalent


def test_pooled_variance_matches_scipy():
    result = tost_means(DRUG_1, DRUG_2, **HALF_HOUR, method="pooled")
    above = stats.ttest_ind(np.array(DRUG_1) + 0.5, DRUG_2, alternative="greater")
    below = stats.ttest_ind(np.array(DRUG_1) - 0.5, DRUG_2, alternative="less")
    assert (result.p_low, result.p_high) == pytest.approx((above.pvalue, below.pvalue))
    interval = stats.ttest_ind(DRUG_1, DRUG_2).confidence_interval(0.9)
    assert (result.estimate.low, result.estimate.high) == pytest.approx((interval.low, interval.high))


# TOSTER, tests: TOSTtwo.prop(.65, .70, 100, 100, ±0.1): z 0.7559289, −2.267787, p 0.2248459, 0.0116711, 90 % interval
# −0.1587968 to 0.05879684. TOSTr(100, 0.02, ±0.3): p 0.0005863917, 0.002176282, interval −0.145957 to 0.1848622.
def test_shares_and_correlation_match_toster():
    result = tost_shares(65, 100, 70, 100, low=-0.1, high=0.1, method="wald")
    assert (result.statistic_low, result.statistic_high) == pytest.approx((0.7559289, -2.267787), abs=5e-7)
    assert (result.p_low, result.p_high) == pytest.approx((0.2248459, 0.0116711), abs=5e-8)
    assert (result.estimate.low, result.estimate.high) == pytest.approx((-0.1587968, 0.05879684), abs=5e-8)
    assert result.estimate.unit == "share"
    r = tost_correlation(0.02, 100, low=-0.3, high=0.3)
    assert (r.p_low, r.p_high) == pytest.approx((0.0005863917, 0.002176282), rel=1e-6)
    assert (r.estimate.low, r.estimate.high) == pytest.approx((-0.145957, 0.1848622), abs=5e-7)
    assert r.equivalent


# TOSTER, vignette "robustTOST": wilcox_TOST(extra ~ group, eqb = .5): W 34 (p 0.894) and 20 (p 0.013), interval −3.4 to
# −0.1. Our statistics are U less its mean, 50.
def test_medians_match_toster():
    result = tost_medians(DRUG_1, DRUG_2, **HALF_HOUR, method="asymptotic")
    assert (result.statistic_low + 50, result.statistic_high + 50) == (34, 20)
    assert (round(result.p_low, 3), round(result.p_high, 3)) == (0.894, 0.013)
    assert (result.estimate.low, result.estimate.high) == pytest.approx((-3.4, -0.1))
    assert result.estimate.value == pytest.approx(np.median(np.subtract.outer(DRUG_1, DRUG_2)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 9), st.integers(5, 9))
def test_exact_rank_intervals_invert_their_tests(seed, n, m):
    """A bound is just kept: the exact test rejects beyond it and not within, at the level of the test."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n), rng.normal(size=m)
    found = tost_medians(a, b, low=-9, high=9, method="exact").estimate
    for bound, way, side in ((found.low, "greater", -1), (found.high, "less", 1)):
        outside = stats.mannwhitneyu(a - (bound + side * 1e-9), b, alternative=way, method="exact").pvalue
        inside = stats.mannwhitneyu(a - (bound - side * 1e-9), b, alternative=way, method="exact").pvalue
        assert outside <= 0.05 < inside
    d = rng.normal(size=n)
    paired = tost_paired_medians(d, np.zeros(n), low=-9, high=9, method="exact").estimate
    assert paired.low <= paired.value <= paired.high
    assert (paired.confidence, found.confidence) == (0.9, 0.9)


def test_paired_medians_match_scipy():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=12), rng.normal(0.1, 1, size=12)
    result = tost_paired_medians(a, b, low=-1, high=1, method="exact")
    assert result.p_low == stats.wilcoxon(a - b + 1, alternative="greater", method="exact").pvalue
    assert result.p_high == stats.wilcoxon(a - b - 1, alternative="less", method="exact").pvalue
    assert result.statistic_low == stats.wilcoxon(a - b + 1, alternative="greater").statistic
    few = tost_paired_medians([1.0, 2.5, 3.1], [0.0, 1.1, 1.2], low=-9, high=9, method="exact")
    assert few.estimate.low is None
    assert "too few" in few.estimate.method


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 20), st.integers(0, 30), st.floats(-0.6, 0.6).filter(lambda bound: abs(bound) > 1e-3))
def test_restricted_shares_are_the_most_likely_ones(count, other, bound):
    from analysis.stats.equivalence_shares import _restricted_shares

    def loss(p):
        q = p - bound
        return -(stats.binom.logpmf(count, 20, p) + stats.binom.logpmf(other, 30, q))

    edges = (max(0.0, bound) + 1e-10, min(1.0, 1 + bound) - 1e-10)
    best = optimize.minimize_scalar(loss, bounds=edges, method="bounded", options={"xatol": 1e-10})
    first, second = _restricted_shares(count, 20, other, 30, bound)
    assert first == pytest.approx(best.x, abs=2e-4)
    assert second == pytest.approx(first - bound)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(0, 50))
def test_score_interval_inverts_its_test_and_mirrors(count, other):
    options = {"low": -0.2, "high": 0.2, "method": "score"}
    result = tost_shares(count, 40, other, 50, **options)
    assert -1 <= result.estimate.low <= result.estimate.value <= result.estimate.high <= 1
    for bound, way in ((result.estimate.low, "statistic_low"), (result.estimate.high, "statistic_high")):
        if -0.99 < bound < 0.99:
            options = {"low": min(bound, 0) - (0.001 if bound >= 0 else 0), "high": max(bound, 0.0), "method": "score"}
            if way == "statistic_low":
                options = {"low": bound, "high": min(0.999, bound + 0.001), "method": "score"}
            else:
                options = {"low": max(-0.999, bound - 0.001), "high": bound, "method": "score"}
            assert abs(getattr(tost_shares(count, 40, other, 50, **options), way)) == pytest.approx(1.644854, abs=1e-4)
    mirrored = tost_shares(other, 50, count, 40, low=-0.2, high=0.2, method="score")
    assert mirrored.p_value == pytest.approx(result.p_value, abs=1e-9)
    assert mirrored.estimate.low == pytest.approx(-result.estimate.high, abs=1e-6)


def test_tango_has_a_closed_form_where_nobody_changes():
    # Tango (1998): with no discordant pair the interval is ± z²/(n + z²).
    result = tost_paired_shares(0, 0, 30, low=-0.2, high=0.2, level=0.025, method="score")
    z2 = stats.norm.isf(0.025) ** 2
    assert (result.estimate.low, result.estimate.high) == pytest.approx((-z2 / (30 + z2), z2 / (30 + z2)), abs=1e-8)


def test_tango_s_variance_is_that_of_the_most_likely_shares():
    b, c, n, bound = 12, 2, 50, 0.1

    def loss(q):  # q: only the second property; q + bound: only the first
        return -(b * np.log(q + bound) + c * np.log(q) + (n - b - c) * np.log(1 - 2 * q - bound))

    q = optimize.minimize_scalar(loss, bounds=(1e-9, 0.449), method="bounded", options={"xatol": 1e-12}).x
    expected = (b - c - n * bound) / np.sqrt(n * (2 * q + bound * (1 - bound)))
    result = tost_paired_shares(b, c, n, low=bound, high=0.9, method="score")
    assert result.statistic_low == pytest.approx(expected, abs=1e-6)


def test_p_value_and_interval_agree():
    for low, high in ((-0.5, 0.5), (-2, 2), (-4, 0.5), (-3.1, 0.0)):
        result = tost_means(DRUG_1, DRUG_2, low=low, high=high, method="welch")
        inside = low < result.estimate.low and result.estimate.high < high
        assert result.equivalent == inside


@pytest.mark.parametrize("method", ["wald", "score"])
def test_level_and_coverage_of_two_shares_at_84(method):
    """Over all outcomes of two groups of 42: at the edge of the range, equivalence is shown in about 5 % at most."""
    n, first, second = 42, 0.5, 0.7
    weights = np.outer(*(stats.binom.pmf(np.arange(n + 1), n, p) for p in (first, second)))
    shown = covered = 0.0
    for a, b in np.argwhere(weights > 1e-6):
        result = tost_shares(int(a), n, int(b), n, low=-0.2, high=0.2, method=method)
        shown += weights[a, b] * result.equivalent
        covered += weights[a, b] * (result.estimate.low <= first - second <= result.estimate.high)
    assert shown < 0.06
    assert 0.88 < covered < 0.92  # a 90 % interval


def test_intervals_of_means_and_medians_cover_at_84():
    rng, studies = np.random.default_rng(84), 400
    hits = {"welch": 0, "asymptotic": 0, "paired": 0}
    for _ in range(studies):
        a, b = rng.normal(0.3, 1, 42), rng.normal(0, 1.5, 42)
        same = rng.normal(0, 1, 42)
        options = {"low": -1, "high": 1, "level": 0.025}
        found = {
            "welch": tost_means(a, b, method="welch", **options),
            "asymptotic": tost_medians(same + 0.3, rng.normal(0, 1, 42), method="asymptotic", **options),
            "paired": tost_paired_medians(a, np.zeros(42), method="exact", **options),
        }
        for name, result in found.items():
            hits[name] += result.estimate.low <= 0.3 <= result.estimate.high
    for name, count in hits.items():
        assert 0.93 - 0.011 < count / studies < 0.97 + 0.011, name  # plus a simulation error of 1.1 points


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: tost_means(DRUG_1, DRUG_2, low=0.5, high=-0.5, method="welch"), "low below high"),
        (lambda: tost_means(DRUG_1, DRUG_2, **HALF_HOUR, method="student"), "welch, pooled"),
        (lambda: tost_means(DRUG_1, DRUG_2, **HALF_HOUR, level=0.5, method="welch"), "level"),
        (lambda: tost_means([1.0], DRUG_2, **HALF_HOUR, method="welch"), "two or more"),
        (lambda: tost_means([1.0, np.nan], DRUG_2, **HALF_HOUR, method="welch"), "1 of them no finite"),
        (lambda: tost_means([1, 1], [2, 2], **HALF_HOUR, method="welch"), "do not vary"),
        (lambda: tost_paired_means(DRUG_1, DRUG_2[:9], **HALF_HOUR), "10 and 9"),
        (lambda: tost_medians(DRUG_1, DRUG_2, **HALF_HOUR, method="exact"), "ties"),
        (lambda: tost_paired_medians(DRUG_1, DRUG_2, **HALF_HOUR, method="exact"), "ties"),
        (lambda: tost_paired_medians([1, 2, 3], [0, 1, 2], low=-1, high=1, method="asymptotic"), "nothing to rank"),
        (lambda: tost_shares(5, 4, 1, 4, low=-0.1, high=0.1, method="wald"), "count"),
        (lambda: tost_shares(4, 4, 4, 4, low=-0.1, high=0.1, method="wald"), "no variance"),
        (lambda: tost_shares(3, 4, 1, 4, low=-10, high=10, method="wald"), "between -1 and 1"),
        (lambda: tost_paired_shares(5, 5, 8, low=-0.1, high=0.1, method="score"), "10 of 8"),
        (lambda: tost_correlation(1.0, 20, low=-0.3, high=0.3), "between −1 and 1"),
        (lambda: tost_correlation(0.1, 3, low=-0.3, high=0.3), "four or more"),
    ],
)
def test_wrong_input_is_refused(wrong, said):
    with pytest.raises(InputError) as error:
        wrong()
    assert said in str(error.value)
