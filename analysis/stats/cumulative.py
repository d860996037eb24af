"""Likelihood of cumulative link models, and whether it has a maximum at all.

An ordered outcome falls into category j or below with probability F(θ_j − x'β_j). With one β for all j these are the
proportional-odds (logit) and ordered-probit models; with a β for each j, the unconstrained model they are tested
against. Both are concave in their parameters, so Newton's method finds the maximum where there is one. Where a
combination of predictors separates categories, the likelihood grows for ever along it; a linear programme finds such
a direction before any fitting.

References
----------
McCullagh P (1980) Regression models for ordinal data. JRSS B 42, 109–142 (eq. 2.1 and 2.2).
Pratt JW (1981) Concavity of the log likelihood. JASA 76, 103–106.
Albert A, Anderson JA (1984) On the existence of maximum likelihood estimates in logistic regression models.
Biometrika 71, 1–10; Konis K (2007) Linear programming algorithms for detecting separated data. Oxford, chapter 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from analysis.base.errors import InputError, Problem

LINKS: dict[str, str] = {"logit": "logit", "probit": "probit"}
ROUNDS = 100
GRADIENT = 1e-9
"""Largest slope a respondent at which the maximum counts as found."""


@dataclass(frozen=True, slots=True)
class CumulativeFit:
    """Thresholds first, then coefficients (with one β for each threshold: all of the first threshold, and so on)."""

    parameters: np.ndarray
    covariance: np.ndarray
    log_likelihood: float


def fit_cumulative(codes: np.ndarray, predictors: np.ndarray, link: str, *, parallel: bool) -> CumulativeFit:
    """Maximum likelihood with the covariance from the observed information.

    Parameters
    ----------
    codes : array of int
        Category of each respondent, 0 to J − 1, every one of them in use.
    predictors : array, respondents × k
    link : {"logit", "probit"}
    parallel : bool
        One coefficient a predictor, or one for each of the J − 1 thresholds.

    Raises
    ------
    InputError
        Newton's method does not arrive; or the lines of the unconstrained model cross within the data, so that some
        respondent would have a category with a negative probability.
    """
    count = int(codes.max()) + 1
    upper, lower = _rows(codes, predictors, count, parallel)
    seen = np.cumsum(np.bincount(codes))[:-1] / len(codes)
    start = special.logit(seen) if link == "logit" else stats.norm.ppf(seen)
    parameters = np.concatenate([start, np.zeros(upper.shape[1] - (count - 1))])
    value, slope, curvature = _likelihood(parameters, codes, upper, lower, count, link)
    for _ in range(ROUNDS):
        if np.abs(slope).max() < GRADIENT * len(codes):
            break
        step = np.linalg.lstsq(-curvature, slope, rcond=None)[0]
        length = 1.0
        while length > 1e-8:
            trial = _likelihood(parameters + length * step, codes, upper, lower, count, link)
            if trial[0] >= value - 1e-12 * abs(value):
                break
            length /= 2
        parameters = parameters + length * step
        value, slope, curvature = trial
    else:
        problem = Problem("fit", f"no maximum after {ROUNDS} rounds of Newton's method", "merge rare categories")
        raise InputError("The ordinal regression does not converge.", [problem])
    if not parallel:
        _check_crossing(parameters, predictors, count)
    return CumulativeFit(parameters, np.linalg.inv(-curvature), float(value))


def separating_predictors(codes: np.ndarray, predictors: np.ndarray, *, parallel: bool) -> list[int]:
    """Columns of the predictors along which the likelihood of a cumulative model grows for ever; empty if none.

    >>> separating_predictors(np.array([0, 0, 1, 1]), np.array([[1.0], [2.0], [3.0], [4.0]]), parallel=True)
    [0]
    """
    count = int(codes.max()) + 1
    upper, lower = _rows(codes, predictors, count, parallel)
    gains = np.concatenate([upper[codes < count - 1], -lower[codes > 0]])
    direction = _endless_direction(gains, np.arange(gains.shape[1]) >= count - 1)
    used = np.abs(direction[count - 1 :]).reshape(-1, predictors.shape[1]).max(axis=0)
    return np.flatnonzero(used > 1e-6).tolist()


def separating_predictors_multinomial(codes: np.ndarray, predictors: np.ndarray) -> list[int]:
    """The same for a multinomial logit of J unordered categories."""
    count, k = int(codes.max()) + 1, predictors.shape[1]
    design = np.column_stack([np.ones(len(codes)), predictors])
    gains = []
    for other in range(count):
        rows = np.flatnonzero(codes != other)
        block = np.zeros((len(rows), count, k + 1))
        block[np.arange(len(rows)), codes[rows]] += design[rows]
        block[:, other] -= design[rows]
        gains.append(block[:, 1:].reshape(len(rows), -1))  # the first category is the base
    slopes = np.tile(np.arange(k + 1) > 0, count - 1)
    direction = np.abs(_endless_direction(np.concatenate(gains), slopes)).reshape(count - 1, k + 1)
    return np.flatnonzero(direction[:, 1:].max(axis=0) > 1e-6).tolist()


def refuse_separation(names: Sequence[str], columns: Sequence[int], what: str) -> None:
    """Raise where predictors separate categories."""
    if columns:
        listed = ", ".join(names[column] for column in columns)
        remedy = "leave the predictor out, merge categories, or report the cross table with an exact test"
        problem = Problem(listed, f"separates categories of {what}: its coefficient has no finite estimate", remedy)
        raise InputError("The likelihood has no maximum (separation).", [problem])


def _endless_direction(gains: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """A direction in which no respondent loses and some gain, along as few ``slopes`` as will do; zeros if none."""
    scale = np.abs(gains).max(axis=0)
    scaled = np.unique(gains / np.where(scale > 0, scale, 1), axis=0)
    size, total = gains.shape[1], scaled.sum(axis=0)
    found = optimize.linprog(-total, A_ub=-scaled, b_ub=np.zeros(len(scaled)), bounds=(-1, 1), method="highs")
    if found.status != 0 or -found.fun < 1e-7:
        return np.zeros(size)
    # Directions form a cone, so the smallest sum of slopes at a gain of one names the predictors to blame.
    sparse = optimize.linprog(
        np.tile(slopes.astype(float), 2),
        A_ub=np.vstack([np.hstack([-scaled, scaled]), np.concatenate([-total, total])]),
        b_ub=np.append(np.zeros(len(scaled)), -1.0),
        method="highs",
    )
    return sparse.x[:size] - sparse.x[size:] if sparse.status == 0 else found.x


def _rows(codes: np.ndarray, predictors: np.ndarray, count: int, parallel: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows that turn parameters into the upper and lower end of each respondent's category; zeros where it is open."""
    n, k = predictors.shape
    ends = []
    for place in (codes, codes - 1):
        inside = (place >= 0) & (place < count - 1)
        thresholds = np.zeros((n, count - 1))
        thresholds[np.flatnonzero(inside), place[inside]] = 1
        if parallel:
            slopes = -predictors * inside[:, None]
        else:
            slopes = (thresholds[:, :, None] * -predictors[:, None, :]).reshape(n, (count - 1) * k)
        ends.append(np.concatenate([thresholds, slopes], axis=1))
    return ends[0], ends[1]


