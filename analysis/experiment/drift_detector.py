"""Has what comes in changed? A chart of image or answer statistics that keeps to its rate of false alarms.

A multivariate EWMA chart (Lowry et al. 1992) sees sudden and slow changes of several statistics at once.
Its usual limits take the reference for the truth; set up from a few hundred images it alarms too often
(Jensen et al. 2006), and the error of such a reference stays in every later window. Here the limit comes from
resampling the reference, with charts set up anew from each resample.

References
----------
Lowry CA, Woodall WH, Champ CW, Rigdon SE (1992) A multivariate exponentially weighted moving average
control chart. Technometrics 34, 46–53.
Jensen WA, Jones-Farmer LA, Champ CW, Woodall WH (2006) Effects of parameter estimation on control chart
properties: a literature review. Journal of Quality Technology 38, 349–364.
Kessy A, Lewin A, Strimmer K (2018) Optimal whitening and decorrelation. The American Statistician 72, 309–314.
Garthwaite PH, Koch I (2016) Evaluating the contributions of individual variables to a quadratic form.
Australian & New Zealand Journal of Statistics 58, 99–119.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.experiment.image_statistics import FEATURES
from analysis.experiment.verdicts import Verdict, outside, raise_for

HORIZON = 100
"""Windows over which false alarms are counted: some weeks at a window every few hours."""

SHRINKAGE = 0.05
"""Weight of the identity in the correlation matrix: no direction counts as free of noise."""


class DriftDetector:
    """Multivariate EWMA chart of window means, calibrated on a finite reference.

    Images are whitened with the reference's mean and correlation and pulled in to the ellipsoid that holds
    99 % of normal ones, so that a single odd image moves a window by little, however odd. The window's
    mean enters an exponentially weighted average; the statistic is its squared length in units of its
    own variance, in which the reference's size and every window's size are accounted for. Old windows fade
    by images seen, not by calls: a window half as large moves the average half as much.

    The limit is found by simulation: references drawn anew from the reference, each watching ``HORIZON``
    windows drawn from it too, restarted after an alarm. The rate stated is the mean over such references
    (a single one may lie above or below). The limit follows the size that windows have had of late.

    Parameters
    ----------
    reference : ndarray, shape (images, features)
        Statistics of images known to be good; at least three times as many images as features. They must have
        come the way that the windows' images come: saving as JPEG alone moves noise and saturation.
    window : int
        Images a window usually has.
    false_alarms_per_window : float
        Alarms per undrifted window aimed at, between 0.001 and 0.2; its inverse is the in-control average
        run length in windows.
    seed : int
        Of the resampling. Same arguments, same limit.
    features : sequence of str
        Names of the columns.
    smoothing : float
        Weight of the newest window, 0 to 1. Small values see slow drift, 1 forgets all but the last window.
    replicates : int
        References drawn to find a limit.

    Raises
    ------
    InputError
        Arguments out of range; too few images; values that are not finite; columns without names.
    """

    def __init__(
        self,
        reference: np.ndarray,
        window: int,
        false_alarms_per_window: float,
        seed: int,
        *,
        features: Sequence[str] = FEATURES,
        smoothing: float = 0.2,
        replicates: int = 500,
    ) -> None:
        reference = np.array(reference, dtype=float, ndmin=2)
        raise_for(
            "The drift detector cannot be set up",
            *_check_reference(reference, features),
            outside("window", window, 1, np.inf),
            outside("false_alarms_per_window", false_alarms_per_window, 0.001, 0.2),
            outside("smoothing", smoothing, 0.01, 1.0),
            outside("replicates", replicates, 50, np.inf),
        )
        self.features = tuple(features)
        self.window = int(window)
        self.false_alarms_per_window = float(false_alarms_per_window)
        self.smoothing = float(smoothing)
        self.replicates = int(replicates)
        self._seed = int(seed)
        self._reference = reference
        # Location and scale are taken from values inside these fences, so that a blank image among the
        # reference does not make everything look normal.
        self._fences = np.quantile(reference, [0.01, 0.99], axis=0)
        self._scale = _Whitening.fit(np.clip(reference, *self._fences))
        self._limits: dict[int, float] = {}
        self._usual = float(window)
        self.reset()
        self.compute_limit(self.window)

    def reset(self) -> None:
        """Forget all windows seen; the reference stays. Call it once an alarm has been dealt with."""
        self._mean = np.zeros(len(self.features))
        self._weight = 0.0
        self._variance = 0.0

    def update(self, window_features: np.ndarray) -> Verdict:
        """Take in one window of shape (images, features) and say whether the line has drifted.

        Images with a value that is not finite are left out, which the reason says. A window without usable
        images changes nothing and never alarms. The alarm stands while the drift lasts, until `reset`.

        Returns
        -------
        Verdict
            ``statistic`` above ``limit`` alarms. ``contributions`` are the features' shares of the
            statistic, which add up to 1 (Garthwaite and Koch's decorrelated ones).

        Raises
        ------
        InputError
            Columns that are not those of the reference.
        """
        rows = np.array(window_features, dtype=float, ndmin=2)
        if rows.size == 0:
            rows = rows.reshape(0, len(self.features))
        if rows.ndim != 2 or rows.shape[1] != len(self.features):
            raise InputError(
                "The window does not fit the reference",
                [Problem("window", f"expected columns {', '.join(self.features)}, got shape {rows.shape}")],
            )
        usable = rows[np.isfinite(rows).all(axis=1)]
        unusable = "" if len(usable) == len(rows) else f"; {len(rows) - len(usable)} of {len(rows)} images unusable"
        if len(usable) == 0:
            limit = self.compute_limit(self._usual)
            return Verdict(False, self._statistic(), limit, f"no usable image in the window{unusable}")
        share = 1 - (1 - self.smoothing) ** (len(usable) / self.window)
        self._mean = (1 - share) * self._mean + share * self._scale.transform(usable).mean(axis=0)
        self._weight = (1 - share) * self._weight + share
        self._variance = (1 - share) ** 2 * self._variance + share**2 / len(usable)
        self._usual += self.smoothing * (len(usable) - self._usual)
        statistic, limit = self._statistic(), self.compute_limit(self._usual)
        squares = self._mean**2
        shares = dict(zip(self.features, (squares / max(squares.sum(), 1e-300)).tolist(), strict=True))
        most = max(shares, key=shares.__getitem__)
        reason = f"drift, most of all in {most}" if statistic > limit else "as the reference"
        return Verdict(statistic > limit, statistic, limit, reason + unusable, shares)

    def compute_limit(self, images: float) -> float:
        """The control limit for windows of so many images on average, found on first use.

        Sizes other than the usual one share a limit within steps of a quarter.
        """
        step = round(np.log(max(images, 1) / self.window) / np.log(1.25))
        if step not in self._limits:
            self._limits[step] = float(self._calibrate(max(1, round(self.window * 1.25**step))))
        return self._limits[step]

    def _statistic(self) -> float:
        variance = self._variance + self._weight**2 / len(self._reference)
        return float(self._mean @ self._mean / variance) if variance else 0.0

    def _calibrate(self, images: int) -> float:
        """The limit at which resampled references give the stated rate on windows of so many images."""
        rng = np.random.default_rng([self._seed, images])
        size = len(self._reference)
        share = 1 - (1 - self.smoothing) ** (images / self.window)
        means = np.empty((self.replicates, HORIZON, len(self.features)))
        fenced = np.clip(self._reference, *self._fences)
        starts = np.repeat(np.arange(HORIZON) * size, images)
        for replicate in means:
            rows = _Whitening.fit(fenced[rng.integers(size, size=size)]).transform(self._reference)
            drawn = starts + rng.integers(size, size=len(starts))
            counts = np.bincount(drawn, minlength=HORIZON * size).reshape(HORIZON, size)
            replicate[:] = (counts / images) @ rows
        low, high = 0.0, 4 * stats.chi2.isf(1e-6, len(self.features))
        for _ in range(16):
            limit = (low + high) / 2
            rate = _compute_alarm_rate(means, limit, share, images, size)
            low, high = (limit, high) if rate > self.false_alarms_per_window else (low, limit)
        return high


def _compute_alarm_rate(means: np.ndarray, limit: float, share: float, images: int, size: int) -> float:
    """Alarms per window of charts that start anew after each alarm; ``means`` is (charts, windows, features)."""
    age = np.arange(1, means.shape[1] + 1)
    weight = 1 - (1 - share) ** age
    variance = share * (1 - (1 - share) ** (2 * age)) / (2 - share) / images + weight**2 / size
    state, ages, alarms = np.zeros_like(means[:, 0]), np.zeros(len(means), dtype=int), 0
    for window in np.moveaxis(means, 1, 0):
        state = (1 - share) * state + share * window
        alarm = np.einsum("ij,ij->i", state, state) > limit * variance[ages]
        alarms += alarm.sum()
        state[alarm] = 0
        ages = np.where(alarm, 0, ages + 1)
    return alarms / (means.shape[0] * means.shape[1])


@cache
def _radius(features: int) -> float:
    return float(np.sqrt(stats.chi2.ppf(0.99, features)))


@dataclass(frozen=True, slots=True)
class _Whitening:
    """Statistics of images, freed of location, scale and correlation (ZCA-cor), odd ones pulled in."""

    centre: np.ndarray
    matrix: np.ndarray
    offset: np.ndarray
    radius: float

    @classmethod
    def fit(cls, rows: np.ndarray) -> _Whitening:
        centre = rows.mean(axis=0)
        covariance = (rows - centre).T @ (rows - centre) / (len(rows) - 1)
        # A feature that never varied counts as known to a thousandth: if it does move, that is drift.
        scale = np.maximum(np.sqrt(np.diag(covariance)), 1e-3 * np.maximum(1, np.abs(centre)))
        correlation = (1 - SHRINKAGE) * covariance / np.outer(scale, scale)
        np.fill_diagonal(correlation, 1)
        values, vectors = np.linalg.eigh(correlation)
        matrix = (vectors / np.sqrt(values)) @ vectors.T / scale
        radius = _radius(rows.shape[1])
        raw = cls(centre, matrix, np.zeros_like(centre), radius)
        return cls(centre, matrix, raw.transform(rows).mean(axis=0), radius)

    def transform(self, rows: np.ndarray) -> np.ndarray:
        whitened = (rows - self.centre) @ self.matrix.T
        length = np.sqrt(np.einsum("ij,ij->i", whitened, whitened))
        return whitened * np.minimum(1, self.radius / np.maximum(length, 1e-12))[:, None] - self.offset


def _check_reference(reference: np.ndarray, features: Sequence[str]) -> list[Problem | None]:
    if reference.ndim != 2 or reference.shape[1] != len(features):
        what = f"expected one column for each of {', '.join(features)}, got shape {reference.shape}"
        return [Problem("reference", what, "name the columns with features=")]
    problems: list[Problem | None] = []
    if len(reference) < 3 * len(features):
        what = f"{len(reference)} images are too few for {len(features)} features"
        problems.append(Problem("reference", what, f"use at least {3 * len(features)}, better a few hundred"))
    if len(bad := np.flatnonzero(~np.isfinite(reference).all(axis=1))):
        what = f"values that are not finite in rows {', '.join(map(str, bad[:10]))}{' …' * (len(bad) > 10)}"
        problems.append(Problem("reference", what, "leave these images out"))
    return problems
