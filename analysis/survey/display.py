"""The survey's tables and figure inputs as the thesis prints them: words, rounded shares, no new numbers."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.survey.likert import Answers
from analysis.survey.published import HOLDS


def build_question_table(questionnaire: pd.DataFrame) -> pd.DataFrame:
    """What was asked and what is published of it: Question, Asked, Answers, Published."""
    return pd.DataFrame(
        {
            "Question": questionnaire["question"],
            "Asked": questionnaire["wording"],
            "Answers": questionnaire["options"].astype("string").fillna("open"),
            "Published": questionnaire["published_what"],
        }
    )


def build_share_table(shares: pd.DataFrame, counts: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Every answer with share and intervals beside the printed percentage.

    Parameters
    ----------
    shares : DataFrame
        From `analysis.survey.likert.compute_answer_shares`.
    counts : DataFrame
        survey/published_counts.csv, for the printed counts and percentages.
    confidence : float
        Coverage of the intervals, for their headings.

    Returns
    -------
    DataFrame
        Question (named once), Answer, Count, Printed, Share, and the two intervals. A corrected
        count shows the printed one and the word 'reconstructed'.
    """
    printed = counts.set_index(["question", "position"])
    rows = []
    for row in shares.to_dict("records"):
        source = printed.loc[(row["question"], row["position"])]
        count = str(row["count"])
        if row["corrected"]:
            count = f"{row['count']} (reconstructed; printed {source['count']})"
        elif not row["open"] and pd.isna(source["count"]):
            count = f"{row['count']} (not mentioned)"
        has_percent = not row["open"] and pd.notna(source["printed_percent"])
        rows.append(
            {
                "Question": row["question"],
                "Answer": row["option"],
                "Count": count,
                "Printed": f"{source['printed_percent']}%" if has_percent else "–",
                "Share": f"{100 * row['share']:.1f}%",
                f"{100 * confidence:g}% interval": _interval(row["low"], row["high"]),
                "All answers jointly": _interval(row["joint_low"], row["joint_high"]),
            }
        )
    table = pd.DataFrame(rows)
    table["Question"] = table["Question"].where(table["Question"] != table["Question"].shift(), "")
    return table


def build_audit_table(audit: pd.DataFrame) -> pd.DataFrame:
    """The numeric checks of the audit: Check, Question, Printed, Recomputed, Verdict, Smallest correction."""
    chosen = audit[audit["question"] != ""].sort_values(["question", "check"], kind="stable")
    return pd.DataFrame(
        {
            "Question": chosen["question"],
            "Check": chosen["check"],
            "Printed": chosen["printed"],
            "Recomputed": chosen["recomputed"],
            "Verdict": chosen["verdict"],
            "Smallest correction": chosen["correction"].replace("", "–"),
        }
    ).reset_index(drop=True)


def build_figure_table(findings: pd.DataFrame, *, only_doubtful: bool = False) -> pd.DataFrame:
    """Findings of `analysis.survey.audit.figures`: Figures, Check, Printed, Verdict, Smallest correction, Place.

    What the source prints stands in quotation marks: it is quoted, not claimed (`audit_text` can leave quotations out).
    """
    chosen = findings[findings["verdict"] != HOLDS] if only_doubtful else findings
    return pd.DataFrame(
        {
            "Figures": chosen["question"],
            "Check": chosen["check"],
            "Printed": "“" + chosen["printed"] + "”",
            "Verdict": chosen["verdict"],
            "Smallest correction": chosen["correction"].replace("", "–"),
            "Place": chosen["place"],
        }
    ).reset_index(drop=True)


def build_claim_table(audit: pd.DataFrame) -> pd.DataFrame:
    """The doubtful statements of the audit: Statement, Against it, Verdict, Reading."""
    chosen = audit[audit["question"] == ""]
    return pd.DataFrame(
        {
            "Statement": chosen["printed"] + " (" + chosen["place"] + ")",
            "Against it": chosen["recomputed"],
            "Verdict": chosen["verdict"],
            "Reading": chosen["correction"],
        }
    ).reset_index(drop=True)


def build_reading_table(readings: pd.DataFrame) -> pd.DataFrame:
    """The ways to repair a question: Reading, Percentages that follow, What does not follow."""
    return pd.DataFrame(
        {
            "Reading": readings["reading"],
            "Percentages that follow": readings["fits"].astype(str) + " of " + readings["checked"].astype(str),
            "What does not follow": readings["misfits"].replace("", "–"),
        }
    )


