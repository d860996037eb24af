"""The event table that KPIs are computed from, and the types of its events."""

from __future__ import annotations

from analysis.base.schemas.spec import TableSpec, column

EVENT_TYPES: dict[str, str] = {
    "change.committed": "the first commit of a change was made",
    "change.created": "a change was proposed, such as a pull request opened",
    "change.reviewed": "somebody reviewed it; outcome: success if approved",
    "change.merged": "it reached the main line",
    "change.abandoned": "it was given up",
    "service.deployed": "a version went into an environment, carrying the change; outcome: failure if it never did",
    "service.rolledback": "an earlier version serves again; cause: the deployment taken back",
    "incident.detected": "users suffer and somebody noticed; cause: the deployment to blame, where known",
    "incident.resolved": "they no longer do",
    "pipelinerun.finished": "an automated pipeline came to its end",
    "testsuiterun.finished": "automated tests came to their end",
    "taskrun.finished": "another automated step came to its end",
    "step.done": "a person did a step; value: hours waited for it",
    "labelling.finished": "labels were made by people; value: hours it took",
    "dataset.changed": "data came or went; change: the batch",
    "dataset.validated": "data were checked",
    "training.started": "a training began",
    "training.finished": "a training came to its end; value: seconds of computing",
    "evaluation.finished": "a model was evaluated; value: its quality",
    "model.promoted": "a model was put into use",
    "model.rejected": "a model was refused",
    "drift.detected": "a monitor saw the input change",
    "observation.recorded": "production as it really was from then on; value: quality, target: what is asked of it; "
    "outcome: failure if below the service level",
    "degradation.started": "production fell below its service level, in truth",
    "degradation.ended": "it came back",
}
"""Types of the event table → what happened to the subject. Names are those of CDEvents where it has one."""

EVENTS = TableSpec(
    "an event log",
    "An event, once for each change that it carries",
    ("source", "id", "change"),
    {
        "source": column("string", "Log, repository or system that says so"),
        "id": column("string", "Id of the event, unique in its source"),
        "time": column("datetime64[us, UTC]", "When it happened"),
        "type": column("string", "What happened", allowed=tuple(EVENT_TYPES)),
        "subject": column("string", "What it happened to: id of the change, deployment, incident, run or model"),
        "service": column("string", "Service concerned", nullable=True),
        "environment": column("string", "Environment concerned, such as production", nullable=True),
        "change": column("string", "A change that it carries or is about", nullable=True),
        "outcome": column("string", "How it ended", allowed=("success", "failure"), nullable=True),
        "cause": column("string", "Subject of the event that it answers or comes from", nullable=True),
        "value": column("Float64", "Its measure, where the type has one", nullable=True),
        "target": column("Float64", "What is asked of the measure", nullable=True),
    },
)
"""What KPIs are computed from, whichever source it comes from. A deployment of three changes is three rows with one id;
a row without change is a deployment whose changes are not known."""
