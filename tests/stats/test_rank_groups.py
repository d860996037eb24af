"""Three groups or more by ranks: R's kruskal.test, friedman.test, effectsize; Dunn by formula; coverage at n = 84."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.rank_groups import (
    compare_pairs_dunn,
    compute_epsilon_squared,
    compute_kendalls_w,
    friedman_test,
    kruskal_wallis_test,
)

# Ozone in New York by month, May to September 1973: Chambers et al. (1983); R's airquality and its kruskal.test help
# page.
OZONE = {
    5: [41, 36, 12, 18, 28, 23, 19, 8, 7, 16, 11, 14, 18, 14, 34, 6, 30, 11, 1, 11, 4, 32, 23, 45, 115, 37],
    6: [29, 71, 39, 23, 21, 37, 20, 12, 13],
    7: [135, 49, 32, 64, 40, 77, 97, 97, 85, 10, 27, 7, 48, 35, 61, 79, 63, 16, 80, 108, 20, 52, 82, 50, 64, 59],
    8: [39, 9, 16, 78, 35, 66, 122, 89, 110, 44, 28, 65, 22, 59, 23, 31, 44, 21, 9, 45, 168, 73, 76, 118, 84, 85],
    9: [
        96,
        78,
        73,
        91,
        47,
        32,
        20,
        23,
        21,
        24,
        44,
        21,
        28,
        9,
        13,
        46,
        18,
        13,
        24,
        16,
        13,
        23,
        36,
        7,
        14,
        30,
        14,
        18,
        20,
    ],
}
# Hollander & Wolfe (1973), p. 116: mucociliary efficiency of healthy, obstructed and asbestosis lungs; R's
# kruskal.test.
LUNGS = {
    "healthy": [2.9, 3.0, 2.5, 2.6, 3.2],
    "obstructed": [3.8, 2.7, 4.0, 2.4],
    "asbestosis": [2.8, 3.4, 3.7, 2.2, 2.0],
}
# Hollander & Wolfe (1973), p. 140 ff.: three ways of rounding first base, 22 players; R's friedman.test.
ROUNDING = np.array(
    [
        [5.40, 5.50, 5.55], [5.85, 5.70, 5.75], [5.20, 5.60, 5.50], [5.55, 5.50, 5.40], [5.90, 5.85, 5.70],
        [5.45, 5.55, 5.60], [5.40, 5.40, 5.35], [5.45, 5.50, 5.35], [5.25, 5.15, 5.00], [5.85, 5.80, 5.70],
        [5.25, 5.20, 5.10], [5.65, 5.55, 5.45], [5.60, 5.35, 5.45], [5.05, 5.00, 4.95], [5.50, 5.50, 5.40],
        [5.45, 5.55, 5.50], [5.55, 5.55, 5.35], [5.45, 5.50, 5.55], [5.50, 5.45, 5.25], [5.65, 5.60, 5.40],
        [5.70, 5.65, 5.55], [6.30, 6.30, 6.25],
    ]
)  # fmt: skip

three_groups = st.lists(st.lists(st.integers(1, 5).map(float), min_size=2, max_size=6), min_size=2, max_size=4).filter(
    lambda groups: len({value for group in groups for value in group}) > 1
)


def named(groups):
    return {f"g{place}": group for place, group in enumerate(groups)}


def test_kruskal_wallis_equals_r():
    # R 4.2.2: kruskal.test(Ozone ~ Month, data = airquality): 29.26658, df = 4, p = 6.90071e-06; list(x, y, z):
    # 0.771428571, 0.679964774
    outcome = kruskal_wallis_test(OZONE, method="chi-square")
    assert (outcome.statistic, outcome.df, outcome.n) == pytest.approx((29.26658, 4, 116), abs=5e-6)
    assert outcome.p_value == pytest.approx(6.90071e-06, abs=5e-12)
    # R effectsize 0.8.3: rank_epsilon_squared(Ozone ~ Month) = 0.254491968
    assert outcome.effect.value == pytest.approx(0.254491968)
    outcome = kruskal_wallis_test(LUNGS, method="chi-square")
    assert (outcome.statistic, outcome.p_value) == pytest.approx((0.771428571, 0.679964774))


@given(three_groups, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_kruskal_wallis_equals_scipy_in_any_order(groups, random):
    expected = stats.kruskal(*groups)
    shuffled = [random.sample(group, len(group)) for group in groups]
    random.shuffle(shuffled)
    outcome = kruskal_wallis_test(named(shuffled), method="chi-square")
    assert (outcome.statistic, outcome.p_value) == pytest.approx((expected.statistic, expected.pvalue), abs=1e-9)
    assert 0 <= outcome.effect.low <= outcome.effect.high <= 1 and 0 <= outcome.effect.value <= 1


def test_two_groups_are_mann_whitney():
    pair = {month: OZONE[month] for month in (5, 7)}
    p_value = stats.mannwhitneyu(*pair.values(), use_continuity=False, method="asymptotic").pvalue
    assert kruskal_wallis_test(pair, method="chi-square").p_value == pytest.approx(p_value)
    assert compare_pairs_dunn(pair)["p_value"].item() == pytest.approx(p_value)


def test_permutations_meet_the_asymptotic_p():
    rng = np.random.default_rng(3)
    few = {month: OZONE[month][:20] for month in (5, 6, 9)}
    asymptotic = kruskal_wallis_test(few, method="chi-square").p_value
    assert kruskal_wallis_test(few, method="permutation", rng=rng).p_value == pytest.approx(asymptotic, abs=0.02)
    assert kruskal_wallis_test(OZONE, method="permutation", rng=rng, draws=199).p_value == 0.005
    asymptotic = friedman_test(ROUNDING, method="chi-square").p_value
    assert friedman_test(ROUNDING, method="permutation", rng=rng).p_value == pytest.approx(asymptotic, abs=0.003)


def test_dunn_by_its_formula():
    pairs = compare_pairs_dunn(OZONE)
    values = np.concatenate(list(OZONE.values()))
    ranks, months = stats.rankdata(values), np.repeat(list(OZONE), [len(v) for v in OZONE.values()])
    n, ties = len(values), np.unique(values, return_counts=True)[1]
    # Dunn (1964), with the correction for ties.
    scale = n * (n + 1) / 12 - (ties**3 - ties).sum() / (12 * (n - 1))
    for row in pairs.itertuples():
        gap = ranks[months == row.first].mean() - ranks[months == row.second].mean()
        z = gap / np.sqrt(scale * (1 / row.n_first + 1 / row.n_second))
        assert (row.mean_rank_difference, row.z, row.p_value) == pytest.approx((gap, z, 2 * stats.norm.sf(abs(z))))
        assert row.low < row.delta < row.high
    assert len(pairs) == 10
    ordered = pairs.sort_values("p_value")
    assert ordered["p_adjusted"].iloc[0] == pytest.approx(10 * ordered["p_value"].iloc[0])
    assert ordered["p_adjusted"].is_monotonic_increasing
    milder = compare_pairs_dunn(OZONE, adjustment="benjamini-hochberg", method="brunner-munzel")
    assert (milder["p_adjusted"] <= pairs["p_adjusted"] + 1e-12).all()


def test_friedman_equals_r():
    # R 4.2.2: friedman.test(RoundingTimes): 11.142857, df = 2, p = 0.00380504; effectsize 0.8.3: kendalls_w =
    # 0.253246753
    outcome = friedman_test(ROUNDING, method="chi-square")
    assert (outcome.statistic, outcome.df, outcome.p_value) == pytest.approx((11.1428571, 2, 0.00380504078))
    assert outcome.effect.value == pytest.approx(0.253246753)
    assert outcome.effect.function == "analysis.stats.rank_groups.compute_kendalls_w"


@given(
    st.lists(st.lists(st.integers(1, 5), min_size=4, max_size=4), min_size=2, max_size=12),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_friedman_in_any_order_and_on_any_scale(rows, random):
    plain = friedman_test(rows, method="chi-square")
    order = random.sample(range(4), 4)
    shuffled = [[float(np.exp(row[place])) for place in order] for row in random.sample(rows, len(rows))]
    other = friedman_test(shuffled, method="chi-square")
    assert (other.statistic, other.p_value) == pytest.approx((plain.statistic, plain.p_value))
    if any(len(set(row)) > 1 for row in rows):
        expected = stats.friedmanchisquare(*np.transpose(rows))
        assert plain.statistic == pytest.approx(expected.statistic)


def test_agreement_at_its_ends():
    alike = compute_kendalls_w([[1, 2, 3]] * 60, method="noncentral")
    assert alike.value == pytest.approx(1) and 0.5 < alike.low < alike.high == 1
    apart = compute_kendalls_w([[1, 2, 3], [2, 3, 1], [3, 1, 2]] * 4, method="noncentral")
    assert (apart.value, apart.low) == pytest.approx((0, 0), abs=1e-12)


def test_all_equal_is_said():
    outcome = kruskal_wallis_test({"a": [2, 2], "b": [2, 2, 2]}, method="chi-square")
    assert (outcome.statistic, outcome.p_value) == (0.0, 1.0) and "all values are equal" in outcome.method
    assert outcome.effect.low is None and "no interval" in outcome.effect.method
    pairs = compare_pairs_dunn({"a": [2, 2], "b": [2, 2, 2]})
    assert pairs["p_value"].item() == 1.0 and np.isnan(pairs["low"].item())
    outcome = friedman_test([[2, 2], [5, 5]], method="permutation", rng=np.random.default_rng(1), draws=9)
    assert (outcome.statistic, outcome.p_value) == (0.0, 1.0) and outcome.effect.low is None


def test_intervals_cover_at_84():
    # Three groups of 28 and four questions answered by 84, five-point answers. Population values: epsilon² from the
    # cell chances, W from 400,000 respondents. Standard error of the coverage 0.7 points for 1,000 samples, 1 for 400.
    rng, cuts = np.random.default_rng(9), [-1.2, -0.3, 0.5, 1.3]
    means = np.array([[0.0], [0.3], [0.6]])
    chances = np.diff(stats.norm.cdf([-np.inf, *cuts, np.inf], loc=means), axis=1)
    pooled = chances.mean(axis=0)
    scores = np.cumsum(pooled) - pooled / 2 - 0.5
    truth = ((chances @ scores) ** 2).mean() / (pooled @ scores**2)
    samples = [named(np.digitize(rng.normal(size=(3, 28)) + means, cuts).astype(float)) for _ in range(1000)]
    plain = [compute_epsilon_squared(groups, method="noncentral") for groups in samples]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in plain]) <= 0.97
    shifted = [compute_epsilon_squared(g, method="bias-shifted", rng=rng, resamples=399) for g in samples[:400]]
    naive = [compute_epsilon_squared(g, method="percentile", rng=rng, resamples=399) for g in samples[:400]]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in shifted]) <= 0.99
    assert np.mean([e.low <= truth <= e.high for e in naive]) < np.mean([e.low <= truth <= e.high for e in shifted])

    def answers(n):
        return np.digitize(rng.normal(size=(n, 4)) + rng.normal(size=(n, 1)) + np.linspace(0, 0.7, 4), cuts)

    truth = compute_kendalls_w(answers(400_000), method="noncentral").value
    samples = [answers(84) for _ in range(1000)]
    plain = [compute_kendalls_w(rows, method="noncentral") for rows in samples]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in plain]) <= 0.97
    shifted = [compute_kendalls_w(rows, method="bias-shifted", rng=rng, resamples=399) for rows in samples[:400]]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in shifted]) <= 0.97


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kruskal_wallis_test({"a": [1, 2]}, method="chi-square"), "1 of them"),
        (lambda: kruskal_wallis_test({"a": [1, 2], "b": []}, method="chi-square"), "group b"),
        (lambda: kruskal_wallis_test({"a": [1], "b": [2]}, method="chi-square"), "one value in each"),
        (lambda: kruskal_wallis_test([[1, 2], [2, 3]], method="chi-square"), "a mapping of group to values"),
        (lambda: kruskal_wallis_test({"a": [1, np.nan], "b": [2]}, method="chi-square"), "group a: 1 missing"),
        (lambda: kruskal_wallis_test(LUNGS, method="permutation"), "no generator"),
        (lambda: compare_pairs_dunn(LUNGS, adjustment="none"), "benjamini-hochberg"),
        (
            lambda: friedman_test(pd.DataFrame({"a": [1, None], "b": [2, 1]}), method="chi-square"),
            "column a: 1 missing",
        ),
        (lambda: friedman_test(ROUNDING, method="exact"), "chi-square, permutation"),
        (lambda: compute_kendalls_w(ROUNDING, method="percentile"), "no generator"),
    ],
)
def test_refusals_name_the_cause(call, words):
    with pytest.raises(InputError, match=words):
        call()
