"""GitHub exports: fixtures have the shape of github/rest-api-description and of the payloads of octokit/webhooks.

The story of ``export`` (repository octo/shop, main line main, times in January 2025, UTC):

    #1 first commit 31 Dec 16:00, opened 1st 09:00, merged 2nd 10:00 as a1
    #2 opened 2nd 08:00, merged 3rd 09:00 as a2;  #3 opened 3rd 08:00, merged 3rd 12:00 as a3
    #4 opened 4th 08:00, closed 5th 08:00 without merge
    #5 opened 5th 08:00, merged 5th 15:00 as a5
    deployment 101 of a1: success 2nd 11:10    first one: carries #1, which its commit names
    deployment 102 of a3: failure 3rd 13:05    would have carried #2 and #3
    deployment 103 of a3: success 3rd 14:20    carries #2 and #3
    deployment 104 of a1: success 4th 09:05    takes 103 back
    deployment 105 of a5: success 5th 15:40    carries #5
    deployment 106 of a5: pending only
    issue #9: incident, 4th 08:00 to 09:10, "root cause: a3…", so deployment 103
"""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.kpi.events import SCHEMA
from analysis.kpi.sources.github import looks_like_github, read_github

API = "https://api.github.com/repos/octo/shop"
SHA = {name: (name * 20) for name in ("a1", "a2", "a3", "a5", "b1")}
USER = {"login": "octocat", "id": 1, "type": "User", "site_admin": False}


def time(day: int, clock: str) -> str:
    return f"2025-01-{day:02d}T{clock}:00Z"


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2025, 1, day, hour, minute, tzinfo=UTC)


def pull(number: int, created: str, merged: str | None, sha: str | None, closed: str | None = None, base: str = "main"):
    return {
        "url": f"{API}/pulls/{number}",
        "id": 1000 + number,
        "number": number,
        "state": "closed" if merged or closed else "open",
        "locked": False,
        "title": f"Change {number}",
        "user": USER,
        "body": None,
        "labels": [],
        "milestone": None,
        "created_at": created,
        "updated_at": merged or created,
        "closed_at": merged or closed,
        "merged_at": merged,
        "merge_commit_sha": sha,
        "assignee": None,
        "draft": False,
        "head": {"ref": f"topic-{number}", "sha": "f" * 40, "user": USER, "repo": None},
        "base": {"ref": base, "sha": "0" * 40, "user": USER, "repo": {"id": 7, "full_name": "octo/shop"}},
        "author_association": "OWNER",
        "auto_merge": None,
    }


def deployment(id: int, sha: str, created: str, environment: str = "production", **more):
    return {
        "url": f"{API}/deployments/{id}",
        "id": id,
        "node_id": "MDEwOkRlcGxveW1lbnQx",
        "sha": sha,
        "ref": "main",
        "task": "deploy",
        "payload": {},
        "original_environment": environment,
        "environment": environment,
        "description": None,
        "creator": None,
        "created_at": created,
        "updated_at": created,
        "statuses_url": f"{API}/deployments/{id}/statuses",
        "repository_url": API,
        "transient_environment": False,
        "production_environment": environment == "production",
        "performed_via_github_app": None,
    } | more


def status(deployment_id: int, state: str, created: str, id: int = 0):
    return {
        "url": f"{API}/deployments/{deployment_id}/statuses/{id or deployment_id * 10}",
        "id": id or deployment_id * 10,
        "state": state,
        "creator": None,
        "description": "",
        "environment": "production",
        "target_url": "",
        "created_at": created,
        "updated_at": created,
        "deployment_url": f"{API}/deployments/{deployment_id}",
        "repository_url": API,
    }


def commit(sha: str, authored: str, committed: str | None = None):
    author = {"name": "A", "email": "a@example.org"}
    return {
        "url": f"{API}/commits/{sha}",
        "sha": sha,
        "commit": {
            "author": author | {"date": authored},
            "committer": author | {"date": committed or authored},
            "message": "Work",
            "comment_count": 0,
        },
        "author": None,
        "committer": None,
        "parents": [],
    }


def issue(number: int, created: str, closed: str | None, labels: list, body: str | None = None, **more):
    return {
        "url": f"{API}/issues/{number}",
        "repository_url": API,
        "comments_url": f"{API}/issues/{number}/comments",
        "id": 2000 + number,
        "number": number,
        "state": "closed" if closed else "open",
        "state_reason": "completed" if closed else None,
        "title": "Shop is down",
        "body": body,
        "user": USER,
        "labels": labels,
        "assignee": None,
        "milestone": None,
        "created_at": created,
        "updated_at": closed or created,
        "closed_at": closed,
    } | more


