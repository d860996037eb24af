from __future__ import annotations

import pytest

from analysis.base.errors import InputError
from analysis.requirements.traceability import (
    KIND_NAMES,
    build_trace_matrix,
    compute_coverage,
    compute_item_links,
    compute_source_fit,
    compute_traces,
    compute_wish_fit,
    trace_question,
)

from .faults import without_rows


def test_links_are_those_of_table_5_1(form):
    links = compute_item_links(form)
    direct = links[~links["inherited"]].groupby("item")["question"].agg(set).to_dict()
    assert {item: len(questions) for item, questions in direct.items()} == {
        "P1": 4, "P2": 4, "P3": 2, "P4": 3, "P5": 4, "P6": 2, "BP1": 2, "BP2": 2, "BP3": 1, "BP4": 3,
    }  # fmt: skip
    assert direct["P1"] == direct["P2"] == {"R33", "R34", "R35", "R36"}  # one row of Table 5.1 for both
    inherited = links[links["inherited"]]
    assert set(zip(inherited["item"], inherited["question"], strict=True)) == {("BP4", "R01"), ("BP4", "R02")}


def test_every_question_of_the_first_version_answers_an_item(form):
    first = set(form.asked_in(1)["question"])
    assert first == set(compute_item_links(form).query("not inherited")["question"])


def test_traces_tell_origin_versions_and_people(form):
    traces = compute_traces(form).set_index("question")
    assert len(traces) == len(form.questions) == 38
    metrics = traces.loc["R33"]  # Table 5.1, P1 and P2; Table 5.2, row 27, refined by the author
    assert metrics["items"] == ("P1", "P2")
    assert metrics["sources"] == ("paleyes2022", "ashmore2021", "ashmore2019")
    assert (metrics["first"], metrics["last"], metrics["by_author"]) == (1, 3, True)
    assert metrics["participants"] == ()
    labellers = traces.loc["R13"]  # Table 5.3, row 2: ID6.2, ID10
    assert (labellers["items"], labellers["participants"]) == ((), ("T-P06", "T-P10"))
    assert (labellers["first"], labellers["last"]) == (3, 3)
    assert list(traces.index[traces["last"] == 1]) == ["R38"]


def test_the_way_of_a_question_has_every_step_and_resolves(form, coding):
    known = set(coding["segments"]["segment"])
    for question in form.questions["question"]:
        trace = trace_question(form, question)
        assert set(trace["segment"].dropna()) <= known
        assert "version" in set(trace["step"])
        assert set(trace["step"]) & {"item", "change"}, f"{question} comes from nowhere"
    steps = trace_question(form, "R12")["step"]
    assert list(dict.fromkeys(steps)) == ["item", "source", "version", "wish", "change", "interviewee"]


def test_an_unknown_question_is_refused(form):
    with pytest.raises(InputError, match=r"no question 'R99'.*[\s\S]*use R01 to R38"):
        trace_question(form, "R99")


def test_gaps_are_counted(form):
    gaps = compute_coverage(form).set_index("gap")
    assert (gaps["count"] == gaps["which"].str.len()).all() and (gaps["count"] <= gaps["of"]).all()
    counts = gaps["count"].to_dict()
    assert counts["items_without_question"] == counts["items_without_source"] == 0  # Table 5.1 is complete
    assert counts["questions_without_item"] == 13  # 15 added in Tables 5.2 and 5.3, less the two that replace R38
    assert gaps.at["changes_without_interviewee", "which"] == ("C2.27", "C2.28", "C2.29")  # "Refined by us"
    assert gaps.at["sources_not_listed", "which"] == ("kreuzberger2022", "tamburri2022", "kumara2021")


@pytest.mark.parametrize(
    ("name", "where", "gap", "which"),
    [
        ("item_questions", {"item": "BP3"}, "items_without_question", ("BP3",)),
        ("item_sources", {"item": "BP3", "place": "table"}, "items_without_source", ("BP3",)),
        ("change_interviewees", {"change": "C3.01"}, "questions_without_origin", ("R05",)),
        ("wish_changes", {"wish": "W23"}, "changes_without_wish", ("C2.27", "C2.28", "C2.29", "C3.01", "C3.03")),
    ],
)
def test_a_lost_link_shows_as_a_gap(form, name, where, gap, which):
    gaps = compute_coverage(without_rows(form, name, where)).set_index("gap")
    assert gaps.at[gap, "which"] == which


def test_prose_and_table_cite_different_sources(form):
    fit = compute_source_fit(form).set_index("item")
    assert fit["fit"].value_counts().to_dict() == {"disjoint": 5, "partial": 4, "same": 1}
    assert fit.index[fit["fit"] == "same"].tolist() == ["BP1"]  # §5.1.1 and Table 5.1: Kolltveit, Ashmore 2021
    assert fit.at["BP2", "not_listed"] == ("kumara2021",)


def test_those_who_wished_are_not_those_who_are_named(form):
    fit = compute_wish_fit(form).set_index("wish")
    # §5.1.3 prints the words of ID10 and ID 8.1; Table 5.2 names ID1.1 and ID6.1 for both questions.
    assert fit.loc[["W01", "W02"], "speaker_named"].eq(False).all()
    assert fit.loc[["W01", "W02"], "named"].tolist() == [2, 2]
    assert fit.index[fit["broad"]].tolist() == ["W03", "W08"]
    assert set(fit["speaker"].dropna()) == {"T-P10", "T-P08"}


def test_the_matrix_has_every_link_once(form):
    rows, columns, links = build_trace_matrix(form)
    assert not links.duplicated().any()
    assert set(links["row"]) == set(rows["key"]) and set(links["column"]) == set(columns["key"])
    assert set(columns["group"]) == set(KIND_NAMES)
    assert len(links) == 27 + 2 + 81  # Table 5.1, inherited, and names in Tables 5.2 and 5.3
    assert rows.set_index("key").at["R38", "label"].endswith("(dropped)")
