"""Power of equivalence tests (TOST): how sure is one to show equivalence within ± margin?

Functions take the margin as their effect, so that `analysis.stats.power.needed_n` and
`analysis.stats.power.detectable_effect` work on them: the latter gives the smallest margin within which n respondents
can show equivalence. ``level`` is that of each of the two one-sided tests, 0.05 for a 90 % interval.

References
----------
Schuirmann DJ (1987) A comparison of the two one-sided tests procedure and the power approach. J. Pharmacokinet.
Biopharm. 15, 657–680.
Phillips KF (1990) Power of the two one-sided tests procedure in bioequivalence. J. Pharmacokinet. Biopharm. 18,
137–144.
Chow SC, Shao J, Wang H (2008) Sample size calculations in clinical research, 2nd ed. Chapman & Hall, section 4.2.
"""

from __future__ import annotations

from math import atanh, sqrt

from scipy import integrate, stats

from analysis.base.errors import InputError, Problem
from analysis.stats.power import Power, check_design

DESIGNS = ("independent", "paired")


def power_tost_means(
    margin: float, n: int, *, difference: float = 0.0, sd: float, design: str, level: float = 0.05
) -> Power:
    """Equivalence of two means by t tests, exact for normal values.

    Parameters
    ----------
    margin : float
        Half width of the range that counts as equivalent, in the values' unit.
    n : int
        Respondents in each group, or pairs.
    difference : float
        True difference of the means.
    sd : float
        Standard deviation within a group, or of the pairs' differences.
    design : {"independent", "paired"}

    Raises
    ------
    InputError
        Unknown design, level outside (0, 1), n too small, no positive margin or sd.

    Examples
    --------
    >>> round(power_tost_means(19.2, 8, difference=-4, sd=18, design="independent").power, 5)
    0.28871
    """
    if design not in DESIGNS:
        raise InputError("No such design.", [Problem("design", f"got '{design}'", f"one of: {', '.join(DESIGNS)}")])
    check_design(level, "one-sided", n, 2, "", ("",), {})
    _check_margin({"margin": margin, "sd": sd})
    error, df = (sd * sqrt(2 / n), 2 * n - 2) if design == "independent" else (sd / sqrt(n), n - 1)
    value = tost_power(margin, difference, error, df, level)
    return Power(value, margin, n, level, f"TOST of {design} means, exact, true difference {difference:g}")


def power_tost_shares(margin: float, n: int, *, difference: float = 0.0, base: float, level: float = 0.05) -> Power:
    """Equivalence of the shares of two independent groups of n each, by z tests with separate variances.

    Examples
    --------
    >>> round(power_tost_shares(0.075, 488, base=0.8, level=0.1).power, 3)
    0.901
    """
    other = base + difference
    check_design(level, "one-sided", n, 2, "", ("",), {"base": base, "base + difference": other})
    _check_margin({"margin": margin})
    error = sqrt((base * (1 - base) + other * (1 - other)) / n)
    return Power(_normal(margin, difference, error, level), margin, n, level, f"TOST of two shares around {base:g}")


def power_tost_paired_shares(
    margin: float, n: int, *, difference: float = 0.0, discordant: float, level: float = 0.05
) -> Power:
    """Equivalence of two shares of the same n respondents, of whom the share ``discordant`` changes.

    Examples
    --------
    >>> round(power_tost_paired_shares(0.1, 120, discordant=0.2).power, 3)
    0.579
    """
    ranges = {"discordant": discordant, "share of one way": (discordant + difference) / (2 * discordant or 1)}
    check_design(level, "one-sided", n, 2, "", ("",), ranges)
    _check_margin({"margin": margin})
    error = sqrt((discordant - difference**2) / n)
    return Power(_normal(margin, difference, error, level), margin, n, level, "TOST of two paired shares")


def power_tost_correlation(margin: float, n: int, *, correlation: float = 0.0, level: float = 0.05) -> Power:
    """A correlation within ± margin, on Fisher's z.

    Examples
    --------
    >>> round(power_tost_correlation(0.3, 93).power, 2)
    0.8
    """
    ranges = {"margin": margin, "(1 + correlation)/2": (1 + correlation) / 2}
    check_design(level, "one-sided", n, 4, "", ("",), ranges)
    value = _normal(atanh(margin), atanh(correlation), 1 / sqrt(n - 3), level)
    return Power(value, margin, n, level, "TOST of a correlation, Fisher's z")


def tost_power(margin: float, difference: float, error: float, df: int, level: float) -> float:
    """Exact power of two one-sided t tests, with the estimated standard deviation integrated out.

    Parameters
    ----------
    margin, difference : float
    error : float
        True standard error of the difference.
    df : int
        Degrees of freedom of the estimated one.

    Examples
    --------
    PowerTOST's example, a 2 × 2 crossover of 24 with 25 % variation:

    >>> from math import log
    >>> sd = sqrt(log(1 + 0.25**2))
    >>> round(tost_power(log(1.25), log(0.95), sd * sqrt(2 / 24), 22, 0.05), 7)
    0.7391155
    """
    t = float(stats.t.isf(level, df))
    ceiling = margin / (t * error)  # with a larger ratio of estimated to true error, no mean would do

    def inside(ratio: float) -> float:
        reach = margin / error - t * ratio
        shift = difference / error
        window = stats.norm.cdf(reach - shift) - stats.norm.cdf(-reach - shift)
        return max(0.0, window) * 2 * df * ratio * stats.chi2.pdf(df * ratio**2, df)

    top = min(ceiling, 1 + 12 / sqrt(2 * df))
    value, _ = integrate.quad(inside, 0, top, epsabs=1e-11, epsrel=1e-10, limit=200)
    return float(min(1.0, value))


def _normal(margin: float, difference: float, error: float, level: float) -> float:
    reach = margin / error - stats.norm.isf(level)
    shift = difference / error
    return float(max(0.0, stats.norm.cdf(reach - shift) - stats.norm.cdf(-reach - shift)))


def _check_margin(sizes: dict[str, float]) -> None:
    problems = [Problem(name, f"got {value}", "a number above 0") for name, value in sizes.items() if not value > 0]
    if problems:
        raise InputError("Power cannot be computed for this design.", problems)
