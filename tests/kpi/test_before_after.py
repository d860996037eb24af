"""Before and after: periods by hand, counts and medians a week, and a known change found again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from analysis.base.errors import InputError
from analysis.kpi.before_after import (
    COLUMNS,
    SERIES,
    build_change_rows,
    compare_before_after,
    compute_series,
    find_periods,
    split_log,
)
from analysis.kpi.dora import compute_dora
from analysis.kpi.events import EventLog, build_events
from analysis.plots.forest import draw_forest

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday
DAY = date(2026, 2, 2)


def event(place: int, time: datetime, kind: str, **more: object) -> dict[str, object]:
    return {"source": "s", "id": str(place), "time": time, "type": kind, "subject": f"x{place}"} | more


def log_of(rows: list[dict], days: float) -> EventLog:
    return EventLog(build_events(rows).lazy(), name="demo", begin=BEGIN, end=BEGIN + timedelta(days=days))


def delivering(weeks: int, change_at: int, seed: int = 1) -> EventLog:
    """A service whose deployments double, whose lead time halves and whose quality recovers at one week."""
    rng = np.random.default_rng(seed)
    rows: list[dict] = []
    for week in range(weeks):
        start = BEGIN + timedelta(weeks=week)
        after = week >= change_at
        for number in range(rng.poisson(12 if after else 6)):
            moment = start + timedelta(hours=float(rng.uniform(0, 167)))
            lead = timedelta(hours=float(rng.lognormal(np.log(12 if after else 24), 0.4)))
            change = f"c{week}-{number}"
            for kind, time in (("change.committed", moment - lead), ("service.deployed", moment)):
                rows.append(event(len(rows), time, kind, change=change, service="svc", subject=change))
        level = 0.1 if after else 0.5
        failing = float(np.clip(rng.normal(level, 0.05), 0, 1)) * 168
        for hours, outcome in ((0.0, "failure"), (failing, "success")):
            time = start + timedelta(hours=hours)
            quality = {"value": 0.4 if outcome == "failure" else 0.8, "target": 0.5, "outcome": outcome}
            rows.append(event(len(rows), time, "observation.recorded", service="svc", **quality))
    return log_of([row for row in rows if row["time"] >= BEGIN], 7 * weeks)


def test_periods_count_from_the_day_and_are_whole():
    # From 1 January to 2 February 32 days: four weeks and four days left over; to 21 February 19 days: two weeks.
    periods = find_periods(log_of([], 51), DAY)
    assert periods.first_after == 4 and len(periods.starts) == 6
    assert periods.starts[0] == datetime(2026, 1, 5, tzinfo=UTC)
    assert periods.starts[4] == datetime(2026, 2, 2, tzinfo=UTC)
    assert find_periods(log_of([], 51), datetime(2026, 2, 2, tzinfo=UTC)) == periods
    assert len(find_periods(log_of([], 51), DAY, days=10).starts) == 3 + 1


@pytest.mark.parametrize(
    ("day", "days", "words"),
    [
        (date(2026, 1, 1), 7, "not between"),
        (date(2027, 1, 1), 7, "not between"),
        (datetime(2026, 2, 2), 7, "no zone"),
        (DAY, 0, "got 0"),
    ],
)
def test_impossible_interventions_are_refused(day, days, words):
    with pytest.raises(InputError, match=words):
        find_periods(log_of([], 51), day, days)


def test_series_by_hand():
    first = datetime(2026, 1, 26, tzinfo=UTC)  # the last whole week before
    rows = [
        event(0, first - timedelta(hours=10), "change.committed", change="a", subject="a", service="svc"),
        event(1, first - timedelta(hours=2), "change.committed", change="b", subject="b", service="svc"),
        event(2, first + timedelta(hours=8), "service.deployed", change="a", service="svc"),  # 18 h
        event(3, first + timedelta(hours=10), "service.deployed", change="b", service="svc"),  # 12 h
        event(4, first + timedelta(days=7), "service.deployed", change="c", service="svc"),  # the day itself
        event(5, first + timedelta(days=8), "incident.detected", service="svc"),
        event(6, BEGIN, "service.deployed", change="z", service="svc"),  # in the left-over days
    ]
    log = log_of(rows, 51)
    periods = find_periods(log, DAY)
    deployments = compute_series(log, "deployments", periods)
    assert deployments["period"].to_list() == [-4, -3, -2, -1, 0, 1]
    assert deployments["value"].to_list() == [0, 0, 0, 2, 1, 0]
    assert compute_series(log, "incidents", periods)["value"].to_list() == [0, 0, 0, 0, 1, 0]
    lead = compute_series(log, "lead_time_commit_h", periods)
    assert lead["value"].to_list() == [None, None, None, 15, None, None]
    assert lead["n"].to_list() == [0, 0, 0, 2, 0, 0]
    with pytest.raises(InputError, match="got 'mood'"):
        compute_series(log, "mood", periods)


def test_shares_of_a_period_know_what_held_before_it():
    rows = [
        event(0, BEGIN, "observation.recorded", outcome="failure", value=0.25, target=0.5),
        event(
            1, datetime(2026, 1, 8, 12, tzinfo=UTC), "observation.recorded", outcome="success", value=0.5, target=0.5
        ),
    ]
    log = log_of(rows, 51)
    periods = find_periods(log, DAY)
    # failing until 8 January 12:00: 84 h of the week from 5 January, half of it at half the quality
    found = compute_series(log, "time_degraded_share", periods)
    assert found["value"].to_list() == pytest.approx([0.5, 0, 0, 0, 0, 0])
    assert found["n"].to_list() == pytest.approx([168] * 6)
    assert compute_series(log, "quality_weighted_uptime", periods)["value"][0] == pytest.approx(0.75)


def test_a_known_change_is_found():
    log = delivering(80, 40)
    found = compare_before_after(log, (BEGIN + timedelta(weeks=40)).date())
    assert list(found.columns) == list(COLUMNS)
    level = found[found["effect"] == "level_change"].set_index("series")
    for series, truth in (("deployments", 2.0), ("lead_time_commit_h", 0.5), ("time_degraded_share", -40.0)):
        row = level.loc[series]
        assert row["low"] < truth < row["high"], series
        assert (
            row["p_value"] < 0.05 and row["p_holm"] >= row["p_value"] and (row["n_before"], row["n_after"]) == (40, 40)
        )
        assert 1.2 < row["durbin_watson"] < 2.9 and 0 <= row["ljung_box_p"] <= 1
    assert level.loc["deployments", "scale"] == level.loc["lead_time_commit_h", "scale"] == "ratio"
    assert level.loc["time_degraded_share", "unit"] == "percentage points"
    assert "fixed-b" in level.loc["deployments", "method"] and level.loc["deployments", "lags"] == 11
    # no incident ever: no ratio, and said so instead of a zero
    none = found[found["series"] == "incidents"].iloc[0]
    assert none["effect"] == "none" and np.isnan(none["value"]) and "not one event" in none["note"]
    assert found[found["series"] == "lead_time_merge_h"].iloc[0]["effect"] == "none"


def test_no_change_is_not_found():
    # Twelve logs without any change: at 95 % hardly three stand out by chance.
    out = 0
    for seed in range(12):
        found = compare_before_after(
            delivering(30, 99, seed), (BEGIN + timedelta(weeks=15)).date(), series=["deployments"]
        )
        out += found.set_index("effect").loc["level_change", "p_value"] < 0.05
    assert out <= 2


def test_transition_and_choices_reach_the_fit():
    log = delivering(30, 15)
    day = (BEGIN + timedelta(weeks=15)).date()
    found = compare_before_after(
        log, day, series=["deployments"], transition=2, slope_change=False, family="negative binomial", lags=3
    )
    assert found["effect"].tolist() == ["slope_before", "level_change", "end_change"]
    row = found.iloc[1]
    assert (row["n_before"], row["n_after"], row["missing"], row["lags"]) == (15, 13, 2, 3)
    assert row["note"].startswith("2 periods of transition left out")
    with pytest.raises(InputError, match="got -1"):
        compare_before_after(log, day, transition=-1)


def test_too_short_a_log_has_no_value_and_says_why():
    found = compare_before_after(delivering(8, 4), (BEGIN + timedelta(weeks=2)).date())
    assert len(found) == len(SERIES) and found["value"].isna().all()
    assert found.set_index("series").loc["deployments", "note"] == "periods before: 2 with a value"
    short = compare_before_after(delivering(12, 6), (BEGIN + timedelta(weeks=6)).date(), series=["deployments"])
    assert short["note"].str.contains("trends are guesses").all()


def test_order_and_repetition_change_nothing():
    log = delivering(24, 12)
    day = (BEGIN + timedelta(weeks=12)).date()
    series = ["deployments", "time_degraded_share"]
    expected = compare_before_after(log, day, series=series)
    events = log.events.collect()
    mixed = pl.concat([events.sample(fraction=1.0, shuffle=True, seed=4), events.head(10)])
    found = compare_before_after(replace(log, events=mixed.lazy()), day, series=series)
    assert found["value"].tolist() == pytest.approx(expected["value"].tolist())


def test_the_sides_add_up_to_the_whole():
    log = delivering(20, 10)
    moment = BEGIN + timedelta(weeks=10)
    before, after = split_log(log, moment)
    assert (before.begin, before.end, after.begin, after.end) == (BEGIN, moment, moment, log.end)
    assert (before.name, after.name) == ("demo, before", "demo, after")
    counts = [compute_dora(side).set_index("metric").loc["deployments_per_week", "n"] for side in (log, before, after)]
    assert counts[0] == counts[1] + counts[2]


def test_changes_become_a_forest_plot():
    found = compare_before_after(delivering(40, 20), (BEGIN + timedelta(weeks=20)).date())
    rows = build_change_rows(found)
    assert set(rows["group"]) == {"Deployments", "Median lead time from commit"}
    assert rows["label"].tolist()[:3] == ["change of level", "change of slope", "difference in the last period"]
    assert rows["hollow"].tolist()[:3] == [False, False, True]
    figure = draw_forest(rows, axis_title="Ratio (95% interval)", log=True)
    assert len([line for line in figure.axes[0].lines if line.get_marker() == "o"]) == len(rows)
    assert set(build_change_rows(found, scale="difference")["group"]) == {
        "Share of time degraded",
        "Quality-weighted uptime",
    }
