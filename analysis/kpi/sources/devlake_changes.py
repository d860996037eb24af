"""DevLake's pull requests as changes, what it knows of the deployment that carries each, and whose project a row is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.kpi.sources.devlake_tables import Tables
from analysis.kpi.sources.matching import Attempt, Change
from analysis.kpi.sources.records import Ledger, Record, merge_records


class Projects:
    """Project of a repository, CI scope or board."""

    def __init__(self, tables: Tables, project: str | None, service: str | None, ledger: Ledger) -> None:
        self.project, self.service, self.ledger = project, service, ledger
        self.known = "project_mapping" in tables
        self.of: dict[tuple[str, str], list[str]] = defaultdict(list)
        for record in tables.records("project_mapping"):
            self.of[record.text("table") or "", record.text("row_id") or ""].append(record.text("project_name") or "")
        self.names = {name for names in self.of.values() for name in names}
        if project is not None and project not in self.names:
            known = ", ".join(sorted(self.names)) or "none"
            problem = Problem("project", f"'{project}' is not in project_mapping; there: {known}", "choose one of them")
            raise InputError("The DevLake project is not known.", [problem])

    def serve(self, table: str, id: str | None) -> tuple[bool, str | None]:
        """Whether a row of a scope counts, and its service."""
        names = sorted(set(self.of.get((table, id or ""), ())))
        if self.project is not None:
            if self.project not in names:
                what = f"rows of {table} belong to no or to another project"
                self.ledger.tally("other project", what, "left out", f"none: only '{self.project}' was asked for")
                return False, None
            return True, self.service or self.project
        if len(names) > 1:
            what = f"rows of {table} belong to several projects; the first by name is taken"
            self.ledger.tally("several projects", what, "kept", "say project=…")
        if self.known and not names:
            what = f"rows of {table} belong to no project"
            self.ledger.tally("no project", what, "kept", "add them in project_mapping, or say service=…")
        return True, self.service or (names[0] if names else None)


def choose_rule(tables: Tables) -> str:
    """The most exact way that the tables allow."""
    if "project_pr_metrics" in tables:
        linked = pl.any_horizontal(pl.col("deployment_commit_id", "deployment_id").is_not_null())
        if tables.scan("project_pr_metrics").filter(linked).head(1).collect().height:
            return "metrics"
    if "commits_diffs" in tables and "cicd_deployment_commits" in tables:
        return "commits-diffs"
    return "merged-between"


def _read_first_commits(tables: Tables, ledger: Ledger) -> dict[str, datetime]:
    """Pull request → the time at which its first commit was authored."""
    first: dict[str, datetime] = {}
    wanted = tables.scan("pull_request_commits").select("commit_sha").unique()
    authored = tables.scan("commits").join(wanted, left_on="sha", right_on="commit_sha", how="semi").collect()
    of_commit = dict(zip(authored["sha"], authored["authored_date"], strict=True))
    for record in tables.records("pull_request_commits"):
        sha, id = record.text("commit_sha") or "", record.text("pull_request_id") or ""
        at = record
        if record.get("commit_authored_date") is None and sha in of_commit:
            at = Record(record.file, record.number, {"commit_authored_date": of_commit[sha]})
        time = ledger.time(at, sha, "commit_authored_date")
        if time is not None:
            first[id] = min(first.get(id, time), time)
    return first


def read_pulls(tables: Tables, projects: Projects, ledger: Ledger) -> list[Change]:
    first = _read_first_commits(tables, ledger)
    metrics = {record.text("id"): record for record in tables.records("project_pr_metrics")}
    closes: dict[str, list[str]] = defaultdict(list)
    for record in tables.records("pull_request_issues"):
        closes[record.text("pull_request_id") or ""].append(record.text("issue_id") or "")
    changes = []
    records = tables.records("pull_requests")
    for record in merge_records(records, lambda record: record.text("id"), "pull request", ledger):
        id, repo = record.text("id") or "", record.text("base_repo_id")
        counts, service = projects.serve("repos", repo)
        if not counts:
            continue
        created = ledger.time(record, id, "created_date", required=True)
        merged = ledger.time(record, id, "merged_date")
        committed = first.get(id) or _get_metric_commit(metrics.get(id), created, id, ledger)
        if committed is None and created is not None:
            committed = created
            ledger.tally(
                "first commit not known", "pull requests without commits: their opening stands for the first commit",
                "kept", "export pull_request_commits",
            )  # fmt: skip
        is_open = (record.text("status") or "").upper() == "OPEN"
        closed = ledger.time(record, id, "closed_date") if not merged and not is_open else None
        commit = record.text("merge_commit_sha") if merged else None
        changes.append(
            Change(
                id, f"{service or ''}/{repo or ''}", service, created, committed, merged, closed,
                record.text("base_ref"), frozenset({commit} if commit else ()), (),
                tuple(closes[id]), record,
            )
        )  # fmt: skip
    return changes


def _get_metric_commit(metric: Record | None, created: datetime | None, id: str, ledger: Ledger) -> datetime | None:
    if metric is None:
        return None
    authored = ledger.time(metric, id, "first_commit_authored_date")
    minutes = metric.text("pr_coding_time")
    if authored is None and minutes is not None and created is not None:
        try:
            return created - timedelta(minutes=float(minutes))
        except (ValueError, OverflowError):
            what = f"pr_coding_time '{minutes}' is no number of minutes"
            ledger.report(metric, id, "unreadable number", what, "left out", "export project_pr_metrics again")
    return authored


def list_changes(
    found: str,
    tables: Tables,
    parts: Sequence[Attempt],
    pulls: Sequence[Change],
    project: str | None,
    ledger: Ledger,
) -> dict[str, list[str]] | None:
    """Deployment commit → its changes, by what DevLake says; None if a rule has to find them."""
    if found == "metrics":
        return _list_by_metrics(tables, parts, pulls, project, ledger)
    if found == "commits-diffs":
        return _list_by_diffs(tables, parts, pulls)
    return None


def _list_by_metrics(
    tables: Tables, parts: Sequence[Attempt], pulls: Sequence[Change], project: str | None, ledger: Ledger
) -> dict[str, list[str]]:
    known = {change.id for change in pulls}
    part_of = {get_deployment(part.at): part.id for part in parts} | {part.id: part.id for part in parts}
    listed: dict[str, list[str]] = defaultdict(list)
    for record in tables.records("project_pr_metrics"):
        if project is not None and record.text("project_name") != project:
            continue
        id, deployment = record.text("id") or "", record.text("deployment_commit_id") or record.text("deployment_id")
        if deployment is None:
            continue
        if deployment not in part_of or id not in known:
            missing = f"deployment {deployment}" if deployment not in part_of else f"pull request {id}"
            what = f"it names {missing}, which is not in the export or does not count"
            ledger.report(record, id, "unknown deployment", what, "left out", "export all tables at one time")
        elif id not in listed[part_of[deployment]]:
            listed[part_of[deployment]].append(id)
    return listed


def _list_by_diffs(tables: Tables, parts: Sequence[Attempt], pulls: Sequence[Change]) -> dict[str, list[str]]:
    commit_of = {part.id: part.commit for part in parts}
    pairs = [
        (part.id, part.commit, commit_of[before])
        for part in parts
        if (before := part.at.text("prev_success_deployment_commit_id")) in commit_of
    ]
    merges = [(commit, change.id) for change in pulls for commit in change.commits]
    text = pl.String
    between = pl.LazyFrame(pairs, schema={"part": text, "new_commit_sha": text, "old_commit_sha": text}, orient="row")
    merged = pl.LazyFrame(merges, schema={"commit_sha": text, "change": text}, orient="row")
    rows = (
        tables.scan("commits_diffs")
        .select(pl.col("new_commit_sha", "old_commit_sha", "commit_sha").cast(text))
        .join(merged, on="commit_sha")
        .join(between, on=["new_commit_sha", "old_commit_sha"])
        .select("part", "change")
        .unique()
        .sort("part", "change")
        .collect()
    )
    listed: dict[str, list[str]] = defaultdict(list)
    for part, change in rows.iter_rows():
        listed[part].append(change)
    return listed


def get_deployment(record: Record) -> str:
    return record.text("cicd_deployment_id") or record.text("cicd_pipeline_id") or record.text("id") or ""
