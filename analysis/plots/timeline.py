"""Things over time: what went wrong, lane by lane, and a measured quantity, panel by panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.base.errors import InputError, Problem
from analysis.plots import theme

_BAR_STYLES = (
    {"facecolor": theme.PALETTE["secondary"]},
    {"facecolor": theme.PALETTE["primary"], "hatch": "////"},
    {"facecolor": theme.PALETTE["tertiary"], "hatch": "...."},
    {"facecolor": theme.PALETTE["white"], "hatch": "xxxx"},
)
"""Reasons differ in lightness and hatch, so that the picture reads without colour."""

_MARK_STYLES = (
    {"marker": "v", "markersize": 5.5, "markerfacecolor": theme.PALETTE["ink"]},
    {"marker": "o", "markersize": 5.0, "markerfacecolor": theme.PALETTE["white"]},
    {"marker": "|", "markersize": 6.5, "markerfacecolor": "none"},
    {"marker": "x", "markersize": 4.5, "markerfacecolor": "none"},
)
_LANE_IN = 0.72
_MARK_LINES = (-0.36, 0.0, 0.36, 0.36)
"""Where in its lane each kind of mark stands: alarms above the bar, ends on it, what is done below it."""


def draw_timeline(
    bars: pd.DataFrame,
    marks: pd.DataFrame,
    world: pd.DataFrame,
    *,
    lanes: Mapping[str, str],
    reasons: Mapping[str, str],
    kinds: Mapping[str, str],
    end: float,
    unit: str = "Virtual days",
) -> Figure:
    """Draw lanes with bars and marks over one time axis.

    Parameters
    ----------
    bars : DataFrame
        ``lane``, ``start``, ``end``, ``reason``.
    marks : DataFrame
        ``lane``, ``time``, ``kind``.
    world : DataFrame
        ``time``, ``label``: what happened to all lanes at once; a dashed line with its label on top.
    lanes, reasons, kinds : mapping
        Key → words, in the order of drawing; at most four reasons and four kinds.
    end : float
        Where the axis ends.
    unit : str
        Title of the axis.

    Raises
    ------
    InputError
        No lane, an unknown lane, reason or kind, more of them than can be told apart, a bar that ends before it
        starts, or anything outside the axis; all listed.
    """
    _check_timeline(bars, marks, world, lanes, reasons, kinds, end)
    heads = _place_labels(world, end)
    rows = max((row for _, row in heads), default=-1) + 1
    figure, axes = theme.new_figure(_LANE_IN * len(lanes) + 0.19 * rows + 1.05)
    place = {lane: number for number, lane in enumerate(lanes)}
    for lane, number in place.items():
        axes.axhspan(
            number - 0.46, number + 0.46, color=theme.PALETTE["paper"] if number % 2 == 0 else "white", zorder=0
        )
        axes.hlines(number, 0, end, color=theme.PALETTE["rule"], linewidth=0.6, zorder=1)
        _draw_lane(axes, number, bars[bars["lane"] == lane], marks[marks["lane"] == lane], reasons, kinds)
    for (label_at, row), change in zip(heads, world.itertuples(), strict=True):
        top = -0.52 - 0.26 * row
        axes.plot(
            [change.time, change.time],
            [top, len(lanes) - 0.5],
            color=theme.PALETTE["muted"],
            linewidth=0.9,
            linestyle=(0, (4, 2.5)),
            zorder=1.5,
        )
        axes.text(label_at, top, change.label, ha="left", va="bottom", fontsize=theme.SMALL_SIZE_PT)
    axes.set_xlim(0, end)
    axes.set_ylim(len(lanes) - 0.5, -0.5 - 0.26 * rows - (0.06 if rows else 0))
    axes.set_yticks(list(place.values()), list(lanes.values()))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(unit)
    figure.legend(handles=_legend(reasons, kinds), loc="outside lower center", ncols=4, columnspacing=1.4)
    return figure


def _draw_lane(
    axes: Axes,
    number: int,
    bars: pd.DataFrame,
    marks: pd.DataFrame,
    reasons: Mapping[str, str],
    kinds: Mapping[str, str],
) -> None:
    styles = dict(zip(reasons, _BAR_STYLES, strict=False))
    for bar in bars.itertuples():
        axes.barh(
            number,
            bar.end - bar.start,
            left=bar.start,
            height=0.34,
            edgecolor=theme.PALETTE["ink"],
            zorder=2,
            **styles[bar.reason],
        )
    for kind, style, shift in zip(kinds, _MARK_STYLES, _MARK_LINES, strict=False):
        chosen = marks.loc[marks["kind"] == kind, "time"]
        if chosen.empty:  # an empty line that is not clipped would count as reaching to the page's corner
            continue
        axes.plot(
            chosen,
            [number + shift] * len(chosen),
            linestyle="none",
            color=theme.PALETTE["ink"],
            markeredgewidth=1.0,
            zorder=3,
            clip_on=False,
            label=f"_{kind}",
            **style,
        )


def _legend(reasons: Mapping[str, str], kinds: Mapping[str, str]) -> list[Patch | Line2D]:
    bars = [
        Patch(edgecolor=theme.PALETTE["ink"], label=words, **style)
        for words, style in zip(reasons.values(), _BAR_STYLES, strict=False)
    ]
    marks = [
        Line2D([], [], linestyle="none", color=theme.PALETTE["ink"], markeredgewidth=1.0, label=words, **style)
        for words, style in zip(kinds.values(), _MARK_STYLES, strict=False)
    ]
    return bars + marks


def _place_labels(world: pd.DataFrame, end: float) -> list[tuple[float, int]]:
    """Left end and row of every label, so that none covers another; a late one begins further left."""
    per_letter = end * 0.0125  # measured at the small size on the text width
    taken: list[list[tuple[float, float]]] = []
    places = []
    for change in world.itertuples():
        width = per_letter * (len(change.label) + 1)
        left = max(0.0, min(change.time, end - width))
        row = 0
        while row < len(taken) and any(left < stop and left + width > start for start, stop in taken[row]):
            row += 1
        if row == len(taken):
            taken.append([])
        taken[row].append((left, left + width))
        places.append((left, row))
    return places


def draw_curves(
    curves: pd.DataFrame,
    *,
    panels: Mapping[str, str],
    end: float,
    axis_title: str,
    target: float | None = None,
    target_label: str = "",
    unit: str = "Virtual days",
    limits: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """Draw one panel a group: a thin step a series, the mean of all of them thick, and a target.

    Parameters
    ----------
    curves : DataFrame
        ``panel``, ``series``, ``time``, ``value``; each value holds until the next of its series, the last one to
        the end.
    panels : mapping of str to str
        Key → heading, from top to bottom.
    end : float
        Where the axis ends.
    axis_title : str
    target : float, optional
        Where to draw a dashed line.
    limits : (float, float)
        Of the values.

    Raises
    ------
    InputError
        No panel, a panel without a series, or values that are missing; all listed.
    """
    problems = [
        Problem("curves", f"'{panel}' has no series", "give one, or leave the panel out")
        for panel in panels
        if panel not in set(curves["panel"])
    ]
    if not panels:
        problems.append(Problem("panels", "no panel", "name at least one"))
    if curves["value"].isna().any() or curves["time"].isna().any():
        problems.append(Problem("curves", "a time or value is missing", "leave such rows out"))
    if problems:
        raise InputError("The curves cannot be drawn.", problems)
    figure, grid = theme.new_figure(1.12 * len(panels) + 0.75, nrows=len(panels), sharex=True, squeeze=False)
    for axes, (panel, words) in zip(grid[:, 0], panels.items(), strict=True):
        mine = curves[curves["panel"] == panel]
        for _, one in mine.groupby("series", sort=True):
            times = np.append(one["time"].to_numpy(), end)
            values = np.append(one["value"].to_numpy(), one["value"].to_numpy()[-1])
            axes.step(times, values, where="post", color=theme.PALETTE["muted"], linewidth=0.7, alpha=0.8)
        if mine["series"].nunique() > 1:
            times, mean = mean_of_steps(mine, end)
            axes.step(times, mean, where="post", color=theme.PALETTE["primary"], linewidth=2.0)
        if target is not None:
            axes.axhline(target, color=theme.PALETTE["ink"], linewidth=0.9, linestyle=(0, (4, 2.5)))
        axes.set_title(words)
        axes.set_xlim(0, end)
        axes.set_ylim(*limits)
        axes.grid(axis="y")
    grid[-1, 0].set_xlabel(unit)
    figure.supylabel(axis_title, fontsize=theme.FONT_SIZE_PT)
    figure.legend(handles=_curve_legend(curves, target, target_label), loc="outside lower center", ncols=3)
    return figure


def mean_of_steps(curves: pd.DataFrame, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean over series of step functions, at every time at which one of them steps; and at ``end``."""
    times = np.unique(np.append(curves["time"].to_numpy(dtype=float), end))
    values = []
    for _, one in curves.groupby("series", sort=True):
        one = one.sort_values("time", kind="stable")
        places = np.searchsorted(one["time"].to_numpy(), times, side="right") - 1
        values.append(np.where(places >= 0, one["value"].to_numpy(dtype=float)[np.maximum(places, 0)], np.nan))
    stacked = np.array(values)
    known = ~np.isnan(stacked).any(axis=0)
    return times[known], stacked[:, known].mean(axis=0)