def _likelihood(
    parameters: np.ndarray, codes: np.ndarray, upper: np.ndarray, lower: np.ndarray, count: int, link: str
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood with gradient and Hessian; minus infinity where a category has no probability."""
    top = np.where(codes == count - 1, np.inf, upper @ parameters)
    bottom = np.where(codes == 0, -np.inf, lower @ parameters)
    # Far to the right, probabilities are differences of numbers near 1: taken in the left tail they stay exact.
    flip = bottom > 0
    high, low = np.where(flip, -bottom, top), np.where(flip, -top, bottom)
    cdf = special.expit if link == "logit" else special.ndtr
    chance = cdf(high) - cdf(low)
    if not (chance > 0).all():
        size = len(parameters)
        return -np.inf, np.zeros(size), -np.eye(size)
    (density_top, change_top), (density_bottom, change_bottom) = _density(top, link), _density(bottom, link)
    pull = (density_top[:, None] * upper - density_bottom[:, None] * lower) / chance[:, None]
    curvature = (upper * (change_top / chance)[:, None]).T @ upper
    curvature -= (lower * (change_bottom / chance)[:, None]).T @ lower
    return float(np.log(chance).sum()), pull.sum(axis=0), curvature - pull.T @ pull


def _density(at: np.ndarray, link: str) -> tuple[np.ndarray, np.ndarray]:
    """Density and its derivative; zero at the open ends."""
    finite = np.where(np.isfinite(at), at, 0.0)
    if link == "logit":
        below = special.expit(finite)
        density = below * special.expit(-finite)
        change = density * (1 - 2 * below)
    else:
        density = stats.norm.pdf(finite)
        change = -finite * density
    return np.where(np.isfinite(at), density, 0.0), np.where(np.isfinite(at), change, 0.0)


def _check_crossing(parameters: np.ndarray, predictors: np.ndarray, count: int) -> None:
    slopes = parameters[count - 1 :].reshape(count - 1, predictors.shape[1])
    lines = parameters[: count - 1] - predictors @ slopes.T
    crossed = int((np.diff(lines, axis=1) <= 0).any(axis=1).sum())
    if crossed:
        what = f"lines cross for {crossed} of {len(lines)} respondents"
        problem = Problem("unconstrained model", what, "use Brant's test, or merge rare categories")
        raise InputError("The unconstrained model gives negative probabilities.", [problem])
