"""What is odd about an event log: one row a finding, with the line, the reason, and what was done about it.

Nothing is dropped without a row here. Sources report what they could not read; `analysis.kpi.checks` what
contradicts itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

TREATMENTS = ("kept", "left out", "merged")
"""What became of the row: it counts as it stands, it does not count, or it counts once with the row that it repeats."""

COLUMNS: dict[str, type[pl.DataType]] = {
    "source": pl.String,
    "line": pl.Int64,
    "id": pl.String,
    "finding": pl.String,
    "what": pl.String,
    "treatment": pl.String,
    "remedy": pl.String,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One oddity.

    Attributes
    ----------
    source : str
        File, repository or system.
    line : int or None
        Line in the file, or row of the table from 1, where there is one.
    id : str
        Id of the event, change, deployment or incident; empty where it has none.
    finding : str
        Its kind, such as ``"missing zone"``.
    what : str
        What is wrong with this very row.
    treatment : str
        One of `TREATMENTS`.
    remedy : str
        What to do about it.
    """

    source: str
    line: int | None
    id: str
    finding: str
    what: str
    treatment: str
    remedy: str


def build_findings(findings: Iterable[Finding] = ()) -> pl.DataFrame:
    """A table with the columns of `COLUMNS`, one row a finding, in the order given."""
    rows = [tuple(getattr(item, name) for name in COLUMNS) for item in findings]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def count_findings(findings: pl.DataFrame) -> pl.DataFrame:
    """How many of each kind: ``finding``, ``treatment``, ``count``, most frequent first."""
    return findings.group_by("finding", "treatment").len("count").sort(["count", "finding"], descending=[True, False])
