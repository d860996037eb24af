"""What ``python -m analysis kpi`` prints: aligned text for people, JSON with stable keys for programs."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

import pandas as pd
import polars as pl

from analysis.kpi.display import build_findings_table, build_metric_table, name_metric
from analysis.kpi.events import EventLog
from analysis.kpi.rules import FAIL, Rules
from analysis.kpi.samples import Samples
from analysis.reporting.kpi_content import describe_log

FORMAT_VERSION = 1
"""Of the JSON; it changes when a key is renamed or goes."""

_WIDTH = 110
_LISTED = 3  # findings of a kind in the text; the JSON has all


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the command computed, before it is printed.

    Attributes
    ----------
    log : EventLog
        Checked, and cut to the services and the time asked for.
    samples : Samples
    place, kind, name : str
        Where it was read from, a key of `analysis.kpi.sources.open.SOURCES`, and what it is called.
    rules, rules_key : Rules and str
    confidence : float
    metrics, ml_metrics, levels, trend, multiverse, sensitivity, before_after : DataFrame
        Empty where not asked for or not applicable.
    """

    log: EventLog
    samples: Samples
    place: str
    kind: str
    name: str
    rules: Rules
    rules_key: str
    confidence: float
    metrics: pd.DataFrame
    ml_metrics: pd.DataFrame
    levels: pd.DataFrame
    trend: pd.DataFrame
    multiverse: pd.DataFrame
    sensitivity: pd.DataFrame
    before_after: pd.DataFrame


# ---- text ------------------------------------------------------------------------------------


def build_text(found: Analysis) -> str:
    """Everything as aligned text."""
    title = f"{found.name}: {found.rules.name}"
    lines = [title, "=" * len(title), ""]
    for label, words in describe_log(found.log, found.samples, found.place):
        lines += textwrap.wrap(f"{label + ':':<10} {words}", _WIDTH, subsequent_indent=" " * 11)
    lines += ["", *_metric_lines(found.metrics, found.confidence)]
    if len(found.ml_metrics):
        lines += ["", "Models", "", *_metric_lines(found.ml_metrics, found.confidence)]
    if len(found.trend):
        lines += ["", "Trend over all periods (Theil–Sen)", ""]
        lines += align([_trend_row(row) for _, row in found.trend.iterrows()], ("metric", "slope", "interval", "note"))
    if len(found.levels):
        lines += [
            "",
            f"Probability of DORA's levels of {found.levels['year'].iloc[0]}",
            "",
            *_level_lines(found.levels),
        ]
    if len(found.sensitivity):
        lines += ["", "Change fail rate by the rule that reads failures off git", ""]
        rates = found.sensitivity.assign(metric=FAIL, service="all", period="all", unit="share", definition="")
        shown = build_metric_table(rates)[["value", "interval"]].values.tolist()
        rows = [(rule, *cells) for rule, cells in zip(found.sensitivity["rule"], shown, strict=True)]
        lines += align(rows, ("rule", "value", _interval_title(found.confidence)), numbers=[1, 2])
    if len(found.multiverse):
        lines += ["", "The same log under other rules", "", *_multiverse_lines(found.multiverse, found.confidence)]
    if len(found.before_after):
        lines += ["", "Before and after (segmented regression)", "", *_effect_lines(found.before_after)]
    if len(found.log.findings):
        lines += ["", "Findings", "", *_finding_lines(found.log.findings)]
    return "\n".join(line.rstrip() for line in lines)


