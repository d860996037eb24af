"""Four Keys' definitions: the metrics of the rule set against the tool's own kind of SQL, on logs drawn at random.

The queries follow ``queries/*.sql`` and ``dashboard/fourkeys_dashboard.json`` of dora-team/fourkeys at 6cc642e. Its
tables are filled as its views fill them: a deployment carries commits, an incident names the commit at its root and
begins with the deployment that carried it, if that was earlier. SQLite has no PERCENTILE_CONT; NumPy's median is it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from analysis.kpi.dora import compute_dora
from analysis.kpi.rules import FAIL, FOUR_KEYS, FREQUENCY, LEAD, MTTR
from tests.kpi.worked import T0, at, log_of, row

WEEKS = 8

TABLES = """
CREATE TABLE deployments (deploy_id, time_created);
CREATE TABLE deployed_changes (deploy_id, change);
CREATE TABLE changes (change_id, time_created);
CREATE TABLE issues (incident_id, time_created, time_resolved, root_cause);
CREATE VIEW incidents AS
    SELECT incident_id, root_cause AS change, max(time_resolved) AS time_resolved,
        min(CASE WHEN root.time_created < issues.time_created THEN root.time_created ELSE issues.time_created END)
            AS time_created
    FROM issues LEFT JOIN (
        SELECT time_created, change FROM deployments JOIN deployed_changes USING (deploy_id)
    ) AS root ON root.change = root_cause
    GROUP BY incident_id, root_cause;
"""
LEAD_MINUTES = """
SELECT (deployments.time_created - changes.time_created) / 60 AS minutes
FROM deployments JOIN deployed_changes USING (deploy_id) LEFT JOIN changes ON changes.change_id = change
WHERE minutes > 0
"""
FAIL_RATE = """
SELECT 1.0 * sum(CASE WHEN incident_id IS NULL THEN 0 ELSE 1 END) / count(DISTINCT deployments.deploy_id)
FROM deployments JOIN deployed_changes USING (deploy_id)
LEFT JOIN incidents ON incidents.change = deployed_changes.change
"""
RESTORE_HOURS = """
SELECT (time_resolved - time_created) / 3600 FROM incidents WHERE time_resolved IS NOT NULL
"""
DAYS = """
SELECT DISTINCT date(time_created, 'unixepoch') FROM deployments JOIN deployed_changes USING (deploy_id)
"""


def draw_story(seed: int) -> tuple[list[dict], dict[str, list[tuple]]]:
    """Deployments of none to three commits, some of unknown age, and incidents, some open or of unknown cause: as
    events, and as rows of Four Keys' tables. Times in seconds from the start."""
    random = np.random.default_rng(seed)
    events: list[dict] = []
    tables: dict[str, list[tuple]] = {"deployments": [], "deployed_changes": [], "changes": [], "issues": []}
    zero, span = int(T0.timestamp()), WEEKS * 7 * 86_400
    commits = []
    for number in range(30):
        when = int(random.integers(200_000, span - 500_000))
        name = f"d{number}"
        tables["deployments"].append((name, zero + when))
        carried = [f"{name}c{part}" for part in range(random.integers(0, 4))]
        events += [row("service.deployed", when / 3600, name, change=change) for change in carried or [None]]
        for change in carried:
            commits.append(change)
            tables["deployed_changes"].append((name, change))
            if random.random() < 0.9:
                written = when - int(random.choice([20, 3_000, 60_000, 190_000]) * random.uniform(0.5, 1))
                tables["changes"].append((change, zero + written))
                events.append(row("change.committed", written / 3600, change))
    for number in range(12):
        begun = int(random.integers(0, span - 300_000))
        ended = begun + int(random.integers(100, 250_000)) if random.random() < 0.8 else None
        cause = str(random.choice(commits)) if random.random() < 0.8 else None
        tables["issues"].append((f"i{number}", zero + begun, None if ended is None else zero + ended, cause))
        events.append(row("incident.detected", begun / 3600, f"i{number}", cause=cause))
        if ended is not None:
            events.append(row("incident.resolved", ended / 3600, f"i{number}"))
    return events, tables


@pytest.mark.parametrize("seed", range(5))
def test_the_four_metrics_are_those_of_the_queries(seed):
    events, tables = draw_story(seed)
    found = compute_dora(log_of(*events, weeks=WEEKS), FOUR_KEYS, quantiles=()).set_index("metric")["value"]
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(TABLES)
        for name, rows in tables.items():
            database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        minutes, hours = ([value for (value,) in database.execute(query)] for query in (LEAD_MINUTES, RESTORE_HOURS))
        ((rate,),) = database.execute(FAIL_RATE)
        days = sorted(day for (day,) in database.execute(DAYS))
    assert found[LEAD] == pytest.approx(np.median(minutes) / 60)
    assert found[FAIL] == pytest.approx(rate)
    assert found[MTTR] == pytest.approx(np.median(hours))
    # Weeks begin on Sunday: the span from Monday, 5 January, over eight weeks touches nine of them.
    sunday = (np.array(days, "datetime64[D]") - np.datetime64("2026-01-04")).astype(int) // 7
    assert found[FREQUENCY] == np.median(np.bincount(sunday, minlength=9))
    assert at(24 * 7 * WEEKS).isoweekday() == 1
