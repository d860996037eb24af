"""Objects of JSON Lines files, plain or gzipped, each with its line; what is broken has a finding and the rest is read.

Files of one pretty-printed object, of several, or of an array of objects are read too.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.kpi.findings import Finding

_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff")


def read_objects(path: Path) -> tuple[list[tuple[int, dict[str, Any]]], list[Finding]]:
    """Line and content of every object in the file, and what could not be read.

    Raises
    ------
    InputError
        The file cannot be opened, is empty, or is in UTF-16.
    """
    where = relative(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        what = error.strerror or str(error)
        raise InputError(f"{where} cannot be read.", [Problem(where, what, "give an event log")]) from None
    raw, findings = _unpack(raw, where)
    if raw.startswith(_OTHER_ENCODINGS):
        what, remedy = "it is UTF-16", "save it as UTF-8"
        raise InputError(f"{where} is not UTF-8 text.", [Problem(f"{where}:1", what, remedy)])
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if not raw.strip() and not findings:
        remedy = "give a log with one event a line; was it written to the end?"
        raise InputError(f"{where} is empty.", [Problem(where, "it holds no events", remedy)])
    whole = _documents(raw)
    objects, problems = ([], []) if whole is None else _items(whole, where)
    if whole is None:
        objects, problems = _lines(raw, where)
        if not objects and ".json" in path.suffixes:
            problems = problems[:1]  # one broken document, not many broken lines
    return objects, [*problems, *findings]


def _lines(raw: bytes, where: str) -> tuple[list[tuple[int, dict[str, Any]]], list[Finding]]:
    items, findings = [], []
    lines = raw.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            items.append((number, _load(line.decode())))
        except UnicodeDecodeError as error:
            what = f"byte {error.start + 1} of the line ({line[error.start]:#04x}) is not UTF-8"
            findings.append(Finding(where, number, "", "wrong encoding", what, "left out", "save the file as UTF-8"))
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                what = f"the line is cut short after {len(line):,} bytes"
                remedy = "let what writes the log go on, or take the rest from its other copy"
                findings.append(Finding(where, number, "", "cut short", what, "left out", remedy))
            else:
                what = f"not JSON ({error}): {line[:60].decode(errors='replace')!r}"
                remedy = "restore the line: one JSON object a line"
                findings.append(Finding(where, number, "", "not JSON", what, "left out", remedy))
    objects, more = _items(items, where)
    return objects, sorted([*findings, *more], key=lambda finding: finding.line or 0)


def _items(items: list[tuple[int, Any]], where: str) -> tuple[list[tuple[int, dict[str, Any]]], list[Finding]]:
    findings = [
        Finding(where, line, "", "not an event", f"it is {_kind(item)}", "left out", "one JSON object a line")
        for line, item in items
        if not isinstance(item, dict)
    ]
    return [(line, item) for line, item in items if isinstance(item, dict)], findings


def _documents(raw: bytes) -> list[tuple[int, Any]] | None:
    """The values of a file that is not one value a line, with the lines at which they begin; None for JSON Lines."""
    first = raw.lstrip().partition(b"\n")[0]
    try:
        if not first.lstrip().startswith(b"["):
            json.loads(first)
            return None  # its first line is a value
    except (ValueError, RecursionError):
        pass
    try:
        text = raw.decode()
        decoder, position, line, items = json.JSONDecoder(), 0, 1, []
        while position < len(text):
            start = position
            while position < len(text) and (text[position].isspace() or text[position] == ","):
                position += 1
            line += text.count("\n", start, position)
            if position == len(text):
                break
            if text[position] in "[]" and (text[position] == "[") is (not items):
                position += 1  # into and out of an array
                continue
            value, end = decoder.raw_decode(text, position)
            items.append((line, _mend(value) if "\\ud" in text[position:end].lower() else value))
            line += text.count("\n", position, end)
            position = end
    except (ValueError, RecursionError):
        return None
    return items


def _load(text: str) -> Any:
    value = json.loads(text)
    return _mend(value) if "\\ud" in text.lower() else value


def _mend(value: Any) -> Any:
    """Halves of surrogate pairs, which JSON can spell and no text can hold, become question marks."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _kind(item: Any) -> str:
    return {list: "a list", str: "a text", type(None): "null", bool: "true or false"}.get(type(item), "a number")


def _unpack(raw: bytes, where: str) -> tuple[bytes, list[Finding]]:
    """What a gzip file holds, as far as it goes."""
    if raw[:2] != b"\x1f\x8b":
        return raw, []
    parts = []
    what = ""
    while raw and not what:
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(raw))
            what = "" if member.eof else "the compressed file is cut short"
        except zlib.error as error:
            what = f"the compressed file is damaged ({error})"
        raw = member.unused_data.lstrip(b"\0")
    content = b"".join(parts)
    remedy = "take the file from its other copy, or let what writes it go on"
    line = content.count(b"\n") + 1
    return content, [Finding(where, line, "", "cut short", what, "left out", remedy)] if what else []
