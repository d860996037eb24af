"""A file as text lines, whatever it was written in: UTF-8, UTF-16, Windows-1252, and joins of several exports.

Files of several exports put together mix encodings and line ends. Each line is therefore decoded by itself, and
CR LF, LF and a lone CR all end a line; line numbers count these ends, as most editors do.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from analysis.base.errors import InputError, Problem
from analysis.base.paths import ROOT, relative
from analysis.literature.importers.drafts import REPAIRED, Notice

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENDS = re.compile("\r\n|\r|\n")
_BYTE_ENDS = re.compile(b"\r\n|\r|\n")
_FORMATS = {
    b"PK\x03\x04": ("a workbook or zip archive", "unpack it, or save the sheet as CSV"),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook of the old kind", "save the sheet as CSV"),
    b"%PDF": ("a PDF", "export the records as RIS, BibTeX or CSV"),
}


@dataclass(frozen=True, slots=True)
class SourceText:
    """The lines of a file without their ends; line 1 is ``lines[0]``."""

    name: str
    lines: list[str]
    encoding: str
    notices: list[Notice]


def name_of(path: Path) -> str:
    """How a file is called in tables and messages: within the project by its path, elsewhere by its name alone."""
    return relative(path) if path.resolve().is_relative_to(ROOT) else path.name


def read_lines(path: Path, encoding: str = "auto") -> SourceText:
    """Decode a file.

    Parameters
    ----------
    path : Path
    encoding : str
        A codec's name, or ``auto``: by the byte-order mark, by zero bytes (UTF-16 without a mark), else UTF-8 with
        every line that is not UTF-8 read as Windows-1252 and told.

    Raises
    ------
    InputError
        Missing or empty file, a workbook, PDF, web page or XML, an unknown codec, or text that is not in ``encoding``.
    """
    name = name_of(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{name} cannot be read.", [Problem(name, error.strerror or str(error))]) from None
    if not data.strip(b" \t\r\n\x00"):
        raise InputError(f"{name} holds no records.", [Problem(name, "the file is empty", "export it again")])
    for mark, (what, remedy) in _FORMATS.items():
        if data.startswith(mark):
            raise InputError(f"{name} is no text file.", [Problem(name, f"it is {what}", remedy)])
    notices: list[Notice] = []
    if encoding == "auto":
        codec = _marked(data)
        if codec:
            data = data[len(next(mark for mark, found in _BOMS if data.startswith(mark))) :]
        else:
            codec = _unmarked_utf16(data)
        lines = _split(_decode(data, codec, name)) if codec.startswith("utf-16") or codec.startswith("utf-32") else None
        if lines is None:
            codec, lines = _by_line(data, notices)
    else:
        codec, lines = encoding, _split(_decode(data, encoding, name).removeprefix("\ufeff"))
    # Marks inside: exports put together, each with its own.
    lines = [line.replace("\ufeff", "").replace("\x00", "") if not line.isascii() or "\x00" in line else line
             for line in lines]  # fmt: skip
    start = next((line.lstrip().casefold() for line in lines if line.strip()), "")
    if start.startswith(("<!doctype html", "<html")):
        raise InputError(
            f"{name} is a web page.", [Problem(name, "not an export", "was the session over? Export the records again")]
        )
    if start.startswith("<?xml"):
        raise InputError(f"{name} is XML.", [Problem(name, "XML is not read", "export the records as RIS or BibTeX")])
    return SourceText(name, lines, codec, notices)


def _marked(data: bytes) -> str:
    return next((codec for mark, codec in _BOMS if data.startswith(mark)), "")


def _unmarked_utf16(data: bytes) -> str:
    """UTF-16 without a mark: the head is mostly ASCII, so that every other byte is zero."""
    head = data[:2000]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) < 0.3 * len(head) / 2:
        return ""
    return "utf-16-be" if even > odd else "utf-16-le"


def _split(text: str) -> list[str]:
    return _ENDS.split(text)


def _decode(data: bytes, codec: str, name: str) -> str:
    try:
        return data.decode(codec)
    except LookupError:
        raise InputError(
            f"{name} cannot be read.", [Problem("encoding", f"'{codec}' is no encoding", "e.g. utf-8, cp1252, gb18030")]
        ) from None
    except UnicodeDecodeError as error:
        line = len(_ENDS.findall(data[: error.start].decode(codec, "replace"))) + 1
        raise InputError(
            f"{name} is not written in {codec}.",
            [Problem(f"{name}:{line}", f"byte {data[error.start]:#04x} cannot be read", "name another `encoding`")],
        ) from None


def _by_line(data: bytes, notices: list[Notice]) -> tuple[str, list[str]]:
    """UTF-8, or line by line with Windows-1252 where a line is not UTF-8."""
    try:
        return "utf-8", _split(data.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    lines, other = [], []
    for number, raw in enumerate(_BYTE_ENDS.split(data), start=1):
        try:
            lines.append(raw.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(raw.decode("cp1252", "replace"))  # five bytes mean nothing there: the mark of a lost letter
            other.append(number)
    shown = ", ".join(map(str, other[:10])) + (f" and {len(other) - 10} more" if len(other) > 10 else "")
    what = f"not UTF-8, read as Windows-1252: line {shown}" if len(other) == 1 else (
        f"not UTF-8, read as Windows-1252: lines {shown}")  # fmt: skip
    notices.append(
        Notice(other[0], REPAIRED, what, "check the letters there; name the `encoding` where they are wrong")
    )
    return "utf-8 and cp1252", lines
