from __future__ import annotations

import csv
import hashlib

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.paths import DATA
from analysis.base.tables import load_table
from analysis.literature.coding import (
    DOCUMENT_LETTERS,
    check_codings,
    check_offsets,
    check_segments,
    find_copied_phrases,
    find_overlaps,
    load_coding,
    load_corpus,
    segment_texts,
)

TEXT = "Señor Ünal says: “the model drifts each spring”.\r\nNobody had asked him before.\n"
PARAPHRASE = "One engineer sees a decline of the model that comes with the season"
SEGMENTS = [
    ["T0001", "talele2024", "§1, ID7.1", "18", "46", "T-P07", "quotation", PARAPHRASE],
    ["T0002", "talele2024", "§1", "50", "78", "", "statement", PARAPHRASE],
]
CODINGS = [
    ["T0001", "model_retraining", "A", "2026-11-21"],
    ["T0001", "dynamic_environment", "A", "2026-11-21"],
    ["T0002", "customer_feedback_loop", "A", "2026-11-21"],
]
SEGMENT_COLUMNS = ["segment", "document", "locator", "start", "end", "participant", "kind", "paraphrase"]
CODING_COLUMNS = ["segment", "code", "coder", "date"]


@pytest.fixture
def room(tmp_path):
    """A data folder with the real codebook and participants, and two segments of a made-up text."""
    folder = tmp_path / "data" / "literature"
    folder.mkdir(parents=True)
    for name in ("codebook.csv", "participants.csv"):
        (folder / name).write_bytes((DATA / "literature" / name).read_bytes())
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "any name.txt").write_bytes(TEXT.encode())
    (texts / "other.txt").write_text("something else", encoding="utf-8")
    documents = list(csv.reader((DATA / "literature" / "documents.csv").read_text(encoding="utf-8").splitlines()))
    for row in documents:
        if row[0] == "talele2024":
            row[3], row[4] = hashlib.sha256(TEXT.encode()).hexdigest(), str(len(TEXT))
    write(folder / "documents.csv", documents[0], documents[1:])
    write(folder / "segments.csv", SEGMENT_COLUMNS, SEGMENTS)
    write(folder / "codings.csv", CODING_COLUMNS, CODINGS)
    return tmp_path


def write(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def change(rows, line, **cells):
    """Copy ``rows`` with cells of one line (2 is the first row) replaced."""
    columns = SEGMENT_COLUMNS if rows is SEGMENTS else CODING_COLUMNS
    copied = [list(row) for row in rows]
    for name, value in cells.items():
        copied[line - 2][columns.index(name)] = value
    return copied


def tables(room):
    folder = room / "data"
    names = ("segments", "codings", "documents", "participants", "codebook")
    return {name: load_table(f"literature/{name}.csv", folder) for name in names}


def problems_of(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return [str(problem) for problem in caught.value.problems]


def test_a_sound_coding_is_loaded_with_its_texts(room):
    documents = load_table("literature/documents.csv", room / "data")
    corpus = load_corpus(room / "texts", documents)
    coding = load_coding(room / "data", corpus)
    assert len(coding.segments) == 2 and len(coding.codings) == 3 and coding.overlaps.empty
    assert list(segment_texts(coding.segments, corpus)) == [
        "the model drifts each spring",
        "Nobody had asked him before.",
    ]
    assert segment_texts(coding.segments, {"john2021": "x"}).isna().all()


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        ("segments.csv", change(SEGMENTS, 2, document="nobody2020"), r"segments\.csv:2, column 'document'.*nobody2020"),
        ("segments.csv", change(SEGMENTS, 2, participant="T-P99"), r"segments\.csv:2, column 'participant'.*T-P99"),
        ("segments.csv", change(SEGMENTS, 3, kind="hearsay"), r"segments\.csv:3, column 'kind'"),
        ("segments.csv", change(SEGMENTS, 3, segment="T0001"), r"lines 2, 3.*\n?.*must be unique"),
        ("codings.csv", change(CODINGS, 3, code="no_such_code"), r"codings\.csv:3, column 'code'.*no_such_code"),
        ("codings.csv", change(CODINGS, 4, segment="T0009"), r"codings\.csv:4, column 'segment'.*T0009"),
        ("codings.csv", change(CODINGS, 4, coder="C"), r"codings\.csv:4, column 'coder'"),
        ("codings.csv", [*CODINGS, CODINGS[0]], r"lines 2, 5.*\n?.*must be unique"),
    ],
)
def test_a_broken_reference_or_key_is_refused_with_its_line(room, name, rows, expected):
    header = SEGMENT_COLUMNS if name == "segments.csv" else CODING_COLUMNS
    write(room / "data" / "literature" / name, header, rows)
    with pytest.raises(InputError, match=f"(?s){expected}"):
        load_coding(room / "data")


