"""Mosaic: a table of counts as tiles, wide as groups are large, high as answers are common, shaded where unexpected.

Every tile has its count on it, or beside it where it is too small, and every group its n; a count of zero is printed
too, except in a group of nobody. Shading follows M. Friendly (1994), JASA 89, 190–200: Pearson's residuals from
independence beyond 2 and 4. More than expected is darker, fewer than expected is hatched, so that both can be told in
print without colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import matplotlib.patches as mpatches
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.base.errors import InputError, Problem
from analysis.plots import theme
from analysis.plots.labels import spread_labels, text_height, text_width
from analysis.stats.residuals import compute_residuals

_AREA_PT = 170.0  # height of the tiles
_PAD_PT = 4.0
_LEADER_PT = 14.0  # between a label and its tile
_WRAP = 18


@dataclass(frozen=True, slots=True)
class Shade:
    """How a tile looks whose residual is at least ``least``."""

    least: float
    label: str
    colour: str
    hatch: str


SHADES: tuple[Shade, ...] = (
    Shade(4.0, "far more than expected (above 4)", theme.DIVERGING[4], ""),
    Shade(2.0, "more (2 to 4)", theme.DIVERGING[3], ""),
    Shade(-2.0, "about as many (−2 to 2)", theme.PALETTE["white"], ""),
    Shade(-4.0, "fewer (−4 to −2)", theme.DIVERGING[1], "////"),
    Shade(-np.inf, "far fewer (below −4)", theme.DIVERGING[0], "xxxx"),
)
"""Shades from the largest residual to the smallest."""


def shade_of(residual: float) -> Shade:
    """The shade of a residual; a bound belongs to the milder side.

    >>> shade_of(2.0).label, shade_of(2.1).label, shade_of(-4.5).hatch
    ('about as many (−2 to 2)', 'more (2 to 4)', 'xxxx')
    """
    if residual >= 0:
        return next(shade for shade in SHADES if residual > shade.least)
    return next(shade for shade in SHADES if residual >= shade.least)


def draw_mosaic(counts: pd.DataFrame, *, legend_title: str = "Respondents, in residuals from independence") -> Figure:
    """Draw groups as columns and their answers as tiles.

    Parameters
    ----------
    counts : DataFrame
        Counts: one row a group (drawn from left to right), one column an answer (from bottom to top). Names are the
        labels. Empty groups and answers that nobody gave keep their labels.
    legend_title : str
        What the shades compare.

    Raises
    ------
    InputError
        Fewer than two groups or answers, a count that is negative or not whole, a name given twice, or more labels than
        fit on the page; all listed.
    """
    _check(counts)
    theme.apply()
    residuals = compute_residuals(counts.to_numpy(), kind="pearson")
    answers = ["\n".join(wrap(str(name), _WRAP)) for name in counts.columns]
    gutter = max(text_width(f"{count:,}") for count in counts.to_numpy().ravel()) + _LEADER_PT + _PAD_PT
    left = max(map(text_width, answers)) + _LEADER_PT + _PAD_PT
    whole = theme.TEXT_WIDTH_IN * 72
    room = whole - left - gutter * len(counts) - _PAD_PT
    if room < 12 * len(counts):
        raise InputError(
            "The mosaic cannot be drawn.",
            [Problem("counts", f"{len(counts)} groups leave no room for tiles", "merge groups, or turn the table")],
        )
    groups = _name_groups(counts, whole - left)
    below = max(map(text_height, groups)) + _LEADER_PT + _PAD_PT
    figure, axes = _new_axes(below, max(_AREA_PT, sum(map(text_height, answers)) + 2 * _PAD_PT), legend_title)
    bottom, top = below, axes.get_ylim()[1] - _PAD_PT
    sizes = counts.sum(axis=1).to_numpy()
    widths = room * sizes / sizes.sum()
    starts = left + np.concatenate([[0.0], np.cumsum(widths[:-1] + gutter)])
    middles = []
    for row, (start, width) in enumerate(zip(starts, widths, strict=True)):
        column = counts.iloc[row].to_numpy()
        middles.append(_draw_column(axes, start, width, bottom, top, column, residuals[row]))
    _name_answers(axes, answers, middles[0], left, bottom, top)
    _print_groups(axes, groups, starts + widths / 2, left, whole, bottom)
    return figure


def _new_axes(below: float, area: float, legend_title: str) -> tuple[Figure, Axes]:
    """Axes that fill the figure and count in points, zero above the legend."""
    legend_pt = text_height("\n\n\n") + 3 * _PAD_PT
    height = legend_pt + below + area + 2 * _PAD_PT
    figure, axes = theme.new_figure(height / 72)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set_xlim(0, theme.TEXT_WIDTH_IN * 72)
    axes.set_ylim(-legend_pt, height - legend_pt)
    axes.set_axis_off()
    handles = [
        mpatches.Patch(
            facecolor=shade.colour, hatch=shade.hatch, edgecolor=theme.PALETTE["ink"], linewidth=0.6, label=shade.label
        )
        for shade in SHADES
    ]
    figure.legend(
        handles=handles,
        title=legend_title,
        loc="lower center",
        ncols=2,
        fontsize=theme.SMALL_SIZE_PT,
        title_fontsize=theme.SMALL_SIZE_PT,
        borderaxespad=0.2,
        labelspacing=0.35,
        handlelength=2.4,
        handleheight=1.0,
    )
    return figure, axes


def _draw_column(
    axes: Axes, start: float, width: float, bottom: float, top: float, counts: np.ndarray, residuals: np.ndarray
) -> list[float]:
    """Tiles of one group with their counts; returns the height of every tile's middle."""
    n = counts.sum()
    heights = (top - bottom) * (counts / n if n else np.zeros(len(counts)))
    lows = bottom + np.concatenate([[0.0], np.cumsum(heights[:-1])])
    beside: list[tuple[float, str]] = []
    for count, low, height, residual in zip(counts if n else (), lows, heights, residuals, strict=bool(n)):
        shade = shade_of(residual)
        if count:
            axes.add_patch(mpatches.Rectangle((start, low), width, height, **_style(shade)))
        text = f"{count:,}"
        share = f"{text}\n{100 * count / n:.0f}%"
        fitting = next((words for words in (share, text) if _fits(words, width, height)), "")
        if not fitting:
            beside.append((low + height / 2, text))
            continue
        dark = theme.lightness(shade.colour) < 0.55
        label = axes.text(
            start + width / 2,
            low + height / 2,
            fitting,
            ha="center",
            va="center",
            fontsize=theme.SMALL_SIZE_PT,
            color="white" if dark else theme.PALETTE["ink"],
            gid="count",
        )
        if shade.hatch:
            label.set_bbox({"facecolor": shade.colour, "edgecolor": "none", "pad": 1.0})
    line = text_height("0")
    places = spread_labels([place for place, _ in beside], [line] * len(beside), bottom - line / 2, top + line / 2)
    for (place, text), y in zip(beside, places, strict=True):
        _lead(axes, (start + width, place), (start + width + _LEADER_PT - 2, y))
        style: dict[str, Any] = {"ha": "left", "va": "center", "fontsize": theme.SMALL_SIZE_PT, "gid": "count"}
        axes.text(start + width + _LEADER_PT, y, text, **style)
    return list(lows + heights / 2)


