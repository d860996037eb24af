"""CDEvents' types and what they are in the event table.

References
----------
CDEvents specification 0.4.1 and 0.5.1, https://github.com/cdevents/spec: spec.md (types, ``context.version`` and
``context.specversion``), continuous-deployment.md, continuous-operations.md, custom/README.md.
"""

from __future__ import annotations

import re

_STANDARD = re.compile(r"dev\.cdevents\.([a-z]+)\.([a-z]+)\.\d+\.\d+\.\d+(?:-[\w.]+)?")
_CUSTOM = re.compile(r"dev\.cdeventsx\.([a-z0-9]+)-([a-z]+)\.([a-z]+)\.\d+\.\d+\.\d+(?:-[\w.]+)?")

OWN = "workbench"
"""The tool in the custom types of this project's experiment."""

STANDARD_TYPES: dict[str, str] = {
    "build.finished": "taskrun.finished",
    "change.abandoned": "change.abandoned",
    "change.created": "change.created",
    "change.merged": "change.merged",
    "change.reviewed": "change.reviewed",
    "incident.detected": "incident.detected",
    "incident.reported": "incident.detected",
    "incident.resolved": "incident.resolved",
    "pipelinerun.finished": "pipelinerun.finished",
    "service.deployed": "service.deployed",
    "service.rolledback": "service.rolledback",
    "service.upgraded": "service.deployed",
    "taskrun.finished": "taskrun.finished",
    "testsuiterun.finished": "testsuiterun.finished",
}
"""Type of CDEvents → type of the event table. An incident is noticed when it is detected or when it is reported: the
first counts. A build is an automated step."""

OWN_TYPES: dict[str, str] = {
    name: name
    for name in (
        "dataset.changed",
        "dataset.validated",
        "degradation.ended",
        "degradation.started",
        "drift.detected",
        "evaluation.finished",
        "model.promoted",
        "model.rejected",
        "observation.recorded",
        "training.finished",
        "training.started",
    )
} | {"delay.waited": "step.done"}
"""Custom type of this project → type of the event table; waits for labels are ``labelling.finished``."""

NOT_USED: frozenset[str] = frozenset(
    f"{subject}.{predicate}"
    for subject, predicates in {
        "artifact": ("deleted", "downloaded", "packaged", "published", "signed"),
        "branch": ("created", "deleted"),
        "build": ("queued", "started"),
        "change": ("updated",),
        "environment": ("created", "deleted", "modified"),
        "pipelinerun": ("queued", "started"),
        "repository": ("created", "deleted", "modified"),
        "service": ("published", "removed"),
        "taskrun": ("started",),
        "testcaserun": ("finished", "queued", "skipped", "started"),
        "testoutput": ("published",),
        "testsuiterun": ("queued", "started"),
        "ticket": ("closed", "created", "updated"),
        "world": ("changed",),
    }.items()
    for predicate in predicates
)
"""Known, and no metric is made of them; packaged artifacts say which change a deployment carries."""

LABELLING = ("labelling_image", "labelling_queue", "quality_labels")
"""Waits that end with labels, as this project's experiment names them."""

_OUTCOMES = {
    **dict.fromkeys(("success", "succeeded", "pass", "passed"), "success"),
    **dict.fromkeys(("failure", "failed", "fail", "error"), "failure"),
    **dict.fromkeys(("cancel", "canceled", "cancelled", "skip", "skipped"), None),
}


def short_type(full: str) -> str | None:
    """Subject and predicate of a full type, of whatever version; None where no CDEvents type is known by it.

    >>> short_type("dev.cdevents.service.deployed.0.2.0")
    'service.deployed'
    >>> short_type("dev.cdeventsx.workbench-drift.detected.0.1.0")
    'drift.detected'
    >>> short_type("dev.cdeventsx.othertool-drift.detected.0.1.0") is None
    True
    """
    if found := _STANDARD.fullmatch(full):
        name = f"{found[1]}.{found[2]}"
        return name if name in STANDARD_TYPES or (name in NOT_USED and found[1] != "world") else None
    if (found := _CUSTOM.fullmatch(full)) and found[1] == OWN:
        name = f"{found[2]}.{found[3]}"
        return name if name in OWN_TYPES or name == "world.changed" else None
    return None


def read_outcome(text: object) -> str | None:
    """``success``, ``failure``, or None for what was called off; 0.4 says ``pass`` and ``fail`` of tests.

    Raises
    ------
    ValueError
        A word that CDEvents does not have.
    """
    if not isinstance(text, str) or text.strip().lower() not in _OUTCOMES:
        raise ValueError(text)
    return _OUTCOMES[text.strip().lower()]
