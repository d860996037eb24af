"""Coding as the thesis prints it: documents, themes, and shares with intervals ready for the figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.literature.coded import build_code_rows, build_segments, names_of_codes
from analysis.literature.coding import Coding
from analysis.literature.repeats import find_repeats, without_repeats

DOCUMENT_NAMES = {
    "proposal2024": "Proposal",
    "dusengimana2023": "Dusengimana",
    "john2021": "John 2021",
    "talele2024": "Talele",
    "john2025": "John 2025",
}
"""Documents as columns of tables and figures, in the order of their numbers in the collection."""

_KIND_NAMES = {
    "proposal": "thesis proposal",
    "masters_thesis": "master's thesis",
    "doctoral_thesis": "doctoral dissertation",
    "conference_paper": "conference paper",
    "repository_record": "two abstracts",
}


def build_documents_table(coding: Coding, coder: str = "A") -> pd.DataFrame:
    """What was coded of each document, as printed.

    Parameters
    ----------
    coding : Coding
        With its repeats.
    coder : str

    Returns
    -------
    DataFrame
        Document (a citation), Kind, Passages (repeats left out), Of these quoted (words of an interviewee), Repeats,
        Interviewed, Quoted (persons or groups with a coded passage; both empty where nobody was interviewed).
    """
    segments = build_segments(without_repeats(coding), coder=coder)
    repeats = find_repeats(coding.segments)["document"]
    people = coding.participants[coding.participants["kind"] != "unattributed"]
    documents = coding.documents.set_index("document").loc[list(DOCUMENT_NAMES)]

    def per_document(values: pd.Series) -> pd.Series:
        return values.groupby(values).size().reindex(documents.index, fill_value=0)

    interviewed = per_document(people["document"])
    quoted = segments.groupby("document")["counted"].nunique().reindex(documents.index, fill_value=0)
    return pd.DataFrame(
        {
            "Document": ["@" + name for name in documents.index],
            "Kind": documents["kind"].map(_KIND_NAMES),
            "Passages": per_document(segments["document"]),
            "Of these quoted": per_document(segments.loc[segments["kind"] == "quotation", "document"]),
            "Repeats": per_document(repeats),
            "Interviewed": interviewed.where(interviewed > 0).astype("Int64"),
            "With a passage": quoted.where(interviewed > 0).astype("Int64"),
        }
    ).reset_index(drop=True)


def build_theme_table(coding: Coding, coder: str = "A") -> pd.DataFrame:
    """Themes with their codes and the passages that bear them, as printed.

    Returns
    -------
    DataFrame
        One row a theme in the order of the codebook: Theme, Codes (below it, or itself where it has none), Used
        (those that the coder gave), one column of passages a document (`DOCUMENT_NAMES`), All, Interviewees.
    """
    rows = build_code_rows(coding, level=1, coder=coder)
    book = coding.codebook
    given = set(coding.codings.loc[coding.codings["coder"] == coder, "code"])
    themes = book[book["parent"].isna()]
    below = book[book["parent"].notna()]
    counts = pd.crosstab(rows["code"], rows["document"]).reindex(
        index=list(themes["code"]), columns=list(DOCUMENT_NAMES), fill_value=0
    )
    table = pd.DataFrame({"Theme": themes["name"].to_numpy()}, index=list(themes["code"]))
    table["Codes"] = below.groupby("theme").size().reindex(table.index, fill_value=0).clip(lower=1)
    used = book[book["code"].isin(given)].groupby("theme").size()
    own = pd.Series([theme in given and table.at[theme, "Codes"] > 1 for theme in table.index], index=table.index)
    table["Used"] = used.reindex(table.index, fill_value=0) - own.astype(int)
    for document, name in DOCUMENT_NAMES.items():
        table[name] = counts[document]
    table["All"] = counts.sum(axis=1)
    heard = rows.groupby("code")["counted"].nunique()
    table["Interviewees"] = heard.reindex(table.index, fill_value=0)
    return table.reset_index(drop=True)


def select_codes(coding: Coding, *codes: str, coder: str = "A") -> pd.DataFrame:
    """The segments to which a coder gave every one of these codes; columns of `build_segments`.

    Raises
    ------
    InputError
        A code that the codebook lacks, or none.
    """
    unknown = [code for code in codes if code not in set(coding.codebook["code"])]
    if unknown or not codes:
        problems = [Problem(code, "not in the codebook", "check the spelling") for code in unknown]
        raise InputError("Segments cannot be selected.", problems or [Problem("codes", "none given", "give one")])
    codings = coding.codings[(coding.codings["coder"] == coder) & coding.codings["code"].isin(codes)]
    complete = codings.groupby("segment")["code"].nunique() == len(codes)
    segments = build_segments(coding, coder=coder)
    selected = segments[segments["segment"].isin(list(complete.index[complete]))]
    selected.attrs.update(coding.segments.attrs)
    return selected


def build_theme_cells(frequencies: pd.DataFrame) -> pd.DataFrame:
    """Shares of themes by document as cells for `analysis.plots.grids.draw_share_matrix`.

    Parameters
    ----------
    frequencies : DataFrame
        `analysis.literature.themes.compute_segment_frequencies` by document.

    Returns
    -------
    DataFrame
        ``row`` (code), ``column`` (document), ``share``, ``text`` (per cent with its interval; without where there is
        none).
    """
    cells = frequencies.rename(columns={"code": "row", "group": "column"})[["row", "column", "share"]].copy()
    texts = [
        f"{100 * row.share:.0f}%"
        if pd.isna(row.low)
        else f"{100 * row.share:.0f} ({100 * row.low:.0f}–{100 * row.high:.0f})%"
        for row in frequencies.itertuples()
    ]
    cells["text"] = [text if share > 0 else "–" for text, share in zip(texts, cells["share"], strict=True)]
    return cells.reset_index(drop=True)


def start_draws(seed: int) -> np.random.Generator:
    """The generator behind the intervals of one figure or table; the same seed gives the same draws."""
    return np.random.default_rng(seed)


def theme_names(coding: Coding) -> dict[str, str]:
    """Theme → name as printed, in the order of the codebook."""
    names = names_of_codes(coding)
    return {code: names[code] for code in coding.codebook.loc[coding.codebook["parent"].isna(), "code"]}
