"""The audit on the published figures, on sound ones (it must find nothing) and on seeded faults (it must find them)."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.stats.rounding import round_percent
from analysis.survey.display import count_verdicts
from analysis.survey.published import (
    AUDIT_COLUMNS,
    HOLDS,
    audit_claims,
    audit_percent_sums,
    audit_percentages,
    audit_published,
    audit_sums,
    select_fact,
)
from analysis.survey.readings import (
    compare_readings,
    compare_rules,
    find_corrections,
    select_lone_count,
    select_question,
)


@pytest.fixture(scope="module")
def counts():
    return load_table("survey/published_counts.csv")


@pytest.fixture(scope="module")
def claims():
    return load_table("survey/published_claims.csv")


def sound(answers: dict[str, list[int]], rule: str = "half_up") -> pd.DataFrame:
    """A table like published_counts.csv in which every figure follows from the counts."""
    rows = [
        {
            "question": question,
            "position": place,
            "option": f"answer {place}",
            "count": count,
            "printed_percent": str(round_percent(count, sum(values), rule=rule)),
            "status": "counts",
            "locator": "made up",
        }
        for question, values in answers.items()
        for place, count in enumerate(values, start=1)
    ]
    frame = pd.DataFrame(rows).astype({"count": "Int64", "printed_percent": "string"})
    frame.index.name = "line"
    return frame


def verdict(findings: pd.DataFrame, question: str) -> str:
    return findings.set_index("question").loc[question, "verdict"]


# What the source prints, typed a second time from Dusengimana (2023), §5.2.1 and §5.2.2, independently of the CSV.
PRINTED = {
    "Q2": [(42, "50"), (36, "43"), (6, "7")],
    "Q4": [(54, "64"), (30, "36")],
    "Q6": [(5, "6"), (13, "15"), (47, "56"), (19, "23")],
    "Q7": [(4, "4"), (12, "14"), (34, "40"), (35, "42")],
    "Q8": [(28, "33"), (41, "49")],
}


def test_the_table_holds_what_the_source_prints(counts):
    found = {
        question: list(zip(rows["count"], rows["printed_percent"], strict=True))
        for question, rows in counts[counts["count"].notna()].groupby("question")
    }
    assert found == PRINTED
    assert select_fact(load_table("survey/study_facts.csv"), "respondents") == 84
    assert list(counts.loc[counts["status"] == "percent_only", "printed_percent"]) == ["30"]


def test_status_says_what_is_in_the_row(counts):
    has_count, has_percent = counts["count"].notna(), counts["printed_percent"].notna()
    assert (has_count == (counts["status"] == "counts")).all()
    assert ((has_percent & ~has_count) == (counts["status"] == "percent_only")).all()


def test_every_option_of_every_closed_question_is_there(counts):
    asked = load_table("survey/questionnaire.csv").set_index("question")["options"].dropna()
    assert counts.groupby("question").size().to_dict() == asked.to_dict()


def test_sums_find_the_one_respondent_too_many(counts):
    findings = audit_sums(counts, 84, rule="half_up")
    assert list(findings.columns) == AUDIT_COLUMNS
    assert verdict(findings, "Q2") == verdict(findings, "Q4") == HOLDS
    assert verdict(findings, "Q6").startswith(HOLDS)
    assert verdict(findings, "Q7") == "contradiction: 1 too many"
    assert findings.set_index("question").loc["Q7", "correction"] == "Negative 4 → 3"
    assert verdict(findings, "Q8") == "incomplete: 15 not broken down over 3 answers"


def test_percentages_find_the_four_per_cent(counts):
    findings = audit_percentages(counts, 84, rule="half_up")
    assert verdict(findings, "Q7") == "contradiction: 4 of 84 prints as 5, not 4"
    assert [verdict(findings, question) for question in ("Q2", "Q4", "Q6", "Q8")] == [HOLDS] * 4
    lone = findings[findings["question"] == "Q3"].iloc[0]
    assert (lone["recomputed"], lone["verdict"]) == ("25 of 84", "one count only")


def test_percentages_of_the_contradictory_question_still_add_up(counts):
    findings = audit_percent_sums(counts)
    assert list(findings["question"]) == ["Q2", "Q4", "Q6", "Q7"]  # Q8 leaves answers out, Q3 prints one number
    assert set(findings["verdict"]) == {HOLDS}


def test_no_rule_explains_everything_and_rounding_explains_most(counts):
    rules = compare_rules(counts, 84).set_index("rule")
    assert set(rules["checked"]) == {15}
    ties = dict.fromkeys(("half_up", "half_even", "half_away", "half_down"), 14)
    assert rules["fits"].to_dict() == ties | {"truncate": 8, "up": 8}
    assert rules.loc["half_up", "misfits"] == "Q7 Negative"


def test_one_reading_alone_repairs_q7(counts):
    readings = compare_readings(counts, "Q7", 84, rule="half_up")
    assert len(readings) == 5  # one a printed answer, and the larger number of respondents
    assert readings.iloc[0]["counts"] == (3, 12, 34, 35)
    assert (readings["fits"] == 4).sum() == 1
    larger = readings[readings["n"] == 85].iloc[0]
    assert (larger["counts"], larger["fits"]) == ((4, 12, 34, 35), 2)
    assert find_corrections(counts, 84, rule="half_up").to_dict("records") == [
        {"question": "Q7", "position": 2, "option": "Negative", "printed": 4, "corrected": 3}
    ]


def test_a_count_without_a_percentage_is_not_checked_against_one(counts):
    silent = counts.assign(printed_percent=counts["printed_percent"].mask(counts["count"] == 35))
    readings = compare_readings(silent, "Q7", 84, rule="half_up")
    assert set(readings["checked"]) == {3}
    assert readings.iloc[0]["fits"] == 3


def test_lone_percentage_depends_on_the_rule(counts):
    assert select_lone_count(counts, "Q3", 84, rule="half_up") == 25
    assert select_lone_count(counts, "Q3", 84, rule="truncate") == 26
    with pytest.raises(InputError):
        select_lone_count(counts, "Q3", 840, rule="half_up")  # nine counts print so
    with pytest.raises(InputError):
        select_lone_count(counts, "Q2", 84, rule="half_up")


@pytest.mark.parametrize("rule", ["half_up", "half_even", "truncate"])
def test_sound_figures_pass(rule):
    frame = sound({"Q1": [10, 20, 3], "Q2": [16, 17], "Q3": [1, 2, 30]}, rule)
    numeric = pd.concat([audit_sums(frame, 33, rule=rule), audit_percentages(frame, 33, rule=rule)])
    assert set(numeric["verdict"]) == {HOLDS}
    assert find_corrections(frame, 33, rule=rule).empty


def test_a_seeded_fault_of_each_kind_is_found():
    too_many = sound({"Q1": [10, 20, 3]})
    too_many.loc[1, "count"] = 21
    assert verdict(audit_sums(too_many, 33, rule="half_up"), "Q1") == "contradiction: 1 too many"
    assert "21 of 33 prints as 64, not 61" in verdict(audit_percentages(too_many, 33, rule="half_up"), "Q1")
    too_few = sound({"Q1": [10, 20, 3]})
    too_few.loc[0, "count"] = 8
    assert verdict(audit_sums(too_few, 33, rule="half_up"), "Q1") == "contradiction: 2 missing"
    swapped = sound({"Q1": [10, 20, 3]})
    swapped.loc[2, "printed_percent"] = "90"
    assert verdict(audit_percent_sums(swapped), "Q1") == "contradiction: +81 points, rounding explains 1.5"
    impossible = sound({"Q1": [40, 44]})
    impossible["count"] = pd.NA
    impossible["printed_percent"] = pd.array(["9", "50"], dtype="string")
    findings = audit_percentages(impossible, 84, rule="half_up")
    assert list(findings["verdict"]) == ["contradiction: no count of 84 prints so", "one count only"]


def test_ambiguous_repairs_are_not_chosen():
    """Two answers with the same count and percentage: either could be the misprint, so neither is corrected."""
    frame = sound({"Q1": [100, 100, 800]})
    frame["count"] = pd.array([101, 101, 799], dtype="Int64")
    assert find_corrections(frame, 1000, rule="half_up").empty


def test_claims_become_findings(claims):
    findings = audit_claims(claims)
    assert len(findings) == len(claims)
    assert (findings["verdict"] == "cannot be checked").sum() == (claims["kind"] == "no_numbers").sum()
    equal = claims.copy()
    equal.loc[equal["claim"] == "C01", "against_value"] = 5
    with pytest.raises(InputError, match="C01: both sides are 5"):
        audit_claims(equal)


def test_the_date_that_can_be_filled_in(claims):
    """C15: the 30th was a Monday in January 2023, and in October only beside it; the survey closed before that."""
    mondays = [month for month in range(1, 13) if month != 2 and date(2023, month, 30).strftime("%a") == "Mon"]
    assert mondays == [1, 10]
    assert "30 January 2023 was a Monday" in claims.set_index("claim").loc["C15", "reading"]


def test_counts_of_verdicts_add_up(counts, claims):
    audit = audit_published(counts, claims, 84, rule="half_up")
    verdicts = count_verdicts(audit)
    assert verdicts["checks"] + verdicts["claims"] == len(audit)
    assert (verdicts["checks"], verdicts["checks_contradicted"]) == (15, 2)


def test_what_is_not_printed_cannot_be_selected(counts):
    with pytest.raises(InputError) as error:
        select_question(counts, "Q1", "Q2", "Q5")
    assert [problem.where for problem in error.value.problems] == ["Q1", "Q5"]
    assert select_question(counts, "Q2").attrs["source"].endswith("survey/published_counts.csv")
    with pytest.raises(InputError):
        compare_readings(counts, "Q2", 84, rule="half_up")
    with pytest.raises(InputError):
        select_fact(load_table("survey/study_facts.csv"), "people_invited")
