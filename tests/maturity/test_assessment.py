"""Cases: links, statuses and placements; the rule against hand-made cases and against enumeration."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.paths import DATA
from analysis.maturity.assessment import (
    READINGS,
    STATUS_NAMES,
    compute_activity_status,
    compute_coverage,
    compute_outcomes,
    compute_placements,
    compute_precondition_status,
    compute_reading_agreement,
    compute_sensitivity,
    derive_status,
    place_on_stages,
    trace_placement,
)
from analysis.maturity.assessment_display import (
    OUTCOME_NAMES,
    ROLE_NAMES,
    build_activity_matrix,
    build_agreement_table,
    build_case_table,
    build_coverage_table,
    build_outcome_list,
    build_outcome_table,
    build_placement_comparison,
    build_sensitivity_table,
    build_stage_ranges,
    build_trace_table,
)
from analysis.maturity.cases import check_cases, load_cases
from analysis.plots.ranges import draw_step_ranges
from analysis.plots.symbols import draw_symbol_matrix

MET, FULL, UNDER_WAY = READINGS["met_partial"], READINGS["met_full"], READINGS["under_way_partial"]
STAGES = {"a": 1, "b": 1, "c": 2, "d": 3}
SAID = ["present", "partial", "planned", "absent", "absent_before"]
readings = st.sampled_from(list(READINGS.values()))
some_statuses = st.dictionaries(st.sampled_from(list(STAGES)), st.sampled_from(list(STATUS_NAMES)))
some_passages = st.dictionaries(st.sampled_from(list(STAGES)), st.lists(st.sampled_from(SAID), max_size=4))


@pytest.fixture(scope="module")
def cases():
    return load_cases()


def with_evidence(cases, line, **values):
    evidence = cases.evidence.copy()
    for column, value in values.items():
        evidence.loc[line, column] = value
    return replace(cases, evidence=evidence)


# --- the tables ---


def test_companies_are_those_of_the_documents(cases):
    # john2021 Table I and §VII: ten, two and two people; talele2024 Table E.1, first set: 7 + 6 + 7 = 20 interviewees.
    assert dict(zip(cases.cases["case"], cases.cases["practitioners"], strict=True)) == {
        "A": 10, "B": 2, "C": 2, "R": 8, "X1": 7, "X2": 6, "X3": 7,
    }  # fmt: skip
    first_set = cases.people[cases.people["sets"].fillna("").str.contains("1")]
    assert first_set["case"].value_counts().to_dict() == {"X1": 7, "X2": 6, "X3": 7}


def test_every_published_reason_of_a_placement_is_coded(cases):
    # john2021 §VIII: the sentences that follow "placed" for A, B and C.
    reasons = cases.evidence[cases.evidence["placement_reason"] == "yes"]
    assert set(reasons["segment"]) == {
        *("J0221", "J0222"), *("J0226", "J0227", "J0228"), *("J0230", "J0231", "J0232", "J0233"),
    }  # fmt: skip
    assert dict(zip(cases.cases["case"], cases.cases["placement_segment"], strict=True))["B"] == "J0225"


def test_every_passage_on_the_three_companies_is_used_or_says_what_ought_to_be(cases):
    known = cases.segments
    section = known[(known["document"] == "john2021") & known["locator"].str.startswith("§VII-")]
    left_out = set(section["segment"]) - set(cases.evidence["segment"])
    # What one needs, has to do or stresses (J0160, J0163, J0166), and A looking into what is missing (J0159).
    assert left_out == {"J0159", "J0160", "J0163", "J0166"}


def test_every_link_of_every_row_resolves(cases):
    for row in cases.evidence.itertuples():
        segment = cases.segments[cases.segments["segment"] == row.segment]
        case = cases.cases[cases.cases["case"] == row.case]
        assert len(segment) == len(case) == 1
        assert segment["document"].iloc[0] == case["document"].iloc[0]
        assert pd.isna(row.precondition) or row.precondition in cases.stage_of
        assert pd.isna(row.activity) or row.activity in set(cases.activities["activity"])


FAULTS = [
    ({"activity": "data_magic", "status": "present"}, "column 'activity': 'data_magic' does not exist"),
    ({"precondition": "P9.9", "status": "present"}, "column 'precondition': 'P9.9' does not exist"),
    ({"segment": "J9999"}, "column 'segment': 'J9999' does not exist"),
    ({"segment": "T0113"}, "column 'segment': T0113 belongs to talele2024"),
    ({"case": "X9"}, "column 'case': 'X9' does not exist"),
    ({"status": "present", "activity": pd.NA, "precondition": pd.NA}, "column 'status': a status of nothing"),
    ({"activity": "data_repository", "status": pd.NA}, "column 'status': an activity or precondition without a status"),
]


@pytest.mark.parametrize(("values", "message"), FAULTS)
def test_a_seeded_fault_is_named_with_its_line(cases, values, message):
    with pytest.raises(InputError) as caught:
        check_cases(with_evidence(cases, 3, **values))
    assert f"data/cases/case_evidence.csv:3, {message}" in str(caught.value)


def test_all_faults_are_listed_at_once(cases):
    wrong = with_evidence(cases, 3, segment="J9999", activity="data_magic", status="present")
    wrong = with_evidence(wrong, 5, precondition="P9.9")
    assert wrong.evidence.at[100, "case"] == "X1"
    wrong = with_evidence(wrong, 100, placement_reason="yes")
    people = wrong.people.copy()
    people.loc[2, "participant"] = "T-P01"
    companies = wrong.cases.copy()
    companies.loc[2, "practitioners"] = 11
    companies.loc[3, "placement_segment"] = pd.NA
    companies.loc[4, "placement_segment"] = "T0113"
    with pytest.raises(InputError) as caught:
        check_cases(replace(wrong, people=people, cases=companies))
    text = str(caught.value)
    for message in (
        "case_evidence.csv:3, column 'segment': 'J9999' does not exist",
        "case_evidence.csv:3, column 'activity': 'data_magic' does not exist",
        "case_evidence.csv:5, column 'precondition': 'P9.9' does not exist",
        "case_evidence.csv:100, column 'placement_reason': a reason for a placement, but X1 is not placed",
        "case_people.csv:2, column 'participant': T-P01 was met by talele2024, the case is of john2021",
        "cases.csv:2, column 'practitioners': '11', but '10' in literature/companies.csv",
        "cases.csv:3, column 'placement_segment': B has no passage for it",
        "cases.csv:4, column 'placement_segment': T0113 belongs to talele2024",
    ):
        assert message in text


def test_a_passage_spoken_by_someone_else_is_refused(cases):
    people = cases.people[cases.people["participant"] != "J-P1"]
    with pytest.raises(InputError, match="J0158 is spoken by J-P1, who does not speak for A"):
        check_cases(replace(cases, people=people))


def test_a_set_without_the_participant_is_refused(cases):
    people = cases.people.copy()
    people.loc[people["participant"] == "T-P12", "sets"] = "1;3"
    with pytest.raises(InputError, match="T-P12 is in the sets 1, not 1;3"):
        check_cases(replace(cases, people=people))


def test_the_same_coding_twice_is_refused(cases):
    twice = cases.evidence.loc[[4]].rename(index={4: 999}).assign(evidence="E999")
    doubled = pd.concat([cases.evidence, twice])
    doubled.attrs = cases.evidence.attrs
    with pytest.raises(InputError, match=r"case_evidence\.csv:999, column 'segment': J0157 is coded alike above"):
        check_cases(replace(cases, evidence=doubled))


def test_a_case_without_evidence_is_refused(cases):
    with pytest.raises(InputError, match="X2 has no evidence"):
        check_cases(replace(cases, evidence=cases.evidence[cases.evidence["case"] != "X2"]))


def test_faults_of_all_three_files_are_listed(tmp_path):
    shutil.copytree(DATA / "cases", tmp_path / "cases")
    for name, old, new in (
        ("cases", "A,john2021", "Z,john2021"),
        ("case_people", "X1,T-P02,,", "X1,T-P02,9,"),
        ("case_evidence", ",planned,", ",hoped,"),
    ):
        path = tmp_path / "cases" / f"{name}.csv"
        text = path.read_text(encoding="utf-8")
        changed = text.replace(old, new, 1) if old in text else text.replace("1;2;3", "9", 1)
        path.write_text(changed, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_cases(tmp_path)
    text = str(caught.value)
    assert "column 'case'" in text and "got 'Z'" in text
    assert "column 'sets'" in text and "got '9'" in text
    assert "column 'status'" in text and "got 'hoped'" in text


# --- the rules ---


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], "not_mentioned"),
        (["present", "present"], "present"),
        (["present", "planned"], "present"),
        (["present", "partial"], "partial"),
        (["present", "absent"], "partial"),
        (["planned", "absent"], "planned"),
        (["absent", "absent_before"], "absent"),
        (["absent_before"], "absent_before"),
        (["absent_before", "present"], "present"),
    ],
)
def test_status_by_hand(statuses, expected):
    assert derive_status(statuses) == expected
    assert derive_status(reversed(statuses)) == expected


def test_unknown_status_is_refused():
    with pytest.raises(InputError, match="'maybe' is not known"):
        derive_status(["maybe"])


@pytest.mark.parametrize(
    ("statuses", "reading", "expected"),
    [
        ({}, MET, (0, 3)),  # silence rules nothing in or out
        ({}, UNDER_WAY, (1, 3)),
        (dict.fromkeys(STAGES, "present"), MET, (3, 3)),
        ({"a": "present", "b": "present"}, MET, (1, 3)),
        ({"a": "present", "b": "present", "c": "planned"}, MET, (1, 1)),
        ({"a": "present", "b": "present", "c": "planned"}, UNDER_WAY, (2, 2)),
        ({"b": "absent"}, MET, (0, 0)),
        ({"b": "absent"}, UNDER_WAY, (1, 1)),
        ({"a": "present", "b": "partial"}, MET, (1, 3)),
        ({"a": "present", "b": "partial"}, FULL, (0, 0)),
        ({"d": "absent_before"}, MET, (0, 3)),
        ({"d": "planned"}, MET, (0, 2)),
    ],
)
def test_place_by_hand(statuses, reading, expected):
    assert place_on_stages(STAGES, statuses, reading) == expected


def stage_reached(met, reading):
    """The stage of a company of which all is known, written out."""
    reached = 0
    for stage in (1, 2, 3):
        if not all(met[key] for key in STAGES if STAGES[key] == stage):
            break
        reached = stage
    return min(reached + 1, 3) if reading.under_way else reached


@given(some_statuses, readings)
def test_range_is_that_of_all_companies_of_which_the_same_is_said(statuses, reading):
    options = []
    for key in STAGES:
        status = statuses.get(key, "not_mentioned")
        if status == "present" or (status == "partial" and reading.partial_counts):
            options.append([True])
        elif status in ("planned", "absent", "partial"):
            options.append([False])
        else:
            options.append([True, False])
    reached = {stage_reached(dict(zip(STAGES, met, strict=True)), reading) for met in product(*options)}
    assert place_on_stages(STAGES, statuses, reading) == (min(reached), max(reached))


def placed(passages, reading):
    return place_on_stages(STAGES, {key: derive_status(said) for key, said in passages.items()}, reading)


@given(some_passages, st.sampled_from(list(STAGES)), readings)
def test_one_more_thing_in_place_lowers_no_end_and_one_more_lacking_raises_none(passages, key, reading):
    low, high = placed(passages, reading)
    for word, sign in (("present", 1), ("absent", -1)):
        low_more, high_more = placed(passages | {key: [*passages.get(key, []), word]}, reading)
        assert sign * (low_more - low) >= 0
        assert sign * (high_more - high) >= 0


@given(some_statuses)
def test_readings_are_ordered(statuses):
    places = {key: place_on_stages(STAGES, statuses, reading) for key, reading in READINGS.items()}
    for part in ("partial", "full"):
        assert all(a <= b for a, b in zip(places[f"met_{part}"], places[f"under_way_{part}"], strict=True))
    for meaning in ("met", "under_way"):
        assert all(a <= b for a, b in zip(places[f"{meaning}_full"], places[f"{meaning}_partial"], strict=True))
    assert all(low <= high for low, high in places.values())


# --- the cases ---


def test_silence_of_all_passages_permits_every_stage(cases):
    placements = compute_placements(cases).set_index("case")
    said = compute_precondition_status(cases)
    silent = said[said["case"] == "X2"]
    assert set(silent["status"]) == {"not_mentioned"}
    assert (placements.at["X2", "lowest"], placements.at["X2", "highest"]) == (0, 4)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_one_more_present_passage_lowers_no_upper_end(data):
    cases = load_once()
    line = data.draw(st.sampled_from(list(cases.evidence.index)))
    precondition = data.draw(st.sampled_from(list(cases.stage_of)))
    reading = data.draw(readings)
    more = cases.evidence.loc[[line]].assign(evidence="E999", precondition=precondition, status="present")
    before = compute_placements(cases, reading)
    after = compute_placements(replace(cases, evidence=pd.concat([cases.evidence, more])), reading)
    assert (after["highest"] >= before["highest"]).all()
    assert (after["lowest"] >= before["lowest"]).all()


_LOADED = []


def load_once():
    if not _LOADED:
        _LOADED.append(load_cases())
    return _LOADED[0]


def test_placements_stand_against_the_published_ones(cases):
    published = compute_placements(cases).set_index("case")[["published_lowest", "published_highest"]]
    assert published.dropna().to_numpy().tolist() == [[1, 2], [1, 1], [2, 2]]  # john2021 §VIII
    found = {key: compute_placements(cases, reading).set_index("case") for key, reading in READINGS.items()}
    # B stands at the first stage for want of consistent annotation and full automation, both asked for by that stage:
    # it has not met the stage's preconditions, and is working on them.
    assert found["met_partial"].at["B", "limiting"] == ("P1.4",)
    assert found["met_partial"].at["B", "agreement"] == "apart"
    assert found["under_way_partial"].at["B", "agreement"] == "same"
    # Governance and explanation keep C from the fourth stage, not from the third.
    assert found["met_partial"].at["C", "limiting"] == ("P4.4", "P4.5")
    assert found["met_partial"].at["C", "highest"] == 3
    for key, placements in found.items():
        counts = placements["agreement"].value_counts()
        row = compute_reading_agreement(cases).set_index("reading").loc[key]
        assert row["placed"] == 3 and all(
            row[name] == counts.get(name, 0) for name in ("same", "inside", "overlap", "apart")
        )


def test_ranges_that_hang_on_one_passage_move_without_it(cases):
    moved = compute_sensitivity(cases)
    assert "B" not in set(moved["case"])  # two passages say it
    for row in moved.itertuples():
        without = replace(cases, evidence=cases.evidence[cases.evidence["segment"] != row.segment])
        place = compute_placements(without).set_index("case").loc[row.case]
        assert (place["lowest"], place["highest"]) == (row.lowest_without, row.highest_without)
        assert row.segment in set(trace_placement(cases, row.case).query("role == 'limits'")["segment"])


def test_statuses_count_every_passage_once(cases):
    activities, preconditions = compute_activity_status(cases), compute_precondition_status(cases)
    assert len(activities) == 7 * 27 and len(preconditions) == 7 * 41
    assert activities["evidence"].explode().notna().sum() == cases.evidence["activity"].notna().sum()
    assert preconditions["evidence"].explode().notna().sum() == cases.evidence["precondition"].notna().sum()
    assert ((activities["evidence"].str.len() == 0) == (activities["status"] == "not_mentioned")).all()
    coverage = compute_coverage(preconditions)
    assert coverage.groupby("case")["preconditions"].sum().eq(41).all()
    assert (coverage[list(STATUS_NAMES)].sum(axis=1) == coverage["preconditions"]).all()


def test_the_card_says_how_much_is_not_mentioned(cases):
    card = (DATA / "cases" / "README.md").read_text(encoding="utf-8")
    for statuses, pairs in ((compute_precondition_status(cases), 287), (compute_activity_status(cases), 189)):
        assert f"{(statuses['status'] == 'not_mentioned').sum()} of the {pairs} pairs" in card


def test_trace_holds_all_reasons_and_all_that_bears_on_a_stage(cases):
    for case in cases.labels:
        trace = trace_placement(cases, case)
        own = cases.evidence[cases.evidence["case"] == case]
        assert set(trace["evidence"]) == set(
            own.loc[own["precondition"].notna() | (own["placement_reason"] == "yes"), "evidence"]
        )
        assert set(trace["role"]) <= set(ROLE_NAMES)
        assert trace["stage"].dropna().is_monotonic_increasing
        limits = set(trace.loc[trace["role"] == "limits", "evidence"])
        assert limits == set(compute_placements(cases).set_index("case").at[case, "limiting_evidence"])
    with pytest.raises(InputError, match="There is no case 'Z'"):
        trace_placement(cases, "Z")


# --- as printed ---


def test_tables_hold_what_was_computed(cases):
    assert list(build_case_table(cases)["Case"]) == list(cases.labels.values())
    comparison = build_placement_comparison(cases).set_index("Case")
    assert comparison.loc["A telecom"].tolist() == [
        "1 to 2", "0 to 1: in part", "0: disagree", "1 to 2: the same", "1: in part",
    ]  # fmt: skip
    assert comparison.at["R retail", "Published"] == "not placed"
    assert list(build_agreement_table(cases).columns)[:2] == ["Reading", "Placed"]
    assert build_coverage_table(cases)["Of"].sum() == 7 * 41
    assert set(build_trace_table(cases, "B")["What it does"]) <= set(ROLE_NAMES.values())
    assert build_trace_table(cases, "X2").empty
    moved = build_sensitivity_table(cases)
    assert len(moved) == sum(len(compute_sensitivity(cases, reading)) for reading in READINGS.values())


def test_outcomes_listed_are_outcomes_counted(cases):
    counted, listed = compute_outcomes(cases).set_index("label"), build_outcome_list(cases, *OUTCOME_NAMES)
    assert len(listed) == len(cases.evidence)
    listed["Case"] = listed["Case"].mask(listed["Case"] == "").ffill()
    for outcome, word in OUTCOME_NAMES.items():
        segments = listed[listed["Outcome"] == word].groupby("Case")["Segment"].nunique()
        assert {label: segments.get(label, 0) for label in counted.index} == counted[outcome].to_dict()
    assert list(build_outcome_table(cases).columns) == ["Case", "Passages", "Success", "Failure", "Gap", "Neither"]
    for wrong in ([], ["triumph"]):
        with pytest.raises(InputError, match="list of outcomes would be empty"):
            build_outcome_list(cases, *wrong)


def test_figures_of_the_cases_can_be_drawn_and_read(cases):
    for figure in (
        draw_symbol_matrix(**build_activity_matrix(cases)),
        draw_step_ranges(**build_stage_ranges(cases)),
    ):
        figure.draw_without_rendering()
        (axes,) = figure.axes
        page = figure.bbox
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            boxes = [label.get_window_extent() for label in labels]
            assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and box.y1 <= page.y1 for box in boxes)
            assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
