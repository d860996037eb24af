"""Power of a survey's usual tests, and the sample size or the effect that a wanted power asks for.

Each ``power_…`` function takes an effect and n and gives the power; `needed_n` and `detectable_effect` turn it round::

    needed_n(power_correlation, 0.3, power=0.8, method="fisher").n
    detectable_effect(power_two_shares, 42, power=0.8, base=0.5, method="pooled").effect

n counts respondents; with two groups, respondents in the smaller group (``ratio`` times as many in the other). Power is
worked out before data are there: the power "observed" for an effect just found repeats its p-value and says nothing.

References
----------
Cohen J (1988) Statistical power analysis for the behavioral sciences, 2nd ed. Erlbaum.
Fleiss JL, Levin B, Paik MC (2003) Statistical methods for rates and proportions, 3rd ed. Wiley, chapter 4.
Noether GE (1987) Sample size determination for some common nonparametric tests. JASA 82, 645–647.
Bonett DG (2002) Sample size requirements for testing and estimating coefficient alpha. JEBS 27, 335–340.
Connor RJ (1987) Sample size for testing differences in proportions for the paired-sample design. Biometrics 43,
207–211; O'Brien RG (2002), SUGI 27, for the exact McNemar test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import asin, atanh, log, sqrt

import numpy as np
from scipy import optimize, stats

from analysis.base.errors import InputError, Problem

SIDES = ("two-sided", "one-sided")
LARGEST_N = 10_000_000


@dataclass(frozen=True, slots=True)
class Power:
    """A design with its power.

    Attributes
    ----------
    power : float
        Chance that the test rejects (for equivalence: shows equivalence) if the effect is as stated.
    effect : float
        In the measure of the design's function.
    n : int
        Respondents; with two groups, those in the smaller one.
    level : float
        Significance level.
    method : str
        Test, approximation and sides.
    """

    power: float
    effect: float
    n: int
    level: float
    method: str


def power_share(
    difference: float, n: int, *, null: float, level: float = 0.05, sides: str = "two-sided", method: str
) -> Power:
    """One share against a fixed one: ``difference`` from ``null``.

    Parameters
    ----------
    method : {"exact", "normal"}
        Binomial test (α/2 on either side), or its normal approximation with the null's variance in the test.

    Raises
    ------
    InputError
        For this and all ``power_…`` functions: unknown method or sides, a level outside (0, 1), n too small, an
        effect outside its range.

    Examples
    --------
    >>> round(power_share(0.1, 194, null=0.5, method="normal").power, 3)
    0.8
    """
    share = null + difference
    check_design(level, sides, n, 1, method, ("exact", "normal"), {"null": null, "null + difference": share})
    tail = _tail(level, sides)
    if method == "exact":
        counts = np.arange(n + 1)
        reject = _binomial_rejects(n, null, tail, sides, difference)
        value = float(stats.binom.pmf(counts, n, share)[reject].sum())
    else:
        spread, z = sqrt(share * (1 - share)), stats.norm.isf(tail)
        value = _normal_power(abs(difference) * sqrt(n) / spread, z * sqrt(null * (1 - null)) / spread, sides)
    return Power(value, difference, n, level, f"one share, {method}, {sides}")


def power_two_shares(
    difference: float,
    n: int,
    *,
    base: float,
    ratio: float = 1.0,
    level: float = 0.05,
    sides: str = "two-sided",
    method: str,
) -> Power:
    """Shares of two groups: ``base`` in one, ``base + difference`` in the other.

    Parameters
    ----------
    method : {"pooled", "unpooled", "arcsine"}
        z test with pooled variance (R's power.prop.test, which leaves out rejections on the wrong side), with
        separate variances, or Cohen's h (R's pwr).

    Examples
    --------
    >>> round(power_two_shares(0.25, 50, base=0.5, method="pooled").power, 3)
    0.74
    """
    other = base + difference
    methods, shares = ("pooled", "unpooled", "arcsine"), {"base": base, "base + difference": other}
    check_design(level, sides, n, 2, method, methods, shares)
    z, m = stats.norm.isf(_tail(level, sides)), n * ratio
    spread = sqrt(base * (1 - base) / n + other * (1 - other) / m)
    if method == "arcsine":
        shift = 2 * abs(asin(sqrt(other)) - asin(sqrt(base)))
        value = _normal_power(shift * sqrt(n * m / (n + m)), z, sides)
    elif method == "unpooled":
        value = _normal_power(abs(difference) / spread, z, sides)
    else:
        middle = (n * base + m * other) / (n + m)
        pooled = sqrt(middle * (1 - middle) * (1 / n + 1 / m))
        value = float(stats.norm.cdf((abs(difference) - z * pooled) / spread))
    return Power(value, difference, n, level, f"two shares, {method}, {sides}")


def power_chi_square(w: float, n: int, *, df: int, level: float = 0.05) -> Power:
    """Chi-square test (fit or cross table) for Cohen's w, the root of Σ (p − p₀)²/p₀.

    Examples
    --------
    >>> round(power_chi_square(0.3, 100, df=1).power, 4)
    0.8508
    """
    check_design(level, "two-sided", n, 1, "", ("",), {})
    if df < 1 or w < 0:
        raise InputError("No such design.", [Problem("w, df", f"got {w} and {df}", "w from 0 on, df from 1 on")])
    value = float(stats.ncx2.sf(stats.chi2.isf(level, df), df, n * w**2)) if w > 0 else level
    return Power(value, w, n, level, f"chi-square test, {df} degrees of freedom")


def power_mann_whitney(
    superiority: float, n: int, *, ratio: float = 1.0, level: float = 0.05, sides: str = "two-sided"
) -> Power:
    """Mann–Whitney test for P(X > Y) + P(X = Y)/2 (Vargha and Delaney's A), by Noether's approximation.

    Examples
    --------
    >>> round(power_mann_whitney(0.65, 50).power, 4)
    0.7383
    """
    check_design(level, sides, n, 2, "", ("",), {"superiority": superiority})
    m = n * ratio
    shift = sqrt(12 * n * m / (n + m)) * abs(superiority - 0.5)
    value = float(stats.norm.cdf(shift - stats.norm.isf(_tail(level, sides))))
    return Power(value, superiority, n, level, f"Mann–Whitney test, Noether's approximation, {sides}")


def power_signed_rank(superiority: float, n: int, *, level: float = 0.05, sides: str = "two-sided") -> Power:
    """Wilcoxon's signed-rank test for P(D + D′ > 0), the chance that two pairs' differences add up to above zero.

    Noether's approximation (1987, section 3): n = (z_α + z_β)²/(3·(p − ½)²).

    Examples
    --------
    >>> round(power_signed_rank(0.7, 66).power, 2)
    0.8
    """
    check_design(level, sides, n, 2, "", ("",), {"superiority": superiority})
    shift = sqrt(3 * n) * abs(superiority - 0.5)
    value = float(stats.norm.cdf(shift - stats.norm.isf(_tail(level, sides))))
    return Power(value, superiority, n, level, f"signed-rank test, Noether's approximation, {sides}")


def power_correlation(
    correlation: float, n: int, *, null: float = 0.0, level: float = 0.05, sides: str = "two-sided", method: str
) -> Power:
    """Pearson's correlation against ``null``.

    Parameters
    ----------
    method : {"fisher", "t"}
        Fisher's z; or the critical value of the t test, with the bias of Fisher's z corrected (R's pwr), for a null
        of 0 only.

    Examples
    --------
    >>> round(power_correlation(0.3, 80, method="fisher").power, 4)
    0.7752
    """
    ranges = {"(1 + correlation)/2": (1 + correlation) / 2, "(1 + null)/2": (1 + null) / 2}
    check_design(level, sides, n, 4, method, ("fisher", "t") if null == 0 else ("fisher",), ranges)
    tail, size = _tail(level, sides), abs(correlation)
    if method == "fisher":
        shift = abs(atanh(correlation) - atanh(null)) * sqrt(n - 3)
        value = _normal_power(shift, stats.norm.isf(tail), sides)
    else:
        t = stats.t.isf(tail, n - 2)
        critical = atanh(sqrt(t**2 / (t**2 + n - 2))) * sqrt(n - 3)
        value = _normal_power((atanh(size) + size / (2 * (n - 1))) * sqrt(n - 3), critical, sides)
    return Power(value, correlation, n, level, f"correlation, {method}, {sides}")


def power_alpha(
    alpha: float, n: int, *, items: int, null: float, level: float = 0.05, sides: str = "two-sided"
) -> Power:
    """Cronbach's alpha against a fixed one, by Bonett's approximation on ln(1 − alpha).

    Examples
    --------
    >>> round(power_alpha(0.8, 139, items=5, null=0.7).power, 2)
    0.85
    """
    check_design(level, sides, n, 3, "", ("",), {})
    if items < 2 or not (alpha < 1 and null < 1):
        got = f"got {alpha}, {null}, {items}"
        raise InputError("No such design.", [Problem("alpha, null, items", got, "below 1, below 1, two or more")])
    shift = abs(log((1 - alpha) / (1 - null))) * sqrt((n - 2) * (items - 1) / (2 * items))
    value = float(stats.norm.cdf(shift - stats.norm.isf(_tail(level, sides))))
    return Power(value, alpha, n, level, f"Cronbach's alpha of {items} items against {null:g}, Bonett, {sides}")


def power_mcnemar(
    difference: float, n: int, *, discordant: float, level: float = 0.05, sides: str = "two-sided", method: str
) -> Power:
    """McNemar's test of two shares of the same n respondents.

    Parameters
    ----------
    difference : float
        Share that changes one way less share that changes the other way.
    discordant : float
        Share that changes at all.
    method : {"exact", "normal"}
        Binomial test of the changes, over all numbers of changes that n can bring; or Connor's approximation.

    Examples
    --------
    >>> round(power_mcnemar(0.24, 50, discordant=0.4, sides="one-sided", method="exact").power, 4)
    0.8394
    """
    ranges = {"discordant": discordant, "share of one way": (discordant + difference) / (2 * discordant or 1)}
    check_design(level, sides, n, 2, method, ("exact", "normal"), ranges)
    tail, way = _tail(level, sides), (discordant + difference) / (2 * discordant)
    if method == "exact":
        value = 0.0
        for changed, weight in enumerate(stats.binom.pmf(np.arange(n + 1), n, discordant)):
            if changed and weight > 1e-14:
                reject = _binomial_rejects(changed, 0.5, tail, sides, difference)
                value += weight * stats.binom.pmf(np.arange(changed + 1), changed, way)[reject].sum()
    else:
        spread = sqrt(discordant - difference**2)
        z = stats.norm.isf(tail) * sqrt(discordant) / spread
        value = float(stats.norm.cdf(abs(difference) * sqrt(n) / spread - z))
    return Power(float(value), difference, n, level, f"McNemar's test, {method}, {sides}")


def needed_n(
    function: Callable[..., Power], effect: float, *, power: float = 0.8, least: int = 4, **options: object
) -> Power:
    """The smallest n, from ``least`` on, whose power reaches ``power``; options as the function takes them.

    With exact methods power goes up and down with n; the first n that reaches it is given.

    Raises
    ------
    InputError
        A power outside (0, 1), one that no n below ten million reaches, or what the function refuses.

    Examples
    --------
    >>> needed_n(power_mann_whitney, 0.3, power=0.9).n
    44
    """
    _check_power(power)
    high = least
    while (found := function(effect, high, **options)).power < power:
        if high >= LARGEST_N:
            remedy = "an effect further from the null"
            raise InputError("No sample is large enough.", [Problem("effect", f"got {effect}", remedy)])
        high *= 2
    if options.get("method") == "exact":
        return next(found for n in range(least, high + 1) if (found := function(effect, n, **options)).power >= power)
    low = max(least - 1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        trial = function(effect, middle, **options)
        low, high, found = (low, middle, trial) if trial.power >= power else (middle, high, found)
    return found


def detectable_effect(
    function: Callable[..., Power], n: int, *, between: tuple[float, float], power: float = 0.8, **options: object
) -> Power:
    """The effect at which n respondents reach ``power``.

    Parameters
    ----------
    function : callable
        A ``power_…`` function.
    n : int
    between : (float, float)
        Where to look: from (next to) no effect to the largest thinkable, on one side of the null.

    Raises
    ------
    InputError
        A power outside (0, 1), or one that is not reached between the two effects.

    Examples
    --------
    >>> round(detectable_effect(power_correlation, 84, between=(0, 0.99), method="fisher").effect, 3)
    0.302
    """
    _check_power(power)
    start, end = (function(effect, n, **options).power for effect in between)
    if not start < power <= end:
        what = f"power runs from {start:.3f} to {end:.3f} between {between[0]:g} and {between[1]:g}"
        raise InputError("No such effect is detectable.", [Problem("between", what, "a wider range, or a larger n")])
    effect = optimize.brentq(lambda at: function(at, n, **options).power - power, *between, xtol=1e-10)
    return replace(function(effect, n, **options), power=power)


def _tail(level: float, sides: str) -> float:
    return level / 2 if sides == "two-sided" else level


def _normal_power(shift: float, critical: float, sides: str) -> float:
    """Chance that a unit normal around ``shift`` ≥ 0 lies beyond the critical value, on the far side too if two."""
    wrong_side = stats.norm.cdf(-critical - shift) if sides == "two-sided" else 0.0
    return float(stats.norm.sf(critical - shift) + wrong_side)


def _binomial_rejects(n: int, null: float, tail: float, sides: str, direction: float) -> np.ndarray:
    """Counts that a binomial test with ``tail`` on each tested side rejects."""
    counts = np.arange(n + 1)
    above = stats.binom.sf(counts - 1, n, null) <= tail * (1 + 1e-12)
    below = stats.binom.cdf(counts, n, null) <= tail * (1 + 1e-12)
    if sides == "two-sided":
        return above | below
    return above if direction >= 0 else below


def _check_power(power: float) -> None:
    if not 0 < power < 1:
        raise InputError("No such power.", [Problem("power", f"got {power}", "between 0 and 1, such as 0.8")])


def check_design(
    level: float, sides: str, n: int, least: int, method: str, methods: tuple[str, ...], shares: dict[str, float]
) -> None:
    """Raise with all that is wrong with a design: method, sides, level, n, and shares outside (0, 1)."""
    problems = []
    if method not in methods:
        problems.append(Problem("method", f"got '{method}'", f"one of: {', '.join(methods)}"))
    if sides not in SIDES:
        problems.append(Problem("sides", f"got '{sides}'", f"one of: {', '.join(SIDES)}"))
    if not 0 < level < 1:
        problems.append(Problem("level", f"got {level}", "between 0 and 1, such as 0.05"))
    if n < least:
        problems.append(Problem("n", f"got {n}", f"{least} or more"))
    problems += [
        Problem(name, f"is {value:g}", "strictly between 0 and 1")
        for name, value in shares.items()
        if not 0 < value < 1
    ]
    if problems:
        raise InputError("Power cannot be computed for this design.", problems)
