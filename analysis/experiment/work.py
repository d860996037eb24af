"""Work is done once: a store of results, named by what they are made from.

The name of a result is the digest of its kind and its inputs, so that the same training asked for by another
arm, by another run or after a kill is found and not done again, and its seconds are those of the day when
it was really done::

    store = WorkStore(root)
    done = store.do("training", {"data": digest, "settings": settings}, lambda folder: train_into(folder))
    done.folder / "best.pt", done.outputs["map50"], done.seconds

A result appears whole, by the renaming of a folder. Inputs must therefore name everything that decides the
result (settings, seeds, digests of files and of code), and files must not hold the path of the folder that
they were made in: it is another one while the work is done.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from analysis.base.errors import InputError, Problem
from analysis.base.paths import disk_errors, relative, write_atomic
from analysis.base.provenance import machine
from analysis.experiment.canonical import canonical, digest, plain
from analysis.experiment.locking import locked, locked_if_free

RECORD = "record.json"
_BUILDING = ".building"


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work that is done.

    Attributes
    ----------
    key : str
        Digest of kind and inputs.
    folder : Path
        The files that it made; to be read only.
    record : dict
        ``kind``, ``inputs``, ``outputs`` (what the work returned), ``seconds``, ``files`` (name → SHA-256),
        ``created`` (UTC), ``machine``.
    reused : bool
        Whether it had been done before this call.
    """

    key: str
    folder: Path
    record: Mapping[str, Any]
    reused: bool

    @property
    def outputs(self) -> dict[str, Any]:
        """What the work returned, as it comes back from JSON."""
        return self.record["outputs"]

    @property
    def seconds(self) -> float:
        """How long it took when it was done; always from the record."""
        return self.record["seconds"]


