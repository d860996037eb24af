"""A small coding, made up, whose every count can be checked by eye; `test_coded.py` and its neighbours use it.

Two themes with two codes each, and one code below a code; two documents; four participants, one of whom stands for
nobody. Segments and the codes of coder A (B in brackets, where B coded):

    T0001 §1, P1  a1              [a1]          T0005 §2.1      b1 b2
    T0002 §1, P1  a1 a2           [a1]          D0001 §1, I1    a2 deep         [deep]
    T0003 §1, P2  b1              [b1 b2]       D0002 §1        b1              [a1]
    T0004 §2      a2              [a2]          D0003 §1.2, U0  b2
"""

from __future__ import annotations

from functools import cache

import pandas as pd

from analysis.literature.coding import Coding, find_overlaps, load_coding
from analysis.literature.repeats import without_repeats

DOCUMENTS = pd.DataFrame(
    {
        "document": ["talele2024", "dusengimana2023"],
        "title": ["One", "Two"],
        "kind": ["doctoral_thesis", "masters_thesis"],
        "sha256": ["0" * 64, "1" * 64],
        "characters": [1000, 1000],
        "note": ["", ""],
    }
)
PARTICIPANTS = pd.DataFrame(
    [
        ("T-P01", "talele2024", "person", "software", "North"),
        ("T-P02", "talele2024", "person", "data", "North"),
        ("T-P03", "talele2024", "person", "data", "South"),
        ("D-I1", "dusengimana2023", "group", "mixed", None),
        ("D-U0", "dusengimana2023", "unattributed", None, None),
    ],
    columns=["participant", "document", "kind", "role_group", "company"],
).astype("string")
CODEBOOK = pd.DataFrame(
    [
        ("a", None, "Alpha", "a"),
        ("a1", "a", "First alpha", "a"),
        ("a2", "a", "Second alpha", "a"),
        ("b", None, "Beta", "b"),
        ("b1", "b", "First beta", "b"),
        ("b2", "b", "Second beta", "b"),
        ("deep", "b2", "Deep beta", "b"),
    ],
    columns=["code", "parent", "name", "theme"],
).astype("string")
SEGMENTS = pd.DataFrame(
    [
        ("T0001", "talele2024", "§1, ID1", 0, 10, "T-P01", "quotation", "One thing"),
        ("T0002", "talele2024", "§1, ID1", 10, 30, "T-P01", "quotation", "Another thing"),
        ("T0003", "talele2024", "§1, ID2", 30, 40, "T-P02", "quotation", "A third thing"),
        ("T0004", "talele2024", "§2", 40, 45, None, "statement", "A fourth thing"),
        ("T0005", "talele2024", "§2.1", 50, 60, None, "statement", "A fifth thing"),
        ("D0001", "dusengimana2023", "§1", 0, 40, "D-I1", "quotation", "A sixth thing"),
        ("D0002", "dusengimana2023", "§1", 40, 50, None, "statement", "A seventh thing"),
        ("D0003", "dusengimana2023", "§1.2", 50, 60, "D-U0", "quotation", "An eighth thing"),
    ],
    columns=["segment", "document", "locator", "start", "end", "participant", "kind", "paraphrase"],
).astype(dict.fromkeys(("segment", "document", "locator", "participant", "kind", "paraphrase"), "string"))
SEGMENTS.index = pd.RangeIndex(2, 10, name="line")
GIVEN = {
    "A": {"T0001": ["a1"], "T0002": ["a1", "a2"], "T0003": ["b1"], "T0004": ["a2"], "T0005": ["b1", "b2"],
          "D0001": ["a2", "deep"], "D0002": ["b1"], "D0003": ["b2"]},
    "B": {"T0001": ["a1"], "T0002": ["a1"], "T0003": ["b1", "b2"], "T0004": ["a2"], "D0001": ["deep"], "D0002": ["a1"]},
}  # fmt: skip


def build_codings(given: dict[str, dict[str, list[str]]]) -> pd.DataFrame:
    rows = [(s, code, coder, "2026-01-01") for coder, of in given.items() for s, codes in of.items() for code in codes]
    return pd.DataFrame(rows, columns=["segment", "code", "coder", "date"]).astype("string")


def small_coding(given: dict[str, dict[str, list[str]]] | None = None, segments: pd.DataFrame = SEGMENTS) -> Coding:
    """The coding above, or with other codes or segments."""
    codings = build_codings(GIVEN if given is None else given)
    return Coding(DOCUMENTS, PARTICIPANTS, CODEBOOK, segments, codings, find_overlaps(segments, codings))


@cache
def stored_coding() -> Coding:
    """The stored coding of the five documents, loaded once; tests must not change it."""
    return load_coding()


@cache
def counted_coding() -> Coding:
    """The stored coding without its repeats, as everything is counted."""
    return without_repeats(stored_coding())
