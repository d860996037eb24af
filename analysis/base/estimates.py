"""An estimate is never a bare number: it carries its interval, n and method, and knows how to print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from numbers import Integral
from typing import ParamSpec

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point estimate with its interval.

    Attributes
    ----------
    value, low, high : float
        Estimate and interval bounds in ``unit``; bounds are None where no interval applies.
    confidence : float or None
        Coverage aimed at, for example 0.95.
    n : int or None
        Number of observations behind it.
    method : str
        How it was computed, in words a reader can look up.
    unit : str
        ``"share"`` (0–1, printed as a percentage), ``""`` (a pure number), or a unit such as ``"h"``.
    function : str
        Dotted name of the function that computed it.
    """

    value: float
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    n: int | None = None
    method: str = ""
    unit: str = ""
    function: str = ""

    def text(self, digits: int = 1) -> str:
        """The value as printed.

        >>> Estimate(47 / 84, unit="share").text()
        '56.0%'
        >>> Estimate(3.25, unit="h").text(2)
        '3.25 h'
        """
        return format_value(self.value, self.unit, digits)

    def interval_text(self, digits: int = 1) -> str:
        """The interval as printed.

        >>> Estimate(0.56, 0.453, 0.661, unit="share").interval_text()
        '45.3–66.1%'
        >>> Estimate(0.0, -0.1, 0.1, unit="share").interval_text()
        '-10.0 to 10.0%'
        """
        if self.low is None or self.high is None:
            return ""
        low, high = (format_value(bound, self.unit, digits) for bound in (self.low, self.high))
        if self.unit == "share":
            low = low.removesuffix("%")
        elif self.unit:
            low = low.removesuffix(f" {self.unit}")
        return f"{low} to {high}" if "-" in f"{low}{high}" else f"{low}–{high}"


def format_value(value: float, unit: str = "", digits: int = 1) -> str:
    """A number with its unit; counts print without decimals, shares as percentages.

    >>> format_value(84), format_value(0.125, "share"), format_value(1234.5, "h")
    ('84', '12.5%', '1,234.5 h')
    >>> format_value(-0.0001, "share")
    '0.0%'
    """
    if unit == "share":
        return f"{100 * value:z.{digits}f}%"
    number = f"{value:,}" if isinstance(value, Integral) else f"{value:z,.{digits}f}"
    return f"{number} {unit}" if unit else number


def estimator(function: Callable[P, Estimate]) -> Callable[P, Estimate]:
    """Stamp the function's dotted name on the `Estimate` it returns, so that a number leads back to it."""

    @wraps(function)
    def stamped(*args: P.args, **kwargs: P.kwargs) -> Estimate:
        estimate = function(*args, **kwargs)
        return replace(estimate, function=f"{function.__module__}.{function.__qualname__}")

    return stamped
