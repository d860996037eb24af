"""Percentages against counts and n under every common rounding rule, and parts against their whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.base.errors import Problem
from analysis.stats.rounding import (
    RULES,
    TIE_RULES,
    compatible_counts,
    matching_rules,
    printed_digits,
    round_percent,
)
from analysis.survey.audit.printed import (
    Correction,
    nearest_steps,
    order_corrections,
    printed_problems,
    refuse,
    rule_problems,
    whole_problems,
)


@dataclass(frozen=True, slots=True)
class PercentResult:
    """Outcome of a percentage against its count.

    Attributes
    ----------
    consistent : bool
        It follows under one of the rules asked for.
    rules : tuple of str
        Every rule of `analysis.stats.rounding.RULES` under which it follows, asked for or not.
    expected : str
        What the count would print as, halves upwards.
    corrections : tuple of Correction
        Where it does not follow: nearest percentage, count and n that would, smallest change first.
    """

    consistent: bool
    rules: tuple[str, ...]
    expected: str
    corrections: tuple[Correction, ...]


@dataclass(frozen=True, slots=True)
class PartsResult:
    """Outcome of parts against their whole: ``difference`` is their sum minus the whole; zero where they fit."""

    consistent: bool
    difference: int
    corrections: tuple[Correction, ...]


def percent_test(percent: str, count: int, n: int, *, rules: Sequence[str] = tuple(RULES)) -> PercentResult:
    """Does a printed percentage follow from its count and n?

    Parameters
    ----------
    percent : str
        As printed, without the sign.
    count, n : int
        Of ``n``, ``count``; a count above n is refused, since no percentage follows from it.
    rules : sequence of str
        Rounding rules that the source may have used; all by default.

    Raises
    ------
    InputError
        A figure that is not digits as printed, a count outside 0 to n, n below 1, or unknown rules.

    Examples
    --------
    >>> result = percent_test("4", 4, 84, rules=TIE_RULES)
    >>> result.consistent, result.rules, [str(correction) for correction in result.corrections]
    (False, ('truncate',), ['n 84 → 89', 'count 4 → 3', 'percentage 4 → 5'])
    """
    problems = printed_problems("percentage", percent, 0) + whole_problems(n=n) + rule_problems(rules)
    if not problems and not 0 <= count <= n:
        problems.append(Problem("count", f"got {count} of {n}", "0 to n"))
    refuse("A percentage cannot be checked.", problems)
    matching = matching_rules(count, n, percent)
    expected = str(round_percent(count, n, printed_digits(percent), rule="half_up"))
    consistent = any(rule in matching for rule in rules)
    corrections = () if consistent else order_corrections(_percent_corrections(percent, count, n, rules))
    return PercentResult(consistent, matching, expected, corrections)


def lone_percent_test(percent: str, n: int, *, rules: Sequence[str] = TIE_RULES) -> PercentResult:
    """Can a percentage printed without its count be that of any count out of n?

    The counts that it allows are in `analysis.stats.rounding.compatible_counts`.

    >>> [str(correction) for correction in lone_percent_test("9", 84).corrections]
    ['n 84 → 85', 'percentage 9 → 8', 'percentage 9 → 10']
    """
    refuse(
        "A percentage cannot be checked.",
        printed_problems("percentage", percent, 0, 100) + whole_problems(n=n) + rule_problems(rules),
    )
    matching = tuple(rule for rule in RULES if compatible_counts(percent, n, rule=rule))
    if any(rule in matching for rule in rules):
        return PercentResult(True, matching, percent, ())
    digits = printed_digits(percent)
    near = {str(round_percent(count, n, digits, rule=rule)) for count in range(n + 1) for rule in rules}
    least = min(abs(float(text) - float(percent)) for text in near)
    nearest = sorted((text for text in near if abs(float(text) - float(percent)) == least), key=float)
    found = [Correction("percentage", percent, text) for text in nearest]
    steps = nearest_steps(
        lambda step: n + step > 0 and any(compatible_counts(percent, n + step, rule=rule) for rule in rules), 1000
    )
    found += [Correction("n", str(n), str(n + step)) for step in steps]
    return PercentResult(False, matching, found[0].corrected, order_corrections(found))


def parts_test(parts: Sequence[int], whole: int) -> PartsResult:
    """Do the printed parts add up to the printed whole?

    Raises
    ------
    InputError
        No parts, or a negative number.

    Examples
    --------
    >>> result = parts_test([4, 12, 34, 35], 84)
    >>> result.difference, [str(correction) for correction in result.corrections][:2]
    (1, ['whole 84 → 85', 'part 35 → 34'])
    """
    numbers = [*parts, whole]
    if not parts or any(number < 0 for number in numbers):
        refuse("Parts cannot be checked.", [Problem("parts", f"got {list(parts)} of {whole}", "parts from 0 on")])
    difference = sum(parts) - whole
    if not difference:
        return PartsResult(True, 0, ())
    found = [Correction("whole", str(whole), str(sum(parts)))]
    mended = dict.fromkeys(part for part in parts if part >= difference)
    found += [Correction("part", str(part), str(part - difference)) for part in mended]
    return PartsResult(False, difference, order_corrections(found))


def _percent_corrections(percent: str, count: int, n: int, rules: Sequence[str]) -> list[Correction]:
    digits = printed_digits(percent)
    printed = {str(round_percent(count, n, digits, rule=rule)) for rule in rules}
    least = min(abs(float(text) - float(percent)) for text in printed)
    found = [Correction("percentage", percent, text) for text in printed if abs(float(text) - float(percent)) == least]
    counts = {other for rule in rules for other in compatible_counts(percent, n, rule=rule)}
    nearest = min((abs(other - count) for other in counts), default=0)
    found += [Correction("count", str(count), str(other)) for other in counts if abs(other - count) == nearest]

    def fits(step: int) -> bool:
        whole = n + step
        return whole >= max(count, 1) and any(rule in matching_rules(count, whole, percent) for rule in rules)

    return found + [Correction("n", str(n), str(n + step)) for step in nearest_steps(fits, max(200, 2 * n))]
