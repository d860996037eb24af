"""Distributions by group as rainclouds: a density above, every value below, median and interval between, n beside.

After M. Allen and others (2019), Raincloud plots, Wellcome Open Research 4:63. Scores lie on a scale with two ends, and
an ordinary kernel density leaks over them; here what leaks is folded back (reflection; B. W. Silverman (1986), Density
Estimation, sec. 2.10), so that the cloud ends where the scale does and its area is one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.base.errors import InputError, Problem
from analysis.plots import theme
from analysis.plots.labels import text_width

LEAST_FOR_CLOUD = 5
"""A group of fewer values, or of equal ones, is drawn without a density, which would be invented."""

_CLOUD = 0.42  # height of the highest cloud, in rows
_RAIN = 0.30  # depth of the values below the line
_GRID = 256
_WRAP_PT = 120.0
_GUTTER_PT = 8.0


def compute_density(values: np.ndarray, grid: np.ndarray, limits: tuple[float, float], bandwidth: float) -> np.ndarray:
    """Gaussian kernel density on a scale with two ends, reflected there; it integrates to one between them.

    >>> grid = np.linspace(1, 5, 401)
    >>> found = compute_density(np.array([1.0, 1.0, 5.0]), grid, (1, 5), 0.4)
    >>> round(float(np.trapezoid(found, grid)), 4)
    1.0
    """
    low, high = limits
    # Images at both ends; a second round is below double precision for any bandwidth that is used.
    images = np.concatenate([values, 2 * low - values, 2 * high - values])
    apart = (grid[:, None] - images[None, :]) / bandwidth
    return np.exp(-0.5 * apart**2).sum(axis=1) / (len(values) * bandwidth * np.sqrt(2 * np.pi))


def choose_bandwidth(values: np.ndarray) -> float:
    """Silverman's rule of thumb, 0.9·min(s, IQR/1.34)·n^(−1/5) (Silverman 1986, eq. 3.31).

    Where half of the values are equal, so that the quartiles coincide, s alone is taken.
    """
    spread = float(np.std(values, ddof=1))
    quartiles = float(np.subtract(*np.percentile(values, [75, 25]))) / 1.34
    return 0.9 * (min(spread, quartiles) if quartiles > 0 else spread) * len(values) ** -0.2


def draw_density(
    values: pd.DataFrame,
    centres: pd.DataFrame,
    *,
    limits: tuple[float, float],
    axis_title: str,
    centre_name: str = "median, with its interval",
    bandwidth: float | None = None,
) -> Figure:
    """Draw one raincloud a group, from top to bottom.

    Parameters
    ----------
    values : DataFrame
        ``group``, ``value``: one row a person; a missing value is not drawn and not counted in n.
    centres : DataFrame
        ``group``, ``value``, ``low``, ``high`` (both missing where there is no interval), ``text`` (printed at the
        right): one row a group, in the order of drawing. They are computed elsewhere, by a named method.
    limits : (float, float)
        Ends of the scale, also of the axis; values lie between them.
    axis_title : str
        What the values are.
    centre_name : str
        What the dots with whiskers are, for the legend.
    bandwidth : float, optional
        Of all clouds alike; by default `choose_bandwidth` of each group.

    Raises
    ------
    InputError
        No values, a group without its centre or the other way round, a value outside the limits, or a centre outside
        its interval; all listed.
    """
    _check(values, centres, limits, bandwidth)
    groups = list(centres["group"])
    known = {group: _values_of(values, group) for group in groups}
    texts = [str(text) for text in centres["text"]]
    figure, axes = theme.new_figure(0.85 + 0.62 * len(groups))
    grid = np.linspace(*limits, _GRID)
    clouds = {group: _cloud(found, grid, limits, bandwidth) for group, found in known.items()}
    highest = max((cloud.max() for cloud in clouds.values() if cloud is not None), default=1.0)
    for place, row in enumerate(centres.to_dict("records")):
        _draw_group(axes, place, known[row["group"]], clouds[row["group"]], grid, highest, limits)
        _draw_centre(axes, place, row)
        style: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        axes.annotate(
            texts[place],
            (1.0, place),
            xytext=(_GUTTER_PT, 0),
            va="center",
            fontsize=theme.SMALL_SIZE_PT,
            annotation_clip=False,
            **style,
        )
    pad = 0.02 * (limits[1] - limits[0])
    axes.set_xlim(limits[0] - pad, limits[1] + pad)
    axes.set_ylim(len(groups) - 0.5, -0.6)
    labels = [f"{_folded(str(group))}\nn = {len(known[group]):,}" for group in groups]
    axes.set_yticks(range(len(groups)), labels, linespacing=1.15)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(axis_title)
    handles = [
        Line2D([], [], marker="o", color=theme.PALETTE["primary"], linewidth=1.8, markersize=5),
        Line2D([], [], marker="o", mfc="none", mec=theme.PALETTE["muted"], linestyle="none", markersize=3.5, mew=0.7),
        Patch(facecolor=theme.PALETTE["tertiary"], edgecolor=theme.PALETTE["ink"], linewidth=0.6),
    ]
    names = [centre_name, "one person", "density (areas are equal)"]
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=theme.SMALL_SIZE_PT)
    return figure


def _values_of(values: pd.DataFrame, group: str) -> np.ndarray:
    found = values.loc[values["group"] == group, "value"].to_numpy(dtype=float)
    return np.sort(found[np.isfinite(found)])


def _cloud(
    values: np.ndarray, grid: np.ndarray, limits: tuple[float, float], bandwidth: float | None
) -> np.ndarray | None:
    if len(values) < LEAST_FOR_CLOUD or values[0] == values[-1]:
        return None
    return compute_density(values, grid, limits, bandwidth or choose_bandwidth(values))


def _draw_group(
    axes: Axes,
    place: int,
    values: np.ndarray,
    cloud: np.ndarray | None,
    grid: np.ndarray,
    highest: float,
    limits: tuple[float, float],
) -> None:
    base = place - 0.07
    if cloud is not None:
        axes.fill_between(
            grid,
            base,
            base - _CLOUD * cloud / highest,
            facecolor=theme.PALETTE["tertiary"],
            edgecolor=theme.PALETTE["ink"],
            linewidth=0.6,
            zorder=2,
        )
    # Equal and nearly equal values are stacked downwards, always alike: no chance, nothing hidden.
    step = (limits[1] - limits[0]) / 60
    stacks: dict[int, int] = {}
    depths = []
    for value in values:
        cell = int((value - limits[0]) // step)
        depths.append(stacks.get(cell, 0))
        stacks[cell] = depths[-1] + 1
    deepest = max(max(stacks.values(), default=1), 8)
    axes.plot(
        values,
        place + 0.10 + _RAIN * np.array(depths) / deepest,
        "o",
        mfc="none",
        mec=theme.PALETTE["muted"],
        markersize=2.8,
        mew=0.6,
        zorder=2,
    )


def _draw_centre(axes: Axes, place: int, row: dict[str, Any]) -> None:
    colour = theme.PALETTE["primary"]
    if pd.notna(row["low"]):
        axes.plot(
            [row["low"], row["high"]], [place, place], color=colour, linewidth=1.8, solid_capstyle="butt", zorder=4
        )
    axes.plot(row["value"], place, "o", color=colour, markersize=5, mec="white", mew=0.6, zorder=5)


def _folded(name: str) -> str:
    """A name in lines of at most so many points."""
    lines: list[str] = []
    for word in name.split():
        if lines and text_width(f"{lines[-1]} {word}", theme.FONT_SIZE_PT) <= _WRAP_PT:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


def _check(values: pd.DataFrame, centres: pd.DataFrame, limits: tuple[float, float], bandwidth: float | None) -> None:
    problems = []
    if values["value"].notna().sum() == 0:
        problems.append(Problem("values", "there is nothing to draw", "give at least one value"))
    if not limits[0] < limits[1]:
        problems.append(Problem("limits", f"got {limits}", "two rising numbers"))
    if bandwidth is not None and not bandwidth > 0:
        problems.append(Problem("bandwidth", f"got {bandwidth}", "above zero, in units of the scale"))
    repeated = centres.loc[centres["group"].duplicated(), "group"]
    problems += [Problem(str(group), "has several centres", "give one row a group") for group in repeated]
    given, named = set(values["group"]), set(centres["group"])
    problems += [Problem(str(group), "has values but no centre", "give one") for group in sorted(given - named)]
    problems += [Problem(str(group), "has a centre but no values", "leave it out") for group in sorted(named - given)]
    outside = values[(values["value"] < limits[0]) | (values["value"] > limits[1])]
    problems += [
        Problem(str(row["group"]), f"value {row['value']:g} outside {limits[0]:g} to {limits[1]:g}", "correct it")
        for row in outside.to_dict("records")
    ]
    for row in centres.to_dict("records"):
        bounds = (row["low"], row["high"])
        if pd.isna(bounds[0]) != pd.isna(bounds[1]):
            problems.append(Problem(str(row["group"]), "one bound without the other", "give both or none"))
        elif pd.notna(bounds[0]) and not bounds[0] - 1e-12 <= row["value"] <= bounds[1] + 1e-12:
            what = f"centre {row['value']:g} outside {bounds[0]:g} to {bounds[1]:g}"
            problems.append(Problem(str(row["group"]), what, "check the estimate"))
    if problems:
        raise InputError("The distributions cannot be drawn.", problems)
