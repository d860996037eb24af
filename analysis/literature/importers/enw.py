"""EndNote's tagged form (``.enw``, also called Refer): ACM Digital Library, AIS eLibrary, Google Scholar, JabRef."""

from __future__ import annotations

import re

from analysis.literature.importers import acm
from analysis.literature.importers.drafts import NOT_STATED, Draft, Reading
from analysis.literature.importers.source_text import SourceText
from analysis.literature.importers.tagged import TaggedRecord, drop_hollow, read_tagged

START = "%0"
_TAG = re.compile(r"\s*(%[A-Z0-9@~!#$^&*()=+|<>?,:;.'\[\]/-])(?:[ \t]+(.*)|)", re.DOTALL)

MAPPING: dict[str, tuple[str, ...]] = {
    "title": ("%T", "%!"),
    "authors": ("%A", "%E"),
    "year": ("%D", "%8"),
    "venue": ("%J", "%B", "%S", "%C"),
    "volume": ("%V",),
    "issue": ("%N",),
    "pages": ("%P",),
    "doi": ("%R", "%1"),
    "issn": ("%@",),
    "url": ("%U", "%>"),
    "abstract": ("%X",),
    "keywords": ("%K",),
    "language": ("%G",),
    "raw_id": ("%M", "%F", "%L"),
}
"""Column → tags, preferred first. ACM writes the DOI as ``%R``, and as ``%1`` what it calls the key."""

KINDS = (
    ("journal", "article"), ("magazine", "article"), ("newspaper", "article"), ("conference", "conference"),
    ("book section", "chapter"), ("book", "book"), ("thesis", "thesis"), ("report", "report"),
    ("web", "web"), ("electronic", "web"), ("dataset", "dataset"), ("computer program", "software"),
    ("patent", "patent"), ("generic", "not_stated"),
)  # fmt: skip
"""Words of a type of reference → kind, the first that occurs."""


def looks_like_enw(lines: list[str]) -> bool:
    """Whether a title and a type, author or year are tagged at the head of the file."""
    tags = {found.group(1) for line in lines[:200] if (found := _TAG.fullmatch(line))}
    return "%T" in tags and bool(tags & {START, "%A", "%D"})


def read_enw(source: SourceText) -> Reading:
    """Every record of the file as a draft, or as a notice."""

    def tag_of(line: str) -> tuple[str, str] | None:
        found = _TAG.fullmatch(line)
        return (found.group(1), found.group(2) or "") if found else None

    # AIS eLibrary begins a record with its title, and leaves the type out of some.
    first = next((found[0] for line in source.lines if (found := tag_of(line))), "")
    start = first if first in (START, "%T") else ""
    records, notices = read_tagged(source.lines, tag_of, (start,), blank_ends=not start)
    records, hollow = drop_hollow(records, (START,))
    return Reading([_draft(record) for record in records], [*source.notices, *notices, *hollow])


def _draft(record: TaggedRecord) -> Draft:
    values = {column: record.values(*tags) for column, tags in MAPPING.items()}
    kind = next(iter(record.values(START)), "").casefold()
    values["kind"] = [next((found for word, found in KINDS if word in kind), "other" if kind else "not_stated")]
    values["authors"] = record.values("%A") or record.values("%E")
    values["doi"] = [text for text in values["doi"] if "10." in text]
    values["issn"] = [" ; ".join(values["issn"])] if values["issn"] else []
    values["keywords"] = [word for text in record.items("%K") for word in re.split(r"[;,]", text)]
    if values["kind"] == ["book"]:
        values["venue"] = record.values("%S")
    at_acm = any("dl.acm.org" in text for text in values["url"]) or "Association for Computing Machinery" in (
        record.values("%I")
    )
    named = next(iter(record.values("%~", "%W")), NOT_STATED)
    draft = Draft(record.line, values, acm.DATABASE if at_acm else named)
    draft.notices += record.repeated(("%T", "%D", "%R"))
    return draft
