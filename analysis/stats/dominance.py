"""How often one group's values exceed the other's: Cliff's delta and Vargha–Delaney A, with intervals.

δ = P(x > y) − P(x < y) and A = P(x > y) + ½·P(x = y) say the same, A = (δ + 1)/2. Neither takes the groups to have the
same shape or spread. Intervals by name:

- ``feng-cliff``: the unbiased variance of δ (Cliff 1993) with the asymmetric bounds of Feng and Cliff (2004),
  Student's t
  with m + n − 2 degrees of freedom, as R's effsize computes it. At δ = ±1, where that variance is 0, the
  bound is ±(b − t²)/(b + t²) with b the smaller group (the manual of R's orddom).
- ``brunner-munzel``: the variance from placements and Satterthwaite's degrees of freedom (Brunner and Munzel 2000),
  as R's
  lawstat computes it, cut at ±1. Without bounds where both placements are constant.

References
----------
Cliff N (1993) Dominance statistics: ordinal analyses to answer ordinal questions. Psychol. Bull. 114, 494–509.
Rogmann JJ (2013) orddom: ordinal dominance statistics. R package, manual.
Feng D, Cliff N (2004) Monte Carlo evaluation of ordinal d with improved confidence interval. J. Mod. Appl. Stat.
Methods 3, 322–332.
Vargha A, Delaney HD (2000) A critique and improvement of the CL common language effect size statistics. J. Educ.
Behav. Stat. 25, 101–132.
Brunner E, Munzel U (2000) The nonparametric Behrens–Fisher problem. Biometrical Journal 42, 17–25.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from analysis.base.estimates import Estimate, estimator
from analysis.stats.checks import choice_problems, confidence_problems, finite_values, refuse

DOMINANCE_METHODS: dict[str, str] = {
    "feng-cliff": "Feng–Cliff interval from the unbiased variance",
    "brunner-munzel": "Brunner–Munzel interval",
}


@estimator
def compute_cliffs_delta(x: Sequence[float], y: Sequence[float], confidence: float = 0.95, *, method: str) -> Estimate:
    """Cliff's delta: how much more often a value of ``x`` exceeds one of ``y`` than the other way round, −1 to 1.

    Parameters
    ----------
    x, y : sequence of float
        Two values or more each.
    confidence : float
    method : {"feng-cliff", "brunner-munzel"}

    Returns
    -------
    Estimate
        0 without bounds where all values are equal.

    Raises
    ------
    InputError
        Fewer than two values in a group, a missing value, or an unknown method.

    Examples
    --------
    >>> estimate = compute_cliffs_delta([1, 2, 3, 4], [3, 4, 5, 6], method="feng-cliff")
    >>> estimate.value, estimate.n
    (-0.75, 8)
    """
    return _delta(x, y, confidence, method)


@estimator
def compute_vargha_delaney(
    x: Sequence[float], y: Sequence[float], confidence: float = 0.95, *, method: str
) -> Estimate:
    """Vargha–Delaney A: chance that a value of ``x`` exceeds one of ``y``, ties as a half; 0 to 1, ½ for no difference.

    The parameters, the bounds and the refusals are those of `compute_cliffs_delta`, on the scale A = (δ + 1)/2.

    Examples
    --------
    >>> compute_vargha_delaney([1, 2, 3, 4], [3, 4, 5, 6], method="feng-cliff").value
    0.125
    """
    delta = _delta(x, y, confidence, method)
    value, low, high = (None if each is None else (each + 1) / 2 for each in (delta.value, delta.low, delta.high))
    return replace(
        delta, value=value, low=low, high=high, method=delta.method.replace("Cliff's delta", "Vargha–Delaney A", 1)
    )


def _delta(x: Sequence[float], y: Sequence[float], confidence: float, method: str) -> Estimate:
    problems = [*choice_problems("method", method, DOMINANCE_METHODS), *confidence_problems(confidence)]
    refuse("Dominance cannot be estimated.", problems)
    first, second = finite_values(x, "x", 2), finite_values(y, "y", 2)
    # Mean signs of each value against the other group, by sorting: memory stays linear for large groups.
    rows, columns = _mean_signs(first, second), -_mean_signs(second, first)
    n, value, label = len(first) + len(second), float(rows.mean()), f"Cliff's delta, {DOMINANCE_METHODS[method]}"
    if np.ptp(np.concatenate([first, second])) == 0:
        return Estimate(0.0, n=n, method=f"{label}; no interval: all values are equal")
    bounds = (_feng_cliff if method == "feng-cliff" else _brunner_munzel)(first, second, rows, columns, confidence)
    if bounds is None:
        return Estimate(value, n=n, method=f"{label}; no interval: the groups do not overlap")
    low, high = np.clip(bounds, -1, 1)
    return Estimate(value, float(low), float(high), confidence, n, label)


def _mean_signs(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of ``others`` below each value less the share above it."""
    ordered = np.sort(others)
    below, not_above = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return (below + not_above) / len(ordered) - 1


def _feng_cliff(
    first: np.ndarray, second: np.ndarray, rows: np.ndarray, columns: np.ndarray, confidence: float
) -> tuple[float, float]:
    m, n, delta = len(rows), len(columns), rows.mean()
    quantile = stats.t.ppf((1 + confidence) / 2, m + n - 2)
    if abs(delta) == 1:
        smaller = min(m, n)
        inner = delta * (smaller - quantile**2) / (smaller + quantile**2)
        return min(inner, delta), max(inner, delta)
    pooled = np.sort(second)
    ties = (np.searchsorted(pooled, first, "right") - np.searchsorted(pooled, first, "left")).sum()
    each = m * n - ties - m * n * delta**2  # sum of (dᵢⱼ − δ)², since dᵢⱼ² is 0 for ties and 1 for the rest
    variance = (n**2 * ((rows - delta) ** 2).sum() + m**2 * ((columns - delta) ** 2).sum() - each) / (
        m * n * (m - 1) * (n - 1)
    )
    variance = max(variance, (1 - delta**2) / (m * n - 1))
    half = quantile * np.sqrt(variance) * np.sqrt((1 - delta**2) ** 2 + quantile**2 * variance)
    below = 1 - delta**2 + quantile**2 * variance
    return (delta - delta**3 - half) / below, (delta - delta**3 + half) / below


def _brunner_munzel(
    first: np.ndarray, second: np.ndarray, rows: np.ndarray, columns: np.ndarray, confidence: float
) -> tuple[float, float] | None:
    parts = np.array([rows.var(ddof=1) / len(rows), columns.var(ddof=1) / len(columns)])
    if parts.sum() == 0:
        return None
    df = parts.sum() ** 2 / (parts**2 / np.array([len(rows) - 1, len(columns) - 1])).sum()
    half = stats.t.ppf((1 + confidence) / 2, df) * np.sqrt(parts.sum())
    return rows.mean() - half, rows.mean() + half
