"""GRIM, GRIMMER and DEBIT against the papers' examples, the R packages scrutiny and rsprite2, and brute force."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement
from statistics import stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.stats.rounding import RULES, TIE_RULES, round_exactly
from analysis.survey.audit.debit import debit_test
from analysis.survey.audit.grim import grim_detectable, grim_test
from analysis.survey.audit.grimmer import grimmer_test, sd_limits


def test_the_example_of_brown_and_heathers():
    """Brown and Heathers (2017), p. 364: 28 people cannot have a mean of 5.19; 145/28 is 5.18, 146/28 is 5.21."""
    assert not grim_test("5.19", 28).consistent
    assert [(grim_test(mean, 28).totals) for mean in ("5.18", "5.21")] == [(145,), (146,)]


# scrutiny 0.6.1, tests/testthat/test-grim.R ("Correct values are returned", basic, items, percent) and its data pigs1.
@pytest.mark.parametrize(
    ("means", "n", "items", "percent", "expected"),
    [
        ([f"{x / 100:.2f}" for x in range(519, 531)], 28, 1, False, "ffTfffTfffTf"),
        ([f"{x / 1000:.3f}" for x in range(150, 160)], 120, 3, False, "TffTffTfTf"),
        ([f"{x / 100:.2f}" for x in range(80, 90)], 28, 2, False, "TfTfTfTTTT"),
        ([str(x) for x in range(6, 17)], 50, 1, True, "TfTfTfTfTfT"),
        # vignettes/grim.Rmd: all consistent if the number of items is stated, half of them if it is not.
        (["5.90", "5.71", "3.50", "3.82", "4.61", "5.24"], 40, 3, False, "TTTTTT"),
        (["5.90", "5.71", "3.50", "3.82", "4.61", "5.24"], 40, 1, False, "TfTTff"),
    ],
)
def test_grim_of_scrutiny(means, n, items, percent, expected):
    found = [grim_test(mean, n, items, percent=percent).consistent for mean in means]
    assert found == [letter == "T" for letter in expected]


def test_grim_map_of_scrutiny():
    """scrutiny 0.6.1, test-grim-map.R: consistency of the data set pigs1."""
    means = ["7.22", "4.74", "5.23", "2.57", "6.77", "2.68", "7.01", "7.38", "3.14", "6.89", "5.00", "0.24"]
    sizes = [32, 25, 29, 24, 27, 28, 29, 26, 27, 31, 25, 28]
    found = [grim_test(mean, n).consistent for mean, n in zip(means, sizes, strict=True)]
    assert found == [letter == "T" for letter in "TffffTfTffTf"]


def test_grim_ratio_of_scrutiny():
    """scrutiny 0.6.1, test-grim-stats.R: grim_ratio("5.30", 20:30), grim_probability(90:110), and with percent."""
    assert [grim_detectable("5.30", n) for n in range(20, 31)] == pytest.approx([0.8 - 0.01 * k for k in range(11)])
    assert [grim_detectable("5.30", n) for n in (90, 95, 100, 110)] == pytest.approx([0.1, 0.05, 0, 0])
    assert grim_detectable("87.50", 45, percent=True) == pytest.approx(0.9955)


def test_nearest_means_of_rsprite2():
    """rsprite2 0.2.1, test-core-and-plot-functions.R: 5.18 for 5.19 of 28, and 5.82 and 5.84 for 5.83 of 50."""
    for mean, n, expected in (("5.19", 28, {"5.18"}), ("5.83", 50, {"5.82", "5.84"})):
        found = grim_test(mean, n).corrections
        assert {correction.corrected for correction in found if correction.figure == "mean"} == expected


@given(st.lists(st.integers(1, 7), min_size=1, max_size=60), st.integers(0, 3), st.sampled_from(list(RULES)))
def test_a_true_mean_is_never_refused(answers, digits, rule):
    mean = str(round_exactly(Fraction(sum(answers), len(answers)), digits, rule=rule))
    assert sum(answers) in grim_test(mean, len(answers), rules=[rule]).totals


@given(st.integers(1, 60), st.integers(100, 700), st.integers(1, 3))
def test_corrections_of_a_mean_are_possible_means(n, hundredths, items):
    mean = f"{hundredths / 100:.2f}"
    for correction in grim_test(mean, n, items).corrections:
        if correction.figure == "mean":
            assert grim_test(correction.corrected, n, items).consistent
        else:
            assert grim_test(mean, int(correction.corrected), items).consistent


def test_grimmer_of_scrutiny():
    """scrutiny 0.6.1, test-grimmer-map.R: consistency and reasons of the data set pigs5."""
    rows = [
        ("7.22", "5.30", 38, "mean"),
        ("4.74", "6.55", 31, ""),
        ("5.23", "2.55", 35, "parity"),  # "GRIMMER inconsistent (test 3)"
        ("2.57", "2.57", 30, ""),
        ("6.77", "2.18", 33, "mean"),
        ("2.68", "2.59", 34, ""),
        ("7.01", "6.68", 35, "mean"),
        ("7.38", "3.65", 32, ""),
        ("3.14", "5.32", 33, "mean"),
        ("6.89", "4.18", 37, ""),
        ("5.00", "2.18", 31, ""),
        ("0.24", "6.43", 34, ""),
    ]
    assert [grimmer_test(mean, sd, n).reason for mean, sd, n, _ in rows] == [reason for *_, reason in rows]


def test_grimmer_of_rsprite2_and_the_help_pages():
    """rsprite2 0.2.1, test-core-and-plot-functions.R; scrutiny 0.6.1, examples of ?grimmer."""
    assert grimmer_test("5.21", "1.6", 28).consistent
    assert not grimmer_test("3.44", "2.47", 18).consistent
    assert not grimmer_test("5.19", "1.5", 28).consistent
    assert grimmer_test("5.23", "2.55", 31).consistent
    assert grimmer_test("2.74", "0.96", 63, 2).consistent


def test_sd_limits_of_rsprite2():
    """rsprite2 0.2.1: .sd_limits(5, 4.2, 1, 7) is 0.45 and 3.03; with two items 0.27 and 3.03; no spread at an end."""
    assert sd_limits("4.2", 5, (1, 7)) == pytest.approx((0.45, 3.03), abs=5e-3)
    assert sd_limits("4.2", 5, (1, 7), 2) == pytest.approx((0.27, 3.03), abs=5e-3)
    assert sd_limits("1.00", 100, (1, 7)) == (0, 0)
    assert sd_limits("7.00", 100, (1, 7)) == (0, 0)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=40), st.integers(1, 3))
def test_a_true_standard_deviation_is_never_refused(answers, digits):
    n = len(answers)
    mean = str(round_exactly(Fraction(sum(answers), n), 2, rule="half_up"))
    sd = f"{stdev(answers):.{digits}f}"
    result = grimmer_test(mean, sd, n, scale=(1, 5))
    assert (sum(answers), sum(answer**2 for answer in answers)) in result.sums


def test_grimmer_knows_all_of_a_small_scale():
    """All samples of four answers from 1 to 3, enumerated: what they print passes, a unit more or less does not."""
    printed = {
        (f"{sum(answers) / 4:.2f}", f"{stdev(answers):.2f}")
        for answers in combinations_with_replacement(range(1, 4), 4)
    }
    near = {
        (mean, f"{float(sd) + step:.2f}") for mean, sd in printed for step in (-0.01, 0.01) if float(sd) + step >= 0
    }
    assert all(grimmer_test(mean, sd, 4, scale=(1, 3)).consistent for mean, sd in printed)
    assert not any(grimmer_test(mean, sd, 4, scale=(1, 3)).consistent for mean, sd in near - printed)


def test_grimmer_corrections_are_consistent():
    result = grimmer_test("5.23", "2.55", 35)
    for correction in result.corrections:
        figures = {"mean": "5.23", "sd": "2.55", "n": "35"} | {correction.figure: correction.corrected}
        assert grimmer_test(figures["mean"], figures["sd"], int(figures["n"])).consistent
    assert {"sd 2.55 → 2.54", "n 35 → 31"} <= set(map(str, result.corrections))


def test_debit_of_scrutiny():
    """Heathers and Brown (2019), Table 1, as in scrutiny 0.6.1 (pigs3, test-debit.R); and the help pages' examples."""
    means = ["0.53", "0.44", "0.77", "0.19", "0.34", "0.93", "0.12"]
    deviations = ["0.50", "0.50", "0.42", "0.35", "0.47", "0.25", "0.33"]
    found = [debit_test(mean, sd, 1683).consistent for mean, sd in zip(means, deviations, strict=True)]
    assert found == [True, True, True, False, True, True, True]
    assert not debit_test("0.36", "0.11", 20).consistent
    assert not debit_test("0.35", "0.18", 20).consistent


