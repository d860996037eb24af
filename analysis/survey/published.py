"""Audit of the published survey figures: do they agree with each other, and what would reconcile them?

Each kind of check gives a tidy table with the same columns, so that all of them stack:

check, question, place, printed, recomputed, verdict, correction

- `audit_sums` and `audit_percent_sums`: do the printed counts of a question add up to the
  respondents, and its percentages to one hundred?
- `audit_percentages`: does each printed percentage follow from its count, and where a percentage
  stands alone, which counts allow it?
- `audit_claims`: statements that another passage contradicts, or that nothing printed can check.

Nothing here fills a gap by guessing; `analysis.survey.readings` has the evidence behind a verdict and
the smallest corrections.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.stats.rounding import compatible_counts, matching_rules, printed_digits
from analysis.survey.readings import describe_misfit, find_corrections, to_records

AUDIT_COLUMNS = ["check", "question", "place", "printed", "recomputed", "verdict", "correction"]
HOLDS = "holds"

VERDICTS: Mapping[str, str] = {
    "two_passages": "contradiction",
    "reconcilable": "differs, can be reconciled",
    "question_differs": "not what was asked",
    "no_numbers": "cannot be checked",
    "overstated": "more than the answers say",
}
"""Kind of a doubtful claim (column ``kind`` of survey/published_claims.csv) → verdict as printed."""


def select_fact(facts: pd.DataFrame, fact: str) -> int:
    """The number of one row of survey/study_facts.csv.

    Raises
    ------
    InputError
        No such fact, or one without a number.
    """
    found = facts.loc[facts["fact"] == fact, "number"].dropna()
    if found.empty:
        known = ", ".join(facts.loc[facts["number"].notna(), "fact"])
        raise InputError(
            "The survey's facts lack this number.",
            [Problem("survey/study_facts.csv", f"no number for '{fact}'", f"known: {known}")],
        )
    return int(found.iloc[0])


def audit_sums(counts: pd.DataFrame, n: int, *, rule: str) -> pd.DataFrame:
    """Compare the printed counts of each question with the number of respondents.

    Parameters
    ----------
    counts : DataFrame
        survey/published_counts.csv.
    n : int
        Respondents.
    rule : str
        Rounding rule under which a correction must keep the printed percentages.

    Returns
    -------
    DataFrame
        One row a question that prints counts, columns `AUDIT_COLUMNS`.
    """
    corrections = find_corrections(counts, n, rule=rule)
    findings = []
    for question, rows in counts[counts["count"].notna()].groupby("question"):
        total = int(rows["count"].sum())
        silent = list(counts.loc[(counts["question"] == question) & counts["count"].isna(), "option"])
        correction = ""
        if total > n:
            verdict = f"contradiction: {total - n} too many"
            repair = corrections[corrections["question"] == question]
            correction = "; ".join(f"{r['option']} {r['printed']} → {r['corrected']}" for r in to_records(repair))
        elif total == n:
            verdict = HOLDS
            if silent:
                verdict += f"; nobody is left for {_quoted(silent)}"
        elif silent:
            verdict = f"incomplete: {n - total} not broken down over {len(silent)} answers"
        else:
            verdict = f"contradiction: {n - total} missing"
        printed = " + ".join(map(str, rows["count"]))
        findings.append(
            _finding("counts add up", question, rows, f"{printed}, of {n}", str(total), verdict, correction)
        )
    return pd.DataFrame(findings, columns=AUDIT_COLUMNS)


def audit_percentages(counts: pd.DataFrame, n: int, *, rule: str) -> pd.DataFrame:
    """Compare every printed percentage with its count, or with the counts that it allows.

    Parameters
    ----------
    counts : DataFrame
        survey/published_counts.csv.
    n : int
        Respondents, the base of every percentage.
    rule : str
        Rounding rule taken as the source's; `compare_rules` shows how well each rule does.

    Returns
    -------
    DataFrame
        One row a question, columns `AUDIT_COLUMNS`. For a percentage without a count, the
        recomputed cell lists the counts that print so under the rule.
    """
    findings = []
    for question, rows in counts[counts["printed_percent"].notna()].groupby("question"):
        both = rows[rows["count"].notna()]
        for row in to_records(rows[rows["count"].isna()]):
            findings.append(_lone_percentage(row, n, rule))
        if both.empty:
            continue
        wrong = [row for row in to_records(both) if rule not in matching_rules(row["count"], n, row["printed_percent"])]
        exact = ", ".join(
            f"{100 * row['count'] / n:.{printed_digits(row['printed_percent']) + 2}f}" for row in to_records(both)
        )
        findings.append(
            _finding(
                "percentages follow from counts",
                question,
                both,
                f"{', '.join(both['printed_percent'])} %",
                f"{exact} %",
                "; ".join(f"contradiction: {describe_misfit(row, n, rule)}" for row in wrong) or HOLDS,
                "; ".join(_count_instead(row, n, rule) for row in wrong),
            )
        )
    return pd.DataFrame(findings, columns=AUDIT_COLUMNS)


def audit_percent_sums(counts: pd.DataFrame) -> pd.DataFrame:
    """Add up the percentages of each question that prints one for every answer that anybody can have given.

    Each of k rounded percentages is off by half a unit of its last digit at most, so that their sum
    may miss 100 by k halves; questions with answers not broken down are left out.

    Returns
    -------
    DataFrame
        One row a question, columns `AUDIT_COLUMNS`.
    """
    findings = []
    for question, rows in counts.groupby("question"):
        printed = rows[rows["printed_percent"].notna()]
        total = sum((Decimal(text) for text in printed["printed_percent"]), Decimal(0))
        units = [Decimal(1).scaleb(-printed_digits(text)) for text in printed["printed_percent"]]
        slack = sum(units, Decimal(0)) / 2
        # A question that leaves answers out is complete only if nothing is left for them.
        if len(printed) < 2 or (len(printed) < len(rows) and total + slack < 100):
            continue
        verdict = (
            HOLDS
            if abs(total - 100) <= slack
            else f"contradiction: {total - 100:+} points, rounding explains {slack:g}"
        )
        text = " + ".join(printed["printed_percent"])
        findings.append(_finding("percentages add up", str(question), printed, f"{text} %", f"{total} %", verdict, ""))
    return pd.DataFrame(findings, columns=AUDIT_COLUMNS)


def audit_claims(claims: pd.DataFrame) -> pd.DataFrame:
    """Statements in doubt, in the audit's columns.

    Parameters
    ----------
    claims : DataFrame
        survey/published_claims.csv. Where both sides are numbers, ``kind`` must fit them.

    Raises
    ------
    InputError
        A claim said to contradict or to differ although its two numbers are equal.
    """
    both = claims["value"].notna() & claims["against_value"].notna()
    equal = claims[both & (claims["value"] == claims["against_value"]).fillna(False)]
    if len(equal):
        source = claims.attrs.get("source", "published_claims")
        raise InputError(
            "Claims are called contradictory whose numbers agree.",
            [
                Problem(
                    f"{source}:{line}",
                    f"{row['claim']}: both sides are {row['value']}",
                    "correct a value or drop the claim",
                )
                for line, row in equal.iterrows()
            ],
        )
    return pd.DataFrame(
        [
            {
                "check": "statement against its evidence",
                "question": "",
                "place": row["place"],
                "printed": row["statement"],
                "recomputed": f"{row['against']} ({row['against_place']})",
                "verdict": VERDICTS[row["kind"]],
                "correction": row["reading"],
            }
            for row in to_records(claims)
        ],
        columns=AUDIT_COLUMNS,
    )


def audit_published(counts: pd.DataFrame, claims: pd.DataFrame, n: int, *, rule: str) -> pd.DataFrame:
    """Every check in one table: sums of counts and percentages, percentages from counts, claims; `AUDIT_COLUMNS`."""
    parts = [
        audit_sums(counts, n, rule=rule),
        audit_percent_sums(counts),
        audit_percentages(counts, n, rule=rule),
        audit_claims(claims),
    ]
    return pd.concat(parts, ignore_index=True)


def _lone_percentage(row: dict[str, Any], n: int, rule: str) -> dict[str, str]:
    allowed = compatible_counts(row["printed_percent"], n, rule=rule)
    frame = pd.DataFrame([row])
    found = ", ".join(map(str, allowed)) or "no count"
    verdict = {0: f"contradiction: no count of {n} prints so", 1: "one count only"}.get(
        len(allowed), f"{len(allowed)} counts possible"
    )
    return _finding(
        "counts that a lone percentage allows",
        row["question"],
        frame,
        f"{row['printed_percent']} %",
        f"{found} of {n}",
        verdict,
        "",
    )


def _count_instead(row: dict[str, Any], n: int, rule: str) -> str:
    allowed = compatible_counts(row["printed_percent"], n, rule=rule)
    return f"{row['option']} {row['count']} → {' or '.join(map(str, allowed))}" if allowed else "no count fits"


def _finding(
    check: str, question: str, rows: pd.DataFrame, printed: str, recomputed: str, verdict: str, correction: str
) -> dict[str, str]:
    return {
        "check": check,
        "question": question,
        "place": "; ".join(dict.fromkeys(rows["locator"])),
        "printed": printed,
        "recomputed": recomputed,
        "verdict": verdict,
        "correction": correction,
    }


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
