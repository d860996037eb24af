"""Three groups or more by ranks: Kruskal–Wallis with epsilon² and Dunn's test; Friedman with Kendall's W.

Kruskal–Wallis is for groups of different respondents, Friedman for several questions answered by the same ones. Ties
get the mean of their ranks, and both statistics are corrected for them; where all values are equal the statistic is
0, p is 1, and the effect has no bounds.

References
----------
Kruskal WH, Wallis WA (1952) Use of ranks in one-criterion variance analysis. JASA 47, 583–621.
Kelley TL (1935) An unbiased correlation ratio measure. PNAS 21, 554–559; as epsilon² = H/(n − 1) for ranks:
Tomczak M, Tomczak E (2014) The need to report effect size estimates revisited. Trends in Sport Sciences 1, 19–25.
Dunn OJ (1964) Multiple comparisons using rank sums. Technometrics 6, 241–252.
Friedman M (1937) The use of ranks to avoid the assumption of normality. JASA 32, 675–701.
Kendall MG, Babington Smith B (1939) The problem of m rankings. Ann. Math. Stat. 10, 275–287.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from analysis.base.errors import Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.checks import (
    choice_problems,
    confidence_problems,
    draw_problems,
    finite_frame,
    finite_values,
    refuse,
)
from analysis.stats.dominance import compute_cliffs_delta
from analysis.stats.multiplicity import adjust
from analysis.stats.outcomes import Outcome, share_as_extreme
from analysis.stats.strength import STRENGTH_METHODS, strength_bounds, strength_label

Groups = Mapping[Hashable, Sequence[float]]
"""Group → its values."""

RANK_METHODS: dict[str, str] = {"chi-square": "asymptotic p", "permutation": "Monte-Carlo permutation p"}

BLOCK = 2_000_000
"""Numbers held at once while resampling."""


def kruskal_wallis_test(
    groups: Groups,
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    draws: int = 9999,
) -> Outcome:
    """Kruskal–Wallis H, corrected for ties, with epsilon² (noncentral interval) as effect.

    Parameters
    ----------
    groups : mapping of group to values
        Two groups or more, none empty.
    confidence : float
        Of the effect's interval.
    method : {"chi-square", "permutation"}
        The permutation test shuffles values over the groups; the sample counts as one draw.
    rng : numpy Generator
        For ``permutation``.
    draws : int

    Raises
    ------
    InputError
        Fewer than two groups, an empty one, a missing value, unknown method, or no generator.

    Examples
    --------
    >>> outcome = kruskal_wallis_test({"a": [1, 2, 3], "b": [4, 5, 6], "c": [7, 8, 9]}, method="chi-square")
    >>> round(outcome.statistic, 4), outcome.df, round(outcome.p_value, 4)
    (7.2, 2, 0.0273)
    """
    _check("Groups cannot be compared.", method, RANK_METHODS, confidence, rng, draws, method == "permutation")
    counts = _group_counts(groups)
    sizes, n, df = counts.sum(axis=1), int(counts.sum()), len(counts) - 1
    statistic, label = float(_h(counts[None])[0]), f"Kruskal–Wallis test, {RANK_METHODS[method]}"
    effect = compute_epsilon_squared(groups, confidence, method="noncentral")
    if counts.shape[1] == 1:
        return Outcome(0.0, 1.0, n, f"{label}; all values are equal", df, effect)
    if method == "chi-square":
        return Outcome(statistic, float(stats.chi2.sf(statistic, df)), n, label, df, effect)
    # Given sizes and values, H grows with Σ Rᵢ²/nᵢ alone.
    ranks = _mid_ranks(counts.sum(axis=0))
    each, starts = np.repeat(ranks, counts.sum(axis=0)), np.cumsum(sizes) - sizes

    def spread(rows: np.ndarray) -> np.ndarray:
        return (np.add.reduceat(rows, starts, axis=1) ** 2 / sizes).sum(axis=1)

    seen, found = float(((counts @ ranks) ** 2 / sizes).sum()), 0
    for block in _blocks(draws, n):
        shuffled = rng.permuted(np.broadcast_to(each, (block, n)).copy(), axis=1)
        found += int((spread(shuffled) >= seen * (1 - 1e-12)).sum())
    return Outcome(statistic, share_as_extreme(found, draws), n, f"{label} ({draws} draws)", None, effect)


@estimator
def compute_epsilon_squared(
    groups: Groups,
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    resamples: int = 1999,
) -> Estimate:
    """Epsilon² = H/(n − 1): the share of the ranks' variation that lies between the groups, 0 to 1.

    Parameters
    ----------
    groups : mapping of group to values
    confidence : float
    method : {"noncentral", "percentile", "bias-shifted"}
        How the interval is made; `strength` says what each is good for. Resamples are drawn within each group.
    rng : numpy Generator
        For the two bootstrap methods.
    resamples : int

    Raises
    ------
    InputError
        As `kruskal_wallis_test`.
    """
    drawn = method != "noncentral"
    _check("Epsilon² cannot be computed.", method, STRENGTH_METHODS, confidence, rng, resamples, drawn)
    counts = _group_counts(groups)

    def draw(block: int) -> np.ndarray:
        return _h(np.stack([rng.multinomial(row.sum(), row / row.sum(), size=block) for row in counts], axis=1))

    n, value = int(counts.sum()), float(_h(counts[None])[0])
    return _strength("epsilon²", value, len(counts) - 1, n - 1, n, confidence, method, resamples, draw, counts.size)


def compare_pairs_dunn(
    groups: Groups, confidence: float = 0.95, *, adjustment: str = "holm", method: str = "feng-cliff"
) -> pd.DataFrame:
    """Dunn's test: every pair of groups on the ranks of all groups together, p-values adjusted over the pairs.

    Parameters
    ----------
    groups : mapping of group to values
        Two values or more in each group.
    confidence : float
        Of each delta's interval; these are not adjusted.
    adjustment : {"holm", "benjamini-hochberg"}
    method : {"feng-cliff", "brunner-munzel"}
        Interval of Cliff's delta.

    Returns
    -------
    DataFrame
        One row a pair: ``first``, ``second``, ``n_first``, ``n_second``, ``mean_rank_difference``, ``z``, ``p_value``
        (two-sided), ``p_adjusted``, and Cliff's ``delta`` of the pair alone with ``low`` and ``high`` (NaN for none).

    Raises
    ------
    InputError
        As `kruskal_wallis_test`; a group with fewer than two values; unknown adjustment or method.
    """
    counts = _group_counts(groups)
    sizes, totals, n = counts.sum(axis=1), counts.sum(axis=0), int(counts.sum())
    mean_ranks = counts @ _mid_ranks(totals) / sizes
    variance = n * (n + 1) / 12 - float((totals**3 - totals).sum()) / (12 * (n - 1))
    rows = []
    for (a, first), (b, second) in combinations(enumerate(groups), 2):
        gap = float(mean_ranks[a] - mean_ranks[b])
        z = gap / np.sqrt(variance * (1 / sizes[a] + 1 / sizes[b])) if counts.shape[1] > 1 else 0.0
        delta = compute_cliffs_delta(groups[first], groups[second], confidence, method=method)
        bounds = (np.nan if delta.low is None else delta.low, np.nan if delta.high is None else delta.high)
        p_value = float(2 * stats.norm.sf(abs(z)))
        rows.append((first, second, int(sizes[a]), int(sizes[b]), gap, z, p_value, delta.value, *bounds))
    names = ["first", "second", "n_first", "n_second", "mean_rank_difference", "z", "p_value", "delta", "low", "high"]
    pairs = pd.DataFrame(rows, columns=names)
    pairs.insert(7, "p_adjusted", adjust(pairs["p_value"], method=adjustment))
    return pairs


def friedman_test(
    answers: pd.DataFrame | Sequence[Sequence[float]],
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    draws: int = 9999,
) -> Outcome:
    """Friedman's chi-square, corrected for ties, with Kendall's W (noncentral interval) as effect.

    Parameters
    ----------
    answers : frame
        One respondent a row, one question a column; none missing. Ranks are within a respondent.
    confidence : float
        Of the effect's interval.
    method : {"chi-square", "permutation"}
        The permutation test shuffles each respondent's answers over the questions.
    rng : numpy Generator
        For ``permutation``.
    draws : int

    Raises
    ------
    InputError
        Fewer than two questions, a missing answer, unknown method, or no generator.
    """
    _check("Questions cannot be compared.", method, RANK_METHODS, confidence, rng, draws, method == "permutation")
    ranks, spreads = _within_ranks(answers)
    n, k = ranks.shape
    everybody = np.ones((1, n))
    statistic, label = float(_q(everybody, ranks, spreads)[0]), f"Friedman test, {RANK_METHODS[method]}"
    effect = compute_kendalls_w(answers, confidence, method="noncentral")
    if not spreads.any():
        return Outcome(0.0, 1.0, n, f"{label}; every respondent answers all questions alike", k - 1, effect)
    if method == "chi-square":
        return Outcome(statistic, float(stats.chi2.sf(statistic, k - 1)), n, label, k - 1, effect)
    seen, found = float((ranks.sum(axis=0) ** 2).sum()), 0
    for block in _blocks(draws, n * k):
        shuffled = rng.permuted(np.broadcast_to(ranks, (block, n, k)).copy(), axis=2)
        found += int(((shuffled.sum(axis=1) ** 2).sum(axis=1) >= seen * (1 - 1e-12)).sum())
    return Outcome(statistic, share_as_extreme(found, draws), n, f"{label} ({draws} draws)", None, effect)


@estimator
def compute_kendalls_w(
    answers: pd.DataFrame | Sequence[Sequence[float]],
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    resamples: int = 1999,
) -> Estimate:
    """Kendall's W, corrected for ties: 0 where respondents order the questions at random, 1 where all order them alike.

    Parameters
    ----------
    answers : frame
        One respondent a row, one question a column; none missing.
    confidence : float
    method : {"noncentral", "percentile", "bias-shifted"}
        How the interval is made; `strength` says what each is good for. Respondents are resampled.
    rng : numpy Generator
        For the two bootstrap methods.
    resamples : int

    Raises
    ------
    InputError
        As `friedman_test`.
    """
    drawn = method != "noncentral"
    _check("Kendall's W cannot be computed.", method, STRENGTH_METHODS, confidence, rng, resamples, drawn)
    ranks, spreads = _within_ranks(answers)
    n, k = ranks.shape

    def draw(block: int) -> np.ndarray:
        return _q(rng.multinomial(n, np.full(n, 1 / n), size=block), ranks, spreads)

    value = float(_q(np.ones((1, n)), ranks, spreads)[0])
    return _strength("Kendall's W", value, k - 1, n * (k - 1), n, confidence, method, resamples, draw, n)


def _strength(
    name: str,
    statistic: float,
    df: int,
    scale: int,
    n: int,
    confidence: float,
    method: str,
    resamples: int,
    draw: Callable[[int], np.ndarray],
    width: int,
) -> Estimate:
    label = f"{name}, {strength_label(method, resamples)}"
    if np.isnan(statistic):
        return Estimate(0.0, n=n, method=f"{label}; no interval: all values are equal")
    values = None
    if method != "noncentral":
        values = np.nan_to_num(np.concatenate([draw(block) for block in _blocks(resamples, width)]))
    low, high = strength_bounds(statistic, df, scale, confidence, method, values)
    return Estimate(min(1.0, statistic / scale), low, high, confidence, n, label)


def _h(counts: np.ndarray) -> np.ndarray:
    """H of each table of group × value counts; NaN where one value takes all."""
    totals, sizes = counts.sum(axis=1), counts.sum(axis=2)
    n, centre = sizes.sum(axis=1), (sizes.sum(axis=1)[:, None] + 1) / 2
    centred = np.cumsum(totals, axis=1) - (totals - 1) / 2 - centre
    between = (np.einsum("bgv,bv->bg", counts, centred) ** 2 / sizes).sum(axis=1)
    within = (totals * centred**2).sum(axis=1)
    return np.where(within > 0, (n - 1) * between / np.where(within > 0, within, 1), np.nan)


def _q(drawn: np.ndarray, ranks: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    """Friedman's statistic for each row of respondents' multiplicities; NaN where no one tells questions apart."""
    k = ranks.shape[1]
    between = ((drawn @ (ranks - (k + 1) / 2)) ** 2).sum(axis=1)
    within = drawn @ spreads
    return np.where(within > 0, (k - 1) * between / np.where(within > 0, within, 1), np.nan)


def _within_ranks(answers: pd.DataFrame | Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Ranks within each respondent, and their sum of squares about the mean."""
    ranks = stats.rankdata(finite_frame(answers, "answers").to_numpy(), axis=1)
    return ranks, ((ranks - (ranks.shape[1] + 1) / 2) ** 2).sum(axis=1)


