from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.literature.codebook import (
    MAX_LEVELS,
    check_codebook,
    codes_above,
    codes_below,
    compute_code_levels,
    compute_rolled_up_codes,
    load_codebook,
    precondition_code,
)


@pytest.fixture(scope="module")
def book():
    return load_codebook()


def made(*rows):
    """A codebook of (code, parent, theme); everything else is filled in so that it is sound."""
    frame = pd.DataFrame(
        {
            "code": [row[0] for row in rows],
            "parent": [row[1] for row in rows],
            "theme": [row[2] for row in rows],
            "name": [f"Name {n}" for n in range(len(rows))],
            "definition": [f"Definition {n}" for n in range(len(rows))],
        },
        index=pd.Index(range(2, len(rows) + 2), name="line"),
        dtype="string",
    )
    frame.attrs["source"] = "codebook.csv"
    return frame


def problems_of(frame):
    with pytest.raises(InputError) as caught:
        check_codebook(frame)
    return [str(problem) for problem in caught.value.problems]


# Table D.1 of talele2024 prints this many codes.
PRINTED_CODES = 44


def test_all_codes_of_table_d1_are_there(book):
    printed = book[(book["source"] == "talele2024") & book["locator"].str.contains(r"^Table D\.1")]
    assert len(printed) == PRINTED_CODES
    assert set(printed["origin"]) == {"deductive"}


def test_codes_of_table_d1_stand_under_the_seven_themes_of_chapter_5(book):
    printed = book[book["locator"].str.startswith("Table D.1")]
    # §5.2.1.1–5.2.1.5, §5.3.1.2, §5.3.1.3
    assert list(dict.fromkeys(printed["theme"])) == [
        "project_scoping",
        "mlops_status",
        "data",
        "infrastructure",
        "system_monitoring",
        "developing_a_model",
        "requirement_management",
    ]


def test_challenges_and_solutions_of_the_three_tables(book):
    # dusengimana2023: 4 rows in Table 1, 5 + 4 + 3 challenges in Table 2, 2 rows in Table 3. The text
    # has lost most of the third solution of model development; what is left goes with the second.
    leaves = book[(book["source"] == "dusengimana2023") & book["code"].map(compute_code_levels(book)).eq(MAX_LEVELS)]
    tables = leaves["locator"].str.extract(r"^Table (?P<table>\d)")["table"]
    counts = leaves.groupby(["theme", tables]).size()
    assert counts["challenge"].to_dict() == {"1": 4, "2": 12, "3": 2}
    assert counts["solution"].to_dict() == {"1": 4, "2": 11, "3": 2}


def test_the_framework_s_activities_are_codes_under_their_pipelines(book):
    activities = load_table("literature/activities.csv")
    codes = book.set_index("code").loc[list(activities["activity"])]
    assert list(codes["parent"]) == list("pipeline_" + activities["pipeline"])
    assert list(codes["definition"]) == list(activities["definition"])
    assert list(codes["locator"]) == list(activities["locator"])


def test_the_preconditions_are_codes_under_their_stages(book):
    preconditions = load_table("literature/preconditions.csv")
    codes = book.set_index("code").loc[[precondition_code(p) for p in preconditions["precondition"]]]
    assert list(codes["parent"]) == [f"stage_{stage}" for stage in preconditions["stage"]]
    assert list(codes["definition"]) == list(preconditions["text"])


def test_levels_and_themes(book):
    levels = compute_code_levels(book)
    assert set(levels) == {1, 2, 3}
    assert levels["data"] == 1 and levels["data_quality"] == 2 and levels["ci_cd"] == 3
    assert set(book.loc[book["parent"].isna(), "code"]) == set(book["theme"])


def test_above_and_below(book):
    assert codes_above(book, "ci_cd") == ("reliability_scalability", "infrastructure")
    assert codes_above(book, "infrastructure") == ()
    assert codes_below(book, "reliability_scalability") == ("automation", "ci_cd", "testing")
    assert "ci_cd" in codes_below(book, "infrastructure")
    with pytest.raises(InputError, match="no code 'cicd'"):
        codes_above(book, "cicd")


def test_rolling_up(book):
    assert compute_rolled_up_codes(book, 1).to_dict() == dict(zip(book["code"], book["theme"], strict=True))
    second = compute_rolled_up_codes(book, 2)
    assert second["ci_cd"] == "reliability_scalability"
    assert second["data_quality"] == "data_quality"
    assert second["data"] == "data"
    assert list(compute_rolled_up_codes(book, 3)) == list(book["code"])
    for level in (0, MAX_LEVELS + 1):
        with pytest.raises(InputError, match="no level"):
            compute_rolled_up_codes(book, level)


def test_an_unknown_parent_is_named_once_and_not_at_its_children():
    found = problems_of(made(("a", None, "a"), ("b", "lost", "a"), ("c", "b", "a")))
    assert len(found) == 1
    assert "codebook.csv:3, column 'parent': 'lost' is not a code" in found[0]


def test_a_ring_is_refused_at_each_of_its_codes_and_nowhere_else():
    found = problems_of(made(("a", "b", "a"), ("b", "a", "a"), ("c", "a", "a"), ("d", "d", "d"), ("e", None, "e")))
    assert [line.split(":")[1].split(",")[0] for line in found] == ["2", "3", "5"]
    assert all("is above itself" in line for line in found)


def test_a_fourth_level_is_refused():
    found = problems_of(made(("a", None, "a"), ("b", "a", "a"), ("c", "b", "a"), ("d", "c", "a")))
    assert len(found) == 1 and "'d' is at level 4, at most 3" in found[0]


def test_a_wrong_theme_is_refused():
    found = problems_of(made(("a", None, "a"), ("b", "a", "b"), ("x", None, "a")))
    assert len(found) == 2
    assert "'b' is not the topmost code, which is 'a'" in found[0]
    assert "'a' is not the topmost code, which is 'x'" in found[1]


def test_repeats_differ_in_more_than_case_and_spaces():
    frame = made(("a", None, "a"), ("b", None, "b"), ("c", None, "c"))
    frame.loc[3, "name"] = "name  0"
    frame.loc[4, "definition"] = "DEFINITION 0"
    found = problems_of(frame)
    assert len(found) == 2
    assert "lines 2, 3, column 'name'" in found[0]
    assert "lines 2, 4, column 'definition'" in found[1]


def test_all_faults_are_listed_together():
    frame = made(("a", None, "a"), ("a", None, "a"), ("b", "lost", "b"), ("c", "a", "b"))
    found = problems_of(frame)
    assert len(found) == 3


@given(st.data())
def test_any_tree_of_three_levels_is_sound_and_rolls_up_to_its_themes(data):
    size = data.draw(st.integers(1, 12))
    rows, level, theme = [], {}, {}
    for n in range(size):
        code = f"c{n}"
        above = data.draw(st.sampled_from([None, *[c for c in level if level[c] < MAX_LEVELS]]))
        level[code] = 1 if above is None else level[above] + 1
        theme[code] = code if above is None else theme[above]
        rows.append((code, above, theme[code]))
    shuffled = data.draw(st.permutations(rows))
    frame = made(*shuffled)
    assert check_codebook(frame) is frame
    assert compute_code_levels(frame).to_dict() == level
    assert compute_rolled_up_codes(frame, 1).to_dict() == theme
    for code in level:
        assert all(code in codes_below(frame, above) for above in codes_above(frame, code))
