"""Tables of other tools (Zotero, ASReview, Embase, Lens, …), by the headings that such tables share.

Nothing is guessed: a heading that `MAPPING` does not list is not read, and a table without a title is refused.
"""

from __future__ import annotations

import ast
import re

from analysis.literature.importers.delimited import Header, Row, read_rows
from analysis.literature.importers.drafts import KINDS, NOT_STATED, Draft, Reading
from analysis.literature.importers.identifiers import find_year
from analysis.literature.importers.ris import KINDS as RIS_KINDS
from analysis.literature.importers.scopus import split_authors
from analysis.literature.importers.source_text import SourceText

_TITLES = ("title", "primary_title", "Document Title", "Article Title", "Item Title")
HEADINGS = tuple(frozenset({name.casefold().replace("_", " ")}) for name in _TITLES)

MAPPING: dict[str, tuple[str, ...]] = {
    "title": _TITLES,
    "authors": ("authors", "author", "Author Names", "Author/s", "first_authors", "creator", "creators"),
    "year": ("year", "Publication Year", "publication_year", "Year of publication", "date", "Date Published"),
    "venue": ("journal", "venue", "Publication Title", "Source Title", "publication", "secondary_title",
              "journal_name", "booktitle", "container title", "alternate_title3"),
    "volume": ("volume",),
    "issue": ("issue", "number", "Issue Number"),
    "pages": ("pages", "start_page", "Start Page"),
    "doi": ("doi", "DOIs"),
    "issn": ("issn", "ISSNs", "isbn"),
    "url": ("url", "urls", "link", "Source URLs", "External URL"),
    "abstract": ("abstract", "Abstract Note", "notes_abstract"),
    "keywords": ("keywords", "Author Keywords", "Manual Tags", "Keyword"),
    "language": ("language",),
    "raw_id": ("record_id", "Lens ID", "Key", "Accession Number", "pmid", "id"),
}  # fmt: skip
"""Column → headings, preferred first."""

_ITEMS = {
    "journalarticle": "article", "journal article": "article", "conferencepaper": "conference",
    "conference paper": "conference", "conference proceedings article": "conference", "booksection": "chapter",
    "book chapter": "chapter", "webpage": "web", "phd thesis": "thesis", "magazinearticle": "article",
}  # fmt: skip


def read_plain_csv(source: SourceText, header: Header) -> Reading:
    """Every row as a draft, or as a notice."""

    def plausible(cells: dict[str, str]) -> bool:
        return any(find_year(cells.get(name, "")) for name in ("year", "publication year"))

    rows, notices = read_rows(source.lines, header, plausible=plausible)
    return Reading([_draft(row) for row in rows], [*source.notices, *notices])


def _draft(row: Row) -> Draft:
    values = {column: row.values(*headings) for column, headings in MAPPING.items()}
    values["authors"] = _items(values["authors"], names=True)
    values["keywords"] = _items(values["keywords"], names=False)
    kind = next(iter(row.values("type", "Item Type", "Publication Type", "type_of_reference", "Document Type")), "")
    plain = kind.casefold().strip()
    found = plain if plain in KINDS else _ITEMS.get(plain) or RIS_KINDS.get(kind.strip().upper())
    values["kind"] = [found or ("other" if kind else "not_stated")]
    database = next(iter(row.values("database", "source database", "Database")), NOT_STATED)
    return Draft(row.line, values, database, list(row.notices))


def _items(texts: list[str], *, names: bool) -> list[str]:
    """Names or words of the first text: a list as Python writes it, or joined by semicolons, bars or commas."""
    if not texts:
        return []
    text = texts[0].strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            listed = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            listed = None
        if isinstance(listed, list):
            return [str(item) for item in listed]
    if ";" in text or " | " in text:
        return re.split(r"\s*;\s*|\s+\|\s+", text)
    if names and re.search(r"\s+and\s+", text):
        return re.split(r"\s*,\s+and\s+|\s+and\s+", text)
    return split_authors([text]) if names else text.split(",")
