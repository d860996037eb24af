"""How many kinds there are, judged from samples that show only some: accumulation, unseen kinds, coverage.

The methods come from ecology, where kinds are species and samples are plots; kinds may as well be codes and samples
interviews. All that enters is *incidence*: which sample shows which kind. With N samples, Q1 kinds seen in exactly one
and Q2 in exactly two:

- accumulation: kinds seen in m of the samples, expected over all orders (Colwell et al. 2012, interpolation in the
  Bernoulli product model), and the spread over random orders;
- Chao2: kinds seen + (N−1)/N · Q1²/(2 Q2), a lower bound of all kinds (Chao 1987), with its log-normal interval;
- bootstrap (Smith & van Belle 1984): kinds seen + Σ (1−p)^N, p the share of samples that show a kind; it adds less;
- coverage (Chao & Jost 2012, in its form for incidence): the share of all sightings that kinds already seen would
  take.

References
----------
Chao A (1987) Estimating the population size for capture–recapture data with unequal catchability. Biometrics 43,
783–791.
Chao A, Jost L (2012) Coverage-based rarefaction and extrapolation. Ecology 93, 2533–2547.
Colwell RK, Chao A, Gotelli NJ, Lin SY, Mao CX, Chazdon RL, Longino JT (2012) Models and estimators linking
individual-based and sample-based rarefaction, extrapolation and comparison of assemblages. J. Plant Ecol. 5, 3–21.
Smith EP, van Belle G (1984) Nonparametric estimation of species richness. Biometrics 40, 119–129.
"""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
from scipy import stats
from scipy.special import gammaln

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.bootstrap import BLOCK
from analysis.stats.checks import confidence_problems, draw_problems, refuse


def compute_expected_accumulation(incidence: np.ndarray) -> np.ndarray:
    """Kinds seen in 1, 2, … N samples, expected over all orders of the samples.

    Parameters
    ----------
    incidence : array, shape (samples, kinds)
        Whether the sample shows the kind.

    Raises
    ------
    InputError
        No samples, or values other than 0 and 1.

    Examples
    --------
    >>> compute_expected_accumulation(np.array([[1, 1, 0], [1, 0, 0]])).tolist()
    [1.5, 2.0]
    """
    seen = _checked(incidence)
    n = len(seen)
    frequencies = seen.sum(axis=0)
    frequencies = frequencies[frequencies > 0][None]
    drawn = np.arange(1, n + 1)[:, None]
    # Share of the choices of m samples that miss a kind: C(N−f, m)/C(N, m), nil where fewer than m samples lack it.
    lacking = np.maximum(n - frequencies - drawn, -1)
    with np.errstate(invalid="ignore"):
        logs = gammaln(n - frequencies + 1) - gammaln(lacking + 1) - gammaln(n + 1) + gammaln(n - drawn + 1)
    missed = np.where(lacking >= 0, np.exp(logs), 0.0)
    return np.round((1 - missed).sum(axis=1), 12)


