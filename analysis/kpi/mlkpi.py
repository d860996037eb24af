"""Metrics of the delivery and operation of models, each with interval, n and method, from an event log.

Definitions, formulas and rules for what is missing stand in ``data/kpi/ml_metrics.csv``, the table that the thesis
prints; `analysis.kpi.ml_facts` and `analysis.kpi.ml_models` say how the log is read. What is still open when the log
ends is censored, never dropped and never taken for finished; where nothing happened there is no value, and no zero.

Times to detect and to restore, and lead times, are Kaplan–Meier medians: that takes what cuts them short to have
nothing to do with how long they would have been. A degradation that ended unnoticed could never be noticed any more;
the share noticed stands in the note, so that a short time to detect the few that were noticed does not mislead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pandas as pd
import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.base.tables import load_table
from analysis.kpi.dora import COLUMNS
from analysis.kpi.events import PRODUCTION, EventLog
from analysis.kpi.ml_facts import (
    MlEvents,
    collect_ml_events,
    compute_degradations,
    compute_labellings,
    compute_stretches,
    count_steps,
)
from analysis.kpi.ml_models import compute_batches, compute_candidates, compute_models_in_use, compute_trainings
from analysis.stats.cells import choose_width, integrate_cells
from analysis.stats.intervals import compute_share
from analysis.stats.quantiles import compute_quantile
from analysis.stats.ratios import block_bootstrap_ratio, fieller_ratio
from analysis.stats.survival import compute_kaplan_meier, compute_survival_quantile

QUANTILES = {"": 0.5, "_p90": 0.9}
"""Suffix of a duration's key → its quantile."""

REUSED = "measured seconds may repeat work that was reused: a log counts them wherever they were used"

ALL = "all"
"""Service or period where none is told apart."""

GROUPINGS = ("service",)


@cache
def load_ml_metrics() -> pd.DataFrame:
    """The table of definitions, ``data/kpi/ml_metrics.csv``, by ``key``."""
    return load_table("kpi/ml_metrics.csv").set_index("key", drop=False)


def compute_ml_kpis(
    log: EventLog,
    *,
    by: Sequence[str] = (),
    confidence: float = 0.95,
    production: Sequence[str] = PRODUCTION,
    rng: np.random.Generator | None = None,
    resamples: int = 1999,
) -> pd.DataFrame:
    """All metrics of ``data/kpi/ml_metrics.csv``, and the 90 % quantiles of durations.

    Parameters
    ----------
    log : EventLog
        One system; the arm-runs of an experiment are logs of their own.
    by : sequence of {"service"}
        What to tell apart; otherwise the time and the cases of all services are added up.
    confidence : float
    production : sequence of str
        Names of the production environment; events without environment are production's.
    rng : numpy Generator, optional
        For intervals of shares of time; seeded with 1 by default.
    resamples : int
        Of these.

    Returns
    -------
    DataFrame
        One row a metric (and service), with the columns of `analysis.kpi.dora.COLUMNS`: ``value`` is missing where
        there is nothing to measure, bounds where there is no interval, and ``method`` and ``note`` say why. ``period``
        is "all"; ``n`` is what the value rests on (degradations, cells of time with something observed, batches,
        models, steps).

    Raises
    ------
    InputError
        An unknown grouping, or a log that covers no time.
    """
    wrong = [item for item in by if item not in GROUPINGS]
    if wrong:
        what = f"got {', '.join(map(repr, wrong))}"
        raise InputError("No such grouping.", [Problem("by", what, f"some of: {', '.join(GROUPINGS)}")])
    events = collect_ml_events(log, production)
    generator = rng or np.random.default_rng(1)
    groups = [(name, events.of_service(name)) for name in events.services] if by else [(ALL, events)]
    rows = []
    for service, part in groups:
        for key, estimate, note in _metrics(part, confidence, generator, resamples):
            rows.append(_row(key, service, estimate, note))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _metrics(events: MlEvents, confidence: float, rng: np.random.Generator, resamples: int):
    """Key, estimate (None without a value) and note of every metric, in the order of the table."""
    trainings = compute_trainings(events)

    def over_time(over: np.ndarray, under: np.ndarray, unit: str) -> Estimate | None:
        if not under.sum() > 0:
            return None
        return block_bootstrap_ratio(over, under, confidence, rng=rng, resamples=resamples, unit=unit)

    yield from _degradation_times(events, confidence)
    yield from _shares_of_time(events, over_time)
    batches = compute_batches(events, trainings)
    note = _count_note(int((~batches["censored"]).sum()), len(batches), "batches in use")
    yield from _durations("training_lead_h", batches["hours"], batches["censored"], note, confidence)
    yield from _labelling(events, confidence)
    yield from _ages(events, compute_models_in_use(events, trainings), over_time)
    yield from _rates(events, trainings, confidence)
    yield _computing(trainings, confidence)


