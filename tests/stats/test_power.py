"""Power and sample size against G*Power, R, published tables, statsmodels, enumeration and simulation."""

from __future__ import annotations

from math import asin, atanh, sin, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import GofChisquarePower, NormalIndPower

from analysis.base.errors import InputError
from analysis.stats.intervals import compute_needed_n
from analysis.stats.power import (
    detectable_effect,
    needed_n,
    power_alpha,
    power_chi_square,
    power_correlation,
    power_mann_whitney,
    power_mcnemar,
    power_share,
    power_signed_rank,
    power_two_shares,
)
from analysis.stats.power_equivalence import (
    power_tost_correlation,
    power_tost_means,
    power_tost_paired_shares,
    power_tost_shares,
    tost_power,
)
from analysis.stats.precision import needed_n_for_alpha, needed_n_for_share


def test_one_share_matches_g_power():
    # G*Power 3.1 manual, chapter 4: constant proportion 0.65, effect g = 0.15, N = 20, one-sided: power 0.411449.
    assert power_share(0.15, 20, null=0.65, sides="one-sided", method="exact").power == pytest.approx(
        0.411449, abs=5e-7
    )
    # The level reached is the power at (next to) no effect: 0.044376 in the manual.
    assert power_share(1e-12, 20, null=0.65, sides="one-sided", method="exact").power == pytest.approx(
        0.044376, abs=5e-7
    )


def test_mcnemar_matches_g_power_and_pwrss():
    # G*Power 3.1 manual, chapter 5 (O'Brien 2002): odds ratio 0.25, 40 % discordant, N = 50, one-sided: 0.839343, a sum
    # cut short; pwrss (R) sums all: 0.839356985.
    value = power_mcnemar(0.24, 50, discordant=0.4, sides="one-sided", method="exact").power
    assert value == pytest.approx(0.839356985, abs=5e-10)
    assert value == pytest.approx(0.839343, abs=2e-5)
    assert power_mcnemar(-0.24, 50, discordant=0.4, sides="one-sided", method="exact").power == pytest.approx(value)


def test_mcnemar_normal_matches_connor():
    # Connor (1987), as worked at powerandsamplesize.com: p01 = 0.45, p10 = 0.05, power 0.8, two-sided: n = 23.
    assert needed_n(power_mcnemar, 0.4, discordant=0.5, method="normal").n == 23


# R documentation of power.prop.test: n = 50, .50 and .75 give power 0.7401659; power .90 takes n = 76.7 (76.65294).
def test_two_shares_match_r():
    assert power_two_shares(0.25, 50, base=0.5, method="pooled").power == pytest.approx(0.7401659, abs=5e-8)
    assert needed_n(power_two_shares, 0.25, power=0.9, base=0.5, method="pooled").n == 77


def test_two_shares_unpooled_match_statpsych():
    # statpsych (R): power.prop2(.05, 60, 40, .5, .5, .2) = 0.4999, with both variances 1/4; here 0.4 and 0.6 have 0.24.
    spread = sqrt(0.24 / 60 + 0.24 / 90)
    expected = stats.norm.sf(1.959964 - 0.2 / spread) + stats.norm.cdf(-1.959964 - 0.2 / spread)
    assert power_two_shares(0.2, 60, base=0.4, ratio=1.5, method="unpooled").power == pytest.approx(expected)


def test_arcsine_matches_cohen_and_statsmodels():
    # Cohen (1988), exercise 6.1: h = 0.3, 80 in each group, one-sided: 0.60 (pwr.2p.test: 0.5996777).
    difference = sin(asin(sqrt(0.5)) + 0.15) ** 2 - 0.5
    options = {"base": 0.5, "sides": "one-sided", "method": "arcsine"}
    assert power_two_shares(difference, 80, **options).power == pytest.approx(0.5996777, abs=5e-8)
    other = NormalIndPower().power(2 * (asin(sqrt(0.7)) - asin(sqrt(0.5))), 40, 0.05, ratio=1.5)
    assert power_two_shares(0.2, 40, base=0.5, ratio=1.5, method="arcsine").power == pytest.approx(other)


