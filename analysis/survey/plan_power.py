"""What a plan could find: for each hypothesis, the smallest effect that its test would show with the wanted power.

The level is that of the first step of the correction within the family (the level over the number of hypotheses), so
that the statement holds whatever the others in the family do. Power is worked out from the design alone, never from an
effect that was found.
"""

from __future__ import annotations

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.stats.power import (
    Power,
    detectable_effect,
    power_chi_square,
    power_correlation,
    power_mann_whitney,
    power_share,
    power_signed_rank,
)
from analysis.survey.instrument import Instrument
from analysis.survey.plan import AnalysisPlan, Hypothesis, answers_of

_ALMOST = 1 - 1e-6


def compute_detectable(
    plan: AnalysisPlan, instrument: Instrument, *, n: int | None = None, group_share: float = 0.5
) -> pd.DataFrame:
    """The effect that each hypothesis' test detects with the plan's power.

    Parameters
    ----------
    plan : AnalysisPlan
    instrument : Instrument
    n : int, optional
        Respondents; as many as planned unless told otherwise.
    group_share : float
        Share of either group where two are compared.

    Returns
    -------
    DataFrame
        ``hypothesis``, ``design``, ``n``, ``level``, ``power``, ``effect`` (in the measure of the design: a share,
        Cliff's delta, tau-b, rank-biserial, w or V), ``method``. For tau-b it is the power of Pearson's correlation.

    Raises
    ------
    InputError
        A share of a group outside (0, 1).
    """
    if not 0 < group_share < 1:
        problem = Problem("group_share", f"got {group_share}", "between 0 and 1")
        raise InputError("There are no such groups.", [problem])
    size = plan.planned_n if n is None else n
    rows = []
    for family in plan.families:
        level = plan.level / len(family.hypotheses)
        for one in family.hypotheses:
            effect, found = _detect(plan, one, instrument, size, level, min(group_share, 1 - group_share))
            rows.append((one.id, one.design, size, level, plan.power, effect, found.method))
    return pd.DataFrame(rows, columns=["hypothesis", "design", "n", "level", "power", "effect", "method"])


def _detect(
    plan: AnalysisPlan, one: Hypothesis, instrument: Instrument, n: int, level: float, smaller: float
) -> tuple[float, Power]:
    sides = "two-sided" if one.alternative == "two-sided" else "one-sided"
    options = {"power": plan.power, "level": level}
    if one.design == "share":
        reach = (one.against if one.alternative == "less" else 1 - one.against) * _ALMOST
        found = detectable_effect(
            power_share, n, between=(1e-9, reach), null=one.against, sides=sides, method="normal", **options
        )
        return one.against + (-found.effect if one.alternative == "less" else found.effect), found
    if one.design == "groups":
        least = max(2, round(n * smaller))
        found = detectable_effect(
            power_mann_whitney, least, between=(0.5, _ALMOST), ratio=(n - least) / least, sides=sides, **options
        )
        return 2 * found.effect - 1, found
    if one.design == "paired":
        found = detectable_effect(power_signed_rank, n, between=(0.5, _ALMOST), sides=sides, **options)
        return 2 * found.effect - 1, found
    if one.design == "trend":
        found = detectable_effect(power_correlation, n, between=(0, _ALMOST), sides=sides, method="fisher", **options)
        return found.effect, found
    rows, columns = len(answers_of(instrument.question(one.outcome))), 2
    if one.design == "association":
        columns = len(answers_of(instrument.question(one.by)))
    df = rows - 1 if one.design == "fit" else (rows - 1) * (columns - 1)
    found = detectable_effect(power_chi_square, n, between=(1e-9, 5.0), df=df, **options)
    scale = 1.0 if one.design == "fit" else min(rows, columns) - 1
    return found.effect / scale**0.5, found
