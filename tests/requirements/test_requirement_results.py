"""Numbers of the form and of the challenges in the store, against the source's own tables."""

from __future__ import annotations

import pytest

from analysis.base.results import Results
from analysis.requirements.challenges import compute_gaps
from analysis.requirements.requirement_results import store_challenges, store_form
from analysis.requirements.traceability import compute_coverage


@pytest.fixture
def results(tmp_path):
    return Results("01_requirements", {}, tmp_path)


def values(results: Results) -> dict[str, object]:
    return {key: entry.value for key, entry in results._entries.items()}


def test_the_form_in_numbers(results, form):
    store_form(results, form, compute_coverage(form), "@talele2024")
    found = values(results)
    assert found["requirements.items"] == 10  # Talele (2024), Table 5.1: P1–P6, BP1–BP4
    assert found["requirements.questions_first"] == 23  # Table A.1
    assert found["requirements.questions"] == 37  # Tables 4.1–4.4
    assert found["requirements.changes"] == 34  # Tables 5.2 and 5.3: 31 and 3 rows
    assert found["requirements.named"] == 6  # ID1, ID4, ID6, ID7, ID8, ID10
    assert found["requirements.gaps.changes_without_interviewee"] == 3  # Table 5.2, rows by the author


def test_the_challenges_in_numbers(results, tables, passages, support, coding):
    gaps = compute_gaps(tables, support, coding["segments"], coding["codings"], coding["codebook"])
    store_challenges(results, tables, passages, gaps, "@dusengimana2023")
    found = values(results)
    assert (found["challenges.count"], found["challenges.solutions"]) == (18, 17)  # Dusengimana (2023), Tables 1–3
    outside = passages[passages["place"] == "elsewhere"]
    for part, key in (("challenge", "passages"), ("solution", "solution_passages")):
        assert found[f"challenges.{key}"] == len(set(outside.loc[outside["part"] == part, "segment"]))
