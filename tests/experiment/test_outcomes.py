"""Outcomes of small event logs that are written out here, with the sums beside them."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.experiment import vocabulary as say
from analysis.experiment.events import EventLog, LogSink
from analysis.experiment.outcomes import (
    HIGHER_IS_BETTER,
    OUTCOMES,
    PRIMARY,
    compute_changes,
    compute_degradations,
    compute_deployments,
    compute_outcomes,
    compute_quality,
    find_runs,
    load_run,
)
from analysis.experiment.scenario import load_scenario
from analysis.experiment.settings import SCENARIO

START = load_scenario(SCENARIO).start
HORIZON_H = 168.0  # one week
BEGIN = (0.0, say.repository_created())


def window(time_h, map50, degraded=(), release=0):
    number = f"window-{time_h:g}"
    more = {"map50_pooled": map50, "target_map50": 0.6, "release": release, "degraded": list(degraded)}
    return time_h, say.observation_recorded(number, map50, 0.0, 0.01, 64, **more)


def created(time_h, name, kind):
    return time_h, say.change_created(name), name, {"kind": kind}


def batch(time_h, name, kind, attempt=0):
    return time_h, say.dataset_changed(name, f"{name}-{attempt}", kind, 96, attempt), name


def upgraded(time_h, release, *names):
    more = {"release": release, "changes": list(names)}
    return (
        time_h,
        say.service_upgraded("inspection", "production", say.purl("inspection", f"p{release}")),
        names[0],
        more,
    )


def rolled_back(time_h, taken_back, *names):
    event = say.service_rolledback("inspection", "production", say.purl("inspection", "p"))
    return time_h, event, "incident-001", {"taken_back": taken_back, "release": 0, "changes": list(names)}


def worse(time_h, number, reasons=("quality",), causes=()):
    return time_h, say.degradation_started(f"degradation-{number}", reasons, causes, 1)


def better(time_h, number, hours):
    return time_h, say.degradation_ended(f"degradation-{number}", hours, 1)


def incident(time_h, number, by):
    return time_h, say.incident_detected(f"incident-{number}", "production", "inspection"), "", {"by": by}


def resolved(time_h, number):
    return time_h, say.incident_resolved(f"incident-{number}", "production", "inspection"), "", {"ended_by": "x"}


def sent_back(time_h, name, by):
    return time_h, say.change_updated(name), name, {"refused_by": by}


def write_run(folder, logs, weeks=1, compress=False):
    """A run's folder from events of ``(time_h, event, chain, more)`` for each ``(arm, seed)``."""
    arms, seeds = (list(dict.fromkeys(part)) for part in zip(*logs, strict=True))
    for (arm, seed), lines in logs.items():
        path = folder / f"{arm}-{seed}" / "events.jsonl"
        with EventLog(path, f"/workbench/{arm}/{seed}", f"test/{arm}/{seed}") as log:
            sink = LogSink(log, load_scenario(SCENARIO).moment)
            for time_h, event, *rest in lines:
                chain, more = (*rest, "", {})[:2] if len(rest) < 2 else rest
                sink.emit(event.type, event.subject, time_h, event.content, {**event.custom, **(more or {})}, chain)
        if compress:
            path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    about = {
        "profile": "test",
        "created": "2026-01-05T10:00:00+00:00",
        "settings": {"arms": arms, "seeds": seeds, "scenario": {"weeks": weeks, "data": {"batch_images": 7}}},
        "scenario": SCENARIO.read_text(encoding="utf-8"),
        "arm_runs": [{"arm": arm, "seed": seed} for arm, seed in logs],
    }
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


@pytest.fixture
def one(tmp_path):
    """The run of one arm-run with these events."""
    return lambda *lines: load_run(write_run(tmp_path, {("devops", 1): [BEGIN, *lines]}))


