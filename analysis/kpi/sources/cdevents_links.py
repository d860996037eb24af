"""What CDEvents say of each other: changes in deployments, rollbacks, blame and remedy.

The specification has no reference from a deployment to its changes. They are joined by what producers give: lists
of this project's logs, the change in a packaged artifact, embedded links, and the chain that events share.

References
----------
CDEvents specification 0.5.1: continuous-integration.md (artifact packaged: ``change``), continuous-deployment.md,
continuous-operations.md (incident: ``artifactId``), links.md.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from analysis.kpi.sources.cdevents_types import OWN_TYPES

if TYPE_CHECKING:
    from analysis.kpi.sources.cdevents import CDEvent

RULES: dict[str, str] = {
    "changes of a deployment": "customData.changes where it is given; else every change that was packaged in its "
    "artifact or that it is linked to; else those of its chainId that came before it and that no earlier deployment "
    "of the chain carried",
    "deployment taken back": "customData.taken_back where it is given; else the one that served, by order of time",
    "deployment to blame": "customData.release where it is given, unless a drift monitor says that the input has "
    "changed; else the deployment that the incident is linked to, the last before it in its chain, or the last one "
    "of the artifact that it names",
    "incident remedied": "the incident after which a change is named (fix-<incident>-…), or one of the same chain "
    "that was noticed before the deployment",
    "start of a service": "the first event of a service, if that is service.deployed without changes and what "
    "follows is service.upgraded; in logs of this project, if it has no release number",
}
"""How events are linked, in words."""

_DEPLOYED = ("service.deployed", "service.upgraded")
_NOTICED = ("incident.detected", "incident.reported")
_FIX = re.compile(r"fix-(?P<incident>.+)-\d+")

Key = tuple[str, str]
"""Source and id of an event."""


@dataclass(slots=True)
class Links:
    """By source and id of the event: its subject in the event table, its changes, its cause; and the starts."""

    subjects: dict[Key, str] = field(default_factory=dict)
    changes: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    causes: dict[Key, str] = field(default_factory=dict)
    starts: set[Key] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Deployment:
    subject: str
    service: str | None
    environment: str | None
    artifact: str
    chain: str
    time: datetime
    key: Key


def link_events(events: Sequence[CDEvent]) -> Links:
    """Work out everything that concerns more than one event.

    An event that was delivered twice is looked at once, and the order of lines decides nothing: of events at one
    time changes come before artifacts, those before deployments, and those before what is said of them.
    """
    unique = {(event.source, event.id): event for event in reversed(events)}
    ordered = sorted(unique.values(), key=lambda event: (event.time, _rank(event.kind), event.source, event.id))
    links = Links()
    trail = _Trail(ordered)
    links.starts = _find_starts(ordered, trail)
    incidents = {event.subject for event in ordered if event.kind in _NOTICED}
    noticed: dict[str, list[CDEvent]] = defaultdict(list)
    deployments: list[_Deployment] = []
    serving: dict[tuple[str | None, str | None], list[_Deployment]] = defaultdict(list)
    for event in ordered:
        key = (event.source, event.id)
        if event.kind in _DEPLOYED:
            made = _deployment(event)
            serving[made.service, made.environment].append(made)
            links.subjects[key] = made.subject
            if key in links.starts:
                continue  # it can be rolled back to, and is not to blame
            deployments.append(made)
            links.changes[key] = trail.changes(event) or trail.chain_changes(event)
            remedied = _remedied(links.changes[key], incidents) or next(
                (item.subject for item in noticed[event.chain] if event.chain), None
            )
            if remedied:
                links.causes[key] = remedied
        elif event.kind == "service.rolledback":
            stack = serving[event.service, event.environment]
            back = _taken_back(event, stack, deployments)
            links.subjects[key] = event.id
            links.changes[key] = _names(event.custom.get("changes")) or (links.changes[back.key] if back else ())
            if back:
                links.causes[key] = back.subject
            elif (named := event.custom.get("taken_back")) is not None:
                links.causes[key] = _release(named, event.environment)
        elif event.kind in _NOTICED:
            noticed[event.chain].append(event)
            if blamed := _blamed(event, deployments, trail):
                links.causes[key] = blamed
        elif event.kind == "degradation.started":
            links.changes[key] = _names(event.content.get("causes"))
            brought = [made for made in deployments if made.time == event.time]
            if brought:
                links.causes[key] = brought[-1].subject
    return links


class _Trail:
    """Ways from a deployment back to changes."""

    def __init__(self, events: Iterable[CDEvent]) -> None:
        self.by_id: dict[str, list[CDEvent]] = defaultdict(list)
        self.packaged: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        self.chained: dict[str, dict[str, datetime]] = defaultdict(dict)
        self.carried: dict[tuple[str, str | None, str | None], set[str]] = defaultdict(set)
        for event in events:
            self.by_id[event.id].append(event)
            if event.kind == "artifact.packaged" and (change := _change_of(event)):
                self.packaged[event.subject].append((event.time, change))
            elif event.kind.startswith("change.") and event.chain:
                self.chained[event.chain].setdefault(event.subject, event.time)

    def changes(self, event: CDEvent) -> tuple[str, ...]:
        """Changes that a deployment says it carries, each once, in the order of the alphabet unless it lists them."""
        if listed := _names(event.custom.get("changes")):
            return listed
        artifact = event.content.get("artifactId")
        found = self._packaged(artifact if isinstance(artifact, str) else "", event.time)
        for linked in self.linked(event):
            if linked.kind.startswith("change."):
                found.add(linked.subject)
            elif linked.kind.startswith("artifact."):
                found |= self._packaged(linked.subject, event.time)
        return tuple(sorted(found))

    def chain_changes(self, event: CDEvent) -> tuple[str, ...]:
        """Changes of a deployment's chain that came before it and that no earlier one of its chain carried.

        To be asked in the order of time. Where none came before it, all of the chain: then one of the times is wrong.
        """
        chained = self.chained.get(event.chain, {}) if event.chain else {}
        carried = self.carried[event.chain, event.service, event.environment]
        before = {change for change, time in chained.items() if time <= event.time} or {*chained}
        found = before - carried or before
        carried |= found
        return tuple(sorted(found))

    def _packaged(self, artifact: str, until: datetime) -> set[str]:
        """Changes in the artifact as it was then: equal content may be packaged again for another change."""
        return {change for time, change in self.packaged.get(artifact, ()) if time <= until}

    def linked(self, event: CDEvent) -> list[CDEvent]:
        """Events that this one is linked to, and those that they are; not beyond a deployment or an incident."""
        found, seen, waiting = [], {event.id}, [*event.links]
        while waiting:
            identifier = waiting.pop()
            if identifier in seen:
                continue
            seen.add(identifier)
            for other in self.by_id.get(identifier, ()):
                found.append(other)
                if not other.kind.startswith(("service.", "incident.", "change.")):
                    waiting += other.links
        return found


def _rank(kind: str) -> int:
    subject = kind.partition(".")[0]
    if kind in _DEPLOYED:
        return 2
    return {"change": 0, "artifact": 1, "incident": 3, "service": 4}.get(subject, 5)


def _find_starts(ordered: Sequence[CDEvent], trail: _Trail) -> set[Key]:
    """First events of services that were there from the beginning (`RULES`)."""
    firsts: dict[tuple[str | None, str | None], CDEvent] = {}
    later: dict[tuple[str | None, str | None], set[str]] = defaultdict(set)
    own = {event.source for event in ordered if event.kind in OWN_TYPES}
    for event in ordered:
        place = (event.service, event.environment)
        if event.kind in _DEPLOYED and firsts.setdefault(place, event) is not event:
            later[place].add(event.kind)
    return {
        (event.source, event.id)
        for place, event in firsts.items()
        if event.kind == "service.deployed"
        and not trail.changes(event)
        and not trail.chained.get(event.chain or " ")
        and (
            later[place] == {"service.upgraded"}
            or (not later[place] and event.source in own and "release" not in event.custom)
        )
    }


def _deployment(event: CDEvent) -> _Deployment:
    release = event.custom.get("release")
    subject = event.id if release is None else _release(release, event.environment)
    artifact = event.content.get("artifactId")
    return _Deployment(
        subject,
        event.service,
        event.environment,
        artifact if isinstance(artifact, str) else "",
        event.chain,
        event.time,
        (event.source, event.id),
    )


def _release(release: object, environment: str | None) -> str:
    """Id of a deployment that has a release number: this project's services have one environment, production."""
    name = f"release-{release}" if isinstance(release, int) else str(release)
    return name if environment in (None, "production") else f"{environment}/{name}"


