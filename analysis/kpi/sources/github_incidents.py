"""GitHub's issues with a label of incidents, and the commit that their text blames."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from analysis.kpi.sources.github_changes import Repositories
from analysis.kpi.sources.github_deployments import fits
from analysis.kpi.sources.matching import Attempt, Carried, Change, Incident, spread_cause
from analysis.kpi.sources.records import Ledger, Record, merge_records


def read_incidents(
    records: Sequence[Record],
    repositories: Repositories,
    labels: Sequence[str],
    blame: re.Pattern[str] | None,
    matched: tuple[Sequence[Attempt], Sequence[Change], Carried],
    ledger: Ledger,
) -> list[Incident]:
    issues = merge_records(records, lambda record: repositories.key(record, "number"), "issue", ledger)
    if issues and all(record.text("state") == "open" for record in issues):
        ledger.report(
            None, "", "only open issues", f"all {len(issues)} issues are open, so that no incident is resolved", "kept",
            "export /issues?state=all: the endpoint lists open ones unless told otherwise",
        )  # fmt: skip
    incidents, others = [], 0
    for record in issues:
        listed = record.get("labels")
        texts = [
            str(label.get("name") or "") if isinstance(label, Mapping) else str(label)
            for label in (listed if isinstance(listed, list) else ())
        ]
        if record.get("pull_request") is not None:
            what = "pull requests stand among the issues, as GitHub lists them"
            ledger.tally("pull request among issues", what, "left out", "none: they are read from /pulls")
            continue
        if not fits([*texts, record.text("type", "name") or ""], labels):
            others += 1
            continue
        id = repositories.key(record, "number") or ""
        if record.text("state_reason") == "duplicate":
            ledger.report(record, id, "duplicate incident", "closed as a duplicate", "left out", "none")
            continue
        if record.text("state_reason") == "not_planned":
            remedy = "take the label off if it was none"
            ledger.report(record, id, "incident not planned", "closed as not planned", "kept", remedy)
        detected = ledger.time(record, id, "created_at", required=True)
        cause = _find_cause(record, id, blame, matched, ledger)
        resolved = ledger.time(record, id, "closed_at") if record.text("state") != "open" else None
        incidents.append(Incident(id, repositories.serve(record), None, detected, resolved, cause, record))
    what = f"issues without a label of {', '.join(labels)} are no incidents"
    ledger.tally("not used", what, "left out", "say incident_labels=[…] with the labels of yours", others)
    return incidents


def _find_cause(
    record: Record,
    id: str,
    blame: re.Pattern[str] | None,
    matched: tuple[Sequence[Attempt], Sequence[Change], Carried],
    ledger: Ledger,
) -> str | None:
    found = blame.search(record.text("body") or "") if blame else None
    if not found:
        return None
    commit = (found[1] if found.groups() else found[0]).lower()
    cause = spread_cause(commit, *matched)
    if cause is None:
        what = f"its text blames commit {commit}, which no deployment in the export brought"
        ledger.report(record, id, "unknown root cause", what, "kept", "correct the commit; it has no cause otherwise")
    return cause
