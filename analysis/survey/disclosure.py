"""Small cells: suppressed wherever they could point at somebody, and so that totals do not give them back.

All tables that are to be published go in together, since they share totals. A count from one to k - 1 of a table
with a quasi-identifier is suppressed (primary). Further cells are then suppressed (complementary) until nobody who
knows everything that is published, adds and subtracts, and knows that counts are whole numbers, can narrow any
suppressed cell to fewer than ``width`` steps between its least and greatest possible value. As no count is below
zero, a width of k means that every suppressed cell may as well be k or more.

What is searched for is a set of cells of least cost that leaves each of them such an interval: for one unprotected
cell after the other, a small integer problem (the perturbation model of cell suppression: M. Fischetti and
J. J. Salazar, "Models and algorithms for optimizing cell suppression in tabular data with linear constraints",
Journal of the American Statistical Association 95, 2000, 916-928). The result is then proved from the published
cells alone (`prove_protection`). The cost is the number of cells, with totals ten times dearer a step.

Not covered: what somebody knows from elsewhere, and inference from the way in which cells were chosen. A category
in which everybody gave the same answer discloses that answer at any size (`analysis.survey.anonymity` counts those).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack, vstack

from analysis.base.errors import InputError, Problem

TOTAL, NO_ANSWER = "Total", "no answer"
MOST_CELLS = 4000
_DEARER = 10.0
Cell = frozenset  # of (variable, level) pairs; the empty one is the grand total


@dataclass(frozen=True)
class Protection:
    """Tables that may be published.

    Attributes
    ----------
    tables : dict of tuple of str to DataFrame
        Variables → a row a cell: a column a variable (level or ``Total``), ``count`` (missing where suppressed).
    intervals : DataFrame
        Every suppressed cell: ``cell``, ``low``, ``high``: all that the published cells say about it.
    k, width : int
        Threshold, and narrowest interval left.
    primary, complementary : int
        Suppressed cells, counted once where tables share them.
    """

    tables: dict[tuple[str, ...], pd.DataFrame]
    intervals: pd.DataFrame
    k: int
    width: int
    primary: int
    complementary: int


def suppress_small_cells(
    responses: pd.DataFrame,
    tables: Sequence[Sequence[str]],
    quasi_identifiers: Sequence[str],
    *,
    k: int = 5,
    width: int | None = None,
) -> Protection:
    """Count the answers for each table and suppress what could point at somebody.

    Parameters
    ----------
    responses : DataFrame
        Categorical, boolean or text columns; missing answers count as a level of their own.
    tables : sequence of sequence of str
        The columns of each table that will be published, with all its totals.
    quasi_identifiers : sequence of str
        Columns by which people may be recognised.
    k : int
        Smallest count that is shown in a table with a quasi-identifier. Zeros are shown.
    width : int, optional
        Narrowest interval that a suppressed cell may be left with; ``k`` unless told otherwise.

    Raises
    ------
    InputError
        Unknown columns; too few responses; too many cells; or tables that no suppression protects.
    """
    width = k if width is None else width
    wanted = list(dict.fromkeys(tuple(table) for table in tables))
    _check(responses, wanted, quasi_identifiers, k, width)
    coded = {name: _levels(responses[name]) for name in dict.fromkeys(chain.from_iterable(wanted))}
    counts: dict[Cell, int] = {}
    for table in wanted:
        for part in _subsets(table):
            counts |= _count_cells(part, coded, len(responses), {name: coded[name][1] for name in part})
    system = _System(counts, wanted, {name: levels for name, (_, levels) in coded.items()})
    true = np.array([counts.get(cell, -1) for cell in system.cells])
    if (hidden := np.flatnonzero(true < 0)).size:
        core = sorted({name for cell in (system.cells[at] for at in hidden) for name, _ in cell})
        extra: dict[Cell, int] = {}
        for part in _subsets(core):
            extra |= _count_cells(part, coded, len(responses), {name: coded[name][1] for name in part})
        true[hidden] = [extra[system.cells[at]] for at in hidden]
    sensitive = np.array([any(name in quasi_identifiers for name, _ in cell) for cell in system.cells])
    primary = system.published & sensitive & (true > 0) & (true < k)
    suppressed = _complete(system, true, primary, width)
    shown = {
        table: _frame(table, counts, system, suppressed, {name: coded[name][1] for name in table}) for table in wanted
    }
    intervals = prove_protection(shown, width)
    return Protection(shown, intervals, k, width, int(primary.sum()), int((suppressed & ~primary).sum()))


def prove_protection(tables: Mapping[tuple[str, ...], pd.DataFrame], width: int) -> pd.DataFrame:
    """Bound every suppressed cell by what is published, as anybody could, and require ``width`` of each.

    Parameters
    ----------
    tables : mapping of tuple of str to DataFrame
        As in `Protection.tables`; nothing else is used.
    width : int

    Returns
    -------
    DataFrame
        ``cell``, ``low``, ``high`` of every suppressed cell.

    Raises
    ------
    InputError
        A cell can be narrowed further; or the published cells contradict each other.
    """
    counts: dict[Cell, int | None] = {}
    levels: dict[str, list[str]] = {}
    for names, frame in tables.items():
        for row in frame.itertuples(index=False, name=None):
            pairs = dict(zip(frame.columns, row, strict=True))
            cell = Cell((name, pairs[name]) for name in names if pairs[name] != TOTAL)
            counts[cell] = None if pd.isna(pairs["count"]) else int(pairs["count"])
            for name in names:
                if pairs[name] != TOTAL and pairs[name] not in levels.setdefault(name, []):
                    levels[name].append(pairs[name])
    system = _System(counts, list(tables), levels)
    known = np.array([-1 if counts.get(cell) is None else counts[cell] for cell in system.cells])
    rows, problems = [], []
    for at in np.flatnonzero((known < 0) & system.published):
        low, high = system.bound(known, at)
        rows.append((_name(system.cells[at]), low, high))
        if high - low < width:
            problems.append(Problem(_name(system.cells[at]), f"can only be {low} to {high}", "suppress more cells"))
    if problems:
        raise InputError(f"Suppressed cells can be narrowed to fewer than {width} steps.", problems)
    return pd.DataFrame(rows, columns=["cell", "low", "high"])


def build_crosstab(protection: Protection, table: Sequence[str], mark: str = "×") -> pd.DataFrame:
    """One table of two variables as printed: rows, columns, totals, and a mark where a count is suppressed."""
    rows, columns = table
    frame = protection.tables[tuple(table)]
    text = frame["count"].astype("string").fillna(mark)
    wide = frame.assign(text=text).pivot(index=rows, columns=columns, values="text")
    return wide.loc[list(dict.fromkeys(frame[rows])), list(dict.fromkeys(frame[columns]))]


def find_cycle(tables: Iterable[Sequence[str]]) -> list[str]:
    """Variables of tables that hang together in a ring (Graham's reduction), or none.

    Without a ring, margins that agree where tables overlap always fit one joint table, so that looking at each
    table and its totals is enough; with one, the joint table itself narrows cells further.

    >>> find_cycle([("a", "b"), ("b", "c")])
    []
    >>> find_cycle([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")])
    ['a', 'b', 'c']
    """
    edges = [set(table) for table in tables]
    while True:
        before = [set(edge) for edge in edges]
        for edge in edges:
            edge -= {name for name in edge if sum(name in other for other in edges) == 1}
        edges = [
            edge
            for at, edge in enumerate(edges)
            if edge and not any(edge < other or (edge == other and at > place) for place, other in enumerate(edges))
        ]
        if edges == before or not edges:
            return sorted(set().union(*edges)) if edges else []


class _System:
    """The cells, and how totals bind them."""

    def __init__(self, counts: Mapping[Cell, int | None], tables: Sequence[Sequence[str]], levels: Mapping) -> None:
        cells = dict.fromkeys(counts)
        cycle = find_cycle(tables)
        wholes = [*tables, tuple(cycle)] if cycle else list(tables)
        size = math.prod(len(levels[name]) + 1 for name in cycle) if cycle else 0
        if size + len(cells) > MOST_CELLS:
            raise InputError(
                "These tables cannot be protected together.",
                [
                    Problem(
                        ", ".join(cycle) or "tables",
                        f"{size + len(cells)} cells, at most {MOST_CELLS} can be solved",
                        "publish fewer tables that share variables in a ring, or merge categories",
                    )
                ],
            )
        lines: dict[tuple[Cell, str], None] = {}
        for whole in wholes:
            for part in _subsets(whole):
                for name in part:
                    rest = [other for other in part if other != name]
                    for chosen in product(*(levels[other] for other in rest)):
                        lines[(Cell(zip(rest, chosen, strict=True)), name)] = None
        for total, name in lines:
            cells.setdefault(total)
            for level in levels[name]:
                cells.setdefault(total | {(name, level)})
        self.cells = list(cells)
        self.published = np.array([cell in counts for cell in self.cells])
        place = {cell: at for at, cell in enumerate(self.cells)}
        entries = [(row, place[total], -1.0) for row, (total, _) in enumerate(lines)]
        entries += [
            (row, place[total | {(name, level)}], 1.0)
            for row, (total, name) in enumerate(lines)
            for level in levels[name]
        ]
        at, column, value = zip(*entries, strict=True)
        self.relations = csr_array((value, (at, column)), shape=(len(lines), len(self.cells)))
        self.total = place[Cell()]

    def bound(self, known: np.ndarray, at: int) -> tuple[int, int]:
        """Least and greatest value of a cell, given the others (-1 where unknown)."""
        open_cells = np.flatnonzero(known < 0)
        fixed = np.flatnonzero(known >= 0)
        matrix = self.relations[:, open_cells]
        target = -(self.relations[:, fixed] @ known[fixed].astype(float))
        rows = np.flatnonzero(np.diff(matrix.tocsr().indptr) > 0)
        empty = np.setdiff1d(np.arange(matrix.shape[0]), rows)
        found = []
        for sign in (1.0, -1.0):
            cost = np.where(open_cells == at, sign, 0.0)
            result = milp(
                cost,
                integrality=np.ones(len(open_cells)),
                bounds=Bounds(0, float(known[self.total])),
                constraints=LinearConstraint(matrix[rows], target[rows], target[rows]),
            )
            if result.x is None or np.any(np.abs(target[empty]) > 1e-9):
                raise InputError(
                    "The published cells contradict each other.",
                    [
                        Problem(
                            _name(self.cells[at]), "no whole counts fit all totals", "publish tables of the same rows"
                        )
                    ],
                )
            found.append(round(sign * result.fun))
        return found[0], found[1]

    def cheapest(self, true: np.ndarray, suppressed: np.ndarray, at: int, width: int, cost: np.ndarray) -> np.ndarray:
        """Cells to suppress as well, so that cell ``at`` may lie anywhere in an interval of ``width``.

        Two tables that agree with all that stays published: one with the cell low, one with it high.
        """
        size, n = len(self.cells), float(true[self.total])
        eye = csr_array(np.eye(size))
        nothing = csr_array((self.relations.shape[0], size))
        free = suppressed | ~self.published
        # Variables: high table, low table, and whether each cell is suppressed.
        sums = vstack([hstack([self.relations, nothing, nothing]), hstack([nothing, self.relations, nothing])])
        none = csr_array((size, size))
        above = csr_array(np.diag(n - true.astype(float)))
        below = csr_array(np.diag(true.astype(float)))
        link = vstack(
            [
                hstack([eye, none, -above]),
                hstack([-eye, none, -below]),
                hstack([none, eye, -above]),
                hstack([none, -eye, -below]),
            ]
        )
        limit = np.concatenate([true, -true, true, -true]).astype(float)
        apart = np.zeros((1, 3 * size))
        apart[0, at], apart[0, size + at] = 1.0, -1.0
        choice_low = free.astype(float)
        choice_high = np.ones(size)
        choice_high[self.total] = 0.0
        result = milp(
            np.concatenate([np.zeros(2 * size), np.where(free, 0.0, cost)]),
            integrality=np.ones(3 * size),
            bounds=Bounds(
                np.concatenate([np.zeros(2 * size), choice_low]), np.concatenate([np.full(2 * size, n), choice_high])
            ),
            constraints=[
                LinearConstraint(sums, 0, 0),
                LinearConstraint(link, -np.inf, limit),
                LinearConstraint(csr_array(apart), width, np.inf),
            ],
            options={"time_limit": 20.0, "mip_rel_gap": 0.01},
        )
        if result.x is None:
            raise InputError(
                "No suppression protects these tables.",
                [
                    Problem(
                        _name(self.cells[at]),
                        f"it can be narrowed to fewer than {width} steps whatever is left out",
                        "merge categories, publish fewer tables, or lower k",
                    )
                ],
            )
        return (result.x[2 * size :] > 0.5) & self.published


def _complete(system: _System, true: np.ndarray, primary: np.ndarray, width: int) -> np.ndarray:
    """Primary cells and as few more as it takes, the smallest counts first."""
    deepest = max(len(cell) for cell in system.cells)
    n = max(int(true[system.total]), 1)
    cost = np.array([_DEARER ** (deepest - len(cell)) for cell in system.cells]) * (1 + true / n + (true == 0))
    suppressed = primary.copy()
    safe = np.zeros(len(true), dtype=bool)  # more suppression never narrows an interval
    while True:
        known = np.where(suppressed | ~system.published, -1, true)
        open_cells = np.flatnonzero(suppressed & ~safe).tolist()
        for at in sorted(open_cells, key=lambda place: (true[place], place)):
            low, high = system.bound(known, at)
            if high - low < width:
                suppressed |= system.cheapest(true, suppressed, at, width, cost)
                safe[at] = True
                break
            safe[at] = True
        else:
            break
    for at in sorted(np.flatnonzero(suppressed & ~primary), key=lambda place: -cost[place]):
        fewer = suppressed.copy()
        fewer[at] = False
        known = np.where(fewer | ~system.published, -1, true)
        bounds = (system.bound(known, other) for other in np.flatnonzero(fewer))
        if all(high - low >= width for low, high in bounds):
            suppressed = fewer
    return suppressed


def _subsets(names: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))


def _levels(answers: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Codes and levels of a column; missing answers are the last level, where there are any."""
    if isinstance(answers.dtype, pd.CategoricalDtype):
        levels = [str(level) for level in answers.cat.categories]
        codes = answers.cat.codes.to_numpy().astype("int64")
    elif pd.api.types.is_bool_dtype(answers.dtype):
        levels = ["no", "yes"]
        codes = answers.astype("Int64").fillna(-1).to_numpy(dtype="int64")
    else:
        codes, found = pd.factorize(answers, sort=True)
        levels = [str(level) for level in found]
    if (codes < 0).any():
        codes = np.where(codes < 0, len(levels), codes)
        levels = [*levels, NO_ANSWER]
    return codes, levels


def _count_cells(part: Sequence[str], coded: Mapping, n: int, levels: Mapping[str, list[str]]) -> dict[Cell, int]:
    if not part:
        return {Cell(): n}
    shape = tuple(len(levels[name]) for name in part)
    flat = np.ravel_multi_index([coded[name][0] for name in part], shape)
    numbers = np.bincount(flat, minlength=math.prod(shape))
    names = product(*(levels[name] for name in part))
    return {
        Cell(zip(part, chosen, strict=True)): int(count) for chosen, count in zip(names, numbers, strict=True)
    }  # fmt: skip


def _frame(
    table: Sequence[str], counts: Mapping[Cell, int], system: _System, suppressed: np.ndarray, levels: Mapping
) -> pd.DataFrame:
    gone = {system.cells[at] for at in np.flatnonzero(suppressed)}
    rows = []
    for chosen in product(*([*levels[name], TOTAL] for name in table)):
        cell = Cell(pair for pair in zip(table, chosen, strict=True) if pair[1] != TOTAL)
        rows.append((*chosen, pd.NA if cell in gone else counts[cell]))
    return pd.DataFrame(rows, columns=[*table, "count"]).astype({"count": "Int64"})


def _name(cell: Cell) -> str:
    return ", ".join(f"{name} = {level}" for name, level in sorted(cell)) or "all responses"


def _check(
    responses: pd.DataFrame, tables: Sequence[Sequence[str]], quasi_identifiers: Sequence[str], k: int, width: int
) -> None:
    names = [*chain.from_iterable(tables), *quasi_identifiers]
    problems = [
        Problem(name, "the responses have no such column", f"columns: {', '.join(map(str, responses.columns))}")
        for name in dict.fromkeys(names)
        if name not in responses
    ]
    problems += [
        Problem(", ".join(table), "an empty table, or a variable twice", "name each variable once")
        for table in tables
        if not table or len(set(table)) < len(table)
    ]
    if not tables:
        problems.append(Problem("tables", "none is given", "name the columns of each"))
    if k < 2 or width < 1:
        problems.append(Problem("k", f"got k = {k} and width = {width}", "k is at least 2, the width at least 1"))
    if len(responses) < max(k, width):
        problems.append(Problem("responses", f"{len(responses)} of them; below {max(k, width)} nothing is published"))
    for name in dict.fromkeys(chain.from_iterable(tables)):
        if name in responses and TOTAL in set(responses[name].dropna().astype(str)):
            problems.append(Problem(name, f"an answer is called '{TOTAL}'", "rename it"))
    if problems:
        raise InputError("The tables cannot be protected.", problems)
