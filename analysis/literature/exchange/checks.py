"""What must hold of the tables before they are written as a project."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.literature.exchange.markup import illegal_character
from analysis.literature.exchange.model import Tables

_KEYS = {
    "codebook": ["code"],
    "documents": ["document"],
    "participants": ["participant"],
    "segments": ["segment"],
    "codings": ["segment", "code", "coder"],
}
_LINKS = {
    ("codebook", "parent"): ("codebook", "code"),
    ("segments", "document"): ("documents", "document"),
    ("codings", "segment"): ("segments", "segment"),
    ("codings", "code"): ("codebook", "code"),
}
_NEEDED = {
    "codebook": ("code", "name"),
    "documents": ("document",),
    "participants": ("participant",),
    "segments": ("segment", "document", "start", "end"),
    "codings": ("segment", "code", "coder"),
}
_RESERVED = "\x1f\n\r:"


def check_codebook(codebook: pd.DataFrame) -> None:
    """Check a codebook alone; raises `InputError` as `check_tables` does."""
    problems = [*_table_problems("codebook", codebook), *_cycles(codebook)]
    if not problems:
        problems = list(_orphans({"codebook": codebook}))
    if problems:
        raise InputError("The codebook cannot be written.", problems)


def check_tables(tables: Tables) -> None:
    """Check that the tables fit together and can be written as XML.

    Raises
    ------
    InputError
        A missing column or key, a repeated key, a reference that leads nowhere, a code that is its own
        ancestor, bounds that are negative or end early, a date that is none, a character that XML cannot
        hold. All violations are listed with table and line.
    """
    frames = {name: frame for name in _KEYS if (frame := getattr(tables, name)) is not None}
    problems = [problem for name, frame in frames.items() for problem in _table_problems(name, frame)]
    if not problems:
        problems = [*_orphans(frames), *_cycles(tables.codebook), *_bounds(tables.segments), *_dates(tables.codings)]
    if problems:
        raise InputError("The tables cannot be written as a project.", problems)


def find_texts(documents: pd.DataFrame, segments: pd.DataFrame, corpus: Path) -> dict[str, bytes]:
    """The plain texts of the documents that a folder holds: known by their digests, else by name.

    Parameters
    ----------
    documents, segments : DataFrame
        Checked tables.
    corpus : Path
        Folder with ``*.txt`` files of any name.

    Returns
    -------
    dict
        Document → bytes of its text, as far as they were found.

    Raises
    ------
    InputError
        No such folder; a file named after a document that is another text; not UTF-8; a byte order mark;
        a segment that ends behind the text.
    """
    if not corpus.is_dir():
        raise InputError("The corpus cannot be read.", [Problem(str(corpus), "no such folder", "check CORPUS")])
    files = {path: path.read_bytes() for path in sorted(corpus.glob("*.txt")) if path.is_file()}
    digests = {hashlib.sha256(content).hexdigest(): path for path, content in reversed(files.items())}
    found, problems = {}, []
    for line, row in documents.iterrows():
        digest = row["sha256"] if "sha256" in documents and pd.notna(row["sha256"]) else None
        named = corpus / f"{row['document']}.txt"
        path = digests.get(digest) if digest else named if named in files else None
        where = f"{_source(documents, 'documents')}:{line}"
        if path is None:
            if named in files:
                problems.append(
                    Problem(where, f"{relative(named)} is not the text that was coded", "restore that version of it")
                )
            continue
        content = files[path]
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            problems.append(Problem(relative(path), f"byte {error.start} is not UTF-8", "save it as UTF-8"))
            continue
        if text.startswith("\ufeff"):
            problems.append(Problem(relative(path), "it starts with a byte order mark", "save it as UTF-8 without BOM"))
        late = segments[(segments["document"] == row["document"]) & (segments["end"] > len(text))]
        problems += [
            Problem(
                f"{_source(segments, 'segments')}:{at}, column 'end'",
                f"{end} is behind the end of {relative(path)} ({len(text)} characters)",
                "code the text again, or restore the version that was coded",
            )
            for at, end in late["end"].items()
        ]
        found[row["document"]] = content
    if problems:
        raise InputError("The corpus does not fit the tables.", problems)
    return found


def _source(frame: pd.DataFrame, name: str) -> str:
    return frame.attrs.get("source", name)


def _table_problems(name: str, frame: pd.DataFrame) -> Iterator[Problem]:
    where = _source(frame, name)
    missing = [column for column in _NEEDED[name] if column not in frame]
    if missing:
        yield Problem(where, f"columns {missing} are missing", "load the table with load_table")
        return
    for column in _NEEDED[name]:
        for line in frame.index[frame[column].isna() | frame[column].eq("").fillna(False)]:
            yield Problem(f"{where}:{line}, column '{column}'", "empty", "fill it in")
    for line in frame.index[frame.duplicated(_KEYS[name])]:
        yield Problem(f"{where}:{line}", f"the key ({', '.join(_KEYS[name])}) is taken", "remove the repeated row")
    for column in frame:
        if ": " in str(column) or str(column) != str(column).strip():
            yield Problem(where, f"column '{column}' has a name that cannot be written", "rename it")
        for line, value in frame[column].dropna().items():
            wrong = illegal_character(str(value))
            if wrong:
                yield Problem(f"{where}:{line}, column '{column}'", f"holds {wrong}, which XML cannot", "remove it")
    for column in _KEYS[name]:
        for line, value in frame[column].dropna().items():
            if any(character in value for character in _RESERVED):
                yield Problem(f"{where}:{line}, column '{column}'", f"{value!r} holds a colon or line break", "rename")


def _orphans(frames: dict[str, pd.DataFrame]) -> Iterator[Problem]:
    for (name, column), (other, key) in _LINKS.items():
        if name not in frames or column not in frames[name]:
            continue
        known = set(frames[other][key])
        for line, value in frames[name][column].dropna().items():
            if value and value not in known:
                yield Problem(
                    f"{_source(frames[name], name)}:{line}, column '{column}'",
                    f"'{value}' is not in column '{key}' of {_source(frames[other], other)}",
                    "correct it, or add the row there",
                )


def _cycles(codebook: pd.DataFrame) -> Iterator[Problem]:
    if not {"code", "parent"} <= set(codebook):
        return
    parents = dict(zip(codebook["code"], codebook["parent"].fillna(""), strict=True))
    for line, code in codebook["code"].items():
        above, at = set(), code
        while parents.get(at):
            above.add(at)
            at = parents[at]
            if at == code:
                yield Problem(
                    f"{_source(codebook, 'codebook')}:{line}, column 'parent'",
                    f"'{code}' is its own ancestor",
                    "give it another parent, or none",
                )
            if at in above:
                break


def _bounds(segments: pd.DataFrame) -> Iterator[Problem]:
    wrong = (segments["start"] < 0) | (segments["end"] < segments["start"])
    for line, row in segments[wrong].iterrows():
        yield Problem(
            f"{_source(segments, 'segments')}:{line}",
            f"from {row['start']} to {row['end']}",
            "start must not be negative, nor end before it",
        )


def _dates(codings: pd.DataFrame) -> Iterator[Problem]:
    if "date" not in codings:
        return
    for line, value in codings["date"].dropna().items():
        try:
            date.fromisoformat(str(value))
        except ValueError:
            yield Problem(
                f"{_source(codings, 'codings')}:{line}, column 'date'",
                f"'{value}' is no date",
                "write it as 2026-11-21",
            )
