"""Segmented regression against published output and other implementations; coverage in autocorrelated series."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.hac import choose_lags, hac_covariance, simulate_t_ratios
from analysis.stats.interrupted import segmented_counts, segmented_regression

# Green E, Global health research: design and methods, as analysed in G. Jiang, R book of quasi-experiments, chapter 8
# (https://gabriellajg.github.io/R_Book_QuasiExperiments/interupted-time-series-its-1.html): 24 months, 12 before, with
# the output of R's lm printed there. Their step is taken one month before ours, so that our level is post + monthpost.
GREEN = [50, 60, 45, 47, 50, 55, 53, 51, 48, 50, 47, 48, 55, 60, 63, 67, 65, 69, 72, 68, 74, 71, 76, 70]

# Lopez Bernal, Cummins, Gasparrini (2017), Int. J. Epidemiol. 46, 348–355, with its data and R code published at
# github.com/gasparrini/2017_lopezbernal_IJE_codedata (sicily.csv): acute coronary events a month in Sicily from
# January 2002 to November 2006, and the standardised population; smoking was banned in public places from month 37 on.
SICILY = [
    *(728, 659, 791, 734, 757, 726, 760, 740, 720, 814, 795, 858),
    *(887, 766, 851, 769, 781, 756, 766, 752, 765, 831, 879, 928),
    *(914, 808, 937, 840, 916, 828, 845, 818, 860, 839, 887, 886),
    *(831, 796, 833, 820, 877, 758, 767, 738, 781, 843, 850, 908),
    *(1021, 859, 976, 888, 962, 838, 810, 876, 843, 936, 912),
]
POPULATION = [
    *(379875.3, 376495.5, 377040.8, 377116.4, 377383.4, 374113.1, 379513.3, 376295.5, 374653.2, 378485.6, 375955.5),
    *(378349.7, 376762.4, 379032.3, 379360.4, 376162, 377972.4, 381830.7, 379888.6, 380872.2, 380966.9, 381240.4),
    *(382104.9, 381802.7, 381656.3, 383680, 383504.2, 386462.9, 383783.1, 380836.8, 383483, 380906.2, 382926.8),
    *(384052.4, 384449.6, 383428.4, 388153.2, 388373.2, 386470.1, 386033.2, 383686.4, 385509.3, 385901.9, 386516.6),
    *(388436.5, 383255.2, 390148.7, 385874.9, 391613.6, 391750.4, 394005.6, 391364.9, 391664.6, 389022.3, 391878.5),
    *(388575.3, 392989, 390018.8, 390712.3),
]


def test_published_output_of_a_segmented_regression():
    fit = segmented_regression(GREEN, 12, errors="independent", reference="t")
    effects, p_values = fit.effects, fit.p_values
    t = stats.t.ppf(0.975, 20)
    assert effects["slope_before"].value == pytest.approx(-0.3427, abs=5e-5)
    assert effects["slope_change"].value == pytest.approx(1.7832, abs=5e-5)
    assert effects["level_change"].value == pytest.approx(9.6876 + 1.7832, abs=1e-4)
    assert (effects["slope_before"].high - effects["slope_before"].value) / t == pytest.approx(0.3050, abs=5e-5)
    assert (effects["slope_change"].high - effects["slope_change"].value) / t == pytest.approx(0.4314, abs=5e-5)
    assert p_values["slope_before"] == pytest.approx(0.274605, abs=5e-7)
    assert p_values["slope_change"] == pytest.approx(0.000515, abs=5e-7)
    # residual standard error 3.648 on 20 degrees of freedom
    assert np.sqrt((fit.residuals**2).sum() / 20) == pytest.approx(3.648, abs=5e-4)
    # in the last month, eleven after the first: level + 11·slope
    assert effects["end_change"].value == pytest.approx(11.4709 + 11 * 1.7832, abs=1e-3)
    assert fit.fitted[-1] - fit.counterfactual[-1] == pytest.approx(effects["end_change"].value)


def test_the_tutorial_on_the_sicilian_smoking_ban():
    # Its first model, glm(aces ~ offset(log(stdpop)) + smokban + time, poisson): "average decrease of 11%";
    # ci.lin gives 0.894 (0.864 to 0.925), and as quasi-Poisson 0.894 (0.839 to 0.953), dispersion 3.56.
    fit = segmented_counts(
        SICILY, 36, exposures=POPULATION, slope_change=False, errors="independent", reference="normal"
    )
    level = fit.effects["level_change"]
    assert level.value == pytest.approx(0.894, abs=5e-4)
    assert (level.low, level.high) == pytest.approx((0.839, 0.953), abs=5e-4)
    assert fit.dispersion == pytest.approx(3.559, abs=5e-4)
    poisson = np.exp(np.log(level.value) + np.array([-1, 1]) * np.log(level.high / level.value) / fit.dispersion**0.5)
    assert poisson == pytest.approx([0.865, 0.925], abs=5e-4)
    # what its Figure of residuals shows: a season is left in them
    assert fit.ljung_box_p < 0.001
    # Its third model takes two pairs of harmonics out: 0.885 (0.839 to 0.933)
    month = np.arange(59) % 12 + 1
    season = np.column_stack([f(2 * np.pi * k * month / 12) for f in (np.sin, np.cos) for k in (1, 2)])
    adjusted = segmented_counts(
        SICILY,
        36,
        exposures=POPULATION,
        slope_change=False,
        covariates=season,
        errors="independent",
        reference="normal",
    )
    level = adjusted.effects["level_change"]
    assert (level.value, level.low, level.high) == pytest.approx((0.885, 0.839, 0.933), abs=6e-4)


def test_newey_west_equals_statsmodels():
    design = np.column_stack([np.ones(24), np.arange(24), np.arange(24) >= 12]).astype(float)
    fit = sm.OLS(GREEN, design).fit(cov_type="HAC", cov_kwds={"maxlags": 4, "use_correction": True})
    found = hac_covariance(design, np.asarray(fit.resid), 4)
    assert found == pytest.approx(fit.cov_params(), rel=1e-9)


def test_poisson_errors_equal_statsmodels():
    design = np.column_stack([np.ones(59), np.arange(59) - 36, np.arange(59) >= 36]).astype(float)
    model = sm.GLM(SICILY, design, family=sm.families.Poisson(), offset=np.log(POPULATION))
    fit = model.fit(cov_type="HAC", cov_kwds={"maxlags": 6, "use_correction": True})
    ours = segmented_counts(SICILY, 36, exposures=POPULATION, slope_change=False, lags=6, reference="normal")
    level = ours.effects["level_change"]
    assert np.log(level.high / level.value) / stats.norm.ppf(0.975) == pytest.approx(fit.bse[2], rel=1e-6)


def test_a_missing_period_keeps_the_distance_of_the_others():
    rng = np.random.default_rng(1)
    design = np.column_stack([np.ones(9), np.arange(9.0)])
    residuals = rng.normal(size=9)
    residuals[4] = np.nan
    rows = design * np.isfinite(residuals)[:, None]
    scores = rows * np.nan_to_num(residuals)[:, None]
    # lag 1 has no product across the gap
    middle = scores.T @ scores
    for place in range(8):
        if 4 not in (place, place + 1):
            pair = np.outer(scores[place + 1], scores[place])
            middle += 0.5 * (pair + pair.T)
    bread = np.linalg.inv(rows.T @ rows)
    assert hac_covariance(design, residuals, 1) == pytest.approx(bread @ middle @ bread * 8 / 6)


def test_simulated_quantiles_without_lags_and_many_periods_are_normal():
    n = 400
    design = np.column_stack([np.ones(n), np.arange(n) - 200.0, np.arange(n) >= 200]).astype(float)
    ratios = simulate_t_ratios(design, np.eye(3)[[2]], 0, np.random.default_rng(2), 4000)
    assert np.quantile(ratios, 0.95) == pytest.approx(1.96, abs=0.08)


def _ar1(rng: np.random.Generator, n: int, rho: float) -> np.ndarray:
    errors = rng.normal(size=n + 100)
    series = np.zeros(n + 100)
    for place in range(1, n + 100):
        series[place] = rho * series[place - 1] + errors[place]
    return series[100:]


@pytest.mark.parametrize(("rho", "least"), [(0.0, 0.92), (0.5, 0.86)])
def test_coverage_under_autocorrelation(rho, least):
    # Table in analysis.stats.hac: 0.95 and 0.92 at 60 periods; 300 series have a standard error of 0.015.
    n, rng = 60, np.random.default_rng(20261121)
    lags = choose_lags(n)
    time = np.arange(n) - 30.0
    design = np.column_stack([np.ones(n), time, time >= 0, time * (time >= 0)])
    contrast = np.eye(4)[2]
    limit = np.quantile(simulate_t_ratios(design, contrast[None], lags, np.random.default_rng(1)), 0.95)
    bread = np.linalg.pinv(design)
    fixed = normal = 0
    for _ in range(300):
        series = _ar1(rng, n, rho)
        coefficients = bread @ series
        error = np.sqrt(hac_covariance(design, series - design @ coefficients, lags)[2, 2])
        fixed += abs(coefficients[2]) <= limit * error
        normal += abs(coefficients[2]) <= 1.96 * error
    assert fixed / 300 >= least
    assert normal / 300 <= fixed / 300 - 0.1


def test_known_changes_are_found():
    rng = np.random.default_rng(7)
    time = np.arange(80) - 40
    series = 100 + 0.5 * time - 12 * (time >= 0) + 0.8 * time * (time >= 0) + rng.normal(size=80)
    fit = segmented_regression(series, 40, unit="h")
    assert fit.effects["level_change"].low < -12 < fit.effects["level_change"].high < 0
    assert fit.effects["slope_change"].value == pytest.approx(0.8, abs=0.05)
    assert fit.p_values["level_change"] < 0.01
    assert (fit.effects["level_change"].unit, fit.effects["slope_change"].unit) == ("h", "h per period")
    assert (fit.n_before, fit.n_after, fit.lags) == (40, 40, choose_lags(80))


def test_counts_under_a_negative_binomial():
    rng = np.random.default_rng(11)
    mean = np.where(np.arange(100) >= 50, 10.0, 20.0)
    counts = rng.negative_binomial(4, 4 / (4 + mean))
    fit = segmented_counts(counts, 50, family="negative binomial", slope_change=False)
    level = fit.effects["level_change"]
    assert "negative binomial" in level.method and level.low < 0.5 < level.high < 1
    assert fit.dispersion == pytest.approx(1.0, abs=0.35)
    even = segmented_counts([5, 4, 5, 6, 5, 5, 4, 5, 6, 5], 5, family="negative binomial", slope_change=False)
    assert "Poisson" in even.effects["level_change"].method and "Poisson instead" in even.note


def test_missing_periods_are_counted():
    values = [float(value) for value in GREEN]
    values[3] = values[20] = np.nan
    fit = segmented_regression(values, 12)
    assert (fit.n_before, fit.n_after, fit.missing) == (11, 11, 2)
    assert np.isnan(fit.residuals[3]) and np.isfinite(fit.fitted[3])


def test_lines_without_scatter_have_no_interval():
    fit = segmented_regression([1.0, 2, 3, 4, 10, 11, 12, 13], 4)
    level = fit.effects["level_change"]
    assert level.value == pytest.approx(5) and level.low is None and "no scatter" in level.method
    assert np.isnan(fit.p_values["level_change"]) and np.isnan(fit.durbin_watson)


@pytest.mark.parametrize(
    ("values", "first", "options", "words"),
    [
        (GREEN, 2, {}, "2 with a value"),
        (GREEN, 30, {}, "0 with a value"),
        (GREEN[:6], 3, {"covariates": np.arange(12.0).reshape(6, 2) ** 2}, "for 6 terms"),
        (GREEN, 12, {"reference": "z"}, "got 'z'"),
        (GREEN, 12, {"errors": "hc3"}, "got 'hc3'"),
        (GREEN, 12, {"lags": 24}, "got 24 for 24"),
        (GREEN, 12, {"confidence": 95}, "got 95"),
        (GREEN, 12, {"covariates": np.ones((3, 1))}, "shapes"),
        (GREEN, 12, {"covariates": np.ones((24, 1))}, "follow from the other terms"),
    ],
)
def test_what_cannot_be_analysed_is_refused(values, first, options, words):
    with pytest.raises(InputError, match=words):
        segmented_regression(values, first, **options)


def test_counts_that_are_none_are_refused_with_every_fault():
    with pytest.raises(InputError) as error:
        segmented_counts([1, 2.5, 3, 0, 0, 0], 3, family="gamma", exposures=[0.0] * 6)
    assert [problem.where for problem in error.value.problems] == ["family", "counts", "exposures", "periods after"]
