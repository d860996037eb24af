"""What participants were promised (dusengimana2023 §4.3; talele2024 appendices F to H), each promise as a test."""

from __future__ import annotations

import os
import stat
import subprocess
from datetime import date

import nbformat
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError, NotebookError
from analysis.base.paths import ROOT
from analysis.survey.demo import build_demo
from analysis.survey.exposure import find_exposed, read_personal_values, require_unexposed, row_level_columns
from analysis.survey.instrument import load_instrument
from analysis.survey.privacy import (
    CHECK,
    LEDGER,
    SECRET,
    load_stored,
    open_vault,
    store_responses,
    withdraw_participant,
)
from analysis.survey.responses import load_responses
from tests.survey.exports import PEOPLE, REFUSER, SCREENING, TOOLS, build_sheet

DAY = date(2023, 3, 1)
SECRETS = [*(text for person in PEOPLE for text in person[:2]), *REFUSER, "Example Works", 'Called "the one"']


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "private"


@pytest.fixture
def stored(folder, tmp_path):
    """A vault with one import."""
    vault = open_vault(folder)
    sheet = build_sheet("google_forms")
    responses = load_responses(sheet.write(tmp_path), SCREENING, sheet.built(), vault)
    store_responses(responses, vault)
    return vault, responses


def everything_in(folder) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.csv"))


@pytest.mark.parametrize("tool", TOOLS)
def test_nothing_personal_is_written(tool, folder, tmp_path):
    vault = open_vault(folder)
    sheet = build_sheet(tool)
    store_responses(load_responses(sheet.write(tmp_path), SCREENING, sheet.built(), vault), vault)
    written = everything_in(folder)
    assert "from_1_to_5" in written
    assert not [text for text in SECRETS if text in written]
    assert "10:00" not in written and "2023-02-01" in written  # the day, not the hour


def test_rows_without_consent_never_enter(stored):
    vault, responses = stored
    assert vault.hash(REFUSER[1]) not in set(responses.table["respondent"])
    assert responses.table["Q1"].all()


def test_ids_are_keyed_hashes(folder, tmp_path):
    one, two = open_vault(folder), open_vault(tmp_path / "other")
    assert one.hash("a@b.org") == open_vault(folder).hash(" A@B.ORG ") != two.hash("a@b.org")
    assert len(one.hash("x")) == 32


@given(st.sets(st.text("abc@.", min_size=1, max_size=6), min_size=2, max_size=30))
@settings(max_examples=20)
def test_different_people_have_different_ids(tmp_path_factory, people):
    vault = open_vault(tmp_path_factory.mktemp("vault") / "private")
    assert len({vault.hash(person) for person in people}) == len(people)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")
def test_only_the_owner_may_read(stored, folder):
    for path in (folder / SECRET, folder / "screening.csv"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / SECRET).chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        open_vault(folder)


def test_git_ignores_the_vault(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    vault = open_vault(tmp_path / "private" / "survey")
    store_responses(build_demo(SCREENING, 20)[0], vault)
    done = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain", "-uall"], check=True, capture_output=True, text=True
    )
    assert done.stdout == ""


def test_a_lost_secret_is_said_and_not_replaced(stored, folder):
    (folder / SECRET).unlink()
    with pytest.raises(InputError, match=r"The secret .* is lost[\s\S]*put back your copy"):
        open_vault(folder)
    assert not (folder / SECRET).exists()


def test_another_or_damaged_secret_is_noticed(stored, folder):
    (folder / SECRET).write_bytes(b"x" * 32)
    with pytest.raises(InputError, match="not the secret with which"):
        open_vault(folder)
    (folder / SECRET).write_bytes(b"x")
    with pytest.raises(InputError, match="1 bytes, a secret has 32"):
        open_vault(folder)


def test_respondents_need_a_vault(tmp_path):
    sheet = build_sheet("google_forms")
    with pytest.raises(InputError, match="need a secret"):
        load_responses(sheet.write(tmp_path), SCREENING, sheet.built())


def test_stored_responses_come_back_typed(stored):
    vault, responses = stored
    again = load_stored(SCREENING, vault)
    expected = responses.table.assign(submitted=responses.table["submitted"].dt.normalize())
    pd.testing.assert_frame_equal(again.table.reset_index(drop=True), expected.reset_index(drop=True))
    assert dict(again.counts.itertuples(index=False)) == dict(responses.counts.itertuples(index=False))
    assert again.table.index.name == "line" and again.table.attrs["source"].endswith("screening.csv")


