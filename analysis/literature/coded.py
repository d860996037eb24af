"""Coded segments as plain tables: one row a segment and code, segments × codes, and who stands behind a segment.

Segments are not independent of each other: what one interviewee says hangs together, and so does a section in which
the author speaks. A segment's *voice* is its participant or, where the author or nobody in particular speaks, the
section of its document. Voices are what intervals resample.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.literature.codebook import MAX_LEVELS, compute_rolled_up_codes
from analysis.literature.coding import Coding

NOT_PERSONS = ("unattributed",)
"""Kinds of participants that stand for words of nobody in particular; never counted as a voice of their own."""


def build_segments(coding: Coding, *, coder: str = "A", documents: Sequence[str] | None = None) -> pd.DataFrame:
    """Segments that one coder coded, with who speaks and what is known of them.

    Parameters
    ----------
    coding : Coding
    coder : str
    documents : sequence of str, optional
        Only these documents.

    Returns
    -------
    DataFrame
        The columns of ``literature/segments.csv`` with its index, and ``role_group``, ``company`` (missing for the
        author), ``counted`` (participant that may be counted as one; else missing), ``section`` (locator up to its
        first comma), ``voice``, ``characters``.

    Raises
    ------
    InputError
        The coder coded nothing, or a document is unknown; all are listed.
    """
    coders = list(dict.fromkeys(coding.codings["coder"]))
    known = list(coding.documents["document"])
    problems = [] if coder in coders else [Problem("coder", f"'{coder}' coded nothing", f"one of: {', '.join(coders)}")]
    problems += [
        Problem("documents", f"'{document}' is unknown", f"one of: {', '.join(known)}")
        for document in documents or ()
        if document not in known
    ]
    if problems:
        raise InputError("There are no such segments.", problems)
    coded = set(coding.codings.loc[coding.codings["coder"] == coder, "segment"])
    chosen = coding.segments["segment"].isin(coded)
    if documents is not None:
        chosen &= coding.segments["document"].isin(list(documents))
    segments = coding.segments[chosen].copy()
    people = coding.participants.set_index("participant")
    for column in ("role_group", "company"):
        segments[column] = segments["participant"].map(people[column])
    persons = set(people.index[~people["kind"].isin(NOT_PERSONS)])
    segments["counted"] = segments["participant"].where(segments["participant"].isin(persons))
    segments["section"] = segments["locator"].str.split(",").str[0].str.strip()
    segments["voice"] = segments["counted"].fillna(segments["document"] + " " + segments["section"])
    segments["characters"] = segments["end"] - segments["start"]
    return segments


def build_code_rows(
    coding: Coding, *, level: int = MAX_LEVELS, coder: str = "A", documents: Sequence[str] | None = None
) -> pd.DataFrame:
    """One row a segment and code of one coder, the codes rolled up to ``level`` and repeats dropped.

    Parameters
    ----------
    coding, coder, documents
        As in `build_segments`.
    level : int
        1 counts themes, `MAX_LEVELS` the codes as they were given.

    Returns
    -------
    DataFrame
        The columns of `build_segments` and ``code``, in the order of the segments; index from 0.

    Raises
    ------
    InputError
        As in `build_segments`, or the level does not exist.
    """
    segments = build_segments(coding, coder=coder, documents=documents)
    rolled = compute_rolled_up_codes(coding.codebook, level)
    codings = coding.codings[coding.codings["coder"] == coder]
    pairs = codings[["segment"]].assign(code=codings["code"].map(rolled)).drop_duplicates()
    return segments.merge(pairs, on="segment", how="inner", validate="one_to_many")


def build_presence(rows: pd.DataFrame, units: Sequence[str], key: str, codes: Sequence[str]) -> pd.DataFrame:
    """Whether each unit bears each code.

    Parameters
    ----------
    rows : DataFrame
        `build_code_rows`.
    units : sequence of str
        Rows of the result, those without a code included.
    key : str
        Column of ``rows`` that names the unit: ``segment``, ``counted`` or ``voice``.
    codes : sequence of str
        Columns of the result.

    Returns
    -------
    DataFrame
        Units × codes, boolean.
    """
    found = rows[rows[key].notna() & rows["code"].isin(list(codes))]
    table = pd.crosstab(found[key].astype(str), found["code"].astype(str)) > 0
    return table.reindex(index=list(units), columns=list(codes), fill_value=False).rename_axis(
        index=key, columns="code"
    )


def order_of_codes(coding: Coding, rows: pd.DataFrame) -> list[str]:
    """The codes that occur in ``rows``, in the order of the codebook."""
    used = set(rows["code"])
    return [code for code in coding.codebook["code"] if code in used]


def names_of_codes(coding: Coding) -> dict[str, str]:
    """Code → name as printed."""
    return dict(zip(coding.codebook["code"], coding.codebook["name"], strict=True))


def bound(value: float | None) -> float:
    """A value or bound of an estimate as a cell of a table: missing where there is none."""
    return float("nan") if value is None else float(value)