def _degradation_times(events: MlEvents, confidence: float):
    found = compute_degradations(events)
    source = "" if len(events.of_type("degradation.started")) else "from observations below the service level"
    note = _count_note(int(found["noticed"].sum()), len(found), "degradations noticed")
    note = "; ".join(filter(None, (note, source if len(found) else "")))
    yield from _durations("time_to_detect_h", found["detect_hours"], ~found["noticed"], note, confidence)
    note = _count_note(int((~found["censored"]).sum()), len(found), "degradations over")
    note = "; ".join(filter(None, (note, source if len(found) else "")))
    yield from _durations("time_to_restore_h", found["hours"], found["censored"], note, confidence)


def _durations(key: str, hours: pl.Series, censored: pl.Series, note: str, confidence: float):
    times, open_ = hours.to_numpy(), censored.to_numpy()
    ends = compute_kaplan_meier(times, open_, confidence)["survival"] if len(hours) else pd.Series(dtype=float)
    for suffix, quantile in QUANTILES.items():
        estimate = None
        if len(ends) and ends.min() <= 1 - quantile + 1e-9:
            estimate = compute_survival_quantile(times, open_, quantile, confidence, unit="h")
        elif len(hours):
            method = f"Kaplan–Meier {100 * quantile:g}% quantile; the curve never gets there"
            estimate = Estimate(float("nan"), n=len(hours), method=method, unit="h")
        yield key + suffix, estimate, note


