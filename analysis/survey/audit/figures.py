"""Audit of single figures that a source prints here and there: do those about one group agree with each other?

Works on survey/published_figures.csv. A group is whoever or whatever is counted, such as the people of one set of
interviews. The checks:

- a count does not exceed its n, and follows from a printed fraction only if that is a whole number;
- the n of a share is the size that the group has elsewhere, and sizes printed in several places agree;
- parts add up to the size; and a fact told twice is told alike.

The findings have the columns of `analysis.survey.published.AUDIT_COLUMNS`; ``question`` holds the figures' numbers.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pandas as pd

from analysis.survey.audit.percentages import parts_test
from analysis.survey.audit.printed import Correction, name_corrections, order_corrections
from analysis.survey.published import AUDIT_COLUMNS, HOLDS
from analysis.survey.readings import to_records

NOT_WHOLE = "not a whole number"


def audit_figures(figures: pd.DataFrame) -> pd.DataFrame:
    """Check all figures of all groups; every check that can be made is a row, sound ones too.

    Parameters
    ----------
    figures : DataFrame
        survey/published_figures.csv, or rows of it.

    Returns
    -------
    DataFrame
        Columns `AUDIT_COLUMNS` and ``source``; groups and figures in the order of the table. The verdict is "holds",
        "contradiction: …", or "not a whole number: …", which a loosely meant "half" would be.
    """
    findings: list[dict[str, str]] = []
    for (source, group), rows in figures.groupby(["source", "group"], sort=False):
        records = to_records(rows)
        sizes = [row for row in records if row["form"] == "size"]
        found = [
            *_audit_sizes(group, sizes),
            *_audit_parts(sizes, [row for row in records if row["form"] == "part"]),
            *_audit_shares([row for row in records if row["form"] == "share"], sizes),
            *_audit_fractions([row for row in records if row["form"] == "fraction"]),
        ]
        findings += [{**finding, "source": source} for finding in found]
    return pd.DataFrame(findings, columns=[*AUDIT_COLUMNS, "source"])


def count_figure_verdicts(findings: pd.DataFrame) -> dict[str, int]:
    """``checks``, ``checks_hold``, ``checks_contradicted`` and ``checks_not_whole`` of findings of `audit_figures`."""
    verdicts = findings["verdict"].str
    return {
        "checks": len(findings),
        "checks_hold": int(verdicts.startswith(HOLDS).sum()),
        "checks_contradicted": int(verdicts.startswith("contradiction").sum()),
        "checks_not_whole": int(verdicts.startswith(NOT_WHOLE).sum()),
    }


def _audit_sizes(group: str, sizes: list[dict[str, Any]]) -> list[dict[str, str]]:
    if len(sizes) < 2:
        return []
    told = [row["count"] for row in sizes]
    if len(set(told)) == 1:
        return [_finding("told alike", sizes, " and ".join(map(str, told)), str(told[0]), HOLDS, "")]
    # What most places say is the likelier; where they are split, either may be the misprint.
    most = max(set(told), key=lambda size: (told.count(size), -size))
    split = told.count(most) == max(told.count(size) for size in set(told) - {most})
    others = [size for size in dict.fromkeys(told) if size != most]
    corrections = [Correction("size", str(size), str(most)) for size in others]
    if split:
        corrections += [Correction("size", str(most), str(size)) for size in others]
    verdict = f"contradiction: {' and '.join(map(str, dict.fromkeys(told)))} for {group.replace('_', ' ')}"
    printed, mended = " and ".join(map(str, told)), name_corrections(order_corrections(corrections))
    return [_finding("told alike", sizes, printed, " or ".join(map(str, dict.fromkeys(told))), verdict, mended)]


def _audit_parts(sizes: list[dict[str, Any]], parts: list[dict[str, Any]]) -> list[dict[str, str]]:
    findings = []
    for whole in {row["count"]: row for row in sizes}.values() if parts else ():
        result = parts_test([row["count"] for row in parts], whole["count"])
        printed = f"{' + '.join(str(row['count']) for row in parts)}, of {whole['count']}"
        total = whole["count"] + result.difference
        verdict = HOLDS if result.consistent else f"contradiction: {result.difference:+d}"
        mended = name_corrections(result.corrections)
        findings.append(_finding("parts add up", [whole, *parts], printed, str(total), verdict, mended))
    return findings


def _audit_shares(shares: list[dict[str, Any]], sizes: list[dict[str, Any]]) -> list[dict[str, str]]:
    findings = []
    known = {row["count"] for row in sizes}
    for row in shares:
        if pd.isna(row["n"]):
            continue
        findings.append(_share_finding(row, known))
    for fact in dict.fromkeys(row["fact"] for row in shares):
        told = [row for row in shares if row["fact"] == fact]
        if len(told) < 2:
            continue
        printed = " and ".join(_of(row) for row in told)
        alike = len({row["count"] for row in told}) == 1
        bases = {row["n"] for row in told if pd.notna(row["n"])}
        verdict = HOLDS if alike and len(bases) <= 1 else "contradiction: one fact, told in two ways"
        fitting = " or ".join(_of(row) for row in told if row["n"] in known) if verdict != HOLDS else ""
        correction = f"both {fitting}" if fitting else ""
        findings.append(
            _finding("told alike", told, printed, _of(told[0]) if not correction else fitting, verdict, correction)
        )
    return findings


def _share_finding(row: dict[str, Any], known: set[int]) -> dict[str, str]:
    """A count against its n, and n against the size of the group."""
    count, n = row["count"], row["n"]
    sizes = " or ".join(map(str, sorted(known)))
    problems, corrections = [], []
    if count > n:
        problems.append(f"{count} cannot be of {n}")
        corrections.append(Correction("count", str(count), str(n)))
    if known and n not in known:
        problems.append(f"of {n}, where {sizes} were asked")
    if problems:
        corrections += [Correction("n", str(n), str(size)) for size in sorted(known or {count}) if size >= count]
    verdict = f"contradiction: {'; '.join(problems)}" if problems else HOLDS
    mended = name_corrections(order_corrections(corrections))
    return _finding("count within n, n as elsewhere", [row], _of(row), f"{count} of {sizes or n}", verdict, mended)


def _audit_fractions(fractions: list[dict[str, Any]]) -> list[dict[str, str]]:
    findings = []
    for row in fractions:
        share = Fraction(row["fraction"])
        exact = share * row["n"]
        whole = exact.denominator == 1
        verdict = HOLDS if whole else f"{NOT_WHOLE}: {float(exact):g} of {row['n']}"
        below = row["n"] - row["n"] % share.denominator
        near = [Correction("n", str(row["n"]), str(n)) for n in (below, below + share.denominator) if n]
        printed = f"{row['fraction']} of {row['n']}"
        mended = "" if whole else name_corrections(order_corrections(near))
        findings.append(_finding("fraction of people is whole", [row], printed, f"{float(exact):g}", verdict, mended))
    return findings


def _of(row: dict[str, Any]) -> str:
    return str(row["count"]) if pd.isna(row["n"]) else f"{row['count']} of {row['n']}"


def _finding(
    check: str, rows: list[dict[str, Any]], printed: str, recomputed: str, verdict: str, correction: str
) -> dict[str, str]:
    return {
        "check": check,
        "question": ", ".join(row["figure"] for row in rows),
        "place": "; ".join(dict.fromkeys(row["locator"] for row in rows)),
        "printed": printed,
        "recomputed": recomputed,
        "verdict": verdict,
        "correction": correction,
    }
