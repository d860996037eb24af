"""Richness estimators against vegan and iNEXT (R), against counting by hand, and against all orders of small tables."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.stats.richness import (
    compute_bootstrap_richness,
    compute_chao2,
    compute_coverage,
    compute_expected_accumulation,
    draw_accumulations,
)

# vegan (R), help page of specpool, the dune meadows (Jongman, ter Braak & van Tongeren 1987) by management: kinds seen,
# seen in one and in two meadows, meadows; Chao2 and its standard error. Q1 and Q2 are what its jack1 and chao imply.
DUNE = [
    (16, 5, 7, 3, 17.19048, 1.5895675),
    (21, 3, 7, 5, 21.51429, 0.9511693),
    (21, 6, 8, 6, 22.87500, 2.1582871),
    (21, 8, 3, 6, 29.88889, 8.6447967),
]
# The same data: species in the meadows 2, 10 and 11, under biological farming.
BIOLOGICAL = np.array(
    [[digit != "0" for digit in row] for row in (
        "300203400004000050470000505000",
        "400042400000000063440000306120",
        "000000000000020073400020503240",
    )]
)  # fmt: skip

# iNEXT (R), example of its function iNEXT: ants of five elevations in Costa Rica (Longino & Colwell 2011). Plots,
# sightings, kinds, Q1, Q2; coverage; asymptotic estimate of the kinds (Chao2).
ANTS = {
    "50 m": (599, 5976, 227, 49, 23, 0.9918134, 279.108514),
    "500 m": (230, 2943, 241, 71, 34, 0.9759754, 314.810038),
    "1070 m": (150, 1730, 122, 28, 16, 0.9839382, 146.336667),
    "1500 m": (200, 1170, 56, 13, 4, 0.9889231, 77.019375),
    "2000 m": (200, 271, 14, 1, 2, 0.9963827, 14.248750),
}
ANTS_2000 = [80, 59, 34, 23, 19, 15, 13, 8, 8, 4, 3, 2, 2, 1]
ANTS_1500 = [
    144, 113, 79, 76, 74, 73, 53, 50, 43, 33, 32, 30, 29, 25, 25, 25, 24, 23, 23, 19, 18, 17, 17, 11, 11, 9, 9, 9, 9, 6,
    6, 5, 5, 5, 5, 4, 4, 3, 3, 2, 2, 2, 2, *[1] * 13,
]  # fmt: skip

tables = st.integers(1, 6).flatmap(
    lambda width: st.lists(st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=5)
).map(np.array)  # fmt: skip


def frequencies(kinds: int, once: int, twice: int, sightings: int = 0) -> np.ndarray:
    """Kinds seen once and twice, the others as often as the sightings leave."""
    others = kinds - once - twice
    each, rest = divmod(max(sightings - once - 2 * twice, 3 * others), others)
    return np.array([1] * once + [2] * twice + [each + 1] * rest + [each] * (others - rest))


def incidence(counts: list[int], samples: int) -> np.ndarray:
    """Any table with these frequencies: the curve depends on nothing else."""
    return np.arange(samples)[:, None] < np.array(counts)[None]


@pytest.mark.parametrize(("kinds", "once", "twice", "samples", "chao", "error"), DUNE)
def test_chao2_matches_vegan(kinds, once, twice, samples, chao, error):
    estimate = compute_chao2(frequencies(kinds, once, twice), samples)
    assert estimate.value == pytest.approx(chao, abs=5e-6)
    # Chao's interval: unseen/K and unseen·K with K = exp(z √(log(1 + error²/unseen²)))
    unseen = chao - kinds
    factor = np.exp(1.959964 * np.sqrt(np.log(1 + error**2 / unseen**2)))
    assert estimate.low == pytest.approx(kinds + unseen / factor, abs=1e-4)
    assert estimate.high == pytest.approx(kinds + unseen * factor, abs=1e-4)
    assert (estimate.n, estimate.unit) == (samples, "")
    assert estimate.function == "analysis.stats.richness.compute_chao2"


def test_bootstrap_matches_vegan():
    counts = BIOLOGICAL.sum(axis=0)
    assert [int((counts == times).sum()) for times in (1, 2, 3)] == [5, 7, 4]  # the first row of DUNE
    estimate = compute_bootstrap_richness(BIOLOGICAL)
    assert estimate.value == pytest.approx(17.74074, abs=5e-6)  # specpool: boot 17.74074, boot.se 1.646379
    assert (estimate.high - estimate.value) / 1.959963985 == pytest.approx(1.646379, abs=5e-7)
    assert estimate.low == 16  # not below what was seen


@pytest.mark.parametrize("site", list(ANTS))
def test_ants_match_inext(site):
    samples, sightings, kinds, once, twice, coverage, chao = ANTS[site]
    counts = frequencies(kinds, once, twice, sightings)
    assert (len(counts), counts.sum()) == (kinds, sightings)
    assert compute_chao2(counts, samples).value == pytest.approx(chao, abs=5e-7)
    assert compute_coverage(counts, samples).value == pytest.approx(coverage, abs=5e-8)


@pytest.mark.parametrize(("counts", "halfway"), [(ANTS_1500, 47.982643), (ANTS_2000, 12.811923)])
def test_accumulation_matches_inext(counts, halfway):
    curve = compute_expected_accumulation(incidence(counts, 200))
    assert curve[0] == pytest.approx(sum(counts) / 200)
    assert curve[99] == pytest.approx(halfway, abs=5e-7)  # iNEXT, rarefied to 100 of the 200 plots
    assert curve[-1] == len(counts)


def test_without_a_kind_seen_twice_the_bias_corrected_form_is_taken():
    # Seven kinds in one of three samples, one in all: 8 + 2/3 · 7 · 6/2 = 22.
    estimate = compute_chao2([1] * 7 + [3], 3)
    assert estimate.value == pytest.approx(22)
    assert "bias-corrected" in estimate.method
    # Coverage by hand: 1 − 7/10 · (2 · 6)/(2 · 6 + 2)
    assert compute_coverage([1] * 7 + [3], 3).value == pytest.approx(0.4)


@pytest.mark.parametrize(("counts", "samples"), [([2, 3, 3], 3), ([1, 3, 3], 3), ([1, 1, 1], 1)])
def test_without_a_sign_of_unseen_kinds_there_is_no_interval(counts, samples):
    estimate = compute_chao2(counts, samples)
    assert (estimate.value, estimate.low, estimate.high) == (len(counts), None, None)
    assert "no interval" in estimate.method


@given(tables)
@settings(max_examples=60, deadline=None)
def test_the_curve_is_the_mean_over_all_orders(table):
    curves = [np.logical_or.accumulate(table[list(order)]).sum(axis=1) for order in permutations(range(len(table)))]
    assert compute_expected_accumulation(table) == pytest.approx(np.mean(curves, axis=0))


@given(tables, st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_random_orders_are_orders(table, seed):
    curves = draw_accumulations(table, np.random.default_rng(seed), 20)
    alone = set(table.sum(axis=1))
    assert curves.shape == (20, len(table))
    assert set(curves[:, 0]) <= alone
    assert (np.diff(curves, axis=1) >= 0).all()
    assert (curves[:, -1] == table.any(axis=0).sum()).all()


@given(st.lists(st.integers(1, 8), min_size=1, max_size=25), st.integers(8, 40), st.randoms())
@settings(max_examples=100, deadline=None)
def test_estimates_never_fall_below_what_was_seen_and_ignore_the_order(counts, samples, shuffled):
    estimate, coverage = compute_chao2(counts, samples), compute_coverage(counts, samples)
    assert estimate.value >= len(counts)
    if estimate.low is not None:
        assert len(counts) <= estimate.low <= estimate.value <= estimate.high
    assert 0 <= coverage.value <= 1
    again = counts.copy()
    shuffled.shuffle(again)
    assert compute_chao2(again, samples) == estimate
    assert compute_coverage(again, samples) == coverage


def test_mean_of_random_orders_is_the_curve():
    table = np.random.default_rng(3).random((9, 30)) < 0.2
    drawn = draw_accumulations(table, np.random.default_rng(4), 4000)
    assert drawn.mean(axis=0) == pytest.approx(compute_expected_accumulation(table), abs=0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compute_chao2([], 3), "one number a kind"),
        (lambda: compute_chao2([4], 3), "from 4 to 4"),
        (lambda: compute_chao2([1.5], 3), "whole numbers"),
        (lambda: compute_chao2([1], 3, 1.0), "got 1.0"),
        (lambda: compute_coverage([1], 1), "there is one"),
        (lambda: compute_expected_accumulation(np.array([[2, 0]])), "other than 0 and 1"),
        (lambda: compute_expected_accumulation(np.empty((0, 3))), "samples × kinds"),
        (lambda: compute_bootstrap_richness(np.zeros((3, 2))), "no kind was seen"),
        (lambda: draw_accumulations(np.eye(2), None, 5), "no generator"),
        (lambda: draw_accumulations(np.eye(2), np.random.default_rng(1), 0), "at least one"),
    ],
)
def test_what_cannot_be_estimated_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
