"""Frequencies and the coding chart on the small coding, counted by hand, and their sums on the stored one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from analysis.base.errors import InputError
from analysis.literature.coded import build_segments
from analysis.literature.themes import (
    compute_coding_chart,
    compute_participant_frequencies,
    compute_segment_frequencies,
    count_coding,
    pick_frequency,
)
from tests.literature.small_coding import GIVEN, SEGMENTS, counted_coding, small_coding


def draws(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def counts(table: pd.DataFrame) -> dict:
    return {
        (row.group, row.code): (row.count_, row.n) for row in table.rename(columns={"count": "count_"}).itertuples()
    }


def test_shares_of_segments_by_hand():
    table = compute_segment_frequencies(small_coding(), level=1, method="wilson")
    assert counts(table) == {("all", "a"): (4, 8), ("all", "b"): (5, 8)}  # D0001 bears both
    low, high = proportion_confint(4, 8, method="wilson")
    assert table.loc[0, ["share", "low", "high"]].tolist() == pytest.approx([0.5, low, high])
    assert table["voices"].tolist() == [7, 7]
    assert table["name"].tolist() == ["Alpha", "Beta"]


@pytest.mark.parametrize(
    ("by", "left_out", "expected"),
    [
        ("document", 0, {("talele2024", "a"): (3, 5), ("talele2024", "b"): (2, 5), ("dusengimana2023", "a"): (1, 3),
                         ("dusengimana2023", "b"): (3, 3)}),
        ("counted", 4, {("T-P01", "a"): (2, 2), ("T-P01", "b"): (0, 2), ("T-P02", "a"): (0, 1), ("T-P02", "b"): (1, 1),
                        ("D-I1", "a"): (1, 1), ("D-I1", "b"): (1, 1)}),
        ("role_group", 4, {("software", "a"): (2, 2), ("software", "b"): (0, 2), ("data", "a"): (0, 1),
                           ("data", "b"): (1, 1), ("mixed", "a"): (1, 1), ("mixed", "b"): (1, 1)}),
        ("company", 5, {("North", "a"): (2, 3), ("North", "b"): (1, 3)}),
        ("kind", 0, {("quotation", "a"): (3, 5), ("quotation", "b"): (3, 5), ("statement", "a"): (1, 3),
                     ("statement", "b"): (2, 3)}),
    ],
)  # fmt: skip
def test_groups_of_segments_by_hand(by, left_out, expected):
    table = compute_segment_frequencies(small_coding(), by=by, level=1, method="wilson")
    assert counts(table) == expected
    assert table.attrs["left_out"] == left_out


def test_finer_levels_count_finer_codes():
    table = compute_segment_frequencies(small_coding(), level=3, method="wilson").set_index("code")
    assert table["count"].to_dict() == {"a1": 2, "a2": 3, "b1": 3, "b2": 2, "deep": 1}
    table = compute_segment_frequencies(small_coding(), level=2, method="wilson").set_index("code")
    assert table["count"].to_dict() == {"a1": 2, "a2": 3, "b1": 3, "b2": 3}


def test_shares_of_participants_by_hand():
    options = {"level": 1, "by": "role_group"}
    quoted = compute_participant_frequencies(small_coding(), among="quoted", **options)
    assert counts(quoted) == {
        ("software", "a"): (1, 1), ("software", "b"): (0, 1), ("data", "a"): (0, 1), ("data", "b"): (1, 1),
        ("mixed", "a"): (1, 1), ("mixed", "b"): (1, 1),
    }  # fmt: skip
    interviewed = compute_participant_frequencies(small_coding(), among="interviewed", **options)
    assert counts(interviewed)["data", "b"] == (1, 2)  # T-P03 is not quoted
    everyone = compute_participant_frequencies(small_coding(), level=1, among="interviewed", method="clopper-pearson")
    assert counts(everyone) == {("all", "a"): (2, 4), ("all", "b"): (2, 4)}  # D-U0 is nobody
    low, high = proportion_confint(2, 4, method="beta")
    assert everyone.loc[0, ["low", "high"]].tolist() == pytest.approx([low, high])
    one = compute_participant_frequencies(small_coding(), among="quoted", documents=["dusengimana2023"], level=1)
    assert counts(one) == {("all", "a"): (1, 1), ("all", "b"): (1, 1)}
    by_company = compute_participant_frequencies(small_coding(), by="company", among="interviewed", level=1)
    assert by_company.attrs["left_out"] == 1 and counts(by_company)["South", "b"] == (0, 1)


def test_voices_widen_the_interval_of_what_a_few_say_again_and_again():
    coding = counted_coding()
    voices = compute_segment_frequencies(coding, level=1, method="voices", rng=draws(), resamples=499)
    wilson = compute_segment_frequencies(coding, level=1, method="wilson")
    assert voices["share"].equals(wilson["share"])
    wider = (voices["high"] - voices["low"]) / (wilson["high"] - wilson["low"])
    assert wider.median() > 1.3
    assert ((voices["low"] <= voices["share"]) & (voices["share"] <= voices["high"])).all()
    again = compute_segment_frequencies(coding, level=1, method="voices", rng=draws(), resamples=499)
    pd.testing.assert_frame_equal(voices, again)


def test_too_few_voices_give_no_interval():
    table = compute_segment_frequencies(small_coding(), by="document", level=1, method="voices", rng=draws())
    assert table["low"].isna().all() and table["high"].isna().all()
    assert table["method"].str.contains("no 95% interval").all()
    estimate = pick_frequency(table, "a", "talele2024")
    assert (estimate.value, estimate.low, estimate.n, estimate.unit) == (3 / 5, None, 5, "share")


@given(st.permutations(range(len(SEGMENTS))), st.sampled_from(["document", "role_group", "company"]))
@settings(max_examples=8, deadline=None)
def test_order_of_segments_does_not_matter(order, by):
    mixed = small_coding(segments=SEGMENTS.iloc[list(order)])
    for compute, options in (
        (compute_segment_frequencies, {"method": "wilson"}),
        (compute_participant_frequencies, {"among": "quoted"}),
    ):
        assert counts(compute(mixed, by=by, **options)) == counts(compute(small_coding(), by=by, **options))


def test_groups_of_the_stored_coding_add_up():
    coding = counted_coding()
    whole = compute_segment_frequencies(coding, level=1, method="wilson").set_index("code")["count"]
    parts = compute_segment_frequencies(coding, by="document", level=1, method="wilson")
    assert parts.groupby("code", sort=False)["count"].sum().to_dict() == whole.to_dict()
    sizes = parts.groupby("group")["n"].first()
    assert sizes.sum() == len(build_segments(coding)) == count_coding(coding)["segments"]
    people = compute_participant_frequencies(coding, by="document", level=1, among="quoted")
    assert people.groupby("group")["n"].first().sum() == count_coding(coding)["participants"]


def test_size_of_the_small_coding():
    assert count_coding(small_coding()) == {
        "segments": 8, "codings": 11, "codes_used": 5, "codes": 7, "themes": 2, "documents": 2, "quotations": 5,
        "participants": 3, "levels": 3,
    }  # fmt: skip
    assert count_coding(small_coding(), "B")["segments"] == len(GIVEN["B"])


CHART = {"document": "talele2024", "themes": ("a", "b"), "resamples": 199}


def test_coding_chart_by_hand():
    table = compute_coding_chart(small_coding(), section="§1", rng=draws(), **CHART)
    assert table["count"].tolist() == [2, 1] and table["share"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert table["segments"].tolist() == [3, 3]
    table = compute_coding_chart(small_coding(), section="§1", weight="characters", rng=draws(), **CHART)
    assert table["count"].tolist() == [30, 10] and table["n"].tolist() == [40, 40]
    everything = compute_coding_chart(small_coding(), section="§", rng=draws(), **CHART)
    assert everything["count"].tolist() == [3, 2]


def test_a_section_takes_in_its_parts_but_not_its_namesakes():
    changed = SEGMENTS.copy()
    changed.loc[changed["segment"] == "T0005", "locator"] = "§20"
    within = compute_coding_chart(small_coding(), section="§2", rng=draws(), **CHART)
    apart = compute_coding_chart(small_coding(segments=changed), section="§2", rng=draws(), **CHART)
    assert within["count"].tolist() == [1, 1] and apart["count"].tolist() == [1, 0]


def test_chart_of_the_second_document():
    # Dusengimana names five themes in §5.1: every passage there that bears one of them counts once for each.
    coding = counted_coding()
    table = compute_coding_chart(coding, rng=draws(), resamples=499)
    there = build_segments(coding, documents=["dusengimana2023"])
    there = there[there["locator"].str.match(r"§5\.1(\D|$)")]
    themes = coding.codings[coding.codings["coder"] == "A"].merge(coding.codebook[["code", "theme"]], on="code")
    themes = themes[themes["segment"].isin(there["segment"])].drop_duplicates(["segment", "theme"])
    assert table["count"].tolist() == [int((themes["theme"] == theme).sum()) for theme in table["theme"]]
    assert table["share"].sum() == pytest.approx(1)
    assert (table["low"] < table["share"]).all() and (table["share"] < table["high"]).all()
    assert table.loc[table["share"].idxmax(), "theme"] == "challenge"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: compute_segment_frequencies(c, by="age", method="wilson"), "got 'age'"),
        (lambda c: compute_segment_frequencies(c, method="normal"), "got 'normal'"),
        (lambda c: compute_segment_frequencies(c, method="voices"), "none given"),
        (lambda c: compute_segment_frequencies(c, by="counted", method="voices", rng=draws()), "is one voice"),
        (lambda c: compute_segment_frequencies(c, method="wilson", level=9), "no level 9"),
        (lambda c: compute_participant_frequencies(c, by="kind", among="quoted"), "does not group participants"),
        (lambda c: compute_participant_frequencies(c, among="all"), "got 'all'"),
        (
            lambda c: compute_coding_chart(c, section="§1", rng=draws(), **CHART | {"themes": ("a1",)}),
            "'a1' is no theme",
        ),
        (lambda c: compute_coding_chart(c, section="§9", rng=draws(), **CHART), "no segment bears"),
        (lambda c: compute_coding_chart(c, section="§1", weight="words", rng=draws(), **CHART), "got 'words'"),
        (lambda c: pick_frequency(compute_segment_frequencies(c, method="wilson"), "none"), "0 rows"),
    ],
)
def test_what_cannot_be_counted_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(small_coding())
