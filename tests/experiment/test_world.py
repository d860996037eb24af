"""The world with an executor of milliseconds: the story of each arm, what each practice changes, and what always holds.

What really catches what is tested with the live executor; here every stage does what its name says, so that a
surprise is one of the world's own logic.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import json
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest
import simpy
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from analysis.base.paths import ROOT
from analysis.experiment.arms import DEVOPS, MLOPS, PRACTICES, parse_arm
from analysis.experiment.drift import DOMAINS
from analysis.experiment.effort import Effort, load_delays
from analysis.experiment.events import EventLog, LogSink, validate_event
from analysis.experiment.play import play
from analysis.experiment.scenario import FAULTY, WORLD_KINDS, draw_stream, load_scenario
from analysis.experiment.settings import EFFORT, SCENARIO
from analysis.experiment.stages import Checked, Stages, Trained
from analysis.experiment.vocabulary import CUSTOM_TYPES, EVENT_TYPES
from analysis.experiment.world import ArmRun, build_world


def load_beside(name: str):
    """A module that lies beside this file, which is no package."""
    spec = importlib.util.spec_from_file_location(f"tests_{name}", Path(__file__).with_name(f"{name}.py"))
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SimpleStages = load_beside("simple_stages").SimpleStages
OFFICIAL = ROOT.parent / "shared" / "data" / "cdevents" / "schemas"
DELAYS = load_delays(EFFORT)
ABLATIONS = tuple(f"mlops-{practice}" for practice in MLOPS)
OTHERS = (*(f"devops-{practice}" for practice in DEVOPS), "manual+rollback", "manual+evaluation_gate", "manual+canary")
ARM_NAMES = ("manual", "devops", "mlops")
WAITED = "delay.waited"


class Happened:
    """One event as a test wants it: what a type of CDEvents has no place for lies beside its content."""

    def __init__(self, time_h, kind, subject, values, chain):
        self.time_h, self.kind, self.subject, self.values, self.chain = time_h, kind, subject, values, chain

    def __repr__(self):
        return f"{self.time_h:.3f} {self.kind} {self.subject} {self.values} {self.chain}"


class Listing(list):
    """A sink that keeps what was said."""

    def emit(self, kind, subject, time_h, content, custom, chain):
        self.append(Happened(time_h, kind, subject, {**content, **custom}, chain))

    def of(self, *kinds, chain=None):
        return [e for e in self if e.kind in kinds and chain in (None, e.chain)]


class WatchedRun(ArmRun):
    """An arm-run that remembers every head it had."""

    def __setattr__(self, name, value):
        if name == "head":
            self.__dict__.setdefault("heads", []).append(value)
        super().__setattr__(name, value)


class WatchedStages(SimpleStages):
    """Remembers from which code and model a package was made, and from which data a model."""

    def package(self, head, model):
        made = super().package(head, model)
        self.calls.append((made.package, head, model))
        return made

    def train(self, name, head, pool, weights):
        trained = super().train(name, head, pool, weights)
        self.calls.append((trained.model, pool))
        return trained


class UnluckyStages(WatchedStages):
    """Every few stages something fails that was nobody's fault."""

    def unlucky(self, every: int) -> bool:
        self.calls.append("draw")
        return (len(self.calls) * 7919 + self.seed * 104729) % every == 0

    def train(self, name, head, pool, weights):
        failed = bool(weights) and self.unlucky(7)
        return Trained(3.0, "", "not a number", 0, {}) if failed else super().train(name, head, pool, weights)

    def smoke_test(self, package):
        return Checked(0.2, not self.unlucky(9), "no answer")

    def compare(self, candidate, champion, batches):
        compared = super().compare(candidate, champion, batches)
        return dataclasses.replace(compared, passed=False, reason="bad luck") if self.unlucky(6) else compared


def begin(arm, seed=0, script=(), stages=WatchedStages, sink=None, scale=1.0, **changes):
    """An arm-run that has not begun, its sink a `Listing` unless another one is given."""
    scenario = load_scenario(SCENARIO, changes | ({"script": list(script)} if script else {}))
    stream = draw_stream(scenario, seed)
    env = simpy.Environment()
    sink = Listing() if sink is None else sink(scenario)
    world = build_world(stream, scenario, DOMAINS)
    run = WatchedRun(env, parse_arm(arm), scenario, Effort(DELAYS, seed, scale), stages(seed=seed), sink, world, stream)
    start = env.process
    run.begun = []

    def process(steps):
        begun = start(steps)
        run.begun.append((steps, begun))
        return begun

    env.process = process
    return run


