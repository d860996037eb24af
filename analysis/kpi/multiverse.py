"""The same log under several definitions, side by side, and what makes the difference.

Tools that claim to measure one metric disagree because they count differently. The reasons given here are computed, not
told: for every choice in which two sets of rules differ, that choice alone is changed, and it is counted how many
changes, deployments or incidents are then read otherwise and where the metric goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import polars as pl

from analysis.base.estimates import format_value
from analysis.kpi.dora import compute_dora
from analysis.kpi.events import EventLog
from analysis.kpi.facts import (
    LEAD_FIELDS,
    compute_deployments,
    compute_incidents,
    compute_lead_times,
    compute_recoveries,
)
from analysis.kpi.reading import READING_FIELDS, Reading, read_log, rounded
from analysis.kpi.rule_words import describe_choice, describe_metric, differing_fields
from analysis.kpi.rules import (
    FAIL,
    FREQUENCY,
    LEAD,
    LEAD_MERGE,
    METRICS,
    MTTR,
    RECOVERY,
    REWORK,
    RULE_SETS,
    Rules,
)
from analysis.kpi.samples import collect_samples

COLUMNS = ("metric", "rules", "value", "low", "high", "n", "unit", "method", "definition", "note", "differs")
DIFFERENCES = (
    "metric",
    "rules",
    "reference",
    "field",
    "choice",
    "instead_of",
    "affected",
    "of",
    "what",
    "value",
    "value_instead",
)

_NOUNS = {
    LEAD: "changes",
    LEAD_MERGE: "changes",
    FREQUENCY: "deployments",
    FAIL: "deployments",
    REWORK: "deployments",
    RECOVERY: "recoveries",
    MTTR: "incidents",
}


class _Looks:
    """Looks at one log under many rules, none of them twice: most rules differ in what is made of the same reading."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self._readings: dict[tuple, Reading] = {}
        self._leads: dict[tuple, pl.DataFrame] = {}
        self._central: dict[tuple[Rules, float], pd.DataFrame] = {}
        self._units: dict[tuple[Rules, str], pl.DataFrame] = {}

    def reading(self, rules: Rules) -> Reading:
        key = tuple(getattr(rules, name) for name in READING_FIELDS)
        if key not in self._readings:
            self._readings[key] = read_log(self.log, rules)
        return self._readings[key]

    def leads(self, rules: Rules) -> pl.DataFrame:
        key = tuple(getattr(rules, name) for name in LEAD_FIELDS)
        if key not in self._leads:
            self._leads[key] = compute_lead_times(self.log, rules).collect(engine="streaming")
        return self._leads[key]

    def central(self, rules: Rules, confidence: float) -> pd.DataFrame:
        """The metrics of the rules, by metric."""
        if (rules, confidence) not in self._central:
            leads = self.leads(rules) if {LEAD, LEAD_MERGE} & set(rules.metrics) else None
            samples = collect_samples(self.log, rules, reading=self.reading(rules), leads=leads)
            table = compute_dora(samples, confidence=confidence, quantiles=())
            self._central[rules, confidence] = table.set_index("metric")
        return self._central[rules, confidence]

    def units(self, rules: Rules, metric: str) -> pl.DataFrame:
        """What the metric sees, by unit."""
        if (rules, metric) not in self._units:
            self._units[rules, metric] = _units(self, rules, metric)
        return self._units[rules, metric]


def compute_multiverse(
    log: EventLog, rule_sets: Sequence[Rules] = tuple(RULE_SETS.values()), confidence: float = 0.95
) -> pd.DataFrame:
    """Every metric under every set of rules.

    Parameters
    ----------
    log : EventLog
    rule_sets : sequence of Rules
        The first one that defines a metric is what the others are compared with.
    confidence : float
        Of the intervals.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: one row a metric and set. ``differs`` names the choices that make the value differ from that
        of the first set, how many changes, deployments or incidents each of them alone reads otherwise, and where it
        alone takes the value. A set that does not define a metric has a row without value.

    Raises
    ------
    InputError
        A log that covers no time.
    """
    looks = _Looks(log)
    tables = {rules: looks.central(rules, confidence) for rules in rule_sets}
    differences = _differences(looks, rule_sets)
    rows = []
    for metric in METRICS:
        for rules in rule_sets:
            row = {"metric": metric, "rules": rules.name, "note": "not defined by these rules", "n": 0, "differs": ""}
            if metric in rules.metrics:
                found = tables[rules].loc[metric]
                row |= {name: found[name] for name in ("value", "low", "high", "n", "unit", "method", "note")}
                row["definition"] = describe_metric(rules, metric)
                row["differs"] = _reasons(differences, metric, rules)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def compute_differences(log: EventLog, rule_sets: Sequence[Rules] = tuple(RULE_SETS.values())) -> pd.DataFrame:
    """One row for each metric, set of rules and choice in which the set differs from the first that defines the metric.

    Returns
    -------
    DataFrame
        Columns `DIFFERENCES`: ``field`` of the rules, its meaning in the set (``choice``) and in the reference
        (``instead_of``); ``affected`` ``of`` so many ``what`` (changes, deployments, recoveries, incidents) are read
        otherwise if this choice alone is changed in the reference, which takes the metric from ``value_instead`` to
        ``value``. A choice that changes the statistic only affects none of them.
    """
    return _differences(_Looks(log), rule_sets)


