"""Before the report is rendered: do the executed notebooks show somebody? Asked only where private answers exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.base.paths import BUILD, ROOT
from analysis.base.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from analysis.survey.instrument import Instrument

FEWEST_WORDS = 4
"""Answers in one's own words from this length on are looked for; "yes" or "none so far" would be found everywhere."""


def guard_notebooks(store: Store, build: Path = BUILD, private: Path | None = None) -> None:
    """Refuse to go on with executed notebooks that show row-level personal data.

    Parameters
    ----------
    store : Store
        For the exports that the notebooks read (parameters ``responses`` and ``mapping``).
    build : Path
    private : Path, optional
        The folder of `analysis.survey.privacy`, unless told otherwise.

    Raises
    ------
    NotebookError
        All places, by notebook and cell.
    """
    private = ROOT / "private" / "survey" if private is None else private
    if not private.is_dir():
        return  # and nothing of the survey is imported: rendering is not to wait for it
    from analysis.survey.exposure import require_unexposed, row_level_columns

    columns = {"respondent", "submitted"}
    values: set[str] = set()
    for instrument, found in _private_values(store, private):
        columns |= set(row_level_columns(instrument)) if instrument is not None else set()
        values |= found
    require_unexposed(sorted((build / "notebooks").glob("*.ipynb")), columns=sorted(columns), values=values)


def _private_values(store: Store, private: Path) -> Iterator[tuple[Instrument | None, set[str]]]:
    """Instrument (None where unknown) and what must not be shown, of each stored table and each export in use."""
    import pandas as pd

    from analysis.survey.exposure import read_personal_values
    from analysis.survey.instrument import FOLDER, load_instrument
    from analysis.survey.mapping import load_mapping
    from analysis.survey.privacy import LEDGER

    for path in sorted(private.glob("*.csv")):
        if path.name.endswith(".counts.csv"):
            continue
        heading = int(path.read_text(encoding="utf-8").startswith("#"))
        table = pd.read_csv(path, dtype="string", skiprows=heading)
        known = path.name != LEDGER and (FOLDER / f"{path.stem}.yaml").is_file()
        yield load_instrument(path.stem) if known else None, _telling(table)
    for run in store.runs.values():
        export, mapping = (ROOT / str(run["parameters"].get(name) or ".") for name in ("responses", "mapping"))
        if export.is_file() and mapping.is_file():
            instrument = load_instrument("practitioners")
            yield instrument, read_personal_values(export, instrument, load_mapping(mapping, instrument))


def _telling(table: pd.DataFrame) -> set[str]:
    """Ids, and answers in one's own words that are long enough to be nobody else's."""
    found = set(table["respondent"].dropna()) if "respondent" in table else set()
    for column in table.columns.drop("respondent", errors="ignore"):
        texts = table[column].dropna().unique()
        found |= {str(text) for text in texts if len(str(text).split()) >= FEWEST_WORDS}
    return found
