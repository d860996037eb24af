"""What counts as what: every choice in which definitions of delivery metrics differ, and the sets that people use.

A `Rules` object is one way of reading an event log. The named sets below say what the sources say, and where a
source leaves a choice open, the set takes the reading given in its comment; nothing is left to code elsewhere.

Sources (state looked up)
-------------------------
- DORA's guide: https://dora.dev/guides/dora-metrics/ (page of 5 January 2026; dora-team/dora.dev fcaf07b).
- History of the metrics: https://dora.dev/insights/dora-metrics-history/ (2 January 2026).
- Accelerate State of DevOps 2021, page 9: the older four, with the questions asked. The reports of 2023 (recovery from
  failed deployments) and 2024 (pages 10 to 13: rework rate) as that history and other readers quote them.
- Four Keys, https://github.com/dora-team/fourkeys at 6cc642e (archived 23 January 2024): METRICS.md says what is
  meant, ``queries/*.sql`` and ``dashboard/fourkeys_dashboard.json`` what is done.
- Apache DevLake, https://github.com/apache/incubator-devlake at 420e494 (5 May 2026): ``backend/plugins/dora/tasks``
  (change_lead_time_calculator.go, incident_deploy_connector.go) and ``grafana/dashboards/DORA.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.base.errors import InputError, Problem

LEAD, LEAD_MERGE, FREQUENCY = "lead_time_commit_h", "lead_time_merge_h", "deployments_per_week"
FAIL, RECOVERY, REWORK, MTTR = "change_fail_rate", "recovery_time_h", "rework_rate", "mttr_h"

METRICS: Mapping[str, str] = {
    LEAD: "Change lead time",
    LEAD_MERGE: "Lead time from merge",
    FREQUENCY: "Deployment frequency",
    FAIL: "Change fail rate",
    RECOVERY: "Failed deployment recovery time",
    REWORK: "Deployment rework rate",
    MTTR: "Time to restore service",
}
"""Key → name, in the order in which tables show them."""

FAILURES: Mapping[str, str] = {
    "incident": "an incident is attributed to it",
    "rollback": "it was rolled back",
    "attempt": "the attempt itself failed",
}
"""What makes a deployment a failed one, each on its own."""

_DEPLOYMENT = (FREQUENCY, FAIL, REWORK)
_LEAD = (LEAD, LEAD_MERGE)
_RECOVERY = (RECOVERY, MTTR)

CHOICES: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
    "unknown_environment": (
        (*METRICS,),
        {
            "production": "events without environment are production's",
            "left out": "deployments without environment are left out",
        },
    ),
    "attempts": (_DEPLOYMENT, {"left out": "failed attempts do not count", "deployments": "failed attempts count"}),
    "rollbacks": (_DEPLOYMENT, {"left out": "rollbacks do not count", "deployments": "rollbacks count as deployments"}),
    "redeployments": (
        _DEPLOYMENT,
        {"deployments": "redeployments count", "left out": "a deployment of nothing new does not count"},
    ),
    "changeless": (
        _DEPLOYMENT,
        {"deployments": "deployments without known changes count", "left out": "deployments need a known change"},
    ),
    "start": (
        _DEPLOYMENT,
        {
            "left out": "a service's first deployment, if without changes while later ones have some, is its start",
            "deployment": "a service's first deployment counts like any other",
        },
    ),
    "same_day": (_DEPLOYMENT, {"each": "every one of a day counts", "one": "one a service and day counts"}),
    "frequency": (
        (FREQUENCY,),
        {
            "per week": "number by weeks watched",
            "days a week": "days with a deployment in a calendar week, central value over the weeks",
        },
    ),
    "week_start": ((FREQUENCY,), {"monday": "weeks begin on Monday", "sunday": "weeks begin on Sunday"}),
    "lead_start": (
        (LEAD,),
        {
            "commit": "from the first commit",
            "commit, else created": "from the first commit; in a log without any commit, from the proposal",
            "created": "from the proposal of the change",
            "merge": "from the merge",
            "stages": "coding, review and deployment added up, a stage of negative length left out",
        },
    ),
    "lead_unit": (
        _LEAD,
        {
            "change": "to its first deployment, one value a change",
            "change and deployment": "to every deployment that carries it, one value each",
            "deployment": "one value a deployment, the median of its changes",
        },
    ),
    "lead_first": (
        _LEAD,
        {
            "counted": "changes of a first deployment count",
            "left out": "changes of a service's first deployment do not",
        },
    ),
    "lead_zero": (_LEAD, {"kept": "zeros stay", "left out": "what rounds to 0 is left out"}),
    "lead_rounding": (
        _LEAD,
        {"exact": "exact", "minutes down": "whole minutes, cut", "minutes up": "whole minutes, rounded up"},
    ),
    "central": (
        (*_LEAD, FREQUENCY),
        {"median": "median", "lower median": "lower median", "mean": "mean"},
    ),
    "attribution": (
        (FAIL, *_RECOVERY),
        {
            "named": "incidents belong to the deployment that the source names",
            "latest": "incidents belong to the latest deployment before them, however long ago",
            "within": "incidents belong to the latest deployment before them within some hours",
            "named, else latest": "as named; an incident that names none belongs to the latest deployment before it",
            "named, else within": "as named; one that names none to the latest deployment within some hours",
            "named where any is": "as named; where a source names none for any incident, the latest before each",
        },
    ),
    "attribution_scope": (
        (FAIL, *_RECOVERY),
        {"service": "latest of the same service", "log": "latest of whichever service"},
    ),
    "failure_unit": (
        (FAIL,),
        {"deployments": "failed deployments by deployments", "incidents": "incidents by deployments"},
    ),
    "recovery_start": (
        (RECOVERY,),
        {
            "detected": "from detection",
            "deployment": "from the deployment blamed",
            "earlier": "from the deployment blamed or detection, whichever was earlier",
        },
    ),
    "restore_start": (
        (MTTR,),
        {
            "detected": "from detection",
            "deployment": "from the deployment blamed",
            "earlier": "from the deployment blamed or detection, whichever was earlier",
        },
    ),
    "recovery_rollbacks": (
        (RECOVERY,),
        {
            "counted": "a rollback without incident is a recovery, from deployment to rollback",
            "left out": "rollbacks without incident do not count",
        },
    ),
    "recovery_open": (_RECOVERY, {"censored": "open ones are censored", "left out": "open ones are left out"}),
    "recovery_rounding": (
        _RECOVERY,
        {"exact": "exact", "minutes down": "whole minutes, cut", "hours down": "whole hours, cut"},
    ),
    "recovery_central": (
        _RECOVERY,
        {"median": "median", "lower median": "lower median", "mean": "mean"},
    ),
    "rework": (
        (REWORK,),
        {
            "remedies an incident": "deployments that remedy an incident of the log",
            "has a cause": "deployments said to remedy something",
        },
    ),
    "nothing": ((*METRICS,), {"none": "no value where there is nothing", "zero": "the tool prints 0 there"}),
}
"""Field → (metrics that it bears on, allowed value → what it means)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """One way of reading an event log; see `CHOICES` for what the values of each field mean.

    Attributes
    ----------
    name, cited : str
        Short name, and where the set comes from.
    metrics : tuple of str
        Metrics that the set defines, of `METRICS`.
    production : tuple of str
        Names, in lower case, of the environment that counts; empty for any.
    window_months : int or None
        Only the last months of the log count; None for all of it.
    attribution_hours : float
        For the attributions with "within".
    failure : tuple of str
        What makes a deployment a failed one, of `FAILURES`.

    Raises
    ------
    InputError
        A value that a field does not have; all of them are named.
    """

    name: str
    cited: str
    metrics: tuple[str, ...] = (LEAD, LEAD_MERGE, FREQUENCY, RECOVERY, FAIL, REWORK)
    production: tuple[str, ...] = ("production", "prod")
    unknown_environment: str = "production"
    window_months: int | None = None
    attempts: str = "left out"
    rollbacks: str = "left out"
    redeployments: str = "deployments"
    changeless: str = "deployments"
    start: str = "left out"
    same_day: str = "each"
    frequency: str = "per week"
    week_start: str = "monday"
    lead_start: str = "commit, else created"
    lead_unit: str = "change"
    lead_first: str = "counted"
    lead_zero: str = "kept"
    lead_rounding: str = "exact"
    central: str = "median"
    attribution: str = "named where any is"
    attribution_hours: float = 24.0
    attribution_scope: str = "service"
    failure: tuple[str, ...] = ("incident", "rollback")
    failure_unit: str = "deployments"
    recovery_start: str = "detected"
    restore_start: str = "detected"
    recovery_rollbacks: str = "counted"
    recovery_open: str = "censored"
    recovery_rounding: str = "exact"
    recovery_central: str = "median"
    rework: str = "remedies an incident"
    nothing: str = "none"

    def __post_init__(self) -> None:
        problems = [
            Problem(f"field '{name}'", f"got {getattr(self, name)!r}", f"one of: {', '.join(allowed)}")
            for name, (_, allowed) in CHOICES.items()
            if getattr(self, name) not in allowed
        ]
        for name, known in (("metrics", METRICS), ("failure", FAILURES)):
            problems += [
                Problem(f"field '{name}'", f"got {value!r}", f"some of: {', '.join(known)}")
                for value in getattr(self, name)
                if value not in known
            ]
        problems += [
            Problem("field 'production'", f"got {value!r}", "names in lower case")
            for value in self.production
            if value != value.lower()
        ]
        if self.window_months is not None and self.window_months < 1:
            problems.append(Problem("field 'window_months'", f"got {self.window_months}", "None, or months from 1 on"))
        if not self.attribution_hours > 0:
            problems.append(Problem("field 'attribution_hours'", f"got {self.attribution_hours}", "hours above 0"))
        if problems:
            raise InputError(f"Rules '{self.name}' cannot be used.", problems)


