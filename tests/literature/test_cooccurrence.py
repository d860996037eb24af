"""Co-occurrence against counting by hand and on the stored coding against a plain double loop."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jaccard

from analysis.base.errors import InputError
from analysis.literature.coded import build_code_rows
from analysis.literature.cooccurrence import build_heat_cells, build_network, compute_cooccurrence
from tests.literature.small_coding import SEGMENTS, counted_coding, small_coding

CODES = ["a1", "a2", "b1", "b2", "deep"]


def pairs_of(coding, **options) -> pd.DataFrame:
    options = {"level": 3, "fewest": 1, "rng": np.random.default_rng(1), "resamples": 49} | options
    return compute_cooccurrence(coding, **options)


@pytest.fixture(scope="module")
def themes():
    return pairs_of(counted_coding(), level=1, fewest=5, resamples=499)


def test_pairs_by_hand():
    pairs = pairs_of(small_coding()).set_index(["first", "second"])
    assert len(pairs) == 10  # all pairs of five codes, those that never meet included
    assert pairs["count"].sum() == 3
    row = pairs.loc["a1", "a2"]  # on 2 and 3 of 8 segments, together on T0002
    assert (row["first_count"], row["second_count"], row["count"], row["n"], row["voices"]) == (2, 3, 1, 8, 7)
    assert row["expected"] == pytest.approx(6 / 8)
    assert row["jaccard"] == pytest.approx(1 / 4)
    assert row["lift"] == pytest.approx(8 / 6)
    assert pairs.loc[("b1", "b2"), "count"] == pairs.loc[("a2", "deep"), "count"] == 1
    assert pairs.loc[("a1", "b1"), ["count", "jaccard", "lift"]].tolist() == [0, 0, 0]


def test_codes_below_one_theme_make_no_pair_of_themes():
    pairs = pairs_of(small_coding(), level=1)
    assert pairs[["first", "second", "count"]].values.tolist() == [["a", "b", 1]]


def test_rare_codes_are_left_out_and_counted():
    pairs = pairs_of(small_coding(), fewest=2)
    assert set(pairs["first"]) | set(pairs["second"]) == {"a1", "a2", "b1", "b2"}
    assert pairs.attrs["left_out"] == 1


def test_stored_themes_match_a_plain_loop(themes):
    rows = build_code_rows(counted_coding(), level=1)
    where = rows.groupby("code")["segment"].agg(set)
    segments = sorted(set(rows["segment"]))
    n = len(counted_coding().segments)
    for row in themes.head(40).itertuples():
        one, other = where[row.first], where[row.second]
        together = len(one & other)
        assert themes.at[row.Index, "count"] == together
        assert row.lift == pytest.approx(together * n / (len(one) * len(other)))
        marks = [np.array([segment in group for segment in segments]) for group in (one, other)]
        assert row.jaccard == pytest.approx(1 - jaccard(*marks))
    assert len(themes) == 23 * 22 / 2
    assert themes["count"].is_monotonic_decreasing


def test_intervals_hold_their_values_or_say_why_not(themes):
    for measure in ("jaccard", "lift"):
        bounded = themes[themes[f"{measure}_low"].notna()]
        assert (bounded[f"{measure}_low"] <= bounded[measure] + 1e-12).mean() > 0.98
        assert (bounded[measure] <= bounded[f"{measure}_high"] + 1e-12).mean() > 0.98
    bare = themes[themes["lift_low"].isna()]
    assert (bare["count"] == 0).all() and bare["method"].str.contains("no interval").all()


@given(st.permutations(range(len(SEGMENTS))))
@settings(max_examples=8, deadline=None)
def test_order_of_segments_does_not_matter(order):
    columns = ["first", "second", "count", "expected", "jaccard", "lift"]
    mixed = pairs_of(small_coding(segments=SEGMENTS.iloc[list(order)]), resamples=9)[columns]
    pd.testing.assert_frame_equal(mixed, pairs_of(small_coding(), resamples=9)[columns])


@given(
    st.dictionaries(
        st.sampled_from(list(SEGMENTS["segment"])),
        st.lists(st.sampled_from(CODES), min_size=1, max_size=4, unique=True),
        min_size=3,
    ).filter(lambda given_codes: len({code for codes in given_codes.values() for code in codes}) > 1)
)
@settings(max_examples=20, deadline=None)
def test_every_meeting_is_counted_once(given_codes):  # fmt: skip
    pairs = pairs_of(small_coding({"A": given_codes}), resamples=9)
    assert pairs["count"].sum() == sum(len(list(combinations(codes, 2))) for codes in given_codes.values())
    assert (pairs["count"] <= pairs[["first_count", "second_count"]].min(axis=1)).all()
    assert pairs["jaccard"].between(0, 1).all()


def test_network_holds_pairs_that_meet_often_and_more_than_by_chance(themes):
    nodes, edges = build_network(themes, fewest_together=10)
    chosen = themes[(themes["count"] >= 10) & (themes["lift"] > 1)]
    assert edges["weight"].tolist() == chosen["count"].tolist()
    assert edges["firm"].tolist() == (chosen["lift_low"] > 1).tolist()
    assert set(nodes["key"]) == set(chosen["first"]) | set(chosen["second"])
    sizes = dict(zip(themes["first"], themes["first_count"], strict=True))
    sizes |= dict(zip(themes["second"], themes["second_count"], strict=True))
    assert nodes["size"].tolist() == [sizes[key] for key in nodes["key"]]
    assert len(nodes) + len(nodes.attrs["left_out"]) == 23
    with pytest.raises(InputError, match="no pair with 999"):
        build_network(themes, fewest_together=999)


def test_heat_cells_stand_below_the_diagonal_in_the_order_of_the_codebook(themes):
    cells, lower, upper = build_heat_cells(themes)
    names = upper | lower
    assert (list(lower), list(upper)) == (list(names)[1:], list(names)[:-1])
    book = counted_coding().codebook
    order = [code for code in book["code"] if code in names]
    assert list(names) == order
    assert list(names.values()) == book.set_index("code").loc[order, "name"].tolist()
    places = {code: place for place, code in enumerate(order)}
    assert (cells["row"].map(places) > cells["column"].map(places)).all()
    assert [int(text or 0) for text in cells["text"]] == themes["count"].tolist()
    assert build_heat_cells(themes, measure="lift")[0]["value"].tolist() == themes["lift"].tolist()
    with pytest.raises(InputError, match="got 'phi'"):
        build_heat_cells(themes, measure="phi")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fewest": 0}, "got 0"),
        ({"fewest": 99}, "0 codes on 99"),
        ({"level": 0}, "no level 0"),
        ({"coder": "C"}, "coded nothing"),
        ({"confidence": 2}, "got 2"),
    ],
)
def test_what_cannot_be_paired_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        pairs_of(small_coding(), **options)
