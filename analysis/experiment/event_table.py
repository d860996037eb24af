"""Read an event log as a table, one row an event: what notebooks and outcomes are computed from."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.experiment.vocabulary import short_type

COLUMNS = ("id", "time", "type", "subject", "chain", "outcome", "environment", "content", "custom", "source")
"""Columns of a table of events, as `read_events` gives it."""


def read_events(path: Path) -> pd.DataFrame:
    """The events of one log as a table.

    Parameters
    ----------
    path : Path
        JSON Lines, plain or gzipped.

    Returns
    -------
    DataFrame
        Index ``line`` (line in the file), ``attrs["source"]`` the path, and the columns ``id``, ``time`` (UTC),
        ``type`` (short name), ``subject``, ``chain`` (name of the chain where the log has it, else its id),
        ``outcome`` and ``environment`` (missing where the event has none), ``content`` and ``custom`` (dicts),
        ``source``.

    Raises
    ------
    InputError
        Missing or unreadable file, lines that are no events, a last line cut short, ids that come twice;
        all listed.
    """
    where = relative(path)
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        raise InputError(f"{where} cannot be read.", [Problem(where, str(error), "give an event log")]) from None
    lines = raw.split(b"\n")
    rows, problems, seen = [], [], {}
    if last := lines.pop():
        remedy = "start the run again: it goes on from there"
        problems.append(Problem(f"{where}:{len(lines) + 1}", f"a line cut short after {len(last)} bytes", remedy))
    for number, line in enumerate(lines, start=1):
        try:
            row = _row(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"no event ({type(error).__name__}: {error})"
            problems.append(Problem(f"{where}:{number}", what, "restore the log, or record it again"))
            continue
        key = (row["source"], row["id"])
        if key in seen:
            what = f"the id {row['id']} stands in line {seen[key]} already"
            problems.append(Problem(f"{where}:{number}", what, "keep one of them"))
        seen.setdefault(key, number)
        rows.append({"line": number, **row})
    if problems:
        raise InputError(f"{where} is not a whole event log.", problems)
    frame = pd.DataFrame(rows, columns=["line", *COLUMNS]).set_index("line")
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601").astype("datetime64[ms, UTC]")
    frame.attrs["source"] = where
    return frame


def _row(event: dict[str, Any]) -> dict[str, Any]:
    context, subject = event["context"], event["subject"]
    content, custom = dict(subject.get("content", {})), dict(event.get("customData", {}))
    kind = short_type(context["type"])
    if kind is None:
        raise ValueError(f"{context['type']!r} is not a CDEvents type")
    if datetime.fromisoformat(context["timestamp"]).tzinfo is None:
        raise ValueError(f"the time {context['timestamp']} has no zone")
    return {
        "id": context["id"],
        "time": context["timestamp"],
        "type": kind,
        "subject": subject["id"],
        "chain": custom.pop("chain", context.get("chainId", "")),
        "outcome": content.get("outcome"),
        "environment": (content.get("environment") or {}).get("id"),
        "content": content,
        "custom": custom,
        "source": context["source"],
    }
