"""Agreement of two coders against published examples, fed through a coding made by hand, and on the stored sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.literature.agreement import (
    MEASURES,
    SharedCoding,
    compute_code_agreement,
    compute_confusions,
    compute_overall_agreement,
    list_disagreements,
    select_shared,
)
from tests.literature.small_coding import SEGMENTS, counted_coding, small_coding

CODES = ["a1", "a2", "b1", "b2", "deep"]
SYMMETRIC = ["equal_sets", "overlap", "alpha_jaccard", "alpha_masi", "positive", "percent", "alpha", "cohen", "ac1"]
some_codes = st.lists(st.sampled_from(CODES), min_size=1, max_size=4, unique=True)
both_coded = st.dictionaries(st.sampled_from(list(SEGMENTS["segment"])), st.tuples(some_codes, some_codes), min_size=2)


def overall(shared: SharedCoding, **options) -> dict:
    return compute_overall_agreement(shared, **{"rng": np.random.default_rng(1), "resamples": 49} | options)


def values(shared: SharedCoding) -> dict[str, float]:
    return {name: estimate.value for name, estimate in overall(shared, resamples=1).items()}


def one_code(first: list[int], second: list[int]) -> SharedCoding:
    """Two coders who gave one code to segments, or not."""
    units = [f"T{number:04d}" for number in range(len(first))]
    frames = [pd.DataFrame({"a": np.array(marks, dtype=bool)}, index=units) for marks in (first, second)]
    return SharedCoding(pd.DataFrame({"segment": units}), *frames, ("A", "B"), 1, 0)


def crossed(both: int, first: int, second: int, neither: int) -> SharedCoding:
    marks = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [both, first, second, neither], axis=0)
    return one_code(*marks.T.tolist())


def sample(given_codes: dict) -> SharedCoding:
    coders = {
        coder: {segment: codes[place] for segment, codes in given_codes.items()} for place, coder in enumerate("AB")
    }
    return select_shared(small_coding(coders))


def test_alpha_of_krippendorffs_binary_example():
    # Krippendorff (2011), Computing Krippendorff's alpha-reliability, example A: Meg and Owen, ten units: 0.095.
    meg, owen = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    found = values(one_code(meg, owen))
    assert round(found["alpha"], 3) == 0.095
    assert found["percent"] == pytest.approx(0.6)  # the paper: six of ten
    assert found["positive"] == pytest.approx(2 / 6)  # by hand: twice the common one over two and four
    table = compute_code_agreement(one_code(meg, owen), small_coding(), fewest=1, rng=np.random.default_rng(1))
    assert round(table.at[0, "alpha"], 3) == 0.095
    assert table.loc[0, ["first", "second", "both", "either", "n"]].tolist() == [2, 4, 1, 5, 10]


# Gwet (2008), as irrCAC's documentation has it: 118, 5, 2, 0: AC1 0.9408; Cohen's kappa of these is −0.0234.
# statpsych (R), ci.kappa(.05, 31, 12, 4, 58): Cohen's kappa 0.676.
# Feinstein & Cicchetti (1990), table 1: 40, 9, 6, 45: kappa 0.70; table 2: 80, 10, 5, 5: kappa 0.32, at the same 85%.
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ((118, 5, 2, 0), {"ac1": 0.9408, "cohen": -0.0234, "percent": 0.944}),
        ((31, 12, 4, 58), {"cohen": 0.676}),
        ((40, 9, 6, 45), {"cohen": 0.70, "percent": 0.85}),
        ((80, 10, 5, 5), {"cohen": 0.32, "percent": 0.85}),
    ],
)
def test_published_two_by_two_tables(cells, expected):
    found = values(crossed(*cells))
    for measure, value in expected.items():
        digits = len(str(value).split(".")[1])
        assert round(found[measure], digits) == value
    by_code = compute_code_agreement(crossed(*cells), small_coding(), rng=np.random.default_rng(1), resamples=49)
    for measure in ("positive", "alpha", "cohen", "ac1"):
        assert by_code.at[0, measure] == pytest.approx(found[measure], abs=1e-12)


def test_positive_agreement_by_hand():
    assert values(crossed(80, 10, 5, 5))["positive"] == pytest.approx(160 / 175)
    assert values(crossed(80, 10, 5, 900))["positive"] == pytest.approx(160 / 175)  # a common "no" changes nothing
    assert values(crossed(80, 10, 5, 900))["percent"] > 0.98


def test_measures_of_the_small_coding_by_hand():
    shared = select_shared(small_coding())
    assert list(shared.segments["segment"]) == ["T0001", "T0002", "T0003", "T0004", "D0001", "D0002"]
    assert (shared.only_one, shared.level, shared.coders) == (2, 3, ("A", "B"))
    found = values(shared)
    # Sets: a1/a1, a1 a2/a1, b1/b1 b2, a2/a2, a2 deep/deep, b1/a1
    assert found["equal_sets"] == pytest.approx(2 / 6)
    assert found["overlap"] == pytest.approx((1 + 1 / 2 + 1 / 2 + 1 + 1 / 2 + 0) / 6)
    # Decisions: 5 given by both, 3 by A alone, 2 by B alone, of 6 segments × 5 codes
    assert found["positive"] == pytest.approx(10 / 15)
    assert found["percent"] == pytest.approx(25 / 30)
    chance = (8 * 7 + 22 * 23) / 900
    assert found["cohen"] == pytest.approx((25 / 30 - chance) / (1 - chance))
    assert found["alpha"] == pytest.approx(1 - 59 * 10 / (2 * 15 * 45))
    used = 15 / 60
    assert found["ac1"] == pytest.approx((25 / 30 - 2 * used * (1 - used)) / (1 - 2 * used * (1 - used)))


def test_themes_agree_where_codes_do_not():
    shared = select_shared(small_coding(), level=1)
    assert shared.sets()[1] == (frozenset("a"), frozenset("a"))
    assert values(shared)["equal_sets"] == pytest.approx(4 / 6)  # D0001 and D0002 differ still


def test_text_that_one_of_them_did_not_code_does_not_enter():
    few = {
        "A": {"T0001": ["a1"], "T0002": ["b1"], "T0003": ["b2"]},
        "B": {"T0001": ["a1"], "T0002": ["b2"], "T0003": ["b2"]},
    }
    more = {"A": few["A"] | {"T0004": ["a2"], "T0005": ["deep"], "D0001": ["a2"]}, "B": few["B"] | {"D0002": ["a2"]}}
    one, other = (select_shared(small_coding(codes)) for codes in (few, more))
    assert values(one) == values(other)
    assert list(other.first.columns) == ["a1", "b1", "b2"]
    assert (one.only_one, other.only_one) == (0, 4)


@given(both_coded)
@settings(max_examples=15, deadline=None)
def test_swapping_the_coders_changes_no_measure(given_codes):
    swapped = {segment: (other, one) for segment, (one, other) in given_codes.items()}
    found, again = values(sample(given_codes)), values(sample(swapped))
    assert set(found) == set(again) <= set(SYMMETRIC)
    for measure, value in found.items():
        assert again[measure] == pytest.approx(value)
        assert value <= 1 + 1e-12


@given(both_coded, st.permutations(range(len(SEGMENTS))))
@settings(max_examples=10, deadline=None)
def test_order_of_segments_changes_no_measure(given_codes, order):
    coders = {
        coder: {segment: codes[place] for segment, codes in given_codes.items()} for place, coder in enumerate("AB")
    }
    mixed = select_shared(small_coding(coders, SEGMENTS.iloc[list(order)]))
    assert values(mixed) == pytest.approx(values(sample(given_codes)))


@given(both_coded)
@settings(max_examples=15, deadline=None)
def test_disagreements_are_the_segments_with_unequal_sets(given_codes):
    coders = {
        coder: {segment: codes[place] for segment, codes in given_codes.items()} for place, coder in enumerate("AB")
    }
    coding = small_coding(coders)
    listed = list_disagreements(select_shared(coding), coding)
    differ = {segment for segment, (one, other) in given_codes.items() if set(one) != set(other)}
    assert set(listed["segment"]) == differ
    assert listed["overlap"].is_monotonic_increasing and (listed["overlap"] < 1).all()


def test_identical_coders_agree_fully():
    codes = {"T0001": ["a1"], "T0002": ["b1", "a2"], "T0003": ["b2"]}
    shared = sample({segment: (given_codes, given_codes) for segment, given_codes in codes.items()})
    assert set(values(shared).values()) == {1.0}
    table = compute_code_agreement(shared, small_coding(), fewest=1, rng=np.random.default_rng(1))
    assert table[["alpha", "cohen", "ac1", "positive"]].to_numpy().tolist() == [[1.0] * 4] * 4
    assert table["alpha_low"].isna().all()  # no resample could disagree
    assert list_disagreements(shared, small_coding()).empty and compute_confusions(shared, small_coding()).empty


def test_one_and_the_same_set_leaves_out_what_is_undefined():
    found = overall(sample({f"T000{n}": (["a1"], ["a1"]) for n in (1, 2, 3)}))
    assert found["equal_sets"].value == 1 and "alpha_jaccard" not in found and "cohen" not in found


def test_disagreements_and_confusions_by_hand():
    coding = small_coding()
    shared = select_shared(coding)
    listed = list_disagreements(shared, coding)
    assert listed["segment"].tolist() == ["D0002", "T0002", "T0003", "D0001"]
    first = listed.iloc[0]
    assert (first["both"], first["only_first"], first["only_second"]) == ("", "First beta", "First alpha")
    assert listed["same_themes"].tolist() == [False, True, True, False]
    assert listed["overlap"].tolist() == [0, 1 / 2, 1 / 2, 1 / 2]
    assert list(listed.index) == [8, 3, 4, 7]
    confused = compute_confusions(shared, coding)
    assert confused[["one", "other", "count", "same_theme"]].values.tolist() == [["a1", "b1", 1, False]]


def test_the_stored_sample():
    coding = counted_coding()
    shared = select_shared(coding, level=1)
    assert len(shared.segments) == len(set(coding.codings.loc[coding.codings["coder"] == "B", "segment"]))
    assert len(shared.segments) + shared.only_one == len(coding.segments)
    found = overall(shared, resamples=199)
    assert list(found) == list(MEASURES)
    for estimate in found.values():
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.n == len(shared.segments)
    assert found["alpha_masi"].value < found["alpha_jaccard"].value  # MASI's distance is never smaller
    assert abs(found["alpha"].value - found["cohen"].value) < 0.01
    assert overall(shared, resamples=199) == found


def test_rare_codes_have_no_coefficients():
    table = compute_code_agreement(
        select_shared(small_coding()), small_coding(), fewest=3, rng=np.random.default_rng(1)
    )
    assert table.set_index("code")["alpha"].notna().to_dict() == {
        "a1": True,
        "a2": True,
        "b1": False,
        "b2": False,
        "deep": False,
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: select_shared(small_coding(), coders=("A", "A")), "'A' twice"),
        (lambda: select_shared(small_coding(), coders=("A", "C")), "'C' coded nothing"),
        (lambda: select_shared(small_coding(), level=7), "no level 7"),
        (
            lambda: select_shared(small_coding({"A": {"T0001": ["a1"]}, "B": {"T0002": ["a1"]}})),
            "no segment was coded by",
        ),
        (lambda: overall(select_shared(small_coding()), confidence=1), "got 1"),
        (lambda: overall(select_shared(small_coding()), rng=None), "no generator"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
