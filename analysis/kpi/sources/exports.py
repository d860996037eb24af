"""JSON exports of a forge's REST API: every record with its file and number, every damage said.

What is on the disk after ``gh api --paginate``, ``--slurp``, ``--jq '.[]'``, ``glab api``, ``curl`` or a crawler:
one array, several arrays one after another, an array of arrays, one object a line, an object that wraps the array
(``workflow_runs``, ``items``); plain or gzipped, UTF-8 or, from PowerShell's ``>``, UTF-16. What is there instead
when it went wrong: an HTML page, ``{"message": "API rate limit exceeded …"}``, a file that breaks off, the answer of
another endpoint. A page that is missing leaves no trace in any metric, so such a file is an error unless the caller
asks for what there is.

References
----------
GitHub CLI manual, ``gh api`` (``--paginate``: each page is a separate JSON array or object; ``--slurp`` wraps them).
GitHub REST API, "Using pagination" and "Rate limits". GitLab REST API, "Pagination" and "Status codes".
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.kpi.findings import Finding
from analysis.kpi.sources.records import Ledger, Record, check_choice

SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[\s\x00]*")
_DAMAGED = ("error", "report")
_WRAPPERS = ("workflow_runs", "items", "deployments", "environments")
"""Keys under which an endpoint's object holds its array."""


