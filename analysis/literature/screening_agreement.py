"""How far reviewers agree who screened the same records without seeing each other.

Only records that two reviewers or more decided on count: agreement is a matter of the overlap, however small a part of
all records it is. Adjudications are no readings and never enter.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.literature.ledger import ARMS, STAGES, Screening
from analysis.literature.ledger_rules import READING
from analysis.stats.agreement import compute_cohen_kappa, compute_gwet_ac, compute_percent_agreement
from analysis.stats.krippendorff_alpha import compute_krippendorff_alpha

UNSURE: dict[str, tuple[str, ...]] = {
    "category": ("include", "exclude", "unsure"),
    "include": ("include", "exclude"),
}
"""What an unsure decision counts as → the decisions that can occur: its own, or passing the record on."""

COEFFICIENTS = {
    "percent": "Percent agreement",
    "cohen": "Cohen's kappa",
    "ac1": "Gwet's AC1",
    "alpha": "Krippendorff's alpha",
}
"""Coefficients, and as printed."""


def overlap_decisions(screening: Screening, stage: str, *, unsure: str, arm: str | None = None) -> pd.DataFrame:
    """Decisions on the records of a stage that two reviewers or more read.

    Parameters
    ----------
    screening : Screening
    stage : str
        One of `STAGES`.
    unsure : {"category", "include"}
        See `UNSURE`.
    arm : str, optional
        One of `ARMS`; all by default.

    Returns
    -------
    DataFrame
        Records (in the order of ids) × reviewers; empty where a reviewer did not read the record. The order of the
        reviewers follows from their decisions, so that a change of names changes no result.

    Raises
    ------
    InputError
        Unknown stage, arm or treatment of unsure decisions, or no record that two reviewers read.
    """
    problems = [
        Problem(name, f"got '{got}'", f"one of: {', '.join(known)}")
        for name, got, known in (("stage", stage, STAGES), ("unsure", unsure, UNSURE), ("arm", arm or "other", ARMS))
        if got not in known
    ]
    if problems:
        raise InputError("Agreement cannot be estimated.", problems)
    rows = screening.decisions
    rows = rows[(rows["stage"] == stage) & (rows["role"] == READING)]
    if arm is not None:
        rows = rows[rows["record"].isin(screening.works.loc[screening.works["arm"] == arm, "record"])]
    rows = rows[rows["record"].duplicated(keep=False)]
    if rows.empty:
        where = STAGES[stage].lower() + (f", {ARMS[arm].lower()}" if arm else "")
        problem = Problem(where, "no record was read by two reviewers", "assign an overlap")
        raise InputError("There is nothing to agree on.", [problem])
    decisions = rows["decision"].astype("object")
    if unsure == "include":
        decisions = decisions.replace("unsure", "include")
    table = rows.assign(decision=decisions).pivot(index="record", columns="reviewer", values="decision").sort_index()
    content = {name: tuple(table[name].fillna("").astype(str)) for name in table}
    return table[sorted(table, key=lambda name: content[name], reverse=True)].astype("object")


def compute_screening_agreement(
    screening: Screening,
    stage: str,
    *,
    unsure: str,
    arm: str | None = None,
    method: str,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 9999,
) -> dict[str, Estimate]:
    """Percent agreement, Cohen's kappa, AC1 and Krippendorff's alpha on the overlap of a stage.

    Parameters
    ----------
    screening, stage, unsure, arm
        As in `overlap_decisions`.
    method : {"percentile", "bca"}
        Bootstrap over records.
    rng : numpy Generator
    confidence : float
    resamples : int

    Returns
    -------
    dict of str to Estimate
        ``percent``, ``cohen`` (two reviewers only; see `compute_pairwise_kappa`), ``ac1``, ``alpha``. AC1 takes all
        decisions that could have been made as categories. A coefficient that is 0/0, because all decisions are the
        same, is there with the value NaN and the reason as its method.

    Raises
    ------
    InputError
        As in `overlap_decisions`, or an unknown method or confidence.
    """
    codings = overlap_decisions(screening, stage, unsure=unsure, arm=arm)
    options = {"method": method, "rng": rng, "resamples": resamples}
    categories = UNSURE[unsure]
    same = len(set(codings.stack())) == 1
    result = {"percent": compute_percent_agreement(codings, confidence, **options)}
    if codings.shape[1] == 2:
        result["cohen"] = _undefined("Cohen's kappa", codings) if same else compute_cohen_kappa(
            codings, confidence, categories=categories, **options)  # fmt: skip
    result["ac1"] = compute_gwet_ac(codings, confidence, categories=categories, **options)
    result["alpha"] = _undefined("Krippendorff's alpha", codings) if same else compute_krippendorff_alpha(
        codings, confidence, level="nominal", **options)  # fmt: skip
    return result


def compute_pairwise_kappa(
    screening: Screening,
    stage: str,
    *,
    unsure: str,
    method: str,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 9999,
) -> pd.DataFrame:
    """Cohen's kappa of every two reviewers that read records in common.

    Returns
    -------
    DataFrame
        ``first``, ``second`` (reviewers), ``records`` (read by both), ``kappa``, ``low``, ``high``; kappa is missing
        where the two made one and the same decision throughout.

    Raises
    ------
    InputError
        As in `overlap_decisions`.
    """
    codings = overlap_decisions(screening, stage, unsure=unsure)
    rows = []
    for first, second in combinations(codings, 2):
        both = codings[[first, second]].dropna()
        if both.empty:
            continue
        if len(set(both.stack())) == 1:
            kappa = _undefined("Cohen's kappa", both)
        else:
            kappa = compute_cohen_kappa(
                both, confidence, method=method, categories=UNSURE[unsure], rng=rng, resamples=resamples
            )
        rows.append((first, second, len(both), kappa.value, kappa.low, kappa.high))
    table = pd.DataFrame(rows, columns=["first", "second", "records", "kappa", "low", "high"])
    return table.astype({"kappa": "float64", "low": "float64", "high": "float64"})


def build_agreement_table(agreement: dict[str, Estimate], digits: int = 2) -> pd.DataFrame:
    """Agreement as printed: Coefficient, Value, Interval, Records."""
    rows = []
    for name, estimate in agreement.items():
        known = not np.isnan(estimate.value)
        places = 1 if estimate.unit == "share" else digits
        rows.append(
            (
                COEFFICIENTS[name],
                estimate.text(places) if known else "undefined",
                estimate.interval_text(places) if known else "all decisions are the same",
                estimate.n,
            )
        )
    return pd.DataFrame(rows, columns=["Coefficient", "Value", "Interval", "Records"])


def _undefined(name: str, codings: pd.DataFrame) -> Estimate:
    return Estimate(float("nan"), n=len(codings), method=f"{name}: undefined, all decisions are the same")
