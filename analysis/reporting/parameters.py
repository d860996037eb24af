"""The parameters that a notebook declares: their types, and whether setting them changes anything.

A notebook declares its parameters in the one code cell tagged ``parameters``. Papermill inserts the
values given to it in a cell after that one, so a parameter is only sound if its default is a plain
value, a later cell reads it, and none assigns it again.
"""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.base.errors import NotebookError, Problem
from analysis.base.paths import relative

_UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter: its name, annotation and default."""

    name: str
    annotation: ast.expr | None
    default: Any
    line: int

    @property
    def literal(self) -> bool:
        """Whether the default is a plain value; a computed one would not follow what it was computed from."""
        return self.default is not _UNKNOWN

    @property
    def expected(self) -> str:
        """The type asked for, in words.

        >>> [parameter.expected for parameter in parse_parameters("n: int | None = None\\nname = 'a'").values()]
        ['int | None', 'str']
        """
        if self.annotation is not None:
            return ast.unparse(self.annotation)
        return "anything" if self.default in (None, _UNKNOWN) else type(self.default).__name__

    def accepts(self, value: Any) -> bool:
        """Whether a profile may give ``value``; a bool is no int, an int is good for a float.

        >>> rate = parse_parameters("rate: float = 0.5")["rate"]
        >>> rate.accepts(1), rate.accepts(True), rate.accepts("0.9")
        (True, False, False)
        """
        fits = _fits_annotation(value, self.annotation) if self.annotation is not None else None
        if fits is None and self.default not in (None, _UNKNOWN):
            fits = _fits_name(value, type(self.default).__name__)
        return fits is not False


@dataclass(frozen=True, slots=True)
class CodeCell:
    """A code cell: its number among the code cells (from 1), source, tags and syntax tree."""

    number: int
    source: str
    tags: tuple[str, ...]
    tree: ast.Module


def nearest(name: str, known: Iterable[str]) -> Problem:
    """The names that there are, and the one that was probably meant.

    >>> print(nearest("confidenze", ["confidence", "seed"]))
    known: confidence, seed
        → did you mean 'confidence'?
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return Problem("", f"known: {', '.join(known) or 'none'}", f"did you mean '{close[0]}'?" if close else "")


def code_cells(notebook: Path) -> list[CodeCell]:
    """Parsed code cells.

    Raises
    ------
    NotebookError
        No such file, not a notebook, or a cell that is not plain Python (a ``%magic``, for instance).
    """
    name = relative(notebook)
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        raw = [cell for cell in cells if cell["cell_type"] == "code"]
        sources = ["".join(cell["source"]) for cell in raw]
    except FileNotFoundError:
        others = (found.stem for found in notebook.parent.glob("*.ipynb"))
        raise NotebookError(f"There is no notebook {name}.", [nearest(notebook.stem, others)]) from None
    except (ValueError, KeyError, TypeError) as error:
        raise NotebookError(f"{name} is not a readable notebook.", [Problem(name, str(error) or "damaged")]) from None
    parsed, problems = [], []
    for number, (cell, source) in enumerate(zip(raw, sources, strict=True), start=1):
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            where, line = f"{name}, code cell {number}, line {error.lineno}", (error.text or "").strip()
            problems.append(Problem(where, f"{error.msg}: {line}", "write plain Python"))
            continue
        parsed.append(CodeCell(number, source, tuple(cell.get("metadata", {}).get("tags", ())), tree))
    if problems:
        raise NotebookError(f"{name} holds code that is not Python.", problems)
    return parsed


def parameters_cell(notebook: Path, cells: list[CodeCell]) -> CodeCell | None:
    """The code cell tagged ``parameters``, or None.

    Raises
    ------
    NotebookError
        More than one cell is tagged so; papermill would use the first and ignore the others.
    """
    tagged = [cell for cell in cells if "parameters" in cell.tags]
    if len(tagged) > 1:
        numbers = ", ".join(str(cell.number) for cell in tagged)
        raise NotebookError(
            f"{relative(notebook)} has more than one parameters cell.",
            [Problem(relative(notebook), f"code cells {numbers} are tagged 'parameters'", "keep one")],
        )
    return tagged[0] if tagged else None


