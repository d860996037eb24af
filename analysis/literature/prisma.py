"""The numbers of a PRISMA 2020 flow: derived from records, duplicates and ledger, or taken from a published protocol.

No number is typed. Those of a review of our own are counted from the tables; those of a published review are what its
protocol holds, and what is not published stays unknown. Either way they have to add up: `compute_prisma_checks` holds
every total against its parts, and says so where an unknown part makes that impossible.

The flow has an arm for databases and registers and one for other methods, which is where grey literature comes in. Two
things go beyond the form of 2020: counts for each database, and a step of quality appraisal where a review has one.

Reference
---------
Page MJ, McKenzie JE, Bossuyt PM, et al. (2021) The PRISMA 2020 statement. BMJ 372, n71: items 16a and 16b, figure 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.literature.bibliographic import Import
from analysis.literature.dedupe import Deduplicated, compute_database_counts
from analysis.literature.ledger import ARMS, SOURCE_ARMS, Screening, compute_exclusions, compute_stage_counts
from analysis.literature.protocol import STATUS_NAMES as PROTOCOL_STATUS_NAMES
from analysis.literature.protocol import check_protocol, protocol_value

STEPS: dict[str, str] = {
    "identified": "Records identified",
    "duplicates": "Duplicates removed",
    "unreadable": "Unreadable records removed",
    "screened": "Records screened",
    "excluded": "Records excluded",
    "sought": "Reports sought for retrieval",
    "not_retrieved": "Reports not retrieved",
    "assessed": "Reports assessed for eligibility",
    "ineligible": "Reports excluded",
    "appraised": "Reports appraised for quality",
    "low_quality": "Reports excluded for quality",
    "included": "Reports included",
}
"""Steps in their order, and as printed."""

CHAIN: dict[str, tuple[str, ...]] = {
    "identified": ("duplicates", "unreadable"),
    "screened": ("excluded",),
    "sought": ("not_retrieved",),
    "assessed": ("ineligible",),
    "appraised": ("low_quality",),
    "included": (),
}
"""What goes on, in its order, and what is lost at each step."""

STATUS_NAMES: dict[str, str] = {"counted": "counted", **PROTOCOL_STATUS_NAMES, "not_mentioned": "step not mentioned"}
"""Where a number comes from, or why there is none; as printed."""

_STAGE_STEPS = {
    "title_abstract": ("screened", "excluded"),
    "full_text": ("assessed", "ineligible"),
    "quality": ("appraised", "low_quality"),
}
_PROTOCOL_ARMS = {"SLR": "databases", "GLR": "other"}
_PROTOCOL_STEPS = {
    "found": "identified",
    "duplicates": "duplicates",
    "screened": "screened",
    "excluded": "excluded",
    "sought": "sought",
    "not_retrieved": "not_retrieved",
    "assessed": "assessed",
    "ineligible": "ineligible",
    "included": "included",
}
_COLUMNS = ("arm", "step", "detail", "label", "count", "status")


def build_prisma_numbers(
    screening: Screening,
    deduplicated: Deduplicated,
    imported: Import | None = None,
    studies: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Count the flow of a review.

    Parameters
    ----------
    screening : Screening
        A complete ledger.
    deduplicated : Deduplicated
        Where the screened works came from.
    imported : Import, optional
        The import before that; records of a file that could not be read then count as identified and removed.
    studies : mapping of str to str, optional
        Included record → study, where several reports tell of one study.

    Returns
    -------
    DataFrame
        One row a number: ``arm`` (a key of `ARMS`, or ``all``), ``step`` (of `STEPS`, or ``studies``), ``detail``
        (database or reason; empty for the total of the step), ``label`` (as printed), ``count`` (records; missing where
        unknown), ``status`` (of `STATUS_NAMES`). Steps that an arm does not have are absent.

    Raises
    ------
    InputError
        The ledger is not complete, the works are not those that were screened, the import does not belong to them, a
        file with unreadable records holds several databases, an included record without study, or numbers that do not
        add up.
    """
    _check_parts(screening, deduplicated, imported, studies)
    kinds = dict(zip(screening.sources["database"], screening.sources["kind"], strict=True))
    databases = compute_database_counts(deduplicated).set_index("database")
    unreadable = _unreadable(imported)
    stage_counts = compute_stage_counts(screening).set_index(["arm", "stage"])
    exclusions = compute_exclusions(screening)
    rows: list[tuple] = []

    def add(arm: str, step: str, count: int, detail: str | None = None, label: str | None = None) -> None:
        rows.append((arm, step, detail, label or STEPS[step], count, "counted"))

    for arm, stages in screening.stages.items():
        places = [name for name, kind in kinds.items() if SOURCE_ARMS[kind] == arm]
        found = {name: int(databases["identified"].get(name, 0)) + unreadable.get(name, 0) for name in places}
        removed = {name: int(databases["duplicates"].get(name, 0)) for name in places}
        for step, counts in (("identified", found), ("duplicates", removed)):
            add(arm, step, sum(counts.values()))
            for name, count in counts.items():
                add(arm, step, count, name, name)
        if lost := sum(unreadable.get(name, 0) for name in places):
            add(arm, "unreadable", lost)
        for stage in stages:
            given = exclusions[(exclusions["arm"] == arm) & (exclusions["stage"] == stage)]
            came = int(stage_counts.at[(arm, stage), "in"])
            went, lost_at = _STAGE_STEPS[stage]
            if stage == "full_text":
                missed = int(given.loc[given["kind"] == "not_retrieved", "records"].sum())
                add(arm, "sought", came)
                add(arm, "not_retrieved", missed)
                came -= missed
                given = given[given["kind"] == "criterion"]
            add(arm, went, came)
            excluded = int(stage_counts.at[(arm, stage), "excluded"])
            add(arm, lost_at, excluded - (missed if stage == "full_text" else 0))
            for row in given.itertuples():
                add(arm, lost_at, row.records, row.reason, row.statement)
        add(arm, "included", len(_included(screening, arm)))
    kept = pd.concat([_included(screening, arm) for arm in screening.stages])
    add("all", "included", len(kept))
    if studies is not None:
        count = len({studies[record] for record in kept})
        rows.append(("all", "studies", None, "Studies included", count, "counted"))
    return check_prisma(_table(rows))


