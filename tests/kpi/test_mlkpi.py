"""Metrics of models on hand-worked logs: every definition with its arithmetic beside it."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.experiment.outcomes import compute_degradations as compute_true_degradations
from analysis.experiment.outcomes import compute_outcomes, load_run
from analysis.kpi.events import EventLog, build_events, merge_logs
from analysis.kpi.ml_facts import collect_ml_events, compute_degradations
from analysis.kpi.ml_models import compute_batches, compute_models_in_use, compute_trainings
from analysis.kpi.mlkpi import COLUMNS, compute_ml_kpis, load_ml_metrics
from analysis.kpi.sources.cdevents import read_cdevents

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
RECORDED = Path(__file__).parents[2] / "data" / "experiment" / "recorded"


def at(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def log_of(rows: list[tuple], hours: float = 100, **defaults: object) -> EventLog:
    """Rows of (hour, type, subject, further columns); one event each unless they share an id."""
    events = [
        {"source": "s", "id": f"e{place}", "time": at(hour), "type": kind, "subject": subject} | defaults | more
        for place, (hour, kind, subject, more) in enumerate(rows)
    ]
    return EventLog(build_events(events).lazy(), begin=BEGIN, end=at(hours))


def values(log: EventLog, **options: object) -> dict[str, float]:
    table = compute_ml_kpis(log, resamples=50, **options)
    return dict(zip(table["metric"], table["value"], strict=True))


DEGRADED = [
    (10, "degradation.started", "d1", {}),
    (13, "drift.detected", "svc", {}),
    (20, "degradation.ended", "d1", {}),
    (28, "incident.detected", "i1", {"service": "svc"}),
    (30, "degradation.started", "d2", {}),
    (35, "incident.resolved", "i1", {"service": "svc"}),
    (36, "incident.detected", "i2", {}),
    (50, "degradation.ended", "d2", {}),
    (51, "incident.resolved", "i2", {}),
    (60, "degradation.started", "d3", {}),
    (64, "degradation.ended", "d3", {}),
    (90, "degradation.started", "d4", {}),
    (96, "incident.detected", "i3", {}),
]


def test_times_to_detect_and_to_restore():
    # d1 10–20, drift alarm at 13: 3 h to detect, 10 to restore
    # d2 30–50, incident i1 open since 28: 0 h, 20
    # d3 60–64, nobody noticed: 4 h censored, 4
    # d4 90–,   incident at 96: 6 h; still open at 100: 10 h censored
    found = compute_degradations(collect_ml_events(log_of(DEGRADED)))
    assert found["detect_hours"].to_list() == [3, 0, 4, 6]
    assert found["noticed"].to_list() == [True, True, False, True]
    assert found["hours"].to_list() == [10, 20, 4, 10]
    assert found["censored"].to_list() == [False, False, False, True]
    # Kaplan–Meier of 0, 3, 4+, 6: 3/4 from 0, 3/4·2/3 = 1/2 from 3 to 6: the median is the middle, 4.5
    # of 4, 10, 10+, 20: 3/4 from 4, 3/4·2/3 = 1/2 from 10 to 20: 15
    table = compute_ml_kpis(log_of(DEGRADED)).set_index("metric")
    assert table.loc["time_to_detect_h", "value"] == 4.5
    assert table.loc["time_to_restore_h", "value"] == 15
    assert table.loc["time_to_detect_h", "note"] == "3 of 4 degradations noticed"
    assert table.loc["time_to_restore_h", "note"] == "3 of 4 degradations over"
    # nine of ten: the curve of detection reaches 0 at 6; that of restoring at 20
    assert (table.loc["time_to_detect_h_p90", "value"], table.loc["time_to_restore_h_p90", "value"]) == (6, 20)


def test_an_incident_is_open_only_where_the_log_resolves_any():
    rows = [(1, "incident.detected", "i1", {}), (5, "degradation.started", "d", {}), (9, "degradation.ended", "d", {})]
    detected = [
        compute_degradations(collect_ml_events(log_of(rows + more)))["noticed"].item()
        for more in ([], [(50, "incident.resolved", "i0", {})])
    ]
    assert detected == [False, True]


def test_without_an_end_there_is_no_median_and_no_zero():
    table = compute_ml_kpis(log_of([(90, "degradation.started", "d", {})])).set_index("metric")
    for metric in ("time_to_detect_h", "time_to_restore_h"):
        assert np.isnan(table.loc[metric, "value"]) and table.loc[metric, "n"] == 1
        assert "never gets there" in table.loc[metric, "method"]
    nothing = compute_ml_kpis(log_of([(1, "change.merged", "c", {})])).set_index("metric")
    assert nothing["value"].isna().all() and (nothing["n"] == 0).all()
    assert nothing["note"].str.startswith("nothing to measure").all()


OBSERVED = [
    (0, "observation.recorded", "w1", {"value": 0.5, "target": 0.5, "outcome": "success"}),  # 2 h, worth 1
    (2, "observation.recorded", "w2", {"value": 0.25, "target": 0.5, "outcome": "failure"}),  # 3 h, worth ½
    (5, "observation.recorded", "w3", {"value": 0.6, "target": 0.5, "outcome": "failure"}),  # 1 h of errors, worth 0
    (6, "observation.recorded", "w4", {"target": 0.5, "outcome": "failure"}),  # 1 h of outage, worth 0
    (7, "observation.recorded", "w5", {"target": 0.5, "outcome": "success"}),  # 1 h, quality unknown: left out
    (8, "observation.recorded", "w6", {"value": 0.45, "target": 0.5, "outcome": "success"}),  # 2 h to the end, 0.9
]


def test_shares_of_time():
    found = values(log_of(OBSERVED, hours=10))
    assert found["time_degraded_share"] == pytest.approx((3 + 1 + 1) / 10)
    assert found["time_below_target_share"] == pytest.approx((3 + 2) / (2 + 3 + 1 + 2))
    assert found["quality_weighted_uptime"] == pytest.approx((2 * 1 + 3 * 0.5 + 2 * 0.9) / 9)


def test_degradations_from_observations_where_the_log_has_none():
    # failing from 2 to 7, noticed at 4
    log = log_of([*OBSERVED, (4, "incident.detected", "i", {})], hours=10)
    found = compute_degradations(collect_ml_events(log))
    assert found.select("detect_hours", "hours", "censored").rows() == [(2.0, 5.0, False)]
    note = compute_ml_kpis(log).set_index("metric").loc["time_to_restore_h", "note"]
    assert note.endswith("from observations below the service level")


MODELS = [
    (0, "service.deployed", "start", {"service": "svc", "environment": "production"}),
    (10, "dataset.changed", "b1", {"change": "b1"}),
    (12, "training.finished", "t1", {"change": "b1", "value": 60.0, "outcome": "success"}),
    (20, "model.promoted", "m1", {"change": "b1"}),
    (20, "service.deployed", "r1", {"service": "svc", "change": "b1"}),
    (30, "dataset.changed", "b2", {"change": "b2"}),
    (33, "training.finished", "t2", {"change": "b2", "value": 30.0}),
    (34, "model.rejected", "m2", {"change": "b2"}),
    (40, "training.finished", "t2", {"change": "b2", "value": 30.0}),
    (44, "model.promoted", "m3", {"change": "b2"}),
    (44, "service.deployed", "r2", {"service": "svc", "change": "b2"}),
    (54, "service.rolledback", "r2b", {"service": "svc", "cause": "r2"}),
    (60, "model.promoted", "m1", {"change": "c1"}),  # new code around the old model
    (60, "service.deployed", "r3", {"service": "svc", "change": "c1"}),
    (65, "dataset.changed", "b3", {"change": "b3"}),
    (70, "training.finished", "t3", {"change": "b3", "value": 20.0, "outcome": "failure"}),
    (80, "change.abandoned", "b3", {"change": "b3"}),
]


def test_models_and_data():
    found = values(log_of(MODELS))
    # three trainings have models: m1 and m3 were promoted, m2 was refused; t3 failed
    assert (found["promotion_rate"], found["rejection_rate"]) == pytest.approx((2 / 3, 1 / 3))
    # 60 + 30 + 30 + 20 s for two models
    assert found["compute_s_per_promotion"] == pytest.approx(70)
    # b1 10 h, b2 14 h, b3 given up after 15 h: 2/3 from 10, 1/3 from 14
    assert found["training_lead_h"] == 14
    # in use: the first model 0–20; m1 20–44; m3 44–54; m1 again 54–100
    # ages: 20²/2 + 24²/2 + 10²/2 + (34 + 80)/2·46 = 200 + 288 + 50 + 2622 = 3160 over 100 h
    assert found["model_age_h"] == pytest.approx(31.6)
    # of data (from 0, 10, 30, 10): 200 + (10 + 34)/2·24 + (14 + 24)/2·10 + (44 + 90)/2·46 = 200 + 528 + 190 + 3082
    assert found["model_data_age_h"] == pytest.approx(40.0)


def test_intervals_and_notes_of_rates():
    table = compute_ml_kpis(log_of(MODELS)).set_index("metric")
    # Wilson at 2 of 3: centre (2/3 + z²/6)/(1 + z²/3) with z² = 3.8415: (0.6667 + 0.6402)/2.2805 = 0.5731;
    # half width z/(1 + z²/3)·√(2/27 + z²/36) = 1.96/2.2805·√(0.0741 + 0.1067) = 0.3654
    row = table.loc["promotion_rate"]
    assert (row["low"], row["high"]) == pytest.approx((0.2077, 0.9385), abs=2e-4)
    assert row["note"] == "1 trainings failed and have no model"
    assert "repeat work" in table.loc["compute_s_per_promotion", "note"]
    assert table.loc["model_age_h", "note"] == "known for 100% of the log"


def test_where_nobody_promotes_deployments_do():
    # A deployment of two changes brings the model that finished last; the other one was superseded.
    rows = [
        (1, "training.finished", "t1", {"change": "c1", "value": 10.0}),
        (2, "training.finished", "t2", {"change": "b1", "value": 10.0}),
        (3, "training.finished", "t3", {"change": "b2", "value": 10.0}),
    ]
    log = log_of(rows)
    both = [
        {"source": "s", "id": "d", "time": at(5), "type": "service.deployed", "subject": "r", "change": change}
        for change in ("b1", "c1")
    ]
    log = replace(log, events=pl.concat([log.events, build_events(both).lazy()]))
    trainings = compute_trainings(collect_ml_events(log))
    assert trainings["used"].to_list() == [None, at(5), None]
    assert trainings["deployments"].to_list() == [[], ["r"], []]
    found = values(log)
    assert found["promotion_rate"] == pytest.approx(1 / 3) and found["rejection_rate"] == 0
    # no start of the service in the log: the model is known from 5 on, and 95/2 h old in the mean
    assert found["model_age_h"] == pytest.approx(47.5)


def test_a_refused_model_is_not_brought_by_a_later_deployment_of_its_change():
    rows = [
        (1, "training.finished", "t", {"change": "c"}),
        (2, "model.rejected", "m", {"change": "c"}),
        (3, "model.promoted", "champion", {"change": "c"}),  # the mended change, around the old model
        (3, "service.deployed", "r", {"change": "c"}),
    ]
    found = values(log_of(rows))
    assert (found["promotion_rate"], found["rejection_rate"]) == (0, 1)
    assert np.isnan(found["model_age_h"]) and np.isnan(found["compute_s_per_promotion"])
    rows = [row for row in rows if row[1] != "model.promoted"]
    assert values(log_of(rows))["promotion_rate"] == 0


def test_without_trainings_every_model_decided_on_is_a_candidate():
    rows = [
        (1, "model.promoted", "m1", {}),
        (2, "model.rejected", "m2", {}),
        (3, "model.rejected", "m1", {}),
        (4, "model.promoted", "m1", {}),
    ]
    table = compute_ml_kpis(log_of(rows)).set_index("metric")
    assert (table.loc["promotion_rate", "value"], table.loc["rejection_rate", "value"]) == (0.5, 0.5)
    assert table.loc["promotion_rate", "note"] == "no trainings in the log: of models decided on"


def test_a_failed_deployment_brings_nothing():
    rows = [
        (1, "dataset.changed", "b", {"change": "b"}),
        (2, "training.finished", "t", {"change": "b"}),
        (3, "service.deployed", "r", {"change": "b", "outcome": "failure"}),
        (4, "service.deployed", "r2", {"change": "b", "environment": "staging"}),
    ]
    events = collect_ml_events(log_of(rows))
    trainings = compute_trainings(events)
    assert trainings["used"].to_list() == [None]
    assert compute_batches(events, trainings).select("hours", "censored").rows() == [(99.0, True)]
    assert compute_models_in_use(events, trainings).is_empty()
    assert compute_trainings(collect_ml_events(log_of(rows), ("staging",)))["used"].to_list() == [at(4)]


STEPS = [
    (1, "testsuiterun.finished", "unit", {"change": "c1"}),
    (2, "testsuiterun.finished", "unit", {"change": "c2"}),
    (3, "taskrun.finished", "smoke", {}),
    (4, "dataset.validated", "b1", {}),
    (5, "training.finished", "t1", {}),
    (6, "pipelinerun.finished", "p", {}),  # holds the tasks above
    (7, "step.done", "review", {"change": "c1"}),
    (7, "change.reviewed", "c1", {"change": "c1"}),  # the same step
    (8, "change.reviewed", "c2", {"change": "c2"}),
    (9, "step.done", "handover", {"change": "c1"}),
    (20, "labelling.finished", "queue", {"change": "r1", "value": 12.0}),
    (22, "labelling.finished", "image", {"change": "r1", "value": 2.0}),  # began when the wait was over
    (23, "labelling.finished", "image", {"change": "r2", "value": 4.0}),
]


def test_steps_and_labels():
    found = values(log_of(STEPS))
    # machines: 2 tests, 1 task, 1 validation, 1 training; people: 2 steps, 1 further review, 3 labellings
    assert found["automated_step_share"] == pytest.approx(5 / (5 + 6))
    # r1 12 + 2 = 14 h, r2 4 h: the median is 9
    assert found["labelling_lead_h"] == 9
    table = compute_ml_kpis(log_of(STEPS)).set_index("metric")
    assert table.loc["automated_step_share", "note"] == "1 reviews logged as steps too count once"
    only = [(1, "pipelinerun.finished", "p", {}), (2, "step.done", "x", {})]
    assert values(log_of(only))["automated_step_share"] == 0.5


WHOLE = [*DEGRADED, *OBSERVED, *MODELS, *STEPS]


def assert_same(table: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(table, other, check_exact=False, rtol=1e-12)


@given(st.randoms(use_true_random=False), st.integers(-11, 11))
@settings(max_examples=8, deadline=None)
def test_order_repetition_splitting_and_zones_change_nothing(rng: random.Random, zone: int):
    log = log_of(WHOLE)
    expected = compute_ml_kpis(log, resamples=50)
    rows = log.events.collect().to_dicts()
    moved = [row | {"time": row["time"].astimezone(timezone(timedelta(hours=zone)))} for row in rows]
    moved += rng.sample(moved, 5)  # delivered twice
    rng.shuffle(moved)
    cut = rng.randrange(1, len(moved))
    parts = [replace(log, events=build_events(part).lazy()) for part in (moved[:cut], moved[cut:])]
    assert_same(compute_ml_kpis(merge_logs(parts), resamples=50), expected)


def test_services_are_told_apart_or_added_up():
    one = [(h, k, s, m | {"service": "a", "environment": None}) for h, k, s, m in DEGRADED]
    other = [
        (0, "observation.recorded", "w", {"service": "b", "value": 0.4, "target": 0.5, "outcome": "failure"}),
        (10, "observation.recorded", "w", {"service": "b", "value": 0.5, "target": 0.5, "outcome": "success"}),
    ]
    log = log_of([*one, *other])
    table = compute_ml_kpis(log, by=("service",)).set_index(["service", "metric"])["value"]
    assert table["a", "time_to_detect_h"] == 4.5 and np.isnan(table["a", "time_degraded_share"])
    assert table["b", "time_degraded_share"] == 0.1 and np.isnan(table["a", "promotion_rate"])
    # b's own failing stretch shows alone, beside a's degradations it does not: the log has some
    assert table["b", "time_to_restore_h"] == 10
    whole = compute_ml_kpis(log)
    assert set(whole["service"]) == {"all"} and set(whole["period"]) == {"all"}


def test_the_table_of_definitions_is_what_is_computed():
    table = compute_ml_kpis(log_of(WHOLE))
    assert tuple(table.columns) == COLUMNS
    keys = [metric for metric in table["metric"] if not metric.endswith("_p90")]
    metrics = load_ml_metrics()
    assert sorted(keys) == sorted(metrics["key"])
    for row in table.itertuples():
        key = row.metric.removesuffix("_p90")
        assert row.unit == metrics.loc[key, "unit"]
        assert key.endswith(f"_{row.unit}") or row.unit == "share" or key == "compute_s_per_promotion"
    units = {"h": "hours", "share": "share", "s": "seconds", "uptime": "mean"}
    for row in metrics.itertuples():
        assert units[row.unit] in row.definition or row.key == "quality_weighted_uptime"


def test_an_unknown_grouping_is_refused():
    with pytest.raises(InputError, match="got 'day'"):
        compute_ml_kpis(log_of(STEPS), by=("day",))


SEEDS = 3
"""So many that every arm fails somewhere; on a single one, an arm may never be degraded."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """The arm-runs of a few seeds of the recorded run, as a run of their own."""
    source = sorted(RECORDED.glob("*/run.json"))[-1].parent
    folder = tmp_path_factory.mktemp("run")
    about = json.loads((source / "run.json").read_text(encoding="utf-8"))
    about["settings"]["seeds"] = about["settings"]["seeds"][:SEEDS]
    about["arm_runs"] = [item for item in about["arm_runs"] if item["seed"] in about["settings"]["seeds"]]
    for item in about["arm_runs"]:
        shutil.copytree(source / f"{item['arm']}-{item['seed']}", folder / f"{item['arm']}-{item['seed']}")
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def test_the_recorded_experiment_says_the_same(recorded):
    run = load_run(recorded)
    outcomes = compute_outcomes(run).set_index(["arm", "seed"])
    truth = compute_true_degradations(run)
    assert len(outcomes) == 3 * SEEDS
    assert set(truth["arm"]) == {arm for arm, _ in outcomes.index}
    compared = 0
    for (arm, seed), expected in outcomes.iterrows():
        log = read_cdevents(recorded / f"{arm}-{seed}")
        log = replace(log, end=log.begin + timedelta(hours=run.horizon_h))
        table = compute_ml_kpis(log, resamples=50).set_index("metric")
        assert table.loc["time_degraded_share", "value"] == pytest.approx(expected["degraded_share"], abs=1e-6)
        mine = compute_degradations(collect_ml_events(log))
        own = truth[(truth["arm"] == arm) & (truth["seed"] == seed)]
        assert mine["hours"].to_list() == pytest.approx(own["hours"].tolist(), abs=1e-5)
        assert mine["censored"].to_list() == own["censored"].tolist()
        noticed = own["detect_hours"].fillna(own["hours"])
        # The experiment knows that an open ticket of its drift monitor is about the line; other logs do not say.
        same = [by != "drift monitor" or hours > 0 for by, hours in zip(own["detected_by"], noticed, strict=True)]
        compared += sum(same)
        found = mine["detect_hours"].to_numpy()
        assert found[same] == pytest.approx(noticed.to_numpy()[same], abs=1e-5)
        assert (found >= noticed.to_numpy() - 1e-5).all()
    assert compared > len(truth) / 2
