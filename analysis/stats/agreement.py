"""Agreement of coders about the same units: percent agreement, Cohen's, Fleiss' kappa, Gwet's AC1 and AC2.

Codings come as units × coders; a cell holds the coder's category, or nothing (NaN, None) where the coder did not see
the unit. A unit that fewer than two coders coded says nothing about agreement. Where chance agreement is estimated it
still counts, for Fleiss and Gwet; a unit that nobody coded counts nowhere. Krippendorff's alpha has a module of its
own, `analysis.stats.krippendorff_alpha`.

All coefficients are (observed − chance)/(1 − chance); they differ in what they take chance to be:

- Cohen: each coder draws from the categories as often as this coder really uses them (two coders);
- Fleiss: all coders draw from one pool, the categories as used by all together (with two coders: Scott's pi);
- Gwet: chance agreement happens only on units that are hard to code, which keeps AC1 high where nearly all units fall
  into one category.

References
----------
Cohen J (1960) A coefficient of agreement for nominal scales. Educ. Psychol. Meas. 20, 37–46; (1968) weighted, Psychol.
Bull. 70, 213–220.
Fleiss JL, Cohen J, Everitt BS (1969) Large sample standard errors of kappa and weighted kappa. Psychol. Bull. 72,
323–327.
Fleiss JL (1971) Measuring nominal scale agreement among many raters. Psychol. Bull. 76, 378–382.
Gwet KL (2008) Computing inter-rater reliability and its variance in the presence of high agreement. BJMSP 61, 29–48.
Gwet KL (2014) Handbook of inter-rater reliability, 4th ed. Advanced Analytics, chapters 2–5 (missing ratings,
weights, linearised variance).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import sqrt

import numpy as np
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.bootstrap import METHODS, bootstrap_counts
from analysis.stats.codings import (
    WEIGHTS,
    Codings,
    agreement_weights,
    check_options,
    count_coders,
    count_codes,
    count_pairs,
    refuse_one_category,
)

COHEN_METHODS: dict[str, str] = {"asymptotic": "asymptotic interval (Fleiss, Cohen, Everitt)", **METHODS}
UNIT_METHODS: dict[str, str] = {"linearised": "t interval from Gwet's linearised variance", **METHODS}
PERCENT_METHODS: dict[str, str] = {"wilson": "Wilson score interval", **UNIT_METHODS}


@estimator
def compute_percent_agreement(
    codings: Codings,
    confidence: float = 0.95,
    *,
    method: str,
    rng: np.random.Generator | None = None,
    resamples: int = 9999,
) -> Estimate:
    """Share of agreeing pairs of coders, averaged over the units that two coders or more coded.

    Parameters
    ----------
    codings : DataFrame or array
        Units × coders.
    confidence : float
    method : {"wilson", "linearised", "percentile", "bca"}
        Wilson takes two coders: each unit is agreement or not. The others take any number and resample, or vary
        over, units.
    rng : numpy Generator
        For the bootstrap.
    resamples : int

    Returns
    -------
    Estimate
        A share; ``n`` counts the units that two coders or more coded.

    Raises
    ------
    InputError
        Unknown method, confidence outside (0, 1), fewer than two coders, no unit that two coders coded, Wilson with
        more than two coders, or no generator for the bootstrap.

    Examples
    --------
    >>> codings = np.array([["a", "a"], ["b", "b"], ["a", "b"], ["b", "b"]])
    >>> compute_percent_agreement(codings, method="wilson").text()
    '75.0%'
    """
    check_options({"method": (method, PERCENT_METHODS)}, confidence, method, rng)
    counts, _ = count_codes(codings, None)
    if method == "wilson":
        coders = count_coders(codings)
        if coders != 2:
            problem = Problem("method", f"Wilson with {coders} coders", "take two coders or another method")
            raise InputError("Percent agreement has no such interval.", [problem])
        pairs = counts[counts.sum(axis=1) == 2]
        hits, n = int((pairs == 2).any(axis=1).sum()), len(pairs)
        low, high = proportion_confint(hits, n, alpha=1 - confidence, method="wilson")
        low, high = max(0.0, min(float(low), hits / n)), min(1.0, max(float(high), hits / n))
        label = f"percent agreement, {PERCENT_METHODS[method]}"
        return Estimate(hits / n, low, high, confidence, n, label, "share")
    identity = np.eye(counts.shape[1])
    return _by_unit("percent", "percent agreement", counts, identity, confidence, method, rng, resamples)


@estimator
def compute_cohen_kappa(
    codings: Codings,
    confidence: float = 0.95,
    *,
    method: str,
    weights: str = "none",
    categories: Sequence[Hashable] | None = None,
    rng: np.random.Generator | None = None,
    resamples: int = 9999,
) -> Estimate:
    """Cohen's kappa of two coders, unweighted or weighted.

    Parameters
    ----------
    codings : DataFrame or array
        Units × two coders; units that one of the two did not code are left out, and ``n`` shows it.
    confidence : float
    method : {"asymptotic", "percentile", "bca"}
        The asymptotic interval is cut off at −1 and 1.
    weights : {"none", "linear", "quadratic"}
        A disagreement by one place counts less than one by more; places are those in ``categories``.
    categories : sequence, optional
        All categories of the scale in their order, unused ones included. Needed where weights are used, since an
        unused category changes them; otherwise the categories found.
    rng, resamples
        For the bootstrap, which resamples units.

    Raises
    ------
    InputError
        Unknown method or weights, a number of coders other than two, codes outside ``categories``, weights without
        ``categories``, no unit that both coded, no generator for the bootstrap, or both coders using one and the same
        category throughout: kappa is then 0/0 (report percent agreement, or AC1).

    Examples
    --------
    >>> from analysis.stats.codings import codings_of_table
    >>> codings = codings_of_table([[20, 5], [10, 15]])
    >>> compute_cohen_kappa(codings, method="asymptotic").text(2)
    '0.40'
    """
    check_options({"method": (method, COHEN_METHODS), "weights": (weights, WEIGHTS)}, confidence, method, rng)
    coders = count_coders(codings)
    if coders != 2:
        problem = Problem("codings", f"{coders} coders", "two; Fleiss, Gwet and Krippendorff take more")
        raise InputError("Cohen's kappa compares two coders.", [problem])
    if weights != "none" and categories is None:
        problem = Problem("categories", "none given", "all categories in their order")
        raise InputError("Weights need the scale.", [problem])
    table = count_pairs(codings, categories)
    q, n = len(table), int(table.sum())
    agree = agreement_weights(q, weights)
    label = f"Cohen's kappa, {WEIGHTS[weights]}"

    def kappas(drawn: np.ndarray) -> np.ndarray:
        shares = drawn.reshape(-1, q, q) / n_of(drawn)[:, None, None]
        chance = np.einsum("bi,ij,bj->b", shares.sum(axis=2), agree, shares.sum(axis=1))
        return _coefficient((shares * agree).sum(axis=(1, 2)), chance)

    value = float(kappas(table.reshape(1, -1))[0])
    if not np.isfinite(value):
        refuse_one_category("Cohen's kappa")
    if method in METHODS:
        cells = table.ravel()
        options = {"method": method, "rng": rng, "resamples": resamples, "label": label}
        return bootstrap_counts(cells, kappas, confidence, **options)
    # statsmodels asks for the weights as disagreements; with the identity it is the unweighted kappa.
    result = cohens_kappa(table.astype(float), weights=1 - agree, return_results=True)
    half = float(stats.norm.ppf((1 + confidence) / 2)) * sqrt(max(0.0, float(result.var_kappa)))
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Estimate(value, low, high, confidence, n, f"{label}, {COHEN_METHODS[method]}")


@estimator
def compute_fleiss_kappa(
    codings: Codings,
    confidence: float = 0.95,
    *,
    method: str,
    weights: str = "none",
    categories: Sequence[Hashable] | None = None,
    rng: np.random.Generator | None = None,
    resamples: int = 9999,
) -> Estimate:
    """Fleiss' kappa of any number of coders, in Gwet's form for missing codings.

    Parameters
    ----------
    codings, confidence, weights, categories, rng, resamples
        As in `compute_cohen_kappa`, with two coders or more. Coders need not be the same from unit to unit.
    method : {"linearised", "percentile", "bca"}
        The linearised variance is that over units; its upper bound is cut off at 1.

    Returns
    -------
    Estimate
        ``n`` counts the units that two coders or more coded.

    Raises
    ------
    InputError
        As in `compute_cohen_kappa`.
    """
    options = (confidence, method, weights, categories, rng, resamples)
    return _chance_corrected("fleiss", "Fleiss' kappa", codings, *options)


@estimator
def compute_gwet_ac(
    codings: Codings,
    confidence: float = 0.95,
    *,
    method: str,
    weights: str = "none",
    categories: Sequence[Hashable] | None = None,
    rng: np.random.Generator | None = None,
    resamples: int = 9999,
) -> Estimate:
    """Gwet's AC1 (unweighted) or AC2 (weighted) of any number of coders.

    Parameters
    ----------
    codings, confidence, method, weights, categories, rng, resamples
        As in `compute_fleiss_kappa`. AC1 depends on how many categories could have been used: give ``categories``
        where some were not.

    Raises
    ------
    InputError
        As in `compute_fleiss_kappa`; a single category in all (AC1 stays defined where the coders used one of several
        given in ``categories``).

    Examples
    --------
    >>> from analysis.stats.codings import codings_of_table
    >>> codings = codings_of_table([[118, 5], [2, 0]])
    >>> compute_gwet_ac(codings, method="linearised").text(4)
    '0.9408'
    """
    name = "Gwet's AC1" if weights == "none" else "Gwet's AC2"
    options = (confidence, method, weights, categories, rng, resamples)
    return _chance_corrected("gwet", name, codings, *options)


def n_of(drawn: np.ndarray) -> np.ndarray:
    """Observations in each resample."""
    return drawn.sum(axis=1)


def _chance_corrected(
    kind: str,
    name: str,
    codings: Codings,
    confidence: float,
    method: str,
    weights: str,
    categories: Sequence[Hashable] | None,
    rng: np.random.Generator | None,
    resamples: int,
) -> Estimate:
    check_options({"method": (method, UNIT_METHODS), "weights": (weights, WEIGHTS)}, confidence, method, rng)
    if weights != "none" and categories is None:
        problem = Problem("categories", "none given", "all categories in their order")
        raise InputError("Weights need the scale.", [problem])
    counts, known = count_codes(codings, categories)
    agree = agreement_weights(len(known), weights)
    label = f"{name}, {WEIGHTS[weights]}"
    return _by_unit(kind, label, counts, agree, confidence, method, rng, resamples)


def _by_unit(
    kind: str,
    label: str,
    counts: np.ndarray,
    agree: np.ndarray,
    confidence: float,
    method: str,
    rng: np.random.Generator | None,
    resamples: int,
) -> Estimate:
    """A coefficient that is made of one contribution a unit, with either interval (Gwet 2014, chapters 2 and 5)."""
    coders = counts.sum(axis=1)
    several = coders >= 2
    q, units = counts.shape[1], len(counts)
    agreeing = (counts * (counts @ agree.T - 1)).sum(axis=1)
    observed = np.where(several, agreeing / np.where(several, coders * (coders - 1), 1), 0.0)
    pool = counts / coders[:, None]

    def chance_of(used: np.ndarray) -> np.ndarray:
        if kind == "percent":
            return np.zeros(len(used))
        if kind == "fleiss":
            return np.einsum("bi,ij,bj->b", used, agree, used)
        return agree.sum() * (used * (1 - used)).sum(axis=1) / (q * (q - 1)) if q > 1 else np.ones(len(used))

    def coefficients(drawn: np.ndarray) -> np.ndarray:
        together = drawn @ several
        seen = np.where(together > 0, drawn @ observed / np.maximum(together, 1), np.nan)
        return _coefficient(seen, chance_of(drawn @ pool / n_of(drawn)[:, None]))

    ones = np.ones(units, dtype=int)
    value = float(coefficients(ones[None])[0])
    if not np.isfinite(value):
        refuse_one_category(label)
    n, unit = int(several.sum()), "share" if kind == "percent" else ""
    if method in METHODS:
        options = {"method": method, "rng": rng, "resamples": resamples, "label": label, "unit": unit}
        estimate = bootstrap_counts(ones, coefficients, confidence, **options)
        return Estimate(value, estimate.low, estimate.high, estimate.confidence, n, estimate.method, unit)
    name = f"{label}, {UNIT_METHODS[method]}"
    if units < 2:
        return Estimate(value, n=n, method=f"{name}; no interval: it takes two units", unit=unit)
    used = pool.mean(axis=0, keepdims=True)
    chance = float(chance_of(used)[0])
    parts = units / n * (observed - chance * several) / (1 - chance)
    if kind == "fleiss":
        parts = parts - 2 * (1 - value) * (pool @ ((agree + agree.T) @ used[0] / 2) - chance) / (1 - chance)
    elif kind == "gwet":
        unit_chance = agree.sum() / (q * (q - 1)) * (pool @ (1 - used[0]))
        parts = parts - 2 * (1 - value) * (unit_chance - chance) / (1 - chance)
    error = sqrt(((parts - value) ** 2).sum() / (units * (units - 1)))
    half = float(stats.t.ppf((1 + confidence) / 2, units - 1)) * error
    low = max(0.0 if kind == "percent" else -1.0, value - half)
    return Estimate(value, low, min(1.0, value + half), confidence, n, name, unit)


def _coefficient(observed: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """(observed − chance)/(1 − chance), NaN where chance leaves no room."""
    room = 1 - chance
    return np.where(room > 1e-12, (observed - chance) / np.where(room > 1e-12, room, 1), np.nan)
