"""What came of a run, computed from its event logs alone.

The unit is the arm-run: one arm on one seed. Hours are virtual. An interval that the horizon cuts off (an
incident still open, a change not yet in production) is kept with ``censored`` set and the hours until the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.experiment.event_table import read_events
from analysis.experiment.scenario import CODE_KINDS, FAULTY

LOG_NAMES = ("events.jsonl", "events.jsonl.gz")
STOPPED_BY = ("unit tests", "data validation", "training", "evaluation gate", "smoke test", "canary", "deployment")
"""Stages that can refuse a change or batch, in the order in which they come."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as read from its folder.

    Attributes
    ----------
    about : mapping
        ``run.json``: profile, settings, machine, device, versions, when.
    events : DataFrame
        All logs: ``arm``, ``seed``, ``time_h`` and the columns of `read_events`.
    folder : Path
    """

    about: Mapping[str, Any]
    events: pd.DataFrame
    folder: Path

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(self.about["settings"]["arms"])

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(self.about["settings"]["seeds"])

    @property
    def scenario(self) -> dict[str, Any]:
        """The scenario as it was, with the profile's own values."""
        content = yaml.safe_load(self.about["scenario"])
        for key, value in self.about["settings"]["scenario"].items():
            content[key] = {**content[key], **value} if isinstance(value, dict) else value
        return content

    @property
    def horizon_h(self) -> float:
        return 168.0 * self.scenario["weeks"]


def load_run(folder: Path) -> Run:
    """Read a complete run, live or recorded.

    Raises
    ------
    InputError
        No complete run there, or a log that is damaged.
    """
    path = folder / "run.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        remedy = "run the experiment to its end: make experiment"
        raise InputError("There is no complete run.", [Problem(relative(path), str(error), remedy)]) from None
    frames = []
    for item in about["arm_runs"]:
        place = folder / f"{item['arm']}-{item['seed']}"
        log = next((place / name for name in LOG_NAMES if (place / name).is_file()), place / LOG_NAMES[0])
        frame = read_events(log).reset_index()
        start = frame["time"].iloc[0]
        frame.insert(0, "arm", item["arm"])
        frame.insert(1, "seed", item["seed"])
        frame.insert(2, "time_h", (frame["time"] - start) / pd.Timedelta(hours=1))
        frames.append(frame)
    return Run(about, pd.concat(frames, ignore_index=True), folder)


def _cells(run: Run):
    for (arm, seed), events in run.events.groupby(["arm", "seed"], sort=False):
        yield {"arm": arm, "seed": seed}, events


def compute_quality(run: Run) -> pd.DataFrame:
    """Production over time: one row a window.

    Returns
    -------
    DataFrame
        ``arm``, ``seed``, ``time_h``, ``map50`` (of the window), ``map50_pooled``, ``target``, ``error_share``,
        ``latency_p95_s``, ``release``, ``degraded``.
    """
    windows = run.events[run.events["type"] == "observation.recorded"]
    values = pd.DataFrame(windows["content"].tolist(), index=windows.index)
    frame = windows[["arm", "seed", "time_h"]].join(
        values[["map50", "map50_pooled", "target_map50", "error_share", "latency_p95_s", "release"]]
    )
    frame["degraded"] = values["degraded"].map(bool)
    return frame.rename(columns={"target_map50": "target"}).reset_index(drop=True)


def compute_degradations(run: Run) -> pd.DataFrame:
    """Times at which production was worse than its service level, in truth: one row a degradation.

    Detected is the first alarm, notice or drift response that began at or after its start; one that was under
    way already counts as detected at the start.

    Returns
    -------
    DataFrame
        ``arm``, ``seed``, ``degradation``, ``start_h``, ``end_h``, ``hours``, ``censored``, ``reasons``,
        ``causes``, ``detected_by``, ``detect_hours`` (missing if nobody noticed), ``ended_by``.
    """
    rows = []
    for cell, events in _cells(run):
        ends = events[events["type"] == "degradation.ended"].set_index("subject")["time_h"]
        alarms = events[events["type"].isin(["incident.detected", "drift.detected"])]
        for event in events[events["type"] == "degradation.started"].itertuples():
            censored = event.subject not in ends.index
            end = run.horizon_h if censored else float(ends[event.subject])
            by, detected = _detected(events, alarms, event.time_h, end)
            rows.append(
                cell
                | {
                    "degradation": event.subject,
                    "start_h": event.time_h,
                    "end_h": end,
                    "hours": end - event.time_h,
                    "censored": censored,
                    "reasons": "+".join(event.content["reasons"]),
                    "causes": "+".join(event.content["causes"]),
                    "detected_by": by,
                    "detect_hours": detected - event.time_h if by else np.nan,
                    "ended_by": "" if censored else _ended_by(events, event.time_h, end),
                }
            )
    columns = ["arm", "seed", "degradation", "start_h", "end_h", "hours", "censored", "reasons", "causes"]
    return pd.DataFrame(rows, columns=[*columns, "detected_by", "detect_hours", "ended_by"])


