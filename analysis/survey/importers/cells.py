"""What every reader shares: files into cells of text, with the line of each row, and nothing that was not asked for.

Only columns that the mapping names (and a tool's own status columns) are read: what is personal and not mapped
never leaves the file. Structure is checked before any cell: encoding, quotation marks, and the number of cells of
every row, by counting separators outside quotation marks.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import ROOT, relative
from analysis.survey.mapping import Mapping, normalise

CHUNK = 1 << 24
MOST_NAMED = 10
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Export:
    """The cells of an export that count.

    Attributes
    ----------
    cells : DataFrame
        Mapped columns as text (categorical where values repeat), empty text for an empty cell. Index ``line``: the
        line in a text file, the row of a sheet (its header is row 1), or the case number in a data file of SPSS.
    rows : int
        Rows in the file below its header.
    dropped : dict of str to int
        Reason → rows left out by the reader.
    source : str
        Name of the file.
    """

    cells: pd.DataFrame
    rows: int
    dropped: dict[str, int] = field(default_factory=dict)
    source: str = ""


def name_of(path: Path) -> str:
    """How a file is called in messages and results: within the project by its path, elsewhere by its name alone."""
    return relative(path) if path.resolve().is_relative_to(ROOT) else path.name


def read_delimited(
    path: Path, mapping: Mapping, *, header_rows: int = 1, extra: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[list[str]]]:
    """Read a text file of separated cells.

    Parameters
    ----------
    path : Path
    mapping : Mapping
    header_rows : int
        Records before the first response; the first of them names the columns.
    extra : sequence of str
        Columns of the tool that are read where they exist.

    Returns
    -------
    (DataFrame, list of list of str)
        The cells, and the header's records.

    Raises
    ------
    InputError
        Missing file, wrong encoding, open quotation marks, rows of another length, missing or repeated columns.
    """
    name = name_of(path)
    data = _decode(path, mapping.encoding, name)
    declared, data, above = _declared_separator(data)
    wanted = mapping.columns
    separator, header = _choose_separator(data, declared or mapping.separator, wanted, name)
    starts, ends, lines, cells = _scan(data, ord(separator), above, name)
    if len(starts) < header_rows:
        raise InputError(f"{name} cannot be read.", [Problem(name, f"its header has fewer than {header_rows} rows")])
    if len(starts) == header_rows:
        raise InputError(
            f"{name} holds no responses.", [Problem(name, "it ends after its header", "export the responses again")]
        )
    taken = find_columns(header, wanted, extra, name)
    _check_lengths(cells[header_rows:], lines[header_rows:], ends[header_rows:] - starts[header_rows:], header, name)

    offset = int(starts[header_rows])
    top = list(csv.reader(io.StringIO(data[:offset].decode("utf-8"), newline=""), delimiter=separator))[:header_rows]
    long = {mapping.submitted, mapping.respondent}
    body = memoryview(data)[offset:]
    try:
        frame = pd.read_csv(
            io.BytesIO(body), sep=separator, header=None, names=range(len(header)), usecols=sorted(taken.values()),
            dtype="str",  # not "category": pandas would read codes such as 007 as numbers
            keep_default_na=False, na_filter=False, skip_blank_lines=False, encoding="utf-8", engine="c",
        )  # fmt: skip
    except pd.errors.ParserError:
        raise InputError(
            f"{name} cannot be read.",
            [Problem(name, "quotation marks within cells hide where cells end", "put such cells into quotes")],
        ) from None
    if len(frame) != len(starts) - header_rows:
        raise InputError(
            f"{name} cannot be read.",
            [
                Problem(
                    name, f"{len(starts) - header_rows} rows, but {len(frame)} can be told apart", "check its quotes"
                )
            ],
        )
    long = {mapping.submitted, mapping.respondent}
    cells_of = {column: frame[at] if column in long else _fold(frame[at]) for column, at in taken.items()}
    frame = pd.DataFrame(cells_of)
    frame.index = pd.Index(lines[header_rows:], name="line")
    return frame, top


def _fold(texts: pd.Series) -> pd.Categorical:
    """The same texts as codes and distinct texts."""
    codes, values = pd.factorize(texts, use_na_sentinel=False)
    return pd.Categorical.from_codes(codes, values)


def find_columns(header: Sequence[str], wanted: Iterable[str], extra: Iterable[str], name: str) -> dict[str, int]:
    """Column → its place; blanks and line breaks in a header do not count.

    Raises
    ------
    InputError
        A mapped column is missing or stands there twice. All are listed.
    """
    places: dict[str, list[int]] = {}
    for place, text in enumerate(header):
        places.setdefault(normalise(text), []).append(place)
    problems, taken = [], {}
    for column in wanted:
        found = places.get(normalise(column), [])
        if len(found) == 1:
            taken[column] = found[0]
        elif found:
            problems.append(
                Problem(f"{name}, header", f"column '{column}' stands there {len(found)} times", "rename one of them")
            )
        else:
            near = difflib.get_close_matches(column, [text.strip() for text in header if text.strip()], 2, 0.6)
            remedy = f"did the mapping mean {' or '.join(map(repr, near))}?" if near else "see the mapping"
            problems.append(Problem(f"{name}, header", f"there is no column '{column}'", remedy))
    if problems:
        raise InputError(f"{name} does not have the columns that the mapping names.", problems)
    for column in extra:
        found = places.get(normalise(column), [])
        if len(found) == 1 and column not in taken:
            taken[column] = found[0]
    return taken


def drop_rows(frame: pd.DataFrame, dropped: dict[str, int], reason: str, mask: pd.Series | np.ndarray) -> pd.DataFrame:
    """The rows that stay; how many went is added to ``dropped``."""
    count = int(np.count_nonzero(mask))
    dropped[reason] = dropped.get(reason, 0) + count
    return frame[~np.asarray(mask)] if count else frame


def blank_rows(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Rows without text in any of the columns."""
    blank = np.ones(len(frame), dtype=bool)
    few_values_first = sorted(columns, key=lambda column: not isinstance(frame[column].dtype, pd.CategoricalDtype))
    for column in few_values_first:  # a column of a million texts is then asked about the few rows that are left
        left = np.flatnonzero(blank)
        blank[left] = is_text(frame[column].iloc[left], {""})
    return blank


