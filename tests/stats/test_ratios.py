"""Ratios: Fieller's interval against its definition, the block bootstrap against independence and order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.ratios import block_bootstrap_ratio, choose_block_length, fieller_ratio


def test_fieller_holds_exactly_the_ratios_that_a_t_test_keeps():
    rng = np.random.default_rng(3)
    y = rng.gamma(4, 1, 12)
    x = 2 * y + rng.normal(size=12)
    estimate = fieller_ratio(x, y)
    assert estimate.value == pytest.approx(x.sum() / y.sum())
    for bound in (estimate.low, estimate.high):
        assert stats.ttest_1samp(x - bound * y, 0).pvalue == pytest.approx(0.05, abs=1e-9)


def test_fieller_of_shares_promoted():
    # Four trainings of 10, 20, 30, 40 s, two of their models used: 100 s / 2 = 50 s a model.
    # means 25 and 1/2; s²(x) = 500/3, s²(y) = 1/3, s(xy) = (15·(-½) ... ) for y = 0,1,0,1: Σ(x−25)(y−½) = 10, /3
    # over n: v_xx = 125/3, v_yy = 1/12, v_xy = 10/12; t(3 df) = 3.1824, t² = 10.128
    # a = 1/4 − 10.128/12 < 0: unbounded
    estimate = fieller_ratio([10, 20, 30, 40], [0, 1, 0, 1])
    assert estimate.value == 50
    assert estimate.low is None and "unbounded" in estimate.method


def test_fieller_without_denominator_or_with_one_unit():
    assert np.isnan(fieller_ratio([1, 2], [0, 0]).value)
    assert fieller_ratio([6], [2]).value == 3 and fieller_ratio([6], [2]).low is None


def _ar1(rng: np.random.Generator, n: int, rho: float) -> np.ndarray:
    errors = rng.normal(size=n + 100)
    series = np.zeros(n + 100)
    for place in range(1, n + 100):
        series[place] = rho * series[place - 1] + errors[place]
    return series[100:]


def test_blocks_grow_with_autocorrelation():
    lengths = [
        np.mean([choose_block_length(_ar1(np.random.default_rng(seed), 400, rho)) for seed in range(20)])
        for rho in (0.0, 0.5, 0.9)
    ]
    assert lengths[0] < 5 < lengths[1] < lengths[2]


def test_block_length_of_an_ar1_is_near_its_theory():
    # Politis and White 2004, circular bootstrap: b = (2G²/D)^(1/3) n^(1/3) with G = Σ|k|R(k), D = (4/3)g(0)².
    # AR(1) with ρ: ΣR = R₀(1+ρ)/(1−ρ), Σ|k|R(k) = R₀·2ρ/(1−ρ)²; ρ = ½: G = 4R₀, g = 3R₀ → (2·16/12)^(1/3) = 1.387
    # n = 4,000: 1.387·15.87 = 22.0
    found = [choose_block_length(_ar1(np.random.default_rng(seed), 4000, 0.5)) for seed in range(20)]
    assert np.median(found) == pytest.approx(22.0, rel=0.25)


def test_intervals_of_independent_cells_cover():
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        estimate = block_bootstrap_ratio(rng.normal(3, 1, 80), np.ones(80), rng=rng, resamples=300)
        hits += estimate.low <= 3 <= estimate.high
    assert 0.88 <= hits / 200 <= 0.98


def test_blocks_widen_the_interval_of_runs():
    values = np.repeat([0.0, 1.0, 0.0, 1.0, 1.0, 0.0], 10)
    single, whole = (
        block_bootstrap_ratio(values, np.ones(60), rng=np.random.default_rng(1), block=block) for block in (1, 10)
    )
    assert whole.high - whole.low > 1.5 * (single.high - single.low)
    assert single.value == whole.value == 0.5


def test_a_ratio_weighs_cells_by_what_was_observed():
    # 1 h of 2 in the first cell, 0 of 6 in the second: 1/8
    assert block_bootstrap_ratio([1, 0], [2, 6], rng=np.random.default_rng(1)).value == 0.125


@pytest.mark.parametrize(
    ("over", "under", "words"),
    [
        ([1.0] * 4, [2.0] * 4, "it takes 8 cells"),
        ([1.0] * 20, [2.0] * 20, "all cells are alike"),
        ([0.0] * 9, [0.0] * 9, "nothing observed"),
    ],
)
def test_there_is_no_interval_where_there_can_be_none(over, under, words):
    estimate = block_bootstrap_ratio(over, under, rng=np.random.default_rng(1))
    assert estimate.low is None and words in estimate.method


def test_wrong_input_is_refused():
    rng = np.random.default_rng(1)
    with pytest.raises(InputError, match="negative"):
        block_bootstrap_ratio([1, 2], [1, -1], rng=rng)
    with pytest.raises(InputError) as error:
        block_bootstrap_ratio([1, 2], [1, 1], rng=rng, block=0, resamples=0)
    assert len(error.value.problems) == 2
    with pytest.raises(InputError, match="shapes"):
        fieller_ratio([1, 2], [1])
    with pytest.raises(InputError, match="not finite"):
        fieller_ratio([1, np.nan], [1, 1])
    with pytest.raises(InputError, match="confidence"):
        fieller_ratio([1, 2], [1, 1], confidence=1.0)
