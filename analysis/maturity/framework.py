"""The framework of John, Olsson and Bosch (2021), §V–VI: three pipelines and the activities in them.

The paper prints its framework as prose and as a picture; splitting the prose into activities is
ours (``data/literature/README.md`` says how). Practices that the prose ties to no single
pipeline stand apart under ``across``.
"""

from __future__ import annotations

import pandas as pd

from analysis.base.errors import InputError, Problem

PIPELINE_NAMES = {
    "data": "Data pipeline",
    "model": "Modelling pipeline",
    "release": "Release pipeline",
    "across": "Across the pipelines",
}
"""Pipelines in the order of the framework, and as printed."""


def check_framework(activities: pd.DataFrame) -> pd.DataFrame:
    """Check that positions number each pipeline 1, 2, … and that no name occurs twice.

    Parameters
    ----------
    activities : DataFrame
        ``literature/activities.csv``.

    Returns
    -------
    DataFrame
        The same rows, ordered by pipeline and position.

    Raises
    ------
    InputError
        All violations.
    """
    where = activities.attrs.get("source", "activities")
    problems = []
    for pipeline, rows in activities.groupby("pipeline"):
        expected = list(range(1, len(rows) + 1))
        found = sorted(int(position) for position in rows["position"])
        if found != expected:
            problems.append(
                Problem(f"{where}, pipeline '{pipeline}'", f"positions {found}, expected {expected}", "renumber")
            )
    problems += [
        Problem(
            f"{where}:{line}, column 'name'",
            f"'{activities.at[line, 'name']}' occurs twice",
            "tell the activities apart",
        )
        for line in activities.index[activities["name"].duplicated()]
    ]
    problems += [
        Problem(where, f"the pipeline '{name}' has no activity", "add its activities")
        for name in PIPELINE_NAMES
        if name not in set(activities["pipeline"])
    ]
    if problems:
        raise InputError("The framework is not in order.", problems)
    order = activities["pipeline"].map(list(PIPELINE_NAMES).index)
    return activities.assign(_order=order).sort_values(["_order", "position"]).drop(columns="_order")


def pipeline_activities(activities: pd.DataFrame) -> pd.DataFrame:
    """The activities that belong to one of the three pipelines."""
    return activities[activities["pipeline"] != "across"]


def shared_practices(activities: pd.DataFrame) -> pd.DataFrame:
    """The practices that the paper ties to no single pipeline."""
    return activities[activities["pipeline"] == "across"]


def build_activity_table(support: pd.DataFrame) -> pd.DataFrame:
    """The activities as printed.

    Parameters
    ----------
    support : DataFrame
        Activities with ``peer_reviewed`` and ``grey`` counts
        (`analysis.literature.evidence.compute_support`).

    Returns
    -------
    DataFrame
        Columns Pipeline (named once), Activity, What is done, Peer-rev., Grey.
    """
    pipeline = support["pipeline"].map(PIPELINE_NAMES)
    return pd.DataFrame(
        {
            "Pipeline": pipeline.mask(support["pipeline"].duplicated(), ""),
            "Activity": support["name"],
            "What is done": support["definition"],
            "Peer-rev.": support["peer_reviewed"],
            "Grey": support["grey"],
        }
    ).reset_index(drop=True)