def played(arm, seed=0, script=(), **more) -> ArmRun:
    run = begin(arm, seed, script, **more)
    play(run)
    return run


@cache
def story(arm, *script, seed=0) -> Listing:
    """What is said when these events of ``(time, kind, variant)`` happen to an arm."""
    return played(arm, seed, script).sink


def refusals(said: Listing, name: str) -> list[str]:
    """Which stages sent a change or batch back, in order."""
    found = []
    for event in said:
        failed = event.values.get("outcome") == "failure"
        if event.chain != name:
            continue
        if event.kind == "testsuiterun.finished" and failed:
            found.append("ci")
        elif event.kind == "dataset.validated" and failed:
            found.append("data_validation")
        elif event.kind == "training.finished" and failed:
            found.append("training")
        elif event.kind == "model.rejected":
            found.append("evaluation_gate")
        elif event.kind == "taskrun.finished" and failed:
            found.append(event.values["taskName"].replace("-", "_"))
    return found


def degraded_by(said: Listing, name: str) -> bool:
    return any(name in event.values["causes"] for event in said.of("degradation.started"))


# ---- what stops which defect -----------------------------------------------------------------

# Kind → the first of the whole set of practices that stops it, and what does where that one is off ("" for nothing).
STOPPED = {
    "preprocessing_bug": ("ci", "evaluation_gate"),
    "silent_label_bug": ("evaluation_gate", ""),
    "silent_serving_bug": ("evaluation_gate", ""),
    "bad_hyperparameters": ("evaluation_gate", ""),
    "latency_regression": ("canary", ""),
    "crash": ("canary", ""),
    "broken_batch": ("data_validation", "training"),
    "mislabelled_batch": ("evaluation_gate", ""),
}


@pytest.mark.parametrize("off", MLOPS)
@pytest.mark.parametrize("kind", STOPPED)
def test_without_one_practice_exactly_what_it_guards_gets_through(kind, off):
    said = story(f"mlops-{off}", (20.0, kind, 0))
    name = "batch-001" if kind.endswith("batch") else "chg-001"
    guard, second = STOPPED[kind]
    expected = second if off == guard else guard
    assert refusals(said, name)[:1] == ([expected] if expected else [])
    assert degraded_by(said, name) == (not expected)


@pytest.mark.parametrize("kind", ["benign_change", "good_batch"])
@pytest.mark.parametrize("arm", [*ARM_NAMES, *ABLATIONS])
def test_what_has_no_defect_is_refused_by_nobody_and_deployed_once(arm, kind):
    said = story(arm, (20.0, kind, 0))
    name = "batch-001" if kind.endswith("batch") else "chg-001"
    assert refusals(said, name) == []
    assert [event.values["changes"] for event in said.of("service.upgraded")] == [[name]]
    assert not said.of("degradation.started", "incident.detected", "change.abandoned")


@pytest.mark.parametrize("kind", [kind for kind in STOPPED if not kind.startswith(("preprocessing", "broken"))])
def test_devops_lets_silent_defects_through_and_mlops_does_not(kind):
    name = "batch-001" if kind.endswith("batch") else "chg-001"
    assert degraded_by(story("devops", (20.0, kind, 0)), name)
    assert degraded_by(story("manual", (20.0, kind, 0)), name)
    assert not degraded_by(story("mlops", (20.0, kind, 0)), name)


@pytest.mark.parametrize("arm", [*ARM_NAMES, *ABLATIONS, *OTHERS])
@pytest.mark.parametrize("kind", STOPPED)
def test_every_defect_is_mended_in_the_end_and_what_it_was_about_is_in_production(arm, kind):
    run = played(arm, 0, ((20.0, kind, 0),), weeks=8)
    if run.releases[-1].faults and not run.release.model.lineage:
        pytest.fail(f"still in production: {run.release.faults}")
    assert not run.degraded
    assert run.sink.of("service.upgraded")


