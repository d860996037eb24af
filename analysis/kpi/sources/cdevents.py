"""CDEvents logs: JSON Lines in the spelling of 0.4 (``context.version``) and of 0.5 (``context.specversion``).

A deployment of CDEvents names a service and an artifact. Which changes it carries, which incident it remedies, which
deployment a rollback takes back and which one an incident is blamed on is worked out in
`analysis.kpi.sources.cdevents_links`, from what the events say of each other. Types of this project's own
(``dev.cdeventsx.workbench-…``) tell of data, training, promotion, production as it was, and people.

References
----------
CDEvents specification 0.4.1 and 0.5.1, https://github.com/cdevents/spec.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.kpi.events import LINES, SCHEMA, EventLog
from analysis.kpi.findings import Finding, build_findings
from analysis.kpi.sources.cdevents_links import RULES, Links, link_events
from analysis.kpi.sources.cdevents_types import (
    LABELLING,
    NOT_USED,
    OWN_TYPES,
    STANDARD_TYPES,
    read_outcome,
    short_type,
)
from analysis.kpi.sources.json_lines import read_objects
from analysis.kpi.sources.times import TimeProblem, load_zone, parse_time

SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")

_NUMBERS: dict[str, tuple[str, str]] = {
    "training.finished": ("seconds", ""),
    "evaluation.finished": ("map50", ""),
    "observation.recorded": ("map50", "target_map50"),
    "drift.detected": ("statistic", "limit"),
    "delay.waited": ("hours", ""),
}


@dataclass(frozen=True, slots=True)
class CDEvent:
    """One event as its line says it.

    Attributes
    ----------
    file, line
        Where it stands.
    id, source, time, kind, subject
        ``kind`` is its short type, such as ``service.upgraded``; ``time`` is in UTC.
    content, custom : mapping
        ``subject.content`` and ``customData``.
    chain : str
        ``context.chainId``; empty where it has none.
    links : tuple of str
        Ids of the events that it is linked to.
    """

    file: str
    line: int
    id: str
    source: str
    time: datetime
    kind: str
    subject: str
    content: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    chain: str = ""
    links: tuple[str, ...] = ()

    @property
    def service(self) -> str | None:
        """The service concerned: the subject of its own events, else what the content refers to."""
        return self.subject if self.kind.startswith("service.") else _identifier(self.content.get("service"))

    @property
    def environment(self) -> str | None:
        return _identifier(self.content.get("environment"))


class _Broken(ValueError):
    """A line that is no event that can be used."""

    def __init__(self, finding: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.finding, self.what, self.remedy = finding, what, remedy


def read_cdevents(path: Path | str, *, zone: str = "", name: str = "") -> EventLog:
    """Read a log of CDEvents.

    Parameters
    ----------
    path : Path or str
        A file, plain or gzipped, or a folder whose files are parts of one log.
    zone : str, optional
        Zone of times that say none, such as ``"Europe/Berlin"``; without it they are left out, with a finding.
    name : str, optional
        What the log is about; else taken from the path.

    Returns
    -------
    EventLog
        ``begin`` and ``end`` are those of all events, used or not. ``about`` has ``files``, ``rules`` (how events
        are linked) and ``starts`` (services that were there from the beginning: ``service``, ``environment``, ``time``
        and the ``subject`` of the event that says so, which the rule `start` of the metrics does not count).

    Raises
    ------
    InputError
        Nothing to read, an empty file, or no line that is an event; what is wrong is listed.
    """
    path = Path(path)
    files = _files(path)
    local = load_zone(zone) if zone else None
    events: list[CDEvent] = []
    findings: list[Finding] = []
    for file in files:
        objects, problems = read_objects(file)
        findings += problems
        for line, item in objects:
            try:
                events.append(_parse(item, relative(file), line, local))
            except _Broken as broken:
                identifier = _text(_part(item, "context").get("id")) or ""
                findings.append(
                    Finding(relative(file), line, identifier, broken.finding, broken.what, "left out", broken.remedy)
                )
    if not events:
        problems_ = [Problem(f"{item.source}:{item.line}", item.what, item.remedy) for item in findings]
        raise InputError(f"{relative(path)} holds no event that can be read.", problems_)
    links = link_events(events)
    rows, lines = [], []
    for event in events:
        if event.kind in NOT_USED:
            continue
        found, problems = _rows(event, links)
        rows += found
        findings += problems
        lines.append({name: found[0][name] for name in ("source", "id", "time", "type", "subject")})
        lines[-1] |= {"file": event.file, "line": event.line}
    findings += _not_used(events)
    times = [event.time for event in events]
    return EventLog(
        pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy(),
        build_findings(findings),
        name or _name(path),
        min(times),
        max(times),
        {
            "kind": "cdevents",
            "files": [relative(file) for file in files],
            "rules": RULES,
            "starts": [
                {
                    "service": event.service,
                    "environment": event.environment,
                    "time": event.time,
                    "subject": links.subjects[event.source, event.id],
                }
                for event in _unique(events)
                if (event.source, event.id) in links.starts
            ],
        },
        pl.DataFrame(lines, schema=LINES, orient="row"),
    )


def is_cdevents(item: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a CDEvent, or a CloudEvent around one."""
    kind = _text(_part(_unwrap(item), "context").get("type"))
    return kind is not None and kind.startswith(("dev.cdevents.", "dev.cdeventsx."))


# ---- one line --------------------------------------------------------------------------------


