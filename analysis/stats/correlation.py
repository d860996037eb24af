"""Rank correlation of two ordered answers: Spearman's rho and Kendall's tau-b, with intervals and tests.

Ties get the mean of their ranks (rho) or are taken out of the denominator (tau-b). A column in which all
values are equal has no correlation and is refused. Intervals by name:

- ``bonett-wright`` (rho): Fisher's z with variance (1 + r²/2)/(n − 3); covers well up to |rho| of about 0.95.
- ``fieller``: Fisher's z with variance 1.06/(n − 3) for rho, 0.437/(n − 4) for tau; made for values without ties.
- ``ase`` (tau-b): the large-sample standard error for tables that SAS and SPSS print, ± z; right with many ties.
- ``ase-fisher`` (tau-b): the same standard error on the scale of Fisher's z (delta method); covers 93–96 % for 95 % at
  n = 84 with five answers, where ``fieller``, blind to ties, covers 86–90 %.
- ``percentile``, ``bca``: bootstrap of respondents.

References
----------
Spearman C (1904) The proof and measurement of association between two things. Am. J. Psychol. 15, 72–101.
Kendall MG (1945) The treatment of ties in ranking problems. Biometrika 33, 239–251.
Fieller EC, Hartley HO, Pearson ES (1957) Tests for rank correlation coefficients I. Biometrika 44, 470–481.
Bonett DG, Wright TA (2000) Sample size requirements for estimating Pearson, Kendall and Spearman correlations.
Psychometrika 65, 23–28.
Brown MB, Benedetti JK (1977) Sampling behavior of tests for correlation in two-way contingency tables. JASA 72,
309–315.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
from scipy import stats

from analysis.base.errors import Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.bootstrap import bootstrap_counts
from analysis.stats.checks import choice_problems, confidence_problems, draw_problems, finite_values, refuse
from analysis.stats.outcomes import Outcome, share_as_extreme
from analysis.stats.ranks import ALTERNATIVES, normal_p

SPEARMAN_METHODS: dict[str, str] = {
    "bonett-wright": "Bonett–Wright interval",
    "fieller": "Fieller–Hartley–Pearson interval",
    "percentile": "percentile bootstrap",
    "bca": "BCa bootstrap",
}

KENDALL_METHODS: dict[str, str] = {
    "fieller": "Fieller–Hartley–Pearson interval",
    "ase": "interval from the asymptotic standard error",
    "ase-fisher": "interval from the asymptotic standard error on Fisher's scale",
    "percentile": "percentile bootstrap",
    "bca": "BCa bootstrap",
}

SPEARMAN_TESTS: dict[str, str] = {
    "t": "Spearman's rho, Student's t with n − 2 degrees of freedom",
    "exact": "Spearman's rho, exact permutation p",
    "permutation": "Spearman's rho, Monte-Carlo permutation p",
}

KENDALL_TESTS: dict[str, str] = {
    "asymptotic": "Kendall's tau-b, normal approximation with tie correction",
    "exact": "Kendall's tau, exact p (no ties)",
    "permutation": "Kendall's tau-b, Monte-Carlo permutation p",
}

EXACT_PERMUTATIONS_N = 9
"""Respondents up to which all n! orders are tried."""

BLOCK = 2_000_000


@estimator
def compute_spearman(
    x: Sequence[float],
    y: Sequence[float],
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    resamples: int = 9999,
) -> Estimate:
    """Spearman's rho of two answers with its interval.

    Parameters
    ----------
    x, y : sequence of float
        One value a respondent in each, same order; three respondents or more.
    confidence : float
    method : {"bonett-wright", "fieller", "percentile", "bca"}
    rng : numpy Generator
        For the two bootstrap methods.
    resamples : int

    Returns
    -------
    Estimate
        Without bounds at ±1, where Fisher's z is infinite, and for fewer than four respondents.

    Raises
    ------
    InputError
        Lengths differ, a missing value, a column without variation, unknown method, or no generator.

    Examples
    --------
    >>> estimate = compute_spearman([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5], method="bonett-wright")
    >>> round(estimate.value, 4), estimate.interval_text(2)
    (0.8286, '-0.13 to 0.99')
    """
    first, second = _checked(x, y, method, SPEARMAN_METHODS, confidence, rng, resamples, ("percentile", "bca"))
    value, n = _pearson(stats.rankdata(first), stats.rankdata(second)), len(first)
    label = f"Spearman's rho, {SPEARMAN_METHODS[method]}"
    if method in ("percentile", "bca"):
        return _bootstrap(first, second, _spearman_of_counts, confidence, method, rng, resamples, "Spearman's rho")
    variance = (1 + value**2 / 2 if method == "bonett-wright" else 1.06) / max(n - 3, 1e-300)
    return _fisher(value, variance, n, 4, confidence, label)


@estimator
def compute_kendall(
    x: Sequence[float],
    y: Sequence[float],
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    resamples: int = 9999,
) -> Estimate:
    """Kendall's tau-b of two answers with its interval.

    Parameters and refusals are those of `compute_spearman`; the methods are ``fieller``, ``ase``, ``ase-fisher``,
    ``percentile``, ``bca``. Without bounds at ±1; ``fieller`` also for fewer than five respondents.
    """
    first, second = _checked(x, y, method, KENDALL_METHODS, confidence, rng, resamples, ("percentile", "bca"))
    n, label = len(first), f"Kendall's tau-b, {KENDALL_METHODS[method]}"
    if method in ("percentile", "bca"):
        return _bootstrap(first, second, _kendall_of_counts, confidence, method, rng, resamples, "Kendall's tau-b")
    if method == "fieller":
        value = float(stats.kendalltau(first, second).statistic)
        return _fisher(value, 0.437 / max(n - 4, 1e-300), n, 5, confidence, label)
    value, error = _tau_with_error(first, second)
    if abs(value) > 1 - 1e-12:
        return Estimate(value, n=n, method=f"{label}; no interval: the order is the same throughout")
    if method == "ase-fisher":
        return _fisher(value, (error / (1 - value**2)) ** 2, n, 3, confidence, label)
    half = stats.norm.ppf((1 + confidence) / 2) * error
    return Estimate(value, float(max(-1.0, value - half)), float(min(1.0, value + half)), confidence, n, label)


def spearman_test(
    x: Sequence[float],
    y: Sequence[float],
    alternative: str = "two-sided",
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    draws: int = 9999,
) -> Outcome:
    """Test whether Spearman's rho is 0, with rho and its Bonett–Wright interval as effect.

    Parameters
    ----------
    x, y : sequence of float
    alternative : {"two-sided", "greater", "less"}
    confidence : float
    method : {"t", "exact", "permutation"}
        ``exact`` tries all orders and holds with ties (up to nine respondents); two sides compare absolute values.
        The statistic of ``t`` is t, that of the others rho.
    rng : numpy Generator
        For ``permutation``; the sample counts as one draw.
    draws : int

    Raises
    ------
    InputError
        As `compute_spearman`; unknown alternative; too many respondents for ``exact``.
    """
    first, second = _checked(x, y, method, SPEARMAN_TESTS, confidence, rng, draws, ("permutation",), alternative)
    ranks, others, n = stats.rankdata(first), stats.rankdata(second), len(first)
    effect, value = compute_spearman(x, y, confidence, method="bonett-wright"), _pearson(ranks, others)
    label = f"{SPEARMAN_TESTS[method]}, {alternative}"
    if method == "t":
        perfect = abs(value) > 1 - 1e-12
        t = np.copysign(np.inf, value) if perfect else value * np.sqrt((n - 2) / (1 - value**2))
        sides = {
            "two-sided": 2 * stats.t.sf(abs(t), n - 2),
            "greater": stats.t.sf(t, n - 2),
            "less": stats.t.cdf(t, n - 2),
        }
        return Outcome(float(t), float(sides[alternative]), n, label, n - 2, effect)
    ranks, others = ranks - ranks.mean(), others - others.mean()
    seen, tolerance = float(ranks @ others), 1e-9 * float(ranks @ ranks)
    if method == "exact":
        _check_orders(n)
        sums = np.array(list(permutations(others))) @ ranks
        return Outcome(value, float(_extreme(sums, seen, alternative, tolerance).mean()), n, label, None, effect)
    found, left = 0, draws
    while left:
        block = min(left, max(1, BLOCK // n))
        sums = rng.permuted(np.broadcast_to(others, (block, n)).copy(), axis=1) @ ranks
        found += int(_extreme(sums, seen, alternative, tolerance).sum())
        left -= block
    return Outcome(value, share_as_extreme(found, draws), n, f"{label} ({draws} draws)", None, effect)


def kendall_test(
    x: Sequence[float],
    y: Sequence[float],
    alternative: str = "two-sided",
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    draws: int = 9999,
) -> Outcome:
    """Test whether Kendall's tau is 0, with tau-b and its interval from the asymptotic standard error as effect.

    Parameters
    ----------
    x, y : sequence of float
    alternative : {"two-sided", "greater", "less"}
    confidence : float
    method : {"asymptotic", "exact", "permutation"}
        ``exact`` is for values without ties. The statistic is z for ``asymptotic``, else tau-b.
    rng : numpy Generator
        For ``permutation``; the sample counts as one draw.
    draws : int

    Raises
    ------
    InputError
        As `compute_kendall`; unknown alternative; ties with ``exact``.
    """
    first, second = _checked(x, y, method, KENDALL_TESTS, confidence, rng, draws, ("permutation",), alternative)
    n, label = len(first), f"{KENDALL_TESTS[method]}, {alternative}"
    effect = compute_kendall(x, y, confidence, method="ase")
    if method == "exact":
        tied = [name for name, values in (("x", first), ("y", second)) if len(np.unique(values)) < n]
        remedy = "method='asymptotic' or 'permutation'"
        refuse("The exact test is for values without ties.", [Problem(name, "has ties", remedy) for name in tied])
        result = stats.kendalltau(first, second, method="exact", alternative=alternative)
        return Outcome(effect.value, float(result.pvalue), n, label, None, effect)
    signs = np.sign(np.subtract.outer(first, first)), np.sign(np.subtract.outer(second, second))
    seen = float((signs[0] * signs[1]).sum() / 2)
    if method == "asymptotic":
        z = seen / np.sqrt(_kendall_variance(first, second))
        return Outcome(float(z), normal_p(z, alternative), n, label, None, effect)
    found = 0
    for _ in range(draws):
        order = rng.permutation(n)
        found += bool(_extreme((signs[0] * signs[1][order][:, order]).sum() / 2, seen, alternative, 1e-9))
    return Outcome(effect.value, share_as_extreme(found, draws), n, f"{label} ({draws} draws)", None, effect)


def _checked(
    x: Sequence[float],
    y: Sequence[float],
    method: str,
    known: dict[str, str],
    confidence: float,
    rng: np.random.Generator | None,
    draws: int,
    drawing: tuple[str, ...],
    alternative: str = "two-sided",
) -> tuple[np.ndarray, np.ndarray]:
    title = "A correlation cannot be computed."
    problems = [*choice_problems("method", method, known), *confidence_problems(confidence)]
    problems += choice_problems("alternative", alternative, ALTERNATIVES)
    refuse(title, problems + draw_problems(rng, draws, method in drawing))
    first, second = finite_values(x, "x", 3), finite_values(y, "y", 3)
    if len(first) != len(second):
        what = f"{len(first)} and {len(second)} values"
        refuse(title, [Problem("x and y", what, "one value a respondent in each, same order")])
    constant = [name for name, values in (("x", first), ("y", second)) if np.ptp(values) == 0]
    remedy = "a question with two different answers or more"
    refuse(title, [Problem(name, "all values are equal", remedy) for name in constant])
    return first, second


def _pearson(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first - first.mean(), second - second.mean()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


def _fisher(value: float, variance: float, n: int, fewest: int, confidence: float, label: str) -> Estimate:
    if abs(value) > 1 - 1e-12:
        return Estimate(float(np.round(value)), n=n, method=f"{label}; no interval: the order is the same throughout")
    if n < fewest:
        return Estimate(value, n=n, method=f"{label}; no interval: it takes {fewest} respondents, there are {n}")
    half = stats.norm.ppf((1 + confidence) / 2) * np.sqrt(variance)
    low, high = np.tanh(np.arctanh(value) + np.array([-half, half]))
    return Estimate(value, float(low), float(high), confidence, n, label)


def _bootstrap(
    first: np.ndarray,
    second: np.ndarray,
    statistic: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    confidence: float,
    method: str,
    rng: np.random.Generator,
    resamples: int,
    label: str,
) -> Estimate:
    pairs, counts = np.unique(np.column_stack([first, second]), axis=0, return_counts=True)
    codes = [np.unique(column, return_inverse=True)[1] for column in pairs.T]
    estimate = bootstrap_counts(
        counts,
        lambda drawn: statistic(drawn, *codes),
        confidence,
        method=method,
        rng=rng,
        resamples=resamples,
        label=label,
    )
    return replace(estimate, n=len(first))


def _marginals(drawn: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """How often each value of one column is drawn (resamples × values)."""
    return drawn @ (codes[:, None] == np.arange(codes.max() + 1)).astype(float)


def _spearman_of_counts(drawn: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    n, centred = drawn.sum(axis=1, keepdims=True), []
    for codes in (first, second):
        totals = _marginals(drawn, codes)
        centred.append((np.cumsum(totals, axis=1) - (totals - 1) / 2 - (n + 1) / 2)[:, codes])
    a, b = centred
    spread = (drawn * a * a).sum(axis=1) * (drawn * b * b).sum(axis=1)
    return np.where(spread > 0, (drawn * a * b).sum(axis=1) / np.sqrt(np.where(spread > 0, spread, 1)), np.nan)


def _kendall_of_counts(drawn: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    signs = np.sign(np.subtract.outer(first, first)) * np.sign(np.subtract.outer(second, second))
    n = drawn.sum(axis=1)
    spread = np.ones(len(drawn))
    for codes in (first, second):
        spread *= n**2 - (_marginals(drawn, codes) ** 2).sum(axis=1)
    net = ((drawn @ signs) * drawn).sum(axis=1)
    return np.where(spread > 0, net / np.sqrt(np.where(spread > 0, spread, 1)), np.nan)


def _tau_with_error(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Tau-b and its ASE₁, respondent by respondent (the formula of SAS PROC FREQ, a cell's respondents being alike)."""
    n = len(first)
    net = (np.sign(np.subtract.outer(first, first)) * np.sign(np.subtract.outer(second, second))).sum(axis=1)
    rows, columns = ((values[:, None] == values).sum(axis=1) for values in (first, second))
    free_rows, free_columns = n**2 - float(rows.sum()), n**2 - float(columns.sum())
    spread = np.sqrt(free_rows * free_columns)
    tau = float(net.sum() / spread)
    parts = 2 * spread * net + tau * (rows * free_columns + columns * free_rows)
    variance = ((parts**2).sum() - n**3 * tau**2 * (free_rows + free_columns) ** 2) / spread**4
    return tau, float(np.sqrt(max(variance, 0.0)))


