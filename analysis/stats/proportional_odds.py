"""Does one coefficient a predictor do for all thresholds of an ordinal regression? Two tests of that assumption.

Brant compares the coefficients of the separate binary logits (answer above threshold j or not); it also says which
predictor breaks the assumption. The likelihood-ratio test compares with the model in which every threshold has
coefficients of its own. Both reject too readily in large samples and too rarely in small ones; with rare categories
neither can be computed, and the error says so.

References
----------
Brant R (1990) Assessing proportionality in the proportional odds model for ordinal logistic regression. Biometrics 46,
1171–1178.
Peterson B, Harrell FE (1990) Partial proportional odds models for ordinal response variables. JRSS C 39, 205–217.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special, stats

from analysis.base.errors import InputError, Problem
from analysis.stats.cumulative import LINKS, fit_cumulative, refuse_separation, separating_predictors
from analysis.stats.regression import prepare


@dataclass(frozen=True, slots=True)
class ParallelTest:
    """A chi-square test that coefficients do not change from threshold to threshold.

    Attributes
    ----------
    statistic, df, p_value : float
        Over all predictors.
    by_predictor : tuple of (name, statistic, df, p_value)
        One predictor at a time; empty for the likelihood-ratio test.
    n : int
    method : str
    """

    statistic: float
    df: int
    p_value: float
    by_predictor: tuple[tuple[str, float, int, float], ...]
    n: int
    method: str


def brant_test(
    outcome: pd.Series | Sequence,
    predictors: pd.DataFrame,
    *,
    categories: Sequence[Hashable] | None = None,
    missing: str = "refuse",
) -> ParallelTest:
    """Brant's Wald test of proportional odds.

    Parameters
    ----------
    outcome, predictors, categories, missing
        As in `analysis.stats.regression.fit_ordinal`; three categories in use or more.

    Raises
    ------
    InputError
        As in `fit_ordinal`; fewer than three categories in use; a predictor that separates the answers above some
        threshold from those below, which leaves that threshold's logit without a finite estimate.
    """
    data = prepare(outcome, predictors, categories, missing, ordered=True)
    steps, k = _steps(len(data.categories)), len(data.names)
    design = np.column_stack([np.ones(len(data.codes)), data.matrix])
    slopes, chances, inverses = [], [], []
    for step in range(steps):
        above = (data.codes > step).astype(int)
        split = f"answers above and below {data.categories[step]}|{data.categories[step + 1]}"
        refuse_separation(data.names, separating_predictors(above, data.matrix, parallel=True), split)
        fit = fit_cumulative(above, data.matrix, "logit", parallel=True)
        slopes.append(fit.parameters[1:])
        chance = special.expit(design @ np.concatenate([-fit.parameters[:1], fit.parameters[1:]]))
        chances.append(chance)
        inverses.append(np.linalg.inv((design * (chance * (1 - chance))[:, None]).T @ design))
    covariance = np.zeros((steps, k, steps, k))
    for low in range(steps):
        for high in range(low, steps):
            # Above the higher threshold implies above the lower one, so the joint chance is the smaller of the two.
            shared = chances[high] - chances[low] * chances[high]
            block = inverses[low] @ ((design * shared[:, None]).T @ design) @ inverses[high]
            covariance[low, :, high, :] = block[1:, 1:]
            covariance[high, :, low, :] = block[1:, 1:].T
    differences = np.array(slopes)[0] - np.array(slopes)[1:]
    spread = covariance[:1, :, :1, :] - covariance[:1, :, 1:, :] - covariance[1:, :, :1, :] + covariance[1:, :, 1:, :]
    size = (steps - 1) * k
    overall = _wald(differences.ravel(), spread.reshape(size, size))
    single = [
        (name, *_wald(differences[:, place], spread[:, place, :, place])) for place, name in enumerate(data.names)
    ]
    return ParallelTest(*overall, tuple(single), len(data.codes), "Brant test of proportional odds")


def parallel_likelihood_ratio_test(
    outcome: pd.Series | Sequence,
    predictors: pd.DataFrame,
    *,
    link: str,
    categories: Sequence[Hashable] | None = None,
    missing: str = "refuse",
) -> ParallelTest:
    """Likelihood-ratio test of the ordinal model against coefficients of its own for each threshold.

    Parameters
    ----------
    link : {"logit", "probit"}
    outcome, predictors, categories, missing
        As in `brant_test`.

    Raises
    ------
    InputError
        As in `brant_test`; unknown link; an unconstrained model whose lines cross within the data.
    """
    if link not in LINKS:
        problem = Problem("link", f"got '{link}'", f"one of: {', '.join(LINKS)}")
        raise InputError("The assumption cannot be tested.", [problem])
    data = prepare(outcome, predictors, categories, missing, ordered=True)
    steps = _steps(len(data.categories))
    refuse_separation(data.names, separating_predictors(data.codes, data.matrix, parallel=False), "the outcome")
    constrained = fit_cumulative(data.codes, data.matrix, link, parallel=True)
    free = fit_cumulative(data.codes, data.matrix, link, parallel=False)
    statistic = max(0.0, 2 * (free.log_likelihood - constrained.log_likelihood))
    df = (steps - 1) * len(data.names)
    method = f"likelihood-ratio test against coefficients for each threshold, {link} link"
    return ParallelTest(statistic, df, float(stats.chi2.sf(statistic, df)), (), len(data.codes), method)


def _wald(differences: np.ndarray, covariance: np.ndarray) -> tuple[float, int, float]:
    statistic = float(differences @ np.linalg.solve(covariance, differences))
    return statistic, len(differences), float(stats.chi2.sf(statistic, len(differences)))


def _steps(count: int) -> int:
    if count < 3:
        problem = Problem("outcome", f"{count} categories in use", "three or more: two have a single threshold")
        raise InputError("There is nothing to compare between thresholds.", [problem])
    return count - 1
