"""SPSS: a data file, read with pyreadstat.

Cells are the codes; a mapping names codes (``executive: "1"``) or, with its texts, value labels: a cell is read as
its label where the mapping of its question knows the label and not the code. What SPSS declares as missing is an
empty cell. ``line`` is the case number, as SPSS shows it.
"""

from __future__ import annotations

from pathlib import Path

import pyreadstat

from analysis.base.errors import InputError, Problem
from analysis.survey.importers.cells import Export, blank_rows, drop_rows, find_columns, from_values, name_of
from analysis.survey.mapping import Mapping, normalise


def read_spss(path: Path, mapping: Mapping) -> Export:
    """Read the cells; blank cases are left out.

    Raises
    ------
    InputError
        No SPSS data file, a damaged one, or one without the mapped variables or without cases.
    """
    name = name_of(path)
    if not path.is_file():
        raise InputError(f"{name} cannot be read.", [Problem(name, "no such file")])
    encoding = {"utf-8": None}.get(mapping.encoding, mapping.encoding)
    try:
        _, about = pyreadstat.read_sav(path, metadataonly=True, encoding=encoding)
        taken = find_columns(about.column_names, mapping.columns, (), name)
        variables = {column: about.column_names[place] for column, place in taken.items()}
        frame, about = pyreadstat.read_sav(path, usecols=list(variables.values()), encoding=encoding)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError) as error:
        raise InputError(
            f"{name} cannot be read.", [Problem(name, f"not a whole SPSS file: {error}", "save it again in SPSS")]
        ) from None
    if frame.empty:
        raise InputError(f"{name} holds no responses.", [Problem(name, "the file has variables and no cases")])
    columns = {}
    for column, variable in variables.items():
        values = frame[variable].tolist()
        labels = about.variable_value_labels.get(variable, {})
        wanted = _labels_wanted(mapping, column)
        if labels and wanted:
            known = {code: label for code, label in labels.items() if normalise(str(label)) in wanted}
            values = [known.get(value, value) for value in values]
        columns[column] = values
    cells = from_values(columns, range(1, len(frame) + 1), mapping.date_format)
    dropped: dict[str, int] = {}
    cells = drop_rows(cells, dropped, "blank", blank_rows(cells, mapping.columns))
    return Export(cells, len(frame), dropped, name)


def _labels_wanted(mapping: Mapping, column: str) -> set[str]:
    """Texts by which the mapping tells the answers in this column."""
    for question in mapping.questions.values():
        if column == question.column:
            return set(question.options)
    return set()
