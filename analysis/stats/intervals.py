"""Intervals for shares of a sample: one share, all shares of a question at once, a difference, a median.

Every function takes counts and returns an `Estimate` with interval, n and the method's name; the
method is always said by the caller. Counts and n are respondents; shares run from 0 to 1.

References
----------
Wilson EB (1927) Probable inference, the law of succession, and statistical inference. JASA 22, 209–212.
Clopper CJ, Pearson ES (1934) The use of confidence or fiducial limits. Biometrika 26, 404–413.
Newcombe RG (1998) Two-sided confidence intervals for the single proportion. Statistics in Medicine 17, 857–872.
Goodman LA (1965) On simultaneous confidence intervals for multinomial proportions. Technometrics 7, 247–254.
Sison CP, Glaz J (1995) Simultaneous confidence intervals and sample size determination for multinomial
proportions. JASA 90, 366–369.
Bonett DG, Price RM (2012) Adjusted Wald confidence interval for a difference of binomial proportions based on
paired data. J. Educ. Behav. Stat. 37, 479–488.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, sqrt
from numbers import Real

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import multinomial_proportions_confint, proportion_confint

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator

SHARE_METHODS: dict[str, tuple[str, str]] = {
    "wilson": ("wilson", "Wilson score interval"),
    "clopper-pearson": ("beta", "Clopper–Pearson exact interval"),
}
"""Method → (statsmodels' name, name as printed)."""

JOINT_METHODS: dict[str, str] = {
    "goodman": "Goodman simultaneous interval",
    "sison-glaz": "Sison–Glaz simultaneous interval",
}

DIFFERENCE_METHODS: dict[str, str] = {
    "wald": "Wald interval for a difference of two shares of one sample",
    "bonett-price": "Bonett–Price adjusted Wald interval for a difference of two shares of one sample",
}


@estimator
def compute_share(count: int, n: int, confidence: float = 0.95, *, method: str) -> Estimate:
    """Share of ``n`` respondents with its interval.

    Parameters
    ----------
    count, n : int
        Respondents who gave the answer, and all respondents.
    confidence : float
        Coverage aimed at.
    method : {"wilson", "clopper-pearson"}
        Wilson's interval covers at its nominal level on average; Clopper–Pearson's never covers less
        and is wider for it.

    Raises
    ------
    InputError
        Unknown method, confidence outside (0, 1), or a count outside 0…n.

    Examples
    --------
    >>> compute_share(2, 20, method="wilson").interval_text()
    '2.8–30.1%'
    """
    _check(confidence, method, SHARE_METHODS)
    _check_counts([count, n - count], n)
    name, label = SHARE_METHODS[method]
    low, high = proportion_confint(count, n, alpha=1 - confidence, method=name)
    return _share(count, n, low, high, confidence, label)


@estimator
def compute_joint_share(counts: Sequence[int], which: int, confidence: float = 0.95, *, method: str) -> Estimate:
    """Share of one answer with an interval that holds for all answers of the question together.

    Use these where answers of one question are compared with each other: the stated confidence is
    that of *all* intervals holding at once.

    Parameters
    ----------
    counts : sequence of int
        Respondents for each answer; they sum to n.
    which : int
        Place in ``counts`` of the answer wanted, from 0.
    confidence : float
        Joint coverage aimed at.
    method : {"goodman", "sison-glaz"}
        Goodman's is safe for few answers. Sison–Glaz is narrower, but made for seven answers or
        more and degenerate where one answer takes everything.

    Raises
    ------
    InputError
        Unknown method, confidence outside (0, 1), negative counts, nobody, or ``which`` out of range.
    """
    _check(confidence, method, JOINT_METHODS)
    n = sum(counts)
    _check_counts(counts, n)
    if not 0 <= which < len(counts):
        raise InputError("No such answer.", [Problem("which", f"got {which}", f"0 to {len(counts) - 1}")])
    low, high = _joint_bounds(tuple(counts), confidence, method)[which]
    return _share(counts[which], n, low, high, confidence, JOINT_METHODS[method])


@lru_cache(maxsize=64)
def _joint_bounds(counts: tuple[int, ...], confidence: float, method: str) -> np.ndarray:
    """Bounds of all answers of a question; remembered, since they are asked for answer by answer."""
    return multinomial_proportions_confint(list(counts), alpha=1 - confidence, method=method)


@estimator
def compute_share_difference(
    count: int, other_count: int, n: int, confidence: float = 0.95, *, method: str
) -> Estimate:
    """Difference between the shares of two answers that exclude each other, in one sample.

    The variance is that of a multinomial, (p₁ + p₂ − (p₁ − p₂)²)/n: whoever gives one answer cannot
    give the other, so the two shares are not independent.

    Parameters
    ----------
    count, other_count : int
        Respondents for the first and for the second answer.
    n : int
        All respondents, those with neither answer included.
    confidence : float
        Coverage aimed at.
    method : {"wald", "bonett-price"}
        Bonett–Price adds one respondent to each answer (n + 2) and covers better in small samples;
        the value stays (count − other_count)/n.

    Raises
    ------
    InputError
        Unknown method, confidence outside (0, 1), or counts that exceed n.
    """
    _check(confidence, method, DIFFERENCE_METHODS)
    _check_counts([count, other_count, n - count - other_count], n)
    added = 1 if method == "bonett-price" else 0
    total = n + 2 * added
    first, second = (count + added) / total, (other_count + added) / total
    half = stats.norm.ppf((1 + confidence) / 2) * sqrt((first + second - (first - second) ** 2) / total)
    centre = first - second
    return Estimate(
        (count - other_count) / n,
        float(max(-1.0, centre - half)),
        float(min(1.0, centre + half)),
        confidence,
        n,
        DIFFERENCE_METHODS[method],
        "share",
    )


def median_ranks(n: int, confidence: float = 0.95) -> tuple[int, int, int, int]:
    """Ranks (from 1, smallest answer first) of the sample median and of its distribution-free interval.

    Returns
    -------
    (low, middle_low, middle_high, high)
        The interval runs from the ``low``-th to the ``high``-th smallest value: the narrowest symmetric
        pair with P(low ≤ B < high) ≥ confidence for B ~ Binomial(n, ½); for discrete answers the
        coverage is at least that. Where n is too small for it, the extremes are returned.

    Examples
    --------
    >>> median_ranks(84)
    (33, 42, 43, 52)
    """
    _check(confidence, "order statistics", {"order statistics": ""})
    _check_counts([n], n)
    low = max(1, int(stats.binom.ppf((1 - confidence) / 2, n, 0.5)))
    return low, (n + 1) // 2, n // 2 + 1, n + 1 - low


@estimator
def compute_median_position(counts: Sequence[int], confidence: float = 0.95) -> Estimate:
    """Median answer of an ordered question, as the position of the answer from 1.

    Parameters
    ----------
    counts : sequence of int
        Respondents for each answer, lowest answer first.
    confidence : float
        Coverage aimed at; the order-statistic interval covers at least that.

    Returns
    -------
    Estimate
        A half position where the two middle respondents gave different answers.

    Raises
    ------
    InputError
        Negative counts, nobody, or confidence outside (0, 1).

    Examples
    --------
    >>> estimate = compute_median_position([0, 5, 13, 47, 19])
    >>> estimate.value, estimate.low, estimate.high
    (4.0, 4.0, 4.0)
    """
    n = sum(counts)
    _check_counts(counts, n)
    low, middle_low, middle_high, high = (position_of_rank(counts, rank) for rank in median_ranks(n, confidence))
    middle = (middle_low + middle_high) / 2
    return Estimate(middle, float(low), float(high), confidence, n, "median with order-statistic interval")


def position_of_rank(counts: Sequence[int], rank: int) -> int:
    """Position (from 1) of the answer that holds the ``rank``-th smallest response.

    >>> position_of_rank([2, 0, 3], 3)
    3
    """
    seen = 0
    for position, count in enumerate(counts, start=1):
        seen += count
        if rank <= seen:
            return position
    raise InputError("No such rank.", [Problem("rank", f"got {rank} of {seen}", "a rank among the respondents")])


@estimator
def compute_margin(n: int, confidence: float = 0.95, *, method: str) -> Estimate:
    """Half width, in percentage points, of the interval around a share of one half: the widest for ``n``.

    Examples
    --------
    >>> compute_margin(84, method="wilson").text()
    '10.5 percentage points'
    """
    _check(confidence, method, SHARE_METHODS)
    _check_counts([n], n)
    name, label = SHARE_METHODS[method]
    # statsmodels takes n/2 as a real number, so that odd n need no special case.
    low, high = proportion_confint(n / 2, n, alpha=1 - confidence, method=name)
    half_width = 100 * float(high - low) / 2
    return Estimate(
        half_width, confidence=confidence, n=n, method=f"half width of the {label}", unit="percentage points"
    )


def compute_needed_n(margin: float, confidence: float = 0.95) -> int:
    """Respondents needed for a Wilson interval around one half to reach ``margin`` percentage points on either side.

    Closed form of z/(2·√(n + z²)) ≤ margin/100.

    Examples
    --------
    >>> compute_needed_n(5)
    381
    """
    if not 0 < margin < 50:
        raise InputError("No such margin.", [Problem("margin", f"got {margin}", "percentage points between 0 and 50")])
    _check(confidence, "wilson", SHARE_METHODS)
    z = stats.norm.ppf((1 + confidence) / 2)
    return max(1, ceil(z**2 / (4 * (margin / 100) ** 2) - z**2))


def _share(count: int, n: int, low: float, high: float, confidence: float, label: str) -> Estimate:
    """The estimate, its bounds kept from missing 0 or 1 by a rounding error where nobody or everybody answered so."""
    value = count / n
    low, high = max(0.0, min(float(low), value)), min(1.0, max(float(high), value))
    return Estimate(value, low, high, confidence, n, label, "share")


def _check(confidence: float, method: str, known: dict) -> None:
    problems = []
    if method not in known:
        problems.append(Problem("method", f"got '{method}'", f"one of: {', '.join(known)}"))
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    if problems:
        raise InputError("An interval cannot be computed.", problems)


def _check_counts(counts: Sequence[int], n: int) -> None:
    problems = [
        Problem(f"count {place}", f"got {count}", "no count below 0 and none above n")
        for place, count in enumerate(counts, start=1)
        if not (isinstance(count, Real) and count >= 0 and count % 1 == 0)
    ]
    if not n > 0:
        problems.append(Problem("n", f"got {n}", "n from 1 on"))
    if problems:
        raise InputError("An interval cannot be computed from these counts.", problems)