# ---- what each practice changes --------------------------------------------------------------


def waits(said: Listing) -> Counter:
    return Counter(event.values["delay"] for event in said.of(WAITED))


def test_review_comes_with_version_control():
    plain, without = (story(arm, (20.0, "benign_change", 0)) for arm in ("devops", "devops-version_control"))
    assert waits(plain)["review"] == len(plain.of("change.reviewed")) == 1
    assert waits(without)["review"] == len(without.of("change.reviewed")) == 0


def test_without_automated_deployment_changes_wait_for_the_day_and_go_together():
    said = story("manual", (20.0, "benign_change", 0), (40.0, "benign_change", 1))
    (release,) = said.of("service.upgraded")
    assert release.values["changes"] == ["chg-001", "chg-002"]
    window = load_scenario(SCENARIO).moment(0)
    hours = Effort(DELAYS, 0).hours("deployment_window", "", window)
    assert release.time_h > hours
    by_hand = [event for event in said.of(WAITED) if event.values["delay"] == "manual_deployment"]
    assert [event.time_h for event in by_hand] == pytest.approx([hours + by_hand[0].values["hours"]])
    assert len(story("devops", (20.0, "benign_change", 0), (40.0, "benign_change", 1)).of("service.upgraded")) == 2


def test_a_crash_is_rolled_back_where_the_service_is_watched_and_comes_again_mended():
    said = story("devops", (20.0, "crash", 0))
    (incident,) = said.of("incident.detected")
    (back,) = said.of("service.rolledback")
    (end,) = said.of("incident.resolved")
    assert (incident.values["by"], end.values["ended_by"]) == ("service monitor", "rollback")
    assert (back.values["taken_back"], back.values["release"], back.values["changes"]) == (1, 0, ["chg-001"])
    first, second = said.of("service.upgraded")
    assert first.values["changes"] == second.values["changes"] == ["chg-001"]
    assert first.time_h < incident.time_h < back.time_h < end.time_h < second.time_h
    (ended,) = said.of("degradation.ended")
    assert ended.time_h == pytest.approx(back.time_h)
    assert len(said.of("degradation.started")) == 1


def test_without_rollback_the_cause_is_looked_for_and_mended():
    said = story("devops-rollback", (20.0, "crash", 0))
    assert not said.of("service.rolledback")
    (end,) = said.of("incident.resolved")
    assert end.values["ended_by"] == "fix of code"
    assert waits(said)["diagnosis_untracked"] == 1
    assert end.time_h > story("devops", (20.0, "crash", 0)).of("incident.resolved")[0].time_h


def test_without_service_monitoring_users_have_to_complain():
    said = story("devops-service_monitoring", (20.0, "crash", 0))
    (incident,) = said.of("incident.detected")
    assert incident.values["by"] == "people"
    (start,) = said.of("degradation.started")
    assert incident.time_h - start.time_h == pytest.approx(Effort(DELAYS, 0).hours("notice_outage", "chg-001", None))


def test_tracking_shortens_the_search_for_a_cause():
    plain, with_it = (
        story(arm, (20.0, "mislabelled_batch", 0)) for arm in ("devops-rollback", "devops-rollback+tracking")
    )
    assert waits(plain)["diagnosis_untracked"] == 1
    assert waits(plain)["diagnosis_tracked"] == 0
    assert waits(with_it)["diagnosis_tracked"] == 1
    assert waits(with_it)["diagnosis_untracked"] == 0


def test_data_versioning_saves_sorting_the_bad_batch_out():
    plain, with_it = (
        story(arm, (20.0, "mislabelled_batch", 0)) for arm in ("devops-rollback", "devops-rollback+data_versioning")
    )
    assert waits(plain)["data_recovery"] == 1
    assert waits(with_it)["data_recovery"] == 0
    for said in (plain, with_it):
        assert [e.values["kind"] for e in said.of("dataset.changed")] == ["mislabelled_batch", "removed"]
        assert len(said.of("degradation.ended")) == 1