def count_verdicts(audit: pd.DataFrame) -> dict[str, int]:
    """How many findings of the audit hold, contradict, or say something else, numeric checks and statements apart.

    Returns
    -------
    dict
        ``checks``, ``checks_hold``, ``checks_contradicted``, ``claims``, ``claims_contradicted``, ``claims_unchecked``.
    """
    numeric = audit[audit["question"] != ""]
    claims = audit[audit["question"] == ""]
    return {
        "checks": len(numeric),
        "checks_hold": int(numeric["verdict"].str.startswith(HOLDS).sum()),
        "checks_contradicted": int(numeric["verdict"].str.startswith("contradiction").sum()),
        "claims": len(claims),
        "claims_contradicted": int((claims["verdict"] == "contradiction").sum()),
        "claims_unchecked": int((claims["verdict"] == "cannot be checked").sum()),
    }


def build_likert_segments(answers: Sequence[Answers], questionnaire: pd.DataFrame) -> pd.DataFrame:
    """Pieces of the bars for `analysis.plots.likert.draw_likert`.

    Returns
    -------
    DataFrame
        ``item``, ``first``, ``last``, ``count``, ``n``, and ``mark``: an asterisk on a corrected count.

    Raises
    ------
    InputError
        Answers that are not broken down but do not lie next to each other.
    """
    rows = []
    for one in answers:
        item = item_label(one.question, questionnaire)
        places = one.open_positions
        if places and places[-1] - places[0] + 1 != len(places):
            raise InputError(
                f"{one.question} cannot be drawn.",
                [
                    Problem(
                        one.question, "the answers not broken down lie apart", "draw this question by itself, as counts"
                    )
                ],
            )
        if places:
            rows.append((item, places[0], places[-1], one.left_over, one.n, ""))
        rows += [
            (item, place, place, count, one.n, "*" if place in one.corrected else "")
            for place, count in enumerate(one.counts, start=1)
            if count is not None
        ]
    return pd.DataFrame(rows, columns=["item", "first", "last", "count", "n", "mark"])


def build_beside(answers: Sequence[Answers], shares: Sequence[Estimate], questionnaire: pd.DataFrame) -> pd.DataFrame:
    """One share an item for the panel beside the bars: ``item``, ``share``, ``low``, ``high``, ``text``."""
    return pd.DataFrame(
        {
            "item": item_label(one.question, questionnaire),
            "share": share.value,
            "low": share.low,
            "high": share.high,
            "text": f"{share.text()} ({share.interval_text()})",
        }
        for one, share in zip(answers, shares, strict=True)
    )


def build_scale(answers: Sequence[Answers]) -> list[str]:
    """Name of every place on a scale that several questions share; differing names stand together."""
    lengths = {len(one.options) for one in answers}
    if len(lengths) != 1:
        raise InputError(
            "These questions share no scale.",
            [Problem("", f"they have {sorted(lengths)} answers", "draw them in separate figures")],
        )
    return [", ".join(dict.fromkeys(names)) for names in zip(*(one.options for one in answers), strict=True)]


def build_interval_rows(shares: pd.DataFrame, questionnaire: pd.DataFrame, questions: Sequence[str]) -> pd.DataFrame:
    """Rows for `analysis.plots.intervals.draw_intervals`, grouped by question."""
    chosen = shares[shares["question"].isin(questions)]
    return pd.DataFrame(
        {
            "group": [item_label(question, questionnaire, width=60) for question in chosen["question"]],
            "label": chosen["option"],
            "value": chosen["share"],
            "low": chosen["low"],
            "high": chosen["high"],
            "text": [
                f"{count} of {n}: {100 * share:.1f}% ({_interval(low, high)})"
                for count, n, share, low, high in zip(
                    chosen["count"], chosen["n"], chosen["share"], chosen["low"], chosen["high"], strict=True
                )
            ],
            "hollow": chosen["corrected"],
        }
    )


def interval_title(what: str, confidence: float, *, folded: bool = False) -> str:
    """Title of an axis with the confidence of its intervals.

    >>> interval_title("Share of respondents", 0.95)
    'Share of respondents, 95% interval'
    """
    interval = f"{100 * confidence:g}% interval"
    return f"{what}\n({interval})" if folded else f"{what}, {interval}"


def item_label(question: str, questionnaire: pd.DataFrame, width: int = 16) -> str:
    """Question number and what it is about, folded at ``width`` characters."""
    construct = questionnaire.loc[questionnaire["question"] == question, "construct"].iloc[0]
    return fill(f"{question}: {construct}", width)


def _interval(low: float, high: float) -> str:
    return Estimate(low, low, high, unit="share").interval_text()
