"""The events that the experiment speaks of: their full CDEvents types, and what each must say.

Standard types are those of CDEvents 0.5.1. What it has no word for (data, training, evaluation, promotion,
drift, what is true of production, waits) has a custom type ``dev.cdeventsx.workbench-<subject>.<predicate>``,
as its rule for custom events asks (tool, hyphen, subject); ``data/experiment/events.schema.json`` holds
their content. One function a type builds the event with what the schema requires::

    log.add(change_merged("chg-007"), moment, chain="chg-007")
    log.add(service_deployed("inspection", "production", purl("inspection", digest)), moment)

Contents of standard types have CDEvents' own keys; those of ours are named as columns are in this project,
with units as suffixes. Optional parts that are empty are left out.

References
----------
CDEvents specification 0.5.1, https://github.com/cdevents/spec/tree/v0.5.1 (spec.md, custom/README.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from analysis.base.errors import InputError, Problem

SPECVERSION = "0.5.1"
REPOSITORY = "inspection"
"""The project under study: its repository, and the service that it becomes."""

Outcome = Literal["success", "failure", "cancel", "error"]
Trigger = Literal["manual", "pipeline", "event", "schedule", "other"]
Measure = Literal["quality", "errors", "latency"]
"""What a service level is about."""

_STANDARD = {
    "artifact.packaged": "0.3.0",
    "artifact.published": "0.3.0",
    "change.abandoned": "0.3.0",
    "change.created": "0.4.0",
    "change.merged": "0.3.0",
    "change.reviewed": "0.3.0",
    "change.updated": "0.3.0",
    "environment.created": "0.3.0",
    "incident.detected": "0.3.0",
    "incident.resolved": "0.3.0",
    "pipelinerun.finished": "0.3.0",
    "pipelinerun.queued": "0.3.0",
    "pipelinerun.started": "0.3.0",
    "repository.created": "0.3.0",
    "service.deployed": "0.3.0",
    "service.rolledback": "0.3.0",
    "service.upgraded": "0.3.0",
    "taskrun.finished": "0.3.0",
    "taskrun.started": "0.3.0",
    "testsuiterun.finished": "0.3.0",
    "testsuiterun.started": "0.3.0",
    "ticket.closed": "0.2.0",
    "ticket.created": "0.2.0",
}
_CUSTOM = (
    "dataset.changed",
    "dataset.validated",
    "degradation.ended",
    "degradation.started",
    "delay.waited",
    "drift.detected",
    "evaluation.finished",
    "model.promoted",
    "model.rejected",
    "observation.recorded",
    "training.finished",
    "training.started",
    "world.changed",
)
EVENT_TYPES: dict[str, str] = {
    **{name: f"dev.cdevents.{name}.{version}" for name, version in _STANDARD.items()},
    **{name: f"dev.cdeventsx.workbench-{name}.0.1.0" for name in _CUSTOM},
}
"""Short name → full type with its version."""

CUSTOM_TYPES: frozenset[str] = frozenset(_CUSTOM)

_TYPE = re.compile(r"dev\.(?:cdevents\.|cdeventsx\.[a-zA-Z0-9]+-)([a-zA-Z]+\.[a-zA-Z]+)\.\d+\.\d+\.\d+(?:-\w+)?")


def short_type(full: str) -> str | None:
    """Short name of a full type, of whatever version; None for what is not a CDEvents type.

    >>> short_type("dev.cdevents.service.deployed.0.2.0")
    'service.deployed'
    >>> short_type("dev.cdeventsx.workbench-drift.detected.0.1.0")
    'drift.detected'
    """
    found = _TYPE.fullmatch(full)
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to which subject, without the time and the log.

    Attributes
    ----------
    type : str
        Short name, a key of `EVENT_TYPES`.
    subject : str
        Id of the subject, unique in its run.
    content : mapping
        As the type's schema says.
    custom : mapping
        What the schema has no place for.
    """

    type: str
    subject: str
    content: Mapping[str, Any]
    custom: Mapping[str, Any] = field(default_factory=dict)


