"""What the thesis shows of the arms' metrics: tables as printed, and the frames behind the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from analysis.base.estimates import Estimate, format_value
from analysis.kpi.arms import NAMED_ONLY, ArmRun, compute_run_kpis, pool_runs, see_all_truth
from analysis.kpi.compare import Primary, build_forest_rows
from analysis.kpi.dora import compute_dora
from analysis.kpi.findings import count_findings
from analysis.kpi.levels import compute_levels
from analysis.kpi.multiverse import list_rules
from analysis.kpi.rule_words import describe_choice, describe_formula
from analysis.kpi.rules import FAIL, FREQUENCY, LEAD, LEAD_MERGE, METRICS, MTTR, RECOVERY, REWORK, RULE_SETS, find_rules
from analysis.kpi.samples import Samples
from analysis.plots import theme
from analysis.plots.forest import draw_forest
from analysis.plots.steps import draw_steps
from analysis.plots.strips import draw_strips
from analysis.stats.survival import compute_kaplan_meier

NAMES: dict[str, str] = {
    LEAD: "Lead time from first commit",
    LEAD_MERGE: "Lead time from merge",
    FREQUENCY: "Deployments a week",
    FAIL: "Change fail rate",
    RECOVERY: "Failed-deployment recovery time",
    REWORK: "Deployment rework rate",
    MTTR: "Time to restore, any incident",
}
"""Delivery metrics as printed."""

_SHORT = {RECOVERY: "Recovery of deployments", MTTR: "Time to restore"}
SHARES = (FAIL, REWORK)


def name_metric(metric: str, ml_metrics: pd.DataFrame) -> str:
    """A metric as printed; ``ml_metrics`` is the table ``kpi/ml_metrics.csv``."""
    names = NAMES | dict(zip(ml_metrics["key"], ml_metrics["name"], strict=True))
    return names[metric]


def build_definition_table(rules: str = "dora2025") -> pd.DataFrame:
    """Delivery metrics in one set of rules: ``Metric``, ``Formula``, ``Unit``, ``Choices``.

    What all of them share, the environment that counts, is left to the caption.
    """
    chosen, table = find_rules(rules), list_rules([rules])
    formulas = [describe_formula(chosen, metric) for metric in table["metric"]]
    return pd.DataFrame(
        {
            "Metric": table["metric"].map(NAMES),
            "Formula": [formula for formula, _ in formulas],
            "Unit": [unit for _, unit in formulas],
            "Choices": table["definition"].str.removesuffix(f"; {describe_choice(chosen, 'production')}"),
        }
    )


def build_ml_definition_table(ml_metrics: pd.DataFrame) -> pd.DataFrame:
    """``Metric``, ``What it is``, ``Formula``, ``Unit``, ``Unfinished or unknown``, from ``kpi/ml_metrics.csv``."""
    return pd.DataFrame(
        {
            "Metric": ml_metrics["name"],
            "What it is": ml_metrics["definition"],
            "Formula": ml_metrics["formula"],
            "Unit": ml_metrics["unit"],
            "Unfinished or unknown": ml_metrics["missing"],
        }
    )


def count_log_findings(runs: Sequence[ArmRun]) -> pd.DataFrame:
    """What is odd about the logs, all runs together: ``Finding``, ``Treatment``, ``Events``."""
    counted = count_findings(pl.concat([run.log.findings for run in runs]))
    return pd.DataFrame(
        {
            "Finding": counted["finding"].to_list(),
            "Treatment": counted["treatment"].to_list(),
            "Events": counted["count"].to_list(),
        }
    )


def build_pooled_table(samples: Mapping[str, Samples], confidence: float) -> pd.DataFrame:
    """Delivery metrics of each arm's runs put together: ``Metric`` and a column an arm, with interval and n."""
    tables = {arm: compute_dora(found, confidence=confidence).set_index("metric") for arm, found in samples.items()}
    shown = [metric for metric in METRICS if any(metric in table.index for table in tables.values())]
    rows = []
    for metric in shown:
        row = {"Metric": NAMES[metric]}
        for arm, table in tables.items():
            row[arm] = _cell(table.loc[metric], metric) if metric in table.index else ""
        rows.append(row)
    return pd.DataFrame(rows)


