"""Agreement of coders who may give a unit several codes at once: Krippendorff's alpha with a distance between sets.

Where a unit may carry one to four codes, "same or not" is too hard a question: {a, b} and {a} agree in part. Alpha
takes any distance between values, so it takes a distance between sets. Two are usual, both from 0 (equal) to 1
(nothing in common); J is the Jaccard index, common codes over all codes of the two sets:

- Jaccard: 1 − J;
- MASI (Passonneau 2006): 1 − J·M, where M is 1 for equal sets, 2/3 where one contains the other, 1/3 where they
  overlap otherwise, 0 where they have nothing in common. It is never smaller than Jaccard's, and counts a code put in
  another's place for more than a code left out.

References
----------
Krippendorff K (2011) Computing Krippendorff's alpha-reliability. University of Pennsylvania, ASC papers 43.
Passonneau R (2006) Measuring agreement on set-valued items (MASI) for semantic and pragmatic annotation. LREC, 831–836.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.bootstrap import METHODS, bootstrap_counts
from analysis.stats.codings import check_options, refuse_one_category


def jaccard_distance(first: frozenset, second: frozenset) -> float:
    """1 − common elements over all elements; 0 for two empty sets.

    >>> jaccard_distance(frozenset("ab"), frozenset("abcd"))
    0.5
    """
    return 1 - len(first & second) / len(first | second) if first | second else 0.0


def masi_distance(first: frozenset, second: frozenset) -> float:
    """Passonneau's distance: sets that merely overlap are further apart than a set and its part.

    >>> round(masi_distance(frozenset("ab"), frozenset("abcd")), 4)
    0.6667
    """
    if first == second:
        return 0.0
    common = first & second
    monotonic = 2 / 3 if common in (first, second) else 1 / 3
    return 1 - (1 - jaccard_distance(first, second)) * monotonic


def equality_distance(first: frozenset, second: frozenset) -> float:
    """0 for equal sets, 1 for any others.

    >>> equality_distance(frozenset("ab"), frozenset("ba"))
    0.0
    """
    return float(first != second)


DISTANCES: dict[str, tuple[str, Callable[[frozenset, frozenset], float]]] = {
    "jaccard": ("Jaccard distance", jaccard_distance),
    "masi": ("MASI distance", masi_distance),
    "equality": ("sets equal or not", equality_distance),
}
"""Key → (name as printed, distance)."""


@estimator
def compute_set_alpha(
    codings: Sequence[Sequence[frozenset | None]],
    confidence: float = 0.95,
    *,
    distance: str,
    method: str,
    rng: np.random.Generator,
    resamples: int = 9999,
) -> Estimate:
    """Krippendorff's alpha of set-valued codings, with a bootstrap interval over units.

    Parameters
    ----------
    codings : sequence of sequences
        One row a unit, one set a coder; None where a coder did not see the unit.
    confidence : float
    distance : {"jaccard", "masi", "equality"}
    method : {"percentile", "bca"}
    rng : numpy Generator
    resamples : int

    Returns
    -------
    Estimate
        ``n`` counts the units that two coders or more coded; others are left out, as Krippendorff asks.

    Raises
    ------
    InputError
        Unknown distance or method, confidence outside (0, 1), cells that are no sets, no unit that two coders coded,
        or one and the same set throughout (alpha is then 0/0).

    Examples
    --------
    >>> a, b, ab = frozenset("a"), frozenset("b"), frozenset("ab")
    >>> units = [(a, a), (b, b), (ab, ab), (a, a), (b, b), (ab, a)]
    >>> rng = np.random.default_rng(1)
    >>> compute_set_alpha(units, distance="jaccard", method="percentile", rng=rng, resamples=99).text(3)
    '0.836'
    """
    check_options({"distance": (distance, DISTANCES), "method": (method, METHODS)}, confidence, method, rng)
    rows = _checked_rows(codings)
    known = list(dict.fromkeys(value for row in rows for value in row))
    if len(known) < 2:
        refuse_one_category("Krippendorff's alpha")
    place = {value: number for number, value in enumerate(known)}
    counts = np.zeros((len(rows), len(known)))
    for unit, row in enumerate(rows):
        for value in row:
            counts[unit, place[value]] += 1
    name, between = DISTANCES[distance]
    apart = np.array([[between(one, other) for other in known] for one in known])
    within = ((counts @ apart) * counts).sum(axis=1) / (counts.sum(axis=1) - 1)

    def alphas(drawn: np.ndarray) -> np.ndarray:
        used = drawn @ counts
        expected = ((used @ apart) * used).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(expected > 0, 1 - (used.sum(axis=1) - 1) * (drawn @ within) / expected, np.nan)

    ones = np.ones(len(rows), dtype=int)
    options = {"method": method, "rng": rng, "resamples": resamples, "label": f"Krippendorff's alpha, {name}"}
    return bootstrap_counts(ones, alphas, confidence, **options)


def _checked_rows(codings: Sequence[Sequence[frozenset | None]]) -> list[list[frozenset]]:
    problems = [
        Problem(f"unit {unit}, coder {coder}", f"got {type(value).__name__}", "a frozenset of codes, or None")
        for unit, row in enumerate(codings, start=1)
        for coder, value in enumerate(row, start=1)
        if value is not None and not isinstance(value, frozenset)
    ]
    if problems:
        raise InputError("These codings are not sets.", problems)
    rows = [found for row in codings if len(found := [value for value in row if value is not None]) >= 2]
    if not rows:
        problem = Problem("codings", "no unit was coded by two coders", "agreement needs units in common")
        raise InputError("There is nothing to agree on.", [problem])
    return rows
