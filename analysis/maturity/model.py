"""The maturity model of John, Olsson and Bosch (2021), §VI–VIII: ordered stages, what each asks for, who stands where.

We read the model as cumulative: a company at a stage has met the preconditions of that stage and
of all stages below it. The paper gives no rule for partly met preconditions; a company may stand
between two neighbouring stages, as one of its cases does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.base.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Precondition:
    """One precondition: ``key`` as in the table, short ``name``, ``text``, and the ids of its ``studies``."""

    key: str
    name: str
    text: str
    studies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its place in the order, its name, what a company leaves and gains, its preconditions."""

    number: int
    name: str
    from_state: str
    to_state: str
    preconditions: tuple[Precondition, ...]


@dataclass(frozen=True, slots=True)
class MaturityModel:
    """Stages in order, lowest first."""

    stages: tuple[Stage, ...]

    def stage(self, number: int) -> Stage:
        """The stage with this number.

        Raises
        ------
        InputError
            There is none.
        """
        for stage in self.stages:
            if stage.number == number:
                return stage
        known = ", ".join(str(stage.number) for stage in self.stages)
        raise InputError(
            f"The maturity model has no stage {number}.", [Problem("", f"its stages are {known}", "choose one of them")]
        )

    def required_for(self, number: int) -> tuple[Precondition, ...]:
        """Every precondition that a company at this stage has met: those of the stage and of all below it."""
        self.stage(number)
        return tuple(p for stage in self.stages if stage.number <= number for p in stage.preconditions)


def build_model(stages: pd.DataFrame, preconditions: pd.DataFrame, links: pd.DataFrame) -> MaturityModel:
    """Join the three tables into one checked model.

    Parameters
    ----------
    stages, preconditions, links : DataFrame
        ``literature/maturity_stages.csv``, ``literature/preconditions.csv`` and
        ``literature/precondition_studies.csv``.

    Raises
    ------
    InputError
        Stages not numbered 1, 2, … in the order of the file; a precondition of no stage or of two; positions
        with gaps; a stage without preconditions; a precondition without a study. All are listed.
    """
    problems = _stage_problems(stages) + _precondition_problems(stages, preconditions, links)
    if problems:
        raise InputError("The maturity model is not in order.", problems)
    studies = links.groupby("precondition")["study"].agg(tuple).to_dict()
    return MaturityModel(
        tuple(
            Stage(
                int(stage.stage),
                stage.name,
                stage.from_state,
                stage.to_state,
                tuple(
                    Precondition(row.precondition, row.name, row.text, studies[row.precondition])
                    for row in preconditions[preconditions["stage"] == stage.stage]
                    .sort_values("position")
                    .itertuples(index=False)
                ),
            )
            for stage in stages.itertuples(index=False)
        )
    )


def compute_stage_summary(model: MaturityModel, peer_reviewed: Sequence[str]) -> pd.DataFrame:
    """What each stage asks for and how much of it peer-reviewed studies support.

    Parameters
    ----------
    model : MaturityModel
    peer_reviewed : sequence of str
        Ids of the peer-reviewed studies.

    Returns
    -------
    DataFrame
        One row a stage: ``stage``, ``name``, ``preconditions``, ``cumulative`` (of this and all
        lower stages), ``with_peer_reviewed``, ``single_source`` (counts).
    """
    reviewed = set(peer_reviewed)
    return pd.DataFrame(
        {
            "stage": stage.number,
            "name": stage.name,
            "preconditions": len(stage.preconditions),
            "cumulative": len(model.required_for(stage.number)),
            "with_peer_reviewed": sum(bool(reviewed & set(p.studies)) for p in stage.preconditions),
            "single_source": sum(len(p.studies) == 1 for p in stage.preconditions),
        }
        for stage in model.stages
    )


def stage_headings(model: MaturityModel) -> dict[int, str]:
    """Stage number → heading, in order, as figures print it."""
    return {stage.number: f"Stage {stage.number}: {stage.name}" for stage in model.stages}


