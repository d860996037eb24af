"""Figures that show what a number hangs on: levels as probabilities, and one log under several definitions."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETRIGHT
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from analysis.base.errors import InputError, Problem
from analysis.kpi.display import name_metric
from analysis.kpi.pictures import duration_limits, set_duration_axis
from analysis.kpi.rules import FAIL, FREQUENCY, LEAD, MTTR, RECOVERY
from analysis.plots.theme import PALETTE, SMALL_SIZE_PT, TEXT_WIDTH_IN, lightness, new_figure

LEVELS = ("elite", "high", "medium", "low")

_COLOURS = ("#163a5a", "#6a9cc6", "#a9c6df", "#e6eef6")  # dark to light: elite to low
_ROOM = {"name": 0.0105, "share": 0.055}  # of the axis: a letter of a name, and a percentage by itself

_PANELS = (
    (LEAD, (LEAD,), "Change lead time"),
    (FREQUENCY, (FREQUENCY,), "Deployments a week"),
    (FAIL, (FAIL,), "Change fail rate"),
    (RECOVERY, (RECOVERY, MTTR), "Recovery time"),
)


def draw_levels(levels: pd.DataFrame, *, height_in: float = 1.9, width_in: float = TEXT_WIDTH_IN) -> Figure:
    """How probable each published level is, one stacked bar a metric.

    Parameters
    ----------
    levels : DataFrame
        As `analysis.kpi.levels.compute_levels` gives, of one year. Metrics without probabilities have the reason in
        the place of their bar.

    Raises
    ------
    InputError
        No rows.
    """
    if levels.empty:
        raise InputError("Levels cannot be drawn.", [Problem("levels", "there is no row", "")])
    figure, axes = new_figure(height_in, width_in=width_in)
    metrics = list(dict.fromkeys(levels["metric"]))
    for place, metric in enumerate(metrics):
        rows = levels[levels["metric"] == metric]
        if rows["probability"].isna().all():
            note = textwrap.shorten(rows["note"].iloc[0] or "no value", int(9 * width_in), placeholder=" …")
            axes.text(0.01, place, note, va="center", fontsize=SMALL_SIZE_PT, color=PALETTE["muted"], style="italic")
            continue
        left = 0.0
        for row in rows.itertuples():
            share = float(np.clip(row.probability, 0, 1))
            style = _style(row.level)
            axes.barh(place, share, left=left, height=0.7, linewidth=0.5, edgecolor=PALETTE["ink"], **style)
            _write_share(axes, left, share, place, row.level, style)
            left += share
    axes.set_yticks(range(len(metrics)), [name_metric(metric) for metric in metrics])
    axes.set_ylim(len(metrics) - 0.45, -0.55)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    handles = [Patch(facecolor=colour, edgecolor=PALETTE["ink"]) for colour in _COLOURS]
    names = list(LEVELS)
    handles.append(Patch(facecolor="white", edgecolor=PALETTE["ink"], hatch="////"))
    names.append("where the report has no level")
    figure.legend(handles, names, loc="outside lower center", ncols=5, handlelength=1.4, columnspacing=1.3)
    return figure


def draw_multiverse(multiverse: pd.DataFrame, *, height_in: float = 2.1, width_in: float = TEXT_WIDTH_IN) -> Figure:
    """One log under several sets of rules: a panel a metric, a row a set, a dot on its interval.

    Parameters
    ----------
    multiverse : DataFrame
        As `analysis.kpi.multiverse.compute_multiverse` gives.

    Notes
    -----
    Open dots count something else than full ones: days with a deployment instead of deployments, restoring service
    instead of recovering from a failed deployment. A dot without whisker has no interval; a whisker with an arrow has
    no upper bound, or one beyond the axis.

    Raises
    ------
    InputError
        No rows.
    """
    if multiverse.empty:
        raise InputError("The definitions cannot be drawn.", [Problem("multiverse", "there is no row", "")])
    names = list(dict.fromkeys(multiverse["rules"]))
    figure, panels = new_figure(height_in, width_in=width_in, ncols=len(_PANELS), sharey=True)
    for axes, (metric, alternatives, title) in zip(panels, _PANELS, strict=True):
        found = [_find(multiverse, name, alternatives) for name in names]
        bounds = [row[column] for row in found if row is not None for column in ("value", "low", "high")]
        known = np.array([bound for bound in bounds if not pd.isna(bound)], dtype=float)
        low, high = _set_axis(axes, metric, known, 0.8 * width_in / len(_PANELS))
        for place, row in enumerate(found):
            if row is None or pd.isna(row["value"]):
                why = "not defined" if row is None else "no value"
                style: dict[str, Any] = {"color": PALETTE["muted"], "style": "italic", "fontsize": SMALL_SIZE_PT}
                style["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
                axes.annotate(why, (0.03, place), xycoords=("axes fraction", "data"), va="center", **style)
                continue
            _draw_dot(axes, place, row, hollow=row["metric"] == MTTR or row["unit"] == "days/week", ends=(low, high))
        axes.set_title(title, fontsize=SMALL_SIZE_PT)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=SMALL_SIZE_PT)
        axes.spines["left"].set_visible(False)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


def _find(multiverse: pd.DataFrame, rules: str, metrics: tuple[str, ...]) -> pd.Series | None:
    """The first of the metrics that the set defines; a value rather than none."""
    own = multiverse[(multiverse["rules"] == rules) & multiverse["metric"].isin(metrics)]
    own = own[own["note"] != "not defined by these rules"]
    if own.empty:
        return None
    own = own.sort_values("metric", key=lambda column: column.map(metrics.index), kind="stable")
    valued = own[own["value"].notna()]
    return (own if valued.empty else valued).iloc[0]


def _set_axis(axes: Axes, metric: str, known: np.ndarray, axis_in: float) -> tuple[float, float]:
    if metric in (LEAD, RECOVERY):
        low, high = duration_limits(known) if len(known) else (1.0, 24.0)
        set_duration_axis(axes, low, high, axis_in)
        return low, high
    high = float(known.max()) * 1.1 if len(known) and known.max() > 0 else 1.0
    high = min(high, 1.0) if metric == FAIL else high
    axes.set_xlim(0, high)
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]))
    if metric == FAIL:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return 0.0, high


def _draw_dot(axes: Axes, place: int, row: pd.Series, *, hollow: bool, ends: tuple[float, float]) -> None:
    colour = PALETTE["secondary"] if hollow else PALETTE["primary"]
    low, high = (row["value"] if pd.isna(row[name]) else row[name] for name in ("low", "high"))
    endless = pd.isna(row["high"]) and not pd.isna(row["low"])
    if endless or high > ends[1]:  # the whisker runs off the axis
        high = ends[1]
        axes.plot(high, place, marker=CARETRIGHT, linestyle="none", markersize=5, color=colour, clip_on=False, zorder=3)
    axes.plot(np.clip([low, high], *ends), [place, place], color=colour, linewidth=1.4, solid_capstyle="butt")
    face = "white" if hollow else colour
    value = max(row["value"], ends[0])
    axes.plot(value, place, "o", markersize=4.5, markeredgewidth=1.1, markeredgecolor=colour, color=face, clip_on=False)


def _style(level: str) -> dict[str, Any]:
    """Colour of a level; between the two where a report gives them one range; hatched where it has none."""
    if level in LEVELS:
        return {"color": _COLOURS[LEVELS.index(level)]}
    named = [name for name in LEVELS if name in level.split(" or ")]
    if named:
        return {"color": _COLOURS[LEVELS.index(named[-1])]}
    return {"facecolor": "white", "hatch": "////"}


def _write_share(axes: Axes, left: float, share: float, place: int, level: str, style: dict[str, Any]) -> None:
    """The level's name and probability in its piece of the bar, as far as there is room."""
    percentage = f"{100 * share:.0f}%"
    named = level in LEVELS or (" or " in level and "between" not in level)
    text = f"{level} {percentage}" if named or share > 0.3 else percentage
    if share < len(text) * _ROOM["name"] + 0.01:
        text = percentage
    if share < _ROOM["share"]:
        return
    dark = "color" in style and lightness(style["color"]) < 0.5
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if "hatch" in style else None
    colour = "white" if dark else PALETTE["ink"]
    axes.text(left + share / 2, place, text, ha="center", va="center", fontsize=SMALL_SIZE_PT, color=colour, bbox=box)
