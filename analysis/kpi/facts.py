"""Changes, deployments and incidents of an event log: one row each, under stated rules.

The log is long, one row for each event and change, and sources overlap and repeat themselves. Here every change,
deployment, incident, recovery and lead time becomes one row, whatever the order of the rows and however often an event
was delivered. A change is its service and id; events of a change that name no service, or another than deployed it,
belong to whichever service did.
"""

from __future__ import annotations

import polars as pl

from analysis.kpi.events import EventLog
from analysis.kpi.reading import HOUR, Reading, arrivals, compute_span, earliest, read_log, rounded
from analysis.kpi.rules import Rules

LEAD_FIELDS = (
    "production",
    "unknown_environment",
    "window_months",
    "lead_start",
    "lead_unit",
    "lead_first",
    "lead_rounding",
)
"""Fields of the rules that `compute_lead_times` looks at."""

_TIMES = {"committed": "change.committed", "created": "change.created", "merged": "change.merged"}


def compute_changes(log: EventLog, rules: Rules) -> pl.LazyFrame:
    """One row for each change and service that it belongs to or was deployed to.

    Returns
    -------
    LazyFrame
        ``change``, ``service``, ``committed``, ``created``, ``merged`` (first time of each; null where not in the log),
        ``deployed`` (first arrival in production; null if none) and ``deployment``, that arrival's id. Changes deployed
        before the window of the rules are left out; with ``lead_first="left out"`` those of a service's first
        deployment count as not deployed.
    """
    carried = arrivals(log, rules).filter(~pl.col("attempt"))
    first = earliest(carried.filter(pl.col("change").is_not_null()), ["service", "change"])
    first = first.select("service", "change", pl.col("time").alias("deployed"), "deployment")
    if rules.lead_first == "left out":
        begun = carried.group_by("service").agg(pl.col("time").min().alias("begun"))
        first = first.join(begun, on="service").filter(pl.col("deployed") > pl.col("begun")).drop("begun")
    whole = _change_times(log).join(first, on=["service", "change"], how="full", coalesce=True)
    # Collected here, since it is looked at several times and a lazy table would be computed anew for each.
    whole = whole.collect(engine="streaming").lazy()
    changes = _unname(_window(_borrow_times(whole), log, rules, pl.col("deployed"), undated=True))
    return changes.select("change", "service", *_TIMES, "deployed", "deployment")


def compute_lead_times(log: EventLog, rules: Rules) -> pl.LazyFrame:
    """Lead times under the rules, not yet rounded or chosen from.

    Returns
    -------
    LazyFrame
        ``service``, ``change``, ``deployment``, ``time`` (deployed), ``lead_h`` (from the start that the rules name)
        and ``merge_h`` (from the merge); null where the log has no such start. Negative where a log contradicts itself.
    """
    changes = compute_changes(log, rules)
    if rules.lead_unit == "change and deployment":
        every = arrivals(log, rules).filter(pl.col("change").is_not_null() & ~pl.col("attempt"))
        every = every.group_by("service", "deployment", "change").agg(pl.col("time").min().alias("deployed"))
        every = _unname(_window(every, log, rules, pl.col("deployed")))
        times = changes.drop("deployed", "deployment")
        changes = every.join(times, on=["service", "change"], how="left", nulls_equal=True)
    deployed = changes.filter(pl.col("deployed").is_not_null())

    def span(late: str, early: str) -> pl.Expr:
        return (pl.col(late) - pl.col(early)).dt.total_microseconds() / HOUR

    if rules.lead_start == "stages":
        # computeTimeSpan rounds each stage and gives nothing for one of negative length, and nothing adds nothing.
        coding = pl.coalesce(span("created", "committed"), span("merged", "committed"))
        stages = [coding, span("merged", "created"), span("deployed", "merged")]
        added = pl.sum_horizontal(pl.when(stage >= 0).then(rounded(stage, rules.lead_rounding)) for stage in stages)
        lead = pl.when(pl.col("merged").is_not_null()).then(added)
    else:
        starts = {"commit": "committed", "created": "created", "merge": "merged"}
        lead = span("deployed", starts[find_lead_start(log, rules)])
    merge = span("deployed", "merged")
    return deployed.select(
        "service",
        "change",
        "deployment",
        pl.col("deployed").alias("time"),
        lead.alias("lead_h"),
        merge.alias("merge_h"),
    )


