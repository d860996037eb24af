"""Paired differences of many quantities: a panel each, since their units differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.base.errors import InputError, Problem
from analysis.plots import theme

_COLUMNS = 2
_ROW_IN = 0.21


def draw_paired_differences(rows: pd.DataFrame, *, interval_label: str) -> Figure:
    """Draw every pair's difference as a ring and their centre as a diamond with its interval, if it has one.

    Parameters
    ----------
    rows : DataFrame
        ``panel`` (heading), ``label``, ``value``, ``low``, ``high`` (missing where there is no interval),
        ``differences`` (sequence of float), ``unit``; panels and rows in the order given.
    interval_label : str
        What the whiskers are, for the legend.

    Raises
    ------
    InputError
        No rows, a panel that is interrupted by another or has more than one unit, a value outside its interval;
        all listed.
    """
    _check(rows)
    panels = [(name, members) for name, members in rows.groupby("panel", sort=False)]
    lines = -(-len(panels) // _COLUMNS)
    tallest = max(len(members) for _, members in panels)
    figure, grid = theme.new_figure(
        lines * (_ROW_IN * tallest + 0.74) + 0.35, nrows=lines, ncols=_COLUMNS, squeeze=False, sharey=True
    )
    for axes, (name, members) in zip(grid.ravel(), panels, strict=False):
        _draw_panel(axes, str(name), members, tallest)
    for axes in grid.ravel()[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[:, 1:].ravel():
        axes.tick_params(labelleft=False)
    style = {"linestyle": "none", "color": theme.PALETTE["primary"]}
    handles = [
        Line2D([], [], marker="o", markerfacecolor="none", markersize=4, markeredgecolor=theme.PALETTE["muted"], ls="")
    ]
    labels = ["one seed"]
    handles.append(Line2D([], [], marker="D", markersize=5, **style))
    labels.append("centre of the differences")
    if rows["low"].notna().any():
        handles.append(Line2D([], [], color=theme.PALETTE["primary"], linewidth=1.6))
        labels.append(interval_label)
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_panel(axes: Axes, name: str, members: pd.DataFrame, tallest: int) -> None:
    axes.axvline(0, color=theme.PALETTE["muted"], linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    for place, row in enumerate(members.itertuples()):
        single = np.asarray(row.differences, dtype=float)
        axes.plot(
            single,
            np.full(len(single), float(place)),
            "o",
            markersize=4,
            markerfacecolor="none",
            markeredgecolor=theme.PALETTE["muted"],
            markeredgewidth=0.8,
            zorder=2,
        )
        if np.isfinite(row.low) and np.isfinite(row.high):
            axes.plot([row.low, row.high], [place, place], color=theme.PALETTE["primary"], linewidth=1.6, zorder=3)
        if np.isfinite(row.value):
            axes.plot(row.value, place, "D", markersize=5, color=theme.PALETTE["primary"], zorder=4)
        else:
            axes.text(0.98, place, "none", transform=axes.get_yaxis_transform(), ha="right", va="center")
    axes.set_title(name, fontsize=theme.FONT_SIZE_PT)
    axes.set_yticks(range(len(members)), list(members["label"]))
    axes.set_ylim(tallest - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=theme.SMALL_SIZE_PT)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.locator_params(axis="x", nbins=5)
    low, high = axes.get_xlim()
    reach = max(abs(low), abs(high))
    if not np.isfinite(reach) or reach == 0:
        reach = 1.0
    axes.set_xlim(min(low, -0.12 * reach), max(high, 0.12 * reach))
    axes.set_xlabel(members["unit"].iloc[0], fontsize=theme.SMALL_SIZE_PT)


def _check(rows: pd.DataFrame) -> None:
    problems = []
    if rows.empty:
        problems.append(Problem("rows", "there is nothing to draw", "give at least one comparison"))
    runs = (rows["panel"] != rows["panel"].shift()).cumsum()
    split = rows["panel"].groupby(rows["panel"]).size().index[runs.groupby(rows["panel"]).nunique() > 1]
    problems += [Problem(str(panel), "its rows do not stand together", "sort the rows by panel") for panel in split]
    units = rows.groupby("panel")["unit"].nunique()
    problems += [Problem(str(panel), "it has several units", "one unit a panel") for panel in units.index[units > 1]]
    wrong = rows[rows["low"].notna() & ~((rows["value"] >= rows["low"]) & (rows["value"] <= rows["high"]))]
    problems += [
        Problem(f"{row.panel}, {row.label}", f"value {row.value:g} outside {row.low:g} to {row.high:g}", "check it")
        for row in wrong.itertuples()
    ]
    if problems:
        raise InputError("The differences cannot be drawn.", problems)
