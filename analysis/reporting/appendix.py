"""Generated appendices: where each number comes from, and the data dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analysis.base.markdown import pipe_table
from analysis.base.paths import BUILD, REPORT, write_atomic
from analysis.base.results import Entry
from analysis.base.store import Store

NUMBERS = BUILD / "generated" / "_numbers.qmd"
DICTIONARY = BUILD / "generated" / "_data_dictionary.qmd"

_ORIGIN_WORDS = {
    "published": "a fact from the literature, cited, or computed from such facts",
    "measured": "really run, with machine and device",
    "simulated": "drawn from a model",
    "reconstructed": "rebuilt from published figures that contradict each other",
    "demo": "made up for teaching; no finding",
}


def write_numbers(store: Store, path: Path = NUMBERS) -> Path:
    """Write the appendix that lists every number, table and figure with origin and source.

    One section a notebook: what it ran with, then its numbers, tables and figures.
    """
    parts = [_legend(store)]
    for stem, run in sorted(store.runs.items()):
        entries = [entry for entry in store.entries.values() if entry.notebook == stem]
        parts.append(f"## Notebook `{stem}` {{.unnumbered}}\n\n{_run_line(run)}")
        numbers = sorted((entry for entry in entries if entry.kind == "number"), key=lambda entry: entry.key)
        shown = sorted((entry for entry in entries if entry.kind != "number"), key=lambda entry: entry.key)
        slug = stem.replace("_", "-").lower()
        if numbers:
            parts.append(
                pipe_table(
                    ("Printed", "What it says and its key", "Source"), (16, 50, 34), [_number_row(e) for e in numbers]
                )
                + f"\n\n: Numbers stored by notebook {stem} {{#tbl-numbers-{slug}}}"
            )
        if shown:
            parts.append(
                pipe_table(("Label", "What it shows", "Source"), (30, 36, 34), [_shown_row(e) for e in shown])
                + f"\n\n: Tables and figures stored by notebook {stem} {{#tbl-shown-{slug}}}"
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
                (f"`{name}`", str(column.dtype), " ".join(note.rstrip(".") + "." if note else "" for note in notes))
            )
        slug = file.removesuffix(".csv").replace("/", "-").replace("_", "-")
        parts.append(
            f"## {spec.title.rstrip('.')} {{.unnumbered}}\n\n"
            + pipe_table(("Column", "Type", "Meaning"), (26, 12, 62), rows)
            + f"\n\n: Columns of `data/{file}` {{#tbl-dictionary-{slug}}}"
        )
    return write_atomic(path, "\n\n".join(parts) + "\n")


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
    return f"Parameters: {parameters}. Data: {data}. Python {run['machine']['python']}."


def _number_row(entry: Entry) -> tuple[str, ...]:
    interval = f" ({entry.interval_text})" if entry.interval_text else ""
    method = f" {entry.method.rstrip('.')}." if entry.method else ""
    return (f"{entry.text}{interval}", f"{entry.meaning.rstrip('.')}.{method} `{entry.key}`", _source(entry))


def _shown_row(entry: Entry) -> tuple[str, ...]:
    return (f"`{entry.key}`", entry.meaning or "see its caption", _source(entry))


def _source(entry: Entry) -> str:
    return f"{entry.origin.capitalize()}: {entry.source}"


def _bounds(metadata: Mapping) -> str:
    low, high = metadata.get("low"), metadata.get("high")
    if low is not None and high is not None:
        return f"From {low:g} to {high:g}."
    if low is not None:
        return f"At least {low:g}."
    return f"At most {high:g}." if high is not None else ""
