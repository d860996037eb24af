"""Steps of a screening that a review takes one after the other: who waits for what, and what the flow counts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.base.schemas import SCREENING_SOURCES, TableSpec, column
from analysis.base.tables import load_table, read_table
from analysis.literature.assignment import build_sheet, list_disputes
from analysis.literature.ledger import SOURCE_ARMS, Screening
from analysis.literature.ledger_rules import ADJUDICATION, READING
from analysis.literature.prisma import build_prisma_numbers, build_published_numbers
from analysis.literature.review import load_dedupe, load_screening, load_works

_STUDIES = TableSpec(
    "studies of reports",
    "An included record",
    ("record",),
    {"record": column("string", "Record"), "study": column("string", "Study that it reports")},
)


def list_waiting(folder: Path, stage: str, screening: Screening | None) -> pd.DataFrame:
    """Records that reached a stage and that nobody is to read there yet.

    Parameters
    ----------
    folder : Path
        Of the review.
    stage : str
    screening : Screening, optional
        Of the same folder; without it nothing was screened so far.

    Returns
    -------
    DataFrame
        ``record``, ``arm``; in the order of ids.

    Raises
    ------
    InputError
        No record waits: none reached the stage, or all of them are assigned.
    """
    if screening is None:
        works = load_works(folder)
        sources = read_table(folder / "sources.csv", SCREENING_SOURCES)
        arms = {row.database: SOURCE_ARMS[row.kind] for row in sources.itertuples()}
        unknown = sorted(set(works["database"]) - set(arms))
        if unknown:
            where = relative(folder / "sources.csv")
            problems = [Problem(where, f"'{name}' is missing", "add it, with its kind") for name in unknown]
            raise InputError("The arm of some records is not known.", problems)
        reached = works[["record"]].assign(arm=works["database"].map(arms)) if stage == "title_abstract" else works[:0]
        assigned: set[str] = set()
    else:
        reached = screening.outcomes.loc[screening.outcomes["stage"] == stage, ["record", "arm"]]
        plan = screening.assignments
        assigned = set(plan.loc[plan["stage"] == stage, "record"])
    waiting = reached[~reached["record"].isin(assigned)]
    if waiting.empty:
        what = "all that reached it are assigned" if len(reached) else "no record has reached it"
        problem = Problem(f"stage {stage}", what, "decide on the stage before; screening-status shows where it stands")
        raise InputError("There is nothing to assign.", [problem])
    return waiting[["record", "arm"]].sort_values("record", ignore_index=True)


def compute_reviewer_counts(screening: Screening) -> pd.DataFrame:
    """How far each reviewer is: ``stage``, ``reviewer``, ``to_read``, ``decided``, ``left`` (records)."""
    keys = ["stage", "reviewer"]
    readings = screening.decisions[screening.decisions["role"] == READING]
    table = screening.assignments.groupby(keys).size().rename("to_read").reset_index()
    done = readings.groupby(keys).size().rename("decided").reset_index()
    table = table.merge(done, on=keys, how="left").fillna({"decided": 0}).astype({"decided": "int64"})
    return table.assign(left=table["to_read"] - table["decided"])


def build_adjudication_sheets(screening: Screening, works: pd.DataFrame, adjudicator: str) -> dict[str, pd.DataFrame]:
    """Stage → sheet of what is disputed there and open, for a third person; stages without such are left out."""
    sheets = {}
    for stage in dict.fromkeys(stage for its in screening.stages.values() for stage in its):
        disputes = list_disputes(screening, stage)
        waiting = disputes.loc[disputes["outcome"] == "open", ["record"]]
        if len(waiting):
            sheet = build_sheet(works, waiting.assign(stage=stage, reviewer=adjudicator), adjudicator, stage)
            sheets[stage] = sheet.assign(role=ADJUDICATION)
    return sheets


def count_flow(folder: Path, studies: Path | None = None) -> pd.DataFrame:
    """The numbers of the PRISMA flow of a review, counted from its tables.

    Parameters
    ----------
    folder : Path
    studies : Path, optional
        CSV with the columns ``record`` and ``study``.

    Returns
    -------
    DataFrame
        As of `build_prisma_numbers`.

    Raises
    ------
    InputError
        As of `load_screening` and `build_prisma_numbers`; a missing decision or one entered twice, for two.
    """
    deduplicated, imported = load_dedupe(folder)
    screening = load_screening(folder, complete=True)
    of_record = None
    if studies is not None:
        table = read_table(studies, _STUDIES)
        of_record = dict(zip(table["record"], table["study"], strict=True))
    return build_prisma_numbers(screening, deduplicated, imported, of_record)


def count_published_flow() -> pd.DataFrame:
    """The flow of the published review that the thesis looks at, as far as it tells."""
    return build_published_numbers(load_table("literature/search_protocol.csv"))
