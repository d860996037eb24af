"""What the thesis says of the requirements form and of challenges in numbers, and their keys in the results store."""

from __future__ import annotations

import pandas as pd

from analysis.base.results import Results
from analysis.requirements.challenges import Challenges
from analysis.requirements.form import Form

_GAPS = {
    "questions_without_item": "Questions of the last version that lead to no problem or best practice",
    "questions_inherited": "Questions of the last version that lead to one only through a question they replace",
    "changes_without_interviewee": "Changes for which no interviewee is named",
    "changes_without_wish": "Changes that no reported wish asks for",
    "wishes_without_change": "Wishes to a version with a successor that no change answers",
    "sources_not_listed": "Sources cited for problems and best practices that the reference list lacks",
}
_CHALLENGE_GAPS = {
    "solutions_lost": "Challenges whose solution is lost in the source's text",
    "challenges_unquoted": "Challenges of the tables that no interviewee is quoted on",
    "challenges_untabled": "Challenges of the codebook with passages that the tables do not have",
}


def store_form(results: Results, form: Form, coverage: pd.DataFrame, source: str) -> pd.DataFrame:
    """Store how the form's trace holds under ``requirements.…``; returns the numbers as a table to look at.

    Parameters
    ----------
    coverage : DataFrame
        `analysis.requirements.traceability.compute_coverage`.
    """
    gaps = coverage.set_index("gap")
    named = form.change_interviewees
    alone = named.groupby("change")["participant"].nunique()
    found = [
        ("items", len(form.items), "Problems and best practices that the form answers", form.items),
        ("questions", len(form.asked_in(form.last_version)), "Questions of the last version", form.form_questions),
        ("questions_first", len(form.asked_in(1)), "Questions of the first version", form.form_questions),
        ("changes", len(form.changes), "Published changes of the form", form.changes),
        ("wishes", len(form.wishes), "Wishes that the evaluations report", form.wishes),
        ("named", int(named["participant"].nunique()), "Interviewees named for any change", named),
        ("named_alone", int((alone == 1).sum()), "Changes for which one interviewee alone is named", named),
        *(
            (f"gaps.{key}", int(gaps.at[key, "count"]), meaning, [form.item_questions, form.changes, form.wishes])
            for key, meaning in _GAPS.items()
        ),
    ]
    return _store(results, "requirements", found, source)


def store_challenges(
    results: Results, tables: Challenges, passages: pd.DataFrame, gaps: pd.DataFrame, source: str
) -> pd.DataFrame:
    """Store what stands behind challenges and solutions under ``challenges.…``; returns the numbers as a table.

    Parameters
    ----------
    passages, gaps : DataFrame
        `analysis.requirements.challenges.compute_passages` and ``compute_gaps``.
    """
    elsewhere = passages[passages["place"] == "elsewhere"].groupby("part")["segment"].nunique()
    counts = gaps.set_index("gap")["count"]
    found = [
        ("count", len(tables.challenges), "Challenges in the tables", tables.challenges),
        ("solutions", len(tables.solutions), "Solutions in the tables", tables.solutions),
        (
            "passages",
            int(elsewhere.get("challenge", 0)),
            "Passages outside the tables on one of the challenges",
            tables.challenge_segments,
        ),
        (
            "solution_passages",
            int(elsewhere.get("solution", 0)),
            "Passages outside the tables on one of the solutions",
            tables.challenge_segments,
        ),
        *((key, int(counts[key]), meaning, tables.challenges) for key, meaning in _CHALLENGE_GAPS.items()),
    ]
    return _store(results, "challenges", found, source)


def _store(results: Results, prefix: str, found: list[tuple], source: str) -> pd.DataFrame:
    for key, value, meaning, rows in found:
        results.number(f"{prefix}.{key}", value, source=source, meaning=meaning, rows=rows)
    return pd.DataFrame(found, columns=["key", "value", "meaning", "rows"]).drop(columns="rows")
