"""Recorded arm-runs as event logs: their metrics run by run, and the runs of an arm taken together.

A recording is a folder with one folder for each arm and seed, ``<arm>-<seed>``, which holds the log of that run.
Whoever compares arms takes the table of runs (`compute_run_kpis`) into `analysis.kpi.compare`; the pooled samples only
show what one arm's deliveries look like, since their intervals take the seeds for one long stretch of time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.kpi.checks import check_log
from analysis.kpi.dora import compute_dora
from analysis.kpi.events import EventLog
from analysis.kpi.mlkpi import compute_ml_kpis
from analysis.kpi.rules import DORA_2025, Rules
from analysis.kpi.samples import SAYS_REMEDIES, Samples, collect_samples
from analysis.kpi.sources.cdevents import read_cdevents

LOGS = ("events.jsonl.gz", "events.jsonl")


@dataclass(frozen=True, slots=True)
class ArmRun:
    """One arm on one seed.

    Attributes
    ----------
    arm : str
    seed : int
    log : EventLog
        Checked, and with the whole horizon of the run as its span.
    """

    arm: str
    seed: int
    log: EventLog


def choose_log_folder(name: str, folder: Path) -> Path:
    """The recording called ``name`` in ``folder``; without a name, the latest by name of those with the most arm-runs.

    Raises
    ------
    InputError
        No such recording, or none at all.
    """
    counted = {}
    for path in sorted(folder.glob("*/run.json")):
        try:
            counted[path.parent.name] = len(json.loads(path.read_text(encoding="utf-8"))["arm_runs"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError("A recording is damaged.", [Problem(relative(path), str(error), "restore it")]) from None
    if name and name not in counted:
        what = f"it has: {', '.join(counted) or 'none'}"
        raise InputError(f"There is no recording '{name}'.", [Problem(relative(folder), what, "give one of these")])
    if not counted:
        raise InputError("No run has been recorded.", [Problem(relative(folder), "it is empty", "make record")])
    return folder / (name or max(counted, key=lambda item: (counted[item], item)))


def load_arm_runs(folder: Path) -> list[ArmRun]:
    """The logs of a recording, in the order of its ``run.json``.

    Parameters
    ----------
    folder : Path
        With ``run.json`` (``arm_runs``: arm and seed of each; ``settings.scenario.weeks``: virtual weeks of a run) and
        the folders of the runs.

    Raises
    ------
    InputError
        No such recording, a run without log, or a log that cannot be read.
    """
    path = folder / "run.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        named = [(item["arm"], int(item["seed"])) for item in about["arm_runs"]]
        span = timedelta(weeks=about["settings"]["scenario"]["weeks"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise InputError("There is no recording.", [Problem(relative(path), what, "make record")]) from None
    runs, problems = [], []
    for arm, seed in named:
        place = folder / f"{arm}-{seed}"
        found = next((place / name for name in LOGS if (place / name).is_file()), None)
        if found is None:
            problems.append(Problem(relative(place), "the run has no log", "restore it, or record it again"))
            continue
        log = read_cdevents(found)
        begin = log.events.select(pl.col("time").min()).collect().item()
        # A deployment of a fix names the incident, so that none that names one is no gap in the log.
        about = {**log.about, SAYS_REMEDIES: True}
        log = replace(log, name=f"{arm}, seed {seed}", begin=begin, end=begin + span, about=about)
        runs.append(ArmRun(arm, seed, check_log(log, now=begin + span)))
    if problems:
        raise InputError(f"{relative(folder)} is not whole.", problems)
    return runs


def compute_run_kpis(runs: Sequence[ArmRun], rules: Rules = DORA_2025, confidence: float = 0.95) -> pd.DataFrame:
    """Delivery and ML metrics of every run.

    Returns
    -------
    DataFrame
        ``arm``, ``seed`` and the columns of `analysis.kpi.dora.COLUMNS`.
    """
    tables = [
        pd.concat(
            [compute_dora(run.log, rules, confidence=confidence), compute_ml_kpis(run.log, confidence=confidence)]
        ).assign(arm=run.arm, seed=run.seed)
        for run in runs
    ]
    frame = pd.concat(tables, ignore_index=True)
    return frame[["arm", "seed", *(name for name in frame.columns if name not in ("arm", "seed"))]]


def pool_runs(runs: Sequence[ArmRun], rules: Rules = DORA_2025) -> dict[str, Samples]:
    """The samples of each arm's runs as if they had followed one another.

    Lead times, deployments and recoveries are put together, each run's times moved behind those of the run before. What
    is open at the end of a run is censored there, as in the run itself.
    """
    found: dict[str, list[Samples]] = {}
    for run in runs:
        found.setdefault(run.arm, []).append(collect_samples(run.log, rules))
    return {arm: _pool(arm, parts) for arm, parts in found.items()}


def see_truth(log: EventLog) -> EventLog:
    """The log as somebody would write it who knew production as it really was.

    Incidents that people or monitors noticed give way to the degradations that there were, from their true start to
    their true end; a deployment is to blame where the degradation began with it.
    """
    names = {"degradation.started": "incident.detected", "degradation.ended": "incident.resolved"}
    events = log.events.filter(~pl.col("type").is_in(list(names.values()))).with_columns(pl.col("type").replace(names))
    return replace(log, events=events)


def see_all_truth(runs: Sequence[ArmRun]) -> list[ArmRun]:
    """Every run with `see_truth` for its log."""
    return [replace(run, log=see_truth(run.log)) for run in runs]


NAMED_ONLY = replace(DORA_2025, name="DORA 2025, blame as named", attribution="named")
"""For `see_truth`: a degradation that no deployment began, such as a drift, is blamed on none."""


def _pool(arm: str, parts: Sequence[Samples]) -> Samples:
    moved, offset = [], timedelta()
    for part in parts:
        moved.append(_move(part, offset))
        offset += part.end - part.begin

    def together(name: str, metric: str) -> pl.DataFrame:
        joined = pl.concat([getattr(part, name)[metric] for part in moved])
        return joined.sort("hours", "censored") if "hours" in joined.columns else joined

    first = parts[0]
    return replace(
        first,
        name=arm,
        end=first.begin + offset,
        durations={metric: together("durations", metric) for metric in first.durations},
        left_out={metric: together("left_out", metric) for metric in first.left_out},
        deployments=pl.concat([part.deployments for part in moved]),
        incidents=pl.concat([part.incidents for part in moved]),
        says_rework=any(part.says_rework for part in parts),
        says_failures=any(part.says_failures for part in parts),
    )


def _move(part: Samples, offset: timedelta) -> Samples:
    """The same, later by ``offset``."""
    later = (pl.col("time") + offset).alias("time")

    def each(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        return {metric: table.with_columns(later) for metric, table in tables.items()}

    return replace(
        part,
        durations=each(part.durations),
        left_out=each(part.left_out),
        deployments=part.deployments.with_columns(later),
        incidents=part.incidents.with_columns(later),
    )
