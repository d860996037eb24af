"""What is tracked, written down locally first: the record that a tracking service is checked against.

Every training and every arm-run gives one line of ``tracking.jsonl``: configuration, metrics,
digests of pictures and files. The line alone is the authority; a tracking service holds a copy for
people to look at, and `compare_runs` tells where the copy differs. Nothing here knows the service,
except how it names content: the digest of a set of files (`compute_manifest_digest`).

A run's id follows from the key of the work that it shows, so that work done once is one run, however
often and from wherever it is tracked. What is tracked of a work must therefore follow from the work
alone: the group of a training, say, must not be the arm that happened to ask for it first.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from analysis.base.errors import Problem
from analysis.base.paths import disk_errors, relative
from analysis.experiment.scenes import Detections, Scene

RECORD_FILE = "tracking.jsonl"

KINDS = {"training": "epoch", "arm-run": "time_h"}
"""Kind of run → the column of its history that its metrics are drawn over."""


@dataclass(frozen=True, slots=True)
class TrackedFiles:
    """Files that a run read or made.

    Attributes
    ----------
    name : str
        What they are, without digest: ``"batch"``, ``"inspector"``.
    kind : str
        ``"dataset"``, ``"model"``, ``"event-log"``, …
    path : Path
        A file or a folder whose content never changes.
    digest : str
        Digest of the content as the experiment knows it.
    made : bool
        True for what the run made, False for what it read.
    """

    name: str
    kind: str
    path: Path
    digest: str
    made: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """One sample image with what is true of it and what the model reports."""

    scene: Scene
    detections: Detections
    caption: str = ""


@dataclass(frozen=True, slots=True)
class TrackedTraining:
    """One training: its work key, settings, a row of metrics an epoch, and what it read and made.

    ``config`` is any JSON-like mapping; rows of ``history`` hold ``epoch`` and numbers (None: no value in
    this epoch); ``classes`` are the names behind the classes of ``pictures``.
    """

    key: str
    name: str
    group: str
    config: Mapping
    history: Sequence[Mapping]
    seconds: float
    files: Sequence[TrackedFiles] = ()
    pictures: Sequence[Picture] = ()
    classes: Sequence[str] = ()
    tags: Sequence[str] = ()
    summary: Mapping = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrackedArmRun:
    """One arm played on one seed: series over virtual time (rows hold ``time_h``), outcome, trainings that it used.

    ``trainings`` are the work keys of the trainings.
    """

    key: str
    arm: str
    seed: int
    config: Mapping
    series: Sequence[Mapping]
    summary: Mapping
    trainings: Sequence[str] = ()
    files: Sequence[TrackedFiles] = ()
    tags: Sequence[str] = ()
    group: str = "arms"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What a tracking service holds of one run, as read back from its files."""

    id: str
    folder: Path
    complete: bool
    name: str = ""
    group: str = ""
    kind: str = ""
    tags: tuple[str, ...] = ()
    config: Mapping = field(default_factory=dict)
    history: tuple[Mapping, ...] = ()
    summary: Mapping = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name → (digest of the set of files, "made" or "read")."""
    gone: tuple[str, ...] = ()
    """Files that the run refers to and that are no longer there."""
    system_samples: int = 0
    uploaded: bool = False


def run_id(kind: str, key: str) -> str:
    """The id of the run that shows the work ``key``; the same in every process and on every machine.

    >>> run_id("training", "a1")
    'training-e7fa27b15a81d977'
    """
    return f"{kind}-{hashlib.sha256(f'{kind}:{key}'.encode()).hexdigest()[:16]}"


def build_training_record(training: TrackedTraining) -> dict:
    """The record line of a training; see `build_record`."""
    history = [plain_row(row) for row in training.history]
    last = history[-1] if history else {}
    return _build_record(
        "training",
        training.key,
        name=training.name,
        group=training.group,
        tags=training.tags,
        config=training.config,
        history=history,
        summary={**last, **plain_row(training.summary), "seconds": float(training.seconds)},
        files=training.files,
        pictures=training.pictures,
        classes=training.classes,
    )


def build_arm_record(arm_run: TrackedArmRun) -> dict:
    """The record line of an arm-run; its config names the runs of the trainings that it used."""
    trainings = [run_id("training", key) for key in arm_run.trainings]
    return _build_record(
        "arm-run",
        arm_run.key,
        name=f"{arm_run.arm}-seed{arm_run.seed}",
        group=arm_run.group,
        tags=arm_run.tags,
        config={**arm_run.config, "arm": arm_run.arm, "seed": arm_run.seed, "trainings": trainings},
        history=[plain_row(row) for row in arm_run.series],
        summary=plain_row(arm_run.summary),
        files=arm_run.files,
    )


def append_record(path: Path, record: Mapping) -> None:
    """Append one line, whole and on disk before this returns; a line torn by a killed run is cut off first.

    Raises
    ------
    DiskFullError
        The device is full; what stood before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    line = canonical(record).encode() + b"\n"
    with disk_errors(path.parent), path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # arms may run side by side and share the record
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            if whole < end:
                file.truncate(whole)
                end = whole
        try:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), end)
            raise


