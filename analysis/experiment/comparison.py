"""The arms compared in pairs: what one does on a seed minus what another does on the same seed.

The contrasts and the primary outcomes were declared before the first run (`CONTRASTS` here, `PRIMARY` in
`analysis.experiment.outcomes`); Holm's rule corrects over all of these together. Everything else is
described and not tested. Shares are compared in percentage points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, format_value
from analysis.experiment.outcomes import OUTCOMES, PRIMARY
from analysis.stats.paired import bootstrap_mean_interval, hodges_lehmann_paired, holm, needed_pairs, sign_flip_test

CONTRASTS: tuple[tuple[str, str], ...] = (("mlops", "manual"), ("devops", "manual"), ("mlops", "devops"))
"""First arm minus second arm; declared beforehand."""

DIGITS: dict[str, int] = {"mean_map50": 3, "deployments_per_week": 2}
"""Decimals of an outcome; one where none are given."""


def compare_arms(
    outcomes: pd.DataFrame,
    confidence: float = 0.95,
    contrasts: Sequence[tuple[str, str]] = CONTRASTS,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Every outcome in every contrast, over the seeds that both arms of it share.

    Parameters
    ----------
    outcomes : DataFrame
        From `analysis.experiment.outcomes.compute_outcomes`.
    confidence : float
        Coverage of the intervals, and one minus the level that corrected p-values are held against.
    contrasts : sequence of (str, str)
    rng : numpy Generator, optional
        For the sign-flip test of more pairs than can be counted out; seeded with 1 by default.

    Returns
    -------
    DataFrame
        One row an outcome and contrast: ``outcome``, ``first``, ``second``, ``primary``, ``pairs``, ``left_out``
        (seeds on which one of the two arms has nothing to measure), ``shift`` (`Estimate` by Hodges and Lehmann;
        without bounds where there are too few pairs; None without any), ``p_value`` and ``p_holm`` (missing for
        outcomes that are not primary), ``smallest_p`` (that so many pairs could give), ``same_sign`` (pairs whose
        difference has the sign of the shift), ``differences`` (tuple, in order of seeds).

    Raises
    ------
    InputError
        An arm of a contrast, or an outcome, is not in the table; or an arm has a seed twice.
    """
    _check(outcomes, contrasts)
    generator = rng or np.random.default_rng(1)
    rows = []
    for outcome, (_, unit) in OUTCOMES.items():
        table = outcomes.pivot(index="seed", columns="arm", values=outcome).sort_index()
        factor = 100.0 if unit == "share" else 1.0
        for first, second in contrasts:
            both = table[[first, second]].dropna()
            row = {
                "outcome": outcome,
                "first": first,
                "second": second,
                "primary": outcome in PRIMARY,
                "pairs": len(both),
                "left_out": len(table) - len(both),
                "shift": None,
                "p_value": np.nan,
                "smallest_p": np.nan,
                "same_sign": 0,
                "differences": (),
            }
            if len(both):
                x, y = factor * both[first].to_numpy(), factor * both[second].to_numpy()
                shift = hodges_lehmann_paired(x, y, confidence, unit=difference_unit(unit))
                row["shift"] = shift
                row["same_sign"] = int((np.sign(x - y) == np.sign(shift.value)).sum())
                row["differences"] = tuple(float(value) for value in x - y)
                if row["primary"]:
                    test = sign_flip_test(x - y, "two-sided", rng=generator)
                    row |= {"p_value": test.p_value, "smallest_p": test.smallest_p}
            rows.append(row)
    frame = pd.DataFrame(rows)
    frame["p_holm"] = np.nan
    tested = frame["p_value"].notna()
    if tested.any():
        frame.loc[tested, "p_holm"] = holm(frame.loc[tested, "p_value"].tolist())
    frame.attrs["confidence"] = confidence
    return frame


def difference_unit(unit: str) -> str:
    """Unit of a difference of values with ``unit``."""
    return "percentage points" if unit == "share" else unit


def compute_arm_mean(
    outcomes: pd.DataFrame, arm: str, outcome: str, confidence: float = 0.95, rng: np.random.Generator | None = None
) -> Estimate | None:
    """Mean of an outcome over the seeds of an arm, with its BCa bootstrap interval; None without any value.

    Without bounds where there are too few seeds for an interval.
    """
    values = outcomes.loc[outcomes["arm"] == arm, outcome].dropna().tolist()
    if not values:
        return None
    generator = rng or np.random.default_rng(1)
    return bootstrap_mean_interval(values, confidence, method="bca", rng=generator, unit=OUTCOMES[outcome][1])


