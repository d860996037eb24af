"""Regression of an answer on predictors: ordinal (logit, probit) and multinomial logit, with odds ratios.

Predictors are numbers, one column each; a question with k answers enters as k − 1 columns of 0 and 1 made by the
caller, who thereby says which answer is the reference. Respondents who lack the outcome or a predictor are refused or
left out (``missing``), never filled in. Weights are not taken: repeat rows for counts.

References
----------
McCullagh P (1980) Regression models for ordinal data. JRSS B 42, 109–142.
Agresti A (2013) Categorical data analysis, 3rd ed. Wiley, sections 8.1 (multinomial) and 8.2–8.3 (cumulative).
McFadden D (1974) Conditional logit analysis of qualitative choice behavior. In: Frontiers in econometrics, 105–142.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.discrete.discrete_model import MNLogit
from statsmodels.tools.sm_exceptions import ConvergenceWarning, HessianInversionWarning

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.stats.cumulative import (
    LINKS,
    fit_cumulative,
    refuse_separation,
    separating_predictors,
    separating_predictors_multinomial,
)

MISSING = ("refuse", "listwise")


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient with its Wald test.

    Attributes
    ----------
    name : str
        Predictor, or ``"below|above"`` for a threshold.
    outcome : Hashable or None
        Category it belongs to in a multinomial model.
    estimate : Estimate
        On the scale of the link, with its Wald interval.
    std_error, statistic, p_value : float
        z = estimate/std_error, two-sided p.
    odds_ratio : Estimate or None
        exp of estimate and bounds, for logit links.
    """

    name: str
    outcome: Hashable | None
    estimate: Estimate
    std_error: float
    statistic: float
    p_value: float
    odds_ratio: Estimate | None


@dataclass(frozen=True, slots=True)
class RegressionFit:
    """A fitted model.

    Attributes
    ----------
    coefficients : tuple of Coefficient
        Ordinal: positive means higher answers. Multinomial: of each category against ``base``.
    thresholds : tuple of Coefficient
        Ordinal models only; P(answer ≤ j) = F(threshold_j − x'β), as in R's polr and Stata's ologit.
    categories : tuple
        Those in use, in order; ``empty`` lists the ones declared that nobody chose (they have no threshold).
    base : Hashable or None
        Reference category of a multinomial model.
    statistic, df, p_value : float
        Likelihood-ratio test against the model without predictors.
    log_likelihood, null_log_likelihood, pseudo_r2, aic : float
        McFadden's pseudo R² is 1 − ratio of the two.
    n : int
    left_out : int
        Respondents left out for a missing value.
    method : str
    """

    coefficients: tuple[Coefficient, ...]
    thresholds: tuple[Coefficient, ...]
    categories: tuple[Hashable, ...]
    empty: tuple[Hashable, ...]
    base: Hashable | None
    statistic: float
    df: int
    p_value: float
    log_likelihood: float
    null_log_likelihood: float
    pseudo_r2: float
    aic: float
    n: int
    left_out: int
    method: str


@dataclass(frozen=True, slots=True)
class RegressionData:
    """Checked data of a regression: codes 0 … J − 1 of the categories in use, and the predictor matrix."""

    codes: np.ndarray
    matrix: np.ndarray
    names: tuple[str, ...]
    categories: tuple[Hashable, ...]
    empty: tuple[Hashable, ...]
    left_out: int


def fit_ordinal(
    outcome: pd.Series | Sequence,
    predictors: pd.DataFrame,
    confidence: float = 0.95,
    *,
    link: str,
    categories: Sequence[Hashable] | None = None,
    missing: str = "refuse",
) -> RegressionFit:
    """Ordinal regression with one coefficient a predictor (proportional odds, or ordered probit).

    Parameters
    ----------
    outcome : Series or sequence
        Ordered answers, one a respondent.
    predictors : DataFrame
        Numbers or booleans, rows in the outcome's order.
    confidence : float
    link : {"logit", "probit"}
    categories : sequence, optional
        Answers from lowest to highest; may be left out for numbers and for ordered categoricals.
    missing : {"refuse", "listwise"}

    Raises
    ------
    InputError
        Unknown link or missing rule; lengths that differ; answers outside ``categories`` or in no known order; fewer
        than two categories in use; missing values that were to be refused; predictors that are no numbers, constant, or
        collinear; no more respondents than parameters; a predictor that separates categories; no convergence.
    """
    _check_choice({"link": (link, LINKS), "missing": (missing, MISSING)}, confidence)
    data = prepare(outcome, predictors, categories, missing, ordered=True)
    refuse_separation(data.names, separating_predictors(data.codes, data.matrix, parallel=True), "the outcome")
    fit = fit_cumulative(data.codes, data.matrix, link, parallel=True)
    steps = len(data.categories) - 1
    errors = np.sqrt(np.diagonal(fit.covariance))
    method = f"ordinal regression, {link} link, maximum likelihood"
    n = len(data.codes)
    names = [f"{data.categories[j]}|{data.categories[j + 1]}" for j in range(steps)] + list(data.names)
    stamp = f"{__name__}.fit_ordinal"
    found = [
        _coefficient(name, None, value, error, confidence, n, method, stamp, ratio=link == "logit" and place >= steps)
        for place, (name, value, error) in enumerate(zip(names, fit.parameters, errors, strict=True))
    ]
    return _fitted(tuple(found[steps:]), tuple(found[:steps]), None, data, fit.log_likelihood, method)


