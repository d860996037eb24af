"""Whether an event log can be true: repeated events, impossible orders, references that lead nowhere.

`check_log` stands between every source and every metric. What it takes out or cannot explain has a finding with the
line and the reason; what it does not mention counts as it stands. Two passes over the log at most, whatever its
length, and the second only for the text of what was found.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl

from analysis.base.schemas import EVENT_TYPES
from analysis.kpi.condensed import as_time, condense_events, fetch_rows
from analysis.kpi.contradictions import OFFENCES, find_contradictions
from analysis.kpi.events import OUTCOMES, PRODUCTION, EventLog, conform_events
from analysis.kpi.findings import Finding, build_findings
from analysis.kpi.reading import NEVER_SET
from analysis.kpi.repeats import find_repeats

LISTED = 1000
"""Findings of one kind that are listed one by one; the rest of them are counted in a last one."""

_WORDS = {
    "change.committed": "committed",
    "change.created": "proposed",
    "change.merged": "merged",
    "service.deployed": "deployed",
    "service.rolledback": "rolled back",
    "incident.detected": "detected",
    "incident.resolved": "resolved",
    "training.started": "started",
    "training.finished": "finished",
    "degradation.started": "started",
    "degradation.ended": "ended",
}
_KINDS: dict[str, tuple[str, str, str, str]] = {
    "unknown type": ("unknown type", "the type is {type!r}{meant}", "left out", "give it a type of the event table"),
    "missing": ("missing field", "it has no {missing}", "left out", "fill it in, or correct the mapping"),
    "odd outcome": ("unknown outcome", "the outcome is {outcome!r}", "kept", "success, failure or nothing"),
    "future": (
        "future time",
        "{type} at {time}, and now is {than}",
        "kept",
        "correct the time, its zone or its unit; until then the log counts as watched up to it",
    ),
    "ancient": (
        "impossible time",
        "{type} at {time}",
        "kept",
        "correct the time: such come from clocks not set; the log counts as watched from the first later event on",
    ),
    "deployment without changes": (
        "deployment without changes",
        "deployment {subject} names no change",
        "kept",
        "name its changes; until then it counts as a deployment, and no lead time comes from it",
    ),
    "start without changes": (
        "deployment without changes",
        "deployment {subject} is the first of its service and names no change, as later ones do: it was there before",
        "kept",
        "nothing if that is so: the rule `start` of the metrics leaves it out; else name its changes",
    ),
    "incident without deployment": (
        "incident without deployment",
        "incident {subject} names no deployment to blame",
        "kept",
        "name it as the cause, or leave it to the rule that finds the deployment by time",
    ),
    "incident of unknown deployment": (
        "unknown deployment",
        "incident {subject} blames deployment {cause}, which is not in the log",
        "kept",
        "add that deployment, or correct the cause",
    ),
    "rollback without deployment": (
        "unknown deployment",
        "rollback {subject} does not say which deployment it takes back",
        "kept",
        "name it as the cause",
    ),
    "rollback of unknown deployment": (
        "unknown deployment",
        "rollback {subject} takes back deployment {cause}, which is not in the log",
        "kept",
        "add that deployment, or correct the cause",
    ),
    "incident.resolved without incident.detected": (
        "resolved without detected",
        "incident {subject} was resolved and never detected",
        "left out",
        "add the time when it was noticed",
    ),
    "degradation.ended without degradation.started": (
        "ended without start",
        "degradation {subject} ended and never started",
        "left out",
        "add the time when it began",
    ),
}
_STILL_OPEN = {
    "incident.detected still open": ("incident", "resolved"),
    "training.started still open": ("training", "finished"),
    "degradation.started still open": ("degradation", "ended"),
}
_REMEDY_ORDER = "correct one of the times, or the zone of its source"


def check_log(
    log: EventLog, *, now: datetime | None = None, listed: int = LISTED, production: Sequence[str] = PRODUCTION
) -> EventLog:
    """The log without what cannot count, and with a finding for everything that is odd.

    Exact repetitions (source, id, change and everything else) count once. Of two events with one id and different
    contents the first in time counts. Types that no event table knows, events without id, time or subject, and ends
    of incidents and degradations that never began are left out. Everything else stays: impossible orders (merged
    before proposed, deployed before merged, resolved before detected, ended before started, rolled back before
    deployed), deployments without changes, incidents without deployment, unknown deployments, times in the future,
    and what is still open at the end, which metrics censor there. Order of rows, zones of times, and how often an
    event was delivered change nothing; of parts of a log, check what `analysis.kpi.events.merge_logs` makes of them.

    Parameters
    ----------
    log : EventLog
    now : datetime, optional
        The present, with zone, after which nothing can have happened; by the machine's clock unless told otherwise.
    listed : int
        How many findings of one kind are listed one by one. One more finding counts the rest.
    production : sequence of str
        Names of the production environment, in any case.

    Returns
    -------
    EventLog
        Lazy as before; findings of the source first, then those of the checks.

    Raises
    ------
    InputError
        The table lacks a column, has an unknown one, or has times without zone.
    """
    events = conform_events(log.events, log.name or "the table of events")
    rows = condense_events(events, production)
    sound = pl.col("code").is_not_null() & pl.col("whole")
    good, bad = (rows, rows.clear()) if rows.select(sound.all()).item() else (rows.filter(sound), rows.filter(~sound))
    # Apart from each other, lest an event that cannot count takes the place of one that can.
    parts = [find_repeats(part, events) for part in (good, bad.filter("whole"))]
    repeated = pl.concat([out for out, _ in parts])
    if len(repeated):
        good, bad = (part.filter(~pl.col("row").is_in(repeated.implode())) for part in (good, bad))
    offences = pl.concat([_unsound(good, bad), _odd_times(good, now or datetime.now(UTC)), find_contradictions(good)])
    gone = offences.filter(pl.col("offence").is_in([kind for kind, text in _KINDS.items() if text[2] == "left out"]))
    out = pl.concat([repeated, gone["row"]]).unique()
    findings = _describe(log, events, offences, pl.concat([found for _, found in parts]), listed)
    return replace(log, events=_without(events, rows, out), findings=pl.concat([log.findings, findings]))


def _without(events: pl.LazyFrame, rows: pl.DataFrame, out: pl.Series) -> pl.LazyFrame:
    if rows["odd"].any():
        known = pl.when(pl.col("outcome").is_in(OUTCOMES)).then("outcome")
        events = events.with_columns(known.alias("outcome"))
    if len(out):
        events = events.with_row_index("row").filter(~pl.col("row").is_in(out.implode())).drop("row")
    return events


def _unsound(good: pl.DataFrame, bad: pl.DataFrame) -> pl.DataFrame:
    """Rows that are no events, and those that say something that no event says."""
    missing, unknown = bad.filter(~pl.col("whole")), bad.filter("whole")
    return pl.concat(
        [
            _offences(missing, "missing"),
            _offences(unknown, "unknown type"),
            _offences(good.filter("odd"), "odd outcome"),
        ]
    )


def _odd_times(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    latest, earliest = (int(time.timestamp() * 1e6) for time in (now, NEVER_SET))
    late = _offences(rows.filter(pl.col("time") > latest), "future").with_columns(than=pl.lit(latest, pl.Int64))
    return pl.concat([late, _offences(rows.filter(pl.col("time") < earliest), "ancient")])


def _offences(rows: pl.DataFrame, offence: str) -> pl.DataFrame:
    said = rows.select("row", offence=pl.lit(offence), than=pl.lit(None))
    return said.select(pl.col(name).cast(dtype) for name, dtype in OFFENCES.items())


# ---- words -----------------------------------------------------------------------------------


def _describe(
    log: EventLog, events: pl.LazyFrame, offences: pl.DataFrame, repeats: pl.DataFrame, listed: int
) -> pl.DataFrame:
    """The findings, in the order of their kinds and of the rows."""
    groups = [(kind, group.sort("row")) for (kind,), group in offences.group_by("offence", maintain_order=True)]
    shown = [(kind, group.head(listed), len(group) - listed) for kind, group in groups]
    again = [
        (group.sort("row").head(listed), len(group) - listed)
        for _, group in repeats.group_by("treatment", maintain_order=True)
    ]
    wanted = [group["row"] for _, group, _ in shown] + [group[name] for group, _ in again for name in ("row", "kept")]
    texts = fetch_rows(events, pl.concat([pl.Series(dtype=pl.UInt32), *(part.cast(pl.UInt32) for part in wanted)]))
    places = _places(log, texts)
    by_row = {text["row"]: text for text in texts.iter_rows(named=True)}
    findings = []
    for group, more in again:
        made = [_repeat(item, by_row, places) for item in group.iter_rows(named=True)]
        findings += [*made, *_rest(made, more)]
    for kind, group, more in shown:
        made = [_finding(kind, by_row[item["row"]], item["than"], places) for item in group.iter_rows(named=True)]
        findings += [*made, *_rest(made, more)]
    return build_findings(findings)


def _finding(kind: str, text: dict, than: int | None, places: dict) -> Finding:
    file, line = places[text["row"]][0]
    if kind in _KINDS:
        name, template, treatment, remedy = _KINDS[kind]
        missing = [column for column in ("source", "id", "time", "subject") if text[column] is None]
        close = difflib.get_close_matches(text["type"] or "", EVENT_TYPES, 1)
        words = text | {
            "time": _at(text["time"]),
            "than": _at(as_time(than)),
            "missing": " and no ".join(missing),
            "meant": f"; did you mean {close[0]!r}?" if close else "",
        }
        what = template.format(**words)
    elif kind in _STILL_OPEN:
        subject, end = _STILL_OPEN[kind]
        name, treatment = "still open", "kept"
        what = f"{subject} {text['subject']} of {_at(text['time'])} is not {end} by the end of the log"
        remedy = f"nothing if that is so: it counts as lasting until then; else say when it was {end}"
    else:
        later, _, earlier = kind.partition(" before ")
        name, treatment, remedy = "impossible order", "kept", _REMEDY_ORDER
        subject = text["change"] if later == "service.deployed" else text["subject"]
        other = f"deployment {text['cause']}" if earlier == "service.deployed" else "it"
        what = (
            f"{subject} was {_WORDS[later]} at {_at(text['time'])}, {_gap(text['time'], as_time(than))} before "
            f"{other} was {_WORDS[earlier]} ({_at(as_time(than))})"
        )
    return Finding(file, line, text["id"] or "", name, what, treatment, remedy)


def _repeat(item: dict, by_row: dict, places: dict) -> Finding:
    text, kept = by_row[item["row"]], by_row[item["kept"]]
    first = places[item["kept"]][0]
    others = [place for place in places[item["row"]] if place != first] or places[item["row"]]
    file, line = others[0]
    more = (
        f"; and so {'do' if len(others) > 2 else 'does'} {', '.join(_place(other, file) for other in others[1:])}"
        if len(others) > 1
        else ""
    )
    if item["treatment"] == "merged":
        what = f"{text['type']} of {text['subject']} says the same as {_place(first, file)} with the same id{more}"
        remedy = "nothing: it counts once"
    else:
        differ = [name for name in kept if name not in ("row", "change") and text[name] != kept[name]]
        said = ", ".join(f"{name} {_plain(text[name])} and not {_plain(kept[name])}" for name in differ)
        what = f"the id is that of the event in {_place(first, file)}, which counts; this one says {said}{more}"
        remedy = "give every event an id of its own"
    return Finding(file, line, text["id"], "duplicate id", what, item["treatment"], remedy)


def _place(place: tuple[str, int], file: str) -> str:
    return f"line {place[1]}" + ("" if place[0] == file else f" of {place[0]}")


def _rest(findings: list[Finding], more: int) -> list[Finding]:
    if more <= 0 or not findings:
        return []
    last = findings[-1]
    what = f"and {more:,} more of this kind after this one, which are treated alike"
    return [Finding(last.source, last.line, "", last.finding, what, last.treatment, last.remedy)]


def _places(log: EventLog, texts: pl.DataFrame) -> dict[int, list[tuple[str, int]]]:
    """Row → the files and lines in which its event stands, or its source and the row from 1."""
    places = {row: [(source or log.name, row + 1)] for row, source in texts.select("row", "source").iter_rows()}
    if log.lines is None or texts.is_empty():
        return places
    keys = ["source", "id", "time", "type", "subject"]
    found = texts.select("row", *keys).join(log.lines, on=keys, nulls_equal=True).sort("row", "file", "line")
    for (row,), group in found.group_by("row", maintain_order=True):
        places[row] = group.select("file", "line").unique(maintain_order=True).rows()
    return places


def _at(time: datetime | None) -> str:
    return "no time" if time is None else time.strftime("%Y-%m-%d %H:%M:%S UTC")


def _plain(value: object) -> str:
    return "nothing" if value is None else _at(value) if isinstance(value, datetime) else repr(value)


def _gap(earlier: datetime, later: datetime) -> str:
    """How far apart two times are, in the largest unit that fits.

    >>> _gap(datetime(2026, 1, 1, 8, tzinfo=UTC), datetime(2026, 1, 1, 9, 30, tzinfo=UTC))
    '1.5 h'
    """
    span = later - earlier
    for unit, size in (("days", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if span >= size:
            return f"{span / size:.3g} {unit}"
    return f"{span.total_seconds():.3g} s"
