"""What all checks of printed figures share: figures as printed text, and the smallest change that mends them.

A figure is text, not a number, since "3.50" says more than 3.5. A correction changes one figure alone; it is the
smallest there is for that figure, so what it names is a way to read a misprint, not proof of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from analysis.base.errors import InputError, Problem
from analysis.stats.rounding import RULES, printed_digits

_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Correction:
    """One figure changed so that all hold together: which one, what is printed, what would fit."""

    figure: str
    printed: str
    corrected: str

    @property
    def change(self) -> Fraction:
        """Size of the change relative to what is printed."""
        base = abs(Fraction(self.printed)) or Fraction(1)
        return abs(Fraction(self.corrected) - Fraction(self.printed)) / base

    def __str__(self) -> str:
        return f"{self.figure} {self.printed} → {self.corrected}"


def order_corrections(corrections: Iterable[Correction]) -> tuple[Correction, ...]:
    """Corrections, the relatively smallest first; of two as small, by figure and then upwards."""
    return tuple(sorted(corrections, key=lambda one: (one.change, one.figure, Fraction(one.corrected))))


def name_corrections(corrections: Iterable[Correction]) -> str:
    """Corrections in words: any one of them would do."""
    return " or ".join(map(str, corrections))


def nearest_steps(fits: Callable[[int], bool], reach: int) -> tuple[int, ...]:
    """The steps nearest to 0 that fit, one or both of −k and +k; empty where none within ``reach`` does.

    >>> nearest_steps(lambda step: step in (-3, 3, 5), 10)
    (-3, 3)
    """
    for size in range(1, reach + 1):
        found = tuple(step for step in (-size, size) if fits(step))
        if found:
            return found
    return ()


def step_printed(printed: str, steps: int) -> str:
    """``printed`` moved by units of its last digit.

    >>> step_printed("3.50", -1), step_printed("42", 2)
    ('3.49', '44')
    """
    return str(Decimal(printed) + Decimal(steps).scaleb(-printed_digits(printed)))


def printed_problems(name: str, printed: str, low: float | None = None, high: float | None = None) -> list[Problem]:
    """A figure must come as printed: text of digits, within the bounds it can have at all."""
    if not isinstance(printed, str) or not _NUMBER.fullmatch(printed):
        return [Problem(name, f"got {printed!r}", 'the digits as printed, as text: "3.50"')]
    if (low is not None and float(printed) < low) or (high is not None and float(printed) > high):
        bounds = f"{low:g} or more" if high is None else f"from {low:g} to {high:g}"
        return [Problem(name, f"got {printed}", bounds)]
    return []


def whole_problems(**numbers: int) -> list[Problem]:
    """Numbers that must be whole and 1 or more."""
    return [
        Problem(name, f"got {number!r}", "a whole number from 1 on")
        for name, number in numbers.items()
        if isinstance(number, bool) or not hasattr(number, "__index__") or number < 1
    ]


def rule_problems(rules: Iterable[str]) -> list[Problem]:
    """Rounding rules must be known, and one or more."""
    given = tuple(rules)
    wrong = [rule for rule in given if rule not in RULES]
    if given and not wrong:
        return []
    return [Problem("rules", f"got {', '.join(given) or 'none'}", f"some of: {', '.join(RULES)}")]


def refuse(title: str, problems: list[Problem]) -> None:
    """Raise with all problems, if there are any."""
    if problems:
        raise InputError(title, problems)
