"""The questionnaires say what the sources say, every broken file is named in full, and every form can be read back."""

from __future__ import annotations

import copy
import csv
import io
import re
from html.parser import HTMLParser

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from pyxform.xls2xform import convert

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.survey.forms import (
    LIMESURVEY_COLUMNS,
    build_html,
    build_page,
    limesurvey_codes,
    write_limesurvey,
    write_xlsform,
)
from analysis.survey.instrument import FOLDER, Option, Question, build_instrument, load_instrument

NAMES = ("practitioners", "screening")


@pytest.fixture(params=NAMES)
def instrument(request):
    return load_instrument(request.param)


def test_practitioner_questionnaire_agrees_with_the_published_tables():
    instrument = load_instrument("practitioners")
    questions = load_table("survey/questionnaire.csv").set_index("question")
    counts = load_table("survey/published_counts.csv")
    assert [question.id for question in instrument.questions] == list(questions.index)
    kinds = {
        "single_choice": "single",
        "ordered_choice": "single",
        "yes_no": "yes_no",
        "agreement": "likert",
        "feeling": "likert",
        "open": "text",
    }
    for question in instrument.questions:
        row = questions.loc[question.id]
        assert (question.wording, question.construct) == (row["wording"], row["construct"])
        assert question.kind == kinds[row["kind"]]
        assert question.ordered == (row["kind"] in ("ordered_choice", "agreement", "feeling"))
        labels = list(counts.loc[counts["question"] == question.id, "option"])
        assert [option.label for option in question.options] == (labels if question.kind != "yes_no" else [])


def test_screening_survey_has_the_source_s_shape():
    """talele2024, second appendix H: twelve questions in three sections of two, four and six."""
    instrument = load_instrument("screening")
    assert [sum(q.section == s.id for q in instrument.questions) for s in instrument.sections] == [2, 4, 6]
    assert [len(q.options) for q in instrument.questions] == [1, 0, 0, 0, 6, 8, 0, 0, 6, 0, 6, 7]
    assert instrument.personal == ("Q3", "Q4", "Q7", "Q8")
    assert instrument.participation.id == "Q1"
    assert instrument.question("Q2").consent == "interview"


def test_nothing_personal_is_asked_where_that_was_promised():
    assert load_instrument("practitioners").personal == ()  # dusengimana2023, §4.3


def broken(change) -> InputError:
    content = copy.deepcopy(yaml.safe_load((FOLDER / "screening.yaml").read_text(encoding="utf-8")))
    change(content)
    with pytest.raises(InputError) as caught:
        build_instrument(content)
    return caught.value


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        (lambda c: c.update(heading="x"), "", "unknown key 'heading'"),
        (lambda c: c.pop("source"), "", "'source' must be text"),
        (lambda c: c["questions"][4].update(kind="radio"), "questions.Q5.kind", "got 'radio'"),
        (lambda c: c["questions"][4].update(scale="ages"), "questions.Q5.scale", "no scale is called 'ages'"),
        (lambda c: c["questions"][1].update(id="Q1"), "questions", "'Q1' is given 2 times"),
        (lambda c: c["questions"][1].update(section="intro"), "questions.Q2.section", "no section 'intro'"),
        (lambda c: c["questions"][0].pop("consent"), "questions.Q1", "a consent question"),
        (lambda c: c["questions"][0].update(required=False), "questions.Q1", "must be required"),
        (lambda c: c["questions"][2].update(quasi_identifier=True), "questions.Q3", "personal and quasi-identifier"),
        (lambda c: c["questions"][5].update(ordered=True), "questions.Q6", "has no order"),
        (lambda c: c["questions"][5]["options"][0].update(other=True), "questions.Q6.options", "more than one option"),
        (lambda c: c["questions"][5]["options"][0].update(label=True), "Q6.options[0]", "'label' must be text"),
        (lambda c: c["questions"][2].update(low=1), "questions.Q3", "bounds are for numbers"),
        (lambda c: c["questions"][2].update(kind="number", low=3, high=1), "questions.Q3", "no number is both"),
        (lambda c: c.update(consent="notice"), "consent", "by notice, and yet"),
        (lambda c: c["questions"].insert(0, c["questions"].pop()), "questions", "do not stand together"),
        (lambda c: c["sections"].append({"id": "end", "title": "End"}), "sections", "nothing is asked"),
    ],
)  # fmt: skip
def test_a_broken_questionnaire_is_named(change, place, said):
    problems = broken(change).problems
    assert any(place in problem.where and said in problem.what for problem in problems), problems


