"""Records of an export, whatever it came from: their fields and times, and the ledger of what is odd about them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.kpi.findings import Finding, build_findings
from analysis.kpi.sources.times import TimeProblem, parse_time

_LOOSE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?\s*(Z|UTC|[+-]\d\d:?\d\d)?"
)


@dataclass(frozen=True, slots=True)
class Record:
    """One object of an export.

    Attributes
    ----------
    file : str
        Path under the export folder.
    number : int
        Its place in the file from 1, counted over all pages; for a table, its row.
    data : mapping
        The object.
    parent : str
        What the file's path says it belongs to, such as the number in ``pulls/12/commits.json``; empty if nothing.
    """

    file: str
    number: int
    data: Mapping[str, Any]
    parent: str = ""

    def get(self, *names: str) -> Any:
        """Value down a path of keys; None where one is missing, null or not an object."""
        value: Any = self.data
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def text(self, *names: str) -> str | None:
        """The same as text; None for what is missing, empty or itself an object."""
        value = self.get(*names)
        return None if value is None or isinstance(value, Mapping | list) or str(value) == "" else str(value)


@dataclass(slots=True)
class Ledger:
    """Findings while an export is read: one row each, or one row with a count for what concerns many records alike."""

    source: str
    zone: ZoneInfo | None = None
    rows: list[Finding] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)

    def report(self, at: Record | None, id: str, finding: str, what: str, treatment: str, remedy: str) -> None:
        """Add a finding about one record."""
        where, line = (at.file, at.number) if at else (self.source, None)
        self.rows.append(Finding(where, line, id, finding, what, treatment, remedy))

    def tally(self, finding: str, what: str, treatment: str, remedy: str, count: int = 1) -> None:
        """Count towards one finding; ``what`` follows the count, as in "3 pull requests without commits"."""
        if count:
            self.counts[finding, what, treatment, remedy] += count

    def time(self, at: Record, id: str, *names: str, required: bool = False) -> datetime | None:
        """The time at a path of keys, in UTC. None, with a finding, if it cannot be read or is missing and required."""
        try:
            time = read_time(at.get(*names), self.zone)
            if time is None and required:
                remedy = "export this file again"
                self.report(at, id, "missing time", f"no {'.'.join(names)}", "left out", remedy)
            return time
        except TimeProblem as error:
            remedy = "say zone=…, such as 'UTC'" if error.finding == "missing zone" else error.remedy
            self.report(at, id, error.finding, f"{'.'.join(names)}: {error.what}", "left out", remedy)
            return None

    def table(self) -> pl.DataFrame:
        """All findings, those with a count last."""
        counted = (
            Finding(self.source, None, "", finding, f"{count} {what}", treatment, remedy)
            for (finding, what, treatment, remedy), count in self.counts.items()
        )
        return build_findings([*self.rows, *counted])


def read_time(value: object, zone: ZoneInfo | None = None) -> datetime | None:
    """A time in UTC from what APIs and databases write; None for None, empty text and a database's zero date.

    Parameters
    ----------
    value : object
        As `analysis.kpi.sources.times.parse_time` takes it, and also ``2023-4-10 6:51:47``, ``… UTC`` and nanoseconds.
    zone : ZoneInfo or None
        Zone of times that name none.

    Raises
    ------
    TimeProblem
        Not a time, a date without time of day, or no zone and none given.

    >>> read_time("2016-08-11 7:36:40.222 UTC").isoformat()
    '2016-08-11T07:36:40.222000+00:00'
    """
    if value is None or value == "" or str(value).startswith(("0000-", "0001-")):
        return None
    if not isinstance(value, datetime):
        match = _LOOSE.fullmatch(str(value).strip())
        if not match:
            what = f"'{str(value)[:60]}' is not a date with a time of day"
            raise TimeProblem("unreadable time", what, "correct it, or export again")
        year, month, day, hour, minute, second, fraction, offset = match.groups()
        fraction = (fraction or "0").ljust(6, "0")[:6]
        value = (
            f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute}:{second}.{fraction}{(offset or '').replace('UTC', 'Z')}"
        )
    return parse_time(value, zone=zone)


class Places:
    """Which repository or project a record is of: by itself, else by the only one in its file, or in the export."""

    def __init__(self, kinds: Mapping[str, Sequence[Record]], find: Callable[[Record], str | None], ledger: Ledger):
        self._find = find
        self.names: set[str] = set()
        by_file: dict[str, set[str]] = {}
        silent: list[Record] = []
        for record in (record for records in kinds.values() for record in records):
            found = find(record)
            if found:
                self.names.add(found)
                by_file.setdefault(record.file, set()).add(found)
            else:
                silent.append(record)
        self.only = next(iter(self.names)) if len(self.names) == 1 else ""
        self._by_file = {file: next(iter(names)) for file, names in by_file.items() if len(names) == 1}
        if len(self.names) > 1:
            what = f"records do not say of which they are: {', '.join(sorted(self.names))}"
            lost = sum(record.file not in self._by_file for record in silent)
            ledger.tally("repository not known", what, "kept", "export each repository into files of its own", lost)

    def find(self, record: Record) -> str:
        """Full name, empty if nothing says it."""
        return self._find(record) or self._by_file.get(record.file) or self.only


_CLOSES = re.compile(
    r"\b(?:(?:close[sd]?|closing)|fix(?:es|ed|ing)?|resolv(?:e|es|ed|ing))\b:?\s+#(\d+)", re.IGNORECASE
)


def find_closed(text: str | None) -> list[str]:
    """Numbers of the issues that a pull or merge request says to close, in the words that both forges know.

    References
    ----------
    GitHub documentation, "Linking a pull request to an issue using a keyword". GitLab documentation, "Default closing
    pattern".

    >>> find_closed("Restores the shop. Fixes #9, closes: #12; see #3.")
    ['9', '12']
    """
    return list(dict.fromkeys(_CLOSES.findall(text or "")))


def read_span(begin: str | datetime | None, end: str | datetime | None) -> tuple[datetime | None, datetime | None]:
    """Begin and end of an export as its caller says them: datetimes or text, with zone."""
    try:
        return read_time(begin), read_time(end)
    except TimeProblem as error:
        problem = Problem("begin, end", str(error), "such as '2025-01-01T00:00:00Z'")
        raise InputError("The span cannot be read.", [problem]) from None


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise InputError unless ``value`` is one of ``choices``."""
    if value not in choices:
        problem = Problem(name, f"expected one of {', '.join(choices)}, got '{value}'", "choose one of them")
        raise InputError(f"The option '{name}' is not known.", [problem])