@pytest.mark.parametrize("name", ["practitioners", "screening"])
def test_demo_responses_come_back_and_stay_demo(name, folder):
    instrument, vault = load_instrument(name), open_vault(folder)
    responses, _ = build_demo(instrument, 50)
    store_responses(responses, vault, "demo")
    again = load_stored(instrument, vault, "demo")
    assert again.origin == "demo"
    pd.testing.assert_frame_equal(again.table.reset_index(drop=True), responses.table.reset_index(drop=True))


def test_what_is_not_stored_is_said(stored):
    vault, _ = stored
    with pytest.raises(InputError, match="stored: screening"):
        load_stored(SCREENING, vault, "autumn")


# ---- withdrawal --------------------------------------------------------------------------------------------------


def test_withdrawal_removes_a_person_from_every_table(stored, folder, tmp_path):
    vault, responses = stored
    store_responses(responses, vault, "autumn")
    who = vault.hash("dana@example.org")
    done = withdraw_participant("Dana@example.org ", folder, on=DAY)
    assert done.removed == {"autumn.csv": 1, "screening.csv": 1} and not done.known
    assert "removed 2 rows from autumn.csv, screening.csv" in done.text()
    for name in ("autumn", "screening"):
        again = load_stored(SCREENING, vault, name)
        assert who not in set(again.table["respondent"]) and again.n == 5
        steps = dict(again.counts.itertuples(index=False))
        assert (steps["kept"], steps["withdrawn"]) == (5, 1)
        assert steps.pop("in the file") == sum(steps.values())
    others = load_stored(SCREENING, vault).table["respondent"]
    assert set(others) == set(responses.table["respondent"]) - {who}


def test_the_withdrawal_is_noted_without_identifying_data(stored, folder):
    vault, _ = stored
    withdraw_participant("dana@example.org", folder, on=DAY)
    assert (folder / LEDGER).read_text() == f"respondent,withdrawn\n{vault.hash('dana@example.org')},2023-03-01\n"


def test_a_later_import_leaves_them_out(stored, folder, tmp_path):
    vault, _ = stored
    withdraw_participant("dana@example.org", folder, on=DAY)
    sheet = build_sheet("qualtrics")
    again = load_responses(sheet.write(tmp_path), SCREENING, sheet.built(), vault)
    assert again.n == 5 and dict(again.counts.itertuples(index=False))["withdrawn"] == 1
    assert vault.hash("dana@example.org") not in set(again.table["respondent"])


def test_what_was_loaded_before_the_withdrawal_is_not_stored_after_it(stored, folder):
    vault, responses = stored
    withdraw_participant("dana@example.org", folder, on=DAY)
    store_responses(responses, vault)
    assert vault.hash("dana@example.org") not in everything_in(folder).replace((folder / LEDGER).read_text(), "")


def test_errors_in_the_answers_of_those_who_withdrew_are_not_told(stored, folder, tmp_path):
    vault, _ = stored
    withdraw_participant("dana@example.org", folder, on=DAY)
    sheet = build_sheet("google_forms")
    row = next(cells for cells in sheet.rows if "dana@example.org" in cells)
    row[sheet.place(SCREENING.question("Q5").wording)] = "a private remark"
    assert load_responses(sheet.write(tmp_path), SCREENING, sheet.built(), vault).n == 5


def test_withdrawing_twice_changes_nothing(stored, folder):
    withdraw_participant("dana@example.org", folder, on=DAY)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = withdraw_participant("dana@example.org", folder, on=DAY)
    assert done.known and sum(done.removed.values()) == 0 and "noted before" in done.text()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_withdrawal_that_was_cut_short_is_completed(stored, folder, monkeypatch):
    """Killed after the note, before the tables."""
    vault, _ = stored
    import analysis.survey.privacy as privacy

    def fail(path, content):
        if path.name == "screening.csv":
            raise KeyboardInterrupt
        return original(path, content)

    original = privacy.write_atomic
    monkeypatch.setattr(privacy, "write_atomic", fail)
    with pytest.raises(KeyboardInterrupt):
        withdraw_participant("dana@example.org", folder, on=DAY)
    monkeypatch.undo()
    assert vault.hash("dana@example.org") in vault.withdrawn()
    assert withdraw_participant("dana@example.org", folder, on=DAY).removed == {"screening.csv": 1}


def test_the_id_itself_will_do(stored, folder):
    vault, _ = stored
    assert withdraw_participant(vault.hash("fay@example.org"), folder, on=DAY).removed == {"screening.csv": 1}


