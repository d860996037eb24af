"""The survey's commands, from the questionnaire to a withdrawal, and the guard before a report is rendered."""

from __future__ import annotations

import nbformat
import pytest
import yaml
from openpyxl import load_workbook

from analysis.__main__ import main
from analysis.base.errors import NotebookError
from analysis.base.store import Store
from analysis.reporting import exposure_guard, survey_commands
from analysis.reporting.exposure_guard import guard_notebooks
from analysis.survey import privacy
from analysis.survey.instrument import load_instrument
from analysis.survey.mapping import load_mapping
from tests.survey.exports import build_sheet

SCREENING = load_instrument("screening")


def run(capsys, *arguments, code=0):
    assert main([str(argument) for argument in arguments]) == code
    said = capsys.readouterr()
    return said.out + said.err


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A private folder and a build folder of this test's own."""
    private = tmp_path / "private"
    monkeypatch.setattr(privacy.open_vault, "__defaults__", (private,))
    monkeypatch.setattr(privacy.withdraw_participant, "__defaults__", (private,))
    monkeypatch.setattr(survey_commands, "BUILD", tmp_path / "build")
    return private


def imported(folder, tmp_path, capsys):
    sheet = build_sheet("google_forms")
    path = sheet.write(tmp_path)
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(yaml.safe_dump(sheet.mapping, allow_unicode=True), encoding="utf-8")
    said = run(capsys, "import-survey", path, "--mapping", mapping, "--instrument", "screening")
    return path, mapping, said


# ---- handing out -------------------------------------------------------------------------------------------------


def test_the_questionnaire_becomes_each_form(tmp_path, capsys):
    for kind, name in (("xlsform", "a.xlsx"), ("limesurvey", "a.txt"), ("page", "a.html"), ("page", "a.md")):
        assert "12 questions" in run(capsys, "instrument", "screening", "--to", kind, "--out", tmp_path / name)
    assert "survey" in load_workbook(tmp_path / "a.xlsx").sheetnames
    for name in ("a.txt", "a.html", "a.md"):
        assert SCREENING.title in (tmp_path / name).read_text(encoding="utf-8-sig")


def test_a_wrong_ending_or_questionnaire_is_said(tmp_path, capsys):
    said = run(capsys, "instrument", "screening", "--to", "xlsform", "--out", tmp_path / "a.csv", code=1)
    assert "ends in .xlsx" in said and not (tmp_path / "a.csv").exists()
    said = run(capsys, "instrument", "screnning", "--to", "page", "--out", tmp_path / "a.md", code=1)
    assert "practitioners, screening" in said


@pytest.mark.parametrize("tool", ["google_forms", "limesurvey", "qualtrics", "kobo", "spss"])
def test_a_drafted_mapping_can_be_read_back(tool, tmp_path, capsys):
    path = tmp_path / "mapping.yaml"
    run(capsys, "draft-mapping", "practitioners", "--tool", tool, "--out", path)
    assert load_mapping(path, load_instrument("practitioners")).tool == tool
    assert path.read_text(encoding="utf-8").startswith("# Where each question stands")


# ---- bringing in, and taking out ---------------------------------------------------------------------------------


def test_an_export_is_counted_and_stored_privately(folder, tmp_path, capsys):
    _, _, said = imported(folder, tmp_path, capsys)
    assert "kept" in said and "no consent" in said and "@" not in said
    assert (folder / "screening.csv").is_file()
    assert "example.org" not in (folder / "screening.csv").read_text(encoding="utf-8")


def test_without_a_respondent_column_it_is_said_that_nobody_can_leave(folder, tmp_path, capsys):
    sheet = build_sheet("google_forms")
    del sheet.mapping["respondent"]
    sheet.mapping["duplicates"] = {"by": "nothing"}
    path, mapping = sheet.write(tmp_path), tmp_path / "mapping.yaml"
    mapping.write_text(yaml.safe_dump(sheet.mapping, allow_unicode=True), encoding="utf-8")
    said = run(capsys, "import-survey", path, "--mapping", mapping, "--instrument", "screening")
    assert "nobody can be withdrawn later" in said


def test_a_damaged_export_stores_nothing(folder, tmp_path, capsys):
    sheet = build_sheet("google_forms")
    sheet.set(1, SCREENING.question("Q5").wording, "since ever")
    path, mapping = sheet.write(tmp_path), tmp_path / "mapping.yaml"
    mapping.write_text(yaml.safe_dump(sheet.mapping, allow_unicode=True), encoding="utf-8")
    said = run(capsys, "import-survey", path, "--mapping", mapping, "--instrument", "screening", code=1)
    assert "line 3" in said and not (folder / "screening.csv").exists()


