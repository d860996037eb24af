"""Apache DevLake's domain layer as events: what DevLake collected, without its formulas.

How an export is recognised (`looks_like_devlake`): a SQLite file, or a folder of ``<table>.csv``, ``.csv.gz`` or
``.parquet``, with at least one of ``cicd_deployment_commits``, ``cicd_deployments``, ``cicd_pipelines`` and
``project_pr_metrics``. Others that are read: ``pull_requests``, ``pull_request_commits``, ``pull_request_issues``,
``commits``, ``commits_diffs``, ``incidents`` or ``issues``, ``board_issues``,
``project_incident_deployment_relationships`` or ``project_issue_metrics`` (its older name), ``project_mapping``,
``repos``. The lack of one on which metrics depend is a finding.

What is in a deployment, most exact first: DevLake's own result (``project_pr_metrics``), the commits between two
deployments (``commits_diffs``, as in ``getDeploymentCommit``), else the rules of `analysis.kpi.sources.matching`.
A deployment of several repositories is one: it succeeded if one of its commits did, at the latest of their ends, as in
DevLake's queries (``max(finished_date)`` over ``cicd_deployment_id``).

DevLake writes times without zone, in UTC unless its ``DB_URL`` says another ``loc``.

References
----------
Apache DevLake documentation, "Domain Layer Schema", "DORA"; ``backend/plugins/dora/tasks``:
``change_lead_time_calculator.go``, ``incident_deploy_connector.go``, ``prev_deployment_commit_enricher.go``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.kpi.events import EventLog
from analysis.kpi.sources.devlake_changes import Projects, choose_rule, get_deployment, list_changes, read_pulls
from analysis.kpi.sources.devlake_tables import SIGNS, Tables, find_tables
from analysis.kpi.sources.forge_events import EventRows, check_attempts
from analysis.kpi.sources.matching import (
    PRODUCTION,
    Attempt,
    Carried,
    Incident,
    Matching,
    match_changes,
    name_environment,
)
from analysis.kpi.sources.records import Ledger, Record, check_choice, merge_records, read_span
from analysis.kpi.sources.times import load_zone

CHANGES_FROM = ("auto", "metrics", "commits-diffs", "merged-between", "sha")
UNNAMED = "unnamed"
"""Environment of deployments that name none where others do; DevLake does not count them as production either."""

_RESULTS = {"SUCCESS": "success", "FAILURE": "failure", "FAILED": "failure"}
_EXPECTED = ("cicd_deployment_commits", "pull_requests", "pull_request_commits", "project_mapping")


def looks_like_devlake(path: Path | str) -> bool:
    """Whether a folder or SQLite file holds tables that only DevLake has."""
    path = Path(path)
    return path.exists() and any(table in find_tables(path) for table in SIGNS)


def read_devlake(
    path: Path | str,
    *,
    project: str | None = None,
    service: str | None = None,
    production: Sequence[str] = PRODUCTION,
    changes: str = "auto",
    before_first: bool = False,
    branch: str | None = None,
    rollbacks: bool = True,
    relationships: bool = True,
    zone: str = "UTC",
    begin: str | datetime | None = None,
    end: str | datetime | None = None,
    name: str = "",
) -> EventLog:
    """Events from tables of DevLake's domain layer.

    Parameters
    ----------
    path : Path
        See the module.
    project : str or None
        Only what ``project_mapping`` gives to this project.
    service : str or None
        Service of all events; None: the project, as far as ``project_mapping`` says it.
    production : sequence of str
        Regular expressions for environments that are production.
    changes : {"auto", "metrics", "commits-diffs", "merged-between", "sha"}
        How changes are found in deployments; ``"auto"``: by the first of these for which there are tables.
    before_first, branch, rollbacks
        See `analysis.kpi.sources.matching`.
    relationships : bool
        Take an incident's deployment from DevLake, which names the last one before the incident; False: leave it open.
    zone : str
        Zone of the tables' times.
    begin, end : datetime or str
        Span that the export covers, where known.
    name : str
        What the log is about.

    Raises
    ------
    InputError
        No such file, no DevLake table, a table that cannot be read or lacks columns, or an option that is not known.
    """
    path = Path(path)
    check_choice("changes", changes, CHANGES_FROM)
    span = read_span(begin, end)
    tables = find_tables(path) if path.exists() else Tables(path, {})
    if not any(table in tables for table in SIGNS):
        what = "no such file or folder" if not path.exists() else f"none of the tables {', '.join(SIGNS)} is there"
        raise InputError("There is no DevLake export.", [Problem(str(path), what, "export them as <table>.csv")])
    ledger = Ledger(relative(path), load_zone(zone))
    _report_absent(tables, ledger)
    projects = Projects(tables, project, service, ledger)
    found = choose_rule(tables) if changes == "auto" else changes
    pulls = read_pulls(tables, projects, ledger)
    parts, names = _read_parts(tables, projects, production, ledger)
    listed = list_changes(found, tables, parts, pulls, project, ledger)
    if listed is not None:
        parts = [replace(part, listed=tuple(listed.get(part.id, ()))) for part in parts]
    rule = found if listed is None else "merged-between"
    carried = match_changes(parts, pulls, Matching(rule, before_first, branch, rollbacks), ledger)
    attempts, carried = _join_parts(parts, carried, tables, ledger)
    check_attempts(attempts, names, ledger)
    incidents = _read_incidents(tables, projects, parts, attempts, relationships, ledger)
    about = name or project or " and ".join(sorted(projects.names)) or path.stem
    rows = EventRows(f"devlake:{about}")
    rows.add_story(attempts, pulls, incidents, carried)
    _add_pipelines(rows, tables, projects, ledger)
    rules = {"forge": "devlake", "changes": found, "environments": dict(sorted(names.items()))}
    return rows.build_log(ledger, about, span, rules)


def _report_absent(tables: Tables, ledger: Ledger) -> None:
    missing = [table for table in _EXPECTED if table not in tables]
    if "incidents" not in tables and "issues" not in tables:
        missing.append("incidents")
    means = {
        "cicd_deployment_commits": "deployments have no commits",
        "pull_requests": "there are no changes, so no lead times",
        "pull_request_commits": "first commits come from metrics or from the opening",
        "project_mapping": "services are not known",
        "incidents": "there are no incidents, so neither failures nor recoveries by them",
    }
    for table in missing:
        ledger.report(None, table, "missing table", f"no {table}: {means[table]}", "kept", f"export {table}")


# ---- deployments -----------------------------------------------------------------------------


def _read_parts(
    tables: Tables, projects: Projects, production: Sequence[str], ledger: Ledger
) -> tuple[list[Attempt], Counter[str]]:
    """Deployments, one row for each commit of them; those without commits once."""
    records = merge_records(tables.records("cicd_deployment_commits"), _get_part, "deployment commit", ledger)
    there = {get_deployment(record) for record in records}
    alone = [record for record in tables.records("cicd_deployments") if record.text("id") not in there]
    records += merge_records(alone, lambda record: record.text("id"), "deployment", ledger)
    urls = {record.text("url"): record.text("id") for record in tables.records("repos")}
    named = any(record.text("environment") for record in records)
    names: Counter[str] = Counter()
    parts = []
    ids = Counter(record.text("id") for record in records)
    for record in records:
        id = record.text("id") or ""
        counts, service = projects.serve("cicd_scopes", record.text("cicd_scope_id"))
        if not counts:
            continue
        result = (record.text("result") or "").upper()
        if result not in _RESULTS:
            what = f"deployments have the result '{result}'"
            remedy = "none: neither a success nor a failure"
            ledger.tally("unfinished deployment", what, "left out", remedy)
            continue
        time = _get_end(record, id, ledger)
        if time is None:
            continue
        asked = ledger.time(record, id, "created_date") or ledger.time(record, id, "started_date") or time
        environment = record.text("environment")
        if environment is None and named:
            what = "deployments name no environment: they do not count as production"
            ledger.tally("no environment", what, "kept", "set the environment in DevLake's scope configuration")
            environment = UNNAMED
        names[environment or ""] += 1
        repo = record.text("repo_id") or urls.get(record.text("repo_url")) or record.text("repo_url") or ""
        part = id if ids[record.text("id")] == 1 else f"{id} {record.text('commit_sha')}"
        parts.append(
            Attempt(
                part, f"{service or ''}/{repo}", service, name_environment(environment, production),
                f"{record.text('cicd_scope_id') or ''}/{environment or ''}",
                record.text("ref_name"), record.text("commit_sha"), asked, time, _RESULTS[result], None, record,
            )
        )  # fmt: skip
    return parts, names


def _get_part(record: Record) -> str | None:
    id = record.text("id")
    return None if id is None else f"{id} {record.text('commit_sha')}"


def _get_end(record: Record, id: str, ledger: Ledger) -> datetime | None:
    finished = ledger.time(record, id, "finished_date")
    if finished is not None:
        return finished
    started, seconds = ledger.time(record, id, "started_date"), record.text("duration_sec")
    if started is not None and seconds is not None:
        try:
            finished = started + timedelta(seconds=float(seconds))
        except (ValueError, OverflowError):
            what = f"duration_sec '{seconds}' is no number of seconds"
            ledger.report(record, id, "unreadable number", what, "kept", "export this table again")
    finished = finished or started or ledger.time(record, id, "created_date", required=True)
    if finished is not None:
        what = "deployments without finished_date: start and duration, or start, or creation stands for it"
        ledger.tally("end not known", what, "kept", "export finished_date")
    return finished


def _join_parts(
    parts: Sequence[Attempt], carried: Carried, tables: Tables, ledger: Ledger
) -> tuple[list[Attempt], Carried]:
    """Deployments from their commits."""
    of: dict[str, list[Attempt]] = defaultdict(list)
    deployment_of = {part.id: get_deployment(part.at) for part in parts}
    for part in parts:
        of[deployment_of[part.id]].append(part)
    joined, whole = [], Carried()
    for id, there in of.items():
        good = [part for part in there if part.outcome == "success"]
        if good and len(good) < len(there):
            what = f"{len(there) - len(good)} of the {len(there)} commits of deployment {id} failed"
            ledger.report(there[0].at, id, "partly failed", what, "kept", "none: it counts as a success, as in DevLake")
        counted = good or there
        last = max(counted, key=lambda part: (part.time, part.id))
        joined.append(
            Attempt(
                id, last.scope, last.service, last.environment, last.place, last.ref, last.commit,
                min(part.asked for part in there), last.time, last.outcome, None, last.at,
            )
        )  # fmt: skip
        back = [carried.takes_back[part.id] for part in counted if part.id in carried.takes_back]
        if back and len(back) == len(counted):
            whole.takes_back[id] = deployment_of[max(back)]
        ids = (change for part in counted for change in carried.changes.get(part.id, ()))
        whole.changes[id] = tuple(dict.fromkeys(ids))
    return joined, whole


# ---- incidents and pipelines -----------------------------------------------------------------


def _read_incidents(
    tables: Tables,
    projects: Projects,
    parts: Sequence[Attempt],
    attempts: Sequence[Attempt],
    relationships: bool,
    ledger: Ledger,
) -> list[Incident]:
    table = "incidents" if "incidents" in tables else "issues"
    boards = {record.text("issue_id"): record.text("board_id") for record in tables.records("board_issues")}
    causes = _read_causes(tables, projects, parts, attempts, ledger) if relationships else {}
    incidents = []
    for record in merge_records(tables.records(table), lambda record: record.text("id"), "incident", ledger):
        id = record.text("id") or ""
        if table == "issues" and (record.text("type") or "").upper() != "INCIDENT":
            ledger.tally("not used", "issues are no incidents", "left out", "none: their type is another")
            continue
        project, cause = causes.get(id, (None, None))
        scope = record.text("scope_id") or boards.get(id)
        if scope is not None:
            counts, service = projects.serve(record.text("table") or "boards", scope)
        else:
            counts = projects.project in (None, project)
            service = projects.service or project or (min(projects.names) if len(projects.names) == 1 else None)
        if not counts:
            continue
        detected = ledger.time(record, id, "created_date", required=True)
        resolved = ledger.time(record, id, "resolution_date")
        if resolved is None and (record.text("status") or "").upper() == "DONE":
            what = f"incident {id} is done and has no resolution_date: it counts as open"
            ledger.report(record, id, "missing time", what, "kept", "add when it was resolved")
        incidents.append(Incident(id, service, None, detected, resolved, cause, record))
    return incidents


def _read_causes(
    tables: Tables, projects: Projects, parts: Sequence[Attempt], attempts: Sequence[Attempt], ledger: Ledger
) -> dict[str, tuple[str | None, str | None]]:
    """Incident → project and deployment, as DevLake relates them."""
    newer = "project_incident_deployment_relationships"
    deployment_of = {part.id: get_deployment(part.at) for part in parts} | {item.id: item.id for item in attempts}
    causes: dict[str, tuple[str | None, str | None]] = {}
    for record in tables.records(newer if newer in tables else "project_issue_metrics"):
        id, project, deployment = (record.text(key) for key in ("id", "project_name", "deployment_id"))
        if id is None or (projects.project is not None and project not in (None, projects.project)):
            continue
        if deployment is not None and deployment not in deployment_of:
            what = f"deployment {deployment} is not in the export or does not count"
            ledger.report(record, id, "unknown deployment", what, "left out", "export all tables at one time")
        cause = deployment_of.get(deployment or "")
        if cause is not None:
            what = "incidents have the deployment that DevLake gives them: the last one before they began"
            ledger.tally("attributed by DevLake", what, "kept", "say relationships=False to leave it to the rules")
        if id not in causes or causes[id][1] is None:
            causes[id] = (project, cause)
    return causes


def _add_pipelines(rows: EventRows, tables: Tables, projects: Projects, ledger: Ledger) -> None:
    for record in merge_records(tables.records("cicd_pipelines"), lambda record: record.text("id"), "pipeline", ledger):
        id = record.text("id") or ""
        counts, service = projects.serve("cicd_scopes", record.text("cicd_scope_id"))
        if not counts:
            continue
        time, outcome = ledger.time(record, id, "finished_date"), _RESULTS.get((record.text("result") or "").upper())
        if time is None:
            ledger.tally("unfinished run", "pipelines have no finished_date", "left out", "none if they were under way")
        rows.add(record, f"pipeline {id}", time, "pipelinerun.finished", id, service, outcome=outcome)
