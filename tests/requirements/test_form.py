from __future__ import annotations

from dataclasses import fields, replace

import pytest

from analysis.base.errors import InputError
from analysis.base.schemas import TABLES
from analysis.requirements.form import STAGE_NAMES, check_form, compute_form_differences

from .faults import with_cell, without_rows

FILES = [file for file in TABLES if file.startswith("requirements/")]


@pytest.mark.parametrize("file", FILES)
def test_every_reference_of_a_table_resolves(form, tables, coding, file):
    loaded = {f"literature/{name}.csv": frame for name, frame in coding.items()}
    for room in (form, tables):
        loaded |= {f"requirements/{part.name}.csv": getattr(room, part.name) for part in fields(room)}
    assert set(FILES) <= set(loaded)
    for column, (other, key) in TABLES[file].references.items():
        assert set(loaded[file][column].dropna()) <= set(loaded[other][key])


def test_items_of_the_source_are_there(form):
    # Talele §5.1.1 numbers six problems and four best practices.
    assert list(form.items["item"]) == [*(f"P{n}" for n in range(1, 7)), *(f"BP{n}" for n in range(1, 5))]


@pytest.mark.parametrize(
    ("version", "sizes"),
    [
        (1, (3, 5, 8, 7)),  # Table A.1
        (2, (7, 12, 8, 7)),  # Tables A.2 and A.3
        (3, (8, 14, 8, 7)),  # Tables 4.1 to 4.4, repeated as A.4 to A.7
    ],
)
def test_every_version_has_the_questions_of_its_tables(form, version, sizes):
    asked = form.asked_in(version)
    assert tuple(int((asked["stage"] == stage).sum()) for stage in STAGE_NAMES) == sizes
    assert list(asked["stage"].drop_duplicates()) == list(STAGE_NAMES)
    assert asked.groupby("stage", sort=False)["position"].apply(lambda p: p.is_monotonic_increasing).all()


@pytest.mark.parametrize(
    ("version", "kinds"),
    [
        (2, {"roles_changed": 18, "added": 12, "deleted": 1}),  # Table 5.2, 31 rows
        (3, {"added": 3}),  # Table 5.3
    ],
)
def test_forms_differ_by_what_is_published(form, version, kinds):
    differences = compute_form_differences(form, version)
    assert differences["kind"].value_counts().to_dict() == kinds
    published = form.changes[form.changes["version"] == version]
    assert set(zip(differences["question"], differences["kind"], strict=True)) == set(
        zip(published["question"], published["kind"], strict=True)
    )


def test_interviewees_are_named_as_often_as_in_the_tables(form):
    # Rows of Table 5.2 (ID1.1 to ID8) and of Table 5.3 (the rest) in which each name stands.
    printed = {"ID1.1": 18, "ID4": 3, "ID6.1": 20, "ID7.1": 17, "ID8": 19, "ID10": 2, "ID6.2": 1, "ID1.2": 1}
    assert form.change_interviewees["name_in_source"].value_counts().to_dict() == printed
    assert (form.changes["by"] == "author").sum() == 3  # Table 5.2, rows 27 to 29


def test_differences_need_a_version_before(form):
    for version in (0, 1, 4):
        with pytest.raises(InputError, match="none before it"):
            compute_form_differences(form, version)


