"""Heat map: a cell a row and column, darker for more, with its count inside; many rows and columns on one page."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.base.errors import InputError, Problem
from analysis.plots import theme
from analysis.plots.cells import find_stray_cells
from analysis.plots.labels import text_height, text_width

PAGE_HEIGHT_IN = 8.9
"""Height of the text block on A4 less a caption of three lines."""

_SHADES = LinearSegmentedColormap.from_list("heat", [theme.PALETTE["white"], theme.PALETTE["primary"]])
_ROW_IN = 0.2
_LEGEND_IN = 0.5
_PAD_PT = 6.0


def draw_heat_map(
    cells: pd.DataFrame,
    *,
    rows: Mapping[str, str],
    columns: Mapping[str, str],
    bar_label: str,
    share: bool = True,
    digits: int = 0,
) -> Figure:
    """Draw a cell a row and column, darker for a larger value, with its text inside.

    Parameters
    ----------
    cells : DataFrame
        ``row``, ``column``, ``value`` (from 0 up), ``text``. A pair without a row stays blank, as above the diagonal
        of a symmetric table; a missing value is drawn as a stroke.
    rows, columns : mapping
        Key → words, in the order of drawing. Column words stand upright where they are wider than their cells.
    bar_label : str
        What the shading means.
    share : bool
        Values are shares: the legend is in per cent.
    digits : int
        Decimals in the legend.

    Raises
    ------
    InputError
        No row or column, an unknown one, a cell given twice, a negative value, a text too wide for its cell, or a
        table too high for a page; all listed.
    """
    left = max((text_width(words, theme.SMALL_SIZE_PT) for words in rows.values()), default=0.0)
    width = (72 * theme.TEXT_WIDTH_IN - left - 3 * _PAD_PT) / max(1, len(columns))
    widest = max((text_width(words, theme.SMALL_SIZE_PT) for words in columns.values()), default=0.0)
    upright = widest > width - 2
    top = widest if upright else max((text_height(words) for words in columns.values()), default=0.0)
    height = _ROW_IN * len(rows) + top / 72 + _LEGEND_IN + 0.2
    _check(cells, rows, columns, width, height)
    figure, axes = theme.new_figure(height)
    largest = float(cells["value"].max()) or 1.0
    across, down = list(columns), list(rows)
    for cell in cells.itertuples():
        x, y = across.index(cell.column), down.index(cell.row)
        if pd.isna(cell.value):
            axes.plot([x - 0.12, x + 0.12], [y, y], color=theme.PALETTE["muted"], linewidth=0.9)
            continue
        colour = to_hex(_SHADES(float(cell.value) / largest))
        axes.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor=theme.PALETTE["rule"], linewidth=0.5)
        )
        dark = theme.lightness(colour) < 0.6
        ink = "white" if dark else theme.PALETTE["ink"]
        axes.text(x, y, cell.text, ha="center", va="center_baseline", fontsize=theme.SMALL_SIZE_PT, color=ink)
    axes.set_xlim(-0.53, len(across) - 0.47)
    axes.set_ylim(len(down) - 0.47, -0.53)
    turned = {"rotation": 90 if upright else 0, "fontsize": theme.SMALL_SIZE_PT}
    axes.set_xticks(range(len(across)), list(columns.values()), **turned)
    axes.set_yticks(range(len(down)), list(rows.values()), fontsize=theme.SMALL_SIZE_PT)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    words = [f"{100 * s * largest:.{digits}f}%" if share else f"{s * largest:.{digits}f}" for s in (0, 0.5, 1.0)]
    steps = [
        Rectangle((0, 0), 1, 1, facecolor=_SHADES(s), edgecolor=theme.PALETTE["muted"], label=label)
        for s, label in zip((0, 0.5, 1.0), words, strict=True)
    ]
    legend = figure.legend(handles=steps, loc="outside lower center", ncols=3, title=bar_label, columnspacing=1.6)
    legend.set_alignment("center")
    return figure


def _check(
    cells: pd.DataFrame, rows: Mapping[str, str], columns: Mapping[str, str], width: float, height: float
) -> None:
    problems = [
        Problem(name, "there is none", "give one or more")
        for name, given in (("rows", rows), ("columns", columns), ("cells", cells.index))
        if len(given) == 0
    ]
    problems += find_stray_cells(cells, rows, columns)
    wrong = cells[cells["value"] < 0]
    problems += [Problem(f"{c.row}, {c.column}", f"a value of {c.value:g}", "0 or more") for c in wrong.itertuples()]
    wide = [str(text) for text in cells["text"] if text_width(str(text)) > width - 2]
    if wide:
        what = f"'{max(wide, key=text_width)}' does not fit a cell of {width:.0f} points"
        problems.append(Problem("columns", what, "draw fewer columns, or shorten labels and texts"))
    if height > PAGE_HEIGHT_IN:
        problems.append(Problem("rows", f"{height:.1f} inches high, a page has {PAGE_HEIGHT_IN}", "draw fewer rows"))
    if problems:
        raise InputError("The heat map cannot be drawn.", problems)