def test_all_violations_are_listed_at_once():
    def change(content):
        content["questions"][4]["kind"] = "radio"
        content["questions"][2]["wording"] = ""
        content["consent"] = "none"

    assert len(broken(change).problems) == 3


def test_an_unknown_questionnaire_is_answered_with_the_known():
    with pytest.raises(InputError, match=r"there are: practitioners, screening"):
        load_instrument("practitioner")


def test_a_notebook_may_name_the_file():
    assert load_instrument("survey/screening.yaml") == load_instrument("screening")


def test_xlsform_passes_pyxform(instrument, tmp_path):
    path = write_xlsform(instrument, tmp_path / "form.xlsx")
    done = convert(xlsform=str(path), validate=False)
    assert done.warnings == []
    for question in instrument.questions:
        assert f'ref="/data/group_{question.section}/{question.id}"' in done.xform
        for option in question.options if question.kind in ("single", "multiple", "likert") else ():
            assert f"<name>{option.id}</name>" in done.xform
    required = done.xform.count('required="true()"')
    assert required == sum(question.required for question in instrument.questions)


def test_xlsform_of_numbers_and_scales(tmp_path):
    content = yaml.safe_load((FOLDER / "practitioners.yaml").read_text(encoding="utf-8"))
    content["questions"][0] |= {"kind": "number", "low": 0, "high": 80, "integer": True, "quasi_identifier": False}
    del content["questions"][0]["options"]
    instrument = build_instrument(content)
    xform = convert(xlsform=str(write_xlsform(instrument, tmp_path / "x.xlsx")), validate=False).xform
    assert 'type="int"' in xform and "80" in xform
    assert 'appearance="likert"' in xform
    assert "(a number from 0 to 80)" in build_page(instrument)


def test_the_same_questionnaire_is_the_same_workbook(instrument, tmp_path):
    one, two = (load_workbook(write_xlsform(instrument, tmp_path / f"{n}.xlsx")) for n in (1, 2))
    assert one.sheetnames == ["survey", "choices", "settings"]
    for sheet in one.sheetnames:
        assert list(one[sheet].values) == list(two[sheet].values)


def read_limesurvey(data: bytes) -> dict:
    """As LimeSurvey's own importer reads the file (TSVImportSurvey): rows by class, belonging to what stands above."""
    text = data.decode("utf-8-sig")
    survey: dict = {"settings": {}, "texts": {}, "groups": []}
    for row in csv.DictReader(io.StringIO(text, newline=""), delimiter="\t"):
        match row["class"]:
            case "S":
                survey["settings"][row["name"]] = row["text"]
            case "SL":
                survey["texts"][row["language"], row["name"]] = row["text"]
            case "G":
                survey["groups"].append({"name": row["name"], "questions": []})
            case "Q":
                survey["groups"][-1]["questions"].append({**row, "answers": [], "subquestions": []})
            case "A":
                survey["groups"][-1]["questions"][-1]["answers"].append((row["name"], row["text"]))
            case "SQ":
                survey["groups"][-1]["questions"][-1]["subquestions"].append((row["name"], row["text"]))
            case other:
                raise AssertionError(f"class {other}")
    return survey