def load_records(path: Path) -> tuple[dict[str, dict], list[Problem]]:
    """Records by run id, the last line of an id counting, and a problem for every line that cannot be read.

    A last line without its end is no problem: a killed run left it, and its work is tracked again on resume.
    """
    if not path.exists():
        return {}, []
    records, problems = {}, []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            record = json.loads(line)
            records[record["id"]] = record
        except (ValueError, TypeError, KeyError):
            remedy = "delete the line; the run is recorded again when its work comes up next"
            problems.append(Problem(f"{relative(path)}, line {number}", "is not a record", remedy))
    return records, problems


def compute_manifest_digest(files: Mapping[str, Path]) -> str:
    """Digest of a set of files as W&B computes it: MD5 over the sorted lines ``name:base64(MD5(content))``."""
    digest = hashlib.md5(b"wandb-artifact-manifest-v1\n", usedforsecurity=False)
    for name in sorted(files):
        content = hashlib.md5(files[name].read_bytes(), usedforsecurity=False).digest()
        digest.update(f"{name}:{base64.b64encode(content).decode()}\n".encode())
    return digest.hexdigest()


def list_files(path: Path) -> dict[str, Path]:
    """Name → file, of one file or of every file in a folder and below; names with POSIX slashes."""
    if path.is_dir():
        return {file.relative_to(path).as_posix(): file for file in sorted(path.rglob("*")) if file.is_file()}
    return {path.name: path}


def files_name(files: TrackedFiles) -> str:
    """Name with digest, so that equal content has one name, whoever tracks it and in whatever order."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", f"{files.name}-{files.digest.removeprefix('sha256:')[:16]}")


def picture_digest(image: np.ndarray) -> str:
    """Digest of the pixels (with the image's shape)."""
    return hashlib.sha256(f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(record: Mapping) -> str:
    """Digest of a whole record; the service's copy carries it, so that a changed record is noticed."""
    return hashlib.sha256(canonical(record).encode()).hexdigest()


def plain(value: object) -> object:
    """The value as JSON keeps it: NumPy numbers as numbers, tuples as lists, NaN and infinities as words.

    >>> plain({"a": np.float32(0.5), "b": (1, None), "c": float("nan")})
    {'a': 0.5, 'b': [1, None], 'c': 'NaN'}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def plain_row(row: Mapping) -> dict:
    """A row of metrics as JSON keeps it; a metric that is None has no value in this row and no key.

    >>> plain_row({"epoch": 1, "mAP50": None})
    {'epoch': 1}
    """
    return plain({key: value for key, value in row.items() if value is not None})


def _build_record(
    kind: str,
    key: str,
    *,
    name: str,
    group: str,
    tags: Sequence[str],
    config: Mapping,
    history: list[dict],
    summary: dict,
    files: Sequence[TrackedFiles],
    pictures: Sequence[Picture] = (),
    classes: Sequence[str] = (),
) -> dict:
    sets = {
        files_name(item): {
            "kind": item.kind,
            "digest": item.digest,
            **_describe_files(item.path, item.digest),
            "use": "made" if item.made else "read",
        }
        for item in files
    }
    return {
        "id": run_id(kind, key),
        "kind": kind,
        "key": key,
        "name": name,
        "group": group,
        "tags": sorted(set(tags)),
        "config": plain(config),
        "history": history,
        "summary": summary,
        "files": sets,
        "pictures": [
            {
                "pixels": picture_digest(picture.scene.image),
                "caption": picture.caption,
                "objects": len(picture.scene.boxes),
                "detections": len(picture.detections.boxes),
            }
            for picture in pictures
        ],
        "classes": list(classes),
    }


@lru_cache(maxsize=1024)
def _describe_files(path: Path, digest: str) -> dict:
    """What is in a set of files; read once a process for the ``digest`` that says its content."""
    found = list_files(path)
    return {
        "manifest": compute_manifest_digest(found),
        "count": len(found),
        "bytes": sum(file.stat().st_size for file in found.values()),
    }
