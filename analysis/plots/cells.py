"""Checks that every figure of cells makes: matrices, heat maps, grids of symbols."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from analysis.base.errors import Problem


def find_stray_cells(cells: pd.DataFrame, rows: Iterable[str], columns: Iterable[str]) -> list[Problem]:
    """Cells of a row or column that the figure does not have, and cells given twice.

    Parameters
    ----------
    cells : DataFrame
        ``row``, ``column``.
    rows, columns : iterable of str
        Keys that the figure has.
    """
    problems = []
    for name, known in (("row", list(rows)), ("column", list(columns))):
        problems += [
            Problem("cells", f"unknown {name} '{value}'", f"one of: {', '.join(map(str, known))}")
            for value in cells.loc[~cells[name].isin(known), name].unique()
        ]
    twice = cells[cells.duplicated(["row", "column"])]
    return [
        *problems,
        *(Problem("cells", f"'{c.row}', '{c.column}' comes twice", "one cell each") for c in twice.itertuples()),
    ]


def find_missing_cells(cells: pd.DataFrame, rows: Iterable[str], columns: Iterable[str], remedy: str) -> list[Problem]:
    """Pairs of a row and a column that have no cell, where every pair needs one."""
    given, across = set(zip(cells["row"], cells["column"], strict=True)), list(columns)
    return [
        Problem("cells", f"'{row}', '{column}' is not given", remedy)
        for row in rows
        for column in across
        if (row, column) not in given
    ]
