"""Exact test of independence in a table with fixed margins (Fisher–Freeman–Halton), by a network of subtables.

A table is filled column by column. What is still to be filled depends only on what is left of the row totals, so all
fillings meet in one node for each such remainder, and rows with their order changed are the same node. Mehta and
Patel's two bounds keep the work small: a partial table whose most probable completion is no more probable than the
table seen counts with all its completions at once, and one whose least probable completion is more probable is left
out.

References
----------
Freeman GH, Halton JH (1951) Note on an exact treatment of contingency, goodness of fit and other problems of
significance. Biometrika 38, 141–149.
Mehta CR, Patel NR (1983) A network algorithm for performing Fisher's exact test in r × c contingency tables. JASA 78,
427–434.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special

from analysis.base.errors import Problem
from analysis.stats.checks import refuse

RELATIVE = 1e-7
"""Tables whose probabilities differ by less than this share count as equally probable (R's fisher.test)."""

LARGEST_WORK = 60_000_000
"""Partial tables after which the enumeration gives up: about ten seconds."""

LARGEST_ARCS = 3_000_000


@dataclass(frozen=True, slots=True)
class _Stage:
    """One column's arcs, ordered by parent, with the nodes they lead to."""

    starts: np.ndarray
    children: np.ndarray
    weights: np.ndarray
    completions: np.ndarray
    """For each node that this column leads to: log of the summed weight of all completions."""


def exact_table_p(table: np.ndarray) -> tuple[float, float]:
    """Probability of ``table`` given its margins, and of all tables that are no more probable.

    Parameters
    ----------
    table : integer array
        Two rows and two columns or more, no empty row or column.

    Returns
    -------
    (probability, p_value)

    Raises
    ------
    InputError
        More partial tables than can be counted out; the remedy is the Monte-Carlo test.

    Examples
    --------
    >>> tuple(round(value, 4) for value in exact_table_p(np.array([[3, 1], [1, 3]])))
    (0.2286, 0.4857)
    """
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    if len(columns) < len(rows):
        rows, columns = columns, rows
    columns, n = np.sort(columns)[::-1], int(table.sum())
    logs = special.gammaln(np.arange(n + 2) + 1.0)
    constant = logs[rows].sum() + logs[columns].sum() - logs[n]
    seen = float(constant - logs[table].sum())
    if len(rows) * np.log2(n + 1) > 62:
        _give_up(f"{len(rows)} rows and {n} respondents")
    stages = _build_network(np.sort(rows), columns, logs)
    longest, shortest = _completion_bounds(stages)
    limit = seen - constant + np.log1p(RELATIVE)
    return float(np.exp(seen)), min(1.0, float(_sum_extreme(stages, longest, shortest, limit, constant)))


def _build_network(rows: np.ndarray, columns: np.ndarray, logs: np.ndarray) -> list[_Stage]:
    base = (int(rows.sum()) + 1) ** np.arange(len(rows), dtype=np.int64)
    nodes, stages, arcs = rows[None], [], 0
    for place, column in enumerate(columns):
        starts, keys, weights = [0], [], []
        for node in nodes:
            fillings = _fillings(node, int(column))
            keys.append(np.sort(node - fillings, axis=1) @ base)
            weights.append(-logs[fillings].sum(axis=1))
            starts.append(starts[-1] + len(fillings))
            arcs += len(fillings)
            if arcs > LARGEST_ARCS:
                _give_up(f"more than {LARGEST_ARCS:,} arcs")
        codes, children = np.unique(np.concatenate(keys), return_inverse=True)
        nodes = codes[:, None] // base % base[1]
        rest = columns[place + 1 :]
        completions = logs[nodes.sum(axis=1)] - logs[nodes].sum(axis=1) - logs[rest].sum()
        stages.append(_Stage(np.array(starts), children, np.concatenate(weights), completions))
    return stages


def _fillings(node: np.ndarray, column: int) -> np.ndarray:
    """All ways to take ``column`` respondents from what ``node`` has left in its rows."""
    room = np.cumsum(node[::-1])[::-1]  # respondents left in this row and those below it
    parts, left = np.empty((1, 0), dtype=np.int64), np.array([column])
    for place, most in enumerate(node):
        below = room[place + 1] if place + 1 < len(node) else 0
        least = np.maximum(0, left - below)
        sizes = np.minimum(most, left) - least + 1
        owner = np.repeat(np.arange(len(left)), sizes)
        taken = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + least[owner]
        parts, left = np.column_stack([parts[owner], taken]), left[owner] - taken
    return parts


def _completion_bounds(stages: list[_Stage]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Log weight of the most and of the least probable completion, for the nodes after each column."""
    longest, shortest = [np.zeros(1)], [np.zeros(1)]
    for stage in reversed(stages[1:]):
        longest.append(np.maximum.reduceat(stage.weights + longest[-1][stage.children], stage.starts[:-1]))
        shortest.append(np.minimum.reduceat(stage.weights + shortest[-1][stage.children], stage.starts[:-1]))
    return longest[::-1], shortest[::-1]


def _sum_extreme(
    stages: list[_Stage], longest: list[np.ndarray], shortest: list[np.ndarray], limit: float, constant: float
) -> float:
    total, work = 0.0, 0
    pasts: list[tuple[np.ndarray, np.ndarray]] = [(np.zeros(1), np.ones(1))]
    for place, stage in enumerate(stages):
        found: list[list[np.ndarray]] = [[], [], []]
        for parent, (logs, tables) in enumerate(pasts):
            arcs = slice(stage.starts[parent], stage.starts[parent + 1])
            work += len(logs) * (arcs.stop - arcs.start)
            if work > LARGEST_WORK:
                _give_up(f"more than {LARGEST_WORK:,} partial tables")
            children = stage.children[arcs]
            past = logs[:, None] + stage.weights[arcs]
            counted = past + longest[place][children] <= limit
            total += float((np.exp(constant + past + stage.completions[children]) * tables[:, None])[counted].sum())
            open_ = ~counted & (past + shortest[place][children] <= limit)
            at, arc = np.nonzero(open_)
            found[0].append(children[arc])
            found[1].append(past[at, arc])
            found[2].append(tables[at])
        pasts = _merge(*(np.concatenate(part) for part in found), len(longest[place]))
    return total


def _merge(
    children: np.ndarray, logs: np.ndarray, tables: np.ndarray, nodes: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Partial tables of one node and one probability become one, with their number."""
    rounded = np.round(logs, 9)
    order = np.lexsort((rounded, children))
    children, rounded, logs, tables = children[order], rounded[order], logs[order], tables[order]
    first = np.flatnonzero(np.r_[True, (np.diff(children) != 0) | (np.diff(rounded) != 0)][: len(children)])
    sums = np.add.reduceat(tables, first) if len(first) else tables
    ends = np.searchsorted(children[first], np.arange(nodes + 1))
    return [(logs[first][a:b], sums[a:b]) for a, b in pairwise(ends)]


def _give_up(what: str) -> None:
    refuse("The exact test is out of reach.", [Problem("table", what, "method='monte-carlo'")])
