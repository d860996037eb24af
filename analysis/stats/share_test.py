"""One share against a fixed one: the binomial test.

References
----------
Clopper CJ, Pearson ES (1934) The use of confidence or fiducial limits … Biometrika 26, 404–413.
Conover WJ (1999) Practical nonparametric statistics, 3rd ed. Wiley, section 3.1.
"""

from __future__ import annotations

from scipy import stats

from analysis.base.errors import Problem
from analysis.stats.checks import choice_problems, refuse
from analysis.stats.intervals import compute_share
from analysis.stats.outcomes import Outcome
from analysis.stats.ranks import ALTERNATIVES

SHARE_TESTS: dict[str, str] = {"exact": "exact binomial test"}


def share_test(
    count: int, n: int, null: float, alternative: str = "two-sided", confidence: float = 0.95, *, method: str,
    interval: str,
) -> Outcome:  # fmt: skip
    """Test whether a share differs from ``null``; the effect is the share itself, with its two-sided interval.

    Parameters
    ----------
    count, n : int
        Respondents who gave the answer, and all respondents.
    null : float
        Share under the hypothesis, within 0 and 1.
    alternative : {"two-sided", "greater", "less"}
        For two sides, p sums the outcomes that are no more probable than the one seen (as R's binom.test).
    method : {"exact"}
    interval : {"wilson", "clopper-pearson"}

    Returns
    -------
    Outcome
        ``statistic`` is the count.

    Raises
    ------
    InputError
        A null outside (0, 1), unknown method, interval or alternative, or a count outside 0…n.

    Examples
    --------
    >>> outcome = share_test(682, 925, 0.75, method="exact", interval="clopper-pearson")
    >>> round(outcome.p_value, 4), outcome.effect.interval_text()
    (0.3825, '70.8–76.5%')
    """
    problems = [
        *choice_problems("method", method, SHARE_TESTS),
        *choice_problems("alternative", alternative, ALTERNATIVES),
    ]
    if not 0 < null < 1:
        problems.append(Problem("null", f"got {null}", "a share between 0 and 1"))
    refuse("A share cannot be tested.", problems)
    effect = compute_share(count, n, confidence, method=interval)
    p_value = float(stats.binomtest(count, n, null, alternative=alternative).pvalue)
    label = f"{SHARE_TESTS[method]} against {100 * null:g}%, {alternative}"
    return Outcome(float(count), p_value, n, label, None, effect)
