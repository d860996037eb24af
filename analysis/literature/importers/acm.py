"""ACM Digital Library: its BibTeX entries (told by their keys and publisher), and its CSV export."""

from __future__ import annotations

import re

from analysis.literature.importers.delimited import Header, Row, read_rows
from analysis.literature.importers.drafts import Draft, Reading
from analysis.literature.importers.source_text import SourceText

DATABASE = "ACM Digital Library"
HEADINGS = (
    frozenset({"type", "id", "author", "title", "booktitle", "doi"}),
    frozenset({"type", "author", "title", "article no", "conf loc"}),
)

MAPPING: dict[str, tuple[str, ...]] = {
    "title": ("title",),
    "year": ("year", "issue_date"),
    "venue": ("journal", "booktitle", "acronym"),
    "volume": ("volume",),
    "issue": ("issue_no", "number"),
    "pages": ("pages", "article_no"),
    "doi": ("doi",),
    "issn": ("issn",),
    "isbn": ("isbn",),
    "url": ("url",),
    "abstract": ("abstract",),
    "raw_id": ("id",),
}
"""Column → headings of the CSV, preferred first."""

KINDS = {
    "article": "article", "inproceedings": "conference", "proceedings": "book", "book": "book", "inbook": "chapter",
    "incollection": "chapter", "phdthesis": "thesis", "mastersthesis": "thesis", "techreport": "report",
    "conference": "conference", "journal": "article", "research article": "not_stated",
}  # fmt: skip


def is_acm_entry(key: str, publisher: str) -> bool:
    """Whether a BibTeX entry is ACM's: its key is a DOI, and the publisher is ACM."""
    return bool(re.match(r"10\.\d{4,}/", key)) and "association for computing machinery" in publisher.casefold()


def read_acm(source: SourceText, header: Header) -> Reading:
    """Every row of the CSV as a draft, or as a notice."""
    rows, notices = read_rows(source.lines, header)
    return Reading([_draft(row) for row in rows], [*source.notices, *notices])


def _draft(row: Row) -> Draft:
    values = {column: row.values(*headings) for column, headings in MAPPING.items()}
    values["authors"] = _names(row.values("author") or row.values("editor"))
    values["keywords"] = [word for text in row.values("keywords") for word in re.split(r"[;,]", text)]
    kind = next(iter(row.values("type")), "").casefold().strip("@ ")
    values["kind"] = [KINDS.get(kind, "other" if kind else "not_stated")]
    return Draft(row.line, values, DATABASE, list(row.notices))


def _names(texts: list[str]) -> list[str]:
    """Names joined by ``and``, semicolons, or commas between full names."""
    if not texts:
        return []
    text = texts[0]
    for separator in (r"\s+and\s+", r"\s*;\s*"):
        if re.search(separator, text):
            return re.split(separator, text)
    parts = [part.strip() for part in text.split(",")]
    return parts if len(parts) > 1 and all(" " in part for part in parts) else [text]
