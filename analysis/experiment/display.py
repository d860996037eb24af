"""The experiment's tables and short facts as the thesis prints them: words and rounded numbers, no new ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import format_value
from analysis.experiment.arms import ARMS
from analysis.experiment.comparison import CONTRASTS, DIGITS, compute_arm_mean, describe_shift
from analysis.experiment.design import order_arms
from analysis.experiment.outcomes import HIGHER_IS_BETTER, OUTCOMES, PRIMARY, Run

OUTCOME_NAMES: dict[str, str] = {
    "degraded_share": "Time degraded",
    "lead_hours": "Lead time (median)",
    "mean_map50": "mAP50 in production",
    "deployments_per_week": "Deployments a week",
    "failed_share": "Deployments that failed",
    "restore_hours": "Time to restore",
    "detect_hours": "Time to detect",
    "escaped_share": "Faults that escaped",
}
"""Short name of every outcome."""

WORK_NAMES: dict[str, str] = {
    "commit": "commit",
    "unit_tests": "unit tests of the project",
    "batch": "a data batch made and written",
    "validation": "validation of a batch",
    "training": "training",
    "export": "export to ONNX",
    "package": "packaging of model and code",
    "evaluation": "evaluation of a package",
    "comparison": "comparison with the champion",
    "smoke_test": "smoke test",
    "canary": "canary",
    "deployment": "deployment by hot swap",
    "window": "a window of production served",
    "service_verdict": "service monitor on a window",
    "drift_verdict": "drift monitor on a window",
    "quality_verdict": "quality monitor on a window",
}
"""Stages whose seconds are reported, in the order of a change's way."""


def require_declared(run: Run) -> Run:
    """The run, if it holds every arm that the declared contrasts need.

    Raises
    ------
    InputError
        One of them is missing.
    """
    missing = [arm for arm in ARMS if arm not in run.arms]
    if missing:
        problem = Problem(run.folder.name, f"it lacks {', '.join(missing)}", "choose or record a run with all three")
        raise InputError("The declared contrasts cannot be computed from this run.", [problem])
    return run


# ---- what came out ---------------------------------------------------------------------------


