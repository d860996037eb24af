"""Printed tables and rows of figures hold the numbers of the tables they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.base.estimates import Estimate
from analysis.literature.agreement import (
    MEASURES,
    compute_code_agreement,
    compute_overall_agreement,
    list_disagreements,
    select_shared,
)
from analysis.literature.cooccurrence import compute_cooccurrence
from analysis.literature.theme_display import (
    ROLE_NAMES,
    build_agreement_rows,
    build_agreement_table,
    build_code_agreement_table,
    build_disagreement_table,
    build_frequency_rows,
    build_frequency_table,
    build_group_cells,
    build_pair_table,
)
from analysis.literature.themes import (
    compute_coding_chart,
    compute_participant_frequencies,
    compute_segment_frequencies,
)
from analysis.plots.heat import draw_heat_map
from analysis.plots.intervals import draw_intervals
from tests.literature.small_coding import counted_coding, small_coding


def draws() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.fixture(scope="module")
def shared():
    return select_shared(small_coding())


def test_frequency_rows_by_hand():
    table = compute_segment_frequencies(small_coding(), by="document", level=1, method="wilson")
    rows = build_frequency_rows(table, groups={"dusengimana2023": "Two", "talele2024": "One"})
    assert rows[["group", "label", "text"]].values.tolist() == [
        ["Two", "Beta", "100% (3 of 3)"], ["Two", "Alpha", "33% (1 of 3)"],
        ["One", "Alpha", "60% (3 of 5)"], ["One", "Beta", "40% (2 of 5)"],
    ]  # fmt: skip
    assert not rows["hollow"].any()
    assert len(build_frequency_rows(table, most=1)) == 2
    assert build_frequency_rows(table, fewest=3)["label"].tolist() == ["Alpha", "Beta"]


def test_a_share_without_an_interval_says_so_and_can_be_drawn():
    table = compute_segment_frequencies(small_coding(), by="document", level=1, method="voices", rng=draws())
    rows = build_frequency_rows(table)
    assert rows["hollow"].all() and rows["text"].str.endswith(", no interval").all()
    assert (rows["low"] == rows["value"]).all() and (rows["high"] == rows["value"]).all()
    (axes,) = draw_intervals(rows, axis_title="Share").axes
    assert {text.get_text() for text in axes.texts} == set(rows["text"])
    assert set(build_frequency_table(table)["Interval"]) == {"none"}


def test_the_coding_chart_is_drawn_with_its_counts():
    chart = compute_coding_chart(counted_coding(), rng=draws(), resamples=199)
    rows = build_frequency_rows(chart)
    assert rows["value"].is_monotonic_decreasing and len(rows) == 5
    assert rows["text"].tolist()[0].endswith(f"({chart['count'].max()} of {chart['n'].iloc[0]})")
    table = build_frequency_table(chart)
    assert table["Count"].sum() == chart["n"].iloc[0] and "Group" not in table.columns


def test_cells_of_roles_hold_counts_shares_and_sizes():
    table = compute_participant_frequencies(counted_coding(), by="role_group", level=1, among="quoted")
    groups = {role: name for role, name in ROLE_NAMES.items() if role in set(table["group"])}
    cells, rows, columns = build_group_cells(table, groups=groups)
    sizes = table.groupby("group")["n"].first()
    assert columns == {role: f"{name}\n(n = {sizes[role]})" for role, name in groups.items()}
    for cell in cells.itertuples():
        count = int(cell.text or 0)
        assert count / sizes[cell.column] == pytest.approx(cell.value)
    assert len(cells) == len(rows) * len(columns)
    figure = draw_heat_map(cells, rows=rows, columns=columns, bar_label="Share")
    drawn = [text.get_text() for text in figure.axes[0].texts]
    assert sum(int(text or 0) for text in drawn) == table["count"].sum()
    few = build_group_cells(table, fewest=5)
    totals = table.groupby("code")["count"].sum()
    assert set(few[1]) == set(totals.index[totals >= 5])


def test_printed_frequencies():
    printed = build_frequency_table(
        compute_segment_frequencies(small_coding(), by="document", level=1, method="wilson")
    )
    assert list(printed.columns) == ["Group", "Code", "Count", "n", "Share", "Interval"]
    assert printed.loc[0].tolist()[:5] == ["talele2024", "Alpha", 3, 5, "60.0%"]
    assert printed.at[0, "Interval"] == "23.1–88.2%"  # Wilson, three of five


def test_pairs_print_bounds_where_there_are_some():
    pairs = compute_cooccurrence(counted_coding(), level=1, rng=draws(), resamples=199)
    table = build_pair_table(pairs, rows=3)
    assert table["Together"].tolist() == pairs["count"].head(3).tolist()
    assert table["Pair"].tolist()[0] == f"{pairs.at[0, 'first_name']} + {pairs.at[0, 'second_name']}"
    assert table["Lift"].str.fullmatch(r"\d+\.\d \(\d+\.\d–\d+\.\d\)").all()
    few = build_pair_table(compute_cooccurrence(small_coding(), level=1, fewest=1, rng=draws(), resamples=9), rows=9)
    assert few["Together"].tolist() == [1]


def test_agreement_table_and_rows_name_every_measure(shared):
    found = compute_overall_agreement(shared, rng=draws(), resamples=199)
    table = build_agreement_table({1: {}, 3: found})
    assert table["Measure"].tolist() == list(MEASURES.values())
    assert set(table["Themes"]) == {"undefined"}
    assert table["Codes"].tolist()[0].startswith("33.3% (")
    rows = build_agreement_rows({1: {}, 3: found}, ["alpha", "cohen"])
    assert rows[["group", "label"]].values.tolist() == [[MEASURES["alpha"], "codes"], [MEASURES["cohen"], "codes"]]
    assert rows["value"].tolist() == [found["alpha"].value, found["cohen"].value]
    bare = build_agreement_rows({3: {"alpha": Estimate(1.0)}}, ["alpha"]).iloc[0]
    assert bare["hollow"] and bare["low"] == bare["high"] == 1
    with pytest.raises(InputError, match="'phi'"):
        build_agreement_rows({3: found}, ["phi"])


def test_code_agreement_lists_the_worst_first_and_leaves_out_the_rare(shared):
    table = compute_code_agreement(shared, small_coding(), fewest=2, rng=draws(), resamples=199)
    printed = build_code_agreement_table(table)
    kept = table[table["alpha"].notna()]
    assert set(printed["Code"]) == set(kept["name"]) and len(printed) == len(kept) < len(table)
    shown = printed["Alpha"].str.extract(r"^(-?\d\.\d\d)")[0].astype(float)
    assert shown.is_monotonic_increasing


def test_a_bound_that_rounds_to_nil_is_no_negative_number():
    row = {"name": "Alpha", "first": 3, "second": 4, "both": 2, "alpha": 0.5, "alpha_low": -0.004, "alpha_high": 0.9,
           "cohen": 0.5, "cohen_low": -0.04, "cohen_high": 0.9, "ac1": 0.9, "ac1_low": 0.8,
           "ac1_high": 1.0}  # fmt: skip
    printed = build_code_agreement_table(pd.DataFrame([row])).iloc[0]
    assert printed["Alpha"] == "0.50 (0.00–0.90)"
    assert printed["Cohen's kappa"] == "0.50 (-0.04 to 0.90)"


def test_disagreements_are_printed_the_farthest_apart_first(shared):
    printed = build_disagreement_table(list_disagreements(shared, small_coding()), rows=2)
    assert printed["Segment"].tolist() == ["D0002, §1", "T0002, §1, ID1"]
    assert printed.loc[0, ["Both", "First pass only", "Second pass only"]].tolist() == ["", "First beta", "First alpha"]


@pytest.mark.parametrize("build", [build_frequency_rows, build_group_cells])
@pytest.mark.parametrize(
    ("options", "message"), [({"groups": {"nowhere": "Nowhere"}}, "'nowhere'"), ({"fewest": 99}, "nothing to draw")]
)
def test_what_is_not_there_is_not_drawn(build, options, message):
    table = compute_segment_frequencies(small_coding(), by="document", level=1, method="wilson")
    with pytest.raises(InputError, match=message):
        build(table, **options)
