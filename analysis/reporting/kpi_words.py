"""Statements of the one-page report in words: rules in use, and what the numbers hang on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from analysis.kpi.display import format_interval, format_measure
from analysis.kpi.events import EventLog
from analysis.kpi.rule_words import describe_choice
from analysis.kpi.rules import Rules


def write_notes(
    log: EventLog,
    rules: Rules,
    sensitivity: pd.DataFrame | None,
    change: date | None,
    effects: pd.DataFrame | None,
) -> list[tuple[str, str]]:
    """Statements at the foot of the page: label and text."""
    where = describe_choice(rules, "production")
    unnamed = describe_choice(rules, "unknown_environment")
    notes = [("Rules", f"{rules.name} ({rules.cited}). Production: {where}; {unnamed}.")]
    if "reverts" in log.about:
        notes.append(("Read off git", describe_git_rules(log.about)))
    if sensitivity is not None and len(sensitivity):
        notes.append(("Change fail rate if", describe_sensitivity(sensitivity)))
    if change is not None and effects is not None:
        notes.append((f"Since {change:%-d %B %Y}", describe_effects(effects)))
    return notes


def describe_git_rules(about: Mapping[str, Any]) -> str:
    """What counts as deployment, failure and hotfix in a repository, in words."""
    rules = about.get("rules", {})
    releases = about.get("deployments") != "merges"
    first = (
        "Deployment: a release tag" if releases else f"Deployment: a change on {about.get('branch') or 'the branch'}"
    )
    parts = [f"{first}; change: a {about.get('unit', 'commit')}"]
    mends = []
    if rules.get("blame_patterns"):
        mends.append("takes back one of its commits (revert)")
    days = rules.get("hotfix_within_days", 0)
    kinds = {"patch": "a patch or post version", "post": "a post version"}.get(rules.get("hotfix_version", ""), "")
    mends.append(f"mends it within {days:g} days ({' or '.join(filter(None, [kinds, 'named hotfix']))})")
    parts.append(f"failed: a later one {' or '.join(mends)}. git itself knows no failures")
    counts = {word: count for word, count in about.get("reverts", {}).items() if count}
    reverts = ", ".join(f"{count} {word}" for word, count in counts.items())
    parts.append(f"reverts found: {reverts or 'none'}")
    return "; ".join(parts) + "."


def describe_sensitivity(sensitivity: pd.DataFrame) -> str:
    """Change fail rate under each variant of the rule, with its interval."""
    texts = []
    for row in sensitivity.itertuples():
        if pd.isna(row.value):
            texts.append(f"{row.rule}: no value")
            continue
        interval = format_interval(row.value, row.low, row.high, "share")
        texts.append(f"{row.rule} {format_measure(row.value, 'share')} ({interval})")
    return "; ".join(texts) + ". With neither there is nothing that could count as a failure."


def describe_effects(effects: pd.DataFrame, series: Sequence[str] = ()) -> str:
    """Changes of level of an interrupted time series, with intervals and corrected p-values."""
    rows = effects[effects["effect"] == "level_change"]
    rows = rows[rows["series"].isin(series)] if series else rows
    texts = []
    for row in rows.itertuples():
        if pd.isna(row.value):
            continue
        p_value = "" if pd.isna(row.p_holm) else f", corrected p {row.p_holm:.2g}"
        low, high = (("–" if pd.isna(bound) else _short(bound)) for bound in (row.low, row.high))
        unit = f" {row.unit}" if row.unit else ""
        texts.append(f"{row.name} {row.scale} {_short(row.value)}{unit} ({low} to {high}{p_value})")
    words = "; ".join(texts) or "no series is long enough on both sides"
    return f"change of level, segmented regression: {words}. Whatever else changed then is in it."


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
