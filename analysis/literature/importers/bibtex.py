"""BibTeX, as written by ACM, Scopus, Web of Science, IEEE Xplore, DBLP, Zotero, JabRef and others.

Each entry is cut out by the line where it begins and given to bibtexparser by itself (with the ``@string``s that it
uses): an entry that cannot be parsed then costs no other one, lines are exact, and equal keys do no harm.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping

import bibtexparser
from bibtexparser.middlewares import RemoveEnclosingMiddleware
from bibtexparser.middlewares.names import split_multiple_persons_names
from bibtexparser.model import DuplicateFieldKeyBlock, Entry, ParsingFailedBlock

from analysis.literature.importers import acm
from analysis.literature.importers.cleaning import latex_to_text
from analysis.literature.importers.drafts import LEFT_OUT, NOT_STATED, REPAIRED, Draft, Notice, Reading
from analysis.literature.importers.source_text import SourceText

# bibtexparser logs what it cannot parse; here it is told as a notice.
logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)

MAPPING: dict[str, tuple[str, ...]] = {
    "title": ("title",),
    "year": ("year", "date", "issue_date", "earlyaccessdate"),
    "venue": ("journal", "journaltitle", "booktitle", "howpublished", "school", "institution", "series"),
    "volume": ("volume",),
    "issue": ("number", "issue"),
    "pages": ("pages", "articleno", "article-number", "art_number", "eid"),
    "doi": ("doi",),
    "issn": ("issn", "eissn"),
    "isbn": ("isbn",),
    "url": ("url", "howpublished", "ee", "link", "bdsk-url-1"),
    "abstract": ("abstract",),
    "keywords": ("keywords", "author_keywords", "author-keywords", "keyword", "keywords-plus"),
    "language": ("language", "langid"),
}
"""Column → fields, preferred first. The raw id is Scopus' or Web of Science's own, else the entry's key."""

KINDS = {
    "article": "article", "inproceedings": "conference", "conference": "conference", "proceedings": "book",
    "book": "book", "mvbook": "book", "collection": "book", "booklet": "book", "inbook": "chapter",
    "incollection": "chapter", "bookinbook": "chapter", "phdthesis": "thesis", "mastersthesis": "thesis",
    "thesis": "thesis", "techreport": "report", "report": "report", "manual": "report", "online": "web",
    "electronic": "web", "www": "web", "dataset": "dataset", "data": "dataset", "software": "software",
    "patent": "patent", "unpublished": "other", "misc": "not_stated",
}  # fmt: skip
_BEGIN = re.compile(r"\s*@\s*([A-Za-z]\w*)\s*[{(]")
_BEGIN_SPLIT = re.compile(r"\s*@\s*(?:article|book|in\w+|proceedings|misc|techreport|\w*thesis)\s*", re.IGNORECASE)
_NO_ENTRIES = ("string", "preamble", "comment")
_VERBATIM = frozenset({"doi", "url", "ee", "link", "bdsk-url-1", "file", "howpublished"})
_STRING = re.compile(r"@string\s*[{(]\s*([^\s=]+)\s*=", re.IGNORECASE)
_SWALLOWED = re.compile(
    r"\n\s*(?:author|editor|title|year|journal|booktitle|volume|number|pages|doi|publisher|abstract|keywords|issn|isbn|url|"
    r"month|note)\s*=\s*[{\"\d]",
    re.IGNORECASE,
)
"""A field within another one's text: a brace, mark or comma before it is missing."""
_FIELD = re.compile(r"\s*([A-Za-z][\w-]*)\s*=\s*(?=[{\"\d])[{\"]?(.*?)[}\"]?\s*,?\s*")
_MONTHS = {name: f"@string{{{name} = {{{name}}}}}" for name in ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug",
           "sep", "oct", "nov", "dec")}  # fmt: skip


def looks_like_bibtex(lines: list[str]) -> bool:
    """Whether a line begins an entry."""
    return any(
        (found := _BEGIN.match(line)) and found.group(1).casefold() not in ("comment", "preamble") for line in lines
    )


