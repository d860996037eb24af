"""How probable each of DORA's yearly levels is for a log, instead of a label that hides how little is known.

The levels are clusters of survey answers, found anew each year, so a year must be named; they exist for 2019 and 2021
to 2024. There was no report in 2020, and that of 2025 has seven team profiles instead of levels. A level describes all
four metrics together, which is why the levels of one metric may overlap, leave gaps, and need not be in order (in 2024
the high cluster failed twice as often as the medium one). What follows is therefore said of each metric by itself: how
probable it is that the metric lies where the report has this level, given how much the log can tell.

Probabilities come from the distribution of the metric given the data: Gamma with Jeffreys' prior for the frequency of
deployments, Beta with Jeffreys' prior for the fail rate, and for medians the mid-p confidence distribution of
`analysis.stats.quantiles` or, with open incidents, of Fay's beta product. The plain bootstrap will not do here: from
one incident it is certain of the median.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from analysis.base.errors import InputError, Problem
from analysis.kpi.dora import WEEK, compute_dora
from analysis.kpi.events import EventLog
from analysis.kpi.rules import DORA_2025, FAIL, FREQUENCY, LEAD, Rules
from analysis.kpi.samples import Samples, collect_samples
from analysis.stats.quantiles import quantile_probability
from analysis.stats.survival import survival_probability

COLUMNS = ("year", "metric", "level", "probability", "published", "value", "n", "method", "source", "note")

WITHOUT_LEVELS = {
    2020: "there was no report in 2020",
    2025: "the report of 2025 has seven team profiles instead of levels",
}

SILENT = "the log has no incident and no rollback at all, so this holds only if it would have them"
"""Note on the fail rate of a log that never speaks of failures."""

_ORDER = ("elite", "high", "medium", "low")


def compute_levels(
    log: EventLog | Samples, levels: pd.DataFrame, year: int = 2024, rules: Rules = DORA_2025
) -> pd.DataFrame:
    """Probability of each level of one year, metric by metric.

    Parameters
    ----------
    log : EventLog or Samples
    levels : DataFrame
        The table ``kpi/dora_levels.csv``.
    year : int
        Of the report.
    rules : Rules
        Definitions; reports up to 2022 ask for the time to restore, which only the older rules define.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: one row a metric and level, best first; levels that the report gives one range share a row
        ("high or medium"), and what lies in no range has rows of its own ("between elite and high", "worse than low").
        The probabilities of a metric add up to 1; they are missing where the log has nothing to say or the rules do not
        define the metric, and the note says which. A fail rate of a log without any failure has the note `SILENT`.

    Raises
    ------
    InputError
        A year without levels.
    """
    table = levels[levels["year"] == year]
    if table.empty:
        years = ", ".join(str(item) for item in sorted(set(levels["year"])))
        what = WITHOUT_LEVELS.get(year, f"got {year}")
        raise InputError("No levels of that year.", [Problem("year", what, f"one of: {years}")])
    samples = log if isinstance(log, Samples) else collect_samples(log, rules)
    values = compute_dora(samples, quantiles=()).set_index("metric")
    rows = []
    for metric in dict.fromkeys(table["metric"]):
        cells = partition_levels(table[table["metric"] == metric])
        row = {"year": year, "metric": metric, "source": f"{table['source'].iloc[0]}, {table['locator'].iloc[0]}"}
        known = values.loc[metric] if metric in values.index else None
        row |= {"value": np.nan, "n": 0} if known is None else {"value": known["value"], "n": known["n"]}
        below = _distribution(samples, metric)
        note = "" if below else "not defined by these rules" if known is None else known["note"]
        if metric == FAIL and below and not samples.says_failures:
            note = SILENT
        for label, cell in cells.groupby("label", sort=False):
            parts = zip(cell["low"], cell["high"], strict=True)
            share = sum(below(high) - below(low) for low, high in parts) if below else np.nan
            published = "; ".join(dict.fromkeys(text for text in cell["published"] if text))
            method = _method(samples, metric) if below else ""
            rows.append(
                {**row, "level": label, "probability": share, "published": published, "method": method, "note": note}
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def partition_levels(table: pd.DataFrame) -> pd.DataFrame:
    """The scale of one metric cut at every boundary of its levels.

    Parameters
    ----------
    table : DataFrame
        Rows of one year and metric of ``kpi/dora_levels.csv``. Where centres are published, each value belongs to the
        nearest one.

    Returns
    -------
    DataFrame
        ``label``, ``low``, ``high`` (infinite at the ends), ``published``; from better to worse.
    """
    ranges = (
        _nearest(table)
        if set(table["kind"]) == {"centre"}
        else [
            (row.level, row.published, float(row.low), np.inf if pd.isna(row.high) else float(row.high))
            for row in table.itertuples()
        ]
    )
    higher_is_better = set(table["metric"]) == {FREQUENCY}
    edges = sorted({0.0, np.inf} | {edge for _, _, low, high in ranges for edge in (low, high)})
    cells = []
    for low, high in pairwise(edges):
        inside = [item for item in ranges if item[2] <= low and high <= item[3]]
        inside.sort(key=lambda item: _ORDER.index(item[0]))
        label = " or ".join(item[0] for item in inside)
        cells.append(
            {"label": label, "low": low, "high": high, "published": "; ".join(dict.fromkeys(i[1] for i in inside))}
        )
    if higher_is_better:
        cells.reverse()
    named = [place for place, cell in enumerate(cells) if cell["label"]]
    labels = [cell["label"] for cell in cells]
    for place, cell in enumerate(cells):
        if not cell["label"]:
            before = [labels[other] for other in named if other < place]
            after = [labels[other] for other in named if other > place]
            if before and after:
                cell["label"] = f"between {before[-1]} and {after[0]}"
            else:
                cell["label"] = f"worse than {before[-1]}" if before else f"better than {after[0]}"
    return pd.DataFrame(cells)


def _nearest(table: pd.DataFrame) -> list[tuple[str, str, float, float]]:
    ordered = table.sort_values("centre")
    centres = ordered["centre"].astype(float).to_numpy()
    edges = [0.0, *((centres[:-1] + centres[1:]) / 2), np.inf]
    return list(zip(ordered["level"], ordered["published"], edges[:-1], edges[1:], strict=True))


def _distribution(samples: Samples, metric: str) -> Callable[[float], float] | None:
    """P(metric < c) as a function of c; None where there is nothing to say."""
    if metric not in samples.rules.metrics:
        return None
    n = len(samples.deployments)
    if metric == FREQUENCY:
        weeks = (samples.end - samples.begin) / WEEK
        return (lambda c: float(stats.gamma.cdf(c * weeks, n + 0.5))) if weeks > 0 else None
    if metric == FAIL:
        failed = int(samples.deployments["failed"].sum())
        return (lambda c: float(stats.beta.cdf(min(c, 1.0), failed + 0.5, n - failed + 0.5))) if n else None
    hours = samples.durations[metric]["hours"].to_numpy()
    if len(hours) == 0:
        return None
    censored = samples.durations[metric]["censored"].to_numpy()
    if censored.any():
        return lambda c: (
            0.0 if c <= 0 else 1.0 if np.isinf(c) else survival_probability(hours, censored, np.nextafter(c, 0))
        )
    return lambda c: (
        0.0 if c <= 0 else 1.0 if np.isinf(c) else quantile_probability(int(np.searchsorted(hours, c)), len(hours))
    )


def _method(samples: Samples, metric: str) -> str:
    if metric == FREQUENCY:
        return "Gamma posterior, Jeffreys' prior"
    if metric == FAIL:
        return "Beta posterior, Jeffreys' prior"
    if metric == LEAD or not samples.durations[metric]["censored"].any():
        return "mid-p distribution of the median"
    return "beta product distribution of the median"