def _cell(row: pd.Series, metric: str) -> str:
    if np.isnan(row["value"]):
        return "none: " + row["note"].split(";")[0]
    unit = "share" if metric in SHARES else "" if metric == FREQUENCY else "h"
    low, high = (None if np.isnan(row[name]) else float(row[name]) for name in ("low", "high"))
    estimate = Estimate(float(row["value"]), low, high, unit=unit)
    text = estimate.text(1)
    if estimate.interval_text(1):
        text += f" ({estimate.interval_text(1)})"
    elif low is not None:
        text += f" (from {format_value(low, unit)})"
    return f"{text}, n = {int(row['n'])}"


def compute_views(runs: Sequence[ArmRun], confidence: float = 0.95) -> pd.DataFrame:
    """Fail rate and recovery as an arm could see them, and as they really were, run by run.

    Returns
    -------
    DataFrame
        ``view`` ("as noticed", "in truth"), ``arm``, ``seed``, ``metric``, ``value``, ``unit``.
    """
    truth = see_all_truth(runs)
    tables = [
        compute_run_kpis(runs, confidence=confidence).assign(view="as noticed"),
        compute_run_kpis(truth, NAMED_ONLY, confidence).assign(view="in truth"),
    ]
    found = pd.concat(tables, ignore_index=True)
    return found.loc[found["metric"].isin((FAIL, RECOVERY)), ["view", "arm", "seed", "metric", "value", "unit"]]


def draw_arm_metrics(
    table: pd.DataFrame, metrics: Sequence[str], arms: Mapping[str, str], ml_metrics: pd.DataFrame
) -> Figure:
    """Strips of the metrics by arm, a ring a seed.

    Parameters
    ----------
    table : DataFrame
        From `analysis.kpi.arms.compute_run_kpis`.
    metrics : sequence of str
        In the order of drawing.
    arms : mapping of str to str
    ml_metrics : DataFrame
        ``kpi/ml_metrics.csv``, for names.
    """
    titles = {metric: _title(metric, ml_metrics) for metric in metrics}
    rows = table[table["metric"].isin(list(metrics))]
    rows = rows.assign(panel=rows["metric"].map(titles), group=rows["arm"])
    rows = rows.sort_values("metric", key=lambda keys: keys.map({m: i for i, m in enumerate(metrics)}), kind="stable")
    shares = tuple(titles[m] for m in metrics if m in SHARES or m.endswith(("_share", "_rate", "_uptime")))
    return draw_strips(rows[["panel", "group", "value"]], arms, unit_name="seed", shares=shares)


def _title(metric: str, ml_metrics: pd.DataFrame) -> str:
    unit = " [h]" if metric.endswith("_h") else " [s]" if metric.startswith("compute_s") else ""
    return name_metric(metric, ml_metrics) + unit


def draw_views(views: pd.DataFrame, arms: Mapping[str, str]) -> Figure:
    """Strips of `compute_views`: what is noticed at the left, what is true at the right."""
    short = {FAIL: "Change fail rate", RECOVERY: "Recovery time [h]"}
    rows = views.assign(panel=views["metric"].map(short) + ", " + views["view"], group=views["arm"])
    order = [f"{short[m]}, {view}" for m in (FAIL, RECOVERY) for view in ("as noticed", "in truth")]
    rows = rows.sort_values("panel", key=lambda names: names.map(order.index), kind="stable")
    return draw_strips(
        rows, arms, unit_name="seed", shares=tuple(name for name in order if name.startswith(short[FAIL]))
    )


