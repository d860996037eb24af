"""Tables of the KPI room."""

from __future__ import annotations

from analysis.base.schemas.spec import TableSpec, column

_DORA_METRICS = ("deployments_per_week", "lead_time_commit_h", "mttr_h", "recovery_time_h", "change_fail_rate")

KPI: tuple[TableSpec, ...] = (
    TableSpec(
        "kpi/dora_levels.csv",
        "A level of performance, as a yearly report of DORA describes it for one metric",
        ("year", "metric", "level"),
        {
            "year": column("Int64", "Year of the report", low=2019, high=2024),
            "metric": column("string", "Metric, as this project's tables call it", allowed=_DORA_METRICS),
            "level": column("string", "Level", allowed=("elite", "high", "medium", "low")),
            "published": column("string", "Answer that stands for the level, as printed"),
            "kind": column("string", "A range of answers, or the centre of the cluster", allowed=("range", "centre")),
            "low": column("Float64", "Where the range begins; in the metric's unit", nullable=True, low=0),
            "high": column("Float64", "Where it ends, itself excluded; empty: nowhere", nullable=True, low=0),
            "centre": column("Float64", "Centre of the cluster; in the metric's unit", nullable=True, low=0, high=1),
            "source": column("string", "Report"),
            "locator": column("string", "Place in the report"),
            "seen_in": column(
                "string",
                "Where it was checked: in the report itself, or in what several others print of it",
                allowed=("report", "secondary"),
            ),
        },
    ),
    TableSpec(
        "kpi/ml_metrics.csv",
        "A metric of the delivery and operation of models, as this project defines it",
        ("key",),
        {
            "key": column("string", "Key in tables of metrics, with its unit as suffix", pattern="[a-z][a-z0-9_]*"),
            "name": column("string", "Name as printed"),
            "definition": column("string", "What it is, in words"),
            "formula": column("string", "How it is computed from the event table"),
            "unit": column("string", "Unit", allowed=("h", "share", "s")),
            "better": column(
                "string", "Which direction is better, where one is", allowed=("higher", "lower"), nullable=True
            ),
            "missing": column("string", "What happens to what is unfinished or not known"),
            "source": column("string", "Where the definition comes from: this thesis, or a bibliography key"),
        },
    ),
    TableSpec(
        "kpi/repositories.csv",
        "An open repository that was read",
        ("repository",),
        {
            "repository": column("string", "Its name"),
            "address": column("string", "Where it is found", pattern=r"https://\S+"),
            "commit": column("string", "Commit up to which it was read", pattern="[0-9a-f]{40}"),
            "branch": column("string", "Its main line"),
            "commits": column("Int64", "Commits read", unit="commits", low=1),
            "releases": column("Int64", "Release tags that count as deployments", unit="releases", low=1),
            "changes": column("Int64", "Commits with a lead time", unit="commits", low=0),
            "first_event": column("string", "Day of the first event", pattern=r"\d{4}-\d{2}-\d{2}"),
            "last_event": column("string", "Day of the last event", pattern=r"\d{4}-\d{2}-\d{2}"),
            "recorded": column("string", "Day on which it was read", pattern=r"\d{4}-\d{2}-\d{2}"),
        },
    ),
    TableSpec(
        "kpi/repository_metrics.csv",
        "A metric of an open repository under one reading of what failed",
        ("repository", "reading", "metric"),
        {
            "repository": column("string", "Its name"),
            "reading": column("string", "What counts as a failure"),
            "metric": column("string", "Metric", pattern="[a-z0-9_]+"),
            "value": column("Float64", "Estimate; empty where the history sets none", nullable=True),
            "low": column("Float64", "Lower bound of its 95 % interval", nullable=True),
            "high": column("Float64", "Upper bound", nullable=True),
            "n": column("Int64", "Changes, deployments or recoveries behind it", low=0),
            "unit": column("string", "Unit", allowed=("h", "1/week", "share")),
            "method": column("string", "How estimate and interval were computed", nullable=True),
            "note": column("string", "What was left out, or why there is no value", nullable=True),
        },
        {"repository": ("kpi/repositories.csv", "repository")},
    ),
    TableSpec(
        "kpi/repository_lead_times.csv",
        "A percentile of the lead times of an open repository",
        ("repository", "percentile"),
        {
            "repository": column("string", "Its name"),
            "percentile": column("Int64", "Share of changes that took no longer", unit="%", low=0, high=100),
            "lead_h": column("Float64", "Hours from the first commit to the release", unit="h", low=0),
        },
        {"repository": ("kpi/repositories.csv", "repository")},
    ),
)
