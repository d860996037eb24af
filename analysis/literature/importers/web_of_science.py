"""Web of Science: tab-delimited text, plain text (``.txt``, ``.ciw``), and the sheet saved as CSV.

The two text forms use the same two-letter tags, as columns or at the beginning of lines. In the tab-delimited form
quotation marks are letters like any other.
"""

from __future__ import annotations

import re

from rispy.config import WOK_TAG_KEY_MAPPING

from analysis.literature.importers.delimited import Header, Row, read_rows
from analysis.literature.importers.drafts import Draft, Reading
from analysis.literature.importers.identifiers import find_year
from analysis.literature.importers.source_text import SourceText
from analysis.literature.importers.tagged import TaggedRecord, drop_hollow, read_tagged

DATABASE = "Web of Science"
TAGS = frozenset(WOK_TAG_KEY_MAPPING) | {"C3", "WE", "MC", "MQ", "DN", "FP", "GE", "ME", "NM", "TN", "ED", "BR", "EO"}
"""Tags of the format; other capitals at the beginning of a line continue a text."""
START, END, OF_FILE = "PT", "ER", ("FN", "VR", "EF")
TAB_HEADINGS = (frozenset({"pt", "au", "ti", "so"}), frozenset({"pt", "af", "ti", "so"}))
SHEET_HEADINGS = (frozenset({"publication type", "authors", "article title", "source title"}),)

MAPPING: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "title": (("TI", "BT"), ("Article Title",)),
    "authors": (("AF", "AU", "BF", "BA", "CA", "GP"), ("Author Full Names", "Authors", "Book Author Full Names",
                                                       "Book Authors", "Group Authors")),
    "year": (("PY", "EY", "EA"), ("Publication Year", "Early Access Date")),
    "venue": (("SO", "CT", "SE", "J9"), ("Source Title", "Conference Title", "Book Series Title")),
    "volume": (("VL",), ("Volume",)),
    "issue": (("IS",), ("Issue",)),
    "doi": (("DI", "D2"), ("DOI", "Book DOI")),
    "issn": (("SN", "EI", "BN"), ("ISSN", "eISSN", "ISBN")),
    "abstract": (("AB",), ("Abstract",)),
    "keywords": (("DE", "ID"), ("Author Keywords", "Keywords Plus")),
    "language": (("LA",), ("Language",)),
    "raw_id": (("UT", "PM"), ("UT (Unique WOS ID)", "UT (Unique ID)", "Pubmed Id")),
}  # fmt: skip
"""Column → tags of the text forms, and headings of the sheet; preferred first. Pages are BP and EP, or AR."""

_TAG = re.compile(r"([A-Z][A-Z0-9])(?: (.*))?", re.DOTALL)


def looks_like_plain_text(lines: list[str]) -> bool:
    """Whether the file begins with ``FN``, or has ``PT`` lines and other tags of the format."""
    head = [line for line in lines[:400] if line.strip()]
    if head and re.match(r"FN (?:Clarivate|Thomson|ISI|Web)", head[0]):
        return True
    tags = [found.group(1) for line in head if (found := _TAG.fullmatch(line))]
    return any(re.fullmatch(r"PT [JBSCP]\s*", line) for line in head) and len(TAGS.intersection(tags)) > 4


def read_plain_text(source: SourceText) -> Reading:
    """Every record of the plain text as a draft, or as a notice."""

    def tag_of(line: str) -> tuple[str, str] | None:
        found = _TAG.fullmatch(line)
        return (found.group(1), found.group(2) or "") if found and found.group(1) in TAGS else None

    essential = ("TI", "AU", "DI", "UT")
    records, notices = read_tagged(source.lines, tag_of, (START,), END, skip=OF_FILE, essential=essential)
    records, hollow = drop_hollow(records, (START,))
    return Reading([_text_draft(record) for record in records], [*source.notices, *notices, *hollow])


def _text_draft(record: TaggedRecord) -> Draft:
    values = {column: record.values(*tags) for column, (tags, _) in MAPPING.items()}
    values["authors"] = next((names for tag in MAPPING["authors"][0] if (names := record.items(tag))), [])
    draft = _complete(record.line, values, record.values("BP"), record.values("EP"), record.values("AR"),
                      record.values("PT"), record.values("DT"))  # fmt: skip
    draft.notices += record.repeated(("TI", "DI", "PY"))
    return draft


def read_tab_delimited(source: SourceText, header: Header) -> Reading:
    """Every row of the tab-delimited text as a draft, or as a notice."""
    return _read_table(source, header, 0, ("BP", "EP", "AR", "PT", "DT"), quoted=header.separator != "\t")


def read_sheet(source: SourceText, header: Header) -> Reading:
    """Every row of the sheet, saved as CSV, as a draft or as a notice."""
    others = ("Start Page", "End Page", "Article Number", "Publication Type", "Document Type")
    return _read_table(source, header, 1, others, quoted=True)


def _read_table(source: SourceText, header: Header, form: int, others: tuple[str, ...], *, quoted: bool) -> Reading:
    year = MAPPING["year"][form][0]

    def plausible(cells: dict[str, str]) -> bool:
        return find_year(cells.get(year.casefold(), "")) is not None

    def draft(row: Row) -> Draft:
        values = {column: row.values(*names[form]) for column, names in MAPPING.items()}
        values["authors"] = [name for text in values["authors"][:1] for name in text.split(";")]
        made = _complete(row.line, values, *(row.values(name) for name in others))
        made.notices += row.notices
        return made

    rows, notices = read_rows(source.lines, header, quoted=quoted, plausible=plausible)
    return Reading([draft(row) for row in rows], [*source.notices, *notices])


def _complete(line: int, values: dict[str, list[str]], first: list[str], last: list[str], number: list[str],
              publication: list[str], document: list[str]) -> Draft:  # fmt: skip
    pages = "-".join([*first[:1], *last[:1]])
    values["pages"] = [pages, *number]
    values["issn"] = [" ; ".join(values["issn"])]
    values["keywords"] = [word for text in values["keywords"][:1] for word in text.split(";")]
    values["kind"] = [_kind("".join(publication[:1]).strip().upper(), " ".join(document).casefold())]
    return Draft(line, values, DATABASE)


def _kind(publication: str, document: str) -> str:
    """Journals first: papers of proceedings that appear in a journal are articles there."""
    if "preprint" in document:
        return "preprint"
    if "dissertation" in document or "thesis" in document:
        return "thesis"
    if "data set" in document or "data study" in document:
        return "dataset"
    if publication == "P" or "patent" in document:
        return "patent"
    if publication == "J":
        return "article"
    if "proceedings" in document or "meeting" in document or publication in ("C", "S"):
        return "chapter" if "chapter" in document and "proceedings" not in document else "conference"
    if "chapter" in document:
        return "chapter"
    return "book" if publication == "B" else "other" if publication or document else "not_stated"
