"""Failures, hotfixes and rollbacks of releases, as `GitRules` reads them from messages, versions and content."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from analysis.kpi.findings import Finding
from analysis.kpi.sources.git_plumbing import Commits
from analysis.kpi.sources.git_releases import Releases
from analysis.kpi.sources.git_rules import GitRules

_PULL = re.compile(
    r"\(#(\d+)\)\s*\Z|\AMerge pull request #(\d+)|^See merge request (?:[\w./-]+)?!(\d+)|\(!(\d+)\)\s*\Z", re.MULTILINE
)


@dataclass(slots=True)
class Incident:
    """A failed release and what mended it.

    Attributes
    ----------
    failed : int
        Position of the release to blame.
    mended : int or None
        Position of the release that resolves it; None while it is open.
    detected : int
        Seconds since 1970.
    reasons : list of str
        Rule and commit or version that say so.
    """

    failed: int
    mended: int | None
    detected: int
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Failures:
    """What the rules found: incidents in order, release → incident that it remedies, release → the one taken back."""

    incidents: tuple[Incident, ...]
    remedies: dict[int, Incident]
    rollbacks: dict[int, int]
    reverts: dict[str, int]
    findings: tuple[Finding, ...]


def find_failures(commits: Commits, releases: Releases, carrier: np.ndarray, rules: GitRules, source: str) -> Failures:
    """Apply the rules of `GitRules`."""
    blamed, findings = find_blamed(commits, rules, source)
    pairs: dict[tuple[int, int | None], Incident] = {}
    counts = dict.fromkeys(("released", "open", "before release", "of a revert", "unknown"), 0)
    counts["unknown"] = len(findings)
    undoing = set()
    for commit, target in blamed.items():
        failed, mended = (int(releases.first[item]) for item in (target, commit))
        if target in blamed:
            counts["of a revert"] += 1
        elif failed < 0 or failed == mended:
            counts["before release"] += 1
        elif 0 <= mended < failed:
            name = releases.items[failed].name
            what = f"{commits.shas[commit][:10]} went out before {name}, which carries what it takes back"
            findings.append(
                Finding(source, None, commits.shas[commit], "revert before its target", what, "left out", "")
            )
        else:
            counts["released" if mended >= 0 else "open"] += 1
            undoing.add(commit)
            when = max(int(commits.author[commit]), releases.items[failed].time)
            key = (failed, mended if mended >= 0 else None)
            incident = pairs.setdefault(key, Incident(*key, when))
            incident.detected = min(incident.detected, when)
            incident.reasons.append(f"revert {commits.shas[commit][:10]} of {commits.shas[target][:10]}")
    remedies = {}
    named = defaultdict(list)
    for incident in pairs.values():
        named[incident.mended].append(incident)
    plain = np.fromiter((len(parents) < 2 for parents in commits.parents), bool, len(commits))
    hot = re.compile(rules.hotfix_pattern)
    matching = np.fromiter((found is not None for found in map(hot.search, commits.subjects)), bool, len(commits))
    matching |= matching[carrier]  # came with a merge that matches
    matching[list(undoing)] = True
    for at, previous in enumerate(releases.previous):
        own = releases.commits[at]
        own = own[plain[own]]
        reason = _hotfix_reason(releases, at, int(matching[own].sum()), len(own), hot, rules)
        if not reason or (previous is None and at not in named):
            continue
        if at not in named:
            begun = releases.items[previous].time
            written = commits.author[releases.commits[at]]
            when = max(int(written.min()), begun) if len(written) else begun
            named[at].append(pairs.setdefault((previous, at), Incident(previous, at, when)))
        remedies[at] = min(named[at], key=lambda incident: incident.detected)
        remedies[at].reasons.append(reason)
    incidents = sorted(pairs.values(), key=lambda incident: (incident.detected, incident.failed))
    rollbacks = _find_rollbacks(commits, releases) if rules.rollbacks else {}
    return Failures(tuple(incidents), remedies, rollbacks, counts, tuple(findings))


def _hotfix_reason(releases: Releases, at: int, matching: int, own: int, hot: re.Pattern[str], rules: GitRules) -> str:
    """Why a release is a hotfix, ``matching`` of whose ``own`` commits look like one; empty if it is none."""
    release, previous = releases.items[at], releases.previous[at]
    if release.version is not None and hot.search(release.name):
        return f"hotfix by its tag {release.name}"
    if previous is not None and rules.hotfix_version != "never":
        before = releases.items[previous]
        known = release.version is not None and before.version is not None
        how = release.version.mends(before.version) if known else ""
        close = 0 <= release.time - before.time <= rules.hotfix_within_days * 86400
        if close and how and (how == "post" or rules.hotfix_version == "patch"):
            return f"hotfix by its version: {release.name} mends {before.name}"
    if own and matching >= rules.hotfix_share * own:
        return f"hotfix by {matching} of its {own} commits"
    return ""


def _find_rollbacks(commits: Commits, releases: Releases) -> dict[int, int]:
    """Release → release taken back, where the content is that of the one before the last again."""
    found = {}
    trees = [commits.trees[item.commit] for item in releases.items]
    for at, previous in enumerate(releases.previous):
        before = releases.previous[previous] if previous is not None else None
        if before is not None and trees[at] == trees[before] != trees[previous]:
            found[at] = previous
    return found


def find_blamed(commits: Commits, rules: GitRules, source: str) -> tuple[dict[int, int], list[Finding]]:
    """Commit → earlier commit that its message says it takes back; what names one that is not there is a finding."""
    texts = [f"{subject}\n\n{body}" for subject, body in zip(commits.subjects, commits.bodies, strict=True)]
    matches: dict[int, list[re.Match[str]]] = defaultdict(list)
    for pattern in rules.blame_patterns:
        for at, match in enumerate(map(re.compile(pattern, re.MULTILINE).search, texts)):
            if match is not None:
                matches[at].append(match)
    search = _Search(commits)
    blamed, findings = {}, []
    for at in sorted(matches):
        wanted = ""
        for match in matches[at]:
            ((group, value),) = ((name, value) for name, value in match.groupdict().items() if name in _GROUPS)
            target = search.find(group, value, at) if value else None
            if target is not None:
                blamed[at] = target
                break
            wanted = wanted or f"{group} {value}"
        else:
            what = f"commit {commits.shas[at][:10]} says that it takes back {wanted}, which is not in its history"
            findings.append(Finding(source, None, commits.shas[at], "revert of unknown", what, "left out", ""))
    return blamed, findings


_GROUPS = ("commit", "pull", "subject")


class _Search:
    """Finds an earlier commit by shortened name, by number of its pull request, or by subject; indexed when needed."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._sorted: list[str] | None = None
        self._pulls: dict[str, list[int]] | None = None
        self._subjects: dict[str, list[int]] | None = None

    def find(self, group: str, value: str, at: int) -> int | None:
        """Position of the nearest one that is not listed before ``at``, so that no descendant is taken."""
        if group == "commit":
            return self._by_name(value, at)
        places = (self._by_pull() if group == "pull" else self._by_subject()).get(value, ())
        found = next((place for place in places if place > at), None)
        # the title of a pull request is often changed or cut when it is merged; its number stays
        number = _PULL.search(value) if found is None and group == "subject" else None
        return self.find("pull", next(filter(None, number.groups())), at) if number else found

    def _by_name(self, value: str, at: int) -> int | None:
        position = self._commits.position.get(value)
        if position is None:
            if self._sorted is None:
                self._sorted = sorted(self._commits.shas)
            place = bisect_left(self._sorted, value)
            found = [sha for sha in self._sorted[place : place + 2] if sha.startswith(value)]
            position = self._commits.position[found[0]] if len(found) == 1 else None
        return position if position is not None and position != at else None

    def _by_pull(self) -> dict[str, list[int]]:
        if self._pulls is None:
            self._pulls = defaultdict(list)
            for at, (subject, body) in enumerate(zip(self._commits.subjects, self._commits.bodies, strict=True)):
                found = _PULL.search(subject) or (_PULL.search(body) if "See merge request" in body else None)
                if found:
                    self._pulls[next(number for number in found.groups() if number)].append(at)
        return self._pulls

    def _by_subject(self) -> dict[str, list[int]]:
        if self._subjects is None:
            self._subjects = defaultdict(list)
            for at, subject in enumerate(self._commits.subjects):
                self._subjects[subject].append(at)
        return self._subjects
