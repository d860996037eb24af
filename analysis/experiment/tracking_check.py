"""Does the tracking service hold what the local record says? A table of all runs, and every difference by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import pandas as pd

from analysis.base.errors import Problem
from analysis.base.paths import relative
from analysis.experiment.tracking_records import StoredRun, fingerprint

AGAIN = "give the same command again: runs that are missing or unfinished are tracked anew from the record"

COLUMNS = ["run", "name", "kind", "state", "epochs", "pictures", "files", "system_samples", "uploaded", "differences"]


def compare_runs(records: Mapping[str, Mapping], stored: Iterable[StoredRun]) -> tuple[pd.DataFrame, list[Problem]]:
    """Compare the service's copy with the record.

    Parameters
    ----------
    records : mapping
        Run id → record, from `load_records`.
    stored : iterable of StoredRun
        Everything that the service's folder holds.

    Returns
    -------
    (table, problems)
        One row a run: ``run`` (id), ``name``, ``kind``, ``state`` ("agrees", "differs", "missing", "unfinished",
        "duplicated", "unrecorded"), ``epochs`` (rows of history), ``pictures``, ``files``, ``system_samples``,
        ``uploaded`` and ``differences`` (count). Problems name every difference; none: the copy is true.
    """
    held: dict[str, list[StoredRun]] = defaultdict(list)
    for run in stored:
        held[run.id].append(run)
    rows, problems = [], []
    for run in sorted({*records, *held}):
        record, copies = records.get(run), held.get(run, [])
        state, found = _judge(run, record, copies)
        problems += found
        newest = copies[-1] if copies else None
        rows.append(
            {
                "run": run,
                "name": record["name"] if record else newest.name,
                "kind": record["kind"] if record else newest.kind,
                "state": state,
                "epochs": len(newest.history) if newest else 0,
                "pictures": len(newest.pictures) if newest else 0,
                "files": len(newest.files) if newest else 0,
                "system_samples": newest.system_samples if newest else 0,
                "uploaded": bool(newest and newest.uploaded),
                "differences": len(found),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS), problems


def _judge(run: str, record: Mapping | None, copies: list[StoredRun]) -> tuple[str, list[Problem]]:
    if not copies:
        return "missing", [Problem(run, "is recorded, but W&B has no such run", AGAIN)]
    if len(copies) > 1:
        folders = ", ".join(relative(copy.folder) for copy in copies)
        return "duplicated", [Problem(run, f"is there {len(copies)} times: {folders}", "delete all but one")]
    copy = copies[0]
    if not copy.complete:
        return "unfinished", [Problem(run, "was cut off before its end", AGAIN)]
    if record is None:
        remedy = f"delete {relative(copy.folder)}, or restore the record"
        return "unrecorded", [Problem(run, "is in W&B, but not in the record", remedy)]
    problems = [
        Problem(run, what, f"delete {relative(copy.folder)}; then {AGAIN}") for what in _differences(record, copy)
    ]
    return ("differs" if problems else "agrees"), problems


def _differences(record: Mapping, copy: StoredRun) -> list[str]:
    found = []
    for name, wanted, got in (
        ("name", record["name"], copy.name),
        ("group", record["group"], copy.group),
        ("kind", record["kind"], copy.kind),
        ("tags", record["tags"], sorted(copy.tags)),
    ):
        if wanted != got:
            found.append(f"{name}: recorded {wanted!r}, W&B has {got!r}")
    found += _unequal("config", record["config"], copy.config)
    if len(record["history"]) != len(copy.history):
        found.append(f"history: {len(record['history'])} rows recorded, W&B has {len(copy.history)}")
    for place, (wanted, got) in enumerate(zip(record["history"], copy.history, strict=False), start=1):
        found += _unequal(f"history, row {place}", wanted, got)
    summary = {**record["summary"], "record": fingerprint(record)}
    found += _unequal("summary", summary, {key: copy.summary[key] for key in summary if key in copy.summary})
    if [picture["pixels"] for picture in record["pictures"]] != list(copy.pictures):
        found.append(f"pictures: {len(record['pictures'])} recorded, W&B has {len(copy.pictures)} or other ones")
    wanted = {name: (files["manifest"], files["use"]) for name, files in record["files"].items()}
    for name in sorted({*wanted, *copy.files}):
        if name not in copy.files:
            found.append(f"artifact {name}: recorded, but W&B has none")
        elif name not in wanted:
            found.append(f"artifact {name}: in W&B, but not recorded")
        elif wanted[name] != tuple(copy.files[name]):
            found.append(f"artifact {name}: recorded {wanted[name]}, W&B has {tuple(copy.files[name])}")
    return found + [f"file {name}: no longer there, it cannot be uploaded" for name in copy.gone]


def _unequal(where: str, wanted: Mapping, got: Mapping) -> list[str]:
    return [
        f"{where}, {key}: recorded {wanted.get(key, 'nothing')!r}, W&B has {got.get(key, 'nothing')!r}"
        for key in sorted({*wanted, *got})
        if key not in wanted or key not in got or wanted[key] != got[key]
    ]