def run(id: int, conclusion: str | None, updated: str, name: str = "CI", sha: str = SHA["a1"]):
    return {
        "id": id,
        "name": name,
        "node_id": "x",
        "head_branch": "main",
        "head_sha": sha,
        "path": f".github/workflows/{name.lower()}.yml",
        "run_number": id,
        "run_attempt": 1,
        "event": "push",
        "status": "completed" if conclusion else "in_progress",
        "conclusion": conclusion,
        "workflow_id": 5,
        "url": f"{API}/actions/runs/{id}",
        "pull_requests": [],
        "created_at": updated,
        "run_started_at": updated,
        "updated_at": updated,
        "repository": {"id": 7, "full_name": "octo/shop"},
    }


def release(tag: str, published: str | None, **more):
    return {
        "url": f"{API}/releases/1",
        "id": 1,
        "tag_name": tag,
        "target_commitish": "main",
        "name": tag,
        "draft": False,
        "prerelease": False,
        "created_at": published,
        "published_at": published,
    } | more


PULLS = [
    pull(1, time(1, "09:00"), time(2, "10:00"), SHA["a1"]),
    pull(2, time(2, "08:00"), time(3, "09:00"), SHA["a2"]),
    pull(3, time(3, "08:00"), time(3, "12:00"), SHA["a3"]),
    pull(4, time(4, "08:00"), None, "d" * 40, closed=time(5, "08:00")),
    pull(5, time(5, "08:00"), time(5, "15:00"), SHA["a5"]),
]
DEPLOYMENTS = [
    deployment(101, SHA["a1"], time(2, "11:00")),
    deployment(102, SHA["a3"], time(3, "13:00")),
    deployment(103, SHA["a3"], time(3, "14:00")),
    deployment(104, SHA["a1"], time(4, "09:00")),
    deployment(105, SHA["a5"], time(5, "15:30")),
    deployment(106, SHA["a5"], time(6, "09:00")),
]
STATUSES = [
    status(101, "success", time(2, "11:10"), 1),
    status(101, "inactive", time(3, "14:20"), 2),
    status(102, "failure", time(3, "13:05"), 3),
    status(103, "in_progress", time(3, "14:10"), 4),
    status(103, "success", time(3, "14:20"), 5),
    status(103, "inactive", time(4, "09:05"), 6),
    status(104, "success", time(4, "09:05"), 7),
    status(105, "success", time(5, "15:40"), 8),
    status(106, "pending", time(6, "09:00"), 9),
]
INCIDENT = {"id": 1, "name": "Incident", "color": "f00", "default": False, "description": None}
ISSUES = [
    issue(9, time(4, "08:00"), time(4, "09:10"), [INCIDENT], f"Down.\nRoot cause: {SHA['a3']}\n"),
    issue(10, time(4, "10:00"), None, [{"id": 2, "name": "bug", "color": None, "description": None}]),
    issue(3, time(3, "08:00"), time(3, "12:00"), [INCIDENT], pull_request={"url": f"{API}/pulls/3"}),
]


