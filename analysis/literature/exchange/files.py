"""Tables of a coding as CSV files in a folder: those of a project from elsewhere, to look at, edit, and write back.

Our own tables under ``data/literature`` are read by `load_tables`, which checks their schema. What comes from another
program knows other columns and leaves some of ours empty, so that here only what `export_project` needs is checked.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative, write_atomic
from analysis.base.tables import save_table
from analysis.literature.exchange.model import Project, Tables
from analysis.literature.exchange.tables import COLUMNS, project_tables

_NUMBERS = ("start", "end", "characters")
_NEEDED = ("codebook", "documents", "segments", "codings")
_PLAIN_NAME = re.compile(r"\w[\w.+-]{0,120}")


def save_tables(tables: Tables, folder: Path) -> list[Path]:
    """Write the tables of a project, one CSV each.

    Raises
    ------
    InputError
        The folder holds such tables already: they may have been worked on.
    """
    named = {name: getattr(tables, name) for name in COLUMNS}
    paths = {folder / f"{name}.csv": frame for name, frame in named.items() if frame is not None}
    _refuse_existing(list(paths))
    return [save_table(frame, path) for path, frame in paths.items()]


def save_codebook(codebook: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the table of a codebook; raises `InputError` where there is one already."""
    path = folder / "codebook.csv"
    _refuse_existing([path])
    return [save_table(codebook, path)]


def save_texts(project: Project, tables: Tables, folder: Path) -> list[Path]:
    """Write the plain texts of a project as ``<document>.txt``, as they were coded.

    Raises
    ------
    InputError
        A document whose name is no plain file name, or a file that is there already.
    """
    texts = {source.guid: source.content for source in project.sources if source.content is not None}
    standing = {source.parent: source.content for source in project.sources if source.kind == "Representation"}
    found: dict[Path, str] = {}
    problems = []
    for document in tables.documents["document"]:
        guid = tables.guids.get(f"document:{document}", "")
        text = standing.get(guid) or texts.get(guid)
        if text is None:
            continue
        if not _PLAIN_NAME.fullmatch(document):
            problems.append(Problem(f"document {document!r}", "is no plain file name", "rename it in its program"))
        found[folder / f"{document}.txt"] = text
    if problems:
        raise InputError("The texts cannot be written.", problems)
    _refuse_existing(list(found))
    return [write_atomic(path, text.encode("utf-8", "surrogatepass")) for path, text in found.items()]


def read_tables(folder: Path, base: Project | None = None) -> Tables:
    """Read what `save_tables` wrote.

    Parameters
    ----------
    folder : Path
        With ``codebook.csv``, ``documents.csv``, ``segments.csv``, ``codings.csv`` and perhaps ``participants.csv``.
    base : Project, optional
        The project that the tables came from: tells what is what in it, so that they can be written back into it.

    Raises
    ------
    InputError
        A table is missing, is not CSV in UTF-8, or lacks a column; a number that is none. All are listed.
    """
    frames: dict[str, pd.DataFrame] = {}
    problems: list[Problem] = []
    for name in COLUMNS:
        path = folder / f"{name}.csv"
        if path.is_file():
            frame, told = _read(path, name)
            frames[name] = frame
            problems += told
        elif name in _NEEDED:
            problems.append(Problem(relative(path), "no such file", "name the folder that codes-import wrote"))
    if problems:
        raise InputError("The tables of the coding cannot be read.", problems)
    return Tables(**frames, guids={} if base is None else project_tables(base).guids)


def _read(path: Path, name: str) -> tuple[pd.DataFrame, list[Problem]]:
    where = relative(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header, rows, lines, start = [cell.strip() for cell in next(reader, [])], [], [], 2
        for row in reader:
            if row:
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except UnicodeDecodeError as error:
        problem = Problem(where, f"byte {error.start} is not UTF-8", "save it as 'CSV UTF-8'")
        return pd.DataFrame(), [problem]
    except csv.Error as error:
        return pd.DataFrame(), [Problem(where, f"not valid CSV: {error}", "check the quotation marks")]
    missing = [column for column in COLUMNS[name] if column not in header]
    problems = []
    if missing or len(set(header)) < len(header):
        what = f"lacks {missing}" if missing else "has two columns of one name"
        problems.append(Problem(f"{where}:1", what, "is the separator a comma?"))
    problems += [
        Problem(f"{where}:{line}", f"{len(row)} cells, expected {len(header)}", "quote cells that contain a comma")
        for line, row in zip(lines, rows, strict=True)
        if len(row) != len(header)
    ]
    if problems:
        return pd.DataFrame(), problems
    cells = [[cell or None for cell in row] for row in rows]
    frame = pd.DataFrame(cells, columns=header, index=pd.Index(lines, name="line", dtype="int64"), dtype="string")
    for column in set(_NUMBERS) & set(frame):
        wrong = frame[column].notna() & ~frame[column].str.fullmatch(r"\d+").fillna(False)
        problems += [
            Problem(f"{where}:{line}, column '{column}'", f"'{value}' is no number of characters", "correct it")
            for line, value in frame.loc[wrong, column].items()
        ]
        if not problems:
            frame[column] = pd.to_numeric(frame[column]).astype("Int64")
    frame.attrs["source"] = where
    return frame, problems


def _refuse_existing(paths: list[Path]) -> None:
    problems = [Problem(relative(path), "exists", "name another folder, or move it away") for path in paths
                if path.exists()]  # fmt: skip
    if problems:
        raise InputError("Nothing was written: the files may hold work.", problems)
