"""Recomputed test statistics, against the package statcheck's own tests (R, statcheck 1.6.0, tests/testthat)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.survey.audit.teststats import compute_p, extract_tests, judge_test


def judged(text: str, **options):
    found = extract_tests(text)
    assert len(found) == 1, found
    return judge_test(found[0], **options)


# R: 2 * pt(-2.20, 28), pf(2.20, 2, 28, lower.tail = FALSE), 2 * pnorm(-2.42), pchisq(22.20, 28, lower.tail = FALSE) and
# r via t = r·√(df/(1 − r²)): the formulas of statcheck's compute_p.R, here through scipy's distributions directly.
@pytest.mark.parametrize(
    ("kind", "value", "df1", "df2", "expected"),
    [
        ("t", 2.20, None, 28, 2 * stats.t.cdf(-2.20, 28)),
        ("F", 2.20, 2, 28, 1 - stats.f.cdf(2.20, 2, 28)),
        ("r", 0.22, None, 28, 2 * stats.t.cdf(-0.22 / ((1 - 0.22**2) / 28) ** 0.5, 28)),
        ("z", -2.42, None, None, 2 * stats.norm.cdf(-2.42)),
        ("chi2", 22.20, 28, None, 1 - stats.chi2.cdf(22.20, 28)),
        ("Q", 22.20, 28, None, 1 - stats.chi2.cdf(22.20, 28)),
    ],
)
def test_p_of_every_kind(kind, value, df1, df2, expected):
    assert compute_p(kind, value, df1, df2) == pytest.approx(expected, rel=1e-9)


def test_p_against_tables():
    """Student's, normal and chi-squared tables (any textbook): upper points of 5 %."""
    assert compute_p("t", 2.048, None, 28) == pytest.approx(0.05, abs=5e-5)
    assert compute_p("z", 1.96, None, None) == pytest.approx(0.05, abs=5e-5)
    assert compute_p("chi2", 3.841, 1, None) == pytest.approx(0.05, abs=5e-5)
    assert compute_p("F", 3.34, 2, 28) == pytest.approx(0.05, abs=5e-5)
    assert compute_p("r", 1.0, None, 28) == 0.0


# test-decisionerror.R, "simple decision errors are classified as such".
@pytest.mark.parametrize(
    "text",
    [
        "t(28) = 2.20, p = .06",
        "t(28) = 1.20, p = .03",
        "F(2, 28) = 22.20, p = .06",
        "F(2, 28) = 2.20, p = .03",
        "r(28) = .22, p = .03",
        "r(28) = .52, p = .06",
        "chi2(28) = 2.20, p = .03",
        "chi2(28) = 52.20, p = .06",
        " z = 1.20, p = .03",
        " z = 2.20, p = .06",
        "Q(28) = 2.20, p = .03",
        "Q(28) = 52.20, p = .06",
    ],
)
def test_decision_errors_of_statcheck(text):
    result = judged(text)
    assert (result.consistent, result.decision_error) == (False, True)


