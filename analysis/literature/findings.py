"""Findings of the qualitative synthesis: statements of ours, each held up by named segments.

A finding is a sentence of this thesis. The segments linked to it either support it or limit it (say that it does not
hold somewhere, or what it costs). Links are made by hand, after reading; everything else here is counted. How many
passages support a finding says how much there is to look up, not how true it is: documents quote each other, and
passages of one document are not independent.
"""

from __future__ import annotations

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.literature.repeats import find_repeats

TOPICS = {
    "practice": "State of practice",
    "challenge": "Challenges",
    "opportunity": "Opportunities",
    "efficiency": "Efficiency",
    "theory": "Theory",
}
"""What a finding is about, in the order of the chapter, and as printed."""


def check_findings(findings: pd.DataFrame, links: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Check that every finding leads to passages that count, and return the links unchanged.

    Parameters
    ----------
    findings, links, segments : DataFrame
        ``literature/findings.csv``, ``literature/finding_segments.csv`` and ``literature/segments.csv``.

    Raises
    ------
    InputError
        A link to a finding or a segment that does not exist, or to a segment that repeats another one
        (`analysis.literature.repeats`); a finding that no segment supports; topics out of the order of `TOPICS`. All
        violations are listed.
    """
    where, here = links.attrs.get("source", "links"), findings.attrs.get("source", "findings")
    problems = []
    for column, known in (("finding", findings["finding"]), ("segment", segments["segment"])):
        problems += [
            Problem(f"{where}:{line}, column '{column}'", f"'{value}' does not exist", "correct it, or add it there")
            for line, value in links.loc[~links[column].isin(list(known)), column].items()
        ]
    repeats = find_repeats(segments).set_index("segment")
    for line, segment in links.loc[links["segment"].isin(list(repeats.index)), "segment"].items():
        first = repeats.at[segment, "first"]
        remedy = "link the paragraph that it retells" if pd.isna(first) else f"link {first}"
        problems.append(Problem(f"{where}:{line}", f"'{segment}' repeats another passage", remedy))
    supported = set(links.loc[links["stance"] == "supports", "finding"])
    problems += [
        Problem(f"{here}:{line}", f"no segment supports '{finding}'", "link one, or give the finding up")
        for line, finding in findings["finding"].items()
        if finding not in supported
    ]
    order = findings["topic"].map(list(TOPICS).index)
    problems += [
        Problem(f"{here}:{line}, column 'topic'", "out of order", f"order of topics: {', '.join(TOPICS)}")
        for line in order.index[order.diff() < 0]
    ]
    if problems:
        raise InputError("The findings do not lead to coded evidence.", problems)
    return links


def compute_findings(
    findings: pd.DataFrame, links: pd.DataFrame, segments: pd.DataFrame, participants: pd.DataFrame
) -> pd.DataFrame:
    """What each finding rests on.

    Parameters
    ----------
    findings, links, segments : DataFrame
        As for `check_findings`, which is called.
    participants : DataFrame
        ``literature/participants.csv``. Words that a document gives to no interview (kind ``unattributed``) count as
        passages, and their speaker counts as nobody.

    Returns
    -------
    DataFrame
        The columns of ``findings`` plus ``passages`` (supporting), ``documents`` (with a supporting passage),
        ``interviewees`` (persons or groups whose words or reported words support it), ``limits`` (passages),
        ``supporting`` and ``limiting`` (segments, separated by a comma and a blank, in the order of the links).
        Index and ``attrs`` are those of ``findings``.

    Raises
    ------
    InputError
        `check_findings`.
    """
    linked = check_findings(findings, links, segments).merge(
        segments[["segment", "document", "participant"]], on="segment", how="left"
    )
    nobody = participants.loc[participants["kind"] == "unattributed", "participant"]
    linked["speaker"] = linked["participant"].mask(linked["participant"].isin(list(nobody)))
    supports, limits = (linked[linked["stance"] == stance] for stance in ("supports", "limits"))
    computed = findings.copy()
    for column, rows, name in (
        ("passages", supports, "segment"),
        ("documents", supports, "document"),
        ("interviewees", supports, "speaker"),
        ("limits", limits, "segment"),
    ):
        computed[column] = findings["finding"].map(rows.groupby("finding")[name].nunique()).fillna(0).astype("int64")
    for column, rows in (("supporting", supports), ("limiting", limits)):
        joined = rows.groupby("finding")["segment"].agg(", ".join)
        computed[column] = findings["finding"].map(joined).fillna("").astype("string")
    computed.attrs.update(findings.attrs)
    return computed


def build_findings_table(computed: pd.DataFrame, *topics: str) -> pd.DataFrame:
    """The findings of some topics as printed: No., Finding, Passages, Documents, Interviewees, Segments.

    Segments that limit a finding follow those that support it, after the words "limited by".

    Raises
    ------
    InputError
        A topic that does not exist, or without a finding.
    """
    wrong = [topic for topic in topics if topic not in set(computed["topic"])]
    if wrong or not topics:
        known = f"one or more of: {', '.join(dict.fromkeys(computed['topic']))}"
        what = f"no finding on {', '.join(wrong)}" if wrong else "no topic given"
        raise InputError("The table of findings would be empty.", [Problem("topics", what, known)])
    rows = computed[computed["topic"].isin(topics)]
    limited = rows["limiting"].where(rows["limiting"].eq(""), "; limited by " + rows["limiting"])
    return pd.DataFrame(
        {
            "No.": rows["finding"],
            "Finding": rows["statement"],
            "Passages": rows["passages"],
            "Doc.": rows["documents"],
            "Interv.": rows["interviewees"],
            "Segments": rows["supporting"] + limited,
        }
    ).reset_index(drop=True)
