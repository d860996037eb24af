"""Ordered answers as diverging bars: lower answers to the left of a midpoint, higher ones to the right.

The midpoint is a place on the scale of answers, so it can lie within an answer (which is then split
there) or between two. Answers that a source does not tell apart are one hatched piece over their
whole stretch of the scale; it is never split, since where to split it would be a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.patches as mpatches
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from analysis.base.errors import InputError, Problem
from analysis.plots.theme import DIVERGING, PALETTE, SMALL_SIZE_PT, lightness, new_figure

OPEN_HATCH = "xxxx"
LOWER_HATCH = "////"
"""On every answer below the middle, so that both sides differ in print without colour."""

_BAR = 0.52
_LABEL_GAP_PT = 2.0


def place_segments(segments: pd.DataFrame, midpoint: float) -> pd.DataFrame:
    """Start and width of every piece of the bars, in shares of the respondents, zero at the midpoint.

    Parameters
    ----------
    segments : DataFrame
        One row a piece: ``item``, ``first`` and ``last`` (positions on the scale that it covers, equal
        for an ordinary answer), ``count``, ``n``.
    midpoint : float
        Place of zero on the scale: 3 splits the third answer in two halves, 3.5 lies between the
        third and the fourth.

    Returns
    -------
    DataFrame
        ``segments`` sorted by scale within items (items keep their order), with ``start`` and ``width``.

    Raises
    ------
    InputError
        No pieces, a negative count, overlapping pieces, counts that do not reach ``n``, an item with
        more than one ``n``, or a midpoint inside a piece that covers several answers.
    """
    problems, placed = [], []
    if segments.empty:
        problems.append(Problem("segments", "there is nothing to draw", "give at least one item"))
    for item, rows in segments.groupby("item", sort=False):
        rows = rows.sort_values("first", kind="stable")
        span = rows["last"] - rows["first"] + 1
        left = ((midpoint - (rows["first"] - 0.5)) / span.clip(lower=1)).clip(0, 1)
        faults = _faults(str(item), rows.assign(split=(span > 1) & (left > 0) & (left < 1)), midpoint)
        if faults:
            problems += faults
            continue
        width = rows["count"] / rows["n"]
        placed.append(rows.assign(width=width, start=width.cumsum() - width - (width * left).sum()))
    if problems:
        raise InputError("The answers cannot be drawn as diverging bars.", problems)
    return pd.concat(placed, ignore_index=True)


def _faults(item: str, rows: pd.DataFrame, midpoint: float) -> list[Problem]:
    total, n = rows["count"].sum(), rows["n"].iloc[0]
    found = []
    if rows["n"].nunique() > 1:
        found.append(Problem(item, f"it has several n: {sorted(set(rows['n']))}", "give one number of respondents"))
    elif (rows["count"] < 0).any() or n <= 0:
        found.append(Problem(item, "a count is below zero, or nobody answered", "correct the table"))
    elif total != n:
        found.append(
            Problem(item, f"the pieces add up to {total} of {n}", "give what is missing as a piece of its own")
        )
    follows = rows["first"].iloc[1:].to_numpy() > rows["last"].iloc[:-1].to_numpy()
    if not follows.all() or (rows["last"] < rows["first"]).any():
        found.append(Problem(item, "two pieces cover the same answer", "give every answer once"))
    return found + [
        Problem(
            item,
            f"midpoint {midpoint:g} lies within answers {row['first']} to {row['last']}, which are not broken down",
            f"choose one up to {row['first'] - 0.5:g} or from {row['last'] + 0.5:g}",
        )
        for row in rows[rows["split"]].to_dict("records")
    ]


def scale_colours(k: int) -> tuple[str, ...]:
    """One colour an answer, lowest first, for any number of answers: light in the middle, dark at the ends.

    >>> len(scale_colours(5)), scale_colours(5) == DIVERGING
    (5, True)
    """
    ramp = LinearSegmentedColormap.from_list("answers", list(DIVERGING), N=1001)
    return tuple(to_hex(ramp(x)) for x in (np.linspace(0, 1, k) if k > 1 else [0.5]))


def draw_likert(
    segments: pd.DataFrame,
    beside: pd.DataFrame,
    scale: Sequence[str],
    *,
    midpoint: float | None = None,
    beside_title: str = "",
    open_label: str = "Not broken down",
) -> Figure:
    """Diverging bars with counts inside, and one share with its interval beside each bar.

    Parameters
    ----------
    segments : DataFrame
        ``item`` (label of the bar), ``first``, ``last``, ``count``, ``n``; see `place_segments`.
        Optional ``mark``: text set after the count, such as an asterisk.
    beside : DataFrame
        ``item``, ``share``, ``low``, ``high`` (0–1), ``text``; one row an item.
    scale : sequence of str
        Name of every answer, lowest first; all of them enter the legend, whether anyone gave them
        or not.
    midpoint : float, optional
        Place of zero on the scale; the middle of the scale unless told otherwise.
    beside_title : str
        What the share beside is.
    open_label : str
        Name of pieces that cover several answers.

    Raises
    ------
    InputError
        See `place_segments`; also an item without its share and interval beside, or a position outside the scale.
    """
    k = len(scale)
    midpoint = (k + 1) / 2 if midpoint is None else midpoint
    placed = place_segments(segments, midpoint)
    items = list(dict.fromkeys(placed["item"]))
    _check(placed, beside, items, k)
    colours = scale_colours(k)

    figure, (bars, right) = new_figure(0.95 + 0.52 * len(items), ncols=2, sharey=True, width_ratios=[2.5, 1])
    labels = []
    for row in placed[placed["count"] > 0].to_dict("records"):
        style = _style(row, colours, k)
        y = items.index(row["item"])
        bars.barh(y, row["width"], left=row["start"], height=_BAR, **style)
        dark = style["facecolor"] != "white" and lightness(style["facecolor"]) < 0.55
        text = bars.text(
            row["start"] + row["width"] / 2,
            y,
            f"{row['count']:,}{row.get('mark', '')}",
            ha="center",
            va="center",
            fontsize=SMALL_SIZE_PT,
            color="white" if dark else PALETTE["ink"],
            gid="count",
        )
        on_line = row["start"] < 0 < row["start"] + row["width"]
        if style["hatch"] or on_line:
            text.set_bbox({"facecolor": style["facecolor"], "edgecolor": "none", "pad": 1.2})
        labels.append((text, row))
    bars.axvline(0, color=PALETTE["ink"], linewidth=0.8)
    bars.set_yticks(range(len(items)), items)
    bars.set_ylim(len(items) - 0.5, -0.5)
    bars.tick_params(axis="y", length=0)
    bars.spines["left"].set_visible(False)
    bars.xaxis.set_major_locator(MultipleLocator(0.25))
    bars.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{abs(100 * share):.0f}%"))
    bars.set_xlabel("Share of respondents; counts in the bars")
    low, high = placed["start"].min(), (placed["start"] + placed["width"]).max()
    bars.set_xlim(min(low, 0) - 0.02, max(high, 0) + 0.02)

    _draw_beside(right, beside.set_index("item").loc[items], beside_title)
    figure.legend(
        handles=_legend_handles(scale, colours, bool((placed["last"] > placed["first"]).any()), open_label),
        loc="outside lower center",
        ncols=3,
        fontsize=SMALL_SIZE_PT,
        handlelength=1.6,
        columnspacing=1.6,
    )
    _move_tight_labels(figure, bars, labels)
    return figure


def _style(row: dict[str, Any], colours: Sequence[str], k: int) -> dict[str, Any]:
    if row["last"] > row["first"]:
        return {"facecolor": "white", "edgecolor": PALETTE["muted"], "hatch": OPEN_HATCH, "linewidth": 0.6}
    lower = row["first"] < (k + 1) / 2
    return {
        "facecolor": colours[row["first"] - 1],
        "edgecolor": "white",
        "hatch": LOWER_HATCH if lower else "",
        "linewidth": 0.6,
    }


def _draw_beside(axes: Any, rows: pd.DataFrame, title: str) -> None:
    for y, row in enumerate(rows.to_dict("records")):
        axes.plot([row["low"], row["high"]], [y, y], color=PALETTE["primary"], linewidth=1.6, solid_capstyle="butt")
        axes.plot(row["share"], y, "o", color=PALETTE["primary"], markersize=4.5)
        axes.annotate(
            row["text"],
            (0.5, y),
            xycoords=("axes fraction", "data"),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=SMALL_SIZE_PT,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(MultipleLocator(0.5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}%"))
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(title)


def _legend_handles(scale: Sequence[str], colours: Sequence[str], has_open: bool, open_label: str) -> list[Any]:
    """Patches in reading order over three columns (matplotlib fills legends column by column)."""
    k = len(scale)
    handles = [
        mpatches.Patch(label=name, **_style({"first": place, "last": place}, colours, k))
        for place, name in enumerate(scale, start=1)
    ]
    if has_open:
        handles.append(mpatches.Patch(label=open_label, **_style({"first": 1, "last": 2}, colours, k)))
    columns = [handles[start::3] for start in range(3)]
    return [handle for column in columns for handle in column]


def _move_tight_labels(figure: Figure, axes: Any, labels: list[tuple[Any, dict[str, Any]]]) -> None:
    """Lift a count above its bar where the bar is too narrow for it, and push lifted counts apart."""
    figure.draw_without_rendering()
    to_points = 72 / figure.dpi
    per_share = abs(axes.transData.transform((1, 0))[0] - axes.transData.transform((0, 0))[0]) * to_points
    edge = {}
    for text, row in labels:
        width = text.get_window_extent().width * to_points
        if width + _LABEL_GAP_PT <= row["width"] * per_share:
            continue
        centre = (row["start"] + row["width"] / 2) * per_share
        left = max(centre - width / 2, edge.get(row["item"], -np.inf) + _LABEL_GAP_PT)
        edge[row["item"]] = left + width
        y = text.get_position()[1]
        text.set(position=((left + width / 2) / per_share, y - _BAR / 2 - 0.03), va="bottom", color=PALETTE["ink"])
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.4})  # over the line at zero


def _check(placed: pd.DataFrame, beside: pd.DataFrame, items: list[str], k: int) -> None:
    problems = [
        Problem(str(item), "has no share to stand beside it, or several", "give one row an item")
        for item in items
        if (beside["item"] == item).sum() != 1
    ]
    problems += [
        Problem(str(item), "its share or interval is missing", "give value and both bounds")
        for item in beside.loc[beside[["share", "low", "high"]].isna().any(axis=1), "item"]
    ]
    outside = placed[(placed["first"] < 1) | (placed["last"] > k)]
    problems += [
        Problem(
            str(row["item"]),
            f"position {row['last']} is outside a scale of {k} answers",
            "name every answer of the scale",
        )
        for row in outside.to_dict("records")
    ]
    if problems:
        raise InputError("The answers cannot be drawn as diverging bars.", problems)