# ---- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [False, True])
def test_a_run_is_its_logs_with_arm_seed_and_hours(tmp_path, compress):
    logs = {("manual", 3): [BEGIN, window(12.5, 0.8)], ("mlops", 3): [BEGIN, window(0.25, 0.7)]}
    run = load_run(write_run(tmp_path, logs, compress=compress))
    assert run.events[["arm", "seed", "time_h"]].to_numpy().tolist() == [
        ["manual", 3, 0.0],
        ["manual", 3, 12.5],
        ["mlops", 3, 0.0],
        ["mlops", 3, 0.25],
    ]
    assert (run.arms, run.seeds, run.horizon_h) == (("manual", "mlops"), (3,), HORIZON_H)
    assert run.scenario["data"]["batch_images"] == 7  # the profile's own value, among those of the file
    assert run.scenario["data"]["acceptance_images"] > 7


def test_a_run_that_is_not_complete_or_has_a_damaged_log_is_refused(tmp_path):
    with pytest.raises(InputError, match="no complete run"):
        load_run(tmp_path)
    folder = write_run(tmp_path, {("manual", 1): [BEGIN, window(1, 0.8)]})
    log = folder / "manual-1" / "events.jsonl"
    log.write_bytes(log.read_bytes()[:-5])
    with pytest.raises(InputError, match="whole event log"):
        load_run(folder)
    log.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_run(folder)


def test_runs_are_found_oldest_first(tmp_path):
    for name, when in (("b", "2026-01-01"), ("a", "2026-02-01"), ("c", "2025-12-01")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"created": when}), encoding="utf-8")
    (tmp_path / "unfinished").mkdir()
    assert [path.name for path in find_runs(tmp_path)] == ["c", "b", "a"]


# ---- degradations ----------------------------------------------------------------------------


def test_a_degradation_with_its_detection_and_its_end(one):
    run = one(
        created(10, "chg-001", "crash"),
        upgraded(20, 1, "chg-001"),
        worse(20, 1, ("errors", "latency"), ("chg-001", "world-002")),
        incident(21.5, 1, "service monitor"),
        rolled_back(22, 1, "chg-001"),
        better(22, 1, 2),
        resolved(23, 1),
    )
    (row,) = compute_degradations(run).to_dict("records")
    assert row == {
        "arm": "devops",
        "seed": 1,
        "degradation": "degradation-1",
        "start_h": 20.0,
        "end_h": 22.0,
        "hours": 2.0,
        "censored": False,
        "reasons": "errors+latency",
        "causes": "chg-001+world-002",
        "detected_by": "service monitor",
        "detect_hours": 1.5,
        "ended_by": "rollback",
    }


def test_what_the_horizon_cuts_off_is_censored_and_lasts_until_then(one):
    (row,) = compute_degradations(one(worse(100, 1))).to_dict("records")
    assert (row["censored"], row["end_h"], row["hours"], row["ended_by"]) == (True, HORIZON_H, 68.0, "")


def test_nobody_noticed(one):
    """An alarm before it, long dealt with, and one after it are not its detection."""
    run = one(incident(5, 1, "people"), resolved(9, 1), worse(10, 1), better(30, 1, 20), incident(31, 2, "people"))
    (row,) = compute_degradations(run).to_dict("records")
    assert row["detected_by"] == ""
    assert np.isnan(row["detect_hours"])


def test_the_answer_to_a_drift_is_a_detection(one):
    drift = say.drift_detected("inspection", 5.0, 4.0, "brightness", "images")
    run = one(worse(10, 1), (13, drift), incident(14, 1, "people"), better(40, 1, 30))
    (row,) = compute_degradations(run).to_dict("records")
    assert (row["detected_by"], row["detect_hours"]) == ("drift monitor", 3.0)


@pytest.mark.parametrize(
    ("begin", "end", "by"),
    [
        (
            (5, say.ticket_created("response-01", "label", "mlops", "task")),
            (60, say.ticket_closed("response-01")),
            "drift monitor",
        ),
        (incident(5, 1, "quality monitor"), resolved(60, 1), "quality monitor"),
    ],
)
def test_what_is_under_way_already_counts_as_detected_at_the_start(one, begin, end, by):
    (row,) = compute_degradations(one(begin, worse(10, 1), better(40, 1, 30), end)).to_dict("records")
    assert (row["detected_by"], row["detect_hours"]) == (by, 0.0)