def write(folder: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder


def story() -> dict[str, object]:
    return {
        "pulls.json": PULLS,
        "pulls/1/commits.json": [
            commit("1" * 40, "2025-01-01T08:00:00Z"),
            commit("2" * 40, "2024-12-31T18:00:00+02:00", "2025-01-02T09:00:00Z"),
        ],
        "deployments.json": DEPLOYMENTS,
        "deployment_statuses.json": STATUSES,
        "issues.json": ISSUES,
    }


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return write(tmp_path, story())


def rows(log, type: str) -> list[dict]:
    return log.events.filter(pl.col("type") == type).sort("time", "subject", "change").collect().to_dicts()


def carried(log) -> dict[str, tuple[list[str], str | None]]:
    found: dict[str, tuple[list[str], str | None]] = {}
    for row in rows(log, "service.deployed"):
        found.setdefault(row["subject"], ([], row["outcome"]))[0].append(row["change"])
    return found


def kinds(log) -> dict[str, int]:
    counted = log.findings.group_by("finding").len()
    return dict(zip(counted["finding"], counted["len"], strict=True))


def said(log, finding: str) -> dict:
    (row,) = log.findings.filter(pl.col("finding") == finding).to_dicts()
    return row


def test_the_story_as_worked_by_hand(export):
    log = read_github(export)
    assert dict(log.events.collect_schema()) == SCHEMA
    assert carried(log) == {
        "101": (["octo/shop#1"], "success"),
        "102": (["octo/shop#2", "octo/shop#3"], "failure"),
        "103": (["octo/shop#2", "octo/shop#3"], "success"),
        "105": (["octo/shop#5"], "success"),
    }
    times = {row["subject"]: row["time"] for row in rows(log, "service.deployed")}
    assert times == {"101": at(2, 11, 10), "102": at(3, 13, 5), "103": at(3, 14, 20), "105": at(5, 15, 40)}
    (back,) = rows(log, "service.rolledback")
    assert (back["subject"], back["cause"], back["time"]) == ("rollback 104", "103", at(4, 9, 5))
    (found,) = rows(log, "incident.detected")
    assert (found["subject"], found["cause"], found["time"]) == ("octo/shop#9", "103", at(4, 8))
    assert [row["time"] for row in rows(log, "incident.resolved")] == [at(4, 9, 10)]
    committed = {row["change"]: row["time"] for row in rows(log, "change.committed")}
    assert committed["octo/shop#1"] == datetime(2024, 12, 31, 16, tzinfo=UTC)  # the author's date, with its offset
    assert committed["octo/shop#2"] == at(2, 8)  # its opening: no commits exported
    assert [(row["change"], row["time"]) for row in rows(log, "change.abandoned")] == [("octo/shop#4", at(5, 8))]
    assert [row["change"][-1] for row in rows(log, "change.merged")] == ["1", "2", "3", "5"]
    assert set(log.events.collect()["service"]) == {"octo/shop"}
    assert {row["environment"] for row in rows(log, "service.deployed")} == {"production"}


def test_what_was_odd_is_said_once_with_its_count(export):
    log = read_github(export)
    assert said(log, "first commit not known")["what"].startswith("4 pull requests")
    unfinished = said(log, "unfinished deployment")
    assert (unfinished["source"], unfinished["line"], unfinished["id"]) == ("deployments.json", 6, "106")
    assert said(log, "pull request among issues")["what"].startswith("1 pull requests")
    assert said(log, "not used")["treatment"] == "left out"
    assert set(kinds(log)) == {
        "first commit not known", "unfinished deployment", "pull request among issues", "not used",
    }  # fmt: skip


def test_event_ids_are_unique_with_their_change(export):
    events = read_github(export).events.collect()
    assert events.select("source", "id", "change").is_duplicated().sum() == 0


def test_by_commit_only_the_change_at_the_head_is_found(export):
    log = read_github(export, changes="sha")
    assert carried(log)["103"] == (["octo/shop#3"], "success")
    assert said(log, "change without deployment")["what"].startswith("1 merged changes")  # 2


def test_before_the_first_deployment(export):
    early = [pull(8, time(1, "01:00"), time(1, "02:00"), SHA["b1"]), *PULLS]
    write(export, {"pulls.json": early})
    assert carried(read_github(export))["101"][0] == ["octo/shop#1"]
    assert said(read_github(export), "change without deployment")["what"].startswith("1 ")
    assert carried(read_github(export, before_first=True))["101"][0] == ["octo/shop#1", "octo/shop#8"]


def test_an_unknown_commit_is_placed_by_the_time_it_was_asked_for(tmp_path):
    # Asked for at 13:00 and done at 14:00: what was merged at 13:30 is not in it.
    pulls = [
        pull(1, time(1, "08:00"), time(1, "09:00"), SHA["a1"]),
        pull(2, time(2, "08:00"), time(2, "12:00"), SHA["a2"]),
        pull(3, time(2, "08:00"), time(2, "13:30"), SHA["a3"]),
    ]
    deployments = [deployment(1, SHA["a1"], time(1, "10:00")), deployment(2, SHA["b1"], time(2, "13:00"))]
    statuses = [status(1, "success", time(1, "10:05"), 1), status(2, "success", time(2, "14:00"), 2)]
    files = {"pulls.json": pulls, "deployments.json": deployments, "statuses.json": statuses}
    log = read_github(write(tmp_path, files))
    assert carried(log) == {"1": (["octo/shop#1"], "success"), "2": (["octo/shop#2"], "success")}


def test_each_line_has_its_own_changes(tmp_path):
    pulls = [
        pull(1, time(1, "08:00"), time(1, "09:00"), SHA["a1"]),
        pull(2, time(2, "08:00"), time(2, "09:00"), SHA["a2"]),
        pull(3, time(2, "08:00"), time(2, "10:00"), SHA["b1"], base="stable"),
        pull(4, time(2, "08:00"), time(2, "11:00"), SHA["a3"]),
    ]
    deployments = [deployment(1, SHA["a1"], time(1, "10:00")), deployment(2, "e" * 40, time(3, "09:00"), ref="v2")]
    statuses = [status(1, "success", time(1, "10:05"), 1), status(2, "success", time(3, "09:05"), 2)]
    files = {"pulls.json": pulls, "deployments.json": deployments, "statuses.json": statuses}
    folder = write(tmp_path, files)
    assert carried(read_github(folder))["2"][0] == ["octo/shop#2", "octo/shop#4"]  # a tag: the main line
    deployments[1]["ref"] = "stable"
    write(folder, files)
    assert carried(read_github(folder, before_first=True))["2"][0] == ["octo/shop#3"]


def test_an_environment_has_its_own_history(export):
    there = [*DEPLOYMENTS, deployment(201, SHA["a1"], time(2, "10:30"), "staging")]
    write(export, {"deployments.json": there, "deployment_statuses.json": [
        *STATUSES, status(201, "success", time(2, "10:40"), 99)]})  # fmt: skip
    log = read_github(export)
    assert carried(log)["201"] == (["octo/shop#1"], "success")
    assert carried(log)["101"] == (["octo/shop#1"], "success")
    assert log.about["environments"] == {"production": 5, "staging": 1}


def test_production_has_many_names(tmp_path):
    deployments = [
        deployment(1, SHA["a1"], time(1, "08:00"), "Prod"),
        deployment(2, SHA["a2"], time(2, "08:00"), "nonprod"),
        deployment(3, SHA["a3"], time(3, "08:00"), "blue", production_environment=True),
    ]
    statuses = [status(id, "success", time(id, "09:00"), id) for id in (1, 2, 3)]
    folder = write(tmp_path, {"deployments.json": deployments, "statuses.json": statuses})
    where = {row["subject"]: row["environment"] for row in rows(read_github(folder), "service.deployed")}
    assert where == {"1": "production", "2": "nonprod", "3": "production"}
    write(folder, {"deployments.json": deployments[1:2]})
    assert "nonprod (1)" in said(read_github(folder, damaged="report"), "no production")["what"]
    assert "no production" not in kinds(read_github(folder, production=["non.*"]))
    with pytest.raises(InputError, match="regular expression"):
        read_github(folder, production=["("])


def test_the_first_success_is_the_deployed_time(tmp_path):
    statuses = [
        status(1, "error", time(1, "08:05"), 1),
        status(1, "success", time(1, "08:20"), 2),
        status(1, "success", time(1, "09:00"), 3),
        status(1, "failure", time(1, "10:00"), 4),
        status(2, "inactive", time(3, "08:00"), 5),
        status(3, "error", time(4, "08:10"), 6),
        status(3, "failure", time(4, "08:05"), 7),
    ]
    deployments = [deployment(id, SHA[sha], time(day, "08:00")) for id, sha, day in
                   ((1, "a1", 1), (2, "a2", 2), (3, "a3", 4), (4, "a5", 5))]  # fmt: skip
    log = read_github(write(tmp_path, {"deployments.json": deployments, "deployment_statuses.json": statuses}))
    found = {row["subject"]: (row["time"], row["outcome"]) for row in rows(log, "service.deployed")}
    assert found == {"1": (at(1, 8, 20), "success"), "2": (at(2, 8), "success"), "3": (at(4, 8, 5), "failure")}
    assert said(log, "failure after success")["id"] == "1"
    assert said(log, "success not in the export")["id"] == "2"
    assert said(log, "unfinished deployment")["id"] == "4"


def test_statuses_by_file_within_deployments_or_not_at_all(tmp_path):
    plain = [deployment(1, SHA["a1"], time(1, "08:00"))]
    reduced = [{"id": 1, "state": "success", "created_at": time(1, "08:30")}]
    by_file = write(tmp_path / "a", {"deployments.json": plain, "deployments/1/statuses.json": reduced})
    within = write(tmp_path / "b", {"deployments.json": [plain[0] | {"statuses": reduced}]})
    without = write(tmp_path / "c", {"deployments.json": plain})
    for folder in (by_file, within):
        (row,) = rows(read_github(folder), "service.deployed")
        assert (row["time"], row["outcome"]) == (at(1, 8, 30), "success")
    log = read_github(without)
    (row,) = rows(log, "service.deployed")
    assert (row["time"], row["outcome"]) == (at(1, 8), None)
    assert said(log, "outcome not known")["treatment"] == "kept"


def test_the_same_version_again_is_a_deployment_without_changes(tmp_path):
    deployments = [deployment(id, SHA["a1"], time(id, "08:00")) for id in (1, 2)]
    statuses = [status(id, "success", time(id, "09:00"), id) for id in (1, 2)]
    pulls = [pull(1, time(1, "07:00"), time(1, "07:30"), SHA["a1"])]
    files = {"deployments.json": deployments, "statuses.json": statuses, "pulls.json": pulls}
    log = read_github(write(tmp_path, files))
    assert carried(log) == {"1": (["octo/shop#1"], "success"), "2": ([None], "success")}
    assert said(log, "same version again")["id"] == "2"


def deploy(folder: Path, commits: list[str], pulls: list, environments: list[str] | None = None) -> Path:
    """Deployments 1, 2, … of these commits, one a day from the 2nd, each a success after an hour."""
    deployments = [
        deployment(n, SHA[sha], time(n + 1, "08:00"), environments[n - 1] if environments else "production")
        for n, sha in enumerate(commits, 1)
    ]
    statuses = [status(n, "success", time(n + 1, "09:00"), n) for n in range(1, len(commits) + 1)]
    return write(folder, {"deployments.json": deployments, "statuses.json": statuses, "pulls.json": pulls})


THREE = [pull(n, time(1, "07:00"), time(1, f"0{n + 7}:30"), SHA[sha]) for n, sha in ((0, "a1"), (1, "a3"), (2, "a5"))]


def test_the_commit_of_an_older_change_is_a_rollback_even_if_it_was_never_deployed(tmp_path):
    folder = deploy(tmp_path, ["a3", "a1", "a5"], THREE)
    log = read_github(folder)
    assert [(row["subject"], row["cause"]) for row in rows(log, "service.rolledback")] == [("rollback 2", "1")]
    assert carried(log)["3"] == (["octo/shop#2"], "success")
    plain = read_github(folder, rollbacks=False)
    assert not rows(plain, "service.rolledback")
    assert set(carried(plain)) == {"1", "2", "3"}


@pytest.mark.parametrize("pulls", [THREE, []])
def test_what_was_taken_back_and_comes_again_is_no_rollback(tmp_path, pulls):
    # Without pull requests the order of first deployments decides.
    log = read_github(deploy(tmp_path, ["a1", "a3", "a1", "a3", "a1"], pulls))
    assert [(row["subject"], row["cause"]) for row in rows(log, "service.rolledback")] == [
        ("rollback 3", "2"),
        ("rollback 5", "4"),
    ]
    assert carried(log)["4"] == ([None], "success")
    assert said(log, "same version again")["id"] == "4"


def test_two_regions_of_production_are_two_places(tmp_path):
    folder = deploy(tmp_path, ["a1", "a1", "a3", "a3"], THREE, ["prod-eu", "prod-us", "prod-eu", "prod-us"])
    log = read_github(folder, production=["prod-.*"])
    assert not rows(log, "service.rolledback")
    assert "same version again" not in set(log.findings["finding"])
    assert [carried(log)[id][0] for id in "1234"] == [["octo/shop#0"]] * 2 + [["octo/shop#1"]] * 2
    assert {row["environment"] for row in rows(log, "service.deployed")} == {"production"}


def test_a_deployment_remedies_the_incident_that_its_change_closes(export):
    # #5 closes the incident of the 4th and goes out on the 5th; #1 could not know of it.
    changed = [one | {"body": "Fixes #9"} if one["number"] in (1, 5) else one | {"body": "See #9"} for one in PULLS]
    log = read_github(write(export, {"pulls.json": changed}))
    causes = {row["subject"]: row["cause"] for row in rows(log, "service.deployed")}
    assert causes == {"101": None, "102": None, "103": None, "105": "octo/shop#9"}


def test_commits_of_nobody_are_counted(export):
    write(export, {"commits_1.json": [commit("7" * 40, "2020-01-01T00:00:00Z")] * 3})
    log = read_github(export)
    assert said(log, "commit without pull request")["what"].startswith("3 commits")
    assert min(row["time"] for row in rows(log, "change.committed")).year == 2024


def test_workflow_runs_as_pipelines_and_as_deployments(tmp_path):
    runs = [
        run(1, "success", time(1, "08:00")),
        run(2, "timed_out", time(1, "09:00")),
        run(3, "cancelled", time(1, "10:00")),
        run(4, None, time(1, "11:00")),
        run(5, "success", time(2, "08:00"), "Deploy", SHA["a1"]),
        run(6, "failure", time(3, "08:00"), "Deploy", SHA["a2"]),
    ]
    folder = write(tmp_path, {"workflow_runs.json": {"total_count": 6, "workflow_runs": runs}})
    log = read_github(folder)
    outcomes = {row["subject"]: row["outcome"] for row in rows(log, "pipelinerun.finished")}
    assert outcomes == {"1": "success", "2": "failure", "3": None, "5": "success", "6": "failure"}
    assert kinds(log) == {"unfinished run": 1, "no deployments": 1}
    log = read_github(folder, deploy_workflows=["deploy*"])
    assert carried(log) == {"5": ([None], "success"), "6": ([None], "failure")}
    assert {row["environment"] for row in rows(log, "service.deployed")} == {None}
    assert log.about["deployed_from"] == "workflows"


def test_releases_stand_for_deployments_where_there_are_none(tmp_path):
    releases = [
        release("v1", time(2, "11:00")),
        release("v2", time(3, "13:00")),
        release("v3-rc", time(4, "09:00"), prerelease=True),
        release("v4", None, draft=True),
    ]
    folder = write(tmp_path, {"releases.json": releases, "pulls.json": PULLS})
    log = read_github(folder)
    assert carried(log) == {"v1": ([None], "success"), "v2": (["octo/shop#2", "octo/shop#3"], "success")}
    assert kinds(log)["release not used"] == 2
    write(folder, {"deployments.json": DEPLOYMENTS, "statuses.json": STATUSES})
    assert set(carried(read_github(folder))) == {"101", "102", "103", "105"}
    assert said(read_github(folder), "not used")["what"].startswith("4 releases")


def test_reviews_of_a_change(export):
    review = {
        "id": 80, "user": USER, "body": "", "state": "APPROVED", "pull_request_url": f"{API}/pulls/1",
        "submitted_at": time(1, "12:00"), "commit_id": "1" * 40, "author_association": "MEMBER",
    }  # fmt: skip
    there = [review, review | {"id": 81, "state": "CHANGES_REQUESTED", "submitted_at": time(1, "11:00")}]
    write(export, {"pulls/1/reviews.json": [*there, review | {"id": 82, "pull_request_url": f"{API}/pulls/77"}]})
    log = read_github(export)
    found = [(row["change"], row["time"], row["outcome"]) for row in rows(log, "change.reviewed")]
    assert found == [("octo/shop#1", at(1, 11), "failure"), ("octo/shop#1", at(1, 12), "success")]
    assert said(log, "review not used")["line"] == 3


def test_labels_of_incidents_and_their_ends(tmp_path):
    issues = [
        issue(1, time(1, "08:00"), None, ["type: outage"]),
        issue(2, time(1, "08:00"), time(1, "09:00"), [INCIDENT], state_reason="duplicate"),
        issue(3, time(1, "08:00"), time(1, "09:00"), [INCIDENT], state_reason="not_planned"),
        issue(4, time(1, "08:00"), time(1, "09:00"), [], type={"id": 1, "name": "Incident"}),
        issue(5, time(1, "08:00"), time(1, "09:00"), [INCIDENT], "root cause: abcdef1"),
    ]
    folder = write(tmp_path, {"incidents.json": issues})
    log = read_github(folder)
    assert [row["subject"] for row in rows(log, "incident.detected")] == [f"octo/shop#{n}" for n in (3, 4, 5)]
    assert {"duplicate incident", "incident not planned", "unknown root cause"} <= set(kinds(log))
    assert [row["cause"] for row in rows(log, "incident.detected")] == [None, None, None]
    log = read_github(folder, incident_labels=["*outage*"])
    assert [row["subject"] for row in rows(log, "incident.detected")] == ["octo/shop#1"]
    assert not rows(log, "incident.resolved")


def test_the_commit_to_blame_went_to_a_test_system_first(tmp_path):
    deployments = [
        deployment(1, SHA["a1"], time(1, "08:00"), "staging"),
        deployment(2, SHA["a1"], time(1, "09:00")),
        deployment(3, SHA["a2"], time(2, "08:00"), "staging"),
    ]
    issues = [
        issue(1, time(3, "08:00"), None, [INCIDENT], f"root cause: {SHA['a1']}"),
        issue(2, time(3, "09:00"), None, [INCIDENT], f"root cause: {SHA['a2']}"),
    ]
    log = read_github(write(tmp_path, {"deployments.json": deployments, "issues.json": issues}))
    assert [row["cause"] for row in rows(log, "incident.detected")] == ["2", "3"]


def test_two_repositories_do_not_mix(export):
    def move(records):
        return json.loads(json.dumps(records).replace("octo/shop", "octo/till"))

    moved = [one | {"id": one["id"] + 1000} for one in move(DEPLOYMENTS)]
    for one in moved:
        one["statuses"] = [{"id": 1, "state": "success", "created_at": one["created_at"]}]
    write(export, {"till/pulls.json": move(PULLS), "till/deployments.json": moved})
    log = read_github(export)
    assert carried(log)["103"][0] == ["octo/shop#2", "octo/shop#3"]
    assert carried(log)["1101"][0] == ["octo/till#1"]
    assert set(log.events.collect()["service"]) == {"octo/shop", "octo/till"}
    assert set(read_github(export, service="all").events.collect()["service"]) == {"all"}


def test_missing_zone_and_missing_time(tmp_path):
    pulls = [
        pull(1, "2025-01-01 09:00:00", time(2, "10:00"), SHA["a1"]),
        pull(2, time(1, "09:00"), "yesterday", SHA["a2"]),
    ]
    pulls[1]["created_at"] = None
    folder = write(tmp_path, {"pulls.json": pulls})
    log = read_github(folder)
    zone = said(log, "missing zone")
    assert (zone["source"], zone["line"], zone["id"]) == ("pulls.json", 1, "octo/shop#1")
    unreadable = log.findings.filter(pl.col("finding") == "unreadable time")
    assert unreadable["line"].to_list() == [2, 2]  # merged_at and closed_at
    assert said(log, "missing time")["what"] == "no created_at"
    assert not rows(log, "change.created")
    log = read_github(folder, zone="Europe/Berlin")
    assert [row["time"] for row in rows(log, "change.created")] == [at(1, 8)]


def test_only_open_ones_and_one_full_page_are_suspicious(tmp_path):
    pulls = [pull(n, time(1, "09:00"), None, None) for n in range(1, 31)]
    issues = [issue(50, time(1, "08:00"), None, [INCIDENT])]
    log = read_github(write(tmp_path, {"pulls.json": pulls, "issues.json": issues}))
    assert "state=all" in said(log, "only open pull requests")["remedy"]
    assert "state=all" in said(log, "only open issues")["remedy"]
    assert said(log, "one full page")["line"] == 30


# ---- damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("<!DOCTYPE html><html><head><title>Sign in to GitHub</title></head></html>", "Sign in to GitHub"),
        ('{"message": "API rate limit exceeded for 192.0.2.1.", "documentation_url": "https://docs"}', "rate limit"),
        (json.dumps(DEPLOYMENTS)[:-200], "breaks off"),
        (json.dumps(PULLS), "looks like 'pulls'"),
        ("", "empty"),
        ('{"data": {"repository": {"deployments": {"nodes": []}}}}', "GraphQL"),
        ("not json", "record 1"),
    ],
)
def test_a_damaged_file_is_an_error_with_file_and_record(export, content, what):
    write(export, {"deployments.json": content})
    with pytest.raises(InputError, match=r"deployments\.json") as caught:
        read_github(export)
    assert what in str(caught.value)