def align(rows: Sequence[Sequence[str]], header: Sequence[str], numbers: Sequence[int] = ()) -> list[str]:
    """Rows under a header, each column as wide as its longest entry; ``numbers`` are columns set to the right."""
    cells = [tuple(map(str, header)), *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _metric_lines(table: pd.DataFrame, confidence: float) -> list[str]:
    """The metrics, then their definitions and notes, each once."""
    shown = build_metric_table(table)
    groups = [name for name in ("service", "period") if shown[name].nunique() > 1 or set(shown[name]) != {"all"}]
    columns = ["metric", *groups, "value", "interval", "n"]
    header = ["metric", *groups, "value", _interval_title(confidence), "n"]
    lines = align(shown[columns].values.tolist(), header, numbers=[len(columns) - 3, len(columns) - 2])
    notes: dict[tuple[str, str], list[str]] = {}
    for row in _records(shown):
        if row["note"]:
            where = " ".join(row[name] for name in groups)
            notes.setdefault((row["metric"], row["note"]), []).append(where)
    lines.append("")
    for name, definition in dict.fromkeys(zip(shown["metric"], shown["definition"], strict=True)):
        if "% within" not in name and not name.endswith(", mean"):
            lines += textwrap.wrap(f"{name}: {definition}.", _WIDTH, subsequent_indent="  ")
    if notes:
        lines.append("")
    for (name, note), places in notes.items():
        some = f" ({', '.join(places[:3])}{f' and {len(places) - 3} more' if len(places) > 3 else ''})"
        lines += textwrap.wrap(f"* {name}{some if groups else ''}: {note}", _WIDTH, subsequent_indent="  ")
    return lines


def _level_lines(levels: pd.DataFrame) -> list[str]:
    rows = []
    for metric, group in levels.groupby("metric", sort=False):
        if group["probability"].isna().all():
            rows.append((name_metric(str(metric)), f"no value: {group['note'].iloc[0]}"))
            continue
        shares = [f"{row.level} {100 * row.probability:.0f}%" for row in group.itertuples() if row.probability >= 0.005]
        note = f" ({group['note'].iloc[0]})" if group["note"].iloc[0] else ""
        rows.append((name_metric(str(metric)), ", ".join(shares) + note))
    return align(rows, ("metric", "levels"))


def _multiverse_lines(multiverse: pd.DataFrame, confidence: float) -> list[str]:
    defined = multiverse[multiverse["note"] != "not defined by these rules"]
    shown = build_metric_table(defined.assign(service="all", period="all"))
    rows = [
        (row["metric"], name, row["value"], row["interval"], row["n"])
        for row, name in zip(_records(shown), defined["rules"], strict=True)
    ]
    lines = align(rows, ("metric", "rules", "value", _interval_title(confidence), "n"), numbers=[2, 3])
    for row in defined[defined["differs"] != ""].itertuples():
        words = f"* {name_metric(row.metric)}, {row.rules}: {row.differs}"
        lines += ["", *textwrap.wrap(words, _WIDTH, subsequent_indent="  ")]
    return lines


def _effect_lines(effects: pd.DataFrame) -> list[str]:
    rows = []
    for row in effects.itertuples():
        if pd.isna(row.value):
            rows.append((row.name, "none", "", "", "", row.note))
            continue
        interval = "" if pd.isna(row.low) else f"{row.low:.2f} to {row.high:.2f}"
        p_value = "" if pd.isna(row.p_holm) else f"{row.p_holm:.3g}"
        rows.append(
            (row.name, row.effect.replace("_", " "), f"{row.scale} {row.value:.2f}", interval, p_value, row.note)
        )
    return align(rows, ("series", "effect", "estimate", "interval", "corrected p", "note"))


def _finding_lines(findings: pl.DataFrame) -> list[str]:
    """Each kind with its number, and its first findings with place, reason and remedy."""
    lines = []
    for row in build_findings_table(findings).itertuples(index=False):
        kind, treatment, count = row
        lines.append(f"{kind}: {count:,} ({treatment})")
        own = findings.filter((pl.col("finding") == kind) & (pl.col("treatment") == treatment))
        for item in own.head(_LISTED).iter_rows(named=True):
            place = f"{item['source']}:{item['line']}" if item["line"] is not None else item["source"]
            remedy = f" → {item['remedy']}" if item["remedy"] else ""
            words = f"- {place}: {item['what']}{remedy}"
            lines += textwrap.wrap(words, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    return lines


def _trend_row(row: pd.Series) -> tuple[str, str, str, str]:
    slope = "none" if pd.isna(row["slope"]) else f"{row['slope']:+.3g} {row['unit']}"
    interval = "" if pd.isna(row["low"]) else f"{row['low']:.3g} to {row['high']:.3g}"
    service = "" if row["service"] == "all" else f", {row['service']}"
    return f"{name_metric(row['metric'])}{service}", slope, interval, row["note"]


def _interval_title(confidence: float) -> str:
    return f"{100 * confidence:g}% interval"


# ---- JSON ------------------------------------------------------------------------------------


def build_json(found: Analysis) -> str:
    """Everything as JSON: hours, shares and rates as numbers, what is missing as null.

    Keys: ``format``, ``log``, ``rules``, ``confidence``, ``metrics``, ``ml_metrics``, ``levels``, ``trend``,
    ``sensitivity``, ``multiverse``, ``before_after``, ``findings``. Lists are empty where nothing was asked for or
    nothing applies.
    """
    log, samples, about = found.log, found.samples, found.log.about
    data = {
        "format": FORMAT_VERSION,
        "log": {
            "name": found.name,
            "path": found.place,
            "kind": found.kind,
            "begin": samples.begin.isoformat(),
            "end": samples.end.isoformat(),
            "commit": about.get("commit"),
            "branch": about.get("branch"),
            "version": about.get("version"),
            "deployments": len(samples.deployments),
            "failed_deployments": int(samples.deployments["failed"].sum()),
            "incidents": len(samples.incidents),
            "reading": _plain(about.get("rules")),
        },
        "rules": {"key": found.rules_key}
        | {item.name: _plain(getattr(found.rules, item.name)) for item in fields(Rules)},
        "confidence": found.confidence,
        "metrics": _records(_named(found.metrics)),
        "ml_metrics": _records(_named(found.ml_metrics)),
        "levels": _records(found.levels),
        "trend": _records(found.trend),
        "sensitivity": _records(found.sensitivity),
        "multiverse": _records(found.multiverse),
        "before_after": _records(found.before_after),
        "findings": {
            "counts": _records(build_findings_table(log.findings)),
            "rows": log.findings.to_dicts(),
        },
    }
    return json.dumps(_plain(data), ensure_ascii=False, indent=1, allow_nan=False)


def _named(table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        return table
    named = table.copy()
    named.insert(1, "name", [name_metric(metric) for metric in table["metric"]])
    return named


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")


def _plain(value: Any) -> Any:
    """Only what JSON knows; missing and infinite numbers are null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool | str) or value is None:
        return value
    if hasattr(value, "item"):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else None if pd.isna(value) else str(value)
