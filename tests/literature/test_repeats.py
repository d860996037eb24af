"""What a document says twice is found by its paraphrase and counted once."""

from __future__ import annotations

import pandas as pd

from analysis.base.tables import load_table
from analysis.literature.coding import build_coding
from analysis.literature.repeats import RETOLD, drop_repeats, find_repeats, without_repeats
from tests.literature.small_coding import GIVEN, SEGMENTS, counted_coding, small_coding, stored_coding


def reworded(**paraphrases: str) -> pd.DataFrame:
    changed = SEGMENTS.copy()
    for segment, words in paraphrases.items():
        changed.loc[changed["segment"] == segment, "paraphrase"] = words
    return changed


def test_a_reprint_names_the_first_printing():
    found = find_repeats(reworded(D0002="One thing "))
    assert found.to_dict("records") == [
        {"segment": "D0002", "document": "dusengimana2023", "rule": "reprinted", "first": "T0001"}
    ]
    assert list(found.index) == [8]


def test_the_same_words_within_a_document_are_no_reprint():
    assert find_repeats(reworded(T0002="One thing")).empty


def test_a_retold_paragraph_says_so_itself():
    found = find_repeats(reworded(T0004=f"{RETOLD} one thing"))
    assert found["rule"].tolist() == ["retold"] and found["first"].isna().all()


def test_without_repeats_neither_segments_nor_codes_remain():
    coding = small_coding(segments=reworded(D0002="One thing", T0004=f"{RETOLD} one thing"))
    counted = without_repeats(coding)
    assert set(coding.segments["segment"]) - set(counted.segments["segment"]) == {"D0002", "T0004"}
    lost = sum(len(GIVEN[coder].get(segment, [])) for coder in GIVEN for segment in ("D0002", "T0004"))
    assert len(coding.codings) - len(counted.codings) == lost == 4
    assert counted.segments.index.isin(coding.segments.index).all()
    again = without_repeats(counted)
    assert len(again.segments) == len(counted.segments) and len(again.codings) == len(counted.codings)


def test_nothing_is_lost_where_nothing_repeats():
    coding = small_coding()
    pd.testing.assert_frame_equal(drop_repeats(coding.segments), coding.segments)
    assert len(without_repeats(coding).codings) == len(coding.codings)


def test_repeats_of_the_coded_documents():
    real = stored_coding()
    found = find_repeats(real.segments)
    assert found.groupby(["document", "rule"]).size().to_dict() == {
        ("john2025", "reprinted"): 8,  # the abstract of john2021 on the pages of john2025
        ("talele2024", "retold"): 19,  # paragraphs of chapter 5 that are told again
    }
    firsts = found.loc[found["rule"] == "reprinted", "first"]
    homes = real.segments.set_index("segment")["document"]
    assert set(homes[firsts]) == {"john2021"}
    assert found.attrs["source"] == real.segments.attrs["source"]


def test_what_remains_is_a_sound_coding():
    real, counted = stored_coding(), counted_coding()
    assert len(counted.segments) == len(real.segments) - 27
    participants = load_table("literature/participants.csv")
    build_coding(real.documents, participants, real.codebook, counted.segments, counted.codings)
    assert find_repeats(counted.segments).empty
