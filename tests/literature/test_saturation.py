"""Saturation on small tables worked by hand, on simulated interviews, and on the stored coding."""

from __future__ import annotations

from itertools import permutations
from math import inf

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.literature.saturation import (
    build_incidence,
    compute_saturation,
    compute_stopping_point,
    compute_unseen,
)
from tests.literature.small_coding import counted_coding, small_coding

BOTH = ["talele2024", "dusengimana2023"]


def draws(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def table(*rows: str) -> pd.DataFrame:
    return pd.DataFrame([[mark == "1" for mark in row] for row in rows])


def test_incidence_by_hand():
    incidence = build_incidence(small_coding(), documents=BOTH)
    assert list(incidence.index) == ["T-P01", "T-P02", "D-I1"]  # T-P03 is not quoted, D-U0 is nobody
    assert list(incidence.columns) == ["a1", "a2", "b1", "deep"]
    assert incidence.astype(int).to_numpy().tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1]]
    themes = build_incidence(small_coding(), documents=BOTH, level=1)
    assert themes.astype(int).to_numpy().tolist() == [[1, 0], [0, 1], [1, 1]]


def test_curve_by_hand():
    # Three participants with the codes {1, 2}, {3}, {2, 4}: alone 5/3 on average; two of them see 3, 4 or 3.
    curve = compute_saturation(build_incidence(small_coding(), documents=BOTH), rng=draws(), orders=500)
    assert curve["interviews"].tolist() == [1, 2, 3]
    assert curve["codes"].tolist() == pytest.approx([5 / 3, 3, 4])
    assert curve["new"].tolist() == pytest.approx([5 / 3, 4 / 3, 1])
    assert curve["codes_low"].tolist() == [1, 3, 4] and curve["codes_high"].tolist() == [2, 3, 4]
    assert curve["new_low"].tolist() == [1, 1, 1] and curve["new_high"].tolist() == [2, 2, 1]


@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=7), st.permutations(range(6)))
@settings(max_examples=30, deadline=None)
def test_curves_rise_to_all_codes_and_flatten(rows, order):
    incidence = pd.DataFrame(rows)
    curve = compute_saturation(incidence, rng=draws(), orders=100)
    seen = int(incidence.any().sum())
    assert curve["codes"].iloc[-1] == pytest.approx(seen)
    assert (curve["codes"].diff().dropna() >= -1e-9).all()
    assert (curve["new"].diff().dropna() <= 1e-9).all()  # each interview is expected to add no more than the one before
    assert (curve["codes_low"] <= curve["codes_high"]).all()
    assert curve[["codes_low", "codes_high"]].iloc[-1].tolist() == [seen, seen]
    assert curve["new"].sum() == pytest.approx(seen)
    mixed = compute_saturation(incidence.iloc[:, list(order)], rng=draws(), orders=100)
    pd.testing.assert_frame_equal(mixed, curve)


def test_unseen_by_hand():
    # Five participants, 6 codes: three given once, one twice, one four times, one by all.
    unseen = compute_unseen(table("100111", "010011", "001011", "000111", "000001"))
    assert (unseen.participants, unseen.codes, unseen.once, unseen.twice) == (5, 6, 3, 1)
    # Chao2: 4/5 · 3²/(2 · 1) = 3.6 beside the 6; coverage: 14 mentions, 1 − 3/14 · (4 · 3)/(4 · 3 + 2 · 1)
    assert unseen.chao2.value == pytest.approx(9.6) and unseen.unseen.value == pytest.approx(3.6)
    assert unseen.unseen.low == pytest.approx(unseen.chao2.low - 6)
    assert unseen.coverage.value == pytest.approx(1 - 3 / 14 * 12 / 14)
    assert unseen.next_new == pytest.approx(3 / 5)
    # Bootstrap: once (4/5)^5 each, twice (3/5)^5, four times (1/5)^5
    assert unseen.bootstrap.value == pytest.approx(6 + 3 * 0.8**5 + 0.6**5 + 0.2**5)
    assert "less those seen" in unseen.unseen.method


def test_codes_that_everybody_gives_leave_nothing_unseen():
    unseen = compute_unseen(table("111", "111", "110"))
    assert (unseen.unseen.value, unseen.unseen.low, unseen.coverage.value) == (0, None, 1)


def test_unseen_is_a_lower_bound_in_simulated_interviews():
    rng, true = draws(3), 60
    shares = rng.beta(1, 4, size=true)
    estimates = [compute_unseen(pd.DataFrame(rng.random((15, true)) < shares)) for _ in range(60)]
    seen = np.mean([one.codes for one in estimates])
    assert seen < np.mean([one.chao2.value for one in estimates]) <= true * 1.02


def test_stopping_rule_over_all_orders():
    incidence = table("1110", "1100", "1100", "0100", "1001")
    base, run, threshold = 2, 1, 0.0
    ends = []
    for order in permutations(range(5)):
        seen = incidence.to_numpy()[list(order)].cumsum(axis=0).astype(bool).sum(axis=1)
        stops = [n for n in range(base + run, 6) if seen[n - 1] - seen[n - run - 1] <= threshold * seen[base - 1]]
        ends.append(stops[0] if stops else inf)
    expected = np.isfinite(ends).mean()
    found = compute_stopping_point(incidence, base=base, run=run, threshold=threshold, rng=draws(), orders=4000)
    assert found["reached"] == pytest.approx(expected, abs=0.02)
    assert found["median"] == sorted(ends)[len(ends) // 2]


def test_a_looser_threshold_stops_no_later():
    incidence = pd.DataFrame(draws(2).random((12, 40)) < 0.15)
    strict, loose = (compute_stopping_point(incidence, threshold=share, rng=draws(), orders=500) for share in (0, 0.2))
    assert loose["median"] <= strict["median"] and loose["reached"] >= strict["reached"]
    assert strict["low"] <= strict["median"] <= strict["high"]


def test_interviews_without_an_end_never_meet_the_rule():
    everyone_new = pd.DataFrame(np.eye(8, dtype=bool))
    found = compute_stopping_point(everyone_new, rng=draws(), orders=50)
    assert found == {"reached": 0.0, "median": inf, "low": inf, "high": inf}


def test_the_stored_interviews():
    incidence = build_incidence(counted_coding(), documents=["talele2024"])
    people = counted_coding().participants
    assert set(incidence.index) <= set(people.loc[people["document"] == "talele2024", "participant"])
    curve, unseen = compute_saturation(incidence, rng=draws(), orders=300), compute_unseen(incidence)
    assert len(curve) == len(incidence) == unseen.participants == 11  # quoted of the twenty
    assert curve["codes"].iloc[-1] == unseen.codes == incidence.any().sum()
    assert unseen.chao2.low > unseen.codes and unseen.coverage.value < 1
    assert curve["new"].iloc[-1] == pytest.approx(unseen.next_new)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: build_incidence(small_coding({"A": {"T0004": ["a1"]}}), documents=["talele2024"]),
            "no coded segment of a",
        ),
        (lambda: build_incidence(small_coding(), documents=["x2020"]), "'x2020' is unknown"),
        (lambda: compute_saturation(table("10"), rng=None), "no generator"),
        (lambda: compute_saturation(table("10"), rng=draws(), confidence=0), "got 0"),
        (lambda: compute_stopping_point(table("10", "01"), rng=draws()), "4 and 2 of 2"),
        (lambda: compute_stopping_point(table(*["10"] * 8), threshold=1.5, rng=draws()), "got 1.5"),
    ],
)
def test_what_cannot_be_judged_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
