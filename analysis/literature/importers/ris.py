"""RIS, as written by IEEE Xplore, Scopus, Web of Science, JSTOR, ProQuest, Ovid, Zotero, EndNote and others.

Which tag holds what differs between them; `MAPPING` takes the first that is not empty. The tags are those of rispy's
table (`rispy.TAG_KEY_MAPPING`), which a test holds this module against.
"""

from __future__ import annotations

import re

from analysis.literature.importers.drafts import NOT_STATED, Draft, Reading
from analysis.literature.importers.identifiers import find_doi
from analysis.literature.importers.source_text import SourceText
from analysis.literature.importers.tagged import TaggedRecord, TagOf, drop_hollow, read_tagged

START, END = "TY", "ER"
_START = re.compile(r"[ \t\f]*TY([ \t]{0,4})-(?!-)")
_WITHIN = re.compile(r"[ \t\f]*(ER|TI|T1|AU|A1|DO)  -(?!-)")

MAPPING: dict[str, tuple[str, ...]] = {
    "title": ("TI", "T1", "CT"),
    "authors": ("AU", "A1"),
    "year": ("PY", "Y1", "DA"),
    "venue": ("T2", "JO", "JF", "BT", "C3", "J2", "JA", "T3"),
    "volume": ("VL", "VO"),
    "issue": ("IS", "CP"),
    "doi": ("DO", "DI"),
    "issn": ("SN",),
    "url": ("UR", "L2", "LK"),
    "abstract": ("AB", "N2"),
    "keywords": ("KW", "DE"),
    "language": ("LA",),
    "raw_id": ("AN", "ID", "PMID", "U1"),
}
"""Column → tags, preferred first. Pages are SP and EP, or the article number (C7) where there are none."""

KINDS = {
    "JOUR": "article", "EJOUR": "article", "MGZN": "article", "NEWS": "article", "INPR": "article", "JFULL": "article",
    "ABST": "article", "CONF": "conference", "CPAPER": "conference", "BOOK": "book", "EBOOK": "book",
    "EDBOOK": "book", "CHAP": "chapter", "ECHAP": "chapter", "THES": "thesis", "RPRT": "report", "GOVDOC": "report",
    "STAND": "report", "ELEC": "web", "WEB": "web", "BLOG": "web", "ICOMM": "web", "DATA": "dataset",
    "AGGR": "dataset", "COMP": "software", "PAT": "patent", "UNPB": "other", "UNPD": "other", "GEN": "not_stated",
}  # fmt: skip
"""Type of reference → kind of record; any other is ``other``."""

SINGLE = ("TI", "T1", "DO", "PY")
"""Tags that a record has once; a second text is told."""
_BOOKS = ("BOOK", "EBOOK", "EDBOOK")


def find_tags(lines: list[str]) -> TagOf | None:
    """How this file writes a tag, learnt from its ``TY`` lines: ``TY  - `` by rule, ``TY - `` or ``TY-`` by some tools.

    The rule's form is always a tag. The others are only where the file uses them, since ``AI - based`` may continue a
    text. Some tools leave ``TY`` out altogether; then it takes ``ER`` and what a record has to have.
    """
    widths = {found.group(1) for line in lines if (found := _START.match(line))}
    if not widths:
        within = {found.group(1) for line in lines if (found := _WITHIN.match(line))}
        if "ER" not in within or len(within) < 3:
            return None
    forms = "|".join(sorted({"  ", *widths}, key=len, reverse=True))
    pattern = re.compile(rf"[ \t\f]*([A-Z][A-Z0-9]{{1,3}})(?:{forms})-(?!-)[ \t]?(.*)", re.DOTALL)
    bare_end = re.compile(r"\s*ER[ \t]*-?\s*")

    def tag_of(line: str) -> tuple[str, str] | None:
        if bare_end.fullmatch(line):
            return END, ""
        found = pattern.match(line)
        return (found.group(1), found.group(2)) if found else None

    return tag_of


def read_ris(source: SourceText) -> Reading:
    """Every record of the file as a draft, or as a notice."""
    tag_of = find_tags(source.lines)
    if tag_of is None:
        return Reading([])
    records, notices = read_tagged(source.lines, tag_of, (START,), END, essential=("TI", "T1", "AU", "A1", "DO"))
    records, hollow = drop_hollow(records, (START,))
    return Reading([_draft(record) for record in records], [*source.notices, *notices, *hollow])


def _draft(record: TaggedRecord) -> Draft:
    values = {column: record.values(*tags) for column, tags in MAPPING.items()}
    kind = next(iter(record.values(START)), "").upper()
    values["kind"] = [KINDS.get(kind, "other" if kind else "not_stated")]
    values["authors"] = _names(record)
    values["keywords"] = record.items(*MAPPING["keywords"])
    if kind in _BOOKS:  # the book itself: editors stand for authors, and BT is its title
        values["title"] = [*values["title"], *record.values("BT", "T2")]
        values["authors"] = values["authors"] or record.items("A2", "ED")
    if kind == "THES":
        values["venue"] = [*values["venue"], *record.values("PB")]
    # M3 is the type of work for most, the DOI for some.
    values["doi"] = [*values["doi"], *(text for text in record.values("M3", "N1", "L3") if _names_doi(text))]
    values["issn"] = [" ; ".join(values["issn"])] if values["issn"] else []
    first, last = (next(iter(record.values(tag)), "") for tag in ("SP", "EP"))
    pages = first if not last or last in first.split("-") else f"{first}-{last}" if first else last
    values["pages"] = [pages, *record.values("C7")]
    draft = Draft(record.line, values, _database(record))
    draft.notices += record.repeated(SINGLE)
    return draft


def _names(record: TaggedRecord) -> list[str]:
    """Names of the first tag that has any; a tool that joins them with semicolons is undone."""
    for tag in MAPPING["authors"]:
        names = [part for text in record.items(tag) for part in text.split(";") if part.strip()]
        if names:
            return names
    return []


def _names_doi(text: str) -> bool:
    return bool(re.match(r"\s*(?:doi\s*:?\s*|https?://(?:dx\.)?doi\.org/)?10\.\d", text, re.I)) and bool(find_doi(text))


def _database(record: TaggedRecord) -> str:
    """The database that the record names: DB or DP, else the host or form of its address and accession number."""
    for text in record.values("DB", "DP"):
        return text
    if any(text.startswith("WOS:") for text in record.values("AN", "UT")):
        return "Web of Science"
    hosts = " ".join(record.values("UR"))
    if "scopus.com/" in hosts:
        return "Scopus"
    return NOT_STATED
