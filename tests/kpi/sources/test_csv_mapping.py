"""Tables of events: any CSV or Parquet by a mapping, and event tables without one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analysis.base.errors import InputError
from analysis.kpi.checks import check_log
from analysis.kpi.events import SCHEMA, EventLog, build_events
from analysis.kpi.sources.csv_mapping import read_table
from analysis.kpi.sources.mapping import build_mapping, load_mapping
from analysis.kpi.sources.times import TimeProblem, load_zone, parse_time

NOW = datetime(2027, 1, 1, tzinfo=UTC)

MAPPING = """
name: shop
source: jenkins
zone: Europe/Berlin
events:
  - type: service.deployed
    where: {result: [SUCCESS, FAILED]}
    time: finished_at
    subject: {column: build, prefix: "build-"}
    change: {column: shas, split: " "}
    outcome: {column: result, values: {SUCCESS: success, FAILED: failure}}
    environment: {constant: production}
    service: {constant: shop}
  - type: step.done
    where: {result: [SUCCESS, FAILED]}
    time: {column: approved_at, optional: true}
    subject: {constant: approval}
    value: waited_h
"""
CSV = """build,finished_at,result,shas,approved_at,waited_h
1,2026-03-02 10:00,SUCCESS,a1 b2,2026-03-02T09:30:00+01:00,1.5
2,2026-03-03 10:00,FAILED,,,
3,2026-03-04 10:00,ABORTED,c3,,
4,2026-07-01T10:00:00,SUCCESS,c3,,
"""


def write(folder: Path, content: str, mapping: str = "", name: str = "log.csv") -> dict:
    (folder / name).write_text(content, encoding="utf-8")
    if not mapping:
        return {"path": folder / name}
    (folder / "map.yaml").write_text(mapping, encoding="utf-8")
    return {"path": folder / name, "mapping": folder / "map.yaml"}


def told(log: EventLog) -> list[tuple]:
    return log.findings.select("line", "finding", "treatment").rows()


def test_one_line_gives_the_events_that_the_mapping_says(tmp_path):
    log = read_table(**write(tmp_path, CSV, MAPPING))
    # Berlin is one hour ahead of UTC in March and two in July; the time of approval names its zone.
    assert log.events.select("time", "type", "subject", "change", "outcome", "value").collect().rows() == [
        (datetime(2026, 3, 2, 9, tzinfo=UTC), "service.deployed", "build-1", "a1", "success", None),
        (datetime(2026, 3, 2, 9, tzinfo=UTC), "service.deployed", "build-1", "b2", "success", None),
        (datetime(2026, 3, 2, 8, 30, tzinfo=UTC), "step.done", "approval", None, None, 1.5),
        (datetime(2026, 3, 3, 9, tzinfo=UTC), "service.deployed", "build-2", None, "failure", None),
        (datetime(2026, 7, 1, 8, tzinfo=UTC), "service.deployed", "build-4", "c3", "success", None),
    ]
    assert log.events.collect_schema() == SCHEMA
    assert set(log.events.collect()["source"]) == {"jenkins"} and log.name == "shop"
    assert told(log) == [(4, "not used", "left out")]


def test_checks_name_the_line_of_the_file(tmp_path):
    twice = CSV + CSV.splitlines()[1] + "\n"
    log = check_log(read_table(**write(tmp_path, twice, MAPPING)), now=NOW)
    assert (3, "deployment without changes", "kept") in told(log)
    assert (6, "duplicate id", "merged") in told(log)
    assert any("line 2" in what for what in log.findings["what"])


def test_lines_of_one_deployment_are_one_event(tmp_path):
    mapping = "events: [{type: service.deployed, time: at, subject: deployment, change: sha}]"
    content = "deployment,at,sha\nd1,2026-03-02T10:00:00Z,a\nd1,2026-03-02T10:00:00Z,b\n"
    events = read_table(**write(tmp_path, content, mapping)).events.collect()
    assert events["change"].to_list() == ["a", "b"]
    assert events["id"].n_unique() == 1


def test_quoted_cells_and_line_feeds_in_them_keep_the_lines(tmp_path):
    mapping = 'separator: ";"\nevents: [{type: change.merged, time: at, subject: id, change: id}]'
    content = 'id;at;text\n"a;1";2026-03-02T10:00:00Z;"two\nlines"\n\nb;2026-03-02;x\n'
    log = read_table(**write(tmp_path, content, mapping))
    assert log.events.collect()["subject"].to_list() == ["a;1"]
    assert told(log) == [(5, "missing zone", "left out")]


@pytest.mark.parametrize(
    ("cell", "finding", "words"),
    [
        ("2026-03-02T10:00:00", "missing zone", "has no zone"),
        ("2026-03-02", "missing zone", "has no zone"),
        ("yesterday", "unreadable time", "'yesterday' is not a time"),
        ("", "missing time", "column 'at' is empty"),
    ],
)
def test_times_that_cannot_be_taken_are_said_with_line_and_remedy(tmp_path, cell, finding, words):
    mapping = "events: [{type: change.merged, time: at, subject: id}]"
    log = read_table(**write(tmp_path, f"id,at\na,2026-03-02T10:00:00Z\nb,{cell}\n", mapping))
    assert told(log) == [(3, finding, "left out")]
    found = log.findings.row(0, named=True)
    assert words in found["what"] and found["remedy"] and found["id"] == "b"


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("1772445600", "unix_s"),
        ("1772445600000", "unix_ms"),
        ("1772445600000000", "unix_us"),
        ("2.3.2026 10 Uhr +0000", "%d.%m.%Y %H Uhr %z"),
        ("2026-03-02t10:00:00z", "iso"),
        ("2026-03-02T10:00:00.000000123Z", "iso"),
    ],
)
def test_forms_of_times(cell, form):
    assert parse_time(cell, form) == datetime(2026, 3, 2, 10, tzinfo=UTC)


def test_clocks_that_are_put_forward_and_back():
    berlin = load_zone("Europe/Berlin")
    with pytest.raises(TimeProblem, match="never was in Europe/Berlin"):
        parse_time("2026-03-29T02:30:00", zone=berlin)
    assert parse_time("2026-10-25T02:30:00", zone=berlin) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert parse_time(date(2026, 3, 2), zone=berlin) == datetime(2026, 3, 1, 23, tzinfo=UTC)


def test_values_that_the_mapping_lacks_are_said(tmp_path):
    mapping = """
    events:
      - type: {column: what, values: {merged: change.merged, noise: null}}
        time: at
        subject: id
        outcome: {column: how, values: {ok: success}}
        environment: {column: env, values: {live: production}}
    """
    content = "id,at,what,how,env\n" + "".join(
        f"{i},2026-03-02T10:00:00Z,{what},{how},{env}\n"
        for i, (what, how, env) in enumerate(
            [("merged", "ok", "live"), ("merged", "odd", "dev"), ("x", "", ""), ("noise", "", "")]
        )
    )
    log = read_table(**write(tmp_path, content, mapping))
    assert log.events.select("subject", "outcome", "environment").collect().rows() == [
        ("0", "success", "production"),
        ("1", None, "dev"),
    ]
    assert told(log) == [(3, "unknown value", "kept"), (3, "unknown value", "kept"), (4, "unknown type", "left out")]


def test_an_unknown_outcome_and_number_are_said(tmp_path):
    mapping = "events: [{type: training.finished, time: at, subject: id, outcome: how, value: s}]"
    log = read_table(**write(tmp_path, "id,at,how,s\na,2026-03-02T10:00:00Z,great,1 h\n", mapping))
    assert log.events.select("outcome", "value").collect().row(0) == (None, None)
    assert {item[1] for item in told(log)} == {"unknown outcome", "unknown value"}


# ---- damage ----------------------------------------------------------------------------------

PLAIN = "events: [{type: change.merged, time: at, subject: id}]"


def test_lines_with_too_many_or_too_few_cells_are_left_out(tmp_path):
    content = "id,at\na,2026-03-02T10:00:00Z\nb,2026-03-02T10:00:00Z,x\nc,2026-03-02T10:00:00Z\nd"
    log = read_table(**write(tmp_path, content, PLAIN))
    assert told(log) == [(3, "wrong number of cells", "left out"), (5, "cut short", "left out")]
    assert log.events.collect()["subject"].to_list() == ["a", "c"]


def test_an_open_quotation_mark_is_said(tmp_path):
    log = read_table(**write(tmp_path, 'id,at\na,2026-03-02T10:00:00Z\n"b,2026-03-02\nc,x\n', PLAIN))
    assert told(log) == [(3, "not CSV", "left out")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it has not even a header"),
        (b"id,at\n", "it has no rows"),
        (b"id,at\n\xe9,2026-03-02T10:00:00Z\n", "log.csv:2: byte 0xe9 is not utf-8"),
        (b"id;at;x\na;b;c\n", "it is 'id;at;x'"),
        (b"id,id\na,b\n", "columns of one name"),
        (b"id,when\na,b\n", "no column 'at'"),
        (b"id,at\na,never\n", "'never' is not a time"),
    ],
)
def test_files_that_hold_nothing_are_errors_with_a_remedy(tmp_path, content, words):
    paths = write(tmp_path, "", PLAIN)
    paths["path"].write_bytes(content)
    with pytest.raises(InputError) as error:
        read_table(**paths)
    assert words in str(error.value) and all(problem.remedy for problem in error.value.problems)


def test_another_encoding_may_be_said(tmp_path):
    paths = write(tmp_path, "", f"encoding: latin-1\n{PLAIN}")
    paths["path"].write_bytes(b"id,at\n\xe9,2026-03-02T10:00:00Z\n")
    assert read_table(**paths).events.collect()["subject"].to_list() == ["é"]


def test_a_mapping_is_checked_whole():
    content = yaml.safe_load("""
    zone: Mars
    colour: red
    time_format: whenever
    separator: ";;"
    events:
      - {type: service.deploy, time: {column: at, zone: Moon}, subject: {prefix: x}}
      - {time: {constant: now}, subject: id, change: {column: c, optional: true}, shape: round}
      - {type: change.merged, time: at, subject: id, outcome: {column: o, values: {a: well}}}
    """)
    with pytest.raises(InputError) as error:
        build_mapping(content, "map.yaml")
    said = " | ".join(str(problem) for problem in error.value.problems)
    for words in (
        "map.yaml, 'colour'",
        "got 'Mars'",
        "got 'whenever'",
        "got ';;'",
        "'service.deploy' is no type",
        "got 'Moon'",
        "neither column nor constant",
        "it has no 'type'",
        "a time that is the same for all",
        "'shape'",
        "only a time has it",
        "'well' is no outcome",
    ):
        assert words in said, words


@pytest.mark.parametrize(
    ("content", "words"), [("events: []", "no list 'events'"), ("a: [", "map.yaml:1"), ("- 1", "no list 'events'")]
)
def test_what_is_no_mapping_is_refused(tmp_path, content, words):
    (tmp_path / "map.yaml").write_text(content)
    with pytest.raises(InputError) as error:
        load_mapping(tmp_path / "map.yaml")
    assert words in str(error.value)


# ---- Parquet, and our own table --------------------------------------------------------------

OWN = build_events(
    [
        {"source": "s", "id": "1", "time": datetime(2026, 3, 2, 10, tzinfo=UTC), "type": "change.merged"}
        | {"subject": "c", "change": "c"},
        {
            "source": "s",
            "id": "2",
            "time": datetime(2026, 3, 2, 12, 0, 0, 7, tzinfo=UTC),
            "type": "observation.recorded",
        }
        | {"subject": "w", "value": 0.25, "target": 1 / 3, "outcome": "failure"},
    ]
)


def test_parquet_with_a_mapping_takes_typed_columns(tmp_path):
    frame = pl.DataFrame(
        {
            "build": [1.0, 2.0],
            "finished_at": [datetime(2026, 3, 2, 10), datetime(2026, 7, 2, 10)],
            "result": ["SUCCESS", "FAILED"],
            "shas": [["a", "b"], []],
            "approved_at": [None, datetime(2026, 3, 2, 9)],
            "waited_h": [None, 2],
        }
    )
    frame.write_parquet(tmp_path / "log.parquet")
    log = read_table(tmp_path / "log.parquet", write(tmp_path, "", MAPPING)["mapping"])
    assert log.events.select("time", "subject", "change", "value").collect().rows() == [
        (datetime(2026, 3, 2, 9, tzinfo=UTC), "build-1", "a", None),
        (datetime(2026, 3, 2, 9, tzinfo=UTC), "build-1", "b", None),
        (datetime(2026, 7, 2, 8, tzinfo=UTC), "build-2", None, None),
        (datetime(2026, 3, 2, 8, tzinfo=UTC), "approval", None, 2.0),
    ]
    assert told(log) == []


def test_an_event_table_in_parquet_stays_lazy(tmp_path):
    OWN.with_columns(pl.col("time").dt.convert_time_zone("Asia/Tokyo"), service=pl.lit("")).write_parquet(
        tmp_path / "log.parquet"
    )
    log = read_table(tmp_path / "log.parquet")
    assert isinstance(log.events, pl.LazyFrame)
    assert_frame_equal(log.events.collect(), OWN)
    assert log.lines is None and log.name == "log"


def test_an_event_table_in_parquet_may_lack_what_may_be_empty(tmp_path):
    OWN.select("id", "time", "type", "subject").write_parquet(tmp_path / "log.parquet")
    log = read_table(tmp_path / "log.parquet")
    assert log.events.collect()["source"].to_list() == ["log", "log"]


def test_naive_times_in_parquet_need_a_zone(tmp_path):
    OWN.with_columns(pl.col("time").dt.replace_time_zone(None)).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(InputError, match="its times have no zone"):
        read_table(tmp_path / "log.parquet")
    log = read_table(tmp_path / "log.parquet", zone="Europe/Berlin")
    assert log.events.collect()["time"][0] == OWN["time"][0] - timedelta(hours=1)


def test_rows_of_parquet_are_named_from_one(tmp_path):
    OWN.with_columns(type=pl.Series(["change.merged", "coffee"])).write_parquet(tmp_path / "log.parquet")
    log = check_log(read_table(tmp_path / "log.parquet"), now=NOW)
    assert told(log) == [(2, "unknown type", "left out")]


def test_an_event_table_in_csv_needs_no_mapping(tmp_path):
    OWN.with_columns(pl.col("time").dt.to_string("iso:strict")).write_csv(tmp_path / "log.csv")
    log = read_table(tmp_path / "log.csv")
    assert_frame_equal(log.events.collect(), OWN)
    assert told(log) == []


def test_a_table_that_is_none_of_ours_asks_for_a_mapping(tmp_path):
    with pytest.raises(InputError) as error:
        read_table(**write(tmp_path, "build,at\n1,2\n"))
    said = str(error.value)
    assert "no column 'id'" in said and "column 'build'" in said and "give a mapping" in said


@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_files_that_are_not_what_they_say(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\x01\xff")
    with pytest.raises(InputError):
        read_table(tmp_path / name)
    with pytest.raises(InputError, match="does not exist"):
        read_table(tmp_path / f"no-{name}")


# ---- however it was delivered ----------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(st.permutations(CSV.splitlines()[1:]), st.sets(st.integers(0, 3)))
def test_order_and_repetition_of_lines_change_nothing(tmp_path_factory, order, again):
    folder = tmp_path_factory.mktemp("table")
    whole = check_log(read_table(**write(folder, CSV, MAPPING)), now=NOW)
    lines = [CSV.splitlines()[0], *order, *(CSV.splitlines()[1 + i] for i in again)]
    other = check_log(read_table(**write(folder, "\n".join(lines), MAPPING)), now=NOW)
    columns = ["id", "change"]
    assert_frame_equal(
        other.events.with_columns(source=pl.lit("")).sort(columns).collect(),
        whole.events.with_columns(source=pl.lit("")).sort(columns).collect(),
    )
