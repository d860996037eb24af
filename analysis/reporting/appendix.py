"""Generated appendices: where each number comes from, the data dictionary, the questionnaire, and the form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analysis.base.markdown import pipe_table
from analysis.base.paths import BUILD, NOTEBOOKS, REPORT, write_atomic
from analysis.base.results import Entry
from analysis.base.store import Store
from analysis.reporting.embeds import load_captions

NUMBERS = BUILD / "generated" / "_numbers.qmd"
DICTIONARY = BUILD / "generated" / "_data_dictionary.qmd"
QUESTIONNAIRE = BUILD / "generated" / "_questionnaire.qmd"
REQUIREMENTS_FORM = BUILD / "generated" / "_requirements_form.qmd"

_ORIGIN_WORDS = {
    "published": "a fact from the literature, cited, or computed from such facts",
    "measured": "really run, with machine and device",
    "simulated": "drawn from a model",
    "reconstructed": "rebuilt from published figures that contradict each other",
    "demo": "made up for teaching; no finding",
}
_TYPE_WORDS = {
    "string": "text",
    "str": "text",
    "string[python]": "text",
    "Int64": "integer",
    "Float64": "number",
    "boolean": "yes or no",
}


def write_numbers(store: Store, path: Path = NUMBERS) -> Path:
    """Write the appendix that lists every number, table and figure with origin and source.

    One section a notebook: what it ran with, then its numbers, tables and figures.
    """
    parts = [_legend(store)]
    for stem, run in sorted(store.runs.items()):
        entries = [entry for entry in store.entries.values() if entry.notebook == stem]
        parts.append(f"## Notebook `{stem}` {{.unnumbered .unlisted}}\n\n{_run_line(run)}")
        numbers = sorted((entry for entry in entries if entry.kind == "number"), key=lambda entry: entry.key)
        shown = sorted((entry for entry in entries if entry.kind != "number"), key=lambda entry: entry.key)
        if numbers:
            parts.append(
                pipe_table(
                    ("Printed", "What it says and its key", "Source"), [_number_row(e) for e in numbers], (16, 46, 38)
                )
            )
        if shown:
            captions = load_captions(NOTEBOOKS / f"{stem}.ipynb")
            parts.append(
                pipe_table(("Label", "What it shows", "Source"), [_shown_row(e, captions) for e in shown], (26, 34, 40))
            )
    return write_atomic(path, "\n\n".join(parts) + "\n")


def write_dictionary(path: Path = DICTIONARY) -> Path:
    """Write the data dictionary from the schemas: one section a table, one row a column."""
    from analysis.base.schemas import TABLES

    parts = []
    for file, spec in sorted(TABLES.items()):
        rows = []
        for name, column in spec.columns.items():
            metadata = column.metadata or {}
            allowed = ", ".join(metadata.get("allowed", ()))
            bounds = _bounds(metadata)
            notes = [
                column.description or "",
                f"Unit: {metadata['unit']}." if metadata.get("unit") else "",
                f"One of: {allowed}." if allowed else "",
                bounds,
                "May be empty." if column.nullable else "",
                "Key." if name in spec.key else "",
                f"Refers to `{'`, column `'.join(spec.references[name])}`." if name in spec.references else "",
            ]
            rows.append(
                (
                    f"`{name}`",
                    _TYPE_WORDS.get(str(column.dtype), str(column.dtype)),
                    " ".join(note.rstrip(".") + "." if note else "" for note in notes),
                )
            )
        parts.append(
            f"## {spec.title.rstrip('.')} (`data/{file}`) {{.unnumbered .unlisted}}\n\n"
            + pipe_table(("Column", "Type", "Meaning"), rows, (26, 12, 62))
        )
    return write_atomic(path, "\n\n".join(parts) + "\n")


def write_questionnaire(path: Path = QUESTIONNAIRE) -> Path:
    """Write the practitioner questionnaire as it would be printed."""
    from analysis.survey.forms import build_page
    from analysis.survey.instrument import load_instrument

    return write_atomic(path, build_page(load_instrument("practitioners")) + "\n")


def write_requirements_form(path: Path = REQUIREMENTS_FORM) -> Path:
    """Write the last version of the requirements form as it would be printed."""
    from analysis.requirements.form import load_form
    from analysis.requirements.page import build_page

    return write_atomic(path, build_page(load_form()) + "\n")


def write_variables(store: Store, path: Path = REPORT / "_variables.yml") -> Path:
    """Write what ``{{< var … >}}`` prints, nested by the dots of the keys."""
    import yaml

    tree: dict[str, object] = {}
    for key, text in sorted(store.variables().items()):
        *parents, leaf = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})  # type: ignore[assignment]
        node[leaf] = text
    header = "# Made from the results store; do not edit.\n"
    return write_atomic(path, header + yaml.safe_dump(tree, allow_unicode=True, default_flow_style=False))


def _legend(store: Store) -> str:
    origins = sorted({entry.origin for entry in store.entries.values()})
    lines = [f"{origin.capitalize()}\n:   {_ORIGIN_WORDS[origin]}." for origin in origins]
    return "Origins that occur in this edition:\n\n" + "\n\n".join(lines)


def _run_line(run: Mapping) -> str:
    parameters = ", ".join(f"`{name} = {value!r}`" for name, value in run["parameters"].items()) or "none"
    files = [name for name in run["digests"] if name.startswith("data/")]
    data = ", ".join(f"`{name}`" for name in files) or "none"
    return f"- Parameters: {parameters}\n- Data: {data}\n- Python: `{run['machine']['python']}`"


def _number_row(entry: Entry) -> tuple[str, ...]:
    interval = f" ({entry.interval_text})" if entry.interval_text else ""
    method = f" {entry.method[0].upper()}{entry.method[1:].rstrip('.')}." if entry.method else ""
    return (f"{entry.text}{interval}", f"{entry.meaning.rstrip('.')}.{method} `{entry.key}`", _source(entry))


def _shown_row(entry: Entry, captions: Mapping[str, str]) -> tuple[str, ...]:
    return (f"`{entry.key}`", entry.meaning or captions.get(entry.key, ""), _source(entry))


def _source(entry: Entry) -> str:
    return f"{entry.origin.capitalize()}: {entry.source}"


def _bounds(metadata: Mapping) -> str:
    low, high = metadata.get("low"), metadata.get("high")
    if low is not None and high is not None:
        return f"From {low:g} to {high:g}."
    if low is not None:
        return f"At least {low:g}."
    return f"At most {high:g}." if high is not None else ""
