"""PubMed: its own tagged format (``.nbib``, also written by ERIC), and the table that it saves as CSV."""

from __future__ import annotations

import re

from analysis.literature.importers.delimited import Header, Row, read_rows
from analysis.literature.importers.drafts import Draft, Reading
from analysis.literature.importers.source_text import SourceText
from analysis.literature.importers.tagged import TaggedRecord, drop_hollow, read_tagged

DATABASE = "PubMed"
_TAG = re.compile(r"(?=[A-Z0-9 ]{4}-)([A-Z][A-Z0-9]{1,3}) *- ?(.*)", re.DOTALL)

MAPPING: dict[str, tuple[str, ...]] = {
    "title": ("TI", "BTI", "TT"),
    "authors": ("FAU", "AU", "CN"),
    "year": ("DP", "DEP", "EDAT"),
    "venue": ("JT", "TA", "BTI", "CTI"),
    "volume": ("VI",),
    "issue": ("IP",),
    "pages": ("PG",),
    "issn": ("IS", "ISSN", "ISBN"),
    "abstract": ("AB", "OAB"),
    "language": ("LA",),
    "raw_id": ("PMID", "OID"),
}
"""Column → tags (NLM, PubMed user guide, "MEDLINE/PubMed data element descriptions"). The DOI is the AID or LID that
ends with ``[doi]``; keywords are the authors', else the MeSH terms."""

KINDS = (
    ("preprint", "preprint"), ("conference", "conference"), ("congress", "conference"), ("proceeding", "conference"),
    ("dissertation", "thesis"), ("book", "book"), ("report", "report"),
    ("dataset", "dataset"), ("journal article", "article"),
    ("review", "article"), ("editorial", "article"), ("letter", "article"), ("comment", "article"),
)  # fmt: skip
"""Words of a publication type → kind, the first that occurs."""

CSV_MAPPING: dict[str, tuple[str, ...]] = {
    "title": ("Title",),
    "year": ("Publication Year", "Create Date"),
    "venue": ("Journal/Book",),
    "doi": ("DOI",),
    "raw_id": ("PMID",),
}
"""Column → headings of PubMed's CSV. Volume, issue and pages stand in its Citation only."""
CSV_HEADINGS = (frozenset({"pmid", "title", "authors", "citation", "journal book"}),)
_CITATION = re.compile(r"\d{4}[^;]*;(?P<volume>[^(:;.]*)(?:\((?P<issue>[^)]*)\))?(?::(?P<pages>[^.;]*))?\.")


def looks_like_nbib(lines: list[str]) -> bool:
    """Whether two of its tags stand in the head of the file."""
    tags = {found.group(1) for line in lines[:200] if (found := _TAG.match(line))}
    return bool(tags & {"PMID", "OWN"}) and bool(tags & {"TI", "BTI", "TT"})


def read_nbib(source: SourceText) -> Reading:
    """Every record of the file as a draft, or as a notice."""

    def tag_of(line: str) -> tuple[str, str] | None:
        found = _TAG.match(line)
        return (found.group(1), found.group(2)) if found else None

    numbered = any(line.startswith("PMID-") for line in source.lines)
    records, notices = read_tagged(source.lines, tag_of, ("PMID",), blank_ends=not numbered)
    records, hollow = drop_hollow(records, ("PMID", "OWN", "STAT"))
    return Reading([_draft(record) for record in records], [*source.notices, *notices, *hollow])


def _draft(record: TaggedRecord) -> Draft:
    values = {column: record.values(*tags) for column, tags in MAPPING.items()}
    values["authors"] = record.values("FAU") or record.values("AU") or record.values("CN", "FED", "ED")
    values["issn"] = [" ; ".join(values["issn"])] if values["issn"] else []
    places = record.values("AID", "LID")
    values["doi"] = [text for text in places if text.endswith("[doi]") or "doi.org/10." in text]
    values["url"] = [text for text in record.values("LID", "URL") if text.startswith("http")]
    values["keywords"] = record.values("OT") or record.values("MH")
    values["kind"] = [_kind(record.values("PT"), bool(record.values("BTI")))]
    database = "ERIC" if "ERIC" in record.values("OWN") else DATABASE
    draft = Draft(record.line, values, database)
    draft.notices += record.repeated(("TI", "DP"))
    return draft


def _kind(types: list[str], in_book: bool) -> str:
    text = " ; ".join(types).casefold()
    kind = next((kind for word, kind in KINDS if word in text), "not_stated" if not text else "other")
    return "chapter" if in_book and kind in ("book", "article") else kind


def read_pubmed_csv(source: SourceText, header: Header) -> Reading:
    """Every row as a draft, or as a notice."""
    rows, notices = read_rows(source.lines, header)
    return Reading([_csv_draft(row) for row in rows], [*source.notices, *notices])


def _csv_draft(row: Row) -> Draft:
    values = {column: row.values(*headings) for column, headings in CSV_MAPPING.items()}
    values["authors"] = [name.strip(" .") for text in row.values("Authors") for name in text.split(",")]
    if cited := _CITATION.search(next(iter(row.values("Citation")), "")):
        values |= {name: [text] for name, text in cited.groupdict().items() if text}
    values["kind"] = ["article"]
    return Draft(row.line, values, DATABASE, list(row.notices))
