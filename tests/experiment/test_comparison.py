"""Paired comparison of arms: pairs by seed, worked numbers, and no interval that few seeds do not hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.experiment.comparison import (
    CONTRASTS,
    compare_arms,
    compare_directions,
    compute_arm_mean,
    count_tests,
    describe_finding,
    describe_shift,
    select_contrast,
)
from analysis.experiment.outcomes import OUTCOMES, PRIMARY


def outcomes(seeds: int, **by_arm: float) -> pd.DataFrame:
    """Every outcome of an arm is its number plus a hundredth of the seed, so that differences are exact."""
    rows = [
        {"arm": arm, "seed": seed} | dict.fromkeys(OUTCOMES, value + seed / 128)
        for arm, value in by_arm.items()
        for seed in range(seeds, 0, -1)
    ]
    return pd.DataFrame(rows)


TEN = outcomes(10, manual=0.5, devops=0.375, mlops=0.125)


def test_every_outcome_in_every_contrast():
    table = compare_arms(TEN)
    assert len(table) == len(OUTCOMES) * len(CONTRASTS)
    assert set(table.loc[table["primary"], "outcome"]) == set(PRIMARY)
    assert table["p_value"].notna().equals(table["primary"])


def test_shift_is_of_the_first_arm_against_the_second_in_its_unit():
    table = compare_arms(TEN)
    share = select_contrast(table, "degraded_share", "mlops", "manual")
    hours = select_contrast(table, "lead_hours", "mlops", "devops")
    assert (share["shift"].value, share["shift"].unit) == (-37.5, "percentage points")
    assert (hours["shift"].value, hours["shift"].unit) == (-0.25, "h")
    assert share["same_sign"] == share["pairs"] == 10
    assert share["differences"] == (-37.5,) * 10


def test_ten_equal_signs_give_the_smallest_p_and_holm_multiplies_it():
    # Two of 2^10 sign patterns are as extreme as all alike; Holm takes nine times the smallest of nine.
    table = compare_arms(TEN)
    row = select_contrast(table, "mean_map50", "devops", "manual")
    assert row["p_value"] == row["smallest_p"] == pytest.approx(2 / 1024)
    assert row["p_holm"] == pytest.approx(9 * 2 / 1024)
    assert count_tests(table) == {"tests": 9, "rejected": 9}
    assert describe_finding(row, 0.95).startswith("lower, and more clearly")


def test_two_seeds_give_no_interval_and_say_so():
    table = compare_arms(outcomes(2, manual=0.5, devops=0.25, mlops=0.125))
    row = select_contrast(table, "degraded_share", "mlops", "manual")
    assert row["shift"].low is None and row["smallest_p"] == 0.5
    assert describe_shift(row, 0.95) == (
        "-37.5 percentage points (no interval: it takes 6 pairs of seeds, there are 2)"
    )
    assert "too few" in describe_finding(row, 0.95)
    assert count_tests(table)["rejected"] == 0


def test_with_enough_seeds_the_interval_is_printed():
    noisy = TEN.copy()
    noisy.loc[noisy["arm"] == "mlops", "lead_hours"] = [10.0 + k for k in range(10)]
    noisy.loc[noisy["arm"] == "manual", "lead_hours"] = 5.0
    row = select_contrast(compare_arms(noisy), "lead_hours", "mlops", "manual")
    # Differences 5 … 14: their centre is 9.5; R: wilcox.test(5:14, conf.int = TRUE)
    assert describe_shift(row, 0.95) == "+9.5 h (95% interval 7.0–12.0)"


def test_pairs_are_by_seed_and_not_by_order():
    shuffled = TEN.sample(frac=1, random_state=3)
    assert compare_arms(shuffled)["p_value"].equals(compare_arms(TEN)["p_value"])
    one = select_contrast(compare_arms(shuffled), "lead_hours", "mlops", "manual")
    assert one["differences"] == (-0.375,) * 10


def test_a_seed_with_nothing_to_measure_drops_out_of_its_pair_only():
    gaps = TEN.copy()
    gaps.loc[(gaps["arm"] == "mlops") & (gaps["seed"] <= 3), "restore_hours"] = np.nan
    table = compare_arms(gaps)
    row = select_contrast(table, "restore_hours", "mlops", "manual")
    assert (row["pairs"], row["left_out"]) == (7, 3)
    assert select_contrast(table, "restore_hours", "devops", "manual")["pairs"] == 10


def test_nothing_to_compare_is_said():
    gaps = TEN.assign(lead_hours=np.nan)
    table = compare_arms(gaps)
    row = select_contrast(table, "lead_hours", "mlops", "manual")
    assert row["shift"] is None
    assert describe_shift(row, 0.95) == "nothing to compare"
    assert describe_finding(row, 0.95) == "not comparable"
    assert count_tests(table)["tests"] == 6


def test_no_difference_is_neither_lower_nor_higher():
    table = compare_arms(outcomes(10, manual=0.5, devops=0.5, mlops=0.5))
    row = select_contrast(table, "lead_hours", "mlops", "manual")
    assert row["p_value"] == 1 and row["same_sign"] == 10
    assert describe_finding(row, 0.95) == "equal in the middle of the seeds"
    assert describe_shift(row, 0.95).startswith("0.0 h")


def test_directions_of_two_runs():
    turned = outcomes(2, manual=0.125, devops=0.375, mlops=0.25)
    agreement = compare_directions(compare_arms(TEN), compare_arms(turned))
    # manual is now lowest: only mlops minus devops still has its sign, in each primary outcome.
    assert agreement == {"compared": 9, "agree": 3}


def test_mean_of_an_arm_has_an_interval_only_where_seeds_suffice():
    many, few = compute_arm_mean(TEN, "mlops", "degraded_share"), compute_arm_mean(TEN.tail(3), "mlops", "lead_hours")
    assert many.low < many.value < many.high and many.n == 10
    assert many.value == pytest.approx(0.125 + 5.5 / 128)
    assert few.low is None and few.n == 3
    assert compute_arm_mean(TEN.assign(lead_hours=np.nan), "mlops", "lead_hours") is None


def test_wrong_tables_are_refused():
    with pytest.raises(InputError, match="no arm 'devops'"):
        compare_arms(TEN[TEN["arm"] != "devops"])
    with pytest.raises(InputError, match="comes twice"):
        compare_arms(pd.concat([TEN, TEN.head(1)]))
    with pytest.raises(InputError, match="no column 'lead_hours'"):
        compare_arms(TEN.drop(columns="lead_hours"))
    with pytest.raises(InputError, match="no such comparison"):
        select_contrast(compare_arms(TEN), "lead_hours", "manual", "mlops")
