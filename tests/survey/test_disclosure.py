"""Nobody can be told from what is published: suppressed cells are attacked, by enumeration where that can be done."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.survey.anonymity import quasi_identifier_columns, report_anonymity
from analysis.survey.demo import build_demo
from analysis.survey.disclosure import (
    NO_ANSWER,
    TOTAL,
    build_crosstab,
    find_cycle,
    prove_protection,
    suppress_small_cells,
)
from analysis.survey.instrument import load_instrument


def people(counts: np.ndarray, names=("group", "answer")) -> pd.DataFrame:
    """Rows that count up to the table; every level occurs as a category."""
    rows = [place for place, count in np.ndenumerate(counts) for _ in range(int(count))]
    frame = pd.DataFrame(rows, columns=list(names))
    return frame.apply(lambda column: pd.Categorical(
        column.map(lambda code: f"{column.name}{code}"),
        categories=[f"{column.name}{code}" for code in range(counts.shape[list(names).index(column.name)])],
    ))  # fmt: skip


def attack(table: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """Try every table of whole numbers that agrees with a published table of two variables."""
    rows, columns, _ = table.columns
    wide = table.pivot(index=rows, columns=columns, values="count")
    wide = wide.loc[list(dict.fromkeys(table[rows])), list(dict.fromkeys(table[columns]))]
    shown = wide.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    inner = np.nan_to_num(shown[:-1, :-1])
    free = list(zip(*np.nonzero(np.isnan(shown[:-1, :-1])), strict=True))
    low, high = np.full(shown.shape, np.inf), np.full(shown.shape, -np.inf)

    def fill(at: int, left: int) -> None:
        if at == len(free):
            whole = np.pad(inner, ((0, 1), (0, 1)))
            whole[-1], whole[:, -1] = whole.sum(axis=0), whole.sum(axis=1)
            whole[-1, -1] = inner.sum()
            if np.all(np.isnan(shown) | (whole == shown)):
                np.minimum(low, whole, out=low)
                np.maximum(high, whole, out=high)
            return
        for value in range(left, left + 1) if at == len(free) - 1 else range(left + 1):
            inner[free[at]] = value
            fill(at + 1, left - value)

    fill(0, int(shown[-1, -1] - inner.sum()))
    return {
        (wide.index[row], wide.columns[column]): (int(low[row, column]), int(high[row, column]))
        for row, column in zip(*np.nonzero(np.isnan(shown)), strict=True)
    }


@pytest.mark.parametrize(
    "counts",
    [[[2, 6], [7, 3]], [[1, 8], [9, 9]], [[0, 1], [6, 6]], [[1, 1, 6], [5, 5, 0]], [[3, 5], [0, 5], [5, 0]]],
)  # fmt: skip
def test_enumeration_finds_what_the_proof_says(counts):
    frame = people(np.array(counts))
    done = suppress_small_cells(frame, [("group", "answer")], ["group"], k=4)
    found = attack(done.tables["group", "answer"])
    told = {
        tuple(sorted(part.split(" = ")[1] for part in row.cell.split(", "))): (row.low, row.high)
        for row in done.intervals.itertuples()
    }
    assert len(told) == len(found) >= 1
    for (row, column), (low, high) in found.items():
        name = tuple(sorted(level for level in (row, column) if level != TOTAL))
        assert told[name] == (low, high)
        assert high - low >= 4


def test_totals_would_give_a_single_suppressed_cell_away():
    """One small cell: by itself it is the row's total minus the rest, so others must go with it."""
    frame = people(np.array([[2, 20, 20], [20, 20, 20], [20, 20, 20]]))
    done = suppress_small_cells(frame, [("group", "answer")], ["group"])
    assert (done.primary, done.complementary) == (1, 3)  # the least: a rectangle
    assert done.tables["group", "answer"]["count"].isna().sum() == 4
    naive = {key: table.copy() for key, table in done.tables.items()}
    counts = naive["group", "answer"]
    full = frame.groupby(["group", "answer"], observed=False).size()
    small = (counts["group"] == "group0") & (counts["answer"] == "answer0")
    for row in counts.index[counts["count"].isna() & ~small]:
        counts.loc[row, "count"] = full[counts.loc[row, "group"], counts.loc[row, "answer"]]
    with pytest.raises(InputError, match=r"answer = answer0, group = group0: can only be 2 to 2"):
        prove_protection(naive, 5)