def draw_recovery(runs: Sequence[ArmRun], arms: Mapping[str, str], confidence: float = 0.95) -> Figure:
    """Kaplan–Meier curves of recoveries by arm, as noticed and in truth, all runs of an arm together."""
    truth = see_all_truth(runs)
    curves, marks = [], []
    for panel, samples in (("As noticed", pool_runs(runs)), ("In truth", pool_runs(truth, NAMED_ONLY))):
        for arm, found in samples.items():
            lasted = found.durations[RECOVERY]
            if lasted.is_empty() or bool(lasted["censored"].all()):
                continue
            curve = compute_kaplan_meier(lasted["hours"].to_list(), lasted["censored"].to_list(), confidence)
            steps = pd.DataFrame({"x": [0.0, *curve["time"]], "y": [1.0, *curve["survival"]]})
            still = lasted.filter(pl.col("censored"))["hours"].to_numpy()
            end = max(float(lasted["hours"].max()), float(steps["x"].iloc[-1]))
            steps.loc[len(steps)] = [end, steps["y"].iloc[-1]]
            curves.append(steps.assign(panel=panel, group=arm))
            at = [float(steps.loc[steps["x"] <= hours, "y"].iloc[-1]) for hours in still]
            marks.append(pd.DataFrame({"x": still, "y": at}).assign(panel=panel, group=arm))
    return draw_steps(
        pd.concat(curves, ignore_index=True),
        arms,
        x_label="hours",
        y_label="not recovered yet",
        marks=pd.concat(marks, ignore_index=True),
        mark_name="open at the end",
    )


def compute_arm_levels(
    samples: Mapping[str, Samples], levels: pd.DataFrame, year: int, arms: Mapping[str, str]
) -> pd.DataFrame:
    """Probability of each level: ``metric``, ``arm``, ``level``, ``probability``; without those below 0.001."""
    tables = [compute_levels(found, levels, year).assign(arm=arms[arm]) for arm, found in samples.items()]
    found = pd.concat(tables, ignore_index=True)
    return found[found["probability"] >= 0.001]


def build_level_table(levels: pd.DataFrame) -> pd.DataFrame:
    """``Metric``, ``Arm``, ``Probability of each level``: likeliest first, without those below one in a thousand."""
    rows = []
    for (metric, arm), found in levels.groupby(["metric", "arm"], sort=False):
        likely = found.sort_values("probability", ascending=False)
        texts = [f"{row.level} {format_value(row.probability, 'share')}" for row in likely.itertuples()]
        rows.append({"Metric": NAMES[metric], "Arm": arm, "Probability of each level": ", ".join(texts)})
    return pd.DataFrame(rows).sort_values("Metric", kind="stable", ignore_index=True)


def compute_rule_medians(runs: Sequence[ArmRun], metrics: Sequence[str], confidence: float = 0.95) -> pd.DataFrame:
    """Metrics under each set of rules: median over the seeds with a value, by arm.

    Returns
    -------
    DataFrame
        ``metric``, ``rules``, ``arm``, ``value``, ``seeds`` (with a value); without sets that do not define a metric.
    """
    rows = []
    for rules in RULE_SETS.values():
        for arm, log in ((run.arm, run.log) for run in runs):
            table = compute_dora(log, rules, confidence=confidence, quantiles=())
            rows.append(
                table.loc[table["metric"].isin(list(metrics)), ["metric", "value"]].assign(rules=rules.name, arm=arm)
            )
    found = pd.concat(rows, ignore_index=True)
    return (
        found.groupby(["metric", "rules", "arm"], sort=False)["value"].agg(value="median", seeds="count").reset_index()
    )


