"""Read the results store back: every notebook's results, checked to be whole and fresh."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.base import provenance
from analysis.base.errors import Problem, ResultsError
from analysis.base.paths import BUILD, NOTEBOOKS, relative
from analysis.base.results import FORMS, Entry, canonical, content_digest


@dataclass(frozen=True, slots=True)
class Store:
    """All saved results, checked: entries by key, and the run record of each notebook."""

    entries: Mapping[str, Entry]
    runs: Mapping[str, Mapping[str, Any]]

    def variables(self) -> dict[str, str]:
        """Every key that the prose may use, with what it prints."""
        return {
            form: text
            for entry in self.entries.values()
            if entry.kind == "number"
            for form, text in entry.variants().items()
        }

    def base_key(self, form: str) -> str:
        """The entry key behind a form: ``a.b_ci`` → ``a.b``."""
        if form in self.entries:
            return form
        return next(
            (form.removesuffix(v) for v in FORMS if form.endswith(v) and form.removesuffix(v) in self.entries), form
        )


def load_results(folder: Path = BUILD / "results", notebooks: Path = NOTEBOOKS) -> Store:
    """Read the results of every notebook and check that they are whole and fresh.

    A results file that was edited or is damaged is set aside (``results.json.rejected``), so that
    the next ``make report`` runs its notebook again.

    Raises
    ------
    ResultsError
        Missing, damaged, edited or stale results, or a key stored by two notebooks; all listed.
    """
    entries: dict[str, Entry] = {}
    runs: dict[str, Mapping[str, Any]] = {}
    problems: list[Problem] = []
    for notebook in provenance.report_notebooks(notebooks):
        path = folder / notebook.stem / "results.json"
        if not path.is_file():
            problems.append(Problem(relative(path), f"{notebook.name} has no results", "run: make report"))
            continue
        record, fault = _read_record(path)
        if fault:
            path.replace(path.with_name("results.json.rejected"))
            problems.append(
                Problem(
                    relative(path), f"{fault}; the file was set aside", "run: make report (the notebook runs again)"
                )
            )
            continue
        problems += _stale(record, notebook, path)
        runs[notebook.stem] = {k: v for k, v in record.items() if k != "entries"}
        for key, values in record["entries"].items():
            if key in entries:
                problems.append(
                    Problem(key, f"stored by {entries[key].notebook} and by {notebook.stem}", "keep it in one notebook")
                )
            entries[key] = Entry(**values)
    if problems:
        raise ResultsError("The results store is not fit to print from.", problems)
    return Store(entries, runs)


def _read_record(path: Path) -> tuple[dict[str, Any], str]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if content_digest(canonical(record["entries"])) != record["entries_digest"]:
            return {}, "its entries are not those that the notebook stored (edited by hand?)"
        for name, digest in record["files"].items():
            file = path.with_name(name)
            if not file.is_file() or content_digest(file.read_bytes()) != digest:
                return {}, f"{name} is missing or not what the notebook stored"
        return record, ""
    except (ValueError, KeyError, TypeError) as error:
        return {}, f"damaged ({error})"


def _stale(record: Mapping[str, Any], notebook: Path, path: Path) -> list[Problem]:
    now = provenance.dependencies(notebook)
    then = record["digests"]
    changed = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    if not changed:
        return []
    return [Problem(relative(path), f"stale: changed since the notebook ran: {', '.join(changed)}", "run: make report")]
