from __future__ import annotations

import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.literature.evidence import compute_study_load
from analysis.literature.records import build_study_table, check_records, compute_address_fit, compute_record_counts


@pytest.fixture
def studies():
    return load_table("literature/studies.csv")


def test_the_published_records_are_whole(studies):
    assert check_records(studies) is studies


def test_every_fault_of_the_records_is_listed(studies):
    studies.loc[2, "authors"] = pd.NA
    studies.loc[9, "url"] = pd.NA
    studies.loc[4, "study"] = "S99"
    studies.loc[5, "label"] = "Silva et al. 2020"
    with pytest.raises(InputError) as caught:
        check_records(studies)
    text = str(caught.value)
    assert len(caught.value.problems) == 4
    assert "studies.csv:2, column 'authors'" in text
    assert "studies.csv:9, column 'url'" in text
    assert "studies.csv:4: the study id" in text
    assert "lines 3, 5: the same label twice" in text


def test_counts_by_kind(studies):
    counts = compute_record_counts(studies)
    assert list(counts.index) == ["peer_reviewed", "grey"]
    assert counts["studies"].to_dict() == {"peer_reviewed": 6, "grey": 15}  # §III-A
    assert counts.loc["grey", ["with_authors", "with_year", "with_venue"]].sum() == 0
    assert counts.at["grey", "organisations"] == 14  # Deloitte twice: [37], [38]


def test_a_kind_without_studies_counts_as_zero(studies):
    assert compute_record_counts(studies[studies["kind"] == "grey"])["studies"].to_dict() == {
        "peer_reviewed": 0,
        "grey": 15,
    }


def test_addresses_of_grey_documents(studies):
    fit = compute_address_fit(studies).set_index("study")
    assert fit["com_domain"].all()
    assert list(fit.index[fit["blog_host"]]) == ["S36", "S39"]
    assert list(fit.index[~fit["names_pdf"]]) == ["S41"]


def test_study_table_keeps_every_study_and_its_load(studies):
    load = compute_study_load(
        studies, load_table("literature/activity_studies.csv"), load_table("literature/precondition_studies.csv")
    )
    table = build_study_table(studies, load)
    assert len(table) == len(studies)
    assert table.loc[table["Ref."] == "[41]", ["Activities", "Preconditions"]].values.tolist() == [[9, 0]]
