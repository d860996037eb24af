"""A part of an event log: some services, or a stretch of time, with what has to be known of the time before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.kpi.events import EventLog
from analysis.kpi.reading import compute_span
from analysis.kpi.sources.git_table import cut_table


def cut_log(log: EventLog, begin: datetime | None = None, end: datetime | None = None) -> EventLog:
    """What happened from ``begin`` on and before ``end``, watched in that stretch only.

    Of the time before it keeps the events of changes that were merged or deployed in the stretch, so that lead times
    are whole, and each service's last observation, whose state holds when the stretch begins. A change that was first
    deployed before is not deployed again; an incident detected before is not in it; one resolved after ``end`` is
    open. Findings remain those of the whole log.

    Raises
    ------
    InputError
        A time without zone, a stretch that ends before it begins, or one outside the log.
    """
    if begin is None and end is None:
        return log
    first, last = compute_span(log)
    problems = [
        Problem(name, f"{moment} has no zone", "give one")
        for name, moment in (("begin", begin), ("end", end))
        if moment is not None and moment.tzinfo is None
    ]
    if not problems:
        span = f"the log runs from {first:%Y-%m-%d} to {last:%Y-%m-%d}"
        if begin is not None and end is not None and end <= begin:
            problems.append(Problem("end", f"{end:%Y-%m-%d} is not after {begin:%Y-%m-%d}", "exchange them"))
        if begin is not None and begin >= last:
            problems.append(Problem("begin", f"nothing was watched from {begin:%Y-%m-%d} on", span))
        if end is not None and end <= first:
            problems.append(Problem("end", f"nothing was watched before {end:%Y-%m-%d}", span))
    if problems:
        raise InputError("The log cannot be cut.", problems)
    events = log.events.collect(engine="streaming")
    kept = cut_table(events, begin, end)
    if begin is not None:
        before = events.filter((pl.col("type") == "observation.recorded") & (pl.col("time") < begin))
        states = before.sort("time").unique(["service", "environment"], keep="last", maintain_order=True)
        kept = pl.concat([states, kept])
    begin, end = max(begin or first, first), min(end or last, last)
    return replace(log, events=kept.lazy(), begin=begin, end=end)


def choose_services(log: EventLog, names: Sequence[str]) -> EventLog:
    """Only what these services did, and what names no service, over the same span.

    Raises
    ------
    InputError
        A service that the log does not have; those that it has are named.
    """
    begin, end = compute_span(log)
    known = log.events.select(pl.col("service").drop_nulls().unique().sort()).collect()["service"].to_list()
    wrong = [name for name in names if name not in known]
    if wrong:
        some = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
        remedy = f"services: {some}" if known else "its events name no service"
        raise InputError("No such service.", [Problem(f"service '{name}'", "not in the log", remedy) for name in wrong])
    inside = pl.col("service").is_in(list(names)) | pl.col("service").is_null()
    return replace(log, events=log.events.filter(inside), begin=begin, end=end)
