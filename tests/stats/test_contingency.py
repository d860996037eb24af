"""Tables of two questions: R's chisq.test, fisher.test, effectsize and textbooks; brute force; coverage at n = 84."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.contingency import compute_cramers_v, compute_odds_ratio, independence_test
from analysis.stats.exact_tables import exact_table_p

# Agresti (2002), Categorical data analysis, table 2.8 and p. 57: income and job satisfaction; help page of R's
# fisher.test.
JOB = [[1, 3, 10, 6], [2, 3, 10, 7], [1, 6, 14, 12], [0, 1, 9, 11]]
# Agresti (2007), An introduction to categorical data analysis, p. 39: party and gender; help page of R's chisq.test.
PARTY = [[762, 327, 468], [484, 239, 477]]
# Fisher (1935): the tea-tasting lady.
TEA = [[3, 1], [1, 3]]
# Fisher (1962, 1970): convictions of like-sex twins of criminals; help page of R's fisher.test.
TWINS = [[2, 15], [10, 3]]

tables = (
    st.integers(2, 3)
    .flatmap(
        lambda rows: st.integers(2, 4).flatmap(
            lambda columns: st.lists(
                st.lists(st.integers(0, 5), min_size=columns, max_size=columns), min_size=rows, max_size=rows
            )
        )
    )
    .filter(lambda t: (np.sum(t, axis=0) > 0).sum() > 1 and (np.sum(t, axis=1) > 0).sum() > 1)
)


def all_tables(rows, columns):
    """Every table with these margins, column by column."""
    if len(columns) == 1:
        yield np.array(rows)[:, None]
        return
    for first in np.ndindex(*(r + 1 for r in rows)):
        if sum(first) == columns[0]:
            for rest in all_tables([r - f for r, f in zip(rows, first, strict=True)], columns[1:]):
                yield np.column_stack([first, rest])


def test_chi_square_equals_r():
    # R 4.2.2: chisq.test(M): X-squared = 30.070149, df = 2, p-value = 2.9535892e-07
    outcome = independence_test(PARTY, method="chi-square")
    assert (outcome.statistic, outcome.df, outcome.p_value) == pytest.approx((30.070149, 2, 2.9535892e-07))
    assert outcome.n == 2757 and "smallest expected count 246" in outcome.method
    # R: chisq.test(matrix(c(10, 4, 5, 11), 2)), Yates' correction is the default
    outcome = independence_test([[10, 5], [4, 11]], method="chi-square-yates")
    assert (outcome.statistic, outcome.p_value) == pytest.approx((3.3482143, 0.067277961))
    # R vcd 1.4.11: assocstats(Job): likelihood ratio 6.7641, df 9, P 0.66167; Pearson 5.9655, P 0.74336
    outcome = independence_test(JOB, method="likelihood-ratio")
    assert (outcome.statistic, outcome.p_value) == pytest.approx((6.7641, 0.66167), abs=5e-5)
    assert independence_test(JOB, method="chi-square").p_value == pytest.approx(0.74336473)


@pytest.mark.parametrize(
    ("table", "p_value"),
    [  # R 4.2.2: fisher.test(table, workspace = 2e8)$p.value; the first is printed as 0.7827 on its help page
        (JOB, 0.782684939),
        (TEA, 0.4857142857),
        (TWINS, 0.0005367241191),
        ([[5, 13, 20, 10, 2], [4, 8, 10, 9, 3]], 0.7468321733),
        ([[5, 6, 7, 8, 2], [4, 3, 9, 6, 6], [2, 8, 6, 5, 7]], 0.4518031767),
        ([[3, 4, 5, 6], [2, 5, 7, 4], [6, 3, 5, 4], [8, 4, 6, 12]], 0.6531339182),
    ],
)
def test_exact_p_equals_r(table, p_value):
    assert independence_test(table, method="exact").p_value == pytest.approx(p_value, rel=1e-8)
    assert independence_test(np.transpose(table), method="exact").p_value == pytest.approx(p_value, rel=1e-8)


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=2, max_size=3))
@settings(max_examples=25, deadline=None)
def test_exact_p_equals_brute_force(rows):
    table = np.array(rows)
    if (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any():
        table = table + 1
    margins = table.sum(axis=1), table.sum(axis=0)
    law = stats.random_table(*margins)
    seen = law.pmf(table)
    chances = np.array([law.pmf(each) for each in all_tables(list(margins[0]), list(margins[1]))])
    assert chances.sum() == pytest.approx(1)
    assert exact_table_p(table) == pytest.approx((seen, chances[chances <= seen * (1 + 1e-7)].sum()))


def test_exact_gives_up_with_a_remedy():
    rng = np.random.default_rng(3)
    with pytest.raises(InputError, match="monte-carlo"):
        independence_test(rng.integers(20, 60, (6, 6)), method="exact")


def test_monte_carlo_meets_the_conditional_distribution():
    table = np.array([[6, 2, 1], [2, 4, 5]])
    margins = table.sum(axis=1), table.sum(axis=0)
    law, expected = stats.random_table(*margins), np.outer(*margins) / table.sum()
    square = lambda t: ((t - expected) ** 2 / expected).sum()  # noqa: E731
    every = list(all_tables(list(margins[0]), list(margins[1])))
    exact = sum(law.pmf(t) for t in every if square(t) >= square(table) - 1e-9)
    outcome = independence_test(table, method="monte-carlo", rng=np.random.default_rng(2), draws=19999)
    assert outcome.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 19999))
    again = independence_test(table, method="monte-carlo", rng=np.random.default_rng(2), draws=19999)
    assert again == outcome
    assert (
        independence_test([[40, 0], [0, 44]], method="monte-carlo", rng=np.random.default_rng(2), draws=99).p_value
        == 0.01
    )


@given(tables, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_turning_and_empty_lines_change_nothing(table, random):
    order = list(range(len(table)))
    random.shuffle(order)
    padded = [[*table[place], 0] for place in order] + [[0] * (len(table[0]) + 1)]
    for method in ("chi-square", "exact"):
        plain, turned = independence_test(table, method=method), independence_test(np.transpose(table), method=method)
        empty = independence_test(padded, method=method)
        for other in (turned, empty):
            assert (other.p_value, other.statistic) == pytest.approx((plain.p_value, plain.statistic))
            assert other.effect.value == pytest.approx(plain.effect.value)
        assert "empty rows and" in empty.method


@pytest.mark.parametrize(
    ("table", "corrected", "values"),
    [  # R effectsize 0.8.3: cramers_v(table, adjust = corrected, alternative = "two.sided"), 2 × 2 uncorrected (Yates).
        # The upper bound of the last is R 4.2.2's pchisq(5.9655146, 9, ncp = 8.2590837) = 0.025, n = 96: effectsize's
        # joint search for both bounds stops early where the lower is 0.
        ([[10, 5], [4, 11]], False, (0.40089186, 0.0, 0.75873065)),
        (PARTY, False, (0.1044358024, 0.0649074241, 0.1402639032)),
        ([[12, 5, 3], [4, 9, 6], [2, 6, 13]], False, (0.381521710, 0.151714366, 0.532627762)),
        (PARTY, True, (0.100919983, None, None)),
        (JOB, False, (0.14392217, 0.0, np.sqrt(8.2590837 / (3 * 96)))),
    ],
)
def test_cramers_v_equals_r(table, corrected, values):
    estimate = compute_cramers_v(table, method="noncentral", corrected=corrected)
    for got, expected in zip((estimate.value, estimate.low, estimate.high), values, strict=True):
        if expected is not None:
            assert got == pytest.approx(expected, abs=5e-6)
    assert estimate.function == "analysis.stats.contingency.compute_cramers_v"


def test_bergsmas_correction_by_its_formula():
    # Bergsma (2013): φ̃² = max(0, φ² − (r − 1)(c − 1)/(n − 1)), k̃ = k − (k − 1)²/(n − 1), by hand for 2 × 3, n = 40.
    table = [[10, 6, 4], [3, 7, 10]]
    phi = stats.chi2_contingency(table, correction=False).statistic / 40 - 2 / 39
    assert compute_cramers_v(table, method="noncentral", corrected=True).value == pytest.approx(
        np.sqrt(phi / (1 - 1 / 39))
    )
    flat = compute_cramers_v([[10, 10], [10, 10]], method="noncentral", corrected=True)
    assert (flat.value, flat.low) == (0.0, 0.0)


def test_v_is_one_where_one_answer_follows_from_the_other():
    for method in ("noncentral", "percentile", "bias-shifted"):
        estimate = compute_cramers_v(
            [[20, 0, 0], [0, 30, 0], [0, 0, 34]], method=method, rng=np.random.default_rng(1), resamples=199
        )
        assert estimate.value == pytest.approx(1) and estimate.high == pytest.approx(1, abs=0.03)
        assert 0.7 < estimate.low <= 1


def test_intervals_of_v_cover_at_84():
    # 2 × 3 table with V = 0.305 at n = 84; the standard error of the coverage is 0.5 points for 2,000 and 0.8 for 800
    # samples.
    rng = np.random.default_rng(11)
    shares = np.array([[0.22, 0.17, 0.11], [0.09, 0.16, 0.25]])
    expected = np.outer(shares.sum(axis=1), shares.sum(axis=0))
    truth = np.sqrt(((shares - expected) ** 2 / expected).sum())
    drawn = rng.multinomial(84, shares.ravel(), size=2000).reshape(-1, 2, 3)
    plain = [compute_cramers_v(t, method="noncentral") for t in drawn]
    corrected = [compute_cramers_v(t, method="noncentral", corrected=True) for t in drawn[:200]]
    shifted = [compute_cramers_v(t, method="bias-shifted", rng=rng, resamples=399) for t in drawn[:800]]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in plain]) <= 0.97
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in shifted]) <= 0.97
    assert abs(np.mean([e.value for e in corrected]) - truth) < abs(np.mean([e.value for e in plain[:200]]) - truth)


def test_odds_ratios_equal_r():
    # R 4.2.2: the equations of fisher.test's conf.int and estimate on dhyper, solved by uniroot(…, tol = 1e-12).
    # fisher.test itself stops at about four digits: tea 6.4083089 [0.2117, 621.9], twins 0.0469366 [0.003326, 0.36318].
    for table, values in (
        (TEA, (6.4083196582, 0.2117355954, 626.2435306)),
        (TWINS, (0.046936639050, 0.003317163951, 0.363189602357)),
        ([[10, 5], [4, 11]], (5.1598495523, 0.9192968444, 35.56564746)),
    ):
        estimate = compute_odds_ratio(table, method="conditional")
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx(values, rel=1e-5)
    # R vcd 1.4.11: confint(loddsratio(...)): log odds ratio 1.7047481 [0.13566368, 3.2738325]
    estimate = compute_odds_ratio([[10, 5], [4, 11]], method="woolf")
    assert np.log([estimate.value, estimate.low, estimate.high]) == pytest.approx([1.7047481, 0.13566368, 3.2738325])


def test_odds_ratio_with_an_empty_cell():
    woolf = compute_odds_ratio([[8, 0], [4, 6]], method="woolf")
    assert np.isinf(woolf.value) and woolf.low is None and "a cell is 0" in woolf.method
    assert compute_odds_ratio([[0, 8], [4, 6]], method="woolf").value == 0
    added = compute_odds_ratio([[8, 0], [4, 6]], method="haldane-anscombe")
    assert added.value == pytest.approx(8.5 * 6.5 / (0.5 * 4.5)) and 1 < added.low < added.high < np.inf
    exact = compute_odds_ratio([[8, 0], [4, 6]], method="conditional")
    assert np.isinf(exact.high) and exact.low > 1
    with pytest.raises(InputError, match="column 2"):
        compute_odds_ratio([[8, 0], [4, 0]], method="haldane-anscombe")


@given(st.lists(st.integers(1, 30), min_size=4, max_size=4))
@settings(max_examples=30, deadline=None)
def test_swapping_the_rows_inverts_the_odds_ratio(cells):
    a, b, c, d = cells
    for method in ("woolf", "haldane-anscombe"):
        plain, swapped = (compute_odds_ratio(t, method=method) for t in ([[a, b], [c, d]], [[c, d], [a, b]]))
        assert (plain.value, plain.low, plain.high) == pytest.approx(
            (1 / swapped.value, 1 / swapped.high, 1 / swapped.low)
        )


def test_intervals_of_the_odds_ratio_cover_at_84():
    # Two groups of 42 with shares 0.6 and 0.3, 1,200 samples: standard error of the coverage 0.6 points.
    rng, truth = np.random.default_rng(4), 3.5
    first, second = rng.binomial(42, 0.6, 1200), rng.binomial(42, 0.3, 1200)
    for method in ("woolf", "haldane-anscombe"):
        estimates = [
            compute_odds_ratio([[a, 42 - a], [b, 42 - b]], method=method) for a, b in zip(first, second, strict=True)
        ]
        assert 0.93 <= np.mean([e.low <= truth <= e.high for e in estimates]) <= 0.97
    exact = [
        compute_odds_ratio([[a, 42 - a], [b, 42 - b]], method="conditional")
        for a, b in zip(first[:200], second[:200], strict=True)
    ]
    assert np.mean([e.low <= truth <= e.high for e in exact]) >= 0.93


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        ([[3, 2], [0, 0]], {"method": "chi-square"}, "1 rows with a count"),
        ([[3], [4]], {"method": "chi-square"}, "1 columns with a count"),
        ([[3, 2], [1.5, -1]], {"method": "exact"}, r"row 2, column 1.*(\n.*)*row 2, column 2"),
        ([[1, 2, 3], [3, 2, 1]], {"method": "chi-square-yates"}, "2 × 2, or method='chi-square'"),
        ([[1, 2], [3, 4]], {"method": "monte-carlo"}, "no generator"),
        ([[1, 2], [3, 4]], {"method": "fisher", "confidence": 2}, r"got 'fisher'(.*\n)*.*got 2"),
        ([1, 2], {"method": "exact"}, "a table of counts"),
    ],
)
def test_refusals_name_the_cause(table, options, words):
    with pytest.raises(InputError, match=words):
        independence_test(table, **options)
