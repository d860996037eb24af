"""An event log in 60 bytes a row: what checks of ten million events compare, and the way back to the text.

Names are replaced by 64-bit hashes, so that one pass over the log is enough for all checks and what they keep is
small. Two of ten million names share a hash with a probability of 3 in a million; equality of hashes is taken for
equality of names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from analysis.base.schemas import EVENT_TYPES
from analysis.kpi.events import OUTCOMES, PRODUCTION, SCHEMA, in_production

CODES: dict[str, int] = {name: code for code, name in enumerate(EVENT_TYPES)}
"""Type → code, as the condensed table has it."""

TIME = pl.col("time")


def condense_events(events: pl.LazyFrame, production: Sequence[str] = PRODUCTION) -> pl.DataFrame:
    """One row for each row of ``events``; ``production``: names of that environment.

    Returns
    -------
    DataFrame
        Columns ``row`` (from 0), ``code`` (`CODES`; null: no such type), ``time`` (microseconds), ``event`` (source
        and id), ``pair`` (event and change), ``said`` (event, type, time, subject, service, environment, outcome),
        ``measures`` (cause, value, target), ``subject``, ``change``, ``cause`` and ``service`` (null where there is
        none; the first three in one numbering), ``production``, ``failed``, ``whole`` (no column is empty that must
        not be), ``odd`` (an outcome that is none).
    """
    # XOR of hashes under different seeds; a null has a hash of its own.
    code = pl.col("type").cast(pl.Enum(list(EVENT_TYPES)), strict=False).to_physical().alias("code")
    said = ("source", "id", "type", "time", "subject", "service", "environment", "outcome")
    whole = pl.all_horizontal(pl.col("source", "id", "time", "subject").is_not_null())
    return (
        events.with_row_index("row")
        .select(
            "row",
            code,
            TIME.to_physical(),
            _hashed(("source", "id")).alias("event"),
            pl.col("subject").hash(0).alias("subject"),
            pl.when(pl.col("change").is_not_null()).then(pl.col("change").hash(0)).alias("change"),
            pl.when(pl.col("cause").is_not_null()).then(pl.col("cause").hash(0)).alias("cause"),
            pl.when(pl.col("service").is_not_null()).then(pl.col("service").hash(20)).alias("service"),
            _hashed(("source", "id", "change")).alias("pair"),
            _hashed(said).alias("said"),
            _hashed(("cause", "value", "target")).alias("measures"),
            in_production(production).alias("production"),
            (pl.col("outcome") == "failure").fill_null(False).alias("failed"),
            whole.alias("whole"),
            (~pl.col("outcome").is_in(OUTCOMES)).fill_null(False).alias("odd"),
        )
        .collect(engine="streaming")
    )


def fetch_rows(events: pl.LazyFrame, rows: pl.Series) -> pl.DataFrame:
    """The events in ``rows`` (from 0) as they stand, with their ``row``, in the order of the table."""
    if rows.is_empty():
        return pl.DataFrame(schema={"row": pl.UInt32(), **SCHEMA})
    wanted = rows.unique().cast(pl.UInt32)
    return events.with_row_index("row").filter(pl.col("row").is_in(wanted.implode())).collect(engine="streaming")


def as_time(microseconds: int | None) -> datetime | None:
    """Back from the condensed form to a time in UTC."""
    return None if microseconds is None else datetime.fromtimestamp(microseconds / 1e6, UTC)


def _hashed(columns: tuple[str, ...]) -> pl.Expr:
    first, *others = (pl.col(name).hash(seed) for seed, name in enumerate(columns, start=1))
    for other in others:
        first = first ^ other
    return first
