"""What lies at a path is recognised by what it holds."""

from __future__ import annotations

import gzip
import json
import subprocess
from datetime import UTC, datetime

import polars as pl
import pytest

from analysis.base.errors import InputError
from analysis.kpi.events import SCHEMA, build_events
from analysis.kpi.sources.open import SOURCES, find_mapping, open_log, recognise

EVENT = {
    "context": {
        "specversion": "0.5.1",
        "id": "1",
        "source": "/ci",
        "type": "dev.cdevents.change.merged.0.3.0",
        "timestamp": "2026-03-02T10:00:00Z",
    },
    "subject": {"id": "c", "content": {}},
}
OWN = build_events(
    [
        {"source": "s", "id": "1", "time": datetime(2026, 3, 2, 10, tzinfo=UTC), "type": "change.merged"}
        | {"subject": "c", "change": "c"}
    ]
)


@pytest.mark.parametrize("name", ["log.jsonl", "log.ndjson", "log.json", "log.jsonl.gz"])
def test_cdevents_logs(tmp_path, name):
    content = json.dumps(EVENT).encode() + b"\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    for path in (tmp_path / name, tmp_path, str(tmp_path)):
        log = open_log(path)
        assert log.about["kind"] == "cdevents"
        assert log.events.collect()["subject"].to_list() == ["c"]


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_event_tables(tmp_path, name):
    if name.endswith(".csv"):
        OWN.with_columns(pl.col("time").dt.to_string("iso:strict")).write_csv(tmp_path / name)
    else:
        OWN.write_parquet(tmp_path / name)
    assert open_log(tmp_path / name).events.collect().rows() == OWN.rows()


def test_a_mapping_beside_a_table_is_used(tmp_path):
    (tmp_path / "ci.csv").write_text("n,at\n7,2026-03-02T10:00:00Z\n")
    mapping = tmp_path / "ci.mapping.yaml"
    mapping.write_text("events: [{type: change.merged, time: at, subject: n, change: n}]")
    assert find_mapping(tmp_path / "ci.csv") == mapping
    assert open_log(tmp_path / "ci.csv").events.collect()["change"].to_list() == ["7"]
    other = tmp_path / "other.yaml"
    other.write_text("events: [{type: change.created, time: at, subject: n}]")
    assert open_log(tmp_path / "ci.csv", mapping=other).events.collect()["type"].to_list() == ["change.created"]


def test_a_repository(tmp_path):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "one")
    git("tag", "v1.0.0")
    assert recognise(tmp_path) == "git"
    log = open_log(tmp_path)
    assert log.events.collect_schema() == SCHEMA
    assert "service.deployed" in set(log.events.collect()["type"])


@pytest.mark.parametrize(
    ("kind", "name", "record"),
    [
        ("github", "pulls.json", {"number": 1, "created_at": "2026-03-02T10:00:00Z", "merged_at": None}),
        ("gitlab", "merge_requests.json", {"iid": 1, "id": 5, "merged_at": None, "target_branch": "main"}),
    ],
)
def test_exports_of_forges(tmp_path, kind, name, record):
    (tmp_path / name).write_text(json.dumps([record]))
    assert recognise(tmp_path) == kind


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "gone", "does not exist"),
        (lambda p: p, "an empty folder"),
        (lambda p: _touch(p / "log.txt"), "a file ending in '.txt'"),
        (lambda p: _touch(p / "log"), "a file without a suffix"),
        (lambda p: _touch(p / "log.txt").parent, "a folder of 1 files"),
        (lambda p: _touch(p / "runs/a/events.jsonl").parents[2], "are read one by one"),
        (lambda p: _touch(p / "data.json", '{"alpha": 1}'), "its first object has alpha"),
        (lambda p: _touch(p / "log.jsonl"), "it holds no events"),
    ],
)
def test_what_is_not_known_is_refused_with_what_was_found(tmp_path, make, words):
    with pytest.raises(InputError) as error:
        open_log(make(tmp_path))
    assert words in str(error.value)
    assert all(problem.remedy for problem in error.value.problems)


def _touch(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_options_that_a_source_does_not_have_are_refused(tmp_path):
    path = _touch(tmp_path / "log.jsonl", json.dumps(EVENT))
    with pytest.raises(InputError) as error:
        open_log(path, mapping="x.yaml", zon="UTC")
    assert [problem.where for problem in error.value.problems] == ["option 'mapping'", "option 'zon'"]
    assert "zone" in error.value.problems[0].remedy


def test_the_kind_may_be_said_and_must_be_one(tmp_path):
    path = _touch(tmp_path / "log.json", json.dumps({"a": 1}))
    with pytest.raises(InputError, match="holds no event"):
        open_log(path, kind="cdevents")
    with pytest.raises(InputError, match="no such kind"):
        open_log(path, kind="jenkins")
    assert set(SOURCES) == {"git", "github", "gitlab", "devlake", "cdevents", "table"}
