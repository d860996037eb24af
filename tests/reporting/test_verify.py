"""Each departure from the reference gets its grade, and only real agreement passes."""

from __future__ import annotations

import pytest

from analysis.reporting.verify import PASSING, REFERENCE, grade_numbers, read_numbers

ROW = {"value": "0.5", "low": "0.4", "high": "0.6", "text": "50.0%", "origin": "simulated"}

GRADED = {
    "the same": ({}, "identical"),
    "last digits": ({"value": "0.5000000001"}, "within tolerance"),
    "within the interval": ({"value": "0.55", "text": "55.0%"}, "stochastically consistent"),
    "outside the interval": ({"value": "0.61", "text": "61.0%"}, "changed"),
    "another print": ({"text": "50%"}, "stochastically consistent"),
    "another origin": ({"origin": "measured"}, "changed"),
}


@pytest.mark.parametrize("case", GRADED)
def test_a_simulated_number(case):
    change, grade = GRADED[case]
    assert [v.grade for v in grade_numbers({"a.b": ROW}, {"a.b": ROW | change})] == [grade]


@pytest.mark.parametrize("change", [{"value": "0.51"}, {"text": "51.0%"}, {"low": "0.41"}, {"low": ""}])
def test_a_published_number_has_no_leeway(change):
    row = ROW | {"origin": "published"}
    assert grade_numbers({"a.b": row}, {"a.b": row | change})[0].grade == "changed"


MEASURED = {"value": "10", "low": "", "high": "", "text": "10 s", "origin": "measured", "tolerance": "0.5"}


@pytest.mark.parametrize(
    ("change", "grade"),
    [
        ({"value": "14.9", "text": "14.9 s"}, "within tolerance"),
        ({"value": "5", "text": "5 s"}, "within tolerance"),
        ({"value": "15.1", "text": "15.1 s"}, "changed"),
        ({"value": "14.9", "origin": "published"}, "changed"),
    ],
)
def test_a_measured_number_may_differ_by_its_own_tolerance(change, grade):
    assert grade_numbers({"a.b": MEASURED}, {"a.b": MEASURED | change})[0].grade == grade


def test_a_tolerance_is_the_references_own():
    strict = MEASURED | {"tolerance": ""}
    assert grade_numbers({"a.b": strict}, {"a.b": MEASURED | {"value": "10.1"}})[0].grade == "changed"


def test_a_device_may_be_another_one():
    row = MEASURED | {"value": "cpu", "text": "cpu"}
    verdict = grade_numbers({"a.b": row}, {"a.b": row | {"value": "H200", "text": "H200"}})[0]
    assert (verdict.grade, verdict.grade in PASSING) == ("another machine", True)


def test_missing_and_new_numbers_do_not_pass():
    verdicts = grade_numbers({"a.b": ROW, "a.c": ROW}, {"a.c": ROW, "a.d": ROW})
    assert [(v.key, v.grade, v.grade in PASSING) for v in verdicts] == [
        ("a.b", "missing", False),
        ("a.c", "identical", True),
        ("a.d", "new", False),
    ]


def test_the_reference_is_committed_and_whole():
    rows = read_numbers(REFERENCE)
    assert len(rows) > 30
    assert all(row["text"] and row["origin"] for row in rows.values())
    assert list(rows) == sorted(rows)