# Cohen (1988), exercises 7.1 and 7.8 as in the documentation of R's pwr.chisq.test: w = 0.289, df 3, N = 100:
# 0.6750777; w = 0.1, df 20, power 0.8: N = 2096.079.
def test_chi_square_matches_pwr_and_statsmodels():
    assert power_chi_square(0.289, 100, df=3).power == pytest.approx(0.6750777, abs=5e-8)
    assert needed_n(power_chi_square, 0.1, df=20).n == 2097
    other = GofChisquarePower().power(0.3, 84, 0.05, n_bins=5)
    assert power_chi_square(0.3, 84, df=4).power == pytest.approx(other)
    assert power_chi_square(0, 84, df=4).power == 0.05


# statpsych (R): power.mann(.05, 50, 50, .65) = 0.7383; size.test.mann(.05, .90, .3) = 44 per group.
def test_mann_whitney_matches_statpsych():
    assert round(power_mann_whitney(0.65, 50).power, 4) == 0.7383
    assert needed_n(power_mann_whitney, 0.3, power=0.9).n == 44


def test_signed_rank_by_noether():
    # Noether (1987), section 3: n = (z_α + z_β)²/(3(p − ½)²); p = 0.7, two-sided 0.05, power 0.8: 7.8489/0.12 = 65.4.
    assert needed_n(power_signed_rank, 0.7).n == 66


# pwr (R) vignette: pwr.r.test(r = .3, n = 50) two-sided 0.5715558, one-sided 0.6911395; power .8: n = 84.07364; r = .5:
# 28.24841; r = .1: 781.7516. statpsych: power.cor(.05, 80, .3, 0, 0) = 0.7752. G*Power 3.1 manual, chapter 3: 0.65
# against 0.60, power 0.95: N = 1929 by Fisher's z; 0.3 against 0.8 with N = 8: 0.422599.
def test_correlation_matches_pwr_statpsych_and_g_power():
    assert power_correlation(0.3, 50, method="t").power == pytest.approx(0.5715558, abs=5e-8)
    assert power_correlation(0.3, 50, sides="one-sided", method="t").power == pytest.approx(0.6911395, abs=5e-8)
    assert [needed_n(power_correlation, r, method="t").n for r in (0.5, 0.3, 0.1)] == [29, 85, 782]
    assert round(power_correlation(0.3, 80, method="fisher").power, 4) == 0.7752
    assert needed_n(power_correlation, 0.65, power=0.95, null=0.6, method="fisher").n == 1929
    assert power_correlation(0.3, 8, null=0.8, method="fisher").power == pytest.approx(0.422599, abs=5e-7)


# statpsych (R): size.test.cronbach(.05, .85, .80, 5, .7) = 139; size.ci.cronbach(.05, .75, 5, .15) = 109.
def test_alpha_matches_statpsych():
    assert needed_n(power_alpha, 0.8, power=0.85, items=5, null=0.7).n == 139
    assert needed_n_for_alpha(0.75, 0.15, items=5) == 109


def test_precision_matches_statpsych_and_krejcie_and_morgan():
    # statpsych: size.ci.prop(.05, .5, .1) = 385. Krejcie and Morgan (1970), table 1 (rounded, not up): population 10 →
    # 10, 100 → 80, 1000 → 278, 1500 → 306, 10000 → 370.
    assert needed_n_for_share(0.05) == 385
    found = {size: needed_n_for_share(0.05, population=size) for size in (10, 100, 1000, 1500, 10000)}
    assert found == {10: 10, 100: 80, 1000: 278, 1500: 306, 10000: 370}
    assert compute_needed_n(5) == 381  # Wilson's interval takes z² fewer


# PASS manual, chapters 460 and 519, as repeated in the tests of R's TOSTER: difference −4, margin 19.2, sd 18.
@pytest.mark.parametrize(("n", "power"), [(8, 0.28871), (15, 0.69339), (30, 0.94326), (50, 0.99458)])
def test_tost_of_means_matches_pass(n, power):
    assert round(power_tost_means(19.2, n, difference=-4, sd=18, design="independent").power, 5) == power


