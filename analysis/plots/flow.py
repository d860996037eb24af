"""Flow chart in lanes and levels, as PRISMA draws a search: known boxes solid, unknown ones dashed."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from analysis.base.errors import InputError, Problem
from analysis.plots import theme

_GAP_IN = 0.26
"""Between the tallest boxes of two levels."""
_LINE_IN = 0.131
_PAD_IN = 0.12
_BAND_IN = 0.2
_LETTERS_PER_IN = 16.5
"""Letters that fit in an inch at the size used, measured on the widest label."""
_MOST_LINES = 24
_BAND_LETTER_IN = 0.052


def draw_flow(boxes: pd.DataFrame, arrows: pd.DataFrame, bands: pd.DataFrame | None = None) -> Figure:
    """Draw boxes and the arrows between them.

    Parameters
    ----------
    boxes : DataFrame
        ``box`` (name), ``lane`` and ``level`` (place of its centre, from 0, left to right and top
        to bottom), ``width`` (in lanes), ``text`` (line breaks are kept, long lines wrapped),
        ``known`` (False draws a dashed, shaded box). A box is as high as its text needs. With a column ``role``,
        the value ``heading`` draws a dark box with white letters; all else is a plain ``box``.
    arrows : DataFrame
        ``start`` and ``end``: names of boxes. Within a level an arrow runs sideways, else downwards.
    bands : DataFrame, optional
        ``label``, ``first``, ``last``: names of phases, written upwards at the left of the levels that they span.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text.

    Raises
    ------
    InputError
        No box, a repeated box, an unknown role, an arrow from or to an unknown box or to itself, an arrow upwards, a
        band over levels that do not exist, or a text of more than 24 lines.
    """
    if boxes.empty:
        raise InputError("The flow chart cannot be drawn.", [Problem("boxes", "no boxes", "give at least one")])
    if "role" not in boxes:
        boxes = boxes.assign(role="box")
    left = float((boxes["lane"] - boxes["width"] / 2).min())
    lanes = float((boxes["lane"] + boxes["width"] / 2).max()) - left
    margin = 0.0 if bands is None else _BAND_IN + 0.08
    lane_in = (theme.TEXT_WIDTH_IN - margin) / (lanes + 0.06)
    texts = {row.box: _wrap(row.text, row.width * lane_in) for row in boxes.itertuples()}
    _check(boxes, arrows, texts, bands)
    heights = {name: (text.count("\n") + 1) * _LINE_IN + _PAD_IN for name, text in texts.items()}
    tops, depths = _place_levels(boxes, heights, bands)
    total = max(tops[level] + depths[level] for level in tops)
    figure, axes = theme.new_figure(total + 0.15)
    middles = {level: tops[level] + depths[level] / 2 for level in tops}
    places = {
        row.box: _Place(row.lane * lane_in, middles[row.level], row.width * lane_in, heights[row.box], row.level)
        for row in boxes.itertuples()
    }
    for row in boxes.itertuples():
        _draw_box(axes, places[row.box], texts[row.box], bool(row.known), row.role == "heading")
    for arrow in arrows.itertuples():
        _draw_arrow(axes, places[arrow.start], places[arrow.end])
    for band in () if bands is None else bands.itertuples():
        span = tops[band.first], tops[band.last] + depths[band.last]
        _draw_band(axes, left * lane_in - margin, *span, band.label)
    axes.set_xlim(left * lane_in - margin - 0.03, (left + lanes) * lane_in + 0.03)
    axes.set_ylim(total + 0.03, -0.03)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure


@dataclass(frozen=True, slots=True)
class _Place:
    """Centre and size of a box, in inches."""

    x: float
    y: float
    width: float
    height: float
    level: float


def _place_levels(
    boxes: pd.DataFrame, heights: dict[str, float], bands: pd.DataFrame | None
) -> tuple[dict[float, float], dict[float, float]]:
    """Top and depth of each level: as deep as its tallest box, and deep enough for the name of its band."""
    depths = boxes["box"].map(heights).groupby(boxes["level"]).max().sort_index().to_dict()
    for band in () if bands is None else bands.itertuples():
        spanned = [depth for level, depth in depths.items() if band.first <= level <= band.last]
        missing = len(band.label) * _BAND_LETTER_IN + _PAD_IN - sum(spanned) - _GAP_IN * (len(spanned) - 1)
        depths[band.first] += max(0.0, missing)
    tops, y = {}, 0.0
    for level, depth in depths.items():
        tops[level] = y
        y += depth + _GAP_IN
    return tops, depths


def _draw_box(axes: Axes, place: _Place, text: str, known: bool, heading: bool) -> None:
    face = theme.PALETTE["primary"] if heading else "white" if known else theme.PALETTE["paper"]
    axes.add_patch(
        FancyBboxPatch(
            (place.x - place.width / 2, place.y - place.height / 2),
            place.width,
            place.height,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=face,
            edgecolor=theme.PALETTE["ink"] if known else theme.PALETTE["muted"],
            linestyle="-" if known else (0, (4, 2.5)),
            linewidth=0.9,
        )
    )
    style = {"color": theme.PALETTE["white"], "fontweight": "bold"} if heading else {}
    size = theme.SMALL_SIZE_PT
    axes.text(place.x, place.y, text, ha="center", va="center", fontsize=size, linespacing=1.25, **style)


def _draw_arrow(axes: Axes, start: _Place, end: _Place) -> None:
    """Sideways between neighbours of a level; straight down where the boxes overlap, else slanting."""
    style = {"arrowstyle": "-|>", "color": theme.PALETTE["ink"], "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    if start.level == end.level:
        sign = 1 if end.x > start.x else -1
        tail = (start.x + sign * start.width / 2, start.y)
        head = (end.x - sign * end.width / 2, end.y)
    else:
        wide, narrow = (start, end) if start.width >= end.width else (end, start)
        reach = wide.width / 2 - 0.1
        x = min(max(narrow.x, wide.x - reach), wide.x + reach)
        tail = (start.x if narrow is start else x, start.y + start.height / 2)
        head = (end.x if narrow is end else x, end.y - end.height / 2)
    axes.annotate("", xy=head, xytext=tail, arrowprops=style)


def _draw_band(axes: Axes, x: float, top: float, bottom: float, label: str) -> None:
    axes.add_patch(Rectangle((x, top), _BAND_IN, bottom - top, facecolor=theme.PALETTE["tertiary"], linewidth=0))
    middle = (x + _BAND_IN / 2, (top + bottom) / 2)
    axes.text(*middle, label, rotation=90, ha="center", va="center", fontsize=theme.SMALL_SIZE_PT, gid="band")


def _wrap(text: str, width_in: float) -> str:
    letters = max(1, int((width_in - 0.1) * _LETTERS_PER_IN))
    return "\n".join("\n".join(textwrap.wrap(line, letters, break_long_words=False)) for line in text.split("\n"))


def _check(boxes: pd.DataFrame, arrows: pd.DataFrame, texts: dict[str, str], bands: pd.DataFrame | None) -> None:
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
    for name, text in texts.items():
        lines = text.count("\n") + 1
        if lines > _MOST_LINES:
            what = f"the text of '{name}' needs {lines} lines, {_MOST_LINES} fit"
            problems.append(Problem("boxes", what, "shorten it or widen the box"))
    problems += [
        Problem("boxes", f"unknown role '{role}'", "one of: box, heading")
        for role in boxes["role"].unique()
        if role not in ("box", "heading")
    ]
    for band in () if bands is None else bands.itertuples():
        if not {band.first, band.last} <= set(boxes["level"]) or band.first > band.last:
            what = f"'{band.label}' spans levels {band.first} to {band.last}"
            problems.append(Problem("bands", what, "first and last are levels of boxes"))
    if problems:
        raise InputError("The flow chart cannot be drawn.", problems)
