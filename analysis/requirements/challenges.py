"""Challenges and the solutions that Dusengimana (2023) sets beside them, with the coded passages that bear each.

Three tables of the source hold 18 challenges and, where the text has not lost them, their solutions. A row is borne out
by the passages that are the row itself, and by passages elsewhere that were given the same code: in the source's own
prose and interviews, and in the other documents. Passages do not weigh alike and are not independent; counts say how
much there is to read, not how true a row is. Nor do challenges and solutions compare: what the other documents advise
mostly bears codes of their own (activities, best practices, themes), so that few passages on a solution say little
about how many know it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA
from analysis.base.tables import cell_at, load_table

DOCUMENT = "dusengimana2023"
CODER = "A"
"""The pass that coded every segment."""

CATEGORY_NAMES = {"organisational": "Organisational", "ml_system": "ML system", "operational": "Operational"}
TOPIC_NAMES = {
    "data_management": "data management",
    "model_development": "model development",
    "model_deployment": "model deployment",
}
_TABLE_OF = {"organisational": "Table 1", "ml_system": "Table 2", "operational": "Table 3"}
_PARTS = {"challenge": ("challenge",), "solution": ("solution",), "both": ("challenge", "solution")}


READS = (
    "requirements/challenges.csv",
    "requirements/solutions.csv",
    "requirements/challenge_segments.csv",
    "literature/segments.csv",
    "literature/codings.csv",
    "literature/codebook.csv",
)
"""Tables that `load_challenges` loads; for `analysis.base.provenance`."""


@dataclass(frozen=True, slots=True)
class Challenges:
    """The tables of challenges, checked against the coding.

    Attributes
    ----------
    challenges, solutions, challenge_segments : DataFrame
        The tables of the same names under ``requirements/``.
    """

    challenges: pd.DataFrame
    solutions: pd.DataFrame
    challenge_segments: pd.DataFrame


def load_challenges(folder: Path = DATA) -> Challenges:
    """Load the tables of challenges and solutions and check them against the coding (`check_challenges`).

    Raises
    ------
    InputError
        A table breaks its schema or refers to what does not exist, or `check_challenges` finds faults.
    """
    tables = Challenges(
        **{field.name: load_table(f"requirements/{field.name}.csv", folder) for field in fields(Challenges)}
    )
    coding = (load_table(f"literature/{name}.csv", folder) for name in ("segments", "codings", "codebook"))
    return check_challenges(tables, *coding)


def check_challenges(
    tables: Challenges, segments: pd.DataFrame, codings: pd.DataFrame, codebook: pd.DataFrame
) -> Challenges:
    """Check what no single table can show, and return the tables unchanged.

    Parameters
    ----------
    tables : Challenges
    segments, codings, codebook : DataFrame
        ``literature/segments.csv``, ``literature/codings.csv`` and ``literature/codebook.csv``.

    Raises
    ------
    InputError
        A challenge whose table, topic and category do not fit; a pairing that says something else than the columns
        (lost, yet with a solution; found by a number, yet in a table with rows); a solution of another place, of no
        challenge, or of several; a code of another category, or of several rows; a challenge or a solution without a
        passage; a passage of another document or place, or that the first coder did not give the code of the row; a
        row of the source's tables that no challenge has. All violations are listed.
    """
    problems = [
        *_row_problems(tables),
        *_solution_problems(tables),
        *_code_problems(tables, codebook),
        *_segment_problems(tables, segments, codings),
    ]
    if problems:
        raise InputError("The tables of challenges and solutions do not fit together.", problems)
    return tables


def compute_passages(
    tables: Challenges, segments: pd.DataFrame, codings: pd.DataFrame, participants: pd.DataFrame
) -> pd.DataFrame:
    """Every passage that bears a challenge or its solution.

    Parameters
    ----------
    tables : Challenges
    segments, codings, participants : DataFrame
        The coding. What the segments lack is not counted: hand over the segments without repeats.

    Returns
    -------
    DataFrame
        One row a challenge, part and segment: ``challenge``, ``part`` (``challenge`` or ``solution``), ``segment``,
        ``document``, ``kind`` (of the segment), ``participant`` (missing where nobody speaks whom the document tells
        apart), ``place`` (``row``: it is the row of the source's tables; ``elsewhere``). A row whose words are lost has
        its remaining cell. Sorted by challenge, part, segment.
    """
    own = tables.challenge_segments
    rows = [(row.challenge, part, row.segment, "row") for row in own.itertuples() for part in _PARTS[row.part]]
    linked = {(challenge, part, segment) for challenge, part, segment, _ in rows}
    given = codings[codings["coder"] == CODER].groupby("code")["segment"].agg(list).to_dict()
    for challenge, part, code in _coded_rows(tables):
        for segment in dict.fromkeys(given.get(code, ())):
            if (challenge, part, segment) not in linked:
                rows.append((challenge, part, segment, "elsewhere"))
    passages = pd.DataFrame(rows, columns=["challenge", "part", "segment", "place"])
    passages = passages.merge(segments[["segment", "document", "kind", "participant"]], on="segment", how="inner")
    nobody = participants.loc[participants["kind"] == "unattributed", "participant"]
    passages["participant"] = passages["participant"].mask(passages["participant"].isin(list(nobody)))
    passages = passages.sort_values(["challenge", "part", "segment"], kind="stable", ignore_index=True)
    return passages[["challenge", "part", "segment", "document", "kind", "participant", "place"]]


def compute_support(passages: pd.DataFrame, tables: Challenges, documents: list[str]) -> pd.DataFrame:
    """How many passages bear each row, by place and document.

    Parameters
    ----------
    passages : DataFrame
        `compute_passages`.
    tables : Challenges
    documents : list of str
        Documents to count in, in the order of the columns.

    Returns
    -------
    DataFrame
        One row a challenge and part (a lost solution included, with the cell that is left): ``challenge``, ``part``,
        ``row`` (passages that are the row of the table), one column a document (passages elsewhere), ``elsewhere``
        (their sum), ``others`` (of these, in other documents than the source), ``quotations`` (of these, an
        interviewee's words), ``interviewees`` (participants who speak in them; words that a document gives to no
        interview count as quotations, and their speaker as nobody).

    Raises
    ------
    InputError
        Passages of a document that is not among those named; all are listed.
    """
    unknown = sorted(set(passages["document"]) - set(documents))
    if unknown:
        problems = [Problem("documents", f"'{document}' is left out", "name it too") for document in unknown]
        raise InputError("The passages cannot be counted.", problems)
    index = pd.MultiIndex.from_product(
        [tables.challenges["challenge"], ["challenge", "solution"]], names=["challenge", "part"]
    )
    key = ["challenge", "part"]
    in_row, elsewhere = (passages[passages["place"] == place] for place in ("row", "elsewhere"))
    support = pd.DataFrame({"row": in_row.groupby(key).size().reindex(index, fill_value=0)})
    for document in documents:
        counts = elsewhere[elsewhere["document"] == document].groupby(key).size()
        support[document] = counts.reindex(index, fill_value=0)
    support["elsewhere"] = support[documents].sum(axis=1)
    support["others"] = support[[document for document in documents if document != DOCUMENT]].sum(axis=1)
    quotations = elsewhere[elsewhere["kind"] == "quotation"]
    support["quotations"] = quotations.groupby(key).size().reindex(index, fill_value=0)
    support["interviewees"] = elsewhere.groupby(key)["participant"].nunique().reindex(index, fill_value=0)
    return support.astype("int64").reset_index()


def compute_gaps(
    tables: Challenges, support: pd.DataFrame, segments: pd.DataFrame, codings: pd.DataFrame, codebook: pd.DataFrame
) -> pd.DataFrame:
    """What the tables of the source leave open: every kind of gap, how often, and where.

    Parameters
    ----------
    tables : Challenges
    support : DataFrame
        `compute_support`.
    segments, codings, codebook : DataFrame
        The coding; segments as for `compute_passages`.

    Returns
    -------
    DataFrame
        ``gap`` (key), ``meaning``, ``count``, ``of``, ``which`` (tuple of challenges or codes).
    """
    challenges = tables.challenges
    counts = support.set_index(["part", "challenge"])
    paired = list(challenges.loc[challenges["solution"].notna(), "challenge"])
    everything = list(challenges["challenge"])
    own_segments = set(segments.loc[segments["document"] == DOCUMENT, "segment"])
    given = codings[(codings["coder"] == CODER) & codings["segment"].isin(own_segments)]
    used = set(given["code"])

    def without(part: str, column: str, among: list[str]) -> tuple[str, ...]:
        return tuple(challenge for challenge in among if counts.at[(part, challenge), column] == 0)

    def untabled(theme: str, tabled: pd.Series) -> tuple[str, ...]:
        leaves = codebook[(codebook["theme"] == theme) & ~codebook["code"].isin(list(codebook["parent"].dropna()))]
        return tuple(code for code in leaves["code"] if code in used and code not in set(tabled))

    nothing = pd.Series(dtype="string")
    order_only = tuple(challenges.loc[challenges["pairing"] == "same_place", "challenge"])
    lost = tuple(challenges.loc[challenges["pairing"] == "lost", "challenge"])
    gaps = [
        ("solutions_lost", "Challenges whose solution the text has lost", lost, len(everything)),
        ("paired_by_order", "Pairs known by their order alone, as a number is lost", order_only, len(everything)),
        ("challenges_in_table_only", "Challenges with no passage outside the tables",
         without("challenge", "elsewhere", everything), len(everything)),
        ("challenges_of_source_only", "Challenges with no passage in another document",
         without("challenge", "others", everything), len(everything)),
        ("challenges_unquoted", "Challenges that no interviewee's printed words bear",
         without("challenge", "quotations", everything), len(everything)),
        ("solutions_in_table_only", "Solutions with no passage outside the tables",
         without("solution", "elsewhere", paired), len(paired)),
        ("solutions_of_source_only", "Solutions with no passage in another document",
         without("solution", "others", paired), len(paired)),
        ("challenges_untabled", "Challenges that the source names in prose and not in its tables",
         untabled("challenge", challenges["code"]), len(untabled("challenge", nothing))),
        ("solutions_untabled", "Solutions that the source names in prose and not in its tables",
         untabled("solution", tables.solutions["code"]), len(untabled("solution", nothing))),
    ]  # fmt: skip
    return pd.DataFrame(
        {"gap": key, "meaning": meaning, "count": len(which), "of": of, "which": which}
        for key, meaning, which, of in gaps
    )


def _coded_rows(tables: Challenges) -> Iterator[tuple[str, str, str]]:
    """Challenge, part, and the code that bears it; a lost solution has none."""
    code_of = tables.solutions.set_index("solution")["code"]
    for row in tables.challenges.itertuples():
        yield row.challenge, "challenge", row.code
        if pd.notna(row.solution) and row.solution in code_of.index:
            yield row.challenge, "solution", code_of[row.solution]


def _row_problems(tables: Challenges) -> Iterator[Problem]:
    for row in tables.challenges.itertuples():
        table, _, place = row.locator.partition(", ")
        if table != _TABLE_OF[row.category]:
            what = f"{row.challenge} is {row.category} and stands in {table}"
            yield Problem(cell_at(tables.challenges, row.Index, "category"), what, f"{_TABLE_OF[row.category]}")
        expected = "" if pd.isna(row.topic) else TOPIC_NAMES[row.topic]
        if (row.category == "ml_system") != bool(expected) or not place.startswith(expected or "row"):
            what = f"the topic of {row.challenge} is {expected or 'empty'}, its place '{place}'"
            yield Problem(cell_at(tables.challenges, row.Index, "topic"), what, "Table 2 alone has topics")
        if (row.pairing == "lost") != pd.isna(row.solution):
            has = "no" if pd.isna(row.solution) else "a"
            what = f"the pairing of {row.challenge} is {row.pairing}, with {has} solution"
            yield Problem(cell_at(tables.challenges, row.Index, "pairing"), what, "make the two agree")
        if (row.pairing == "same_row") != (row.category != "ml_system") and row.pairing != "lost":
            what = f"the pairing of {row.challenge} is {row.pairing} in {table}"
            yield Problem(cell_at(tables.challenges, row.Index, "pairing"), what, "Tables 1 and 3 have rows")


def _solution_problems(tables: Challenges) -> Iterator[Problem]:
    users = tables.challenges[tables.challenges["solution"].notna()].groupby("solution")
    challenge_of = users["challenge"].agg(list).to_dict()
    place_of = tables.challenges.set_index("challenge")["locator"]
    for row in tables.solutions.itertuples():
        linked = challenge_of.get(row.solution, [])
        if len(linked) != 1:
            what = f"{row.solution} answers {', '.join(linked) or 'no challenge'}"
            yield Problem(cell_at(tables.solutions, row.Index, "solution"), what, "it stands beside one challenge")
        for challenge in linked:
            if place_of[challenge] != row.locator:
                what = f"{row.solution} stands at '{row.locator}', its challenge at '{place_of[challenge]}'"
                yield Problem(cell_at(tables.solutions, row.Index, "locator"), what, "correct either, or relink")


def _code_problems(tables: Challenges, codebook: pd.DataFrame) -> Iterator[Problem]:
    parent = codebook.set_index("code")["parent"]
    category = tables.challenges.set_index("solution")["category"]
    category = category[category.index.notna() & ~category.index.duplicated()]
    for frame, part, of in (
        (tables.challenges, "challenge", tables.challenges["category"]),
        (tables.solutions, "solution", tables.solutions["solution"].map(category)),
    ):
        for line, code in frame["code"].items():
            expected = f"{of[line]}_{part}"
            if pd.notna(of[line]) and parent.get(code) != expected:
                what = f"'{code}' stands under '{parent.get(code)}'"
                yield Problem(cell_at(frame, line, "code"), what, f"a code under '{expected}'")
        for line, code in frame.loc[frame["code"].duplicated(), "code"].items():
            yield Problem(cell_at(frame, line, "code"), f"'{code}' comes twice", "one code a row")


def _segment_problems(tables: Challenges, segments: pd.DataFrame, codings: pd.DataFrame) -> Iterator[Problem]:
    links = tables.challenge_segments
    place_of = segments.set_index("segment")["locator"]
    document_of = segments.set_index("segment")["document"]
    own = tables.challenges.set_index("challenge")
    code_of = {(challenge, part): code for challenge, part, code in _coded_rows(tables)}
    given = set(zip(*(codings.loc[codings["coder"] == CODER, name] for name in ("segment", "code")), strict=True))
    held: set[tuple[str, str]] = set()
    for row in links.itertuples():
        at = cell_at(links, row.Index, "segment")
        if row.segment not in place_of.index or row.challenge not in own.index:
            yield Problem(at, f"{row.challenge} or {row.segment} is unknown", "correct the link")
            continue
        place = own.at[row.challenge, "locator"]
        if document_of[row.segment] != DOCUMENT or not f"{place_of[row.segment]},".startswith(f"{place},"):
            what = f"{row.segment} is {place_of[row.segment]} of {document_of[row.segment]}, not {place}"
            yield Problem(at, what, "link the row of the table")
        for part in _PARTS[row.part]:
            held.add((row.challenge, part))
            code = code_of.get((row.challenge, part))
            if code is not None and (row.segment, code) not in given:
                yield Problem(at, f"{row.segment} was not coded '{code}'", "correct the part, the link or the code")
    for line, challenge in tables.challenges["challenge"].items():
        for part in ("challenge", "solution"):
            if (challenge, part) not in held:
                what = f"no passage holds the {part} of {challenge}"
                yield Problem(cell_at(tables.challenges, line, "challenge"), what, "link it in challenge_segments.csv")
    rows = segments[(segments["document"] == DOCUMENT) & segments["locator"].str.match(r"Table [123],")]
    for line, segment in rows["segment"].items():
        if segment not in set(links["segment"]):
            what = f"{segment} ({place_of[segment]}) belongs to no challenge"
            yield Problem(cell_at(segments, line, "segment"), what, "link it in challenge_segments.csv")
