"""A mapping leaves nothing to guess: every question and option has its place, every slip is named, all at once."""

from __future__ import annotations

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.survey.instrument import load_instrument
from analysis.survey.mapping import TOOLS, build_mapping, draft_mapping, load_mapping, normalise

SCREENING, PRACTITIONERS = load_instrument("screening"), load_instrument("practitioners")


@pytest.mark.parametrize("instrument", [SCREENING, PRACTITIONERS], ids=lambda instrument: instrument.id)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_draft_is_whole_and_survives_its_file(instrument, tool, tmp_path):
    draft = draft_mapping(instrument, tool)
    path = tmp_path / "mapping.yaml"
    path.write_text(yaml.safe_dump(draft, allow_unicode=True), encoding="utf-8")
    mapping = load_mapping(path, instrument)
    assert set(mapping.questions) == {q.id for q in instrument.questions if not q.personal}
    for question in instrument.questions:
        if question.kind in ("single", "likert"):
            assert set(mapping.questions[question.id].options.values()) | {question.other} - {""} >= set(
                question.option_ids
            )


def broken(change, instrument=SCREENING, tool="limesurvey") -> InputError:
    content = copy.deepcopy(draft_mapping(instrument, tool))
    change(content)
    with pytest.raises(InputError) as caught:
        build_mapping(content, instrument)
    return caught.value


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        (lambda c: c.update(tool="typeform"), "tool", "got 'typeform'"),
        (lambda c: c.update(instrument="practitioners"), "instrument", "the instrument is 'screening'"),
        (lambda c: c.update(colour="red"), "colour", "unknown key"),
        (lambda c: c.update(encoding="ebcdic"), "encoding", "got 'ebcdic'"),
        (lambda c: c["questions"].pop("Q5"), "questions.Q5", "has no column"),
        (lambda c: c["questions"].update(Q99="x"), "questions.Q99", "no such question"),
        (lambda c: c["questions"].pop("Q1"), "Q1", "consent to take part has no column"),
        (lambda c: c["questions"]["Q5"]["options"].pop("over_15"), "Q5.options.over_15", "the option has no text"),
        (lambda c: c["questions"]["Q5"]["options"].update(ages="A9"), "Q5.options.ages", "no such option"),
        (lambda c: c["questions"]["Q5"]["options"].update(over_15="a1 "), "Q5.options", "stands for both"),
        (lambda c: c["questions"]["Q5"]["options"].update(over_15=15), "Q5.options.over_15", "expected text, got 15"),
        (lambda c: c["questions"]["Q5"].update(columns={"a": "b"}), "Q5", "one of `column` and `columns`"),
        (lambda c: c["questions"]["Q5"].update(other={"column": "x"}), "Q5.other", "no option with words"),
        (lambda c: c["questions"]["Q6"].update(other={"row": "x"}), "Q6.other", "got {'row': 'x'}"),
        (lambda c: c["questions"]["Q6"]["columns"].pop("executive"), "Q6.columns.executive", "has no column"),
        (lambda c: c["questions"]["Q10"].update(options={"yes": "Y"}), "Q10.options", "has none to map"),
        (lambda c: c["questions"]["Q10"].update(column=True), "Q10.column", "expected text, got True"),
        (lambda c: c["questions"]["Q9"].update(column="Q5"), "Q9", "is mapped to questions.Q5 too"),
        (lambda c: c["submitted"].pop("format"), "submitted.format", "the form of dates is missing"),
        (lambda c: c["submitted"].update(first_day="soon"), "submitted.first_day", "expected a day"),
        (lambda c: c["booleans"].update(yes=["N"]), "booleans", "'n' means both yes and no"),
        (lambda c: c.update(duplicates="respondent"), "duplicates.by", "no column identifies"),
        (lambda c: c.update(duplicates={"by": "name"}), "duplicates.by", "got 'name'"),
        (lambda c: c.update(not_asked=["Q5"]), "Q5", "mapped, and yet listed"),
        (lambda c: c.update(consent="notice"), "consent", "question Q1 asks for it"),
    ],
)
def test_a_broken_mapping_is_named(change, place, said):
    problems = broken(change).problems
    assert any(place in problem.where and said in problem.what for problem in problems), problems


def test_all_slips_are_listed_at_once():
    def change(content):
        content["tool"] = "typeform"
        del content["questions"]["Q5"]
        content["questions"]["Q10"]["column"] = 3

    assert len(broken(change).problems) == 3


def test_consent_by_notice_is_said_by_the_researcher():
    problems = broken(lambda content: content.pop("consent"), PRACTITIONERS).problems
    assert [problem.what for problem in problems] == ["the form does not ask for consent"]


def test_a_question_that_was_not_asked_is_said_and_not_read():
    content = draft_mapping(SCREENING, "limesurvey")
    del content["questions"]["Q11"]
    mapping = build_mapping({**content, "not_asked": ["Q11"]}, SCREENING)
    assert "Q11" not in mapping.columns and "Q11" not in mapping.questions


def test_personal_columns_are_not_among_those_read():
    content = draft_mapping(SCREENING, "limesurvey")
    content["questions"]["Q3"] = {"column": "Q3"}
    mapping = build_mapping(content, SCREENING)
    assert "Q3" not in mapping.columns and mapping.personal == {"Q3": "Q3"}


@given(st.text(max_size=30))
def test_normalising_twice_is_normalising_once(text):
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize("text", ["10\u00a0bis 20", "  10 BIS\t20 ", "10\u2009bis\n20", "１０ bis 20"])
def test_blanks_and_forms_of_letters_do_not_count(text):
    assert normalise(text) == "10 bis 20"
