"""Paired comparison of few pairs: shift, test and mean of the differences.

Two arms that met the same seeds give one difference a seed. Nothing here assumes a shape for these
differences beyond symmetry about their centre, and nothing invents precision that few pairs do not
hold: the range of n symmetric differences covers their centre with probability 1 - 2^(1-n), so no
interval within that range can promise more. At 95 % that takes six pairs; with fewer the estimate
comes without bounds and its method says so.

References
----------
Hodges JL, Lehmann EL (1963) Estimates of location based on rank tests. Ann. Math. Stat. 34, 598–611.
Hollander M, Wolfe DA (1973) Nonparametric statistical methods. Wiley, sections 3.1–3.3.
Fisher RA (1935) The design of experiments. Oliver & Boyd, section 21.
Phipson B, Smyth GK (2010) Permutation p-values should never be zero. Stat. Appl. Genet. Mol. Biol. 9, 39.
Efron B, Tibshirani RJ (1993) An introduction to the bootstrap. Chapman & Hall, chapters 13–14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.multiplicity import holm as holm  # callers import it from here

EXACT_SIGNED_RANK_N = 200
"""Pairs up to which the signed-rank distribution is counted out; its normal approximation takes over above."""

EXACT_FLIPS_N = 16
"""Pairs up to which all 2ⁿ sign flips are tried."""

ALTERNATIVES = ("two-sided", "greater", "less")

BOOTSTRAP_METHODS = {"percentile": "percentile bootstrap of the mean", "bca": "BCa bootstrap of the mean"}


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A p-value with what it rests on.

    Attributes
    ----------
    p_value : float
    statistic : float
        Mean of the differences.
    n : int
        Pairs.
    smallest_p : float
        The smallest p-value that these n pairs could have given; a test whose ``smallest_p`` exceeds
        the level aimed at cannot reject, whatever the data.
    method : str
    """

    p_value: float
    statistic: float
    n: int
    smallest_p: float
    method: str


def needed_pairs(confidence: float) -> int:
    """Fewest pairs for which an interval within the range of the differences reaches ``confidence``.

    >>> needed_pairs(0.95), needed_pairs(0.5)
    (6, 2)
    """
    _check_confidence(confidence)
    # Rounded so that confidences such as 0.96875 = 1 - 2^-5 do not gain a pair from a rounding error.
    return max(2, ceil(round(1 - log2(1 - confidence), 9)))


@estimator
def hodges_lehmann_paired(
    x: Sequence[float], y: Sequence[float], confidence: float = 0.95, *, unit: str = ""
) -> Estimate:
    """Hodges–Lehmann shift of ``x`` against ``y`` with the interval of the signed-rank test.

    The estimate is the median of the Walsh averages (dᵢ + dⱼ)/2, i ≤ j, of the differences d = x − y;
    the bounds are the averages that the exact signed-rank test at 1 − ``confidence`` just keeps. Ties and
    differences of zero stay in: the coverage is then at least as stated for symmetric differences.

    Parameters
    ----------
    x, y : sequence of float
        One value a pair, same order.
    confidence : float
        Coverage aimed at; the coverage reached is at least that.
    unit : str
        Unit of the values.

    Returns
    -------
    Estimate
        Without bounds where there are fewer than ``needed_pairs(confidence)`` pairs; the method says so.

    Raises
    ------
    InputError
        Lengths differ, no pair at all, a value that is not a finite number, or confidence outside (0, 1).

    Examples
    --------
    >>> estimate = hodges_lehmann_paired([5, 7, 9, 8, 6, 10], [4, 5, 6, 4, 1, 4])
    >>> estimate.value, estimate.low, estimate.high
    (3.5, 1.0, 6.0)
    >>> hodges_lehmann_paired([5, 7], [4, 5]).method
    'Hodges–Lehmann shift; no 95% interval: it takes 6 pairs, there are 2'
    """
    _check_confidence(confidence)
    differences = _differences(x, y)
    n = len(differences)
    rows, columns = np.triu_indices(n)
    averages = np.sort((differences[rows] + differences[columns]) / 2)
    value = float(np.median(averages))
    if n < needed_pairs(confidence):
        return Estimate(value, n=n, method=_without_interval("Hodges–Lehmann shift", confidence, n), unit=unit)
    rank, label = _signed_rank_bound(n, confidence)
    low, high = float(averages[rank - 1]), float(averages[len(averages) - rank])
    return Estimate(value, low, high, confidence, n, f"Hodges–Lehmann shift with {label} signed-rank interval", unit)


