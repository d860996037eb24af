"""Who reads what, and on what sheet: two readers for a share of the records, neither of whom sees the other.

A share of the records, the overlap, is read by two reviewers independently, so that agreement can be measured; the
rest by one. A reviewer works on a sheet of their own that holds neither other decisions nor any sign of which records
somebody else reads too. The sheets put together are the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.base.schemas import SCREENING_ASSIGNMENTS, SCREENING_LEDGER, TableSpec, column
from analysis.base.tables import check_table, read_table, save_table
from analysis.literature.ledger import STAGES, Screening
from analysis.literature.ledger_rules import READING

_SHOWN = ("title", "authors", "year", "venue", "abstract", "url")

SHEET = TableSpec(
    "screening sheet",
    "A record that one reviewer is to decide on",
    (),
    {
        **{
            name: column("string", SCREENING_LEDGER.columns[name].description, nullable=name not in ("record", "stage"))
            for name in SCREENING_LEDGER.columns
        },
        **{name: column("string", "As in the record", nullable=True) for name in _SHOWN},
    },
)
"""The columns of the ledger, to be filled in, and what is shown of the record."""


def assign_screening(
    records: Sequence[str] | pd.Series,
    reviewers: Sequence[str],
    stage: str,
    *,
    overlap: float,
    seed: int,
    groups: Sequence[str] | pd.Series | None = None,
) -> pd.DataFrame:
    """Draw who reads which record at a stage.

    Parameters
    ----------
    records : sequence of str
        Those that reached the stage; their order does not matter.
    reviewers : sequence of str
        Reviewers take part in equal numbers, as far as the numbers divide. The draw goes by their place in the
        sequence, never by their name.
    stage : str
        One of `STAGES`.
    overlap : float
        Share of the records that two reviewers read, from 0 to 1; rounded up to whole records.
    seed : int
        The same seed gives the same draw.
    groups : sequence of str, optional
        One value a record, such as its arm: the share is then drawn in each group.

    Returns
    -------
    DataFrame
        Columns of `SCREENING_ASSIGNMENTS`, ordered by record and reviewer.

    Raises
    ------
    InputError
        Unknown stage, no or repeated records or reviewers, a share outside 0–1, an overlap with one reviewer, or
        groups that do not fit the records.

    Examples
    --------
    >>> plan = assign_screening([f"R{n}" for n in range(10)], ["ana", "ben"], "title_abstract", overlap=0.2, seed=1)
    >>> len(plan), plan["reviewer"].value_counts().to_dict() == {"ana": 6, "ben": 6}
    (12, True)
    """
    names = [str(record) for record in records]
    labels = [""] * len(names) if groups is None else [str(group) for group in groups]
    _check_draw(names, reviewers, stage, overlap, labels)
    rng = np.random.default_rng(seed)
    members: dict[str, list[str]] = {label: [] for label in sorted(set(labels))}
    for name, label in sorted(zip(names, labels, strict=True)):
        members[label].append(name)
    twice: list[str] = []
    once: list[str] = []
    for group in members.values():
        drawn = [group[place] for place in rng.permutation(len(group))]
        count = ceil(round(overlap * len(group), 9))
        twice += drawn[:count]
        once += drawn[count:]
    load = [0] * len(reviewers)
    pairs = list(combinations(range(len(reviewers)), 2))
    rows = []
    for record in twice:
        pair = min(pairs, key=lambda pair: (load[pair[0]] + load[pair[1]], max(load[pair[0]], load[pair[1]]), pair))
        rows += [(record, stage, reviewers[place]) for place in pair]
        for place in pair:
            load[place] += 1
    for record in once:
        place = min(range(len(reviewers)), key=lambda place: (load[place], place))
        rows.append((record, stage, reviewers[place]))
        load[place] += 1
    table = pd.DataFrame(rows, columns=["record", "stage", "reviewer"])
    table = table.sort_values(["record", "reviewer"], ignore_index=True)
    return check_table(table, SCREENING_ASSIGNMENTS, "assignments")


def build_assignments(ledger: pd.DataFrame) -> pd.DataFrame:
    """The assignments that a ledger from elsewhere implies: every reading in it was to be done.

    To be taken once and kept: only then is a decision missed that is taken out later.
    """
    readings = ledger[ledger["role"] == READING]
    table = readings[["record", "stage", "reviewer"]].drop_duplicates()
    table = table.sort_values(["record", "stage", "reviewer"], ignore_index=True)
    return check_table(table, SCREENING_ASSIGNMENTS, "assignments")


def build_sheet(works: pd.DataFrame, assignments: pd.DataFrame, reviewer: str, stage: str) -> pd.DataFrame:
    """The sheet of one reviewer for one stage, in the order of record ids.

    Nothing but the reviewer's own assignments goes into it, so that it cannot tell of the other reviewers.

    Parameters
    ----------
    works : DataFrame
        ``record`` and any of title, authors, year, venue, abstract, url.
    assignments : DataFrame
        Columns of `SCREENING_ASSIGNMENTS`.
    reviewer, stage : str

    Returns
    -------
    DataFrame
        Columns of `SHEET`: ``decision``, ``reason``, ``date`` and ``note`` are empty.

    Raises
    ------
    InputError
        The reviewer is to read nothing at this stage, or records that are not among the works.
    """
    own = assignments[(assignments["reviewer"] == reviewer) & (assignments["stage"] == stage)]
    known = works.drop_duplicates("record").set_index("record")
    problems = [
        Problem(f"record '{record}'", "is not among the works", "take assignments and works of one review")
        for record in own["record"]
        if record not in known.index
    ]
    if own.empty:
        problems.append(Problem(f"reviewer '{reviewer}'", f"is to read nothing at stage {stage}", "check both names"))
    if problems:
        raise InputError("The sheet cannot be made.", problems)
    shown = known.loc[sorted(own["record"])].reset_index()
    sheet = pd.DataFrame({name: pd.Series(pd.NA, shown.index, dtype="string") for name in SHEET.columns})
    for name in ("record", *_SHOWN):
        if name in shown:
            sheet[name] = shown[name].astype("string")
    return sheet.assign(stage=stage, reviewer=reviewer, role=READING)


def write_sheet(sheet: pd.DataFrame, path: Path | str) -> Path:
    """Write a sheet as CSV that spreadsheets open as Unicode; an existing file is never overwritten.

    Raises
    ------
    InputError
        The file exists: it may hold decisions.
    """
    path = Path(path)
    if path.exists():
        raise InputError(
            f"{relative(path)} exists.", [Problem("", "it may hold decisions", "take another name, or move it away")]
        )
    return save_table(sheet, path)


def collect_sheets(*paths: Path | str) -> pd.DataFrame:
    """The ledger from the sheets of the reviewers.

    Rows without decision are not in it; `analysis.literature.ledger.check_ledger` names them as missing.

    Returns
    -------
    DataFrame
        As of `analysis.literature.ledger.load_ledger`.

    Raises
    ------
    InputError
        A file that cannot be read or holds what the ledger refuses, or a row with a reason, day or note but no
        decision. All are listed.
    """
    problems: list[Problem] = []
    tables = []
    for path in paths:
        try:
            sheet = read_table(path, SHEET)
            source = sheet.attrs["source"]
            undecided = sheet["decision"].isna()
            begun = sheet[undecided & sheet[["reason", "date", "note"]].notna().any(axis=1)]
            problems += [
                Problem(f"{source}:{line}", "reason, day or note without a decision", "decide, or empty the row")
                for line in begun.index
            ]
            ledger = check_table(sheet.loc[~undecided, list(SCREENING_LEDGER.columns)], SCREENING_LEDGER, source)
        except InputError as error:
            problems += error.problems
        else:
            tables.append(ledger.assign(file=pd.Series(source, ledger.index, dtype="string")))
    if not paths:
        problems.append(Problem("", "no sheet is named", "name at least one"))
    if problems:
        raise InputError("The sheets cannot be put together.", problems)
    return pd.concat(tables)


def list_disputes(screening: Screening, stage: str) -> pd.DataFrame:
    """Records of a stage on which the readings differ or are unsure: what is to be adjudicated.

    Returns
    -------
    DataFrame
        In the order of ids: ``record``, ``arm``, ``decisions`` (in alphabetical order, with reasons, without names:
        the adjudicator does not learn who said what), ``outcome``.
    """
    disputed = screening.outcomes[(screening.outcomes["stage"] == stage) & screening.outcomes["disputed"]]
    rows = screening.decisions
    rows = rows[(rows["stage"] == stage) & (rows["role"] == READING) & rows["record"].isin(disputed["record"])]
    said = rows["decision"] + (" (" + rows["reason"] + ")").fillna("")
    joined = said.groupby(rows["record"]).agg(lambda texts: "; ".join(sorted(texts)))
    table = disputed[["record", "arm", "outcome"]].reset_index(drop=True)
    table.insert(2, "decisions", table["record"].map(joined).astype("string"))
    return table


def _check_draw(
    names: Sequence[str], reviewers: Sequence[str], stage: str, overlap: float, labels: Sequence[str]
) -> None:
    problems = []
    if stage not in STAGES:
        problems.append(Problem("stage", f"got '{stage}'", f"one of: {', '.join(STAGES)}"))
    for what, values in (("records", names), ("reviewers", list(reviewers))):
        repeated = sorted(value for value, times in Counter(values).items() if times > 1)
        problems += [Problem(what, f"'{value}' occurs twice", "name each once") for value in repeated]
        if not values:
            problems.append(Problem(what, "there are none", "give at least one"))
    if not 0 <= overlap <= 1:
        problems.append(Problem("overlap", f"got {overlap}", "a share from 0 to 1, such as 0.2"))
    elif overlap > 0 and len(reviewers) == 1:
        problems.append(Problem("overlap", "one reviewer cannot read twice", "name two, or take 0"))
    if len(labels) != len(names):
        problems.append(Problem("groups", f"{len(labels)} for {len(names)} records", "one value a record"))
    if problems:
        raise InputError("The records cannot be assigned.", problems)
