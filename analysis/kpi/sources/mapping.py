"""How columns of somebody's table become events: a mapping in YAML, checked whole before a row is read.

    name: shop                        # what the log is about; optional
    source: jenkins                   # who says so; the file's name unless given
    zone: Europe/Berlin               # of times that name none; without it such rows are left out
    time_format: "%d.%m.%Y %H:%M"     # or iso (as if not given), unix_s, unix_ms, unix_us
    separator: ";"                    # of CSV; a comma unless given
    encoding: utf-8
    events:                           # each line of the table gives one event of each of these
      - type: service.deployed
        where: {result: [SUCCESS, FAILED]}     # only lines with these values
        time: finished_at                      # a column
        subject: {column: build, prefix: "build-"}
        change: {column: shas, split: " "}     # one row a change
        outcome: {column: result, values: {SUCCESS: success, FAILED: failure}}
        environment: {constant: production}
      - type: {column: what, values: {opened: change.created, merged: change.merged}}
        time: {column: at, format: unix_s}
        subject: number
        change: number
      - type: incident.resolved
        time: {column: closed_at, optional: true}   # empty where there is no such event yet
        subject: id

A bare word is the name of a column, for ``type`` that of a type of the event table. Values that ``values`` does not
list are findings. ``id`` is made of type, subject and time unless given, so that lines with one deployment each of
whose changes stands in a line of its own are one event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.base.schemas import EVENT_TYPES
from analysis.kpi.events import SCHEMA
from analysis.kpi.sources.times import ISO, UNITS, load_zone

COLUMNS = tuple(name for name in SCHEMA if name != "source")
"""What an event of a mapping may fill."""

_NEEDED = ("type", "time", "subject")
_TOP = ("name", "source", "zone", "time_format", "separator", "encoding", "events")
_CELL = ("column", "constant", "values", "prefix", "split", "format", "zone", "optional")
_ONLY_TIME = ("format", "zone", "optional")


@dataclass(frozen=True, slots=True)
class Cell:
    """Where one column of the event table comes from: a column, or a constant.

    Attributes
    ----------
    column, constant
        One of the two.
    values : mapping or None
        What the table says → what the event table says; None as value: nothing.
    prefix : str
        Put before it.
    split : str
        What separates several changes; empty: there is one.
    format, zone : str
        Of times; empty: those of the mapping.
    optional : bool
        Of times: an empty one means that there is no such event.
    """

    column: str | None = None
    constant: str | None = None
    values: Mapping[str, str | None] | None = None
    prefix: str = ""
    split: str = ""
    format: str = ""
    zone: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class EventRule:
    """One kind of event that a line gives: ``cells`` by column of the event table, ``where`` by column of the table."""

    cells: Mapping[str, Cell]
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableMapping:
    """A whole mapping; see the module for its parts."""

    events: tuple[EventRule, ...]
    name: str = ""
    source: str = ""
    zone: str = ""
    time_format: str = ISO
    separator: str = ","
    encoding: str = "utf-8"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table that it reads."""
        named = [cell.column for rule in self.events for cell in rule.cells.values() if cell.column]
        return tuple(dict.fromkeys([*named, *(name for rule in self.events for name in rule.where)]))


