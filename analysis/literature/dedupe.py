"""Duplicates among records: merged by a stated rule, every merge logged and reversible.

Databases overlap, so that one work is found several times. `dedupe_records` joins its records into one by the rule of
`analysis.literature.duplicate_rule`, keeps all of them, and says for each field which record it was taken from. What a
rule cannot settle is listed for decision and left alone. The result depends on what the records say, never on their
order or on how they are spread over files.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.schemas import RECORDS
from analysis.base.tables import check_table
from analysis.literature.duplicate_keys import Keys, build_keys
from analysis.literature.duplicate_rule import CONTRADICTIONS, REASONS, RULES, Verdict, judge_pairs
from analysis.literature.importers.drafts import FIELDS

MERGE_COLUMNS = ("merge", "first", "second", "rule", "similarity", "evidence", "for_decision", "state")
LISTED_COLUMNS = ("first", "second", "reason", "what", "similarity", "evidence")


@dataclass(frozen=True)
class Deduplicated:
    """Records without duplicates, and how they came about.

    Attributes
    ----------
    records : DataFrame
        One row a work (columns of `RECORDS`), in the order of ``originals``; id, database, file and line are those
        of the record that leads its group, fields those of the first record in the order of lead that has them.
    members : DataFrame
        One row an original: ``record``, ``database``, ``work`` (id of its row in ``records``).
    winners : DataFrame
        One row a field of a work that several records make up: ``work``, ``field``, ``winner`` (record), ``database``,
        ``others`` (records of the work that say something else in this field).
    merges : DataFrame
        The log: ``merge`` (id), ``first``, ``second`` (the pair that was matched), ``rule`` (one of `RULES`),
        ``similarity`` of titles in per cent, ``evidence``, ``for_decision`` (to be looked at: preprints), ``state``
        (``merged`` or ``undone``).
    listed : DataFrame
        Pairs for decision: ``first``, ``second``, ``reason``, ``what``, ``similarity``, ``evidence``.
    originals : DataFrame
        The records as they were given.
    prefer : tuple of str
        Databases whose records lead, the first one first.
    """

    records: pd.DataFrame
    members: pd.DataFrame
    winners: pd.DataFrame
    merges: pd.DataFrame
    listed: pd.DataFrame
    originals: pd.DataFrame
    prefer: tuple[str, ...]


def dedupe_records(records: pd.DataFrame, *, prefer: Sequence[str] = (), merge_preprints: bool = True) -> Deduplicated:
    """Merge the records of one work.

    Parameters
    ----------
    records : DataFrame
        Columns of `RECORDS`, as of `analysis.literature.bibliographic.Import.records`.
    prefer : sequence of str
        Databases whose records lead a work. Otherwise the published version leads before a preprint, then the record
        with most fields, then the smaller id.
    merge_preprints : bool
        Whether a preprint is merged with the published work, for decision; else such pairs are only listed.

    Raises
    ------
    InputError
        The table breaks its schema, or ``prefer`` names a database that has no record.
    """
    originals = check_table(records, RECORDS, str(records.attrs.get("source", "the records")))
    unknown = [name for name in prefer if name not in set(originals["database"])]
    if unknown:
        known = ", ".join(sorted(set(originals["database"])))
        raise InputError(
            "Unknown database to prefer.",
            [Problem(name, "no record is from it", f"one of: {known}") for name in unknown],
        )
    keys = build_keys(originals)
    merged, listed = _choose(keys, judge_pairs(keys, merge_preprints=merge_preprints))
    log = pd.DataFrame(
        [
            (_merge_id(keys.record[v.first], keys.record[v.second]), keys.record[v.first], keys.record[v.second],
             v.rule, v.similarity, v.evidence, v.rule == "preprint", "merged")
            for v in merged
        ],
        columns=list(MERGE_COLUMNS),
    )  # fmt: skip
    open_pairs = pd.DataFrame(
        [
            (keys.record[v.first], keys.record[v.second], v.reason, REASONS[v.reason], v.similarity, v.evidence)
            for v in listed
        ],
        columns=list(LISTED_COLUMNS),
    )
    return _assemble(originals, log, open_pairs, tuple(prefer))


def undo_merge(result: Deduplicated, merge: str) -> Deduplicated:
    """The result without one merge: the two sides of its pair are separate again, each as it was before.

    The log keeps the merge as ``undone``, and the pair is listed as ``kept_apart``. Undoing every merge gives back
    the records exactly.

    Raises
    ------
    InputError
        No such merge, or it was undone before.
    """
    found = result.merges["merge"] == merge
    standing = found & (result.merges["state"] == "merged")
    if not standing.any():
        what = "was undone before" if found.any() else "is not in the log"
        raise InputError("The merge cannot be undone.", [Problem(merge, what, "see the column 'merge' of the log")])
    log = result.merges.copy()
    log.loc[standing, "state"] = "undone"
    row = log[standing].iloc[0]
    apart = pd.DataFrame(
        [(row["first"], row["second"], "kept_apart", "undone by hand", row["similarity"], row["evidence"])],
        columns=list(LISTED_COLUMNS),
    )
    listed = pd.concat([result.listed, apart], ignore_index=True) if len(result.listed) else apart
    return _assemble(result.originals, log, _sorted_pairs(listed), result.prefer)


def merge_pair(result: Deduplicated, first: str, second: str, evidence: str) -> Deduplicated:
    """The result with two records merged by hand, as after deciding on a listed pair.

    Parameters
    ----------
    result : Deduplicated
    first, second : str
        Ids of original records.
    evidence : str
        Why they are one work; goes into the log.

    Raises
    ------
    InputError
        An unknown record, a record with itself, records that are one work already, or no reason.
    """
    works = result.members.set_index("record")["work"]
    unknown = [name for name in (first, second) if name not in works]
    problems = [Problem(name, "is no record", "see the column 'record'") for name in unknown]
    if not problems and works[first] == works[second]:
        problems.append(Problem(f"{first}, {second}", "are one work already"))
    if not evidence.strip():
        problems.append(Problem("evidence", "is empty", "say why they are one work"))
    if problems:
        raise InputError("The records cannot be merged.", problems)
    first, second = sorted((first, second))
    log = result.merges[result.merges["merge"] != _merge_id(first, second)]
    row = (_merge_id(first, second), first, second, "by_hand", float("nan"), evidence.strip(), False, "merged")
    new = pd.DataFrame([row], columns=list(MERGE_COLUMNS))
    log = pd.concat([log, new], ignore_index=True) if len(log) else new
    pair = (result.listed["first"] == first) & (result.listed["second"] == second)
    return _assemble(result.originals, log, result.listed[~pair].reset_index(drop=True), result.prefer)


def compute_database_counts(result: Deduplicated) -> pd.DataFrame:
    """Records by database before and after: what PRISMA 2020 reports as identified and removed before screening.

    A work is counted for the database of the record that leads it.

    Returns
    -------
    DataFrame
        ``database`` (alphabetical), ``identified``, ``duplicates`` (removed), ``remaining``, and ``only_here`` (works
        that no other database has). ``identified`` is ``duplicates`` plus ``remaining`` in every row.
    """
    members = result.members
    table = members.groupby("database", sort=True).size().rename("identified").reset_index()
    leading = members[members["record"] == members["work"]].groupby("database").size()
    databases = members.groupby("work")["database"].nunique()
    alone = members[members["work"].map(databases) == 1].drop_duplicates("work").groupby("database").size()
    table["remaining"] = table["database"].map(leading).fillna(0).astype("int64")
    table["duplicates"] = table["identified"] - table["remaining"]
    table["only_here"] = table["database"].map(alone).fillna(0).astype("int64")
    return table[["database", "identified", "duplicates", "remaining", "only_here"]]


def compute_rule_counts(result: Deduplicated) -> pd.DataFrame:
    """How many standing merges each rule made: ``rule``, ``merges``, ``for_decision``."""
    standing = result.merges[result.merges["state"] == "merged"]
    grouped = standing.groupby("rule").agg(merges=("merge", "size"), for_decision=("for_decision", "sum"))
    return grouped.reindex(list(RULES), fill_value=0).astype("int64").rename_axis("rule").reset_index()


def _choose(keys: Keys, verdicts: list[Verdict]) -> tuple[list[Verdict], list[Verdict]]:
    """The merges that are made, the firmest first, and all pairs for decision.

    A merge is refused where it would bring together two published DOIs or the two records of a pair listed
    for a contradiction, by whatever way round. A preprint or record without DOI that fits works of different DOIs
    equally well is merged with none.
    """
    listed = [verdict for verdict in verdicts if verdict.reason]
    wanted, several = _demote_ambiguous(keys, [verdict for verdict in verdicts if verdict.rule])
    listed += several
    barred: dict[int, set[int]] = defaultdict(set)
    for verdict in listed:
        if verdict.reason not in CONTRADICTIONS:
            continue
        barred[verdict.first].add(verdict.second)
        barred[verdict.second].add(verdict.first)
    leader = list(range(len(keys)))
    groups: dict[int, list[int]] = {number: [number] for number in leader}
    published = {n: {doi} if doi and keys.kind[n] != "preprint" else set() for n, doi in enumerate(keys.doi)}
    merged = []
    for verdict in sorted(wanted, key=_firmness):
        one, two = leader[verdict.first], leader[verdict.second]
        if one == two:
            continue
        large, small = (one, two) if len(groups[one]) >= len(groups[two]) else (two, one)
        together = set(groups[large])
        if len(published[one] | published[two]) > 1 or any(barred[n] & together for n in groups[small]):
            listed.append(Verdict(verdict.first, verdict.second, "", "kept_apart", verdict.similarity, verdict.support,
                                  verdict.evidence))  # fmt: skip
            continue
        for number in groups[small]:
            leader[number] = large
        groups[large] += groups.pop(small)
        published[large] |= published.pop(small)
        merged.append(verdict)
    # Pairs that a decision elsewhere has made one work are settled.
    listed = [v for v in listed if leader[v.first] != leader[v.second]]
    return merged, sorted(listed, key=lambda v: (v.first, v.second, v.reason))


def _firmness(verdict: Verdict) -> tuple:
    return (RULES.index(verdict.rule), -verdict.support, -verdict.similarity, verdict.first, verdict.second)


def _demote_ambiguous(keys: Keys, wanted: list[Verdict]) -> tuple[list[Verdict], list[Verdict]]:
    best: dict[int, dict[str, tuple]] = defaultdict(dict)
    for verdict in wanted:
        for one, other in ((verdict.first, verdict.second), (verdict.second, verdict.first)):
            doi = keys.doi[other]
            free = not keys.doi[one] or keys.kind[one] == "preprint"
            if free and doi and keys.kind[other] != "preprint":
                strength = _firmness(verdict)[:3]
                best[one][doi] = min(best[one].get(doi, strength), strength)
    torn = set()
    for number, strengths in best.items():
        ranked = sorted(strengths.values())
        if len(ranked) > 1 and ranked[0] == ranked[1]:
            torn.add(number)
    kept, several = [], []
    for verdict in wanted:
        sides = ((verdict.first, verdict.second), (verdict.second, verdict.first))
        if any(one in torn and keys.doi[other] and keys.kind[other] != "preprint" for one, other in sides):
            several.append(Verdict(verdict.first, verdict.second, "", "fits_several", verdict.similarity,
                                   verdict.support, verdict.evidence))  # fmt: skip
        else:
            kept.append(verdict)
    return kept, several


def _assemble(
    originals: pd.DataFrame, log: pd.DataFrame, listed: pd.DataFrame, prefer: tuple[str, ...]
) -> Deduplicated:
    """Works, members and winners from the originals and the standing merges: nothing else is remembered."""
    standing = log[log["state"] == "merged"]
    graph = nx.Graph(list(zip(standing["first"], standing["second"], strict=True)))
    place = {record: number for number, record in enumerate(originals["record"])}
    rank = _rank(originals, prefer)
    work_of = dict(zip(originals["record"], originals["record"], strict=True))
    columns = {name: originals[name].to_list() for name in originals.columns}
    new = {name: list(values) for name, values in columns.items()}
    keep = [True] * len(originals)
    winners = []
    for group in nx.connected_components(graph):
        order = sorted((place[record] for record in group), key=lambda number: rank[number])
        lead, row = order[0], min(order)
        for number in order:
            work_of[columns["record"][number]] = columns["record"][lead]
            keep[number] = number == row
        for name in ("record", "database", "file", "line"):
            new[name][row] = columns[name][lead]
        for name in FIELDS:
            having = [number for number in order if _says(columns[name][number])]
            winner = having[0] if having else lead
            new[name][row] = columns[name][winner]
            if having:
                others = sum(columns[name][number] != columns[name][winner] for number in having)
                winners.append(
                    (columns["record"][lead], name, columns["record"][winner], columns["database"][winner], others)
                )
    records = pd.DataFrame({name: pd.array(values, dtype=originals[name].dtype) for name, values in new.items()},
                           index=originals.index)[keep]  # fmt: skip
    records.attrs.update(originals.attrs)
    members = originals[["record", "database"]].copy()
    members["work"] = pd.array([work_of[record] for record in originals["record"]], dtype="string")
    table = pd.DataFrame(winners, columns=["work", "field", "winner", "database", "others"])
    table = table.sort_values(["work"], kind="stable", ignore_index=True)
    log = log.sort_values(["first", "second"], ignore_index=True)
    return Deduplicated(records, members, table, log, listed, originals, prefer)


def _says(value: object) -> bool:
    return not pd.isna(value) and value != "not_stated"


def _rank(originals: pd.DataFrame, prefer: tuple[str, ...]) -> list[tuple]:
    """For each record its place in the order of lead: published, preferred database, fields, id."""
    filled = originals[list(FIELDS)].notna().sum(axis=1)
    known = {name: number for number, name in enumerate(prefer)}
    return [
        (kind == "preprint", known.get(database, len(known)), -count, record)
        for kind, database, count, record in zip(
            originals["kind"], originals["database"], filled, originals["record"], strict=True
        )
    ]


def _merge_id(first: str, second: str) -> str:
    return "M" + hashlib.blake2b(f"{first} {second}".encode(), digest_size=6).hexdigest()


def _sorted_pairs(listed: pd.DataFrame) -> pd.DataFrame:
    return listed.sort_values(["first", "second", "reason"], ignore_index=True)
