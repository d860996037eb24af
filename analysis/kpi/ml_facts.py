"""What a log holds about models and production, read once; degradations, observed time, labellings and steps from it.

An event log here is one system: states such as "degraded" or "in use" belong to a service, and logs of several runs
of the same service must be read one by one. Events that name no service belong to the log's service where it has just
one, and to a service without name otherwise. Neither the order of rows nor a repeated delivery changes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from analysis.kpi.events import PRODUCTION, EventLog, in_production
from analysis.kpi.reading import compute_span

HOUR = 3_600_000_000
"""Microseconds."""

ALARMS = ("incident.detected", "drift.detected")
AUTOMATED = (
    "taskrun.finished",
    "testsuiterun.finished",
    "dataset.validated",
    "training.finished",
    "evaluation.finished",
)
"""Steps that machines do. Pipeline runs hold such steps, and count only where a log has neither tasks nor tests."""

PEOPLE = ("step.done", "labelling.finished", "change.reviewed")
"""Steps that people do."""

_IN_PRODUCTION = ("service.deployed", "service.rolledback", "incident.detected", "incident.resolved", "drift.detected")
_RECORDS = (
    *_IN_PRODUCTION,
    "degradation.started",
    "degradation.ended",
    "dataset.changed",
    "training.started",
    "training.finished",
    "model.promoted",
    "model.rejected",
    "change.abandoned",
    "labelling.finished",
)
_STEPS = (*AUTOMATED, "pipelinerun.finished", *PEOPLE)


@dataclass(frozen=True, slots=True)
class MlEvents:
    """What a log holds about data, models and production, read once.

    Attributes
    ----------
    begin, end : datetime
        Span of the log.
    records : DataFrame
        ``service`` (never null), ``event``, ``time``, ``type``, ``subject``, ``change``, ``outcome``, ``cause``,
        ``value``; no row twice.
    observations : DataFrame
        ``service``, ``time``, ``outcome``, ``value``, ``target``; in order of time.
    steps : DataFrame
        ``service``, ``event``, ``time``, ``type``, ``change``; no row twice.
    """

    begin: datetime
    end: datetime
    records: pl.DataFrame
    observations: pl.DataFrame
    steps: pl.DataFrame

    @property
    def hours(self) -> float:
        return (self.end - self.begin).total_seconds() / 3600

    @property
    def services(self) -> list[str]:
        parts = (self.records, self.observations, self.steps)
        return sorted(set().union(*(part["service"].unique().to_list() for part in parts)))

    def of_service(self, service: str) -> MlEvents:
        """The same for one service."""
        own = pl.col("service") == service
        return MlEvents(
            self.begin, self.end, self.records.filter(own), self.observations.filter(own), self.steps.filter(own)
        )

    def of_type(self, *types: str) -> pl.DataFrame:
        return self.records.filter(pl.col("type").is_in(types))


def collect_ml_events(log: EventLog, production: Sequence[str] = PRODUCTION) -> MlEvents:
    """Read what the metrics of this room need, in one pass.

    Parameters
    ----------
    log : EventLog
    production : sequence of str
        Names of the production environment, any case; events without environment are production's.
    """
    begin, end = compute_span(log)
    here = in_production(production)
    kind = pl.col("type")
    event = pl.struct("source", "id").hash().alias("event")
    named = log.events.select(pl.col("service").drop_nulls().unique()).head(2)
    records = log.events.filter(kind.is_in(_RECORDS) & (~kind.is_in(_IN_PRODUCTION) | here)).select(
        "service", event, "time", "type", "subject", "change", "outcome", "cause", "value"
    )
    observations = log.events.filter((kind == "observation.recorded") & here).select(
        "service", event, "time", "outcome", "value", "target"
    )
    steps = log.events.filter(kind.is_in(_STEPS)).select("service", event, "time", "type", "change")
    found = pl.collect_all([named, records.unique(), observations.unique(), steps.unique()])
    services = found[0]["service"].to_list()
    unnamed = services[0] if len(services) == 1 else ""
    parts = [part.with_columns(pl.col("service").fill_null(unnamed)) for part in found[1:]]
    ordered = parts[1].sort("service", "time", "event").drop("event")
    return MlEvents(begin, end, parts[0].sort("time", "event"), ordered, parts[2])


def compute_degradations(events: MlEvents) -> pl.DataFrame:
    """Times at which production was below its service level: one row each.

    They are the degradations of the log; where it has none, they are stretches of observations with outcome failure
    (an observation without outcome changes nothing).

    Returns
    -------
    DataFrame
        ``service``, ``degradation``, ``start``, ``end`` (null while open), ``hours`` (up to the end of the log where
        ``censored``), ``censored``, ``noticed``, ``detect_hours`` (up to the first alarm; where nobody noticed, up to
        the end of the degradation or of the log). An incident that was open at the start counts as noticed then; an
        open ticket does not, since no log says which tickets are about production.
    """
    started = (
        events.of_type("degradation.started")
        .group_by("service", pl.col("subject").alias("degradation"))
        .agg(pl.col("time").min().alias("start"))
    )
    ended = (
        events.of_type("degradation.ended")
        .group_by("service", pl.col("subject").alias("degradation"))
        .agg(pl.col("time").max().alias("end"))
    )
    if started.is_empty():
        found = _failing_stretches(events.observations)
    else:
        found = started.join(ended, on=["service", "degradation"], how="left")
    ended_at = pl.when(pl.col("end").is_not_null()).then(pl.max_horizontal("end", "start"))
    found = found.with_columns(ended_at.alias("end"))
    found = found.with_columns(
        pl.col("end").is_null().alias("censored"), pl.coalesce("end", pl.lit(events.end)).alias("until")
    ).sort("start", "degradation")
    alarms = events.of_type(*ALARMS).select("service", "time", pl.col("time").alias("alarm")).sort("time")
    found = found.join_asof(
        alarms, left_on="start", right_on="time", by="service", strategy="forward", check_sortedness=False
    )
    found = found.join_asof(
        _open_incidents(events), left_on="start", right_on="time", by="service", check_sortedness=False
    )
    already = (pl.col("open_until") >= pl.col("start")).fill_null(False)
    seen = pl.when(already).then("start").when(pl.col("alarm") <= pl.col("until")).then("alarm")
    found = found.with_columns(seen.alias("seen"))
    return found.select(
        "service",
        "degradation",
        "start",
        "end",
        hours_of(pl.col("until") - pl.col("start")).alias("hours"),
        "censored",
        pl.col("seen").is_not_null().alias("noticed"),
        hours_of(pl.coalesce("seen", "until") - pl.col("start")).alias("detect_hours"),
    )


def compute_stretches(events: MlEvents) -> pl.DataFrame:
    """Observed time: every observation with how long it held, until the next one or the end of the log.

    Returns
    -------
    DataFrame
        ``service``, ``start_h`` and ``end_h`` (hours since the begin of the log), ``outcome``, ``value``, ``target``.
    """
    until = pl.coalesce(pl.col("time").shift(-1).over("service"), pl.lit(events.end))
    return events.observations.select(
        "service",
        hours_of(pl.col("time") - pl.lit(events.begin)).alias("start_h"),
        hours_of(pl.max_horizontal(until, "time") - pl.lit(events.begin)).alias("end_h"),
        "outcome",
        "value",
        "target",
    )


def compute_labellings(events: MlEvents) -> pl.DataFrame:
    """Finished labellings: ``service``, ``finished``, ``hours``, one row each.

    Labellings of one change that follow each other without a gap, such as waiting for an annotator and annotating,
    are one.
    """
    done = (
        events.of_type("labelling.finished")
        .filter(pl.col("value").is_finite() & (pl.col("value") >= 0))
        .with_columns((pl.col("time") - pl.duration(microseconds=pl.col("value") * HOUR)).alias("start"))
        .unique(["service", "event"])
        .sort("service", "change", "time", "event", nulls_last=True)
    )
    same = (pl.col("change") == pl.col("change").shift()) & (pl.col("service") == pl.col("service").shift())
    joined = same & ((pl.col("start") - pl.col("time").shift()).abs() <= pl.duration(seconds=1))
    return (
        done.with_columns((~joined.fill_null(False)).cum_sum().alias("labelling"))
        .group_by("labelling")
        .agg(pl.col("service").first(), pl.col("time").max().alias("finished"), pl.col("value").sum().alias("hours"))
        .sort("finished", "labelling")
        .drop("labelling")
    )


def count_steps(events: MlEvents) -> tuple[int, int, int]:
    """Steps that machines did, steps that people did, and reviews that a logged step stands for already."""
    steps = events.steps
    done = {kind: steps.filter(pl.col("type") == kind)["event"].n_unique() for kind in _STEPS}
    automated = sum(done[kind] for kind in AUTOMATED)
    if done["taskrun.finished"] + done["testsuiterun.finished"] == 0:
        automated += done["pipelinerun.finished"]
    reviews = steps.filter(pl.col("type") == "change.reviewed")
    doubled = reviews.join(
        steps.filter(pl.col("type") == "step.done").select("service", "change", "time").unique(),
        on=["service", "change", "time"],
        how="semi",
    )["event"].n_unique()
    return automated, sum(done[kind] for kind in PEOPLE) - doubled, doubled


def _open_incidents(events: MlEvents) -> pl.DataFrame:
    """``service``, ``time`` of each detection, ``open_until``: the latest end of any incident detected by then.

    A log that never resolves an incident does not say how long they were open: each then counts as its moment only.
    """
    by = ["service", pl.col("subject")]
    detected = events.of_type("incident.detected").group_by(by).agg(pl.col("time").min())
    resolved = events.of_type("incident.resolved").group_by(by).agg(pl.col("time").max().alias("resolved"))
    until = pl.lit(events.end) if len(resolved) else pl.col("time")
    return (
        detected.join(resolved, on=["service", "subject"], how="left")
        .with_columns(pl.coalesce("resolved", until).alias("resolved"))
        .sort("time", "subject")
        .select("service", "time", pl.col("resolved").cum_max().over("service").alias("open_until"))
    )


def _failing_stretches(observations: pl.DataFrame) -> pl.DataFrame:
    states = observations.with_columns(
        (pl.col("outcome") == "failure").forward_fill().over("service").fill_null(False).alias("failed")
    )
    turns = states.filter(
        (pl.col("failed") != pl.col("failed").shift(1)).over("service").fill_null(pl.col("failed"))
    ).with_columns(pl.col("time").shift(-1).over("service").alias("end"))
    return turns.filter("failed").select(
        "service",
        pl.format("{}{}", pl.lit("observed "), pl.int_range(1, pl.len() + 1)).alias("degradation"),
        pl.col("time").alias("start"),
        "end",
    )


def hours_of(span: pl.Expr) -> pl.Expr:
    """A span of time as hours."""
    return span.dt.total_microseconds() / HOUR
