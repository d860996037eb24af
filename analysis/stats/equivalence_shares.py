"""Equivalence tests (TOST) of shares: two independent groups, or two properties of the same respondents.

See `analysis.stats.equivalence` for the idea; results and the range of equivalence are as there, in shares of 1.

References
----------
Farrington CP, Manning G (1990) Test statistics and sample size formulae for comparative binomial trials with null
hypothesis of non-zero risk difference. Statistics in Medicine 9, 1447–1454.
Tango T (1998) Equivalence test and confidence interval for the difference in proportions for the paired-sample design.
Statistics in Medicine 17, 891–908.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
from scipy import optimize, stats

from analysis.base.errors import InputError, Problem
from analysis.stats.equivalence import Equivalence, check_range, estimate_of, result_of

SHARE_METHODS: dict[str, str] = {"wald": "z tests, separate variances", "score": "score tests (Farrington, Manning)"}
PAIRED_SHARE_METHODS: dict[str, str] = {"wald": "z tests of paired shares", "score": "score tests (Tango)"}


def tost_shares(
    count: int, n: int, other_count: int, other_n: int, *, low: float, high: float, level: float = 0.05, method: str
) -> Equivalence:
    """Shares of two independent groups: count/n − other_count/other_n within ``low`` to ``high``.

    Parameters
    ----------
    count, n, other_count, other_n : int
        Respondents who gave the answer, and all, in either group.
    low, high : float
        Range of equivalent differences (shares, not percentages).
    level : float
        Of each one-sided test.
    method : {"wald", "score"}
        Wald fails where a group's share is 0 or 1 (no variance); the score tests take the variance at the bound
        tested and hold their level better in small groups.

    Raises
    ------
    InputError
        Unknown method, level outside (0, 0.5), counts outside 0…n, a range that is empty or beyond ±1, no variance.

    Examples
    --------
    >>> result = tost_shares(65, 100, 70, 100, low=-0.1, high=0.1, method="wald")
    >>> round(result.p_value, 4), result.estimate.interval_text()
    (0.2248, '-15.9 to 5.9%')
    """
    check_range(low, high, level, method, SHARE_METHODS, -1, 1)
    _check_counts({"count": (count, n), "other_count": (other_count, other_n)})
    first, second = count / n, other_count / other_n
    value = first - second
    if method == "wald":
        error = sqrt(first * (1 - first) / n + second * (1 - second) / other_n)
        return _by_normal(
            value, error, low, high, level, n + other_n, SHARE_METHODS[method], f"{__name__}.tost_shares", "share"
        )

    def statistic(bound: float) -> float:
        p, q = _restricted_shares(count, n, other_count, other_n, bound)
        return _ratio(value - bound, sqrt(max(0.0, p * (1 - p) / n + q * (1 - q) / other_n)))

    return _by_score(value, statistic, low, high, level, n + other_n, SHARE_METHODS[method], f"{__name__}.tost_shares")


def tost_paired_shares(
    only_first: int, only_second: int, n: int, *, low: float, high: float, level: float = 0.05, method: str
) -> Equivalence:
    """Two shares of the same n respondents: (only_first − only_second)/n within ``low`` to ``high``.

    Parameters
    ----------
    only_first, only_second : int
        Respondents with the first property only, and with the second only.
    n : int
        All respondents, those with both or neither included.
    low, high, level
        As in `tost_shares`.
    method : {"wald", "score"}

    Raises
    ------
    InputError
        As in `tost_shares`; Wald where nobody changes.
    """
    check_range(low, high, level, method, PAIRED_SHARE_METHODS, -1, 1)
    _check_counts({"only_first + only_second": (only_first + only_second, n), "only_first": (only_first, n)})
    value, discordant = (only_first - only_second) / n, (only_first + only_second) / n
    label = PAIRED_SHARE_METHODS[method]
    if method == "wald":
        error = sqrt((discordant - value**2) / n)
        return _by_normal(value, error, low, high, level, n, label, f"{__name__}.tost_paired_shares", "share")

    def statistic(bound: float) -> float:
        # Tango's restricted estimate of the share that has the second property only.
        a = 2 * n
        b = -only_first - only_second + (2 * n - only_first + only_second) * bound
        c = -only_second * bound * (1 - bound)
        second_only = (sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        variance = n * (2 * second_only + bound * (1 - bound))
        return _ratio(only_first - only_second - n * bound, sqrt(max(0.0, variance)))

    return _by_score(value, statistic, low, high, level, n, label, f"{__name__}.tost_paired_shares")


def _by_normal(
    value: float, error: float, low: float, high: float, level: float, n: int, words: str, name: str, unit: str
) -> Equivalence:
    if error == 0:
        raise InputError("Equivalence cannot be tested.", [Problem("counts", "no variance", "method='score'")])
    half = float(stats.norm.isf(level)) * error
    above, below = (value - low) / error, (value - high) / error
    estimate = estimate_of(value, value - half, value + half, level, n, words, name, unit)
    tails = float(stats.norm.sf(above)), float(stats.norm.cdf(below))
    return result_of(estimate, low, high, (above, below), tails, None, level, words)


def _by_score(
    value: float,
    statistic: Callable[[float], float],
    low: float,
    high: float,
    level: float,
    n: int,
    words: str,
    name: str,
) -> Equivalence:
    """Score tests; the interval holds the bounds that they do not reject, found by bisection."""
    z, edge = float(stats.norm.isf(level)), 1 - 1e-9
    ends = []
    for goal, end in ((z, -edge), (-z, edge)):
        start = value * edge
        beyond = statistic(end) - goal
        inside = abs(start - end) < 1e-9 or (beyond > 0) == (statistic(start) - goal > 0)
        ends.append(round(end) if inside else optimize.brentq(lambda at, g=goal: statistic(at) - g, end, start))
    above, below = statistic(low), statistic(high)
    estimate = estimate_of(
        value, float(min(ends[0], value)), float(max(ends[1], value)), level, n, words, name, "share"
    )
    tails = float(stats.norm.sf(above)), float(stats.norm.cdf(below))
    return result_of(estimate, low, high, (above, below), tails, None, level, words)


def _restricted_shares(count: int, n: int, other_count: int, other_n: int, bound: float) -> tuple[float, float]:
    """Most likely shares with a difference of ``bound`` (Farrington and Manning, appendix; closed form of a cubic)."""
    ratio, p, q = other_n / n, count / n, other_count / other_n
    a = 1 + ratio
    b = -(1 + ratio + p + ratio * q + bound * (ratio + 2))
    c = bound**2 + bound * (2 * p + ratio + 1) + p + ratio * q
    d = -p * bound * (1 + bound)
    v = b**3 / (27 * a**3) - b * c / (6 * a**2) + d / (2 * a)
    u = np.copysign(sqrt(max(0.0, b**2 / (9 * a**2) - c / (3 * a))), v)
    angle = (np.pi + np.arccos(np.clip(v / u**3, -1, 1))) / 3 if u != 0 else np.pi / 2
    first = float(np.clip(2 * u * np.cos(angle) - b / (3 * a), max(0.0, bound), min(1.0, 1 + bound)))
    return first, first - bound


def _ratio(distance: float, error: float) -> float:
    """Distance in standard errors; without error, as far as can be."""
    if error > 1e-12:
        return distance / error
    return 0.0 if abs(distance) < 1e-12 else float(np.copysign(np.inf, distance))


def _check_counts(counts: dict[str, tuple[int, int]]) -> None:
    problems = [
        Problem(name, f"got {count} of {n}", "whole numbers from 0 to n, n from 1 on")
        for name, (count, n) in counts.items()
        if not (n >= 1 and 0 <= count <= n and count % 1 == 0 and n % 1 == 0)
    ]
    if problems:
        raise InputError("Equivalence cannot be tested.", problems)
