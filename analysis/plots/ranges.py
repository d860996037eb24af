"""Ranges on a scale of ordered steps: how far each row may reach under one or more readings, and a place to compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from analysis.base.errors import InputError, Problem
from analysis.plots import theme
from analysis.plots.labels import text_height, text_width

_STYLES: tuple[dict[str, Any], ...] = (
    {"facecolor": "#6f9bc4", "edgecolor": theme.PALETTE["primary"]},
    {"facecolor": theme.PALETTE["white"], "edgecolor": theme.PALETTE["primary"], "hatch": "////"},
    {"facecolor": theme.PALETTE["white"], "edgecolor": theme.PALETTE["ink"]},
)
"""Series: middle tone, hatched, white. None is dark: a long bar tells least, and the marks should be seen first."""

_HALF = 0.36
"""How far a range reaches to either side of its outermost steps, in steps."""

_BAND_IN = 0.19


def draw_step_ranges(
    ranges: pd.DataFrame,
    series: Mapping[str, str],
    *,
    rows: Mapping[str, str],
    steps: Mapping[int, str],
    marks: pd.DataFrame | None = None,
    mark_label: str = "",
) -> Figure:
    """Draw for every row one bar a series from its lowest to its highest step, and a marked range across them.

    Parameters
    ----------
    ranges : DataFrame
        ``row``, ``series``, ``lowest``, ``highest`` (steps).
    series, rows : mapping of str to str
        Key → words; series from top to bottom within a row, at most three.
    steps : mapping of int to str
        Consecutive numbers → heading of the step (line breaks are kept).
    marks : DataFrame, optional
        ``row``, ``lowest``, ``highest``: what to compare with, drawn as diamonds joined by a line below the bars; rows
        may be missing.
    mark_label : str
        What the marks are.

    Raises
    ------
    InputError
        No row, series or step, an unknown one, a pair given twice or not at all, a range outside the steps or upside
        down, steps with a gap, or a heading too wide; all listed.
    """
    marks = pd.DataFrame({"row": [], "lowest": [], "highest": []}) if marks is None else marks
    left = max((text_width(words, theme.FONT_SIZE_PT) for words in rows.values()), default=0.0)
    width = (72 * theme.TEXT_WIDTH_IN - left - 20) / max(1, len(steps))
    _check(ranges, series, rows, steps, marks, width)
    lanes = len(series) + (1 if len(marks) else 0)
    band = lanes * _BAND_IN + 0.12
    head = max(text_height(words) for words in steps.values()) / 72
    figure, axes = theme.new_figure(band * len(rows) + head + 0.45)
    first, last = min(steps), max(steps)
    height = 0.86 / lanes
    found = ranges.set_index(["row", "series"])
    for y, row in enumerate(rows):
        if y % 2 == 0:
            axes.axhspan(y - 0.5, y + 0.5, color=theme.PALETTE["paper"], linewidth=0, zorder=0)
        top = y - 0.43
        for lane, (key, style) in enumerate(zip(series, _STYLES, strict=False)):
            low, high = found.loc[(row, key), ["lowest", "highest"]]
            axes.add_patch(
                Rectangle(
                    (low - _HALF, top + lane * height + 0.12 * height),
                    high - low + 2 * _HALF,
                    0.76 * height,
                    linewidth=0.7,
                    zorder=2,
                    **style,
                )
            )
        for mark in marks[marks["row"] == row].itertuples():
            place = top + (lanes - 0.5) * height
            ends = [mark.lowest] if mark.lowest == mark.highest else [mark.lowest, mark.highest]
            axes.plot(
                ends, [place] * len(ends), marker="D", markersize=5, color=theme.PALETTE["ink"], linewidth=1.4, zorder=3
            )
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    between = [step + 0.5 for step in range(first, last)]
    axes.vlines(between, -0.5, len(rows) - 0.5, color=theme.PALETTE["rule"], linewidth=0.7, zorder=1)
    axes.set_xticks(list(steps), list(steps.values()), fontsize=theme.SMALL_SIZE_PT)
    axes.set_yticks(range(len(rows)), list(rows.values()))
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=3)
    axes.spines[:].set_visible(False)
    handles: list[Any] = [
        Patch(linewidth=0.7, label=words, **style) for words, style in zip(series.values(), _STYLES, strict=False)
    ]
    if len(marks):
        handles.append(Line2D([], [], marker="D", markersize=5, color=theme.PALETTE["ink"], label=mark_label))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), fontsize=theme.SMALL_SIZE_PT, columnspacing=1.4
    )
    return figure


def _check(
    ranges: pd.DataFrame,
    series: Mapping[str, str],
    rows: Mapping[str, str],
    steps: Mapping[int, str],
    marks: pd.DataFrame,
    width: float,
) -> None:
    problems = [
        Problem(name, "there is none", "give one or more")
        for name, given in (("rows", rows), ("series", series), ("steps", steps))
        if len(given) == 0
    ]
    if len(series) > len(_STYLES):
        problems.append(Problem("series", f"{len(series)} series", f"at most {len(_STYLES)} can be told apart"))
    if steps and list(steps) != list(range(min(steps), max(steps) + 1)):
        problems.append(Problem("steps", f"they are {list(steps)}", "number them without a gap, lowest first"))
    for name, frame, known in (("row", ranges, rows), ("series", ranges, series), ("row", marks, rows)):
        problems += [
            Problem(name, f"unknown {name} '{value}'", f"one of: {', '.join(known)}")
            for value in frame.loc[~frame[name].isin(list(known)), name].unique()
        ]
    given = list(zip(ranges["row"], ranges["series"], strict=True))
    problems += [
        Problem(f"{row}, {key}", f"{given.count((row, key))} ranges", "give one")
        for row in rows
        for key in series
        if given.count((row, key)) != 1
    ]
    for name, frame in (("ranges", ranges), ("marks", marks)):
        inside = frame["lowest"].isin(list(steps)) & frame["highest"].isin(list(steps))
        wrong = frame[~(inside & (frame["lowest"] <= frame["highest"]))]
        problems += [
            Problem(
                f"{name}, {row.row}", f"from {row.lowest} to {row.highest}", "two of the steps, the lower one first"
            )
            for row in wrong.itertuples()
        ]
    problems += [
        Problem("steps", f"'{words}' does not fit a step of {width:.0f} points", "break the line, or shorten it")
        for words in steps.values()
        if text_width(words) > width - 2
    ]
    if problems:
        raise InputError("The ranges cannot be drawn.", problems)
