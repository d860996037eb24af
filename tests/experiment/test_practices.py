"""What each practice guards, shown by turning it off in the mlops arm.

Nothing is simulated: changes are really committed and tested, models trained, exported, served and monitored. Two
short scripts of seeded faults are played. In the first, every fault meets the whole mlops arm, and what stops it
is what is turned off next. Practices that only matter once a fault is in production are tested in the second,
with an arm that has neither gate nor canary. Fates are read from the event logs; the arms' code knows none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd
import pytest
import yaml

from analysis.experiment import outcomes
from analysis.experiment import run as experiment
from analysis.experiment.arms import MLOPS, PRACTICES
from analysis.experiment.scenario import draw_stream, load_scenario
from analysis.experiment.settings import EFFORT, SCENARIO, Settings
from tests.experiment.live_settings import SCALE, SEED, fates, log_faults, play, scripted, select, share_work

LABELS_H = 0.3
"""Until the labels of a window are there: later than the drift monitor, and sooner than any user complains."""

ALL_STAGES = scripted(
    [
        (2, "latency_regression", 2),
        (12, "preprocessing_bug", 0),
        (26, "silent_label_bug", 2),
        (50, "broken_batch", 0),
        (74, "crash", 0),
        (98, "sudden_drift", 3),
    ],
    days=6,
)

IN_PRODUCTION = scripted(
    [
        (2, "latency_regression", 2),
        (3.5, "benign_change", 0),
        (14, "mislabelled_batch", 0),
    ],
    days=2.5,
)
"""The benign change comes when the slow one has just been rolled back."""

LET_THROUGH = "mlops-canary-evaluation_gate-drift_monitoring"
"""The mlops arm without what would stop these faults before production. Drift monitoring has no part in them, and
its rare false alarms would."""

STOPPED = {
    "latency_regression": "canary",
    "preprocessing_bug": "unit tests",
    "silent_label_bug": "evaluation gate",
    "broken_batch": "data validation",
    "crash": "smoke test",
    "sudden_drift": "drift monitor, release",
}
"""With the whole mlops arm."""

WITHOUT: dict[str, dict[str, str]] = {
    "version_control": {},
    "ci": {"preprocessing_bug": "evaluation gate"},
    # Changes pile up until the deployment day, and the gate, which comes first, refuses them all together.
    "automated_deployment": {"latency_regression": "evaluation gate", "crash": "evaluation gate"},
    "service_monitoring": {},
    "rollback": {},
    "data_validation": {"broken_batch": "training"},
    "data_versioning": {},
    "tracking": {},
    "registry": {},
    "evaluation_gate": {"silent_label_bug": "quality monitor, rollback"},
    "canary": {"latency_regression": "service monitor, rollback"},
    "drift_monitoring": {"sudden_drift": "quality monitor, release"},
    "quality_monitoring": {},
    "triggered_retraining": {},
}
"""Practice turned off → faults whose fate is another then; all others' is the same."""

NOTICED = {
    "latency_regression": "service monitor, rollback",
    "benign_change": "in production",
    "mislabelled_batch": "quality monitor, rollback",
}
"""With neither canary nor gate."""

UNNOTICED: dict[str, dict[str, str]] = {
    "service_monitoring": {"latency_regression": "people, release"},
    "rollback": {
        "latency_regression": "service monitor, release",
        "mislabelled_batch": "quality monitor, release",
    },
    "version_control": {"latency_regression": "service monitor, rollback then service monitor, release"},
    "quality_monitoring": {"mislabelled_batch": "people, release"},
    "data_versioning": {},
    "tracking": {},
}


@dataclass
class Player:
    """Plays arms when they are asked for first; logs and outcomes of each are then at hand."""

    settings: Settings
    make_folder: Callable[[], object]
    known: dict[str, outcomes.Run] = field(default_factory=dict)

    def __call__(self, arm: str) -> outcomes.Run:
        if arm not in self.known:
            self.known[arm] = play(self.settings, self.make_folder(), [arm])
        return self.known[arm]

    def fates(self, arm: str) -> dict[str, str]:
        """Kind of event → its fate; every kind comes once."""
        stream = draw_stream(load_scenario(SCENARIO, self.settings.scenario), SEED)
        found = fates(self(arm))[arm]
        return {happening.kind: found[happening.name] for happening in stream}

    def restored_after(self, arm: str, kind: str) -> float:
        """Hours for which production was degraded by an event of this kind."""
        name = next(
            h.name for h in draw_stream(load_scenario(SCENARIO, self.settings.scenario), SEED) if h.kind == kind
        )
        down = outcomes.compute_degradations(self(arm))
        return float(down.loc[down["causes"].str.split("+").map(lambda causes: name in causes), "hours"].sum())


