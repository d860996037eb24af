"""What an event log cannot be, is said; how it was delivered changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analysis.base.errors import InputError
from analysis.kpi.checks import check_log
from analysis.kpi.events import SCHEMA, EventLog, build_events, merge_logs
from analysis.kpi.findings import count_findings

T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def event(kind: str, subject: str, hour: float, **more) -> dict:
    """One event; its id is made of what it is unless given."""
    named = {"change": subject} if kind.startswith("change.") else {"service": "shop", "environment": "production"}
    made = {"source": "s", "id": f"{kind}:{subject}", "time": T0 + timedelta(hours=hour), "type": kind}
    return made | {"subject": subject} | named | more


GOOD = [
    event("change.committed", "c1", 0),
    event("change.created", "c1", 1),
    event("change.merged", "c1", 2),
    event("change.created", "c2", 1),
    event("change.merged", "c2", 3),
    event("service.deployed", "d1", 4, change="c1"),
    event("service.deployed", "d1", 4, change="c2"),
    event("incident.detected", "i1", 5, cause="d1"),
    event("incident.resolved", "i1", 6),
    event("service.rolledback", "r1", 7, cause="d1"),
    event("training.started", "t1", 8),
    event("training.finished", "t1", 9),
]


def log_of(rows: list[dict]) -> EventLog:
    return EventLog(build_events(rows).lazy(), name="test")


def findings_of(rows: list[dict], **options) -> list[dict]:
    return check_log(log_of(rows), now=NOW, **options).findings.to_dicts()


def sorted_events(log: EventLog) -> pl.DataFrame:
    return log.events.collect().sort(list(SCHEMA), nulls_last=True)


def test_a_good_log_has_no_finding_and_stays_lazy_and_whole():
    checked = check_log(log_of(GOOD), now=NOW)
    assert checked.findings.is_empty()
    assert isinstance(checked.events, pl.LazyFrame)
    assert_frame_equal(checked.events.collect(), build_events(GOOD))


@pytest.mark.parametrize(
    ("changed", "line", "words"),
    [
        (event("change.merged", "c1", 0.5), 3, ["c1 was merged", "30 min before it was proposed"]),
        (event("change.committed", "c1", 2.5), 3, ["c1 was merged", "30 min before it was committed"]),
        (event("change.merged", "c1", 30), 6, ["c1 was deployed", "1.08 days before it was merged"]),
        (event("incident.resolved", "i1", 4.5), 9, ["i1 was resolved", "before it was detected"]),
        (
            event("incident.detected", "i1", 3.5, cause="d1"),
            8,
            ["i1 was detected", "before deployment d1 was deployed"],
        ),
        (event("service.rolledback", "r1", 1, cause="d1"), 10, ["r1 was rolled back", "3 h before deployment d1 was"]),
        (event("training.finished", "t1", 7), 12, ["t1 was finished", "1 h before it was started"]),
    ],
)
def test_impossible_orders_are_said_with_row_and_reason(changed, line, words):
    rows = [changed if row["id"] == changed["id"] else row for row in GOOD]
    found = [item for item in findings_of(rows) if item["finding"] == "impossible order"]
    assert [item["line"] for item in found] == [line]
    assert all(word in found[0]["what"] for word in words), found[0]["what"]
    assert found[0]["treatment"] == "kept" and found[0]["id"] == rows[line - 1]["id"]
    assert check_log(log_of(rows), now=NOW).events.collect().height == len(rows)


def test_a_change_that_was_merged_again_was_merged_the_first_time():
    again = event("change.merged", "c1", 40, id="again")
    assert findings_of([*GOOD, again]) == []


def test_changes_of_one_name_in_two_services_are_two():
    rows = [
        event("change.created", "1", 5, service="a"),
        event("change.merged", "1", 6, service="a"),
        event("change.merged", "1", 2, service="b", id="b2"),
        event("service.deployed", "d", 3, service="b", change="1"),
    ]
    assert findings_of(rows) == []
    assert findings_of([rows[0] | {"service": "b"}, rows[2]])[0]["finding"] == "impossible order"


def test_events_of_a_change_without_service_belong_to_the_service_that_deployed_it():
    rows = [event("change.merged", "c", 5, service=None), event("service.deployed", "d", 3, change="c")]
    assert [item["finding"] for item in findings_of(rows)] == ["impossible order"]


@pytest.mark.parametrize("more", [{"outcome": "failure"}, {"environment": "staging"}])
def test_what_never_got_into_production_may_come_before_the_merge(more):
    rows = [event("change.merged", "c", 5), event("service.deployed", "d", 3, change="c", **more)]
    assert findings_of(rows) == []


def test_an_event_delivered_twice_counts_once():
    rows = [*GOOD, GOOD[2], GOOD[5], GOOD[6]]
    checked = check_log(log_of(rows), now=NOW)
    assert_frame_equal(sorted_events(checked), sorted_events(log_of(GOOD)))
    assert checked.findings.select("line", "finding", "treatment").rows() == [
        (13, "duplicate id", "merged"),
        (14, "duplicate id", "merged"),
    ]
    assert "says the same as line 3" in checked.findings["what"][0]


@pytest.mark.parametrize("first", [True, False])
def test_of_two_events_with_one_id_the_first_in_time_counts(first):
    other = event("change.merged", "c9", 1.5, id=GOOD[2]["id"])
    rows = [other, *GOOD] if first else [*GOOD, other]
    checked = check_log(log_of(rows), now=NOW)
    kept = checked.events.collect()
    assert kept.filter(pl.col("id") == other["id"])["subject"].to_list() == ["c9"]
    found = checked.findings.filter(pl.col("finding") == "duplicate id").to_dicts()
    assert [(item["line"], item["treatment"]) for item in found] == [(4 if first else 3, "left out")]
    assert f"line {1 if first else 13}" in found[0]["what"] and "subject 'c1' and not 'c9'" in found[0]["what"]


def test_one_id_with_one_time_and_two_measures_is_a_contradiction():
    a, b = (event("evaluation.finished", "m", 1, value=value) for value in (0.5, 0.4))
    checked = check_log(log_of([a, b]), now=NOW)
    assert checked.events.collect()["value"].to_list() == [0.4]
    assert checked.findings["treatment"].to_list() == ["left out"]


def test_each_of_several_events_with_one_id_is_said():
    rows = [event("change.merged", f"c{i}", i, id="same") for i in range(4)]
    found = findings_of(rows)
    assert [(item["line"], item["treatment"]) for item in found] == [(2, "left out"), (3, "left out"), (4, "left out")]


def test_ids_are_those_of_a_source():
    assert findings_of([event("change.merged", "c", 1), event("change.merged", "c", 2, source="other")]) == []


def test_unknown_types_are_left_out_with_a_guess_at_what_was_meant():
    rows = [*GOOD, event("service.deploy", "d2", 5), event("coffee", "x", 5)]
    checked = check_log(log_of(rows), now=NOW)
    assert_frame_equal(checked.events.collect(), build_events(GOOD))
    assert checked.findings["line"].to_list() == [13, 14]
    assert checked.findings["what"].to_list() == [
        "the type is 'service.deploy'; did you mean 'service.deployed'?",
        "the type is 'coffee'",
    ]
    assert set(checked.findings["treatment"]) == {"left out"}


def test_events_without_id_time_or_subject_are_left_out():
    rows = [event("change.merged", "c", 1, id=None), event("change.merged", "c", 1) | {"time": None, "subject": None}]
    checked = check_log(log_of([*GOOD, *rows]), now=NOW)
    assert checked.events.collect().height == len(GOOD)
    assert checked.findings["what"].to_list() == ["it has no id", "it has no time and no subject"]


def test_an_unknown_outcome_is_none():
    checked = check_log(log_of([event("training.finished", "t", 1, outcome="SUCCESS")]), now=NOW)
    assert checked.events.collect()["outcome"].to_list() == [None]
    assert checked.findings["finding"].to_list() == ["unknown outcome"]


def test_a_deployment_without_changes_is_said_once_and_kept():
    rows = [*GOOD, event("service.deployed", "d2", 9)]
    found = findings_of(rows)
    assert [(item["line"], item["finding"], item["treatment"]) for item in found] == [
        (13, "deployment without changes", "kept")
    ]
    assert "d2" in found[0]["what"]


def test_the_first_deployment_of_a_service_may_be_its_start():
    found = findings_of([*GOOD, event("service.deployed", "d0", -5), event("service.deployed", "x", -9, service="b")])
    assert {(item["line"], item["finding"], "was there before" in item["what"]) for item in found} == {
        (13, "deployment without changes", True),
        (14, "deployment without changes", False),
    }


def test_a_deployment_that_names_a_change_in_another_row_has_one():
    assert findings_of([*GOOD, event("service.deployed", "d1", 4)]) == []


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        (event("incident.detected", "i2", 8), "incident without deployment"),
        (event("incident.detected", "i2", 8, cause="d7"), "unknown deployment"),
        (event("service.rolledback", "r2", 8, cause="d7"), "unknown deployment"),
        (event("service.rolledback", "r2", 8), "unknown deployment"),
    ],
)
def test_incidents_and_rollbacks_that_lead_to_no_deployment(row, finding):
    found = [item for item in findings_of([*GOOD, row]) if item["finding"] != "still open"]
    assert [(item["finding"], item["line"], item["treatment"]) for item in found] == [(finding, 13, "kept")]
    assert row["subject"] in found[0]["what"]


def test_blame_may_lie_with_a_change():
    found = findings_of([*GOOD, event("incident.detected", "i2", 8, cause="c2"), event("incident.resolved", "i2", 9)])
    assert found == []


def test_a_second_report_need_not_name_the_deployment_again():
    assert findings_of([*GOOD, event("incident.detected", "i1", 5.5, id="second")]) == []


@pytest.mark.parametrize("kind", ["incident.resolved", "degradation.ended"])
def test_an_end_without_a_beginning_is_left_out(kind):
    checked = check_log(log_of([*GOOD, event(kind, "x", 9)]), now=NOW)
    assert checked.events.collect().height == len(GOOD)
    assert checked.findings["treatment"].to_list() == ["left out"]
    assert checked.findings["line"].to_list() == [13]


@pytest.mark.parametrize("kind", ["incident.detected", "training.started", "degradation.started"])
def test_what_is_open_at_the_end_is_kept_and_said(kind):
    checked = check_log(log_of([*GOOD, event(kind, "x", 9, cause="d1")]), now=NOW)
    assert checked.events.collect().height == len(GOOD) + 1
    assert checked.findings.select("finding", "treatment", "line").rows() == [("still open", "kept", 13)]


def test_an_incident_that_came_back_is_open():
    assert [item["finding"] for item in findings_of([*GOOD, event("incident.detected", "i1", 9, id="back")])] == [
        "still open"
    ]


def test_one_that_only_contradicts_itself_is_not_open_besides():
    rows = [row for row in GOOD if row["type"] != "incident.resolved"]
    found = findings_of([*rows, event("incident.resolved", "i1", 4.5)])
    assert [item["finding"] for item in found] == ["impossible order"]


def test_production_may_have_another_name():
    early = event("service.deployed", "d2", 0.5, change="c9", environment="Live")
    rows = [*GOOD, early, event("change.merged", "c9", 1)]
    assert findings_of(rows) == []
    assert [item["finding"] for item in findings_of(rows, production=("live",))] == ["impossible order"]


def test_trainings_of_which_only_ends_were_logged_are_good():
    assert findings_of([event("training.finished", "t9", 1)]) == []


def test_future_and_impossible_times_are_said():
    rows = [
        event("change.merged", "c1", 0, time=NOW + timedelta(days=1)),
        event("change.merged", "c2", 0, time=datetime(1970, 1, 1, tzinfo=UTC)),
    ]
    found = findings_of(rows)
    assert [(item["line"], item["finding"]) for item in found] == [(1, "future time"), (2, "impossible time")]
    assert "2026-06-02" in found[0]["what"] and "2026-06-01" in found[0]["what"]


def test_ids_with_braces_do_not_trip_the_words():
    rows = [event("change.merged", "{c}", 0), event("change.created", "{c}", 1), event("coffee{x}", "y{0}", 1)]
    assert {item["finding"] for item in findings_of(rows)} == {"impossible order", "unknown type"}


def test_what_is_too_much_to_list_is_counted():
    rows = [event("service.deployed", f"d{i}", i) for i in range(12)]
    found = findings_of(rows, listed=5)
    assert [item["line"] for item in found] == [1, 2, 3, 4, 5, 5]
    assert "and 7 more" in found[-1]["what"]


def test_times_without_zone_are_refused():
    naive = build_events(GOOD).with_columns(pl.col("time").dt.replace_time_zone(None))
    with pytest.raises(InputError, match="its times have no zone"):
        check_log(EventLog(naive.lazy()), now=NOW)


def test_an_empty_log_is_a_good_one():
    assert check_log(log_of([]), now=NOW).findings.is_empty()


def test_checking_again_says_nothing_new():
    rows = [*GOOD, GOOD[2], event("coffee", "x", 1), event("incident.resolved", "i9", 1)]
    once = check_log(log_of(rows), now=NOW)
    twice = check_log(replace(once, findings=once.findings.clear()), now=NOW)
    assert twice.findings.is_empty()
    assert_frame_equal(twice.events.collect(), once.events.collect())


# ---- however it was delivered ----------------------------------------------------------------

BAD = [
    *GOOD,
    event("change.merged", "c3", 1),
    event("change.created", "c3", 2),
    event("coffee", "x", 2),
    event("service.deployed", "d2", 8),
    event("incident.detected", "i2", 9),
    event("incident.resolved", "i3", 9),
    event("evaluation.finished", "m", 1, value=0.5, id="twice"),
    event("evaluation.finished", "m", 1, value=0.4, id="twice"),
    event("change.merged", "c8", 9, id="both"),
    event("change.merged", "c9", 8, id="both"),
]


def said(log: EventLog) -> pl.DataFrame:
    """Kinds of findings; those of repeated delivery apart."""
    return count_findings(log.findings.filter(pl.col("treatment") != "merged"))


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(len(BAD))), st.sets(st.integers(0, len(BAD) - 1)), st.integers(0, len(BAD)))
def test_order_repetition_and_cutting_change_nothing(order, again, cut):
    expected = check_log(log_of(BAD), now=NOW)
    rows = [BAD[i] for i in [*order, *again]]
    whole = check_log(log_of(rows), now=NOW)
    parts = check_log(merge_logs([log_of(rows[:cut]), log_of(rows[cut:])]), now=NOW)
    for other in (whole, parts):
        assert_frame_equal(sorted_events(other), sorted_events(expected))
        assert_frame_equal(said(other), said(expected))


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(["Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati"]), st.sampled_from(["ns", "us"]))
def test_zones_and_units_of_times_change_nothing(zone, unit):
    there = build_events(BAD).with_columns(pl.col("time").dt.convert_time_zone(zone).dt.cast_time_unit(unit))
    checked = check_log(EventLog(there.lazy()), now=NOW)
    assert_frame_equal(checked.events.collect(), check_log(log_of(BAD), now=NOW).events.collect())