# test-error.R: "simple errors", inexact p, rounding, negative statistics, p of zero, statistics given as < and >.
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("t(28) = 2.20, p = .03", True),
        ("F(2, 28) = 2.20, p = .15", True),
        ("r(28) = .22, p = .26", True),
        ("chi2(28) = 22.20, p = .79", True),
        (" z = 2.20, p = .04", True),
        ("Q(28) = 22.20, p = .79", True),
        (" Z = -2.42, p = 0.016", False),
        ("t(28) = -2.20, p = .03", True),
        ("t(28) = 2.20, ns", True),
        ("t(28) = 2.20, p > .05", True),
        ("t(28) = 2.0, p < .05", False),
        ("t(28) = 2, p = .02", False),
        ("t(28) = 2, p = .14", False),
        ("t(28) = 2.2, p = .03", False),
        ("t(28) = 2.2, p = .04", False),
        ("t(28) = 2.20, p = .036", False),
        ("t(28) = 2.20, p = .037", False),
        ("t(28) = 2.20, p = .018", True),
        ("t(28) = 2.20, p = .01, one-tailed", True),
        ("t(28) = 2.20, p = .018, one-tailed", False),
        ("t(28) = 2.20, p = .018, one-sided", False),
        ("t(28) = 2.20, p = .018, directional", False),
        ("t(28) = 22.20, p = .000", True),
        ("t(28) = 22.20, p < .000", True),
        ("t(28) = 2.2, p < .08", False),
        ("t(28) = 2.2, p > .02", False),
        ("t(28) = 2.2, p = .08", True),
        ("t(28) = 2.2, p > .08", True),
        ("t(28) = 2.2, p < .02", True),
        ("t(28) < 2.2, p = .08", False),
        ("t(28) < 2.2, p < .08", False),
        ("t(28) < 2.2, p > .02", False),
        ("t(28) < 2.2, p < .02", True),
        ("t(28) < 2.2, p = .02", True),
        ("t(28) > 2.2, p = .02", False),
        ("t(28) > 2.2, p > .02", False),
        ("t(28) > 2.2, p < .02", False),
        ("t(28) > 2.2, p > .08", True),
        ("t(28) > 2.2, p = .08", True),
    ],
)
def test_errors_of_statcheck(text, error):
    assert judged(text).consistent is not error


def test_alpha_moves_the_decision():
    """test-decisionerror.R, "when alpha levels are changed"; p equal to alpha is significant."""
    assert judged("t(28) = 2.20, p = .11", alpha=0.10).decision_error
    assert judged("t(28) = 5.20, p = .02", alpha=0.01).decision_error
    assert not judged("t(28) = 2.20, p = .05").decision_error
    assert not judged("t(28) = 2.20, p = .03").decision_error


# test-extract-*.R: what statcheck reads.
@pytest.mark.parametrize(
    ("text", "kind", "df1", "df2", "value"),
    [
        ("F(2, 28) = 2.20, p = .03", "F", 2, 28, "2.20"),
        (" F ( 2 , 28 ) = 2.20 , p = .03", "F", 2, 28, "2.20"),
        ("F(2,28)=2.20,p=.03", "F", 2, 28, "2.20"),
        ("F(2.1, 28.1) = 2.20, p = .03", "F", 2.1, 28.1, "2.20"),
        ("F(l, 76) = 23.95, p <.001", "F", 1, 76, "23.95"),
        ("Q(2) = 2.20, p = .03", "Q", 2, None, "2.20"),
        ("Q-within(2) = 2.20, p = .03", "Q", 2, None, "2.20"),
        ("Qbetween(2) = 2.20, p = .03", "Q", 2, None, "2.20"),
        ("X2(28) = 2.20, p = .03", "chi2", 28, None, "2.20"),
        ("x2(28) = 2.20, p = .03", "chi2", 28, None, "2.20"),
        ("chi_2(28) = 2.20, p = .03", "chi2", 28, None, "2.20"),
        ("chi2(1, N = 11,455) = 16.78, p <.001", "chi2", 1, None, "16.78"),
        ("chi2(1, n = 81) = 3.25, p = 0.07", "chi2", 1, None, "3.25"),
        ("r(28) = .20, p = .03", "r", None, 28, ".20"),
        ("t(28) = 2,000.20, p = .03", "t", None, 28, "2000.20"),
        ("t(28.1) = 2.20, p = .03", "t", None, 28.1, "2.20"),
        ("t(28) = 2.20, p = .5e-3", "t", None, 28, "2.20"),
        (" Z = 2.20 , p = .03", "z", None, None, "2.20"),
        # More tolerant than statcheck, which finds none of these.
        ("t(28) = 2.20; p = .03", "t", None, 28, "2.20"),
        ("t[28] = 2.20, p = .03", "t", None, 28, "2.20"),
        (" t(553) = − 4.46, p < .0001", "t", None, 553, "-4.46"),
        ("χ²(1, N = 84) = 3.25, p = .07", "chi2", 1, None, "3.25"),
        ("t(28) = 2.20, d = 0.42, 95% CI [0.03, 0.80], p = .036", "t", None, 28, "2.20"),
        ("X-squared = 3.25, df = 1, p-value = 0.0714", "chi2", 1, None, "3.25"),
        ("*t*(28) = 2.20, *p* = .036", "t", None, 28, "2.20"),
    ],
)
def test_what_is_read(text, kind, df1, df2, value):
    (found,) = extract_tests(text)
    assert (found.kind, found.df1, found.df2, found.value) == (kind, df1, df2, value)