def build_stage_table(model: MaturityModel, summary: pd.DataFrame) -> pd.DataFrame:
    """The stages as printed, from a model and its `compute_stage_summary`."""
    return pd.DataFrame(
        {
            "Stage": [f"{stage.number} {stage.name}" for stage in model.stages],
            "Starts from": [stage.from_state for stage in model.stages],
            "Gained": [stage.to_state for stage in model.stages],
            "Conditions": summary["preconditions"],
            "Peer-rev.": summary["with_peer_reviewed"],
            "One source": summary["single_source"],
            "Up to here": summary["cumulative"],
        }
    )


def build_placement_table(companies: pd.DataFrame, model: MaturityModel) -> pd.DataFrame:
    """The case companies with their place in the model, as printed.

    Parameters
    ----------
    companies : DataFrame
        ``literature/companies.csv``.
    model : MaturityModel

    Returns
    -------
    DataFrame
        Columns Case, Sector, People, Stage, Reason given, Still missing.

    Raises
    ------
    InputError
        A company at an unknown stage, or between stages that are not neighbours.
    """
    where = companies.attrs.get("source", "companies")
    numbers = {stage.number for stage in model.stages}
    problems = [
        Problem(
            f"{where}:{row.Index}",
            f"placed between stages {row.lower_stage} and {row.upper_stage}",
            "one stage, or two neighbours of the model",
        )
        for row in companies.itertuples()
        if not ({row.lower_stage, row.upper_stage} <= numbers and row.upper_stage - row.lower_stage in (0, 1))
    ]
    if problems:
        raise InputError("The places of the case companies do not fit the model.", problems)
    place = [
        str(row.lower_stage) if row.lower_stage == row.upper_stage else f"{row.lower_stage} to {row.upper_stage}"
        for row in companies.itertuples()
    ]
    return pd.DataFrame(
        {
            "Case": companies["company"].array,
            "Sector": companies["sector"].array,
            "People": companies["practitioners"].array,
            "Stage": place,
            "Reason given": companies["reason"].array,
            "Still missing": companies["still_missing"].array,
        }
    )


def highest_stage(companies: pd.DataFrame) -> int:
    """The highest stage that any case company reaches or touches."""
    return int(companies["upper_stage"].max())


def _stage_problems(stages: pd.DataFrame) -> list[Problem]:
    where = stages.attrs.get("source", "stages")
    expected = list(range(1, len(stages) + 1))
    found = [int(number) for number in stages["stage"]]
    if found == expected:
        return []
    return [Problem(where, f"stages are numbered {found}, expected {expected}", "number them in order, lowest first")]


def _precondition_problems(stages: pd.DataFrame, preconditions: pd.DataFrame, links: pd.DataFrame) -> list[Problem]:
    where = preconditions.attrs.get("source", "preconditions")
    known, supported = set(stages["stage"]), set(links["precondition"])
    seen: set[str] = set()
    problems = []
    for row in preconditions.itertuples():
        place = f"{where}:{row.Index}"
        if row.stage not in known:
            problems.append(Problem(place, f"stage {row.stage} does not exist", "one of the stages of the model"))
        if row.precondition in seen:
            problems.append(Problem(place, f"'{row.precondition}' already stands in a stage", "one row a precondition"))
        if row.precondition not in supported:
            problems.append(Problem(place, f"no study is cited for '{row.precondition}'", "add its citation"))
        seen.add(row.precondition)
    for stage in stages["stage"]:
        positions = sorted(int(p) for p in preconditions.loc[preconditions["stage"] == stage, "position"])
        if not positions:
            problems.append(Problem(where, f"stage {stage} has no precondition", "add its preconditions"))
        elif positions != list(range(1, len(positions) + 1)):
            problems.append(Problem(where, f"stage {stage} has the positions {positions}", "number them 1, 2, …"))
    return problems
