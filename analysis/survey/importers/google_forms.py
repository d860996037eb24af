"""Google Forms: the CSV that the form or its sheet downloads.

One header row with the wording of each question, ``Timestamp`` first. The answers of a checkbox question stand in
one cell, joined by ``;`` in the form's own download and by ``, `` in a sheet's (``separator`` in the mapping).
"Other" is the text that somebody wrote, with nothing to mark it.
"""

from __future__ import annotations

from pathlib import Path

from analysis.survey.importers.cells import Export, blank_rows, drop_rows, name_of, read_delimited
from analysis.survey.mapping import Mapping


def read_google_forms(path: Path, mapping: Mapping) -> Export:
    """Read the cells; blank rows are left out."""
    frame, _ = read_delimited(path, mapping)
    dropped: dict[str, int] = {}
    cells = drop_rows(frame, dropped, "blank", blank_rows(frame, mapping.columns))
    return Export(cells, len(frame), dropped, name_of(path))
