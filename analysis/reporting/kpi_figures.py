"""Figures of the one-page report, each with its caption, or with the words that stand in its place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from io import BytesIO

import matplotlib as mpl
import pandas as pd
import polars as pl
from matplotlib.figure import Figure

from analysis.base.tables import load_table
from analysis.kpi.activity import choose_period, compute_activity, compute_activity_trend
from analysis.kpi.definition_pictures import draw_levels, draw_multiverse
from analysis.kpi.display import name_metric
from analysis.kpi.events import EventLog
from analysis.kpi.levels import compute_levels
from analysis.kpi.pictures import describe_quantiles, draw_activity, draw_lead_times, draw_recoveries
from analysis.kpi.rules import LEAD, LEAD_MERGE, MTTR, RECOVERY
from analysis.kpi.samples import Samples

FULL_IN, HALF_IN = 8.75, 4.3
"""Width of figures; the page prints them at five sixths, and so their letters at seven points."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure of the page, or the words that stand in its place.

    Attributes
    ----------
    title, caption : str
    svg : str
        Empty where there is nothing to draw; ``caption`` then says why.
    """

    title: str
    caption: str
    svg: str = ""


def draw_page(
    log: EventLog,
    samples: Samples,
    table: pd.DataFrame,
    multiverse: pd.DataFrame,
    year: int,
    confidence: float,
    change: date | None,
) -> dict[str, Picture]:
    """Every figure of the page, or the words in its place: ``lead``, ``recovery``, ``activity``, ``levels``,
    ``multiverse``."""
    rules = samples.rules
    leads = {
        metric: samples.durations[metric]["hours"].to_numpy()
        for metric in (LEAD, LEAD_MERGE)
        if metric in samples.durations and len(samples.durations[metric])
    }
    title = "Lead time: share of changes delivered within a time"
    if leads:
        caption = f"From {samples.lead_start}: {describe_quantiles(table, LEAD)}." if LEAD in leads else ""
        caption = f"{caption} Bars: interval of median and 90% quantile."
        picture = draw_lead_times(leads, table, start=samples.lead_start, height_in=2.0, width_in=HALF_IN)
        lead = Picture(title, caption.strip(), as_svg(picture))
    else:
        lead = Picture(title, _reason(table, LEAD, "No change was deployed, so there is no lead time."))
    pictures = {"lead": lead}
    metric = RECOVERY if RECOVERY in rules.metrics else MTTR
    cases = samples.durations.get(metric)
    title = "Recovery: share of failures not yet recovered from"
    if cases is not None and len(cases):
        still = int(cases["censored"].sum())
        words = f"Kaplan–Meier over {len(cases):,} {'case' if len(cases) == 1 else 'cases'}"
        if still:
            words += f", {still:,} of them still open at the end (ticks) and counted as lasting at least so long"
        picture = draw_recoveries(cases, confidence=confidence, height_in=2.0, width_in=HALF_IN)
        pictures["recovery"] = Picture(title, f"{words}.", as_svg(picture))
    else:
        words = "Nothing to recover from: the log has no failed deployment with an incident or a rollback."
        pictures["recovery"] = Picture(title, _reason(table, metric, words) if cases is not None else words)
    pictures["activity"] = _draw_activity(samples, confidence, change)
    levels = compute_levels(samples, load_table("kpi/dora_levels.csv"), year)
    caption = "Each metric by itself, given how much the log can tell. The order of the levels is the report's."
    doubts = levels[levels["probability"].notna() & (levels["note"] != "")].drop_duplicates("metric")
    caption += "".join(f" {name_metric(row.metric)}: {row.note}." for row in doubts.itertuples())
    pictures["levels"] = Picture(
        f"Probability of each level of DORA's report of {year}, metric by metric",
        caption,
        as_svg(draw_levels(levels, height_in=1.45, width_in=FULL_IN)),
    )
    caption = "Open dots: days with a deployment a week, or time to restore service. Arrow: no upper bound in sight."
    if not _names_environments(log):
        caption += " DevLake counts production by name only, and this log names no environment."
    pictures["multiverse"] = Picture(
        "The same log under the rules of others",
        caption,
        as_svg(draw_multiverse(multiverse, height_in=1.6, width_in=FULL_IN)),
    )
    return pictures


def _draw_activity(samples: Samples, confidence: float, change: date | None) -> Picture:
    period = choose_period(samples)
    title = f"Deployments and failed deployments a week, by {period}"
    if samples.deployments.is_empty() or not samples.begin < samples.end:
        return Picture(title, "The log has no deployment to production.")
    activity = compute_activity(samples, period, confidence)
    trend = compute_activity_trend(activity, confidence)
    caption = f"Whiskers: exact {100 * confidence:g}% Poisson intervals."
    if len(trend) and trend["slope"].notna().any():
        caption += f" Dashed: Theil–Sen trend over whole {period}s."
    if len(trend) and trend["note"].str.contains("resemble").any():
        caption += " Neighbouring periods resemble each other, so the trend's interval is too narrow."
    if change is not None:
        caption += f" Dotted: {change:%-d %B %Y}."
    return Picture(
        title, caption, as_svg(draw_activity(activity, trend, intervention=change, height_in=1.9, width_in=FULL_IN))
    )


def as_svg(figure: Figure) -> str:
    """The figure as SVG, the same bytes for the same figure."""
    target = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "kpi", "svg.fonttype": "path"}):
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue().decode()


def _reason(table: pd.DataFrame, metric: str, otherwise: str) -> str:
    """Why a metric has no value, as its table says, as a sentence."""
    notes = table.loc[table["metric"] == metric, "note"]
    note = "" if notes.empty else str(notes.iloc[0])
    plain = {"", "nothing to recover from", "no change was deployed"}
    return otherwise if note in plain else f"Not computable: {note}."


def _names_environments(log: EventLog) -> bool:
    deployed = log.events.filter((pl.col("type") == "service.deployed") & pl.col("environment").is_not_null())
    return not deployed.head(1).collect(engine="streaming").is_empty()
