"""Alpha and omega against published values, closed forms and independent fits, with simulated coverage at n = 84."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from statsmodels.multivariate.factor import Factor

from analysis.base.errors import InputError
from analysis.stats.icc import compute_icc
from analysis.stats.one_factor import fit_one_factor, omega_of, omega_standard_error
from analysis.stats.reliability import (
    alpha_bounds,
    alpha_of,
    compute_alpha,
    compute_alpha_without_items,
    compute_omega,
)

# Shrout and Fleiss (1979), table 2: six targets, four judges. ICC(3,k) of a two-way table is alpha of its columns:
# 0.91 in the paper, 0.9093 with F interval 0.676 to 0.99 in the documentation of R's psych::ICC.
JUDGES = pd.DataFrame(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], columns=list("ABCD")
)

# Smith and Stanley (1983), covariances of six ability tests of 112 people, R's data set ability.cov; the documentation
# of R's factanal prints for one factor: loadings 0.682 0.384 0.502 0.300 0.877 0.849, uniquenesses 0.535 0.853 0.748
# 0.910 0.232 0.280.
ABILITY = np.array(
    [
        [24.641, 5.991, 33.520, 6.023, 20.755, 29.701],
        [5.991, 6.700, 18.137, 1.782, 4.936, 7.204],
        [33.520, 18.137, 149.831, 19.424, 31.430, 50.753],
        [6.023, 1.782, 19.424, 12.711, 4.757, 9.075],
        [20.755, 4.936, 31.430, 4.757, 52.604, 66.762],
        [29.701, 7.204, 50.753, 9.075, 66.762, 135.292],
    ]
)
SPREAD = np.sqrt(np.diagonal(ABILITY))
CORRELATIONS = ABILITY / np.outer(SPREAD, SPREAD)


def draw_answers(rng: np.random.Generator, n: int, loadings: np.ndarray, steps: bool) -> np.ndarray:
    """Answers of one factor, standardised; cut to a five-point scale if ``steps``."""
    factor = rng.normal(size=(n, 1))
    latent = factor * loadings + rng.normal(size=(n, len(loadings))) * np.sqrt(1 - loadings**2)
    return 1.0 + np.digitize(latent, [-1.5, -0.5, 0.5, 1.5]) if steps else latent


def draw_matching(n: int, covariance: np.ndarray) -> np.ndarray:
    """Data with exactly this covariance matrix."""
    raw = np.random.default_rng(1).normal(size=(n, len(covariance)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T
    return white @ np.linalg.cholesky(covariance).T


def test_alpha_of_shrout_and_fleiss():
    estimate = compute_alpha(JUDGES, method="feldt")
    assert round(estimate.value, 4) == 0.9093
    assert (round(estimate.low, 3), round(estimate.high, 2)) == (0.676, 0.99)
    assert (estimate.n, estimate.unit) == (6, "")
    assert estimate.function == "analysis.stats.reliability.compute_alpha"


# statpsych (R, version 1.8): ci.cronbach(.05, .85, 7, 89) should return 0.7971, 0.8932.
def test_feldt_bounds_match_statpsych():
    low, high = alpha_bounds(0.85, 89, 7, 0.95, "feldt")
    assert (round(low, 4), round(high, 4)) == (0.7971, 0.8932)


def test_bonett_bounds_by_hand():
    # Bonett and Wright (2015): 1 − exp(ln(1 − α) − ln(n/(n − 1)) ± z √(2k/((k − 1)(n − 2)))), α = 0.85, n = 89, k = 7.
    low, high = alpha_bounds(0.85, 89, 7, 0.95, "bonett")
    half = 1.959963985 * np.sqrt(14 / (6 * 87))
    expected = [1 - 0.15 * 88 / 89 * np.exp(sign * half) for sign in (1, -1)]
    assert (low, high) == pytest.approx(expected, rel=1e-8)
    assert alpha_bounds(1.0, 89, 7, 0.95, "bonett") == (1.0, 1.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7))
def test_alpha_is_the_consistency_of_the_mean_rating(seed, k):
    matrix = np.random.default_rng(seed).integers(1, 6, size=(20, k)).astype(float)
    alpha = compute_alpha(matrix, method="feldt")
    icc = compute_icc(matrix, form="3,k").estimate
    assert (alpha.value, alpha.low, alpha.high) == pytest.approx((icc.value, icc.low, icc.high), abs=1e-9)
    turned = compute_alpha(6 - matrix, method="feldt")
    assert turned.value == pytest.approx(alpha.value)
    shuffled = matrix[np.random.default_rng(seed).permutation(20)][:, ::-1]
    assert compute_alpha(shuffled, method="feldt").value == pytest.approx(alpha.value)


def test_standardised_alpha_ignores_units():
    scaled = JUDGES * [1, 10, 100, 0.1]
    one = compute_alpha(JUDGES, kind="standardised", method="feldt").value
    r = np.corrcoef(JUDGES.T)
    mean = r[np.triu_indices(4, 1)].mean()
    assert one == pytest.approx(4 * mean / (1 + 3 * mean))  # Spearman–Brown of the mean correlation
    assert compute_alpha(scaled, kind="standardised", method="feldt").value == pytest.approx(one)
    assert compute_alpha(scaled, method="feldt").value != pytest.approx(one, abs=0.01)


def test_missing_answers_follow_the_rule_said():
    holed = JUDGES.astype(float).copy()
    holed.iloc[0, 1] = holed.iloc[3, 2] = np.nan
    pairwise = holed.cov().to_numpy()  # pandas computes them pairwise
    by_hand = 4 / 3 * (1 - np.trace(pairwise) / pairwise.sum())
    pairs = compute_alpha(holed, method="feldt", missing="pairwise")
    assert pairs.value == pytest.approx(by_hand)
    assert pairs.n == 6
    listed = compute_alpha(holed, method="feldt", missing="listwise")
    assert (listed.value, listed.n) == (pytest.approx(compute_alpha(holed.dropna(), method="feldt").value), 4)
    with pytest.raises(InputError) as error:
        compute_alpha(holed, method="feldt")
    assert "B 1, C 1" in str(error.value)


def test_pairwise_bootstrap_agrees_with_resampling_rows():
    rng = np.random.default_rng(3)
    matrix = draw_answers(rng, 40, np.full(4, 0.7), steps=True)
    matrix[rng.random(matrix.shape) < 0.05] = np.nan
    estimate = compute_alpha(
        matrix, method="percentile", missing="pairwise", rng=np.random.default_rng(1), resamples=4000
    )
    frame, plain = pd.DataFrame(matrix), []
    for _ in range(400):
        covariance = frame.iloc[rng.integers(0, 40, 40)].cov().to_numpy()
        plain.append(alpha_of(covariance[None])[0])
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(plain, [0.025, 0.975])), abs=0.05)


def test_alpha_without_each_item():
    found = compute_alpha_without_items(JUDGES, method="feldt")
    assert [entry.item for entry in found] == list("ABCD")
    for entry in found:
        rest = JUDGES.drop(columns=entry.item)
        alone = compute_alpha(rest, method="feldt")
        assert (entry.alpha.value, entry.alpha.low) == pytest.approx((alone.value, alone.low))
        assert entry.item_rest == pytest.approx(np.corrcoef(JUDGES[entry.item], rest.sum(axis=1))[0, 1])
    standardised = compute_alpha_without_items(JUDGES, method="bonett", kind="standardised")
    scores = (JUDGES - JUDGES.mean()) / JUDGES.std()
    assert standardised[0].item_rest == pytest.approx(
        np.corrcoef(scores["A"], scores[["B", "C", "D"]].sum(axis=1))[0, 1]
    )


def test_one_factor_by_ml_matches_factanal_and_statsmodels():
    loadings, uniquenesses, converged = fit_one_factor(ABILITY[None], "ml")
    assert converged.all()
    assert (loadings[0] / SPREAD).round(3).tolist() == [0.682, 0.384, 0.502, 0.300, 0.877, 0.849]
    assert (uniquenesses[0] / SPREAD**2).round(3).tolist() == [0.535, 0.853, 0.748, 0.910, 0.232, 0.280]
    other = Factor(corr=CORRELATIONS, n_factor=1, method="ml", nobs=112).fit()
    assert np.abs(other.loadings.ravel()) == pytest.approx(loadings[0] / SPREAD, abs=2e-4)


def test_one_factor_by_minres_leaves_the_least_residuals():
    loadings, _, converged = fit_one_factor(CORRELATIONS[None], "minres")
    off = np.triu_indices(6, 1)
    other = optimize.minimize(
        lambda v: ((CORRELATIONS - np.outer(v, v))[off] ** 2).sum(), np.full(6, 0.6), method="BFGS", tol=1e-12
    ).x
    assert converged.all()
    assert loadings[0] == pytest.approx(other, abs=1e-5)


@pytest.mark.parametrize("factor", ["ml", "minres"])
def test_omega_of_a_model_that_holds_exactly(factor):
    # Loadings 2, 1.5, 1, 0.5 and uniquenesses 1, 1, 2, 0.5: omega = 5²/(5² + 4.5) = 0.8475; standardised from the
    # loadings divided by the standard deviations.
    loadings, unique = np.array([2, 1.5, 1, 0.5]), np.array([1, 1, 2, 0.5])
    covariance = np.outer(loadings, loadings) + np.diag(unique)
    data = draw_matching(60, covariance)
    rng = np.random.default_rng(2)
    options = {"factor": factor, "method": "percentile", "resamples": 50}
    raw = compute_omega(data, rng=rng, **options)
    assert raw.value == pytest.approx(25 / 29.5, abs=1e-6)
    scale = np.sqrt(np.diagonal(covariance))
    common = (loadings / scale).sum() ** 2
    standardised = compute_omega(data, kind="standardised", rng=rng, **options)
    assert standardised.value == pytest.approx(common / (common + (unique / scale**2).sum()), abs=1e-6)


def test_omega_of_three_items_has_a_closed_form():
    # Just identified: λ₁² = r₁₂r₁₃/r₂₃ and so on.
    r12, r13, r23 = 0.5, 0.4, 0.3
    matrix = np.array([[1, r12, r13], [r12, 1, r23], [r13, r23, 1]])
    squares = np.array([r12 * r13 / r23, r12 * r23 / r13, r13 * r23 / r12])
    common = np.sqrt(squares).sum() ** 2
    estimate = compute_omega(draw_matching(50, matrix), factor="ml", method="delta")
    assert estimate.value == pytest.approx(common / (common + (1 - squares).sum()), abs=1e-6)


def test_equal_loadings_make_omega_alpha():
    matrix = np.full((5, 5), 0.4) + 0.6 * np.eye(5)
    data = draw_matching(84, matrix)
    omega = compute_omega(data, factor="ml", method="delta")
    assert omega.value == pytest.approx(compute_alpha(data, method="feldt").value, abs=1e-6)


def test_delta_error_is_that_of_the_numerical_derivative():
    loadings, uniquenesses, _ = fit_one_factor(ABILITY[None], "ml")
    theta = np.concatenate([loadings[0], uniquenesses[0]])

    def information(at):
        inverse = np.linalg.inv(np.outer(at[:6], at[:6]) + np.diag(at[6:]))
        steps = []
        for place in range(12):
            move = np.zeros(12)
            move[place] = 1e-5 * max(1, abs(at[place]))
            up, down = at + move, at - move
            change = np.outer(up[:6], up[:6]) + np.diag(up[6:]) - np.outer(down[:6], down[:6]) - np.diag(down[6:])
            steps.append(change / (2 * move[place]))
        return np.array([[np.trace(inverse @ a @ inverse @ b) / 2 for b in steps] for a in steps])

    gradient = optimize.approx_fprime(theta, lambda at: omega_of(at[:6], at[6:]), 1e-7)
    expected = np.sqrt(gradient @ np.linalg.solve(information(theta), gradient) / 112)
    assert omega_standard_error(loadings[0], uniquenesses[0], 112) == pytest.approx(expected, rel=1e-4)


def test_heywood_case_is_named():
    matrix = np.array([[1, 0.9, 0.8], [0.9, 1, 0.5], [0.8, 0.5, 1]])  # r₁₂r₁₃/r₂₃ = 1.44 > 1
    estimate = compute_omega(pd.DataFrame(draw_matching(60, matrix), columns=list("abc")), factor="ml", method="delta")
    assert "Heywood case, uniqueness of a held at 0.005" in estimate.method


@pytest.mark.parametrize("method", ["feldt", "bonett"])
def test_closed_intervals_of_alpha_cover_at_84_respondents(method):
    loadings = np.full(5, 0.6)
    truth = 5 / 4 * (1 - 5 / (5 + 20 * 0.36))
    rng, hits, surveys = np.random.default_rng(84), 0, 1500
    for _ in range(surveys):
        covariance = np.cov(draw_answers(rng, 84, loadings, steps=False).T)
        low, high = alpha_bounds(float(alpha_of(covariance[None])[0]), 84, 5, 0.95, method)
        hits += low <= truth <= high
    assert 0.93 < hits / surveys < 0.97  # simulation error 0.6 points


def test_bootstrap_interval_of_alpha_covers_for_five_point_items():
    loadings = np.array([0.8, 0.7, 0.7, 0.6, 0.5])
    rng = np.random.default_rng(85)
    many = draw_answers(rng, 200_000, loadings, steps=True)
    truth = float(alpha_of(np.cov(many.T)[None])[0])
    hits, surveys = 0, 400
    for _ in range(surveys):
        answers = draw_answers(rng, 84, loadings, steps=True)
        estimate = compute_alpha(answers, method="bca", rng=rng, resamples=599)
        hits += estimate.low <= truth <= estimate.high
    assert 0.92 < hits / surveys < 0.98  # 0.93 to 0.97 with a simulation error of 1.1 points


def test_delta_interval_of_omega_covers_at_84_respondents():
    loadings = np.array([0.8, 0.7, 0.7, 0.6, 0.5])
    truth = loadings.sum() ** 2 / (loadings.sum() ** 2 + (1 - loadings**2).sum())
    rng, surveys = np.random.default_rng(86), 1500
    covariances = np.array([np.cov(draw_answers(rng, 84, loadings, steps=False).T) for _ in range(surveys)])
    found = fit_one_factor(covariances, "ml")
    assert found[2].all()
    errors = np.array([omega_standard_error(one, other, 84) for one, other in zip(found[0], found[1], strict=True)])
    covered = np.abs(omega_of(found[0], found[1]) - truth) <= 1.959964 * errors
    assert 0.93 < covered.mean() < 0.97  # simulation error 0.6 points


def test_a_negative_alpha_is_reported_as_it_is():
    data = draw_matching(30, np.array([[1, -0.3], [-0.3, 1]]))
    estimate = compute_alpha(data, method="feldt")
    assert estimate.value == pytest.approx(2 * (1 - 2 / 1.4))
    assert estimate.low < estimate.value < estimate.high


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: compute_alpha(JUDGES, method="normal"), "feldt, bonett"),
        (lambda: compute_alpha(JUDGES, 95, method="feldt"), "confidence"),
        (lambda: compute_alpha(JUDGES, method="feldt", kind="scaled"), "kind"),
        (lambda: compute_alpha(JUDGES, method="feldt", missing="mean"), "missing"),
        (lambda: compute_alpha(JUDGES[["A"]], method="feldt"), "2 items or more"),
        (lambda: compute_alpha(JUDGES.head(2), method="feldt"), "three or more"),
        (lambda: compute_alpha(JUDGES.assign(E=3), method="feldt"), "E: all respondents answered alike"),
        (lambda: compute_alpha(JUDGES.assign(E="yes"), method="feldt"), "not numbers"),
        (lambda: compute_alpha(JUDGES, method="bca"), "rng"),
        (lambda: compute_alpha(pd.DataFrame({"a": [1, 2, 3], "b": [3, 2, 1]}), method="feldt"), "does not vary"),
        (lambda: compute_alpha_without_items(JUDGES, method="bca"), "method"),
        (lambda: compute_alpha_without_items(JUDGES[["A", "B"]], method="feldt"), "3 items or more"),
        (lambda: compute_omega(JUDGES, factor="pca", method="delta"), "factor"),
        (lambda: compute_omega(JUDGES, factor="minres", method="delta"), "bootstrap"),
        (lambda: compute_omega(JUDGES, factor="ml", method="delta", kind="standardised"), "bootstrap"),
        (lambda: compute_omega(JUDGES[["A", "B"]], factor="ml", method="delta"), "3 items or more"),
    ],
)
def test_wrong_input_is_refused(wrong, said):
    with pytest.raises(InputError) as error:
        wrong()
    assert said in str(error.value)
