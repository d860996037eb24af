"""DEBIT: can the mean and the standard deviation of yes-or-no answers stand beside each other?

With k of n people saying yes, the mean is k/n and the sample standard deviation follows from it,

    s = √(n/(n − 1) · m·(1 − m)).

J. A. J. Heathers and N. J. L. Brown (2019), DEBIT: a simple consistency test for binary data, https://osf.io/5vb3u/.
They compare the range of means that round to the printed one with the range of standard deviations; here every count k
is tried, so that what fits is a count, and what no count fits is impossible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from analysis.base.errors import Problem
from analysis.stats.rounding import TIE_RULES, printed_digits, printed_span, round_exactly
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


@dataclass(frozen=True, slots=True)
class DebitResult:
    """Outcome of a DEBIT test.

    Attributes
    ----------
    consistent : bool
    counts : tuple of int
        Every count of yes that prints as both figures do.
    expected : tuple of str
        What the standard deviation would be printed as for the counts that the mean alone allows.
    corrections : tuple of Correction
        Nearest standard deviation, mean and n, smallest change first; empty where it is consistent.
    method : str
    """

    consistent: bool
    counts: tuple[int, ...]
    expected: tuple[str, ...]
    corrections: tuple[Correction, ...]
    method: str


def debit_test(mean: str, sd: str, n: int, *, rules: Sequence[str] = TIE_RULES) -> DebitResult:
    """Do the printed mean and standard deviation of n yes-or-no answers (1 and 0) go together?

    Parameters
    ----------
    mean, sd : str
        As printed, with all their digits; the mean is a share from 0 to 1, the standard deviation the sample's.
    n : int
        People who answered, two or more.
    rules : sequence of str
        Rounding rules that the source may have used; one rule for both figures.

    Raises
    ------
    InputError
        Figures that are not digits as printed or lie outside 0 to 1, n below 2, unknown rules.

    Examples
    --------
    >>> result = debit_test("0.35", "0.18", 20)
    >>> result.consistent, result.expected
    (False, ('0.49',))
    """
    problems = printed_problems("mean", mean, 0, 1) + printed_problems("sd", sd, 0, 1)
    problems += whole_problems(n=n) + rule_problems(rules)
    if not problems and n < 2:
        problems.append(Problem("n", f"got {n}", "two or more: one answer has no standard deviation"))
    refuse("Binary figures cannot be tested.", problems)
    counts = _counts(mean, sd, n, rules)
    allowed = [(k, rule) for rule in rules for k in possible_totals(mean, n, rule=rule) if 0 <= k <= n]
    expected = tuple(sorted({_printed_sd(k, n, printed_digits(sd), rule) for k, rule in allowed}))
    corrections: tuple[Correction, ...] = ()
    if not counts:
        corrections = order_corrections(_corrections(mean, sd, n, rules))
    method = "DEBIT (Heathers and Brown 2019), by counts; rounding: " + ", ".join(rules)
    return DebitResult(bool(counts), counts, expected, corrections, method)


def _counts(mean: str, sd: str, n: int, rules: Sequence[str]) -> tuple[int, ...]:
    found = set()
    for rule in rules:
        span = printed_span(sd, rule=rule)
        low, low_in = (span.low, span.low_in) if span.low >= 0 else (Fraction(0), True)
        for k in possible_totals(mean, n, rule=rule):
            variance = _variance(k, n)
            above = variance > low**2 or (low_in and variance == low**2)
            if 0 <= k <= n and above and (variance < span.high**2 or (span.high_in and variance == span.high**2)):
                found.add(k)
    return tuple(sorted(found))


def _variance(k: int, n: int) -> Fraction:
    return Fraction(k * (n - k), n * (n - 1))


def _printed_sd(k: int, n: int, digits: int, rule: str) -> str:
    """The standard deviation rounded by ``rule``, without floating point."""
    square = _variance(k, n) * 4 * 10 ** (2 * digits)  # of twice s in units of the last digit
    root = isqrt(square.numerator // square.denominator)
    # Rounding is decided at whole numbers of half units: between two of them, any point rounds as the root does.
    twice = root if root**2 == square else root + Fraction(1, 2)
    return str(round_exactly(Fraction(twice, 2 * 10**digits), digits, rule=rule))


def _corrections(mean: str, sd: str, n: int, rules: Sequence[str]) -> list[Correction]:
    reach = 10 ** min(max(printed_digits(mean), printed_digits(sd)), 3)

    def share(text: str) -> bool:
        return 0 <= float(text) <= 1

    found = []
    for figure, printed in (("sd", sd), ("mean", mean)):

        def holds(step: int, figure: str = figure, printed: str = printed) -> bool:
            moved = step_printed(printed, step)
            both = (mean, moved) if figure == "sd" else (moved, sd)
            return share(moved) and bool(_counts(*both, n, rules))

        found += [Correction(figure, printed, step_printed(printed, step)) for step in nearest_steps(holds, reach)]
    steps = nearest_steps(lambda step: n + step >= 2 and bool(_counts(mean, sd, n + step, rules)), min(reach, 200))
    return found + [Correction("n", str(n), str(n + step)) for step in steps]