def test_the_registry_promotes_and_forgets_refused_models():
    script = ((20.0, "bad_hyperparameters", 0), (200.0, "good_batch", 0))
    with_it, without = story("mlops", *script), story("mlops-registry", *script)
    assert len(with_it.of("model.promoted")) == len(with_it.of("service.upgraded"))
    assert not without.of("model.promoted")

    def parent_of_second(said):
        first, second = (
            said.of("training.started", chain="chg-001")[0],
            said.of("training.started", chain="batch-002")[0],
        )
        (refused,) = [e.values["model"] for e in said.of("training.finished", chain="chg-001")][:1]
        assert first.values["parent"] != refused
        return second.values["parent"], refused

    parent, refused = parent_of_second(with_it)
    assert parent != refused
    assert len(without.of("training.started")) > len(with_it.of("training.started"))  # the mended change trains anew


def test_triggered_retraining_waits_for_nobody():
    assert waits(story("mlops", (20.0, "good_batch", 0)))["manual_training"] == 0
    assert waits(story("mlops-triggered_retraining", (20.0, "good_batch", 0)))["manual_training"] == 1


def detected(said: Listing) -> tuple[float, str]:
    """Hours from the first degradation to whoever noticed first, and who."""
    start = said.of("degradation.started")[0].time_h
    first = said.of("incident.detected", "drift.detected")[0]
    return first.time_h - start, first.values.get("by", "drift monitor")


def test_each_monitor_that_is_missing_makes_the_next_one_notice_the_drift_later():
    drift = (20.0, "sudden_drift", 0)
    arms = ("mlops", "mlops-drift_monitoring", "mlops-drift_monitoring-quality_monitoring")
    found = [detected(story(arm, drift)) for arm in arms]
    assert [by for _, by in found] == ["drift monitor", "quality monitor", "people"]
    hours = [hours for hours, _ in found]
    assert hours == sorted(hours)
    for arm in (*arms, "devops", "manual"):
        said = story(arm, drift)
        assert len(said.of("degradation.ended")) == len(said.of("degradation.started")) == 1, arm
        assert said.of("dataset.changed")[0].values["kind"] == "response"


def test_a_drift_is_answered_once_and_the_new_state_is_the_reference():
    said = story("mlops", (20.0, "sudden_drift", 0))
    assert len(said.of("drift.detected")) == len(said.of("ticket.created")) == 1
    (closed,) = said.of("ticket.closed")
    assert closed.values["resolution"] == "completed"
    assert said.of("service.upgraded")[0].values["changes"] == ["response-01"]


def test_an_outage_on_top_of_an_unnoticed_loss_of_quality_is_noticed_as_an_outage():
    class Mild(WatchedStages):
        def quality(self, package, domain):
            return max(super().quality(package, domain), 0.5)  # bad, and not so bad that everybody sees it

    script = ((20.0, "sudden_drift", 0), (24.0, "crash", 0))
    said = played("manual+automated_deployment", 0, script, stages=Mild).sink
    (start,) = said.of("degradation.started")[:1]
    crash = said.of("service.upgraded")[0]
    incident = said.of("incident.detected")[0]
    effort = Effort(DELAYS, 0)
    outage = effort.hours("notice_outage", "chg-002+world-001", None)
    assert start.time_h == 20.0
    assert crash.time_h + outage < start.time_h + effort.hours("notice_quality", "world-001", None)
    assert incident.time_h == pytest.approx(crash.time_h + outage)


# Where another practice stops everything that one would answer, that other one is off.
BEHIND = {"service_monitoring": "-canary", "data_versioning": "-evaluation_gate", "tracking": "-evaluation_gate"}


@pytest.mark.parametrize("practice", PRACTICES)
def test_every_practice_changes_some_story(practice):
    def lines(arm, seed):
        return [repr(event) for event in played(arm, seed).sink if event.kind != "ticket.created"]

    base = f"mlops{BEHIND.get(practice, '')}"
    assert any(lines(base, seed) != lines(f"{base}-{practice}", seed) for seed in range(8))


# ---- pairing and repetition ------------------------------------------------------------------


