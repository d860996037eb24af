"""From results and chapters to ``thesis.pdf`` and ``thesis.html``, by Quarto or by the offline engine."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from analysis.base.errors import Problem, ReportError
from analysis.base.paths import BUILD, REPORT, disk_errors, disk_full, relative, require_space, write_atomic
from analysis.base.store import Store, load_results
from analysis.reporting.appendix import (
    DICTIONARY,
    QUESTIONNAIRE,
    REQUIREMENTS_FORM,
    write_dictionary,
    write_numbers,
    write_questionnaire,
    write_requirements_form,
    write_variables,
)
from analysis.reporting.claims import check_claims
from analysis.reporting.constructs import check_constructs
from analysis.reporting.exposure_guard import guard_notebooks
from analysis.reporting.sources import Document, read_document

THESIS = REPORT / "thesis.qmd"
OUTPUTS = {"typst": BUILD / "thesis.pdf", "html": BUILD / "thesis.html"}
ENGINES = ("auto", "quarto", "offline")


def render(engine: str = "auto") -> dict[str, Path]:
    """Check every claim, then render the thesis; says which engine it took.

    Parameters
    ----------
    engine : {"auto", "quarto", "offline"}
        ``auto`` takes Quarto where one is found, else the offline engine.

    Returns
    -------
    dict
        ``"typst"`` → the PDF, ``"html"`` → the HTML edition.

    Raises
    ------
    ResultsError, ReportError, DiskFullError
        With every problem found; the outputs of an earlier run stay.
    """
    started = time.monotonic()
    if engine not in ENGINES:
        raise ReportError(
            f"No engine is called '{engine}'.", [Problem("ENGINE", "unknown", f"one of: {', '.join(ENGINES)}")]
        )
    quarto = find_quarto() if engine != "offline" else None
    if engine == "quarto" and quarto is None:
        raise ReportError(
            "No Quarto was found.", [Problem("", "not in QUARTO, PATH or the venv", "install it, or ENGINE=offline")]
        )
    require_space(BUILD)
    document, store = prepare_report()
    if quarto:
        name = f"Quarto {_output([str(quarto), '--version'])}"
        _render_quarto(quarto, document)
    else:
        from analysis.reporting.offline import render_offline

        name = f"the offline engine (pandoc {_pandoc_version()}, Typst {importlib.metadata.version('typst')})"
        render_offline(document, store.variables(), OUTPUTS, BUILD / "offline")
    print(
        f"{relative(OUTPUTS['typst'])} and .html by {name} in {time.monotonic() - started:.1f} s: "
        f"{len(store.entries)} results, all used and checked",
        file=sys.stderr,
    )
    return OUTPUTS


def prepare_report() -> tuple[Document, Store]:
    """Write what the report includes, read it, and check constructs and claims.

    Raises
    ------
    ResultsError, ReportError
        Every problem of the store, or every problem of the chapters.
    NotebookError
        Executed notebooks that show data of single persons.
    """
    store = load_results()
    write_variables(store)
    write_numbers(store)
    write_numbers_csv(store)
    if not DICTIONARY.is_file():
        write_dictionary()
    if not QUESTIONNAIRE.is_file():
        write_questionnaire()
    if not REQUIREMENTS_FORM.is_file():
        write_requirements_form()
    guard_notebooks(store)
    document = read_document(THESIS)
    problems = check_constructs(document) + check_claims(document, store)
    if problems:
        raise ReportError("The report claims what the results do not hold, or cannot be rendered.", problems)
    return document, store


def write_numbers_csv(store: Store, path: Path = BUILD / "numbers.csv") -> Path:
    """Write every number of the thesis as one CSV, ordered by key."""
    text = io.StringIO()
    facts = ["key", "text", "value", "low", "high", "confidence", "n", "unit", "origin", "method", "notebook"]
    names = [*facts, "tolerance"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for entry in sorted(store.entries.values(), key=lambda entry: entry.key):
        if entry.kind == "number":
            writer.writerow(["" if (value := getattr(entry, name)) is None else value for name in names])
    return write_atomic(path, text.getvalue())


def find_quarto() -> Path | None:
    """Quarto from the variable ``QUARTO``, the ``PATH``, or the venv; None where there is none.

    Raises
    ------
    ReportError
        ``QUARTO`` is set and names no program.
    """
    named = os.environ.get("QUARTO", "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise ReportError(
                "QUARTO names no program.", [Problem("QUARTO", f"'{named}' cannot be run", "correct or unset it")]
            )
        return Path(found)
    found = shutil.which("quarto") or shutil.which("quarto", path=str(Path(sys.executable).parent))
    return Path(found) if found else None


def _render_quarto(quarto: Path, document: Document) -> None:
    """Stock Quarto on the project as it is; its outputs are then moved into place."""
    folder = document.path.parent
    done = subprocess.run(
        [str(quarto), "render", document.path.name], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        tail = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-12:]
        if any("No space left" in line for line in tail):
            raise disk_full(BUILD)
        raise ReportError(
            "Quarto could not render the report.", [Problem(relative(document.path), "\n    ".join(tail))]
        )
    with disk_errors(BUILD):
        for to, suffix in (("html", ".html"), ("typst", ".pdf")):  # the PDF last: make looks at its time
            write_atomic(OUTPUTS[to], (BUILD / "quarto" / f"{document.path.stem}{suffix}").read_bytes())


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _pandoc_version() -> str:
    import pypandoc

    return str(pypandoc.get_pandoc_version())
