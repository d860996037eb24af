"""Arms compared: shifts and ratios by hand, Holm over what was declared, nothing undefined passed over in silence."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.kpi.compare import COLUMNS, Primary, build_forest_rows, compare_kpis, load_primary
from analysis.kpi.mlkpi import load_ml_metrics
from analysis.kpi.rules import METRICS
from analysis.plots.forest import draw_forest
from analysis.stats.paired import hodges_lehmann_paired, holm, sign_flip_test

X = [5.0, 7, 9, 8, 6, 10]
Y = [4.0, 5, 6, 4, 1, 4]


def table(metrics: dict[str, dict[str, list[float]]], units: dict[str, str] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"arm": arm, "seed": seed, "metric": metric, "value": value, "unit": (units or {}).get(metric, "h")}
            for metric, arms in metrics.items()
            for arm, found in arms.items()
            for seed, value in enumerate(found, start=1)
        ]
    )


PRIMARY = Primary(date(2026, 11, 21), {"lead": "why"}, (("x", "y"),))


def test_shift_and_ratio_by_hand():
    row = compare_kpis(table({"lead": {"x": X, "y": Y}}), PRIMARY).iloc[0]
    # differences 1 2 3 4 5 6: Hodges–Lehmann 3.5, exact 95 % interval of six pairs from the smallest to the largest
    assert (row["shift"], row["shift_low"], row["shift_high"], row["pairs"]) == (3.5, 1, 6, 6)
    # logarithms of 5/4, 7/5, 9/6, 8/4, 6/1, 10/4: the interval runs from 5/4 to 6
    logs = hodges_lehmann_paired(np.log(X), np.log(Y))
    assert row["ratio"] == pytest.approx(np.exp(logs.value))
    assert (row["ratio_low"], row["ratio_high"]) == pytest.approx((1.25, 6))
    # all six signs alike: 2/64
    assert row["p_value"] == row["smallest_p"] == row["p_holm"] == 2 / 64
    assert row["mixed"] == pytest.approx(3.5, rel=1e-6) and row["mixed_converged"]


def test_shares_are_compared_in_points():
    arms = {"x": [0.5, 0.6, 0.7], "y": [0.4, 0.4, 0.4]}
    row = compare_kpis(table({"up": arms}, {"up": "share"}), contrasts=[("x", "y")]).iloc[0]
    assert row["shift"] == pytest.approx(20) and row["shift_unit"] == "percentage points"
    assert row["ratio"] == pytest.approx(1.5, rel=0.02)  # the ratio stays one of shares
    assert np.isnan(row["shift_low"]) and "it takes 6 pairs, there are 3" in row["shift_method"]
    assert not row["primary"] and np.isnan(row["p_value"])


def test_holm_corrects_over_all_declared_tests_and_no_other():
    rng = np.random.default_rng(5)
    arms = {name: rng.normal(10 + shift, 1, 10).tolist() for name, shift in (("x", 1.5), ("y", 0.0), ("z", 0.6))}
    rows = table({"a": arms, "b": {k: v[::-1] for k, v in arms.items()}, "c": arms})
    declared = Primary(date(2026, 1, 1), {"a": "w", "b": "w"}, (("x", "y"), ("z", "y")))
    found = compare_kpis(rows, declared, contrasts=[("x", "z")])
    tested = found[found["p_value"].notna()]
    assert len(found) == 9 and len(tested) == declared.tests == 4
    assert tested["p_holm"].tolist() == pytest.approx(holm(tested["p_value"].tolist()))
    differences = np.array(arms["x"]) - np.array(arms["y"])
    assert found.iloc[0]["p_value"] == sign_flip_test(differences, "two-sided").p_value
    assert found.attrs["declared"] == date(2026, 1, 1)


def test_undefined_values_take_their_pair_out_and_are_counted():
    arms = {"x": [np.nan, *X[1:]], "y": [*Y[:5], np.nan]}
    row = compare_kpis(table({"lead": arms}), PRIMARY).iloc[0]
    assert (row["pairs"], row["left_out"]) == (4, 2)
    assert row["note"] == "no value in x on 1 of 6 seeds; no value in y on 1 of 6 seeds"
    assert "2 missing values left out" in row["mixed_note"]


def test_zeros_leave_the_ratio_but_not_the_shift():
    row = compare_kpis(table({"lead": {"x": [0.0, *X[1:]], "y": Y}}), PRIMARY).iloc[0]
    assert (row["pairs"], row["ratio_pairs"]) == (6, 5)
    assert "ratio without 1 pairs that hold a zero or less" in row["note"]
    assert np.isnan(row["ratio_low"]) and row["shift_low"] == -4


def test_a_declared_test_without_any_pair_still_counts_for_holm():
    nothing = {"x": [np.nan] * 6, "y": Y}
    declared = Primary(date(2026, 1, 1), {"lead": "w", "none": "w"}, (("x", "y"),))
    found = compare_kpis(table({"lead": {"x": X, "y": Y}, "none": nothing}), declared)
    assert found["p_holm"].iloc[0] == pytest.approx(2 * 2 / 64)
    empty = found.iloc[1]
    assert np.isnan(empty["p_holm"]) and np.isnan(empty["shift"]) and empty["note"].endswith("nothing to compare")
    assert not empty["mixed_converged"] and empty["mixed_note"] != ""


def test_failed_models_are_said():
    row = compare_kpis(table({"lead": {"x": [1.0] * 6, "y": [1.0] * 6}}), PRIMARY).iloc[0]
    assert not row["mixed_converged"] and "all values are equal" in row["mixed_note"]
    assert row["p_value"] == 1 and (row["shift"], row["ratio"]) == (0, 1)


def test_the_order_of_rows_and_seeds_changes_nothing():
    rows = table({"lead": {"x": X, "y": Y}})
    expected = compare_kpis(rows, PRIMARY)
    shuffled = compare_kpis(rows.sample(frac=1, random_state=3), PRIMARY)
    pd.testing.assert_frame_equal(expected, shuffled, check_exact=False, rtol=1e-6)


def test_wrong_tables_are_refused_with_every_fault():
    rows = table({"lead": {"x": X, "y": Y}})
    declared = Primary(date(2026, 1, 1), {"other": "w"}, (("x", "z"),))
    with pytest.raises(InputError) as error:
        compare_kpis(pd.concat([rows, rows.head(1)]), declared)
    assert [problem.what for problem in error.value.problems] == [
        "no arm 'z'",
        "x, seed 1 has lead twice",
        "no metric 'other', which was declared primary",
    ]
    with pytest.raises(InputError, match="none"):
        compare_kpis(rows)
    with pytest.raises(InputError, match="no column 'unit'"):
        compare_kpis(rows.drop(columns="unit"), PRIMARY)


def test_the_declaration_names_metrics_that_exist():
    declared = load_primary()
    assert set(declared.metrics) <= {*METRICS, *load_ml_metrics()["key"]}
    assert declared.tests == 9 and all(declared.metrics.values())
    # Ten recorded seeds can reach 2/1024 a test, so the strictest of nine can still be significant.
    assert declared.tests * 2 / 2**10 < 0.05


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("- no mapping", ["declared", "no outcomes"]),
        ("declared: soon\ncontrasts: [[x, x]]\noutcomes: [{metric: lead}]", ["soon", "metric", "x"]),
        ("a: [", ["expected"]),
    ],
)
def test_broken_declarations_are_refused(tmp_path, text, faults):
    path = tmp_path / "primary.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_primary(path)
    said = [str(problem) for problem in error.value.problems]
    assert len(said) == len(faults) and all(fault in one for fault, one in zip(faults, said, strict=True))
    with pytest.raises(InputError, match="cannot be read"):
        load_primary(tmp_path / "none.yaml")


def test_rows_of_a_forest_plot_and_the_plot():
    rows = table({"lead": {"x": X, "y": Y}, "none": {"x": [np.nan] * 6, "y": Y}, "other": {"x": X, "y": Y}})
    found = compare_kpis(rows, PRIMARY)
    forest = build_forest_rows(found, {"none": "Nothing", "lead": "Lead time"})
    assert forest["group"].tolist() == ["Nothing", "Lead time"]
    assert forest["text"].tolist()[0] == "none" and forest["text"].tolist()[1].endswith("(1.25–6.00)")
    assert forest["label"].tolist() == ["x / y"] * 2 and forest["hollow"].tolist() == [True, False]
    axes = draw_forest(forest, axis_title="Ratio", log=True).axes[0]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"] == [forest["value"][1]]
    shift = build_forest_rows(found, {"lead": "Lead time"}, what="shift", digits=1)
    assert shift["text"].tolist() == ["3.5 (1.0–6.0)"] and shift["label"].tolist() == ["x − y"]
    assert list(found.columns) == list(COLUMNS)
