"""Labels along a line: as near to what they name as they can be without touching each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from scipy.optimize import isotonic_regression

from analysis.base.errors import InputError, Problem
from analysis.plots import theme

LINE_PT = 1.25
"""Height of a line of text, in sizes of its letters."""


def spread_labels(
    centres: Sequence[float], sizes: Sequence[float], low: float, high: float, gap: float = 0.0
) -> np.ndarray:
    """Centres of labels that neither overlap nor leave ``low`` to ``high``, with the smallest sum of squared moves.

    Parameters
    ----------
    centres : sequence of float
        Where the labels belong, rising.
    sizes : sequence of float
        Their extents along the line.
    low, high : float
        Ends of the line.
    gap : float
        Space between neighbours.

    Raises
    ------
    InputError
        Centres that do not rise, or labels that do not fit on the line.

    Examples
    --------
    >>> spread_labels([1.0, 1.0, 9.0], [2.0, 2.0, 2.0], 0, 10).tolist()
    [1.0, 3.0, 9.0]
    """
    places, extents = np.asarray(centres, dtype=float), np.asarray(sizes, dtype=float)
    if len(places) == 0:
        return places
    needed = extents.sum() + gap * (len(extents) - 1)
    problems = []
    if np.any(np.diff(places) < 0):
        problems.append(Problem("centres", "they do not rise", "sort the labels along the line"))
    if needed > high - low + 1e-9:
        what = f"{needed:.0f} points of text on {high - low:.0f}"
        problems.append(Problem("labels", what, "shorten them, draw fewer, or turn the table"))
    if problems:
        raise InputError("The labels cannot be placed.", problems)
    # Moved by what lies between it and the first, each label need only not fall behind the one before it.
    offsets = np.concatenate([[0.0], np.cumsum((extents[:-1] + extents[1:]) / 2 + gap)])
    free = isotonic_regression(places - offsets).x
    return np.clip(free, low + extents[0] / 2, high - extents[-1] / 2 - offsets[-1]) + offsets


def text_width(text: str, size: float = theme.SMALL_SIZE_PT, weight: str = "normal") -> float:
    """Width in points of the longest line of a text.

    >>> text_width("") == 0.0, text_width("wide\\nwider") > text_width("wide")
    (True, True)
    """
    font = FontProperties(family="DejaVu Sans", weight=weight)
    lines = [line for line in text.split("\n") if line.strip()]
    return max((float(TextPath((0, 0), line, size=size, prop=font).get_extents().x1) for line in lines), default=0.0)


def text_height(text: str, size: float = theme.SMALL_SIZE_PT) -> float:
    """Height in points of a text of one line or more, with the space around a line."""
    return size * LINE_PT * (text.count("\n") + 1)
