"""Equivalence tests (TOST): are two things close enough, rather than merely not shown to differ?

The range that counts as equivalent, ``low`` to ``high``, is chosen before the data. Two one-sided tests ask whether the
difference lies above ``low`` and below ``high``; the larger p-value counts. At level α this is the same as asking
whether the 1 − 2α interval lies within the range, and that interval comes with every result.

References
----------
Schuirmann DJ (1987) A comparison of the two one-sided tests procedure and the power approach. J. Pharmacokinet.
Biopharm. 15, 657–680.
Lakens D (2017) Equivalence tests: a practical primer. Soc. Psychol. Personal. Sci. 8, 355–362.
Wellek S (2010) Testing statistical hypotheses of equivalence and noninferiority, 2nd ed. Chapman & Hall, chapters 5–6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh

import numpy as np
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.stats.paired import hodges_lehmann_paired

MEAN_METHODS: dict[str, str] = {"welch": "t tests (Welch)", "pooled": "t tests (pooled variance)"}


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided tests.

    Attributes
    ----------
    estimate : Estimate
        The difference with its 1 − 2·level interval.
    low, high : float
        Range that counts as equivalent.
    statistic_low, statistic_high : float
        Test statistics against ``low`` (positive speaks for equivalence) and ``high`` (negative does): z or t;
        Mann–Whitney's U less its mean; Wilcoxon's sum of the positive ranks.
    p_low, p_high, p_value : float
        One-sided p-values and the larger of them.
    df : float or None
        Degrees of freedom of t tests.
    level : float
    equivalent : bool
        ``p_value`` is below ``level``.
    method : str
    """

    estimate: Estimate
    low: float
    high: float
    statistic_low: float
    statistic_high: float
    p_low: float
    p_high: float
    p_value: float
    df: float | None
    level: float
    equivalent: bool
    method: str


def tost_means(
    values: Sequence[float],
    others: Sequence[float],
    *,
    low: float,
    high: float,
    level: float = 0.05,
    method: str,
    unit: str = "",
) -> Equivalence:
    """Means of two independent groups: mean(values) − mean(others) within ``low`` to ``high``.

    Parameters
    ----------
    values, others : sequence of float
    low, high : float
        In the values' unit.
    method : {"welch", "pooled"}

    Raises
    ------
    InputError
        Unknown method, level outside (0, 0.5), an empty range, fewer than two values in a group, a value that is not
        a finite number, or no variance.
    """
    check_range(low, high, level, method, MEAN_METHODS)
    a, b = _numbers(values, "values"), _numbers(others, "others")
    variances, sizes = np.array([a.var(ddof=1), b.var(ddof=1)]), np.array([len(a), len(b)])
    if method == "welch":
        parts = variances / sizes
        error = sqrt(parts.sum())
        df = float(parts.sum() ** 2 / (parts**2 / (sizes - 1)).sum()) if error > 0 else 0.0
    else:
        df = float(sizes.sum() - 2)
        error = sqrt(float((variances * (sizes - 1)).sum() / df * (1 / sizes).sum()))
    value = float(a.mean() - b.mean())
    return _by_t(
        value, error, df, low, high, level, int(sizes.sum()), MEAN_METHODS[method], f"{__name__}.tost_means", unit
    )


def tost_paired_means(
    values: Sequence[float], others: Sequence[float], *, low: float, high: float, level: float = 0.05, unit: str = ""
) -> Equivalence:
    """Means of pairs: the mean of values − others within ``low`` to ``high``, by paired t tests.

    Raises
    ------
    InputError
        As in `tost_means`, or lengths that differ.
    """
    check_range(low, high, level, "", {"": ""})
    d = _differences(values, others)
    error = float(d.std(ddof=1)) / sqrt(len(d))
    return _by_t(
        float(d.mean()),
        error,
        len(d) - 1,
        low,
        high,
        level,
        len(d),
        "paired t tests",
        f"{__name__}.tost_paired_means",
        unit,
    )