def build_published_numbers(protocol: pd.DataFrame) -> pd.DataFrame:
    """The flow of a published review, as far as its protocol holds it.

    Parameters
    ----------
    protocol : DataFrame
        ``literature/search_protocol.csv``: counts named after their arm and step, such as ``slr_found``. Rules of
        exclusion become the reasons, without counts, since a rule says nothing on how often it was used.

    Returns
    -------
    DataFrame
        As of `build_prisma_numbers`. Steps of the form on which the protocol has no row have the status
        ``not_mentioned``.

    Raises
    ------
    InputError
        The protocol contradicts itself (`analysis.literature.protocol.check_protocol`), has a count of an unknown step,
        or its numbers cannot add up.
    """
    counts = check_protocol(protocol)
    counts = counts[counts["kind"] == "count"]
    known: dict[tuple[str, str], tuple[str | None, str]] = {}
    problems = []
    for row in counts.itertuples():
        step = _PROTOCOL_STEPS.get(row.item.partition("_")[2])
        if step is None or row.arm not in _PROTOCOL_ARMS:
            where = f"{protocol.attrs.get('source', 'protocol')}:{row.Index}"
            remedy = f"SLR or GLR, and one of: {', '.join(_PROTOCOL_STEPS)}"
            problems.append(Problem(where, f"'{row.item}' is no step of the flow", remedy))
        else:
            known[_PROTOCOL_ARMS[row.arm], step] = (None if pd.isna(row.value) else row.value, row.status)
    if problems:
        raise InputError("The published numbers cannot be read.", problems)
    rules = protocol[(protocol["kind"] == "exclusion") & (protocol["item"] != "exclude_duplicate")]
    places = {
        "databases": ("libraries", f"{protocol_value(protocol, 'libraries')} libraries, not named in the text"),
        "other": ("grey_source", protocol_value(protocol, "grey_source")),
    }
    rows: list[tuple] = []
    for name, arm in _PROTOCOL_ARMS.items():
        for step in dict.fromkeys(_PROTOCOL_STEPS.values()):
            value, status = known.get((arm, step), (None, "not_mentioned"))
            rows.append((arm, step, None, STEPS[step], None if value is None else int(value), status))
            if step == "identified":
                rows.append((arm, step, *places[arm], None, "not_published"))
            if step == "excluded":
                rows += [(arm, step, row.item, row.statement, None, "not_published")
                         for row in rules[rules["arm"].isin([name, "both"])].itertuples()]  # fmt: skip
    kept = [known.get((arm, "included"), (None, ""))[0] for arm in ARMS]
    total = None if None in kept else sum(map(int, kept))
    status = "not_published" if total is None else "published"
    rows.append(("all", "included", None, STEPS["included"], total, status))
    return check_prisma(_table(rows))


