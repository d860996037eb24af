"""Figures of one log: lead times, deployments and failures over time, recoveries.

Durations span minutes to years and stand on a logarithmic axis with the ticks of a calendar. Every curve or rate is
drawn with its interval. Figures are as wide as the text unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator, PercentFormatter

from analysis.base.errors import InputError, Problem
from analysis.kpi.activity import DEPLOYED, FAILED
from analysis.kpi.display import format_interval, format_measure
from analysis.kpi.rules import LEAD, LEAD_MERGE
from analysis.plots.theme import PALETTE, SMALL_SIZE_PT, TEXT_WIDTH_IN, new_figure
from analysis.stats.survival import compute_kaplan_meier

MINUTE, DAY, YEAR = 1 / 60, 24.0, 8760.0

_LETTER_IN = 0.075  # of a tick's label
_POINTS = 400  # of a curve: more cannot be told apart on paper
_STYLES = {
    LEAD: {"color": PALETTE["primary"], "linewidth": 1.7},
    LEAD_MERGE: {"color": PALETTE["secondary"], "linewidth": 1.4, "linestyle": (0, (4, 1.5))},
}
_COARSE = (
    (1 / 3600, "1 s"),
    (MINUTE, "1 min"),
    (10 * MINUTE, "10 min"),
    (1.0, "1 h"),
    (6.0, "6 h"),
    (DAY, "1 day"),
    (7 * DAY, "1 wk"),
    (YEAR / 12, "1 mo"),
    (YEAR / 2, "6 mo"),
    (2 * YEAR, "2 yr"),
    (10 * YEAR, "10 yr"),
)
_FINE = (
    *((minutes * MINUTE, f"{minutes} min") for minutes in (2, 5, 20, 40)),
    *((float(hours), f"{hours} h") for hours in (2, 3, 4, 9, 12, 18)),
    *((days * DAY, f"{days} days") for days in (2, 3, 4, 5, 14, 21, 45)),
    *((months * YEAR / 12, f"{months} mo") for months in (2, 3, 4, 9)),
    *((years * YEAR, f"{years} yr") for years in (1, 3, 5)),
)


def draw_lead_times(
    hours: dict[str, Sequence[float]],
    table: pd.DataFrame,
    *,
    start: str = "first commit",
    height_in: float = 2.4,
    width_in: float = TEXT_WIDTH_IN,
) -> Figure:
    """Share of changes delivered within a time, with median and 90 % quantile and their intervals.

    Parameters
    ----------
    hours : dict of str to sequence of float
        Metric (`LEAD`, `LEAD_MERGE`) → lead times, from 0 on.
    table : DataFrame
        As `analysis.kpi.dora.compute_dora` gives, not grouped, with the quantile 0.9.
    start : str
        What change lead times start from, as `analysis.kpi.samples.Samples.lead_start` has it.

    Raises
    ------
    InputError
        No lead time at all, or one below 0.
    """
    curves = {metric: np.sort(np.asarray(values, dtype=float)) for metric, values in hours.items() if len(values)}
    problems = [
        Problem(metric, f"{np.sum(~(values >= 0))} below 0 or missing", "leave them out, and say so")
        for metric, values in curves.items()
        if not np.all(values >= 0)
    ]
    if problems or not curves:
        raise InputError("Lead times cannot be drawn.", problems or [Problem("hours", "there is none", "")])
    figure, axes = new_figure(height_in, width_in=width_in)
    low, high = duration_limits(np.concatenate(list(curves.values())))
    shown = table.set_index("metric")
    names = {LEAD: f"from {start}", LEAD_MERGE: "from merge"}
    for metric, values in curves.items():
        place = np.unique(np.linspace(0, len(values) - 1, min(len(values), _POINTS)).round().astype(int))
        x = np.concatenate([[low], np.maximum(values[place], low), [high]])
        y = np.concatenate([[0.0], (place + 1) / len(values), [1.0]])
        axes.step(x, y, where="post", label=names.get(metric, metric), **_STYLES.get(metric, {}))
        for key, share in ((metric, 0.5), (f"{metric}_p90", 0.9)):
            if key in shown.index and not pd.isna(shown.loc[key, "value"]):
                _mark(axes, shown.loc[key], share, low, _STYLES.get(metric, {}).get("color", PALETTE["ink"]))
    set_duration_axis(axes, low, high, 0.8 * width_in)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 0.9, 1.0])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="both")
    axes.set_ylabel("changes delivered")
    axes.set_xlabel("within (logarithmic)")
    axes.legend(loc="upper left" if _leans_right(curves, low, high) else "lower right", handlelength=1.8)
    return figure


def draw_activity(
    activity: pd.DataFrame,
    trend: pd.DataFrame,
    *,
    intervention: date | None = None,
    height_in: float = 2.6,
    width_in: float = TEXT_WIDTH_IN,
) -> Figure:
    """Deployments, and failed ones below, a week: bars with exact intervals, and the trend as a dashed line.

    Parameters
    ----------
    activity : DataFrame
        As `analysis.kpi.activity.compute_activity` gives.
    trend : DataFrame
        As `analysis.kpi.activity.compute_activity_trend` gives; without rows there is no line.
    intervention : date, optional
        Marked by an upright line.

    Notes
    -----
    The axis ends where the intervals end of periods of which at least half was watched; others may run off it.
    """
    figure, panels = new_figure(height_in, width_in=width_in, nrows=2, sharex=True, height_ratios=(3, 2))
    slopes = trend.set_index("metric") if len(trend) else pd.DataFrame()
    watched = activity["end"] - activity["begin"]
    broad = activity[watched >= watched.max() / 2]
    kinds = ((DEPLOYED, "deployments", PALETTE["tertiary"]), (FAILED, "failed", PALETTE["secondary"]))
    for axes, (metric, name, colour) in zip(panels, kinds, strict=True):
        rows = activity[activity["metric"] == metric]
        begin, end = date2num(rows["begin"]), date2num(rows["end"])
        middle, width = (begin + end) / 2, 0.8 * (end - begin)
        edge = {"edgecolor": PALETTE["ink"], "linewidth": 0.3}
        axes.bar(middle, rows["value"], width=width, color=colour, **edge)
        axes.vlines(middle, rows["low"], rows["high"], color=PALETTE["ink"], linewidth=0.6)
        top = broad.loc[broad["metric"] == metric, "high"].max()
        axes.set_ylim(0, 1.04 * top)
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=top >= 4, steps=[1, 2, 5, 10]))
        axes.grid(axis="y")
        axes.set_ylabel(name, color=PALETTE["ink"])
        if metric in slopes.index:
            _draw_trend(axes, rows, slopes.loc[metric])
        if intervention is not None:
            axes.axvline(date2num(intervention), color=PALETTE["ink"], linewidth=1.0, linestyle=(0, (1, 1)))
    locator = AutoDateLocator(minticks=3, maxticks=9)
    panels[1].xaxis.set_major_locator(locator)
    panels[1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    panels[1].set_xlim(date2num(activity["begin"].min()), date2num(activity["end"].max()))
    figure.supylabel("a week", fontsize=SMALL_SIZE_PT, color=PALETTE["muted"])
    return figure


def draw_recoveries(
    recoveries: pl.DataFrame,
    *,
    confidence: float = 0.95,
    height_in: float = 2.4,
    width_in: float = TEXT_WIDTH_IN,
) -> Figure:
    """Share of failures not yet recovered from, by time since they began (Kaplan–Meier), open ones as ticks.

    Parameters
    ----------
    recoveries : DataFrame
        ``hours`` and ``censored``: as `analysis.kpi.samples.Samples.durations` has it.
    confidence : float
        Of the band, pointwise.

    Raises
    ------
    InputError
        No recovery: there is nothing to draw, and no zero either.
    """
    if recoveries.is_empty():
        raise InputError("Recoveries cannot be drawn.", [Problem("recoveries", "there is none", "say so in words")])
    hours, open_ = recoveries["hours"].to_numpy(), recoveries["censored"].to_numpy()
    curve = compute_kaplan_meier(hours, open_, confidence)
    low, high = duration_limits(hours)
    figure, axes = new_figure(height_in, width_in=width_in)
    times = np.concatenate([[low], np.maximum(curve["time"], low), [high if open_.any() else hours.max()]])
    survival = np.concatenate([[1.0], curve["survival"]])
    bounds = {name: np.concatenate([[1.0], curve[name].to_numpy(float)]) for name in ("low", "high")}
    if np.isfinite(curve["low"]).any():
        edges = [np.append(bounds[name], bounds[name][-1]) for name in ("low", "high")]
        style = {"color": PALETTE["tertiary"], "alpha": 0.55, "linewidth": 0}
        axes.fill_between(times, *edges, step="post", label=f"{100 * confidence:g}% interval", **style)
    axes.step(times, np.append(survival, survival[-1]), where="post", color=PALETTE["primary"], linewidth=1.7)
    still = np.sort(hours[open_])
    if len(still):
        level = survival[np.searchsorted(curve["time"].to_numpy(), still, side="right")]
        style = {"marker": "|", "markersize": 9, "markeredgewidth": 1.4, "linestyle": "none"}
        axes.plot(np.maximum(still, low), level, color=PALETTE["ink"], label="still open", clip_on=False, **style)
    axes.axhline(0.5, color=PALETTE["muted"], linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    set_duration_axis(axes, low, high, 0.8 * width_in)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="both")
    axes.set_ylabel("not yet recovered")
    axes.set_xlabel("after (logarithmic)")
    if axes.get_legend_handles_labels()[0]:
        free = "lower left" if np.median(hours) > np.sqrt(low * high) else "upper right"
        axes.legend(loc=free)
    return figure


def duration_limits(hours: np.ndarray) -> tuple[float, float]:
    """Ends of a logarithmic axis of durations, in hours: never below a minute, never less than a factor of ten."""
    values = np.asarray(hours, dtype=float)
    values = np.maximum(values[np.isfinite(values)], MINUTE)
    # A few commits of years ago must not take the room of all others: beyond a thousandth they are at the edge.
    low, high = np.quantile(values, 0.001) / 1.4, values.max() * 1.3
    spare = max(1.0, np.sqrt(10 / (high / low)))
    return max(low / spare, MINUTE), high * spare


def set_duration_axis(axes: Axes, low: float, high: float, axis_in: float = 3.5) -> None:
    """A logarithmic axis of hours with ticks at 1 h, 1 day, 1 wk and so on, as many as fit on ``axis_in`` inches."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks: list[tuple[float, str]] = []
    candidates = [tick for tick in _COARSE if low <= tick[0] <= high]
    if len(candidates) < 4:
        candidates += [tick for tick in _FINE if low <= tick[0] <= high]
    for place, text in candidates:  # the coarse ones first: a finer one gives way
        near = [
            abs(np.log(place / other)) / np.log(high / low) * axis_in < _LETTER_IN * (len(text) + len(words)) / 2 + 0.12
            for other, words in ticks
        ]
        if not any(near):
            ticks.append((place, text))
    ticks.sort()
    axes.xaxis.set_major_locator(FixedLocator([place for place, _ in ticks]))
    axes.xaxis.set_major_formatter(FixedFormatter([text for _, text in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())


def _mark(axes: Axes, row: pd.Series, share: float, low: float, colour: str) -> None:
    """A quantile on its curve, with its interval; an end that the data do not set is left off."""
    ends = [row["value"] if pd.isna(row[name]) else row[name] for name in ("low", "high")]
    axes.plot(np.maximum(ends, low), [share, share], color=colour, linewidth=3.2, alpha=0.45, solid_capstyle="butt")
    axes.plot(max(row["value"], low), share, "o", markersize=4.5, color=colour, markeredgecolor="white", zorder=5)


def _leans_right(curves: dict[str, np.ndarray], low: float, high: float) -> bool:
    """Whether the curves leave their room at the upper left."""
    middle = np.sqrt(low * high)
    return float(np.mean([np.mean(values <= middle) for values in curves.values()])) < 0.5


def _draw_trend(axes: Axes, rows: pd.DataFrame, slope: pd.Series) -> None:
    whole = rows[rows["whole"]].reset_index(drop=True)
    if pd.isna(slope["slope"]) or len(whole) < 2:
        return
    place = np.arange(len(whole))
    start = float(np.median(whole["value"] - slope["slope"] * place))
    line = start + slope["slope"] * place
    middle = (date2num(whole["begin"]) + date2num(whole["end"])) / 2
    axes.plot(middle, line, color=PALETTE["ink"], linewidth=1.3, linestyle=(0, (5, 2)), zorder=4)
    axes.annotate(
        describe_trend(slope),
        (0.995, 0.97),
        xycoords="axes fraction",
        ha="right",
        va="top",
        fontsize=SMALL_SIZE_PT,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0},
        zorder=6,
    )


def describe_trend(slope: pd.Series) -> str:
    """A row of a trend in words.

    >>> describe_trend(pd.Series({"slope": 0.01, "low": -0.02, "high": 0.04, "unit": "1/week a month", "n": 20}))
    'trend: +0.010 a week, each month (-0.020 to 0.040)'
    """
    step = slope["unit"].rpartition(" a ")[2]
    largest = np.nanmax(np.abs([slope["slope"], slope["low"], slope["high"]]))
    digits = int(np.clip(1 - np.floor(np.log10(largest)), 2, 5)) if largest else 0
    value, low, high = (f"{slope[name]:{sign}.{digits}f}" for name, sign in (("slope", "+"), ("low", ""), ("high", "")))
    text = f"trend: {value if largest else 0} a week, each {step}"
    if pd.isna(slope["low"]):
        return f"{text} (no interval from {int(slope['n'])})"
    return f"{text} ({low} to {high})"


def describe_quantiles(table: pd.DataFrame, metric: str) -> str:
    """Median and 90 % quantile with their intervals in words, for captions."""
    shown = table.set_index("metric")
    texts = []
    for key, word in ((metric, "median"), (f"{metric}_p90", "90% within")):
        if key in shown.index and not pd.isna(shown.loc[key, "value"]):
            row = shown.loc[key]
            interval = format_interval(row["value"], row["low"], row["high"], row["unit"])
            interval = "no interval" if interval == "none" else interval
            texts.append(f"{word} {format_measure(row['value'], row['unit'])} ({interval})")
    return ", ".join(texts)