def is_text(cells: pd.Series, texts: Iterable[str]) -> np.ndarray:
    """Where the normalised cell is one of ``texts``; works on the distinct values where there are few."""
    wanted = set(texts)
    if isinstance(cells.dtype, pd.CategoricalDtype):
        same = (lambda value: not value.strip()) if wanted == {""} else (lambda value: normalise(value) in wanted)
        hits = np.array([same(str(value)) for value in cells.cat.categories], dtype=bool)
        return np.append(hits, "" in wanted)[cells.cat.codes.to_numpy()]  # code -1 is the last place: an empty cell
    stripped = cells.str.strip()
    if wanted == {""}:
        return (stripped == "").to_numpy(dtype=bool)
    codes, values = pd.factorize(stripped, use_na_sentinel=False)
    return np.array([normalise(str(value)) in wanted for value in values], dtype=bool)[codes]


def from_values(columns: dict[str, Sequence[object]], lines: Sequence[int], date_format: str = "") -> pd.DataFrame:
    """Cells of a sheet or data file as text: 1.0 is "1", true is "1", an empty cell is empty text."""
    frame = pd.DataFrame(
        {
            name: pd.Categorical.from_codes(*_text_codes(values, date_format)) if len(values) else []
            for name, values in columns.items()
        }
    )
    frame.index = pd.Index(np.asarray(lines, dtype="int64"), name="line")
    return frame


def _text_codes(values: Sequence[object], date_format: str) -> tuple[np.ndarray, list[str]]:
    seen: dict[str, int] = {}
    codes = [seen.setdefault(_as_text(value, date_format), len(seen)) for value in values]
    return np.array(codes, dtype="int32"), list(seen)


def _as_text(value: object, date_format: str) -> str:
    if value is None or value != value:  # an empty cell, or NaN
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.strftime(date_format) if date_format else value.isoformat()
    return str(value).strip()