def sign_flip_test(
    differences: Sequence[float],
    alternative: str,
    *,
    rng: np.random.Generator | None = None,
    flips: int = 9999,
) -> PairedTest:
    """Fisher's randomisation test: would the mean difference stand out if every sign were a coin flip?

    Parameters
    ----------
    differences : sequence of float
        One difference a pair; zeros stay in and change nothing.
    alternative : {"two-sided", "greater", "less"}
        Direction of the mean difference under the alternative.
    rng : numpy Generator
        Needed above `EXACT_FLIPS_N` pairs, where ``flips`` random flips stand for all 2ⁿ; the observed
        arrangement then counts as one of them, so that p is never zero.
    flips : int
        Random flips.

    Returns
    -------
    PairedTest
        With two pairs the smallest two-sided p is 0.5: such a test can never reject, and ``smallest_p`` shows it.

    Raises
    ------
    InputError
        Unknown alternative, no difference, a value that is not a finite number, or no generator where one is needed.

    Examples
    --------
    >>> result = sign_flip_test([1.0, 2.0, 3.0], "greater")
    >>> result.p_value, result.smallest_p
    (0.125, 0.125)
    """
    values = _finite(differences, "differences")
    n = len(values)
    problems = []
    if alternative not in ALTERNATIVES:
        problems.append(Problem("alternative", f"got '{alternative}'", f"one of: {', '.join(ALTERNATIVES)}"))
    if n > EXACT_FLIPS_N and rng is None:
        problems.append(Problem("rng", f"{n} pairs and no generator", "pass rng=numpy.random.default_rng(seed)"))
    if flips < 1:
        problems.append(Problem("flips", f"got {flips}", "at least one"))
    if problems:
        raise InputError("The sign-flip test cannot be computed.", problems)
    sides = 2 if alternative == "two-sided" else 1
    if n <= EXACT_FLIPS_N:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        p_value = float(np.mean(_as_extreme(signs @ values, values, alternative)))
        return PairedTest(p_value, float(values.mean()), n, sides * 0.5**n, "sign-flip test, exact")
    extreme, left = 0, flips
    while left:  # in blocks, so that memory stays small for many pairs
        block = min(left, max(1, 4_000_000 // n))
        signs = 1 - 2 * rng.integers(0, 2, size=(block, n), dtype=np.int8).astype(np.int64)
        extreme += int(_as_extreme(signs @ values, values, alternative).sum())
        left -= block
    p_value = (extreme + 1) / (flips + 1)
    return PairedTest(p_value, float(values.mean()), n, 1 / (flips + 1), f"sign-flip test, {flips} random flips")


@estimator
def bootstrap_mean_interval(
    values: Sequence[float],
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator,
    resamples: int = 9999,
    unit: str = "",
) -> Estimate:
    """Mean with its bootstrap interval.

    Parameters
    ----------
    values : sequence of float
        For pairs: the differences.
    confidence : float
        Coverage aimed at. Bootstrap intervals of means of few values cover less than that (percentile at
        n = 10 typically about 90 % for 95 %).
    method : {"percentile", "bca"}
        BCa corrects for bias and skewness. Where it is undefined (all resampled means on one side of the mean)
        the estimate comes without bounds.
    rng : numpy Generator
    resamples : int

    Returns
    -------
    Estimate
        Without bounds below ``needed_pairs(confidence)`` values, since a resample never leaves their range;
        with equal bounds where all values are equal, as all that such a sample shows.

    Raises
    ------
    InputError
        Unknown method, no value, one that is not a finite number, confidence outside (0, 1), or no resamples.
    """
    _check_confidence(confidence)
    sample = _finite(values, "values")
    problems = []
    if method not in BOOTSTRAP_METHODS:
        problems.append(Problem("method", f"got '{method}'", f"one of: {', '.join(BOOTSTRAP_METHODS)}"))
    if resamples < 1:
        problems.append(Problem("resamples", f"got {resamples}", "at least one"))
    if problems:
        raise InputError("A bootstrap interval cannot be computed.", problems)
    n, mean, label = len(sample), float(np.mean(sample)), BOOTSTRAP_METHODS[method]
    if n < needed_pairs(confidence):
        return Estimate(mean, n=n, method=_without_interval(label, confidence, n, "values"), unit=unit)
    if np.ptp(sample) == 0:
        return Estimate(mean, mean, mean, confidence, n, f"{label}; all values are equal", unit)
    means = np.concatenate(
        [
            sample[rng.integers(0, n, size=(min(resamples - start, 1000), n))].mean(axis=1)
            for start in range(0, resamples, 1000)
        ]
    )
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if method == "bca":
        tails = _bca_tails(sample, means, tails)
        if tails is None:
            return Estimate(mean, n=n, method=f"{label}; undefined: all resampled means on one side", unit=unit)
    low, high = np.quantile(means, tails)
    return Estimate(mean, float(low), float(high), confidence, n, f"{label}, {resamples} resamples", unit)


def _signed_rank_bound(n: int, confidence: float) -> tuple[int, str]:
    """Rank from 1 of the Walsh average that is the lower bound, and whether the count is exact."""
    if n > EXACT_SIGNED_RANK_N:
        centre, spread = n * (n + 1) / 4, np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return max(1, int(np.floor(centre - stats.norm.ppf((1 + confidence) / 2) * spread))), "normal-approximation"
    shares = np.ones(1)
    for rank in range(1, n + 1):  # each rank is in the sum or not, with one half each
        grown = np.zeros(len(shares) + rank)
        grown[: len(shares)] += shares / 2
        grown[rank:] += shares / 2
        shares = grown
    # The smallest q with P(T ≤ q) > alpha/2, so that the interval misses with 2·P(T ≤ q − 1) ≤ alpha. R's qsignrank
    # asks for ≥ instead, which differs only where alpha/2 is attained exactly; the tolerance is for those levels.
    below = np.cumsum(shares)
    return max(1, int(np.searchsorted(below, (1 - confidence) / 2 * (1 + 1e-9), side="right"))), "exact"


def _bca_tails(sample: np.ndarray, means: np.ndarray, tails: np.ndarray) -> np.ndarray | None:
    """Quantiles of the resampled means that bias and acceleration ask for; None where they are undefined."""
    share = (np.sum(means < sample.mean()) + np.sum(means == sample.mean()) / 2) / len(means)
    if not 0 < share < 1:
        return None
    bias = stats.norm.ppf(share)
    # The mean's jackknife values are linear in the sample, so the acceleration is a sixth of its skewness over √n.
    centred = sample - sample.mean()
    acceleration = np.sum(centred**3) / (6 * np.sum(centred**2) ** 1.5)
    shifted = bias + stats.norm.ppf(tails)
    return stats.norm.cdf(bias + shifted / (1 - acceleration * shifted))


def _as_extreme(sums: np.ndarray, values: np.ndarray, alternative: str) -> np.ndarray:
    """Which flipped sums are as far out as the observed one; sums equal but for rounding count as equal."""
    observed, tolerance = values.sum(), 1e-9 * np.abs(values).sum()
    if alternative == "two-sided":
        return np.abs(sums) >= abs(observed) - tolerance
    return sums >= observed - tolerance if alternative == "greater" else sums <= observed + tolerance


def _without_interval(label: str, confidence: float, n: int, what: str = "pairs") -> str:
    return f"{label}; no {100 * confidence:g}% interval: it takes {needed_pairs(confidence)} {what}, there are {n}"


def _differences(x: Sequence[float], y: Sequence[float]) -> np.ndarray:
    first, second = _finite(x, "x"), _finite(y, "y")
    if len(first) != len(second):
        problem = Problem("x and y", f"{len(first)} and {len(second)} values", "one value a pair in each, same order")
        raise InputError("Pairs do not match.", [problem])
    return first - second


def _finite(values: Sequence[float], name: str) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    problems = []
    if array.ndim != 1 or array.size == 0:
        problems.append(Problem(name, f"shape {array.shape}", "a sequence of one number or more"))
    problems += [
        Problem(f"{name}, place {place}", f"got {value}", "a finite number; leave out pairs that have none")
        for place, value in enumerate(array.ravel(), start=1)
        if not np.isfinite(value)
    ]
    if problems:
        raise InputError("These values cannot be compared.", problems)
    return array


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        problem = Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95")
        raise InputError("An interval cannot be computed.", [problem])
