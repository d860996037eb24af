"""The event log: a table of events as `analysis.base.schemas.EVENTS` says, with the span that it covers.

Every source gives one, every metric takes one. The table is lazy, so that a log of ten million events in Parquet
is never read whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.base.schemas import EVENTS
from analysis.kpi.findings import build_findings

_DTYPES = {"string": pl.String, "Float64": pl.Float64, "datetime64": pl.Datetime("us", "UTC")}

SCHEMA: dict[str, pl.DataType] = {
    name: _DTYPES[str(column.dtype).partition("[")[0]] for name, column in EVENTS.columns.items()
}
"""Column → Polars type."""

KEY = EVENTS.key

OUTCOMES = ("success", "failure")

PRODUCTION = ("production", "prod")
"""Names of the production environment, in lower case."""

LINES: dict[str, pl.DataType] = {
    **{name: SCHEMA[name] for name in ("source", "id", "time", "type", "subject")},
    "file": pl.String(),
    "line": pl.Int64(),
}
"""Columns of `EventLog.lines`."""


@dataclass(frozen=True, slots=True)
class EventLog:
    """Events with what is known about them.

    Attributes
    ----------
    events : LazyFrame
        Columns of `SCHEMA`. Nulls where a column says nothing; never empty text.
    findings : DataFrame
        What the source could not read or take as it stood (`analysis.kpi.findings.COLUMNS`).
    name : str
        What the log is about, as figures and pages print it.
    begin, end : datetime or None
        Span in which everything was observed, with zone; None: from the first to the last event. Rates are per
        time of this span, and what is still open at its end is censored there.
    about : mapping
        What else the source knows: commit, version, rules applied.
    lines : DataFrame or None
        Where each event stands (columns of `LINES`), for sources that are files of lines. Without it, the line of
        an event is the row of the table that it stands in, from 1.
    """

    events: pl.LazyFrame
    findings: pl.DataFrame = field(default_factory=build_findings)
    name: str = ""
    begin: datetime | None = None
    end: datetime | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    lines: pl.DataFrame | None = None


def build_events(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A table of events from rows that name only the columns they fill; times with zone.

    Raises
    ------
    InputError
        A column that no event table has, or a time without zone.
    """
    problems = []
    for number, row in enumerate(rows, start=1):
        unknown = [name for name in row if name not in SCHEMA]
        if unknown:
            what = f"unknown columns: {', '.join(map(repr, unknown))}"
            problems.append(Problem(f"row {number}", what, f"one of: {', '.join(SCHEMA)}"))
        time = row.get("time")
        if isinstance(time, datetime) and time.tzinfo is None:
            problems.append(Problem(f"row {number}", f"the time {time} has no zone", "give a time with its zone"))
    if problems:
        raise InputError("These rows are no events.", problems)
    return pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in rows], schema=SCHEMA, orient="row")


def conform_events(events: pl.LazyFrame, where: str = "the table of events") -> pl.LazyFrame:
    """The columns of `SCHEMA`, in their order and types; what is stored otherwise but says the same is converted.

    Times in other zones and units become UTC in microseconds; categories become text; whole numbers become
    fractional ones. Columns of an event table that are missing and may be empty are added, empty.

    Raises
    ------
    InputError
        A column that must not be empty is missing, one is not known, or one has a type that cannot be converted:
        all listed. Times without zone are refused, never guessed.
    """
    found = events.collect_schema()
    problems = [
        Problem(f"{where}, column '{name}'", "no event table has it", f"drop or rename it; known: {', '.join(SCHEMA)}")
        for name in found
        if name not in SCHEMA
    ]
    columns = []
    for name, wanted in SCHEMA.items():
        place = f"{where}, column '{name}'"
        dtype = found.get(name)
        if dtype is None:
            if not EVENTS.columns[name].nullable:
                problems.append(Problem(place, "it is missing", "every event has one"))
            columns.append(pl.lit(None, wanted).alias(name))
        elif dtype == wanted:
            columns.append(pl.col(name))
        elif dtype == pl.Null or _fits(dtype, wanted):
            # A time in another zone is the same moment: the cast keeps it.
            columns.append(pl.col(name).cast(wanted))
        elif isinstance(dtype, pl.Datetime) and wanted == SCHEMA["time"]:
            remedy = "say which zone they are in: replace_time_zone('Europe/Berlin') in Polars, `zone:` in a mapping"
            problems.append(Problem(place, "its times have no zone", remedy))
        else:
            problems.append(Problem(place, f"expected {wanted}, got {dtype}", "convert it, or give a mapping"))
    if problems:
        raise InputError(f"{where[:1].upper()}{where[1:]} does not hold what an event table holds.", problems)
    return events.select(columns)


def merge_logs(logs: Sequence[EventLog], name: str = "") -> EventLog:
    """Several logs as one: what they hold together, over the span from the first begin to the last end.

    The span is known only where every log's is. ``about`` lists that of each log under ``"logs"``. To read parts
    of one log that was cut up, give their folder to the source: what happens in one part may explain the other.
    """
    if not logs:
        raise InputError("There is nothing to merge.", [Problem("logs", "no log was given", "give one or more")])
    begins, ends = [log.begin for log in logs], [log.end for log in logs]
    lines = [log.lines for log in logs]
    return EventLog(
        pl.concat([conform_events(log.events) for log in logs]),
        pl.concat([log.findings for log in logs]),
        name or " + ".join(dict.fromkeys(log.name for log in logs if log.name)),
        min(begins) if None not in begins else None,  # type: ignore[type-var]
        max(ends) if None not in ends else None,  # type: ignore[type-var]
        {"logs": [dict(log.about) for log in logs]},
        pl.concat(lines) if None not in [None if part is None else 0 for part in lines] else None,
    )


def in_production(names: Sequence[str] = PRODUCTION) -> pl.Expr:
    """Whether an event is about production: its environment is one of ``names`` in any case, or not known."""
    known = pl.col("environment").is_null()
    return known | pl.col("environment").str.to_lowercase().is_in([name.lower() for name in names])


def _fits(dtype: pl.DataType, wanted: pl.DataType) -> bool:
    if wanted == pl.String:
        return isinstance(dtype, pl.Categorical | pl.Enum) or dtype.is_integer()
    if wanted == pl.Float64:
        return dtype.is_numeric()
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
