"""Bootstrap intervals (percentile and BCa) for any statistic, vectorised over the resamples.

A resample of n observations is known from how often each of them was drawn, so a statistic that can be computed
from such multiplicities is computed for all resamples at once. Observations that are alike need not be told apart:
the answers to a Likert item are five counts, and a resample of 84 answers is one multinomial draw of five counts.

`bootstrap_counts` works on counts or multiplicities, `bootstrap_rows` on rows with any Python function, and
`compute_likert_summary` gives mean, median and box shares of an ordered question from one set of resamples.

References
----------
Efron B (1987) Better bootstrap confidence intervals. JASA 82, 171–185.
Efron B, Tibshirani RJ (1993) An introduction to the bootstrap. Chapman & Hall, chapters 13–14; BCa is eq. 14.9–14.10,
the bias correction 14.14, the acceleration 14.15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.paired import needed_pairs

METHODS: dict[str, str] = {"percentile": "percentile bootstrap", "bca": "BCa bootstrap"}
"""Method → name as printed."""

BLOCK = 4_000_000
"""Numbers held at once while resampling."""

CountStatistic = Callable[[np.ndarray], np.ndarray]
"""Takes an array of counts (resamples × cells) and returns one value a resample; NaN where it is undefined."""


@dataclass(frozen=True, slots=True)
class LikertSummary:
    """An ordered question in four numbers, all from the same resamples.

    Attributes
    ----------
    mean, median : Estimate
        In scores; the mean takes the answers to be equally spaced, the median does not.
    top, bottom : Estimate
        Share of the highest and of the lowest answers (as many as ``box`` said).
    counts : tuple of int
        Respondents an answer, lowest first.
    n : int
    """

    mean: Estimate
    median: Estimate
    top: Estimate
    bottom: Estimate
    counts: tuple[int, ...]
    n: int


@estimator
def bootstrap_counts(
    counts: Sequence[int],
    statistic: CountStatistic,
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator,
    resamples: int = 9999,
    unit: str = "",
    label: str = "",
) -> Estimate:
    """Statistic of counted observations with its bootstrap interval.

    Parameters
    ----------
    counts : sequence of int
        Observations a cell: respondents an answer, or a one for each observation that differs from all others.
    statistic : callable
        Takes counts (resamples × cells), returns one value a resample.
    confidence : float
        Coverage aimed at.
    method : {"percentile", "bca"}
        BCa corrects for bias and skewness, to second order.
    rng : numpy Generator
    resamples : int
    unit : str
    label : str
        Name of the statistic, put before the method's name.

    Returns
    -------
    Estimate
        Without bounds, and the method says why, where there are fewer observations than
        `analysis.stats.paired.needed_pairs`, where BCa is undefined (all resampled values on one side of the
        estimate), or where the statistic is undefined in more than one resample in twenty. Undefined resamples are
        left out up to that; the method says how many.

    Raises
    ------
    InputError
        Unknown method, confidence outside (0, 1), no resamples, negative or fractional counts, nobody, or a statistic
        that is undefined for the observations themselves.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> share = bootstrap_counts([37, 47], lambda c: c[:, 1] / c.sum(axis=1), method="bca", rng=rng, unit="share")
    >>> share.text(), share.n
    ('56.0%', 84)
    """
    cells = _checked_counts(counts)
    _check(confidence, method, resamples)
    value = _value(statistic, cells)
    n = int(cells.sum())
    name = f"{label}, {METHODS[method]}" if label else METHODS[method]
    if n < needed_pairs(confidence):
        return Estimate(value, n=n, method=_too_few(name, confidence, n), unit=unit)
    replicates = np.concatenate([statistic(block) for block in _resampled_counts(cells, resamples, rng)])
    return _estimate(value, replicates, *_jackknife(cells, statistic), confidence, method, n, name, unit)


@estimator
def bootstrap_rows(
    rows: np.ndarray,
    statistic: Callable[[np.ndarray], float | np.ndarray],
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator,
    resamples: int = 9999,
    vectorised: bool = False,
    unit: str = "",
    label: str = "",
) -> Estimate:
    """Any statistic of a sample, or of the rows of a table, with its bootstrap interval.

    Parameters
    ----------
    rows : array
        One observation a row; values that belong together (the items of one respondent) stay together.
    statistic : callable
        Takes an array shaped like ``rows`` (with any number of rows) and returns a number; if ``vectorised``, takes
        resamples × rows × … and returns one value a resample.
    confidence, method, rng, resamples, unit, label
        As in `bootstrap_counts`, and so are the cases without bounds.

    Raises
    ------
    InputError
        As in `bootstrap_counts`, or no rows.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> bootstrap_rows(np.arange(20.0), np.median, method="percentile", rng=rng, resamples=999).value
    9.5
    """
    sample = np.asarray(rows)
    _check(confidence, method, resamples)
    if sample.ndim == 0 or len(sample) == 0:
        raise InputError("Nothing to resample.", [Problem("rows", f"shape {sample.shape}", "one row or more")])
    n, width = len(sample), max(1, sample[0].size)

    def apply(places: np.ndarray) -> np.ndarray:
        size = max(1, BLOCK // (places.shape[1] * width))
        blocks = (sample[places[start : start + size]] for start in range(0, len(places), size))
        if vectorised:
            return np.concatenate([np.asarray(statistic(block), dtype=float) for block in blocks])
        return np.array([float(statistic(one)) for block in blocks for one in block])

    value = float(apply(np.arange(n)[None])[0])
    if not np.isfinite(value):
        raise InputError("The statistic is undefined for these rows.", [Problem("statistic", f"gave {value}")])
    name = f"{label}, {METHODS[method]}" if label else METHODS[method]
    if n < needed_pairs(confidence):
        return Estimate(value, n=n, method=_too_few(name, confidence, n), unit=unit)
    replicates = apply(rng.integers(0, n, size=(resamples, n)))
    without_one = None
    if method == "bca":
        others = np.arange(n - 1)[None] + (np.arange(n - 1)[None] >= np.arange(n)[:, None])
        without_one = apply(others)
    return _estimate(value, replicates, without_one, np.ones(n), confidence, method, n, name, unit)


def compute_likert_summary(
    counts: Sequence[int],
    confidence: float = 0.95,
    *,
    box: int = 2,
    method: str,
    rng: np.random.Generator,
    resamples: int = 9999,
    scores: Sequence[float] | None = None,
) -> LikertSummary:
    """Mean, median, top-box and bottom-box share of an ordered question with bootstrap intervals.

    Parameters
    ----------
    counts : sequence of int
        Respondents an answer, lowest answer first; answers that nobody gave are zeros. Whole respondents, no weights.
    box : int
        How many of the highest (lowest) answers make the top (bottom) box.
    scores : sequence of float, optional
        Score of each answer, rising; 1, 2, 3 … by default.
    confidence, method, rng, resamples
        As in `bootstrap_counts`. Where everybody gave one answer, the bounds equal the value: that is all such a
        sample shows, and a Wilson interval says more about a share of 0 or 1. The median moves in steps of half an
        answer, so its interval covers more than asked for where the answers are few.

    Raises
    ------
    InputError
        As in `bootstrap_counts`; scores that do not rise or do not fit the counts; a box as long as the question.

    Examples
    --------
    >>> rng = np.random.default_rng(20230130)
    >>> summary = compute_likert_summary([0, 5, 13, 47, 19], method="bca", rng=rng)
    >>> summary.median.value, summary.top.text(), summary.mean.text(2), summary.n
    (4.0, '78.6%', '3.95', 84)
    """
    cells = _checked_counts(counts)
    _check(confidence, method, resamples)
    values = np.arange(1.0, len(cells) + 1) if scores is None else np.asarray(scores, dtype=float)
    problems = []
    if values.shape != cells.shape or not np.isfinite(values).all() or np.any(np.diff(values) <= 0):
        remedy = f"{len(cells)} rising numbers, one an answer"
        problems.append(Problem("scores", f"got {values.tolist()}", remedy))
    if not 1 <= box < len(cells):
        problems.append(Problem("box", f"got {box}", f"1 to {len(cells) - 1} answers"))
    if problems:
        raise InputError("The question cannot be summarised.", problems)
    statistics: dict[str, tuple[CountStatistic, str, str]] = {
        "mean": (lambda some: counts_mean(some, values), "mean", ""),
        "median": (lambda some: counts_median(some, values), "median", ""),
        "top": (lambda some: counts_share(some, slice(-box, None)), f"share of the highest {box}", "share"),
        "bottom": (lambda some: counts_share(some, slice(0, box)), f"share of the lowest {box}", "share"),
    }
    n = int(cells.sum())
    drawn = n >= needed_pairs(confidence)
    blocks = list(_resampled_counts(cells, resamples, rng)) if drawn else []
    found = {}
    for key, (statistic, words, unit) in statistics.items():
        value, name = _value(statistic, cells), f"{words}, {METHODS[method]}"
        if drawn:
            replicates = np.concatenate([statistic(block) for block in blocks])
            jackknife = _jackknife(cells, statistic)
            found[key] = _estimate(value, replicates, *jackknife, confidence, method, n, name, unit)
        else:
            found[key] = Estimate(value, n=n, method=_too_few(name, confidence, n), unit=unit)
    stamp = f"{__name__}.compute_likert_summary"
    stamped = {key: _stamped(estimate, stamp) for key, estimate in found.items()}
    return LikertSummary(**stamped, counts=tuple(int(count) for count in cells), n=n)


def counts_mean(counts: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Mean score of each row of counts.

    >>> counts_mean(np.array([[1, 1], [0, 4]]), np.array([1.0, 2.0])).tolist()
    [1.5, 2.0]
    """
    return counts @ scores / counts.sum(axis=1)