def _curve_legend(curves: pd.DataFrame, target: float | None, target_label: str) -> list[Line2D]:
    handles = [Line2D([], [], color=theme.PALETTE["muted"], linewidth=0.7, label="one seed")]
    if curves.groupby("panel")["series"].nunique().max() > 1:
        handles.append(Line2D([], [], color=theme.PALETTE["primary"], linewidth=2.0, label="mean of the seeds"))
    if target is not None:
        dashed = {"color": theme.PALETTE["ink"], "linewidth": 0.9, "linestyle": (0, (4, 2.5))}
        handles.append(Line2D([], [], label=target_label, **dashed))
    return handles


def _check_timeline(
    bars: pd.DataFrame,
    marks: pd.DataFrame,
    world: pd.DataFrame,
    lanes: Mapping[str, str],
    reasons: Mapping[str, str],
    kinds: Mapping[str, str],
    end: float,
) -> None:
    problems = [] if lanes else [Problem("lanes", "no lane", "name at least one")]
    for name, given, styles in (("reasons", reasons, _BAR_STYLES), ("kinds", kinds, _MARK_STYLES)):
        if len(given) > len(styles):
            problems.append(Problem(name, f"{len(given)} of them", f"at most {len(styles)} can be told apart"))
    columns: Sequence[tuple[str, pd.Series, Mapping[str, str]]] = (
        ("bars, lane", bars["lane"], lanes),
        ("bars, reason", bars["reason"], reasons),
        ("marks, lane", marks["lane"], lanes),
        ("marks, kind", marks["kind"], kinds),
    )
    problems += [
        Problem(where, f"unknown '{value}'", f"one of: {', '.join(known)}")
        for where, values, known in columns
        for value in values[~values.isin(list(known))].unique()
    ]
    # Written so that a missing time counts as outside.
    wrong = bars[~((bars["start"] >= 0) & (bars["start"] <= bars["end"]) & (bars["end"] <= end))]
    problems += [
        Problem("bars", f"{row.start:g} to {row.end:g} does not lie between 0 and {end:g}", "check the times")
        for row in wrong.itertuples()
    ]
    problems += [
        Problem(name, f"{time:g} does not lie between 0 and {end:g}", "check the times")
        for name, times in (("marks", marks["time"]), ("world", world["time"]))
        for time in times[~((times >= 0) & (times <= end))]
    ]
    if problems:
        raise InputError("The timeline cannot be drawn.", problems)
