"""Ratios of two sums: Fieller's interval for pairs, circular block bootstrap for series.

A ratio of means has no variance of its own to put ± around: where the denominator is not clearly away from
zero, its interval is honestly unbounded, and the estimate then comes without bounds and says so.

References
----------
Fieller EC (1954) Some problems in interval estimation. J. R. Stat. Soc. B 16, 175–185.
Politis DN, Romano JP (1992) A circular block-resampling procedure for stationary data. In: Exploring the limits of
bootstrap, Wiley, 263–270.
Politis DN, White H (2004) Automatic block-length selection for the dependent bootstrap. Econometric Reviews 23,
53–70; with the correction of Patton A, Politis DN, White H (2009), 28, 372–375.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log10, sqrt

import numpy as np
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator

FEWEST_CELLS = 8
"""Cells of a series below which a block bootstrap is not attempted."""

FEWEST_BLOCKS = 3
"""Blocks that must fit into a series, or resampling them says nothing."""


@estimator
def fieller_ratio(x: Sequence[float], y: Sequence[float], confidence: float = 0.95, *, unit: str = "") -> Estimate:
    """Sum of ``x`` over sum of ``y``, both measured on the same units, with Fieller's interval.

    The interval holds every ratio r for which a t-test of mean(x − r·y) = 0 does not reject.

    Parameters
    ----------
    x, y : sequence of float
        One value each a unit, same order.
    confidence : float
    unit : str
        Unit of the ratio.

    Returns
    -------
    Estimate
        Without bounds for fewer than two units, and where the mean of ``y`` is not distinguishable from zero at
        this confidence: the interval then has no end. Missing value (``nan``) where the sum of ``y`` is zero.

    Raises
    ------
    InputError
        Lengths differ, nothing given, values that are not finite, or confidence outside (0, 1).

    Examples
    --------
    >>> estimate = fieller_ratio([2, 4, 6, 8], [1, 2, 3, 4])
    >>> estimate.value, estimate.low, estimate.high
    (2.0, 2.0, 2.0)
    """
    _check_confidence(confidence)
    first, second = _finite_pairs(x, y)
    n, label = len(first), "Fieller interval of a ratio of means"
    if second.sum() == 0:
        return Estimate(float("nan"), n=n, method="ratio undefined: nothing to divide by", unit=unit)
    value = float(first.sum() / second.sum())
    if n < 2:
        return Estimate(value, n=n, method=f"{label}; none from one unit", unit=unit)
    (v_xx, v_xy), (_, v_yy) = np.cov(first, second) / n
    t_squared = stats.t.ppf((1 + confidence) / 2, n - 1) ** 2
    mean_x, mean_y = first.mean(), second.mean()
    a = mean_y**2 - t_squared * v_yy
    if a <= 0:
        return Estimate(value, n=n, method=f"{label}; unbounded: too few or too uneven denominators", unit=unit)
    b = mean_x * mean_y - t_squared * v_xy
    c = mean_x**2 - t_squared * v_xx
    root = sqrt(max(0.0, b * b - a * c))
    low, high = sorted(((b - root) / a, (b + root) / a))
    return Estimate(value, float(min(low, value)), float(max(high, value)), confidence, n, label, unit)


def choose_block_length(values: Sequence[float]) -> int:
    """Block length for a circular bootstrap of the mean, from the series' own autocorrelation.

    Politis and White's rule with its correction: 2·(g/d)^(2/3)·n^(1/3), its sums cut where the autocorrelations have
    become negligible; at least 1, at most min(3√n, n/3).

    >>> choose_block_length([1.0] * 20)
    1
    """
    series = np.asarray(values, dtype=float)
    n = len(series)
    centred = series - series.mean()
    if n < FEWEST_CELLS or not centred.any():
        return 1
    most = max(1, int(min(3 * sqrt(n), n / FEWEST_BLOCKS)))
    in_row = max(5, ceil(log10(n)))
    reach = min(ceil(sqrt(n)) + in_row, n - 1)
    covariances = np.array([centred[: n - lag] @ centred[lag:] for lag in range(reach + 1)]) / n
    correlations = covariances / covariances[0]
    small = np.abs(correlations[1:]) < 2 * sqrt(log10(n) / n)
    cut = next((lag for lag in range(len(small) - in_row + 1) if small[lag : lag + in_row].all()), None)
    if cut is None:  # never negligible: as far as the last one that is not
        cut = int(np.flatnonzero(~small)[-1]) + 1
    width = min(2 * max(cut, 1), reach)
    lags = np.arange(-width, width + 1)
    share = np.abs(lags) / width
    window = np.where(share <= 0.5, 1.0, 2 * (1 - share))
    folded = covariances[np.abs(lags)]
    spectrum = float(window @ folded)
    slope = float(window @ (np.abs(lags) * folded))
    if spectrum <= 0:
        return most
    # d = (4/3)·spectrum² for the circular bootstrap.
    length = (2 * slope**2 / (4 / 3 * spectrum**2)) ** (1 / 3) * n ** (1 / 3)
    return int(np.clip(ceil(length), 1, most))


@estimator
def block_bootstrap_ratio(
    numerators: Sequence[float],
    denominators: Sequence[float],
    confidence: float = 0.95,
    *,
    rng: np.random.Generator,
    block: int | None = None,
    resamples: int = 1999,
    unit: str = "",
) -> Estimate:
    """Sum over sum along a series of equal cells of time, with a circular block-bootstrap interval.

    Whole blocks of neighbouring cells are drawn, so that what follows one another stays together.

    Parameters
    ----------
    numerators, denominators : sequence of float
        One value each a cell, in order of time; a cell with nothing observed has zeros in both.
    confidence : float
        Coverage aimed at; few blocks cover less. Measured at 95 % with 400 series of 84 cells: 0.93 for independent
        cells, 0.88 where neighbours correlate by 0.5, 0.76 by 0.8; of 365 cells: 0.96, 0.88, 0.89.
    rng : numpy Generator
    block : int, optional
        Cells a block; by default chosen by `choose_block_length` from numerator − ratio · denominator, the
        linear part of the ratio.
    resamples : int
    unit : str

    Returns
    -------
    Estimate
        ``n`` is the number of cells with something observed. Without bounds below `FEWEST_CELLS` cells or
        `FEWEST_BLOCKS` blocks, and where all cells have the same ratio. Missing value (``nan``) where the
        denominators sum to zero.

    Raises
    ------
    InputError
        Lengths differ, nothing given, values that are not finite, negative denominators, or a block below 1.
    """
    _check_confidence(confidence)
    over, under = _finite_pairs(numerators, denominators)
    problems = (
        [Problem("denominators", f"the smallest is {under.min():g}", "no negative ones")] if under.min() < 0 else []
    )
    if block is not None and block < 1:
        problems.append(Problem("block", f"got {block}", "at least one cell"))
    if resamples < 1:
        problems.append(Problem("resamples", f"got {resamples}", "at least one"))
    if problems:
        raise InputError("A ratio along a series cannot be computed.", problems)
    n = int((under > 0).sum())
    if under.sum() == 0:
        return Estimate(float("nan"), n=0, method="ratio undefined: nothing observed", unit=unit)
    value, label = float(over.sum() / under.sum()), "circular block bootstrap over time"
    cells = len(over)
    if cells < FEWEST_CELLS:
        method = f"{label}; no interval: it takes {FEWEST_CELLS} cells, there are {cells}"
        return Estimate(value, n=n, method=method, unit=unit)
    left = over - value * under
    if np.abs(left).max() <= 1e-12 * max(np.abs(over).max(), under.max()):
        return Estimate(value, n=n, method=f"{label}; no interval: all cells are alike", unit=unit)
    length = block or choose_block_length(left)
    if cells < FEWEST_BLOCKS * length:
        method = f"{label}; no interval: blocks of {length} cells, and {cells} cells in all"
        return Estimate(value, n=n, method=method, unit=unit)
    blocks = ceil(cells / length)
    starts = rng.integers(0, cells, size=(resamples, blocks))
    sums = []
    for part in (over, under):
        # Sums of whole blocks from running sums over the circle; the last block is cut to the series' length.
        running = np.concatenate([[0.0], np.cumsum(np.concatenate([part, part[:length]]))])
        last = cells - (blocks - 1) * length
        whole = running[starts[:, :-1] + length] - running[starts[:, :-1]]
        sums.append(whole.sum(axis=1) + running[starts[:, -1] + last] - running[starts[:, -1]])
    usable = sums[1] > 1e-12 * under.sum()
    ratios = sums[0][usable] / sums[1][usable]
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    method = f"{label}, blocks of {length} of {cells} cells, {resamples} resamples"
    return Estimate(value, float(min(low, value)), float(max(high, value)), confidence, n, method, unit)


def _finite_pairs(x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    problems = []
    if first.ndim != 1 or first.shape != second.shape or first.size == 0:
        problems.append(Problem("x and y", f"shapes {first.shape} and {second.shape}", "one value a unit in each"))
    problems += [
        Problem(name, f"{int((~np.isfinite(values)).sum())} values are not finite", "leave such units out of both")
        for name, values in (("x", first), ("y", second))
        if not np.isfinite(values).all()
    ]
    if problems:
        raise InputError("A ratio cannot be computed.", problems)
    return first, second


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        problem = Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95")
        raise InputError("An interval cannot be computed.", [problem])
