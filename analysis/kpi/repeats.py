"""Events that a log holds more than once: the same delivered twice, or one id for different things.

An event is its source and id. Its rows, one a change, must agree in type, time, subject, service, environment and
outcome; where they do not, two events have one id. Then the one that comes first in time counts, and of two at one
time the one that comes first in the alphabet: the order of the rows decides nothing.
"""

from __future__ import annotations

import polars as pl

from analysis.kpi.condensed import fetch_rows
from analysis.kpi.events import SCHEMA

MERGED, CONTRADICTED = "merged", "left out"
REPEATS: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "kept": pl.UInt32(),
    "treatment": pl.String(),
}
"""For everything that an event says but the first: a row that does not count, and the row that counts in its place."""

_BY_TIME = ["time", *(name for name in SCHEMA if name != "time")]


def has_repeats(rows: pl.DataFrame) -> bool:
    """Whether any event of the condensed table is there twice, saying the same or something else."""
    return rows["pair"].n_unique() < rows.height or rows["event"].n_unique() < rows["said"].n_unique()


def find_repeats(rows: pl.DataFrame, events: pl.LazyFrame) -> tuple[pl.Series, pl.DataFrame]:
    """Rows that do not count because another one does.

    Parameters
    ----------
    rows : DataFrame
        Condensed (`analysis.kpi.condensed.condense_events`), or a part of it.
    events : LazyFrame
        The log that it was made from.

    Returns
    -------
    Series, DataFrame
        The rows that do not count, and the columns of `REPEATS`, once for all rows that say the same.
    """
    if not has_repeats(rows):
        return pl.Series(dtype=pl.UInt32), pl.DataFrame(schema=REPEATS)
    said = ("event", "said", "measures")
    repeated = rows.filter(pl.len().over("event") > 1).select("row", "pair", *said)
    different = repeated.filter(pl.col("said").n_unique().over("event") > 1)
    against = _first_of(different, "event", "said", events)
    left = repeated.join(against.select("row"), on="row", how="anti")
    different = left.filter((pl.len().over("pair") > 1) & (pl.col("measures").n_unique().over("pair") > 1))
    against = pl.concat([against, _first_of(different, "pair", "measures", events)])
    left = left.join(against.select("row"), on="row", how="anti").with_columns(kept=pl.col("row").min().over("pair"))
    same = left.filter(pl.col("row") > pl.col("kept"))
    out = pl.concat(
        [
            against.select("row", *said, "kept", treatment=pl.lit(CONTRADICTED)),
            same.select("row", *said, "kept", treatment=pl.lit(MERGED)),
        ]
    )
    found = out.sort("row").group_by(*said, "treatment", maintain_order=True).agg(pl.col("row", "kept").first())
    return out["row"], found.select(pl.col(name).cast(dtype) for name, dtype in REPEATS.items())


def _first_of(rows: pl.DataFrame, by: str, version: str, events: pl.LazyFrame) -> pl.DataFrame:
    """Rows whose ``version`` is not the first of their group ``by``, each with a row that is (``kept``)."""
    texts = fetch_rows(events, rows["row"]).sort(_BY_TIME, nulls_last=False)
    ordered = texts.select("row").join(rows, on="row", how="left", maintain_order="left")
    return (
        ordered.with_columns(kept=pl.col("row").first().over(by), first=pl.col(version).first().over(by))
        .filter(pl.col(version) != pl.col("first"))
        .select("row", "event", "said", "measures", "kept")
    )
