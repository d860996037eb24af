"""Metrics in words: units that suit, one-sided intervals said as such, nothing where nothing is known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from analysis.kpi.display import (
    build_findings_table,
    build_metric_table,
    count_rows,
    format_interval,
    format_measure,
    name_metric,
)
from analysis.kpi.dora import compute_dora
from analysis.kpi.findings import Finding, build_findings
from analysis.kpi.mlkpi import compute_ml_kpis, load_ml_metrics
from tests.kpi.worked import log_of, row, ten_rows

NAN = float("nan")


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.0, "0.0 h"), (0.004, "14.4 s"), (0.5, "30.0 min"), (1.0, "1.0 h"), (47.9, "47.9 h"), (48.0, "2.0 days")],
)
def test_hours_take_the_unit_that_suits(hours, text):
    assert format_measure(hours, "h") == text


def test_thousands_of_days_have_no_decimals():
    assert format_measure(24 * 1234.6, "h") == "1,235 days"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0.25, 0.1, 0.5, "share"), "10.0–50.0%"),
        ((2.0, NAN, 4.0, "h"), "at most 4.0 h"),
        ((2.0, NAN, NAN, "h"), "none"),
        ((0.3, 0.2, 0.4, "1/week"), "0.20–0.40 a week"),
        ((48.0, 12.0, 96.0, "h"), "0.5–4.0 days"),
        ((0.1, -0.2, 0.3, "share"), "-20.0 to 30.0%"),
    ],
)
def test_intervals(arguments, text):
    assert format_interval(*arguments) == text


def test_names_of_quantiles_and_means():
    assert name_metric("recovery_time_h_mean") == "Failed deployment recovery time, mean"
    assert name_metric("time_to_detect_h_p90") == "Time to detect, 90% within"
    assert name_metric("something_else") == "something_else"


def test_every_model_metric_has_its_own_name():
    names = [name_metric(key) for key in load_ml_metrics().index]
    assert len(set(names)) == len(names) and not set(names) & set(load_ml_metrics().index)


def test_worked_log_in_words():
    """c1 24 h, c2 48 h, c3 2 h: median 24 h of three changes, too few for an interval."""
    table = build_metric_table(compute_dora(log_of(*ten_rows()))).set_index("key")
    lead = table.loc["lead_time_commit_h"]
    assert (lead["value"], lead["interval"], lead["n"]) == ("24.0 h", "none", "3 changes")
    assert "no interval: it takes 6 values" in lead["note"]
    assert table.loc["change_fail_rate", "value"] == "33.3%"  # d2 of three
    assert table.loc["deployments_per_week", "value"] == "0.75 a week"  # three in four weeks


def test_nothing_to_recover_from_is_no_zero():
    log = log_of(row("change.committed", 0, "c1"), row("service.deployed", 5, "d1", change="c1"))
    table = build_metric_table(compute_dora(log)).set_index("key")
    assert table.loc["recovery_time_h", "value"] == "no value"
    assert table.loc["recovery_time_h", "interval"] == table.loc["recovery_time_h", "n"] == ""
    assert "nothing to recover from" in table.loc["recovery_time_h", "note"]


def test_further_quantiles_can_be_left_out():
    table = compute_dora(log_of(*ten_rows()))
    assert any(key.endswith("_p90") for key in build_metric_table(table)["key"])
    assert not any(key.endswith(("_p90", "_mean")) for key in build_metric_table(table, quantiles=False)["key"])
    assert "compute_s_per_promotion" in set(
        build_metric_table(compute_ml_kpis(log_of(*ten_rows())), quantiles=False)["key"]
    )


def test_one_and_many():
    events = [row("change.committed", 0, "c1"), row("service.deployed", 5, "d1", change="c1")]
    table = build_metric_table(compute_dora(log_of(*events))).set_index("key")
    assert table.loc["lead_time_commit_h", "n"] == "1 change"
    assert table.loc["deployments_per_week", "n"] == "1 deployment"


def findings(*kinds: str) -> pl.DataFrame:
    return build_findings([Finding("log", 1, "", kind, "it is odd", "kept", "") for kind in kinds])


def test_findings_that_stand_for_many_count_as_many():
    more = Finding("log", 9, "", "a", "and 1,200 more of this kind after this one, which are treated alike", "kept", "")
    assert count_rows(pl.concat([findings("a", "b"), build_findings([more])])) == [
        ("a", "kept", 1201),
        ("b", "kept", 1),
    ]


def test_rare_kinds_share_a_row_and_none_is_lost():
    frame = findings(*"aaabbcde")
    short = build_findings_table(frame, kinds=3)
    assert list(short["finding"]) == ["a", "b", "3 further kinds"]
    assert short["count"].sum() == build_findings_table(frame)["count"].sum() == 8
    assert np.array_equal(build_findings_table(findings())["count"], [])