def fit_multinomial(
    outcome: pd.Series | Sequence,
    predictors: pd.DataFrame,
    confidence: float = 0.95,
    *,
    base: Hashable,
    categories: Sequence[Hashable] | None = None,
    missing: str = "refuse",
) -> RegressionFit:
    """Multinomial logit: the log odds of each category against ``base``.

    Parameters
    ----------
    outcome, predictors, confidence, missing
        As in `fit_ordinal`; the answers need no order.
    base : Hashable
        Reference category; somebody must have chosen it.
    categories : sequence, optional
        All categories; those found, sorted, by default.

    Raises
    ------
    InputError
        As in `fit_ordinal`, or a base that nobody chose.
    """
    _check_choice({"missing": (missing, MISSING)}, confidence)
    data = prepare(outcome, predictors, categories, missing, ordered=False)
    if base not in data.categories:
        listed = ", ".join(map(str, data.categories))
        raise InputError("No such reference category.", [Problem("base", f"got '{base}'", f"one of: {listed}")])
    others = [category for category in data.categories if category != base]
    order = [base, *others]
    place = np.array([order.index(category) for category in data.categories])
    codes = place[data.codes]
    refuse_separation(data.names, separating_predictors_multinomial(codes, data.matrix), "the outcome")
    design = np.column_stack([np.ones(len(codes)), data.matrix])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("error", HessianInversionWarning)
        try:
            fit = MNLogit(codes, design).fit(method="newton", disp=False, maxiter=200, tol=1e-12)
        except (ConvergenceWarning, HessianInversionWarning, np.linalg.LinAlgError) as error:
            problem = Problem("fit", str(error), "merge rare categories, or use fewer predictors")
            raise InputError("The multinomial regression does not converge.", [problem]) from error
    values, errors = np.asarray(fit.params), np.asarray(fit.bse)
    method, n = f"multinomial logit against {base}, maximum likelihood", len(codes)
    stamp = f"{__name__}.fit_multinomial"
    found = [
        _coefficient(
            name, category, values[row, column], errors[row, column], confidence, n, method, stamp, ratio=row > 0
        )
        for column, category in enumerate(others)
        for row, name in enumerate(("intercept", *data.names))
    ]
    return _fitted(tuple(found), (), base, data, float(fit.llf), method)


