"""Scopus: CSV export in its two forms (authors joined by commas until 2023, by semicolons since)."""

from __future__ import annotations

import re

from analysis.literature.importers.delimited import Header, Row, read_rows
from analysis.literature.importers.drafts import Draft, Reading
from analysis.literature.importers.identifiers import find_year
from analysis.literature.importers.source_text import SourceText

DATABASE = "Scopus"
HEADINGS = (
    frozenset({"authors", "title", "year", "source title"}),
    frozenset({"title", "source title", "eid"}),
    frozenset({"title", "source title", "document type", "source"}),
)

MAPPING: dict[str, tuple[str, ...]] = {
    "title": ("Title", "Document Title"),
    "year": ("Year",),
    "venue": ("Source title", "Conference name", "Abbreviated Source Title"),
    "volume": ("Volume",),
    "issue": ("Issue",),
    "doi": ("DOI",),
    "url": ("Link",),
    "abstract": ("Abstract",),
    "language": ("Language of Original Document",),
    "raw_id": ("EID", "PubMed ID"),
}
"""Column → headings, preferred first. Pages are Page start and Page end, or the article number."""

KINDS = {
    "article": "article", "review": "article", "editorial": "article", "letter": "article", "note": "article",
    "short survey": "article", "data paper": "article", "erratum": "article", "article in press": "article",
    "business article": "article", "retracted": "article", "conference paper": "conference",
    "conference review": "conference", "book": "book", "book chapter": "chapter", "report": "report",
    "preprint": "preprint", "abstract report": "report",
}  # fmt: skip
_ID = re.compile(r"\s*\(\d[\d;, ]*\)\s*$")


def read_scopus(source: SourceText, header: Header) -> Reading:
    """Every row as a draft, or as a notice."""
    rows, notices = read_rows(
        source.lines, header, plausible=lambda cells: find_year(cells.get("year", "")) is not None, realign=_realign
    )
    return Reading([_draft(row) for row in rows], [*source.notices, *notices])


def _realign(cells: list[str], keys: tuple[str, ...]) -> list[str] | None:
    """Rows of records with several funding texts: Scopus' header has a column for the first of them alone.

    The row must end as every row does, with ``Scopus`` and the record's EID.
    """
    extra = len(cells) - len(keys)
    texts = [place for place, key in enumerate(keys) if key.startswith("funding text")]
    if not texts or keys[-2:] != ("source", "eid") or not re.fullmatch(r"2-s2\.0-\d+", cells[-1].strip()):
        return None
    return cells[: texts[-1] + 1] + cells[texts[-1] + 1 + extra :]


def _draft(row: Row) -> Draft:
    values = {column: row.values(*headings) for column, headings in MAPPING.items()}
    values["authors"] = split_authors(row.values("Author full names", "Authors", "Author"))
    first, last = (next(iter(row.values(name)), "") for name in ("Page start", "Page end"))
    values["pages"] = [f"{first}-{last}" if first and last else first or last, *row.values("Art. No.")]
    values["issn"] = [" ; ".join(row.values("ISSN", "ISBN"))]
    keywords = row.values("Author Keywords") or row.values("Index Keywords")
    values["keywords"] = [word for text in keywords for word in text.split(";")]
    kind = next(iter(row.values("Document Type")), "").casefold()
    values["kind"] = [KINDS.get(kind, "other" if kind else "not_stated")]
    return Draft(row.line, values, DATABASE, list(row.notices))


def split_authors(texts: list[str]) -> list[str]:
    """Single names of the first text.

    >>> split_authors(["Liu, Fengyuan (60410297700); Li, Chunyun (58862216200)"])
    ['Liu, Fengyuan', 'Li, Chunyun']
    >>> split_authors(["Phillips J.C., Braun R., Kalé L."])
    ['Phillips J.C.', 'Braun R.', 'Kalé L.']
    >>> split_authors(["Liu, F., Li, C.-Y., Mendes, E."])
    ['Liu, F.', 'Li, C.-Y.', 'Mendes, E.']
    """
    if not texts:
        return []
    text = texts[0].strip().rstrip(";")
    if ";" in text:
        return [_ID.sub("", name).strip() for name in text.split(";")]
    text = _ID.sub("", text)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > 1 and len(parts) % 2 == 0 and all(re.fullmatch(r"(?:\w\.[ -]?)+", part) for part in parts[1::2]):
        return [f"{last}, {first}" for last, first in zip(parts[0::2], parts[1::2], strict=True)]
    if len(parts) > 1 and re.search(r"\w\.$", parts[0]):
        return parts
    return [text] if len(parts) == 2 else parts
