"""Tables of metrics as people read them: durations in the unit that suits them, intervals, counts, reasons.

The tables of `analysis.kpi.dora` and `analysis.kpi.mlkpi` keep hours and shares; what is printed of them, on the page,
in a notebook or by a command, is made here, so that it reads the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd
import polars as pl

from analysis.base.estimates import format_value
from analysis.kpi.mlkpi import load_ml_metrics
from analysis.kpi.rules import FAIL, FREQUENCY, LEAD, LEAD_MERGE, METRICS, MTTR, RECOVERY, REWORK

COUNTED: Mapping[str, str] = {
    LEAD: "changes",
    LEAD_MERGE: "changes",
    FREQUENCY: "deployments",
    FAIL: "deployments",
    RECOVERY: "recoveries",
    REWORK: "deployments",
    MTTR: "incidents",
}
"""Metric → what its n counts."""

_UNITS = ((1 / 3600, "s"), (1 / 60, "min"), (1.0, "h"), (24.0, "days"))
_CHANGES_AT = (1 / 60, 1.0, 48.0)  # hours: below the first seconds, then minutes, then hours, then days
_FAR = 100  # bounds so many times apart have units of their own
_FURTHER = re.compile(r"(?P<base>.+)_(?:p(?P<quantile>[\d.]+)|(?P<mean>mean))")
_NO_INTERVAL = re.compile(r"no (?:[\d.]+ ?% )?interval:? ?(.*)")


def name_metric(metric: str) -> str:
    """Name of a metric, with the quantile where it is one of several.

    >>> name_metric("lead_time_commit_h_p90"), name_metric("rework_rate")
    ('Change lead time, 90% within', 'Deployment rework rate')
    """
    base, quantile, mean = split_metric(metric)
    names = load_ml_metrics()["name"]
    name = METRICS.get(base) or (str(names[base]) if base in names.index else base)
    return f"{name}, {quantile}% within" if quantile else f"{name}, mean" if mean else name


def split_metric(metric: str) -> tuple[str, str, bool]:
    """Key of the metric, quantile in per cent (empty: none), and whether it is the mean.

    >>> split_metric("recovery_time_h_p90"), split_metric("compute_s_per_promotion")
    (('recovery_time_h', '90', False), ('compute_s_per_promotion', '', False))
    """
    found = _FURTHER.fullmatch(metric)
    return (found["base"], found["quantile"] or "", found["mean"] is not None) if found else (metric, "", False)


def format_measure(value: float, unit: str, like: float | None = None) -> str:
    """A value as printed, hours in the unit that suits ``like`` (the value itself, if not given).

    >>> format_measure(1136.6, "h"), format_measure(0.25, "h"), format_measure(0.2674, "share")
    ('47.4 days', '15.0 min', '26.7%')
    >>> format_measure(30.0, "h", like=1136.6), format_measure(0.3034, "1/week")
    ('1.2 days', '0.30 a week')
    """
    if unit == "h":
        size, word = _choose_unit(value if like is None else like)
        return format_value(value / size, word, 0 if abs(value / size) >= 1000 else 1)
    if unit in ("1/week", "days/week"):
        word = "a week" if unit == "1/week" else "days a week"
        return format_value(value, word, 2 if abs(value) < 10 else 1)
    return format_value(value, unit, 1)


def format_interval(value: float, low: float, high: float, unit: str) -> str:
    """An interval as printed, in the unit of its value; a bound that the data do not set is said to be missing.

    >>> format_interval(1136.6, 960.0, 1286.6, "h"), format_interval(2.0, 1.5, float("nan"), "h")
    ('40.0–53.6 days', 'at least 1.5 h')
    >>> format_interval(0.004, 0.0004, 0.75, "h")
    '1.4 s–45.0 min'
    """
    if pd.isna(low) and pd.isna(high):
        return "none"
    if pd.isna(low) or pd.isna(high):
        word, bound = ("at least", low) if pd.isna(high) else ("at most", high)
        return f"{word} {format_measure(bound, unit, value)}"
    if unit == "h" and low > 0 and high / low >= _FAR:
        return f"{format_measure(low, unit)}–{format_measure(high, unit)}"
    first, last = (format_measure(bound, unit, value) for bound in (low, high))
    tail = re.sub(r"^[-\d.,]+", "", last)
    first = first.removesuffix(tail)
    return f"{first} to {last}" if "-" in f"{first}{last}" else f"{first}–{last}"


def build_metric_table(table: pd.DataFrame, *, quantiles: bool = True) -> pd.DataFrame:
    """A table of metrics in words.

    Parameters
    ----------
    table : DataFrame
        Columns of `analysis.kpi.dora.COLUMNS`.
    quantiles : bool
        With the rows of further quantiles and means.

    Returns
    -------
    DataFrame
        ``metric`` (name), ``key``, ``service``, ``period``, ``value``, ``interval``, ``n`` (with what it counts),
        ``definition``, ``note`` (also why there is no interval); text throughout. A metric without value has ``value``
        "no value", and its note says why.
    """
    rows = []
    for row in table.itertuples():
        base, *_ = split_metric(row.metric)
        if base != row.metric and not quantiles:
            continue
        known = not pd.isna(row.value)
        found = _NO_INTERVAL.search(row.method or "")
        why = f"no interval: {found[1]}" if known and found and found[1] else ""
        rows.append(
            {
                "metric": name_metric(row.metric),
                "key": row.metric,
                "service": "no name" if row.service is None or pd.isna(row.service) else str(row.service),
                "period": row.period,
                "value": format_measure(row.value, row.unit) if known else "no value",
                "interval": format_interval(row.value, row.low, row.high, row.unit) if known else "",
                "n": _count(int(row.n), COUNTED.get(base, "")) if known else "",
                "definition": row.definition,
                "note": "; ".join(item for item in (row.note, why) if item),
            }
        )
    columns = ["metric", "key", "service", "period", "value", "interval", "n", "definition", "note"]
    return pd.DataFrame(rows, columns=columns)


def build_findings_table(findings: pl.DataFrame, kinds: int = 0) -> pd.DataFrame:
    """Findings counted by kind: ``finding``, ``treatment``, ``count``; beyond ``kinds`` of them (0: all) in one row."""
    counted = [dict(zip(("finding", "treatment", "count"), row, strict=True)) for row in count_rows(findings)]
    if kinds and len(counted) > kinds:
        rest = counted[kinds - 1 :]
        treatments = ", ".join(dict.fromkeys(item["treatment"] for item in rest))
        total = sum(item["count"] for item in rest)
        counted = [
            *counted[: kinds - 1],
            {"finding": f"{len(rest)} further kinds", "treatment": treatments, "count": total},
        ]
    return pd.DataFrame(counted, columns=["finding", "treatment", "count"])


def count_rows(findings: pl.DataFrame) -> list[tuple[str, str, int]]:
    """Kind, treatment and number of findings, most frequent first; one that says "and 9 more" stands for nine."""
    more = pl.col("what").str.extract(r"^and ([\d,]+) more of this kind").str.replace_all(",", "").cast(pl.Int64)
    counted = (
        findings.with_columns(more.fill_null(1).alias("count")).group_by("finding", "treatment").agg(pl.sum("count"))
    )
    return list(counted.sort(["count", "finding", "treatment"], descending=[True, False, False]).iter_rows())


def _count(n: int, nouns: str) -> str:
    noun = nouns.removesuffix("ies") + "y" if nouns.endswith("ies") else nouns.removesuffix("s")
    return f"{n:,} {noun if n == 1 else nouns}".strip()


def _choose_unit(hours: float) -> tuple[float, str]:
    size = abs(hours)
    place = sum(size >= bound for bound in _CHANGES_AT) if size else 2
    return _UNITS[place]
