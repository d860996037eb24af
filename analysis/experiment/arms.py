"""The arms of the experiment, as policy tables: which practices a team has.

A practice is one switch. What it changes is in `analysis.experiment.world`, where each switch is asked in
one place; what follows from it is not written anywhere, it happens. An arm without one of its practices is
written ``mlops-evaluation_gate``, an arm with one more ``devops+data_validation``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from analysis.base.errors import InputError, Problem

PRACTICES: dict[str, str] = {
    "version_control": "changes are reviewed before they are merged, and can be reverted",
    "ci": "the project's unit tests run on every change",
    "automated_deployment": "a finished change is deployed at once, after a smoke test",
    "service_monitoring": "errors and latency of the server raise an alarm",
    "rollback": "an alarm soon after a deployment brings the previous release back",
    "data_validation": "a data batch is checked against the schema before it is used",
    "data_versioning": "the data of every model are known, and a bad batch is taken out at once",
    "tracking": "how each model was made is recorded, which shortens the search for a cause",
    "registry": "models are promoted; training starts from the champion and not from the last attempt",
    "evaluation_gate": "a candidate that is worse than the champion, beyond uncertainty, is refused",
    "canary": "a release first gets a share of the traffic, and errors and latency are compared",
    "drift_monitoring": "a change in images or in the model's output raises an alarm",
    "quality_monitoring": "a sample of production is labelled, and a loss of quality raises an alarm",
    "triggered_retraining": "new data and alarms start a training without anybody asking for it",
}
"""Name of every practice and what it means."""

DEVOPS = ("version_control", "ci", "automated_deployment", "service_monitoring", "rollback")
MLOPS = (
    *DEVOPS,
    "data_validation",
    "data_versioning",
    "tracking",
    "registry",
    "evaluation_gate",
    "canary",
    "drift_monitoring",
    "quality_monitoring",
    "triggered_retraining",
)


@dataclass(frozen=True, slots=True)
class Arm:
    """A team's way of working: a name and the practices it has.

    >>> Arm("devops", frozenset(DEVOPS)).has("ci")
    True
    """

    name: str
    practices: frozenset[str]

    def has(self, practice: str) -> bool:
        """Whether the practice is switched on; an unknown practice is a defect of the caller."""
        if practice not in PRACTICES:
            raise KeyError(practice)
        return practice in self.practices


ARMS: dict[str, Arm] = {
    "manual": Arm("manual", frozenset()),
    "devops": Arm("devops", frozenset(DEVOPS)),
    "mlops": Arm("mlops", frozenset(MLOPS)),
}


def parse_arm(text: str) -> Arm:
    """The arm of a name such as ``mlops``, ``mlops-evaluation_gate`` or ``manual+ci+rollback``.

    Raises
    ------
    InputError
        Unknown arm or practice, or a switch that changes nothing.

    >>> sorted(ARMS["mlops"].practices - parse_arm("mlops-canary").practices)
    ['canary']
    """
    base, *switches = re.split(r"(?=[+-])", text.strip())
    problems = []
    if base not in ARMS:
        problems.append(Problem(text, f"unknown arm '{base}'", f"one of: {', '.join(ARMS)}"))
    practices = set(ARMS[base].practices) if base in ARMS else set()
    for switch in switches:
        sign, practice = switch[0], switch[1:]
        if practice not in PRACTICES:
            problems.append(Problem(text, f"unknown practice '{practice}'", f"one of: {', '.join(PRACTICES)}"))
        elif base in ARMS and (practice in practices) == (sign == "+"):
            state = "has it already" if sign == "+" else "does not have it"
            problems.append(Problem(text, f"'{switch}' changes nothing: {base} {state}", "leave it out"))
        elif sign == "+":
            practices.add(practice)
        else:
            practices.discard(practice)
    if problems:
        raise InputError("An arm cannot be read.", problems)
    return Arm(text.strip(), frozenset(practices))
