from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.schemas import FORM_ROLES
from analysis.requirements.page import TITLE, build_html, build_page, select_questions, write_page

VOID = {"meta", "br", "input"}


class _Reader(HTMLParser):
    """Texts by tag; complains of tags that do not close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.attributes, self.tags = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_asks_every_question_of_the_last_version(form):
    page = read(build_html(form))
    ids = [value for name, value in page.attributes if name == "id" and re.fullmatch(r"R\d\d", value)]
    assert ids == list(form.asked_in(3)["question"])  # Tables 4.1 to 4.4
    text = " ".join(page.texts)
    for row in select_questions(form).itertuples():
        assert row.wording in text and row.examples in text
    boxes = [value for name, value in page.attributes if (name, value) == ("type", "checkbox")]
    assert len(boxes) == form.asked_in(3)["roles"].str.split(";").str.len().sum()


def test_the_page_needs_nothing_but_itself(form):
    page = build_html(form)
    reader = read(page)
    assert {"script", "link", "img", "iframe"}.isdisjoint(reader.tags)
    names = {name for name, _ in reader.attributes}
    assert "src" not in names and all(value.startswith("#") for name, value in reader.attributes if name == "href")
    assert "http" not in page and "url(" not in page and "@import" not in page
    targets = {value for name, value in reader.attributes if name == "id"}
    assert {value[1:] for name, value in reader.attributes if name == "href"} <= targets


def test_every_question_has_a_field_to_type_into(form):
    labels = [value for name, value in read(build_html(form)).attributes if name == "aria-label"]
    assert {f"Answer to {question}" for question in form.asked_in(3)["question"]} <= set(labels)
    assert sum(label.startswith("Own question") for label in labels) == 8  # two in each of four parts


def test_the_index_tells_who_is_asked_what(form):
    page = build_html(form)
    row = re.search(r"<tr><th>Legal</th><td>(.*?)</td><td>(\d+)</td></tr>", page)
    assert re.findall(r">(R\d\d)<", row[1]) == ["R15", "R16", "R24"]  # Tables 4.2, rows 7 and 8; 4.3, row 2
    assert row[2] == "3"


def test_a_role_gets_its_own_questions(form):
    page = build_html(form, roles=["legal"])
    assert re.findall(r"article id='(R\d\d)'", page) == ["R15", "R16", "R24"]
    assert "Questions for: Legal" in page and "id='deployment'" not in page
    whole = select_questions(form)
    parts = [set(select_questions(form, roles=[role])["question"]) for role in FORM_ROLES]
    assert set.union(*parts) == set(whole["question"])


def test_earlier_versions_can_be_printed(form):
    assert len(select_questions(form, 1)) == 23  # Table A.1
    assert "After version 1 of the requirements form" in build_html(form, 1) and "Table A.1" in build_html(form, 1)


def test_what_cannot_be_asked_is_refused(form):
    with pytest.raises(InputError) as caught:
        select_questions(form, 9, ["wizard", "witch"])
    assert len(caught.value.problems) == 3
    with pytest.raises(InputError, match="version 1 asks nothing of Legal"):
        select_questions(form, 1, ["legal"])


def test_items_behind_the_questions_are_explained(form):
    chosen = select_questions(form).set_index("question")["items"]
    assert chosen["R33"] == "P1, P2" and chosen["R05"] == "" and chosen["R01"] == "BP4"
    legend = build_html(form, roles=["legal"]).split("behind the questions")[1]
    assert re.findall(r"<th>(B?P\d)</th>", legend) == ["P6"]  # the audit; privacy and ownership have none


@settings(deadline=None, max_examples=25)
@given(st.text(max_size=40))
def test_a_name_of_a_project_is_never_markup(form, name):
    plain = re.sub(r"[\r\x00]", "", name)
    reader = read(build_html(form, 3, ["legal"], plain))
    assert reader.tags == read(build_html(form, 3, ["legal"])).tags
    assert plain == "" or plain in "".join(reader.texts)


def test_markdown_is_a_table_a_part(form):
    page = build_page(form, level=3)
    assert page.count("### ") == 4 and page.count("| R") == 37
    assert "http" not in page
    widths = re.findall(r"^\|:-+\|:-+\|:-+\|:-+\|$", page, flags=re.M)
    assert len(widths) == 4
    assert all(line.count("|") == 5 for line in page.splitlines() if line.startswith("|"))


def test_files_are_written_whole(form, tmp_path):
    page = write_page(form, tmp_path / "form.html", project="A & B")
    assert "A &amp; B" in page.read_text(encoding="utf-8")
    assert page.read_bytes() == write_page(form, tmp_path / "again.html", project="A & B").read_bytes()
    assert write_page(form, tmp_path / "form.md").read_text(encoding="utf-8").startswith(f"# {TITLE}\n")