def test_a_withdrawal_removes_the_person_and_what_was_built(folder, tmp_path, capsys):
    path, mapping, _ = imported(folder, tmp_path, capsys)
    build = tmp_path / "build"
    built = ["thesis.pdf", "thesis.html", "numbers.csv", "results/02_survey/results.json", "notebooks/02_survey.ipynb",
             "notebooks/02_survey.failed.ipynb", "interactive/02_survey/results.json", "quarto/thesis.html",
             "offline/thesis.typ"]  # fmt: skip
    others = ["results/01_literature/results.json", "notebooks/01_literature.ipynb", "experiment/store.db"]
    for name in (*built, *others):
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_text("x")
    before = (folder / "screening.csv").read_text(encoding="utf-8").count("\n")
    said = run(capsys, "withdraw", "dana@example.org")
    assert "removed 1 row" in said and "dana" not in said
    assert (folder / "screening.csv").read_text(encoding="utf-8").count("\n") == before - 1
    assert not any((build / name).exists() for name in built) and all((build / name).exists() for name in others)
    assert "withdrawn" in run(capsys, "import-survey", path, "--mapping", mapping, "--instrument", "screening")
    assert (folder / "screening.csv").read_text(encoding="utf-8").count("\n") == before - 1


def test_a_slip_of_the_pen_removes_nothing(folder, tmp_path, capsys):
    imported(folder, tmp_path, capsys)
    (tmp_path / "build").mkdir()
    (tmp_path / "build/thesis.pdf").write_text("x")
    assert "Nobody was withdrawn" in run(capsys, "withdraw", "dora@example.org", code=1)
    assert (tmp_path / "build/thesis.pdf").exists()
    assert "noted" in run(capsys, "withdraw", "dora@example.org", "--unseen")


# ---- the audit of a page -----------------------------------------------------------------------------------------


def test_the_audit_names_place_check_and_correction(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(
        "Of all, 47 of 84 (57%) agree.\n\nAnd 54 of 84 (64%) use it; “9 of 8” is quoted.\n", encoding="utf-8"
    )
    said = run(capsys, "audit", page, "--no-quotations")
    assert "line 1: 47 of 84 (57%" in said and "would fit" in said
    assert "page.md: 2 statements checked, 1 contradictions" in said
    assert "holds" not in said and "holds" in run(capsys, "audit", page, "--all")
    assert "3 statements checked, 2 contradictions" in run(capsys, "audit", page)
    assert "does not exist" in run(capsys, "audit", tmp_path / "none.pdf", code=1)


# ---- before anything is rendered ---------------------------------------------------------------------------------


def notebook(path, text):
    cell = nbformat.v4.new_code_cell("show()", outputs=[nbformat.v4.new_output("stream", name="stdout", text=text)])
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


@pytest.fixture
def store():
    return Store({}, {})


def test_counts_may_be_rendered_and_persons_not(folder, tmp_path, capsys, store):
    imported(folder, tmp_path, capsys)
    build = tmp_path / "build"
    who = (folder / "screening.csv").read_text(encoding="utf-8").splitlines()[2].split(",")[0]
    notebook(build / "notebooks/02_survey.ipynb", "agree 47\ndisagree 5\n")
    guard_notebooks(store, build, folder)
    for text in (f"first: {who}\n", "write to ada@example.org\n", "  respondent  submitted\n0 x  2023\n"):
        notebook(build / "notebooks/04_other.ipynb", text)
        with pytest.raises(NotebookError) as caught:
            guard_notebooks(store, build, folder)
        assert "04_other" in str(caught.value) and who not in str(caught.value) and "ada@" not in str(caught.value)


def test_words_of_ones_own_are_looked_for_where_they_are_long(folder, tmp_path, capsys, store):
    """The other role of Björn, "Head of data, and tools", is nobody else's."""
    imported(folder, tmp_path, capsys)
    notebook(tmp_path / "build/notebooks/02_survey.ipynb", "one said: head of data,  and TOOLS\n")
    with pytest.raises(NotebookError, match="1 value of personal columns"):
        guard_notebooks(store, tmp_path / "build", folder)


def test_personal_columns_of_an_export_in_use_are_looked_for(folder, tmp_path, capsys, monkeypatch):
    """An export that the notebook reads itself is never stored; its names are looked for all the same."""
    monkeypatch.setattr(exposure_guard, "ROOT", tmp_path)
    folder.mkdir()
    (tmp_path / "export.csv").write_text("Who,Q1\nZora Uniquename,x\n", encoding="utf-8")
    (tmp_path / "mapping.yaml").write_text(
        yaml.safe_dump(
            {"instrument": "practitioners", "tool": "google_forms", "consent": "notice",
             "respondent": {"column": "Who"}, "questions": {"Q1": {"column": "Q1", "options": "labels"}},
             "not_asked": [f"Q{number}" for number in range(2, 10)]}
        ), encoding="utf-8",
    )  # fmt: skip
    used = Store({}, {"02_survey": {"parameters": {"responses": "export.csv", "mapping": "mapping.yaml"}}})
    notebook(tmp_path / "build/notebooks/02_survey.ipynb", "the first was Zora Uniquename\n")
    with pytest.raises(NotebookError):
        guard_notebooks(used, tmp_path / "build", folder)


def test_without_private_answers_nothing_is_searched(tmp_path, store):
    notebook(tmp_path / "build/notebooks/02_survey.ipynb", "write to ada@example.org\n")
    guard_notebooks(store, tmp_path / "build", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
