"""GRIMMER: can a standard deviation of whole numbers stand beside its mean and n?

For whole answers with total T, the sum of squares Q is whole, has the parity of T (x² and x are odd together), and

    s² = (Q − T²/n) / (n − 1).

J. Anaya (2016), PeerJ Preprints 4:e2400v1, by tables; A. Allard (2018), Analytic-GRIMMER, by this equation. Answers
that average k items are whole sums over k, which multiplies s² by k² (rsprite2). Two more conditions are cheap and
exact: Q cannot be less than that of answers as equal as T allows, nor more than that of answers at the ends of the
scale.

Every total that rounds to the mean is tried, not only the nearest one, so that nothing possible is called impossible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, sqrt

from analysis.base.errors import Problem
from analysis.stats.rounding import TIE_RULES, printed_span
from analysis.survey.audit.grim import possible_totals
from analysis.survey.audit.printed import (
    Correction,
    nearest_steps,
    order_corrections,
    printed_problems,
    refuse,
    rule_problems,
    step_printed,
    whole_problems,
)

REASONS: dict[str, str] = {
    "": "all hold",
    "mean": "no whole total gives the mean (GRIM)",
    "sum": "no whole sum of squares gives the standard deviation",
    "parity": "every sum of squares that would give it is odd where the total is even, or the other way round",
    "scale": "answers would have to be more alike than whole numbers can be, or lie outside the scale",
}
"""Why mean, standard deviation and n do not go together; the order is that of the tests."""


_REACH = 50  # units of the last digit, or people: further away a figure is no misprint of another


@dataclass(frozen=True, slots=True)
class GrimmerResult:
    """Outcome of a GRIMMER test.

    Attributes
    ----------
    consistent : bool
    reason : str
        Key of `REASONS`: the last test that some total passed before all failed.
    sums : tuple of (int, int)
        Total and sum of squares of every solution.
    corrections : tuple of Correction
        Where it is not consistent: nearest standard deviation, mean and n that would be, smallest change first.
    method : str
    """

    consistent: bool
    reason: str
    sums: tuple[tuple[int, int], ...]
    corrections: tuple[Correction, ...]
    method: str


def grimmer_test(
    mean: str,
    sd: str,
    n: int,
    items: int = 1,
    *,
    scale: tuple[int, int] | None = None,
    rules: Sequence[str] = TIE_RULES,
) -> GrimmerResult:
    """Do a printed mean, standard deviation and n of whole answers go together?

    Parameters
    ----------
    mean, sd : str
        As printed, with all their digits. The standard deviation is the sample's (divisor n − 1).
    n : int
        People who answered, two or more.
    items : int
        Items that each person's score averages over.
    scale : (int, int), optional
        Lowest and highest answer to an item; not used unless given.
    rules : sequence of str
        Rounding rules that the source may have used; one rule for both figures.

    Raises
    ------
    InputError
        Figures that are not digits as printed, a negative standard deviation, n below 2, an empty scale, unknown rules.

    Examples
    --------
    >>> grimmer_test("5.23", "2.55", 31).consistent, grimmer_test("5.23", "2.55", 35).reason
    (True, 'parity')
    """
    problems = printed_problems("mean", mean) + printed_problems("sd", sd, 0)
    problems += whole_problems(n=n, items=items) + rule_problems(rules)
    if not problems and n < 2:
        problems.append(Problem("n", f"got {n}", "two or more: one answer has no standard deviation"))
    if scale is not None and not scale[0] < scale[1]:
        problems.append(Problem("scale", f"got {scale}", "lowest and highest answer, rising"))
    refuse("A standard deviation cannot be tested.", problems)
    reason, sums = _solve(mean, sd, n, items, scale, rules)
    corrections: tuple[Correction, ...] = ()
    if not sums:
        corrections = order_corrections(_corrections(mean, sd, n, items, scale, rules))
    method = "GRIMMER (Allard 2018), exact; rounding: " + ", ".join(rules)
    return GrimmerResult(bool(sums), reason, sums, corrections, method)


def sd_limits(mean: str, n: int, scale: tuple[int, int], items: int = 1) -> tuple[float, float]:
    """Smallest and largest standard deviation that n whole answers with this mean on this scale can have.

    Answers as equal as possible give the smallest, answers at the two ends of the scale the largest (as in
    `rsprite2:::.sd_limits`); for several totals that print as ``mean``, the widest.

    Raises
    ------
    InputError
        No total gives the mean, or it lies outside the scale.

    Examples
    --------
    >>> [round(limit, 2) for limit in sd_limits("4.2", 5, (1, 7))]
    [0.45, 3.03]
    """
    problems = printed_problems("mean", mean, *map(float, scale)) + whole_problems(n=n, items=items)
    if not problems and n < 2:
        problems.append(Problem("n", f"got {n}", "two or more"))
    refuse("A standard deviation has no limits here.", problems)
    ends = (scale[0] * items, scale[1] * items)
    totals = {total for rule in TIE_RULES for total in possible_totals(mean, n, items, rule=rule)}
    found = [
        sqrt(Fraction(square) - Fraction(total * total, n)) / (items * sqrt(n - 1))
        for total in totals
        if n * ends[0] <= total <= n * ends[1]
        for square in (_least(total, n), _most(total, n, ends))
    ]
    if not found:
        what = f"no {n} answers from {scale[0]} to {scale[1]} have it"
        refuse("A standard deviation has no limits here.", [Problem("mean", what, "test it with grim_test")])
    return min(found), max(found)


def _solve(
    mean: str, sd: str, n: int, items: int, scale: tuple[int, int] | None, rules: Sequence[str]
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The last test that anything passed, and every solution."""
    reasons = list(REASONS)
    furthest, sums = "mean", set()
    for rule in rules:
        for total in possible_totals(mean, n, items, rule=rule):
            squares = _sums_of_squares(sd, total, n, items, rule)
            even = [square for square in squares if (square - total) % 2 == 0]
            inside = [square for square in even if _within(square, total, n, items, scale)]
            sums |= {(total, square) for square in inside}
            reason = "sum" if not squares else "parity" if not even else "scale"
            furthest = max(furthest, reason, key=reasons.index)
    return ("" if sums else furthest), tuple(sorted(sums))


