"""How many respondents an interval of wanted width asks for: a share, Cronbach's alpha.

References
----------
Cochran WG (1977) Sampling techniques, 3rd ed. Wiley, eq. 4.2 (finite populations).
Krejcie RV, Morgan DW (1970) Determining sample size for research activities. Educ. Psychol. Meas. 30, 607–610.
"""

from __future__ import annotations

from math import ceil

from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.stats.power import check_design
from analysis.stats.reliability import alpha_bounds


def needed_n_for_share(
    margin: float, *, share: float = 0.5, confidence: float = 0.95, population: int | None = None
) -> int:
    """Respondents for a share within ± ``margin`` (a share too), by Cochran's formula for the Wald interval.

    Parameters
    ----------
    share : float
        Share expected; one half asks for most.
    population : int, optional
        Size of a finite population drawn from without replacement; unlimited by default. For Wilson's interval see
        `analysis.stats.intervals.compute_needed_n`.

    Examples
    --------
    >>> needed_n_for_share(0.05), needed_n_for_share(0.05, population=1000)
    (385, 278)
    """
    check_design(1 - confidence, "two-sided", 1, 1, "", ("",), {"margin": margin, "share": share})
    free = stats.norm.ppf((1 + confidence) / 2) ** 2 * share * (1 - share) / margin**2
    return ceil(round(free if population is None else free / (1 + (free - 1) / population), 9))


def needed_n_for_alpha(alpha: float, width: float, *, items: int, confidence: float = 0.95) -> int:
    """Respondents for a Feldt interval around ``alpha`` that is no wider than ``width`` from end to end.

    Examples
    --------
    >>> needed_n_for_alpha(0.75, 0.15, items=5)
    109
    """
    check_design(1 - confidence, "two-sided", 1, 1, "", ("",), {"width": width})
    if items < 2 or not alpha < 1:
        raise InputError("No such design.", [Problem("alpha, items", f"got {alpha}, {items}", "below 1; two or more")])

    def span(n: int) -> float:
        low, high = alpha_bounds(alpha, n, items, confidence, "feldt")
        return high - low

    low, high = 2, 3
    while span(high) > width:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if span(middle) <= width else (middle, high)
    return high