def _mid_ranks(totals: np.ndarray) -> np.ndarray:
    return np.cumsum(totals) - (totals - 1) / 2


def _group_counts(groups: Groups) -> np.ndarray:
    """How often each value occurs in each group (groups × values, values ascending)."""
    title = "Groups cannot be compared."
    if not isinstance(groups, Mapping):
        refuse(title, [Problem("groups", f"got {type(groups).__name__}", "a mapping of group to values")])
    if len(groups) < 2:
        refuse(title, [Problem("groups", f"{len(groups)} of them", "two or more")])
    values = [finite_values(each, f"group {name}") for name, each in groups.items()]
    if len(values) == sum(map(len, values)):
        refuse(title, [Problem("groups", "one value in each", "two values or more in one of them")])
    known = np.unique(np.concatenate(values))
    return np.stack([np.bincount(np.searchsorted(known, each), minlength=len(known)) for each in values])


def _blocks(draws: int, width: int) -> Iterator[int]:
    size = max(1, BLOCK // width)
    for start in range(0, draws, size):
        yield min(size, draws - start)


def _check(
    title: str,
    method: str,
    known: Mapping[str, str],
    confidence: float,
    rng: np.random.Generator | None,
    draws: int,
    drawn: bool,
) -> None:
    problems = [*choice_problems("method", method, known), *confidence_problems(confidence)]
    refuse(title, problems + draw_problems(rng, draws, drawn))
