"""DevLake's tables: columns as in its models, rows after the DORA plugin's end-to-end tests.

The first fixture is that of ``backend/plugins/dora/e2e/change_lead_time`` of apache/incubator-devlake, whose expected
``project_pr_metrics.csv`` says in which deployment commit each pull request is: pr1 and pr2 in 5, pr3 in 6, pr4 and
pr5 in none; and how long each was coded: pr1 1440 minutes, pr3 5883, pr4 11704.
"""

from __future__ import annotations

import csv
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.kpi.events import SCHEMA
from analysis.kpi.sources.devlake import looks_like_devlake, read_devlake

DEPLOYMENT_COMMITS = """\
id,result,started_date,duration_sec,cicd_pipeline_id,cicd_scope_id,repo_url,environment,prev_success_deployment_commit_id,commit_sha,created_date
1,SUCCESS,2023-04-10T06:51:47.000+00:00,60,pipeline1,cicd1,REPO111,PRODUCTION,,commit1,2023-4-10 6:51:47
2,SUCCESS,2023-04-10T06:53:51.000+00:00,60,pipeline1,cicd1,REPO222,PRODUCTION,,commit2,2023-4-10 6:53:51
3,SUCCESS,2023-04-13T07:21:16.000+00:00,60,pipeline2,cicd2,REPO111,PRODUCTION,,commit3,2023-4-13 7:21:16
4,SUCCESS,2023-04-13T07:22:14.000+00:00,60,pipeline2,cicd2,REPO333,PRODUCTION,,commit4,2023-4-13 7:22:14
5,SUCCESS,2023-04-13T07:28:14.000+00:00,60,pipeline4,cicd1,REPO111,PRODUCTION,1,commit5,2023-4-13 7:28:14
6,SUCCESS,2023-04-13T07:29:34.000+00:00,60,pipeline4,cicd1,REPO222,PRODUCTION,2,commit6,2023-4-13 7:29:34
7,SUCCESS,2023-04-13T07:31:53.000+00:00,60,pipeline5,cicd1,REPO111,STAGING,,commit7,2023-4-13 7:31:53
11,FAILURE,2023-04-13T07:54:39.000+00:00,60,pipeline7,cicd2,REPO111,PRODUCTION,,commit11,2023-4-13 7:54:39
12,SUCCESS,2023-04-13T07:55:01.000+00:00,60,pipeline7,cicd2,REPO333,PRODUCTION,4,commit12,2023-4-13 7:55:01
16,SUCCESS,2023-04-13T07:58:24.000+00:00,60,pipeline10,cicd3,REPO333,,,commit16,2023-4-13 7:58:24
"""
PULL_REQUESTS = """\
id,base_repo_id,author_id,status,merge_commit_sha,created_date,merged_date,closed_date
pr1,repo1,a,MERGED,pr_merge_commit1,2023-4-11 4:51:47,2023-4-11 5:51:47,
pr2,repo1,a,MERGED,pr_merge_commit2,2023-4-12 4:51:47,2023-4-12 5:51:47,
pr3,repo1,a,MERGED,pr_merge_commit3,2023-4-11 6:53:51,2023-4-14 6:53:51,
pr4,repo1,,MERGED,pr_merge_commit4,2023-4-13 7:55:01,2023-4-13 8:55:01,
pr5,repo1,,CLOSED,,2023-4-13 7:55:01,,2023-4-15 7:55:01
pr6,repo1,,OPEN,,2023-4-13 7:55:01,,
"""
PULL_REQUEST_COMMITS = """\
commit_sha,pull_request_id,commit_authored_date
c1,pr1,2023-4-10 4:51:47
c2,pr1,2023-4-11 4:51:47
c3,pr2,2023-4-13 4:51:47
c4,pr3,2023-4-09 4:51:47
c5,pr3,2023-4-07 4:51:47
c6,pr4,2023-4-05 4:51:47
"""
DIFFS = """\
old_commit_sha,new_commit_sha,commit_sha
commit1,commit5,pr_merge_commit1
commit1,commit5,pr_merge_commit2
commit2,commit6,pr_merge_commit3
commit7,commit8,pr_merge_commit4
,commit11,pr_merge_commit5
"""
MAPPING = """\
project_name,table,row_id
project1,cicd_scopes,cicd1
project1,repos,repo1
project1,repos,repo2
project2,cicd_scopes,cicd3
project2,repos,repo3
project1,cicd_scopes,cicd2
project1,boards,board1
"""
METRICS = """\
id,project_name,first_commit_sha,pr_coding_time,first_review_id,pr_pickup_time,pr_review_time,deployment_commit_id,pr_deploy_time,pr_cycle_time
pr1,project1,c1,1440,comment02,5,55,5,2978,4478
pr2,project1,c3,,comment04,1,60,5,1538,1598
pr3,project1,c5,5883,comment07,,5760,6,,10203
pr4,project1,c6,11704,comment10,1500,,,,11764
"""
INCIDENTS = """\
id,incident_key,status,created_date,updated_date,resolution_date,table,scope_id
github:GithubIssue:1:11,11,DONE,2023-04-13 07:40:00,2023-04-13 08:40:00,2023-04-13 08:40:00,boards,board1
github:GithubIssue:1:12,12,TODO,2023-04-13 08:00:00,2023-04-13 08:00:00,,boards,board1
github:GithubIssue:1:13,13,DONE,2023-04-13 08:00:00,2023-04-13 08:00:00,,repos,repo3
"""
RELATIONSHIPS = """\
id,project_name,deployment_id
github:GithubIssue:1:11,project1,pipeline4
github:GithubIssue:1:12,project1,pipeline99
github:GithubIssue:1:13,project2,
"""
PIPELINES = """\
id,name,result,status,type,created_date,finished_date,cicd_scope_id
pipeline1,deploy,SUCCESS,DONE,DEPLOYMENT,2023-04-10 06:51:00,2023-04-10 06:55:00,cicd1
pipeline2,deploy,FAILURE,DONE,DEPLOYMENT,2023-04-13 07:21:00,2023-04-13 07:23:00,cicd2
pipeline3,test,,IN_PROGRESS,TEST,2023-04-13 07:21:00,,cicd2
"""