def merge_records(
    records: Iterable[Record], key: Callable[[Record], str | None], kind: str, ledger: Ledger
) -> list[Record]:
    """Each record once. Pages shift while they are fetched, so the same record may come twice: the one updated last
    counts, and the other is said to be merged."""
    kept: dict[str, Record] = {}
    for record in records:
        id = key(record)
        if id is None:
            ledger.report(record, "", "missing id", f"a {kind} without id", "left out", "export this file again")
            continue
        other = kept.get(id)
        if other is None:
            kept[id] = record
            continue
        same = other.data == record.data
        winner = max(other, record, key=lambda item: (item.text("updated_at") or "", _canonical(item)))
        loser = other if winner is record else record
        what = f"{kind} {id} is also {winner.file}, record {winner.number}" + ("" if same else ", with other contents")
        ledger.report(
            loser, id, "duplicate record" if same else "changed record", what, "merged", "none is needed: pages shift"
        )
        kept[id] = winner
    return list(kept.values())


def _canonical(record: Record) -> str:
    return json.dumps(record.data, sort_keys=True, default=str)


PAGES = (20, 30, 100)
"""Records of a page by default and at most (GitLab 20 and 100, GitHub 30 and 100)."""


def check_pages(kinds: Mapping[str, Sequence[Record]], ledger: Ledger) -> None:
    """Report kinds whose only file holds exactly one page: the rest was probably never fetched."""
    for kind, records in kinds.items():
        if len(records) in PAGES and len({record.file for record in records}) == 1:
            ledger.report(
                Record(records[0].file, len(records), {}), "", "one full page",
                f"{len(records)} {kind} are exactly one page of the API; later pages may be missing", "kept",
                "fetch all pages, such as with gh api --paginate",
            )  # fmt: skip
