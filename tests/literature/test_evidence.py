from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.literature.evidence import (
    BASES,
    build_load_table,
    compute_base_counts,
    compute_study_load,
    compute_support,
    count_claims,
    links_to,
    unused_studies,
)


@pytest.fixture
def studies():
    return load_table("literature/studies.csv")


@pytest.fixture
def activity_support(studies):
    return compute_support(
        load_table("literature/activities.csv"), load_table("literature/activity_studies.csv"), studies, "activity"
    )


@pytest.fixture
def precondition_support(studies):
    return compute_support(
        load_table("literature/preconditions.csv"),
        load_table("literature/precondition_studies.csv"),
        studies,
        "precondition",
    )


@pytest.fixture
def load(studies):
    return compute_study_load(
        studies, load_table("literature/activity_studies.csv"), load_table("literature/precondition_studies.csv")
    )


def test_support_of_single_claims(activity_support, precondition_support):
    base = pd.concat(
        [activity_support.set_index("activity")["base"], precondition_support.set_index("precondition")["base"]]
    )
    # By hand from §V and §VI: [42] [23] code repository; [27] pre-processing; [41] packaging; [40] [41] deploying.
    expected = {
        "model_code": "both",
        "data_preprocess": "peer_reviewed",
        "release_package": "grey_single",
        "release_deploy": "grey_several",
        "model_tuning": "none",
        "P4.3": "both",  # certification [32] [23]
    }
    assert {key: base[key] for key in expected} == expected


def test_support_keeps_where_its_rows_come_from(activity_support):
    assert activity_support.index.name == "line"
    assert activity_support.attrs["source"] == "data/literature/activities.csv"


def test_release_pipeline_and_first_stage_have_no_peer_reviewed_source(activity_support, precondition_support):
    # §V-C cites [41] [40] [30] [35] [31] only, §VI-A [32] [31] [34] [38] [35] [37]: all grey.
    assert activity_support.loc[activity_support["pipeline"] == "release", "peer_reviewed"].sum() == 0
    first = precondition_support[precondition_support["stage"] == 1]
    assert first["peer_reviewed"].sum() == 0
    assert (first["studies"] == 1).all()


def test_base_counts_add_up(activity_support, precondition_support):
    for support, group in ((activity_support, "pipeline"), (precondition_support, "stage")):
        counts = compute_base_counts(support, group)
        assert counts["claims"].sum() == len(support)
        assert (counts[list(BASES)].sum(axis=1) == counts["claims"]).all()
        assert list(counts["group"]) == list(dict.fromkeys(support[group]))
    assert count_claims(precondition_support, "none") == 0


def test_unknown_base_is_an_error(activity_support):
    with pytest.raises(InputError, match="gray"):
        count_claims(activity_support, "gray")


def test_load_of_studies(load):
    by_study = load.set_index("study")
    assert by_study["claims"].sum() == 32 + 59
    # [43] is printed 14 times in §VI, once twice in one list; never in §V.
    assert by_study.loc["S43", ["activities", "preconditions"]].tolist() == [0, 13]
    assert list(unused_studies(load)["study"]) == ["S26", "S33"]


def test_sole_source_is_what_a_reader_would_lose(studies, load):
    activity_links = load_table("literature/activity_studies.csv")
    precondition_links = load_table("literature/precondition_studies.csv")
    for study, sole in zip(load["study"], load["sole"], strict=True):
        lost = 0
        for links, key in ((activity_links, "activity"), (precondition_links, "precondition")):
            lost += links[key].nunique() - links.loc[links["study"] != study, key].nunique()
        assert sole == lost, study


def test_load_table_is_sorted_and_its_threshold_is_checked(load):
    table = build_load_table(load, heavy_from=7)
    assert list(table["Study"]) == ["Onica", "Perspecta", "Microsoft", "Algorithmia", "Deloitte (US)"]
    assert table["Together"].is_monotonic_decreasing
    with pytest.raises(InputError, match="the most that a study carries is 13"):
        build_load_table(load, heavy_from=14)


def test_links_to_one_study(activity_support):
    links = load_table("literature/activity_studies.csv")
    release = activity_support[activity_support["pipeline"] == "release"]
    assert len(links_to(links, "S41", release, "activity")) == 8  # all of §V-C but the forms of inference [35]


def test_dangling_and_repeated_citations_are_listed(studies):
    claims = pd.DataFrame({"activity": ["a"]})
    links = pd.DataFrame({"activity": ["a", "a", "b"], "study": ["S23", "S23", "S99"]})
    with pytest.raises(InputError) as caught:
        compute_support(claims, links, studies, "activity")
    assert len(caught.value.problems) == 3


@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 7))))
def test_every_citation_is_counted_once_whatever_the_pattern(pairs):
    studies = pd.DataFrame({"study": [f"S{i}" for i in range(8)], "kind": ["peer_reviewed"] * 3 + ["grey"] * 5})
    claims = pd.DataFrame({"activity": [f"a{i}" for i in range(6)], "pipeline": "data"})
    links = pd.DataFrame(
        {"activity": [f"a{claim}" for claim, _ in sorted(pairs)], "study": [f"S{study}" for _, study in sorted(pairs)]},
        dtype="str",
    )
    support = compute_support(claims, links, studies, "activity")
    assert support["studies"].sum() == len(pairs)
    assert (support["peer_reviewed"] + support["grey"] == support["studies"]).all()
    assert ((support["base"] == "none") == (support["studies"] == 0)).all()
    assert support["base"].isin(["both", "peer_reviewed"]).eq(support["peer_reviewed"] > 0).all()