class WorkStore:
    """Results under ``root``: ``<kind>/<first two digits>/<digest>/``.

    Any number of threads and processes may use one root. What a killed run left unfinished is removed when
    a store is opened, damaged results are moved to ``set-aside/``.

    Parameters
    ----------
    root : Path
    notify : callable
        Told in one line about damaged results and long waits; prints to standard error unless given.
    clock : callable
        Time of day for ``created``.
    timer : callable
        Seconds of a steady clock, for ``seconds``.
    """

    def __init__(
        self,
        root: Path,
        notify: Callable[[str], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.root = root
        self._notify = notify or (lambda text: print(text, file=sys.stderr, flush=True))
        self._clock, self._timer = clock, timer
        self._known: dict[str, Work] = {}
        self._doing = threading.local()
        root.mkdir(parents=True, exist_ok=True)
        for leftover in root.glob(f"*/??/*{_BUILDING}"):
            with locked_if_free(self._lock(leftover.name.removesuffix(_BUILDING))) as free:
                if free:
                    shutil.rmtree(leftover, ignore_errors=True)

    def do(self, kind: str, inputs: Mapping[str, Any], work: Callable[[Path], Mapping[str, Any]]) -> Work:
        """The result of ``work``, done now or before.

        Parameters
        ----------
        kind : str
            What sort of work; lower-case letters, digits and underscores.
        inputs : mapping
            Everything that decides the result, as JSON.
        work : callable
            Gets an empty folder, writes its files there and returns its outputs, as JSON. Only the first of
            those who ask for the same work at the same time does it; the others wait.

        Returns
        -------
        Work
            ``outputs`` are the same to the last bit whether the work was done now or before.

        Raises
        ------
        InputError
            A bad kind; inputs or outputs that JSON does not hold; links among the files.
        DiskFullError
            No room for the result.
        Exception
            Whatever ``work`` raises; nothing of it is kept then.
        """
        if not re.fullmatch(r"[a-z][a-z0-9_]*", kind):
            raise InputError("Work has no proper kind.", [Problem("kind", f"got {kind!r}", "such as 'training'")])
        inputs = plain(inputs, f"inputs of {kind}")
        key = _key(kind, inputs)
        known = self._known.get(key)
        if known is not None and (known.folder / RECORD).is_file():
            return known
        folder = self.root / kind / key[:2] / key
        if key in self._mine():
            raise RuntimeError(f"{kind} asks for itself: the work would wait for its own end")
        found = self._find(kind, inputs, folder)
        reused = found is not None
        if found is None:
            waiting = f"{kind} {key[:12]}: another process is doing it; waiting"
            with locked(self._lock(key), lambda: self._notify(waiting)):
                found = self._find(kind, inputs, folder, mend=True)  # done while we waited?
                reused = found is not None
                if found is None:
                    self._mine().add(key)
                    try:
                        found = self._build(kind, inputs, folder, work)
                    finally:
                        self._mine().discard(key)
        self._known[key] = Work(key, folder, found, True)
        return Work(key, folder, found, reused)

    def _mine(self) -> set[str]:
        if not hasattr(self._doing, "keys"):
            self._doing.keys = set()
        return self._doing.keys

    def _lock(self, key: str) -> Path:
        return self.root / ".locks" / key

    def _find(self, kind: str, inputs: Any, folder: Path, mend: bool = False) -> dict[str, Any] | None:
        """The record of a whole result; None if there is none. With ``mend`` a damaged one is set aside."""
        if not folder.is_dir():
            return None
        record, fault = _read(kind, inputs, folder)
        if not fault:
            return record
        if mend:
            target = _free_name(self.root / "set-aside", f"{kind}-{folder.name[:12]}")
            target.parent.mkdir(exist_ok=True)
            folder.rename(target)
            self._notify(f"{relative(folder)} is damaged ({fault}): set aside as {relative(target)}, done again")
        return None

    def _build(self, kind: str, inputs: Any, folder: Path, work: Callable[[Path], Any]) -> dict[str, Any]:
        building = folder.with_name(folder.name + _BUILDING)
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        try:
            with disk_errors(self.root):
                start = self._timer()
                outputs = work(building)
                seconds = round(self._timer() - start, 6)
                if not isinstance(outputs, Mapping):
                    what = f"returned {type(outputs).__name__}"
                    raise InputError(f"{kind} has no outputs.", [Problem(kind, what, "return a mapping")])
                record = {
                    "kind": kind,
                    "inputs": inputs,
                    "outputs": plain(outputs, f"outputs of {kind}"),
                    "seconds": seconds,
                    "files": {name: _sealed(path) for name, path in _files(building)},
                    "created": self._clock().astimezone(UTC).isoformat(timespec="seconds"),
                    "machine": machine(),
                }
                write_atomic(building / RECORD, json.dumps(record, indent=1, sort_keys=True, allow_nan=False) + "\n")
                for inner in [*(path for path in building.rglob("*") if path.is_dir()), building]:
                    _sync(inner)
                building.rename(folder)
                _sync(folder.parent)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        return json.loads((folder / RECORD).read_bytes())


def _key(kind: str, inputs: Any) -> str:
    return digest(canonical({"kind": kind, "inputs": inputs}, kind))


def _read(kind: str, inputs: Any, folder: Path) -> tuple[dict[str, Any], str]:
    """The record of a result and what is wrong with the result, or an empty text."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        if record["kind"] != kind or record["inputs"] != inputs:
            return {}, "its record is of other work"
        if not isinstance(record["outputs"], dict) or not isinstance(record["seconds"], float | int):
            return {}, "its record has no outputs or seconds"
        for name, expected in record["files"].items():
            if not (folder / name).is_file():
                return {}, f"{name} is missing"
            if _digest_of(folder / name) != expected:
                return {}, f"{name} is not what was stored"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return {}, f"its record cannot be read: {type(error).__name__} {error}"
    return record, ""


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Regular files below ``folder`` in order, by their name relative to it."""
    problems = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            problems.append(Problem(name, "is a link or a device", "copy the file itself"))
        elif name == RECORD:
            problems.append(Problem(name, "the name is taken by the store", "choose another one"))
        elif path.is_file():
            yield name, path
    if problems:
        raise InputError("A result holds what cannot be kept.", problems)


def _sealed(path: Path) -> str:
    _sync(path)
    return _digest_of(path)


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _free_name(folder: Path, stem: str) -> Path:
    number = 1
    while (folder / f"{stem}-{number}").exists():
        number += 1
    return folder / f"{stem}-{number}"