def draw_accumulations(incidence: np.ndarray, rng: np.random.Generator, orders: int) -> np.ndarray:
    """Kinds seen in 1, 2, … N samples along random orders of the samples (orders × samples).

    Raises
    ------
    InputError
        As in `compute_expected_accumulation`; no generator, or no orders.
    """
    seen = _checked(incidence)
    refuse("Random orders cannot be drawn.", draw_problems(rng, orders, True))
    n, kinds = seen.shape
    curves = []
    size = max(1, BLOCK // max(1, n * kinds))
    for start in range(0, orders, size):
        block = min(size, orders - start)
        places = rng.permuted(np.tile(np.arange(n), (block, 1)), axis=1)
        curves.append(np.logical_or.accumulate(seen[places], axis=1).sum(axis=2))
    return np.concatenate(curves)


@estimator
def compute_chao2(frequencies: np.ndarray, samples: int, confidence: float = 0.95) -> Estimate:
    """Chao2: a lower bound of the number of kinds, seen and unseen.

    Parameters
    ----------
    frequencies : array
        For each kind seen, the number of samples that show it.
    samples : int
    confidence : float

    Returns
    -------
    Estimate
        Where no kind was seen in exactly two samples, in the bias-corrected form with Q1(Q1−1)/(2(Q2+1)). The
        interval is Chao's log-normal one, which cannot fall below what was seen. Where no kind was seen only once,
        nothing points to unseen kinds: the value is the kinds seen, there are no bounds, and the method says why.

    Raises
    ------
    InputError
        Frequencies outside 1 to ``samples``, no frequencies, or confidence outside (0, 1).

    Examples
    --------
    >>> compute_chao2(np.array([1] * 12 + [2] * 4 + [9] * 10), 168).text()
    '43.9'
    """
    counts = _checked_frequencies(frequencies, samples, confidence)
    found, once, twice = len(counts), int((counts == 1).sum()), int((counts == 2).sum())
    shrink = (samples - 1) / samples
    name = "Chao2, log-normal interval"
    if once == 0 or (twice == 0 and once == 1) or shrink == 0:
        why = "one sample cannot tell" if shrink == 0 else "no sign of unseen kinds"
        return Estimate(float(found), n=samples, method=f"Chao2; no interval: {why}")
    if twice > 0:
        ratio = once / twice
        unseen = shrink * once * ratio / 2
        spread = twice * (shrink / 2 * ratio**2 + shrink**2 * ratio**3 + shrink**2 / 4 * ratio**4)
    else:
        unseen = shrink * once * (once - 1) / 2
        estimate = found + unseen
        spread = shrink * once * (once - 1) / 2 + shrink**2 * once * (2 * once - 1) ** 2 / 4
        spread -= shrink**2 * once**4 / (4 * estimate)
        name = "Chao2, bias-corrected, log-normal interval"
    z = float(stats.norm.ppf((1 + confidence) / 2))
    factor = exp(z * sqrt(log(1 + spread / unseen**2)))
    return Estimate(found + unseen, found + unseen / factor, found + unseen * factor, confidence, samples, name)


@estimator
def compute_bootstrap_richness(incidence: np.ndarray, confidence: float = 0.95) -> Estimate:
    """Smith and van Belle's bootstrap estimate of the number of kinds, in closed form.

    A resample of the samples misses some of the kinds seen; as many as it misses on average are taken to be missing in
    the samples themselves. The variance is that of the kinds in a resample; the interval is normal and cut off at the
    kinds seen.

    Parameters
    ----------
    incidence : array, shape (samples, kinds)
    confidence : float

    Raises
    ------
    InputError
        As in `compute_expected_accumulation`; no kind seen; confidence outside (0, 1).

    Examples
    --------
    >>> compute_bootstrap_richness(np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1]])).text(4)
    '3.5926'
    """
    seen = _checked(incidence)
    refuse("The number of kinds cannot be estimated.", confidence_problems(confidence))
    seen = seen[:, seen.any(axis=0)]
    n, found = seen.shape
    if found == 0:
        raise InputError("The number of kinds cannot be estimated.", [Problem("incidence", "no kind was seen")])
    missed = (1 - seen.mean(axis=0)) ** n
    lacking = 1 - seen.astype(float)
    neither = (lacking.T @ lacking / n) ** n
    spread = float((neither - np.outer(missed, missed)).sum())
    value = found + float(missed.sum())
    half = float(stats.norm.ppf((1 + confidence) / 2)) * sqrt(max(0.0, spread))
    low = max(float(found), value - half)
    return Estimate(value, low, value + half, confidence, n, "bootstrap of Smith and van Belle, normal interval")


@estimator
def compute_coverage(frequencies: np.ndarray, samples: int) -> Estimate:
    """Share of all sightings that the kinds seen so far would take; 1 minus it is the share still to come.

    Parameters
    ----------
    frequencies : array
        For each kind seen, the number of samples that show it.
    samples : int

    Raises
    ------
    InputError
        As in `compute_chao2`, or a single sample, which shows nothing of what another would show.

    Examples
    --------
    >>> compute_coverage(np.array([1] * 12 + [2] * 4 + [9] * 9 + [67]), 168).text(2)
    '92.89%'
    """
    counts = _checked_frequencies(frequencies, samples, 0.95)
    if samples == 1:
        raise InputError("Coverage cannot be estimated.", [Problem("samples", "there is one", "two or more")])
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    name = "coverage after Chao and Jost"
    if once == 0:
        return Estimate(1.0, n=samples, method=name, unit="share")
    # Where no kind was seen twice, the unseen kinds are taken from the bias-corrected Chao2.
    room, beside = ((samples - 1) * once, 2 * twice) if twice else ((samples - 1) * (once - 1), 2)
    kept = room / (room + beside)
    return Estimate(1 - once / int(counts.sum()) * kept, n=samples, method=name, unit="share")


def _checked(incidence: np.ndarray) -> np.ndarray:
    array = np.asarray(incidence)
    if array.ndim != 2 or len(array) == 0:
        raise InputError("Incidence cannot be read.", [Problem("incidence", f"shape {array.shape}", "samples × kinds")])
    if not np.isin(array, (0, 1)).all():
        remedy = "whether a kind was seen, not how often"
        raise InputError("Incidence cannot be read.", [Problem("incidence", "values other than 0 and 1", remedy)])
    return array.astype(bool)


def _checked_frequencies(frequencies: np.ndarray, samples: int, confidence: float) -> np.ndarray:
    counts = np.asarray(frequencies)
    problems = confidence_problems(confidence)
    if counts.ndim != 1 or counts.size == 0:
        problems.append(Problem("frequencies", f"shape {counts.shape}", "one number a kind seen"))
    elif not ((counts >= 1) & (counts <= samples) & (counts % 1 == 0)).all():
        what = f"from {counts.min()} to {counts.max()}"
        problems.append(Problem("frequencies", what, f"whole numbers from 1 to the {samples} samples"))
    refuse("The number of kinds cannot be estimated.", problems)
    return counts.astype(int)