_GUIDE = "https://dora.dev/guides/dora-metrics/ of 5 January 2026"

DORA_2025 = Rules("DORA 2025", _GUIDE)
"""The five metrics of today's guide.

Committed to version control → deployed in production; deployments over a period; deployments that need immediate
intervention, "likely" a rollback or hotfix; time to recover from such a deployment; deployments that are unplanned
and happen because of an incident in production. Open in the guide, and read here so: an attempt that never got into
production is no deployment (2024 report, note 1: a change stopped on its way shows that the process works); a
rollback is the remedy, not a deployment; recovery starts when the failure was noticed, since the 2023 wording asks
for the time to restore service after a change "results in degraded service"; an incident belongs to a deployment
where the source names it, for outages that no deployment caused are outside the metric since 2023, and where a source
never names one, to the latest deployment of the service; a log without commits (of a forge's API, say) can only start
from the proposal of a change, which makes lead times shorter.
"""

DORA_2024 = Rules(
    "DORA 2024", "Accelerate State of DevOps 2024, pp. 10–13", rework="has a cause", recovery_rollbacks="left out"
)
"""The four keys and the new rework rate: deployments "not planned but … performed to address a user-facing bug",
whether or not an incident was recorded. Recovery is still asked for as restoring a service that suffered, so that a
rollback before anybody suffered is none."""

