"""An event log read under rules: which deployments count, which were rolled back, and which an incident blames.

Reading of the log, where rules leave no choice: a deployment is its service and id, an incident its service and id.
What a service without name does is one service of its own, here under the empty name. A rollback that does not say what
it takes back takes back the latest deployment of its service; a resolution that names no service ends the incident of
that id. An incident lasts from its first detection to its last resolution; detected again after that, it is open. An
incident that names no environment is production's. However often an event was delivered, it counts once, and the order
of rows is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.kpi.events import EventLog
from analysis.kpi.rules import Rules

HOUR = 3_600_000_000
"""Microseconds."""

READING_FIELDS = (
    "production",
    "unknown_environment",
    "attempts",
    "rollbacks",
    "redeployments",
    "changeless",
    "start",
    "same_day",
    "attribution",
    "attribution_hours",
    "attribution_scope",
    "failure",
)
"""Fields of the rules that `read_log` looks at."""

NEVER_SET = datetime(1971, 1, 1, tzinfo=UTC)
"""Clocks that were never set, and empty times, say 1970 or earlier."""

_PRECISION = 1e-7
"""Hours; a third of a millisecond. A whole minute must not be lost to the division of microseconds."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What `read_log` found.

    Attributes
    ----------
    log : EventLog
    rules : Rules
    begin, end : datetime
        Span watched.
    deployments : DataFrame
        Those that count: ``service``, ``deployment``, ``time``, ``changes``, ``cause``, ``attempt``, ``is_rollback``.
    rollbacks : DataFrame
        ``service``, ``rollback``, ``taken`` (when), ``deployment`` (taken back; null if there is none).
    incidents : DataFrame
        ``service``, ``incident``, ``detected``, ``resolved``, ``deployment`` (to blame), ``of_service`` (its service),
        ``blamed_time``, ``attributed`` ("named", "inferred" or null).
    """

    log: EventLog
    rules: Rules
    begin: datetime
    end: datetime
    deployments: pl.DataFrame
    rollbacks: pl.DataFrame
    incidents: pl.DataFrame


def compute_span(log: EventLog) -> tuple[datetime, datetime]:
    """First and last moment watched.

    Raises
    ------
    InputError
        A log without events that does not say its span, or one that ends before it begins.
    """
    begin, end = log.begin, log.end
    if begin is None or end is None:
        time = pl.col("time")
        told = pl.coalesce(time.filter(time >= NEVER_SET).min(), time.min())  # one clock not set must not add decades
        ends = log.events.select(told.alias("first"), time.max().alias("last"))
        first, last = ends.collect(engine="streaming").row(0)
        begin, end = begin or first, end or last
    if begin is None or end is None or end < begin:
        what = "it has no event" if begin is None or end is None else f"it begins {begin} and ends {end}"
        raise InputError("The log covers no time.", [Problem(log.name or "log", what, "give it begin and end")])
    return begin, end


def read_log(log: EventLog, rules: Rules) -> Reading:
    """Deployments, rollbacks and incidents in production, under the rules.

    Raises
    ------
    InputError
        As `compute_span`.
    """
    begin, end = compute_span(log)
    deployments, rollbacks, detected, resolved = pl.collect_all(
        [_grouped_deployments(log, rules), _rollback_events(log, rules), *_incident_events(log, rules)],
        engine="streaming",
    )
    deployments = _choose(deployments, rollbacks, log, rules)
    candidates = deployments.filter(~pl.col("attempt") | pl.lit("attempt" in rules.failure)).sort("time", "deployment")
    latest = candidates.filter(~pl.col("is_rollback")).select("service", "time", pl.col("deployment").alias("latest"))
    rollbacks = (
        rollbacks.sort("taken", "rollback")
        .join_asof(
            latest, left_on="taken", right_on="time", by="service", allow_exact_matches=False, check_sortedness=False
        )
        .select("service", "rollback", "taken", pl.coalesce("named", "latest").alias("deployment"))
    )
    incidents = attribute_incidents(_incidents(detected, resolved), candidates, log, rules)
    return Reading(log, rules, begin, end, deployments, rollbacks, incidents)


def arrivals(log: EventLog, rules: Rules) -> pl.LazyFrame:
    """Rows of deployments to production: ``service`` (never null), ``deployment``, ``time``, ``change``, ``cause``,
    ``attempt`` (it never got there)."""
    return log.events.filter((pl.col("type") == "service.deployed") & in_production(rules)).select(
        pl.col("service").fill_null(""),
        pl.col("subject").alias("deployment"),
        "time",
        "change",
        "cause",
        (pl.col("outcome") == "failure").fill_null(False).alias("attempt"),
    )


def in_production(rules: Rules) -> pl.Expr:
    """Whether an event is about the environment that counts."""
    unknown = pl.col("environment").is_null()
    inside = pl.col("environment").str.to_lowercase().is_in(list(rules.production)) if rules.production else ~unknown
    return inside | unknown if rules.unknown_environment == "production" else inside & ~unknown


def rounded(hours: pl.Expr, how: str) -> pl.Expr:
    """Hours as the rules round them."""
    return {
        "exact": hours,
        "minutes down": ((hours + _PRECISION) * 60).floor() / 60,
        "minutes up": ((hours - _PRECISION) * 60).ceil() / 60,
        "hours down": (hours + _PRECISION).floor(),
    }[how]


def earliest(frame, keys: Sequence[str]):
    """First row of each key by time, of several at one time the first by name; for eager and lazy tables."""
    order = ["time", *(name for name in ("service", "deployment") if name not in keys)]
    return frame.sort(order).unique(list(keys), keep="first", maintain_order=True)


def attribute_incidents(incidents: pl.DataFrame, candidates: pl.DataFrame, log: EventLog, rules: Rules) -> pl.DataFrame:
    """Incidents with the deployment to blame, as `Reading.incidents` has it.

    A source names a deployment by its id, of the same service if there is one, else of any that has it alone; or by a
    change, which stands for the first deployment that carried it. An incident is never blamed on a deployment that came
    with it or after it, unless its source says so.
    """
    columns = ["deployment", "service", "time"]
    named = incidents.filter(pl.col("named").is_not_null())
    found = _by_name(named, candidates, log, rules)
    latest = candidates.select(
        pl.col("time"), *(pl.col(name).alias(f"latest_{name}") for name in columns), *_scope(rules, pl.col("service"))
    )
    incidents = (
        incidents.with_columns(_scope(rules, pl.col("service")))
        .join(found, on=["service", "incident"], how="left")
        .sort("detected", "incident")
        .join_asof(
            latest,
            left_on="detected",
            right_on="time",
            by="scope",
            allow_exact_matches=False,
            check_sortedness=False,
            tolerance=f"{round(rules.attribution_hours * HOUR)}us" if "within" in rules.attribution else None,
        )
    )
    silent = pl.col("named").is_null()
    inferred = {
        "named": pl.lit(False),
        "latest": pl.lit(True),
        "within": pl.lit(True),
        "named, else latest": silent,
        "named, else within": silent,
        "named where any is": silent.all().over("source"),
    }[rules.attribution]
    blamed = [
        pl.when(inferred).then(f"latest_{name}").otherwise(f"named_{name}").alias(alias)
        for name, alias in zip(columns, ("deployment", "of_service", "blamed_time"), strict=True)
    ]
    said = pl.when(inferred).then(pl.lit("inferred")).otherwise(pl.lit("named")).alias("attributed")
    return incidents.select("service", "incident", "detected", "resolved", *blamed, said).with_columns(
        pl.when(pl.col("deployment").is_not_null()).then("attributed").alias("attributed")
    )


def _scope(rules: Rules, service: pl.Expr) -> list[pl.Expr]:
    return [(service if rules.attribution_scope == "service" else pl.lit("")).alias("scope")]


def _by_name(named: pl.DataFrame, candidates: pl.DataFrame, log: EventLog, rules: Rules) -> pl.DataFrame:
    """service and incident with named_deployment, named_service, named_time."""
    wanted = named.select("service", "incident", "named")
    targets = candidates.select(
        "service", pl.col("deployment").alias("named"), *_renamed(("deployment", "service", "time"))
    )
    own = wanted.join(targets, on=["service", "named"], how="inner")
    left = wanted.join(own, on=["service", "incident"], how="anti")
    alone = (
        targets.filter(pl.len().over("named") == 1).drop("service") if len(left) else targets.head(0).drop("service")
    )
    other = left.join(alone, on="named", how="inner")
    left = left.join(other, on=["service", "incident"], how="anti")
    parts = [own, other.select(own.columns)]
    if len(left):
        causes = left.lazy().select(pl.col("named").alias("change")).unique()
        carried = arrivals(log, rules).filter(~pl.col("attempt")).join(causes, on="change", how="semi")
        counted = candidates.lazy().select("service", "deployment")
        carried = carried.join(counted, on=["service", "deployment"], how="semi").collect(engine="streaming")
        carried = carried.select("service", "deployment", "time", pl.col("change").alias("named"))
        first = earliest(carried, ["named"]).select("named", *_renamed(("deployment", "service", "time")))
        parts.append(left.join(first, on="named", how="inner").select(own.columns))
    return pl.concat(parts).drop("named")


def _renamed(names: Sequence[str]) -> list[pl.Expr]:
    return [pl.col(name).alias(f"named_{name}") for name in names]


def _grouped_deployments(log: EventLog, rules: Rules) -> pl.LazyFrame:
    arrived = pl.when(~pl.col("attempt")).then("time").alias("arrived")
    return (
        arrivals(log, rules)
        .with_columns(arrived)
        .group_by("service", "deployment")
        .agg(
            pl.col("arrived").min(),
            pl.col("time").min(),
            (pl.col("change").n_unique() - pl.col("change").is_null().any()).cast(pl.Int64).alias("changes"),
            pl.col("cause").min(),
            pl.col("attempt").all(),
        )
        .with_columns(pl.coalesce("arrived", "time").alias("time"), pl.lit(False).alias("is_rollback"))
        .drop("arrived")
    )


def _rollback_events(log: EventLog, rules: Rules) -> pl.LazyFrame:
    return (
        log.events.filter((pl.col("type") == "service.rolledback") & in_production(rules))
        .group_by(pl.col("service").fill_null(""), pl.col("subject").alias("rollback"))
        .agg(pl.col("time").min().alias("taken"), pl.col("cause").min().alias("named"))
    )


def _incident_events(log: EventLog, rules: Rules) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    keys = (pl.col("service").fill_null(""), pl.col("subject").alias("incident"))
    # Trackers of incidents know no environments, so none is asked for: the rule is about deployments.
    here = in_production(rules) | pl.col("environment").is_null()
    detected = (
        log.events.filter((pl.col("type") == "incident.detected") & here)
        .group_by(keys)
        .agg(
            pl.col("time").min().alias("detected"),
            pl.col("time").max().alias("again"),
            pl.col("cause").min().alias("named"),
            pl.col("source").min(),
        )
    )
    resolved = log.events.filter(pl.col("type") == "incident.resolved").group_by(keys).agg(pl.col("time").max())
    return detected, resolved


def _incidents(detected: pl.DataFrame, resolved: pl.DataFrame) -> pl.DataFrame:
    """Detections with their last resolution; none for what was detected again after it and so is open."""
    bare = resolved.filter(pl.col("service") == "").select("incident", pl.col("time").alias("bare"))
    last = pl.max_horizontal("time", "bare")
    open_again = (pl.col("detected") <= last) & (last < pl.col("again"))
    return (
        detected.join(resolved, on=["service", "incident"], how="left")
        .join(bare, on="incident", how="left")
        .with_columns(pl.when(~open_again.fill_null(False)).then(last).alias("resolved"))
        .drop("time", "bare", "again")
    )


def _choose(deployments: pl.DataFrame, rollbacks: pl.DataFrame, log: EventLog, rules: Rules) -> pl.DataFrame:
    """Deployments that count under the rules."""
    if rules.attempts == "left out":
        deployments = deployments.filter(~pl.col("attempt"))
    if rules.changeless == "left out":
        deployments = deployments.filter(pl.col("changes") > 0)
    if rules.redeployments == "left out":
        carried = arrivals(log, rules).filter(pl.col("change").is_not_null() & ~pl.col("attempt"))
        fresh = earliest(carried, ["service", "change"]).select("service", "deployment").unique()
        fresh = fresh.collect(engine="streaming").with_columns(pl.lit(True).alias("fresh"))
        deployments = deployments.join(fresh, on=["service", "deployment"], how="left")
        deployments = deployments.filter(pl.col("fresh").fill_null(False) | (pl.col("changes") == 0)).drop("fresh")
    if rules.start == "left out":
        # A deployment without changes in a service whose deployments have some: what it began with, not a delivery.
        begun = earliest(deployments, ["service"]).filter(pl.col("changes") == 0).select("service", "deployment")
        others = deployments.filter(pl.col("changes") > 0).select("service").unique()
        begun = begun.join(others, on="service", how="semi")
        deployments = deployments.join(begun, on=["service", "deployment"], how="anti")
    if rules.rollbacks == "deployments":
        extra = rollbacks.select(
            "service",
            pl.col("rollback").alias("deployment"),
            pl.col("taken").alias("time"),
            pl.lit(0, dtype=pl.Int64).alias("changes"),
            pl.lit(None, dtype=pl.String).alias("cause"),
            pl.lit(False).alias("attempt"),
            pl.lit(True).alias("is_rollback"),
        )
        deployments = pl.concat([deployments, extra.select(deployments.columns)])
    if rules.same_day == "one":
        day = pl.col("time").dt.date().alias("day")
        deployments = deployments.sort("time", "deployment").with_columns(day)
        deployments = deployments.unique(["service", "day"], keep="last", maintain_order=True).drop("day")
    return deployments.sort("time", "service", "deployment")
