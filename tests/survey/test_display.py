"""Printed tables lose nothing and mark what is reconstructed; figure inputs keep every respondent."""

from __future__ import annotations

import pytest

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.survey.display import (
    build_audit_table,
    build_beside,
    build_claim_table,
    build_interval_rows,
    build_likert_segments,
    build_question_table,
    build_reading_table,
    build_scale,
    build_share_table,
)
from analysis.survey.likert import Answers, build_answers, compute_answer_shares, compute_group_share, top_two
from analysis.survey.published import audit_published
from analysis.survey.readings import compare_readings, find_corrections


@pytest.fixture(scope="module")
def counts():
    return load_table("survey/published_counts.csv")


@pytest.fixture(scope="module")
def questionnaire():
    return load_table("survey/questionnaire.csv")


@pytest.fixture(scope="module")
def answers(counts):
    corrections = find_corrections(counts, 84, rule="half_up")
    return [build_answers(counts, question, 84, corrections) for question in ("Q2", "Q4", "Q6", "Q7", "Q8")]


def test_question_table_names_every_question(questionnaire):
    table = build_question_table(questionnaire)
    assert list(table["Question"]) == [f"Q{number}" for number in range(1, 10)]
    assert table["Answers"].iloc[-1] == "open"
    assert not table.isna().any().any()


def test_share_table_marks_the_correction_and_prints_what_was_printed(answers, counts):
    shares = compute_answer_shares(answers, 0.9, share_method="wilson", joint_method="goodman")
    table = build_share_table(shares, counts, 0.9)
    marked = table[table["Count"].str.contains("reconstructed")]
    assert list(marked["Answer"]) == ["Negative"]
    assert marked["Count"].iloc[0] == "3 (reconstructed; printed 4)"
    assert marked["Printed"].iloc[0] == "4%"
    assert "90% interval" in table
    assert set(table["Question"]) == {"Q2", "Q4", "Q6", "Q7", "Q8", ""}
    printed = counts[counts["count"].notna()]
    assert (table["Printed"] != "–").sum() == len(printed)


def test_audit_is_split_without_loss(counts):
    audit = audit_published(counts, load_table("survey/published_claims.csv"), 84, rule="half_up")
    numeric, claims = build_audit_table(audit), build_claim_table(audit)
    assert len(numeric) + len(claims) == len(audit)
    assert list(numeric["Question"]) == sorted(numeric["Question"])
    assert numeric.loc[numeric["Verdict"].str.startswith("contradiction"), "Smallest correction"].nunique() == 1
    assert len(build_reading_table(compare_readings(counts, "Q7", 84, rule="half_up"))) == 5


def test_segments_keep_every_respondent_and_mark_the_correction(answers, questionnaire):
    segments = build_likert_segments(answers[2:], questionnaire)
    assert (segments.groupby("item")["count"].sum() == 84).all()
    assert list(segments.loc[segments["mark"] == "*", "count"]) == [3]
    wide = segments[segments["last"] > segments["first"]]
    assert wide[["first", "last", "count"]].to_numpy().tolist() == [[1, 3, 15]]


def test_segments_refuse_open_answers_that_lie_apart(questionnaire):
    answers = Answers("Q8", ("a", "b", "c", "d", "e"), (None, 3, None, 4, 5), 20)
    with pytest.raises(InputError, match="cannot be drawn"):
        build_likert_segments([answers], questionnaire)


def test_scale_joins_different_names_and_refuses_different_lengths(answers):
    assert build_scale(answers[2:]) == [
        "Strongly disagree, Very negative",
        "Disagree, Negative",
        "Neutral",
        "Agree, Positive",
        "Strongly agree, Very positive",
    ]
    with pytest.raises(InputError):
        build_scale(answers)


def test_rows_beside_and_interval_rows(answers, questionnaire):
    attitudes = answers[2:]
    shares = [compute_group_share(one, top_two(one), method="wilson") for one in attitudes]
    beside = build_beside(attitudes, shares, questionnaire)
    assert list(beside["item"]) == list(dict.fromkeys(build_likert_segments(attitudes, questionnaire)["item"]))
    assert beside["text"].iloc[0] == "78.6% (68.7–86.0%)"
    rows = build_interval_rows(
        compute_answer_shares(answers, share_method="wilson", joint_method="goodman"), questionnaire, ["Q2", "Q4"]
    )
    assert list(rows["group"].unique()) == ["Q2: experience", "Q4: adoption"]
    assert rows["text"].iloc[0] == "42 of 84: 50.0% (39.5–60.5%)"
