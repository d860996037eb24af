"""Assessment of the cases as people read it: tables in words, and what the two figures are drawn from."""

from __future__ import annotations

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.maturity.assessment import (
    AGREEMENT_NAMES,
    READINGS,
    STATUS_NAMES,
    Reading,
    compute_activity_status,
    compute_coverage,
    compute_outcomes,
    compute_placements,
    compute_precondition_status,
    compute_reading_agreement,
    compute_sensitivity,
    trace_placement,
)
from analysis.maturity.cases import Cases
from analysis.maturity.framework import PIPELINE_NAMES

OUTCOME_NAMES = {"success": "Success", "failure": "Failure", "gap": "Gap", "neutral": "Neither"}
"""Outcome of a passage → word."""

ROLE_NAMES = {
    "supports": "in place",
    "in_part": "in part",
    "earlier": "lacking earlier",
    "denies": "not in place; a higher stage",
    "limits": "ends the range",
    "reason": "the document's reason alone",
}
"""What a passage does for a placement (`analysis.maturity.assessment.trace_placement`) → words."""

MATRIX_NOTE = "+ passages on successes   \N{MINUS SIGN} passages on failures and gaps"
"""Meaning of the texts in the cells of the cross-case matrix."""

_FIGURE_READINGS = {"met_partial": "preconditions met", "under_way_partial": "working on the preconditions"}


def build_case_table(cases: Cases) -> pd.DataFrame:
    """The cases as printed: Case, Document (a citation), Sector, Use of learning, People, Passages, Activities."""
    outcomes = compute_outcomes(cases)
    return pd.DataFrame(
        {
            "Case": cases.cases["label"].array,
            "Document": ("@" + cases.cases["document"]).array,
            "Sector": cases.cases["sector"].fillna("not published").array,
            "Use of learning": cases.cases["use_case"].fillna("not published").array,
            "People": cases.cases["practitioners"].array,
            "Passages": outcomes["passages"].array,
            "Activities": outcomes["activities"].array,
        }
    )


def build_placement_comparison(cases: Cases) -> pd.DataFrame:
    """Every case's range of stages under each reading beside its published place, as printed.

    Returns
    -------
    DataFrame
        Columns Case, Published, one a reading (such as ``0 to 1: in part``; the words say how it stands to the
        published place, see `AGREEMENT_NAMES`).
    """
    table = pd.DataFrame({"Case": list(cases.labels.values())})
    for reading in READINGS.values():
        placed = compute_placements(cases, reading)
        if "Published" not in table:
            table["Published"] = [
                "not placed" if pd.isna(low) else _span(low, high)
                for low, high in zip(placed["published_lowest"], placed["published_highest"], strict=True)
            ]
        table[reading.name[0].upper() + reading.name[1:]] = [
            _span(row.lowest, row.highest) + ("" if pd.isna(row.agreement) else f": {AGREEMENT_NAMES[row.agreement]}")
            for row in placed.itertuples()
        ]
    return table


def build_agreement_table(cases: Cases) -> pd.DataFrame:
    """How often each reading fits the published placements, as printed."""
    found = compute_reading_agreement(cases)
    names = {key: words[0].upper() + words[1:] for key, words in AGREEMENT_NAMES.items()}
    table = found.drop(columns="reading").rename(columns={"name": "Reading", "placed": "Placed", **names})
    return table.reset_index(drop=True)


def build_coverage_table(cases: Cases) -> pd.DataFrame:
    """How many preconditions of each stage have which status in every case, as printed.

    Returns
    -------
    DataFrame
        Columns Case (named once), Stage, one a status, Of.
    """
    coverage = compute_coverage(compute_precondition_status(cases))
    label = coverage["case"].map(cases.labels)
    columns = {key: coverage[key] for key in STATUS_NAMES}
    names = {
        key: words.partition(",")[0][0].upper() + words.partition(",")[0][1:] for key, words in STATUS_NAMES.items()
    }
    return pd.DataFrame(
        {
            "Case": label.mask(label.duplicated(), ""),
            "Stage": coverage["stage"],
            **{names[key]: counts for key, counts in columns.items()},
            "Of": coverage["preconditions"],
        }
    )


def build_trace_table(cases: Cases, case: str, reading: Reading = READINGS["met_partial"]) -> pd.DataFrame:
    """The evidence behind the placement of one case, as printed.

    Returns
    -------
    DataFrame
        Columns No., Stage, Precondition, What is said, What it does, Reason (``yes`` where the document gives it as
        one), Segment.
    """
    trace = trace_placement(cases, case, reading)
    name = {p.key: f"{p.key} {p.name}" for stage in cases.model.stages for p in stage.preconditions}
    return pd.DataFrame(
        {
            "No.": trace["evidence"],
            "Stage": trace["stage"].astype("string").fillna(""),
            "Precondition": trace["precondition"].map(name).fillna(""),
            "What is said": trace["statement"],
            "What it does": trace["role"].map(ROLE_NAMES),
            "Reason": trace["published_reason"].map({True: "yes", False: ""}),
            "Segment": trace["segment"] + ", " + trace["locator"],
        }
    )


def build_outcome_table(cases: Cases) -> pd.DataFrame:
    """Passages on successes, failures and gaps of each case, counted, as printed."""
    outcomes = compute_outcomes(cases)
    names = {key: OUTCOME_NAMES[key] for key in ("success", "failure", "gap", "neutral")}
    return outcomes.drop(columns=["case", "activities"]).rename(
        columns={"label": "Case", "passages": "Passages", **names}
    )


