"""Watching a line in production: has what comes in changed, does the service hold, is the model still good?

Every detector states how often it may cry wolf, and is tested to keep to it:

- `DriftDetector` needs no labels: windows of image or answer statistics against a reference.
- `ServiceDetector` and `compare_canary` need only status codes and seconds. Their tests are exact or
  rank-based, so the stated rate is an upper bound whatever the latencies' distribution.
- `QualityDetector` needs the labels of a sample, and alarms when the bootstrap interval of mAP50 lies
  below the target.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.experiment.drift_detector import DriftDetector
from analysis.experiment.evaluation import Matches, compute_map_interval, pool
from analysis.experiment.image_statistics import FEATURES, OUTPUT_FEATURES, input_statistics, output_statistics
from analysis.experiment.verdicts import Verdict, outside, raise_for

__all__ = [
    "FEATURES",
    "OUTPUT_FEATURES",
    "DriftDetector",
    "QualityDetector",
    "ServiceDetector",
    "Verdict",
    "compare_canary",
    "input_statistics",
    "output_statistics",
]

SLOW_SHARE = 0.05
"""Share of answers that may be slower than the latency limit: the limit is one on the 95 % quantile."""

MINIMUM_OBJECTS = 10
"""True objects below which quality is not judged: the bootstrap of one object knows no uncertainty."""


class Answered(Protocol):
    """What `compare_canary` needs of an answer: HTTP status (0: none at all) and seconds waited."""

    @property
    def status(self) -> int: ...

    @property
    def seconds(self) -> float: ...


class ServiceDetector:
    """Does the service keep its level? Exact tests of failures and of slow answers, window by window.

    A request fails that got no answer (status 0) or one of 500 and above; an answer of 4xx is the
    client's fault. An answer is slow that took longer than the limit; a request without an answer of
    200 has no latency. Each of both shares is tested against its limit (binomial, one-sided) at half
    the stated rate.

    Parameters
    ----------
    error_limit : float
        Share of requests that may fail, 0 to 1.
    latency_limit_s : float
        Seconds that the 95 % quantile of latency may reach.
    false_alarms_per_window : float
        Upper bound of the alarms per window while both shares are at their limit; with both well
        below, alarms are rarer by orders of magnitude.

    Raises
    ------
    InputError
        Arguments out of range.
    """

    def __init__(self, error_limit: float, latency_limit_s: float, false_alarms_per_window: float) -> None:
        raise_for(
            "The service detector cannot be set up",
            outside("error_limit", error_limit, 0, 1),
            outside("latency_limit_s", latency_limit_s, 0, np.inf),
            outside("false_alarms_per_window", false_alarms_per_window, 1e-9, 0.5),
        )
        self.error_limit = float(error_limit)
        self.latency_limit_s = float(latency_limit_s)
        self.false_alarms_per_window = float(false_alarms_per_window)

    def update(self, statuses: Sequence[int], latencies_s: Sequence[float]) -> Verdict:
        """Judge one window; windows before it play no part.

        Returns
        -------
        Verdict
            ``statistic`` is the larger -log10 p-value of the two tests; above ``limit`` alarms.
            ``contributions``: ``error_share``, ``slow_share`` and ``latency_p95_s``, the last two only
            where there were answers.

        Raises
        ------
        InputError
            Statuses and latencies of unequal number, or an answer of 200 without a time.
        """
        status, seconds = _check_answers(statuses, latencies_s)
        answered = seconds[status == 200]
        failures, slow = int(_failed(status).sum()), int((answered > self.latency_limit_s).sum())
        limit = -np.log10(self.false_alarms_per_window / 2)
        errors = _surprise(stats.binom.logsf(failures - 1, len(status), self.error_limit) if len(status) else 0.0)
        delays = _surprise(stats.binom.logsf(slow - 1, len(answered), SLOW_SHARE) if len(answered) else 0.0)
        findings = []
        if errors > limit:
            findings.append(f"{failures} of {len(status)} requests failed")
        if delays > limit:
            findings.append(f"{slow} of {len(answered)} answers took longer than {self.latency_limit_s:g} s")
        contributions = {"error_share": failures / len(status)} if len(status) else {}
        if len(answered):
            contributions["slow_share"] = slow / len(answered)
            contributions["latency_p95_s"] = float(np.quantile(answered, 1 - SLOW_SHARE))
        reason = "; ".join(findings) or ("within the service level" if len(status) else "no request in the window")
        return Verdict(bool(findings), max(errors, delays), float(limit), reason, contributions)


def compare_canary(
    stable: Sequence[Answered], candidate: Sequence[Answered], *, slowdown: float, false_alarms: float
) -> Verdict:
    """Is the candidate worse in service than what it is to replace, on the same traffic?

    Failures are compared by Fisher's exact test, latencies of answers by the Mann–Whitney test against
    the stable ones times ``slowdown``; each one-sided, at half of ``false_alarms``.

    Parameters
    ----------
    stable, candidate : sequence of answers
        With ``status`` and ``seconds`` as in `ServiceDetector`.
    slowdown : float
        Factor by which the candidate may be slower; 1.5 is half as slow again.
    false_alarms : float
        Upper bound of the probability of an alarm where the candidate fails no more often and is
        slower by no more than the factor.

    Returns
    -------
    Verdict
        ``statistic`` is the larger -log10 p-value; above ``limit`` alarms. ``contributions``: error shares
        and median latencies of both, where there are any. Where one side has no requests there is no comparison and
        no alarm; the reason says so, and the caller decides whether that may pass.
    """
    raise_for(
        "The canary cannot be compared",
        outside("slowdown", slowdown, 1, np.inf),
        outside("false_alarms", false_alarms, 1e-9, 0.5),
    )
    sides = [_check_answers([a.status for a in side], [a.seconds for a in side]) for side in (stable, candidate)]
    (old, new), (old_s, new_s) = zip(*((status, seconds[status == 200]) for status, seconds in sides), strict=True)
    failures = [int(_failed(status).sum()) for status in (old, new)]
    contributions = {}
    for name, status, seconds, failed in zip(
        ("stable", "candidate"), (old, new), (old_s, new_s), failures, strict=True
    ):
        contributions |= {f"{name}_error_share": failed / len(status)} if len(status) else {}
        contributions |= {f"{name}_latency_s": float(np.median(seconds))} if len(seconds) else {}
    limit = float(-np.log10(false_alarms / 2))
    if not len(old) or not len(new):
        return Verdict(False, 0.0, limit, "nothing to compare: one side had no requests", contributions)
    total, failed = len(old) + len(new), sum(failures)
    errors = _surprise(stats.hypergeom.logsf(failures[1] - 1, total, failed, len(new)))
    delays = 0.0
    if len(old_s) and len(new_s):
        delays = _surprise(np.log(stats.mannwhitneyu(new_s, slowdown * old_s, alternative="greater").pvalue))
    findings = []
    if errors > limit:
        findings.append(f"{failures[1]} of {len(new)} requests failed, {failures[0]} of {len(old)} before")
    if delays > limit:
        findings.append(
            "median latency {candidate_latency_s:.3f} s, {stable_latency_s:.3f} s before".format(**contributions)
        )
    return Verdict(
        bool(findings), max(errors, delays), limit, "; ".join(findings) or "no worse than before", contributions
    )


class QualityDetector:
    """Is the model still good? mAP50 over the last labelled windows, with its bootstrap interval, against a target.

    Alarms when even the upper bound lies below the target. The percentile bootstrap is approximate and windows
    overlap, so the rates are found by simulation, for two or three windows of 24 images, six classes and
    a 95 % interval: with the true mAP50 at the target, 1 to 4 % of windows alarm (2.5 % would be exact)
    and they come in runs; with it 0.1 above, fewer than 2 in 1,000 (none was seen in 2,240). With it
    0.1 below, a window alarms in 4 to 7 of 10 cases; 0.2 below, nearly always.

    Parameters
    ----------
    target : float
        mAP50 that production must keep, 0 to 1.
    windows : int
        Labelled windows that count: the newest ones.
    minimum_images : int
        Labelled images below which nothing is said; the bootstrap of a handful of images is too narrow.
    confidence : float
        Of the two-sided percentile interval over images.
    resamples, seed : int
        Of the bootstrap. Same windows, same verdict.

    Raises
    ------
    InputError
        Arguments out of range.
    """

    def __init__(
        self,
        target: float,
        *,
        windows: int = 3,
        minimum_images: int = 48,
        confidence: float = 0.95,
        resamples: int = 400,
        seed: int = 0,
    ) -> None:
        raise_for(
            "The quality detector cannot be set up",
            outside("target", target, 0, 1),
            outside("windows", windows, 1, np.inf),
            outside("minimum_images", minimum_images, 2, np.inf),
            outside("confidence", confidence, 0.5, 0.9999),
            outside("resamples", resamples, 50, np.inf),
        )
        self.target = float(target)
        self.minimum_images = int(minimum_images)
        self.confidence = float(confidence)
        self.resamples = int(resamples)
        self._seed = int(seed)
        self._windows: deque[Matches] = deque(maxlen=int(windows))

    def reset(self) -> None:
        """Forget the labelled windows: call it when another model serves, whose quality they do not tell."""
        self._windows.clear()

    def update(self, matches: Matches) -> Verdict:
        """Take in the labelled images of one window.

        Returns
        -------
        Verdict
            ``statistic`` is the interval's upper bound; below ``limit``, the target, alarms.
            ``contributions``: ``map50``, ``low``, ``high``, ``images``. Without enough images, or
            with fewer than `MINIMUM_OBJECTS` true objects among them, there is no alarm, the
            statistic is 1, and the reason says so.
        """
        if matches.images:
            self._windows.append(matches)
        pooled = pool(self._windows) if self._windows else matches
        if pooled.images < self.minimum_images or pooled.truth.sum() < MINIMUM_OBJECTS:
            objects = int(pooled.truth.sum())
            reason = f"too little to judge by: {pooled.images} labelled images with {objects} objects"
            return Verdict(False, 1.0, self.target, reason, {"images": float(pooled.images)})
        rng = np.random.default_rng(self._seed)
        found = compute_map_interval(pooled, self.resamples, rng, self.confidence)
        alarm = found.high < self.target
        reason = f"mAP50 {found.value:.3f} ({found.low:.3f} to {found.high:.3f}) on {pooled.images} labelled images"
        contributions = {"map50": found.value, "low": found.low, "high": found.high, "images": float(pooled.images)}
        return Verdict(alarm, found.high, self.target, reason, contributions)


def _check_answers(statuses: Sequence[int], seconds: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    status, waited = np.asarray(statuses, dtype=int).reshape(-1), np.asarray(seconds, dtype=float).reshape(-1)
    if len(status) != len(waited):
        what = f"{len(status)} statuses and {len(waited)} latencies"
        raise InputError("Answers cannot be judged", [Problem("window", what, "pass both for every request")])
    if len(lost := np.flatnonzero((status == 200) & ~np.isfinite(waited))):
        what = f"answers of 200 without a time: {', '.join(map(str, lost[:10]))}"
        raise InputError("Answers cannot be judged", [Problem("latencies_s", what)])
    return status, waited


def _failed(status: np.ndarray) -> np.ndarray:
    return (status == 0) | (status >= 500)


def _surprise(log_p: float) -> float:
    """-log10 of a p-value given as its natural logarithm, capped so that it stays a number in a log."""
    return float(np.clip(-log_p / np.log(10), 0.0, 300.0))
