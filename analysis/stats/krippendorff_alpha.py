"""Krippendorff's alpha: agreement of any number of coders, with missing codings, at any level of measurement.

The value comes from the ``krippendorff`` package. The interval resamples units: a unit's pairs of codes stay together,
since they are not independent of each other, and all resamples are computed at once from the coincidences a unit.

References
----------
Krippendorff K (2011) Computing Krippendorff's alpha-reliability. University of Pennsylvania, ASC papers 43.
Zapf A, Castell S, Morawietz L, Karch A (2016) Measuring inter-rater reliability for nominal data – which coefficients
and confidence intervals are appropriate? BMC Med. Res. Methodol. 16, 93 (bootstrap over units).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import krippendorff
import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.bootstrap import BLOCK, METHODS, bootstrap_counts
from analysis.stats.codings import Codings, check_options, count_codes, refuse_one_category

LEVELS: dict[str, str] = {"nominal": "nominal", "ordinal": "ordinal", "interval": "interval", "ratio": "ratio"}


@estimator
def compute_krippendorff_alpha(
    codings: Codings,
    confidence: float = 0.95,
    *,
    level: str,
    method: str,
    categories: Sequence[Hashable] | None = None,
    rng: np.random.Generator,
    resamples: int = 9999,
) -> Estimate:
    """Krippendorff's alpha, 1 − observed/expected disagreement, with a bootstrap interval over units.

    Parameters
    ----------
    codings : DataFrame or array
        Units × coders, missing codings empty. Units that fewer than two coders coded are left out, as Krippendorff
        asks; ``n`` counts the others.
    confidence : float
    level : {"nominal", "ordinal", "interval", "ratio"}
        How far two codes are apart: not at all or entirely; by the codes used between them; by their difference; by
        their difference relative to their sum. Interval and ratio take numbers.
    method : {"percentile", "bca"}
    categories : sequence, optional
        The codes in their order; needed for ordinal codes that are not numbers.
    rng : numpy Generator
    resamples : int
        A resample in which all codes are the same is undefined and left out.

    Raises
    ------
    InputError
        Unknown level or method, confidence outside (0, 1), fewer than two coders, no unit that two coders coded, codes
        outside ``categories``, ordinal words without ``categories``, interval or ratio codes that are not numbers,
        negative ratio codes, or all codes the same (alpha is then 0/0).

    Examples
    --------
    >>> codings = np.array([[1, 1], [2, 2], [1, 2], [2, 2], [1, 1], [2, 1]])
    >>> rng = np.random.default_rng(1)
    >>> compute_krippendorff_alpha(codings, level="nominal", method="percentile", rng=rng, resamples=99).text(4)
    '0.3889'
    """
    check_options({"level": (level, LEVELS), "method": (method, METHODS)}, confidence, method, rng)
    counts, known = count_codes(codings, categories)
    values = _values(known, level, categories is None)
    counts = counts[counts.sum(axis=1) >= 2]
    used = counts.any(axis=0)
    if used.sum() < 2:
        refuse_one_category("Krippendorff's alpha")
    counts, values = counts[:, used], values[used]
    value = float(krippendorff.alpha(value_counts=counts, value_domain=values, level_of_measurement=level))
    units, q = counts.shape
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(q)
    coincidences = (pairs / (counts.sum(axis=1) - 1)[:, None, None]).reshape(units, q * q)

    def alphas(drawn: np.ndarray) -> np.ndarray:
        size = max(1, BLOCK // q**2)
        blocks = (drawn[start : start + size] for start in range(0, len(drawn), size))
        return np.concatenate([alpha_of_coincidences(b @ coincidences, values, level) for b in blocks])

    options = {"method": method, "rng": rng, "resamples": resamples}
    label = f"Krippendorff's alpha, {level}"
    drawn = bootstrap_counts(np.ones(units, dtype=int), alphas, confidence, label=label, **options)
    return Estimate(value, drawn.low, drawn.high, drawn.confidence, units, drawn.method)


def alpha_of_coincidences(coincidences: np.ndarray, values: np.ndarray, level: str) -> np.ndarray:
    """Alpha of each coincidence matrix (rows of q² numbers); NaN where only one code occurs.

    >>> alpha_of_coincidences(np.array([[4.0, 2.0, 2.0, 4.0]]), np.array([1.0, 2.0]), "nominal").round(4).tolist()
    [0.3889]
    """
    q = len(values)
    square = coincidences.reshape(-1, q, q)
    used = square.sum(axis=2)
    n = used.sum(axis=1)
    if level == "ordinal":
        middle = np.cumsum(used, axis=1) - used / 2
        apart = (middle[:, :, None] - middle[:, None, :]) ** 2
    else:
        difference = values[:, None] - values[None, :]
        if level == "nominal":
            apart = (difference != 0).astype(float)[None]
        elif level == "interval":
            apart = (difference**2)[None]
        else:
            total = values[:, None] + values[None, :]
            apart = np.divide(difference, total, out=np.zeros((q, q)), where=total != 0)[None] ** 2
    observed = (square * apart).sum(axis=(1, 2))
    expected = (used[:, :, None] * used[:, None, :] * apart).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - (n - 1) * observed / expected, np.nan)


def _values(known: list, level: str, unordered: bool) -> np.ndarray:
    """The categories as numbers: their own values where the level uses these, else their places."""
    numbers = all(isinstance(code, int | float | np.number) and not isinstance(code, bool) for code in known)
    problems = []
    if level in ("interval", "ratio") and not numbers:
        problems.append(Problem("codings", f"codes are not numbers: {', '.join(map(str, known[:5]))}", "score them"))
    if level == "ratio" and numbers and min(known) < 0:
        problems.append(Problem("codings", f"smallest code is {min(known)}", "ratio codes run from 0 on"))
    if level == "ordinal" and unordered and not numbers:
        problems.append(Problem("categories", "none given for codes that are not numbers", "all codes in their order"))
    if problems:
        raise InputError("These codes do not have this level of measurement.", problems)
    if level in ("interval", "ratio"):
        return np.array([float(code) for code in known])
    return np.arange(1.0, len(known) + 1)