def describe_shift(row: pd.Series, confidence: float) -> str:
    """A shift in words and figures, with its interval or with why there is none."""
    shift, outcome = row["shift"], row["outcome"]
    if shift is None:
        return "nothing to compare"
    digits = DIGITS.get(outcome, 1)
    value = format_value(shift.value, "", digits)
    value = value if value.startswith("-") or float(value.replace(",", "")) == 0 else f"+{value}"
    text = f"{value} {shift.unit}".rstrip()
    if shift.low is None:
        return f"{text} (no interval: it takes {needed_pairs(confidence)} pairs of seeds, there are {shift.n})"
    bounds = replace(shift, unit="").interval_text(digits)
    return f"{text} ({100 * confidence:g}% interval {bounds})"


def describe_finding(row: pd.Series, confidence: float) -> str:
    """What a primary contrast shows: direction, and how firm it is after Holm's correction."""
    shift, level = row["shift"], 1 - confidence
    if shift is None:
        return "not comparable"
    if shift.value == 0:
        return "equal in the middle of the seeds"
    direction = "lower" if shift.value < 0 else "higher"
    if row["p_holm"] <= level:
        return f"{direction}, and more clearly so than chance explains after correction"
    if row["smallest_p"] > level:
        return f"{direction} in the recorded seeds, which are too few for any test to be decisive"
    return f"{direction} in the recorded seeds, but not beyond what chance explains after correction"


def select_contrast(comparisons: pd.DataFrame, outcome: str, first: str, second: str) -> pd.Series:
    """The one row of `compare_arms` for this outcome and contrast."""
    chosen = comparisons[
        (comparisons["outcome"] == outcome) & (comparisons["first"] == first) & (comparisons["second"] == second)
    ]
    if len(chosen) != 1:
        problem = Problem(f"{outcome}, {first} minus {second}", "not compared", "see CONTRASTS and OUTCOMES")
        raise InputError("There is no such comparison.", [problem])
    return chosen.iloc[0]


def count_tests(comparisons: pd.DataFrame) -> dict[str, int]:
    """How many tests were declared, and in how many the corrected p-value stays at or below the level.

    Returns
    -------
    dict
        ``tests``, ``rejected``.
    """
    level = 1 - comparisons.attrs["confidence"]
    tested = comparisons[comparisons["p_holm"].notna()]
    return {"tests": len(tested), "rejected": int((tested["p_holm"] <= level).sum())}


def compare_directions(recorded: pd.DataFrame, live: pd.DataFrame) -> dict[str, int]:
    """Whether the primary shifts of two runs point the same way.

    Returns
    -------
    dict
        ``compared`` (contrasts that both runs have and whose shift is not zero in the first), ``agree``.
    """
    keys = ["outcome", "first", "second"]
    joined = recorded[recorded["primary"]].merge(live, on=keys, suffixes=("", "_live"))
    pairs = [
        (a.value, b.value)
        for a, b in zip(joined["shift"], joined["shift_live"], strict=True)
        if a is not None and b is not None and a.value != 0
    ]
    return {"compared": len(pairs), "agree": sum(a * b > 0 for a, b in pairs)}


def _check(outcomes: pd.DataFrame, contrasts: Sequence[tuple[str, str]]) -> None:
    problems = [
        Problem("outcomes", f"no column '{name}'", "take the table from compute_outcomes")
        for name in ("arm", "seed", *OUTCOMES)
        if name not in outcomes.columns
    ]
    if not problems:
        arms = set(outcomes["arm"])
        missing = dict.fromkeys(arm for contrast in contrasts for arm in contrast if arm not in arms)
        known = ", ".join(sorted(arms)) or "none"
        problems += [
            Problem("outcomes", f"no arm '{arm}'; it has: {known}", "compare a run with every declared arm")
            for arm in missing
        ]
        twice = outcomes[outcomes.duplicated(["arm", "seed"])]
        problems += [
            Problem("outcomes", f"{row.arm}, seed {row.seed} comes twice", "one row an arm-run")
            for row in twice.itertuples()
        ]
    if problems:
        raise InputError("These arms cannot be compared.", problems)