def test_what_there_is_can_be_read_all_the_same(export):
    write(export, {"deployments.json": json.dumps(DEPLOYMENTS[:3])[:-1] + ', {"id": 104, "sha'})
    log = read_github(export, damaged="report")
    assert set(carried(log)) == {"101", "102", "103"}
    assert said(log, "damaged file")["line"] == 4
    assert kinds(log)["status without deployment"] == 3
    write(export, {"deployments.json": json.dumps(DEPLOYMENTS[:2]) + '{"message": "API rate limit exceeded"}'})
    with pytest.raises(InputError, match="record 3"):
        read_github(export)


def test_every_damaged_file_is_named(export):
    write(export, {"deployments.json": "<html>", "pulls.json": ""})
    with pytest.raises(InputError) as caught:
        read_github(export)
    assert len(caught.value.problems) == 2


def test_a_record_of_another_endpoint_is_left_out_with_its_number(export):
    write(export, {"pulls.json": [*PULLS, issue(12, time(1, "08:00"), None, []), "text", 7]})
    log = read_github(export)
    assert len(rows(log, "change.created")) == 5
    assert said(log, "wrong endpoint")["line"] == 6
    assert kinds(log)["not a record"] == 2


def test_broken_lines_of_jsonl_are_findings(export):
    (export / "pulls.json").unlink()
    lines = [json.dumps(one) for one in PULLS]
    write(export, {"pulls.jsonl": "\n".join([lines[0], '{"number": ', "", *lines[1:]]) + "\n"})
    log = read_github(export)
    assert len(rows(log, "change.created")) == 5
    assert said(log, "broken line")["line"] == 2


