"""Percentages, parts and single figures: sound ones pass, seeded faults are found, and what the two sources print."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.stats.rounding import RULES, TIE_RULES, round_percent
from analysis.survey.audit.figures import audit_figures, count_figure_verdicts
from analysis.survey.audit.pages import Block
from analysis.survey.audit.percentages import lone_percent_test, parts_test, percent_test
from analysis.survey.audit.printed import step_printed
from analysis.survey.audit.text import audit_blocks, contradictions
from analysis.survey.display import build_figure_table
from analysis.survey.published import AUDIT_COLUMNS


@pytest.fixture(scope="module")
def figures():
    return load_table("survey/published_figures.csv")


@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    st.integers(0, 2),
    st.sampled_from(list(RULES)),
)
def test_a_true_percentage_follows(answers, digits, rule):
    n, count = answers
    percent = str(round_percent(count, n, digits, rule=rule))
    result = percent_test(percent, count, n)
    assert result.consistent
    assert rule in result.rules
    assert result.corrections == ()
    assert lone_percent_test(percent, n, rules=[rule]).consistent


@given(
    st.integers(2, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.integers(-5, 5), st.booleans()
)
def test_every_correction_mends(answers, shift, lone):
    n, count = answers
    percent = step_printed(str(round_percent(count, n, rule="half_up")), shift)
    if not 0 <= int(percent) <= 100:
        return
    result = lone_percent_test(percent, n) if lone else percent_test(percent, count, n, rules=TIE_RULES)
    for correction in result.corrections:
        mended = {"percentage": percent, "count": count, "n": n} | {correction.figure: correction.corrected}
        if lone:
            assert lone_percent_test(mended["percentage"], int(mended["n"])).consistent
        else:
            assert percent_test(
                mended["percentage"], int(mended["count"]), int(mended["n"]), rules=TIE_RULES
            ).consistent


def test_the_four_per_cent():
    """Dusengimana (2023), §5.2.2: 4 (4%) of 84."""
    strict = percent_test("4", 4, 84, rules=TIE_RULES)
    assert (strict.consistent, strict.expected, strict.rules) == (False, "5", ("truncate",))
    assert percent_test("4", 4, 84).consistent  # cut off, which none of the other percentages there is


def test_parts_and_their_whole():
    assert parts_test([54, 30], 84).consistent
    result = parts_test([4, 12, 34, 35], 84)
    assert result.difference == 1
    assert {str(correction) for correction in result.corrections} == {
        "whole 84 → 85",
        "part 4 → 3",
        "part 12 → 11",
        "part 34 → 33",
        "part 35 → 34",
    }
    assert parts_test([1, 2], 8).difference == -5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: percent_test("4", 85, 84),
        lambda: percent_test("4 %", 4, 84),
        lambda: percent_test("4", 4, 84, rules=["nearest"]),
        lambda: lone_percent_test("104", 84),
        lambda: parts_test([], 84),
        lambda: parts_test([-1], 84),
    ],
)
def test_wrong_input_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()


def verdicts(findings: pd.DataFrame) -> dict[str, str]:
    doubtful = findings[findings["verdict"] != "holds"]
    return dict(zip(doubtful["question"], doubtful["verdict"], strict=True))


def test_what_the_sources_print(figures):
    """Typed from the sources a second time; Talele (2024), §§5.1–5.3 and Table E.1."""
    findings = audit_figures(figures)
    assert list(findings.columns) == [*AUDIT_COLUMNS, "source"]
    assert set(findings.loc[findings["source"] == "dusengimana2023", "verdict"]) == {"holds"}
    assert verdicts(findings) == {
        "F23": "contradiction: of 8, where 20 were asked",
        "F29": "contradiction: of 8, where 20 were asked",
        "F32": "contradiction: of 8, where 20 were asked",
        "F29, F30": "contradiction: one fact, told in two ways",
        "F36": "contradiction: 15 cannot be of 6; of 6, where 15 were asked",
        "F37": "not a whole number: 7.5 of 15",
        "F41, F42, F43": "contradiction: 8 and 23 for first form",
        "F44, F45": "contradiction: 8 and 15 for experience of id9",
    }
    corrections = findings.set_index("question")["correction"]
    assert corrections["F23"] == "n 8 → 20"
    assert corrections["F36"] == "count 15 → 6 or n 6 → 15"
    assert corrections["F41, F42, F43"] == "size 8 → 23"
    counted = count_figure_verdicts(findings)
    assert counted == {"checks": 36, "checks_hold": 28, "checks_contradicted": 7, "checks_not_whole": 1}


def test_participants_agree_with_the_other_room(figures):
    """Table E.1 is also in literature/participants.csv: 20 people, of whom 15 took part a second time."""
    people = load_table("literature/participants.csv")
    people = people[(people["document"] == "talele2024") & (people["kind"] == "person")]
    listed = figures.set_index("fact")["count"]
    assert (people["sets"].str.contains("1")).sum() == listed["first_set_listed"]
    assert (people["sets"].str.contains("2")).sum() == listed["second_set_listed"]


def test_sound_figures_pass(figures):
    sound = figures.copy()
    sound.loc[sound["fact"] == "infrastructure_questions", "n"] = 20
    sound.loc[(sound["fact"] == "theme_data") | (sound["fact"] == "theme_monitoring"), "n"] = 20
    sound.loc[sound["fact"] == "leads_to_requirements", "n"] = 15
    sound.loc[sound["fact"] == "detail_matters", "n"] = 14
    sound.loc[sound["fact"] == "first_form_said", "count"] = 23
    sound.loc[sound["fact"] == "experience_second", "count"] = 8
    assert set(audit_figures(sound)["verdict"]) == {"holds"}


@pytest.mark.parametrize(
    ("fact", "column", "value", "question"),
    [
        ("respondents_target", "count", 85, "F01, F02, F03"),
        ("screening_general", "count", 3, "F46, F47, F48, F49"),
        ("theme_scoping", "count", 21, "F24"),
        ("theme_model", "n", 20, "F39"),
        ("roles_reviewed", "count", 5, "F19, F20"),
    ],
)
def test_a_seeded_fault_of_each_kind_is_found(figures, fact, column, value, question):
    wrong = figures.copy()
    wrong.loc[wrong.index[wrong["fact"] == fact][0], column] = value
    assert question in verdicts(audit_figures(wrong))


def test_a_lone_doubt_between_two_sizes_is_left_open(figures):
    """Of two places that disagree neither is the likelier; of three, the two that agree are."""
    rows = figures[figures["group"].isin(["experience_of_id9", "respondents"])].copy()
    rows.loc[rows["fact"] == "respondents_q6", "count"] = 48
    corrections = audit_figures(rows).set_index("question")["correction"]
    assert corrections["F44, F45"] == "size 15 → 8 or size 8 → 15"
    assert corrections["F01, F02, F03"] == "size 48 → 84"


def test_the_table_quotes_what_it_doubts(figures):
    table = build_figure_table(audit_figures(figures), only_doubtful=True)
    assert table.loc[0, "Printed"].startswith("“")
    assert len(table) == 8
    cells = [Block("cell", str(value)) for value in table["Printed"]]
    assert len(contradictions(audit_blocks(cells))) == 1  # 15 of 6
    assert contradictions(audit_blocks(cells, quotations=False)).empty
