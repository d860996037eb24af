"""Duplicates are merged by the stated rule, and every merge can be looked at and taken back."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from analysis.base.errors import InputError
from analysis.literature.bibliographic import build_records
from analysis.literature.dedupe import (
    compute_database_counts,
    compute_rule_counts,
    dedupe_records,
    merge_pair,
    undo_merge,
)
from analysis.literature.duplicate_keys import same_venue, surnames
from analysis.literature.duplicate_rule import REASONS, RULES, words_agree
from analysis.literature.importers.drafts import FIELDS
from tests.literature.corrupted import compute_quality, generate, pairs_of

TITLE = "Towards continuous delivery of learned models: a case study"
BASE = {
    "title": TITLE, "authors": "Müller, A.; Li, Wei", "year": 2021, "kind": "article", "venue": "Journal of Trains",
    "volume": "7", "pages": "101-119", "doi": "10.1234/a",
}  # fmt: skip


def table(*rows: dict) -> pd.DataFrame:
    """Records, each `BASE` with the given differences."""
    blank = dict.fromkeys(FIELDS)
    return build_records(
        pd.DataFrame(
            [
                {**blank, "database": "Scopus", "file": "a.csv", "line": number, **BASE, **row}
                for number, row in enumerate(rows, start=1)
            ]
        )
    )


def judged(*rows: dict, **words) -> tuple[list[str], list[str]]:
    """Rules of the merges made, and reasons of the pairs listed."""
    result = dedupe_records(table(*rows), **words)
    return result.merges["rule"].to_list(), result.listed["reason"].to_list()


def partition(result) -> set[frozenset[str]]:
    groups = result.members.groupby("work")["record"]
    return {frozenset(members) for _, members in groups}


# ---- the rule --------------------------------------------------------------------------------

OTHER = {"database": "IEEE Xplore"}
MEETING = {"kind": "conference", "venue": "2021 Conference on Models", "volume": None, "pages": "5-9"}
ARXIV = {"kind": "preprint", "venue": "arXiv", "volume": None, "pages": None, "doi": "10.48550/arxiv.2101.00001"}


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"abstract": "x", "year": 2019, "authors": "Smith, J", "title": "Towards continuous delivery"}, "doi"),
        ({"doi": None}, "title"),
        ({"doi": None, "title": TITLE.upper().replace(":", " –"), "authors": "W. Li; A. Mueller"}, "title"),
        ({"doi": None, "title": TITLE.replace("delivery", "delivrey").replace("learned", "learnt")}, "similar_title"),
        ({"doi": None, "title": TITLE.replace("case study", "casestudy of")}, "similar_title"),
        ({"doi": None, "title": "Towards continuous delivery of learned models"}, "shortened_title"),
        ({"doi": None, "title": TITLE[:40]}, "shortened_title"),
        ({"doi": None, "year": 2020}, "title"),
        ({"doi": None, "year": None}, "title"),
        ({"doi": None, "authors": None}, "title"),
        ({"doi": None, "venue": "J. Train.", "pages": None}, "title"),
        ({"doi": None, "kind": "conference"}, "title"),  # a series that databases take for either
        (ARXIV, "preprint"),
        ({**ARXIV, "doi": None, "year": 2020}, "preprint"),
    ],
)
def test_one_work(row, rule):
    assert judged({}, {**OTHER, **row}) == ([rule], [])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"title": "Quantum gravity without tears"}, "same_doi_other_title"),
        ({"doi": "10.1234/b"}, "other_doi"),
        ({**MEETING, "doi": "10.1234/b", "year": 2020}, "other_doi"),
        ({**MEETING, "doi": None}, "conference_and_journal"),
        ({"doi": None, "venue": "Acta Robotica", "pages": "5-9"}, "other_place"),
        ({"doi": None, "volume": "8", "pages": None}, "other_place"),
        ({"doi": None, "year": 2019}, "other_year"),
        ({"doi": None, "year": 2020, "venue": "Acta Robotica", "pages": None}, "other_year"),
        ({"doi": None, "authors": "Smith, J"}, "other_authors"),
        ({"doi": None, "authors": None, "venue": None, "pages": None}, "no_authors"),
        (
            {"doi": None, "title": "Towards continuous delivery of learned models", "venue": None, "pages": None},
            "shortened",
        ),
        ({"doi": None, "title": TITLE.replace("models", "moulds")}, "differs_in_words"),
        ({"doi": "10.1234/b", "title": f"{TITLE} II"}, "differs_in_number"),
        ({**ARXIV, "year": 2018}, "other_doi"),
    ],
)
def test_for_a_person_to_decide(row, reason):
    assert judged({}, {**OTHER, **row}) == ([], [reason])


@pytest.mark.parametrize(
    "row",
    [
        {"doi": None, "authors": "Smith, J", "pages": None},
        {"doi": None, "year": 2010},
        {"doi": "10.1234/b", "title": "Towards continuous testing of learned models: a case study", "year": 2019},
        {"doi": None, "title": "Something else altogether"},
        {"doi": "10.1234/b", "title": None},
    ],
)
def test_two_works(row):
    assert judged({}, {**OTHER, **row}) == ([], [])


def test_editorials_are_one_only_in_one_place():
    base = {"title": "Editorial", "doi": None}
    assert judged(base, {**base, "volume": "8", "pages": "1-2"}) == ([], [])
    assert judged(base, {**base, **OTHER}) == (["title"], [])


def test_preprints_are_merged_for_decision_or_only_listed():
    result = dedupe_records(table({}, ARXIV))
    assert result.merges["for_decision"].to_list() == [True]
    assert result.records.iloc[0][["doi", "kind"]].to_list() == ["10.1234/a", "article"]
    assert judged({}, ARXIV, merge_preprints=False) == ([], ["other_doi"])


def test_no_third_record_brings_two_published_dois_together():
    meeting = {**MEETING, "doi": "10.1234/b"}
    bare = {"doi": None, "venue": None, "volume": None, "pages": None, "kind": "not_stated"}
    result = dedupe_records(table({}, meeting, bare, ARXIV))
    works = result.members.set_index("record")["work"]
    dois = result.originals.set_index("record")["doi"].dropna()
    assert works[dois.index[dois == "10.1234/a"][0]] != works[dois.index[dois == "10.1234/b"][0]]
    assert set(result.listed["reason"]) <= {"other_doi", "fits_several", "kept_apart"}
    assert "other_doi" in set(result.listed["reason"])


def test_parts_are_never_joined_by_a_record_whose_title_was_cut():
    parts = [{"doi": f"10.1234/{n}", "title": f"{TITLE} part {n}", "pages": f"{n}1-{n}9"} for n in ("1", "2")]
    result = dedupe_records(table(*parts, {"doi": None, "pages": "11-19"}))
    works = result.members.set_index("record")["work"]
    dois = result.originals.set_index("doi")["record"]
    assert works[dois["10.1234/1"]] != works[dois["10.1234/2"]]


@pytest.mark.parametrize(
    ("one", "two", "agree"),
    [
        ("supervised learning", "unsupervised learning", False),
        ("homogeneous fleets", "heterogeneous fleets", False),
        ("survey 2019", "survey 2020", False),
        ("version 10", "version 100", False),
        ("a micro services view", "microservices view", True),
        ("organising the work", "organizing work", True),
        ("fxor models", "for models", True),
        ("of cats", "of dogs", False),
        ("deep learning", "deep learning for robots", False),
    ],
)
def test_words_agree(one, two, agree):
    assert words_agree(tuple(one.split()), tuple(two.split())) is agree
    assert words_agree(tuple(two.split()), tuple(one.split())) is agree


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("Journal of Machine Learning Research", "J. Mach. Learn. Res.", True),
        ("2019 15th International Conference on eScience (eScience)", "International Conference on eScience", True),
        ("IEEE Transactions on Software Engineering", "IEEE Transactions on Computers", False),
        ("Journal of Trains", "Journal of Planes", False),
        ("Information & Software Technology", "Information and Software Technology", True),
        ("", "Journal of Trains", None),
    ],
)
def test_venues(one, two, same):
    assert same_venue(one, two) is same
    assert same_venue(two, one) is same


def test_names_in_all_orders():
    text = "Kalbe, G.; G. Kalbe; Kalbe G.; Kalbe GA; Guy Kalbe; KALBE, Guy; Kalbe Jr., G."
    assert set(surnames(text)) == {"kalbe"}


# ---- what comes out --------------------------------------------------------------------------


def test_the_log_shows_which_record_won_each_field():
    result = dedupe_records(
        table(
            {"database": "Scopus", "abstract": None, "keywords": "b"},
            {"database": "IEEE Xplore", "abstract": "Seen here alone", "doi": None, "authors": "A. Müller; W. Li"},
            {"database": "arXiv", **ARXIV, "url": "https://arxiv.org/abs/2101.00001", "year": 2020},
        ),
        prefer=("IEEE Xplore",),
    )
    assert len(result.records) == 1
    winners = result.winners.set_index("field")
    won = winners["database"].to_dict()
    assert {won[name] for name in ("title", "authors", "year", "abstract", "venue")} == {"IEEE Xplore"}
    assert (won["doi"], won["keywords"], won["url"]) == ("Scopus", "Scopus", "arXiv")
    assert winners["others"].to_dict() | {"doi": 1, "year": 1, "authors": 2, "title": 0} == winners["others"].to_dict()
    row = result.records.iloc[0]
    assert row[["database", "abstract", "doi"]].to_list() == ["IEEE Xplore", "Seen here alone", "10.1234/a"]
    originals = result.originals.set_index("record")
    for field, line in winners.iterrows():
        assert originals.at[line["winner"], field] == row[field]


def test_counts_by_database_add_up():
    records, _ = generate(600, 3)
    result = dedupe_records(records)
    counts = compute_database_counts(result)
    assert (counts["identified"] == counts["duplicates"] + counts["remaining"]).all()
    assert counts["identified"].sum() == len(records) == 600
    assert counts["remaining"].sum() == len(result.records)
    assert (counts["only_here"] <= counts["remaining"]).all()
    assert compute_rule_counts(result)["merges"].sum() == counts["duplicates"].sum()
    assert set(result.merges["rule"]) <= set(RULES)
    assert set(result.listed["reason"]) <= set(REASONS)


def test_precision_and_recall_on_known_duplicates():
    records, truth = generate(3000, 11)
    result = dedupe_records(records)
    quality = compute_quality(result.members.set_index("record")["work"], truth)
    # 20,000 records are measured by `make bench`: see tests/benchmarks/test_bench_dedupe.py.
    assert quality["precision"] > 0.99
    assert quality["recall"] > 0.95
    # What is missed is mostly listed: a person who decides the list finds it.
    missed = sum(truth[a] == truth[b] for a, b in zip(result.listed["first"], result.listed["second"], strict=True))
    assert missed > 0.5 * quality["missed"]


def test_published_works_of_different_dois_are_never_one():
    records, _ = generate(3000, 12)
    result = dedupe_records(records)
    published = result.originals[result.originals["doi"].notna() & (result.originals["kind"] != "preprint")]
    works = result.members.set_index("record")["work"]
    assert published["doi"].groupby(published["record"].map(works)).nunique().max() == 1


def test_quality_is_counted_over_pairs():
    found = pd.Series(["x", "x", "y", "z"], index=list("abcd"))
    truth = pd.Series([1, 1, 1, 2], index=list("abcd"))
    assert pairs_of(truth) == 3
    assert compute_quality(found, truth) == {"precision": 1, "recall": 1 / 3, "wrong": 0, "missed": 2, "pairs": 3}


# ---- properties ------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
@settings(max_examples=8, deadline=None)
def test_order_and_files_change_nothing(seed, rng):
    records, _ = generate(150, seed)
    whole = dedupe_records(records)
    rows = records.drop(columns="record").sample(frac=1, random_state=rng.randint(0, 9999)).reset_index(drop=True)
    rows["line"] = range(1, len(rows) + 1)
    rows["file"] = [f"part-{rng.randint(1, 5)}.csv" for _ in range(len(rows))]
    other = dedupe_records(build_records(rows))
    assert partition(other) == partition(whole)
    assert_frame_equal(other.merges, whole.merges)
    assert_frame_equal(other.listed, whole.listed)
    fields = ["record", "database", *FIELDS]
    one, two = (result.records[fields].sort_values("record", ignore_index=True) for result in (whole, other))
    assert_frame_equal(one, two)
    shuffled = dedupe_records(records.sample(frac=1, random_state=1))
    assert partition(shuffled) == partition(whole)


@given(st.integers(0, 10_000), st.data())
@settings(max_examples=8, deadline=None)
def test_undoing_restores_exactly(seed, data):
    records, _ = generate(50, seed)
    first = dedupe_records(records)
    result = first
    left = data.draw(st.permutations(first.merges["merge"].to_list()))
    for number, merge in enumerate(left, start=1):
        before = partition(result)
        result = undo_merge(result, merge)
        after = partition(result)
        # One work is parted in two, every other one stays.
        assert len(after) == len(before) + 1
        assert len(before - after) == 1
        assert len(after - before) == 2
        assert (result.merges["state"] == "undone").sum() == number
    assert_frame_equal(result.records, result.originals)
    assert result.winners.empty
    for merge in left:
        row = result.merges.set_index("merge").loc[merge]
        result = merge_pair(result, row["first"], row["second"], "on second thoughts")
    assert partition(result) == partition(first)
    assert_frame_equal(result.records, first.records)


def test_deduplicating_again_finds_nothing_new():
    result = dedupe_records(generate(500, 5)[0])
    again = dedupe_records(result.records)
    assert len(again.merges) <= 0.01 * len(result.merges)


def test_wrong_words_are_refused():
    result = dedupe_records(table({}, {**OTHER, "doi": None}, {"title": "Other", "doi": None}))
    (merge,) = result.merges["merge"]
    a, b = result.merges.loc[0, ["first", "second"]]
    undone = undo_merge(result, merge)
    assert undone.listed["reason"].to_list() == ["kept_apart"]
    with pytest.raises(InputError, match="was undone before"):
        undo_merge(undone, merge)
    with pytest.raises(InputError, match="is not in the log"):
        undo_merge(result, "M0")
    with pytest.raises(InputError) as caught:
        merge_pair(result, a, "R0", " ")
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError, match="are one work already"):
        merge_pair(result, a, b, "same")
    with pytest.raises(InputError, match="one of: IEEE Xplore, Scopus"):
        dedupe_records(result.originals, prefer=["Nowhere"])
    with pytest.raises(InputError, match="kind"):
        dedupe_records(result.originals.assign(kind="poem"))


def test_a_single_record_and_none_to_merge():
    result = dedupe_records(table({}))
    assert_frame_equal(result.records, result.originals)
    assert compute_database_counts(result).to_numpy().tolist() == [["Scopus", 1, 0, 1, 1]]
