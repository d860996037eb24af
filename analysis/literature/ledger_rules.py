"""What a screening ledger must not contain: the rules of `analysis.literature.ledger`, row by row and case by case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd

from analysis.base.errors import Problem

READING, ADJUDICATION = "reading", "adjudication"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision, as a case needs it."""

    reviewer: str
    decision: str
    reason: str | None
    day: str
    place: Place


@dataclass(slots=True)
class Case:
    """One record at one stage: who is to read it, who did, and who settled it."""

    record: str
    stage: str
    assigned: list[str] = field(default_factory=list)
    readings: list[Entry] = field(default_factory=list)
    adjudications: list[Entry] = field(default_factory=list)

    def add(self, row: Any, place: Place) -> None:
        """Take up a row of the ledger."""
        reason = None if pd.isna(row.reason) else str(row.reason)
        entry = Entry(row.reviewer, row.decision, reason, row.date, place)
        (self.readings if row.role == READING else self.adjudications).append(entry)

    @property
    def disputed(self) -> bool:
        """Whether the readings differ, or one is unsure."""
        decisions = {entry.decision for entry in self.readings}
        return len(decisions) > 1 or "unsure" in decisions

    @property
    def adjudicated(self) -> bool:
        return bool(self.adjudications)

    def missing(self) -> list[str]:
        """Reviewers who were to read it and did not decide."""
        done = {entry.reviewer for entry in self.readings}
        return sorted(set(self.assigned) - done)

    def times(self) -> int:
        """How often the case was decided: 0 while a decision is missing, 2 where one was entered twice."""
        if self.missing() or not self.readings or (self.disputed and not self.adjudications):
            return 0
        each = Counter(entry.reviewer for entry in self.readings)
        return max([*each.values(), len(self.adjudications)])

    def settle(self, precedence: Mapping[tuple[str, str], int]) -> tuple[str, str | None]:
        """Outcome (``include``, ``exclude``, ``open``) and the reason of an exclusion."""
        if self.missing() or not self.readings:
            return "open", None
        entries = self.adjudications if self.disputed else self.readings
        decisions = {entry.decision for entry in entries}
        if decisions == {"include"}:
            return "include", None
        if decisions != {"exclude"}:
            return "open", None
        reasons = [entry.reason for entry in entries if (entry.reason, self.stage) in precedence]
        return "exclude", min(reasons, key=lambda reason: precedence[reason, self.stage], default=None)


def find_row_faults(
    ledger: pd.DataFrame,
    where: Sequence[Place],
    arm_of: Mapping[str, str],
    plan: Mapping[str, tuple[str, ...]],
    precedence: Mapping[tuple[str, str], int],
) -> Iterator[Problem]:
    """What can be seen from one row: its record, stage, reason and day."""
    for row, place in zip(ledger.itertuples(), where, strict=True):
        yield from _place_faults(row, str(place), arm_of, plan)
        excluded, reason = row.decision == "exclude", row.reason
        if excluded and pd.isna(reason):
            yield Problem(str(place), f"'{row.record}' is excluded without a reason", "give its code")
        elif excluded and (reason, row.stage) not in precedence:
            known = ", ".join(code for code, stage in precedence if stage == row.stage) or "none is defined"
            yield Problem(str(place), f"unknown reason '{reason}' at stage {row.stage}", f"one of: {known}")
        elif not excluded and not pd.isna(reason):
            yield Problem(str(place), f"reason '{reason}' with decision '{row.decision}'", "reasons are for exclusions")
        if not _is_day(row.date):
            yield Problem(str(place), f"'{row.date}' is no day of the calendar", "write year-month-day")
        if row.role == ADJUDICATION and row.decision == "unsure":
            yield Problem(str(place), "an adjudication that is unsure", "an adjudication includes or excludes")


def find_reason_faults(reasons: pd.DataFrame) -> Iterator[Problem]:
    """Reasons of a stage to which they cannot belong."""
    source = reasons.attrs.get("source", "reasons")
    early = reasons[(reasons["kind"] == "not_retrieved") & (reasons["stage"] != "full_text")]
    for row in early.itertuples():
        what = f"'{row.reason}' is a text not retrieved, at stage {row.stage}"
        yield Problem(f"{source}:{row.Index}", what, "texts are retrieved for the stage full_text")


