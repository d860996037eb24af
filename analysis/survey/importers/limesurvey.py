"""LimeSurvey: responses exported as CSV, with codes or labels.

One header row with question codes (``Q1``, ``Q6[SQ001]``, ``Q6[other]``) or full texts, as chosen when exporting.
A response that was begun and not sent has an empty ``submitdate`` (``Date submitted``) and is left out.
"""

from __future__ import annotations

from pathlib import Path

from analysis.survey.importers.cells import Export, blank_rows, drop_rows, is_text, name_of, read_delimited
from analysis.survey.mapping import Mapping

SENT = ("submitdate", "Date submitted")
"""The column that tells, under its code or its English heading."""


def read_limesurvey(path: Path, mapping: Mapping) -> Export:
    """Read the cells; blank rows and responses that were not sent are left out."""
    frame, _ = read_delimited(path, mapping, extra=SENT)
    dropped: dict[str, int] = {}
    cells = drop_rows(frame, dropped, "blank", blank_rows(frame, mapping.columns))
    sent = next((column for column in (*SENT, mapping.submitted) if column in cells), None)
    if sent:
        cells = drop_rows(cells, dropped, "not sent", is_text(cells[sent], {"", "n/a"}))
    return Export(cells[[*mapping.columns]], len(frame), dropped, name_of(path))
