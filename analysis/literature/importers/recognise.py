"""Which source a file is from, by what stands in it; its name counts for nothing."""

from __future__ import annotations

from collections.abc import Callable

from analysis.base.errors import InputError, Problem
from analysis.literature.importers import acm, bibtex, enw, ieee, nbib, plain_csv, ris, scopus, springer, web_of_science
from analysis.literature.importers.delimited import Header, find_header
from analysis.literature.importers.drafts import Reading
from analysis.literature.importers.source_text import SourceText

Headings = tuple[frozenset[str], ...]

TABLES: dict[str, tuple[Headings, Callable[[SourceText, Header], Reading]]] = {
    "ieee": (ieee.HEADINGS + ieee.SOCIETY_HEADINGS, ieee.read_ieee),
    "springer": (springer.HEADINGS, springer.read_springer),
    "web_of_science_tab": (web_of_science.TAB_HEADINGS, web_of_science.read_tab_delimited),
    "web_of_science_sheet": (web_of_science.SHEET_HEADINGS, web_of_science.read_sheet),
    "pubmed_csv": (nbib.CSV_HEADINGS, nbib.read_pubmed_csv),
    "acm_csv": (acm.HEADINGS, acm.read_acm),
    "scopus": (scopus.HEADINGS, scopus.read_scopus),
    "csv": (plain_csv.HEADINGS, plain_csv.read_plain_csv),
}
"""Sources that are tables: the headings that tell them, and their reader; the more particular first."""

TEXTS: dict[str, tuple[Callable[[list[str]], bool], Callable[[SourceText], Reading]]] = {
    "ris": (lambda lines: ris.find_tags(lines) is not None, ris.read_ris),
    "web_of_science": (web_of_science.looks_like_plain_text, web_of_science.read_plain_text),
    "nbib": (nbib.looks_like_nbib, nbib.read_nbib),
    "bibtex": (bibtex.looks_like_bibtex, bibtex.read_bibtex),
    "enw": (enw.looks_like_enw, enw.read_enw),
}
"""Sources of another form: what tells them, and their reader."""

SOURCES = (*TABLES, *TEXTS)
_ALIASES = {"acm": ("acm_csv", "bibtex", "enw"), "web_of_science": ("web_of_science", "web_of_science_tab",
            "web_of_science_sheet"), "pubmed": ("nbib", "pubmed_csv")}  # fmt: skip
"""Names that stand for several forms of one source."""


def read_source(source: SourceText, name: str) -> tuple[str, Reading]:
    """Read a file as the source ``name``, or as the one that it is recognised as.

    Returns
    -------
    (str, Reading)
        The source's name, and what was found.

    Raises
    ------
    InputError
        An unknown name, a file that no source is recognised in, or one that is not of the named source.
    """
    known = sorted({*SOURCES, *_ALIASES})
    if name != "auto" and name not in known:
        raise InputError(
            f"'{name}' is no source of records.", [Problem("source", f"'{name}'", f"auto, {', '.join(known)}")]
        )
    asked = SOURCES if name == "auto" else _ALIASES.get(name, (name,))
    # A table's header is a stronger sign than tags, which may stand in a cell; "ER" or "@" may stand anywhere.
    for each, (headings, read) in TABLES.items():
        if each in asked and each != "csv" and (header := find_header(source.lines, headings)):
            return each, read(source, header)
    for each, (tells, read_text) in TEXTS.items():
        if each in asked and tells(source.lines):
            return each, read_text(source)
    if "csv" in asked and (header := find_header(source.lines, plain_csv.HEADINGS)):
        return "csv", plain_csv.read_plain_csv(source, header)
    shown = next((" ".join(line.split())[:100] for line in source.lines if line.strip()), "")
    what = "no known form of export" if name == "auto" else f"not what {name} writes"
    raise InputError(
        f"{source.name} is {what}.",
        [Problem(f"{source.name}:1", f"it begins with '{shown}'", f"export it as one of: {', '.join(SOURCES)}; a table "
                 "needs a header with a column 'title'")],
    )  # fmt: skip
