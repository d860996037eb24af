"""Recorded runs: what a live run left, as small files under ``data/experiment/recorded``.

A recording holds the event logs, what was run on what, every piece of work with its seconds, and a few
pictures. Runs from several machines live side by side; the report says which one it uses.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA, disk_errors, relative, write_atomic
from analysis.experiment.identity import experiment_code

RECORDED = DATA / "experiment" / "recorded"


def record_run(run: Path, target: Path = RECORDED) -> Path:
    """Store a complete run; returns its folder, named by date, profile and device.

    Raises
    ------
    InputError
        The run is not complete.
    """
    try:
        about = json.loads((run / "run.json").read_text(encoding="utf-8"))
        logs = {
            f"{item['arm']}-{item['seed']}": (run / f"{item['arm']}-{item['seed']}" / "events.jsonl").read_bytes()
            for item in about["arm_runs"]
        }
    except (OSError, ValueError) as error:
        problem = Problem(relative(run), str(error), "run it to its end first: make experiment")
        raise InputError("Only a complete run can be recorded.", [problem]) from None
    device = re.sub(r"[^a-z0-9]+", "-", about["device"].lower()).strip("-")
    cores = about["machine"]["cores"]
    place = target / f"{about['created'][:10]}-{about['profile']}-{device}-{cores}-cores"
    draft = place.with_name(f".{place.name}")
    shutil.rmtree(draft, ignore_errors=True)
    with disk_errors(target.parent):
        for item in about["arm_runs"]:
            cell = f"{item['arm']}-{item['seed']}"
            write_atomic(draft / cell / "events.jsonl.gz", gzip.compress(logs[cell], 9, mtime=0))
            if item["seed"] == about["settings"]["seeds"][0]:
                for name in ("samples.png", "samples.json"):
                    write_atomic(draft / cell / name, (run / cell / "samples" / name).read_bytes())
        write_atomic(draft / "run.json", json.dumps(about, indent=None, separators=(",", ":")) + "\n")
        shutil.rmtree(place, ignore_errors=True)
        draft.replace(place)
    return place


def list_recordings(folder: Path = RECORDED) -> pd.DataFrame:
    """Every recorded run, oldest first.

    Returns
    -------
    DataFrame
        ``name``, ``profile``, ``created``, ``device``, ``cores``, ``python``, ``torch``, ``ultralytics``, ``arms``
        (number), ``seeds`` (number), ``weeks``, ``wall_seconds``, ``code_as_now`` (whether the experiment's code has
        not changed since).
    """
    rows = []
    for path in sorted(folder.glob("[!.]*/run.json")):
        about = json.loads(path.read_text(encoding="utf-8"))
        versions = about["versions"]
        rows.append(
            {
                "name": path.parent.name,
                "profile": about["profile"],
                "created": about["created"],
                "device": about["device"],
                "cores": about["machine"]["cores"],
                "python": about["machine"]["python"],
                "torch": versions.get("torch", ""),
                "ultralytics": versions.get("ultralytics-opencv-headless") or versions.get("ultralytics", ""),
                "arms": len(about["settings"]["arms"]),
                "seeds": len(about["settings"]["seeds"]),
                "weeks": about["settings"]["scenario"].get("weeks") or yaml.safe_load(about["scenario"])["weeks"],
                "wall_seconds": about["wall_seconds"],
                "code_as_now": about["code"] == experiment_code(),
            }
        )
    columns = ["name", "profile", "created", "device", "cores", "python", "torch", "ultralytics", "arms", "seeds"]
    frame = pd.DataFrame(rows, columns=[*columns, "weeks", "wall_seconds", "code_as_now"])
    return frame.sort_values("created", ignore_index=True)


def choose_recording(
    name: str = "", profiles: Sequence[str] = ("gpu", "full", "quick"), folder: Path = RECORDED
) -> Path:
    """The folder of the recording called ``name``; without a name, the newest of the largest profile, or of any other.

    Raises
    ------
    InputError
        No such recording, or none at all.
    """
    found = list_recordings(folder)
    if name:
        if name not in set(found["name"]):
            known = ", ".join(found["name"]) or "none"
            raise InputError(f"There is no recording '{name}'.", [Problem(relative(folder), f"it has: {known}")])
        return folder / name
    for profile in profiles:
        of_profile = found[found["profile"] == profile]
        if len(of_profile):
            return folder / of_profile["name"].iloc[-1]
    if len(found):
        return folder / found["name"].iloc[-1]
    raise InputError("No run has been recorded.", [Problem(relative(folder), "it is empty", "make record")])
