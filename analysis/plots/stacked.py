"""Stacked horizontal bars of counts: what each group is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from analysis.base.errors import InputError, Problem
from analysis.plots import theme

_STYLES = (
    {"color": theme.PALETTE["primary"]},
    {"color": "#6f9bc4"},
    {"color": "#d9d5cb", "hatch": "////"},
    {"color": "#d9d5cb"},
    {"color": theme.PALETTE["white"]},
)
"""Ordered from the firmest class to none: dark to white, with one hatch to part two close greys."""


def draw_stacked_counts(
    counts: pd.DataFrame,
    classes: Mapping[str, str],
    *,
    label: str = "label",
    breaks: Sequence[int] = (),
    axis_label: str = "",
) -> Figure:
    """Draw one bar a row, one segment a class, the count in the segment.

    Parameters
    ----------
    counts : DataFrame
        Column ``label`` and one count column a class; bars from top to bottom in this order.
    classes : mapping of str to str
        Column → legend entry, from left to right; at most five.
    label : str
        Column with the name of each bar.
    breaks : sequence of int
        Positions of rows before which a gap separates what should not be read together.
    axis_label : str
        What is counted.

    Raises
    ------
    InputError
        No rows, no class, more classes than can be told apart, or a count that is negative, broken or missing.
    """
    problems = []
    if counts.empty:
        problems.append(Problem("counts", "no rows", "give at least one bar"))
    if not classes:
        problems.append(Problem("classes", "no class", "give at least one"))
    if len(classes) > len(_STYLES):
        problems.append(Problem("classes", f"{len(classes)} classes", f"at most {len(_STYLES)} can be told apart"))
    for name in classes:
        bad = counts.index[counts[name].isna() | (counts[name] < 0) | (counts[name] % 1 != 0)]
        problems += [
            Problem(f"counts, row {row}, column '{name}'", f"got {counts.at[row, name]}", "a count from 0")
            for row in bad
        ]
    if problems:
        raise InputError("The bars cannot be drawn.", problems)

    places = [row + 0.55 * sum(row >= position for position in breaks) for row in range(len(counts))]
    figure, axes = theme.new_figure(0.27 * (places[-1] + 1) + 0.95)
    left = pd.Series(0, index=counts.index)
    for (name, entry), style in zip(classes.items(), _STYLES, strict=False):
        axes.barh(places, counts[name], left=left, height=0.72, edgecolor=theme.PALETTE["ink"], label=entry, **style)
        for place, start, size in zip(places, left, counts[name], strict=True):
            if size:
                _write_count(axes, start + size / 2, place, int(size), style)
        left = left + counts[name]
    axes.set_yticks(places, list(counts[label]))
    axes.invert_yaxis()
    axes.set_xlim(0, max(1, left.max()) * 1.02)
    axes.set_xlabel(axis_label)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, handlelength=1.6, columnspacing=1.4)
    return figure


def _write_count(axes, x: float, y: float, count: int, style: Mapping[str, str]) -> None:
    dark = theme.lightness(style["color"]) < 0.5
    box = {"facecolor": style["color"], "edgecolor": "none", "pad": 1.4} if "hatch" in style else None
    axes.text(x, y, str(count), ha="center", va="center", color="white" if dark else theme.PALETTE["ink"], bbox=box)
