"""One arm-run: a project, a team and a production line in virtual time.

The story. At hour zero a first model has been trained, packaged and put into service; that much is the
same for every arm. From then on the seeded stream of events (`analysis.experiment.scenario`) happens to the
project: somebody changes code, data arrive, the line changes. What the team does about it is in
`analysis.experiment.delivery` (from a change to production) and `analysis.experiment.operations` (from
production back). Machines take the seconds that their stages took; people take the hours of
`analysis.experiment.effort`. Whether production is degraded is judged here by the true labels of its
stream, which no arm ever sees.

Each practice of the arm is asked for in exactly one place of those two modules. Nothing says what an arm
catches: an event is stopped where some stage really notices it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import simpy

from analysis.experiment import vocabulary
from analysis.experiment.arms import Arm
from analysis.experiment.effort import Effort
from analysis.experiment.scenario import FAULTY, Happening, Scenario, World, WorldStep
from analysis.experiment.scenes import Domain
from analysis.experiment.stages import Head, Observed, Outcome, Pool, Stages
from analysis.experiment.vocabulary import Event

Steps = Generator[simpy.Event, Any, Any]
"""A SimPy process, or a part of one that another delegates to with ``yield from``."""

BLATANT = 0.5
"""Share of the quality target below which a model finds so little that users notice sooner."""

POOLED_WINDOWS = 3
"""Windows of one state that are judged together: fewer images make mAP50 too uncertain to judge by."""


class EventSink(Protocol):
    """Where events go: `analysis.experiment.events.EventLog`, or a list in a test."""

    def emit(
        self, kind: str, subject: str, time_h: float, content: Mapping[str, Any], custom: Mapping[str, Any], chain: str
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model, with what it was trained on.

    ``code`` is the digest of the code and configuration that training depends on, ``pool`` the batches.
    """

    digest: str
    code: str
    pool: Pool
    lineage: tuple[str, ...] = ()
    """Names of faulty changes and batches in this model's training or in one that it was tuned from."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is, or was, in production."""

    number: int
    package: str
    model: Model
    head: Head
    names: tuple[str, ...]
    """The changes and batches that this release brought."""
    time_h: float

    @property
    def faults(self) -> tuple[str, ...]:
        """Truth, for judging and for a person who has found the cause: the defects that it carries."""
        code = [entry.name for entry in self.head if entry.active and entry.kind in FAULTY]
        return tuple(dict.fromkeys([*code, *self.model.lineage]))