def test_no_folder_no_export_and_no_such_option(tmp_path, export):
    with pytest.raises(InputError, match="no such folder"):
        read_github(tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="no file ends in"):
        read_github(tmp_path / "bare")
    for option in ({"changes": "guess"}, {"deployed_from": "moon"}, {"damaged": "?"}, {"zone": "Mars/Base"},
                   {"root_cause": "("}, {"begin": "2025-01-01"}):  # fmt: skip
        with pytest.raises(InputError):
            read_github(export, **option)


def test_the_span_is_what_the_caller_says(export):
    log = read_github(export, begin="2025-01-01T00:00:00Z", end="2025-02-01T01:00:00+01:00", name="Shop")
    assert (log.begin, log.end, log.name) == (at(1, 0), datetime(2025, 2, 1, tzinfo=UTC), "Shop")


def test_a_folder_is_recognised_by_names_and_content(tmp_path, export):
    assert looks_like_github(export)
    assert not looks_like_github(tmp_path / "nowhere")
    other = write(tmp_path / "other", {"notes.json": [{"a": 1}]})
    assert not looks_like_github(other)
    damaged = write(tmp_path / "damaged", {"pulls.json": "<html>"})
    assert looks_like_github(damaged)  # by the name, so that its damage is said
    gitlab = write(tmp_path / "lab", {"issues.json": [{"iid": 1, "labels": [], "number": 1}]})
    assert not looks_like_github(gitlab)