def story() -> dict[str, str]:
    return {
        "cicd_deployment_commits": DEPLOYMENT_COMMITS,
        "pull_requests": PULL_REQUESTS,
        "pull_request_commits": PULL_REQUEST_COMMITS,
        "commits_diffs": DIFFS,
        "project_mapping": MAPPING,
        "project_pr_metrics": METRICS,
        "incidents": INCIDENTS,
        "project_incident_deployment_relationships": RELATIONSHIPS,
        "cicd_pipelines": PIPELINES,
    }


def write(folder: Path, tables: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return write(tmp_path / "lake", story())


def rows(log, type: str) -> list[dict]:
    return log.events.filter(pl.col("type") == type).sort("time", "subject", "change").collect().to_dicts()


def carried(log) -> dict[str, list[str | None]]:
    found: dict[str, list[str | None]] = {}
    for row in rows(log, "service.deployed"):
        found.setdefault(row["subject"], []).append(row["change"])
    return found


def said(log, finding: str) -> dict:
    (row,) = log.findings.filter(pl.col("finding") == finding).to_dicts()
    return row


BY_DEVLAKE = {
    "pipeline1": [None],
    "pipeline2": [None],
    "pipeline4": ["pr1", "pr2", "pr3"],
    "pipeline5": [None],
    "pipeline7": [None],
    "pipeline10": [None],
}


def test_changes_are_in_the_deployments_that_devlake_computed(export):
    log = read_devlake(export)
    assert dict(log.events.collect_schema()) == SCHEMA
    assert log.about["changes"] == "metrics"
    assert carried(log) == BY_DEVLAKE


def test_the_commits_between_deployments_say_the_same(export):
    assert carried(read_devlake(export, changes="commits-diffs")) == BY_DEVLAKE
    (export / "project_pr_metrics.csv").unlink()
    log = read_devlake(export)
    assert log.about["changes"] == "commits-diffs"
    assert carried(log) == BY_DEVLAKE


def test_coding_time_is_devlakes(export):
    # DevLake rounds up to whole minutes, and gives none where the commit is younger than the pull request (pr2).
    log = read_devlake(export)
    opened = {row["change"]: row["time"] for row in rows(log, "change.created")}
    first = {row["change"]: row["time"] for row in rows(log, "change.committed")}
    minutes = {id: -((first[id] - opened[id]) // timedelta(minutes=1)) for id in ("pr1", "pr3", "pr4")}
    assert minutes == {"pr1": 1440, "pr3": 5883, "pr4": 11704}
    assert first["pr2"] > opened["pr2"]
    (export / "pull_request_commits.csv").unlink()
    log = read_devlake(export)
    near = {row["change"]: row["time"] for row in rows(log, "change.committed")}
    assert all(abs(near[id] - first[id]) < timedelta(minutes=1) for id in ("pr1", "pr3", "pr4"))
    assert said(log, "missing table")["id"] == "pull_request_commits"
    assert said(log, "first commit not known")["what"].startswith("3 pull requests")  # pr2, pr5, pr6


def test_a_deployment_of_several_commits_is_one(export):
    log = read_devlake(export)
    found = {row["subject"]: row for row in rows(log, "service.deployed")}
    # pipeline7: commit 11 failed and 12 succeeded, at its start and 60 seconds.
    assert found["pipeline7"]["outcome"] == "success"
    assert found["pipeline7"]["time"] == datetime(2023, 4, 13, 7, 56, 1, tzinfo=UTC)
    assert said(log, "partly failed")["id"] == "pipeline7"
    # pipeline1: the latest end of its two.
    assert found["pipeline1"]["time"] == datetime(2023, 4, 10, 6, 54, 51, tzinfo=UTC)
    assert said(log, "end not known")["what"].startswith("10 deployments")


def test_environments_and_those_without(export):
    log = read_devlake(export)
    where = {row["subject"]: row["environment"] for row in rows(log, "service.deployed")}
    assert (where["pipeline1"], where["pipeline5"], where["pipeline10"]) == ("production", "STAGING", "unnamed")
    assert said(log, "no environment")["what"].startswith("1 deployments")
    bare = [line.replace("PRODUCTION", "").replace("STAGING", "") for line in DEPLOYMENT_COMMITS.splitlines()]
    log = read_devlake(write(export, {"cicd_deployment_commits": "\n".join(bare)}))
    assert {row["environment"] for row in rows(log, "service.deployed")} == {None}


def test_incidents_and_their_deployments(export):
    log = read_devlake(export)
    found = {row["subject"][-2:]: (row["cause"], row["service"]) for row in rows(log, "incident.detected")}
    assert found == {"11": ("pipeline4", "project1"), "12": (None, "project1"), "13": (None, "project2")}
    assert [row["time"] for row in rows(log, "incident.resolved")] == [datetime(2023, 4, 13, 8, 40, tzinfo=UTC)]
    assert said(log, "unknown deployment")["line"] == 2
    assert said(log, "missing time")["id"].endswith("13")
    assert said(log, "attributed by DevLake")["what"].startswith("1 incidents")
    log = read_devlake(export, relationships=False)
    assert {row["cause"] for row in rows(log, "incident.detected")} == {None}


def test_older_tables_of_incidents(export):
    for name in ("incidents", "project_incident_deployment_relationships"):
        (export / f"{name}.csv").unlink()
    issues = "id,type,status,created_date,resolution_date\ni1,INCIDENT,DONE,2023-04-13 07:40:00,2023-04-13 09:00:00\n"
    tables = {
        "issues": issues + "i2,BUG,TODO,2023-04-13 07:41:00,NULL\n",
        "project_issue_metrics": "id,project_name,deployment_id\ni1,project1,pipeline4\n",
        "board_issues": "board_id,issue_id\nboard1,i1\n",
    }
    log = read_devlake(write(export, tables))
    (found,) = rows(log, "incident.detected")
    assert (found["subject"], found["cause"], found["service"]) == ("i1", "pipeline4", "project1")
    assert said(log, "not used")["what"] == "1 issues are no incidents"


def test_a_deployment_remedies_the_incident_of_its_change(export):
    incidents = INCIDENTS.replace("2023-04-13 07:40:00,2023-04-13 08:40:00,2023", "2023-04-12 07:40:00,,2023")
    links = "pull_request_id,issue_id\npr2,github:GithubIssue:1:11\npr1,github:GithubIssue:1:12\n"
    log = read_devlake(write(export, {"incidents": incidents, "pull_request_issues": links}))
    causes = {row["subject"]: row["cause"] for row in rows(log, "service.deployed")}
    # pr1 is linked to the incident of the 13th, 8:00, which began after pipeline4 was out.
    assert {id: cause for id, cause in causes.items() if cause} == {"pipeline4": "github:GithubIssue:1:11"}


def test_one_project(export):
    log = read_devlake(export, project="project2")
    assert set(carried(log)) == {"pipeline10"}
    assert not rows(log, "change.created")
    assert set(log.events.collect()["service"]) == {"project2"}
    with pytest.raises(InputError, match="project1, project2"):
        read_devlake(export, project="project9")


def test_a_scope_of_several_projects(export):
    log = read_devlake(write(export, {"project_mapping": MAPPING + "project0,cicd_scopes,cicd1\n"}))
    assert {row["service"] for row in rows(log, "service.deployed")} == {"project0", "project1", "project2"}
    assert "several projects" in set(log.findings["finding"])
    assert set(read_devlake(export, service="s").events.collect()["service"]) == {"s"}


def test_pipelines(export):
    found = {row["subject"]: row["outcome"] for row in rows(read_devlake(export), "pipelinerun.finished")}
    assert found == {"pipeline1": "success", "pipeline2": "failure"}


def test_without_its_tables_the_rules_match(tmp_path):
    # repo1 is deployed twice, then its first commit again: a rollback of the second.
    commits = (
        "id,cicd_deployment_id,cicd_scope_id,result,environment,created_date,finished_date,commit_sha,repo_id\n"
        "d1,d1,s,SUCCESS,PRODUCTION,2024-01-02 10:00:00,2024-01-02 10:10:00,m1,repo1\n"
        "d2,d2,s,SUCCESS,PRODUCTION,2024-01-03 10:00:00,2024-01-03 10:10:00,x,repo1\n"
        "d3,d3,s,SUCCESS,PRODUCTION,2024-01-04 10:00:00,2024-01-04 10:10:00,m1,repo1\n"
        "d4,d4,s,ABORT,PRODUCTION,2024-01-05 10:00:00,2024-01-05 10:10:00,m1,repo1\n"
    )
    pulls = (
        "id,base_repo_id,status,created_date,merged_date,merge_commit_sha,base_ref\n"
        "p1,repo1,MERGED,2024-01-01 10:00:00,2024-01-02 09:00:00,m1,main\n"
        "p2,repo1,MERGED,2024-01-01 10:00:00,2024-01-03 09:00:00,m2,main\n"
        "p3,repo1,MERGED,2024-01-01 10:00:00,2024-01-03 10:05:00,m3,main\n"
    )
    folder = write(tmp_path, {"cicd_deployment_commits": commits, "pull_requests": pulls})
    log = read_devlake(folder)
    assert log.about["changes"] == "merged-between"
    assert carried(log) == {"d1": ["p1"], "d2": ["p2"]}
    assert [(row["subject"], row["cause"]) for row in rows(log, "service.rolledback")] == [("rollback d3", "d2")]
    assert said(log, "unfinished deployment")["what"] == "1 deployments have the result 'ABORT'"
    missing = set(log.findings.filter(pl.col("finding") == "missing table")["id"])
    assert missing == {"pull_request_commits", "project_mapping", "incidents"}
    assert set(log.events.collect()["service"]) == {None}
    assert carried(read_devlake(folder, changes="sha")) == {"d1": ["p1"], "d2": [None]}


def test_deployments_without_commits(tmp_path):
    text = "id,result,environment,finished_date\nd1,SUCCESS,PRODUCTION,2024-01-02 10:10:00\n"
    log = read_devlake(write(tmp_path, {"cicd_deployments": text}))
    assert carried(log) == {"d1": [None]}
    assert "cicd_deployment_commits" in set(log.findings["id"])


def test_sqlite_and_parquet_read_alike(tmp_path, export):
    expected = read_devlake(export, name="x").events.collect()
    database, folder = tmp_path / "lake.db", tmp_path / "parquet"
    folder.mkdir()
    with sqlite3.connect(database) as connection:
        for table, text in story().items():
            header, *body = csv.reader(text.splitlines())
            names = ", ".join(f'"{name}" TEXT' for name in header)
            connection.execute(f'CREATE TABLE "{table}" ({names})')
            marks = ", ".join("?" * len(header))
            connection.executemany(f'INSERT INTO "{table}" VALUES ({marks})', [[c or None for c in r] for r in body])
            frame = pl.read_csv(export / f"{table}.csv", infer_schema=False)
            if table == "incidents":
                frame = frame.with_columns(pl.col("created_date").str.to_datetime("%Y-%m-%d %H:%M:%S"))
            frame.write_parquet(folder / f"_lake.{table}.parquet")
    connection.close()
    assert read_devlake(database, name="x").events.collect().equals(expected)
    assert read_devlake(folder, name="x").events.collect().equals(expected)
    assert looks_like_devlake(database)
    assert looks_like_devlake(folder)


def test_zone_of_the_tables(export):
    log = read_devlake(export, zone="Asia/Shanghai")
    created = {row["change"]: row["time"] for row in rows(log, "change.created")}
    assert created["pr1"] == datetime(2023, 4, 10, 20, 51, 47, tzinfo=UTC)
    # What names its zone keeps it.
    assert rows(log, "service.deployed")[0]["time"] == datetime(2023, 4, 10, 6, 54, 51, tzinfo=UTC)


def test_cells_that_cannot_be_read(export):
    text = PULL_REQUESTS.replace("2023-4-11 4:51:47", "soon").replace("2023-4-12 4:51:47", "0000-00-00 00:00:00")
    log = read_devlake(write(export, {"pull_requests": text}))
    assert (said(log, "unreadable time")["line"], said(log, "unreadable time")["source"]) == (1, "pull_requests.csv")
    assert len(rows(log, "change.created")) == 4
    text = DEPLOYMENT_COMMITS.replace(",60,pipeline10", ",soon,pipeline10")
    log = read_devlake(write(export, {"cicd_deployment_commits": text}))
    assert said(log, "unreadable number")["line"] == 10


def test_what_is_no_devlake(tmp_path, export):
    with pytest.raises(InputError, match="no such file"):
        read_devlake(tmp_path / "nowhere")
    bare = write(tmp_path / "bare", {"issues": "id,type,created_date\n"})
    assert not looks_like_devlake(bare)
    with pytest.raises(InputError, match="none of the tables"):
        read_devlake(bare)
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    assert not looks_like_devlake(text)
    write(export, {"pull_requests": "id,title\n1,x\n"})
    with pytest.raises(InputError, match="missing created_date"):
        read_devlake(export)
    write(export, {"pull_requests": 'id,created_date\n1,"x\n2,y,z,w\n'})
    with pytest.raises(InputError, match=r"pull_requests\.csv"):
        read_devlake(export)
    with pytest.raises(InputError, match="changes"):
        read_devlake(export, changes="guess")


def sort(log) -> pl.DataFrame:
    return log.events.sort("source", "id", "change").collect()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_order_and_repeats_of_rows_change_nothing(tmp_path_factory, data):
    rule = data.draw(st.sampled_from(["metrics", "commits-diffs", "merged-between"]))
    expected = sort(read_devlake(write(tmp_path_factory.mktemp("base"), story()), name="x", changes=rule))
    tables = {}
    for name, text in story().items():
        header, *body = text.splitlines()
        shuffled = data.draw(st.permutations(body))
        repeated = [*shuffled, *data.draw(st.lists(st.sampled_from(shuffled), max_size=2))]
        tables[name] = "\n".join([header, *repeated])
    assert sort(read_devlake(write(tmp_path_factory.mktemp("other"), tables), name="x", changes=rule)).equals(expected)
