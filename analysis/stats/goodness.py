"""Goodness of fit: do the answers to one question follow given shares?

References
----------
Pearson K (1900) On the criterion that a given system of deviations … Phil. Mag. 50, 157–175.
Cohen J (1988) Statistical power analysis for the behavioral sciences, 2nd ed. Erlbaum (effect size w).
Read TRC, Cressie NAC (1988) Goodness-of-fit statistics for discrete multivariate data. Springer.
Hope ACA (1968) A simplified Monte Carlo significance test procedure. J. R. Stat. Soc. B 30, 582–598.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np
from scipy import special, stats

from analysis.base.errors import Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.checks import (
    choice_problems,
    confidence_problems,
    draw_problems,
    finite_values,
    refuse,
    whole_counts,
)
from analysis.stats.outcomes import Outcome, share_as_extreme
from analysis.stats.strength import noncentrality_bounds

FIT_METHODS: dict[str, str] = {
    "chi-square": "Pearson chi-square goodness of fit, asymptotic p",
    "exact": "exact multinomial test (outcomes no more probable than the one seen)",
    "monte-carlo": "Pearson chi-square goodness of fit, Monte-Carlo p",
}

EXACT_OUTCOMES = 5_000_000
"""Outcomes up to which all are counted out: 84 answers in five categories are 2.2 million."""

RELATIVE = 1e-7
"""Probabilities and statistics that differ by less than this share are equal, as in R's exact tests."""


def goodness_of_fit_test(
    counts: Sequence[int],
    shares: Sequence[float] | None = None,
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    draws: int = 9999,
) -> Outcome:
    """Test whether counts follow given shares, with Cohen's w as effect.

    Parameters
    ----------
    counts : sequence of int
        Respondents an answer; answers that nobody gave stay in, with 0.
    shares : sequence of float, optional
        Shares under the hypothesis, summing to 1; all answers alike where left out. An answer with share 0
        and no count is left out and named in the method.
    confidence : float
        Of the effect's interval.
    method : {"chi-square", "exact", "monte-carlo"}
        ``exact`` sums the probabilities of all outcomes that are no more probable than the one seen; its
        ``statistic`` is that outcome's probability. ``monte-carlo`` draws multinomial samples and compares their
        Pearson statistic; the sample counts as one draw.
    rng : numpy Generator
        For ``monte-carlo``.
    draws : int

    Raises
    ------
    InputError
        Counts that are not whole, lengths that differ, shares that are negative or do not sum to 1, an answer given
        although its share is 0, fewer than two answers, unknown method, no generator, or too many outcomes for
        ``exact``.

    Examples
    --------
    >>> outcome = goodness_of_fit_test([89, 37, 30, 28, 2], [0.40, 0.20, 0.20, 0.15, 0.05], method="chi-square")
    >>> round(outcome.statistic, 4), outcome.df, round(outcome.p_value, 4)
    (9.9901, 4, 0.0406)
    """
    problems = [*choice_problems("method", method, FIT_METHODS), *confidence_problems(confidence)]
    refuse("Goodness of fit cannot be tested.", problems + draw_problems(rng, draws, method == "monte-carlo"))
    observed, expected, left_out = _observed_and_shares(counts, shares)
    n, df = int(observed.sum()), len(observed) - 1
    label, chi_square = FIT_METHODS[method] + left_out, pearson(observed, n * expected)
    effect = compute_cohens_w(counts, shares, confidence)
    if method == "chi-square":
        return Outcome(chi_square, float(stats.chi2.sf(chi_square, df)), n, label, df, effect)
    if method == "exact":
        probability, p_value = _exact(observed, expected)
        return Outcome(probability, p_value, n, label, None, effect)
    drawn = pearson(rng.multinomial(n, expected, size=draws), n * expected)
    p_value = share_as_extreme(int((drawn >= chi_square * (1 - RELATIVE)).sum()), draws)
    return Outcome(chi_square, p_value, n, f"{label} ({draws} draws)", None, effect)


