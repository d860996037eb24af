from __future__ import annotations

import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.maturity.model import (
    build_model,
    build_placement_table,
    build_stage_table,
    compute_stage_summary,
    highest_stage,
    stage_headings,
)


@pytest.fixture
def tables():
    return (
        load_table("literature/maturity_stages.csv"),
        load_table("literature/preconditions.csv"),
        load_table("literature/precondition_studies.csv"),
    )


@pytest.fixture
def model(tables):
    return build_model(*tables)


def test_stages_are_those_of_section_6(model):
    assert [stage.number for stage in model.stages] == [1, 2, 3, 4]
    assert stage_headings(model)[3] == "Stage 3: Semi-automated model monitoring"


def test_every_precondition_belongs_to_one_stage(model, tables):
    keys = [p.key for stage in model.stages for p in stage.preconditions]
    assert sorted(keys) == sorted(tables[1]["precondition"])
    assert len(keys) == len(set(keys))
    assert all(p.key.startswith(f"P{stage.number}.") for stage in model.stages for p in stage.preconditions)


def test_requirements_accumulate(model):
    for lower, upper in zip(model.stages, model.stages[1:], strict=False):
        assert model.required_for(upper.number) == model.required_for(lower.number) + upper.preconditions


def test_unknown_stage_names_the_known_ones(model):
    with pytest.raises(InputError, match="1, 2, 3, 4"):
        model.required_for(5)


def test_summary_counts_support(model, tables):
    summary = compute_stage_summary(model, [f"S{number}" for number in range(23, 29)])
    # By hand from §VI: [24] containers; [27] tools, [27] [28] dashboards; [23] certification.
    assert list(summary["with_peer_reviewed"]) == [0, 1, 2, 1]
    assert summary["preconditions"].sum() == len(tables[1])
    assert list(summary["cumulative"]) == list(summary["preconditions"].cumsum())
    assert build_stage_table(model, summary)["Stage"].iloc[0] == "1 Automated data collection"


def test_stages_out_of_order_and_loose_preconditions_are_all_listed(tables):
    stages, preconditions, links = tables
    stages = stages.iloc[[0, 2, 1, 3]]
    preconditions.loc[2, "stage"] = 9
    links = links[links["precondition"] != "P4.10"]
    with pytest.raises(InputError) as caught:
        build_model(stages, preconditions, links)
    text = str(caught.value)
    assert "[1, 3, 2, 4], expected [1, 2, 3, 4]" in text
    assert "preconditions.csv:2: stage 9 does not exist" in text
    assert "stage 1 has the positions [2, 3, 4, 5, 6, 7]" in text
    assert "no study is cited for 'P4.10'" in text


def test_a_precondition_in_two_stages_is_refused(tables):
    stages, preconditions, links = tables
    twice = preconditions.iloc[[0]].assign(stage=2, position=16)
    with pytest.raises(InputError, match=r"'P1\.1' already stands in a stage"):
        build_model(stages, pd.concat([preconditions, twice]), links)


def test_a_stage_without_preconditions_is_refused(tables):
    stages, preconditions, links = tables
    with pytest.raises(InputError, match="stage 4 has no precondition"):
        build_model(stages, preconditions[preconditions["stage"] < 4], links)


def test_company_between_two_stages_is_printed_so(model):
    table = build_placement_table(load_table("literature/companies.csv"), model)
    assert list(table["Stage"]) == ["1 to 2", "1", "2"]  # §VIII
    assert highest_stage(load_table("literature/companies.csv")) == 2


@pytest.mark.parametrize(("lower", "upper"), [(2, 1), (1, 3), (4, 5)])
def test_impossible_places_are_refused(model, lower, upper):
    companies = load_table("literature/companies.csv")
    companies.loc[2, ["lower_stage", "upper_stage"]] = [lower, upper]
    with pytest.raises(InputError, match=rf"companies\.csv:2: placed between stages {lower} and {upper}"):
        build_placement_table(companies, model)
