"""DORA's delivery metrics of an event log, each with its interval, under stated rules.

Estimates and intervals: quantiles of lead times with the exact bootstrap over changes; deployments a week with
Garwood's exact Poisson interval over the span watched; shares of deployments with Wilson's; recovery times by
Kaplan–Meier, where an open incident counts as lasting at least so long. Where there is nothing to measure there is no
value: no month without incidents has recovered in zero hours. A week without deployments has had none, and that is a
number.

The definitions, with their sources, are in `analysis.kpi.rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.kpi.events import EventLog
from analysis.kpi.rule_words import describe_metric
from analysis.kpi.rules import (
    DORA_2025,
    FAIL,
    FREQUENCY,
    LEAD,
    LEAD_MERGE,
    METRICS,
    REWORK,
    Rules,
)
from analysis.kpi.samples import Samples, collect_samples
from analysis.stats.intervals import compute_share
from analysis.stats.quantiles import compute_quantile
from analysis.stats.rates import compute_dispersion, compute_rate
from analysis.stats.survival import compute_restricted_mean, compute_survival_quantile

COLUMNS = (
    "metric",
    "service",
    "period",
    "value",
    "low",
    "high",
    "confidence",
    "n",
    "unit",
    "method",
    "definition",
    "note",
)
"""Columns of every table of metrics; ``service`` and ``period`` are "all" where they are not told apart."""

GROUPINGS = ("service", "week", "month")
WEEK, DAY = timedelta(weeks=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Cell:
    """One service, one stretch of time; None where all of them."""

    service: str | None
    period: str
    begin: datetime
    end: datetime
    every_service: bool = False
    cut: str = ""

    @property
    def weeks(self) -> float:
        return (self.end - self.begin) / WEEK


def compute_dora(
    log: EventLog | Samples,
    rules: Rules = DORA_2025,
    by: Sequence[str] = (),
    confidence: float = 0.95,
    quantiles: Sequence[float] = (0.9,),
) -> pd.DataFrame:
    """The metrics that the rules define.

    Parameters
    ----------
    log : EventLog or Samples
        `analysis.kpi.samples.collect_samples` spares a second look at the log where several tables are wanted; its
        rules then hold.
    rules : Rules
        Definitions.
    by : sequence of {"service", "week", "month"}
        What to tell apart; at most one of week and month. Lead times and deployments belong to the period of the
        deployment, recoveries to that of the incident's detection.
    confidence : float
        Of all intervals.
    quantiles : sequence of float
        Further quantiles of durations, as rows such as ``lead_time_commit_h_p90``.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: one row a metric, service and period. ``value``, ``low`` and ``high`` are missing where the
        log sets none; ``note`` says why, and what was left out.

    Raises
    ------
    InputError
        A grouping that does not exist, a log that covers no time, or a confidence outside (0, 1).
    """
    wrong = [item for item in by if item not in GROUPINGS]
    if wrong or {"week", "month"} <= set(by):
        what = f"got {', '.join(map(repr, wrong))}" if wrong else "week and month at once"
        raise InputError("No such grouping.", [Problem("by", what, f"some of: {', '.join(GROUPINGS)}, one period")])
    samples = log if isinstance(log, Samples) else collect_samples(log, rules)
    cells = list(_cells(samples, by))
    rows = []
    for metric in METRICS:
        if metric not in samples.rules.metrics:
            continue
        definition = describe_metric(samples.rules, metric)
        if metric in samples.durations:
            found = _duration_rows(samples, metric, cells, by, confidence, quantiles)
        else:
            found = _count_rows(samples, metric, cells, by, confidence)
        for name, cell, estimate, note in found:
            rows.append(_row(name, cell, estimate, definition, note))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def compute_central(hours: np.ndarray, how: str, confidence: float, unit: str = "h") -> Estimate:
    """Median, lower median or mean of values in ascending order, with interval; ``how`` as the rules say."""
    if how == "mean":
        n, mean = len(hours), float(np.mean(hours))
        if n < 2:
            return Estimate(mean, n=n, method="mean; no interval from one value", unit=unit)
        half = float(stats.t.ppf((1 + confidence) / 2, n - 1) * np.std(hours, ddof=1) / np.sqrt(n))
        return Estimate(mean, max(0.0, mean - half), mean + half, confidence, n, "mean with t interval", unit)
    estimate = compute_quantile(hours, 0.5, confidence, unit=unit, ordered=True)
    if how == "lower median":
        return replace(estimate, value=float(hours[(len(hours) - 1) // 2]))
    return estimate


def _cells(samples: Samples, by: Sequence[str]) -> Iterator[_Cell]:
    """Every service and period of the span, those without any event too."""
    services: list[tuple[str | None, bool]] = [(None, True)]
    if "service" in by:
        seen = [samples.deployments["service"], samples.incidents["service"]]
        seen += [frame["service"] for frame in samples.durations.values()]
        names = pl.concat(seen).unique().to_list()
        services = [(name, False) for name in sorted(names, key=lambda name: (name is None, name or ""))]
    kind = next((item for item in by if item != "service"), None)
    spans = [("all", samples.begin, samples.end, "")] if kind is None else list(_periods(samples, kind))
    for service, every in services:
        for period, begin, end, cut in spans:
            yield _Cell(service, period, begin, end, every, cut)


def _periods(samples: Samples, kind: str) -> Iterator[tuple[str, datetime, datetime, str]]:
    """Label, begin, end within the span, and a note where the span cuts it."""
    label = _label(pl.col("time"), kind, samples.rules)
    moment = pl.DataFrame({"time": [samples.begin]}).select(_start(pl.col("time"), kind, samples.rules)).item()
    step = "1w" if kind == "week" else "1mo"
    while moment < samples.end or moment <= samples.begin:
        after = pl.select(pl.lit(moment).dt.offset_by(step)).item()
        name = pl.DataFrame({"time": [moment]}).select(label).item()
        begin, end = max(moment, samples.begin), min(after, samples.end)
        whole, watched = (after - moment) / DAY, (end - begin) / DAY
        yield name, begin, end, f"only {watched:.1f} of {whole:g} days watched" if watched < whole else ""
        moment = after


def _start(time: pl.Expr, kind: str, rules: Rules) -> pl.Expr:
    """Beginning of the week or month, in UTC."""
    if kind == "month":
        return time.dt.truncate("1mo")
    shift = timedelta(days=1 if rules.week_start == "sunday" else 0)
    return (time + shift).dt.truncate("1w") - shift


def _label(time: pl.Expr, kind: str, rules: Rules) -> pl.Expr:
    return _start(time, kind, rules).dt.strftime("%Y-%m" if kind == "month" else "%Y-%m-%d")


def _grouped(frame: pl.DataFrame, by: Sequence[str], rules: Rules) -> dict[tuple[str | None, str], pl.DataFrame]:
    """Rows of each service and period, in their order."""
    kind = next((item for item in by if item != "service"), None)
    period = pl.lit("all") if kind is None else _label(pl.col("time"), kind, rules)
    if not by:
        return {(None, "all"): frame}
    service = pl.col("service") if "service" in by else pl.lit(None, dtype=pl.String)
    frame = frame.with_columns(service.alias("service"), period.alias("period"))
    return frame.partition_by("service", "period", as_dict=True, include_key=True)


def _duration_rows(samples: Samples, metric: str, cells: list[_Cell], by, confidence: float, quantiles):
    rules = samples.rules
    groups = _grouped(samples.durations[metric], by, rules)
    missing = _grouped(samples.left_out[metric], by, rules)
    is_lead = metric in (LEAD, LEAD_MERGE)
    for cell in cells:
        key = (cell.service, cell.period)
        group, dropped = groups.get(key), missing.get(key)
        reasons = dropped.group_by("reason").len().sort("reason").iter_rows() if dropped is not None else ()
        notes = [f"{count} left out: {reason}" for reason, count in reasons]
        hours = np.empty(0) if group is None else group["hours"].to_numpy()
        if len(hours) == 0:
            if not notes:
                notes.append("no change was deployed" if is_lead else "nothing to recover from")
            if rules.nothing == "zero" and is_lead:
                notes.append("the tool prints 0 here")
            yield metric, cell, None, "; ".join(notes)
            continue
        if metric == LEAD and rules.lead_start == "commit, else created" and samples.lead_start == "proposal":
            notes.append("from the proposal: the log has no commits")
        if is_lead:
            yield metric, cell, compute_central(hours, rules.central, confidence), "; ".join(notes)
            for quantile in quantiles:
                estimate = compute_quantile(hours, quantile, confidence, unit="h", ordered=True)
                yield f"{metric}_p{100 * quantile:g}", cell, estimate, ""
        else:
            yield from _recovery_rows(
                metric, cell, hours, group["censored"].to_numpy(), rules, confidence, quantiles, notes
            )


def _recovery_rows(metric, cell, hours, censored, rules: Rules, confidence: float, quantiles, notes):
    still = int(censored.sum())
    if still:
        notes = [*notes, f"{still} of {len(hours)} still open at the end, counted as lasting at least so long"]

    def quantile(share: float) -> tuple[Estimate | None, str]:
        estimate = compute_survival_quantile(hours, censored, share, confidence, unit="h")
        if estimate is not None:
            return estimate, ""
        return None, f"not reached: too many are open; the longest was watched for {hours.max():.1f} h"

    mean = compute_restricted_mean(hours, censored, confidence, unit="h") if hours.max() > 0 else None
    if rules.recovery_central == "lower median" and not still:
        main, why = compute_central(hours, "lower median", confidence), ""
    elif rules.recovery_central == "mean":
        main, why = mean, "" if mean else "all were over at once"
    else:
        main, why = quantile(0.5)
    yield metric, cell, main, "; ".join(item for item in [why, *notes] if item)
    if rules.recovery_central == "mean":
        quantiles = (0.5, *quantiles)
    elif mean is not None:
        yield f"{metric}_mean", cell, mean, ""
    for share in quantiles:
        yield f"{metric}_p{100 * share:g}", cell, *quantile(share)


def _count_rows(samples: Samples, metric: str, cells: list[_Cell], by, confidence: float):
    rules = samples.rules
    groups = _grouped(samples.deployments, by, rules)
    empty = samples.deployments.head(0)
    attributed = samples.incidents.filter(pl.col("attributed").is_not_null())
    inferred = attributed.filter(pl.col("attributed") == "inferred")
    detected = _grouped(samples.incidents, by, rules)
    for cell in cells:
        group = groups.get((cell.service, cell.period), empty)
        if metric == FREQUENCY:
            yield metric, cell, *_frequency(group, cell, rules, confidence)
            continue
        if len(group) == 0:
            note = "no deployment"
            yield metric, cell, None, f"{note}; the tool prints 0 here" if rules.nothing == "zero" else note
            continue
        notes = []
        if metric == FAIL:
            if not samples.says_failures:
                notes.append("the log has no incident and no rollback at all: a rate of 0 only if it would have them")
            if len(inferred) and cell.every_service and cell.period == "all":
                notes.append(f"{len(inferred)} of {len(attributed)} incidents attributed by inference")
            own = detected.get((cell.service, cell.period), samples.incidents.head(0))
            nobodys = own["attributed"].null_count()
            if nobodys and cell.period == "all":
                notes.append(f"{nobodys} of {len(own)} incidents belong to no deployment, and make none a failed one")
            if rules.failure_unit == "incidents":
                count = int(group["incidents"].sum())
                estimate = compute_rate(count, len(group), confidence, unit="share")
                yield metric, cell, replace(estimate, n=len(group)), "; ".join(notes)
                continue
            count = int(group["failed"].sum())
        else:
            if samples.says_failures and not samples.says_rework:
                yield metric, cell, None, "no deployment of this log says what it remedies"
                continue
            if not samples.says_failures and not samples.says_rework:
                notes.append("the log has no incident at all: a rate of 0 only if it would have them")
            count = int(group["rework"].sum())
        yield metric, cell, compute_share(count, len(group), confidence, method="wilson"), "; ".join(notes)


def _frequency(group: pl.DataFrame, cell: _Cell, rules: Rules, confidence: float) -> tuple[Estimate | None, str]:
    if rules.frequency == "days a week":
        days = group.select(_start(pl.col("time"), "week", rules).alias("week"), pl.col("time").dt.date().alias("day"))
        counted = days.unique().group_by("week").len()["len"].to_numpy()
        first, last = (
            pl.DataFrame({"time": [moment]}).select(_start(pl.col("time"), "week", rules)).item()
            for moment in (cell.begin, cell.end - timedelta(microseconds=1) if cell.end > cell.begin else cell.end)
        )
        weeks = round((last - first) / WEEK) + 1
        values = np.sort(np.concatenate([np.zeros(max(0, weeks - len(counted))), counted]).astype(float))
        return compute_central(values, rules.central, confidence, unit="days/week"), ""
    if cell.weeks <= 0:
        return None, "the log covers no time"
    estimate = compute_rate(len(group), cell.weeks, confidence, unit="1/week")
    return estimate, cell.cut or _dispersion_note(group, cell)


def _dispersion_note(group: pl.DataFrame, cell: _Cell) -> str:
    """Warns where deployments cluster, so that the Poisson interval is too narrow."""
    if cell.weeks < 4 or len(group) < 5:
        return ""
    week = ((pl.col("time") - cell.begin).dt.total_seconds() // int(WEEK.total_seconds())).alias("week")
    whole = int(cell.weeks)
    counted = group.select(week).filter(pl.col("week").is_between(0, whole - 1)).group_by("week").len()
    counts = np.zeros(whole)
    counts[counted["week"].to_numpy()] = counted["len"].to_numpy()
    dispersion = compute_dispersion(counts)
    if dispersion is None or dispersion.index <= 1 or dispersion.p_value >= 0.05:
        return ""
    return (
        f"weekly numbers vary {dispersion.index:.1f} times as much as a Poisson process would; "
        f"the interval should be about {np.sqrt(dispersion.index):.1f} times as wide"
    )


def _row(metric: str, cell: _Cell, estimate: Estimate | None, definition: str, note: str) -> dict:
    share = metric in (FAIL, REWORK)
    unit = "share" if share else "1/week" if metric == FREQUENCY else "h"
    service = "all" if cell.every_service else cell.service
    row = {"metric": metric, "service": service, "period": cell.period, "unit": unit, "definition": definition}
    if estimate is None:
        return {
            **row,
            "value": np.nan,
            "low": np.nan,
            "high": np.nan,
            "confidence": np.nan,
            "n": 0,
            "method": "",
            "note": note,
        }
    bounds = {
        name: np.nan if bound is None else bound for name, bound in (("low", estimate.low), ("high", estimate.high))
    }
    return {
        **row,
        **bounds,
        "value": estimate.value,
        "confidence": np.nan if estimate.confidence is None else estimate.confidence,
        "n": estimate.n,
        "unit": estimate.unit,
        "method": estimate.method,
        "note": note,
    }
