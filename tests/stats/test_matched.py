"""Yes/no answers of the same respondents: R's mcnemar.test, Fagerland's mid-p, Cochran's own example, coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import contingency_tables

from analysis.base.errors import InputError
from analysis.stats.matched import cochran_q_test, compare_pairs_mcnemar, mcnemar_test

# Agresti (1990), p. 350: approval of the prime minister in two surveys; help page of R's mcnemar.test.
APPROVAL = [[794, 150], [86, 570]]

# Fagerland et al. (2013): airway hyper-responsiveness before and after stem cell transplantation (Bentur et
# al.).
AIRWAY = [[1, 1], [7, 12]]

cells = st.lists(st.integers(0, 25), min_size=4, max_size=4).filter(any)


def test_chi_square_equals_r():
    # R 4.2.2: mcnemar.test(matrix(c(794, 86, 150, 570), 2)): 16.8178, df = 1, p = 4.1146e-05; without correction
    # 17.355932
    outcome = mcnemar_test(APPROVAL, method="chi-square-corrected")
    assert (outcome.statistic, outcome.df) == pytest.approx((16.8178, 1), abs=5e-5)
    assert outcome.p_value == pytest.approx(4.1146e-05, abs=5e-10)
    assert mcnemar_test(APPROVAL, method="chi-square").statistic == pytest.approx(17.355932)
    # R: binom.test(86, 236)$p.value
    assert mcnemar_test(APPROVAL, method="exact").p_value == pytest.approx(3.7159361e-05)


def test_airway_example_as_published():
    # Fagerland et al. (2013): asymptotic 0.034, with correction 0.077, exact 0.070, mid-p 0.039.
    published = {"chi-square": 0.034, "chi-square-corrected": 0.077, "exact": 0.070, "mid-p": 0.039}
    for method, p_value in published.items():
        assert round(mcnemar_test(AIRWAY, method=method).p_value, 3) == p_value


@given(cells)
@settings(max_examples=60, deadline=None)
def test_every_p_by_its_definition(values):
    a, b, c, d = values
    law = stats.binom(b + c, 0.5)
    exact = mcnemar_test([[a, b], [c, d]], method="exact").p_value
    middle = mcnemar_test([[a, b], [c, d]], method="mid-p").p_value
    if b + c == 0:
        assert exact == middle == 1.0
        return
    assert exact == pytest.approx(stats.binomtest(b, b + c).pvalue)
    one_tail = law.cdf(min(b, c) - 1) + law.pmf(b) / 2
    assert middle == pytest.approx(2 * one_tail if b != c else 1 - law.pmf(b) / 2)
    assert middle <= exact + 1e-12


@given(cells)
@settings(max_examples=40, deadline=None)
def test_turning_the_questions_turns_the_difference(values):
    a, b, c, d = values
    for method in ("exact", "mid-p", "chi-square", "chi-square-corrected"):
        one, other = mcnemar_test([[a, b], [c, d]], method=method), mcnemar_test([[a, c], [b, d]], method=method)
        assert one.p_value == pytest.approx(other.p_value)
        assert (one.effect.value, one.effect.low) == pytest.approx((-other.effect.value, -other.effect.high))


def test_nobody_unlike_is_said():
    outcome = mcnemar_test([[5, 0], [0, 9]], method="chi-square")
    assert (outcome.statistic, outcome.p_value) == (0.0, 1.0) and "nobody answers the two differently" in outcome.method
    assert outcome.effect.value == 0 and outcome.effect.low < 0 < outcome.effect.high


def cochran_media():
    """Cochran (1950): growth of diphtheria bacilli on four media, 69 specimens."""
    rows = [(1, 1, 1, 1)] * 4 + [(1, 1, 0, 1)] * 2 + [(0, 1, 1, 1)] * 3 + [(0, 1, 0, 1)] * 1 + [(0, 0, 0, 0)] * 59
    return pd.DataFrame(rows, columns=list("ABCD"))


def test_cochrans_example():
    # Cochran (1950): Q = 8.05 with 3 degrees of freedom, P = 0.045.
    outcome = cochran_q_test(cochran_media())
    assert (round(outcome.statistic, 2), outcome.df, round(outcome.p_value, 3)) == (8.05, 3, 0.045)
    assert outcome.effect.value == pytest.approx(outcome.statistic / (69 * 3))
    assert outcome.effect.function == "analysis.stats.matched.compute_cochran_effect"


@given(
    st.lists(st.lists(st.integers(0, 1), min_size=3, max_size=3), min_size=3, max_size=20),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_cochran_equals_statsmodels_in_any_order(rows, random):
    if all(len(set(row)) == 1 for row in rows):
        rows = [*rows, [0, 1, 1]]
    expected = contingency_tables.cochrans_q(np.array(rows))
    shuffled = [row[::-1] for row in rows]
    random.shuffle(shuffled)
    for table in (rows, shuffled):
        outcome = cochran_q_test(table)
        assert (outcome.statistic, outcome.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_two_questions_are_mcnemar_without_correction():
    frame = pd.DataFrame([(1, 1)] * 1 + [(1, 0)] * 1 + [(0, 1)] * 7 + [(0, 0)] * 12, columns=["before", "after"])
    pair = mcnemar_test(AIRWAY, method="chi-square")
    assert cochran_q_test(frame).p_value == pytest.approx(pair.p_value)
    follow = compare_pairs_mcnemar(frame, method="chi-square")
    assert (follow["p_value"].item(), follow["p_adjusted"].item()) == pytest.approx((pair.p_value, pair.p_value))


def test_pairs_after_cochran():
    pairs = compare_pairs_mcnemar(cochran_media(), method="exact")
    assert list(zip(pairs["first"], pairs["second"], strict=True))[:3] == [("A", "B"), ("A", "C"), ("A", "D")]
    first = pairs.iloc[0]
    assert (first["only_first"], first["only_second"], first["n"]) == (0, 4, 69)
    assert first["p_value"] == pytest.approx(0.125) and first["p_adjusted"] == pytest.approx(min(1, 6 * 0.125))
    assert (pairs["p_adjusted"] >= pairs["p_value"]).all() and (pairs["low"] <= pairs["difference"]).all()
    milder = compare_pairs_mcnemar(cochran_media(), method="exact", adjustment="benjamini-hochberg")
    assert (milder["p_adjusted"] <= pairs["p_adjusted"]).all()


def test_everybody_alike_is_said():
    outcome = cochran_q_test([[1, 1, 1], [0, 0, 0]])
    assert (outcome.statistic, outcome.p_value, outcome.effect.low) == (0.0, 1.0, None)
    assert "answers all questions alike" in outcome.method and "no interval" in outcome.effect.method


def test_intervals_of_effects_cover_at_84():
    # 800 samples: standard error of the coverage 0.8 points. Pairs with yes shares 0.55 and 0.40; Cochran on three
    # questions with a common inclination, whose population effect is taken from 400,000 respondents.
    rng = np.random.default_rng(8)
    drawn = rng.multinomial(84, [0.3, 0.25, 0.1, 0.35], size=800)
    effects = [mcnemar_test([[a, b], [c, d]], method="exact").effect for a, b, c, d in drawn]
    assert 0.93 <= np.mean([e.low <= 0.15 <= e.high for e in effects]) <= 0.97

    def answers(n):
        return (rng.normal(size=(n, 1)) + rng.normal(size=(n, 3)) > np.array([0.0, 0.3, 0.7])).astype(int)

    large = answers(400_000)
    truth = cochran_q_test(large).effect.value
    effects = [cochran_q_test(answers(84)).effect for _ in range(800)]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in effects]) <= 0.97


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mcnemar_test([[1, 2, 3], [1, 2, 3]], method="exact"), "2 × 3"),
        (lambda: mcnemar_test([[1, 2], [1, 2]], method="yates"), "one of: exact, mid-p"),
        (lambda: cochran_q_test([[1, 2], [0, 1]]), "column 2: 1 neither 0 nor 1"),
        (lambda: cochran_q_test([[1, np.nan], [np.nan, 1], [1, 1]]), r"column 1.*row 2(.*\n)*.*column 2.*row 1"),
        (lambda: cochran_q_test(pd.DataFrame({"a": [1, 0]})), r"shape \(2, 1\)"),
        (lambda: cochran_q_test([1, 0]), "rows and columns"),
        (lambda: compare_pairs_mcnemar([[1, 0], [0, 1]], method="exact", adjustment="none"), "holm"),
    ],
)
def test_refusals_name_the_cause(call, words):
    with pytest.raises(InputError, match=words):
        call()
