"""The event log of an arm-run: what happened, one CDEvent a line, and nothing that is not in it counts.

A log is written as the run goes and is on the disk, line by line, before the run goes on. A run that was
killed is started again from the beginning: what it says again must be what stands there already, byte for
byte, and from the last line on it writes. So a log is never half a story, and two versions of one story
are noticed at the line where they part::

    with EventLog(path, source="/workbench/mlops/1", run_id="quick/mlops/1") as log:
        log.add(change_merged("chg-007"), moment, chain="chg-007")

Times are virtual and ids are made from the run's id and the position, so that equal runs have equal logs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any

from analysis.base.errors import InputError, Problem, WorkbenchError
from analysis.base.paths import DATA, disk_errors, relative
from analysis.experiment.canonical import canonical
from analysis.experiment.locking import close_locked, try_lock
from analysis.experiment.vocabulary import CUSTOM_TYPES, EVENT_TYPES, SPECVERSION, Event, short_type

SCHEMA = DATA / "experiment" / "events.schema.json"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:workbench:events")
_PATIENCE_S = 10.0
_ABSENT = object()


class LogDivergedError(WorkbenchError):
    """A run says something else than its log holds: other inputs, other code, or an edited log."""


class EventLog:
    """Writes the events of one run, or checks them against those that a killed run has left.

    Parameters
    ----------
    path : Path
        The log, JSON Lines; made if it is not there. A line cut short by a kill is taken off its end.
    source : str
        URI reference of who speaks; different for different runs, such as ``/workbench/mlops/1``.
    run_id : str
        Decides the ids of events and chains, together with their position and name.

    Raises
    ------
    InputError
        ``source`` or ``run_id`` is empty or has spaces.
    WorkbenchError
        Another process has the log open.
    DiskFullError
        The device is full; the log ends with its last whole event.
    """

    def __init__(self, path: Path, source: str, run_id: str) -> None:
        problems = [
            Problem(name, f"got {value!r}", "give a name without spaces")
            for name, value in (("source", source), ("run_id", run_id))
            if not re.fullmatch(r"[!-~]+", value)
        ]
        if problems:
            raise InputError("The event log has no proper name.", problems)
        self.path, self.source, self.run_id = path, source, run_id
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        self._process = os.getpid()
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if not try_lock(self._handle, _PATIENCE_S):
            os.close(self._handle)
            what = "another process is writing it"
            raise WorkbenchError(
                f"{relative(path)} is in use.", [Problem(relative(path), what, "let that run end, or stop it")]
            )
        if fresh:
            _sync_folder(path.parent)
        content = path.read_bytes()
        self._size = content.rfind(b"\n") + 1
        if self._size < len(content):
            os.ftruncate(self._handle, self._size)
            os.fsync(self._handle)
        self._stored = content[: self._size].split(b"\n")[:-1]
        self._position = 0
        self._open = True

    @property
    def position(self) -> int:
        """Events said so far, whether they were in the log already or not."""
        return self._position

    @property
    def complete(self) -> bool:
        """Whether everything that the log held when it was opened has been said again."""
        return self._position >= len(self._stored)

    def append(
        self,
        type: str,
        subject_id: str,
        time: datetime,
        content: Mapping[str, Any],
        custom: Mapping[str, Any] | None = None,
        chain: str = "",
    ) -> dict[str, Any]:
        """Say one event; when this returns it is on the disk.

        Parameters
        ----------
        type : str
            Short name, a key of `EVENT_TYPES`.
        subject_id : str
        time : datetime
            With a time zone; written in UTC to the millisecond, what is beyond is cut off.
        content : mapping
            As the type's schema says.
        custom : mapping, optional
            What the schema has no place for. The key ``chain`` is taken.
        chain : str, optional
            Name of the change, batch or incident that the event belongs to. CDEvents wants a UUID; it is made
            from the run and this name, which stays in the custom data.

        Returns
        -------
        dict
            The event.

        Raises
        ------
        InputError
            The event is not valid; nothing is written.
        LogDivergedError
            The log holds another event in this place; nothing is written.
        """
        if not self._open or os.getpid() != self._process:
            raise ValueError(f"{self.path} was opened by another process, or is closed")
        event = self._event(type, subject_id, time, content, custom or {}, chain)
        line = canonical(event, f"{type} of {subject_id}")
        if self._position < len(self._stored):
            if self._stored[self._position] != line:
                raise self._diverged(self._stored[self._position], line)
        else:
            problems = validate_event(json.loads(line))
            if problems:
                raise InputError(f"An event {type} of {subject_id} is not valid.", problems)
            self._write(line + b"\n")
        self._position += 1
        return event

    def add(
        self, event: Event, time: datetime, chain: str = "", custom: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """`append` for an event built by `analysis.experiment.vocabulary`."""
        return self.append(event.type, event.subject, time, event.content, {**event.custom, **(custom or {})}, chain)

    def close(self) -> None:
        """Let go of the log, wherever the run stands; a run that is killed does no more than this."""
        if self._open:
            self._open = False
            close_locked(self._handle)

    def finish(self) -> None:
        """Close the log of a run that has come to its end.

        Raises
        ------
        LogDivergedError
            The log goes on where the run has ended.
        """
        self.close()
        if not self.complete:
            left = len(self._stored) - self._position
            problem = Problem(
                f"{relative(self.path)}:{self._position + 1}",
                f"the log goes on with {_outline(_parsed(self._stored[self._position]))}; the run has ended here",
                _REMEDY,
            )
            raise LogDivergedError(f"{relative(self.path)} holds {left} events more than its run.", [problem])

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.finish()
        else:
            self.close()

    def _event(
        self, type: str, subject: str, time: datetime, content: Mapping, custom: Mapping, chain: str
    ) -> dict[str, Any]:
        problems = []
        if type not in EVENT_TYPES:
            problems.append(Problem(type, "unknown type of event", f"one of: {', '.join(EVENT_TYPES)}"))
        if time.tzinfo is None:
            problems.append(Problem("time", f"{time} has no zone", "give a time in UTC"))
        if "chain" in custom:
            problems.append(Problem("custom.chain", "the key is taken", "give the chain as the argument"))
        if problems:
            raise InputError(f"An event {type} of {subject} cannot be written.", problems)
        context = {
            "specversion": SPECVERSION,
            "id": str(uuid.uuid5(_NAMESPACE, f"{self.run_id}#{self._position + 1}")),
            "source": self.source,
            "type": EVENT_TYPES[type],
            "timestamp": time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z",
        }
        event = {"context": context, "subject": {"id": subject, "content": dict(content)}}
        if chain:
            context["chainId"] = _chain_id(self.run_id, chain)
        if chain or custom:
            event["customData"] = {**custom, **({"chain": chain} if chain else {})}
        return event

    def _write(self, data: bytes) -> None:
        with disk_errors(self.path.parent):
            try:
                written = os.write(self._handle, data)
                while written < len(data):  # a signal or a device that is almost full
                    written += os.write(self._handle, data[written:])
                os.fsync(self._handle)
            except OSError:
                os.ftruncate(self._handle, self._size)
                raise
        self._size += len(data)

    def _diverged(self, stored: bytes, line: bytes) -> LogDivergedError:
        where = f"{relative(self.path)}:{self._position + 1}"
        old, new = _parsed(stored), json.loads(line)
        problems = [Problem(where, f"the log holds {_outline(old)}; the run now says {_outline(new)}", _REMEDY)]
        if isinstance(old, dict):
            problems += [Problem(f"{where}, {key}", f"was {a}, is now {b}") for key, a, b in _differences(old, new)]
        else:
            problems.append(Problem(where, f"the line is no event: {stored[:120].decode(errors='replace')!r}"))
        return LogDivergedError(f"{where} is not what the run says this time.", problems)


_REMEDY = "inputs or code have changed since the log was begun: move it away, then run again"


class LogSink:
    """Lets a simulation in hours write to a log in calendar time.

    Parameters
    ----------
    log : EventLog
    moment : callable
        Virtual hours → point in time.
    """

    def __init__(self, log: EventLog, moment: Callable[[float], datetime]) -> None:
        self.log, self.moment = log, moment

    def emit(
        self, kind: str, subject: str, time_h: float, content: Mapping[str, Any], custom: Mapping[str, Any], chain: str
    ) -> None:
        """Write one event. The types of our own have a place for everything: their custom data are content."""
        if kind in CUSTOM_TYPES:
            content, custom = {**content, **custom}, {}
        self.log.append(kind, subject, self.moment(time_h), content, custom, chain)


def _chain_id(run_id: str, chain: str) -> str:
    """A UUID in the form of version 4, as the specification asks for chains, but always the same."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"{run_id}/{chain}".encode()).digest()[:16], version=4))


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _outline(event: Any) -> str:
    try:
        context = event["context"]
        return f"{short_type(context['type'])} of {event['subject']['id']} at {context['timestamp']}"
    except (KeyError, TypeError):
        return "something that is no event"