def build_outcome_list(cases: Cases, *outcomes: str) -> pd.DataFrame:
    """What is said of some outcomes, case by case, as printed.

    Case (named once), Outcome (where there are several), What is said, On (activity, or precondition), Segment.

    Raises
    ------
    InputError
        No outcome, or an unknown one.
    """
    wrong = [outcome for outcome in outcomes if outcome not in OUTCOME_NAMES]
    if wrong or not outcomes:
        what = f"no outcome '{', '.join(wrong)}'" if wrong else "no outcome given"
        known = f"one or more of: {', '.join(OUTCOME_NAMES)}"
        raise InputError("The list of outcomes would be empty.", [Problem("outcomes", what, known)])
    rows = cases.evidence[cases.evidence["outcome"].isin(outcomes)]
    rows = rows.assign(_case=rows["case"].map(list(cases.labels).index)).sort_values("_case", kind="stable")
    label = rows["case"].map(cases.labels)
    activity = rows["activity"].map(cases.activities.set_index("activity")["name"])
    locator = rows["segment"].map(cases.segments.set_index("segment")["locator"])
    names = {p.key: p.name for stage in cases.model.stages for p in stage.preconditions}
    printed = pd.DataFrame(
        {
            "Case": label.mask(label.duplicated(), ""),
            "Outcome": rows["outcome"].map(OUTCOME_NAMES),
            "What is said": rows["statement"],
            "On": activity.fillna(rows["precondition"].map(names)).fillna(""),
            "Segment": rows["segment"] + ", " + locator,
        }
    ).reset_index(drop=True)
    return printed if len(outcomes) > 1 else printed.drop(columns="Outcome")


def build_sensitivity_table(cases: Cases) -> pd.DataFrame:
    """Ranges that hang on one passage, under every reading, as printed: Reading, Case, Left out, With, Without."""
    tables = []
    for reading in READINGS.values():
        moved = compute_sensitivity(cases, reading)
        words = moved["segment"].map(cases.segments.set_index("segment")["locator"])
        tables.append(
            pd.DataFrame(
                {
                    "Reading": reading.name,
                    "Case": moved["case"].map(cases.labels),
                    "Left out": moved["segment"] + ", " + words,
                    "With": [_span(row.lowest, row.highest) for row in moved.itertuples()],
                    "Without": [_span(row.lowest_without, row.highest_without) for row in moved.itertuples()],
                }
            )
        )
    table = pd.concat([part for part in tables if len(part)] or tables[:1], ignore_index=True)
    return table.assign(Reading=table["Reading"].mask(table["Reading"].duplicated(), ""))


def build_activity_matrix(cases: Cases) -> dict[str, object]:
    """Activities × cases, as `analysis.plots.symbols.draw_symbol_matrix` takes it (pass it with ``**``).

    Returns
    -------
    dict
        ``cells``, ``classes`` (`STATUS_NAMES`), ``rows``, ``row_groups``, ``columns``, ``note``.
    """
    status = compute_activity_status(cases)
    cells = pd.DataFrame(
        {
            "row": status["activity"],
            "column": status["case"],
            "status": status["status"],
            "text": [_signs(row.successes, row.failures + row.gaps) for row in status.itertuples()],
        }
    )
    activities = cases.activities
    return {
        "cells": cells,
        "classes": STATUS_NAMES,
        "rows": pd.DataFrame(
            {"key": activities["activity"], "label": activities["name"], "group": activities["pipeline"]}
        ),
        "row_groups": PIPELINE_NAMES,
        "columns": {case: label.replace(" ", "\n", 1) for case, label in cases.labels.items()},
        "note": MATRIX_NOTE,
    }


def build_stage_ranges(cases: Cases) -> dict[str, object]:
    """Stages × cases, as `analysis.plots.ranges.draw_step_ranges` takes it (pass it with ``**``).

    Returns
    -------
    dict
        ``ranges`` (parts count as met; both meanings of being at a stage), ``series``, ``rows``, ``steps``, ``marks``
        (published placements), ``mark_label``.
    """
    placed = pd.concat(compute_placements(cases, READINGS[key]) for key in _FIGURE_READINGS)
    ranges = placed.rename(columns={"case": "row", "reading": "series"})[["row", "series", "lowest", "highest"]]
    published = placed[(placed["reading"] == "met_partial") & placed["published_lowest"].notna()]
    steps = {0: "below\nstage 1"} | {
        stage.number: f"{stage.number} {_broken(stage.name)}" for stage in cases.model.stages
    }
    return {
        "ranges": ranges.reset_index(drop=True),
        "series": _FIGURE_READINGS,
        "rows": cases.labels,
        "steps": steps,
        "marks": pd.DataFrame(
            {
                "row": published["case"],
                "lowest": published["published_lowest"].astype("int64"),
                "highest": published["published_highest"].astype("int64"),
            }
        ).reset_index(drop=True),
        "mark_label": "published place",
    }


def _span(low: int, high: int) -> str:
    """
    >>> _span(1, 1), _span(0, 2)
    ('1', '0 to 2')
    """
    return str(low) if low == high else f"{low} to {high}"


def _signs(successes: int, failures: int) -> str:
    """
    >>> _signs(2, 0), _signs(1, 3), _signs(0, 0)
    ('+2', '+1 −3', '')
    """
    return " ".join([f"+{successes}"] * (successes > 0) + [f"\N{MINUS SIGN}{failures}"] * (failures > 0))


def _broken(name: str) -> str:
    """A stage's name on short lines, for a heading above a narrow column.

    >>> _broken("Automated data collection")
    'Automated\\ndata\\ncollection'
    """
    return name.replace(" ", "\n")
