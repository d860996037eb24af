"""What the stages of an arm take and give: the interface between the world and an executor.

The world (`analysis.experiment.world`) decides when a stage runs and what follows; an executor does it.
`analysis.experiment.live` really does. Every outcome says how many seconds it took; everything else is
known by digest, so that the same work has the same name in every arm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from analysis.experiment.scenario import Happening
from analysis.experiment.scenes import Domain


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A change in the project's code or configuration, as it stands in a head.

    ``name`` is the change's, ``kind`` and ``variant`` say which edit, ``active`` whether the edit is in
    (a mended change stays in the head without its defect).
    """

    name: str
    kind: str
    variant: int
    active: bool = True


Head = tuple[Entry, ...]
"""The project's code and configuration: the template and these changes."""

Pool = tuple[str, ...]
"""Digests of data batches, in the order in which they came."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What every stage returns: the seconds it took, from the record where it was done before."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Commit(Outcome):
    """``sha`` of the commit, ``tree`` of the files alone."""

    sha: str
    tree: str


@dataclass(frozen=True, slots=True)
class Tested(Outcome):
    """Unit tests of the project: how many ran and which failed."""

    tests: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivery(Outcome):
    """A labelled batch: its digest and number of images."""

    batch: str
    images: int


@dataclass(frozen=True, slots=True)
class Validated(Outcome):
    """Data validation: every violation found, as text."""

    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trained(Outcome):
    """A training: the model's digest, or why there is none."""

    model: str
    failure: str
    images: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Packaged(Outcome):
    """A release candidate: digest of model and code together, and its size."""

    package: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Evaluated(Outcome):
    """A package on labelled images: mAP50 with its interval, and the work that holds the details."""

    map50: float
    low: float
    high: float
    images: int
    work: str
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Compared(Outcome):
    """A candidate beside the champion on the same images: difference of mAP50 with its interval."""

    difference: float
    low: float
    high: float
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Checked(Outcome):
    """Smoke test, deployment or canary: passed, or why not."""

    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Observed(Outcome):
    """A window of production with what is true of it.

    ``map50`` is by the stream's true labels; ``truth`` and ``work`` name the details for pooling and
    for the detectors.
    """

    images: int
    map50: float
    error_share: float
    latency_p95_s: float
    confidence: float
    work: str


@dataclass(frozen=True, slots=True)
class Verdict(Outcome):
    """What a detector says of a window: alarm or not, its statistic and limit, and why."""

    alarm: bool
    statistic: float
    limit: float
    reason: str


class Stages(Protocol):
    """Everything that an arm can have done."""

    def training_digest(self, head: Head) -> str: ...

    def commit(self, head: Head, message: str, moment: datetime) -> Commit: ...

    def unit_tests(self, head: Head) -> Tested: ...

    def deliver(self, happening: Happening | None, name: str, domain: Domain, images: int) -> Delivery: ...

    def divide(self, batch: str, share: float) -> tuple[str, str]: ...

    def validate(self, batch: str) -> Validated: ...

    def train(self, name: str, head: Head, pool: Pool, weights: str) -> Trained: ...

    def package(self, head: Head, model: str) -> Packaged: ...

    def evaluate(self, package: str, batches: Sequence[str]) -> Evaluated: ...

    def compare(self, candidate: str, champion: str, batches: Sequence[str]) -> Compared: ...

    def smoke_test(self, package: str) -> Checked: ...

    def canary(self, package: str, stable: str, domain: Domain, window: str) -> Checked: ...

    def deploy(self, package: str) -> Checked: ...

    def observe(self, package: str, domain: Domain, window: str) -> Observed: ...

    def pooled_map50(self, windows: Sequence[str]) -> float: ...

    def service_verdict(self, window: str) -> Verdict: ...

    def drift_verdict(self, reference: str, package: str, windows: Sequence[str]) -> Verdict: ...

    def quality_verdict(self, target: float, windows: Sequence[str]) -> Verdict: ...
