"""What a notebook of the workbench looks like, so that a student can read it and a reviewer can trust it.

Question in prose → one commented ``parameters`` cell → imports → load → call → show → interpret →
save. All logic lives in ``analysis/``: a notebook may pick and count rows, add and subtract counts,
and print a share as a percentage; nothing more. It is committed without outputs, and its prose holds
no number that a cell could have computed.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import NotebookError, Problem
from analysis.base.paths import relative
from analysis.base.schemas import TABLES
from analysis.reporting.claims import check_typed
from analysis.reporting.embeds import cell_options
from analysis.reporting.parameters import (
    CodeCell,
    code_cells,
    parameter_problems,
    parameters_cell,
    parameters_record,
    parse_parameters,
)
from analysis.reporting.sources import Document, Line

KERNELSPEC = {"name": "devops-mlops-workbench", "display_name": "DevOps–MLOps workbench", "language": "python"}

IMPORTS = frozenset({"analysis", "pandas", "pathlib", "IPython"})
"""Packages that a notebook may import; pandas for joining and picking rows."""

_LOGIC: dict[type[ast.AST], str] = {
    ast.FunctionDef: "a function",
    ast.AsyncFunctionDef: "a function",
    ast.ClassDef: "a class",
    ast.Lambda: "a lambda",
    ast.For: "a loop",
    ast.AsyncFor: "a loop",
    ast.While: "a loop",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.Try: "error handling",
    ast.AugAssign: "a running sum",
}
_FORMULAS = (ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.Mult, ast.MatMult)
_STATISTICS = re.compile(
    "mean|median|mode|std|var|sem|quantile|describe|corr|cov|skew|kurt|groupby|agg|aggregate|apply|transform|pivot"
    "|pivot_table|crosstab|value_counts|rolling|rank|cumsum|cumprod|prod|div|mul|pow"
)
_FILES = re.compile("open|savefig|(read|write)_(text|bytes)|(read|to)_(csv|excel|json|parquet|pickle|feather|sql)")
_HIDDEN = re.compile("map|filter|eval|exec|globals|locals|input|__import__")


@dataclass(frozen=True, slots=True)
class _Notebook:
    path: Path
    raw: dict[str, Any]
    code: list[CodeCell]

    @property
    def stores(self) -> bool:
        """Whether it opens a results store."""
        return any(True for _ in self.calls("Results"))

    @property
    def cells(self) -> list[tuple[dict[str, Any], str]]:
        """Every cell with its source."""
        return [(cell, "".join(cell["source"])) for cell in self.raw["cells"]]

    def calls(self, *names: str) -> Iterator[tuple[CodeCell, ast.Call]]:
        """Calls of a function or method of one of these names, with their cell."""
        for cell in self.code:
            for node in ast.walk(cell.tree):
                if isinstance(node, ast.Call) and _called(node) in names:
                    yield cell, node

    def problem(self, cell: CodeCell | None, what: str, remedy: str = "") -> Problem:
        place = relative(self.path)
        return Problem(f"{place}, code cell {cell.number}" if cell else place, what, remedy)


def check_notebook(path: Path) -> list[Problem]:
    """Every departure from the rules, in the order of the rules.

    Raises
    ------
    NotebookError
        Not a notebook, or a cell that is not plain Python.
    """
    notebook = _Notebook(path, json.loads(path.read_text(encoding="utf-8")), code_cells(path))
    rules = [_check_file, _check_opening, _check_parameters, _check_imports, _check_thinness, _check_tables]
    rules += [_check_results, _check_labels, _check_interpretation] if notebook.stores else []
    return [problem for rule in [*rules, _check_prose] for problem in rule(notebook)]


def require_rules(path: Path) -> None:
    """Raise `NotebookError` with everything that `check_notebook` finds."""
    if problems := check_notebook(path):
        raise NotebookError(f"{relative(path)} breaks the notebook rules.", problems)


def _called(node: ast.Call) -> str:
    """Name of the function or method called; empty for a call of an expression."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _check_file(notebook: _Notebook) -> Iterator[Problem]:
    """nbformat 4.5 with unique cell ids, the project's kernel, and nothing that a run leaves behind."""
    raw = notebook.raw
    if (raw.get("nbformat"), raw.get("nbformat_minor")) < (4, 5):
        yield notebook.problem(None, "it is older than nbformat 4.5", "open and save it in JupyterLab")
    if raw["metadata"].get("kernelspec") != KERNELSPEC:
        got = raw["metadata"].get("kernelspec", {}).get("name", "none")
        yield notebook.problem(None, f"its kernel is '{got}'", f"choose '{KERNELSPEC['display_name']}' (make setup)")
    ids = [cell.get("id") for cell in raw["cells"]]
    if None in ids or len(set(ids)) < len(ids):
        yield notebook.problem(None, "cells without an id of their own", "open and save it in JupyterLab")
    number = 0
    for cell, _ in notebook.cells:
        if cell["cell_type"] == "code":
            number += 1
            if cell.get("outputs") or cell.get("execution_count"):
                where = f"{relative(notebook.path)}, code cell {number}"
                yield Problem(where, "it is saved with its output", f"nbstripout {relative(notebook.path)}")