@pytest.mark.parametrize(
    ("line", "cells", "expected"),
    [
        (2, {"segment": "J0001"}, "'J0001' is not an id of talele2024"),
        (2, {"end": "18"}, "18 is not after the start, 18"),
        (3, {"end": str(len(TEXT) + 1)}, f"lies beyond the document's {len(TEXT)} characters"),
        (2, {"participant": "D-I1"}, "'D-I1' was interviewed for dusengimana2023, not for talele2024"),
        (2, {"participant": ""}, "a quotation that nobody said"),
        (3, {"paraphrase": "too short by far"}, "4 words, expected 8 to 40"),
        (3, {"paraphrase": "word " * 41}, "41 words, expected 8 to 40"),
        (3, {"start": "18", "end": "46"}, "the same passage more than once"),
    ],
)
def test_each_fault_of_a_segment_is_named(room, line, cells, expected):
    write(room / "data" / "literature" / "segments.csv", SEGMENT_COLUMNS, change(SEGMENTS, line, **cells))
    loaded = tables_without_codings(room)
    found = problems_of(check_segments, loaded["segments"], loaded["documents"], loaded["participants"])
    assert len(found) == 1 and expected in found[0]


def tables_without_codings(room):
    names = ("segments", "documents", "participants")
    return {name: load_table(f"literature/{name}.csv", room / "data") for name in names}


def test_faults_of_codings_are_listed_together(room):
    loaded = tables(room)
    rows = [
        ["T0001", "infrastructure", "A", "2026-11-21"],
        ["T0001", "ci_cd", "A", "2026-11-21"],
        ["T0001", "labeling", "A", "2026-11-21"],
        ["T0001", "testing", "A", "2026-11-21"],
        ["T0001", "maturity", "A", "2026-02-30"],
        ["T0002", "maturity", "B", "2026-11-21"],
        ["T0003", "nothing", "A", "2026-11-21"],
    ]
    codings = pd.DataFrame(rows, columns=CODING_COLUMNS, index=range(2, 9), dtype="string")
    codings.attrs["source"] = "codings.csv"
    text = "\n".join(problems_of(check_codings, codings, loaded["segments"], loaded["codebook"]))
    assert "codings.csv:8, column 'segment': 'T0003' does not exist" in text
    assert "codings.csv:8, column 'code': 'nothing' does not exist" in text
    assert "'2026-02-30' is no day" in text
    assert "gave T0001 5 codes, at most 4" in text
    assert text.count("gave T0001 'infrastructure' beside") == 2
    assert "segments.csv:3: 'T0002' has no code of the first pass" in text


def test_faults_of_all_tables_come_in_one_error(room):
    write(room / "data" / "literature" / "segments.csv", SEGMENT_COLUMNS, change(SEGMENTS, 2, start="17"))
    write(room / "data" / "literature" / "codings.csv", CODING_COLUMNS, change(CODINGS, 4, date="2026-13-01"))
    corpus = {"talele2024": TEXT.replace("“", " ")}
    found = problems_of(load_coding, room / "data", corpus)
    assert len(found) == 2
    assert "is no day" in found[0] and "'T0001' begins or ends with white space" in found[1]


def test_offsets_are_checked_against_the_text_only_where_it_is_at_hand(room):
    segments = tables(room)["segments"]
    assert check_offsets(segments, {"john2021": ""}) is segments
    found = problems_of(check_offsets, segments, {"talele2024": TEXT[:60]})
    assert len(found) == 1 and "segments.csv:3" in found[0] and "beyond the text's 60 characters" in found[0]