def compute_time_shares(events: MlEvents, width: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Shares of observed time, in cells of ``width`` hours: key of the metric → numerators and denominators, in hours.

    What holds at the begin of the log was observed before it, if it was; what holds at its end is cut there.
    """
    held = compute_stretches(events)
    failed, judged = (held["outcome"] == "failure").fill_null(False), held["outcome"].is_not_null()
    value, target = held["value"].fill_nan(None), held["target"].fill_nan(None)
    compared = value.is_not_null() & (target > 0).fill_null(False)
    below = compared & (value < target).fill_null(False)
    share = (value / target).clip(0.0, 1.0).fill_null(0.0)
    # Failing while quality is where it should be, or unknown: something else is broken, and the time is worth nothing.
    known = compared | (failed & value.is_null() & (target > 0).fill_null(True))
    credit = share * (known & ~(failed & ~below)).cast(pl.Float64)
    starts, ends = held["start_h"].to_numpy(), held["end_h"].to_numpy()

    def cells(amount: pl.Series) -> np.ndarray:
        amounts = amount.cast(pl.Float64).to_numpy()
        return integrate_cells(starts, ends, amounts, length=max(events.hours, 1e-9), width=width)

    return {
        "time_degraded_share": (cells(failed), cells(judged)),
        "time_below_target_share": (cells(below), cells(compared)),
        "quality_weighted_uptime": (cells(credit), cells(known)),
    }


def _shares_of_time(events: MlEvents, over_time: Callable[[np.ndarray, np.ndarray, str], Estimate | None]):
    whole = max(events.hours, 1e-9) * max(1, events.observations["service"].n_unique())
    for key, (over, under) in compute_time_shares(events, choose_width(events.hours)).items():
        hours = float(under.sum())
        note = f"{hours:.1f} h observed, {100 * hours / whole:.0f}% of the log" if hours > 0 else ""
        yield key, over_time(over, under, "share"), note


def _labelling(events: MlEvents, confidence: float):
    hours = compute_labellings(events)["hours"].sort()
    for suffix, quantile in QUANTILES.items():
        estimate = (
            compute_quantile(hours.to_numpy(), quantile, confidence, unit="h", ordered=True) if len(hours) else None
        )
        yield f"labelling_lead_h{suffix}", estimate, ""


def _ages(events: MlEvents, models: pl.DataFrame, over_time: Callable[[np.ndarray, np.ndarray, str], Estimate | None]):
    whole = max(events.hours, 1e-9)
    width = choose_width(events.hours)
    for key, origin in (("model_age_h", "since_h"), ("model_data_age_h", "data_h")):
        known = models.drop_nulls(origin)
        starts, ends = known["start_h"].clip(0.0, whole).to_numpy(), known["end_h"].to_numpy()
        size = {"length": whole, "width": width}
        ages = integrate_cells(starts, ends, starts - known[origin].to_numpy(), 1.0, **size)
        covered = integrate_cells(starts, ends, np.ones(len(starts)), **size)
        note = f"known for {100 * covered.sum() / (whole * max(1, known['service'].n_unique())):.0f}% of the log"
        yield key, over_time(ages, covered, "h"), note if len(known) else ""


def _rates(events: MlEvents, trainings: pl.DataFrame, confidence: float):
    candidates = compute_candidates(events, trainings)
    n = len(candidates)
    failed = int(trainings["failed"].sum()) if len(trainings) else 0
    note = f"{failed} trainings failed and have no model" if failed else ""
    if n and not len(trainings):
        note = "no trainings in the log: of models decided on"
    for key, column in (("promotion_rate", "used"), ("rejection_rate", "rejected")):
        estimate = compute_share(int(candidates[column].sum()), n, confidence, method="wilson") if n else None
        yield key, estimate, note
    automated, people, doubled = count_steps(events)
    steps = automated + people
    note = f"{doubled} reviews logged as steps too count once" if doubled else ""
    estimate = compute_share(automated, steps, confidence, method="wilson") if steps else None
    yield "automated_step_share", estimate, note


def _computing(trainings: pl.DataFrame, confidence: float) -> tuple[str, Estimate | None, str]:
    key = "compute_s_per_promotion"
    timed = trainings.filter(pl.col("seconds").is_not_null() & pl.col("seconds").is_finite())
    if timed.is_empty():
        return key, None, ""
    left_out = len(trainings) - len(timed)
    notes = [REUSED] + ([f"{left_out} trainings without seconds left out"] if left_out else [])
    used = timed["used"].is_not_null().cast(pl.Float64).to_numpy()
    if not used.any():
        notes.insert(0, f"{timed['seconds'].sum():.1f} s of training and no model put into use")
    return key, fieller_ratio(timed["seconds"].to_numpy(), used, confidence, unit="s"), "; ".join(notes)


def _count_note(some: int, n: int, what: str) -> str:
    return f"{some} of {n} {what}" if n else ""


def _row(key: str, service: str, estimate: Estimate | None, note: str) -> dict[str, object]:
    metrics = load_ml_metrics()
    about = metrics.loc[key.removesuffix("_p90")]
    definition = about["definition"]
    if key.endswith("_p90"):
        definition = definition.replace("median hours", "hours that nine of ten do not exceed:", 1)
    row = {"metric": key, "service": service, "period": ALL, "unit": about["unit"], "definition": definition}
    if estimate is None:
        return row | {
            "value": np.nan,
            "low": np.nan,
            "high": np.nan,
            "confidence": np.nan,
            "n": 0,
            "method": "",
            "note": "; ".join(filter(None, ("nothing to measure", note))),
        }
    bound = {
        name: np.nan if (got := getattr(estimate, name)) is None else got for name in ("low", "high", "confidence")
    }
    return row | {"value": estimate.value, "n": estimate.n, "method": estimate.method, "note": note} | bound