def test_limesurvey_structure_reads_back(instrument, tmp_path):
    data = write_limesurvey(instrument, tmp_path / "form.txt").read_bytes()
    assert (
        data.startswith(b"\xef\xbb\xbf")
        and tuple(data[3:].split(b"\r\n")[0].decode().split("\t")) == LIMESURVEY_COLUMNS
    )
    survey = read_limesurvey(data)
    assert survey["settings"]["language"] == "en"
    assert survey["texts"]["en", "surveyls_title"] == instrument.title
    assert [group["name"] for group in survey["groups"]] == [section.title for section in instrument.sections]
    asked = [question for group in survey["groups"] for question in group["questions"]]
    types = {"single": "L", "likert": "L", "multiple": "M", "consent": "M", "yes_no": "Y", "number": "N", "text": "T"}
    for row, question in zip(asked, instrument.questions, strict=True):
        assert (row["name"], row["type/scale"]) == (question.id, types[question.kind])
        assert row["mandatory"] == ("Y" if question.required else "N")
        assert row["other"] == ("Y" if question.other else "N")
        codes = limesurvey_codes(question)
        plain = [(codes[option.id], option.label) for option in question.options if not option.other]
        many = question.kind in ("multiple", "consent")
        assert row["subquestions" if many else "answers"] == plain
        # LimeSurvey: question codes start with a letter, at most 20 characters; answer codes at most 5.
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,19}", row["name"])
        assert all(re.fullmatch(r"[A-Za-z0-9]{1,5}", code) for code, _ in plain)


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=40)


@given(TEXTS.filter(lambda text: text.strip()))
def test_any_wording_survives_limesurvey_s_format(tmp_path_factory, wording):
    content = yaml.safe_load((FOLDER / "practitioners.yaml").read_text(encoding="utf-8"))
    content["questions"][8]["wording"] = wording
    path = write_limesurvey(build_instrument(content), tmp_path_factory.mktemp("lime") / "form.txt")
    row = read_limesurvey(path.read_bytes())["groups"][-1]["questions"][-1]
    plain = row["text"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("{ ", "{")
    assert plain.split() == wording.replace("{ ", "{").split()


def test_the_page_asks_everything_and_marks_nothing_up(instrument):
    page = build_page(instrument, level=3)
    assert page.count("\n### ") + page.startswith("### ") == len(instrument.sections)
    for question in instrument.questions:
        assert f"**{question.id}** " in page
        for option in question.options:
            assert f"- {option.label}".replace("@", r"\@") in page
    question = Question("Q1", "background", "text", "a*b [c] @d {e} <f> $g$", "x")
    odd = build_instrument(
        {
            **yaml.safe_load((FOLDER / "practitioners.yaml").read_text(encoding="utf-8")),
            "sections": [{"id": "background", "title": "T"}],
            "questions": [{"id": "Q1", "section": "background", "kind": "text", "wording": question.wording,
                           "construct": "x"}],
        }
    )  # fmt: skip
    assert r"a\*b \[c\] \@d \{e\} \<f\> \$g\$" in build_page(odd)


class Tags(HTMLParser):
    VOID = ("meta",)

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_html_page_is_well_formed_and_whole(instrument):
    parser = Tags()
    parser.feed(build_html(instrument))
    assert parser.open == []
    text = "".join(parser.words)
    assert parser.seen.count("fieldset") == len(instrument.questions)
    assert all(question.wording in text for question in instrument.questions)
    assert all(option.label in text for question in instrument.questions for option in question.options)


def test_codes_of_other_are_limesurvey_s_own():
    options = (Option("a", "A"), Option("b", "B", other=True))
    assert limesurvey_codes(Question("Q1", "s", "single", "?", "c", options=options)) == {"a": "A1", "b": "-oth-"}
    assert limesurvey_codes(Question("Q1", "s", "multiple", "?", "c", options=options)) == {"a": "SQ001", "b": "other"}
