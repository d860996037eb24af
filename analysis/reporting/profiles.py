"""Profiles: which values the notebooks' parameters take in a run; checked before anything runs.

A profile (``notebooks/profiles/quick.yaml``) gives values to some parameters of some notebooks::

    cell_timeout_s: 300
    02_survey:
      confidence: 0.95

Papermill by itself only warns about a name that the notebook does not declare, takes any type, and
cannot tell a parameter that nothing reads. All three are errors here: each is a run that looks
like one thing and is another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import NotebookError, Problem
from analysis.base.paths import NOTEBOOKS, relative
from analysis.reporting.parameters import (
    Parameter,
    code_cells,
    converted,
    declared_parameters,
    nearest,
    parameter_problems,
)

CELL_TIMEOUT_S = 600.0
"""A cell that runs longer is taken for hung, unless the profile says otherwise."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Parameter values by notebook stem, and how long a cell may take."""

    path: Path
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cell_timeout_s: float = CELL_TIMEOUT_S
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    def where(self, *keys: str) -> str:
        """File and line of an entry."""
        return f"{relative(self.path)}:{self.lines.get(keys, 1)}"


def load_profile(path: Path, notebooks: Path = NOTEBOOKS) -> Profile:
    """Read a profile and check it against every notebook that it names.

    Parameters
    ----------
    path : Path
        YAML: notebook stem → parameters, and optionally ``cell_timeout_s``.
    notebooks : Path
        Folder of the notebooks.

    Raises
    ------
    NotebookError
        No such file, not YAML of this form, a repeated or unknown key, an undeclared parameter, or
        a value of the wrong type; all listed, by line.
    """
    name = relative(path)
    if not path.is_file():
        others = (found.stem for found in path.parent.glob("*.yaml"))
        raise NotebookError(f"There is no profile {name}.", [nearest(path.stem, others)])
    try:
        text = path.read_text(encoding="utf-8")
        content, root = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise NotebookError(f"{name} is not valid YAML.", [Problem(where, what, "check the indentation")]) from None
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise NotebookError(
            f"{name} has the wrong form.", [Problem(name, "expected lines such as '02_survey:'", "see quick.yaml")]
        )
    lines: dict[tuple[str, ...], int] = {}
    problems = list(_key_lines(root, (), lines, name))
    timeout = content.pop("cell_timeout_s", CELL_TIMEOUT_S)
    profile = Profile(
        path, {stem: {} if values is None else values for stem, values in content.items()}, timeout, lines
    )
    if type(timeout) not in (int, float) or not 0 < timeout < float("inf"):
        problems.append(Problem(profile.where("cell_timeout_s"), f"expected seconds above zero, got {timeout!r}"))
    known = {found.stem: found for found in sorted(notebooks.glob("*.ipynb"))}
    for stem, values in profile.values.items():
        if stem not in known:
            near = nearest(str(stem), known)
            problems.append(Problem(profile.where(stem), f"no notebook is called '{stem}'; {near.what}", near.remedy))
        elif not isinstance(values, dict):
            problems.append(Problem(profile.where(stem), f"expected 'parameter: value' lines, got {values!r}"))
        else:
            problems += _value_problems(profile, stem, declared_parameters(known[stem]))
    if problems:
        raise NotebookError(f"{name} does not fit the notebooks.", problems)
    return profile


def _key_lines(
    node: yaml.Node | None, prefix: tuple[str, ...], lines: dict[tuple[str, ...], int], name: str
) -> Iterator[Problem]:
    """Note the line of every key, two levels deep; a repeated key is a problem (YAML keeps the last)."""
    if not isinstance(node, yaml.MappingNode) or len(prefix) > 1:
        return
    for key, value in node.value:
        path, line = (*prefix, key.value), key.start_mark.line + 1
        if path in lines:
            yield Problem(f"{name}:{line}", f"'{key.value}' is already given in line {lines[path]}", "keep one")
        lines[path] = line
        yield from _key_lines(value, path, lines, name)


def _value_problems(profile: Profile, stem: str, declared: Mapping[str, Parameter]) -> Iterator[Problem]:
    for name, value in profile.values[stem].items():
        where = profile.where(stem, str(name))
        if name not in declared:
            near = nearest(str(name), declared)
            yield Problem(where, f"{stem} declares no parameter '{name}'; {near.what}", near.remedy)
        elif not declared[name].accepts(value):
            got = f"{value!r} ({type(value).__name__})"
            yield Problem(where, f"'{name}' of {stem} expected {declared[name].expected}, got {got}", _type_hint(value))


def _type_hint(value: Any) -> str:
    if isinstance(value, str):
        try:
            float(value)
            return "write the number without quotes, with a decimal point before any exponent (1.0e-3)"
        except ValueError:
            return "correct the value"
    return "put it in quotes" if hasattr(value, "isoformat") else "correct the value"


def check_parameters(notebook: Path, profile: Profile) -> dict[str, Any]:
    """Values to hand to papermill for this notebook, from a profile that `load_profile` has checked.

    Returns
    -------
    dict
        The profile's values, ints made floats where the notebook asks for a float.

    Raises
    ------
    NotebookError
        A parameter that no later cell reads, that a later cell assigns again, or whose default is
        not a plain value; all listed.
    """
    problems = list(parameter_problems(notebook, code_cells(notebook)))
    if problems:
        raise NotebookError(f"The parameters of {relative(notebook)} are not sound.", problems)
    declared = declared_parameters(notebook)
    return {name: converted(value, declared[name]) for name, value in profile.values.get(notebook.stem, {}).items()}