def purl(name: str, digest: str) -> str:
    """Package URL of an artifact: its name and the digest of its content.

    Raises
    ------
    InputError
        A name or digest that would have to be escaped.

    >>> purl("inspection", "0b31b1c0")
    'pkg:generic/inspection@0b31b1c0'
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name) or not re.fullmatch(r"[0-9A-Za-z._-]+", digest):
        what = f"name {name!r}, digest {digest!r}"
        raise InputError("This is no artifact.", [Problem("purl", what, "lower-case name, digest in hex")])
    return f"pkg:generic/{name}@{digest}"


def _uri(kind: str, identifier: str) -> str:
    return f"urn:workbench:{kind}:{quote(identifier, safe='')}"


def _filled(**content: Any) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value is not None and value != ""}


def _reference(identifier: str) -> dict[str, str] | None:
    return {"id": identifier} if identifier else None


# Code: repository, changes, tickets


def repository_created(name: str = REPOSITORY) -> Event:
    return Event("repository.created", name, {"name": name, "uri": _uri("repository", name)})


def change_created(change: str, description: str = "", repository: str = REPOSITORY) -> Event:
    return Event("change.created", change, _filled(description=description, repository=_reference(repository)))


def change_reviewed(change: str, approved: bool, repository: str = REPOSITORY) -> Event:
    """CDEvents 0.5.1 has no place for the verdict; it goes into the custom data as ``approved``."""
    return Event("change.reviewed", change, _filled(repository=_reference(repository)), {"approved": approved})


def change_updated(change: str, repository: str = REPOSITORY) -> Event:
    return Event("change.updated", change, _filled(repository=_reference(repository)))


def change_merged(change: str, repository: str = REPOSITORY) -> Event:
    return Event("change.merged", change, _filled(repository=_reference(repository)))


def change_abandoned(change: str, repository: str = REPOSITORY) -> Event:
    return Event("change.abandoned", change, _filled(repository=_reference(repository)))


def ticket_created(ticket: str, summary: str, creator: str, kind: str = "bug") -> Event:
    content = {"summary": summary, "creator": creator, "ticketType": kind, "uri": _uri("ticket", ticket)}
    return Event("ticket.created", ticket, content)


def ticket_closed(ticket: str, resolution: str = "completed") -> Event:
    """``resolution``: completed, withdrawn, duplicate, or a word of one's own."""
    return Event("ticket.closed", ticket, {"resolution": resolution, "uri": _uri("ticket", ticket)})


# Pipelines and tests (pytest would take a function named after a test suite run for a test)


def pipelinerun_queued(run: str, pipeline: str) -> Event:
    return Event("pipelinerun.queued", run, {"pipelineName": pipeline, "uri": _uri("pipelinerun", run)})


def pipelinerun_started(run: str, pipeline: str) -> Event:
    return Event("pipelinerun.started", run, {"pipelineName": pipeline, "uri": _uri("pipelinerun", run)})


def pipelinerun_finished(run: str, pipeline: str, outcome: Outcome, errors: str = "") -> Event:
    content = _filled(pipelineName=pipeline, uri=_uri("pipelinerun", run), outcome=outcome, errors=errors)
    return Event("pipelinerun.finished", run, content)


def taskrun_started(run: str, task: str, pipelinerun: str = "") -> Event:
    return Event("taskrun.started", run, _filled(taskName=task, pipelineRun=_reference(pipelinerun)))


def taskrun_finished(run: str, task: str, outcome: Outcome, errors: str = "", pipelinerun: str = "") -> Event:
    content = _filled(taskName=task, outcome=outcome, errors=errors, pipelineRun=_reference(pipelinerun))
    return Event("taskrun.finished", run, content)


def suiterun_started(run: str, suite: str, environment: str, trigger: Trigger = "pipeline") -> Event:
    content = {"environment": {"id": environment}, "testSuite": {"id": suite}, "trigger": {"type": trigger}}
    return Event("testsuiterun.started", run, content)


def suiterun_finished(run: str, suite: str, environment: str, outcome: Outcome, reason: str = "") -> Event:
    content = _filled(environment={"id": environment}, testSuite={"id": suite}, outcome=outcome, reason=reason)
    return Event("testsuiterun.finished", run, content)


# Artifacts, services, incidents


def artifact_packaged(artifact: str, change: str) -> Event:
    """``artifact`` is a package URL (`purl`); ``change`` the newest change that it contains."""
    return Event("artifact.packaged", artifact, {"change": {"id": change}})


def artifact_published(artifact: str, user: str = "") -> Event:
    return Event("artifact.published", artifact, _filled(user=user))


def environment_created(environment: str) -> Event:
    return Event("environment.created", environment, {"name": environment})


def service_deployed(service: str, environment: str, artifact: str) -> Event:
    """The first instance of a service in an environment; later ones are upgrades."""
    return Event("service.deployed", service, {"environment": {"id": environment}, "artifactId": artifact})


def service_upgraded(service: str, environment: str, artifact: str) -> Event:
    return Event("service.upgraded", service, {"environment": {"id": environment}, "artifactId": artifact})


def service_rolledback(service: str, environment: str, artifact: str) -> Event:
    """``artifact`` is the one that serves again."""
    return Event("service.rolledback", service, {"environment": {"id": environment}, "artifactId": artifact})


def incident_detected(
    incident: str, environment: str, service: str, artifact: str = "", description: str = ""
) -> Event:
    return Event("incident.detected", incident, _incident(environment, service, artifact, description))


def incident_resolved(
    incident: str, environment: str, service: str, artifact: str = "", description: str = ""
) -> Event:
    return Event("incident.resolved", incident, _incident(environment, service, artifact, description))


