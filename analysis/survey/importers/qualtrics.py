"""Qualtrics: responses exported as CSV or TSV.

Three header rows: names, wordings, and import ids (``{"ImportId":"QID1"}``). Previews and tests of the researcher
lie among the responses and are told by ``Status``; responses that were not finished by ``Finished`` (Qualtrics,
"Understanding your dataset"). Both columns come as words or as codes.
"""

from __future__ import annotations

from pathlib import Path

from analysis.base.errors import InputError, Problem
from analysis.survey.importers.cells import Export, blank_rows, drop_rows, is_text, name_of, read_delimited
from analysis.survey.mapping import Mapping

HEADER_ROWS = 3
STATUS, FINISHED = "Status", "Finished"
PREVIEWS = ("survey preview", "survey test", "survey preview spam", "offline survey preview", "1", "2", "9", "17")
"""Status of rows that the researcher made, as words and as Qualtrics' codes."""
SPAM = ("spam", "offline spam", "imported spam", "8", "12", "24")


def read_qualtrics(path: Path, mapping: Mapping) -> Export:
    """Read the cells; blank rows, previews, tests, spam and unfinished responses are left out.

    Raises
    ------
    InputError
        As `read_delimited`; or the three header rows are not there (the file was edited).
    """
    frame, top = read_delimited(path, mapping, header_rows=HEADER_ROWS, extra=(STATUS, FINISHED))
    name = name_of(path)
    if not any("ImportId" in cell for cell in top[-1]):
        raise InputError(
            f"{name} is not as Qualtrics exports it.",
            [
                Problem(
                    f"{name}, third row",
                    'it holds no import ids such as {"ImportId":"QID1"}',
                    "export again as CSV, and do not edit the file",
                )
            ],
        )
    dropped: dict[str, int] = {}
    cells = drop_rows(frame, dropped, "blank", blank_rows(frame, mapping.columns))
    if STATUS in cells:
        cells = drop_rows(cells, dropped, "preview or test", is_text(cells[STATUS], PREVIEWS))
        cells = drop_rows(cells, dropped, "spam", is_text(cells[STATUS], SPAM))
    if FINISHED in cells:
        cells = drop_rows(cells, dropped, "not finished", is_text(cells[FINISHED], ("false", "0")))
    return Export(cells[[*mapping.columns]], len(frame), dropped, name)
