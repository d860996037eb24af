"""KoboToolbox: responses exported as CSV (usually with semicolons) or as XLSX.

One header row with names ("XML values and headers") or labels, groups before a slash where the export includes
them. A multiple choice comes joined by blanks (names) and as a column of ones and zeros for each option
(``Q6/executive``). A submission that the researcher marked as not approved is left out.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from analysis.base.errors import InputError, Problem
from analysis.survey.importers.cells import (
    Export,
    blank_rows,
    drop_rows,
    find_columns,
    from_values,
    is_text,
    name_of,
    read_delimited,
)
from analysis.survey.mapping import Mapping

VALIDATION = "_validation_status"
REFUSED = ("validation_status_not_approved", "not approved")


def read_kobo(path: Path, mapping: Mapping) -> Export:
    """Read the cells; blank rows and submissions that were not approved are left out.

    Raises
    ------
    InputError
        As `read_delimited`; or the workbook or its sheet cannot be read.
    """
    frame = _read_sheet(path, mapping) if path.suffix.lower() in (".xlsx", ".xlsm") else _read_text(path, mapping)
    dropped: dict[str, int] = {}
    cells = drop_rows(frame, dropped, "blank", blank_rows(frame, mapping.columns))
    if VALIDATION in cells:
        cells = drop_rows(cells, dropped, "not approved", is_text(cells[VALIDATION], REFUSED))
    return Export(cells[[*mapping.columns]], len(frame), dropped, name_of(path))


def _read_text(path: Path, mapping: Mapping):
    return read_delimited(path, mapping, extra=(VALIDATION,))[0]


def _read_sheet(path: Path, mapping: Mapping):
    name = name_of(path)
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (OSError, InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InputError(
            f"{name} cannot be read.", [Problem(name, f"not a workbook: {error}", "export it again as XLSX")]
        ) from None
    try:
        if mapping.sheet and mapping.sheet not in book.sheetnames:
            raise InputError(
                f"{name} cannot be read.",
                [Problem(f"{name}, sheet '{mapping.sheet}'", "no such sheet", f"sheets: {', '.join(book.sheetnames)}")],
            )
        sheet = book[mapping.sheet] if mapping.sheet else book.worksheets[0]
        sheet.reset_dimensions()
        rows = list(sheet.iter_rows(values_only=True))
    finally:
        book.close()
    header = ["" if cell is None else str(cell) for cell in rows[0]] if rows else []
    taken = find_columns(header, mapping.columns, (VALIDATION,), name)
    if len(rows) < 2:
        raise InputError(f"{name} holds no responses.", [Problem(name, "the sheet ends after its header")])
    columns = {
        column: [row[place] if place < len(row) else None for row in rows[1:]] for column, place in taken.items()
    }
    return from_values(columns, range(2, len(rows) + 1), mapping.date_format)