def parse_parameters(source: str) -> dict[str, Parameter]:
    """Parameters declared by the source of a parameters cell: every top-level assignment to a name."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names, annotation = [node.target.id], node.annotation
        elif isinstance(node, ast.Assign):
            names, annotation = [target.id for target in node.targets if isinstance(target, ast.Name)], None
        else:
            continue
        for name in names:
            found[name] = Parameter(name, annotation, _literal(node.value), node.lineno)
    return found


def _literal(node: ast.expr | None) -> Any:
    try:
        return _UNKNOWN if node is None else ast.literal_eval(node)
    except (ValueError, TypeError):
        return _UNKNOWN


def declared_parameters(notebook: Path) -> dict[str, Parameter]:
    """Parameters that a notebook declares, by name; none without a parameters cell."""
    cell = parameters_cell(notebook, code_cells(notebook))
    return parse_parameters(cell.source) if cell else {}


def parameter_problems(notebook: Path, cells: list[CodeCell]) -> Iterator[Problem]:
    """Parameters that would not do what they say."""
    cell = parameters_cell(notebook, cells)
    if cell is None:
        return
    later = [other for other in cells if other.number > cell.number]
    record = parameters_record(cells)
    read = {name for other in later for name in _names(other.tree, ast.Load, record)}
    for parameter in parse_parameters(cell.source).values():
        where = f"{relative(notebook)}, parameter '{parameter.name}'"
        if parameter.name not in read:
            yield Problem(where, "no later cell reads it, so setting it changes nothing", "use it, or remove it")
        if not parameter.literal:
            yield Problem(where, "its default is not a plain value", "give one, and compute in a later cell")
        for other in later:
            if parameter.name in _names(other.tree, ast.Store):
                what = f"code cell {other.number} assigns it again, so the profile's value is lost"
                yield Problem(where, what, "give the new value another name")


def _names(tree: ast.AST, context: type[ast.expr_context], record: ast.expr | None = None) -> set[str]:
    """Names loaded or stored, those in ``record`` aside: what only goes on record is not read."""
    names, queue = set(), [tree]
    while queue:
        node = queue.pop()
        if node is record:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            names.add(node.id)
        queue += ast.iter_child_nodes(node)
    return names


def parameters_record(cells: list[CodeCell]) -> ast.expr | None:
    """What the notebook hands to ``Results(…, parameters=…)``; a name is followed to its assignment."""
    nodes = [node for cell in cells for node in ast.walk(cell.tree)]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    call = next((node for node in calls if ast.unparse(node.func).split(".")[-1] == "Results"), None)
    if call is None:
        return None
    given = [keyword.value for keyword in call.keywords if keyword.arg == "parameters"] or call.args[1:2]
    if given and isinstance(given[0], ast.Name):
        named = ast.unparse(given[0])
        given = [n.value for n in nodes if isinstance(n, ast.Assign) and named in map(ast.unparse, n.targets)]
    return given[0] if given else None


_TYPES: Mapping[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "list": (list,),
    "List": (list,),
    "Sequence": (list,),
    "dict": (dict,),
    "Dict": (dict,),
    "Mapping": (dict,),
    "tuple": (tuple,),
    "NoneType": (type(None),),
}


def _fits_name(value: Any, name: str) -> bool | None:
    """Whether a value is of the type called ``name``; None where that cannot be told."""
    if name not in _TYPES:
        return None
    return type(value) in _TYPES[name]


def _fits_annotation(value: Any, node: ast.expr) -> bool | None:
    """Whether a value fits an annotation; None where that cannot be told."""
    match node:
        case ast.Constant(value=None):
            return value is None
        case ast.Constant(value=str() as text):
            return _fits_annotation(value, ast.parse(text, mode="eval").body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _any(_fits_annotation(value, left), _fits_annotation(value, right))
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _fits_name(value, name)
        case ast.Subscript(value=ast.Name(id=base) | ast.Attribute(attr=base), slice=inner):
            return _fits_generic(value, base, inner.elts if isinstance(inner, ast.Tuple) else [inner])
    return None


def _fits_generic(value: Any, base: str, inner: list[ast.expr]) -> bool | None:
    if base == "Literal":
        return any(type(value) is type(choice) and value == choice for choice in map(_literal, inner))
    if base == "Optional":
        return value is None or _fits_annotation(value, inner[0])
    if base == "Union":
        return _any(*(_fits_annotation(value, part) for part in inner))
    fits = _fits_name(value, base)
    if fits and isinstance(value, list):
        return all(_fits_annotation(item, inner[0]) is not False for item in value)
    if fits and isinstance(value, dict) and len(inner) == 2:
        return all(
            _fits_annotation(key, inner[0]) is not False and _fits_annotation(item, inner[1]) is not False
            for key, item in value.items()
        )
    return fits


def converted(value: Any, parameter: Parameter) -> Any:
    """The value as the notebook expects it: an int becomes a float where a float is asked for."""
    names = {type(parameter.default).__name__}
    if parameter.annotation is not None:
        names = {node.id for node in ast.walk(parameter.annotation) if isinstance(node, ast.Name)}
    return float(value) if type(value) is int and "float" in names and "int" not in names else value


def _any(*fits: bool | None) -> bool | None:
    return True if True in fits else None if None in fits else False
