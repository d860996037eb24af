"""The screening ledger holds together or is refused, with every fault and with the equation that it breaks.

The worked example (`tests/literature/screening`): 42 records, 37 works. Read by hand from the three files:

    databases and registers   26 in = 11 excluded + 15 passed   at title and abstract (10 read twice, 2 disputed)
                              15 in =  8 excluded +  7 passed   at full text (6 read twice, 1 disputed)
    other methods             11 in =  4 excluded +  7 passed   at title and abstract (4 read twice, 1 disputed)
                               7 in =  3 excluded +  4 passed   at full text (2 read twice)
                               4 in =  1 excluded +  3 passed   at quality (4 read twice)

At title and abstract Ana and Ben say include/include of 8 works, exclude/exclude of 3 (…106, …107, …402),
unsure/unsure of 1 (…404), include/exclude of 1 (…108), exclude/unsure of 1 (…109). Of …107 they give different reasons,
off_topic and not_english; not_english stands first in the table of reasons and counts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.literature.ledger import (
    DEFAULT_STAGES,
    check_ledger,
    compute_exclusions,
    compute_stage_counts,
    load_ledger,
)

HEADER = "record,stage,reviewer,role,decision,reason,date,note\n"


def change(table, where, **values):
    """The table with the cells of the rows ``where`` set."""
    table = table.copy().reset_index(drop=True)
    for name, value in values.items():
        table.loc[np.asarray(where), name] = value
    return table


def row_of(ledger, record, stage="title_abstract", reviewer=None, role="reading"):
    found = (ledger["record"] == f"R{record:012d}") & (ledger["stage"] == stage) & (ledger["role"] == role)
    return found if reviewer is None else found & (ledger["reviewer"] == reviewer)


def refusal(screened, **changed):
    with pytest.raises(InputError, match="does not hold together") as caught:
        screened.check(**changed)
    return [str(problem) for problem in caught.value.problems]


def test_counts_of_the_worked_example(screened):
    counts = compute_stage_counts(screened.whole)
    names = ["in", "excluded", "passed", "open", "read_twice", "disputed", "adjudicated"]
    assert counts[["arm", "stage", *names]].to_numpy().tolist() == [
        ["databases", "title_abstract", 26, 11, 15, 0, 10, 2, 2],
        ["databases", "full_text", 15, 8, 7, 0, 6, 1, 1],
        ["other", "title_abstract", 11, 4, 7, 0, 4, 1, 1],
        ["other", "full_text", 7, 3, 4, 0, 2, 0, 0],
        ["other", "quality", 4, 1, 3, 0, 4, 0, 0],
    ]


def test_reasons_of_the_worked_example(screened):
    given = compute_exclusions(screened.whole)
    assert given.set_index(["arm", "stage", "reason"])["records"].to_dict() == {
        ("databases", "title_abstract", "not_english"): 2,
        ("databases", "title_abstract", "blog"): 0,
        ("databases", "title_abstract", "off_topic"): 9,
        ("databases", "full_text", "not_available"): 2,
        ("databases", "full_text", "no_devops"): 3,
        ("databases", "full_text", "no_method"): 3,
        ("other", "title_abstract", "not_english"): 0,
        ("other", "title_abstract", "blog"): 2,
        ("other", "title_abstract", "off_topic"): 2,
        ("other", "full_text", "not_available"): 1,
        ("other", "full_text", "no_devops"): 2,
        ("other", "full_text", "no_method"): 0,
        ("other", "quality", "no_author"): 1,
    }


def test_adjudication_settles_and_the_first_reason_counts(screened):
    outcomes = screened.whole.outcomes
    at_first = outcomes[outcomes["stage"] == "title_abstract"].set_index("record")
    assert at_first.loc["R000000000108", ["outcome", "disputed", "adjudicated"]].tolist() == ["include", True, True]
    assert at_first.loc["R000000000109", ["outcome", "reason"]].tolist() == ["exclude", "off_topic"]
    assert at_first.loc["R000000000404", ["outcome", "disputed"]].tolist() == ["include", True]
    assert at_first.loc["R000000000107", ["reason", "disputed"]].tolist() == ["not_english", False]


def test_any_decision_taken_out_is_refused_with_the_broken_equation(screened):
    for place in range(len(screened.ledger)):
        keep = np.arange(len(screened.ledger)) != place
        problems = refusal(screened, ledger=screened.ledger[keep])
        assert any("in = excluded + passed is broken" in problem for problem in problems), place


def test_any_decision_entered_twice_is_refused_with_the_broken_equation(screened):
    for place in range(len(screened.ledger)):
        twice = pd.concat([screened.ledger, screened.ledger.iloc[[place]]])
        problems = refusal(screened, ledger=twice)
        assert any("in = excluded + passed is broken" in problem for problem in problems), place
        assert any(" keep one" in problem for problem in problems), place


def test_a_missing_decision_is_named_with_its_numbers(screened):
    gone = row_of(screened.ledger, 106, reviewer="Ben")
    problems = refusal(screened, ledger=screened.ledger[~gone])
    assert problems[0].startswith("record 'R000000000106', title_abstract: no decision of Ben")
    assert problems[1].startswith(
        "Databases and registers, title and abstract: in = excluded + passed is broken: "
        "26 in ≠ 10 excluded + 15 passed (25); 1 without outcome"
    )
    assert len(problems) == 2


def test_one_out_and_another_twice_do_not_cancel(screened):
    ledger = screened.ledger[~row_of(screened.ledger, 106, reviewer="Ben")]
    ledger = pd.concat([ledger, ledger[row_of(ledger, 113)]])
    problems = refusal(screened, ledger=ledger)
    assert any("no decision of Ben" in problem for problem in problems)
    assert any("2 decisions of Ana on 'R000000000113'" in problem for problem in problems)


def test_repeated_decisions_name_both_places(screened):
    twice = pd.concat([screened.ledger, screened.ledger[row_of(screened.ledger, 113)].assign(file="more.csv")])
    (fault, balance) = refusal(screened, ledger=twice)
    line = screened.ledger.index[row_of(screened.ledger, 113)][0]
    assert f"ledger_ana.csv:{line}, more.csv:{line}: 2 decisions of Ana on 'R000000000113'" in fault
    assert "26 in ≠ 12 excluded + 15 passed (27); 1 decided more than once" in balance


ROWS = {
    "unknown record": (113, {"record": "R999999999999"}, "unknown record 'R999999999999'"),
    "no reason": (113, {"reason": pd.NA}, "'R000000000113' is excluded without a reason"),
    "unknown reason": (113, {"reason": "dull"}, "unknown reason 'dull' at stage title_abstract"),
    "reason of another stage": (113, {"reason": "no_method"}, "one of: not_english, blog, off_topic"),
    "reason without exclusion": (111, {"reason": "blog"}, "reason 'blog' with decision 'include'"),
    "no day": (113, {"date": "2026-02-30"}, "'2026-02-30' is no day of the calendar"),
    "not assigned": (113, {"reviewer": "Dora"}, "Dora was not to read 'R000000000113' at title_abstract"),
    "stage not of the arm": (113, {"stage": "quality"}, "records of the arm 'databases' have no stage quality"),
    "unsure alone": (113, {"decision": "unsure", "reason": pd.NA}, "disagreement or doubt without adjudication"),
    "later without passing": (
        111,
        {"decision": "exclude", "reason": "off_topic"},
        "Ana decides on 'R000000000111' at full_text, which it did not reach",
    ),
}


@pytest.mark.parametrize(("record", "values", "message"), ROWS.values(), ids=ROWS)
def test_a_wrong_row_is_refused(screened, record, values, message):
    ledger = change(screened.ledger, row_of(screened.ledger, record, reviewer="Ana"), **values)
    assert any(message in problem for problem in refusal(screened, ledger=ledger))


ADJUDICATIONS = {
    "unsure": ({"decision": "unsure"}, "an adjudication that is unsure"),
    "by a reader": ({"reviewer": "Ben"}, "Ben adjudicates own reading of 'R000000000108'"),
    "before the readings": ({"date": "2026-09-01"}, "adjudicated on 2026-09-01, read on 2026-09-07"),
    "without disagreement": ({"record": "R000000000101"}, "of 'R000000000101' at title_abstract without disagreement"),
}


@pytest.mark.parametrize(("values", "message"), ADJUDICATIONS.values(), ids=ADJUDICATIONS)
def test_a_wrong_adjudication_is_refused(screened, values, message):
    ledger = change(screened.ledger, row_of(screened.ledger, 108, role="adjudication"), **values)
    assert any(message in problem for problem in refusal(screened, ledger=ledger))


def test_all_faults_are_told_at_once(screened):
    ledger = change(screened.ledger, row_of(screened.ledger, 113), reason=pd.NA)
    ledger = change(ledger, row_of(ledger, 114), date="2026-13-01")
    ledger = ledger[~row_of(ledger, 404, role="adjudication")]
    text = "\n".join(refusal(screened, ledger=ledger))
    for part in ("without a reason", "no day of the calendar", "without adjudication", "Other methods, full text: in"):
        assert part in text


def test_assignments_must_cover_what_is_reached_and_nothing_else(screened):
    assignments = change(screened.assignments, screened.assignments["record"] == "R000000000302", reviewer="Ana")
    assert any("no decision of Ana" in problem for problem in refusal(screened, assignments=assignments))
    early = pd.DataFrame([("R000000000106", "full_text", "Ana")], columns=list(assignments))
    problems = refusal(screened, assignments=pd.concat([screened.assignments, early]))
    assert any("is assigned to Ana without having come so far" in problem for problem in problems)
    nobody = screened.assignments[screened.assignments["record"] != "R000000000113"]
    assert any("nobody is to read it" in problem for problem in refusal(screened, assignments=nobody))


def test_works_must_have_a_known_arm_and_occur_once(screened):
    with pytest.raises(InputError, match="database 'Google': is not among the places searched"):
        screened.check(sources=screened.sources[screened.sources["database"] != "Google"])
    with pytest.raises(InputError, match="occurs twice among the works"):
        screened.check(works=pd.concat([screened.works, screened.works.head(1)]))
    with pytest.raises(InputError, match="has records, but no stages"):
        screened.check(stages={"databases": ("title_abstract", "full_text")})
    with pytest.raises(InputError, match="in this order"):
        screened.check(stages=DEFAULT_STAGES | {"other": ("full_text", "title_abstract")})


def test_a_text_is_retrieved_for_full_text_only(screened):
    reasons = change(screened.reasons, screened.reasons["reason"] == "blog", kind="not_retrieved")
    assert "'blog' is a text not retrieved, at stage title_abstract" in refusal(screened, reasons=reasons)[0]


def test_while_screening_goes_on_only_what_is_missing_is_allowed(screened):
    half = screened.ledger[screened.ledger["stage"] == "title_abstract"]
    half = half[~row_of(half, 106, reviewer="Ben") & ~row_of(half, 404, role="adjudication")]
    counts = compute_stage_counts(screened.check(ledger=half, complete=False)).set_index(["arm", "stage"])
    assert counts.loc[("databases", "title_abstract"), ["in", "excluded", "passed", "open"]].tolist() == [26, 10, 15, 1]
    assert counts.loc[("other", "title_abstract"), ["in", "excluded", "passed", "open"]].tolist() == [11, 4, 6, 1]
    assert counts.loc[("databases", "full_text"), "open"] == 15
    with pytest.raises(InputError, match=r"26 in − 1 still open ≠ 11 excluded \+ 15 passed \(26\)"):
        screened.check(ledger=pd.concat([half, half[row_of(half, 113)]]), complete=False)


# ---- what must not matter --------------------------------------------------------------------


@given(order=st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_row_order_changes_nothing(screened, order):
    places = list(range(len(screened.ledger)))
    order.shuffle(places)
    again = screened.check(
        ledger=screened.ledger.iloc[places],
        assignments=screened.assignments.sample(frac=1, random_state=1),
        works=screened.works.sample(frac=1, random_state=2),
    )
    pd.testing.assert_frame_equal(again.outcomes, screened.whole.outcomes)


@given(cuts=st.lists(st.integers(0, 3), min_size=93, max_size=93))
@settings(max_examples=4, deadline=None)
def test_splitting_files_changes_nothing(screened, tmp_path_factory, cuts):
    folder = tmp_path_factory.mktemp("split")
    rows = [line for file in screened.files for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    assert len(rows) == len(cuts)
    files = []
    for part in range(4):
        files.append(folder / f"{part}.csv")
        chosen = [row + "\n" for row, cut in zip(rows, cuts, strict=True) if cut == part]
        files[-1].write_text(HEADER + "".join(chosen), encoding="utf-8")
    pd.testing.assert_frame_equal(screened.check(ledger=load_ledger(*files)).outcomes, screened.whole.outcomes)


def test_names_of_reviewers_change_nothing(screened):
    names = {"Ana": "Zoe", "Ben": "Abe", "Cleo": "Moe"}
    again = screened.check(
        ledger=screened.ledger.assign(reviewer=screened.ledger["reviewer"].map(names)),
        assignments=screened.assignments.assign(reviewer=screened.assignments["reviewer"].map(names)),
    )
    pd.testing.assert_frame_equal(again.outcomes, screened.whole.outcomes)


@given(decisions=st.lists(st.tuples(st.sampled_from("ief"), st.sampled_from("ief")), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_any_ledger_that_follows_the_rules_is_accepted_and_counted(decisions):
    """i: include, e: exclude, f: the other of two reasons to exclude; a third person includes what is disputed."""
    rows, assigned, passed = [], [], 0
    for number, pair in enumerate(decisions):
        record = f"W{number}"
        for reviewer, said in zip(("a", "b"), pair, strict=True):
            decision, reason = ("include", None) if said == "i" else ("exclude", "off_topic" if said == "e" else "blog")
            rows.append((record, "title_abstract", reviewer, "reading", decision, reason, "2026-01-01", None))
            assigned.append((record, "title_abstract", reviewer))
        disputed = (pair[0] == "i") != (pair[1] == "i")
        if disputed:
            rows.append((record, "title_abstract", "c", "adjudication", "include", None, "2026-01-02", None))
        passed += disputed or pair == ("i", "i")
    screening = check_ledger(
        pd.DataFrame(rows, columns=HEADER.strip().split(",")),
        pd.DataFrame(assigned, columns=["record", "stage", "reviewer"]),
        pd.DataFrame({"record": [f"W{n}" for n in range(len(decisions))], "database": "Scopus"}),
        pd.DataFrame({"database": ["Scopus"], "kind": ["database"]}),
        pd.DataFrame(
            {"reason": ["blog", "off_topic"], "stage": "title_abstract", "kind": "criterion", "statement": "rule"}
        ),
        stages={"databases": ("title_abstract",)},
    )
    counts = compute_stage_counts(screening).iloc[0]
    assert (counts["in"], counts["passed"], counts["open"]) == (len(decisions), passed, 0)
    assert counts["excluded"] == counts["in"] - counts["passed"]


# ---- files -----------------------------------------------------------------------------------


def test_faults_of_all_files_are_told(tmp_path):
    good, bad, odd = (tmp_path / name for name in ("good.csv", "bad.csv", "odd.csv"))
    good.write_text(HEADER + "W1,title_abstract,a,reading,include,,2026-01-01,\n", encoding="utf-8")
    bad.write_text(HEADER + "W1,title,a,reading,perhaps,,2026-01-01,\n", encoding="utf-8")
    odd.write_text("record;stage\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_ledger(good, bad, odd, tmp_path / "gone.csv", good)
    text = str(caught.value)
    for part in ("bad.csv:2, column 'stage'", "got 'perhaps'", "odd.csv:1", "no such file", "is named twice"):
        assert part in text
    with pytest.raises(InputError, match="no file is named"):
        load_ledger()


def test_a_file_without_decisions_is_a_ledger(tmp_path, screened):
    empty = tmp_path / "adjudication.csv"
    empty.write_text(HEADER, encoding="utf-8")
    assert len(load_ledger(screened.files[0], empty)) == len(load_ledger(screened.files[0]))