@pytest.mark.parametrize(
    ("lines", "ended_by"),
    [
        ([upgraded(20, 1, "chg-001")], "release"),
        ([upgraded(20, 1, "chg-001"), rolled_back(25, 1, "chg-001")], "rollback"),
        ([rolled_back(25, 1, "chg-001"), upgraded(30, 2, "fix-1")], "release"),
        ([], "by itself"),
    ],
)
def test_the_last_thing_done_while_it_lasted_ended_it(one, lines, ended_by):
    before = upgraded(5, 9, "chg-009")  # what was done before it began did not end it
    (row,) = compute_degradations(one(before, worse(10, 1), *lines, better(30, 1, 20))).to_dict("records")
    assert row["ended_by"] == ended_by


def test_a_release_that_broke_production_did_not_mend_it(one):
    (row,) = compute_degradations(one(upgraded(10, 1, "chg-001"), worse(10, 1), better(30, 1, 20))).to_dict("records")
    assert row["ended_by"] == "by itself"


def test_without_degradations_the_table_is_empty_and_has_its_columns(one):
    table = compute_degradations(one(window(1, 0.8)))
    assert table.empty
    assert {"hours", "detect_hours", "ended_by"} <= set(table.columns)


# ---- changes ---------------------------------------------------------------------------------


def test_what_became_of_every_change_and_batch(one):
    run = one(
        created(10, "chg-001", "silent_label_bug"),
        sent_back(14, "chg-001", "evaluation gate"),
        batch(16, "batch-002", "broken_batch"),
        (17, say.dataset_validated("batch-002", "d", "failure", ["x"]), "batch-002"),
        created(20, "chg-003", "crash"),
        upgraded(22, 1, "chg-003"),
        worse(22, 1, ("errors",), ("chg-003",)),
        rolled_back(24, 1, "chg-003"),
        sent_back(26, "chg-003", "rollback"),
        better(24, 1, 2),
        upgraded(30, 2, "chg-001", "chg-003"),
        batch(31, "batch-002", "mended", 1),
        upgraded(40, 3, "batch-002"),
        created(50, "chg-004", "benign_change"),
        batch(60, "response-01", "response", None),
        created(61, "fix-incident-001-0", "fix"),
        created(70, "chg-005", "preprocessing_bug"),
        sent_back(71, "chg-005", "unit tests"),
        sent_back(72, "chg-005", "unit tests"),
        sent_back(73, "chg-005", "canary"),
        (73, say.change_abandoned("chg-005"), "chg-005"),
    )
    table = compute_changes(run).set_index("name")
    assert list(table.index) == ["chg-001", "batch-002", "chg-003", "chg-004", "chg-005"]
    assert table["lead_hours"].fillna(-1).tolist() == [20, 24, 2, -1, -1]
    assert table["faulty"].tolist() == [True, True, True, False, True]
    assert table["refused_by"].tolist() == ["evaluation gate", "data validation", "rollback", "", "unit tests+canary"]
    assert table["stopped_before"].tolist() == [True, True, False, False, True]
    assert table["abandoned"].tolist() == [False, False, False, False, True]
    assert table["caused"].tolist() == [0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("line", "by"),
    [
        ((20, say.training_finished("batch-001", "failure", 1.0, 0, reason="x"), "batch-001"), "training"),
        ((20, say.model_rejected("m", "p", "worse"), "batch-001"), "evaluation gate"),
        ((20, say.taskrun_finished("smoke-test/batch-001", "smoke-test", "failure"), "batch-001"), "smoke test"),
        ((20, say.taskrun_finished("canary/batch-001", "canary", "failure"), "batch-001"), "canary"),
        (rolled_back(20, 1, "batch-001"), "rollback"),
        ((20, say.taskrun_finished("canary/batch-001", "canary", "success"), "batch-001"), ""),
        ((20, say.model_rejected("m", "p", "worse"), "chg-002"), ""),
    ],
)
def test_which_stage_sent_a_batch_back(one, line, by):
    table = compute_changes(one(batch(10, "batch-001", "mislabelled_batch"), line))
    assert table["refused_by"].tolist() == [by]


# ---- deployments, quality, outcomes ----------------------------------------------------------


