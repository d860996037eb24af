"""GitLab exports: fixtures have the shape of the examples in GitLab's API documentation.

The story of ``export`` (project my-group/shop, January 2025, UTC):

    !1 first commit authored 1st 06:00, opened 1st 09:00, merged 2nd 10:00 as a1
    !2 opened 2nd 08:00, merged 3rd 09:00 by fast-forward, so that its last commit a2 is on main
    !3 opened 3rd 08:00, merged 3rd 12:00, squashed into a3;  !4 opened 4th, closed 5th 08:00
    deployment 41 of a1: job ended 2nd 11:10                      carries !1
    deployment 42 of a3: failed 3rd 13:05                         would have carried !2 and !3
    deployment 43 of a3: 3rd 14:20                                carries !2 and !3
    deployment 44 of a1: 4th 09:05, by the API and without a job  takes 43 back
    deployment 45: canceled; 46: running
    incident #7: 4th 08:00 to 09:10, of an alert in customer-portal, whose tier is production
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.kpi.events import SCHEMA
from analysis.kpi.sources.gitlab import looks_like_gitlab, read_gitlab

WEB = "https://gitlab.example.com/my-group/shop"
SHA = {name: name * 20 for name in ("a1", "a2", "a3", "b1")}


def time(day: int, clock: str) -> str:
    return f"2025-01-{day:02d}T{clock}:00.000Z"


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2025, 1, day, hour, minute, tzinfo=UTC)


def merge(iid: int, created: str, merged: str | None, state: str = "merged", **more):
    return {
        "id": 500 + iid,
        "iid": iid,
        "project_id": 3,
        "title": "test",
        "description": None,
        "state": state,
        "merged_by": None,
        "merged_at": merged,
        "closed_by": None,
        "closed_at": None,
        "created_at": created,
        "updated_at": merged or created,
        "target_branch": "main",
        "source_branch": "topic",
        "author": {"id": 1, "username": "root"},
        "assignee": None,
        "source_project_id": 3,
        "target_project_id": 3,
        "labels": ["Manage"],
        "milestone": None,
        "sha": "8" * 40,
        "merge_commit_sha": None,
        "squash_commit_sha": None,
        "web_url": f"{WEB}/-/merge_requests/{iid}",
        "references": {"short": f"!{iid}", "relative": f"!{iid}", "full": f"my-group/shop!{iid}"},
        "squash": False,
    } | more


def deployment(id: int, sha: str, created: str, finished: str | None, status: str = "success", **more):
    pipeline = {"id": 36, "ref": "main", "sha": sha, "status": "success", "web_url": f"{WEB}/pipelines/12"}
    job = {
        "id": 657,
        "name": "deploy",
        "ref": "main",
        "stage": "deploy",
        "status": status,
        "created_at": created,
        "started_at": None,
        "finished_at": finished,
        "coverage": None,
        "runner": None,
        "tag": False,
        "commit": {"id": sha, "created_at": "2025-01-01T09:36:01.000+02:00"},
        "pipeline": pipeline,
    }
    return {
        "id": id,
        "iid": id - 40,
        "ref": "main",
        "sha": sha,
        "created_at": created,
        "updated_at": finished or created,
        "status": status,
        "user": {"id": 1, "username": "root"},
        "environment": {"id": 9, "name": "customer-portal", "external_url": "https://shop.example"},
        "deployable": job if finished else None,
    } | more


def commit(sha: str, authored: str):
    return {
        "id": sha,
        "short_id": sha[:8],
        "created_at": authored,
        "parent_ids": [],
        "title": "Work",
        "message": "Work",
        "author_name": "A",
        "authored_date": authored,
        "committer_name": "A",
        "committed_date": time(9, "00:00"),
        "web_url": f"{WEB}/-/commit/{sha}",
    }


def issue(iid: int, created: str, closed: str | None, kind: str = "incident", **more):
    return {
        "id": 900 + iid,
        "iid": iid,
        "project_id": 3,
        "title": "Down",
        "description": "",
        "state": "closed" if closed else "opened",
        "created_at": created,
        "updated_at": closed or created,
        "closed_at": closed,
        "closed_by": None,
        "labels": [],
        "milestone": None,
        "type": kind.upper(),
        "issue_type": kind,
        "severity": "UNKNOWN",
        "web_url": f"{WEB}/-/issues/{iid}",
        "references": {"short": f"#{iid}", "relative": f"#{iid}", "full": f"my-group/shop#{iid}"},
    } | more


def pipeline(id: int, status: str, updated: str, **more):
    return {
        "id": id,
        "iid": id,
        "project_id": 3,
        "status": status,
        "source": "push",
        "ref": "main",
        "sha": SHA["a1"],
        "name": None,
        "web_url": f"{WEB}/-/pipelines/{id}",
        "created_at": updated,
        "updated_at": updated,
    } | more


MERGES = [
    merge(1, time(1, "09:00"), time(2, "10:00"), merge_commit_sha=SHA["a1"]),
    merge(2, time(2, "08:00"), time(3, "09:00"), sha=SHA["a2"]),
    merge(3, time(3, "08:00"), time(3, "12:00"), squash_commit_sha=SHA["a3"]),
    merge(4, time(4, "08:00"), None, "closed", closed_at=time(5, "08:00")),
]
DEPLOYMENTS = [
    deployment(41, SHA["a1"], time(2, "11:00"), time(2, "11:10")),
    deployment(42, SHA["a3"], time(3, "13:00"), time(3, "13:05"), "failed"),
    deployment(43, SHA["a3"], time(3, "14:00"), time(3, "14:20")),
    deployment(44, SHA["a1"], time(4, "09:00"), None, updated_at=time(4, "09:05")),
    deployment(45, SHA["a3"], time(5, "09:00"), None, "canceled"),
    deployment(46, SHA["a3"], time(6, "09:00"), None, "running"),
]
ENVIRONMENTS = [
    {
        "id": 9, "name": "customer-portal", "slug": "customer-portal", "external_url": "https://shop.example",
        "created_at": time(1, "00:00"), "updated_at": time(1, "00:00"), "tier": "production", "state": "available",
    }
]  # fmt: skip


def story() -> dict[str, object]:
    return {
        "merge_requests.json": MERGES,
        "merge_requests/1/commits.json": [
            commit("1" * 40, "2025-01-01T08:00:00.000+02:00"),
            commit("2" * 40, time(1, "07:00")),
        ],
        "deployments.json": DEPLOYMENTS,
        "environments.json": ENVIRONMENTS,
        "issues.json": [issue(7, time(4, "08:00"), time(4, "09:10")), issue(8, time(4, "08:00"), None, "issue")],
        "alerts.json": [{"iid": 1, "issue": {"iid": 7}, "environment": {"name": "customer-portal"}}],
    }


def write(folder: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder


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


def said(log, finding: str) -> dict:
    (row,) = log.findings.filter(pl.col("finding") == finding).to_dicts()
    return row


def test_the_story_as_worked_by_hand(export):
    log = read_gitlab(export)
    assert dict(log.events.collect_schema()) == SCHEMA
    assert carried(log) == {
        "41": (["my-group/shop!1"], "success"),
        "42": (["my-group/shop!2", "my-group/shop!3"], "failure"),
        "43": (["my-group/shop!2", "my-group/shop!3"], "success"),
    }
    times = [row["time"] for row in rows(log, "service.deployed")]
    assert times == [at(2, 11, 10), *[at(3, 13, 5)] * 2, *[at(3, 14, 20)] * 2]
    (back,) = rows(log, "service.rolledback")
    assert (back["cause"], back["time"], back["environment"]) == ("43", at(4, 9, 5), "production")
    (found,) = rows(log, "incident.detected")
    assert (found["subject"], found["environment"], found["cause"]) == ("my-group/shop#7", "production", None)
    assert [row["time"] for row in rows(log, "incident.resolved")] == [at(4, 9, 10)]
    committed = {row["change"][-1]: row["time"] for row in rows(log, "change.committed")}
    assert (committed["1"], committed["2"]) == (at(1, 6), at(2, 8))
    assert [(row["change"][-1], row["time"]) for row in rows(log, "change.abandoned")] == [("4", at(5, 8))]
    assert set(log.events.collect()["service"]) == {"my-group/shop"}
    assert set(log.findings["finding"]) == {
        "first commit not known", "end not known", "cancelled deployment", "unfinished deployment", "not used",
    }  # fmt: skip


def test_every_event_has_its_file_and_record(export):
    log = read_gitlab(export)
    (place,) = log.lines.filter(pl.col("type") == "service.rolledback").to_dicts()
    assert (place["file"], place["line"]) == ("deployments.json", 4)
    keys = ["source", "id", "time", "type", "subject"]
    assert log.events.collect().join(log.lines, on=keys, how="anti").is_empty()


def test_what_gitlab_lists_goes_before_the_rule(export):
    # !9 was cherry-picked, and is in no other file.
    write(export, {"deployments/43/merge_requests.json": [MERGES[2], merge(9, time(1, "08:00"), time(1, "09:00"))]})
    log = read_gitlab(export)
    assert carried(log)["43"] == (["my-group/shop!3", "my-group/shop!9"], "success")
    assert len(rows(log, "change.created")) == 5
    write(export, {"deployments/99/merge_requests.json": [MERGES[2]]})
    assert said(read_gitlab(export), "unknown deployment")["id"] == "99"


def test_without_tiers_the_name_decides(export):
    (export / "environments.json").unlink()
    log = read_gitlab(export)
    assert "customer-portal" in said(log, "no production")["what"]
    log = read_gitlab(export, production=["customer-.*"])
    assert {row["environment"] for row in rows(log, "service.deployed")} == {"production"}


def test_labels_can_make_an_incident(export):
    log = read_gitlab(write(export, {"issues.json": [issue(8, time(4, "08:00"), None, "issue", labels=["Outage"])]}),
                      incident_labels=["outage"])  # fmt: skip
    assert [row["subject"] for row in rows(log, "incident.detected")] == ["my-group/shop#8"]
    assert not rows(log, "incident.resolved")
    assert said(log, "alert without incident")["id"] == "my-group/shop#7"


def test_a_deployment_remedies_the_incident_that_its_change_closes(export):
    merges = [
        *MERGES,
        merge(5, time(4, "08:10"), time(4, "10:00"), description="Closes #7", merge_commit_sha=SHA["b1"]),
    ]
    deployments = [*DEPLOYMENTS, deployment(48, SHA["b1"], time(4, "10:10"), time(4, "10:20"))]
    log = read_gitlab(write(export, {"merge_requests.json": merges, "deployments.json": deployments}))
    causes = {row["subject"]: row["cause"] for row in rows(log, "service.deployed")}
    assert causes == {"41": None, "42": None, "43": None, "48": "my-group/shop#7"}


def test_two_projects_do_not_mix(export):
    moved = json.loads(
        json.dumps(MERGES).replace("my-group/shop", "my-group/till").replace('"project_id": 3', '"project_id": 4')
    )
    write(export, {"till/merge_requests.json": moved})
    log = read_gitlab(export)
    assert carried(log)["43"] == (["my-group/shop!2", "my-group/shop!3"], "success")
    assert set(log.events.collect()["service"]) == {"my-group/shop", "my-group/till"}
    # Deployments by the API name no project: the file that they stand in is of one.
    assert {row["service"] for row in rows(log, "service.rolledback")} == {"my-group/shop"}
    committed = {row["change"]: row["time"] for row in rows(log, "change.committed")}
    assert (committed["my-group/shop!1"], committed["my-group/till!1"]) == (at(1, 6), at(1, 9))


def test_a_record_of_nobody_knows_where_is_said(export):
    other = merge(1, time(1, "08:00"), None, "opened", references=None, project_id=4)
    other["web_url"] = other["web_url"].replace("shop", "till")
    # Deployments by the API alone, an environment and an alert: nothing says whose they are.
    write(export, {"till/merge_requests.json": [other], "deployments.json": DEPLOYMENTS[3:]})
    log = read_gitlab(export)
    assert said(log, "repository not known")["what"].startswith("5 records")


def test_pipelines(tmp_path):
    pipelines = [
        pipeline(1, "success", time(1, "08:00")),
        pipeline(2, "failed", time(1, "09:00"), finished_at=time(1, "08:59")),
        pipeline(3, "canceled", time(1, "10:00")),
        pipeline(4, "running", time(1, "11:00")),
    ]
    log = read_gitlab(write(tmp_path, {"pipelines.json": pipelines}))
    found = {row["subject"]: (row["time"], row["outcome"]) for row in rows(log, "pipelinerun.finished")}
    assert found == {"1": (at(1, 8), "success"), "2": (at(1, 8, 59), "failure"), "3": (at(1, 10), None)}
    assert said(log, "unfinished run")["what"] == "1 pipelines were still running"
    assert said(log, "no deployments")["treatment"] == "kept"


def test_releases_stand_for_deployments_where_there_are_none(tmp_path):
    releases = [
        {"tag_name": "v1", "released_at": time(2, "11:00"), "commit": {"id": SHA["a1"]}, "upcoming_release": False},
        {"tag_name": "v2", "released_at": time(3, "13:00"), "commit": {"id": SHA["a3"]}, "upcoming_release": False},
        {"tag_name": "v3", "released_at": time(30, "13:00"), "commit": {"id": SHA["a3"]}, "upcoming_release": True},
    ]
    log = read_gitlab(write(tmp_path, {"releases.json": releases, "merge_requests.json": MERGES}))
    assert carried(log) == {
        "v1": (["my-group/shop!1"], "success"),
        "v2": (["my-group/shop!2", "my-group/shop!3"], "success"),
    }


def test_a_merge_without_time_and_an_unknown_status(export):
    odd = deployment(47, SHA["a3"], time(7, "09:00"), None, "exploded")
    merges = [*MERGES, merge(5, time(1, "08:00"), None, "merged")]
    log = read_gitlab(write(export, {"deployments.json": [*DEPLOYMENTS, odd], "merge_requests.json": merges}))
    assert (said(log, "unknown status")["line"], said(log, "missing time")["line"]) == (7, 5)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("<html><title>Sign in · GitLab</title>", "Sign in"),
        ('{"message": "401 Unauthorized"}', "401 Unauthorized"),
        ('{"error": "invalid_token", "error_description": "Token was revoked"}', "Token was revoked"),
        (json.dumps(MERGES)[:-30], "breaks off"),
        (json.dumps(DEPLOYMENTS), "looks like 'deployments'"),
    ],
)
def test_a_damaged_file_is_an_error_with_file_and_record(export, content, what):
    with pytest.raises(InputError, match=r"merge_requests\.json, record") as caught:
        read_gitlab(write(export, {"merge_requests.json": content}))
    assert what in str(caught.value)


def test_a_folder_is_recognised_by_names_and_content(tmp_path, export):
    assert looks_like_gitlab(export)
    assert looks_like_gitlab(write(tmp_path / "damaged", {"merge_requests.json": "<html>"}))
    assert not looks_like_gitlab(write(tmp_path / "hub", {"issues.json": [{"number": 1, "labels": []}]}))
    assert not looks_like_gitlab(tmp_path / "nowhere")


def sort(log) -> pl.DataFrame:
    return log.events.sort("source", "id", "change").collect()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_order_pages_and_repeats_change_nothing(tmp_path_factory, data):
    expected = sort(read_gitlab(write(tmp_path_factory.mktemp("base"), story()), name="x"))
    files: dict[str, object] = {}
    for name, records in story().items():
        shuffled = data.draw(st.permutations(records))
        repeated = [*shuffled, *data.draw(st.lists(st.sampled_from(shuffled), max_size=2))]
        cut = data.draw(st.integers(0, len(repeated)))
        stem = name.removesuffix(".json")
        files |= {f"{stem}_page1.json": repeated[:cut], f"{stem}_page2.json": repeated[cut:]}
    assert sort(read_gitlab(write(tmp_path_factory.mktemp("other"), files), name="x")).equals(expected)
