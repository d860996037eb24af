"""Delivery as a git repository records it: releases by tag, or every merge to a branch, as deployments.

A release's changes are the commits of ``git log A..B``, where A is the release before it; how that is chosen is in
`analysis.kpi.sources.git_releases`, what counts as a failure in `analysis.kpi.sources.git_rules`.

A change is a commit, or with ``unit="merge"`` what reached the main line at once: a merge with all that it brought, a
squashed or rebased commit by itself. A squash leaves only its own time: when the work began is then not in git, and
lead times come out too short. Rebasing keeps the author's time.

====================== ======================= ==================================================================
event                  subject                 time
====================== ======================= ==================================================================
``change.committed``   commit                  author time; of the first commit that a merge brought
``change.merged``      commit                  committer time of the commit on the main line that is or brought it
``service.deployed``   tag, or commit          as `GitRules.release_time`; cause: incident that a hotfix remedies
``incident.detected``  ``<failed> > <mended>`` as `GitRules`; cause: the release that failed
``incident.resolved``  the same                time of the release that mends it
``service.rolledback`` ``rollback:<release>``  time of the release that brought the former content back
====================== ======================= ==================================================================

``environment`` is null: a repository does not know where a release runs.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.kpi.events import EventLog
from analysis.kpi.findings import Finding, build_findings
from analysis.kpi.sources.git_failures import find_failures
from analysis.kpi.sources.git_plumbing import Commits, Refs, Tag, read_commits, read_refs
from analysis.kpi.sources.git_releases import (
    Candidate,
    Releases,
    compute_carriers,
    compute_line_releases,
    compute_releases,
)
from analysis.kpi.sources.git_rules import TAG_PATTERN, GitRules, Version, parse_version
from analysis.kpi.sources.git_table import build_table, cut_table, describe_history


def read_repository(
    path: Path | str,
    *,
    deployments: Literal["tags", "merges"] = "tags",
    unit: Literal["commit", "merge"] = "commit",
    tag_pattern: str = TAG_PATTERN,
    branch: str | None = None,
    rules: GitRules | None = None,
    service: str | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
) -> EventLog:
    """The event log of a git repository.

    Parameters
    ----------
    path : Path
        Folder that holds ``.git``, or a bare repository. It is only read.
    deployments : {"tags", "merges"}
        What a deployment is: a tag that names a release, or every commit on the first-parent line of ``branch``
        (a merged, squashed or pushed change), for projects that deploy from a branch.
    unit : {"commit", "merge"}
        What a change is: every commit, or what reached the main line at once.
    tag_pattern : str
        Regular expression that a whole tag name must match to be a release; the group ``version``, if there is one,
        is its version. Other tags are findings.
    branch : str, optional
        The main line: where merges are looked for, and whose commits that no release carries yet are in the log as
        well. The branch of HEAD if not given. Remote branches are named like ``origin/main``.
    rules : GitRules, optional
        What counts as failure and hotfix.
    service : str, optional
        Name of the service; that of the folder if not given.
    begin, end : datetime, optional
        With zone. Only what happened from ``begin`` on and before ``end`` is in the log, with the earlier events of
        changes that were merged or deployed in that span. A change that was first deployed before it is not deployed
        again.

    Returns
    -------
    EventLog
        ``about``: commit (of the branch, else of the newest release), branch, commits (how many were read), shallow,
        deployments, unit, tag_pattern, rules, version (of the newest release), reverts (how many of each fate),
        releases and incidents. A release: name, commit, version, previous, time, commits (in ``A..B``), first (how
        many of them no earlier release has), rework, failed. An incident: failed, mended, detected, reasons.

    Raises
    ------
    InputError
        git is missing or refuses, no repository, no commit, no release tag, no such branch, a pattern that is none,
        a time without zone.
    """
    path, rules = Path(path), rules if rules is not None else GitRules()
    pattern = _check_arguments(deployments, unit, tag_pattern, begin, end)
    refs = read_refs(path)
    source = relative(path)
    tip = _find_branch(refs, branch)
    findings = list(refs.findings)
    by_tag = deployments == "tags"
    tags, versions = _select_tags(refs, pattern, rules, source, findings) if by_tag else ([], {})
    if by_tag and not tags:
        raise InputError("The repository has no release to count.", [_no_release(refs, source, tag_pattern, findings)])
    if not by_tag and tip is None:
        problem = Problem(source, "HEAD leads to no commit", _offer(refs))
        raise InputError("There is no branch whose merges could be counted.", [problem])
    commits = read_commits(path, [*(tag.commit for tag in tags), *([tip] if tip else [])])
    findings += commits.findings
    at_tip = commits.position[tip] if tip else None
    if by_tag:
        candidates = _build_candidates(tags, versions, commits, rules, source, findings)
        releases = compute_releases(commits, candidates)
        carrier = compute_carriers(commits, at_tip, releases)
    else:
        carrier = compute_carriers(commits, at_tip)
        releases = compute_line_releases(commits, at_tip, carrier)
    failures = find_failures(commits, releases, carrier, rules, source)
    findings += failures.findings
    _report_history(commits, releases, refs, rules, source, findings)
    name = service or _folder_name(path)
    events = build_table(commits, releases, carrier, failures, unit, rules, name, source, findings)
    about = describe_history(commits, releases, failures, refs, tip, branch) | {
        "deployments": deployments,
        "unit": unit,
        "tag_pattern": tag_pattern if by_tag else None,
        "rules": asdict(rules),
    }
    events = cut_table(events, begin, end)
    return EventLog(events.lazy(), build_findings(findings), name, begin, end, about)


def _check_arguments(
    deployments: str, unit: str, tag_pattern: str, begin: datetime | None, end: datetime | None
) -> re.Pattern[str]:
    problems = []
    for name, value, allowed in (("deployments", deployments, ("tags", "merges")), ("unit", unit, ("commit", "merge"))):
        if value not in allowed:
            problems.append(Problem(name, f"got {value!r}, expected one of: {', '.join(allowed)}"))
    for name, value in (("begin", begin), ("end", end)):
        if value is not None and value.tzinfo is None:
            problems.append(Problem(name, f"{value} has no zone", "give it with one, such as UTC"))
    if not problems and begin is not None and end is not None and begin >= end:
        problems.append(Problem("begin, end", f"{begin} is not before {end}"))
    try:
        pattern = re.compile(tag_pattern)
    except re.error as error:
        problems.append(Problem("tag_pattern", f"'{tag_pattern}' is no regular expression: {error}"))
    if problems:
        raise InputError("A repository cannot be read like this.", problems)
    return pattern


def _folder_name(path: Path) -> str:
    folder = path.resolve()
    return folder.parent.name if folder.name == ".git" else folder.name.removesuffix(".git") or "repository"


def _offer(refs: Refs) -> str:
    names = sorted(refs.branches)
    if not names:
        return "commit something first"
    return f"name one with branch=: {', '.join(names[:10])}" + (f" and {len(names) - 10} more" if names[10:] else "")


def _find_branch(refs: Refs, branch: str | None) -> str | None:
    if branch is None:
        return refs.head
    name = re.sub(r"\Arefs/(heads|remotes)/", "", branch)
    if name not in refs.branches:
        raise InputError(f"The repository has no branch '{branch}'.", [Problem(relative(refs.path), "", _offer(refs))])
    return refs.branches[name]


def _no_release(refs: Refs, source: str, tag_pattern: str, findings: Sequence[Finding]) -> Problem:
    if not refs.tags and not refs.branches and refs.head is None:
        return Problem(source, "it has no commit", "commit something first")
    why = f"none of its {len(refs.tags)} tags counts as a release" if refs.tags else "it has no tags"
    if any(finding.finding == "pre-release" for finding in findings):
        why += ": there are pre-releases, which the rule 'prereleases' leaves out"
    elif refs.tags:
        why += f": they do not match '{tag_pattern}'"
    remedy = 'count merges to the branch instead: deployments="merges"'
    other = "; or fetch the tags (git fetch --tags)" if not refs.tags else "; or give a tag_pattern that fits"
    return Problem(source, why, remedy + other)


def _select_tags(
    refs: Refs, pattern: re.Pattern[str], rules: GitRules, source: str, findings: list[Finding]
) -> tuple[list[Tag], dict[str, Version | None]]:
    """Tags that name releases, with their version; the others are reported."""
    kept, versions, families = [], {}, Counter()
    for tag in refs.tags:
        match = pattern.fullmatch(tag.name)
        if match is None:
            what = f"tag '{tag.name}' does not match the pattern of releases"
            remedy = "give a tag_pattern that it matches, if it is a release"
            findings.append(Finding(source, None, tag.name, "tag is no release", what, "left out", remedy))
            continue
        groups = match.groupdict()
        version = parse_version(groups.get("version") or tag.name, rules)
        if version is not None and version.prerelease and rules.prereleases == "leave out":
            what = f"'{tag.name}' is a pre-release: its commits belong to the next release"
            remedy = "set the rule 'prereleases: count' if users get them"
            findings.append(Finding(source, None, tag.name, "pre-release", what, "left out", remedy))
            continue
        families[groups.get("family") or ""] += 1
        versions[tag.name] = version
        kept.append(tag)
    if len(families) > 1:
        listed = ", ".join(f"'{family}' ({count})" for family, count in families.most_common(5))
        what = f"tags begin in {len(families)} ways, as if several things were released from here: {listed}"
        remedy = "give a tag_pattern that matches one of them"
        findings.append(Finding(source, None, "", "several families of tags", what, "kept", remedy))
    return kept, versions


def _build_candidates(
    tags: Sequence[Tag],
    versions: dict[str, Version | None],
    commits: Commits,
    rules: GitRules,
    source: str,
    findings: list[Finding],
) -> list[Candidate]:
    """One candidate a tagged commit: the earliest of its tags."""
    groups = defaultdict(list)
    for tag in tags:
        at = commits.position[tag.commit]
        said = tag.time if rules.release_time == "tag" else None
        time = said if said is not None else int(commits.committer[at])
        groups[at].append(Candidate(tag.name, at, time, said is None, versions[tag.name]))
    chosen = []
    for group in groups.values():
        group.sort(key=lambda item: (item.time, item.version.numbers if item.version else (), item.name))
        chosen.append(group[0])
        for other in group[1:]:
            what = f"'{other.name}' tags the same commit as '{group[0].name}': one release, by its earliest tag"
            findings.append(Finding(source, None, other.name, "two tags on one commit", what, "merged", ""))
    return sorted(chosen, key=lambda item: (item.version.numbers if item.version else (), item.name))


def _report_history(
    commits: Commits, releases: Releases, refs: Refs, rules: GitRules, source: str, findings: list[Finding]
) -> None:
    """Findings on the shape of the history: cut off, clocks that disagree, releases out of line."""
    if refs.shallow:
        what = "the clone is shallow: commits before its edge are missing from the first releases"
        findings.append(Finding(source, None, "", "shallow clone", what, "kept", "git fetch --unshallow --tags"))
    counts = np.fromiter((len(item) for item in commits.parents), np.int64, len(commits))
    child = np.repeat(np.arange(len(commits)), counts)
    parent = np.fromiter((item for several in commits.parents for item in several), np.int64, counts.sum())
    early = commits.committer[child] < commits.committer[parent]
    for at in np.unique(child[early]).tolist():
        behind = max(int(commits.committer[item]) for item in commits.parents[at]) - int(commits.committer[at])
        what = f"commit {commits.shas[at][:10]} is {behind} s older than its parent"
        findings.append(Finding(source, None, commits.shas[at], "clock skew", what, "kept", ""))
    for at, previous in enumerate(releases.previous):
        item = releases.items[at]
        if previous is None:
            if at > 0:
                what = f"'{item.name}' has no released ancestor: its whole history is taken for new"
                findings.append(Finding(source, None, item.name, "release without predecessor", what, "kept", ""))
        elif item.time < releases.items[previous].time:
            what = f"'{item.name}' is dated before '{releases.items[previous].name}', on which it is built"
            findings.append(Finding(source, None, item.name, "release before its predecessor", what, "kept", ""))
        again = int((releases.first[releases.commits[at]] != at).sum())
        if again:
            what = f"{again} of the {len(releases.commits[at])} commits of '{item.name}' went out with other releases"
            done = "they count from the earliest"
            findings.append(Finding(source, None, item.name, "released before", f"{what}; {done}", "kept", ""))
        if previous is None and rules.first_release == "start":
            what = f"the {len(releases.commits[at])} commits of '{item.name}' are not changes: it starts the service"
            findings.append(Finding(source, None, item.name, "first release", what, "left out", ""))