def test_tost_of_means_matches_pass_paired_and_sizes():
    assert round(power_tost_means(19.2, 15, difference=-4, sd=25.4558, design="paired").power, 5) == 0.66629
    options = {"sd": 8, "design": "independent", "difference": -2}
    # PASS, example 4: margin 5, power 0.8.
    assert needed_n(power_tost_means, 5, **options).n == 89


# PowerTOST (R): power.TOST(CV = 0.25, n = 24) = 0.7391155, n = 22: 0.6953401; sampleN.TOST(CV = 0.20): 20, 0.834680.
@pytest.mark.parametrize(
    ("variation", "n", "power"), [(0.25, 24, 0.7391155), (0.25, 22, 0.6953401), (0.2, 20, 0.83468)]
)
def test_tost_matches_powertost(variation, n, power):
    sd = sqrt(np.log(1 + variation**2))
    assert tost_power(np.log(1.25), np.log(0.95), sd * sqrt(2 / n), n - 2, 0.05) == pytest.approx(power, abs=5e-7)


def test_tost_of_shares_and_correlation_match_statpsych():
    # statpsych: size.equiv.prop2(.1, .9, .8, .8, .075) = 488 a group.
    assert needed_n(power_tost_shares, 0.075, power=0.9, base=0.8, level=0.1).n == 488
    # For a true correlation of 0: n = (z_α + z_(1+power)/2)²/atanh(margin)² + 3.
    size = (stats.norm.isf(0.05) + stats.norm.ppf(0.95)) ** 2 / atanh(0.3) ** 2 + 3
    assert needed_n(power_tost_correlation, 0.3, power=0.9).n == int(np.ceil(size))
    # Paired shares: the same formula with the variance of the difference.
    size = 0.2 * (stats.norm.isf(0.05) + stats.norm.ppf(0.9)) ** 2 / 0.1**2
    assert needed_n(power_tost_paired_shares, 0.1, discordant=0.2).n == int(np.ceil(size))


def test_exact_share_by_enumeration():
    n, null, share = 30, 0.5, 0.7
    rejected = [stats.binomtest(k, n, null, alternative="greater").pvalue <= 0.025
                or stats.binomtest(k, n, null, alternative="less").pvalue <= 0.025 for k in range(n + 1)]  # fmt: skip
    expected = stats.binom.pmf(np.arange(n + 1), n, share)[rejected].sum()
    assert power_share(0.2, n, null=null, method="exact").power == pytest.approx(expected)
    close = power_share(0.2, 300, null=null, method="normal").power
    assert close == pytest.approx(power_share(0.2, 300, null=null, method="exact").power, abs=0.01)


def test_simulated_rejections_agree():
    rng, studies = np.random.default_rng(84), 4000
    first, second = rng.normal(size=(studies, 42)), rng.normal(0.6, 1, size=(studies, 42))
    superiority = stats.norm.cdf(0.6 / sqrt(2))
    rejected = np.mean(stats.mannwhitneyu(second, first, axis=1, method="asymptotic").pvalue < 0.05)
    assert power_mann_whitney(superiority, 42).power == pytest.approx(rejected, abs=0.03)
    shift = (second - 0.6).mean(axis=1) - first.mean(axis=1)
    error = np.sqrt((first.var(axis=1, ddof=1) + second.var(axis=1, ddof=1)) / 42)
    inside = np.abs(shift) + stats.t.isf(0.05, 82) * error < 0.6
    expected = power_tost_means(0.6, 42, sd=1, design="independent").power
    assert inside.mean() == pytest.approx(expected, abs=0.025)  # three simulation errors


