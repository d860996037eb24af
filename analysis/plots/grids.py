"""Grids: shares as shaded cells with words in them, and pictures with boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, withStroke

from analysis.base.errors import InputError, Problem
from analysis.plots import theme
from analysis.plots.cells import find_missing_cells, find_stray_cells

_SHADES = LinearSegmentedColormap.from_list("shares", [theme.PALETTE["white"], theme.PALETTE["primary"]])


def draw_share_matrix(
    cells: pd.DataFrame, *, rows: Mapping[str, str], columns: Mapping[str, str], bar_label: str
) -> Figure:
    """Draw a cell a row and column, darker for a larger share, with its text inside.

    Parameters
    ----------
    cells : DataFrame
        ``row``, ``column``, ``share`` (0 to 1; missing leaves the cell white with a cross-line), ``text`` (line
        breaks are kept).
    rows, columns : mapping
        Key → words, in the order of drawing.
    bar_label : str
        What the shading means.

    Raises
    ------
    InputError
        An unknown row or column, a cell given twice or not at all, or a share outside 0 to 1; all listed.
    """
    _check_cells(cells, rows, columns)
    lines = max((str(text).count("\n") + 1 for text in cells["text"]), default=1)
    height = 0.14 + 0.135 * lines
    figure, axes = theme.new_figure(height * len(rows) + 0.75)
    found = cells.set_index(["row", "column"])
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            cell = found.loc[(row, column)]
            missing = pd.isna(cell["share"])
            colour = theme.PALETTE["white"] if missing else _SHADES(float(cell["share"]))
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.5))
            if missing:
                axes.plot([x - 0.06, x + 0.06], [y, y], color=theme.PALETTE["muted"], linewidth=0.9)
                continue
            dark = theme.lightness(_hex(colour)) < 0.55
            axes.text(
                x,
                y,
                cell["text"],
                ha="center",
                va="center",
                linespacing=1.2,
                fontsize=theme.SMALL_SIZE_PT,
                color="white" if dark else theme.PALETTE["ink"],
            )
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    size = {"fontsize": theme.SMALL_SIZE_PT} if len(columns) > 4 else {}
    axes.set_xticks(range(len(columns)), list(columns.values()), fontweight="bold", **size)
    axes.set_yticks(range(len(rows)), list(rows.values()))
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    steps = [
        Rectangle((0, 0), 1, 1, facecolor=_SHADES(s), edgecolor=theme.PALETTE["muted"], label=f"{100 * s:.0f}%")
        for s in (0, 0.5, 1.0)
    ]
    legend = figure.legend(handles=steps, loc="outside lower center", ncols=3, title=bar_label, columnspacing=1.6)
    legend.set_alignment("center")
    return figure


def _hex(colour: object) -> str | tuple[float, float, float]:
    return colour if isinstance(colour, str) else tuple(colour)[:3]


def _check_cells(cells: pd.DataFrame, rows: Mapping[str, str], columns: Mapping[str, str]) -> None:
    problems = find_stray_cells(cells, rows, columns)
    problems += find_missing_cells(cells, rows, columns, "give it, with a missing share if nothing is known")
    outside = cells[cells["share"].notna() & ~cells["share"].between(0, 1)]
    problems += [
        Problem(f"{cell.row}, {cell.column}", f"a share of {cell.share:g}", "0 to 1") for cell in outside.itertuples()
    ]
    if problems or not rows or not columns:
        raise InputError("The matrix cannot be drawn.", problems or [Problem("cells", "it is empty", "give a cell")])


@dataclass(frozen=True, slots=True)
class BoxedImage:
    """A picture with boxes.

    Attributes
    ----------
    image : ndarray, shape (height, width, 3), RGB
    true : ndarray, shape (n, 4)
        Corners in pixels of what is there.
    right, wrong : ndarray, shape (n, 4)
        Corners of what was found, and is there or not.
    caption : str
        One short line below it.
    """

    image: np.ndarray
    true: np.ndarray
    right: np.ndarray
    wrong: np.ndarray
    caption: str


_TRUE = {"color": "white", "linewidth": 1.3, "linestyle": "-"}
_RIGHT = {"color": "white", "linewidth": 1.3, "linestyle": (0, (2, 1.2))}
_WRONG = {"color": "black", "linewidth": 1.3, "linestyle": (0, (2, 1.2))}


def draw_boxed_images(rows: Sequence[tuple[str, Sequence[BoxedImage]]]) -> Figure:
    """Draw rows of pictures with what is there (solid) and what was found (dashed; dark where it is false).

    Parameters
    ----------
    rows : sequence of (str, sequence of BoxedImage)
        Heading of the row, and its pictures from left to right.

    Raises
    ------
    InputError
        No picture at all.
    """
    width = max((len(images) for _, images in rows), default=0)
    if width == 0:
        raise InputError("There is no picture to draw.", [Problem("rows", "they are empty", "give one picture")])
    side = theme.TEXT_WIDTH_IN / width
    figure, grid = theme.new_figure((side + 0.34) * len(rows) + 0.4, nrows=len(rows), ncols=width, squeeze=False)
    for cells, (heading, images) in zip(grid, rows, strict=True):
        for axes in cells:
            axes.set_axis_off()
        for axes, picture in zip(cells, images, strict=False):
            _draw_picture(axes, picture)
        # A title wider than its picture would push the columns apart: an empty one keeps the place.
        cells[0].set_title(" ")
        style = {"fontweight": "bold", "va": "bottom", "in_layout": False}
        cells[0].text(0, 1.03, heading, transform=cells[0].transAxes, **style)
    edge = [withStroke(linewidth=2.4, foreground="black"), Normal()]
    light = [withStroke(linewidth=2.4, foreground="white"), Normal()]
    handles = [
        Line2D([], [], label="true box", path_effects=edge, **_TRUE),
        Line2D([], [], label="found, right", path_effects=edge, **_RIGHT),
        Line2D([], [], label="found, false", path_effects=light, **_WRONG),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=2.6)
    return figure


def _draw_picture(axes: Axes, picture: BoxedImage) -> None:
    axes.imshow(picture.image, interpolation="nearest")
    for boxes, style, around in (
        (picture.true, _TRUE, "black"),
        (picture.right, _RIGHT, "black"),
        (picture.wrong, _WRONG, "white"),
    ):
        for x1, y1, x2, y2 in boxes:
            axes.add_patch(
                Rectangle(
                    (x1 - 0.5, y1 - 0.5),
                    x2 - x1,
                    y2 - y1,
                    fill=False,
                    path_effects=[withStroke(linewidth=2.4, foreground=around), Normal()],
                    **style,
                )
            )
    height, width = picture.image.shape[:2]
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.text(
        0.5, -0.03, picture.caption, transform=axes.transAxes, ha="center", va="top", fontsize=theme.SMALL_SIZE_PT
    )
