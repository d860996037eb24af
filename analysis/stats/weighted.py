"""Answers that count more or less than one: shares and means with sampling or post-stratification weights.

All other functions of this package count respondents, and refuse counts that are not whole: a weight of 1.7 is no 1.7
people, and an interval computed as if it were would be wrong. Here a weight says how many people of the population a
respondent stands for. The variance is Taylor's linearisation for a sample drawn with replacement (that of R's
``survey::svymean`` with ``ids = ~1``), which does not depend on the weights' scale.

References
----------
Kish L (1965) Survey sampling. Wiley, section 11.7 (effective sample size).
Korn EL, Graubard BI (1998) Confidence intervals for proportions with small expected number of positive counts estimated
from survey data. Survey Methodology 24, 193–201.
Lumley T (2010) Complex surveys. A guide to analysis using R. Wiley, section 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from analysis.base.errors import Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.checks import choice_problems, confidence_problems, finite_values, refuse

WEIGHTED_METHODS: dict[str, str] = {
    "korn-graubard": "weighted share, Korn–Graubard interval",
    "wilson-effective": "weighted share, Wilson interval",
}


@estimator
def compute_weighted_share(
    answers: Sequence[float], weights: Sequence[float], confidence: float = 0.95, *, method: str
) -> Estimate:
    """Share of yes among weighted answers; `n` of the estimate is the number of respondents.

    Parameters
    ----------
    answers : sequence of 0 and 1
        No missing ones: who did not answer is left out together with the weight.
    weights : sequence of float
        0 or more; respondents of weight 0 are left out.
    confidence : float
    method : {"korn-graubard", "wilson-effective"}
        Clopper–Pearson's or Wilson's limits for the effective sample size p(1 − p)/variance, as R's ``svyciprop`` has
        it: n − 1 where weights are equal. Where everybody says the same, that size is Kish's.

    Raises
    ------
    InputError
        Answers other than 0 and 1, weights below 0 or other in number, fewer than two respondents with a weight.

    Examples
    --------
    >>> round(compute_weighted_share([1, 1, 0, 0], [3, 1, 1, 1], method="wilson-effective").value, 4)
    0.6667
    """
    y, w = _weighted(answers, weights, confidence, choice_problems("method", method, WEIGHTED_METHODS))
    if not np.isin(y, (0, 1)).all():
        refuse(
            "A weighted share cannot be computed.", [Problem("answers", "other than 0 and 1", "1 for yes, 0 for no")]
        )
    n = len(y)
    value, error = _mean_and_error(y, w)
    effective = value * (1 - value) / error**2 if error > 0 else effective_n(w)
    tail = (1 - confidence) / 2
    yes, no = value * effective, (1 - value) * effective
    if method == "korn-graubard":
        low = stats.beta.ppf(tail, yes, no + 1) if yes > 0 else 0.0
        high = stats.beta.ppf(1 - tail, yes + 1, no) if no > 0 else 1.0
    else:
        z = stats.norm.ppf(1 - tail)
        centre = (yes + z**2 / 2) / (effective + z**2)
        half = z / (effective + z**2) * np.sqrt(yes * no / effective + z**2 / 4)
        low, high = max(0.0, centre - half), min(1.0, centre + half)
    words = f"{WEIGHTED_METHODS[method]}; effective n {effective:.1f}"
    return Estimate(value, float(low), float(high), confidence, n, words, "share")


@estimator
def compute_weighted_mean(
    values: Sequence[float], weights: Sequence[float], confidence: float = 0.95, *, unit: str = ""
) -> Estimate:
    """Mean of weighted values with a t interval from the linearised variance (n − 1 degrees of freedom).

    Missing values, weights and refusals as in `compute_weighted_share`. Where all values are equal, the interval is
    that value: there is nothing to judge scatter by.

    Examples
    --------
    >>> compute_weighted_mean([1, 2, 3, 4], [1, 1, 1, 1]).value
    2.5
    """
    y, w = _weighted(values, weights, confidence, [])
    value, error = _mean_and_error(y, w)
    half = stats.t.ppf((1 + confidence) / 2, len(y) - 1) * error
    return Estimate(
        value, value - half, value + half, confidence, len(y), "weighted mean, t interval from linearisation", unit
    )


def effective_n(weights: Sequence[float]) -> float:
    """Kish's effective sample size, (Σw)²/Σw²: what unequal weights leave of n at worst where they tell nothing.

    >>> effective_n([1, 1, 1, 1]), round(effective_n([3, 1, 1, 1]), 4)
    (4.0, 3.0)
    """
    w = np.asarray(weights, dtype=float)
    return float(w.sum() ** 2 / (w**2).sum())


def _weighted(
    values: Sequence[float], weights: Sequence[float], confidence: float, problems: list[Problem]
) -> tuple[np.ndarray, np.ndarray]:
    y, w = finite_values(values, "answers"), finite_values(weights, "weights")
    problems = [*problems, *confidence_problems(confidence)]
    if len(y) != len(w):
        problems.append(Problem("weights", f"{len(w)} for {len(y)} answers", "one a respondent"))
    elif (w < 0).any():
        problems.append(Problem("weights", f"{int((w < 0).sum())} below 0", "0 or more"))
    elif (w > 0).sum() < 2:
        problems.append(Problem("weights", f"{int((w > 0).sum())} above 0", "two respondents or more"))
    refuse("Weighted answers cannot be summed up.", problems)
    return y[w > 0], w[w > 0]


def _mean_and_error(y: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    mean = float(w @ y / w.sum())
    scores = w * (y - mean) / w.sum()
    n = len(y)
    return mean, float(np.sqrt(n / (n - 1) * (scores**2).sum()))