def _differences(looks: _Looks, rule_sets: Sequence[Rules]) -> pd.DataFrame:
    rows = []
    for metric in METRICS:
        defining = [rules for rules in rule_sets if metric in rules.metrics]
        for rules in defining[1:]:
            reference = replace(defining[0], metrics=(metric,))
            for name in differing_fields(reference, rules, metric):
                other = replace(reference, **{name: getattr(rules, name)})
                affected, of = _count_differing(looks.units(reference, metric), looks.units(other, metric))
                rows.append(
                    {
                        "metric": metric,
                        "rules": rules.name,
                        "reference": reference.name,
                        "field": name,
                        "choice": describe_choice(rules, name),
                        "instead_of": describe_choice(reference, name),
                        "affected": affected,
                        "of": of,
                        "what": _NOUNS[metric],
                        "value": float(looks.central(other, 0.95).loc[metric, "value"]),
                        "value_instead": float(looks.central(reference, 0.95).loc[metric, "value"]),
                    }
                )
    return pd.DataFrame(rows, columns=list(DIFFERENCES))


def _reasons(differences: pd.DataFrame, metric: str, rules: Rules) -> str:
    """The differences of one metric and set that matter on this log, in words."""
    chosen = differences[(differences["metric"] == metric) & (differences["rules"] == rules.name)]
    texts, idle = [], 0
    for row in chosen.itertuples():
        moved = not np.isclose(row.value, row.value_instead, rtol=1e-12, atol=0, equal_nan=True)
        if not (row.affected or moved):
            idle += 1
            continue
        say = partial(_say, metric)
        where = f"{say(row.value_instead)} → {say(row.value)}" if moved else f"still {say(row.value)}"
        how = (
            f"{row.affected} of {row.of} {row.what} read otherwise"
            if row.affected
            else f"same {row.what}, other statistic"
        )
        texts.append(f"{row.choice} (instead of: {row.instead_of}): {how}, {where}")
    if idle:
        texts.append(f"{idle} further {'choice makes' if idle == 1 else 'choices make'} no difference on this log")
    return "; ".join(texts)


def _say(metric: str, value: float) -> str:
    if np.isnan(value):
        return "no value"
    unit = "share" if metric in (FAIL, REWORK) else "" if metric == FREQUENCY else "h"
    return format_value(value, unit, 2)


def _count_differing(before: pl.DataFrame, after: pl.DataFrame) -> tuple[int, int]:
    """Units that are in one table only or say something else in the other, and all of them."""
    both = before.join(after, on="unit", how="full", coalesce=True, suffix="_after")
    differs = ~pl.col("reading").eq_missing(pl.col("reading_after"))
    return int(both.select(differs.sum()).item() or 0), len(both)


def _units(looks: _Looks, rules: Rules, metric: str) -> pl.DataFrame:
    """What the metric sees under the rules: ``unit`` (name of the change, deployment or incident) and ``reading``."""
    service = pl.col("service").fill_null("")
    if metric in (LEAD, LEAD_MERGE):
        hours = pl.col("lead_h" if metric == LEAD else "merge_h").alias("hours")
        leads = looks.leads(rules).select("service", "change", hours).drop_nulls("hours")
        leads = leads.filter(pl.col("hours") >= 0).with_columns(rounded(pl.col("hours"), rules.lead_rounding))
        if rules.lead_zero == "left out":
            leads = leads.filter(pl.col("hours") > 0)
        return leads.group_by(pl.struct(service, "change").alias("unit")).agg(pl.col("hours").sort().alias("reading"))
    reading = looks.reading(rules)
    if metric in (FREQUENCY, FAIL, REWORK):
        shown = {FREQUENCY: pl.lit(True), FAIL: pl.struct("failed", "incidents"), REWORK: pl.col("rework")}[metric]
        if metric == FAIL and rules.failure_unit == "deployments":
            shown = pl.struct("failed", pl.col("failed").cast(pl.Int64).alias("incidents"))
        deployments = compute_deployments(reading, rules)
        return deployments.select(pl.struct(service, "deployment").alias("unit"), shown.alias("reading")).collect()
    if metric == RECOVERY:
        found = compute_recoveries(reading, rules).with_columns(pl.struct(service, "detected").alias("unit"))
    else:
        found = compute_incidents(reading, rules).with_columns(
            pl.struct(service, "incident").alias("unit"), pl.col("restore_hours").alias("hours")
        )
    found = (
        found.with_columns(rounded(pl.col("hours"), rules.recovery_rounding))
        .drop_nulls("hours")
        .filter(pl.col("hours") >= 0)
    )
    if rules.recovery_open == "left out":
        found = found.filter(~pl.col("censored"))
    reading_of = pl.struct("hours", "censored").sort_by("hours", "censored").alias("reading")
    return found.group_by("unit").agg(reading_of).collect()


def list_rules(names: Iterable[str] = tuple(RULE_SETS)) -> pd.DataFrame:
    """Definitions of the named sets: ``rules``, ``metric``, ``definition``, ``cited``."""
    rows = [
        {
            "rules": RULE_SETS[name].name,
            "metric": metric,
            "definition": describe_metric(RULE_SETS[name], metric),
            "cited": RULE_SETS[name].cited,
        }
        for name in names
        for metric in METRICS
        if metric in RULE_SETS[name].metrics
    ]
    return pd.DataFrame(rows)