def draw_rules(medians: pd.DataFrame, metrics: Sequence[str], arms: Mapping[str, str]) -> Figure:
    """Small multiples of `compute_rule_medians`: a line a set of rules, a mark an arm."""
    marks = dict(zip(arms, ("o", "s", "^"), strict=True))
    medians = medians[medians["value"].notna()]
    rules = list(dict.fromkeys(medians["rules"]))
    lines = -(-len(metrics) // 2)
    figure, grid = theme.new_figure(0.4 + lines * (0.5 + 0.21 * len(rules)), nrows=lines, ncols=2)
    for axes, metric in zip(grid.ravel(), metrics, strict=False):
        found = medians[medians["metric"] == metric]
        shown = [name for name in rules if name in set(found["rules"])]
        for (arm, name), colour in zip(arms.items(), theme.SERIES, strict=True):
            mine = found[found["arm"] == arm]
            places = [shown.index(item) for item in mine["rules"]]
            style = {"marker": marks[arm], "linestyle": "none", "markeredgecolor": theme.PALETTE["ink"], "mew": 0.6}
            axes.plot(mine["value"], places, color=colour, label=name, markersize=5.5, **style)
        axes.set_title(_SHORT.get(metric, NAMES[metric]) + (" [h]" if metric.endswith("_h") else ""))
        axes.set_yticks(range(len(shown)), shown)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="both")
        if metric in SHARES:
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for axes in grid.ravel()[len(metrics) :]:
        axes.set_axis_off()
    handles, labels = grid.ravel()[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def build_primary_table(comparisons: pd.DataFrame, ml_metrics: pd.DataFrame) -> pd.DataFrame:
    """Declared outcomes and contrasts: shift, ratio, p, corrected p, and the mixed model beside them."""
    rows = []
    for row in comparisons[comparisons["primary"]].to_dict("records"):
        unit = row["shift_unit"] if isinstance(row["shift_unit"], str) else ""
        rows.append(
            {
                "Outcome": name_metric(row["metric"], ml_metrics),
                "Contrast": f"{row['first']} − {row['second']}",
                "Shift": _with_interval(row, "shift", unit, 1),
                "Ratio": _with_interval(row, "ratio", "", 2),
                "p": f"{row['p_value']:.3f}",
                "Corrected": f"{row['p_holm']:.3f}",
                "Mixed model": _with_interval(row, "mixed", "", 1)
                + ("" if row["mixed_converged"] else f"; {row['mixed_note'] or 'did not converge'}"),
            }
        )
    return pd.DataFrame(rows)


def _with_interval(row: Mapping[str, object], name: str, unit: str, digits: int) -> str:
    value, low, high = (float(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
    if np.isnan(value):
        return "none"
    bounds = (None, None) if np.isnan(low) or np.isnan(high) else (low, high)
    estimate = Estimate(value, *bounds, unit="")
    text = estimate.text(digits) + (f" {unit}" if unit else "")
    return text + (f" ({estimate.interval_text(digits)})" if estimate.interval_text(digits) else "")


def draw_ratios(
    comparisons: pd.DataFrame, metrics: Sequence[str], ml_metrics: pd.DataFrame, confidence: float
) -> Figure:
    """Forest of the ratios of one arm to another."""
    names = {metric: name_metric(metric, ml_metrics) for metric in metrics}
    rows = build_forest_rows(comparisons, names)
    return draw_forest(
        rows,
        axis_title=f"ratio, with {100 * confidence:g} % interval (logarithmic)",
        log=True,
        limits=(0.02, 20.0),
        text_title="ratio",
        n_title="pairs",
        meanings=("declared beforehand", "described only"),
    )


def describe_comparison(comparisons: pd.DataFrame, primary: Primary, confidence: float) -> dict[str, int]:
    """``tests``, ``rejected`` (corrected p at most one minus the confidence), ``outcomes``."""
    tested = comparisons[comparisons["p_holm"].notna()]
    rejected = int((tested["p_holm"] <= 1 - confidence + 1e-12).sum())
    return {"tests": len(tested), "rejected": rejected, "outcomes": len(primary.metrics)}


def read_estimate(comparisons: pd.DataFrame, metric: str, first: str, second: str, what: str = "shift") -> Estimate:
    """One estimate of a comparison, ready to be stored."""
    row = comparisons[
        (comparisons["metric"] == metric) & (comparisons["first"] == first) & (comparisons["second"] == second)
    ].iloc[0]
    low, high = (None if np.isnan(row[f"{what}_{end}"]) else float(row[f"{what}_{end}"]) for end in ("low", "high"))
    unit = row["shift_unit"] if what == "shift" else ""
    confidence = None if low is None else float(row["confidence"])
    return Estimate(float(row[what]), low, high, confidence, int(row["pairs"]), row[f"{what}_method"], unit)


def count_rows(runs: Sequence[ArmRun]) -> int:
    """Rows of all event tables together."""
    return sum(run.log.events.select(pl.len()).collect().item() for run in runs)


def draw_lead_times(
    samples: Mapping[str, Samples], percentiles: pd.DataFrame, arms: Mapping[str, str], repositories: Sequence[str]
) -> Figure:
    """How lead times are distributed: in the arms at the left, in real repositories at the right.

    Parameters
    ----------
    samples : mapping of str to Samples
        From `analysis.kpi.arms.pool_runs`.
    percentiles : DataFrame
        ``kpi/repository_lead_times.csv``.
    arms : mapping of str to str
    repositories : sequence of str
        Those to show, at most three.
    """
    shortest = 0.1
    curves = []
    for arm, found in samples.items():
        hours = found.durations[LEAD]["hours"].to_numpy()
        share = np.arange(1, len(hours) + 1) / len(hours)
        curves.append(
            pd.DataFrame({"x": np.maximum(hours, shortest), "y": share}).assign(panel="Arms", group=arms[arm])
        )
    for name in repositories:
        mine = percentiles[percentiles["repository"] == name]
        x = np.maximum(mine["lead_h"].to_numpy(dtype=float), shortest)
        curves.append(pd.DataFrame({"x": x, "y": mine["percentile"] / 100}).assign(panel="Repositories", group=name))
    found = pd.concat(curves, ignore_index=True)
    return draw_steps(
        found,
        {name: name for name in dict.fromkeys(found["group"])},
        x_label="hours from first commit (logarithmic)",
        y_label="deployed by then",
        logarithmic=True,
        own_groups=True,
    )


def build_repository_table(repositories: pd.DataFrame, metrics: pd.DataFrame) -> pd.DataFrame:
    """``Repository``, what was read, and the metrics that do not depend on what counts as a failure."""
    found = metrics.set_index(["repository", "reading", "metric"])
    reading = metrics["reading"].iloc[0]
    rows = []
    for row in repositories.itertuples():
        cells = {
            NAMES[m]: _cell(_filled(found.loc[(row.repository, reading, m)]), m) for m in (LEAD, LEAD_MERGE, FREQUENCY)
        }
        rows.append({"Repository": f"{row.repository} at {row.commit[:10]}", "Commits read": row.commits} | cells)
    return pd.DataFrame(rows)


def build_reading_table(metrics: pd.DataFrame) -> pd.DataFrame:
    """``Repository``, ``Counted as failures``, and the metrics that depend on it."""
    found = metrics.set_index(["repository", "reading", "metric"])
    rows = []
    for repository, reading in dict.fromkeys(zip(metrics["repository"], metrics["reading"], strict=True)):
        cells = {NAMES[m]: _cell(_filled(found.loc[(repository, reading, m)]), m) for m in (FAIL, RECOVERY)}
        rows.append({"Repository": repository, "Counted as failures": reading} | cells)
    return pd.DataFrame(rows)


def _filled(row: pd.Series) -> pd.Series:
    values = {name: np.nan if pd.isna(row[name]) else float(row[name]) for name in ("value", "low", "high")}
    return pd.Series({**values, "n": int(row["n"]), "note": "" if pd.isna(row["note"]) else row["note"]})