def prepare(
    outcome: pd.Series | Sequence,
    predictors: pd.DataFrame,
    categories: Sequence[Hashable] | None,
    missing: str,
    *,
    ordered: bool,
) -> RegressionData:
    """Check outcome and predictors; all violations at once. For `Raises` see `fit_ordinal`."""
    title = "This regression cannot be fitted."
    answers = outcome if isinstance(outcome, pd.Series) else pd.Series(list(outcome))
    problems = []
    if not isinstance(predictors, pd.DataFrame) or predictors.shape[1] == 0:
        raise InputError(title, [Problem("predictors", "no table with columns", "a DataFrame, one column a predictor")])
    if len(answers) != len(predictors):
        what = f"{len(answers)} answers, {len(predictors)} rows of predictors"
        raise InputError(title, [Problem("outcome", what, "one row a respondent in both, same order")])
    names = tuple(str(name) for name in predictors.columns)
    problems += [
        Problem(name, f"holds {dtype}, not numbers", "make columns of 0 and 1, one an answer but the reference")
        for name, dtype in zip(names, predictors.dtypes, strict=True)
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype))
    ]
    known = _order(answers, categories, ordered, problems)
    if problems:
        raise InputError(title, problems)
    matrix = predictors.to_numpy(dtype=float, na_value=np.nan)
    gone = answers.isna().to_numpy() | ~np.isfinite(matrix).all(axis=1)
    if gone.any() and missing == "refuse":
        what = f"{int(gone.sum())} respondents lack the outcome or a predictor"
        raise InputError(title, [Problem("rows", what, "missing='listwise' leaves them out and says how many")])
    matrix, kept = matrix[~gone], answers[~gone].tolist()
    used = [category for category in known if category in set(kept)]
    place = {category: number for number, category in enumerate(used)}
    codes = np.array([place[answer] for answer in kept], dtype=int)
    if len(used) < 2:
        problems.append(Problem("outcome", f"{len(used)} categories in use", "two or more"))
    if len(matrix):
        flat = np.ptp(matrix, axis=0) == 0
        problems += [
            Problem(name, "is the same for all respondents", "leave it out")
            for name, same in zip(names, flat, strict=True)
            if same
        ]
        centred = matrix - matrix.mean(axis=0)
        if not flat.any() and np.linalg.matrix_rank(centred / centred.std(axis=0)) < len(names):
            remedy = "leave one of them out (with a column for every answer, the reference one)"
            problems.append(Problem(", ".join(names), "are collinear: some add up to others", remedy))
    parameters = len(names) + len(used) - 1 if ordered else (len(names) + 1) * (len(used) - 1)
    if len(codes) <= parameters:
        problems.append(Problem("rows", f"{len(codes)} respondents for {parameters} parameters", "fewer predictors"))
    if problems:
        raise InputError(title, problems)
    empty = tuple(category for category in known if category not in place)
    return RegressionData(codes, matrix, names, tuple(used), empty, int(gone.sum()))


def _order(
    answers: pd.Series, categories: Sequence[Hashable] | None, ordered: bool, problems: list[Problem]
) -> list[Hashable]:
    """The categories in their order; what is wrong with them goes to ``problems``."""
    found = answers.dropna().unique().tolist()
    if categories is not None:
        known = list(categories)
    elif isinstance(answers.dtype, pd.CategoricalDtype) and (answers.cat.ordered or not ordered):
        known = answers.cat.categories.tolist()
    elif not ordered or all(isinstance(answer, int | float) for answer in found):
        known = sorted(found, key=lambda answer: (str(type(answer)), answer))
    else:
        problems.append(Problem("categories", "none given for answers in words", "all answers, lowest first"))
        return found
    if len(set(known)) < len(known):
        problems.append(Problem("categories", "one is named twice", "name each once"))
    listed = ", ".join(map(str, known))
    problems += [
        Problem(f"answer '{answer}'", "is none of the categories", f"one of: {listed}")
        for answer in found
        if answer not in set(known)
    ]
    return known


def _coefficient(
    name: str,
    outcome: Hashable | None,
    value: float,
    error: float,
    confidence: float,
    n: int,
    method: str,
    stamp: str,
    *,
    ratio: bool,
) -> Coefficient:
    half = float(stats.norm.ppf((1 + confidence) / 2)) * float(error)
    value, words = float(value), f"{method}, Wald interval"
    estimate = Estimate(value, value - half, value + half, confidence, n, words, function=stamp)
    odds = (
        Estimate(exp(value), exp(value - half), exp(value + half), confidence, n, f"odds ratio, {words}", "", stamp)
        if ratio
        else None
    )
    statistic = value / float(error)
    return Coefficient(name, outcome, estimate, float(error), statistic, float(2 * stats.norm.sf(abs(statistic))), odds)


def _fitted(
    coefficients: tuple[Coefficient, ...],
    thresholds: tuple[Coefficient, ...],
    base: Hashable | None,
    data: RegressionData,
    log_likelihood: float,
    method: str,
) -> RegressionFit:
    counts = np.bincount(data.codes)
    n = int(counts.sum())
    null = float((counts * np.log(counts / n)).sum())
    df = len(data.names) * (1 if thresholds else len(data.categories) - 1)
    statistic = max(0.0, 2 * (log_likelihood - null))
    parameters = len(coefficients) + len(thresholds)
    return RegressionFit(
        coefficients,
        thresholds,
        data.categories,
        data.empty,
        base,
        statistic,
        df,
        float(stats.chi2.sf(statistic, df)),
        log_likelihood,
        null,
        1 - log_likelihood / null,
        2 * parameters - 2 * log_likelihood,
        n,
        data.left_out,
        method,
    )


def _check_choice(options: dict[str, tuple[str, Sequence[str] | dict[str, str]]], confidence: float) -> None:
    problems = [
        Problem(name, f"got '{got}'", f"one of: {', '.join(known)}")
        for name, (got, known) in options.items()
        if got not in known
    ]
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    if problems:
        raise InputError("This regression cannot be fitted.", problems)
