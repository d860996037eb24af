"""Tables of the coding as printed: their sums are those of the stored tables, counted another way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.literature.coded_display import (
    DOCUMENT_NAMES,
    build_documents_table,
    build_theme_cells,
    build_theme_table,
    select_codes,
    start_draws,
    theme_names,
)
from analysis.literature.repeats import find_repeats
from analysis.literature.themes import compute_segment_frequencies
from tests.literature.small_coding import counted_coding, small_coding, stored_coding


def test_documents_with_passages_repeats_and_people():
    real = stored_coding()
    table = build_documents_table(real)
    assert table["Document"].tolist() == ["@" + name for name in DOCUMENT_NAMES]
    assert table["Passages"].sum() + table["Repeats"].sum() == len(real.segments)
    assert table["Repeats"].sum() == len(find_repeats(real.segments))
    people = real.participants[real.participants["kind"] != "unattributed"]
    assert table["Interviewed"].sum() == len(people)
    assert table.loc[table["Document"].isin(["@proposal2024", "@john2025"]), "Interviewed"].isna().all()
    assert (table["With a passage"] <= table["Interviewed"]).fillna(True).all()
    quotations = real.segments[real.segments["kind"] == "quotation"]
    assert table["Of these quoted"].sum() == len(quotations)


def test_themes_by_document_add_up():
    counted = counted_coding()
    table = build_theme_table(counted)
    book, documents = counted.codebook, list(DOCUMENT_NAMES.values())
    assert table["Theme"].tolist() == list(theme_names(counted).values())
    assert (table[documents].sum(axis=1) == table["All"]).all()
    themes = counted.codings[counted.codings["coder"] == "A"].merge(book[["code", "theme"]], on="code")
    counts = themes.drop_duplicates(["segment", "theme"]).groupby("theme").size()
    assert table["All"].tolist() == [counts[theme] for theme in theme_names(counted)]
    assert (
        table["Codes"].sum()
        == book["parent"].notna().sum() + (~book.loc[book["parent"].isna(), "code"].isin(book["parent"])).sum()
    )
    assert (table["Used"] <= table["Codes"]).all()
    assert table["Interviewees"].between(0, 19).all()


def test_segments_with_all_of_several_codes():
    coding = small_coding()
    assert select_codes(coding, "a2")["segment"].tolist() == ["T0002", "T0004", "D0001"]
    assert select_codes(coding, "a1", "a2")["segment"].tolist() == ["T0002"]
    assert select_codes(coding, "deep", coder="B")["segment"].tolist() == ["D0001"]
    with pytest.raises(InputError, match="not in the codebook"):
        select_codes(coding, "a1", "none_such")
    with pytest.raises(InputError, match="none given"):
        select_codes(coding)


def test_cells_print_shares_with_their_intervals():
    frequencies = pd.DataFrame(
        {
            "code": ["a", "b", "a"],
            "group": ["one", "one", "two"],
            "share": [0.25, 0.0, 0.5],
            "low": [0.1, 0.0, np.nan],
            "high": [0.456, 0.2, np.nan],
        }
    )
    cells = build_theme_cells(frequencies)
    assert cells["text"].tolist() == ["25 (10–46)%", "–", "50%"]
    assert cells[["row", "column"]].values.tolist() == [["a", "one"], ["b", "one"], ["a", "two"]]


def test_cells_hold_every_theme_and_document():
    counted = counted_coding()
    frequencies = compute_segment_frequencies(counted, by="document", level=1, method="wilson")
    cells = build_theme_cells(frequencies)
    assert set(cells["row"]) == set(theme_names(counted))
    assert set(cells["column"]) == set(DOCUMENT_NAMES)
    assert len(cells) == 23 * 5 and not cells.duplicated(["row", "column"]).any()


def test_the_same_seed_gives_the_same_draws():
    first, second = start_draws(7), start_draws(7)
    assert first.integers(10**9) == second.integers(10**9)
    assert start_draws(8).integers(10**9) != start_draws(7).integers(10**9)
