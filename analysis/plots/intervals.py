"""Estimates as dots with their intervals as whiskers, grouped, with the numbers printed beside."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis.base.errors import InputError, Problem
from analysis.plots.theme import PALETTE, SMALL_SIZE_PT, new_figure

_ROW_IN = 0.235


def draw_intervals(
    rows: pd.DataFrame,
    *,
    axis_title: str,
    share: bool = True,
    limits: tuple[float, float] | None = None,
    reference: float | None = None,
) -> Figure:
    """Dot and whisker, one row an estimate, under a heading for each group.

    Parameters
    ----------
    rows : DataFrame
        ``group``, ``label``, ``value``, ``low``, ``high``, ``text`` (printed at the right), drawn
        from top to bottom in the order given; optional ``hollow`` (boolean: an open dot, for
        numbers of weaker standing).
    axis_title : str
        What the values are, with the interval's confidence.
    share : bool
        Values are shares and the axis shows per cent.
    limits : (float, float), optional
        Ends of the axis; 0 to 1 for shares, else the data's range.
    reference : float, optional
        Where to draw a dashed line.

    Raises
    ------
    InputError
        No rows, a group that is interrupted by another, or a value outside its interval or without one; all listed.
    """
    _check(rows)
    places: list[tuple[float, dict[str, Any]]] = []
    headings: list[tuple[float, str]] = []
    y = 0.0
    for group, members in rows.groupby("group", sort=False):
        headings.append((y, str(group)))
        for row in members.to_dict("records"):
            y += 1
            places.append((y, row))
        y += 1.35
    bottom = places[-1][0] + 0.6
    figure, axes = new_figure(0.5 + _ROW_IN * bottom)
    for place, row in places:
        axes.plot(
            [row["low"], row["high"]], [place, place], color=PALETTE["primary"], linewidth=1.6, solid_capstyle="butt"
        )
        axes.plot(
            row["value"],
            place,
            "o",
            markersize=5,
            markeredgewidth=1.2,
            markeredgecolor=PALETTE["primary"],
            color="white" if row.get("hollow") else PALETTE["primary"],
        )
        axes.annotate(
            row["text"],
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=SMALL_SIZE_PT,
            annotation_clip=False,
        )
    if reference is not None:
        axes.axvline(reference, color=PALETTE["muted"], linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.set_ylim(bottom, -0.6)
    axes.set_yticks([place for place, _ in headings] + [place for place, _ in places])
    axes.set_yticklabels([name for _, name in headings] + [row["label"] for _, row in places])
    for tick in axes.get_yticklabels()[: len(headings)]:
        tick.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    if share:
        axes.set_xlim(limits or (0, 1))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    elif limits:
        axes.set_xlim(limits)
    axes.set_xlabel(axis_title)
    return figure


def _check(rows: pd.DataFrame) -> None:
    problems = []
    if rows.empty:
        problems.append(Problem("rows", "there is nothing to draw", "give at least one estimate"))
    runs = (rows["group"] != rows["group"].shift()).cumsum()
    split = rows["group"].groupby(rows["group"]).size().index[runs.groupby(rows["group"]).nunique() > 1]
    problems += [Problem(str(group), "its rows do not stand together", "sort the rows by group") for group in split]
    # Written so that a missing value or bound counts as outside.
    wrong = rows[~((rows["value"] >= rows["low"] - 1e-12) & (rows["value"] <= rows["high"] + 1e-12))]
    problems += [
        Problem(
            f"{row['group']}, {row['label']}",
            f"value {row['value']:g} outside {row['low']:g} to {row['high']:g}",
            "check the estimate",
        )
        for row in wrong.to_dict("records")
    ]
    if problems:
        raise InputError("The intervals cannot be drawn.", problems)