def make_player(settings: Settings, factory: pytest.TempPathFactory) -> Player:
    return Player(settings, lambda: share_work(factory.mktemp("run") / "experiment"))


@pytest.fixture(scope="module", autouse=True)
def untracked():
    """Tracking has tests of its own, and a run of the experiment goes the same way without it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        yield


@pytest.fixture(scope="module", autouse=True)
def prompt_labels(tmp_path_factory):
    """The labels of a window always come soon enough for a rollback, and before any user complains."""
    delays = yaml.safe_load(EFFORT.read_text(encoding="utf-8"))
    delays["quality_labels"] = {"unit": "h", "fixed": {"value": LABELS_H / SCALE}, "source": "assumption"}
    path = tmp_path_factory.mktemp("effort") / "effort.yaml"
    path.write_text(yaml.safe_dump(delays), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "EFFORT", path)
        yield


@pytest.fixture(scope="module")
def stages(tmp_path_factory) -> Player:
    return make_player(ALL_STAGES, tmp_path_factory)


@pytest.fixture(scope="module")
def production(tmp_path_factory) -> Player:
    return make_player(IN_PRODUCTION, tmp_path_factory)


def difference(found: Mapping[str, str], usual: Mapping[str, str]) -> dict[str, str]:
    assert set(found) == set(usual)
    return {kind: fate for kind, fate in found.items() if fate != usual[kind]}


def delays(run: outcomes.Run, arm: str, delay: str) -> pd.Series:
    """Hours of all waits of one kind."""
    contents = select(run, arm, "delay.waited")["content"]
    return pd.Series([content["hours"] for content in contents if content["delay"] == delay], dtype=float)


# ---- the whole arm, and one practice less ----------------------------------------------------


def test_every_practice_is_turned_off_once():
    assert set(WITHOUT) == set(PRACTICES) == set(MLOPS)
    shown_alone = {practice for practice, changed in WITHOUT.items() if changed}
    assert shown_alone | set(UNNOTICED) | {"registry", "triggered_retraining"} == set(PRACTICES)


def test_the_whole_arm_stops_every_fault_where_it_belongs(stages):
    assert stages.fates("mlops") == STOPPED


@pytest.mark.parametrize("practice", WITHOUT)
def test_without_one_practice_only_what_it_guards_fares_differently(stages, practice):
    assert difference(stages.fates(f"mlops-{practice}"), STOPPED) == WITHOUT[practice]


def test_without_the_gate_the_silent_bug_really_spoils_production(stages):
    worst = {arm: outcomes.compute_quality(stages(arm)).query("time_h < 98")["map50"].min() for arm in GATES}
    assert worst["mlops"] > 0.8
    assert worst["mlops-evaluation_gate"] < 0.3


GATES = ("mlops", "mlops-evaluation_gate")


def test_without_drift_monitoring_a_drift_is_noticed_later(stages):
    hours = [
        outcomes.compute_degradations(stages(arm))["detect_hours"].iloc[0]
        for arm in ("mlops", "mlops-drift_monitoring")
    ]
    assert hours[0] == pytest.approx(1, abs=0.01)  # when the first window is complete
    assert hours[1] == pytest.approx(1 + LABELS_H, abs=0.01)


def test_without_triggered_retraining_people_have_to_ask_for_it(stages):
    arm = "mlops-triggered_retraining"
    assert len(delays(stages("mlops"), "mlops", "retraining_request")) == 0
    assert len(delays(stages(arm), arm, "retraining_request")) > 0
    assert stages.restored_after(arm, "sudden_drift") > stages.restored_after("mlops", "sudden_drift") + 2
    assert len(delays(stages("mlops"), "mlops", "manual_training")) == 0
    assert delays(stages(arm), arm, "manual_training").sum() > 0
    lead = [outcomes.compute_changes(stages(a)).set_index("kind")["lead_hours"]["broken_batch"] for a in ("mlops", arm)]
    assert lead[1] > lead[0]


def test_without_automated_deployment_changes_wait_for_people(stages):
    arm = "mlops-automated_deployment"
    lead = [outcomes.compute_changes(stages(a)).set_index("kind")["lead_hours"] for a in ("mlops", arm)]
    assert lead[1]["preprocessing_bug"] > lead[0]["preprocessing_bug"] + 24
    assert len(outcomes.compute_deployments(stages(arm))) < len(outcomes.compute_deployments(stages("mlops")))
    tasks = {content["taskName"] for content in select(stages(arm), arm, "taskrun.started")["content"]}
    assert tasks == {"canary"}  # nobody sends a few images before


def test_without_version_control_nobody_reviews(stages):
    assert len(select(stages("mlops"), "mlops", "change.reviewed")) > 4
    assert len(select(stages("mlops-version_control"), "mlops-version_control", "change.reviewed")) == 0


def test_without_a_registry_training_starts_from_the_model_that_was_refused(stages):
    def next_parent(arm: str) -> tuple[str, str]:
        run = stages(arm)
        refused = select(run, arm, "model.rejected").iloc[0]
        later = select(run, arm, "training.started")
        return refused["subject"], later[later["time_h"] > refused["time_h"]]["content"].iloc[0]["parent"]

    refused, parent = next_parent("mlops-registry")
    assert parent == refused
    refused, parent = next_parent("mlops")
    assert parent != refused


@pytest.mark.parametrize("practice", ["service_monitoring", "rollback", "data_versioning"])
def test_what_is_not_needed_is_not_missed(stages, practice):
    """Nothing that these answer to gets into production: but for the arm's name, the log is the same."""

    def told(arm: str) -> list[tuple]:
        events = stages(arm).events
        return list(zip(events["type"], events["time"], events["subject"], strict=True))

    assert told(f"mlops-{practice}") == told("mlops")


