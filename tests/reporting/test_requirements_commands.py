"""The requirements form as a user asks for it."""

from __future__ import annotations

import pytest

from analysis.__main__ import main


def test_the_form_is_written_for_the_roles_asked_for(tmp_path, capsys):
    assert main(["requirements-form", "--out", str(tmp_path / "all.html"), "--project", "Sorting <line>"]) == 0
    assert "37 questions" in capsys.readouterr().out  # Talele (2024), Tables 4.1–4.4
    page = (tmp_path / "all.html").read_text(encoding="utf-8")
    assert page.startswith("<!") and "Sorting &lt;line&gt;" in page
    assert main(["requirements-form", "--out", str(tmp_path / "legal.md"), "--role", "legal"]) == 0
    legal = (tmp_path / "legal.md").read_text(encoding="utf-8")
    assert "R15" in legal and "R31" not in legal


def test_a_question_is_traced(capsys):
    assert main(["requirements-form", "--trace", "R12"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("BP3", "Knauss", "version 3", "C2.10", "ID6.1"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give one of the two"),
        (["--out", "form.docx"], "form.docx"),
        (["--out", "form.md", "--role", "janitor"], "janitor"),
        (["--out", "form.md", "--version", "7"], "7"),
        (["--trace", "R99"], "R99"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["requirements-form", *arguments]) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