def find_lead_start(log: EventLog, rules: Rules) -> str:
    """What lead times start from under the rules: "commit", "created", "merge" or "stages"."""
    if rules.lead_start != "commit, else created":
        return rules.lead_start
    commits = log.events.filter(pl.col("type") == "change.committed").select("type").head(1)
    return "created" if commits.collect(engine="streaming").is_empty() else "commit"


def compute_deployments(log: EventLog | Reading, rules: Rules) -> pl.LazyFrame:
    """One row for each deployment that counts.

    Returns
    -------
    LazyFrame
        ``deployment``, ``service``, ``time``, ``changes`` (known ones), ``failed``, ``rework`` (by the rules it
        remedies something), ``rolled_back``, ``failed_by`` (incident or rollback that makes it failed; null if
        neither), ``incidents`` (attributed to it) and ``attempt`` (it never got into production).
    """
    reading = _read(log, rules)
    keys = ["service", "deployment"]
    blamed = (
        reading.incidents.lazy()
        .filter(pl.col("deployment").is_not_null())
        .group_by(pl.col("of_service").alias("service"), "deployment")
        .agg(pl.len().cast(pl.Int64).alias("incidents"), pl.col("incident").min())
    )
    taken = (
        reading.rollbacks.lazy().filter(pl.col("deployment").is_not_null()).group_by(keys).agg(pl.col("rollback").min())
    )
    known = reading.incidents.lazy().select(pl.col("incident").alias("cause")).unique()
    known = known.with_columns(pl.lit(True).alias("remedy"))
    deployments = (
        reading.deployments.lazy()
        .join(blamed, on=keys, how="left")
        .join(taken, on=keys, how="left")
        .join(known, on="cause", how="left")
        .with_columns(pl.col("incidents").fill_null(0), pl.col("rollback").is_not_null().alias("rolled_back"))
    )
    reasons = {"incident": pl.col("incidents") > 0, "rollback": pl.col("rolled_back"), "attempt": pl.col("attempt")}
    failed = pl.any_horizontal(pl.lit(False), *(reasons[name] for name in rules.failure))
    by = [pl.col(name) for name in ("incident", "rollback") if name in rules.failure]
    remedy = (
        pl.col("remedy").fill_null(False) if rules.rework == "remedies an incident" else pl.col("cause").is_not_null()
    )
    deployments = deployments.with_columns(
        failed.alias("failed"),
        (remedy | pl.col("is_rollback")).alias("rework"),
        pl.coalesce(*by, pl.lit(None, dtype=pl.String)).alias("failed_by"),
    )
    columns = ("time", "changes", "failed", "rework", "rolled_back", "failed_by", "incidents", "attempt")
    return _unname(_window(deployments, reading, rules, pl.col("time"))).select("deployment", "service", *columns)


def compute_incidents(log: EventLog | Reading, rules: Rules) -> pl.LazyFrame:
    """One row for each incident that was detected in production.

    Returns
    -------
    LazyFrame
        ``incident``, ``service``, ``detected``, ``resolved`` (last resolution; null while open), ``deployment`` (the
        one to blame, by the rules; null if none), ``attributed`` ("named" by the source, or "inferred"), ``hours`` of
        recovery and ``restore_hours`` of restoring service, both up to the resolution or to the end of the log where
        ``censored``; null where they would start at a deployment and there is none to blame.
    """
    reading = _read(log, rules)
    stop = pl.coalesce("resolved", pl.lit(reading.end))
    begins = {
        "detected": pl.col("detected"),
        "deployment": pl.col("blamed_time"),
        "earlier": pl.min_horizontal("detected", "blamed_time"),
    }
    starts = {"hours": rules.recovery_start, "restore_hours": rules.restore_start}
    incidents = reading.incidents.lazy().with_columns(
        *(((stop - begins[start]).dt.total_microseconds() / HOUR).alias(name) for name, start in starts.items()),
        pl.col("resolved").is_null().alias("censored"),
    )
    columns = ("detected", "resolved", "deployment", "attributed", "hours", "restore_hours", "censored")
    return _unname(_window(incidents, reading, rules, pl.col("detected"))).select("incident", "service", *columns)