def build_outcome_table(outcomes: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Mean of every outcome over the seeds of each arm, with its interval, else with the range of the seeds.

    Columns: Outcome (primary ones marked with an asterisk), one an arm.
    """
    arms = order_arms(list(dict.fromkeys(outcomes["arm"])))
    rows = []
    for outcome in OUTCOMES:
        mark = "*" if outcome in PRIMARY else ""
        rows.append({"Outcome": f"{OUTCOME_NAMES[outcome]}{mark}"})
        rows[-1] |= {arm: _cell(outcomes, arm, outcome, confidence) for arm in arms}
    return pd.DataFrame(rows)


def _cell(outcomes: pd.DataFrame, arm: str, outcome: str, confidence: float, brief: bool = False) -> str:
    mean = compute_arm_mean(outcomes, arm, outcome, confidence)
    if mean is None:
        return "–"
    digits = DIGITS.get(outcome, 1)
    mean = replace(mean, unit=mean.unit.removesuffix("per week"))  # the name of the outcome says it
    text = mean.text(digits)
    if brief:
        return f"{text} ({mean.n})"
    if mean.low is not None:
        return f"{text} ({mean.interval_text(digits)})"
    values = outcomes.loc[outcomes["arm"] == arm, outcome].dropna()
    if len(values) == 1:
        return f"{text}, one seed"
    low, high = (format_value(float(bound), mean.unit, digits) for bound in (values.min(), values.max()))
    return f"{text}, from {low} to {high}"


def build_replication_table(recorded: pd.DataFrame, live: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Both runs side by side: Outcome, Arm, Recorded, Live; means with the number of seeds in parentheses."""
    arms = [arm for arm in order_arms(list(dict.fromkeys(recorded["arm"]))) if arm in set(live["arm"])]
    rows = [
        {
            "Outcome": OUTCOME_NAMES[outcome] if arm == arms[0] else "",
            "Arm": arm,
            "Recorded": _cell(recorded, arm, outcome, confidence, brief=True),
            "Live": _cell(live, arm, outcome, confidence, brief=True),
        }
        for outcome in OUTCOMES
        for arm in arms
    ]
    return pd.DataFrame(rows)


def build_comparison_table(comparisons: pd.DataFrame) -> pd.DataFrame:
    """The primary contrasts: Outcome, Contrast, Shift, Seeds that way, p, p corrected."""
    confidence = comparisons.attrs["confidence"]
    chosen = comparisons[comparisons["primary"]]
    return pd.DataFrame(
        [
            {
                "Outcome": OUTCOME_NAMES[row["outcome"]],
                "Contrast": f"{row['first']} − {row['second']}",
                "Shift": describe_shift(row, confidence),
                "Seeds that way": f"{row['same_sign']} of {row['pairs']}",
                "p": _p_value(row["p_value"]),
                "p, corrected": _p_value(row["p_holm"]),
            }
            for _, row in chosen.iterrows()
        ]
    )


def _p_value(p: float) -> str:
    return "–" if pd.isna(p) else f"{p:.3f}" if p >= 0.001 else "below 0.001"


def build_detection_table(run: Run, degradations: pd.DataFrame) -> pd.DataFrame:
    """How degradations were noticed and ended: Arm, Degradations, Noticed by, Hours to detect, Ended by, Hours."""
    rows = []
    for arm in order_arms(run.arms):
        mine = degradations[degradations["arm"] == arm]
        ended = mine["ended_by"].where(~mine["censored"], "not before the end").replace("", "by itself")
        rows.append(
            {
                "Arm": arm,
                "Degradations": str(len(mine)),
                "Noticed by": _counted(mine["detected_by"].replace("", "nobody")),
                "Hours to detect": _spread(mine["detect_hours"].dropna()),
                "Ended by": _counted(ended),
                "Hours in all": _spread(mine["hours"]),
            }
        )
    return pd.DataFrame(rows)


def _counted(values: pd.Series) -> str:
    counts = values.value_counts()
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda i: (-i[1], i[0]))) or "–"


def _spread(values: pd.Series) -> str:
    """Median and range."""
    if values.empty:
        return "–"
    if len(values) == 1:
        return f"{values.iloc[0]:.1f}"
    return f"{values.median():.1f} ({values.min():.1f}–{values.max():.1f})"


def compute_effort(run: Run) -> pd.DataFrame:
    """What an arm-run took a week: one row an arm.

    Returns
    -------
    DataFrame
        ``arm``, ``waits`` (for people) and ``wait_hours``, ``trainings``, ``machine_hours`` of the arm's own stages,
        from the record where a stage was done before, and ``machine_share`` of all time waited for people or machines.
    """
    rows = []
    weeks = len(run.seeds) * run.horizon_h / 168
    for arm in order_arms(run.arms):
        events = run.events[run.events["arm"] == arm]
        hours = sum(content["hours"] for content in events.loc[events["type"] == "delay.waited", "content"])
        machine = sum(_seconds(event) for event in events.itertuples()) / 3600
        rows.append(
            {
                "arm": arm,
                "waits": (events["type"] == "delay.waited").sum() / weeks,
                "wait_hours": hours / weeks,
                "trainings": (events["type"] == "training.finished").sum() / weeks,
                "machine_hours": machine / weeks,
                "machine_share": machine / (machine + hours) if machine + hours else 0.0,
            }
        )
    return pd.DataFrame(rows)


