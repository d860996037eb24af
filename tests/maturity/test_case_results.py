"""Numbers of the cases in the store, against counts of the files."""

from __future__ import annotations

import csv

import pytest

from analysis.base.paths import DATA
from analysis.base.results import Results
from analysis.maturity.assessment import (
    compute_activity_status,
    compute_precondition_status,
    compute_reading_agreement,
)
from analysis.maturity.case_results import store_agreement, store_cases
from analysis.maturity.cases import load_cases


def test_what_is_stored_of_the_cases_is_what_the_tables_hold(tmp_path):
    cases, results = load_cases(), Results("01_cases", {}, tmp_path)
    activities, preconditions = compute_activity_status(cases), compute_precondition_status(cases)
    store_cases(results, cases, activities, preconditions, "rule: coded for this thesis")
    store_agreement(results, compute_reading_agreement(cases), "rule: coded for this thesis")
    found = {key: entry.value for key, entry in results._entries.items()}
    with (DATA / "cases/case_evidence.csv").open(encoding="utf-8", newline="") as file:
        evidence = list(csv.DictReader(file))
    assert found["cases.evidence"] == len(evidence)
    assert found["cases.passages"] == len({row["segment"] for row in evidence})
    assert found["cases.failures"] == sum(row["outcome"] == "failure" for row in evidence)
    said = {(row["case"], row["precondition"]) for row in evidence if row["precondition"]}
    assert found["cases.silent.preconditions"] == pytest.approx(1 - len(said) / len(preconditions))
    said = {(row["case"], row["activity"]) for row in evidence if row["activity"]}
    assert found["cases.silent.activities"] == pytest.approx(1 - len(said) / len(activities))
    assert found["cases.placed"] == 3  # John et al. (2021), Table I
    assert found["cases.reading.best.same"] <= found["cases.placed"]