def _sums_of_squares(sd: str, total: int, n: int, items: int, rule: str) -> list[int]:
    """Whole sums of squares whose standard deviation prints as ``sd``; bounds squared, so no root is taken."""
    span = printed_span(sd, rule=rule)
    low, low_in = (span.low, span.low_in) if span.low >= 0 else (Fraction(0), True)
    factor, rest = Fraction(items * items * (n - 1)), Fraction(total * total, n)
    first, last = low**2 * factor + rest, span.high**2 * factor + rest
    return [
        square
        for square in range(ceil(first), floor(last) + 1)
        if (square > first or low_in) and (square < last or span.high_in)
    ]


def _within(square: int, total: int, n: int, items: int, scale: tuple[int, int] | None) -> bool:
    if square < _least(total, n):
        return False
    if scale is None:
        return True
    ends = (scale[0] * items, scale[1] * items)
    return n * ends[0] <= total <= n * ends[1] and square <= _most(total, n, ends)


def _least(total: int, n: int) -> int:
    """Sum of squares of n whole numbers as equal as their total allows."""
    low, more = divmod(total, n)
    return (n - more) * low**2 + more * (low + 1) ** 2


def _most(total: int, n: int, ends: tuple[int, int]) -> int:
    """Sum of squares of n whole numbers at both ends of the scale, with one between where the total asks for it."""
    low, high = ends
    at_top, between = divmod(total - n * low, high - low)
    if at_top >= n:
        return n * high**2
    return at_top * high**2 + (low + between) ** 2 + (n - at_top - 1) * low**2


def _corrections(
    mean: str, sd: str, n: int, items: int, scale: tuple[int, int] | None, rules: Sequence[str]
) -> list[Correction]:
    """Nearest standard deviation, mean and n, each alone, that make the three go together."""

    def holds(new_mean: str, new_sd: str, new_n: int) -> bool:
        if new_n < 2 or float(new_sd) < 0:
            return False
        return bool(_solve(new_mean, new_sd, new_n, items, scale, rules)[1])

    found = [
        Correction("sd", sd, step_printed(sd, step))
        for step in nearest_steps(lambda step: holds(mean, step_printed(sd, step), n), _REACH)
    ]
    found += [
        Correction("mean", mean, step_printed(mean, step))
        for step in nearest_steps(lambda step: holds(step_printed(mean, step), sd, n), _REACH)
    ]
    found += [
        Correction("n", str(n), str(n + step)) for step in nearest_steps(lambda step: holds(mean, sd, n + step), _REACH)
    ]
    return found
