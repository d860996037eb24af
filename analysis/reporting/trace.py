"""From a printed number back to the rows it was computed from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from analysis.base.errors import Problem, ReportError
from analysis.base.paths import BUILD, NOTEBOOKS, ROOT, relative
from analysis.base.provenance import notebook_code
from analysis.base.results import Entry
from analysis.base.store import Store, load_results
from analysis.reporting.claims import paragraph_of, places, suggest
from analysis.reporting.embeds import cell_options, load_captions
from analysis.reporting.render import OUTPUTS, THESIS
from analysis.reporting.sources import SHORTCODE, Document, Shortcode, read_document

_MAX_ROWS = 12


def trace(key: str) -> str:
    """The way of one result: page, chapter line, store entry, notebook cell, function, data rows.

    Parameters
    ----------
    key : str
        A number's key in any of its forms, or the label of a table or figure.

    Raises
    ------
    ReportError
        No result has this key; similar ones are named.
    """
    store = load_results()
    base = store.base_key(key)
    if base not in store.entries:
        raise ReportError(
            f"No result has the key '{key}'.", [Problem("KEY", "unknown", suggest(key, list(store.entries)))]
        )
    entry = store.entries[base]
    document = read_document(THESIS)
    rows = [("value", _value(entry)), ("means", entry.meaning)]
    rows += [("page", line) for line in dict.fromkeys(_pages(document, entry, store))]
    rows += [("chapter", place) for place in dict.fromkeys(code.line.place for code in places(document, base, store))]
    rows.append(("store", f"{relative(BUILD / 'results' / entry.notebook / 'results.json')} ({entry.kind})"))
    rows.append(("origin", f"{entry.origin}: {entry.source}"))
    rows.append(("notebook", _cell(entry)))
    run = store.runs[entry.notebook]
    rows.append(("run with", ", ".join(f"{k}={v!r}" for k, v in run["parameters"].items()) or "no parameters"))
    if entry.function:
        rows.append(("function", f"{entry.function}  {_definition(entry.function)}"))
    rows += [("data", line) for line in _data_rows(entry)]
    return "\n".join([base, *(f"  {name:<9} {text}" for name, text in rows if text)])


def _value(entry: Entry) -> str:
    if entry.kind != "number":
        return entry.file
    interval = f" ({100 * (entry.confidence or 0):g}% CI {entry.interval_text})" if entry.interval_text else ""
    n = f", n = {entry.n}" if entry.n is not None else ""
    method = f"; {entry.method}" if entry.method else ""
    return f"{entry.text}{interval}{n}{method}"


def _pages(document: Document, entry: Entry, store: Store) -> Iterator[str]:
    """Pages of the PDF on which the passages stand, found by their words."""
    pdf = OUTPUTS["typst"]
    if not pdf.is_file():
        yield f"{relative(pdf)} has not been made yet (make report)"
        return
    from pypdf import PdfReader

    reader = PdfReader(pdf)
    variables = store.variables()

    @cache
    def letters_of(page: int) -> str:
        return _letters(reader.pages[page].extract_text())  # a tenth of a second: only the pages that are asked for

    # Captions stand in the lists of figures and tables first, in their own place last.
    backwards = range(len(reader.pages) - 1, -1, -1)
    for code in places(document, entry.key, store):
        if code.name == "embed":
            caption = load_captions(NOTEBOOKS / f"{entry.notebook}.ipynb").get(entry.key, "")
            patterns = [r"(?:figure|table)\d+" + re.escape(_letters(caption))]
        else:
            patterns = [re.escape(passage) for passage in _passages(document, code, variables)]
        hits = (page for pattern in patterns for page in backwards if re.search(pattern, letters_of(page)))
        found = next(hits, None)
        if found is None:
            yield f"not found in {relative(pdf)} (is it older than the chapter?)"
        else:
            yield f"{reader.page_labels[found]} (sheet {found + 1}) of {relative(pdf)}"


def _passages(document: Document, code: Shortcode, variables: dict[str, str]) -> list[str]:
    """Letters around one use, longest first, as they stand in the PDF."""
    before, after, seen = "", "", False
    for line in paragraph_of(document, code.line):
        text = line.text
        if line == code.line:
            head, _, tail = text.partition(code.text)
            before, after, seen = f"{before} {head}", tail, True
        elif seen:
            after += f" {text}"
        else:
            before += f" {text}"

    def printed(text: str) -> str:
        text = SHORTCODE.sub(lambda match: variables.get(match["arguments"].strip(), ""), text)
        # Citations and references print other words than they are written with: stop there.
        return _letters(re.sub(r"\]\([^)]*\)|\{[^}]*\}", "", text))

    left = printed(re.split(r"[\[@\]]", before)[-1])
    right = printed(re.split(r"[\[@\]]", after)[0])
    value = _letters(variables.get(code.arguments, ""))
    return [f"{left[-size:]}{value}{right[:size]}" for size in (60, 30, 15)]


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def _cell(entry: Entry) -> str:
    notebook = NOTEBOOKS / f"{entry.notebook}.ipynb"
    for number, source in enumerate(notebook_code(notebook), 1):
        found = cell_options(source).get("label") == entry.key
        line = next((text for text in source.splitlines() if f'"{entry.key}"' in text), "")
        if found or line:
            return f"{relative(notebook)}, code cell {number}: {line.strip()}"
    return relative(notebook)


def _definition(dotted: str) -> str:
    module, _, name = dotted.rpartition(".")
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        return ""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return f"({relative(path)}:{node.lineno})"
    return f"({relative(path)})"


def _data_rows(entry: Entry) -> Iterator[str]:
    for source, numbers in entry.rows.items():
        path = ROOT / source
        yield f"{source}, {len(numbers)} row{'s' if len(numbers) != 1 else ''}"
        lines = path.read_text(encoding="utf-8-sig").split("\n") if path.is_file() else []
        yield f"       1: {lines[0]}" if lines else "(missing)"
        for number in numbers[:_MAX_ROWS]:
            yield f"  {number:>6}: {lines[number - 1]}" if number <= len(lines) else f"  {number:>6}: (missing)"
        if len(numbers) > _MAX_ROWS:
            yield f"          … and {len(numbers) - _MAX_ROWS} more"
