"""Two groups by ranks: R's wilcox.test, exactRankTests, effsize, lawstat; brute force; coverage at n = 84."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.dominance import DOMINANCE_METHODS, compute_cliffs_delta, compute_vargha_delaney
from analysis.stats.ranks import hodges_lehmann_shift, mann_whitney_test

# Hollander & Wolfe (1973), p. 69: permeability of the human chorioamnion at term and at 12 to 26 weeks; R's
# wilcox.test.
TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLY = [1.15, 0.88, 0.90, 0.74, 1.21]

# Brunner & Munzel (2000): pain on the third day after surgery under two treatments; R's lawstat, many ties.
PAIN_Y = [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1]
PAIN_N = [3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4]

answers = st.lists(st.integers(1, 5).map(float), min_size=2, max_size=7)
CUTS = [-1.2, -0.3, 0.5, 1.3]


def brute_force(x, y, alternative):
    ranks, m = stats.rankdata([*x, *y]), len(x)
    sums = np.array([sum(chosen) for chosen in combinations(ranks, m)]) - m * ranks.mean()
    seen = ranks[:m].sum() - m * ranks.mean()
    if alternative == "two-sided":
        return np.mean(np.abs(sums) >= abs(seen) - 1e-9)
    return np.mean(sums >= seen - 1e-9 if alternative == "greater" else sums <= seen + 1e-9)


def test_exact_equals_r():
    # R 4.2.2: wilcox.test(x, y): W = 35, p = 0.254412254; alternative = "g": 0.127206127
    outcome = mann_whitney_test(TERM, EARLY, method="exact")
    assert (outcome.statistic, outcome.p_value, outcome.n) == pytest.approx((35, 0.254412254, 15))
    assert mann_whitney_test(TERM, EARLY, "greater", method="exact").p_value == pytest.approx(0.127206127)


def test_exact_with_ties_equals_r():
    # R exactRankTests 0.8.35: wilcox.exact(Y, N)$p.value = 0.006690223, "less" 0.00436285727; coin 1.4.2's exact
    # wilcox_test agrees.
    outcome = mann_whitney_test(PAIN_Y, PAIN_N, method="exact")
    assert (outcome.statistic, outcome.p_value) == pytest.approx((32.5, 0.006690223))
    assert mann_whitney_test(PAIN_Y, PAIN_N, "less", method="exact").p_value == pytest.approx(0.00436285727)


@pytest.mark.parametrize(
    ("x", "y", "alternative", "method", "p_value"),
    [  # R 4.2.2: wilcox.test(x, y, exact = FALSE, correct = …, alternative = …)$p.value
        (TERM, EARLY, "two-sided", "asymptotic-corrected", 0.244623605),
        (TERM, EARLY, "two-sided", "asymptotic", 0.220671362),
        (TERM, EARLY, "greater", "asymptotic-corrected", 0.122311803),
        (PAIN_Y, PAIN_N, "two-sided", "asymptotic-corrected", 0.00774078671),
        (PAIN_Y, PAIN_N, "two-sided", "asymptotic", 0.00707198948),
    ],
)
def test_asymptotic_equals_r(x, y, alternative, method, p_value):
    assert mann_whitney_test(x, y, alternative, method=method).p_value == pytest.approx(p_value, rel=1e-7)


@given(answers, answers, st.sampled_from(["two-sided", "greater", "less"]))
@settings(max_examples=40, deadline=None)
def test_exact_equals_brute_force(x, y, alternative):
    if len({*x, *y}) > 1:
        assert mann_whitney_test(x, y, alternative, method="exact").p_value == pytest.approx(
            brute_force(x, y, alternative)
        )


def test_permutation_meets_exact_and_repeats():
    exact = mann_whitney_test(PAIN_Y, PAIN_N, method="exact").p_value
    drawn = [
        mann_whitney_test(PAIN_Y, PAIN_N, method="permutation", rng=np.random.default_rng(6), draws=20000) for _ in "ab"
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0].p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 20000))


@given(answers, answers)
@settings(max_examples=40, deadline=None)
def test_order_scale_and_sides(x, y):
    plain = mann_whitney_test(x, y, method="asymptotic")
    stretched = mann_whitney_test(np.exp(x[::-1]), np.exp(y), method="asymptotic")
    turned = mann_whitney_test(y, x, method="asymptotic")
    assert stretched.p_value == pytest.approx(plain.p_value)
    assert stretched.effect.low == (None if plain.effect.low is None else pytest.approx(plain.effect.low))
    assert turned.p_value == pytest.approx(plain.p_value)
    assert turned.statistic == pytest.approx(len(x) * len(y) - plain.statistic)
    assert turned.effect.value == pytest.approx(-plain.effect.value)
    assert plain.effect.value == pytest.approx(2 * plain.statistic / (len(x) * len(y)) - 1)


def test_all_equal_is_said():
    outcome = mann_whitney_test([3, 3, 3], [3, 3], method="exact")
    assert outcome.p_value == 1.0 and "all values are equal" in outcome.method
    assert outcome.effect.value == 0 and outcome.effect.low is None and "all values are equal" in outcome.effect.method


def test_cliffs_delta_equals_r():
    # R effsize 0.8.0: cliff.delta(treatment, control) of its help page: −0.25 [−0.7265845889, 0.3890061902];
    # cliff.delta(Y, N, return.dm = TRUE), from the dominance matrix: −0.57792207792 [−0.83393671171, −0.11720740376].
    # (Without return.dm, effsize's faster way gives −0.8356 and −0.1117: with both groups full of ties it miscounts.)
    treatment, control = [10, 10, 20, 20, 20, 30, 30, 30, 40, 50], [10, 20, 30, 40, 40, 50]
    estimate = compute_cliffs_delta(treatment, control, method="feng-cliff")
    # effsize has no lower limit for the variance; here it is 0.098 and the limit 0.016, so that it does not bind.
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((-0.25, -0.7265845889, 0.3890061902))
    estimate = compute_cliffs_delta(PAIN_Y, PAIN_N, method="feng-cliff")
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
        (-0.57792207792, -0.83393671171, -0.11720740376)
    )
    assert estimate.function == "analysis.stats.dominance.compute_cliffs_delta"


def test_brunner_munzel_as_published():
    # Neubert & Brunner (2007) and R lawstat 3.6: brunner.munzel.test(Y, N): P(X<Y)+.5*P(X=Y) 0.788961 [0.5952169,
    # 0.9827052]
    estimate = compute_vargha_delaney(PAIN_N, PAIN_Y, method="brunner-munzel")
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.788961, 0.5952169, 0.9827052), abs=5e-7)
    assert "Vargha–Delaney A, Brunner–Munzel" in estimate.method
    assert estimate.function == "analysis.stats.dominance.compute_vargha_delaney"


@given(answers, answers)
@settings(max_examples=60, deadline=None)
def test_delta_by_its_definition(x, y):
    signs = np.sign(np.subtract.outer(x, y))
    m, n, delta = len(x), len(y), signs.mean()
    estimate = compute_cliffs_delta(x, y, method="feng-cliff")
    assert estimate.value == pytest.approx(delta)
    if np.ptp([*x, *y]) == 0 or abs(delta) == 1:
        return
    # Cliff's (1993) unbiased variance, from the full dominance matrix.
    rows, columns = signs.mean(axis=1), signs.mean(axis=0)
    variance = n**2 * ((rows - delta) ** 2).sum() + m**2 * ((columns - delta) ** 2).sum() - ((signs - delta) ** 2).sum()
    variance = max(variance / (m * n * (m - 1) * (n - 1)), (1 - delta**2) / (m * n - 1))
    t = stats.t.ppf(0.975, m + n - 2)
    root = t * np.sqrt(variance * ((1 - delta**2) ** 2 + t**2 * variance))
    bounds = (delta - delta**3 + np.array([-root, root])) / (1 - delta**2 + t**2 * variance)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.clip(bounds, -1, 1)))
    assert estimate.low <= delta <= estimate.high


def test_groups_apart():
    t = stats.t.ppf(0.975, 13)
    estimate = compute_cliffs_delta(np.arange(10) + 100, np.arange(5), method="feng-cliff")
    # Manual of R's orddom, CI at d = ±1: (b − t²)/(b + t²) with the smaller group b = 5.
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1, (5 - t**2) / (5 + t**2), 1))
    turned = compute_cliffs_delta(np.arange(5), np.arange(10) + 100, method="feng-cliff")
    assert (turned.low, turned.high) == pytest.approx((-1, -estimate.low))
    none = compute_vargha_delaney(np.arange(10) + 100, np.arange(5), method="brunner-munzel")
    assert none.value == 1 and none.low is None and "do not overlap" in none.method


def test_shift_equals_r():
    # R 4.2.2: wilcox.test(x, y, conf.int = TRUE): 0.305 [−0.15, 0.76]; c(x, 3.1, 2.2, 0.5), conf.level = 0.9: 0.48
    # [−0.10, 0.99]
    estimate = hodges_lehmann_shift(TERM, EARLY, method="exact")
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.305, -0.15, 0.76))
    estimate = hodges_lehmann_shift([*TERM, 3.1, 2.2, 0.5], EARLY, 0.9, method="exact")
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.48, -0.10, 0.99))


@given(answers, answers, st.floats(-9, 9).map(lambda v: round(v, 2)))
@settings(max_examples=40, deadline=None)
def test_shift_moves_with_the_data_and_turns_with_the_groups(x, y, shift):
    for method in ("exact", "asymptotic"):
        plain, turned = hodges_lehmann_shift(x, y, 0.8, method=method), hodges_lehmann_shift(y, x, 0.8, method=method)
        moved = hodges_lehmann_shift(np.array(x) + shift, y, 0.8, method=method)
        assert moved.value == pytest.approx(plain.value + shift, abs=1e-9)
        assert turned.value == pytest.approx(-plain.value)
        if plain.low is not None:
            assert plain.low <= plain.value <= plain.high and turned.low == pytest.approx(-plain.high)


def test_too_few_for_a_shift_interval():
    estimate = hodges_lehmann_shift([1, 2, 3], [4, 5, 6], method="exact")
    assert estimate.value == -3 and estimate.low is None and "too few values (3 and 3)" in estimate.method


def test_intervals_cover_at_84():
    # Five-point answers and normal values, 42 a group; 1,500 samples: standard error of the coverage 0.6 points.
    # Population deltas from the normal distribution: δ = 2Φ(d/√2) − 1, and for the answers from the cell chances.
    rng = np.random.default_rng(12)
    shift, size = 0.5, (1500, 42)
    x, y = rng.normal(shift, 1, size), rng.normal(0, 1, size)
    chances = [np.diff(stats.norm.cdf([-np.inf, *CUTS, np.inf], loc=loc)) for loc in (shift, 0)]
    likert = np.sign(np.subtract.outer(np.arange(5), np.arange(5)))
    cases = (
        (x, y, 2 * stats.norm.cdf(shift / np.sqrt(2)) - 1),
        (np.digitize(x, CUTS).astype(float), np.digitize(y, CUTS).astype(float), chances[0] @ likert @ chances[1]),
    )
    for first, second, delta in cases:
        for method in DOMINANCE_METHODS:
            estimates = [compute_cliffs_delta(a, b, method=method) for a, b in zip(first, second, strict=True)]
            assert 0.93 <= np.mean([e.low <= delta <= e.high for e in estimates]) <= 0.97
    estimates = [hodges_lehmann_shift(a, b, method="exact") for a, b in zip(x[:1000], y, strict=False)]
    assert 0.93 <= np.mean([e.low <= shift <= e.high for e in estimates]) <= 0.97


@pytest.mark.parametrize(
    ("x", "y", "options", "words"),
    [
        ([1, 2], [3], {"method": "exact"}, r"shape \(1,\)"),
        ([1, np.nan, 2, np.inf], [3, 4], {"method": "exact"}, "2 missing or infinite: place 2, 4"),
        ([1, 2], [3, 4], {"method": "permutation"}, "no generator"),
        ([1, 2], [3, 4], {"method": "t", "alternative": "more"}, r"asymptotic-corrected(.*\n)*.*got 'more'"),
        (range(150), range(150), {"method": "exact"}, "at most 200"),
        ([1, 2], ["a", "b"], {"method": "exact"}, "y: not numbers"),
    ],
)
def test_refusals_name_the_cause(x, y, options, words):
    with pytest.raises(InputError, match=words):
        mann_whitney_test(list(x), list(y), **options)
