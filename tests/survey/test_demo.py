"""Made-up responses follow the truth that they are said to follow, and say that they are made up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm

from analysis.base.errors import InputError
from analysis.survey.demo import build_demo
from analysis.survey.instrument import load_instrument

PRACTITIONERS, SCREENING = load_instrument("practitioners"), load_instrument("screening")


@pytest.fixture(scope="module")
def many():
    return build_demo(PRACTITIONERS, 200_000, 7, loadings={"Q6": 0.8, "Q7": 0.5, "Q8": -0.3}, shift=0.6)


@pytest.mark.parametrize("question", ["Q6", "Q7", "Q8"])
@pytest.mark.parametrize("says_yes", [True, False, None])
def test_shares_are_those_of_the_truth(question, says_yes, many):
    """Within four standard errors of each share: with 45 shares, a false alarm in about 350 seeds."""
    responses, truth = many
    table = responses.table if says_yes is None else responses.table[responses.table["Q4"] == says_yes]
    expected = truth.probabilities(question, says_yes)
    found = table[question].value_counts(normalize=True, sort=False).to_numpy()
    assert expected.sum() == pytest.approx(1)
    assert (np.abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / len(table))).all()


def test_correlations_are_the_products_of_loadings(many):
    """Share of people below the middle cut of both items: the bivariate normal distribution gives it in closed form."""
    responses, truth = many
    table = responses.table[~responses.table["Q4"].astype(bool)]
    for one, other in (("Q6", "Q7"), ("Q6", "Q8")):
        cut = truth.thresholds[one][1], truth.thresholds[other][1]
        rho = truth.correlation(one, other)
        expected = multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf(cut)
        both = ((table[one].cat.codes <= 1) & (table[other].cat.codes <= 1)).mean()
        apart = norm.cdf(cut[0]) * norm.cdf(cut[1])
        assert abs(both - expected) < 4 * np.sqrt(expected / len(table)) < abs(both - apart)


def test_superiority_is_the_chance_of_the_higher_answer(many):
    responses, truth = many
    yes, no = (responses.table.loc[responses.table["Q4"] == side, "Q6"].cat.codes.to_numpy() for side in (True, False))
    higher = np.searchsorted(np.sort(no), yes, "left").mean() / len(no)
    ties = np.searchsorted(np.sort(no), yes, "right").mean() / len(no) - higher
    assert truth.superiority("Q6") == pytest.approx(higher + ties / 2, abs=0.005)


def test_the_same_seed_gives_the_same_people():
    one, two, other = (build_demo(SCREENING, 84, seed)[0].table for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(other)


def test_it_is_labelled_as_made_up():
    responses, _ = build_demo(PRACTITIONERS)
    assert responses.origin == "demo" and responses.table.attrs["origin"] == "demo" and "demo" in responses.source
    assert responses.table["respondent"].str.startswith("demo-").all()
    assert set(responses.table["Q9"].dropna().str.contains("made")) == {True}
    assert "demo" in responses.account()


def test_no_personal_question_is_answered():
    table = build_demo(SCREENING, 30)[0].table
    assert not {"Q3", "Q4", "Q7", "Q8"} & set(table) and table["Q1"].all()
    assert (table["Q6.text"].notna() == table["Q6.other"]).all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loadings": {"Q1": 0.5}}, "no question of this kind"),
        ({"loadings": {"Q6": 1.0}}, "between -1 and 1"),
        ({"thresholds": {"Q6": (0.0, 1.0)}}, "one fewer than the options"),
        ({"thresholds": {"Q6": (0.0, 1.0, 0.5, 2.0)}}, "rising"),
        ({"shares": {"Q2": (0.5, 0.6, 0.1)}}, "they add to 1"),
        ({"shifter": "Q6"}, "one of: Q4"),
        ({"n": 0}, "n ≥ 1"),
        ({"yes_share": 1.0}, "a share within 0 and 1"),
    ],
)
def test_impossible_truths_are_refused(settings, said):
    with pytest.raises(InputError, match=said):
        build_demo(PRACTITIONERS, **settings)