def tost_medians(
    values: Sequence[float],
    others: Sequence[float],
    *,
    low: float,
    high: float,
    level: float = 0.05,
    method: str,
    unit: str = "",
) -> Equivalence:
    """Shift between two independent groups: the median of all differences (Hodges–Lehmann), by Mann–Whitney tests.

    Parameters
    ----------
    values, others : sequence of float
    low, high : float
        In the values' unit.
    method : {"exact", "asymptotic"}
        Of the Mann–Whitney tests; exact takes values without ties (a difference of exactly ``low`` or ``high`` ties
        too). The interval is read off the ordered differences by the same distribution, for asymptotic with the
        variance corrected for ties.

    Raises
    ------
    InputError
        As in `tost_means`, or exact with ties.
    """
    check_range(low, high, level, method, {"exact": "", "asymptotic": ""})
    a, b = _numbers(values, "values"), _numbers(others, "others")
    differences = np.sort(np.subtract.outer(a, b).ravel())
    if method == "exact" and (
        len(np.unique(np.concatenate([a, b]))) < len(a) + len(b) or np.isin([low, high], differences).any()
    ):
        problem = Problem("method", "exact, but there are ties", "method='asymptotic'")
        raise InputError("Equivalence cannot be tested so.", [problem])
    above = stats.mannwhitneyu(a - low, b, alternative="greater", method=method)
    below = stats.mannwhitneyu(a - high, b, alternative="less", method=method)
    n, m = len(a), len(b)
    centre = n * m / 2
    if method == "exact":
        rank = _exact_rank(n, m, level)
    else:
        ties = np.unique(np.concatenate([a, b]), return_counts=True)[1]
        tied = float((ties**3 - ties).sum()) / ((n + m) * (n + m - 1))
        rank = int(np.floor(centre - stats.norm.isf(level) * sqrt(n * m / 12 * (n + m + 1 - tied))))
    bounds = (float(differences[rank - 1]), float(differences[len(differences) - rank])) if rank >= 1 else (None, None)
    words = f"{method} Mann–Whitney tests"
    estimate = estimate_of(
        float(np.median(differences)), *bounds, level, n + m, words, f"{__name__}.tost_medians", unit
    )
    statistics = float(above.statistic) - centre, float(below.statistic) - centre
    return result_of(estimate, low, high, statistics, (float(above.pvalue), float(below.pvalue)), None, level, words)


def tost_paired_medians(
    values: Sequence[float],
    others: Sequence[float],
    *,
    low: float,
    high: float,
    level: float = 0.05,
    method: str,
    unit: str = "",
) -> Equivalence:
    """Shift of pairs: the Hodges–Lehmann centre of values − others, by signed-rank tests.

    Parameters
    ----------
    values, others : sequence of float
    low, high : float
    method : {"exact", "asymptotic"}
        Exact takes no ties and no difference equal to a bound. The interval is that of
        `analysis.stats.paired.hodges_lehmann_paired` either way.

    Raises
    ------
    InputError
        As in `tost_medians`, or lengths that differ.
    """
    check_range(low, high, level, method, {"exact": "", "asymptotic": ""})
    d = _differences(values, others)
    sizes = [np.abs(d - bound) for bound in (low, high)]
    if method == "exact" and any(len(np.unique(size)) < len(size) or not size.all() for size in sizes):
        problem = Problem("method", "exact, but there are ties or differences equal to a bound", "method='asymptotic'")
        raise InputError("Equivalence cannot be tested so.", [problem])
    options = {"zero_method": "wilcox", "correction": method == "asymptotic", "method": method}
    if not all((size > 0).any() for size in sizes):
        problem = Problem("values", "all differences equal a bound", "there is nothing to rank")
        raise InputError("Equivalence cannot be tested so.", [problem])
    above = stats.wilcoxon(d - low, alternative="greater", **options)
    below = stats.wilcoxon(d - high, alternative="less", **options)
    words = f"{method} signed-rank tests"
    shift = hodges_lehmann_paired(d, np.zeros_like(d), 1 - 2 * level)
    estimate = estimate_of(
        shift.value, shift.low, shift.high, level, len(d), words, f"{__name__}.tost_paired_medians", unit
    )
    statistics = float(above.statistic), float(below.statistic)
    return result_of(estimate, low, high, statistics, (float(above.pvalue), float(below.pvalue)), None, level, words)


def tost_correlation(r: float, n: int, *, low: float, high: float, level: float = 0.05) -> Equivalence:
    """A correlation within ``low`` to ``high``, on Fisher's z.

    Raises
    ------
    InputError
        A correlation or bound outside (−1, 1), an empty range, level outside (0, 0.5), or fewer than four pairs.

    Examples
    --------
    >>> round(tost_correlation(0.02, 100, low=-0.3, high=0.3).p_value, 6)
    0.002176
    """
    check_range(low, high, level, "", {"": ""}, -1, 1)
    problems = []
    if not -1 < r < 1:
        problems.append(Problem("r", f"got {r}", "between −1 and 1"))
    if n < 4:
        problems.append(Problem("n", f"got {n}", "four or more"))
    if problems:
        raise InputError("Equivalence cannot be tested.", problems)
    error = 1 / sqrt(n - 3)
    half = float(stats.norm.isf(level)) * error
    words = "z tests on Fisher's z"
    estimate = estimate_of(
        r, tanh(atanh(r) - half), tanh(atanh(r) + half), level, n, words, f"{__name__}.tost_correlation", ""
    )
    above, below = (atanh(r) - atanh(low)) / error, (atanh(r) - atanh(high)) / error
    tails = float(stats.norm.sf(above)), float(stats.norm.cdf(below))
    return result_of(estimate, low, high, (above, below), tails, None, level, words)


