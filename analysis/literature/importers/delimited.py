"""Tables of text: rows of cells with the line where each begins, whatever is wrong with some of them.

A quotation mark that is never closed swallows the rows below it; a csv reader then returns one long row, often with
the right number of cells, and the records in it are lost without a word. Here a row that is not well formed ends
where a later line is a whole row by itself, and is told with its line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.literature.importers.drafts import LEFT_OUT, REPAIRED, Notice

SEPARATORS = (",", ";", "\t", "|")
HEADER_WITHIN = 30
"""Lines in which the header is looked for: some exports begin with the query or an empty line."""
csv.field_size_limit(1 << 24)  # an abstract with its references may be longer than the 128 KiB that csv allows

Plausible = Callable[[dict[str, str]], bool]
Realign = Callable[[list[str], tuple[str, ...]], "list[str] | None"]


@dataclass(frozen=True, slots=True)
class Header:
    """Where the column names stand: line (from 1), separator, names as written, and as compared."""

    line: int
    separator: str
    names: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(plain_name(name) for name in self.names)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: line where it begins, and its cells by plain column name."""

    line: int
    cells: dict[str, str]
    notices: tuple[Notice, ...] = ()

    def values(self, *columns: str) -> list[str]:
        """Texts of the columns that are there and not empty, in this order."""
        return [text for name in columns if (text := self.cells.get(plain_name(name), "").strip())]


def plain_name(name: str) -> str:
    """A column's name as compared: ``Author(s) ID`` is ``authors id``, ``Journal/Book`` is ``journal book``."""
    return " ".join(re.sub(r"[^\w]+", " ", name.casefold().replace("(s)", "s").replace("_", " ")).split())


def find_header(lines: Sequence[str], known: Sequence[frozenset[str]]) -> Header | None:
    """The header: the first line that, under some separator, holds all names of one of the ``known`` sets."""
    for number, line in enumerate(lines[:HEADER_WITHIN], start=1):
        if not line.strip() or re.fullmatch(r'\s*"?sep=.?"?\s*', line, re.I):
            continue
        for separator in SEPARATORS:
            if separator not in line:
                continue
            names = _cells(line, separator)
            keys = {plain_name(name) for name in names or ()}
            if names and any(wanted <= keys for wanted in known):
                while names and not names[-1].strip():
                    names.pop()
                return Header(number, separator, tuple(name.strip() for name in names))
    return None


def read_rows(
    lines: Sequence[str],
    header: Header,
    *,
    quoted: bool = True,
    plausible: Plausible | None = None,
    realign: Realign | None = None,
) -> tuple[list[Row], list[Notice]]:
    """Read what stands below the header.

    Parameters
    ----------
    lines : sequence of str
        All lines of the file.
    header : Header
    quoted : bool
        Whether quotation marks keep separators and line ends in a cell; False for Web of Science's tab-delimited text.
    plausible : callable, optional
        Whether the cells of a row that lacks some at its end are in their columns. Such rows are left out otherwise.
    realign : callable, optional
        The cells of a longer row in the header's columns, where the source is known to write such rows; else None.

    Returns
    -------
    (list of Row, list of Notice)
        Every row is a `Row` or a notice `LEFT_OUT`.
    """
    width, keys = len(header.names), header.keys
    rows: list[Row] = []
    notices: list[Notice] = []
    at, end = header.line, len(lines)  # index of the line below the header
    while at < end:
        if not lines[at].strip():
            at += 1
            continue
        cells, after, sound = _take(lines, at, header.separator, width, quoted)
        line, at = at + 1, after
        if cells is None:
            what = "a quotation mark is never closed; the row was left out up to the next whole row"
            notices.append(Notice(line, LEFT_OUT, what, "close it in the file, or export again"))
            continue
        if not any(cell.strip() for cell in cells):
            continue  # separators and nothing else: no record
        if tuple(plain_name(cell) for cell in cells[:width]) == keys:
            continue  # the header again, in exports put together
        told: list[Notice] = []
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            cells = cells[:width]
        if len(cells) > width and realign is not None and (aligned := realign(cells, keys)) is not None:
            what = f"{len(cells)} cells where the header has {width}; those without a heading were passed over"
            told.append(Notice(line, REPAIRED, what, "compare the record's last columns"))
            cells = aligned
        if len(cells) != width:
            what = f"{len(cells)} cells where the header has {width}"
            row = dict(zip(keys, [*cells, *[""] * (width - len(cells))], strict=False))
            if len(cells) > width or len(cells) < 2 or plausible is None or not plausible(row):
                remedy = "put cells that hold the separator into quotation marks, or export again"
                notices.append(Notice(line, LEFT_OUT, f"{what}; the row was left out", remedy))
                continue
            told.append(Notice(line, REPAIRED, f"{what}; those at its end were read as empty", "was the row cut off?"))
        elif not sound:
            told.append(Notice(line, REPAIRED, "quotation marks within a cell are not doubled", "compare the row"))
        # The first of two columns of one name, unless it is empty.
        row_cells: dict[str, str] = {}
        for key, cell in zip(keys, cells, strict=False):
            if not row_cells.get(key, "").strip():
                row_cells[key] = cell
        rows.append(Row(line, row_cells, tuple(told)))
    return rows, notices


