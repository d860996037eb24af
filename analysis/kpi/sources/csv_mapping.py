"""Tables of events: any CSV or Parquet with a mapping (`analysis.kpi.sources.mapping`), and our own without one."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.base.schemas import EVENT_TYPES
from analysis.kpi.events import LINES, OUTCOMES, SCHEMA, EventLog, conform_events
from analysis.kpi.findings import Finding, build_findings
from analysis.kpi.sources.mapping import Cell, EventRule, TableMapping, build_identity, load_mapping
from analysis.kpi.sources.times import TimeProblem, load_zone, parse_time

_REQUIRED = ("id", "time", "type", "subject")
_NUMBERS = ("value", "target")


def read_table(
    path: Path | str, mapping: Path | str | TableMapping | None = None, *, zone: str = "", name: str = ""
) -> EventLog:
    """Read events from a CSV or Parquet file.

    Parameters
    ----------
    path : Path or str
    mapping : Path, str or TableMapping, optional
        How its columns become events; without one it must be an event table, of which ``source`` and what may be
        empty may be missing.
    zone : str, optional
        Zone of times that say none, if the mapping does not say it.
    name : str, optional
        What the log is about; else as the mapping says, or the file's name.

    Returns
    -------
    EventLog
        An event table in Parquet stays lazy and is not read here. Lines of CSV are those of the file, the header
        being the first; rows of Parquet count from 1.

    Raises
    ------
    InputError
        A file or mapping that cannot be read, columns that are not there, or nothing that is an event; all listed.
    """
    path = Path(path)
    where = relative(path)
    if not path.is_file():
        raise InputError(f"{where} does not exist.", [Problem(where, "there is no such file", "check the path")])
    if mapping is not None and not isinstance(mapping, TableMapping):
        mapping = load_mapping(mapping)
    parquet = path.suffix.lower() == ".parquet"
    if parquet and mapping is None:
        return _own_parquet(path, zone, name)
    findings: list[Finding] = []
    header, rows = _parquet_rows(path) if parquet else _csv_rows(path, mapping or TableMapping(()), findings)
    own = mapping is None
    mapping = mapping or build_identity(header)
    _check_columns(mapping, header, where, own)
    zone = mapping.zone or zone
    reader = _Reader(where, mapping, path.stem, load_zone(zone) if zone else None)
    events, lines = reader.read(rows)
    findings += reader.findings
    if not events:
        problems = [Problem(f"{item.source}:{item.line}", item.what, item.remedy) for item in findings]
        raise InputError(f"{where} holds no event.", problems or [Problem(where, "it has no rows", "give a log")])
    return EventLog(
        pl.DataFrame(events, schema=SCHEMA, orient="row").lazy(),
        build_findings(findings),
        name or mapping.name or path.stem,
        about={"kind": "table", "files": [where]},
        lines=pl.DataFrame(lines, schema=LINES, orient="row").unique(maintain_order=True),
    )


def _own_parquet(path: Path, zone: str, name: str) -> EventLog:
    """An event table in Parquet, lazily; its span and name where `analysis.kpi.event_files.write_events` wrote them."""
    where = relative(path)
    try:
        events = pl.scan_parquet(path)
        found = events.collect_schema()
        known = pl.read_parquet_metadata(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        what = str(error).partition("\n")[0]
        raise InputError(f"{where} is not Parquet.", [Problem(where, what, "write the file again")]) from None
    naive = isinstance(found.get("time"), pl.Datetime) and found["time"].time_zone is None
    if naive and zone:
        load_zone(zone)
        local = pl.col("time").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        events = events.with_columns(local.dt.convert_time_zone("UTC"))
    if "source" not in found:
        events = events.with_columns(pl.lit(path.stem).alias("source"))
    events = conform_events(events, where)
    empty = [pl.when(pl.col(item) != "").then(pl.col(item)).alias(item) for item, t in SCHEMA.items() if t == pl.String]
    begin, end = (datetime.fromisoformat(known[key]) if known.get(key) else None for key in ("begin", "end"))
    about = {"kind": "table", "files": [where]}
    return EventLog(
        events.with_columns(empty), name=name or known.get("name") or path.stem, begin=begin, end=end, about=about
    )


def _check_columns(mapping: TableMapping, header: list[str], where: str, own: bool) -> None:
    problems = []
    if len(header) == 1 and len(re.findall(r"[;\t|]", header[0])) > 1:
        remedy = "say its separator in a mapping"
        raise InputError(f"{where} has one column.", [Problem(f"{where}:1", f"it is {header[0][:80]!r}", remedy)])
    if own:
        remedy = "rename the columns, or give a mapping"
        problems += [Problem(f"{where}:1", f"no column '{item}'", remedy) for item in _REQUIRED if item not in header]
        problems += [
            Problem(
                f"{where}:1, column '{item}'", "no event table has it", f"known: {', '.join(SCHEMA)}; or give a mapping"
            )
            for item in header
            if item not in SCHEMA
        ]
    for column in mapping.columns:
        if column not in header:
            problems.append(Problem(f"{where}:1", f"no column '{column}'", f"it has: {', '.join(header)}"))
    if problems:
        raise InputError(f"{where} does not have the columns that are asked for.", problems)


# ---- rows ------------------------------------------------------------------------------------


def _csv_rows(
    path: Path, mapping: TableMapping, findings: list[Finding]
) -> tuple[list[str], Iterator[tuple[int, Mapping[str, Any]]]]:
    where = relative(path)
    raw = path.read_bytes()
    if not raw.strip():
        raise InputError(f"{where} is empty.", [Problem(where, "it has not even a header", "give a table")])
    encoding = "utf-8-sig" if mapping.encoding.lower() in ("utf-8", "utf8") else mapping.encoding
    try:
        text = raw.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        start = getattr(error, "start", 0)
        line = raw[:start].count(b"\n") + 1
        what = f"byte {raw[start]:#04x} is not {mapping.encoding}" if hasattr(error, "start") else str(error)
        remedy = "save the file as UTF-8, or say its encoding in the mapping, such as latin-1"
        raise InputError(
            f"{where} is not {mapping.encoding} text.", [Problem(f"{where}:{line}", what, remedy)]
        ) from None
    tabs = path.suffix.lower() == ".tsv" and mapping.separator == ","
    delimiter = "\t" if tabs else mapping.separator
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(reader)]
    except csv.Error as error:
        raise InputError(f"{where} is not CSV.", [Problem(f"{where}:1", str(error), "check the quotes")]) from None
    if len(set(header)) < len(header):
        double = sorted(item for item, count in Counter(header).items() if count > 1)
        raise InputError(
            f"{where} has columns of one name.", [Problem(f"{where}:1", ", ".join(map(repr, double)), "rename them")]
        )
    return header, _csv_items(reader, header, where, findings, cut=not text.endswith(("\n", "\r")))


def _csv_items(
    reader: Any, header: list[str], where: str, findings: list[Finding], cut: bool
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    start, short = reader.line_num + 1, None
    try:
        for row in reader:
            line, start = start, reader.line_num + 1
            if not row:
                continue
            if len(row) == len(header):
                yield line, {name: cell.strip() or None for name, cell in zip(header, row, strict=True)}
                continue
            what = f"{len(row)} cells, the header has {len(header)}"
            short = Finding(where, line, "", "wrong number of cells", what, "left out", "quote cells with a separator")
            findings.append(short)
    except csv.Error as error:
        what = f"not valid CSV: {error}; nothing after it was read"
        findings.append(Finding(where, start, "", "not CSV", what, "left out", "close the quotation marks"))
        return
    if cut and short is not None and short is findings[-1] and short.line == line:
        remedy = "take the rest from the file's other copy"
        findings[-1] = Finding(
            where, line, "", "cut short", f"the last line ends after {short.what}", "left out", remedy
        )


def _parquet_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, Mapping[str, Any]]]]:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        what = str(error).partition("\n")[0]
        where = relative(path)
        raise InputError(f"{where} is not Parquet.", [Problem(where, what, "write the file again")]) from None
    return frame.columns, enumerate(frame.iter_rows(named=True), start=1)


# ---- events ----------------------------------------------------------------------------------


class _Reader:
    """Makes events of rows, and findings of what cannot be one."""

    def __init__(self, where: str, mapping: TableMapping, stem: str, zone: ZoneInfo | None) -> None:
        self.where, self.mapping, self.stem, self.zone = where, mapping, stem, zone
        self.findings: list[Finding] = []
        self.zones = {
            cell.zone: load_zone(cell.zone) for rule in mapping.events for cell in rule.cells.values() if cell.zone
        }

    def read(self, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> tuple[list[dict], list[dict]]:
        events, lines, unused, first = [], [], 0, 0
        for line, row in rows:
            relevant = [rule for rule in self.mapping.events if _applies(rule, row)]
            if not relevant:
                unused, first = unused + 1, first or line
            for rule in relevant:
                found = self._events(rule, row, line)
                events += found
                if found:
                    place = {name: found[0][name] for name in ("source", "id", "time", "type", "subject")}
                    lines.append(place | {"file": self.where, "line": line})
        if unused:
            many = "rows" if unused > 1 else "row"
            what = f"{unused:,} {many} from here on with values that the mapping does not ask for"
            self._say(first, "", "not used", what, "left out", "nothing, if that is meant; else widen `where`")
        return events, lines

    def _events(self, rule: EventRule, row: Mapping[str, Any], line: int) -> list[dict]:
        """The event of one rule and row, once for each change; none where something is wrong."""
        cells = rule.cells
        label = str(self._plain(cells["subject"], row) or "") if "subject" in cells else ""
        time_cell = cells["time"]
        raw = row.get(time_cell.column or "")
        if _empty(raw):
            if not time_cell.optional:
                remedy = "fill it in; or say `optional: true` if there is no such event then"
                self._say(line, label, "missing time", f"column '{time_cell.column}' is empty", "left out", remedy)
            return []
        try:
            zone = self.zones.get(time_cell.zone, self.zone)
            time = parse_time(raw, time_cell.format or self.mapping.time_format, zone)
        except TimeProblem as problem:
            self._say(line, label, problem.finding, problem.what, "left out", problem.remedy)
            return []
        event: dict[str, Any] = {"time": time, "source": self.mapping.source or self.stem}
        for name, cell in cells.items():
            if name in ("time", "change"):
                continue
            event[name] = (
                self._number(cell, row, line, label) if name in _NUMBERS else self._value(name, cell, row, line)
            )
        event["source"] = event["source"] or self.mapping.source or self.stem
        if event["type"] not in EVENT_TYPES:
            if event["type"] is not None:
                what = f"the type is {event['type']!r}"
                self._say(line, label, "unknown type", what, "left out", "map it to a type of the event table")
            elif not self._explained(cells["type"], row):
                self._say(line, label, "missing field", "it has no type", "left out", "fill it in")
            return []
        if event.get("subject") is None:
            self._say(line, "", "missing field", "it has no subject", "left out", "fill it in")
            return []
        if event.get("outcome") not in (None, *OUTCOMES):
            what = f"the outcome is {event['outcome']!r}"
            self._say(line, label, "unknown outcome", what, "kept", "map it to success, failure or null")
            event["outcome"] = None
        if "id" not in cells:
            event["id"] = f"{event['type']}/{event['subject']}/{time.isoformat()}"
        elif event["id"] is None:
            self._say(line, label, "missing field", "it has no id", "left out", "fill it in")
            return []
        return [event | {"change": change} for change in self._changes(cells.get("change"), row, line)]

    def _changes(self, cell: Cell | None, row: Mapping[str, Any], line: int) -> list[str | None]:
        if cell is None:
            return [None]
        raw = row.get(cell.column) if cell.column else cell.constant
        parts = (
            raw if isinstance(raw, list) else str(raw).split(cell.split) if cell.split and raw is not None else [raw]
        )
        values = [self._value("change", cell, {cell.column: part}, line) for part in parts if not _empty(part)]
        return list(dict.fromkeys(value for value in values if value is not None)) or [None]

    def _value(self, name: str, cell: Cell, row: Mapping[str, Any], line: int) -> str | None:
        text = self._plain(cell, row)
        if text is None:
            return None
        if cell.values is not None:
            if text not in cell.values:
                if name != "type":  # an unknown type is said where the event is left out
                    what = f"column '{cell.column}' says {text!r}, which the mapping's values for {name} lack"
                    self._say(line, "", "unknown value", what, "kept", "add it to `values`")
                return cell.prefix + text if name != "outcome" else None
            text = cell.values[text]
        return None if text is None else cell.prefix + text

    def _number(self, cell: Cell, row: Mapping[str, Any], line: int, label: str) -> float | None:
        text = row.get(cell.column) if cell.column else cell.constant
        if _empty(text):
            return None
        try:
            number = float(text)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number):
            return number
        self._say(
            line, label, "unknown value", f"{text!r} is not a number", "kept", "write numbers with a decimal point"
        )
        return None

    def _plain(self, cell: Cell, row: Mapping[str, Any]) -> str | None:
        value = row.get(cell.column) if cell.column else cell.constant
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # a column of whole numbers with gaps
        return None if _empty(value) else str(value).strip()

    def _explained(self, cell: Cell, row: Mapping[str, Any]) -> bool:
        """Whether the mapping itself says that this value is no event."""
        return cell.values is not None and self._plain(cell, row) in cell.values

    def _say(self, line: int, label: str, kind: str, what: str, treatment: str, remedy: str) -> None:
        self.findings.append(Finding(self.where, line, label, kind, what, treatment, remedy))


def _applies(rule: EventRule, row: Mapping[str, Any]) -> bool:
    for column, values in rule.where.items():
        value = row.get(column)
        if (str(value).lower() if isinstance(value, bool) else str(value)) not in values:
            return False
    return True


def _empty(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, float) and math.isnan(value))
    )