def compute_prisma_checks(numbers: pd.DataFrame) -> pd.DataFrame:
    """Every equation that the numbers of a flow have to keep.

    A step is what is lost there plus what goes on; a total is the sum of its details; no step is larger than an earlier
    one; the reports included are those of all arms.

    Parameters
    ----------
    numbers : DataFrame
        `build_prisma_numbers` or `build_published_numbers`.

    Returns
    -------
    DataFrame
        ``arm``, ``equation`` (in words), ``numbers`` (the same with counts, ``?`` for an unknown one), ``verdict``:
        ``holds``, ``broken``, or ``unknown`` where a missing number leaves it open.
    """
    rows = []
    totals = _totals(numbers)
    for arm in [arm for arm in ARMS if arm in set(numbers["arm"])]:
        chain = [step for step in CHAIN if (arm, step) in totals]
        for step, after in pairwise(chain):
            parts = [*(loss for loss in CHAIN[step] if (arm, loss) in totals), after]
            words = f"{STEPS[step]} = " + " + ".join(STEPS[part] for part in parts)
            rows.append((arm, words, *_compare(totals[arm, step], [totals[arm, part] for part in parts])))
        for step in STEPS:
            details = numbers[(numbers["arm"] == arm) & (numbers["step"] == step) & numbers["detail"].notna()]
            if len(details):
                words = f"{STEPS[step]} = sum of its {len(details)} parts"
                rows.append((arm, words, *_compare(totals.get((arm, step)), list(map(_count, details["count"])))))
        for place, step in enumerate(chain):
            for after in chain[place + 2 :]:
                more, less = totals[arm, step], totals[arm, after]
                if more is not None and less is not None and less > more:
                    rows.append((arm, f"{STEPS[step]} ≥ {STEPS[after]}", f"{more} ≥ {less}", "broken"))
    arms = [count for (arm, step), count in totals.items() if step == "included" and arm != "all"]
    rows.append(("all", "Reports included = sum over the arms", *_compare(totals.get(("all", "included")), arms)))
    studies, reports = totals.get(("all", "studies")), totals.get(("all", "included"))
    if studies is not None and reports is not None:
        verdict = "holds" if studies <= reports else "broken"
        rows.append(("all", "Studies included ≤ reports included", f"{studies} ≤ {reports}", verdict))
    return pd.DataFrame(rows, columns=["arm", "equation", "numbers", "verdict"])


