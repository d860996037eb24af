"""What the printed figures allow: rounding rules, counts behind lone percentages, smallest corrections.

The evidence behind the audit in `analysis.survey.published`. All of it works on rows of
survey/published_counts.csv; a question is its number, n the respondents, ``rule`` one of
`analysis.stats.rounding.RULES`.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.stats.rounding import (
    RULES,
    compatible_counts,
    matching_rules,
    printed_digits,
    reconcile_counts,
    round_percent,
)


def select_question(counts: pd.DataFrame, *questions: str) -> pd.DataFrame:
    """Rows of survey/published_counts.csv that print a count for these questions; lines and source survive.

    Raises
    ------
    InputError
        A question of which no count is printed.
    """
    chosen = counts[counts["question"].isin(questions) & counts["count"].notna()]
    silent = sorted(set(questions) - set(chosen["question"]))
    if silent:
        raise InputError(
            "These questions cannot be shown.",
            [
                Problem(question, "no count is printed", "its answers are published as a picture at most")
                for question in silent
            ],
        )
    return chosen


def compare_rules(counts: pd.DataFrame, n: int) -> pd.DataFrame:
    """How many printed percentages each rounding rule explains.

    Returns
    -------
    DataFrame
        ``rule``, ``fits``, ``checked`` (percentages printed with a count), ``misfits`` (which ones);
        best rule first, rules in the order of `analysis.stats.rounding.RULES` where they tie.
    """
    both = counts[counts["count"].notna() & counts["printed_percent"].notna()]
    matches = {
        f"{row['question']} {row['option']}": matching_rules(row["count"], n, row["printed_percent"])
        for row in to_records(both)
    }
    table = pd.DataFrame(
        {
            "rule": rule,
            "fits": sum(rule in fitting for fitting in matches.values()),
            "checked": len(matches),
            "misfits": "; ".join(name for name, fitting in matches.items() if rule not in fitting),
        }
        for rule in RULES
    )
    return table.sort_values("fits", ascending=False, kind="stable", ignore_index=True)


def compare_readings(counts: pd.DataFrame, question: str, n: int, *, rule: str) -> pd.DataFrame:
    """Every way to repair a question whose counts exceed ``n``: one count lowered, or n raised to the sum.

    Parameters
    ----------
    counts : DataFrame
        survey/published_counts.csv.
    question : str
        A question whose printed counts add up to more than ``n``.
    n : int
        Respondents as published.
    rule : str
        Rounding rule for the recomputed percentages.

    Returns
    -------
    DataFrame
        One row a reading: ``reading``, ``n``, ``counts`` (tuple), ``fits`` (printed percentages that
        follow), ``checked``, ``misfits``; the best fit first.

    Raises
    ------
    InputError
        The counts do not exceed ``n``: there is nothing to repair.
    """
    rows = to_records(select_question(counts, question))
    printed = [row["count"] for row in rows]
    excess = sum(printed) - n
    if excess <= 0:
        raise InputError(
            f"{question} needs no second reading.",
            [
                Problem(
                    question,
                    f"its counts add up to {sum(printed)} of {n}",
                    "ask only where they exceed the respondents",
                )
            ],
        )
    readings: list[tuple[str, int, tuple[int, ...]]] = [
        (f"{n + excess} respondents, counts as printed", n + excess, tuple(printed))
    ]
    for place, row in enumerate(rows):
        if row["count"] >= excess:
            changed = tuple(count - excess * (place == other) for other, count in enumerate(printed))
            readings.append((f"{n} respondents, '{row['option']}' {row['count']} → {changed[place]}", n, changed))
    table = pd.DataFrame(
        {"reading": name, "n": total, "counts": vector, **_fit(rows, vector, total, rule)}
        for name, total, vector in readings
    )
    return table.sort_values("fits", ascending=False, kind="stable", ignore_index=True)


def find_corrections(counts: pd.DataFrame, n: int, *, rule: str) -> pd.DataFrame:
    """Printed counts that must change for a question's sum and percentages to hold together.

    Parameters
    ----------
    counts : DataFrame
        survey/published_counts.csv.
    n : int
        Respondents.
    rule : str
        Rounding rule of the printed percentages.

    Returns
    -------
    DataFrame
        ``question``, ``position``, ``option``, ``printed``, ``corrected``; only questions whose
        counts exceed ``n`` and that have exactly one nearest repair. Empty where all is well.
    """
    found = []
    for question, rows in counts[counts["count"].notna()].groupby("question"):
        if rows["count"].sum() <= n or rows["printed_percent"].isna().any():
            continue
        repairs = reconcile_counts(list(map(int, rows["count"])), list(rows["printed_percent"]), n, rule=rule)
        if len(repairs) != 1:
            continue
        for row, corrected in zip(to_records(rows), repairs[0], strict=True):
            if corrected != row["count"]:
                found.append((question, row["position"], row["option"], row["count"], corrected))
    return pd.DataFrame(found, columns=["question", "position", "option", "printed", "corrected"])


def select_lone_count(counts: pd.DataFrame, question: str, n: int, *, rule: str) -> int:
    """The one count behind a percentage that is printed without it: a reconstruction, never a published number.

    Raises
    ------
    InputError
        The question prints no or several percentages without counts, or several counts print so.
    """
    rows = counts[(counts["question"] == question) & (counts["status"] == "percent_only")]
    found = [compatible_counts(printed, n, rule=rule) for printed in rows["printed_percent"]]
    if len(found) != 1 or len(found[0]) != 1:
        raise InputError(
            f"No single count follows for {question}.",
            [
                Problem(
                    question, f"percentages without a count: {len(rows)}; counts that fit: {found}", "report the range"
                )
            ],
        )
    return found[0][0]


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries with plain integers (a tuple row would hide the column ``count``)."""
    return [
        {
            name: int(value) if isinstance(value, int) or hasattr(value, "__index__") else value
            for name, value in row.items()
        }
        for row in frame.to_dict("records")
    ]


def describe_misfit(row: dict[str, Any], n: int, rule: str) -> str:
    digits = printed_digits(row["printed_percent"])
    expected = round_percent(row["count"], n, digits, rule=rule)
    return f"{row['count']} of {n} prints as {expected}, not {row['printed_percent']}"


def _fit(rows: list[dict[str, Any]], vector: tuple[int, ...], n: int, rule: str) -> dict[str, Any]:
    read = [row | {"count": count} for row, count in zip(rows, vector, strict=True)]
    checked = [row for row in read if pd.notna(row["printed_percent"])]
    misfits = [
        describe_misfit(row, n, rule)
        for row in checked
        if rule not in matching_rules(row["count"], n, row["printed_percent"])
    ]
    return {"fits": len(checked) - len(misfits), "checked": len(checked), "misfits": "; ".join(misfits)}
