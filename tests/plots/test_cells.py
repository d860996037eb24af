from __future__ import annotations

import pandas as pd

from analysis.plots.cells import find_missing_cells, find_stray_cells

CELLS = pd.DataFrame({"row": ["a", "a", "b", "z"], "column": ["x", "x", "y", "x"]})


def test_strays_and_repeats_are_all_named():
    found = [str(problem.what) for problem in find_stray_cells(CELLS, ["a", "b"], {"x": "X"})]
    assert found == ["unknown row 'z'", "unknown column 'y'", "'a', 'x' comes twice"]
    assert find_stray_cells(CELLS.iloc[[0]], ["a"], ["x"]) == []


def test_missing_pairs_are_named_row_by_row():
    found = find_missing_cells(CELLS, ["a", "b"], ["x", "y"], "give it")
    assert [problem.what for problem in found] == ["'a', 'y' is not given", "'b', 'x' is not given"]
    assert {problem.remedy for problem in found} == {"give it"}
