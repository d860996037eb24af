"""Ordinal and multinomial regression and the proportional-odds tests, against published fits and statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

from analysis.base.errors import InputError
from analysis.stats.cumulative import separating_predictors
from analysis.stats.proportional_odds import brant_test, parallel_likelihood_ratio_test
from analysis.stats.regression import fit_multinomial, fit_ordinal


def rows_of(table: dict, names: list[str], answers: list) -> tuple[list, pd.DataFrame]:
    """Answers and predictors from counts: predictor values → count of each answer."""
    keys = [(key, answer) for key, counts in table.items() for answer, n in zip(answers, counts, strict=True)
            for _ in range(n)]  # fmt: skip
    return [answer for _, answer in keys], pd.DataFrame([key for key, _ in keys], columns=names, dtype=float)


# McCullagh and Nelder (1989), page 175: four cheeses tasted by 52 panellists each, nine answers.
CHEESE = rows_of(
    {
        (1, 0, 0): [0, 0, 1, 7, 8, 8, 19, 8, 1],
        (0, 1, 0): [6, 9, 12, 11, 7, 6, 1, 0, 0],
        (0, 0, 1): [1, 1, 6, 8, 23, 7, 5, 1, 0],
        (0, 0, 0): [0, 0, 0, 1, 3, 7, 14, 16, 11],
    },
    ["A", "B", "C"],
    list(range(1, 10)),
)

# Ashford (1959) in McCullagh and Nelder (1989), page 179: pneumoconiosis of 371 miners by years at the coal face.
YEARS = [5.8, 15.0, 21.5, 27.5, 33.5, 39.5, 46.0, 51.5]
MINERS = rows_of(
    {
        (float(np.log(years)),): counts
        for years, counts in zip(
            YEARS,
            [[98, 0, 0], [51, 2, 1], [34, 6, 3], [35, 5, 8], [32, 10, 9], [23, 7, 8], [12, 6, 10], [4, 2, 5]],
            strict=True,
        )
    },
    ["log_years"],
    ["normal", "mild", "severe"],
)
SEVERITY = ["normal", "mild", "severe"]

# Randall (1989), the data set wine of R's ordinal: bitterness of 72 tastings by temperature and contact with the skins.
WINE = rows_of(
    {(0, 0): [4, 9, 5, 0, 0], (0, 1): [1, 7, 8, 2, 0], (1, 0): [0, 5, 8, 3, 2], (1, 1): [0, 1, 5, 7, 5]},
    ["warm", "contact"],
    [1, 2, 3, 4, 5],
)

# Agresti (2007), An introduction to categorical data analysis, 2nd ed., table 6.2: belief in an afterlife.
BELIEF = rows_of(
    {(1, 1): [371, 49, 74], (0, 1): [250, 45, 71], (1, 0): [64, 9, 15], (0, 0): [25, 5, 13]},
    ["female", "white"],
    ["yes", "undecided", "no"],
)


def test_cheese_matches_sas():
    # SAS/STAT, PROC LOGISTIC, example "Ordinal logistic regression": 1.6128, 4.9645, 3.3227 for the chance of *lower*
    # answers, intercepts −7.0801 to 1.4929. Standard errors of R's polr (observed information): 0.3805 0.4767 0.4218.
    fit = fit_ordinal(*CHEESE, link="logit")
    assert [round(-c.estimate.value, 4) for c in fit.coefficients] == pytest.approx([1.6128, 4.9645, 3.3227], abs=1e-4)
    assert [round(c.std_error, 4) for c in fit.coefficients] == [0.3805, 0.4767, 0.4218]
    assert [c.estimate.value for c in fit.thresholds] == pytest.approx(
        [-7.0801, -6.0249, -4.9254, -3.8568, -2.5205, -1.5685, -0.0669, 1.4929], abs=1e-4
    )
    assert (fit.n, fit.df, fit.left_out) == (208, 3, 0)


def test_miners_match_vgam():
    # VGAM (R), documentation of pneumo and cumulative: intercepts 9.676093, 10.581725, slope 2.596807; McCullagh and
    # Nelder give a deviance of 5.03 on 13 degrees of freedom against the saturated table.
    fit = fit_ordinal(*MINERS, link="logit", categories=SEVERITY)
    assert [c.estimate.value for c in (*fit.thresholds, *fit.coefficients)] == pytest.approx(
        [9.676093, 10.581725, 2.596807], abs=2e-6
    )
    counts = pd.crosstab(MINERS[1]["log_years"], pd.Series(MINERS[0])).to_numpy()
    shares = counts / counts.sum(axis=1, keepdims=True)
    saturated = (counts * np.log(np.where(counts > 0, shares, 1))).sum()
    assert round(2 * (saturated - fit.log_likelihood), 2) == 5.03


def test_housing_matches_mass():
    """R MASS 7.3, help page of polr: house.plr <- polr(Sat ~ Infl + Type + Cont, weights = Freq, data = housing)."""
    # Frequencies of data set housing: satisfaction within influence within type within contact.
    counts = np.array([
        21, 21, 28, 34, 22, 36, 10, 11, 36, 61, 23, 17, 43, 35, 40, 26, 18, 54, 13, 9, 10, 8, 8, 12, 6, 7, 9,
        18, 6, 7, 15, 13, 13, 7, 5, 11, 14, 19, 37, 17, 23, 40, 3, 5, 23, 78, 46, 43, 48, 45, 86, 15, 25, 62,
        20, 23, 20, 10, 22, 24, 7, 10, 21, 57, 23, 13, 31, 21, 13, 5, 6, 13,
    ])  # fmt: skip
    contact, kind, influence, satisfied = np.repeat(np.indices((2, 4, 3, 3)).reshape(4, -1), counts, axis=1)
    predictors = pd.DataFrame(
        {"medium": influence == 1, "high": influence == 2, "apartment": kind == 1, "atrium": kind == 2,
         "terrace": kind == 3, "contact": contact == 1}, dtype=float,
    )  # fmt: skip
    fit = fit_ordinal(satisfied, predictors, link="logit", categories=[0, 1, 2])
    printed = [c.estimate.value for c in (*fit.coefficients, *fit.thresholds)]
    assert printed == pytest.approx([0.5664, 1.2888, -0.5724, -0.3662, -1.0910, 0.3603, -0.4961, 0.6907], abs=5.1e-5)
    errors = [c.std_error for c in (*fit.coefficients, *fit.thresholds)]
    wanted = [0.10465, 0.12716, 0.11924, 0.15517, 0.15149, 0.09554, 0.1248, 0.1255]
    assert errors == pytest.approx(wanted, abs=5.1e-5)
    assert (-2 * fit.log_likelihood, fit.aic) == pytest.approx((3479.149, 3495.149), abs=5e-4)


def test_wine_matches_ordinal():
    # ordinal (R), vignette of clm: tempwarm 2.5031 (0.5287), contactyes 1.5278 (0.4766), thresholds −1.3444 (0.5171),
    # 1.2508 (0.4379), 3.4669 (0.5978), 5.0064 (0.7309), log-likelihood −86.49, AIC 184.98.
    fit = fit_ordinal(*WINE, link="logit")
    found = [(round(c.estimate.value, 4), round(c.std_error, 4)) for c in (*fit.coefficients, *fit.thresholds)]
    assert found == [
        (2.5031, 0.5287),
        (1.5278, 0.4766),
        (-1.3444, 0.5171),
        (1.2508, 0.4379),
        (3.4669, 0.5978),
        (5.0064, 0.7309),
    ]
    assert (round(fit.log_likelihood, 2), round(fit.aic, 2)) == (-86.49, 184.98)
    warm = fit.coefficients[0]
    assert warm.odds_ratio.value == pytest.approx(np.exp(2.5031), rel=1e-4)
    assert warm.odds_ratio.low == pytest.approx(np.exp(warm.estimate.value - 1.959964 * warm.std_error))
    assert warm.p_value == pytest.approx(2 * stats.norm.sf(warm.statistic))
    assert warm.estimate.function == "analysis.stats.regression.fit_ordinal"


@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("data", [CHEESE, WINE])
def test_ordinal_fits_agree_with_statsmodels(link, data):
    fit = fit_ordinal(*data, link=link)
    model = OrderedModel(np.array(data[0]), data[1].to_numpy(), distr=link)
    other = model.fit(method="bfgs", disp=False, maxiter=1000, gtol=1e-8)
    k = data[1].shape[1]
    assert [c.estimate.value for c in fit.coefficients] == pytest.approx(other.params[:k].tolist(), abs=1e-5)
    assert [c.std_error for c in fit.coefficients] == pytest.approx(other.bse[:k].tolist(), rel=1e-4)
    assert [c.estimate.value for c in fit.thresholds] == pytest.approx(
        model.transform_threshold_params(other.params)[1:-1].tolist(), abs=1e-4
    )
    assert fit.log_likelihood == pytest.approx(other.llf)
    assert fit.null_log_likelihood == pytest.approx(other.llnull)
    assert all((c.odds_ratio is None) == (link == "probit") for c in fit.coefficients)


def test_two_categories_are_a_binary_logit():
    # One binary predictor: the odds ratio of the two-by-two table, standard error from the reciprocals of its counts.
    answers, predictors = rows_of({(0,): [30, 10], (1,): [15, 25]}, ["x"], [0, 1])
    fit = fit_ordinal(answers, predictors, link="logit")
    assert fit.coefficients[0].odds_ratio.value == pytest.approx(30 * 25 / (10 * 15))
    assert fit.coefficients[0].std_error == pytest.approx(np.sqrt(1 / 30 + 1 / 10 + 1 / 15 + 1 / 25))


def test_belief_matches_agresti():
    # Agresti (2007), table 6.3, each answer against no: yes 0.883 (0.243), 0.419 (0.171), 0.342 (0.237); undecided
    # −0.758 (0.361), 0.105 (0.246), 0.271 (0.354).
    fit = fit_multinomial(*BELIEF, base="no")
    found = {(c.outcome, c.name): (c.estimate.value, c.std_error) for c in fit.coefficients}
    published = {
        ("yes", "intercept"): (0.883, 0.243),
        ("yes", "female"): (0.419, 0.171),
        ("yes", "white"): (0.342, 0.237),
        ("undecided", "intercept"): (-0.758, 0.361),
        ("undecided", "female"): (0.105, 0.246),
        ("undecided", "white"): (0.271, 0.354),
    }
    assert found.keys() == published.keys()
    for key, (value, error) in published.items():
        assert found[key] == pytest.approx((value, error), abs=6e-4)
    female = next(c for c in fit.coefficients if (c.outcome, c.name) == ("yes", "female"))
    assert female.odds_ratio.value == pytest.approx(1.52, abs=0.005)  # Agresti, section 6.1.2
    assert (fit.base, fit.df, fit.n) == ("no", 4, 991)


def test_multinomial_of_a_cross_table_has_a_closed_form():
    answers, predictors = rows_of({(0,): [20, 12, 8], (1,): [10, 18, 22]}, ["x"], ["a", "b", "c"])
    fit = fit_multinomial(answers, predictors, base="a")
    slopes = {c.outcome: c for c in fit.coefficients if c.name == "x"}
    assert slopes["b"].odds_ratio.value == pytest.approx(18 * 20 / (10 * 12))
    assert slopes["c"].std_error == pytest.approx(np.sqrt(1 / 22 + 1 / 10 + 1 / 8 + 1 / 20))


def test_unconstrained_model_is_the_best_that_can_be_found():
    """The likelihood-ratio statistic against a direct search for the unconstrained maximum."""
    test = parallel_likelihood_ratio_test(*MINERS, link="logit", categories=SEVERITY)
    x, y = MINERS[1]["log_years"].to_numpy(), np.array([SEVERITY.index(a) for a in MINERS[0]])

    def loss(theta):
        one, two = (1 / (1 + np.exp(-(theta[j] - theta[2 + j] * x))) for j in (0, 1))
        chance = np.choose(y, [one, two - one, 1 - two])
        return -np.log(np.maximum(chance, 1e-300)).sum()

    best = optimize.minimize(loss, [9.7, 10.6, 2.6, 2.6], method="Nelder-Mead",
                             options={"xatol": 1e-9, "fatol": 1e-10, "maxiter": 5000, "maxfev": 5000})  # fmt: skip
    constrained = fit_ordinal(*MINERS, link="logit", categories=SEVERITY).log_likelihood
    assert test.statistic == pytest.approx(2 * (-best.fun - constrained), abs=1e-5)
    assert test.df == 1
    assert test.p_value == pytest.approx(stats.chi2.sf(test.statistic, 1))


def test_brant_of_a_cross_table_has_a_closed_form():
    """Two groups, three answers: log odds ratios at both thresholds, covariance by the delta method by hand."""
    table = np.array([[20, 12, 8], [10, 18, 22]])
    answers, predictors = rows_of({(g,): table[g].tolist() for g in (0, 1)}, ["x"], [1, 2, 3])
    n = table.sum(axis=1)
    first, second = (table[:, 1:].sum(axis=1) / n, table[:, 2] / n)
    slopes = [np.diff(np.log(p / (1 - p)))[0] for p in (first, second)]
    variance = [(1 / (n * p * (1 - p))).sum() for p in (first, second)]
    shared = (1 / (n * first * (1 - second))).sum()
    expected = (slopes[0] - slopes[1]) ** 2 / (sum(variance) - 2 * shared)
    test = brant_test(answers, predictors)
    assert test.statistic == pytest.approx(expected, rel=1e-6)
    assert test.by_predictor[0][1:] == (pytest.approx(expected, rel=1e-6), 1, pytest.approx(test.p_value))
    assert test.df == 1


def test_tests_of_parallel_lines_keep_their_level_and_find_a_breach():
    rng, rejected = np.random.default_rng(5), {"brant": 0, "ratio": 0}
    for _ in range(100):
        x = rng.normal(size=200)
        y = np.digitize(0.8 * x + rng.logistic(size=200), [-1, 1])
        frame = pd.DataFrame({"x": x})
        rejected["brant"] += brant_test(y, frame).p_value < 0.05
        rejected["ratio"] += parallel_likelihood_ratio_test(y, frame, link="logit").p_value < 0.05
    assert all(count <= 13 for count in rejected.values())  # 5 expected; more than 13 has probability 0.0005
    group = np.repeat([0, 1], 300)
    spread = np.where(group == 1, 4.0, 1.0)  # the second group answers at both ends
    y = np.digitize(spread * rng.logistic(size=600), [-1.5, 1.5])
    frame = pd.DataFrame({"group": group, "noise": rng.normal(size=600)})
    test = brant_test(y, frame)
    assert test.p_value < 1e-6
    assert {name: p < 0.01 for name, _, _, p in test.by_predictor} == {"group": True, "noise": False}
    assert parallel_likelihood_ratio_test(y, frame, link="probit").p_value < 1e-6


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_turning_scale_and_predictor_round(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=60)
    y = np.digitize(x + 2 * rng.logistic(size=60), [-1, 0.5])
    if len(set(y)) < 3:
        return
    frame = pd.DataFrame({"x": x, "z": rng.normal(size=60)})
    one = fit_ordinal(y, frame, link="logit")
    other = fit_ordinal(-y, -frame, link="logit")
    order = rng.permutation(60)
    shuffled = fit_ordinal(y[order], frame.iloc[order, ::-1], link="logit")
    for a, b, c in zip(one.coefficients, other.coefficients, shuffled.coefficients[::-1], strict=True):
        assert (a.estimate.value, a.std_error) == pytest.approx((b.estimate.value, b.std_error), rel=1e-6)
        assert (a.estimate.value, a.std_error) == pytest.approx((c.estimate.value, c.std_error), rel=1e-6)
    wide = fit_ordinal(y, frame * [100, 1], link="logit")
    assert wide.coefficients[0].estimate.value == pytest.approx(one.coefficients[0].estimate.value / 100)
    two = fit_ordinal(y + 1, frame, link="logit", categories=[0, 1, 2, 3, 4])
    assert two.empty == (0, 4)
    assert two.log_likelihood == pytest.approx(one.log_likelihood)


def test_wald_intervals_cover_at_84_respondents():
    rng, hits, surveys, truth = np.random.default_rng(84), 0, 400, 0.8
    for _ in range(surveys):
        x = rng.integers(0, 2, size=84)
        y = np.digitize(truth * x + rng.logistic(size=84), [-2, -1, 0.5, 2])
        low_high = fit_ordinal(y, pd.DataFrame({"x": x}), link="logit").coefficients[0].estimate
        hits += low_high.low <= truth <= low_high.high
    assert 0.92 < hits / surveys < 0.98  # 0.93 to 0.97 with a simulation error of 1.1 points


def test_missing_rows_are_counted():
    answers = pd.Series([1, 2, 3, 1, 2, 3, None, 1, 2, 3], dtype="Int64")
    frame = pd.DataFrame({"x": [1.0, 2, 3, 2, 1, 3, 2, 3, np.nan, 2]})
    with pytest.raises(InputError, match="2 respondents lack"):
        fit_ordinal(answers, frame, link="logit")
    fit = fit_ordinal(answers, frame, link="logit", missing="listwise")
    assert (fit.n, fit.left_out) == (8, 2)


def test_separation_is_found_before_fitting():
    x = np.array([[1.0, 0], [2, 1], [3, 0], [4, 1], [5, 1], [6, 0]])
    assert separating_predictors(np.array([0, 0, 1, 1, 2, 2]), x, parallel=True) == [0]
    assert separating_predictors(np.array([0, 1, 0, 1, 0, 1]), x[:, :1], parallel=True) == []
    # Quasi-separation: everybody with the property gave the highest answer.
    answers, predictors = rows_of({(0,): [10, 9, 8], (1,): [0, 0, 7]}, ["owner"], ["low", "middle", "high"])
    for fit in (
        lambda: fit_ordinal(answers, predictors, link="logit", categories=["low", "middle", "high"]),
        lambda: fit_multinomial(answers, predictors, base="low"),
    ):
        with pytest.raises(InputError, match="owner: separates categories"):
            fit()
    with pytest.raises(InputError, match=r"answers above and below 1\|2"):  # nobody found warm wine least bitter
        brant_test(*WINE)
    with pytest.raises(InputError, match="separation"):
        parallel_likelihood_ratio_test(*WINE, link="logit")


def test_crossing_lines_are_reported():
    # The middle answer is rare at 0 and common at 1; carried on to −2, where nobody gave it, its chance is negative.
    table = {(0.0,): [30, 1, 29], (1.0,): [5, 50, 5], (-2.0,): [1, 0, 1]}
    answers, predictors = rows_of(table, ["x"], [1, 2, 3])
    with pytest.raises(InputError, match="lines cross for 2 of"):
        parallel_likelihood_ratio_test(answers, predictors, link="logit")


GOOD = pd.DataFrame({"x": [1.0, 2, 3, 2, 1, 3, 2, 3, 1, 2]})
THREE = [1, 2, 3, 1, 2, 3, 2, 1, 2, 3]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: fit_ordinal(THREE, GOOD, link="cauchit"), "link"),
        (lambda: fit_ordinal(THREE, GOOD, 95, link="logit"), "confidence"),
        (lambda: fit_ordinal(THREE, GOOD, link="logit", missing="mean"), "missing"),
        (lambda: fit_ordinal(THREE[:9], GOOD, link="logit"), "9 answers, 10 rows"),
        (lambda: fit_ordinal(["a", "b"] * 5, GOOD, link="logit"), "answers in words"),
        (lambda: fit_ordinal(["a", "b"] * 5, GOOD, link="logit", categories=["a", "c"]), "answer 'b'"),
        (lambda: fit_ordinal([1] * 10, GOOD, link="logit"), "1 categories in use"),
        (lambda: fit_ordinal(THREE, GOOD.assign(y=1), link="logit"), "the same for all"),
        (lambda: fit_ordinal(THREE, GOOD.assign(y=2 * GOOD["x"] + 1), link="logit"), "collinear"),
        (lambda: fit_ordinal(THREE, GOOD.assign(y="a"), link="logit"), "not numbers"),
        (lambda: fit_ordinal(THREE, GOOD[[]], link="logit"), "one column a predictor"),
        (lambda: fit_ordinal([1, 2, 3], GOOD.head(3), link="logit"), "3 respondents for 3 parameters"),
        (lambda: fit_multinomial(THREE, GOOD, base=4), "got '4'"),
        (lambda: brant_test([1, 2] * 5, GOOD), "three or more"),
        (lambda: parallel_likelihood_ratio_test(THREE, GOOD, link="cauchit"), "link"),
    ],
)
def test_wrong_input_is_refused(wrong, said):
    with pytest.raises(InputError) as error:
        wrong()
    assert said in str(error.value)