def counts_median(counts: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Median score of each row of counts; halfway where the two middle observations differ.

    >>> counts_median(np.array([[5, 5], [2, 3]]), np.array([1.0, 2.0])).tolist()
    [1.5, 2.0]
    """
    seen = np.cumsum(counts, axis=1)
    n = seen[:, -1:]
    lower = (seen < (n + 1) // 2).sum(axis=1)
    upper = (seen < n // 2 + 1).sum(axis=1)
    return (scores[lower] + scores[upper]) / 2


def counts_share(counts: np.ndarray, cells: slice | Sequence[int]) -> np.ndarray:
    """Share of some cells in each row of counts.

    >>> counts_share(np.array([[1, 1, 2]]), slice(-1, None)).tolist()
    [0.5]
    """
    return counts[:, cells].sum(axis=1) / counts.sum(axis=1)


def bca_levels(
    value: float, replicates: np.ndarray, without_one: np.ndarray, weights: np.ndarray, tails: np.ndarray
) -> np.ndarray | None:
    """Quantiles of the replicates that bias and acceleration ask for (eq. 14.10); None where they are undefined.

    Parameters
    ----------
    value : float
        The statistic of the observations.
    replicates : array
        Its value in each resample.
    without_one : array
        Its value with one observation of each cell left out.
    weights : array
        Observations each of these stands for.
    tails : array
        Quantiles that the percentile interval takes.
    """
    # Replicates that tie with the value count as half below it, as in scipy; else a discrete statistic seems biased.
    rounding = 1e-12 * max(1.0, abs(value))
    share = (np.mean(replicates < value - rounding) + np.mean(replicates <= value + rounding)) / 2
    if not 0 < share < 1:
        return None
    bias = stats.norm.ppf(share)
    shifted = bias + stats.norm.ppf(tails)
    slope = acceleration(without_one, weights)
    if np.any(1 - slope * shifted <= 0):
        return None
    return stats.norm.cdf(bias + shifted / (1 - slope * shifted))


def acceleration(without_one: np.ndarray, weights: np.ndarray) -> float:
    """Acceleration from the jackknife (eq. 14.15): a sixth of the skewness of the influence values; 0 without spread.

    >>> round(acceleration(np.array([1.0, 2.0, 6.0]), np.ones(3)), 4)
    -0.0573
    """
    centred = np.average(without_one, weights=weights) - without_one
    # Differences that are rounding errors are none: the third power over the second would blow them up.
    centred[np.abs(centred) < 1e-12 * max(1.0, float(np.max(np.abs(without_one))))] = 0
    spread = float(weights @ centred**2)
    return float(weights @ centred**3) / (6 * spread**1.5) if spread > 0 else 0.0


def _resampled_counts(cells: np.ndarray, resamples: int, rng: np.random.Generator):
    """Blocks of resampled counts, resamples × cells."""
    n, width = int(cells.sum()), len(cells)
    size = max(1, BLOCK // max(width, 1))
    for start in range(0, resamples, size):
        block = min(size, resamples - start)
        if width > 1 and np.all(cells == 1):  # faster than a multinomial draw of n cells
            places = rng.integers(0, n, size=(block, n))
            places += np.arange(block)[:, None] * n
            yield np.bincount(places.ravel(), minlength=block * n).reshape(block, n)
        else:
            yield rng.multinomial(n, cells / n, size=block)


def _jackknife(cells: np.ndarray, statistic: CountStatistic) -> tuple[np.ndarray, np.ndarray]:
    """The statistic with one observation of each filled cell left out, and how many observations that stands for."""
    filled = np.flatnonzero(cells)
    return np.asarray(statistic(cells - np.eye(len(cells), dtype=cells.dtype)[filled]), dtype=float), cells[filled]


def _estimate(
    value: float,
    replicates: np.ndarray,
    without_one: np.ndarray | None,
    weights: np.ndarray,
    confidence: float,
    method: str,
    n: int,
    name: str,
    unit: str,
) -> Estimate:
    defined = np.isfinite(replicates)
    lost, drawn = int((~defined).sum()), len(replicates)
    if lost > drawn / 20:
        why = f"{name}; no interval: undefined in {lost} of {drawn} resamples"
        return Estimate(value, n=n, method=why, unit=unit)
    name += f", {drawn} resamples" + (f" ({lost} undefined ones left out)" if lost else "")
    replicates = replicates[defined]
    tails: np.ndarray | None = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if method == "bca":
        usable = without_one is not None and np.isfinite(without_one).all()
        tails = bca_levels(value, replicates, without_one, weights, tails) if usable else None
        if tails is None:
            return Estimate(value, n=n, method=f"{name}; no interval: BCa is undefined here", unit=unit)
    low, high = np.quantile(replicates, tails)
    return Estimate(value, float(low), float(high), confidence, n, name, unit)


def _value(statistic: CountStatistic, cells: np.ndarray) -> float:
    value = float(statistic(cells[None])[0])
    if not np.isfinite(value):
        raise InputError("The statistic is undefined for these observations.", [Problem("statistic", f"gave {value}")])
    return value


def _stamped(estimate: Estimate, function: str) -> Estimate:
    return replace(estimate, function=function)


def _too_few(name: str, confidence: float, n: int) -> str:
    needed = needed_pairs(confidence)
    return f"{name}; no {100 * confidence:g}% interval: it takes {needed} observations, there are {n}"


def _checked_counts(counts: Sequence[int]) -> np.ndarray:
    array = np.asarray(counts)
    problems = []
    if array.ndim != 1 or array.size == 0:
        problems.append(Problem("counts", f"shape {array.shape}", "one count a cell"))
    else:
        problems += [
            Problem(f"count {place}", f"got {count}", "a whole number from 0 on; weights cannot be resampled")
            for place, count in enumerate(array.tolist(), start=1)
            if not (isinstance(count, int | float) and np.isfinite(count) and count >= 0 and count % 1 == 0)
        ]
        if not problems and array.sum() == 0:
            problems.append(Problem("counts", "nobody is counted", "one observation or more"))
    if problems:
        raise InputError("These counts cannot be resampled.", problems)
    return array.astype(np.int64)


def _check(confidence: float, method: str, resamples: int) -> None:
    problems = []
    if method not in METHODS:
        problems.append(Problem("method", f"got '{method}'", f"one of: {', '.join(METHODS)}"))
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    if resamples < 1:
        problems.append(Problem("resamples", f"got {resamples}", "at least one"))
    if problems:
        raise InputError("A bootstrap interval cannot be computed.", problems)