DORA_2021 = Rules(
    "DORA 2021",
    "Accelerate State of DevOps 2021, p. 9",
    metrics=(LEAD, FREQUENCY, MTTR, FAIL),
    recovery_central="mean",
    recovery_rollbacks="left out",
)
"""The older four. Time to restore counts every incident, unplanned outages included, from the incident on; its common
name, mean time to recover, asks for a mean, which is given up to the longest incident watched."""

FOUR_KEYS = Rules(
    "Four Keys (SQL)",
    "github.com/dora-team/fourkeys at 6cc642e: queries/*.sql, dashboard/fourkeys_dashboard.json",
    metrics=(LEAD, FREQUENCY, MTTR, FAIL),
    production=(),
    window_months=3,
    changeless="left out",
    start="deployment",
    frequency="days a week",
    week_start="sunday",
    lead_start="commit",
    lead_unit="change and deployment",
    lead_zero="left out",
    lead_rounding="minutes down",
    attribution="named",
    failure=("incident",),
    failure_unit="incidents",
    restore_start="earlier",
    recovery_rollbacks="left out",
    recovery_open="left out",
    recovery_rounding="hours down",
    nothing="zero",
)
"""What the queries do: deployments.sql asks for success but not for production, and joins changes inwards, so that a
deployment without known changes vanishes; each pair of change and deployment is a lead time; the failure numerator
counts a row for each incident, so two incidents of one deployment count twice; an incident starts at the deployment
that carried its root cause if that was earlier, ends at its last closing, and is left out while open (null in
PERCENTILE_CONT); IFNULL(…, 0) turns a day without lead times into 0 hours. A named root cause is a commit there and a
deployment or a change here. Its bucket "Monthly" counts weeks with a deployment, where METRICS.md says deployments."""

