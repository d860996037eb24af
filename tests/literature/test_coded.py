"""Segments and codes as tables, on the small coding, whose counts can be checked by eye."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.literature.codebook import MAX_LEVELS
from analysis.literature.coded import (
    build_code_rows,
    build_presence,
    build_segments,
    names_of_codes,
    order_of_codes,
)
from tests.literature.small_coding import GIVEN, SEGMENTS, small_coding

CODES = ["a", "a1", "a2", "b", "b1", "b2", "deep"]
some_codes = st.lists(st.sampled_from(CODES), min_size=1, max_size=4, unique=True)


def test_voices_are_participants_or_the_section_that_speaks():
    segments = build_segments(small_coding())
    assert list(segments["voice"]) == [
        "T-P01", "T-P01", "T-P02", "talele2024 §2", "talele2024 §2.1", "D-I1", "dusengimana2023 §1",
        "dusengimana2023 §1.2",  # words given to nobody are no voice of their own
    ]  # fmt: skip
    assert list(segments["characters"]) == [10, 20, 10, 5, 10, 40, 10, 10]
    assert list(segments["role_group"].fillna("")) == ["software", "software", "data", "", "", "mixed", "", ""]
    assert list(segments["company"].fillna("")) == ["North", "North", "North", "", "", "", "", ""]
    assert list(segments["counted"].fillna("")) == ["T-P01", "T-P01", "T-P02", "", "", "D-I1", "", ""]
    assert segments.index.equals(SEGMENTS.index)


def test_a_coder_has_the_segments_that_the_coder_coded():
    assert list(build_segments(small_coding(), coder="B")["segment"]) == list(GIVEN["B"])
    only = build_segments(small_coding(), documents=["dusengimana2023"])
    assert list(only["segment"]) == ["D0001", "D0002", "D0003"]


def test_rolling_up_drops_repeats():
    rows = build_code_rows(small_coding(), level=1)
    assert rows[["segment", "code"]].values.tolist() == [
        ["T0001", "a"], ["T0002", "a"], ["T0003", "b"], ["T0004", "a"], ["T0005", "b"], ["D0001", "a"], ["D0001", "b"],
        ["D0002", "b"], ["D0003", "b"],
    ]  # fmt: skip
    assert "deep" in set(build_code_rows(small_coding(), level=3)["code"])
    assert "deep" not in set(build_code_rows(small_coding(), level=2)["code"])


def test_presence_lists_units_without_a_code_and_codes_without_a_unit():
    coding = small_coding()
    rows = build_code_rows(coding)
    presence = build_presence(rows, ["T-P01", "T-P03", "D-I1"], "counted", ["a1", "b", "deep"])
    assert presence.to_numpy().tolist() == [[True, False, False], [False, False, False], [False, False, True]]
    assert presence.dtypes.eq(bool).all()
    assert order_of_codes(coding, rows) == ["a1", "a2", "b1", "b2", "deep"]
    assert names_of_codes(coding)["deep"] == "Deep beta"


@given(st.dictionaries(st.sampled_from(list(SEGMENTS["segment"])), some_codes, min_size=1))
@settings(max_examples=15, deadline=None)
def test_rolling_up_never_raises_the_number_of_codes(given_codes):
    coding = small_coding({"A": given_codes})
    used = [build_code_rows(coding, level=level) for level in range(1, MAX_LEVELS + 1)]
    distinct = [rows["code"].nunique() for rows in used]
    assert distinct == sorted(distinct)
    assert [len(rows) for rows in used] == sorted(len(rows) for rows in used)
    for rows in used:
        assert not rows.duplicated(["segment", "code"]).any()
        assert set(rows["segment"]) == set(given_codes)


@given(st.permutations(range(len(SEGMENTS))), st.randoms())
@settings(max_examples=15, deadline=None)
def test_order_of_segments_and_codings_does_not_matter(order, shuffled):
    coding = small_coding()
    places = list(range(len(coding.codings)))
    shuffled.shuffle(places)
    mixed = small_coding(segments=SEGMENTS.iloc[list(order)])
    mixed = type(mixed)(
        mixed.documents, mixed.participants, mixed.codebook, mixed.segments, mixed.codings.iloc[places], mixed.overlaps
    )
    pairs = [
        set(map(tuple, build_code_rows(each)[["segment", "code", "voice"]].to_numpy())) for each in (coding, mixed)
    ]
    assert pairs[0] == pairs[1]
    units, codes = list(SEGMENTS["segment"]), order_of_codes(coding, build_code_rows(coding))
    tables = [build_presence(build_code_rows(each), units, "segment", codes) for each in (coding, mixed)]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coder": "C"}, "'C' coded nothing.*\n.*one of: A, B"),
        ({"documents": ["nobody2020"]}, "'nobody2020' is unknown"),
        ({"coder": "C", "documents": ["nobody2020"]}, "(?s)'C' coded nothing.*'nobody2020'"),
    ],
)
def test_unknown_coders_and_documents_are_named(options, message):
    with pytest.raises(InputError, match=message):
        build_segments(small_coding(), **options)


def test_unknown_levels_are_refused():
    with pytest.raises(InputError, match="no level 4"):
        build_code_rows(small_coding(), level=4)
