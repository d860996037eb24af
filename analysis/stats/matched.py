"""Yes/no answers of the same respondents: McNemar's test for two questions, Cochran's Q for more.

Only respondents who answer differently say anything about a difference; those who answer alike set its size.

References
----------
McNemar Q (1947) Note on the sampling error of the difference between correlated proportions. Psychometrika 12,
153–157.
Edwards AL (1948) Note on the "correction for continuity" … Psychometrika 13, 185–187.
Fagerland MW, Lydersen S, Laake P (2013) The McNemar test for binary matched-pairs data: mid-p and asymptotic are
better than exact conditional. BMC Med. Res. Methodol. 13, 91.
Bonett DG, Price RM (2012) J. Educ. Behav. Stat. 37, 479–488 (interval of the difference; see `intervals`).
Cochran WG (1950) The comparison of percentages in matched samples. Biometrika 37, 256–266.
Serlin RC, Carr J, Marascuilo LA (1982) A measure of association for selected nonparametric procedures. Psychol. Bull.
92, 786–790 (Q/(n(k − 1))).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pandas as pd
from scipy import stats

from analysis.base.errors import Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.checks import choice_problems, confidence_problems, finite_frame, refuse, whole_counts
from analysis.stats.intervals import compute_share_difference
from analysis.stats.multiplicity import adjust
from analysis.stats.outcomes import Outcome
from analysis.stats.strength import strength_bounds

MCNEMAR_METHODS: dict[str, str] = {
    "exact": "McNemar's exact conditional (binomial) test",
    "mid-p": "McNemar's mid-p test",
    "chi-square": "McNemar's chi-square test without continuity correction",
    "chi-square-corrected": "McNemar's chi-square test with Edwards' continuity correction",
}


def mcnemar_test(table: Sequence[Sequence[int]], confidence: float = 0.95, *, method: str) -> Outcome:
    """Test whether as many say yes to one question as to the other, with the difference of the shares as effect.

    Parameters
    ----------
    table : 2 × 2 counts
        Rows: yes and no to the first question; columns: yes and no to the second.
    confidence : float
        Of the difference's interval (Bonett–Price).
    method : {"exact", "mid-p", "chi-square", "chi-square-corrected"}
        For the first two the statistic is the number of respondents with yes to the first question only.

    Returns
    -------
    Outcome
        p = 1 where all respondents answer both questions alike; the method says so.

    Raises
    ------
    InputError
        Not a 2 × 2 table of whole counts, or an unknown method.

    Examples
    --------
    >>> outcome = mcnemar_test([[794, 86], [150, 570]], method="chi-square-corrected")
    >>> round(outcome.statistic, 2), outcome.p_value < 0.0001, outcome.effect.text()
    (16.82, True, '-4.0%')
    """
    title = "McNemar's test cannot be computed."
    refuse(title, [*choice_problems("method", method, MCNEMAR_METHODS), *confidence_problems(confidence)])
    counts = whole_counts(table, "table", 2)
    if counts.shape != (2, 2):
        refuse(title, [Problem("table", f"{counts.shape[0]} × {counts.shape[1]}", "2 × 2")])
    first, second, n = int(counts[0, 1]), int(counts[1, 0]), int(counts.sum())
    label, unlike = MCNEMAR_METHODS[method], first + second
    effect = compute_share_difference(first, second, n, confidence, method="bonett-price")
    if method in ("exact", "mid-p"):
        least = min(first, second)
        p_value = 2 * stats.binom.cdf(least, unlike, 0.5)
        p_value -= stats.binom.pmf(least, unlike, 0.5) if method == "mid-p" and first != second else 0.0
        # With equal counts the two tails overlap in the middle outcome; its mid-p is 1 − P/2 (Fagerland et al.).
        if method == "mid-p" and first == second:
            p_value = 1 - stats.binom.pmf(first, unlike, 0.5) / 2
        statistic, df = float(first), None
    else:
        gap = abs(first - second) - (1 if method == "chi-square-corrected" and first != second else 0)
        statistic, df = (gap**2 / unlike if unlike else 0.0), 1
        p_value = stats.chi2.sf(statistic, 1)
    if not unlike:
        return Outcome(0.0, 1.0, n, f"{label}; nobody answers the two differently", df, effect)
    return Outcome(statistic, min(1.0, float(p_value)), n, f"{label}; {unlike} answer the two differently", df, effect)


def cochran_q_test(answers: pd.DataFrame | Sequence[Sequence[int]], confidence: float = 0.95) -> Outcome:
    """Cochran's Q: do k yes/no questions have the same share of yes? Effect: Q/(n(k − 1)), with n all respondents.

    Parameters
    ----------
    answers : frame
        One respondent a row, one question a column, 0 or 1, none missing.
    confidence : float
        Of the effect's interval (noncentral chi-square).

    Returns
    -------
    Outcome
        Statistic 0 and p = 1 where every respondent answers all questions alike; the effect then has no bounds.

    Raises
    ------
    InputError
        Fewer than two questions, an answer that is neither 0 nor 1, or a missing answer, with its rows.
    """
    effect = compute_cochran_effect(answers, confidence)
    statistic, n, k = _cochran_q(_binary_frame(answers))
    label = "Cochran's Q test, asymptotic p"
    if statistic is None:
        return Outcome(0.0, 1.0, n, f"{label}; everybody answers all questions alike", k - 1, effect)
    return Outcome(statistic, float(stats.chi2.sf(statistic, k - 1)), n, label, k - 1, effect)


@estimator
def compute_cochran_effect(answers: pd.DataFrame | Sequence[Sequence[int]], confidence: float = 0.95) -> Estimate:
    """Q/(n(k − 1)) with the interval of the noncentral chi-square: 0 where all shares are alike, at most 1.

    Raises
    ------
    InputError
        As `cochran_q_test`.
    """
    refuse("Cochran's Q cannot be computed.", confidence_problems(confidence))
    statistic, n, k = _cochran_q(_binary_frame(answers))
    label, scale = "Q/(n(k − 1)) (Serlin), noncentral chi-square interval", n * (k - 1)
    if statistic is None:
        return Estimate(0.0, n=n, method=f"{label}; no interval: everybody answers all questions alike")
    low, high = strength_bounds(statistic, k - 1, scale, confidence, "noncentral", None)
    return Estimate(statistic / scale, low, high, confidence, n, label)


def _cochran_q(frame: pd.DataFrame) -> tuple[float | None, int, int]:
    """Q (None where everybody answers all questions alike), respondents and questions."""
    n, k = frame.shape
    columns, rows = frame.sum(axis=0).to_numpy(), frame.sum(axis=1).to_numpy()
    spread = float((rows * (k - rows)).sum())
    return (float(k * (k - 1) * ((columns - columns.mean()) ** 2).sum() / spread) if spread else None), n, k


def compare_pairs_mcnemar(
    answers: pd.DataFrame | Sequence[Sequence[int]],
    confidence: float = 0.95,
    *,
    method: str,
    adjustment: str = "holm",
) -> pd.DataFrame:
    """Every pair of questions by McNemar's test, p-values adjusted over the pairs: what follows Cochran's Q.

    Returns
    -------
    DataFrame
        One row a pair: ``first``, ``second`` (columns of ``answers``), ``only_first``, ``only_second`` (respondents),
        ``difference``, ``low``, ``high`` (shares; the intervals are not adjusted), ``p_value``, ``p_adjusted``, ``n``.

    Raises
    ------
    InputError
        As `cochran_q_test` and `mcnemar_test`; unknown adjustment.
    """
    frame = _binary_frame(answers)
    rows = []
    for first, second in combinations(frame.columns, 2):
        yes, other = frame[first].to_numpy() == 1, frame[second].to_numpy() == 1
        table = [
            [int((yes & other).sum()), int((yes & ~other).sum())],
            [int((~yes & other).sum()), int((~yes & ~other).sum())],
        ]
        outcome = mcnemar_test(table, confidence, method=method)
        effect = outcome.effect
        bounds = (effect.value, effect.low, effect.high, outcome.p_value, outcome.n)
        rows.append((first, second, table[0][1], table[1][0], *bounds))
    names = ["first", "second", "only_first", "only_second", "difference", "low", "high", "p_value", "n"]
    pairs = pd.DataFrame(rows, columns=names)
    pairs.insert(8, "p_adjusted", adjust(pairs["p_value"], method=adjustment))
    return pairs


def _binary_frame(answers: pd.DataFrame | Sequence[Sequence[int]]) -> pd.DataFrame:
    frame = finite_frame(answers, "answers")
    problems = [
        Problem(
            f"answers, column {column}",
            f"{int((~frame[column].isin((0, 1))).sum())} neither 0 nor 1",
            "0 for no, 1 for yes",
        )
        for column in frame.columns
        if not frame[column].isin((0, 1)).all()
    ]
    refuse("These answers are not yes/no.", problems)
    return frame
