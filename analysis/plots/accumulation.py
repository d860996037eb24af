"""Accumulation: kinds seen by number of samples with a band, and beside it the new ones that each sample adds."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.plots import theme

_COLUMNS = ("samples", "seen", "seen_low", "seen_high", "new", "new_low", "new_high")


def draw_accumulation(
    curve: pd.DataFrame,
    *,
    total: Estimate | None = None,
    total_label: str = "",
    x_label: str,
    seen_label: str,
    new_label: str,
    mean_label: str = "mean over all orders",
    band_label: str,
) -> Figure:
    """Draw the curve of what was seen with its band, and the additions of each sample with theirs.

    Parameters
    ----------
    curve : DataFrame
        One row a number of samples, rising from 1: ``samples``, ``seen``, ``seen_low``, ``seen_high``, ``new``,
        ``new_low``, ``new_high``.
    total : Estimate, optional
        How many there may be in all; its interval is drawn beyond the last sample.
    total_label, x_label, seen_label, new_label, mean_label, band_label : str
        Legend entries and axis titles.

    Raises
    ------
    InputError
        A missing column, no rows, samples that do not rise, a band turned upside down, or a total below what was seen;
        all listed. A mean may lie outside the band: where one order in fifty brings something new, the mean is above 0
        and the band is not.
    """
    _check(curve, total)
    figure, (left, right) = theme.new_figure(2.95, ncols=2, width_ratios=(1.25, 1))
    dark, light = theme.PALETTE["primary"], theme.PALETTE["tertiary"]
    end = int(curve["samples"].max())
    left.fill_between(curve["samples"], curve["seen_low"], curve["seen_high"], color=light, alpha=0.55, linewidth=0)
    left.plot(curve["samples"], curve["seen"], "o-", color=dark, markersize=3, linewidth=1.6)
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=dark, marker="o", markersize=3, linewidth=1.6, label=mean_label),
        Patch(facecolor=light, alpha=0.55, label=band_label),
    ]
    if total is not None:
        beyond = end + max(0.6, 0.06 * end)
        style = {"color": theme.PALETTE["secondary"], "linewidth": 1.3}
        left.plot([1, beyond], [total.value, total.value], linestyle=(0, (5, 2.5)), **style)
        marker = {"marker": "D", "markersize": 4, "markerfacecolor": "white", "markeredgewidth": 1.2}
        if total.low is not None and total.high is not None:
            left.plot([beyond, beyond], [total.low, total.high], solid_capstyle="butt", **style)
        left.plot([beyond], [total.value], **style, **marker)
        handles.append(Line2D([], [], linestyle=(0, (5, 2.5)), label=total_label, **style, **marker))
    left.set_ylim(bottom=0)
    left.set_ylabel(seen_label)
    right.vlines(curve["samples"], curve["new_low"], curve["new_high"], color=light, linewidth=4.5)
    right.plot(curve["samples"], curve["new"], "o-", color=dark, markersize=3.5, linewidth=1.0)
    right.set_ylim(bottom=0)
    right.set_ylabel(new_label)
    for axes in (left, right):
        axes.set_xlabel(x_label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
        axes.grid(axis="y")
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), columnspacing=1.4)
    return figure


def _check(curve: pd.DataFrame, total: Estimate | None) -> None:
    problems = [Problem("curve", f"no column '{name}'", ", ".join(_COLUMNS)) for name in _COLUMNS if name not in curve]
    if not problems and curve.empty:
        problems.append(Problem("curve", "no rows", "one sample or more"))
    if not problems:
        if not curve["samples"].is_monotonic_increasing or curve["samples"].duplicated().any():
            problems.append(Problem("curve", "the samples do not rise", "one row a number of samples"))
        for name in ("seen", "new"):
            upright = curve[f"{name}_low"] <= curve[f"{name}_high"]
            problems += [
                Problem(f"curve, {name} at {row.samples}", "the band is upside down", "check the table")
                for row in curve[~upright].itertuples()
            ]
        if total is not None and total.value < curve["seen"].max() - 1e-9:
            problems.append(Problem("total", f"{total.value:g} is below what was seen", "check the estimate"))
    if problems:
        raise InputError("The accumulation cannot be drawn.", problems)
