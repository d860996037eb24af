"""Events from changes, attempts and incidents, each with the file and record that it stands in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from analysis.kpi.events import LINES, EventLog, build_events
from analysis.kpi.sources.matching import Attempt, Carried, Change, Incident
from analysis.kpi.sources.records import Ledger, Record


class EventRows:
    """Rows of the event table under way."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.rows: list[dict[str, Any]] = []
        self.lines: list[tuple[Any, ...]] = []

    def add(
        self, at: Record, id: str, time: datetime | None, type: str, subject: str, service: str | None, **more: Any
    ) -> None:
        """Add a row; nothing without a time, which is said where it was read."""
        if time is not None:
            row = {"source": self.source, "id": id, "time": time, "type": type, "subject": subject, "service": service}
            self.rows.append(row | more)
            self.lines.append((self.source, id, time, type, subject, at.file, at.number))

    def add_story(
        self, attempts: Iterable[Attempt], changes: Iterable[Change], incidents: Iterable[Incident], carried: Carried
    ) -> None:
        """Add changes, deployments, rollbacks and incidents.

        A deployment remedies an incident (its cause) if it carries a change that closes it, and came after it began.
        """
        incidents = list(incidents)
        detected = {incident.id: incident.detected for incident in incidents if incident.detected}
        closed: dict[str, list[str]] = {}
        for change in changes:
            self._add_change(change)
            closed[change.id] = [issue for issue in change.closes if issue in detected]
        for attempt in attempts:
            there = (issue for change in carried.changes.get(attempt.id, ()) for issue in closed.get(change, ()))
            remedied = next((issue for issue in there if detected[issue] <= attempt.time), None)
            self._add_attempt(attempt, carried, remedied)
        for incident in incidents:
            about = {"service": incident.service, "environment": incident.environment}
            at, id = incident.at, f"incident {incident.id}"
            times = incident.detected, incident.resolved
            self.add(at, f"{id} detected", times[0], "incident.detected", incident.id, cause=incident.cause, **about)
            self.add(at, f"{id} resolved", times[1], "incident.resolved", incident.id, **about)

    def _add_change(self, change: Change) -> None:
        id, at, about = change.id, change.at, {"service": change.service, "change": change.id}
        self.add(at, f"{id} committed", change.committed, "change.committed", id, **about)
        self.add(at, f"{id} created", change.created, "change.created", id, **about)
        for review in change.reviews:
            self.add(review.at, review.id, review.time, "change.reviewed", id, outcome=review.outcome, **about)
        self.add(at, f"{id} merged", change.merged, "change.merged", id, **about)
        if change.merged is None:
            self.add(at, f"{id} abandoned", change.abandoned, "change.abandoned", id, **about)

    def _add_attempt(self, attempt: Attempt, carried: Carried, remedied: str | None) -> None:
        about = {"service": attempt.service, "environment": attempt.environment, "outcome": attempt.outcome}
        at, id, time = attempt.at, f"deployment {attempt.id}", attempt.time
        if attempt.id in carried.takes_back:
            cause = carried.takes_back[attempt.id]
            self.add(at, id, time, "service.rolledback", f"rollback {attempt.id}", cause=cause, **about)
            return
        for change in carried.changes.get(attempt.id) or (None,):
            self.add(at, id, time, "service.deployed", attempt.id, change=change, cause=remedied, **about)

    def build_log(
        self, ledger: Ledger, name: str, span: tuple[datetime | None, datetime | None], about: Mapping[str, Any]
    ) -> EventLog:
        """The log of all rows added."""
        lines = pl.DataFrame(self.lines, schema=LINES, orient="row").unique(maintain_order=True)
        events = build_events(self.rows).lazy()
        return EventLog(events, ledger.table(), name, span[0], span[1], about, lines)


def check_attempts(attempts: Sequence[Attempt], names: Mapping[str, int], ledger: Ledger) -> None:
    """Report when no deployment goes to production, with the environments that there are."""
    if attempts and all(attempt.environment not in ("production", None) for attempt in attempts):
        known = ", ".join(f"{name} ({count})" for name, count in sorted(names.items()))
        ledger.report(
            None, "", "no production", f"no deployment goes to production; environments: {known}", "kept",
            "say production=[…] with the names or patterns of yours",
        )  # fmt: skip
