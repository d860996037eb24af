"""What every reader gives: drafts of records, and notices on whatever was left out or read with a repair.

A reader only finds records and says which tag or column holds what. Making a draft into a row (entities, tags,
identifiers, years) happens here, once for all sources, so that two databases' versions of one record agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.literature.importers.cleaning import clean_text
from analysis.literature.importers.identifiers import find_doi, find_isbns, find_issns, find_year, is_preprint

NOT_STATED = "not stated"
"""Database of a record whose file does not say where it was found."""

LEFT_OUT, REPAIRED = "left_out", "repaired"

KINDS = (
    "article", "conference", "chapter", "book", "preprint", "thesis", "report", "web", "dataset", "software", "patent",
    "other", "not_stated",
)  # fmt: skip

FIELDS = (
    "kind", "title", "authors", "year", "venue", "volume", "issue", "pages", "doi", "issn", "isbn", "url", "abstract",
    "keywords", "language", "raw_id",
)  # fmt: skip
"""What a record says about its work, in the order of the table."""

_LANGUAGES = {
    "English": "en eng english", "German": "de ger deu german", "French": "fr fre fra french",
    "Spanish": "es spa spanish", "Portuguese": "pt por portuguese", "Italian": "it ita italian",
    "Chinese": "zh chi zho chinese", "Japanese": "ja jpn japanese", "Korean": "ko kor korean",
    "Russian": "ru rus russian", "Polish": "pl pol polish", "Turkish": "tr tur turkish", "Dutch": "nl dut nld dutch",
    "Swedish": "sv swe swedish",
}  # fmt: skip
LANGUAGES = {code: name for name, codes in _LANGUAGES.items() for code in codes.split()}
_DASHES = re.compile(r"\s*[-‐‑‒–—−]+\s*")
_NOTHING = re.compile(
    r"\[no (?:author name|abstract|title|source information) (?:available|found)\]\.?|n/?a|null", re.I
)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell about a line: ``outcome`` is `LEFT_OUT` (a record is not in the table) or `REPAIRED`."""

    line: int
    outcome: str
    what: str
    remedy: str = ""


@dataclass(slots=True)
class Draft:
    """A record as its source has it: column → texts, the preferred one first.

    ``authors`` and ``keywords`` are lists of single names and words; every other column takes its first usable text.
    """

    line: int
    values: Mapping[str, Sequence[str]]
    database: str = NOT_STATED
    notices: list[Notice] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found: every record of the file is a draft or a notice `LEFT_OUT`."""

    drafts: list[Draft]
    notices: list[Notice] = field(default_factory=list)


def finish_draft(draft: Draft) -> tuple[dict[str, object] | None, list[Notice]]:
    """The row of a draft, and what is to be told of it; no row where nothing identifies a work.

    Identifiers, years and kinds that cannot be read become missing and are told with their text.
    """
    row: dict[str, object] = dict.fromkeys(FIELDS)
    notices = list(draft.notices)

    def texts(name: str) -> list[str]:
        return [text for text in draft.values.get(name, ()) if text and text.strip()]

    def doubt(name: str, given: Sequence[str]) -> None:
        shown = " / ".join(given)[:80]
        notices.append(Notice(draft.line, REPAIRED, f"{name} '{shown}' cannot be read; left empty", "see the source"))

    for name in ("title", "venue", "volume", "issue", "abstract", "url", "raw_id"):
        cleaned = (clean_text(text) for text in texts(name))
        row[name] = next((text for text in cleaned if text and not _NOTHING.fullmatch(text)), None)
    for name in ("authors", "keywords"):
        items = [clean_text(text).replace(";", ",").strip(" ,") for text in texts(name)]
        row[name] = "; ".join(item for item in items if item and not _NOTHING.fullmatch(item)) or None
    row["pages"] = next((_clean_pages(text) for text in texts("pages") if _clean_pages(text)), None)

    row["year"] = next((year for text in texts("year") if (year := find_year(text))), None)
    if texts("year") and row["year"] is None:
        doubt("year", texts("year"))
    row["doi"] = next((doi for text in [*texts("doi"), *_doi_addresses(texts("url"))] if (doi := find_doi(text))), None)
    if texts("doi") and row["doi"] is None and not _NOTHING.fullmatch(texts("doi")[0].strip()):
        doubt("DOI", texts("doi"))
    serials = " ; ".join([*texts("issn"), *texts("isbn")])
    row["issn"], row["isbn"] = "; ".join(find_issns(serials)) or None, "; ".join(find_isbns(serials)) or None
    if re.search(r"\d", serials) and not (row["issn"] or row["isbn"]):
        doubt("ISSN or ISBN", [serials])
    language = clean_text(next(iter(texts("language")), "")) or None
    row["language"] = LANGUAGES.get(language.casefold().strip("."), language) if language else None

    kind = next(iter(texts("kind")), "not_stated")
    row["kind"] = kind if kind in KINDS else "other"
    if is_preprint(row["doi"], row["venue"], row["url"]) and row["kind"] not in ("book", "chapter", "thesis"):
        row["kind"] = "preprint"

    if not any(row[name] for name in ("title", "doi", "authors", "abstract", "raw_id", "url")):
        what = "a record without title, authors, DOI, abstract or address"
        return None, [Notice(draft.line, LEFT_OUT, what, "complete it in the file, or strike it")]
    if not row["title"]:
        notices.append(Notice(draft.line, REPAIRED, "the record has no title", "look it up before screening"))
    return row, notices


def _doi_addresses(addresses: Sequence[str]) -> list[str]:
    return [text for text in addresses if re.match(r"(?:https?://)?(?:dx\.)?doi\.org/10\.", text.strip(), re.I)]


def _clean_pages(text: str) -> str:
    """Pages with plain hyphens: ``334--341`` and ``pp. 334 – 341`` are ``334-341``."""
    pages = re.sub(r"^(?:pp?|pages?|s)\b\.?\s*", "", clean_text(text), flags=re.I)
    return _DASHES.sub("-", pages).strip("-, ")
