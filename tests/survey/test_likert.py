"""Answers that are not broken down stay open: bounds enclose every way they can fall, and nothing else is claimed."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.survey.likert import (
    Answers,
    build_answers,
    compute_answer_shares,
    compute_bounds,
    compute_conditional_bounds,
    compute_group_share,
    compute_median_answer,
    compute_net_agreement,
    compute_net_bounds,
    compute_overlap_bounds,
    name_position,
    top_two,
)
from analysis.survey.readings import find_corrections

SCALE = ("--", "-", "0", "+", "++")


@pytest.fixture(scope="module")
def counts():
    return load_table("survey/published_counts.csv")


@pytest.fixture(scope="module")
def q8(counts):
    return build_answers(counts, "Q8", 84)


@st.composite
def open_answers(draw):
    """Up to three answers of five not broken down, few respondents, so that every filling can be tried."""
    closed = draw(st.lists(st.integers(0, 6), min_size=5, max_size=5))
    hidden = draw(st.sets(st.integers(0, 4), min_size=0, max_size=3))
    left = draw(st.integers(0, 5)) if hidden else 0
    values = tuple(None if place in hidden else count for place, count in enumerate(closed))
    n = sum(count or 0 for count in values) + left
    return Answers("Q", SCALE, values, n) if n else Answers("Q", SCALE, (1, 0, 0, 0, 0), 1)


def fillings(answers: Answers):
    """Every way in which the answers not broken down can have been given."""
    places = answers.open_positions
    for amounts in product(range(answers.left_over + 1), repeat=len(places)):
        if sum(amounts) == answers.left_over:
            filled = dict(zip(places, amounts, strict=True))
            yield tuple(filled.get(place, count) for place, count in enumerate(answers.counts, start=1))


def test_q6_gets_nobody_for_the_answer_not_mentioned(counts):
    assert build_answers(counts, "Q6", 84).counts == (0, 5, 13, 47, 19)


def test_q7_is_refused_until_it_is_corrected(counts):
    with pytest.raises(InputError, match="85"):
        build_answers(counts, "Q7", 84)
    corrected = build_answers(counts, "Q7", 84, find_corrections(counts, 84, rule="half_up"))
    assert corrected.counts == (0, 3, 12, 34, 35)
    assert (corrected.corrected, corrected.origin) == ((2,), "reconstructed")
    assert build_answers(counts, "Q7", 85).counts == (0, 4, 12, 34, 35)
    assert build_answers(counts, "Q6", 84).origin == "published"


def test_q8_leaves_fifteen_open(q8):
    assert (q8.left_over, q8.open_positions) == (15, (1, 2, 3))
    assert compute_bounds(q8, [1, 2]) == (0, 15)
    assert compute_bounds(q8, [1, 2, 3]) == (15, 15)
    assert compute_group_share(q8, top_two(q8), method="wilson").value == 69 / 84
    assert compute_net_bounds(q8) == (54 / 84, 69 / 84)
    for claim in (lambda: q8.count_of([2]), lambda: compute_net_agreement(q8, method="wald"), lambda: q8.count_of([6])):
        with pytest.raises(InputError):
            claim()


def test_median_of_q8_holds_although_fifteen_are_open(q8):
    estimate = compute_median_answer(q8)
    # 84 answers in order: 15 open, 28 agree (16th to 43rd), 41 strongly agree; median the 42nd and 43rd.
    assert (estimate.value, estimate.low, estimate.high) == (4, 4, 5)
    assert name_position(q8, estimate) == "agree"
    assert name_position(q8, estimate.__class__(4.5)) == "agree or strongly agree"


def test_median_is_refused_where_it_is_not_determined():
    answers = Answers("Q", SCALE, (None, None, None, 1, 1), 20)
    with pytest.raises(InputError, match="18 answers not broken down"):
        compute_median_answer(answers)


def test_unknown_and_unpublished_questions_are_refused(counts):
    for question in ("Q1", "Q3", "Q5", "Q77"):
        with pytest.raises(InputError):
            build_answers(counts, question, 84)
    with pytest.raises(InputError, match="add up to 84"):
        build_answers(counts, "Q2", 90)


@given(open_answers(), st.sets(st.integers(1, 5), min_size=1))
def test_bounds_are_exactly_what_the_fillings_reach(answers, asked):
    reached = [sum(filled[place - 1] for place in asked) for filled in fillings(answers)]
    assert compute_bounds(answers, asked) == (min(reached), max(reached))


@given(open_answers())
def test_net_bounds_are_exactly_what_the_fillings_reach(answers):
    reached = [(f[3] + f[4] - f[0] - f[1]) / answers.n for f in fillings(answers)]
    assert compute_net_bounds(answers) == pytest.approx((min(reached), max(reached)))


@given(open_answers())
def test_a_median_that_is_given_holds_for_every_filling(answers):
    try:
        estimate = compute_median_answer(answers)
    except InputError:
        return
    for filled in fillings(answers):
        assert estimate.value == np.median(np.repeat(np.arange(1, 6), filled))


@given(st.integers(1, 40), st.data())
def test_overlap_bounds_enclose_every_table_and_are_reached(n, data):
    count, other = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    low, high = compute_overlap_bounds(count, other, n)
    # Respondents 0…count−1 gave the first answer; the second is laid over the end, then over the start.
    apart = len(set(range(count)) & set(range(n - other, n)))
    together = len(set(range(count)) & set(range(other)))
    assert (low, high) == (apart, together)


def test_conditional_bounds_by_hand():
    # 54 users and 69 who agree, of 84: at least 39 users agree.
    assert compute_conditional_bounds(69, 54, 84) == (39 / 54, 1.0)
    # 25 in large companies, 54 users: anything is possible.
    assert compute_conditional_bounds(54, 25, 84) == (0.0, 1.0)
    for wrong in ((1, 0, 84), (85, 1, 84), (1, 1, 0)):
        with pytest.raises(InputError):
            compute_conditional_bounds(*wrong)


def test_shares_cover_every_respondent_once(counts, q8):
    answers = [build_answers(counts, question, 84) for question in ("Q2", "Q4", "Q6")] + [q8]
    shares = compute_answer_shares(answers, share_method="wilson", joint_method="goodman")
    assert (shares.groupby("question")["count"].sum() == 84).all()
    assert shares.groupby("question").size().to_dict() == {"Q2": 3, "Q4": 2, "Q6": 5, "Q8": 3}
    assert list(shares.loc[shares["open"], "count"]) == [15]
    assert (shares["joint_low"] <= shares["low"]).all()
    assert (shares["joint_high"] >= shares["high"]).all()
    exact = compute_answer_shares(answers, 0.99, share_method="clopper-pearson", joint_method="sison-glaz")
    assert (exact["high"] > shares["high"]).all()
    assert pd.api.types.is_bool_dtype(exact["open"])