def test_shown_counts_are_true_and_small_ones_are_gone():
    rng = np.random.default_rng(5)
    frame = people(rng.poisson(4, (6, 4)))
    table = suppress_small_cells(frame, [("group", "answer")], ["group"]).tables["group", "answer"]
    true = pd.crosstab(frame["group"], frame["answer"], dropna=False, margins=True, margins_name=TOTAL)
    for group, answer, count in table.itertuples(index=False):
        if pd.isna(count):
            continue
        assert count == true.loc[group, answer]
        assert count == 0 or count >= 5


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), min_size=3, max_size=3), min_size=2, max_size=4), st.integers(2, 6))
def test_any_table_is_protected(rows, k):
    counts = np.array(rows)
    if counts.sum() < 3 * k:
        return
    frame = people(counts)
    done = suppress_small_cells(frame, [("group", "answer")], ["group"], k=k)
    assert ((done.intervals["high"] - done.intervals["low"]) >= k).all()
    left = done.tables["group", "answer"]["count"].dropna()
    assert ((left == 0) | (left >= k)).all()
    assert done.primary + done.complementary == len(done.intervals)


def test_tables_that_share_totals_are_protected_together():
    """Each table alone is safe; a total suppressed in one and shown in the other would be given away."""
    rng = np.random.default_rng(11)
    n = 84
    frame = pd.DataFrame(
        {
            "role": pd.Categorical(rng.choice(list("ABCDE"), n, p=[0.4, 0.3, 0.2, 0.07, 0.03])),
            "years": pd.Categorical(rng.choice(["few", "some", "many"], n, p=[0.5, 0.43, 0.07])),
            "view": pd.Categorical(rng.choice(list("12345"), n, p=[0.04, 0.06, 0.15, 0.4, 0.35])),
        }
    )
    done = suppress_small_cells(frame, [("role", "view"), ("years", "view"), ("role",)], ["role", "years"])
    first, second = done.tables["role", "view"], done.tables["years", "view"]
    totals = [table.loc[table.iloc[:, 0] == TOTAL].set_index("view")["count"] for table in (first, second)]
    pd.testing.assert_series_equal(*totals)
    single = done.tables[("role",)].set_index("role")["count"]
    pd.testing.assert_series_equal(
        first.loc[first["view"] == TOTAL].set_index("role")["count"], single, check_names=False
    )
    assert prove_protection(done.tables, 5).equals(done.intervals)


def compositions(n: int, parts: int) -> np.ndarray:
    """Every way of writing n as a sum of so many whole numbers, a row each."""
    bars = np.array(list(itertools.combinations(range(n + parts - 1), parts - 1)))
    edges = np.column_stack([np.full(len(bars), -1), bars, np.full(len(bars), n + parts - 1)])
    return np.diff(edges, axis=1) - 1


@pytest.mark.parametrize(
    "counts", [[1, 0, 2, 2, 3, 1, 0, 4], [0, 1, 3, 2, 2, 2, 4, 0], [3, 2, 1, 0, 2, 2, 0, 4], [4, 1, 0, 3, 1, 0, 2, 2]]
)
def test_a_ring_of_tables_is_attacked_through_their_joint_table(counts):
    """Three pairs of three yes-or-no questions, against every joint table of as many people that agrees with them."""
    names = ("a", "b", "c")
    frame = people(np.array(counts).reshape(2, 2, 2), names)
    tables = [("a", "b"), ("b", "c"), ("a", "c")]
    assert find_cycle(tables) == list(names)
    done = suppress_small_cells(frame, tables, ["a"], k=2)
    joint = list(itertools.product((0, 1), repeat=3))
    cells, members = {}, {}
    for variables, table in done.tables.items():
        for *levels, count in table.itertuples(index=False, name=None):
            fixed = {name: int(level[1]) for name, level in zip(variables, levels, strict=True) if level != TOTAL}
            key = ", ".join(f"{name} = {name}{level}" for name, level in sorted(fixed.items())) or "all responses"
            cells[key] = count
            members[key] = [all(cell[names.index(name)] == level for name, level in fixed.items()) for cell in joint]
    trials = compositions(len(frame), 8)
    for key, count in cells.items():
        if not pd.isna(count):
            trials = trials[trials @ np.array(members[key]) == count]
    assert len(trials) > 1 and len(done.intervals)
    for row in done.intervals.itertuples():
        values = trials @ np.array(members[row.cell])
        assert (row.low, row.high) == (values.min(), values.max())
        assert row.high - row.low >= 2


def test_tables_without_quasi_identifiers_are_shown_whole():
    frame = people(np.array([[1, 9], [9, 2]]))
    done = suppress_small_cells(frame, [("group", "answer")], [])
    assert done.tables["group", "answer"]["count"].notna().all() and done.intervals.empty


