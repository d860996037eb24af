"""Where a contingency table departs from independence: Pearson's residuals, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.stats.checks import choice_problems, refuse, whole_counts

RESIDUALS: dict[str, str] = {
    "pearson": "(observed − expected) / √expected",
    "adjusted": "the same over its standard error under independence (Haberman 1973)",
}
"""Kinds of residual. The squares of Pearson's add up to chi-squared; an adjusted one is about standard normal."""


def compute_residuals(table: Sequence[Sequence[int]], *, kind: str) -> np.ndarray:
    """Residuals of every cell from independence of rows and columns.

    Parameters
    ----------
    table : array, shape (rows, columns)
        Counts. An empty row or column has nothing to depart from: its residuals are 0.
    kind : {"pearson", "adjusted"}
        Pearson's d = (o − e)/√e are what mosaic plots shade (M. Friendly (1994), JASA 89, 190–200); adjusted ones are
        d / √((1 − row share)(1 − column share)) (S. J. Haberman (1973), Biometrics 29, 205–220, eq. 4).

    Raises
    ------
    InputError
        Not a table of whole counts, nobody counted, or an unknown kind.

    Examples
    --------
    >>> compute_residuals([[20, 10], [10, 20]], kind="pearson").round(3).tolist()
    [[1.291, -1.291], [-1.291, 1.291]]
    """
    refuse("Residuals cannot be computed.", choice_problems("kind", kind, RESIDUALS))
    counts = whole_counts(table, "table", 2)
    n = counts.sum()
    rows, columns = counts.sum(axis=1, keepdims=True) / n, counts.sum(axis=0, keepdims=True) / n
    expected = n * rows * columns
    residuals = np.divide(counts - expected, np.sqrt(expected), out=np.zeros(counts.shape), where=expected > 0)
    if kind == "adjusted":
        error = np.sqrt((1 - rows) * (1 - columns))
        residuals = np.divide(residuals, error, out=np.zeros(counts.shape), where=error > 0)
    return residuals