def _check_opening(notebook: _Notebook) -> Iterator[Problem]:
    """A title, and the question in prose before any code."""
    sources = [(cell["cell_type"], source.strip()) for cell, source in notebook.cells]
    opening = []
    for kind, source in sources:
        if kind != "markdown":
            break
        opening.append(source)
    text = "\n".join(opening)
    if not text.startswith("# "):
        yield notebook.problem(None, "the first cell is not a title", "start with '# …'")
    if "?" not in text:
        yield notebook.problem(None, "no question is asked before the code", "say in prose what the notebook asks")


def _check_parameters(notebook: _Notebook) -> Iterator[Problem]:
    """One parameters cell, first of the code; each parameter typed, explained, and read later."""
    cell = parameters_cell(notebook.path, notebook.code)
    if cell is None:
        if notebook.stores:
            yield notebook.problem(None, "no code cell is tagged 'parameters'", "tag one, in the cell's properties")
        return
    if cell.number > 2:
        yield notebook.problem(cell, "the parameters cell is not at the top", "move it up, beside the imports")
    tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline)
    comments = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    for parameter in parse_parameters(cell.source).values():
        if parameter.annotation is None:
            yield notebook.problem(cell, f"'{parameter.name}' has no type", f"write {parameter.name}: float = …")
        if not comments & {parameter.line, parameter.line - 1}:
            yield notebook.problem(cell, f"'{parameter.name}' is not explained", "say in a comment what it means")
    for node in cell.tree.body:
        if not isinstance(node, ast.AnnAssign | ast.Assign):
            yield notebook.problem(cell, f"line {node.lineno} is no parameter", "keep only 'name: type = value' lines")
    yield from parameter_problems(notebook.path, notebook.code)


def _check_imports(notebook: _Notebook) -> Iterator[Problem]:
    """All imports in one cell at the top, from ``analysis`` and little else."""
    plain = [cell.number for cell in notebook.code if "parameters" not in cell.tags]
    first = min(plain, default=1)
    for cell in notebook.code:
        for node in ast.walk(cell.tree):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            if cell.number != first:
                yield notebook.problem(cell, f"imports in line {node.lineno}", f"move them up to code cell {first}")
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for name in names:
                if name.split(".")[0] not in IMPORTS:
                    yield notebook.problem(cell, f"imports {name}", "put what needs it into analysis/")


def _check_thinness(notebook: _Notebook) -> Iterator[Problem]:
    """No logic, arithmetic, statistics or file access of its own."""
    for cell in notebook.code:
        for node in ast.walk(cell.tree):
            what, remedy = "", "make it a function in analysis/, with a test"
            if type(node) in _LOGIC:
                what = f"{_LOGIC[type(node)]} of its own"
            elif isinstance(node, ast.BinOp) and _is_formula(node):
                what = f"a formula of its own: {ast.unparse(node)}"
            elif isinstance(node, ast.Call) and _STATISTICS.fullmatch(_called(node)):
                what = f"a statistic of its own: .{_called(node)}()"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and _HIDDEN.fullmatch(node.func.id):
                what = f"a hidden loop or program: {node.func.id}()"
            elif isinstance(node, ast.Call) and _FILES.fullmatch(_called(node)):
                what, remedy = f"reads or writes a file: {_called(node)}()", "use load_table, and results to store"
            if what:
                yield notebook.problem(cell, f"line {node.lineno}: {what}", remedy)


def _is_formula(node: ast.BinOp) -> bool:
    """Division, multiplication and powers, but for ``100 * share`` and ``folder / "name"``."""
    operands = [part.value for part in (node.left, node.right) if isinstance(part, ast.Constant)]
    percentage = isinstance(node.op, ast.Mult) and operands == [100]
    path = isinstance(node.op, ast.Div) and any(isinstance(operand, str) for operand in operands)
    return isinstance(node.op, _FORMULAS) and not percentage and not path


def _check_tables(notebook: _Notebook) -> Iterator[Problem]:
    """Tables are loaded by their literal name: make reads from it what the notebook depends on."""
    for cell, call in notebook.calls("load_table"):
        name = call.args[0] if call.args else None
        if not isinstance(name, ast.Constant):
            yield notebook.problem(cell, "load_table is not given a literal file name", "write it out")
        elif name.value not in TABLES:
            yield notebook.problem(cell, f"load_table of an unknown table '{name.value}'", "see analysis/base/schemas")


