"""Intraclass correlations: how far ratings of the same target agree, in the six forms of Shrout and Fleiss.

Ratings come as targets × raters. The first digit of a form says who rated, the second how many ratings are averaged:
``ICC(1,·)`` each target has raters of its own; ``ICC(2,·)`` the same raters, a random sample of raters, absolute
agreement counts; ``ICC(3,·)`` the same raters, the only ones of interest, consistency counts.

References
----------
Shrout PE, Fleiss JL (1979) Intraclass correlations: uses in assessing rater reliability. Psychol. Bull. 86, 420–428.
McGraw KO, Wong SP (1996) Forming inferences about some intraclass correlation coefficients. Psychol. Methods 1, 30–46,
table 7 (intervals) with its 1996 correction, 1, 390.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate

FORMS: dict[str, str] = {
    "1,1": "one-way random, single rating",
    "2,1": "two-way random, absolute agreement, single rating",
    "3,1": "two-way mixed, consistency, single rating",
    "1,k": "one-way random, mean of the ratings",
    "2,k": "two-way random, absolute agreement, mean of the ratings",
    "3,k": "two-way mixed, consistency, mean of the ratings",
}
MISSING = ("refuse", "listwise")


@dataclass(frozen=True, slots=True)
class IntraclassCorrelation:
    """One form of the intraclass correlation.

    Attributes
    ----------
    estimate : Estimate
        ``n`` counts targets. May be negative where targets differ less than ratings of one target do.
    form : str
        Key of `FORMS`.
    statistic, df, error_df, p_value : float
        F test of no correlation.
    raters : int
    method : str
    """

    estimate: Estimate
    form: str
    statistic: float
    df: int
    error_df: int
    p_value: float
    raters: int
    method: str


def compute_icc(
    ratings: pd.DataFrame | np.ndarray, confidence: float = 0.95, *, form: str, missing: str = "refuse"
) -> IntraclassCorrelation:
    """Intraclass correlation of ratings with its F-based interval.

    Parameters
    ----------
    ratings : DataFrame or array
        Targets × raters, two or more of each.
    confidence : float
    form : {"1,1", "2,1", "3,1", "1,k", "2,k", "3,k"}
    missing : {"refuse", "listwise"}
        Listwise keeps the targets that everybody rated: the mean squares need complete rows.

    Returns
    -------
    IntraclassCorrelation
        The estimate has no bounds where ratings of one target never differ: there is no error to judge it by; nor
        where the lower bound of a mean's correlation would be minus infinity.

    Raises
    ------
    InputError
        Unknown form or missing rule, confidence outside (0, 1), text, missing ratings that were to be refused, fewer
        than two targets or raters, or ratings that are all the same.

    Examples
    --------
    >>> ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    >>> found = compute_icc(ratings, form="2,1").estimate
    >>> found.text(2), found.interval_text(3)
    ('0.29', '0.019–0.761')
    """
    matrix = _checked(ratings, confidence, form, missing)
    n, k = matrix.shape
    grand = matrix.mean()
    rows = k * ((matrix.mean(axis=1) - grand) ** 2).sum()
    columns = n * ((matrix.mean(axis=0) - grand) ** 2).sum()
    total = ((matrix - grand) ** 2).sum()
    between = rows / (n - 1)
    one_way, average = form[0] == "1", form[2] == "k"
    # Sums of squares that are rounding errors are none.
    error_sum = total - rows - (0 if one_way else columns)
    error_df = n * (k - 1) if one_way else (n - 1) * (k - 1)
    error = error_sum / error_df if error_sum > 1e-12 * total else 0.0
    raters = columns / (k - 1)
    shift = k * (raters - error) / n if form[0] == "2" else 0.0
    single = (between - error) / (between + (k - 1) * error + shift)
    value = _averaged(single, k) if average else single
    method = f"ICC({form}), {FORMS[form]}"
    stamp = f"{__name__}.compute_icc"
    if error == 0:
        estimate = Estimate(
            value, n=n, method=f"{method}; no interval: ratings of one target never differ otherwise", function=stamp
        )
        return IntraclassCorrelation(estimate, form, float("inf"), n - 1, error_df, 0.0, k, method)
    ratio = between / error
    if form[0] == "2":
        low, high = _agreement_bounds(single, between, raters, error, n, k, confidence)
    else:
        tail = (1 + confidence) / 2
        lower = ratio / stats.f.ppf(tail, n - 1, error_df)
        upper = ratio * stats.f.ppf(tail, error_df, n - 1)
        low, high = (lower - 1) / (lower + k - 1), (upper - 1) / (upper + k - 1)
    p_value = float(stats.f.sf(ratio, n - 1, error_df))
    if average:
        if 1 + (k - 1) * low <= 1e-12:  # far below zero, the mean's correlation runs to minus infinity
            words = f"{method}; no interval: its lower bound is without limit"
            estimate = Estimate(float(value), n=n, method=words, function=stamp)
            return IntraclassCorrelation(estimate, form, float(ratio), n - 1, error_df, p_value, k, method)
        low, high = _averaged(low, k), _averaged(high, k)
    estimate = Estimate(
        float(value), float(low), float(high), confidence, n, f"{method}, F-based interval", function=stamp
    )
    return IntraclassCorrelation(estimate, form, float(ratio), n - 1, error_df, p_value, k, method)


def _averaged(single: float, k: int) -> float:
    """Spearman and Brown: the reliability of the mean of k ratings."""
    return k * single / (1 + (k - 1) * single)


def _agreement_bounds(
    single: float, between: float, raters: float, error: float, n: int, k: int, confidence: float
) -> tuple[float, float]:
    """Satterthwaite's interval for absolute agreement, McGraw and Wong's table 7, case 2A."""
    if single >= 1:
        return single, single
    a, b = k * single / (n * (1 - single)), 1 + k * single * (n - 1) / (n * (1 - single))
    df = (a * raters + b * error) ** 2 / ((a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    tail = (1 + confidence) / 2
    below, above = stats.f.ppf(tail, n - 1, df), stats.f.ppf(tail, df, n - 1)
    rest = k * raters + (k * n - k - n) * error
    low = n * (between - below * error) / (below * rest + n * between)
    high = n * (above * between - error) / (rest + n * above * between)
    return low, high


def _checked(ratings: pd.DataFrame | np.ndarray, confidence: float, form: str, missing: str) -> np.ndarray:
    frame = ratings if isinstance(ratings, pd.DataFrame) else pd.DataFrame(np.asarray(ratings))
    problems = []
    if form not in FORMS:
        problems.append(Problem("form", f"got '{form}'", f"one of: {'; '.join(FORMS)}"))
    if missing not in MISSING:
        problems.append(Problem("missing", f"got '{missing}'", f"one of: {', '.join(MISSING)}"))
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    problems += [
        Problem(f"rater {name}", f"holds {dtype}, not numbers", "score the ratings first")
        for name, dtype in frame.dtypes.items()
        if not pd.api.types.is_numeric_dtype(dtype)
    ]
    if problems:
        raise InputError("The intraclass correlation cannot be computed.", problems)
    matrix = frame.to_numpy(dtype=float, na_value=np.nan)
    gaps = ~np.isfinite(matrix).all(axis=1)
    if gaps.any() and missing == "refuse":
        what = f"{gaps.sum()} of {len(matrix)} targets lack a rating"
        problems.append(Problem("ratings", what, "missing='listwise' leaves them out"))
    matrix = matrix[~gaps]
    if min(matrix.shape) < 2:
        what = f"{matrix.shape[0]} targets with all ratings, {matrix.shape[1]} raters"
        problems.append(Problem("ratings", what, "two or more of each"))
    elif np.ptp(matrix) == 0:
        problems.append(Problem("ratings", "all are the same", "without differences there is nothing to correlate"))
    if problems:
        raise InputError("The intraclass correlation cannot be computed.", problems)
    return matrix
