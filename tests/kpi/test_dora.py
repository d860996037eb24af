"""The metrics of hand-worked logs: the arithmetic stands beside each number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.kpi.dora import COLUMNS, compute_dora
from analysis.kpi.rules import DEVLAKE, DORA_2021, DORA_2024, DORA_2025, FOUR_KEYS, FOUR_KEYS_TEXT, Rules
from analysis.kpi.samples import SAYS_REMEDIES
from analysis.kpi.trend import compute_trend
from tests.kpi.worked import log_of, row, ten_rows


def metrics(log, rules: Rules = DORA_2025, **options) -> pd.DataFrame:
    return compute_dora(log, rules, **options).set_index("metric")


def near(*values: float):
    return pytest.approx(list(values), abs=5e-4, nan_ok=True)


def near_to(value: float):
    return pytest.approx(value, abs=5e-4)


def bounds(found: pd.Series) -> list[float]:
    return [found["value"], found["low"], found["high"]]


def test_ten_rows_under_dora_2025():
    found = metrics(log_of(*ten_rows()))
    # Lead times 24, 48, 2: median 24; three values have no 95 % interval.
    assert bounds(found.loc["lead_time_commit_h"]) == near(24, np.nan, np.nan)
    assert found.loc["lead_time_commit_h", "n"] == 3
    # From merge only c1: 4 h; the two others have no merge, and that is said.
    assert found.loc["lead_time_merge_h", "value"] == 4
    assert found.loc["lead_time_merge_h", "note"] == "2 left out: the log has no merge of the change"
    # 3 deployments in 4 weeks; Garwood's limits of 3 are 0.6187 and 8.7673, by 4.
    assert bounds(found.loc["deployments_per_week"]) == near(0.75, 0.1547, 2.1918)
    # 1 of 3 failed (d2); Wilson: (1 + 1.92 ± 1.96·√(1·2/3 + 0.96))/(3 + 3.84)
    assert bounds(found.loc["change_fail_rate"]) == near(1 / 3, 0.0615, 0.7923)
    # i1: 6 h. i2 is nobody's fault here and no recovery from a deployment.
    assert bounds(found.loc["recovery_time_h"])[0] == 6
    assert found.loc["recovery_time_h", "n"] == 1
    # d3 remedies i1: 1 of 3.
    assert bounds(found.loc["rework_rate"]) == near(1 / 3, 0.0615, 0.7923)


def test_ten_rows_under_the_older_four():
    found = metrics(log_of(*ten_rows()), DORA_2021)
    # Mean time to restore counts i2 too, still open after 572 h: ½ beyond 6 h, so 6 + ½·566 = 289 at least.
    assert found.loc["mttr_h", "value"] == 289
    assert found.loc["mttr_h", "n"] == 2
    assert "1 of 2 still open" in found.loc["mttr_h", "note"]
    assert "rework_rate" not in found.index


def test_ten_rows_under_dora_2024_devlake_and_four_keys():
    log = log_of(*ten_rows())
    assert metrics(log, DORA_2024).loc["rework_rate", "value"] == near_to(1 / 3)
    devlake = metrics(log, DEVLAKE)
    # Latest deployment before each incident: i1 → d2, i2 → d3; 2 of 3 failed. Recovery from deployment: 80 − 72 = 8, i2
    # open.
    assert devlake.loc["change_fail_rate", "value"] == near_to(2 / 3)
    assert devlake.loc["recovery_time_h", "value"] == 8
    assert devlake.loc["recovery_time_h", "note"] == "1 left out: still open, left out by the rules"
    # c1 came with the first deployment and has no deploy time; c2 and c3 have no merge: nothing left.
    assert np.isnan(devlake.loc["lead_time_commit_h", "value"])
    # Deployment days: 6, 8 and 8 January (24, 72, 78 h), all in the first of four weeks: 2, 0, 0, 0; lower median 0.
    assert devlake.loc["deployments_per_week", "value"] == 0
    keys = metrics(log, FOUR_KEYS)
    # Named only: i1 → d2. One incident by three deployments; Garwood's limits of 1 by 3.
    assert bounds(keys.loc["change_fail_rate"]) == near(1 / 3, 0.0253 / 3, 5.5716 / 3)
    # i1 from d2 (72) to 80, i2 dropped.
    assert keys.loc["mttr_h", "value"] == 8
    text = metrics(log, FOUR_KEYS_TEXT)
    assert bounds(text.loc["change_fail_rate"]) == near(1 / 3, 0.0615, 0.7923)


def test_incidents_of_nobody_are_said_beside_the_fail_rate():
    found = metrics(log_of(*ten_rows()))
    assert found.loc["change_fail_rate", "note"].startswith("1 of 2 incidents belong to no deployment")
    by_week = compute_dora(log_of(*ten_rows()), by=("week",))
    assert not by_week.loc[by_week["metric"] == "change_fail_rate", "note"].str.contains("belong to no").any()


def test_a_log_that_never_speaks_of_failures_has_no_rate_of_rework_without_a_caveat():
    found = metrics(log_of(*(row("service.deployed", hour, f"d{hour}", change=f"c{hour}") for hour in (1, 2, 3))))
    for metric in ("change_fail_rate", "rework_rate"):
        assert found.loc[metric, "value"] == 0
        assert "only if it would have them" in found.loc[metric, "note"]


def test_two_incidents_of_one_deployment_are_one_failure_or_two():
    log = log_of(
        row("service.deployed", 10, "d1", change="c1"),
        row("service.deployed", 20, "d2", change="c2"),
        *(row("incident.detected", 21 + number, f"i{number}", cause="d2") for number in range(3)),
    )
    assert metrics(log).loc["change_fail_rate", "value"] == 0.5
    assert metrics(log, FOUR_KEYS).loc["change_fail_rate", "value"] == 1.5


def test_rounding_and_zeros_of_the_tools():
    log = log_of(
        row("service.deployed", 0, "d0", change="c0"),
        row("change.committed", 1, "c1"),
        row("change.merged", 1.5, "c1"),
        row("service.deployed", 2 + 0.5 / 60, "d1", change="c1"),  # half a minute past the hour
        row("change.committed", 9.999, "c2"),
        row("service.deployed", 10, "d2", change="c2"),  # 3.6 s
        row("incident.detected", 12, "i1", cause="d2"),
        row("incident.resolved", 13.9, "i1"),
    )
    # Four Keys: whole minutes cut, so 60 min; c2 rounds to 0 and is taken for an automated push; c0 has no commit.
    keys = metrics(log, FOUR_KEYS)
    assert (keys.loc["lead_time_commit_h", "value"], keys.loc["lead_time_commit_h", "n"]) == (1, 1)
    assert "less than a minute" in keys.loc["lead_time_commit_h", "note"]
    # whole hours: from d2 at 10 to 13.9 is 3.9, cut to 3
    assert keys.loc["mttr_h", "value"] == 3
    # DevLake rounds each stage up: 30 min to the merge and 31 from there; its c2 has no merge.
    assert metrics(log, DEVLAKE).loc["lead_time_commit_h", "value"] == near_to(61 / 60)
    assert metrics(log).loc["lead_time_commit_h", "n"] == 2


def test_central_values():
    rows = [
        item
        for n, hours in enumerate([1, 2, 4, 9])
        for item in (row("change.committed", 0, f"c{n}"), row("service.deployed", hours, f"d{n}", change=f"c{n}"))
    ]
    log = log_of(*rows)
    for central, value in (("median", 3), ("lower median", 2), ("mean", 4)):
        assert metrics(log, replace(DORA_2025, central=central)).loc["lead_time_commit_h", "value"] == value
    # t interval of 1, 2, 4, 9: s = √(38/3) = 3.559, t(3) = 3.182; 4 ± 3.182·3.559/2 = −1.66 … 9.66, from 0
    assert bounds(metrics(log, replace(DORA_2025, central="mean")).loc["lead_time_commit_h"]) == near(4, 0, 9.6634)
    # one value a deployment: d carries c4 and c5 with 10 and 20 h, median 15
    both = [row("change.committed", 100, "c4"), row("change.committed", 90, "c5")]
    both += [row("service.deployed", 110, "d", change=name) for name in ("c4", "c5")]
    per = replace(DORA_2025, lead_unit="deployment")
    assert metrics(log_of(*both), per).loc["lead_time_commit_h", ["value", "n"]].tolist() == [15, 1]


def test_days_with_a_deployment_by_calendar_week():
    # Week of 5 January: Monday, Tuesday (twice), Sunday; weeks of 12, 19 and 26 January: Wednesday, none, Monday.
    hours = [1, 25, 30, 6 * 24 + 1, 168 + 48, 3 * 168]
    log = log_of(*(row("service.deployed", h, f"d{h}", change=f"c{h}") for h in hours))
    # Weeks from Monday: 3, 1, 0, 1 days; median 1.
    monday = replace(DORA_2025, frequency="days a week")
    assert metrics(log, monday).loc["deployments_per_week", ["value", "n"]].tolist() == [1, 4]
    # Weeks from Sunday, 4 January on: (Mon, Tue) 2, (Sun, Wed) 2, 0, (Mon) 1, and of the week of 1 February one day, 0.
    sunday = replace(monday, week_start="sunday")
    assert metrics(log, sunday).loc["deployments_per_week", ["value", "n"]].tolist() == [1, 5]


def test_nothing_at_all_is_no_zero_but_no_deployment_is():
    found = metrics(log_of(row("change.committed", 5, "c1")))
    assert found.loc["deployments_per_week", "value"] == 0
    # none in 4 weeks: −ln 0.025 / 4
    assert found.loc["deployments_per_week", "high"] == pytest.approx(-np.log(0.025) / 4)
    for metric in ("lead_time_commit_h", "recovery_time_h", "change_fail_rate", "rework_rate"):
        assert np.isnan(found.loc[metric, "value"])
    assert found.loc["recovery_time_h", "note"] == "nothing to recover from"
    assert found.loc["change_fail_rate", "note"] == "no deployment"
    keys = metrics(log_of(row("service.deployed", 700, "d1"), row("change.committed", 5, "c1")), FOUR_KEYS)
    assert np.isnan(keys.loc["lead_time_commit_h", "value"])
    assert "the tool prints 0 here" in keys.loc["lead_time_commit_h", "note"]


def test_months_without_incidents_have_no_recovery_time():
    log = log_of(
        row("service.deployed", 10, "d1"),
        row("incident.detected", 11, "i1", cause="d1"),
        row("incident.resolved", 15, "i1"),
        row("service.deployed", 40 * 24, "d2"),
        weeks=12,  # 5 January to 30 March
    )
    found = compute_dora(log, by=("month",)).set_index(["metric", "period"])
    assert found.loc["recovery_time_h"]["value"].tolist() == near(4, np.nan, np.nan)
    assert found.loc[("recovery_time_h", "2026-02"), "note"] == "nothing to recover from"
    # January has 26.99 of 31 days: 1 by 27/7 weeks; February 1 by 4; March 0 by 29/7
    assert found.loc["deployments_per_week"]["value"].tolist() == near(7 / 27, 0.25, 0)
    assert found.loc[("deployments_per_week", "2026-01"), "note"] == "only 27.0 of 31 days watched"
    assert found.loc[("change_fail_rate", "2026-03"), "note"] == "no deployment"


def test_services_and_weeks_are_told_apart():
    log = log_of(
        *ten_rows(),
        row("service.deployed", 200, "t1", service="till"),
        row("service.deployed", 210, "u1", service=None),
    )
    found = compute_dora(log, by=("service", "week")).set_index(["metric", "service", "period"]).sort_index()
    rate = found.loc["deployments_per_week"]["value"]
    assert rate.loc[("shop", "2026-01-05")] == 3 and rate.loc[("till", "2026-01-12")] == 1
    assert rate.loc["till"].tolist() == [0, 1, 0, 0]
    assert len(found.loc["change_fail_rate"]) == 12  # three services, one without name, by four weeks
    by_service = compute_dora(log, by=("service",))
    counts = by_service[by_service["metric"] == "deployments_per_week"]
    assert counts["n"].tolist() == [3, 1, 1]
    assert counts["service"].isna().tolist() == [False, False, True]


def test_impossible_durations_are_left_out_and_said():
    log = log_of(
        row("change.committed", 30, "c1"),
        row("service.deployed", 24, "d1", change="c1"),
        row("incident.detected", 40, "i1", cause="d1"),
        row("incident.resolved", 35, "i1"),
    )
    found = metrics(log)
    assert found.loc["lead_time_commit_h", "note"] == "1 left out: deployed before its first commit"
    assert found.loc["recovery_time_h", "note"] == "1 left out: over before it began"
    assert found.loc["change_fail_rate", "value"] == 1


def test_what_a_log_cannot_say_is_not_zero():
    log = log_of(row("service.deployed", 10, "d1"), row("incident.detected", 11, "i1"))
    found = metrics(log)
    assert np.isnan(found.loc["rework_rate", "value"])
    assert found.loc["rework_rate", "note"] == "no deployment of this log says what it remedies"
    assert found.loc["change_fail_rate", "note"] == "1 of 1 incidents attributed by inference"
    # A source that would say so, and does not, means none.
    assert metrics(replace(log, about={SAYS_REMEDIES: True})).loc["rework_rate", "value"] == 0
    silent = metrics(log_of(row("service.deployed", 10, "d1")))
    assert silent.loc["change_fail_rate", "value"] == 0
    assert "no incident and no rollback at all" in silent.loc["change_fail_rate", "note"]


def test_too_many_open_incidents_leave_the_median_open():
    rows = [row("service.deployed", 1, "d1"), row("incident.resolved", 5, "i0")]
    rows += [row("incident.detected", 2, f"i{n}", cause="d1") for n in range(3)]
    found = metrics(log_of(*rows))
    assert np.isnan(found.loc["recovery_time_h", "value"])
    assert found.loc["recovery_time_h", "note"].startswith(
        "not reached: too many are open; the longest was watched for 670.0 h"
    )
    # 3 h of all, 667 h of two thirds: 3 + ⅔·667 = 447.67
    assert found.loc["recovery_time_h_mean", "value"] == near_to(3 + 2 / 3 * 667)


def test_clustered_deployments_are_said_to_be_no_poisson_process():
    steady = [row("service.deployed", 168 * week + 20 * n, f"d{week}-{n}") for week in range(8) for n in range(4)]
    bursts = [row("service.deployed", 168 * week + n, f"d{week}-{n}") for week in (0, 4) for n in range(16)]
    assert metrics(log_of(*steady, weeks=8)).loc["deployments_per_week", "note"] == ""
    # counts 16,0,0,0,16,0,0,0 with mean 4: (2·144 + 6·16)/4 / 7 = 13.7
    assert "13.7 times" in metrics(log_of(*bursts, weeks=8)).loc["deployments_per_week", "note"]


def test_table_is_tidy_and_options_are_checked():
    table = compute_dora(log_of(*ten_rows()), quantiles=(0.25,), confidence=0.8)
    assert tuple(table.columns) == COLUMNS
    assert set(table["confidence"].dropna()) == {0.8}
    assert "lead_time_commit_h_p25" in set(table["metric"])
    for by in (("day",), ("week", "month")):
        with pytest.raises(InputError, match="grouping"):
            compute_dora(log_of(*ten_rows()), by=by)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 40), st.booleans()), min_size=1, max_size=12))
def test_weeks_add_up_to_the_whole(cases):
    rows = [row("change.committed", 0, "c")]
    for n, (hours, wait, broken) in enumerate(cases):
        rows.append(row("service.deployed", hours, f"d{n}", change=f"c{n}"))
        rows.append(row("change.committed", hours - wait, f"c{n}"))
        if broken:
            rows.append(row("incident.detected", hours + 1, f"i{n}", cause=f"d{n}"))
    log = log_of(*rows)
    whole, weekly = metrics(log), compute_dora(log, by=("week",)).set_index("metric")
    for metric in ("lead_time_commit_h", "deployments_per_week", "change_fail_rate", "recovery_time_h"):
        assert weekly.loc[metric, "n"].sum() == whole.loc[metric, "n"]
        low, value, high = whole.loc[metric, ["low", "value", "high"]]
        assert np.isnan(value) or np.isnan(low) or low <= value + 1e-9
        assert np.isnan(value) or np.isnan(high) or value <= high + 1e-9


def test_trend():
    table = pd.DataFrame(
        {
            "metric": "m",
            "service": "all",
            "period": [f"2026-{month:02}" for month in range(1, 9)],
            "value": [1.0, 3.0, np.nan, 7.0, 9.0, 50.0, 13.0, 15.0],
            "unit": "h",
        }
    )
    # All pairs but those with the outlier of June lie on 2 h a month; the missing month keeps its place.
    found = compute_trend(table).loc[0]
    assert (found["slope"], found["n"], found["unit"]) == (2, 7, "h a month")
    assert found["low"] <= 2 <= found["high"]
    few = compute_trend(table.head(4)).loc[0]
    assert few["slope"] == 2 and np.isnan(few["low"]) and "no interval" in few["note"]
    with pytest.raises(InputError, match="trend"):
        compute_trend(table.assign(period="all"))


def test_lead_times_from_the_proposal_say_so():
    log = log_of(row("change.created", 2, "c1"), row("service.deployed", 12, "d1", change="c1"))
    found = metrics(log).loc["lead_time_commit_h"]
    assert (found["value"], found["note"]) == (10, "from the proposal: the log has no commits")
    assert metrics(log, FOUR_KEYS).loc["lead_time_commit_h", "n"] == 0
