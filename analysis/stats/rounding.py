"""Rounding as printed tables do it, exactly: what a count prints as, and which counts a printed figure allows.

All arithmetic is on fractions, so that 12.5 is a tie and not 12.499999. The second half is the
idea of the GRIM test (Brown and Heathers, 2017, Social Psychological and Personality Science
8(4), 363–369) for percentages: with n known, only some percentages can occur at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor

from analysis.base.errors import InputError, Problem

RULES: dict[str, str] = {
    "half_up": "halves upwards",
    "half_even": "halves to the even digit",
    "half_away": "halves away from zero",
    "truncate": "further digits cut off",
    "half_down": "halves downwards",
    "up": "always upwards",
}
"""Rounding rules in common use: half up (Excel's reading of positive numbers, most people), half even (IEEE 754,
Python, R), half away from zero (Excel, SPSS), truncation, half down, and always up (the ceiling)."""

TIE_RULES: tuple[str, ...] = ("half_up", "half_even", "half_away", "half_down")
"""Rules that differ on ties alone; what fits none of them is not rounded in any usual sense."""


@dataclass(frozen=True, slots=True)
class Span:
    """Every number that prints the same: from ``low`` to ``high``, each bound in or out."""

    low: Fraction
    high: Fraction
    low_in: bool
    high_in: bool

    def __contains__(self, value: Fraction | int) -> bool:
        above = value > self.low or (self.low_in and value == self.low)
        return above and (value < self.high or (self.high_in and value == self.high))


def round_exactly(value: Fraction | int, digits: int = 0, *, rule: str) -> Decimal:
    """Round a rational number at ``digits`` decimals by one of `RULES`.

    Raises
    ------
    InputError
        Unknown rule, or negative ``digits``.

    Examples
    --------
    >>> [str(round_exactly(Fraction(5, 2), rule=rule)) for rule in RULES]
    ['3', '2', '3', '2', '2', '3']
    >>> [str(round_exactly(Fraction(-5, 2), rule=rule)) for rule in RULES]
    ['-2', '-2', '-3', '-2', '-3', '-2']
    """
    if rule not in RULES or digits < 0:
        raise InputError(
            "Cannot round.",
            [Problem("rule, digits", f"got '{rule}' and {digits}", f"rules: {', '.join(RULES)}; digits from 0 on")],
        )
    scaled = Fraction(value) * 10**digits
    size = abs(scaled)
    whole, rest = floor(size), size - floor(size)
    if rule == "truncate":
        up = False
    elif rule == "up":
        up = rest > 0 and scaled > 0
    elif rest != Fraction(1, 2):
        up = rest > Fraction(1, 2)
    elif rule == "half_even":
        up = whole % 2 == 1
    elif rule == "half_up":
        up = scaled > 0
    elif rule == "half_down":
        up = scaled < 0
    else:
        up = True
    number = (whole + up) * (1 if scaled >= 0 else -1)
    return Decimal(number).scaleb(-digits) if digits else Decimal(number)


def printed_span(printed: str, *, rule: str) -> Span:
    """Every number that prints as ``printed`` under ``rule``, at the printed precision.

    Raises
    ------
    InputError
        Unknown rule.

    Examples
    --------
    >>> span = printed_span("0.5", rule="half_up")
    >>> float(span.low), float(span.high), span.low_in, span.high_in
    (0.45, 0.55, True, False)
    """
    digits, value = printed_digits(printed), Fraction(printed)
    unit = Fraction(1, 10**digits)
    wide = rule in ("truncate", "up")  # a whole unit to one side; the others half a unit to both
    low, high = value - unit / (1 if wide else 2), value + unit / (1 if wide else 2)
    if rule == "truncate" and value:
        low, high = (value, high) if value > 0 else (low, value)
    elif rule == "up":
        high = value
    # Which bounds belong to it is asked of the rounding itself, so that the two cannot disagree.
    low_in, high_in = (Fraction(round_exactly(bound, digits, rule=rule)) == value for bound in (low, high))
    return Span(low, high, low_in, high_in)


def round_percent(count: int, n: int, digits: int = 0, *, rule: str) -> Decimal:
    """100·count/n as it would be printed.

    Examples
    --------
    >>> str(round_percent(4, 84, rule="half_up")), str(round_percent(4, 84, rule="truncate"))
    ('5', '4')
    """
    _check_n(n)
    return round_exactly(Fraction(100 * count, n), digits, rule=rule)


def printed_digits(printed: str) -> int:
    """Decimals of a printed number; ``"8.0"`` has one, ``"8"`` none.

    >>> printed_digits("8.0"), printed_digits("8")
    (1, 0)
    """
    return len(printed.partition(".")[2])


def matching_rules(count: int, n: int, printed: str) -> tuple[str, ...]:
    """The rules under which ``count`` of ``n`` prints as ``printed``, at the printed precision.

    Examples
    --------
    >>> matching_rules(35, 84, "42")
    ('half_up', 'half_even', 'half_away', 'half_down', 'up')
    >>> matching_rules(4, 84, "4")
    ('truncate',)
    """
    digits = printed_digits(printed)
    return tuple(rule for rule in RULES if round_percent(count, n, digits, rule=rule) == Decimal(printed))


def compatible_counts(printed: str, n: int, *, rule: str) -> tuple[int, ...]:
    """Every count out of ``n`` that prints as ``printed`` per cent under ``rule``.

    Examples
    --------
    >>> compatible_counts("30", 84, rule="half_up"), compatible_counts("30", 84, rule="truncate")
    ((25,), (26,))
    """
    _check_n(n)
    digits = printed_digits(printed)
    middle = int(Fraction(printed) * n / 100)
    reach = n // (100 * 10**digits) + 2
    near = range(max(0, middle - reach), min(n, middle + reach) + 1)
    return tuple(count for count in near if round_percent(count, n, digits, rule=rule) == Decimal(printed))


def reconcile_counts(
    counts: Sequence[int], printed: Sequence[str], n: int, *, rule: str
) -> tuple[tuple[int, ...], ...]:
    """The count vectors nearest to ``counts`` that sum to ``n`` and print as ``printed``.

    Parameters
    ----------
    counts : sequence of int
        Counts as published, one an answer.
    printed : sequence of str
        Percentages as published, in the same order.
    n : int
        Number of respondents.
    rule : str
        One of `RULES`.

    Returns
    -------
    tuple of tuple of int
        All vectors at the smallest total distance (respondents moved in or out); empty where no
        vector satisfies both the sum and the percentages.

    Examples
    --------
    >>> reconcile_counts([35, 34, 12, 4], ["42", "40", "14", "4"], 84, rule="half_up")
    ((35, 34, 12, 3),)
    """
    if len(counts) != len(printed):
        raise InputError(
            "Cannot reconcile.",
            [Problem("", f"{len(counts)} counts, {len(printed)} percentages", "give one of each per answer")],
        )
    partial: list[tuple[int, ...]] = [()]
    for text in printed:
        allowed = compatible_counts(text, n, rule=rule)
        partial = [(*vector, count) for vector in partial for count in allowed if sum(vector) + count <= n]
    whole = [vector for vector in partial if sum(vector) == n]
    distance = {vector: sum(abs(a - b) for a, b in zip(vector, counts, strict=True)) for vector in whole}
    least = min(distance.values(), default=0)
    return tuple(vector for vector in whole if distance[vector] == least)


def _check_n(n: int) -> None:
    if n <= 0:
        raise InputError(
            "A percentage needs somebody to be a percentage of.", [Problem("n", f"got {n}", "n from 1 on")]
        )
