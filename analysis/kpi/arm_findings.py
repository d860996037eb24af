"""What the thesis says of the arms' metrics in numbers, and their keys in the results store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.base.estimates import Estimate
from analysis.base.results import Results
from analysis.kpi.arm_display import NAMES, describe_comparison, name_metric, read_estimate
from analysis.kpi.arms import ArmRun
from analysis.kpi.compare import Primary
from analysis.kpi.dora import compute_dora
from analysis.kpi.rules import FAIL, FREQUENCY, LEAD, RECOVERY
from analysis.kpi.samples import Samples
from analysis.stats.paired import needed_pairs

_POOLED = {LEAD: "lead_time", FREQUENCY: "deployments_per_week", FAIL: "change_fail_rate", RECOVERY: "recovery"}
_UNITS = {LEAD: "h", FREQUENCY: "", FAIL: "share", RECOVERY: "h"}


def store_pooled(
    results: Results, samples: Mapping[str, Samples], confidence: float, source: str, view: str
) -> pd.DataFrame:
    """Store delivery metrics of each arm's runs put together; returns them as a table to look at.

    Keys are ``kpi.<metric>.<arm>`` as noticed and ``kpi.truth.<metric>.<arm>`` in truth; of the latter only fail rate
    and recovery.
    """
    prefix, shown = ("kpi", tuple(_POOLED)) if view == "as noticed" else ("kpi.truth", (FAIL, RECOVERY))
    rows = []
    for arm, found in samples.items():
        table = compute_dora(found, confidence=confidence, quantiles=()).set_index("metric")
        for metric in shown:
            row = table.loc[metric]
            low, high = (None if np.isnan(row[name]) else float(row[name]) for name in ("low", "high"))
            if low is None or high is None:
                low = high = None
            estimate = Estimate(
                float(row["value"]),
                low,
                high,
                confidence if low is not None else None,
                int(row["n"]),
                row["method"],
                _UNITS[metric],
            )
            results.number(
                f"{prefix}.{_POOLED[metric]}.{arm}",
                estimate,
                source=source,
                meaning=f"{NAMES[metric]} under {arm}, {view}, all runs together",
                origin="measured",
            )
            rows.append({"metric": metric, "arm": arm, "value": estimate.text(), "interval": estimate.interval_text()})
    return pd.DataFrame(rows)


def store_medians(
    results: Results, table: pd.DataFrame, metrics: Sequence[str], ml_metrics: pd.DataFrame, source: str
) -> pd.DataFrame:
    """Store the median over the seeds of ML metrics, by arm: ``kpi.median.<metric>.<arm>``."""
    rows = []
    for metric in metrics:
        unit = ml_metrics.set_index("key").loc[metric, "unit"]
        for arm, found in table[table["metric"] == metric].groupby("arm", sort=False):
            values = found["value"].dropna()
            estimate = Estimate(float(values.median()), n=len(values), method="median over the seeds", unit=unit)
            results.number(
                f"kpi.median.{metric}.{arm}",
                estimate,
                source=source,
                meaning=f"{name_metric(metric, ml_metrics)} under {arm}: median over the seeds that have a value",
                origin="measured",
            )
            rows.append({"metric": metric, "arm": arm, "median": estimate.text(), "seeds": len(values)})
    return pd.DataFrame(rows)


def store_comparison(
    results: Results,
    comparisons: pd.DataFrame,
    primary: Primary,
    ml_metrics: pd.DataFrame,
    ratios: Sequence[str],
    confidence: float,
    source: str,
) -> pd.DataFrame:
    """Store counts of the tests, the shift of every declared contrast, and ratios of further metrics.

    Keys are ``kpi.tests``, ``kpi.rejected``, ``kpi.shift.<metric>.<first>_<second>`` and ``kpi.ratio.…`` alike.
    """
    counts = describe_comparison(comparisons, primary, confidence)
    texts = {
        "tests": "Tests over which the correction runs",
        "rejected": "Tests whose corrected p-value is at or below the level",
        "outcomes": "Primary outcomes",
    }
    for key, meaning in texts.items():
        results.number(f"kpi.{key}", counts[key], source=source, meaning=meaning, origin="measured")
    rows = []
    wanted = [(metric, "shift") for metric in primary.metrics] + [(metric, "ratio") for metric in ratios]
    for metric, what in wanted:
        for first, second in primary.contrasts:
            estimate = read_estimate(comparisons, metric, first, second, what)
            if estimate.low is None or estimate.high is None:
                estimate = replace(estimate, low=None, high=None, confidence=None)
            link = "minus" if what == "shift" else "to"
            name = name_metric(metric, ml_metrics)
            results.number(
                f"kpi.{what}.{metric}.{first}_{second}",
                estimate,
                source=source,
                meaning=f"{name}: {'difference' if what == 'shift' else 'ratio'} of {first} {link} {second}, in pairs",
                origin="measured",
                digits=1 if what == "shift" else 2,
            )
            rows.append({"metric": metric, "what": what, "first": first, "second": second, "value": estimate.text(2)})
    return pd.DataFrame(rows)


def store_repositories(
    results: Results, repositories: pd.DataFrame, metrics: pd.DataFrame, recorded: str
) -> pd.DataFrame:
    """Store how many repositories, commits and releases were read, and how far the fail rates reach in each reading.

    Keys are ``kpi.repositories.count``, ``kpi.repositories.commits``, ``kpi.repositories.releases``,
    ``kpi.repositories.fail_<least|most>.<strict|wide>`` (reading), and the same of the lead time.
    """
    source = f"git histories read on {recorded}; data/kpi/repositories.csv"
    totals = {
        "kpi.repositories.count": (len(repositories), "Open repositories read"),
        "kpi.repositories.commits": (int(repositories["commits"].sum()), "Commits read in all of them"),
        "kpi.repositories.releases": (int(repositories["releases"].sum()), "Releases in all of them"),
    }
    for key, (count, meaning) in totals.items():
        results.number(key, count, source=source, meaning=meaning, origin="measured", rows=repositories)
    rows = []
    for reading, name in zip(dict.fromkeys(metrics["reading"]), ("strict", "wide"), strict=True):
        found = metrics[(metrics["reading"] == reading) & (metrics["metric"] == FAIL)]
        for end, place in (("least", found["value"].idxmin()), ("most", found["value"].idxmax())):
            row = found.loc[place]
            estimate = Estimate(
                float(row["value"]),
                float(row["low"]),
                float(row["high"]),
                0.95,
                int(row["n"]),
                str(row["method"]),
                "share",
            )
            meaning = f"Change fail rate of {row['repository']}, the {end} of all, counting {reading}"
            results.number(
                f"kpi.repositories.fail_{end}.{name}",
                estimate,
                source=source,
                meaning=meaning,
                origin="measured",
                rows=metrics.loc[[place]],
            )
            rows.append({"reading": reading, "end": end, "value": estimate.text()})
    leads = metrics[(metrics["metric"] == LEAD)].drop_duplicates("repository")
    for end, place in (("least", leads["value"].idxmin()), ("most", leads["value"].idxmax())):
        row = leads.loc[place]
        estimate = Estimate(
            float(row["value"]) / 24,
            float(row["low"]) / 24,
            float(row["high"]) / 24,
            0.95,
            int(row["n"]),
            str(row["method"]),
            "days",
        )
        results.number(
            f"kpi.repositories.lead_{end}",
            estimate,
            source=source,
            meaning=f"Median lead time of {row['repository']}, the {end} of all",
            origin="measured",
            rows=metrics.loc[[place]],
        )
        rows.append({"reading": "any", "end": end, "value": estimate.text()})
    return pd.DataFrame(rows)


def store_logs(
    results: Results,
    runs: Sequence[ArmRun],
    events: int,
    samples: Mapping[str, Samples],
    source: str,
    confidence: float,
) -> None:
    """Store how much was read: ``kpi.runs``, ``kpi.events``, ``kpi.weeks`` (of each arm), ``kpi.needed_pairs``."""
    spans = {(found.end - found.begin).days / 7 for found in samples.values()}
    facts = {
        "kpi.runs": (len(runs), "Arm-runs whose logs were read"),
        "kpi.events": (events, "Rows of their event tables"),
        "kpi.weeks": (max(spans), "Virtual weeks of each arm, all seeds together"),
        "kpi.needed_pairs": (needed_pairs(confidence), "Fewest pairs for an interval of the wanted confidence"),
    }
    for key, (value, meaning) in facts.items():
        results.number(key, value, source=source, meaning=meaning, origin="measured", digits=0)
