"""One common factor, fitted to many covariance matrices at once: what omega and its bootstrap need.

Maximum likelihood by Fisher scoring, minimum residuals by exact coordinate descent; both on correlations, with
loadings and uniquenesses turned back into the units of the matrix given. Uniquenesses never fall below
`LOWEST_UNIQUENESS` of an item's variance, the bound that R's factanal uses.

References
----------
Jöreskog KG (1967) Some contributions to maximum likelihood factor analysis. Psychometrika 32, 443–482.
Harman HH, Jones WH (1966) Factor analysis by minimizing residuals (minres). Psychometrika 31, 351–368.
Bollen KA (1989) Structural equations with latent variables. Wiley, appendix 4B (information of a covariance model).
"""

from __future__ import annotations

from math import sqrt

import numpy as np

FACTOR_METHODS: dict[str, str] = {"ml": "maximum likelihood", "minres": "minimum residuals"}

LOWEST_UNIQUENESS = 0.005
ROUNDS = {"ml": 100, "minres": 2000}
TOLERANCE = 1e-9


def fit_one_factor(covariances: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loadings and uniquenesses of one factor for each covariance matrix.

    Parameters
    ----------
    covariances : array, matrices × k × k
        Symmetric, k ≥ 3.
    method : {"ml", "minres"}

    Returns
    -------
    (loadings, uniquenesses, converged)
        Matrices × k, in the matrices' units, loadings with a positive sum; and whether each fit converged. A matrix
        with a missing or zero variance does not.

    Examples
    --------
    >>> loadings = np.array([0.9, 0.8, 0.7])
    >>> matrix = np.outer(loadings, loadings) + np.diag(1 - loadings**2)
    >>> fit_one_factor(matrix[None], "ml")[0].round(6).tolist()
    [[0.9, 0.8, 0.7]]
    """
    spread = np.sqrt(np.maximum(np.diagonal(covariances, axis1=1, axis2=2), 0))
    usable = np.isfinite(covariances).all(axis=(1, 2)) & (spread > 0).all(axis=1)
    k = spread.shape[1]
    safe = np.where(spread > 0, spread, 1)
    correlations = np.where(
        usable[:, None, None], covariances / (safe[:, :, None] * safe[:, None, :]), np.eye(k) + 0.3 * (1 - np.eye(k))
    )
    loadings, settled = _minres(correlations)
    if method == "ml":
        loadings, uniquenesses, settled = _maximum_likelihood(correlations, loadings)
    else:
        uniquenesses = np.maximum(1 - loadings**2, LOWEST_UNIQUENESS)
    loadings = loadings * np.where(loadings.sum(axis=1) < 0, -1, 1)[:, None]
    return loadings * safe, uniquenesses * safe**2, settled & usable


def omega_of(loadings: np.ndarray, uniquenesses: np.ndarray) -> np.ndarray:
    """Omega total, one value a row.

    >>> omega_of(np.array([[0.9, 0.8, 0.7]]), np.array([[0.19, 0.36, 0.51]])).round(4).tolist()
    [0.8446]
    """
    common = loadings.sum(axis=-1) ** 2
    return common / (common + uniquenesses.sum(axis=-1))


def omega_standard_error(loadings: np.ndarray, uniquenesses: np.ndarray, n: int) -> float:
    """Standard error of omega by the delta method, from the expected information of normal-theory ML."""
    inverse = _inverse(loadings[None], uniquenesses[None])
    information = _information(loadings[None], inverse)[0]
    common, unique = loadings.sum(), uniquenesses.sum()
    total = (common**2 + unique) ** 2
    k = len(loadings)
    gradient = np.concatenate([np.full(k, 2 * common * unique / total), np.full(k, -(common**2) / total)])
    return sqrt(float(gradient @ np.linalg.solve(information, gradient)) / n)


def _minres(correlations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loadings that leave the least squared residual correlations; one loading at a time has a closed form."""
    count, k, _ = correlations.shape
    residual = correlations * (1 - np.eye(k))
    _, vectors = np.linalg.eigh(correlations)
    loadings = 0.7 * vectors[:, :, -1] / np.abs(vectors[:, :, -1]).max(axis=1, keepdims=True)
    bound = sqrt(1 - LOWEST_UNIQUENESS)
    settled = np.zeros(count, dtype=bool)
    for _ in range(ROUNDS["minres"]):
        todo = np.flatnonzero(~settled)
        if not len(todo):
            break
        current, matrix = loadings[todo], residual[todo]
        before = current.copy()
        for place in range(k):
            others = (current**2).sum(axis=1) - current[:, place] ** 2
            step = np.einsum("mj,mj->m", matrix[:, place], current) / np.maximum(others, 1e-300)
            current[:, place] = np.clip(step, -bound, bound)
        loadings[todo] = current
        settled[todo] = np.abs(current - before).max(axis=1) < TOLERANCE
    return loadings, settled


def _maximum_likelihood(correlations: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fisher scoring with step halving; a uniqueness at its bound stays there while the likelihood presses it down."""
    count, k, _ = correlations.shape
    loadings = np.clip(start, -0.97, 0.97)
    uniquenesses = np.clip(1 - loadings**2, 0.05, None)
    settled = np.zeros(count, dtype=bool)
    for _ in range(ROUNDS["ml"]):
        todo = np.flatnonzero(~settled)
        if not len(todo):
            break
        matrix, now, unique = correlations[todo], loadings[todo], uniquenesses[todo]
        inverse = _inverse(now, unique)
        implied = now[:, :, None] * now[:, None, :] + unique[:, :, None] * np.eye(k)
        pull = inverse @ (matrix - implied) @ inverse
        slope = np.concatenate([np.einsum("mij,mj->mi", pull, now), np.diagonal(pull, axis1=1, axis2=2) / 2], axis=1)
        information = _information(now, inverse)
        bound = np.concatenate(
            [np.zeros_like(now, dtype=bool), (unique <= LOWEST_UNIQUENESS) & (slope[:, k:] < 0)], axis=1
        )
        free = ~bound
        information = np.where(free[:, :, None] & free[:, None, :], information, 0) + bound[:, :, None] * np.eye(2 * k)
        slope = np.where(free, slope, 0)
        ridge = 1e-10 * np.trace(information, axis1=1, axis2=2)[:, None, None] * np.eye(2 * k)
        step = np.linalg.solve(information + ridge, slope[:, :, None])[:, :, 0]
        before = _discrepancy(matrix, now, unique)
        length, better = np.ones(len(todo)), np.zeros(len(todo), dtype=bool)
        for _ in range(12):
            trial = now + length[:, None] * step[:, :k]
            trial_unique = np.maximum(unique + length[:, None] * step[:, k:], LOWEST_UNIQUENESS)
            better = _discrepancy(matrix, trial, trial_unique) <= before + 1e-12
            if better.all():
                break
            length = np.where(better, length, length / 2)
        loadings[todo] = np.where(better[:, None], trial, now)
        uniquenesses[todo] = np.where(better[:, None], trial_unique, unique)
        moved = np.abs(np.concatenate([trial - now, trial_unique - unique], axis=1)).max(axis=1)
        settled[todo] = better & (moved < TOLERANCE * 100)
    return loadings, uniquenesses, settled


def _inverse(loadings: np.ndarray, uniquenesses: np.ndarray) -> np.ndarray:
    """Inverse of λλ' + Ψ (Sherman–Morrison)."""
    scaled = loadings / uniquenesses
    weight = 1 + (loadings * scaled).sum(axis=1)
    k = loadings.shape[1]
    return np.eye(k) / uniquenesses[:, :, None] - scaled[:, :, None] * scaled[:, None, :] / weight[:, None, None]


def _information(loadings: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Expected information of one observation about loadings and uniquenesses: tr(Σ⁻¹ ∂Σ Σ⁻¹ ∂Σ)/2."""
    turned = np.einsum("mij,mj->mi", inverse, loadings)
    size = (loadings * turned).sum(axis=1)[:, None, None]
    both = inverse * size + turned[:, :, None] * turned[:, None, :]
    mixed = inverse * turned[:, :, None]  # uniqueness × loading: Σ⁻¹_ij (Σ⁻¹λ)_i
    return np.concatenate(
        [
            np.concatenate([both, mixed.swapaxes(1, 2)], axis=2),
            np.concatenate([mixed, inverse**2 / 2], axis=2),
        ],
        axis=1,
    )


def _discrepancy(matrix: np.ndarray, loadings: np.ndarray, uniquenesses: np.ndarray) -> np.ndarray:
    """ln|Σ| + tr(SΣ⁻¹), what maximum likelihood makes small."""
    scaled = loadings / uniquenesses
    weight = 1 + (loadings * scaled).sum(axis=1)
    determinant = np.log(uniquenesses).sum(axis=1) + np.log(weight)
    trace = (np.diagonal(matrix, axis1=1, axis2=2) / uniquenesses).sum(axis=1)
    return determinant + trace - np.einsum("mi,mij,mj->m", scaled, matrix, scaled) / weight
