"""No cell breaks its table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analysis.base.markdown import pipe_table


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1, max_size=4))
def test_a_cell_never_breaks_its_table(cells):
    lines = pipe_table([f"c{i}" for i in range(len(cells))], [cells]).split("\n")
    assert len(lines) == 3
    assert lines[2].replace(r"\|", "").count("|") == len(cells) + 1
