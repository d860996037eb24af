"""What lasts, cut into equal cells of time: integrals of lines over stretches, cell by cell."""

from __future__ import annotations

import numpy as np

WIDTHS = (1.0, 6.0, 24.0, 168.0, 672.0)
"""Widths of a cell to choose from, in hours."""

MOST_CELLS = 500


def choose_width(length: float) -> float:
    """The narrowest of `WIDTHS` that cuts ``length`` hours into at most `MOST_CELLS` cells, or the widest.

    >>> choose_width(21 * 24), choose_width(365 * 24)
    (6.0, 24.0)
    """
    return next((width for width in WIDTHS if length <= MOST_CELLS * width), WIDTHS[-1])


def integrate_cells(
    starts: np.ndarray,
    ends: np.ndarray,
    values: np.ndarray,
    slopes: np.ndarray | float = 0.0,
    *,
    length: float,
    width: float,
) -> np.ndarray:
    """Integral of value + slope·(t − start) over each stretch, summed into the cells in which it falls.

    Parameters
    ----------
    starts, ends : array
        Stretches between 0 and ``length``; they may overlap, and count each.
    values, slopes : array
        At the start, and per unit of time.
    length, width : float
        Of the whole, and of a cell; the last cell is shorter where the width does not divide the length.

    Examples
    --------
    >>> integrate_cells(np.array([1.0]), np.array([5.0]), np.array([2.0]), length=6, width=2).tolist()
    [2.0, 4.0, 2.0]
    """
    cells = max(1, int(np.ceil(length / width - 1e-9)))
    starts, ends = np.clip(starts, 0.0, length), np.clip(ends, 0.0, length)
    values, slopes = np.broadcast_to(values, starts.shape), np.broadcast_to(slopes, starts.shape)
    first = np.minimum((starts // width).astype(np.int64), cells - 1)
    last = np.clip(np.ceil(ends / width).astype(np.int64) - 1, first, cells - 1)
    pieces = last - first + 1
    which = np.repeat(np.arange(len(starts)), pieces)
    cell = first[which] + np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = np.maximum(starts[which], cell * width)
    end = np.where(cell == cells - 1, ends[which], np.minimum(ends[which], (cell + 1) * width))
    middle = (begin + end) / 2
    amounts = (values[which] + slopes[which] * (middle - starts[which])) * np.maximum(end - begin, 0.0)
    return np.bincount(cell, weights=amounts, minlength=cells)
