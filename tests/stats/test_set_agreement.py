"""Alpha of set-valued codings against nltk, Krippendorff's published alphas, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.stats.set_agreement import (
    DISTANCES,
    compute_set_alpha,
    equality_distance,
    jaccard_distance,
    masi_distance,
)


def sets(*words: str | None) -> tuple[frozenset | None, ...]:
    return tuple(None if word is None else frozenset(word) for word in words)


TWO = [sets("ab", "a"), sets("c", "c"), sets("abc", "ab"), sets("d", "c"), sets("ad", "ad"), sets("b", "b"),
       sets("bc", "cd"), sets("a", "b")]  # fmt: skip
THREE = [sets("ab", "a", "a"), sets("c", "c", None), sets("abc", "ab", "b"), sets("d", "c", "cd"),
         sets(None, "ad", "ad"), sets("b", "b", "b"), sets("bc", "cd", "bc"), sets("a", None, None)]  # fmt: skip

some_sets = st.frozensets(st.sampled_from("abcd"), min_size=1, max_size=4)
pairs = st.lists(st.tuples(some_sets, some_sets), min_size=2, max_size=12)


def alpha(units, distance, **options):
    options = {"method": "percentile", "rng": np.random.default_rng(1), "resamples": 49} | options
    return compute_set_alpha(units, distance=distance, **options)


# nltk 3.10.4: AnnotationTask(data, distance=…).alpha() with jaccard_distance, masi_distance and binary_distance.
@pytest.mark.parametrize(
    ("units", "distance", "value"),
    [
        (TWO, "jaccard", 0.413953488372093),
        (TWO, "masi", 0.3705698894244399),
        (TWO, "equality", 0.32432432432432434),
        (THREE, "jaccard", 0.58),
        (THREE, "masi", 0.5137096774193547),
        (THREE, "equality", 0.4267515923566879),
    ],
)
def test_alpha_matches_nltk(units, distance, value):
    assert alpha(units, distance).value == pytest.approx(value, abs=1e-12)


# Krippendorff (2011), Computing Krippendorff's alpha-reliability: example A, two observers, binary: 0.095;
# example C, four observers, missing codes, nominal: 0.743. A code by itself is a set of one.
MEG, OWEN = "0100000010", "1110010000"
OBSERVED = ["11*1", "2232", "3333", "3333", "2222", "1234", "4444", "1121", "2222", "*555", "**11", "**3*"]


def test_sets_of_one_give_krippendorffs_binary_example():
    units = [sets(one, other) for one, other in zip(MEG, OWEN, strict=True)]
    for distance in DISTANCES:
        assert round(alpha(units, distance).value, 3) == 0.095


def test_sets_of_one_give_krippendorffs_example_with_missing_codes():
    units = [sets(*(None if code == "*" else code for code in unit)) for unit in OBSERVED]
    estimate = alpha(units, "equality")
    assert round(estimate.value, 3) == 0.743
    assert estimate.n == 11  # one unit was coded once only


def test_distances_by_hand():
    ab, a, bc, abcd = (frozenset(word) for word in ("ab", "a", "bc", "abcd"))
    assert [distance(ab, ab) for distance in (jaccard_distance, masi_distance, equality_distance)] == [0, 0, 0]
    assert jaccard_distance(ab, a) == 1 / 2
    assert masi_distance(ab, a) == pytest.approx(1 - 1 / 2 * 2 / 3)  # a part of it: Passonneau's 2/3
    assert masi_distance(ab, bc) == pytest.approx(1 - 1 / 3 * 1 / 3)  # overlapping: 1/3
    assert masi_distance(a, bc) == jaccard_distance(a, bc) == 1
    assert jaccard_distance(ab, abcd) == 1 / 2
    assert jaccard_distance(frozenset(), frozenset()) == masi_distance(frozenset(), frozenset()) == 0


@given(some_sets, some_sets)
def test_distances_are_ordered_and_symmetric(one, other):
    found = [distance(one, other) for _, distance in DISTANCES.values()]
    assert found == [distance(other, one) for _, distance in DISTANCES.values()]
    jaccard, masi, equality = found
    assert 0 <= jaccard <= masi <= equality <= 1
    assert (one == other) == (jaccard == 0)


@given(pairs, st.sampled_from(list(DISTANCES)), st.randoms())
@settings(max_examples=60, deadline=None)
def test_order_of_units_coders_and_names_of_codes_do_not_matter(units, distance, shuffled):
    assume(len({value for unit in units for value in unit}) > 1)
    value = alpha(units, distance, resamples=1).value
    assert value <= 1
    mixed = [tuple(reversed(unit)) for unit in units]
    shuffled.shuffle(mixed)
    assert alpha(mixed, distance, resamples=1).value == pytest.approx(value)
    renamed = [tuple(frozenset(f"code {code}" for code in one) for one in unit) for unit in units]
    assert alpha(renamed, distance, resamples=1).value == pytest.approx(value)


@given(pairs)
@settings(max_examples=30, deadline=None)
def test_agreement_throughout_is_one(units):
    same = [(one, one) for one, _ in units]
    assume(len({one for one, _ in same}) > 1)
    assert alpha(same, "masi", resamples=1).value == pytest.approx(1)


def test_coders_at_random_agree_by_chance_only():
    rng = np.random.default_rng(5)
    codes = np.array(list("abcdef"))
    units = [tuple(frozenset(codes[rng.random(6) < 0.3]) for _ in range(2)) for _ in range(3000)]
    assert alpha(units, "jaccard").value == pytest.approx(0, abs=0.03)


def test_a_disagreement_lowers_alpha():
    worse = [*TWO[:-1], sets("a", "cd")]
    better = [*TWO[:-1], sets("a", "a")]
    for distance in DISTANCES:
        assert alpha(better, distance).value > alpha(TWO, distance).value >= alpha(worse, distance).value - 0.05


def test_the_interval_holds_the_value_and_the_seed_fixes_it():
    first, second = (alpha(TWO * 4, "jaccard", resamples=499) for _ in range(2))
    assert first == second
    assert first.low < first.value < first.high
    assert first.n == 32
    assert "Jaccard distance" in first.method and "percentile" in first.method


@pytest.mark.parametrize(
    ("units", "options", "message"),
    [
        (TWO, {"distance": "hamming"}, "got 'hamming'"),
        (TWO, {"method": "normal"}, "got 'normal'"),
        (TWO, {"confidence": 1.5}, "got 1.5"),
        (TWO, {"rng": None}, "none given"),
        ([("a", frozenset("a"))], {}, "unit 1, coder 1.*got str"),
        ([sets("a", None)], {}, "no unit was coded by two"),
        ([sets("a", "a")] * 4, {}, "undefined"),
    ],
)
def test_what_cannot_be_computed_is_refused(units, options, message):
    given_options = {"distance": "jaccard", "method": "percentile", "rng": np.random.default_rng(1)} | options
    with pytest.raises(InputError, match=message):
        compute_set_alpha(units, **given_options)
