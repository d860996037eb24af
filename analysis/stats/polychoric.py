"""Polychoric correlation: the correlation of two normal variables of which only ordered answers are seen.

Each answer is taken as a cut of a standard normal variable by thresholds. ``two-step`` puts the thresholds where
the margins say and maximises the likelihood over the correlation; ``full`` maximises over all together. The standard
error of the two-step estimate includes that of the thresholds (delta method on the cell shares, as lavaan has it;
polycor's leaves it out); that of the full one is the observed information's, as polycor has it.

References
----------
Olsson U (1979) Maximum likelihood estimation of the polychoric correlation coefficient. Psychometrika 44, 443–460.
Jöreskog KG (1994) On the estimation of polychoric correlations and their asymptotic covariance matrix. Psychometrika
59, 381–389.
Drezner Z, Wesolowsky GO (1990) On the computation of the bivariate normal integral. J. Stat. Comput. Simul. 35,
101–107.
Savalei V (2011) What to do about zero frequency cells when estimating polychoric correlations. Structural Equation
Modeling 18, 253–273.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from analysis.base.errors import Problem, WorkbenchError
from analysis.base.estimates import Estimate
from analysis.stats.checks import choice_problems, confidence_problems, refuse
from analysis.stats.contingency import filled_table
from analysis.stats.outcomes import Outcome

POLYCHORIC_METHODS: dict[str, str] = {
    "two-step": "polychoric correlation, two-step maximum likelihood",
    "full": "polychoric correlation, maximum likelihood",
}

ZERO_CELL_RULES: dict[str, str] = {"keep": "", "add-half": "; ½ added to each empty cell"}

EDGE = 0.9999
"""Largest correlation tried; an estimate that ends here is at the edge and has no standard error."""

SMALLEST = 1e-13
"""Chance below which a cell is the integral's rounding error: the likelihood takes this, and slopes leave it out."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


@dataclass(frozen=True, slots=True)
class Polychoric:
    """A polychoric correlation with what it rests on.

    Attributes
    ----------
    estimate : Estimate
        With an interval on the scale of Fisher's z.
    standard_error : float or None
        None where the estimate is at the edge.
    row_thresholds, column_thresholds : tuple of float
        On the standard normal scale, one fewer than filled rows and columns.
    log_likelihood : float
        Without the multinomial constant.
    fit : Outcome
        Likelihood-ratio test of the two normal variables against any table; with no degrees of freedom
        (2 × 2) statistic 0 and p = 1, as nothing is left to test.
    """

    estimate: Estimate
    standard_error: float | None
    row_thresholds: tuple[float, ...]
    column_thresholds: tuple[float, ...]
    log_likelihood: float
    fit: Outcome


def fit_polychoric(
    table: Sequence[Sequence[int]], confidence: float = 0.95, *, method: str, zero_cells: str
) -> Polychoric:
    """Polychoric correlation of a table of two ordered answers (tetrachoric for 2 × 2).

    Parameters
    ----------
    table : r × c counts
        Lowest answers first. Rows and columns without a count are left out, and the method says so: their
        thresholds cannot be told.
    confidence : float
    method : {"two-step", "full"}
    zero_cells : {"keep", "add-half"}
        Empty cells are no obstacle in themselves; but in a 2 × 2 table one empty cell sends the estimate to ±1.
        ``add-half`` adds ½ to each of them (lavaan and LISREL do so for 2 × 2).

    Returns
    -------
    Polychoric
        Without standard error and bounds where the estimate is at the edge, ±0.9999.

    Raises
    ------
    InputError
        Not a table of whole counts, fewer than two filled rows or columns, or an unknown option.
    WorkbenchError
        The full likelihood has no maximum that scoring can find; the two-step estimate is the remedy.
    """
    problems = [*choice_problems("method", method, POLYCHORIC_METHODS), *confidence_problems(confidence)]
    refuse(
        "A polychoric correlation cannot be computed.",
        problems + choice_problems("zero_cells", zero_cells, ZERO_CELL_RULES),
    )
    counts, left_out = filled_table(table)
    people = int(counts.sum())
    cells = counts.astype(float)
    if zero_cells == "add-half":
        cells[counts == 0] = 0.5
    n = cells.sum()
    rows, columns = (special.ndtri(np.cumsum(cells.sum(axis=axis))[:-1] / n) for axis in (1, 0))
    rho = float(
        optimize.minimize_scalar(
            lambda value: -_log_likelihood(cells, value, rows, columns),
            bounds=(-EDGE, EDGE),
            method="bounded",
            options={"xatol": 1e-11},
        ).x
    )
    # Towards a perfect correlation the likelihood may turn flat before the edge: it is at the edge then, too.
    edge = np.copysign(EDGE, rho)
    if _log_likelihood(cells, edge, rows, columns) >= _log_likelihood(cells, rho, rows, columns) - 1e-7:
        rho = float(edge)
    inside = abs(rho) < EDGE - 1e-5
    if method == "full" and inside:
        rho, rows, columns = _maximise(cells, rho, rows, columns)
        inside = abs(rho) < EDGE - 1e-5
    reached = _log_likelihood(cells, rho, rows, columns)
    label = POLYCHORIC_METHODS[method] + ZERO_CELL_RULES[zero_cells] + left_out
    error = None
    if inside:
        error = (_two_step_error if method == "two-step" else _full_error)(cells, rho, rows, columns)
    estimate = _with_interval(rho, error, people, confidence, label)
    return Polychoric(
        estimate,
        error,
        tuple(map(float, rows)),
        tuple(map(float, columns)),
        reached,
        _fit(cells, reached, people, label),
    )