def _detected(events: pd.DataFrame, alarms: pd.DataFrame, start: float, end: float) -> tuple[str, float]:
    open_before = _open_at(events, start)
    if open_before:
        return open_before, start
    inside = alarms[(alarms["time_h"] >= start) & (alarms["time_h"] <= end)]
    if inside.empty:
        return "", np.nan
    first = inside.iloc[0]
    by = "drift monitor" if first["type"] == "drift.detected" else first["custom"]["by"]
    return by, float(first["time_h"])


def _open_at(events: pd.DataFrame, time_h: float) -> str:
    """Who had raised what is still being dealt with at ``time_h``."""
    for begin, finish, by in (
        ("incident.detected", "incident.resolved", None),
        ("ticket.created", "ticket.closed", "drift monitor"),
    ):
        begun = events[(events["type"] == begin) & (events["time_h"] <= time_h)]
        closed = set(events.loc[(events["type"] == finish) & (events["time_h"] < time_h), "subject"])
        still = begun[~begun["subject"].isin(closed)]
        if len(still):
            return by or still.iloc[0]["custom"]["by"]
    return ""


def _ended_by(events: pd.DataFrame, start: float, end: float) -> str:
    """The last thing done to production while it was degraded."""
    inside = events["time_h"].between(start, end + 1e-6, inclusive="right")
    done = events[events["type"].isin(["service.upgraded", "service.rolledback"]) & inside]
    if done.empty:
        return "by itself"
    last = done.iloc[-1]
    return "rollback" if last["type"] == "service.rolledback" else "release"


def compute_changes(run: Run) -> pd.DataFrame:
    """Every change and batch of the stream with what became of it: one row each.

    Returns
    -------
    DataFrame
        ``arm``, ``seed``, ``name``, ``kind``, ``faulty``, ``created_h``, ``deployed_h`` (first time in
        production, in whatever form), ``lead_hours`` (missing if it never got there), ``refused_by`` (stages that
        sent it back, joined by +), ``stopped_before`` (whether it was refused before its first deployment),
        ``abandoned``, ``caused`` (number of degradations in whose causes it is).
    """
    rows = []
    for cell, events in _cells(run):
        created = events[
            (events["type"] == "change.created")
            | ((events["type"] == "dataset.changed") & events["content"].map(lambda c: c.get("attempt") == 0))
        ]
        deployed = _first_deployments(events)
        causes = [content["causes"] for content in events.loc[events["type"] == "degradation.started", "content"]]
        abandoned = set(events.loc[events["type"] == "change.abandoned", "subject"])
        for event in created.itertuples():
            kind = event.custom.get("kind") or event.content.get("kind", "")
            if kind in ("fix", "response", "mended"):
                continue
            refusals = _refusals(events, event.subject, kind)
            first = deployed.get(event.subject, np.nan)
            rows.append(
                cell
                | {
                    "name": event.subject,
                    "kind": kind,
                    "faulty": kind in FAULTY,
                    "created_h": event.time_h,
                    "deployed_h": first,
                    "lead_hours": first - event.time_h,
                    "refused_by": "+".join(dict.fromkeys(by for _, by in refusals)),
                    "stopped_before": bool(refusals) and not refusals[0][0] > first,
                    "abandoned": event.subject in abandoned,
                    "caused": sum(event.subject in listed for listed in causes),
                }
            )
    columns = ["name", "kind", "faulty", "created_h", "deployed_h", "lead_hours", "refused_by", "stopped_before"]
    return pd.DataFrame(rows, columns=["arm", "seed", *columns, "abandoned", "caused"])


