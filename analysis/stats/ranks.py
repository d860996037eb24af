"""Two independent groups by ranks: the Mann–Whitney test and the Hodges–Lehmann shift.

Ties get the mean of their ranks. Nothing is switched by the data: the caller says exact, asymptotic or permutation, and
``exact`` holds with ties too, as the distribution over all ways to split the pooled values (Streitberg and Röhmel).

References
----------
Mann HB, Whitney DR (1947) On a test of whether one of two random variables is stochastically larger than the other.
Ann. Math. Stat. 18, 50–60.
Lehmann EL (1975) Nonparametrics: statistical methods based on ranks. Holden-Day.
Streitberg B, Röhmel J (1986) Exact distributions for permutation and rank tests. Statistical Software Newsletter 12,
10–17.
Hodges JL, Lehmann EL (1963) Estimates of location based on rank tests. Ann. Math. Stat. 34, 598–611.
Moses LE (1965) Confidence limits from rank tests. Technometrics 7, 257–260.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import stats

from analysis.base.errors import Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.checks import choice_problems, confidence_problems, draw_problems, finite_values, refuse
from analysis.stats.dominance import compute_cliffs_delta
from analysis.stats.outcomes import Outcome, share_as_extreme

ALTERNATIVES = ("two-sided", "greater", "less")

RANK_SUM_METHODS: dict[str, str] = {
    "exact": "Mann–Whitney test, exact conditional p",
    "asymptotic": "Mann–Whitney test, normal approximation with tie correction",
    "asymptotic-corrected": "Mann–Whitney test, normal approximation with tie and continuity correction",
    "permutation": "Mann–Whitney test, Monte-Carlo permutation p",
}

SHIFT_METHODS: dict[str, str] = {
    "exact": "Hodges–Lehmann shift with exact rank-sum interval",
    "asymptotic": "Hodges–Lehmann shift with normal-approximation rank-sum interval",
}

EXACT_N = 200
"""Values of both groups together up to which the exact distribution is counted out: about a second."""

BLOCK = 2_000_000
"""Ranks held at once while permuting."""


def mann_whitney_test(
    x: Sequence[float],
    y: Sequence[float],
    alternative: str = "two-sided",
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    draws: int = 9999,
) -> Outcome:
    """Mann–Whitney U of ``x`` against ``y``, with Cliff's delta (Feng–Cliff interval) as effect.

    Parameters
    ----------
    x, y : sequence of float
        The two groups; two values or more in each.
    alternative : {"two-sided", "greater", "less"}
        ``greater``: x tends to be larger than y.
    confidence : float
        Of the effect's interval.
    method : {"exact", "asymptotic", "asymptotic-corrected", "permutation"}
        The exact and the permutation test compare |U − mn/2| for two sides. ``exact`` without ties is R's wilcox.test;
        with ties exactRankTests' wilcox.exact. ``asymptotic-corrected`` is R's wilcox.test(exact = FALSE).
    rng : numpy Generator
        For ``permutation``; the sample counts as one draw.
    draws : int

    Returns
    -------
    Outcome
        ``statistic`` is U: pairs in which x is larger, ties as a half. p = 1 (one-sided too) where all values are
        equal.

    Raises
    ------
    InputError
        Fewer than two values in a group, a missing value, unknown method or alternative, no generator, or more than
        `EXACT_N` values for ``exact``.

    Examples
    --------
    >>> outcome = mann_whitney_test([1.1, 2.2, 3.3], [4.4, 5.5, 6.6], method="exact")
    >>> outcome.statistic, outcome.p_value, outcome.effect.value
    (0.0, 0.1, -1.0)
    """
    problems = [*choice_problems("method", method, RANK_SUM_METHODS), *confidence_problems(confidence)]
    problems += choice_problems("alternative", alternative, ALTERNATIVES)
    refuse("Groups cannot be compared.", problems + draw_problems(rng, draws, method == "permutation"))
    first, second = finite_values(x, "x", 2), finite_values(y, "y", 2)
    m, n = len(first), len(second)
    ranks = stats.rankdata(np.concatenate([first, second]))
    u = float(ranks[:m].sum() - m * (m + 1) / 2)
    label, centre = f"{RANK_SUM_METHODS[method]}, {alternative}", m * n / 2
    effect = compute_cliffs_delta(x, y, confidence, method="feng-cliff")
    if np.ptp(ranks) == 0:
        return Outcome(u, 1.0, m + n, f"{label}; all values are equal", None, effect)
    if method == "exact":
        values, chances = rank_sum_distribution(ranks, m)
        return Outcome(
            u, _tail(values - m * (m + 1) / 2 - centre, u - centre, alternative, chances), m + n, label, None, effect
        )
    if method == "permutation":
        extreme = _shuffled_as_extreme(ranks, m, u - centre, alternative, rng, draws)
        return Outcome(u, share_as_extreme(extreme, draws), m + n, f"{label} ({draws} draws)", None, effect)
    spread = np.sqrt(m * n / (m + n - 1) / (m + n) * ((ranks - ranks.mean()) ** 2).sum())
    distance = u - centre
    if method == "asymptotic-corrected":
        distance -= {"two-sided": np.sign(distance) / 2, "greater": 0.5, "less": -0.5}[alternative]
    return Outcome(u, normal_p(distance / spread, alternative), m + n, label, None, effect)


@estimator
def hodges_lehmann_shift(
    x: Sequence[float], y: Sequence[float], confidence: float = 0.95, *, method: str, unit: str = ""
) -> Estimate:
    """Hodges–Lehmann shift of ``x`` against ``y``, two independent groups, with the interval of the rank-sum test.

    The estimate is the median of all differences xᵢ − yⱼ, and the bounds are the differences that the two-sided
    rank-sum test at 1 − ``confidence`` just keeps. With ties the bounds come from the distribution without ties, and
    cover at least as stated (Lehmann 1975); answers on a few steps shift by whole steps only.

    Parameters
    ----------
    x, y : sequence of float
    confidence : float
    method : {"exact", "asymptotic"}
        Both count in from either end of the sorted differences; R's wilcox.test(exact = FALSE) solves for
        bounds between them instead, and so agrees only nearly.
    unit : str

    Returns
    -------
    Estimate
        Without bounds where the groups are too small for the confidence; the method says so.

    Raises
    ------
    InputError
        A group without values, a missing value, unknown method, or more than `EXACT_N` values for ``exact``.

    Examples
    --------
    >>> estimate = hodges_lehmann_shift([8, 9, 12, 14], [1, 2, 3.5, 4], method="exact")
    >>> estimate.value, estimate.low, estimate.high
    (8.0, 4.0, 13.0)
    """
    problems = [*choice_problems("method", method, SHIFT_METHODS), *confidence_problems(confidence)]
    refuse("A shift cannot be estimated.", problems)
    first, second = finite_values(x, "x"), finite_values(y, "y")
    m, n = len(first), len(second)
    differences = np.sort(np.subtract.outer(first, second).ravel())
    value, label, tail = float(np.median(differences)), SHIFT_METHODS[method], (1 - confidence) / 2
    if method == "exact":
        # The interval from the k-th smallest to the k-th largest difference misses with 2·P(U ≤ k − 1).
        place = int(np.searchsorted(_untied_cumulative(m, n), tail * (1 + 1e-9), side="right"))
    else:
        place = int(np.floor(m * n / 2 - stats.norm.ppf(1 - tail) * np.sqrt(m * n * (m + n + 1) / 12)))
    if place < 1:
        reason = f"no {100 * confidence:g}% interval: too few values ({m} and {n})"
        return Estimate(value, n=m + n, method=f"{label}; {reason}", unit=unit)
    low, high = float(differences[place - 1]), float(differences[-place])
    return Estimate(value, low, high, confidence, m + n, label, unit)


def rank_sum_distribution(ranks: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """All sums that ``m`` of the ranks can have, and their probabilities when every choice of ``m`` is as likely.

    Raises
    ------
    InputError
        More than `EXACT_N` ranks.

    Examples
    --------
    >>> values, chances = rank_sum_distribution(np.array([1.0, 2.5, 2.5]), 1)
    >>> [(float(value), round(float(chance), 4)) for value, chance in zip(values, chances)]
    [(1.0, 0.3333), (2.5, 0.6667)]
    """
    total = len(ranks)
    if total > EXACT_N:
        problem = Problem("x and y", f"{total} values", f"at most {EXACT_N}; method='asymptotic' or 'permutation'")
        refuse("The exact distribution is out of reach.", [problem])
    doubled = np.rint(2 * ranks).astype(np.int64)  # mean ranks are halves
    base = doubled.min()
    steps = doubled - base
    unit = max(1, int(np.gcd.reduce(steps)))
    steps //= unit
    # chances[j, s]: probability that j of the values seen so far are taken, with sum s; the m-th share is scaled in the
    # end.
    chances = np.zeros((m + 1, int(np.sort(steps)[total - m :].sum()) + 1))
    chances[0, 0] = 1.0
    for seen, step in enumerate(steps):
        keep = min(m, seen + 1)
        moved = chances[:keep, : chances.shape[1] - step].copy()
        # Taking the next value with one half keeps the numbers within range for 200 values; it cancels at the end.
        chances /= 2
        chances[1 : keep + 1, step:] += moved / 2
    sums = chances[m] / chances[m].sum()
    possible = np.flatnonzero(sums)
    return (possible * unit + m * base) / 2, sums[possible]


@lru_cache(maxsize=64)
def _untied_cumulative(m: int, n: int) -> np.ndarray:
    """P(U ≤ 0), P(U ≤ 1), … without ties; kept, since it depends on the sizes only."""
    return np.cumsum(rank_sum_distribution(np.arange(1.0, m + n + 1), m)[1])


def normal_p(z: float, alternative: str) -> float:
    """Tail of the standard normal on the side of ``alternative``.

    >>> round(normal_p(-1.959964, "two-sided"), 4)
    0.05
    """
    if alternative == "two-sided":
        return min(1.0, float(2 * stats.norm.sf(abs(z))))
    return float(stats.norm.sf(z) if alternative == "greater" else stats.norm.cdf(z))


def _tail(distances: np.ndarray, seen: float, alternative: str, chances: np.ndarray) -> float:
    return min(1.0, float(chances[_as_extreme(distances, seen, alternative)].sum()))


def _as_extreme(distances: np.ndarray, seen: float, alternative: str) -> np.ndarray:
    tolerance = 1e-9 * max(1.0, abs(seen))
    if alternative == "two-sided":
        return np.abs(distances) >= abs(seen) - tolerance
    return distances >= seen - tolerance if alternative == "greater" else distances <= seen + tolerance


def _shuffled_as_extreme(
    ranks: np.ndarray, m: int, seen: float, alternative: str, rng: np.random.Generator, draws: int
) -> int:
    centre, found, left = m * ranks.mean(), 0, draws
    while left:
        block = min(left, max(1, BLOCK // len(ranks)))
        sums = rng.permuted(np.broadcast_to(ranks, (block, len(ranks))).copy(), axis=1)[:, :m].sum(axis=1)
        found += int(_as_extreme(sums - centre, seen, alternative).sum())
        left -= block
    return found