@estimator
def compute_cohens_w(
    counts: Sequence[int], shares: Sequence[float] | None = None, confidence: float = 0.95
) -> Estimate:
    """Cohen's w = √(X²/n) with the interval of the noncentral chi-square.

    0 where the counts follow the shares; the largest value depends on the smallest share, √((1 − p)/p).

    Raises
    ------
    InputError
        As `goodness_of_fit_test`.
    """
    refuse("Cohen's w cannot be computed.", confidence_problems(confidence))
    observed, expected, left_out = _observed_and_shares(counts, shares)
    n, df = int(observed.sum()), len(observed) - 1
    chi_square, largest = pearson(observed, n * expected), np.sqrt(1 / expected.min() - 1)
    bounds = np.minimum(np.sqrt(np.array(noncentrality_bounds(chi_square, df, confidence)) / n), largest)
    method = f"Cohen's w, noncentral chi-square interval{left_out}"
    return Estimate(float(np.sqrt(chi_square / n)), float(bounds[0]), float(bounds[1]), confidence, n, method)


def pearson(observed: np.ndarray, expected: np.ndarray) -> float | np.ndarray:
    """Pearson's X² over the last axis; expected counts must be positive."""
    values = ((observed - expected) ** 2 / expected).sum(axis=-1)
    return float(values) if np.ndim(values) == 0 else values


def _observed_and_shares(counts: Sequence[int], shares: Sequence[float] | None) -> tuple[np.ndarray, np.ndarray, str]:
    title = "Goodness of fit cannot be tested."
    observed = whole_counts(counts, "counts", 1)
    expected = np.full(len(observed), 1 / len(observed)) if shares is None else finite_values(shares, "shares")
    if len(expected) != len(observed):
        refuse(title, [Problem("shares", f"{len(expected)} for {len(observed)} counts", "one share a count")])
    problems = [
        Problem(f"shares, place {place + 1}", f"got {expected[place]:g}", "0 to 1")
        for place in np.flatnonzero(expected < 0)
    ]
    if abs(expected.sum() - 1) > 1e-6:
        problems.append(Problem("shares", f"sum to {expected.sum():.8g}", "shares that sum to 1"))
    problems += [
        Problem(f"counts, place {place + 1}", f"{observed[place]} given an answer whose share is 0", "a share above 0")
        for place in np.flatnonzero((expected == 0) & (observed > 0))
    ]
    possible = expected > 0
    if possible.sum() < 2:
        problems.append(Problem("shares", f"{possible.sum()} possible answers", "two answers or more"))
    refuse(title, problems)
    left_out = "" if possible.all() else f"; {int((~possible).sum())} answers with share 0 left out"
    return observed[possible], expected[possible] / expected[possible].sum(), left_out


def _exact(observed: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Probability of the outcome seen, and of all that are no more probable."""
    n, answers = int(observed.sum()), len(observed)
    outcomes = comb(n + answers - 1, answers - 1)
    if outcomes > EXACT_OUTCOMES:
        what = f"{outcomes:,} possible outcomes of {n} answers in {answers} categories"
        remedy = f"method='monte-carlo'; exact works up to {EXACT_OUTCOMES:,}"
        refuse("The exact test is out of reach.", [Problem("counts", what, remedy)])
    # One answer after the other: for every part of an outcome so far, how many respondents are left and its log weight.
    steps = np.arange(n + 1)
    weights = steps * np.log(expected)[:, None] - special.gammaln(steps + 1)
    left, logs = np.array([n]), np.array([special.gammaln(n + 1)])
    for weight in weights[:-1]:
        sizes = left + 1
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        taken = np.arange(sizes.sum()) - starts
        left, logs = np.repeat(left, sizes) - taken, np.repeat(logs, sizes) + weight[taken]
    probabilities = np.exp(logs + weights[-1][left])
    seen = float(np.exp(special.gammaln(n + 1) + weights[np.arange(answers), observed].sum()))
    return seen, min(1.0, float(probabilities[probabilities <= seen * (1 + RELATIVE)].sum()))