def _differences(old: Any, new: Any, where: str = "") -> Iterator[tuple[str, str, str]]:
    """Every place where two JSON values differ: where, before, now."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            inner = f"{where}.{key}" if where else key
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), inner)
    elif isinstance(old, list) and isinstance(new, list):
        for i, (a, b) in enumerate(zip_longest(old, new, fillvalue=_ABSENT)):
            yield from _differences(a, b, f"{where}[{i}]")
    elif type(old) is not type(new) or old != new:
        yield where, *("absent" if item is _ABSENT else json.dumps(item) for item in (old, new))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@cache
def _validators() -> dict[str, Any]:
    # Imported here because its import costs a second, which a run whose log is complete never needs.
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    definitions = schema["$defs"]
    return {
        name: Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})
        for name in ("event", *EVENT_TYPES)
    }


def validate_event(event: Any) -> list[Problem]:
    """Every violation of ``data/experiment/events.schema.json`` in one event; an empty list if it is valid.

    The schema holds all types that the experiment writes, the standard ones more narrowly than CDEvents does.

    >>> validate_event({"context": {}})[-1].what
    "'subject' is a required property"
    """
    problems = [_violation(error, "") for error in _validators()["event"].iter_errors(event)]
    try:
        kind, content = short_type(event["context"]["type"]), event["subject"]["content"]
    except (KeyError, TypeError):
        return problems
    if kind in EVENT_TYPES:
        problems += [_violation(error, "subject.content") for error in _validators()[kind].iter_errors(content)]
    return problems


def _violation(error: Any, prefix: str) -> Problem:
    where = ".".join(filter(None, [prefix, *map(str, error.absolute_path)]))
    return Problem(where or "event", error.message[:300], f"see {relative(SCHEMA)}")