def _style(shade: Shade) -> dict[str, Any]:
    edge = theme.PALETTE["ink"]
    return {"facecolor": shade.colour, "hatch": shade.hatch, "edgecolor": edge, "linewidth": 0.6}


def _fits(text: str, width: float, height: float) -> bool:
    return text_width(text) + _PAD_PT <= width and text_height(text) <= height


def _lead(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.plot(*zip(start, end, strict=True), color=theme.PALETTE["muted"], linewidth=0.5, zorder=1)


def _name_answers(axes: Axes, answers: list[str], middles: list[float], left: float, bottom: float, top: float) -> None:
    """Names of the answers left of the first group, each led to its tile there."""
    places = spread_labels(middles, [text_height(name) for name in answers], bottom - _PAD_PT, top + _PAD_PT)
    for name, place, middle in zip(answers, places, middles, strict=True):
        axes.text(
            left - _LEADER_PT, place, name, ha="right", va="center", fontsize=theme.SMALL_SIZE_PT, linespacing=1.1
        )
        _lead(axes, (left - _LEADER_PT + 2, place), (left, middle))


def _name_groups(counts: pd.DataFrame, room: float) -> list[str]:
    """Names of the groups with n, folded until they fit side by side."""
    for letters in range(_WRAP + 6, 5, -1):
        names = [
            "\n".join([*wrap(str(name), letters), f"n = {n:,}"])
            for name, n in zip(counts.index, counts.sum(axis=1), strict=True)
        ]
        if sum(text_width(name) + _PAD_PT for name in names) <= room:
            break
    return names


def _print_groups(axes: Axes, groups: list[str], middles: np.ndarray, left: float, whole: float, bottom: float) -> None:
    places = spread_labels(
        middles, [text_width(name) for name in groups], left - _LEADER_PT, whole - _PAD_PT / 2, _PAD_PT
    )
    for name, place, middle in zip(groups, places, middles, strict=True):
        y = bottom - _LEADER_PT
        axes.text(place, y, name, ha="center", va="top", fontsize=theme.SMALL_SIZE_PT, linespacing=1.1)
        _lead(axes, (place, y + 2), (middle, bottom))


def _check(counts: pd.DataFrame) -> None:
    problems = []
    if min(counts.shape) < 2:
        problems.append(Problem("counts", f"shape {counts.shape}", "two groups and two answers, or more"))
    for what, names in (("group", counts.index), ("answer", counts.columns)):
        problems += [
            Problem("counts", f"{what} '{name}' comes twice", "one row or column each")
            for name in names[names.duplicated()].unique()
        ]
    if problems:
        raise InputError("The mosaic cannot be drawn.", problems)
