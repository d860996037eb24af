"""Durations of which some are not over yet: Kaplan–Meier curve, its median, and the mean up to a horizon.

A duration that is still running when watching ends is *censored*: it lasted at least so long. Leaving such cases
out, or ending them at the time of looking, makes durations look shorter than they are.

References
----------
Kaplan EL, Meier P (1958) Nonparametric estimation from incomplete observations. JASA 53, 457–481.
Greenwood M (1926) The natural duration of cancer. Reports on Public Health and Medical Subjects 33, 1–26.
Brookmeyer R, Crowley J (1982) A confidence interval for the median survival time. Biometrics 38, 29–41.
Klein JP, Moeschberger ML (2003) Survival analysis, 2nd ed. Springer, sections 4.2, 4.3, 4.5.
Fay MP, Brittain EH, Proschan MA (2013) Pointwise confidence intervals for a survival distribution with small
samples or heavy censoring. Biostatistics 14, 723–736.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator

MEDIAN_METHOD = "Kaplan–Meier median with log-log Brookmeyer–Crowley interval"
MEAN_METHOD = "Kaplan–Meier restricted mean with Greenwood t interval"


def compute_kaplan_meier(
    durations: Sequence[float], censored: Sequence[bool], confidence: float = 0.95
) -> pd.DataFrame:
    """Share of durations not over yet, at each time when one ended.

    Parameters
    ----------
    durations : sequence of float
        From 0 on; for a censored one how long it has lasted so far.
    censored : sequence of bool
        True where the end was not seen.
    confidence : float
        Of each pointwise interval; log-log (Kalbfleisch–Prentice), so that it stays within 0 and 1.

    Returns
    -------
    DataFrame
        ``time``, ``at_risk``, ``ended``, ``survival``, ``se`` (Greenwood), ``low``, ``high``; the last three are
        missing where the curve has reached 0. No rows where no end was seen.

    Raises
    ------
    InputError
        Lengths differ, no duration, one below 0 or not finite, or confidence outside (0, 1).
    """
    time, ended = _check(durations, censored, confidence)
    if not ended.any():
        return pd.DataFrame({name: [] for name in ("time", "at_risk", "ended", "survival", "se", "low", "high")})
    curve = SurvfuncRight(time, ended.astype(int))
    survival, se = curve.surv_prob, curve.surv_prob_se
    with np.errstate(divide="ignore", invalid="ignore"):
        half = stats.norm.ppf((1 + confidence) / 2) * se / (survival * np.log(survival))
        low, high = survival ** np.exp(-half), survival ** np.exp(half)
    gone = survival <= 0
    frame = pd.DataFrame(
        {
            "time": curve.surv_times,
            "at_risk": curve.n_risk.astype(int),
            "ended": curve.n_events.astype(int),
            "survival": survival,
            "se": se,
            "low": low,
            "high": high,
        }
    )
    frame.loc[gone, ["se", "low", "high"]] = np.nan
    return frame


def compute_survival_quantile(
    durations: Sequence[float],
    censored: Sequence[bool],
    quantile: float = 0.5,
    confidence: float = 0.95,
    *,
    unit: str = "",
) -> Estimate | None:
    """Duration within which the share ``quantile`` ends, 0.5 for the median; None where too few ends were seen.

    The value is the first time at which the Kaplan–Meier curve is at or below 1 − ``quantile`` (the middle of the
    stretch where it equals it, so that without censoring the median is the sample's); the bounds are the times at
    which the bounds of the curve get there. A bound that is never reached is None: the data set no limit there.

    Raises
    ------
    InputError
        As `compute_kaplan_meier`.

    Examples
    --------
    >>> estimate = compute_survival_quantile([2, 3, 5, 8, 9], [False, False, True, False, False])
    >>> estimate.value, estimate.high is None
    (8.0, True)
    """
    frame = compute_kaplan_meier(durations, censored, confidence)
    level = 1 - quantile
    value = _crossing(frame["time"].to_numpy(), frame["survival"].to_numpy(), level, middle=True)
    if value is None:
        return None
    times = frame["time"].to_numpy()
    low = _crossing(times, np.nan_to_num(frame["low"].to_numpy(), nan=0.0), level)
    high = _crossing(times, frame["high"].to_numpy(), level)
    if low == times[0] and level ** len(np.asarray(durations)) > (1 - confidence) / 2:
        low = None  # all of so few may well lie above the quantile: the smallest is no lower bound for it
    method = MEDIAN_METHOD if quantile == 0.5 else MEDIAN_METHOD.replace("median", f"{100 * quantile:g}% quantile")
    name = f"{__name__}.compute_survival_quantile"  # `estimator` stamps only functions that always give an estimate
    return Estimate(value, low, high, confidence, len(np.asarray(durations)), method, unit, name)


@estimator
def compute_restricted_mean(
    durations: Sequence[float],
    censored: Sequence[bool],
    confidence: float = 0.95,
    *,
    horizon: float | None = None,
    unit: str = "",
) -> Estimate:
    """Mean duration up to a horizon: the area under the Kaplan–Meier curve.

    Parameters
    ----------
    horizon : float or None
        Durations longer than this count as this long; None: the longest one watched. Without censoring and horizon
        it is the ordinary mean.

    Returns
    -------
    Estimate
        Without bounds where fewer than two ends were seen, or all at once.

    Raises
    ------
    InputError
        As `compute_kaplan_meier`, or a horizon that is not above 0.

    Examples
    --------
    >>> compute_restricted_mean([1, 2, 3], [False, False, False]).value
    2.0
    """
    time, ended = _check(durations, censored, confidence)
    end = float(time.max()) if horizon is None else float(horizon)
    if horizon is not None and not end > 0:
        raise InputError("A mean cannot be computed.", [Problem("horizon", f"got {horizon}", "a duration above 0")])
    frame = compute_kaplan_meier(time, ~ended, confidence)
    frame = frame[frame["time"] <= end]
    times = np.concatenate([[0.0], frame["time"], [end]])
    steps = np.concatenate([[1.0], frame["survival"]])
    areas = np.diff(times) * steps
    value = float(areas.sum())
    n, label = len(time), f"{MEAN_METHOD}, horizon {end:.6g}"
    at_risk, died = frame["at_risk"].to_numpy(float), frame["ended"].to_numpy(float)
    beyond = areas[::-1].cumsum()[::-1][1:]  # area right of each time of an end
    partial = at_risk > died
    variance = float(
        np.sum(beyond[partial] ** 2 * died[partial] / (at_risk[partial] * (at_risk[partial] - died[partial])))
    )
    if ended.sum() < 2 or variance == 0:
        return Estimate(value, n=n, method=f"{label}; no interval from so few ends", unit=unit)
    # Greenwood's sum has n(n − d) where the variance of a mean has n(n − 1): Meier's factor makes them one.
    seen = float(ended.sum())
    # With few ends a normal quantile promises too much; Student's makes it the ordinary interval without censoring.
    half = float(stats.t.ppf((1 + confidence) / 2, seen - 1) * np.sqrt(variance * seen / (seen - 1)))
    return Estimate(value, max(0.0, value - half), value + half, confidence, n, label, unit)


def survival_probability(
    durations: Sequence[float], censored: Sequence[bool], upto: float, quantile: float = 0.5
) -> float:
    """Probability that the quantile of the durations is at most ``upto``, from Fay's beta product distribution.

    The mid-p form: half way between the distributions of the lower and of the upper bound. Without censoring it is
    `analysis.stats.quantiles.quantile_probability`. Unlike the normal approximation it needs no minimum of cases, and
    one incident solved in five hours does not make a median below six hours certain.

    >>> survival_probability([5.0], [False], 6.0)
    0.75
    """
    time, ended = _check(durations, censored, 0.95)
    level = 1 - quantile
    frame = compute_kaplan_meier(time, ~ended)
    frame = frame[frame["time"] <= upto]
    left = int(np.sum(time > upto))
    # Survival just after the last end is a product of Beta(at risk − ended + 1, ended); from there to ``upto`` at
    # most one more could have been about to end, which Beta(left, 1) stands for.
    a = frame["at_risk"].to_numpy(float) - frame["ended"].to_numpy(float) + 1
    b = frame["ended"].to_numpy(float)
    first, second = _beta_moments(a, b)
    # P(S ≤ level) where S leans high (upper bound) and where it leans low (lower bound)
    upper = _beta_cdf(first, second, level) if len(a) else 0.0
    lower = _beta_cdf(first * left / (left + 1), second * left / (left + 2), level) if left else 1.0
    return float((upper + lower) / 2)


def _beta_moments(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """First and second moment of a product of independent beta variables."""
    first = a / (a + b)
    return float(np.prod(first)), float(np.prod(first * (a + 1) / (a + b + 1)))


def _beta_cdf(first: float, second: float, x: float) -> float:
    """P(X ≤ x) for the beta distribution with these two moments."""
    variance = second - first**2
    if variance <= 1e-15:
        return float(first <= x)
    size = first * (1 - first) / variance - 1
    return float(stats.beta.cdf(x, first * size, (1 - first) * size))


def _crossing(times: np.ndarray, curve: np.ndarray, level: float, *, middle: bool = False) -> float | None:
    """First time at which the curve is at or below the level; None if it never is."""
    tolerance = 1e-9  # the curve is a product of ratios: one half comes out as 0.4999… or 0.5000…1
    places = np.flatnonzero(curve <= level + tolerance)
    if len(places) == 0:
        return None
    first = places[0]
    if middle and abs(curve[first] - level) <= tolerance and first + 1 < len(times):
        return float((times[first] + times[first + 1]) / 2)
    return float(times[first])


def _check(durations: Sequence[float], censored: Sequence[bool], confidence: float) -> tuple[np.ndarray, np.ndarray]:
    time, open_ = np.asarray(durations, dtype=float), np.asarray(censored, dtype=bool)
    problems = []
    if time.ndim != 1 or time.size == 0:
        problems.append(Problem("durations", f"shape {time.shape}", "one duration or more"))
    elif time.shape != open_.shape:
        problems.append(Problem("censored", f"{open_.size} for {time.size} durations", "one for each duration"))
    wrong = np.flatnonzero(~(np.isfinite(time) & (time >= 0)))
    problems += [
        Problem(f"durations, place {place + 1}", f"got {time.ravel()[place]}", "a finite duration from 0 on")
        for place in wrong
    ]
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    if problems:
        raise InputError("Durations cannot be analysed.", problems)
    return time, ~open_
