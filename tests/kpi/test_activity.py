"""Deployments by week and month: nothing lost, periods cut where the span is, intervals of Poisson counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.kpi.activity import DEPLOYED, FAILED, choose_period, compute_activity, compute_activity_trend
from analysis.kpi.rules import DORA_2025
from analysis.kpi.samples import collect_samples
from tests.kpi.worked import T0, log_of, row, ten_rows


def samples(*rows, weeks=4):
    return collect_samples(log_of(*rows, weeks=weeks), DORA_2025)


def test_worked_log_by_week():
    """d1, d2, d3 at 24, 72, 78 h: all in the first of four weeks, d2 failed."""
    table = compute_activity(samples(*ten_rows()), "week")
    deployed, failed = (table[table["metric"] == metric] for metric in (DEPLOYED, FAILED))
    assert list(deployed["count"]) == [3, 0, 0, 0] and list(failed["count"]) == [1, 0, 0, 0]
    assert list(deployed["period"]) == ["2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26"]
    assert deployed["whole"].all()
    # Garwood: 3 events 0.6187 to 8.7673, none 0 to 3.6889 (Garwood 1936, table; ppf of chi-square / 2)
    assert deployed["low"].iloc[0] == pytest.approx(0.6187, abs=1e-4)
    assert deployed["high"].iloc[0] == pytest.approx(8.7673, abs=1e-4)
    assert deployed["high"].iloc[1] == pytest.approx(3.6889, abs=1e-4)


def test_months_are_cut_at_the_span():
    """Four weeks from 5 January: 27 days of January and one of February, whose rates are by the days watched."""
    table = compute_activity(samples(*ten_rows()), "month")
    january, february = table[table["metric"] == DEPLOYED].to_dict("records")
    assert not january["whole"] and not february["whole"]
    assert january["value"] == pytest.approx(3 / (27 / 7))
    assert (february["begin"], february["end"]) == (datetime(2026, 2, 1, tzinfo=UTC), T0 + timedelta(weeks=4))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 12 * 168, exclude_max=True), min_size=1, max_size=12), st.sampled_from(["week", "month"]))
def test_every_deployment_is_in_one_period(hours, period):
    rows = [row("service.deployed", hour, f"d{place}", change=f"c{place}") for place, hour in enumerate(hours)]
    table = compute_activity(samples(*rows, weeks=12), period)
    deployed = table[table["metric"] == DEPLOYED]
    assert deployed["count"].sum() == len(hours)
    assert (deployed["begin"].iloc[1:].to_numpy() == deployed["end"].iloc[:-1].to_numpy()).all()


def test_weeks_for_short_logs_and_months_for_long_ones():
    assert choose_period(samples(*ten_rows(), weeks=20)) == "week"
    assert choose_period(samples(*ten_rows(), weeks=60)) == "month"


def test_trend_of_a_rising_series():
    """One deployment in the first whole week, two in the second, …: one more a week, each week."""
    rows = [
        row("service.deployed", 168 * week + 10 * number + 1, f"d{week}-{number}", change=f"c{week}-{number}")
        for week in range(8)
        for number in range(week + 1)
    ]
    trend = compute_activity_trend(compute_activity(samples(*rows, weeks=8), "week")).set_index("metric")
    assert trend.loc[DEPLOYED, "slope"] == pytest.approx(1.0)
    assert trend.loc[FAILED, "slope"] == 0
    assert len(compute_activity_trend(compute_activity(samples(*rows, weeks=0.9), "week"))) == 0


def test_refuses_what_is_no_period():
    with pytest.raises(InputError, match="one of: week, month"):
        compute_activity(samples(*ten_rows()), "day")
    with pytest.raises(InputError, match="covers no time"):
        compute_activity(samples(row("service.deployed", 1, "d1", change="c1"), weeks=None), "week")


def test_many_years_are_told_by_quarter():
    rows = [row("service.deployed", 24 * day, f"d{day}", change=f"c{day}") for day in range(0, 600, 50)]
    found = samples(*rows, weeks=6 * 53)
    assert choose_period(found) == "quarter"
    table = compute_activity(found)
    deployed = table[table["metric"] == DEPLOYED].set_index("period")
    # From Monday, 5 January 2026: 1 January to 31 March is cut; days 100 (15 April) and 150 (4 June) are in the second.
    assert not deployed.loc["2026-Q1", "whole"] and deployed.loc["2026-Q2", "count"] == 2
    assert deployed.loc["2026-Q2", "value"] == pytest.approx(2 / 13)  # 91 days are 13 weeks
    assert set(compute_activity_trend(table)["unit"]) == {"1/week a quarter"}
