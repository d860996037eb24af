"""What the thesis says of a recorded run in numbers and short facts, and their keys in the results store.

Directions are facts of the recording and not of the text: the chapter prints what is stored here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.base.results import Results
from analysis.experiment.arms import ARMS, DEVOPS, PRACTICES
from analysis.experiment.comparison import describe_finding, describe_shift
from analysis.experiment.design import count_happenings, read_delays
from analysis.experiment.display import OUTCOME_NAMES, name_best, name_worst
from analysis.experiment.outcomes import OUTCOMES, PRIMARY, Run
from analysis.experiment.pictures import compute_stopped
from analysis.experiment.scenario import FAULTY, KINDS
from analysis.stats.paired import needed_pairs


def describe_design(run: Run, confidence: float) -> dict[str, int | float]:
    """Counts and settings of a run's design.

    Returns
    -------
    dict
        ``arms``, ``practices``, ``practices_devops``, ``kinds``, ``kinds_faulty``, ``seeds``, ``weeks``,
        ``happenings`` (events of all seeds together), ``arm_runs``, ``events`` (in the logs), ``trainings`` (each
        counted once), ``work_hours`` (of all stages, each counted once), ``delays``, ``delays_assumed``,
        ``outcomes``, ``primary``, ``needed_pairs``, ``image_size``, and ``every_h``, ``images``, ``quality_share``,
        ``error_share``, ``latency_p95_s``, ``gate_margin``, ``false_alarms`` of the scenario.
    """
    scenario, delays = run.scenario, read_delays(run)
    return {
        "arms": len(ARMS),
        "practices": len(PRACTICES),
        "practices_devops": len(DEVOPS),
        "kinds": len(KINDS),
        "kinds_faulty": len(FAULTY),
        "seeds": len(run.seeds),
        "weeks": scenario["weeks"],
        "happenings": sum(count_happenings(run).values()),
        "arm_runs": len(run.about["arm_runs"]),
        "events": len(run.events),
        "trainings": sum(1 for _, kind, _ in run.about["work"] if kind == "training"),
        "work_hours": run.about["work_seconds"] / 3600,
        "delays": len(delays),
        "delays_assumed": sum(delay.assumed for delay in delays),
        "outcomes": len(OUTCOMES),
        "primary": len(PRIMARY),
        "needed_pairs": needed_pairs(confidence),
        "image_size": run.about["settings"]["image_size"],
        "every_h": scenario["production"]["every_h"],
        "images": scenario["production"]["images"],
        "quality_share": scenario["service_level"]["quality_share"],
        "error_share": scenario["service_level"]["error_share"],
        "latency_p95_s": scenario["service_level"]["latency_p95_s"],
        "gate_margin": scenario["controls"]["gate_margin"],
        "false_alarms": scenario["controls"]["false_alarms_per_window"],
    }


def store_contrasts(results: Results, comparisons: pd.DataFrame, source: str) -> pd.DataFrame:
    """Store shift and finding of every primary contrast; returns them as a table to look at.

    Keys are ``experiment.shift.<outcome>.<first>_<second>`` and ``experiment.finding.…`` alike.
    """
    confidence = comparisons.attrs["confidence"]
    rows = []
    for _, row in comparisons[comparisons["primary"]].iterrows():
        about = f"{OUTCOMES[row['outcome']][0]}: {row['first']} minus {row['second']}"
        name = f"{row['outcome']}.{row['first']}_{row['second']}"
        shift, finding = describe_shift(row, confidence), describe_finding(row, confidence)
        # Its text holds the interval already, or says why there is none.
        value: Any = shift if row["shift"] is None else replace(row["shift"], low=None, high=None)
        results.number(
            f"experiment.shift.{name}",
            value,
            text=shift,
            source=source,
            meaning=f"Centre of the paired differences in the {about}",
            origin="measured",
        )
        results.number(
            f"experiment.finding.{name}",
            finding,
            source=f"{source}; sign-flip test, corrected by Holm's rule",
            meaning=f"What the paired differences show of the {about}",
            origin="measured",
        )
        rows.append({"key": name, "shift": shift, "finding": finding})
    return pd.DataFrame(rows)


def store_extremes(results: Results, outcomes: pd.DataFrame, source: str) -> pd.DataFrame:
    """Store which arm is best and which worst in each primary outcome; returns them as a table to look at."""
    rows = []
    for outcome in PRIMARY:
        for end, name in (("best", name_best(outcomes, outcome)), ("worst", name_worst(outcomes, outcome))):
            results.number(
                f"experiment.{end}.{outcome}",
                name,
                source=source,
                meaning=f"Arm with the {end} mean of: {OUTCOME_NAMES[outcome]}",
                origin="measured",
            )
            rows.append({"outcome": outcome, "end": end, "arm": name})
    return pd.DataFrame(rows)


def store_caught(results: Results, changes: pd.DataFrame, degradations: pd.DataFrame, source: str) -> pd.DataFrame:
    """Store how many faulty changes and batches there were, and what each arm stopped, let pass and suffered.

    Keys are ``experiment.faulty``, and ``experiment.stopped.<arm>``, ``experiment.degradations.<arm>`` and
    ``experiment.by_people.<arm>`` (degradations that users noticed before anybody or anything else).
    """
    cells = compute_stopped(changes, list(ARMS))
    results.number(
        "experiment.faulty",
        int(cells.loc[cells["column"] == "manual", "count"].sum()),
        source=source,
        meaning="Faulty changes and batches, in all seeds together",
        origin="measured",
    )
    rows = []
    for arm in ARMS:
        mine = degradations[degradations["arm"] == arm]
        figures = {
            "stopped": (int(cells.loc[cells["column"] == arm, "stopped"].sum()), "stopped before production"),
            "degradations": (len(mine), "degradations of production"),
            "by_people": (int((mine["detected_by"] == "people").sum()), "degradations that users noticed first"),
        }
        for key, (count, what) in figures.items():
            meaning = f"{what[0].upper()}{what[1:]} under {arm}, in all seeds together"
            results.number(f"experiment.{key}.{arm}", count, source=source, meaning=meaning, origin="measured")
        rows.append({"arm": arm} | {key: count for key, (count, _) in figures.items()})
    return pd.DataFrame(rows)
