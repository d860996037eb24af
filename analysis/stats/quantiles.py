"""Quantiles of a sample with the interval of the bootstrap, counted out instead of resampled.

A resample of n values holds at least r values up to x₍ₖ₎ with the probability that a binomial count with n draws of
chance k/n reaches r. So the bootstrap distribution of an order statistic is known exactly,

    P(X*₍ᵣ₎ ≤ x₍ₖ₎) = P(Binomial(n, k/n) ≥ r) = I(k/n; r, n − r + 1),

with I the regularised incomplete beta function, and its quantiles are single order statistics of the sample: no
random draw, no resample, and the cost of one sort even for ten million values.

References
----------
Efron B (1982) The jackknife, the bootstrap and other resampling plans. SIAM, section 10.4.
Hutson AD, Ernst MD (2000) The exact bootstrap mean and variance of an L-estimator. J. R. Stat. Soc. B 62, 89–94.
Hyndman RJ, Fan Y (1996) Sample quantiles in statistical packages. The American Statistician 50, 361–365.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator

METHOD = "exact bootstrap interval of order statistics"


def needed_n(quantile: float, confidence: float = 0.95) -> int:
    """Fewest values whose range covers the quantile with ``confidence``; no resample leaves the range.

    >>> needed_n(0.5), needed_n(0.9)
    (6, 29)
    """
    _check(quantile, confidence)
    n = 1
    while 1 - quantile**n - (1 - quantile) ** n < confidence - 1e-12:
        n += 1
    return n


def bootstrap_share(n: int, rank: int, upto: int) -> float:
    """P(X*₍rank₎ ≤ x₍upto₎): share of resamples with their ``rank``-th value at most the sample's ``upto``-th.

    Examples
    --------
    Three values, median: of the 27 resamples 7 have at least two values that are the smallest one.

    >>> round(27 * bootstrap_share(3, 2, 1))
    7
    """
    return float(stats.binom.sf(rank - 1, n, upto / n)) if upto < n else 1.0


def bootstrap_ranks(n: int, quantile: float, confidence: float = 0.95) -> tuple[int, int]:
    """Ranks, from 1, of the sample values that bound the interval.

    Where the quantile lies between two order statistics, the lower bound is that of the lower one and the upper bound
    that of the upper one: the interval is then never too narrow for having interpolated.

    >>> bootstrap_ranks(20, 0.5)
    (6, 15)
    """
    _check(quantile, confidence)
    place = (n - 1) * quantile
    lower, upper = floor(place) + 1, ceil(place) + 1
    tail = (1 - confidence) / 2
    return _bound(n, lower, tail), _bound(n, upper, 1 - tail)


@estimator
def compute_quantile(
    values: Sequence[float], quantile: float = 0.5, confidence: float = 0.95, *, unit: str = "", ordered: bool = False
) -> Estimate:
    """Quantile of a sample, interpolated as usual (Hyndman and Fan's type 7), with its exact bootstrap interval.

    Parameters
    ----------
    values : sequence of float
        The sample.
    quantile : float
        Between 0 and 1; 0.5 is the median.
    confidence : float
        Coverage aimed at. As with every percentile bootstrap it is reached approximately.
    unit : str
        Unit of the values.
    ordered : bool
        The values come in ascending order already.

    Returns
    -------
    Estimate
        Without bounds below ``needed_n(quantile, confidence)`` values; the method says so.

    Raises
    ------
    InputError
        No value, one that is not a finite number, a quantile or a confidence outside (0, 1).

    Examples
    --------
    >>> estimate = compute_quantile(range(1, 21))
    >>> estimate.value, estimate.low, estimate.high
    (10.5, 6.0, 15.0)
    """
    _check(quantile, confidence)
    sample = np.asarray(values, dtype=float)
    if sample.ndim != 1 or sample.size == 0 or not np.all(np.isfinite(sample)):
        what = f"shape {sample.shape}" if sample.ndim != 1 or sample.size == 0 else "a value that is not finite"
        raise InputError("A quantile cannot be computed.", [Problem("values", what, "one finite number or more")])
    if not ordered:
        sample = np.sort(sample)
    n, place = len(sample), (len(sample) - 1) * quantile
    below, above = sample[floor(place)], sample[ceil(place)]
    value = float(below + (above - below) * (place - floor(place)))
    if n < needed_n(quantile, confidence):
        label = f"sample quantile; no {100 * confidence:g}% interval: it takes {needed_n(quantile, confidence)} values"
        return Estimate(value, n=n, method=label, unit=unit)
    low, high = bootstrap_ranks(n, quantile, confidence)
    return Estimate(value, float(sample[low - 1]), float(sample[high - 1]), confidence, n, METHOD, unit)


def quantile_probability(count: int, n: int, quantile: float = 0.5) -> float:
    """Probability that the quantile of what the sample stands for is at most c, where ``count`` of ``n`` values are.

    It is half way between the two beta distributions that Clopper–Pearson's bounds come from (the mid-p confidence
    distribution), so it stays honest for few values: one value below c does not make the median certain to be so,
    as the bootstrap would have it.

    >>> quantile_probability(1, 1), round(quantile_probability(5, 10), 3)
    (0.75, 0.5)
    """
    if not 0 <= count <= n or n < 1:
        raise InputError("No such probability.", [Problem("count", f"got {count} of {n}", "0 to n, n from 1 on")])
    # F(c), the share at or below c, lies between Beta(count, n − count + 1) and Beta(count + 1, n − count).
    lower = stats.beta.sf(quantile, count, n - count + 1) if count else 0.0
    upper = stats.beta.sf(quantile, count + 1, n - count) if count < n else 1.0
    return float((lower + upper) / 2)


def _bound(n: int, rank: int, share: float) -> int:
    """Smallest k with P(X*₍rank₎ ≤ x₍ₖ₎) ≥ share, from the inverse of the incomplete beta function."""
    k = min(n, max(1, ceil(n * stats.beta.ppf(share, rank, n - rank + 1))))
    # The inverse is good to a few ulp; a step either way settles the cases at a whole number.
    while k > 1 and bootstrap_share(n, rank, k - 1) >= share:
        k -= 1
    while bootstrap_share(n, rank, k) < share:
        k += 1
    return k


def _check(quantile: float, confidence: float) -> None:
    problems = [
        Problem(name, f"got {value}", "a share between 0 and 1")
        for name, value in (("quantile", quantile), ("confidence", confidence))
        if not 0 < value < 1
    ]
    if problems:
        raise InputError("A quantile cannot be computed.", problems)