def test_the_same_work_waits_equally_long_in_every_arm():
    hours: dict[tuple, set[float]] = defaultdict(set)
    arms_of: dict[tuple, set[str]] = defaultdict(set)
    for arm in (*ARM_NAMES, "mlops-canary", "mlops-automated_deployment"):
        for event in played(arm, 3).sink.of(WAITED):
            key = event.values["delay"], event.subject
            hours[key].add(round(event.values["hours"], 9))
            arms_of[key].add(arm)
    shared = [key for key in hours if len(arms_of[key]) > 1]
    assert len(shared) > 20
    assert all(len(hours[key]) == 1 for key in shared)


def test_every_arm_is_given_the_same_events_at_the_same_time():
    def given(arm):
        said = played(arm, 5).sink
        return [
            (event.time_h, event.subject, event.values["kind"])
            for event in said
            if (event.kind == "change.created" and event.values["kind"] != "fix")
            or (event.kind == "dataset.changed" and event.values.get("attempt") == 0)
        ] + [(event.time_h, event.subject) for event in said.of("world.changed")]

    assert len(given("mlops")) > 5
    assert given("manual") == given("devops") == given("mlops") == given("mlops-ci")


@pytest.mark.parametrize("arm", [*ARM_NAMES, "mlops-automated_deployment"])
def test_the_same_arm_run_twice_says_the_same(arm):
    first, second, other = (list(map(repr, played(arm, seed).sink)) for seed in (4, 4, 6))
    assert first == second
    assert first != other


def test_slower_people_change_nothing_that_machines_do():
    script = ((20.0, "silent_label_bug", 0),)
    quick, slow = (played("mlops", 0, script, scale=scale).sink for scale in (1.0, 3.0))

    def machine(said):
        return [
            (e.kind, e.subject, e.values.get("outcome")) for e in said if e.kind not in (WAITED, "observation.recorded")
        ]

    assert machine(quick) == machine(slow)
    assert quick.of("service.upgraded")[0].time_h < slow.of("service.upgraded")[0].time_h


STAGES = [name for name in Stages.__dict__ if not name.startswith("_")]


class TimedStages(WatchedStages):
    """Does the same on a machine that is ``slower`` times as slow, and remembers what was looked at."""

    slower = 1

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name not in STAGES:
            return found

        def stage(*arguments):
            if name == "observe":
                self.__dict__.setdefault("looks", []).append(arguments)
            done = found(*arguments)
            return dataclasses.replace(done, seconds=self.slower * done.seconds) if hasattr(done, "seconds") else done

        return stage


class SlowStages(TimedStages):
    slower = 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("arm", ARM_NAMES)
def test_a_slower_machine_is_shown_the_same_windows_and_waits_for_the_same_people(arm, seed):
    """All that is drawn at random hangs on names, never on a time that holds measured seconds."""

    def drawn(stages):
        run = played(arm, seed, stages=stages)
        waits = [(event.subject, event.values["delay"], event.values["hours"]) for event in run.sink.of(WAITED)]
        return run.stages.looks, [wait for wait in waits if wait[1] != "deployment_window"]

    quick, slow = drawn(TimedStages), drawn(SlowStages)
    assert len({window for _, _, window in quick[0]}) == len(quick[0]) > 30
    assert quick == slow


# ---- what always holds -----------------------------------------------------------------------


def faults_of(run: ArmRun) -> list[str]:
    """Everything in an arm-run that no team and no luck explains."""
    said, horizon_h = run.sink, run.scenario.horizon_h
    return [
        *_faults_of_time(said, horizon_h),
        *_faults_of_changes(run, said, horizon_h),
        *_faults_of_releases(run, said),
        *_faults_of_heads(run),
        *_faults_of_watching(run, said, horizon_h),
    ]


def _faults_of_time(said, horizon_h):
    times = [event.time_h for event in said]
    if times != sorted(times) or times[0] != 0 or times[-1] > horizon_h:
        yield "times out of order or beyond the horizon"
    for event in said:
        if any(event.values.get(key, 0) < 0 for key in ("hours", "seconds")):
            yield f"negative duration: {event}"