def test_deployments_that_failed_degraded_production_or_were_taken_back(one):
    run = one(
        upgraded(10, 1, "chg-001"),
        upgraded(20, 2, "chg-002"),
        worse(20, 1),
        better(30, 1, 10),
        upgraded(30, 3, "chg-003", "chg-004"),
        rolled_back(31, 3, "chg-003", "chg-004"),
        upgraded(40, 4, "chg-005"),
        worse(41, 2),
    )
    table = compute_deployments(run)
    assert table["changes"].tolist() == [1, 1, 2, 1]
    assert table["rolled_back"].tolist() == [False, False, True, False]
    assert table["failed"].tolist() == [False, True, True, False]


def test_quality_is_one_row_a_window(one):
    table = compute_quality(one(window(0, 0.8), window(12, 0.5, ["quality"], release=2)))
    assert table[["time_h", "map50", "map50_pooled", "target", "release"]].to_numpy().tolist() == [
        [0, 0.8, 0.8, 0.6, 0],
        [12, 0.5, 0.5, 0.6, 2],
    ]
    assert table["degraded"].tolist() == [False, True]


def test_outcomes_by_hand(tmp_path):
    worked = [
        BEGIN,
        window(0, 0.8),
        created(10, "chg-001", "crash"),
        upgraded(20, 1, "chg-001"),  #                     lead time 10 h; escaped
        worse(20, 1, ("errors",), ("chg-001",)),
        window(20, 0.4, ["errors"], 1),
        incident(26, 1, "people"),  #                      detected after 6 h
        upgraded(30, 2, "fix-incident-001-0"),
        better(30, 1, 10),  #                              restored after 10 h
        window(30, 0.9, release=2),
        resolved(31, 1),
        created(40, "chg-002", "silent_label_bug"),
        sent_back(44, "chg-002", "evaluation gate"),  #    stopped
        upgraded(60, 3, "chg-002"),  #                     lead time 20 h
        created(118, "chg-003", "benign_change"),  #       50 h until the end, not in production
        worse(148, 2),
        window(148, 0.2, ["quality"], 3),  #               20 h until the end, nobody noticed: those 20 h
    ]
    calm = [BEGIN, window(0, 0.7)]
    table = compute_outcomes(load_run(write_run(tmp_path, {("manual", 1): worked, ("mlops", 1): calm})))
    first, second = table.to_dict("records")
    assert first == pytest.approx(
        {
            "arm": "manual",
            "seed": 1,
            "degraded_share": (10 + 20) / 168,
            "lead_hours": 20,  # median of 10, 20, 50
            "mean_map50": (20 * 0.8 + 10 * 0.4 + 118 * 0.9 + 20 * 0.2) / 168,
            "deployments_per_week": 3,
            "failed_share": 1 / 3,
            "restore_hours": 15,
            "detect_hours": (6 + 20) / 2,
            "escaped_share": 1 / 2,  # of chg-001 and chg-002
        }
    )
    assert second["mean_map50"] == pytest.approx(0.7)
    assert (second["degraded_share"], second["deployments_per_week"]) == (0, 0)
    missing = ("lead_hours", "failed_share", "restore_hours", "detect_hours", "escaped_share")
    assert all(np.isnan(second[name]) for name in missing)


def test_a_mended_change_that_was_stopped_has_not_escaped_and_an_abandoned_one_neither(one):
    run = one(
        window(0, 0.8),
        created(10, "chg-001", "silent_label_bug"),
        sent_back(11, "chg-001", "evaluation gate"),
        upgraded(20, 1, "chg-001"),
        created(30, "chg-002", "crash"),
        (40, say.change_abandoned("chg-002"), "chg-002"),
        created(50, "chg-003", "crash"),
        upgraded(60, 2, "chg-003"),
        sent_back(70, "chg-003", "incident"),
    )
    assert compute_outcomes(run)["escaped_share"].tolist() == pytest.approx([1 / 3])  # chg-003 alone


def test_declared_outcomes_are_those_that_are_computed(one):
    table = compute_outcomes(one(window(0, 0.8)))
    assert list(table.columns) == ["arm", "seed", *OUTCOMES]
    assert set(PRIMARY) | set(HIGHER_IS_BETTER) <= set(OUTCOMES)


def test_times_are_those_of_the_log(one):
    assert one(window(0, 0.8)).events["time"].iloc[0] == pd.Timestamp(load_scenario(SCENARIO).start)