FOUR_KEYS_TEXT = Rules(
    "Four Keys (text)",
    "github.com/dora-team/fourkeys at 6cc642e: METRICS.md, README.md",
    metrics=(LEAD, FREQUENCY, MTTR, FAIL),
    window_months=3,
    start="deployment",
    frequency="days a week",
    week_start="sunday",
    lead_start="commit",
    lead_zero="left out",
    lead_rounding="minutes down",
    attribution="named",
    failure=("incident",),
    restore_start="deployment",
    recovery_rollbacks="left out",
)
"""What METRICS.md says of the same tool: releases to production; the time for a commit to be deployed; of four
deployments with one that fails a rate of 25 %; from the deployment that caused the failure to its remedy."""

DEVLAKE = Rules(
    "DevLake",
    "github.com/apache/incubator-devlake at 420e494: plugins/dora/tasks, grafana/dashboards/DORA.json",
    metrics=(LEAD, FREQUENCY, RECOVERY, FAIL, MTTR),
    unknown_environment="left out",
    start="deployment",
    frequency="days a week",
    lead_start="stages",
    lead_first="left out",
    lead_rounding="minutes up",
    central="lower median",
    attribution="latest",
    attribution_scope="log",
    failure=("incident",),
    recovery_start="deployment",
    recovery_rollbacks="left out",
    recovery_open="left out",
    recovery_rounding="minutes down",
    recovery_central="lower median",
)
"""What the plugin and its main dashboard do: an incident belongs to the latest successful production deployment of the
project before it, however long ago (issue 8150) and whichever the service; a deployment needs a successful predecessor
for its changes to get a deploy time; ``percent_rank ≤ 0.5`` picks the lower median; recovery runs from the deployment
to the resolution and only where resolved. Its time to restore runs from the incident's creation, its detail dashboard
counted incidents instead of failed deployments (changed by pull request 8890), and it has no rework rate (8730). It
reads "production" off a pattern that the user configures, so a deployment without environment is none; its incidents
have no environment, and all of a project count."""

RULE_SETS: Mapping[str, Rules] = {
    "dora2025": DORA_2025,
    "dora2024": DORA_2024,
    "dora2021": DORA_2021,
    "fourkeys": FOUR_KEYS,
    "fourkeys-text": FOUR_KEYS_TEXT,
    "devlake": DEVLAKE,
}
"""Key, as commands take it → rules."""


def find_rules(key: str) -> Rules:
    """The named set.

    Raises
    ------
    InputError
        An unknown name.
    """
    if key not in RULE_SETS:
        raise InputError("No such rules.", [Problem("rules", f"got '{key}'", f"one of: {', '.join(RULE_SETS)}")])
    return RULE_SETS[key]


def name_production(rules: Rules, names: Sequence[str]) -> Rules:
    """The rules with these names of production, in lower case; those that count any environment still do."""
    return replace(rules, production=tuple(dict.fromkeys(names))) if rules.production else rules