def _faults_of_changes(run, said, horizon_h):
    created = Counter(event.subject for event in said.of("change.created"))
    created += Counter(e.subject for e in said.of("dataset.changed") if e.values.get("attempt") == 0)
    ended = {name for event in said.of("service.upgraded") for name in event.values["changes"]}
    ended |= {event.subject for event in said.of("change.abandoned")}
    under_way = {
        steps.gi_frame.f_locals["happening"].name
        for steps, process in run.begun
        if process.is_alive and steps.__name__ == "answer"
    }
    for happening in run.stream:
        if happening.kind in WORLD_KINDS:
            continue
        if created[happening.name] != 1:
            yield f"{happening.name} begins {created[happening.name]} times"
        if happening.name not in ended | under_way:
            yield f"{happening.name} ({happening.kind}) has vanished"
    for steps, process in run.begun:
        if process.is_alive and steps.__name__ in ("_deal_with", "adapt"):
            begun = next(e.time_h for e in reversed(said) if e.kind in ("incident.detected", "ticket.created"))
            if horizon_h - begun > 500:
                yield f"{steps.__name__} never ends"


def _faults_of_releases(run, said):
    in_production: set[str] = set()
    for event in said.of("service.upgraded", "service.rolledback", "change.updated", "dataset.changed"):
        if event.kind == "service.upgraded":
            names = event.values["changes"]
            if not names or len(set(names)) < len(names):
                yield f"a release of nothing, or of the same twice: {event}"
            if in_production & set(names):
                yield f"deployed again as it is: {event}"
            in_production |= set(names)
        elif event.kind == "service.rolledback":
            in_production -= set(event.values["changes"])
        else:
            in_production.discard(event.subject)
    numbers = [event.values["release"] for event in said.of("service.upgraded")]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"releases are numbered {numbers}"
    made = {call[0]: call[1:] for call in run.stages.calls if isinstance(call, tuple)}
    for release in run.releases:
        if made[release.package] != (release.head, release.model.digest):
            yield f"release {release.number} is said to hold what its package does not"
        if made[release.model.digest] != (release.model.pool,):
            yield f"the model of release {release.number} is said to have learned what it has not"


def _faults_of_heads(run):
    mended: set[str] = set()
    for head in run.heads:
        for entry in head:
            if entry.kind in FAULTY and entry.active and entry.name in mended:
                yield f"the defect of {entry.name} is back"
            if not entry.active:
                mended.add(entry.name)
    if len(set(run.pool)) < len(run.pool):
        yield "a batch is in the pool twice"


def _faults_of_watching(run, said, horizon_h):
    looked = [event.time_h for event in said.of("observation.recorded")]
    every = run.scenario.production["every_h"]
    if max(b - a for a, b in zip(looked, [*looked[1:], horizon_h], strict=True)) > every + 1e-6:
        yield "production was not looked at for too long"
    open_incidents = 0
    for event in said.of("incident.detected", "incident.resolved"):
        open_incidents += 1 if event.kind == "incident.detected" else -1
        if open_incidents not in (0, 1):
            yield f"two incidents at once: {event}"
    states = [event.kind for event in said.of("degradation.started", "degradation.ended")]
    if states != (["degradation.started", "degradation.ended"] * len(states))[: len(states)]:
        yield "degradations do not alternate"
    noticing = any(p.is_alive and s.__name__ in ("_noticed_by_people", "_deal_with", "adapt") for s, p in run.begun)
    if run.degraded and not noticing:
        yield "production is degraded, and nobody will ever notice"


@pytest.mark.parametrize("arm", [*ARM_NAMES, *ABLATIONS, *OTHERS])
def test_nothing_impossible_happens(arm):
    found = {seed: faults_of(played(arm, seed, weeks=5)) for seed in range(4)}
    assert {seed: faults for seed, faults in found.items() if faults} == {}


@pytest.mark.parametrize("arm", [*ARM_NAMES, "mlops-automated_deployment", "mlops-evaluation_gate", "devops-ci"])
def test_nothing_impossible_happens_to_the_unlucky(arm):
    found = {seed: faults_of(played(arm, seed, stages=UnluckyStages, weeks=5)) for seed in range(6)}
    assert {seed: faults for seed, faults in found.items() if faults} == {}