def test_missing_answers_are_a_level_so_that_totals_agree():
    frame = people(np.array([[9, 9], [9, 9]]))
    frame.loc[:6, "answer"] = None
    table = suppress_small_cells(frame, [("group", "answer")], ["group"]).tables["group", "answer"]
    assert NO_ANSWER in set(table["answer"]) and table["count"].iloc[-1] == 36


def test_booleans_and_a_printed_table():
    responses, _ = build_demo(load_instrument("practitioners"), 84, 3)
    done = suppress_small_cells(responses.table, [("Q2", "Q4")], ["Q2"])
    printed = build_crosstab(done, ("Q2", "Q4"))
    assert list(printed.columns) == ["no", "yes", TOTAL] and list(printed.index)[-1] == TOTAL
    assert set(printed.to_numpy().ravel()) - {"×"} <= {str(number) for number in range(85)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tables": [("group", "nobody")]}, "no such column"),
        ({"tables": [("group", "group")]}, "a variable twice"),
        ({"tables": []}, "none is given"),
        ({"k": 1}, "k is at least 2"),
        ({"k": 50}, "nothing is published"),
    ],
)
def test_what_cannot_be_protected_is_said(change, said):
    settings = {"tables": [("group", "answer")], "k": 5} | change
    with pytest.raises(InputError, match=said):
        suppress_small_cells(people(np.array([[9, 9], [9, 9]])), settings.pop("tables"), ["group"], **settings)


def test_a_ring_too_large_is_refused():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: pd.Categorical(rng.integers(0, 17, 300)) for name in "abc"})
    with pytest.raises(InputError, match="at most 4000"):
        suppress_small_cells(frame, [("a", "b"), ("b", "c"), ("a", "c")], ["a"])


def test_contradicting_tables_are_noticed():
    frame = people(np.array([[9, 9], [9, 2]]))
    tables = suppress_small_cells(frame, [("group", "answer")], ["group"]).tables
    table = tables["group", "answer"]
    table.loc[(table["group"] == "group0") & (table["answer"] == TOTAL), "count"] = 40
    with pytest.raises(InputError):
        prove_protection(tables, 1)


@pytest.mark.parametrize(
    ("tables", "ring"),
    [
        ([("a",)], []),
        ([("a", "b", "c")], []),
        ([("a", "b"), ("b", "c"), ("c", "d")], []),
        ([("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")], ["a", "b", "c", "d"]),
        ([("a", "b"), ("b", "c"), ("a", "c"), ("a", "b", "c")], []),
        ([("a", "b"), ("a", "b")], []),
    ],
)
def test_rings(tables, ring):
    assert find_cycle(tables) == ring


# ---- groups ------------------------------------------------------------------------------------------------------


def test_group_sizes_by_hand():
    frame = pd.DataFrame({"role": list("aaaabbbc"), "years": list("11112221"), "view": list("55551234")})
    report = report_anonymity(frame, ["role", "years"], k=4, sensitive=["view"])
    assert (report.n, report.groups, report.k, report.unique, report.below, report.alike) == (8, 3, 1, 1, 4, 1)
    assert report.sizes.to_dict("list") == {"size": [1, 3, 4], "groups": [1, 1, 1], "people": [1, 3, 4]}
    assert "1 people are alone" in report.text()


def test_missing_answers_group_like_any_other():
    frame = pd.DataFrame({"role": ["a", None, None, None]})
    assert report_anonymity(frame, ["role"], k=3).below == 1


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("123")), min_size=1, max_size=40), st.randoms())
def test_the_report_does_not_depend_on_order_and_adds_up(rows, random):
    frame = pd.DataFrame(rows, columns=["x", "y"])
    report = report_anonymity(frame, ["x", "y"])
    shuffled = frame.sample(frac=1, random_state=random.randint(0, 99))
    other = report_anonymity(shuffled, ["y", "x"])
    assert (report.k, report.unique, report.below, report.groups) == (other.k, other.unique, other.below, other.groups)
    assert report.sizes["people"].sum() == len(frame)


def test_columns_of_quasi_identifiers():
    instrument = load_instrument("screening")
    responses, _ = build_demo(instrument, 10)
    columns = quasi_identifier_columns(instrument, responses.table)
    assert columns[0] == "Q5" and columns[-1] == "Q9" and "Q6.other" in columns and "Q6.text" not in columns


@pytest.mark.parametrize(("columns", "said"), [(["nobody"], "no such column"), ([], "none is given")])
def test_groups_that_cannot_be_made(columns, said):
    with pytest.raises(InputError, match=said):
        report_anonymity(pd.DataFrame({"a": [1]}), columns)
