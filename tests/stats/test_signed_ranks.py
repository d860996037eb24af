"""Two answers of the same respondents by signed ranks: R's wilcox.test, effectsize; brute force; coverage."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.signed_ranks import BISERIAL_METHODS, compute_rank_biserial, wilcoxon_signed_rank_test

# Hollander & Wolfe (1973), p. 29 f.: depression factor IV before and after a tranquilliser; help page of R's
# wilcox.test.
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
# Darwin's maize in eighths of an inch, crossed minus self-fertilised: Fisher (1935), The design of experiments, section
# 17.
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
# Five-point answers with ties and four zeros, made up for comparison with R.
FIRST = [4, 5, 3, 4, 2, 5, 4, 3, 5, 4, 1, 2, 4, 5, 3]
SECOND = [3, 5, 2, 4, 3, 3, 2, 3, 4, 2, 1, 3, 2, 4, 2]

differences = st.lists(st.integers(-4, 4).map(float), min_size=2, max_size=9)


def zeros(values):
    return [0.0] * len(values)


def test_exact_equals_r():
    # R 4.2.2: wilcox.test(x, y, paired = TRUE): V = 40, p = 0.0390625; "greater" 0.01953125; Darwin: V = 96, p =
    # 0.0412597656
    outcome = wilcoxon_signed_rank_test(BEFORE, AFTER, method="exact", zeros="wilcox")
    assert (outcome.statistic, outcome.p_value, outcome.n) == pytest.approx((40, 0.0390625, 9))
    greater = wilcoxon_signed_rank_test(BEFORE, AFTER, "greater", method="exact", zeros="wilcox")
    assert greater.p_value == pytest.approx(0.01953125)
    outcome = wilcoxon_signed_rank_test(MAIZE, zeros(MAIZE), method="exact", zeros="wilcox")
    assert (outcome.statistic, outcome.p_value) == pytest.approx((96, 0.0412597656))


@pytest.mark.parametrize(
    ("method", "rule", "p_value"),
    [
        (
            "asymptotic-corrected",
            "wilcox",
            0.0242577366,
        ),  # R 4.2.2: wilcox.test(a, b, paired = TRUE), with its warnings
        ("asymptotic", "wilcox", 0.0215048002),  # R 4.2.2: … correct = FALSE; coin 1.4.2: zero.method = "Wilcoxon"
        ("asymptotic", "pratt", 0.0229924701),  # R coin 1.4.2: wilcoxsign_test(a ~ b, zero.method = "Pratt")
        ("exact", "wilcox", 0.0283203125),  # R exactRankTests 0.8.35: wilcox.exact(a, b, paired = TRUE)
        ("exact", "pratt", 0.0322265625),  # R coin 1.4.2: … zero.method = "Pratt", distribution = "exact"
    ],
)
def test_ties_and_zeros_equal_r(method, rule, p_value):
    outcome = wilcoxon_signed_rank_test(FIRST, SECOND, method=method, zeros=rule)
    assert outcome.p_value == pytest.approx(p_value, rel=1e-8)
    assert "4 zeros left out" in outcome.method and outcome.n == 15


@given(differences, st.sampled_from(["two-sided", "greater", "less"]), st.sampled_from(["wilcox", "pratt"]))
@settings(max_examples=40, deadline=None)
def test_exact_equals_all_signs(values, alternative, rule):
    values = np.array(values)
    if not values.any():
        return
    kept = values[values != 0] if rule == "wilcox" else values
    ranks, signs = stats.rankdata(np.abs(kept))[kept != 0], np.sign(kept[kept != 0])
    sums = np.array(list(product((-1, 1), repeat=len(ranks)))) @ ranks
    seen = signs @ ranks
    expected = {
        "two-sided": np.mean(np.abs(sums) >= abs(seen) - 1e-9),
        "greater": np.mean(sums >= seen - 1e-9),
        "less": np.mean(sums <= seen + 1e-9),
    }[alternative]
    outcome = wilcoxon_signed_rank_test(values, zeros(values), alternative, method="exact", zeros=rule)
    assert outcome.p_value == pytest.approx(expected)
    assert outcome.effect.value == pytest.approx(seen / ranks.sum())


@given(differences, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_and_reversal(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    plain, turned = (
        compute_rank_biserial(*pair, method="jackknife", zeros="pratt")
        for pair in ((values, zeros(values)), (zeros(values), shuffled))
    )
    assert turned.value == pytest.approx(-plain.value)
    if plain.low is not None:
        assert (turned.low, turned.high) == pytest.approx((-plain.high, -plain.low))
        assert -1 <= plain.low <= plain.value <= plain.high <= 1


def test_rank_biserial_equals_r():
    # R effectsize 0.8.3: rank_biserial(x, y, paired = TRUE): value, CI_low, CI_high
    for pair, expected in (
        ((BEFORE, AFTER), (0.777777778, 0.295363129, 0.944155902)),
        ((MAIZE, zeros(MAIZE)), (0.6, 0.117457064, 0.853334230)),
        ((FIRST, SECOND), (0.757575758, 0.393010311, 0.916330455)),
    ):
        estimate = compute_rank_biserial(*pair, method="fisher", zeros="wilcox")
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx(expected)
    assert estimate.function == "analysis.stats.signed_ranks.compute_rank_biserial"


def test_jackknife_by_leaving_out():
    values = np.array(MAIZE)
    estimate = compute_rank_biserial(values, zeros(values), method="jackknife", zeros="wilcox")

    def biserial(kept):
        ranks = stats.rankdata(np.abs(kept))
        return (ranks @ np.sign(kept)) / ranks.sum()

    without = np.array([biserial(np.delete(values, place)) for place in range(15)])
    error = np.sqrt(14 / 15 * ((without - without.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, 14) * error / (1 - 0.6**2)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.tanh(np.arctanh(0.6) + np.array([-half, half]))))


def test_what_shows_no_spread_has_no_interval():
    rng = np.random.default_rng(1)
    for method in BISERIAL_METHODS:
        same = compute_rank_biserial([1, 2, 3], [1, 2, 3], method=method, zeros="wilcox", rng=rng, resamples=9)
        assert (same.value, same.low) == (0, None) and "all differences are zero" in same.method
        sided = compute_rank_biserial([2, 4, 6], [1, 2, 3], method=method, zeros="pratt", rng=rng, resamples=9)
        assert (sided.value, sided.low) == (1, None) and "one sign" in sided.method
    outcome = wilcoxon_signed_rank_test([1, 2], [1, 2], method="exact", zeros="pratt")
    assert (outcome.statistic, outcome.p_value) == (0.0, 1.0) and "2 zeros" in outcome.method


def test_intervals_cover_at_84():
    # Five-point answers of 84 respondents to two questions; population value from the 25 cell chances, by 400,000
    # draws. Standard error of the coverage 0.6 points for 1,500 samples, 1.1 for 400.
    rng, cuts = np.random.default_rng(15), [-1.2, -0.3, 0.5, 1.3]

    def answers(n):
        common = 0.8 * rng.normal(size=n)
        return tuple(np.digitize(common + 0.6 * rng.normal(size=n) + shift, cuts).astype(float) for shift in (0.3, 0))

    truth = compute_rank_biserial(*answers(400_000), method="fisher", zeros="wilcox").value
    samples = [answers(84) for _ in range(1500)]
    jackknife = [compute_rank_biserial(*pair, method="jackknife", zeros="wilcox") for pair in samples]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in jackknife]) <= 0.97
    bca = [compute_rank_biserial(*pair, method="bca", zeros="wilcox", rng=rng, resamples=399) for pair in samples[:400]]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in bca]) <= 0.97


@pytest.mark.parametrize(
    ("x", "y", "options", "words"),
    [
        ([1, 2], [3], {"method": "exact", "zeros": "pratt"}, "2 and 1 values"),
        ([1, np.nan], [3, 4], {"method": "exact", "zeros": "pratt"}, "place 2"),
        ([1, 2], [3, 4], {"method": "wald", "zeros": "drop"}, r"got 'wald'(.*\n)*.*got 'drop'"),
        (np.arange(600.0) + 1, np.zeros(600), {"method": "exact", "zeros": "wilcox"}, "at most 500"),
    ],
)
def test_refusals_name_the_cause(x, y, options, words):
    with pytest.raises(InputError, match=words):
        wilcoxon_signed_rank_test(x, y, **options)