def build_effort_table(effort: pd.DataFrame) -> pd.DataFrame:
    """Table of `compute_effort`: Arm, Waits for people, Hours of waiting, Trainings, Machine minutes, Machine share."""
    return pd.DataFrame(
        {
            "Arm": effort["arm"],
            "Waits for people": effort["waits"].map("{:.1f}".format),
            "Hours of waiting": effort["wait_hours"].map("{:,.0f}".format),
            "Trainings": effort["trainings"].map("{:.1f}".format),
            "Machine minutes": (60 * effort["machine_hours"]).map("{:.1f}".format),
            "Machine share": (100 * effort["machine_share"]).map("{:.2f}%".format),
        }
    )


def _seconds(event) -> float:
    for part in (event.custom, event.content):
        if isinstance(value := part.get("seconds"), int | float):
            return float(value)
    return 0.0


# ---- about runs ------------------------------------------------------------------------------


def build_recording_table(recordings: pd.DataFrame) -> pd.DataFrame:
    """Recorded runs: Recording, Date, Device, Arms, Seeds, Weeks, Code as now."""
    return pd.DataFrame(
        {
            "Recording": recordings["name"],
            "Date": recordings["created"].str[:10],
            "Device": recordings["device"].replace("cpu", "CPU"),
            "Arms": recordings["arms"].astype(str),
            "Seeds": recordings["seeds"].astype(str),
            "Weeks": recordings["weeks"].map(lambda weeks: "" if pd.isna(weeks) else f"{weeks:g}"),
            "Code as now": recordings["code_as_now"].map({True: "yes", False: "no"}),
        }
    )


def build_duration_table(run: Run) -> pd.DataFrame:
    """Measured seconds of each stage: Stage, Times done, Median, Shortest, Longest."""
    work = pd.DataFrame(run.about["work"], columns=["key", "kind", "seconds"])
    rows = []
    for kind, name in WORK_NAMES.items():
        seconds = work.loc[work["kind"] == kind, "seconds"]
        if len(seconds):
            figures = [_short(value) for value in (seconds.median(), seconds.min(), seconds.max())]
            rows.append([name, str(len(seconds)), *figures])
    return pd.DataFrame(rows, columns=["Stage", "Times done", "Median", "Shortest", "Longest"])


def _short(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.1f}"


def describe_machine(run: Run) -> str:
    """The machine of a run in words."""
    about = run.about
    machine = about["machine"]
    device = "no GPU" if about["device"] == "cpu" else about["device"]
    processor = about.get("processor") or f"{machine['system']}, {machine['machine']}"
    return f"{machine['cores']} cores ({processor}), {device}"


def describe_day(run: Run) -> str:
    """The date on which a run ended, as printed."""
    day = datetime.fromisoformat(run.about["created"])
    return f"{day.day} {day:%B %Y}"


def count_work(run: Run, kind: str) -> int:
    """Pieces of work of a kind that a run consists of, each counted once."""
    return sum(1 for _, other, _ in run.about["work"] if other == kind)


def name_best(outcomes: pd.DataFrame, outcome: str) -> str:
    """The declared arm with the best mean of an outcome; several where they are equal as printed."""
    return _name(outcomes, outcome, max if outcome in HIGHER_IS_BETTER else min)


def name_worst(outcomes: pd.DataFrame, outcome: str) -> str:
    """As `name_best`, for the other end."""
    return _name(outcomes, outcome, min if outcome in HIGHER_IS_BETTER else max)


def _name(outcomes: pd.DataFrame, outcome: str, choose: Callable) -> str:
    means = outcomes[outcomes["arm"].isin(list(ARMS))].groupby("arm")[outcome].mean().dropna()
    if means.empty:
        return "no arm"
    digits = DIGITS.get(outcome, 1) + (2 if OUTCOMES[outcome][1] == "share" else 0)
    rounded = means.round(digits)
    return " and ".join(order_arms(list(rounded.index[rounded == choose(rounded)])))


def describe_contrasts() -> str:
    """The declared contrasts in words."""
    return "; ".join(f"{first} minus {second}" for first, second in CONTRASTS)
