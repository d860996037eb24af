"""How the review searched and chose, and how much of that a reader can check.

A search that can be repeated names its sources, its query, its period, its rules and the number
of records at every step (Page et al., PRISMA 2020, items 5–8 and 16a). What is missing stays
missing here: an empty value with a status, never a guess.
"""

from __future__ import annotations

import pandas as pd

from analysis.base.errors import InputError, Problem

STATUS_NAMES = {"published": "published", "picture_only": "in a picture, if at all", "not_published": "not published"}
"""Status as stored and as printed."""

_KIND_NAMES = {
    "query": "Query",
    "period": "Period",
    "source": "Source",
    "inclusion": "Include",
    "exclusion": "Exclude",
    "appraisal": "Appraisal",
    "count": "Count",
}


def check_protocol(protocol: pd.DataFrame) -> pd.DataFrame:
    """Check that a value stands exactly where the status says so, and that counts are counts.

    Parameters
    ----------
    protocol : DataFrame
        ``literature/search_protocol.csv``.

    Raises
    ------
    InputError
        A published item without a value, an unpublished one with a value, or a count that is not
        a whole number. All violations are listed.
    """
    where = protocol.attrs.get("source", "protocol")
    published = protocol["status"] == "published"
    has_value = protocol["value"].notna()
    is_count = protocol["kind"] == "count"
    problems = [
        Problem(f"{where}:{line}", "published, but the value is empty", "enter it, or change the status")
        for line in protocol.index[published & ~has_value]
    ]
    problems += [
        Problem(
            f"{where}:{line}",
            "has a value, but is not published in the text",
            "remove the value: nothing is guessed here",
        )
        for line in protocol.index[~published & has_value]
    ]
    problems += [
        Problem(f"{where}:{line}", f"'{protocol.at[line, 'value']}' is not a count", "write a whole number")
        for line in protocol.index[is_count & has_value & ~protocol["value"].str.fullmatch(r"\d+").fillna(False)]
    ]
    if problems:
        raise InputError("The search protocol contradicts itself.", problems)
    return protocol


def protocol_value(protocol: pd.DataFrame, item: str) -> str:
    """The published value of one item.

    Raises
    ------
    InputError
        The item is unknown, or its value is not published in the text.
    """
    found = protocol[protocol["item"] == item]
    where = protocol.attrs.get("source", "protocol")
    if found.empty:
        raise InputError(
            f"The protocol has no item '{item}'.", [Problem(where, "unknown item", "check the column 'item'")]
        )
    if pd.isna(found["value"].iloc[0]):
        status = STATUS_NAMES[found["status"].iloc[0]]
        raise InputError(
            f"The value of '{item}' cannot be used.", [Problem(f"{where}:{found.index[0]}", status, "leave it out")]
        )
    return str(found["value"].iloc[0])


def protocol_count(protocol: pd.DataFrame, item: str) -> int:
    """The published value of one item as a number; raises `InputError` as `protocol_value` does."""
    return int(protocol_value(protocol, item))


def protocol_date(protocol: pd.DataFrame, item: str) -> str:
    """The published date of one item as printed, for example ``1 January 2015``."""
    day = pd.Timestamp(protocol_value(protocol, item))
    return f"{day.day} {day:%B %Y}"


def compute_protocol_gaps(protocol: pd.DataFrame) -> pd.DataFrame:
    """How many facts of each kind are published, stand in a picture only, or are not published.

    Returns
    -------
    DataFrame
        One row a kind in the order of the file: ``kind``, then one count column a status.
    """
    table = pd.crosstab(protocol["kind"], protocol["status"])
    table = table.reindex(index=list(dict.fromkeys(protocol["kind"])), columns=list(STATUS_NAMES), fill_value=0)
    return table.rename_axis(columns=None).reset_index()


def missing_counts(protocol: pd.DataFrame) -> pd.DataFrame:
    """The counts of the search flow that are not published in the text."""
    return protocol[(protocol["kind"] == "count") & protocol["value"].isna()]


def build_protocol_table(protocol: pd.DataFrame) -> pd.DataFrame:
    """The search protocol as printed, without the counts at each step (the flow figure shows those).

    Returns
    -------
    DataFrame
        Columns Part, Arm, What, Value, Where. A rule's value is ``rule``; missing values say why.
    """
    rows = protocol[protocol["kind"] != "count"]
    value = rows["value"].mask(rows["kind"].isin(["inclusion", "exclusion"]) & rows["value"].eq("yes"), "rule")
    dated = value.str.fullmatch(r"\d{4}-\d\d-\d\d").fillna(False)
    value = value.mask(dated, rows["item"].map({i: protocol_date(protocol, i) for i in rows.loc[dated, "item"]}))
    return pd.DataFrame(
        {
            "Part": rows["kind"].map(_KIND_NAMES),
            "Arm": rows["arm"],
            "What": rows["statement"],
            "Value": value.fillna(rows["status"].map(STATUS_NAMES)),
            "Where": rows["locator"],
        }
    ).reset_index(drop=True)
