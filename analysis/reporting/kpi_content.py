"""What the one-page report on a project's delivery says: its texts, tables and figures, before any layout."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pandas as pd
import polars as pl

from analysis.kpi.display import build_findings_table, build_metric_table, split_metric
from analysis.kpi.dora import compute_dora
from analysis.kpi.events import PRODUCTION, EventLog
from analysis.kpi.facts import compute_incidents
from analysis.kpi.mlkpi import compute_ml_kpis
from analysis.kpi.multiverse import compute_multiverse
from analysis.kpi.reading import in_production
from analysis.kpi.rules import DORA_2025, RULE_SETS, Rules, name_production
from analysis.kpi.samples import Samples, collect_samples
from analysis.reporting.kpi_figures import Picture, draw_page
from analysis.reporting.kpi_words import write_notes

ML_TYPES = ("training.finished", "model.promoted", "model.rejected", "observation.recorded", "degradation.started")
"""Types of events without which metrics of models have nothing to say."""

LIMITS = (
    "What this page can and cannot say. It describes what the records show of one way of working; it says nothing of "
    "why, nothing of the people, and nothing of work that leaves no event. Intervals hold chance under the method "
    "named, not gaps in the records and not the choice of definitions, which moves values as the last figure shows. "
    "Compare a project with its own past; the definitions, sources and risks of two projects seldom agree. DORA's "
    "levels are groups of one year's survey answers, not limits to be reached, and a metric that is rewarded stops "
    "being a measure."
)

_KINDS = {
    "cdevents": "CDEvents log",
    "table": "event table",
    "github": "exports of GitHub",
    "gitlab": "exports of GitLab",
    "devlake": "tables of DevLake",
}
_ENVIRONMENT = re.compile(r"; (?:any environment|environment [^;]*)(?:; its last [^;]*)?$")
_NAME = 70  # letters of a title; longer ones lose their middle
_WORDS = 46  # letters of one word: longer ones are broken


@dataclass(frozen=True, slots=True)
class KpiPage:
    """Everything that the page says, as text ready to print.

    Attributes
    ----------
    title, subtitle : str
    facts : tuple of (str, str)
        What was read: label, text.
    metrics, ml_metrics : DataFrame
        As `analysis.kpi.display.build_metric_table` gives.
    pictures : mapping of str to Picture
        ``lead``, ``recovery``, ``activity``, ``levels``, ``multiverse``.
    notes : tuple of (str, str)
        Statements in words: rules in use, what hangs on them, what was changed when.
    interval_title, limits : str
    reasons : DataFrame
        Why the definitions differ (``metric``, ``rules``, ``differs``); for readers on a screen.
    findings : DataFrame
        Every kind of finding with its count.
    """

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    metrics: pd.DataFrame
    ml_metrics: pd.DataFrame
    pictures: Mapping[str, Picture]
    notes: tuple[tuple[str, str], ...]
    interval_title: str = "95% interval"
    limits: str = LIMITS
    reasons: pd.DataFrame = field(default_factory=pd.DataFrame)
    findings: pd.DataFrame = field(default_factory=pd.DataFrame)


def build_page(
    log: EventLog,
    *,
    rules: Rules = DORA_2025,
    production: Sequence[str] = PRODUCTION,
    year: int = 2024,
    confidence: float = 0.95,
    name: str = "",
    place: str = "",
    sensitivity: pd.DataFrame | None = None,
    change: date | None = None,
    effects: pd.DataFrame | None = None,
) -> KpiPage:
    """Compute and draw all that the page shows.

    Parameters
    ----------
    log : EventLog
        Checked (`analysis.kpi.checks.check_log`), so that its findings are whole.
    rules : Rules
        Definitions of the metrics.
    production : sequence of str
        Names of the production environment, in lower case, for all definitions shown.
    year : int
        Of the report whose levels are used.
    confidence : float
    name : str
        Title, where the log's own name does not say enough.
    place : str
        Where the log was read from, as printed.
    sensitivity : DataFrame, optional
        As `analysis.kpi.git_sensitivity.compute_rule_sensitivity` gives, for repositories.
    change, effects : date and DataFrame, optional
        Day of a change, and what `analysis.kpi.before_after.compare_before_after` makes of it.

    Raises
    ------
    InputError
        A log that covers no time, or a year without levels.
    """
    rules = name_production(rules, production)
    samples = collect_samples(log, rules)
    table = compute_dora(samples, confidence=confidence)
    multiverse = compute_multiverse(log, [name_production(one, production) for one in RULE_SETS.values()], confidence)
    ml = pd.DataFrame(columns=table.columns)
    if has_ml_events(log):
        ml = compute_ml_kpis(log, production=production, confidence=confidence)
    differing = multiverse[multiverse["differs"].fillna("") != ""]
    return KpiPage(
        shorten(name or log.name or "Event log", _NAME),
        f"Delivery metrics · {samples.begin:%-d %B %Y} to {samples.end:%-d %B %Y}",
        tuple((label, breakable(text)) for label, text in describe_log(log, samples, place)),
        build_printed_metrics(table).map(breakable),
        build_metric_table(ml[ml["n"] > 0] if len(ml) else ml).map(breakable),
        draw_page(log, samples, table, multiverse, year, confidence, change),
        tuple((label, breakable(text)) for label, text in write_notes(log, rules, sensitivity, change, effects)),
        interval_title=f"{100 * confidence:g}% interval",
        reasons=differing[["metric", "rules", "differs"]].reset_index(drop=True),
        findings=build_findings_table(log.findings),
    )


def has_ml_events(log: EventLog) -> bool:
    """Whether the log says anything of models."""
    found = log.events.filter(pl.col("type").is_in(list(ML_TYPES))).head(1)
    return not found.collect(engine="streaming").is_empty()


def describe_log(log: EventLog, samples: Samples, place: str = "") -> list[tuple[str, str]]:
    """What was read: source, span, counts, findings; label and text of each."""
    about = log.about
    kind = str(about.get("kind") or about.get("forge") or ("git repository" if "reverts" in about else "event log"))
    source = [_KINDS.get(kind, kind)]
    source += [place] if place else []
    if about.get("commit"):
        branch = f"branch {about['branch']} at " if about.get("branch") else "commit "
        source.append(f"{branch}{str(about['commit'])[:10]}")
    if about.get("version"):
        source.append(f"newest release {about['version']}")
    if about.get("shallow"):
        source.append("a shallow clone: history before it is missing")
    weeks = (samples.end - samples.begin) / timedelta(weeks=1)
    span = f"{samples.begin:%Y-%m-%d %H:%M} to {samples.end:%Y-%m-%d %H:%M} UTC, {weeks:,.1f} weeks"
    facts = [
        ("Source", ", ".join(shorten(item, 90) for item in source)),
        ("Watched", span),
        ("Counted", _count(log, samples)),
    ]
    if uncounted := _describe_uncounted(log, samples.rules):
        facts.append(("Uncounted", uncounted))
    return [*facts, ("Findings", _describe_findings(log.findings))]


def shorten(text: str, most: int) -> str:
    """A text of at most so many letters, without its middle where it is longer.

    >>> shorten("a-very-long-name-of-a-project", 15)
    'a-very-…project'
    """
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[-(most - 1 - head) :]}"


def breakable(text: Any) -> Any:
    """A text whose very long words may be broken, by invisible spaces; anything else as it is."""
    if not isinstance(text, str):
        return text
    return re.sub(rf"\S{{{_WORDS},}}", lambda word: "\u200b".join(re.findall(r".{1,23}", word[0])), text)


def build_printed_metrics(table: pd.DataFrame) -> pd.DataFrame:
    """The metrics for paper: no means, and what all definitions share (the environment) is left to the rules."""
    shown = build_metric_table(table[~table["metric"].str.endswith("_mean")])
    shared = _ENVIRONMENT.search(shown["definition"].iloc[0]) if len(shown) else None
    if shared and shown["definition"].str.endswith(shared[0]).all():
        shown["definition"] = shown["definition"].str.removesuffix(shared[0])
    further = shown["key"].map(lambda key: split_metric(key)[1])
    shown.loc[further != "", "definition"] = "the same, for " + further[further != ""] + "% of them"
    return shown


def _count(log: EventLog, samples: Samples) -> str:
    kind = pl.col("type")
    changes = log.events.filter(kind.str.starts_with("change.") | (kind == "service.deployed"))
    change = pl.coalesce("change", pl.when(kind.str.starts_with("change.")).then("subject"))
    seen = pl.collect_all(
        [
            changes.select(pl.col("service").fill_null(""), change.alias("change")).drop_nulls("change").unique(),
            log.events.select(pl.col("service").drop_nulls().unique()),
        ],
        engine="streaming",
    )
    incidents = compute_incidents(log, samples.rules).select("censored").collect()["censored"]
    parts = [
        _plural(len(seen[0]), "change"),
        _plural(len(samples.deployments), "deployment")
        + (f" ({int(samples.deployments['failed'].sum()):,} failed)" if len(samples.deployments) else ""),
        _plural(len(incidents), "incident") + (f" ({int(incidents.sum()):,} open)" if incidents.sum() else ""),
    ]
    services = seen[1]["service"].sort().to_list()
    if services:
        named = ", ".join(shorten(name, 24) for name in services[:4]) + (" …" if len(services) > 4 else "")
        parts.append(f"{_plural(len(services), 'service')}: {named}")
    return " · ".join(parts)


def _describe_uncounted(log: EventLog, rules: Rules) -> str:
    """What is in the log and, by the rules, not in the metrics: failed attempts, and other environments by name."""
    deployed, incident = (pl.col("type") == kind for kind in ("service.deployed", "incident.detected"))
    here = in_production(rules)
    attempt = deployed & here & (pl.col("outcome") == "failure").fill_null(False)
    elsewhere = (deployed & ~here) | (incident & ~here & pl.col("environment").is_not_null())
    where = pl.when(elsewhere).then(pl.col("environment").fill_null("an environment without name"))
    subject = pl.struct("service", "subject").n_unique().alias("count")
    chosen = log.events.filter(elsewhere | attempt).group_by("type", where.alias("where")).agg(subject)
    found = chosen.sort("type", "count", "where", descending=[False, True, False]).collect(engine="streaming")
    parts = []
    for kind, noun in (("service.deployed", "deployment"), ("incident.detected", "incident")):
        own = found.filter((pl.col("type") == kind) & pl.col("where").is_not_null())
        if own.height:
            named = ", ".join(f"{shorten(name, 24)} {count:,}" for _, name, count in own.head(3).iter_rows())
            more = f" and {own.height - 3} more" if own.height > 3 else ""
            parts.append(f"{_plural(int(own['count'].sum()), noun)} elsewhere ({named}{more})")
    if rules.attempts == "left out":
        failed = found.filter(pl.col("where").is_null())["count"].sum()
        parts += [_plural(int(failed), "attempt") + " that failed"] if failed else []
    return " · ".join(parts)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _describe_findings(findings: pl.DataFrame) -> str:
    table = build_findings_table(findings, kinds=6)
    if table.empty:
        return "none"
    items = [
        f"{shorten(finding, 40)}: {count:,} ({treatment})"
        for finding, treatment, count in table[["finding", "treatment", "count"]].itertuples(index=False)
    ]
    return " · ".join(items)
