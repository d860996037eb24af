"""Contrasts of treatments in blocks by a linear mixed model: value ~ treatment + (1 | block), by REML.

A second look beside the paired comparison: it uses all treatments at once and blocks that lack one of them, and
pays with the assumption that errors are normal with one variance. Whatever the fitting says against itself
(no convergence, a variance on its boundary) is part of the result.

References
----------
Laird NM, Ware JH (1982) Random-effects models for longitudinal data. Biometrics 38, 963–974.
Pinheiro JC, Bates DM (2000) Mixed-effects models in S and S-PLUS. Springer, section 2.4.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from analysis.base.errors import InputError, Problem

COLUMNS = (
    "first",
    "second",
    "value",
    "low",
    "high",
    "p_value",
    "confidence",
    "n",
    "blocks",
    "converged",
    "method",
    "note",
)

_CHATTER = ("Maximum Likelihood optimization failed", "Retrying MixedLM", "MixedLM optimization failed")
"""What statsmodels says between one optimiser and the next; whether the last one converged is asked of the fit."""

_BOUNDARY = "the variance between blocks is at, or near, zero, the boundary of what it can be"


def compare_mixed(
    table: pd.DataFrame, contrasts: Sequence[tuple[str, str]], confidence: float = 0.95, *, steps: int = 200
) -> pd.DataFrame:
    """Contrasts of treatment means with a random intercept for each block.

    Wald intervals with t quantiles on (blocks − 1)·(treatments − 1) degrees of freedom, which are exact for complete
    blocks (with two treatments they are those of the paired t-test) and an approximation where some are missing.

    Parameters
    ----------
    table : DataFrame
        ``treatment``, ``block``, ``value`` (missing values are left out and counted in the note).
    contrasts : sequence of (str, str)
        First minus second.
    confidence : float
    steps : int
        Of each optimiser, before the next one is tried.

    Returns
    -------
    DataFrame
        One row a contrast with the columns of `COLUMNS`. ``value`` and bounds are missing where the model could not
        be fitted; ``converged`` is then False and ``note`` says why. A fit that did not converge keeps its numbers,
        with ``converged`` False.

    Raises
    ------
    InputError
        A column is missing, a treatment comes twice in a block, or confidence is outside (0, 1).
    """
    _check(table, confidence)
    known = table[np.isfinite(table["value"].astype(float))]
    notes = [f"{len(table) - len(known)} missing values left out"] if len(known) < len(table) else []
    treatments, blocks = sorted(known["treatment"].unique()), sorted(known["block"].unique())
    degrees = (len(blocks) - 1) * (len(treatments) - 1)
    design = np.column_stack([(known["treatment"] == name).to_numpy(float) for name in treatments] or [np.empty(0)])
    fitted, converged, said = _fit(known, design, degrees, steps)
    notes += said
    rows = []
    for first, second in contrasts:
        row = dict.fromkeys(COLUMNS, np.nan) | {
            "first": first,
            "second": second,
            "confidence": confidence,
            "n": len(known),
            "blocks": len(blocks),
            "converged": converged,
            "method": f"linear mixed model by REML, t interval on {max(degrees, 0)} degrees of freedom",
            "note": "; ".join(notes),
        }
        absent = [name for name in (first, second) if name not in treatments]
        if absent:
            row |= {"converged": False, "note": "; ".join([*notes, f"no value for {', '.join(absent)}"])}
        elif fitted is not None:
            means, covariance = fitted
            weights = np.array([(name == first) - float(name == second) for name in treatments])
            value, error = float(weights @ means), float(np.sqrt(weights @ covariance @ weights))
            half = stats.t.ppf((1 + confidence) / 2, degrees) * error
            p_value = float(2 * stats.t.sf(abs(value) / error, degrees))
            row |= {"value": value, "low": value - half, "high": value + half, "p_value": p_value}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _fit(
    known: pd.DataFrame, design: np.ndarray, degrees: int, steps: int
) -> tuple[tuple[np.ndarray, np.ndarray] | None, bool, list[str]]:
    """Treatment means with their covariance, or None; whether it converged; what there is to say."""
    if degrees < 1 or len(known) <= design.shape[1] + 1:
        return None, False, ["not fitted: it takes two treatments and two blocks, with more values than parameters"]
    values = known["value"].to_numpy(float)
    scale = values.std()
    if scale == 0:
        return None, False, ["not fitted: all values are equal"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # In units of their own spread, so that convergence does not hang on hours or shares.
            model = sm.MixedLM(values / scale, design, groups=known["block"].to_numpy())
            fit = model.fit(reml=True, method=["bfgs", "lbfgs", "cg", "powell"], maxiter=steps)
            means, covariance = np.asarray(fit.fe_params), np.asarray(fit.cov_params())[: len(fit.fe_params)]
        except (np.linalg.LinAlgError, ValueError) as error:
            return None, False, [f"not fitted: {error}"]
    covariance = covariance[:, : len(means)]
    if not np.isfinite(covariance).all() or fit.scale < 1e-10 or (np.diag(covariance) <= 0).any():
        return None, False, ["not fitted: nothing varies but treatments and blocks, so there is no error to judge by"]
    said = [_in_words(text) for item in caught if not (text := str(item.message)).startswith(_CHATTER)]
    if float(np.asarray(fit.cov_re)[0, 0]) < 1e-6 * fit.scale:
        said.append(_BOUNDARY)
    if not fit.converged:
        said.append("it did not converge")
    return (means * scale, covariance * scale**2), bool(fit.converged), list(dict.fromkeys(said))


def _in_words(message: str) -> str:
    """statsmodels' first line, or our word for what it says most often."""
    return _BOUNDARY if "boundary" in message or "singular" in message else message.splitlines()[0].rstrip(".")


def _check(table: pd.DataFrame, confidence: float) -> None:
    problems = [
        Problem("table", f"no column '{name}'", "treatment, block, value")
        for name in ("treatment", "block", "value")
        if name not in table.columns
    ]
    if not problems:
        twice = table[table.duplicated(["treatment", "block"])]
        problems += [
            Problem("table", f"{row.treatment} comes twice in block {row.block}", "one value a treatment and block")
            for row in twice.itertuples()
        ]
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    if problems:
        raise InputError("The mixed model cannot be fitted.", problems)