def _kendall_variance(first: np.ndarray, second: np.ndarray) -> float:
    """Variance of concordant less discordant pairs without association, with ties in both (Kendall 1945)."""
    n = len(first)
    ties = [np.unique(values, return_counts=True)[1].astype(float) for values in (first, second)]
    plain = (n * (n - 1) * (2 * n + 5) - sum((t * (t - 1) * (2 * t + 5)).sum() for t in ties)) / 18
    twos, threes = ([(t * (t - 1)).sum() for t in ties], [(t * (t - 1) * (t - 2)).sum() for t in ties])
    return plain + twos[0] * twos[1] / (2 * n * (n - 1)) + threes[0] * threes[1] / (9 * n * (n - 1) * (n - 2))


def _check_orders(n: int) -> None:
    if n > EXACT_PERMUTATIONS_N:
        problem = Problem("x and y", f"{n} respondents", f"at most {EXACT_PERMUTATIONS_N}; method='permutation'")
        refuse("The exact test is out of reach.", [problem])


def _extreme(sums: np.ndarray, seen: float, alternative: str, tolerance: float) -> np.ndarray:
    if alternative == "two-sided":
        return np.abs(sums) >= abs(seen) - tolerance
    return sums >= seen - tolerance if alternative == "greater" else sums <= seen + tolerance