def load_mapping(path: Path | str) -> TableMapping:
    """Read and check a mapping.

    Raises
    ------
    InputError
        Not there, not YAML, or not a mapping; every violation is listed with its place.
    """
    path = Path(path)
    where = relative(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{where} cannot be read.", [Problem(where, what, "give the mapping's file")]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        what = getattr(error, "problem", None) or str(error)
        raise InputError(f"{where} is not YAML.", [Problem(place, what, "check indentation and quotes")]) from None
    return build_mapping(content, where)


def build_mapping(content: Any, where: str = "the mapping") -> TableMapping:
    """A mapping from what its YAML says.

    Raises
    ------
    InputError
        Every violation, with its place.
    """
    problems: list[Problem] = []
    if not isinstance(content, Mapping) or not isinstance(content.get("events"), list) or not content["events"]:
        raise InputError(
            f"{where} is no mapping.", [Problem(where, "it has no list 'events'", "list what a line gives under it")]
        )
    _unknown(content, _TOP, where, problems)
    texts = {key: content[key] for key in _TOP if key != "events" and content.get(key) is not None}
    for key, value in texts.items():
        if not isinstance(value, str):
            problems.append(Problem(f"{where}, {key}", f"expected text, got {value!r}", "put it in quotes"))
            texts[key] = ""
    _check_time(texts.get("time_format", ""), texts.get("zone", ""), where, problems)
    if len(texts.get("separator", ",")) != 1:
        problems.append(Problem(f"{where}, separator", f"got {texts['separator']!r}", 'one character, "\\t" for a tab'))
    rules = [_rule(item, f"{where}, events[{number}]", problems) for number, item in enumerate(content["events"])]
    if problems:
        raise InputError(f"{where} cannot be used.", problems)
    return TableMapping(tuple(rules), **texts)


def build_identity(columns: Sequence[str]) -> TableMapping:
    """The mapping of a table that is an event table already."""
    return TableMapping((EventRule({name: Cell(column=name) for name in SCHEMA if name in columns}),))


def _rule(item: Any, where: str, problems: list[Problem]) -> EventRule:
    if not isinstance(item, Mapping):
        problems.append(Problem(where, f"expected columns of the event table, got {item!r}", "see the documentation"))
        return EventRule({})
    _unknown(item, (*COLUMNS, "where"), where, problems)
    for name in _NEEDED:
        if item.get(name) is None:
            problems.append(Problem(where, f"it has no '{name}'", "every event has one: say where it comes from"))
    cells = {
        name: _cell(name, item[name], f"{where}.{name}", problems) for name in COLUMNS if item.get(name) is not None
    }
    conditions = item.get("where") or {}
    if not isinstance(conditions, Mapping):
        problems.append(Problem(f"{where}.where", f"got {conditions!r}", "column: [values]"))
        conditions = {}
    allowed = {
        str(column): frozenset(map(_word, values if isinstance(values, list) else [values]))
        for column, values in conditions.items()
    }
    return EventRule(cells, allowed)


def _cell(name: str, item: Any, where: str, problems: list[Problem]) -> Cell:
    if not isinstance(item, Mapping):
        item = {"constant" if name == "type" else "column": item}
    _unknown(item, _CELL, where, problems)
    if (item.get("column") is None) == (item.get("constant") is None):
        problems.append(Problem(where, "it has neither column nor constant, or both", "give one of the two"))
    for key in _ONLY_TIME:
        if key in item and name != "time":
            problems.append(Problem(f"{where}.{key}", "only a time has it", "remove it"))
    if "split" in item and name != "change":
        problems.append(Problem(f"{where}.split", "only changes may be several", "remove it"))
    if name == "time" and item.get("constant") is not None:
        problems.append(Problem(where, "a time that is the same for all events", "name a column"))
    _check_time(str(item.get("format") or ""), str(item.get("zone") or ""), where, problems)
    values = item.get("values")
    if values is not None and not isinstance(values, Mapping):
        problems.append(Problem(f"{where}.values", f"got {values!r}", "what the table says: what it means"))
        values = None
    allowed = {"type": tuple(EVENT_TYPES), "outcome": ("success", "failure")}.get(name)
    meant = list(values.values()) if values is not None else [item["constant"]] if "constant" in item else []
    for value in meant:
        if allowed and value is not None and value not in allowed:
            problems.append(
                Problem(where, f"{value!r} is no {name} of the event table", f"one of: {', '.join(allowed)}")
            )
    return Cell(
        *(None if item.get(key) is None else str(item[key]) for key in ("column", "constant")),
        None if values is None else {_word(key): None if v is None else str(v) for key, v in values.items()},
        *(str(item.get(key) or "") for key in ("prefix", "split", "format", "zone")),
        bool(item.get("optional")),
    )


def _check_time(form: str, zone: str, where: str, problems: list[Problem]) -> None:
    if form and form != ISO and form not in UNITS and "%" not in form:
        known = f"iso, {', '.join(UNITS)}, or a pattern as %d.%m.%Y %H:%M"
        problems.append(Problem(f"{where}, time format", f"got {form!r}", known))
    if zone:
        try:
            load_zone(zone)
        except InputError as error:
            problems += [Problem(f"{where}, {item.where}", item.what, item.remedy) for item in error.problems]


def _unknown(item: Mapping[Any, Any], known: Sequence[str], where: str, problems: list[Problem]) -> None:
    problems += [
        Problem(f"{where}, '{key}'", "it is not known here", f"one of: {', '.join(known)}")
        for key in item
        if key not in known
    ]


def _word(value: Any) -> str:
    """A value as a table writes it; YAML reads yes, no and numbers otherwise."""
    return str(value).lower() if isinstance(value, bool) else str(value)