def _check_results(notebook: _Notebook) -> Iterator[Problem]:
    """The store is opened once under the notebook's name with all its parameters, and saved at the end."""
    opened = list(notebook.calls("Results"))
    for cell, _ in opened[1:]:
        yield notebook.problem(cell, "opens a second results store", "keep one")
    cell, call = opened[0]
    name = call.args[0] if call.args else None
    if not isinstance(name, ast.Constant) or name.value != notebook.path.stem:
        yield notebook.problem(cell, "the results store has another name", f"write Results('{notebook.path.stem}', …)")
    declared = parameters_cell(notebook.path, notebook.code)
    wanted = {f"'{parameter}': {parameter}" for parameter in parse_parameters(declared.source)} if declared else set()
    given = parameters_record(notebook.code)
    pairs = zip(given.keys, given.values, strict=True) if isinstance(given, ast.Dict) else ()
    recorded = {f"{ast.unparse(key)}: {ast.unparse(value)}" for key, value in pairs if key is not None}
    if recorded != wanted:
        remedy = f"write parameters={{{', '.join(sorted(wanted))}}}"
        yield notebook.problem(cell, "the record of its parameters is not the parameters cell", remedy)
    saves = [cell.number for cell, call in notebook.calls("save") if ast.unparse(call) == "results.save()"]
    if saves != [notebook.code[-1].number] or notebook.code[-1].source.strip() != "results.save()":
        yield notebook.problem(None, "results.save() is not the whole of the last code cell", "save once, at the end")


def _check_labels(notebook: _Notebook) -> Iterator[Problem]:
    """A stored table or figure is the last expression of a cell with its label and captions."""
    seen: set[str] = set()
    for cell in notebook.code:
        try:
            options = cell_options(cell.source)
        except yaml.YAMLError:
            yield notebook.problem(cell, "its '#|' lines are not YAML", "put the caption in double quotes")
            continue
        label = str(options.get("label", ""))
        if label and label in seen:
            yield notebook.problem(cell, f"the label '{label}' is used twice", "rename one")
        seen.add(label)
        stored = [call for other, call in notebook.calls("table", "figure") if other is cell and _on_results(call)]
        if not stored and label.startswith(("fig-", "tbl-")):
            yield notebook.problem(cell, f"'{label}' is not stored", "end with results.figure or results.table")
        if len(stored) > 1:
            yield notebook.problem(cell, "stores more than one table or figure", "one a cell")
        for call in stored[:1]:
            last = cell.tree.body[-1]
            if not (isinstance(last, ast.Expr) and last.value is call):
                yield notebook.problem(cell, f"results.{_called(call)}(…) is not its last expression", "move it down")
            key = ast.literal_eval(call.args[0]) if call.args and isinstance(call.args[0], ast.Constant) else None
            if key != label:
                yield notebook.problem(cell, f"stores '{key}' under the label '{label}'", f"write #| label: {key}")
            needed = ("tbl-cap",) if _called(call) == "table" else ("fig-cap", "fig-alt")
            for option in needed:
                if not str(options.get(option) or "").strip():
                    yield notebook.problem(cell, f"'{key}' has no {option}", f'add #| {option}: "…"')


def _on_results(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "results"


def _check_interpretation(notebook: _Notebook) -> Iterator[Problem]:
    """What is shown in a section is interpreted in prose before the next heading."""
    shown = ""
    for cell, source in [*notebook.cells, ({"cell_type": "markdown"}, "# end")]:
        label = re.match(r"#\| label: ((?:fig|tbl)-\S+)", source)
        if cell["cell_type"] == "code":
            shown = label[1] if label else shown
        else:
            if shown and source.lstrip().startswith("#"):
                what = f"'{shown}' is not followed by an interpretation"
                yield notebook.problem(None, what, "say in prose what it shows, before the next heading")
            shown = ""


def _check_prose(notebook: _Notebook) -> Iterator[Problem]:
    """No statistic typed by hand in prose or captions: the next run would not correct it."""
    for cell, source in notebook.cells:
        texts, fenced = source.splitlines(), False
        if cell["cell_type"] == "code":
            texts = [line for line in texts if line.startswith("#|") and "label:" not in line]
        lines = []
        for number, text in enumerate(texts, start=1):
            fence = text.startswith("```")
            lines.append(Line(text, notebook.path, number, code=fenced or fence))
            fenced ^= fence
        for problem in check_typed(Document(notebook.path, {}, (), tuple(lines))):
            where = f"{relative(notebook.path)}, cell '{cell.get('id', '')}'"
            yield Problem(where, problem.what, "store it, and let the thesis print it")
