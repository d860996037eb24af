"""GitLab's REST API, exported into a folder: deployments, pipelines, merge requests, issues, alerts.

How a folder is recognised (`looks_like_gitlab`): files whose names say their endpoint, JSON or JSONL, plain or gzipped,
with any prefix and page number, in subfolders or not:

=====================================================  ============================================================
File                                                   Endpoint under ``/projects/:id``
=====================================================  ============================================================
``deployments.json``                                   ``/deployments``
``deployments/{id}/merge_requests.json``               ``/deployments/:deployment_id/merge_requests``
``merge_requests.json``                                ``/merge_requests?state=all``
``merge_requests/{iid}/commits.json``                  ``/merge_requests/:merge_request_iid/commits``
``pipelines.json``                                     ``/pipelines``, or single pipelines
``environments.json``                                  ``/environments``, for their tier
``issues.json``, ``incidents.json``                    ``/issues``, of which those of type incident count
``alerts.json``                                        alerts of Monitor > Alerts, each with its issue and environment
``releases.json``                                      ``/releases``
=====================================================  ============================================================

Everything is optional. What lists the merge requests of a deployment goes before the rule that matches them
(`analysis.kpi.sources.matching`).

References
----------
GitLab documentation, "Deployments API", "Merge requests API", "Pipelines API", "Issues API" (``issue_type``),
"Environments API" (``tier``), "Alerts"; ``lib/api/entities/deployment.rb``, which exposes no finishing time: the job's
(``deployable.finished_at``) is taken. "Deployment tier of environments" for what production is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from analysis.base.paths import relative
from analysis.kpi.events import EventLog
from analysis.kpi.sources.exports import find_exports, get_stem, match_kind, peek_record, read_exports
from analysis.kpi.sources.forge_events import EventRows, check_attempts
from analysis.kpi.sources.gitlab_changes import Projects, read_merges
from analysis.kpi.sources.matching import (
    PRODUCTION,
    Attempt,
    Incident,
    Matching,
    match_changes,
    name_environment,
)
from analysis.kpi.sources.records import (
    Ledger,
    Record,
    check_choice,
    check_pages,
    merge_records,
    read_span,
)
from analysis.kpi.sources.times import load_zone

FILES: dict[str, str] = {
    "listed": r"deployments?[/_](\d+)[/_](?:merge_requests|mrs)",
    "commits": r"(?:merge_requests?|mrs?)[/_](\d+)[/_]commits|(?:merge_request|mr)_commits[/_](\d+)|commits/(\d+)",
    "deployments": r"deployments",
    "pipelines": r"pipelines",
    "merges": r"merge_requests|mrs",
    "environments": r"environments",
    "issues": r"issues|incidents",
    "alerts": r"alerts|alert_management_alerts",
    "releases": r"releases",
}
"""Kind → names of its files, as `analysis.kpi.sources.exports.get_stem` gives them."""

REQUIRED: dict[str, frozenset[str]] = {
    "listed": frozenset({"iid", "created_at", "merged_at"}),
    "commits": frozenset({"id", "authored_date"}),
    "deployments": frozenset({"id", "sha", "status", "environment", "created_at"}),
    "pipelines": frozenset({"id", "status", "sha", "updated_at"}),
    "merges": frozenset({"iid", "created_at", "merged_at"}),
    "environments": frozenset({"name", "tier"}),
    "issues": frozenset({"iid", "created_at", "issue_type"}),
    "alerts": frozenset({"iid"}),
    "releases": frozenset({"tag_name", "released_at"}),
}

DEPLOYED_FROM = ("auto", "deployments", "releases", "none")

_DEPLOYED = {"success": "success", "failed": "failure"}
_UNDER_WAY = ("created", "running", "blocked", "waiting", "pending")
_FINISHED = {"success": "success", "failed": "failure", "canceled": None, "skipped": None}
"""Status of a pipeline that came to its end → outcome."""


def looks_like_gitlab(folder: Path | str) -> bool:
    """Whether a folder holds exports of GitLab: a file of a known name with GitLab's content, or with GitLab's name."""
    folder = Path(folder)
    if not folder.is_dir():
        return False
    sure = False
    for path in find_exports(folder):
        kind, _ = match_kind(get_stem(path, folder), FILES)
        first = peek_record(path) if kind else {}
        if kind and "iid" in first and _recognise(first) in (kind, "merges" if kind == "listed" else kind):
            return True
        sure = sure or (kind in ("merges", "listed") and not first)
    return sure


def _recognise(data: Mapping[str, Any]) -> str | None:
    keys = data.keys()
    signs = (
        ("deployments", {"sha", "environment"}),
        ("merges", {"iid", "merged_at"}),
        ("merges", {"iid", "target_branch"}),
        ("issues", {"iid", "issue_type"}),
        ("commits", {"authored_date", "short_id"}),
        ("releases", {"tag_name", "released_at"}),
        ("environments", {"name", "slug", "tier"}),
        ("pipelines", {"id", "status", "sha", "ref"}),
    )
    return next((kind for kind, sign in signs if sign <= keys), None)


def read_gitlab(
    folder: Path | str,
    *,
    service: str | None = None,
    production: Sequence[str] = PRODUCTION,
    changes: str = "merged-between",
    before_first: bool = False,
    branch: str | None = None,
    rollbacks: bool = True,
    deployed_from: str = "auto",
    incident_labels: Sequence[str] = (),
    zone: str | None = None,
    damaged: str = "error",
    begin: str | datetime | None = None,
    end: str | datetime | None = None,
    name: str = "",
) -> EventLog:
    """Events of one or several projects from exports of GitLab's REST API.

    Parameters
    ----------
    folder : Path
        See the module for the files.
    service : str or None
        Service of all events; None: the project's path.
    production : sequence of str
        Regular expressions for names of environments that are production, besides those whose tier is production.
    changes, before_first, branch, rollbacks
        See `analysis.kpi.sources.matching`.
    deployed_from : {"auto", "deployments", "releases", "none"}
        What a deployment is. ``"auto"``: the deployments where there are any, else the releases.
    incident_labels : sequence of str
        Labels that make an issue an incident as well, with ``*``; any case.
    zone : str or None
        Zone of times that name none; GitLab's own always do.
    damaged : {"error", "report"}
        What to do about files that are damaged as a whole.
    begin, end : datetime or str
        Span that the export covers, where known.
    name : str
        What the log is about; the project otherwise.

    Returns
    -------
    EventLog
        A deployment's time is that of its job's end. Merge requests are changes, ``group/project!12``; their first
        commit is by authored date, and their opening where commits were not exported. An alert gives its incident an
        environment; it names no deployment, so that an incident's cause stays open. A deployment's cause is the
        incident that one of its changes says to close.

    Raises
    ------
    InputError
        No such folder, nothing to read, a damaged file, or an option that is not known.
    """
    folder = Path(folder)
    how = Matching(changes, before_first, branch, rollbacks)
    check_choice("deployed_from", deployed_from, DEPLOYED_FROM)
    span = read_span(begin, end)
    ledger = Ledger(relative(folder), load_zone(zone) if zone else None)
    kinds = read_exports(
        folder, FILES, REQUIRED, _recognise, ledger, damaged, also={"listed": "merges", "alerts": "issues"}
    )
    check_pages({kind: kinds[kind] for kind in ("deployments", "merges", "issues", "pipelines", "releases")}, ledger)
    projects = Projects(kinds, service, ledger)
    merges, listed = read_merges(kinds, projects, ledger)
    used = deployed_from
    if used == "auto":
        used = next((kind for kind in ("deployments", "releases") if kinds[kind]), "none")
    names: Counter[str] = Counter()
    attempts: list[Attempt] = []
    if used == "deployments":
        attempts = _read_deployments(kinds, projects, production, listed, names, ledger)
    elif used == "releases":
        attempts = _read_releases(kinds["releases"], projects, ledger)
    else:
        what = "neither deployments nor releases"
        ledger.report(None, "", "no deployments", what, "kept", "export /deployments into deployments.json")
    if used != "releases":
        what = "releases do not count as deployments"
        ledger.tally("not used", what, "left out", "say deployed_from='releases'", len(kinds["releases"]))
    check_attempts(attempts, names, ledger)
    carried = match_changes(attempts, merges, how, ledger)
    incidents = _read_incidents(kinds, projects, production, incident_labels, ledger)
    about = name or " and ".join(sorted(projects.names)) or folder.name
    rows = EventRows(f"gitlab:{about}")
    rows.add_story(attempts, merges, incidents, carried)
    _add_pipelines(rows, kinds["pipelines"], projects, ledger)
    environments = dict(sorted(names.items()))
    rules = {"forge": "gitlab", "deployed_from": used, "changes": changes, "environments": environments}
    return rows.build_log(ledger, about, span, rules)


# ---- deployments -----------------------------------------------------------------------------


def _read_tiers(records: Sequence[Record], projects: Projects) -> dict[tuple[str, str], str]:
    return {(projects.scope(record), record.text("name") or ""): record.text("tier") or "" for record in records}


def _name(record: Record, tier: str | None, name: str | None, production: Sequence[str]) -> str | None:
    return "production" if tier == "production" else name_environment(name, production)


def _read_deployments(
    kinds: Mapping[str, Sequence[Record]],
    projects: Projects,
    production: Sequence[str],
    listed: Mapping[str, tuple[str, ...]],
    names: Counter[str],
    ledger: Ledger,
) -> list[Attempt]:
    tiers = _read_tiers(kinds["environments"], projects)
    attempts = []
    deployments = merge_records(kinds["deployments"], lambda record: record.text("id"), "deployment", ledger)
    for record in deployments:
        id, status = record.text("id") or "", record.text("status") or ""
        if status not in _DEPLOYED:
            if status in _UNDER_WAY:
                what = f"deployments were still {status}"
                ledger.tally("unfinished deployment", what, "left out", "none if they were under way")
            elif status in ("canceled", "skipped"):
                what = f"deployments were {status}"
                ledger.tally("cancelled deployment", what, "left out", "none: nothing was deployed, nothing failed")
            else:
                what = f"status '{status}' is not known"
                ledger.report(record, id, "unknown status", what, "left out", "expected success or failed")
            continue
        asked = ledger.time(record, id, "created_at", required=True)
        time = ledger.time(record, id, "deployable", "finished_at")
        if time is None:
            time = ledger.time(record, id, "updated_at") or asked
            what = "deployments without a job that ended: their last update stands for their end"
            ledger.tally("end not known", what, "kept", "none: deployments made by the API have no job")
        if asked is None or time is None:
            continue
        environment, scope = record.text("environment", "name"), projects.scope(record)
        tier = record.text("environment", "tier") or tiers.get((scope, environment or ""))
        names[environment or ""] += 1
        attempts.append(
            Attempt(
                id, scope, projects.serve(record), _name(record, tier, environment, production), environment or "",
                record.text("ref"), record.text("sha"), asked, time, _DEPLOYED[status], listed.get(id), record,
            )
        )  # fmt: skip
    for id in sorted(listed.keys() - {record.text("id") for record in deployments}):
        what = f"merge requests are listed for deployment {id}, which is not in the export"
        ledger.report(None, id, "unknown deployment", what, "left out", "export /deployments with all its pages")
    return attempts


def _read_releases(records: Sequence[Record], projects: Projects, ledger: Ledger) -> list[Attempt]:
    attempts = []
    for record in merge_records(records, lambda item: item.text("tag_name"), "release", ledger):
        id = record.text("tag_name") or ""
        if record.get("upcoming_release") is True:
            ledger.tally("release not used", "releases are announced only", "left out", "none")
            continue
        time = ledger.time(record, id, "released_at", required=True)
        if time is not None:
            attempts.append(
                Attempt(
                    id, projects.scope(record), projects.serve(record), None, "", id, record.text("commit", "id"),
                    time, time, "success", None, record,
                )
            )  # fmt: skip
    return attempts


# ---- incidents and pipelines -----------------------------------------------------------------


def _read_incidents(
    kinds: Mapping[str, Sequence[Record]],
    projects: Projects,
    production: Sequence[str],
    labels: Sequence[str],
    ledger: Ledger,
) -> list[Incident]:
    tiers = _read_tiers(kinds["environments"], projects)
    places: dict[str, str | None] = {}
    for record in kinds["alerts"]:
        iid = record.text("issue", "iid") or record.text("issue_iid")
        environment = record.text("environment", "name") or record.text("environment")
        if not iid:
            ledger.tally(
                "alert without incident", "alerts have no issue", "left out", "none: nobody made them incidents"
            )
        elif environment:
            tier = record.text("environment", "tier") or tiers.get((projects.scope(record), environment))
            places[f"{projects.scope(record)}#{iid}"] = _name(record, tier, environment, production)
    incidents, others = [], 0
    for record in merge_records(kinds["issues"], lambda item: projects.key(item, "#"), "issue", ledger):
        listed = record.get("labels")
        texts = [
            str(label.get("name") if isinstance(label, Mapping) else label).casefold()
            for label in (listed if isinstance(listed, list) else ())
        ]
        labelled = any(fnmatchcase(text, label.casefold()) for text in texts for label in labels)
        if (record.text("issue_type") or "").lower() != "incident" and not labelled:
            others += 1
            continue
        id = projects.key(record, "#") or ""
        detected = ledger.time(record, id, "created_at", required=True)
        resolved = ledger.time(record, id, "closed_at") if record.text("state") == "closed" else None
        incidents.append(Incident(id, projects.serve(record), places.pop(id, None), detected, resolved, None, record))
    what = "issues are no incidents"
    ledger.tally("not used", what, "left out", "say incident_labels=[…] with the labels of yours", others)
    for id in sorted(places):
        what = f"an alert belongs to issue {id}, which is no incident in the export"
        ledger.report(None, id, "alert without incident", what, "left out", "export /issues with all pages")
    return incidents


def _add_pipelines(rows: EventRows, records: Sequence[Record], projects: Projects, ledger: Ledger) -> None:
    for record in merge_records(records, lambda item: item.text("id"), "pipeline", ledger):
        id, status = record.text("id") or "", record.text("status") or ""
        if status not in _FINISHED:
            ledger.tally("unfinished run", f"pipelines were still {status}", "left out", "none")
            continue
        time = ledger.time(record, id, "finished_at") or ledger.time(record, id, "updated_at", required=True)
        service, outcome = projects.serve(record), _FINISHED[status]
        rows.add(record, f"pipeline {id}", time, "pipelinerun.finished", id, service, outcome=outcome)