@dataclass
class ArmRun:
    """The state of one arm-run. Processes read and change it; the log is what remains of it.

    Attributes
    ----------
    head : Head
        Code and configuration as merged; ``pool`` and ``acceptance`` are the data batches in use.
    latest : Model
        The last model that was trained, whatever became of it.
    releases : list of Release
        What has been deployed and not rolled back; the last one is in production.
    line : simpy.Resource
        The one pipeline through which changes go, one after the other.
    """

    env: simpy.Environment
    arm: Arm
    scenario: Scenario
    effort: Effort
    stages: Stages
    sink: EventSink
    world: World
    stream: tuple[Happening, ...]
    head: Head = ()
    pool: Pool = ()
    acceptance: Pool = ()
    first_acceptance: str = ""
    reference: str = ""
    reference_since: int = 0
    reference_h: float = 0.0
    latest: Model | None = None
    models: list[Model] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    deployments: int = 0
    first_map50: float = 0.0
    batches: dict[str, Happening | None] = field(default_factory=dict)
    batch_names: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, simpy.Event] = field(default_factory=dict)
    windows: list[tuple[int, Observed]] = field(default_factory=list)
    seen: list[tuple[float, Observed]] = field(default_factory=list)
    degraded: tuple[str, ...] = ()
    degraded_since_h: float = 0.0
    blatant: bool = False
    episode: int = 0
    incident: int = 0
    incident_open: bool = False
    adapting: simpy.Event | None = None
    responses: int = 0
    state: int = 0

    def __post_init__(self) -> None:
        self.line = simpy.Resource(self.env, capacity=1)
        self.changed = self.env.event()
        self.judged = self.env.event()

    @property
    def release(self) -> Release:
        """What is in production."""
        return self.releases[-1]

    @property
    def champion(self) -> Model:
        """The model in production."""
        return self.release.model

    @property
    def last_good(self) -> Model:
        """Truth, for people who have found a cause: the newest model that carries no fault."""
        return next(model for model in reversed(self.models) if not model.lineage)

    @property
    def quality_target(self) -> float:
        """mAP50 below which production is degraded."""
        return self.scenario.service_level["quality_share"] * self.first_map50

    def domain(self) -> Domain:
        """The line as it is now."""
        return self.world.domain(self.env.now)

    def say(self, event: Event, chain: str = "", **custom: Any) -> None:
        """Write one event at the present virtual time; ``custom`` is what its type has no place for."""
        self.sink.emit(event.type, event.subject, self.env.now, event.content, {**event.custom, **custom}, chain)

    def wait(self, delay: str, about: str, times: float = 1.0) -> Steps:
        """Wait for a person: ``delay`` as in the effort file, drawn for ``about``."""
        hours = times * self.effort.hours(delay, about, self.scenario.moment(self.env.now))
        yield self.env.timeout(hours)
        self.say(vocabulary.delay_waited(about, delay, hours), chain=about.split("/")[0])

    def spend(self, outcome: Outcome) -> Steps:
        """Let the seconds pass that a stage took."""
        yield self.env.timeout(outcome.seconds / 3600)

    def change_state(self) -> None:
        """Something that production depends on is different from now on."""
        self.state += 1
        self.changed.succeed()
        self.changed = self.env.event()

    def judge(self, observed: Observed) -> None:
        """Write down a window and what is true of it: is production degraded, since when, by what?"""
        self.windows.append((self.state, observed))
        self.seen.append((self.env.now, observed))
        same = [window for state, window in self.windows if state == self.state][-POOLED_WINDOWS:]
        map50 = self.stages.pooled_map50([window.work for window in same])
        level = self.scenario.service_level
        reasons = tuple(
            name
            for name, bad in (
                ("quality", map50 < self.quality_target),
                ("errors", observed.error_share > level["error_share"]),
                ("latency", observed.latency_p95_s > level["latency_p95_s"]),
            )
            if bad
        )
        self.say(
            vocabulary.observation_recorded(
                f"window-{len(self.windows):04d}",
                observed.map50,
                observed.error_share,
                observed.latency_p95_s,
                observed.images,
                map50_pooled=map50,
                target_map50=self.quality_target,
                confidence=observed.confidence,
                release=self.release.number,
                package=self.release.package,
                degraded=list(reasons),
            )
        )
        if reasons and not self.degraded:
            self.episode += 1
            self.degraded_since_h = self.env.now
            name = f"degradation-{self.episode:03d}"
            self.say(vocabulary.degradation_started(name, reasons, self.causes(), self.release.number), chain=name)
        elif self.degraded and not reasons:
            name, hours = f"degradation-{self.episode:03d}", self.env.now - self.degraded_since_h
            self.say(vocabulary.degradation_ended(name, hours, self.release.number), chain=name)
        self.degraded = reasons
        self.blatant = map50 < BLATANT * self.quality_target
        self.judged.succeed()
        self.judged = self.env.event()

    def causes(self) -> tuple[str, ...]:
        """Truth: the defects in production, and the changes of the line that no model was made for yet."""
        steps = [
            step.name
            for step in self.world.steps
            if step.time_h <= self.env.now and step.time_h + step.ramp_h > self.reference_h
        ]
        return (*self.release.faults, *steps)

    def lineage(self, head: Head, pool: Pool, parent: Model | None) -> tuple[str, ...]:
        """Truth: the faults that a model trained now carries in itself."""
        code = [
            entry.name
            for entry in head
            if entry.active and entry.kind in ("silent_label_bug", "bad_hyperparameters", "preprocessing_bug")
        ]
        data = [
            self.batch_names[batch]
            for batch in pool
            if (happening := self.batches.get(batch)) is not None and happening.kind in FAULTY
        ]
        return tuple(dict.fromkeys([*code, *data, *(parent.lineage if parent else ())]))


def build_world(stream: Sequence[Happening], scenario: Scenario, domains: Mapping[str, Domain]) -> World:
    """The line over time, from the world events of a stream.

    Parameters
    ----------
    domains : mapping of str to Domain
        Named conditions to choose from; ``baseline`` is where the line starts, those that hold new
        products are reached by concept changes, all others by drift.
    """
    drifts = [name for name in domains if name != "baseline" and domains[name].new_product == 0]
    steps: list[WorldStep] = []
    new_product = 0.0
    for happening in stream:
        if happening.kind == "concept_change":
            new_product = 1.0
            last = steps[-1].domain if steps else domains["baseline"]
            steps.append(WorldStep(happening.name, happening.time_h, 0.0, replace(last, new_product=1.0)))
        elif happening.kind in ("sudden_drift", "gradual_drift"):
            domain = replace(domains[drifts[happening.variant % len(drifts)]], new_product=new_product)
            ramp_h = scenario.ramp_h if happening.kind == "gradual_drift" else 0.0
            steps.append(WorldStep(happening.name, happening.time_h, ramp_h, domain))
    return World(tuple(steps), domains["baseline"])


def announce(run: ArmRun) -> Steps:
    """Write the changes of the line into the log, and have production looked at as they happen."""
    for step in run.world.steps:
        yield run.env.timeout(step.time_h - run.env.now)
        run.say(vocabulary.world_changed(step.name, step.ramp_h, asdict(step.domain)), chain=step.name)
        run.change_state()
