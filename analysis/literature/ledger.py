"""Screening ledger: who read which record at which stage and decided what; loaded whole or refused.

A ledger is one table, in one file or several (one a reviewer keeps them blind to each other): a row is one decision
of one reviewer on one record at one stage. Whether something is missing can only be told from what was to be done, so
that the assignments (`analysis.literature.assignment`) are a table of their own. At every stage of every arm each
record that came in is either excluded or passed on:

    in = excluded + passed

A decision taken out breaks this, a decision entered twice breaks it, and either is refused with the numbers.
Everything counted later, such as the PRISMA flow (`analysis.literature.prisma`), is derived from here.

How the readings of a record at a stage are settled: by the readings themselves where all agree on including or
excluding, otherwise by an adjudication. Where several readings exclude for different reasons, the one that stands first
in the table of reasons counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.schemas import (
    SCREENING_ASSIGNMENTS,
    SCREENING_LEDGER,
    SCREENING_REASONS,
    SCREENING_SOURCES,
    TableSpec,
)
from analysis.base.tables import check_table, read_table
from analysis.literature.ledger_rules import (
    Case,
    Place,
    find_assignment_faults,
    find_case_faults,
    find_reason_faults,
    find_row_faults,
)

ARMS: dict[str, str] = {"databases": "Databases and registers", "other": "Other methods"}
"""Arms of a search as PRISMA 2020 divides them, and as printed; grey literature is found by other methods."""

STAGES: dict[str, str] = {"title_abstract": "Title and abstract", "full_text": "Full text", "quality": "Quality"}
"""Stages in their order, and as printed."""

SOURCE_ARMS: dict[str, str] = {
    "database": "databases",
    "register": "databases",
    "website": "other",
    "organisation": "other",
    "citation_searching": "other",
    "other_method": "other",
}
"""Kind of place searched → arm."""

DEFAULT_STAGES: dict[str, tuple[str, ...]] = dict.fromkeys(ARMS, ("title_abstract", "full_text"))
"""Stages that a record of an arm goes through, where nothing else is said."""


@dataclass(frozen=True)
class Screening:
    """A ledger that holds together, with all that it was checked against.

    Attributes
    ----------
    works : DataFrame
        ``record``, ``database``, ``arm``: what was screened, in the order of ids.
    outcomes : DataFrame
        One row a record and stage that it reached, in the order of stages and ids: ``record``, ``arm``, ``stage``,
        ``outcome`` (``include``, ``exclude`` or ``open``), ``reason`` (of an exclusion), ``readings`` (decisions of
        reviewers), ``disputed`` (readings that differ or are unsure), ``adjudicated``.
    decisions, assignments, reasons, sources : DataFrame
        The tables as checked.
    stages : mapping of str to tuple of str
        Arm → its stages.
    complete : bool
        Whether every record that reached a stage has an outcome there.
    """

    works: pd.DataFrame
    outcomes: pd.DataFrame
    decisions: pd.DataFrame
    assignments: pd.DataFrame
    reasons: pd.DataFrame
    sources: pd.DataFrame
    stages: Mapping[str, tuple[str, ...]]
    complete: bool


def load_ledger(*paths: Path | str) -> pd.DataFrame:
    """Read a ledger from one file or several.

    Parameters
    ----------
    *paths : Path or str
        CSV files with the columns of `SCREENING_LEDGER`. How the rows are spread over them does not matter.

    Returns
    -------
    DataFrame
        Columns of `SCREENING_LEDGER` and ``file``; index ``line``.

    Raises
    ------
    InputError
        No file, a file that is there twice, or files that cannot be read or break the schema; all of them are listed.
    """
    files = [Path(path) for path in paths]
    resolved = [path.resolve() for path in files]
    problems = [
        Problem(str(path), "is named twice", "name each file once")
        for number, path in enumerate(files)
        if path.resolve() in resolved[:number]
    ]
    if not files:
        problems.append(Problem("", "no file is named", "name at least one"))
    tables = []
    for path in files:
        try:
            table = read_table(path, SCREENING_LEDGER, empty=True)
        except InputError as error:
            problems += error.problems or (Problem(str(path), error.title),)
        else:
            tables.append(table.assign(file=pd.Series(table.attrs["source"], table.index, dtype="string")))
    if problems:
        raise InputError("The ledger cannot be read.", problems)
    ledger = pd.concat(tables)
    ledger.attrs["source"] = ", ".join(table.attrs["source"] for table in tables)
    return ledger


def check_ledger(
    ledger: pd.DataFrame,
    assignments: pd.DataFrame,
    works: pd.DataFrame,
    sources: pd.DataFrame,
    reasons: pd.DataFrame,
    *,
    stages: Mapping[str, Sequence[str]] = DEFAULT_STAGES,
    complete: bool = True,
) -> Screening:
    """Check a ledger against what was to be screened, by whom and for which reasons.

    Parameters
    ----------
    ledger : DataFrame
        `load_ledger`, or any table with the columns of `SCREENING_LEDGER`.
    assignments : DataFrame
        Columns of `SCREENING_ASSIGNMENTS`.
    works : DataFrame
        ``record``, ``database``: the records left after duplicates were removed
        (`analysis.literature.dedupe.Deduplicated.records`).
    sources, reasons : DataFrame
        Columns of `SCREENING_SOURCES` and `SCREENING_REASONS`.
    stages : mapping
        Arm → stages that its records go through, in the order of `STAGES`.
    complete : bool
        False while screening goes on: decisions, adjudications and assignments may then be missing; all else is
        checked.

    Returns
    -------
    Screening

    Raises
    ------
    InputError
        A database of unknown kind; a reason for texts not retrieved at another stage than full text; an unknown record;
        a stage that its arm does not have; a decision or an assignment at a stage that the record did not reach; a
        decision that was not assigned; two decisions of one reviewer on one record at one stage; an exclusion without
        a reason, or with one that the stage does not have; a reason without exclusion; a day that is not in the
        calendar; an adjudication by one of the readers, before them, unsure, or without disagreement; a disagreement
        without adjudication; a missing decision; a record that nobody is to read. All violations are listed, and after
        them every stage at which ``in = excluded + passed`` does not hold.
    """
    plan = _check_stages(stages)
    places = list(ledger["file"]) if "file" in ledger else [ledger.attrs.get("source", "ledger")] * len(ledger)
    ledger = _checked(ledger.drop(columns="file", errors="ignore"), SCREENING_LEDGER, "ledger")
    assignments = _checked(assignments, SCREENING_ASSIGNMENTS, "assignments")
    sources = _checked(sources, SCREENING_SOURCES, "sources")
    reasons = _checked(reasons, SCREENING_REASONS, "reasons")
    works = _arms(works, sources, plan)

    arm_of = dict(zip(works["record"], works["arm"], strict=True))
    where = [Place(place, line) for place, line in zip(places, ledger.index, strict=True)]
    precedence = {(row.reason, row.stage): number for number, row in enumerate(reasons.itertuples())}
    cases = _collect(ledger, assignments, where, arm_of, plan)
    problems = [
        *find_reason_faults(reasons),
        *find_row_faults(ledger, where, arm_of, plan, precedence),
        *find_assignment_faults(assignments, arm_of, plan),
    ]
    balances: list[Problem] = []
    rows = []
    for arm, its_stages in plan.items():
        reached = [record for record, its_arm in arm_of.items() if its_arm == arm]
        for stage in its_stages:
            here = {record: cases.get((record, stage)) or Case(record, stage) for record in reached}
            astray = [case for (record, at), case in cases.items()
                      if at == stage and arm_of[record] == arm and record not in here]  # fmt: skip
            for case in [*here.values(), *astray]:
                problems += find_case_faults(case, case.record in here, complete)
            settled = {record: case.settle(precedence) for record, case in here.items()}
            balances += _balance(arm, stage, [*here.values()], astray, precedence, complete)
            for record, case in here.items():
                outcome, reason = settled[record]
                rows.append((record, arm, stage, outcome, reason, len(case.readings), case.disputed, case.adjudicated))
            reached = [record for record in reached if settled[record][0] == "include"]
    if problems or balances:
        raise InputError("The ledger does not hold together.", [*problems, *balances])
    return Screening(works, _outcomes(rows), ledger, assignments, reasons, sources, plan, complete)


def compute_stage_counts(screening: Screening) -> pd.DataFrame:
    """The equation of every arm and stage, and how it was read.

    Returns
    -------
    DataFrame
        One row an arm and stage: ``arm``, ``stage``, ``in``, ``excluded``, ``passed``, ``open`` (not settled yet),
        ``read_twice`` (by two reviewers or more), ``disputed``, ``adjudicated`` (records).
    """
    grouped = screening.outcomes.assign(
        excluded=screening.outcomes["outcome"] == "exclude",
        passed=screening.outcomes["outcome"] == "include",
        open=screening.outcomes["outcome"] == "open",
        read_twice=screening.outcomes["readings"] >= 2,
    ).groupby(["arm", "stage"])
    sums = grouped[["excluded", "passed", "open", "read_twice", "disputed", "adjudicated"]].sum().astype("int64")
    sums.insert(0, "in", grouped.size())
    order = [(arm, stage) for arm, stages in screening.stages.items() for stage in stages]
    return sums.reindex(pd.MultiIndex.from_tuples(order, names=["arm", "stage"]), fill_value=0).reset_index()


def compute_exclusions(screening: Screening) -> pd.DataFrame:
    """Records excluded for each reason.

    Returns
    -------
    DataFrame
        One row an arm, stage of it and reason that may be given there, in the order of the reasons: ``arm``,
        ``stage``, ``reason``, ``kind``, ``statement``, ``records``. Reasons that were never given count 0.
    """
    counts = screening.outcomes.dropna(subset="reason").groupby(["arm", "stage", "reason"]).size()
    rows = [
        (arm, stage, row.reason, row.kind, row.statement, int(counts.get((arm, stage, row.reason), 0)))
        for arm, stages in screening.stages.items()
        for stage in stages
        for row in screening.reasons[screening.reasons["stage"] == stage].itertuples()
    ]
    return pd.DataFrame(rows, columns=["arm", "stage", "reason", "kind", "statement", "records"])


def _checked(frame: pd.DataFrame, spec: TableSpec, name: str) -> pd.DataFrame:
    return check_table(frame[[c for c in frame.columns if c != "file"]], spec, str(frame.attrs.get("source", name)))


def _check_stages(stages: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    problems = [Problem(f"stages of '{arm}'", "unknown arm", f"one of: {', '.join(ARMS)}") for arm in stages
                if arm not in ARMS]  # fmt: skip
    for arm, its in stages.items():
        wanted = [stage for stage in STAGES if stage in its]
        if list(its) != wanted or not wanted:
            order = ", ".join(STAGES)
            problems.append(Problem(f"stages of '{arm}'", f"got {list(its)}", f"some of {order}, in this order"))
    if problems:
        raise InputError("The stages of the review are not in order.", problems)
    return {arm: tuple(stages[arm]) for arm in ARMS if arm in stages}


def _arms(works: pd.DataFrame, sources: pd.DataFrame, plan: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """``record``, ``database``, ``arm`` in the order of ids."""
    missing = [name for name in ("record", "database") if name not in works]
    if missing:
        raise InputError("The works cannot be screened.", [Problem("works", f"no column '{n}'") for n in missing])
    kinds = dict(zip(sources["database"], sources["kind"], strict=True))
    problems = [
        Problem(f"database '{name}'", "is not among the places searched", "add it, with its kind, to the sources")
        for name in sorted(set(works["database"].dropna()) - set(kinds))
    ]
    problems += [
        Problem(f"record '{record}'", "occurs twice among the works", "remove duplicates before screening")
        for record in works.loc[works["record"].duplicated(), "record"]
    ]
    problems += [
        Problem(f"works, row {line}", "record or database is empty", "fill it in")
        for line in works.index[works[["record", "database"]].isna().any(axis=1)]
    ]
    if problems:
        raise InputError("The works cannot be screened.", problems)
    table = works[["record", "database"]].sort_values("record", ignore_index=True).astype("string")
    table["arm"] = table["database"].map({name: SOURCE_ARMS[kind] for name, kind in kinds.items()}).astype("string")
    for arm in sorted(set(table["arm"]) - set(plan)):
        problem = Problem(f"arm '{arm}'", "has records, but no stages", "name its stages")
        raise InputError("The works cannot be screened.", [problem])
    return table


def _collect(
    ledger: pd.DataFrame,
    assignments: pd.DataFrame,
    where: Sequence[Place],
    arm_of: Mapping[str, str],
    plan: Mapping[str, tuple[str, ...]],
) -> dict[tuple[str, str], Case]:
    """What was to be done and what was done, by record and stage; `find_row_faults` names the rows that fit none."""
    cases: dict[tuple[str, str], Case] = {}

    def case_of(record: str, stage: str) -> Case | None:
        if stage not in plan.get(arm_of.get(record, ""), ()):
            return None
        return cases.setdefault((record, stage), Case(record, stage))

    for row in assignments.itertuples():
        if case := case_of(row.record, row.stage):
            case.assigned.append(row.reviewer)
    for row, place in zip(ledger.itertuples(), where, strict=True):
        if case := case_of(row.record, row.stage):
            case.add(row, place)
    return cases


def _balance(
    arm: str, stage: str, here: Iterable[Case], astray: Sequence[Case], precedence: Mapping, complete: bool
) -> list[Problem]:
    """The equation of one arm and stage, where it does not hold.

    A record counts as often as it has an outcome: once, not at all while something is missing, twice where a decision
    was entered twice.
    """
    cases = list(here)
    counted = {"include": 0, "exclude": 0}
    without = twice = 0
    for case in [*cases, *astray]:
        times = case.times()
        outcome = case.settle(precedence)[0]
        if times == 0 or outcome == "open":
            without += case not in astray
            continue
        twice += times > 1
        counted[outcome] += times
    total = counted["exclude"] + counted["include"]
    expected = len(cases) - (0 if complete else without)
    if total == expected:
        return []
    said = [
        f"{number} {words}"
        for number, words in ((without, "without outcome"), (twice, "decided more than once"),
                              (len(astray), "decided without having come in"))
        if number
    ]  # fmt: skip
    waiting = f" − {without} still open" if without and not complete else ""
    what = (
        f"in = excluded + passed is broken: {len(cases)} in{waiting} ≠ {counted['exclude']} excluded + "
        f"{counted['include']} passed ({total}); {', '.join(said)}"
    )
    return [Problem(f"{ARMS[arm]}, {STAGES[stage].lower()}", what, "see the rows named above")]


def _outcomes(rows: list[tuple]) -> pd.DataFrame:
    names = ["record", "arm", "stage", "outcome", "reason", "readings", "disputed", "adjudicated"]
    table = pd.DataFrame(rows, columns=names)
    types = dict.fromkeys(("record", "arm", "stage", "outcome", "reason"), "string")
    table = table.astype({**types, "readings": "int64", "disputed": "bool", "adjudicated": "bool"})
    place = {stage: number for number, stage in enumerate(STAGES)}
    return table.sort_values(
        ["stage", "record"], key=lambda c: c.map(place) if c.name == "stage" else c, ignore_index=True
    )
