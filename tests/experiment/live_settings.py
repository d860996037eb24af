"""Settings and reading of logs for tests that play arm-runs with the live executor.

Models are really trained, exported and served. The first model is the one of the quick profile and lies in the
project's store of work, so tests and report train it once; everything else of these runs (logs, tracking) lies
in a folder of the test.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.experiment import outcomes, vocabulary
from analysis.experiment.event_table import read_events
from analysis.experiment.events import validate_event
from analysis.experiment.run import FOLDER, play_arm
from analysis.experiment.settings import SCENARIO, Settings, load_settings
from tests.experiment.test_vocabulary import CUSTOM_RULE, OFFICIAL, official_faults

SEED = 3529
"""Of all scripted arm-runs; not one of the profiles', whose windows of production these must not become."""

SCALE = 0.25
"""How long people take, as a share of what the effort file says."""

Script = Sequence[tuple[float, str, int]]


def scripted(script: Script, days: float, **more: Any) -> Settings:
    """The quick profile with these events instead of drawn ones, quick people and few, clear measurements.

    Every answer that a window holds is labelled, so that one window is enough for quality monitoring; the limit
    of latency is what the slow code of ``latency_regression`` 2 sleeps, so that it always exceeds it, and leaves a busy
    machine as much room as there is. Monitors are soon enough for a rollback, and people are not, whether they find a
    model bad or useless; which of the two it is lies within what trainings differ from machine to machine.
    """
    scenario = {
        "weeks": days / 7,
        "settle_h": 0,
        "script": [list(event) for event in script],
        "production": {"every_h": 24, "labelled": 64},
        "service_level": {"quality_share": 0.7, "latency_p95_s": 0.15},
        "controls": {"smoke_requests": 20, "rollback_within_h": 2, "false_alarms_per_window": 0.002},
        "data": {"mislabelled_share": 1.0},
    }
    quick = load_settings("quick")
    values = {"seeds": (SEED,), "training_images": 128, "effort_scale": SCALE, "scenario": scenario} | more
    return replace(quick, name="test", **values)


def share_work(folder: Path) -> Path:
    """Have runs in ``folder`` use the project's store of work."""
    folder.mkdir(parents=True, exist_ok=True)
    (FOLDER / "work").mkdir(parents=True, exist_ok=True)
    (folder / "work").symlink_to(FOLDER / "work", target_is_directory=True)
    return folder


def play(settings: Settings, folder: Path, arms: Sequence[str]) -> outcomes.Run:
    """Play arms one after the other in this process and read their logs."""
    for arm in arms:
        for seed in settings.seeds:
            play_arm(settings, folder / "run", folder, arm, seed)
    return read_logs(replace(settings, arms=tuple(arms)), folder / "run")


def read_logs(settings: Settings, folder: Path) -> outcomes.Run:
    """The logs of arm-runs as `outcomes.load_run` would read them from a complete run."""
    frames = []
    for arm in settings.arms:
        for seed in settings.seeds:
            events = read_events(folder / f"{arm}-{seed}" / "events.jsonl").reset_index()
            hours = (events["time"] - events["time"].iloc[0]) / pd.Timedelta(hours=1)
            frames.append(events.assign(arm=arm, seed=seed, time_h=hours))
    about = {
        "settings": {"arms": settings.arms, "seeds": settings.seeds, "scenario": settings.scenario},
        "scenario": SCENARIO.read_text(encoding="utf-8"),
    }
    return outcomes.Run(about, pd.concat(frames, ignore_index=True), folder)


def fates(run: outcomes.Run) -> dict[str, dict[str, str]]:
    """For every arm: event of the stream → what stopped it, or who noticed it in production and what ended it."""
    found: dict[str, dict[str, str]] = {arm: {} for arm in run.arms}
    degradations = outcomes.compute_degradations(run)
    for change in outcomes.compute_changes(run).itertuples():
        down = _caused_by(degradations, change.arm, change.name)
        if change.stopped_before:
            fate = change.refused_by.split("+")[0]
        else:
            fate = " then ".join(dict.fromkeys(down)) or ("in production" if change.deployed_h >= 0 else "waiting")
        found[change.arm][change.name] = fate
    for step in run.events[run.events["type"] == "world.changed"].itertuples():
        down = _caused_by(degradations, step.arm, step.subject)
        found[step.arm][step.subject] = " then ".join(dict.fromkeys(down)) or "no harm"
    return found


def _caused_by(degradations: pd.DataFrame, arm: str, name: str) -> list[str]:
    mine = degradations[(degradations["arm"] == arm) & degradations["causes"].str.split("+").map(lambda c: name in c)]
    return [f"{row.detected_by or 'nobody'}, {row.ended_by or 'never'}" for row in mine.itertuples()]


def select(run: outcomes.Run, arm: str, kind: str, chain: str | None = None) -> pd.DataFrame:
    """Events of one type (and chain) in the log of one arm."""
    events = run.events
    mine = (events["arm"] == arm) & (events["type"] == kind)
    return events[mine if chain is None else mine & (events["chain"] == chain)]


def log_faults(log: Path) -> list[str]:
    """What is wrong with a log by our schema and, where they are at hand, by the official ones."""
    found = []
    for number, line in enumerate(log.read_text(encoding="utf-8").splitlines(), start=1):
        event = json.loads(line)
        faults = [f"{problem.where}: {problem.what}" for problem in validate_event(event)]
        if OFFICIAL.is_dir():
            envelope = copy.deepcopy(event)
            if CUSTOM_RULE.fullmatch(event["context"]["type"]):  # the official rule is the envelope and the name
                envelope["context"]["type"] = vocabulary.EVENT_TYPES["change.merged"]
                envelope["subject"]["content"] = {}
            faults += official_faults(envelope)
        found += [f"line {number}: {fault}" for fault in faults]
    return found
