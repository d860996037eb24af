"""Rules in words: what a choice means, how a metric is then defined, and in what two sets of rules differ."""

from __future__ import annotations

from dataclasses import fields

from analysis.kpi.rules import (
    CHOICES,
    FAIL,
    FAILURES,
    FREQUENCY,
    LEAD,
    LEAD_MERGE,
    METRICS,
    MTTR,
    RECOVERY,
    REWORK,
    Rules,
)

_STARTS = {
    "commit": "first commit",
    "commit, else created": "first commit, else proposed",
    "created": "proposed",
    "merge": "merged",
}


def differing_fields(rules: Rules, other: Rules, metric: str) -> tuple[str, ...]:
    """Fields that bear on the metric and differ between two sets, in the order of the class."""
    return tuple(
        item.name
        for item in fields(Rules)
        if item.name not in ("name", "cited", "metrics")
        and getattr(rules, item.name) != getattr(other, item.name)
        and metric in bears_on(item.name)
    )


def bears_on(name: str) -> tuple[str, ...]:
    """Metrics that a field bears on."""
    if name in CHOICES:
        return CHOICES[name][0]
    return {"failure": (FAIL,), "attribution_hours": (FAIL, RECOVERY, MTTR)}.get(name, tuple(METRICS))


def describe_choice(rules: Rules, name: str) -> str:
    """What the value of a field means, in words.

    >>> from analysis.kpi.rules import DEVLAKE
    >>> describe_choice(DEVLAKE, "recovery_start")
    'from the deployment blamed'
    """
    value = getattr(rules, name)
    if name in CHOICES:
        return CHOICES[name][1][value]
    if name == "production":
        return f"environment {' or '.join(value)}" if value else "any environment"
    if name == "window_months":
        return "all of the log" if value is None else f"its last {value} months"
    if name == "failure":
        return "failed if " + " or ".join(FAILURES[item] for item in value)
    return f"{name.replace('_', ' ')} {value}"


def describe_metric(rules: Rules, metric: str) -> str:
    """The metric's definition under the rules, in one line."""
    parts = {
        LEAD: ("lead_start", "lead_unit", "lead_first", "lead_zero", "central"),
        LEAD_MERGE: ("lead_unit", "lead_first", "lead_zero", "central"),
        FREQUENCY: ("frequency", "attempts", "rollbacks", "changeless", "start", "same_day"),
        FAIL: ("failure_unit", "failure", "attribution"),
        RECOVERY: ("recovery_start", "attribution", "recovery_open", "recovery_rollbacks", "recovery_central"),
        MTTR: ("restore_start", "recovery_open", "recovery_central"),
        REWORK: ("rework",),
    }[metric]
    silent = {("lead_first", "counted"), ("lead_zero", "kept"), ("same_day", "each"), ("rollbacks", "left out")}
    words = [describe_choice(rules, name) for name in parts if (name, getattr(rules, name)) not in silent]
    where = [describe_choice(rules, name) for name in ("production", "window_months")]
    if rules.window_months is None:
        where = where[:1]
    begin = {LEAD_MERGE: ["from the merge"], REWORK: ["share of deployments"]}.get(metric, [])
    return "; ".join([*begin, *words, *where])


def describe_formula(rules: Rules, metric: str) -> tuple[str, str]:
    """The metric as a formula over times and counts of the event table, and its unit.

    >>> from analysis.kpi.rules import DEVLAKE, DORA_2025
    >>> describe_formula(DORA_2025, "change_fail_rate"), describe_formula(DEVLAKE, "recovery_time_h")
    (('failed deployments / deployments', 'share'), ('lower median of (resolved − deployed)', 'h'))
    """
    if metric == FREQUENCY:
        if rules.frequency == "per week":
            return "deployments / weeks watched", "1/week"
        return f"{rules.central} over the weeks of (days with a deployment)", "days/week"
    if metric == FAIL:
        return f"{'failed deployments' if rules.failure_unit == 'deployments' else 'incidents'} / deployments", "share"
    if metric == REWORK:
        return "deployments that are a remedy / deployments", "share"
    if metric == LEAD and rules.lead_start == "stages":
        return f"{rules.central} of (coding + review + deployment)", "h"
    if metric in (LEAD, LEAD_MERGE):
        start = "merged" if metric == LEAD_MERGE else _STARTS[rules.lead_start]
        return f"{rules.central} of (deployed − {start})", "h"
    start = rules.recovery_start if metric == RECOVERY else rules.restore_start
    begun = {"detected": "detected", "deployment": "deployed", "earlier": "the earlier of deployed and detected"}[start]
    how = " (Kaplan–Meier)" if rules.recovery_open == "censored" else ""
    return f"{rules.recovery_central}{how} of (resolved − {begun})", "h"
