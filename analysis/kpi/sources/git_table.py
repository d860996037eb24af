"""The event table of a git history, cut to a span, and what else is worth knowing about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from analysis.kpi.events import SCHEMA
from analysis.kpi.findings import Finding
from analysis.kpi.sources.git_failures import Failures, Incident
from analysis.kpi.sources.git_plumbing import Commits, Refs
from analysis.kpi.sources.git_releases import Releases
from analysis.kpi.sources.git_rules import GitRules

_DAY = 86_400


def build_table(
    commits: Commits,
    releases: Releases,
    carrier: np.ndarray,
    failures: Failures,
    unit: str,
    rules: GitRules,
    service: str,
    source: str,
    findings: list[Finding],
) -> pl.DataFrame:
    """Every event, as `analysis.kpi.sources.git` lists them; columns as in `analysis.kpi.events.SCHEMA`.

    Changes that are deployed before they were written are kept and added to ``findings``.
    """
    everything = np.arange(len(commits))
    if unit == "merge":
        changes = np.unique(carrier)
        committed = np.full(len(commits), np.iinfo(np.int64).max)
        np.minimum.at(committed, carrier, commits.author)
        carried = [np.unique(carrier[item]) for item in releases.commits]
    else:
        plain = np.fromiter((len(item) < 2 or rules.merge_commits for item in commits.parents), bool, len(commits))
        changes, committed = everything[plain], commits.author
        carried = [item[plain[item]] for item in releases.commits]
    if rules.first_release == "start":
        carried = [
            item if previous is not None else item[:0]
            for item, previous in zip(carried, releases.previous, strict=True)
        ]
        gone = releases.first[changes]
        starts = np.array([previous is None for previous in releases.previous] + [False])
        changes = changes[~starts[gone]]
    times = np.array([item.time for item in releases.items], np.int64)
    _report_negative(commits, releases, carried, committed, times, source, findings)
    shas = pl.Series([*commits.shas, None], dtype=pl.String)
    names = pl.Series([item.name for item in releases.items], dtype=pl.String)
    causes = pl.Series(
        [_incident_name(failures.remedies.get(at), releases) for at in range(len(releases.items))], dtype=pl.String
    )
    # a release without changes is a row as well
    rows = [item if len(item) else np.array([len(commits)]) for item in carried]
    which = np.repeat(np.arange(len(rows)), [len(item) for item in rows])
    change = shas.gather(np.concatenate(rows)) if rows else shas[:0]
    subject, moved = names.gather(which), shas.gather(changes)
    frames = [
        _frame("change.committed", "commit:", moved, committed[changes], change=moved),
        _frame("change.merged", "merge:", moved, commits.committer[carrier[changes]], change=moved),
        _frame("service.deployed", "release:", subject, times[which], change=change, cause=causes.gather(which)),
    ]
    several = [incident for incident in failures.incidents if incident.mended is not None]
    for kind, incidents in (("detected", failures.incidents), ("resolved", several)):
        ids = pl.Series([_incident_name(incident, releases) for incident in incidents], dtype=pl.String)
        detected = kind == "detected"
        when = [i.detected if detected else releases.items[i.mended].time for i in incidents]
        cause = pl.Series([releases.items[i.failed].name if detected else None for i in incidents], dtype=pl.String)
        frames.append(_frame(f"incident.{kind}", f"{kind}:", ids, np.array(when, np.int64), cause=cause))
    taken = pl.Series([releases.items[at].name for at in failures.rollbacks.values()], dtype=pl.String)
    ids = pl.Series([f"rollback:{releases.items[at].name}" for at in failures.rollbacks], dtype=pl.String)
    frames.append(_frame("service.rolledback", "", ids, times[list(failures.rollbacks)], cause=taken))
    table = pl.concat(frames, how="diagonal").with_columns(source=pl.lit(source), service=pl.lit(service))
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in SCHEMA.items() if name not in table.columns]
    return table.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())


def _frame(kind: str, prefix: str, subject: pl.Series, seconds: np.ndarray, **columns: pl.Series) -> pl.DataFrame:
    time = pl.Series(seconds * 1_000_000).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame({"id": prefix + subject, "time": time, "subject": subject, **columns}).with_columns(
        type=pl.lit(kind)
    )


def _incident_name(incident: Incident | None, releases: Releases) -> str | None:
    if incident is None:
        return None
    mended = releases.items[incident.mended].name if incident.mended is not None else "open"
    return f"{releases.items[incident.failed].name} > {mended}"


def _report_negative(
    commits: Commits,
    releases: Releases,
    carried: Sequence[np.ndarray],
    committed: np.ndarray,
    times: np.ndarray,
    source: str,
    findings: list[Finding],
) -> None:
    for at, changes in enumerate(carried):
        for change in changes[(committed[changes] > times[at]) & (releases.first[changes] == at)].tolist():
            ahead = (int(committed[change]) - int(times[at])) / _DAY
            short, name = commits.shas[change][:10], releases.items[at].name
            what = f"{short} was written {ahead:.2f} days after '{name}' went out"
            findings.append(Finding(source, None, commits.shas[change], "negative lead time", what, "kept", ""))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def describe_history(
    commits: Commits, releases: Releases, failures: Failures, refs: Refs, tip: str | None, branch: str | None
) -> dict[str, Any]:
    """What `analysis.kpi.sources.git.read_repository` says in ``about`` of what it found."""
    items = releases.items
    failed = {incident.failed for incident in failures.incidents} | set(failures.rollbacks.values())
    table = [
        {
            "name": item.name,
            "commit": commits.shas[item.commit],
            "version": item.version.text if item.version else None,
            "previous": items[previous].name if previous is not None else None,
            "time": _moment(item.time),
            "commits": len(releases.commits[at]),
            "first": int((releases.first[releases.commits[at]] == at).sum()),
            "rework": at in failures.remedies,
            "failed": at in failed,
        }
        for at, (item, previous) in enumerate(zip(items, releases.previous, strict=True))
    ]
    newest = table[-1] if table else None
    return {
        "commit": tip or (newest and newest["commit"]),
        "branch": branch or refs.head_branch,
        "commits": len(commits),
        "shallow": refs.shallow,
        "version": newest and newest["version"],
        "reverts": failures.reverts,
        "releases": table,
        "incidents": [
            {
                "failed": items[incident.failed].name,
                "mended": items[incident.mended].name if incident.mended is not None else None,
                "detected": _moment(incident.detected),
                "reasons": incident.reasons,
            }
            for incident in failures.incidents
        ],
    }


def cut_table(events: pl.DataFrame, begin: datetime | None, end: datetime | None) -> pl.DataFrame:
    """What happened in the span, with the earlier events of changes that were merged or deployed in it."""
    if end is not None:
        events = events.filter(pl.col("time") < end)
    if begin is None:
        return events
    deployed = pl.col("type") == "service.deployed"
    firsts = events.filter(deployed & pl.col("change").is_not_null()).group_by("change").agg(pl.col("time").min())
    gone = firsts.filter(pl.col("time") < begin)["change"].implode()
    later = events.filter(pl.col("time") >= begin)
    repeats = deployed & pl.col("change").is_in(gone).fill_null(False)
    rows = later.filter(~repeats)
    # a release all of whose changes were out before is still a deployment, without changes
    empty = later.filter(repeats & ~pl.col("id").is_in(rows["id"].implode())).unique("id", maintain_order=True)
    moved = rows["change"].drop_nulls().unique().implode()
    earlier = (pl.col("time") < begin) & pl.col("type").str.starts_with("change.") & pl.col("change").is_in(moved)
    return pl.concat([events.filter(earlier), rows, empty.with_columns(change=pl.lit(None, pl.String))])
