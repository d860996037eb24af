"""Two questions at once: independence in a table of counts, Cramér's V, and the odds ratio of a 2 × 2 table.

Rows and columns without any count say nothing about association: they are left out, and the method says how many. A
table with fewer than two rows or columns left has no association to speak of and is refused. Weighted counts are
refused.

References
----------
Pearson K (1904) On the theory of contingency and its relation to association and normal correlation. Dulau.
Yates F (1934) Contingency tables involving small numbers and the χ² test. Suppl. J. R. Stat. Soc. 1, 217–235.
Freeman GH, Halton JH (1951) Biometrika 38, 141–149 (the exact test; see `exact_tables`).
Patefield WM (1981) Algorithm AS 159: random r × c tables with given row and column totals. Appl. Stat. 30, 91–97.
Cramér H (1946) Mathematical methods of statistics. Princeton, section 21.9.
Bergsma W (2013) A bias-correction for Cramér's V and Tschuprow's T. J. Korean Stat. Soc. 42, 323–328.
Woolf B (1955) On estimating the relation between blood group and disease. Ann. Hum. Genet. 19, 251–253.
Gart JJ (1966) Alternative analyses of contingency tables. J. R. Stat. Soc. B 28, 164–179.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from analysis.base.errors import Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.checks import choice_problems, confidence_problems, draw_problems, refuse, whole_counts
from analysis.stats.exact_tables import exact_table_p
from analysis.stats.outcomes import Outcome, share_as_extreme
from analysis.stats.strength import STRENGTH_METHODS, strength_bounds, strength_label

INDEPENDENCE_METHODS: dict[str, str] = {
    "chi-square": "Pearson chi-square test of independence, asymptotic p",
    "chi-square-yates": "Pearson chi-square test of independence with Yates' correction",
    "likelihood-ratio": "likelihood-ratio (G) test of independence, asymptotic p",
    "exact": "Fisher–Freeman–Halton exact test (tables no more probable than the one seen)",
    "monte-carlo": "Pearson chi-square test of independence, Monte-Carlo p with fixed margins",
}

ODDS_METHODS: dict[str, str] = {
    "woolf": "odds ratio, Woolf's logit interval",
    "haldane-anscombe": "odds ratio with ½ added to each cell, logit interval (Gart)",
    "conditional": "conditional maximum-likelihood odds ratio, exact (Cornfield–Fisher) interval",
}

RELATIVE = 1e-7
"""Statistics that differ by less than this share are equal."""

BLOCK = 2_000_000
"""Cells of random tables held at once."""


def independence_test(
    table: Sequence[Sequence[int]],
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    draws: int = 9999,
) -> Outcome:
    """Test whether rows and columns are independent, with Cramér's V (noncentral interval) as effect.

    Parameters
    ----------
    table : r × c counts
        Respondents by their answers to two questions.
    confidence : float
        Of the effect's interval.
    method : {"chi-square", "chi-square-yates", "likelihood-ratio", "exact", "monte-carlo"}
        Yates' correction is for 2 × 2 tables only and limited to |O − E|, as in R. The statistic of ``exact`` is the
        probability of the table given its margins. ``monte-carlo`` draws tables with the same margins and counts those
        whose X² is as large; the table itself counts as one. The method text of the asymptotic tests
        gives the smallest expected count, since below about 5 they are approximate only.
    rng : numpy Generator
        For ``monte-carlo``.
    draws : int

    Raises
    ------
    InputError
        Not a table of whole counts, fewer than two rows or columns with a count, Yates' correction for a larger
        table, unknown method, no generator, or a table out of reach for ``exact``.

    Examples
    --------
    >>> outcome = independence_test([[3, 1], [1, 3]], method="exact")
    >>> round(outcome.p_value, 4), outcome.effect.value
    (0.4857, 0.5)
    """
    title = "Independence cannot be tested."
    problems = [*choice_problems("method", method, INDEPENDENCE_METHODS), *confidence_problems(confidence)]
    refuse(title, problems + draw_problems(rng, draws, method == "monte-carlo"))
    counts, left_out = filled_table(table)
    if method == "chi-square-yates" and counts.shape != (2, 2):
        problem = Problem("table", f"{counts.shape[0]} × {counts.shape[1]}", "2 × 2, or method='chi-square'")
        refuse(title, [problem])
    n, df = int(counts.sum()), (counts.shape[0] - 1) * (counts.shape[1] - 1)
    label, effect = INDEPENDENCE_METHODS[method], compute_cramers_v(table, confidence, method="noncentral")
    if method == "exact":
        probability, p_value = exact_table_p(counts)
        return Outcome(probability, p_value, n, label + left_out, None, effect)
    if method == "monte-carlo":
        chi_square = float(table_chi_square(counts))
        p_value = share_as_extreme(_tables_as_extreme(counts, chi_square, rng, draws), draws)
        return Outcome(chi_square, p_value, n, f"{label} ({draws} draws){left_out}", None, effect)
    result = stats.chi2_contingency(
        counts,
        correction=method == "chi-square-yates",
        lambda_="log-likelihood" if method == "likelihood-ratio" else None,
    )
    label += f"; smallest expected count {result.expected_freq.min():.1f}{left_out}"
    return Outcome(float(result.statistic), float(result.pvalue), n, label, df, effect)


@estimator
def compute_cramers_v(
    table: Sequence[Sequence[int]],
    confidence: float = 0.95,
    *,
    method: str,
    corrected: bool = False,
    rng: np.random.Generator | None = None,
    resamples: int = 1999,
) -> Estimate:
    """Cramér's V = √(X²/(n·(min(r, c) − 1))): 0 without association, 1 where one answer follows from the other.

    Parameters
    ----------
    table : r × c counts
    confidence : float
    method : {"noncentral", "percentile", "bias-shifted"}
        How the interval is made; `strength` says what each is good for. The resamples are multinomial.
    corrected : bool
        Bergsma's correction of the value for its bias; ``percentile`` then resamples the corrected value.
    rng : numpy Generator
        For the two bootstrap methods.
    resamples : int

    Raises
    ------
    InputError
        As `independence_test`.

    Examples
    --------
    >>> round(compute_cramers_v([[10, 5], [4, 11]], method="noncentral").value, 4)
    0.4009
    """
    title = "Cramér's V cannot be computed."
    drawn = method != "noncentral"
    problems = [*choice_problems("method", method, STRENGTH_METHODS), *confidence_problems(confidence)]
    refuse(title, problems + draw_problems(rng, resamples, drawn))
    counts, left_out = filled_table(table)
    n, (rows, columns) = int(counts.sum()), counts.shape
    df, scale = (rows - 1) * (columns - 1), n * (min(rows, columns) - 1)
    chi_square = float(table_chi_square(counts))
    values = None
    if drawn:
        values = table_chi_square(rng.multinomial(n, counts.ravel() / n, size=resamples).reshape(-1, rows, columns))
    label = "Cramér's V"
    if corrected:
        if n < 2:
            refuse(title, [Problem("table", "one respondent", "two or more for the corrected V")])
        label = "Cramér's V, bias-corrected (Bergsma)"
        value = _bergsma(chi_square, n, rows, columns)
        if method == "percentile":
            values = np.array([_bergsma(each, n, rows, columns) ** 2 for each in values]) * scale
    else:
        value = min(1.0, np.sqrt(chi_square / scale))
    low, high = np.sqrt(strength_bounds(chi_square, df, scale, confidence, method, values))
    method_text = f"{label}, {strength_label(method, resamples)}{left_out}"
    return Estimate(float(value), float(low), float(high), confidence, n, method_text)


@estimator
def compute_odds_ratio(table: Sequence[Sequence[int]], confidence: float = 0.95, *, method: str) -> Estimate:
    """Odds ratio (a·d)/(b·c) of the table [[a, b], [c, d]].

    Parameters
    ----------
    table : 2 × 2 counts
    confidence : float
    method : {"woolf", "haldane-anscombe", "conditional"}
        ``woolf`` has no bounds where a cell is 0: the value is then 0 or infinite. ``haldane-anscombe`` always has
        bounds. ``conditional`` is R's fisher.test: its interval covers at least as stated, and a bound is 0 or
        infinite where a cell is 0.

    Raises
    ------
    InputError
        Not a 2 × 2 table of whole counts, an empty row or column (any odds ratio fits it), or an unknown method.

    Examples
    --------
    >>> estimate = compute_odds_ratio([[10, 5], [4, 11]], method="woolf")
    >>> round(estimate.value, 2), round(estimate.low, 2), round(estimate.high, 2)
    (5.5, 1.15, 26.41)
    """
    title = "An odds ratio cannot be computed."
    refuse(title, [*choice_problems("method", method, ODDS_METHODS), *confidence_problems(confidence)])
    counts = whole_counts(table, "table", 2)
    if counts.shape != (2, 2):
        refuse(title, [Problem("table", f"{counts.shape[0]} × {counts.shape[1]}", "2 × 2")])
    empty = [
        f"{name} {place + 1}"
        for axis, name in ((1, "row"), (0, "column"))
        for place in np.flatnonzero(counts.sum(axis=axis) == 0)
    ]
    refuse(title, [Problem(f"table, {where}", "nobody", "a count in each row and column") for where in empty])
    n, label = int(counts.sum()), ODDS_METHODS[method]
    if method == "conditional":
        result = stats.contingency.odds_ratio(counts, kind="conditional")
        bounds = result.confidence_interval(confidence)
        return Estimate(float(result.statistic), float(bounds.low), float(bounds.high), confidence, n, label)
    cells = counts + (0.5 if method == "haldane-anscombe" else 0.0)
    over, under = cells[0, 0] * cells[1, 1], cells[0, 1] * cells[1, 0]
    if not (over and under):
        return Estimate(np.inf if over else 0.0, n=n, method=f"{label}; no interval: a cell is 0")
    half = stats.norm.ppf((1 + confidence) / 2) * np.sqrt((1 / cells).sum())
    bounds = np.exp(np.log(over / under) + np.array([-half, half]))
    return Estimate(float(over / under), float(bounds[0]), float(bounds[1]), confidence, n, label)


def filled_table(table: Sequence[Sequence[int]]) -> tuple[np.ndarray, str]:
    """The table without empty rows and columns, and a note on those left out ("" where there are none).

    >>> filled_table([[2, 0, 1], [3, 0, 4]])[1]
    '; 0 empty rows and 1 empty columns left out'
    """
    counts = whole_counts(table, "table", 2)
    rows, columns = counts.sum(axis=1) > 0, counts.sum(axis=0) > 0
    kept = counts[rows][:, columns]
    problems = [
        Problem("table", f"{size} {name} with a count", f"two {name} or more: with one, nothing can depend on it")
        for name, size in zip(("rows", "columns"), kept.shape, strict=True)
        if size < 2
    ]
    refuse("There is no association in such a table.", problems)
    if kept.shape == counts.shape:
        return kept, ""
    return kept, f"; {int((~rows).sum())} empty rows and {int((~columns).sum())} empty columns left out"


def table_chi_square(tables: np.ndarray) -> np.ndarray:
    """Pearson's X² of one table or of each in a stack; cells of an empty row or column add nothing."""
    rows, columns = tables.sum(axis=-1, keepdims=True), tables.sum(axis=-2, keepdims=True)
    expected = rows * columns / tables.sum(axis=(-2, -1), keepdims=True)
    return ((tables - expected) ** 2 / np.where(expected > 0, expected, 1)).sum(axis=(-2, -1))


def _tables_as_extreme(counts: np.ndarray, chi_square: float, rng: np.random.Generator, draws: int) -> int:
    random = stats.random_table(counts.sum(axis=1), counts.sum(axis=0), seed=rng)
    found, left = 0, draws
    while left:  # in blocks, so that memory stays small for large tables
        block = min(left, max(1, BLOCK // counts.size))
        found += int((table_chi_square(random.rvs(size=block)) >= chi_square * (1 - RELATIVE)).sum())
        left -= block
    return found


def _bergsma(chi_square: float, n: int, rows: int, columns: int) -> float:
    """Bergsma (2013): φ² less its expectation under independence, over the corrected number of rows or columns."""
    phi_square = max(0.0, chi_square / n - (rows - 1) * (columns - 1) / (n - 1))
    smallest = min(size - (size - 1) ** 2 / (n - 1) for size in (rows, columns)) - 1
    return min(1.0, np.sqrt(phi_square / smallest)) if smallest > 0 else 0.0
