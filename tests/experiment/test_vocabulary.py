"""Every event that can be built is valid CDEvents 0.5.1, by the official schemas and by ours, which is stricter."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from analysis.base.errors import InputError
from analysis.base.paths import ROOT
from analysis.experiment import vocabulary as say
from analysis.experiment.events import SCHEMA, EventLog, validate_event

OFFICIAL = ROOT.parent / "shared" / "data" / "cdevents"
MOMENT = datetime(2026, 1, 5, 8, 0, 0, 123_000, tzinfo=UTC)
PACKAGE = say.purl("inspection", "0b31b1c0")
COMPARISON = {"champion": "c0", "difference": 0.02, "low": -0.01, "high": 0.05}
CUSTOM_RULE = re.compile(r"^dev\.cdeventsx\.[a-zA-Z0-9]+-[a-zA-Z]+\.[a-zA-Z]+\.[0-9]\.[0-9]\.[0-9]$")
"""Pattern of ``context.type`` in custom/schema.json of cdevents/spec, tag v0.5.1."""

EVENTS: list[say.Event] = [
    say.repository_created(),
    say.environment_created("production"),
    say.change_created("chg-1", "brighter images"),
    say.change_created("chg-1"),
    say.change_reviewed("chg-1", approved=False),
    say.change_updated("chg-1"),
    say.change_merged("chg-1"),
    say.change_abandoned("chg-1"),
    say.ticket_created("fix 1/2", "label and retrain", "quality monitor", "task"),
    say.ticket_closed("fix 1/2"),
    say.pipelinerun_queued("run-1", "delivery"),
    say.pipelinerun_started("run-1", "delivery"),
    say.pipelinerun_finished("run-1", "delivery", "failure", "unit tests failed"),
    say.taskrun_started("smoke/1", "smoke test", "run-1"),
    say.taskrun_finished("smoke/1", "smoke test", "success", pipelinerun="run-1"),
    say.taskrun_finished("smoke/1", "smoke test", "error", "no answer"),
    say.suiterun_started("tests/1", "unit", "ci"),
    say.suiterun_finished("tests/1", "unit", "ci", "failure", "test_letterbox"),
    say.artifact_packaged(PACKAGE, "chg-1"),
    say.artifact_published(PACKAGE, "registry"),
    say.service_deployed("inspection", "production", PACKAGE),
    say.service_upgraded("inspection", "production", PACKAGE),
    say.service_rolledback("inspection", "production", PACKAGE),
    say.incident_detected("incident-1", "production", "inspection", PACKAGE, "errors"),
    say.incident_resolved("incident-1", "production", "inspection"),
    say.dataset_changed("batch-1", "d1", "good_batch", 96, 0),
    say.dataset_changed("batch-1", "d1", "removed"),
    say.dataset_validated("batch-1", "d1", "failure", [f"box {i}" for i in range(7)], 0.5),
    say.training_started("training-1", ["d0", "d1"], "m0", "event"),
    say.training_finished("training-1", "success", 12.5, 400, "m1", metrics={"box_loss": None, "map50": 0.8}),
    say.training_finished("training-1", "failure", 12.5, 400, reason="loss is not a number", device="cpu"),
    say.evaluation_finished(PACKAGE, 0.8, 0.75, 0.85, 200, 1.5),
    say.evaluation_finished(PACKAGE, None, None, None, 0, reason="no images"),
    say.model_promoted("m1", "p1", **COMPARISON, automatic=True),
    say.model_rejected("m1", "p1", "worse than the champion", **COMPARISON),
    say.drift_detected("inspection", 9.1, 4.2, "brightness", "images", {"brightness": 0.9, "noise": 0.1}),
    say.observation_recorded("window-1", None, 0.0, 0.02, 64, release=0, package="p0", degraded=["quality"]),
    say.observation_recorded("window-2", 0.8, 0.5, 0.02, 64, map50_pooled=0.79, target_map50=0.6, confidence=0.7),
    say.degradation_started("degradation-1", ["quality", "errors"], ["chg-1"], 1),
    say.degradation_ended("degradation-1", 40.5),
    say.world_changed("world-1", 120.0, {"light": 0.4}),
    say.delay_waited("chg-1", "review", 4.2, "reviewer"),
]
NAMES = [f"{i}-{event.type}" for i, event in enumerate(EVENTS)]


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> list[dict]:
    """All events as they stand in a log, one after the other."""
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    with EventLog(path, "/workbench/test/1", "test/1") as log:
        for event in EVENTS:
            log.add(event, MOMENT, chain="chg-1")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_every_type_is_built_by_a_function():
    assert {event.type for event in EVENTS} == set(say.EVENT_TYPES)


@cache
def official() -> tuple[dict[str, dict], Registry]:
    """The official schemas by type of event, and all of them by their address."""
    schemas = [json.loads(path.read_text()) for path in sorted((OFFICIAL / "schemas").rglob("*.json"))]
    by_type = {
        schema["properties"]["context"]["properties"]["type"]["enum"][0]: schema
        for schema in schemas
        if "context" in schema.get("properties", {})
    }
    return by_type, Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)


def official_faults(event: dict) -> list[str]:
    by_type, registry = official()
    validator = Draft202012Validator(
        by_type[event["context"]["type"]], registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [error.message for error in validator.iter_errors(event)]


needs_official = pytest.mark.skipif(not OFFICIAL.is_dir(), reason="the official schemas are not at hand")


@needs_official
@pytest.mark.parametrize("number", range(len(EVENTS)), ids=NAMES)
def test_standard_events_are_valid_by_the_official_schema(number, written):
    event = written[number]
    if EVENTS[number].type in say.CUSTOM_TYPES:  # the official rule for these is the envelope and the name
        assert CUSTOM_RULE.fullmatch(event["context"]["type"])
        envelope = copy.deepcopy(event)
        envelope["context"]["type"] = say.EVENT_TYPES["change.merged"]
        envelope["subject"]["content"] = {}
        assert official_faults(envelope) == []
    else:
        assert official_faults(event) == []


@needs_official
def test_the_official_examples_pass_the_check_and_a_fault_in_them_does_not():
    examples = [json.loads(path.read_text()) for path in sorted((OFFICIAL / "conformance").glob("*.json"))]
    assert len(examples) > 30
    for example in examples:
        assert official_faults(example) == []
        assert say.short_type(example["context"]["type"])
        assert official_faults(example | {"extra": 1}) != []


@needs_official
def test_versions_of_the_standard_types_are_the_official_ones():
    standard = {full for name, full in say.EVENT_TYPES.items() if name not in say.CUSTOM_TYPES}
    assert standard <= set(official()[0])


@cache
def whole_schema() -> Draft202012Validator:
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("number", range(len(EVENTS)), ids=NAMES)
def test_events_are_valid_by_our_schema_read_whole(number, written):
    """`validate_event` reads the schema by parts; any other program reads it from its root."""
    assert list(whole_schema().iter_errors(written[number])) == []
    assert validate_event(written[number]) == []


@pytest.mark.parametrize(
    ("confidence", "valid"), [(0.0, True), (1.0, True), (1.0000000018626451, False), (-0.1, False)]
)
def test_a_confidence_is_a_probability(confidence, valid, written):
    event = copy.deepcopy(written[[one.type for one in EVENTS].index("observation.recorded")])
    event["subject"]["content"]["confidence"] = confidence
    assert (validate_event(event) == []) is valid


def test_schema_and_vocabulary_name_the_same_types():
    schema = json.loads(SCHEMA.read_text())
    assert set(schema["$defs"]["event"]["properties"]["context"]["properties"]["type"]["enum"]) == set(
        say.EVENT_TYPES.values()
    )
    pairs = {
        branch["properties"]["context"]["properties"]["type"]["const"]: branch["properties"]["subject"]["properties"][
            "content"
        ]["$ref"]
        for branch in schema["anyOf"]
    }
    assert pairs == {full: f"#/$defs/{name}" for name, full in say.EVENT_TYPES.items()}


def seeded_faults(event: dict):
    """The event with one fault each: every key taken away, a key too many, a wrong type, an unknown word."""
    for part in ("context", "subject"):
        for key in event[part]:
            if key != "chainId":
                broken = copy.deepcopy(event)
                del broken[part][key]
                yield f"no {part}.{key}", broken
    for key, value in event["subject"]["content"].items():
        broken = copy.deepcopy(event)
        broken["subject"]["content"][key] = [[value]]
        yield f"content.{key} is a list of lists", broken
    for where in ([], ["context"], ["subject"], ["subject", "content"]):
        broken = copy.deepcopy(event)
        inner = broken
        for key in where:
            inner = inner[key]
        inner["surplus"] = 1
        yield f"surplus in {where}", broken
    for key, value in (("specversion", "0.4.1"), ("timestamp", "2026-01-05 08:00"), ("type", "dev.cdevents.a.b.0.1.0")):
        broken = copy.deepcopy(event)
        broken["context"][key] = value
        yield f"context.{key} is {value}", broken


@pytest.mark.parametrize("number", range(len(EVENTS)), ids=NAMES)
def test_a_seeded_fault_is_found_by_parts_and_by_the_whole_schema(number, written):
    count = 0
    for fault, broken in seeded_faults(written[number]):
        problems = validate_event(broken)
        assert problems, fault
        assert not whole_schema().is_valid(broken), fault
        count += 1
    assert count >= 12


def test_all_violations_are_listed_with_their_place(written):
    broken = copy.deepcopy(next(e for e in written if "service.deployed" in e["context"]["type"]))
    del broken["context"]["source"]
    broken["subject"]["content"] = {"artifactId": "0b31"}
    problems = {problem.where: problem.what for problem in validate_event(broken)}
    assert problems == {
        "context": "'source' is a required property",
        "subject.content.artifactId": "'0b31' does not match '^pkg:[a-z]+/[!-~]+@[!-~]+$'",
        "subject.content": "'environment' is a required property",
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_whatever_is_no_event_is_refused_and_not_a_crash(value):
    assert validate_event(value) != []


def test_only_the_first_problems_are_written_but_all_are_counted():
    content = say.dataset_validated("b", "d", "failure", [str(i) for i in range(7)]).content
    assert (content["problems"], content["problem_count"]) == (["0", "1", "2", "3", "4"], 7)


@pytest.mark.parametrize(("name", "digest"), [("Inspection", "ab"), ("a b", "ab"), ("a", ""), ("a", "sha256:ab")])
def test_a_package_address_that_needs_escaping_is_refused(name, digest):
    with pytest.raises(InputError, match="no artifact"):
        say.purl(name, digest)


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("dev.cdevents.service.deployed.0.1.1", "service.deployed"),
        ("dev.cdeventsx.workbench-world.changed.0.1.0", "world.changed"),
        ("dev.cdeventsx.harbor-quota.exceeded.0.1.0", "quota.exceeded"),
        ("dev.cdevents.change.merged.0.3.0-draft", "change.merged"),
        ("dev.cdeventsx.quota.exceeded.0.1.0", None),
        ("com.github.push", None),
    ],
)
def test_types_are_read_in_any_version(full, short):
    assert say.short_type(full) == short


def test_the_schema_is_a_file_of_the_project():
    assert SCHEMA.relative_to(ROOT) == Path("data/experiment/events.schema.json")
