"""Whether a metric rises or falls over weeks or months: Theil–Sen's slope with its interval.

The slope is the median of the slopes between all pairs of periods, so single bad weeks do not bend it and no shape of
the scatter is assumed; the interval inverts Kendall's test (Sen). Both take periods as independent; where neighbouring
periods resemble each other the interval is too narrow, and `lag` says how much they do.

References
----------
Theil H (1950) A rank-invariant method of linear and polynomial regression analysis. Proc. KNAW 53, 386–392.
Sen PK (1968) Estimates of the regression coefficient based on Kendall's tau. JASA 63, 1379–1389.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from analysis.base.errors import InputError, Problem

MIN_PERIODS = 6
"""Below it no interval: the range of fewer slopes does not hold 95 %."""

COLUMNS = ("metric", "service", "slope", "low", "high", "confidence", "n", "unit", "method", "lag", "note")


def compute_trend(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Slope of every metric of a table by week or month.

    Parameters
    ----------
    table : DataFrame
        As `analysis.kpi.dora.compute_dora` gives with a period in ``by``; periods without value are left out, and keep
        their distance on the axis of time.
    confidence : float
        Coverage aimed at.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: one row a metric and service; ``slope`` per week or month in the metric's unit, ``n`` periods
        with a value, ``lag`` the correlation of neighbouring residuals.

    Raises
    ------
    InputError
        A table whose periods are all "all", or a confidence outside (0, 1).
    """
    problems = []
    if set(table["period"]) <= {"all"}:
        problems.append(Problem("column 'period'", "it holds only 'all'", "compute the table with by=('week',)"))
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    if problems:
        raise InputError("A trend cannot be computed.", problems)
    order = {name: place for place, name in enumerate(sorted(set(table["period"])))}
    step = "quarter" if all("-Q" in name for name in order) else "month" if all(len(x) == 7 for x in order) else "week"
    rows = []
    for (metric, service), group in table.groupby(["metric", "service"], sort=False, dropna=False):
        known = group[group["value"].notna()]
        place = known["period"].map(order).to_numpy(dtype=float)
        value = known["value"].to_numpy(dtype=float)
        unit = f"{known['unit'].iloc[0]} a {step}" if len(known) else ""
        row = {"metric": metric, "service": service, "confidence": confidence, "n": len(known), "unit": unit}
        rows.append({**row, **_slope(place, value, confidence, step)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _slope(place: np.ndarray, value: np.ndarray, confidence: float, step: str) -> dict:
    empty = {"slope": np.nan, "low": np.nan, "high": np.nan, "lag": np.nan, "method": "Theil–Sen slope"}
    if len(value) < 2:
        return {**empty, "note": f"it takes two {step}s with a value"}
    fit = stats.theilslopes(value, place, confidence)
    if len(value) < MIN_PERIODS:
        return {**empty, "slope": float(fit.slope), "note": f"no interval below {MIN_PERIODS} {step}s"}
    residuals = value - fit.intercept - fit.slope * place
    lag = (
        float(np.corrcoef(residuals[:-1], residuals[1:])[0, 1])
        if np.ptp(residuals[:-1]) and np.ptp(residuals[1:])
        else np.nan
    )
    note = (
        "neighbouring periods resemble each other; the interval is too narrow" if lag > 2 / np.sqrt(len(value)) else ""
    )
    bounds = {"slope": float(fit.slope), "low": float(fit.low_slope), "high": float(fit.high_slope)}
    return {**bounds, "lag": lag, "method": "Theil–Sen slope with Sen's interval", "note": note}
