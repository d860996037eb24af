"""What in an event log contradicts itself, or leaves a question open: orders, references, and what is missing.

Every function takes the condensed table and gives rows of `OFFENCES`. First times are compared: a change that was
merged, taken back and merged again was merged the first time. A subject is its service and id; events that name no
service are about that of any, because several systems may speak of one subject.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analysis.kpi.condensed import CODES

OFFENCES: dict[str, pl.DataType] = {"row": pl.UInt32(), "offence": pl.String(), "than": pl.Int64()}
"""A row, what is wrong with it, and the time of the event that it contradicts, in microseconds."""

_CHANGE_TIMES = ("change.committed", "change.created", "change.merged")
_MERGE_ORDERS = (("change.merged", "change.created"), ("change.merged", "change.committed"))
_DEPLOYMENT_ORDERS = (("service.deployed", "change.merged"), ("service.deployed", "change.committed"))
_CHANGE = pl.coalesce("change", pl.when(pl.col("code") != CODES["service.deployed"]).then("subject")).alias("change")
_KEY = (_CHANGE ^ pl.col("service").fill_null(0)).alias("key")
_PAIRS = (
    ("incident.resolved", "incident.detected"),
    ("training.finished", "training.started"),
    ("degradation.ended", "degradation.started"),
)
_NEEDS_A_START = ("incident.resolved", "degradation.ended")  # a log of nothing but finished trainings is a good one


def find_contradictions(rows: pl.DataFrame) -> pl.DataFrame:
    """All of `OFFENCES` in the condensed table, repeated events taken out."""
    parts = [*_wrong_orders(rows)]
    for ended, started in _PAIRS:
        parts += _wrong_pairs(rows, ended, started)
    parts += [_without_changes(rows), *_wrong_causes(rows)]
    return pl.concat(part.select(pl.col(name).cast(dtype) for name, dtype in OFFENCES.items()) for part in parts)


def _wrong_orders(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Changes that were merged before they existed, or were in production before they were merged."""
    keyed = rows.lazy().select("time", "code", "production", "failed", _CHANGE, _KEY)
    own = keyed.filter(pl.col("code").is_in([CODES[name] for name in _CHANGE_TIMES]))
    times = own.select("key", *_times(_CHANGE_TIMES)).group_by("key").agg(pl.all().min()).collect().lazy()
    arrived = (pl.col("code") == CODES["service.deployed"]) & pl.col("production") & ~pl.col("failed")
    firsts = keyed.filter(arrived & pl.col("change").is_not_null()).group_by("key")
    # Events of a change that name no service belong to whichever service deployed it; the key is then the change.
    deployed = (
        firsts.agg(pl.col("change").first(), pl.col("time").min().alias("service.deployed"))
        .join(times, on="key", how="left")
        .join(times, left_on="change", right_on="key", how="left", suffix=" anywhere")
        .with_columns(pl.coalesce(name, f"{name} anywhere").alias(name) for name in _CHANGE_TIMES)
    )
    found = []
    for table, orders in ((times, _MERGE_ORDERS), (deployed, _DEPLOYMENT_ORDERS)):
        against = table.filter(
            pl.any_horizontal(pl.col(later) < pl.col(earlier) for later, earlier in orders)
        ).collect()
        for later, earlier in orders:
            wrong = against.filter(pl.col(later) < pl.col(earlier)).select("key", time=later, than=earlier)
            at = rows.lazy().filter(pl.col("code") == CODES[later]).select("row", "time", _KEY)
            found.append(_rows_at(at, wrong, f"{later} before {earlier}"))
    return found