@pytest.mark.parametrize(
    "text",
    [
        "Qs(2) = 2.2, p = .03",
        "r(16) = 26.05, p = .10",
        "r(28) = −59, p = .0008",
        "T(28) = 2.20, p = .03",
        "t(28) = 2.20, p = 1.03",
        "t(2,28) = 2.20, p = .03",
        "t(28) = .2.20, p = .03",
        " z(28) = 2.20, p = .03",
        "see p. 01",
        "at(28) = 2.20, p = .03",
        "It took t(28) = 2.20. The rest is told on another page, p = .03",
    ],
)
def test_what_is_not_a_test(text):
    assert extract_tests(text) == []


def test_several_tests_in_one_sentence_stay_apart():
    text = "Both effects were significant, F(2, 28) = 2.20, p = .03, t(28) = 1.23, p = .04, and Q(2) = 2.20, n.s."
    assert [found.kind for found in extract_tests(text)] == ["F", "t", "Q"]


def test_one_tailed_is_asked_of_the_sentence():
    """test-error.R: of two tests only the one said to be one-tailed is read so."""
    text = "this test is one-tailed: t(28) = 2.20, p = .02, but this one is not: t(28) = 2.20, p = .04"
    assert [found.one_tailed for found in extract_tests(text)] == [True, False]
    assert all(judge_test(found).consistent for found in extract_tests(text))
    assert judged("t(28) = 2.20, p = .018").note == "it would follow from a one-tailed test"
    assert judged("t(28) = 2.20, p = .036, one-tailed").note == "it would follow from a two-tailed test"
    assert not extract_tests("The test was not one-tailed: t(28) = 2.20, p = .036")[0].one_tailed


@pytest.mark.parametrize(
    ("text", "correction"),
    [
        ("t(28) = 2.20, p = .06", "p = .06 → p = .04"),
        ("t(28) = 2.20, p = 0.060", "p = 0.060 → p = 0.036"),
        ("t(28) = 2.20, p > .05", "p > .05 → p < .05"),
        ("t(28) = 22.20, p = .000", "p = .000 → p < .001"),
        ("t(28) = 2.20, ns", "n.s. → p = .036"),
        ("t(28) = 2.20, p = .036", ""),
    ],
)
def test_the_correction_mends_it(text, correction):
    result = judged(text)
    assert result.correction == correction
    if correction and not result.note:
        assert judged(f"t(28) = 2.20, {correction.partition('→')[2].strip()}").consistent


@given(
    st.sampled_from(["t", "F", "z", "chi2", "r"]),
    st.floats(0.01, 0.99),
    st.integers(1, 200),
    st.integers(1, 3),
    st.integers(2, 4),
)
def test_what_software_prints_is_always_consistent(kind, share, df, digits, p_digits):
    """A statistic and its p, both rounded as software does, never look wrong."""
    value = share if kind == "r" else 6 * share
    dfs = {"F": (3.0, float(df)), "t": (None, float(df)), "r": (None, float(df)), "z": (None, None)}
    df1, df2 = dfs.get(kind, (float(df), None))
    p = f"{compute_p(kind, value, df1, df2):.{p_digits}f}"
    where = {"F": f"(3, {df})", "z": ""}.get(kind, f"({df})")
    if float(f"{value:.{digits}f}") >= 1 and kind == "r":
        return
    text = f" {kind}{where} = {value:.{digits}f}, p {'=' if float(p) else '<'} {p if float(p) else '.001'}"
    if 0 < float(p) < 1 or p_digits > 2:
        result = judged(text)
        assert result.consistent or (not float(p) and result.high >= 0.001)
