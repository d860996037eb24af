"""Bootstrap intervals of many statistics at once, resampling whole clusters of observations.

Passages by one speaker, or decisions about one passage, resemble each other; a resample that draws them one by one
takes them for more information than they hold. Here a cluster is drawn or not as a whole (Cameron, Gelbach & Miller
2008, section 3, "pairs cluster bootstrap"). Every statistic is a function of totals over clusters, such as a share of
two totals, so that all statistics of all resamples come from one product of matrices and the same draws.

References
----------
Cameron AC, Gelbach JB, Miller DL (2008) Bootstrap-based improvements for inference with clustered errors. Rev. Econ.
Stat. 90, 414–427.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.stats.bootstrap import BLOCK, METHODS, bca_levels
from analysis.stats.checks import choice_problems, confidence_problems, draw_problems, refuse
from analysis.stats.paired import needed_pairs

TotalStatistics = Callable[[np.ndarray], np.ndarray]
"""Takes totals (resamples × quantities) and returns resamples × statistics; NaN where one is undefined."""


def bootstrap_totals(
    clusters: np.ndarray,
    statistics: TotalStatistics,
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator,
    resamples: int = 1999,
    unit: str = "",
    label: str = "",
) -> list[Estimate]:
    """Statistics of totals over clusters, each with its interval from resampled clusters.

    Parameters
    ----------
    clusters : array, shape (clusters, quantities)
        What each cluster adds to each total.
    statistics : callable
        Takes totals (resamples × quantities), returns resamples × statistics.
    confidence : float
    method : {"percentile", "bca"}
    rng : numpy Generator
    resamples : int
    unit, label : str
        Of the estimates; ``label`` is put before the method's name.

    Returns
    -------
    list of Estimate
        ``n`` counts the clusters. Without bounds, and the method says why: where there are fewer clusters than
        `analysis.stats.paired.needed_pairs`, where a statistic is undefined in more than one resample in twenty, where
        all resamples give the same value (which shows that the clusters are alike, not that the value is certain), or
        where BCa is undefined.

    Raises
    ------
    InputError
        Unknown method, confidence outside (0, 1), no generator, no resamples, no clusters, values that are not finite,
        or a statistic that is undefined for the clusters themselves.

    Examples
    --------
    >>> clusters = np.array([[1, 4], [2, 3], [0, 5], [3, 3], [1, 2], [2, 6], [0, 1], [1, 1]])
    >>> rng = np.random.default_rng(1)
    >>> (share,) = bootstrap_totals(clusters, lambda t: t[:, :1] / t[:, 1:], method="percentile", rng=rng, unit="share")
    >>> share.text(), share.interval_text(), share.n
    ('40.0%', '19.4–68.2%', 8)
    """
    problems = [
        *choice_problems("method", method, METHODS),
        *confidence_problems(confidence),
        *draw_problems(rng, resamples, True),
    ]
    parts = np.asarray(clusters, dtype=float)
    if parts.ndim != 2 or parts.size == 0:
        problems.append(Problem("clusters", f"shape {parts.shape}", "one row a cluster, one column a total"))
    elif not np.isfinite(parts).all():
        problems.append(Problem("clusters", "missing or infinite values", "finite numbers"))
    refuse("Totals cannot be resampled.", problems)
    together = parts.sum(axis=0)
    values = np.asarray(statistics(together[None]), dtype=float)[0]
    undefined = np.flatnonzero(~np.isfinite(values))
    if len(undefined):
        raise InputError(
            "Some statistics are undefined for these clusters.",
            [Problem(f"statistic {place + 1}", f"gave {values[place]}", "leave it out") for place in undefined],
        )
    name = f"{label}, {METHODS[method]} over clusters" if label else f"{METHODS[method]} over clusters"
    n = len(parts)
    if n < (needed := needed_pairs(confidence)):
        why = f"{name}; no {100 * confidence:g}% interval: it takes {needed} clusters, there are {n}"
        return [Estimate(float(value), n=n, method=why, unit=unit) for value in values]
    replicates = np.concatenate([statistics(drawn @ parts) for drawn in _drawn_clusters(n, resamples, rng)])
    without_one = statistics(together - parts) if method == "bca" else None
    estimates = []
    for place, value in enumerate(values):
        others = None if without_one is None else without_one[:, place]
        low, high, why = _bounds(float(value), replicates[:, place], others, confidence)
        if why:
            estimates.append(Estimate(float(value), n=n, method=f"{name}; no interval: {why}", unit=unit))
        else:
            words = f"{name}, {resamples} resamples"
            estimates.append(Estimate(float(value), low, high, confidence, n, words, unit))
    return estimates


def _bounds(
    value: float, replicates: np.ndarray, without_one: np.ndarray | None, confidence: float
) -> tuple[float, float, str]:
    """Bounds, or why there are none; BCa where the values without one cluster are given."""
    nowhere = (np.nan, np.nan)
    defined = replicates[np.isfinite(replicates)]
    if (lost := len(replicates) - len(defined)) > len(replicates) / 20:
        return *nowhere, f"undefined in {lost} of {len(replicates)} resamples"
    if np.ptp(defined) < 1e-12 * max(1.0, abs(value)):
        return *nowhere, "all clusters are alike in this"
    tails: np.ndarray | None = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if without_one is not None:
        usable = np.isfinite(without_one).all()
        tails = bca_levels(value, defined, without_one, np.ones(len(without_one)), tails) if usable else None
        if tails is None:
            return *nowhere, "BCa is undefined here"
    low, high = np.quantile(defined, tails)
    return float(low), float(high), ""


def _drawn_clusters(n: int, resamples: int, rng: np.random.Generator):
    """Blocks of how often each cluster was drawn, resamples × clusters."""
    size = max(1, BLOCK // n)
    for start in range(0, resamples, size):
        block = min(size, resamples - start)
        places = rng.integers(0, n, size=(block, n)) + np.arange(block)[:, None] * n
        yield np.bincount(places.ravel(), minlength=block * n).reshape(block, n)
