"""Definitions side by side: values as each set computes them, reasons as counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.kpi.dora import compute_dora
from analysis.kpi.facts import LEAD_FIELDS, compute_lead_times
from analysis.kpi.multiverse import COLUMNS, DIFFERENCES, compute_differences, compute_multiverse, list_rules
from analysis.kpi.reading import READING_FIELDS, read_log
from analysis.kpi.rule_words import differing_fields
from analysis.kpi.rules import DEVLAKE, DORA_2025, FOUR_KEYS, RULE_SETS
from tests.kpi.worked import log_of, row, ten_rows

SETS = (DORA_2025, FOUR_KEYS, DEVLAKE)
FOUR_WEEKS = [replace(FOUR_KEYS, window_months=None)]


@pytest.fixture(scope="module")
def table():
    return compute_multiverse(log_of(*ten_rows()), SETS).set_index(["metric", "rules"])


@pytest.fixture(scope="module")
def differences():
    return compute_differences(log_of(*ten_rows()), SETS).set_index(["metric", "rules", "field"])


def test_values_are_those_of_each_set_alone(table):
    for rules in SETS:
        alone = compute_dora(log_of(*ten_rows()), rules, quantiles=()).set_index("metric")
        for metric in rules.metrics:
            shown = table.loc[(metric, rules.name)]
            np.testing.assert_equal(
                shown[["value", "low", "high", "n"]].tolist(), alone.loc[metric, ["value", "low", "high", "n"]].tolist()
            )


def test_a_metric_that_a_set_does_not_define_has_no_value(table):
    assert tuple(table.reset_index().columns) == COLUMNS
    assert np.isnan(table.loc[("rework_rate", "DevLake"), "value"])
    assert table.loc[("rework_rate", "DevLake"), "note"] == "not defined by these rules"


def test_differences_are_counted(differences):
    assert set(differences.reset_index().columns) == set(DIFFERENCES)
    # DevLake blames i2 on d3, the latest before it: of three deployments d3 alone is read otherwise, 1/3 → 2/3.
    found = differences.loc[("change_fail_rate", "DevLake", "attribution")]
    assert (found["affected"], found["of"], found["what"]) == (1, 3, "deployments")
    assert (found["value_instead"], found["value"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    # Recovery of i1 from d2 on: 8 h instead of 6 h.
    found = differences.loc[("recovery_time_h", "DevLake", "recovery_start")]
    assert (found["affected"], found["of"], found["value_instead"], found["value"]) == (1, 1, 6, 8)
    # Leaving the first deployment's changes out takes c1: lead times 48 and 2, median 25 instead of 24.
    found = differences.loc[("lead_time_commit_h", "DevLake", "lead_first")]
    assert (found["affected"], found["of"], found["value_instead"], found["value"]) == (1, 3, 24, 25)
    # Another statistic of the same deployments: three of one week, on two days.
    found = differences.loc[("deployments_per_week", "Four Keys (SQL)", "frequency")]
    assert (found["affected"], found["of"], found["value"]) == (0, 3, 0)


def test_reasons_name_what_matters_and_count_the_rest(table):
    text = table.loc[("change_fail_rate", "DevLake"), "differs"]
    assert "1 of 3 deployments read otherwise, 33.33% → 66.67%" in text
    assert "further choices make no difference on this log" in text
    assert table.loc[("change_fail_rate", "DORA 2025"), "differs"] == ""
    assert "same deployments, other statistic, 0.75 → 0.00" in table.loc[("deployments_per_week", "DevLake"), "differs"]


def test_a_choice_that_changes_nothing_on_this_log_is_not_given_as_reason():
    log = log_of(row("service.deployed", 1, "d1"), row("service.deployed", 200, "d2"))
    table = compute_multiverse(log, (DORA_2025, replace(DORA_2025, name="same day", same_day="one")))
    shown = table[(table["rules"] == "same day") & (table["metric"] == "deployments_per_week")]
    assert shown["differs"].tolist() == ["1 further choice makes no difference on this log"]


def test_incidents_in_the_numerator_are_another_count_of_the_same_deployments():
    log = log_of(
        row("service.deployed", 1, "d1", change="c1"),
        *(row("incident.detected", 2 + n, f"i{n}", cause="d1") for n in range(2)),
    )
    found = compute_differences(log, (DORA_2025, *FOUR_WEEKS)).set_index(["metric", "field"])
    shown = found.loc[("change_fail_rate", "failure_unit")]
    assert (shown["value_instead"], shown["value"], shown["affected"]) == (1, 2, 1)


def test_window_takes_deployments_away():
    log = log_of(row("service.deployed", 1, "d1"), row("service.deployed", 2400, "d2"), weeks=16)
    short = replace(DORA_2025, name="short", window_months=1)
    found = compute_differences(log, (DORA_2025, short)).set_index(["metric", "field"])
    assert found.loc[("deployments_per_week", "window_months"), ["affected", "of"]].tolist() == [1, 2]


def test_identical_rules_differ_in_nothing():
    assert compute_differences(log_of(*ten_rows()), (DORA_2025, replace(DORA_2025, name="twin"))).empty
    assert differing_fields(DORA_2025, DORA_2025, "change_fail_rate") == ()


def test_rules_can_be_listed():
    listed = list_rules()
    assert len(listed) == sum(len(rules.metrics) for rules in RULE_SETS.values())
    assert listed["definition"].str.len().min() > 10


def test_fields_that_are_said_not_to_matter_do_not():
    """What is looked at once for rules that agree in some fields must not depend on the others."""
    log = log_of(*ten_rows())
    for fields_, look in ((READING_FIELDS, read_frames), (LEAD_FIELDS, lead_frames)):
        for rules in SETS:
            same = replace(DORA_2025, **{name: getattr(rules, name) for name in fields_})
            assert look(log, rules) == look(log, same)


def read_frames(log, rules):
    reading = read_log(log, rules)
    return [frame.to_dicts() for frame in (reading.deployments, reading.rollbacks, reading.incidents)]


def lead_frames(log, rules):
    return sorted(compute_lead_times(log, rules).collect().rows(), key=repr)
