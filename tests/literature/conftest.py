"""The worked example of a screening, in `tests/literature/screening`; its numbers by hand are in `test_ledger.py`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from analysis.base.schemas import RECORDS, SCREENING_ASSIGNMENTS, SCREENING_REASONS, SCREENING_SOURCES
from analysis.base.tables import read_table
from analysis.literature.dedupe import dedupe_records
from analysis.literature.ledger import check_ledger, load_ledger

FOLDER = Path(__file__).parent / "screening"
FILES = tuple(FOLDER / name for name in ("ledger_ana.csv", "ledger_ben.csv", "adjudication.csv"))
STAGES = {"databases": ("title_abstract", "full_text"), "other": ("title_abstract", "full_text", "quality")}


@pytest.fixture(scope="session")
def screened():
    """All parts of the example; tests must not change them."""
    found = pd.read_csv(FOLDER / "records.csv")
    table = {name: found.get(name, pd.NA) for name in RECORDS.columns}
    originals = pd.DataFrame(table).assign(kind="article", file="records.csv", line=range(2, len(found) + 2))
    deduplicated = dedupe_records(originals, prefer=("Scopus", "IEEE Xplore", "OSF Registries", "Google"))
    parts = {
        "ledger": load_ledger(*FILES),
        "assignments": read_table(FOLDER / "assignments.csv", SCREENING_ASSIGNMENTS),
        "works": deduplicated.records,
        "sources": read_table(FOLDER / "sources.csv", SCREENING_SOURCES),
        "reasons": read_table(FOLDER / "reasons.csv", SCREENING_REASONS),
    }

    def check(**changed):
        options = {"stages": STAGES, "complete": True}
        options |= {name: changed.pop(name) for name in list(changed) if name in options}
        return check_ledger(**(parts | changed), **options)

    return SimpleNamespace(**parts, files=FILES, deduplicated=deduplicated, check=check, whole=check())
