"""Mixed models against closed forms: paired t-test, two-way analysis; and what they say against themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.base.errors import InputError
from analysis.stats.mixed import compare_mixed


def table(treatments: str = "xyz", blocks: int = 10, seed: int = 0, spread: float = 3.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    level = rng.normal(0, spread, blocks)
    rows = [
        (name, block, level[block] + place + rng.normal())
        for place, name in enumerate(treatments)
        for block in range(blocks)
    ]
    return pd.DataFrame(rows, columns=["treatment", "block", "value"])


def test_two_treatments_in_complete_blocks_are_the_paired_t_test():
    rows = table("xy")
    found = compare_mixed(rows, [("y", "x")]).iloc[0]
    wide = rows.pivot(index="block", columns="treatment", values="value")
    paired = stats.ttest_rel(wide["y"], wide["x"])
    interval = paired.confidence_interval(0.95)
    assert found["value"] == pytest.approx((wide["y"] - wide["x"]).mean(), rel=1e-6)
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high), rel=1e-4)
    assert found["p_value"] == pytest.approx(paired.pvalue, rel=1e-3)
    assert found["converged"] and found["note"] == ""


def test_three_treatments_have_the_error_of_the_two_way_analysis():
    rows = table()
    wide = rows.pivot(index="block", columns="treatment", values="value").to_numpy()
    left = wide - wide.mean(axis=1, keepdims=True) - wide.mean(axis=0) + wide.mean()
    half = stats.t.ppf(0.975, 18) * np.sqrt(2 * (left**2).sum() / 18 / 10)
    found = compare_mixed(rows, [("z", "x"), ("z", "y")])
    assert (found["high"] - found["value"]).tolist() == pytest.approx([half, half], rel=1e-4)
    assert found["value"].tolist() == pytest.approx([wide[:, 2].mean() - wide[:, place].mean() for place in (0, 1)])


def test_units_change_nothing_but_units():
    small, large = (compare_mixed(rows, [("y", "x")]).iloc[0] for rows in (table(), _scaled(table(), 1e4)))
    assert large["low"] == pytest.approx(1e4 * small["low"], rel=1e-5)
    assert large["p_value"] == pytest.approx(small["p_value"], rel=1e-4)


def test_an_incomplete_block_still_counts():
    rows = table()
    rows.loc[rows.index[0], "value"] = np.nan
    found = compare_mixed(rows, [("y", "x")]).iloc[0]
    assert found["n"] == 29 and "1 missing values left out" in found["note"]
    assert found["low"] < found["value"] < found["high"]


def test_blocks_without_differences_are_said():
    rows = table(seed=1, spread=0.0)
    found = compare_mixed(rows, [("y", "x")]).iloc[0]
    assert "variance between blocks is at, or near, zero" in found["note"]


def test_a_fit_that_does_not_converge_is_reported_and_keeps_its_numbers():
    found = compare_mixed(table(), [("y", "x")], steps=1).iloc[0]
    assert not found["converged"] and "did not converge" in found["note"]
    assert np.isfinite(found["value"])


def test_the_boundary_is_reached_by_another_optimiser():
    # Blocks more alike than chance allows: three optimisers give up, and the estimate is the difference of means.
    rows = table(seed=4, spread=0.0)
    means = rows.groupby("treatment")["value"].mean()
    found = compare_mixed(rows, [("y", "x")]).iloc[0]
    assert found["converged"] and found["value"] == pytest.approx(means["y"] - means["x"])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (table("xy", 1), "two treatments and two blocks"),
        (table().assign(value=2.0), "all values are equal"),
        (table().assign(value=[float(ord(name)) for name in table()["treatment"]]), "nothing varies"),
    ],
)
def test_what_cannot_be_fitted_is_said_and_has_no_value(rows, words):
    found = compare_mixed(rows, [("y", "x")]).iloc[0]
    assert not found["converged"] and np.isnan(found["value"]) and words in found["note"]


def test_a_treatment_without_values_is_named():
    found = compare_mixed(table("xy"), [("z", "x")]).iloc[0]
    assert np.isnan(found["value"]) and "no value for z" in found["note"]


def test_wrong_tables_are_refused():
    with pytest.raises(InputError, match="no column 'value'"):
        compare_mixed(table().drop(columns="value"), [("y", "x")])
    with pytest.raises(InputError, match="x comes twice in block 0"):
        compare_mixed(pd.concat([table(), table().head(1)]), [("y", "x")])
    with pytest.raises(InputError, match="confidence"):
        compare_mixed(table(), [("y", "x")], confidence=0)


def _scaled(rows: pd.DataFrame, factor: float) -> pd.DataFrame:
    return rows.assign(value=factor * rows["value"])