DESIGNS = [
    (power_share, 0.1, {"null": 0.5, "method": "normal"}, (1e-6, 0.49)),
    (power_two_shares, 0.2, {"base": 0.4, "method": "pooled"}, (1e-6, 0.59)),
    (power_two_shares, 0.2, {"base": 0.4, "method": "arcsine"}, (1e-6, 0.59)),
    (power_chi_square, 0.3, {"df": 4}, (0, 2)),
    (power_mann_whitney, 0.65, {}, (0.5, 0.999)),
    (power_signed_rank, 0.65, {}, (0.5, 0.999)),
    (power_correlation, 0.3, {"method": "fisher"}, (0, 0.99)),
    (power_alpha, 0.8, {"items": 5, "null": 0.7}, (0.7, 0.99)),
    (power_mcnemar, 0.15, {"discordant": 0.3, "method": "normal"}, (1e-6, 0.299)),
    (power_tost_means, 0.5, {"sd": 1, "design": "paired"}, (1e-3, 5)),
    (power_tost_shares, 0.2, {"base": 0.4}, (1e-3, 0.9)),
    (power_tost_paired_shares, 0.2, {"discordant": 0.3}, (1e-3, 0.9)),
    (power_tost_correlation, 0.3, {}, (1e-3, 0.99)),
]


@pytest.mark.parametrize(("function", "effect", "options", "between"), DESIGNS)
def test_the_three_questions_answer_each_other(function, effect, options, between):
    found = needed_n(function, effect, **options)
    assert found.power >= 0.8 > function(effect, found.n - 1, **options).power
    back = detectable_effect(function, found.n, between=between, **options)
    assert abs(back.effect - between[0]) <= abs(effect - between[0]) + 1e-9
    assert function(back.effect, found.n, **options).power == pytest.approx(0.8, abs=1e-6)
    assert (found.level, found.effect) == (0.05, effect)


def test_exact_search_gives_the_first_n():
    found = needed_n(power_share, 0.2, null=0.5, method="exact")
    below = [power_share(0.2, n, null=0.5, method="exact").power for n in range(4, found.n)]
    assert max(below) < 0.8 <= found.power


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 0.9), st.integers(10, 300), st.sampled_from(["fisher", "t"]))
def test_power_grows_with_effect_and_n(correlation, n, method):
    one = power_correlation(correlation, n, method=method).power
    assert 0.05 - 1e-6 <= one <= 1
    assert power_correlation(correlation, n + 10, method=method).power >= one - 1e-12
    assert power_correlation(correlation + 0.05, n, method=method).power >= one - 1e-12
    assert power_correlation(-correlation, n, method=method).power == pytest.approx(one)
    assert power_correlation(correlation, n, method=method, sides="one-sided").power >= one - 1e-3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: power_share(0.6, 20, null=0.5, method="exact"), "null + difference"),
        (lambda: power_share(0.1, 0, null=0.5, method="exact"), "1 or more"),
        (lambda: power_share(0.1, 20, null=0.5, method="t"), "exact, normal"),
        (lambda: power_two_shares(0.1, 20, base=0.5, method="pooled", sides="both"), "two-sided, one-sided"),
        (lambda: power_two_shares(0.1, 20, base=0.5, method="pooled", level=5), "level"),
        (lambda: power_chi_square(0.1, 20, df=0), "df from 1 on"),
        (lambda: power_mann_whitney(1.2, 20), "superiority"),
        (lambda: power_correlation(1.0, 20, method="t"), "correlation"),
        (lambda: power_correlation(0.5, 20, null=0.2, method="t"), "one of: fisher"),
        (lambda: power_alpha(0.8, 20, items=1, null=0.5), "two or more"),
        (lambda: power_mcnemar(0.5, 20, discordant=0.4, method="exact"), "share of one way"),
        (lambda: power_tost_means(0, 20, sd=1, design="paired"), "margin"),
        (lambda: power_tost_means(1, 20, sd=1, design="crossed"), "independent, paired"),
        (lambda: needed_n(power_correlation, 0.3, power=80, method="t"), "such as 0.8"),
        (lambda: needed_n(power_mann_whitney, 0.5), "further from the null"),
        (lambda: detectable_effect(power_correlation, 10, between=(0, 0.2), method="t"), "power runs from"),
        (lambda: needed_n_for_share(0), "margin"),
        (lambda: needed_n_for_alpha(0.8, 0.1, items=1), "two or more"),
    ],
)
def test_wrong_input_is_refused(wrong, said):
    with pytest.raises(InputError) as error:
        wrong()
    assert said in str(error.value)
