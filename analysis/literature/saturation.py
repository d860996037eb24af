"""Code saturation: would further interviews bring further codes?

The order of interviews is arbitrary, so the curve of codes seen is averaged over random orders and shown with their
spread; the closed form of that average is exact. How many codes were never seen is estimated from those that few
participants gave (`analysis.stats.richness`). Both look at what a document *publishes*: where it prints a selection of
quotations, they speak of that selection, not of the interviews; and they take participants for exchangeable.

The stopping rule is that of Guest, Namey and Chen (2020): codes of the first interviews make the base, and saturation
is reached when the new codes of a run of further interviews are at most a threshold's share of it.

References
----------
Guest G, Namey E, Chen M (2020) A simple method to assess and report thematic saturation in qualitative research. PLoS
ONE 15(5), e0232076.
Hennink MM, Kaiser BN, Marconi VC (2017) Code saturation versus meaning saturation. Qual. Health Res. 27, 591–608.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.literature.codebook import MAX_LEVELS
from analysis.literature.coded import build_code_rows, build_presence, order_of_codes
from analysis.literature.coding import Coding
from analysis.stats.checks import confidence_problems, refuse
from analysis.stats.richness import (
    compute_bootstrap_richness,
    compute_chao2,
    compute_coverage,
    compute_expected_accumulation,
    draw_accumulations,
)


@dataclass(frozen=True, slots=True)
class Unseen:
    """How many codes there may be beside those seen.

    Attributes
    ----------
    participants, codes : int
        Looked at, and seen.
    once, twice : int
        Codes that exactly one participant gave, and exactly two.
    chao2, bootstrap : Estimate
        Estimated number of codes, seen and unseen; ``n`` counts participants. Chao2 is a lower bound.
    unseen : Estimate
        Chao2 less the codes seen.
    coverage : Estimate
        Share of all mentions of codes that the codes seen would take.
    next_new : float
        New codes that the last interview brought, on average over all orders: the next one is expected to bring no
        more.
    """

    participants: int
    codes: int
    once: int
    twice: int
    chao2: Estimate
    bootstrap: Estimate
    unseen: Estimate
    coverage: Estimate
    next_new: float


def build_incidence(
    coding: Coding, *, documents: Sequence[str], level: int = MAX_LEVELS, coder: str = "A"
) -> pd.DataFrame:
    """Which participant gave which code.

    Parameters
    ----------
    coding : Coding
    documents : sequence of str
        Whose participants; those without a coded segment are left out, since nothing of theirs is published.
    level : int
        1 for themes, `MAX_LEVELS` for the codes as they were given.
    coder : str

    Returns
    -------
    DataFrame
        Participants × codes, boolean; participants in the order of ``literature/participants.csv``, codes in that of
        the codebook.

    Raises
    ------
    InputError
        Unknown level, coder or document, or no segment of a participant in the documents.
    """
    rows = build_code_rows(coding, level=level, coder=coder, documents=documents)
    rows = rows[rows["counted"].notna()]
    if rows.empty:
        problem = Problem(
            ", ".join(documents), "no coded segment of a participant", "choose a document with interviews"
        )
        raise InputError("Saturation cannot be judged.", [problem])
    spoke = set(rows["counted"])
    people = [person for person in coding.participants["participant"] if person in spoke]
    return build_presence(rows, people, "counted", order_of_codes(coding, rows))


def compute_saturation(
    incidence: pd.DataFrame, *, rng: np.random.Generator, orders: int = 2000, confidence: float = 0.95
) -> pd.DataFrame:
    """Codes seen, and new codes, by number of interviews.

    Parameters
    ----------
    incidence : DataFrame
        `build_incidence`.
    rng : numpy Generator
    orders : int
        Random orders of the participants.
    confidence : float
        Share of the orders that the band holds, at every number of interviews. It narrows to nothing at the last one,
        where all orders have seen the same: it is the spread between orders, not the uncertainty about interviews
        never made, for which see `compute_unseen`.

    Returns
    -------
    DataFrame
        One row a number of interviews: ``interviews``, ``codes`` (mean over all orders, exact), ``codes_low``,
        ``codes_high``, ``new`` (mean of the codes that this interview adds), ``new_low``, ``new_high``.

    Raises
    ------
    InputError
        No participants, no generator or orders, or confidence outside (0, 1).
    """
    refuse("Saturation cannot be judged.", confidence_problems(confidence))
    seen = incidence.to_numpy(dtype=bool)
    expected = compute_expected_accumulation(seen)
    curves = draw_accumulations(seen, rng, orders)
    steps = np.diff(curves, axis=1, prepend=0)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(curves, tails, axis=0, method="inverted_cdf")
    new_low, new_high = np.quantile(steps, tails, axis=0, method="inverted_cdf")
    return pd.DataFrame(
        {
            "interviews": np.arange(1, len(seen) + 1),
            "codes": expected,
            "codes_low": low.astype(float),
            "codes_high": high.astype(float),
            "new": np.diff(expected, prepend=0.0),
            "new_low": new_low.astype(float),
            "new_high": new_high.astype(float),
        }
    )


def compute_unseen(incidence: pd.DataFrame, confidence: float = 0.95) -> Unseen:
    """Estimate how many codes there are that nobody gave.

    Parameters
    ----------
    incidence : DataFrame
        `build_incidence`.
    confidence : float

    Raises
    ------
    InputError
        No participants or codes, or confidence outside (0, 1).
    """
    seen = incidence.to_numpy(dtype=bool)
    people = len(seen)
    frequencies = seen.sum(axis=0)
    frequencies = frequencies[frequencies > 0]
    chao2 = compute_chao2(frequencies, people, confidence)
    found = len(frequencies)
    low = None if chao2.low is None else chao2.low - found
    high = None if chao2.high is None else chao2.high - found
    once = int((frequencies == 1).sum())
    return Unseen(
        participants=people,
        codes=found,
        once=once,
        twice=int((frequencies == 2).sum()),
        chao2=chao2,
        bootstrap=compute_bootstrap_richness(seen, confidence),
        unseen=replace(chao2, value=chao2.value - found, low=low, high=high, method=f"{chao2.method}, less those seen"),
        coverage=compute_coverage(frequencies, people),
        next_new=once / people,
    )


def compute_stopping_point(
    incidence: pd.DataFrame,
    *,
    base: int = 4,
    run: int = 2,
    threshold: float = 0.05,
    rng: np.random.Generator,
    orders: int = 2000,
    confidence: float = 0.95,
) -> dict[str, float]:
    """Interviews after which the stopping rule of Guest, Namey and Chen would have ended, over random orders.

    Parameters
    ----------
    incidence : DataFrame
        `build_incidence`.
    base, run : int
        Interviews that make the base, and those of a run.
    threshold : float
        Saturation: new codes of the run ≤ threshold × codes of the base.
    rng, orders, confidence
        As in `compute_saturation`.

    Returns
    -------
    dict
        ``reached`` (share of the orders that meet the rule at all), ``median``, ``low``, ``high`` (interviews, the run
        included; infinite where that part of the orders never meets it).

    Raises
    ------
    InputError
        As in `compute_saturation`; base or run below 1, fewer participants than both together, or a threshold outside
        0 to 1.
    """
    people = len(incidence)
    problems = confidence_problems(confidence)
    if base < 1 or run < 1 or base + run > people:
        problems.append(
            Problem("base, run", f"{base} and {run} of {people} participants", "at least 1, together fewer")
        )
    if not 0 <= threshold < 1:
        problems.append(Problem("threshold", f"got {threshold}", "a share, such as 0.05"))
    refuse("The stopping rule cannot be applied.", problems)
    curves = draw_accumulations(incidence.to_numpy(dtype=bool), rng, orders)
    added = curves[:, base + run - 1 :] - curves[:, base - 1 : people - run]
    met = added <= threshold * curves[:, base - 1 : base]
    ends = np.where(met.any(axis=1), base + run + met.argmax(axis=1), np.inf)
    tails = [(1 - confidence) / 2, 0.5, (1 + confidence) / 2]
    low, median, high = np.quantile(ends, tails, method="inverted_cdf")
    return {"reached": float(met.any(axis=1).mean()), "median": float(median), "low": float(low), "high": float(high)}
