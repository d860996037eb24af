"""Forest plot: effects with their intervals under headings, a line where there is none, numbers and n at the right."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFT, CARETRIGHT
from matplotlib.textpath import TextPath
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from analysis.base.errors import InputError, Problem
from analysis.plots import theme

_LINE_IN = 0.2
_GAP = 0.45  # before a heading, in lines
_WRAP = 34  # letters of a label in a line
_GUTTER_PT = 10.0
_ROUND = (1.0, 2.0, 5.0)


def draw_forest(
    rows: pd.DataFrame,
    *,
    axis_title: str,
    log: bool = False,
    reference: float | None = None,
    limits: tuple[float, float] | None = None,
    text_title: str = "",
    n_title: str = "n",
    meanings: tuple[str, str] | None = None,
) -> Figure:
    """Draw each effect as a dot on its interval, under a heading for each group.

    Parameters
    ----------
    rows : DataFrame
        ``group``, ``label``, ``value``, ``low``, ``high`` (both missing where there is no interval; a missing value
        leaves the row empty but for its text), ``text`` and ``n`` (printed at the right), drawn from top to bottom in
        the order given; optional ``hollow`` (boolean: an open dot, for effects of weaker standing). Long labels are
        broken into lines.
    axis_title : str
        What the effects are, with the confidence of the intervals.
    log : bool
        A logarithmic axis, for ratios: twice and half are equally far from one.
    reference : float, optional
        Where there is no effect, dashed; 1 on a logarithmic axis and 0 on others unless told otherwise.
    limits : (float, float), optional
        Ends of the axis; whiskers beyond them end in an arrow. By default everything is in sight.
    text_title, n_title : str
        Over the columns at the right.
    meanings : (str, str), optional
        Of full and of open dots, for a legend.

    Raises
    ------
    InputError
        No rows, a group that is interrupted by another, one bound without the other, a value outside its interval, or
        something that is not above zero on a logarithmic axis; all listed.
    """
    _check(rows, log, limits)
    places, headings, bottom = _layout(rows)
    theme.apply()
    figure, axes = theme.new_figure(0.62 + _LINE_IN * bottom + (0.22 if meanings else 0.0))
    low, high = limits or _limits(rows, log, reference)
    if log:
        axes.set_xscale("log")
    axes.set_xlim(low, high)
    line = (1.0 if log else 0.0) if reference is None else reference
    axes.axvline(line, color=theme.PALETTE["muted"], linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    for place, row in zip(places, rows.to_dict("records"), strict=True):
        _draw_row(axes, place, row, low, high)
    _print_columns(axes, places, rows, text_title, n_title)
    axes.set_ylim(bottom, -1.0)
    labels = [*(_broken(name) for _, name in headings), *(_broken(label) for label in rows["label"])]
    axes.set_yticks([*(place for place, _ in headings), *places], labels)
    for tick in axes.get_yticklabels()[: len(headings)]:
        tick.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    if log:
        ticks = _log_ticks(low, high)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:.8g}" for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(axis_title)
    if meanings:
        style: dict[str, Any] = {"marker": "o", "markersize": 5, "linestyle": "none"}
        colour = theme.PALETTE["primary"]
        handles = [
            Line2D([], [], color=colour, **style),
            Line2D([], [], markerfacecolor="white", markeredgecolor=colour, markeredgewidth=1.2, **style),
        ]
        figure.legend(handles, list(meanings), loc="outside lower center", ncols=2)
    return figure


def _layout(rows: pd.DataFrame) -> tuple[list[float], list[tuple[float, str]], float]:
    """Height of each row's middle, of each heading's, and of the bottom; in lines of text, downwards."""
    places: list[float] = []
    headings: list[tuple[float, str]] = []
    y = 0.0
    for group, members in rows.groupby("group", sort=False):
        lines = _broken(str(group)).count("\n") + 1
        headings.append((y + (lines - 1) / 2, str(group)))
        y += lines
        for label in members["label"]:
            lines = _broken(str(label)).count("\n") + 1
            places.append(y + (lines - 1) / 2)
            y += lines
        y += _GAP
    return places, headings, y - _GAP


def _broken(label: str) -> str:
    return "\n".join(wrap(str(label), _WRAP)) or " "


def _draw_row(axes: Axes, place: float, row: dict[str, Any], low: float, high: float) -> None:
    if not np.isfinite(row["value"]):
        return
    colour = theme.PALETTE["primary"]
    if np.isfinite(row["low"]):
        ends = [max(row["low"], low), min(row["high"], high)]
        axes.plot(ends, [place, place], color=colour, linewidth=1.6, solid_capstyle="butt", zorder=2)
        for beyond, end, marker in ((row["low"] < low, low, CARETLEFT), (row["high"] > high, high, CARETRIGHT)):
            if beyond:
                axes.plot(
                    end, place, marker=marker, linestyle="none", markersize=5, color=colour, clip_on=False, zorder=3
                )
    if low <= row["value"] <= high:
        axes.plot(
            row["value"],
            place,
            "o",
            markersize=5,
            markeredgewidth=1.2,
            markeredgecolor=colour,
            color="white" if row.get("hollow") else colour,
            zorder=4,
        )


def _print_columns(axes: Axes, places: list[float], rows: pd.DataFrame, text_title: str, n_title: str) -> None:
    """Texts and counts as two columns to the right of the axes, as wide as their longest entries."""
    texts, counts = [str(text) for text in rows["text"]], [f"{int(n):,}" for n in rows["n"]]
    first = max((_width(text) for text in [*texts, text_title]), default=0.0)
    second = max((_width(text) for text in [*counts, n_title]), default=0.0)
    right = _GUTTER_PT + first + _GUTTER_PT + second
    entries = [*zip(places, texts, counts, strict=True), (-1.0, text_title, n_title)]
    for place, text, count in entries:
        for words, offset, side in ((text, _GUTTER_PT, "left"), (count, right, "right")):
            if words:
                axes.annotate(
                    words,
                    (1.0, place),
                    xycoords=("axes fraction", "data"),
                    xytext=(offset, 0.0),
                    textcoords="offset points",
                    ha=side,
                    va="center",
                    fontsize=theme.SMALL_SIZE_PT,
                    annotation_clip=False,
                )


def _width(text: str) -> float:
    """Width in points of a text as printed small."""
    if not text.strip():
        return 0.0
    return (
        TextPath((0, 0), text, size=theme.SMALL_SIZE_PT, prop=FontProperties(family="DejaVu Sans")).get_extents().width
    )


def _limits(rows: pd.DataFrame, log: bool, reference: float | None) -> tuple[float, float]:
    """Everything in sight, the reference line too, with a margin."""
    values = rows[["value", "low", "high"]].to_numpy(float).ravel()
    values = np.append(values[np.isfinite(values)], (1.0 if log else 0.0) if reference is None else reference)
    if log:
        values = np.log(values)
    low, high = values.min(), values.max()
    margin = 0.06 * (high - low) or (0.7 if log else 1.0)
    low, high = low - margin, high + margin
    return (float(np.exp(low)), float(np.exp(high))) if log else (float(low), float(high))


def _log_ticks(low: float, high: float) -> list[float]:
    """One to six round numbers; each decade's alone where there are many decades."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in (_ROUND, (1.0,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= 6:
            break
    if len(ticks) >= 2:
        return ticks[:: -(-len(ticks) // 6)]
    # Within one step of the round numbers: even steps in logarithms, to as many digits as tell them apart.
    even = np.geomspace(low, high, 5)[1:-1]
    for digits in range(2, 8):
        ticks = sorted({float(f"{tick:.{digits}g}") for tick in even})
        if len(ticks) == len(even) and low <= ticks[0] and ticks[-1] <= high:
            break
    return ticks


def _check(rows: pd.DataFrame, log: bool, limits: tuple[float, float] | None) -> None:
    problems = []
    if rows.empty:
        problems.append(Problem("rows", "there is nothing to draw", "give at least one effect"))
    runs = (rows["group"] != rows["group"].shift()).cumsum()
    split = rows["group"].groupby(rows["group"]).size().index[runs.groupby(rows["group"]).nunique() > 1]
    problems += [Problem(str(group), "its rows do not stand together", "sort the rows by group") for group in split]
    for row in rows.to_dict("records"):
        where = f"{row['group']}, {row['label']}"
        value, low, high = (float(row[name]) for name in ("value", "low", "high"))
        if np.isfinite(low) != np.isfinite(high):
            problems.append(Problem(where, "one bound without the other", "give both or none"))
        elif np.isfinite(low) and not low - 1e-12 <= value <= high + 1e-12:
            problems.append(Problem(where, f"value {value:g} outside {low:g} to {high:g}", "check the estimate"))
        if log and any(np.isfinite(number) and number <= 0 for number in (value, low, high)):
            problems.append(Problem(where, "not above zero", "ratios alone go on a logarithmic axis"))
    if limits and not (limits[0] < limits[1] and (limits[0] > 0 or not log)):
        problems.append(Problem("limits", f"got {limits}", "two rising numbers, above zero on a logarithmic axis"))
    if problems:
        raise InputError("The effects cannot be drawn.", problems)
