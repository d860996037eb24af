"""Rank correlations: R's cor.test, SAS's standard errors, brute force, bootstrap against weights; coverage."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.correlation import compute_kendall, compute_spearman, kendall_test, spearman_test

# Hollander & Wolfe (1973), p. 187 f.: lightness and quality of canned tuna; help page of R's cor.test.
LIGHT = [44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1]
QUALITY = [2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8]

# Adverse reactions by dose: the pain data of the SAS/STAT FREQ documentation, example on measures of association.
PAIN = [[26, 26, 23, 18, 9], [6, 7, 9, 14, 23]]

# Agresti (2002), p. 57: income and job satisfaction, as in test_contingency.
JOB = [[1, 3, 10, 6], [2, 3, 10, 7], [1, 6, 14, 12], [0, 1, 9, 11]]

pairs = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=5, max_size=14).filter(
    lambda rows: len({a for a, _ in rows}) > 1 and len({b for _, b in rows}) > 1
)


def respondents(table):
    places = np.argwhere(np.array(table) > 0)
    return np.repeat(places, np.array(table)[tuple(places.T)], axis=0).T.astype(float)


def test_exact_and_t_equal_r():
    # R 4.2.2: cor.test(x, y, method = "kendall"): tau 0.444444444, p 0.119438933, "greater" 0.0597194665;
    # method = "spearman": rho 0.6, p 0.0967978395
    outcome = kendall_test(LIGHT, QUALITY, method="exact")
    assert (outcome.effect.value, outcome.p_value) == pytest.approx((0.444444444, 0.119438933))
    assert kendall_test(LIGHT, QUALITY, "greater", method="exact").p_value == pytest.approx(0.0597194665)
    outcome = spearman_test(LIGHT, QUALITY, method="exact")
    assert (outcome.statistic, outcome.p_value) == pytest.approx((0.6, 0.0967978395))
    assert spearman_test(LIGHT, QUALITY, method="t").p_value == pytest.approx(stats.spearmanr(LIGHT, QUALITY).pvalue)


def test_ties_equal_r():
    # R 4.2.2 on the 104 pairs behind the table: cor.test(…, "spearman"): 0.176891711, p 0.0846901487 (t); "kendall":
    # 0.152352151, z = 1.7167247, p 0.0860294856
    x, y = respondents(JOB)
    outcome = spearman_test(x, y, method="t")
    assert (outcome.effect.value, outcome.p_value) == pytest.approx((0.176891711, 0.0846901487))
    outcome = kendall_test(x, y, method="asymptotic")
    assert (outcome.effect.value, outcome.statistic, outcome.p_value) == pytest.approx(
        (0.152352151, 1.7167247, 0.0860294856)
    )


def test_standard_error_equals_sas():
    # SAS/STAT FREQ documentation, pain data: Kendall's tau-b 0.3373, ASE 0.0642, 95 % limits 0.2114 and 0.4631;
    # Spearman 0.3771.
    x, y = respondents(PAIN)
    estimate = compute_kendall(x, y, method="ase")
    assert [round(v, 4) for v in (estimate.value, estimate.low, estimate.high)] == [0.3373, 0.2114, 0.4631]
    assert (estimate.high - estimate.low) / (2 * stats.norm.ppf(0.975)) == pytest.approx(0.0642, abs=5e-5)
    assert compute_spearman(x, y, method="fieller").value == pytest.approx(0.3771, abs=5e-5)


def test_fisher_intervals_by_their_formulas():
    # Bonett & Wright (2000): z ± 1.96·√(1 + r²/2)/√(n − 3), √1.06/√(n − 3), √0.437/√(n − 4).
    rho, tau, n = 0.6, 4 / 9, 9
    for estimate, r, half in (
        (compute_spearman(LIGHT, QUALITY, method="bonett-wright"), rho, np.sqrt((1 + rho**2 / 2) / (n - 3))),
        (compute_spearman(LIGHT, QUALITY, method="fieller"), rho, np.sqrt(1.06 / (n - 3))),
        (compute_kendall(LIGHT, QUALITY, method="fieller"), tau, np.sqrt(0.437 / (n - 4))),
    ):
        bounds = np.tanh(np.arctanh(r) + stats.norm.ppf(0.975) * half * np.array([-1, 1]))
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((r, *bounds))
    assert estimate.function == "analysis.stats.correlation.compute_kendall"


@given(pairs, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_values_equal_scipy_in_any_order_and_direction(rows, random):
    x, y = np.array(rows, dtype=float).T
    shuffled = np.array(random.sample(rows, len(rows)), dtype=float).T
    for compute, method, reference in (
        (compute_spearman, "bonett-wright", stats.spearmanr(x, y).statistic),
        (compute_kendall, "ase", stats.kendalltau(x, y).statistic),
        (compute_kendall, "ase-fisher", stats.kendalltau(x, y).statistic),
    ):
        plain, other, turned = (
            compute(x, y, method=method),
            compute(*shuffled, method=method),
            compute(x, -y, method=method),
        )
        assert plain.value == pytest.approx(reference, abs=1e-12)
        assert other.value == pytest.approx(plain.value) and turned.value == pytest.approx(-plain.value)
        if plain.low is not None:
            assert (turned.low, turned.high) == pytest.approx((-plain.high, -plain.low), abs=1e-9)
            assert -1 <= plain.low <= plain.value <= plain.high <= 1


@given(pairs.filter(lambda rows: len(rows) <= 6))
@settings(max_examples=15, deadline=None)
def test_exact_spearman_tries_all_orders(rows):
    x, y = np.array(rows, dtype=float).T
    seen = stats.spearmanr(x, y).statistic
    every = [stats.spearmanr(x, order).statistic for order in permutations(y)]
    expected = np.mean(np.abs(every) >= abs(seen) - 1e-9)
    assert spearman_test(x, y, method="exact").p_value == pytest.approx(expected)


def test_permutations_meet_the_approximations():
    x, y = respondents(JOB)
    rng = np.random.default_rng(4)
    assert spearman_test(x, y, method="permutation", rng=rng).p_value == pytest.approx(0.0847, abs=0.012)
    assert kendall_test(x, y, "greater", method="permutation", rng=rng, draws=1500).p_value == pytest.approx(
        0.043, abs=0.016
    )


def test_bootstrap_is_that_of_the_respondents():
    x, y = respondents(JOB)
    rng = np.random.default_rng(5)
    n, draws = len(x), rng.integers(0, len(x), (600, len(x)))
    for compute, reference in ((compute_spearman, stats.spearmanr), (compute_kendall, stats.kendalltau)):
        slow = [reference(x[rows], y[rows]).statistic for rows in draws]
        fast = compute(x, y, method="percentile", rng=np.random.default_rng(6), resamples=4000)
        assert (fast.low, fast.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.035)
        assert fast.n == n and "percentile bootstrap" in fast.method
        again = compute(x, y, method="bca", rng=np.random.default_rng(6), resamples=999)
        assert again.low < again.value < again.high


def test_perfect_order_and_few_respondents_have_no_interval():
    for compute, method in (
        (compute_spearman, "bonett-wright"),
        (compute_kendall, "fieller"),
        (compute_kendall, "ase"),
    ):
        estimate = compute([1, 2, 3, 4, 5], [2, 4, 6, 8, 10], method=method)
        assert (
            estimate.value == pytest.approx(1) and estimate.low is None and "the order is the same" in estimate.method
        )
    assert "takes 4 respondents" in compute_spearman([1, 2, 3], [1, 3, 2], method="fieller").method
    assert "takes 5 respondents" in compute_kendall([1, 2, 3, 4], [1, 3, 2, 4], method="fieller").method
    assert spearman_test([1, 2, 3, 4], [2, 4, 6, 8], method="t").p_value == 0


def test_intervals_cover_at_84():
    # Bivariate normal with correlation 0.5, plain and as five-point answers; population values: 6/π·asin(ρ/2),
    # 2/π·asin(ρ), and 400,000 respondents. 1,000 samples: standard error of the coverage 0.7 points.
    rng, rho, cuts = np.random.default_rng(21), 0.5, [-1.2, -0.3, 0.5, 1.3]

    def draw(n):
        x = rng.normal(size=n)
        return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=n)

    samples = [draw(84) for _ in range(1000)]
    answers = [tuple(np.digitize(each, cuts).astype(float) for each in pair) for pair in samples]
    large = [np.digitize(each, cuts).astype(float) for each in draw(400_000)]
    rho_s, tau = 6 / np.pi * np.arcsin(rho / 2), 2 / np.pi * np.arcsin(rho)
    rho_s_answers, tau_answers = stats.spearmanr(*large).statistic, stats.kendalltau(*large).statistic
    cases = (
        (compute_spearman, "bonett-wright", samples, rho_s),
        (compute_spearman, "bonett-wright", answers, rho_s_answers),
        (compute_spearman, "fieller", samples, rho_s),
        (compute_kendall, "fieller", samples, tau),
        (compute_kendall, "ase", samples, tau),
        (compute_kendall, "ase", answers, tau_answers),
        (compute_kendall, "ase-fisher", answers, tau_answers),
    )
    for compute, method, data, truth in cases:
        estimates = [compute(x, y, method=method) for x, y in data]
        assert 0.93 <= np.mean([e.low <= truth <= e.high for e in estimates]) <= 0.97, (compute.__name__, method)
    # Fieller's variance knows no ties: with five answers it covers too little, as the module says.
    blind = [compute_kendall(x, y, method="fieller") for x, y in answers]
    assert np.mean([e.low <= tau_answers <= e.high for e in blind]) < 0.92


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: compute_spearman([1, 2, 3], [4, 4, 4], method="fieller"), "y: all values are equal"),
        (lambda: compute_kendall([1, 1, 1], [4, 4, 4], method="ase"), r"x: all(.*\n)*.*y: all"),
        (lambda: compute_spearman([1, 2, 3, 4], [4, 5, 6], method="fieller"), "4 and 3 values"),
        (lambda: compute_spearman([1, 2], [4, 5], method="fieller"), "3 numbers or more"),
        (lambda: compute_kendall([1, 2, None], [4, 5, 6], method="ase"), "place 3"),
        (lambda: compute_kendall([1, 2, 3], [4, 5, 6], method="bca"), "no generator"),
        (lambda: kendall_test([1, 2, 2], [4, 5, 6], method="exact"), "x: has ties"),
        (lambda: spearman_test(range(12), [*range(11), 3], method="exact"), "at most 9"),
        (lambda: spearman_test([1, 2, 3], [1, 3, 2], "up", method="z"), r"one of: t, exact(.*\n)*.*got 'up'"),
    ],
)
def test_refusals_name_the_cause(call, words):
    with pytest.raises(InputError, match=words):
        call()
