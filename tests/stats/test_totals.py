"""Cluster bootstrap of totals against scipy's resampling, and shares in simulated clusters against the known share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.stats.totals import bootstrap_totals

CLUSTERS = np.array([[1, 4], [2, 3], [0, 5], [3, 3], [1, 2], [2, 6], [0, 1], [1, 1], [4, 7], [0, 2]])


def share(totals: np.ndarray) -> np.ndarray:
    return totals[:, :1] / totals[:, 1:]


def bootstrap(clusters=CLUSTERS, statistics=share, **options):
    options = {"method": "percentile", "rng": np.random.default_rng(1), "resamples": 999} | options
    return bootstrap_totals(clusters, statistics, **options)


def test_value_is_the_statistic_of_all_clusters():
    (estimate,) = bootstrap(unit="share", label="share")
    assert estimate.value == pytest.approx(14 / 34)
    assert (estimate.n, estimate.unit, estimate.confidence) == (10, "share", 0.95)
    assert estimate.method == "share, percentile bootstrap over clusters, 999 resamples"
    assert estimate.low < estimate.value < estimate.high


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_interval_is_that_of_resampling_by_hand(method):
    # scipy draws its own resamples of the same clusters; with many of them the two intervals meet.
    from scipy.stats import bootstrap as reference

    def statistic(above, below, axis=-1):
        return above.sum(axis=axis) / below.sum(axis=axis)

    expected = reference(
        tuple(CLUSTERS.T), statistic, paired=True, vectorized=True, n_resamples=9999, method=method,
        rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    (estimate,) = bootstrap(method=method, resamples=9999)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected), abs=0.012)


def test_clusters_widen_the_interval_of_what_hangs_together():
    # 40 clusters of 10 that are alike inside: as good as 40 observations, not 400.
    ones = np.random.default_rng(3).random(40) < 0.5
    (whole,) = bootstrap(np.column_stack([10 * ones, np.full(40, 10)]))
    (apart,) = bootstrap(np.column_stack([np.repeat(ones, 10), np.ones(400)]))
    assert whole.value == apart.value
    assert (whole.high - whole.low) / (apart.high - apart.low) == pytest.approx(np.sqrt(10), rel=0.15)


def test_coverage_of_a_share_in_clusters_is_near_the_confidence():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(200):
        levels = rng.beta(2, 2, size=50)
        clusters = np.column_stack([rng.binomial(8, levels), np.full(50, 8)])
        (estimate,) = bootstrap(clusters, resamples=199, rng=rng)
        hits += estimate.low <= 0.5 <= estimate.high
    assert 0.90 <= hits / 200 <= 0.99


@given(st.permutations(range(len(CLUSTERS))))
@settings(max_examples=20, deadline=None)
def test_order_of_clusters_does_not_change_the_value(order):
    (estimate,) = bootstrap(CLUSTERS[order], resamples=49)
    assert estimate.value == pytest.approx(14 / 34)
    assert 0 <= estimate.low <= estimate.high


def test_statistics_together_are_those_alone():
    both = bootstrap(statistics=lambda t: np.hstack([share(t), t[:, :1]]))
    (alone,) = bootstrap()
    assert both[0] == alone
    assert both[1].value == 14


def test_no_interval_is_given_where_none_can_be():
    (few,) = bootstrap(CLUSTERS[:5])
    assert (few.low, few.high) == (None, None)
    assert "it takes 6 clusters, there are 5" in few.method
    (alike,) = bootstrap(np.array([[1, 2]] * 9))
    assert alike.value == 0.5 and alike.low is None
    assert "all clusters are alike" in alike.method
    rare = np.array([[1, 1]] + [[0, 0]] * 9)  # the only cluster with anything in it is missed in a third of resamples
    (lost,) = bootstrap(
        rare, lambda t: np.divide(t[:, :1], t[:, 1:], out=np.full((len(t), 1), np.nan), where=t[:, 1:] > 0)
    )
    assert lost.value == 1 and lost.low is None
    assert "undefined in" in lost.method


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "normal"}, "got 'normal'"),
        ({"confidence": 0}, "got 0"),
        ({"rng": None}, "no generator"),
        ({"resamples": 0}, "at least one"),
        ({"clusters": np.array([1, 2])}, "one row a cluster"),
        ({"clusters": np.array([[1, np.nan]] * 9)}, "missing or infinite"),
        ({"statistics": lambda t: np.full((len(t), 1), np.nan)}, "undefined for these clusters"),
    ],
)
def test_what_cannot_be_resampled_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        bootstrap(**options)
