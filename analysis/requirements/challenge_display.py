"""Challenges and solutions as the thesis prints them, and as cells of a figure."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.requirements.challenges import CATEGORY_NAMES, TOPIC_NAMES, Challenges
from analysis.requirements.form_display import build_gap_table

PAIRING_NAMES = {"same_row": "row", "same_number": "number", "same_place": "order", "lost": "–"}
"""By what a solution is known to belong to a challenge."""

LOST = "(lost in the text)"
_PARTS = ("challenge", "solution")


def build_challenge_table(tables: Challenges, support: pd.DataFrame, documents: Mapping[str, str]) -> pd.DataFrame:
    """Challenges with their solutions and the passages that bear them, as printed.

    Parameters
    ----------
    tables : Challenges
    support : DataFrame
        `analysis.requirements.challenges.compute_support`.
    documents : mapping of str to str
        Document → heading, in order.

    Returns
    -------
    DataFrame
        No., Challenge, Solution, Pair (`PAIRING_NAMES`), Row (passages that are the row of the source's table), and one
        column a document: passages elsewhere that bear the challenge + those that bear the solution.
    """
    counts = support.set_index(["part", "challenge"])
    names = tables.solutions.set_index("solution")["name"]
    own_rows = tables.challenge_segments.groupby("challenge")["segment"].nunique()
    rows = []
    for row in tables.challenges.itertuples():
        found = {
            heading: f"{counts.at[('challenge', row.challenge), document]} + "
            + ("–" if pd.isna(row.solution) else str(counts.at[("solution", row.challenge), document]))
            for document, heading in documents.items()
        }
        rows.append(
            {
                "No.": row.challenge,
                "Challenge": row.name,
                "Solution": LOST if pd.isna(row.solution) else names[row.solution],
                "Pair": PAIRING_NAMES[row.pairing],
                "Row": int(own_rows[row.challenge]),
                **found,
            }
        )
    return pd.DataFrame(rows)


def build_category_table(tables: Challenges, support: pd.DataFrame) -> pd.DataFrame:
    """Sums by category and topic: Category, Challenges, Solutions, Passages elsewhere on challenges, on solutions.

    A passage that bears several challenges counts for each.
    """
    challenges = tables.challenges
    heading = challenges["category"].map(CATEGORY_NAMES) + challenges["topic"].map(TOPIC_NAMES).radd(": ").fillna("")
    group_of = dict(zip(challenges["challenge"], heading, strict=True))
    sums = support.assign(group=support["challenge"].map(group_of))
    sums = sums.pivot_table(index="group", columns="part", values="elsewhere", aggfunc="sum")
    grouped = challenges.assign(group=heading).groupby("group", sort=False)
    table = pd.DataFrame({"Challenges": grouped["challenge"].size(), "Solutions": grouped["solution"].count()})
    table["On challenges"] = sums["challenge"]
    table["On solutions"] = sums["solution"]
    return table.rename_axis("Category").reset_index()


def build_challenge_gap_table(gaps: pd.DataFrame, codebook: pd.DataFrame, most: int = 18) -> pd.DataFrame:
    """Gaps as printed: Gap, Count, Of, Which; codes by their names in the codebook."""
    names = codebook.set_index("code")["name"]
    named = gaps["which"].map(lambda keys: tuple(names.get(key, key) for key in keys))
    return build_gap_table(gaps.assign(which=named), most)


def build_support_cells(
    support: pd.DataFrame, tables: Challenges, documents: Mapping[str, str]
) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """Passages elsewhere as cells of `analysis.plots.heat.draw_heat_map`: challenges down, parts and documents across.

    Returns
    -------
    (cells, rows, columns)
        A lost solution has a stroke, no passage an empty cell.
    """
    lost = set(tables.challenges.loc[tables.challenges["solution"].isna(), "challenge"])
    cells = []
    for row in support.to_dict("records"):
        missing = row["part"] == "solution" and row["challenge"] in lost
        for document in documents:
            value = float("nan") if missing else float(row[document])
            text = "" if missing or not row[document] else str(row[document])
            cells.append((row["challenge"], f"{row['part']}:{document}", value, text))
    columns = {f"{part}:{key}": f"{heading}, {part}" for part in _PARTS for key, heading in documents.items()}
    rows = {row.challenge: row.name for row in tables.challenges.itertuples()}
    return pd.DataFrame(cells, columns=["row", "column", "value", "text"]), rows, columns
