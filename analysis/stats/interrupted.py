"""Interrupted time series: did a series change its level or its slope when something was introduced?

Segmented regression of an evenly spaced series on

    value = level + slope·t + level change·(t ≥ T) + slope change·(t − T)·(t ≥ T),

with T the first period after the intervention, so that the level change is the jump in that very period against
what the old line would have given. Counts take the same terms on the log scale; their effects are ratios.

Standard errors are Newey and West's, quantiles those of `analysis.stats.hac` (fixed-b); its table says how well they
cover.

What no standard error repairs: something else that happened at the same time, and an intervention that was
introduced because the values had just been unusual.

References
----------
Wagner AK et al. (2002) Segmented regression analysis of interrupted time series studies in medication use research.
Journal of Clinical Pharmacy and Therapeutics 27, 299–309.
Lopez Bernal J, Cummins S, Gasparrini A (2017) Interrupted time series regression for the evaluation of public health
interventions: a tutorial. Int. J. Epidemiol. 46, 348–355.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.stats.hac import choose_lags, diagnose_residuals, hac_covariance, simulate_t_ratios

REFERENCES: dict[str, str] = {
    "fixed-b": "fixed-b quantiles simulated for this design",
    "t": "t quantiles",
    "normal": "normal quantiles",
}
ERRORS = ("newey-west", "independent")
FAMILIES = ("poisson", "negative binomial")
EFFECTS = ("slope_before", "level_change", "slope_change", "end_change")
"""Slope before; jump at the intervention; change of slope; difference to the old line in the last period."""

FEWEST = 3
"""Periods on each side without which a line there cannot be told from its scatter."""


@dataclass(frozen=True, slots=True)
class SegmentedFit:
    """A fitted segmented regression.

    Attributes
    ----------
    effects : mapping of str to Estimate
        `EFFECTS`; for counts all of them as ratios. Without ``slope_change`` there is no such entry.
    p_values : mapping of str to float
        Two-sided, against no effect; missing where there is no scatter to judge by.
    fitted, counterfactual, residuals : array
        One value a period; counterfactual is the old line carried on. Residuals (of counts: Pearson's) are missing
        where the value is.
    lags : int
        Autocovariances that the errors take in, Bartlett weights 1 − j/(lags + 1).
    durbin_watson, ljung_box_p, ljung_box_lags
        Of the residuals, over periods with a value: near 2, and small where autocorrelation is left. Both describe
        what the robust errors are there for; neither chooses a method.
    dispersion : float or None
        Counts: Pearson's statistic over its degrees of freedom.
    n_before, n_after, missing : int
        Periods with a value on either side, and periods without one.
    note : str
        What was said while fitting.
    """

    effects: Mapping[str, Estimate]
    p_values: Mapping[str, float]
    fitted: np.ndarray
    counterfactual: np.ndarray
    residuals: np.ndarray
    lags: int
    durbin_watson: float
    ljung_box_p: float
    ljung_box_lags: int
    dispersion: float | None
    n_before: int
    n_after: int
    missing: int
    note: str = ""


def segmented_regression(
    values: Sequence[float],
    first_after: int,
    confidence: float = 0.95,
    *,
    slope_change: bool = True,
    covariates: np.ndarray | None = None,
    lags: int | None = None,
    errors: str = "newey-west",
    reference: str = "fixed-b",
    rng: np.random.Generator | None = None,
    unit: str = "",
) -> SegmentedFit:
    """Level and slope change of a series by least squares.

    Parameters
    ----------
    values : sequence of float
        One a period, evenly spaced; missing (``nan``) where there is none.
    first_after : int
        Place of the first period after the intervention, from 0.
    confidence : float
    slope_change : bool
        Whether the slope may change; chosen beforehand, not by looking.
    covariates : array, periods × covariates, optional
        Known influences, such as harmonics of a season.
    lags : int, optional
        By default `choose_lags`. Without meaning for independent errors.
    errors : {"newey-west", "independent"}
    reference : {"fixed-b", "t", "normal"}
        Where quantiles come from. Independent errors take no fixed-b ones, and are given t quantiles instead.
    rng : numpy Generator, optional
        For the simulated quantiles; seeded with 1 by default.
    unit : str
        Unit of the values; slopes are per period.

    Raises
    ------
    InputError
        Fewer than `FEWEST` values on a side, too few for the terms, an unknown choice, or wrong shapes.
    """
    series = np.asarray(values, dtype=float)
    design, names = _design(series, first_after, slope_change, covariates, confidence, errors, reference, lags)
    known = np.isfinite(series)
    coefficients = np.linalg.lstsq(design[known], series[known], rcond=None)[0]
    fitted = design @ coefficients
    residuals = np.where(known, series - fitted, np.nan)
    residuals[np.abs(residuals) < 1e-10 * max(1.0, float(np.nanmax(np.abs(series))))] = 0.0
    rows = np.where(known[:, None], design, 0.0)
    used_lags = choose_lags(len(series)) if lags is None else lags
    judged = _judge(coefficients, rows, residuals, names, confidence, used_lags, errors, reference, rng)
    units = {"level_change": unit, "end_change": unit}
    effects = {
        name: Estimate(
            value,
            low,
            high,
            confidence if low is not None else None,
            int(known.sum()),
            method,
            units.get(name, f"{unit} per period".strip()),
        )
        for name, (value, low, high, _, method) in judged.items()
    }
    old = design.copy()
    old[:, 2 : 4 if slope_change else 3] = 0.0
    return SegmentedFit(
        effects,
        {name: row[3] for name, row in judged.items()},
        fitted,
        old @ coefficients,
        residuals,
        used_lags if errors == "newey-west" else 0,
        *diagnose_residuals(residuals[known]),
        None,
        int(known[:first_after].sum()),
        int(known[first_after:].sum()),
        int((~known).sum()),
    )


def segmented_counts(
    counts: Sequence[float],
    first_after: int,
    confidence: float = 0.95,
    *,
    family: str = "poisson",
    exposures: Sequence[float] | None = None,
    slope_change: bool = True,
    covariates: np.ndarray | None = None,
    lags: int | None = None,
    errors: str = "newey-west",
    reference: str = "fixed-b",
    rng: np.random.Generator | None = None,
) -> SegmentedFit:
    """Level and slope change of a series of counts, as rate ratios, by a log-linear model.

    Parameters
    ----------
    counts : sequence of float
        Whole numbers from 0 on; missing (``nan``) where nothing was observed.
    family : {"poisson", "negative binomial"}
        Poisson with errors from the residuals (independent: times the dispersion, "quasi-Poisson") holds for
        overdispersed counts as well; the negative binomial weighs periods differently. Where its dispersion cannot
        be estimated or is zero, Poisson takes its place and the note says so.
    exposures : sequence of float, optional
        What the counts are out of, such as days observed.
    first_after, confidence, slope_change, covariates, lags, errors, reference, rng
        As in `segmented_regression`. Quantiles are simulated in the design weighted as the fit weighs it.

    Raises
    ------
    InputError
        As in `segmented_regression`; counts that are none; or a side without a single event, where no ratio exists.
    """
    series = np.asarray(counts, dtype=float)
    design, names = _design(series, first_after, slope_change, covariates, confidence, errors, reference, lags)
    known = np.isfinite(series)
    exposure = np.ones(len(series)) if exposures is None else np.asarray(exposures, dtype=float)
    _check_counts(series, exposure, first_after, family)
    offset = np.log(exposure[known])
    alpha, note = (0.0, "") if family == "poisson" else _alpha(series[known], design[known], offset)
    kind = sm.families.NegativeBinomial(alpha=alpha) if alpha else sm.families.Poisson()
    fit = sm.GLM(series[known], design[known], family=kind, offset=offset).fit()
    coefficients = np.asarray(fit.params)
    fitted = np.exp(design @ coefficients) * exposure
    spread = 1 + alpha * fitted
    residuals = np.where(known, (series - fitted) / np.sqrt(fitted * spread), np.nan)
    rows = np.where(known[:, None], design * np.sqrt(fitted / spread)[:, None], 0.0)
    used_lags = choose_lags(len(series)) if lags is None else lags
    judged = _judge(coefficients, rows, residuals, names, confidence, used_lags, errors, reference, rng, design[-1])
    model = "negative binomial" if alpha else "Poisson"
    effects = {}
    for name, (value, low, high, _, method) in judged.items():
        bounds = (None, None, None) if low is None else (float(np.exp(low)), float(np.exp(high)), confidence)
        effects[name] = Estimate(float(np.exp(value)), *bounds, int(known.sum()), f"{model} regression, {method}", "")
    old = design.copy()
    old[:, 2 : 4 if slope_change else 3] = 0.0
    freedom = int(known.sum()) - design.shape[1]
    return SegmentedFit(
        effects,
        {name: row[3] for name, row in judged.items()},
        fitted,
        np.exp(old @ coefficients) * exposure,
        residuals,
        used_lags if errors == "newey-west" else 0,
        *diagnose_residuals(residuals[known]),
        float(np.nansum(residuals**2) / freedom),
        int(known[:first_after].sum()),
        int(known[first_after:].sum()),
        int((~known).sum()),
        note,
    )


def _judge(
    coefficients: np.ndarray,
    rows: np.ndarray,
    residuals: np.ndarray,
    names: dict[str, int],
    confidence: float,
    lags: int,
    errors: str,
    reference: str,
    rng: np.random.Generator | None,
    last: np.ndarray | None = None,
) -> dict[str, tuple[float, float | None, float | None, float, str]]:
    """Value, bounds, p-value and method of each effect, from a design weighted to one variance."""
    used = rows.any(axis=1)
    n, k = int(used.sum()), rows.shape[1]
    contrasts = {name: np.eye(k)[place] for name, place in names.items()}
    end = np.zeros(k)
    end[2], end_row = 1.0, (rows[-1] if last is None else last)
    if "slope_change" in names:
        end[3] = end_row[3]
    contrasts["end_change"] = end
    if errors == "independent":
        covariance = np.linalg.inv(rows.T @ rows) * np.nansum(residuals**2) / (n - k)
        label = "independent errors"
    else:
        covariance = hac_covariance(rows, np.where(used, residuals, np.nan), lags)
        label = f"Newey–West errors, {lags} lags"
    matrix = np.array(list(contrasts.values()))
    values = matrix @ coefficients
    deviations = np.sqrt(np.maximum(0.0, np.einsum("ij,jk,ik->i", matrix, covariance, matrix)))
    if reference == "fixed-b" and errors == "newey-west":
        ratios = simulate_t_ratios(rows, matrix, lags, rng or np.random.default_rng(1))
        quantiles = np.quantile(ratios, confidence, axis=1)
    else:
        reference = "t" if reference == "fixed-b" else reference
        ratios = None
        law = stats.norm if reference == "normal" else stats.t(n - k)
        quantiles = np.full(len(matrix), law.ppf((1 + confidence) / 2))
    method = f"{label}, {REFERENCES[reference]}"
    found = {}
    for place, name in enumerate(contrasts):
        value, error = float(values[place]), float(deviations[place])
        if error == 0:
            found[name] = (value, None, None, float("nan"), f"{label}; no interval: no scatter around the lines")
            continue
        ratio = abs(value) / error
        if ratios is not None:
            p_value = float((1 + (ratios[place] >= ratio).sum()) / (1 + ratios.shape[1]))
        else:
            p_value = float(2 * law.sf(ratio))
        half = float(quantiles[place]) * error
        found[name] = (value, value - half, value + half, p_value, method)
    return found


def _design(
    series: np.ndarray,
    first_after: int,
    slope_change: bool,
    covariates: np.ndarray | None,
    confidence: float,
    errors: str,
    reference: str,
    lags: int | None,
) -> tuple[np.ndarray, dict[str, int]]:
    """Columns of the regression and the place of each effect among them; everything that is wrong is refused here."""
    problems = []
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    if errors not in ERRORS:
        problems.append(Problem("errors", f"got '{errors}'", f"one of: {', '.join(ERRORS)}"))
    if reference not in REFERENCES:
        problems.append(Problem("reference", f"got '{reference}'", f"one of: {', '.join(REFERENCES)}"))
    if lags is not None and not 0 <= lags < len(series):
        problems.append(Problem("lags", f"got {lags} for {len(series)} periods", "0 to the number of periods less one"))
    n = len(series)
    more = np.empty((n, 0)) if covariates is None else np.asarray(covariates, dtype=float)
    if series.ndim != 1 or more.ndim != 2 or len(more) != n or not np.isfinite(more).all():
        problems.append(Problem("values and covariates", f"shapes {series.shape} and {more.shape}", "one row a period"))
        raise InputError("This series cannot be analysed.", problems)
    known = np.isfinite(series)
    sides = {"before": int(known[: max(0, first_after)].sum()), "after": int(known[max(0, first_after) :].sum())}
    problems += [
        Problem(f"periods {side}", f"{count} with a value", f"at least {FEWEST} {side} the intervention")
        for side, count in sides.items()
        if count < FEWEST
    ]
    k = (4 if slope_change else 3) + more.shape[1]
    if known.sum() <= k:
        problems.append(Problem("values", f"{known.sum()} of them for {k} terms", "a longer series, or fewer terms"))
    if problems:
        raise InputError("This series cannot be analysed.", problems)
    time = np.arange(n) - float(first_after)
    step = (time >= 0).astype(float)
    columns = [np.ones(n), time, step] + ([time * step] if slope_change else [])
    design = np.column_stack([*columns, more])
    if np.linalg.matrix_rank(design[known]) < k:
        problem = Problem("covariates", "they follow from the other terms", "leave such covariates out")
        raise InputError("This series cannot be analysed.", [problem])
    names = {"slope_before": 1, "level_change": 2} | ({"slope_change": 3} if slope_change else {})
    return design, names


def _check_counts(series: np.ndarray, exposure: np.ndarray, first_after: int, family: str) -> None:
    known = series[np.isfinite(series)]
    problems = []
    if family not in FAMILIES:
        problems.append(Problem("family", f"got '{family}'", f"one of: {', '.join(FAMILIES)}"))
    if (known < 0).any() or (known % 1 != 0).any():
        problems.append(Problem("counts", "they hold values that are no counts", "whole numbers from 0 on"))
    if exposure.shape != series.shape or not (np.isfinite(exposure).all() and (exposure > 0).all()):
        problems.append(Problem("exposures", "not one positive number a period", "one a period"))
    for side, part in (("before", series[:first_after]), ("after", series[first_after:])):
        if not np.nansum(part) > 0:
            problems.append(Problem(f"periods {side}", "not one event", "no ratio to nothing: describe, do not model"))
    if problems:
        raise InputError("These counts cannot be analysed.", problems)


def _alpha(counts: np.ndarray, design: np.ndarray, offset: np.ndarray) -> tuple[float, str]:
    """Dispersion of the negative binomial by maximum likelihood; zero, and why, where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is in ``converged``
        try:
            fit = sm.NegativeBinomial(counts, design, offset=offset).fit(disp=0, maxiter=200)
            alpha, converged = float(fit.params[-1]), bool(fit.mle_retvals["converged"])
        except (np.linalg.LinAlgError, ValueError):
            alpha, converged = 0.0, False
    if not converged or not np.isfinite(alpha):
        return 0.0, "the negative binomial did not converge; Poisson instead"
    if alpha < 1e-6:
        return 0.0, "no overdispersion to estimate; Poisson instead"
    return alpha, ""
