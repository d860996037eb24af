"""A folder of texts held against the coding: what is the same, what is not, and what a passage says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from analysis.base.errors import InputError
from analysis.base.paths import ROOT
from analysis.literature.coding import load_coding
from analysis.literature.corpus import STATES, compute_coverage, find_offset_faults, open_corpus, read_passages

SEEDS = ROOT.parent / "shared/seeds"
needs_seeds = pytest.mark.skipif(not SEEDS.is_dir(), reason="the coded documents are not at hand")
TEXT = "Zürich 😀 runs models.\nNobody watches them.\n"


def documents(*rows: tuple[str, str, str | None, int | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["document", "title", "sha256", "characters"])
    return table.astype({"characters": "Int64"})


def segments(*rows: tuple[str, str, int, int]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["segment", "document", "start", "end"])
    table.index = pd.RangeIndex(2, len(rows) + 2, name="line")
    table.attrs["source"] = "segments.csv"
    return table.astype({"start": "Int64", "end": "Int64"})


def digest(text: str | bytes) -> str:
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()


def write_pdf(path: Path, *pages: str) -> None:
    """A PDF with a line of text on each page."""
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(200, 200)
        font = DictionaryObject({
            NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        })  # fmt: skip
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): writer._add_object(font)})}
        )
        content = DecodedStreamObject()
        content.set_data(f"BT /F1 12 Tf 10 100 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(content)
    writer.write(path)


@pytest.fixture
def coded() -> pd.DataFrame:
    return documents(
        ("first", "On models that run", digest(TEXT), len(TEXT)),
        ("second", "Quite another work on models", digest("other"), 5),
    )


def test_a_text_is_known_by_its_digest_whatever_its_name_and_folder(tmp_path, coded):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.txt").write_text(TEXT, encoding="utf-8", newline="")
    (tmp_path / ".hidden.txt").write_text("other")
    (tmp_path / "notes.md").write_text("my notes")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    corpus = open_corpus(tmp_path, coded)
    assert corpus.documents[["state", "file"]].to_numpy().tolist() == [["same", "deep/x.txt"], ["missing", pd.NA]]
    assert corpus.texts == {"first": TEXT}
    assert corpus.strangers[["file", "sha256", "characters"]].to_numpy().tolist() == [
        ["notes.md", digest("my notes"), 8]
    ]
    assert set(corpus.documents["state"]) <= set(STATES)


@pytest.mark.parametrize(
    "changed",
    [TEXT.replace("\n", "\r\n"), TEXT.replace("\n", "\r"), "\ufeff" + TEXT, TEXT.rstrip("\n")],
    ids=["CR LF", "CR", "byte-order mark", "no last line end"],
)
def test_what_copying_changes_is_put_right(tmp_path, coded, changed):
    (tmp_path / "a.txt").write_bytes(changed.encode())
    corpus = open_corpus(tmp_path, coded)
    assert corpus.documents.loc[0, "state"] == "repaired"
    assert corpus.texts["first"] == TEXT
    (tmp_path / "b.txt").write_bytes(TEXT.encode())
    assert open_corpus(tmp_path, coded).documents.loc[0, ["state", "file"]].to_list() == ["same", "b.txt"]


def test_another_text_of_the_name_or_title_is_different_and_never_shown(tmp_path, coded):
    (tmp_path / "first.txt").write_text(TEXT.replace("Nobody", "Somebody"), encoding="utf-8")
    (tmp_path / "scan.txt").write_text("A Journal\nQuite another work\non models\nby somebody", encoding="utf-8")
    corpus = open_corpus(tmp_path, coded)
    assert corpus.documents["state"].to_list() == ["different", "different"]
    assert corpus.documents["file"].to_list() == ["first.txt", "scan.txt"]
    assert corpus.texts == {}
    with pytest.raises(InputError) as caught:
        read_passages(segments(("S1", "first", 0, 6), ("S2", "second", 0, 5)), ["S1", "S2", "S3"], corpus)
    assert [problem.where for problem in caught.value.problems] == [f"segment 'S{n}'" for n in (1, 2, 3)]
    assert "offsets do not hold" in str(caught.value)


def test_a_pdf_is_known_by_the_text_that_pypdf_extracts(tmp_path):
    write_pdf(tmp_path / "paper.pdf", "Models run", "Nobody looks")
    coded = documents(("paper", "A paper", digest("Models run\nNobody looks"), 23))
    corpus = open_corpus(tmp_path, coded)
    assert corpus.documents.loc[0, "state"] == "same"
    (row, words), = read_passages(segments(("S1", "paper", 11, 17)), ["S1"], corpus)  # fmt: skip
    assert (row["document"], words) == ("paper", "Nobody")


def test_files_that_hold_no_text_are_listed_with_the_reason(tmp_path, coded):
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 and no more")
    (tmp_path / "latin.txt").write_bytes("Zürich".encode("latin-1"))
    write_pdf(tmp_path / "scan.pdf", "")
    corpus = open_corpus(tmp_path, coded)
    notes = dict(zip(corpus.strangers["file"], corpus.strangers["note"], strict=True))
    assert notes["broken.pdf"].startswith("not a readable PDF")
    assert notes["latin.txt"] == "not UTF-8 text"
    assert notes["scan.pdf"] == "a PDF without text (scanned?)"
    with pytest.raises(InputError, match="no such folder"):
        open_corpus(tmp_path / "nowhere", coded)


def test_offsets_outside_the_text_are_told_by_line(tmp_path):
    rows = segments(("S1", "first", 0, 6), ("S2", "first", 40, 60), ("S3", "first", 6, 8), ("S4", "first", 5, 5),
                    ("S5", "unknown", 0, 999))  # fmt: skip
    problems = find_offset_faults(rows, {"first": TEXT})
    assert [problem.where.split(",")[0] for problem in problems] == [
        "segments.csv:3",
        "segments.csv:4",
        "segments.csv:5",
    ]
    assert f"beyond the text's {len(TEXT)} characters" in problems[0].what
    assert "white space" in problems[1].what
    assert f"5–5 of a text of {len(TEXT)} characters" in problems[2].what


def test_coverage_counts_characters_once():
    coded = documents(("a", "A", None, 100), ("b", "B", None, 10), ("c", "C", None, None))
    rows = segments(("S1", "a", 0, 10), ("S2", "a", 5, 15), ("S3", "a", 6, 8), ("S4", "a", 90, 100))
    table = compute_coverage(coded, rows)
    assert table[["segments", "coded"]].to_numpy().tolist() == [[4, 25], [0, 0], [0, 0]]
    assert table.loc[0, "share"] == 0.25
    assert pd.isna(table.loc[2, "share"])


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), max_size=12))
def test_coverage_is_the_size_of_the_union(pairs):
    rows = segments(*((f"S{n}", "a", start, start + length) for n, (start, length) in enumerate(pairs)))
    union = set().union(*(range(start, start + length) for start, length in pairs))
    table = compute_coverage(documents(("a", "A", None, 60)), rows)
    assert table.loc[0, "coded"] == len(union)


@needs_seeds
def test_the_coded_documents_are_recognised_and_every_segment_lies_within():
    coding = load_coding()
    corpus = open_corpus(SEEDS, coding.documents)
    assert set(corpus.documents["state"]) == {"same"}
    assert corpus.documents["found"].equals(corpus.documents["characters"])
    assert find_offset_faults(coding.segments, corpus.texts) == []
    wanted = ["T0001", "D0001"]
    shown = read_passages(coding.segments, wanted, corpus)
    assert [row["segment"] for row, _ in shown] == wanted
    assert all(len(words) == row["end"] - row["start"] for row, words in shown)
