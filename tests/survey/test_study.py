"""From published totals, a made-up set, stored rows or an export to what the notebook shows; what small cells hide."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure

from analysis.base.errors import InputError
from analysis.base.paths import DATA
from analysis.base.tables import load_table
from analysis.survey import study as module
from analysis.survey.demo import build_demo
from analysis.survey.disclosure import suppress_small_cells
from analysis.survey.instrument import load_instrument
from analysis.survey.mapping import draft_mapping
from analysis.survey.plan import build_plan
from analysis.survey.plan_display import (
    build_account,
    build_finding_table,
    build_plan_table,
    build_reliability_table,
    build_sensitivity_table,
    build_shown_table,
    build_truth_table,
    draw_effects,
    draw_shares,
    draw_views,
    find_truth,
    show_figure,
)
from analysis.survey.plan_power import compute_detectable
from analysis.survey.plan_run import NOT_COMPUTABLE, run_plan
from analysis.survey.privacy import open_vault, store_responses
from analysis.survey.study import conduct_study, hide_differences, protect_tables

PRACTITIONERS = load_instrument("practitioners")
CONTENT = yaml.safe_load((DATA / "survey/analysis_plan.yaml").read_text(encoding="utf-8"))
PLAN = build_plan(CONTENT | {"draws": 199}, PRACTITIONERS)
QUESTIONS = load_table("survey/questionnaire.csv")
TABLES = (build_account, build_finding_table, build_reliability_table, build_sensitivity_table)


@pytest.fixture(scope="module")
def published():
    return conduct_study("published", "", PLAN, PRACTITIONERS, QUESTIONS)


@pytest.fixture(scope="module")
def demo():
    return conduct_study("demo", "", PLAN, PRACTITIONERS, QUESTIONS)


def export_of(responses, path):
    """The answers as Google Forms would hand them out, with an address beside each."""
    table = pd.DataFrame({"Timestamp": ["2026/12/01 9:00:00 AM GMT+1"] * responses.n})
    table["Email Address"] = [f"person{number}@example.org" for number in range(responses.n)]
    for question in PRACTITIONERS.questions:
        cells = responses.table[question.id]
        if question.kind == "yes_no":
            cells = cells.map({True: "Yes", False: "No"})
        elif question.kind != "text":
            cells = cells.astype("string").map(
                lambda option, asked=question: "Chief" if option == asked.other else asked.label_of(option)
            )
        table[question.wording] = cells.astype("string").fillna("").to_numpy()
    table.to_csv(path, index=False)
    mapping = draft_mapping(PRACTITIONERS, "google_forms") | {"respondent": {"column": "Email Address"}}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(mapping, allow_unicode=True), encoding="utf-8")


def test_published_totals_give_reasons_and_no_numbers(published):
    found = published.results.findings
    assert published.origin == "published" and published.label == ""
    assert (found["verdict"] == NOT_COMPUTABLE).all() and found["value"].isna().all()
    reasons = dict(zip(found["hypothesis"], found["reason"], strict=True))
    assert "described, not tested" in reasons["H1"] and "chart alone" in reasons["H10"]
    assert "answers of single respondents" in reasons["H5"]
    assert all(build(published) is None for build in TABLES)
    assert build_shown_table(published, "Q3", "Q4", PRACTITIONERS) is None
    assert build_truth_table(published, PLAN, PRACTITIONERS) is None
    assert draw_effects(published, PLAN) is None and draw_shares(published, PLAN, PRACTITIONERS) is None
    assert draw_views(published, PLAN, PRACTITIONERS) is None and show_figure(None) is None


def test_the_plan_is_printed_whole_without_rows(published):
    detectable = compute_detectable(PLAN, PRACTITIONERS, group_share=30 / 84)
    table = build_plan_table(PLAN, published, detectable)
    assert list(table["No."]) == [one.id for one in PLAN.hypotheses]
    assert not table.isna().any().any() and (table["Result"] != "").all()
    assert table["Test; effect"].str.contains("one-sided").sum() == sum(
        one.alternative != "two-sided" for one in PLAN.hypotheses
    )


def test_demo_answers_are_labelled_wherever_they_are_shown(demo):
    assert demo.origin == "demo" and "demo" in demo.source
    for build in TABLES:
        table = build(demo)
        assert "demo" in " ".join(map(str, [*table.columns, table.columns.name, table.index.name])), build
    assert "demo" in build_shown_table(demo, "Q3", "Q4", PRACTITIONERS).columns.name
    assert "demo" in str(build_truth_table(demo, PLAN, PRACTITIONERS).columns)
    for figure in (draw_effects(demo, PLAN), draw_shares(demo, PLAN, PRACTITIONERS)):
        assert isinstance(figure, Figure) and "demo" in " ".join(axes.get_xlabel() for axes in figure.axes)
    assert "<svg" in show_figure(draw_shares(demo, PLAN, PRACTITIONERS)).data


def test_the_known_truth_is_mostly_covered(demo):
    """Ten effects with a known truth: fewer than eight covered would happen in about 1 % of surveys."""
    found = demo.results.findings.set_index("hypothesis")
    known = covered = 0
    for one in PLAN.hypotheses:
        truth = find_truth(demo.truth, one, PRACTITIONERS)
        if pd.notna(truth) and found.loc[one.id, "verdict"] != NOT_COMPUTABLE:
            known += 1
            covered += found.loc[one.id, "low"] <= truth <= found.loc[one.id, "high"]
    assert known >= 8 and covered >= known - 2


def test_an_export_and_what_was_stored_of_it_give_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROOT", tmp_path)
    responses, _ = build_demo(PRACTITIONERS, 84, 3, shift=1.0)
    export_of(responses, tmp_path / "export.csv")
    folder = tmp_path / "private"
    direct = conduct_study("export.csv", "export.yaml", PLAN, PRACTITIONERS, QUESTIONS, folder)
    answers = module.select_responses("export.csv", "export.yaml", PLAN, PRACTITIONERS, folder)
    store_responses(answers, open_vault(folder))
    stored = conduct_study("stored", "", PLAN, PRACTITIONERS, QUESTIONS, folder)
    assert direct.origin == stored.origin == "measured" and stored.label == ""
    pd.testing.assert_frame_equal(direct.results.findings, stored.results.findings)
    plain = run_plan(PLAN, responses, PRACTITIONERS)  # through the export and back, nothing is lost
    pd.testing.assert_frame_equal(direct.results.findings, plain.findings)
    assert build_account(direct)["rows"].tolist()[-1] == 84
    assert build_truth_table(direct, PLAN, PRACTITIONERS) is None


@pytest.mark.parametrize(
    ("responses", "mapping", "said"),
    [
        ("published", "private/mapping.yaml", "nothing to map"),
        ("data/none.csv", "", "without its column mapping"),
        ("data/none.csv", "data/none.yaml", "no such file"),
        ("stored", "", "no such file|no stored|There are no"),
    ],
)
def test_what_cannot_be_read_is_said(responses, mapping, said, tmp_path):
    with pytest.raises(InputError, match=said):
        conduct_study(responses, mapping, PLAN, PRACTITIONERS, QUESTIONS, tmp_path / "private")


# ---- what is hidden ----------------------------------------------------------------------------------------------


def test_small_cells_of_recognisable_people_are_crosses():
    responses, _ = build_demo(PRACTITIONERS, 84, 3)
    table = responses.table.copy()
    rare = table["Q3"].cat.categories[0]
    table.loc[table["Q3"] == rare, "Q3"] = table["Q3"].cat.categories[1]
    table.loc[table.index[:2], "Q3"] = rare  # two people from the smallest companies
    study = replace(
        conduct_study("demo", "", PLAN, PRACTITIONERS, QUESTIONS),
        protection=protect_tables(replace(responses, table=table), PLAN, PRACTITIONERS),
    )
    shown = build_shown_table(study, "Q3", "Q4", PRACTITIONERS).astype(str)
    assert (shown == "×").to_numpy().sum() >= 4  # the two, and what they would follow from
    counts = pd.to_numeric(shown.stack(), errors="coerce")
    assert not counts.between(1, PLAN.minimum.k - 1).any()


def test_who_leaves_out_a_few_does_not_print_how_many():
    responses, _ = build_demo(PRACTITIONERS, 84, 3)
    table = responses.table.copy()
    roles = table["Q1"].cat.categories
    table["Q1"] = pd.Categorical([*["other"] * 3, *[roles[0]] * 40, *[roles[1]] * 41], dtype=table["Q1"].dtype)
    answers = replace(responses, table=table)
    protection = protect_tables(answers, PLAN, PRACTITIONERS)
    hidden = hide_differences(run_plan(PLAN, answers, PRACTITIONERS), PLAN, protection).sensitivity
    gone = hidden["variation"] == "known_roles"
    assert hidden.loc[gone, ["n", "value", "p_value"]].isna().all(axis=None)
    assert hidden.loc[gone, "reason"].str.contains("suppressed count").all()
    assert hidden.loc[~gone, "n"].notna().all()


def test_a_question_with_a_suppressed_count_is_not_drawn():
    """Were a view a quasi-identifier with two people in one answer, its bar would be left out."""
    responses, _ = build_demo(PRACTITIONERS, 84, 3)
    table = responses.table.copy()
    places = table["Q8"].cat.categories
    table["Q8"] = pd.Categorical([*[places[0]] * 2, *[places[3]] * 40, *[places[4]] * 42], dtype=table["Q8"].dtype)
    protection = suppress_small_cells(table, [("Q6",), ("Q7",), ("Q8",)], ["Q8"], k=5)
    study = replace(conduct_study("demo", "", PLAN, PRACTITIONERS, QUESTIONS), protection=protection)
    drawn = draw_views(study, PLAN, PRACTITIONERS)
    labels = " ".join(label.get_text() for label in drawn.axes[0].get_yticklabels())
    assert "Q6" in labels and "Q8" not in labels
