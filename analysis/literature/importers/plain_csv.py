"""Tables of other tools (Zotero, Embase, Lens, Dimensions, OpenAlex, …), by the headings that such tables share.

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
    "authors": ("authors", "author", "Author Names", "Author/s", "first_authors", "creator", "creators",
                "authorships.author.display_name"),
    "year": ("year", "Publication Year", "publication_year", "Year of publication", "Published Year", "PubYear", "date",
             "Date Published", "publication_date"),
    "venue": ("journal", "venue", "Publication Title", "Source Title", "publication", "secondary_title",
              "journal_name", "booktitle", "container title", "alternate_title3",
              "primary_location.source.display_name"),
    "volume": ("volume", "biblio.volume"),
    "issue": ("issue", "number", "Issue Number", "biblio.issue"),
    "pages": ("pages", "Pagination"),
    "doi": ("doi", "DOIs"),
    "issn": ("issn", "ISSNs", "isbn"),
    "url": ("url", "urls", "link", "Source URLs", "External URL"),
    "abstract": ("abstract", "Abstract Note", "notes_abstract"),
    "keywords": ("keywords", "Author Keywords", "Manual Tags", "Keyword"),
    "language": ("language",),
    "raw_id": ("record_id", "Lens ID", "Key", "Accession Number", "Publication ID", "pmid", "id"),
}  # fmt: skip
"""Column → headings, preferred first. Where there are no pages, the first and the last page are taken."""

_ITEMS = {
    "journalarticle": "article", "journal article": "article", "conferencepaper": "conference",
    "conference paper": "conference", "conference proceedings article": "conference", "booksection": "chapter",
    "book chapter": "chapter", "webpage": "web", "phd thesis": "thesis", "magazinearticle": "article",
}  # fmt: skip
_EMBASE = re.compile(
    r"(?P<venue>.+?) \((?P<year>\d{4})\)(?: (?P<volume>[^\s:(]+)(?::(?P<issue>[^\s(]+))?)?"
    r"(?: \((?P<pages>[^)]*)\))?(?=\.|\Z)"
)
"""Embase's ``Source``: journal, year, volume, issue and pages in one cell."""


def read_plain_csv(source: SourceText, header: Header) -> Reading:
    """Every row as a draft, or as a notice."""

    def plausible(cells: dict[str, str]) -> bool:
        return any(find_year(cells.get(name, "")) for name in ("year", "publication year"))

    rows, notices = read_rows(source.lines, header, plausible=plausible)
    return Reading([_draft(row) for row in rows], [*source.notices, *notices])


def _draft(row: Row) -> Draft:
    values = {column: row.values(*headings) for column, headings in MAPPING.items()}
    if not values["venue"] and (cited := _EMBASE.match(next(iter(row.values("Source")), ""))):
        values |= {name: [text] for name, text in cited.groupdict().items() if text and not values[name]}
    if not values["pages"]:
        first = row.values("Start Page", "biblio.first_page")[:1]
        values["pages"] = ["-".join([*first, *(row.values("End Page", "biblio.last_page")[:1] if first else [])])]
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
    if ";" in text or "|" in text:
        return re.split(r"\s*[;|]\s*", text)
    short = re.split(r"\s*,\s*", text)  # "Poe A,Ek B": each is a name, unlike "Poe, Ann"
    if names and len(short) > 1 and all(re.fullmatch(r"\S.*\s[A-Z]{1,3}", name) for name in short):
        return short
    if names and re.search(r"\s+and\s+", text):
        return re.split(r"\s*,\s+and\s+|\s+and\s+", text)
    return split_authors([text]) if names else text.split(",")