def _wrong_pairs(rows: pl.DataFrame, ended: str, started: str) -> list[pl.DataFrame]:
    """Ends before their start, ends without one, and starts without an end."""
    nameless = pl.col("service").is_null().any().over("subject")
    own = rows.filter(pl.col("code").is_in([CODES[ended], CODES[started]]))
    own = own.with_columns(key=pl.when(nameless).then("subject").otherwise(pl.col("subject") ^ pl.col("service")))
    spans = (
        own.select("key", *_times([ended, started]))
        .group_by("key")
        .agg(pl.all().min(), pl.col(ended).max().alias("last end"), pl.col(started).max().alias("last start"))
    )
    ends, starts = (own.filter(pl.col("code") == CODES[name]) for name in (ended, started))
    wrong = spans.filter(pl.col(ended) < pl.col(started)).select("key", time=ended, than=started)
    found = [_rows_at(ends.lazy(), wrong, f"{ended} before {started}")]
    if ended in _NEEDS_A_START:
        orphans = spans.filter(pl.col(started).is_null()).select("key", time=ended, than=None)
        offence = pl.lit(f"{ended} without {started}")
        found.append(ends.join(orphans, on="key").select("row", offence=offence, than=None))
    # Started again after its last end, it is open; one whose only end is before its start contradicts itself, no more.
    again = (pl.col("last end") < pl.col("last start")) & (pl.col("last end") >= pl.col(started))
    no_end = pl.col("last end").is_null() | again
    still = spans.filter(no_end & pl.col("last start").is_not_null()).select("key", time="last start", than=None)
    return [*found, _rows_at(starts.lazy(), still, f"{started} still open")]


def _without_changes(rows: pl.DataFrame) -> pl.DataFrame:
    """Deployments none of whose rows names a change; the first of a service whose later ones do is its start."""
    deployed = rows.filter(pl.col("code") == CODES["service.deployed"])
    silent = deployed.filter(pl.col("change").is_null())
    silent = silent.join(deployed.filter(pl.col("change").is_not_null()), on="event", how="anti")
    arrived = deployed.filter(pl.col("production") & ~pl.col("failed"))
    begun = arrived.group_by("service").agg(pl.col("time").min(), pl.col("change").is_not_null().any().alias("start"))
    silent = silent.join(begun, on=["service", "time"], how="left", nulls_equal=True)
    start = pl.col("start").fill_null(False) & pl.col("production") & ~pl.col("failed")
    offence = pl.when(start).then(pl.lit("start without changes")).otherwise(pl.lit("deployment without changes"))
    return silent.select("row", offence=offence, than=None)


def _wrong_causes(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Incidents and rollbacks that name no deployment, one that is not there, or one that came later."""
    deployed = rows.lazy().filter(pl.col("code") == CODES["service.deployed"])
    # A source may blame a change, such as the commit at the root of it, instead of the deployment that carried it.
    deployed = pl.concat([deployed.select(cause=name, than="time") for name in ("subject", "change")])
    found = []
    for name, short in (("incident.detected", "incident"), ("service.rolledback", "rollback")):
        own = rows.filter(pl.col("code") == CODES[name])
        # A second report of an incident need not say again what caused it, and a rollback is one row a change.
        first = own.group_by("subject").agg(pl.col("row", "time", "cause").min())
        known = (
            first.lazy()
            .join(deployed, on="cause", how="left")
            .group_by("row", "time", "cause")
            .agg(pl.col("than").min())
            .collect()
        )
        silent = known.filter(pl.col("cause").is_null())
        found.append(silent.select("row", offence=pl.lit(f"{short} without deployment"), than=None))
        unknown = known.filter(pl.col("cause").is_not_null() & pl.col("than").is_null())
        found.append(unknown.select("row", offence=pl.lit(f"{short} of unknown deployment"), than=None))
        early = known.filter(pl.col("time") < pl.col("than"))
        found.append(early.select("row", offence=pl.lit(f"{name} before service.deployed"), than="than"))
    return found


def _times(names: Sequence[str]) -> list[pl.Expr]:
    """A column a type: the time where a row is of this type."""
    return [pl.when(pl.col("code") == CODES[name]).then("time").alias(name) for name in names]


def _rows_at(rows: pl.LazyFrame, wrong: pl.DataFrame, offence: str) -> pl.DataFrame:
    """The first row of each ``key`` at its ``time``."""
    if wrong.is_empty():
        return pl.DataFrame(schema=OFFENCES)
    found = rows.join(wrong.lazy(), on=["key", "time"]).group_by("key").agg(pl.col("row").min(), pl.col("than").first())
    return found.select("row", offence=pl.lit(offence), than="than").collect()
