"""SpringerLink: CSV export. Its authors stand one behind the other without anything between them."""

from __future__ import annotations

import re

from analysis.literature.importers.delimited import Header, Row, read_rows
from analysis.literature.importers.drafts import Draft, Reading
from analysis.literature.importers.identifiers import find_year
from analysis.literature.importers.source_text import SourceText

DATABASE = "SpringerLink"
HEADINGS = (frozenset({"item title", "item doi"}), frozenset({"item title", "publication title", "content type"}))

MAPPING: dict[str, tuple[str, ...]] = {
    "title": ("Item Title",),
    "year": ("Publication Year",),
    "venue": ("Publication Title", "Book Series Title"),
    "volume": ("Journal Volume",),
    "issue": ("Journal Issue",),
    "doi": ("Item DOI",),
    "url": ("URL",),
}
"""Column → headings, preferred first."""

KINDS = (
    ("conference paper", "conference"), ("conference proceedings", "book"), ("chapter", "chapter"),
    ("reference work entry", "chapter"), ("protocol", "chapter"), ("article", "article"), ("book", "book"),
    ("reference work", "book"), ("journal", "other"), ("video", "other"),
)  # fmt: skip

_TITLE = r"(?:Prof|Dr|Ing|Mr|Mrs|Ms|PD|Priv\.-Doz|Doc|Assoc|Assist|Ph\.D|M\.D|Sir|h\.c|habil|rer|nat|med|em)"
_TITLES = re.compile(rf"^(?:{_TITLE}\.?(?:-{_TITLE}\.)*\s+)+")
_WITHIN = re.compile(r"(?:^|[\s-])(?:Mc|Mac|Fitz|O['’]|D['’]|L['’])$")
_UPPER = "".join(letter for letter in map(chr, range(0x250)) if letter.isupper())
_LOWER = "".join(letter for letter in map(chr, range(0x250)) if letter.islower())
_BREAK = re.compile(rf"(?<=[{_LOWER})])(?=[{_UPPER}])|(?<=[{_LOWER}]\.)(?=[{_UPPER}])")


def read_springer(source: SourceText, header: Header) -> Reading:
    """Every row as a draft, or as a notice."""

    def plausible(cells: dict[str, str]) -> bool:
        return find_year(cells.get("publication year", "")) is not None

    rows, notices = read_rows(source.lines, header, plausible=plausible)
    return Reading([_draft(row) for row in rows], [*source.notices, *notices])


def _draft(row: Row) -> Draft:
    values = {column: row.values(*headings) for column, headings in MAPPING.items()}
    values["authors"] = [name for text in row.values("Authors") for name in split_authors(text)]
    kind = next(iter(row.values("Content Type")), "").casefold()
    values["kind"] = [next((found for word, found in KINDS if word in kind), "other" if kind else "not_stated")]
    if values["kind"] == ["book"]:  # the book's own series is where it appeared
        values["venue"] = row.values("Book Series Title", "Publication Title")
    return Draft(row.line, values, DATABASE, list(row.notices))


def split_authors(text: str) -> list[str]:
    """Single names, split where a small letter meets a capital, without academic titles.

    A name has a blank in it: a piece without one belongs to the piece before, so that ``Ann DeVito`` stays whole, and
    so does what follows ``Mc`` or ``O'``.

    >>> split_authors("Araz R. AlievProf. Dr. Ian McDonald SmithJiří BednářAnn DeVitoLiang DuXin Li")
    ['Araz R. Aliev', 'Ian McDonald Smith', 'Jiří Bednář', 'Ann DeVito', 'Liang Du', 'Xin Li']
    """
    if ";" in text:
        return [_TITLES.sub("", name.strip()) for name in text.split(";")]
    pieces = [piece for piece in _BREAK.split(text) if piece]
    names: list[str] = []
    for piece in pieces:
        whole = bool(names) and " " in names[-1].strip() and " " in piece.strip()
        if names and (not whole or _WITHIN.search(names[-1]) or _TITLES.fullmatch(f"{names[-1]} ")):
            names[-1] += piece
        else:
            names.append(piece)
    return [name for part in names if (name := _TITLES.sub("", part.strip()).strip())]
