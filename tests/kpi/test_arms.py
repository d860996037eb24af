"""Arms: runs are read whole, pooled without inventing anything, and the truth replaces what was noticed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from analysis.base.errors import InputError
from analysis.base.paths import DATA
from analysis.kpi.arms import (
    NAMED_ONLY,
    ArmRun,
    choose_log_folder,
    compute_run_kpis,
    load_arm_runs,
    pool_runs,
    see_truth,
)
from analysis.kpi.dora import compute_dora
from analysis.kpi.events import EventLog, build_events
from analysis.kpi.rules import FAIL, FREQUENCY, LEAD, RECOVERY

RECORDED = DATA / "experiment/recorded"
START = datetime(2026, 1, 5, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def event(kind: str, hours: float, subject: str, **more) -> dict:
    base = {"source": "t", "id": f"{kind}/{subject}/{more.get('change', '')}", "time": at(hours), "type": kind}
    return base | {"subject": subject, "service": "s", "environment": "production"} | more


def log(*events: dict, days: float = 7) -> EventLog:
    return EventLog(build_events(events).lazy(), begin=START, end=START + timedelta(days=days))


# One change each, created at 0 h and deployed after 10, 20 and 60 h. In the first run a deployment fails: truly from
# 10 h to 16 h, noticed from 12 h to 18 h. In the third a change of the line at 70 h, which no deployment began, is
# blamed on the deployment by whoever noticed it at 80 h; it is still open at the end.
ONE = log(
    event("change.created", 0, "c1", change="c1"),
    event("service.deployed", 10, "d1", change="c1"),
    event("degradation.started", 10, "g1", cause="d1"),
    event("incident.detected", 12, "i1", cause="d1"),
    event("degradation.ended", 16, "g1"),
    event("incident.resolved", 18, "i1"),
)
TWO = log(event("change.created", 0, "c1", change="c1"), event("service.deployed", 20, "d1", change="c1"))
THREE = log(
    event("change.created", 0, "c1", change="c1"),
    event("service.deployed", 60, "d1", change="c1"),
    event("degradation.started", 70, "g1"),
    event("incident.detected", 80, "i1", cause="d1"),
)
RUNS = [ArmRun("a", seed, found) for seed, found in enumerate((ONE, TWO, THREE), start=1)]


def metrics(table) -> dict[str, float]:
    return dict(zip(table["metric"], table["value"], strict=True))


def test_pooled_runs_follow_one_another():
    pooled = pool_runs(RUNS)["a"]
    assert pooled.end - pooled.begin == timedelta(days=21)
    found = metrics(compute_dora(pooled))
    assert found[LEAD] == 20  # of 10, 20, 60
    assert found[FREQUENCY] == pytest.approx(1)  # 3 in 3 weeks
    assert found[FAIL] == pytest.approx(2 / 3)
    assert pooled.deployments["time"].to_list() == [at(10), at(168 + 20), at(336 + 60)]


def test_what_is_open_at_the_end_of_a_run_is_censored_there():
    lasted = pool_runs(RUNS)["a"].durations[RECOVERY].sort("hours")
    assert lasted["hours"].to_list() == [6, 88]  # noticed 12 → 18, and 80 → 168
    assert lasted["censored"].to_list() == [False, True]


def test_in_truth_only_deployments_that_began_it_are_to_blame():
    truth = pool_runs([replace(run, log=see_truth(run.log)) for run in RUNS], NAMED_ONLY)["a"]
    assert metrics(compute_dora(truth))[FAIL] == pytest.approx(1 / 3)
    assert truth.durations[RECOVERY]["hours"].to_list() == [6]  # 10 → 16
    kinds = see_truth(ONE).events.select(pl.col("type").unique()).collect()["type"].to_list()
    assert not [kind for kind in kinds if kind.startswith("degradation")]


def test_a_table_of_runs_has_each_metric_once_a_run():
    table = compute_run_kpis(RUNS)
    assert not table.duplicated(["arm", "seed", "metric"]).any()
    assert set(table["seed"]) == {1, 2, 3}
    leads = table[table["metric"] == LEAD].set_index("seed")["value"]
    assert leads.to_dict() == {1: 10, 2: 20, 3: 60}


def test_pooling_one_run_changes_nothing():
    alone = metrics(compute_dora(ONE))
    assert metrics(compute_dora(pool_runs(RUNS[:1])["a"])) == pytest.approx(alone, nan_ok=True)


# ---- recordings ------------------------------------------------------------------------------


def test_the_committed_recording_is_read_whole():
    folder = choose_log_folder("", RECORDED)
    runs = load_arm_runs(folder)
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert [(run.arm, run.seed) for run in runs] == [(item["arm"], item["seed"]) for item in about["arm_runs"]]
    weeks = about["settings"]["scenario"]["weeks"]
    assert {run.log.end - run.log.begin for run in runs} == {timedelta(weeks=weeks)}
    unknown = [run.log.findings.filter(pl.col("finding") == "unknown type") for run in runs]
    assert all(found.is_empty() for found in unknown)


def recording(folder: Path, name: str, runs: int) -> None:
    (folder / name).mkdir()
    items = [{"arm": "a", "seed": seed} for seed in range(runs)]
    text = json.dumps({"arm_runs": items, "settings": {"scenario": {"weeks": 2}}})
    (folder / name / "run.json").write_text(text, encoding="utf-8")


def test_the_largest_recording_is_chosen_then_the_latest(tmp_path):
    for name, runs in (("2026-01-01-a", 6), ("2026-02-01-b", 6), ("2026-03-01-c", 2)):
        recording(tmp_path, name, runs)
    assert choose_log_folder("", tmp_path).name == "2026-02-01-b"
    assert choose_log_folder("2026-03-01-c", tmp_path).name == "2026-03-01-c"


def test_what_is_no_recording_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match="empty"):
        choose_log_folder("", tmp_path)
    recording(tmp_path, "one", 1)
    with pytest.raises(InputError, match="it has: one"):
        choose_log_folder("two", tmp_path)
    with pytest.raises(InputError, match=r"a-0.*no log"):
        load_arm_runs(tmp_path / "one")
    (tmp_path / "one/run.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        choose_log_folder("", tmp_path)
    with pytest.raises(InputError, match="no recording"):
        load_arm_runs(tmp_path / "one")
