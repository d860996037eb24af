"""GitHub's REST API, exported into a folder: deployments, workflow runs, pull requests, releases, issues.

How a folder is recognised (`looks_like_github`): files whose names say their endpoint, JSON or JSONL, plain or gzipped,
with any prefix and page number, in subfolders or not:

===================================================  ==============================================================
File                                                 Endpoint under ``/repos/{owner}/{repo}``
===================================================  ==============================================================
``deployments.json``                                 ``/deployments``
``deployment_statuses.json``,                        ``/deployments/{id}/statuses`` of one or of all
``deployments/{id}/statuses.json``
``workflow_runs.json``, ``runs.json``                ``/actions/runs``
``pulls.json``, ``pull_requests.json``               ``/pulls?state=all``
``pulls/{number}/commits.json``                      ``/pulls/{number}/commits``
``pull_reviews.json``, ``pulls/{number}/reviews.json``  ``/pulls/{number}/reviews``
``releases.json``                                    ``/releases``
``issues.json``, ``incidents.json``                  ``/issues?state=all``, which lists pull requests as well
===================================================  ==============================================================

Everything is optional. Statuses inside a deployment (``"statuses": […]``) and commits inside a pull request
(``"commits": […]``) are read as well.

References
----------
GitHub REST API documentation, "Deployments", "Deployment statuses", "Workflow runs", "Pulls", "Pull request reviews",
"Releases", "Issues"; schemas in github/rest-api-description; payloads in octokit/webhooks. ``auto_inactive``: "An
inactive status is only added to deployments that had a success state". Four Keys (dora-team/fourkeys, README and
``queries/incidents.sql``): an issue with the label "Incident", and "root cause: {commit}" in its text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.kpi.events import EventLog
from analysis.kpi.sources.exports import find_exports, get_stem, match_kind, peek_record, read_exports
from analysis.kpi.sources.forge_events import EventRows, check_attempts
from analysis.kpi.sources.github_changes import Repositories, read_pulls
from analysis.kpi.sources.github_deployments import (
    add_runs,
    read_deployments,
    read_releases,
    read_runs_as_deployments,
)
from analysis.kpi.sources.github_incidents import read_incidents
from analysis.kpi.sources.matching import PRODUCTION, Matching, match_changes
from analysis.kpi.sources.records import Ledger, check_choice, check_pages, merge_records, read_span
from analysis.kpi.sources.times import load_zone

FILES: dict[str, str] = {
    "statuses": r"deployments?[/_](\d+)[/_]statuses|(?:deployment[/_])?statuses(?:[/_](\d+))?",
    "commits": r"(?:pulls?|pull_requests?|prs?)[/_](\d+)[/_]commits|(?:pull|pr)_commits(?:[/_](\d+))?|commits/(\d+)",
    "reviews": r"(?:pulls?|pull_requests?|prs?)[/_](\d+)[/_]reviews|(?:pull_|pr_)?reviews(?:[/_](\d+))?",
    "deployments": r"deployments",
    "runs": r"(?:workflow_|actions_)?runs",
    "pulls": r"pulls|pull_requests|prs",
    "releases": r"releases",
    "issues": r"issues|incidents",
}
"""Kind → names of its files, as `analysis.kpi.sources.exports.get_stem` gives them."""

REQUIRED: dict[str, frozenset[str]] = {
    "statuses": frozenset({"state", "created_at"}),
    "commits": frozenset({"sha", "commit"}),
    "reviews": frozenset({"state", "submitted_at"}),
    "deployments": frozenset({"id", "sha", "environment", "created_at"}),
    "runs": frozenset({"id", "status", "head_sha", "created_at"}),
    "pulls": frozenset({"number", "created_at", "merged_at"}),
    "releases": frozenset({"tag_name", "published_at"}),
    "issues": frozenset({"number", "created_at", "labels"}),
}

DEPLOYED_FROM = ("auto", "deployments", "workflows", "releases", "none")
ROOT_CAUSE = r"root cause: *([0-9a-f]{7,40})\b"
"""Four Keys' way to name, in an incident's text, the commit to blame."""


def looks_like_github(folder: Path | str) -> bool:
    """Whether a folder holds exports of GitHub: a file of a known name with GitHub's content, or with GitHub's name."""
    folder = Path(folder)
    if not folder.is_dir():
        return False
    sure = False
    for path in find_exports(folder):
        kind, _ = match_kind(get_stem(path, folder), FILES)
        if kind is None:
            continue
        first = peek_record(path)
        if "iid" in first:
            return False
        if first and _recognise(first) == kind:
            return True
        sure = sure or kind in ("pulls", "runs")
    return sure


def _recognise(data: Mapping[str, Any]) -> str | None:
    keys = data.keys()
    signs = (
        ("statuses", {"state", "deployment_url"}),
        ("deployments", {"sha", "environment"}),
        ("runs", {"head_sha", "workflow_id"}),
        ("runs", {"head_sha", "run_number"}),
        ("reviews", {"submitted_at", "state"}),
        ("pulls", {"number", "merged_at"}),
        ("releases", {"tag_name"}),
        ("issues", {"number", "labels"}),
        ("commits", {"sha", "commit"}),
    )
    return None if "iid" in keys else next((kind for kind, sign in signs if sign <= keys), None)


def read_github(
    folder: Path | str,
    *,
    service: str | None = None,
    production: Sequence[str] = PRODUCTION,
    changes: str = "merged-between",
    before_first: bool = False,
    branch: str | None = None,
    rollbacks: bool = True,
    deployed_from: str = "auto",
    deploy_workflows: Sequence[str] = (),
    tasks: Sequence[str] = ("deploy",),
    incident_labels: Sequence[str] = ("incident",),
    root_cause: str | None = ROOT_CAUSE,
    zone: str | None = None,
    damaged: str = "error",
    begin: str | datetime | None = None,
    end: str | datetime | None = None,
    name: str = "",
) -> EventLog:
    """Events of one or several repositories from exports of GitHub's REST API.

    Parameters
    ----------
    folder : Path
        See the module for the files.
    service : str or None
        Service of all events; None: the repository's full name.
    production : sequence of str
        Regular expressions for names of environments that are production, besides those that a deployment calls so
        (``production_environment``).
    changes, before_first, branch, rollbacks
        See `analysis.kpi.sources.matching`.
    deployed_from : {"auto", "deployments", "workflows", "releases", "none"}
        What a deployment is. ``"auto"``: the deployments where there are any, else the runs of ``deploy_workflows``,
        else the published releases.
    deploy_workflows : sequence of str
        Names or files of workflows that deploy, with ``*``; any case.
    tasks : sequence of str
        Tasks of deployments that bring a version; others, such as ``deploy:migrations``, do not count.
    incident_labels : sequence of str
        Labels, or issue types, of incidents, with ``*``; any case.
    root_cause : str or None
        Regular expression that finds the commit to blame in an incident's text.
    zone : str or None
        Zone of times that name none; GitHub's own always do.
    damaged : {"error", "report"}
        What to do about files that are damaged as a whole.
    begin, end : datetime or str
        Span that the export covers, where known.
    name : str
        What the log is about; the repository otherwise.

    Returns
    -------
    EventLog
        A deployment's time is its first ``success``; without one it failed at its first ``failure`` or ``error``.
        Pull requests are changes, ``owner/name#12``; their first commit is by author date, and their opening where
        commits were not exported. A deployment's cause is the incident that one of its changes says to close.

    Raises
    ------
    InputError
        No such folder, nothing to read, a damaged file, or an option that is not known.
    """
    folder = Path(folder)
    how = Matching(changes, before_first, branch, rollbacks)
    check_choice("deployed_from", deployed_from, DEPLOYED_FROM)
    blame = _compile(root_cause)
    span = read_span(begin, end)
    ledger = Ledger(relative(folder), load_zone(zone) if zone else None)
    kinds = read_exports(folder, FILES, REQUIRED, _recognise, ledger, damaged)
    check_pages({kind: kinds[kind] for kind in ("deployments", "pulls", "issues", "runs", "releases")}, ledger)
    repositories = Repositories(kinds, service, ledger)
    pulls = read_pulls(kinds, repositories, ledger)
    runs = merge_records(kinds["runs"], lambda record: record.text("id"), "workflow run", ledger)
    used = deployed_from
    if used == "auto":
        used = next(
            (
                found
                for found, there in (
                    ("deployments", kinds["deployments"]),
                    ("workflows", deploy_workflows and runs),
                    ("releases", kinds["releases"]),
                )
                if there
            ),
            "none",
        )
    names: Counter[str] = Counter()
    if used == "deployments":
        attempts = read_deployments(kinds, repositories, production, tasks, names, ledger)
    elif used == "workflows":
        attempts = read_runs_as_deployments(runs, repositories, deploy_workflows, ledger)
    elif used == "releases":
        attempts = read_releases(kinds["releases"], repositories, ledger)
    else:
        attempts = []
        ledger.report(
            None, "", "no deployments", "neither deployments nor releases nor runs of deploy_workflows", "kept",
            "export /deployments with their statuses, or say deploy_workflows=[…]",
        )  # fmt: skip
    if used != "releases":
        what = "releases do not count as deployments"
        ledger.tally("not used", what, "left out", "say deployed_from='releases'", len(kinds["releases"]))
    check_attempts(attempts, names, ledger)
    carried = match_changes(attempts, pulls, how, ledger)
    matched = (attempts, pulls, carried)
    incidents = read_incidents(kinds["issues"], repositories, incident_labels, blame, matched, ledger)
    about = name or " and ".join(sorted(repositories.names)) or folder.name
    rows = EventRows(f"github:{about}")
    rows.add_story(attempts, pulls, incidents, carried)
    add_runs(rows, runs, repositories, ledger)
    environments = dict(sorted(names.items()))
    rules = {"forge": "github", "deployed_from": used, "changes": changes, "environments": environments}
    return rows.build_log(ledger, about, span, rules)


def _compile(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern, re.IGNORECASE) if pattern else None
    except re.error as error:
        problem = Problem("root_cause", f"'{pattern}' is no regular expression: {error}", f"such as '{ROOT_CAUSE}'")
        raise InputError("The pattern for root causes cannot be read.", [problem]) from None
