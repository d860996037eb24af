"""Exact intervals for counts of events in time: one rate, the ratio of two, and how far counts are from Poisson.

Counts are taken to be Poisson: events that come independently at a steady rate. Where they come in clusters the
interval is too narrow; `compute_dispersion` says by how much.

References
----------
Garwood F (1936) Fiducial limits for the Poisson distribution. Biometrika 28, 437–442.
Przyborowski J, Wilenski H (1940) Homogeneity of results in testing samples from Poisson series. Biometrika 31, 313–323.
Fisher RA (1950) The significance of deviations from expectation in a Poisson series. Biometrics 6, 17–24.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator

RATE_METHOD = "Garwood exact Poisson interval"
RATIO_METHOD = "exact conditional interval for the ratio of two Poisson rates"


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How much counts vary against a Poisson process.

    Attributes
    ----------
    index : float
        Variance over mean; 1 for a Poisson process, above it where events cluster.
    p_value : float
        Of at least as much variation from a Poisson process.
    n : int
        Periods counted.
    """

    index: float
    p_value: float
    n: int


@estimator
def compute_rate(count: int, exposure: float, confidence: float = 0.95, *, unit: str = "") -> Estimate:
    """Events per unit of time with Garwood's exact interval.

    Parameters
    ----------
    count : int
        Events; none at all still bounds the rate from above.
    exposure : float
        Time in which they were counted, above 0.
    confidence : float
        Coverage aimed at; the coverage reached is at least that.
    unit : str
        Unit of the rate.

    Returns
    -------
    Estimate
        With n = count.

    Raises
    ------
    InputError
        A count that is negative or not whole, an exposure that is not a finite number above 0, or confidence
        outside (0, 1).

    Examples
    --------
    >>> estimate = compute_rate(10, 1)
    >>> round(estimate.low, 3), round(estimate.high, 3)
    (4.795, 18.39)
    >>> round(compute_rate(0, 1).high, 3)
    3.689
    """
    _check([count], [exposure], confidence)
    tail = (1 - confidence) / 2
    low = stats.chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(1 - tail, 2 * count + 2) / 2
    return Estimate(
        count / exposure, float(low / exposure), float(high / exposure), confidence, int(count), RATE_METHOD, unit
    )


@estimator
def compute_rate_ratio(
    count: int, exposure: float, other_count: int, other_exposure: float, confidence: float = 0.95
) -> Estimate:
    """Ratio of two rates with its exact interval, conditional on the sum of both counts.

    Given the sum, the first count is binomial; Clopper–Pearson's bounds for its share carry over to the ratio.

    Returns
    -------
    Estimate
        Infinite with no upper bound where the other count is 0; with n = both counts together.

    Raises
    ------
    InputError
        As `compute_rate`, or no event on either side: such a ratio could be anything.

    Examples
    --------
    >>> ratio = compute_rate_ratio(11, 800, 21, 3011)
    >>> round(ratio.value, 4)
    1.9715
    """
    _check([count, other_count], [exposure, other_exposure], confidence)
    n = count + other_count
    if n == 0:
        raise InputError(
            "A ratio of rates cannot be computed.", [Problem("counts", "both are 0", "at least one event")]
        )
    tail, scale = (1 - confidence) / 2, other_exposure / exposure
    low = stats.beta.ppf(tail, count, other_count + 1) if count else 0.0
    high = stats.beta.ppf(1 - tail, count + 1, other_count) if other_count else None
    value = count / other_count * scale if other_count else inf
    return Estimate(
        value,
        float(low / (1 - low) * scale),
        None if high is None else float(high / (1 - high) * scale),
        confidence,
        n,
        RATIO_METHOD,
    )


def compute_dispersion(counts: Sequence[int], exposures: Sequence[float] | None = None) -> Dispersion | None:
    """Fisher's index of dispersion of counts in several periods; None below two periods or without events.

    ``exposures`` are the lengths of the periods, equal where not given.

    >>> compute_dispersion([2, 2, 2, 2]).index
    0.0
    """
    x = np.asarray(counts, dtype=float)
    t = np.ones_like(x) if exposures is None else np.asarray(exposures, dtype=float)
    if len(x) < 2 or x.sum() == 0 or np.any(t <= 0):
        return None
    expected = x.sum() * t / t.sum()
    statistic = float(np.sum((x - expected) ** 2 / expected))
    return Dispersion(statistic / (len(x) - 1), float(stats.chi2.sf(statistic, len(x) - 1)), len(x))


def _check(counts: Sequence[int], exposures: Sequence[float], confidence: float) -> None:
    problems = [
        Problem("count", f"got {count}", "a whole number from 0 on")
        for count in counts
        if not (isfinite(count) and count >= 0 and count % 1 == 0)
    ]
    problems += [
        Problem("exposure", f"got {exposure}", "a time above 0")
        for exposure in exposures
        if not (isfinite(exposure) and exposure > 0)
    ]
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    if problems:
        raise InputError("A rate cannot be computed.", problems)
