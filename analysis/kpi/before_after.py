"""Before and after: one project's own log, and the day on which something was introduced.

Without a second arm there is nothing to compare with but the project's own past. The log is cut into periods that are
counted from the day itself, so that none is half before and half after, and only whole periods count. A segmented
regression then says how much each series changed level and slope, with errors that allow for autocorrelation
(`analysis.stats.interrupted`). Counts are modelled as counts and durations on the log scale, so that their effects
are ratios; shares change by percentage points.

It remains an observation: whatever else changed on that day is in the effect as well. Choose the day and the series
before looking, and name other changes of that time beside the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, format_value
from analysis.kpi.events import EventLog
from analysis.kpi.facts import compute_deployments, compute_incidents, compute_lead_times
from analysis.kpi.ml_facts import collect_ml_events
from analysis.kpi.mlkpi import compute_time_shares
from analysis.kpi.reading import compute_span
from analysis.kpi.rules import DORA_2025, Rules
from analysis.stats.interrupted import FEWEST, SegmentedFit, segmented_counts, segmented_regression
from analysis.stats.paired import holm

SERIES: Mapping[str, tuple[str, str]] = {
    "deployments": ("Deployments", "count"),
    "incidents": ("Incidents", "count"),
    "lead_time_commit_h": ("Median lead time from commit", "duration"),
    "lead_time_merge_h": ("Median lead time from merge", "duration"),
    "time_degraded_share": ("Share of time degraded", "share"),
    "quality_weighted_uptime": ("Quality-weighted uptime", "share"),
}
"""Series → name, and kind: a count a period, a median duration of what was deployed in it, a share of its time."""

TESTED = ("level_change", "slope_change")
"""Effects whose p-values are corrected together."""

COLUMNS = (
    "series",
    "name",
    "effect",
    "scale",
    "value",
    "low",
    "high",
    "confidence",
    "p_value",
    "p_holm",
    "unit",
    "n_before",
    "n_after",
    "missing",
    "lags",
    "durbin_watson",
    "ljung_box_p",
    "dispersion",
    "method",
    "note",
)
"""Columns of `compare_before_after`."""

EFFECTS: Mapping[str, str] = {
    "slope_before": "slope before",
    "level_change": "change of level",
    "slope_change": "change of slope",
    "end_change": "difference in the last period",
}


@dataclass(frozen=True, slots=True)
class Periods:
    """Whole periods of a log, counted from the intervention.

    Attributes
    ----------
    starts : tuple of datetime
        Of each period; all are equally long and follow one another.
    first_after : int
        Place of the first period after the intervention.
    length : timedelta
    """

    starts: tuple[datetime, ...]
    first_after: int
    length: timedelta


def find_periods(log: EventLog, intervention: date | datetime, days: int = 7) -> Periods:
    """Cut the log into periods around the intervention.

    Parameters
    ----------
    intervention : date or datetime
        A day begins at midnight UTC; a moment must have its zone.
    days : int
        Length of a period.

    Raises
    ------
    InputError
        A moment without zone, no day, or an intervention outside the log.
    """
    moment = _moment(intervention)
    begin, end = compute_span(log)
    if days < 1:
        raise InputError("The log cannot be cut.", [Problem("days", f"got {days}", "one or more")])
    if not begin < moment < end:
        what = f"{moment:%Y-%m-%d %H:%M} is not between {begin:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M}"
        raise InputError("There is no before and after.", [Problem("intervention", what, "a day within the log")])
    length = timedelta(days=days)
    before, after = (moment - begin) // length, (end - moment) // length
    return Periods(tuple(moment + place * length for place in range(-before, after)), before, length)


def split_log(log: EventLog, intervention: date | datetime) -> tuple[EventLog, EventLog]:
    """The log before and the log after, each with its span, for metrics of either side.

    What was open at the intervention is open in the first and has no start in the second: use it for rates and
    medians within a side, and `compare_before_after` for the change.
    """
    moment = _moment(intervention)
    begin, end = compute_span(log)
    sides = []
    for words, keep, span in (
        ("before", pl.col("time") < moment, (begin, moment)),
        ("after", pl.col("time") >= moment, (moment, end)),
    ):
        name = f"{log.name}, {words}" if log.name else words
        sides.append(replace(log, events=log.events.filter(keep), name=name, begin=span[0], end=span[1]))
    return sides[0], sides[1]


def compute_series(log: EventLog, series: str, periods: Periods, rules: Rules = DORA_2025) -> pl.DataFrame:
    """A series of the log: one row a period.

    Returns
    -------
    DataFrame
        ``period`` (0 is the first after the intervention), ``start``, ``value`` (null where there is none; counts are
        then 0), ``n`` (what it rests on: cases, or hours observed).

    Raises
    ------
    InputError
        An unknown series.
    """
    if series not in SERIES:
        raise InputError("No such series.", [Problem("series", f"got '{series}'", f"one of: {', '.join(SERIES)}")])
    count = len(periods.starts)
    frame = pl.DataFrame(
        {"period": np.arange(count) - periods.first_after, "start": periods.starts},
        schema={"period": pl.Int64, "start": pl.Datetime("us", "UTC")},
    )
    kind = SERIES[series][1]
    if kind == "share":
        values, hours = _time_shares(log, series, periods, rules)
        return frame.with_columns(pl.Series("value", values, nan_to_null=True), pl.Series("n", hours))
    cases = _cases(log, series, rules).collect()
    place = (
        (pl.col("time") - pl.lit(periods.starts[0])).dt.total_microseconds() // _microseconds(periods.length)
    ).cast(pl.Int64)
    cases = cases.with_columns(place.alias("period") - periods.first_after)
    cases = cases.filter(pl.col("period").is_between(-periods.first_after, count - periods.first_after - 1))
    grouped = cases.group_by("period").agg(
        (pl.len().cast(pl.Float64) if kind == "count" else pl.col("value").median()).alias("value"),
        pl.len().cast(pl.Float64).alias("n"),
    )
    joined = frame.join(grouped, on="period", how="left").with_columns(pl.col("n").fill_null(0.0)).sort("period")
    return joined.with_columns(pl.col("value").fill_null(0.0)) if kind == "count" else joined


def compare_before_after(
    log: EventLog,
    intervention: date | datetime,
    *,
    series: Sequence[str] = tuple(SERIES),
    rules: Rules = DORA_2025,
    days: int = 7,
    transition: int = 0,
    slope_change: bool = True,
    family: str = "poisson",
    lags: int | None = None,
    confidence: float = 0.95,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """How much each series of a log changed when something was introduced.

    Parameters
    ----------
    log : EventLog
    intervention : date or datetime
        Chosen for what was done, not for how the series look.
    series : sequence of str
        Some of `SERIES`.
    rules : Rules
        Definitions of deployments, incidents and lead times.
    days : int
        Length of a period; weeks even out weekdays.
    transition : int
        Periods after the intervention that are left out, in which it was only being introduced.
    slope_change, family, lags
        As in `analysis.stats.interrupted`.
    confidence : float
    rng : numpy Generator, optional
        For simulated quantiles; seeded with 1 by default.

    Returns
    -------
    DataFrame
        One row a series and effect (columns `COLUMNS`): ``scale`` "ratio" (counts, and durations by their logarithms;
        slopes are factors a period) or "difference" (shares, in percentage points). ``p_holm`` corrects the changes of
        level and slope of all series together. A series that cannot be analysed has one row without a value, whose
        ``note`` says why.

    Raises
    ------
    InputError
        An unknown series, or what `find_periods` refuses.
    """
    periods = find_periods(log, intervention, days)
    if transition < 0:
        raise InputError("The log cannot be cut.", [Problem("transition", f"got {transition}", "0 or more")])
    rows: list[dict] = []
    for key in series:
        table = compute_series(log, key, periods, rules)
        values = table["value"].cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
        notes = [f"{transition} periods of transition left out"] if transition else []
        values[periods.first_after : periods.first_after + transition] = np.nan
        options = {"slope_change": slope_change, "lags": lags, "rng": rng or np.random.default_rng(1)}
        fit = None
        try:
            fit = _fit(values, key, periods, confidence, family, options, notes)
        except InputError as error:
            notes += [f"{problem.where}: {problem.what}" for problem in error.problems]
        rows += _rows(key, fit, values, periods, notes)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    tested = frame["effect"].isin(TESTED) & frame["p_value"].notna()
    if tested.any():
        frame.loc[tested, "p_holm"] = holm(frame.loc[tested, "p_value"].tolist())
    return frame


def build_change_rows(changes: pd.DataFrame, *, scale: str = "ratio", digits: int = 2) -> pd.DataFrame:
    """Rows for `analysis.plots.forest.draw_forest`: a group a series, its changes of level, slope and at the end.

    ``scale`` chooses ratios or differences, which do not share an axis.
    """
    rows = []
    chosen = changes[(changes["scale"] == scale) & changes["effect"].isin([e for e in EFFECTS if e != "slope_before"])]
    for row in chosen.to_dict("records"):
        value, low, high = row["value"], row["low"], row["high"]
        text = format_value(value, "", digits)
        if not np.isnan(low):
            text += f" ({Estimate(value, low, high).interval_text(digits)})"
        rows.append(
            {
                "group": row["name"],
                "label": EFFECTS[row["effect"]],
                "value": value,
                "low": low,
                "high": high,
                "text": text,
                "n": int(row["n_before"] + row["n_after"]),
                "hollow": row["effect"] not in TESTED,
            }
        )
    return pd.DataFrame(rows, columns=["group", "label", "value", "low", "high", "text", "n", "hollow"])


def _fit(
    values: np.ndarray,
    key: str,
    periods: Periods,
    confidence: float,
    family: str,
    options: dict,
    notes: list[str],
) -> SegmentedFit:
    kind = SERIES[key][1]
    if kind == "count":
        return segmented_counts(values, periods.first_after, confidence, family=family, **options)
    if kind == "share":
        return segmented_regression(100 * values, periods.first_after, confidence, unit="percentage points", **options)
    positive = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    lost = int(np.isfinite(values).sum() - np.isfinite(positive).sum())
    if lost:
        notes.append(f"{lost} periods with a median of zero or less left out")
    return segmented_regression(np.log(positive), periods.first_after, confidence, **options)


def _rows(key: str, fit: SegmentedFit | None, values: np.ndarray, periods: Periods, notes: list[str]) -> list[dict]:
    name, kind = SERIES[key]
    scale = "difference" if kind == "share" else "ratio"
    base = dict.fromkeys(COLUMNS, np.nan) | {"series": key, "name": name, "scale": scale, "unit": "", "method": ""}
    if fit is None:
        known = np.isfinite(values)
        sides = {
            "n_before": int(known[: periods.first_after].sum()),
            "n_after": int(known[periods.first_after :].sum()),
        }
        row = base | sides | {"effect": "none", "missing": int((~known).sum()), "note": "; ".join(notes)}
        return [row]
    if fit.note:
        notes = [*notes, fit.note]
    if min(fit.n_before, fit.n_after) < 4 * FEWEST:
        notes = [*notes, f"few periods ({fit.n_before} before, {fit.n_after} after): trends are guesses"]
    rows = []
    for effect, estimate in fit.effects.items():
        value, low, high = estimate.value, estimate.low, estimate.high
        unit, method = estimate.unit, estimate.method
        if kind == "duration":
            value, low, high = (None if number is None else float(np.exp(number)) for number in (value, low, high))
            unit, method = "", f"regression of logarithms, {method}"
        rows.append(
            base
            | {
                "effect": effect,
                "value": value,
                "low": np.nan if low is None else low,
                "high": np.nan if high is None else high,
                "confidence": np.nan if estimate.confidence is None else estimate.confidence,
                "p_value": fit.p_values[effect],
                "unit": unit,
                "n_before": fit.n_before,
                "n_after": fit.n_after,
                "missing": fit.missing,
                "lags": fit.lags,
                "durbin_watson": fit.durbin_watson,
                "ljung_box_p": fit.ljung_box_p,
                "dispersion": np.nan if fit.dispersion is None else fit.dispersion,
                "method": method,
                "note": "; ".join(notes),
            }
        )
    return rows


def _cases(log: EventLog, series: str, rules: Rules) -> pl.LazyFrame:
    """``time`` and ``value`` of each case that a series counts or takes the median of."""
    if series == "deployments":
        return compute_deployments(log, rules).select("time", pl.lit(1.0).alias("value"))
    if series == "incidents":
        return compute_incidents(log, rules).select(pl.col("detected").alias("time"), pl.lit(1.0).alias("value"))
    column = {"lead_time_commit_h": "lead_h", "lead_time_merge_h": "merge_h"}[series]
    return compute_lead_times(log, rules).select("time", pl.col(column).alias("value")).filter(pl.col("value") >= 0)


def _time_shares(log: EventLog, series: str, periods: Periods, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Share of each period's observed time, and its observed hours."""
    whole = replace(log, begin=periods.starts[0], end=periods.starts[-1] + periods.length)
    events = collect_ml_events(whole, rules.production)
    over, under = compute_time_shares(events, periods.length / timedelta(hours=1))[series]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(under > 0, over / under, np.nan), under


def _moment(intervention: date | datetime) -> datetime:
    if not isinstance(intervention, datetime):
        return datetime.combine(intervention, time(), UTC)
    if intervention.tzinfo is None:
        what = f"{intervention} has no zone"
        raise InputError("There is no before and after.", [Problem("intervention", what, "give it a zone, or a day")])
    return intervention.astimezone(UTC)


def _microseconds(length: timedelta) -> int:
    return round(length / timedelta(microseconds=1))
