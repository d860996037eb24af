"""What the thesis says of the cases in numbers, and their keys in the results store."""

from __future__ import annotations

import pandas as pd

from analysis.base.results import Results
from analysis.maturity.cases import Cases

SILENT = "not_mentioned"


def store_cases(
    results: Results, cases: Cases, activities: pd.DataFrame, preconditions: pd.DataFrame, source: str
) -> pd.DataFrame:
    """Store how much is known of the cases under ``cases.…``; returns the numbers as a table to look at.

    Parameters
    ----------
    results : Results
    cases : Cases
    activities, preconditions : DataFrame
        `analysis.maturity.assessment.compute_activity_status` and ``compute_precondition_status``.
    source : str
        As in `Results.number`.
    """
    evidence = cases.evidence
    of_activities, of_preconditions = len(activities), len(preconditions)
    found = [
        ("count", len(cases.cases), "", "Companies that the documents tell of"),
        ("placed", int(cases.cases["company"].notna().sum()), "", "Of these, those with a published place"),
        ("people", int(cases.cases["practitioners"].sum()), "", "People of these companies whom the documents met"),
        ("evidence", len(evidence), "", "Codes of a passage on a case"),
        ("passages", int(evidence["segment"].nunique()), "", "Different passages behind them"),
        (
            "silent.activities",
            int((activities["status"] == SILENT).sum()) / of_activities,
            "share",
            "Share of pairs of case and activity on which nothing is said",
        ),
        (
            "silent.preconditions",
            int((preconditions["status"] == SILENT).sum()) / of_preconditions,
            "share",
            "Share of pairs of case and precondition on which nothing is said",
        ),
        ("successes", int((evidence["outcome"] == "success").sum()), "", "Codes that tell of a success"),
        ("failures", int((evidence["outcome"] == "failure").sum()), "", "Codes that tell of a failure"),
    ]
    for key, value, unit, meaning in found:
        results.number(f"cases.{key}", value, source=source, meaning=meaning, unit=unit, digits=0, rows=evidence)
    return pd.DataFrame(found, columns=["key", "value", "unit", "meaning"])


def store_agreement(results: Results, agreement: pd.DataFrame, source: str) -> None:
    """Store how the published places fit the plainest reading and the one that fits best, under ``cases.reading.…``.

    Parameters
    ----------
    agreement : DataFrame
        `analysis.maturity.assessment.compute_reading_agreement`.
    """
    table = agreement.set_index("reading")
    found = [
        ("readings", len(table), "Readings of what it takes to stand at a stage"),
        ("plain.apart", table.at["met_partial", "apart"], "Published places outside the range of the plainest reading"),
        (
            "best.same",
            table.at["under_way_partial", "same"],
            "Published places that the reading which fits best, found after seeing them, gives exactly",
        ),
    ]
    for key, value, meaning in found:
        results.number(f"cases.reading.{key}", int(value), source=source, meaning=meaning)