def bivariate_normal_cdf(rows: np.ndarray, columns: np.ndarray, rho: float) -> np.ndarray:
    """P(X ≤ row, Y ≤ column) for every pair of limits, X and Y standard normal with correlation ``rho``.

    Φ(a)Φ(b) + (1/2π)·∫₀^asin(ρ) exp(−(a² + b² − 2ab·sin t)/(2cos² t)) dt, by Gauss–Legendre (Drezner and Wesolowsky).

    Examples
    --------
    >>> round(float(bivariate_normal_cdf(np.array([0.0]), np.array([0.0]), 0.5)[0, 0]), 10)
    0.3333333333
    """
    half = np.arcsin(rho) / 2
    angles = half * (_NODES + 1)
    sine, cosine = np.sin(angles), np.cos(angles) ** 2
    a, b = rows[:, None, None], columns[None, :, None]
    exponents = -(a * a + b * b - 2 * a * b * sine) / (2 * cosine)
    return special.ndtr(rows)[:, None] * special.ndtr(columns) + half / (2 * np.pi) * (np.exp(exponents) @ _WEIGHTS)


def _cell_chances(rho: float, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    grid = np.zeros((len(rows) + 2, len(columns) + 2))
    grid[1:-1, 1:-1] = bivariate_normal_cdf(rows, columns, rho)
    grid[-1, 1:-1], grid[1:-1, -1], grid[-1, -1] = special.ndtr(columns), special.ndtr(rows), 1.0
    return np.maximum(np.diff(np.diff(grid, axis=0), axis=1), SMALLEST)


def _log_likelihood(cells: np.ndarray, rho: float, rows: np.ndarray, columns: np.ndarray) -> float:
    return float((cells * np.log(_cell_chances(rho, rows, columns))).sum())


def _slopes(rho: float, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Derivatives of the cell chances (parameters × rows × columns): rho, row thresholds, column thresholds."""
    rest = np.sqrt(1 - rho**2)
    grids = np.zeros((1 + len(rows) + len(columns), len(rows) + 2, len(columns) + 2))
    a, b = rows[:, None], columns[None, :]
    grids[0, 1:-1, 1:-1] = np.exp(-(a * a - 2 * rho * a * b + b * b) / (2 * rest**2)) / (2 * np.pi * rest)
    for place, value in enumerate(rows):
        given = np.r_[0.0, special.ndtr((columns - rho * value) / rest), 1.0]
        grids[1 + place, 1 + place] = _density(value) * given
    for place, value in enumerate(columns):
        given = np.r_[0.0, special.ndtr((rows - rho * value) / rest), 1.0]
        grids[1 + len(rows) + place, :, 1 + place] = _density(value) * given
    return np.diff(np.diff(grids, axis=1), axis=2)


def _density(value: np.ndarray | float) -> np.ndarray | float:
    return np.exp(-(value**2) / 2) / np.sqrt(2 * np.pi)


def _log_slopes(rho: float, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cell chances, and the derivatives of their logarithms."""
    chances = _cell_chances(rho, rows, columns)
    return chances, np.where(chances > SMALLEST, _slopes(rho, rows, columns) / chances, 0.0)


def _score(cells: np.ndarray, rho: float, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return (_log_slopes(rho, rows, columns)[1] * cells).sum(axis=(1, 2))


def _information(rho: float, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Expected information of one respondent."""
    chances, slopes = _log_slopes(rho, rows, columns)
    flat = slopes.reshape(len(slopes), -1)
    return (flat * chances.ravel()) @ flat.T


def _maximise(
    cells: np.ndarray, rho: float, rows: np.ndarray, columns: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Fisher scoring over all parameters, with the step halved until the likelihood does not fall."""
    at, n = np.r_[rho, rows, columns], cells.sum()
    best = _log_likelihood(cells, rho, rows, columns)
    for _ in range(200):
        score = _score(cells, *_split(at, len(rows)))
        step = np.linalg.solve(n * _information(*_split(at, len(rows))), score)
        if np.abs(step).max() < 1e-10:
            break
        for _ in range(40):
            tried = at + step
            parts = _split(tried, len(rows))
            ordered = all((np.diff(part) > 0).all() for part in parts[1:])
            if ordered and abs(tried[0]) < EDGE and (reached := _log_likelihood(cells, *parts)) >= best - 1e-12:
                break
            step = step / 2
        else:
            break
        at, best = tried, reached
    if np.abs(_score(cells, *_split(at, len(rows)))).max() > 1e-4 * max(1.0, n):
        problem = Problem(
            "table", "the likelihood has no maximum inside", "method='two-step', or zero_cells='add-half'"
        )
        raise WorkbenchError("The polychoric correlation does not converge.", [problem])
    return _split(at, len(rows))


def _split(at: np.ndarray, rows: int) -> tuple[float, np.ndarray, np.ndarray]:
    return float(at[0]), at[1 : 1 + rows], at[1 + rows :]


def _two_step_error(cells: np.ndarray, rho: float, rows: np.ndarray, columns: np.ndarray) -> float:
    """√ of Σ π·influence²/n; the influence of a cell is its score less what it moves through the thresholds."""
    (chances, slopes), information = _log_slopes(rho, rows, columns), _information(rho, rows, columns)
    score = slopes[0]
    moved = np.zeros_like(chances)
    for place, value in enumerate(rows):
        below = np.arange(len(rows) + 1) <= place
        moved += (information[0, 1 + place] * (below - special.ndtr(value)) / _density(value))[:, None]
    for place, value in enumerate(columns):
        below = np.arange(len(columns) + 1) <= place
        moved += information[0, 1 + len(rows) + place] * (below - special.ndtr(value)) / _density(value)
    influence = (score - moved) / information[0, 0]
    return float(np.sqrt((chances * influence**2).sum() / cells.sum()))


def _full_error(cells: np.ndarray, rho: float, rows: np.ndarray, columns: np.ndarray) -> float:
    """From the observed information: central differences of the score."""
    at = np.r_[rho, rows, columns]
    width = 1e-5
    hessian = np.empty((len(at), len(at)))
    for place in range(len(at)):
        step = np.zeros(len(at))
        step[place] = min(width, (1 - abs(rho)) / 10) if place == 0 else width
        up, down = (_score(cells, *_split(at + sign * step, len(rows))) for sign in (1, -1))
        hessian[place] = (up - down) / (2 * step[place])
    return float(np.sqrt(np.linalg.inv(-(hessian + hessian.T) / 2)[0, 0]))


def _with_interval(rho: float, error: float | None, n: int, confidence: float, label: str) -> Estimate:
    function = f"{fit_polychoric.__module__}.{fit_polychoric.__qualname__}"
    if error is None:
        return Estimate(rho, n=n, method=f"{label}; no interval: the estimate is at the edge", function=function)
    half = stats.norm.ppf((1 + confidence) / 2) * error / (1 - rho**2)
    low, high = np.tanh(np.arctanh(rho) + np.array([-half, half]))
    return Estimate(
        rho, float(low), float(high), confidence, n, f"{label}, interval on Fisher's scale", function=function
    )


def _fit(cells: np.ndarray, reached: float, n: int, label: str) -> Outcome:
    df = cells.size - cells.shape[0] - cells.shape[1]
    method = f"likelihood-ratio test of two normal variables ({label})"
    if df == 0:
        return Outcome(0.0, 1.0, n, f"{method}; nothing left to test in a 2 × 2 table", 0)
    best = float(special.xlogy(cells, cells / cells.sum()).sum())
    statistic = max(0.0, 2 * (best - reached))
    return Outcome(statistic, float(stats.chi2.sf(statistic, df)), n, method, df)
