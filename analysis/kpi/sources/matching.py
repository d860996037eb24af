"""Which change is in which deployment, and which deployment took another one back, for sources without a git history.

A forge knows the commit that was deployed and the time at which each change was merged, and not what lies between two
commits. Two rules fill the gap:

``"merged-between"``
    A deployment carries the changes that were merged to the same line after what the last successful deployment to the
    same environment had, and up to what this one has. What a deployment has is taken from its commit where that is
    the merge commit of a known change (everything merged up to that change), and otherwise from the time at which the
    deployment was asked for: what is merged while it runs is not in it.
``"sha"``
    A deployment carries the change whose merge commit is the deployed commit, and no other.

What the source itself lists (GitLab's merge requests of a deployment, DevLake's metrics) goes before either. The
first successful deployment of an environment has no known predecessor, so that what it carried cannot be told from
what was there before; it gets the change that its commit names and no more, as in DevLake, which asks for a previous
deployment (``prev_success_deployment_commit_id <> ''``). A failed attempt names what it would have carried.

A rollback is a deployment of an older commit than the one serving: older by the merges of their changes, or, where
these are not known, by their first deployments. It takes back what was serving. The same commit again, and one that
was taken back and comes again, are deployments without changes.

References
----------
Apache DevLake, ``backend/plugins/dora/tasks/change_lead_time_calculator.go`` (``getDeploymentCommit``).
GitLab documentation, "List of merge requests associated with a deployment"; "Retry or roll back a deployment".
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from analysis.base.errors import InputError, Problem
from analysis.kpi.sources.records import Ledger, Record, check_choice

CHANGE_RULES = ("merged-between", "sha")
PRODUCTION = ("production", "prod", "prd", "live")
"""Names of environments that are production, unless told otherwise: regular expressions for the whole name."""


@dataclass(frozen=True, slots=True)
class Review:
    """A review of a change; ``outcome`` success if it approved, failure if it asked for changes, else None."""

    id: str
    time: datetime
    outcome: str | None
    at: Record


@dataclass(frozen=True, slots=True)
class Change:
    """A pull or merge request.

    Attributes
    ----------
    id : str
        Unique over all repositories.
    scope : str
        Repository or project in which it is matched with deployments.
    service : str or None
        As in the event table.
    created, committed, merged, abandoned : datetime or None
        When it was proposed, first committed, merged, given up.
    line : str or None
        Branch that it was merged into.
    commits : frozenset of str
        Commits by which it reached the line: merge commit, squashed commit.
    reviews : tuple of Review
    closes : tuple of str
        Issues that it says to close.
    at : Record
        Where it stands.
    """

    id: str
    scope: str
    service: str | None
    created: datetime | None
    committed: datetime | None
    merged: datetime | None
    abandoned: datetime | None
    line: str | None
    commits: frozenset[str]
    reviews: tuple[Review, ...]
    closes: tuple[str, ...]
    at: Record


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to deploy.

    Attributes
    ----------
    id, scope, service, environment : str or None
        ``id`` is the deployment's; service and environment as in the event table.
    place : str
        The source's own name of the environment: production in two regions is two places.
    ref, commit : str or None
        What was asked for, and the commit.
    asked, time : datetime
        When it was asked for, and when it got there or failed.
    outcome : {"success", "failure", None}
        None: the source does not say; counted as a success.
    listed : tuple of str or None
        Changes that the source says it carries; None: it does not say.
    at : Record
        Where it stands.
    """

    id: str
    scope: str
    service: str | None
    environment: str | None
    place: str
    ref: str | None
    commit: str | None
    asked: datetime
    time: datetime
    outcome: str | None
    listed: tuple[str, ...] | None
    at: Record


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident; ``cause`` is the deployment that the source blames, where it does."""

    id: str
    service: str | None
    environment: str | None
    detected: datetime | None
    resolved: datetime | None
    cause: str | None
    at: Record


@dataclass(frozen=True, slots=True)
class Matching:
    """How attempts and changes are matched; see the module.

    Attributes
    ----------
    changes : {"merged-between", "sha"}
    before_first : bool
        The first successful deployment carries everything merged before it.
    branch : str or None
        The main line; None: the branch that most changes were merged into. Deployments of a branch that changes are
        merged into carry that branch's changes, all others (tags, commits) the main line's.
    rollbacks : bool
        An older commit that comes back is a rollback; False: a deployment like any other.
    """

    changes: str = "merged-between"
    before_first: bool = False
    branch: str | None = None
    rollbacks: bool = True

    def __post_init__(self) -> None:
        check_choice("changes", self.changes, CHANGE_RULES)


@dataclass(slots=True)
class Carried:
    """What came of it: attempt → changes, attempt → deployment that it takes back."""

    changes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    takes_back: dict[str, str] = field(default_factory=dict)


def name_environment(name: str | None, production: Sequence[str]) -> str | None:
    """``production`` for a name that fits one of the patterns, other names as they are, None for none.

    Raises
    ------
    InputError
        A pattern that is no regular expression.
    """
    if not name:
        return None
    try:
        fits = any(re.fullmatch(pattern, name, re.IGNORECASE) for pattern in production)
    except re.error as error:
        problem = Problem("production", f"'{error.pattern}' is no regular expression: {error}", "such as 'prod-.*'")
        raise InputError("A pattern for production cannot be read.", [problem]) from None
    return "production" if fits else name


def match_changes(attempts: Iterable[Attempt], changes: Sequence[Change], how: Matching, ledger: Ledger) -> Carried:
    """Changes of each attempt, and what rollbacks take back.

    Parameters
    ----------
    attempts : iterable of Attempt
        In any order.
    changes : sequence of Change
        In any order; those not merged are ignored.
    how : Matching
    ledger : Ledger
        Receives what could not be matched.
    """
    carried = Carried()
    places: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        places[attempt.scope, attempt.place].append(attempt)
    scopes: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if change.merged:
            scopes[change.scope].append(change)
    carried_of: dict[str, set[str]] = defaultdict(set)
    for (scope, _), there in sorted(places.items()):
        merged = sorted(scopes.get(scope, ()), key=lambda change: (change.merged, change.id))
        there.sort(key=lambda attempt: (attempt.time, attempt.asked, attempt.id))
        place = _Place(merged, how, ledger)
        for attempt in there:
            place.add(attempt, carried)
        carried_of[scope] |= place.gone
    for scope, known in scopes.items():
        if scope in carried_of:
            left = sum(change.id not in carried_of[scope] for change in known)
            ledger.tally(
                "change without deployment", "merged changes are in no deployment by the rule", "kept",
                "none if they wait, or if they are before the first deployment; else look at changes=… and branch=…",
                left,
            )  # fmt: skip
    return carried


class _Place:
    """One environment of one repository, as deployment follows deployment."""

    def __init__(self, merged: Sequence[Change], how: Matching, ledger: Ledger) -> None:
        self.how, self.ledger = how, ledger
        lines = Counter(change.line for change in merged if change.line)
        self.main = how.branch or (min(lines, key=lambda name: (-lines[name], name)) if lines else None)
        self.lines: dict[str | None, list[Change]] = defaultdict(list)
        for change in merged:
            self.lines[change.line or self.main].append(change)
        self.by_commit = {commit: change for change in merged for commit in change.commits}
        self.next: dict[str | None, int] = {}
        self.gone: set[str] = set()
        self.first: dict[str, tuple[int, str]] = {}
        self.serving: Attempt | None = None
        self.serving_id = ""

    def add(self, attempt: Attempt, carried: Carried) -> None:
        success = attempt.outcome != "failure"
        if success and self.how.rollbacks and self._goes_back(attempt):
            carried.takes_back[attempt.id] = self.serving_id
            self.serving, self.serving_id = attempt, self.first.get(attempt.commit or "", (0, attempt.id))[1]
            return
        if success and self.serving and attempt.commit in self.first:
            self.ledger.report(
                attempt.at, attempt.id, "same version again",
                f"deployment {attempt.id} brings commit {attempt.commit[:10]}, which was deployed before", "kept",
                "none if it was meant; it counts as a deployment without changes",
            )  # fmt: skip
        changes = self._carry(attempt, success)
        carried.changes[attempt.id] = changes
        if success:
            self.gone.update(changes)
            self.serving, self.serving_id = attempt, attempt.id
            if attempt.commit:
                self.first.setdefault(attempt.commit, (len(self.first), attempt.id))

    def _goes_back(self, attempt: Attempt) -> bool:
        """Whether it brings an older commit than the one serving, as far as that can be told."""
        new, old = attempt.commit, self.serving.commit if self.serving else None
        if not new or not old or new == old:
            return False
        by_merge = self.by_commit.get(new), self.by_commit.get(old)
        if by_merge[0] and by_merge[1] and by_merge[0].line == by_merge[1].line:
            return by_merge[0].merged < by_merge[1].merged
        return new in self.first and old in self.first and self.first[new][0] < self.first[old][0]

    def _carry(self, attempt: Attempt, success: bool) -> tuple[str, ...]:
        ref = (attempt.ref or "").removeprefix("refs/heads/")
        pinned = self.by_commit.get(attempt.commit or "")
        line = ref if ref in self.lines else pinned.line if pinned and pinned.line else self.main
        there = self.lines.get(line, [])
        stop = bisect_right(there, pinned.merged if pinned else attempt.asked, key=lambda change: change.merged)
        start = self.next.get(line)
        if success:
            self.next[line] = max(stop, start or 0)
        if attempt.listed is not None:
            return tuple(dict.fromkeys(attempt.listed))
        if self.how.changes == "sha" or (start is None and not self.how.before_first):
            found = [pinned] if pinned else []
        else:
            found = there[start or 0 : stop]
        return tuple(change.id for change in found if change.id not in self.gone)


def spread_cause(commit: str, attempts: Sequence[Attempt], changes: Sequence[Change], carried: Carried) -> str | None:
    """The first successful deployment that brought a commit (full or the start of it), None if none is known.

    The first to production, or to an environment without name, if any brought it there: users do not suffer from what
    is on a test system, which has most commits earlier.
    """
    own = {change.id for change in changes if any(sha.startswith(commit) for sha in change.commits)}
    good = (item for item in attempts if item.outcome != "failure")
    ordered = sorted(good, key=lambda item: (item.environment not in (None, "production"), item.time, item.id))
    for attempt in ordered:
        if attempt.id in carried.takes_back:
            continue
        if (attempt.commit or "").startswith(commit) or own & set(carried.changes.get(attempt.id, ())):
            return attempt.id
    return None
