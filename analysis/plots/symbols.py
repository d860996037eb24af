"""Symbol matrix: what holds in each cell, as one symbol out of an ordered few; told apart by shape and shade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from analysis.base.errors import InputError, Problem
from analysis.plots import theme
from analysis.plots.cells import find_missing_cells, find_stray_cells
from analysis.plots.labels import text_width

_INK = theme.PALETTE["primary"]
_MARKERS: tuple[dict[str, Any], ...] = (
    {"marker": "o", "markersize": 7.0, "color": _INK},
    {"marker": "o", "markersize": 7.0, "color": _INK, "fillstyle": "left", "markerfacecoloralt": "white"},
    {"marker": "o", "markersize": 7.0, "color": _INK, "fillstyle": "none"},
    {"marker": "x", "markersize": 5.5, "color": theme.PALETTE["ink"], "markeredgewidth": 1.6},
    {"marker": "^", "markersize": 5.5, "color": theme.PALETTE["muted"], "fillstyle": "none"},
    {"marker": "_", "markersize": 4.0, "color": theme.PALETTE["muted"], "markeredgewidth": 0.8},
)
_SHADES = ("#c9d6e4", "#e3eaf1", "#f3f6f9", "#efe6dc", theme.PALETTE["white"], theme.PALETTE["white"])
"""Ordered from what is there to what is not said: full, half, open circle, cross, triangle, stroke."""

_ROW_IN = 0.185
_HEAD_IN = 0.36
_LEGEND_IN = 0.52
_PAD_PT = 6.0


def draw_symbol_matrix(
    cells: pd.DataFrame,
    classes: Mapping[str, str],
    *,
    rows: pd.DataFrame,
    row_groups: Mapping[str, str],
    columns: Mapping[str, str],
    note: str = "",
) -> Figure:
    """Draw rows × columns with one symbol a cell and, beside it, a short text.

    Parameters
    ----------
    cells : DataFrame
        ``row``, ``column``, ``status`` (a class), ``text`` (short; empty for none).
    classes : mapping of str to str
        Class → legend entry, from what is most there to what is not said; at most six. The place in this order
        gives the symbol; the legend shows those that occur.
    rows : DataFrame
        ``key``, ``label``, ``group``; drawn group by group in the order of ``row_groups``.
    row_groups, columns : mapping of str to str
        Group → heading; column → heading (line breaks are kept).
    note : str
        What the texts mean, printed below the legend.

    Raises
    ------
    InputError
        No row or column, a cell unknown, given twice or not at all, an unknown class or group, more classes than can
        be told apart, or a heading or text too wide for its column; all listed.
    """
    left = max([text_width(str(words)) for words in [*rows["label"], *row_groups.values()]], default=0.0)
    width = (72 * theme.TEXT_WIDTH_IN - left - 2 * _PAD_PT) / max(1, len(columns))
    _check(cells, classes, rows, row_groups, columns, width)
    places, headings, place = {}, {}, -1.0
    for group in row_groups:
        members = rows.loc[rows["group"] == group, "key"]
        if len(members):
            place += 1.0
            headings[group] = place
        for key in members:
            place += 1.0
            places[key] = place
    legend_in = _LEGEND_IN + (0.18 if note else 0.0)
    figure, axes = theme.new_figure(_ROW_IN * (place + 1.2) + _HEAD_IN + legend_in)
    found = cells.set_index(["row", "column"])
    styles = dict(zip(classes, zip(_MARKERS, _SHADES, strict=True), strict=False))
    for x, column in enumerate(columns):
        for key, y in places.items():
            cell = found.loc[(key, column)]
            _draw_cell(axes, x, y, *styles[cell["status"]], str(cell["text"] or ""))
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(place + 0.6, -0.6)
    axes.set_xticks(range(len(columns)), list(columns.values()), fontsize=theme.SMALL_SIZE_PT)
    axes.xaxis.tick_top()
    names = rows.set_index("key")["label"]
    axes.set_yticks([*headings.values(), *places.values()], [*(row_groups[g] for g in headings), *names[list(places)]])
    for label in axes.get_yticklabels():
        label.set_fontsize(theme.SMALL_SIZE_PT)
    for label in axes.get_yticklabels()[: len(headings)]:
        label.set_fontweight("bold")
    axes.tick_params(length=0, pad=3)
    axes.spines[:].set_visible(False)
    handles = [
        Line2D([], [], linestyle="none", label=words, **styles[key][0])
        for key, words in classes.items()
        if key in set(cells["status"])
    ]
    style: dict[str, Any] = {"handletextpad": 0.2, "columnspacing": 1.3, "fontsize": theme.SMALL_SIZE_PT}
    legend = figure.legend(
        handles=handles, loc="outside lower center", ncols=min(3, len(handles)), title=note or None, **style
    )
    legend.get_title().set_fontsize(theme.SMALL_SIZE_PT)
    legend.set_alignment("center")
    return figure


def _draw_cell(axes: Axes, x: int, y: float, marker: dict[str, Any], shade: str, text: str) -> None:
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=shade, edgecolor="white", linewidth=1.0))
    axes.plot(x - 0.26 if text else x, y, linestyle="none", **marker)
    if text:
        axes.text(x - 0.1, y, text, ha="left", va="center_baseline", fontsize=theme.SMALL_SIZE_PT - 0.5)


def _check(
    cells: pd.DataFrame,
    classes: Mapping[str, str],
    rows: pd.DataFrame,
    row_groups: Mapping[str, str],
    columns: Mapping[str, str],
    width: float,
) -> None:
    problems = [
        Problem(name, "there is none", "give one or more")
        for name, given in (("rows", rows), ("columns", columns), ("classes", classes))
        if len(given) == 0
    ]
    if len(classes) > len(_MARKERS):
        problems.append(Problem("classes", f"{len(classes)} classes", f"at most {len(_MARKERS)} can be told apart"))
    for name, frame, column, known in (
        ("group", rows, "group", list(row_groups)),
        ("class", cells, "status", list(classes)),
    ):
        problems += [
            Problem(name, f"unknown {name} '{value}'", f"one of: {', '.join(map(str, known))}")
            for value in frame.loc[~frame[column].isin(known), column].unique()
        ]
    problems += [
        Problem("rows", f"'{key}' occurs twice", "one row each") for key in rows.loc[rows["key"].duplicated(), "key"]
    ]
    problems += find_stray_cells(cells, rows["key"], columns)
    problems += find_missing_cells(cells, rows["key"], columns, "give it, with the class for what is not said")
    problems += [
        Problem("columns", f"'{words}' does not fit a column of {width:.0f} points", "break the line, or shorten it")
        for words in columns.values()
        if text_width(words) > width - 1
    ]
    texts = [str(text) for text in cells["text"] if text_width(str(text), theme.SMALL_SIZE_PT - 0.5) > 0.58 * width]
    problems += [Problem("cells", f"'{text}' does not fit its cell", "shorten it") for text in dict.fromkeys(texts)]
    if problems:
        raise InputError("The matrix cannot be drawn.", problems)
