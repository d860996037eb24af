"""What a number of answers can show at all, and what those who did not answer could change.

Both are worked out from the design and the published totals, without any assumption about what respondents think.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.base.estimates import Estimate, format_value
from analysis.stats.power import (
    detectable_effect,
    needed_n,
    power_correlation,
    power_mann_whitney,
    power_share,
    power_two_shares,
)
from analysis.stats.selection import bound_share, needed_rate, silent_share, tipping_ratio

_ALMOST = 1 - 1e-6


def compute_reach(group: int, others: int, *, power: float, level: float) -> pd.DataFrame:
    """Smallest effects that respondents in two groups show with a wanted power, in four common designs, two-sided.

    Parameters
    ----------
    group, others : int
        Respondents on either side of a yes-or-no question; together all of them.
    power, level : float
        Chance of finding the effect, and significance level of a single test.

    Returns
    -------
    DataFrame
        ``design``, ``what``, ``null``, ``effect``, ``n``, ``half`` (the effect half as far from the null) and
        ``needed`` (respondents in all that show it, groups in the same proportion). Two shares start from one half.

    Raises
    ------
    InputError
        Groups too small for the wanted power.
    """
    n, least = group + others, min(group, others)
    ratio = max(group, others) / least
    sizes = {"level": level, "power": power}
    share = detectable_effect(power_share, n, between=(1e-9, 0.5 * _ALMOST), null=0.5, method="normal", **sizes)
    shares = detectable_effect(
        power_two_shares, least, between=(1e-9, 0.5 * _ALMOST), base=0.5, ratio=ratio, method="pooled", **sizes
    )
    order = detectable_effect(power_mann_whitney, least, between=(0.5, _ALMOST), ratio=ratio, **sizes)
    trend = detectable_effect(power_correlation, n, between=(0.0, _ALMOST), method="fisher", **sizes)
    more = {
        "share": needed_n(power_share, share.effect / 2, null=0.5, method="normal", **sizes).n,
        "two_shares": needed_n(power_two_shares, shares.effect / 2, base=0.5, ratio=ratio, method="pooled", **sizes).n,
        "two_groups": needed_n(power_mann_whitney, 0.25 + order.effect / 2, ratio=ratio, **sizes).n,
        "correlation": needed_n(power_correlation, trend.effect / 2, method="fisher", **sizes).n,
    }
    both = {name: round(size * (1 + ratio)) if name.startswith("two") else size for name, size in more.items()}
    delta, ordered = 2 * order.effect - 1, "A difference between the ordered answers of two groups (Cliff's delta)"
    rows = [
        ("share", "A share other than one half", 0.5, 0.5 + share.effect, n, 0.5 + share.effect / 2),
        ("two_shares", "A difference between the shares of two groups", 0.0, shares.effect, n, shares.effect / 2),
        ("two_groups", ordered, 0.0, delta, n, delta / 2),
        ("correlation", "A correlation between two questions", 0.0, trend.effect, n, trend.effect / 2),
    ]
    return pd.DataFrame(
        [(*row, both[row[0]]) for row in rows], columns=["design", "what", "null", "effect", "n", "half", "needed"]
    )


def select_effect(reach: pd.DataFrame, design: str, column: str = "effect") -> float:
    """One cell of `compute_reach`."""
    return reach.set_index("design").loc[design, column].item()


def build_reach_table(reach: pd.DataFrame) -> pd.DataFrame:
    """As printed: What is looked for, Smallest effect found, Half of that, Respondents it needs."""

    def text(design: str, value: float) -> str:
        if design == "two_shares":
            return f"{100 * value:.1f} points"
        return format_value(value, "share") if design == "share" else f"{value:.2f}"

    return pd.DataFrame(
        {
            "What is looked for": reach["what"],
            "Smallest effect found": [text(d, v) for d, v in zip(reach["design"], reach["effect"], strict=True)],
            "Half as large": [text(d, v) for d, v in zip(reach["design"], reach["half"], strict=True)],
            "Respondents it needs": [f"{value:,}" for value in reach["needed"]],
        }
    )


def compute_selection(shares: Mapping[str, Estimate], rate: float, target: float = 0.5) -> pd.DataFrame:
    """How far non-response could have moved published shares.

    Parameters
    ----------
    shares : mapping of str to Estimate
        What was answered → its share among respondents.
    rate : float
        Response rate assumed.
    target : float
        Share that would overturn the conclusion.

    Returns
    -------
    DataFrame
        ``what``, ``share``, ``low``, ``high`` (bounds for all who were asked), ``silent`` (share among the silent that
        brings all to the target; missing where none does), ``needed_rate`` and ``ratio``
        (`analysis.stats.selection`).
    """
    rows = []
    for what, estimate in shares.items():
        bounds = bound_share(estimate.value, rate)
        rows.append(
            (
                what,
                estimate.value,
                bounds.low,
                bounds.high,
                silent_share(estimate.value, rate, target),
                needed_rate(estimate.value, target),
                tipping_ratio(estimate.value, target),
            )
        )
    columns = ["what", "share", "low", "high", "silent", "needed_rate", "ratio"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[1:], "float64"))


def select_bound(selection: pd.DataFrame, what: str, column: str) -> float:
    """One cell of `compute_selection`."""
    return selection.set_index("what").loc[what, column].item()


def build_selection_table(selection: pd.DataFrame) -> pd.DataFrame:
    """As printed: Answer, Share, Bounds, Silent share for one half, Rate needed, Times as likely."""

    def percent(value: float) -> str:
        return "–" if pd.isna(value) else format_value(value, "share")

    return pd.DataFrame(
        {
            "Answer": selection["what"],
            "Share": [percent(value) for value in selection["share"]],
            "Bounds for all asked": [
                f"{100 * row['low']:.1f} to {100 * row['high']:.1f}%" for row in selection.to_dict("records")
            ],
            "Among the silent, for one half": [percent(value) for value in selection["silent"]],
            "Response rate that settles it": [percent(value) for value in selection["needed_rate"]],
            "Times as likely to answer": ["–" if pd.isna(v) else f"{v:.1f}" for v in selection["ratio"]],
        }
    )
