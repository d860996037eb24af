"""Strips: what every unit of some groups measured, a ring each, with the median; small multiples."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from analysis.base.errors import InputError, Problem
from analysis.plots import theme

_COLUMNS = ("panel", "group", "value")


def draw_strips(
    rows: pd.DataFrame,
    groups: Mapping[str, str],
    *,
    unit_name: str,
    columns: int = 2,
    logarithmic: tuple[str, ...] = (),
    shares: tuple[str, ...] = (),
) -> Figure:
    """Draw one panel a measure and in it one line a group: rings for units, a diamond for their median.

    Units without a value are counted at the right of their line, so that a median of few is seen as such.

    Parameters
    ----------
    rows : DataFrame
        ``panel`` (heading), ``group``, ``value`` (missing where a unit has none); panels in the order in which they
        come first.
    groups : mapping of str to str
        Group → words, from top to bottom.
    unit_name : str
        What a ring is, for the legend, such as "seed".
    columns : int
        Panels beside one another.
    logarithmic : tuple of str
        Panels with a logarithmic axis; values there must be above zero.
    shares : tuple of str
        Panels whose values are shares, printed as percentages.

    Raises
    ------
    InputError
        A missing column, no rows, an unknown group, or a value at or below zero on a logarithmic axis; all listed.
    """
    _check(rows, groups, logarithmic)
    panels = list(dict.fromkeys(rows["panel"]))
    lines = ceil(len(panels) / columns)
    height = lines * (0.55 + 0.24 * len(groups)) + 0.3
    figure, grid = theme.new_figure(height, nrows=lines, ncols=columns, squeeze=False)
    for axes, panel in zip(grid.ravel(), panels, strict=False):
        found = rows[rows["panel"] == panel]
        for place, group in enumerate(groups):
            values = found.loc[found["group"] == group, "value"].to_numpy(dtype=float)
            known = values[np.isfinite(values)]
            # Equal values are spread a little, always alike, so that each is seen.
            spread = 0.16 * (np.argsort(np.argsort(known, kind="stable")) % 3 - 1)
            axes.plot(known, place + spread, "o", mfc="none", mec=theme.PALETTE["muted"], markersize=4, mew=0.8)
            if len(known):
                axes.plot(np.median(known), place, "D", color=theme.PALETTE["primary"], markersize=5.5)
            if len(known) < len(values):
                text = f"{len(values) - len(known)} of {len(values)} none"
                axes.annotate(
                    text,
                    (1, place),
                    xycoords=("axes fraction", "data"),
                    xytext=(2, 0),
                    textcoords="offset points",
                    fontsize=theme.SMALL_SIZE_PT - 1,
                    color=theme.PALETTE["muted"],
                    va="center",
                )
        axes.set_title(panel)
        axes.set_yticks(range(len(groups)), list(groups.values()))
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        if panel in logarithmic:
            axes.set_xscale("log")
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5))
        if panel in shares:
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for axes in grid.ravel()[len(panels) :]:
        axes.set_axis_off()
    handles = [
        Line2D([], [], marker="o", mfc="none", mec=theme.PALETTE["muted"], linestyle="none", markersize=4),
        Line2D([], [], marker="D", color=theme.PALETTE["primary"], linestyle="none", markersize=5.5),
    ]
    figure.legend(handles, [f"one {unit_name}", "median"], loc="outside lower center", ncols=2)
    return figure


def _check(rows: pd.DataFrame, groups: Mapping[str, str], logarithmic: tuple[str, ...]) -> None:
    problems = [
        Problem("rows", f"no column '{name}'", "panel, group, value") for name in _COLUMNS if name not in rows.columns
    ]
    if not problems:
        if rows.empty:
            problems.append(Problem("rows", "none", "at least one value"))
        problems += [
            Problem("rows", f"unknown group '{group}'", f"one of: {', '.join(groups)}")
            for group in dict.fromkeys(rows["group"])
            if group not in groups
        ]
        low = rows[rows["panel"].isin(logarithmic) & (rows["value"] <= 0)]
        problems += [
            Problem(
                f"panel '{row.panel}', group '{row.group}'", f"got {row.value}", "a value above zero, or no logarithm"
            )
            for row in low.itertuples()
        ]
    if problems:
        raise InputError("The strips cannot be drawn.", problems)
