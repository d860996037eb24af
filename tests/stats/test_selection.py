"""Non-response: bounds against every possible population, the rate that settles a share, strength of selection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.stats.selection import bound_share, needed_rate, silent_share, tipping_ratio

shares = st.floats(0.01, 0.99)
rates = st.floats(0.05, 0.99)


def test_cochran_s_worst_case():
    """By the formula of Cochran (1977), section 13.2: of 1000 people 400 answer, 320 of them yes; 320 to 920 may."""
    bounds = bound_share(0.8, 0.4)
    assert (bounds.low, bounds.high) == pytest.approx((0.32, 0.92))


@given(st.integers(1, 12), st.integers(0, 12), st.data())
def test_bounds_are_what_the_silent_can_reach(answered, silent, data):
    """Whatever each of those who did not answer thinks: the extremes of all possibilities, and they are reached."""
    yes = data.draw(st.integers(0, answered))
    total = answered + silent
    possible = [(yes + others) / total for others in range(silent + 1)]
    bounds = bound_share(yes / answered, answered / total)
    assert (bounds.low, bounds.high) == pytest.approx((min(possible), max(possible)))


@given(shares, rates)
def test_the_width_is_the_share_of_the_silent(share, rate):
    bounds = bound_share(share, rate)
    assert bounds.high - bounds.low == pytest.approx(1 - rate)
    assert bounds.low <= share <= bounds.high


@given(shares)
def test_from_the_needed_rate_on_the_majority_holds(share):
    rate = needed_rate(share)
    if rate is None:
        assert share == 0.5
        return
    bounds = bound_share(share, rate)
    assert (bounds.low if share > 0.5 else bounds.high) == pytest.approx(0.5)


@given(shares, rates)
def test_the_silent_share_brings_all_to_the_target(share, rate):
    silent = silent_share(share, rate)
    bounds = bound_share(share, rate)
    if silent is None:
        assert not bounds.low <= 0.5 <= bounds.high
    else:
        assert rate * share + (1 - rate) * silent == pytest.approx(0.5)


@given(shares, st.floats(0.05, 0.95))
def test_the_ratio_makes_the_share_from_the_target(share, target):
    ratio = tipping_ratio(share, target)
    assert ratio * target / (ratio * target + 1 - target) == pytest.approx(share)


def test_ends():
    assert tipping_ratio(1.0) is None and tipping_ratio(0.0) == 0
    assert silent_share(0.8, 1.0) is None and needed_rate(0.5) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: bound_share(1.2, 0.5),
        lambda: bound_share(0.5, 0.0),
        lambda: needed_rate(0.5, 1.0),
        lambda: silent_share(-0.1, 0.5),
        lambda: tipping_ratio(0.5, 0.0),
    ],
)
def test_impossible_shares_and_rates_are_refused(call):
    with pytest.raises(InputError):
        call()
