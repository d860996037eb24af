"""Who reads what: the drawn share, fair loads, and sheets that tell a reviewer nothing of the others."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.literature.assignment import (
    assign_screening,
    build_assignments,
    build_sheet,
    collect_sheets,
    list_disputes,
    write_sheet,
)
from analysis.literature.ledger import compute_stage_counts

RECORDS = [f"R{number:03d}" for number in range(40)]


@settings(deadline=None)
@given(
    size=st.integers(1, 60),
    reviewers=st.integers(2, 5),
    overlap=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
    order=st.randoms(use_true_random=False),
)
def test_draws_keep_share_and_load_and_forget_order_and_names(size, reviewers, overlap, seed, order):
    records = [f"R{number:03d}" for number in range(size)]
    shuffled = records.copy()
    order.shuffle(shuffled)
    names = [f"p{number}" for number in range(reviewers)]
    drawn = assign_screening(records, names, "full_text", overlap=overlap, seed=seed)
    readers = drawn.groupby("record")["reviewer"].nunique()
    assert list(readers.index) == records
    assert set(readers) <= {1, 2}
    assert overlap * size - 1e-6 <= (readers == 2).sum() < overlap * size + 1
    loads = drawn["reviewer"].value_counts().reindex(names, fill_value=0)
    assert loads.max() - loads.min() <= 1
    again = assign_screening(shuffled, names, "full_text", overlap=overlap, seed=seed)
    pd.testing.assert_frame_equal(again, drawn)
    renamed = {name: f"q{9 - place}" for place, name in enumerate(names)}
    other = assign_screening(records, list(renamed.values()), "full_text", overlap=overlap, seed=seed)
    expected = drawn.assign(reviewer=drawn["reviewer"].map(renamed)).sort_values(["record", "reviewer"])
    assert other.to_numpy().tolist() == expected.to_numpy().tolist()


def test_another_seed_draws_another_overlap():
    plans = [assign_screening(RECORDS, ["a", "b"], "title_abstract", overlap=0.2, seed=seed) for seed in range(5)]
    overlaps = {frozenset(plan.loc[plan["record"].duplicated(), "record"]) for plan in plans}
    assert len(overlaps) == 5
    assert {len(overlap) for overlap in overlaps} == {8}


def test_the_share_is_drawn_in_each_group():
    arms = ["other"] * 10 + ["databases"] * 30
    plan = assign_screening(RECORDS, ["a", "b"], "title_abstract", overlap=0.25, seed=3, groups=arms)
    twice = plan.loc[plan["record"].duplicated(), "record"]
    assert twice.isin(RECORDS[:10]).sum() == 3  # a quarter of 10, rounded up
    assert len(twice) == 3 + 8


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError) as caught:
        assign_screening(["R1", "R1"], ["a", "a"], "abstract", overlap=1.5, seed=1, groups=["x"])
    assert len(caught.value.problems) == 5
    with pytest.raises(InputError, match="one reviewer cannot read twice"):
        assign_screening(["R1"], ["a"], "full_text", overlap=0.5, seed=1)


def test_a_sheet_depends_on_nothing_that_another_reviewer_reads(screened):
    own = screened.assignments[screened.assignments["reviewer"] == "Ana"]
    sheet = build_sheet(screened.works, screened.assignments, "Ana", "title_abstract")
    pd.testing.assert_frame_equal(build_sheet(screened.works, own, "Ana", "title_abstract"), sheet)
    assert set(sheet["reviewer"]) == {"Ana"}
    assert len(sheet) == 14 + 12
    assert sheet["record"].is_monotonic_increasing
    assert sheet["title"].notna().all()
    assert sheet[["decision", "reason", "date", "note"]].isna().all(axis=None)


def test_filled_sheets_make_the_ledger(screened, tmp_path):
    paths = []
    done = screened.ledger.set_index(["record", "stage", "reviewer"])[["decision", "reason", "date", "note"]]
    for reviewer in ("Ana", "Ben"):
        for stage in ("title_abstract", "full_text", "quality"):
            sheet = build_sheet(screened.works, screened.assignments, reviewer, stage)
            for place in sheet.index:
                key = (sheet.at[place, "record"], stage, reviewer)
                sheet.loc[place, ["decision", "reason", "date", "note"]] = done.loc[key].to_numpy()
            paths.append(write_sheet(sheet, tmp_path / f"{reviewer} {stage}.csv"))
    ledger = collect_sheets(*paths)
    adjudications = screened.ledger[screened.ledger["role"] == "adjudication"]
    again = screened.check(ledger=pd.concat([ledger, adjudications]))
    pd.testing.assert_frame_equal(again.outcomes, screened.whole.outcomes)
    with pytest.raises(InputError, match="it may hold decisions"):
        write_sheet(sheet, paths[0])


def test_undecided_rows_are_missing_and_half_decided_ones_are_refused(screened, tmp_path):
    sheet = build_sheet(screened.works, screened.assignments, "Ben", "title_abstract")
    first = write_sheet(sheet, tmp_path / "untouched.csv")
    assert collect_sheets(first).empty
    sheet["date"] = sheet["date"].where(sheet.index > 0, "2026-09-07")
    second = write_sheet(sheet, tmp_path / "begun.csv")
    with pytest.raises(InputError, match=r"begun.csv:2: reason, day or note without a decision"):
        collect_sheets(first, second)


def test_a_sheet_for_nobody_or_of_unknown_records_is_refused(screened):
    with pytest.raises(InputError, match="is to read nothing"):
        build_sheet(screened.works, screened.assignments, "Dora", "title_abstract")
    with pytest.raises(InputError, match="record 'R000000000101': is not among the works"):
        build_sheet(screened.works.iloc[1:], screened.assignments, "Ana", "title_abstract")


def test_disputes_name_no_reviewer(screened):
    before = screened.ledger[screened.ledger["stage"] == "title_abstract"]
    open_cases = screened.check(ledger=before[before["role"] == "reading"], complete=False)
    disputes = list_disputes(open_cases, "title_abstract")
    assert disputes.to_numpy().tolist() == [
        ["R000000000108", "databases", "exclude (off_topic); include", "open"],
        ["R000000000109", "databases", "exclude (off_topic); unsure", "open"],
        ["R000000000404", "other", "unsure; unsure", "open"],
    ]


def test_assignments_of_a_ledger_from_elsewhere_guard_it_from_then_on(screened):
    assignments = build_assignments(screened.ledger)
    again = screened.check(assignments=assignments)
    pd.testing.assert_frame_equal(compute_stage_counts(again), compute_stage_counts(screened.whole))
    with pytest.raises(InputError, match="is broken"):
        screened.check(assignments=assignments, ledger=screened.ledger.iloc[1:])
