"""What the metrics are computed from: lead times, deployments, recoveries, as small tables, with what was left out.

One look at the log gives everything for all groupings; `analysis.kpi.dora` and `analysis.kpi.levels` start from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from analysis.kpi.events import EventLog
from analysis.kpi.facts import (
    compute_deployments,
    compute_incidents,
    compute_lead_times,
    compute_recoveries,
    find_lead_start,
)
from analysis.kpi.reading import Reading, read_log, rounded
from analysis.kpi.rules import LEAD, LEAD_MERGE, MTTR, RECOVERY, Rules

SAYS_REMEDIES = "says_remedies"
"""Key of `EventLog.about`: true where the source would say of a deployment that it remedies an incident."""

LEAD_STARTS: Mapping[str, str] = {
    "commit": "first commit",
    "created": "proposal",
    "merge": "merge",
    "stages": "merge",  # without it DevLake has no stage to add up
}
"""What a lead time cannot do without, as notes call it."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one log under one set of rules.

    Attributes
    ----------
    rules : Rules
    name : str
        Of the log.
    begin, end : datetime
        Span watched, of the window if the rules have one.
    durations : mapping of str to DataFrame
        Metric → ``service``, ``time`` (to which period it belongs), ``hours``, ``censored``, sorted by hours; for the
        lead times, recovery and restoring that the rules define.
    left_out : mapping of str to DataFrame
        Metric → ``service``, ``time``, ``reason`` of what has no usable duration.
    deployments : DataFrame
        ``service``, ``time``, ``failed``, ``rework``, ``incidents``.
    incidents : DataFrame
        ``service``, ``time`` (detected), ``attributed``.
    says_rework : bool
        Whether any deployment of the log says that it remedies something, or its source says that one would
        (``about[SAYS_REMEDIES]``): then none that does means none that did.
    says_failures : bool
        Whether the log has an incident or a rollback at all.
    lead_start : str
        What lead times start from, of `LEAD_STARTS`.
    """

    rules: Rules
    name: str
    begin: datetime
    end: datetime
    durations: Mapping[str, pl.DataFrame]
    left_out: Mapping[str, pl.DataFrame]
    deployments: pl.DataFrame
    incidents: pl.DataFrame
    says_rework: bool
    says_failures: bool
    lead_start: str


def collect_samples(
    log: EventLog, rules: Rules, *, reading: Reading | None = None, leads: pl.DataFrame | None = None
) -> Samples:
    """Everything that the metrics of ``rules`` need from the log.

    Parameters
    ----------
    log : EventLog
    rules : Rules
    reading : Reading, optional
        Of this log under rules with the same `analysis.kpi.reading.READING_FIELDS`.
    leads : DataFrame, optional
        Its lead times under rules with the same `analysis.kpi.facts.LEAD_FIELDS`.

    Raises
    ------
    InputError
        A log that covers no time.
    """
    reading = reading or read_log(log, rules)
    start = find_lead_start(log, rules)
    deployments = (
        compute_deployments(reading, rules).select("service", "time", "failed", "rework", "incidents").collect()
    )
    found = compute_incidents(reading, rules).collect()
    durations, left_out = {}, {}
    if LEAD in rules.metrics or LEAD_MERGE in rules.metrics:
        columns = {LEAD: "lead_h", LEAD_MERGE: "merge_h"}
        wanted = {metric: column for metric, column in columns.items() if metric in rules.metrics}
        keys = ["service", "time", *(["deployment"] if rules.lead_unit == "deployment" else [])]
        known = compute_lead_times(log, rules) if leads is None else leads.lazy()
        known = known.select(*keys, *wanted.values()).collect(engine="streaming")
        for metric, column in wanted.items():
            chosen = known.select(*keys, pl.col(column).alias("hours"))
            origin = LEAD_STARTS["merge" if metric == LEAD_MERGE else start]
            durations[metric], left_out[metric] = _choose_leads(chosen, rules, origin)
        del known
    if RECOVERY in rules.metrics:
        recoveries = compute_recoveries(reading, rules).rename({"detected": "time"}).collect()
        durations[RECOVERY], left_out[RECOVERY] = _choose_recoveries(recoveries, rules)
    if MTTR in rules.metrics:
        restores = found.select(
            "service", pl.col("detected").alias("time"), pl.col("restore_hours").alias("hours"), "censored"
        )
        durations[MTTR], left_out[MTTR] = _choose_recoveries(restores, rules)
    begin = reading.begin
    if rules.window_months is not None:
        first = pl.select(pl.lit(reading.end).dt.offset_by(f"-{rules.window_months}mo")).item()
        begin = max(begin, first)
    return Samples(
        rules,
        log.name,
        begin,
        reading.end,
        durations,
        left_out,
        deployments,
        found.select("service", pl.col("detected").alias("time"), "attributed"),
        bool(reading.deployments["cause"].is_not_null().any()) or bool(log.about.get(SAYS_REMEDIES)),
        bool(len(reading.incidents) or len(reading.rollbacks)),
        LEAD_STARTS[start],
    )


def _choose_leads(leads: pl.DataFrame, rules: Rules, start: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    leads = leads.with_columns(pl.col("hours").alias("exact"), rounded(pl.col("hours"), rules.lead_rounding))
    reasons = [
        (pl.col("exact").is_null(), f"the log has no {start} of the change"),
        (pl.col("exact") < 0, f"deployed before its {start}"),
    ]
    if rules.lead_zero == "left out":
        reasons.append((pl.col("hours") <= 0, "less than a minute, left out by the rules"))
    kept, dropped = _split(leads, reasons)
    if rules.lead_unit == "deployment":
        kept = kept.group_by("service", "deployment").agg(pl.col("time").min(), pl.col("hours").median())
    kept = kept.with_columns(pl.lit(False).alias("censored"))
    return kept.select("service", "time", "hours", "censored").sort("hours"), dropped


def _choose_recoveries(recoveries: pl.DataFrame, rules: Rules) -> tuple[pl.DataFrame, pl.DataFrame]:
    recoveries = recoveries.with_columns(
        pl.col("hours").alias("exact"), rounded(pl.col("hours"), rules.recovery_rounding)
    )
    reasons = [
        (pl.col("exact").is_null(), "no deployment to blame, from which the rules would count"),
        (pl.col("exact") < 0, "over before it began"),
    ]
    if rules.recovery_open == "left out":
        reasons.append((pl.col("censored"), "still open, left out by the rules"))
    kept, dropped = _split(recoveries, reasons)
    return kept.select("service", "time", "hours", "censored").sort("hours", "censored"), dropped


def _split(frame: pl.DataFrame, reasons: list[tuple[pl.Expr, str]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    reason = pl.coalesce(pl.when(condition).then(pl.lit(text)) for condition, text in reasons).alias("reason")
    frame = frame.with_columns(reason)
    kept, dropped = frame.filter(pl.col("reason").is_null()), frame.filter(pl.col("reason").is_not_null())
    return kept.drop("reason", "exact"), dropped.select("service", "time", "reason")