def find_assignment_faults(
    assignments: pd.DataFrame, arm_of: Mapping[str, str], plan: Mapping[str, tuple[str, ...]]
) -> Iterator[Problem]:
    """Assignments of unknown records, or at stages that the arm does not have."""
    source = assignments.attrs.get("source", "assignments")
    for row in assignments.itertuples():
        yield from _place_faults(row, f"{source}:{row.Index}", arm_of, plan)


def find_case_faults(case: Case, reached: bool, complete: bool) -> Iterator[Problem]:
    """What can be seen from all rows on one record at one stage.

    Parameters
    ----------
    case : Case
    reached : bool
        Whether the record came as far as this stage.
    complete : bool
        Whether missing decisions are faults.
    """
    name = f"record '{case.record}', {case.stage}"
    if not reached:
        for entry in [*case.readings, *case.adjudications]:
            what = f"{entry.reviewer} decides on '{case.record}' at {case.stage}, which it did not reach"
            yield Problem(str(entry.place), what, "an earlier stage excludes it or is not settled; correct one of them")
        if complete and case.assigned and not case.readings:
            yield Problem(name, f"is assigned to {', '.join(case.assigned)} without having come so far", "strike it")
        return
    yield from _repetitions(case)
    for entry in case.readings:
        if entry.reviewer not in case.assigned:
            what = f"{entry.reviewer} was not to read '{case.record}' at {case.stage}"
            yield Problem(str(entry.place), what, "correct the reviewer, or add the assignment")
    yield from _adjudication_faults(case)
    if not complete:
        return
    if not case.assigned:
        yield Problem(name, "nobody is to read it", "assign it")
    for reviewer in case.missing():
        yield Problem(name, f"no decision of {reviewer}", "it was assigned: enter the decision")
    if case.disputed and not case.missing() and not case.adjudications:
        said = ", ".join(f"{entry.reviewer} {entry.decision}" for entry in case.readings)
        yield Problem(name, f"disagreement or doubt without adjudication ({said})", "add an adjudication")


def _repetitions(case: Case) -> Iterator[Problem]:
    for kind, entries in ((READING, case.readings), (ADJUDICATION, case.adjudications)):
        each: dict[str, list[Entry]] = {}
        for entry in entries:
            each.setdefault("" if kind == ADJUDICATION else entry.reviewer, []).append(entry)
        for reviewer, several in each.items():
            if len(several) > 1:
                places = ", ".join(str(entry.place) for entry in several)
                who = f"{len(several)} decisions of {reviewer}" if reviewer else f"{len(several)} adjudications"
                yield Problem(places, f"{who} on '{case.record}' at {case.stage}", "keep one")


def _adjudication_faults(case: Case) -> Iterator[Problem]:
    readers = {entry.reviewer for entry in case.readings} | set(case.assigned)
    last = max((entry.day for entry in case.readings), default="")
    for entry in case.adjudications:
        place = str(entry.place)
        if case.missing():
            what = f"'{case.record}' is adjudicated before {', '.join(case.missing())} decided"
            yield Problem(place, what, "enter the decision first")
        elif not case.disputed:
            yield Problem(place, f"adjudication of '{case.record}' at {case.stage} without disagreement", "strike it")
        if entry.reviewer in readers:
            what = f"{entry.reviewer} adjudicates own reading of '{case.record}'"
            yield Problem(place, what, "name a third person, or 'consensus' where the readers agreed by talking")
        if entry.day < last:
            yield Problem(place, f"adjudicated on {entry.day}, read on {last}", "correct one of the days")


def _place_faults(
    row: Any, place: str, arm_of: Mapping[str, str], plan: Mapping[str, tuple[str, ...]]
) -> Iterator[Problem]:
    if row.record not in arm_of:
        yield Problem(place, f"unknown record '{row.record}'", "see the column 'record' of the works")
    elif row.stage not in plan.get(arm_of[row.record], ()):
        stages = ", ".join(plan.get(arm_of[row.record], ())) or "none"
        what = f"records of the arm '{arm_of[row.record]}' have no stage {row.stage}"
        yield Problem(place, what, f"its stages: {stages}")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