def _incident(environment: str, service: str, artifact: str, description: str) -> dict[str, Any]:
    return _filled(
        environment={"id": environment}, service=_reference(service), artifactId=artifact, description=description
    )


# Data and models


def dataset_changed(
    dataset: str, batch: str, kind: str, images: int | None = None, attempt: int | None = None
) -> Event:
    """``batch``: digest of what came or went; ``kind``: of the happening, or ``mended``, ``response``, ``removed``."""
    return Event("dataset.changed", dataset, _filled(batch=batch, kind=kind, images=images, attempt=attempt))


def dataset_validated(
    dataset: str,
    batch: str,
    outcome: Outcome,
    problems: Sequence[str] = (),
    seconds: float | None = None,
    shown: int = 5,
) -> Event:
    """The first ``shown`` problems as text, and how many there are."""
    listed = {"problems": list(problems[:shown]), "problem_count": len(problems)}
    return Event("dataset.validated", dataset, _filled(batch=batch, outcome=outcome, seconds=seconds) | listed)


def training_started(training: str, batches: Sequence[str], parent: str = "", trigger: Trigger | None = None) -> Event:
    """``batches``: digests of the data; ``parent``: digest of the model whose weights it starts from."""
    return Event("training.started", training, {"batches": list(batches)} | _filled(parent=parent, trigger=trigger))


def training_finished(
    training: str,
    outcome: Outcome,
    seconds: float,
    images: int,
    model: str = "",
    reason: str = "",
    device: str = "",
    metrics: Mapping[str, float | None] | None = None,
) -> Event:
    """``seconds`` of computing, measured; ``model``: digest, where there is one; ``reason``: why there is none."""
    content = _filled(outcome=outcome, seconds=seconds, images=images, model=model, reason=reason)
    return Event("training.finished", training, content | _filled(device=device, metrics=dict(metrics or {}) or None))


def evaluation_finished(
    artifact: str,
    map50: float | None,
    low: float | None,
    high: float | None,
    images: int,
    seconds: float | None = None,
    reason: str = "",
) -> Event:
    """mAP50 with its interval, None where it is not defined; ``reason``: why the artifact could not be evaluated."""
    estimate = {"map50": map50, "low": low, "high": high, "images": images}
    return Event("evaluation.finished", artifact, estimate | _filled(seconds=seconds, reason=reason))


def model_promoted(model: str, package: str, **comparison: Any) -> Event:
    """``comparison``: champion, difference, low, high, reason, automatic; those that apply."""
    return Event("model.promoted", model, {"package": package} | _filled(**comparison))


def model_rejected(model: str, package: str, reason: str, **comparison: Any) -> Event:
    """``comparison``: as in `model_promoted`."""
    return Event("model.rejected", model, {"package": package, "reason": reason} | _filled(**comparison))


# Production, the world, people


def drift_detected(
    service: str,
    statistic: float,
    limit: float,
    reason: str = "",
    detector: str = "",
    contributions: Mapping[str, float] | None = None,
) -> Event:
    content = {"statistic": statistic, "limit": limit} | _filled(reason=reason, detector=detector)
    return Event("drift.detected", service, content | _filled(contributions=dict(contributions or {}) or None))


def observation_recorded(
    window: str, map50: float | None, error_share: float, latency_p95_s: float, images: int, **more: Any
) -> Event:
    """What is true of a window of production, by its true labels; ``map50`` None where it is not defined.

    ``more``: map50_pooled, target_map50, confidence, release, package, degraded; those that apply.
    """
    content = {"map50": map50, "error_share": error_share, "latency_p95_s": latency_p95_s, "images": images}
    return Event("observation.recorded", window, content | _filled(**more))


def degradation_started(
    degradation: str, reasons: Sequence[Measure], causes: Sequence[str] = (), release: int | None = None
) -> Event:
    """Production is worse than its service level, in truth and not by anybody's monitor."""
    return Event(
        "degradation.started",
        degradation,
        {"reasons": list(reasons), "causes": list(causes)} | _filled(release=release),
    )


def degradation_ended(degradation: str, hours: float, release: int | None = None) -> Event:
    """``hours`` that it lasted."""
    return Event("degradation.ended", degradation, {"hours": hours} | _filled(release=release))


def world_changed(step: str, ramp_h: float, domain: Mapping[str, float]) -> Event:
    """The line changes over ``ramp_h`` hours (0: at once) towards the conditions ``domain``."""
    return Event("world.changed", step, {"ramp_h": ramp_h, "domain": dict(domain)})


def delay_waited(about: str, delay: str, hours: float, person: str = "") -> Event:
    """Somebody has been waited for; the event's time is the end of the wait. ``delay``: its key in effort.yaml."""
    return Event("delay.waited", about, {"delay": delay, "hours": hours} | _filled(person=person))