@pytest.mark.parametrize("identifier", ["dana@example.net", "", "   "])
def test_a_slip_of_the_pen_is_not_a_withdrawal(identifier, stored, folder):
    before = everything_in(folder)
    with pytest.raises(InputError):
        withdraw_participant(identifier, folder, on=DAY)
    assert everything_in(folder) == before


def test_somebody_not_yet_stored_can_withdraw(folder, tmp_path):
    assert not withdraw_participant("ada@example.org", folder, on=DAY, unseen=True).known
    sheet = build_sheet("kobo")
    assert load_responses(sheet.write(tmp_path), SCREENING, sheet.built(), open_vault(folder)).n == 5


def test_without_anything_stored_there_is_nothing_to_withdraw_from(folder):
    with pytest.raises(InputError, match="no stored responses"):
        withdraw_participant("ada@example.org", folder)
    assert not folder.exists()


def test_a_damaged_ledger_stops_the_import(stored, folder):
    (folder / LEDGER).write_text("who\nx\n")
    with pytest.raises(InputError, match="no column respondent"):
        open_vault(folder).withdrawn()


def test_the_check_does_not_give_the_secret_away(stored, folder):
    assert (folder / SECRET).read_bytes().hex() not in (folder / CHECK).read_text()


# ---- executed notebooks ------------------------------------------------------------------------------------------


def notebook(*outputs, source="responses.account()"):
    cell = nbformat.v4.new_code_cell(source, outputs=list(outputs))
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("Q9 was open."), cell])


def shown(frame: pd.DataFrame):
    return nbformat.v4.new_output(
        "execute_result", {"text/plain": frame.to_string(), "text/html": frame.to_html()}, execution_count=1
    )


def stream(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def test_a_table_of_counts_is_nobody(stored):
    _, responses = stored
    counts = responses.table.groupby("Q5", observed=False).size().rename("count").reset_index()
    columns = row_level_columns(SCREENING)
    assert find_exposed(notebook(shown(counts), stream(responses.account())), columns=columns, values=SECRETS) == []


@pytest.mark.parametrize("as_html", [True, False])
def test_a_table_of_persons_is_found(as_html, stored):
    _, responses = stored
    output = shown(responses.table.head())
    del output["data"]["text/plain" if as_html else "text/html"]
    problems = find_exposed(notebook(output), columns=row_level_columns(SCREENING))
    assert {"a table with the column 'respondent', a row a person"} <= {problem.what for problem in problems}
    assert all(problem.where == "notebook, cell 2, output" for problem in problems)


@pytest.mark.parametrize(
    "output",
    [
        stream("the first was ADA  Example."),
        nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg><text>Ada Example</text></svg>"}),
        nbformat.v4.new_output("display_data", {"text/html": "<b>Ada</b>&nbsp;Example"}),
        nbformat.v4.new_output("display_data", {"application/json": {"x": ["Ada Example"]}}),
        nbformat.v4.new_output("error", ename="E", evalue="Ada Example", traceback=["line"]),
    ],
    ids=["stream", "svg", "html", "json", "error"],
)
def test_personal_values_are_found_and_not_repeated(output):
    problems = find_exposed(notebook(output), values=["Ada Example"])
    assert [problem.what for problem in problems] == ["1 value of personal columns"]
    assert "Ada" not in str(problems)


def test_addresses_and_sources_are_searched():
    assert find_exposed(notebook(stream("write to somebody@example.org")))[0].what == "an e-mail address"
    assert find_exposed(notebook(source="drop = 'Ada Example'"), values=["Ada Example"])[0].where.endswith("source")


def test_a_part_of_a_word_is_no_hit():
    assert find_exposed(notebook(stream("Canada exampled")), values=["Ada", "Example"]) == []


def test_values_to_look_for_come_from_the_export(tmp_path):
    sheet = build_sheet("limesurvey")
    values = read_personal_values(sheet.write(tmp_path), SCREENING, sheet.built())
    assert {"Ada Example", "ada@example.org", "Example Works, Ltd."} <= values
    assert "from_1_to_5" not in values and "A1" not in values


def test_notebooks_are_refused_with_every_place(tmp_path):
    paths = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(notebook(stream("Ada Example")), path)
        paths.append(path)
    with pytest.raises(NotebookError) as caught:
        require_unexposed(paths, values=["Ada Example"])
    assert len(caught.value.problems) == 2


def test_the_project_s_own_notebooks_show_nobody():
    for name in ("practitioners", "screening"):
        require_unexposed(
            sorted((ROOT / "notebooks").glob("*.ipynb")), columns=row_level_columns(load_instrument(name))
        )
