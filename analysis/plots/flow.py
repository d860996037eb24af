"""Flow chart in lanes and levels, as PRISMA draws a search: known boxes solid, unknown ones dashed."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from analysis.base.errors import InputError, Problem
from analysis.plots import theme

_LEVEL_IN = 0.86
_BOX_IN = 0.56
_LETTERS_PER_IN = 16.5
"""Letters that fit in an inch at the size used, measured on the widest label."""


def draw_flow(boxes: pd.DataFrame, arrows: pd.DataFrame) -> Figure:
    """Draw boxes and the arrows between them.

    Parameters
    ----------
    boxes : DataFrame
        ``box`` (name), ``lane`` and ``level`` (place of its centre, from 0, left to right and top
        to bottom), ``width`` (in lanes), ``text`` (line breaks are kept, long lines wrapped),
        ``known`` (False draws a dashed, shaded box).
    arrows : DataFrame
        ``start`` and ``end``: names of boxes. Within a level an arrow runs sideways, else downwards.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text.

    Raises
    ------
    InputError
        No box, a repeated box, an arrow from or to an unknown box or to itself, an arrow upwards, or a text that
        does not fit its box.
    """
    if boxes.empty:
        raise InputError("The flow chart cannot be drawn.", [Problem("boxes", "no boxes", "give at least one")])
    lanes = float((boxes["lane"] + boxes["width"] / 2).max() - (boxes["lane"] - boxes["width"] / 2).min())
    lane_in = theme.TEXT_WIDTH_IN / (lanes + 0.06)
    texts = {row.box: _wrap(row.text, row.width * lane_in) for row in boxes.itertuples()}
    _check(boxes, arrows, texts)
    levels = boxes["level"].max() + 1
    figure, axes = theme.new_figure(_LEVEL_IN * (levels - 1) + _BOX_IN + 0.1)
    for row in boxes.itertuples():
        _draw_box(axes, row.lane * lane_in, row.level * _LEVEL_IN, row.width * lane_in, texts[row.box], bool(row.known))
    places = boxes.set_index("box")
    for arrow in arrows.itertuples():
        _draw_arrow(axes, places.loc[arrow.start], places.loc[arrow.end], lane_in)
    left = (boxes["lane"] - boxes["width"] / 2).min() * lane_in
    axes.set_xlim(left - 0.03, left + lanes * lane_in + 0.03)
    axes.set_ylim((levels - 1) * _LEVEL_IN + _BOX_IN / 2 + 0.03, -_BOX_IN / 2 - 0.03)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure


def _draw_box(axes: Axes, x: float, y: float, width: float, text: str, known: bool) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - _BOX_IN / 2),
            width,
            _BOX_IN,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor="white" if known else theme.PALETTE["paper"],
            edgecolor=theme.PALETTE["ink"] if known else theme.PALETTE["muted"],
            linestyle="-" if known else (0, (4, 2.5)),
            linewidth=0.9,
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=theme.SMALL_SIZE_PT, linespacing=1.25)


def _draw_arrow(axes: Axes, start: pd.Series, end: pd.Series, lane_in: float) -> None:
    """Sideways between neighbours of a level; straight down where the boxes overlap, else with a knee."""
    style = {"arrowstyle": "-|>", "color": theme.PALETTE["ink"], "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    if start["level"] == end["level"]:
        sign = 1 if end["lane"] > start["lane"] else -1
        tail = ((start["lane"] + sign * start["width"] / 2) * lane_in, start["level"] * _LEVEL_IN)
        head = ((end["lane"] - sign * end["width"] / 2) * lane_in, end["level"] * _LEVEL_IN)
    else:
        wide, narrow = (start, end) if start["width"] >= end["width"] else (end, start)
        reach = wide["width"] / 2 - 0.1
        x = min(max(narrow["lane"], wide["lane"] - reach), wide["lane"] + reach) * lane_in
        tail = ((start["lane"] * lane_in if narrow is start else x), start["level"] * _LEVEL_IN + _BOX_IN / 2)
        head = ((end["lane"] * lane_in if narrow is end else x), end["level"] * _LEVEL_IN - _BOX_IN / 2)
    axes.annotate("", xy=head, xytext=tail, arrowprops=style)


def _wrap(text: str, width_in: float) -> str:
    letters = max(1, int((width_in - 0.1) * _LETTERS_PER_IN))
    return "\n".join("\n".join(textwrap.wrap(line, letters, break_long_words=False)) for line in text.split("\n"))


def _check(boxes: pd.DataFrame, arrows: pd.DataFrame, texts: dict[str, str]) -> None:
    names = set(boxes["box"])
    problems = [
        Problem("boxes", f"'{name}' occurs twice", "one row a box")
        for name in boxes.loc[boxes["box"].duplicated(), "box"]
    ]
    problems += [
        Problem("arrows", f"unknown box '{name}'", f"one of: {', '.join(sorted(names))}")
        for name in pd.concat([arrows["start"], arrows["end"]]).unique()
        if name not in names
    ]
    level = boxes.drop_duplicates("box").set_index("box")["level"]
    problems += [
        Problem("arrows", f"'{arrow.start}' → '{arrow.end}' runs upwards", "put the end below the start")
        for arrow in arrows.itertuples()
        if {arrow.start, arrow.end} <= names and level[arrow.end] < level[arrow.start]
    ]
    problems += [
        Problem("arrows", f"'{name}' → '{name}' leads nowhere", "name two boxes")
        for name in arrows.loc[arrows["start"] == arrows["end"], "start"]
    ]
    problems += [
        Problem(
            "boxes", f"the text of '{name}' needs {text.count(chr(10)) + 1} lines, 4 fit", "shorten it or widen the box"
        )
        for name, text in texts.items()
        if text.count("\n") > 3
    ]
    if problems:
        raise InputError("The flow chart cannot be drawn.", problems)