# Seeds at which something did go wrong once.
@pytest.mark.parametrize(
    ("arm", "seed", "stages"),
    [
        ("mlops-triggered_retraining", 9, WatchedStages),  # a reference younger than the window
        ("mlops-evaluation_gate", 9, WatchedStages),  # code mended while a release was under way
        ("devops-version_control", 44, WatchedStages),  # a refused change brought a mended defect back
        ("manual", 1, WatchedStages),  # deployed while in its hand-over, and again after it
        ("mlops-automated_deployment", 0, WatchedStages),  # one refused change held up all others for ever
        ("mlops", 32, UnluckyStages),
        ("devops-automated_deployment", 18, UnluckyStages),
    ],
)
def test_what_went_wrong_once_does_not_again(arm, seed, stages):
    assert faults_of(played(arm, seed, stages=stages)) == []


@pytest.mark.parametrize("arm", ["mlops", "mlops-drift_monitoring", "mlops-evaluation_gate"])
def test_no_good_batch_is_lost_for_good(arm):
    for seed in range(12):
        run = played(arm, seed, weeks=6, settle_h=600)
        good = {item.name for item in run.stream if item.kind in ("good_batch", "broken_batch")}
        abandoned = {event.subject for event in run.sink.of("change.abandoned")}
        assert good - abandoned <= {run.batch_names[batch] for batch in run.pool}, seed


def test_a_batch_joins_the_pool_only_when_its_own_training_begins():
    """A broken batch that waits for a person must not spoil what others train meanwhile."""
    script = ((20.0, "broken_batch", 0), (20.1, "bad_hyperparameters", 0))
    said = story("manual", *script, seed=1)
    for event in said.of("training.started", chain="chg-002"):
        mine = said.of("training.started", chain="batch-001")
        if not mine or event.time_h < mine[0].time_h:
            assert not [batch for batch in event.values["batches"] if batch.startswith("batch-001")]
    assert all(
        event.chain == "batch-001" for event in said.of("training.finished") if event.values["outcome"] == "failure"
    )


# ---- the log ---------------------------------------------------------------------------------


def written(path: Path, arm: str, seed: int) -> list[dict]:
    log = EventLog(path, f"/workbench/{arm}/{seed}", f"test/{arm}/{seed}")
    with log:
        run = begin(arm, seed, sink=lambda scenario: LogSink(log, scenario.moment), weeks=2)
        play(run)
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> dict[str, list[dict]]:
    folder = tmp_path_factory.mktemp("logs")
    arms = (*ARM_NAMES, "mlops-triggered_retraining")
    return {arm: written(folder / f"{arm}.jsonl", arm, 2) for arm in arms}


def test_every_event_is_valid_under_the_projects_schema(logs):
    for events in logs.values():
        assert [problem for event in events for problem in validate_event(event)] == []
    used = {event["context"]["type"] for events in logs.values() for event in events}
    silent = {name for name, full in EVENT_TYPES.items() if full not in used}
    assert silent <= {
        "pipelinerun.queued",
        "pipelinerun.started",
        "pipelinerun.finished",
        "artifact.published",
        "change.abandoned",
    }


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="the official schemas are not at hand")
def test_every_event_is_valid_under_the_official_schemas(logs):
    schemas = [json.loads(path.read_text()) for path in sorted(OFFICIAL.rglob("*.json"))]
    registry = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)
    validators = {
        schema["properties"]["context"]["properties"]["type"]["enum"][0]: Draft202012Validator(
            schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        for schema in schemas
        if "context" in schema.get("properties", {})
    }
    own = {EVENT_TYPES[name] for name in CUSTOM_TYPES}
    checked = Counter()
    for event in [event for events in logs.values() for event in events]:
        kind = event["context"]["type"]
        checked[kind] += 1
        if checked[kind] > 12:
            continue
        if kind in own:  # the official rule for these is the envelope
            event = copy.deepcopy(event)
            event["context"]["type"] = kind = EVENT_TYPES["change.merged"]
            event["subject"]["content"] = {}
        assert [error.message for error in validators[kind].iter_errors(event)] == []
    assert len(checked) > 20


@pytest.mark.parametrize("kept", [0.31, 0.77])
def test_a_log_that_was_cut_off_is_continued_to_the_same_bytes(tmp_path, kept):
    path = tmp_path / "events.jsonl"
    events = written(path, "mlops", 1)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    assert written(path, "mlops", 1) == events
    assert path.read_bytes() == whole