def test_offsets_count_characters_and_keep_line_ends(room):
    # The file has more bytes than characters, and a carriage return that must not vanish.
    assert len(TEXT.encode()) > len(TEXT)
    corpus = load_corpus(room / "texts", load_table("literature/documents.csv", room / "data"))
    assert corpus == {"talele2024": TEXT}


def test_a_corpus_without_any_of_the_documents_is_refused(room):
    documents = load_table("literature/documents.csv", room / "data")
    (room / "texts" / "any name.txt").write_bytes(TEXT.replace("\r\n", "\n").encode())
    with pytest.raises(InputError, match="none of its 2 text files"):
        load_corpus(room / "texts", documents)
    with pytest.raises(InputError, match="no such folder"):
        load_corpus(room / "nowhere", documents)


def test_overlaps_of_one_coder_are_reported_and_those_of_two_are_not():
    segments = pd.DataFrame(
        {
            "segment": ["T0001", "T0002", "T0003", "J0001"],
            "document": ["talele2024", "talele2024", "talele2024", "john2021"],
            "start": [0, 5, 10, 0],
            "end": [10, 12, 20, 20],
        }
    )
    coders = [("T0001", "A"), ("T0002", "A"), ("T0003", "A"), ("J0001", "A"), ("T0001", "B"), ("T0003", "B")]
    codings = pd.DataFrame(coders, columns=["segment", "coder"])
    overlaps = find_overlaps(segments, codings)
    assert overlaps.values.tolist() == [
        ["A", "talele2024", "T0001", "T0002", 5, 10, 5],
        ["A", "talele2024", "T0002", "T0003", 10, 12, 2],
    ]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=12))
def test_overlaps_are_those_that_comparing_all_pairs_finds(spans):
    segments = pd.DataFrame(
        [(f"T{n:04d}", "talele2024", start, start + length) for n, (start, length) in enumerate(spans)],
        columns=["segment", "document", "start", "end"],
    )
    codings = segments[["segment"]].assign(coder="A")
    found = find_overlaps(segments, codings)
    rows = list(segments.itertuples(index=False))
    expected = {
        frozenset((a.segment, b.segment)): min(a.end, b.end) - max(a.start, b.start)
        for i, a in enumerate(rows)
        for b in rows[:i]
        if max(a.start, b.start) < min(a.end, b.end)
    }
    pairs = zip(found["first"], found["second"], found["characters"], strict=True)
    assert {frozenset((a, b)): n for a, b, n in pairs} == expected
    assert len(found) == len(expected)


def test_copied_phrases_are_found_whatever_their_case_and_punctuation():
    texts = pd.Series({2: "He said: The model, drifts each spring!", 3: PARAPHRASE, 4: pd.NA}, dtype="string")
    found = find_copied_phrases(texts, {"talele2024": TEXT}, words=5)
    assert found.values.tolist() == [[2, "talele2024", "the model drifts each spring"]]
    assert find_copied_phrases(texts, {"talele2024": TEXT}, words=6).empty


def test_every_letter_of_a_segment_stands_for_a_coded_document():
    assert set(DOCUMENT_LETTERS.values()) == set(load_table("literature/documents.csv")["document"])


def test_participants_are_those_of_the_documents():
    people = load_table("literature/participants.csv")
    counts = people.groupby(["document", "kind"]).size().to_dict()
    assert counts == {
        ("talele2024", "person"): 20,  # Table E.1, first set
        ("dusengimana2023", "group"): 1,  # §4.2.2.2: three interviews, the first with a team
        ("dusengimana2023", "person"): 2,
        ("dusengimana2023", "unattributed"): 1,
        ("john2021", "person"): 14,  # Table I
    }
    sets = people["sets"].str.split(";").explode().value_counts()
    # Table E.1 lists 20, 15 and 10 interviewees; the three interviews of dusengimana2023 are one set.
    assert sets.to_dict() == {"1": 23, "2": 15, "3": 10}
