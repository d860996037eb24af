"""GitHub's deployments with their statuses; workflow runs and releases that stand for deployments; runs as such."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from analysis.kpi.sources.forge_events import EventRows
from analysis.kpi.sources.github_changes import Repositories
from analysis.kpi.sources.matching import Attempt, name_environment
from analysis.kpi.sources.records import Ledger, Record, merge_records

_FINISHED = {
    "success": "success",
    "failure": "failure",
    "timed_out": "failure",
    "startup_failure": "failure",
    "cancelled": None,
    "skipped": None,
    "neutral": None,
    "stale": None,
    "action_required": None,
}
"""Conclusion of a workflow run → outcome."""


def read_deployments(
    kinds: Mapping[str, Sequence[Record]],
    repositories: Repositories,
    production: Sequence[str],
    tasks: Sequence[str],
    names: Counter[str],
    ledger: Ledger,
) -> list[Attempt]:
    deployments = merge_records(kinds["deployments"], lambda record: record.text("id"), "deployment", ledger)
    known = {record.text("id") for record in deployments}
    statuses = _read_statuses(kinds["statuses"], deployments, known, ledger)
    attempts = []
    for record in deployments:
        id = record.text("id") or ""
        task = record.text("task") or "deploy"
        if task not in tasks:
            what = f"deployments have the task '{task}'"
            ledger.tally("other task", what, "left out", "say tasks=[…] if they bring a version")
            continue
        asked = ledger.time(record, id, "created_at", required=True)
        if asked is None:
            continue
        time, outcome = _judge(record, id, asked, statuses, ledger)
        if time is None:
            continue
        environment = record.text("environment")
        names[environment or ""] += 1
        is_production = record.get("production_environment") is True
        attempts.append(
            Attempt(
                id, repositories.scope(record), repositories.serve(record),
                "production" if is_production else name_environment(environment, production), environment or "",
                record.text("ref"), record.text("sha"), asked, time, outcome, None, record,
            )
        )  # fmt: skip
    return attempts


def _read_statuses(
    records: Sequence[Record], deployments: Sequence[Record], known: set[str | None], ledger: Ledger
) -> dict[str, list[tuple[datetime, str]]] | None:
    """Deployment → its statuses in order; None if no status was exported at all."""
    inner = [
        Record(deployment.file, deployment.number, status, deployment.text("id") or "")
        for deployment in deployments
        if isinstance(deployment.get("statuses"), list)
        for status in deployment.get("statuses")
        if isinstance(status, Mapping)
    ]
    if not records and not any(isinstance(deployment.get("statuses"), list) for deployment in deployments):
        return None
    statuses: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for record in [*records, *inner]:
        address = re.search(r"/deployments/(\d+)", record.text("deployment_url") or record.text("url") or "")
        deployment = address[1] if address else record.text("deployment_id") or record.parent
        id = record.text("id") or ""
        if deployment not in known:
            ledger.report(
                record, id, "status without deployment", f"deployment {deployment} is not in the export", "left out",
                "export /deployments with all its pages",
            )  # fmt: skip
            continue
        time = ledger.time(record, id, "created_at", required=True)
        if time is not None:
            statuses[deployment].append((time, (record.text("state") or "").lower()))
    for there in statuses.values():
        there.sort()
    return statuses


def _judge(
    record: Record,
    id: str,
    asked: datetime,
    statuses: Mapping[str, Sequence[tuple[datetime, str]]] | None,
    ledger: Ledger,
) -> tuple[datetime | None, str | None]:
    """When a deployment got there, or failed, and which. No time: it did neither."""
    if statuses is None:
        ledger.tally(
            "outcome not known", "deployments without any status in the export: taken as deployed when asked for",
            "kept", "export /deployments/{id}/statuses into deployments/{id}/statuses.json",
        )  # fmt: skip
        return asked, None
    there = statuses.get(id, ())
    good = [time for time, state in there if state == "success"]
    bad = [time for time, state in there if state in ("failure", "error")]
    if good:
        if bad and max(bad) > good[0]:
            what = f"deployment {id} succeeded, and was called a failure at {max(bad).isoformat()}"
            remedy = "none if an incident or a rollback says so too; it counts as deployed"
            ledger.report(record, id, "failure after success", what, "kept", remedy)
        return good[0], "success"
    if bad:
        return bad[0], "failure"
    if any(state == "inactive" for _, state in there):
        # GitHub sets a deployment inactive only if it had succeeded; that status is on a page that is missing.
        what = f"deployment {id} became inactive, and its success is missing: taken as of when it was asked for"
        ledger.report(record, id, "success not in the export", what, "kept", "export all pages of its statuses")
        return asked, "success"
    last = there[-1][1] if there else "none"
    what = f"deployment {id} neither succeeded nor failed; last status: {last}"
    ledger.report(record, id, "unfinished deployment", what, "left out", "none if it was still under way")
    return None, None


def read_runs_as_deployments(
    runs: Sequence[Record], repositories: Repositories, workflows: Sequence[str], ledger: Ledger
) -> list[Attempt]:
    attempts = []
    for record in runs:
        texts = [record.text("name") or "", record.text("path") or "", Path(record.text("path") or "").name]
        if not fits(texts, workflows):
            continue
        id = record.text("id") or ""
        outcome = _FINISHED.get(record.text("conclusion") or "")
        asked = ledger.time(record, id, "run_started_at") or ledger.time(record, id, "created_at")
        time = ledger.time(record, id, "updated_at") or asked
        if outcome is None or time is None or asked is None:
            what = "runs of deploy_workflows neither succeeded nor failed (cancelled, skipped, under way)"
            ledger.tally("unfinished deployment", what, "left out", "none if they were cancelled or still under way")
            continue
        attempts.append(
            Attempt(
                id, repositories.scope(record), repositories.serve(record), None, "", record.text("head_branch"),
                record.text("head_sha"), asked, time, outcome, None, record,
            )
        )  # fmt: skip
    if not attempts:
        ledger.report(
            None, "", "no deployments", f"no run of {', '.join(workflows) or 'deploy_workflows'} succeeded or failed",
            "kept", "look at the names of the workflows",
        )  # fmt: skip
    return attempts


def read_releases(records: Sequence[Record], repositories: Repositories, ledger: Ledger) -> list[Attempt]:
    attempts = []
    for record in merge_records(records, lambda item: repositories.key(item, "tag_name"), "release", ledger):
        tag = record.text("tag_name") or ""
        id = tag if repositories.only else f"{repositories.scope(record)}@{tag}"
        if record.get("draft") is True or record.get("prerelease") is True:
            kind = "drafts" if record.get("draft") is True else "prereleases"
            ledger.tally("release not used", f"releases are {kind}", "left out", "none: they are not in production")
            continue
        time = ledger.time(record, id, "published_at", required=True)
        if time is None:
            continue
        target = record.text("target_commitish")
        commit = target if target and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", target) else None
        attempts.append(
            Attempt(
                id, repositories.scope(record), repositories.serve(record), None, "",
                None if commit else target, commit, time, time, "success", None, record,
            )
        )  # fmt: skip
    return attempts


def add_runs(rows: EventRows, runs: Sequence[Record], repositories: Repositories, ledger: Ledger) -> None:
    """Add the ends of workflow runs."""
    for record in runs:
        id = record.text("id") or ""
        if record.text("status") != "completed":
            ledger.tally("unfinished run", "workflow runs were still under way", "left out", "none")
            continue
        conclusion = record.text("conclusion") or ""
        if conclusion not in _FINISHED:
            what = f"conclusion '{conclusion}' is not known; it counts as neither"
            ledger.report(record, id, "unknown conclusion", what, "kept", "none")
        time, outcome = ledger.time(record, id, "updated_at", required=True), _FINISHED.get(conclusion)
        service = repositories.serve(record)
        rows.add(record, f"run {id}", time, "pipelinerun.finished", id, service, outcome=outcome)


def fits(texts: Iterable[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(text.casefold(), pattern.casefold()) for text in texts if text for pattern in patterns)
