"""Times as sources write them, as moments in UTC; a time without zone is never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from analysis.base.errors import InputError, Problem

ISO = "iso"
UNITS = {"unix_s": 1, "unix_ms": 1_000, "unix_us": 1_000_000}
"""Formats that are numbers since 1970 → how many a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TimeProblem(ValueError):
    """A time that cannot be taken: ``finding`` is its kind, ``remedy`` what to do."""

    def __init__(self, finding: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.finding, self.what, self.remedy = finding, what, remedy


def load_zone(name: str) -> ZoneInfo:
    """The zone of this name in the time zone database.

    Raises
    ------
    InputError
        There is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        remedy = "a name as Europe/Berlin, America/New_York or UTC"
        raise InputError("The time zone is not known.", [Problem("zone", f"got {name!r}", remedy)]) from None


def parse_time(value: object, form: str = ISO, zone: ZoneInfo | None = None) -> datetime:
    """A moment in UTC, to the microsecond.

    Parameters
    ----------
    value : str, int, float, datetime or date
    form : str
        ``"iso"`` (ISO 8601 and RFC 3339), one of `UNITS`, or a pattern of `datetime.strptime`.
    zone : ZoneInfo, optional
        Of times that say none. A local time that came twice, when clocks went back, is taken as the first.

    Raises
    ------
    TimeProblem
        It cannot be read, has no zone, or never was, because clocks skipped it.

    >>> parse_time("2026-03-01T09:30:00+01:00").isoformat()
    '2026-03-01T08:30:00+00:00'
    >>> parse_time("1.3.2026 9:30", "%d.%m.%Y %H:%M", load_zone("Europe/Berlin")).isoformat()
    '2026-03-01T08:30:00+00:00'
    """
    try:
        time = _read(value, form)
    except (ValueError, OverflowError, TypeError):
        what = f"{value!r} is not a time" + ("" if form == ISO else f" of the form {form!r}")
        raise TimeProblem("unreadable time", what, "write 2026-03-01T08:30:00Z, or give the form") from None
    try:
        if time.tzinfo is None:
            time = _in_zone(time, zone, value)
        return time.astimezone(UTC)
    except OverflowError:
        raise TimeProblem("unreadable time", f"{value!r} is beyond the calendar", "correct the time") from None


def _read(value: object, form: str) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if form in UNITS:
        return _EPOCH + timedelta(microseconds=round(float(value) * 1_000_000 / UNITS[form]))  # type: ignore[arg-type]
    if not isinstance(value, str):
        raise ValueError
    text = value.strip()
    return datetime.fromisoformat(text.upper()) if form == ISO else datetime.strptime(text, form)


def _in_zone(time: datetime, zone: ZoneInfo | None, value: object) -> datetime:
    if zone is None:
        remedy = "write the zone (Z or +01:00), or say once in which zone the source writes its times"
        raise TimeProblem("missing zone", f"the time {value!s} has no zone", remedy)
    placed = time.replace(tzinfo=zone)
    if placed.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != time:
        what = f"{value!s} never was in {zone.key}: clocks were put forward"
        raise TimeProblem("unreadable time", what, "correct the time or its zone")
    return placed
