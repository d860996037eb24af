"""DevLake's definitions on DevLake's tables: the metrics of the rule set against the dashboard's own kind of SQL.

The queries follow ``grafana/dashboards/DORA.json`` of apache/incubator-devlake: a deployment is one
``cicd_deployment_id`` with a successful commit in production, at the latest of their ends; it failed if an incident is
related to it; recovery runs from its end to the incident's resolution; the median is the largest value whose
``percent_rank`` is at most one half. Relations are made as ``incident_deploy_connector.go`` makes them: an incident
belongs to the latest such deployment that had ended before the incident was created.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from analysis.kpi.checks import check_log
from analysis.kpi.dora import compute_dora
from analysis.kpi.facts import compute_lead_times
from analysis.kpi.rules import DEVLAKE, FAIL, RECOVERY
from analysis.kpi.sources.devlake import read_devlake
from tests.kpi.sources.test_devlake import story, write

_DEPLOYED = """
WITH deployed AS (
    SELECT cicd_deployment_id AS id, max(finished_date) AS finished FROM cicd_deployment_commits
    WHERE result = 'SUCCESS' AND environment = 'PRODUCTION' GROUP BY cicd_deployment_id
)
"""
FAIL_RATE = f"""{_DEPLOYED},
failed AS (
    SELECT deployed.id, max(related.id IS NOT NULL) AS has_incident FROM deployed
    LEFT JOIN project_incident_deployment_relationships AS related ON related.deployment_id = deployed.id
    GROUP BY deployed.id
)
SELECT count(*), 1.0 * sum(has_incident) / count(*) FROM failed
"""
MEDIAN_RECOVERY = f"""{_DEPLOYED},
recovered AS (
    SELECT CAST((julianday(incidents.resolution_date) - julianday(deployed.finished)) * 1440 + 0.001 AS INTEGER) AS took
    FROM incidents JOIN project_incident_deployment_relationships AS related ON related.id = incidents.id
    JOIN deployed ON deployed.id = related.deployment_id WHERE incidents.resolution_date IS NOT NULL
),
ranked AS (SELECT took, percent_rank() OVER (ORDER BY took) AS rank FROM recovered)
SELECT count(*), (SELECT max(took) FROM ranked WHERE rank <= 0.5) / 60.0 FROM ranked
"""
START = datetime(2026, 1, 5)


def say(time: datetime | None) -> str:
    return "" if time is None else time.isoformat(sep=" ", timespec="seconds")


def make_tables(seed: int) -> dict[str, list[dict[str, str]]]:
    """Forty deployments, some failed, elsewhere or of two commits, and incidents that know no environment."""
    random = np.random.default_rng(seed)
    commits, ends = [], {}
    for number in range(40):
        end = START + timedelta(minutes=int(random.integers(0, 80_000)))
        result = "FAILURE" if random.random() < 0.2 else "SUCCESS"
        place = "STAGING" if random.random() < 0.3 else "PRODUCTION"
        for part in range(1 + int(random.random() < 0.3)):
            finished = end + timedelta(minutes=3 * part)
            commits.append(
                {
                    "id": f"commit{number}.{part}",
                    "cicd_deployment_id": f"deployment{number}",
                    "result": result,
                    "environment": place,
                    "commit_sha": f"{number:x}{part}",
                    "created_date": say(end - timedelta(minutes=5)),
                    "finished_date": say(finished),
                }
            )
            if (result, place) == ("SUCCESS", "PRODUCTION"):
                ends[f"deployment{number}"] = finished
    incidents, related = [], []
    for number in range(25):
        created = START + timedelta(seconds=int(random.integers(100_000, 5_000_000)))
        took = timedelta(seconds=int(random.integers(60, 400_000)))
        resolved = created + took if random.random() < 0.8 else None
        incidents.append({"id": f"i{number}", "created_date": say(created), "resolution_date": say(resolved)})
        before = [(end, name) for name, end in ends.items() if end < created]
        if before:
            related.append({"id": f"i{number}", "project_name": "shop", "deployment_id": max(before)[1]})
    return {
        "cicd_deployment_commits": commits,
        "incidents": incidents,
        "project_incident_deployment_relationships": related,
    }


def ask(tables: dict[str, list[dict[str, str]]], query: str) -> tuple[int, float]:
    with closing(sqlite3.connect(":memory:")) as database:
        for name, rows in tables.items():
            columns = list(rows[0])
            database.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
            values = [[row[column] or None for column in columns] for row in rows]
            database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", values)
        return database.execute(query).fetchone()


@pytest.mark.parametrize("seed", range(4))
def test_fail_rate_and_recovery_are_those_of_the_dashboard(tmp_path, seed):
    tables = make_tables(seed)
    csv = {
        name: "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"
        for name, rows in tables.items()
    }
    found = compute_dora(check_log(read_devlake(write(tmp_path, csv))), DEVLAKE, quantiles=()).set_index("metric")
    assert (found.loc[FAIL, "n"], found.loc[FAIL, "value"]) == pytest.approx(ask(tables, FAIL_RATE))
    assert (found.loc[RECOVERY, "n"], found.loc[RECOVERY, "value"]) == pytest.approx(ask(tables, MEDIAN_RECOVERY))
    assert 0 < found.loc[FAIL, "value"] < 1


def test_lead_times_are_the_cycle_times_of_its_own_test(tmp_path: Path):
    # pr_cycle_time of backend/plugins/dora/e2e/change_lead_time: pr1 4478, pr2 1598, pr3 10203 minutes. There the clock
    # stops with the commit of the change's own repository; here with the deployment, whose other repository took 80 s
    # more: 4479 and 1599. pr3 was merged after it, a stage of negative length.
    log = check_log(read_devlake(write(tmp_path, story())))
    found = compute_lead_times(log, DEVLAKE).select("change", (pl.col("lead_h") * 60).round(6)).sort("change").collect()
    assert found.rows() == [("pr1", 4479.0), ("pr2", 1599.0), ("pr3", 10203.0)]
    alone = story() | {"cicd_deployment_commits": story()["cicd_deployment_commits"].replace("6,SUCCESS", "6,FAILURE")}
    alone["project_pr_metrics"] = alone["project_pr_metrics"].replace(",5760,6,,10203", ",5760,,,10203")
    log = check_log(read_devlake(write(tmp_path / "alone", alone)))
    found = compute_lead_times(log, DEVLAKE).select("change", (pl.col("lead_h") * 60).round(6)).sort("change").collect()
    assert found.rows() == [("pr1", 4478.0), ("pr2", 1598.0)]
