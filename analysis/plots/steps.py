"""Step curves of shares over time: Kaplan–Meier with its band and open cases, or plain cumulative shares."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from analysis.base.errors import InputError, Problem
from analysis.plots import theme

_COLUMNS = ("panel", "group", "x", "y")
_COLOURS = tuple(theme.PALETTE[name] for name in ("primary", "secondary", "ink", "muted"))
_DASHES = ((None, None), (5, 2), (1.5, 1.5), (6, 2, 1, 2))


def draw_steps(
    curves: pd.DataFrame,
    groups: Mapping[str, str],
    *,
    x_label: str,
    y_label: str,
    marks: pd.DataFrame | None = None,
    mark_name: str = "",
    logarithmic: bool = False,
    own_groups: bool = False,
    height_in: float = 2.5,
) -> Figure:
    """Draw one panel beside the other and in each a step curve a group, told apart by lightness and dashes.

    Parameters
    ----------
    curves : DataFrame
        ``panel``, ``group``, ``x``, ``y`` (share from 0 to 1, held until the next ``x``), optional ``low`` and
        ``high`` for a band.
    groups : mapping of str to str
        Group → legend entry; at most four in a panel.
    x_label, y_label : str
    marks : DataFrame, optional
        ``panel``, ``group``, ``x``, ``y``: small upright strokes on the curves, such as open cases.
    mark_name : str
        What a stroke is.
    logarithmic : bool
        Logarithmic x axis.
    own_groups : bool
        Each panel has groups of its own, and a legend inside.
    height_in : float
        Height of the panels on paper.

    Raises
    ------
    InputError
        A missing column, no rows, an unknown group or too many, or a share outside 0 to 1.
    """
    panels = list(dict.fromkeys(curves["panel"]))
    members = {
        panel: [name for name in groups if not own_groups or name in set(curves.loc[curves["panel"] == panel, "group"])]
        for panel in panels
    }
    _check(curves, groups, max(map(len, members.values()), default=0))
    figure, grid = theme.new_figure(height_in + 0.35, ncols=len(panels), sharey=True, squeeze=False)
    shown: dict[str, object] = {}
    for axes, panel in zip(grid[0], panels, strict=True):
        for group, colour, dashes in zip(members[panel], _COLOURS, _DASHES, strict=False):
            name = groups[group]
            found = curves[(curves["panel"] == panel) & (curves["group"] == group)]
            if found.empty:
                continue
            line = _draw_curve(axes, found, colour, dashes)
            line.set_label(name)
            shown.setdefault(name, line)
            if marks is not None:
                there = marks[(marks["panel"] == panel) & (marks["group"] == group)]
                axes.plot(there["x"], there["y"], "|", color=colour, markersize=7, mew=1.3)
        axes.set_title(panel)
        axes.set_xlabel(x_label)
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.grid(axis="both")
        if logarithmic:
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=0)
        if own_groups:
            axes.legend(loc="best", handlelength=3)
    grid[0][0].set_ylabel(y_label)
    if marks is not None and len(marks):
        shown[mark_name] = grid[0][0].plot([], [], "|", color=theme.PALETTE["ink"], markersize=7, mew=1.3)[0]
    if not own_groups:
        figure.legend(list(shown.values()), list(shown), loc="outside lower center", ncols=len(shown), handlelength=3)
    return figure


def _draw_curve(axes: Axes, found: pd.DataFrame, colour: str, dashes: tuple):
    x, y = found["x"].to_numpy(dtype=float), found["y"].to_numpy(dtype=float)
    if {"low", "high"} <= set(found.columns):
        axes.fill_between(
            x,
            found["low"].astype(float),
            found["high"].astype(float),
            step="post",
            color=colour,
            alpha=0.13,
            linewidth=0,
        )
    (line,) = axes.step(x, y, where="post", color=colour)
    if dashes != (None, None):
        line.set_dashes(dashes)
    return line


def _check(curves: pd.DataFrame, groups: Mapping[str, str], most: int) -> None:
    problems = [
        Problem("curves", f"no column '{name}'", ", ".join(_COLUMNS)) for name in _COLUMNS if name not in curves.columns
    ]
    if most > len(_DASHES):
        problems.append(Problem("groups", f"{most} in a panel", f"at most {len(_DASHES)} can be told apart"))
    if not problems:
        if curves.empty:
            problems.append(Problem("curves", "no rows", "at least one curve"))
        problems += [
            Problem("curves", f"unknown group '{group}'", f"one of: {', '.join(groups)}")
            for group in dict.fromkeys(curves["group"])
            if group not in groups
        ]
        outside = curves[(curves["y"] < 0) | (curves["y"] > 1)]
        problems += [
            Problem(f"curve '{row.group}' at {row.x}", f"got {row.y}", "a share from 0 to 1")
            for row in outside.itertuples()
        ]
    if problems:
        raise InputError("The curves cannot be drawn.", problems)
