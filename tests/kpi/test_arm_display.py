"""What the thesis shows of the arms: numbers in tables and figures are those of the metrics."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.base.tables import load_table
from analysis.kpi import arm_display as display
from analysis.kpi.arms import compute_run_kpis, pool_runs
from analysis.kpi.compare import compare_kpis, load_primary
from analysis.kpi.rules import FAIL, LEAD, RECOVERY
from tests.kpi.test_arms import RUNS

ARMS = {"a": "arm a", "b": "arm b"}


@pytest.fixture(scope="module")
def runs():
    """Arm b is arm a with its runs in another order, so that it differs on every seed."""
    other = [replace(run, arm="b", log=RUNS[(place + 1) % 3].log) for place, run in enumerate(RUNS)]
    return [*RUNS, *other]


@pytest.fixture(scope="module")
def ml_metrics():
    return load_table("kpi/ml_metrics.csv")


def test_pooled_table_prints_value_interval_and_n(runs):
    table = display.build_pooled_table(pool_runs(runs), 0.95).set_index("Metric")
    assert table.loc[display.NAMES[LEAD], "a"].startswith("20.0 h")
    assert table.loc[display.NAMES[FAIL], "a"].startswith("66.7%")
    assert all(re.search(r"n = 3$", table.loc[display.NAMES[metric], "a"]) for metric in (LEAD, FAIL))
    assert table["a"].tolist() == table["b"].tolist()  # the same runs in another order


def test_definitions_name_every_metric_of_the_tables(runs, ml_metrics):
    shown = set(compute_run_kpis(runs)["metric"])
    known = {metric for metric in shown if not metric.endswith(("_p90", "_mean"))}
    assert {display.name_metric(metric, ml_metrics) for metric in known}
    definitions = display.build_definition_table().set_index("Metric")
    assert len(definitions) == 6
    assert definitions.loc["Deployment rework rate", ["Formula", "Unit"]].tolist() == [
        "deployments that are a remedy / deployments",
        "share",
    ]
    assert not definitions["Choices"].str.contains("environment").any()
    assert display.build_ml_definition_table(ml_metrics)["Metric"].is_unique


def test_views_differ_where_truth_does(runs):
    views = display.compute_views(runs[:3]).set_index(["view", "seed", "metric"])["value"]
    assert views["as noticed", 3, FAIL] == 1
    assert views["in truth", 3, FAIL] == 0
    assert views["as noticed", 1, RECOVERY] == views["in truth", 1, RECOVERY] == 6


def test_figures_show_every_seed(runs, ml_metrics):
    table = compute_run_kpis(runs)
    figure = display.draw_arm_metrics(table, [LEAD, FAIL], ARMS, ml_metrics)
    rings = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [sorted(line.get_xdata()) for line in rings] == [[10, 20, 60], [10, 20, 60]]
    assert figure.axes[0].get_title(loc="left").endswith("[h]")


def test_recovery_curves_end_where_watching_did(runs):
    figure = display.draw_recovery(runs[:3], {"a": "arm a"})
    noticed = figure.axes[0]
    curve = noticed.lines[0]
    assert curve.get_xydata().tolist() == [[0, 1], [6, 0.5], [88, 0.5]]
    (mark,) = [line for line in noticed.lines if line.get_marker() == "|" and len(line.get_xdata())]
    assert mark.get_xydata().tolist() == [[88, 0.5]]


def test_levels_of_an_arm_add_up(runs):
    levels = display.compute_arm_levels(pool_runs(runs), load_table("kpi/dora_levels.csv"), 2024, ARMS)
    sums = levels.groupby(["metric", "arm"])["probability"].sum()
    assert (sums > 0.99).all()
    assert (sums < 1.001).all()
    text = display.build_level_table(levels)["Probability of each level"].iloc[0]
    shares = [float(share) for share in re.findall(r"([\d.]+)%", text)]
    assert shares == sorted(shares, reverse=True)


def test_rule_medians_are_those_of_single_runs(runs):
    medians = display.compute_rule_medians(runs, [LEAD, FAIL])
    found = medians.set_index(["metric", "rules", "arm"])
    assert found.loc[(LEAD, "DORA 2025", "a"), ["value", "seeds"]].tolist() == [20, 3]
    figure = display.draw_rules(medians, [LEAD, FAIL], {"a": "a", "b": "b", "c": "c"})
    assert figure.axes[0].lines[0].get_xdata()[0] == 20


def test_comparison_tables_and_ratios(runs, ml_metrics):
    # Lead times 10, 20, 60 against 20, 60, 10: differences -10, -40, 50.
    table = compute_run_kpis(runs)
    found = compare_kpis(table, contrasts=[("a", "b")])
    shift = display.read_estimate(found, LEAD, "a", "b")
    assert (shift.value, shift.low, shift.n) == (-2.5, None, 3)  # middle of -40, -25, -10, 5, 20, 50
    assert shift.unit == "h"
    figure = display.draw_ratios(found, [LEAD], ml_metrics, 0.95)
    assert figure.axes[0].get_xscale() == "log"


def test_primary_table_has_a_row_a_test(ml_metrics):
    rng = np.random.default_rng(1)
    primary = load_primary()
    rows = [
        {"arm": arm, "seed": seed, "metric": metric, "value": value + rng.normal(), "unit": unit}
        for metric, unit in (
            ("lead_time_commit_h", "h"),
            ("time_degraded_share", "share"),
            ("quality_weighted_uptime", "share"),
        )
        for arm, value in (("manual", 30), ("devops", 20), ("mlops", 10))
        for seed in range(10)
    ]
    found = compare_kpis(pd.DataFrame(rows), primary)
    table = display.build_primary_table(found, ml_metrics)
    assert len(table) == primary.tests == 9
    assert (table["p"].astype(float) <= table["Corrected"].astype(float)).all()
    assert display.describe_comparison(found, primary, 0.95) == {"tests": 9, "rejected": 9, "outcomes": 3}


def test_repository_tables_print_what_is_recorded():
    facts, metrics = load_table("kpi/repositories.csv"), load_table("kpi/repository_metrics.csv")
    shown = display.build_repository_table(facts, metrics)
    assert shown["Commits read"].tolist() == facts["commits"].tolist()
    readings = display.build_reading_table(metrics)
    assert len(readings) == 2 * len(facts)
    strict = readings[readings["Counted as failures"] == "reverts"]
    assert strict[display.NAMES[RECOVERY]].str.contains("nothing to recover from").any()