FAULTS = {
    "wrong evaluators": ("versions", {"version": 2}, "evaluators", 16, "16 evaluators, and 15 participants"),
    "wrong interviews": ("versions", {"version": 3}, "interviews", 1, "version 3 is made from the interviews of set 1"),
    "kind of item": ("items", {"item": "BP2"}, "kind", "problem", "BP2 is a problem"),
    "later question": ("item_questions", {"question": "R12"}, "question", "R13", "the first version does not ask it"),
    "unknown role": ("form_questions", {"version": 3, "question": "R10"}, "roles", "wizard", "unknown role 'wizard'"),
    "role twice": ("form_questions", {"version": 3, "question": "R10"}, "roles", "legal;legal", "comes twice"),
    "position": (
        "form_questions",
        {"version": 1, "question": "R14"},
        "position",
        7,
        "the positions are [1, 2, 3, 4, 7]",
    ),
    "another kind": ("changes", {"change": "C2.12"}, "kind", "deleted", "does not show that R15 was deleted"),
    "replaced": ("changes", {"change": "C2.02"}, "replaces", "R10", "R10 was not deleted"),
    "by the author": ("changes", {"change": "C2.12"}, "by", "author", "by the author, and has interviewees"),
    "by nobody": ("changes", {"change": "C2.27"}, "by", "interviewees", "but whom?"),
    "name": ("change_interviewees", {"change": "C2.18"}, "name_in_source", "ID9", "T-P07 is not called ID9"),
    "set": ("change_interviewees", {"change": "C3.03"}, "participant", "T-P08", "T-P08 is not in set 2"),
    "outcome": ("wishes", {"wish": "W05"}, "outcome", "adopted", "W05 is 'adopted' with no change"),
    "no outcome": ("wishes", {"wish": "W10"}, "outcome", "refused", "W10 is 'refused' with a change"),
    "wrong version": ("wishes", {"wish": "W25"}, "version", 1, "its changes are not in the next"),
    "not the last": ("wishes", {"wish": "W22"}, "outcome", "no_later_version", "version 2 is not the last"),
    "did not judge": ("wishes", {"wish": "W23"}, "participant", "T-P08", "T-P08 did not judge version 2"),
    "voices": ("wishes", {"wish": "W25"}, "voices", 16, "16 voices of 15 people"),
    "segment": ("changes", {"change": "C2.12"}, "segment", "T0400", "T0400 is Table 5.2, row 1, not Table 5.2, row 12"),
    "document": ("wishes", {"wish": "W26"}, "segment", "D0216", "D0216 belongs to dusengimana2023"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_caught(form, coding, fault):
    name, where, column, value, message = FAULTS[fault]
    with pytest.raises(InputError) as caught:
        check_form(with_cell(form, name, where, column, value), coding["participants"], coding["segments"])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("names", "where", "message"),
    [
        (
            ("changes", "change_interviewees", "wish_changes"),
            {"change": "C3.02"},
            "in version 3 R13 is added, which is no published change",
        ),
        (("form_questions",), {"question": "R29"}, "no version asks R29"),
        (("change_interviewees",), {"change": "C3.01"}, "C3.01 is by the interviewees, but whom?"),
    ],
)
def test_a_missing_row_is_caught(form, coding, names, where, message):
    for name in names:
        form = without_rows(form, name, where)
    with pytest.raises(InputError) as caught:
        check_form(form, coding["participants"], coding["segments"])
    assert message in str(caught.value)


def test_versions_out_of_order_are_caught(form, coding):
    with pytest.raises(InputError, match=r"version 3\s+→ expected 1"):
        check_form(replace(form, versions=form.versions.iloc[::-1]), coding["participants"], coding["segments"])


def test_all_faults_are_listed(form, coding):
    broken = with_cell(form, "wishes", {"wish": "W05"}, "outcome", "adopted")
    broken = with_cell(broken, "items", {"item": "P1"}, "kind", "best_practice")
    with pytest.raises(InputError) as caught:
        check_form(broken, coding["participants"], coding["segments"])
    assert len(caught.value.problems) == 2
    assert "data/requirements/items.csv:2, column 'kind'" in str(caught.value)


def test_every_passage_says_what_its_row_says(form, coding):
    """Rows of tables have the very place of their passage, and no two rows of a table share one."""
    place = coding["segments"].set_index("segment")["locator"]
    last = form.form_questions[form.form_questions["version"] == 3]
    for frame in (last, form.changes):
        assert frame["segment"].notna().all() and frame["segment"].is_unique
        assert (frame["segment"].map(place) == frame["locator"]).all()
    # Table 5.1 has 23 questions; those for P1 and P2 stand there once for both.
    assert form.item_questions["segment"].nunique() == 23
    assert len(form.item_questions) == 27


def test_no_sentence_of_the_source_is_taken_over(form):
    # Beginnings of questions in Tables 4.1 to 4.4.
    printed = ("what specific challenges", "is machine learning a viable", "who constitutes", "what constitutes")
    wordings = form.questions["wording"].str.lower()
    assert not wordings.str.startswith(printed).any()
    assert wordings.is_unique and wordings.str.endswith("?").all()