def _take(
    lines: Sequence[str], at: int, separator: str, width: int, quoted: bool
) -> tuple[list[str] | None, int, bool]:
    """The row that begins at ``at``: its cells (None: cannot be told apart), the line after it, and if it is sound."""
    if not quoted:
        return [_unwrap(cell) for cell in lines[at].split(separator)], at + 1, True
    after = _span(lines, at, separator)
    strict = _cells("\n".join(lines[at:after]), separator, strict=True) if after else None
    if strict is not None and len(strict) == width:
        return strict, after, True
    # Not sound: does a line further down, within what the quotation mark swallowed, make a whole row by itself?
    stop = after or len(lines)
    for later in range(at + 1, min(stop, at + 2000)):
        single = _cells(lines[later], separator, strict=True)
        if single is not None and len(single) == width:
            stop = later
            break
        if single is None and lines[later].count(separator) >= width - 1:  # a whole row that runs on over lines
            ending = _span(lines, later, separator)
            several = _cells("\n".join(lines[later:ending]), separator, strict=True) if ending else None
            if several is not None and len(several) == width:
                stop = later
                break
    if stop == after and after:
        return strict or _loose_cells("\n".join(lines[at:after]), separator), after, strict is not None
    loose = _loose_cells("\n".join(lines[at:stop]).rstrip("\n"), separator)
    return (loose if loose is not None and len(loose) == width else None), stop, False


def _span(lines: Sequence[str], at: int, separator: str) -> int:
    """The line after the row that begins at ``at`` by the rules of csv; 0 where its last quotation mark stays open."""
    inside = False
    for number in range(at, len(lines)):
        inside = _open_after(lines[number], separator, inside)
        if not inside:
            return number + 1
    return 0


def _open_after(line: str, separator: str, inside: bool) -> bool:
    """Whether a cell is open at the end of ``line``; a quotation mark opens one only at its beginning."""
    if '"' not in line:
        return inside
    place, length = 0, len(line)
    while place <= length:
        if inside:
            close = line.find('"', place)
            if close < 0:
                return True
            if line.startswith('""', close):
                place = close + 2
                continue
            inside, place = False, close + 1
        elif place < length and line[place] == '"' and (place == 0 or line[place - 1] == separator):
            inside, place = True, place + 1
            continue
        following = line.find(separator, place)
        if following < 0:
            return False
        place = following + 1
    return inside


def _cells(text: str, separator: str, *, strict: bool = False) -> list[str] | None:
    """The cells of one row, or None where ``text`` is not one row."""
    parts = [f"{part}\n" for part in text.split("\n")] if "\n" in text else [text]
    reader = csv.reader(parts, delimiter=separator, strict=strict)
    try:
        found = list(reader)
    except csv.Error:
        return None
    return found[0] if len(found) == 1 else None


def _loose_cells(text: str, separator: str) -> list[str]:
    """The cells of a row whose inner quotation marks are not doubled: one ends where a separator follows its mark."""
    end = re.escape(separator)
    cell = re.compile(rf'"((?:[^"]|"(?!{end}|\Z))*)"(?={end}|\Z)|([^{end}]*)')
    cells, at = [], 0
    while True:
        found = cell.match(text, at)
        whole, bare = found.groups()
        cells.append(whole.replace('""', '"') if whole is not None else bare.removeprefix('"'))
        at = found.end() + 1
        if at > len(text):
            return cells


def _unwrap(cell: str) -> str:
    """A cell without the quotation marks that a spreadsheet put around it."""
    if len(cell) > 1 and cell.startswith('"') and cell.endswith('"'):
        return cell[1:-1].replace('""', '"')
    return cell
