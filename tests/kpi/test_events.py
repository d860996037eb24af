"""The event table: building, conforming, merging, writing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analysis.base.errors import InputError
from analysis.base.schemas import EVENTS
from analysis.kpi.event_files import count_events, write_events
from analysis.kpi.events import SCHEMA, EventLog, build_events, conform_events, in_production, merge_logs
from analysis.kpi.findings import Finding, build_findings
from analysis.kpi.sources.open import open_log

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(number: int = 1, **more) -> dict:
    first = {"source": "s", "id": f"e{number}", "time": NOON + timedelta(hours=number), "type": "change.merged"}
    return first | {"subject": "c1", "change": "c1"} | more


LOG = EventLog(
    build_events(
        [event(1), event(2, type="service.deployed", subject="d1", value=0.5, cause='i,"1"\nx'), event(3)]
    ).lazy(),
    name="shop",
    begin=NOON,
    end=NOON + timedelta(days=3),
)


def test_schema_is_that_of_the_event_table():
    assert list(SCHEMA) == list(EVENTS.columns)
    assert SCHEMA["time"] == pl.Datetime("us", "UTC")


def test_build_events_fills_what_is_not_named():
    built = build_events([event(service="shop")])
    assert built.schema == SCHEMA
    assert built.row(0, named=True)["service"] == "shop"
    assert built.row(0, named=True)["outcome"] is None


def test_build_events_takes_other_zones_as_moments():
    there = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert build_events([event(time=there)])["time"][0] == NOON


def test_build_events_refuses_unknown_columns_and_naive_times_all_at_once():
    with pytest.raises(InputError) as error:
        build_events([event(colour="red"), event(time=datetime(2026, 3, 1))])
    assert [problem.where for problem in error.value.problems] == ["row 1", "row 2"]
    assert "has no zone" in str(error.value)


def test_conform_converts_what_says_the_same():
    stored = build_events([event()]).with_columns(
        pl.col("time").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ms"),
        pl.col("type").cast(pl.Categorical),
        pl.lit(1).alias("value"),
    )
    got = conform_events(stored.drop("cause").lazy()).collect()
    assert got.schema == SCHEMA
    assert got["time"][0] == NOON + timedelta(hours=1)
    assert got["value"][0] == 1.0


def test_conform_lists_everything_that_cannot_be_converted():
    stored = build_events([event()]).with_columns(pl.col("time").dt.replace_time_zone(None), pl.lit("x").alias("value"))
    with pytest.raises(InputError) as error:
        conform_events(stored.drop("id").with_columns(colour=pl.lit("red")).lazy(), "log.parquet")
    said = {(problem.where, problem.what) for problem in error.value.problems}
    assert said == {
        ("log.parquet, column 'colour'", "no event table has it"),
        ("log.parquet, column 'id'", "it is missing"),
        ("log.parquet, column 'time'", "its times have no zone"),
        ("log.parquet, column 'value'", "expected Float64, got String"),
    }


@pytest.mark.parametrize(
    ("environment", "inside"),
    [("production", True), ("PROD", True), (None, True), ("staging", False), ("prod2", False)],
)
def test_production_is_known_by_name_in_any_case_or_not_named(environment, inside):
    frame = build_events([event(environment=environment)])
    assert frame.select(in_production()).item() is inside


def test_production_may_have_another_name():
    frame = build_events([event(environment="Live")])
    assert frame.select(in_production(["LIVE"])).item() is True


def test_merged_logs_cover_the_span_of_both():
    other = EventLog(
        build_events([event(9)]).lazy(),
        build_findings([Finding("s", 1, "x", "not JSON", "", "left out", "")]),
        "bank",
        NOON - timedelta(days=1),
        NOON,
    )
    merged = merge_logs([LOG, other])
    assert merged.events.collect().height == 4
    assert (merged.begin, merged.end) == (NOON - timedelta(days=1), LOG.end)
    assert merged.findings.height == 1
    assert merged.name == "shop + bank"
    assert merge_logs([LOG, EventLog(LOG.events)]).begin is None


def test_nothing_cannot_be_merged():
    with pytest.raises(InputError, match="nothing to merge"):
        merge_logs([])


@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_what_is_written_is_read_back(tmp_path, name):
    path = write_events(LOG, tmp_path / "new" / name)
    back = open_log(path)
    assert_frame_equal(back.events.collect(), LOG.events.collect())
    assert back.findings.is_empty()
    assert [item.name for item in path.parent.iterdir()] == [name]


def test_parquet_keeps_name_and_span(tmp_path):
    back = open_log(write_events(LOG, tmp_path / "log.parquet"))
    assert (back.name, back.begin, back.end) == ("shop", LOG.begin, LOG.end)


def test_a_failed_write_leaves_what_stood_there(tmp_path):
    path = write_events(LOG, tmp_path / "log.parquet")
    before = path.read_bytes()
    broken = EventLog(pl.scan_parquet(tmp_path / "gone.parquet"))
    with pytest.raises((OSError, pl.exceptions.PolarsError)):
        write_events(broken, path)
    assert path.read_bytes() == before


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"write \.parquet or \.csv"):
        write_events(LOG, tmp_path / "log.xlsx")


def test_events_are_counted_once_whatever_they_carry():
    twice = build_events([event(1), event(1, change="c2"), event(2, type="change.created")])
    assert count_events(EventLog(twice.lazy())).rows() == [("change.created", 1), ("change.merged", 1)]
