"""Internal consistency of items: Cronbach's alpha, alpha without each item, McDonald's omega total.

Items come as a table, one respondent a row and one item a column, scored so that higher means more of the same thing
(items that are worded the other way round are turned before). A missing answer is NaN; what happens to it is said by
the caller: ``"refuse"`` raises, ``"listwise"`` keeps the respondents who answered everything, ``"pairwise"`` computes
each variance and covariance from whoever answered the items concerned.

References
----------
Cronbach LJ (1951) Coefficient alpha and the internal structure of tests. Psychometrika 16, 297–334.
Feldt LS, Woodruff DJ, Salih FA (1987) Statistical inference for coefficient alpha. Appl. Psychol. Meas. 11, 93–103.
Bonett DG (2002) Sample size requirements for testing and estimating coefficient alpha. JEBS 27, 335–340; the bias
correction ln(n/(n−1)) as in Bonett DG, Wright TA (2015) J. Organ. Behav. 36, 3–15.
McDonald RP (1999) Test theory: a unified treatment. Erlbaum, chapter 6 (omega, eq. 6.20).
Raykov T (2002) Analytic estimation of standard error and confidence interval for scale reliability. MBR 37, 89–103.
Kelley K, Pornprasertmanit S (2016) Confidence intervals for population reliability coefficients. Psychol. Methods 21,
69–92 (why to prefer bootstrap intervals for omega).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
import pandas as pd
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.bootstrap import BLOCK, METHODS, bootstrap_counts
from analysis.stats.one_factor import (
    FACTOR_METHODS,
    LOWEST_UNIQUENESS,
    fit_one_factor,
    omega_of,
    omega_standard_error,
)

ALPHA_METHODS: dict[str, str] = {"feldt": "Feldt interval", "bonett": "Bonett interval", **METHODS}
OMEGA_METHODS: dict[str, str] = {"delta": "delta-method interval of normal-theory ML", **METHODS}
KINDS: dict[str, str] = {"raw": "raw", "standardised": "standardised"}
MISSING = ("refuse", "listwise", "pairwise")


@dataclass(frozen=True, slots=True)
class WithoutItem:
    """What one item does to the scale.

    Attributes
    ----------
    item : str
    alpha : Estimate
        Alpha of the other items.
    item_rest : float
        Correlation of the item with the sum of the other items (corrected item–total correlation).
    """

    item: str
    alpha: Estimate
    item_rest: float


@estimator
def compute_alpha(
    items: pd.DataFrame | np.ndarray,
    confidence: float = 0.95,
    *,
    method: str,
    kind: str = "raw",
    missing: str = "refuse",
    rng: np.random.Generator | None = None,
    resamples: int = 9999,
) -> Estimate:
    """Cronbach's alpha with its interval.

    k/(k − 1)·(1 − Σ variances / variance of the sum) from covariances (raw) or correlations (standardised).

    Parameters
    ----------
    items : DataFrame or array
        Respondents × items, two items or more.
    confidence : float
    method : {"feldt", "bonett", "percentile", "bca"}
        Feldt's interval is exact for normal items that measure equally well; Bonett's is its large-sample form on the
        scale of ln(1 − alpha); the bootstrap resamples respondents and assumes neither.
    kind : {"raw", "standardised"}
    missing : {"refuse", "listwise", "pairwise"}
        With pairwise covariances Feldt's and Bonett's n is the number of respondents who answered anything, as in R's
        psych and Python's pingouin, which is optimistic; the bootstrap takes the missing answers into account.
    rng : numpy Generator
        For the bootstrap.
    resamples : int

    Returns
    -------
    Estimate
        ``n`` is the number of respondents used. Alpha may be negative: items then contradict each other.

    Raises
    ------
    InputError
        Unknown method, kind or missing rule; fewer than two items or three respondents; missing answers that were to
        be refused; text; an item that all answered alike (it carries no information: leave it out and say so); no
        generator for the bootstrap; a sum without variance.

    Examples
    --------
    >>> answers = np.array([[2, 3, 2], [4, 4, 5], [3, 3, 4], [5, 4, 5], [1, 2, 1.0]])
    >>> compute_alpha(answers, method="feldt").text(4)
    '0.9364'
    """
    _check_options({"method": (method, ALPHA_METHODS), "kind": (kind, KINDS)}, confidence, method in METHODS, rng)
    matrix, _ = _checked_items(items, missing, least=2)
    n, k = matrix.shape
    label = f"Cronbach's alpha ({kind}, {k} items{_said(missing)})"
    if method in METHODS:
        moments = _Moments(matrix)
        return bootstrap_counts(
            np.ones(n, dtype=int),
            lambda drawn: alpha_of(moments.covariances(drawn), kind),
            confidence,
            method=method,
            rng=rng,
            resamples=resamples,
            label=label,
        )
    value = _defined_alpha(_Moments(matrix).covariances(np.ones((1, n))), kind)
    low, high = alpha_bounds(value, n, k, confidence, method)
    return Estimate(value, low, high, confidence, n, f"{label}, {ALPHA_METHODS[method]}")


def compute_alpha_without_items(
    items: pd.DataFrame | np.ndarray,
    confidence: float = 0.95,
    *,
    method: str,
    kind: str = "raw",
    missing: str = "refuse",
) -> tuple[WithoutItem, ...]:
    """Alpha of the scale without each item in turn, and each item's correlation with the rest.

    Parameters
    ----------
    items : DataFrame or array
        Respondents × items, three items or more.
    confidence, kind, missing
        As in `compute_alpha`. Listwise means those who answered *all* items, so that all alphas rest on the same
        respondents.
    method : {"feldt", "bonett"}

    Raises
    ------
    InputError
        As in `compute_alpha`, or fewer than three items.
    """
    closed = {name: words for name, words in ALPHA_METHODS.items() if name not in METHODS}
    _check_options({"method": (method, closed), "kind": (kind, KINDS)}, confidence, False, None)
    matrix, names = _checked_items(items, missing, least=3)
    n, k = matrix.shape
    covariances = _Moments(matrix).covariances(np.ones((1, n)))
    scale = np.sqrt(np.diagonal(covariances[0])) if kind == "standardised" else np.ones(k)
    used = covariances[0] / np.outer(scale, scale)
    found = []
    for place, name in enumerate(names):
        rest = np.delete(np.arange(k), place)
        value = _defined_alpha(covariances[:, rest[:, None], rest], kind)
        low, high = alpha_bounds(value, n, k - 1, confidence, method)
        label = f"Cronbach's alpha ({kind}, {k - 1} items, without {name}{_said(missing)}), {ALPHA_METHODS[method]}"
        estimate = Estimate(value, low, high, confidence, n, label, function=f"{__name__}.compute_alpha_without_items")
        total = used[rest[:, None], rest].sum()
        correlation = used[place, rest].sum() / sqrt(used[place, place] * total) if total > 0 else float("nan")
        found.append(WithoutItem(name, estimate, float(correlation)))
    return tuple(found)


@estimator
def compute_omega(
    items: pd.DataFrame | np.ndarray,
    confidence: float = 0.95,
    *,
    factor: str,
    method: str,
    kind: str = "raw",
    missing: str = "refuse",
    rng: np.random.Generator | None = None,
    resamples: int = 1999,
) -> Estimate:
    """McDonald's omega total of a one-factor model, (Σ loadings)²/((Σ loadings)² + Σ uniquenesses).

    Parameters
    ----------
    items : DataFrame or array
        Respondents × items, three items or more (with three the model fits exactly).
    confidence : float
    factor : {"ml", "minres"}
        How the factor is fitted, to the correlations; ``"raw"`` turns loadings back into the items' units.
    method : {"delta", "percentile", "bca"}
        The delta method needs ``factor="ml"``, ``kind="raw"`` and no pairwise covariances.
    kind, missing, rng
        As in `compute_alpha`.
    resamples : int
        The factor is fitted anew in each; a resample in which the fit does not converge counts as undefined.

    Returns
    -------
    Estimate
        Its method names items whose uniqueness was held at the lowest value allowed (a Heywood case).

    Raises
    ------
    InputError
        As in `compute_alpha`; fewer than three items; a combination that the delta method does not cover; a one-factor
        model that cannot be fitted.
    """
    options = {"method": (method, OMEGA_METHODS), "kind": (kind, KINDS), "factor": (factor, FACTOR_METHODS)}
    _check_options(options, confidence, method in METHODS, rng)
    if method == "delta" and (factor != "ml" or kind != "raw" or missing == "pairwise"):
        got = f"got factor '{factor}', kind '{kind}', missing '{missing}'"
        problem = Problem("method", got, "use a bootstrap interval, or factor 'ml', kind 'raw' and listwise data")
        raise InputError("The delta method gives no interval here.", [problem])
    matrix, names = _checked_items(items, missing, least=3)
    n, k = matrix.shape
    moments = _Moments(matrix)
    covariances = moments.covariances(np.ones((1, n)))
    loadings, uniquenesses, converged = fit_one_factor(covariances, factor)
    if not converged[0]:
        remedy = "look at the correlations: one factor may not be what these items share"
        raise InputError("Omega cannot be computed.", [Problem("items", f"the {factor} fit does not converge", remedy)])
    held = _held(uniquenesses[0], covariances[0], names)
    label = f"McDonald's omega total ({kind}, {k} items, one factor by {FACTOR_METHODS[factor]}{_said(missing)}{held})"
    if method == "delta":
        value = float(omega_of(loadings, uniquenesses)[0])
        half = stats.norm.ppf((1 + confidence) / 2) * omega_standard_error(loadings[0], uniquenesses[0], n)
        return Estimate(
            value, max(0.0, value - half), min(1.0, value + half), confidence, n, f"{label}, {OMEGA_METHODS[method]}"
        )

    def omegas(drawn: np.ndarray) -> np.ndarray:
        resampled = moments.covariances(drawn)
        if kind == "standardised":
            resampled = correlations_of(resampled)
        found_loadings, found_uniquenesses, good = fit_one_factor(resampled, factor)
        return np.where(good, omega_of(found_loadings, found_uniquenesses), np.nan)

    ones = np.ones(n, dtype=int)
    return bootstrap_counts(ones, omegas, confidence, method=method, rng=rng, resamples=resamples, label=label)


def alpha_of(covariances: np.ndarray, kind: str = "raw") -> np.ndarray:
    """Alpha of each covariance matrix (… × k × k); NaN where the sum of the items does not vary.

    >>> alpha_of(np.array([[[1.0, 0.5], [0.5, 1.0]]])).round(4).tolist()
    [0.6667]
    """
    used = correlations_of(covariances) if kind == "standardised" else covariances
    k = used.shape[-1]
    total = used.sum(axis=(-2, -1))
    traces = np.trace(used, axis1=-2, axis2=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        alphas = k / (k - 1) * (1 - traces / total)
    return np.where(total > 1e-12 * traces, alphas, np.nan)


def alpha_bounds(value: float, n: int, k: int, confidence: float, method: str) -> tuple[float, float]:
    """Bounds of an alpha from n respondents and k items, by ``"feldt"`` or ``"bonett"``.

    >>> [round(bound, 4) for bound in alpha_bounds(0.85, 89, 7, 0.95, "feldt")]
    [0.7971, 0.8932]
    """
    tail = (1 - confidence) / 2
    if method == "feldt":
        ratio = stats.f(n - 1, (n - 1) * (k - 1))
        return float(1 - (1 - value) * ratio.ppf(1 - tail)), float(1 - (1 - value) * ratio.ppf(tail))
    if value >= 1:
        return value, value
    half = stats.norm.ppf(1 - tail) * sqrt(2 * k / ((k - 1) * (n - 2)))
    centre = log(1 - value) - log(n / (n - 1))
    return 1 - exp(centre + half), 1 - exp(centre - half)


def correlations_of(covariances: np.ndarray) -> np.ndarray:
    """Correlation matrices; NaN for a variable that does not vary."""
    spread = np.sqrt(np.maximum(np.diagonal(covariances, axis1=-2, axis2=-1), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return covariances / (spread[..., :, None] * spread[..., None, :])


class _Moments:
    """Covariances of all resamples at once, from products of the centred items; NaN cells are left out pairwise."""

    def __init__(self, matrix: np.ndarray) -> None:
        seen = np.isfinite(matrix)
        centred = np.where(seen, matrix - np.nanmean(matrix, axis=0), 0.0)
        n, k = matrix.shape
        self.k, self.complete = k, bool(seen.all())
        self.products = (centred[:, :, None] * centred[:, None, :]).reshape(n, k * k)
        if self.complete:
            self.sums, self.pairs = centred, None
        else:  # sums of item i over those who answered both i and j
            self.sums = (centred[:, :, None] * seen[:, None, :]).reshape(n, k * k)
            self.pairs = (seen[:, :, None] & seen[:, None, :]).reshape(n, k * k).astype(float)

    def covariances(self, weights: np.ndarray) -> np.ndarray:
        """One k × k matrix a row of ``weights`` (resamples × respondents); NaN below two respondents."""
        size = max(1, BLOCK // self.k**2)
        if len(weights) > size:
            starts = range(0, len(weights), size)
            return np.concatenate([self.covariances(weights[start : start + size]) for start in starts])
        shape = (len(weights), self.k, self.k)
        products = _weighted(weights, self.products).reshape(shape)
        if self.pairs is None:
            sums, n = _weighted(weights, self.sums), weights.sum(axis=1)[:, None, None]
            return (products - sums[:, :, None] * sums[:, None, :] / n) / (n - 1)
        sums, n = (_weighted(weights, part).reshape(shape) for part in (self.sums, self.pairs))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(n > 1, (products - sums * sums.swapaxes(1, 2) / n) / (n - 1), np.nan)


def _weighted(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """weights @ rows, on one thread: BLAS takes several for so small a product, which is slow on a busy machine."""
    return np.einsum("dn,nc->dc", weights.astype(float), rows)


def _defined_alpha(covariances: np.ndarray, kind: str) -> float:
    value = float(alpha_of(covariances, kind)[0])
    if not np.isfinite(value):
        remedy = "some item may need turning round, or too few respondents share answers"
        raise InputError("Alpha is undefined.", [Problem("items", "the sum of the items does not vary", remedy)])
    return value


def _held(uniquenesses: np.ndarray, covariances: np.ndarray, names: Sequence[str]) -> str:
    shares = uniquenesses / np.diagonal(covariances)
    held = [name for name, share in zip(names, shares, strict=True) if share <= LOWEST_UNIQUENESS * 1.0001]
    return f"; Heywood case, uniqueness of {', '.join(held)} held at {LOWEST_UNIQUENESS:g}" if held else ""


def _said(missing: str) -> str:
    return "" if missing == "refuse" else f", {missing} complete"


def _checked_items(items: pd.DataFrame | np.ndarray, missing: str, least: int) -> tuple[np.ndarray, list[str]]:
    frame = items if isinstance(items, pd.DataFrame) else pd.DataFrame(np.asarray(items))
    names = [str(name) if isinstance(items, pd.DataFrame) else f"item {name + 1}" for name in frame.columns]
    title = "These items cannot be taken as a scale."
    problems = []
    if missing not in MISSING:
        problems.append(Problem("missing", f"got '{missing}'", f"one of: {', '.join(MISSING)}"))
    for name, dtype in zip(names, frame.dtypes, strict=True):
        if not pd.api.types.is_numeric_dtype(dtype):
            problems.append(Problem(name, f"holds {dtype}, not numbers", "score the answers first"))
    if len(names) < least:
        problems.append(Problem("items", f"{len(names)} columns", f"{least} items or more"))
    if problems:
        raise InputError(title, problems)
    matrix = frame.to_numpy(dtype=float, na_value=np.nan)
    gaps = np.isnan(matrix)
    if np.isinf(matrix).any():
        problems.append(Problem("items", "hold infinite values", "finite scores"))
    if gaps.any() and missing == "refuse":
        where = ", ".join(f"{name} {count}" for name, count in zip(names, gaps.sum(axis=0), strict=True) if count)
        problems.append(Problem("items", f"missing answers: {where}", "choose missing='listwise' or 'pairwise'"))
    matrix = matrix[~gaps.any(axis=1)] if missing == "listwise" else matrix[~gaps.all(axis=1)]
    if len(matrix) < 3:
        problems.append(Problem("items", f"{len(matrix)} respondents are left", "three or more"))
    else:
        gaps = np.isnan(matrix)
        highest, lowest = np.where(gaps, -np.inf, matrix).max(axis=0), np.where(gaps, np.inf, matrix).min(axis=0)
        problems += [
            Problem(name, "all respondents answered alike", "leave it out: an item that does not vary says nothing")
            for name, flat in zip(names, highest <= lowest, strict=True)
            if flat
        ]
    if problems:
        raise InputError(title, problems)
    return matrix, names


def _check_options(
    options: dict[str, tuple[str, dict[str, str]]],
    confidence: float,
    draws: bool,
    rng: np.random.Generator | None,
) -> None:
    problems = [
        Problem(name, f"got '{got}'", f"one of: {', '.join(known)}")
        for name, (got, known) in options.items()
        if got not in known
    ]
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    if draws and rng is None:
        problems.append(Problem("rng", "none given", "pass rng=numpy.random.default_rng(seed)"))
    if problems:
        raise InputError("Reliability cannot be estimated.", problems)