def _decode(path: Path, encoding: str, name: str) -> bytes:
    """The file as UTF-8 with newlines of one kind, whatever it was written in."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{name} cannot be read.", [Problem(name, error.strerror or str(error))]) from None
    if not data.strip():
        raise InputError(f"{name} holds no responses.", [Problem(name, "the file is empty", "export it again")])
    if data[:4] == b"PK\x03\x04":
        raise InputError(
            f"{name} is no text file.",
            [Problem(name, "it is a workbook or zip archive", "unpack it, or export as CSV")],
        )
    marked = next((found for mark, found in _BOMS if data.startswith(mark)), "")
    encoding = marked or encoding
    if encoding in ("cp1252", "latin-1") and not data.isascii() and _is_utf8(data):
        raise InputError(
            f"{name} is not written in {encoding}.",
            [Problem(name, "its letters outside ASCII are UTF-8", "set `encoding: utf-8` in the mapping")],
        )
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name} is not written in {encoding}.",
            [
                Problem(
                    f"{name}:{line}",
                    f"byte {data[error.start]:#04x} cannot be read",
                    "set `encoding:` in the mapping (Excel's plain CSV is often cp1252), or save as 'CSV UTF-8'",
                )
            ],
        ) from None
    if "\x00" in text:
        raise InputError(
            f"{name} is not written in {encoding}.", [Problem(name, "it holds zero bytes", "is it `encoding: utf-16`?")]
        )
    data = data if encoding == "utf-8" else text.encode("utf-8")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _declared_separator(data: bytes) -> tuple[str, bytes, int]:
    """Excel's first line ``sep=;``, where there is one: the separator, the rest, and the lines above it."""
    first, _, rest = data.partition(b"\n")
    declared = first.strip().strip(b'"').decode("utf-8", "replace")
    if declared.lower().startswith("sep=") and len(declared) == 5:
        return declared[4], rest, 1
    return "", data, 0


def _choose_separator(data: bytes, separator: str, wanted: Sequence[str], name: str) -> tuple[str, list[str]]:
    """The separator under which the header has the mapped columns, and the header."""
    head = data[: 1 << 18].decode("utf-8", "ignore")
    candidates = [separator] if separator != "auto" else [",", ";", "\t"]
    names = {normalise(column) for column in wanted}
    best: tuple[int, str, list[str]] = (-1, candidates[0], [])
    for candidate in candidates:
        try:
            header = next(islice(csv.reader(io.StringIO(head, newline=""), delimiter=candidate), 1), [])
        except csv.Error:
            continue
        hits = len(names & {normalise(text) for text in header})
        if hits > best[0]:
            best = (hits, candidate, header)
    _, separator, header = best
    if len(header) < 2 <= len(wanted):
        raise InputError(
            f"{name} does not have the columns that the mapping names.",
            [Problem(f"{name}, header", f"it is one cell under {candidates}", "set `separator:` in the mapping")],
        )
    return separator, header


def _scan(data: bytes, separator: int, above: int, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Records of the text: start, end, line in the file, and number of cells; quoted separators do not count."""
    view = np.frombuffer(data, dtype=np.uint8)
    inside = np.uint8(0)
    ends, breaks, separators = [], [], []
    for at in range(0, len(view), CHUNK):
        part = view[at : at + CHUNK]
        new_line, split = part == 10, part == separator
        breaks.append(np.flatnonzero(new_line) + at)
        quotes = (part == 34).view(np.uint8)
        if inside or quotes.any():
            parity = np.bitwise_xor.accumulate(quotes) ^ inside
            inside = parity[-1]
            new_line &= parity == 0
            split &= parity == 0
        ends.append(np.flatnonzero(new_line) + at)
        separators.append(np.flatnonzero(split) + at)
    end, line_break, split_at = (np.concatenate(parts) for parts in (ends, breaks, separators))
    if inside:
        opened = int(np.searchsorted(line_break, data.rfind(b'"'))) + 1 + above
        raise InputError(
            f"{name} cannot be read.",
            [Problem(f"{name}:{opened}", "a quotation mark is never closed", "was the file cut off? export it again")],
        )
    if not len(end) or end[-1] != len(view) - 1:
        end = np.append(end, len(view))
    start = np.concatenate([[0], end[:-1] + 1])
    lines = np.searchsorted(line_break, start) + 1 + above
    cells = np.diff(np.searchsorted(split_at, np.concatenate([[0], end]))) + 1
    return start, end, lines, cells


def _check_lengths(cells: np.ndarray, lines: np.ndarray, widths: np.ndarray, header: list[str], name: str) -> None:
    wrong = np.flatnonzero((cells != len(header)) & (widths > 0))
    problems = [
        Problem(f"{name}:{lines[row]}", f"{cells[row]} cells, the header has {len(header)}", "quote cells that contain "
                "the separator; a short last row means that the file was cut off")
        for row in wrong[:MOST_NAMED]
    ]  # fmt: skip
    if len(wrong) > MOST_NAMED:
        problems.append(Problem(name, f"and {len(wrong) - MOST_NAMED} more rows of a wrong length"))
    if problems:
        raise InputError(f"{name} has rows of a wrong length.", problems)