def _by_t(
    value: float,
    error: float,
    df: float,
    low: float,
    high: float,
    level: float,
    n: int,
    words: str,
    name: str,
    unit: str,
) -> Equivalence:
    if error == 0:
        problem = Problem("values", "do not vary", "a t test needs variance within the groups")
        raise InputError("Equivalence cannot be tested.", [problem])
    half = float(stats.t.isf(level, df)) * error
    above, below = (value - low) / error, (value - high) / error
    estimate = estimate_of(value, value - half, value + half, level, n, words, name, unit)
    tails = float(stats.t.sf(above, df)), float(stats.t.cdf(below, df))
    return result_of(estimate, low, high, (above, below), tails, float(df), level, words)


def _exact_rank(n: int, m: int, level: float) -> int:
    """Rank of the difference that bounds the exact Mann–Whitney interval from below; 0 where there is none."""
    ways = np.zeros(n * m + 1)
    ways[0] = 1.0
    for size in range(1, n + 1):  # Gaussian binomial: multiply by 1 − x^(m + size), divide by 1 − x^size
        ways[m + size :] -= ways[: max(0, n * m + 1 - m - size)].copy()
        for place in range(size, n * m + 1):
            ways[place] += ways[place - size]
    below = np.cumsum(ways) / ways.sum()
    return int(np.searchsorted(below, level * (1 + 1e-9), side="right"))


def estimate_of(
    value: float, low: float | None, high: float | None, level: float, n: int, words: str, name: str, unit: str
) -> Estimate:
    """The difference with its 1 − 2·level interval, where there is one; ``name`` is the dotted name of the test."""
    if low is None or high is None:
        return Estimate(value, n=n, method=f"{words}; too few values for an interval", unit=unit, function=name)
    return Estimate(value, low, high, 1 - 2 * level, n, f"interval of the {words}", unit, name)


def result_of(
    estimate: Estimate,
    low: float,
    high: float,
    statistics: tuple[float, float],
    tails: tuple[float, float],
    df: float | None,
    level: float,
    words: str,
) -> Equivalence:
    """Both tests together: the larger p-value counts."""
    p_value = max(tails)
    method = f"two one-sided tests (TOST), {words}"
    return Equivalence(estimate, low, high, *statistics, *tails, p_value, df, level, bool(p_value < level), method)


def _numbers(values: Sequence[float], name: str) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or len(array) < 2 or not np.isfinite(array).all():
        problem = Problem(
            name,
            f"{array.size} values, {int((~np.isfinite(array)).sum())} of them no finite numbers",
            "two or more finite numbers; leave out the missing ones",
        )
        raise InputError("Equivalence cannot be tested.", [problem])
    return array


def _differences(values: Sequence[float], others: Sequence[float]) -> np.ndarray:
    a, b = _numbers(values, "values"), _numbers(others, "others")
    if len(a) != len(b):
        problem = Problem("values and others", f"{len(a)} and {len(b)} values", "one value a pair in each, same order")
        raise InputError("Pairs do not match.", [problem])
    return a - b


def check_range(
    low: float,
    high: float,
    level: float,
    method: str,
    known: dict[str, str],
    least: float = -np.inf,
    most: float = np.inf,
) -> None:
    """Raise with all that is wrong with method, level and range of equivalence."""
    problems = []
    if method not in known:
        problems.append(Problem("method", f"got '{method}'", f"one of: {', '.join(known)}"))
    if not 0 < level < 0.5:
        problems.append(Problem("level", f"got {level}", "between 0 and 0.5, such as 0.05"))
    if not (least < low < high < most):
        what = "low below high" if np.isinf(least) else f"low below high, between {least:g} and {most:g}"
        problems.append(Problem("low, high", f"got {low} and {high}", what))
    if problems:
        raise InputError("Equivalence cannot be tested.", problems)
