"""A table is loaded as its schema says, or refused with file, line, column, expected and got."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from analysis.base import schemas
from analysis.base.errors import InputError
from analysis.base.paths import DATA, ROOT
from analysis.base.schemas import TABLES, TableSpec, column
from analysis.base.tables import load_table, read_table

ANSWERS = TableSpec(
    file="toy/answers.csv",
    title="One answer option",
    key=("question", "option"),
    columns={
        "question": column("string", "Question", pattern="Q[1-9]"),
        "option": column("string", "Option"),
        "count": column("Int64", "Respondents", unit="respondents", nullable=True, low=0, high=84),
        "status": column("string", "Published how", allowed=("counts", "picture")),
    },
    references={"question": ("toy/questions.csv", "question")},
)
QUESTIONS = TableSpec("toy/questions.csv", "One question", ("question",), {"question": column("string", "Question")})
HEADER = "question,option,count,status\n"
GOOD = HEADER + 'Q1,"Yes, often",47,counts\n\nQ1,No,,picture\n"Q2","Line one\nline two",3,counts\nQ2,Never,0,counts\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setitem(TABLES, ANSWERS.file, ANSWERS)
    monkeypatch.setitem(TABLES, QUESTIONS.file, QUESTIONS)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/questions.csv").write_text("question\nQ1\nQ2\n", encoding="utf-8")
    return tmp_path


def load(folder, text: str | bytes):
    path = folder / "toy/answers.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_table("toy/answers.csv", folder)


def test_rows_know_their_lines_through_quotes_and_blank_lines(folder):
    frame = load(folder, GOOD)
    assert frame.index.tolist() == [2, 4, 5, 7]
    assert frame.index.name == "line"
    assert frame.attrs["source"].endswith("toy/answers.csv")
    assert frame[frame["question"] == "Q2"].attrs["source"].endswith("toy/answers.csv")
    assert [pd.api.types.is_string_dtype(frame[name]) for name in frame] == [True, True, False, True]
    assert frame["count"].dtype == "Int64"
    assert frame["count"].isna().tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    "text", [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode()], ids=["BOM", "CRLF"]
)
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(text, folder):
    assert load(folder, text)["count"].tolist()[2:] == [3, 0]


BROKEN = {
    "missing column": ("question,option,count\nQ1,a,1\n", [r"answers\.csv:1: .*missing \['status'\]"]),
    "semicolons": (GOOD.replace(",", ";"), [r"is the separator a comma\?"]),
    "no rows": (HEADER, [r"a header and no rows"]),
    "unknown column": ("question,option,count,status,x\n", [r"unknown \['x'\]"]),
    "short row": (HEADER + "Q1,a,1\n", [r"answers\.csv:2: 3 cells, expected 4"]),
    "open quote": (HEADER + 'Q1,"a,1,counts\n', [r"not valid CSV"]),
    "Latin-1": ((HEADER + "Q1,caf\xe9,1,counts\n").encode("latin-1"), [r"answers\.csv:2: byte 0xe9 is not UTF-8"]),
    "nothing but commas": (HEADER + "Q1,a,1,counts\n,,,\n", [r"answers\.csv:3, column 'question': expected a value"]),
    "no number": (HEADER + "Q1,a,many,counts\n", [r"answers\.csv:2, column 'count': .*Int64.*'many'"]),
    "fraction": (HEADER + "Q1,a,1.5,counts\n", [r"column 'count'.*1\.5"]),
    "out of bounds": (
        HEADER + "Q1,a,85,counts\nQ1,b,-1,counts\n",
        [r":2, column 'count': expected at most 84, got '85'", r":3, .*at least 0"],
    ),
    "not allowed": (HEADER + "Q1,a,1,guess\n", [r":2, column 'status': expected one of: counts, picture, got 'guess'"]),
    "pattern": (HEADER + "Qx,a,1,counts\n", [r":2, column 'question': expected text like Q\[1-9\]"]),
    "empty cell": (HEADER + "Q1,,1,counts\n", [r":2, column 'option': expected a value"]),
    "repeated key": (
        HEADER + "Q1,a,1,counts\nQ1,b,1,counts\nQ1,a,2,counts\n",
        [r"lines 2, 4: the key \(question, option\)"],
    ),
    "orphan": (
        HEADER + "Q9,a,1,counts\n",
        [r":2, column 'question': 'Q9' is not in column 'question' of toy/questions"],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_table_names_line_column_expected_and_got(case, folder):
    text, patterns = BROKEN[case]
    with pytest.raises(InputError) as error:
        load(folder, text)
    for pattern in patterns:
        assert re.search(pattern, str(error.value)), str(error.value)


def test_all_violations_are_listed(folder):
    with pytest.raises(InputError) as error:
        load(folder, HEADER + "Q1,a,many,guess\nQ1,,99,counts\n")
    assert sorted(problem.where.partition(":")[2] for problem in error.value.problems) == [
        "2, column 'count'",
        "2, column 'status'",
        "3, column 'option'",
    ]


def test_missing_and_unknown_tables_say_what_to_do(folder):
    with pytest.raises(InputError, match="git checkout"):
        load_table("toy/answers.csv", folder)
    with pytest.raises(InputError, match="known tables"):
        load_table("toy/nothing.csv", folder)


@pytest.mark.parametrize("file", sorted(schemas.TABLES))
def test_every_table_of_the_project_holds_what_its_schema_says(file):
    frame = load_table(file)
    assert len(frame) > 0
    assert all(c.description for c in TABLES[file].columns.values())


def test_every_data_file_has_a_schema_and_every_room_a_card():
    files = {path.relative_to(DATA).as_posix() for path in DATA.rglob("*.csv")}
    assert files == set(TABLES)
    rooms = {(DATA / file).parent for file in files}
    assert [room.relative_to(ROOT).as_posix() for room in rooms if not (room / "README.md").is_file()] == [], (
        "write its data card: a README.md with source, licence, columns, how obtained, what is missing"
    )


def test_a_table_of_the_users_own_is_read_from_anywhere(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("question\nQ1\n", encoding="utf-8")
    assert read_table(path, QUESTIONS)["question"].tolist() == ["Q1"]
    path.write_text("question\n", encoding="utf-8")
    assert read_table(path, QUESTIONS, empty=True).empty
    with pytest.raises(InputError, match="a header and no rows"):
        read_table(path, QUESTIONS)
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "gone.csv", QUESTIONS)