def compute_recoveries(log: EventLog | Reading, rules: Rules) -> pl.LazyFrame:
    """Recoveries from failed deployments: incidents with one to blame and, by the rules, rollbacks without incident.

    Returns
    -------
    LazyFrame
        ``service``, ``deployment``, ``detected`` (for a rollback when its deployment came), ``hours``, ``censored``.
    """
    reading = _read(log, rules)
    columns = ("service", "deployment", "detected", "hours", "censored")
    incidents = compute_incidents(reading, rules).filter(pl.col("deployment").is_not_null()).select(columns)
    if rules.recovery_rollbacks == "left out":
        return incidents
    keys = ["service", "deployment"]
    blamed = reading.incidents.lazy().select(pl.col("of_service").alias("service"), "deployment")
    taken = (
        reading.rollbacks.lazy()
        .group_by(keys)
        .agg(pl.col("taken").min())
        .join(reading.deployments.lazy().filter(~pl.col("is_rollback")), on=keys, how="inner")
        .join(blamed, on=keys, how="anti")
        .with_columns(
            pl.col("time").alias("detected"),
            ((pl.col("taken") - pl.col("time")).dt.total_microseconds() / HOUR).alias("hours"),
            pl.lit(False).alias("censored"),
        )
    )
    return pl.concat([incidents, _unname(_window(taken, reading, rules, pl.col("detected"))).select(columns)])


def _read(log: EventLog | Reading, rules: Rules) -> Reading:
    return log if isinstance(log, Reading) else read_log(log, rules)


def _change_times(log: EventLog) -> pl.LazyFrame:
    """First commit, proposal and merge of each service and change."""
    return (
        log.events.filter(pl.col("type").is_in(list(_TIMES.values())))
        .with_columns(pl.col("service").fill_null(""), pl.coalesce("change", "subject").alias("change"))
        .with_columns(pl.when(pl.col("type") == kind).then("time").alias(name) for name, kind in _TIMES.items())
        .group_by("service", "change")
        .agg(pl.col(name).min() for name in _TIMES)
    )


def _borrow_times(whole: pl.LazyFrame) -> pl.LazyFrame:
    """A change deployed to a service of which its own events do not speak takes the times of the one they speak of."""
    timeless = pl.all_horizontal(pl.col(name).is_null() for name in _TIMES)
    order = ["service", "change", *_TIMES, "deployed", "deployment"]
    lacking = whole.filter(timeless)
    spare = whole.filter(~timeless & pl.col("deployed").is_null())
    given = (
        spare.join(lacking.select("change").unique(), on="change", how="semi")
        .group_by("change")
        .agg(pl.len().alias("many"), *(pl.col(name).min() for name in _TIMES))
        .filter(pl.col("many") == 1)  # two services speak of a change of that id: they are two changes
        .drop("many")
    )
    return pl.concat(
        [
            whole.filter(~timeless & pl.col("deployed").is_not_null()).select(order),
            spare.join(given, on="change", how="anti").select(order),
            lacking.drop(*_TIMES).join(given, on="change", how="left").select(order),
        ]
    )


def _window(
    frame: pl.LazyFrame, log: EventLog | Reading, rules: Rules, when: pl.Expr, *, undated: bool = False
) -> pl.LazyFrame:
    """Only what happened in the window of the rules; ``undated`` rows stay if asked for."""
    if rules.window_months is None:
        return frame
    end = log.end if isinstance(log, Reading) else compute_span(log)[1]
    inside = when > pl.lit(end).dt.offset_by(f"-{rules.window_months}mo")
    return frame.filter(inside | when.is_null() if undated else inside)


def _unname(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Services without name are null again."""
    return frame.with_columns(pl.when(pl.col("service") != "").then("service").alias("service"))
