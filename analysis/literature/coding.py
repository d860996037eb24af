"""Coded segments: which passage of which document, who speaks, which codes, given by whom.

A segment is a stretch of a document's text, ``start`` to ``end`` in characters (end exclusive) of
the file as it is, decoded as UTF-8 without touching line ends. The texts are not part of this
project. Where a user has them (`load_corpus`), a segment can be shown and its offsets checked
against the very text; without them the published length of the document has to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA, relative
from analysis.base.tables import load_table
from analysis.literature.codebook import check_codebook, codes_above, load_codebook
from analysis.literature.corpus import find_offset_faults, open_corpus

DOCUMENT_LETTERS = {
    "T": "talele2024",
    "D": "dusengimana2023",
    "J": "john2021",
    "P": "proposal2024",
    "M": "john2025",
}
"""First letter of a segment's id → document."""

MAX_CODES = 4
"""Codes that one coder may give to one segment; more say that it should have been cut."""

PARAPHRASE_WORDS = (8, 40)
"""Least and most words of a paraphrase."""

COPIED_WORDS = 6
"""As many words in a row as in a source make a copy."""


@dataclass(frozen=True, slots=True)
class Coding:
    """All tables of the coding, checked against each other.

    Attributes
    ----------
    documents, participants, codebook, segments, codings : DataFrame
        The tables of the same names under ``literature/``.
    overlaps : DataFrame
        `find_overlaps`: allowed, but worth a look.
    """

    documents: pd.DataFrame
    participants: pd.DataFrame
    codebook: pd.DataFrame
    segments: pd.DataFrame
    codings: pd.DataFrame
    overlaps: pd.DataFrame


def load_coding(folder: Path = DATA, corpus: Mapping[str, str] | None = None) -> Coding:
    """Load documents, participants, codebook, segments and codings, and check how they fit.

    Parameters
    ----------
    folder : Path
        Where the tables lie; the project's ``data/`` unless told otherwise.
    corpus : mapping of str to str, optional
        Document → text (`load_corpus`); its documents have their offsets checked against the text.

    Raises
    ------
    InputError
        A table breaks its schema or refers to what does not exist, or `check_segments`,
        `check_codings` or `check_offsets` finds faults; those of the three are listed together.
    """
    return build_coding(
        load_table("literature/documents.csv", folder),
        load_table("literature/participants.csv", folder),
        load_codebook(folder),
        load_table("literature/segments.csv", folder),
        load_table("literature/codings.csv", folder),
        corpus,
    )


def build_coding(
    documents: pd.DataFrame,
    participants: pd.DataFrame,
    codebook: pd.DataFrame,
    segments: pd.DataFrame,
    codings: pd.DataFrame,
    corpus: Mapping[str, str] | None = None,
) -> Coding:
    """Check how the tables fit and put them together; `load_coding` for who has them loaded already.

    Parameters
    ----------
    documents, participants, codebook, segments, codings : DataFrame
        The tables of these names under ``literature/``.
    corpus : mapping of str to str, optional
        As in `load_coding`.

    Raises
    ------
    InputError
        `check_codebook`, `check_segments`, `check_codings` or `check_offsets` finds faults; those of the last three
        are listed together.
    """
    check_codebook(codebook)
    problems = [
        *_segment_problems(segments, documents, participants),
        *_coding_problems(codings, segments, codebook),
        *(find_offset_faults(segments, corpus) if corpus is not None else ()),
    ]
    if problems:
        raise InputError("The segments and their codes do not fit together.", problems)
    return Coding(documents, participants, codebook, segments, codings, find_overlaps(segments, codings))


def check_segments(segments: pd.DataFrame, documents: pd.DataFrame, participants: pd.DataFrame) -> pd.DataFrame:
    """Check the segments against documents and participants, and return them unchanged.

    Parameters
    ----------
    segments, documents, participants : DataFrame
        The tables of these names under ``literature/``.

    Raises
    ------
    InputError
        An id whose letter belongs to another document; an end that is not after the start or lies
        beyond the document; a participant of another document; a quotation without participant; a
        paraphrase outside `PARAPHRASE_WORDS`; the same passage twice. All violations are listed.
    """
    problems = _segment_problems(segments, documents, participants)
    if problems:
        raise InputError("The segments do not fit documents and participants.", problems)
    return segments