# ---- forms of an export, and what must not matter ---------------------------------------------


def forms(records: list) -> dict[str, tuple[str, bytes]]:
    text = json.dumps(records)
    half = len(records) // 2
    pages = json.dumps(records[:half], indent=1) + json.dumps(records[half:])
    return {
        "array": ("deployments.json", text.encode()),
        "pages one after another": ("deployments.json", pages.encode()),
        "slurped": ("deployments.json", json.dumps([records[:half], records[half:]]).encode()),
        "lines": ("deployments.jsonl", "".join(json.dumps(one) + "\n" for one in records).encode()),
        "lines in json": ("deployments.json", "\n".join(json.dumps(one) for one in records).encode()),
        "gzipped": ("deployments.json.gz", gzip.compress(text.encode())),
        "with mark": ("octo_shop_deployments.json", b"\xef\xbb\xbf" + text.encode()),
        "UTF-16": ("deployments.json", text.encode("utf-16")),
    }


@pytest.mark.parametrize("form", forms([]))
def test_every_form_reads_alike(tmp_path, export, form):
    expected = read_github(export).events.collect()
    (export / "deployments.json").unlink()
    name, data = forms(DEPLOYMENTS)[form]
    (export / name).write_bytes(data)
    assert read_github(export).events.collect().equals(expected)


def sort(log) -> pl.DataFrame:
    return log.events.sort("source", "id", "change").collect()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_order_pages_repeats_and_offsets_change_nothing(tmp_path_factory, data):
    base = tmp_path_factory.mktemp("base")
    expected = sort(read_github(write(base, story()), name="x"))
    files: dict[str, object] = {}
    for name, records in story().items():
        shuffled = data.draw(st.permutations(records))
        repeated = [*shuffled, *data.draw(st.lists(st.sampled_from(shuffled), max_size=2))]
        if name == "deployments.json":
            cut = data.draw(st.integers(0, len(repeated)))
            files |= {"deployments-1.json": repeated[:cut], "deployments-2.json": repeated[cut:]}
        else:
            files[name] = repeated
    zone = timezone(timedelta(hours=data.draw(st.integers(-12, 14))))
    text = {
        name: re.sub(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
            lambda match: datetime.fromisoformat(match[0]).astimezone(zone).isoformat(),
            json.dumps(content),
        )
        for name, content in files.items()
    }
    folder = tmp_path_factory.mktemp("other")
    assert sort(read_github(write(folder, text), name="x")).equals(expected)