@given(st.integers(2, 120).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.integers(1, 3))
def test_true_binary_figures_are_never_refused(answers, digits):
    n, yes = answers
    mean = str(round_exactly(Fraction(yes, n), digits, rule="half_even"))
    sd = f"{stdev([1] * yes + [0] * (n - yes)):.{digits}f}"
    result = debit_test(mean, sd, n)
    assert yes in result.counts
    assert sd in result.expected


def test_a_standard_deviation_between_two_figures_is_expected_as_either():
    """One yes of 16: s is 0.25, which half up prints as 0.3 and half even as 0.2."""
    assert debit_test("0.06", "0.2", 16).expected == ("0.2", "0.3")
    assert debit_test("0.06", "0.2", 16, rules=["half_up"]).expected == ("0.3",)
    assert debit_test("0.06", "0.2", 16, rules=["half_even"]).expected == ("0.2",)


def test_debit_says_what_the_mean_would_give():
    result = debit_test("0.19", "0.35", 1683)
    assert result.expected == ("0.39", "0.40")
    assert "sd 0.35 → 0.39" in map(str, result.corrections)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (lambda: grim_test(5.19, 28), ["mean"]),
        (lambda: grim_test("5,19", 0, 0), ["mean", "n", "items"]),
        (lambda: grim_test("142", 84, percent=True), ["mean"]),
        (lambda: grim_test("5.19", 28, rules=["nearest"]), ["rules"]),
        (lambda: grim_test("5.19", 28, rules=[]), ["rules"]),
        (lambda: grimmer_test("5.19", "-1", 28, scale=(5, 1)), ["sd", "scale"]),
        (lambda: grimmer_test("5.19", "1.20", 1), ["n"]),
        (lambda: debit_test("1.19", "0.20", 28), ["mean"]),
        (lambda: debit_test("0.19", "0.20", 1), ["n"]),
        (lambda: sd_limits("4.21", 5, (1, 7)), ["mean"]),
        (lambda: sd_limits("8.0", 5, (1, 7)), ["mean"]),
    ],
)
def test_wrong_input_is_refused_with_every_fault(wrong, where):
    with pytest.raises(InputError) as error:
        wrong()
    assert [problem.where for problem in error.value.problems] == where


def test_ties_are_settled_by_every_rule():
    """125/1000 of 8 people: 1 of 8 prints as 12 or 13 %, by the rule for ties."""
    assert grim_test("13", 8, percent=True).rules == ("half_up", "half_away")
    assert grim_test("12", 8, percent=True).rules == ("half_even", "half_down")
    assert set(grim_test("5.18", 28).rules) == set(TIE_RULES)
