"""What so many answers can show, and what those who are silent could change."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.intervals import compute_share
from analysis.survey.reach import (
    build_reach_table,
    build_selection_table,
    compute_reach,
    compute_selection,
    select_bound,
    select_effect,
)


@pytest.fixture(scope="module")
def reach():
    return compute_reach(54, 30, power=0.8, level=0.05)


def test_effects_by_their_textbook_formulas(reach):
    """Noether (1987), Fisher's z, and Fleiss' formula for two shares, solved by hand for 84 people in 54 and 30."""
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    noether = z * (1 / (12 * 84 * (54 / 84) * (30 / 84))) ** 0.5  # P(X > Y) − 1/2
    assert select_effect(reach, "two_groups") == pytest.approx(2 * noether, abs=2e-3)
    fisher = (pow(2.718281828459045, 2 * z / 81**0.5) - 1) / (pow(2.718281828459045, 2 * z / 81**0.5) + 1)
    assert select_effect(reach, "correlation") == pytest.approx(fisher, abs=2e-3)
    share = select_effect(reach, "share")
    found = stats.norm.sf(
        (stats.norm.ppf(0.975) * (0.25 / 84) ** 0.5 - (share - 0.5)) / (share * (1 - share) / 84) ** 0.5
    )
    assert found == pytest.approx(0.8, abs=1e-3)
    two, mean = select_effect(reach, "two_shares"), 0.5 + select_effect(reach, "two_shares") * 54 / 84
    pooled = (mean * (1 - mean) * (1 / 54 + 1 / 30)) ** 0.5
    apart = (0.25 / 30 + (0.5 + two) * (0.5 - two) / 54) ** 0.5
    assert stats.norm.sf((stats.norm.ppf(0.975) * pooled - two) / apart) == pytest.approx(0.8, abs=2e-3)


def test_half_an_effect_needs_about_four_times_as_many(reach):
    assert (reach["needed"] / 84).between(3.5, 4.6).all()
    assert (reach["half"] - reach["null"]).tolist() == pytest.approx(((reach["effect"] - reach["null"]) / 2).tolist())


def test_more_people_and_less_power_reach_smaller_effects(reach):
    for other in (compute_reach(540, 300, power=0.8, level=0.05), compute_reach(54, 30, power=0.5, level=0.05)):
        assert ((other["effect"] - other["null"]) < (reach["effect"] - reach["null"])).all()


def test_sides_of_the_split_may_be_swapped(reach):
    pd.testing.assert_frame_equal(compute_reach(30, 54, power=0.8, level=0.05), reach)


def test_hopeless_groups_are_refused():
    with pytest.raises(InputError):
        compute_reach(1, 2, power=0.99, level=0.001)


def test_the_printed_table_says_what_was_computed(reach):
    table = build_reach_table(reach)
    assert len(table) == 4 and not table.isna().any().any()
    assert table["Smallest effect found"].iloc[0] == f"{100 * select_effect(reach, 'share'):.1f}%"
    assert table["Respondents it needs"].tolist() == [f"{n:,}" for n in reach["needed"]]


def test_selection_by_hand():
    shares = {"yes": compute_share(63, 84, method="wilson"), "even": compute_share(42, 84, method="wilson")}
    found = compute_selection(shares, 0.2)
    assert (select_bound(found, "yes", "low"), select_bound(found, "yes", "high")) == pytest.approx((0.15, 0.95))
    assert select_bound(found, "yes", "needed_rate") == pytest.approx(2 / 3)
    assert select_bound(found, "yes", "ratio") == pytest.approx(3)
    assert select_bound(found, "yes", "silent") == pytest.approx((0.5 - 0.15) / 0.8)
    assert pd.isna(select_bound(found, "even", "needed_rate"))
    table = build_selection_table(found)
    assert (
        table["Bounds for all asked"].iloc[0] == "15.0 to 95.0%" and table["Times as likely to answer"].iloc[0] == "3.0"
    )
    assert table["Response rate that settles it"].tolist() == ["66.7%", "–"]
