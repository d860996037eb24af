"""Every table of the workbench in one place: columns, dtypes, units, allowed values, keys.

A `TableSpec` is looked up by the table's file under ``data/``; each room has a module here. The data dictionary in the
thesis' appendix is generated from them (`analysis.reporting.appendix`), and `analysis.base.tables` refuses a file that
departs from them.
"""

from __future__ import annotations

from analysis.base.schemas.cases import CASES
from analysis.base.schemas.events import EVENT_TYPES, EVENTS
from analysis.base.schemas.kpi import KPI
from analysis.base.schemas.literature import LITERATURE
from analysis.base.schemas.requirements import FORM_ROLES, REQUIREMENTS
from analysis.base.schemas.screening import (
    RECORDS,
    SCREENING_ASSIGNMENTS,
    SCREENING_LEDGER,
    SCREENING_REASONS,
    SCREENING_SOURCES,
)
from analysis.base.schemas.spec import TableSpec, column
from analysis.base.schemas.survey import SURVEY

__all__ = [
    "EVENTS",
    "EVENT_TYPES",
    "FORM_ROLES",
    "RECORDS",
    "SCREENING_ASSIGNMENTS",
    "SCREENING_LEDGER",
    "SCREENING_REASONS",
    "SCREENING_SOURCES",
    "TABLES",
    "TableSpec",
    "column",
]

TABLES: dict[str, TableSpec] = {spec.file: spec for spec in (*LITERATURE, *SURVEY, *KPI, *REQUIREMENTS, *CASES)}
"""Every table, by its file under ``data/``."""
