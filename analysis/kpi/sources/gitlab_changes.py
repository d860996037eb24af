"""GitLab's merge requests with their commits, as changes; and whose a record is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from analysis.kpi.sources.matching import Change
from analysis.kpi.sources.records import Ledger, Places, Record, find_closed, merge_records


class Projects:
    """Project and service of a record, by the references and addresses in it."""

    _ADDRESS = re.compile(
        r"://[^/]+/(.+?)/(?:-/)?(?:merge_requests|issues|pipelines|environments|jobs|releases|commit)(?:/|$)"
    )

    def __init__(self, kinds: Mapping[str, Sequence[Record]], service: str | None, ledger: Ledger) -> None:
        self.service = service
        self._by_number: dict[str, str] = {}
        for record in (record for records in kinds.values() for record in records):
            number, found = record.text("project_id"), self._find(record)
            if number and found:
                self._by_number.setdefault(number, found)
        self._places = Places(kinds, self._find, ledger)
        self.names = self._places.names

    def _find(self, record: Record) -> str | None:
        full = record.text("references", "full")
        if full:
            return re.split(r"[!#]", full)[0]
        for path in (
            ("web_url",),
            ("deployable", "web_url"),
            ("deployable", "pipeline", "web_url"),
        ):
            match = self._ADDRESS.search(record.text(*path) or "")
            if match:
                return match[1]
        return self._by_number.get(record.text("project_id") or "")

    def scope(self, record: Record) -> str:
        """Path of the project, empty if neither the record nor the rest of the export says it."""
        return self._places.find(record)

    def serve(self, record: Record) -> str | None:
        """Service of a record."""
        return self.service or self.scope(record) or None

    def key(self, record: Record, mark: str = "!") -> str | None:
        """An id that is unique over projects, from an iid that is not."""
        iid = record.text("iid")
        return None if iid is None else f"{self.scope(record)}{mark}{iid}"


def read_merges(
    kinds: Mapping[str, Sequence[Record]], projects: Projects, ledger: Ledger
) -> tuple[list[Change], dict[str, tuple[str, ...]]]:
    """Merge requests as changes, and those that GitLab lists for a deployment."""
    listed: dict[str, list[str]] = defaultdict(list)
    for record in kinds["listed"]:
        listed[record.parent].append(projects.key(record) or "")
    once = merge_records(kinds["merges"], projects.key, "merge request", ledger)
    known = {projects.key(record) for record in once}
    # Listed for a deployment and nowhere else; the same one may be listed for several environments.
    once += {key: record for record in kinds["listed"] if (key := projects.key(record)) not in known}.values()
    commits = _read_commits(kinds["commits"], once, projects, ledger)
    changes = []
    for record in once:
        id = projects.key(record) or ""
        created = ledger.time(record, id, "created_at", required=True)
        merged = ledger.time(record, id, "merged_at")
        state = record.text("state")
        if state == "merged" and merged is None:
            what = f"merge request {id} is merged and has no merged_at"
            ledger.report(
                record, id, "missing time", what, "left out", "none: GitLab did not record it; its merge is out"
            )
        committed = commits.get(id)
        if committed is None and created is not None:
            committed = created
            ledger.tally(
                "first commit not known", "merge requests without commits: their opening stands for the first commit",
                "kept", "export /merge_requests/:iid/commits into merge_requests/{iid}/commits.json",
            )  # fmt: skip
        # Fast-forward merges make no merge commit: the branch's last commit is then on the target branch.
        shas = {record.text("merge_commit_sha"), record.text("squash_commit_sha")} - {None}
        shas = shas or ({record.text("sha")} - {None})
        closed = ledger.time(record, id, "closed_at") if state == "closed" else None
        changes.append(
            Change(
                id, projects.scope(record), projects.serve(record), created, committed, merged, closed,
                record.text("target_branch"), frozenset(shas if merged else ()), (),
                tuple(f"{projects.scope(record)}#{iid}" for iid in find_closed(record.text("description"))), record,
            )
        )  # fmt: skip
    return changes, {deployment: tuple(ids) for deployment, ids in listed.items()}


def _read_commits(
    records: Sequence[Record], merges: Sequence[Record], projects: Projects, ledger: Ledger
) -> dict[str, datetime]:
    by_iid = {record.text("iid"): projects.key(record) for record in merges}
    by_key = {projects.key(record) for record in merges}
    first: dict[str, datetime] = {}
    for record in records:
        sha = record.text("id") or ""
        key = f"{projects.scope(record)}!{record.parent}"
        key = key if key in by_key else by_iid.get(record.parent)
        if key is None and not record.parent:
            what = "commits stand in files that do not say whose they are"
            remedy = "name the files merge_requests/{iid}/commits.json"
            ledger.tally("commit without merge request", what, "left out", remedy)
            continue
        if key is None:
            what, remedy = f"merge request !{record.parent} is not in the export", "export /merge_requests?state=all"
            ledger.report(record, sha, "commit without merge request", what, "left out", remedy)
            continue
        time = ledger.time(record, sha, "authored_date", required=True)
        if time is not None:
            first[key] = min(first.get(key, time), time)
    return first