def _first_deployments(events: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for event in events[events["type"] == "service.upgraded"].itertuples():
        for name in event.custom["changes"]:
            found.setdefault(name, event.time_h)
    return found


def _refusals(events: pd.DataFrame, name: str, kind: str) -> list[tuple[float, str]]:
    """When which stage sent it back."""
    own = events[events["chain"] == name]
    if kind in CODE_KINDS:
        back = own[own["type"] == "change.updated"]
        return [(e.time_h, e.custom["refused_by"]) for e in back.itertuples()]
    found = []
    for event in own.itertuples():
        failed = event.outcome == "failure"
        if event.type == "dataset.validated" and failed:
            found.append((event.time_h, "data validation"))
        elif event.type == "training.finished" and failed:
            found.append((event.time_h, "training"))
        elif event.type == "model.rejected":
            found.append((event.time_h, "evaluation gate"))
        elif event.type == "taskrun.finished" and failed:
            found.append((event.time_h, event.content["taskName"].replace("-", " ")))
    for event in events[events["type"] == "service.rolledback"].itertuples():
        if name in event.custom["changes"]:
            found.append((event.time_h, "rollback"))
    return sorted(found)


def compute_deployments(run: Run) -> pd.DataFrame:
    """Every deployment after the first.

    Columns ``arm``, ``seed``, ``time_h``, ``release``, ``changes`` (number), ``rolled_back``, ``failed``.

    A deployment failed if production was not degraded at the moment before and was judged degraded at it, by
    what it brought.
    """
    rows = []
    for cell, events in _cells(run):
        taken_back = {e.custom["taken_back"] for e in events[events["type"] == "service.rolledback"].itertuples()}
        starts = events[events["type"] == "degradation.started"]
        for event in events[events["type"] == "service.upgraded"].itertuples():
            release = event.custom["release"]
            began = starts[(starts["time_h"] - event.time_h).abs() < 1e-6]
            rows.append(
                cell
                | {
                    "time_h": event.time_h,
                    "release": release,
                    "changes": len(event.custom["changes"]),
                    "rolled_back": release in taken_back,
                    "failed": bool(len(began)) or release in taken_back,
                }
            )
    return pd.DataFrame(rows, columns=["arm", "seed", "time_h", "release", "changes", "rolled_back", "failed"])


OUTCOMES: dict[str, tuple[str, str]] = {
    "degraded_share": ("share of time in which production was degraded", "share"),
    "lead_hours": ("median hours from a change's creation to production", "h"),
    "mean_map50": ("mean mAP50 in production over time", ""),
    "deployments_per_week": ("deployments a week", "per week"),
    "failed_share": ("share of deployments that failed", "share"),
    "restore_hours": ("mean hours from a degradation's start to its end", "h"),
    "detect_hours": ("mean hours from a degradation's start to its detection, or to its end if nobody noticed", "h"),
    "escaped_share": ("share of faulty changes and batches that reached production with their fault", "share"),
}
"""Outcome of an arm-run → what it is, and its unit."""

PRIMARY = ("degraded_share", "lead_hours", "mean_map50")
"""Declared beforehand: efficiency as time to production, reliability and model quality; corrected together."""

HIGHER_IS_BETTER = ("mean_map50", "deployments_per_week")


def compute_outcomes(run: Run) -> pd.DataFrame:
    """One row an arm-run: ``arm``, ``seed`` and the outcomes of `OUTCOMES`; missing where there is nothing to measure.

    Changes that never reached production enter the median lead time with the hours until the end of the run,
    which understates them.
    """
    degradations, changes = compute_degradations(run), compute_changes(run)
    quality, deployments = compute_quality(run), compute_deployments(run)
    rows = []
    for arm in run.arms:
        for seed in run.seeds:
            mine = [f[(f["arm"] == arm) & (f["seed"] == seed)] for f in (degradations, changes, quality, deployments)]
            down, items, windows, deployed = mine
            lead = items["lead_hours"].fillna(run.horizon_h - items["created_h"])
            faulty = items[items["faulty"]]
            noticed = down["detect_hours"].fillna(down["hours"])
            rows.append(
                {
                    "arm": arm,
                    "seed": seed,
                    "degraded_share": down["hours"].sum() / run.horizon_h,
                    "lead_hours": lead.median(),
                    "mean_map50": _mean_over_time(windows, run.horizon_h),
                    "deployments_per_week": len(deployed) / (run.horizon_h / 168),
                    "failed_share": deployed["failed"].mean() if len(deployed) else np.nan,
                    "restore_hours": down["hours"].mean() if len(down) else np.nan,
                    "detect_hours": noticed.mean() if len(down) else np.nan,
                    "escaped_share": (~faulty["stopped_before"] & faulty["deployed_h"].notna()).mean()
                    if len(faulty)
                    else np.nan,
                }
            )
    return pd.DataFrame(rows)


def _mean_over_time(windows: pd.DataFrame, horizon_h: float) -> float:
    """Mean of a step function: each window holds until the next one."""
    times = np.append(windows["time_h"].to_numpy(), horizon_h)
    return float(np.average(windows["map50_pooled"].to_numpy(), weights=np.maximum(np.diff(times), 1e-9)))


def find_runs(folder: Path) -> Sequence[Path]:
    """Folders of the complete runs below ``folder``, oldest first."""
    found = [path.parent for path in folder.glob("*/run.json")]
    return sorted(found, key=lambda path: json.loads((path / "run.json").read_text(encoding="utf-8"))["created"])
