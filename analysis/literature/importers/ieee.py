"""IEEE Xplore: CSV export; and the smaller one of the IEEE Computer Society's digital library."""

from __future__ import annotations

import re

from analysis.literature.importers.delimited import Header, Row, read_rows
from analysis.literature.importers.drafts import Draft, Reading
from analysis.literature.importers.identifiers import find_year
from analysis.literature.importers.source_text import SourceText

DATABASE = "IEEE Xplore"
SOCIETY = "IEEE Computer Society Digital Library"
HEADINGS = (frozenset({"document title", "authors", "publication title"}),)
SOCIETY_HEADINGS = (frozenset({"title", "authors", "affiliations", "publication", "category", "doi"}),)

MAPPING: dict[str, tuple[str, ...]] = {
    "title": ("Document Title", "Title"),
    "year": ("Publication Year", "Publication_Year", "Year", "Issue Date", "Online Date"),
    "venue": ("Publication Title", "Publication"),
    "volume": ("Volume",),
    "issue": ("Issue",),
    "doi": ("DOI",),
    "issn": ("ISSN",),
    "isbn": ("ISBNs", "ISBN"),
    "url": ("PDF Link",),
    "abstract": ("Abstract",),
    "keywords": ("Author Keywords", "IEEE Terms"),
}
"""Column → headings, preferred first. Pages are Start Page and End Page; the raw id is the number in the PDF's link."""

KINDS = (
    ("conference", "conference"), ("journal", "article"), ("magazine", "article"), ("early access", "article"),
    ("standard", "report"), ("chapter", "chapter"), ("book", "book"), ("course", "other"), ("dataset", "dataset"),
)  # fmt: skip
"""Word in the document identifier (``IEEE Conferences``) or category → kind."""


def read_ieee(source: SourceText, header: Header) -> Reading:
    """Every row as a draft, or as a notice."""

    def plausible(cells: dict[str, str]) -> bool:
        return find_year(cells.get("publication year", "")) is not None

    rows, notices = read_rows(source.lines, header, plausible=plausible)
    society = "document title" not in header.keys
    return Reading([_draft(row, society) for row in rows], [*source.notices, *notices])


def _draft(row: Row, society: bool) -> Draft:
    values = {column: row.values(*headings) for column, headings in MAPPING.items()}
    separator = "," if society else ";"
    values["authors"] = [name for text in row.values("Authors") for name in text.split(separator)]
    first, last = (next(iter(row.values(name)), "") for name in ("Start Page", "End Page"))
    values["pages"] = [f"{first}-{last}" if first and last else first or last]
    values["keywords"] = [word for text in values["keywords"][:1] for word in text.split(";")]
    number = re.search(r"arnumber=(\d+)", next(iter(values["url"]), ""))
    values["raw_id"] = [number.group(1)] if number else []
    kind = next(iter(row.values("Document Identifier", "Category")), "").casefold()
    found = next((kind_ for word, kind_ in KINDS if word in kind), "other" if kind else "not_stated")
    values["kind"] = [found]
    return Draft(row.line, values, SOCIETY if society else DATABASE, list(row.notices))