def check_prisma(numbers: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of a flow unchanged, if they can be right.

    Raises
    ------
    InputError
        A negative count, a number twice, a value that does not fit its status, or an equation of
        `compute_prisma_checks` that is broken. All violations are listed.
    """
    problems = []
    for row in numbers.itertuples():
        where = f"{row.arm}, {row.label}"
        count = _count(row.count)
        if count is not None and count < 0:
            problems.append(Problem(where, f"{count} records", "counts are not negative"))
        if (row.status in ("counted", "published")) != (count is not None):
            problems.append(Problem(where, f"status '{row.status}' with count {'?' if count is None else count}",
                                    "an unknown number stays empty, a known one has its origin"))  # fmt: skip
    problems += [
        Problem(f"{row.arm}, {row.label}", "occurs twice", "one row a number")
        for row in numbers[numbers.duplicated(["arm", "step", "detail"])].itertuples()
    ]
    if not problems:
        checks = compute_prisma_checks(numbers)
        problems = [
            Problem(ARMS.get(row.arm, "all arms"), f"{row.equation}: {row.numbers}", "correct the tables behind it")
            for row in checks[checks["verdict"] == "broken"].itertuples()
        ]
    if problems:
        raise InputError("The numbers of the flow do not add up.", problems)
    return numbers


def build_prisma_table(numbers: pd.DataFrame) -> pd.DataFrame:
    """The numbers as printed: Arm, Step, Of which, Records; unknown ones say why."""
    shown = [
        (
            ARMS.get(row.arm, "Both arms") if pd.isna(row.detail) else "",
            STEPS.get(row.step, row.label) if pd.isna(row.detail) else "",
            "" if pd.isna(row.detail) else row.label,
            STATUS_NAMES[row.status] if _count(row.count) is None else str(_count(row.count)),
        )
        for row in numbers.itertuples()
    ]
    return pd.DataFrame(shown, columns=["Arm", "Step", "Of which", "Records"])


def _table(rows: list[tuple]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"count": "Int64"})
    return table.astype(dict.fromkeys(("arm", "step", "detail", "label", "status"), "string"))


def _totals(numbers: pd.DataFrame) -> dict[tuple[str, str], int | None]:
    rows = numbers[numbers["detail"].isna()]
    return {(row.arm, row.step): _count(row.count) for row in rows.itertuples()}


def _count(value: object) -> int | None:
    return None if pd.isna(value) else int(value)


def _compare(total: int | None, parts: list[int | None]) -> tuple[str, str]:
    """The equation with its numbers, and whether it holds; unknown parts are at least 0."""
    words = " + ".join("?" if part is None else str(part) for part in parts)
    known = sum(part for part in parts if part is not None)
    if total is None:
        return f"? = {words}", "unknown"
    if None in parts:
        return (f"{total} < {known}, the known part of {words}", "broken") if known > total else (
            f"{total} = {words}", "unknown")  # fmt: skip
    return (f"{total} = {words}", "holds") if known == total else (f"{total} ≠ {words} ({known})", "broken")


def _included(screening: Screening, arm: str) -> pd.Series:
    last = screening.stages[arm][-1]
    rows = screening.outcomes
    return rows.loc[(rows["arm"] == arm) & (rows["stage"] == last) & (rows["outcome"] == "include"), "record"]


def _unreadable(imported: Import | None) -> dict[str, int]:
    """Records that could not be read, by database."""
    if imported is None:
        return {}
    counts: dict[str, int] = {}
    for row in imported.files[imported.files["left_out"] > 0].itertuples():
        names = imported.records.loc[imported.records["file"] == row.file, "database"].unique()
        counts[names[0]] = counts.get(names[0], 0) + int(row.left_out)
    return counts


def _check_parts(
    screening: Screening, deduplicated: Deduplicated, imported: Import | None, studies: Mapping[str, str] | None
) -> None:
    problems = []
    if not screening.complete:
        problems.append(Problem("ledger", "is not complete", "check it with complete=True"))
    here, there = set(screening.works["record"]), set(deduplicated.records["record"])
    for record in sorted(here ^ there):
        what = "was screened, but is not among the works" if record in here else "is a work that was never screened"
        problems.append(Problem(f"record '{record}'", what, "take ledger and records of one state of the review"))
    if imported is not None:
        if set(imported.records["record"]) != set(deduplicated.originals["record"]):
            problems.append(Problem("import", "holds other records than the works came from", "take the same import"))
        for row in imported.files[imported.files["left_out"] > 0].itertuples():
            names = imported.records.loc[imported.records["file"] == row.file, "database"].nunique()
            if names != 1:
                what = f"{row.left_out} unreadable records, and {names} databases that they may be from"
                problems.append(Problem(row.file, what, "repair them, or export each database to a file of its own"))
    if studies is not None and not problems:
        kept = pd.concat([_included(screening, arm) for arm in screening.stages])
        problems += [Problem(f"record '{r}'", "is included without a study", "name its study")
                     for r in kept if r not in studies]  # fmt: skip
    if problems:
        raise InputError("The flow cannot be counted.", problems)