def _parse(item: Mapping[str, Any], file: str, line: int, zone: ZoneInfo | None) -> CDEvent:
    item = _unwrap(item)
    context, subject = _part(item, "context"), _part(item, "subject")
    needed = {f"context.{key}": _text(context.get(key)) for key in ("id", "source", "type", "timestamp")}
    needed["subject.id"] = _text(subject.get("id"))
    missing = [key for key, value in needed.items() if value is None]
    if missing:
        what = f"it has no {' and no '.join(missing)}"
        raise _Broken("missing field", what, "write events as the specification of CDEvents says")
    kind = short_type(needed["context.type"] or "")
    if kind is None:
        known = "CDEvents types, and dev.cdeventsx.workbench-… of this project"
        raise _Broken("unknown type", f"the type is {needed['context.type']!r}", f"known: {known}")
    try:
        time = parse_time(needed["context.timestamp"], zone=zone)
    except TimeProblem as problem:
        raise _Broken(problem.finding, problem.what, problem.remedy) from None
    links = context.get("links") if isinstance(context.get("links"), list) else []
    return CDEvent(
        file,
        line,
        needed["context.id"] or "",
        needed["context.source"] or "",
        time,
        kind,
        needed["subject.id"] or "",
        _part(subject, "content"),
        _part(item, "customData"),
        _text(context.get("chainId")) or "",
        tuple(end for link in links for end in _link_ends(link)),
    )


def _unwrap(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The CDEvent in a CloudEvent of structured mode (cloudevents-binding.md)."""
    data = item.get("data")
    return data if "context" not in item and isinstance(data, dict) else item


def _link_ends(link: Any) -> list[str]:
    """Event ids in an embedded link: ``target`` of a RELATION, ``from`` of a PATH or an END (links.md)."""
    ends = [link.get(key) for key in ("target", "from")] if isinstance(link, dict) else []
    return [end["contextId"] for end in ends if isinstance(end, dict) and isinstance(end.get("contextId"), str)]


def _part(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = item.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def _identifier(reference: Any) -> str | None:
    """Of a reference ``{"id": …}``; early versions wrote the id alone."""
    return _text(reference.get("id")) if isinstance(reference, dict) else _text(reference)


# ---- the table -------------------------------------------------------------------------------


def _rows(event: CDEvent, links: Links) -> tuple[list[dict[str, Any]], list[Finding]]:
    """The event in the event table, a row for each change."""
    key, kind, content = (event.source, event.id), event.kind, event.content
    findings = []
    outcome = content.get("outcome", event.custom.get("outcome") if kind.startswith("service.") else None)
    try:
        outcome = None if outcome is None else read_outcome(outcome)
    except ValueError:
        what = f"the outcome is {outcome!r}"
        remedy = "success, failure, cancel or error"
        findings.append(Finding(event.file, event.line, event.id, "unknown outcome", what, "kept", remedy))
        outcome = None
    subject, change = event.subject, _text(event.custom.get("chain"))
    type_ = STANDARD_TYPES.get(kind) or OWN_TYPES[kind]
    changes: tuple[str | None, ...] = (change,)
    cause = None
    if kind == "delay.waited":
        subject = _text(content.get("delay")) or subject
        type_ = "labelling.finished" if subject in LABELLING else type_
    elif kind == "observation.recorded":
        degraded = content.get("degraded")
        outcome = outcome if degraded is None else "failure" if degraded else "success"
        changes = (None,)
    elif kind.startswith("change."):
        changes = (subject,)
        approved = event.custom.get("approved")
        outcome = {True: "success", False: "failure"}.get(approved) if isinstance(approved, bool) else outcome
    elif kind == "dataset.changed":
        changes = (subject,)
    elif kind.startswith(("service.", "incident.", "degradation.")):
        subject = links.subjects.get(key, subject)
        changes = links.changes.get(key) or (None,)
        cause = links.causes.get(key)
    value, target = (_number(content.get(name)) for name in _NUMBERS.get(kind, ("", "")))
    row = {
        "source": event.source,
        "id": event.id,
        "time": event.time,
        "type": type_,
        "subject": subject,
        "service": event.service,
        "environment": event.environment,
        "outcome": outcome,
        "cause": cause,
        "value": value,
        "target": target,
    }
    return [row | {"change": item} for item in changes], findings


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


# ---- findings --------------------------------------------------------------------------------


def _not_used(events: list[CDEvent]) -> list[Finding]:
    """One finding a type that no metric is made of."""
    counts = Counter((event.file, event.kind) for event in events if event.kind in NOT_USED)
    firsts: dict[tuple[str, str], CDEvent] = {}
    for event in events:
        firsts.setdefault((event.file, event.kind), event)
    return [
        Finding(
            file,
            firsts[file, kind].line,
            "",
            "not used",
            f"{count:,} {'events' if count > 1 else 'event'} {kind}: no metric is made of them",
            "left out",
            "nothing",
        )
        for (file, kind), count in sorted(counts.items())
    ]


def _unique(events: list[CDEvent]) -> list[CDEvent]:
    return list({(event.source, event.id): event for event in reversed(events)}.values())[::-1]


# ---- files -----------------------------------------------------------------------------------


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.is_file() and file.name.endswith(SUFFIXES))
    if not files:
        what = f"no file in it ends in {', '.join(SUFFIXES)}"
        raise InputError(f"{relative(path)} holds no event log.", [Problem(relative(path), what, "give a log")])
    return files


def _name(path: Path) -> str:
    """The file's name, or its folder's where files are all called events."""
    stem = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        stem = stem.removesuffix(suffix)
    return path.absolute().parent.name if stem == "events" and path.absolute().parent.name else stem
