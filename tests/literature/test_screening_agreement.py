"""Agreement on the overlap, against values worked out by hand.

The 14 works that Ana and Ben both read at title and abstract (`test_ledger.py`), Ana in rows:

                 include  exclude  unsure
    include         8        1        0
    exclude         0        3        1
    unsure          0        0        1

Observed 12/14. Cohen: chance (9·8 + 4·4 + 1·2)/14² = 90/196, kappa = (168 − 90)/(196 − 90) = 78/106.
AC1: shares of use 17/28, 8/28, 3/28; chance ½ · (17·11 + 8·20 + 3·25)/28² = 211/784; (672 − 211)/(784 − 211) = 461/573.
Alpha: 28 decisions, 4 of their coincidences off the diagonal; 1 − 27 · 4/(17·11 + 8·20 + 3·25) = 314/422.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.literature.ledger import check_ledger
from analysis.literature.screening_agreement import (
    build_agreement_table,
    compute_pairwise_kappa,
    compute_screening_agreement,
    overlap_decisions,
)

OPTIONS = {"method": "percentile", "resamples": 499}


def agreement(screening, stage="title_abstract", unsure="category", **more):
    return compute_screening_agreement(screening, stage, unsure=unsure, rng=np.random.default_rng(7), **OPTIONS, **more)


def test_values_of_the_worked_example(screened):
    found = agreement(screened.whole)
    expected = {"percent": 12 / 14, "cohen": 78 / 106, "ac1": 461 / 573, "alpha": 314 / 422}
    assert {name: estimate.value for name, estimate in found.items()} == pytest.approx(expected)
    assert {estimate.n for estimate in found.values()} == {14}
    assert all(estimate.low < estimate.value < estimate.high for estimate in found.values())


def test_unsure_may_count_as_passing_on(screened):
    # include/include 9, exclude/exclude 3, one each way: kappa = (12/14 − (10·10 + 4·4)/196)/(80/196) = 52/80
    assert agreement(screened.whole, unsure="include")["cohen"].value == pytest.approx(52 / 80)


def test_one_arm_alone(screened):
    # databases: include/include 6, exclude/exclude 2, include/exclude 1, exclude/unsure 1
    found = agreement(screened.whole, arm="databases")
    assert (found["percent"].value, found["percent"].n) == (pytest.approx(0.8), 10)


def test_records_read_once_do_not_count(screened):
    once = screened.ledger["record"].isin([f"R{n:012d}" for n in (113, 114, 116, 210)])
    alone = screened.assignments["record"].isin(screened.ledger.loc[once, "record"])
    fewer = screened.check(
        ledger=screened.ledger[~once],
        assignments=screened.assignments[~alone],
        works=screened.works[~screened.works["record"].isin(screened.ledger.loc[once, "record"])],
    )
    assert agreement(fewer) == agreement(screened.whole)


def test_order_and_names_change_neither_values_nor_intervals(screened):
    names = {"Ana": "Zoe", "Ben": "Abe", "Cleo": "Moe"}
    again = screened.check(
        ledger=screened.ledger.assign(reviewer=screened.ledger["reviewer"].map(names)).sample(frac=1, random_state=4),
        assignments=screened.assignments.assign(reviewer=screened.assignments["reviewer"].map(names)),
    )
    assert agreement(again) == agreement(screened.whole)


def test_where_all_decide_alike_it_says_undefined(screened):
    ledger = screened.ledger.copy()
    at = (ledger["stage"] == "quality") & (ledger["decision"] == "exclude")
    ledger["decision"] = ledger["decision"].mask(at, "include")
    ledger["reason"] = ledger["reason"].mask(at)
    found = agreement(screened.check(ledger=ledger), "quality", arm="other")
    assert found["percent"].value == found["ac1"].value == 1
    assert np.isnan(found["cohen"].value) and np.isnan(found["alpha"].value)
    table = build_agreement_table(found).set_index("Coefficient")
    assert table.loc["Cohen's kappa", ["Value", "Interval"]].tolist() == ["undefined", "all decisions are the same"]
    assert table.loc["Percent agreement", ["Value", "Records"]].tolist() == ["100.0%", 4]


def test_without_overlap_there_is_nothing_to_agree_on(screened):
    with pytest.raises(InputError, match="no record was read by two reviewers"):
        overlap_decisions(screened.whole, "quality", unsure="category", arm="databases")
    with pytest.raises(InputError) as caught:
        overlap_decisions(screened.whole, "abstract", unsure="no", arm="grey")
    assert len(caught.value.problems) == 3


def test_three_reviewers_in_changing_pairs():
    """a and b read W0–W3 (agree on 3), a and c W4–W7 (on 2), b and c W8–W9 (on both, one decision)."""
    pairs = [("a", "b", "ii ee ie ii"), ("a", "c", "ii ee ei ie"), ("b", "c", "ii ii")]
    rows, number = [], 0
    for first, second, said in pairs:
        for decisions in said.split():
            for reviewer, letter in zip((first, second), decisions, strict=True):
                decision, reason = ("include", None) if letter == "i" else ("exclude", "dull")
                rows.append((f"W{number}", "full_text", reviewer, "reading", decision, reason, "2026-01-01", None))
            if len(set(decisions)) == 2:
                rows.append((f"W{number}", "full_text", "d", "adjudication", "include", None, "2026-01-01", None))
            number += 1
    names = ["record", "stage", "reviewer", "role", "decision", "reason", "date", "note"]
    ledger = pd.DataFrame(rows, columns=names)
    screening = check_ledger(
        ledger,
        ledger.loc[ledger["role"] == "reading", ["record", "stage", "reviewer"]],
        pd.DataFrame({"record": [f"W{n}" for n in range(10)], "database": "Scopus"}),
        pd.DataFrame({"database": ["Scopus"], "kind": ["database"]}),
        pd.DataFrame({"reason": ["dull"], "stage": "full_text", "kind": "criterion", "statement": "rule"}),
        stages={"databases": ("full_text",)},
    )
    found = agreement(screening, "full_text")
    assert list(found) == ["percent", "ac1", "alpha"]
    assert (found["percent"].value, found["percent"].n) == (pytest.approx(0.7), 10)
    # 20 decisions, 13 include, 7 exclude; 3 works disputed: alpha = 1 − 19 · 6/(2 · 13 · 7)
    assert found["alpha"].value == pytest.approx(1 - 19 * 6 / 182)
    pairwise = compute_pairwise_kappa(
        screening, "full_text", unsure="category", rng=np.random.default_rng(1), **OPTIONS
    )
    kappa = {frozenset((row.first, row.second)): (row.records, row.kappa) for row in pairwise.itertuples()}
    # a, b: observed 3/4, chance (3·2 + 1·2)/16 = 1/2; a, c: observed 2/4, chance 1/2
    assert kappa[frozenset("ab")] == (4, pytest.approx(0.5))
    assert kappa[frozenset("ac")] == (4, pytest.approx(0.0))
    assert kappa[frozenset("bc")][0] == 2 and np.isnan(kappa[frozenset("bc")][1])
