"""Logs small enough to work out by hand. Hours count from Monday, 5 January 2026, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from analysis.kpi.events import EventLog, build_events

T0 = datetime(2026, 1, 5, tzinfo=UTC)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def row(type_: str, hours: float, subject: str, **columns) -> dict:
    """An event; changes carry themselves, everything else is in production unless said."""
    own = {"change": subject} if type_.startswith("change.") else {"environment": "production"}
    number = f"{type_} {subject} {columns.get('change', '')} {hours}"
    return (
        {"source": "log", "id": number, "time": at(hours), "type": type_, "subject": subject, "service": "shop"}
        | own
        | columns
    )


def log_of(*rows: dict, weeks: float | None = 4) -> EventLog:
    """A log over the given weeks from T0; None: from its first event to its last."""
    end = None if weeks is None else T0 + timedelta(weeks=weeks)
    return EventLog(build_events(rows).lazy(), name="worked", begin=None if weeks is None else T0, end=end)


def ten_rows() -> list[dict]:
    """Three changes, three deployments, two incidents.

    c1: committed 0, merged 20, deployed by d1 at 24                 24 h from commit, 4 h from merge
    c2: committed 24, deployed by d2 at 72                           48 h
    i1: detected 74, blamed on d2, resolved 80                       6 h, or 8 h from the deployment
    c3: committed 76, deployed by d3 at 78, which remedies i1        2 h
    i2: detected 100, blamed on nothing, still open at 672 (4 weeks) 572 h and counting
    """
    return [
        row("change.committed", 0, "c1"),
        row("change.merged", 20, "c1"),
        row("service.deployed", 24, "d1", change="c1"),
        row("change.committed", 24, "c2"),
        row("service.deployed", 72, "d2", change="c2", outcome="success"),
        row("incident.detected", 74, "i1", cause="d2"),
        row("incident.resolved", 80, "i1"),
        row("change.committed", 76, "c3"),
        row("service.deployed", 78, "d3", change="c3", cause="i1"),
        row("incident.detected", 100, "i2"),
    ]


def records(frame: pl.LazyFrame, key: str) -> dict[str, dict]:
    """Rows of a collected table by their name."""
    return {item[key]: item for item in frame.collect().to_dicts()}
