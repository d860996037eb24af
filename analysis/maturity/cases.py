"""The case companies: who they are, who speaks for them, and the coded passages about them.

A case is a company that a document tells of: three that John et al. (2021) place on their maturity model, and the
companies among which two theses made their interviews, which nobody has placed. Each passage about a case is coded on
the framework's activities and the model's preconditions, with what it says of them. The tables lie under
``data/cases``; here they are put together and every link is followed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA
from analysis.base.schemas import TABLES
from analysis.base.tables import cell_at, load_table, read_table
from analysis.maturity.framework import check_framework
from analysis.maturity.model import MaturityModel, build_model

READS = (
    "cases/cases.csv",
    "cases/case_people.csv",
    "cases/case_evidence.csv",
    "literature/companies.csv",
    "literature/participants.csv",
    "literature/segments.csv",
    "literature/activities.csv",
    "literature/maturity_stages.csv",
    "literature/preconditions.csv",
    "literature/precondition_studies.csv",
)
"""Tables that `load_cases` loads; for `analysis.base.provenance`."""


@dataclass(frozen=True, slots=True)
class Cases:
    """The tables of the cases, checked against each other, with what they are coded on.

    Attributes
    ----------
    cases, people, evidence : DataFrame
        ``cases/cases.csv``, ``cases/case_people.csv`` and ``cases/case_evidence.csv``.
    companies : DataFrame
        ``literature/companies.csv``: the published placements.
    participants, segments : DataFrame
        ``literature/participants.csv`` and ``literature/segments.csv``.
    activities : DataFrame
        ``literature/activities.csv``, in the order of the framework.
    model : MaturityModel
        Stages and preconditions.
    """

    cases: pd.DataFrame
    people: pd.DataFrame
    evidence: pd.DataFrame
    companies: pd.DataFrame
    participants: pd.DataFrame
    segments: pd.DataFrame
    activities: pd.DataFrame
    model: MaturityModel

    @property
    def labels(self) -> dict[str, str]:
        """Case → short name, in the order of the table."""
        return dict(zip(self.cases["case"], self.cases["label"], strict=True))

    @property
    def stage_of(self) -> dict[str, int]:
        """Precondition → stage, in the order of the model."""
        return {p.key: stage.number for stage in self.model.stages for p in stage.preconditions}


def load_cases(folder: Path = DATA) -> Cases:
    """Load the tables of the cases and check how they fit (`check_cases`).

    Parameters
    ----------
    folder : Path
        Where the tables lie; the project's ``data/`` unless told otherwise.

    Raises
    ------
    InputError
        A table breaks its schema (the faults of all three are listed), or `check_cases` finds faults.
    """
    tables, problems = [], []
    for name in ("cases", "case_people", "case_evidence"):
        file = f"cases/{name}.csv"
        try:
            tables.append(read_table(folder / file, TABLES[file]))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError("The tables of the cases do not hold what their schemas say.", problems)
    literature = {
        name: load_table(f"literature/{name}.csv", folder)
        for name in (
            "companies",
            "participants",
            "segments",
            "activities",
            "maturity_stages",
            "preconditions",
            "precondition_studies",
        )
    }
    model = build_model(
        *(literature.pop(name) for name in ("maturity_stages", "preconditions", "precondition_studies"))
    )
    literature["activities"] = check_framework(literature["activities"])
    return check_cases(Cases(*tables, **literature, model=model))


def check_cases(cases: Cases) -> Cases:
    """Check what no single table can show, and return the cases unchanged.

    Raises
    ------
    InputError
        A case, participant, activity, precondition, company or segment that does not exist; a speaker or passage of
        another document than the case's; a passage spoken by someone who does not speak for the case; a set of
        interviews that the participant is not in; a passage coded twice alike; a status without an activity or
        precondition, or the other way round; a case without evidence or people; a case whose sector or number of
        practitioners is not that of its published placement, or that has a passage of placement, or reasons for one,
        without being placed. All violations are listed.
    """
    links = list(_link_problems(cases))
    problems = [*links, *_case_problems(cases), *_people_problems(cases), *_evidence_problems(cases)]
    if problems:
        raise InputError("The tables of the cases do not fit together.", problems)
    return cases


def _link_problems(cases: Cases) -> Iterator[Problem]:
    """Values that are in no row of the table that they refer to."""
    known_cases, segments = set(cases.cases["case"]), set(cases.segments["segment"])
    for frame, column, known, table in (
        (cases.cases, "company", set(cases.companies["company"]), "literature/companies.csv"),
        (cases.cases, "document", set(cases.segments["document"]), "literature/segments.csv"),
        (cases.cases, "placement_segment", segments, "literature/segments.csv"),
        (cases.people, "case", known_cases, "cases/cases.csv"),
        (cases.people, "participant", set(cases.participants["participant"]), "literature/participants.csv"),
        (cases.evidence, "case", known_cases, "cases/cases.csv"),
        (cases.evidence, "activity", set(cases.activities["activity"]), "literature/activities.csv"),
        (cases.evidence, "precondition", set(cases.stage_of), "literature/preconditions.csv"),
        (cases.evidence, "segment", segments, "literature/segments.csv"),
    ):
        for line, value in frame.loc[frame[column].notna() & ~frame[column].isin(list(known)), column].items():
            yield Problem(cell_at(frame, line, column), f"'{value}' does not exist", f"one of {table}, or add it there")


def _case_problems(cases: Cases) -> Iterator[Problem]:
    companies = cases.companies.set_index("company")
    document_of = cases.segments.set_index("segment")["document"]
    for row in cases.cases.itertuples():
        for frame, name in ((cases.people, "people"), (cases.evidence, "evidence")):
            if row.case not in set(frame["case"]):
                yield Problem(
                    cell_at(cases.cases, row.Index, "case"), f"{row.case} has no {name}", "add it, or the case goes"
                )
        if pd.isna(row.company) != pd.isna(row.placement_segment):
            what = f"{row.case} has " + ("a passage but no placement" if pd.isna(row.company) else "no passage for it")
            yield Problem(cell_at(cases.cases, row.Index, "placement_segment"), what, "give both or neither")
        elif document_of.get(row.placement_segment, row.document) != row.document:
            what = f"{row.placement_segment} belongs to {document_of[row.placement_segment]}"
            yield Problem(cell_at(cases.cases, row.Index, "placement_segment"), what, f"a segment of {row.document}")
        if row.company in companies.index:
            for column in ("sector", "practitioners"):
                given, published = getattr(row, column), companies.at[row.company, column]
                if pd.isna(given) or given != published:
                    what = f"'{given}', but '{published}' in literature/companies.csv"
                    yield Problem(cell_at(cases.cases, row.Index, column), what, "make the two agree")


def _people_problems(cases: Cases) -> Iterator[Problem]:
    document_of = cases.cases.set_index("case")["document"]
    known = cases.participants.set_index("participant")
    for row in cases.people.itertuples():
        if row.participant not in known.index or row.case not in document_of.index:
            continue
        person = known.loc[row.participant]
        if person["document"] != document_of[row.case]:
            what = f"{row.participant} was met by {person['document']}, the case is of {document_of[row.case]}"
            yield Problem(cell_at(cases.people, row.Index, "participant"), what, "someone whom that document met")
        own = set() if pd.isna(person["sets"]) else set(person["sets"].split(";"))
        if pd.notna(row.sets) and not set(row.sets.split(";")) <= own:
            what = f"{row.participant} is in the sets {';'.join(sorted(own)) or 'of none'}, not {row.sets}"
            yield Problem(cell_at(cases.people, row.Index, "sets"), what, "correct the sets")


def _evidence_problems(cases: Cases) -> Iterator[Problem]:
    evidence, table = cases.evidence, cases.cases.set_index("case")
    known = cases.segments.set_index("segment")
    speaks_for = set(zip(cases.people["case"], cases.people["participant"], strict=True))
    coding = ["case", "activity", "precondition", "status", "segment"]
    bears_on = evidence[["activity", "precondition"]].notna().any(axis=1)
    alike = evidence.duplicated(coding) & bears_on | evidence.duplicated([*coding, "statement"])
    for line in evidence.index[alike]:
        what = f"{evidence.at[line, 'segment']} is coded alike above"
        yield Problem(cell_at(evidence, line, "segment"), what, "once is enough")
    for row in evidence.itertuples():
        bears = pd.notna(row.activity) or pd.notna(row.precondition)
        if bears != pd.notna(row.status):
            what = "an activity or precondition without a status" if bears else "a status of nothing"
            yield Problem(cell_at(evidence, row.Index, "status"), what, "give both or neither")
        if row.case not in table.index or row.segment not in known.index:
            continue
        segment, document = known.loc[row.segment], table.at[row.case, "document"]
        if segment["document"] != document:
            what = f"{row.segment} belongs to {segment['document']}"
            yield Problem(cell_at(evidence, row.Index, "segment"), what, f"a segment of {document}")
        elif pd.notna(segment["participant"]) and (row.case, segment["participant"]) not in speaks_for:
            what = f"{row.segment} is spoken by {segment['participant']}, who does not speak for {row.case}"
            yield Problem(cell_at(evidence, row.Index, "segment"), what, "correct the case, or add the speaker")
        if row.placement_reason == "yes" and pd.isna(table.at[row.case, "company"]):
            what = f"a reason for a placement, but {row.case} is not placed"
            yield Problem(cell_at(evidence, row.Index, "placement_reason"), what, "no, or add the placement")
