"""Write an event log as a table of our own, which `analysis.kpi.sources.open.open_log` reads back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.base.paths import disk_errors, relative, write_atomic
from analysis.kpi.events import EventLog, conform_events

_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"


def write_events(log: EventLog, path: Path | str) -> Path:
    """Write the events of a log, whole or not at all.

    Parameters
    ----------
    log : EventLog
    path : Path or str
        ``….parquet``: written as a stream, whatever its length, with the log's name and span in its metadata.
        ``….csv``: for people and spreadsheets, times in UTC; name and span are not kept.

    Raises
    ------
    InputError
        Another suffix, or no table of events.
    DiskFullError
        The device is full; what stood there before is untouched.
    """
    path = Path(path)
    events = conform_events(log.events, log.name or "the table of events")
    if path.suffix.lower() == ".csv":
        content = events.collect(engine="streaming").write_csv(datetime_format=_TIME)
        return write_atomic(path, content)
    if path.suffix.lower() != ".parquet":
        problem = Problem(relative(path), f"the suffix is '{path.suffix}'", "write .parquet or .csv")
        raise InputError("Events cannot be written there.", [problem])
    known = {"name": log.name, "begin": log.begin, "end": log.end}
    metadata = {key: value if isinstance(value, str) else value.isoformat() for key, value in known.items() if value}
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that putting it there is a rename.
    with disk_errors(path.parent), tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        part = Path(folder) / path.name
        events.sink_parquet(part, metadata=metadata, engine="streaming")
        part.replace(path)
    return path


def count_events(log: EventLog) -> pl.DataFrame:
    """How many events of each type: ``type``, ``count``, most frequent first."""
    found = log.events.group_by("type").agg(pl.struct("source", "id").n_unique().alias("count"))
    return found.sort(["count", "type"], descending=[True, False]).collect(engine="streaming")
