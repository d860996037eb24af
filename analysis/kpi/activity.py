"""Deployments and failed deployments by week, month or quarter, as rates with exact intervals and their trend."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.kpi.samples import Samples
from analysis.kpi.trend import compute_trend
from analysis.stats.rates import compute_rate

DEPLOYED, FAILED = "deployments_per_week", "failed_per_week"

COLUMNS = ("metric", "service", "period", "begin", "end", "value", "low", "high", "count", "whole", "unit", "method")

STEPS = {"week": "1w", "month": "1mo", "quarter": "1q"}
_WEEK = timedelta(weeks=1)
_WEEKS_UP_TO, _YEARS_UP_TO = 32, 5  # weeks, beyond that months, beyond these quarters


def choose_period(samples: Samples) -> str:
    """Weeks where there are few of them, else months, over many years quarters."""
    weeks = (samples.end - samples.begin) / _WEEK
    return "week" if weeks <= _WEEKS_UP_TO else "month" if weeks <= 53 * _YEARS_UP_TO else "quarter"


def compute_activity(samples: Samples, period: str = "", confidence: float = 0.95) -> pd.DataFrame:
    """Deployments and failed deployments a week, in every period of the span.

    Parameters
    ----------
    samples : Samples
    period : {"week", "month", "quarter", ""}
        Empty: `choose_period`. Weeks begin on Monday; all in UTC.
    confidence : float
        Of Garwood's intervals, which take deployments of one period to come independently.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: one row a metric (`DEPLOYED`, `FAILED`) and period. Periods are cut at the ends of the span
        (``whole`` is then false), and rates are by the time watched; a period without deployment has the rate 0.

    Raises
    ------
    InputError
        No such period, or a log that covers no time.
    """
    period = period or choose_period(samples)
    problems = []
    if period not in STEPS:
        problems.append(Problem("period", f"got '{period}'", f"one of: {', '.join(STEPS)}"))
    if not samples.begin < samples.end:
        problems.append(Problem(samples.name or "log", "it covers no time", "give it begin and end"))
    if problems:
        raise InputError("Deployments cannot be counted by period.", problems)
    edges = _edges(samples.begin, samples.end, period)
    starts = pl.Series(edges[:-1]).cast(pl.Int64).to_numpy()
    rows = []
    for metric, chosen in ((DEPLOYED, samples.deployments), (FAILED, samples.deployments.filter("failed"))):
        place = np.searchsorted(starts, chosen["time"].cast(pl.Int64).to_numpy(), side="right") - 1
        counts = np.bincount(place[place >= 0], minlength=len(starts))
        for number, (start, after) in enumerate(pairwise(edges)):
            begin, end = max(start, samples.begin), min(after, samples.end)
            rate = compute_rate(int(counts[number]), (end - begin) / _WEEK, confidence)
            rows.append(
                {
                    "metric": metric,
                    "service": "all",
                    "period": _label(start, period),
                    "begin": begin,
                    "end": end,
                    "value": rate.value,
                    "low": rate.low,
                    "high": rate.high,
                    "count": int(counts[number]),
                    "whole": (begin, end) == (start, after),
                    "unit": "1/week",
                    "method": rate.method,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def compute_activity_trend(activity: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Theil–Sen's slopes of both series over their whole periods, as `analysis.kpi.trend.compute_trend` gives them.

    No rows where no period is whole.
    """
    whole = activity[activity["whole"]]
    return compute_trend(whole, confidence) if len(whole) else pd.DataFrame()


def _label(start: datetime, period: str) -> str:
    if period == "quarter":
        return f"{start:%Y}-Q{(start.month + 2) // 3}"
    return f"{start:%Y-%m}" if period == "month" else f"{start:%Y-%m-%d}"


def _edges(begin: datetime, end: datetime, period: str) -> list[datetime]:
    """Starts of the periods that the span touches, and the end of the last one."""
    step = STEPS[period]
    edges = [pl.select(pl.lit(begin).dt.truncate(step)).item()]
    while edges[-1] < end:
        edges.append(pl.select(pl.lit(edges[-1]).dt.offset_by(step)).item())
    return edges