def _taken_back(event: CDEvent, stack: list[_Deployment], deployments: Sequence[_Deployment]) -> _Deployment | None:
    """The deployment taken back; ``stack`` is left with those that may serve again."""
    named = event.custom.get("taken_back")
    if named is not None:
        subject = _release(named, event.environment)
        found = next((made for made in reversed(deployments) if made.subject == subject), None)
        if found in stack:
            stack.remove(found)
        return found
    if not stack:
        return None
    found = stack.pop()
    again = event.content.get("artifactId")
    if any(made.artifact == again for made in stack):
        while stack[-1].artifact != again:
            stack.pop()
    return found if any(found is made for made in deployments) else None


def _blamed(event: CDEvent, deployments: Sequence[_Deployment], trail: _Trail) -> str | None:
    """The deployment to blame for an incident, by `RULES`."""
    release = event.custom.get("release")
    if release is not None:
        subject = _release(release, event.environment)
        blameless = event.custom.get("by") == "drift monitor"
        return None if blameless or all(made.subject != subject for made in deployments) else subject
    linked = {(item.source, item.id) for item in trail.linked(event) if item.kind in _DEPLOYED}
    artifact = event.content.get("artifactId")
    for condition in (
        lambda made: made.key in linked,
        lambda made: bool(event.chain) and made.chain == event.chain,
        lambda made: (
            made.artifact == artifact
            and event.service in (None, made.service)
            and event.environment in (None, made.environment)
        ),
    ):
        if found := next((made for made in reversed(deployments) if condition(made)), None):
            return found.subject
    return None


def _remedied(changes: Iterable[str], incidents: set[str]) -> str | None:
    for change in changes:
        found = _FIX.fullmatch(change)
        if found and found["incident"] in incidents:
            return found["incident"]
    return None


def _change_of(event: CDEvent) -> str | None:
    change = event.content.get("change")
    identifier = change.get("id") if isinstance(change, dict) else None
    return identifier if isinstance(identifier, str) and identifier else None


def _names(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(item) for item in value if item)) if isinstance(value, list) else ()
