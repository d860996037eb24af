"""CDEvents logs in both spellings, whole and damaged, and those of this project's experiment."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analysis.base.errors import InputError
from analysis.base.paths import DATA
from analysis.kpi.checks import check_log
from analysis.kpi.events import SCHEMA, EventLog
from analysis.kpi.sources.cdevents import read_cdevents
from analysis.kpi.sources.cdevents_types import read_outcome, short_type

NOW = datetime(2027, 1, 1, tzinfo=UTC)
RECORDED = sorted((DATA / "experiment/recorded").glob("*/*/events.jsonl.gz"))


def cdevent(kind: str, subject: str, time: str, content: dict | None = None, *, spec: str = "0.5.1", **more) -> dict:
    """An event as the specification writes it; ``more`` goes to the context, ``custom`` beside it."""
    custom = more.pop("custom", None)
    full = kind if kind.startswith("dev.") else f"dev.cdevents.{kind}.0.3.0"
    named = {"version": spec, "type": full} if spec < "0.5" else {"specversion": spec, "type": full}
    context = named | {"id": f"{kind}/{subject}/{time}", "source": "/ci", "timestamp": f"2026-03-02T{time}"} | more
    typed = {"type": kind.partition(".")[0]} if spec < "0.5" else {}
    event = {"context": context, "subject": {"id": subject, "content": content or {}} | typed}
    return event | ({"customData": custom} if custom else {})


def place(artifact: str = "", environment: str = "production") -> dict:
    return {"environment": {"id": environment}} | ({"artifactId": artifact} if artifact else {})


def write(path: Path, events: list) -> Path:
    lines = [item if isinstance(item, str) else json.dumps(item) for item in events]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(log: EventLog, *types: str) -> list[dict]:
    return log.events.filter(pl.col("type").is_in(types)).sort("time", "change").collect().to_dicts()


def told(log: EventLog) -> list[tuple]:
    return log.findings.filter(pl.col("finding") != "not used").select("line", "finding", "treatment").rows()


PIPELINE = [
    cdevent("change.created", "pr-1", "08:00:00Z", {"repository": {"id": "shop"}}),
    cdevent("change.merged", "pr-1", "09:00:00Z", {"repository": {"id": "shop"}}),
    cdevent("artifact.packaged", "pkg:oci/shop@1", "09:10:00Z", {"change": {"id": "pr-1"}}),
    cdevent("service.deployed", "shop", "10:00:00Z", place("pkg:oci/shop@1")),
    cdevent("incident.detected", "inc-1", "11:00:00Z", place("pkg:oci/shop@1") | {"service": {"id": "shop"}}),
    cdevent("incident.resolved", "inc-1", "12:30:00Z", place() | {"service": {"id": "shop"}}),
]
"""A change of which an artifact is made, its deployment, and an incident of it: 1 h to notice, 1.5 h to mend."""


def respelt(event: dict, spec: str) -> dict:
    """The same event as version 0.4 of the specification writes it."""
    context = {key: value for key, value in event["context"].items() if key != "specversion"}
    kind = event["context"]["type"].split(".")[2]
    return event | {"context": context | {"version": spec}, "subject": event["subject"] | {"type": kind}}


@pytest.mark.parametrize("spec", ["0.5.1", "0.5.0", "0.4.1", "0.4.0"])
def test_both_spellings_say_the_same(tmp_path, spec):
    events = [respelt(event, spec) if spec < "0.5" else event for event in PIPELINE]
    log = read_cdevents(write(tmp_path / "log.jsonl", events))
    deployed = PIPELINE[3]["context"]["id"]
    columns = ("type", "subject", "service", "environment", "change", "cause")
    assert log.events.select(columns).collect().rows() == [
        ("change.created", "pr-1", None, None, "pr-1", None),
        ("change.merged", "pr-1", None, None, "pr-1", None),
        ("service.deployed", deployed, "shop", "production", "pr-1", None),
        ("incident.detected", "inc-1", "shop", "production", None, deployed),
        ("incident.resolved", "inc-1", "shop", "production", None, None),
    ]
    assert told(check_log(log, now=NOW)) == []


def test_span_name_and_rules_are_known(tmp_path):
    log = read_cdevents(write(tmp_path / "shop.jsonl", PIPELINE))
    assert (log.begin, log.end) == (datetime(2026, 3, 2, 8, tzinfo=UTC), datetime(2026, 3, 2, 12, 30, tzinfo=UTC))
    assert log.name == "shop"
    assert "changes of a deployment" in log.about["rules"]
    assert log.events.collect_schema() == SCHEMA


@pytest.mark.parametrize(
    "links",
    [
        [{"linkType": "RELATION", "linkKind": "TRIGGER", "target": {"contextId": "merge"}}],
        [{"linkType": "PATH", "from": {"contextId": "build"}}],
        [{"linkType": "END", "from": {"contextId": "build"}}],
    ],
)
def test_links_lead_from_a_deployment_to_its_change(tmp_path, links):
    path = [{"linkType": "PATH", "from": {"contextId": "merge"}}]
    events = [
        cdevent("change.merged", "pr-9", "08:00:00Z", id="merge"),
        cdevent("build.finished", "b", "08:30:00Z", {"artifactId": "pkg:oci/x@1"}, id="build", links=path),
        cdevent("service.upgraded", "shop", "09:00:00Z", place("pkg:oci/x@1"), links=links),
    ]
    log = read_cdevents(write(tmp_path / "log.jsonl", events))
    assert [row["change"] for row in rows(log, "service.deployed")] == ["pr-9"]


def test_a_chain_joins_changes_deployments_incidents_and_what_remedies_them(tmp_path):
    events = [
        cdevent("change.merged", "a", "08:00:00Z", chainId="one"),
        cdevent("change.merged", "b", "08:10:00Z", chainId="one"),
        cdevent("service.deployed", "shop", "09:00:00Z", place("x@1"), chainId="one", id="d1"),
        cdevent("incident.detected", "i", "10:00:00Z", place(), chainId="one"),
        cdevent("change.merged", "fix", "10:30:00Z", chainId="one"),
        cdevent("service.upgraded", "shop", "11:00:00Z", place("x@2"), chainId="one", id="d2"),
    ]
    log = read_cdevents(write(tmp_path / "log.jsonl", events))
    deployed = [(row["subject"], row["change"], row["cause"]) for row in rows(log, "service.deployed")]
    assert deployed == [("d1", "a", None), ("d1", "b", None), ("d2", "fix", "i")]
    assert [row["cause"] for row in rows(log, "incident.detected")] == ["d1"]


def test_changes_may_be_listed_and_are_rows_of_one_event(tmp_path):
    event = cdevent("service.deployed", "shop", "09:00:00Z", place("x@1"), custom={"changes": ["b", "a", "b"]})
    found = rows(read_cdevents(write(tmp_path / "log.jsonl", [event])), "service.deployed")
    assert [row["change"] for row in found] == ["a", "b"]
    assert len({(row["id"], row["subject"], row["time"]) for row in found}) == 1


def test_an_artifact_packaged_again_later_tells_nothing_of_an_earlier_deployment(tmp_path):
    events = [
        cdevent("service.deployed", "shop", "08:00:00Z", place("x@1")),
        cdevent("artifact.packaged", "x@1", "09:00:00Z", {"change": {"id": "later"}}),
    ]
    log = read_cdevents(write(tmp_path / "log.jsonl", events))
    assert [row["change"] for row in rows(log, "service.deployed")] == [None]


def test_a_rollback_takes_back_what_served(tmp_path):
    events = [
        cdevent("service.deployed", "shop", "08:00:00Z", place("x@1"), id="d1", custom={"changes": ["a"]}),
        cdevent("service.upgraded", "shop", "09:00:00Z", place("x@2"), id="d2", custom={"changes": ["b"]}),
        cdevent("service.upgraded", "shop", "09:30:00Z", place("x@9", "staging"), id="other"),
        cdevent("service.rolledback", "shop", "10:00:00Z", place("x@1"), id="r1"),
        cdevent("service.upgraded", "shop", "11:00:00Z", place("x@3"), id="d3", custom={"changes": ["c"]}),
        cdevent("service.upgraded", "shop", "11:30:00Z", place("x@4"), id="d4", custom={"changes": ["d"]}),
        cdevent("service.rolledback", "shop", "12:00:00Z", place("x@1"), id="r2"),
        cdevent("service.rolledback", "bank", "12:00:00Z", place("y@1"), id="r3"),
    ]
    found = rows(read_cdevents(write(tmp_path / "log.jsonl", events)), "service.rolledback")
    assert {(row["subject"], row["cause"], row["change"]) for row in found} == {
        ("r1", "d2", "b"),
        ("r2", "d4", "d"),
        ("r3", None, None),
    }


def test_the_first_instance_of_a_service_is_its_start_where_upgrades_follow(tmp_path):
    events = [
        cdevent("service.deployed", "shop", "08:00:00Z", place("x@1")),
        cdevent("service.upgraded", "shop", "09:00:00Z", place("x@2"), custom={"changes": ["b"]}),
        cdevent("incident.detected", "i", "08:30:00Z", place("x@1")),
    ]
    log = read_cdevents(write(tmp_path / "log.jsonl", events))
    first, second = rows(log, "service.deployed")
    assert (first["change"], second["change"]) == (None, "b")
    start = {"service": "shop", "environment": "production", "time": first["time"], "subject": first["subject"]}
    assert log.about["starts"] == [start]
    assert rows(log, "incident.detected")[0]["cause"] is None
    checked = check_log(log, now=NOW).findings.filter(pl.col("finding") == "deployment without changes")
    assert checked["line"].to_list() == [1] and "it was there before" in checked["what"][0]


@pytest.mark.parametrize("second", ["service.deployed", None])
def test_a_deployment_without_changes_is_kept_and_said(tmp_path, second):
    events = [cdevent("service.deployed", "shop", "08:00:00Z", place("x@1"))]
    events += [cdevent(second, "shop", "09:00:00Z", place("x@2"), custom={"changes": ["b"]})] if second else []
    log = check_log(read_cdevents(write(tmp_path / "log.jsonl", events)), now=NOW)
    assert told(log) == [(1, "deployment without changes", "kept")]
    assert len(rows(log, "service.deployed")) == len(events)


def test_an_incident_that_was_reported_was_noticed(tmp_path):
    content = place() | {"ticketURI": "https://tickets.example/1"}
    log = read_cdevents(write(tmp_path / "log.jsonl", [cdevent("incident.reported", "i", "10:00:00Z", content)]))
    assert [row["subject"] for row in rows(log, "incident.detected")] == ["i"]


@pytest.mark.parametrize(
    ("word", "outcome"), [("success", "success"), ("fail", "failure"), ("error", "failure"), ("cancel", None)]
)
def test_outcomes(tmp_path, word, outcome):
    event = cdevent("testsuiterun.finished", "t", "10:00:00Z", {"outcome": word})
    log = read_cdevents(write(tmp_path / "log.jsonl", [event]))
    assert rows(log, "testsuiterun.finished")[0]["outcome"] == outcome
    assert told(log) == []


def test_an_unknown_outcome_is_said(tmp_path):
    event = cdevent("taskrun.finished", "t", "10:00:00Z", {"outcome": "ok"})
    log = read_cdevents(write(tmp_path / "log.jsonl", [event]))
    assert told(log) == [(1, "unknown outcome", "kept")]
    with pytest.raises(ValueError, match="ok"):
        read_outcome("ok")


def test_events_in_cloudevents_are_read(tmp_path):
    wrapped = [{"specversion": "1.0", "id": "x", "type": "t", "source": "s", "data": event} for event in PIPELINE]
    log = read_cdevents(write(tmp_path / "log.jsonl", wrapped))
    assert_frame_equal(log.events.collect(), read_cdevents(write(tmp_path / "b.jsonl", PIPELINE)).events.collect())


def test_what_no_metric_is_made_of_is_counted_once_a_type(tmp_path):
    events = [
        *PIPELINE,
        cdevent("taskrun.started", "a", "08:00:00Z"),
        cdevent("ticket.created", "b", "08:00:00Z"),
        cdevent("taskrun.started", "c", "08:00:00Z"),
    ]
    log = read_cdevents(write(tmp_path / "log.jsonl", events))
    found = log.findings.filter(pl.col("finding") == "not used")
    assert found.select("line", "treatment").rows() == [(3, "left out"), (7, "left out"), (8, "left out")]
    assert "2 events taskrun.started" in found["what"][1]


def test_types_of_whatever_version_are_known_and_others_are_not():
    assert short_type("dev.cdevents.change.merged.0.1.0-draft") == "change.merged"
    assert short_type("dev.cdevents.service.deployed.1.12.3") == "service.deployed"
    assert short_type("dev.cdevents.world.changed.0.1.0") is None
    assert short_type("dev.cdevents.service.exploded.0.3.0") is None
    assert short_type("dev.cdeventsx.workbench-world.changed.0.1.0") == "world.changed"


# ---- damage ----------------------------------------------------------------------------------

GOOD = cdevent("change.merged", "ok", "08:00:00Z")
BROKEN = [
    ("not json", "not JSON", "not JSON"),
    ("[1, 2]", "not an event", "a list"),
    (cdevent("service.exploded", "x", "08:00:00Z"), "unknown type", "dev.cdevents.service.exploded.0.3.0"),
    (cdevent("dev.cdeventsx.acme-cake.baked.0.1.0", "x", "08:00:00Z"), "unknown type", "acme-cake"),
    (cdevent("change.merged", "x", "08:00:00"), "missing zone", "2026-03-02T08:00:00 has no zone"),
    (cdevent("change.merged", "x", "25:00:00Z"), "unreadable time", "is not a time"),
    (cdevent("change.merged", "x", "08:00:00Z", timestamp="0001-01-01T00:00:00+05:00"), "unreadable time", "calendar"),
    (cdevent("change.merged", "", "08:00:00Z"), "missing field", "no subject.id"),
    (cdevent("change.merged", "x", "", id=None, timestamp=7.5), "missing field", "no context.id and no context.ti"),
    ({"context": "x", "subject": []}, "missing field", "no context.id"),
]


@pytest.mark.parametrize(("line", "finding", "words"), BROKEN, ids=[str(i) for i in range(len(BROKEN))])
def test_a_broken_line_is_said_and_the_others_are_read(tmp_path, line, finding, words):
    log = read_cdevents(write(tmp_path / "log.jsonl", [GOOD, line, "", GOOD | {"subject": {"id": "ok2"}}]))
    assert told(log) == [(2, finding, "left out")]
    assert words in log.findings["what"][0]
    assert log.findings["source"][0].endswith("log.jsonl") and log.findings["remedy"][0]
    assert [row["subject"] for row in rows(log, "change.merged")] == ["ok", "ok2"]


def test_a_zone_may_be_given_for_times_that_have_none(tmp_path):
    path = write(tmp_path / "log.jsonl", [cdevent("change.merged", "x", "08:00:00")])
    (row,) = rows(read_cdevents(path, zone="Europe/Berlin"), "change.merged")
    assert row["time"] == datetime(2026, 3, 2, 7, tzinfo=UTC)
    with pytest.raises(InputError, match="time zone is not known"):
        read_cdevents(path, zone="Mars")


def test_bytes_that_are_not_utf8_are_said_with_their_line(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b'\n{"context": "caf\xe9"}\n' + json.dumps(GOOD).encode() + b"\n")
    log = read_cdevents(path)
    assert told(log) == [(2, "wrong encoding", "left out")]
    assert "0xe9" in log.findings["what"][0]


def test_a_last_line_cut_short_is_said(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps(GOOD)[:100])
    log = read_cdevents(path)
    assert told(log) == [(2, "cut short", "left out")]
    assert "100 bytes" in log.findings["what"][0]


def test_a_last_line_without_line_feed_is_whole(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(GOOD))
    assert told(read_cdevents(path)) == []


def test_a_compressed_file_cut_short_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "log.jsonl.gz"
    events = [cdevent("change.merged", f"c{i}", "08:00:00Z", id=f"{i * 7919}") for i in range(200)]
    whole = gzip.compress("\n".join(map(json.dumps, events)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    log = read_cdevents(path)
    assert 10 < log.events.collect().height < 190
    assert {finding for _, finding, _ in told(log)} == {"cut short"}
    assert any("compressed file is cut short" in what for what in log.findings["what"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it holds no events"),
        (b"\n \n", "it holds no events"),
        ("é".encode("utf-16"), "it is UTF-16"),
        (b"hello\nworld\n", "not JSON"),
        (b'{"a": 1}\n', "no context.id"),
    ],
)
def test_files_without_any_event_are_errors(tmp_path, content, words):
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_cdevents(path)
    assert words in str(error.value) and error.value.problems[0].remedy


def test_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_cdevents(tmp_path / "gone.jsonl")
    with pytest.raises(InputError, match="holds no event log"):
        read_cdevents(tmp_path)


def test_one_event_pretty_printed_several_and_an_array_are_read(tmp_path):
    (tmp_path / "one.json").write_text("\ufeff" + json.dumps(PIPELINE[0], indent=2), encoding="utf-8")
    (tmp_path / "some.json").write_text("\n".join(json.dumps(item, indent=1) for item in PIPELINE[1:3]))
    (tmp_path / "array.json").write_text(json.dumps(PIPELINE[3:], indent=1))
    log = read_cdevents(tmp_path)
    whole = read_cdevents(write(tmp_path.parent / "whole.jsonl", PIPELINE))
    assert_frame_equal(log.events.sort("time").collect(), whole.events.collect())
    assert told(log) == []


def test_a_duplicate_is_said_with_both_lines(tmp_path):
    other = GOOD | {"subject": {"id": "else"}}
    log = check_log(read_cdevents(write(tmp_path / "log.jsonl", [GOOD, PIPELINE[0], "", GOOD, other])), now=NOW)
    found = log.findings.row(0, named=True)  # "else" comes before "ok" in the alphabet, and counts
    assert (log.findings.height, found["line"], found["treatment"]) == (1, 1, "left out")
    assert "the event in line 5" in found["what"] and "and so does line 4" in found["what"]


def test_an_equal_duplicate_is_said_with_its_line(tmp_path):
    log = check_log(read_cdevents(write(tmp_path / "log.jsonl", ["", GOOD, PIPELINE[0], GOOD])), now=NOW)
    assert told(log) == [(4, "duplicate id", "merged")]
    assert "line 2" in log.findings["what"][0]
    assert log.events.collect().height == 2


def test_impossible_order_is_said_with_line(tmp_path):
    events = ["", *PIPELINE[:1], cdevent("change.merged", "pr-1", "07:00:00Z")]
    log = check_log(read_cdevents(write(tmp_path / "log.jsonl", events)), now=NOW)
    assert told(log) == [(3, "impossible order", "kept")]


# ---- however it was delivered ----------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(
    st.permutations(PIPELINE),
    st.integers(0, len(PIPELINE)),
    st.sets(st.integers(0, len(PIPELINE) - 1)),
    st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
def test_order_cutting_repetition_and_zones_change_nothing(tmp_path_factory, order, cut, again, zone):
    folder = tmp_path_factory.mktemp("log")
    events = []
    for event in [*order, *(PIPELINE[i] for i in again)]:
        there = datetime.fromisoformat(event["context"]["timestamp"]).astimezone(zone)
        events.append(event | {"context": event["context"] | {"timestamp": there.isoformat()}})
    for name, part in (("a.jsonl", events[:cut]), ("b.jsonl", events[cut:])):
        if part:
            write(folder / name, part)
    log = check_log(read_cdevents(folder), now=NOW)
    whole = check_log(read_cdevents(write(folder.parent / "whole.jsonl", PIPELINE)), now=NOW)
    assert_frame_equal(log.events.sort("time").collect(), whole.events.collect())
    assert (log.begin, log.end) == (whole.begin, whole.end)


# ---- the experiment --------------------------------------------------------------------------

TRUE_FINDINGS = {
    "not used": "left out",
    "deployment without changes": "kept",
    "still open": "kept",
    "incident without deployment": "kept",
}
"""The service was there before the run, which ends in the middle of things, and drift is nobody's fault."""


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.parent.name)
def test_recorded_runs_are_read_whole_and_nothing_false_is_said(path):
    raw = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    types = [event["context"]["type"].split(".") for event in raw]
    counts = Counter(f"{parts[2].removeprefix('workbench-')}.{parts[3]}" for parts in types)
    log = check_log(read_cdevents(path), now=NOW)
    assert dict(log.findings.select("finding", "treatment").rows()).items() <= TRUE_FINDINGS.items()
    table = log.events.unique("id").group_by("type").len().collect()
    found = dict(table.rows())
    assert found["service.deployed"] == counts["service.upgraded"] + counts["service.deployed"]
    starts = log.findings.filter(pl.col("finding") == "deployment without changes")
    assert starts.height == len(log.about["starts"]) == 1 and "there before" in starts["what"][0]
    same = ("change.merged", "training.finished", "observation.recorded", "service.rolledback", "incident.detected")
    for kind in same:
        assert found.get(kind, 0) == counts[kind], kind
    assert found.get("step.done", 0) + found.get("labelling.finished", 0) == counts["delay.waited"]
    assert log.name == path.parent.name
    assert log.begin == datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_a_recorded_run_says_what_its_arm_saw_and_what_was_true():
    path = next(path for path in RECORDED if path.parent.name == "mlops-1")
    log = read_cdevents(path)
    # From the log itself: release 4 carries chg-004, which crashes; degraded at once, noticed an hour later by the
    # monitor, taken back; deployed again, mended, as release 6.
    deployed = {row["subject"]: row["change"] for row in rows(log, "service.deployed")}
    assert deployed["release-4"] == deployed["release-6"] == "chg-004"
    (degraded, *_), (ended, *_) = rows(log, "degradation.started"), rows(log, "degradation.ended")
    assert (degraded["cause"], degraded["change"]) == ("release-4", "chg-004")
    assert (ended["time"] - degraded["time"]).total_seconds() / 3600 == pytest.approx(2.1392618, abs=1e-6)
    assert [row["cause"] for row in rows(log, "incident.detected")] == ["release-4"]
    assert [(row["cause"], row["change"]) for row in rows(log, "service.rolledback")] == [("release-4", "chg-004")]
    observed = {row["subject"]: row for row in rows(log, "observation.recorded")}
    assert observed["window-0010"]["outcome"] == "failure" and observed["window-0009"]["outcome"] == "success"
    assert observed["window-0010"]["target"] == pytest.approx(0.7361106499)
    assert {row["subject"] for row in rows(log, "labelling.finished")} >= {"quality_labels", "labelling_queue"}


def test_a_fix_remedies_its_incident():
    path = next(path for path in RECORDED if path.parent.name == "devops-10")
    causes = {row["change"]: row["cause"] for row in rows(read_cdevents(path), "service.deployed")}
    assert causes["fix-incident-002-0"] == "incident-002"
    assert [change for change, cause in causes.items() if cause] == ["fix-incident-002-0"]