def read_bibtex(source: SourceText) -> Reading:
    """Every entry of the file as a draft, or as a notice."""
    chunks = list(_cut(source.lines))
    strings = {
        found.group(1).casefold(): text
        for _, kind, text in chunks
        if kind == "string" and (found := _STRING.search(text))
    }
    drafts, notices = [], list(source.notices)
    for line, kind, text in chunks:
        if kind in _NO_ENTRIES:
            continue
        entry, told = _parse(text, line, _used(strings, text))
        if entry is None:
            notices += told
            continue
        draft = _draft(entry, line)
        if not any(
            text for column, texts in draft.values.items() if column not in ("kind", "raw_id") for text in texts
        ):
            notices.append(Notice(line, LEFT_OUT, f"entry '{entry.key}' has no field", "strike it, or export again"))
            continue
        draft.notices += told
        drafts.append(draft)
    return Reading(drafts, notices)


def _cut(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """(line, kind, text) of each block: from a line that begins one to the line before the next."""
    at, kind = None, ""
    for number, line in enumerate([*lines, "@end{"]):
        found = _BEGIN.match(line)
        half = None if found else _BEGIN_SPLIT.fullmatch(line)  # "@article" alone, its brace on the next line
        if not found and not (half and number + 1 < len(lines) and lines[number + 1].lstrip().startswith(("{", "("))):
            continue
        if at is not None:
            yield at + 1, kind, "\n".join(lines[at:number])
        at, kind = number, (found.group(1) if found else line.strip().lstrip("@ ")).casefold()


def _used(strings: Mapping[str, str], text: str) -> str:
    """The definitions of the strings that a block may refer to, and of those that they refer to."""
    used: dict[str, str] = {}
    queue = [text]
    while queue:
        words = set(re.findall(r"[=#]\s*([A-Za-z][\w.:+-]*)", queue.pop()))
        for word in {word.casefold() for word in words} - used.keys():
            if definition := strings.get(word) or _MONTHS.get(word):
                used[word] = definition
                queue.append(definition)
    return "\n".join(reversed(used.values()))


def _parse(text: str, line: int, strings: str) -> tuple[Entry | None, list[Notice]]:
    """The entry of a block; one whose key is missing or whose last brace is, is mended and told."""
    text = re.sub(
        r"^(\s*@\s*\w+\s*)[\n ]*([{(])", lambda found: found.group(1).replace(" ", "").strip() + found.group(2), text
    )
    tries = [(text, "")]
    if re.match(r"@\w+[{(]\s*(?:,|\w[\w-]*\s*=)", text):
        keyed = re.sub(r"^(@\w+[{(])\s*,?", r"\1nokey,", text)
        tries = [(keyed, "the entry has no key")]
    bare = text.rstrip().rstrip(",")
    tries += [
        (bare + "\n" + "}" * count, f"{count} closing braces missing at the end of the entry") for count in (1, 2)
    ]
    # A field left open swallows those below it: close it at the end of its line.
    tries.append(
        (re.sub(r"(=\s*\{[^{}\n]*[^{}\n,])(,?)[ \t]*(?=\n\s*[\w-]+\s*=)", r"\1}\2", bare), "a field was not closed")
    )
    # A comma forgotten between two fields.
    tries.append(
        (re.sub(r"([}\"])[ \t]*(?=\n\s*[\w-]+\s*=\s*[{\"\d])", r"\1,", text), "a comma between fields is missing")
    )
    # Braces within a text that do not match: fields are told apart by their lines.
    if by_line := _fields_by_line(text):
        tries.append((by_line, "braces do not match; the fields were told apart by their lines"))
    reason = ""
    for number, (attempt, repair) in enumerate(tries):
        library = bibtexparser.parse_string(f"{strings}\n{attempt}")
        repeated = [block for block in library.failed_blocks if isinstance(block, DuplicateFieldKeyBlock)]
        failed = [block for block in library.failed_blocks if isinstance(block, ParsingFailedBlock)
                  and not isinstance(block, DuplicateFieldKeyBlock)]  # fmt: skip
        own = library.entries
        told = [Notice(line, REPAIRED, repair, "compare the record with the file")] if repair else []
        if repeated and repeated[0].ignore_error_block is not None:
            entry = RemoveEnclosingMiddleware().transform_entry(repeated[0].ignore_error_block, library)
            names = ", ".join(sorted(repeated[0].duplicate_keys))
            told.append(
                Notice(line, REPAIRED, f"fields occur twice ({names}); the first was taken", "look at the file")
            )
            return entry, told
        swallowed = next((f.key for entry in own for f in entry.fields if _SWALLOWED.search(str(f.value))), "")
        if own and not swallowed and (not failed or number):
            return own[0], told
        if swallowed and not reason:
            reason = f"the field '{swallowed}' holds other fields"
        if failed and not reason:
            reason = " ".join(str(getattr(failed[0].error, "abort_reason", failed[0].error)).split())
    what = f"the entry cannot be parsed: {reason or 'it is no entry'}"
    return None, [Notice(line, LEFT_OUT, what, "close its braces or quotation marks, or export it again")]


def _fields_by_line(text: str) -> str:
    """The entry with every field in sound braces; empty where not each one stands whole on a line of its own."""
    first, *lines = text.rstrip().split("\n")
    if (
        len(lines) < 2
        or not re.fullmatch(r"@\w+[{(]\s*[^\s,={}]+\s*,\s*", first)
        or lines[-1].strip() not in ("}", ")")
    ):
        return ""
    found = [_FIELD.fullmatch(line) for line in lines[:-1] if line.strip()]
    if not all(found):
        return ""
    return "\n".join([first, *(f"  {each[1]} = {{{re.sub(r'[{}]', '', each[2])}}}," for each in found), "}"])


def _draft(entry: Entry, line: int) -> Draft:
    fields: dict[str, str] = {}
    for each in entry.fields:
        name, text = each.key.casefold(), _joined(str(each.value))
        if text.strip():
            fields.setdefault(name, text.replace("\\_", "_").replace("\\%", "%") if name in _VERBATIM else text)
    values = {
        column: [fields[name] if name in _VERBATIM else latex_to_text(fields[name]) for name in names if name in fields]
        for column, names in MAPPING.items()
    }
    kind = KINDS.get(entry.entry_type.casefold(), "other")
    values["kind"] = [kind]
    values["venue"] = [text for text in values["venue"] if not re.match(r"\\?(?:url\b|https?:)", text)]
    if kind == "book":
        values["venue"] = [latex_to_text(fields["series"])] if "series" in fields else []
    values["authors"] = _names(fields.get("author") or fields.get("editor", ""))
    values["keywords"] = [word for text in values["keywords"][:1] for word in re.split(r";|,(?![^(]*\))", text)]
    values["url"] = [found.group() for text in values["url"] if (found := re.search(r"https?://[^\s{}]+", text))]
    values["issn"] = [" ; ".join([*values["issn"], *values.pop("isbn")])]
    _add_arxiv(fields, values)
    own = fields.get("unique-id") or fields.get("eid" if "scopus" in fields.get("source", "").casefold() else "", "")
    values["raw_id"] = [own.strip("{}") or entry.key.strip()]
    if values["raw_id"] == ["nokey"]:
        values["raw_id"] = []
    return Draft(line, values, _database(entry, fields))


def _joined(value: str) -> str:
    """Texts joined by ``#`` as one; bibtexparser leaves them as written where one of them is a literal."""
    if "#" not in value or not re.match(r'\s*(?:"[^"]*"|\{[^{}]*\}|\w+)\s*#', value):
        return value
    parts = re.findall(r'"([^"]*)"|\{([^{}]*)\}|(\w+)', value)
    return "".join(next(part for part in found if part) if any(found) else "" for found in parts)


def _names(text: str) -> list[str]:
    text = " ".join(text.split())
    names = [latex_to_text(name) for name in split_multiple_persons_names(text)] if text else []
    return [name for name in names if name.strip().casefold() not in ("others", "et al.", "et al")]


def _add_arxiv(fields: Mapping[str, str], values: dict[str, list[str]]) -> None:
    """The DOI that arXiv gives every preprint, where the entry names the preprint's number alone."""
    number = fields.get("eprint", "")
    kind = (fields.get("archiveprefix") or fields.get("eprinttype", "")).casefold()
    if kind == "arxiv" and re.fullmatch(r"(?:\d{4}\.\d{4,5}|[a-z.-]+/\d{7})(?:v\d+)?", number, re.I):
        values["url"] = [*values["url"], f"https://arxiv.org/abs/{number}"]
        if not values["doi"] and not values["venue"]:
            values["doi"] = [f"10.48550/arXiv.{number}"]


def _database(entry: Entry, fields: Mapping[str, str]) -> str:
    """The database that an entry shows itself to be from."""
    if fields.get("source", "").casefold() == "scopus":
        return "Scopus"
    if entry.key.startswith(("WOS:", "ISI:")) or "wos:" in fields.get("unique-id", "").casefold():
        return "Web of Science"
    if acm.is_acm_entry(entry.key.strip(), fields.get("publisher", "")):
        return acm.DATABASE
    if "dblp" in fields.get("bibsource", "") or entry.key.startswith("DBLP:"):
        return "DBLP"
    return NOT_STATED
