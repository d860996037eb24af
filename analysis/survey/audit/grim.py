"""GRIM: can a mean of whole numbers from n people print as it does?

A mean of n whole-number answers is T/n for a whole total T (T/(n·k) for the mean of k items), so for small n only some
printed means can occur. N. J. L. Brown and J. A. J. Heathers (2017), The GRIM test, Social Psychological and
Personality Science 8(4), 363–369. Everything is computed on fractions: no tie is lost to floating point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from analysis.stats.rounding import TIE_RULES, printed_digits, printed_span, round_exactly
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
class GrimResult:
    """Outcome of a GRIM test.

    Attributes
    ----------
    consistent : bool
        Some total prints as the mean does, under one of the rules.
    totals : tuple of int
        Every such total; a mean of k items has the total over all items.
    rules : tuple of str
        The rules under which it prints so.
    corrections : tuple of Correction
        Where it is not consistent: the nearest mean and the nearest n that would be, smallest change first.
    detectable : float
        Share of all means of this precision that could not occur with this n: what the test can see at all.
    method : str
    """

    consistent: bool
    totals: tuple[int, ...]
    rules: tuple[str, ...]
    corrections: tuple[Correction, ...]
    detectable: float
    method: str


def grim_test(
    mean: str, n: int, items: int = 1, *, percent: bool = False, rules: Sequence[str] = TIE_RULES
) -> GrimResult:
    """Is a printed mean, or a printed percentage, possible for n people?

    Parameters
    ----------
    mean : str
        As printed, with all its digits.
    n : int
        People who answered.
    items : int
        Items that the mean averages over, each answered in whole numbers by all n.
    percent : bool
        The figure is a percentage: 100·T/(n·items).
    rules : sequence of str
        Rounding rules of `analysis.stats.rounding.RULES` that the source may have used. By default those that differ on
        ties alone, as Brown and Heathers do in the source's favour.

    Raises
    ------
    InputError
        A figure that is not digits as printed, n or items below 1, or an unknown rule.

    Examples
    --------
    The example of Brown and Heathers (2017): 28 people cannot have a mean of 5.19.

    >>> result = grim_test("5.19", 28)
    >>> result.consistent, [str(correction) for correction in result.corrections]
    (False, ['mean 5.19 → 5.18', 'n 28 → 27'])
    """
    problems = printed_problems("mean", mean, *((0, 100) if percent else (None, None)))
    refuse("A mean cannot be tested.", problems + whole_problems(n=n, items=items) + rule_problems(rules))
    found = {rule: possible_totals(mean, n, items, percent=percent, rule=rule) for rule in rules}
    totals = tuple(sorted({total for some in found.values() for total in some}))
    corrections: tuple[Correction, ...] = ()
    if not totals:
        corrections = order_corrections(_corrections(mean, n, items, percent, rules))
    return GrimResult(
        bool(totals),
        totals,
        tuple(rule for rule, some in found.items() if some),
        corrections,
        grim_detectable(mean, n, items, percent=percent),
        "GRIM (Brown and Heathers 2017), exact; rounding: " + ", ".join(rules),
    )


def possible_totals(mean: str, n: int, items: int = 1, *, percent: bool = False, rule: str) -> tuple[int, ...]:
    """Every whole total whose mean over ``n`` people and ``items`` items prints as ``mean`` under ``rule``.

    >>> possible_totals("5.18", 28, rule="half_up"), possible_totals("5.19", 28, rule="half_up")
    ((145,), ())
    """
    span = printed_span(mean, rule=rule)
    scale = Fraction(n * items, 100 if percent else 1)
    most = n if percent and items == 1 else None
    return tuple(
        total
        for total in range(ceil(span.low * scale), floor(span.high * scale) + 1)
        if total / scale in span and (not percent or total >= 0) and (most is None or total <= most)
    )


def grim_detectable(mean: str, n: int, items: int = 1, *, percent: bool = False) -> float:
    """Share of the fractional parts of this precision that n people cannot give: 1 − n·items/10^d, at least 0.

    Of 100 two-decimal fractions, 84 people can give 84, so that an arbitrary error is seen in 16 % of cases. A
    percentage counts as a proportion of two decimals more.

    >>> round(grim_detectable("3.50", 84), 2), round(grim_detectable("42.5", 84, percent=True), 3)
    (0.16, 0.916)
    """
    digits = printed_digits(mean) + (2 if percent else 0)
    return max(0.0, 1 - n * items / 10**digits)


def _corrections(mean: str, n: int, items: int, percent: bool, rules: Sequence[str]) -> list[Correction]:
    """The nearest printed mean that n allows, and the nearest n that allows the printed mean."""
    digits = printed_digits(mean)
    scale = Fraction(n * items, 100 if percent else 1)
    below = floor(Fraction(mean) * scale)
    printed = {
        str(round_exactly(total / scale, digits, rule=rule))
        for total in (below, below + 1)
        for rule in rules
        if total >= 0 or Fraction(mean) < 0
    }
    apart = {text: abs(Fraction(text) - Fraction(mean)) for text in printed}
    figure = "percentage" if percent else "mean"
    near = [Correction(figure, mean, text) for text, gap in apart.items() if gap == min(apart.values())]

    def fits(step: int) -> bool:
        others = n + step
        return others > 0 and any(possible_totals(mean, others, items, percent=percent, rule=rule) for rule in rules)

    reach = 10 ** (digits + (2 if percent else 0))
    return near + [Correction("n", str(n), str(n + step)) for step in nearest_steps(fits, min(reach, 1000))]
