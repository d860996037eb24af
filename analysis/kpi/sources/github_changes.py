"""GitHub's pull requests with their commits and reviews, as changes; and whose a record is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from analysis.kpi.sources.matching import Change, Review
from analysis.kpi.sources.records import Ledger, Places, Record, find_closed, merge_records

_REVIEWED = {"APPROVED": "success", "CHANGES_REQUESTED": "failure", "COMMENTED": None, "DISMISSED": None}


class Repositories:
    """Repository and service of a record, by the addresses in it."""

    _ADDRESS = re.compile(r"://[^/]+(?:/api/v3)?(?:/repos)?/([^/]+/[^/]+?)(?:/|$)")

    def __init__(self, kinds: Mapping[str, Sequence[Record]], service: str | None, ledger: Ledger) -> None:
        self.service = service
        self._places = Places(kinds, self._find, ledger)
        self.names, self.only = self._places.names, self._places.only

    def _find(self, record: Record) -> str | None:
        full = record.text("base", "repo", "full_name") or record.text("repository", "full_name")
        if full:
            return full
        for key in ("repository_url", "deployment_url", "pull_request_url", "url", "html_url"):
            match = self._ADDRESS.search(record.text(key) or "")
            if match:
                return match[1]
        return None

    def scope(self, record: Record) -> str:
        """Full name of the repository, empty if neither the record nor the rest of the export says it."""
        return self._places.find(record)

    def serve(self, record: Record) -> str | None:
        """Service of a record."""
        return self.service or self.scope(record) or None

    def key(self, record: Record, *names: str) -> str | None:
        """An id that is unique over repositories, from a number that is not."""
        value = record.text(*names)
        return None if value is None else f"{self.scope(record)}#{value}"


def read_pulls(kinds: Mapping[str, Sequence[Record]], repositories: Repositories, ledger: Ledger) -> list[Change]:
    pulls = merge_records(kinds["pulls"], lambda record: repositories.key(record, "number"), "pull request", ledger)
    known = {repositories.key(record, "number") for record in pulls}
    commits = _read_commits(kinds["commits"], pulls, repositories, known, ledger)
    reviews = _read_reviews(kinds["reviews"], repositories, known, ledger)
    if pulls and all(record.text("state") == "open" for record in pulls):
        ledger.report(
            None, "", "only open pull requests", f"all {len(pulls)} pull requests are open", "kept",
            "export /pulls?state=all: the endpoint lists open ones unless told otherwise",
        )  # fmt: skip
    changes = []
    for record in pulls:
        id = repositories.key(record, "number") or ""
        created = ledger.time(record, id, "created_at", required=True)
        merged = ledger.time(record, id, "merged_at")
        committed = commits.get(id)
        if committed is None and created is not None:
            committed = created
            ledger.tally(
                "first commit not known", "pull requests without commits: their opening stands for the first commit",
                "kept", "export /pulls/{number}/commits into pulls/{number}/commits.json",
            )  # fmt: skip
        # Before the merge, merge_commit_sha is the commit of a trial merge that is on no branch.
        commit = record.text("merge_commit_sha") if merged else None
        closed = ledger.time(record, id, "closed_at") if not merged and record.text("state") != "open" else None
        changes.append(
            Change(
                id, repositories.scope(record), repositories.serve(record), created, committed, merged, closed,
                record.text("base", "ref"), frozenset({commit} if commit else ()), tuple(reviews.get(id, ())),
                tuple(f"{repositories.scope(record)}#{number}" for number in find_closed(record.text("body"))), record,
            )
        )  # fmt: skip
    return changes


def _read_commits(
    records: Sequence[Record],
    pulls: Sequence[Record],
    repositories: Repositories,
    known: set[str | None],
    ledger: Ledger,
) -> dict[str, datetime]:
    first: dict[str, datetime] = {}
    inner = [
        (repositories.key(pull, "number"), Record(pull.file, pull.number, commit))
        for pull in pulls
        if isinstance(pull.get("commits"), list)
        for commit in pull.get("commits")
        if isinstance(commit, Mapping)
    ]
    for key, record in [*((_find_pull(record, repositories), record) for record in records), *inner]:
        sha = record.text("sha") or ""
        if key is None:
            what = "commits stand in files that do not say whose they are"
            remedy = "name the files pulls/{number}/commits.json"
            ledger.tally("commit without pull request", what, "left out", remedy)
            continue
        if key not in known:
            what, remedy = f"its pull request {key} is not in the export", "export /pulls?state=all"
            ledger.report(record, sha, "commit without pull request", what, "left out", remedy)
            continue
        # The author date survives a rebase, the committer date does not.
        who = "author" if record.text("commit", "author", "date") else "committer"
        time = ledger.time(record, sha, "commit", who, "date", required=True)
        if time is not None:
            first[key] = min(first.get(key, time), time)
    return first


def _find_pull(record: Record, repositories: Repositories) -> str | None:
    address = re.search(r"/pulls?/(\d+)", record.text("pull_request_url") or "")
    number = address[1] if address else record.text("pull_number") or record.parent
    return f"{repositories.scope(record)}#{number}" if number else None


def _read_reviews(
    records: Sequence[Record], repositories: Repositories, known: set[str | None], ledger: Ledger
) -> dict[str, list[Review]]:
    reviews: dict[str, list[Review]] = defaultdict(list)
    for record in merge_records(records, lambda record: record.text("id"), "review", ledger):
        id = f"review {record.text('id')}"
        key = _find_pull(record, repositories)
        state = (record.text("state") or "").upper()
        if state == "PENDING":
            ledger.tally("review not used", "reviews are not handed in yet", "left out", "none")
            continue
        if key not in known or state not in _REVIEWED:
            what = f"state '{state}'" if key in known else "its pull request is not in the export"
            ledger.report(record, id, "review not used", what, "left out", "export /pulls?state=all")
            continue
        time = ledger.time(record, id, "submitted_at", required=True)
        if time is not None:
            reviews[key].append(Review(id, time, _REVIEWED[state], record))
    return reviews
