"""Dot matrix: which row is linked to which column, both in groups, with totals at the margins."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.base.errors import InputError, Problem
from analysis.plots import theme

_MARKERS = (
    {"marker": "s", "s": 30, "facecolor": theme.PALETTE["primary"], "edgecolor": theme.PALETTE["primary"]},
    {"marker": "o", "s": 26, "facecolor": theme.PALETTE["white"], "edgecolor": theme.PALETTE["ink"]},
    {"marker": "D", "s": 20, "facecolor": theme.PALETTE["secondary"], "edgecolor": theme.PALETTE["ink"]},
)
"""Column groups differ in shape and fill, so that the picture reads without colour."""

_ROW_IN = 0.157
_COLUMN_LABEL_IN = 1.12
_LEGEND_IN = 0.22


def draw_dot_matrix(
    rows: pd.DataFrame,
    columns: pd.DataFrame,
    links: pd.DataFrame,
    *,
    row_groups: Mapping[object, str],
    column_groups: Mapping[object, str],
) -> Figure:
    """Draw rows × columns with one mark a link.

    Parameters
    ----------
    rows, columns : DataFrame
        ``key``, ``label``, ``group``; shown group by group in the order of the mappings, and
        within a group in the order given.
    links : DataFrame
        ``row``, ``column``: keys that are linked.
    row_groups, column_groups : mapping
        Group → heading (rows) or legend entry (columns, at most three groups).

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text; the number of links of each row stands at the right, of each column
        below. A row without a link is shaded, since what has no support should be seen.

    Raises
    ------
    InputError
        A link to an unknown row or column, a repeated link or key, or an unknown group.
    """
    _check(rows, columns, links, row_groups, column_groups)
    rows, columns = _in_groups(rows, row_groups), _in_groups(columns, column_groups)
    row_places = _row_places(rows)
    column_places = {
        key: place + 0.6 * gap
        for place, (key, gap) in enumerate(zip(columns["key"], _group_numbers(columns), strict=True))
    }
    lines = max(row_places.values()) + 1
    figure, axes = theme.new_figure(_ROW_IN * (lines + 1.6) + _COLUMN_LABEL_IN + _LEGEND_IN)
    right = max(column_places.values()) + 0.5

    _draw_frame(axes, rows, row_places, row_groups, set(links["row"]), right)
    axes.vlines(list(column_places.values()), -0.7, lines - 0.35, color=theme.PALETTE["rule"], linewidth=0.4, zorder=0)
    group_of = columns.set_index("key")["group"]
    for style, (group, heading) in zip(_MARKERS, column_groups.items(), strict=False):
        chosen = links[links["column"].map(group_of) == group]
        axes.scatter(
            chosen["column"].map(column_places),
            chosen["row"].map(row_places),
            linewidth=0.9,
            zorder=3,
            label=heading,
            **style,
        )
    _draw_totals(axes, row_places, column_places, links, right, lines)

    axes.set_xlim(-0.6, right + 1.5)
    axes.set_ylim(lines + 0.9, -1.0)
    axes.set_xticks(list(column_places.values()), list(columns["label"]), rotation=90, fontsize=theme.SMALL_SIZE_PT)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    figure.legend(loc="outside lower right", ncols=len(column_groups), handletextpad=0.2, columnspacing=1.5)
    return figure


def _draw_frame(
    axes: Axes,
    rows: pd.DataFrame,
    places: Mapping[object, int],
    row_groups: Mapping[object, str],
    linked: set[object],
    right: float,
) -> None:
    """Row labels, group headings, hairlines, and a band behind every row without a link."""
    axes.set_yticks([places[key] for key in rows["key"]], list(rows["label"]), fontsize=theme.SMALL_SIZE_PT)
    for key in rows["key"]:
        if key in linked:
            axes.hlines(places[key], -0.5, right, color=theme.PALETTE["rule"], linewidth=0.4, zorder=0)
        else:
            axes.fill_between(
                [-0.5, right], places[key] - 0.5, places[key] + 0.5, color="#e4e1da", linewidth=0, zorder=0
            )
    for group, heading in row_groups.items():
        members = rows.loc[rows["group"] == group, "key"]
        if len(members):
            _write_left(axes, places[members.iloc[0]] - 0.95, heading, fontweight="bold")


def _draw_totals(
    axes: Axes,
    row_places: Mapping[object, int],
    column_places: Mapping[object, float],
    links: pd.DataFrame,
    right: float,
    lines: int,
) -> None:
    per_row, per_column = links["row"].value_counts(), links["column"].value_counts()
    style = {"ha": "center", "va": "center_baseline", "fontsize": theme.SMALL_SIZE_PT}
    for key, place in row_places.items():
        axes.text(right + 0.8, place, str(per_row.get(key, 0)), **style)
    for key, place in column_places.items():
        axes.text(place, lines + 0.2, str(per_column.get(key, 0)), **style)
    axes.text(right + 0.8, -0.75, "n", style="italic", **style)
    _write_left(axes, lines + 0.2, "n", style="italic")
    axes.hlines(lines - 0.35, -0.5, right, color=theme.PALETTE["muted"], linewidth=0.6)


def _write_left(axes: Axes, place: float, text: str, **style: str) -> None:
    """Text that ends where the row labels end."""
    axes.annotate(
        text,
        (0, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=(-2, 0),
        textcoords="offset points",
        ha="right",
        va="center_baseline",
        fontsize=theme.SMALL_SIZE_PT,
        **style,
    )


def _in_groups(frame: pd.DataFrame, groups: Mapping[object, str]) -> pd.DataFrame:
    order = frame["group"].map(list(groups).index)
    return frame.assign(_order=order).sort_values("_order", kind="stable").drop(columns="_order")


def _row_places(rows: pd.DataFrame) -> dict[object, int]:
    """Line of every row, with one line before each group for its heading."""
    return {
        key: place + number + 1
        for place, (key, number) in enumerate(zip(rows["key"], _group_numbers(rows), strict=True))
    }


def _group_numbers(frame: pd.DataFrame) -> list[int]:
    """Number of each entry's group in order of appearance, from 0."""
    return [int(number) for number in pd.factorize(frame["group"])[0]]


def _check(
    rows: pd.DataFrame,
    columns: pd.DataFrame,
    links: pd.DataFrame,
    row_groups: Mapping[object, str],
    column_groups: Mapping[object, str],
) -> None:
    problems = []
    if len(column_groups) > len(_MARKERS):
        problems.append(
            Problem("column_groups", f"{len(column_groups)} groups", f"at most {len(_MARKERS)} can be told apart")
        )
    for name, frame, groups in (("row", rows, row_groups), ("column", columns, column_groups)):
        if frame.empty:
            problems.append(Problem(name, "no entries", "give at least one"))
        problems += [
            Problem(name, f"'{key}' occurs twice", "one entry a key")
            for key in frame.loc[frame["key"].duplicated(), "key"]
        ]
        problems += [
            Problem(name, f"unknown group '{group}'", f"one of: {', '.join(map(str, groups))}")
            for group in frame.loc[~frame["group"].isin(list(groups)), "group"].unique()
        ]
        problems += [
            Problem("links", f"unknown {name} '{key}'", "link only what is shown")
            for key in links.loc[~links[name].isin(list(frame["key"])), name].unique()
        ]
    problems += [
        Problem("links", f"'{link.row}' and '{link.column}' are linked twice", "once is enough")
        for link in links[links.duplicated(["row", "column"])].itertuples()
    ]
    if problems:
        raise InputError("The matrix cannot be drawn.", problems)
