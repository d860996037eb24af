"""Levels: the published table, how its scales are cut, and probabilities against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.kpi.levels import SILENT, compute_levels, partition_levels
from analysis.kpi.rules import DORA_2021, DORA_2025
from tests.kpi.worked import log_of, row, ten_rows

LEVELS = load_table("kpi/dora_levels.csv")


def cut(year: int, metric: str) -> pd.DataFrame:
    return partition_levels(LEVELS[(LEVELS["year"] == year) & (LEVELS["metric"] == metric)])


def labels(year: int, metric: str) -> list[str]:
    return list(dict.fromkeys(cut(year, metric)["label"]))


def shares(log, year: int, metric: str, rules=DORA_2025) -> dict[str, float]:
    found = compute_levels(log, LEVELS, year, rules)
    return found[found["metric"] == metric].set_index("level")["probability"].to_dict()


def twenty_with(failures: int):
    rows = [row("service.deployed", 10 * n, f"d{n}", change=f"c{n}") for n in range(1, 21)]
    return log_of(
        *rows, *(row("incident.detected", 10 * n + 1, f"i{n}", cause=f"d{n}") for n in range(1, failures + 1))
    )


def test_table_has_four_metrics_a_year_and_no_elite_in_2022():
    assert sorted(set(LEVELS["year"])) == [2019, 2021, 2022, 2023, 2024]
    assert (LEVELS.groupby("year")["metric"].nunique() == 4).all()
    assert "elite" not in set(LEVELS.loc[LEVELS["year"] == 2022, "level"])
    ranges, centres = LEVELS[LEVELS["kind"] == "range"], LEVELS[LEVELS["kind"] == "centre"]
    assert ranges["low"].notna().all() and ranges["centre"].isna().all()
    assert centres["centre"].notna().all() and centres["low"].isna().all()
    assert (ranges["low"] < ranges["high"].fillna(np.inf)).all()


def test_one_answer_has_the_same_bounds_wherever_it_stands():
    # but for "less than one day" below a level of "less than one hour", which begins at an hour
    answers = LEVELS[(LEVELS["kind"] == "range") & (LEVELS["published"] != "Less than one day")]
    assert (answers.groupby("published")[["low", "high"]].nunique(dropna=False) == 1).all(axis=None)


def test_units_of_the_bounds():
    found = LEVELS.set_index(["year", "metric", "level"])
    # once a day 7 a week; once a month 12 in 365/7 weeks; six months 4,380 h, as the reports of 2019 and 2021 count
    # them
    assert found.loc[(2024, "deployments_per_week", "high"), ["low", "high"]].tolist() == [1, 7]
    assert found.loc[(2024, "deployments_per_week", "low"), "high"] == pytest.approx(12 * 7 / 365)
    assert found.loc[(2024, "lead_time_commit_h", "low"), ["low", "high"]].tolist() == [730, 4380]


def test_scales_are_cut_where_levels_begin_and_end():
    assert labels(2024, "lead_time_commit_h") == ["elite", "high", "medium", "low", "worse than low"]
    # 2021: less than an hour, then only from a day on; a week to a month belongs to nobody
    assert labels(2021, "lead_time_commit_h") == [
        "elite",
        "between elite and high",
        "high",
        "between high and medium",
        "medium",
        "low",
    ]
    assert labels(2019, "change_fail_rate") == [
        "elite or high or medium",
        "between elite or high or medium and low",
        "low",
        "worse than low",
    ]
    assert labels(2023, "deployments_per_week") == ["elite", "high", "medium or low", "worse than medium or low"]
    # 2022 has no elite; on demand is high, once a day to once a week is nobody's
    assert labels(2022, "deployments_per_week")[:2] == ["high", "between high and medium"]
    # 2024: centres 5, 10, 20, 40 %, cut half way; the medium cluster fails less than the high one
    assert cut(2024, "change_fail_rate")["label"].tolist() == ["elite", "medium", "high", "low"]
    assert cut(2024, "change_fail_rate")["high"].tolist() == pytest.approx([0.075, 0.15, 0.3, np.inf])


def test_two_failures_in_twenty_leave_several_levels_possible():
    found = shares(twenty_with(2), 2024, "change_fail_rate")
    # Beta(2.5, 18.5)
    cdf = stats.beta(2.5, 18.5).cdf
    assert found == pytest.approx(
        {"elite": cdf(0.075), "medium": cdf(0.15) - cdf(0.075), "high": cdf(0.3) - cdf(0.15), "low": 1 - cdf(0.3)}
    )
    assert min(found["elite"], found["medium"], found["high"]) > 0.2 and max(found.values()) < 0.5


def test_probabilities_of_a_metric_add_up_to_one():
    for log in (twenty_with(2), log_of(*ten_rows())):
        for year in (2019, 2021, 2022, 2023, 2024):
            for rules in (DORA_2025, DORA_2021):
                found = compute_levels(log, LEVELS, year, rules).groupby("metric")["probability"]
                sums = found.sum(min_count=1).dropna()
                assert len(sums) >= 2 and sums.tolist() == pytest.approx([1] * len(sums))


def test_ten_rows():
    log = log_of(*ten_rows())
    # 3 deployments in 4 weeks, Gamma(3.5): seldom more than one a day, P(rate < 1 a week) = P(G(3.5) < 4)
    found = shares(log, 2024, "deployments_per_week")
    gamma = stats.gamma(3.5).cdf
    assert found["high"] == pytest.approx(gamma(28) - gamma(4))
    assert found["medium"] == pytest.approx(gamma(4) - gamma(4 * 12 * 7 / 365))
    # Lead times 2, 24, 48: one below a day. Half way between P(Beta(1, 3) > ½) = 1/8 and P(Beta(2, 2) > ½) = 1/2: 5/16.
    assert shares(log, 2024, "lead_time_commit_h")["elite"] == pytest.approx(5 / 16)
    # One recovery, 6 h: half way between Beta(1, 1) and certainty.
    found = shares(log, 2024, "recovery_time_h")
    assert found["high or medium"] == pytest.approx(0.75 - 0.25)


def test_an_open_incident_counts():
    closed = [row("service.deployed", 1, "d1"), *(row("incident.detected", 2, f"i{n}", cause="d1") for n in range(4))]
    ended = [row("incident.resolved", 2.5, f"i{n}") for n in range(4)]
    assert shares(log_of(*closed, *ended), 2024, "recovery_time_h")["elite"] > 0.95
    assert shares(log_of(*closed, *ended[:2]), 2024, "recovery_time_h")["elite"] < 0.6


def test_a_log_that_never_speaks_of_failures_has_a_level_with_a_caveat():
    deployed = [row("service.deployed", hour, f"d{hour}", change=f"c{hour}") for hour in range(1, 9)]
    notes = compute_levels(log_of(*deployed), LEVELS).set_index("metric")["note"]
    assert set(notes["change_fail_rate"]) == {SILENT} and set(notes["deployments_per_week"]) == {""}
    with_one = compute_levels(log_of(*deployed, row("incident.detected", 20, "i1")), LEVELS).set_index("metric")["note"]
    assert set(with_one["change_fail_rate"]) == {""}


def test_what_is_not_known_has_no_probability_and_says_why():
    found = compute_levels(log_of(row("change.committed", 1, "c")), LEVELS, 2021).set_index("metric")
    assert found.loc["change_fail_rate", "probability"].isna().all()
    assert set(found.loc["change_fail_rate", "note"]) == {"no deployment"}
    assert set(found.loc["mttr_h", "note"]) == {"not defined by these rules"}
    # no deployment in four weeks still says something: Gamma(½)
    assert found.loc["deployments_per_week", "probability"].sum() == pytest.approx(1)


def test_years_without_levels_are_refused_with_the_reason():
    for year, reason in ((2020, "no report"), (2025, "seven team profiles"), (1999, "got 1999")):
        with pytest.raises(InputError, match=reason):
            compute_levels(log_of(*ten_rows()), LEVELS, year)


def test_more_data_make_a_level_certain():
    rows = [row("change.committed", n / 10, f"c{n}") for n in range(80)]
    rows += [row("service.deployed", n / 10 + 30, f"d{n}", change=f"c{n}") for n in range(80)]
    assert shares(log_of(*rows), 2024, "lead_time_commit_h")["high"] > 0.999
    assert shares(log_of(*rows), 2024, "lead_time_commit_h", replace(DORA_2025, lead_start="merge")) != {}
