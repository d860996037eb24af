"""Event logs of any size for the benchmarks: changes, deployments and incidents of many services, from a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from analysis.kpi.events import SCHEMA

BEGIN = np.datetime64("2024-01-01T00:00:00", "us")
EVENTS_PER_CHANGE = 4 + 0.25 * 0.1 * 2
"""Commit, proposal, merge, deployment; a deployment carries four changes, a tenth of them gets an incident."""


def generate_log(path: Path, events: int, seed: int = 0, services: int = 50, weeks: int = 104) -> Path:
    """Parquet file with about ``events`` events, in order of time."""
    rng = np.random.default_rng(seed)
    changes = round(events / EVENTS_PER_CHANGE)
    deployments = max(1, changes // 4)
    span_h = weeks * 168.0
    deployed_h = np.sort(rng.uniform(100, span_h, deployments))
    of = rng.integers(0, services, deployments)
    carrier = rng.integers(0, deployments, changes)
    merged_h = deployed_h[carrier] - rng.exponential(5, changes)
    created_h = merged_h - rng.exponential(20, changes)
    committed_h = created_h - rng.exponential(10, changes)
    broken = np.flatnonzero(rng.random(deployments) < 0.1)
    detected_h = deployed_h[broken] + rng.exponential(3, len(broken))
    resolved_h = detected_h + rng.lognormal(1, 1, len(broken))
    resolved = resolved_h < span_h
    change, service = np.arange(changes), of[carrier]
    parts = [
        _part("change.committed", committed_h, change, "c", service, change),
        _part("change.created", created_h, change, "c", service, change),
        _part("change.merged", merged_h, change, "c", service, change),
        _part("service.deployed", deployed_h[carrier], carrier, "d", service, change),
        _part("incident.detected", detected_h, broken, "i", of[broken], None, cause=broken),
        _part("incident.resolved", resolved_h[resolved], broken[resolved], "i", of[broken][resolved], None),
    ]
    frame = pl.concat(parts).sort("time")
    production = pl.when(pl.col("type").str.starts_with("change.")).then(None).otherwise(pl.lit("production"))
    frame = frame.with_row_index("id").with_columns(
        pl.lit("generated").alias("source"),
        pl.concat_str(pl.lit("e"), pl.col("id").cast(pl.String)).alias("id"),
        production.alias("environment"),
        pl.when(pl.col("type") == "service.deployed").then(pl.lit("success")).alias("outcome"),
        pl.lit(None, dtype=pl.Float64).alias("value"),
        pl.lit(None, dtype=pl.Float64).alias("target"),
    )
    frame.select(list(SCHEMA)).cast(SCHEMA).write_parquet(path)
    return path


def _part(kind, hours, subject, letter, service, change, cause=None) -> pl.DataFrame:
    """Rows of one type; ids are letters with numbers."""
    time = BEGIN + (hours * 3_600_000_000).astype("timedelta64[us]")
    frame = pl.DataFrame({"time": time, "subject": subject, "service": service})
    name = pl.lit(None, dtype=pl.String)
    return frame.with_columns(
        pl.col("time").dt.replace_time_zone("UTC"),
        pl.lit(kind).alias("type"),
        pl.concat_str(pl.lit(letter), pl.col("subject").cast(pl.String)).alias("subject"),
        pl.concat_str(pl.lit("service-"), pl.col("service").cast(pl.String)).alias("service"),
        (name if change is None else _ids("c", change)).alias("change"),
        (name if cause is None else _ids("d", cause)).alias("cause"),
    )


def _ids(letter: str, numbers: np.ndarray) -> pl.Series:
    return letter + pl.Series(numbers).cast(pl.String)