# ---- what answers to faults in production ----------------------------------------------------


def test_without_gate_and_canary_monitors_notice_and_a_rollback_ends_it(production):
    assert production.fates(LET_THROUGH) == NOTICED


@pytest.mark.parametrize("practice", UNNOTICED)
def test_without_one_more_practice_only_what_it_guards_fares_differently(production, practice):
    assert difference(production.fates(f"{LET_THROUGH}-{practice}"), NOTICED) == UNNOTICED[practice]


@pytest.mark.parametrize(
    ("practice", "kind"),
    [
        ("service_monitoring", "latency_regression"),
        ("rollback", "latency_regression"),
        ("rollback", "mislabelled_batch"),
        ("quality_monitoring", "mislabelled_batch"),
        ("version_control", "latency_regression"),
    ],
)
def test_it_takes_longer_until_production_is_restored(production, practice, kind):
    usual = production.restored_after(LET_THROUGH, kind)
    assert production.restored_after(f"{LET_THROUGH}-{practice}", kind) > 1.5 * usual


def test_without_version_control_a_fault_that_was_rolled_back_returns_with_the_next_change(production):
    arm = f"{LET_THROUGH}-version_control"
    for name, count in ((LET_THROUGH, 1), (arm, 2)):
        down = outcomes.compute_degradations(production(name))
        assert (down["reasons"] == "latency").sum() == count
    returned = outcomes.compute_degradations(production(arm)).iloc[1]
    released = outcomes.compute_changes(production(arm)).set_index("kind")["deployed_h"]["benign_change"]
    assert returned["start_h"] == pytest.approx(released, abs=1e-3)


def test_without_data_versioning_somebody_has_to_sort_the_bad_batch_out(production):
    arm = f"{LET_THROUGH}-data_versioning"
    assert len(delays(production(LET_THROUGH), LET_THROUGH, "data_recovery")) == 0
    assert len(delays(production(arm), arm, "data_recovery")) == 1
    assert _mended_h(production, arm) > _mended_h(production, LET_THROUGH) + 0.5


def test_without_tracking_the_search_for_a_cause_takes_longer(production):
    arm = f"{LET_THROUGH}-tracking"
    tracked = delays(production(LET_THROUGH), LET_THROUGH, "diagnosis_tracked")
    untracked = delays(production(arm), arm, "diagnosis_untracked")
    assert len(tracked) == len(untracked) > 0
    assert untracked.sum() > 1.5 * tracked.sum()
    assert _mended_h(production, arm) > _mended_h(production, LET_THROUGH)


def _mended_h(production: Player, arm: str) -> float:
    """When the bad batch came again, labelled as it should be."""
    changed = select(production(arm), arm, "dataset.changed")
    return float(changed.loc[changed["content"].map(lambda content: content["kind"] == "mended"), "time_h"].iloc[0])


# ---- all of them -----------------------------------------------------------------------------


def test_all_logs_are_valid(stages, production):
    logs = [
        log for player in (stages, production) for run in player.known.values() for log in run.folder.rglob("*.jsonl")
    ]
    assert logs
    for log in logs:
        assert log_faults(log) == [], log.parent.name
