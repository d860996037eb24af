"""Do executed notebooks show somebody? Row-level personal data in what they print, found before it is published.

Looked for are columns that only a row-level table has (``respondent``, ``submitted``, personal questions, answers in
one's own words), e-mail addresses, and, where the researcher gives them, the very values of personal columns.
Sources of cells are searched as well. A bitmap cannot be read: figures must be made from tables of counts.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.base.errors import NotebookError, Problem
from analysis.base.paths import relative
from analysis.survey.instrument import Instrument
from analysis.survey.mapping import Mapping as ColumnMapping
from analysis.survey.mapping import QuestionMapping, normalise
from analysis.survey.responses import read_export

SHORTEST = 3
"""Values of fewer letters are not searched: they would be found everywhere."""
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}", re.IGNORECASE)
_HEADER_CELL = re.compile(r"<th[^>]*>(.*?)</th>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]+>")


def row_level_columns(instrument: Instrument) -> tuple[str, ...]:
    """Columns that no published table may have."""
    own_words = [question.id for question in instrument.questions if question.kind == "text" and not question.personal]
    beside = [f"{question.id}.text" for question in instrument.questions if question.other]
    return ("respondent", "submitted", *instrument.personal, *own_words, *beside)


def read_personal_values(path: Path, instrument: Instrument, mapping: ColumnMapping) -> set[str]:
    """The values of the respondent column and of personal questions in an export, to look for and then to forget.

    Personal questions are read where the mapping names their column. Labels of answers are left out.
    """
    columns = dict(mapping.personal)
    only = replace(
        mapping, submitted="", questions={name: QuestionMapping(column=column) for name, column in columns.items()}
    )
    if not only.columns:
        return set()
    cells = read_export(path, only).cells
    labels = {normalise(option.label) for question in instrument.questions for option in question.options}
    found = {str(value) for column in cells for value in cells[column].unique()}
    return {value for value in found if len(value.strip()) >= SHORTEST and normalise(value) not in labels}


def find_exposed(
    notebook: Path | Mapping[str, Any], *, columns: Sequence[str] = (), values: Iterable[str] = ()
) -> list[Problem]:
    """Where a notebook shows what it must not; values themselves are not repeated.

    Parameters
    ----------
    notebook : Path or mapping
        An executed ``.ipynb``, or its content.
    columns : sequence of str
        From `row_level_columns`.
    values : iterable of str
        From `read_personal_values`, or ids of respondents.
    """
    where = relative(notebook) if isinstance(notebook, Path) else "notebook"
    content = json.loads(notebook.read_text(encoding="utf-8")) if isinstance(notebook, Path) else notebook
    wanted = {normalise(value) for value in values}
    wanted = {value for value in wanted if len(value) >= SHORTEST}
    pattern = (
        re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, sorted(wanted, key=len, reverse=True))) + r")(?!\w)")
        if wanted
        else None
    )
    banned = {normalise(column) for column in columns}
    problems = []
    for number, cell in enumerate(content.get("cells", []), start=1):
        for place, kind, text in _texts(cell):
            at = f"{where}, cell {number}, {place}"
            shown = _headers(kind, text) & banned if place != "source" else set()
            for column in sorted(shown):
                problems.append(
                    Problem(at, f"a table with the column '{column}', a row a person", "show counts, or leave it out")
                )
            plain = html.unescape(_TAG.sub(" ", text)) if kind in ("text/html", "image/svg+xml") else text
            if _ADDRESS.search(plain):
                problems.append(Problem(at, "an e-mail address", "remove what prints it"))
            hits = len(set(pattern.findall(normalise(plain)))) if pattern else 0
            if hits:
                problems.append(
                    Problem(at, f"{hits} value{'s' * (hits > 1)} of personal columns", "remove what prints them")
                )
    return problems


def require_unexposed(notebooks: Iterable[Path], *, columns: Sequence[str] = (), values: Iterable[str] = ()) -> None:
    """Refuse notebooks that show row-level personal data.

    Raises
    ------
    NotebookError
        All places, by notebook and cell.
    """
    values = list(values)
    problems = [found for path in notebooks for found in find_exposed(path, columns=columns, values=values)]
    if problems:
        raise NotebookError("Notebooks show data of single persons.", problems)


def _texts(cell: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Every text of a cell: place, media type, text."""
    yield "source", "text/plain", _joined(cell.get("source", ""))
    for output in cell.get("outputs", []):
        if "text" in output:
            yield "output", "text/plain", _joined(output["text"])
        if "traceback" in output:
            yield "error", "text/plain", _joined([*output["traceback"], str(output.get("evalue", ""))])
        for kind, data in (output.get("data") or {}).items():
            if kind.startswith("text/") or kind == "image/svg+xml":
                yield "output", kind, _joined(data)
            elif "json" in kind:
                yield "output", "application/json", json.dumps(data, ensure_ascii=False)


def _joined(text: object) -> str:
    return "\n".join(map(str, text)) if isinstance(text, list) else str(text)


def _headers(kind: str, text: str) -> set[str]:
    """Names of columns in a table that is shown."""
    if kind == "text/html":
        return {normalise(html.unescape(_TAG.sub("", cell))) for cell in _HEADER_CELL.findall(text)}
    if kind == "application/json":
        return {normalise(name) for name in re.findall(r'"([^"]{1,80})":', text)}
    lines = [line for line in text.splitlines() if line.strip()]
    if kind == "text/plain" and len(lines) > 1:
        return {normalise(word) for line in lines[:2] for word in re.split(r"\s{2,}|\t|[|,]", line)} | {
            normalise(word) for word in lines[0].split()
        }
    return set()