def check_codings(codings: pd.DataFrame, segments: pd.DataFrame, codebook: pd.DataFrame) -> pd.DataFrame:
    """Check the codings against segments and codebook, and return them unchanged.

    Parameters
    ----------
    codings, segments, codebook : DataFrame
        The tables of these names under ``literature/``.

    Raises
    ------
    InputError
        A segment or code that does not exist; a segment without a coding of the first pass (A);
        more than `MAX_CODES` codes of one coder on a segment; a code beside one above it; a date
        that is not in the calendar. All violations are listed.
    """
    problems = _coding_problems(codings, segments, codebook)
    if problems:
        raise InputError("The codings do not fit segments and codebook.", problems)
    return codings


def check_offsets(segments: pd.DataFrame, corpus: Mapping[str, str]) -> pd.DataFrame:
    """Check offsets against the texts of the documents at hand, and return the segments unchanged.

    Raises
    ------
    InputError
        A segment that ends beyond its text, or begins or ends with white space (a sign that the
        offsets were counted in another text). All violations are listed.
    """
    problems = find_offset_faults(segments, corpus)
    if problems:
        raise InputError("The offsets do not fit the texts.", problems)
    return segments


def find_overlaps(segments: pd.DataFrame, codings: pd.DataFrame) -> pd.DataFrame:
    """Pairs of segments that one coder coded and that share characters.

    Parameters
    ----------
    segments, codings : DataFrame
        ``literature/segments.csv`` and ``literature/codings.csv``.

    Returns
    -------
    DataFrame
        One row a pair and coder, in the order of the text: ``coder``, ``document``, ``first``,
        ``second`` (segments), ``start``, ``end`` (the shared stretch), ``characters`` (its length).
    """
    coded = codings[["segment", "coder"]].drop_duplicates().merge(segments, on="segment", validate="many_to_one")
    pairs = []
    for (coder, document), group in coded.groupby(["coder", "document"], sort=True):
        open_segments: list[tuple[str, int]] = []
        spans = group.sort_values(["start", "end", "segment"])[["segment", "start", "end"]]
        for segment, start, end in spans.itertuples(index=False):
            open_segments = [(other, stop) for other, stop in open_segments if stop > start]
            pairs += [(coder, document, other, segment, start, min(stop, end)) for other, stop in open_segments]
            open_segments.append((segment, end))
    overlaps = pd.DataFrame(pairs, columns=["coder", "document", "first", "second", "start", "end"])
    overlaps["characters"] = overlaps["end"] - overlaps["start"]
    return overlaps


def load_corpus(folder: Path, documents: pd.DataFrame) -> dict[str, str]:
    """The texts of the coded documents that lie in a folder, whatever their file names.

    A file is known by its SHA-256, since the offsets hold for those very bytes and no others.

    Parameters
    ----------
    folder : Path
        As of `analysis.literature.corpus.open_corpus`; unknown texts, and those that had to be mended, are passed over.
    documents : DataFrame
        ``literature/documents.csv``.

    Returns
    -------
    dict of str to str
        Document → text, in the order of ``documents``.

    Raises
    ------
    InputError
        The folder does not exist, or holds none of the documents.
    """
    held = open_corpus(folder, documents)
    same = held.documents.loc[held.documents["state"] == "same", "document"]
    corpus = {document: held.texts[document] for document in same}
    if not corpus:
        files = int(held.documents["file"].notna().sum()) + len(held.strangers)
        what = f"none of its {files} text files is one of the coded documents"
        remedy = "the SHA-256 of each document stands in literature/documents.csv; offsets hold for no other text"
        raise InputError("The corpus holds no coded document.", [Problem(relative(folder), what, remedy)])
    return corpus


def segment_texts(segments: pd.DataFrame, corpus: Mapping[str, str]) -> pd.Series:
    """The words of each segment; missing where the corpus lacks the document.

    Returns
    -------
    Series
        Index as in ``segments``, name ``text``.
    """
    rows = segments[["document", "start", "end"]].itertuples(index=False)
    texts = [corpus[document][start:end] if document in corpus else pd.NA for document, start, end in rows]
    return pd.Series(texts, index=segments.index, name="text", dtype="string")


def find_copied_phrases(texts: pd.Series, corpus: Mapping[str, str], words: int = COPIED_WORDS) -> pd.DataFrame:
    """Phrases of ``words`` words in a row that a text of ours shares with a document.

    Parameters
    ----------
    texts : Series
        Paraphrases, definitions or the like.
    corpus : mapping of str to str
        Document → text.
    words : int
        Length of a phrase; case and punctuation do not count.

    Returns
    -------
    DataFrame
        ``line`` (index of ``texts``), ``document``, ``phrase``.
    """
    sources: dict[tuple[str, ...], str] = {}
    for document, text in corpus.items():
        for phrase in _phrases(text, words):
            sources.setdefault(phrase, document)
    copies = [
        (line, sources[phrase], " ".join(phrase))
        for line, text in texts.dropna().items()
        for phrase in _phrases(text, words)
        if phrase in sources
    ]
    return pd.DataFrame(copies, columns=["line", "document", "phrase"])


