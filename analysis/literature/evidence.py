"""What each activity and each precondition rests on.

A *claim* is a row of the framework or of the maturity model; a *link* is a citation of a study
for it. Everything here is counting: the reviewed studies are not a sample from anything, so
intervals or tests would say nothing.
"""

from __future__ import annotations

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.literature.records import KIND_NAMES

BASES = {
    "peer_reviewed": "Peer-reviewed only",
    "both": "Both literatures",
    "grey_several": "Grey only, several",
    "grey_single": "Grey only, one source",
    "none": "No source cited",
}
"""What a claim can rest on, from the firmest to none, and as printed."""


def compute_support(claims: pd.DataFrame, links: pd.DataFrame, studies: pd.DataFrame, key: str) -> pd.DataFrame:
    """Count, for every claim, the studies cited for it.

    Parameters
    ----------
    claims : DataFrame
        ``literature/activities.csv`` or ``literature/preconditions.csv``.
    links : DataFrame
        ``literature/activity_studies.csv`` or ``literature/precondition_studies.csv``: ``key`` and ``study``.
    studies : DataFrame
        ``literature/studies.csv``.
    key : str
        Name of the column that identifies a claim: ``activity`` or ``precondition``.

    Returns
    -------
    DataFrame
        The columns of ``claims`` plus ``studies``, ``peer_reviewed``, ``grey`` (counts) and
        ``base`` (a key of `BASES`). Index and ``attrs`` are those of ``claims``.

    Raises
    ------
    InputError
        A link names a claim or a study that does not exist, or occurs twice.
    """
    _check_links(claims, links, studies, key)
    kinds = links["study"].map(studies.set_index("study")["kind"])
    support = claims.copy()
    for kind in ("peer_reviewed", "grey"):
        per_claim = links.loc[kinds == kind].groupby(key).size()
        support[kind] = claims[key].map(per_claim).fillna(0).astype("int64")
    support["studies"] = support["peer_reviewed"] + support["grey"]
    support["base"] = [_base(row.peer_reviewed, row.grey) for row in support.itertuples()]
    support.attrs.update(claims.attrs)
    return support


def compute_base_counts(support: pd.DataFrame, group: str) -> pd.DataFrame:
    """How many claims of each group rest on what.

    Parameters
    ----------
    support : DataFrame
        `compute_support`.
    group : str
        Column to group by: ``pipeline`` or ``stage``.

    Returns
    -------
    DataFrame
        One row a group in order of first appearance: ``group``, one count column a key of `BASES`, ``claims``.
    """
    order = list(dict.fromkeys(support[group]))
    counts = pd.crosstab(support[group], support["base"]).reindex(index=order, columns=list(BASES), fill_value=0)
    counts["claims"] = counts.sum(axis=1)
    return counts.rename_axis(index="group", columns=None).reset_index()


def count_claims(support: pd.DataFrame, *bases: str) -> int:
    """Number of claims that rest on any of ``bases``.

    Raises
    ------
    InputError
        A base that does not exist.
    """
    unknown = [base for base in bases if base not in BASES]
    if unknown:
        raise InputError(
            "Unknown base of evidence.", [Problem(base, "unknown", f"one of: {', '.join(BASES)}") for base in unknown]
        )
    return int(support["base"].isin(bases).sum())


def links_to(links: pd.DataFrame, study: str, claims: pd.DataFrame, key: str) -> pd.DataFrame:
    """The citations of one study for the given claims."""
    return links[(links["study"] == study) & links[key].isin(list(claims[key]))]


def compute_study_load(
    studies: pd.DataFrame, activity_links: pd.DataFrame, precondition_links: pd.DataFrame
) -> pd.DataFrame:
    """How much each study carries.

    Returns
    -------
    DataFrame
        One row a study, in the order of ``studies``: ``study``, ``label``, ``kind``, ``activities``,
        ``preconditions``, ``claims`` (their sum) and ``sole``, the claims that would have no source
        left without this study. Index and ``attrs`` are those of ``studies``.
    """
    load = studies[["study", "label", "kind"]].copy()
    load["activities"] = _per_study(studies, activity_links)
    load["preconditions"] = _per_study(studies, precondition_links)
    load["claims"] = load["activities"] + load["preconditions"]
    sole = [
        links[~links[key].duplicated(keep=False)]
        for links, key in ((activity_links, "activity"), (precondition_links, "precondition"))
    ]
    load["sole"] = sum(_per_study(studies, links) for links in sole)
    load.attrs.update(studies.attrs)
    return load


def unused_studies(load: pd.DataFrame) -> pd.DataFrame:
    """The studies that are listed as reviewed but cited for no activity and no precondition."""
    return load[load["claims"] == 0]


def build_load_table(load: pd.DataFrame, heavy_from: int) -> pd.DataFrame:
    """The studies that carry at least ``heavy_from`` claims, heaviest first, as printed.

    Raises
    ------
    InputError
        No study carries as much.
    """
    heavy = load[load["claims"] >= heavy_from].sort_values("claims", ascending=False, kind="stable")
    if heavy.empty:
        raise InputError(
            f"No study carries {heavy_from} claims.",
            [
                Problem(
                    "heavy_from", f"the most that a study carries is {load['claims'].max()}", "choose a smaller number"
                )
            ],
        )
    return pd.DataFrame(
        {
            "Study": heavy["label"],
            "Kind": heavy["kind"].map(KIND_NAMES),
            "Activities": heavy["activities"],
            "Preconditions": heavy["preconditions"],
            "Together": heavy["claims"],
            "Only source of": heavy["sole"],
        }
    ).reset_index(drop=True)


def _per_study(studies: pd.DataFrame, links: pd.DataFrame) -> pd.Series:
    return studies["study"].map(links.groupby("study").size()).fillna(0).astype("int64")


def _base(peer_reviewed: int, grey: int) -> str:
    if peer_reviewed:
        return "both" if grey else "peer_reviewed"
    if grey:
        return "grey_single" if grey == 1 else "grey_several"
    return "none"


def _check_links(claims: pd.DataFrame, links: pd.DataFrame, studies: pd.DataFrame, key: str) -> None:
    where = links.attrs.get("source", "links")
    problems = [
        Problem(f"{where}:{line}", f"unknown {name} '{value}'", "correct it, or add it to its table")
        for name, known in ((key, set(claims[key])), ("study", set(studies["study"])))
        for line, value in links.loc[~links[name].isin(known), name].items()
    ]
    problems += [
        Problem(f"{where}:{line}", "the same citation twice", "remove one of them")
        for line in links.index[links.duplicated([key, "study"])]
    ]
    if problems:
        raise InputError("The citations do not fit the claims and the studies.", problems)
