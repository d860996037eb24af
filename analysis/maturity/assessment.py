"""Where a company stands on the maturity model, as far as what is said of it lets one tell.

Passages about a company say of some activities and preconditions that they are in place, in part, planned or lacking,
and nothing of most. **Silence is not absence**: what nobody mentions may be in place or not. A placement is therefore
a range. Its upper end is the highest stage that no passage rules out; its lower end is the highest stage for which
every precondition is said to be met.

The model's source gives no rule by which preconditions become a stage, and two things can be read either way:

- *at a stage* may mean that its preconditions are met (`analysis.maturity.model` reads it so), or that the company has
  met those of all lower stages and is working on these (`Reading.under_way`);
- a precondition *in place in part* may count as met or not (`Reading.partial_counts`).

All four readings are computed, and held against the published placements.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.maturity.cases import Cases

STATUS_NAMES = {
    "present": "in place",
    "partial": "in place in part, or with trouble",
    "planned": "planned or wished for",
    "absent": "lacking",
    "absent_before": "lacking earlier, now not said",
    "not_mentioned": "not mentioned",
}
"""What the evidence says of an activity or precondition, from most to least in place, and as printed."""

_OUTCOMES = ("success", "failure", "gap")
_DENIES = ("planned", "absent")
AGREEMENT_NAMES = {
    "same": "the same",
    "inside": "published within the range",
    "overlap": "in part",
    "apart": "disagree",
}
"""How an evidenced range stands to the published one, from best to worst, and as printed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to turn preconditions into a stage.

    Attributes
    ----------
    key, name : str
        Identifier, and as printed.
    under_way : bool
        A company is at the stage it is working on, not at the last one whose preconditions it has met.
    partial_counts : bool
        A precondition in place in part counts as met.
    """

    key: str
    name: str
    under_way: bool
    partial_counts: bool


READINGS = {
    reading.key: reading
    for reading in (
        Reading("met_partial", "met, parts count", under_way=False, partial_counts=True),
        Reading("met_full", "met, parts do not count", under_way=False, partial_counts=False),
        Reading("under_way_partial", "under way, parts count", under_way=True, partial_counts=True),
        Reading("under_way_full", "under way, parts do not count", under_way=True, partial_counts=False),
    )
}
"""The four readings; the first is that of `analysis.maturity.model`, with the benefit of the doubt for parts."""


def derive_status(statuses: Iterable[str]) -> str:
    """What several passages say together.

    The rule: anything in part, or one passage that says it is there and another that it is lacking, makes ``partial``.
    Otherwise the first of ``present``, ``planned``, ``absent``, ``absent_before`` that occurs; a plan beside something
    in place means more of it, not less. Without any passage: ``not_mentioned``.

    Raises
    ------
    InputError
        An unknown status.

    Examples
    --------
    >>> derive_status(["planned", "present"]), derive_status(["absent", "present"]), derive_status([])
    ('present', 'partial', 'not_mentioned')
    """
    found = set(statuses)
    if unknown := sorted(found - set(STATUS_NAMES) - {"not_mentioned"}):
        raise InputError(
            "No status can be derived.",
            [Problem("status", f"'{status}' is not known", f"one of: {', '.join(STATUS_NAMES)}") for status in unknown],
        )
    if "partial" in found or {"present", "absent"} <= found:
        return "partial"
    return next((s for s in ("present", "planned", "absent", "absent_before") if s in found), "not_mentioned")


def compute_activity_status(cases: Cases) -> pd.DataFrame:
    """What is said of every activity of the framework in every case.

    Returns
    -------
    DataFrame
        One row a case and activity: ``case``, ``activity``, ``pipeline``, ``name``, ``status`` (`derive_status`),
        ``evidence`` (tuple of evidence numbers), ``successes``, ``failures``, ``gaps`` (passages).
    """
    said = _by_case(cases.evidence, "activity")
    rows = []
    for case in cases.cases["case"]:
        for activity in cases.activities.itertuples():
            own = said.get((case, activity.activity), [])
            counts = [len({row.segment for row in own if row.outcome == outcome}) for outcome in _OUTCOMES]
            rows.append((case, activity.activity, activity.pipeline, activity.name, *_together(own), *counts))
    columns = ["case", "activity", "pipeline", "name", "status", "evidence", "successes", "failures", "gaps"]
    return pd.DataFrame(rows, columns=columns)


def compute_precondition_status(cases: Cases) -> pd.DataFrame:
    """What is said of every precondition of the model in every case.

    Returns
    -------
    DataFrame
        One row a case and precondition: ``case``, ``precondition``, ``stage``, ``name``, ``status``
        (`derive_status`), ``evidence`` (tuple of evidence numbers).
    """
    said = _by_case(cases.evidence, "precondition")
    rows = [
        (case, precondition.key, stage.number, precondition.name, *_together(said.get((case, precondition.key), [])))
        for case in cases.cases["case"]
        for stage in cases.model.stages
        for precondition in stage.preconditions
    ]
    return pd.DataFrame(rows, columns=["case", "precondition", "stage", "name", "status", "evidence"])


def compute_coverage(statuses: pd.DataFrame) -> pd.DataFrame:
    """How many preconditions of each stage have which status.

    Parameters
    ----------
    statuses : DataFrame
        Of `compute_precondition_status`.

    Returns
    -------
    DataFrame
        One row a case and stage: ``case``, ``stage``, one count a key of `STATUS_NAMES`, ``preconditions`` (their sum).
    """
    counted = pd.crosstab([statuses["case"], statuses["stage"]], statuses["status"])
    counted = counted.reindex(columns=list(STATUS_NAMES), fill_value=0)
    order = pd.MultiIndex.from_frame(statuses[["case", "stage"]].drop_duplicates())
    counted = counted.reindex(order).assign(preconditions=lambda frame: frame.sum(axis=1))
    return counted.reset_index().rename_axis(columns=None)


def place_on_stages(stage_of: dict[str, int], statuses: dict[str, str], reading: Reading) -> tuple[int, int]:
    """Lowest and highest stage that the statuses of preconditions permit; 0 is below the first stage.

    Parameters
    ----------
    stage_of : mapping of str to int
        Every precondition of the model → its stage.
    statuses : mapping of str to str
        Precondition → status; one that is left out is not mentioned.
    reading : Reading

    Returns
    -------
    (int, int)
        A stage is met for certain if all its preconditions and those of lower stages are in place, and may be met if
        none of them is planned or lacking (in part: as the reading says). The ends of the range are the last stages met
        for certain and possibly; under way, the ones after them (the last stage stays the last).
    """
    surely = {"present", "partial"} if reading.partial_counts else {"present"}
    denies = set(_DENIES) if reading.partial_counts else {*_DENIES, "partial"}
    last = max(stage_of.values())
    unsure = [stage for key, stage in stage_of.items() if statuses.get(key, "not_mentioned") not in surely]
    denied = [stage for key, stage in stage_of.items() if statuses.get(key, "not_mentioned") in denies]
    lowest, highest = (min(stages, default=last + 1) - 1 for stages in (unsure, denied))
    step = int(reading.under_way)
    return min(lowest + step, last), min(highest + step, last)


def compute_placements(cases: Cases, reading: Reading = READINGS["met_partial"]) -> pd.DataFrame:
    """Where every case stands under one reading, against where it was published to stand.

    Returns
    -------
    DataFrame
        One row a case: ``case``, ``label``, ``reading`` (key), ``lowest``, ``highest`` (stages; 0 is below the first),
        ``limiting`` (tuple of the preconditions that keep it from the next stage), ``limiting_evidence`` (tuple),
        ``published_lowest``, ``published_highest`` (missing where nobody placed it) and ``agreement``: ``same`` range;
        the published one lies ``inside`` ours; they ``overlap``; they stand ``apart``; missing without a publication.
    """
    statuses, published = compute_precondition_status(cases), cases.companies.set_index("company")
    rows = []
    for case in cases.cases.itertuples():
        own = statuses[statuses["case"] == case.case]
        lowest, highest = place_on_stages(
            cases.stage_of, dict(zip(own["precondition"], own["status"], strict=True)), reading
        )
        denies = own[own["status"].isin([*_DENIES] if reading.partial_counts else [*_DENIES, "partial"])]
        limiting = denies[denies["stage"] == denies["stage"].min()]
        low, high = (
            (None, None)
            if pd.isna(case.company)
            else (int(published.at[case.company, end]) for end in ("lower_stage", "upper_stage"))
        )
        rows.append(
            {
                "case": case.case,
                "label": case.label,
                "reading": reading.key,
                "lowest": lowest,
                "highest": highest,
                "limiting": tuple(limiting["precondition"]),
                "limiting_evidence": tuple(key for keys in limiting["evidence"] for key in keys),
                "published_lowest": low,
                "published_highest": high,
                "agreement": _compare(lowest, highest, low, high),
            }
        )
    types = {"published_lowest": "Int64", "published_highest": "Int64", "agreement": "string"}
    return pd.DataFrame(rows).astype(types)


def compute_reading_agreement(cases: Cases) -> pd.DataFrame:
    """How well each reading fits the published placements.

    Returns
    -------
    DataFrame
        One row a reading: ``reading``, ``name``, ``placed`` (published placements), one count a key of
        ``same``, ``inside``, ``overlap``, ``apart``.
    """
    rows = []
    for reading in READINGS.values():
        found = compute_placements(cases, reading)["agreement"].dropna()
        rows.append(
            {"reading": reading.key, "name": reading.name, "placed": len(found)}
            | {key: int((found == key).sum()) for key in AGREEMENT_NAMES}
        )
    return pd.DataFrame(rows)


def compute_sensitivity(cases: Cases, reading: Reading = READINGS["met_partial"]) -> pd.DataFrame:
    """What becomes of the ranges when one passage is left out.

    Returns
    -------
    DataFrame
        One row a passage that moves an end: ``case``, ``segment``, ``lowest``, ``highest`` (with all passages),
        ``lowest_without``, ``highest_without``. A case that is not here does not hang on any single passage.
    """
    rows = []
    bearing = cases.evidence[cases.evidence["precondition"].notna()]
    for case in cases.cases["case"]:
        own = [row for row in bearing.itertuples() if row.case == case]
        full = _place(cases, own, reading)
        for segment in dict.fromkeys(row.segment for row in own):
            without = _place(cases, [row for row in own if row.segment != segment], reading)
            if without != full:
                rows.append((case, segment, *full, *without))
    columns = ["case", "segment", "lowest", "highest", "lowest_without", "highest_without"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:], "int64"))


def trace_placement(cases: Cases, case: str, reading: Reading = READINGS["met_partial"]) -> pd.DataFrame:
    """The evidence behind the placement of one case, passage by passage.

    Returns
    -------
    DataFrame
        Every passage on a precondition, and every one that the document gives as a reason: ``evidence``, ``stage``
        and ``precondition`` (missing where it bears on none), ``status``, ``role`` (``limits`` the range;
        ``denies`` a precondition of a higher stage; ``supports``; ``in_part``; ``earlier``; ``reason`` of the document
        only), ``published_reason`` (bool), ``statement``, ``segment``, ``locator``; by stage, what bears on none last.

    Raises
    ------
    InputError
        There is no such case.
    """
    if case not in cases.labels:
        known = ", ".join(cases.labels)
        raise InputError(f"There is no case '{case}'.", [Problem("case", "not known", f"one of: {known}")])
    placements = compute_placements(cases, reading).set_index("case")
    limiting = placements.at[case, "limiting"]
    own = cases.evidence[cases.evidence["case"] == case]
    own = own[own["precondition"].notna() | (own["placement_reason"] == "yes")].copy()
    roles = {
        "present": "supports",
        "partial": "in_part",
        "absent_before": "earlier",
        "planned": "denies",
        "absent": "denies",
    }
    own["stage"] = own["precondition"].map(cases.stage_of).astype("Int64")
    own["role"] = own["status"].map(roles).where(own["precondition"].notna(), "reason").astype("string")
    denies = own["precondition"].isin(limiting) & own["status"].isin([*_DENIES, "partial"])
    own["role"] = own["role"].mask(denies, "limits")
    own["published_reason"] = own["placement_reason"] == "yes"
    own = own.merge(cases.segments[["segment", "locator"]], on="segment", how="left")
    place = {key: number for number, key in enumerate(cases.stage_of)}
    order = own.assign(_place=own["precondition"].map(place)).sort_values(["_place", "evidence"], na_position="last")
    columns = [
        "evidence",
        "stage",
        "precondition",
        "status",
        "role",
        "published_reason",
        "statement",
        "segment",
        "locator",
    ]
    return order[columns].reset_index(drop=True)


def compute_outcomes(cases: Cases) -> pd.DataFrame:
    """How much of what is said of each case is of success and of failure.

    Returns
    -------
    DataFrame
        One row a case: ``case``, ``label``, ``passages`` (different segments), ``success``, ``failure``, ``gap``,
        ``neutral`` (segments with such a row; one may hold two) and ``activities`` (of the framework, with evidence).
    """
    rows = []
    for case, label in cases.labels.items():
        own = cases.evidence[cases.evidence["case"] == case]
        counts = {o: own.loc[own["outcome"] == o, "segment"].nunique() for o in (*_OUTCOMES, "neutral")}
        rows.append(
            {"case": case, "label": label, "passages": own["segment"].nunique()}
            | counts
            | {"activities": own["activity"].nunique()}
        )
    return pd.DataFrame(rows)


def _by_case(evidence: pd.DataFrame, column: str) -> dict[tuple[str, str], list[Any]]:
    """(case, activity or precondition) → its rows; those that bear on none are left out."""
    grouped: dict[tuple[str, str], list[Any]] = {}
    for row in evidence[evidence[column].notna()].itertuples():
        grouped.setdefault((row.case, getattr(row, column)), []).append(row)
    return grouped


def _together(rows: list[Any]) -> tuple[str, tuple[str, ...]]:
    return derive_status(row.status for row in rows), tuple(row.evidence for row in rows)


def _place(cases: Cases, rows: list[Any], reading: Reading) -> tuple[int, int]:
    said: dict[str, list[str]] = {}
    for row in rows:
        said.setdefault(row.precondition, []).append(row.status)
    return place_on_stages(cases.stage_of, {key: derive_status(found) for key, found in said.items()}, reading)


def _compare(lowest: int, highest: int, low: int | None, high: int | None) -> str | None:
    if low is None or high is None:
        return None
    if (lowest, highest) == (low, high):
        return "same"
    if lowest <= low and high <= highest:
        return "inside"
    return "overlap" if lowest <= high and low <= highest else "apart"