def _phrases(text: str, words: int) -> list[tuple[str, ...]]:
    found = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.casefold())
    return [tuple(found[i : i + words]) for i in range(len(found) - words + 1)]


def _segment_problems(segments: pd.DataFrame, documents: pd.DataFrame, participants: pd.DataFrame) -> list[Problem]:
    where = segments.attrs.get("source", "segments")
    lengths = dict(zip(documents["document"], documents["characters"], strict=True))
    homes = dict(zip(participants["participant"], participants["document"], strict=True))
    least, most = PARAPHRASE_WORDS
    problems = []
    for row in segments.itertuples():
        at = f"{where}:{row.Index}"
        if DOCUMENT_LETTERS.get(row.segment[0]) != row.document:
            what = f"'{row.segment}' is not an id of {row.document}"
            problems.append(Problem(f"{at}, column 'segment'", what, "the first letter stands for the document"))
        if row.end <= row.start:
            what = f"{row.end} is not after the start, {row.start}"
            problems.append(Problem(f"{at}, column 'end'", what, "count the offsets again"))
        if row.end > lengths.get(row.document, row.end):
            what = f"{row.end} lies beyond the document's {lengths[row.document]} characters"
            problems.append(Problem(f"{at}, column 'end'", what, "count characters, not bytes"))
        if pd.isna(row.participant):
            if row.kind == "quotation":
                problems.append(
                    Problem(f"{at}, column 'participant'", "a quotation that nobody said", "name who speaks")
                )
        elif homes.get(row.participant, row.document) != row.document:
            what = f"'{row.participant}' was interviewed for {homes[row.participant]}, not for {row.document}"
            problems.append(Problem(f"{at}, column 'participant'", what, "correct the participant or the document"))
        if not least <= (words := len(row.paraphrase.split())) <= most:
            what = f"{words} words, expected {least} to {most}"
            problems.append(Problem(f"{at}, column 'paraphrase'", what, "say it in more words, or in fewer"))
    passages = segments.groupby(["document", "start", "end"]).groups.values()
    problems += [
        Problem(f"{where}, lines {', '.join(map(str, lines))}", "the same passage more than once", "keep one segment")
        for lines in passages
        if len(lines) > 1
    ]
    return problems


def _coding_problems(codings: pd.DataFrame, segments: pd.DataFrame, codebook: pd.DataFrame) -> list[Problem]:
    where = codings.attrs.get("source", "codings")
    problems = []
    for column, known in (("segment", set(segments["segment"])), ("code", set(codebook["code"]))):
        problems += [
            Problem(f"{where}:{line}, column '{column}'", f"'{value}' does not exist", "correct it, or add it there")
            for line, value in codings.loc[~codings[column].isin(known), column].items()
        ]
    dates = pd.to_datetime(codings["date"], format="%Y-%m-%d", errors="coerce")
    problems += [
        Problem(f"{where}:{line}, column 'date'", f"'{codings.at[line, 'date']}' is no day", "write year-month-day")
        for line in codings.index[dates.isna()]
    ]
    above = {code: set(codes_above(codebook, code)) for code in set(codings["code"]) & set(codebook["code"])}
    for (segment, coder), group in codings.groupby(["segment", "coder"], sort=False):
        codes = list(group["code"])
        at = f"{where}, lines {', '.join(map(str, group.index))}"
        if len(codes) > MAX_CODES:
            what = f"coder {coder} gave {segment} {len(codes)} codes, at most {MAX_CODES} are allowed"
            problems.append(Problem(at, what, "keep the most specific, or cut the segment"))
        for code in codes:
            for general in above.get(code, set()).intersection(codes):
                what = f"coder {coder} gave {segment} '{general}' beside '{code}', which lies below it"
                problems.append(Problem(at, what, f"remove '{general}'"))
    first_pass = set(codings.loc[codings["coder"] == "A", "segment"])
    source = segments.attrs.get("source", "segments")
    problems += [
        Problem(f"{source}:{line}", f"'{segment}' has no code of the first pass", "code it, or remove it")
        for line, segment in segments["segment"].items()
        if segment not in first_pass
    ]
    return problems
