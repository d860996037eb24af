"""Weighted shares and means: closed forms, a worked example, invariances, coverage at 84 respondents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.stats.intervals import compute_share
from analysis.stats.weighted import compute_weighted_mean, compute_weighted_share, effective_n

samples = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), min_size=3, max_size=30)


def test_four_people_by_hand():
    """Scores 1/6, 1/18, −1/9, −1/9: variance 4/3 · 1/18 = 2/27, and so (2/9)/(2/27) = 3 effective respondents.

    Two of three: Clopper–Pearson 0.0943 to 0.9916 (R 4.2.2: binom.test(2, 3)), and Wilson 0.2077 to 0.9385
    (prop.test(2, 3, correct = FALSE)).
    """
    exact = compute_weighted_share([1, 1, 0, 0], [3, 1, 1, 1], method="korn-graubard")
    assert (exact.value, exact.low, exact.high) == pytest.approx((2 / 3, 0.0943, 0.9916), abs=5e-5)
    assert exact.n == 4 and "effective n 3.0" in exact.method
    score = compute_weighted_share([1, 1, 0, 0], [3, 1, 1, 1], method="wilson-effective")
    assert (score.low, score.high) == pytest.approx((0.2077, 0.9385), abs=5e-5)
    mean = compute_weighted_mean([1, 1, 0, 0], [3, 1, 1, 1])
    assert mean.high - mean.value == pytest.approx(3.182446 * (2 / 27) ** 0.5, rel=1e-6)  # t, 3 degrees of freedom


@given(samples)
def test_scale_order_and_weight_zero_change_nothing(sample):
    y, w = map(np.array, zip(*sample, strict=True))
    one = compute_weighted_share(y, w, method="wilson-effective")
    others = [
        compute_weighted_share(y, w * 0.125, method="wilson-effective"),
        compute_weighted_share(y[::-1], w[::-1], method="wilson-effective"),
        compute_weighted_share([*y, 1, 0], [*w, 0, 0], method="wilson-effective"),
    ]
    for other in others:
        assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high))
        assert other.n == one.n
    no = compute_weighted_share(1 - y, w, method="wilson-effective")
    assert (no.value, no.low, no.high) == pytest.approx((1 - one.value, 1 - one.high, 1 - one.low))


@given(st.integers(1, 83))
def test_equal_weights_are_a_plain_sample_of_one_less(count):
    weighted = compute_weighted_share([1] * count + [0] * (84 - count), [2.5] * 84, method="wilson-effective")
    plain = compute_share(count, 84, method="wilson")
    assert weighted.value == pytest.approx(plain.value)
    assert (weighted.low, weighted.high) == pytest.approx((plain.low, plain.high), abs=2e-3)
    assert "effective n 83.0" in weighted.method


def test_a_plain_mean_is_the_t_interval():
    mean = compute_weighted_mean([1, 2, 3, 4, 5], [2] * 5)
    assert (mean.low, mean.high) == pytest.approx((3 - 1.963243, 3 + 1.963243), abs=1e-6)  # R 4.2.2: t.test(1:5)


def test_everybody_alike_rests_on_kish():
    share = compute_weighted_share([1, 1, 1, 1], [3, 1, 1, 1], method="korn-graubard")
    assert (share.value, share.high) == (1, 1) and share.low == pytest.approx(0.025 ** (1 / 3))
    assert effective_n([3, 1, 1, 1]) == pytest.approx(3)


def test_intervals_cover_at_84():
    """84 of a population in which yes-sayers are half as likely to be asked and weigh twice as much, 1,500 times."""
    rng = np.random.default_rng(84)
    hits = {"wilson-effective": 0, "korn-graubard": 0}
    for _ in range(1500):
        group = rng.random(84) < 0.4  # weight 2; of all, weighted: 0.8/1.4
        y = rng.random(84) < np.where(group, 0.7, 0.5)
        truth = (0.8 * 0.7 + 0.6 * 0.5) / 1.4
        for method in hits:
            share = compute_weighted_share(y.astype(float), np.where(group, 2.0, 1.0), method=method)
            hits[method] += share.low <= truth <= share.high
    assert 0.93 < hits["wilson-effective"] / 1500 < 0.97
    assert 0.94 < hits["korn-graubard"] / 1500 < 0.98  # conservative, as Clopper–Pearson is


@pytest.mark.parametrize(
    ("answers", "weights", "said"),
    [
        ([1, 0], [1], "one a respondent"),
        ([1, 0], [1, -1], "0 or more"),
        ([1, 0], [1, 0], "two respondents"),
        ([1, 2], [1, 1], "other than 0 and 1"),
        ([1, float("nan")], [1, 1], "answers"),
        ([1, 0], [1, float("nan")], "weights"),
    ],
)
def test_refusals_name_the_cause(answers, weights, said):
    with pytest.raises(InputError, match=said):
        compute_weighted_share(answers, weights, method="korn-graubard")
    with pytest.raises(InputError, match="method"):
        compute_weighted_share([1, 0], [1, 1], method="wald")
