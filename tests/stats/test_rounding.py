"""Rounding rules on ties, and which counts a printed percentage allows, against enumeration."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.stats.rounding import (
    RULES,
    compatible_counts,
    matching_rules,
    printed_span,
    reconcile_counts,
    round_exactly,
    round_percent,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # half up, half even, half away, truncation, half down, up; ties on both sides of zero, and no tie
        (Fraction(5, 2), "3 2 3 2 2 3"),
        (Fraction(7, 2), "4 4 4 3 3 4"),
        (Fraction(-5, 2), "-2 -2 -3 -2 -3 -2"),
        (Fraction(-7, 2), "-3 -4 -4 -3 -4 -3"),
        (Fraction(27, 10), "3 3 3 2 3 3"),
        (Fraction(23, 10), "2 2 2 2 2 3"),
        (Fraction(-27, 10), "-3 -3 -3 -2 -3 -2"),
        (Fraction(2), "2 2 2 2 2 2"),
    ],
)
def test_rules_differ_on_ties_only_as_they_should(value, expected):
    assert [str(round_exactly(value, rule=rule)) for rule in RULES] == expected.split()


@pytest.mark.parametrize("rule", RULES)
@given(top=st.integers(-2_000, 2_000), bottom=st.sampled_from([1, 2, 8, 40, 84]), digits=st.integers(0, 2))
def test_a_span_holds_what_prints_so_and_nothing_else(rule, top, bottom, digits):
    value = Fraction(top, bottom)
    printed = round_exactly(value, digits, rule=rule)
    assert value in printed_span(str(printed), rule=rule)
    for other in (printed + Decimal(1).scaleb(-digits), printed - Decimal(1).scaleb(-digits)):
        assert value not in printed_span(str(other), rule=rule)


@given(st.integers(-10_000, 10_000), st.integers(1, 999), st.integers(0, 3))
def test_half_even_is_python_and_error_stays_within_half_a_unit(top, bottom, digits):
    value = Fraction(top, bottom)
    assert Fraction(round_exactly(value, digits, rule="half_even")) == round(value, digits)
    unit = Fraction(1, 10**digits)
    for rule in ("half_up", "half_even", "half_away"):
        assert abs(Fraction(round_exactly(value, digits, rule=rule)) - value) <= unit / 2
    cut = Fraction(round_exactly(value, digits, rule="truncate"))
    assert abs(cut) <= abs(value) < abs(cut) + unit


def test_exact_ties_are_not_lost_to_floating_point():
    # 1/8 is 12.5 %; 21/40 is 52.5 %, which binary fractions cannot hold exactly.
    assert str(round_percent(1, 8, rule="half_even")) == "12"
    assert str(round_percent(21, 40, rule="half_up")) == "53"
    assert str(round_percent(21, 40, rule="half_even")) == "52"


@pytest.mark.parametrize("rule", RULES)
@given(count=st.integers(0, 400), n=st.integers(1, 400), digits=st.integers(0, 2))
def test_a_count_is_among_the_counts_that_its_percentage_allows(rule, count, n, digits):
    if count > n:
        return
    printed = str(round_percent(count, n, digits, rule=rule))
    everything = tuple(k for k in range(n + 1) if round_percent(k, n, digits, rule=rule) == Decimal(printed))
    assert compatible_counts(printed, n, rule=rule) == everything
    assert count in everything
    assert rule in matching_rules(count, n, printed)


def test_some_percentages_cannot_occur():
    # Of 84, whole percentages step by 1.19 points, so that some are skipped: 8 % would need 6.3 to 7.1.
    assert compatible_counts("8", 84, rule="half_up") == (7,)
    assert compatible_counts("9", 84, rule="half_up") == ()
    assert compatible_counts("8.0", 84, rule="half_up") == ()


@given(st.lists(st.integers(0, 50), min_size=2, max_size=5).filter(any))
def test_sound_counts_reconcile_to_themselves(counts):
    n = sum(counts)
    printed = [str(round_percent(count, n, rule="half_up")) for count in counts]
    assert reconcile_counts(counts, printed, n, rule="half_up") == (tuple(counts),)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.data())
def test_a_seeded_misprint_is_within_reach(counts, data):
    """One count raised by one: the true counts are always a candidate, never further than that one."""
    n = sum(counts)
    printed = [str(round_percent(count, n, digits=1, rule="half_up")) for count in counts]
    place = data.draw(st.integers(0, len(counts) - 1))
    misprinted = [count + (which == place) for which, count in enumerate(counts)]
    assert tuple(counts) in reconcile_counts(misprinted, printed, n, rule="half_up")


def test_nothing_reconciles_the_impossible():
    assert reconcile_counts([1, 1], ["10", "10"], 84, rule="half_up") == ()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: round_exactly(1, rule="nearest"),
        lambda: round_exactly(1, -1, rule="half_up"),
        lambda: round_percent(1, 0, rule="half_up"),
        lambda: printed_span("1", rule="nearest"),
        lambda: reconcile_counts([1], ["10", "90"], 10, rule="half_up"),
    ],
)
def test_wrong_input_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()