def find_exports(folder: Path) -> list[Path]:
    """Files of an export, in the order of their paths; hidden ones apart."""
    if not folder.is_dir():
        problem = Problem(relative(folder), "no such folder", "give the folder that holds the exported files")
        raise InputError("There is no export to read.", [problem])
    paths = (path for path in folder.rglob("*") if path.name.lower().endswith(SUFFIXES) and path.is_file())
    return sorted(path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def get_stem(path: Path, folder: Path) -> str:
    """Path under the folder without suffix, lower case, ``_`` for dots, dashes and blanks; names are matched on it."""
    text = path.relative_to(folder).as_posix().lower()
    suffix = next(item for item in sorted(SUFFIXES, key=len, reverse=True) if text.endswith(item))
    return re.sub(r"[-. ]", "_", text.removesuffix(suffix))


def match_kind(stem: str, patterns: Mapping[str, str]) -> tuple[str | None, str]:
    """Kind of a file by its name, and the parent that its name says. The first pattern that fits decides."""
    for kind, pattern in patterns.items():
        match = re.fullmatch(rf"(?:.*?[/_])??(?:{pattern})(?:_?(?:page|p|part)?_?\d+)?", stem)
        if match:
            return kind, next((value for value in match.groups() if value), "")
    return None, ""


def peek_record(path: Path, size: int = 1 << 18) -> Mapping[str, Any]:
    """First object of an export, from the head of the file only; empty if there is none."""
    try:
        items = iter_items(_decode(_read_bytes(path, size)))
        return next((item for item in items if isinstance(item, Mapping) and "message" not in item), {})
    except (OSError, ValueError, EOFError, zlib.error):
        return {}


def read_exports(
    folder: Path,
    patterns: Mapping[str, str],
    required: Mapping[str, frozenset[str]],
    recognise: Callable[[Mapping[str, Any]], str | None],
    ledger: Ledger,
    damaged: str = "error",
    also: Mapping[str, str] | None = None,
) -> dict[str, list[Record]]:
    """All records of a folder, by kind.

    Parameters
    ----------
    folder : Path
        Searched with its subfolders.
    patterns : mapping
        Kind → regular expression on the file's `get_stem`; a group catches the parent. A page number may follow.
    required : mapping
        Kind → keys without which a record is not of that kind.
    recognise : function
        Object → kind that it looks like, or None.
    ledger : Ledger
        Receives what is found.
    damaged : {"error", "report"}
        What to do with files that are damaged as a whole: raise with all of them, or read what there is and report.
    also : mapping, optional
        Kind → another kind whose look its records may have.

    Raises
    ------
    InputError
        No such folder, nothing readable in it, or (``damaged="error"``) any damaged file.
    """
    check_choice("damaged", damaged, _DAMAGED)
    kinds: dict[str, list[Record]] = {kind: [] for kind in patterns}
    problems: list[Problem] = []
    paths = find_exports(folder)
    for path in paths:
        name = path.relative_to(folder).as_posix()
        kind, parent = match_kind(get_stem(path, folder), patterns)
        records, damages = read_records(path, name, ledger, parent)
        if kind is None:
            kind = next((found for found in (recognise(record.data) for record in records[:1]) if found), None)
            if kind is None and not damages:
                ledger.report(
                    Record(name, 1, {}), "", "unknown file", "neither its name nor its content is known", "left out",
                    "name it after its endpoint, such as deployments.json",
                )  # fmt: skip
                continue
        looks = (kind, (also or {}).get(kind or ""), None)
        faults = [_find_fault(record, required[kind], looks, recognise) if kind else None for record in records]
        if records and all(faults):
            what = f"wrong endpoint: none of its {len(records)} records is of the kind '{kind}': {faults[0]}"
            damages.append(Problem(f"{name}, record 1", what, f"export '{kind}' into this file"))
        else:
            for record, fault in zip(records, faults, strict=True):
                if fault:
                    what, id = f"not of the kind '{kind}': {fault}", record.text("id") or ""
                    ledger.report(record, id, "wrong endpoint", what, "left out", "export this file again")
        for problem in damages:
            ledger.rows.append(
                Finding(name, _record_of(problem.where), "", "damaged file", problem.what, "left out", problem.remedy)
            )
        problems += damages
        if kind:
            kinds[kind] += [record for record, fault in zip(records, faults, strict=True) if not fault]
    if problems and damaged == "error":
        raise InputError(
            f"{relative(folder)} is not a whole export; to read what there is, say damaged='report'.", problems
        )
    if not any(kinds.values()):
        what = "no file holds a record of a known kind" if paths else f"no file ends in {', '.join(SUFFIXES)}"
        remedy = f"name the files after what they hold: {', '.join(patterns)}"
        raise InputError(
            f"{relative(folder)} holds no export that can be read.", [Problem(relative(folder), what, remedy)]
        )
    return kinds


def _find_fault(
    record: Record,
    required: frozenset[str],
    looks: tuple[str | None, ...],
    recognise: Callable[[Mapping[str, Any]], str | None],
) -> str | None:
    """Why a record is not of a kind; None if it is."""
    missing = ", ".join(sorted(required - record.data.keys()))
    found = recognise(record.data)
    if found not in looks:
        return f"it looks like '{found}'" + (f"; {missing} missing" if missing else "")
    return f"{missing} missing" if missing else None


def read_records(path: Path, name: str, ledger: Ledger, parent: str = "") -> tuple[list[Record], list[Problem]]:
    """Records of one file, and what is wrong with the file as a whole. Broken lines of JSONL are findings."""
    try:
        text = _decode(_read_bytes(path))
    except (OSError, ValueError, EOFError, zlib.error) as error:
        return [], [Problem(name, f"cannot be read: {error}", "export it again")]
    if not text.strip():
        return [], [Problem(name, "the file is empty", "export it again; an endpoint without records gives []")]
    if text.lstrip().startswith("<"):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        what = "an HTML page" + (f" ('{' '.join(title[1].split())[:80]}')" if title else "") + ", not JSON"
        return [], [Problem(f"{name}, record 1", what, "log in, and export from the API's own address")]
    records: list[Record] = []
    problems: list[Problem] = []
    by_line = name.lower().endswith(_LINES)
    for number, item in _lines(text, name, ledger) if by_line else enumerate(iter_items(text), 1):
        where = f"{name}, record {number}"
        if isinstance(item, _Broken):
            problems.append(Problem(where, f"the JSON breaks off or is broken on line {item.line}", "export it again"))
        elif not isinstance(item, Mapping):
            what = f"expected an object, got {json.dumps(item)[:60]}"
            ledger.report(Record(name, number, {}), "", "not a record", what, "left out", "export this file again")
        elif (message := _refusal(item)) is not None:
            problems.append(Problem(where, f"the answer of the API is a refusal: {message}", "wait, and export again"))
        elif "data" in item and not {"id", "number"} & item.keys():
            problems.append(Problem(where, "the answer of a GraphQL query", "export the REST endpoint"))
        else:
            records.append(Record(name, number, item, parent))
    return records, problems


@dataclass(frozen=True, slots=True)
class _Broken:
    """Where JSON could not be read on."""

    line: int


def iter_items(text: str) -> Iterator[Any]:
    """Objects of concatenated JSON, pages and wrappers taken apart; `_Broken` where it cannot be read on."""
    at = _SPACE.match(text).end()
    while at < len(text):
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            # The page breaks off: what stands in it whole still counts.
            at = yield from _salvage(text, at)
            yield _Broken(text.count("\n", 0, at) + 1)
            return
        yield from _unwrap(value)
        at = _SPACE.match(text, at).end()


def _salvage(text: str, at: int) -> Iterator[Any]:
    opened = re.compile(r'(?:[\s\x00]*(?:\[|\{\s*(?:"total_count"\s*:\s*\d+\s*,\s*)?"(?:workflow_runs|items)"\s*:))+')
    match = opened.match(text, at)
    if not match:
        return at
    at = match.end()
    while True:
        at = _SPACE.match(text, at).end()
        try:
            value, after = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return at
        after = _SPACE.match(text, after).end()
        if after >= len(text) and not isinstance(value, Mapping | list):
            return at  # a number or word at the very end may be cut short
        yield from _unwrap(value)
        at = after
        while at < len(text) and text[at] in ",]":
            at = _SPACE.match(text, at + 1).end()
            if at < len(text) and text[at] == "[":
                at += 1


def _unwrap(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _unwrap(item)
        return
    if isinstance(value, Mapping):
        key = next((key for key in _WRAPPERS if isinstance(value.get(key), list) and "id" not in value), None)
        if key:
            yield from value[key]
            return
    yield value


def _lines(text: str, name: str, ledger: Ledger) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip(" \t\r\x00"):
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            what = f"line {number} is not JSON: {error}"
            ledger.report(Record(name, number, {}), "", "broken line", what, "left out", "export this file again")
            continue
        for item in _unwrap(value):
            yield number, item


def _refusal(item: Mapping[str, Any]) -> str | None:
    """The message of an API that refused, None for a record."""
    if {"id", "iid", "number", "sha", "tag_name", "state"} & item.keys():
        return None
    message = item.get("message", item.get("error"))
    if message is None:
        return None
    return f"'{str(item.get('error_description', message))[:120]}'"


def _record_of(where: str) -> int | None:
    found = re.search(r"record (\d+)$", where)
    return int(found[1]) if found else None


def _read_bytes(path: Path, size: int = -1) -> bytes:
    with path.open("rb") as file:
        if path.name.lower().endswith(".gz"):
            with gzip.open(file) as unzipped:
                return unzipped.read(size)
        return file.read(size)


def _decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="strict" if len(data) % 2 == 0 else "ignore")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3:  # cut within a character: what stands before it can be read
            return data[: error.start].decode("utf-8-sig")
        raise
